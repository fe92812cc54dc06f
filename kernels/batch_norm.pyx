# Batch norm: the statistics of channels, the affine map, and the gradients. A segment is what one example holds of one
# channel. Where that is one number, examples are rows of all channels, and a register holds neighbouring channels:
# parts/batch_norm_columns.pxi. Which rows, dtypes and strides is loops/rows.pxd; the order of sums is
# loops/reductions.pxd; what axes mean is pylib/functions/channel_norms.py.
#
# Where squares, differences or reciprocals would leave the exponent range, a channel is multiplied by a power of two
# first, its scale; mean and rstd are then those of x * scale. rowwise/exponent_range.pxd says which channels these are.
from libc.math cimport INFINITY, fabs, ldexp, sqrt
from libc.stdint cimport uint16_t, uint32_t, uintptr_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

cimport numpy as np

from .lanes cimport (
    F32_LANES, F64_LANES, add_product_f64, any_count, enter_environment, environment, f32x, f64x, fma,
    leave_environment, load_f64, narrow_f64_f32, real, splat, splat_f32, splat_f64, store_f64,
    store_part_f64, two_sum, wide_f32,
)
from .loops.columns cimport HALVES, add_widened
from .loops.dtypes cimport BFLOAT16, FLOAT16, FLOAT32, FLOAT64, Dtype, is_short, size_of
from .loops.operations cimport (
    GROUP, MAX_ROW_OPERANDS, SHORT_ROWS, STREAMED, Operand, Operands, Operation, Pass, along_axis, group_kernel,
    loop_function, on_matrices, operations_of, pass_function, row_machine, with_short_rows,
)
from .loops.plain_arrays cimport is_like, meet, takes_place
from .loops.reductions cimport (
    BLOCK, FOLD, FOLDED_PARTS, FOLDED_SUMS, FOLDED_TERMS, PARTS, STRIP, SUMS, Pair, add_both, add_element,
    add_float_terms, add_folds, add_more_terms, add_pairs, add_plain_terms, add_strip, both_with_losses, element,
    end_fold, end_losses, first_lanes, halve_strip, load_short, map_block, map_rarely, map_row, map_shorts,
    put_element, rounded, row_context, store_short_pair, sum_block, sum_long_block, sum_row, sum_values, take,
    take_of, tree, wide, with_losses,
)
from .loops.registers cimport LINE, PAGE, ends_lines, head, lanes, load, skip, store, store_part, stream
from .loops.rows cimport CHUNKS, has_memory, lay_out, set_chunks, set_workers, whole
from .loops.short_rows cimport add_short, added_totals, map_short, put_numbers, short_means
from .loops.threads cimport THREAD_MIN, run_chunks, thread_count
from .loops.tiles cimport PADDING, TILE, own_dtype, put_row, take_row
from .loops.ufuncs cimport NPY_HALF, bfloat16_number
from .rowwise.exponent_range cimport ordinary, reciprocal_square_root, rescue_scale, statistics_scale

np.import_array()
np.import_ufunc()

cdef enum:
    WIDENED = 1024  # elements of 16 bits at a time

cdef struct Segment:
    const void* grad
    const void* x
    double mean
    double mean_rest  # the rounding error of `mean`, which has the segment's precision
    double rstd
    double scale
    double weight
    double bias
    double grad_mean
    double grad_normed_mean
    bint streamed
    Dtype dtype  # of grad and x, in sums
    bint goes_on  # whether a register can be read from any element of theirs on


cdef inline void set_mean(const real* like, Segment* segment, double mean) noexcept nogil:
    segment.mean = rounded(like, mean)
    segment.mean_rest = mean - segment.mean


# The sums, in float64.

cdef inline void add_centred(const real* like, const void* context, Py_ssize_t i, Py_ssize_t n,
                             f64x* sums) noexcept nogil:
    cdef f64x x = wide(<const real*>(<const Segment*>context).x, i, n) * splat_f64((<const Segment*>context).scale)
    x = x - first_lanes(splat_f64((<const Segment*>context).mean), n)
    sums[0] = add_product_f64(x, splat_f64(1.0), sums[0])
    sums[1] = fma(x, x, sums[1])


cdef inline void add_grads(const real* like, const void* context, Py_ssize_t i, Py_ssize_t n,
                           f64x* sums) noexcept nogil:
    cdef const Segment* segment = <const Segment*>context
    cdef f64x grad = wide(<const real*>segment.grad, i, n)
    cdef f64x x = (wide(<const real*>segment.x, i, n) - splat_f64(segment.mean)) - splat_f64(segment.mean_rest)
    sums[0] = sums[0] + grad
    # lanes without an element hold 0 - mean here, which must not meet an infinite rstd
    sums[1] = sums[1] + grad * first_lanes(x * splat_f64(segment.rstd), n)


