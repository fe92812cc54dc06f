# The exponentials of a row, which softmax and the losses share: their sum, and the logarithm of their sum. Gufuncs are
# in softmax.pyx and losses.pyx, the order of sums in loops/reductions.pxd, the exponents in exponents.pxd.
#
# e^x is 2^n (1 + p), so e^(x - top) follows from e^x by subtracting whole numbers from n. The difference x - top, whose
# rounding error would cost as many ULP as it is large, is never computed. Only beyond |top| = 2^20, where n ln 2 is no
# longer exact, is a shift subtracted from the row first.
from libc.math cimport INFINITY, fabs, ldexp

from ..lanes cimport (
    F64_LANES, f32x, f64x, fma, load_f64, narrow_halves, real, splat, splat_f64, store_f32, store_f64, where_less,
    wide_f32,
)
from ..loops.columns cimport HALVES, MOST_HALVES, halves, narrowed_parts, wide_halves
from ..loops.registers cimport lanes
from ..loops.reductions cimport Pair, first_lanes, fold_terms, sum_long_block, sum_long_terms, sum_row, sum_terms
from ..math.exponential cimport exp_parts, exp_rest, minus_ln2, power2_of_sum
from ..math.logarithm cimport log1p, log1p_pair_f32
from .exponential_parts cimport (
    FEW, MANY, add_to_three, exp_parts_of, exp_rest_of, put_parts_below, wide_exponential,
)
from .exact_logarithms cimport exact_logs
from .exponents cimport Exponents, end_not_finite, exponent_at, put_exponential
from .few_exponentials cimport find_few_logs
from .sums_below cimport sum_of_below

cdef enum:
    SUMS_BELOW = 3  # of add_to_three
    SMALL = 2  # a sum beside the largest below this is small
    NEARLY_SMALL = 7  # and one below this, where neither the largest nor the logarithm is 2 or farther from 0
    NEAR = 4  # a logarithm of a sum, this far from 0 or farther, has no digit left for what float32 loses


cdef inline void add_all(const real* like, const void* context, Py_ssize_t i, Py_ssize_t n, real* sums) noexcept nogil:
    cdef const Exponents* own = <const Exponents*>context
    cdef real sum, x = exponent_at(like, own, i, n)
    cdef real p = exp_rest_of(x, splat(x, own.least), &sum), power = power2_of_sum(sum, own.more)
    p = fma(p, power, power)
    put_exponential(own, p, i, n)
    sums[0] = sums[0] + first_lanes(p, n)


cdef inline void add_below(const f64x* like, const void* context, Py_ssize_t i, Py_ssize_t n,
                           f64x* sums) noexcept nogil:
    # an exponential, stored; the sums of add_to_three
    cdef const Exponents* own = <const Exponents*>context
    cdef f64x rest, sum, x = exponent_at(like, own, i, n)
    cdef f64x r = exp_parts_of(x, splat(x, own.least), &rest, &sum), power = power2_of_sum(sum, own.more)
    put_exponential(own, fma(r + rest, power, power), i, n)
    add_to_three(r, rest, power, x, splat(x, own.top - own.shift), n, sums)


cdef inline void add_below_wide(const f64x* like, const void* context, Py_ssize_t i, Py_ssize_t n,
                                f64x* sums) noexcept nogil:
    # the exponentials of a row of float32, exactly, to a sum in float64
    cdef const Exponents* own = <const Exponents*>context
    cdef float[3 * MANY] parts
    cdef f32x rest, sum, x = exponent_at(<const f32x*>NULL, own, i, n), least = splat(x, own.least)
    cdef f32x r = exp_parts_of(x, least, &rest, &sum)
    put_parts_below(x, least, splat(x, own.top - own.shift), r, rest, power2_of_sum(sum, own.more), parts)
    sums[0] = sums[0] + first_lanes(wide_exponential(parts), n)


cdef inline void add_few_below(const f64x* like, const void* context, Py_ssize_t i, Py_ssize_t n,
                               f64x* sums) noexcept nogil:
    # the same with the exponential stored, and how many elements are the largest
    cdef const Exponents* own = <const Exponents*>context
    cdef float[3 * MANY] parts
    cdef f32x rest, sum, x = exponent_at(<const f32x*>NULL, own, i, n), least = splat(x, own.least)
    cdef f32x r = exp_parts_of(x, least, &rest, &sum), power = power2_of_sum(sum, own.more)
    cdef f32x top = splat(x, own.top - own.shift)
    put_exponential(own, fma(r + rest, power, power), i, n)
    put_parts_below(x, least, top, r, rest, power, parts)
    sums[0] = sums[0] + first_lanes(wide_exponential(parts), n)
    store_f32(parts, where_less(x, top, splat(x, 0.0), splat(x, 1.0)))
    sums[1] = sums[1] + first_lanes(wide_f32(parts), n)


