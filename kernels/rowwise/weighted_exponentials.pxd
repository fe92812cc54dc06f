# The sum of weighted exponentials, sum(b e^x), for logsumexp with weights: weights of either sign, so that the sum may
# cancel. The gufuncs are in softmax.pyx, the sum without weights in exponentials.pxd.
#
# Most sums are far from 1 and do not cancel. They are taken in the row's own precision first, and kept where the
# logarithm is so large beside the rounding errors that nothing would be gained. Of the others each term is taken
# relative to the largest: b e^x / 2^k, in float64 for rows of either precision, as a pair of numbers whose low part
# holds what rounding lost. The sum keeps what its additions lose, and the logarithm has both parts: its result is right
# to the last digits near 0 too, and what cancels loses no more than its own leading digits.
from libc.math cimport INFINITY, NAN, copysign, fabs, frexp, ldexp, rint

from ..lanes cimport (
    F64_LANES, at_least, f32x, f64x, fma, magnitude, power2, real, splat, splat_f64, store_f64, two_sum, where_less,
)
from ..loops.reductions cimport (
    Pair, add_compensated, compensated_block, element, first_lanes, fold_terms, largest_lane, map_row, merge_row,
    row_context, sum_long_terms, sum_row, take, wide,
)
from ..loops.registers cimport lanes
from ..math.exponential cimport exp_pair, nearest, power2_of_sum, whole
from ..math.logarithm cimport log, log_f64
from .exponential_parts cimport exp_rest_of
from .exponents cimport LARGEST_TOP, Exponents, exponents_of, larger, set_top
from .wide_rows cimport store_wide

cdef enum:
    LARGEST_FACTOR = 1 << 20  # up to which b a sum is taken in the row's own precision
    REACH = 1600  # how far x may be below the largest x + log|b|, before b e^x is 0 beside it for every b

cdef struct Weighted:
    const void* x
    const void* b
    double shift  # what is subtracted from every x: 0, or the largest x + log|b| where that is far from 0
    double floor  # where x - shift is below it, the term is 0
    double binary  # terms are relative to 2^binary
    double scale  # backward: what the terms are multiplied by
    double sum  # of the terms, and then of the rounding errors of its additions
    double lost
    double sign  # of the sum


cdef struct Quick:
    # a row whose sum is taken in its own precision
    Exponents row
    const void* b


