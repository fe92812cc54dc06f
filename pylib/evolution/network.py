"""Networks whose weights are packed 4-bit codes: what a genome means, and how well a population does on a batch.

How a batch is laid out is batch.py, what scales and biases are affine.py, how genomes are bred islands.py; the
arithmetic is kernels/population.pyx.
"""

import operator
from itertools import pairwise

import numpy as np

from ..environment import unflushed
from ..genome.codes import LOG4, Codebook, best_scale, decode, encode
from ..kernels import activations as _activations
from ..kernels import population as _kernels
from ..packing import held, one_of, pack, rows_of, unpack, weights_in
from .affine import Affine
from .batch import Batch, as_float32, in_words, numbers_of, tiled

__all__ = ["ACTIVATIONS", "Batch", "Network"]

#: What may follow a layer: every function of one element that the C interface of lanewise.kernels.activations holds.
ACTIVATIONS = {name.removesuffix("_float32"): kernel for name, kernel in _activations.__pyx_capi__.items()
               if name.endswith("_float32") and _kernels.is_activation(kernel)}
_CROSS_ENTROPY, _ACCURACY, _SQUARED_ERROR, _LOGITS = range(4)
_OBJECTIVES = ("cross_entropy", "accuracy", "mse")  # in the order of the enumeration in kernels/population.pyx
_NOTHING = np.empty((0, 0, 0), np.float32)
_MOST_WEIGHTS = 2**62


