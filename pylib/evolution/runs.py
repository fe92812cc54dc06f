"""Runs of evolution: `evolve` for networks, `minimize` for a fitness of one's own.

When to stop, what to record, when islands exchange genomes and what to keep is decided here; how a generation is bred
is islands.py, where it is computed workers.py, the genomes' operators are lanewise.genome and the networks network.py.
"""

import contextlib
import numbers
import os
import time
from dataclasses import replace

import numpy as np

from ..environment import unflushed
from ..files import check_writable
from ..genome.codes import LOG4, Codebook, seed_of
from ..kernels.operands import truth
from ..kernels.population import TILE_ROWS
from ..packing import held, rows_of, weights_in, whole
from . import checkpoint as _checkpoint
from .checkpoint import CheckpointError
from .islands import Island, Plan
from .network import Batch, Network
from .results import EvolutionResult, State, table_of
from .workers import NetworkFitness, OwnFitness, Workers

__all__ = ["BATCH_SIZE", "GENERATIONS", "MUTATION_RATE", "POPULATION", "evolve", "minimize"]

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


class _Run:
    # A run between its epochs: islands and history are replaced together, after an epoch and never in the midst of one,
    # so that what an interrupt finds is whole.
    def __init__(self, plan, fitness, held_out, callback, executor, checkpoint, resume, fingerprint):
        self.plan, self.held_out, self.callback, self.checkpoint = plan, held_out, callback, checkpoint
        self.fingerprint = fingerprint
        self.workers = Workers(plan, fitness, executor)
        self.length = 1 if plan.islands == 1 and executor is None else plan.migration
        if resume is None:
            islands = [Island.start(plan, index) for index in range(plan.islands)]
            if plan.start is not None:
                best, loss = fitness.best_of(plan.start)
                islands = [replace(island, best=best, best_loss=loss) for island in islands]
            self.at = islands, []
        else:
            self.at = _checkpoint.load(resume, plan, fingerprint)
            best = self.best()
            if executor is None and np.isfinite(best.best_loss) and not fitness.is_as_before(best.best, best.best_loss):
                raise CheckpointError(f"{resume} is of a run with another fitness: its best genome had a loss of "
                                      f"{best.best_loss:g}, and has another now")
        self.resumed = len(self.at[1])
        self.before = self.at[1][-1][1] if self.at[1] else 0.0  # seconds that the continued run had taken
        self.started = self.saved = time.perf_counter()

    def seconds(self):
        return self.before + time.perf_counter() - self.started

    def best(self):
        return min(self.at[0], key=lambda island: island.best_loss)

    def result(self, stopped):
        islands, history = self.at
        best = self.best()
        population = np.concatenate([island.next_generation(self.plan)[0] for island in islands])
        return EvolutionResult(best.best, best.best_loss, population, table_of(history), self.plan.seed,
                               stopped, self.resumed)

    def save(self):
        if self.checkpoint is not None and self.at[1]:
            _checkpoint.save(self.checkpoint, self.fingerprint, *self.at)
            self.saved = time.perf_counter()

    def epoch(self):
        islands, history = self.at
        length = self.length
        if self.plan.generations is not None:
            length = min(length, self.plan.generations - islands[0].generation)
        done = self.workers.epoch(islands, length, self.seconds())
        islands = [island for island, _ in done]
        if len(islands) > 1:  # the best genome of each island goes to the next island
            islands = [island.visited_by(islands[i - 1].best) for i, island in enumerate(islands)]
        best = min(islands, key=lambda island: island.best_loss).best
        held_out = self.held_out(best) if self.held_out else (np.nan, np.nan)
        seconds = self.seconds()
        with np.errstate(all="ignore"):  # the sum of mean losses may be beyond float64
            rows = [(of_all[0][0], seconds, min(row[2] for row in of_all), np.mean([row[3] for row in of_all]),
                     sum(row[4] for row in of_all), of_all[0][5], np.mean([row[6] for row in of_all]), *held_out)
                    for of_all in zip(*(rows for _, rows in done), strict=True)]
        self.at = islands, history + rows

    def stopped_by_callback(self):
        if self.callback is None:
            return False
        generation, seconds, loss, mean_loss, _, rate, diversity, *held_out = self.at[1][-1]
        return self.callback(State(generation, self.plan.progress(generation, seconds), seconds, loss, mean_loss, rate,
                                   diversity, *held_out, self.best().best.copy()))

    def reason(self):
        # why to stop now, if there is a reason
        plan, (islands, history) = self.plan, self.at
        if not history:
            return None
        generation, seconds = history[-1][:2]
        if plan.target_loss is not None and self.best().best_loss <= plan.target_loss:
            return "target_loss"
        if plan.patience is not None and generation - max(island.improved for island in islands) >= plan.patience:
            return "patience"
        if plan.generations is not None and islands[0].generation >= plan.generations:
            return "generations"
        return "seconds" if plan.seconds is not None and seconds >= plan.seconds else None

    def run(self):
        try:
            stopped = self.reason()  # of a run that was finished
            while stopped is None:
                self.epoch()
                stopped = "callback" if self.stopped_by_callback() else self.reason()
                if time.perf_counter() - self.saved > CHECKPOINT_SECONDS:
                    self.save()
        except KeyboardInterrupt:
            stopped = "interrupted"
        except Exception as error:
            self.keep(error)
            with contextlib.suppress(OSError):  # the disk may be what failed in the first place
                self.save()
            raise
        result = self.result(stopped)
        try:
            self.save()
        except OSError as error:
            self.keep(error, stopped)
            raise
        return result

    def keep(self, error, stopped="error"):
        # the run up to now goes with the error
        with contextlib.suppress(AttributeError):  # an exception that takes no attributes
            error.result = self.result(stopped)


