"""Batches laid out for evaluation: inputs in tiles of 64 rows, whole numbers as int16 or uint8, and what is wanted.

What a network does with them is network.py; the arithmetic is kernels/population.pyx.
"""

import hashlib
from typing import NamedTuple

import numpy as np

from ..kernels import population as _kernels
from ..kernels.population import MOST_IN_WORD, TILE_ROWS
from ..packing import as_array, contiguous

__all__ = ["Batch", "as_float32", "in_words", "numbers_of", "tiled"]


class _Whole(NamedTuple):
    # Inputs that are whole numbers of a power of two, kept as two int16 or four uint8 in each uint32.
    features: int
    in_word: int
    unit: float
    reach: int  # the largest sum of a row's magnitudes, in units


class Batch:
    """A batch laid out for evaluation; make one with `Network.batch` and evaluate it many times.

    Slicing takes whole tiles of 64 rows: ``batch.part(start, stop)``.

    Inputs that are small whole numbers times a power of two, such as pixels, are kept as int16, or those from 0 to 255
    as uint8 where the CPU multiplies bytes, if their products with the levels of the network's codebook are whole too:
    float32 would not round any sum of them, so the first layer is computed in integers, at more than twice the speed
    where it multiplies bytes, and with the same bits.
    """

    def __init__(self, inputs, rows, classes=None, values=None, whole=None):
        tiles = -(-rows // TILE_ROWS)
        for name, array, dtype in (("inputs", inputs, np.float32 if whole is None else np.uint32),
                                   ("classes", classes, np.float32), ("values", values, np.float32)):
            if array is not None and (array.dtype != dtype or array.ndim != 3
                                      or array.shape[::2] != (tiles, TILE_ROWS)):
                raise ValueError(f"{name} of {rows} rows are {np.dtype(dtype)}[{tiles}, ..., {TILE_ROWS}]; "
                                 f"got {array.dtype}{list(array.shape)}")
        self._inputs, self.classes, self.values = map(_read_only, (inputs, classes, values))
        self.rows, self._whole, self._largest = rows, whole, None

    def __setstate__(self, state):
        self.__dict__.update(state)
        if self.is_whole and self._whole.in_word > MOST_IN_WORD:  # laid out where the CPU multiplies bytes
            rows = self.tiles.swapaxes(1, 2).reshape(-1, self.features)[:self.rows]
            self._inputs, self._whole = in_words(contiguous(rows), self._whole.unit, MOST_IN_WORD)

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
        features, in_word, unit, _ = self._whole
        count, words, _ = self._inputs.shape
        numbers = self._inputs.view(np.int16 if in_word == 2 else np.uint8).reshape(count, words, TILE_ROWS, in_word)
        numbers = numbers.swapaxes(2, 3).reshape(count, in_word * words, TILE_ROWS)[:, :features]
        return np.multiply(numbers, np.float32(unit), order="C")

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
        rows = min(self.rows, stop * TILE_ROWS) - start * TILE_ROWS
        part = Batch(self._inputs[start:stop], rows, _some(self.classes, start, stop),
                     _some(self.values, start, stop), self._whole)
        part._largest = self._largest  # that of the whole batch, which an evaluation has found
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


def tiled(x):
    """Lay [rows, features] out as float32[tiles, features, 64]."""
    tiles = np.empty((-(-len(x) // TILE_ROWS), x.shape[1], TILE_ROWS), np.float32)
    _kernels.tile(as_float32(x), tiles)
    return tiles


def in_words(x, unit, in_word):
    """Lay float32[rows, features] out as two int16 or four uint8 in a word, uint32[tiles, words, 64], times a unit."""
    words = np.empty((-(-len(x) // TILE_ROWS), -(-x.shape[1] // in_word), TILE_ROWS), np.uint32)
    return words, _Whole(x.shape[1], in_word, unit, _kernels.tile_whole(x, unit, in_word, words))


def as_float32(x):
    """Take an array as float32, C-contiguous."""
    with np.errstate(over="ignore", invalid="ignore"):  # a number beyond float32 becomes infinite, as documented
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
