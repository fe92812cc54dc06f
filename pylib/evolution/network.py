"""Networks whose weights are packed 4-bit codes: what a genome means, and how well a population does on a batch.

How genomes are bred is islands.py; the arithmetic is kernels/population.pyx.
"""

import hashlib
import operator
from typing import NamedTuple

import numpy as np

from ..genome.codes import LOG4, Codebook
from ..kernels import activations as _activations
from ..kernels import population as _kernels
from ..packing import as_array, contiguous, one_of, plain, rows_of, weights_in

__all__ = ["ACTIVATIONS", "Batch", "Network"]

#: What may follow a layer: every function of one element that the C interface of lanewise.kernels.activations holds.
ACTIVATIONS = {name.removesuffix("_float32"): kernel for name, kernel in _activations.__pyx_capi__.items()
               if name.endswith("_float32") and _kernels.is_activation(kernel)}
_CROSS_ENTROPY, _ACCURACY, _SQUARED_ERROR, _LOGITS = range(4)
_OBJECTIVES = ("cross_entropy", "accuracy", "mse")  # in the order of the enumeration in kernels/population.pyx
_NOTHING = np.empty((0, 0, 0), np.float32)
_MOST_WEIGHTS = 2**62
_ROWS = 64  # batch rows in a tile, as in kernels/population.pyx


class _Whole(NamedTuple):
    # Inputs that are whole numbers of a power of two, kept as pairs of int16 in uint32.
    features: int
    unit: float
    reach: int  # the largest sum of a row's magnitudes, in units


