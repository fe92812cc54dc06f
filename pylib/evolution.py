"""Evolving packed 4-bit genomes without a gradient: `evolve` for networks, `minimize` for a fitness of one's own.

What is bred, and from whom, is decided here; the genomes' operators are genome.py and the networks network.py.
"""

import operator
import time
from dataclasses import dataclass, field

import numpy as np

from . import genome as _genome
from .codes import LOG4, seed_of, whole
from .kernels import breeding as _kernels
from .network import Batch, Network

__all__ = ["GENERATIONS", "HISTORY", "MUTATION_RATE", "EvolutionResult", "Network", "State", "evolve", "minimize"]

#: How many generations run if nothing else says when to stop.
GENERATIONS = 2000
#: The share of bits flipped in the first generation and in the last; geometric in between (docs/evolution.md).
MUTATION_RATE = (0.004, 0.0002)
#: What is kept of each generation. `accuracy` is the best genome's on the held-out data, NaN where there is none.
HISTORY = np.dtype([("generation", np.int64), ("seconds", np.float64), ("loss", np.float32), ("mean_loss", np.float32),
                    ("mutation_rate", np.float64), ("accuracy", np.float32)])


@dataclass(frozen=True)
class State:
    """What a callback is shown after each generation.

    Attributes
    ----------
    generation : int
        How many generations are done.
    progress : float
        How far the run is, 0 to 1, by generations or by seconds, whichever is further.
    seconds, loss, mean_loss, mutation_rate, accuracy : float
        As in the history.
    genome : ndarray of uint8
        The best so far.

    """

    generation: int
    progress: float
    seconds: float
    loss: float
    mean_loss: float
    mutation_rate: float
    accuracy: float
    genome: np.ndarray = field(repr=False)


@dataclass(frozen=True)
class EvolutionResult:
    """What a run ends with.

    Attributes
    ----------
    genome : ndarray of uint8
        The best genome found.
    loss : float
        Its loss.
    population : ndarray of uint8, shape (size, bytes)
        The last generation that was evaluated.
    history : structured ndarray
        A row for each generation: see `HISTORY`.
    seed : int
    stopped : {"generations", "seconds", "target_loss", "callback", "interrupted"}
        Why it ended.

    """

    genome: np.ndarray = field(repr=False)
    loss: float
    population: np.ndarray = field(repr=False)
    history: np.ndarray = field(repr=False)
    seed: int
    stopped: str


@dataclass(frozen=True)
class _Plan:
    # what stays the same throughout a run, checked
    n_weights: int
    population: int
    elite: int
    parents: int
    mutation_rate: object
    generations: int | None
    seconds: float | None
    target_loss: float | None
    seed: int

    def __post_init__(self):
        for name, low in (("population", 1), ("elite", 0), ("parents", 1)):
            try:
                value = operator.index(getattr(self, name))
            except TypeError:
                raise TypeError(f"{name} is an int; got {getattr(self, name)!r}") from None
            if value < low or (name != "population" and value > self.population):
                raise ValueError(f"{name} is between {low} and the population of {self.population}; got {value}")
        if self.generations is not None and operator.index(self.generations) < 1:
            raise ValueError(f"generations is at least 1; got {self.generations}")
        if self.seconds is not None and not self.seconds > 0:
            raise ValueError(f"seconds is positive; got {self.seconds!r}")
        for rate in [] if callable(self.mutation_rate) else np.atleast_1d(self.mutation_rate):
            if not 0 <= rate <= 1:
                raise ValueError(f"mutation_rate is between 0 and 1; got {self.mutation_rate!r}")
        if not callable(self.mutation_rate) and np.shape(self.mutation_rate) not in ((), (2,)):
            raise ValueError("mutation_rate is a number, a pair (first, last) or a function of the progress; "
                             f"got {self.mutation_rate!r}")

    def progress(self, generation, seconds):
        by_generations = generation / self.generations if self.generations else 0.0
        by_seconds = seconds / self.seconds if self.seconds else 0.0
        return min(1.0, max(by_generations, by_seconds))

    def rate(self, progress):
        if callable(self.mutation_rate):
            return float(self.mutation_rate(progress))
        first, last = np.broadcast_to(self.mutation_rate, 2)
        if first == last or first == 0 or last == 0:
            return float(first + (last - first) * progress)
        return float(first * (last / first) ** progress)