cdef inline Weighted weighted_of(const void* x, const void* b) noexcept nogil:
    return Weighted(x, b, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


cdef inline f64x term(const Weighted* row, f64x x, f64x b, f64x* low) noexcept nogil:
    # b e^(x - shift) / 2^binary = value + low; 0 where b is, whatever x, and NaN where x is -inf and b infinite
    cdef f64x zero = splat_f64(0.0), far = b * zero, sum, e, n, half, scaled, value
    cdef f64x floor = splat_f64(row.floor), tiny = splat_f64(5e-324)
    x = x - splat_f64(row.shift)
    e = exp_pair(at_least(x, floor), low, &sum)
    n = whole(sum) - splat_f64(row.binary)
    half = nearest(n, 0.5)  # in two steps, since the power alone may be out of range where the term is not
    scaled = b * power2(half)
    value = scaled * e
    low[0] = fma(scaled, e, -value) + scaled * low[0]
    n = power2(n - half)
    low[0] = where_less(x, floor, far, where_less(magnitude(b), tiny, zero, low[0] * n))
    return where_less(x, floor, far, where_less(magnitude(b), tiny, zero, value * n))


cdef inline void add_weighted(const real* like, const void* context, Py_ssize_t i, Py_ssize_t n,
                              f64x* sums) noexcept nogil:
    cdef const Weighted* own = <const Weighted*>context
    cdef f64x low, lost
    sums[0] = two_sum(sums[0], term(own, wide(<const real*>own.x, i, n), wide(<const real*>own.b, i, n), &low), &lost)
    sums[1] = sums[1] + (low + lost)


cdef inline void add_weighted_f32(const f64x* like, const void* context, Py_ssize_t i, Py_ssize_t n,
                                  f64x* sums) noexcept nogil:
    add_weighted(<const f32x*>NULL, context, i, n, sums)


cdef inline Pair weighted_block(const real* like, const void* context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    if real is f32x:
        return compensated_block(add_weighted_f32, context, start, n)
    else:
        return compensated_block(add_weighted[f64x], context, start, n)


cdef inline Pair weighted_top_block(const real* like, const void* context, Py_ssize_t start,
                                    Py_ssize_t n) noexcept nogil:
    # the largest x + log|b| of a block; a NaN may be passed over, since the sum will find it
    cdef const Weighted* own = <const Weighted*>context
    cdef Py_ssize_t i = start, stop = start + n, count
    cdef f64x best = splat_f64(-INFINITY), b
    while i < stop:
        count = min(stop - i, <Py_ssize_t>F64_LANES)
        b = magnitude(wide(<const real*>own.b, i, count))
        best = at_least(where_less(splat_f64(0.0), b, wide(<const real*>own.x, i, count) + log(b), best), best)
        i += F64_LANES
    return Pair(largest_lane(best), 0.0)


cdef inline double sum_not_finite(const real* like, const Weighted* row, Py_ssize_t n) noexcept nogil:
    # the sum where the largest term is infinite, or 0
    cdef double x, b, sum = 0.0
    cdef Py_ssize_t i
    for i in range(n):
        x, b = element(<const real*>row.x, i), element(<const real*>row.b, i)
        if b == 0.0:
            continue
        if x != x or b != b or (x == -INFINITY and fabs(b) == INFINITY):
            return NAN
        if x == INFINITY or fabs(b) == INFINITY:
            sum += copysign(INFINITY, b)
    return sum


cdef inline Pair quick_top_block(const real* like, const void* context, Py_ssize_t start,
                                 Py_ssize_t n) noexcept nogil:
    # the largest x whose b is not 0, and the largest |b|; a NaN may be passed over, since the sum will be NaN
    cdef const Weighted* own = <const Weighted*>context
    cdef Py_ssize_t i = start, stop = start + n, count, width = lanes(like)
    cdef real none = splat(none, -INFINITY), zero = splat(none, 0.0), best = none, most = zero, b
    while i < stop:
        count = min(stop - i, width)
        b = magnitude(take(<const real*>own.b, i, count))
        best = at_least(where_less(zero, b, take(<const real*>own.x, i, count), none), best)
        most = at_least(b, most)
        i += width
    return Pair(largest_lane(best), largest_lane(most))


cdef inline Pair larger_pair(Pair a, Py_ssize_t a_size, Pair b, Py_ssize_t b_size) noexcept nogil:
    return Pair(max(a.first, b.first), max(a.second, b.second))


cdef inline void add_quick(const real* like, const void* context, Py_ssize_t i, Py_ssize_t n,
                           real* sums) noexcept nogil:
    # Three sums: of b times the exponentials' powers of two, of the remainders above these, and of the first's
    # magnitudes
    cdef const Quick* own = <const Quick*>context
    cdef real x = take(<const real*>own.row.x, i, n), sum
    cdef real p = exp_rest_of(x, splat(x, own.row.least), &sum), power = power2_of_sum(sum, own.row.more)
    power = first_lanes(take(<const real*>own.b, i, n) * power, n)
    sums[0] = sums[0] + power
    sums[1] = fma(p, power, sums[1])
    sums[2] = sums[2] + magnitude(power)


cdef inline Pair quick_block(const real* like, const void* context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    cdef Quick own = (<const Quick*>context)[0]
    cdef double totals[3]
    if real is f32x:
        fold_terms(add_quick[f32x], 3, &own, start, n, totals)
    else:
        sum_long_terms(add_quick[f64x], 3, like, &own, start, n, totals)
    return Pair(totals[0] + totals[1], totals[2])


cdef inline bint quick_log(const real* like, Weighted* row, Py_ssize_t n, int threads,
                           double* result) noexcept nogil:
    # Whether the logarithm is right if taken so. The sum's rounding errors are a few units of all magnitudes together,
    # which is a part of a unit of the logarithm where that is several times as large.
    cdef Pair found = merge_row(quick_top_block[real], larger_pair, like, row, n, threads)
    cdef Quick own
    if not (fabs(found.first) < LARGEST_TOP and found.second < LARGEST_FACTOR):
        return False
    own.row, own.b = exponents_of(like, row.x, NULL, 1.0, 1.0), row.b
    own.row.top = found.first
    set_top(like, &own.row)
    found = sum_row(quick_block[real], like, &own, n, threads)
    if not 1.0 <= found.second < INFINITY or not fabs(found.first) < INFINITY or found.first == 0.0:
        return False
    row.shift, row.binary, row.sum, row.lost = 0.0, -own.row.more, found.first, 0.0
    row.sign = copysign(1.0, row.sum)
    result[0] = weighted_log(row)
    return fabs(result[0] * found.first) >= 4.0 * found.second


cdef inline void find_sum(const real* like, Weighted* row, Py_ssize_t n, int threads) noexcept nogil:
    # sets all fields that follow from the row's numbers
    cdef double top = merge_row(weighted_top_block[real], larger, like, row, n, threads).first
    cdef Pair sum
    if fabs(top) < INFINITY:
        row.shift = top if fabs(top) > LARGEST_TOP else 0.0
        row.floor = top - row.shift - REACH
        row.binary = rint((top - row.shift) * 1.4426950408889634)
        sum = merge_row(weighted_block[real], add_compensated, like, row, n, threads)
        row.sum = sum.first + sum.second
        row.lost = sum.second - (row.sum - sum.first)
    else:
        row.sum = sum_not_finite(like, row, n)
    row.sign = row.sum if row.sum != row.sum else 0.0 if row.sum == 0.0 else copysign(1.0, row.sum)


cdef inline double weighted_log(const Weighted* row) noexcept nogil:
    # log|sum|: of a part near 1, and of a power of two, ln 2 of which is taken as two numbers, the first of 32 bits
    cdef int exponent = 0
    cdef double lanes_of[8]
    cdef double m, m_low, n
    cdef f64x log_m, low, q
    if not fabs(row.sum) < INFINITY:
        return fabs(row.sum)
    if row.sum == 0.0:
        return -INFINITY
    m = frexp(fabs(row.sum), &exponent)
    if m < 0.7071067811865476:
        m *= 2.0
        exponent -= 1
    m_low = ldexp(row.lost * row.sign, -exponent)
    n = row.binary + exponent
    log_m = log_f64(splat_f64(m), splat_f64(m_low), &low)
    # beside 1 the logarithm of 1 + q would lose a tiny q, whose logarithm is q - q^2 / 2
    q = splat_f64((m - 1.0) + m_low)
    log_m = where_less(magnitude(q), splat_f64(1e-9), fma(q * splat_f64(-0.5), q, q), log_m)
    low = where_less(magnitude(q), splat_f64(1e-9), splat_f64(0.0), low)
    low = fma(splat_f64(n), splat_f64(1.9082149292705877e-10), low)
    store_f64(lanes_of, log_m + low)
    return row.shift + (n * 0.6931471803691238 + lanes_of[0])


cdef inline void slopes_block(real* y, row_context context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    cdef const Weighted* own = <const Weighted*>context
    cdef Py_ssize_t i = start, stop = start + n, count
    cdef f64x b, low, value
    while i < stop:
        count = min(stop - i, <Py_ssize_t>F64_LANES)
        b = wide(<const real*>own.b, i, count)
        value = term(own, wide(<const real*>own.x, i, count), b, &low) * splat_f64(own.scale)
        store_wide(y, i, count, where_less(magnitude(b), splat_f64(5e-324), splat_f64(0.0), value))
        i += F64_LANES


cdef inline void weighted_slopes(real* y, Weighted* row, double grad, Py_ssize_t n, int threads) noexcept nogil:
    # grad b e^x / sum(b e^x); 0 where b is, and else NaN where the sum is 0 or infinite
    row.scale = grad / row.sum if 0.0 < fabs(row.sum) < INFINITY else NAN
    map_row(slopes_block[real], y, row, n, threads)
