# Batch norm: statistics of segments and their merging over a batch, the affine map, and the gradients. A segment is
# what one example holds of one channel; examples of a channel are merged by equal-sized groups. Where that is one
# number, examples are rows of all channels, and a register holds neighbouring channels: parts/batch_norm_columns.pxi.
# Which rows, dtypes and strides is loops/rows.pxd; the order of sums is loops/reductions.pxd; what axes mean is
# pylib/functions/channel_norms.py.
#
# Where squares, differences or reciprocals would leave the exponent range, a channel is multiplied by a power of two
# first, its scale; mean and rstd are then those of x * scale. rowwise/exponent_range.pxd says which channels these are.
from libc.math cimport INFINITY, fabs, ldexp, sqrt
from libc.stdint cimport uint16_t, uint32_t
from libc.stdlib cimport free, malloc

cimport numpy as np

from .lanes cimport (
    F32_LANES, F64_LANES, any_count, enter_environment, environment, f32x, f64x, fma, leave_environment, load_f64, real,
    splat, splat_f32, splat_f64, store_f64, store_part_f64,
)
from .loops.dtypes cimport BFLOAT16, FLOAT16, FLOAT32, FLOAT64, Dtype, is_short, size_of
from .loops.operations cimport (
    GROUP, MAX_ROW_OPERANDS, SHORT_ROWS, STREAMED, Operand, Operands, Operation, Pass, along_axis, group_kernel,
    loop_function, on_matrices, operations_of, pass_function, row_machine, with_short_rows,
)
from .loops.reductions cimport (
    FOLD, FOLDED_PARTS, FOLDED_SUMS, FOLDED_TERMS, SUMS, Pair, add_element, add_float_terms, add_folds, add_more_terms,
    add_pairs, element, end_fold, first_lanes, map_block, map_pair, map_row, put_element, rounded, row_context,
    sum_block, sum_row, sum_values, take, tree, wide,
)
from .loops.registers cimport skip
from .loops.rows cimport CHUNKS, LINE, has_memory, lay_out, set_chunks, set_workers, whole
from .loops.short_rows cimport add_short, map_short, put_numbers, short_means, short_totals
from .loops.threads cimport THREAD_MIN, run_chunks, thread_count
from .loops.tiles cimport PADDING, direct, put_row, take_row
from .rowwise.exponent_range cimport ordinary, reciprocal_square_root, rescue_scale, statistics_scale
from .rowwise.norm_groups cimport add_wide

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


cdef inline void set_mean(const real* like, Segment* segment, double mean) noexcept nogil:
    segment.mean = rounded(like, mean)
    segment.mean_rest = mean - segment.mean


# The sums, in float64.

cdef inline void add_centred(const real* like, const void* context, Py_ssize_t i, Py_ssize_t n,
                             f64x* sums) noexcept nogil:
    cdef f64x x = wide(<const real*>(<const Segment*>context).x, i, n) * splat_f64((<const Segment*>context).scale)
    x = x - first_lanes(splat_f64((<const Segment*>context).mean), n)
    sums[0] = sums[0] + x
    sums[1] = sums[1] + x * x


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
    return sum_block(add_centred[real], 2, like, &own, start, n)


