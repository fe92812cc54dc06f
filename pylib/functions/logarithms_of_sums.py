"""Logarithms of sums of exponentials along an axis, forward and backward. Defaults, checks and documentation; the
arithmetic is in kernels/softmax.pyx, and the bound of each function in bounds.py."""

import numpy as np

from ..environment import unflushed
from ..kernels import softmax as _kernels
from ..kernels.operands import last_axes
from ._axis import (
    broadcast_beside,
    checked,
    floating,
    floats_beside,
    of_number,
    on_axis,
    over_axes,
    rounded_to,
    rows_at_once,
    several,
    statistic,
    stored,
    truth,
    whole_axes,
)
from ._documentation import with_bound
from .softmax import left

__all__ = ["logsumexp", "logsumexp_backward"]


def _log_sums(x, axis, where=None, b=None, out=None):
    # logarithms of sums, and their signs: None where no b can make one negative
    name, one, found = "logsumexp", isinstance(axis, int), None
    if one or last_axes(x, axis):
        if b is None:
            gufunc, operands = _kernels.logsumexp_gufunc, (left(name, x, where, -np.inf),)
        else:
            gufunc, operands = _kernels.weighted_logsumexp_gufunc, (x, _weights(name, b, x, where))
        found = rows_at_once(name, gufunc, operands, axis)
        if found is None and one:
            found = on_axis(name, gufunc, operands, axis, x.ndim)
    if found is None:
        return over_axes(_log_sums, {"x": x}, axis, beside={"where": where, "b": b}, name=name, gives="ss")
    return (found, None) if b is None else found


def _weights(name, b, x, where):
    # the factors of e^x, 0 where `where` is False
    return left(name, broadcast_beside(name, "b", floats_beside(name, "b", b, x), x), where, 0.0)


def _kept_shape(name, x, axis):
    if last := last_axes(x, axis):
        return x.shape[:x.ndim - last] + (1,) * last
    axes = whole_axes(name, x, axis if several(axis) else (axis,))
    return tuple(1 if k in axes else size for k, size in enumerate(x.shape))


@with_bound
def logsumexp(x, axis=-1, *, out=None, keepdims=False, where=None, b=None, return_sign=False):
    """Logarithm of the sum of exponentials: ``log(sum(b * exp(x)))`` along `axis`.

    With `b`, where the sum cancels or is close to 1, terms are computed and summed in twice the precision, so that a
    sum that cancels loses no more than its leading digits.

    Parameters
    ----------
    x : array_like
        float32, float64, float16 or bfloat16.
    axis : int, tuple of int or None
        The axis to sum over, a tuple of axes, or None for all axes.
    out : ndarray, optional
        Where to put the result.
    keepdims : bool
        Whether axes that are summed over stay, with a length of 1.
    where : array_like of bool, optional
        Broadcasts to the shape of `x`. Elements where it is False are left out of the sum, whatever their value.
    b : array_like, optional
        The factors of the exponentials, which broadcast to the shape of `x`; they may be negative. A factor of 0
        leaves out its exponential, which may be infinite or NaN.
    return_sign : bool
        Also return the sign of the sum. Without it the logarithm of a negative sum is NaN.

    Returns
    -------
    y : ndarray
        Of the dtype of `x` and its shape without `axis`: the logarithm of the sum's magnitude; -inf where the sum is
        0, as over nothing.
    sign : ndarray
        1, -1, or 0 where the sum is 0. With `return_sign` only.

    Raises
    ------
    ValueError
        If `x` has no such axis, or `where` or `b` does not broadcast to it.
    TypeError
        If `where` does not hold booleans.

    Notes
    -----
    %(bound)s

    Parameters are those of ``scipy.special.logsumexp`` and of NumPy's reductions.

    Examples
    --------
    >>> import lanewise as lw
    >>> lw.logsumexp([1.0, 2.0], b=[1, -1], return_sign=True)
    (np.float64(1.541324854612918), np.float64(-1.0))
    """
    if where is None and b is None and out is None and return_sign is False and isinstance(keepdims, bool):
        found = rows_at_once("logsumexp", _kernels.logsumexp_gufunc, (x,), axis)
        if found is not None:
            found = rounded_to(x.dtype, found)
            return np.reshape(found, _kept_shape("logsumexp", x, axis)) if keepdims else found
    return _logsumexp(x, axis, out, keepdims, where, b, return_sign)


