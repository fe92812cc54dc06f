"""Evolving packed 4-bit genomes without a gradient: `evolve` for networks, `minimize` for a fitness of one's own.

When to stop, what to record, when islands exchange genomes and what to keep is decided here; how a generation is bred
is islands.py, where it is computed workers.py, the genomes' operators are genome.py and the networks network.py.
"""

import time
from dataclasses import dataclass, field

import numpy as np

from . import checkpoint as _checkpoint
from .codes import LOG4, Codebook, seed_of, whole
from .islands import HISTORY, FitnessError, Island, Plan
from .network import Batch, Network
from .workers import NetworkFitness, OwnFitness, Workers

__all__ = ["BATCH_SIZE", "GENERATIONS", "HISTORY", "MUTATION_RATE", "POPULATION", "EvolutionResult", "FitnessError",
           "Network", "State", "evolve", "minimize"]

#: How many genomes a network's generation has, how many generations run if nothing else says when to stop, how many
#: rows each is shown, and how many in a hundred genomes breed.
POPULATION = 200
GENERATIONS = 4800
BATCH_SIZE = 256
PARENTS = 30
#: The share of bits flipped in the first generation and in the last; geometric in between (docs/evolution.md).
MUTATION_RATE = (0.004, 0.0002)
_BY_CODE = Codebook(range(16), "codes")  # the order of raw codes, for mutations that go by levels
#: Seconds between two checkpoints.
CHECKPOINT_SECONDS = 30.0


@dataclass(frozen=True)
class State:
    """What a callback is shown after each generation, or each epoch of several islands.

    Attributes
    ----------
    generation : int
        How many generations are done.
    progress : float
        How far the run is, 0 to 1, by generations or by seconds, whichever is further.
    seconds, loss, mean_loss, mutation_rate, diversity, accuracy : float
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
    diversity: float
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
        The generation that would be evaluated next, the elite first; of several islands, one after the other.
    history : structured ndarray
        A row for each generation: see `HISTORY`.
    seed : int
    stopped : {"generations", "seconds", "target_loss", "patience", "callback", "interrupted", "error"}
        Why it ended.
    """

    genome: np.ndarray = field(repr=False)
    loss: float
    population: np.ndarray = field(repr=False)
    history: np.ndarray = field(repr=False)
    seed: int
    stopped: str


class _Run:
    # A run between its epochs: islands and history are replaced together, after an epoch and never in the midst of one,
    # so that what an interrupt finds is whole.
    def __init__(self, plan, fitness, held_out, callback, executor, checkpoint, resume):
        self.plan, self.held_out, self.callback, self.checkpoint = plan, held_out, callback, checkpoint
        self.workers = Workers(plan, fitness, executor)
        self.length = 1 if plan.islands == 1 and executor is None else plan.migration
        if resume is None:
            self.at = [Island.start(plan, index) for index in range(plan.islands)], []
        else:
            self.at = _checkpoint.load(resume, plan)
        self.before = self.at[1][-1][1] if self.at[1] else 0.0  # seconds of the run that this one continues
        self.started = self.saved = time.perf_counter()

    def seconds(self):
        return self.before + time.perf_counter() - self.started

    def best(self):
        return min(self.at[0], key=lambda island: island.best_loss)

    def result(self, stopped):
        islands, history = self.at
        best = self.best()
        population = np.concatenate([island.next_generation(self.plan)[0] for island in islands])
        return EvolutionResult(best.best, best.best_loss, population, np.array(history, HISTORY), self.plan.seed,
                               stopped)

    def save(self):
        if self.checkpoint is not None and self.at[1]:
            _checkpoint.save(self.checkpoint, self.plan, *self.at)
            self.saved = time.perf_counter()

    def epoch(self):
        islands, history = self.at
        length = self.length
        if self.plan.generations is not None:
            length = min(length, self.plan.generations - islands[0].generation)
        done = self.workers.epoch(islands, length, self.seconds())
        islands = [island for island, _ in done]
        if len(islands) > 1:  # each one's best goes to the next
            islands = [island.visited_by(islands[i - 1].best) for i, island in enumerate(islands)]
        best = min(islands, key=lambda island: island.best_loss).best
        accuracy = self.held_out(best) if self.held_out else np.nan
        seconds = self.seconds()
        rows = [(of_all[0][0], seconds, min(row[2] for row in of_all), np.mean([row[3] for row in of_all]),
                 sum(row[4] for row in of_all), of_all[0][5], np.mean([row[6] for row in of_all]), accuracy)
                for of_all in zip(*(rows for _, rows in done), strict=True)]
        self.at = islands, history + rows

    def stop(self):
        # why to stop now, if there is a reason
        plan, (islands, history) = self.plan, self.at
        if not history:
            return None
        best, (generation, seconds, loss, mean_loss, _, rate, diversity, accuracy) = self.best(), history[-1]
        if self.callback is not None and self.callback(
                State(generation, plan.progress(generation, seconds), seconds, loss, mean_loss, rate, diversity,
                      accuracy, best.best)):
            return "callback"
        if plan.target_loss is not None and best.best_loss <= plan.target_loss:
            return "target_loss"
        if plan.patience is not None and generation - max(island.improved for island in islands) >= plan.patience:
            return "patience"
        if plan.generations is not None and islands[0].generation >= plan.generations:
            return "generations"
        return "seconds" if plan.seconds is not None and seconds >= plan.seconds else None

    def run(self):
        stopped = None
        try:
            while stopped is None:
                if not self.at[1] or self.plan.generations is None or self.at[0][0].generation < self.plan.generations:
                    self.epoch()
                stopped = self.stop()
                if time.perf_counter() - self.saved > CHECKPOINT_SECONDS:
                    self.save()
        except KeyboardInterrupt:
            stopped = "interrupted"
        except FitnessError as error:
            self.save()
            error.result = self.result("error")
            raise
        self.save()
        return self.result(stopped)


