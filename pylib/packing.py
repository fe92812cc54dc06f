"""Codes of four bits packed two to a byte, and the checks of arrays of codes: what genomes and four-bit formats share.

What a code stands for is decided in genome/codes.py and in formats.py; the arithmetic is lanewise.kernels.genome.
"""

import math
import operator

import numpy as np

from .kernels import genome as _kernels
from .kernels import operands as _operands

__all__ = ["pack", "unpack"]

FOUR_BITS = ("int4", "uint4", "float4_e2m1fn")  # of ml_dtypes, one number per byte


def whole(name, value, largest):
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} is an int; got {type(value).__name__}") from None
    if not 0 <= number <= largest:
        raise ValueError(f"{name} is between 0 and {largest}; got {number}")
    return number


def as_array(name, array):
    """An ndarray or a subclass of it; an error where NumPy makes none."""
    return _operands.as_array(None, name, array)


def plain(name, array):
    """An ndarray; an error of a masked one."""
    if type(array) is np.ndarray:
        return array
    if isinstance(array, np.ma.MaskedArray):
        raise TypeError(f"{name} is a masked array, whose mask would not be seen; fill it or drop what it hides")
    return np.asarray(as_array(name, array))


def _plain_numbers(name, array, dtype):
    # `plain`; for a dtype of floats also of Python's ints beyond 64 bits, of which NumPy makes objects, as float64
    found = plain(name, array)
    if found.dtype != object or dtype.kind != "f" or hasattr(array, "dtype") or (
            not all(type(each) in (int, float) for each in found.flat)):
        return found
    return np.array([_nearest_float(each) for each in found.flat]).reshape(found.shape)


def _nearest_float(number):
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def numbers(name, array, dtype):
    """Numbers as an ndarray of a dtype of floats; an error where they are none."""
    array = _plain_numbers(name, array, np.dtype(dtype))
    # the types of ml_dtypes, such as bfloat16, are of the kind V
    if array.dtype.kind not in "biuf" and (array.dtype.kind != "V" or issubclass(array.dtype.type, np.void)):
        raise TypeError(f"{name} is a number, or an array of numbers; got {array.dtype}")
    if array.dtype == dtype:
        return array
    with np.errstate(over="ignore", invalid="ignore"):  # a number beyond float32 becomes infinite; a NaN may signal
        return array.astype(dtype)


def one_of(name, value, known):
    """An option; an error where there is no such one."""
    if not isinstance(value, str) or value not in known:
        raise ValueError(f"{name} is one of {', '.join(known)}; got {value!r:.60}")
    return value


def contiguous(array):
    """An array as C lays it out, each number on a boundary of its size, as kernels read it."""
    if array.ndim and array.flags.carray:  # laid out so, and may be written to
        return array
    array = np.ascontiguousarray(array)
    return array if array.flags.aligned else array.copy()


def held(name, array, dtype):
    """An ndarray of a dtype, of an array whose every number that dtype has, such as one of another byte order, or of a
    list of numbers; an error of other arrays, whose numbers would be rounded or cut."""
    dtype = np.dtype(dtype)
    found = _plain_numbers(name, array, dtype)
    if found.dtype == dtype:
        return found
    if np.can_cast(found.dtype, dtype) and found.dtype != bool:
        return numbers(name, found, dtype) if dtype.kind == "f" else found.astype(dtype)
    if not hasattr(array, "dtype") and (found.dtype.kind in ("iuf" if dtype.kind == "f" else "iu") or (
            found.dtype == object and all(type(each) is int for each in found.flat))):  # beyond 64 bits
        if dtype.kind == "f":
            return numbers(name, found, dtype)
        info = np.iinfo(dtype)
        if found.size and not info.min <= found.min() <= found.max() <= info.max:
            raise ValueError(f"{name} holds numbers from {info.min} to {info.max}; got "
                             f"{found.min() if found.min() < info.min else found.max()}")
        return found.astype(dtype)
    raise TypeError(f"{name} holds {dtype}; got {found.dtype}")


def rows_of(name, array):
    # an array that is `held`, as a C-contiguous matrix with one row for each index of the leading axes
    if array.ndim == 0:
        raise ValueError(f"{name} has at least one axis; got a scalar")
    if not array.size:
        return array.reshape(int(np.prod(array.shape[:-1])), array.shape[-1])
    array = contiguous(array)
    return array if array.ndim == 2 else array.reshape(-1, array.shape[-1])


def codes_in(codes):
    """Codes, one per byte, of integers or of four-bit numbers."""
    codes = plain("codes", codes)
    if codes.dtype == np.uint8:
        return codes
    if codes.dtype.name in FOUR_BITS:
        return codes.view(np.uint8) & np.uint8(15)
    if codes.dtype.kind in "iu":
        if codes.size and not (codes.min() >= 0 and codes.max() <= 15):
            raise ValueError(f"a code is between 0 and 15; got {codes.min() if codes.min() < 0 else codes.max()}")
        return codes.astype(np.uint8)
    return codes if codes.size else np.empty(codes.shape, np.uint8)


def room(rows, size):
    """A matrix of uint8 that begins on a cache line, so that a kernel's registers of codes each come from one."""
    memory = np.empty(rows * size + 63, np.uint8)
    first = -memory.ctypes.data % 64
    return memory[first:first + rows * size].reshape(rows, size)


def weights_in(name, genomes, n_weights):
    # the number of weights, checked against the number of bytes
    if n_weights is None:
        return 2 * genomes.shape[-1]
    n_weights = whole("n_weights", n_weights, np.iinfo(np.intp).max)
    if (n_weights + 1) // 2 != genomes.shape[-1]:
        raise ValueError(f"{name} of {n_weights} weights have {(n_weights + 1) // 2} bytes; got {genomes.shape[-1]}")
    return n_weights


def pack(codes):
    """Pack codes two to a byte.

    Parameters
    ----------
    codes : array_like, shape (..., n)
        One code each, 0 to 15: integers, or numbers of a dtype of ml_dtypes that has four bits, whose bits are taken.

    Returns
    -------
    ndarray of uint8, shape (..., ceil(n / 2))

    Raises
    ------
    TypeError
        If the codes are no integers, or masked.
    ValueError
        If a code is below 0 or above 15.
    """
    codes = codes_in(codes)
    rows = rows_of("codes", held("codes", codes, np.uint8))
    genomes = room(rows.shape[0], (rows.shape[1] + 1) // 2)
    if not _kernels.pack(rows, genomes):
        raise ValueError(f"a code is between 0 and 15; got {rows.max()}")
    return genomes.reshape(*codes.shape[:-1], genomes.shape[1])


def unpack(genomes, n_weights=None):
    """Unpack to one code a byte; the inverse of `pack`.

    Parameters
    ----------
    genomes : array_like of uint8, shape (..., ceil(n / 2))
    n_weights : int, optional
        n, where it is odd.

    Returns
    -------
    ndarray of uint8, shape (..., n)

    Raises
    ------
    TypeError
        If `genomes` does not hold uint8.
    ValueError
        If `genomes` has no axis, or `n_weights` does not fit its bytes.
    """
    genomes = held("genomes", genomes, np.uint8)
    rows = rows_of("genomes", genomes)
    codes = np.empty((rows.shape[0], weights_in("genomes", rows, n_weights)), np.uint8)
    _kernels.unpack(rows, codes)
    return codes.reshape(*genomes.shape[:-1], codes.shape[1])
