# Norms of a row, forward: rms_norm, layer_norm, add_rms_norm. Backward is norms_backward.pyx; which rows, dtypes and
# strides is rows.pxd; the order of the sums is reductions.pxd.
#
# Bytes: rms_norm reads its row once for the statistic (a sum of squares) and once to scale it; layer_norm reads it
# twice for the statistics (the mean, then centred squares) and once to scale it. A row that fits the first-level cache
# comes from memory once; a row beyond the second-level cache comes two or three times.
from libc.math cimport fabs, ldexp, sqrt

cimport numpy as np

from .lanes cimport add_product_f64, f32x, f64x, fma, real, splat, splat_f32, splat_f64
from .loops cimport skip
from .reductions cimport (
    Pair, first_lanes, fold_block, map_block, map_row, merge_row, sum_block, sum_row, sum_values, take, wide,
)
from .rows cimport along_axis

np.import_array()
np.import_ufunc()

cdef struct Norm:
    const void* x
    const void* weight
    const void* bias
    double mean
    double mean_rest  # what rounding the mean to the row's precision lost
    double rstd
    double scale  # a power of two the row is multiplied by: 1 but for rows near the ends of the exponent range
    bint streamed


# The statistics. Terms are added in float64, where no float32 overflows.

cdef inline void add_value(const real* like, const void* row, Py_ssize_t i, Py_ssize_t n, f64x* sums,
                           f64x* unused) noexcept nogil:
    cdef const Norm* norm = <const Norm*>row
    sums[0] = sums[0] + wide(<const real*>norm.x, i, n) * splat_f64(norm.scale)


cdef inline void add_square(const real* like, const void* row, Py_ssize_t i, Py_ssize_t n, f64x* sums,
                            f64x* unused) noexcept nogil:
    cdef const Norm* norm = <const Norm*>row
    cdef f64x x = wide(<const real*>norm.x, i, n) * splat_f64(norm.scale)
    if real is f32x:
        sums[0] = add_product_f64(x, x, sums[0])
    else:
        sums[0] = sums[0] + x * x


cdef inline void add_centred(const real* like, const void* row, Py_ssize_t i, Py_ssize_t n, f64x* sums,
                             f64x* squares) noexcept nogil:
    cdef const Norm* norm = <const Norm*>row
    cdef f64x x = wide(<const real*>norm.x, i, n) * splat_f64(norm.scale)
    x = x - first_lanes(splat_f64(norm.mean), n)
    sums[0] = sums[0] + x
    squares[0] = squares[0] + x * x


cdef inline void fold_square(const f32x* like, const void* row, Py_ssize_t i, Py_ssize_t n,
                             f32x* squares, f32x* unused) noexcept nogil:
    cdef f32x x = take(<const f32x*>(<const Norm*>row).x, i, n)
    squares[0] = fma(x, x, squares[0])


cdef inline void fold_centred(const f32x* like, const void* row, Py_ssize_t i, Py_ssize_t n,
                              f32x* squares, f32x* unused) noexcept nogil:
    cdef const Norm* norm = <const Norm*>row
    cdef f32x x = take(<const f32x*>norm.x, i, n) - first_lanes(splat_f32(<float>norm.mean), n)
    squares[0] = fma(x, x, squares[0])


# The ordinary row. The compiler knows that the scale is 1 and leaves the product out.

