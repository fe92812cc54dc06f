# Norms of a row, forward and backward: rms_norm, layer_norm, add_rms_norm. The gradients of a few rows are
# rowwise/norm_groups.pxd; which rows, dtypes and strides is loops/rows.pxd; the order
# of the sums is loops/reductions.pxd.
#
# Bytes: rms_norm reads its row once for the statistic (a sum of squares) and once to scale it. layer_norm reads it for
# the statistics and once to scale it: twice in two passes (the mean, then centred squares), once in one pass (Welford's
# and Chan's), once from a guess of the mean, and another time where that was poor. A row that fits the first-level
# cache comes from memory once; a row beyond the second-level cache comes two or three times. Backward, grad and x are
# read once for the two sums of the row and once, from the first-level cache, for the gradients.
from libc.math cimport sqrt
from libc.stdint cimport uint16_t
from libc.stdlib cimport free, malloc

cimport numpy as np

from .lanes cimport add_product_f64, f32x, f64x, fma, real, splat, splat_f32, splat_f64
from .loops.dtypes cimport BFLOAT16, FLOAT16, FLOAT32, FLOAT64
from .loops.reductions cimport (
    Pair, element, first_lanes, fold_values, map_block, map_pair, map_row, merge_row, rounded, sum_block, sum_either,
    sum_row, sum_values, take, wide,
)
from .loops.operations cimport (
    ALL, GROUP, STREAMED, Operands, Operation, RowMachine, along_axis, group_kernel, group_of, loop_function,
    operations_of, row_machine, run_groups,
)
from .loops.registers cimport itemsize, skip
from .rowwise.exponent_range cimport ordinary, reciprocal_root, rescue_scale
from .rowwise.norm_groups cimport Group, group_backward, set_statistics

np.import_array()
np.import_ufunc()

cdef const RowMachine* machine = row_machine()

cdef enum Algorithm:
    GUESS
    TWO_PASSES
    ONE_PASS

cdef enum:
    GUESSED = 128  # the first elements, of which a guess is the mean

cdef struct Norm:
    const void* x
    void* y
    const void* weight
    const void* bias
    double mean
    double mean_rest  # what the mean has lost by being rounded to the row's precision
    double eps
    double rstd
    double scale  # a power of two the row is multiplied by: 1 but for rows near the ends of the exponent range
    bint streamed


# The statistics. Terms are added in float64, where no float32 overflows.

cdef inline void add_value(const real* like, const void* row, Py_ssize_t i, Py_ssize_t n,
                           f64x* sums) noexcept nogil:
    cdef const Norm* norm = <const Norm*>row
    sums[0] = sums[0] + wide(<const real*>norm.x, i, n) * splat_f64(norm.scale)


cdef inline void add_square(const real* like, const void* row, Py_ssize_t i, Py_ssize_t n,
                            f64x* sums) noexcept nogil:
    cdef const Norm* norm = <const Norm*>row
    cdef f64x x = wide(<const real*>norm.x, i, n) * splat_f64(norm.scale)
    if real is f32x:
        sums[0] = add_product_f64(x, x, sums[0])
    else:
        sums[0] = sums[0] + x * x


cdef inline void add_centred(const real* like, const void* row, Py_ssize_t i, Py_ssize_t n,
                             f64x* sums) noexcept nogil:
    cdef const Norm* norm = <const Norm*>row
    cdef f64x x = wide(<const real*>norm.x, i, n) * splat_f64(norm.scale)
    x = x - first_lanes(splat_f64(norm.mean), n)
    sums[0] = sums[0] + x
    sums[1] = sums[1] + x * x


cdef inline void fold_square(const f32x* like, const void* row, Py_ssize_t i, Py_ssize_t n,
                             f32x* sums) noexcept nogil:
    cdef f32x x = take(<const f32x*>(<const Norm*>row).x, i, n)
    sums[0] = fma(x, x, sums[0])


cdef inline void fold_centred(const f32x* like, const void* row, Py_ssize_t i, Py_ssize_t n,
                              f32x* sums) noexcept nogil:
    cdef const Norm* norm = <const Norm*>row
    cdef f32x x = take(<const f32x*>norm.x, i, n) - first_lanes(splat_f32(<float>norm.mean), n)
    sums[0] = sums[0] + x
    sums[1] = fma(x, x, sums[1])


