# Networks of packed weights over a batch, against float64, and the same bits on every level and thread count.
import pickle
import sys

import lanewise as lw
import numpy as np
import pytest
from lanewise import genome
from lanewise.evolution.batch import in_words
from lanewise.evolution.network import ACTIVATIONS, Batch, Network
from lanewise.genome import FLOAT4, INT4, LOG4, LOG4_ZERO, NF4, Codebook
from lanewise.kernels import LEVEL
from lanewise.kernels.population import MOST_IN_WORD

SIZES = [(64, 32, 10), (1, 1), (3, 2), (5, 7, 2), (17, 13, 11, 3), (4, 6, 5, 4, 3, 2), (130, 65, 33)]


def case(sizes, rows, codebook=LOG4, size=5):
    rng = np.random.default_rng(rows)
    network = Network(sizes, codebook=codebook)
    population = genome.random_population(size, network.n_weights, 1)
    x = rng.uniform(-1, 2, (rows, sizes[0])).astype(np.float32)
    y = rng.integers(0, sizes[-1], rows)
    return network, population, x, y


def in_float64(network, population, x, activation=lambda z: np.maximum(z, 0)):
    logits = []
    for row in genome.decode(population, network.codebook, n_weights=network.n_weights).astype(np.float64):
        z, used = x.astype(np.float64), 0
        for k, (inputs, outputs) in enumerate(zip(network.sizes, network.sizes[1:], strict=False)):
            if k:
                z = activation(z)
            z = z @ row[used:used + inputs * outputs].reshape(outputs, inputs).T
            used += inputs * outputs
        logits.append(z)
    return np.array(logits)


def cross_entropy(logits, y):
    shifted = logits - logits.max(axis=2, keepdims=True)
    picked = np.take_along_axis(shifted, np.broadcast_to(y[None, :, None], (len(logits), len(y), 1)), axis=2)[..., 0]
    return (np.log(np.exp(shifted).sum(axis=2)) - picked).mean(axis=1)


@pytest.mark.parametrize("codebook", [LOG4, NF4], ids=lambda codebook: codebook.name)
@pytest.mark.parametrize("rows", [1, 15, 16, 63, 64, 65, 130, 1437])
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_against_float64(sizes, rows, codebook):
    network, population, x, y = case(sizes, rows, codebook)
    exact = in_float64(network, population, x)
    logits = network.forward(population, x)
    assert logits.dtype == np.float32
    assert logits.shape == exact.shape
    np.testing.assert_allclose(logits, exact, rtol=1e-5, atol=2e-6 * np.abs(exact).max())
    np.testing.assert_allclose(network.loss(population, x, y), cross_entropy(exact, y), rtol=1e-5, atol=1e-6)
    accuracy = (logits.argmax(axis=2) == y).mean(axis=1)
    np.testing.assert_array_equal(network.accuracy(population, x, y), accuracy.astype(np.float32))


def test_the_activations_are_the_library_s():
    assert {"relu", "sigmoid", "tanh", "silu", "gelu", "mish", "softsign", "hardswish"} <= set(ACTIVATIONS)
    assert not any("backward" in name for name in ACTIVATIONS)


@pytest.mark.parametrize("activation", sorted(set(ACTIVATIONS) - {"exp", "expm1", "log", "log1p"}))
def test_activations(activation):
    x = np.random.default_rng(1).uniform(-1, 2, (130, 17)).astype(np.float32)
    network = Network((17, 13, 11, 3), activation)
    population = genome.random_population(4, network.n_weights, 1)
    exact = in_float64(network, population, x, getattr(lw, activation))
    np.testing.assert_allclose(network.forward(population, x), exact, rtol=1e-5, atol=2e-6 * np.abs(exact).max())


@pytest.mark.parametrize("rows", [1, 64, 100, 1437])
def test_squared_errors(rows):
    _, population, x, _ = case((17, 13, 11, 3), rows)
    network = Network((17, 13, 11, 3), objective="mse")
    wanted = np.random.default_rng(1).normal(size=(rows, 3))
    exact = in_float64(network, population, x)
    losses = network.loss(population, x, wanted)
    np.testing.assert_allclose(losses, ((exact - wanted) ** 2).mean(axis=(1, 2)), rtol=1e-5)
    classes = np.arange(rows) % 3
    one_hot = (classes[:, None] == np.arange(3)).astype(float)
    assert (network.loss(population, x, classes) == network.loss(population, x, one_hot)).all()
    assert (network.accuracy(population, x, classes) == (exact.argmax(2) == classes).mean(1).astype(np.float32)).all()


