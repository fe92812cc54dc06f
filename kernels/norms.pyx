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

from .lanes cimport (
    F64_LANES, add_product_f64, f32x, f64x, fma, load_f64, real, splat, splat_f32, splat_f64, square_root_f64,
    store_f64,
)
from .loops.dtypes cimport BFLOAT16, FLOAT16, FLOAT32, FLOAT64, Dtype
from .loops.reductions cimport (
    Pair, add_element, element, first_lanes, fold_element, fold_values, map_block, map_pair, map_row, merge_row,
    put_element, rounded, row_context, sum_block, sum_either, sum_row, sum_values, take, wide,
)
from .loops.operations cimport (
    ALL, GROUP, SHORT_GROUPS, SHORT_ROWS, STREAMED, Operands, Operation, RowMachine, along_axis, group_kernel, group_of,
    loop_function, operations_of, row_machine, run_groups, short_kernel, with_short_rows,
)
from .loops.registers cimport itemsize, skip
from .loops.short_rows cimport map_short, put_numbers, short_means, sum_short, take_numbers
from .loops.tiles cimport PADDING, put_row, take_row
from .rowwise.exponent_range cimport all_ordinary, ordinary, reciprocal_square_root, rescue_scale
from .rowwise.norm_groups cimport Group, group_backward, set_statistics, short_groups_backward

np.import_array()
np.import_ufunc()

cdef const RowMachine* machine = row_machine()

cdef enum Algorithm:
    GUESS
    TWO_PASSES
    ONE_PASS

cdef enum:
    GUESSED = 128  # a mean is guessed from so many elements at the start of its row

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


# The statistics. Terms are added in float64, where no float32 overflows.

cdef inline void add_value(const real* like, const void* context, Py_ssize_t i, Py_ssize_t n,
                           f64x* sums) noexcept nogil:
    cdef const Norm* norm = <const Norm*>context
    sums[0] = sums[0] + wide(<const real*>norm.x, i, n) * splat_f64(norm.scale)


cdef inline void add_square(const real* like, const void* context, Py_ssize_t i, Py_ssize_t n,
                            f64x* sums) noexcept nogil:
    cdef const Norm* norm = <const Norm*>context
    cdef f64x x = wide(<const real*>norm.x, i, n) * splat_f64(norm.scale)
    if real is f32x:
        sums[0] = add_product_f64(x, x, sums[0])
    else:
        sums[0] = sums[0] + x * x


cdef inline void add_centred(const real* like, const void* context, Py_ssize_t i, Py_ssize_t n,
                             f64x* sums) noexcept nogil:
    cdef const Norm* norm = <const Norm*>context
    cdef f64x x = wide(<const real*>norm.x, i, n) * splat_f64(norm.scale)
    x = x - first_lanes(splat_f64(norm.mean), n)
    sums[0] = sums[0] + x
    sums[1] = sums[1] + x * x


cdef inline void fold_square(const f32x* like, const void* context, Py_ssize_t i, Py_ssize_t n,
                             f32x* sums) noexcept nogil:
    cdef f32x x = take(<const f32x*>(<const Norm*>context).x, i, n)
    sums[0] = fma(x, x, sums[0])


cdef inline void fold_centred(const f32x* like, const void* context, Py_ssize_t i, Py_ssize_t n,
                              f32x* sums) noexcept nogil:
    cdef const Norm* norm = <const Norm*>context
    cdef f32x x = take(<const f32x*>norm.x, i, n) - first_lanes(splat_f32(<float>norm.mean), n)
    sums[0] = sums[0] + x
    sums[1] = fma(x, x, sums[1])


# The ordinary row. The compiler knows that the scale is 1 and leaves the product out.