@unflushed
def _logsumexp(x, axis, out, keepdims, where, b, return_sign):
    name = "logsumexp"
    keepdims, return_sign = truth(name, "keepdims", keepdims), truth(name, "return_sign", return_sign)
    x, axis = (floating(name, "x", x), axis) if several(axis) else checked(name, x, axis)
    logs, signs = _log_sums(*((x, axis) if x.ndim or several(axis) else (x.reshape(1), 0)), where, b)
    if signs is not None and not return_sign:
        logs = np.where(signs < 0, np.nan, logs)[()]
    elif return_sign and signs is None:
        signs = np.where(np.isnan(logs), np.nan, logs > -np.inf)[()]
    if keepdims:
        logs = np.reshape(logs, _kept_shape(name, x, axis))
        signs = np.reshape(signs, logs.shape) if return_sign else None
    y = rounded_to(x.dtype, logs) if out is None else stored(name, out, logs)
    return (y, rounded_to(x.dtype, signs)) if return_sign else y


def _spread_grad(x, grad, axis=-1, out=None, where=None, b=None):
    # grad b e^x / sum(b e^x) along an axis
    name, one, found = "logsumexp_backward", isinstance(axis, int), None
    if one or last_axes(x, axis):
        gufunc, operands = _kernels.scaled_softmax_gufunc, (x, grad)
        if b is not None:
            gufunc, operands = _kernels.weighted_logsumexp_backward_gufunc, (x, _weights(name, b, x, where), grad)
        elif where is not None:
            gufunc, operands = _kernels.safe_softmax_gufunc, (left(name, x, where, -np.inf), 1.0, grad)
        found = rows_at_once(name, gufunc, operands, axis, out)
        if found is None and one:
            found = on_axis(name, gufunc, operands, axis, x.ndim, out)
    if found is None:
        return over_axes(_spread_grad, {"x": x}, axis, out, beside={"where": where, "b": b}, statistics={"grad": grad},
                         name=name)
    return found if out is not None or b is None else rounded_to(x.dtype, found)


@with_bound
@unflushed
def logsumexp_backward(grad, x, axis=-1, *, out=None, keepdims=False, where=None, b=None):
    """Gradient of `logsumexp` with respect to its input: ``grad * b * exp(x) / sum(b * exp(x))``.

    Parameters
    ----------
    grad : array_like
        The gradient arriving, of the shape of the forward's result.
    x : array_like
        As given to `logsumexp`.
    axis, keepdims, where, b
        As given to `logsumexp`.
    out : ndarray, optional
        Where to put the result; may be `x`.

    Returns
    -------
    grad_x : ndarray
        Of the shape of `x`; 0 where `where` is False or `b` is 0.

    Raises
    ------
    ValueError
        If a shape does not fit, or `x` has no such axis.
    TypeError
        If `where` does not hold booleans.

    Notes
    -----
    %(bound)s
    """
    name = "logsumexp_backward"
    keepdims = truth(name, "keepdims", keepdims)
    grad = rounded_to(np.float64, floating(name, "grad", grad))  # as the kernel takes it
    x, axis = (floating(name, "x", x), axis) if several(axis) else checked(name, x, axis)
    if keepdims:
        kept = _kept_shape(name, x, axis)
        if grad.shape != kept:
            raise ValueError(f"{name}: grad of shape {grad.shape} does not fit x of shape {x.shape}; with keepdims it "
                             f"must have shape {kept}")
        axes = whole_axes(name, x, axis)
        grad = grad.reshape([size for k, size in enumerate(x.shape) if k not in axes])
    if several(axis):
        return _spread_grad(x, grad, axis, out, where, b)
    if x.ndim:
        return _spread_grad(x, statistic(name, "grad", grad, x, axis), axis, out, where, b)
    if grad.shape != ():
        raise ValueError(f"{name}: grad of shape {grad.shape} does not fit x of shape (); it must have shape ()")
    return of_number(name, lambda x, **keywords: _spread_grad(x, grad, **keywords), (x,), out, where=where, b=b)
