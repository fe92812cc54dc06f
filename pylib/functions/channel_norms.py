"""Norms over channels: batch and group norm, forward and backward, with channels at axis 1. Defaults, checks and
documentation; the arithmetic is in kernels/: batch_norm.pyx and, a group being a row, norms.pyx.
"""

import math

import numpy as np

from ..environment import unflushed
from ..kernels import batch_norm as _batch
from ..kernels import norms as _norms
from ..kernels.operands import share_memory
from ._axis import call, fill, floating, floats_beside, from_zero, like, refuse_one, rounded_to, truth, whole
from ._documentation import with_bound

__all__ = ["batch_norm", "batch_norm_backward", "group_norm", "group_norm_backward"]


def checked(name, x):
    x = floating(name, "x", x)
    if x.ndim < 2:
        raise ValueError(f"{name}: x needs a batch axis and a channel axis, not shape {x.shape}")
    return x


def per_channel(name, role, values, x, default=None):
    if values is None:
        return np.full(x.shape[1], default, np.float64) if default is not None else None
    values = floats_beside(name, role, values, x)
    if values.shape != x.shape[1:2]:
        raise ValueError(f"{name}: {role} of shape {values.shape} does not fit x of shape {x.shape}; "
                         f"expected {x.shape[1:2]}")
    return values


def as_segments(x):
    """`x` with a segment, what one example holds of one channel, as its last axis, or without it where that is one."""
    size = math.prod(x.shape[2:])
    return x.reshape(*x.shape[:2], size) if size != 1 else x.reshape(x.shape[:2])


def check_updated(name, out, running_mean, running_var):
    # checks the arrays that training writes to, before anything is written
    if running_mean is None and running_var is None:
        return
    updated = {"running_mean": running_mean, "running_var": running_var}
    for role, running in updated.items():
        if running is not None and not isinstance(running, np.ndarray):
            raise TypeError(f"{name}: {role} is updated in place and must be an ndarray, not {type(running).__name__}")
        if running is not None and (running.dtype.kind in "biu" or running.dtype.itemsize < 2):
            raise TypeError(f"{name}: {role} is updated in place and must hold floats of 16 bits or more, not "
                            f"{running.dtype}")
        if running is not None and not running.flags.writeable:
            raise ValueError(f"{name}: {role} is updated in place, but is read-only")
    written = [(role, array) for role, array in (*updated.items(), ("out", out)) if isinstance(array, np.ndarray)]
    for k, (role, array) in enumerate(written):
        for other_role, other in written[:k]:
            if share_memory(array, other):
                raise ValueError(f"{name}: {other_role} and {role} share memory; each must have its own")


def _moments(name, segments, scale):
    # mean and variance of each channel times its scale
    if segments.ndim == 2:
        return call(name, _batch.column_moments_gufunc, (segments, scale))
    return call(name, _batch.batch_moments_gufunc, (segments.swapaxes(0, 1), scale))


