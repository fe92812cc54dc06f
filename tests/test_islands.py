# Islands, executors and checkpoints: the same bits wherever a generation is computed, also after a break.
import concurrent.futures
from types import SimpleNamespace

import numpy as np
import pytest
from lanewise import genome
from lanewise.checkpoint import CheckpointError
from lanewise.evolution import MUTATION_RATE, FitnessError, Network, evolve, minimize
from lanewise.islands import Island, _ranked

X = np.random.default_rng(1).uniform(0, 1, (200, 9)).astype(np.float32)
Y = X[:, :3].argmax(axis=1)


def run(**options):
    return evolve(Network((9, 5, 3)), X, Y, progress=False,
                  **{"population": 20, "parents": 5, "generations": 24, "migration": 5, "seed": 7} | options)


def same(a, b):
    names = [name for name in a.history.dtype.names if name not in ("seconds", "accuracy")]
    return (a.genome.tobytes() == b.genome.tobytes() and a.population.tobytes() == b.population.tobytes()
            and a.loss == b.loss and (a.history[names] == b.history[names]).all())


def test_one_island_is_the_plain_run():
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        assert same(run(executor=pool), run())


def test_islands_differ_and_the_best_migrates():
    network, result = Network((9, 5, 3)), run(islands=3, generations=5)
    islands = result.population.reshape(3, 20, -1)
    assert (islands[0] != islands[1]).any()
    plan_seeds = [Island.start(SimpleNamespace(seed=7, n_weights=60), index).seed for index in range(3)]
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
    with pytest.raises(CheckpointError, match="not a lanewise checkpoint 4; it holds x"):
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
