# The logarithm of a sum of at most FEW exponentials of float32, of log_softmax and of losses: added in order, in
# float32, with all rounding errors beside, since of so few elements sums in float64 would take longer than the
# exponentials. Of rows one after the other, and what neighbouring rows share with them.
#
# The sum begins with a power of two that is larger than all of it, so that a term is rounded to the last place of that
# power, and what it loses is found by one subtraction. The power follows from the second largest element.
from libc.math cimport INFINITY, fabs, ldexp
from libc.stdint cimport uint32_t
from libc.string cimport memset

from ..lanes cimport (
    F32_LANES, at_least, at_most, bits_f32, called, f32x, f64x, fma, from_bits_f32, load_f32, splat_f32, splat_f64,
    splat_u32, store_f32, two_sum, where_less,
)
from ..loops.columns cimport HALVES, MOST_HALVES, wide_halves
from ..math.exponential cimport exp_parts, nearest_sum, raised_by
from ..math.logarithm cimport log_sum_f32
from ..math.pairs cimport fast_sum
from .exponential_parts cimport FEW, MANY, exp_parts_of
from .exponents cimport Exponents, end_not_finite, least_of_zero

cdef enum:
    FEW_SUMS = 2  # a sum and its rounding errors
    ABOVE = 7  # a sum of FEW terms is less than 2^ABOVE of the largest power of two of them
    # what few_rest and few_log find, a register each: numbers and their rounding errors
    INVERSE = 0  # 2^n / e^top - 1, the nearest power
    INVERSE_LOW = 1
    REST = 2  # the sum of e^(x - top) below the largest
    REST_LOW = 3
    LOG = 4  # of that sum and the largest
    LOG_LOW = 5
    FOUND = 6


cdef inline f32x start_of_few(f32x second, f32x least, f32x scale) noexcept nogil:
    # what the sum of a row begins with. The scale may be no power of two before 2^n is added to its exponent.
    cdef f32x sum = nearest_sum(at_least(second, least), 1.4426950408889634)
    return raised_by(from_bits_f32(bits_f32(scale) + splat_u32(ABOVE << 23)), sum)


cdef inline void add_below_few(f32x p, f32x power, f32x* sums) noexcept nogil:
    # power (1 + p), all of it; p is NaN where the sum is to be
    cdef f32x sum = sums[0] + fma(p, power, power), lost = power - (sum - sums[0])
    sums[0], sums[1] = sum, sums[1] + fma(p, power, lost)


cdef inline void few_rest(f32x top, f32x above, const f32x* sums, f32x lowered, f32x* found) noexcept nogil:
    # of a row in each lane, whose sum began with `above`
    cdef f32x rest, n_sum, low, r = exp_parts(-top, &rest, &n_sum), p = r + rest
    cdef f32x sum = fast_sum(sums[0] - above, sums[1], &low), product = fma(sum, p, sum)
    found[INVERSE], found[INVERSE_LOW] = p, rest - (p - r)
    low = fma(sum, found[INVERSE_LOW], fma(low, p, low)) + fma(sum, p, sum - product)
    found[REST], found[REST_LOW] = product * lowered, low * lowered


cdef inline void few_log(f32x equal, f32x* found) noexcept nogil:
    # and of how many elements are the largest
    cdef f32x low, sum = two_sum(equal, found[REST], &low)
    found[LOG] = log_sum_f32(sum, low, found[REST_LOW], &found[LOG_LOW])


cdef inline void widen_pair(f32x value, f32x low, f64x* wide) noexcept nogil:
    cdef f64x lows[MOST_HALVES]
    cdef int half
    wide_halves(value, wide)
    wide_halves(low, lows)
    for half in range(HALVES):
        wide[half] = wide[half] + lows[half]


