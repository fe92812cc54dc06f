"""The softmax family along an axis, forward and backward. Defaults, checks and documentation; the arithmetic is in
kernels/softmax.pyx, and the bound of each function in bounds.py."""

import numpy as np

from ..kernels import softmax as _kernels
from ._axis import checked, fitting, floating, like, of_number, on_axis, rounded_to, statistic
from ._documentation import with_bound

__all__ = ["log_softmax", "log_softmax_backward", "logsumexp", "logsumexp_backward", "softmax", "softmax_backward",
           "softmin", "softmin_backward"]


@with_bound
def softmax(x, axis=-1, *, out=None):
    """Softmax: ``exp(x) / sum(exp(x))`` along `axis`.

    The largest exponent is subtracted as a whole number, not the largest element: no x - max is rounded, so that
    small results are as accurate as large ones.

    Parameters
    ----------
    x : array_like
        float32, float64, float16 or bfloat16. float16 and bfloat16 are computed in float32 and rounded once.
    axis : int
        The axis whose results sum to one.
    out : ndarray, optional
        Where to put the result; may be `x`.

    Returns
    -------
    y : ndarray
        Of the shape of `x`. A row with NaN or +inf, or of nothing but -inf, is NaN.

    Raises
    ------
    ValueError
        If `x` has no such axis.

    Notes
    -----
    %(bound)s

    Examples
    --------
    >>> import lanewise as lw
    >>> lw.softmax([0.0, 0.0])
    array([0.5, 0.5])
    """
    x, axis = checked("softmax", x, axis)
    if x.ndim == 0:
        return of_number("softmax", softmax, (x,), out)
    return on_axis(_kernels.softmax_gufunc, (x,), axis, x.ndim, out)


@with_bound
def softmin(x, axis=-1, *, out=None):
    """Softmin: ``softmax(-x)`` along `axis`. Parameters, result and errors are those of `softmax`.

    Notes
    -----
    %(bound)s
    """
    x, axis = checked("softmin", x, axis)
    if x.ndim == 0:
        return of_number("softmin", softmin, (x,), out)
    return on_axis(_kernels.softmin_gufunc, (x,), axis, x.ndim, out)


@with_bound
def log_softmax(x, axis=-1, *, out=None):
    """Logarithm of softmax: ``x - log(sum(exp(x)))`` along `axis`.

    The largest element is left out of the sum, whose ``log1p`` is taken: where it is nearly all of the sum, its result
    is the small negative number that it should be, not -0, and right to one ULP. For that the sum of the others is
    taken again in higher precision where it is small. Parameters and errors are those of `softmax`.

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
    x, axis = checked("log_softmax", x, axis)
    if x.ndim == 0:
        return of_number("log_softmax", log_softmax, (x,), out)
    return on_axis(_kernels.log_softmax_gufunc, (x,), axis, x.ndim, out)


@with_bound
def logsumexp(x, axis=-1, *, out=None):
    """Logarithm of the sum of exponentials: ``log(sum(exp(x)))`` along `axis`.

    Parameters
    ----------
    x : array_like
        float32, float64, float16 or bfloat16.
    axis : int
        The axis to sum over.
    out : ndarray, optional
        Where to put the result.

    Returns
    -------
    y : ndarray
        Of the dtype of `x` and its shape without `axis`; -inf where the axis is empty.

    Raises
    ------
    ValueError
        If `x` has no such axis.

    Notes
    -----
    %(bound)s
    """
    x, axis = checked("logsumexp", x, axis)
    if x.ndim == 0:
        return of_number("logsumexp", logsumexp, (x,), out)
    logs = on_axis(_kernels.logsumexp_gufunc, (x,), axis, x.ndim)
    if out is None:
        return rounded_to(x.dtype, logs)
    with np.errstate(all="ignore"):  # a result may be beyond what `out` holds
        np.copyto(fitting("logsumexp", out, np.shape(logs)), logs, "same_kind")
    return out


@with_bound
def softmax_backward(grad, y, axis=-1, *, out=None):
    """Gradient of `softmax` with respect to its input, from its output: ``y * (grad - sum(grad * y))``.

    Parameters
    ----------
    grad, y : array_like
        The gradient arriving, and what `softmax` returned; of one shape.
    axis : int
        As given to `softmax`.
    out : ndarray, optional
        Where to put the result.

    Returns
    -------
    grad_x : ndarray
        Of the shape of `y`.

    Raises
    ------
    ValueError
        If the shapes differ, or `y` has no such axis.

    Notes
    -----
    %(bound)s
    """
    y, axis = checked("softmax_backward", y, axis)
    grad = like("softmax_backward", "grad", grad, y)
    if y.ndim == 0:
        return of_number("softmax_backward", softmax_backward, (grad, y), out)
    return on_axis(_kernels.softmax_backward_gufunc, (grad, y, 1.0), axis, y.ndim, out)


@with_bound
def softmin_backward(grad, y, axis=-1, *, out=None):
    """Gradient of `softmin` with respect to its input, from its output: ``y * (sum(grad * y) - grad)``.

    Parameters, result and errors are those of `softmax_backward`.

    Notes
    -----
    %(bound)s
    """
    y, axis = checked("softmin_backward", y, axis)
    grad = like("softmin_backward", "grad", grad, y)
    if y.ndim == 0:
        return of_number("softmin_backward", softmin_backward, (grad, y), out)
    return on_axis(_kernels.softmax_backward_gufunc, (grad, y, -1.0), axis, y.ndim, out)


@with_bound
def log_softmax_backward(grad, y, axis=-1, *, out=None):
    """Gradient of `log_softmax` with respect to its input, from its output: ``grad - exp(y) * sum(grad)``.

    Parameters, result and errors are those of `softmax_backward`.

    Notes
    -----
    %(bound)s
    """
    y, axis = checked("log_softmax_backward", y, axis)
    grad = like("log_softmax_backward", "grad", grad, y)
    if y.ndim == 0:
        return of_number("log_softmax_backward", log_softmax_backward, (grad, y), out)
    return on_axis(_kernels.log_softmax_backward_gufunc, (grad, y), axis, y.ndim, out)


@with_bound
def logsumexp_backward(grad, x, axis=-1, *, out=None):
    """Gradient of `logsumexp` with respect to its input: ``grad * softmax(x)``.

    Parameters
    ----------
    grad : array_like
        The gradient arriving, of the shape of `x` without `axis`.
    x : array_like
        As given to `logsumexp`.
    axis : int
        As given to `logsumexp`.
    out : ndarray, optional
        Where to put the result; may be `x`.

    Returns
    -------
    grad_x : ndarray
        Of the shape of `x`.

    Raises
    ------
    ValueError
        If a shape does not fit, or `x` has no such axis.

    Notes
    -----
    %(bound)s
    """
    x, axis = checked("logsumexp_backward", x, axis)
    if x.ndim == 0:
        grad = floating("logsumexp_backward", "grad", grad)
        return of_number("logsumexp_backward", lambda x, **keywords: logsumexp_backward(grad, x, **keywords), (x,),
                         out)
    grad = statistic("logsumexp_backward", "grad", grad, x, axis)
    return on_axis(_kernels.scaled_softmax_gufunc, (x, grad), axis, x.ndim, out)