class Network:
    """A feed-forward network whose weights are codes of a codebook.

    Layer k's weights, [outputs, inputs] row by row, follow those of layer k - 1 in the genome. Scales and biases, where
    there are any, are fixed: evolution changes codes alone. `quantize` makes a network and a genome of a trained one.

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
    scales : sequence with an entry for each layer, optional
        What the weights are multiplied by: a number; one for each output, shape (outputs,); one for each output and
        group, shape (outputs, groups); or None. Of a number and of those by output, the sum of an output is multiplied,
        and the bias added, in one rounding; by group, each weight is. Any finite float32.
    biases : sequence with an entry for each layer, optional
        One for each output, shape (outputs,), or None. Any finite float32.
    group : int, optional
        How many weights of a row share a scale, a multiple of 16, where `scales` has them by group.

    Raises
    ------
    TypeError
        If an argument is of another kind.
    ValueError
        If an argument is not among those expected, a scale or bias is of another shape or not finite in float32, or a
        level times its scale is beyond float32.
    """

    _most_in_word = property(lambda self: _kernels.MOST_IN_WORD if self._in_bytes else 2)  # at the level that runs

    @unflushed
    def __init__(self, sizes, activation="relu", codebook=LOG4, objective="cross_entropy", scales=None, biases=None,
                 *, group=None):
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
        self._in_bytes = bool(self._whole_levels.min() >= -256 and self._whole_levels.max() <= 254)  # as sums of two
        self._affine = Affine(self.sizes, scales, biases, group, float(np.abs(codebook.levels).max()))

    @classmethod
    @unflushed
    def quantize(cls, weights, biases=None, codebook=LOG4, activation="relu", objective="cross_entropy", *,
                 per="output", group=None):
        """Make a network, and the genome in it that is nearest to a trained network of floats.

        Parameters
        ----------
        weights : sequence of array_like of float, shape (outputs, inputs)
            One matrix for each layer, finite.
        biases : sequence of array_like of float, shape (outputs,), optional
            As `Network` takes them. They stay float32.
        codebook : Codebook
        activation, objective : str
            As `Network` takes them.
        per : {"output", "layer"}
            What has a scale of its own, the best that `lanewise.genome.best_scale` finds.
        group : int, optional
            With `per` "output": how many weights of a row share a scale, a multiple of 16. By default all do.

        Returns
        -------
        network : Network
        genome : ndarray of uint8, shape (bytes,)

        Raises
        ------
        TypeError
            If weights are no sequence of arrays of numbers.
        ValueError
            If the matrices do not follow one another, or hold what is not finite in float32.
        """
        matrices = _matrices(weights)
        if not isinstance(per, str) or per not in ("output", "layer"):
            raise ValueError(f"per is 'output' or 'layer'; got {per!r:.60}")
        if group is not None and per == "layer":
            raise ValueError("group is of the weights of a row, and per='layer' has one scale for all rows")
        if not isinstance(codebook, Codebook):
            raise TypeError(f"codebook is a Codebook such as LOG4; got {type(codebook).__name__}")
        scales = [best_scale(matrix.reshape(1, -1) if per == "layer" else matrix, codebook, group=group)
                  for matrix in matrices]
        codes = [unpack(encode(matrix, codebook, scale, group=group), matrix.shape[1]).reshape(-1)
                 for matrix, scale in zip(matrices, scales, strict=True)]
        sizes = matrices[0].shape[1], *(len(matrix) for matrix in matrices)
        if per == "layer":
            scales = [scale[0, 0] for scale in scales]
        return cls(sizes, activation, codebook, objective, scales, biases, group=group), pack(np.concatenate(codes))

    def __repr__(self):
        fixed = " and ".join(name for name in ("scales", "biases") if getattr(self, name) is not None)
        return (f"Network({'-'.join(map(str, self.sizes))}, {self.activation!r}, {self.codebook.name}"
                f"{f', with {fixed}' if fixed else ''})")

    @property
    def scales(self):
        """What the weights of each layer are multiplied by, a tuple of float32 arrays and None; None if none are."""
        return self._affine.scales

    @property
    def biases(self):
        """What is added to the sums of each layer, a tuple of float32 arrays and None; None if nothing is."""
        return self._affine.biases

    @property
    def group(self):
        """How many weights of a row share a scale, where scales are by group."""
        return self._affine.group

    @unflushed
    def weights(self, genome):
        """Turn a genome into the matrices that it stands for, levels times scales, rounded once.

        Parameters
        ----------
        genome : array_like of uint8, shape (bytes,)

        Returns
        -------
        list of ndarray of float32, shape (outputs, inputs)

        Raises
        ------
        TypeError
            If `genome` does not hold uint8.
        ValueError
            If it is not one genome, or of another number of weights.
        """
        rows = rows_of("genome", held("genome", genome, np.uint8))
        if np.ndim(genome) != 1:
            raise ValueError(f"genome is [{self.genome_bytes}]; got {list(np.shape(genome))}")
        codes = unpack(rows[0], weights_in("genomes", rows, self.n_weights))
        matrices, used = [], 0
        for k, (inputs, outputs) in enumerate(self._affine.layers):
            layer = pack(codes[used:used + outputs * inputs].reshape(outputs, inputs))
            scale, group = self._affine.scale_of(k)
            matrices.append(decode(layer, self.codebook, scale, group=group, n_weights=inputs))
            used += outputs * inputs
        return matrices

    @property
    def n_weights(self):
        """How many weights a genome holds."""
        return sum(inputs * outputs for inputs, outputs in pairwise(self.sizes))

    @property
    def genome_bytes(self):
        """How many bytes a genome has."""
        return (self.n_weights + 1) // 2

    @unflushed
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

        Raises
        ------
        TypeError
            If x or y holds no numbers, or classes are no ints.
        ValueError
            If a shape does not fit the network, or a class is not one of its outputs.
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
            return Batch(inputs, len(x), values=tiled(y), whole=whole)
        if y.shape != (len(x),):
            raise ValueError(f"y has one class for each of the {len(x)} rows; got shape {list(y.shape)}")
        if not np.issubdtype(y.dtype, np.integer):
            raise TypeError(f"y holds ints; got {y.dtype}")
        if len(x) and not (y.min() >= 0 and y.max() < outputs):
            raise ValueError(f"y is between 0 and {outputs - 1}; got {y.min()} to {y.max()}")
        values = tiled(y[:, None] == np.arange(outputs)) if self.objective == "mse" else None
        return Batch(inputs, len(x), tiled(y[:, None]), values, whole)

    def _inputs_of(self, x):
        # as whole numbers where the first layer is exact with them, bytes if they fit, or as float32
        x = as_float32(x)
        unit = _kernels.unit_of(x) if self._level_unit and len(x) else 0.0
        if unit:
            are_bytes = x.min() >= 0 and x.max() <= 255 * unit
            words, whole = in_words(x, unit, self._most_in_word if are_bytes else 2)
            if self._is_exact(whole):
                return words, whole
        return tiled(x), None

    def _is_exact(self, whole):
        # whether float32 would hold every sum of the first layer, in any order, and its scales in units, unrounded
        if whole is None or whole.in_word > self._most_in_word or self._affine.is_grouped(0):
            return False
        unit, (lowest, highest) = whole.unit * self._level_unit, self._affine.range_of_first
        return (whole.reach * self._largest_level <= 2**24 and 2.0**-126 <= unit <= 2.0**100
                and unit * lowest >= 2.0**-126 and unit * highest < 2.0**127)

    @unflushed
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

        Raises
        ------
        TypeError
            If there is a y beside a Batch, or `batch` raises it.
        ValueError
            If the batch does not fit the network, or has nothing that `goal` is measured by.
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
        population = held("population", population, np.uint8)
        rows = rows_of("population", population)
        weights_in("genomes", rows, self.n_weights)
        if len(batch) == 0:
            raise ValueError("the batch has no rows")
        results = np.zeros(len(rows))
        logits = np.empty((len(rows), len(batch), self.sizes[-1]), np.float32) if goal == _LOGITS else _NOTHING
        kernel = None if self.activation == "relu" else ACTIVATIONS[self.activation]
        if self._is_exact(batch._whole):
            inputs, in_word, unit = batch._inputs, batch._whole.in_word, batch._whole.unit * self._level_unit
        else:
            inputs, in_word, unit = batch.tiles, 1, 0.0
        _kernels.evaluate_population(rows, inputs.view(np.uint32), len(batch), target.reshape(-1), self._sizes, kernel,
                                     self.codebook.levels, self._whole_levels, in_word, unit,
                                     self._affine.of_outputs, self._affine.groups, self._affine.group_scales, goal,
                                     results, logits)
        if goal == _LOGITS:
            return logits.reshape(*population.shape[:-1], *logits.shape[1:])
        results /= len(batch) * (self.sizes[-1] if goal == _SQUARED_ERROR else 1)
        results = results.astype(np.float32).reshape(population.shape[:-1])
        return results if population.ndim > 1 else float(results)

    @unflushed
    def forward(self, population, x):
        """Compute the logits of each genome.

        Parameters
        ----------
        population : array_like of uint8, shape (size, bytes) or (bytes,)
        x : array_like of float, shape (rows, inputs), or Batch

        Returns
        -------
        ndarray of float32, shape (size, rows, outputs) or (rows, outputs)

        Raises
        ------
        TypeError
            If `population` does not hold uint8, or x no numbers.
        ValueError
            If genomes have another number of bytes than `genome_bytes`, or x does not fit the network or has no rows.
        """
        return self._evaluate(population, x, None, _LOGITS)

    @unflushed
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

        Raises
        ------
        TypeError, ValueError
            As `forward`, and where `batch_of` refuses x and y.
        """
        value = self._evaluate(population, x, y, _OBJECTIVES.index(self.objective))
        return 1 - value if self.objective == "accuracy" else value

    @unflushed
    def accuracy(self, population, x, y=None):
        """Compute the share of rows whose largest logit, the first of equals, is their class's; otherwise as `loss`."""
        return self._evaluate(population, x, y, _ACCURACY)


def _matrices(weights):
    # float32, each with as many inputs as the one before it has outputs
    if isinstance(weights, np.ndarray) and weights.dtype != object:
        weights = list(weights) if weights.ndim == 3 else [weights]
    try:
        weights = list(weights)
    except TypeError:
        raise TypeError(f"weights are a matrix for each layer; got {type(weights).__name__}") from None
    if not weights:
        raise ValueError("weights are a matrix for each layer; got none")
    matrices = [as_float32(numbers_of(f"weights[{k}]", matrix)) for k, matrix in enumerate(weights)]
    for k, matrix in enumerate(matrices):
        if matrix.ndim != 2 or not matrix.size:
            raise ValueError(f"weights[{k}] is [outputs, inputs]; got {list(matrix.shape)}")
        if k and matrix.shape[1] != len(matrices[k - 1]):
            raise ValueError(f"weights[{k}] is [outputs, {len(matrices[k - 1])}], as many inputs as the layer before "
                             f"it has outputs; got {list(matrix.shape)}")
        if not np.isfinite(matrix).all():
            raise ValueError(f"weights[{k}] holds a NaN, an infinity or a number beyond float32")
    return matrices
