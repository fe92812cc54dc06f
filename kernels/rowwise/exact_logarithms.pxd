# The logarithm of a sum of exponentials of float64 to the last digit, where it is a result by itself: exponentials in
# two parts, and the rounding errors of their additions. Of one row after the other, and of neighbouring rows.
from libc.math cimport INFINITY, fabs, ldexp

from ..lanes cimport (
    F64_LANES, at_least, f64x, fma, load_f64, magnitude, splat, splat_f64, store_f64, two_sum, where_less,
)
from ..loops.reductions cimport PARTS, Pair, add_compensated, compensated_block, first_lanes, merge_row
from ..math.exponential cimport exp_pair, power2_of_sum, raised_by
from ..math.logarithm cimport log1p_f64
from ..math.pairs cimport pair_quotient
from .exponential_parts cimport MANY
from .exponents cimport Exponents, exponent_at

cdef enum:
    EXACT_BELOW = 64  # a sum beside the largest from this on needs no more than its usual logarithm
    CLOSE_BELOW = 7  # and one from this on, or beside a largest that is 1 or farther from 0, where both are added


cdef inline void add_below_exactly(const f64x* like, const void* context, Py_ssize_t i, Py_ssize_t n,
                                   f64x* sums) noexcept nogil:
    # all exponentials but the largest, in float64, and the rounding errors of their additions
    cdef const Exponents* own = <const Exponents*>context
    cdef f64x x = exponent_at(like, own, i, n), top = splat(x, own.top - own.shift), sum, e, low, lost, power
    e = exp_pair(at_least(x, splat(x, own.least)), &low, &sum)
    power = first_lanes(where_less(x, top, power2_of_sum(sum, own.more), splat(x, 0.0)), n)
    sums[0] = two_sum(sums[0], e * power, &lost)
    sums[1] = sums[1] + fma(low, power, lost)


cdef inline Pair exact_block(const f64x* like, const void* context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    return compensated_block(add_below_exactly, context, start, n)


cdef inline f64x exact_log(f64x top, f64x equal, f64x sum, f64x errors) noexcept nogil:
    # Of a row of float64 in each lane, log(sum(e^(x - top))) to the last digit: from how many elements are the largest,
    # the sum of the other exponentials over a power of 2, and the rounding errors of that sum.
    cdef f64x log, log_low, m_low, q, low, lost, n_sum
    cdef f64x m = exp_pair(top, &m_low, &n_sum)
    q = pair_quotient(sum, errors, m, m_low, &low)
    q = two_sum(q, equal - splat_f64(1.0), &lost)
    log = log1p_f64(q, low + lost, &log_low)
    # of a tiny q the logarithm is q - q^2 / 2, without the rounding of 1 + q
    low = fma(q * splat_f64(-0.5), q, low + lost)
    return where_less(q, splat_f64(1e-9), q + low, log + log_low)


cdef inline f64x exact_below(double near, f64x top) noexcept nogil:
    # below which sum it shows in a row's result: the logarithm by itself where `near` is infinite, or the largest plus
    # the logarithm, or neither where `near` is 0
    if near == INFINITY:
        return splat_f64(EXACT_BELOW)
    return where_less(magnitude(top), splat_f64(1.0 if near > 0.0 else 0.0), splat_f64(CLOSE_BELOW), splat_f64(0.0))


cdef inline void exact_logs(Exponents* rows, const double* tops, const Pair* sums, Py_ssize_t count, Py_ssize_t n,
                            int threads, double near) noexcept nogil:
    # the same of the rows whose sum it shows in
    cdef double most[F64_LANES]
    cdef double logs[MANY]
    cdef double equal[MANY]
    cdef double below[MANY]
    cdef double errors[MANY]
    cdef bint wanted[MANY]
    cdef Pair sum
    cdef Py_ssize_t k, done = 0
    for k in range(count):
        store_f64(most, exact_below(near, splat_f64(rows[k].top)))
        wanted[k] = fabs(rows[k].top) < INFINITY and rows[k].rest < most[0]
        if wanted[k]:
            sum = merge_row(exact_block, add_compensated, <const f64x*>NULL, &rows[k], n, threads)
            below[k], errors[k] = ldexp(sum.first, -rows[k].raised), ldexp(sum.second, -rows[k].raised)
            equal[k] = sums[k].second
    for k in range(MANY):
        if k >= count or not wanted[k]:
            below[k], errors[k], equal[k] = 0.0, 0.0, 1.0
    while done < count:
        store_f64(logs + done, exact_log(load_f64(tops + done), load_f64(equal + done), load_f64(below + done),
                                         load_f64(errors + done)))
        done += F64_LANES
    for k in range(count):
        if wanted[k]:
            rows[k].log_rest = logs[k]


cdef inline f64x column_term(f64x value, f64x top, f64x least, f64x scale, f64x* errors) noexcept nogil:
    # an exponential of a register of rows over a power of 2, with its rounding error; 0 where it is one of the largest
    cdef f64x low, n_sum, e = exp_pair(at_least(value, least), &low, &n_sum)
    cdef f64x power = where_less(value, top, raised_by(scale, n_sum), splat_f64(0.0))
    errors[0] = low * power
    return e * power


cdef inline f64x exact_column_log(const char* x, Py_ssize_t stride, f64x top, f64x least, f64x scale, f64x lowered,
                                  Py_ssize_t n) noexcept nogil:
    # the same of a register of neighbouring rows, whose sums are in the order of exact_block
    cdef f64x part, part_errors, term, low, lost, value, one = splat_f64(1.0), none = splat_f64(0.0)
    cdef f64x sum = none, errors = none, equal = none, other
    cdef Py_ssize_t i, k
    if n == 2:  # of which one is the largest
        value, other = load_f64(<const double*>x), load_f64(<const double*>(x + stride))
        low = value + other  # NaN where one is, which the largest is not
        value = where_less(value, top, value, other)
        sum = column_term(value, top, least, scale, &errors)
        return exact_log(top, where_less(value, top, one, one + one), sum * lowered,
                         where_less(low, splat_f64(INFINITY), errors * lowered, low))
    for k in range(min(n, <Py_ssize_t>PARTS)):
        value = load_f64(<const double*>(x + k * stride))
        part = column_term(value, top, least, scale, &part_errors)
        equal = where_less(value, top, equal, equal + one)
        i = k + PARTS
        while i < n:
            value = load_f64(<const double*>(x + i * stride))
            term = column_term(value, top, least, scale, &low)
            equal = where_less(value, top, equal, equal + one)
            part = two_sum(part, term, &lost)
            part_errors = part_errors + (low + lost)
            i += PARTS
        sum = two_sum(sum, part, &lost)
        errors = (errors + part_errors) + lost
    return exact_log(top, equal, sum * lowered, errors * lowered)
