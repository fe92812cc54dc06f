"""What the functions for learning share: arrays as the kernels take them, and results in their dtype."""

import numpy as np

from ..bounds import LEARNING_BOUNDS, LEARNING_UNITS
from ..environment import unflushed
from ..genome.codes import seed_of
from ..kernels.operands import (
    check_out,
    dtype_given,
    floating,
    floats_beside,
    from_zero,
    plain,
    refuse_mask,
    rounded_to,
    stored,
    truth,
    whole,
)

__all__ = ["MOST", "add", "check_out", "computed", "finish", "fitting", "floating", "floats_beside", "floats_given",
           "from_zero", "generation_given", "key_of", "plain", "promoted", "refuse_mask", "rounded_to", "size_given",
           "truth", "whole", "with_bound"]

MOST = np.iinfo(np.intp).max // 8  # elements that an array can have
_WIDE = (np.dtype(np.float32), np.dtype(np.float64))


@unflushed
def add(a, b):
    """The sum of two arrays; what is beyond the dtype becomes an infinity without a warning."""
    with np.errstate(all="ignore"):
        return np.add(a, b)


def computed(x):
    """`x` as a C-contiguous, aligned array of the dtype it is computed in: 16-bit floats as float32."""
    dtype = x.dtype if x.dtype in _WIDE else _WIDE[0]
    if type(x) is np.ndarray and x.dtype is dtype and x.flags.c_contiguous and x.flags.aligned:
        return x
    x = np.asarray(x, dtype.newbyteorder("="), order="C")
    return x if x.flags.aligned else x.copy()


def size_given(name, role, value):
    """How long an axis is to be; an error where it is none."""
    size = whole(name, role, value)
    if not 0 <= size <= MOST:
        raise ValueError(f"{name}: {role} must be from 0 to {MOST}, not {size}")
    return size


def floats_given(name, dtype):
    """A dtype of floats, given as such or by its name; an error where it is another."""
    dtype = dtype_given(name, dtype)
    if floating(name, "an array of dtype", np.empty(0, dtype)).dtype != dtype:
        raise TypeError(f"{name}: dtype must be one of floats, such as float32, not {dtype}")
    return dtype


def fitting(name, grad, shape):
    """A gradient of the shape of what went forward: a mask or a slope of another would fit by chance."""
    grad = floating(name, "grad", grad)
    if grad.shape != shape:
        raise ValueError(f"{name}: grad of shape {grad.shape} does not fit; expected shape {shape}, as of the forward")
    return grad


def key_of(name, rng):
    """The 64-bit key of a random stream, an int, or drawn from a Generator."""
    try:
        return seed_of(rng)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{name}: {error}") from None


def generation_given(name, generation):
    """The part of a key that counts layers or passes; an error where it has more than 32 bits."""
    generation = whole(name, "generation", generation)
    if not 0 <= generation < 2**32:
        raise ValueError(f"{name}: generation must be from 0 to {2**32 - 1}, not {generation}")
    return generation


def promoted(name, **arrays):
    """The dtype that arrays promote to."""
    dtypes = [array.dtype for array in arrays.values()]
    first = dtypes[0]
    if first in _WIDE and dtypes.count(first) == len(dtypes):
        return first  # the object itself, which callers compare by identity
    try:
        return np.result_type(*arrays.values())
    except TypeError:  # float16 and bfloat16
        given = " and ".join(f"{role} of {array.dtype}" for role, array in arrays.items())
        raise TypeError(f"{name}: {given} have no common dtype; convert one of them") from None


def finish(name, y, x, out):
    """The result in the dtype of `x`, or in `out`."""
    return rounded_to(x.dtype, y) if out is None else stored(name, out, y)


def with_bound(function):
    """Put the error bound of a function where its docstring says ``%(bound)s``."""
    name = function.__name__
    if function.__doc__:  # which python -OO leaves out
        bounds = ", ".join(f"{bound:g} ({dtype})" for dtype, bound in LEARNING_BOUNDS[name].items())
        note = f"Error bound in ULP of {LEARNING_UNITS.get(name, 'the exact result')}: {bounds}."
        function.__doc__ = function.__doc__.replace("%(bound)s", note)
    return function
