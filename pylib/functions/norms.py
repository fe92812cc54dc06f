"""Norms along an axis, forward and backward. Defaults, checks and documentation; the arithmetic is in
kernels/norms.pyx, and the bound of each function in bounds.py."""

import numpy as np

from ..kernels import norms as _norms
from ..kernels.operands import gradients_at_once
from ._axis import (
    backward_on_axis,
    checked,
    fitting,
    from_zero,
    like,
    of_number,
    on_axis,
    over_axes,
    refuse_one,
    rounded_to,
    rows_at_once,
    several,
    statistic,
    truth,
    vector,
)
from ._documentation import with_bound

__all__ = ["add_rms_norm", "layer_norm", "layer_norm_backward", "rms_norm", "rms_norm_backward"]

_LAYER_NORMS = {"shifted": _norms.layer_norm_gufunc, "two_pass": _norms.layer_norm_two_pass_gufunc,
                "one_pass": _norms.layer_norm_one_pass_gufunc}


def _of_rows(name, gufunc, x, operands, axis, out, statistics):
    # on_axis; where nobody wants statistics, rows may be without an element
    if statistics or x.shape[axis]:
        return on_axis(name, gufunc, operands, axis, x.ndim, *out)
    none = tuple(slice(None if k == axis % x.ndim else 0) for k in range(x.ndim))
    places = [place if place is None else fitting(name, place, x.shape)[none] for place in out]
    operands = tuple(each[none] if np.shape(each) == x.shape else each for each in operands)
    found = on_axis(name, gufunc, operands, axis, x.ndim, *places)
    return [np.empty(x.shape, made.dtype) if place is None else place for place, made in zip(out, found, strict=False)]


def _statistics(name, gufunc, x, eps, axis):
    # for a backward, which has no use for those of rows without an element
    if x.shape[axis]:
        return on_axis(name, gufunc, (x, eps), axis, x.ndim)
    none = np.zeros(x.shape[:axis] + x.shape[axis + 1:])
    return none if gufunc.nout == 1 else (none,) * gufunc.nout


@with_bound
def rms_norm(x, weight=None, *, eps=1e-6, axis=-1, out=None, return_stats=False):
    """Root mean square norm: ``x / sqrt(mean(x**2) + eps) * weight`` along `axis`.

    The row is read once for its statistic, a sum of squares: sixteen elements are added in the precision of the
    computation, and these sums in float64. If the squares of a row would overflow or vanish, it is first scaled by a
    power of two.

    Parameters
    ----------
    x : array_like
        float32, float64, float16 or bfloat16. float16 and bfloat16 are computed in float32 and rounded once.
    weight : array_like, optional
        Of shape ``(x.shape[axis],)``; if `axis` is a tuple, of the shape of these axes.
    eps : float
        Added to the mean square: finite, 0 or more.
    axis : int, tuple of int or None
        The axis along which a row lies, a tuple of axes that hold a row together, or None for all axes.
    out : ndarray, optional
        Where to put the result; may be `x`.
    return_stats : bool
        Also return `rstd`, which `rms_norm_backward` can use.

    Returns
    -------
    y : ndarray
        Of the shape of `x`.
    rstd : ndarray
        float64, of the shape of `x` without `axis`: ``1 / sqrt(mean(x**2) + eps)``. With `return_stats` only.

    Raises
    ------
    TypeError
        If an array holds no numbers, is masked, or is a tensor of PyTorch.
    ValueError
        If `weight` does not have the length of `axis`, `x` has no such axis, or `eps` is out of its range.

    Notes
    -----
    %(bound)s

    Zhang and Sennrich, "Root Mean Square Layer Normalization", 2019.

    Examples
    --------
    >>> import lanewise as lw
    >>> lw.rms_norm([3.0, 4.0], eps=0.0)
    array([0.84852814, 1.13137085])
    """
    return_stats = truth("rms_norm", "return_stats", return_stats)
    eps = from_zero("rms_norm", "eps", eps)
    found = rows_at_once("rms_norm", _norms.rms_norm_gufunc, (x, weight, eps), axis, out, not return_stats)
    if found is not None:
        return found if return_stats else found[0]
    if several(axis):
        return over_axes(rms_norm, {"x": x}, axis, out, vectors={"weight": weight}, gives="rs", eps=eps,
                         return_stats=return_stats)
    x, axis = checked("rms_norm", x, axis)
    if x.ndim == 0:
        return of_number("rms_norm", rms_norm, (x,), out, weight=weight, eps=eps, return_stats=return_stats)
    weight = vector("rms_norm", "weight", weight, x, axis)
    found = _of_rows("rms_norm", _norms.rms_norm_gufunc, x, (x, weight, eps), axis, (out,), return_stats)
    return found if return_stats else found[0]


