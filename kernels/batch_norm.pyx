# Batch norm: statistics of segments and their merging over a batch, the affine map, and the gradients. A segment is
# what one example holds of one channel; examples of a channel are merged by equal-sized groups. Where that is one
# number, examples are rows of all channels, and a register holds neighbouring channels: batch_columns.pyx. Which rows,
# dtypes and strides is rows.pxd; the order of sums is reductions.pxd; what axes mean is pylib/channel_norms.py.
cimport numpy as np

from .lanes cimport f32x, f64x, fma, real, splat, splat_f64
from .reductions cimport Pair, first_lanes, map_block, map_row, rounded, sum_block, sum_row, sum_values, take, wide
from .rows cimport along_axis

np.import_array()
np.import_ufunc()

cdef struct Segment:
    const void* grad
    const void* x
    double mean
    double mean_rest  # what rounding the mean to the segment's precision lost
    double rstd
    double weight
    double bias
    double grad_mean
    double grad_normed_mean
    bint streamed


cdef inline void set_mean(const real* like, Segment* segment, double mean) noexcept nogil:
    segment.mean = rounded(like, mean)
    segment.mean_rest = mean - segment.mean


# The sums, in float64.

cdef inline void add_centred(const real* like, const void* row, Py_ssize_t i, Py_ssize_t n,
                             f64x* sums) noexcept nogil:
    cdef f64x x = wide(<const real*>(<const Segment*>row).x, i, n)
    x = x - first_lanes(splat_f64((<const Segment*>row).mean), n)
    sums[0] = sums[0] + x
    sums[1] = sums[1] + x * x


cdef inline void add_grads(const real* like, const void* row, Py_ssize_t i, Py_ssize_t n,
                           f64x* sums) noexcept nogil:
    cdef const Segment* segment = <const Segment*>row
    cdef f64x grad = wide(<const real*>segment.grad, i, n)
    cdef f64x x = (wide(<const real*>segment.x, i, n) - splat_f64(segment.mean)) - splat_f64(segment.mean_rest)
    sums[0] = sums[0] + grad
    sums[1] = sums[1] + grad * (x * splat_f64(segment.rstd))


