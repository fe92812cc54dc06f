# Evolution: repeats bit for bit, keeps its elite, stops when told, and minimises functions that are not networks.
import numpy as np
import pytest
from lanewise import data, genome
from lanewise.classifier import Classifier
from lanewise.evolution import HISTORY, MUTATION_RATE, FitnessError, Network, evolve, minimize
from lanewise.genome import INT4
from lanewise.workers import NetworkFitness


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
    with pytest.raises(ValueError, match="is not a lanewise classifier 1; it holds x, y"):
        Classifier.load(tmp_path / "other.npz")
    (tmp_path / "broken.npz").write_bytes((tmp_path / "kept.npz").read_bytes()[:500])
    with pytest.raises(ValueError, match=r"not a readable \.npz"):
        Classifier.load(tmp_path / "broken.npz")