@with_bound
@unflushed
def batch_norm(x, running_mean=None, running_var=None, weight=None, bias=None, *, training=False, momentum=0.1,
               eps=1e-5, out=None, return_stats=False):
    """Batch norm: ``(x - mean) / sqrt(variance + eps) * weight + bias`` for each channel, at axis 1.

    In training, mean and variance are those of the batch and its spatial axes, and `running_mean` and `running_var`, if
    given, are updated in place: ``running = (1 - momentum) * running + momentum * batch``, the variance unbiased, as
    PyTorch does. In inference they are `running_mean` and `running_var`. Means are kept in float64: results of float32
    are as accurate as those of `layer_norm`; in float64 the rounding of the mean costs |mean| / sigma ULP.

    Parameters
    ----------
    x : array_like
        Of shape ``(batch, channels, ...)``: float32, float64, float16 or bfloat16.
    running_mean, running_var : ndarray
        Of shape ``(channels,)``; may be None in training.
    weight, bias : array_like, optional
        Of shape ``(channels,)``.
    training : bool
        Whether to use, and keep, the statistics of this batch.
    momentum, eps : float
        The share of this batch in the running statistics, from 0 to 1; what is added to the variance, finite and 0 or
        more.
    out : ndarray, optional
        Where to put the result.
    return_stats : bool
        Also return `mean` and `rstd`, which `batch_norm_backward` needs.

    Returns
    -------
    y : ndarray
        Of the shape of `x`.
    mean, rstd : ndarray
        float64, of shape ``(channels,)``. With `return_stats` only. In training a mean is within 3 ULP (of x's dtype)
        of the larger of it and the standard deviation.

    Raises
    ------
    TypeError
        If an array holds no numbers, is masked, or is a tensor of PyTorch.
    ValueError
        If a shape does not fit, inference lacks running statistics, a channel in training has only one element, or
        `momentum` or `eps` is out of its range. A batch of nothing gives nothing, and leaves running statistics alone.

    Notes
    -----
    %(bound)s In float64, |mean| / sigma is one of the terms that results cancel from.

    Ioffe and Szegedy, "Batch Normalization", 2015.
    """
    name = "batch_norm"
    training, return_stats = truth(name, "training", training), truth(name, "return_stats", return_stats)
    found = _batch.forward_at_once(x, running_mean, running_var, weight, bias, training, momentum, eps, out)
    if found is not None:
        return found if return_stats else found[0]
    x = checked(name, x)
    momentum, eps = from_zero(name, "momentum", momentum, 1), from_zero(name, "eps", eps)
    weight = per_channel(name, "weight", weight, x, 1.0)
    bias = per_channel(name, "bias", bias, x, 0.0)
    kept_mean = per_channel(name, "running_mean", running_mean, x)
    kept_var = per_channel(name, "running_var", running_var, x)
    segments, double = as_segments(x), x.dtype.itemsize == 8
    affine = _batch.column_affine_gufunc if segments.ndim == 2 else _batch.affine_gufunc
    if training:
        count = x.size // x.shape[1] if x.shape[1] else 0
        if count == 1:
            raise ValueError(f"{name}: training needs more than one element per channel; x of shape {x.shape} has 1")
        check_updated(name, out, running_mean, running_var)
        scale = None
        mean, variance = (_moments(name, segments, np.ones(x.shape[1])) if x.size else
                          (np.full(x.shape[1], np.nan),) * 2)
        if double and x.size:
            scale = _batch.scales(mean, variance, eps)
        if scale is not None:
            mean, variance = _moments(name, segments, scale)
    else:
        if kept_mean is None or kept_var is None:
            raise ValueError(f"{name}: inference needs running_mean and running_var")
        mean, variance, scale = rounded_to(np.float64, kept_mean), rounded_to(np.float64, kept_var), None
    *scaled, mean, rstd, variance = _batch.with_rstd(double, mean, variance, scale, eps)
    y, _ = fill(name, out, x, affine, (x,), as_segments,
                lambda place: call(name, affine, (segments, *scaled, weight, bias), (place,)) if x.size else None)
    if training and x.size and not (running_mean is None and running_var is None):
        # last, since weight and bias may stand there
        with np.errstate(all="ignore"):  # a variance may be beyond what its array holds
            if running_mean is not None:
                running_mean[...] = _batch.blended(kept_mean, mean, momentum, 1.0)
            if running_var is not None:  # of the population: divided by one element less
                running_var[...] = _batch.blended(kept_var, variance, momentum, count / max(count - 1, 1))
    return (y, mean, rstd) if return_stats else y


