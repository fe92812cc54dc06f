"""Piecewise polynomials for float32 that look their coefficients up in 16-entry tables: prints kernels/segments.pxd.

A segment is named by four bits of its place, scale a + offset, as the CPU's look-up takes them: bits 21 to 24. Its
centre is the float near its middle where the function is all but exactly a float, so that the leading coefficient
rounds nothing away (Gal's accurate tables). Run: python tools/fit/segments.py > kernels/segments.pxd"""

import itertools
import struct
import sys

import numpy as np
import roots
from mpmath import mp, mpf

mp.dps = 40


def bits(x):
    return struct.unpack("<I", struct.pack("<f", x))[0]


def from_bits(b):
    return struct.unpack("<f", struct.pack("<I", b))[0]


def rounding(x):
    """What rounding to float32 does to x."""
    return abs(mpf(float(np.float32(float(x)))) - x)


def accurate_centre(f, low, high):
    """The float in the middle fifth of [low, high] where f and its slope together are closest to floats."""
    middle, half = (mpf(low) + high) / 2, (mpf(high) - low) / 2
    value = mp.taylor(f, middle, 12)[::-1]
    slope = [c * (12 - k) for k, c in enumerate(value[:-1])]
    candidates = np.linspace(low + 0.4 * (high - low), low + 0.6 * (high - low), 20000).astype(np.float32)
    return min((float(c) for c in candidates), key=lambda c: rounding(mp.polyval(value, c - middle))
               + half * rounding(mp.polyval(slope, c - middle)))


def interpolate(g, centre, low, high, n):
    """The n coefficients in d of a polynomial through g(centre + d) at Chebyshev nodes, rounded to float32."""
    nodes = [(mpf(low) + high) / 2 + (mpf(high) - low) / 2 * mp.cos(mp.pi * (2 * i + 1) / (2 * n)) for i in range(n)]
    rows = mp.matrix([[(v - centre) ** k for k in range(n)] for v in nodes])
    return [float(np.float32(float(c))) for c in mp.lu_solve(rows, mp.matrix([g(v) for v in nodes]))]


def fit(f, centre, low, high, degree):
    """c1 ... c_degree of f(centre + d) = f(centre) + d (c1 + ...), at 0 of an odd f(d) = d + d (c1 + ...)."""
    if centre:
        first = mp.diff(f, centre)
        if rounding(first) < 2.0**-28 * abs(first):
            rest = interpolate(lambda v: ((f(v) - f(mpf(centre))) / (v - centre) - first) / (v - centre),
                               centre, low, high, degree - 1)
            return [float(first), *rest]
        return interpolate(lambda v: (f(v) - f(mpf(centre))) / (v - centre), centre, low, high, degree)
    slope = mp.diff(f, 0) - 1
    rest = interpolate(lambda v: (f(v) / v - 1 - slope) / v, 0, low, high, degree - 1)
    return [float(np.float32(float(slope))), *rest]


def table(f, segments, degree, fixed, beyond):
    """Rows centre, c0 ... c_degree of 16 entries; segments maps an index to (low, high). `beyond` maps one to a column
    as it stands: of the place from which on a function is its asymptote. Where a centre is fixed at a root c0 is 0, so
    that nothing is lost beside what is small, and a last row has what c0 lacks."""
    rooted = any(fixed.values())
    columns = [[0.0] * (degree + 2 + rooted) for _ in range(16)]
    worst = mpf(0)
    for index, (low, high) in segments.items():
        centre = fixed.get(index)
        if centre is None:
            centre = accurate_centre(f, low, high)
        value = f(mpf(centre))
        c = [centre, 0.0 if index in fixed else float(np.float32(float(value))), *fit(f, centre, low, high, degree)]
        lacking = float(np.float32(float(value - c[1]))) if rooted else 0.0
        columns[index] = [*c, lacking] if rooted else c
        for k in range(41):  # and the error it leaves
            v = low + (mpf(high) - low) * k / 40
            if v:
                near = mp.polyval(c[:0:-1], v - centre) + lacking + (0 if centre else v)
                worst = max(worst, abs(near / f(v) - 1))
    for index, c in beyond.items():
        columns[index] = [*c, *[0.0] * (degree + 2 + rooted - len(c))]
    return list(zip(*columns, strict=True)), worst


def quarters(scale, offset, top):
    """Segments by two bits of the mantissa and two of the exponent of scale a + offset: index to (low, high)."""
    first = bits(offset) >> 21
    ends = [(from_bits(first + k << 21) - offset) / scale for k in range(17)]
    return {first + k & 15: (low, min(high, top))
            for k, (low, high) in enumerate(itertools.pairwise(ends)) if low < top}


