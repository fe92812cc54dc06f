"""The softmax family along an axis, forward and backward. Defaults, checks and documentation; the arithmetic is in
kernels/softmax.pyx, and the bound of each function in bounds.py."""

import math

import numpy as np

from ..kernels import softmax as _kernels
from ..kernels.operands import as_array, last_axes
from ._axis import (
    broadcast_beside,
    checked,
    floating,
    like,
    of_dtype,
    of_number,
    on_axis,
    over_axes,
    refuse_mask,
    rows_at_once,
    several,
    truth,
)
from ._documentation import with_bound

__all__ = ["log_softmax", "log_softmax_backward", "softmax", "softmax_backward", "softmin", "softmin_backward"]


def _where(name, where, x, role="x"):
    # `where` as booleans of the shape of x, which has that role
    refuse_mask(name, "where", where)
    where = where if isinstance(where, np.ndarray) else as_array(name, "where", where)
    if where.dtype != np.bool:
        raise TypeError(f"{name}: where must hold booleans, not {where.dtype}")
    return where if where.shape == x.shape else broadcast_beside(name, "where", where, x, role)


def left(name, x, where, otherwise, role="x"):
    """x, which is of the shape of what has that role, and another number where `where` leaves something out."""
    if where is None:
        return x
    where = np.ascontiguousarray(_where(name, where, x, role))
    x = x if x.flags.aligned else x.copy()
    return _kernels.kept(np.ascontiguousarray(x), where, np.array(otherwise, x.dtype)).reshape(x.shape)


def _soft(function, plain, x, axis, out, where, safe, dtype):
    # softmax, softmin or log_softmax, whose rows without `where` and `safe` are `plain`
    name = function.__name__
    if where is None and safe is False and dtype is None and (
            found := rows_at_once(name, plain, (x,), axis, out)) is not None:
        return found
    safe = truth(name, "safe", safe)
    if dtype is not None:
        x = of_dtype(name, x, dtype)
    x, axis = (floating(name, "x", x), axis) if several(axis) else checked(name, x, axis)
    one, last, sign = isinstance(axis, int), last_axes(x, axis), -1.0 if function is softmin else 1.0
    if one and x.ndim == 0:
        return of_number(name, function, (x,), out, where=where, safe=safe)
    if one or last:
        gufunc, operands = plain, (x,)
        if function is log_softmax and (where is not None or safe):
            gufunc, operands = _kernels.safe_log_softmax_gufunc, (left(name, x, where, -np.inf),)
        elif where is not None and last:
            where = np.ascontiguousarray(_where(name, where, x))  # hidden as attention hides a key
            n = float(math.prod(x.shape[x.ndim - last:]))
            gufunc, operands = _kernels.masked_softmax_where_gufunc, (x, where, sign, n)
        elif where is not None or safe:  # neighbouring rows are computed side by side
            gufunc, operands = _kernels.safe_softmax_gufunc, (left(name, x, where, -sign * np.inf), sign, 1.0)
        found = rows_at_once(name, gufunc, operands, axis, out)
        if found is not None:
            return found
        if one:
            return on_axis(name, gufunc, operands, axis, x.ndim, out)
    return over_axes(function, {"x": x}, axis, out, beside={"where": where}, safe=safe)


@with_bound
def softmax(x, axis=-1, *, out=None, where=None, safe=False, dtype=None):
    """Softmax: ``exp(x) / sum(exp(x))`` along `axis`.

    What is subtracted is not the largest element but the largest exponent of two, a whole number. So no difference
    x - max is rounded, and small results are as accurate as large ones.

    Parameters
    ----------
    x : array_like
        float32, float64, float16 or bfloat16. float16 and bfloat16 are computed in float32 and rounded once.
    axis : int, tuple of int or None
        The axis whose results sum to one, a tuple of axes whose results do together, or None for all axes.
    out : ndarray, optional
        Where to put the result; may be `x`.
    where : array_like of bool, optional
        Broadcasts to the shape of `x`. Elements where it is False are left out of the sum, whatever their value, and
        their result is 0. So a row that is left out entirely is zeros, and so is one of which only -inf is left.
    safe : bool
        Whether a row of nothing but -inf gives zeros, as in ``torch._safe_softmax``, and not NaN.
    dtype : dtype, optional
        float16, bfloat16, float32 or float64: what `x` is converted to before anything is computed, and the dtype of
        the result, as in PyTorch.

    Returns
    -------
    y : ndarray
        Of the shape of `x`. A row with NaN or +inf is NaN, and one of nothing but -inf without `where` and `safe`.

    Raises
    ------
    ValueError
        If `x` has no such axis, or `where` does not broadcast to it.
    TypeError
        If `where` does not hold booleans, or `dtype` is another.

    Notes
    -----
    %(bound)s

    Examples
    --------
    >>> import lanewise as lw
    >>> lw.softmax([0.0, 0.0])
    array([0.5, 0.5])
    """
    return _soft(softmax, _kernels.softmax_gufunc, x, axis, out, where, safe, dtype)


