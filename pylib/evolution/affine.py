"""What is fixed about the layers of a network, beside its sizes: the scales of their weights, and their biases.

They are no part of a genome. How weights become codes with such scales is `Network.quantize`.
"""

from itertools import pairwise

import numpy as np

from ..packing import whole
from .batch import numbers_of

__all__ = ["Affine"]


class Affine:
    """Scales and biases of all layers, checked, and as kernels/population.pyx takes them.

    Parameters
    ----------
    sizes : tuple of int
    scales : sequence with an entry for each layer, or None
        None; a number; one for each output, shape (outputs,); or one for each output and group, (outputs, groups).
    biases : sequence with an entry for each layer, or None
        None, or shape (outputs,).
    group : int or None
        How many weights of a row share a scale, where there are groups.
    largest_level : float
        The largest magnitude among the codebook's levels.
    """

    def __init__(self, sizes, scales, biases, group, largest_level):
        self.layers = list(pairwise(sizes))
        self.group = None if group is None else whole("group", group, np.iinfo(np.intp).max)
        if self.group is not None and (self.group == 0 or self.group % 16):
            raise ValueError(f"group is a positive multiple of 16; got {group}")
        self.scales = self._of_layers("scales", scales, self._scale)
        self.biases = self._of_layers("biases", biases, self._bias)
        largest = max((np.abs(scale).max() for scale in self.scales or () if scale is not None), default=1.0)
        if not largest_level * float(largest) <= float(np.finfo(np.float32).max):
            raise ValueError(f"a level times its scale is beyond float32: the largest scale is {largest:g}")
        # times 1 plus -0 is every number itself, +0 and -0 among them
        self.of_outputs = np.concatenate([self._of_outputs(k) for k in range(len(self.layers))])
        first = np.abs(self.of_outputs[:sizes[1], 0])
        self.range_of_first = float(first.min(initial=1.0, where=first > 0)), float(first.max())  # of magnitudes
        self.groups = np.array([self.group if self.is_grouped(k) else 0 for k in range(len(self.layers))], np.intp)
        self.group_scales = np.concatenate([np.empty(0, np.float32), *(
            self.scales[k].ravel() for k in range(len(self.layers)) if self.is_grouped(k))])

    def _of_layers(self, name, given, check):
        if given is None:
            return None
        try:
            given = list(given)
        except TypeError:
            raise TypeError(f"{name} has an entry for each layer; got {type(given).__name__}") from None
        if len(given) != len(self.layers):
            raise ValueError(f"{name} has an entry for each of the {len(self.layers)} layers; got {len(given)}")
        checked = [None if entry is None else check(k, entry) for k, entry in enumerate(given)]
        return tuple(checked) if any(entry is not None for entry in checked) else None

    def _scale(self, k, given):
        inputs, outputs = self.layers[k]
        scale = _finite_float32(f"scales[{k}]", given)
        groups = 1 if self.group is None else -(-inputs // self.group)
        if scale.shape == (outputs, 1) == (outputs, groups):
            scale = scale[:, 0]
        if scale.shape not in ((), (outputs,), (outputs, groups)):
            of = f", or [{outputs}, {groups}] for groups of {self.group}" if self.group is not None else (
                "; for groups within a row, group says how large they are")
            raise ValueError(f"scales[{k}] is a number, or [{outputs}] for the outputs{of}; got {list(scale.shape)}")
        return scale

    def _bias(self, k, given):
        bias = _finite_float32(f"biases[{k}]", given)
        if bias.shape != self.layers[k][1:]:
            raise ValueError(f"biases[{k}] is [{self.layers[k][1]}], one for each output; got {list(bias.shape)}")
        return bias

    def is_grouped(self, k):
        """Whether the weights of a row of layer k have several scales."""
        return self.scales is not None and self.scales[k] is not None and self.scales[k].ndim == 2

    def _of_outputs(self, k):
        pairs = np.empty((self.layers[k][1], 2), np.float32)
        scale = self.scales and self.scales[k]
        bias = self.biases and self.biases[k]
        pairs[:, 0] = 1.0 if scale is None or self.is_grouped(k) else scale
        pairs[:, 1] = -0.0 if bias is None else bias
        return pairs

    def scale_of(self, k):
        """Return the scale and the group of layer k, as `lanewise.genome.decode` takes them."""
        scale = 1.0 if self.scales is None or self.scales[k] is None else self.scales[k]
        return (scale[:, None], None) if np.ndim(scale) == 1 else (scale, self.group if np.ndim(scale) == 2 else None)


def _finite_float32(name, given):
    with np.errstate(over="ignore"):
        array = np.array(numbers_of(name, given), np.float32)
    if not np.isfinite(array).all():
        raise ValueError(f"{name} holds a NaN, an infinity or a number beyond float32")
    array.flags.writeable = False
    return array