def test_accuracy_as_a_loss():
    _, population, x, y = case((5, 7, 2), 100)
    network = Network((5, 7, 2), objective="accuracy")
    assert (network.loss(population, x, y) == 1 - network.accuracy(population, x, y)).all()


def test_a_shuffled_batch():
    network, population, x, y = case((5, 7, 2), 150)
    order = np.random.default_rng(1).permutation(150)
    batch = network.batch(x, y).shuffled(order)
    assert (network.forward(population, batch) == network.forward(population, x)[:, order]).all()
    assert (network.accuracy(population, batch) == network.accuracy(population, x, y)).all()
    for wrong in (order[1:], order + 1, order - 1):
        with pytest.raises(ValueError, match="each of the 150 rows"):
            network.batch(x, y).shuffled(wrong)
    values = Network((5, 7, 2), objective="mse").batch(x, np.stack([y, -y], axis=1) / 2).shuffled(order)
    assert values.classes is None
    assert (values.values.swapaxes(1, 2).reshape(-1, 2)[:150] == np.stack([y, -y], axis=1)[order] / 2).all()


def in_integers(batch):
    return batch._whole is not None


WHOLE = {
    "digits": ((64, 32, 10), lambda rng: rng.integers(0, 17, (130, 64)) / 16),
    "pictures": ((784, 20, 10), lambda rng: rng.integers(0, 256, (70, 784), np.uint8)),
    "bytes, an odd number of inputs": ((63, 7, 3), lambda rng: rng.integers(0, 256, (200, 63), np.uint8)),
    "bytes, an odd number of weights": ((5, 3), lambda rng: rng.integers(0, 256, (64, 5)) * 2.0**20),
    "two inputs": ((2, 9, 2), lambda rng: rng.integers(0, 9, (63, 2))),
    "int8, an odd number of inputs": ((63, 7, 3), lambda rng: rng.integers(-128, 128, (200, 63))),
    "an odd number of weights": ((5, 3), lambda rng: rng.integers(-128, 128, (64, 5)) * 2.0**-20),
    "an even number, of an odd number of inputs": ((5, 2), lambda rng: rng.integers(-9, 9, (64, 5))),
    "one input": ((1, 9, 2), lambda rng: rng.integers(-9, 9, (65, 1)) * 4.0),
    "zeros": ((3, 4), lambda rng: np.where(rng.random((10, 3)) < 0.5, 0.0, -0.0)),
}


@pytest.mark.parametrize("codebook", [LOG4, LOG4_ZERO, INT4, FLOAT4, NF4], ids=lambda codebook: codebook.name)
@pytest.mark.parametrize("inputs", WHOLE)
def test_whole_numbers_are_summed_in_integers_to_the_same_bits(inputs, codebook):
    sizes, draw = WHOLE[inputs]
    network = Network(sizes, codebook=codebook)
    population = genome.random_population(6, network.n_weights, 1)
    x = draw(np.random.default_rng(1)).astype(np.float32)
    y = np.arange(len(x)) % sizes[-1]
    batch = network.batch(x, y)
    plain = Batch(batch.tiles, len(batch), batch.classes)
    assert in_integers(batch) == (codebook is not NF4)
    assert (batch.tiles.swapaxes(1, 2).reshape(-1, sizes[0])[:len(x)] == x).all()
    assert network.forward(population, batch).tobytes() == network.forward(population, plain).tobytes()
    assert network.loss(population, batch).tobytes() == network.loss(population, plain).tobytes()
    if codebook is not NF4:
        first = Network((sizes[0], sizes[1]), codebook=codebook)
        exact = in_float64(first, population[:, :first.genome_bytes], x)
        assert first.forward(population[:, :first.genome_bytes], x).tobytes() == exact.astype(np.float32).tobytes()
    order = np.random.default_rng(2).permutation(len(x))
    assert network.forward(population, batch.shuffled(order)).tobytes() == np.ascontiguousarray(
        network.forward(population, plain)[:, order]).tobytes()
    assert network.forward(population, pickle.loads(pickle.dumps(batch.part(0, 1)))).tobytes() == np.ascontiguousarray(
        network.forward(population, plain)[:, :64]).tobytes()


def words_of(batch):
    return batch._whole.in_word


