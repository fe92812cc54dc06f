# The softmax family along a row, forward and backward: softmax, log_softmax, softmin, logsumexp. The exponentials and
# their sum are rowwise/exponentials.pxd; which rows, dtypes and strides is loops/rows.pxd; cross-entropy is losses.pyx.
#
# masked_softmax is attention's row: its scores are written first, which reads the mask, and softmax runs on those.
#
# Bytes: a row is read for its largest element and for the exponentials, which are written and then scaled; log_softmax
# writes none, and reads the row once more for the result, as float64 does for its sum.
from cpython.pycapsule cimport PyCapsule_New
from libc.math cimport INFINITY, NAN, fabs
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t, uintptr_t
from libc.string cimport memcpy

cimport numpy as np

from .lanes cimport (
    F32_LANES, any_count, at_least, bits_f32, bits_f64, end_stream, f32x, f64x, fma, fold_products_f32, from_bits_f32,
    from_bits_f64, magnitude, real, splat, splat_u32, splat_u64, where_less, where_less_i32, where_less_i64,
    widen_u8_u32, widen_u8_u64,
)
from .loops.dtypes cimport BFLOAT16, FLOAT16, FLOAT32, FLOAT64, Dtype, size_of
from .loops.reductions cimport (
    BLOCK, FOLD, FOLDED_PARTS, FOLDED_SUMS, SUMS, Pair, add_element, add_more_terms, add_plain_terms, add_products,
    element, fill as fill_registers, fold_block, largest_lane, map_bfloat16, map_block, map_from, map_row, merge_row,
    product_block, rounded, row_context, sum_block, sum_row, take, take_either, tree,
)
from .loops.operations cimport (
    BFLOAT16_ROWS, FLOAT16_ROWS, FROM_MEMORY, GROUP, GROUP_BYTES, MOST_REGISTERS, NARROWED, ROW_BY_ROW, SHORT,
    SHORT_BYTES, SHORT_ROWS, SHORT_TILE, STREAMED, WIDE, Operands, Operation, RowMachine, along_axis, group_kernel,
    group_of, more_filled, narrowing, operations_of, row_by_row, row_machine, run_groups, short_kernel,
    taking_bfloat16, taking_narrow_columns, with_all_rows, with_columns, with_short_rows, without_copies,
)
from .loops.partial_sums cimport prefetch
from .loops.registers cimport LINE, PAGE, head, itemsize, just_behind, lanes, load, skip, store, store_part, stream
from .loops.columns cimport (
    APART, MOST_HALVES, MOST_LANES, add_column_products, collides, few_sum, fold_column_products, halves,
    narrowed, narrowed_parts, put_column_numbers, sum_column_terms, take_column_numbers,
)
from .loops.short_rows cimport add_short, added_totals, fold_short, map_short, multiply_short, put_numbers
from .loops.tiles cimport narrow, narrow_columns, narrow_pair, take_row, widen, widen_columns
from .math.exponential cimport exp
from .rowwise.column_exponentials cimport Columns, column_softmax, columns_of, set_register, set_scales
from .rowwise.column_logs cimport few_columns
from .rowwise.exponential_parts cimport FEW
from .rowwise.exponentials cimport NEAR, all_block
from .rowwise.exponents cimport Exponents, exponents_of, find_tops, larger, least_of_zero, set_top, top_not_finite
from .rowwise.few_exponentials cimport FOUND, LOG, LOG_LOW
from .rowwise.logarithms cimport Logarithms, logs_for, logs_of
from .rowwise.short_exponentials cimport raise_short, short_softmax, tile_step
from .rowwise.weighted_exponentials cimport (
    Weighted, find_sum, quick_log, weighted_log, weighted_of, weighted_slopes,
)

np.import_array()
np.import_ufunc()
cdef const RowMachine* machine = row_machine()

cdef enum:
    STANDING = 32  # elements of a row from which on it pays to take bfloat16 where it stands
    PIECE = 512  # elements that are widened at a time: whole sets of partial sums

cdef struct Gradient:
    const void* grad
    const void* x
    double value  # the factor, logarithm or sum that the points take, in the row's precision
    double rest  # and its rounding error
    double sign
    bint streamed
    bint bfloat16  # whether rows are of bfloat16, or results alone where points take no other


# The points.

