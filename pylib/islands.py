"""Populations that evolve side by side: one generation as a pure function, epochs of them, and where they are run.

An epoch is computed from an island's state alone, so it gives the same bits in this process or in any worker, and one
that is lost with its worker can be computed again. What to do between epochs is evolution.py.
"""

import hashlib
import operator
import os
import pickle
from dataclasses import dataclass, replace

import numpy as np

from .breeding import _CROSSOVERS, _MUTATIONS, diversity, random_population
from .codes import Codebook, decode, unpack
from .kernels import breeding as _kernels
from .kernels import machine

__all__ = ["HISTORY", "FitnessError", "Island", "Plan"]

#: What is kept of each generation. `loss` is the best so far, `mean_loss` that of the finite losses, `not_finite` how
#: many are NaN or infinite, `diversity` the share of bits in which two genomes differ, and `accuracy` the best genome's
#: on the held-out data, NaN where there is none.
HISTORY = np.dtype([
    ("generation", np.int64), ("seconds", np.float64), ("loss", np.float32), ("mean_loss", np.float32),
    ("not_finite", np.int32), ("mutation_rate", np.float64), ("diversity", np.float32), ("accuracy", np.float32)])


class FitnessError(RuntimeError):
    """A fitness that raised. `result` holds the run up to then, and the cause is what was raised."""

    result = None


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

    def __post_init__(self):
        for name, low in (("population", 1), ("elite", 0), ("parents", 1), ("tournament", 1), ("islands", 1),
                          ("migration", 1)):
            try:
                value = operator.index(getattr(self, name))
            except TypeError:
                raise TypeError(f"{name} is an int; got {getattr(self, name)!r}") from None
            if name in ("elite", "parents") and not low <= value <= self.population:
                raise ValueError(f"{name} is between {low} and the population of {self.population}; got {value}")
            if value < low:
                raise ValueError(f"{name} is at least {low}; got {value}")
        if self.mutation not in _MUTATIONS:
            raise ValueError(f"mutation is one of {', '.join(_MUTATIONS)}; got {self.mutation!r}")
        if self.crossover is not None and self.crossover not in _CROSSOVERS:
            raise ValueError(f"crossover is None or one of {', '.join(_CROSSOVERS)}; got {self.crossover!r}")
        if self.generations is not None and operator.index(self.generations) < 1:
            raise ValueError(f"generations is at least 1; got {self.generations}")
        if self.seconds is not None and not self.seconds > 0:
            raise ValueError(f"seconds is positive; got {self.seconds!r}")
        if callable(self.mutation_rate):
            return
        if np.shape(self.mutation_rate) not in ((), (2,)):
            raise ValueError("mutation_rate is a number, a pair (first, last) or a function of the progress; "
                             f"got {self.mutation_rate!r}")
        if not all(0 <= rate <= 1 for rate in np.atleast_1d(self.mutation_rate)):
            raise ValueError(f"mutation_rate is between 0 and 1; got {self.mutation_rate!r}")

    def progress(self, generation, seconds):
        """How far a run is, 0 to 1."""
        by_generations = generation / self.generations if self.generations else 0.0
        by_seconds = seconds / self.seconds if self.seconds else 0.0
        return min(1.0, max(by_generations, by_seconds))

    def rate(self, progress):
        """Share of bits to flip at this progress."""
        if callable(self.mutation_rate):
            return float(self.mutation_rate(progress))
        first, last = np.broadcast_to(self.mutation_rate, 2)
        if first == last or first == 0 or last == 0:
            return float(first + (last - first) * progress)
        return float(first * (last / first) ** progress)


@dataclass(frozen=True)
class Island:
    """A population about to be evaluated, the one evaluated last, and the best genome so far."""

    seed: int
    generation: int
    population: np.ndarray
    evaluated: np.ndarray
    best: np.ndarray
    best_loss: float

    @classmethod
    def start(cls, plan, index):
        """Make the first population of island `index`: the first island has the run's own seed."""
        seed = plan.seed
        if index:
            seed = int(np.random.SeedSequence(seed, spawn_key=(index,)).generate_state(1, np.uint64)[0])
        population = random_population(plan.population, plan.n_weights, seed)
        return cls(seed, 0, population, population, population[0], np.inf)

    def visited_by(self, genome):
        """Take in a genome from elsewhere, in the place of the last child."""
        population = self.population.copy()
        population[-1] = genome
        return replace(self, population=population)


@dataclass(frozen=True)
class NetworkFitness:
    """Each genome's loss as weights of a network on a batch."""

    network: object
    batch: object

    def __call__(self, population):
        return self.network.loss(population, self.batch)


