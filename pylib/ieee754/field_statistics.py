"""What a tensor's numbers use of their format, and what each other format would lose of them, by counting.

The counts are made chunk by chunk from the ufuncs of fields.py and rounding.py; the figure is cli/figures.py's.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from ..environment import unflushed
from ..formats import FORMATS, Format, format_given
from ..kernels import ieee754 as _kernels
from ..packing import as_array
from .fields import FloatClass, classify, decompose, format_of, raw_codes, shared_sections
from .rounding import conversion, decode

__all__ = ["FieldStatistics", "FloatLoss", "exponent_histogram", "field_statistics"]

_CHUNK = 1 << 15  # elements: all intermediate arrays of a chunk stay in cache


class FloatLoss(IntEnum):
    """What a number meets when it is rounded to nearest into a format."""

    #: 0: the format has it; zero too.
    EXACT = 0
    #: 1: it becomes a normal number beside it.
    ROUNDED = 1
    #: 2: it becomes a subnormal number beside it, of which leading digits are missing.
    ROUNDED_SUBNORMAL = 2
    #: 3: it is no zero, and becomes one.
    ROUNDED_TO_ZERO = 3
    #: 4: it is finite, and beyond the largest number of the format.
    OUT_OF_RANGE = 4
    #: 5: an infinity or a NaN.
    NOT_FINITE = 5


@shared_sections
@unflushed
def exponent_histogram(x, *, format=None):
    """How many numbers have each exponent.

    Parameters
    ----------
    {x, format}

    Returns
    -------
    ndarray of int64, shape (2**exponent_bits,)
        Entry k counts the raw exponent field k, which stands for ``2**(k - bias)``. Zeros and subnormals are in entry
        0, infinities and NaNs (where the format has them) in the last.

    Raises
    ------
    {not numbers}
    """
    flat, format = _flat_codes(x, format)
    counts = np.zeros(1 << format.exponent_bits, np.int64)
    for start in range(0, flat.size, _CHUNK):
        _kernels.count(decompose(flat[start : start + _CHUNK], format=format)[1], counts)
    return counts


@dataclass(frozen=True, eq=False)
class FieldStatistics:
    """What a tensor's numbers use, and what each format would lose of them; from ``field_statistics``."""

    format: Format
    """The format of the numbers."""
    size: int
    """How many numbers there are."""
    classes: dict
    """How many are of each ``FloatClass``."""
    exponents: np.ndarray
    """How many have each exponent field, as ``exponent_histogram`` counts them."""
    losses: dict
    """For each format asked about: how many meet each ``FloatLoss`` there."""

    def __eq__(self, other):
        same = isinstance(other, FieldStatistics) and self.format == other.format and self.losses == other.losses
        return same and self.classes == other.classes and np.array_equal(self.exponents, other.exponents)

    __hash__ = None

    @property
    def exponent_range(self):
        """Smallest and largest floor(log2|x|) among the normal numbers, or None where there are none."""
        first = 1 if self.format.has_subnormals else 0
        used = np.flatnonzero(self.exponents[first : (self.format.largest_code >> self.format.mantissa_bits) + 1])
        if used.size == 0:
            return None
        return int(used[0]) + first - self.format.bias, int(used[-1]) + first - self.format.bias


@shared_sections
@unflushed
def field_statistics(x, *, format=None, formats=None):
    """Which exponents and classes a tensor uses, and how much of it each format would lose.

    Parameters
    ----------
    {x, format}
    formats : sequence of Format or str, optional
        The formats to ask about: by default all of at most 16 bits.

    Returns
    -------
    FieldStatistics

    Raises
    ------
    {not numbers}

    Examples
    --------
    >>> import numpy as np
    >>> from lanewise.ieee754 import BINARY16, FloatLoss, field_statistics
    >>> statistics = field_statistics(np.float32([1.0, 0.1, 1e-7, 1e5]), formats=[BINARY16])
    >>> {loss.name: count for loss, count in statistics.losses[BINARY16].items() if count}
    {'EXACT': 1, 'ROUNDED': 1, 'ROUNDED_SUBNORMAL': 1, 'OUT_OF_RANGE': 1}
    """
    flat, format = _flat_codes(x, format)
    if formats is None:
        formats = [f for f in FORMATS if f.width <= 16]
    elif isinstance(formats, list | tuple):
        formats = [format_given(asked, optional=False) for asked in formats]
    else:
        raise TypeError(f"formats is a list of formats or their names; got {formats!r:.60}")
    classes = np.zeros(len(FloatClass), np.int64)
    losses = {asked: np.zeros(len(FloatLoss), np.int64) for asked in formats}
    for start in range(0, flat.size, _CHUNK):
        chunk = flat[start : start + _CHUNK]
        _kernels.count(classify(chunk, format=format), classes)
        numbers = decode(chunk, format)
        for asked, counts in losses.items():
            _kernels.count(conversion("classify_loss", asked)(numbers), counts)
    return FieldStatistics(
        format, flat.size, dict(zip(FloatClass, classes.tolist(), strict=True)),
        exponent_histogram(flat, format=format),
        {asked: dict(zip(FloatLoss, counts.tolist(), strict=True)) for asked, counts in losses.items()},
    )


def _flat_codes(x, format):
    if isinstance(x, np.ma.MaskedArray):
        raise TypeError("x is a masked array, whose mask would not be seen; fill it or drop what it hides")
    format = format_given(format)
    if format is None:
        x = np.asarray(as_array("x", x))
        format = format_of(x)
    return np.ascontiguousarray(raw_codes(x, format)).reshape(-1), format
