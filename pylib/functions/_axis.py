"""What the functions along an axis share: their checks, and the call of a gufunc on one axis of several arrays.
The functions themselves are in norms.py, softmax.py and losses.py. Nothing here computes."""

import math

import numpy as np

from ..kernels.operands import (
    along,
    call,
    check_out,
    checked,
    floating,
    floats_beside,
    from_zero,
    refuse_mask,
    rounded_to,
    summed,
    vector,
    whole,
)

__all__ = ["as_rows", "backward_on_axis", "call", "checked", "fill", "fitting", "floating", "floats_beside",
           "from_zero", "like", "of_number", "on_axis", "refuse_mask", "rounded_to", "statistic", "vector", "whole"]


def like(name, role, other, x):
    """Another array of the shape of `x`."""
    other = floating(name, role, other)
    if other.shape != x.shape:
        raise ValueError(f"{name}: {role} of shape {other.shape} does not fit x of shape {x.shape}")
    return other


def statistic(name, role, values, x, axis):
    """A statistic of every row of `x`, as a forward function returned it."""
    values = floating(name, role, values)
    expected = x.shape[:axis] + x.shape[axis + 1:]
    if values.shape != expected:
        raise ValueError(f"{name}: {role} of shape {values.shape} does not fit x of shape {x.shape}; without axis "
                         f"{axis} it must have shape {expected}")
    return values


def of_number(name, function, operands, out, **keywords):
    """A function along an axis of 0-d operands: of arrays of one number, its results without their axis."""
    place = None if out is None else fitting(name, out, ()).reshape(1)
    found = function(*(np.reshape(operand, 1) for operand in operands), axis=0, out=place, **keywords)
    y, *others = found if isinstance(found, tuple) else (found,)
    y = out if out is not None else np.reshape(y, ())[()]
    return (y, *others) if others else y


def on_axis(gufunc, kinds, operands, axis, ndim, *out):
    """Call a gufunc whose operands are of the given kinds: r a row along `axis`, v a vector, s one number a row. The
    first outputs may be given."""
    if axis == ndim - 1:
        return along(gufunc, kinds, operands, out)
    return call(gufunc, kinds, operands, out, axes=[{"r": axis, "v": -1, "s": ()}[kind] for kind in kinds])


def as_rows(x, axis):
    """`x` as (p, q, n) with `axis` last, a view where x is contiguous."""
    p, q = math.prod(x.shape[:axis]), math.prod(x.shape[axis + 1:])
    return x.reshape(p, 1, -1) if q == 1 and x.size else x.reshape(p, x.shape[axis], q).transpose(0, 2, 1)


def fitting(name, out, shape):
    """An array to write to, which must have that shape."""
    check_out(name, out)
    if out.shape != shape:
        raise ValueError(f"{name}: out of shape {out.shape} does not fit; expected shape {shape}")
    return out


def new(x, gufunc, *operands):
    """An array like `x` for the first output of a gufunc of these operands."""
    dtypes = {operand.dtype for operand in operands}
    if len(dtypes) > 1 or x.dtype not in (np.float32, np.float64):
        outputs = (None,) * gufunc.nout
        some = (*(operand.dtype for operand in operands), *gufunc.types[1][len(operands):gufunc.nin])
        dtypes = {gufunc.resolve_dtypes((*map(np.dtype, some), *outputs))[gufunc.nin]}
    return np.empty_like(x, dtypes.pop().newbyteorder("="), order="C")


def fill(name, out, x, gufunc, operands, shaped, filled):
    """Call a gufunc with `out`, or a new array for the results of these operands of its, in the shape of `x`, shaped as
    it wants it; return that and what the call did. Where the memory of `out` allows no such view, other memory is
    filled and copied."""
    if out is None:
        out = new(x, gufunc, *operands)
    view = shaped(fitting(name, out, x.shape))
    if np.may_share_memory(view, out):
        return out, filled(view)
    place = np.empty(out.shape, out.dtype)
    result = filled(shaped(place))
    out[...] = place
    return out, result


def backward_on_axis(name, gufunc, kinds, operands, axis, out):
    """Call a gufunc on (p, q, n) whose operands, grad and x first, are of the given kinds: the gradient of `x` in its
    shape, then those of the vectors."""
    grad, x, *others = operands
    if axis == x.ndim - 1:
        found = summed(gufunc, kinds, operands, () if out is None else (fitting(name, out, x.shape),))
        if found is not None:
            return found
    rows = as_rows(x, axis)
    others = [other.reshape(rows.shape[:2]) if kind == "s" else other
              for kind, other in zip(kinds[2:], others, strict=False)]
    grad_x, (_, *sums) = fill(
        name, out, x, gufunc, (grad, x), lambda place: as_rows(place, axis),
        lambda place: call(gufunc, kinds, (as_rows(grad, axis), rows, *others), (place,)))
    return grad_x, *sums
