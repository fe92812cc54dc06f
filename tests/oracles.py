"""References for the functions along an axis, in NumPy's longdouble or, for float64, in double-double by mpmath:
the formulas as they stand in the papers, one row at a time. Not fast, and not clever."""

import mpmath
import numpy as np

mpmath.mp.prec = 200
DTYPES = ("float16", "bfloat16", "float32", "float64")


def dtype_named(name):
    if name != "bfloat16":
        return np.dtype(name)
    import ml_dtypes
    return np.dtype(ml_dtypes.bfloat16)


def exactly(x):
    """An array of mpmath numbers."""
    return np.vectorize(lambda value: mpmath.mpf(float(value)), otypes=[object])(x)


def ulp(x, dtype):
    """The spacing of `dtype` at |x|, for an array of mpmath numbers."""
    bits, least = {"float16": (11, -24), "bfloat16": (8, -133), "float32": (24, -149), "float64": (53, -1074)}[dtype]

    def one(value):
        power = max(mpmath.frexp(value)[1] - bits, least) if value else least
        return mpmath.ldexp(1, power)
    return np.vectorize(one, otypes=[object])(x)


def error(y, exact, dtype, scale=None):
    """The largest error of `y`, in ULP of the exact result or, where that is larger, of `scale`."""
    size = np.abs(exact)
    if scale is not None:
        size = np.maximum(size, scale)
    return float(np.max(np.abs(exactly(y) - exact) / ulp(size, dtype))) if y.size else 0.0


def rms_norm(x, weight, eps):
    n = x.shape[-1]
    rstd = np.array([1 / mpmath.sqrt(sum(v * v for v in row) / n + eps) for row in x], dtype=object)
    return x * rstd[:, None] * weight, rstd


def layer_norm(x, weight, bias, eps):
    n = x.shape[-1]
    centred = x - (x.sum(-1) / n)[:, None]
    rstd = np.array([1 / mpmath.sqrt(sum(v * v for v in row) / n + eps) for row in centred], dtype=object)
    return centred * rstd[:, None] * weight + bias, rstd


def rms_norm_backward(grad, x, weight, eps):
    normed, rstd = rms_norm(x, 1, eps)
    g = grad * weight
    return (g - normed * ((g * normed).sum(-1) / x.shape[-1])[:, None]) * rstd[:, None], (grad * normed).sum(0)


def layer_norm_backward(grad, x, weight, eps):
    n = x.shape[-1]
    normed, rstd = layer_norm(x, 1, 0, eps)
    g = grad * weight
    mean, mean_normed = (g.sum(-1) / n)[:, None], ((g * normed).sum(-1) / n)[:, None]
    return (g - mean - normed * mean_normed) * rstd[:, None], (grad * normed).sum(0), grad.sum(0)


def logsumexp(x):
    return np.array([mpmath.log(sum(mpmath.exp(v) for v in row)) for row in x], dtype=object)


def log_softmax(x):
    return np.array([[-mpmath.log(sum(mpmath.exp(v - top) for v in row)) for top in row] for row in x], dtype=object)


def softmax(x):
    return np.vectorize(mpmath.exp, otypes=[object])(log_softmax(x))


def differences(function, x, step=1e-6):
    """The gradient of a function of `x` (float64) to a number, by central differences."""
    slope = np.zeros_like(x)
    for i in np.ndindex(x.shape):
        up, down = x.copy(), x.copy()
        up[i] += step
        down[i] -= step
        slope[i] = (function(up) - function(down)) / (2 * step)
    return slope
