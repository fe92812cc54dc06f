"""evolve: repeats bit for bit, keeps its elite, and stops when told."""

import contextlib
import os
import subprocess
import sys
import threading

import numpy as np
import pytest
from lanewise import genome
from lanewise.evolution import HISTORY, MUTATION_RATE, Network, evolve
from lanewise.evolution.network import Batch
from lanewise.evolution.workers import NetworkFitness
from small_runs import digits, small


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
    names = [name for name in HISTORY.names if name not in ("seconds", "accuracy", "held_out_loss")]
    assert (first.history[names] == again.history[names]).all()
    assert first.genome.tobytes() != other.genome.tobytes()
    assert first == first != again  # a result has the seconds that its run took
    assert len({first, again, other}) == 3


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


def test_same_bits_on_every_level_and_thread_count(run_python, first_level, level):
    expected = run_python(PROGRAM, 1, LANEWISE_LEVEL=first_level)
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
    assert result.history["seconds"][-1] >= 0.2
    assert (result.history["seconds"][:-1] < 0.2).all()


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
    between, states = x[:-1] + np.float32(0.01), []
    held_out = between, np.hstack([between, np.abs(between)])
    result = evolve(network, x, y, generations=300, held_out=held_out, callback=states.append, progress=False)
    assert result.loss == pytest.approx(((network.forward(result.genome, x) - y) ** 2).mean(), rel=1e-5)
    assert result.loss < 0.01
    history = result.history
    assert history["held_out_loss"][-1] == np.float32(network.loss(result.genome, *held_out))
    assert [np.float32(state.held_out_loss) for state in states] == history["held_out_loss"].tolist()
    assert np.isnan(history["accuracy"]).all()
    assert evolve(network, x, y, generations=300, progress=False).genome.tobytes() == result.genome.tobytes()
    values = network.batch(*held_out)
    with pytest.raises(ValueError, match="held_out has no classes, which accuracy is measured by"):
        evolve(Network((1, 2)), x, np.arange(100) % 2, generations=1, held_out=values, progress=False)
    with pytest.raises(ValueError, match="held_out has no values, which mse is measured by"):
        evolve(network, x, y, generations=1, held_out=network.batch(x), progress=False)


def test_what_is_recorded_of_classes_learned_as_values():
    x, y, x_held_out, y_held_out = digits()
    network = Network((64, 10), objective="mse")
    for by, both in ((network, True), (Network((64, 10)), False)):
        result = evolve(network, x, y, generations=3, held_out=by.batch(x_held_out, y_held_out), progress=False)
        assert result.history["accuracy"][-1] == np.float32(network.accuracy(result.genome, x_held_out, y_held_out))
        loss = np.float32(network.loss(result.genome, x_held_out, y_held_out)) if both else np.nan
        np.testing.assert_equal(result.history["held_out_loss"][-1], loss)


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
    ({"mutation_rate": np.ma.masked_all(1)}, TypeError, "mutation_rate is a masked array"),
    ({"mutation_rate": 1.5}, ValueError, "mutation_rate is between 0 and 1; got 1.5"),
    ({"mutation_rate": 10**400}, ValueError, "mutation_rate is between 0 and 1; got 1000"),
    ({"niche_radius": 10**400}, ValueError, "niche_radius is beyond float64; got 1000"),
    ({"seconds": 10**400}, ValueError, "seconds is beyond float64; got 1000"),
    ({"target_loss": -10**400}, ValueError, "target_loss is beyond float64; got -1000"),
    ({"mutation_rate": (0.1, 0.2, 0.3)}, ValueError, "a pair"),
    ({"tournament": 0}, ValueError, "tournament is at least 1; got 0"),
    ({"tournament": 2**40}, ValueError, "tournament is at most 16777215; got 1099511627776"),
    ({"mutation": "x"}, ValueError, "mutation is one of flip, gray, step, redraw; got 'x'"),
    ({"crossover": "x"}, ValueError, "crossover is None or one of uniform, .*; got 'x'"),
    ({"seed": "x"}, TypeError, "seed is an int"),
    ({"seed": -1}, ValueError, "seed is between 0 and"),
])
def test_errors(options, error, message):
    with pytest.raises(error, match=message):
        small(**options)


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