@with_bound
def softmin(x, axis=-1, *, out=None, where=None, safe=False, dtype=None):
    """Softmin: ``softmax(-x)`` along `axis`. Parameters, result and errors are those of `softmax`.

    Notes
    -----
    %(bound)s
    """
    return _soft(softmin, _kernels.softmin_gufunc, x, axis, out, where, safe, dtype)


@with_bound
def log_softmax(x, axis=-1, *, out=None, where=None, safe=False, dtype=None):
    """Logarithm of softmax: ``x - log(sum(exp(x)))`` along `axis`.

    The largest element is left out of the sum, and ``log1p`` is taken of the rest. So if that element is nearly all of
    the sum, its result is a small negative number, right to one ULP, and not -0; the others are added with their
    rounding errors. Parameters and errors are those of `softmax`; where the softmax is 0, the result is -inf. In a row
    with +inf that is NaN, and the others are -inf.

    Returns
    -------
    y : ndarray
        Of the shape of `x`.

    Notes
    -----
    %(bound)s

    Examples
    --------
    >>> import lanewise as lw
    >>> lw.log_softmax([0.0, 40.0])
    array([-4.00000000e+01, -4.24835426e-18])
    """
    return _soft(log_softmax, _kernels.log_softmax_gufunc, x, axis, out, where, safe, dtype)


def _of_output(backward, gufunc, grad, y, axis, out, where, *sign):
    # what the backwards share that take the forward's output
    name = backward.__name__
    if where is None and (found := rows_at_once(name, gufunc, (grad, y, *sign), axis, out)) is not None:
        return found
    y, axis = (floating(name, "y", y), axis) if several(axis) else checked(name, y, axis, role="y")
    one = isinstance(axis, int)
    if one or last_axes(y, axis):
        kept = left(name, like(name, "grad", grad, y, "y"), where, 0.0, "y")
        if where is not None and (found := rows_at_once(name, gufunc, (kept, y, *sign), axis, out)) is not None:
            return found
        if one and y.ndim == 0:
            return of_number(name, backward, (kept, y), out)
        if one:
            return on_axis(name, gufunc, (kept, y, *sign), axis, y.ndim, out)
    return over_axes(backward, {"grad": grad, "y": y}, axis, out, beside={"where": where})


@with_bound
def softmax_backward(grad, y, axis=-1, *, out=None, where=None):
    """Gradient of `softmax` with respect to its input, from its output: ``y * (grad - sum(grad * y))``.

    Parameters
    ----------
    grad, y : array_like
        The gradient arriving, and what `softmax` returned; of one shape.
    axis : int, tuple of int or None
        As given to `softmax`.
    out : ndarray, optional
        Where to put the result.
    where : array_like of bool, optional
        As given to `softmax`: elements that it leaves out get 0, and the gradient arriving there is ignored.

    Returns
    -------
    grad_x : ndarray
        Of the shape of `y`.

    Raises
    ------
    ValueError
        If the shapes differ, `y` has no such axis, or `where` does not broadcast to it.
    TypeError
        If `where` does not hold booleans.

    Notes
    -----
    %(bound)s
    """
    return _of_output(softmax_backward, _kernels.softmax_backward_gufunc, grad, y, axis, out, where, 1.0)


@with_bound
def softmin_backward(grad, y, axis=-1, *, out=None, where=None):
    """Gradient of `softmin` with respect to its input, from its output: ``y * (sum(grad * y) - grad)``.

    Parameters, result and errors are those of `softmax_backward`.

    Notes
    -----
    %(bound)s
    """
    return _of_output(softmin_backward, _kernels.softmax_backward_gufunc, grad, y, axis, out, where, -1.0)


@with_bound
def log_softmax_backward(grad, y, axis=-1, *, out=None, where=None):
    """Gradient of `log_softmax` with respect to its input, from its output: ``grad - exp(y) * sum(grad)``.

    Parameters, result and errors are those of `softmax_backward`.

    Notes
    -----
    %(bound)s
    """
    return _of_output(log_softmax_backward, _kernels.log_softmax_backward_gufunc, grad, y, axis, out, where)