cdef Pair squares(const real* like, const void* context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    cdef Norm norm = (<const Norm*>context)[0]
    norm.scale = 1.0
    return sum_either(fold_square, add_square[real], 1, like, &norm, start, n)


cdef Pair centred(const real* like, const void* context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    # the sums of deviations and of their squares
    cdef Norm norm = (<const Norm*>context)[0]
    norm.scale = 1.0
    return sum_either(fold_centred, add_centred[real], 2, like, &norm, start, n)


# The row near the ends of the exponent range.

cdef Pair scaled_values(const real* like, const void* context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    cdef Norm norm = (<const Norm*>context)[0]
    return sum_block(add_value[real], 1, like, &norm, start, n)


cdef Pair scaled_squares(const real* like, const void* context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    cdef Norm norm = (<const Norm*>context)[0]
    return sum_block(add_square[real], 1, like, &norm, start, n)


cdef Pair scaled_centred(const real* like, const void* context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    cdef Norm norm = (<const Norm*>context)[0]
    return sum_block(add_centred[real], 2, like, &norm, start, n)


cdef Pair block_moments(const real* like, const void* context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    # The mean and the sum of centred squares of a block in one pass: deviations are taken from the block's first
    # element. That is at most sqrt(BLOCK) standard deviations from the mean, so the difference below loses at most 12
    # bits of 53.
    cdef Norm norm = (<const Norm*>context)[0]
    cdef Pair sums
    norm.mean = element(<const real*>norm.x, start) * norm.scale if n > 0 else 0.0
    sums = sum_block(add_centred[real], 2, like, &norm, start, n)
    return Pair(norm.mean + sums.first / n, sums.second - sums.first * sums.first / n)


cdef inline Pair merge_moments(Pair a, Py_ssize_t a_size, Pair b, Py_ssize_t b_size) noexcept nogil:
    # Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances", 1979
    cdef double apart = b.first - a.first, n = a_size + b_size
    return Pair(a.first + apart * (b_size / n), a.second + b.second + apart * apart * (a_size * (b_size / n)))


# The statistics of a row.

cdef void find_rms_rstd(const real* like, Norm* norm, Py_ssize_t n, int threads) noexcept nogil:
    # rstd of the row times norm.scale
    cdef double square
    norm.scale = 1.0
    square = sum_row(squares[real], like, norm, n, threads).first / n
    if ordinary(like, square):
        norm.rstd = 1.0 / sqrt(square + norm.eps)
        return
    norm.scale = rescue_scale(like, square, 0.0)
    square = sum_row(scaled_squares[real], like, norm, n, threads).first / n
    norm.rstd = reciprocal_square_root(norm.eps, norm.scale, square)


cdef inline void find_mean(const real* like, Norm* norm, Py_ssize_t n, int threads) noexcept nogil:
    # the first of two passes
    norm.scale = 1.0
    norm.mean = rounded(like, fold_values(<const real*>norm.x, n, threads) / n)


cdef inline void guess_mean(const real* like, Norm* norm) noexcept nogil:
    # Chan, Golub and LeVeque, "Algorithms for computing the sample variance", 1983: shifted data
    norm.scale = 1.0
    norm.mean = rounded(like, fold_values(<const real*>norm.x, GUESSED, 1) / GUESSED)


cdef inline double centred_square(const real* like, Norm* norm, Py_ssize_t n, int threads, bint guess) noexcept nogil:
    # The variance, in the pass that takes deviations from the mean as it is known so far. The mean of these deviations
    # is what was missing. Where a guess was off by more than a third of a standard deviation, the squares have lost
    # digits: the guess is corrected, and the pass taken again.
    cdef Pair sums = sum_row(centred[real], like, norm, n, threads)
    cdef double apart = sums.first / n
    if guess and apart * apart > sums.second / n * 0.125:
        norm.mean = rounded(like, norm.mean + apart)
        sums = sum_row(centred[real], like, norm, n, threads)
        apart, guess = sums.first / n, False
    if guess:
        split_mean(like, norm, norm.mean, apart)
    else:
        norm.mean_rest = apart  # which holds the rounding errors of the deviations too
    return sums.second / n - apart * apart


cdef inline void find_layer_rstd(const real* like, Norm* norm, double square, Py_ssize_t n, int threads) noexcept nogil:
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
    norm.rstd = reciprocal_square_root(norm.eps, norm.scale, sums.second / n - sums.first * sums.first)


cdef inline void find_one_pass_rstd(const real* like, Norm* norm, Py_ssize_t n, int threads) noexcept nogil:
    cdef Pair moments
    norm.scale = 1.0
    moments = merge_row(block_moments[real], merge_moments, like, norm, n, threads)
    if not ordinary(like, moments.second / n):
        norm.scale = rescue_scale(like, moments.second / n, moments.first)
        moments = merge_row(block_moments[real], merge_moments, like, norm, n, threads)
    split_mean(like, norm, moments.first, 0.0)
    norm.rstd = reciprocal_square_root(norm.eps, norm.scale, moments.second / n)


cdef inline double lost(const real* like, double value) noexcept nogil:
    # the rounding error of a value in the row's precision
    return value - rounded(like, value)


cdef inline void split_mean(const real* like, Norm* norm, double mean, double rest) noexcept nogil:
    # mean + rest as a number of the row's precision and a remainder: with both, x - mean is right to the last bit or
    # two, even where x and the mean are nearly the same
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


cdef inline real rms_point(const real* like, const void* context, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    # x * rstd * weight
    cdef const Norm* norm = <const Norm*>context
    cdef real x = take(<const real*>norm.x, i, n)
    x = x * splat(x, norm.scale)
    x = fma(x, splat(x, norm.rstd), x * splat(x, lost(like, norm.rstd)))
    return weighted(norm.weight, NULL, x, like, i, n)


cdef inline real layer_point(const real* like, const void* context, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    # (x - mean) * rstd * weight + bias; x - mean is exact where they are close, mean_rest half its last bit
    cdef const Norm* norm = <const Norm*>context
    cdef real x = take(<const real*>norm.x, i, n), rstd = splat(x, norm.rstd)
    x = x * splat(x, norm.scale) - splat(x, norm.mean)
    x = fma(x, rstd, fma(x, splat(x, lost(like, norm.rstd)), splat(x, -norm.mean_rest) * rstd))
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
    map_block(rms_point[real], y, context, start, n, (<const Norm*>context).streamed)


cdef void scaled_layer_block(real* y, row_context context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    map_block(layer_point[real], y, context, start, n, (<const Norm*>context).streamed)


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
            find_one_pass_rstd(like, &norms[r], n, threads)
        return
    if not guess:
        for r in range(rows):
            find_mean(like, &norms[r], n, threads)
    # a guess is made just before its row is read: rows are then fetched from memory one after the other
    for r in range(rows):
        if guess:
            guess_mean(like, &norms[r])
        square[r] = centred_square(like, &norms[r], n, threads, guess)
    for r in range(rows):
        find_layer_rstd(like, &norms[r], square[r], n, threads)


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


# Short rows, side by side.

cdef inline bint short_roots(const real* like, const double* squares, const char* eps, Py_ssize_t eps_step,
                             double* rstds) noexcept nogil:
    # whether rows of these mean squares are ordinary; and if so, their 1 / sqrt(square + eps)
    cdef int k = 0
    take_numbers(eps, eps_step, rstds)
    while k < SHORT_ROWS:
        if not all_ordinary(like, load_f64(squares + k)):
            return False
        store_f64(rstds + k, splat_f64(1.0) / square_root_f64(load_f64(squares + k) + load_f64(rstds + k)))
        k += F64_LANES
    return True


cdef inline bint short_rms(const real* like, const char* x, Py_ssize_t step, const char* eps, Py_ssize_t eps_step,
                           Py_ssize_t n, double* rstds) noexcept nogil:
    cdef Norm norm = Norm(NULL, NULL, NULL, NULL, 0.0, 0.0, 0.0, 0.0, 1.0, False)
    cdef f64x[SHORT_ROWS] parts
    cdef double[SHORT_ROWS] squares
    cdef Py_ssize_t r
    for r in range(SHORT_ROWS):
        norm.x = x + r * step
        sum_short(fold_square, add_square[real], 1, like, &norm, n, parts + r)
    short_means(parts, n, squares)
    return short_roots(like, squares, eps, eps_step, rstds)


cdef inline bint short_layer(const real* like, const char* x, Py_ssize_t step, const char* eps, Py_ssize_t eps_step,
                             Py_ssize_t n, double* means, double* rests, double* rstds) noexcept nogil:
    # as find_mean, centred_square and find_layer_rstd
    cdef Norm norm = Norm(NULL, NULL, NULL, NULL, 0.0, 0.0, 0.0, 0.0, 1.0, False)
    cdef f64x[2 * SHORT_ROWS] parts
    cdef double[SHORT_ROWS] squares
    cdef f64x apart
    cdef Py_ssize_t r
    for r in range(SHORT_ROWS):
        sum_short(fold_element, add_element[real], 1, like, x + r * step, n, parts + r)
    short_means(parts, n, means)
    for r in range(SHORT_ROWS):
        means[r] = rounded(like, means[r])
        norm.x, norm.mean = x + r * step, means[r]
        sum_short(fold_centred, add_centred[real], 2, like, &norm, n, parts + r)
    short_means(parts, n, rests)
    short_means(parts + SHORT_ROWS, n, squares)
    r = 0
    while r < SHORT_ROWS:
        apart = load_f64(rests + r)
        store_f64(squares + r, load_f64(squares + r) - apart * apart)
        r += F64_LANES
    return short_roots(like, squares, eps, eps_step, rstds)


cdef bint short_rms_kernel(const real* like, char** at, const Py_ssize_t* steps, Py_ssize_t n,
                           int manner) noexcept nogil:
    cdef Norm norm = Norm(NULL, NULL, NULL, NULL, 0.0, 0.0, 0.0, 0.0, 1.0, False)
    cdef double[SHORT_ROWS] rstds
    cdef Py_ssize_t r
    if not short_rms(like, at[0], steps[0], at[2], steps[2], n, rstds):
        return False
    for r in range(SHORT_ROWS):
        norm.x, norm.weight, norm.rstd = at[0] + r * steps[0], at[1] + r * steps[1], rstds[r]
        map_short(rms_point[real], at[3] + r * steps[3], &norm, n)
    put_numbers(rstds, at[4], steps[4])
    return True


cdef bint short_rms_stats_kernel(const real* like, char** at, const Py_ssize_t* steps, Py_ssize_t n,
                                 int manner) noexcept nogil:
    cdef double[SHORT_ROWS] rstds
    if not short_rms(like, at[0], steps[0], at[1], steps[1], n, rstds):
        return False
    put_numbers(rstds, at[2], steps[2])
    return True


cdef inline void put_means(double* means, const double* rests, char* at, Py_ssize_t step) noexcept nogil:
    cdef Py_ssize_t r
    for r in range(SHORT_ROWS):
        means[r] += rests[r]
    put_numbers(means, at, step)


cdef bint short_layer_kernel(const real* like, char** at, const Py_ssize_t* steps, Py_ssize_t n,
                             int manner) noexcept nogil:
    cdef Norm norm = Norm(NULL, NULL, NULL, NULL, 0.0, 0.0, 0.0, 0.0, 1.0, False)
    cdef double[SHORT_ROWS] means
    cdef double[SHORT_ROWS] rests
    cdef double[SHORT_ROWS] rstds
    cdef Py_ssize_t r
    if not short_layer(like, at[0], steps[0], at[3], steps[3], n, means, rests, rstds):
        return False
    for r in range(SHORT_ROWS):
        norm.x, norm.weight, norm.bias = at[0] + r * steps[0], at[1] + r * steps[1], at[2] + r * steps[2]
        norm.mean, norm.mean_rest, norm.rstd = means[r], rests[r], rstds[r]
        map_short(layer_point[real], at[4] + r * steps[4], &norm, n)
    put_means(means, rests, at[5], steps[5])
    put_numbers(rstds, at[6], steps[6])
    return True


cdef bint short_layer_stats_kernel(const real* like, char** at, const Py_ssize_t* steps, Py_ssize_t n,
                                   int manner) noexcept nogil:
    cdef double[SHORT_ROWS] means
    cdef double[SHORT_ROWS] rests
    cdef double[SHORT_ROWS] rstds
    if not short_layer(like, at[0], steps[0], at[1], steps[1], n, means, rests, rstds):
        return False
    put_means(means, rests, at[2], steps[2])
    put_numbers(rstds, at[3], steps[3])
    return True


cdef inline bint short_backward(const real* like, char** at, const Py_ssize_t* steps, Py_ssize_t n,
                                bint centred) noexcept nogil:
    cdef Group[SHORT_GROUPS] groups
    cdef int rstd = 4 if centred else 3
    cdef Group* group
    cdef Py_ssize_t r, k
    for r in range(SHORT_ROWS):
        group, k = &groups[r // GROUP], r % GROUP
        group.grad[k], group.x[k] = at[0] + r * steps[0], at[1] + r * steps[1]
        group.grad_x[k] = at[rstd + 1] + r * steps[rstd + 1]
        set_statistics(like, group, k, (<double*>(at[3] + r * steps[3]))[0] if centred else 0.0,
                       (<double*>(at[rstd] + r * steps[rstd]))[0])
        if group.scale[k] != 1.0:
            return False
    for r in range(SHORT_GROUPS):
        group = &groups[r]
        group.weight, group.grad_weight, group.grad_bias = at[2], at[rstd + 2], at[rstd + 3] if centred else NULL
        group.alone, group.rows, group.n, group.centred, group.ordinary = False, GROUP, n, centred, True
    short_groups_backward(like, groups, n, centred)
    return True


cdef bint short_rms_backward_kernel(const real* like, char** at, const Py_ssize_t* steps, Py_ssize_t n,
                                    int manner) noexcept nogil:
    return short_backward(like, at, steps, n, False)


cdef bint short_layer_backward_kernel(const real* like, char** at, const Py_ssize_t* steps, Py_ssize_t n,
                                      int manner) noexcept nogil:
    return short_backward(like, at, steps, n, True)


# The gufuncs.

rms_norm_gufunc = with_short_rows(along_axis(
    b"rms_norm", <void*>rms_kernel[f32x], <void*>rms_kernel[f64x], b"rvs", b"rs",
    b"x / sqrt(mean(x^2) + eps) * weight"), <void*>short_rms_kernel[f32x], <void*>short_rms_kernel[f64x])
add_rms_norm_gufunc = along_axis(
    b"add_rms_norm", <void*>add_rms_kernel[f32x], <void*>add_rms_kernel[f64x], b"rrvs", b"rrs",
    b"h = x + residual, h / sqrt(mean(h^2) + eps) * weight and h")
rms_stats_gufunc = with_short_rows(along_axis(
    b"rms_stats", <void*>rms_stats_kernel[f32x], <void*>rms_stats_kernel[f64x], b"rs", b"s",
    b"1 / sqrt(mean(x^2) + eps)"), <void*>short_rms_stats_kernel[f32x], <void*>short_rms_stats_kernel[f64x])
layer_stats_gufunc = with_short_rows(along_axis(
    b"layer_stats", <void*>layer_stats_kernel[f32x], <void*>layer_stats_kernel[f64x], b"rs", b"ss",
    b"mean, 1 / sqrt(variance + eps)"), <void*>short_layer_stats_kernel[f32x], <void*>short_layer_stats_kernel[f64x])
layer_norm_gufunc = with_short_rows(along_axis(
    b"layer_norm", <void*>layer_kernel[f32x], <void*>layer_kernel[f64x], b"rvvs", b"rss",
    b"(x - mean) / sqrt(variance + eps) * weight + bias, the mean guessed and made good"),
    <void*>short_layer_kernel[f32x], <void*>short_layer_kernel[f64x])
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


# The flat functions.

cdef inline void rms_norm(const real* x, const real* weight, double eps, real* y, double* rstd, Py_ssize_t rows,
                          Py_ssize_t n) noexcept nogil:
    cdef double unused
    cdef Py_ssize_t row = n * itemsize(x)
    cdef char** at = [<char*>x, <char*>weight, <char*>&eps, <char*>y, <char*>(rstd if rstd != NULL else &unused)]
    cdef Py_ssize_t* steps = [row, 0, 0, row, <Py_ssize_t>sizeof(double) if rstd != NULL else 0]
    run_groups(<group_kernel>rms_kernel[real], <short_kernel>short_rms_kernel[real], at, steps, 5,
               group_of(rows, n, itemsize(x), 2), rows, n, 1, 0)


cdef inline void layer_norm(const real* x, const real* weight, const real* bias, double eps, real* y, double* mean,
                            double* rstd, Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    cdef double unused
    cdef Py_ssize_t row = n * itemsize(x)
    cdef char** at = [<char*>x, <char*>weight, <char*>bias, <char*>&eps, <char*>y,
                      <char*>(mean if mean != NULL else &unused), <char*>(rstd if rstd != NULL else &unused)]
    cdef Py_ssize_t* steps = [row, 0, 0, 0, row, <Py_ssize_t>sizeof(double) if mean != NULL else 0,
                              <Py_ssize_t>sizeof(double) if rstd != NULL else 0]
    run_groups(<group_kernel>layer_kernel[real], <short_kernel>short_layer_kernel[real], at, steps, 7,
               group_of(rows, n, itemsize(x), 2), rows, n, 1, 0)


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
    # row[n], in which each value stands `times` times, one after the other
    cdef Py_ssize_t i
    for i in range(n):
        if real is f32x:
            (<float*>row)[i] = (<const float*>values)[i // times]
        else:
            (<double*>row)[i] = (<const double*>values)[i // times]


cdef bint group_norm(const real* x, const real* weight, const real* bias, double eps, real* y, double* mean,
                     double* rstd, Py_ssize_t batch, Py_ssize_t channels, Py_ssize_t size,
                     Py_ssize_t groups) noexcept nogil:
    # one group of all examples at a time: its weights are then a row that these examples share
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
        run_groups(<group_kernel>layer_kernel[real], <short_kernel>short_layer_kernel[real], at, steps, 7,
                   group_of(batch, n, itemsize(x), 2), batch, n, 1, 0)
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


cdef bint short_group_norm(Dtype dtype, const uint16_t* x, const float* weight, const float* bias, double eps,
                           uint16_t* y, double* mean, double* rstd, Py_ssize_t batch, Py_ssize_t channels,
                           Py_ssize_t size, Py_ssize_t groups) noexcept nogil:
    # the same of 16-bit elements, one group of one example at a time, in float32
    cdef double unused
    cdef Py_ssize_t own = channels // groups, n = own * size, g, example, k
    cdef float* group = <float*>malloc((3 * n + PADDING) * sizeof(float))
    cdef float* weights = group + n + PADDING
    cdef Operands p
    if group == NULL:
        return False
    for g in range(groups):
        p[0], p[1], p[2], p[3], p[4], p[5], p[6] = group, NULL, NULL, &eps, group, &unused, &unused
        if weight != NULL:
            repeat_each(<const f32x*>(weight + g * own), size, n, <f32x*>weights)
            p[1] = weights
        if bias != NULL:
            repeat_each(<const f32x*>(bias + g * own), size, n, <f32x*>(weights + n))
            p[2] = weights + n
        for example in range(batch):
            k = example * groups + g
            if mean != NULL:
                p[5] = mean + k
            if rstd != NULL:
                p[6] = rstd + k
            take_row(dtype, <f32x*>group, <const char*>(x + k * n), sizeof(uint16_t), n)
            layer_kernel(<const f32x*>NULL, &p, 1, n, 1, 0)
            put_row(dtype, <char*>(y + k * n), sizeof(uint16_t), <const f32x*>group, n)
    free(group)
    return True


cdef bint group_norm_bfloat16(const uint16_t* x, const float* weight, const float* bias, double eps, uint16_t* y,
                              double* mean, double* rstd, Py_ssize_t batch, Py_ssize_t channels, Py_ssize_t size,
                              Py_ssize_t groups) noexcept nogil:
    return short_group_norm(BFLOAT16, x, weight, bias, eps, y, mean, rstd, batch, channels, size, groups)


cdef bint group_norm_float16(const uint16_t* x, const float* weight, const float* bias, double eps, uint16_t* y,
                             double* mean, double* rstd, Py_ssize_t batch, Py_ssize_t channels, Py_ssize_t size,
                             Py_ssize_t groups) noexcept nogil:
    return short_group_norm(FLOAT16, x, weight, bias, eps, y, mean, rstd, batch, channels, size, groups)


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
    if sums != NULL:
        put_element(sums, c, sum_values(skip(values, c * size), size, 1))


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
