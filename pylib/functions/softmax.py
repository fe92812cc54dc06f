"""The softmax family along an axis, forward and backward. Defaults, checks and documentation; the arithmetic is in
kernels/softmax.pyx, and the bound of each function in bounds.py."""

import numpy as np

from ..environment import unflushed
from ..kernels import softmax as _kernels
from ..kernels.operands import as_array
from ._axis import (
    broadcast_beside,
    checked,
    fitting,
    floating,
    floats_beside,
    like,
    of_dtype,
    of_number,
    on_axis,
    on_last_axes,
    over_axes,
    refuse_mask,
    rounded_to,
    several,
    statistic,
    truth,
    whole_axes,
)
from ._documentation import with_bound

__all__ = ["log_softmax", "log_softmax_backward", "logsumexp", "logsumexp_backward", "softmax", "softmax_backward",
           "softmin", "softmin_backward"]


def _where(name, where, x):
    # `where` as booleans of the shape of x
    refuse_mask(name, "where", where)
    where = where if isinstance(where, np.ndarray) else as_array(name, "where", where)
    if where.dtype != np.bool:
        raise TypeError(f"{name}: where must hold booleans, not {where.dtype}")
    return where if where.shape == x.shape else broadcast_beside(name, "where", where, x)


def _left(name, x, where, otherwise):
    # x, and another number where `where` leaves something out
    if where is None:
        return x
    where = np.ascontiguousarray(_where(name, where, x))
    x = x if x.flags.aligned else x.copy()
    return _kernels.kept(np.ascontiguousarray(x), where, np.array(otherwise, x.dtype))


def _soft(function, plain, x, axis, out, where, safe, dtype):
    # softmax, softmin or log_softmax, whose rows without `where` and `safe` are `plain`
    name = function.__name__
    safe = truth(name, "safe", safe)
    if dtype is not None:
        x = of_dtype(name, x, dtype)
    if type(axis) is not int and several(axis):
        found = on_last_axes(name, plain, (x,), (), axis, out) if where is None and not safe else None
        return over_axes(function, {"x": x}, axis, out, beside={"where": where}, safe=safe) if found is None else found
    x, axis = checked(name, x, axis)
    if x.ndim == 0:
        return of_number(name, function, (x,), out, where=where, safe=safe)
    if where is None and not safe:
        return on_axis(name, plain, (x,), axis, x.ndim, out)
    if function is log_softmax:
        x = _left(name, x, where, -np.inf)
        return on_axis(name, _kernels.safe_log_softmax_gufunc, (x,), axis, x.ndim, out)
    sign = -1.0 if function is softmin else 1.0
    if where is not None:
        where = _where(name, where, x)  # hidden as attention hides a key
        if where.strides[axis] != 1 and axis == x.ndim - 1:
            where = np.ascontiguousarray(where)
        elif where.strides[axis] != 1:  # neighbouring rows are computed side by side
            x, where = _left(name, x, where, -sign * np.inf), None
    if where is None:
        return on_axis(name, _kernels.safe_softmax_gufunc, (x, sign, 1.0), axis, x.ndim, out)
    return on_axis(name, _kernels.masked_softmax_where_gufunc, (x, where, sign, float(x.shape[axis])), axis, x.ndim,
                   out)


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
    rounding errors. Parameters and errors are those of `softmax`; where the softmax is 0, the result is -inf.

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


def _log_sums(x, axis, where=None, b=None, out=None):
    # logarithms of sums, and their signs: None where no b can make one negative
    name = "logsumexp"
    if b is None:
        return on_axis(name, _kernels.logsumexp_gufunc, (_left(name, x, where, -np.inf),), axis, x.ndim), None
    return on_axis(name, _kernels.weighted_logsumexp_gufunc, (x, _weights(name, b, x, where)), axis, x.ndim)


def _weights(name, b, x, where):
    # the factors of e^x, 0 where `where` is False
    return _left(name, broadcast_beside(name, "b", floats_beside(name, "b", b, x), x), where, 0.0)


