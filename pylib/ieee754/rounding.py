"""Numbers rounded into a format and back, exactly, and the error that this leaves; 4-bit codes packed two per byte.

The arithmetic is in lanewise.kernels.ieee754; here are options and errors. All is lanewise.ieee754 to the user.
"""

import functools
from numbers import Integral

import numpy as np

from .. import packing as _packing
from ..environment import unflushed
from ..formats import BINARY32, BINARY64, format_given
from ..kernels import ieee754 as _kernels
from ..kernels.operands import truth
from .fields import raw_codes, shared_sections, whole_numbers

__all__ = ["decode", "encode", "pack", "rounding_error", "unpack"]

ROUNDINGS = ("nearest", "half_away", "zero", "odd", "up", "down", "stochastic")
OVERFLOWS = ("ieee", "saturate")
_TAKEN = BINARY32.native, BINARY64.native  # dtypes whose numbers the loops take as they are


@shared_sections
@unflushed
def encode(x, format, *, rounding="nearest", overflow="ieee", seed=None, packed=False, **kwargs):
    """Round numbers into a format, once.

    Parameters
    ----------
    x : array_like
        Numbers; float16 and bfloat16 are taken as float32, and integers exactly. Into binary64 only float64 goes, bit
        for bit, and integers that it holds.
    format : Format or str
        The format to round into, or its name.
    rounding : {"nearest", "half_away", "zero", "odd", "up", "down", "stochastic"}
        To nearest with ties to even, or with ties away from zero; toward zero; to odd, which is toward zero with the
        last bit set where anything was cut off, so that rounding again into fewer bits errs no more than once; toward
        +infinity or -infinity; or up with the probability that the distance to the lower neighbour is of a step, in
        steps of 2**-31.
    overflow : {"ieee", "saturate"}
        What becomes of a number that is too large, and of infinity: what IEEE 754 says, which is infinity (NaN in a
        format without infinity) unless the rounding leads to the largest number; or always the largest number. A
        format without infinity and NaN always saturates. What is rounded to odd stops at the largest number too.
    seed : int or numpy.random.Generator, optional
        For stochastic rounding, which needs one: an int gives the same codes always and everywhere.
    packed : bool
        Whether to put 4-bit codes two per byte along the last axis, as ``pack`` does.
    {kwargs}

    Returns
    -------
    ndarray of unsigned int
        Codes, of dtype ``format.code_dtype``. ``.view(format.dtype)`` are numbers where a dtype exists. If packed,
        bytes, of shape (..., ceil(n / 2)).

    Raises
    ------
    TypeError
        If the numbers are of a dtype that float64 does not hold.
    ValueError
        If an option is unknown, the seed missing, ``packed`` asked of a format whose codes have not four bits, or
        stochastic rounding or rounding to odd of one of powers of two.

    Notes
    -----
    A NaN becomes a quiet NaN of the same sign and, where there is room, the same payload; in a format without NaN, -0.
    In the formats whose names end in fnuz the only NaN stands in the place of -0: there -0 becomes 0. Among integers
    (int4, uint4, int2, uint2) a NaN becomes 0, and what is beyond them the largest or smallest.
    In float8_e8m0fnu, which has no sign and no zero, negative numbers and zero become NaN (saturating, zero becomes the
    smallest), a tie goes up, and what is smaller than all its numbers becomes the smallest.
    """
    format = format_given(format, optional=False, integers=True)
    if truth("encode", "packed", packed):
        _check_packed(format)
        if kwargs.get("out") is not None:
            raise TypeError("packed codes are a new array; expected no out with packed=True")
        return pack(encode(x, format, rounding=rounding, overflow=overflow, seed=seed, **kwargs))
    x, _ = _numbers(x, format)
    if rounding != "stochastic":
        return conversion("encode", format, rounding, overflow)(x, **kwargs)
    if seed is None:
        raise ValueError("stochastic rounding needs a seed: an int or a numpy.random.Generator")
    if not format.has_subnormals:
        raise ValueError(f"stochastic rounding into {format.name} is not defined: its numbers are not evenly spaced")
    rng = seed if isinstance(seed, np.random.Generator) else np.random.Generator(_stream(seed))
    x = np.asanyarray(x)
    noise = rng.integers(0, 1 << 32, size=x.shape, dtype=np.uint32)
    return conversion("encode_stochastic", format, "stochastic", overflow)(x, noise, **kwargs)


