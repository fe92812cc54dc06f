"""What the functions along an axis share: their checks, and the call of a gufunc on one axis of several arrays.
The functions themselves are in norms.py, softmax.py and losses.py. Nothing here computes."""

import math

import numpy as np

from ..kernels.operands import (
    as_array,
    call,
    checked,
    dtype_given,
    fitting,
    floating,
    floats_beside,
    from_zero,
    on_axis,
    refuse_mask,
    refuse_narrow,
    rounded_to,
    rows_at_once,
    stored,
    truth,
    vector,
    whole,
)

__all__ = ["as_rows", "backward_on_axis", "broadcast_beside", "call", "checked", "fill", "fitting", "floating",
           "floats_beside", "from_zero", "in_rows", "like", "of_dtype", "of_number", "on_axis", "over_axes",
           "refuse_mask", "refuse_narrow", "refuse_one", "rounded_to", "rows_at_once", "several", "statistic", "stored",
           "truth", "vector", "whole", "whole_axes"]

_WIDENED = 2048  # elements of a row of 16-bit numbers
_MOST_WIDENED = 16384  # that are one row
_NONE: dict = {}  # operands of a kind that a function lacks


def like(name, role, other, x, beside="x"):
    """Another array of the shape of `x`, whose role is `beside`."""
    other = floating(name, role, other)
    if other.shape != x.shape:
        raise ValueError(f"{name}: {role} of shape {other.shape} does not fit {beside} of shape {x.shape}")
    return other


def statistic(name, role, values, x, axis):
    """A statistic of every row of `x`, as a forward function returned it."""
    values = floating(name, role, values)
    expected = x.shape[:axis] + x.shape[axis + 1:]
    if values.shape != expected:
        raise ValueError(f"{name}: {role} of shape {values.shape} does not fit x of shape {x.shape}; without axis "
                         f"{axis} it must have shape {expected}")
    return values


def of_dtype(name, x, dtype):
    """`x` converted to a dtype of floats, as a function's `dtype` asks."""
    x, dtype = floating(name, "x", x), dtype_given(name, dtype)
    if floating(name, "dtype", np.empty(0, dtype)).dtype != dtype:
        raise TypeError(f"{name}: dtype must be float16, bfloat16, float32 or float64, not {dtype}")
    return rounded_to(dtype, x)


def of_number(name, function, operands, out, **keywords):
    """A function along an axis of 0-d operands: of arrays of one number, its results without their axis."""
    place = None if out is None else fitting(name, out, ()).reshape(1)
    found = function(*(np.reshape(operand, 1) for operand in operands), axis=0, out=place, **keywords)
    y, *others = found if isinstance(found, tuple) else (found,)
    y = out if out is not None else np.reshape(y, ())[()]
    return (y, *others) if others else y


def refuse_one(name, mean, rstd):
    """An error where one of two statistics is given without the other."""
    if (mean is None) != (rstd is None):
        raise ValueError(f"{name}: mean and rstd go together; {'rstd' if mean is None else 'mean'} was given alone")


def several(axis):
    """Whether an axis is a tuple of axes, or None, which stands for all."""
    return axis is None or isinstance(axis, tuple)


def whole_axes(name, x, axis, role="x"):
    """The axes of `x`, which has that role, that a tuple or None names, counted from the front, in their order; or one
    that was checked."""
    if axis is None:
        return tuple(range(x.ndim))
    if not isinstance(axis, tuple):
        return (axis,)
    axes = tuple(sorted(checked(name, x, one, "an int", role)[1] for one in axis))
    if len(set(axes)) < len(axes):
        raise ValueError(f"{name}: axis {axis} names an axis twice")
    return axes if x.ndim else ()


def broadcast_beside(name, role, values, x, beside="x"):
    """An operand that broadcasts to the shape of `x`, whose role is `beside`, in that shape."""
    refuse_mask(name, role, values)
    array = as_array(name, role, values)
    try:
        return np.broadcast_to(array, x.shape)
    except ValueError:
        raise ValueError(f"{name}: {role} of shape {array.shape} does not broadcast to {beside} of shape {x.shape}"
                         ) from None


def _merged(array, axes):
    # with these axes as its last one; a view where the memory allows it
    k = len(axes)
    moved = np.moveaxis(array, axes, range(-k, 0))
    return moved.reshape(*moved.shape[:moved.ndim - k], math.prod(moved.shape[moved.ndim - k:]))


def _parted(array, axes, shape):
    # and back: with axes of this shape
    others = [size for k, size in enumerate(shape) if k not in axes]
    parts = np.reshape(array, (*others, *(shape[k] for k in axes)))
    return np.ascontiguousarray(np.moveaxis(parts, range(-len(axes), 0), axes)).reshape(shape)