@with_bound
def layer_norm(x, weight=None, bias=None, *, eps=1e-5, axis=-1, out=None, return_stats=False, algorithm="shifted"):
    """Layer norm: ``(x - mean) / sqrt(variance + eps) * weight + bias`` along `axis`.

    Sixteen elements are added in the precision of the computation, and these sums in float64. The mean is kept as a sum
    of two numbers, so that x - mean is right to the last bits even if the mean is much larger than the deviations.

    Parameters
    ----------
    x : array_like
        float32, float64, float16 or bfloat16. float16 and bfloat16 are computed in float32 and rounded once.
    weight, bias : array_like, optional
        Of shape ``(x.shape[axis],)``; if `axis` is a tuple, of the shape of these axes: ``axis=(-2, -1)`` stands for a
        normalized_shape of two axes in PyTorch.
    eps : float
        Added to the variance: finite, 0 or more.
    axis : int, tuple of int or None
        The axis along which a row lies, a tuple of axes that hold a row together, or None for all axes.
    out : ndarray, optional
        Where to put the result; may be `x`.
    return_stats : bool
        Also return `mean` and `rstd`, which `layer_norm_backward` can use.
    algorithm : {"shifted", "two_pass", "one_pass"}
        How the row is read for its statistics. "shifted" guesses the mean from the first 128 elements, and sums the
        deviations from that guess and their squares. If the guess is more than a third of a standard deviation away
        from the mean, which would make the variance less accurate, the row is read again. "two_pass" finds the mean
        first, and then sums the squares of the deviations. "one_pass" merges the sums of blocks by the formula of Chan,
        Golub and LeVeque; in float64, a block that starts with an outlier costs the variance up to 12 bits, in
        float32, float16 and bfloat16 none that show.

    Returns
    -------
    y : ndarray
        Of the shape of `x`.
    mean, rstd : ndarray
        float64, of the shape of `x` without `axis`. With `return_stats` only.

    Raises
    ------
    TypeError
        If an array holds no numbers, is masked, or is a tensor of PyTorch.
    ValueError
        If `weight` or `bias` does not have the length of `axis`, `x` has no such axis, the algorithm is unknown, or
        `eps` is out of its range.

    Notes
    -----
    %(bound)s

    Ba, Kiros and Hinton, "Layer Normalization", 2016. Chan, Golub and LeVeque, "Algorithms for computing the sample
    variance: analysis and recommendations", 1983: shifted data, and the merging of blocks.

    Examples
    --------
    >>> import lanewise as lw
    >>> lw.layer_norm([40000.0, 40001.0, 40002.0, 40003.0], eps=0.0)
    array([-1.34164079, -0.4472136 ,  0.4472136 ,  1.34164079])
    """
    return_stats = truth("layer_norm", "return_stats", return_stats)
    if not isinstance(algorithm, str) or algorithm not in _LAYER_NORMS:
        raise ValueError(f"layer_norm: algorithm {algorithm!r} is unknown; expected one of {', '.join(_LAYER_NORMS)}")
    eps = from_zero("layer_norm", "eps", eps)
    found = rows_at_once("layer_norm", _LAYER_NORMS[algorithm], (x, weight, bias, eps), axis, out, not return_stats)
    if found is not None:
        return found if return_stats else found[0]
    if several(axis):
        return over_axes(layer_norm, {"x": x}, axis, out, vectors={"weight": weight, "bias": bias}, gives="rss",
                         eps=eps, return_stats=return_stats, algorithm=algorithm)
    x, axis = checked("layer_norm", x, axis)
    if x.ndim == 0:
        return of_number("layer_norm", layer_norm, (x,), out, weight=weight, bias=bias, eps=eps,
                         return_stats=return_stats, algorithm=algorithm)
    weight = vector("layer_norm", "weight", weight, x, axis)
    bias = vector("layer_norm", "bias", bias, x, axis)
    found = _of_rows("layer_norm", _LAYER_NORMS[algorithm], x, (x, weight, bias, eps), axis, (out,), return_stats)
    return found if return_stats else found[0]


