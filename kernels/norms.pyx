# Norms of a row, forward and backward: rms_norm, layer_norm, add_rms_norm. The gradients of a few rows are
# rowwise/norm_groups.pxd; which rows, dtypes and strides is loops/rows.pxd; the order
# of the sums is loops/reductions.pxd.
#
# Bytes: rms_norm reads its row once for the statistic (a sum of squares) and once to scale it. layer_norm reads it for
# the statistics and once to scale it: twice in two passes (the mean, then centred squares), once in one pass (Welford's
# and Chan's), once from a guess of the mean, and another time where that was poor. A row that fits the first-level
# cache comes from memory once; a row beyond the second-level cache comes two or three times. Backward, grad and x are
# read once for the two sums of the row and once, from the first-level cache, for the gradients.
from libc.math cimport INFINITY, fabs, ldexp, sqrt
from libc.stdint cimport uint16_t, uintptr_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

cimport numpy as np

from .lanes cimport (
    F32_LANES, F64_LANES, add_product_f64, all_less_f64, any_count, called, end_stream, enter_environment, environment,
    f32x, f64x, fma, leave_environment, load_f32, load_f64, magnitude_f64, narrow_f64_f32, narrow_halves, real, splat,
    splat_f32, splat_f64, square_root_f64, store_f32, store_f64, wide_f32,
)
from .loops.columns cimport HALVES, MOST_HALVES, MOST_LANES, fold_columns, narrowed_parts, wide_halves
from .loops.dtypes cimport BFLOAT16, FLOAT16, FLOAT32, FLOAT64, Dtype, is_short, size_of
from .loops.plain_arrays cimport data_of, is_like, meet, takes_place
from .loops.reductions cimport (
    BLOCK, FOLDED_PARTS, FOLDED_SUMS, FOLDED_TERMS, Pair, add_compensated, add_element, add_float_terms, add_parts,
    element, end_fold, fill, first_lanes, fold_block, fold_element, fold_values, halved, load_short, map_block,
    map_pair, map_rarely, map_row, map_shorts, merge_row, plus, put_element, rounded, row_context, sum_block,
    sum_either, sum_long_block, sum_row, sum_values, take, take_of, tree, wide, with_losses,
)
from .loops.operations cimport (
    BEGINS, FROM_MEMORY, GROUP, SHORT, SHORT_GROUPS, SHORT_ROWS, STREAMED, Operands, Operation, RowMachine, along_axis,
    group_kernel, group_of, loop_function, on_matrices, operations_of, row_machine, run_groups, short_kernel,
    with_all_rows, with_short_rows,
)
from .loops.registers cimport STREAM_BYTES, itemsize, lanes, skip, store
from .loops.short_rows cimport (
    add_halves, add_short, fold_short, map_short, put_numbers, short_means, short_totals, sum_short, take_numbers,
)
from .loops.threads cimport THREAD_MIN, run_chunks, thread_count
from .loops.tiles cimport PADDING, own_dtype, put_row, take_row, turn, turn_back
from .loops.ufuncs cimport NPY_HALF, bfloat16_number
from .rowwise.exponent_range cimport all_ordinary, ordinary, reciprocal_square_root, rescue_scale
from .rowwise.norm_groups cimport STREAMED_BYTES, group_backward, short_groups_backward
from .rowwise.norm_terms cimport (
    GRAD_MEAN, GRAD_NORMED_MEAN, MEAN, MEAN_REST, RSTD, SCALE, WEIGHT, Group, add_terms as wide_term,
    add_terms_of, deviations, know, know_rest, known, normed_of, set_statistics, terms,
)

np.import_array()
np.import_ufunc()

cdef const RowMachine* machine = row_machine()

cdef enum Algorithm:
    GUESS
    TWO_PASSES
    ONE_PASS

cdef enum:
    GUESSED = 128  # a mean is guessed from so many elements at the start of its row
    MOST_LAYER = 1024  # elements of rows at most of which the first-level cache holds SHORT_ROWS, or nearly

