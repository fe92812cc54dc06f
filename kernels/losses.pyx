# Cross-entropy along a row of logits, its gradient, and the sum of the losses. The exponentials are
# rowwise/exponentials.pxd; which rows, dtypes and strides is loops/rows.pxd; what a target may be is checked in
# pylib/functions/losses.py.
#
# Bytes: the logits are read for the largest, and once more for the exponentials, which are written where the gradient
# goes; everything else is done there.
from libc.math cimport INFINITY, fabs, ldexp
from libc.stdint cimport int64_t

cimport numpy as np

from .lanes cimport enter_environment, environment, f32x, f64x, fma, leave_environment, real, splat
from .loops.maps cimport itemsize
from .loops.reductions cimport Pair, element, element_block, map_block, map_row, merge_row, sum_values, take
from .loops.operations cimport GROUP, Operands, along_axis, group_kernel, group_of, run_groups
from .rowwise.exponentials cimport Exponents, exponents_of, find_logs, larger, largest, set_top, top_block

np.import_array()
np.import_ufunc()

cdef struct Question:
    # what is asked of a row, and where its loss goes
    Py_ssize_t target
    double logit  # of the target, taken before the gradient may stand in the place of the logits
    double label_smoothing
    double z_loss
    double* loss

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


cdef inline Pair larger_and_sum(Pair a, Py_ssize_t a_size, Pair b, Py_ssize_t b_size) noexcept nogil:
    return Pair(larger(a, a_size, b, b_size).first, a.second + b.second)


