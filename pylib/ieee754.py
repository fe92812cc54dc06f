"""IEEE-754 taken apart: fields, classes, ULPs and neighbours of floating-point numbers, of any format.

The functions are ufuncs underneath: they broadcast and take ``out=``, ``where=`` and the other ufunc keywords. Arrays
of NumPy's and ml_dtypes' floating-point dtypes work directly; raw unsigned codes of any format with ``format=``.
Defaults, validation and errors live here; the arithmetic in the kernels, the formats in ``formats.py``.
"""

import functools
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from .describe import Description, describe, exact_decimal, parse_number
from .formats import (
    BFLOAT16,
    BINARY16,
    BINARY32,
    BINARY64,
    FLOAT4_E2M1FN,
    FLOAT6_E2M3FN,
    FLOAT6_E3M2FN,
    FLOAT8_E4M3FN,
    FLOAT8_E5M2,
    FLOAT8_E8M0FNU,
    FORMATS,
    Format,
    format_named,
)
from .kernels import ieee754 as _kernels

__all__ = [
    "BFLOAT16",
    "BINARY16",
    "BINARY32",
    "BINARY64",
    "FLOAT4_E2M1FN",
    "FLOAT6_E2M3FN",
    "FLOAT6_E3M2FN",
    "FLOAT8_E4M3FN",
    "FLOAT8_E5M2",
    "FLOAT8_E8M0FNU",
    "FORMATS",
    "Description",
    "FieldStatistics",
    "FloatClass",
    "FloatLoss",
    "Format",
    "classify",
    "compose",
    "decode",
    "decompose",
    "describe",
    "encode",
    "exact_decimal",
    "exponent_histogram",
    "field_statistics",
    "format_named",
    "format_of",
    "is_exact_integer",
    "next_down",
    "next_up",
    "pack",
    "parse_number",
    "rounding_error",
    "ulp",
    "ulp_distance",
    "unpack",
]

ROUNDINGS = ("nearest", "zero", "up", "down", "stochastic")
OVERFLOWS = ("ieee", "saturate")
_CHUNK = 1 << 15


class FloatClass(IntEnum):
    """The ten classes of IEEE 754-2019, section 5.7.2, in its order."""

    SIGNALING_NAN = 0
    QUIET_NAN = 1
    NEGATIVE_INFINITY = 2
    NEGATIVE_NORMAL = 3
    NEGATIVE_SUBNORMAL = 4
    NEGATIVE_ZERO = 5
    POSITIVE_ZERO = 6
    POSITIVE_SUBNORMAL = 7
    POSITIVE_NORMAL = 8
    POSITIVE_INFINITY = 9


class FloatLoss(IntEnum):
    """What a number meets when it is rounded to nearest into a format."""

    EXACT = 0
    ROUNDED = 1
    ROUNDED_SUBNORMAL = 2
    ROUNDED_TO_ZERO = 3
    OUT_OF_RANGE = 4
    NOT_FINITE = 5


def format_of(x):
    """The format of an array's numbers.

    Parameters
    ----------
    x : array_like or dtype
        Something of a floating-point dtype of NumPy or ml_dtypes.

    Returns
    -------
    Format

    Raises
    ------
    TypeError
        If the dtype is not that of a format known here.
    """
    dtype = x if isinstance(x, np.dtype) else getattr(x, "dtype", None)
    dtype = np.asarray(x).dtype if dtype is None else np.dtype(dtype)
    for format in FORMATS:
        if dtype == format.native or (format.native is None and dtype.name == format.name):
            return format
    raise TypeError(f"dtype {dtype} has no format here; expected a floating-point dtype: {_names(FORMATS)}")


def decompose(x, *, format=None, **kwargs):
    """The raw fields of floating-point numbers.

    Parameters
    ----------
    x : array_like
        Numbers, or with ``format`` raw unsigned codes.
    format : Format, optional
        What the codes mean.
    **kwargs
        As for any ufunc.

    Returns
    -------
    sign, exponent, mantissa : ndarray
        The fields as they stand in the number, unsigned: 0 or 1 in uint8; the biased exponent in uint8 (binary64:
        uint16); the mantissa, without the leading 1 of a normal number, in the unsigned type of a code.

    Raises
    ------
    TypeError
        If ``x`` has no floating-point dtype, or with ``format`` no unsigned one.

    Examples
    --------
    >>> import numpy as np
    >>> import lanewise as lw
    >>> sign, exponent, mantissa = lw.ieee754.decompose(np.float32(-6.5))
    >>> int(sign), int(exponent) - 127, 1 + int(mantissa) / 2**23
    (1, 2, 1.625)
    """
    return _apply("decompose", format, x, **kwargs)