def _stream(seed):
    try:
        return np.random.Philox(seed)
    except (TypeError, ValueError) as error:
        raise type(error)(f"seed is an int, 0 or more, or a numpy.random.Generator; got {seed!r:.60}") from None


@shared_sections
@unflushed
def decode(codes, format, *, dtype=None, packed=False, n=None, **kwargs):
    """The numbers that codes stand for, exactly.

    Parameters
    ----------
    codes : array_like of unsigned int
        Codes of the format, or numbers of its dtype. Bits above a code's width are ignored.
    format : Format or str
        What the codes mean: a format or its name.
    dtype : {float32, float64}, optional
        float32 unless the format is binary64.
    packed : bool
        Whether the codes are bytes of two 4-bit codes each, as ``pack`` makes them.
    n : int, optional
        How many packed codes the last axis has; twice the bytes by default.
    {kwargs}

    Returns
    -------
    ndarray of float32 or float64
        A signalling NaN comes out quiet, as from any operation.

    Raises
    ------
    TypeError, ValueError
        If the codes are not unsigned numbers of the format's width, or the dtype is another; if ``packed`` is asked of
        a format whose codes have not four bits, or ``n`` does not fit.
    """
    format = format_given(format, optional=False, integers=True)
    if truth("decode", "packed", packed):
        _check_packed(format)
        codes = unpack(codes, n)
    elif n is not None:
        raise ValueError(f"n={n} counts packed codes; expected packed=True with it")
    if dtype is not None:
        wide = [wide.native for wide in _wide_formats(format)]
        try:
            kwargs["dtype"] = np.dtype(dtype)
        except (TypeError, ValueError):
            raise TypeError(f"dtype is {' or '.join(map(str, wide))}; got {dtype!r:.60}") from None
        if kwargs["dtype"] not in wide:
            raise TypeError(f"dtype {kwargs['dtype']} does not hold all of {format.name}; expected "
                            f"{' or '.join(map(str, wide))}")
    return conversion("decode", format)(raw_codes(codes, format), **kwargs)


@shared_sections
@unflushed
def rounding_error(x, format, *, rounding="nearest", overflow="ieee", **kwargs):
    """What a trip through a format adds to each number: ``decode(encode(x, format), format) - x``.

    Parameters
    ----------
    x : array_like
        Numbers; float16 and bfloat16 are taken as float32, and integers exactly.
    format : Format or str
        The format to go through, or its name.
    rounding, overflow : str
        As for ``encode``, but not stochastic.
    {kwargs}

    Returns
    -------
    ndarray of float32 or float64
        Exact wherever ``x`` is in the format's range. 0 where an infinity stays one.

    Raises
    ------
    TypeError, ValueError
        As for ``encode``.
    """
    format = format_given(format, optional=False, integers=True)
    x, rest = _numbers(x, format)
    found = conversion("rounding_error", format, rounding, overflow)(x, **kwargs)
    if rest is None:
        return found
    return np.subtract(found, rest, out=kwargs.get("out"), where=kwargs.get("where", True))


def pack(codes):
    """Two 4-bit codes per byte, along the last axis: code 2i in the low half of byte i.

    Parameters
    ----------
    codes : array_like of uint8, shape (..., n)
        Codes of four bits, or numbers of a dtype of ml_dtypes that has four bits.

    Returns
    -------
    ndarray of uint8, shape (..., ceil(n / 2))
        The last high half is 0 where n is odd.

    Raises
    ------
    TypeError, ValueError
        If a code is not a whole number from 0 to 15.
    """
    codes = _packing.plain("codes", codes)
    if codes.dtype.name not in _packing.FOUR_BITS:
        codes = whole_numbers(codes, np.dtype("u1"), "codes")
    return _packing.pack(np.atleast_1d(codes))


