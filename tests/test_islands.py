# Islands, executors and checkpoints: the same bits wherever a generation is computed, also after a break.
import concurrent.futures
from types import SimpleNamespace

import numpy as np
import pytest
from lanewise import genome
from lanewise.evolution import MUTATION_RATE, FitnessError, Network, checkpoint, evolve, minimize
from lanewise.evolution.checkpoint import CheckpointError
from lanewise.evolution.islands import RUNGS, Island, _ranked
from small_runs import X, Y, run, same


def test_one_island_is_the_plain_run():
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        assert same(run(executor=pool), run())


def test_islands_differ_and_the_best_migrates():
    network, result = Network((9, 5, 3)), run(islands=3, generations=5)
    islands = result.population.reshape(3, 20, -1)
    assert (islands[0] != islands[1]).any()
    plan_seeds = [Island.start(SimpleNamespace(seed=7, n_weights=60, start=None), index).seed for index in range(3)]
    assert plan_seeds[0] == 7
    assert len(set(plan_seeds)) == 3
    # after the fifth generation each one's best stands last in the next one's population
    losses = network.loss(islands, X, Y)
    assert losses[:, -1].min() == np.float32(result.loss)
    assert any((islands[(k + 1) % 3, -1] == islands[k, 0]).all() for k in range(3))


@pytest.mark.parametrize("niche_radius", [0, 0.5])
@pytest.mark.parametrize("islands", [1, 3])
def test_a_run_continues_to_the_same_bits(tmp_path, islands, niche_radius):
    def interrupt(state):
        if state.generation >= 10:
            raise KeyboardInterrupt

    kept = tmp_path / "run.npz"
    options = {"islands": islands, "niche_radius": niche_radius}
    broken = run(**options, callback=interrupt, checkpoint=kept)
    assert broken.stopped == "interrupted"
    assert len(broken.history) == 10
    continued = run(**options, resume=kept, checkpoint=kept)
    assert same(continued, run(**options))
    assert (continued.history["seconds"][:10] == broken.history["seconds"]).all()
    assert same(run(**options, resume=kept), continued)  # nothing is left to do
    assert list(tmp_path.iterdir()) == [kept]


def test_a_bad_checkpoint(tmp_path):
    kept = tmp_path / "run.npz"
    run(checkpoint=kept)
    with pytest.raises(CheckpointError, match="is of a run with seed = 7; this one has 8"):
        run(resume=kept, seed=8)
    with pytest.raises(CheckpointError, match=r"with niche_radius = 0\.0; this one has 0\.5"):
        run(resume=kept, niche_radius=0.5)
    with pytest.raises(CheckpointError, match="with n_weights = 60"):
        evolve(Network((9, 3)), X, Y, population=20, parents=5, seed=7, resume=kept, progress=False)
    with np.load(kept) as saved:
        arrays = dict(saved)
    arrays["parents_0"][0, 0] ^= 1
    np.savez(tmp_path / "changed.npz", **arrays)
    with pytest.raises(CheckpointError, match="does not match its checksum"):
        run(resume=tmp_path / "changed.npz")
    np.savez(tmp_path / "other.npz", x=X)
    with pytest.raises(CheckpointError, match="not a lanewise checkpoint 5; it holds x"):
        run(resume=tmp_path / "other.npz")
    (tmp_path / "cut.npz").write_bytes(kept.read_bytes()[:1000])
    with pytest.raises(CheckpointError, match="not a readable checkpoint"):
        run(resume=tmp_path / "cut.npz")
    with pytest.raises(FileNotFoundError):
        run(resume=tmp_path / "none.npz")


def test_a_fitness_that_raises_keeps_the_best(tmp_path):
    calls = []

    def fitness(weights):
        calls.append(1)
        if len(calls) > 95:
            raise ZeroDivisionError("out of luck")
        return float((weights**2).sum())

    with pytest.raises(FitnessError, match="the fitness raised ZeroDivisionError: out of luck") as raised:
        minimize(fitness, 30, population=10, parents=3, generations=20, progress=False, checkpoint=tmp_path / "run.npz")
    result = raised.value.result
    assert result.stopped == "error"
    assert len(result.history) == 9
    assert result.loss == pytest.approx((genome.decode(result.genome) ** 2).sum())
    assert isinstance(raised.value.__cause__, ZeroDivisionError)
    assert (tmp_path / "run.npz").exists()


