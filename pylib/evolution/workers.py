"""What islands are judged by, and where their epochs are run: in this process or by any executor.

What travels to a worker is the fitness, with its data, once; then an island's parents and its key. What an epoch does
is islands.py.
"""

import hashlib
import os
import pickle

import numpy as np

from ..genome.codes import decode
from ..kernels import machine
from ..kernels.population import TILE_ROWS
from ..packing import unpack
from .islands import after_an_epoch
from .results import FitnessError

__all__ = ["NetworkFitness", "OwnFitness", "Workers"]


class NetworkFitness:
    """Each genome's loss as weights of a network, on a batch or each generation on another part of it.

    The parts are those of a fixed sequence: the rows are shuffled for every pass, by a key of the seed and the pass.
    """

    def __init__(self, network, batch, batch_size=None):
        self.network, self.batch = network, batch
        self.batch_size = None if batch_size is None or batch_size >= len(batch) else batch_size
        self._shuffled = None, None

    def __getstate__(self):
        return self.network, self.batch, self.batch_size

    def __setstate__(self, state):
        self.__init__(*state)

    def fingerprint(self):
        """What a run has to share with the one that it continues: for each thing a text, and its exact value."""
        network, batch = self.network, self.batch
        fixed = {name: (f"{sum(array.size for array in arrays if array is not None)} numbers",
                        repr([None if array is None else (array.shape, array.tobytes().hex()) for array in arrays]
                             + [network.group]))
                 for name, arrays in (("scales", network.scales), ("biases", network.biases)) if arrays is not None}
        return fixed | {
            "fitness": ("a network's loss",) * 2,
            "sizes": ("-".join(map(str, network.sizes)),) * 2,
            "activation": (network.activation,) * 2,
            "objective": (network.objective,) * 2,
            "codebook": (network.codebook.name, network.codebook.levels.tobytes().hex()),
            "data": (f"{len(batch)} rows of {batch.features} features", batch.digest()),
        }

    def is_as_before(self, _genome, _loss):
        """Whether a genome still has its loss: the fingerprint has told."""
        return True

    def of_generation(self, population, seed, generation):
        """Compute each genome's loss, float32[size], on what this generation is shown."""
        return self.network.loss(population, self.part(seed, generation))

    def of_first(self, genome, loss):
        """Compute the loss of the first in rank on the whole batch."""
        return loss if self.batch_size is None else self.network.loss(genome, self.batch)

    def best_of(self, genomes):
        """Find the best of the genomes that a run starts from, and its loss on the whole batch."""
        losses = self.network.loss(genomes, self.batch)
        best = int(np.argmin(np.where(np.isfinite(losses), losses, np.inf)))
        return genomes[best], float(losses[best])

    def part(self, seed, generation):
        """Take the batch that a generation is shown."""
        if self.batch_size is None:
            return self.batch
        turn, part = divmod(generation, len(self.batch) // self.batch_size)
        if self._shuffled[0] != (seed, turn):
            random = np.random.Philox(key=np.array([seed, turn], np.uint64)).random_raw(len(self.batch))
            self._shuffled = (seed, turn), self.batch.shuffled(np.argsort(random, kind="stable"))
        tiles = self.batch_size // TILE_ROWS
        return self._shuffled[1].part(part * tiles, (part + 1) * tiles)


class OwnFitness:
    """Each genome's loss by a function of the user's own."""

    def __init__(self, fitness, n_weights, codebook, scale, vectorized):
        self.fitness, self.n_weights, self.codebook = fitness, n_weights, codebook
        self.scale, self.vectorized = scale, vectorized

    def fingerprint(self):
        """What a run has to share with the one that it continues: for each thing a text, and its exact value."""
        codebook = "none: the fitness is given codes", "none"
        if self.codebook is not None:
            codebook = self.codebook.name, self.codebook.levels.tobytes().hex()
        return {"fitness": ("a function",) * 2, "codebook": codebook, "scale": (repr(float(self.scale)),) * 2}

    def is_as_before(self, genome, loss):
        """Whether a genome has about the loss that it had; also where the fitness gives other numbers each time."""
        first, again = (float(self.of_generation(genome[None], 0, 0)[0]) for _ in range(2))
        return first != again or bool(np.isclose(first, loss, rtol=1e-3, atol=1e-6))

    def of_generation(self, population, _seed, generation):
        """Compute each genome's loss, float64[size]."""
        if self.codebook is None:
            weights = unpack(population, self.n_weights)
        else:
            weights = decode(population, self.codebook, self.scale, n_weights=self.n_weights)
        losses = self.fitness(weights) if self.vectorized else [self.fitness(row) for row in weights]
        return _numbers(losses, len(population), f"in generation {generation + 1}")

    def of_first(self, _genome, loss):
        """Return the loss of the first in rank, which is known."""
        return loss

    def best_of(self, genomes):
        """Take the first of the genomes that a run starts from: its first generation will judge them all."""
        return genomes[0], np.inf


def _numbers(losses, size, when):
    # what a fitness has given, as float64[size]
    if losses is None:
        raise FitnessError(f"the fitness gives one number per genome, [{size}]; got None {when}: has it no return?")
    if np.ma.is_masked(losses) or (isinstance(losses, list) and any(loss is np.ma.masked for loss in losses)):
        raise FitnessError(f"the fitness gives numbers; got a masked array with hidden elements {when}")
    given = np.asarray(losses)
    if given.shape != (size,):
        raise FitnessError(f"the fitness gives one number per genome, [{size}]; got {list(given.shape)} {when}")
    if given.dtype.kind not in "biufOV":
        raise FitnessError(f"the fitness gives numbers; got {given.dtype} {when}")
    for i, loss in enumerate(given.tolist() if given.dtype.kind == "O" else ()):
        if loss is None:
            raise FitnessError(f"the fitness gives a number; got None for genome {i} {when}: has it no return?")
        if isinstance(loss, str | bytes | complex):
            raise FitnessError(f"the fitness gives a number; got {loss!r} for genome {i} {when}")
    with np.errstate(all="ignore"):  # a long double beyond float64 is no finite fitness
        return given.astype(np.float64)


_known = {}  # in a worker process: the fitness functions that have been sent to it, by digest


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
    """Runs epochs of all islands, here or by an executor."""

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
        answers = _results([self.executor.submit(_in_worker, os.getpid(), self.digest, None, *task) for task in tasks])
        # a worker answers None if the fitness function has not been sent to it yet
        unknown = [i for i, answer in enumerate(answers) if answer is None]
        again = _results([self.executor.submit(_in_worker, os.getpid(), self.digest, self.pickled, *tasks[i])
                          for i in unknown])
        for i, answer in zip(unknown, again, strict=True):
            answers[i] = answer
        return answers


def _results(futures):
    # where one fails, or Ctrl-C comes, those that nobody has begun are not wanted any more
    try:
        return [future.result() for future in futures]
    except BaseException:
        for future in futures:
            future.cancel()
        raise