def _breed(population, ranked, rate, generation, plan, children):
    # The elite as they are; the rest each a child of two of the best, mutated. Child i draws from the key
    # (seed, generation, i): the same whoever computes it.
    n = plan.population - plan.elite
    children[:plan.elite] = population[ranked[:plan.elite]]
    if n:
        mothers, fathers = np.empty((2, n), np.intp)
        young = children[plan.elite:]
        _kernels.choose_parents(ranked, plan.parents, mothers, fathers, plan.seed, generation)
        _kernels.crossover(population, mothers, population, fathers, young, None, plan.n_weights, 0, 0, plan.seed,
                           generation)
        _kernels.mutate(young, young, plan.n_weights, np.array([rate]), 0, LOG4._tables, plan.seed, generation)
    return children


def _run(plan, evaluate, held_out, callback):
    # evaluate(population) -> losses; held_out(genome) -> accuracy
    started = time.perf_counter()
    population = _genome.random_population(plan.population, plan.n_weights, plan.seed)
    spare = np.empty_like(population)
    best, best_loss, history, stopped = population[0].copy(), np.inf, [], "interrupted"
    seconds, generation = 0.0, 0
    try:
        while True:
            losses = np.asarray(evaluate(population))
            ranked = np.argsort(losses, kind="stable")  # NaN comes last
            if not losses[ranked[0]] >= best_loss:
                best, best_loss = population[ranked[0]].copy(), float(losses[ranked[0]])
            progress = plan.progress(generation, seconds)
            rate = plan.rate(progress)
            generation += 1
            seconds = time.perf_counter() - started
            accuracy = held_out(best) if held_out else np.nan
            history.append((generation, seconds, best_loss, losses.mean(), rate, accuracy))
            state = State(generation, plan.progress(generation, seconds), *history[-1][1:], best)
            if callback is not None and callback(state):
                stopped = "callback"
            elif plan.target_loss is not None and best_loss <= plan.target_loss:
                stopped = "target_loss"
            elif plan.generations is not None and generation >= plan.generations:
                stopped = "generations"
            elif plan.seconds is not None and seconds >= plan.seconds:
                stopped = "seconds"
            else:
                spare = _breed(population, ranked, rate, generation, plan, spare)
                population, spare = spare, population
                continue
            break
    except KeyboardInterrupt:
        pass
    return EvolutionResult(best, best_loss, population, np.array(history, HISTORY), plan.seed, stopped)


def _limits(generations, seconds):
    # with no limit of either kind, the default one
    return (GENERATIONS if generations is None and seconds is None else generations), seconds


