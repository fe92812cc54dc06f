# Evolution: repeats bit for bit, keeps its elite, stops when told, and minimises functions that are not networks.
import contextlib
import os
import subprocess
import sys
import threading

import numpy as np
import pytest
from lanewise import genome
from lanewise.evolution import HISTORY, MUTATION_RATE, Classifier, FitnessError, Network, data, evolve, minimize
from lanewise.evolution.network import Batch
from lanewise.evolution.workers import NetworkFitness
from lanewise.genome import INT4


def digits():
    d = data.load_digits()
    return d.x * d.scale, d.y, d.x_held_out * d.scale, d.y_held_out


def small(seed=0, **options):
    x, y, _, _ = digits()
    return evolve(Network((64, 8, 10)), x[:300], y[:300], seed=seed, progress=False,
                  **{"population": 30, "parents": 6, "generations": 60, "batch_size": None} | options)


def test_the_digits_are_learned():
    pytest.importorskip("sklearn")
    x, y, x_held_out, y_held_out = digits()
    network = Network((64, 32, 10))
    result = evolve(network, x, y, generations=400, mutation_rate=(0.004, 0.0005), held_out=(x_held_out, y_held_out),
                    progress=False)
    assert network.accuracy(result.genome, x_held_out, y_held_out) == result.history["accuracy"][-1] > 0.92


def test_a_seed_repeats():
    first, again, other = small(3), small(3), small(4)
    assert first.genome.tobytes() == again.genome.tobytes()
    assert first.population.tobytes() == again.population.tobytes()
    names = [name for name in HISTORY.names if name not in ("seconds", "accuracy")]
    assert (first.history[names] == again.history[names]).all()
    assert first.genome.tobytes() != other.genome.tobytes()


PROGRAM = """
import hashlib
import sys
import numpy as np
from lanewise.evolution import Network, evolve
from lanewise.kernels import machine
machine.set_num_threads(int(sys.argv[1]))
x = np.random.default_rng(1).uniform(0, 1, (200, 9)).astype(np.float32)
result = evolve(Network((9, 5, 3)), x, x[:, :3].argmax(axis=1), population=20, parents=5, generations=30, seed=7,
                niche_radius=0.5, progress=False)
print(hashlib.sha256(result.population).hexdigest(), result.loss)
"""


def test_same_bits_on_every_level_and_thread_count(run_python, level):
    expected = run_python(PROGRAM, 1, LANEWISE_LEVEL="baseline")
    assert expected.returncode == 0, expected.stderr
    for threads in (1, 2):
        assert run_python(PROGRAM, threads, LANEWISE_LEVEL=level).stdout == expected.stdout


def test_the_best_never_gets_worse():
    result = small()
    history = result.history
    assert history.dtype == HISTORY
    assert history["generation"].tolist() == list(range(1, 61))
    assert (np.diff(history["loss"]) <= 0).all()
    assert history["loss"][-1] == np.float32(result.loss)
    assert history["loss"][-1] < history["loss"][0]
    assert (history["mean_loss"] >= history["loss"]).all()
    assert history["mutation_rate"][0] == MUTATION_RATE[0]
    assert history["mutation_rate"][-1] == pytest.approx(MUTATION_RATE[1], rel=0.06)


def test_the_elite_passes_on_unchanged():
    seen = []
    small(elite=3, generations=2, callback=lambda state: seen.append(state))
    result = small(elite=3, generations=1)
    ranked = np.argsort([Network((64, 8, 10)).loss(row, *(part[:300] for part in digits()[:2]))
                         for row in genome.random_population(30, 592, 0)])
    assert (result.population[:3] == genome.random_population(30, 592, 0)[ranked[:3]]).all()
    assert [state.generation for state in seen] == [1, 2]
    assert [state.progress for state in seen] == [0.5, 1.0]


