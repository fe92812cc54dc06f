"""What the functions along an axis should return: their formulas on arrays of a float wider than theirs, or of mpmath's
numbers, a row along the last axis. How far the functions are from that is row_accuracy.py's; NumPy alone is needed."""

import numpy as np

__all__ = ["length", "log_sum", "mean", "norm_gradients", "normed", "rms", "softmax_gradient"]


def mean(x):
    """The mean of each row, which keeps its axis."""
    return x.sum(-1, keepdims=True) / x.shape[-1]


def normed(x, centred, eps):
    """Rows over the root of their mean square and `eps`, less their mean first where `centred`; and what they were
    multiplied by."""
    for _ in range(2 if centred else 0):  # the second takes what rounding the first mean has left
        x = x - mean(x)
    rstd = 1 / np.sqrt(mean(x * x) + eps)
    return x * rstd, rstd


def rms(x):
    """The root mean square of each row, which keeps its axis."""
    return np.sqrt(mean(x * x))


def norm_gradients(centred, grad, x, weight, eps, *, of_rows=False):
    """The gradients of `normed` times a weight plus a bias, each with the size of the terms it is a sum of: that of x,
    and those of the weight and the bias, summed over the rows, or along each where `of_rows`."""
    found, rstd = normed(x, centred, eps)
    pull = grad * weight
    middle, slope = mean(pull) if centred else 0, mean(pull * found)
    terms = (np.abs(pull) + np.abs(middle) + np.abs(found * slope)) * rstd
    # a normed number near 0 is a difference of larger ones
    sizes = np.maximum(np.abs(found), 1) if centred else np.abs(found)
    axis = -1 if of_rows else 0
    return (((pull - middle - found * slope) * rstd, np.maximum(terms, (np.abs(found) + 1) * rms(pull) * rstd)),
            ((grad * found).sum(axis), (np.abs(grad) * sizes).sum(axis)),
            (grad.sum(axis), np.abs(grad).sum(axis)))


def length(x, p):
    """The length of each row, which keeps its axis: the root of the sum of the powers of magnitudes, or the largest."""
    if p == np.inf:
        return np.abs(x).max(-1, keepdims=True)
    total = (np.abs(x) ** p).sum(-1, keepdims=True)
    return np.sqrt(total) if p == 2 else total if p == 1 else total ** (1 / x.dtype.type(p))


def log_sum(x):
    """The largest of each row, and the logarithm of the sum of exponentials relative to it; both keep the axis."""
    rows, top = np.arange(len(x)), x.max(-1, keepdims=True)
    terms = np.exp(x - top)
    terms[rows, x.argmax(-1)] = 0
    return top, np.log1p(terms.sum(-1, keepdims=True))


def softmax_gradient(grad, y):
    """The gradient of softmax by its output, and the size of its terms."""
    product = grad * y
    return (y * (grad - product.sum(-1, keepdims=True)),
            y * (np.abs(grad) + np.abs(product).sum(-1, keepdims=True)))
