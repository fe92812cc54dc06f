"""Fields, classes, ULPs and neighbours of floating-point numbers of any format, and what arrays of them are.

Ufuncs underneath: they broadcast and take ``out=``, ``where=`` and the other keywords. The arithmetic is in
lanewise.kernels.ieee754; rounding from one format into another in rounding.py. All is lanewise.ieee754 to the user.
"""

import functools
import inspect
from enum import IntEnum

import numpy as np

from ..formats import FORMATS, format_given
from ..kernels import ieee754 as _kernels
from ..packing import as_array

__all__ = ["FloatClass", "classify", "compose", "decompose", "format_of", "is_exact_integer", "next_down", "next_up",
           "ulp", "ulp_distance"]

# What the docstrings of lanewise.ieee754 share, by what stands in its place there.
_NUMBERS = """{} : array_like
    Numbers, or with ``format`` raw unsigned codes.
format : Format, optional
    What the codes mean.
    Its name, such as ``"binary16"``, does too."""
_SECTIONS = {
    "{x, format}": _NUMBERS.format("x"),
    "{a, b, format}": _NUMBERS.format("a, b"),
    "{kwargs}": """**kwargs
    As for any ufunc.""",
    "{not numbers}": """TypeError
    If what is given has no floating-point dtype (integers have none), or with ``format`` no unsigned one.""",
}


def shared_sections(function):
    """Fill the places of a docstring that are marked as shared; there is none under ``python -OO``."""
    if function.__doc__:
        function.__doc__ = inspect.cleandoc(function.__doc__)
        for place, section in _SECTIONS.items():
            function.__doc__ = function.__doc__.replace(place, section)
    return function


class FloatClass(IntEnum):
    """The ten classes of IEEE 754-2019, section 5.7.2, in its order: each element of an array is of one of them.

    `classify` returns their numbers.
    """

    #: 0: a NaN that operations turn into a quiet one, and for which they signal an invalid operation.
    SIGNALING_NAN = 0
    #: 1: any other NaN; also the NaN of a format that has only one.
    QUIET_NAN = 1
    #: 2: -inf.
    NEGATIVE_INFINITY = 2
    #: 3: below zero, with all digits of its format.
    NEGATIVE_NORMAL = 3
    #: 4: below zero, and so near to it that leading digits are missing.
    NEGATIVE_SUBNORMAL = 4
    #: 5: -0.0.
    NEGATIVE_ZERO = 5
    #: 6: 0.0.
    POSITIVE_ZERO = 6
    #: 7: above zero, and so near to it that leading digits are missing.
    POSITIVE_SUBNORMAL = 7
    #: 8: above zero, with all digits of its format.
    POSITIVE_NORMAL = 8
    #: 9: inf.
    POSITIVE_INFINITY = 9


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
    dtype = (dtype if isinstance(dtype, np.dtype) else as_array("x", x).dtype).newbyteorder("=")
    for format in FORMATS:
        if dtype == format.native or (format.native is None and dtype.name == format.name):
            return format
    known = ", ".join(format.name for format in FORMATS)
    raise TypeError(f"dtype {dtype} has no format here; expected a floating-point dtype: {known}")


@shared_sections
def decompose(x, *, format=None, **kwargs):
    """The raw fields of floating-point numbers.

    Parameters
    ----------
    {x, format}
    {kwargs}

    Returns
    -------
    sign, exponent, mantissa : ndarray
        The fields as they stand in the number, unsigned: 0 or 1 in uint8; the biased exponent in uint8 (binary64:
        uint16); the mantissa, without the leading 1 of a normal number, in the unsigned type of a code.

    Raises
    ------
    {not numbers}

    Examples
    --------
    >>> import numpy as np
    >>> import lanewise as lw
    >>> sign, exponent, mantissa = lw.ieee754.decompose(np.float32(-6.5))
    >>> int(sign), int(exponent) - 127, 1 + int(mantissa) / 2**23
    (1, 2, 1.625)
    """
    format = format_given(format)
    return _loops("decompose", format)(raw_codes(x, format), **kwargs)


