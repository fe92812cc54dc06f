# Cross-entropy along a row of logits, its gradient, and the sum of the losses. The exponentials are exponentials.pxd;
# which rows, dtypes and strides is rows.pxd; what a target may be is checked in pylib/losses.py.
#
# Bytes: the logits are read for the largest, and once more for the exponentials, which are written where the gradient
# goes; everything else is done there.
from libc.math cimport INFINITY
from libc.stdint cimport int64_t

cimport numpy as np

from .exponentials cimport Exponents, find_top, log1p_of, others, top_mantissa, top_not_finite
from .lanes cimport f32x, f64x, fma, real, splat
from .loops cimport skip
from .reductions cimport map_block, map_row, sum_values, take
from .rows cimport along_axis

np.import_array()
np.import_ufunc()

cdef struct Slope:
    const void* x
    double factor
    double offset


cdef inline real slope(const real* like, const void* row, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    cdef real x = take(<const real*>(<const Slope*>row).x, i, n)
    return fma(x, splat(x, (<const Slope*>row).factor), splat(x, (<const Slope*>row).offset))


cdef void slope_block(real* y, const void* row, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    cdef Slope own = (<const Slope*>row)[0]
    map_block(slope[real], y, &own, start, n, False)


cdef inline double element(const real* x, Py_ssize_t i) noexcept nogil:
    if real is f32x:
        return (<const float*>x)[i]
    else:
        return (<const double*>x)[i]


cdef inline double cross_entropy(const real* logits, Py_ssize_t target, double label_smoothing, double z_loss,
                                 double scale, real* grad, Py_ssize_t n, int threads) noexcept nogil:
    # -log p[target] = log(sum(e^logits)) - logits[target], smoothed: target has 1 - label_smoothing, and
    # label_smoothing is shared by all; and z_loss log(sum)^2. The gradient is (1 + 2 z_loss log(sum)) p - what the
    # target asks for.
    cdef Exponents row = Exponents(logits, grad, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    cdef Slope own = Slope(logits, 0.0, 0.0)
    cdef double rest = 0.0, log_rest = 0.0, loss, log_sum, inverse, missed, pull, p
    cdef bint finite = find_top(logits, &row, n, threads)
    if finite:
        rest = others(logits, &row, n, threads)
        log_rest = log1p_of(rest)
    else:
        row.top = top_not_finite(logits, &row, n)
    log_sum = row.top + log_rest
    loss = (1.0 - label_smoothing) * ((row.top - element(logits, target)) + log_rest) + z_loss * log_sum * log_sum
    if label_smoothing != 0.0:
        loss += label_smoothing * ((row.top - sum_values(logits, n, threads) / n) + log_rest)
    if grad == NULL:
        return loss
    inverse = 1.0 / (top_mantissa(&row) * (1.0 + rest)) if finite else INFINITY - INFINITY
    p = element(grad, target) * inverse
    # 1 - p, without cancellation where the target is the one largest
    missed = rest / (1.0 + rest) if element(logits, target) == row.top else 1.0 - p
    pull = 2.0 * z_loss * log_sum
    own.x = grad
    own.factor = (1.0 + pull) * scale * inverse
    own.offset = -(label_smoothing / n) * scale
    map_row(slope_block[real], grad, &own, n, threads)
    p = (label_smoothing - missed + (pull * p - label_smoothing / n)) * scale
    if finite and real is f32x:
        (<float*>grad)[target] = <float>p
    elif finite:
        (<double*>grad)[target] = p
    return loss


cdef inline void cross_entropy_rows(const real* logits, const int64_t* target, double label_smoothing, double z_loss,
                                    double scale, double* loss, real* grad, Py_ssize_t rows,
                                    Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t r
    for r in range(rows):
        loss[r] = cross_entropy(skip(logits, r * n), target[r], label_smoothing, z_loss, scale,
                                <real*>skip(grad, r * n) if grad != NULL else grad, n, 1)


cdef void cross_entropy_float32(const float* logits, const int64_t* target, double label_smoothing, double z_loss,
                                double scale, double* loss, float* grad, Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    cross_entropy_rows(<const f32x*>logits, target, label_smoothing, z_loss, scale, loss, <f32x*>grad, rows, n)


cdef void cross_entropy_float64(const double* logits, const int64_t* target, double label_smoothing, double z_loss,
                                double scale, double* loss, double* grad, Py_ssize_t rows,
                                Py_ssize_t n) noexcept nogil:
    cross_entropy_rows(<const f64x*>logits, target, label_smoothing, z_loss, scale, loss, <f64x*>grad, rows, n)


cdef void loss_row(const real* like, void** p, Py_ssize_t n, int threads, bint streamed) noexcept nogil:
    # logits, target, label_smoothing, z_loss -> loss
    (<double*>p[4])[0] = cross_entropy(<const real*>p[0], (<int64_t*>p[1])[0], (<double*>p[2])[0], (<double*>p[3])[0],
                                       1.0, <real*>NULL, n, threads)


cdef void gradient_row(const real* like, void** p, Py_ssize_t n, int threads, bint streamed) noexcept nogil:
    # logits, target, label_smoothing, z_loss, scale -> loss, grad
    (<double*>p[5])[0] = cross_entropy(<const real*>p[0], (<int64_t*>p[1])[0], (<double*>p[2])[0], (<double*>p[3])[0],
                                       (<double*>p[4])[0], <real*>p[6], n, threads)


cdef void total_row(const real* like, void** p, Py_ssize_t n, int threads, bint streamed) noexcept nogil:
    # x, divisor -> sum(x) / divisor
    (<double*>p[2])[0] = sum_values(<const real*>p[0], n, threads) / (<double*>p[1])[0]


cross_entropy_gufunc = along_axis(
    b"cross_entropy", <void*>loss_row[f32x], <void*>loss_row[f64x], b"riss", b"s",
    b"logits, target, label_smoothing, z_loss -> loss")
cross_entropy_with_grad_gufunc = along_axis(
    b"cross_entropy_with_grad", <void*>gradient_row[f32x], <void*>gradient_row[f64x], b"risss", b"sr",
    b"logits, target, label_smoothing, z_loss, scale -> loss, grad")
total_gufunc = along_axis(b"total", <void*>total_row[f32x], <void*>total_row[f64x], b"rs", b"s", b"sum(x) / divisor")
