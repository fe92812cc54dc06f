# The softmax family along a row, forward and backward: softmax, log_softmax, softmin, logsumexp. The exponentials and
# their sum are rowwise/exponentials.pxd; which rows, dtypes and strides is loops/rows.pxd; cross-entropy is losses.pyx.
#
# masked_softmax is attention's row: its scores are written first, which reads the mask, and softmax runs on those.
#
# Bytes: a row is read for its largest element and for the exponentials, which are written and then scaled; log_softmax
# reads it once more where the sum is small, and for the result.
from libc.math cimport INFINITY, NAN, fabs
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy

cimport numpy as np

from .lanes cimport (
    at_least, bits_f32, bits_f64, f32x, f64x, fma, from_bits_f32, from_bits_f64, magnitude, real, splat, splat_u32,
    splat_u64, where_less, where_less_i32, where_less_i64, widen_u8_u32, widen_u8_u64,
)
from .loops.dtypes cimport BFLOAT16, FLOAT16, FLOAT32, FLOAT64, Dtype
from .loops.reductions cimport (
    Pair, add_element, element, fold_element, fold_values, largest_lane, map_block, map_row, merge_row, rounded,
    row_context, sum_either, sum_row, take, wide,
)
from .loops.operations cimport (
    GROUP, SHORT, SHORT_ROWS, SHORT_TILE, STREAMED, Operands, Operation, RowMachine, along_axis, group_kernel, group_of,
    operations_of, row_machine, run_groups, short_kernel, with_short_rows,
)
from .loops.registers cimport itemsize, lanes, skip, store, store_part
from .loops.short_rows cimport map_short, put_numbers, short_totals, sum_short
from .math.exponential cimport exp
from .rowwise.exponentials cimport (
    Exponents, all_block, exponents_of, find_logs, find_tops, larger, set_top, top_not_finite,
)
from .rowwise.short_exponentials cimport short_logs, short_softmax
from .rowwise.weighted_exponentials cimport Weighted, find_sum, weighted_log, weighted_of, weighted_slopes

np.import_array()
np.import_ufunc()

cdef const RowMachine* machine = row_machine()

cdef struct Gradient:
    const void* grad
    const void* x
    double value  # the factor, logarithm or sum that the points take, in the row's precision
    double rest  # and its rounding error
    double sign
    bint streamed

cdef struct Scores:
    const void* x
    const void* mask  # booleans or numbers, or NULL
    void* y
    double scale
    double rest  # and its rounding error, as it has the row's precision


# The points.

