"""Losses of rows of classes and their gradients. Defaults, checks and documentation; the arithmetic is in
kernels/losses.pyx and kernels/point_losses.pyx, and the bounds in bounds.py."""

from typing import NamedTuple

import numpy as np

from ..environment import unflushed
from ..kernels import losses as _kernels
from ..kernels import point_losses as _point_kernels
from ..kernels.operands import UNWANTED, array_given, classified, number_in, plain_classes
from ._axis import checked, fitting, floating, from_zero, on_axis, rounded_to, stored, vector, whole
from ._documentation import with_bound

__all__ = ["cross_entropy", "cross_entropy_backward", "cross_entropy_with_grad", "nll_loss", "nll_loss_backward"]

_REDUCTIONS = ("mean", "sum", "none")
_GUFUNCS = {
    "class": (_kernels.cross_entropy_gufunc, _kernels.cross_entropy_with_grad_gufunc),
    "weighted": (_kernels.weighted_cross_entropy_gufunc, _kernels.weighted_cross_entropy_with_grad_gufunc),
    "probabilities": (_kernels.probable_cross_entropy_gufunc, _kernels.probable_cross_entropy_with_grad_gufunc),
}


class _Asked(NamedTuple):
    """What a loss of rows of classes is asked, checked."""

    x: np.ndarray
    axis: int
    target: np.ndarray
    weight: np.ndarray  # empty where there is none
    kind: str  # of _GUFUNCS
    divisor: float  # of the mean

    @property
    def scale(self):
        """What the gradient of a mean is multiplied by: infinite, where rows that count have no weight."""
        return 1.0 / self.divisor if self.divisor else np.inf

    @property
    def shape(self):
        """That of the losses."""
        return self.x.shape[:self.axis] + self.x.shape[self.axis + 1:]


_new = tuple.__new__  # a third of the time of the class's own, which takes each field by its name


def check_reduction(name, reduction):
    """Refuse what is no reduction."""
    if not isinstance(reduction, str) or reduction not in _REDUCTIONS:
        raise ValueError(f"{name}: reduction {reduction!r:.60} is unknown; expected one of {', '.join(_REDUCTIONS)}")


def _probabilities(name, target, x):
    # the target as an array of the dtype of x where it has one for each class, None where it is of classes
    try:
        found = target if isinstance(target, np.ndarray) else array_given(name, "target", target)
    except (TypeError, ValueError):  # `classified` has the better error for it
        return None
    if found.dtype.kind == "b" or found.ndim == 0 or found.shape != x.shape:
        return None
    if found.dtype.kind in "iu":  # such as one-hot rows
        raise ValueError(f"{name}: target of shape {found.shape}, that of the logits, holds {found.dtype}; "
                         f"classes have one axis less, and probabilities are floats")
    return rounded_to(x.dtype, floating(name, "target", found))


def _precision(x):
    # that of the computation
    return np.float64 if x.dtype == np.float64 else np.float32


def _asked(name, x, target, weight, ignore_index, axis, reduction, probable=True):
    if type(reduction) is not str or reduction not in _REDUCTIONS:
        check_reduction(name, reduction)
    kind = "class" if weight is None else "weighted"
    found = plain_classes(x, target, weight, ignore_index, axis)
    if found is None:
        x, axis, target, weight, kind, rows = _converted(name, x, target, weight, ignore_index, axis, kind, probable)
    else:
        x, axis, target, weight, rows = found
    if reduction != "mean":
        rows = 1.0
    elif kind == "weighted":  # without any weight NaN, since smoothed losses over 0 would be infinite
        weight, rows = _point_kernels.weighed(target, weight)
    return _new(_Asked, (x, axis, target, weight, kind, rows))