def _kept_shape(x, axes):
    return tuple(1 if k in axes else size for k, size in enumerate(x.shape))


@with_bound
@unflushed
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
    name = "logsumexp"
    keepdims, return_sign = truth(name, "keepdims", keepdims), truth(name, "return_sign", return_sign)
    if type(axis) is not int and several(axis):
        x = floating(name, "x", x)
        logs, signs = over_axes(_log_sums, {"x": x}, axis, beside={"where": where, "b": b}, name=name, gives="ss")
    else:
        x, axis = checked(name, x, axis)
        logs, signs = _log_sums(*((x, axis) if x.ndim else (x.reshape(1), 0)), where, b)
    if signs is not None and not return_sign:
        logs = np.where(signs < 0, np.nan, logs)[()]
    elif return_sign and signs is None:
        signs = np.where(np.isnan(logs), np.nan, logs > -np.inf)[()]
    if keepdims:
        logs = np.reshape(logs, _kept_shape(x, whole_axes(name, x, axis)))
        signs = np.reshape(signs, logs.shape) if return_sign else None
    if out is None:
        y = rounded_to(x.dtype, logs)
    else:
        y = out
        with np.errstate(all="ignore"):  # a result may be beyond what `out` holds
            np.copyto(fitting(name, out, np.shape(logs)), logs, "same_kind")
    return (y, rounded_to(x.dtype, signs)) if return_sign else y


def _of_output(backward, gufunc, grad, y, axis, out, where, *sign):
    # what the backwards share that take the forward's output
    name = backward.__name__
    if type(axis) is not int and several(axis):
        found = on_last_axes(name, gufunc, (grad, y), sign, axis, out) if where is None else None
        rows = {"grad": grad, "x": y}
        return over_axes(backward, rows, axis, out, beside={"where": where}) if found is None else found
    y, axis = checked(name, y, axis)
    grad = _left(name, like(name, "grad", grad, y), where, 0.0)
    if y.ndim == 0:
        return of_number(name, backward, (grad, y), out)
    return on_axis(name, gufunc, (grad, y, *sign), axis, y.ndim, out)


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


def _spread_grad(x, grad, axis=-1, out=None, where=None, b=None):
    # grad b e^x / sum(b e^x) along an axis
    name = "logsumexp_backward"
    if b is not None:
        found = on_axis(name, _kernels.weighted_logsumexp_backward_gufunc, (x, _weights(name, b, x, where), grad), axis,
                        x.ndim, out)
        return found if out is not None else rounded_to(x.dtype, found)
    if where is not None:
        x = _left(name, x, where, -np.inf)
        return on_axis(name, _kernels.safe_softmax_gufunc, (x, 1.0, grad), axis, x.ndim, out)
    return on_axis(name, _kernels.scaled_softmax_gufunc, (x, grad), axis, x.ndim, out)


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
    x = floating(name, "x", x)
    grad = rounded_to(np.float64, floating(name, "grad", grad))  # as the kernel takes it
    if type(axis) is int or not several(axis):
        x, axis = checked(name, x, axis)
    if keepdims:
        axes = whole_axes(name, x, axis)
        if grad.shape != _kept_shape(x, axes):
            raise ValueError(f"{name}: grad of shape {grad.shape} does not fit x of shape {x.shape}; with keepdims it "
                             f"must have shape {_kept_shape(x, axes)}")
        grad = grad.reshape([size for k, size in enumerate(x.shape) if k not in axes])
    if isinstance(axis, int) and x.ndim:
        return _spread_grad(x, statistic(name, "grad", grad, x, axis), axis, out, where, b)
    if isinstance(axis, int):
        if grad.shape != ():
            raise ValueError(f"{name}: grad of shape {grad.shape} does not fit x of shape (); it must have shape ()")
        return of_number(name, lambda x, **keywords: _spread_grad(x, grad, **keywords), (x,), out, where=where, b=b)
    return over_axes(_spread_grad, {"x": x}, axis, out, beside={"where": where, "b": b}, statistics={"grad": grad},
                     name=name)