@dataclass(frozen=True)
class OwnFitness:
    """Each genome's loss by a function of the user's own."""

    fitness: object
    n_weights: int
    codebook: object
    scale: float
    vectorized: bool

    def __call__(self, population):
        if self.codebook is None:
            weights = unpack(population, self.n_weights)
        else:
            weights = decode(population, self.codebook, self.scale, n_weights=self.n_weights)
        losses = self.fitness(weights) if self.vectorized else [self.fitness(row) for row in weights]
        losses = np.asarray(losses, dtype=np.float64)
        if losses.shape != (len(population),):
            raise ValueError(f"fitness gives one number a genome, [{len(population)}]; got {list(losses.shape)}")
        return losses


def bred(population, ranked, rate, generation, seed, plan):
    """Breed the next generation: the elite as they are, the rest children of two of the best, mutated.

    Child i draws from the key (seed, generation, i): the same whoever computes it.
    """
    children = np.empty_like(population)
    children[:plan.elite] = population[ranked[:plan.elite]]
    n = plan.population - plan.elite
    if n:
        mothers, fathers = np.empty((2, n), np.intp)
        young = children[plan.elite:]
        _kernels.choose_parents(ranked, plan.parents, plan.tournament, mothers, fathers, seed, generation)
        _kernels.crossover(population, mothers, population, fathers if plan.crossover else mothers, young, None,
                           plan.n_weights, *_CROSSOVERS[plan.crossover or "uniform"], seed, generation)
        _kernels.mutate(young, young, plan.n_weights, np.array([rate]), _MUTATIONS.index(plan.mutation),
                        plan.codebook._tables, seed, generation)
    return children


def after_a_generation(plan, island, fitness, progress):
    """Evaluate an island's population and breed the next: the island then, and its row of the history."""
    try:
        losses = np.asarray(fitness(island.population))
    except Exception as error:
        raise FitnessError(f"the fitness raised {type(error).__name__}: {error}") from error
    ranked = np.argsort(losses, kind="stable")  # NaN comes last
    best, best_loss = island.best, island.best_loss
    if losses[ranked[0]] < best_loss:
        best, best_loss = island.population[ranked[0]].copy(), float(losses[ranked[0]])
    finite = losses[np.isfinite(losses)]
    rate = plan.rate(progress)
    generation = island.generation + 1
    apart = diversity(island.population) / max(8 * island.population.shape[1], 1) if plan.population > 1 else 0.0
    row = (generation, 0.0, best_loss, finite.mean() if finite.size else np.nan, losses.size - finite.size, rate, apart,
           np.nan)
    population = bred(island.population, ranked, rate, generation, island.seed, plan)
    return Island(island.seed, generation, population, island.population, best, best_loss), row


def after_an_epoch(plan, island, fitness, generations, seconds):
    """Let an island alone for some generations."""
    rows = []
    for _ in range(generations):
        island, row = after_a_generation(plan, island, fitness, plan.progress(island.generation, seconds))
        rows.append(row)
    return island, rows


_known = {}  # in a worker: the fitness functions it has been sent, by their digests


def _in_worker(owner, digest, pickled, *arguments):
    if os.getpid() != owner:
        machine.set_num_threads(1)  # workers are as many as the cores: each has one
    if digest not in _known:
        if pickled is None:
            return None
        _known.clear()
        _known[digest] = pickle.loads(pickled)
    plan, island, *rest = arguments
    return after_an_epoch(plan, island, _known[digest], *rest)


class Workers:
    """Runs epochs of all islands, here or by an executor.

    The fitness, which holds the data, travels once to each worker; then only packed genomes do.
    """

    def __init__(self, plan, fitness, executor):
        self.plan, self.fitness, self.executor = plan, fitness, executor
        if executor is not None:
            self.pickled = pickle.dumps(fitness)
            self.digest = hashlib.sha256(self.pickled).hexdigest()

    def epoch(self, islands, generations, seconds):
        """Return each island after the epoch, with its rows."""
        if self.executor is None:
            return [after_an_epoch(self.plan, island, self.fitness, generations, seconds) for island in islands]
        tasks = [(self.plan, island, generations, seconds) for island in islands]
        futures = [self.executor.submit(_in_worker, os.getpid(), self.digest, None, *task) for task in tasks]
        answers = [future.result() for future in futures]
        # None is the answer of a worker that has not been sent the fitness yet
        again = {i: self.executor.submit(_in_worker, os.getpid(), self.digest, self.pickled, *tasks[i])
                 for i, answer in enumerate(answers) if answer is None}
        return [again[i].result() if i in again else answer for i, answer in enumerate(answers)]