def test_what_is_kept_as_bytes():
    assert (4 if LEVEL == "avx512vnni" else 2) == MOST_IN_WORD
    network, x = Network((3, 2)), np.array([[0.0, 255, 1]])
    assert words_of(network.batch(x)) == words_of(network.batch(x * 2.0**-20)) == MOST_IN_WORD
    for unlike in (x + 1, x - 1, x / 2 + 2, -x):
        assert words_of(network.batch(unlike)) == 2
    for lowest, most, fits in ((-256, 254, True), (-257, 0, False), (0, 255, False)):
        codebook = Codebook([lowest, *range(1, 15), most])
        assert words_of(Network((3, 2), codebook=codebook).batch(x)) == (MOST_IN_WORD if fits else 2)


@pytest.mark.parametrize("inputs", [1, 4, 7, 40, 41])
def test_levels_beyond_a_byte(inputs):
    codebook = Codebook([-256, -255, -254, -130, -129, -128, -127, -1, 0, 1, 126, 127, 128, 129, 253, 254])
    network = Network((inputs, 13), codebook=codebook)
    population = genome.random_population(5, network.n_weights, 1)
    population[0], population[1] = 0, 255  # nothing but the lowest and the highest
    x = np.random.default_rng(1).integers(0, 256, (150, inputs)).astype(float)
    x[0] = 255
    batch = network.batch(x)
    assert words_of(batch) == MOST_IN_WORD
    assert network.forward(population, batch).tobytes() == in_float64(network, population, x).astype(
        np.float32).tobytes()


def test_bytes_serve_a_level_that_does_not_multiply_them():
    # a process of another machine may have made them
    network, population, x, y = case((9, 4, 3), 130)
    x = np.floor(85 * (x + 1))
    words, whole = in_words(x.astype(np.float32), 1.0, 4)
    batch = Batch(words, len(x), network.batch(x, y).classes, whole=whole)
    again = pickle.loads(pickle.dumps(batch))
    assert words_of(again) == MOST_IN_WORD
    assert batch.digest() == again.digest() == network.batch(x, y).digest()
    for given in (batch, again, again.part(0, 3)):
        assert (network.loss(population, given) == network.loss(population, x, y)).all()


@pytest.mark.skipif(LEVEL == "baseline", reason="that level is the other one")
def test_networks_serve_the_level_that_they_come_to(run_python, tmp_path):
    # bytes where it multiplies them, whatever the level that the network was made at
    network, population, x, _ = case((9, 4, 3), 130)
    x = np.floor(85 * (x + 1))
    path = tmp_path / "network"
    path.write_bytes(pickle.dumps((network, population, x)))
    found = run_python(f"""
        import pickle
        with open({str(path)!r}, "rb") as file:
            network, population, x = pickle.load(file)
        print(network.forward(population, x).tobytes().hex())
    """, LANEWISE_LEVEL="baseline")
    assert found.stdout.strip() == network.forward(population, x).tobytes().hex(), found.stderr


def test_the_sign_of_a_zero_is_no_other_data():
    network = Network((2, 3))
    assert network.batch([[0.1, -0.0]]).digest() == network.batch([[0.1, 0.0]]).digest()
    assert network.batch([[0.1, 0.0]]).digest() != network.batch([[0.1, 0.2]]).digest()


def test_what_float32_would_round_is_left_to_float32():
    network = Network((4, 3))  # levels up to 128 of its smallest
    x = np.full((2, 4), 32767.0)
    assert in_integers(network.batch(x))  # 4 * 32767 * 128 is below 2^24
    network = Network((5, 3))
    x = np.array([[32767, -32767, 32767, -32767, 4], [0, 0, 0, 0, 1]])
    assert in_integers(network.batch(x))  # sums of magnitudes up to 2^24 itself
    x[0, 4] = 5
    assert not in_integers(network.batch(x))
    x[0] = 32768, 0, 0, 0, 1
    assert not in_integers(network.batch(x))
    for unlike in (0.1, 2.0**-60, np.nan, np.inf, -np.inf, 1e-45, 3e38):
        x = np.ones((3, 5), np.float32)
        x[1, 2] = unlike
        assert not in_integers(network.batch(x))
    assert not in_integers(network.batch(np.full((3, 5), 1e-45)))  # its products would be below float32
    for scale, fits in ((2.0**-119, True), (2.0**-120, False), (0.0, True), (2.0**127, True)):
        of_scale = Network((5, 3), scales=[[1.0, -scale, 0.5]])
        batch = of_scale.batch(np.ones((3, 5)), [0, 1, 2])  # its unit is that of the levels, 2^-7
        assert in_integers(batch) == fits
        population = genome.random_population(7, 15, 1)
        assert of_scale.forward(population, batch).tobytes() == of_scale.forward(
            population, Batch(batch.tiles, 3)).tobytes()
    assert not in_integers(Network((5, 3), scales=[2.0**120]).batch(np.full((3, 5), 2.0**14)))
    custom = Codebook([*range(0, 65536, 4369)])
    assert not in_integers(Network((5, 3), codebook=custom).batch(np.ones((3, 5))))  # 65535 is no int16
    assert in_integers(network.batch(np.full((3, 5), 2.0**40)))