def test_when_to_stop():
    assert small().stopped == "generations"
    result = small(target_loss=2.0, generations=1000)
    assert result.stopped == "target_loss"
    assert result.loss <= 2.0 < result.history["loss"][-2]
    assert small(callback=lambda state: state.generation == 5).stopped == "callback"
    result = small(seconds=0.2, generations=None)
    assert result.stopped == "seconds"
    assert 0.2 <= result.history["seconds"][-1] < 2


def test_an_interrupt_keeps_the_best_so_far():
    def interrupt(state):
        if state.generation == 7:
            raise KeyboardInterrupt

    result = small(callback=interrupt)
    assert result.stopped == "interrupted"
    assert len(result.history) == 7
    unbroken = []
    small(callback=lambda state: unbroken.append(state.genome) or state.generation == 7)
    assert result.genome.tobytes() == unbroken[-1].tobytes()


def test_minimize_finds_known_codes():
    wanted = np.random.default_rng(2).integers(-8, 8, 41)
    result = minimize(lambda weights: (weights != wanted).sum(), 41, codebook=INT4, target_loss=0,
                      mutation_rate=0.01, generations=2000, progress=False)
    assert result.stopped == "target_loss"
    assert genome.decode(result.genome, INT4, n_weights=41).tolist() == wanted.tolist()
    assert result.genome[-1] >> 4 == 0


def test_minimize_vectorized_and_by_codes():
    options = {"generations": 20, "progress": False, "population": 20, "parents": 4}
    plain = minimize(lambda codes: codes.astype(float).sum(), 50, codebook=None, **options)
    vectorized = minimize(lambda codes: codes.sum(axis=1), 50, codebook=None, vectorized=True, **options)
    assert plain.genome.tobytes() == vectorized.genome.tobytes()
    assert plain.loss == genome.unpack(plain.genome, 50).sum()


def test_nan_ranks_last():
    def fitness(weights):
        return np.nan if weights[0] > 0 else float((weights**2).sum())

    result = minimize(fitness, 40, generations=15, progress=False, population=20, parents=4)
    assert np.isfinite(result.loss)
    assert genome.decode(result.genome)[0] < 0


def test_patience():
    result = small(mutation_rate=0.5, crossover=None, generations=500, patience=20)
    losses = result.history["loss"]
    assert result.stopped == "patience"
    assert (losses[-21:] == losses[-1]).all()
    assert losses[-22] > losses[-1]


def test_restarts_begin_at_random_and_keep_the_best():
    options = {"mutation_rate": 0.0, "generations": 40}
    result = small(**options, restart_after=8)
    diversity = result.history["diversity"]
    starts = 1 + np.flatnonzero(np.diff(diversity) > 0.2)  # crossover alone runs out of differences
    assert len(starts) >= 1
    assert diversity[starts] == pytest.approx(np.full(len(starts), 0.5), abs=0.02)
    assert (np.diff(result.history["loss"]) <= 0).all()
    first = starts[0]
    assert (result.history["loss"][first - 9:first] == result.history["loss"][first]).all()
    assert (small(**options).history["diversity"][-10:] < 0.1).all()
    assert small(**options, restart_after=8).population.tobytes() == result.population.tobytes()


def test_a_rate_of_one_s_own():
    result = small(mutation_rate="adaptive", generations=150)
    rates = result.history["mutation_rate"]
    assert rates[0] == pytest.approx(0.004, rel=0.01)
    assert len(set(rates)) > 100
    assert rates[-1] < 0.003
    assert result.loss < 1.7
    assert small(mutation_rate="adaptive", generations=150).population.tobytes() == result.population.tobytes()


