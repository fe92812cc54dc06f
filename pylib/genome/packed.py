"""Four-bit matrices as a whole, and the codebooks of other libraries: what formats.py's readers give and writers take.

How others lay them out is blocks.py and words.py.
"""

import math
import operator
from typing import NamedTuple

import numpy as np

from ..environment import unflushed
from ..packing import numbers, pack, plain, unpack, whole
from .codes import Codebook, checked, decode

__all__ = ["FP4", "INT4_OFFSET", "IQ4_NL", "UINT4", "Packed", "e8m0_bytes", "e8m0_scales"]

# what the codes 0 to 126 of E4M3 stand for; 127 is NaN, and 128 more is the same below zero
_E4M3 = np.array([np.ldexp(code % 8 + 8 * (code > 7), max(code // 8, 1) - 10) for code in range(127)], np.float32)

#: The code is the weight, 0 to 15: GGUF's Q4_1 and Q4_K, GPTQ, AWQ, HQQ, mlx, with an offset for each group.
UINT4 = Codebook(range(16), "UINT4")
#: The code less 8, which is not two's complement: GGUF's Q4_0, ONNX Runtime's MatMulNBits, compressed-tensors.
INT4_OFFSET = Codebook(range(-8, 8), "INT4_OFFSET")
#: GGUF's non-linear table, in units of the block's scale.
IQ4_NL = Codebook([-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113], "IQ4_NL")
#: FP4 of bitsandbytes, which is not E2M1: 12ths of 0, 1/16, 8, 12, 4, 6, 2 and 3 in the order of the codes.
FP4 = Codebook([sign * np.float32(x / 12) for sign in (1, -1) for x in (0.0, 0.0625, 8.0, 12.0, 4.0, 6.0, 2.0, 3.0)],
               "FP4")


class Packed(NamedTuple):
    """A matrix of 4-bit weights: what `decode` and `linear4` take.

    Attributes
    ----------
    codes : ndarray of uint8, shape (outputs, ceil(inputs / 2))
        The lower nibble first.
    codebook : Codebook
    scale : ndarray of float32, shape (outputs, groups)
    offset : ndarray of float32, shape (outputs, groups), or None
        What is added to each weight of a group.
    group : int
        How many weights of a row share a scale.
    """

    codes: np.ndarray
    codebook: Codebook
    scale: np.ndarray
    offset: np.ndarray | None
    group: int

    def __eq__(self, other):
        if not isinstance(other, Packed) or (self.offset is None) != (other.offset is None):
            return False
        alike = self.codebook == other.codebook and self.group == other.group
        return alike and all(np.array_equal(mine, its) for mine, its in
                             ((self.codes, other.codes), (self.scale, other.scale), (self.offset, other.offset)))

    def __ne__(self, other):  # that of a tuple does not ask __eq__
        return not self == other

    __hash__ = None

    def weights(self):
        """Decode: float32 of shape (outputs, inputs)."""
        return decode(self.codes, self.codebook, self.scale, group=self.group, offset=self.offset)


def array_of(name, given, dtypes, ndim=2):
    """Take an array of one of these dtypes, with so many axes and none of them empty, in the machine's byte order."""
    array = plain(name, given)
    if array.dtype.name not in dtypes:
        raise TypeError(f"{name} holds {' or '.join(dtypes)}; got {array.dtype}")
    if array.ndim != ndim or not array.size:
        raise ValueError(f"{name} has {ndim} axes, none of them empty; got {list(array.shape)}")
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def matrix_of(shape):
    """Take the shape of a matrix, (outputs, inputs)."""
    try:
        outputs, inputs = (operator.index(size) for size in shape)
    except (TypeError, ValueError):
        raise TypeError(f"shape is (outputs, inputs), two ints; got {shape!r:.60}") from None
    if outputs < 1 or inputs < 1:
        raise ValueError(f"shape is (outputs, inputs), 1 or more each; got {(outputs, inputs)}")
    return outputs, inputs


def offset_of(packed):
    """Take the offset of a Packed, or None; an error where it is no Packed."""
    if not isinstance(packed, Packed):
        raise TypeError(f"packed is a Packed; got {type(packed).__name__}")
    return packed.offset


def shaped(name, given, shape):
    """Take an array of floats of this shape."""
    array = array_of(name, given, ("float16", "bfloat16", "float32"), len(shape))
    if array.shape != shape:
        raise ValueError(f"{name} is {list(shape)}; got {list(array.shape)}")
    return array


def flat_or(name, given, shape, dtypes=("float16", "bfloat16", "float32", "float64")):
    """Take an array of this shape, or of as many elements along one axis, in this shape."""
    array = plain(name, given)
    array = array_of(name, numbers(name, array, array.dtype), dtypes, array.ndim)
    if array.shape not in (shape, (math.prod(shape),)):
        raise ValueError(f"{name} is {list(shape)}, or the same along one axis; got {list(array.shape)}")
    return array.reshape(shape)


def finite(**arrays):
    """An error where an array holds anything else than finite numbers."""
    for name, array in arrays.items():
        if array is not None and not np.isfinite(array).all():
            raise ValueError(f"the {name}s hold a NaN or an infinity")


def packed_of(codes, codebook, scale, offset, group):
    """Make a Packed of one code a byte, if `decode` can take its groups."""
    if group % 16 and group < codes.shape[1]:
        raise ValueError(f"a group has a multiple of 16 weights, or a whole row; got {group} of {codes.shape[1]}")
    scale, offset = (None if array is None else np.ascontiguousarray(array, np.float32) for array in (scale, offset))
    finite(scale=scale, offset=offset)
    return Packed(pack(codes), codebook, scale, offset, group)


def parts_of(packed, codebook, group=None, offsets=False):
    """Take a Packed apart into codes, one a byte, scales and offsets, if the format can hold it."""
    given = offset_of(packed)
    if checked(packed.codebook) != codebook:
        raise ValueError(f"this format has the codebook {codebook.name}; got {packed.codebook.name}")
    size = whole("group", packed.group, np.iinfo(np.intp).max)
    if not size or (group is not None and size != group):
        raise ValueError(f"this format has groups of {group or '1 or more'}; got {size}")
    if given is not None and not offsets:
        raise ValueError("this format has no offsets; got some")
    codes = unpack(array_of("codes", packed.codes, ("uint8",)))
    scale = numbers("scale", packed.scale, np.float32)
    if scale.shape != (len(codes), -(-codes.shape[1] // size)) or codes.shape[1] % size:
        raise ValueError(f"scale is [{len(codes)}, {codes.shape[1] / size:g}], for whole groups of {size}; got "
                         f"{list(scale.shape)}")
    offset = np.zeros_like(scale) if given is None else numbers("offset", given, np.float32)
    if offset.shape != scale.shape:
        raise ValueError(f"offset has the shape of scale, {list(scale.shape)}; got {list(offset.shape)}")
    finite(scale=scale, offset=offset)
    return codes, scale, offset


def as_float16(name, given):
    """Take numbers as float16, if they are."""
    with np.errstate(all="ignore"):
        halves = given.astype(np.float16)
    if not (halves.astype(np.float32) == given).all():
        raise ValueError(f"this format keeps each {name} as float16; got one that is none, such as "
                         f"{given[halves.astype(np.float32) != given][0]:g}")
    return halves


def offsets_of_zeros(zeros, scale):
    """Turn (code - zero) * scale into code * scale + offset: exact where scales are float16 or bfloat16."""
    with np.errstate(all="ignore"):
        return -(zeros.astype(np.float32) * scale.astype(np.float32))


def zeros_of(scale, offset, low, high):
    """Find the zero points that offsets stand for."""
    with np.errstate(all="ignore"):
        zeros = np.where(scale == 0, 8, np.rint(-offset / scale))
    if not ((zeros >= low) & (zeros <= high) & (offsets_of_zeros(zeros, scale) == offset)).all():
        raise ValueError(f"this format keeps a zero point from {low} to {high} for each group, an offset that is "
                         "minus so many scales; got another offset")
    return zeros.astype(np.uint8)


def e4m3_scales(given, factor=1, divided=False):
    """Take E4M3 bytes as numbers, times a factor or divided by it."""
    given = plain("scales", given)
    if given.dtype != np.uint8 and given.dtype.name != "float8_e4m3fn":
        raise TypeError(f"scales holds uint8 or float8_e4m3fn; got {given.dtype}")
    bits = given.view(np.uint8)
    if ((bits & 127) == 127).any():
        raise ValueError("the scale 127 or 255 of E4M3 is NaN, and no scale")
    sizes = _of_e4m3(factor, divided)[bits & 127]
    return np.where(bits > 127, -sizes, sizes)


def e4m3_bytes(scale, factor=1, divided=False):
    """Turn numbers into E4M3 bytes: the inverse of `e4m3_scales`."""
    sizes, wanted = _of_e4m3(factor, divided), np.abs(scale)
    codes = np.minimum(np.searchsorted(sizes, wanted), 126)
    if not (sizes[codes] == wanted).all():
        raise ValueError("this format keeps each scale as a number of E4M3, times what all scales have in common; got "
                         f"one that is none, such as {wanted[sizes[codes] != wanted][0]:g}")
    return (codes | np.signbit(scale) * 128).astype(np.uint8)


def _of_e4m3(factor, divided):
    with np.errstate(all="ignore"):
        return _E4M3 / factor if divided else _E4M3 * factor


@unflushed
def e8m0_scales(exponents):
    """Turn the bytes of E8M0 into the numbers that they stand for, 2^(byte - 127).

    Parameters
    ----------
    exponents : array_like of uint8 or of ml_dtypes.float8_e8m0fnu

    Returns
    -------
    ndarray of float32

    Raises
    ------
    TypeError
        If the array holds anything else: numbers are scales already.
    ValueError
        If a byte is 255, which is NaN.
    """
    given = plain("exponents", exponents)
    if given.dtype != np.uint8 and given.dtype.name != "float8_e8m0fnu":
        raise TypeError(f"exponents holds uint8 or float8_e8m0fnu; got {given.dtype}")
    given = given.view(np.uint8)
    if (given == 255).any():
        raise ValueError("the exponent 255 of E8M0 is NaN, and no scale")
    return np.ldexp(np.float32(1), given.astype(np.int32) - 127)


def e8m0_bytes(scale):
    """Turn numbers into the bytes of E8M0: the inverse of `e8m0_scales`.

    Parameters
    ----------
    scale : array_like of float32

    Returns
    -------
    ndarray of uint8

    Raises
    ------
    ValueError
        If a number is no power of two from 2^-127 to 2^127: nothing is rounded.
    """
    fraction, exponent = np.frexp(numbers("scale", scale, np.float64))
    if not ((fraction == 0.5) & (exponent >= -126) & (exponent <= 128)).all():
        raise ValueError("E8M0 holds powers of two from 2^-127 to 2^127; got another scale")
    return (exponent + 126).astype(np.uint8)
