# Networks with scales and biases, made of trained ones, and runs that start from them.
import pickle
from itertools import pairwise

import lanewise as lw
import numpy as np
import pytest
from lanewise import genome
from lanewise.evolution import CheckpointError, Classifier, Network, evolve, minimize
from lanewise.evolution.network import Batch
from lanewise.genome import FLOAT4, INT4, LOG4, NF4, Codebook

SIZES = [(64, 32, 10), (1, 1), (5, 7, 3), (33, 9, 5, 2)]


def trained(sizes, seed=1):
    rng = np.random.default_rng(seed)
    weights = [rng.normal(size=(b, a)).astype(np.float32) for a, b in pairwise(sizes)]
    return weights, [rng.normal(size=len(matrix)).astype(np.float32) for matrix in weights]


def in_float64(weights, biases, x):
    for k, (matrix, bias) in enumerate(zip(weights, biases, strict=True)):
        x = (np.maximum(x, 0) if k else x) @ matrix.T.astype(np.float64) + bias
    return x


def problem(rows=192, inputs=6, seed=3):
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 17, (rows, inputs)).astype(np.float32) / 16
    return x, (x[:, :3].sum(axis=1) > x[:, 3:].sum(axis=1)).astype(int)


@pytest.mark.parametrize("whole", [False, True], ids=["floats", "whole inputs"])
@pytest.mark.parametrize(("per", "group"), [("layer", None), ("output", None), ("output", 16)])
@pytest.mark.parametrize("codebook", [LOG4, INT4, NF4], ids=lambda codebook: codebook.name)
@pytest.mark.parametrize("sizes", SIZES, ids=str)
def test_a_quantised_network_computes_what_its_weights_say(sizes, codebook, per, group, whole):
    weights, biases = trained(sizes)
    network, one = Network.quantize(weights, biases, codebook, per=per, group=group)
    assert network.sizes == sizes
    matrices = network.weights(one)
    for matrix, found in zip(weights, matrices, strict=True):
        rows = matrix.reshape(1, -1) if per == "layer" else matrix
        scale = genome.best_scale(rows, codebook, group=group)
        codes = genome.encode(rows, codebook, scale, group=group)
        nearest = genome.decode(codes, codebook, scale, group=group, n_weights=rows.shape[1])
        assert found.dtype == np.float32
        assert found.tobytes() == nearest.tobytes()
        assert found.shape == matrix.shape
    x = np.random.default_rng(2).normal(size=(130, sizes[0])).astype(np.float32)
    x = np.rint(8 * x) / 8 if whole else x
    exact = in_float64(matrices, biases, x)
    np.testing.assert_allclose(network.forward(one, x), exact, rtol=1e-5, atol=3e-6 * np.abs(exact).max())


@pytest.mark.parametrize("scales", ["layer", "output"])
def test_whole_numbers_are_scaled_to_the_same_bits(scales):
    sizes = (63, 9, 4)
    rng = np.random.default_rng(1)
    given = [[0.3, -1.7], [rng.normal(size=9), rng.normal(size=4)]][scales == "output"]
    network = Network(sizes, scales=given, biases=[rng.normal(size=9), None])
    population = genome.random_population(5, network.n_weights, 1)
    batch = network.batch(rng.integers(-128, 128, (200, 63)), np.arange(200) % 4)
    assert batch.is_whole
    plain = Batch(batch.tiles, len(batch), batch.classes)
    assert network.forward(population, batch).tobytes() == network.forward(population, plain).tobytes()
    assert network.loss(population, batch).tobytes() == network.loss(population, plain).tobytes()


def test_scales_of_1_and_no_biases_change_no_bit():
    x = np.concatenate([np.zeros((1, 20)), -np.zeros((1, 20)), np.random.default_rng(1).normal(size=(70, 20))])
    plain, scaled = Network((20, 6, 3)), Network((20, 6, 3), scales=[1.0, np.ones(3)])
    population = genome.random_population(4, plain.n_weights, 1)
    assert plain.forward(population, x).tobytes() == scaled.forward(population, x).tobytes()
    grouped = Network((20, 6, 3), scales=[np.ones((6, 2)), None], group=16)
    assert plain.forward(population, x).tobytes() == grouped.forward(population, x).tobytes()
    # by group, each weight is rounded once; in float32 and in the order of the inputs, whatever the inputs are
    whole = np.rint(x * 8)
    halves = Network((20, 6, 3), scales=[np.full((6, 2), 0.5), None], group=16)
    assert halves.forward(population, whole).tobytes() == (plain.forward(population, whole) / 2).tobytes()


