"""Losses of pairs of numbers and their gradients. Defaults, checks and documentation; the arithmetic is in
kernels/point_losses.pyx, and the bounds in bounds.py."""

import math

import numpy as np

from ..environment import unflushed
from ..kernels import losses as _sums
from ..kernels import point_losses as _kernels
from ..kernels.operands import as_one_row, number_given, number_in, row_beside
from ._axis import broadcast_beside, floating, floats_beside, in_rows, like, refuse_mask, rounded_to, stored
from ._documentation import with_bound
from .losses import arriving, check_reduction

__all__ = ["binary_cross_entropy_with_logits", "binary_cross_entropy_with_logits_backward", "huber", "huber_backward",
           "l1", "l1_backward", "mse", "mse_backward"]

_KINDS = {"mse": 0.0, "l1": 1.0, "huber": 2.0, "binary_cross_entropy_with_logits": (_LOGITS := 3.0)}
_KINDS |= {f"{name}_backward": kind for name, kind in _KINDS.items()}
_POWERS = {0.0: 2, 1.0: 1, 2.0: 2, 3.0: 1}  # of numbers in a loss of each kind, that of logits having delta's
_SMALL = 2.0**-64  # by which numbers are multiplied where a sum of losses is beyond float64
_NOTHING = {2: np.empty(0, np.float32), 4: np.empty(0, np.float32), 8: np.empty(0, np.float64)}  # no weights


def _above_zero(name, delta):
    number = number_given(name, "delta", delta)
    if not 0 < number < np.inf:
        raise ValueError(f"{name}: delta must be a finite number above 0, not {delta!r:.60}")
    return number


def _pairs(name, x, target, reduction):
    # both as one row, the target in the dtype of x
    check_reduction(name, reduction)
    if (rows := as_one_row(x, target)) is not None:
        return x, *rows
    x = floating(name, "x", x)
    refuse_mask(name, "target", target)
    target = rounded_to(x.dtype, like(name, "target", target, x))
    return x, x.reshape(-1), target.reshape(-1)


def _each(x, values):
    # one for each loss as a row, in the dtype of x or the precision of the computation
    return values.reshape(-1) if values.dtype == x.dtype else rounded_to(_NOTHING[x.itemsize].dtype, values).reshape(-1)


def _weights(name, x, weights):
    # each of them as an array with one number per loss, or as an empty one where it is not given
    found = [_NOTHING[x.itemsize]] * 2
    for k, (role, values) in enumerate(weights.items() if weights else ()):
        if values is not None:
            if (row := row_beside(x, values)) is None:
                row = broadcast_beside(name, role, floats_beside(name, role, values, x), x)
            found[k] = _each(x, row)
    return found


def _smaller(operands, divisor):
    # the same loss of smaller numbers, none of whose terms is beyond the range, and what to divide their sum by
    x, target, *weights, kind, delta = operands
    if kind != _LOGITS:  # whose delta multiplies it
        with np.errstate(all="ignore"):  # what falls below the range is nothing beside the large ones
            x, target = x * _SMALL, target * _SMALL
    return (x, target, *weights, kind, delta * _SMALL), divisor * _SMALL**_POWERS[kind]


def _loss(name, x, target, reduction, delta=1.0, weights=None):
    x, *pairs = _pairs(name, x, target, reduction)
    operands = (*pairs, *_weights(name, x, weights), _KINDS[name], delta)
    if reduction == "none":
        gufunc = _kernels.entropies_gufunc if _KINDS[name] == _LOGITS else _kernels.pair_losses_gufunc
        return in_rows(name, gufunc, operands, None).reshape(x.shape)
    gufunc, divisor = _kernels.sum_of_pair_losses_gufunc, x.size if reduction == "mean" else 1.0
    total = _sums.total(in_rows(name, gufunc, operands), divisor)
    if not math.isfinite(total) and x.dtype == np.float64:  # terms may be, and the result not
        operands, divisor = _smaller(operands, divisor)
        total = _sums.total(in_rows(name, gufunc, operands), divisor)
    return number_in(x.dtype, total)


