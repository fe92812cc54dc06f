"""When to stop: PonderNet's halting distribution and loss, and the halting of adaptive computation time. The arithmetic
is kernels/halting.pyx, in log space and in float64."""

import math

import numpy as np

from .. import functions
from ..environment import unflushed
from ..functions.losses import check_reduction
from ..kernels import draws as _draws
from ..kernels import halting as _kernels
from ..kernels import losses as _losses
from ..kernels.operands import as_array
from ._arrays import computed, floating, from_zero, generation_given, key_of, rounded_to, truth, with_bound

__all__ = ["act_halting", "act_halting_backward", "halting_distribution", "ponder_loss", "ponder_loss_backward",
           "ponder_loss_with_grad", "sample_halting"]


def _steps(name, role, x):
    # logits or probabilities, with at least one step in each row
    x = floating(name, role, x)
    if x.ndim == 0 or x.shape[-1] == 0:
        raise ValueError(f"{name}: {role} must have at least one step along the last axis, not shape {x.shape}")
    return x


def _rows(x):
    return computed(x).reshape(-1, x.shape[-1])


@with_bound
@unflushed
def halting_distribution(logits, *, log=False):
    """Probability of halting at each step: ``p_n = lambda_n prod(1 - lambda_j, j < n)``, lambda = sigmoid(logits).

    The last step takes what is left, so that the probabilities of a row add up to 1; its logit is not used.

    Parameters
    ----------
    logits : array_like of float16, bfloat16, float32 or float64, shape (..., steps)
    log : bool
        Whether to return the logarithms, which stay finite where a probability underflows.

    Returns
    -------
    p : ndarray of the shape and dtype of `logits`

    Raises
    ------
    ValueError
        If there is no step.
    TypeError
        If `logits` holds no numbers, or is masked.

    Notes
    -----
    %(bound)s

    Banino, Balaguer and Blundell, "PonderNet: learning to ponder", 2021, equation 2.

    Examples
    --------
    >>> import lanewise as lw
    >>> lw.halting_distribution([0.0, 0.0, 0.0])
    array([0.5 , 0.25, 0.25])
    """
    log = truth("halting_distribution", "log", log)
    logits = _steps("halting_distribution", "logits", logits)
    rows = _rows(logits)
    y = np.empty_like(rows)
    _kernels.ponder(rows, None, y if log else None, None if log else y, None, None, None, None, 0.0, 0.0, 0.0)
    return rounded_to(logits.dtype, y).reshape(logits.shape)


def _prior(name, prior, steps):
    # (log q of the first step, what each further step adds), of a geometric distribution cut off after the steps
    prior = from_zero(name, "prior", prior, 1)
    if prior in (0, 1):
        raise ValueError(f"{name}: prior must be between 0 and 1, not {prior}")
    log_rest = math.log1p(-prior)
    return math.log(prior) - math.log(-math.expm1(steps * log_rest)), log_rest


def _ponder(name, logits, step_losses, prior, beta, reduction, *, loss, grad):
    # the losses of all rows and their sum, and the gradients of their sum, or of their mean where that is asked for
    logits, step_losses = _steps(name, "logits", logits), floating(name, "step_losses", step_losses)
    if step_losses.shape != logits.shape:
        raise ValueError(f"{name}: step_losses of shape {step_losses.shape} does not fit logits of shape "
                         f"{logits.shape}")
    check_reduction(name, reduction)
    beta = from_zero(name, "beta", beta)
    log_prior, log_rest = _prior(name, prior, logits.shape[-1])
    rows = _rows(logits)
    losses = computed(rounded_to(rows.dtype, step_losses)).reshape(rows.shape)  # what is beyond becomes infinite
    p, grad_logits = (np.empty_like(rows), np.empty_like(rows)) if grad else (None, None)
    of_rows = np.empty(len(rows)) if loss else None
    scale = 1.0 / max(1, len(rows)) if reduction == "mean" else 1.0
    total = _kernels.ponder(rows, losses, None, p, grad_logits, of_rows, None, None, beta, log_prior, log_rest, scale)
    return logits, step_losses, (of_rows, total), grad_logits, p


def _reduced(found, logits, reduction):
    of_rows, total = found
    if reduction == "none":
        return rounded_to(logits.dtype, of_rows.reshape(logits.shape[:-1]))
    if reduction == "mean":
        total = total / of_rows.size if of_rows.size else math.nan
        if math.isinf(total):  # a sum may be beyond the range, and the mean not
            total = _losses.total(of_rows, of_rows.size)
    return rounded_to(logits.dtype, np.float64(total))


def _scaled(logits, step_losses, grad_logits, p, scale):
    # `scale` is a number, or one for each row
    with np.errstate(all="ignore"):
        return (rounded_to(logits.dtype, (grad_logits * scale).reshape(logits.shape)),
                rounded_to(step_losses.dtype, (p * scale).reshape(logits.shape)))