cdef Pair scaled_values(const real* like, const void* context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    cdef Segment own = (<const Segment*>context)[0]
    return sum_block(add_value[real], 1, like, &own, start, n)


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

cdef inline real affine(const real* like, const void* context, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    # (x - mean) * rstd * weight + bias
    cdef const Segment* segment = <const Segment*>context
    cdef real x = take(<const real*>segment.x, i, n)
    x = x * splat(x, segment.scale)
    x = (x - splat(x, segment.mean)) - splat(x, segment.mean_rest)
    return fma(x * splat(x, segment.rstd), splat(x, segment.weight), splat(x, segment.bias))


cdef inline real slope(const real* like, const void* context, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    # (grad - grad_mean - normed * grad_normed_mean) * rstd * weight
    cdef const Segment* segment = <const Segment*>context
    cdef real grad = take(<const real*>segment.grad, i, n), x = take(<const real*>segment.x, i, n)
    x = x * splat(x, segment.scale)
    x = ((x - splat(x, segment.mean)) - splat(x, segment.mean_rest)) * splat(x, segment.rstd)
    grad = fma(-x, splat(x, segment.grad_normed_mean), grad - splat(x, segment.grad_mean))
    return grad * splat(x, segment.rstd) * splat(x, segment.weight) * splat(x, segment.scale)


cdef void affine_block(real* y, const void* context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    cdef Segment own = (<const Segment*>context)[0]
    own.scale = 1.0
    map_block(affine[real], y, &own, start, n, own.streamed)


cdef void scaled_affine_block(real* y, row_context context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    map_block(affine[real], y, context, start, n, (<const Segment*>context).streamed)


cdef void slope_block(real* y, const void* context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    cdef Segment own = (<const Segment*>context)[0]
    own.scale = 1.0
    map_block(slope[real], y, &own, start, n, own.streamed)


cdef void scaled_slope_block(real* y, row_context context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    map_block(slope[real], y, context, start, n, (<const Segment*>context).streamed)


# The gufuncs.

cdef void moments_kernel(const real* like, Operands* p, Py_ssize_t rows, Py_ssize_t n, int threads,
                         int manner) noexcept nogil:
    # x, scale -> mean, variance
    cdef Pair found
    cdef Py_ssize_t r
    for r in range(rows):
        found = moments(like, p[r][0], (<double*>p[r][1])[0], n, threads)
        (<double*>p[r][2])[0], (<double*>p[r][3])[0] = found.first, found.second


cdef void merged_kernel(const real* like, Operands* p, Py_ssize_t rows, Py_ssize_t n, int threads,
                        int manner) noexcept nogil:
    # means, variances (of n groups of one size) -> mean, variance
    cdef Pair of_means, of_variances
    cdef Py_ssize_t r
    for r in range(rows):
        of_means = moments(like, p[r][0], 1.0, n, threads)
        of_variances = moments(like, p[r][1], 1.0, n, threads)
        (<double*>p[r][2])[0] = of_means.first
        (<double*>p[r][3])[0] = of_means.second + of_variances.first


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
include "parts/batch_norm_short_rows.pxi"


moments_gufunc = with_short_rows(
    along_axis(b"moments", <void*>moments_kernel[f32x], <void*>moments_kernel[f64x], b"rs", b"ss",
               b"x, scale -> mean, variance"),
    <void*>short_moments_kernel[f32x], <void*>short_moments_kernel[f64x])
merged_gufunc = with_short_rows(
    along_axis(b"merged_moments", <void*>merged_kernel[f32x], <void*>merged_kernel[f64x], b"rr", b"ss",
               b"means, variances -> mean, variance"),
    <void*>short_merged_kernel[f32x], <void*>short_merged_kernel[f64x])
affine_gufunc = with_short_rows(
    along_axis(b"affine", <void*>affine_kernel[f32x], <void*>affine_kernel[f64x], b"rsssss", b"r",
               b"x, mean, rstd, scale, weight, bias -> y"),
    <void*>short_affine_kernel[f32x], <void*>short_affine_kernel[f64x])
sums_gufunc = on_matrices(
    b"batch_sums", NULL, NULL, b"mmddd", b"dd", b"grad, x, mean, rstd, scale -> sum(grad), sum(grad * normed)",
    <void*>sums_loop, <void*>sums_loop)
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


# The statistics of each channel, as arrays of float64.

cdef np.ndarray plain(object values):
    # as C lays them out
    return np.PyArray_FROMANY(values, np.NPY_DOUBLE, 1, 1, np.NPY_ARRAY_CARRAY_RO)


cdef inline double scale_of(double mean, double variance, double eps) noexcept nogil:
    # an eps that is not tiny hides squares that underflowed
    if ordinary(<const f64x*>NULL, variance + (eps if eps > ldexp(1.0, -800) else 0.0)):
        return 1.0
    return rescue_scale(<const f64x*>NULL, variance, mean)


cdef inline double rstd_from(double variance, double scale, double eps) noexcept nogil:
    # of a variance times the square of its scale
    return 1.0 / sqrt(variance + eps) if scale == 1.0 else reciprocal_square_root(eps, scale, variance)


cdef inline double average(double sum, double count) noexcept nogil:
    return 0.0 if count == INFINITY else sum / count


def scales(mean, variance, double eps):
    """The powers of two by which channels of float64 are multiplied for their variances, or None where all are 1."""
    cdef np.ndarray means = plain(mean), variances = plain(variance)
    cdef Py_ssize_t i, channels = np.PyArray_SIZE(means)
    cdef const double* m = <const double*>np.PyArray_DATA(means)
    cdef const double* v = <const double*>np.PyArray_DATA(variances)
    cdef np.ndarray found = np.PyArray_EMPTY(1, np.PyArray_DIMS(means), np.NPY_DOUBLE, 0)
    cdef double* s = <double*>np.PyArray_DATA(found)
    cdef bint rescued = False
    for i in range(channels):
        s[i] = scale_of(m[i], v[i], eps)
        rescued = rescued or s[i] != 1.0
    return found if rescued else None


cdef inline void settle(const real* like, double* mean, double* rstd, double* scale) noexcept nogil:
    # mean and rstd as those of a row times the scale that its precision asks for; a scale that is set already stays
    cdef double wanted
    if scale[0] == 1.0:
        wanted = statistics_scale(like, mean[0], rstd[0])
        if wanted != 1.0:
            mean[0], rstd[0], scale[0] = mean[0] * wanted, rstd[0] / wanted, wanted


cdef inline void settle_in(bint double_precision, double* mean, double* rstd, double* scale) noexcept nogil:
    if double_precision:
        settle(<const f64x*>NULL, mean, rstd, scale)
    else:
        settle(<const f32x*>NULL, mean, rstd, scale)


def settled(bint double_precision, mean, rstd):
    """Mean and rstd of each channel times its scale, and the scales, for arrays of float64 or shorter ones."""
    cdef np.ndarray means = plain(mean).copy(), rstds = plain(rstd).copy()
    cdef Py_ssize_t i
    cdef np.ndarray found = np.PyArray_EMPTY(1, np.PyArray_DIMS(means), np.NPY_DOUBLE, 0)
    cdef double* m = <double*>np.PyArray_DATA(means)
    cdef double* r = <double*>np.PyArray_DATA(rstds)
    cdef double* s = <double*>np.PyArray_DATA(found)
    cdef environment callers = enter_environment()
    for i in range(np.PyArray_SIZE(means)):
        s[i] = 1.0
        settle_in(double_precision, m + i, r + i, s + i)
    leave_environment(callers)
    return means, rstds, found


def with_rstd(bint double_precision, mean, variance, scale, double eps):
    """The same of mean and variance times a scale, or None where all are 1; and what mean, variance and rstd are
    without one."""
    cdef np.ndarray means = plain(mean).copy(), variances = plain(variance).copy(), rstds, plain_means, plain_rstds
    cdef np.ndarray found = (np.PyArray_EMPTY(1, np.PyArray_DIMS(means), np.NPY_DOUBLE, 0) if scale is None
                             else plain(scale).copy())
    cdef Py_ssize_t i, channels = np.PyArray_SIZE(means)
    rstds = np.PyArray_EMPTY(1, np.PyArray_DIMS(means), np.NPY_DOUBLE, 0)
    plain_means = np.PyArray_EMPTY(1, np.PyArray_DIMS(means), np.NPY_DOUBLE, 0)
    plain_rstds = np.PyArray_EMPTY(1, np.PyArray_DIMS(means), np.NPY_DOUBLE, 0)
    cdef double* m = <double*>np.PyArray_DATA(means)
    cdef double* v = <double*>np.PyArray_DATA(variances)
    cdef double* s = <double*>np.PyArray_DATA(found)
    cdef double* r = <double*>np.PyArray_DATA(rstds)
    cdef double* without_m = <double*>np.PyArray_DATA(plain_means)
    cdef double* without_r = <double*>np.PyArray_DATA(plain_rstds)
    cdef environment callers = enter_environment()
    for i in range(channels):
        if scale is None:
            s[i] = 1.0
        r[i] = rstd_from(v[i], s[i], eps)
        without_m[i], without_r[i], v[i] = m[i] / s[i], r[i] * s[i], v[i] / s[i] / s[i]
        settle_in(double_precision, m + i, r + i, s + i)
    leave_environment(callers)
    return means, rstds, found, plain_means, plain_rstds, variances


def blended(kept, batch, double momentum, double factor):
    """Running statistics after a batch: (1 - momentum) * kept + momentum * (batch * factor)."""
    cdef np.ndarray olds = plain(kept), news = plain(batch)
    cdef np.ndarray found = np.PyArray_EMPTY(1, np.PyArray_DIMS(olds), np.NPY_DOUBLE, 0)
    cdef const double* old = <const double*>np.PyArray_DATA(olds)
    cdef const double* new = <const double*>np.PyArray_DATA(news)
    cdef double* y = <double*>np.PyArray_DATA(found)
    cdef Py_ssize_t i
    cdef environment callers = enter_environment()
    for i in range(np.PyArray_SIZE(olds)):
        y[i] = blend(old[i], new[i], momentum, factor)
    leave_environment(callers)
    return found


def averages(sums, double count):
    """Sums of float64 divided by how many there are of each; 0 for an infinite count, which leaves the sums out."""
    cdef np.ndarray totals = plain(sums)
    cdef np.ndarray found = np.PyArray_EMPTY(1, np.PyArray_DIMS(totals), np.NPY_DOUBLE, 0)
    cdef const double* total = <const double*>np.PyArray_DATA(totals)
    cdef Py_ssize_t i
    for i in range(np.PyArray_SIZE(totals)):
        (<double*>np.PyArray_DATA(found))[i] = average(total[i], count)
    return found


cdef int no_memory(str name, str what, Py_ssize_t size) except -1:
    raise MemoryError(f"{name}: no memory for {what}, {size} bytes")


include "parts/batch_norm_at_once.pxi"


include "parts/batch_norm_doors.pxi"