def test_losses_that_are_not_finite_are_counted():
    def fitness(weights):
        return [np.nan, np.inf, 1.0][int(weights[0] > 0) + int(weights[1] > 0)] + float(np.abs(weights).sum())

    result = minimize(fitness, 20, population=30, parents=3, generations=10, progress=False)
    assert result.history["not_finite"][0] > 5
    assert np.isfinite(result.history["mean_loss"]).all()
    assert (genome.decode(result.genome)[:2] > 0).all()


def test_selection_and_operators_of_other_kinds():
    results = {}
    for options in ({}, {"tournament": 2, "parents": 20}, {"mutation": "step", "mutation_rate": 0.02},
                    {"mutation": "gray"}, {"crossover": None}, {"crossover": "two_point"}):
        result = run(generations=60, **options)
        assert result.loss < result.history["loss"][0]
        results[result.genome.tobytes()] = options
    assert len(results) == 6


def test_diversity_falls():
    history = run(generations=60).history
    assert history["diversity"][0] == pytest.approx(0.5, abs=0.02)
    assert history["diversity"][-1] < 0.2


def test_clearing():
    # genomes on a line: bits 0 to n set. Nearer than 10 to 20 are 25 and 12, to 60 is 64, and nothing to 0 and 40
    lengths = np.array([25, 20, 60, 12, 64, 0, 40])
    population = np.packbits(np.arange(80) < lengths[:, None], axis=1)
    losses = np.array([3, 1, 2, 4, 5, np.inf, 6], np.float32)
    assert lengths[_ranked(population, losses, 7, 0)].tolist() == [20, 60, 25, 12, 64, 40, 0]
    assert lengths[_ranked(population, losses, 7, 10)].tolist() == [20, 60, 40, 25, 12, 64, 0]
    assert lengths[_ranked(population, losses, 2, 10)].tolist() == [20, 60]
    assert lengths[_ranked(population, losses, 7, 8)].tolist() == [20, 60, 12, 40, 25, 64, 0]  # 8 away is not nearer
    losses[1] = np.nan
    assert lengths[_ranked(population, losses, 7, 10)].tolist() == [60, 25, 12, 40, 64, 0, 20]


def test_clearing_preserves_diversity():
    # traps: a code costs nothing if all its bits are set, and otherwise the less the fewer are
    bits = np.bitwise_count(np.arange(16, dtype=np.uint8))
    cost = np.where(bits == 4, 0, 1 + bits)

    def traps(radius):
        return [minimize(lambda codes: cost[codes].sum(axis=1), 20, codebook=None, vectorized=True, generations=300,
                         seed=seed, niche_radius=radius, mutation_rate=MUTATION_RATE, progress=False)
                for seed in range(6)]

    plain, cleared = traps(0), traps(0.7)
    assert all(result.history["diversity"][50] < 0.02 for result in plain)
    assert all(result.history["diversity"][50] > 0.2 for result in cleared)
    assert sum(result.loss for result in cleared) < 0.8 * sum(result.loss for result in plain)


class Other:
    rate = staticmethod(lambda progress: 0.01)