def test_mini_batches_are_a_fixed_sequence():
    x, y, _, _ = digits()
    network = Network((64, 8, 10))
    batch = network.batch(x[:300], y[:300])
    fitness, again = NetworkFitness(network, batch, 128), NetworkFitness(network, batch, 128)
    parts = [fitness.part(5, generation) for generation in range(4)]
    assert [len(part) for part in parts] == [128] * 4
    assert (again.part(5, 3).tiles == parts[3].tiles).all()
    assert (again.part(5, 0).tiles == parts[0].tiles).all()
    assert (fitness.part(6, 0).tiles != parts[0].tiles).any()

    def rows(part):
        return [row.tobytes() for row in part.tiles.swapaxes(1, 2).reshape(-1, 64)]

    known = {row.tobytes(): label for row, label in zip(x[:300], y[:300], strict=True)}
    for part in parts:  # its rows are rows of the data, each with its class
        assert [known[row] for row in rows(part)] == part.classes.reshape(-1).tolist()
    assert not set(rows(parts[0])) & set(rows(parts[1]))  # of one pass
    assert set(rows(parts[0]) + rows(parts[1])) != set(rows(parts[2]) + rows(parts[3]))
    assert NetworkFitness(network, batch, 320).part(5, 1) is batch


def test_mini_batches_are_judged_by_all_rows():
    x, y, _, _ = digits()
    result = small(batch_size=64, generations=120)
    assert result.loss == Network((64, 8, 10)).loss(result.genome, x[:300], y[:300])
    assert (np.diff(result.history["loss"]) <= 0).all()
    assert result.loss < 1.9
    assert small(batch_size=64, generations=120).population.tobytes() == result.population.tobytes()


@pytest.mark.parametrize("objective", ["mse", "accuracy"])
def test_other_objectives(objective):
    x, y, _, _ = digits()
    network = Network((64, 8, 10), "tanh", objective=objective)
    result = evolve(network, x[:300], y[:300], population=30, generations=200, progress=False)
    assert result.loss == network.loss(result.genome, x[:300], y[:300])
    assert network.accuracy(result.genome, x[:300], y[:300]) > 0.5


def test_a_function_of_several_values_is_learned():
    x = np.linspace(-1, 1, 100, dtype=np.float32)[:, None]
    y = np.hstack([x, np.abs(x)])
    network = Network((1, 12, 2), objective="mse")
    result = evolve(network, x, y, generations=300, progress=False)
    assert result.loss == pytest.approx(((network.forward(result.genome, x) - y) ** 2).mean(), rel=1e-5)
    assert result.loss < 0.01
    with pytest.raises(ValueError, match="held_out has classes, not values"):
        evolve(network, x, y, generations=1, held_out=(x, y), progress=False)


@pytest.mark.parametrize(("options", "error", "message"), [
    ({"patience": 0}, ValueError, "patience is at least 1; got 0"),
    ({"restart_after": 2.5}, TypeError, "restart_after is an int; got 2.5"),
    ({"batch_size": 100}, ValueError, "batch_size is a multiple of 64; got 100"),
    ({"niche_radius": -0.5}, ValueError, "niche_radius is at least 0; got -0.5"),
    ({"niche_radius": np.nan}, ValueError, "niche_radius is at least 0; got nan"),
    ({"batch_size": 0}, ValueError, "batch_size is a multiple of 64; got 0"),
    ({"mutation_rate": "silly"}, ValueError, "or 'adaptive'; got 'silly'"),
    ({"population": 0, "parents": 0}, ValueError, "population is at least 1; got 0"),
    ({"elite": 31}, ValueError, "elite is between 0 and the population of 30; got 31"),
    ({"elite": 1.5}, TypeError, "elite is an int; got 1.5"),
    ({"parents": 0}, ValueError, "parents is between 1 and the population of 30; got 0"),
    ({"generations": 0}, ValueError, "generations is at least 1; got 0"),
    ({"seconds": -1}, ValueError, "seconds is positive; got -1"),
    ({"mutation_rate": 1.5}, ValueError, "mutation_rate is between 0 and 1; got 1.5"),
    ({"mutation_rate": (0.1, 0.2, 0.3)}, ValueError, "a pair"),
    ({"tournament": 0}, ValueError, "tournament is at least 1; got 0"),
    ({"tournament": 2**40}, ValueError, "tournament is at most 16777215; got 1099511627776"),
    ({"mutation": "x"}, ValueError, "mutation is one of flip, gray, step, redraw; got 'x'"),
    ({"crossover": "x"}, ValueError, "crossover is None or one of uniform, .*; got 'x'"),
    ({"seed": "x"}, TypeError, "rng is an int"),
])
def test_errors(options, error, message):
    with pytest.raises(error, match=message):
        small(**options)


