# The exponentials of a row, which softmax and the losses share: their largest exponent, their sum, and the logarithm
# of their sum. Gufuncs are in softmax.pyx and losses.pyx, the order of sums in loops/reductions.pxd.
#
# e^x is 2^n (1 + p), so e^(x - top) follows from e^x by subtracting whole numbers from n. The difference x - top, whose
# rounding error would cost as many ULP as it is large, is never computed. Only beyond |top| = 2^20, where n ln 2 is no
# longer exact, is a shift subtracted from the row first. Exponentials are multiplied by a power of two, `raised`, so
# that none is subnormal before it meets its scale: it is rounded there, once.
from libc.math cimport INFINITY, NAN, fabs, frexp, ldexp

from ..lanes cimport (
    F32_LANES, F64_LANES, at_least, f32x, f64x, fma, load_f64, real, splat, splat_f32,
    splat_f64, store_f32, store_f64, where_less, wide_f32,
)
from ..loops.columns cimport HALVES, MOST_HALVES, narrowed_parts, wide_halves
from ..loops.registers cimport lanes, load, load_part, skip, store, store_part
from ..loops.reductions cimport (
    PARTS, Pair, add_compensated, compensated_block, first_lanes, fold_terms, largest_lane, merge_row, sum_block,
    sum_row, sum_terms, take, wide,
)
from ..math.exponential cimport exp_pair, exp_rest, minus_ln2, nearest, power2_of_sum
from ..math.logarithm cimport log1p, log1p_f64, log1p_pair_f32
from ..math.pairs cimport pair_quotient, two_sum
from .exponential_parts cimport MANY, add_to_three, exp_parts_of, exp_rest_of, put_parts_below, wide_exponential

cdef enum:
    LARGEST_TOP = 1 << 20  # up to which the largest x of a row needs no shift
    SUMS_BELOW = 3  # of add_to_three
    FEW = 32  # elements of a row of float32, up to which its exponentials are added in float64: no more than PARTS
    SMALL = 2  # a sum beside the largest below this is small
    NEAR = 4  # a logarithm of a sum, this far from 0 or farther, has no digit left for what float32 loses

cdef struct Exponents:
    const void* x
    void* y  # where the exponentials go; NULL where only their sum is wanted
    double sign  # 1, or -1 for softmin
    double scale  # what the exponentials will be multiplied by, beside one over their sum
    double shift
    bint plain  # whether exponents are x itself: sign 1 and shift 0
    double top  # the largest sign * x; NaN where that is infinite and the row has a NaN
    double top_n  # n of e^(top - shift) = 2^n (1 + p)
    int raised  # exponentials are multiplied by 2^raised
    int more  # and divided by 2^top_n: both together are a factor of 2^more
    double least  # an exponent below this gives 0 after scaling
    double mantissa  # e^(top - shift) / 2^top_n
    double rest  # sum(e^(x - top)) - 1
    double log_rest  # log(1 + rest)


cdef inline Exponents exponents_of(const real* like, const void* x, void* y, double sign, double scale) noexcept nogil:
    # The larger the scale, the more the exponentials are raised: scaled back, that of the least exponent is 0.
    cdef int size = 0
    frexp(scale, &size)
    if real is f32x:
        size = min(max(size + 32, 0), 100)
    else:
        size = min(max(size + 128, 0), 900)
    return Exponents(x, y, sign, scale, 0.0, False, 0.0, 0.0, size, 0, 0.0, 1.0, 0.0, 0.0)


cdef inline real top_of(const real* x, real sign, Py_ssize_t i, Py_ssize_t n, real top) noexcept nogil:
    # lanes without an element repeat element i
    cdef real padded[1]
    if n == lanes(x):
        return at_least(load(skip(x, i)) * sign, top)
    if real is f32x:
        store(padded, splat_f32((<const float*>x)[i]))
    else:
        store(padded, splat_f64((<const double*>x)[i]))
    store_part(padded, load_part(skip(x, i), n), n)
    return at_least(load(<const real*>padded) * sign, top)