class Batch:
    """A batch laid out for evaluation; make one with `Network.batch` and evaluate it many times.

    Slicing takes whole tiles of 64 rows: ``batch.part(start, stop)``.

    Inputs that are small whole numbers times a power of two, such as pixels, are kept as int16 where their products
    with the levels of the network's codebook are too: float32 would not round any sum of them, so the first layer is
    computed in integers, at up to twice the speed and with the same bits.
    """

    def __init__(self, inputs, rows, classes=None, values=None, whole=None):
        tiles = -(-rows // _ROWS)
        for name, array, dtype in (("inputs", inputs, np.float32 if whole is None else np.uint32),
                                   ("classes", classes, np.float32), ("values", values, np.float32)):
            if array is not None and (array.dtype != dtype or array.ndim != 3
                                      or array.shape[::2] != (tiles, _ROWS)):
                raise ValueError(f"{name} of {rows} rows are {np.dtype(dtype)}[{tiles}, ..., {_ROWS}]; "
                                 f"got {array.dtype}{list(array.shape)}")
        self._inputs, self.classes, self.values = map(_read_only, (inputs, classes, values))
        self.rows, self._whole, self._largest = rows, whole, None

    def __len__(self):
        return self.rows

    @property
    def is_whole(self):
        """Whether the inputs are kept as whole numbers."""
        return self._whole is not None

    @property
    def features(self):
        """How many inputs a row has."""
        return self._inputs.shape[1] if self._whole is None else self._whole.features

    @property
    def tiles(self):
        """The inputs, float32[tiles, features, 64]."""
        if self._whole is None:
            return self._inputs
        count, pairs, _ = self._inputs.shape
        numbers = self._inputs.view(np.int16).reshape(count, pairs, _ROWS, 2).swapaxes(2, 3)
        return numbers.reshape(count, 2 * pairs, _ROWS)[:, :self._whole.features] * np.float32(self._whole.unit)

    @property
    def largest_class(self):
        """The largest class of the batch, or of that which it is a part of; infinity if one is none."""
        if self._largest is None:
            whole_numbers = self.classes.shape[1] == 1 and self.classes.min(initial=0) >= 0
            self._largest = float(self.classes.max(initial=0)) if whole_numbers else np.inf
        return self._largest

    def digest(self):
        """Compute the SHA-256 of the rows and of what their outputs should be, whichever network laid them out."""
        digest = hashlib.sha256(f"{self.rows} {self.features}".encode())
        for start in range(0, len(self._inputs), 256):
            tiles = self.part(start, start + 256).tiles + np.float32(0)  # -0 becomes +0
            digest.update(np.ascontiguousarray(tiles))
        for array in (self.classes, self.values):
            digest.update(b"none" if array is None else np.ascontiguousarray(array))
        return digest.hexdigest()

    def part(self, start, stop):
        """Tiles start to stop, as a batch on the same memory."""
        rows = min(self.rows, stop * _ROWS) - start * _ROWS
        part = Batch(self._inputs[start:stop], rows, _some(self.classes, start, stop),
                     _some(self.values, start, stop), self._whole)
        part._largest = self._largest  # which an evaluation of the whole has looked for
        return part

    def shuffled(self, order):
        """Lay the rows out in another order.

        Parameters
        ----------
        order : ndarray of int, shape (rows,)

        Returns
        -------
        Batch
        """
        order = contiguous(np.asarray(order, np.intp))
        if order.shape != (self.rows,) or not (order.min(initial=0) >= 0 and order.max(initial=0) < max(self.rows, 1)):
            raise ValueError(f"order has the index of a row for each of the {self.rows} rows")
        shuffled = Batch(_in_order(self._inputs, order), self.rows, _in_order(self.classes, order),
                         _in_order(self.values, order), self._whole)
        shuffled._largest = self._largest
        return shuffled


def _read_only(array):
    if array is None:
        return None
    array = array.view()
    array.flags.writeable = False
    return array


def _some(tiles, start, stop):
    return None if tiles is None else tiles[start:stop]


def _in_order(tiles, order):
    if tiles is None:
        return None
    shuffled = np.empty_like(tiles)
    _kernels.shuffle(tiles.view(np.uint32), order, shuffled.view(np.uint32))
    return shuffled


def _tiled(x):
    # [rows, features] as [tiles, features, 64]
    tiles = np.empty((-(-len(x) // _ROWS), x.shape[1], _ROWS), np.float32)
    _kernels.tile(_as_float32(x), tiles)
    return tiles


def _as_float32(x):
    with np.errstate(over="ignore"):  # what is beyond becomes infinite, as documented
        return contiguous(x.astype(np.float32, copy=False))


def numbers_of(name, array):
    """Take an array of numbers; refuse None, text, objects, complex numbers and what a mask hides."""
    if array is None:
        raise TypeError(f"{name} is an array of numbers; got None")
    if not (isinstance(array, np.ndarray) and array.dtype.names) and np.ma.is_masked(array):
        raise ValueError(f"{name} is a masked array with hidden elements; fill them, or leave their rows out")
    array = np.asarray(as_array(name, array))
    # the types of ml_dtypes, such as bfloat16, are of the kind V
    if array.dtype.kind not in "biuf" and (array.dtype.kind != "V" or issubclass(array.dtype.type, np.void)):
        raise TypeError(f"{name} is an array of numbers; got {array.dtype}")
    return array


class Network:
    """A feed-forward network without biases, whose weights are codes of a codebook.

    Layer k's weights, [outputs, inputs] row by row, follow those of layer k - 1 in the genome.

    Parameters
    ----------
    sizes : sequence of int
        Inputs, hidden layers and outputs, such as (64, 32, 10).
    activation : str
        What follows each layer but the last: "relu", "tanh", "silu", "gelu" or another of `ACTIVATIONS`.
    codebook : Codebook
    objective : {"cross_entropy", "mse", "accuracy"}
        What `loss` is: the mean cross-entropy; the mean squared error of all outputs, where a class stands for 1 at its
        output and 0 at the others; or 1 less the accuracy.

    """

    def __init__(self, sizes, activation="relu", codebook=LOG4, objective="cross_entropy"):
        try:
            self.sizes = tuple(operator.index(size) for size in sizes)
        except TypeError:
            raise TypeError(f"sizes are ints such as (64, 32, 10); got {sizes!r}") from None
        if len(self.sizes) < 2 or min(self.sizes) < 1:
            raise ValueError(f"sizes are at least two positive ints such as (64, 32, 10); got {self.sizes}")
        if self.n_weights > _MOST_WEIGHTS:
            raise ValueError(f"sizes are of a network of at most {_MOST_WEIGHTS} weights; got {self.sizes}")
        one_of("activation", activation, ACTIVATIONS)
        one_of("objective", objective, _OBJECTIVES)
        if not isinstance(codebook, Codebook):
            raise TypeError(f"codebook is a Codebook such as LOG4; got {type(codebook).__name__}")
        self.activation, self.codebook, self.objective = activation, codebook, objective
        self._sizes = np.array(self.sizes, np.intp)
        self._level_unit = _kernels.unit_of(codebook.levels[None])  # 0 where the levels are not whole
        self._whole_levels = (codebook.levels / (self._level_unit or np.inf)).astype(np.int16)
        self._largest_level = int(np.abs(self._whole_levels).max())

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
        """Lay out inputs, and what their outputs should be, for evaluation.

        Parameters
        ----------
        x : array_like of float, shape (rows, inputs)
        y : array_like of int, shape (rows,), or of float, shape (rows, outputs), optional
            Classes from 0 to outputs - 1; or values, for the objective "mse" alone.

        Returns
        -------
        Batch

        """
        x = numbers_of("x", x)
        if x.ndim != 2 or x.shape[1] != self.sizes[0]:
            raise ValueError(f"x is [rows, {self.sizes[0]}]; got {list(x.shape)}")
        inputs, whole = self._inputs_of(x)
        if y is None:
            return Batch(inputs, len(x), whole=whole)
        y, outputs = numbers_of("y", y), self.sizes[-1]
        if self.objective == "mse" and (y.dtype.kind in "fV" or y.ndim == 2):
            if y.shape != (len(x), outputs):
                raise ValueError(f"values y are [{len(x)}, {outputs}]; got {list(y.shape)}")
            return Batch(inputs, len(x), values=_tiled(y), whole=whole)
        if y.shape != (len(x),):
            raise ValueError(f"y has one class for each of the {len(x)} rows; got shape {list(y.shape)}")
        if not np.issubdtype(y.dtype, np.integer):
            raise TypeError(f"y holds ints; got {y.dtype}")
        if len(x) and not (y.min() >= 0 and y.max() < outputs):
            raise ValueError(f"y is between 0 and {outputs - 1}; got {y.min()} to {y.max()}")
        values = _tiled(y[:, None] == np.arange(outputs)) if self.objective == "mse" else None
        return Batch(inputs, len(x), _tiled(y[:, None]), values, whole)

    def _inputs_of(self, x):
        # as pairs of int16 where the first layer is exact with them, or as float32
        x = _as_float32(x)
        unit = _kernels.unit_of(x) if self._level_unit and len(x) else 0.0
        if unit:
            pairs = np.empty((-(-len(x) // _ROWS), -(-x.shape[1] // 2), _ROWS), np.uint32)
            whole = _Whole(x.shape[1], unit, _kernels.tile_pairs(x, unit, pairs))
            if self._is_exact(whole):
                return pairs, whole
        return _tiled(x), None

    def _is_exact(self, whole):
        # whether float32 would hold every sum of the first layer, in any order, without rounding
        return (whole is not None and whole.reach * self._largest_level <= 2**24
                and 2.0**-126 <= whole.unit * self._level_unit <= 2.0**100)

    def batch_of(self, x, y=None, goal=None, name="the batch"):
        """Take a batch, also one that another network laid out, if it fits this network.

        Parameters
        ----------
        x, y : as in `batch`, or a Batch and nothing
        goal : str, optional
            The objective that the batch has to be measured by; by default none.
        name : str
            What the batch is called in an error.

        Returns
        -------
        Batch
        """
        if not isinstance(x, Batch):
            batch = self.batch(x, y)
        elif y is not None:
            raise TypeError("y is in the Batch already; expected a Batch alone")
        else:
            batch = x
        inputs, outputs = self.sizes[0], self.sizes[-1]
        if batch.features != inputs:
            raise ValueError(f"{name} has rows of {batch.features} features; this network has {inputs} inputs")
        if goal is None:
            return batch
        one_of("goal", goal, _OBJECTIVES)
        target = batch.values if goal == "mse" else batch.classes
        if target is None:
            raise ValueError(f"{name} has no {'values' if goal == 'mse' else 'classes'}, which {goal} is measured by")
        if goal == "mse" and target.shape[1] != outputs:
            raise ValueError(f"{name} has {target.shape[1]} values a row; this network has {outputs} outputs")
        if goal != "mse" and not batch.largest_class < outputs:
            raise ValueError(f"{name} has the class {batch.largest_class:g}; this network has {outputs} outputs")
        return batch

    def _evaluate(self, population, x, y, goal):
        batch = self.batch_of(x, y, None if goal == _LOGITS else _OBJECTIVES[goal])
        target = _NOTHING if goal == _LOGITS else batch.values if goal == _SQUARED_ERROR else batch.classes
        population = plain("population", population)
        rows = rows_of("population", population, np.uint8)
        weights_in("genomes", rows, self.n_weights)
        if len(batch) == 0:
            raise ValueError("the batch has no rows")
        results = np.zeros(len(rows))
        logits = np.empty((len(rows), len(batch), self.sizes[-1]), np.float32) if goal == _LOGITS else _NOTHING
        kernel = None if self.activation == "relu" else ACTIVATIONS[self.activation]
        exact = self._is_exact(batch._whole)
        inputs, unit = (batch._inputs, batch._whole.unit * self._level_unit) if exact else (batch.tiles, 0.0)
        _kernels.evaluate_population(rows, inputs.view(np.uint32), len(batch), target.reshape(-1), self._sizes, kernel,
                                     self.codebook.levels, self._whole_levels, unit, goal, results, logits)
        if goal == _LOGITS:
            return logits.reshape(*population.shape[:-1], *logits.shape[1:])
        results /= len(batch) * (self.sizes[-1] if goal == _SQUARED_ERROR else 1)
        results = results.astype(np.float32).reshape(population.shape[:-1])
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
        """Compute the objective of each genome, the lower the better: by default the mean cross-entropy, in nats.

        Parameters
        ----------
        population : array_like of uint8, shape (size, bytes) or (bytes,)
        x, y : as in `batch`, or a Batch and nothing

        Returns
        -------
        ndarray of float32, shape (size,), or a float for one genome
            Summed in one fixed order: the same bits on any number of threads.

        """
        value = self._evaluate(population, x, y, _OBJECTIVES.index(self.objective))
        return 1 - value if self.objective == "accuracy" else value

    def accuracy(self, population, x, y=None):
        """Compute the share of rows whose largest logit, the first of equals, is their class's; as `loss` else."""
        return self._evaluate(population, x, y, _ACCURACY)