def _start(fitness, held_out, n_weights, codebook, *, population, elite, parents, tournament, mutation, crossover,
           mutation_rate, niche_radius, generations, seconds, target_loss, patience, restart_after, batch_size, seed,
           islands, migration, executor, checkpoint, resume, callback, progress):
    if generations is None and seconds is None:
        generations = GENERATIONS
    parents = max(1, population * PARENTS // 100) if parents is None else parents
    plan = Plan(n_weights, population, elite, parents, tournament, mutation, crossover, mutation_rate, generations,
                seconds, target_loss, seed_of(seed), islands, migration, codebook, patience, restart_after, batch_size,
                niche_radius)
    with _Shown(progress, plan, callback) as watch:
        return _Run(plan, fitness, held_out, watch, executor, checkpoint, resume).run()


def evolve(network, x, y=None, *, population=POPULATION, elite=2, parents=None, tournament=1, mutation="flip",
           crossover="uniform", mutation_rate=MUTATION_RATE, niche_radius=0.0, batch_size=BATCH_SIZE,
           generations=None, seconds=None, target_loss=None, patience=None, restart_after=None, seed=0, islands=1,
           migration=25, executor=None, checkpoint=None, resume=None, held_out=None, callback=None, progress=True):
    """Evolve a network's weights towards the lowest loss on a batch.

    Each generation is ranked by loss. The `elite` best pass on unchanged; the others are each bred from two of the
    `parents` best, drawn at random, by crossover, and mutated at a rate that falls from the first generation on.

    Parameters
    ----------
    network : Network
    x : array_like of float, shape (rows, inputs), or Batch
    y : array_like of int, shape (rows,), or as `Network.batch` takes it
    population, elite : int
        How many genomes there are, and how many pass on unchanged.
    parents : int, optional
        How many of the best may breed, by default 30 in a hundred.
    tournament : int
        Each parent is the best of so many draws: 1 draws all alike; 2, with all as `parents`, is linear
        ranking.
    mutation : {"flip", "gray", "step"}
        As `kind` of `lanewise.genome.mutate`.
    crossover : {"uniform", "bitwise", "one_point", "two_point"} or None
        As `kind` of `lanewise.genome.crossover`; None copies one parent.
    mutation_rate : float, pair of float, callable or "adaptive"
        The share of bits flipped; first and last, geometric in between; or a function of the progress, 0 to 1.
        "adaptive" lets every genome carry its own: it begins at 0.4%, and a child's is its mother's times 0.875 to the
        power of a number drawn from -2 to 2.
    niche_radius : float
        Preserve diversity by clearing: of genomes nearer to one another than this times the population's mean distance
        only the best breeds, or passes on, until there are no others. 0 clears none.
    batch_size : int or None
        How many rows a generation is shown, a multiple of 64: every generation others, of rows shuffled for each pass
        by a key of the seed. The first in rank is then judged by all rows, and `loss` is that of the best of these.
        None, and as many as there are or more, is all rows.
    generations : int, optional
        When to stop; `GENERATIONS` if no `seconds` are given either.
    seconds : float, optional
        When to stop. How many generations fit depends on the machine, and so does the result.
    target_loss : float, optional
        Stop once the best loss is this low.
    patience : int, optional
        Stop after so many generations without a better best.
    restart_after : int, optional
        Let an island begin again at random after so many generations without a better best, which is kept. A falling
        `mutation_rate` does not begin again: a fixed or an adaptive one goes better with it.
    seed : int or np.random.Generator
        The same seed gives the same result bit for bit, on any machine and any number of threads or workers.
    islands : int
        How many populations evolve side by side. After every `migration` generations each one's best goes to the next.
    migration : int
    executor : concurrent.futures.Executor, optional
        Where islands are evolved: a process pool, ``dask.distributed.Client(...).get_executor()``, ``mpi4py.futures``.
        The batch travels once to each worker, then only the parents' packed genomes do. A worker uses one thread.
    checkpoint : path-like, optional
        Where to write the run's state every 30 seconds and at its end, also on Ctrl-C.
    resume : path-like, optional
        A checkpoint to continue from, to the bits of an unbroken run.
    held_out : pair (x, y) or Batch, optional
        Rows and their classes, on which the best genome's accuracy is recorded. It decides nothing.
    callback : callable, optional
        Called with a `State` after each generation, or each epoch of several islands; a true answer stops the run.
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
    if tested is not None and tested.classes is None:
        raise ValueError("held_out has classes, not values: what is recorded is an accuracy")
    if batch_size is not None and (whole("batch_size", batch_size, 2**62) % 64 or batch_size == 0):
        raise ValueError(f"batch_size is a multiple of 64; got {batch_size}")
    return _start(NetworkFitness(network, batch, batch_size),
                  tested and (lambda genome: network.accuracy(genome, tested)), network.n_weights, network.codebook,
                  population=population, elite=elite, parents=parents, tournament=tournament,
                  mutation=mutation, crossover=crossover, mutation_rate=mutation_rate, niche_radius=niche_radius,
                  generations=generations, seconds=seconds, target_loss=target_loss, patience=patience,
                  restart_after=restart_after, batch_size=batch_size, seed=seed, islands=islands,
                  migration=migration, executor=executor, checkpoint=checkpoint, resume=resume, callback=callback,
                  progress=progress)


def minimize(fitness, n_weights, *, codebook=LOG4, scale=1.0, vectorized=False, population=100, elite=2, parents=None,
             tournament=1, mutation="flip", crossover="uniform", mutation_rate=MUTATION_RATE, niche_radius=0.0,
             generations=None, seconds=None, target_loss=None, patience=None, restart_after=None, seed=0, islands=1,
             migration=25, executor=None, checkpoint=None, resume=None, callback=None, progress=True):
    """Minimise a function of 4-bit weights.

    Parameters
    ----------
    fitness : callable
        From weights, float32[n_weights], to a number, the lower the better. NaN and infinity rank last and are counted
        in the history.
    n_weights : int
    codebook : Codebook or None
        What the codes stand for; with None the fitness is given the codes, uint8[n_weights].
    scale : float
        What the weights are multiplied by.
    vectorized : bool
        Whether the fitness takes the whole population, [population, n_weights], and gives [population].
    population, elite, parents, tournament, mutation, crossover, mutation_rate, niche_radius
        As in `evolve`.
    generations, seconds, target_loss, patience, restart_after, seed
        As in `evolve`.
    islands, migration, executor, checkpoint, resume, callback, progress
        As in `evolve`; an executor of processes wants a fitness that can be pickled.

    Returns
    -------
    EvolutionResult

    Raises
    ------
    FitnessError
        If the fitness raises; its `result` is the run up to then.
    """
    if not callable(fitness):
        raise TypeError(f"fitness is a function of weights; got {type(fitness).__name__}")
    n_weights = whole("n_weights", n_weights, 2**62)
    return _start(OwnFitness(fitness, n_weights, codebook, scale, vectorized), None, n_weights,
                  _BY_CODE if codebook is None else codebook,
                  population=population, elite=elite, parents=parents, tournament=tournament,
                  mutation=mutation, crossover=crossover, mutation_rate=mutation_rate, niche_radius=niche_radius,
                  generations=generations, seconds=seconds, target_loss=target_loss, patience=patience,
                  restart_after=restart_after, batch_size=None, seed=seed, islands=islands,
                  migration=migration, executor=executor, checkpoint=checkpoint, resume=resume, callback=callback,
                  progress=progress)


class _Shown:
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
