"""Cross-entropy and its gradient. Defaults, checks and documentation; the arithmetic is in kernels/losses.pyx, and the
bounds in bounds.py."""

import numpy as np

from ..kernels import losses as _kernels
from ..kernels.operands import along, classified
from ._axis import floating, from_zero, rounded_to
from ._documentation import with_bound

__all__ = ["cross_entropy", "cross_entropy_backward", "cross_entropy_with_grad"]

_REDUCTIONS = ("mean", "sum", "none")


def _checked(name, logits, target, label_smoothing, z_loss, reduction):
    if not isinstance(reduction, str) or reduction not in _REDUCTIONS:
        raise ValueError(f"{name}: reduction {reduction!r} is unknown; expected one of {', '.join(_REDUCTIONS)}")
    return (*classified(name, logits, target), from_zero(name, "label_smoothing", label_smoothing, 1),
            from_zero(name, "z_loss", z_loss))


def _reduced(losses, reduction, dtype):
    if reduction == "none":
        return rounded_to(dtype, losses)
    return rounded_to(dtype, np.float64(_kernels.total(
        np.ascontiguousarray(losses), losses.size if reduction == "mean" else 1.0)))


def _scale(target, reduction):
    return 1.0 / target.size if reduction == "mean" and target.size else 1.0


@with_bound
def cross_entropy(logits, target, *, label_smoothing=0.0, z_loss=0.0, reduction="mean"):
    """Cross-entropy of logits and class indices: ``logsumexp(logits) - logits[target]``.

    With label smoothing the target is ``1 - label_smoothing`` and every class gets ``label_smoothing / classes``. The
    z-loss adds ``z_loss * logsumexp(logits)**2``, which keeps the logits from drifting.

    Parameters
    ----------
    logits : array_like
        Of shape ``(..., classes)``: float32, float64, float16 or bfloat16.
    target : array_like
        Integers of shape ``(...)``, from 0 to classes - 1.
    label_smoothing : float
        From 0 to 1.
    z_loss : float
        The factor of the z-loss: finite, 0 or more.
    reduction : {"mean", "sum", "none"}
        What is returned: the mean of the losses, their sum, or each of them.

    Returns
    -------
    loss : ndarray
        Of the dtype of `logits`: one number, or with ``reduction="none"`` of the shape of `target`.

    Raises
    ------
    ValueError
        If a target is out of range (its position is named), the shapes do not fit, or an option is unknown or out of
        its range.
    TypeError
        If `target` does not hold integers, or an array is masked.

    Notes
    -----
    %(bound)s

    Label smoothing: Szegedy et al., "Rethinking the Inception Architecture", 2016. z-loss: Chowdhery et al., "PaLM",
    2022, and the Chameleon team, "Chameleon: Mixed-Modal Early-Fusion Foundation Models", 2024.

    Examples
    --------
    >>> import lanewise as lw
    >>> float(lw.cross_entropy([[0.0, 0.0]], [1]))
    0.6931471805599453
    """
    logits, target, label_smoothing, z_loss = _checked(
        "cross_entropy", logits, target, label_smoothing, z_loss, reduction)
    losses = along(_kernels.cross_entropy_gufunc, (logits, target, label_smoothing, z_loss), ())
    return _reduced(losses, reduction, logits.dtype)


@with_bound
def cross_entropy_with_grad(logits, target, *, label_smoothing=0.0, z_loss=0.0, reduction="mean", out=None):
    """Cross-entropy and its gradient with respect to the logits, which are read twice.

    Nothing of the size of the logits is made but the gradient. Parameters and errors are those of `cross_entropy`.

    Returns
    -------
    loss : ndarray
        As `cross_entropy` returns it.
    grad : ndarray
        Of the shape of `logits`, or `out`; with ``reduction="none"`` of the sum of the losses.

    Notes
    -----
    %(bound)s
    """
    logits, target, label_smoothing, z_loss = _checked(
        "cross_entropy_with_grad", logits, target, label_smoothing, z_loss, reduction)
    losses, grad = along(_kernels.cross_entropy_with_grad_gufunc,
                         (logits, target, label_smoothing, z_loss, _scale(target, reduction)), (None, out))
    return _reduced(losses, reduction, logits.dtype), grad


@with_bound
def cross_entropy_backward(grad, logits, target, *, label_smoothing=0.0, z_loss=0.0, reduction="mean", out=None):
    """Gradient of `cross_entropy` with respect to the logits.

    Parameters
    ----------
    grad : array_like
        The gradient arriving, of the shape of the loss: one number, or with ``reduction="none"`` that of `target`.
    logits, target, label_smoothing, z_loss, reduction
        As given to `cross_entropy`.
    out : ndarray, optional
        Where to put the result.

    Returns
    -------
    grad_logits : ndarray
        Of the shape of `logits`.

    Raises
    ------
    ValueError
        If `grad` does not have the shape of the loss; and as `cross_entropy`.

    Notes
    -----
    %(bound)s
    """
    name = "cross_entropy_backward"
    logits, target, label_smoothing, z_loss = _checked(name, logits, target, label_smoothing, z_loss, reduction)
    grad = floating(name, "grad", grad).astype(np.float64, copy=False)
    expected = target.shape if reduction == "none" else ()
    if grad.shape != expected:
        raise ValueError(f"{name}: grad of shape {grad.shape} does not fit a loss of shape {expected}")
    operands = logits, target, label_smoothing, z_loss, grad * _scale(target, reduction)
    return along(_kernels.cross_entropy_with_grad_gufunc, operands, (None, out))[1]
