"""Centres for the segments of GELU_SEGMENTS: prints those by which gelu's results are closest to exact.

A centre is a float where value, slope and second coefficient are all but floats, as in segments.py; but segments are so
wide that the rounding errors of the steps count as well. So the steps of segment_parts_abreast (kernels/math) and of
gelu are simulated for each of the best candidates. Takes some minutes. Another seed finds others about as good:
segments.py has the best of two runs.
Run: python tools/fit/centres.py"""

import numpy as np
import roots
import segments
from scipy import special

CANDIDATES = 200


def fma(a, b, c):
    """In float32: a product is exact in float64."""
    return (a * b + c).astype(np.float32).astype(np.float64)


def segment_parts(column, a):
    """kernels/math/piecewise.pxd, segment_parts_abreast."""
    centre, *c = column
    d = a - centre
    square = fma(d, d, 0.0)
    q = fma(c[8], square, fma(c[7], d, c[6]))
    q = fma(q, square, fma(c[5], d, c[4]))
    q = fma(fma(q, d, c[3]), d, c[2])
    tangent = fma(c[1], d, c[0])
    return tangent, fma(q, square, fma(c[1], d, fma(c[0], 1.0, -tangent)))


def ulps(y, exact):
    return np.max(np.abs(y - exact) / np.exp2(np.floor(np.log2(exact)) - 23))


def worst(column, low, high, count=6000):
    """The largest error of gelu(-a), and of gelu(a) where that counts, in ULP."""
    low, high = max(float(low), 1e-6), float(high)
    a = np.concatenate([np.linspace(low, high, count), np.linspace(high - 0.01 * (high - low), high, count)])
    a = a.astype(np.float32).astype(np.float64)
    s, rest = segment_parts(column, a)
    tail, exact = fma(a, s, fma(a, rest, 0.0)), a * special.erfc(a / np.sqrt(2)) / 2
    return max(ulps(tail, exact), ulps(fma(a, 1.0, -tail), a - exact) if low < 2 else 0.0)


def candidates(c, low, high, random):
    """Floats where the polynomial c about the middle has coefficients closest to floats."""
    middle, half = (low + high) / 2, (high - low) / 2
    centres = np.unique(random.uniform(low + half, low + 1.7 * half, 400000).astype(np.float32)).astype(float)
    p, lost = np.polynomial.Polynomial([float(v) for v in c]), 0.0
    for weight, own in ((1, p), (half, p.deriv()), (0.6 * half**2, p.deriv(2) / 2)):
        value = own(centres - middle)
        lost = lost + weight * np.abs(np.float32(value) - value) / p(centres - middle)
    return centres[np.argsort(lost)[:CANDIDATES]]


def centres(f, ends, degree):
    for low, high in ends.values():
        random = np.random.default_rng(3)
        about_middle = segments.minimax(f, low, high, degree)
        columns = [segments.column_about(about_middle, f, low, high, float(centre))
                   for centre in candidates(about_middle, float(low), float(high), random)]
        best = min(columns, key=lambda column: worst(column, low, high))
        print(f"{best[0]!r},  # error of gelu {worst(best, low, high, 200000):.3f} ULP", flush=True)


if __name__ == "__main__":
    centres(roots.normal_tail, segments.steps(0.35, 0.33), 8)
