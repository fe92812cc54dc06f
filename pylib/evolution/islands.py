"""Populations that evolve side by side: what stays the same in a run, and one generation as a pure function.

An island is kept as the genomes that breed its next generation, and a key: its population is remade from them. So an
epoch is a function of a few kilobytes and gives the same bits in this process or in any worker. Where epochs are run is
workers.py, and what to do between them runs.py.
"""

import hashlib
import math
import numbers
import operator
from dataclasses import dataclass, replace

import numpy as np

from ..genome.breeding import CROSSOVERS, MUTATIONS, diversity, hamming_distance, random_population
from ..genome.codes import Codebook
from ..kernels import breeding as _kernels
from .results import FitnessError

__all__ = ["ADAPTIVE", "RUNGS", "Island", "Plan", "after_an_epoch", "seed_of_island"]

#: The mutation rate that each genome inherits and varies: see `evolve`.
ADAPTIVE = "adaptive"
# The mutation rates that a genome can have. They are made of products, which every machine rounds alike; a logarithm or
# a power would not be.
_LADDER = np.cumprod(np.r_[0.25, np.full(95, 0.875)])
RUNGS = len(_LADDER)
_FIRST_RUNG = 31  # 0.4%
MOST_ISLANDS = 2**16  # each has its own population, in memory; a number mistyped is refused, not begun
MOST_DRAWS = 2**24 - 1  # of one key: further draws would repeat those made for another purpose
_STRIDE = 2  # rungs up or down that a child may differ from its mother

# the settings that a run and its continuation have in common, beside the rate; when to stop may differ
_SAME = ("n_weights", "population", "elite", "parents", "tournament", "mutation", "crossover", "seed", "islands",
         "migration", "restart_after", "batch_size", "niche_radius")

def _is_float64(number):
    try:
        float(number)
    except OverflowError:  # an int or a fraction
        return False
    return True