def evolve(network, x, y=None, *, population=100, elite=2, parents=20, mutation_rate=MUTATION_RATE, generations=None,
           seconds=None, target_loss=None, seed=0, held_out=None, callback=None, progress=True):
    """Evolve a network's weights towards the lowest cross-entropy on a batch.

    Each generation is ranked by loss. The `elite` best pass on unchanged; the others are each bred from two of the
    `parents` best, drawn at random, by uniform crossover, and mutated by flipping bits at a rate that falls from the
    first generation to the last.

    Parameters
    ----------
    network : Network
    x : array_like of float, shape (rows, inputs), or Batch
    y : array_like of int, shape (rows,)
    population, elite, parents : int
        How many genomes there are, how many pass on unchanged and how many breed.
    mutation_rate : float, pair of float or callable
        The share of bits flipped; first and last, geometric in between; or a function of the progress, 0 to 1.
    generations : int, optional
        When to stop; `GENERATIONS` if no `seconds` are given either.
    seconds : float, optional
        When to stop. How many generations fit depends on the machine, and so does the result.
    target_loss : float, optional
        Stop once the best loss is this low.
    seed : int or np.random.Generator
        The same seed gives the same result bit for bit, on any machine and any number of threads.
    held_out : pair (x, y) or Batch, optional
        On which the best genome's accuracy is recorded. It decides nothing.
    callback : callable, optional
        Called with a `State` after each generation; a true answer stops the run.
    progress : bool
        Whether to show a bar (where rich is installed and a person watches).

    Returns
    -------
    EvolutionResult
        Also on Ctrl-C, with the best so far.

    """
    if not isinstance(network, Network):
        raise TypeError(f"network is a Network; got {type(network).__name__}")
    batch = x if isinstance(x, Batch) else network.batch(x, y)
    if len(batch) == 0 or (y is None and batch is not x):
        raise ValueError("evolve wants at least one row, and a class for each")
    tested = held_out if held_out is None or isinstance(held_out, Batch) else network.batch(*held_out)
    generations, seconds = _limits(generations, seconds)
    plan = _Plan(network.n_weights, population, elite, parents, mutation_rate, generations, seconds, target_loss,
                 seed_of(seed))
    with _shown(progress, plan, callback) as watch:
        return _run(plan, lambda genomes: network.loss(genomes, batch),
                    tested and (lambda genome: network.accuracy(genome, tested)), watch)


def minimize(fitness, n_weights, *, codebook=LOG4, scale=1.0, vectorized=False, population=100, elite=2, parents=20,
             mutation_rate=MUTATION_RATE, generations=None, seconds=None, target_loss=None, seed=0, callback=None,
             progress=True):
    """Minimise a function of 4-bit weights.

    Parameters
    ----------
    fitness : callable
        From weights, float32[n_weights], to a number, the lower the better; NaN ranks last.
    n_weights : int
    codebook : Codebook or None
        What the codes stand for; with None the fitness is given the codes, uint8[n_weights].
    scale : float
        What the weights are multiplied by.
    vectorized : bool
        Whether the fitness takes the whole population, [population, n_weights], and gives [population].
    population, elite, parents, mutation_rate, generations, seconds, target_loss, seed, callback, progress
        As in `evolve`.

    Returns
    -------
    EvolutionResult

    """
    if not callable(fitness):
        raise TypeError(f"fitness is a function of weights; got {type(fitness).__name__}")

    def evaluate(genomes):
        if codebook is None:
            weights = _genome.unpack(genomes, n_weights)
        else:
            weights = _genome.decode(genomes, codebook, scale, n_weights=n_weights)
        losses = np.asarray(fitness(weights) if vectorized else [fitness(row) for row in weights], dtype=np.float64)
        if losses.shape != (len(genomes),):
            raise ValueError(f"fitness gives one number a genome, [{len(genomes)}]; got {list(losses.shape)}")
        return losses

    generations, seconds = _limits(generations, seconds)
    plan = _Plan(whole("n_weights", n_weights, 2**62), population, elite, parents, mutation_rate, generations,
                 seconds, target_loss, seed_of(seed))
    with _shown(progress, plan, callback) as watch:
        return _run(plan, evaluate, None, watch)


class _shown:  # noqa: N801 - a context manager, used as a function
    # The callback, and in front of it a bar, where one can be shown.
    def __init__(self, progress, plan, callback):
        self.callback, self.bar = callback, None
        if progress:
            from .progress import bar_for_terminal

            self.bar = bar_for_terminal(plan.generations, plan.seconds)

    def __enter__(self):
        if self.bar is None:
            return self.callback
        self.bar.start()
        return self.watch

    def watch(self, state):
        self.bar.update(state)
        return self.callback is not None and self.callback(state)

    def __exit__(self, *error):
        if self.bar is not None:
            self.bar.stop()