def test_a_fitness_of_the_wrong_shape():
    with pytest.raises(FitnessError, match=r"one number a genome, \[10\]; got \[10, 4\]"):
        minimize(lambda weights: weights, 4, vectorized=True, population=10, parents=2, progress=False)
    with pytest.raises(TypeError, match="fitness is a function of weights; got int"):
        minimize(3, 4)


def test_a_classifier_is_kept(tmp_path):
    x, y, x_held_out, _ = digits()
    network = Network((64, 8, 10))
    kept = Classifier(network, small().genome, np.array(list("abcdefghij")), np.full(64, 0.5, np.float32),
                      np.full(64, 2.0, np.float32))
    kept.save(tmp_path / "kept.npz")
    loaded = Classifier.load(tmp_path / "kept.npz")
    assert loaded.network.sizes == network.sizes
    assert loaded.network.codebook == network.codebook
    assert loaded.predict(x_held_out).tolist() == kept.predict(x_held_out).tolist()
    expected = network.forward(kept.genome, (x - np.float32(0.5)) * np.float32(2)).argmax(axis=1)
    assert loaded.predict(x).tolist() == kept.classes[expected].tolist()
    np.savez(tmp_path / "other.npz", x=x, y=y)
    with pytest.raises(ValueError, match="is not a lanewise classifier 1 or 2; it holds x, y"):
        Classifier.load(tmp_path / "other.npz")
    (tmp_path / "broken.npz").write_bytes((tmp_path / "kept.npz").read_bytes()[:500])
    with pytest.raises(ValueError, match=r"not a readable \.npz"):
        Classifier.load(tmp_path / "broken.npz")


def test_a_batch_of_another_network():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(130, 12)).astype(np.float32), rng.integers(0, 3, 130)
    small, wide = Network((6, 3)), Network((12, 3))
    genomes = genome.random_population(2, small.n_weights, 0)
    wrong = [(wide.batch(x, y), "has rows of 12 features; this network has 6 inputs"),
             (wide.batch(np.round(4 * x), y), "has rows of 12 features"),  # as whole numbers
             (Network((6, 9)).batch(x[:, :6], np.full(130, 8)), "has the class 8; this network has 3 outputs"),
             (small.batch(x[:, :6]), r"has (no )?classes, (which|not)")]
    for batch, message in wrong:
        for call in (lambda batch: small.loss(genomes, batch), lambda batch: small.accuracy(genomes, batch),
                     lambda batch: evolve(small, batch, generations=1, progress=False),
                     lambda batch: evolve(small, x[:, :6], y, held_out=batch, generations=1, progress=False)):
            with pytest.raises(ValueError, match=message):
                call(batch)
    with pytest.raises(ValueError, match="has rows of 12 features"):
        small.forward(genomes, wide.batch(x))
    values = Network((6, 2), objective="mse").batch(x[:, :6], x[:, :2])
    five = Network((6, 5), objective="mse")
    with pytest.raises(ValueError, match="has 2 values a row; this network has 5 outputs"):
        five.loss(genome.random_population(1, five.n_weights, 0), values)
    other = Network((6, 4, 3), "tanh")  # of the same inputs and outputs
    batch = small.batch(x[:, :6], y)
    codes = genome.random_population(2, other.n_weights, 0)
    assert other.loss(codes, batch).tolist() == other.loss(codes, x[:, :6], y).tolist()
    with pytest.raises(TypeError, match="y is in the Batch already"):
        evolve(small, batch, y, generations=1, progress=False)