def _start(fitness, held_out, *, executor, checkpoint, resume, callback, progress, held_out_data=None, **settings):
    plan = _planned(**settings)
    for name, path in (("checkpoint", checkpoint), ("resume", resume)):
        if path is not None and not isinstance(path, str | bytes | os.PathLike):
            raise TypeError(f"{name} is the path of a file; got {type(path).__name__}")
    if callback is not None and not callable(callback):
        raise TypeError(f"callback is a function of a State; got {type(callback).__name__}")
    if executor is not None and not callable(getattr(executor, "submit", None)):
        raise TypeError(f"executor is a concurrent.futures.Executor; got {type(executor).__name__}")
    fingerprint = {}
    if checkpoint is not None:
        check_writable(checkpoint)
    if checkpoint is not None or resume is not None:
        fingerprint = plan.fingerprint() | fitness.fingerprint()
        if held_out_data is not None:
            fingerprint["held_out"] = f"{len(held_out_data)} rows", held_out_data.digest()
    with _Shown(progress, plan, callback) as watch:
        return _Run(plan, fitness, held_out, watch, executor, checkpoint, resume, fingerprint).run()


def _planned(*, n_weights, population, parents, mutation, mutation_rate, generations, seconds, seed, start, **others):
    # the plan of these settings, those found that depend on others and were not given
    if generations is None and seconds is None:
        generations = GENERATIONS
    population = whole("population", population, 2**32 - 1)
    parents = max(1, population * PARENTS // 100) if parents is None else parents
    start = None if start is None else _genomes_of(start, n_weights, population)
    if mutation_rate is None:
        mutation_rate = _rate_for(n_weights, str(mutation), start is not None)
    return Plan(n_weights=n_weights, population=population, parents=parents, mutation=mutation,
                mutation_rate=mutation_rate, generations=generations, seconds=seconds, start=start,
                seed=seed_of(seed, "seed"), **others)


def _genomes_of(start, n_weights, population):
    # one or several, as uint8[some, bytes]
    genomes = rows_of("start", held("start", start, np.uint8))
    weights_in("the genomes of start", genomes, n_weights)
    if np.ndim(start) > 2 or not 1 <= len(genomes) <= population:
        raise ValueError(f"start is a genome, [{genomes.shape[1]}], or at most the population of {population} of them; "
                         f"got {list(np.shape(start))}")
    if n_weights % 2 and (genomes[:, -1] >> 4).any():
        raise ValueError(f"a genome of {n_weights} weights has nothing in its last nibble; one of start has a code")
    return genomes.copy()


def _rate_for(n_weights, mutation, started):
    # Bits, or weights, change at `MUTATION_RATE`. In a child of a short genome, where that would be less than one at
    # first and most children copies, one does throughout; and from there to long genomes the last rate falls evenly.
    often = 4 if mutation == "redraw" else 1  # as many weights as flips of their four bits change
    first, last = (often * rate for rate in MUTATION_RATE)
    places = max(1, n_weights if mutation in ("step", "redraw") else 4 * n_weights)
    if started:  # what is good already gains nothing from many changes at a time, however many weights there are
        return min(2.0, max(1.0, last * places)) / places
    changes = max(1.0, first * places)
    return changes / places, max(last, 1 / (places * changes))


@unflushed
def evolve(network, x, y=None, *, population=POPULATION, elite=2, parents=None, tournament=1, mutation="flip",
           crossover="uniform", mutation_rate=None, niche_radius=0.0, batch_size=BATCH_SIZE,
           generations=None, seconds=None, target_loss=None, patience=None, restart_after=None, seed=0, islands=1,
           migration=25, executor=None, checkpoint=None, resume=None, held_out=None, callback=None, progress=True,
           start=None):
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
        Each parent is the best of so many draws. With 1 all are equally likely; 2, with all as `parents`, is linear
        ranking.
    mutation : {"flip", "gray", "step", "redraw"}
        As `kind` of `lanewise.genome.mutate`. "redraw" can leave local optima that the others, which move to a near
        code, cannot.
    crossover : {"uniform", "bitwise", "one_point", "two_point"} or None
        As `kind` of `lanewise.genome.crossover`; None copies one parent.
    mutation_rate : float, pair of float, callable or "adaptive", optional
        The share of bits flipped, or of weights changed by "step" and "redraw"; first and last, geometric in between;
        or a function of the progress, 0 to 1. The default is `MUTATION_RATE`, for "redraw" four times that; in
        genomes so short that a child would have less than one change at first (62 weights), it is one change
        throughout, and up to 280 weights the last rate is higher than `MUTATION_RATE` says.
        "adaptive" lets every genome carry its own: it begins at 0.4%, and a child's is its mother's times 0.875 to the
        power of a number drawn from -2 to 2.
    niche_radius : float
        Preserve diversity by clearing: of genomes nearer to one another than this times the population's mean distance,
        only the best breeds or passes on, unless too few are left. 0 clears none.
    batch_size : int or None
        How many rows a generation is shown, a multiple of 64. The rows are shuffled for each pass by a key of the seed,
        and each generation is shown the next ones. The first in rank is then evaluated on all rows, and `loss` is that
        of the best of these. None, or at least as many as there are, shows all rows.
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
        How many populations evolve side by side, 65 536 at most. After every `migration` generations each one's best
        goes to the next.
    migration : int
    executor : concurrent.futures.Executor, optional
        Where islands are evolved: a process pool, ``dask.distributed.Client(...).get_executor()``, ``mpi4py.futures``.
        The batch travels once to each worker, then only the parents' packed genomes do. A worker uses one thread.
    checkpoint : path-like, optional
        Where to write the run's state every 30 seconds and at its end, also on Ctrl-C. Whether it can be written is
        checked before the first generation. If it cannot be written later, the error's `result` is the run up to then.
    resume : path-like, optional
        A checkpoint to continue from, to the bits of an unbroken run. Network, data and settings must be the same,
        except for the settings that say when to stop. A finished run comes back as it is.
    held_out : pair (x, y) or Batch, optional
        Rows with their classes (or values, for the objective "mse"). The best genome's accuracy on them is recorded, or
        its loss for "mse". They decide nothing.
    callback : callable, optional
        Called with a `State` after each generation, or each epoch of several islands. If it returns True, the run
        stops.
    progress : bool
        Whether to show a bar on standard error (where rich is installed and a person watches).
    start : array_like of uint8, shape (bytes,) or (some, bytes), optional
        What to start from instead of random genomes: one genome, such as that of `Network.quantize`, or at most
        `population` of them, such as the `population` of an earlier result. The first generation consists of these and
        of their children, and the result is no worse than the best of them. The default of `mutation_rate` is then
        0.02% throughout, but at least one change per child and at most two: what is already good gains nothing from
        many changes at once.

    Returns
    -------
    EvolutionResult
        Also on Ctrl-C, with the best so far.

    Raises
    ------
    TypeError, ValueError
        If an argument is of the wrong kind, out of its range, or does not fit the network. The error says which, and
        nothing has run.
    CheckpointError
        If `resume` is damaged, or of a run with other settings, network or data: it says which.
    OSError
        If `checkpoint` cannot be written. After that the error has the run up to then, as its `result`.
    """
    progress = truth("evolve", "progress", progress)
    if not isinstance(network, Network):
        raise TypeError(f"network is a Network; got {type(network).__name__}")
    batch = _finite("", network.batch_of(x, y, network.objective if y is not None or isinstance(x, Batch)
                                                else None))
    if len(batch) == 0 or (y is None and batch is not x):
        raise ValueError("evolve wants at least one row, and a class for each")
    tested = None if held_out is None else _held_out(network, held_out)
    if batch_size is not None and (whole("batch_size", batch_size, 2**62) % TILE_ROWS or batch_size == 0):
        raise ValueError(f"batch_size is a multiple of {TILE_ROWS}; got {batch_size}")
    return _start(NetworkFitness(network, batch, batch_size),
                  tested and (lambda genome: _judged(network, genome, tested)), n_weights=network.n_weights,
                  codebook=network.codebook, population=population, elite=elite, parents=parents, tournament=tournament,
                  mutation=mutation, crossover=crossover, mutation_rate=mutation_rate, niche_radius=niche_radius,
                  generations=generations, seconds=seconds, target_loss=target_loss, patience=patience,
                  restart_after=restart_after, batch_size=batch_size, seed=seed, islands=islands,
                  migration=migration, executor=executor, checkpoint=checkpoint, resume=resume, callback=callback,
                  progress=progress, start=start, held_out_data=tested)


def _held_out(network, held_out):
    if not isinstance(held_out, Batch):
        if not isinstance(held_out, tuple | list) or len(held_out) != 2:
            raise TypeError(f"held_out is a pair (x, y) or a Batch; got {type(held_out).__name__}")
        held_out = network.batch(*held_out)
    for goal in _measured(network, held_out) or (["mse"] if network.objective == "mse" else ["accuracy"]):
        network.batch_of(held_out, None, goal, "held_out")
    batch = _finite(" of held_out", held_out)
    if len(batch) == 0:
        raise ValueError("held_out has at least one row; got none")
    return batch


def _measured(network, held_out):
    # what is recorded of held-out rows
    return [*["accuracy"] * (held_out.classes is not None),
            *["mse"] * (held_out.values is not None and network.objective == "mse")]


def _judged(network, genome, tested):
    # (accuracy, loss), NaN where there is none
    measured = _measured(network, tested)
    return (network.accuracy(genome, tested) if "accuracy" in measured else np.nan,
            network.loss(genome, tested) if "mse" in measured else np.nan)


def _finite(where, batch):
    # the batch, or an error where a number is not finite: every loss would then be NaN, and the run would say nothing
    for name, tiles in (("x", None if batch.is_whole else batch.tiles), ("y", batch.values)):
        if tiles is not None and not np.isfinite(tiles).all():
            tile, column, row = np.argwhere(~np.isfinite(tiles))[0]
            raise ValueError(f"{name}{where} holds a NaN, an infinity or a number beyond float32, "
                             f"first in row {TILE_ROWS * tile + row}, column {column}")
    return batch


@unflushed
def minimize(fitness, n_weights, *, codebook=LOG4, scale=1.0, vectorized=False, population=100, elite=2, parents=None,
             tournament=1, mutation="flip", crossover="uniform", mutation_rate=None, niche_radius=0.0,
             generations=None, seconds=None, target_loss=None, patience=None, restart_after=None, seed=0, islands=1,
             migration=25, executor=None, checkpoint=None, resume=None, callback=None, progress=True, start=None):
    """Minimise a function of 4-bit weights.

    Parameters
    ----------
    fitness : callable
        From weights, float32[n_weights], to a number, the lower the better. NaN and infinities rank last and are
        counted in the history.
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
    islands, migration, executor, checkpoint, resume, callback, progress, start
        As in `evolve`. An executor of processes needs a fitness that can be pickled. `resume` notices another fitness
        only if the best genome has another loss.

    Returns
    -------
    EvolutionResult

    Raises
    ------
    TypeError, ValueError, CheckpointError, OSError
        As `evolve`.
    FitnessError
        If the fitness raises, or gives something else than numbers; its `result` is the run up to then.
    """
    vectorized, progress = truth("minimize", "vectorized", vectorized), truth("minimize", "progress", progress)
    if not callable(fitness):
        raise TypeError(f"fitness is a function of weights; got {type(fitness).__name__}")
    n_weights = whole("n_weights", n_weights, 2**62)
    if n_weights == 0:
        raise ValueError("n_weights is at least 1; got 0")
    if codebook is not None and not isinstance(codebook, Codebook):
        raise TypeError(f"codebook is a Codebook such as LOG4, or None for the codes; got {codebook!r}")
    if not isinstance(scale, numbers.Real):
        raise TypeError(f"scale is a number; got {scale!r}")
    with np.errstate(all="ignore"):
        in_range = abs(scale) < 2.0**128 and 0 < np.float32(scale) < np.inf  # an int may be beyond a float
    if not in_range:
        raise ValueError(f"scale is positive and finite, also in float32; got {scale!r}")
    if codebook is None and scale != 1:
        raise ValueError(f"scale is of a codebook's weights, and codebook=None gives codes; got scale={scale!r}")
    return _start(OwnFitness(fitness, n_weights, codebook, float(scale), vectorized), None, n_weights=n_weights,
                  codebook=_BY_CODE if codebook is None else codebook, population=population, elite=elite,
                  parents=parents, tournament=tournament, mutation=mutation, crossover=crossover,
                  mutation_rate=mutation_rate, niche_radius=niche_radius, generations=generations, seconds=seconds,
                  target_loss=target_loss, patience=patience, restart_after=restart_after, batch_size=None, seed=seed,
                  islands=islands, migration=migration, executor=executor, checkpoint=checkpoint, resume=resume,
                  callback=callback, progress=progress, start=start)


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