def compose(sign, exponent, mantissa, format, **kwargs):
    """Numbers from their raw fields: the inverse of ``decompose``, for every code.

    Parameters
    ----------
    sign, exponent, mantissa : array_like of unsigned int
        The fields as ``decompose`` gives them. Bits that a field has no room for are dropped.
    format : Format
        What to make of them.
    **kwargs
        As for any ufunc.

    Returns
    -------
    ndarray
        float16, float32 or float64 where the format is NumPy's own; otherwise raw codes, whose
        ``.view(format.dtype)`` are numbers where ml_dtypes is installed.

    Raises
    ------
    TypeError, ValueError
        If a field is not of whole numbers, or has one that its dtype does not hold.
    """
    fields = (_whole(sign, np.dtype("u1"), "sign"), _whole(exponent, format.exponent_dtype, "exponent"),
              _whole(mantissa, format.code_dtype, "mantissa"))
    return _composer(format)(*fields, **kwargs)


def classify(x, *, format=None, **kwargs):
    """The class of each number, one of IEEE 754's ten.

    Parameters
    ----------
    x : array_like
        Numbers, or with ``format`` raw unsigned codes.
    format : Format, optional
        What the codes mean.
    **kwargs
        As for any ufunc.

    Returns
    -------
    ndarray of uint8
        Values of ``FloatClass``. A NaN of a format that has only one is quiet.

    Raises
    ------
    TypeError
        If ``x`` has no floating-point dtype, or with ``format`` no unsigned one.
    """
    return _apply("classify", format, x, **kwargs)


def ulp(x, *, format=None, **kwargs):
    """The unit in the last place: ``2**(max(e, smallest exponent) - mantissa_bits)``, where e is floor(log2|x|).

    Always positive, unlike ``np.spacing``; of infinity it is infinity, as Python's ``math.ulp``; NaN of NaN.

    Parameters
    ----------
    x : array_like
        Numbers, or with ``format`` raw unsigned codes.
    format : Format, optional
        What the codes mean.
    **kwargs
        As for any ufunc.

    Returns
    -------
    ndarray
        Like ``x``: numbers, or codes.

    Raises
    ------
    TypeError
        If ``x`` has no floating-point dtype, or with ``format`` no unsigned one.
    """
    return _apply("ulp", format, x, **kwargs)


def ulp_distance(a, b, *, format=None, **kwargs):
    """How many steps from one number to its neighbour lead from ``a`` to ``b``.

    Parameters
    ----------
    a, b : array_like
        Numbers of one dtype, or with ``format`` raw unsigned codes.
    format : Format, optional
        What the codes mean.
    **kwargs
        As for any ufunc.

    Returns
    -------
    ndarray of int64
        Never negative. Zeros of either sign are 0 apart, and so are two NaNs. A NaN and a number are 2**63 - 1 apart,
        and so are binary64 numbers that are further apart than that.

    Raises
    ------
    TypeError
        If a dtype is not a floating-point one, or with ``format`` not unsigned.
    """
    return _apply("ulp_distance", format, a, b, **kwargs)


def next_up(x, *, format=None, **kwargs):
    """The next larger number (IEEE 754's nextUp).

    Above the largest finite number stands infinity; where there is none, the largest stays itself. Infinity and NaN
    stay themselves.

    Parameters
    ----------
    x : array_like
        Numbers, or with ``format`` raw unsigned codes.
    format : Format, optional
        What the codes mean.
    **kwargs
        As for any ufunc.

    Returns
    -------
    ndarray
        Like ``x``: numbers, or codes.

    Raises
    ------
    TypeError
        If ``x`` has no floating-point dtype, or with ``format`` no unsigned one.
    """
    return _apply("next_up", format, x, **kwargs)