@pytest.mark.parametrize(("network", "options", "message"), [
    (Network((9, 5, 3), codebook=genome.NF4), {}, "with codebook = LOG4; this one has NF4"),
    (Network((9, 5, 3), codebook=genome.Codebook(genome.NF4.levels, "LOG4")), {}, "with other codebook: LOG4 too"),
    (Network((9, 5, 3), "tanh"), {}, "with activation = relu; this one has tanh"),
    (Network((9, 5, 3), objective="accuracy"), {}, "with objective = cross_entropy; this one has accuracy"),
    (Network((9, 5, 3), objective="mse"), {}, "with objective = cross_entropy; this one has mse"),
    (Network((9, 4, 6)), {}, "with sizes = 9-5-3; this one has 9-4-6"),
    (None, {"mutation_rate": 0.5}, r"with mutation_rate = 0\.0041\d+; this one has 0.5"),
    (None, {"mutation_rate": "adaptive"}, "this one has adaptive"),
    (None, {"mutation_rate": Other.rate}, "this one has the function .*lambda"),
    (None, {"mutation": "gray"}, "with mutation = flip; this one has gray"),
    (None, {"parents": 6}, "with parents = 5; this one has 6"),
    (None, {"elite": 3}, "with elite = 2; this one has 3"),
    (None, {"tournament": 2}, "with tournament = 1; this one has 2"),
    (None, {"crossover": None}, "with crossover = uniform; this one has None"),
    (None, {"migration": 6}, "with migration = 5; this one has 6"),
    (None, {"batch_size": 64}, "with batch_size = 256; this one has 64"),
    (None, {"restart_after": 5}, "with restart_after = None; this one has 5"),
    (None, {"held_out": (X, Y)}, "with held_out = none; this one has 200 rows"),
    (None, {"x": X[::-1], "y": Y[::-1]}, "with other data: 200 rows of 9 features too, but other values"),
    (None, {"y": (Y + 1) % 3}, "with other data"),
    (None, {"x": 5 * X}, "with other data"),
    (None, {"x": X[:100], "y": Y[:100]}, "with data = 200 rows of 9 features; this one has 100 rows"),
])
def test_another_run_is_not_resumed(tmp_path, network, options, message):
    kept = tmp_path / "run.npz"
    run(checkpoint=kept, generations=5)
    options = {"x": X, "y": Y, "population": 20, "parents": 5, "migration": 5, "seed": 7, "generations": 10,
               "progress": False, "resume": kept} | options
    with pytest.raises(CheckpointError, match=message):
        evolve(network or Network((9, 5, 3)), **options)


def test_when_to_stop_may_be_another(tmp_path):
    kept = tmp_path / "run.npz"
    first = run(checkpoint=kept, generations=5, mutation_rate=0.01)
    longer = run(resume=kept, generations=12, mutation_rate=(0.01, 0.01), patience=100)
    assert same(longer, run(generations=12, mutation_rate=0.01))
    assert (first.resumed, longer.resumed) == (0, 5)
    again = run(resume=kept, generations=5, mutation_rate=0.01)
    assert again.resumed == len(again.history) == 5  # it was finished
    assert again.stopped == "generations"
    for options, stopped in (({"target_loss": 5.0}, "target_loss"), ({"seconds": 1e-9}, "seconds")):
        again = run(resume=kept, generations=50, mutation_rate=0.01, callback=lambda state: 1 / 0, **options)
        assert (again.stopped, len(again.history)) == (stopped, 5)


def test_another_fitness_is_not_resumed(tmp_path):
    kept, options = tmp_path / "run.npz", {"population": 10, "progress": False, "n_weights": 20}

    def squares(weights):
        return float((weights**2).sum())

    minimize(squares, checkpoint=kept, generations=5, **options)
    with pytest.raises(CheckpointError, match="is of a run with another fitness"):
        minimize(lambda weights: float(np.abs(weights).sum()), resume=kept, generations=10, **options)
    for change, message in (({"codebook": genome.INT4}, "with codebook = LOG4; this one has INT4"),
                            ({"scale": 0.5}, "with scale = 1.0; this one has 0.5"),
                            ({"codebook": None}, "with codebook = LOG4; this one has none")):
        with pytest.raises(CheckpointError, match=message):
            minimize(squares, resume=kept, generations=10, **options | change)
    network = Network((5, 4))
    with pytest.raises(CheckpointError, match="with fitness = a function; this one has a network's loss"):
        evolve(network, X[:, :5], Y, resume=kept, batch_size=None, population=10, progress=False, generations=10)
    rng = np.random.default_rng(1)  # another number each time: nothing can be told
    minimize(lambda weights: rng.uniform(), checkpoint=kept, generations=5, **options)
    assert len(minimize(lambda weights: rng.uniform(), resume=kept, generations=6, **options).history) == 6


def crafted(path, **changes):
    # a checkpoint whose checksum is right
    with np.load(path) as saved:
        arrays = dict(saved)
    for name in ("format", "checksum"):
        arrays.pop(name)
    for name, change in changes.items():
        arrays[name] = change(arrays[name])
        if arrays[name] is None:
            arrays.pop(name)
    with open(path, "wb") as file:
        np.savez(file, format=checkpoint._FORMAT, checksum=checkpoint._digest(arrays), **arrays)