cdef struct Norm:
    const void* x
    void* y
    const void* weight
    const void* bias
    double mean
    double mean_rest  # the rounding error of `mean`, which has the row's precision
    double eps
    double rstd
    double scale  # the power of two that the row is multiplied by: 1 but for rows near the ends of the exponent range
    bint streamed


include "parts/norms_statistics.pxi"


# The outputs.

cdef inline real weighted(const void* weight, const void* bias, real y, const real* like, Py_ssize_t i,
                          Py_ssize_t n) noexcept nogil:
    if bias != NULL and weight != NULL:
        return fma(y, take(<const real*>weight, i, n), take(<const real*>bias, i, n))
    if weight != NULL:
        return y * take(<const real*>weight, i, n)
    if bias != NULL:
        return y + take(<const real*>bias, i, n)
    return y


cdef inline real rms_point(const real* like, const void* context, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    # x * rstd * weight
    cdef const Norm* norm = <const Norm*>context
    cdef real x = take(<const real*>norm.x, i, n)
    x = x * splat(x, norm.scale)
    x = fma(x, splat(x, norm.rstd), x * splat(x, lost(like, norm.rstd)))
    return weighted(norm.weight, NULL, x, like, i, n)


cdef inline real layer_normed(real x, real mean, real rest, real rstd, real rstd_rest) noexcept nogil:
    # (x - mean - mean_rest) * rstd, of rest = -mean_rest * rstd; x - mean is exact where they are close, mean_rest half
    # its last bit
    x = x - mean
    return fma(x, rstd, fma(x, rstd_rest, rest))


cdef inline real layer_point(const real* like, const void* context, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    # that * weight + bias
    cdef const Norm* norm = <const Norm*>context
    cdef real x = take(<const real*>norm.x, i, n), rstd = splat(x, norm.rstd)
    x = layer_normed(x * splat(x, norm.scale), splat(x, norm.mean), splat(x, -norm.mean_rest) * rstd, rstd,
                     splat(x, lost(like, norm.rstd)))
    return weighted(norm.weight, norm.bias, x, like, i, n)


cdef inline real sum_point(const real* like, const void* context, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    cdef const Norm* norm = <const Norm*>context
    return take(<const real*>norm.x, i, n) + take(<const real*>norm.bias, i, n)


cdef void sum_of_rows_block(real* y, row_context context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    map_block(sum_point[real], y, context, start, n, False)


cdef void rms_block(real* y, const void* context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    cdef Norm norm = (<const Norm*>context)[0]
    norm.scale = 1.0
    map_block(rms_point[real], y, &norm, start, n, norm.streamed)


cdef void layer_block(real* y, const void* context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    cdef Norm norm = (<const Norm*>context)[0]
    norm.scale = 1.0
    map_block(layer_point[real], y, &norm, start, n, norm.streamed)


cdef inline bint places_alike(const void* y, const void* other, const real* like) noexcept nogil:
    # whether both stand equally far from a register's boundary
    return <uintptr_t>y % sizeof(real) == <uintptr_t>other % sizeof(real)


cdef inline bint paired(const Norm* first, const Norm* second) noexcept nogil:
    # whether two rows are written together: their weight and bias are the same, and then loaded once
    return (first.weight != NULL and first.weight == second.weight and first.bias == second.bias
            and not first.streamed and first.scale == 1.0 and second.scale == 1.0)


cdef void layer_pair(const real* like, const Norm* first, const Norm* second, Py_ssize_t n) noexcept nogil:
    # copies, from which the compiler sees that scales are 1 and that both rows have one weight and one bias
    cdef Norm one = first[0], two = second[0]
    one.scale = two.scale = 1.0
    two.weight, two.bias = one.weight, one.bias
    map_pair(layer_point[real], <real*>one.y, &one, <real*>two.y, &two, n, False)


cdef void scaled_rms_block(real* y, row_context context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    map_rarely(rms_point[real], y, context, start, n)


cdef void scaled_layer_block(real* y, row_context context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    map_rarely(layer_point[real], y, context, start, n)


# A few rows: each statistic of all of them, then all outputs. The processor begins the next row's sum while it still
# waits for the last additions of this one.

cdef void rms_rows(const real* like, Norm* norms, Py_ssize_t rows, Py_ssize_t n, int threads) noexcept nogil:
    cdef Py_ssize_t r
    for r in range(rows):
        find_rms_rstd(like, &norms[r], n, threads)
    for r in range(rows):
        if norms[r].scale == 1.0:
            map_row(rms_block[real], <real*>norms[r].y, &norms[r], n, threads)
        else:
            map_row(scaled_rms_block[real], <real*>norms[r].y, &norms[r], n, threads)


cdef inline void layer_rows(const real* like, Norm* norms, Py_ssize_t rows, Py_ssize_t n, int threads, int manner,
                            Algorithm algorithm) noexcept nogil:
    cdef Norm* order[GROUP]
    cdef Py_ssize_t r
    layer_statistics(like, norms, rows, n, threads, algorithm)
    for r in range(rows):
        order[r] = &norms[r]
    if rows == GROUP and places_alike(norms[0].y, norms[2].y, like) and not places_alike(norms[0].y, norms[1].y, like):
        order[1], order[2] = order[2], order[1]  # so that registers begin at boundaries of both rows of a pair
    r = 0
    while r < rows:
        if r + 1 < rows and not manner & FROM_MEMORY and paired(order[r], order[r + 1]):
            layer_pair(like, order[r], order[r + 1], n)
            r += 1
        elif order[r].scale == 1.0:
            map_row(layer_block[real], <real*>order[r].y, order[r], n, threads)
        else:
            map_row(scaled_layer_block[real], <real*>order[r].y, order[r], n, threads)
        r += 1


cdef void layer_statistics(const real* like, Norm* norms, Py_ssize_t rows, Py_ssize_t n, int threads,
                           Algorithm algorithm) noexcept nogil:
    cdef bint guess = algorithm == GUESS and n > GUESSED
    cdef double square[GROUP]
    cdef Py_ssize_t r
    if algorithm == ONE_PASS:
        for r in range(rows):
            find_one_pass_rstd(like, &norms[r], n, threads)
        return
    for r in range(rows):  # one row's need not wait for another's
        if guess:
            guess_mean(like, &norms[r])
        else:
            find_mean(like, &norms[r], n, threads)
    for r in range(rows):
        square[r] = centred_square(like, &norms[r], n, threads, guess, centred[real])
    for r in range(rows):
        find_layer_rstd(like, &norms[r], square[r], n, threads)


cdef inline double mean_of(const Norm* norm) noexcept nogil:
    if norm.mean_rest != norm.mean_rest:  # as split_mean has it, whatever the order of an addition
        return -norm.mean_rest
    return (norm.mean + norm.mean_rest) / norm.scale


cdef inline double rstd_of(const Norm* norm) noexcept nogil:
    return norm.rstd * norm.scale


# The kernels: x, weight, [bias,] eps -> y, [mean,] rstd.

cdef void rms_kernel(const real* like, Operands* p, Py_ssize_t rows, Py_ssize_t n, int threads,
                     int manner) noexcept nogil:
    cdef Norm norms[GROUP]
    cdef Py_ssize_t r
    for r in range(rows):
        norms[r] = Norm(p[r][0], p[r][3], p[r][1], NULL, 0.0, 0.0, (<double*>p[r][2])[0], 0.0, 1.0,
                        manner & STREAMED)
    rms_rows(like, norms, rows, n, threads)
    for r in range(rows):
        (<double*>p[r][4])[0] = rstd_of(&norms[r])


cdef void add_rms_kernel(const real* like, Operands* p, Py_ssize_t rows, Py_ssize_t n, int threads,
                         int manner) noexcept nogil:
    # x, residual, weight, eps -> y, x + residual, rstd. The sum is still in the cache when it is read again.
    cdef Norm norms[GROUP]
    cdef Py_ssize_t r
    for r in range(rows):
        norms[r] = Norm(p[r][0], NULL, NULL, p[r][1], 0.0, 0.0, 0.0, 0.0, 1.0, False)
        map_row(sum_of_rows_block[real], <real*>p[r][5], &norms[r], n, threads)
        norms[r] = Norm(p[r][5], p[r][4], p[r][2], NULL, 0.0, 0.0, (<double*>p[r][3])[0], 0.0, 1.0,
                        manner & STREAMED)
    rms_rows(like, norms, rows, n, threads)
    for r in range(rows):
        (<double*>p[r][6])[0] = rstd_of(&norms[r])


cdef void layer_group(const real* like, Operands* p, Py_ssize_t rows, Py_ssize_t n, int threads, int manner,
                      Algorithm algorithm) noexcept nogil:
    cdef Norm norms[GROUP]
    cdef Py_ssize_t r
    for r in range(rows):
        norms[r] = Norm(p[r][0], p[r][4], p[r][1], p[r][2], 0.0, 0.0, (<double*>p[r][3])[0], 0.0, 1.0,
                        manner & STREAMED)
    layer_rows(like, norms, rows, n, threads, manner, algorithm)
    for r in range(rows):
        (<double*>p[r][5])[0] = mean_of(&norms[r])
        (<double*>p[r][6])[0] = rstd_of(&norms[r])


cdef void layer_kernel(const real* like, Operands* p, Py_ssize_t rows, Py_ssize_t n, int threads,
                       int manner) noexcept nogil:
    layer_group(like, p, rows, n, threads, manner, GUESS)


cdef void two_pass_kernel(const real* like, Operands* p, Py_ssize_t rows, Py_ssize_t n, int threads,
                          int manner) noexcept nogil:
    layer_group(like, p, rows, n, threads, manner, TWO_PASSES)


cdef void one_pass_kernel(const real* like, Operands* p, Py_ssize_t rows, Py_ssize_t n, int threads,
                          int manner) noexcept nogil:
    layer_group(like, p, rows, n, threads, manner, ONE_PASS)


cdef void rms_stats_kernel(const real* like, Operands* p, Py_ssize_t rows, Py_ssize_t n, int threads,
                           int manner) noexcept nogil:
    cdef Norm norm
    cdef Py_ssize_t r
    for r in range(rows):
        norm = Norm(p[r][0], NULL, NULL, NULL, 0.0, 0.0, (<double*>p[r][1])[0], 0.0, 1.0, False)
        find_rms_rstd(like, &norm, n, threads)
        (<double*>p[r][2])[0] = rstd_of(&norm)


cdef void layer_stats_kernel(const real* like, Operands* p, Py_ssize_t rows, Py_ssize_t n, int threads,
                             int manner) noexcept nogil:
    cdef Norm norms[GROUP]
    cdef Py_ssize_t r
    for r in range(rows):
        norms[r] = Norm(p[r][0], NULL, NULL, NULL, 0.0, 0.0, (<double*>p[r][1])[0], 0.0, 1.0, False)
    layer_statistics(like, norms, rows, n, threads, GUESS)
    for r in range(rows):
        (<double*>p[r][2])[0] = mean_of(&norms[r])
        (<double*>p[r][3])[0] = rstd_of(&norms[r])


# Backward.

cdef void backward_group(const real* like, Operands* p, Py_ssize_t rows, Py_ssize_t n, int threads, int manner,
                         bint centred) noexcept nogil:
    # grad, x, weight, [mean,] rstd -> grad_x, grad_weight[, grad_bias]
    cdef Group group
    cdef int rstd = 4 if centred else 3
    cdef Py_ssize_t r
    group.weight, group.grad_weight, group.grad_bias = p[0][2], p[0][rstd + 2], p[0][rstd + 3] if centred else NULL
    group.alone, group.rows, group.n, group.centred = manner & BEGINS, rows, n, centred
    group.from_memory = manner & FROM_MEMORY
    group.streamed = manner & STREAMED and n * itemsize(like) >= STREAMED_BYTES
    for r in range(rows):
        group.grad[r], group.x[r], group.grad_x[r] = p[r][0], p[r][1], p[r][rstd + 1]
        set_statistics(like, &group, r, (<double*>p[r][3])[0] if centred else 0.0, (<double*>p[r][rstd])[0])
    group_backward(like, &group, threads)


cdef void rms_backward_kernel(const real* like, Operands* p, Py_ssize_t rows, Py_ssize_t n, int threads,
                              int manner) noexcept nogil:
    backward_group(like, p, rows, n, threads, manner, False)


cdef void layer_backward_kernel(const real* like, Operands* p, Py_ssize_t rows, Py_ssize_t n, int threads,
                                int manner) noexcept nogil:
    backward_group(like, p, rows, n, threads, manner, True)


include "parts/norms_short_rows.pxi"


# The gufuncs.

rms_norm_gufunc = with_short_rows(along_axis(
    b"rms_norm", <void*>rms_kernel[f32x], <void*>rms_kernel[f64x], b"rvs", b"rs",
    b"x / sqrt(mean(x^2) + eps) * weight"), <void*>short_rms_kernel[f32x], <void*>short_rms_kernel[f64x])
add_rms_norm_gufunc = with_short_rows(along_axis(
    b"add_rms_norm", <void*>add_rms_kernel[f32x], <void*>add_rms_kernel[f64x], b"rrvs", b"rrs",
    b"h = x + residual, h / sqrt(mean(h^2) + eps) * weight and h"),
    <void*>short_add_rms_kernel[f32x], <void*>short_add_rms_kernel[f64x])
rms_stats_gufunc = with_short_rows(along_axis(
    b"rms_stats", <void*>rms_stats_kernel[f32x], <void*>rms_stats_kernel[f64x], b"rs", b"s",
    b"1 / sqrt(mean(x^2) + eps)"), <void*>short_rms_stats_kernel[f32x], <void*>short_rms_stats_kernel[f64x])
layer_stats_gufunc = with_short_rows(along_axis(
    b"layer_stats", <void*>layer_stats_kernel[f32x], <void*>layer_stats_kernel[f64x], b"rs", b"ss",
    b"mean, 1 / sqrt(variance + eps)"), <void*>short_layer_stats_kernel[f32x], <void*>short_layer_stats_kernel[f64x])
layer_norm_gufunc = with_all_rows(with_short_rows(along_axis(
    b"layer_norm", <void*>layer_kernel[f32x], <void*>layer_kernel[f64x], b"rvvs", b"rss",
    b"(x - mean) / sqrt(variance + eps) * weight + bias, the mean guessed and made good"),
    <void*>short_layer_kernel[f32x], <void*>short_layer_kernel[f64x]), <void*>layer_all_rows, NULL)
layer_norm_two_pass_gufunc = along_axis(
    b"layer_norm_two_pass", <void*>two_pass_kernel[f32x], <void*>two_pass_kernel[f64x], b"rvvs", b"rss",
    b"as layer_norm, the row read twice for its statistics")
layer_norm_one_pass_gufunc = along_axis(
    b"layer_norm_one_pass", <void*>one_pass_kernel[f32x], <void*>one_pass_kernel[f64x], b"rvvs", b"rss",
    b"as layer_norm, the row read once for its statistics")
rms_norm_backward_gufunc = with_short_rows(along_axis(
    b"rms_norm_backward", <void*>rms_backward_kernel[f32x], <void*>rms_backward_kernel[f64x], b"rrvs", b"ra",
    b"grad, x, weight, rstd -> grad_x, grad_weight"),
    <void*>short_rms_backward_kernel[f32x], <void*>short_rms_backward_kernel[f64x])
layer_norm_backward_gufunc = with_short_rows(along_axis(
    b"layer_norm_backward", <void*>layer_backward_kernel[f32x], <void*>layer_backward_kernel[f64x], b"rrvss", b"raa",
    b"grad, x, weight, mean, rstd -> grad_x, grad_weight, grad_bias"),
    <void*>short_layer_backward_kernel[f32x], <void*>short_layer_backward_kernel[f64x])


include "parts/norms_plain.pxi"
include "parts/norms_segments.pxi"
include "parts/norms_channels.pxi"
include "parts/norms_channels_tiny.pxi"
include "parts/norms_channels_at_once.pxi"
include "parts/norms_segments_sums.pxi"
include "parts/norms_segments_floats.pxi"
include "parts/norms_segments_loops.pxi"
include "parts/norms_doors.pxi"
include "parts/norms_backward_at_once.pxi"
