"""The rows that functions along an axis are measured on."""

import numpy as np

from .ulps import dtype_of

__all__ = ["CASES", "rows_of"]

_LENGTHS = (1, 2, 3, 7, 16, 33, 64, 65, 128, 200, 768, 4096, 10_000)
_SCALES = ((0, 1), (3, 1), (2000, 1), (-1e-3, 20), (0, 1e-4))  # mean and standard deviation of a row

#: What a function is tried on: lengths of rows, with means and standard deviations, or with what one element of a row
#: has so much of that float32 would lose all others beside it.
CASES = (*((n, *scale) for n in _LENGTHS for scale in _SCALES),
         *((n, name) for n in (33, 64, 100, 128, 129, 1000, 4096) for name in ("exponential", "logarithm", "square")))


def rows_of(case, rng, elements, dtype):
    """x, gradients, a weight and a bias of a case of CASES, two rows at least; or nothing: what float32 would lose,
    float64 keeps, and results of 16 bits do not show.
    """
    n, *kind = case
    count = max(2, elements // n)
    if len(kind) == 2:
        x, grad = rng.standard_normal((count, n)) * kind[1] + kind[0], rng.standard_normal((count, n))
    elif dtype == "float32":
        x, grad = _swallowing(rng, count, n, *kind), _swallowing(rng, count, n, "magnitude")
    else:
        return None
    return [array.astype(dtype_of(dtype)) for array in (x, grad, rng.standard_normal(n), rng.standard_normal(n))]


def _swallowing(rng, count, n, name):
    # Rows of which one element, at every place in turn, has an exponential, a square or a magnitude of about 2^24 times
    # each other's; of a logarithm two elements, near 0, have such exponentials.
    rows, at = np.arange(count), np.arange(count) % n
    if name == "square":
        x = rng.uniform(0.5, 1.5, (count, n)) * 2 ** rng.uniform(-14, -10, (count, 1)) * rng.choice([-1, 1], (count, n))
    elif name == "magnitude":
        x = rng.uniform(0.5, 1.5, (count, n)) * 2 ** rng.uniform(-26, -22, (count, 1))
    else:
        x = rng.standard_normal((count, n)) * rng.uniform(0, 1, (count, 1))
    if name == "exponential":
        x[rows, at] += rng.uniform(12, 20, count)
    elif name == "logarithm":
        x -= rng.uniform(12, 19, (count, 1))
        x[rows, at], x[rows, (at + rng.integers(1, n, count)) % n] = rng.uniform(-1, 0, (2, count))
    else:
        x[rows, at] = rng.uniform(1, 2, count)
    return x