@dataclass(frozen=True)
class Plan:
    """What stays the same throughout a run, checked."""

    n_weights: int
    population: int
    elite: int
    parents: int
    tournament: int
    mutation: str
    crossover: str | None
    mutation_rate: object
    generations: int | None
    seconds: float | None
    target_loss: float | None
    seed: int
    islands: int
    migration: int
    codebook: Codebook
    patience: int | None
    restart_after: int | None
    batch_size: int | None
    niche_radius: float
    start: np.ndarray | None = None  # [some, bytes]: whom the first generation is made of and bred from

    def __post_init__(self):
        for name, low in (("population", 1), ("elite", 0), ("parents", 1), ("tournament", 1), ("islands", 1),
                          ("migration", 1), ("patience", 1), ("restart_after", 1), ("generations", 1)):
            if getattr(self, name) is None and name in ("patience", "restart_after", "generations"):
                continue
            try:
                value = operator.index(getattr(self, name))
            except TypeError:
                raise TypeError(f"{name} is an int; got {getattr(self, name)!r}") from None
            if name in ("elite", "parents") and not low <= value <= self.population:
                raise ValueError(f"{name} is between {low} and the population of {self.population}; got {value}")
            if value < low:
                raise ValueError(f"{name} is at least {low}; got {value}")
            most = {"tournament": MOST_DRAWS, "islands": MOST_ISLANDS}.get(name, value)
            if value > most:
                raise ValueError(f"{name} is at most {most}; got {value}")
        if not isinstance(self.mutation, str) or self.mutation not in MUTATIONS:
            raise ValueError(f"mutation is one of {', '.join(MUTATIONS)}; got {self.mutation!r}")
        if self.crossover is not None and not (isinstance(self.crossover, str) and self.crossover in CROSSOVERS):
            raise ValueError(f"crossover is None or one of {', '.join(CROSSOVERS)}; got {self.crossover!r}")
        for name in ("seconds", "target_loss", "niche_radius"):
            value = getattr(self, name)
            if not isinstance(value, numbers.Real) and (value is not None or name == "niche_radius"):
                raise TypeError(f"{name} is a number; got {value!r}")
            if value is not None and not _is_float64(value):
                raise ValueError(f"{name} is beyond float64; got {value!r:.60}")
        if self.seconds is not None and not self.seconds > 0:
            raise ValueError(f"seconds is positive; got {self.seconds!r}")
        if self.target_loss is not None and math.isnan(self.target_loss):
            raise ValueError("target_loss is a number, which a loss can reach; got nan")
        if not 0 <= self.niche_radius < np.inf:
            raise ValueError(f"niche_radius is at least 0; got {self.niche_radius!r}")
        if callable(self.mutation_rate) or self.adaptive:
            return
        if isinstance(self.mutation_rate, np.ma.MaskedArray):
            raise TypeError("mutation_rate is a masked array, whose mask would not be seen; expected a number or two")
        try:
            rates = [] if np.iscomplexobj(self.mutation_rate) else list(map(float, np.atleast_1d(self.mutation_rate)))
        except (TypeError, ValueError):
            rates = []
        except OverflowError:
            rates = [np.inf]
        if isinstance(self.mutation_rate, str) or not rates or np.shape(self.mutation_rate) not in ((), (2,)):
            raise ValueError("mutation_rate is a number, a pair (first, last), a function of the progress or "
                             f"{ADAPTIVE!r}; got {self.mutation_rate!r}")
        if not all(0 <= rate <= 1 for rate in rates):
            raise ValueError(f"mutation_rate is between 0 and 1; got {self.mutation_rate!r:.60}")

    @property
    def adaptive(self):
        """Whether each genome has a mutation rate of its own."""
        return isinstance(self.mutation_rate, str) and self.mutation_rate == ADAPTIVE

    def fingerprint(self):
        """What a run has to share with the one that it continues: for each setting a text, and its exact value."""
        settings = {name: str(getattr(self, name)) for name in _SAME}
        settings["niche_radius"] = str(float(self.niche_radius))
        settings = {name: (text, text) for name, text in settings.items()}
        if callable(self.mutation_rate):
            name = getattr(self.mutation_rate, "__qualname__", type(self.mutation_rate).__qualname__)
            rate = f"the function {name}", repr([self.rate(k / 32) for k in range(33)])
        elif self.adaptive:
            rate = ADAPTIVE, ADAPTIVE
        else:
            first, last = map(float, np.broadcast_to(self.mutation_rate, 2))
            rate = f"{first!r}" if first == last else f"{first!r}, {last!r}", repr((first, last))
        if self.start is not None:
            settings["start"] = f"{len(self.start)} genomes", hashlib.sha256(self.start).hexdigest()
        return settings | {"mutation_rate": rate}

    def progress(self, generation, seconds):
        """How far a run is, 0 to 1."""
        by_generations = generation / self.generations if self.generations else 0.0
        by_seconds = seconds / self.seconds if self.seconds else 0.0
        return min(1.0, max(by_generations, by_seconds))

    def rate(self, progress):
        """Share of bits to flip, or weights to change, at this progress; nothing where each genome has its own."""
        if callable(self.mutation_rate):
            rate = self.mutation_rate(progress)
            try:
                rate = float(None if isinstance(rate, str | bytes) else rate)  # which would read them
            except (TypeError, ValueError, OverflowError):
                raise TypeError(f"mutation_rate({progress:g}) is a number from 0 to 1; got {rate!r:.60}") from None
            if not 0 <= rate <= 1:
                raise ValueError(f"mutation_rate({progress:g}) is between 0 and 1; got {rate!r:.60}")
            return rate
        if self.adaptive:
            return 0.0
        first, last = np.broadcast_to(np.asarray(self.mutation_rate, np.float64), 2)
        if first == last or first == 0 or last == 0:
            return float(first + (last - first) * progress)
        return float(first * (last / first) ** progress)


def seed_of_island(seed, index):
    """Derive the key of an island from the run's seed, which the first island has itself."""
    if index == 0:
        return seed
    return int(np.random.SeedSequence(seed, spawn_key=(index,)).generate_state(1, np.uint64)[0])