def one_more(array):
    return np.concatenate([array, array[:1]])


@pytest.mark.parametrize(("name", "change"), [
    ("parents_0", lambda a: a[:1]), ("parents_1", one_more), ("parents_0", lambda a: a[:, :3]),
    ("parents_0", lambda a: a.astype(np.int64)), ("parents_0", lambda a: a[0]), ("parents_0", lambda a: a[:0]),
    ("parents_0", lambda a: a | 0xF0), ("rungs_0", lambda a: a[:1]), ("rungs_0", lambda a: a + np.uint8(200)),
    ("rungs_0", lambda a: np.full_like(a, RUNGS)),
    ("best_0", lambda a: a[:3]), ("best_0", lambda a: a.astype("U3")), ("best_0", lambda a: a | 0xF0),
    ("visitors_0", lambda a: np.concatenate([a] * 40)), ("visitors_0", lambda a: a[:, :1]),
    ("generation_0", lambda a: a + 1), ("generation_1", lambda a: a * -1), ("generation_0", lambda a: a.astype(float)),
    ("seed_0", lambda a: a + np.uint64(1)), ("seed_1", lambda a: a.astype(np.int64)), ("rate_0", lambda a: a + 7),
    ("rate_0", lambda a: a * np.nan), ("best_loss_0", lambda a: a * np.nan), ("best_loss_1", lambda a: a - np.inf),
    ("improved_0", lambda a: a + 1000), ("started_0", lambda a: a - 5), ("started_0", lambda a: a + 2**40),
    ("history", lambda a: a[:-1]), ("history", lambda a: a["loss"]), ("history", lambda a: a[::-1]),
    ("history", lambda a: a[:0]), ("fingerprint", lambda a: np.array("{")), ("fingerprint", lambda a: np.array("[1]")),
    ("fingerprint", lambda a: np.array('{"seed": 3}')), ("fingerprint", lambda a: np.zeros(3)),
    ("fingerprint", lambda a: np.array('{"seed": [3]}')), ("fingerprint", lambda a: np.array('{"seed": "ab"}')),
    *((name, lambda a: None) for name in ("parents_0", "rungs_1", "history", "seed_0", "fingerprint", "rate_1")),
])
def test_a_checkpoint_that_does_not_fit_together(tmp_path, name, change):
    kept, network = tmp_path / "run.npz", Network((9, 3, 2))  # 33 weights, a spare nibble
    options = {"population": 20, "parents": 5, "islands": 2, "migration": 5, "seed": 7, "progress": False}
    evolve(network, X, Y % 2, checkpoint=kept, generations=5, **options)
    crafted(kept)
    assert len(evolve(network, X, Y % 2, resume=kept, generations=10, **options).history) == 10
    crafted(kept, **{name: change})
    with pytest.raises(CheckpointError, match=rf"(does not fit together|is damaged).*({name}|generation_0 is not)"):
        evolve(network, X, Y % 2, resume=kept, generations=10, **options)


@pytest.mark.parametrize("content", [b"", b"x,y\n1,2\n", b"\x93NUMPY\x01\x00", b"PK\x03\x04"])
def test_a_file_that_is_no_checkpoint(tmp_path, content):
    (tmp_path / "run").write_bytes(content)
    with pytest.raises(CheckpointError, match="is not a readable checkpoint"):
        run(resume=tmp_path / "run")


@pytest.mark.parametrize("name", ["", "none/run.npz", "."])
def test_a_checkpoint_that_cannot_be_written_is_told_at_once(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OSError, match="cannot write"):
        run(checkpoint=name, callback=lambda state: 1 / 0)
    assert list(tmp_path.iterdir()) == []


def test_a_checkpoint_that_fails_later_leaves_the_run_and_the_former_file(tmp_path, monkeypatch):
    kept = tmp_path / "run.npz"
    run(checkpoint=kept, generations=5)
    before = kept.read_bytes()

    def full(number):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left") as raised:
        run(checkpoint=kept, generations=5, seed=8)
    assert raised.value.result.stopped == "generations"
    assert len(raised.value.result.history) == 5
    assert kept.read_bytes() == before
    assert list(tmp_path.iterdir()) == [kept]
