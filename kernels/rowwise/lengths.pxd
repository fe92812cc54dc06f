# The length of a row for normalize, sum(|x|^p)^(1/p), of any p but 1 and 2, and its gradient: in float64 for rows of
# either precision. Of p = infinity it is the largest magnitude, of -infinity the smallest, of 0 how many are not 0.
#
# A magnitude is taken relative to the largest (to the smallest where p < 0), so that no power leaves the exponent
# range. The ratio, its logarithm and what they lose are pairs: a power is right to the last digits for every p.
from libc.float cimport DBL_MAX, FLT_MAX
from libc.math cimport INFINITY, fabs, ldexp

from ..lanes cimport (
    F64_LANES, at_least, at_most, called, f32x, f64x, fma, load_f64, magnitude, real, scale2, splat_f64, store_f64,
    where_less, with_sign,
)
from ..loops.reductions cimport Pair, first_lanes, largest_lane, merge_row, row_context, sum_block, sum_row, wide
from ..math.exponential cimport exp_of_pair, whole
from ..math.logarithm cimport log_f64
from .exponents cimport larger
from .wide_rows cimport store_wide

cdef enum Measure:
    POWERS
    ENDS  # how many magnitudes are the largest, or the smallest
    COUNT  # how many numbers are not 0
    NOTHING  # of a row whose length is 0 or infinite, unless there is a NaN

cdef struct PowerLength:
    const void* grad
    const void* x
    double p
    Measure measure
    double scale  # the power of two that the row is multiplied by: 1 but for rows near the ends of the exponent range
    double end  # the largest magnitude, or the smallest, of the scaled row
    double total  # the sum of (magnitude / end)^p, or the number that ENDS and COUNT ask for
    double length  # of the scaled row
    double lost  # by rounding that
    double inverse  # one over that length, or over eps
    double factor  # backward: what the powers are multiplied by; 0 where the length has no slope
    double pull  # backward: how much of the row's direction is subtracted from the gradient


cdef inline double far_of(const real* like) noexcept nogil:
    # A row whose largest or smallest magnitude is farther from 1 is multiplied by a power of two. What becomes infinite
    # then would be so over the length.
    return 4e18 if real is f32x else 1e290


cdef inline int digits_of(const real* like) noexcept nogil:
    # of that power
    return 60 if real is f32x else 600


cdef inline double last_of(const real* like) noexcept nogil:
    return FLT_MAX if real is f32x else DBL_MAX


cdef inline double scale_beside(const real* like, double scale, double eps) noexcept nogil:
    # of a row that is shorter than eps, and divided by it: the scale of a tiny row would bring numbers of a usual size
    # out of the range, and without a scale one over a tiny eps is out of it
    if eps < 1.0 / far_of(like):
        return ldexp(1.0, digits_of(like)) if scale == 1.0 and eps < 1.0 / last_of(like) else scale
    return 1.0 if eps <= far_of(like) else ldexp(1.0, -digits_of(like))


cdef inline double one_over(const real* like, double length) noexcept nogil:
    # of a length above 0 at most the largest number of the precision: one over a tinier eps would make NaN of zeros
    return min(1.0 / length, last_of(like)) if length > 0.0 else 1.0 / length