def next_down(x, *, format=None, **kwargs):
    """The next smaller number (IEEE 754's nextDown); the mirror image of ``next_up``, whose parameters it has.

    In an unsigned format the smallest number stays itself.
    """
    return _apply("next_down", format, x, **kwargs)


def is_exact_integer(x, *, format=None, **kwargs):
    """Whether a number is whole and counts exactly.

    It does up to ``format.largest_exact_integer`` (2**24 for binary32). Beyond, floating-point numbers are whole too,
    but some whole numbers are missing, and one may stand for a neighbour that was rounded.

    Parameters
    ----------
    x : array_like
        Numbers, or with ``format`` raw unsigned codes.
    format : Format, optional
        What the codes mean.
    **kwargs
        As for any ufunc.

    Returns
    -------
    ndarray of bool

    Raises
    ------
    TypeError
        If ``x`` has no floating-point dtype, or with ``format`` no unsigned one.
    """
    return _apply("is_exact_integer", format, x, **kwargs)


def encode(x, format, *, rounding="nearest", overflow="ieee", seed=None, **kwargs):
    """Round numbers into a format, once.

    Parameters
    ----------
    x : array_like
        Numbers; float16 and bfloat16 are taken as float32. Into binary64 only float64 goes, bit for bit.
    format : Format
        The format to round into.
    rounding : {"nearest", "zero", "up", "down", "stochastic"}
        To nearest with ties to even; toward zero, +infinity or -infinity; or up with the probability that the distance
        to the lower neighbour is of a step, in steps of 2**-31.
    overflow : {"ieee", "saturate"}
        What becomes of a number that is too large, and of infinity: what IEEE 754 says, which is infinity (NaN in a
        format without infinity) unless the rounding leads to the largest number; or always the largest number. A
        format without infinity and NaN always saturates.
    seed : int or numpy.random.Generator, optional
        For stochastic rounding, which needs one: an int gives the same codes always and everywhere.
    **kwargs
        As for any ufunc.

    Returns
    -------
    ndarray of unsigned int
        Codes, of dtype ``format.code_dtype``. ``.view(format.dtype)`` are numbers where a dtype exists.

    Raises
    ------
    TypeError
        If the numbers are of a dtype that float64 does not hold.
    ValueError
        If an option is unknown, or the seed missing.

    Notes
    -----
    A NaN becomes a quiet NaN of the same sign and, where there is room, the same payload; in a format without NaN, -0.
    In float8_e8m0fnu, which has no sign and no zero, negative numbers and zero become NaN (saturating, zero becomes the
    smallest), a tie goes up, and what is smaller than all its numbers becomes the smallest.
    """
    _check_option("rounding", rounding, ROUNDINGS)
    _check_option("overflow", overflow, OVERFLOWS)
    if rounding != "stochastic":
        return _conversion("encode", format, rounding, overflow)(x, **kwargs)
    if seed is None:
        raise ValueError("stochastic rounding needs a seed: an int or a numpy.random.Generator")
    if not format.signed:
        raise ValueError(f"stochastic rounding into {format.name} is not defined: its numbers are not evenly spaced")
    rng = seed if isinstance(seed, np.random.Generator) else np.random.Generator(np.random.Philox(seed))
    x = np.asanyarray(x)
    noise = rng.integers(0, 1 << 32, size=x.shape, dtype=np.uint32)
    return _conversion("encode_stochastic", format, "stochastic", overflow)(x, noise, **kwargs)


def decode(codes, format, *, dtype=None, **kwargs):
    """The numbers that codes stand for, exactly.

    Parameters
    ----------
    codes : array_like of unsigned int
        Codes of the format, or numbers of its dtype. Bits above a code's width are ignored.
    format : Format
        What the codes mean.
    dtype : {float32, float64}, optional
        float32 unless the format is binary64.
    **kwargs
        As for any ufunc.

    Returns
    -------
    ndarray of float32 or float64
        A signalling NaN comes out quiet, as from any operation.

    Raises
    ------
    TypeError, ValueError
        If the codes are not unsigned numbers of the format's width, or the dtype is another.
    """
    if dtype is not None:
        kwargs["dtype"] = np.dtype(dtype)
        if kwargs["dtype"] not in [wide.native for wide in _wide_formats(format)]:
            raise TypeError(f"dtype {kwargs['dtype']} does not hold all of {format.name}; expected "
                            f"{' or '.join(str(wide.native) for wide in _wide_formats(format))}")
    return _conversion("decode", format)(_codes(codes, format), **kwargs)