def test_one_rounding_after_the_sum():
    # a sum of 3 times a third, and what is left of the exact product in float64 after rounding it once
    network = Network((1, 1), codebook=INT4, scales=[1 / 3], biases=[[-1.0]])
    third = np.float64(np.float32(1 / 3))
    assert network.forward(np.array([3], np.uint8), [[1.0]])[0, 0] == np.float32(3 * third - 1) != 0


def test_groups_of_several_layers():
    # the first layer and the last have groups, and that between has none; every register of a row but its last
    rng = np.random.default_rng(5)
    sizes, scales = (50, 20, 33, 3), [rng.normal(size=(20, 2)), None, rng.normal(size=(3, 2))]
    network = Network(sizes, "tanh", FLOAT4, scales=scales, group=32)
    assert network.group == 32
    one = genome.random_population(1, network.n_weights, 1)[0]
    x = rng.normal(size=(70, 50))
    first, second, third = (matrix.astype(np.float64) for matrix in network.weights(one))
    exact = np.tanh(np.tanh(x @ first.T) @ second.T) @ third.T
    np.testing.assert_allclose(network.forward(one, x), exact, rtol=1e-5, atol=1e-5 * np.abs(exact).max())
    codes = genome.unpack(one, network.n_weights)[:1000].reshape(20, 50)
    product = FLOAT4.levels[codes] * np.repeat(scales[0].astype(np.float32), 32, axis=1)[:, :50]
    assert first.astype(np.float32).tobytes() == product.tobytes()


PROGRAM = """
import hashlib
import numpy as np
from lanewise.evolution import Network, evolve
rng = np.random.default_rng(1)
weights, biases = [rng.normal(size=(9, 70)), rng.normal(size=(3, 9))], [rng.normal(size=9), rng.normal(size=3)]
x, y = np.rint(8 * rng.normal(size=(100, 70))), np.arange(100) % 3
digest = hashlib.sha256()
for options in ({"per": "layer"}, {}, {"group": 16}):
    network, start = Network.quantize(weights, biases, **options)
    digest.update(network.forward(start, x).tobytes())
    digest.update(network.forward(start, x + 0.1).tobytes())
    digest.update(evolve(network, x, y, start=start, generations=8, population=12, progress=False).population.tobytes())
print(digest.hexdigest())
"""


def test_same_bits_on_every_level(levels_agree):
    levels_agree(PROGRAM)


def test_a_run_starts_from_what_it_is_given():
    x, y = problem()
    weights, biases = trained((6, 5, 2))
    network, start = Network.quantize(weights, biases)
    first = evolve(network, x, y, start=start, generations=1, population=20, mutation_rate=0.5, progress=False)
    assert first.loss <= network.loss(start, x, y)
    # children of one genome without mutation are that genome
    copies = evolve(network, x, y, start=start, generations=1, population=20, mutation_rate=0.0, progress=False)
    assert (copies.population == start).all()
    assert copies.loss == network.loss(start, x, y)
    assert (copies.genome == start).all()
    longer = evolve(network, x, y, start=start, generations=200, population=30, progress=False)
    assert longer.loss < 0.7 * copies.loss
    # a whole population is the first generation, and its best the best so far
    population = genome.random_population(20, network.n_weights, 5)
    whole = evolve(network, x, y, start=population, generations=1, population=20, progress=False)
    assert whole.history["mean_loss"][0] == pytest.approx(network.loss(population, x, y).mean(), rel=1e-6)
    assert whole.loss == network.loss(population, x, y).min()
    assert (start == Network.quantize(weights, biases)[1]).all()  # what was given is as it was