cdef inline void add_value(const real* like, const void* context, Py_ssize_t i, Py_ssize_t n,
                           f64x* sums) noexcept nogil:
    cdef const Segment* segment = <const Segment*>context
    sums[0] = sums[0] + wide(<const real*>segment.x, i, n) * splat_f64(segment.scale)


# An ordinary segment's context is copied, with a scale of 1, so that the compiler leaves out the product with it.

cdef Pair centred(const real* like, const void* context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    cdef Segment own = (<const Segment*>context)[0]
    own.scale = 1.0
    return sum_block(add_centred[real], 2, like, &own, start, n)


cdef Pair scaled_centred(const real* like, const void* context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    cdef Segment own = (<const Segment*>context)[0]
    return sum_long_block(add_centred[real], 2, like, &own, start, n)


cdef Pair scaled_values(const real* like, const void* context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    cdef Segment own = (<const Segment*>context)[0]
    return sum_long_block(add_value[real], 1, like, &own, start, n)


cdef Pair moments(const real* like, const void* x, double scale, Py_ssize_t n, int threads) noexcept nogil:
    # mean and variance of x * scale, in two passes; the second corrects the mean
    cdef Segment segment
    cdef Pair sums
    segment.x, segment.scale = x, scale
    if scale == 1.0:
        segment.mean = sum_values(<const real*>x, n, threads) / n
        sums = sum_row(centred[real], like, &segment, n, threads)
    else:
        segment.mean = sum_row(scaled_values[real], like, &segment, n, threads).first / n
        sums = sum_row(scaled_centred[real], like, &segment, n, threads)
    sums.first /= n
    return Pair(segment.mean + sums.first, sums.second / n - sums.first * sums.first)


# The maps.

cdef inline real affine_of(Dtype dtype, const real* like, const Segment* segment, Py_ssize_t i,
                           Py_ssize_t n) noexcept nogil:
    # (x - mean) * rstd * weight + bias
    cdef real x = take_of(dtype, <const real*>segment.x, i, n)
    x = x * splat(x, segment.scale)
    x = (x - splat(x, segment.mean)) - splat(x, segment.mean_rest)
    return fma(x * splat(x, segment.rstd), splat(x, segment.weight), splat(x, segment.bias))


cdef inline real slope_of(Dtype dtype, const real* like, const Segment* segment, Py_ssize_t i,
                          Py_ssize_t n) noexcept nogil:
    # (grad - grad_mean - normed * grad_normed_mean) * rstd * weight
    cdef real grad = take_of(dtype, <const real*>segment.grad, i, n), x = take_of(dtype, <const real*>segment.x, i, n)
    x = x * splat(x, segment.scale)
    x = ((x - splat(x, segment.mean)) - splat(x, segment.mean_rest)) * splat(x, segment.rstd)
    grad = fma(-x, splat(x, segment.grad_normed_mean), grad - splat(x, segment.grad_mean))
    return grad * splat(x, segment.rstd) * splat(x, segment.weight) * splat(x, segment.scale)


cdef inline real affine(const real* like, const void* segment, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    return affine_of(own_dtype(like), like, <const Segment*>segment, i, n)


cdef inline real slope(const real* like, const void* segment, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    return slope_of(own_dtype(like), like, <const Segment*>segment, i, n)


cdef void affine_block(real* y, const void* context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    cdef Segment own = (<const Segment*>context)[0]
    own.scale = 1.0
    map_block(affine[real], y, &own, start, n, own.streamed)


cdef void scaled_affine_block(real* y, row_context context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    map_rarely(affine[real], y, context, start, n)


cdef void slope_block(real* y, const void* context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    cdef Segment own = (<const Segment*>context)[0]
    own.scale = 1.0
    map_block(slope[real], y, &own, start, n, own.streamed)


cdef void scaled_slope_block(real* y, row_context context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    map_rarely(slope[real], y, context, start, n)


# The gufuncs.

cdef void moments_kernel(const real* like, Operands* p, Py_ssize_t rows, Py_ssize_t n, int threads,
                         int manner) noexcept nogil:
    # x, scale -> mean, variance
    cdef Pair found
    cdef Py_ssize_t r
    for r in range(rows):
        found = moments(like, p[r][0], (<double*>p[r][1])[0], n, threads)
        (<double*>p[r][2])[0], (<double*>p[r][3])[0] = found.first, found.second


cdef inline void put_affine(const real* like, Segment* segment, void* y, Py_ssize_t n, int threads) noexcept nogil:
    if segment.scale == 1.0:
        map_row(affine_block[real], <real*>y, segment, n, threads)
    else:
        map_row(scaled_affine_block[real], <real*>y, segment, n, threads)


cdef void affine_kernel(const real* like, Operands* p, Py_ssize_t rows, Py_ssize_t n, int threads,
                        int manner) noexcept nogil:
    # x, mean, rstd, scale, weight, bias -> y
    cdef Segment segment
    cdef Py_ssize_t r
    for r in range(rows):
        segment.x, segment.streamed = p[r][0], manner & STREAMED
        set_mean(like, &segment, (<double*>p[r][1])[0])
        segment.rstd, segment.scale = (<double*>p[r][2])[0], (<double*>p[r][3])[0]
        segment.weight, segment.bias = (<double*>p[r][4])[0], (<double*>p[r][5])[0]
        put_affine(like, &segment, p[r][6], n, threads)


cdef void slope_kernel(const real* like, Operands* p, Py_ssize_t rows, Py_ssize_t n, int threads,
                       int manner) noexcept nogil:
    # grad, x, mean, rstd, scale, weight, mean(grad), mean(grad * normed) -> grad_x
    cdef Segment segment
    cdef Py_ssize_t r
    for r in range(rows):
        segment.grad, segment.x, segment.streamed = p[r][0], p[r][1], manner & STREAMED
        set_mean(like, &segment, (<double*>p[r][2])[0])
        segment.rstd, segment.scale = (<double*>p[r][3])[0], (<double*>p[r][4])[0]
        segment.weight = (<double*>p[r][5])[0]
        segment.grad_mean, segment.grad_normed_mean = (<double*>p[r][6])[0], (<double*>p[r][7])[0]
        if segment.scale == 1.0:
            map_row(slope_block[real], <real*>p[r][8], &segment, n, threads)
        else:
            map_row(scaled_slope_block[real], <real*>p[r][8], &segment, n, threads)


cdef void total_kernel(const real* like, Operands* p, Py_ssize_t rows, Py_ssize_t n, int threads,
                       int manner) noexcept nogil:
    # x -> sum(x)
    cdef Py_ssize_t r
    for r in range(rows):
        (<double*>p[r][1])[0] = sum_values(<const real*>p[r][0], n, threads)


include "parts/batch_norm_sums.pxi"
include "parts/batch_norm_guess.pxi"
include "parts/batch_norm_short_rows.pxi"
include "parts/batch_norm_short_floats.pxi"


moments_gufunc = with_short_rows(
    along_axis(b"moments", <void*>moments_kernel[f32x], <void*>moments_kernel[f64x], b"rs", b"ss",
               b"x, scale -> mean, variance"),
    <void*>short_moments_kernel[f32x], <void*>short_moments_kernel[f64x])
affine_gufunc = with_short_rows(
    along_axis(b"affine", <void*>affine_kernel[f32x], <void*>affine_kernel[f64x], b"rsssss", b"r",
               b"x, mean, rstd, scale, weight, bias -> y"),
    <void*>short_affine_kernel[f32x], <void*>short_affine_kernel[f64x])
sums_gufunc = on_matrices(
    b"batch_sums", NULL, NULL, b"mmddd", b"dd", b"grad, x, mean, rstd, scale -> sum(grad), sum(grad * normed)",
    <void*>sums_loop, <void*>sums_loop)
batch_moments_gufunc = on_matrices(
    b"batch_moments", NULL, NULL, b"md", b"dd", b"x, scale -> mean, variance", <void*>batch_moments_loop,
    <void*>batch_moments_loop)
slope_gufunc = with_short_rows(
    along_axis(b"batch_slope", <void*>slope_kernel[f32x], <void*>slope_kernel[f64x], b"rrssssss", b"r",
               b"grad, x, mean, rstd, scale, weight, mean(grad), mean(grad * normed) -> grad_x"),
    <void*>short_slope_kernel[f32x], <void*>short_slope_kernel[f64x])
total_gufunc = with_short_rows(
    along_axis(b"total", <void*>total_kernel[f32x], <void*>total_kernel[f64x], b"r", b"s", b"sum(x)"),
    <void*>short_total_kernel[f32x], <void*>short_total_kernel[f64x])


include "parts/batch_norm_columns_rows.pxi"
include "parts/batch_norm_columns.pxi"
include "parts/batch_norm_columns_statistics.pxi"


include "parts/batch_norm_arrays.pxi"


cdef int no_memory(str name, str what, Py_ssize_t size) except -1:
    raise MemoryError(f"{name}: no memory for {what}, {size} bytes")


include "parts/batch_norm_at_once.pxi"


include "parts/batch_norm_doors.pxi"