cdef inline PowerLength power_length_of(const void* grad, const void* x, double p) noexcept nogil:
    return PowerLength(grad, x, p, POWERS, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


cdef inline double lost_by_product(double a, double b, double product) noexcept nogil:
    # product - a b, where they are close
    cdef double values[8]
    store_f64(values, -fma(splat_f64(a), splat_f64(b), splat_f64(-product)))
    return values[0]


cdef inline double lost_by_square_root(double length, double square) noexcept nogil:
    return lost_by_product(length, length, square) / (2.0 * length)


cdef inline double lacking(double inverse, double length, double lost) noexcept nogil:
    # how much 1 / (length + lost) is more than this inverse, as a part of it; 0 where one of them is not usual
    cdef double rest = lost_by_product(inverse, length, 1.0) - inverse * lost
    return rest if fabs(rest) < 1e-10 else 0.0


cdef inline f64x any_power(f64x base, f64x base_low, double exponent) noexcept nogil:
    cdef f64x low, sum, y, y_low, e, factor = splat_f64(exponent), limit = splat_f64(1400.0)
    cdef f64x logarithm = log_f64(base, base_low, &low)
    y = at_most(at_least(logarithm * factor, -limit), limit)
    y_low = where_less(magnitude(y), limit, fma(logarithm, factor, -y) + low * factor, splat_f64(0.0))
    e = exp_of_pair(y, y_low, &low, &sum)
    return scale2(e + low, whole(sum))


ctypedef f64x (*power_function)(f64x base, f64x base_low, double exponent) noexcept nogil


cdef inline f64x power(f64x base, f64x base_low, double exponent) noexcept nogil:
    # (base + base_low)^exponent for a base above 0: many instructions, which are called
    return (<power_function>called(<void*>any_power))(base, base_low, exponent)


cdef inline f64x square_or_cube(f64x base, f64x base_low, bint cube) noexcept nogil:
    # (base + base_low)^2 or ^3, with what its products lose
    cdef f64x value = base * base, lost
    lost = fma(base, base, -value) + (base + base) * base_low
    if cube:
        lost = fma(lost, base, value * base_low) + fma(value, base, -(value * base))
        value = value * base
    return value + lost


cdef inline f64x power_over_end(f64x size, const PowerLength* row, double exponent) noexcept nogil:
    # (size / end)^exponent; 0 where the size is 0, or infinite beside a finite end
    cdef f64x end = splat_f64(row.end), zero = splat_f64(0.0), largest = splat_f64(1.7976931348623157e308)
    cdef f64x ratio = size / end
    cdef f64x low = fma(-ratio, end, size) / end, found
    if exponent == 3.0 or exponent == 2.0:  # of p = 3, and of its gradient
        found = square_or_cube(ratio, low, exponent == 3.0)
    else:
        found = power(ratio, low, exponent)
    return where_less(size, splat_f64(5e-324), zero, where_less(largest, ratio, zero, found))


cdef inline f64x is_end(f64x size, const PowerLength* row) noexcept nogil:
    # 1 where a magnitude is the largest or the smallest, else 0
    cdef f64x end = splat_f64(row.end), zero = splat_f64(0.0)
    return where_less(size, end, zero, where_less(end, size, zero, splat_f64(1.0)))


cdef inline f64x scaled_row(const real* like, const void* context, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    return wide(<const real*>(<const PowerLength*>context).x, i, n) * splat_f64((<const PowerLength*>context).scale)


cdef inline void add_measure(const real* like, const void* context, Py_ssize_t i, Py_ssize_t n,
                             f64x* sums) noexcept nogil:
    cdef const PowerLength* own = <const PowerLength*>context
    cdef f64x size = magnitude(scaled_row(like, context, i, n)), zero = splat_f64(0.0), found = zero
    if own.measure == POWERS:
        found = power_over_end(size, own, own.p)
    elif own.measure == ENDS:
        found = is_end(size, own)
    elif own.measure == COUNT:
        found = where_less(zero, size, splat_f64(1.0), zero)
    # a NaN is kept: comparisons with it are false, so both choices fall to their last operand
    found = where_less(size, splat_f64(INFINITY), found, where_less(
        splat_f64(1.7976931348623157e308), size, found, size))
    sums[0] = sums[0] + first_lanes(found, n)


cdef inline Pair measure_block(const real* like, const void* context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    cdef PowerLength own = (<const PowerLength*>context)[0]
    return sum_block(add_measure[real], 1, like, &own, start, n)


cdef inline Pair end_block(const real* like, const void* context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    # the largest magnitude of a block, or minus the smallest; a NaN may be passed over
    cdef double lanes_of[8]
    cdef Py_ssize_t i = start, stop = start + n, count, k
    cdef f64x best = splat_f64(-INFINITY), size
    cdef bint least = (<const PowerLength*>context).p < 0.0
    while i < stop:
        count = min(stop - i, <Py_ssize_t>F64_LANES)
        size = magnitude(scaled_row(like, context, i, count))
        if count < F64_LANES:  # the others repeat the first
            store_f64(lanes_of, size)
            for k in range(count, F64_LANES):
                lanes_of[k] = lanes_of[0]
            size = load_f64(lanes_of)
        best = at_least(-size if least else size, best)
        i += F64_LANES
    return Pair(largest_lane(best), 0.0)


cdef inline double end_of(const real* like, const PowerLength* row, Py_ssize_t n, int threads) noexcept nogil:
    return fabs(merge_row(end_block[real], larger, like, row, n, threads).first)


cdef inline void find_length(const real* like, PowerLength* row, Py_ssize_t n, int threads) noexcept nogil:
    cdef double values[8]
    cdef double far = far_of(like)
    cdef int digits = digits_of(like)
    row.end = end_of(like, row, n, threads)
    if row.end > 0.0 and not 1.0 / far <= row.end <= far:
        row.scale = ldexp(1.0, -digits if row.end > 1.0 else digits)
        row.end = end_of(like, row, n, threads)
    if row.p == 0.0:  # where a subnormal number counts too
        row.scale = 1.0
    row.measure = COUNT if row.p == 0.0 else NOTHING if not 0.0 < row.end < INFINITY else (
        ENDS if fabs(row.p) == INFINITY else POWERS)
    row.total = sum_row(measure_block[real], like, row, n, threads).first
    row.length, row.factor = row.end, 0.0
    if row.measure == POWERS:
        store_f64(values, power(splat_f64(row.total), splat_f64(0.0), 1.0 / row.p))
        row.length = row.end * values[0]
        row.lost = -lost_by_product(row.end, values[0], row.length)
        store_f64(values, power(splat_f64(row.total), splat_f64(0.0), (1.0 - row.p) / row.p))
        row.factor = values[0]
    elif row.measure == ENDS:
        row.factor = 1.0 / row.total
    elif row.measure == COUNT:
        row.length = row.total
    if row.total != row.total:
        row.length = row.total


cdef inline void power_slopes_block(real* y, row_context context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    # (grad - along * pull) / length, along = sign(x) (|x| / length)^(p - 1); 0 where x is, also where p < 1
    cdef const PowerLength* own = <const PowerLength*>context
    cdef Py_ssize_t i = start, stop = start + n, count
    cdef f64x x, grad, along
    while i < stop:
        count = min(stop - i, <Py_ssize_t>F64_LANES)
        x = scaled_row(y, context, i, count)
        grad = wide(<const real*>own.grad, i, count)
        along = splat_f64(0.0)
        if own.measure == POWERS:
            along = with_sign(power_over_end(magnitude(x), own, own.p - 1.0) * splat_f64(own.factor), x)
        elif own.measure == ENDS:
            along = with_sign(is_end(magnitude(x), own) * splat_f64(own.factor), x)
        grad = fma(-along, splat_f64(own.pull), grad) * splat_f64(own.inverse)
        store_wide(y, i, count, grad * splat_f64(own.scale))
        i += F64_LANES