cdef inline Pair all_block(const real* like, const void* context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    # every exponential, stored; their sum. In the first of two calls alike the compiler knows that the row is plain
    cdef Exponents own = (<const Exponents*>context)[0]
    cdef double total
    own.plain = own.sign == 1.0 and own.shift == 0.0
    if real is f32x:
        if own.plain:
            own.plain = True
            fold_terms(add_all[f32x], 1, &own, start, n, &total)
        else:
            fold_terms(add_all[f32x], 1, &own, start, n, &total)
    else:
        sum_long_terms(add_all[f64x], 1, like, &own, start, n, &total)
    return Pair(total, 0.0)


cdef inline Pair below_block(const real* like, const void* context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    cdef Exponents own = (<const Exponents*>context)[0]
    cdef double totals[SUMS_BELOW]
    if real is f32x:
        return sum_of_below(False, &own, start, n)
    else:
        own.plain = own.sign == 1.0 and own.shift == 0.0
        sum_terms(add_below, SUMS_BELOW, like, &own, start, n, totals)
        return Pair(totals[0] + totals[1], totals[2])


cdef inline Pair closer_block(const f32x* like, const void* context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    return sum_of_below(True, <const Exponents*>context, start, n)


cdef inline Pair few_block(const f32x* like, const void* context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    # the same of up to FEW elements, exactly
    return sum_long_block(add_few_below, 2, <const f64x*>NULL, context, start, n)


cdef inline Pair below_block_wide(const f32x* like, const void* context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    cdef Exponents own = (<const Exponents*>context)[0]
    return sum_long_block(add_below_wide, 1, <const f64x*>NULL, &own, start, n)


cdef inline bint exactly(const real* like, double near) noexcept nogil:
    # Whether the exponentials of small sums of a row of float32 are exact: their rounding shows where the logarithm is
    # small, and the largest, to which it is added, no farther from 0 than a finite `near`. If that is infinite, the
    # logarithm is a result by itself, and sums have the rounding errors of their exponentials.
    return real is f32x and 0.0 < near < INFINITY


cdef inline bint is_few(const real* like, double near, Py_ssize_t n) noexcept nogil:
    # whether a row has the sums of few_exponentials.pxd; those of losses take less time as they are from 17 elements on
    return real is f32x and n <= (FEW if near == INFINITY else FEW // 2) and not exactly(like, near)


cdef inline bint small(const real* like, double rest, double top, double near, Py_ssize_t n) noexcept nogil:
    # whether the sum of a row is taken again for that; one of a few elements is exact already
    return exactly(like, near) and n > FEW and fabs(top) < near and (
        rest < (NEARLY_SMALL if fabs(top + 0.5) < 1.5 else SMALL))


cdef inline double rest_of(const Exponents* row, Pair sum) noexcept nogil:
    return ldexp(sum.first, -row.raised) * row.inverse + (sum.second - 1.0)


cdef inline void load_halves(const real* like, const double* x, Py_ssize_t most, f64x* wide) noexcept nogil:
    # float64 numbers for the lanes of a register: `most` of them or all, else 0
    cdef int half
    for half in range(halves(like)):
        wide[half] = load_f64(x + half * F64_LANES) if half * F64_LANES < most else splat_f64(0.0)


cdef inline void store_halves(const real* like, const f64x* wide, Py_ssize_t most, double* y) noexcept nogil:
    cdef int half
    for half in range(halves(like)):
        if half * F64_LANES < most:
            store_f64(y + half * F64_LANES, wide[half])


cdef inline f64x inverse_of(f64x top, f64x exponent) noexcept nogil:
    # 2^exponent / e^top, the nearest power
    cdef f64x low
    cdef f64x r = minus_ln2(-top, -exponent, &low)
    return splat_f64(1.0) + (r + exp_rest(r, low))


cdef inline void inverse_halves(f32x top, f64x* inverses) noexcept nogil:
    # the same of rows of float32 whose exponentials have been rounded: right to 2^-27
    cdef f64x rests[MOST_HALVES]
    cdef f32x rest, sum, r = exp_parts(-top, &rest, &sum)
    cdef int half
    wide_halves(r, inverses)
    wide_halves(rest, rests)
    for half in range(HALVES):
        inverses[half] = splat_f64(1.0) + (inverses[half] + rests[half])


cdef inline void find_inverses(const real* like, double near, const double* tops, const double* exponents,
                               double* inverses, Py_ssize_t most) noexcept nogil:
    # either, of as many rows as a register of their precision has lanes, or of `most` where there are fewer
    cdef f64x parts[MOST_HALVES]
    cdef int half
    if real is f32x and not exactly(like, near):
        load_halves(like, tops, most, parts)
        inverse_halves(narrow_halves(parts), parts)
        store_halves(like, parts, most, inverses)
    else:
        for half in range(halves(like)):
            if half * F64_LANES < most:
                store_f64(inverses + half * F64_LANES, inverse_of(
                    load_f64(tops + half * F64_LANES), load_f64(exponents + half * F64_LANES)))


cdef inline f64x below_of(const f64x* sums, int apart) noexcept nogil:
    # the sum of all exponentials below the largest, of add_to_three's sums
    return sums[0] + sums[apart]


cdef inline f64x rest_of_sums(f64x below, f64x tops, f64x lowered, f64x inverse) noexcept nogil:
    # sum(e^(x - top)) - 1
    return below * lowered * inverse + (tops - splat_f64(1.0))


cdef inline f32x log_pair(const f64x* rests, f32x* rest, f32x* low) noexcept nogil:
    # log(1 + rest) = value + low of the lanes of a register of float32, right to that precision; the rests rounded
    cdef f32x rest_low
    rest[0] = narrowed_parts(<const f32x*>NULL, rests, &rest_low)
    return log1p_pair_f32(rest[0], rest_low, low)


cdef inline f32x log_of_rests(const f64x* rests) noexcept nogil:
    # the same rounded
    cdef f32x low, rest, log = log_pair(rests, &rest, &low)
    return where_less(rest, splat(rest, 1e-9), rest, log + low)


cdef inline void log_rest_halves(const f64x* rests, f64x* logs) noexcept nogil:
    # the same as float64
    cdef f64x parts[MOST_HALVES]
    cdef f64x low_parts[MOST_HALVES]
    cdef f32x low, rest, log = log_pair(rests, &rest, &low)
    cdef int half
    wide_halves(log, parts)
    wide_halves(low, low_parts)
    for half in range(HALVES):  # of a tiny rest the lower part may be no normal number
        logs[half] = where_less(rests[half], splat_f64(1e-9), rests[half], parts[half] + low_parts[half])


cdef inline void log_rests(const real* like, bint alone, const double* rests, double* logs,
                           Py_ssize_t most) noexcept nogil:
    # the same of as many float64 numbers as a register of the rows' precision has lanes, or of `most` where there are
    # fewer; rounded to that precision where a logarithm is a result `alone`
    cdef f64x parts[MOST_HALVES]
    if real is f32x:
        load_halves(like, rests, most, parts)
        if alone:
            wide_halves(log_of_rests(parts), parts)
        else:
            log_rest_halves(parts, parts)
        store_halves(like, parts, most, logs)
    else:
        store_f64(logs, log1p(load_f64(rests)))


cdef inline void find_logs(const real* like, Exponents* rows, Py_ssize_t count, Py_ssize_t n, int threads,
                           double near) noexcept nogil:
    # After find_tops, for rows whose largest is finite, GROUP at most: the sum of e^(x - top) without one of the
    # largest, so that log1p of it is right where the largest is nearly all of the sum. Small sums of float32 are exact
    # where `exactly` says so, and those of float64 where `exact_below` does: with the rounding errors of additions.
    # The scalars of all rows share registers.
    cdef double tops[MANY]
    cdef double exponents[MANY]
    cdef double inverses[MANY]
    cdef double logs[MANY]
    cdef Pair sums[MANY]
    cdef Py_ssize_t k
    if is_few(like, near, n):
        find_few_logs(rows, count, n, near == INFINITY)
        return
    for k in range(MANY):
        tops[k] = exponents[k] = logs[k] = 0.0
    for k in range(count):
        if fabs(rows[k].top) < INFINITY:
            if exactly(like, near) and n <= FEW:
                sums[k] = sum_row(few_block, <const f32x*>NULL, &rows[k], n, threads)
            elif real is f32x and near == INFINITY:
                sums[k] = sum_row(closer_block, <const f32x*>NULL, &rows[k], n, threads)
            else:
                sums[k] = sum_row(below_block[real], like, &rows[k], n, threads)
            tops[k], exponents[k] = rows[k].top - rows[k].shift, rows[k].top_n
    k = 0
    while k < count:
        find_inverses(like, near, tops + k, exponents + k, inverses + k, MANY - k)
        k += lanes(like)
    for k in range(count):
        if fabs(rows[k].top) < INFINITY:
            rows[k].inverse = inverses[k]
            rows[k].rest = rest_of(&rows[k], sums[k])
            if small(like, rows[k].rest, rows[k].top, near, n):
                rows[k].rest = rest_of(&rows[k], Pair(
                    sum_row(below_block_wide, <const f32x*>NULL, &rows[k], n, threads).first, sums[k].second))
            logs[k] = rows[k].rest
        else:
            end_not_finite(like, &rows[k], n)
    k = 0
    while k < count:
        log_rests(like, near == INFINITY, logs + k, logs + k, MANY - k)
        k += lanes(like)
    for k in range(count):
        rows[k].log_rest = logs[k]
    if real is f64x:
        if near > 0.0:
            exact_logs(rows, tops, sums, count, n, threads, near)
