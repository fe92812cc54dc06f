# Polynomials by segments for float32: which segment a number is in, and that segment's polynomial. The tables are in
# segments.pxd; the functions that are computed so stand with their families.
from ..lanes cimport (
    LOOKUP_FLOATS, any_less, bits_f32, f32x, fma, lookup16_f32, lookup8_f32, real, splat, u32x, where_less,
)
from .exponential cimport nearest_sum, step
from .pairs cimport fast_sum


cdef enum Segments:
    PLAIN
    ODD  # c0 is a where the centre is 0
    ROOTED  # the last coefficients are the rounding errors of c0, which is 0 where the centre is a root of the function


# Where an instruction looks up among 8 floats (LOOKUP_FLOATS), 16 take two and a choice. There the polynomial is first
# taken from the first 8 segments, where most numbers lie. If a lane is past them, it is taken anew: from all 16 where
# that is usual, since the first look-ups are then half of it, and where it is rare from the last 8, which leaves more
# registers to the first. The bits are the same.
cdef enum Which:  # segments to look up among
    FIRST = 8
    ALL = 16
    LAST = 24  # the last 8 of 16


cdef inline real first_end(real like, double half, double end) noexcept nogil:
    # where the segments that are looked up first end: half of them, or all
    return splat(like, half if LOOKUP_FLOATS == 8 else end)


cdef inline int any_past_first(real a, double half) noexcept nogil:
    # whether a lane is past them; no lane is past the last segment
    return LOOKUP_FLOATS == 8 and any_less(splat(a, half), a)


cdef inline f32x entry(const float* table, u32x index, int which) noexcept nogil:
    # the entry that the low bits of `index` name
    if which == ALL:
        return lookup16_f32(table, index)
    return lookup8_f32(table + 8 if which == LAST else table, index)


cdef inline f32x segment_terms(const float* table, int degree, Segments kind, int which, u32x index, f32x a, f32x* d,
                               f32x* c0, f32x* c1) noexcept nogil:
    # The polynomial c0 + d (c1 + d q), d = a - centre, of the segment that the low bits of `index` name; returns q.
    # segments.pxd has the tables: 16 centres, 16 times c0, 16 times c1 and so on.
    cdef f32x centre = entry(table, index, which), q = entry(table + (degree + 1) * 16, index, which)
    cdef int k
    d[0] = a - centre
    for k in range(degree, 2, -1):
        q = fma(q, d[0], entry(table + k * 16, index, which))
    c1[0] = entry(table + 2 * 16, index, which)
    c0[0] = entry(table + 16, index, which)
    if kind == ODD:
        c0[0] = where_less(splat(a, 0.0), centre, c0[0], a)
    return q


cdef inline f32x segment(const float* table, int degree, Segments kind, int which, u32x index, f32x a,
                         f32x* low) noexcept nogil:
    # the function's value, and the rounding error of its last addition
    cdef f32x d, c0, c1, q = segment_terms(table, degree, kind, which, index, a, &d, &c0, &c1)
    cdef f32x slope = fma(q, d, c1)
    cdef f32x value = fma(slope, d, c0)
    low[0] = fma(fma(q, d, c1 - slope), d, fma(slope, d, c0 - value))
    return value


cdef inline f32x segment_parts(const float* table, int degree, Segments kind, int which, u32x index, f32x a,
                               f32x* rest) noexcept nogil:
    # the tangent c0 + c1 d, and the remainder, with the tangent's rounding error added
    cdef f32x d, c0, c1, q = segment_terms(table, degree, kind, which, index, a, &d, &c0, &c1)
    cdef f32x tangent = fma(c1, d, c0)
    rest[0] = fma(q * d, d, fma(c1, d, c0 - tangent))
    if kind == ROOTED:
        tangent = fast_sum(tangent, rest[0] + entry(table + (degree + 2) * 16, index, which), rest)
    return tangent


cdef inline u32x quarters(f32x a, double scale, double offset) noexcept nogil:
    # a segment's index: two bits of the exponent and two of the mantissa of scale a + offset
    return bits_f32(fma(a, splat(a, scale), splat(a, offset))) >> 21


cdef inline u32x steps(f32x a) noexcept nogil:
    # a segment's index: 1.6 a, rounded to a whole number
    return bits_f32(nearest_sum(a, 1.6))


cdef inline real steps_end(real like) noexcept nogil:
    # where the 16 segments of steps() end
    return splat(like, 9.68)


cdef inline real first_steps_end(real like) noexcept nogil:
    # where those of them that are looked up first end: the largest number that is rounded to 7 of them
    return first_end(like, 4.687499523162842, 9.68)


cdef inline u32x bent_steps(f32x a, double scale, double bend) noexcept nogil:
    # a segment's index: (scale + bend a) a, rounded to a whole number
    return bits_f32(fma(step(splat(a, bend), a, scale), a, splat(a, 12582912.0)))


cdef inline real reflected(real x, real k) noexcept nogil:
    # f(x) of k = f(-|x|), for an f with f(x) + f(-x) = 1: k where x < 0, and 1 - k where not
    return where_less(x, splat(x, 0.0), k, splat(x, 1.0) - k)


cdef inline real reflected_pair(real x, real k, real k_low, real* low) noexcept nogil:
    # reflected, of k + k_low
    cdef real lost, zero = splat(x, 0.0)
    cdef real s = fast_sum(splat(x, 1.0), -k, &lost)
    low[0] = where_less(x, zero, k_low, lost - k_low)
    return where_less(x, zero, k, s)
