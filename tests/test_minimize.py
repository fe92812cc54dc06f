"""minimize: evolving codes and weights that are not a network's, by a fitness of one's own; and what it refuses."""

from fractions import Fraction

import numpy as np
import pytest
from lanewise import genome
from lanewise.evolution import MUTATION_RATE, FitnessError, minimize
from lanewise.evolution.workers import OwnFitness
from lanewise.genome import INT4


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


def test_a_fitness_of_the_wrong_shape():
    with pytest.raises(FitnessError, match=r"^the fitness gives one number per genome, \[10\]; got \[10, 4\] in"):
        minimize(lambda weights: weights, 4, vectorized=True, population=10, parents=2, progress=False)
    with pytest.raises(TypeError, match="fitness is a function of weights; got int"):
        minimize(3, 4)


@pytest.mark.parametrize(("given", "message"), [
    (None, r"got None for genome 0 in generation 1: has it no return\?"), ("1", "the fitness gives numbers; got <U1"),
    (1j, "got complex128"), (np.datetime64("2020"), r"got datetime64"), ([], r"one number per genome, \[10\]"),
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
    with pytest.raises(FitnessError, match="masked array with hidden elements"):
        minimize(lambda w: np.ma.masked_less(w, 10).sum(), 8, progress=False)


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
    ({"mutation_rate": lambda progress: "0.1"}, TypeError, r"mutation_rate\(0\) is a number from 0 to 1; got '0.1'"),
    ({"mutation_rate": lambda progress: 10**400}, TypeError, r"mutation_rate\(0\) is a number from 0 to 1; got 1000"),
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


@pytest.mark.parametrize("scale", [2**64, Fraction(1, 4), np.longdouble(0.25)])
def test_a_scale_of_any_kind_of_number(scale):
    found, expected = (minimize(lambda weights: float(weights.sum()), 4, scale=given, generations=2, progress=False)
                       for given in (scale, float(scale)))
    assert np.array_equal(found.genome, expected.genome)
    assert found.loss == expected.loss


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


@pytest.mark.parametrize("islands", [1, 2])
@pytest.mark.parametrize(("value", "shown"), [(1e39, np.inf), (-1.5e308, -np.inf), (1e-300, 0)])
def test_losses_beyond_float32_warn_nobody(tmp_path, value, shown, islands):
    # an error of a warning would end the run and lose its result
    with np.errstate(all="raise"):
        found = minimize(lambda w: value, 4, generations=2, population=4, islands=islands, progress=False,
                         checkpoint=tmp_path / "run.npz")
    assert found.loss == value
    assert found.history["loss"].tolist() == [shown] * 2


def test_a_restart_is_after_so_many_generations():
    different = []

    def fitness(weights):  # that never gets better
        different.append(len(np.unique(weights, axis=0)) > 1)
        return np.zeros(len(weights))

    minimize(fitness, 40, vectorized=True, population=6, parents=1, elite=1, mutation_rate=0.0, generations=12,
             restart_after=3, progress=False)
    # the first generation is the best; after three more, and then after each three, one is drawn at random
    assert np.flatnonzero(different).tolist() == [0, 4, 7, 10]


def test_a_fitness_is_as_before_within_a_thousandth():
    one = genome.random_population(1, 40, 1)[0]
    fitness = OwnFitness(np.sum, 40, INT4, 1.0, False)
    loss = float(genome.decode(one, INT4).sum())
    assert fitness.is_as_before(one, loss)
    assert fitness.is_as_before(one, 1.0001 * loss)
    assert not fitness.is_as_before(one, 1.01 * loss)