# The ordinary row. The compiler knows that the scale is 1 and leaves the product out.

cdef Pair squares(const real* like, const void* row, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    cdef Norm norm = (<const Norm*>row)[0]
    norm.scale = 1.0
    return sum_either(fold_square, add_square[real], 1, like, &norm, start, n)


cdef Pair centred(const real* like, const void* row, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    # the sums of deviations and of their squares
    cdef Norm norm = (<const Norm*>row)[0]
    norm.scale = 1.0
    return sum_either(fold_centred, add_centred[real], 2, like, &norm, start, n)


# The row near the ends of the exponent range.

cdef Pair scaled_values(const real* like, const void* row, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    cdef Norm norm = (<const Norm*>row)[0]
    return sum_block(add_value[real], 1, like, &norm, start, n)


cdef Pair scaled_squares(const real* like, const void* row, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    cdef Norm norm = (<const Norm*>row)[0]
    return sum_block(add_square[real], 1, like, &norm, start, n)


cdef Pair scaled_centred(const real* like, const void* row, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    cdef Norm norm = (<const Norm*>row)[0]
    return sum_block(add_centred[real], 2, like, &norm, start, n)


cdef Pair shifted(const real* like, const void* row, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    # The mean and the sum of centred squares of a block in one pass. The shift is an element of the block, so it is at
    # most sqrt(BLOCK) standard deviations from the mean, and the difference below loses at most 12 bits of 53.
    cdef Norm norm = (<const Norm*>row)[0]
    cdef Pair sums
    norm.mean = element(<const real*>norm.x, start) * norm.scale if n > 0 else 0.0
    sums = sum_block(add_centred[real], 2, like, &norm, start, n)
    return Pair(norm.mean + sums.first / n, sums.second - sums.first * sums.first / n)


cdef inline Pair merge_moments(Pair a, Py_ssize_t a_size, Pair b, Py_ssize_t b_size) noexcept nogil:
    # Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances", 1979
    cdef double apart = b.first - a.first, n = a_size + b_size
    return Pair(a.first + apart * (b_size / n), a.second + b.second + apart * apart * (a_size * (b_size / n)))


# The statistics of a row.

cdef void rms_root(const real* like, Norm* norm, Py_ssize_t n, int threads) noexcept nogil:
    # rstd of the row times norm.scale
    cdef double square
    norm.scale = 1.0
    square = sum_row(squares[real], like, norm, n, threads).first / n
    if ordinary(like, square):
        norm.rstd = 1.0 / sqrt(square + norm.eps)
        return
    norm.scale = rescue_scale(like, square, 0.0)
    norm.rstd = reciprocal_root(norm.eps, norm.scale, sum_row(scaled_squares[real], like, norm, n, threads).first / n)


cdef inline void find_mean(const real* like, Norm* norm, Py_ssize_t n, int threads) noexcept nogil:
    # the first of two passes
    norm.scale = 1.0
    norm.mean = rounded(like, fold_values(<const real*>norm.x, n, threads) / n)


cdef inline void guess_mean(const real* like, Norm* norm) noexcept nogil:
    # Chan, Golub and LeVeque, "Algorithms for computing the sample variance", 1983: shifted data
    norm.scale = 1.0
    norm.mean = rounded(like, fold_values(<const real*>norm.x, GUESSED, 1) / GUESSED)


cdef inline double centred_square(const real* like, Norm* norm, Py_ssize_t n, int threads, bint guess) noexcept nogil:
    # The pass that centres: the variance. Deviations are taken from what is known of the mean; their own mean is what
    # that has lost. A guess more than a third of a standard deviation off, beside which squares would lose digits, is
    # made good, and the pass taken again.
    cdef Pair sums = sum_row(centred[real], like, norm, n, threads)
    cdef double apart = sums.first / n
    if guess and apart * apart > sums.second / n * 0.125:
        norm.mean = rounded(like, norm.mean + apart)
        sums = sum_row(centred[real], like, norm, n, threads)
        apart, guess = sums.first / n, False
    if guess:
        split_mean(like, norm, norm.mean, apart)
    else:
        norm.mean_rest = apart  # with it, what rounding the deviations has cost
    return sums.second / n - apart * apart


cdef inline void layer_root(const real* like, Norm* norm, double square, Py_ssize_t n, int threads) noexcept nogil:
    # rstd of the row times norm.scale
    cdef Pair sums
    if ordinary(like, square):
        norm.rstd = 1.0 / sqrt(square + norm.eps)
        return
    norm.scale = rescue_scale(like, square, norm.mean)
    norm.mean = sum_row(scaled_values[real], like, norm, n, threads).first / n
    sums = sum_row(scaled_centred[real], like, norm, n, threads)
    sums.first /= n
    split_mean(like, norm, norm.mean, sums.first)
    norm.rstd = reciprocal_root(norm.eps, norm.scale, sums.second / n - sums.first * sums.first)


cdef inline void one_pass_root(const real* like, Norm* norm, Py_ssize_t n, int threads) noexcept nogil:
    cdef Pair moments
    norm.scale = 1.0
    moments = merge_row(shifted[real], merge_moments, like, norm, n, threads)
    if not ordinary(like, moments.second / n):
        norm.scale = rescue_scale(like, moments.second / n, moments.first)
        moments = merge_row(shifted[real], merge_moments, like, norm, n, threads)
    split_mean(like, norm, moments.first, 0.0)
    norm.rstd = reciprocal_root(norm.eps, norm.scale, moments.second / n)


cdef inline double lost(const real* like, double value) noexcept nogil:
    # what rounding a value to the row's precision loses of it
    return value - rounded(like, value)


cdef inline void split_mean(const real* like, Norm* norm, double mean, double rest) noexcept nogil:
    # mean + rest as a number of the row's precision and what is left: x - mean is then right to the last bit or
    # two even where nearly all of x is mean
    norm.mean = rounded(like, mean + rest)
    norm.mean_rest = (mean - norm.mean) + rest


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


cdef inline real rms_point(const real* like, const void* row, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    # x * rstd * weight
    cdef const Norm* norm = <const Norm*>row
    cdef real x = take(<const real*>norm.x, i, n)
    x = x * splat(x, norm.scale)
    x = fma(x, splat(x, norm.rstd), x * splat(x, lost(like, norm.rstd)))
    return weighted(norm.weight, NULL, x, like, i, n)


cdef inline real layer_point(const real* like, const void* row, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    # (x - mean) * rstd * weight + bias; x - mean is exact where they are close, mean_rest half its last bit
    cdef const Norm* norm = <const Norm*>row
    cdef real x = take(<const real*>norm.x, i, n), rstd = splat(x, norm.rstd)
    x = x * splat(x, norm.scale) - splat(x, norm.mean)
    x = fma(x, rstd, fma(x, splat(x, lost(like, norm.rstd)), splat(x, -norm.mean_rest) * rstd))
    return weighted(norm.weight, norm.bias, x, like, i, n)


cdef inline real sum_point(const real* like, const void* row, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    cdef const Norm* norm = <const Norm*>row
    return take(<const real*>norm.x, i, n) + take(<const real*>norm.bias, i, n)


cdef void sum_of_rows_block(real* y, const void* row, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    cdef Norm norm = (<const Norm*>row)[0]
    map_block(sum_point[real], y, &norm, start, n, norm.streamed)


cdef void rms_block(real* y, const void* row, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    cdef Norm norm = (<const Norm*>row)[0]
    norm.scale = 1.0
    map_block(rms_point[real], y, &norm, start, n, norm.streamed)


cdef void layer_block(real* y, const void* row, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    cdef Norm norm = (<const Norm*>row)[0]
    norm.scale = 1.0
    map_block(layer_point[real], y, &norm, start, n, norm.streamed)


cdef inline bint paired(const Norm* first, const Norm* second) noexcept nogil:
    # whether two rows had better be written together
    return (first.weight != NULL and first.weight == second.weight and first.bias == second.bias
            and not first.streamed and first.scale == 1.0 and second.scale == 1.0)


cdef void layer_pair(const real* like, const Norm* first, const Norm* second, Py_ssize_t n) noexcept nogil:
    # the compiler shall know what they share
    cdef Norm one = first[0], two = second[0]
    one.scale = two.scale = 1.0
    two.weight, two.bias = one.weight, one.bias
    map_pair(layer_point[real], <real*>one.y, &one, <real*>two.y, &two, n, False)


cdef void scaled_rms_block(real* y, const void* row, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    cdef Norm norm = (<const Norm*>row)[0]
    map_block(rms_point[real], y, &norm, start, n, norm.streamed)


cdef void scaled_layer_block(real* y, const void* row, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    cdef Norm norm = (<const Norm*>row)[0]
    map_block(layer_point[real], y, &norm, start, n, norm.streamed)


# A few rows: each statistic of all of them, then all outputs. While the end of one row's sum is waited for, the next
# row's is under way.

cdef void rms_rows(const real* like, Norm* norms, Py_ssize_t rows, Py_ssize_t n, int threads) noexcept nogil:
    cdef Py_ssize_t r
    for r in range(rows):
        rms_root(like, &norms[r], n, threads)
    for r in range(rows):
        if norms[r].scale == 1.0:
            map_row(rms_block[real], <real*>norms[r].y, &norms[r], n, threads)
        else:
            map_row(scaled_rms_block[real], <real*>norms[r].y, &norms[r], n, threads)


cdef inline void layer_rows(const real* like, Norm* norms, Py_ssize_t rows, Py_ssize_t n, int threads,
                            Algorithm algorithm) noexcept nogil:
    cdef Py_ssize_t r = 0
    layer_statistics(like, norms, rows, n, threads, algorithm)
    while r < rows:
        if r + 1 < rows and paired(&norms[r], &norms[r + 1]):
            layer_pair(like, &norms[r], &norms[r + 1], n)
            r += 1
        elif norms[r].scale == 1.0:
            map_row(layer_block[real], <real*>norms[r].y, &norms[r], n, threads)
        else:
            map_row(scaled_layer_block[real], <real*>norms[r].y, &norms[r], n, threads)
        r += 1


cdef void layer_statistics(const real* like, Norm* norms, Py_ssize_t rows, Py_ssize_t n, int threads,
                           Algorithm algorithm) noexcept nogil:
    cdef bint guess = algorithm == GUESS and n > GUESSED
    cdef double square[GROUP]
    cdef Py_ssize_t r
    if algorithm == ONE_PASS:
        for r in range(rows):
            one_pass_root(like, &norms[r], n, threads)
        return
    if not guess:
        for r in range(rows):
            find_mean(like, &norms[r], n, threads)
    # a guess waits for its row: rows that come from memory come one after the other
    for r in range(rows):
        if guess:
            guess_mean(like, &norms[r])
        square[r] = centred_square(like, &norms[r], n, threads, guess)
    for r in range(rows):
        layer_root(like, &norms[r], square[r], n, threads)


cdef inline double mean_of(const Norm* norm) noexcept nogil:
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
    # x, residual, weight, eps -> y, x + residual, rstd: the sum is normed from the cache that it was written to
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
    layer_rows(like, norms, rows, n, threads, algorithm)
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
        rms_root(like, &norm, n, threads)
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

cdef inline void backward_group(const real* like, Operands* p, Py_ssize_t rows, Py_ssize_t n, int threads, int manner,
                                bint centred) noexcept nogil:
    # grad, x, weight, [mean,] rstd -> grad_x, grad_weight[, grad_bias]
    cdef Group group
    cdef int rstd = 4 if centred else 3
    cdef Py_ssize_t r
    group.weight, group.grad_weight, group.grad_bias = p[0][2], p[0][rstd + 2], p[0][rstd + 3] if centred else NULL
    group.alone, group.rows, group.n, group.centred = manner & ALL, rows, n, centred
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


# The gufuncs.

rms_norm_gufunc = along_axis(
    b"rms_norm", <void*>rms_kernel[f32x], <void*>rms_kernel[f64x], b"rvs", b"rs", b"x / sqrt(mean(x^2) + eps) * weight")
add_rms_norm_gufunc = along_axis(
    b"add_rms_norm", <void*>add_rms_kernel[f32x], <void*>add_rms_kernel[f64x], b"rrvs", b"rrs",
    b"h = x + residual, h / sqrt(mean(h^2) + eps) * weight and h")
rms_stats_gufunc = along_axis(
    b"rms_stats", <void*>rms_stats_kernel[f32x], <void*>rms_stats_kernel[f64x], b"rs", b"s",
    b"1 / sqrt(mean(x^2) + eps)")
layer_stats_gufunc = along_axis(
    b"layer_stats", <void*>layer_stats_kernel[f32x], <void*>layer_stats_kernel[f64x], b"rs", b"ss",
    b"mean, 1 / sqrt(variance + eps)")
layer_norm_gufunc = along_axis(
    b"layer_norm", <void*>layer_kernel[f32x], <void*>layer_kernel[f64x], b"rvvs", b"rss",
    b"(x - mean) / sqrt(variance + eps) * weight + bias, the mean guessed and made good")
layer_norm_two_pass_gufunc = along_axis(
    b"layer_norm_two_pass", <void*>two_pass_kernel[f32x], <void*>two_pass_kernel[f64x], b"rvvs", b"rss",
    b"as layer_norm, the row read twice for its statistics")
layer_norm_one_pass_gufunc = along_axis(
    b"layer_norm_one_pass", <void*>one_pass_kernel[f32x], <void*>one_pass_kernel[f64x], b"rvvs", b"rss",
    b"as layer_norm, the row read once for its statistics")
rms_norm_backward_gufunc = along_axis(
    b"rms_norm_backward", <void*>rms_backward_kernel[f32x], <void*>rms_backward_kernel[f64x], b"rrvs", b"ra",
    b"grad, x, weight, rstd -> grad_x, grad_weight")
layer_norm_backward_gufunc = along_axis(
    b"layer_norm_backward", <void*>layer_backward_kernel[f32x], <void*>layer_backward_kernel[f64x], b"rrvss", b"raa",
    b"grad, x, weight, mean, rstd -> grad_x, grad_weight, grad_bias")


# The flat functions.

cdef inline void rms_norm(const real* x, const real* weight, double eps, real* y, double* rstd, Py_ssize_t rows,
                          Py_ssize_t n) noexcept nogil:
    cdef double unused
    cdef Py_ssize_t row = n * itemsize(x)
    cdef char** at = [<char*>x, <char*>weight, <char*>&eps, <char*>y, <char*>(rstd if rstd != NULL else &unused)]
    cdef Py_ssize_t* steps = [row, 0, 0, row, <Py_ssize_t>sizeof(double) if rstd != NULL else 0]
    run_groups(<group_kernel>rms_kernel[real], at, steps, 5, group_of(rows, n, itemsize(x), 2), rows, n, 1, 0)


cdef inline void layer_norm(const real* x, const real* weight, const real* bias, double eps, real* y, double* mean,
                            double* rstd, Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    cdef double unused
    cdef Py_ssize_t row = n * itemsize(x)
    cdef char** at = [<char*>x, <char*>weight, <char*>bias, <char*>&eps, <char*>y,
                      <char*>(mean if mean != NULL else &unused), <char*>(rstd if rstd != NULL else &unused)]
    cdef Py_ssize_t* steps = [row, 0, 0, 0, row, <Py_ssize_t>sizeof(double) if mean != NULL else 0,
                              <Py_ssize_t>sizeof(double) if rstd != NULL else 0]
    run_groups(<group_kernel>layer_kernel[real], at, steps, 7, group_of(rows, n, itemsize(x), 2), rows, n, 1, 0)


cdef void rms_norm_float32(const float* x, const float* weight, double eps, float* y, double* rstd, Py_ssize_t rows,
                           Py_ssize_t n) noexcept nogil:
    rms_norm(<const f32x*>x, <const f32x*>weight, eps, <f32x*>y, rstd, rows, n)


cdef void rms_norm_float64(const double* x, const double* weight, double eps, double* y, double* rstd,
                           Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    rms_norm(<const f64x*>x, <const f64x*>weight, eps, <f64x*>y, rstd, rows, n)


cdef void layer_norm_float32(const float* x, const float* weight, const float* bias, double eps, float* y,
                             double* mean, double* rstd, Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    layer_norm(<const f32x*>x, <const f32x*>weight, <const f32x*>bias, eps, <f32x*>y, mean, rstd, rows, n)


cdef void layer_norm_float64(const double* x, const double* weight, const double* bias, double eps, double* y,
                             double* mean, double* rstd, Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    layer_norm(<const f64x*>x, <const f64x*>weight, <const f64x*>bias, eps, <f64x*>y, mean, rstd, rows, n)


# Through the row machine, as NumPy calls them, for those who call from C.

cdef const Operation* of_rms_norm = operations_of(rms_norm_gufunc)
cdef const Operation* of_layer_norm = operations_of(layer_norm_gufunc)
cdef const Operation* of_add_rms_norm = operations_of(add_rms_norm_gufunc)
cdef const Operation* of_rms_norm_backward = operations_of(rms_norm_backward_gufunc)
cdef const Operation* of_layer_norm_backward = operations_of(layer_norm_backward_gufunc)


cdef bint rms_norm_bfloat16(const uint16_t* x, const uint16_t* weight, double eps, uint16_t* y, double* rstd,
                            Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    return machine.call(of_rms_norm, BFLOAT16, [x, weight, &eps, y, rstd], 1 << 2, rows, n)


cdef bint rms_norm_float16(const uint16_t* x, const uint16_t* weight, double eps, uint16_t* y, double* rstd,
                           Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    return machine.call(of_rms_norm, FLOAT16, [x, weight, &eps, y, rstd], 1 << 2, rows, n)


cdef bint layer_norm_bfloat16(const uint16_t* x, const uint16_t* weight, const uint16_t* bias, double eps, uint16_t* y,
                              double* mean, double* rstd, Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    return machine.call(of_layer_norm, BFLOAT16, [x, weight, bias, &eps, y, mean, rstd], 1 << 3, rows, n)


cdef bint layer_norm_float16(const uint16_t* x, const uint16_t* weight, const uint16_t* bias, double eps, uint16_t* y,
                             double* mean, double* rstd, Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    return machine.call(of_layer_norm, FLOAT16, [x, weight, bias, &eps, y, mean, rstd], 1 << 3, rows, n)


cdef bint add_rms_norm_float32(const float* x, const float* residual, const float* weight, double eps, float* y,
                               float* new_residual, double* rstd, Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    return machine.call(of_add_rms_norm, FLOAT32, [x, residual, weight, &eps, y, new_residual, rstd], 1 << 3, rows, n)


cdef bint add_rms_norm_float64(const double* x, const double* residual, const double* weight, double eps, double* y,
                               double* new_residual, double* rstd, Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    return machine.call(of_add_rms_norm, FLOAT64, [x, residual, weight, &eps, y, new_residual, rstd], 1 << 3, rows, n)


cdef bint add_rms_norm_bfloat16(const uint16_t* x, const uint16_t* residual, const uint16_t* weight, double eps,
                                uint16_t* y, uint16_t* new_residual, double* rstd, Py_ssize_t rows,
                                Py_ssize_t n) noexcept nogil:
    return machine.call(of_add_rms_norm, BFLOAT16, [x, residual, weight, &eps, y, new_residual, rstd], 1 << 3, rows, n)


cdef bint add_rms_norm_float16(const uint16_t* x, const uint16_t* residual, const uint16_t* weight, double eps,
                               uint16_t* y, uint16_t* new_residual, double* rstd, Py_ssize_t rows,
                               Py_ssize_t n) noexcept nogil:
    return machine.call(of_add_rms_norm, FLOAT16, [x, residual, weight, &eps, y, new_residual, rstd], 1 << 3, rows, n)


cdef bint rms_norm_backward_float32(const float* grad, const float* x, const float* weight, const double* rstd,
                                    float* grad_x, float* grad_weight, Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    return machine.call(of_rms_norm_backward, FLOAT32, [grad, x, weight, rstd, grad_x, grad_weight], 0, rows, n)


cdef bint rms_norm_backward_float64(const double* grad, const double* x, const double* weight, const double* rstd,
                                    double* grad_x, double* grad_weight, Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    return machine.call(of_rms_norm_backward, FLOAT64, [grad, x, weight, rstd, grad_x, grad_weight], 0, rows, n)


cdef bint rms_norm_backward_bfloat16(const uint16_t* grad, const uint16_t* x, const uint16_t* weight,
                                     const double* rstd, uint16_t* grad_x, float* grad_weight, Py_ssize_t rows,
                                     Py_ssize_t n) noexcept nogil:
    return machine.call(of_rms_norm_backward, BFLOAT16, [grad, x, weight, rstd, grad_x, grad_weight], 0, rows, n)


cdef bint rms_norm_backward_float16(const uint16_t* grad, const uint16_t* x, const uint16_t* weight, const double* rstd,
                                    uint16_t* grad_x, float* grad_weight, Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    return machine.call(of_rms_norm_backward, FLOAT16, [grad, x, weight, rstd, grad_x, grad_weight], 0, rows, n)


cdef bint layer_norm_backward_float32(const float* grad, const float* x, const float* weight, const double* mean,
                                      const double* rstd, float* grad_x, float* grad_weight, float* grad_bias,
                                      Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    return machine.call(of_layer_norm_backward, FLOAT32,
                        [grad, x, weight, mean, rstd, grad_x, grad_weight, grad_bias], 0, rows, n)


cdef bint layer_norm_backward_float64(const double* grad, const double* x, const double* weight, const double* mean,
                                      const double* rstd, double* grad_x, double* grad_weight, double* grad_bias,
                                      Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    return machine.call(of_layer_norm_backward, FLOAT64,
                        [grad, x, weight, mean, rstd, grad_x, grad_weight, grad_bias], 0, rows, n)


cdef bint layer_norm_backward_bfloat16(const uint16_t* grad, const uint16_t* x, const uint16_t* weight,
                                       const double* mean, const double* rstd, uint16_t* grad_x, float* grad_weight,
                                       float* grad_bias, Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    return machine.call(of_layer_norm_backward, BFLOAT16,
                        [grad, x, weight, mean, rstd, grad_x, grad_weight, grad_bias], 0, rows, n)


cdef bint layer_norm_backward_float16(const uint16_t* grad, const uint16_t* x, const uint16_t* weight,
                                      const double* mean, const double* rstd, uint16_t* grad_x, float* grad_weight,
                                      float* grad_bias, Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    return machine.call(of_layer_norm_backward, FLOAT16,
                        [grad, x, weight, mean, rstd, grad_x, grad_weight, grad_bias], 0, rows, n)


cdef inline void repeat_each(const real* values, Py_ssize_t times, Py_ssize_t n, real* row) noexcept nogil:
    # n of them
    cdef Py_ssize_t i
    for i in range(n):
        if real is f32x:
            (<float*>row)[i] = (<const float*>values)[i // times]
        else:
            (<double*>row)[i] = (<const double*>values)[i // times]


cdef bint group_norm(const real* x, const real* weight, const real* bias, double eps, real* y, double* mean,
                     double* rstd, Py_ssize_t batch, Py_ssize_t channels, Py_ssize_t size,
                     Py_ssize_t groups) noexcept nogil:
    # a group at a time, whose weights are then a row that all examples share
    cdef double unused
    cdef Py_ssize_t own = channels // groups, n = own * size, row = n * itemsize(x), g
    cdef Py_ssize_t of_mean = groups * sizeof(double) if mean != NULL else 0
    cdef Py_ssize_t of_rstd = groups * sizeof(double) if rstd != NULL else 0
    cdef Py_ssize_t* steps = [groups * row, 0, 0, 0, groups * row, of_mean, of_rstd]
    cdef char** at = [<char*>x, NULL, NULL, <char*>&eps, <char*>y, <char*>(mean if mean != NULL else &unused),
                      <char*>(rstd if rstd != NULL else &unused)]
    cdef char* memory = <char*>malloc(2 * row) if weight != NULL or bias != NULL else NULL
    if memory == NULL and row > 0 and (weight != NULL or bias != NULL):
        return False
    at[1], at[2] = memory if weight != NULL else NULL, memory + row if bias != NULL else NULL
    for g in range(groups):
        if weight != NULL:
            repeat_each(skip(weight, g * own), size, n, <real*>memory)
        if bias != NULL:
            repeat_each(skip(bias, g * own), size, n, <real*>(memory + row))
        run_groups(<group_kernel>layer_kernel[real], at, steps, 7, group_of(batch, n, itemsize(x), 2), batch, n, 1, 0)
        at[0] += row
        at[4] += row
        at[5] += sizeof(double) if mean != NULL else 0
        at[6] += sizeof(double) if rstd != NULL else 0
    free(memory)
    return True


cdef bint group_norm_float32(const float* x, const float* weight, const float* bias, double eps, float* y, double* mean,
                             double* rstd, Py_ssize_t batch, Py_ssize_t channels, Py_ssize_t size,
                             Py_ssize_t groups) noexcept nogil:
    return group_norm(<const f32x*>x, <const f32x*>weight, <const f32x*>bias, eps, <f32x*>y, mean, rstd, batch,
                      channels, size, groups)


cdef bint group_norm_float64(const double* x, const double* weight, const double* bias, double eps, double* y,
                             double* mean, double* rstd, Py_ssize_t batch, Py_ssize_t channels, Py_ssize_t size,
                             Py_ssize_t groups) noexcept nogil:
    return group_norm(<const f64x*>x, <const f64x*>weight, <const f64x*>bias, eps, <f64x*>y, mean, rstd, batch,
                      channels, size, groups)


cdef bint group_norm_backward(const real* grad, const real* x, const real* weight, const double* mean,
                              const double* rstd, real* grad_x, real* grad_weight, real* grad_bias, Py_ssize_t batch,
                              Py_ssize_t channels, Py_ssize_t size, Py_ssize_t groups) noexcept nogil:
    # each group is a layer norm over the batch, whose weights are a row that all examples share; the sums over a row's
    # place are then those of a channel's elements
    cdef const Operation* found = of_layer_norm_backward
    cdef Operation operation
    cdef int one_thread = 1
    cdef Py_ssize_t n = channels // groups * size, width = itemsize(x), row = n * width, all = groups * row, c
    cdef char* memory = <char*>malloc(3 * all + 1)
    cdef char** at = [<char*>grad, <char*>x, NULL, <char*>mean, <char*>rstd, <char*>grad_x, memory, memory + all]
    cdef np.npy_intp* dims = [groups, batch, 1, n, n if weight != NULL else 0]
    cdef np.npy_intp* steps = [row, row, row, 8, 8, row, row, row,  # from group to group
                               all, 0, width, all, 0, width, width, groups * 8, 0, groups * 8, 0, all, 0, width,
                               width, width]
    if memory == NULL:
        return False
    while found.dtype != (FLOAT32 if width == 4 else FLOAT64):
        found += 1
    operation, operation.threads = found[0], &one_thread
    if weight != NULL:
        repeat_each(weight, size, groups * n, <real*>(memory + 2 * all))
        at[2] = memory + 2 * all
    if not (<loop_function>operation.loop)(&operation, at, dims, steps):
        free(memory)
        return False
    for c in range(channels):
        put_sum(grad_weight, c, <const real*>memory, size)
        put_sum(grad_bias, c, <const real*>(memory + all), size)
    free(memory)
    return True


cdef inline void put_sum(real* sums, Py_ssize_t c, const real* values, Py_ssize_t size) noexcept nogil:
    # of what a channel has of them
    if sums == NULL:
        return
    if real is f32x:
        (<float*>sums)[c] = <float>sum_values(skip(values, c * size), size, 1)
    else:
        (<double*>sums)[c] = sum_values(skip(values, c * size), size, 1)


cdef bint group_norm_backward_float32(const float* grad, const float* x, const float* weight, const double* mean,
                                      const double* rstd, float* grad_x, float* grad_weight, float* grad_bias,
                                      Py_ssize_t batch, Py_ssize_t channels, Py_ssize_t size,
                                      Py_ssize_t groups) noexcept nogil:
    return group_norm_backward(<const f32x*>grad, <const f32x*>x, <const f32x*>weight, mean, rstd, <f32x*>grad_x,
                               <f32x*>grad_weight, <f32x*>grad_bias, batch, channels, size, groups)


cdef bint group_norm_backward_float64(const double* grad, const double* x, const double* weight, const double* mean,
                                      const double* rstd, double* grad_x, double* grad_weight, double* grad_bias,
                                      Py_ssize_t batch, Py_ssize_t channels, Py_ssize_t size,
                                      Py_ssize_t groups) noexcept nogil:
    return group_norm_backward(<const f64x*>grad, <const f64x*>x, <const f64x*>weight, mean, rstd, <f64x*>grad_x,
                               <f64x*>grad_weight, <f64x*>grad_bias, batch, channels, size, groups)