def test_a_batch_cannot_be_made_or_changed_into_a_wrong_one():
    batch = Network((6, 3)).batch(np.random.default_rng(0).normal(size=(70, 6)), np.arange(70) % 3)
    for array in (batch.classes, batch.tiles):
        with pytest.raises(ValueError, match="read-only"):
            array[0, 0, 0] = 9
    for inputs, rows, classes in ((batch.tiles, 200, None), (batch.tiles[:1], 70, None), (batch.tiles[0], 64, None),
                                  (batch.tiles, 70, batch.classes[:1]), (batch.tiles.astype(float), 70, None)):
        with pytest.raises(ValueError, match=r"of .* rows are float32"):
            Batch(inputs, rows, classes)


@pytest.mark.parametrize(("bad", "error", "message"), [
    (None, TypeError, "got None|got object"),
    ([[1.0, None]] * 3, TypeError, "array of numbers; got object"),
    ([["a", "b"]] * 3, TypeError, "array of numbers; got <U1"),
    (np.ones((3, 2), complex), TypeError, "array of numbers; got complex128"),
    (np.ma.masked_equal(np.eye(3, 2), 1), ValueError, "masked array with hidden elements"),
    ([[1, 2], [1, 2, 3]], ValueError, "array of numbers"),
    ([[1, 2], [3, np.nan], [5, 6]], ValueError, "a NaN, an infinity or a number beyond float32, first in row 1"),
    ([[1, 2], [3, 4], [-np.inf, 6]], ValueError, "first in row 2, column 0"),
    ([[1, 2], [3, 4e38], [5, 6]], ValueError, "first in row 1, column 1"),
])
def test_inputs_that_are_no_numbers(bad, error, message):
    good = np.ones((3, 2), np.float32)
    with pytest.raises(error, match=message):
        evolve(Network((2, 2)), bad, [0, 1, 0], generations=1, progress=False)
    with pytest.raises(error, match=message.replace("first in", ".*first in")):
        evolve(Network((2, 2)), good, [0, 1, 0], held_out=(bad, [0, 1, 0]), generations=1, progress=False)
    with pytest.raises(error, match=message):
        evolve(Network((2, 2), objective="mse"), good, [bad] if bad is None else bad, generations=1, progress=False)


@pytest.mark.parametrize(("given", "message"), [
    (None, r"got None for genome 0 in generation 1: has it no return\?"), ("1", "the fitness gives numbers; got <U1"),
    (1j, "got complex128"), (np.datetime64("2020"), r"got datetime64"), ([], r"one number a genome, \[10\]"),
])
def test_a_fitness_that_gives_no_number(given, message):
    options = {"population": 10, "generations": 3, "progress": False}
    with pytest.raises(FitnessError, match=message):
        minimize(lambda weights: given, 8, **options)
    with pytest.raises(FitnessError, match=message.replace(" for genome 0", "")):
        minimize(lambda weights: None if given is None else [given] * 10, 8, vectorized=True, **options)


def test_a_fitness_that_once_forgets_to_return():
    calls = []

    def fitness(weights):
        calls.append(1)
        return None if len(calls) == 25 else 1.0

    with pytest.raises(FitnessError, match="got None for genome 4 in generation 3") as raised:
        minimize(fitness, 8, population=10, generations=5, progress=False)
    assert len(raised.value.result.history) == 2
    with pytest.raises(FitnessError, match="masked array with hidden elements"):
        minimize(lambda w: np.ma.masked_less(w[:, 0], 0), 8, vectorized=True, progress=False)


def test_minus_infinity_ranks_last_too():
    result = minimize(lambda weights: -np.inf if weights[0] > 0 else float((weights**2).sum()), 40, generations=15,
                      progress=False, population=20, parents=4)
    assert np.isfinite(result.loss)
    assert result.history["not_finite"][0] > 3
    assert genome.decode(result.genome)[0] < 0