def unpack(packed, n=None):
    """The 4-bit codes of packed bytes: the inverse of ``pack``.

    Parameters
    ----------
    packed : array_like of uint8, shape (..., bytes)
        Two codes per byte, the first in the low half.
    n : int, optional
        How many codes the last axis has; twice the bytes by default.

    Returns
    -------
    ndarray of uint8, shape (..., n)

    Raises
    ------
    TypeError, ValueError
        If the bytes are not whole numbers from 0 to 255, or ``n`` codes do not take as many bytes as there are.
    """
    packed = np.atleast_1d(whole_numbers(_packing.plain("packed", packed), np.dtype("u1"), "packed codes"))
    if n is not None and (_packing.whole("n", n, np.iinfo(np.intp).max) + 1) // 2 != packed.shape[-1]:
        raise ValueError(f"n={n} codes take {(n + 1) // 2} bytes; packed has {packed.shape[-1]}")
    return _packing.unpack(packed, n)


def _check_packed(format):
    if format.width != 4:
        raise ValueError(f"packed codes have four bits; those of {format.name} have {format.width}")


def check_whole(given, x):
    """Refuse integers that are lost in `x`, which NumPy made of this: it makes float64 of lists of integers beyond
    int64 beside others, and of integers beside floats."""
    if isinstance(given, np.ndarray | float) or x.dtype != np.float64 or not (np.abs(x) >= 2.0**53).any():
        return  # float64 has every smaller integer
    for each, near in zip(np.asarray(given, object).flat, x.flat, strict=False):
        if isinstance(each, Integral) and int(each) != float(near):
            raise TypeError(f"{each} in a list is more than float64 holds; expected an array of integers")


def _numbers(x, format):
    """What the ufuncs take of `x`, and the remainder, which is None for all but integers that float64 does not hold:
    these are rounded to odd, which a second rounding does not notice."""
    dtype = getattr(x, "dtype", None)
    if dtype is _TAKEN[0] or dtype is _TAKEN[1]:
        return x, None
    given, x = x, x if isinstance(dtype, np.dtype) else _packing.as_array("x", x)
    if x.dtype.kind not in "biufcOV" or x.dtype.type is np.void:
        raise TypeError(f"x holds no numbers but {x.dtype}; expected float16, bfloat16, float32, float64 or integers")
    check_whole(given, x)
    if not np.can_cast(x.dtype, np.float64):
        raise TypeError(f"numbers of dtype {x.dtype} are more than float64 holds; expected float16, bfloat16, float32, "
                        f"float64 or integers")
    if x.dtype.kind not in "iu" or x.dtype.itemsize < 8:
        return x, None
    near, rest = _kernels.to_odd(x)
    if near is None:
        return x, None
    if format.width == 64:
        first = np.ravel(x)[np.flatnonzero((np.ravel(x) > 2**53) | (np.ravel(x) < -(2**53)))[0]]
        raise TypeError(f"{format.name} takes integers up to 2**53; got {first}")
    return near, rest


def _wide_formats(format):
    return (BINARY64,) if format.width == 64 else (BINARY32, BINARY64)


def conversion(function, format, rounding="nearest", overflow="ieee"):
    """The ufunc of a function between binary32 or binary64 and a format; an error where an option is unknown."""
    try:
        return _conversion(function, format, rounding, overflow)
    except TypeError:  # the cache's, for an argument that cannot be a key
        raise ValueError(f"rounding and overflow are names; got {rounding!r:.60} and {overflow!r:.60}") from None


@functools.cache
def _conversion(function, format, rounding, overflow):
    roundings = ROUNDINGS[:-1] if function == "rounding_error" else ROUNDINGS
    for name, given, known in ("rounding", rounding, roundings), ("overflow", overflow, OVERFLOWS):
        if given not in known:
            raise ValueError(f"{name}={given!r} is unknown; expected one of {', '.join(known)}")
    if rounding == "odd" and not format.has_subnormals:
        raise ValueError(f"rounding to odd into {format.name} is not defined: its numbers have no last bit")
    name = "_".join([function, format.name, *([rounding, overflow] if function.startswith("encode") else [])])
    return _kernels.of_conversions(function, name, format, _wide_formats(format), rounding, overflow == "saturate")
