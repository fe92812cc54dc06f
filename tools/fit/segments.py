"""Piecewise polynomials for float32 that look their coefficients up in 16-entry tables: prints
kernels/math/segments.pxd.

A segment is named by the four bits that the CPU's look-up takes: of scale a + offset bits 21 to 24, or the last bits of
a number of steps. Its polynomial has the least relative error (Remez). Its centre is a float where that and its slope
are all but exactly floats, so that the leading coefficients round nothing away (Gal's accurate tables); of the others
each is rounded before those that follow are fitted anew.
Run: python tools/fit/segments.py > kernels/math/segments.pxd"""

import itertools
import struct

import numpy as np
import roots
from mpmath import mp, mpf

mp.dps = 40

GELU_CENTRES = (  # found by centres.py
    0.42212462425231934, 1.3511130809783936, 2.0549216270446777, 2.6113336086273193, 3.029374837875366,
    3.426602363586426, 3.813912868499756, 4.142496109008789, 4.463518142700195, 4.771535873413086, 5.041335105895996,
    5.310615062713623, 5.565559387207031, 5.803578853607178, 6.042807102203369, 6.25929069519043,
)

# found by centres.py too, but that of the segment of 0: there c0 is a float to 2^-46, so that the result of a subnormal
# number is rounded from the right sum
MISH_CENTRES = {
    12: -8.805557250976562, 13: -7.517556667327881, 14: -6.183953285217285, 15: -4.9664812088012695,
    0: -3.9526920318603516, 1: -2.568575143814087, 2: -1.3166751861572266, 3: -1.1175870895385742e-07,
    4: 1.0924872159957886, 5: 2.3581180572509766,
}


def bits(x):
    return struct.unpack("<I", struct.pack("<f", x))[0]


def from_bits(b):
    return struct.unpack("<f", struct.pack("<I", b))[0]


def rounded(x):
    return float(np.float32(float(x)))


def minimax(f, low, high, degree):
    """Coefficients about the middle of the polynomial of least relative error to f (Remez's exchange)."""
    middle, half, n = (mpf(low) + high) / 2, (mpf(high) - low) / 2, degree + 1
    points = [middle - half * mp.cos(mp.pi * i / n) for i in range(n + 1)]
    grid = [low + (mpf(high) - low) * k / 120 for k in range(121)]
    while True:
        rows = mp.matrix([[*((p - middle) ** k for k in range(n)), (-1) ** i * f(p)] for i, p in enumerate(points)])
        c = list(mp.lu_solve(rows, mp.matrix([f(p) for p in points])))[:n]
        error = [mp.polyval(c[::-1], p - middle) / f(p) - 1 for p in grid]
        signs = itertools.groupby(range(121), key=lambda k: error[k] > 0)
        peaks = [grid[max(run, key=lambda k: abs(error[k]))] for _, run in signs]
        if len(peaks) != n + 1 or peaks == points:
            return c
        points = peaks


def accurate_centre(c, low, high, share):
    """The float about that share of the way from low to high where the polynomial c about the middle and its slope
    together are closest to floats."""
    middle, half = (low + high) / 2, (high - low) / 2
    about = low + share * (high - low)
    candidates = np.unique(np.linspace(about - 0.2 * half, about + 0.2 * half, 40000).astype(np.float32)).astype(float)
    p = np.polynomial.Polynomial([float(v) for v in c])
    value, slope = p(candidates - middle), p.deriv()(candidates - middle)
    lost = np.abs(np.float32(value) - value) + half * np.abs(np.float32(slope) - slope)
    return float(candidates[np.argmin(lost)])


def nodes(low, high, n):
    """Chebyshev's."""
    return [(mpf(low) + high) / 2 + (mpf(high) - low) / 2 * mp.cos(mp.pi * (2 * i + 1) / (2 * n)) for i in range(n)]


def interpolate(g, centre, low, high, n):
    """The n coefficients in d of a polynomial through g(centre + d)."""
    points = nodes(low, high, n)
    rows = mp.matrix([[(v - centre) ** k for k in range(n)] for v in points])
    return list(mp.lu_solve(rows, mp.matrix([g(v) for v in points])))