def _converted(name, x, target, weight, ignore_index, axis, kind, probable):
    # what _Asked begins with, and how many rows count in a mean
    role = "logits" if probable else "x"
    x = floating(name, role, x)
    if x.ndim > 0 or np.ndim(axis) > 0 or axis != -1:
        x, axis = checked(name, x, axis, "an int", role)
    axis = axis if x.ndim else -1
    probabilities = _probabilities(name, target, x) if probable else None
    if ignore_index is not None:
        ignore_index = whole(name, "ignore_index", ignore_index)
        if probabilities is not None:
            raise ValueError(f"{name}: ignore_index is of class indices; target holds probabilities")
    if probabilities is not None:
        target, kind, rows = probabilities, "probabilities", x.size / max(x.shape[axis], 1)
    else:
        target = classified(name, role, x, target, ignore_index, axis)
        rows = _point_kernels.count_of(target)
    weighted, weight = weight is not None, vector(name, "weight", weight, x, axis, role)
    if weighted and (x.itemsize == 2 or weight.dtype != x.dtype):
        weight = rounded_to(_precision(x), weight)
    if weighted and not (weight.flags.c_contiguous and weight.flags.aligned):
        weight = weight.copy()
    return x, axis, target, weight, kind, rows


def _entropy(name, logits, target, label_smoothing, z_loss, reduction, weight, ignore_index, axis):
    asked = _asked(name, logits, target, weight, ignore_index, axis, reduction)
    x, _, target, weight, kind, _ = asked
    numbers = from_zero(name, "label_smoothing", label_smoothing, 1), from_zero(name, "z_loss", z_loss)
    if kind == "class":
        return asked, (x, target, *numbers)
    return asked, (x, target, weight if weight.itemsize > 2 else rounded_to(np.float32, weight), *numbers)


def _reduced(losses, reduction, divisor, dtype):
    if reduction == "none":
        return rounded_to(dtype, losses if losses.ndim else losses[()])
    return number_in(dtype, _kernels.total(losses, divisor))


def _with_grad(name, asked, operands, scale, out, losses=None):
    if isinstance(out, np.ndarray) and asked.kind == "probabilities" and np.may_share_memory(asked.target, out):
        operands = (operands[0], asked.target.copy(), *operands[2:])  # read again when the gradient is written
    return on_axis(name, _GUFUNCS[asked.kind][1], (*operands, scale), asked.axis, asked.x.ndim, losses, out)


def arriving(name, grad, expected):
    """The gradient arriving at losses of the expected shape: an array, or a float where they are one number."""
    shape = ()
    if type(grad) is int:  # beyond 64 bits NumPy makes an object of it
        try:
            grad = float(grad)
        except OverflowError:
            raise ValueError(f"{name}: grad must be a number that a float holds, not an int of {grad.bit_length()} bits"
                             ) from None
    if type(grad) is not float:
        grad = floating(name, "grad", grad)
        shape = grad.shape
    if shape != expected:
        raise ValueError(f"{name}: grad of shape {shape} does not fit a loss of shape {expected}")
    return grad if shape else float(grad)


def _arriving(name, grad, asked, reduction):
    # in float64
    grad = arriving(name, grad, asked.shape if reduction == "none" else ())
    return grad if type(grad) is float else rounded_to(np.float64, grad)