def index_of(place):
    return bits(place) >> 21 & 15


def mills(a):
    """The normal tail over its exponential."""
    return mp.exp(a * a / 2) * mp.erfc(a / mp.sqrt(2)) / 2


def print_table(name, note, rows):
    """A table in C; returns its declaration."""
    declaration = f"const float {name}[{len(rows)}][16]"
    print(f"    /* {note} */\n    static {declaration} = {{")
    for row in rows:
        print("        {" + ", ".join(f"{v!r}f" for v in row) + "},")
    print("    };")
    return declaration


def emit(name, f, segments, degree, fixed, note, beyond=()):
    rows, worst = table(f, segments, degree, fixed, dict(beyond))
    last = ", what c0 lacks" if any(fixed.values()) else ""
    return print_table(name, f"{note}; error 2^{mp.nstr(mp.log(worst, 2), 4)}. Rows: centre, c0 ... c{degree}{last}",
                       rows)


def log_table(ln2, ln2_low):
    """Rows inverse, head and rest for m within 1/32 of c = 1 + index / 16: inverse near 1 / c, in multiples of 1 / 64
    lest m inverse - 1 round (61 / 64 lest that exceed 2^-5 beside 1), and -log(inverse) - 127 (ln2 + ln2_low) as a
    multiple of 2^-16 and what that lacks."""
    inverses = [61 / 64 if index == 1 else round(1024 / (16 + index)) / 64 for index in range(16)]
    heads = [float(mp.nint(-mp.log(inverse) * 2**16) / 2**16) for inverse in inverses]
    rests = [float(np.float32(float(-mp.log(inverse) - head - 127 * mpf(ln2_low))))
             for inverse, head in zip(inverses, heads, strict=True)]
    return inverses, [head - 127 * ln2 for head in heads], rests


def tables():
    """Print every table; their declarations."""
    about_zero = {index_of(1.75): 0.0, index_of(2.0): 0.0}
    yield emit("TANH_SEGMENTS", mp.tanh, quarters(2.5, 1.75, 10.4), 6, about_zero,
               "tanh(a), place 2.5 a + 1.75, a up to 10.4; where the centre is 0 less a")
    yield emit("ERF_SEGMENTS", mp.erf, quarters(6.625, 1.75, 3.95), 6, about_zero,
               "erf(a), place 6.625 a + 1.75, a up to 3.95; where the centre is 0 less a")
    yield emit("NORMAL_TAIL_SEGMENTS", mills, quarters(1, 2, 20), 7, {},
               "erfc(a / sqrt 2) / 2 e^(a^2 / 2), place a + 2, a up to 20")
    root = -roots.fit(roots.gelu_slope, -0.75, mpf("0.125"), 6)[0]
    yield emit("GELU_SLOPE_SEGMENTS", lambda a: mills(a) - a / mp.sqrt(2 * mp.pi), quarters(1.265625, 1.25, 14.7), 6,
               {index_of(1.265625 * float(root) + 1.25): float(np.float32(float(root)))},
               "gelu'(-a) e^(a^2 / 2), place 1.265625 a + 1.25, a up to 14.7")
    root = -roots.fit(roots.silu_slope, -1.28, mpf("0.25"), 6)[0]
    yield emit("SILU_SLOPE_SEGMENTS", lambda a: roots.silu_slope(-a) * mp.exp(a), quarters(1, 2, 26), 7,
               {index_of(2 + float(root)): float(np.float32(float(root)))},
               "silu'(-a) e^a, place a + 2; 1 - a from a = 26 on", {15: (27.0, -26.0, -1.0)})
    yield emit("SOFTPLUS_SEGMENTS", lambda a: mp.log1p(mp.exp(-a)) * mp.exp(a), quarters(0.84375, 1.25, 22), 6, {},
               "log(1 + e^-a) e^a, place 0.84375 a + 1.25, a up to 22")
    ln2 = float(mp.floor(mp.ln2 * 2**16) / 2**16)
    ln2_low = float(mp.nint((mp.ln2 - ln2) * 2**36) / 2**36)
    yield print_table("LOG_TABLE", f"log, with ln 2 = {ln2!r} + {ln2_low!r}. Rows: inverse, head, rest (log_table)",
                      log_table(ln2, ln2_low))


def main():
    print("# Coefficients of piecewise polynomials for float32, printed by tools/fit/segments.py: data, no code.")
    print('cdef extern from *:\n    """')
    declarations = list(tables())
    print('    """')
    for declaration in declarations:
        print(f"    {declaration}")


if __name__ == "__main__":
    sys.exit(main())