@pytest.mark.parametrize(("options", "error", "message"), [
    ({"codebook": "INT4"}, TypeError, "codebook is a Codebook such as LOG4, or None for the codes; got 'INT4'"),
    ({"scale": 0}, ValueError, "scale is positive and finite, also in float32; got 0"),
    ({"scale": 1e-60}, ValueError, "scale is positive and finite"),
    ({"scale": 1e300}, ValueError, "scale is positive and finite"),
    ({"scale": np.nan}, ValueError, "scale is positive and finite"),
    ({"scale": None}, TypeError, "scale is a number; got None"),
    ({"scale": 2.0, "codebook": None}, ValueError, "scale is of a codebook's weights, and codebook=None gives codes"),
    ({"n_weights": 0}, ValueError, "n_weights is at least 1; got 0"),
    ({"callback": 3}, TypeError, "callback is a function of a State; got int"),
    ({"executor": 3}, TypeError, "executor is a concurrent.futures.Executor; got int"),
    ({"mutation_rate": lambda progress: 2.0}, ValueError, r"mutation_rate\(0\) is between 0 and 1; got 2.0"),
    ({"mutation_rate": lambda progress: np.nan}, ValueError, r"mutation_rate\(0\) is between 0 and 1; got nan"),
    ({"mutation_rate": lambda progress: None}, TypeError, r"mutation_rate\(0\) is a number from 0 to 1; got None"),
    ({"mutation_rate": (0.1, None)}, ValueError, "mutation_rate is a number, a pair"),
    ({"mutation_rate": np.nan}, ValueError, "mutation_rate is between 0 and 1; got nan"),
    ({"target_loss": np.nan}, ValueError, "target_loss is a number, which a loss can reach; got nan"),
    ({"target_loss": "low"}, TypeError, "target_loss is a number; got 'low'"),
    ({"seconds": "1"}, TypeError, "seconds is a number; got '1'"),
    ({"niche_radius": None}, TypeError, "niche_radius is a number; got None"),
    ({"generations": 2.5}, TypeError, "generations is an int; got 2.5"),
    ({"crossover": ["uniform"]}, ValueError, "crossover is None or one of"),
    ({"population": 1.5}, TypeError, "population is an int; got float"),
    ({"checkpoint": 2}, TypeError, "checkpoint is the path of a file; got int"),
    ({"resume": 2}, TypeError, "resume is the path of a file; got int"),
    ({"mutation": np.ones(2)}, ValueError, "mutation is one of flip, gray, step, redraw; got array"),
])
def test_what_minimize_refuses(options, error, message):
    options = {"n_weights": 4, "generations": 3, "progress": False} | options
    with pytest.raises(error, match=message):
        minimize(lambda weights: float(weights.sum()), **options)


def test_a_rate_that_goes_wrong_half_way_keeps_the_run():
    with pytest.raises(ValueError, match=r"mutation_rate\(0.5\) is between 0 and 1; got 1.5") as raised:
        small(mutation_rate=lambda progress: 0.01 if progress < 0.5 else 1.5, generations=20)
    assert len(raised.value.result.history) == 10


def test_a_callback_cannot_change_the_result():
    x, y, _, _ = digits()

    def spoil(state):
        state.genome[:] = 0

    result = small(callback=spoil)
    assert result.genome.tobytes() == small().genome.tobytes()
    assert result.loss == Network((64, 8, 10)).loss(result.genome, x[:300], y[:300])


def test_what_a_callback_raises_comes_with_the_run():
    def fail(state):
        if state.generation == 7:
            raise ZeroDivisionError("of the callback")

    with pytest.raises(ZeroDivisionError) as raised:
        small(callback=fail)
    assert raised.value.result.stopped == "error"
    assert len(raised.value.result.history) == 7


def rastrigin(weights):
    return 10 * weights.shape[1] + (weights**2 - 10 * np.cos(2 * np.pi * weights)).sum(axis=1)


def test_redrawing_leaves_local_optima():
    losses = {mutation: minimize(rastrigin, 100, codebook=INT4, scale=0.64, vectorized=True, generations=400,
                                 mutation=mutation, progress=False).loss for mutation in ("flip", "step", "redraw")}
    assert losses["redraw"] == 0
    assert min(losses["flip"], losses["step"]) > 50


