"""Measuring the accuracy contract of the functions along an axis: many random rows, against the formulas in a wider
float. What is allowed is bounds.py's."""

import lanewise as lw
import numpy as np

from . import row_formulas as formulas
from .accuracy import Accuracy
from .attention_accuracy import ATTENTION
from .row_cases import CASES, rows_of
from .ulps import errors

__all__ = ["CASES", "measure_rows"]

_ELEMENTS = {"float32": 1 << 17, "float64": 1 << 15, "float16": 1 << 15, "bfloat16": 1 << 15}  # of a length and scale

_EPS = 1e-5  # of all gradients of norms


def measure_rows(function, dtype, progress=None, elements=None):
    """Measure a function along an axis in one dtype.

    Parameters
    ----------
    function : str
        A name in ROW_BOUNDS.
    dtype : str
        One of DTYPES.
    progress : callable, optional
        Called after every case, of which there are ``len(CASES)``.
    elements : int, optional
        How many to try of each case, in two rows at least; by default 2^17 of float32 and 2^15 of the others.

    Returns
    -------
    Accuracy
        Of every number the function returned. Where results cancel, an error is counted in ULP of what they cancel
        from: the terms of a difference, or the root mean square of the row.
    """
    found = Accuracy(function, dtype)
    wide = np.longdouble if dtype == "float64" else np.float64
    for seed, case in enumerate(CASES):
        rng = np.random.default_rng(seed)
        given = rows_of(case, rng, elements or _ELEMENTS[dtype], dtype)
        for y, exact, terms in _TRIALS[function](wide, rng, *given) if given else ():
            here = errors(np.asarray(y), exact, dtype, np.broadcast_to(terms, exact.shape))
            found.add(Accuracy.of(function, dtype, here.ravel(), [np.asarray(y).astype(np.float64).ravel()]))
        if progress:
            progress()
    return found


def _rms_norm(wide, rng, x, grad, weight, bias):
    eps = wide(1e-6)
    exact, _ = formulas.normed(x.astype(wide), False, eps)
    yield lw.rms_norm(x, eps=float(eps)), exact, 0
    yield lw.rms_norm(x, weight, eps=float(eps)), exact * weight.astype(wide), 0


def _layer_norm(wide, rng, x, grad, weight, bias):
    eps = wide(1e-5)
    exact, _ = formulas.normed(x.astype(wide), True, eps)
    yield lw.layer_norm(x, eps=float(eps)), exact, formulas.rms(exact)
    product = exact * weight.astype(wide)
    size = np.maximum(np.abs(product), np.abs(weight.astype(wide)))  # of a normed number, but 1 at least, times weight
    yield lw.layer_norm(x, weight, eps=float(eps)), product, np.maximum(size, formulas.rms(product))
    y = product + bias.astype(wide)
    yield lw.layer_norm(x, weight, bias, eps=float(eps)), y, np.maximum(size, formulas.rms(y))


def _add_rms_norm(wide, rng, x, grad, weight, bias):
    eps = wide(1e-6)
    total = x.astype(wide) + grad.astype(wide)
    exact, _ = formulas.normed(total, False, eps)
    y, found = lw.add_rms_norm(x, grad, weight, eps=float(eps))
    yield y, exact * weight.astype(wide), 0
    yield found, total, 0


def _grouped(x):
    # a row as an example of one group: of channels of one number, and of two of many
    yield x, x.shape[-1]
    if x.shape[-1] % 2 == 0:
        yield x.reshape(len(x), 2, -1), 2