cdef Pair squares(const real* like, const void* row, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    cdef Norm norm = (<const Norm*>row)[0]
    norm.scale = 1.0
    if real is f32x:
        return fold_block(fold_square, False, &norm, start, n)
    else:
        return sum_block(add_square[real], like, &norm, start, n)


cdef Pair centred(const real* like, const void* row, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    # the sums of deviations (of float64 only) and of their squares
    cdef Norm norm = (<const Norm*>row)[0]
    norm.scale = 1.0
    if real is f32x:
        return Pair(0.0, fold_block(fold_centred, False, &norm, start, n).first)
    else:
        return sum_block(add_centred[real], like, &norm, start, n)


# The row near the ends of the exponent range.

cdef Pair scaled_values(const real* like, const void* row, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    cdef Norm norm = (<const Norm*>row)[0]
    return sum_block(add_value[real], like, &norm, start, n)


cdef Pair scaled_squares(const real* like, const void* row, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    cdef Norm norm = (<const Norm*>row)[0]
    return sum_block(add_square[real], like, &norm, start, n)


cdef Pair scaled_centred(const real* like, const void* row, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    cdef Norm norm = (<const Norm*>row)[0]
    return sum_block(add_centred[real], like, &norm, start, n)


cdef Pair shifted(const real* like, const void* row, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    # The mean and the sum of centred squares of a block in one pass. The shift is an element of the block, so it is at
    # most sqrt(BLOCK) standard deviations from the mean, and the difference below loses at most 12 bits of 53.
    cdef Norm norm = (<const Norm*>row)[0]
    cdef Pair sums
    if real is f32x:
        norm.mean = (<const float*>norm.x)[start] * norm.scale
    else:
        norm.mean = (<const double*>norm.x)[start] * norm.scale
    sums = sum_block(add_centred[real], like, &norm, start, n)
    return Pair(norm.mean + sums.first / n, sums.second - sums.first * sums.first / n)


cdef inline Pair merge_moments(Pair a, Py_ssize_t a_size, Pair b, Py_ssize_t b_size) noexcept nogil:
    # Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances", 1979
    cdef double apart = b.first - a.first, n = a_size + b_size
    return Pair(a.first + apart * (b_size / n), a.second + b.second + apart * apart * (a_size * (b_size / n)))


# The rows near the ends of the exponent range, where a square or a reciprocal would leave it.

cdef inline bint ordinary(const real* like, double square) noexcept nogil:
    # whether a mean square lets the row be computed as it stands: neither infinite nor NaN, nor so small that
    # squares may have been lost
    if real is f32x:
        return ldexp(1.0, -60) <= square and square <= ldexp(1.0, 100)
    else:
        return ldexp(1.0, -900) <= square and square <= ldexp(1.0, 900)


cdef inline double rescue_scale(const real* like, double square, double mean) noexcept nogil:
    # a row of little variance whose mean is not small is constant, and stays as it is
    cdef bint small = square < 1.0
    if real is f32x:
        if small:
            return ldexp(1.0, 100) if fabs(mean) < ldexp(1.0, 20) else 1.0
        return ldexp(1.0, -60)
    else:
        if small:
            return ldexp(1.0, 700) if fabs(mean) < ldexp(1.0, 200) else 1.0
        return ldexp(1.0, -600)


cdef inline double reciprocal_root(const Norm* norm, double square, double eps) noexcept nogil:
    # 1 / sqrt(square + eps) of the row times norm.scale; an eps beyond what float64 holds is all there is
    eps = sqrt(eps) * norm.scale
    return 1.0 / sqrt(square + eps * eps) if eps < ldexp(1.0, 500) else 1.0 / eps


cdef inline double rms_root(const real* like, Norm* norm, double eps, Py_ssize_t n, int threads) noexcept nogil:
    # rstd of the row times norm.scale
    cdef double square
    norm.scale = 1.0
    square = sum_row(squares[real], like, norm, n, threads).first / n
    if ordinary(like, square):
        return 1.0 / sqrt(square + eps)
    norm.scale = rescue_scale(like, square, 0.0)
    return reciprocal_root(norm, sum_row(scaled_squares[real], like, norm, n, threads).first / n, eps)


cdef inline double layer_root(const real* like, Norm* norm, double eps, Py_ssize_t n, int threads) noexcept nogil:
    # Two passes. Deviations are taken from the mean rounded to the row's precision, and what that has lost is
    # subtracted: from float32 it is known, for float64 it is the mean of the deviations.
    cdef double square, mean
    cdef Pair sums
    norm.scale = 1.0
    mean = sum_values(<const real*>norm.x, n, threads) / n
    split_mean(like, norm, mean, 0.0)
    sums = sum_row(centred[real], like, norm, n, threads)
    if real is f64x:
        norm.mean_rest = sums.first / n
    square = sums.second / n - norm.mean_rest * norm.mean_rest
    if ordinary(like, square):
        return 1.0 / sqrt(square + eps)
    norm.scale = rescue_scale(like, square, mean)
    norm.mean = sum_row(scaled_values[real], like, norm, n, threads).first / n
    sums = sum_row(scaled_centred[real], like, norm, n, threads)
    split_mean(like, norm, norm.mean, sums.first / n)
    sums.first /= n
    return reciprocal_root(norm, sums.second / n - sums.first * sums.first, eps)


cdef inline double one_pass_root(const real* like, Norm* norm, double eps, Py_ssize_t n,
                                 int threads) noexcept nogil:
    cdef Pair moments
    norm.scale = 1.0
    moments = merge_row(shifted[real], merge_moments, like, norm, n, threads)
    if not ordinary(like, moments.second / n):
        norm.scale = rescue_scale(like, moments.second / n, moments.first)
        moments = merge_row(shifted[real], merge_moments, like, norm, n, threads)
    split_mean(like, norm, moments.first, 0.0)
    return reciprocal_root(norm, moments.second / n, eps)


cdef inline void split_mean(const real* like, Norm* norm, double mean, double rest) noexcept nogil:
    # mean + rest as a number of the row's precision and what is left: x - mean is then right to the last bit or
    # two even where nearly all of x is mean
    if real is f32x:
        norm.mean = <float>(mean + rest)
        norm.mean_rest = (mean - norm.mean) + rest
    else:
        norm.mean = mean
        norm.mean_rest = rest


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
    x = x * splat(x, norm.scale) * splat(x, norm.rstd)
    return weighted(norm.weight, NULL, x, like, i, n)


cdef inline real layer_point(const real* like, const void* row, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    # (x - mean) * rstd * weight + bias; x - mean is exact where they are close, mean_rest half its last bit
    cdef const Norm* norm = <const Norm*>row
    cdef real x = take(<const real*>norm.x, i, n), rstd = splat(x, norm.rstd)
    x = fma(x * splat(x, norm.scale) - splat(x, norm.mean), rstd, splat(x, -norm.mean_rest) * rstd)
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


cdef void scaled_rms_block(real* y, const void* row, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    cdef Norm norm = (<const Norm*>row)[0]
    map_block(rms_point[real], y, &norm, start, n, norm.streamed)


cdef void scaled_layer_block(real* y, const void* row, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    cdef Norm norm = (<const Norm*>row)[0]
    map_block(layer_point[real], y, &norm, start, n, norm.streamed)


cdef inline void rms_norm(const real* x, const real* weight, double eps, real* y, double* rstd, Py_ssize_t rows,
                          Py_ssize_t n, int threads, bint streamed) noexcept nogil:
    cdef Norm norm = Norm(x, weight, NULL, 0.0, 0.0, 0.0, 1.0, streamed)
    cdef Py_ssize_t r
    for r in range(rows):
        norm.x = skip(x, r * n)
        norm.rstd = rms_root(x, &norm, eps, n, threads)
        if norm.scale == 1.0:
            map_row(rms_block[real], <real*>skip(y, r * n), &norm, n, threads)
        else:
            map_row(scaled_rms_block[real], <real*>skip(y, r * n), &norm, n, threads)
        if rstd != NULL:
            rstd[r] = norm.rstd * norm.scale


cdef inline void layer_norm(
        double (*root_of)(const real*, Norm*, double, Py_ssize_t, int) noexcept nogil, const real* x,
        const real* weight, const real* bias, double eps, real* y, double* mean, double* rstd, Py_ssize_t rows,
        Py_ssize_t n, int threads, bint streamed) noexcept nogil:
    cdef Norm norm = Norm(x, weight, bias, 0.0, 0.0, 0.0, 1.0, streamed)
    cdef Py_ssize_t r
    for r in range(rows):
        norm.x = skip(x, r * n)
        norm.rstd = root_of(x, &norm, eps, n, threads)
        if norm.scale == 1.0:
            map_row(layer_block[real], <real*>skip(y, r * n), &norm, n, threads)
        else:
            map_row(scaled_layer_block[real], <real*>skip(y, r * n), &norm, n, threads)
        if mean != NULL:
            mean[r] = (norm.mean + norm.mean_rest) / norm.scale
        if rstd != NULL:
            rstd[r] = norm.rstd * norm.scale


# The flat functions.

cdef void rms_norm_float32(const float* x, const float* weight, double eps, float* y, double* rstd, Py_ssize_t rows,
                           Py_ssize_t n) noexcept nogil:
    rms_norm(<const f32x*>x, <const f32x*>weight, eps, <f32x*>y, rstd, rows, n, 1, False)


cdef void rms_norm_float64(const double* x, const double* weight, double eps, double* y, double* rstd,
                           Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    rms_norm(<const f64x*>x, <const f64x*>weight, eps, <f64x*>y, rstd, rows, n, 1, False)


cdef void layer_norm_float32(const float* x, const float* weight, const float* bias, double eps, float* y,
                             double* mean, double* rstd, Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    layer_norm(layer_root[f32x], <const f32x*>x, <const f32x*>weight, <const f32x*>bias, eps, <f32x*>y, mean, rstd,
               rows, n, 1, False)


cdef void layer_norm_float64(const double* x, const double* weight, const double* bias, double eps, double* y,
                             double* mean, double* rstd, Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    layer_norm(layer_root[f64x], <const f64x*>x, <const f64x*>weight, <const f64x*>bias, eps, <f64x*>y, mean, rstd,
               rows, n, 1, False)


# The gufuncs: x, weight, [bias,] eps -> y, [mean,] rstd.

cdef void rms_row(const real* like, void** p, Py_ssize_t n, int threads, bint streamed) noexcept nogil:
    rms_norm(<const real*>p[0], <const real*>p[1], (<double*>p[2])[0], <real*>p[3], <double*>p[4], 1, n, threads,
             streamed)


cdef void add_rms_row(const real* like, void** p, Py_ssize_t n, int threads, bint streamed) noexcept nogil:
    # x, residual, weight, eps -> y, x + residual, rstd: the sum is normed from the cache that it was written to
    cdef Norm norm = Norm(p[0], NULL, p[1], 0.0, 0.0, 0.0, 1.0, False)
    map_row(sum_of_rows_block[real], <real*>p[5], &norm, n, threads)
    rms_norm(<const real*>p[5], <const real*>p[2], (<double*>p[3])[0], <real*>p[4], <double*>p[6], 1, n, threads,
             streamed)


cdef void layer_row(const real* like, void** p, Py_ssize_t n, int threads, bint streamed) noexcept nogil:
    layer_norm(layer_root[real], <const real*>p[0], <const real*>p[1], <const real*>p[2], (<double*>p[3])[0],
               <real*>p[4], <double*>p[5], <double*>p[6], 1, n, threads, streamed)


cdef void one_pass_row(const real* like, void** p, Py_ssize_t n, int threads, bint streamed) noexcept nogil:
    layer_norm(one_pass_root[real], <const real*>p[0], <const real*>p[1], <const real*>p[2], (<double*>p[3])[0],
               <real*>p[4], <double*>p[5], <double*>p[6], 1, n, threads, streamed)


cdef void rms_stats_row(const real* like, void** p, Py_ssize_t n, int threads, bint streamed) noexcept nogil:
    cdef Norm norm = Norm(p[0], NULL, NULL, 0.0, 0.0, 0.0, 1.0, False)
    (<double*>p[2])[0] = rms_root(like, &norm, (<double*>p[1])[0], n, threads) * norm.scale


cdef void layer_stats_row(const real* like, void** p, Py_ssize_t n, int threads, bint streamed) noexcept nogil:
    cdef Norm norm = Norm(p[0], NULL, NULL, 0.0, 0.0, 0.0, 1.0, False)
    (<double*>p[3])[0] = layer_root(like, &norm, (<double*>p[1])[0], n, threads) * norm.scale
    (<double*>p[2])[0] = (norm.mean + norm.mean_rest) / norm.scale


rms_norm_gufunc = along_axis(
    b"rms_norm", <void*>rms_row[f32x], <void*>rms_row[f64x], b"rvs", b"rs", b"x / sqrt(mean(x^2) + eps) * weight")
add_rms_norm_gufunc = along_axis(
    b"add_rms_norm", <void*>add_rms_row[f32x], <void*>add_rms_row[f64x], b"rrvs", b"rrs",
    b"h = x + residual, h / sqrt(mean(h^2) + eps) * weight and h")
rms_stats_gufunc = along_axis(
    b"rms_stats", <void*>rms_stats_row[f32x], <void*>rms_stats_row[f64x], b"rs", b"s", b"1 / sqrt(mean(x^2) + eps)")
layer_stats_gufunc = along_axis(
    b"layer_stats", <void*>layer_stats_row[f32x], <void*>layer_stats_row[f64x], b"rs", b"ss",
    b"mean, 1 / sqrt(variance + eps)")
layer_norm_gufunc = along_axis(
    b"layer_norm", <void*>layer_row[f32x], <void*>layer_row[f64x], b"rvvs", b"rss",
    b"(x - mean) / sqrt(variance + eps) * weight + bias, the row read twice for its statistics")
layer_norm_one_pass_gufunc = along_axis(
    b"layer_norm_one_pass", <void*>one_pass_row[f32x], <void*>one_pass_row[f64x], b"rvvs", b"rss",
    b"as layer_norm, the row read once for its statistics")
