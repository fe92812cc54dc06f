"""The rows that functions along an axis are measured on."""

import numpy as np

from .ulps import dtype_of

__all__ = ["CASES", "rows_of"]

_LENGTHS = (1, 2, 3, 7, 16, 33, 64, 65, 128, 200, 768, 4096, 10_000)
_SCALES = ((0, 1), (3, 1), (2000, 1), (-1e-3, 20), (0, 1e-4))  # mean and standard deviation of a row

#: What a function is tried on: lengths of rows, with means and standard deviations, or with what one element of a row
#: has so much of that its precision would lose all others beside it, or what most elements have in common; or rows
#: whose elements lie close together, beside gradients of which one is so large.
CASES = (*((n, *scale) for n in _LENGTHS for scale in _SCALES),
         *((n, name) for n in (33, 64, 100, 128, 129, 1000, 4096) for name in ("exponential", "logarithm", "square")),
         *((n, name) for n in (50, 129, 1000, 4097, 20_000) for name in ("number", "magnitude")),
         *((n, "spread") for n in (129, 300, 1000, 4097, 10_000)))

_DIGITS = {"float32": 24, "float64": 53}  # bits of a number


def rows_of(case, rng, elements, dtype):
    """x, gradients, a weight and a bias of a case of CASES, two rows at least; or nothing, of awkward rows of 16 bits,
    whose results do not show what is lost.
    """
    n, *kind = case
    count = max(2, elements // n)
    if len(kind) == 2:
        x, grad = rng.standard_normal((count, n)) * kind[1] + kind[0], rng.standard_normal((count, n))
    elif dtype not in _DIGITS:
        return None
    elif kind[0] in ("number", "magnitude"):
        x, grad = (_alike(rng, count, n, kind[0] == "magnitude") for _ in range(2))
    else:
        x, grad = (_close(rng, count, n) if name == "spread" else _swallowing(rng, count, n, name, _DIGITS[dtype])
                   for name in (*kind, "magnitude"))
    return [array.astype(dtype_of(dtype)) for array in (x, grad, rng.standard_normal(n), rng.standard_normal(n))]


def _alike(rng, count, n, signed):
    # rows whose elements are one number but for a few, the signs aside where `signed`
    x = np.repeat(rng.uniform(0.5, 4, (count, 1)), n, -1)
    others = rng.random((count, n)) < rng.choice([1 / n, 0.1], (count, 1))
    others[:, rng.integers(n)] = True
    x[others] = rng.uniform(0.5, 4, others.sum())
    return x * rng.choice([-1, 1], (count, n)) if signed else x


def _close(rng, count, n):
    # rows of numbers that differ by up to a tenth
    return rng.uniform(0.5, 4, (count, 1)) * (1 + rng.uniform(0, 0.05, (count, 1)) * rng.uniform(-1, 1, (count, n)))


def _swallowing(rng, count, n, name, digits):
    # Rows of which one element, at every place in turn, has an exponential, a square or a magnitude of about 2^digits
    # times each other's; of a logarithm two elements, near 0, have such exponentials.
    rows, at = np.arange(count), np.arange(count) % n
    half, nepers = digits // 2, digits * np.log(2)
    if name == "square":
        x = rng.uniform(0.5, 1.5, (count, n)) * 2.0 ** rng.uniform(-half - 2, 2 - half, (count, 1))
        x *= rng.choice([-1, 1], (count, n))
    elif name == "magnitude":
        x = rng.uniform(0.5, 1.5, (count, n)) * 2.0 ** rng.uniform(-digits - 2, 2 - digits, (count, 1))
    else:
        x = rng.standard_normal((count, n)) * rng.uniform(0, 1, (count, 1))
    if name == "exponential":
        x[rows, at] += rng.uniform(nepers - 5, nepers + 3, count)
    elif name == "logarithm":
        x -= rng.uniform(nepers - 5, nepers + 2, (count, 1))
        x[rows, at], x[rows, (at + rng.integers(1, n, count)) % n] = rng.uniform(-1, 0, (2, count))
    else:
        x[rows, at] = rng.uniform(1, 2, count)
    return x