def _backward(name, grad, x, target, reduction, out, delta=1.0, weights=None):
    x, *pairs = _pairs(name, x, target, reduction)
    grad = arriving(name, grad, x.shape if reduction == "none" else ())
    each, kind, scale, exponent = _NOTHING[x.itemsize], _KINDS[name], 1.0, 0
    if reduction == "none":
        each = _each(x, np.asarray(grad))
    else:
        scale, exponent = math.frexp(grad)  # apart, lest the share of a small gradient is subnormal
        scale = scale / (x.size or 1) if reduction == "mean" else scale
    operands = (*pairs, *_weights(name, x, weights), kind, delta, each, scale, float(exponent))
    gufunc = _kernels.entropies_backward_gufunc if kind == _LOGITS else _kernels.pair_losses_backward_gufunc
    if out is not None and (rows := as_one_row(out, x)) is not None and out.flags.writeable:
        in_rows(name, gufunc, operands, rows[0])
        return out
    found = in_rows(name, gufunc, operands, None).reshape(x.shape)
    return found if out is None else stored(name, out, found)


@with_bound
@unflushed
def mse(x, target, *, reduction="mean"):
    """Squared error, element by element.

    It is the square of the difference, ``(x - target)**2``.

    Parameters
    ----------
    x : array_like
        float32, float64, float16 or bfloat16, of any shape.
    target : array_like
        Of the shape of `x`, taken in its dtype.
    reduction : {"mean", "sum", "none"}
        What is returned: the mean of the losses, their sum, or each of them.

    Returns
    -------
    loss : ndarray
        Of the dtype of `x`: one number, or with ``reduction="none"`` of the shape of `x`. The mean of nothing is NaN.

    Raises
    ------
    ValueError
        If the shapes differ, or an option is unknown or out of its range.
    TypeError
        If an array is masked or holds no numbers.

    Notes
    -----
    %(bound)s

    Source: ``torch.nn.functional.mse_loss``.
    """
    return _loss("mse", x, target, reduction)


@with_bound
@unflushed
def mse_backward(grad, x, target, *, reduction="mean", out=None):
    """Gradient of `mse` with respect to `x`.

    It is ``grad * 2 (x - target)``, for a mean over the number of elements.

    Parameters
    ----------
    grad : array_like
        The gradient arriving, of the shape of the loss.
    x, target, reduction
        As given to `mse`.
    out : ndarray, optional
        Where to put the result; may be `x`.

    Returns
    -------
    grad_x : ndarray
        Of the shape of `x`.

    Raises
    ------
    TypeError
        If an array holds no numbers, is masked, or is a tensor of PyTorch.
    ValueError
        If `grad` does not have the shape of the loss; and as `mse`.

    Notes
    -----
    %(bound)s
    """
    return _backward("mse_backward", grad, x, target, reduction, out)


@with_bound
@unflushed
def l1(x, target, *, reduction="mean"):
    """Absolute error, element by element.

    It is the size of the difference, ``|x - target|``.

    Parameters
    ----------
    x : array_like
        float32, float64, float16 or bfloat16, of any shape.
    target : array_like
        Of the shape of `x`, taken in its dtype.
    reduction : {"mean", "sum", "none"}
        What is returned: the mean of the losses, their sum, or each of them.

    Returns
    -------
    loss : ndarray
        Of the dtype of `x`: one number, or with ``reduction="none"`` of the shape of `x`. The mean of nothing is NaN.

    Raises
    ------
    ValueError
        If the shapes differ, or an option is unknown or out of its range.
    TypeError
        If an array is masked or holds no numbers.

    Notes
    -----
    %(bound)s That is of each loss; of float64 a mean or a sum of them is within 3.

    Source: ``torch.nn.functional.l1_loss``, whose gradient is 0 where `x` is `target`.
    """
    return _loss("l1", x, target, reduction)


@with_bound
@unflushed
def l1_backward(grad, x, target, *, reduction="mean", out=None):
    """Gradient of `l1` with respect to `x`.

    It is ``grad * sign(x - target)``, for a mean over the number of elements.

    Parameters
    ----------
    grad : array_like
        The gradient arriving, of the shape of the loss.
    x, target, reduction
        As given to `l1`.
    out : ndarray, optional
        Where to put the result; may be `x`.

    Returns
    -------
    grad_x : ndarray
        Of the shape of `x`.

    Raises
    ------
    TypeError
        If an array holds no numbers, is masked, or is a tensor of PyTorch.
    ValueError
        If `grad` does not have the shape of the loss; and as `l1`.

    Notes
    -----
    %(bound)s
    """
    return _backward("l1_backward", grad, x, target, reduction, out)