@with_bound
@unflushed
def ponder_loss(logits, step_losses, prior=0.2, beta=0.01, *, reduction="mean"):
    """PonderNet's loss: ``sum(p_n l_n) + beta KL(p || q)`` of each row, p being `halting_distribution` of the logits.

    q is a geometric distribution of parameter `prior`, cut off after the last step and scaled to add up to 1. The
    divergence is that of p from q, in log space: finite where a p underflows.

    Parameters
    ----------
    logits : array_like of float16, bfloat16, float32 or float64, shape (..., steps)
    step_losses : array_like of the same shape
        The loss after each step.
    prior : float
        Between 0 and 1: the probability of halting at a step.
    beta : float
        The weight of the divergence.
    reduction : {"mean", "sum", "none"}
        What is returned: the mean over rows, their sum, or each of them.

    Returns
    -------
    loss : ndarray
        Of the dtype of `logits`: one number, or with ``reduction="none"`` of shape (...). The mean of nothing is NaN.

    Raises
    ------
    ValueError
        If the shapes do not fit, there is no step, or an option is unknown or out of its range.
    TypeError
        If an array holds no numbers, or is masked.

    Notes
    -----
    %(bound)s

    Banino, Balaguer and Blundell, "PonderNet: learning to ponder", 2021, equation 6.

    Examples
    --------
    >>> import lanewise as lw
    >>> float(lw.ponder_loss([[0.0, 0.0]], [[1.0, 3.0]], 0.5, 0.0))
    2.0
    """
    name = "ponder_loss"
    logits, _, found, _, _ = _ponder(name, logits, step_losses, prior, beta, reduction, loss=True, grad=False)
    return _reduced(found, logits, reduction)


@with_bound
@unflushed
def ponder_loss_with_grad(logits, step_losses, prior=0.2, beta=0.01, *, reduction="mean"):
    """PonderNet's loss and its gradients, of one pass. Parameters and errors are those of `ponder_loss`.

    With ``g_n = l_n + beta (log p_n - log q_n)``: ``dL/dlogits_k = p_k g_k - lambda_k sum(g_n p_n, n >= k)``, 0 for the
    last step; ``dL/dstep_losses_n = p_n``.

    Returns
    -------
    loss : ndarray
        As `ponder_loss` returns it.
    grad_logits, grad_step_losses : ndarray
        With ``reduction="none"`` of the sum of the losses.

    Notes
    -----
    %(bound)s
    """
    name = "ponder_loss_with_grad"
    logits, step_losses, found, grad_logits, p = _ponder(name, logits, step_losses, prior, beta, reduction, loss=True,
                                                        grad=True)
    return (_reduced(found, logits, reduction), rounded_to(logits.dtype, grad_logits.reshape(logits.shape)),
            rounded_to(step_losses.dtype, p.reshape(logits.shape)))


@with_bound
@unflushed
def ponder_loss_backward(grad, logits, step_losses, prior=0.2, beta=0.01, *, reduction="mean"):
    """Gradients of `ponder_loss` with respect to the logits and the losses of the steps.

    Parameters
    ----------
    grad : array_like
        The gradient arriving, of the shape of the loss.
    logits, step_losses, prior, beta, reduction
        As given to `ponder_loss`.

    Returns
    -------
    grad_logits, grad_step_losses : ndarray

    Raises
    ------
    ValueError, TypeError
        As `ponder_loss`; and a ValueError if `grad` does not have the shape of the loss.

    Notes
    -----
    %(bound)s
    """
    name = "ponder_loss_backward"
    logits, step_losses, _, grad_logits, p = _ponder(name, logits, step_losses, prior, beta, reduction, loss=False,
                                                    grad=True)
    grad = floating(name, "grad", grad)
    expected = logits.shape[:-1] if reduction == "none" else ()
    if grad.shape != expected:
        raise ValueError(f"{name}: grad of shape {grad.shape} does not fit a loss of shape {expected}")
    with np.errstate(all="ignore"):  # it may be beyond the dtype
        scale = grad.astype(grad_logits.dtype).reshape(-1, 1)
    return _scaled(logits, step_losses, grad_logits, p, scale)


@unflushed
def sample_halting(logits, rng, *, generation=0):
    """Draw the step at which each row halts, from `halting_distribution`.

    Parameters
    ----------
    logits : array_like, shape (..., steps)
    rng : int or np.random.Generator
        The key, 64 bits, or where to draw one from: a row's step is its key's and its place's.
    generation : int
        A part of the key, from 0 to 2^32 - 1.

    Returns
    -------
    step : ndarray of int64, shape (...)
        From 0 to steps - 1.

    Raises
    ------
    ValueError
        If there is no step, or a part of the key is out of range.
    TypeError
        If `logits` holds no numbers, or is masked.

    Examples
    --------
    >>> import lanewise as lw
    >>> lw.sample_halting([[-100.0, 100.0, 0.0], [0.0, 0.0, 0.0]], 1)[0]
    np.int64(1)
    """
    name = "sample_halting"
    logits = _steps(name, "logits", logits)
    generation = generation_given(name, generation)
    rows = _rows(logits)
    u = np.empty(len(rows))
    _draws.fill(u, False, 1.0, -1.0, key_of(name, rng), generation)  # above 0, and up to 1
    steps = np.empty(len(rows), np.int64)
    _kernels.ponder(rows, None, None, None, None, None, functions.log(u), steps, 0.0, 0.0, 0.0)
    return steps.reshape(logits.shape[:-1])


