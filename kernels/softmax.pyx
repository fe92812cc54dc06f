# The softmax family along a row, forward and backward: softmax, log_softmax, softmin, logsumexp. The exponentials and
# their sum are exponentials.pxd; which rows, dtypes and strides is rows.pxd; cross-entropy is losses.pyx.
#
# Bytes: a row is read for its largest element and for the exponentials, which are written and then scaled.
from libc.math cimport INFINITY, NAN

cimport numpy as np

from .elementary cimport exp
from .exponentials cimport Exponents, all_block, find_top, log1p_of, others, top_not_finite
from .lanes cimport add_product_f64, f32x, f64x, fma, real, splat
from .loops cimport skip
from .reductions cimport Pair, map_block, map_row, sum_block, sum_row, sum_values, take, wide
from .rows cimport along_axis

np.import_array()
np.import_ufunc()

cdef struct Gradient:
    const void* grad
    const void* x
    double value  # what the points need of the row
    double rest  # and what rounding it to the row's precision lost
    double sign


# The points.

cdef inline real times(const real* like, const void* row, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    cdef real x = take(<const real*>(<const Gradient*>row).x, i, n)
    return x * splat(x, (<const Gradient*>row).value)


cdef inline real less(const real* like, const void* row, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    cdef real x = take(<const real*>(<const Gradient*>row).x, i, n)
    return (x - splat(x, (<const Gradient*>row).value)) - splat(x, (<const Gradient*>row).rest)


cdef inline real softmax_slope(const real* like, const void* row, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    # y (grad - sum(grad y))
    cdef real y = take(<const real*>(<const Gradient*>row).x, i, n)
    cdef real grad = take(<const real*>(<const Gradient*>row).grad, i, n)
    return y * ((grad - splat(y, (<const Gradient*>row).value)) * splat(y, (<const Gradient*>row).sign))


cdef inline real log_softmax_slope(const real* like, const void* row, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    # grad - e^y sum(grad)
    cdef real y = take(<const real*>(<const Gradient*>row).x, i, n)
    cdef real grad = take(<const real*>(<const Gradient*>row).grad, i, n)
    return fma(exp(y), splat(y, -(<const Gradient*>row).value), grad)


cdef void times_block(real* y, const void* row, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    cdef Gradient own = (<const Gradient*>row)[0]
    map_block(times[real], y, &own, start, n, False)


cdef void less_block(real* y, const void* row, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    cdef Gradient own = (<const Gradient*>row)[0]
    map_block(less[real], y, &own, start, n, False)


cdef void softmax_slope_block(real* y, const void* row, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    cdef Gradient own = (<const Gradient*>row)[0]
    map_block(softmax_slope[real], y, &own, start, n, False)


cdef void log_softmax_slope_block(real* y, const void* row, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    cdef Gradient own = (<const Gradient*>row)[0]
    map_block(log_softmax_slope[real], y, &own, start, n, False)


# The sum of backward.

cdef inline void add_grad_y(const real* like, const void* row, Py_ssize_t i, Py_ssize_t n, f64x* sums,
                            f64x* unused) noexcept nogil:
    cdef f64x grad = wide(<const real*>(<const Gradient*>row).grad, i, n)
    cdef f64x y = wide(<const real*>(<const Gradient*>row).x, i, n)
    if real is f32x:
        sums[0] = add_product_f64(grad, y, sums[0])
    else:
        sums[0] = sums[0] + grad * y


cdef Pair grad_y_block(const real* like, const void* row, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    cdef Gradient own = (<const Gradient*>row)[0]
    return sum_block(add_grad_y[real], like, &own, start, n)


# One row.

cdef inline void softmax(const real* x, real* y, double sign, double scale, Py_ssize_t n, int threads) noexcept nogil:
    # scale e^(sign x) / sum(e^(sign x))
    cdef Exponents row = Exponents(x, y, sign, 0.0, 0.0, 0.0, 0.0, 0.0)
    cdef Gradient scaling = Gradient(NULL, y, NAN, 0.0, 1.0)
    if find_top(x, &row, n, threads):
        scaling.value = scale / sum_row(all_block[real], x, &row, n, threads).first
    else:
        scaling.x = x
    map_row(times_block[real], y, &scaling, n, threads)


cdef inline double logsumexp(const real* x, Exponents* row, double* rest, Py_ssize_t n, int threads) noexcept nogil:
    # log(sum(e^x)) in the row's precision, and what rounding it lost
    cdef double log_rest, y
    if not find_top(x, row, n, threads):
        rest[0] = 0.0
        return top_not_finite(x, row, n)
    log_rest = log1p_of(others(x, row, n, threads))
    if real is f32x:
        y = <float>(row.top + log_rest)
    else:
        y = row.top + log_rest
    rest[0] = (row.top - y) + log_rest
    return y


cdef inline void log_softmax(const real* x, real* y, Py_ssize_t n, int threads) noexcept nogil:
    cdef Exponents row = Exponents(x, NULL, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    cdef Gradient difference = Gradient(NULL, x, 0.0, 0.0, 1.0)
    difference.value = logsumexp(x, &row, &difference.rest, n, threads)
    map_row(less_block[real], y, &difference, n, threads)


# The flat functions.

cdef inline void softmax_rows(const real* x, real* y, Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t r
    for r in range(rows):
        softmax(skip(x, r * n), <real*>skip(y, r * n), 1.0, 1.0, n, 1)


cdef inline void log_softmax_rows(const real* x, real* y, Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t r
    for r in range(rows):
        log_softmax(skip(x, r * n), <real*>skip(y, r * n), n, 1)


cdef void softmax_float32(const float* x, float* y, Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    softmax_rows(<const f32x*>x, <f32x*>y, rows, n)


cdef void softmax_float64(const double* x, double* y, Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    softmax_rows(<const f64x*>x, <f64x*>y, rows, n)


cdef void log_softmax_float32(const float* x, float* y, Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    log_softmax_rows(<const f32x*>x, <f32x*>y, rows, n)


cdef void log_softmax_float64(const double* x, double* y, Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    log_softmax_rows(<const f64x*>x, <f64x*>y, rows, n)


# The gufuncs.

cdef void softmax_row(const real* like, void** p, Py_ssize_t n, int threads, bint streamed) noexcept nogil:
    if n > 0:
        softmax(<const real*>p[0], <real*>p[1], 1.0, 1.0, n, threads)


cdef void softmin_row(const real* like, void** p, Py_ssize_t n, int threads, bint streamed) noexcept nogil:
    if n > 0:
        softmax(<const real*>p[0], <real*>p[1], -1.0, 1.0, n, threads)


cdef void scaled_softmax_row(const real* like, void** p, Py_ssize_t n, int threads, bint streamed) noexcept nogil:
    # x, scale -> scale softmax(x), the gradient of logsumexp
    if n > 0:
        softmax(<const real*>p[0], <real*>p[2], 1.0, (<double*>p[1])[0], n, threads)


cdef void log_softmax_row(const real* like, void** p, Py_ssize_t n, int threads, bint streamed) noexcept nogil:
    if n > 0:
        log_softmax(<const real*>p[0], <real*>p[1], n, threads)


cdef void logsumexp_row(const real* like, void** p, Py_ssize_t n, int threads, bint streamed) noexcept nogil:
    # the sum of no exponentials is 0, whose logarithm is what the largest of none is
    cdef Exponents row = Exponents(p[0], NULL, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    cdef double rest
    cdef double y = logsumexp(<const real*>p[0], &row, &rest, n, threads) if n > 0 else -INFINITY
    (<double*>p[1])[0] = y + rest


cdef void softmax_backward_row(const real* like, void** p, Py_ssize_t n, int threads, bint streamed) noexcept nogil:
    # grad, y, sign -> grad_x
    cdef Gradient row = Gradient(p[0], p[1], 0.0, 0.0, (<double*>p[2])[0])
    row.value = sum_row(grad_y_block[real], like, &row, n, threads).first
    map_row(softmax_slope_block[real], <real*>p[3], &row, n, threads)


cdef void log_softmax_backward_row(const real* like, void** p, Py_ssize_t n, int threads,
                                   bint streamed) noexcept nogil:
    # grad, y -> grad_x
    cdef Gradient row = Gradient(p[0], p[1], 0.0, 0.0, 1.0)
    row.value = sum_values(<const real*>p[0], n, threads)
    map_row(log_softmax_slope_block[real], <real*>p[2], &row, n, threads)


softmax_gufunc = along_axis(b"softmax", <void*>softmax_row[f32x], <void*>softmax_row[f64x], b"r", b"r",
                            b"exp(x) / sum(exp(x))")
softmin_gufunc = along_axis(b"softmin", <void*>softmin_row[f32x], <void*>softmin_row[f64x], b"r", b"r",
                            b"exp(-x) / sum(exp(-x))")
scaled_softmax_gufunc = along_axis(
    b"scaled_softmax", <void*>scaled_softmax_row[f32x], <void*>scaled_softmax_row[f64x], b"rs", b"r",
    b"x, scale -> scale softmax(x)")
log_softmax_gufunc = along_axis(b"log_softmax", <void*>log_softmax_row[f32x], <void*>log_softmax_row[f64x], b"r", b"r",
                                b"x - log(sum(exp(x)))")
logsumexp_gufunc = along_axis(b"logsumexp", <void*>logsumexp_row[f32x], <void*>logsumexp_row[f64x], b"r", b"s",
                              b"log(sum(exp(x)))")
softmax_backward_gufunc = along_axis(
    b"softmax_backward", <void*>softmax_backward_row[f32x], <void*>softmax_backward_row[f64x], b"rrs", b"r",
    b"grad, y, sign -> y (grad - sum(grad y)) sign")
log_softmax_backward_gufunc = along_axis(
    b"log_softmax_backward", <void*>log_softmax_backward_row[f32x], <void*>log_softmax_backward_row[f64x], b"rr", b"r",
    b"grad, y -> grad - exp(y) sum(grad)")