@dataclass(frozen=True, eq=False)
class Island:
    """What the next generation is bred from, and the best genome so far.

    Attributes
    ----------
    seed, generation : int
        The key of all that is drawn; how many generations are done.
    parents : ndarray of uint8, shape (most, bytes)
        The best of the last generation by rank, as many as may breed or pass on. None: a fresh start, at random or
        from the genomes that the run was given.
    rungs : ndarray of uint8, shape (most,)
        Of each parent its own mutation rate, where it has one.
    rate : float
        The share of bits to flip, where all have the same.
    visitors : ndarray of uint8, shape (n, bytes)
        Genomes from elsewhere, which take the places of the last children.
    best, best_loss
        The best genome so far.
    improved, started : int
        The generations that found it, and that began afresh.
    """

    seed: int
    generation: int
    parents: np.ndarray
    rungs: np.ndarray
    rate: float
    visitors: np.ndarray
    best: np.ndarray
    best_loss: float
    improved: int
    started: int

    @classmethod
    def start(cls, plan, index):
        """Make island `index` before its first generation."""
        seed = seed_of_island(plan.seed, index)
        none = np.empty((0, (plan.n_weights + 1) // 2), np.uint8)
        best = random_population(1, plan.n_weights, seed)[0] if plan.start is None else plan.start[0]
        rate = 0.0 if plan.start is None else plan.rate(0.0)
        return cls(seed, 0, none, none[:, :1].reshape(-1), rate, none, best, np.inf, 0, 0)

    def visited_by(self, genome):
        """Take in a genome from elsewhere."""
        return replace(self, visitors=genome[None])

    def next_generation(self, plan):
        """Breed: the elite as they are, the rest children of two of the parents, mutated. With each its rung.

        Child i draws from the key (seed, generation, i): the same whoever computes it.
        """
        rungs = np.full(plan.population, _FIRST_RUNG, np.uint8)
        parents, theirs, kept, may_breed = self.parents, self.rungs, plan.elite, plan.parents
        if len(parents) == 0 and plan.start is not None:  # nobody has ranked them: all pass on, and all may breed
            parents, kept, may_breed = plan.start, len(plan.start), len(plan.start)
            theirs = rungs[:kept]
        if len(parents) == 0:
            population = random_population(plan.population, plan.n_weights, self.seed, generation=self.generation)
        else:
            population = np.empty((plan.population, parents.shape[1]), np.uint8)
            population[:kept] = parents[:kept]
            rungs[:kept] = theirs[:kept]
            if plan.population > kept:
                self._breed(plan, parents, theirs, may_breed, population[kept:], rungs[kept:])
        if len(self.visitors):
            population[-len(self.visitors):] = self.visitors
        return population, rungs

    def _breed(self, plan, parents, theirs, may_breed, children, rungs):
        key = self.seed, self.generation
        mothers, fathers = np.empty((2, len(children)), np.intp)
        _kernels.choose_parents(np.arange(len(parents)), may_breed, plan.tournament, mothers, fathers, *key)
        _kernels.crossover(parents, mothers, parents, fathers if plan.crossover else mothers, children, None,
                           plan.n_weights, *CROSSOVERS[plan.crossover or "uniform"], *key)
        rates = np.array([self.rate])
        if plan.adaptive:
            dice = np.random.Philox(key=np.array(key, np.uint64)).random_raw(len(children)) % (2 * _STRIDE + 1)
            lowest = np.searchsorted(-_LADDER, -0.5 / max(4 * plan.n_weights, 2))  # half a flip in a child
            rungs[:] = np.clip(theirs[mothers] + dice.astype(int) - _STRIDE, 1, min(lowest, len(_LADDER) - 1))
            rates = _LADDER[rungs]
        _kernels.mutate(children, children, plan.n_weights, rates, MUTATIONS.index(plan.mutation),
                        plan.codebook.tables, *key)


def _ranked(population, losses, most, radius):
    # the first by rank, but before all others those that are the best within the radius of themselves
    ranked = np.argsort(np.where(losses == -np.inf, np.inf, losses), kind="stable")  # NaN comes last
    if not radius:
        return ranked[:most]
    best, left = [], ranked[np.isfinite(losses[ranked])]
    while left.size and len(best) < most:
        best.append(left[0])
        left = left[hamming_distance(population[left], population[left[0]]) >= radius]
    return np.r_[np.array(best, np.intp), ranked[~np.isin(ranked, best)]][:most]


def after_a_generation(plan, island, fitness, progress):
    """Breed an island's next generation and rank it: the island then, and its row of the history."""
    population, rungs = island.next_generation(plan)
    try:
        losses = np.asarray(fitness.of_generation(population, island.seed, island.generation))
    except FitnessError:
        raise
    except Exception as error:
        raise FitnessError(f"the fitness raised {type(error).__name__}: {error}") from error
    generation, rate = island.generation + 1, plan.rate(progress)
    apart = diversity(population) if plan.population > 1 else 0.0
    ranked = _ranked(population, losses, max(plan.parents, plan.elite), plan.niche_radius * apart)
    parents, first_loss = population[ranked], fitness.of_first(population[ranked[0]], losses[ranked[0]])
    improved = bool(first_loss < island.best_loss and np.isfinite(first_loss))
    best, best_loss = (parents[0], float(first_loss)) if improved else (island.best, island.best_loss)
    since = generation if improved else island.improved
    finite = losses[np.isfinite(losses)]
    with np.errstate(all="ignore"):  # the sum of losses may be beyond float64
        mean_loss = finite.mean() if finite.size else np.nan
    row = (generation, 0.0, best_loss, mean_loss, losses.size - finite.size,
           _LADDER[rungs].mean() if plan.adaptive else rate, apart / max(8 * population.shape[1], 1), np.nan)
    started = island.started
    if plan.restart_after is not None and generation - max(since, started) >= plan.restart_after:
        parents, started = parents[:0], generation
    return Island(island.seed, generation, parents, rungs[ranked], rate, population[:0], best, best_loss, since,
                  started), row


def after_an_epoch(plan, island, fitness, generations, seconds):
    """Let an island alone for some generations."""
    rows = []
    for _ in range(generations):
        island, row = after_a_generation(plan, island, fitness, plan.progress(island.generation, seconds))
        rows.append(row)
    return island, rows