@with_bound
@unflushed
def batch_norm_backward(grad, x, weight=None, *, mean, rstd, training=False, out=None):
    """Gradients of `batch_norm`.

    With ``normed = (x - mean) * rstd``, in training ``grad_x = (grad - mean(grad) - normed * mean(grad * normed)) *
    rstd * weight``, means over a channel; in inference ``grad * rstd * weight``.

    Parameters
    ----------
    grad, x : array_like
        The gradient arriving, and the forward's input; of one shape.
    weight : array_like, optional
        As given to the forward.
    mean, rstd : array_like
        As the forward returned them with `return_stats`.
    training : bool
        As given to the forward.
    out : ndarray, optional
        Where to put `grad_x`.

    Returns
    -------
    grad_x : ndarray
        Of the shape of `x`.
    grad_weight, grad_bias : ndarray
        Of shape ``(channels,)``: float64 where `x` is, else float32.

    Raises
    ------
    TypeError
        If an array holds no numbers, is masked, or is a tensor of PyTorch.
    ValueError
        If a shape does not fit that of `x`.

    Notes
    -----
    %(bound)s In float64, |mean| / sigma is one of the terms that results cancel from.
    """
    name = "batch_norm_backward"
    training = truth(name, "training", training)
    found = _batch.backward_at_once(grad, x, weight, mean, rstd, training, out)
    if found is not None:
        return found
    x = checked(name, x)
    grad = like(name, "grad", grad, x)
    if mean is None or rstd is None:
        raise ValueError(f"{name}: mean and rstd must be given, as batch_norm returns them with return_stats")
    weight = per_channel(name, "weight", weight, x, 1.0)
    mean, rstd = (rounded_to(np.float64, per_channel(name, *each, x)) for each in (("mean", mean), ("rstd", rstd)))
    arrays = as_segments(grad), as_segments(x)
    scaled = _batch.settled(8 in (x.dtype.itemsize, grad.dtype.itemsize), mean, rstd)
    if not x.size:  # a loop over rows of no elements may not end
        slope, sums = _batch.slope_gufunc, np.zeros((2, x.shape[1]))
    elif arrays[1].ndim == 2:
        slope, sums = _batch.column_slope_gufunc, call(name, _batch.column_sums_gufunc, (*arrays, *scaled))
    else:
        slope = _batch.slope_gufunc
        sums = call(name, _batch.sums_gufunc, (*(array.swapaxes(0, 1) for array in arrays), *scaled))
    grad_bias, grad_weight = sums
    count = x.size // max(x.shape[1], 1) if training else np.inf
    if training or grad.dtype != x.dtype:
        read, operands = (grad, x), (
            *arrays, *scaled, weight, *(_batch.averages(of_all, count) for of_all in sums))
    else:
        slope = _batch.column_affine_gufunc if slope is _batch.column_slope_gufunc else _batch.affine_gufunc
        read, operands = (grad,), (arrays[0], *_batch.of_inference(*scaled, weight))
    grad_x, _ = fill(name, out, x, slope, read, as_segments,
                     lambda place: call(name, slope, operands, (place,)) if x.size else None)
    dtype = np.float64 if x.dtype == np.float64 else np.float32
    return grad_x, rounded_to(dtype, grad_weight), rounded_to(dtype, grad_bias)


def _grouped(name, x, num_groups):
    # (batch, groups, elements of a group)
    channels, num_groups = x.shape[1], whole(name, "num_groups", num_groups)
    if not min(channels, 1) <= num_groups <= max(channels, 1) or channels % max(num_groups, 1):
        raise ValueError(f"{name}: {channels} channels cannot be split into {num_groups} groups")
    size = channels // max(num_groups, 1) * math.prod(x.shape[2:])
    return x.reshape(x.shape[0], num_groups, size)


def statistics(name, mean, rstd, shape):
    # of each group, as a forward returned them
    mean, rstd = (rounded_to(np.float64, floating(name, *each)) for each in (("mean", mean), ("rstd", rstd)))
    if mean.shape == rstd.shape == shape:
        return mean, rstd
    raise ValueError(f"{name}: mean of shape {mean.shape} and rstd of shape {rstd.shape} do not fit; expected {shape}")


