# Polynomials by segments: which segment a number is in, and that segment's polynomial. The tables are in segments.pxd,
# with 16 segments each for float32, and in wide_segments.pxd, with 8 for float64; the functions that are computed so
# stand with their families. A segment's index is the last bits of a number, its `place`.
from ..lanes cimport (
    LOOKUP_FLOATS, any_less, bits_f32, bits_f64, f32x, fma, from_bits_f32, lookup16_f32, lookup4_f64, lookup8_f32,
    lookup8_f64, pick, real, splat, where_less,
)
from .exponential cimport nearest_sum, step
from .pairs cimport fast_sum


cdef enum Segments:
    PLAIN
    ODD  # c0 is a where the centre is 0
    ROOTED  # the last coefficients are the rounding errors of c0, which is 0 where the centre is a root of the function


# Where an instruction looks up among 8 floats or 4 float64 (LOOKUP_FLOATS), twice as many take two and a choice. There
# the polynomial is first taken from the first half of the segments, where most numbers lie. If a lane is past them, it
# is taken anew: from all where that is usual, since the first look-ups are then half of it, and where it is rare from
# the other half, which leaves more registers to the first. The bits are the same.
cdef enum Which:  # segments to look up among
    FIRST = 8
    ALL = 16
    LAST = 24  # the other half

cdef enum:
    ROW_BYTES = 64  # a row of a table: an entry of each segment


cdef inline int any_past_first(real a, double half) noexcept nogil:
    # whether a lane is past them; no lane is past the last segment
    return LOOKUP_FLOATS == 8 and any_less(splat(a, half), a)