@pytest.mark.parametrize("inputs", [1, 2, 3, 5])
@pytest.mark.parametrize("codebook", [NF4, Codebook([*range(0, 4800, 300)])], ids=["NF4", "beyond bytes"])
def test_a_batch_of_integers_serves_a_network_of_other_levels(inputs, codebook):
    x, y = np.arange(4.0 * inputs).reshape(4, inputs), np.arange(4) % 3
    batch, other = Network((inputs, 3)).batch(x, y), Network((inputs, 3), codebook=codebook)
    population = genome.random_population(3, 3 * inputs, 1)
    assert in_integers(batch)
    assert (other.loss(population, batch) == other.loss(population, x, y)).all()


def test_one_genome_and_leading_axes():
    network, population, x, y = case((5, 7, 2), 20, size=6)
    losses = network.loss(population, x, y)
    assert network.loss(population[2], x, y) == losses[2]
    assert isinstance(network.loss(population[2], x, y), float)
    assert (network.loss(population.reshape(2, 3, -1), x, y) == losses.reshape(2, 3)).all()
    assert (network.forward(population[2], x) == network.forward(population, x)[2]).all()
    assert network.loss(population[:0], x, y).shape == (0,)


def test_a_genome_s_loss_does_not_depend_on_its_neighbours():
    network, population, x, y = case((64, 32, 10), 500, size=9)
    one_by_one = [network.loss(row, x, y) for row in population]
    assert network.loss(population, x, y).tolist() == one_by_one


def test_a_batch_is_laid_out_once():
    network, population, x, y = case((64, 32, 10), 500)
    batch = network.batch(x, y)
    assert isinstance(batch, Batch)
    assert len(batch) == 500
    assert (network.loss(population, batch) == network.loss(population, x, y)).all()
    part = batch.part(2, 8)
    assert len(part) == 500 - 128
    assert (network.loss(population, part) == network.loss(population, x[128:], y[128:])).all()


def test_large_logits():
    # exp overflows unless the largest logit is taken away first
    network, population, x, y = case((3, 2), 40)
    exact = cross_entropy(in_float64(network, population, 1e4 * x), y)
    np.testing.assert_allclose(network.loss(population, 1e4 * x, y), exact, rtol=1e-5)


def test_nan_and_infinity_reach_the_loss():
    network, population, x, y = case((3, 2), 40)
    for bad in (np.nan, np.inf):
        x[7, 1] = bad
        assert np.isnan(network.loss(population, x, y)).all()


def test_ties_go_to_the_first_class():
    network = Network((2, 3))
    population = np.zeros((1, 3), np.uint8)  # all weights equal, hence all logits
    x = np.ones((9, 2), np.float32)
    y = np.arange(9) % 3
    assert network.accuracy(population, x, y).tolist() == [np.float32(1 / 3)]
    assert network.loss(population, x, y) == pytest.approx([np.log(3)], rel=1e-6)


def test_many_rows_are_summed_without_drift():
    network = Network((1, 2))
    population = np.array([[0x80]], np.uint8)  # weights 1 and -1
    rows = 300_000
    x = np.full((rows, 1), 0.1, np.float32)
    exact = np.log1p(np.exp(-2 * np.float64(np.float32(0.1))))
    assert network.loss(population, x, np.zeros(rows, int))[0] == pytest.approx(exact, rel=1e-6)


def test_counts_of_weights_and_bytes():
    network = Network((64, 32, 10))
    assert (network.n_weights, network.genome_bytes) == (2368, 1184)
    assert repr(network) == "Network(64-32-10, 'relu', LOG4)"


X, Y, G = np.zeros((4, 3), np.float32), np.zeros(4, int), np.zeros((1, 3), np.uint8)