@with_bound
def rms_norm_backward(grad, x, weight=None, *, rstd=None, eps=1e-6, axis=-1, out=None):
    """Gradients of `rms_norm`.

    With ``normed = x * rstd``: ``grad_x = (grad * weight - normed * mean(grad * weight * normed)) * rstd`` and
    ``grad_weight = sum(grad * normed)`` over the rows, in one order whatever the number of threads.

    Parameters
    ----------
    grad, x : array_like
        The gradient arriving, and the forward's input; of one shape.
    weight : array_like, optional
        As given to the forward.
    rstd : array_like, optional
        As the forward returned it; computed again if not given.
    eps, axis
        As given to the forward; `eps` is not used where `rstd` is given.
    out : ndarray, optional
        Where to put `grad_x`.

    Returns
    -------
    grad_x : ndarray
        Of the shape of `x`.
    grad_weight : ndarray or None
        Of the shape and dtype of `weight` (integers: float32, or float64 as `x`); None where there is no weight.

    Raises
    ------
    TypeError
        If an array holds no numbers, is masked, or is a tensor of PyTorch.
    ValueError
        If a shape does not fit that of `x`.

    Notes
    -----
    %(bound)s
    """
    eps = from_zero("rms_norm_backward", "eps", eps)
    found = gradients_at_once("rms_norm_backward", _norms.rms_norm_backward_gufunc, _norms.rms_stats_gufunc,
                              (grad, x), (weight,), (rstd,), eps, axis, out)
    if found is not None:
        return found
    if several(axis):
        return over_axes(rms_norm_backward, {"grad": grad, "x": x}, axis, out, vectors={"weight": weight},
                         statistics={"rstd": rstd}, gives="rv", eps=eps)
    x, axis = checked("rms_norm_backward", x, axis)
    grad = like("rms_norm_backward", "grad", grad, x)
    if x.ndim == 0:
        return of_number("rms_norm_backward", rms_norm_backward, (grad, x), out, weight=weight, rstd=rstd, eps=eps)
    vectors = vector("rms_norm_backward", "weight", weight, x, axis)
    if rstd is None:
        rstd = _statistics("rms_norm_backward", _norms.rms_stats_gufunc, x, eps, axis)
    rstd = statistic("rms_norm_backward", "rstd", rstd, x, axis)
    grad_x, grad_weight = backward_on_axis(
        "rms_norm_backward", _norms.rms_norm_backward_gufunc, (grad, x, vectors, rstd), axis, out)
    return grad_x, None if weight is None else rounded_to(vectors.dtype, grad_weight)