@with_bound
@unflushed
def cross_entropy(logits, target, *, label_smoothing=0.0, z_loss=0.0, reduction="mean", weight=None,
                  ignore_index=None, axis=-1):
    """Cross-entropy of logits and classes: ``logsumexp(logits) - logits[target]``, or the sum over the classes of that
    times probabilities.

    With label smoothing the target is ``1 - label_smoothing`` and every class gets ``label_smoothing / classes``. The
    z-loss adds ``z_loss * logsumexp(logits)**2``, which keeps the logits from drifting. Class weights multiply the term
    of each class, and the z-loss of a row by what its target has in all.

    Parameters
    ----------
    logits : array_like
        Of shape ``(..., classes)``: float32, float64, float16 or bfloat16.
    target : array_like
        Integers of shape ``(...)``, from 0 to classes - 1; or floats of the shape of `logits`, which are probabilities
        and are taken in its dtype. A class of probability 0 leaves out its logit, which may be infinite.
    label_smoothing : float
        From 0 to 1.
    z_loss : float
        The factor of the z-loss: finite, 0 or more.
    reduction : {"mean", "sum", "none"}
        What is returned: the mean of the losses, their sum, or each of them. The mean of class indices divides by the
        weights of the classes asked for, or how many rows are not ignored; that of probabilities by how many rows
        there are.
    weight : array_like, optional
        Of shape ``(classes,)``, taken in the precision of the computation. As in PyTorch a weight may be negative: it
        turns the sign of what it multiplies, and a mean divides by the sum as it is, which may be negative or 0.
    ignore_index : int, optional
        Rows with this target, which need not be one of the classes, have a loss of 0, whatever their logits are, and do
        not count in the mean. The mean is NaN if all rows are ignored, or no class asked for has a weight but 0.
    axis : int
        The axis of the classes: 1 for ``(batch, classes, height, width)``.

    Returns
    -------
    loss : ndarray
        Of the dtype of `logits`: one number, or with ``reduction="none"`` of the shape of `logits` without `axis`.

    Raises
    ------
    ValueError
        If a target is out of range (its position is named), the shapes do not fit, or an option is unknown or out of
        its range; if `ignore_index` is given with probabilities.
    TypeError
        If `target` holds neither integers nor probabilities, or an array is masked.

    Notes
    -----
    %(bound)s In float64 it is 10 with a `z_loss` above 0.001: squared,
    and times a large factor, the logarithm of the sum shows more of what it has lost.

    Label smoothing: Szegedy et al., "Rethinking the Inception Architecture", 2016. z-loss: Chowdhery et al., "PaLM",
    2022, and the Chameleon team, "Chameleon: Mixed-Modal Early-Fusion Foundation Models", 2024. Weights and means are
    those of ``torch.nn.functional.cross_entropy``, but for the infinite logit of a class of probability 0.

    Examples
    --------
    >>> import lanewise as lw
    >>> float(lw.cross_entropy([[0.0, 0.0]], [1]))
    0.6931471805599453
    """
    asked, operands = _entropy("cross_entropy", logits, target, label_smoothing, z_loss, reduction, weight,
                               ignore_index, axis)
    losses = on_axis("cross_entropy", _GUFUNCS[asked.kind][0], operands, asked.axis, asked.x.ndim)
    return _reduced(losses, reduction, asked.divisor, asked.x.dtype)


@with_bound
@unflushed
def cross_entropy_with_grad(logits, target, *, label_smoothing=0.0, z_loss=0.0, reduction="mean", weight=None,
                            ignore_index=None, axis=-1, out=None):
    """Cross-entropy and its gradient with respect to the logits, in one pass.

    No array of the size of the logits is made except the gradient. Parameters and errors are those of `cross_entropy`.

    Returns
    -------
    loss : ndarray
        As `cross_entropy` returns it.
    grad : ndarray
        Of the shape of `logits`, or `out`; with ``reduction="none"`` of the sum of the losses. Zeros in rows that are
        ignored.

    Notes
    -----
    %(bound)s In float64 it is 10 with a `z_loss` above 0.001: squared,
    and times a large factor, the logarithm of the sum shows more of what it has lost.
    """
    asked, operands = _entropy("cross_entropy_with_grad", logits, target, label_smoothing, z_loss, reduction, weight,
                               ignore_index, axis)
    losses, grad = _with_grad("cross_entropy_with_grad", asked, operands, asked.scale, out)
    return _reduced(losses, reduction, asked.divisor, asked.x.dtype), grad


@with_bound
@unflushed
def cross_entropy_backward(grad, logits, target, *, label_smoothing=0.0, z_loss=0.0, reduction="mean", weight=None,
                           ignore_index=None, axis=-1, out=None):
    """Gradient of `cross_entropy` with respect to the logits.

    Parameters
    ----------
    grad : array_like
        The gradient arriving, of the shape of the loss: one number, or with ``reduction="none"`` one for each row.
    logits, target, label_smoothing, z_loss, reduction, weight, ignore_index, axis
        As given to `cross_entropy`.
    out : ndarray, optional
        Where to put the result.

    Returns
    -------
    grad_logits : ndarray
        Of the shape of `logits`.

    Raises
    ------
    TypeError
        If an array holds no numbers, is masked, or is a tensor of PyTorch.
    ValueError
        If `grad` does not have the shape of the loss; and as `cross_entropy`.

    Notes
    -----
    %(bound)s In float64 it is 10 with a `z_loss` above 0.001: squared,
    and times a large factor, the logarithm of the sum shows more of what it has lost.

    The exponentials are computed again. Where ``y = log_softmax(logits)`` is there already, the targets are classes,
    and neither smoothing nor a z-loss is asked for, ``log_softmax_backward(nll_loss_backward(grad, y, target), y)``,
    with the same options in both, is the same but for the rounding of `y`, and takes less time; it is NaN where an
    ignored row holds NaN or infinity alone, whose gradients are zeros here.
    """
    name = "cross_entropy_backward"
    asked, operands = _entropy(name, logits, target, label_smoothing, z_loss, reduction, weight, ignore_index, axis)
    grad = _arriving(name, grad, asked, reduction)
    if reduction == "mean":
        grad = grad * asked.scale  # infinite of rows whose weights are 0
    return _with_grad(name, asked, operands, grad, out, UNWANTED)[1]