@pytest.mark.parametrize("mutation", ["flip", "redraw"])
@pytest.mark.parametrize(("n_weights", "changes"), [(10, 1), (2000, 1.6), (10_000, 2)])
def test_a_child_of_what_is_good_has_one_change_or_two(mutation, n_weights, changes):
    result = minimize(lambda weights: weights.sum(axis=1), n_weights, vectorized=True, generations=1, population=4,
                      mutation=mutation, start=np.zeros(n_weights // 2, np.uint8), progress=False)
    places = n_weights if mutation == "redraw" else 4 * n_weights
    assert result.history["mutation_rate"][0] * places == pytest.approx(changes)


def test_the_result_is_no_worse_than_the_start_although_a_generation_sees_a_part():
    # the best of all rows is not the best of the 64 that the first generation is shown
    x, y = problem(640)
    network, start = Network.quantize(*trained((6, 5, 2), 7))
    start = evolve(network, x, y, start=start, generations=300, population=30, progress=False, batch_size=None).genome
    result = evolve(network, x, y, start=start, generations=1, population=30, batch_size=64, progress=False,
                    mutation_rate=0.02)
    assert result.loss <= network.loss(start, x, y)


def test_a_restart_is_from_the_start_again():
    x, y = problem(64)
    network, start = Network.quantize(*trained((6, 5, 2)))
    result = evolve(network, x, y, start=start, generations=12, restart_after=3, population=8, mutation_rate=0.0,
                    progress=False)
    assert (result.population == start).all()


def test_islands_and_adaptive_rates_start_there_too():
    x, y = problem()
    network, start = Network.quantize(*trained((6, 5, 2)))
    loss = network.loss(start, x, y)
    result = evolve(network, x, y, start=start, generations=60, islands=2, population=20, mutation_rate="adaptive",
                    progress=False)
    assert result.population.shape == (40, network.genome_bytes)
    assert (result.population[:20] != result.population[20:]).any()
    assert result.loss < loss


def test_minimize_starts_there_too():
    wanted = np.random.default_rng(2).integers(-8, 8, 41)
    start = genome.encode(np.r_[wanted[:40], wanted[40] + 1].astype(np.float32).clip(-8, 7), INT4)

    def wrong(weights):
        return (weights != wanted).sum()

    assert wrong(genome.decode(start, INT4, n_weights=41)) == 1
    result = minimize(wrong, 41, codebook=INT4, start=start, generations=200, target_loss=0, mutation="redraw",
                      progress=False)
    assert result.history["loss"][0] <= 1
    assert result.loss == 0


def test_a_checkpoint_knows_start_scales_and_biases(tmp_path):
    x, y = problem()
    weights, biases = trained((6, 5, 2))
    network, start = Network.quantize(weights, biases)
    options = {"population": 20, "progress": False}
    path = tmp_path / "run.npz"
    unbroken = evolve(network, x, y, start=start, generations=30, **options)
    evolve(network, x, y, start=start, generations=30, checkpoint=path, callback=lambda state: state.generation == 10,
           **options)
    resumed = evolve(network, x, y, start=start, generations=30, resume=path, **options)
    assert resumed.genome.tobytes() == unbroken.genome.tobytes()
    assert resumed.population.tobytes() == unbroken.population.tobytes()
    assert resumed.resumed == 10
    other = [biases[0], biases[1] + 1]
    for another, begin, message in (
            (network, start ^ 1, "other start: 1 genomes too"), (network, None, "start = 1 genomes; this one has none"),
            (Network.quantize(weights, other)[0], start, "other biases: 7 numbers too"),
            (Network.quantize(weights)[0], start, "biases = 7 numbers; this one has none"),
            (Network.quantize(weights, biases, per="layer")[0], start, "scales = 7 numbers; this one has 2 numbers")):
        with pytest.raises(CheckpointError, match=message):
            evolve(another, x, y, start=begin, generations=30, resume=path, **options)


def test_a_classifier_keeps_scales_and_biases(tmp_path):
    x, _ = problem(inputs=33)
    for options, biased in (({"group": 16}, True), ({"per": "layer"}, False), ({}, True)):
        weights, biases = trained((33, 5, 2))
        network, one = Network.quantize(weights, biases if biased else None, NF4, "tanh", **options)
        classifier = Classifier(network, one, ["a", "b"])
        classifier.save(tmp_path / "c.npz")
        loaded = Classifier.load(tmp_path / "c.npz")
        assert loaded.outputs(x).tobytes() == classifier.outputs(x).tobytes() == network.forward(one, x).tobytes()
        assert ("biases" in loaded.summary()) == biased
        with np.load(tmp_path / "c.npz") as saved:
            assert str(saved["format"]) == "lanewise classifier 2"
    Classifier(Network((33, 5, 2)), genome.random_population(1, 175, 1)[0], ["a", "b"]).save(tmp_path / "c.npz")
    with np.load(tmp_path / "c.npz") as saved:
        assert str(saved["format"]) == "lanewise classifier 1"  # which older versions read


def test_networks_show_and_pickle_what_is_fixed():
    network, one = Network.quantize(*trained((5, 7, 3)), group=16)
    assert repr(network) == "Network(5-7-3, 'relu', LOG4, with scales and biases)"
    assert [scale.shape for scale in network.scales] == [(7,), (3,)]
    again = pickle.loads(pickle.dumps(network))
    x = np.ones((3, 5))
    assert again.forward(one, x).tobytes() == network.forward(one, x).tobytes()
    assert repr(Network((5, 7, 3), biases=[None, np.zeros(3)])) == "Network(5-7-3, 'relu', LOG4, with biases)"
    assert Network((5, 7, 3), scales=[None, None]).scales is None
    with pytest.raises(ValueError, match="read-only"):
        network.biases[0][0] = 1


W, B = trained((6, 5, 2))
X, Y = problem(64)
N = Network((6, 5, 2))


@pytest.mark.parametrize(("call", "error", "message"), [
    (lambda: Network((6, 5, 2), scales=[1.0]), ValueError, "scales has an entry for each of the 2 layers; got 1"),
    (lambda: Network((6, 5, 2), scales=1.0), TypeError, "scales has an entry for each layer; got float"),
    (lambda: Network((6, 5, 2), scales=[1.0, np.ones(3)]), ValueError, r"\[2\] for the outputs; for groups.*got \[3\]"),
    (lambda: Network((40, 5), scales=[np.ones((5, 2))], group=32, biases=[np.ones((5, 1))]), ValueError,
     r"biases\[0\] is \[5\], one for each output; got \[5, 1\]"),
    (lambda: Network((40, 5), scales=[np.ones((5, 4))], group=32), ValueError, r"\[5, 2\] for groups of 32; got"),
    (lambda: Network((40, 5), group=20), ValueError, "group is a positive multiple of 16; got 20"),
    (lambda: Network((40, 5), group=24), ValueError, "group is a positive multiple of 16; got 24"),
    (lambda: Network((6, 2), scales=[np.nan]), ValueError, r"scales\[0\] holds a NaN"),
    (lambda: Network((6, 2), biases=[[1e39, 0]]), ValueError, r"biases\[0\] holds .* beyond float32"),
    (lambda: Network((6, 2), scales=["a"]), TypeError, r"scales\[0\] is an array of numbers"),
    (lambda: Network((6, 2), codebook=INT4, scales=[-1e38]), ValueError, r"level times its scale is beyond.* 1e\+38"),
    (lambda: Network.quantize([]), ValueError, "a matrix for each layer; got none"),
    (lambda: Network.quantize(5), TypeError, "a matrix for each layer; got int"),
    (lambda: Network.quantize([W[0], W[0]]), ValueError, r"weights\[1\] is \[outputs, 5\].*got \[5, 6\]"),
    (lambda: Network.quantize([W[0][0]]), ValueError, r"weights\[0\] is \[outputs, inputs\]; got \[6\]"),
    (lambda: Network.quantize([W[0] * np.inf]), ValueError, r"weights\[0\] holds a NaN"),
    (lambda: Network.quantize(W, B[:1]), ValueError, "biases has an entry for each of the 2 layers; got 1"),
    (lambda: Network.quantize(W, per="row"), ValueError, "per is 'output' or 'layer'; got 'row'"),
    (lambda: Network.quantize(W, per="layer", group=16), ValueError, "per='layer' has one scale"),
    (lambda: Network.quantize(W, codebook=8), TypeError, "codebook is a Codebook such as LOG4; got int"),
    (lambda: N.weights(np.zeros((1, 20), np.uint8)), ValueError, r"genome is \[20\]; got \[1, 20\]"),
    (lambda: N.weights(np.zeros(19, np.uint8)), ValueError, "genomes of 40 weights have 20 bytes; got 19"),
    (lambda: evolve(N, X, Y, start=np.zeros(19, np.uint8)), ValueError, "of start of 40 weights have 20 bytes; got 19"),
    (lambda: evolve(N, X, Y, start=np.zeros(20)), TypeError, "start holds uint8; got float64"),
    (lambda: evolve(N, X, Y, start=np.zeros((0, 20), np.uint8)), ValueError, r"at most the population of 200"),
    (lambda: evolve(N, X, Y, start=np.zeros((5, 20), np.uint8), population=4), ValueError, r"of 4 of them; got"),
    (lambda: minimize(len, 3, start=np.full(2, 255, np.uint8)), ValueError, "3 weights has nothing in its last"),
])
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_codebooks_of_ones_own_and_zero_weights():
    network, one = Network.quantize([np.zeros((3, 4))], codebook=Codebook(range(16)))
    assert (network.weights(one)[0] == 0).all()
    assert lw.evolution.Network is Network