@with_bound
def layer_norm_backward(grad, x, weight=None, bias=None, *, mean=None, rstd=None, eps=1e-5, axis=-1, out=None):
    """Gradients of `layer_norm`.

    With ``normed = (x - mean) * rstd``: ``grad_x = (grad * weight - mean(grad * weight) - normed *
    mean(grad * weight * normed)) * rstd``, ``grad_weight = sum(grad * normed)`` and ``grad_bias = sum(grad)`` over the
    rows, in one order whatever the number of threads.

    Parameters
    ----------
    grad, x : array_like
        The gradient arriving, and the forward's input; of one shape.
    weight, bias : array_like, optional
        As given to the forward.
    mean, rstd : array_like, optional
        As the forward returned them, both or none; computed again where they are not given.
    eps, axis
        As given to the forward; `eps` is not used where the statistics are given.
    out : ndarray, optional
        Where to put `grad_x`.

    Returns
    -------
    grad_x : ndarray
        Of the shape of `x`.
    grad_weight, grad_bias : ndarray or None
        Of the shape and dtype of `weight` and `bias`; None where there is none.

    Raises
    ------
    TypeError
        If an array holds no numbers, is masked, or is a tensor of PyTorch.
    ValueError
        If a shape does not fit that of `x`, or one of `mean` and `rstd` is given without the other.

    Notes
    -----
    %(bound)s
    """
    name = "layer_norm_backward"
    eps = from_zero(name, "eps", eps)
    found = gradients_at_once(name, _norms.layer_norm_backward_gufunc, _norms.layer_stats_gufunc, (grad, x),
                              (weight, bias), (mean, rstd), eps, axis, out)
    if found is not None:
        return found
    if several(axis):
        return over_axes(layer_norm_backward, {"grad": grad, "x": x}, axis, out, vectors={"weight": weight,
                         "bias": bias}, statistics={"mean": mean, "rstd": rstd}, gives="rvv", eps=eps)
    x, axis = checked(name, x, axis)
    grad = like(name, "grad", grad, x)
    if x.ndim == 0:
        return of_number(name, layer_norm_backward, (grad, x), out, weight=weight, bias=bias, mean=mean, rstd=rstd,
                         eps=eps)
    weights, biases = vector(name, "weight", weight, x, axis), vector(name, "bias", bias, x, axis)
    refuse_one(name, mean, rstd)
    if rstd is None:
        mean, rstd = _statistics(name, _norms.layer_stats_gufunc, x, eps, axis)
    mean, rstd = statistic(name, "mean", mean, x, axis), statistic(name, "rstd", rstd, x, axis)
    grad_x, grad_weight, grad_bias = backward_on_axis(
        name, _norms.layer_norm_backward_gufunc, (grad, x, weights, mean, rstd), axis, out)
    return (grad_x, None if weight is None else rounded_to(weights.dtype, grad_weight),
            None if bias is None else rounded_to(biases.dtype, grad_bias))


@with_bound
def add_rms_norm(x, residual, weight=None, *, eps=1e-6, axis=-1, out=None, return_stats=False):
    """Add and norm: ``rms_norm(x + residual, weight)`` and ``x + residual``, in one call.

    Its gradient is that of `rms_norm` at the sum, plus the gradient that arrives at the sum: for both `x` and
    `residual`.

    Parameters
    ----------
    x, residual : array_like
        Of one shape: float32, float64, float16 or bfloat16.
    weight, eps, axis
        As for `rms_norm`.
    out : tuple of two, ndarray or None, optional
        Where to put `y` and `new_residual`; the latter may be `residual`.
    return_stats : bool
        Also return `rstd`.

    Returns
    -------
    y, new_residual : ndarray
        The norm, and ``x + residual``. float16 and bfloat16: both are rounded once from float32.
    rstd : ndarray
        As `rms_norm` returns it. With `return_stats` only.

    Raises
    ------
    TypeError
        If an array holds no numbers, is masked, or is a tensor of PyTorch.
    ValueError
        If the shapes differ, `weight` does not have the length of `axis`, `x` has no such axis, or `out` is not a tuple
        of two.

    Notes
    -----
    %(bound)s
    """
    out, return_stats = (None, None) if out is None else out, truth("add_rms_norm", "return_stats", return_stats)
    if not isinstance(out, tuple) or len(out) != 2:
        raise ValueError(f"add_rms_norm: out must be a tuple of two, for y and new_residual, not {type(out).__name__}"
                         f"{f' of {len(out)}' if isinstance(out, tuple) else ''}")
    eps = from_zero("add_rms_norm", "eps", eps)
    found = rows_at_once("add_rms_norm", _norms.add_rms_norm_gufunc, (x, residual, weight, eps), axis, out,
                         not return_stats)
    if found is not None:
        return found if return_stats else found[:2]
    if several(axis):
        return over_axes(lambda residual, x, **keywords: add_rms_norm(x, residual, **keywords),
                         {"residual": residual, "x": x}, axis, out if any(place is not None for place in out) else None,
                         vectors={"weight": weight}, gives="rrs", name="add_rms_norm", eps=eps,
                         return_stats=return_stats)
    x, axis = checked("add_rms_norm", x, axis)
    residual = like("add_rms_norm", "residual", residual, x)
    if x.ndim == 0:
        raise ValueError("add_rms_norm: x of shape () has no axis; expected at least one")
    weight = vector("add_rms_norm", "weight", weight, x, axis)
    y, total, *rstd = _of_rows("add_rms_norm", _norms.add_rms_norm_gufunc, x, (x, residual, weight, eps), axis, out,
                               return_stats)
    return (y, total, *rstd) if return_stats else (y, total)