@with_bound
@unflushed
def nll_loss(x, target, *, reduction="mean", weight=None, ignore_index=None, axis=-1):
    """Negative log-likelihood of classes: ``-weight[target] * x[target]``, of logarithms of probabilities.

    Parameters
    ----------
    x : array_like
        Logarithms of probabilities, as `log_softmax` returns them, of shape ``(..., classes)``: float32, float64,
        float16 or bfloat16.
    target : array_like
        Integers of shape ``(...)``, from 0 to classes - 1.
    reduction, weight, ignore_index, axis
        As for `cross_entropy`.

    Returns
    -------
    loss : ndarray
        Of the dtype of `x`: one number, or with ``reduction="none"`` of the shape of `target`.

    Raises
    ------
    ValueError
        If a target is out of range (its position is named), the shapes do not fit, or an option is unknown.
    TypeError
        If `target` does not hold integers, or an array is masked.

    Notes
    -----
    %(bound)s That is of each loss; of float64 a mean or a sum of them is within 3.

    Source: ``torch.nn.functional.nll_loss``.

    Examples
    --------
    >>> import lanewise as lw
    >>> float(lw.nll_loss([[-0.5, -1.5], [-2.0, -0.25]], [1, 0]))
    1.75
    """
    asked = _asked("nll_loss", x, target, weight, ignore_index, axis, reduction, probable=False)
    x, axis, target, weight, _, divisor = asked
    if target.size and not x.size:
        raise ValueError(f"nll_loss: x of shape {x.shape} has no class to choose")
    losses = _point_kernels.losses_of(x, target, weight, 1.0, axis, False, reduction == "none")
    if losses is None:
        picked = np.take_along_axis(x, np.expand_dims(np.maximum(target, 0), axis), axis)
        losses = _point_kernels.losses_of(rounded_to(_precision(x), picked), target, weight, 1.0, axis, True, False)
    return _reduced(losses, reduction, divisor, x.dtype)


@with_bound
@unflushed
def nll_loss_backward(grad, x, target, *, reduction="mean", weight=None, ignore_index=None, axis=-1, out=None):
    """Gradient of `nll_loss` with respect to `x`: ``-weight[target] * grad`` at the target, 0 elsewhere.

    Parameters
    ----------
    grad : array_like
        The gradient arriving, of the shape of the loss: one number, or with ``reduction="none"`` that of `target`.
    x, target, reduction, weight, ignore_index, axis
        As given to `nll_loss`.
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
        If `grad` does not have the shape of the loss; and as `nll_loss`.

    Notes
    -----
    %(bound)s
    """
    name = "nll_loss_backward"
    asked = _asked(name, x, target, weight, ignore_index, axis, reduction, probable=False)
    grad = _arriving(name, grad, asked, reduction)
    target, weight, place, scale = asked.target, asked.weight, out, asked.scale
    if asked.x.itemsize == 2 and (weight.size or type(grad) is not float):
        slopes = _point_kernels.losses_of(grad, target, weight, scale, asked.axis, True, False)
        grad = rounded_to(asked.x.dtype, slopes)
    if out is None:
        out = place = np.empty(asked.x.shape, asked.x.dtype)
    else:
        if not fitting(name, out, asked.x.shape).flags.carray or out.dtype != asked.x.dtype:
            place = np.empty(asked.x.shape, asked.x.dtype)
        if np.may_share_memory(target, place):
            target = target.copy()
        if np.may_share_memory(weight, place):
            weight = weight.copy()
        if type(grad) is not float and np.may_share_memory(grad, place):
            grad = grad.copy()
    _point_kernels.slopes_of(place, target, grad, weight, scale, asked.axis)
    return out if place is out else stored(name, out, place)