@shared_sections
def compose(sign, exponent, mantissa, format, **kwargs):
    """Numbers from their raw fields: the inverse of ``decompose``, for every code.

    Parameters
    ----------
    sign, exponent, mantissa : array_like of unsigned int
        The fields as ``decompose`` gives them. Bits that a field has no room for are dropped.
    format : Format or str
        What to make of them: a format or its name.
    {kwargs}

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
    format = format_given(format, optional=False)
    fields = (whole_numbers(sign, np.dtype("u1"), "sign"), whole_numbers(exponent, format.exponent_dtype, "exponent"),
              whole_numbers(mantissa, format.code_dtype, "mantissa"))
    return _composer(format)(*fields, **kwargs)


@shared_sections
def classify(x, *, format=None, **kwargs):
    """The class of each number, one of IEEE 754's ten.

    Parameters
    ----------
    {x, format}
    {kwargs}

    Returns
    -------
    ndarray of uint8
        Values of ``FloatClass``. A NaN of a format that has only one is quiet.

    Raises
    ------
    {not numbers}
    """
    format = format_given(format)
    return _loops("classify", format)(raw_codes(x, format), **kwargs)


@shared_sections
def ulp(x, *, format=None, **kwargs):
    """The unit in the last place: ``2**(max(e, smallest exponent) - mantissa_bits)``, where e is floor(log2|x|).

    Always positive, unlike ``np.spacing``; of infinity it is infinity, as Python's ``math.ulp``; NaN of NaN.

    Parameters
    ----------
    {x, format}
    {kwargs}

    Returns
    -------
    ndarray
        Like ``x``: numbers, or codes.

    Raises
    ------
    {not numbers}
    """
    format = format_given(format)
    return _loops("ulp", format)(raw_codes(x, format), **kwargs)


@shared_sections
def ulp_distance(a, b, *, format=None, **kwargs):
    """How many steps from one number to its neighbour lead from ``a`` to ``b``.

    Parameters
    ----------
    {a, b, format}
    {kwargs}

    Returns
    -------
    ndarray of int64
        Never negative. Zeros of either sign are 0 apart, and so are two NaNs. A NaN and a number are 2**63 - 1 apart,
        and so are binary64 numbers that are further apart than that.

    Raises
    ------
    {not numbers}
    """
    format = format_given(format)
    return _loops("ulp_distance", format)(raw_codes(a, format), raw_codes(b, format), **kwargs)


@shared_sections
def next_up(x, *, format=None, **kwargs):
    """The next larger number (IEEE 754's nextUp).

    Above the largest finite number stands infinity; where there is none, the largest stays itself. Infinity and NaN
    stay themselves.

    Parameters
    ----------
    {x, format}
    {kwargs}

    Returns
    -------
    ndarray
        Like ``x``: numbers, or codes.

    Raises
    ------
    {not numbers}
    """
    format = format_given(format)
    return _loops("next_up", format)(raw_codes(x, format), **kwargs)


@shared_sections
def next_down(x, *, format=None, **kwargs):
    """The next smaller number (IEEE 754's nextDown), the mirror image of ``next_up``.

    In a format without sign the smallest number stays itself.

    Parameters
    ----------
    {x, format}
    {kwargs}

    Returns
    -------
    ndarray
        Like ``x``: numbers, or codes.

    Raises
    ------
    {not numbers}
    """
    format = format_given(format)
    return _loops("next_down", format)(raw_codes(x, format), **kwargs)


@shared_sections
def is_exact_integer(x, *, format=None, **kwargs):
    """Whether a number is whole and counts exactly.

    It does up to ``format.largest_exact_integer`` (2**24 for binary32). Beyond, floating-point numbers are whole too,
    but some whole numbers are missing, and one may stand for a neighbour that was rounded.

    Parameters
    ----------
    {x, format}
    {kwargs}

    Returns
    -------
    ndarray of bool

    Raises
    ------
    {not numbers}
    """
    format = format_given(format)
    return _loops("is_exact_integer", format)(raw_codes(x, format), **kwargs)


@functools.cache
def _loops(function, format):
    # a loop for each floating-point dtype there is, or the one for a format's codes
    if format is None:
        return _kernels.of_formats(function, function, [
            (known, known.dtype.num) for known in reversed(FORMATS) if known.dtype is not None
        ])
    return _kernels.of_formats(function, f"{function}_{format.name}", [(format, format.code_dtype.num)])


@functools.cache
def _composer(format):
    number = format.code_dtype.num if format.native is None else format.native.num
    return _kernels.of_formats("compose", f"compose_{format.name}", [(format, number)])


def raw_codes(x, format):
    """Raw codes of a format as an array of its unsigned dtype; numbers of its own dtype are codes as they stand.

    Without a format, `x` itself, if its numbers are floats.
    """
    dtype = getattr(x, "dtype", None)
    if format is None:
        if not isinstance(dtype, np.dtype):
            if hasattr(type(x), "__array_ufunc__"):  # which makes arrays of its own
                return x
            x = as_array("x", x)
        if x.dtype.kind in "biu":
            raise TypeError("integers have no floating-point format; expected floats, or codes and their format")
        if x.dtype.kind == "O":
            raise TypeError("objects have no floating-point format; expected an array of floats")
        return x
    if dtype == format.code_dtype:
        return x
    array = as_array("codes", x)
    own = array.dtype.newbyteorder("=")
    if own == format.dtype and own.kind not in "iu":
        return array.astype(own, copy=False).view(format.code_dtype)
    return whole_numbers(array, format.code_dtype, f"codes of {format.name}")


def whole_numbers(x, dtype, what):
    """`x` as an array of an unsigned dtype; an error where a number is not whole, or the dtype does not hold it."""
    if getattr(x, "dtype", None) == dtype:
        return x
    array = as_array(what, x)
    if array.size == 0:
        return np.empty(array.shape, dtype)
    if array.dtype.kind not in "iub":
        raise TypeError(f"{what} are of dtype {array.dtype}; expected {dtype}")
    seen = array.compressed() if isinstance(array, np.ma.MaskedArray) else array
    low, high = int(seen.min(initial=0)), int(seen.max(initial=0))
    if low < 0 or high > np.iinfo(dtype).max:
        raise ValueError(f"{what} reach from {low} to {high}; expected 0 to {np.iinfo(dtype).max}")
    return array.astype(dtype)
