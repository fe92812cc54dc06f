"""Piecewise polynomials for float64 that look their coefficients up in 8-entry tables: prints
kernels/math/wide_segments.pxd. They are made as segments.py makes float32's, a segment being named by the last three
bits of a number of steps, in high precision throughout.
Run: python tools/fit/wide_segments.py > kernels/math/wide_segments.pxd"""

import itertools

import roots
import segments
from mpmath import mp, mpf


def accurate_centre(c, low, high):
    """A float near the middle where the polynomial c about the middle and its slope together are closest to floats."""
    middle, half = (low + high) / 2, (high - low) / 2

    def lost(centre):
        value, slope = mp.polyval(c[::-1], centre - middle, derivative=True)
        return abs(value - float(value)) + half * abs(slope - float(slope))

    return min((float(middle + half * k / 2**14) for k in range(-2000, 2001)), key=lost)


def round_in_turn(c, f, centre, low, high, given):
    """The coefficients c as floats; after each of the first four those that follow are fitted anew to what its rounding
    left: the least squares of the relative error. The first `given` stay as they are."""
    points = segments.nodes(low, high, 60)
    values = [f(v) for v in points]
    c = [mpf(v) for v in c]
    for k in range(len(c)):
        c[k] = mpf(float(c[k]))
        if given <= k + 1 <= 4:
            powers = mp.matrix([[(v - centre) ** j / y for j in range(k + 1, len(c))]
                                for v, y in zip(points, values, strict=True)])
            lacking = mp.matrix([1 - (mp.polyval(c[::-1], v - centre) + (0 if c[0] else v)) / y
                                 for v, y in zip(points, values, strict=True)])
            more = mp.lu_solve(powers.T * powers, powers.T * lacking)
            c[k + 1 :] = [v + m for v, m in zip(c[k + 1 :], more, strict=True)]
    return [float(v) for v in c]


def column(f, low, high, degree, fixed):
    """Centre, c0 ... c_degree of f(centre + d) = c0 + d (c1 + ...); where the centre is 0 c0 is too, in place of d."""
    if fixed is None:
        about_middle = segments.minimax(f, low, high, degree)
        centre = accurate_centre(about_middle, low, high)
        moved = centre - (low + high) / 2
        c = mp.taylor(lambda d: mp.polyval(about_middle[::-1], d + moved), 0, degree)
    else:  # a root: what f has there counts
        centre, c0 = fixed, f(mpf(fixed))
        slope = int(c0 == 0)
        c = [c0, *segments.interpolate(lambda v: (f(v) - c0) / (v - centre) - slope, centre, low, high, degree)]
    return [centre, *round_in_turn(c, f, centre, low, high, 0 if fixed is None else 1)]


def steps(scale, bend, offset, top):
    """Segments by (scale + bend a) a - offset, rounded to a whole number, up to a = top: their ends."""
    ends = [(mp.sqrt(mpf(scale)**2 + 4 * bend * (k + 0.5 + mpf(offset))) - scale) / (2 * mpf(bend)) if bend else
            (k + 0.5 + mpf(offset)) / scale for k in range(7)]
    return itertools.pairwise([mpf(0), *ends, mpf(top)])


def print_table(name, note, rows):
    """A table in C; returns its declaration."""
    declaration = f"const double {name}[{len(rows)}][8]"
    print(f"    /* {note} */\n    static {declaration} = {{")
    for row in rows:
        print("        {" + ", ".join(repr(v) for v in row) + "},")
    print("    };")
    return declaration


def emit(name, note, f, ends, degree, root):
    """Print a table of rows centre, c0 ... c_degree; returns its declaration. f is 0 at `root`, the centre of its
    segment; if that is not 0, c0 is 0 there, and a last row has what f has."""
    columns, worst = [], mpf(0)
    for low, high in ends:
        inside = low <= root < high
        columns.append(column(f, low, high, degree, root if inside else None))
        worst = max(worst, segments.error(f, low, high, columns[-1]))
        if root:
            columns[-1].append(0.0)
            if inside:
                columns[-1][1], columns[-1][-1] = columns[-1][-1], columns[-1][1]
    last = ", what c0 lacks" if root else ""
    return print_table(name, f"{note}; error 2^{mp.nstr(mp.log(worst, 2), 4)}. Rows: centre, c0 ... c{degree}{last}",
                       list(zip(*columns, strict=True)))


def log_table(ln2, ln2_low):
    """Rows inverse, head and rest for m within 1/16 of c = 1 + index / 8: inverse near 1 / c with so few bits that
    m inverse - 1 does not round, and -log(inverse) - 1023 (ln2 + ln2_low) as a multiple of 2^-42 and what that
    lacks."""
    inverses = [numerator / 32 for numerator in (32, 28, 26, 23, 21, 20, 18, 17)]
    logs = [-mp.log(inverse) for inverse in inverses]
    heads = [mp.nint(log * 2**42) / 2**42 for log in logs]
    rests = [float(log - head - 1023 * mpf(ln2_low)) for log, head in zip(logs, heads, strict=True)]
    return inverses, [float(head - 1023 * mpf(ln2)) for head in heads], rests


def tables():
    """Print every table; their declarations."""
    yield emit("ERF_WIDE", "erf(a), steps of 2.1 - 0.13 a from -0.4, a up to 5.95; where the centre is 0 less a",
               mp.erf, steps(2.1, -0.13, 0.4, 5.95), 14, 0.0)
    root = float(-mp.findroot(roots.silu_slope, -1.28))
    yield emit("SILU_SLOPE_WIDE", "silu'(-a), steps of 0.92 from -0.3, a up to 8.47", lambda a: roots.silu_slope(-a),
               steps(0.92, 0, 0.3, 8.47), 16, root)
    ln2 = float(mp.floor(mp.ln2 * 2**42) / 2**42)
    ln2_low = float(mp.nint((mp.ln2 - ln2) * 2**84) / 2**84)
    yield print_table("LOG_WIDE", f"log, with ln 2 = {ln2!r} + {ln2_low!r}. Rows: inverse, head, rest (log_table)",
                      log_table(ln2, ln2_low))


if __name__ == "__main__":
    mp.dps = 60
    segments.print_file("float64", "wide_segments.py", tables())