cdef inline void widen_found(const f32x* found, f32x equal, bint alone, f64x* inverses, f64x* rests,
                             f64x* logs) noexcept nogil:
    # what was found as float64, where it is wanted; the logarithm is rounded to float32 where it is a result `alone`
    cdef f64x ones[MOST_HALVES]
    cdef int half
    if inverses != NULL:
        widen_pair(found[INVERSE], found[INVERSE_LOW], inverses)
        widen_pair(found[REST], found[REST_LOW], rests)
        wide_halves(equal - splat_f32(1.0), ones)
        for half in range(HALVES):
            inverses[half], rests[half] = splat_f64(1.0) + inverses[half], rests[half] + ones[half]
    if alone and logs != NULL:
        wide_halves(found[LOG] + found[LOG_LOW], logs)
    elif logs != NULL:
        widen_pair(found[LOG], found[LOG_LOW], logs)


ctypedef void (*few_function)(Exponents* rows, Py_ssize_t count, Py_ssize_t n, bint alone) noexcept nogil


cdef inline void find_few_logs(Exponents* rows, Py_ssize_t count, Py_ssize_t n, bint alone) noexcept nogil:
    # find_logs of such rows; compiled once for all that call it
    (<few_function>called(<void*>any_few_logs))(rows, count, n, alone)


cdef inline void any_few_logs(Exponents* rows, Py_ssize_t count, Py_ssize_t n, bint alone) noexcept nogil:
    # rows are copied to where each has a lane; exponentials are stored where they are wanted
    cdef float[FEW * MANY] tile
    cdef float[MANY] tops
    cdef uint32_t[MANY] scales
    cdef float[MANY] leasts
    cdef float[MANY] lower
    cdef f32x[FEW_SUMS] sums
    cdef f32x[FOUND] found
    cdef f32x x, p, rest, n_sum, power, second, above, equal, top, scale, least, zero = splat_f32(0.0)
    cdef f64x[MOST_HALVES] inverses
    cdef f64x[MOST_HALVES] rests
    cdef f64x[MOST_HALVES] logs
    cdef const Exponents* own
    cdef Py_ssize_t i, k, size, start = 0
    while start < count:
        size = min(count - start, <Py_ssize_t>F32_LANES)
        memset(tile, 0, n * sizeof(f32x))
        for k in range(F32_LANES):
            own = &rows[start + min(k, size - 1)]
            tops[k], scales[k] = <float>(own.top - own.shift), <uint32_t>(own.more + 127) << 23
            leasts[k], lower[k] = least_of_zero(<const f32x*>NULL, own.more), ldexp(1.0, -own.raised)
            for i in range(n if k < size else 0):
                tile[i * F32_LANES + k] = (<const float*>own.x)[i] - <float>own.shift
        top, scale, least = load_f32(tops), load_f32(<const float*>scales), load_f32(leasts)
        second, power = splat_f32(-INFINITY), splat_f32(-INFINITY)
        for i in range(n):
            x = load_f32(tile + i * F32_LANES)
            second, power = at_least(at_most(x, power), second), at_least(x, power)
        above = start_of_few(second, least, scale)
        sums[0], sums[1], equal = above, zero, zero
        for i in range(n):
            x = load_f32(tile + i * F32_LANES)
            p = exp_parts_of(x, least, &rest, &n_sum) + rest
            power = raised_by(scale, n_sum)
            store_f32(tile + i * F32_LANES, fma(p, power, power))
            add_below_few(p, where_less(x, top, power, zero), sums)
            equal = where_less(x, top, equal, equal + splat_f32(1.0))
        few_rest(top, above, sums, load_f32(lower), found)
        few_log(equal, found)
        widen_found(found, equal, alone, inverses, rests, logs)
        for k in range(size):
            own = &rows[start + k]
            if fabs(own.top) < INFINITY:
                rows[start + k].inverse, rows[start + k].rest = (<double*>inverses)[k], (<double*>rests)[k]
                rows[start + k].log_rest = (<double*>logs)[k]
                for i in range(n if own.y != NULL else 0):
                    (<float*>own.y)[i] = tile[i * F32_LANES + k]
            else:
                end_not_finite(<const f32x*>NULL, &rows[start + k], n)
                rows[start + k].log_rest = 0.0
        start += F32_LANES