def test_a_short_genome_s_default_rate():
    # the Royal Road: 64 bits in blocks of 8, of which only whole ones count
    def royal_road(codes):
        bits = np.unpackbits(codes[..., None], axis=-1)[..., 4:].reshape(len(codes), 8, 8)
        return 64 - 8.0 * bits.all(axis=-1).sum(axis=-1)

    for seed in range(5):
        result = minimize(royal_road, 16, codebook=None, vectorized=True, generations=1000, target_loss=0, seed=seed,
                          progress=False)
        assert result.stopped == "target_loss"
    assert set(result.history["mutation_rate"]) == {1 / 64}
    rates = minimize(lambda w: w.sum(axis=1), 2368, vectorized=True, generations=100,
                     progress=False).history["mutation_rate"]
    assert rates[0] == MUTATION_RATE[0]
    assert rates[-1] == pytest.approx(MUTATION_RATE[1], rel=0.04)


def kept(**options):
    network = Network((64, 8, 10), objective="accuracy")
    return Classifier(network, genome.random_population(1, network.n_weights, 1)[0], np.arange(10), **options)


@pytest.mark.parametrize("classes", [
    np.arange(10), np.array(list("abcdefghij")), np.array(list("abcdefghij"), object), np.arange(10) / 3,
    np.array(["a", 1, 2.5, None, True, "f", "g", "h", "i", "j"], object), np.array(["2020-01-01"] * 10, "M8[D]"), None])