def _group_norm(wide, rng, x, grad, weight, bias):
    eps = wide(1e-5)
    exact, _ = formulas.normed(x.astype(wide), True, eps)
    yield lw.group_norm(x, 1, eps=float(eps)), exact, formulas.rms(exact)
    for groups, channels in _grouped(x):
        each = np.repeat(np.stack([weight, bias])[:, :channels].astype(wide), x.shape[-1] // channels, -1)
        product = exact * each[0]
        y = product + each[1]
        found = lw.group_norm(groups, 1, weight[:channels], bias[:channels], eps=float(eps))
        yield found.reshape(x.shape), y, np.maximum(np.abs(product), formulas.rms(y))


def _group_norm_backward(wide, rng, x, grad, weight, bias):
    for groups, channels in _grouped(x):
        each = np.repeat(weight[:channels].astype(wide), x.shape[-1] // channels)
        found = lw.group_norm_backward(grad.reshape(groups.shape), groups, 1, weight[:channels], eps=_EPS)
        of_x, *of_vectors = _gradients(wide, True, grad, x, each)
        yield found[0].reshape(x.shape), *of_x
        for part, sums in zip(found[1:], of_vectors, strict=True):
            yield part, *(of_row.reshape(channels, -1).sum(-1) for of_row in sums)


def _instances(x):
    # a row as a channel of one of two channels
    return x[: len(x) // 2 * 2].reshape(-1, 2, x.shape[-1])


def _instance_norm(wide, rng, x, grad, weight, bias):
    eps, instances = wide(1e-5), _instances(x)
    scale, shift = grad[0, 0], grad[0, -1]
    exact, _ = formulas.normed(instances.astype(wide), True, eps)
    product = exact * scale.astype(wide)
    y = product + shift.astype(wide)
    found = lw.instance_norm(instances, np.full(2, scale), np.full(2, shift), eps=float(eps))
    yield found, y, np.maximum(np.abs(product), formulas.rms(y))


def _instance_norm_backward(wide, rng, x, grad, weight, bias):
    instances, scale = _instances(x), grad[0, :1]
    grad = grad[: 2 * len(instances)]
    found = lw.instance_norm_backward(grad.reshape(instances.shape), instances, np.repeat(scale, 2), eps=_EPS)
    of_x, *of_vectors = _gradients(wide, True, grad, x[: len(grad)], scale, of_rows=True)
    yield found[0].reshape(grad.shape), *of_x
    for part, sums in zip(found[1:], of_vectors, strict=True):
        yield part, *(of_row.reshape(-1, 2).sum(0) for of_row in sums)


def _gradients(wide, centred, grad, x, weight, **options):
    return formulas.norm_gradients(
        centred, grad.astype(wide), x.astype(wide), weight.astype(wide), wide(_EPS), **options)


def _rms_norm_backward(wide, rng, x, grad, weight, bias):
    found = lw.rms_norm_backward(grad, x, weight, eps=_EPS)
    for part, sums in zip(found, _gradients(wide, False, grad, x, weight)[:2], strict=True):
        yield part, *sums


def _layer_norm_backward(wide, rng, x, grad, weight, bias):
    found = lw.layer_norm_backward(grad, x, weight, bias, eps=_EPS)
    for part, sums in zip(found, _gradients(wide, True, grad, x, weight), strict=True):
        yield part, *sums


def _channels(lw_function, *arrays, **keywords):
    # a row is a channel: of examples of one number, and of one example
    yield [part.T for part in lw_function(*(array.T for array in arrays), **keywords)]
    yield [part[0] if part.ndim == 3 else part
           for part in lw_function(*(array[None] for array in arrays), **keywords)]


def _batch_norm(wide, rng, x, grad, weight, bias):
    if x.shape[-1] == 1:
        return
    eps, scale, shift = wide(1e-5), grad[:, :1], grad[:, -1:]
    normed, rstd = formulas.normed(x.astype(wide), True, eps)
    product = normed * scale.astype(wide)
    y = product + shift.astype(wide)
    # of float64 the mean is one number, and as good as its last place
    lost = np.abs(formulas.mean(x.astype(wide)) * rstd * scale.astype(wide)) if wide is np.longdouble else 0
    terms = np.maximum(np.maximum(np.abs(product), formulas.rms(y)), lost)
    for found in _channels(lw.batch_norm, x, weight=scale[:, 0], bias=shift[:, 0], training=True, eps=float(eps),
                           return_stats=True):
        yield found[0], y, terms


def _batch_norm_backward(wide, rng, x, grad, weight, bias):
    if x.shape[-1] == 1:
        return
    eps, scale = wide(1e-5), grad[:, :1]
    normed, rstd = formulas.normed(x.astype(wide), True, eps)
    wide_grad, factor = grad.astype(wide), rstd * scale.astype(wide)
    mean, slope = formulas.mean(wide_grad), formulas.mean(wide_grad * normed)
    exact = (wide_grad - mean - normed * slope) * factor
    lost = np.abs(formulas.mean(x.astype(wide)) * rstd) if wide is np.longdouble else 0
    sizes = np.maximum(np.abs(normed), 1) + lost
    terms = (np.abs(wide_grad) + (1 + np.abs(normed) * lost) * np.abs(mean) + sizes * np.abs(slope)
             + (np.abs(normed) + 1) * formulas.rms(wide_grad)) * np.abs(factor)
    stats = {"mean": formulas.mean(x.astype(wide))[:, 0].astype(float), "rstd": rstd[:, 0].astype(float)}
    for found in _channels(lw.batch_norm_backward, grad, x, weight=scale[:, 0], training=True, **stats):
        yield found[0], exact, terms
        yield found[1], (wide_grad * normed).sum(-1), (np.abs(wide_grad) * sizes).sum(-1)
        yield found[2], wide_grad.sum(-1), np.abs(wide_grad).sum(-1)


def _normalize(wide, rng, x, grad, weight, bias):
    x = x[x.any(-1)]
    for p in (1, 2, 3, np.inf):
        yield lw.normalize(x, p), x.astype(wide) / formulas.length(x.astype(wide), p), 0


def _normalize_backward(wide, rng, x, grad, weight, bias):
    x, grad = x[x.any(-1)], grad[x.any(-1)]
    wide_x, wide_grad = x.astype(wide), grad.astype(wide)
    for p in (1, 2, 3, np.inf):
        length = formulas.length(x.astype(wide), p)
        y = wide_x / length
        slope = np.abs(y) == 1 if p == np.inf else np.abs(y) ** (p - 1)
        along = np.sign(y) * slope / (slope.sum(-1, keepdims=True) if p == np.inf else 1)
        product = wide_grad * y
        yield (lw.normalize_backward(grad, x, p), (wide_grad - along * product.sum(-1, keepdims=True)) / length,
               (np.abs(wide_grad) + np.abs(along) * np.abs(product).sum(-1, keepdims=True)) / length)


def _softmax(wide, rng, x, grad, weight, bias):
    top, log_rest = formulas.log_sum(x.astype(wide))
    yield lw.softmax(x), np.exp((x.astype(wide) - top) - log_rest), 0


def _softmin(wide, rng, x, grad, weight, bias):
    top, log_rest = formulas.log_sum(-x.astype(wide))
    yield lw.softmin(x), np.exp((-x.astype(wide) - top) - log_rest), 0


def _log_softmax(wide, rng, x, grad, weight, bias):
    top, log_rest = formulas.log_sum(x.astype(wide))
    yield lw.log_softmax(x), (x.astype(wide) - top) - log_rest, 0


def _logsumexp(wide, rng, x, grad, weight, bias):
    top, log_rest = formulas.log_sum(x.astype(wide))
    yield lw.logsumexp(x), (top + log_rest)[:, 0], np.abs(top[:, 0])


def _logsumexp_backward(wide, rng, x, grad, weight, bias):
    top, log_rest = formulas.log_sum(x.astype(wide))
    shares = np.exp((x.astype(wide) - top) - log_rest)
    yield lw.logsumexp_backward(grad[:, 0], x), shares * grad[:, :1].astype(wide), 0


def _softmax_backward(wide, rng, x, grad, weight, bias):
    y = lw.softmax(x)
    yield lw.softmax_backward(grad, y), *formulas.softmax_gradient(grad.astype(wide), y.astype(wide))


def _softmin_backward(wide, rng, x, grad, weight, bias):
    y = lw.softmin(x)
    exact, terms = formulas.softmax_gradient(grad.astype(wide), y.astype(wide))
    yield lw.softmin_backward(grad, y), -exact, terms


def _log_softmax_backward(wide, rng, x, grad, weight, bias):
    y = lw.log_softmax(x)
    wide_grad = grad.astype(wide)
    p = np.exp(y.astype(wide))
    yield (lw.log_softmax_backward(grad, y), wide_grad - p * wide_grad.sum(-1, keepdims=True),
           np.abs(wide_grad) + p * np.abs(wide_grad).sum(-1, keepdims=True))


def _cross_entropies(wide, rng, x):
    # for both functions, with and without smoothing: options, targets, losses, their terms, and the gradient
    target = rng.integers(0, x.shape[-1], len(x))
    target[::2] = x[::2].argmax(-1)  # whose loss is the logarithm alone
    rows, wide_x = np.arange(len(x)), x.astype(wide)
    top, log_rest = formulas.log_sum(wide_x)
    shares = np.exp((wide_x - top) - log_rest)
    for options in ({}, {"label_smoothing": 0.1, "z_loss": 1e-4}):
        smoothing, z_loss = (wide(options.get(name, 0)) for name in ("label_smoothing", "z_loss"))
        total = top + log_rest
        wanted = np.full(x.shape, smoothing / x.shape[-1], wide)
        wanted[rows, target] += 1 - smoothing
        losses = (wanted * ((top - wide_x) + log_rest)).sum(-1) + (z_loss * total * total)[:, 0]
        yield options, target, losses, np.abs(wide_x).max(-1) if options else 0, shares, shares * (
            1 + 2 * z_loss * total) - wanted


def _cross_entropy(wide, rng, x, grad, weight, bias):
    for options, target, losses, terms, _, _ in _cross_entropies(wide, rng, x):
        yield lw.cross_entropy(x, target, reduction="none", **options), losses, terms


def _cross_entropy_with_grad(wide, rng, x, grad, weight, bias):
    for options, target, _, _, shares, slope in _cross_entropies(wide, rng, x):
        _, found = lw.cross_entropy_with_grad(x, target, reduction="none", **options)
        yield found, slope, np.abs(slope) + shares + (1 if options else 0)


def _cross_entropy_backward(wide, rng, x, grad, weight, bias):
    for options, target, _, _, shares, slope in _cross_entropies(wide, rng, x):
        found = lw.cross_entropy_backward(grad[:, 0], x, target, reduction="none", **options)
        each = grad[:, :1].astype(wide)
        yield found, slope * each, (np.abs(slope) + shares + (1 if options else 0)) * np.abs(each)


def _nll_loss(wide, rng, x, grad, weight, bias):
    target = rng.integers(0, x.shape[-1], len(x))
    exact = -x[np.arange(len(x)), target].astype(wide)
    yield lw.nll_loss(x, target, reduction="none"), exact, 0
    vector = weight.astype(np.float64 if x.dtype == np.float64 else np.float32)
    yield lw.nll_loss(x, target, weight=vector, reduction="none"), exact * vector[target].astype(wide), 0


def _nll_loss_backward(wide, rng, x, grad, weight, bias):
    target = rng.integers(0, x.shape[-1], len(x))
    vector = weight.astype(np.float64 if x.dtype == np.float64 else np.float32)
    exact = np.zeros(x.shape, wide)
    exact[np.arange(len(x)), target] = -grad[:, 0].astype(wide) * vector[target].astype(wide)
    yield lw.nll_loss_backward(grad[:, 0], x, target, weight=vector, reduction="none"), exact, 0


def _pair_loss(name, value, slope, backward=False):
    # of x and another array, or what lies between 0 and 1 for a probability
    def trial(wide, rng, x, grad, weight, bias):
        target = rng.uniform(size=x.shape).astype(x.dtype) if name.startswith("binary") else x[::-1].copy()
        wide_x, wide_target, each = x.astype(wide), target.astype(wide), grad.astype(wide)
        if backward:
            terms = np.abs(each) if name.startswith("binary") else 0
            found = getattr(lw, f"{name}_backward")(grad, x, target, reduction="none")
            yield found, each * slope(wide_x, wide_target), terms
        else:
            yield getattr(lw, name)(x, target, reduction="none"), value(wide_x, wide_target), 0
    return trial


def _huber(x, target):
    size = np.abs(x - target)
    return np.where(size > 1, size - size.dtype.type(0.5), size * size / 2)


def _logits(x, target):
    tail = np.log1p(np.exp(-np.abs(x)))
    return target * (np.maximum(-x, 0) + tail) + (1 - target) * (np.maximum(x, 0) + tail)


def _logits_slope(x, target):
    e = np.exp(-np.abs(x))
    return np.where(x < 0, e, 1) / (1 + e) - target


_PAIR_LOSSES = {
    "mse": (lambda x, target: (x - target) ** 2, lambda x, target: 2 * (x - target)),
    "l1": (lambda x, target: np.abs(x - target), lambda x, target: np.sign(x - target)),
    "huber": (_huber, lambda x, target: np.clip(x - target, -1, 1)),
    "binary_cross_entropy_with_logits": (_logits, _logits_slope),
}


def _prelu_backward(wide, rng, x, grad, weight, bias):
    wide_grad = grad.astype(wide)
    each = np.where(x > 0, 0, wide_grad * x.astype(wide))
    for slopes, axes in ((weight, 0), (weight[:1], (0, 1)), (grad[::-1], ())):
        found = lw.prelu_backward(grad, x, slopes)
        yield found[0], np.where(x > 0, wide_grad, wide_grad * slopes.astype(wide)), 0
        yield found[1], each.sum(axes).reshape(slopes.shape), np.abs(each).sum(axes).reshape(slopes.shape)


# A function's results, what is exact, and the size of what cancels.
_TRIALS = {
    "rms_norm": _rms_norm,
    "rms_norm_backward": _rms_norm_backward,
    "add_rms_norm": _add_rms_norm,
    "layer_norm": _layer_norm,
    "layer_norm_backward": _layer_norm_backward,
    "batch_norm": _batch_norm,
    "batch_norm_backward": _batch_norm_backward,
    "group_norm": _group_norm,
    "group_norm_backward": _group_norm_backward,
    "instance_norm": _instance_norm,
    "instance_norm_backward": _instance_norm_backward,
    "normalize": _normalize,
    "normalize_backward": _normalize_backward,
    "softmax": _softmax,
    **ATTENTION,
    "softmin": _softmin,
    "log_softmax": _log_softmax,
    "logsumexp": _logsumexp,
    "softmax_backward": _softmax_backward,
    "softmin_backward": _softmin_backward,
    "log_softmax_backward": _log_softmax_backward,
    "logsumexp_backward": _logsumexp_backward,
    "cross_entropy": _cross_entropy,
    "cross_entropy_with_grad": _cross_entropy_with_grad,
    "cross_entropy_backward": _cross_entropy_backward,
    "nll_loss": _nll_loss,
    "nll_loss_backward": _nll_loss_backward,
    **{f"{name}{end}": _pair_loss(name, *formula, backward=bool(end))
       for name, formula in _PAIR_LOSSES.items() for end in ("", "_backward")},
    "prelu_backward": _prelu_backward,
}