cdef inline real times(const real* like, const void* context, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    cdef real x = take(<const real*>(<const Gradient*>context).x, i, n)
    return fma(x, splat(x, (<const Gradient*>context).value), x * splat(x, (<const Gradient*>context).rest))


cdef inline real minus_log(const real* like, const void* context, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    cdef real x = take(<const real*>(<const Gradient*>context).x, i, n)
    return (x - splat(x, (<const Gradient*>context).value)) - splat(x, (<const Gradient*>context).rest)


cdef inline real softmax_slope(const real* like, const void* context, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    # y (grad - sum(grad y))
    cdef const Gradient* own = <const Gradient*>context
    cdef real y = take_either(own.bfloat16, <const real*>own.x, i, n)
    cdef real grad = take_either(own.bfloat16, <const real*>own.grad, i, n)
    return y * ((grad - splat(y, own.value)) * splat(y, own.sign))


cdef inline real log_softmax_slope(const real* like, const void* context, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    # grad - e^y sum(grad)
    cdef const Gradient* own = <const Gradient*>context
    cdef real y = take_either(own.bfloat16, <const real*>own.x, i, n)
    cdef real grad = take_either(own.bfloat16, <const real*>own.grad, i, n)
    return fma(exp(y), splat(y, -own.value), grad)


cdef void times_block(real* y, row_context context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    map_block(times[real], y, context, start, n, False)


cdef void minus_log_block(real* y, const void* context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    cdef Gradient own = (<const Gradient*>context)[0]
    if real is f32x:
        if own.bfloat16:
            map_bfloat16(minus_log[f32x], <uint16_t*>y, &own, start, n)
            return
    map_block(minus_log[real], y, &own, start, n, own.streamed)


cdef inline bint from_the_end(const void* y, const void* x, const void* other) noexcept nogil:
    # Whether to write y backwards where points do little but read x and another operand: where it stands just behind
    # one of them, and neither just behind it.
    return (just_behind(y, x) or just_behind(y, other)) and not (just_behind(x, y) or just_behind(other, y))


cdef inline void slope_block(real (*slope)(const real*, const void*, Py_ssize_t, Py_ssize_t) noexcept nogil, bint cheap,
                             real* y, const void* context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    # once for rows of bfloat16 and once for others, where the compiler knows which
    cdef Gradient own = (<const Gradient*>context)[0]
    if real is f32x:
        if own.bfloat16:
            own.bfloat16 = True
            map_bfloat16(slope, <uint16_t*>y, &own, start, n)
            return
    own.bfloat16 = False
    map_from(slope, y, y, cheap and from_the_end(y, own.x, own.grad), &own, start, n, own.streamed)


cdef void softmax_slope_block(real* y, const void* context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    slope_block(softmax_slope[real], True, y, context, start, n)


cdef void log_softmax_slope_block(real* y, const void* context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    slope_block(log_softmax_slope[real], False, y, context, start, n)


include "parts/softmax_backward_sums.pxi"


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


cdef void over_sums(const real* like, Exponents* rows, Py_ssize_t count, Py_ssize_t n, int threads,
                    bint safe) noexcept nogil:
    # the same, of rows whose largest are known
    cdef Gradient scaling[GROUP]
    cdef double scale
    cdef Py_ssize_t r
    for r in range(count):
        scaling[r] = Gradient(NULL, rows[r].y, rows[r].scale, 0.0, 1.0, False, False)
        # where the largest is infinite, or all are NaN
        if not fabs(rows[r].top) < INFINITY:
            if safe and nothing_left(like, &rows[r], n):
                rows[r].top = scaling[r].value = 0.0  # exponentials are then tiny numbers, which are multiplied by 0
                set_top(like, &rows[r])
            else:
                scaling[r].x, scaling[r].value = rows[r].x, NAN
    for r in range(count):
        if scaling[r].value == scaling[r].value:
            if scaling[r].value != 0.0:
                rows[r].least = least_of_zero(like, rows[r].more)
            scale = scaling[r].value / sum_row(all_block[real], like, &rows[r], n, threads).first
            scaling[r].value = rounded(like, scale)
            scaling[r].rest = scale - scaling[r].value if fabs(scaling[r].value) < INFINITY else 0.0
    for r in range(count):
        map_row(times_block[real], <real*>rows[r].y, &scaling[r], n, threads)


cdef void logsumexp(const real* like, Operands* p, Gradient* logs, Py_ssize_t rows, Py_ssize_t n, int threads,
                    double near) noexcept nogil:
    # log(sum(e^x)) of the first operands in two parts: the largest x, whose difference from itself is then exactly 0 in
    # log_softmax, and the logarithm relative to it
    cdef Exponents own[GROUP]
    cdef Py_ssize_t r
    for r in range(rows):
        own[r] = exponents_of(like, p[r][0], NULL, 1.0, 1.0)
    find_tops(like, own, rows, n, threads)
    logs_for(&logarithms, like).rows(like, own, rows, n, threads, near)
    for r in range(rows):
        logs[r] = Gradient(NULL, p[r][0], own[r].top, own[r].log_rest, 1.0, False, False)


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


include "parts/softmax_masked.pxi"


cdef void log_softmax_group(const real* like, Operands* p, Py_ssize_t rows, Py_ssize_t n, int threads, int manner,
                            bint safe) noexcept nogil:
    cdef Gradient logs[GROUP]
    cdef Py_ssize_t r
    logsumexp(like, p, logs, rows, n, threads, INFINITY)
    for r in range(rows):
        logs[r].streamed, logs[r].bfloat16 = manner & STREAMED, manner & NARROWED
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
    logsumexp(like, p, logs, rows, n, threads, NEAR)
    for r in range(rows):
        (<double*>p[r][1])[0] = logs[r].value + logs[r].rest


cdef void weighted_logsumexp_kernel(const real* like, Operands* p, Py_ssize_t rows, Py_ssize_t n, int threads,
                                    int manner) noexcept nogil:
    # x, b -> log|sum(b e^x)|, the sign of the sum
    cdef Weighted own
    cdef Py_ssize_t r
    for r in range(rows):
        own = weighted_of(p[r][0], p[r][1])
        if not quick_log(like, &own, n, threads, <double*>p[r][2]):
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
        own[r] = Gradient(p[r][0], p[r][1], 0.0, 0.0, (<double*>p[r][2])[0], manner & STREAMED,
                          manner & BFLOAT16_ROWS)
        own[r].value = sum_row(grad_y_block[real], like, &own[r], n, threads).first
    for r in range(rows):
        map_row(softmax_slope_block[real], <real*>p[r][3], &own[r], n, threads)


include "parts/softmax_backward_rows.pxi"


cdef void log_softmax_backward_kernel(const real* like, Operands* p, Py_ssize_t rows, Py_ssize_t n, int threads,
                                      int manner) noexcept nogil:
    # grad, y -> grad_x
    cdef Gradient own[GROUP]
    cdef Py_ssize_t r
    for r in range(rows):
        own[r] = Gradient(p[r][0], p[r][1], 0.0, 0.0, 1.0, manner & STREAMED, manner & BFLOAT16_ROWS)
        own[r].value = sum_row(grad_block[real], like, &own[r], n, threads).first
    for r in range(rows):
        map_row(log_softmax_slope_block[real], <real*>p[r][2], &own[r], n, threads)


include "parts/softmax_short_rows.pxi"
include "parts/softmax_columns.pxi"


# The gufuncs.

softmax_gufunc = with_columns(with_short_rows(along_axis(
    b"softmax", <void*>softmax_kernel[f32x], <void*>softmax_kernel[f64x], b"r", b"r", b"exp(x) / sum(exp(x))"),
    <void*>short_softmax_kernel[f32x], <void*>short_softmax_kernel[f64x]),
    <void*>softmax_columns[f32x], <void*>softmax_columns[f64x], 32)
softmin_gufunc = with_columns(along_axis(
    b"softmin", <void*>softmin_kernel[f32x], <void*>softmin_kernel[f64x], b"r", b"r", b"exp(-x) / sum(exp(-x))"),
    <void*>softmin_columns[f32x], <void*>softmin_columns[f64x], 0)
scaled_softmax_gufunc = with_columns(along_axis(
    b"scaled_softmax", <void*>scaled_softmax_kernel[f32x], <void*>scaled_softmax_kernel[f64x], b"rs", b"r",
    b"x, scale -> scale softmax(x)"), <void*>scaled_softmax_columns[f32x], <void*>scaled_softmax_columns[f64x], 32)
masked_softmax_gufunc = with_short_rows(along_axis(
    b"masked_softmax", <void*>masked_softmax_kernel[f32x], <void*>masked_softmax_kernel[f64x], b"rss", b"r",
    b"x, scale, count -> softmax(x scale) of the first count, and 0"),
    <void*>short_masked_kernel[f32x], <void*>short_masked_kernel[f64x])
masked_softmax_where_gufunc = with_short_rows(along_axis(
    b"masked_softmax_where", <void*>masked_softmax_where_kernel[f32x], <void*>masked_softmax_where_kernel[f64x],
    b"rbss", b"r", b"x, mask, scale, count -> softmax(x scale where mask) of the first count, and 0"),
    <void*>short_masked_where_kernel[f32x], <void*>short_masked_where_kernel[f64x])
masked_softmax_plus_gufunc = with_short_rows(along_axis(
    b"masked_softmax_plus", <void*>masked_softmax_plus_kernel[f32x], <void*>masked_softmax_plus_kernel[f64x], b"rrss",
    b"r", b"x, mask, scale, count -> softmax(x scale + mask) of the first count, and 0"),
    <void*>short_masked_plus_kernel[f32x], <void*>short_masked_plus_kernel[f64x])
log_softmax_gufunc = narrowing(more_filled(row_by_row(without_copies(with_columns(with_short_rows(along_axis(
    b"log_softmax", <void*>log_softmax_kernel[f32x], <void*>log_softmax_kernel[f64x], b"r", b"r",
    b"x - log(sum(exp(x)))"),
    <void*>short_log_softmax_kernel, <void*>turned_log_softmax_kernel),
    <void*>log_softmax_columns[f32x], <void*>log_softmax_columns[f64x], 112), MOST_REGISTERS))))
logsumexp_gufunc = without_copies(with_columns(with_short_rows(along_axis(
    b"logsumexp", <void*>logsumexp_kernel[f32x], <void*>logsumexp_kernel[f64x], b"r", b"s", b"log(sum(exp(x)))"),
    <void*>short_logsumexp_kernel[f32x], <void*>short_logsumexp_kernel[f64x]),
    <void*>logsumexp_columns[f32x], <void*>logsumexp_columns[f64x], 112), MOST_REGISTERS)
safe_softmax_gufunc = with_columns(along_axis(
    b"safe_softmax", <void*>safe_softmax_kernel[f32x], <void*>safe_softmax_kernel[f64x], b"rss", b"r",
    b"x, sign, scale -> scale softmax(sign x), zeros where all of sign x is -inf"),
    <void*>safe_softmax_columns[f32x], <void*>safe_softmax_columns[f64x], 0)
safe_log_softmax_gufunc = without_copies(with_columns(along_axis(
    b"safe_log_softmax", <void*>safe_log_softmax_kernel[f32x], <void*>safe_log_softmax_kernel[f64x], b"r", b"r",
    b"x - log(sum(exp(x))), -inf where all of x is"),
    <void*>log_softmax_columns[f32x], <void*>log_softmax_columns[f64x], 0), MOST_REGISTERS)
weighted_logsumexp_gufunc = along_axis(
    b"weighted_logsumexp", <void*>weighted_logsumexp_kernel[f32x], <void*>weighted_logsumexp_kernel[f64x], b"rr", b"ss",
    b"x, b -> log(abs(sum(b exp(x)))), sign")
weighted_logsumexp_backward_gufunc = along_axis(
    b"weighted_logsumexp_backward", <void*>weighted_logsumexp_backward_kernel[f32x],
    <void*>weighted_logsumexp_backward_kernel[f64x], b"rrs", b"r", b"x, b, grad -> grad b exp(x) / sum(b exp(x))")
softmax_backward_gufunc = with_all_rows(without_copies(taking_bfloat16(with_columns(with_short_rows(along_axis(
    b"softmax_backward", <void*>softmax_backward_kernel[f32x], <void*>softmax_backward_kernel[f64x], b"rrs", b"r",
    b"grad, y, sign -> y (grad - sum(grad y)) sign"),
    <void*>short_softmax_backward_kernel[f32x], <void*>short_softmax_backward_kernel[f64x]),
    <void*>softmax_backward_columns[f32x], <void*>softmax_backward_columns[f64x], 0), STANDING), WIDE),
    <void*>softmax_backward_all_rows[f32x], <void*>softmax_backward_all_rows[f64x])
log_softmax_backward_gufunc = without_copies(taking_bfloat16(with_columns(with_short_rows(along_axis(
    b"log_softmax_backward", <void*>log_softmax_backward_kernel[f32x], <void*>log_softmax_backward_kernel[f64x], b"rr",
    b"r", b"grad, y -> grad - exp(y) sum(grad)"),
    <void*>short_log_softmax_backward_kernel[f32x], <void*>short_log_softmax_backward_kernel[f64x]),
    <void*>log_softmax_backward_columns[f32x], <void*>log_softmax_backward_columns[f64x], 0), SHORT + 1), WIDE)
for backward in softmax_backward_gufunc, log_softmax_backward_gufunc:
    taking_narrow_columns(backward, APART)


include "parts/softmax_doors.pxi"