cdef Pair centred(const real* like, const void* row, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    cdef Segment own = (<const Segment*>row)[0]
    return sum_block(add_centred[real], 2, like, &own, start, n)


cdef Pair grads(const real* like, const void* row, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    cdef Segment own = (<const Segment*>row)[0]
    return sum_block(add_grads[real], 2, like, &own, start, n)


cdef inline Pair moments(const real* like, const void* x, Py_ssize_t n, int threads) noexcept nogil:
    # mean and variance, in two passes; the second corrects the mean
    cdef Segment segment
    cdef Pair sums
    segment.x = x
    segment.mean = sum_values(<const real*>x, n, threads) / n
    sums = sum_row(centred[real], like, &segment, n, threads)
    sums.first /= n
    return Pair(segment.mean + sums.first, sums.second / n - sums.first * sums.first)


# The maps.

cdef inline real affine(const real* like, const void* row, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    # (x - mean) * rstd * weight + bias
    cdef const Segment* segment = <const Segment*>row
    cdef real x = take(<const real*>segment.x, i, n)
    x = (x - splat(x, segment.mean)) - splat(x, segment.mean_rest)
    return fma(x * splat(x, segment.rstd), splat(x, segment.weight), splat(x, segment.bias))


cdef inline real slope(const real* like, const void* row, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    # (grad - grad_mean - normed * grad_normed_mean) * rstd * weight
    cdef const Segment* segment = <const Segment*>row
    cdef real grad = take(<const real*>segment.grad, i, n), x = take(<const real*>segment.x, i, n)
    x = ((x - splat(x, segment.mean)) - splat(x, segment.mean_rest)) * splat(x, segment.rstd)
    grad = fma(-x, splat(x, segment.grad_normed_mean), grad - splat(x, segment.grad_mean))
    return grad * splat(x, segment.rstd) * splat(x, segment.weight)


cdef void affine_block(real* y, const void* row, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    cdef Segment own = (<const Segment*>row)[0]
    map_block(affine[real], y, &own, start, n, own.streamed)


cdef void slope_block(real* y, const void* row, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    cdef Segment own = (<const Segment*>row)[0]
    map_block(slope[real], y, &own, start, n, own.streamed)


# The gufuncs.

cdef void moments_row(const real* like, void** p, Py_ssize_t n, int threads, bint streamed) noexcept nogil:
    # x -> mean, variance
    cdef Pair found = moments(like, p[0], n, threads)
    (<double*>p[1])[0], (<double*>p[2])[0] = found.first, found.second


cdef void merged_row(const real* like, void** p, Py_ssize_t n, int threads, bint streamed) noexcept nogil:
    # means, variances (of n groups of one size) -> mean, variance
    cdef Pair of_means = moments(like, p[0], n, threads), of_variances = moments(like, p[1], n, threads)
    (<double*>p[2])[0] = of_means.first
    (<double*>p[3])[0] = of_means.second + of_variances.first


cdef void affine_row(const real* like, void** p, Py_ssize_t n, int threads, bint streamed) noexcept nogil:
    # x, mean, rstd, weight, bias -> y
    cdef Segment segment
    segment.x, segment.streamed = p[0], streamed
    set_mean(like, &segment, (<double*>p[1])[0])
    segment.rstd, segment.weight, segment.bias = (<double*>p[2])[0], (<double*>p[3])[0], (<double*>p[4])[0]
    map_row(affine_block[real], <real*>p[5], &segment, n, threads)


cdef void sums_row(const real* like, void** p, Py_ssize_t n, int threads, bint streamed) noexcept nogil:
    # grad, x, mean, rstd -> sum(grad), sum(grad * normed)
    cdef Segment segment
    cdef Pair found
    segment.grad, segment.x, segment.rstd = p[0], p[1], (<double*>p[3])[0]
    set_mean(like, &segment, (<double*>p[2])[0])
    found = sum_row(grads[real], like, &segment, n, threads)
    (<double*>p[4])[0], (<double*>p[5])[0] = found.first, found.second


cdef void slope_row(const real* like, void** p, Py_ssize_t n, int threads, bint streamed) noexcept nogil:
    # grad, x, mean, rstd, weight, sum(grad), sum(grad * normed), count -> grad_x; an infinite count leaves the sums out
    cdef Segment segment
    segment.grad, segment.x, segment.rstd, segment.streamed = p[0], p[1], (<double*>p[3])[0], streamed
    set_mean(like, &segment, (<double*>p[2])[0])
    segment.weight = (<double*>p[4])[0]
    segment.grad_mean = (<double*>p[5])[0] / (<double*>p[7])[0]
    segment.grad_normed_mean = (<double*>p[6])[0] / (<double*>p[7])[0]
    map_row(slope_block[real], <real*>p[8], &segment, n, threads)


cdef void total_row(const real* like, void** p, Py_ssize_t n, int threads, bint streamed) noexcept nogil:
    # x -> sum(x)
    (<double*>p[1])[0] = sum_values(<const real*>p[0], n, threads)


moments_gufunc = along_axis(b"moments", <void*>moments_row[f32x], <void*>moments_row[f64x], b"r", b"ss",
                            b"x -> mean, variance")
merged_gufunc = along_axis(b"merged_moments", <void*>merged_row[f32x], <void*>merged_row[f64x], b"rr", b"ss",
                           b"means, variances -> mean, variance")
affine_gufunc = along_axis(b"affine", <void*>affine_row[f32x], <void*>affine_row[f64x], b"rssss", b"r",
                           b"x, mean, rstd, weight, bias -> y")
sums_gufunc = along_axis(b"batch_sums", <void*>sums_row[f32x], <void*>sums_row[f64x], b"rrss", b"ss",
                         b"grad, x, mean, rstd -> sum(grad), sum(grad * normed)")
slope_gufunc = along_axis(b"batch_slope", <void*>slope_row[f32x], <void*>slope_row[f64x], b"rrssssss", b"r",
                          b"grad, x, mean, rstd, weight, sum(grad), sum(grad * normed), count -> grad_x")
total_gufunc = along_axis(b"total", <void*>total_row[f32x], <void*>total_row[f64x], b"r", b"s", b"sum(x)")
