"""What the functions along an axis share: their checks, and the call of a gufunc on one axis of several arrays.
The functions themselves are in norms.py, softmax.py and losses.py. Nothing here computes."""

import math

import numpy as np

from .kernels.operands import along, checked, floating, vector

__all__ = ["as_rows", "backward_on_axis", "checked", "fill", "fitting", "floating", "like", "on_axis", "statistic",
           "vector"]

def like(name, role, other, x):
    """Another array of the shape of `x`."""
    other = floating(other)
    if other.shape != x.shape:
        raise ValueError(f"{name}: {role} of shape {other.shape} does not fit x of shape {x.shape}")
    return other


def statistic(name, role, values, x, axis):
    """A statistic of every row of `x`, as a forward function returned it."""
    values = np.asanyarray(values)
    expected = x.shape[:axis] + x.shape[axis + 1:]
    if values.shape != expected:
        raise ValueError(f"{name}: {role} of shape {values.shape} does not fit x of shape {x.shape}; without axis "
                         f"{axis} it must have shape {expected}")
    return values


def on_axis(gufunc, kinds, operands, axis, ndim, *out):
    """Call a gufunc whose operands are of the given kinds: r a row along `axis`, v a vector, s one number a row. The
    first outputs may be given."""
    if axis == ndim - 1:
        return along(gufunc, kinds, operands, out)
    keywords = {"out": (*out, *(None,) * (gufunc.nout - len(out)))}
    keywords["axes"] = [{"r": axis, "v": -1, "s": ()}[kind] for kind in kinds]
    return gufunc(*operands, **keywords)


def as_rows(x, axis):
    """`x` as (p, q, n) with `axis` last, a view where x is contiguous."""
    p, q = math.prod(x.shape[:axis]), math.prod(x.shape[axis + 1:])
    return x.reshape(p, 1, -1) if q == 1 and x.size else x.reshape(p, x.shape[axis], q).transpose(0, 2, 1)


def fitting(name, out, x, dtype):
    """`out`, which must have the shape of `x`; a new array where there is none."""
    if out is None:
        return np.empty(x.shape, dtype)
    if not isinstance(out, np.ndarray) or out.shape != x.shape:
        raise ValueError(f"{name}: out of shape {np.shape(out)} does not fit x of shape {x.shape}")
    return out


def fill(out, shaped, call):
    """Call with `out` shaped as a gufunc wants it, and return `out` and what the call did; where its memory does not
    allow such a view, with other memory that is copied then."""
    place = out if np.may_share_memory(shaped(out), out) else np.empty(out.shape, out.dtype)
    result = call(shaped(place))
    if place is not out:
        out[...] = place
    return out, result


def backward_on_axis(name, gufunc, grad, x, vectors, statistics, axis, out):
    """Call a gufunc on (p, q, n): the gradient of `x` in its shape, then those of the vectors."""
    rows = as_rows(x, axis)
    statistics = [values.reshape(rows.shape[:2]) for values in statistics]
    grad_x, (_, *others) = fill(
        fitting(name, out, x, np.result_type(grad, x)), lambda place: as_rows(place, axis),
        lambda place: gufunc(as_rows(grad, axis), rows, *vectors, *statistics, place))
    return grad_x, *others