def round_in_turn(c, f, centre, low, high, given):
    """The coefficients c as float32, one after the other, and those that follow fitted anew to what each rounding left:
    the least squares of the relative error. The first `given` stay as they are."""
    points = nodes(low, high, 80)
    d = np.array([float(v - centre) for v in points])
    weights = 1 / np.array([float(f(v)) for v in points])
    c = [mpf(v) for v in c]
    for k in range(len(c)):
        c[k] = mpf(rounded(c[k]))
        if given <= k + 1 < len(c):
            lacking = [f(v) - mp.polyval(c[::-1], v - centre) - (0 if c[0] else v) for v in points]
            powers = weights[:, None] * d[:, None] ** np.arange(k + 1, len(c))
            more = np.linalg.lstsq(powers, weights * np.array([float(v) for v in lacking]), rcond=None)[0]
            c[k + 1 :] = [v + mpf(float(m)) for v, m in zip(c[k + 1 :], more, strict=True)]
    return [float(v) for v in c]


def column_about(about_middle, f, low, high, centre):
    """Centre, c0 ... of a polynomial about the middle."""
    moved = mpf(centre) - (mpf(low) + high) / 2
    c = mp.taylor(lambda d: mp.polyval(about_middle[::-1], d + moved), 0, len(about_middle) - 1)
    return [centre, *round_in_turn(c, f, centre, low, high, 0)]


def column(f, low, high, degree, fixed, share, centre=None):
    """Centre, c0 ... c_degree of f(centre + d) = c0 + d (c1 + ...); where the centre is 0 c0 is too, in place of d."""
    if fixed is None:
        about_middle = minimax(f, low, high, degree)
        centre = centre or accurate_centre(about_middle, float(low), float(high), share)
        return column_about(about_middle, f, low, high, centre)
    # a root: what f has there counts
    centre, c0 = fixed, f(mpf(fixed))
    slope = int(c0 == 0)
    c = [c0, *interpolate(lambda v: (f(v) - c0) / (v - centre) - slope, centre, low, high, degree)]
    return [centre, *round_in_turn(c, f, centre, low, high, 1)]


def error(f, low, high, column):
    """The largest relative error a column leaves between low and high."""
    centre, *c = column
    near = [low + (mpf(high) - low) * k / 40 for k in range(1, 41)]
    return max(abs((mp.polyval(c[::-1], v - centre) + (0 if c[0] else v)) / f(v) - 1) for v in near if v != centre)


def table(f, segments, degree, fixed=(), share=0.5, centres=()):
    """Rows centre, c0 ... c_degree of 16 entries, and the largest error; segments maps an index to (low, high), `fixed`
    one to a centre. Where that is a root, c0 is 0, and a last row has what f has there. Other centres lie about a share
    of the way along: past the middle where f falls so steeply that before it terms would cancel; or they are given."""
    fixed, centres = dict(fixed), dict(centres)
    columns = {index: column(f, *ends, degree, fixed.get(index), share, centres.get(index))
               for index, ends in segments.items()}
    worst = max(error(f, *ends, columns[index]) for index, ends in segments.items())
    if any(fixed.values()):
        for index, c in columns.items():
            c.append(0.0)
            if fixed.get(index):
                c[1], c[-1] = c[-1], c[1]
    unused = [0.0] * len(next(iter(columns.values())))
    return list(zip(*(columns.get(index, unused) for index in range(16)), strict=True)), worst


def quarters(scale, offset, top):
    """Segments by two bits of the mantissa and two of the exponent of scale a + offset: index to (low, high)."""
    first = bits(offset) >> 21
    ends = [(from_bits(first + k << 21) - offset) / scale for k in range(17)]
    return {first + k & 15: (low, min(high, top))
            for k, (low, high) in enumerate(itertools.pairwise(ends)) if low < top}


def steps(scale, bend=0, count=16):
    """Segments by (scale + bend a) a, rounded to a whole number: index to (low, high)."""
    ends = [mpf(0), *((mp.sqrt(mpf(scale)**2 + 4 * mpf(bend) * (k + 0.5)) - scale) / (2 * mpf(bend)) if bend else
            (k + 0.5) / mpf(scale) for k in range(count))]
    return dict(enumerate(itertools.pairwise(ends)))


def signed_steps(scale, before):
    """Segments by scale a + before, a of either sign, rounded to a whole number from -4 on, whose last bits count."""
    return {k & 15: tuple((k - before + half) / mpf(scale) for half in (-0.5, 0.5)) for k in range(-4, 12)}


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


def emit(name, note, f, segments, degree, **centred):
    rows, worst = table(f, segments, degree, **centred)
    last = ", what c0 lacks" if len(rows) > degree + 2 else ""
    return print_table(name, f"{note}; error 2^{mp.nstr(mp.log(worst, 2), 4)}. Rows: centre, c0 ... c{degree}{last}",
                       rows)