@with_bound
@unflushed
def huber(x, target, *, reduction="mean", delta=1.0):
    """Huber loss, element by element.

    It is ``d**2 / 2`` up to `delta` and ``delta * (|d| - delta / 2)`` from there on, ``d = x - target``.

    Parameters
    ----------
    x : array_like
        float32, float64, float16 or bfloat16, of any shape.
    target : array_like
        Of the shape of `x`, taken in its dtype.
    reduction : {"mean", "sum", "none"}
        What is returned: the mean of the losses, their sum, or each of them.
    delta : float
        Where the square ends: finite, above 0.

    Returns
    -------
    loss : ndarray
        Of the dtype of `x`: one number, or with ``reduction="none"`` of the shape of `x`. The mean of nothing is NaN.

    Raises
    ------
    ValueError
        If the shapes differ, or an option is unknown or out of its range.
    TypeError
        If an array is masked or holds no numbers.

    Notes
    -----
    %(bound)s

    Source: Huber, "Robust Estimation of a Location Parameter", 1964.
    """
    return _loss("huber", x, target, reduction, _above_zero("huber", delta))


@with_bound
@unflushed
def huber_backward(grad, x, target, *, reduction="mean", delta=1.0, out=None):
    """Gradient of `huber` with respect to `x`.

    It is ``grad * min(max(x - target, -delta), delta)``, for a mean over the number of elements.

    Parameters
    ----------
    grad : array_like
        The gradient arriving, of the shape of the loss.
    x, target, reduction, delta
        As given to `huber`.
    out : ndarray, optional
        Where to put the result; may be `x`.

    Returns
    -------
    grad_x : ndarray
        Of the shape of `x`.

    Raises
    ------
    TypeError
        If an array holds no numbers, is masked, or is a tensor of PyTorch.
    ValueError
        If `grad` does not have the shape of the loss; and as `huber`.

    Notes
    -----
    %(bound)s
    """
    return _backward("huber_backward", grad, x, target, reduction, out, _above_zero("huber_backward", delta))


@with_bound
@unflushed
def binary_cross_entropy_with_logits(x, target, *, reduction="mean", weight=None, pos_weight=None):
    """Cross-entropy of logits and probabilities of yes, element by element.

    It is ``weight * (pos_weight * target * log(1 + exp(-x)) + (1 - target) * log(1 + exp(x)))``.

    Parameters
    ----------
    x : array_like
        float32, float64, float16 or bfloat16, of any shape.
    target : array_like
        From 0 to 1, of the shape of `x`, taken in its dtype.
    reduction : {"mean", "sum", "none"}
        What is returned: the mean of the losses, their sum, or each of them. The mean divides by how many there are,
        whatever their weights.
    weight, pos_weight : array_like, optional
        What a loss is multiplied by, and its part for yes; they broadcast to the shape of `x`, one for each class or
        one for each example, and are taken in the precision of the computation.

    Returns
    -------
    loss : ndarray
        Of the dtype of `x`: one number, or with ``reduction="none"`` of the shape of `x`. The mean of nothing is NaN.

    Raises
    ------
    ValueError
        If the shapes differ, a weight does not broadcast, or an option is unknown or out of its range.
    TypeError
        If an array is masked or holds no numbers.

    Notes
    -----
    %(bound)s

    Source: ``torch.nn.functional.binary_cross_entropy_with_logits``; here a factor of 0 leaves out what is infinite.
    """
    return _loss("binary_cross_entropy_with_logits", x, target, reduction,
                 weights={"weight": weight, "pos_weight": pos_weight})


@with_bound
@unflushed
def binary_cross_entropy_with_logits_backward(grad, x, target, *, reduction="mean", out=None, weight=None,
                                              pos_weight=None):
    """Gradient of `binary_cross_entropy_with_logits` with respect to `x`.

    It is ``grad * weight * ((1 - target) * sigmoid(x) - pos_weight * target * sigmoid(-x))``, for a mean over the
    number of elements.

    Parameters
    ----------
    grad : array_like
        The gradient arriving, of the shape of the loss.
    x, target, reduction, weight, pos_weight
        As given to `binary_cross_entropy_with_logits`.
    out : ndarray, optional
        Where to put the result; may be `x`.

    Returns
    -------
    grad_x : ndarray
        Of the shape of `x`.

    Raises
    ------
    TypeError
        If an array holds no numbers, is masked, or is a tensor of PyTorch.
    ValueError
        If `grad` does not have the shape of the loss; and as `binary_cross_entropy_with_logits`.

    Notes
    -----
    %(bound)s
    """
    return _backward("binary_cross_entropy_with_logits_backward", grad, x, target, reduction, out,
                     weights={"weight": weight, "pos_weight": pos_weight})
