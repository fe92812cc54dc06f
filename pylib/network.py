"""Networks whose weights are packed 4-bit codes: what a genome means, and how well a population does on a batch.

How genomes are bred is evolution.py; the arithmetic is kernels/population.pyx.
"""

import operator

import numpy as np

from .codes import LOG4, Codebook, rows_of, weights_in
from .kernels import population as _kernels

__all__ = ["Batch", "Network"]

_CROSS_ENTROPY, _ACCURACY, _LOGITS = range(3)
_NOTHING = np.empty((0, 0, 0), np.float32)
_ROWS = 64  # batch rows in a tile, as in kernels/population.pyx


class Batch:
    """A batch laid out for evaluation; make one with `Network.batch` and evaluate it many times.

    Slicing takes whole tiles of 64 rows: ``batch.part(start, stop)``.
    """

    def __init__(self, tiles, target, rows):
        self.tiles, self.target, self.rows = tiles, target, rows

    def __len__(self):
        return self.rows

    def part(self, start, stop):
        """Tiles start to stop, as a batch on the same memory."""
        rows = min(self.rows, stop * _ROWS) - start * _ROWS
        return Batch(self.tiles[start:stop], self.target[start * _ROWS:stop * _ROWS], rows)


class Network:
    """A feed-forward network without biases, whose weights are codes of a codebook.

    Layer k's weights, [outputs, inputs] row by row, follow those of layer k - 1 in the genome.

    Parameters
    ----------
    sizes : sequence of int
        Inputs, hidden layers and outputs, such as (64, 32, 10).
    activation : {"relu"}
        What follows each layer but the last.
    codebook : Codebook

    """

    def __init__(self, sizes, activation="relu", codebook=LOG4):
        try:
            self.sizes = tuple(operator.index(size) for size in sizes)
        except TypeError:
            raise TypeError(f"sizes are ints such as (64, 32, 10); got {sizes!r}") from None
        if len(self.sizes) < 2 or min(self.sizes) < 1:
            raise ValueError(f"sizes are at least two positive ints such as (64, 32, 10); got {self.sizes}")
        if activation != "relu":
            raise ValueError(f"activation is 'relu'; got {activation!r}")
        if not isinstance(codebook, Codebook):
            raise TypeError(f"codebook is a Codebook such as LOG4; got {type(codebook).__name__}")
        self.activation, self.codebook = activation, codebook
        self._sizes = np.array(self.sizes, np.intp)

    def __repr__(self):
        return f"Network({'-'.join(map(str, self.sizes))}, {self.activation!r}, {self.codebook.name})"

    @property
    def n_weights(self):
        """How many weights a genome holds."""
        return sum(a * b for a, b in zip(self.sizes, self.sizes[1:], strict=False))

    @property
    def genome_bytes(self):
        """How many bytes a genome has."""
        return (self.n_weights + 1) // 2

    def batch(self, x, y=None):
        """Lay out inputs, and the classes they belong to, for evaluation.

        Parameters
        ----------
        x : array_like of float, shape (rows, inputs)
        y : array_like of int, shape (rows,), optional
            Classes from 0 to outputs - 1.

        Returns
        -------
        Batch

        """
        x = np.asarray(x)
        if x.ndim != 2 or x.shape[1] != self.sizes[0]:
            raise ValueError(f"x is [rows, {self.sizes[0]}]; got {list(x.shape)}")
        x = np.ascontiguousarray(x, dtype=np.float32)
        rows = len(x)
        tiles = np.empty((-(-rows // _ROWS), x.shape[1], _ROWS), np.float32)
        _kernels.tile(x, tiles)
        target = np.zeros(tiles.shape[0] * _ROWS, np.float32)
        if y is not None:
            y = np.asarray(y)
            if y.shape != (rows,):
                raise ValueError(f"y has one class for each of the {rows} rows; got shape {list(y.shape)}")
            if not np.issubdtype(y.dtype, np.integer):
                raise TypeError(f"y holds ints; got {y.dtype}")
            if rows and not (y.min() >= 0 and y.max() < self.sizes[-1]):
                raise ValueError(f"y is between 0 and {self.sizes[-1] - 1}; got {y.min()} to {y.max()}")
            target[:rows] = y
        return Batch(tiles, target, rows)

    def _evaluate(self, population, x, y, goal):
        batch = x if isinstance(x, Batch) else self.batch(x, y)
        population = np.asarray(population)
        rows = rows_of("population", population, np.uint8)
        weights_in("genomes", rows, self.n_weights)
        if len(batch) == 0:
            raise ValueError("the batch has no rows")
        results = np.zeros(len(rows))
        logits = np.empty((len(rows), len(batch), self.sizes[-1]), np.float32) if goal == _LOGITS else _NOTHING
        _kernels.evaluate_population(rows, batch.tiles, len(batch), batch.target, self._sizes, self.codebook.levels,
                                     goal, results, logits)
        if goal == _LOGITS:
            return logits.reshape(*population.shape[:-1], *logits.shape[1:])
        results = (results / len(batch)).astype(np.float32).reshape(population.shape[:-1])
        return results if population.ndim > 1 else float(results)

    def forward(self, population, x):
        """Compute the logits of each genome.

        Parameters
        ----------
        population : array_like of uint8, shape (size, bytes) or (bytes,)
        x : array_like of float, shape (rows, inputs), or Batch

        Returns
        -------
        ndarray of float32, shape (size, rows, outputs) or (rows, outputs)

        """
        return self._evaluate(population, x, None, _LOGITS)

    def loss(self, population, x, y=None):
        """Compute each genome's cross-entropy, the mean over rows, in nats.

        Parameters
        ----------
        population : array_like of uint8, shape (size, bytes) or (bytes,)
        x, y : as in `batch`, or a Batch and nothing

        Returns
        -------
        ndarray of float32, shape (size,), or a float for one genome
            Summed in one fixed order: the same bits on any number of threads.

        """
        return self._evaluate(population, x, y, _CROSS_ENTROPY)

    def accuracy(self, population, x, y=None):
        """Compute the share of rows whose largest logit, the first of equals, is their class's; as `loss` else."""
        return self._evaluate(population, x, y, _ACCURACY)