cdef inline real times(const real* like, const void* context, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    cdef real x = take(<const real*>(<const Gradient*>context).x, i, n)
    return fma(x, splat(x, (<const Gradient*>context).value), x * splat(x, (<const Gradient*>context).rest))


cdef inline real minus_log(const real* like, const void* context, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    cdef real x = take(<const real*>(<const Gradient*>context).x, i, n)
    return (x - splat(x, (<const Gradient*>context).value)) - splat(x, (<const Gradient*>context).rest)


cdef inline real softmax_slope(const real* like, const void* context, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    # y (grad - sum(grad y))
    cdef real y = take(<const real*>(<const Gradient*>context).x, i, n)
    cdef real grad = take(<const real*>(<const Gradient*>context).grad, i, n)
    return y * ((grad - splat(y, (<const Gradient*>context).value)) * splat(y, (<const Gradient*>context).sign))


cdef inline real log_softmax_slope(const real* like, const void* context, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    # grad - e^y sum(grad)
    cdef real y = take(<const real*>(<const Gradient*>context).x, i, n)
    cdef real grad = take(<const real*>(<const Gradient*>context).grad, i, n)
    return fma(exp(y), splat(y, -(<const Gradient*>context).value), grad)


cdef void times_block(real* y, row_context context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    map_block(times[real], y, context, start, n, False)


cdef void minus_log_block(real* y, const void* context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    cdef Gradient own = (<const Gradient*>context)[0]
    map_block(minus_log[real], y, &own, start, n, own.streamed)


cdef void softmax_slope_block(real* y, const void* context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    cdef Gradient own = (<const Gradient*>context)[0]
    map_block(softmax_slope[real], y, &own, start, n, own.streamed)


cdef void log_softmax_slope_block(real* y, const void* context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    cdef Gradient own = (<const Gradient*>context)[0]
    map_block(log_softmax_slope[real], y, &own, start, n, own.streamed)


# The scores that a mask leaves: x scale, plus the mask where it is of numbers, or -inf where it is False.

cdef inline real seen(real x, const uint8_t* mask, Py_ssize_t n) noexcept nogil:
    # x where the mask is not 0, else -inf
    cdef uint8_t part[16]
    cdef real hidden = splat(x, -INFINITY)
    if n < lanes(&x):
        memcpy(part, mask, n)
        mask = part
    if real is f32x:
        return from_bits_f32(where_less_i32(splat_u32(0), widen_u8_u32(mask), bits_f32(x), bits_f32(hidden)))
    else:
        return from_bits_f64(where_less_i64(splat_u64(0), widen_u8_u64(mask), bits_f64(x), bits_f64(hidden)))


cdef inline real scaled(const real* like, const void* context, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    # an infinite x is left out of the second product, which may be infinite with the other sign, or NaN
    cdef real x = take(<const real*>(<const Scores*>context).x, i, n), scale = splat(x, (<const Scores*>context).scale)
    cdef real y = x * scale
    return where_less(magnitude(y), splat(x, INFINITY), fma(x, scale, x * splat(x, (<const Scores*>context).rest)), y)


cdef inline real scaled_where(const real* like, const void* context, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    return seen(scaled(like, context, i, n), <const uint8_t*>(<const Scores*>context).mask + i, n)


cdef inline real scaled_plus(const real* like, const void* context, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    return scaled(like, context, i, n) + take(<const real*>(<const Scores*>context).mask, i, n)


cdef inline Pair scores_block(real (*point)(const real*, const void*, Py_ssize_t, Py_ssize_t) noexcept nogil,
                              const real* like, row_context context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    # writes the scores of a block and returns the largest, which takes no pass of its own; a NaN may be missed, since
    # the sum will be NaN
    cdef Scores own = (<const Scores*>context)[0]
    cdef real* y = <real*>own.y
    cdef Py_ssize_t i = start, stop = start + n, width = lanes(like)
    cdef real best = splat(best, -INFINITY), other = best, score, next_score
    cdef real padded[1]
    while i + 2 * width <= stop:
        score, next_score = point(like, &own, i, width), point(like, &own, i + width, width)
        store(<real*>skip(y, i), score)
        store(<real*>skip(y, i + width), next_score)
        best, other = at_least(score, best), at_least(next_score, other)
        i += 2 * width
    while i < stop:
        n = min(stop - i, width)
        score = point(like, &own, i, n)
        padded[0] = splat(best, -INFINITY)
        store_part(padded, score, n)
        store_part(<real*>skip(y, i), score, n)
        best = at_least(padded[0], best)
        i += width
    return Pair(largest_lane(at_least(best, other)), 0.0)


cdef Pair scaled_block(const real* like, row_context context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    return scores_block(scaled[real], like, context, start, n)


cdef Pair scaled_where_block(const real* like, row_context context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    return scores_block(scaled_where[real], like, context, start, n)


cdef Pair scaled_plus_block(const real* like, row_context context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    return scores_block(scaled_plus[real], like, context, start, n)


# The sum of backward.

cdef inline void add_grad_y(const real* like, const void* context, Py_ssize_t i, Py_ssize_t n,
                            f64x* sums) noexcept nogil:
    sums[0] = sums[0] + wide(<const real*>(<const Gradient*>context).grad, i, n) * wide(
        <const real*>(<const Gradient*>context).x, i, n)


cdef inline void fold_grad_y(const f32x* like, const void* context, Py_ssize_t i, Py_ssize_t n,
                             f32x* sums) noexcept nogil:
    cdef f32x grad = take(<const f32x*>(<const Gradient*>context).grad, i, n)
    sums[0] = fma(grad, take(<const f32x*>(<const Gradient*>context).x, i, n), sums[0])


cdef Pair grad_y_block(const real* like, const void* context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    cdef Gradient own = (<const Gradient*>context)[0]
    return sum_either(fold_grad_y, add_grad_y[real], 1, like, &own, start, n)


# A few rows: the largest of each, the sum of each, and then the outputs. The processor begins the next row's sum while
# it still waits for the last additions of this one.

cdef inline bint nothing_left(const real* like, const Exponents* row, Py_ssize_t n) noexcept nogil:
    # whether every exponential is 0; since the search for the largest may miss a NaN, the row is looked at again
    return row.top == -INFINITY and top_not_finite(<const real*>row.x, row, n) == -INFINITY


cdef inline void softmax(const real* like, Exponents* rows, Py_ssize_t count, Py_ssize_t n, int threads,
                         bint safe) noexcept nogil:
    # scale e^(sign x) / sum(e^(sign x)); where sign x is -inf throughout, NaN, or zeros if `safe`
    find_tops(like, rows, count, n, threads)
    over_sums(like, rows, count, n, threads, safe)


cdef inline void over_sums(const real* like, Exponents* rows, Py_ssize_t count, Py_ssize_t n, int threads,
                           bint safe) noexcept nogil:
    # the same, of rows whose largest are known
    cdef Gradient scaling[GROUP]
    cdef double scale
    cdef Py_ssize_t r
    for r in range(count):
        scaling[r] = Gradient(NULL, rows[r].y, rows[r].scale, 0.0, 1.0, False)
        # where the largest is infinite, or all are NaN
        if not fabs(rows[r].top) < INFINITY:
            if safe and nothing_left(like, &rows[r], n):
                rows[r].top = scaling[r].value = 0.0  # exponentials are then tiny numbers, which are multiplied by 0
                set_top(like, &rows[r])
            else:
                scaling[r].x, scaling[r].value = rows[r].x, NAN
    for r in range(count):
        if scaling[r].value == scaling[r].value:
            scale = scaling[r].value / sum_row(all_block[real], like, &rows[r], n, threads).first
            scaling[r].value = rounded(like, scale)
            scaling[r].rest = scale - scaling[r].value if fabs(scaling[r].value) < INFINITY else 0.0
    for r in range(count):
        map_row(times_block[real], <real*>rows[r].y, &scaling[r], n, threads)


cdef void logsumexp(const real* like, Operands* p, Gradient* logs, Py_ssize_t rows, Py_ssize_t n, int threads,
                    bint careful) noexcept nogil:
    # log(sum(e^x)) of the first operands in two parts: the largest x, whose difference from itself is then exactly 0 in
    # log_softmax, and the logarithm relative to it
    cdef Exponents own[GROUP]
    cdef Py_ssize_t r
    for r in range(rows):
        own[r] = exponents_of(like, p[r][0], NULL, 1.0, 1.0)
    find_tops(like, own, rows, n, threads)
    find_logs(like, own, rows, n, threads, careful)
    for r in range(rows):
        logs[r] = Gradient(NULL, p[r][0], own[r].top, own[r].log_rest, 1.0, False)


# The kernels.

cdef void softmax_group(const real* like, Operands* p, Py_ssize_t rows, Py_ssize_t n, int threads, double sign,
                        int scales, bint safe) noexcept nogil:
    # x, ..., [scale] -> scale softmax(sign x); `scales` says which operand is the scale, 0 that there is none
    cdef Exponents own[GROUP]
    cdef Py_ssize_t r
    for r in range(rows):
        own[r] = exponents_of(like, p[r][0], p[r][scales + 1], sign, (<double*>p[r][scales])[0] if scales else 1.0)
    softmax(like, own, rows, n, threads, safe)


cdef void softmax_kernel(const real* like, Operands* p, Py_ssize_t rows, Py_ssize_t n, int threads,
                         int manner) noexcept nogil:
    softmax_group(like, p, rows, n, threads, 1.0, 0, False)


cdef void softmin_kernel(const real* like, Operands* p, Py_ssize_t rows, Py_ssize_t n, int threads,
                         int manner) noexcept nogil:
    softmax_group(like, p, rows, n, threads, -1.0, 0, False)


cdef void scaled_softmax_kernel(const real* like, Operands* p, Py_ssize_t rows, Py_ssize_t n, int threads,
                                int manner) noexcept nogil:
    # the gradient of logsumexp
    softmax_group(like, p, rows, n, threads, 1.0, 1, False)


cdef void safe_softmax_kernel(const real* like, Operands* p, Py_ssize_t rows, Py_ssize_t n, int threads,
                              int manner) noexcept nogil:
    # x, sign, scale -> y; the sign is that of all rows
    softmax_group(like, p, rows, n, threads, (<double*>p[0][1])[0], 2, True)


cdef inline void fill(real* y, double value, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(start, n):
        if real is f32x:
            (<float*>y)[i] = <float>value
        else:
            (<double*>y)[i] = value


cdef inline void masked_row(const real* like, Exponents* row, Py_ssize_t count, Py_ssize_t n,
                            int threads) noexcept nogil:
    # softmax of the first `count` scores, in place, and 0 behind them. Where all of these scores are -inf, or there is
    # none, it is 0 everywhere; with a NaN or +inf among them it is NaN everywhere.
    cdef double behind = 0.0
    if count > 0:
        over_sums(like, row, 1, count, threads, True)
        if element(<const real*>row.y, 0) != element(<const real*>row.y, 0):
            behind = NAN
    fill(<real*>row.y, behind, count, n)


cdef inline void masked_group(const real* like, Operands* p, Py_ssize_t rows, Py_ssize_t n, int threads,
                              Pair (*scores)(const real*, const void*, Py_ssize_t, Py_ssize_t) noexcept nogil,
                              bint masked) noexcept nogil:
    # x, [mask], scale, count -> softmax(x scale + mask) of the first `count`, and 0 behind them
    cdef Exponents own[GROUP]
    cdef Py_ssize_t counts[GROUP]
    cdef Py_ssize_t r
    cdef Scores row
    cdef bint alike = True
    cdef double first
    for r in range(rows):
        first = (<double*>p[r][2 + masked])[0]
        counts[r] = <Py_ssize_t>min(first, <double>n) if first > 0.0 else 0  # a NaN sees nothing
        own[r] = exponents_of(like, p[r][3 + masked], p[r][3 + masked], 1.0, 1.0)
        row = Scores(p[r][0], p[r][1], p[r][3 + masked], rounded(like, (<double*>p[r][1 + masked])[0]), 0.0)
        row.rest = (<double*>p[r][1 + masked])[0] - row.scale if fabs(row.scale) < INFINITY else 0.0
        own[r].top = merge_row(scores, larger, like, &row, counts[r], threads).first
        set_top(like, &own[r])
        alike = alike and counts[r] == n
    if alike:
        over_sums(like, own, rows, n, threads, True)
        return
    for r in range(rows):
        masked_row(like, &own[r], counts[r], n, threads)


cdef void masked_softmax_kernel(const real* like, Operands* p, Py_ssize_t rows, Py_ssize_t n, int threads,
                                int manner) noexcept nogil:
    masked_group(like, p, rows, n, threads, scaled_block[real], False)


cdef void masked_softmax_where_kernel(const real* like, Operands* p, Py_ssize_t rows, Py_ssize_t n, int threads,
                                      int manner) noexcept nogil:
    masked_group(like, p, rows, n, threads, scaled_where_block[real], True)


cdef void masked_softmax_plus_kernel(const real* like, Operands* p, Py_ssize_t rows, Py_ssize_t n, int threads,
                                     int manner) noexcept nogil:
    masked_group(like, p, rows, n, threads, scaled_plus_block[real], True)


cdef void log_softmax_group(const real* like, Operands* p, Py_ssize_t rows, Py_ssize_t n, int threads, int manner,
                            bint safe) noexcept nogil:
    cdef Gradient logs[GROUP]
    cdef Py_ssize_t r
    logsumexp(like, p, logs, rows, n, threads, True)
    for r in range(rows):
        logs[r].streamed = manner & STREAMED
        if safe and logs[r].value == -INFINITY:
            logs[r].value = logs[r].rest = 0.0  # every x is -inf, and so is its result
        map_row(minus_log_block[real], <real*>p[r][1], &logs[r], n, threads)


cdef void log_softmax_kernel(const real* like, Operands* p, Py_ssize_t rows, Py_ssize_t n, int threads,
                             int manner) noexcept nogil:
    log_softmax_group(like, p, rows, n, threads, manner, False)


cdef void safe_log_softmax_kernel(const real* like, Operands* p, Py_ssize_t rows, Py_ssize_t n, int threads,
                                  int manner) noexcept nogil:
    log_softmax_group(like, p, rows, n, threads, manner, True)


cdef void logsumexp_kernel(const real* like, Operands* p, Py_ssize_t rows, Py_ssize_t n, int threads,
                           int manner) noexcept nogil:
    cdef Gradient logs[GROUP]
    cdef Py_ssize_t r
    logsumexp(like, p, logs, rows, n, threads, False)
    for r in range(rows):
        (<double*>p[r][1])[0] = logs[r].value + logs[r].rest


cdef void weighted_logsumexp_kernel(const real* like, Operands* p, Py_ssize_t rows, Py_ssize_t n, int threads,
                                    int manner) noexcept nogil:
    # x, b -> log|sum(b e^x)|, the sign of the sum
    cdef Weighted own
    cdef Py_ssize_t r
    for r in range(rows):
        own = weighted_of(p[r][0], p[r][1])
        find_sum(like, &own, n, threads)
        (<double*>p[r][2])[0] = weighted_log(&own)
        (<double*>p[r][3])[0] = own.sign


cdef void weighted_logsumexp_backward_kernel(const real* like, Operands* p, Py_ssize_t rows, Py_ssize_t n, int threads,
                                             int manner) noexcept nogil:
    # x, b, grad -> grad b e^x / sum(b e^x)
    cdef Weighted own
    cdef Py_ssize_t r
    for r in range(rows):
        own = weighted_of(p[r][0], p[r][1])
        find_sum(like, &own, n, threads)
        weighted_slopes(<real*>p[r][3], &own, (<double*>p[r][2])[0], n, threads)


cdef void softmax_backward_kernel(const real* like, Operands* p, Py_ssize_t rows, Py_ssize_t n, int threads,
                                  int manner) noexcept nogil:
    # grad, y, sign -> grad_x
    cdef Gradient own[GROUP]
    cdef Py_ssize_t r
    for r in range(rows):
        own[r] = Gradient(p[r][0], p[r][1], 0.0, 0.0, (<double*>p[r][2])[0], manner & STREAMED)
        own[r].value = sum_row(grad_y_block[real], like, &own[r], n, threads).first
    for r in range(rows):
        map_row(softmax_slope_block[real], <real*>p[r][3], &own[r], n, threads)


cdef void log_softmax_backward_kernel(const real* like, Operands* p, Py_ssize_t rows, Py_ssize_t n, int threads,
                                      int manner) noexcept nogil:
    # grad, y -> grad_x
    cdef Gradient own[GROUP]
    cdef Py_ssize_t r
    for r in range(rows):
        own[r] = Gradient(p[r][0], p[r][1], 0.0, 0.0, 1.0, manner & STREAMED)
        own[r].value = fold_values(<const real*>p[r][0], n, threads)
    for r in range(rows):
        map_row(log_softmax_slope_block[real], <real*>p[r][2], &own[r], n, threads)


# Short rows, side by side.

cdef bint short_softmax_kernel(const real* like, char** at, const Py_ssize_t* steps, Py_ssize_t n,
                               int manner) noexcept nogil:
    cdef Gradient scaling = Gradient(NULL, NULL, 0.0, 0.0, 1.0, False)
    cdef double[SHORT_ROWS] scales
    cdef double[SHORT_TILE] tile
    cdef Py_ssize_t r
    if not short_softmax(like, at[0], steps[0], n, <real*>tile, scales):
        return False
    for r in range(SHORT_ROWS):
        scaling.x, scaling.value = skip(<const real*>tile, r * SHORT), rounded(like, scales[r])
        scaling.rest = scales[r] - scaling.value
        map_short(times[real], at[1] + r * steps[1], &scaling, n)
    return True


cdef bint short_log_softmax_kernel(const real* like, char** at, const Py_ssize_t* steps, Py_ssize_t n,
                                   int manner) noexcept nogil:
    cdef Gradient own = Gradient(NULL, NULL, 0.0, 0.0, 1.0, False)
    cdef Exponents plain = exponents_of(like, NULL, NULL, 1.0, 1.0)
    cdef double[SHORT_ROWS] tops
    cdef double[SHORT_ROWS] mantissas
    cdef double[SHORT_ROWS] rests
    cdef double[SHORT_ROWS] logs
    cdef Py_ssize_t r
    if not short_logs(like, &plain, at[0], steps[0], n, tops, mantissas, rests, logs, True):
        return False
    for r in range(SHORT_ROWS):
        own.x, own.value, own.rest = at[0] + r * steps[0], tops[r], logs[r]
        map_short(minus_log[real], at[1] + r * steps[1], &own, n)
    return True


cdef bint short_logsumexp_kernel(const real* like, char** at, const Py_ssize_t* steps, Py_ssize_t n,
                                 int manner) noexcept nogil:
    cdef Exponents plain = exponents_of(like, NULL, NULL, 1.0, 1.0)
    cdef double[SHORT_ROWS] tops
    cdef double[SHORT_ROWS] mantissas
    cdef double[SHORT_ROWS] rests
    cdef double[SHORT_ROWS] logs
    cdef Py_ssize_t r
    if not short_logs(like, &plain, at[0], steps[0], n, tops, mantissas, rests, logs, False):
        return False
    for r in range(SHORT_ROWS):
        tops[r] += logs[r]
    put_numbers(tops, at[1], steps[1])
    return True


cdef bint short_softmax_backward_kernel(const real* like, char** at, const Py_ssize_t* steps, Py_ssize_t n,
                                        int manner) noexcept nogil:
    cdef Gradient own = Gradient(NULL, NULL, 0.0, 0.0, 1.0, False)
    cdef f64x[SHORT_ROWS] parts
    cdef double[SHORT_ROWS] sums
    cdef Py_ssize_t r
    for r in range(SHORT_ROWS):
        own.grad, own.x = at[0] + r * steps[0], at[1] + r * steps[1]
        sum_short(fold_grad_y, add_grad_y[real], 1, like, &own, n, parts + r)
    short_totals(parts, sums)
    for r in range(SHORT_ROWS):
        own.grad, own.x, own.value = at[0] + r * steps[0], at[1] + r * steps[1], sums[r]
        own.sign = (<const double*>(at[2] + r * steps[2]))[0]
        map_short(softmax_slope[real], at[3] + r * steps[3], &own, n)
    return True


cdef bint short_log_softmax_backward_kernel(const real* like, char** at, const Py_ssize_t* steps, Py_ssize_t n,
                                            int manner) noexcept nogil:
    cdef Gradient own = Gradient(NULL, NULL, 0.0, 0.0, 1.0, False)
    cdef f64x[SHORT_ROWS] parts
    cdef double[SHORT_ROWS] sums
    cdef Py_ssize_t r
    for r in range(SHORT_ROWS):
        sum_short(fold_element, add_element[real], 1, like, at[0] + r * steps[0], n, parts + r)
    short_totals(parts, sums)
    for r in range(SHORT_ROWS):
        own.grad, own.x, own.value = at[0] + r * steps[0], at[1] + r * steps[1], sums[r]
        map_short(log_softmax_slope[real], at[2] + r * steps[2], &own, n)
    return True


# The flat functions.

cdef inline void contiguous(group_kernel kernel, short_kernel shorts, const real* x, real* y, Py_ssize_t rows,
                            Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t row = n * itemsize(x)
    cdef char** at = [<char*>x, <char*>y]
    cdef Py_ssize_t* steps = [row, row]
    run_groups(kernel, shorts, at, steps, 2, group_of(rows, n, itemsize(x), 2), rows, n, 1, 0)


cdef void softmax_float32(const float* x, float* y, Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    contiguous(<group_kernel>softmax_kernel[f32x], <short_kernel>short_softmax_kernel[f32x],
               <const f32x*>x, <f32x*>y, rows, n)


cdef void softmax_float64(const double* x, double* y, Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    contiguous(<group_kernel>softmax_kernel[f64x], <short_kernel>short_softmax_kernel[f64x],
               <const f64x*>x, <f64x*>y, rows, n)


cdef void log_softmax_float32(const float* x, float* y, Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    contiguous(<group_kernel>log_softmax_kernel[f32x], <short_kernel>short_log_softmax_kernel[f32x],
               <const f32x*>x, <f32x*>y, rows, n)


cdef void log_softmax_float64(const double* x, double* y, Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    contiguous(<group_kernel>log_softmax_kernel[f64x], NULL, <const f64x*>x, <f64x*>y, rows, n)


# The gufuncs.

softmax_gufunc = with_short_rows(along_axis(
    b"softmax", <void*>softmax_kernel[f32x], <void*>softmax_kernel[f64x], b"r", b"r", b"exp(x) / sum(exp(x))"),
    <void*>short_softmax_kernel[f32x], <void*>short_softmax_kernel[f64x])
softmin_gufunc = along_axis(
    b"softmin", <void*>softmin_kernel[f32x], <void*>softmin_kernel[f64x], b"r", b"r", b"exp(-x) / sum(exp(-x))")
scaled_softmax_gufunc = along_axis(
    b"scaled_softmax", <void*>scaled_softmax_kernel[f32x], <void*>scaled_softmax_kernel[f64x], b"rs", b"r",
    b"x, scale -> scale softmax(x)")
masked_softmax_gufunc = along_axis(
    b"masked_softmax", <void*>masked_softmax_kernel[f32x], <void*>masked_softmax_kernel[f64x], b"rss", b"r",
    b"x, scale, count -> softmax(x scale) of the first count, and 0")
masked_softmax_where_gufunc = along_axis(
    b"masked_softmax_where", <void*>masked_softmax_where_kernel[f32x], <void*>masked_softmax_where_kernel[f64x],
    b"rbss", b"r", b"x, mask, scale, count -> softmax(x scale where mask) of the first count, and 0")
masked_softmax_plus_gufunc = along_axis(
    b"masked_softmax_plus", <void*>masked_softmax_plus_kernel[f32x], <void*>masked_softmax_plus_kernel[f64x], b"rrss",
    b"r", b"x, mask, scale, count -> softmax(x scale + mask) of the first count, and 0")
log_softmax_gufunc = with_short_rows(along_axis(
    b"log_softmax", <void*>log_softmax_kernel[f32x], <void*>log_softmax_kernel[f64x], b"r", b"r",
    b"x - log(sum(exp(x)))"),
    <void*>short_log_softmax_kernel[f32x], NULL)  # sums of float64 rows so short are small, and added in another way
logsumexp_gufunc = with_short_rows(along_axis(
    b"logsumexp", <void*>logsumexp_kernel[f32x], <void*>logsumexp_kernel[f64x], b"r", b"s", b"log(sum(exp(x)))"),
    <void*>short_logsumexp_kernel[f32x], <void*>short_logsumexp_kernel[f64x])
safe_softmax_gufunc = along_axis(
    b"safe_softmax", <void*>safe_softmax_kernel[f32x], <void*>safe_softmax_kernel[f64x], b"rss", b"r",
    b"x, sign, scale -> scale softmax(sign x), zeros where all of sign x is -inf")
safe_log_softmax_gufunc = along_axis(
    b"safe_log_softmax", <void*>safe_log_softmax_kernel[f32x], <void*>safe_log_softmax_kernel[f64x], b"r", b"r",
    b"x - log(sum(exp(x))), -inf where all of x is")
weighted_logsumexp_gufunc = along_axis(
    b"weighted_logsumexp", <void*>weighted_logsumexp_kernel[f32x], <void*>weighted_logsumexp_kernel[f64x], b"rr", b"ss",
    b"x, b -> log(abs(sum(b exp(x)))), sign")
weighted_logsumexp_backward_gufunc = along_axis(
    b"weighted_logsumexp_backward", <void*>weighted_logsumexp_backward_kernel[f32x],
    <void*>weighted_logsumexp_backward_kernel[f64x], b"rrs", b"r", b"x, b, grad -> grad b exp(x) / sum(b exp(x))")
softmax_backward_gufunc = with_short_rows(along_axis(
    b"softmax_backward", <void*>softmax_backward_kernel[f32x], <void*>softmax_backward_kernel[f64x], b"rrs", b"r",
    b"grad, y, sign -> y (grad - sum(grad y)) sign"),
    <void*>short_softmax_backward_kernel[f32x], <void*>short_softmax_backward_kernel[f64x])
log_softmax_backward_gufunc = with_short_rows(along_axis(
    b"log_softmax_backward", <void*>log_softmax_backward_kernel[f32x], <void*>log_softmax_backward_kernel[f64x], b"rr",
    b"r", b"grad, y -> grad - exp(y) sum(grad)"),
    <void*>short_log_softmax_backward_kernel[f32x], <void*>short_log_softmax_backward_kernel[f64x])


# What `where` leaves out.

ctypedef fused bits:
    uint16_t
    uint32_t
    uint64_t


cdef void keep(bits like, const void* x, const uint8_t* where, const void* otherwise, void* y,
               Py_ssize_t n) noexcept nogil:
    # without a branch, which the processor would often guess wrong
    cdef bits other = (<const bits*>otherwise)[0], mask
    cdef Py_ssize_t i
    for i in range(n):
        mask = <bits>0 - <bits>(where[i] != 0)
        (<bits*>y)[i] = ((<const bits*>x)[i] & mask) | (other & ~mask)


def causal_counts(np.ndarray x, double offset):
    """How many keys each query sees, of scores (..., queries, keys): query i those up to i + offset, so that many and
    one; float64, of shape (..., queries)."""
    cdef Py_ssize_t queries = np.PyArray_DIM(x, np.PyArray_NDIM(x) - 2), i
    cdef np.ndarray counts = np.PyArray_EMPTY(np.PyArray_NDIM(x) - 1, np.PyArray_DIMS(x), np.NPY_DOUBLE, 0)
    for i in range(np.PyArray_SIZE(counts)):
        (<double*>np.PyArray_DATA(counts))[i] = <double>(i % queries) + offset + 1.0
    return counts


def kept(np.ndarray x, np.ndarray where, np.ndarray otherwise):
    """A new array of x, and of the one number `otherwise` where `where` is False. All three are laid out by C, in the
    byte order of the machine; the latter has the dtype of x, whose elements have 2, 4 or 8 bytes."""
    cdef np.ndarray y = np.PyArray_EMPTY(np.PyArray_NDIM(x), np.PyArray_DIMS(x), np.PyArray_TYPE(x), 0)
    cdef const void* x_bytes = np.PyArray_DATA(x)
    cdef const uint8_t* mask = <const uint8_t*>np.PyArray_DATA(where)
    cdef const void* other = np.PyArray_DATA(otherwise)
    cdef void* y_bytes = np.PyArray_DATA(y)
    cdef Py_ssize_t n = np.PyArray_SIZE(x), size = np.PyArray_ITEMSIZE(x)
    with nogil:
        if size == 2:
            keep(<uint16_t>0, x_bytes, mask, other, y_bytes, n)
        elif size == 4:
            keep(<uint32_t>0, x_bytes, mask, other, y_bytes, n)
        else:
            keep(<uint64_t>0, x_bytes, mask, other, y_bytes, n)
    return y


# Through the row machine, as NumPy calls them, for those who call from C.

cdef const Operation* of_softmax = operations_of(softmax_gufunc)
cdef const Operation* of_log_softmax = operations_of(log_softmax_gufunc)
cdef const Operation* of_softmax_backward = operations_of(softmax_backward_gufunc)
cdef const Operation* of_log_softmax_backward = operations_of(log_softmax_backward_gufunc)
cdef const Operation* of_logsumexp = operations_of(logsumexp_gufunc)
cdef const Operation* of_masked_softmax = operations_of(masked_softmax_gufunc)
cdef const Operation* of_masked_softmax_where = operations_of(masked_softmax_where_gufunc)
cdef double plain_sign = 1.0


cdef bint softmax_bfloat16(const uint16_t* x, uint16_t* y, Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    return machine.call(of_softmax, BFLOAT16, [x, y], 0, rows, n)


cdef bint softmax_float16(const uint16_t* x, uint16_t* y, Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    return machine.call(of_softmax, FLOAT16, [x, y], 0, rows, n)


cdef bint log_softmax_bfloat16(const uint16_t* x, uint16_t* y, Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    return machine.call(of_log_softmax, BFLOAT16, [x, y], 0, rows, n)


cdef bint log_softmax_float16(const uint16_t* x, uint16_t* y, Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    return machine.call(of_log_softmax, FLOAT16, [x, y], 0, rows, n)


cdef bint softmax_backward_float32(const float* grad, const float* y, float* grad_x, Py_ssize_t rows,
                                   Py_ssize_t n) noexcept nogil:
    return machine.call(of_softmax_backward, FLOAT32, [grad, y, &plain_sign, grad_x], 1 << 2, rows, n)


cdef bint softmax_backward_float64(const double* grad, const double* y, double* grad_x, Py_ssize_t rows,
                                   Py_ssize_t n) noexcept nogil:
    return machine.call(of_softmax_backward, FLOAT64, [grad, y, &plain_sign, grad_x], 1 << 2, rows, n)


cdef bint softmax_backward_bfloat16(const uint16_t* grad, const uint16_t* y, uint16_t* grad_x, Py_ssize_t rows,
                                    Py_ssize_t n) noexcept nogil:
    return machine.call(of_softmax_backward, BFLOAT16, [grad, y, &plain_sign, grad_x], 1 << 2, rows, n)


cdef bint softmax_backward_float16(const uint16_t* grad, const uint16_t* y, uint16_t* grad_x, Py_ssize_t rows,
                                   Py_ssize_t n) noexcept nogil:
    return machine.call(of_softmax_backward, FLOAT16, [grad, y, &plain_sign, grad_x], 1 << 2, rows, n)


cdef bint log_softmax_backward_float32(const float* grad, const float* y, float* grad_x, Py_ssize_t rows,
                                       Py_ssize_t n) noexcept nogil:
    return machine.call(of_log_softmax_backward, FLOAT32, [grad, y, grad_x], 0, rows, n)


cdef bint log_softmax_backward_float64(const double* grad, const double* y, double* grad_x, Py_ssize_t rows,
                                       Py_ssize_t n) noexcept nogil:
    return machine.call(of_log_softmax_backward, FLOAT64, [grad, y, grad_x], 0, rows, n)


cdef bint log_softmax_backward_bfloat16(const uint16_t* grad, const uint16_t* y, uint16_t* grad_x, Py_ssize_t rows,
                                        Py_ssize_t n) noexcept nogil:
    return machine.call(of_log_softmax_backward, BFLOAT16, [grad, y, grad_x], 0, rows, n)


cdef bint log_softmax_backward_float16(const uint16_t* grad, const uint16_t* y, uint16_t* grad_x, Py_ssize_t rows,
                                       Py_ssize_t n) noexcept nogil:
    return machine.call(of_log_softmax_backward, FLOAT16, [grad, y, grad_x], 0, rows, n)


cdef bint logsumexp_float32(const float* x, double* y, Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    return machine.call(of_logsumexp, FLOAT32, [x, y], 0, rows, n)


cdef bint logsumexp_float64(const double* x, double* y, Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    return machine.call(of_logsumexp, FLOAT64, [x, y], 0, rows, n)


cdef bint masked_rows(Dtype dtype, const void* x, const uint8_t* mask, const double* counts, double scale, void* y,
                      Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    cdef double all_of_them = <double>n
    cdef bint alike = counts == NULL
    if alike:
        counts = &all_of_them
    if mask == NULL:
        return machine.call(of_masked_softmax, dtype, [x, &scale, counts, y], 1 << 1 | alike << 2, rows, n)
    return machine.call(of_masked_softmax_where, dtype, [x, mask, &scale, counts, y], 1 << 2 | alike << 3, rows, n)


cdef bint masked_softmax_float32(const float* x, const uint8_t* mask, const double* counts, double scale, float* y,
                                 Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    return masked_rows(FLOAT32, x, mask, counts, scale, y, rows, n)


cdef bint masked_softmax_float64(const double* x, const uint8_t* mask, const double* counts, double scale, double* y,
                                 Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    return masked_rows(FLOAT64, x, mask, counts, scale, y, rows, n)


cdef bint masked_softmax_bfloat16(const uint16_t* x, const uint8_t* mask, const double* counts, double scale,
                                  uint16_t* y, Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    return masked_rows(BFLOAT16, x, mask, counts, scale, y, rows, n)


cdef bint masked_softmax_float16(const uint16_t* x, const uint8_t* mask, const double* counts, double scale,
                                 uint16_t* y, Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    return masked_rows(FLOAT16, x, mask, counts, scale, y, rows, n)


cdef bint masked_softmax_backward_float32(const float* grad, const float* y, double scale, float* grad_x,
                                          Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    return machine.call(of_softmax_backward, FLOAT32, [grad, y, &scale, grad_x], 1 << 2, rows, n)


cdef bint masked_softmax_backward_float64(const double* grad, const double* y, double scale, double* grad_x,
                                          Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    return machine.call(of_softmax_backward, FLOAT64, [grad, y, &scale, grad_x], 1 << 2, rows, n)


cdef bint masked_softmax_backward_bfloat16(const uint16_t* grad, const uint16_t* y, double scale, uint16_t* grad_x,
                                           Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    return machine.call(of_softmax_backward, BFLOAT16, [grad, y, &scale, grad_x], 1 << 2, rows, n)


cdef bint masked_softmax_backward_float16(const uint16_t* grad, const uint16_t* y, double scale, uint16_t* grad_x,
                                          Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    return machine.call(of_softmax_backward, FLOAT16, [grad, y, &scale, grad_x], 1 << 2, rows, n)