def over_axes(function, rows, axis, out=None, *, beside=_NONE, vectors=_NONE, statistics=_NONE, name=None, gives="r",
              **keywords):
    """Call a function along an axis on several, which are merged into one. `rows` are operands of the shape of x by
    their names, x last; `beside` others that broadcast to it, `vectors` weights of the shape of these axes, and
    `statistics` numbers a row. `gives` has a letter for each result: r as x, v as a vector, s one a row; a place in
    `out` for each of the first, which is a tuple where a function wants one."""
    *others, (own, x) = rows.items()
    name = name or function.__name__
    x = floating(name, own, x)
    axes = whole_axes(name, x, axis, own)
    shape, vector_shape = x.shape, tuple(x.shape[k] for k in axes)
    merged = [_merged(like(name, role, array, x, own), axes) for role, array in others]
    merged.append(_merged(x, axes))
    given = {}
    for role, values in beside.items():
        given[role] = values if values is None else _merged(broadcast_beside(name, role, values, x, own), axes)
    for role, values in vectors.items():
        if values is not None:
            values = floats_beside(name, role, values, x)
            if values.shape != vector_shape:
                raise ValueError(f"{name}: {role} of shape {values.shape} does not fit x of shape {shape}; along axes "
                                 f"{axes} it must have shape {vector_shape}")
            values = values.reshape(-1)
        given[role] = values
    for role, values in statistics.items():
        expected = tuple(size for k, size in enumerate(shape) if k not in axes)
        if values is not None and (found := as_array(name, role, values).shape) != expected:
            raise ValueError(f"{name}: {role} of shape {found} does not fit x of shape {shape}; without "
                             f"axes {axes} it must have shape {expected}")
        given[role] = values
    outs = out if isinstance(out, tuple) else (out,)
    places = [None if place is None else _merged(fitting(name, place, shape), axes) for place in outs]
    places = [None if place is None or not np.may_share_memory(place, own) else place
              for place, own in zip(places, outs, strict=True)]
    found = function(*merged, axis=-1, out=tuple(places) if isinstance(out, tuple) else places[0], **given, **keywords)
    results = list(found) if isinstance(found, tuple) else [found]
    for k, kind in enumerate(gives[:len(results)]):
        if kind == "v" and results[k] is not None:
            results[k] = results[k].reshape(vector_shape)
        if kind == "r" and k < len(outs) and outs[k] is not None:
            if places[k] is None:
                stored(name, outs[k], _parted(results[k], axes, shape))
            results[k] = outs[k]
        elif kind == "r":
            results[k] = _parted(results[k], axes, shape)[()]
    return tuple(results) if isinstance(found, tuple) else results[0]


def in_rows(name, gufunc, operands, *out):
    """The call on rows of all numbers, each as one row or, where they are many of 16 bits, as several: a row of these
    is widened as a whole, which is faster where that stays in the cache. Results that are as many as these numbers go
    to an `out`, which may be None; sums have none, and there may be several to add up."""
    n = len(operands[0])
    if operands[0].itemsize > 2 or n <= _MOST_WIDENED:
        return on_axis(name, gufunc, operands, 0, 1, *out)
    length = math.gcd(n, _WIDENED)
    if length < _WIDENED // 8:  # some are left over
        if n <= 4 * _MOST_WIDENED:
            return on_axis(name, gufunc, operands, 0, 1, *out)
        length = _WIDENED
    end, last = n - n % length, None
    if end < n:  # before `out`, which may be where operands are, holds anything
        last = on_axis(name, gufunc, _parts(operands, slice(end, n), (-1,)), 0, 1)
        out = tuple(np.empty(n, operands[0].dtype) if place is None else place for place in out)
    found = on_axis(name, gufunc, _parts(operands, slice(end), (-1, length)), 1, 2,
                    *_parts(out, slice(end), (-1, length)))
    if end == n:
        return found
    if not out:
        return np.append(found, last)
    out[0][end:] = last
    return out[0]


def _parts(operands, where, shape):
    return tuple(each[where].reshape(shape) if isinstance(each, np.ndarray) and each.size else each
                 for each in operands)


def as_rows(x, axis):
    """`x` as (p, q, n) with `axis` last, a view where x is contiguous."""
    p, q = math.prod(x.shape[:axis]), math.prod(x.shape[axis + 1:])
    return x.reshape(p, 1, -1) if q == 1 and x.size else x.reshape(p, x.shape[axis], q).transpose(0, 2, 1)


def new(x, gufunc, *operands):
    """An array like `x` for the first output of a gufunc of these operands."""
    dtypes = {operand.dtype for operand in operands}
    if len(dtypes) > 1 or x.dtype not in (np.float32, np.float64):
        outputs = (None,) * gufunc.nout
        some = (*(operand.dtype for operand in operands), *gufunc.types[1][len(operands):gufunc.nin])
        dtypes = {gufunc.resolve_dtypes((*map(np.dtype, some), *outputs))[gufunc.nin]}
    # a memory-mapped array's result is no file: NumPy's functions return an array, too
    return np.empty_like(x, dtypes.pop().newbyteorder("="), order="C", subok=not isinstance(x, np.memmap))


def fill(name, out, x, gufunc, operands, shaped, filled):
    """Call a gufunc with `out`, or a new array for the results of these operands of its, in the shape of `x`, shaped as
    it wants it; return that and what the call did. Where the memory of `out` allows no such view, other memory is
    filled and copied."""
    if out is None:
        out = new(x, gufunc, *operands)
    place = fitting(name, out, x.shape)
    view = shaped(place)
    if np.may_share_memory(view, out):
        return out, filled(view)
    apart = np.empty(out.shape, out.dtype)
    result = filled(shaped(apart))
    place[...] = apart
    return out, result


def backward_on_axis(name, gufunc, operands, axis, out):
    """Call a gufunc on (p, q, n) of these operands, grad, x, weight and statistics: the gradient of `x` in its shape,
    then those of the vectors."""
    grad, x, weight, *statistics = operands
    rows = as_rows(x, axis)
    statistics = [statistic.reshape(rows.shape[:2]) for statistic in statistics]
    grad_x, (_, *sums) = fill(
        name, out, x, gufunc, (grad, x), lambda place: as_rows(place, axis),
        lambda place: call(name, gufunc, (as_rows(grad, axis), rows, weight, *statistics), (place,)))
    return grad_x, *sums