def _spread(values, groups):
    # a number per channel as (groups, elements of a group)
    if values is None:
        return np.empty((1, 0), groups.dtype if groups.dtype == np.float64 else np.float32)
    return np.repeat(values, groups.shape[1] * groups.shape[2] // max(len(values), 1)).reshape(groups.shape[1:])


def _backward_by_segments(name, grad, x, weight, shape, mean, rstd, double, out):
    # from the sums of each channel of each example
    batch, channels = x.shape[:2]
    shape = batch * shape[1], channels // shape[1], math.prod(x.shape[2:])  # groups, their channels, and elements

    def by_channel(array):
        return array.reshape(shape).swapaxes(1, 2)

    weights, sums = np.empty((batch, channels)), np.empty((2, *shape[:2]))
    weights[...] = 1 if weight is None else rounded_to(np.float64, weight)
    gufunc, weights = _norms.group_norm_backward_gufunc, weights.reshape(shape[:2])
    grad_x, _ = fill(
        name, out, x, gufunc, (grad, x), by_channel,
        lambda place: call(name, gufunc, (by_channel(grad), by_channel(x), weights, mean.reshape(-1), rstd.reshape(-1)),
                           (place, *sums)))
    totals = _norms.totals_of_examples(sums.reshape(2, batch, channels))
    return grad_x, *rounded_to(np.float64 if double else np.float32, totals)


@with_bound
@unflushed
def group_norm(x, num_groups, weight=None, bias=None, *, eps=1e-5, out=None, return_stats=False):
    """Group norm: each example's channels, at axis 1, in groups that are layer-normed together.

    Parameters
    ----------
    x : array_like
        Of shape ``(batch, channels, ...)``: float32, float64, float16 or bfloat16.
    num_groups : int
        How many groups the channels make.
    weight, bias : array_like, optional
        Of shape ``(channels,)``.
    eps : float
        Added to the variance: finite, 0 or more.
    out : ndarray, optional
        Where to put the result.
    return_stats : bool
        Also return `mean` and `rstd`, which `group_norm_backward` can use.

    Returns
    -------
    y : ndarray
        Of the shape of `x`.
    mean, rstd : ndarray
        float64, of shape ``(batch, num_groups)``. With `return_stats` only.

    Raises
    ------
    TypeError
        If an array holds no numbers, is masked, or is a tensor of PyTorch.
    ValueError
        If the channels do not divide into the groups, or a shape does not fit.

    Notes
    -----
    %(bound)s

    Wu and He, "Group Normalization", 2018.
    """
    name = "group_norm"
    return_stats = truth(name, "return_stats", return_stats)
    found = None if num_groups is None else _norms.group_norm_at_once(x, num_groups, weight, bias, eps, out)
    if found is not None:
        return found if return_stats else found[0]
    x = checked(name, x)
    weight, bias = per_channel(name, "weight", weight, x), per_channel(name, "bias", bias, x)
    eps = from_zero(name, "eps", eps)
    groups = _grouped(name, x, num_groups)
    y, (_, mean, rstd) = fill(
        name, out, x, _norms.layer_norm_gufunc, (x,), lambda place: place.reshape(groups.shape),
        lambda place: call(name, _norms.layer_norm_gufunc,
                           (groups, _spread(weight, groups), _spread(bias, groups), eps), (place,)))
    return (y, mean, rstd) if return_stats else y


@with_bound
@unflushed
def group_norm_backward(grad, x, num_groups, weight=None, *, mean=None, rstd=None, eps=1e-5, out=None):
    """Gradients of `group_norm`.

    Parameters
    ----------
    grad, x : array_like
        The gradient arriving, and the forward's input; of one shape.
    num_groups, weight, eps
        As given to the forward.
    mean, rstd : array_like, optional
        As the forward returned them, both or none; computed again where they are not given.
    out : ndarray, optional
        Where to put `grad_x`.

    Returns
    -------
    grad_x : ndarray
        Of the shape of `x`.
    grad_weight, grad_bias : ndarray
        Of shape ``(channels,)``: float64 where `x` is, else float32.

    Raises
    ------
    TypeError
        If an array holds no numbers, is masked, or is a tensor of PyTorch.
    ValueError
        If the channels do not divide into the groups, a shape does not fit, or one of `mean` and `rstd` is given alone.

    Notes
    -----
    %(bound)s
    """
    name = "group_norm_backward"
    found = None if num_groups is None else _norms.backward_at_once(grad, x, num_groups, weight, mean, rstd, eps, out)
    if found is not None:
        return found
    x = checked(name, x)
    grad = like(name, "grad", grad, x)
    weight = per_channel(name, "weight", weight, x)
    groups = _grouped(name, x, num_groups)
    eps = from_zero(name, "eps", eps)
    refuse_one(name, mean, rstd)
    if mean is not None:
        mean, rstd = statistics(name, mean, rstd, groups.shape[:2])
    else:
        mean, rstd = call(name, _norms.layer_stats_gufunc, (groups, eps))
    double = 8 in (x.dtype.itemsize, grad.dtype.itemsize)
    keeps_weight = double or weight is None or weight.dtype != np.float64  # float32 would lose its range
    if x.size and math.prod(x.shape[2:]) >= _norms.least_segment and keeps_weight:
        return _backward_by_segments(name, grad, x, weight, groups.shape, mean, rstd, double, out)

    def by_group(array):
        return array.reshape(groups.shape).transpose(1, 0, 2)[:, :, None]

    grad_x, (_, *sums) = fill(
        name, out, x, _norms.layer_norm_backward_gufunc, (grad, x), by_group,
        lambda place: call(
            name, _norms.layer_norm_backward_gufunc,
            (by_group(grad), by_group(groups), _spread(weight, groups), mean.T[..., None], rstd.T[..., None]),
            (place,)))
    grad_weight, grad_bias = (
        part.reshape(x.shape[1]) if part.size == x.shape[1] else rounded_to(part.dtype, call(
            name, _batch.total_gufunc, (part.reshape(x.shape[1], part.size // max(x.shape[1], 1)),)))
        for part in sums)
    return grad_x, grad_weight, grad_bias