@pytest.mark.parametrize("name", ["kept", "kept.v1", "kept.npz"])
def test_what_is_saved_is_loaded(tmp_path, classes, name):
    x = digits()[2]
    names = [f"pixel {k}" for k in range(64)]
    saved = Classifier(kept().network, kept().genome, classes, 0.25, np.full(64, 3.0), features=names, label="digit",
                       target_offset=np.arange(10.0), target_scale=2.0)
    saved.save(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    loaded = Classifier.load(tmp_path / name)
    if classes is not None:
        assert loaded.classes.dtype == classes.dtype
        assert loaded.classes.tolist() == classes.tolist()
        assert [type(value) for value in loaded.classes.tolist()] == [type(value) for value in classes.tolist()]
    assert loaded.predict(x).tolist() == saved.predict(x).tolist()
    assert loaded.network.objective == "accuracy"
    assert (loaded.features, loaded.label) == (tuple(names), "digit")
    assert loaded.summary() == saved.summary()


def test_probabilities_scores_and_summary():
    x, y = digits()[2:]
    classifier = kept()
    shares = classifier.predict_proba(x)
    assert shares.shape == (360, 10)
    assert shares.sum(axis=1) == pytest.approx(np.ones(360), abs=1e-6)
    assert (shares.argmax(axis=1) == classifier.predict(x)).all()
    assert classifier.score(x, y) == classifier.network.accuracy(classifier.genome, x, y)
    assert classifier.predict(x[:0]).shape == (0,)
    assert classifier.summary().splitlines()[:2] == ["sizes       64-8-10", "activation  relu"]
    assert "weights     592 in 296 bytes" in classifier.summary()
    with pytest.raises(ValueError, match=r"y is \[360\], as the predictions; got \[7\]"):
        classifier.score(x, y[:7])
    with pytest.raises(ValueError, match="y holds none of the classes"):
        classifier.score(x, y.astype(str))
    values = Classifier(Network((1, 1)), np.zeros(1, np.uint8), target_offset=5.0, target_scale=0.5)  # 2 x + 5
    assert values.predict([[1.0], [2.0]]).tolist() == [7, 9]
    assert values.score([[1.0], [2.0]], [7, 9]) == 1
    assert values.score([[1.0], [2.0]], [9, 7]) == -3
    with pytest.raises(TypeError, match="has no probabilities"):
        values.predict_proba([[1.0]])


@pytest.mark.parametrize(("options", "error", "message"), [
    ({"genome": np.zeros(7, np.uint8)}, ValueError, r"genome is uint8\[296\]; got uint8\[7\]"),
    ({"classes": np.arange(9)}, ValueError, "classes has one for each of the 10 outputs"),
    ({"offset": np.zeros(3)}, ValueError, "offset is a number, or one for each of the 64"),
    ({"scale": [np.nan] * 64}, ValueError, "scale holds a NaN"),
    ({"target_scale": 0}, ValueError, "target_scale holds a NaN, an infinity, or 0"),
    ({"features": ["a"]}, ValueError, "features has a name for each of the 64 inputs; got 1"),
    ({"network": 3}, TypeError, "network is a Network; got int"),
])
def test_a_classifier_that_does_not_fit_together(options, error, message):
    usual = {"network": kept().network, "genome": kept().genome, "classes": np.arange(10)}
    with pytest.raises(error, match=message):
        Classifier(**usual | options)


@pytest.mark.parametrize(("x", "message"), [
    (np.ones(64), r"x is \[rows, 64\]; got \[64\]"), (np.ones((2, 65)), r"got \[2, 65\]"),
    ([[np.nan] * 64], "x holds a NaN or an infinity, first in row 0, column 0"),
    (np.ma.masked_equal(np.eye(64), 1), "masked array"), ([[1e300] * 64], "beyond float32 once it is scaled"),
])
def test_what_cannot_be_classified(x, message):
    for call in (kept().predict, kept().predict_proba, kept().prepare, lambda x: kept().score(x, [0])):
        with pytest.raises(ValueError, match=message):
            call(x)


def test_a_damaged_classifier(tmp_path):
    kept().save(tmp_path / "kept")
    with np.load(tmp_path / "kept") as saved:
        arrays = dict(saved)
    for name, value, message in (("sizes", [64, 9, 10], "genome is uint8"), ("levels", np.ones(3), "16 finite levels"),
                                 ("offset", np.array(["a"] * 64), "array of numbers"), ("activation", "x", "one of"),
                                 ("genome", None, "there is no genome"), ("sizes", 5, "sizes")):
        changed = {key: array for key, array in (arrays | {name: value}).items() if array is not None}
        np.savez(tmp_path / "damaged.npz", **changed)
        with pytest.raises(ValueError, match=f"is damaged: .*{message}"):
            Classifier.load(tmp_path / "damaged.npz")
    with pytest.raises(TypeError, match="are saved if they are text or numbers"):
        kept(scale=2.0).__class__(kept().network, kept().genome, np.array([object()] * 10)).save(tmp_path / "x")
    assert not (tmp_path / "x").exists()


STREAMS = """
import sys
from lanewise.evolution import minimize
sys.stderr = None if sys.argv[1] == "none" else sys.stderr
if sys.argv[1] == "closed":
    sys.stderr.close()
print(minimize(lambda w: float((w * w).sum()), 8, generations=2).stopped)
"""


@pytest.mark.parametrize("streams", ["none", "closed"])
def test_without_standard_error(run_python, streams):
    assert run_python(STREAMS, streams).stdout == "generations\n"


@pytest.mark.skipif(os.name != "posix", reason="pseudo-terminals")
def test_the_bar_is_drawn_on_standard_error(tmp_path):
    pytest.importorskip("rich")
    program = ("from lanewise.evolution import minimize\nprint('generation,loss')\n"
               "r = minimize(lambda w: float((w ** 2).sum()), 8, generations=30, callback=lambda s: print('x'))\n")
    watched, terminal = os.openpty()
    drawn = []

    def watch():
        with contextlib.suppress(OSError):  # the terminal's end
            while part := os.read(watched, 10_000):
                drawn.append(part)

    watcher = threading.Thread(target=watch)
    watcher.start()
    with open(tmp_path / "out", "w") as out:
        subprocess.run([sys.executable, "-c", program], stdout=out, stderr=terminal, check=True,
                       env={**os.environ, "TERM": "xterm"})
    os.close(terminal)
    watcher.join()
    os.close(watched)
    assert b"generation" in b"".join(drawn)
    assert (tmp_path / "out").read_text() == "generation,loss\n" + "x\n" * 30
