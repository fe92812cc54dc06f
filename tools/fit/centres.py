"""Centres for the segments of GELU_SEGMENTS and MISH_SEGMENTS: prints those by which the results of gelu and mish are
closest to exact.

A centre is a float where value, slope and second coefficient are all but floats, as in segments.py; but segments are so
wide that the rounding errors of the steps count as well. So the steps of segment_parts_abreast (kernels/math) and of
the function are simulated for each of the best candidates. Takes some minutes. Another seed finds others about as good:
segments.py has the best of two runs of gelu's.
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
    return np.max(np.abs(y - exact) / np.exp2(np.floor(np.log2(np.abs(exact))) - 23))


def worst(column, low, high, share, reflects, count=6000):
    """The largest error of a share(a) in ULP and, where that counts, of a - a share(a)."""
    low, high = float(low), float(high)
    more = 0.01 * (high - low)
    ends = ((low, high), (high - more, high), *(() if reflects else ((low, low + more),)))
    a = np.concatenate([np.linspace(*end, count) for end in ends])
    a = a[np.abs(a) > 1e-6].astype(np.float32).astype(np.float64)
    s, rest = segment_parts(column, a)
    y, exact = fma(a, s, fma(a, rest, 0.0)), a * share(a)
    if reflects and low < 2:
        return max(ulps(y, exact), ulps(fma(a, 1.0, -y), a - exact))
    return ulps(y, exact)


def candidates(c, low, high, about, random):
    """Floats where the polynomial c about the middle has coefficients closest to floats."""
    middle, half = (low + high) / 2, (high - low) / 2
    places = [low + share * (high - low) for share in about]
    centres = np.unique(random.uniform(*places, 400000).astype(np.float32)).astype(float)
    p, lost = np.polynomial.Polynomial([float(v) for v in c]), 0.0
    for weight, own in ((1, p), (half, p.deriv()), (0.6 * half**2, p.deriv(2) / 2)):
        value = own(centres - middle)
        lost = lost + weight * np.abs(np.float32(value) - value) / p(centres - middle)
    return centres[np.argsort(lost)[:CANDIDATES]]


def centres(name, f, share, segments_of, about, reflects):
    for index, ends in segments_of.items():
        random = np.random.default_rng(3)
        about_middle = segments.minimax(f, *ends, 8)
        columns = [segments.column_about(about_middle, f, *ends, float(centre))
                   for centre in candidates(about_middle, *(float(v) for v in ends), about, random)]
        best = min(columns, key=lambda column: worst(column, *ends, share, reflects))
        error = worst(best, *ends, share, reflects, 200000)
        print(f"{index}: {best[0]!r},  # error of {name} {error:.3f} ULP", flush=True)


def mish_share(a):
    n = np.exp(a) * (np.exp(a) + 2)
    return n / (n + 2)


if __name__ == "__main__":
    centres("gelu", roots.normal_tail, lambda a: special.erfc(a / np.sqrt(2)) / 2, segments.steps(0.35, 0.33),
            (0.5, 0.85), reflects=True)
    left = {index: ends for index, ends in segments.signed_steps(0.82, 3).items() if ends[0] < 2 and index != 3}
    centres("mish", roots.mish_share, mish_share, left, (0.05, 0.5), reflects=False)