cdef Pair top_and_sum_block(const real* like, const void* row, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    # the largest of a block and the sum of its logits, which come from memory once
    return Pair(top_block(like, row, start, n).first,
                element_block(like, (<const Exponents*>row).x, start, n).first)


cdef inline void cross_entropy(const real* like, Exponents* rows, const Question* questions, Py_ssize_t count,
                               Py_ssize_t n, int threads) noexcept nogil:
    # -log p[target] = log(sum(e^logits)) - logits[target], smoothed: target has 1 - label_smoothing, and
    # label_smoothing is shared by all; and z_loss log(sum)^2. The gradient is (1 + 2 z_loss log(sum)) p - what the
    # target asks for.
    cdef Pair found
    cdef double sums[GROUP]
    cdef Py_ssize_t r
    for r in range(count):
        if questions[r].label_smoothing != 0.0:
            found = merge_row(top_and_sum_block[real], larger_and_sum, like, &rows[r], n, threads)
            sums[r] = found.second
            rows[r].top = found.first
        else:
            sums[r] = 0.0
            rows[r].top = largest(like, &rows[r], n, threads)
    for r in range(count):
        set_top(like, &rows[r])
    find_logs(like, rows, count, n, threads, False)
    for r in range(count):
        answer(like, &rows[r], &questions[r], sums[r], n, threads)


cdef inline void answer(const real* like, const Exponents* row, const Question* asked, double sum, Py_ssize_t n,
                        int threads) noexcept nogil:
    # the loss of one row and, where it is asked for, the gradient
    cdef real* grad = <real*>row.y
    cdef Slope own = Slope(grad, 0.0, 0.0)
    cdef double log_sum = row.top + row.log_rest, smoothing = asked.label_smoothing, inverse, missed, pull, p
    cdef bint finite = fabs(row.top) < INFINITY
    # a factor of 0 leaves out what it would multiply, which may be infinite
    asked.loss[0] = 0.0
    if smoothing != 1.0:
        asked.loss[0] = (1.0 - smoothing) * ((row.top - asked.logit) + row.log_rest)
    if asked.z_loss != 0.0:
        asked.loss[0] += asked.z_loss * log_sum * log_sum
    if smoothing != 0.0:
        asked.loss[0] += smoothing * ((row.top - sum / n) + row.log_rest)
    if grad == NULL:
        return
    inverse = ldexp(1.0 / (row.mantissa * (1.0 + row.rest)), -row.raised) if finite else INFINITY - INFINITY
    p = element(grad, asked.target) * inverse
    # 1 - p, without cancellation where the target is the one largest
    missed = row.rest / (1.0 + row.rest) if asked.logit == row.top else 1.0 - p
    pull = 2.0 * asked.z_loss * log_sum
    own.factor = (1.0 + pull) * row.scale * inverse
    own.offset = -(smoothing / n) * row.scale
    map_row(slope_block[real], grad, &own, n, threads)
    p = (smoothing - missed + (pull * p - smoothing / n)) * row.scale
    if finite and real is f32x:
        (<float*>grad)[asked.target] = <float>p
    elif finite:
        (<double*>grad)[asked.target] = p


cdef inline void cross_entropy_rows(const real* logits, const int64_t* target, double label_smoothing, double z_loss,
                                    double scale, double* loss, real* grad, Py_ssize_t rows,
                                    Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t row = n * itemsize(logits)
    cdef char** at = [<char*>logits, <char*>target, <char*>&label_smoothing, <char*>&z_loss, <char*>&scale, <char*>loss,
                      <char*>grad]
    cdef Py_ssize_t* steps = [row, <Py_ssize_t>sizeof(int64_t), 0, 0, 0, <Py_ssize_t>sizeof(double),
                              row if grad != NULL else 0]
    run_groups(<group_kernel>gradient_kernel[real], at, steps, 7, group_of(rows, n, itemsize(logits), 2), rows, n, 1,
               0)


cdef void cross_entropy_float32(const float* logits, const int64_t* target, double label_smoothing, double z_loss,
                                double scale, double* loss, float* grad, Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    cross_entropy_rows(<const f32x*>logits, target, label_smoothing, z_loss, scale, loss, <f32x*>grad, rows, n)


cdef void cross_entropy_float64(const double* logits, const int64_t* target, double label_smoothing, double z_loss,
                                double scale, double* loss, double* grad, Py_ssize_t rows,
                                Py_ssize_t n) noexcept nogil:
    cross_entropy_rows(<const f64x*>logits, target, label_smoothing, z_loss, scale, loss, <f64x*>grad, rows, n)


cdef inline void loss_group(const real* like, Operands* p, Py_ssize_t rows, Py_ssize_t n, int threads,
                            bint with_grad) noexcept nogil:
    # logits, target, label_smoothing, z_loss, [scale] -> loss, [grad]
    cdef Exponents own[GROUP]
    cdef Question questions[GROUP]
    cdef Py_ssize_t r, target
    for r in range(rows):
        own[r] = exponents_of(like, p[r][0], p[r][6] if with_grad else NULL, 1.0,
                              (<double*>p[r][4])[0] if with_grad else 1.0)
        target = (<int64_t*>p[r][1])[0]
        questions[r] = Question(target, element(<const real*>p[r][0], target), (<double*>p[r][2])[0],
                                (<double*>p[r][3])[0],
                                <double*>(p[r][5] if with_grad else p[r][4]))
    cross_entropy(like, own, questions, rows, n, threads)


cdef void loss_kernel(const real* like, Operands* p, Py_ssize_t rows, Py_ssize_t n, int threads,
                      int manner) noexcept nogil:
    loss_group(like, p, rows, n, threads, False)


cdef void gradient_kernel(const real* like, Operands* p, Py_ssize_t rows, Py_ssize_t n, int threads,
                          int manner) noexcept nogil:
    loss_group(like, p, rows, n, threads, True)


cross_entropy_gufunc = along_axis(
    b"cross_entropy", <void*>loss_kernel[f32x], <void*>loss_kernel[f64x], b"riss", b"s",
    b"logits, target, label_smoothing, z_loss -> loss")
cross_entropy_with_grad_gufunc = along_axis(
    b"cross_entropy_with_grad", <void*>gradient_kernel[f32x], <void*>gradient_kernel[f64x], b"risss", b"sr",
    b"logits, target, label_smoothing, z_loss, scale -> loss, grad")


def total(np.ndarray losses, double divisor):
    """sum(losses) / divisor, of float64 numbers that C has laid out."""
    cdef environment callers = enter_environment()
    cdef double found = sum_values(<const f64x*>np.PyArray_DATA(losses), np.PyArray_SIZE(losses), 1)
    leave_environment(callers)
    return found / divisor