@pytest.mark.parametrize(("call", "error", "message"), [
    (lambda: Network((3,)), ValueError, r"at least two positive ints such as \(64, 32, 10\); got \(3,\)"),
    (lambda: Network((3, 0)), ValueError, "positive"),
    (lambda: Network((3, 2.5)), TypeError, "sizes are ints"),
    (lambda: Network((3, 2), "silly"), ValueError, "activation .* got 'silly'"),
    (lambda: Network((3, 2), codebook="LOG4"), TypeError, "codebook is a Codebook such as LOG4; got str"),
    (lambda: Network((3, 2)).batch(X[:, :2], Y), ValueError, r"x is \[rows, 3\]; got \[4, 2\]"),
    (lambda: Network((3, 2)).batch(X, Y[:2]), ValueError, r"each of the 4 rows; got shape \[2\]"),
    (lambda: Network((3, 2)).batch(X, Y + 2), ValueError, "y is between 0 and 1; got 2 to 2"),
    (lambda: Network((3, 2)).batch(X, Y - 1), ValueError, "y is between 0 and 1; got -1 to -1"),
    (lambda: Network((3, 2)).batch(X, Y * 1.0), TypeError, "y holds ints; got float64"),
    (lambda: Network((3, 2), objective="silly"), ValueError, "cross_entropy, accuracy, mse; got 'silly'"),
    (lambda: Network((3, 2), objective="mse").batch(X, Y * 1.0), ValueError, r"values y are \[4, 2\]; got \[4\]"),
    (lambda: Network((3, 2)).loss(G, Network((3, 2)).batch(X)), ValueError, "no classes, which cross_entropy is"),
    (lambda: Network((3, 2), objective="mse").loss(G, Network((3, 2)).batch(X, Y)), ValueError, "no values, which mse"),
    (lambda: Network((3, 2)).loss(np.zeros((1, 4), np.uint8), X, Y), ValueError, "6 weights have 3 bytes; got 4"),
    (lambda: Network((3, 2)).loss(np.zeros((1, 3)), X, Y), TypeError, "population holds uint8; got float64"),
    (lambda: Network((3, 2)).loss(np.zeros((1, 3), np.uint8), X[:0], Y[:0]), ValueError, "no rows"),
])
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()


PROGRAM = """
import hashlib
import sys
import numpy as np
from lanewise import genome
from lanewise.kernels import machine
from lanewise.evolution.network import Network
machine.set_num_threads(int(sys.argv[1]))
digest = hashlib.sha256()
for sizes, rows in (((64, 32, 10), 1437), ((5, 7, 2), 100), ((17, 13, 11, 3), 64 * 70 + 3)):
    network = Network(sizes)
    population = genome.random_population(4, network.n_weights, 1)
    x = np.random.default_rng(2).uniform(-1, 2, (rows, sizes[0])).astype(np.float32)
    y = np.arange(rows) % sizes[-1]
    for inputs in (x, np.rint(16 * x)):  # the second in integers
        for results in (network.forward, network.loss, network.accuracy):
            digest.update(results(population, inputs, *[y] * (results != network.forward)).tobytes())
    for activation in ("tanh", "silu", "mish"):
        network = Network(sizes, activation, objective="mse")
        digest.update(network.loss(population, x, y).tobytes())
print(digest.hexdigest())
"""


def test_same_bits_on_every_level_and_thread_count(bits_agree):
    bits_agree(PROGRAM)


MEMORY = """
import numpy as np
from lanewise.evolution import Network, evolve
network = Network((64, 32, 10))
x = np.random.default_rng(1).uniform(0, 1, (256, 64)).astype(np.float32)
result = evolve(network, x, np.arange(256) % 10, population=100_000, generations=2, progress=False)
print(result.population.shape)
# not ru_maxrss, which is at least what the process that started this one has used
print(*(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM:")))
"""


@pytest.mark.skipif(LEVEL == "baseline", reason="memory is the same on every level, and here it takes minutes")
@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux")
def test_a_population_of_100_000_fits_in_a_gibibyte(run_python):
    # the packed population is 118 MB; decoded it would be 947 MB, and the hidden layer of all 3.3 GB
    found = run_python(MEMORY)
    assert found.returncode == 0, found.stderr
    shape, used = found.stdout.splitlines()
    assert shape == "(100000, 1184)"
    assert int(used) < 2**20  # KiB
