"""Instance norm, forward and backward: each channel of each example by itself. Defaults, checks and documentation; what
it is made of is in channel_norms.py."""

import math

import numpy as np

from ..environment import unflushed
from ..kernels import batch_norm as _batch
from ..kernels import norms as _norms
from ..kernels.operands import share_memory
from ._axis import call, fitting, from_zero, like, refuse_narrow, refuse_one, truth
from ._documentation import with_bound
from .channel_norms import (
    as_segments,
    batch_norm,
    batch_norm_backward,
    check_updated,
    checked,
    group_norm,
    group_norm_backward,
    per_channel,
    statistics,
)

__all__ = ["instance_norm", "instance_norm_backward"]


def _totals(x):
    # sums over the examples, of means and of variances of each channel, by a pass of its own
    moments = call("instance_norm", _batch.moments_gufunc, (as_segments(x), np.ones(x.shape[1])))
    return [call("instance_norm", _batch.total_gufunc, (part.T,)) for part in moments]


def _refuse_out(name, out, x, *others):
    # what does not hold the results, here, since what is called below would name itself
    if out is not None:
        fitting(name, out, x.shape)
        if all(other is None or other.dtype == x.dtype for other in others):
            refuse_narrow(name, x.dtype, out.dtype)


@with_bound
@unflushed
def instance_norm(x, weight=None, bias=None, *, eps=1e-5, out=None, return_stats=False, running_mean=None,
                  running_var=None, use_input_stats=True, momentum=0.1):
    """Instance norm: `group_norm` with as many groups as channels; each channel of each example by itself.

    Parameters
    ----------
    x, weight, bias, eps, out, return_stats
        As for `group_norm`.
    running_mean, running_var : ndarray, optional
        Of shape ``(channels,)``, both or none. They are updated in place, as PyTorch does: ``running = (1 - momentum) *
        running + momentum * mean``, of the means and unbiased variances of a channel's examples. Without
        `use_input_stats` they take the place of each example's own.
    use_input_stats : bool
        Whether each example has its own statistics. If not this is `batch_norm` in inference, and `mean` and `rstd` are
        of its shape, ``(channels,)``.
    momentum : float
        The share of this batch in the running statistics, from 0 to 1.

    Returns
    -------
    y, mean, rstd : ndarray
        As `group_norm` returns them.

    Raises
    ------
    ValueError
        If a shape does not fit, one of the running statistics is missing, they are to be updated from channels of one
        element, or an option is out of its range.

    Notes
    -----
    %(bound)s

    Source: ``torch.nn.functional.instance_norm``.
    """
    name = "instance_norm"
    use_input_stats = truth(name, "use_input_stats", use_input_stats)
    return_stats = truth(name, "return_stats", return_stats)
    momentum = from_zero(name, "momentum", momentum, 1)
    if running_mean is None and running_var is None and use_input_stats:
        found = _norms.group_norm_at_once(x, None, weight, bias, eps, out)
        if found is not None:
            return found if return_stats else found[0]
    x = checked(name, x)
    # here, since what is called below would name itself
    weight, bias = per_channel(name, "weight", weight, x), per_channel(name, "bias", bias, x)
    eps = from_zero(name, "eps", eps)
    _refuse_out(name, out, x, weight, bias)
    if (running_mean is None) != (running_var is None) or (running_mean is None and not use_input_stats):
        missing = "running_mean" if running_mean is None else "running_var"
        raise ValueError(f"{name}: {missing} is missing; running_mean and running_var go together, and "
                         f"use_input_stats=False needs them")
    kept_mean = per_channel(name, "running_mean", running_mean, x)
    kept_var = per_channel(name, "running_var", running_var, x)
    if not use_input_stats:
        return batch_norm(x, kept_mean, kept_var, weight, bias, eps=eps, out=out, return_stats=return_stats)
    if running_mean is None or not x.size:
        return group_norm(x, x.shape[1], weight, bias, eps=eps, out=out, return_stats=return_stats)
    count = math.prod(x.shape[2:])
    if count == 1:
        raise ValueError(f"{name}: running statistics need more than one element per channel; x of shape {x.shape} "
                         f"has 1")
    check_updated(name, out, running_mean, running_var)
    if isinstance(out, np.ndarray) and share_memory(out, x):
        x = x.copy()  # which may be asked once more
    y, mean, rstd = group_norm(x, x.shape[1], weight, bias, eps=eps, out=out, return_stats=True)
    totals = _norms.totals_of_instances(mean, rstd, eps)
    means, variances = _totals(x) if totals is None else totals
    with np.errstate(all="ignore"):  # a variance may be beyond what its array holds
        running_mean[...] = _batch.blended(kept_mean, means, momentum, 1 / len(x))
        running_var[...] = _batch.blended(kept_var, variances, momentum, count / (count - 1) / len(x))
    return (y, mean, rstd) if return_stats else y


@with_bound
@unflushed
def instance_norm_backward(grad, x, weight=None, *, mean=None, rstd=None, eps=1e-5, out=None, use_input_stats=True):
    """Gradients of `instance_norm`: those of `group_norm` with as many groups as channels.

    Parameters, results and errors are those of `group_norm_backward`. Without `use_input_stats` they are those of
    `batch_norm_backward` in inference, and `mean` and `rstd` must be given, as the forward returned them.

    Notes
    -----
    %(bound)s
    """
    name = "instance_norm_backward"
    if use_input_stats is True:
        found = _norms.backward_at_once(grad, x, None, weight, mean, rstd, eps, out)
        if found is not None:
            return found
    use_input_stats = truth(name, "use_input_stats", use_input_stats)
    x = checked(name, x)
    # here, since what is called below would name itself
    grad, weight = like(name, "grad", grad, x), per_channel(name, "weight", weight, x)
    eps = from_zero(name, "eps", eps)
    _refuse_out(name, out, x, grad, weight)
    refuse_one(name, mean, rstd)
    if mean is not None:
        mean, rstd = statistics(name, mean, rstd, x.shape[:2] if use_input_stats else x.shape[1:2])
    if use_input_stats:
        return group_norm_backward(grad, x, x.shape[1], weight, mean=mean, rstd=rstd, eps=eps, out=out)
    if mean is None or rstd is None:
        raise ValueError(f"{name}: mean and rstd must be given, as instance_norm returns them with return_stats")
    return batch_norm_backward(grad, x, weight, mean=mean, rstd=rstd, out=out)
