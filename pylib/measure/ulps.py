"""The one meter of errors: how far results are from exact ones, in ULP. The exact results come from whoever asks:
oracles.py, row_formulas.py and the tests. NumPy alone is needed, and mpmath for exact results that are its numbers."""

import math

import numpy as np

from ..kernels import ulps as _kernels

__all__ = ["DIGITS", "DTYPES", "LEAST", "MOST", "PRECISION", "dtype_of", "errors"]

DTYPES = ("float32", "float64", "float16", "bfloat16")
DIGITS = {"float16": 11, "bfloat16": 8, "float32": 24, "float64": 53}  # significant bits, the hidden one among them
LEAST = {"float16": -14, "bfloat16": -126, "float32": -126, "float64": -1022}  # exponents of the normal numbers
MOST = {"float16": 15, "bfloat16": 127, "float32": 127, "float64": 1023}
PRECISION = 200  # bits, in which mpmath computes: what cancels is a small part of them


def dtype_of(name):
    """The NumPy dtype of a name, bfloat16 among them."""
    if name == "bfloat16":
        from ml_dtypes import bfloat16

        return np.dtype(bfloat16)
    return np.dtype(name)


def errors(y, exact, dtype, terms=None):
    """|y - exact| in ULP of the exact result or, where they are larger, of the terms that it is a sum of.

    Beyond the largest number an infinity counts as the power of two that rounding would reach. A NaN is right where the
    exact result is one, and nowhere else.

    Parameters
    ----------
    y : ndarray
        Results of a function in `dtype`.
    exact : array_like
        Of float64, of a wider float, or of mpmath's numbers; of the shape of `y`.
    dtype : str
        One of DTYPES.
    terms : array_like, optional
        Sizes, in a float as wide as that of `exact`; of a shape that broadcasts to that of `y`.

    Returns
    -------
    ndarray of float64
        Of the shape of `y`.
    """
    exact = np.asarray(exact)
    if exact.dtype == object:
        return _by_mpmath(y, exact, dtype, 0 if terms is None else terms)
    if terms is not None or exact.dtype != np.float64:
        return _by_numpy(y, exact, dtype, 0 if terms is None else terms)
    found = np.empty(y.size)
    _kernels.measure(np.ravel(y).astype(np.float64), exact.ravel(), DIGITS[dtype], LEAST[dtype], MOST[dtype], found)
    return found.reshape(y.shape)


def _by_numpy(y, exact, dtype, terms):
    top = np.ldexp(exact.dtype.type(1), MOST[dtype] + 1)
    y, exact = np.clip(y.astype(exact.dtype), -top, top), np.clip(exact, -top, top)
    size = np.maximum(np.abs(exact), terms)
    power = np.where(size == 0, LEAST[dtype], np.clip(np.frexp(size)[1] - 1, LEAST[dtype], MOST[dtype]))
    apart = np.ldexp(np.abs(y - exact), DIGITS[dtype] - 1 - power)
    return np.where(np.isnan(apart), np.where(np.isnan(y) & np.isnan(exact), 0.0, np.inf), apart).astype(np.float64)


def _by_mpmath(y, exact, dtype, terms):
    from mpmath import mp

    terms = np.broadcast_to(np.asarray(terms, object), exact.shape)
    with mp.workprec(PRECISION):
        top = mp.ldexp(1, MOST[dtype] + 1)
        found = [_of_number(mp, *each, dtype, top)
                 for each in zip(y.astype(np.float64).ravel().tolist(), exact.ravel(), terms.ravel(), strict=True)]
    return np.array(found, np.float64).reshape(y.shape)


def _of_number(mp, y, exact, term, dtype, top):
    if math.isnan(y) or mp.isnan(exact):
        return 0.0 if math.isnan(y) and mp.isnan(exact) else math.inf
    exact = min(max(exact, -top), top)
    y = mp.mpf(y) if abs(y) < top else mp.sign(y) * top
    size = max(abs(exact), term)
    power = mp.mag(size) - 1 if size else LEAST[dtype]
    return float(mp.ldexp(abs(y - exact), DIGITS[dtype] - 1 - min(max(power, LEAST[dtype]), MOST[dtype])))