cdef inline real entry(const void* table, int row, real place, int which) noexcept nogil:
    # the entry of a row that the last bits of `place` name
    cdef const char* entries = <const char*>table + row * ROW_BYTES + (ROW_BYTES // 2 if which == LAST else 0)
    if real is f32x:
        if which == ALL:
            return lookup16_f32(<const float*>entries, bits_f32(place))
        return lookup8_f32(<const float*>entries, bits_f32(place))
    else:
        if which == ALL:
            return lookup8_f64(<const double*>entries, bits_f64(place))
        return lookup4_f64(<const double*>entries, bits_f64(place))


cdef inline real segment_terms(const void* table, int degree, Segments kind, int which, real place, real a, real* d,
                               real* c0, real* c1) noexcept nogil:
    # The polynomial c0 + d (c1 + d q), d = a - centre, of the segment that the last bits of `place` name; returns q.
    # A table has a row of centres, one of c0, one of c1 and so on. float64, whose degree is even, takes four steps
    # at once, for which the next four wait for one operation only; not the last two, whose rounding errors count.
    cdef real centre = entry(table, 0, place, which), q = entry(table, degree + 1, place, which), square, four
    cdef int k, rest = degree
    d[0] = a - centre
    if real is f32x:
        for k in range(degree, 2, -1):
            q = fma(q, d[0], entry(table, k, place, which))
    else:
        square = d[0] * d[0]
        if degree % 4 == 2:
            q = fma(q, square, fma(entry(table, degree, place, which), d[0], entry(table, degree - 1, place, which)))
            rest = degree - 2
        for k in range(rest, 4, -4):
            four = fma(entry(table, k, place, which), d[0], entry(table, k - 1, place, which))
            four = fma(four, square, fma(entry(table, k - 2, place, which), d[0], entry(table, k - 3, place, which)))
            q = fma(q, square * square, four)
        q = fma(fma(q, d[0], entry(table, 4, place, which)), d[0], entry(table, 3, place, which))
    c1[0] = entry(table, 2, place, which)
    c0[0] = entry(table, 1, place, which)
    if kind == ODD:
        c0[0] = where_less(splat(a, 0.0), centre, c0[0], a)
    return q


cdef inline real segment(const void* table, int degree, Segments kind, int which, real place, real a,
                         real* low) noexcept nogil:
    # the function's value, and the rounding error of its last addition
    cdef real d, c0, c1, q = segment_terms(table, degree, kind, which, place, a, &d, &c0, &c1)
    cdef real slope = fma(q, d, c1), slope_low = fma(q, d, c1 - slope)
    cdef real value = fma(slope, d, c0), lost = fma(slope, d, c0 - value)
    if kind == ROOTED:
        low[0] = fma(slope_low, d, entry(table, degree + 2, place, which)) + lost
    else:
        low[0] = fma(slope_low, d, lost)
    return value


cdef inline real segment_parts(const void* table, int degree, Segments kind, int which, real place, real a,
                               real* rest) noexcept nogil:
    # the tangent c0 + c1 d, and the remainder, with the tangent's rounding error added
    cdef real d, c0, c1, q = segment_terms(table, degree, kind, which, place, a, &d, &c0, &c1)
    cdef real tangent = fma(c1, d, c0)
    rest[0] = fma(q * d, d, fma(c1, d, c0 - tangent))
    if kind == ROOTED:
        tangent = fast_sum(tangent, rest[0] + entry(table, degree + 2, place, which), rest)
    return tangent


cdef inline f32x segment_parts_abreast(const void* table, int which, f32x place, f32x a, f32x* rest) noexcept nogil:
    # segment_parts of degree 8, in fewer steps that wait for each other: powers of d two at a time, but not the last
    # two, whose rounding errors count
    cdef f32x d = a - entry(table, 0, place, which), square = d * d, q = entry(table, 9, place, which), tangent, c0, c1
    q = fma(q, square, fma(entry(table, 8, place, which), d, entry(table, 7, place, which)))
    q = fma(q, square, fma(entry(table, 6, place, which), d, entry(table, 5, place, which)))
    q = fma(fma(q, d, entry(table, 4, place, which)), d, entry(table, 3, place, which))
    c1, c0 = entry(table, 2, place, which), entry(table, 1, place, which)
    tangent = fma(c1, d, c0)
    rest[0] = fma(q, square, fma(c1, d, c0 - tangent))
    return tangent


cdef inline f32x quarters(f32x a, double scale, double offset) noexcept nogil:
    # a segment's place: two bits of the exponent and two of the mantissa of scale a + offset
    return from_bits_f32(bits_f32(fma(a, splat(a, scale), splat(a, offset))) >> 21)


cdef inline real steps(real a) noexcept nogil:
    # a segment's place: 1.6 a (0.92 a - 0.3), rounded to a whole number
    if real is f32x:
        return nearest_sum(a, 1.6)
    else:
        return fma(a, splat(a, 0.92), splat(a, -0.3)) + splat(a, 6755399441055744.0)


cdef inline f32x signed_steps(f32x x, double scale) noexcept nogil:
    # a segment's place, for x of either sign: scale x + 3, rounded to a whole number, which is -4 to 11
    return fma(x, splat(x, scale), splat(x, 12582915.0))


cdef inline real steps_end(real like) noexcept nogil:
    # where the segments of steps() end
    return pick(like, 9.68, 8.47)


cdef inline real first_steps_end(real like) noexcept nogil:
    # where those of them that are looked up first end: the largest number that is rounded to 7 (3) of them, or all
    return pick(like, 4.687499523162842, 4.1304347826086945) if LOOKUP_FLOATS == 8 else steps_end(like)


cdef inline real bent_steps(real a, double scale, double bend, double offset) noexcept nogil:
    # a segment's place: (scale + bend a) a - offset, rounded to a whole number
    cdef real slope = step(splat(a, bend), a, scale)
    if offset == 0.0:
        return fma(slope, a, pick(a, 12582912.0, 6755399441055744.0))
    return fma(slope, a, splat(a, -offset)) + pick(a, 12582912.0, 6755399441055744.0)


# Numbers beyond the segments take a function's formula, but not those so far out that it is at its limit, as masked
# scores are: of them a kernel takes the limit itself.
cdef inline real unless_beyond(real a, double far) noexcept nogil:
    # a, but 0 where it is beyond `far`
    return where_less(splat(a, far), a, splat(a, 0.0), a)


cdef inline real where_beyond(real a, double far, real yes, real no) noexcept nogil:
    return where_less(splat(a, far), a, yes, no)


cdef inline real reflected(real x, real k) noexcept nogil:
    # f(x) of k = f(-|x|), for an f with f(x) + f(-x) = 1: k where x < 0, and 1 - k where not
    return where_less(x, splat(x, 0.0), k, splat(x, 1.0) - k)


cdef inline real reflected_pair(real x, real k, real k_low, real* low) noexcept nogil:
    # reflected, of k + k_low
    cdef real lost, zero = splat(x, 0.0)
    cdef real s = fast_sum(splat(x, 1.0), -k, &lost)
    low[0] = where_less(x, zero, k_low, lost - k_low)
    return where_less(x, zero, k, s)