@with_bound
@unflushed
def act_halting(h, eps=0.01):
    """Halting of adaptive computation time: the first N steps whose probabilities reach ``1 - eps``.

    Parameters
    ----------
    h : array_like of float16, bfloat16, float32 or float64, shape (..., steps)
        The probability of halting at each step, such as a sigmoid's output.
    eps : float
        From 0 to 1.

    Returns
    -------
    steps : ndarray of int64, shape (...)
        N; all steps, where the sum does not get so far.
    remainder : ndarray, shape (...)
        R, 1 less the sum of the steps before the last.
    cost : ndarray, shape (...)
        The ponder cost, N + R.
    weights : ndarray of the shape of `h`
        What each step's output counts: h, the remainder at the last step, 0 after it. A NaN among the first N steps is
        the last of them, and makes remainder and cost NaN.

    Raises
    ------
    ValueError
        If there is no step, or `eps` is not from 0 to 1.
    TypeError
        If `h` holds no numbers, or is masked.

    Notes
    -----
    %(bound)s

    Graves, "Adaptive computation time for recurrent neural networks", 2016, equations 5 to 10.

    Examples
    --------
    >>> import lanewise as lw
    >>> steps, remainder, cost, weights = lw.act_halting([0.25, 0.5, 0.5, 0.5])
    >>> int(steps), float(remainder), float(cost), weights
    (3, 0.25, 3.25, array([0.25, 0.5 , 0.25, 0.  ]))
    """
    name = "act_halting"
    h, eps = _steps(name, "h", h), from_zero(name, "eps", eps, 1)
    rows = _rows(h)
    weights, steps = np.empty_like(rows), np.empty(len(rows), np.int64)
    remainder, cost = np.empty(len(rows), rows.dtype), np.empty(len(rows), rows.dtype)
    _kernels.adapt(rows, weights, remainder, cost, steps, 1.0 - eps)
    shape = h.shape[:-1]
    return (steps.reshape(shape), rounded_to(h.dtype, remainder.reshape(shape)),
            rounded_to(h.dtype, cost.reshape(shape)), rounded_to(h.dtype, weights.reshape(h.shape)))


@with_bound
@unflushed
def act_halting_backward(grad_cost, grad_weights, steps):
    """Gradient of `act_halting` with respect to `h`; the number of steps is taken as it is, as Graves does.

    With the last step N: ``grad_weights_n - grad_weights_N - grad_cost`` before it, 0 from it on.

    Parameters
    ----------
    grad_cost : array_like, shape (...), or a number
        The gradient arriving at the ponder cost, or at the remainder.
    grad_weights : array_like, shape (..., steps)
        The gradient arriving at the weights.
    steps : array_like of int, shape (...)
        As `act_halting` returned them.

    Returns
    -------
    grad_h : ndarray of the shape and dtype of `grad_weights`

    Raises
    ------
    ValueError
        If the shapes do not fit, or a number of steps is out of range.
    TypeError
        If an array holds no numbers, or is masked.

    Notes
    -----
    %(bound)s
    """
    name = "act_halting_backward"
    grad_weights, grad_cost = _steps(name, "grad_weights", grad_weights), floating(name, "grad_cost", grad_cost)
    steps, shape = as_array(name, "steps", steps), grad_weights.shape
    if steps.shape != shape[:-1] or grad_cost.shape not in ((), shape[:-1]):
        raise ValueError(f"{name}: steps of shape {steps.shape} and grad_cost of shape {grad_cost.shape} do not fit "
                         f"grad_weights of shape {shape}")
    if steps.dtype.kind not in "iu" or (steps.size and not (steps.min() >= 1 and steps.max() <= shape[-1])):
        raise ValueError(f"{name}: steps must be ints from 1 to {shape[-1]}, as act_halting returned them")
    wide = rounded_to(np.float64, grad_weights)
    last = (steps - 1)[..., None]
    with np.errstate(all="ignore"):
        terms = wide, np.take_along_axis(wide, last, -1), grad_cost.astype(np.float64)[..., None]
        found = terms[0] - terms[1] - terms[2]
        if not np.isfinite(found).all():  # a difference may be beyond the range, and the result not
            halves = [0.5 * term for term in terms]
            found = np.where(np.isfinite(found), found, 2 * (halves[0] - halves[1] - halves[2]))
        return rounded_to(grad_weights.dtype, np.where(np.arange(shape[-1]) < last, found, 0.0))