def slope_segments(name, note, slope, segments, degree, share):
    """A slope(-a) that crosses zero once between -1.5 and -0.5, at the centre of its segment."""
    root = rounded(-mp.findroot(slope, (-1.5, -0.5), solver="anderson"))
    fixed = {index: root for index, (low, high) in segments.items() if low <= root < high}
    return emit(name, note, lambda a: slope(-a), segments, degree, fixed=fixed, share=share)


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
    yield emit("TANH_SEGMENTS", "tanh(a), place 2.5 a + 1.75, a up to 10.4; where the centre is 0 less a",
               mp.tanh, quarters(2.5, 1.75, 10.4), 6, fixed=about_zero)
    yield emit("ERF_SEGMENTS", "erf(a), steps of 2.88 - 0.25 a, a up to 3.95; where the centre is 0 less a",
               mp.erf, steps(2.88, -0.25, 8), 6, fixed={0: 0.0}, share=0.25)
    yield emit("NORMAL_TAIL_SEGMENTS", "erfc(a / sqrt 2) / 2 e^(a^2 / 2), place a + 2, a up to 20",
               mills, quarters(1, 2, 20), 7)
    yield emit("SOFTPLUS_TAIL_SEGMENTS", "log(1 + e^-a) e^a, place 0.84375 a + 1.25, a up to 22",
               lambda a: mp.log1p(mp.exp(-a)) * mp.exp(a), quarters(0.84375, 1.25, 22), 6)
    even = steps(1.6)
    yield emit("SIGMOID_SEGMENTS", "sigmoid(-a), steps of 1.6", lambda a: roots.sigmoid(-a), even, 6)
    yield emit("SILU_SEGMENTS", "-2 silu(-a), steps of 1.6; where the centre is 0 less a",
               lambda a: 2 * a * roots.sigmoid(-a), even, 6, fixed={0: 0.0})
    yield emit("SOFTPLUS_SEGMENTS", "log(1 + e^-a), steps of 1.6", lambda a: mp.log1p(mp.exp(-a)), even, 6)
    yield emit("GELU_SEGMENTS", "Phi(-a), steps of 0.35 + 0.33 a", roots.normal_tail, steps(0.35, 0.33), 8,
               centres=enumerate(GELU_CENTRES))
    yield emit("GEGLU_SEGMENTS", "Phi(-a), steps of 0.65 + 0.4 a", roots.normal_tail, steps(0.65, 0.4), 7,
               fixed={0: 0.0}, share=0.65)
    yield emit("GELU_TANH_SEGMENTS", "sigmoid(-sqrt(8 / pi) (a + 0.044715 a^3)), steps of 1.4 + 0.33 a",
               lambda a: roots.sigmoid(-roots.gelu_tanh_exponent(a)), steps(1.4, 0.33), 7, fixed={0: 0.0},
               share=0.7)
    yield emit("MISH_SEGMENTS", "mish(a) / a, steps of 0.82 from -4 on", roots.mish_share, signed_steps(0.82, 3), 8,
               centres=MISH_CENTRES)
    yield slope_segments("SILU_SLOPE_SEGMENTS", "silu'(-a), steps of 1.6", roots.silu_slope, even, 7, 0.5)
    yield slope_segments("GELU_SLOPE_SEGMENTS", "gelu'(-a), steps of 1.2 + 0.2 a", roots.gelu_slope,
                         steps(1.2, 0.2), 8, 0.75)
    yield slope_segments("GELU_TANH_SLOPE_SEGMENTS", "gelu_tanh'(-a), steps of 1.2 + 0.25 a", roots.gelu_tanh_slope,
                         steps(1.2, 0.25), 8, 0.75)
    ln2 = float(mp.floor(mp.ln2 * 2**16) / 2**16)
    ln2_low = float(mp.nint((mp.ln2 - ln2) * 2**36) / 2**36)
    yield print_table("LOG_TABLE", f"log, with ln 2 = {ln2!r} + {ln2_low!r}. Rows: inverse, head, rest (log_table)",
                      log_table(ln2, ln2_low))


def print_file(dtype, script, tables):
    """Print a file of tables, which yield their declarations."""
    print(f"# Coefficients of piecewise polynomials for {dtype}, printed by tools/fit/{script}: data, no code.")
    print('cdef extern from *:\n    """')
    declarations = list(tables)
    print('    """')
    for declaration in declarations:
        print(f"    {declaration}")


if __name__ == "__main__":
    print_file("float32", "segments.py", tables())
