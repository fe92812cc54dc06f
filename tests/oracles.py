"""References for the functions along an axis in mpmath's numbers: softmaxes as they are defined, one row at a time, the
package's own formulas of norms, and its meter of errors. Not fast, and not clever."""

import mpmath
import numpy as np
from lanewise.measure.row_formulas import norm_gradients, normed
from lanewise.measure.ulps import DTYPES, PRECISION, errors
from lanewise.measure.ulps import dtype_of as dtype_named

__all__ = ["DTYPES", "LENGTHS", "differences", "dtype_named", "error", "exactly", "layer_norm", "layer_norm_backward",
           "log_softmax", "logsumexp", "mpmath", "rms_norm", "rms_norm_backward", "rows",
           "softmax"]

LENGTHS = (1, 2, 7, 16, 33, 64, 65, 128, 200)  # of rows: one element, registers and what is left of them

mpmath.mp.prec = PRECISION


def exactly(x):
    """An array of mpmath numbers."""
    return np.vectorize(lambda value: mpmath.mpf(float(value)), otypes=[object])(x)


def error(y, exact, dtype, scale=None):
    """The largest error of `y`, in ULP of the exact result or, where that is larger, of `scale`."""
    return float(errors(y, exact, dtype, scale).max(initial=0))


def rms_norm(x, weight, eps):
    y, rstd = normed(x, False, eps)
    return y * weight, rstd[..., 0]


def layer_norm(x, weight, bias, eps):
    y, rstd = normed(x, True, eps)
    return y * weight + bias, rstd[..., 0]


def rms_norm_backward(grad, x, weight, eps):
    """The gradients of x and of the weight, each with the size of its terms."""
    return norm_gradients(False, grad, x, weight, eps)[:2]


def layer_norm_backward(grad, x, weight, eps):
    """The gradients of x, of the weight and of the bias, each with the size of its terms."""
    return norm_gradients(True, grad, x, weight, eps)


def logsumexp(x):
    return np.array([mpmath.log(sum(mpmath.exp(v) for v in row)) for row in x], dtype=object)


def log_softmax(x):
    found = []
    for row in x:
        top = max(row)  # beside which nothing cancels: what follows is a sum of negative numbers
        rest = mpmath.log(sum(mpmath.exp(v - top) for v in row))
        found.append([(v - top) - rest for v in row])
    return np.array(found, dtype=object)


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


def rows(dtype, n, mean=0.0, sigma=1.0, count=3, seed=0):
    """Random rows of a length."""
    rng = np.random.default_rng([seed, n])
    return (rng.standard_normal((count, n)) * sigma + mean).astype(dtype_named(dtype))