cdef inline Pair top_block(const real* like, const void* context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    # the largest of a block; a NaN may be missed here, since the sum will be NaN
    cdef Exponents own = (<const Exponents*>context)[0]
    cdef const real* x = <const real*>own.x
    cdef Py_ssize_t i = start, stop = start + n, width = lanes(x)
    cdef real best[4]
    cdef real sign
    cdef int k
    for k in range(4):
        best[k] = splat(best[k], -INFINITY)
    sign = splat(best[0], own.sign)
    while i + 4 * width <= stop:
        for k in range(4):
            best[k] = top_of(x, sign, i + k * width, width, best[k])
        i += 4 * width
    while i < stop:
        best[0] = top_of(x, sign, i, min(stop - i, width), best[0])
        i += width
    return Pair(largest_lane(at_least(at_least(best[0], best[1]), at_least(best[2], best[3]))), 0.0)


cdef inline Pair larger(Pair a, Py_ssize_t a_size, Pair b, Py_ssize_t b_size) noexcept nogil:
    return a if a.first > b.first else b


cdef inline void put_exponential(const Exponents* row, real y, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    # where that is asked for
    if row.y != NULL:
        if n == lanes(&y):
            store(<real*>skip(<const real*>row.y, i), y)
        else:
            store_part(<real*>skip(<const real*>row.y, i), y, n)


cdef inline real exponent_at(const real* like, const Exponents* row, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    # sign * x - shift; 0 where there is no element, since a shift of 1e38 alone would overflow there
    cdef real x = take(<const real*>row.x, i, n)
    return x if row.plain else first_lanes(fma(x, splat(x, row.sign), splat(x, -row.shift)), n)


cdef inline void add_all(const real* like, const void* context, Py_ssize_t i, Py_ssize_t n, real* sums) noexcept nogil:
    cdef const Exponents* own = <const Exponents*>context
    cdef real sum, x = exponent_at(like, own, i, n)
    cdef real p = exp_rest_of(x, splat(x, own.least), &sum), power = power2_of_sum(sum, own.more)
    p = fma(p, power, power)
    put_exponential(own, p, i, n)
    sums[0] = sums[0] + first_lanes(p, n)


cdef inline void add_one_below(const real* like, const Exponents* own, real x, Py_ssize_t i, Py_ssize_t n,
                               real* sums) noexcept nogil:
    # an exponential, stored; the sums of add_to_three
    cdef real rest, sum
    cdef real r = exp_parts_of(x, splat(x, own.least), &rest, &sum), power = power2_of_sum(sum, own.more)
    put_exponential(own, fma(r + rest, power, power), i, n)
    add_to_three(r, rest, power, x, splat(x, own.top - own.shift), n, sums)


cdef inline void add_below(const real* like, const void* context, Py_ssize_t i, Py_ssize_t n,
                           real* sums) noexcept nogil:
    cdef const Exponents* own = <const Exponents*>context
    add_one_below(like, own, exponent_at(like, own, i, n), i, n, sums)


cdef inline void add_below_wide(const f64x* like, const void* context, Py_ssize_t i, Py_ssize_t n,
                                f64x* sums) noexcept nogil:
    # the exponentials of add_below, of a row of float32, to a sum in float64
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


cdef inline void sum_exponentials(
        void (*folded)(const f32x*, const void*, Py_ssize_t, Py_ssize_t, f32x*) noexcept nogil,
        void (*added)(const f64x*, const void*, Py_ssize_t, Py_ssize_t, f64x*) noexcept nogil, int count,
        const real* like, const void* context, Py_ssize_t start, Py_ssize_t n, double* totals) noexcept nogil:
    # The sums of a block, for terms of either precision. The calls look alike, but in the first the compiler knows that
    # the row is plain.
    cdef Exponents own = (<const Exponents*>context)[0]
    own.plain = own.sign == 1.0 and own.shift == 0.0
    if real is f32x:
        if own.plain:
            own.plain = True
            fold_terms(folded, count, &own, start, n, totals)
        else:
            fold_terms(folded, count, &own, start, n, totals)
    else:
        sum_terms(added, count, like, &own, start, n, totals)


cdef inline Pair all_block(const real* like, const void* context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    # every exponential, stored; their sum
    cdef double total
    sum_exponentials(add_all[f32x], add_all[f64x], 1, like, context, start, n, &total)
    return Pair(total, 0.0)


cdef inline Pair below_block(const real* like, const void* context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    # the sum without the largest, and how many are the largest
    cdef double totals[SUMS_BELOW]
    if real is f32x:
        if start + n <= FEW:
            return sum_block(add_few_below, 2, <const f64x*>NULL, context, start, n)
    sum_exponentials(add_below[f32x], add_below[f64x], SUMS_BELOW, like, context, start, n, totals)
    return Pair(totals[0] + totals[1], totals[2])


cdef inline double least_below(const real* like, int raised) noexcept nogil:
    # how far below the largest an exponent gives 0 after scaling
    cdef double below = (raised + (124 if real is f32x else 1020)) * 0.6931471805599453
    return <float>below if real is f32x else below


cdef inline double least_of(const real* like, const Exponents* row) noexcept nogil:
    return (row.top - row.shift) - least_below(like, row.raised)


cdef inline double least_of_zero(const real* like, int more) noexcept nogil:
    # An exponent below this gives 0 before scaling, in `add_all`: there the power of two is 0. A product that
    # underflows takes some processors longer than others do, and in masked rows there are many.
    return -(more + (127 if real is f32x else 1023)) * 0.6931471805599453


cdef inline Pair below_block_wide(const f32x* like, const void* context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    cdef Exponents own = (<const Exponents*>context)[0]
    return sum_block(add_below_wide, 1, <const f64x*>NULL, &own, start, n)


cdef inline bint small(const real* like, double rest, double top, double near, Py_ssize_t n) noexcept nogil:
    # Whether the sum of a row of float32 is taken again: small elements may have been lost beside larger ones, which
    # shows where the logarithm is small and the largest no farther from 0 than `near`. A few elements were added in
    # float64.
    return real is f32x and n > FEW and rest < SMALL and fabs(top) < near


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


cdef inline double exact_log(const Exponents* row, double more, Py_ssize_t n, int threads) noexcept nogil:
    # log(1 + more + the sum of e^(x - top) below the largest) to the last digit, of a row of float64
    cdef Pair sum = merge_row(exact_block, add_compensated, <const f64x*>NULL, row, n, threads)
    cdef double lanes_of[PARTS]
    cdef f64x log, log_low, m_low, q, low, lost, n_sum
    cdef f64x m = exp_pair(splat_f64(row.top - row.shift), &m_low, &n_sum)
    q = pair_quotient(splat_f64(ldexp(sum.first, -row.raised)), splat_f64(ldexp(sum.second, -row.raised)), m, m_low,
                      &low)
    q = two_sum(q, splat_f64(more), &lost)
    log = log1p_f64(q, low + lost, &log_low)
    # of a tiny q the logarithm is q - q^2 / 2, without the rounding of 1 + q
    low = fma(q * splat_f64(-0.5), q, low + lost)
    store_f64(lanes_of, where_less(q, splat_f64(1e-9), q + low, log + log_low))
    return lanes_of[0]


cdef inline double largest(const real* like, const Exponents* row, Py_ssize_t n, int threads) noexcept nogil:
    return merge_row(top_block[real], larger, like, row, n, threads).first


cdef inline void set_top(const real* like, Exponents* row) noexcept nogil:
    # finds e^shift and 2^top_n, by which all exponentials are divided
    cdef double n[16]
    row.shift = row.top if fabs(row.top) > LARGEST_TOP else 0.0
    if real is f32x:
        store(<real*>n, nearest(splat_f32(<float>(row.top - row.shift)), 1.4426950408889634))
        row.top_n = (<float*>n)[0]
    else:
        store(<real*>n, nearest(splat_f64(row.top - row.shift), 1.4426950408889634))
        row.top_n = n[0]
    row.least = least_of(like, row)
    if fabs(row.top) < INFINITY:
        row.more = row.raised - <int>row.top_n


cdef inline void find_tops(const real* like, Exponents* rows, Py_ssize_t count, Py_ssize_t n,
                           int threads) noexcept nogil:
    cdef Py_ssize_t r
    for r in range(count):
        rows[r].top = largest(like, &rows[r], n, threads)
    for r in range(count):
        set_top(like, &rows[r])


cdef inline double rest_of(const Exponents* row, Pair sum) noexcept nogil:
    return ldexp(sum.first, -row.raised) / row.mantissa + (sum.second - 1.0)


cdef inline f64x mantissa_of(f64x top, f64x exponent) noexcept nogil:
    # e^top / 2^exponent, the nearest power
    cdef f64x low
    cdef f64x r = minus_ln2(top, exponent, &low)
    return splat_f64(1.0) + (r + exp_rest(r, low))


cdef inline f64x below_of(const f64x* sums, int apart) noexcept nogil:
    # the sum of all exponentials below the largest, of add_to_three's sums
    return sums[0] + sums[apart]


cdef inline f64x rest_of_sums(f64x below, f64x tops, f64x lowered, f64x mantissa) noexcept nogil:
    # sum(e^(x - top)) - 1
    return below * lowered / mantissa + (tops - splat_f64(1.0))


cdef inline void log_rest_halves(const f64x* rests, f64x* logs) noexcept nogil:
    # log(1 + rest) of the lanes of a register of float32, right to that precision
    cdef f64x parts[MOST_HALVES]
    cdef f64x low_parts[MOST_HALVES]
    cdef f32x low, log = narrowed_parts(<const f32x*>NULL, rests, &low)
    cdef int half
    log = log1p_pair_f32(log, low, &low)
    wide_halves(log, parts)
    wide_halves(low, low_parts)
    for half in range(HALVES):  # of a tiny rest the lower part may be no normal number
        logs[half] = where_less(rests[half], splat_f64(1e-9), rests[half], parts[half] + low_parts[half])


cdef inline void log_rests(const real* like, const double* rests, double* logs, Py_ssize_t most) noexcept nogil:
    # the same of as many float64 numbers as a register of the rows' precision has lanes, or of `most` where there are
    # fewer
    cdef f64x parts[MOST_HALVES]
    cdef int half
    if real is f32x:
        for half in range(HALVES):
            parts[half] = splat_f64(0.0)
            if half * F64_LANES < most:
                parts[half] = load_f64(rests + half * F64_LANES)
        log_rest_halves(parts, parts)
        for half in range(HALVES):
            if half * F64_LANES < most:
                store_f64(logs + half * F64_LANES, parts[half])
    else:
        store_f64(logs, log1p(load_f64(rests)))


cdef inline void find_logs(const real* like, Exponents* rows, Py_ssize_t count, Py_ssize_t n, int threads,
                           double near) noexcept nogil:
    # After find_tops, for rows whose largest is finite, GROUP at most: the sum of e^(x - top) without one of the
    # largest, so that log1p of it is right where the largest is nearly all of the sum. Where the largest is no farther
    # from 0 than `near`, small sums are computed again, in float64; and those of float64, if `near` is infinite, with
    # the rounding errors of their additions. The scalars of all rows share registers.
    cdef double tops[MANY]
    cdef double exponents[MANY]
    cdef double mantissas[MANY]
    cdef double logs[MANY]
    cdef Pair sums[MANY]
    cdef Py_ssize_t k
    for k in range(MANY):
        tops[k] = exponents[k] = logs[k] = 0.0
    for k in range(count):
        if fabs(rows[k].top) < INFINITY:
            sums[k] = sum_row(below_block[real], like, &rows[k], n, threads)
            tops[k], exponents[k] = rows[k].top - rows[k].shift, rows[k].top_n
    k = 0
    while k < count:
        store_f64(mantissas + k, mantissa_of(load_f64(tops + k), load_f64(exponents + k)))
        k += F64_LANES
    for k in range(count):
        if fabs(rows[k].top) < INFINITY:
            rows[k].mantissa = mantissas[k]
            rows[k].rest = rest_of(&rows[k], sums[k])
            if small(like, rows[k].rest, rows[k].top, near, n):
                rows[k].rest = rest_of(&rows[k], Pair(
                    sum_row(below_block_wide, <const f32x*>NULL, &rows[k], n, threads).first, sums[k].second))
            logs[k] = rows[k].rest
        else:
            rows[k].top = top_not_finite(<const real*>rows[k].x, &rows[k], n)
    k = 0
    while k < count:
        log_rests(like, logs + k, logs + k, MANY - k)
        k += lanes(like)
    for k in range(count):
        rows[k].log_rest = logs[k]
        if real is f64x:
            if near == INFINITY and rows[k].rest < 64.0 and fabs(rows[k].top) < INFINITY:
                rows[k].log_rest = exact_log(&rows[k], sums[k].second - 1.0, n, threads)


cdef inline double top_not_finite(const real* x, const Exponents* row, Py_ssize_t n) noexcept nogil:
    # the logarithm of the sum where the largest is infinite: NaN where the row has one
    cdef Py_ssize_t i
    for i in range(n):
        if real is f32x:
            if (<const float*>x)[i] != (<const float*>x)[i]:
                return NAN
        else:
            if (<const double*>x)[i] != (<const double*>x)[i]:
                return NAN
    return row.top