def rounding_error(x, format, *, rounding="nearest", overflow="ieee", **kwargs):
    """What a trip through a format adds to each number: ``decode(encode(x, format), format) - x``.

    Parameters
    ----------
    x : array_like
        Numbers; float16 and bfloat16 are taken as float32.
    format : Format
        The format to go through.
    rounding, overflow : str
        As for ``encode``, but not stochastic.
    **kwargs
        As for any ufunc.

    Returns
    -------
    ndarray of float32 or float64
        Exact wherever ``x`` is in the format's range. 0 where an infinity stays one.

    Raises
    ------
    TypeError, ValueError
        As for ``encode``.
    """
    _check_option("rounding", rounding, ROUNDINGS[:-1])
    _check_option("overflow", overflow, OVERFLOWS)
    return _conversion("rounding_error", format, rounding, overflow)(x, **kwargs)


def pack(codes):
    """Two 4-bit codes a byte, along the last axis: code 2i in the low half of byte i.

    Parameters
    ----------
    codes : array_like of uint8, shape (..., n)
        Codes of four bits; what is above is dropped.

    Returns
    -------
    ndarray of uint8, shape (..., ceil(n / 2))
        The last high half is 0 where n is odd.
    """
    codes = np.atleast_1d(_whole(codes, np.dtype("u1"), "codes"))
    n = codes.shape[-1]
    packed = np.empty((*codes.shape[:-1], (n + 1) // 2), np.uint8)
    _kernels.pack_pairs(codes[..., : n // 2 * 2 : 2], codes[..., 1::2], out=packed[..., : n // 2])
    if n % 2:
        _kernels.pack_pairs(codes[..., -1:], np.uint8(0), out=packed[..., -1:])
    return packed


def unpack(packed, n=None):
    """The 4-bit codes of packed bytes: the inverse of ``pack``.

    Parameters
    ----------
    packed : array_like of uint8, shape (..., bytes)
        Two codes a byte, the first in the low half.
    n : int, optional
        How many codes the last axis has; twice the bytes by default.

    Returns
    -------
    ndarray of uint8, shape (..., n)

    Raises
    ------
    ValueError
        If ``n`` codes do not take as many bytes as there are.
    """
    packed = np.atleast_1d(_whole(packed, np.dtype("u1"), "packed"))
    n = 2 * packed.shape[-1] if n is None else n
    if (n + 1) // 2 != packed.shape[-1]:
        raise ValueError(f"n={n} codes take {(n + 1) // 2} bytes; packed has {packed.shape[-1]}")
    codes = np.empty((*packed.shape[:-1], 2 * packed.shape[-1]), np.uint8)
    _kernels.unpack_pairs(packed, out=(codes[..., ::2], codes[..., 1::2]))
    return codes[..., :n]


def exponent_histogram(x, *, format=None):
    """How many numbers have each exponent.

    Parameters
    ----------
    x : array_like
        Numbers, or with ``format`` raw unsigned codes.
    format : Format, optional
        What the codes mean.

    Returns
    -------
    ndarray of int64, shape (2**exponent_bits,)
        Entry k counts the raw exponent field k, which stands for ``2**(k - bias)``. Zeros and subnormals are in entry
        0, infinities and NaNs (where the format has them) in the last.

    Raises
    ------
    TypeError
        If ``x`` has no floating-point dtype, or with ``format`` no unsigned one.
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


def field_statistics(x, *, format=None, formats=None):
    """Which exponents and classes a tensor uses, and how much of it each format would lose.

    Parameters
    ----------
    x : array_like
        Numbers, or with ``format`` raw unsigned codes.
    format : Format, optional
        What the codes mean.
    formats : sequence of Format, optional
        The formats to ask about: by default all of at most 16 bits.

    Returns
    -------
    FieldStatistics

    Raises
    ------
    TypeError
        If ``x`` has no floating-point dtype, or with ``format`` no unsigned one.

    Examples
    --------
    >>> import numpy as np
    >>> from lanewise.ieee754 import BINARY16, FloatLoss, field_statistics
    >>> statistics = field_statistics(np.float32([1.0, 0.1, 1e-7, 1e5]), formats=[BINARY16])
    >>> {loss.name: count for loss, count in statistics.losses[BINARY16].items() if count}
    {'EXACT': 1, 'ROUNDED': 1, 'ROUNDED_SUBNORMAL': 1, 'OUT_OF_RANGE': 1}
    """
    flat, format = _flat_codes(x, format)
    formats = [f for f in FORMATS if f.width <= 16] if formats is None else list(formats)
    classes = np.zeros(len(FloatClass), np.int64)
    losses = {asked: np.zeros(len(FloatLoss), np.int64) for asked in formats}
    for start in range(0, flat.size, _CHUNK):
        chunk = flat[start : start + _CHUNK]
        _kernels.count(classify(chunk, format=format), classes)
        numbers = decode(chunk, format)
        for asked, counts in losses.items():
            _kernels.count(_conversion("classify_loss", asked)(numbers), counts)
    return FieldStatistics(
        format, flat.size, dict(zip(FloatClass, classes.tolist(), strict=True)),
        exponent_histogram(flat, format=format),
        {asked: dict(zip(FloatLoss, counts.tolist(), strict=True)) for asked, counts in losses.items()},
    )


def _names(formats):
    return ", ".join(format.name for format in formats)


def _check_option(name, given, known):
    if given not in known:
        raise ValueError(f"{name}={given!r} is unknown; expected one of {', '.join(known)}")


def _wide_formats(format):
    return (BINARY64,) if format.width == 64 else (BINARY32, BINARY64)


@functools.cache
def _on_numbers(function):
    # one loop for each floating-point dtype there is
    return _kernels.of_formats(function, function, _summary(function), [
        (format, format.dtype.num) for format in reversed(FORMATS) if format.dtype is not None
    ])


@functools.cache
def _on_codes(function, format):
    return _kernels.of_formats(function, f"{function}_{format.name}", _summary(function), [
        (format, format.code_dtype.num)
    ])


@functools.cache
def _composer(format):
    number = format.code_dtype.num if format.native is None else format.native.num
    return _kernels.of_formats("compose", f"compose_{format.name}", _summary("compose"), [(format, number)])


@functools.cache
def _conversion(function, format, rounding="nearest", overflow="ieee"):
    name = "_".join([function, format.name, *([rounding, overflow] if function.startswith("encode") else [])])
    return _kernels.of_conversions(
        function, name, _summary(function), format, _wide_formats(format), rounding, overflow == "saturate"
    )


def _summary(function):
    return (globals()[function].__doc__ if function in globals() else function).splitlines()[0]


def _apply(function, format, *arrays, **kwargs):
    if format is None:
        return _on_numbers(function)(*arrays, **kwargs)
    return _on_codes(function, format)(*(_codes(x, format) for x in arrays), **kwargs)


def _codes(x, format):
    # numbers of the format's own dtype are codes as they stand
    if getattr(x, "dtype", None) == format.code_dtype:
        return x
    array = np.asarray(x)
    if array.dtype == format.dtype and array.dtype.kind not in "iu":
        return array.view(format.code_dtype)
    return _whole(array, format.code_dtype, f"codes of {format.name}")


def _whole(x, dtype, what):
    # x as whole numbers of an unsigned dtype, where they are and it holds them
    if getattr(x, "dtype", None) == dtype:
        return x
    array = np.asarray(x)
    if array.dtype.kind not in "iub" and array.size:
        raise TypeError(f"{what} are of dtype {array.dtype}; expected {dtype}")
    if array.size and (array.min() < 0 or array.max() > np.iinfo(dtype).max):
        raise ValueError(f"{what} reach from {array.min()} to {array.max()}; expected 0 to {np.iinfo(dtype).max}")
    return array.astype(dtype)


def _flat_codes(x, format):
    if format is None:
        x = np.asarray(x)
        format = format_of(x)
    return np.ascontiguousarray(_codes(x, format)).reshape(-1), format
