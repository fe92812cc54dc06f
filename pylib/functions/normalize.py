"""Rows of length one, forward and backward. Defaults, checks and documentation; the arithmetic is in
kernels/normalize.pyx, and the bound of each function in bounds.py."""

from ..kernels import normalize as _normalize
from ..kernels.operands import number_given
from ._axis import checked, from_zero, like, of_number, on_axis, over_axes, rows_at_once, several
from ._documentation import with_bound

__all__ = ["normalize", "normalize_backward"]


def _power(name, p):
    number = number_given(name, "p", p, "a number that a float holds")
    if number != number:
        raise ValueError(f"{name}: p must be a number or an infinity, not {p}")
    return number


@with_bound
def normalize(x, p=2, axis=-1, *, eps=1e-12, out=None):
    """Rows of length one: ``x / max(length, eps)``, the length being ``sum(|x|**p)**(1 / p)`` along `axis`.

    Parameters
    ----------
    x : array_like
        float32, float64, float16 or bfloat16.
    p : float
        Which length: any number; inf is the largest magnitude, -inf the smallest, and 0 how many elements are not 0.
    axis : int, tuple of int or None
        The axis along which a row lies, a tuple of axes that hold a row together, or None for all axes.
    eps : float
        The least length to divide by: finite, 0 or more.
    out : ndarray, optional
        Where to put the result; may be `x`.

    Returns
    -------
    y : ndarray
        Of the shape of `x`.

    Raises
    ------
    ValueError
        If `p` is NaN, `eps` is out of its range, or `x` has no such axis.
    TypeError
        If `p` is no number.

    Notes
    -----
    %(bound)s
    In float64 it is 4 / abs(p) for a `p` between -1 and 1, whose root makes more of what the sum has lost. In float32
    it holds for lengths up to 2**126, beyond which results lose digits and are 0 in the end.

    Source: ``torch.nn.functional.normalize``.
    """
    p = _power("normalize", p)
    eps = from_zero("normalize", "eps", eps)
    found = rows_at_once("normalize", _normalize.normalize_gufunc, (x, p, eps), axis, out)
    if found is not None:
        return found
    if several(axis):
        return over_axes(normalize, {"x": x}, axis, out, p=p, eps=eps)
    x, axis = checked("normalize", x, axis)
    if x.ndim == 0:
        return of_number("normalize", normalize, (x,), out, p=p, eps=eps)
    return on_axis("normalize", _normalize.normalize_gufunc, (x, p, eps), axis, x.ndim, out)


@with_bound
def normalize_backward(grad, x, p=2, axis=-1, *, eps=1e-12, out=None):
    """Gradient of `normalize`: ``(grad - along * sum(grad * y)) / length``.

    ``along`` is the gradient of the length, ``sign(x) * (abs(x) / length)**(p - 1)``: y for p = 2, sign(x) for p = 1.
    Where p is infinite, elements of the same magnitude have equal parts in it; it is 0 where x is, and for p = 0.

    Parameters
    ----------
    grad, x : array_like
        The gradient arriving, and the forward's input; of one shape.
    p, axis, eps
        As given to the forward.
    out : ndarray, optional
        Where to put the result.

    Returns
    -------
    grad_x : ndarray
        Of the shape of `x`; ``grad / eps`` for a row shorter than `eps`.

    Raises
    ------
    ValueError
        If the shapes differ, `p` is NaN, `eps` is out of its range, or `x` has no such axis.
    TypeError
        If `p` is no number.

    Notes
    -----
    %(bound)s
    """
    p = _power("normalize_backward", p)
    eps = from_zero("normalize_backward", "eps", eps)
    found = rows_at_once("normalize_backward", _normalize.normalize_backward_gufunc, (grad, x, p, eps), axis, out)
    if found is not None:
        return found
    if several(axis):
        return over_axes(normalize_backward, {"grad": grad, "x": x}, axis, out, p=p, eps=eps)
    x, axis = checked("normalize_backward", x, axis)
    grad = like("normalize_backward", "grad", grad, x)
    if x.ndim == 0:
        return of_number("normalize_backward", normalize_backward, (grad, x), out, p=p, eps=eps)
    return on_axis("normalize_backward", _normalize.normalize_backward_gufunc, (grad, x, p, eps), axis, x.ndim, out)
