# The softmax family along a row, forward and backward: softmax, log_softmax, softmin, logsumexp. The exponentials and
# their sum are rowwise/exponentials.pxd; which rows, dtypes and strides is loops/rows.pxd; cross-entropy is losses.pyx.
#
# Bytes: a row is read for its largest element and for the exponentials, which are written and then scaled; log_softmax
# reads it once more where the sum is small, and for the result.
from libc.math cimport INFINITY, NAN, fabs
from libc.stdint cimport uint16_t

cimport numpy as np

from .lanes cimport f32x, f64x, fma, real, splat
from .loops.dtypes cimport BFLOAT16, FLOAT16, FLOAT32, FLOAT64
from .loops.reductions cimport Pair, fold_values, map_block, map_row, rounded, sum_either, sum_row, take, wide
from .loops.operations cimport (
    GROUP, STREAMED, Operands, Operation, RowMachine, along_axis, group_kernel, group_of, operations_of, row_machine,
    run_groups,
)
from .loops.registers cimport itemsize
from .math.elementary cimport exp
from .rowwise.exponentials cimport Exponents, all_block, exponents_of, find_logs, find_tops

np.import_array()
np.import_ufunc()

cdef const RowMachine* machine = row_machine()

cdef struct Gradient:
    const void* grad
    const void* x
    double value  # what the points need of the row
    double rest  # and what rounding it to the row's precision lost
    double sign
    bint streamed


# The points.

cdef inline real times(const real* like, const void* row, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    cdef real x = take(<const real*>(<const Gradient*>row).x, i, n)
    return fma(x, splat(x, (<const Gradient*>row).value), x * splat(x, (<const Gradient*>row).rest))


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
    map_block(less[real], y, &own, start, n, own.streamed)


cdef void softmax_slope_block(real* y, const void* row, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    cdef Gradient own = (<const Gradient*>row)[0]
    map_block(softmax_slope[real], y, &own, start, n, own.streamed)


cdef void log_softmax_slope_block(real* y, const void* row, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    cdef Gradient own = (<const Gradient*>row)[0]
    map_block(log_softmax_slope[real], y, &own, start, n, own.streamed)


# The sum of backward.

cdef inline void add_grad_y(const real* like, const void* row, Py_ssize_t i, Py_ssize_t n, f64x* sums) noexcept nogil:
    sums[0] = sums[0] + wide(<const real*>(<const Gradient*>row).grad, i, n) * wide(
        <const real*>(<const Gradient*>row).x, i, n)


cdef inline void fold_grad_y(const f32x* like, const void* row, Py_ssize_t i, Py_ssize_t n, f32x* sums) noexcept nogil:
    cdef f32x grad = take(<const f32x*>(<const Gradient*>row).grad, i, n)
    sums[0] = fma(grad, take(<const f32x*>(<const Gradient*>row).x, i, n), sums[0])


cdef Pair grad_y_block(const real* like, const void* row, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    cdef Gradient own = (<const Gradient*>row)[0]
    return sum_either(fold_grad_y, add_grad_y[real], 1, like, &own, start, n)


# A few rows: the largest of each, the sum of each, and then the outputs. While the end of one row's sum is waited for,
# the next row's is under way.

cdef inline void softmax(const real* like, Exponents* rows, Py_ssize_t count, Py_ssize_t n,
                         int threads) noexcept nogil:
    # scale e^(sign x) / sum(e^(sign x))
    cdef Gradient scaling[GROUP]
    cdef double scale
    cdef Py_ssize_t r
    find_tops(like, rows, count, n, threads)
    for r in range(count):
        scaling[r] = Gradient(NULL, rows[r].y, rows[r].scale, 0.0, 1.0, False)
        # where the largest is infinite, or nothing but NaN is there
        if not fabs(rows[r].top) < INFINITY:
            scaling[r].x, scaling[r].value = rows[r].x, NAN
    for r in range(count):
        if scaling[r].value == scaling[r].value:
            scale = scaling[r].value / sum_row(all_block[real], like, &rows[r], n, threads).first
            scaling[r].value = rounded(like, scale)
            scaling[r].rest = scale - scaling[r].value if fabs(scaling[r].value) < INFINITY else 0.0
    for r in range(count):
        map_row(times_block[real], <real*>rows[r].y, &scaling[r], n, threads)


cdef void logsumexp(const real* like, Operands* p, Gradient* logs, Py_ssize_t rows, Py_ssize_t n, int threads,
                    bint careful) noexcept nogil:
    # log(sum(e^x)) of the first operands in two parts: the largest x, which its own log_softmax is to lose exactly, and
    # the logarithm relative to it
    cdef Exponents own[GROUP]
    cdef Py_ssize_t r
    for r in range(rows):
        own[r] = exponents_of(like, p[r][0], NULL, 1.0, 1.0)
    find_tops(like, own, rows, n, threads)
    find_logs(like, own, rows, n, threads, careful)
    for r in range(rows):
        logs[r] = Gradient(NULL, p[r][0], own[r].top, own[r].log_rest, 1.0, False)


# The kernels.

cdef void softmax_group(const real* like, Operands* p, Py_ssize_t rows, Py_ssize_t n, int threads, double sign,
                        bint scaled) noexcept nogil:
    # x, [scale] -> scale softmax(sign x)
    cdef Exponents own[GROUP]
    cdef Py_ssize_t r
    for r in range(rows):
        own[r] = exponents_of(like, p[r][0], p[r][2] if scaled else p[r][1], sign,
                              (<double*>p[r][1])[0] if scaled else 1.0)
    softmax(like, own, rows, n, threads)


cdef void softmax_kernel(const real* like, Operands* p, Py_ssize_t rows, Py_ssize_t n, int threads,
                         int manner) noexcept nogil:
    softmax_group(like, p, rows, n, threads, 1.0, False)


cdef void softmin_kernel(const real* like, Operands* p, Py_ssize_t rows, Py_ssize_t n, int threads,
                         int manner) noexcept nogil:
    softmax_group(like, p, rows, n, threads, -1.0, False)


cdef void scaled_softmax_kernel(const real* like, Operands* p, Py_ssize_t rows, Py_ssize_t n, int threads,
                                int manner) noexcept nogil:
    # the gradient of logsumexp
    softmax_group(like, p, rows, n, threads, 1.0, True)


cdef void log_softmax_kernel(const real* like, Operands* p, Py_ssize_t rows, Py_ssize_t n, int threads,
                             int manner) noexcept nogil:
    cdef Gradient logs[GROUP]
    cdef Py_ssize_t r
    logsumexp(like, p, logs, rows, n, threads, True)
    for r in range(rows):
        logs[r].streamed = manner & STREAMED
        map_row(less_block[real], <real*>p[r][1], &logs[r], n, threads)


cdef void logsumexp_kernel(const real* like, Operands* p, Py_ssize_t rows, Py_ssize_t n, int threads,
                           int manner) noexcept nogil:
    cdef Gradient logs[GROUP]
    cdef Py_ssize_t r
    logsumexp(like, p, logs, rows, n, threads, False)
    for r in range(rows):
        (<double*>p[r][1])[0] = logs[r].value + logs[r].rest


cdef void softmax_backward_kernel(const real* like, Operands* p, Py_ssize_t rows, Py_ssize_t n, int threads,
                                  int manner) noexcept nogil:
    # grad, y, sign -> grad_x
    cdef Gradient own[GROUP]
    cdef Py_ssize_t r
    for r in range(rows):
        own[r] = Gradient(p[r][0], p[r][1], 0.0, 0.0, (<double*>p[r][2])[0], manner & STREAMED)
        own[r].value = sum_row(grad_y_block[real], like, &own[r], n, threads).first
    for r in range(rows):
        map_row(softmax_slope_block[real], <real*>p[r][3], &own[r], n, threads)


cdef void log_softmax_backward_kernel(const real* like, Operands* p, Py_ssize_t rows, Py_ssize_t n, int threads,
                                      int manner) noexcept nogil:
    # grad, y -> grad_x
    cdef Gradient own[GROUP]
    cdef Py_ssize_t r
    for r in range(rows):
        own[r] = Gradient(p[r][0], p[r][1], 0.0, 0.0, 1.0, manner & STREAMED)
        own[r].value = fold_values(<const real*>p[r][0], n, threads)
    for r in range(rows):
        map_row(log_softmax_slope_block[real], <real*>p[r][2], &own[r], n, threads)


# The flat functions.

cdef inline void contiguous(group_kernel kernel, const real* x, real* y, Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t row = n * itemsize(x)
    cdef char** at = [<char*>x, <char*>y]
    cdef Py_ssize_t* steps = [row, row]
    run_groups(kernel, at, steps, 2, group_of(rows, n, itemsize(x), 2), rows, n, 1, 0)


cdef void softmax_float32(const float* x, float* y, Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    contiguous(<group_kernel>softmax_kernel[f32x], <const f32x*>x, <f32x*>y, rows, n)


cdef void softmax_float64(const double* x, double* y, Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    contiguous(<group_kernel>softmax_kernel[f64x], <const f64x*>x, <f64x*>y, rows, n)


cdef void log_softmax_float32(const float* x, float* y, Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    contiguous(<group_kernel>log_softmax_kernel[f32x], <const f32x*>x, <f32x*>y, rows, n)


cdef void log_softmax_float64(const double* x, double* y, Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    contiguous(<group_kernel>log_softmax_kernel[f64x], <const f64x*>x, <f64x*>y, rows, n)


# The gufuncs.

softmax_gufunc = along_axis(
    b"softmax", <void*>softmax_kernel[f32x], <void*>softmax_kernel[f64x], b"r", b"r", b"exp(x) / sum(exp(x))")
softmin_gufunc = along_axis(
    b"softmin", <void*>softmin_kernel[f32x], <void*>softmin_kernel[f64x], b"r", b"r", b"exp(-x) / sum(exp(-x))")
scaled_softmax_gufunc = along_axis(
    b"scaled_softmax", <void*>scaled_softmax_kernel[f32x], <void*>scaled_softmax_kernel[f64x], b"rs", b"r",
    b"x, scale -> scale softmax(x)")
log_softmax_gufunc = along_axis(
    b"log_softmax", <void*>log_softmax_kernel[f32x], <void*>log_softmax_kernel[f64x], b"r", b"r",
    b"x - log(sum(exp(x)))")
logsumexp_gufunc = along_axis(
    b"logsumexp", <void*>logsumexp_kernel[f32x], <void*>logsumexp_kernel[f64x], b"r", b"s", b"log(sum(exp(x)))")
softmax_backward_gufunc = along_axis(
    b"softmax_backward", <void*>softmax_backward_kernel[f32x], <void*>softmax_backward_kernel[f64x], b"rrs", b"r",
    b"grad, y, sign -> y (grad - sum(grad y)) sign")
log_softmax_backward_gufunc = along_axis(
    b"log_softmax_backward", <void*>log_softmax_backward_kernel[f32x], <void*>log_softmax_backward_kernel[f64x], b"rr",
    b"r", b"grad, y -> grad - exp(y) sum(grad)")


# Through the row machine, as NumPy calls them, for those who call from C.

cdef const Operation* of_softmax = operations_of(softmax_gufunc)
cdef const Operation* of_log_softmax = operations_of(log_softmax_gufunc)
cdef const Operation* of_softmax_backward = operations_of(softmax_backward_gufunc)
cdef const Operation* of_log_softmax_backward = operations_of(log_softmax_backward_gufunc)
cdef const Operation* of_logsumexp = operations_of(logsumexp_gufunc)
cdef double plain_sign = 1.0


cdef bint softmax_bfloat16(const uint16_t* x, uint16_t* y, Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    return machine.call(of_softmax, BFLOAT16, [x, y], 0, rows, n)


cdef bint softmax_float16(const uint16_t* x, uint16_t* y, Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    return machine.call(of_softmax, FLOAT16, [x, y], 0, rows, n)


cdef bint log_softmax_bfloat16(const uint16_t* x, uint16_t* y, Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    return machine.call(of_log_softmax, BFLOAT16, [x, y], 0, rows, n)


cdef bint log_softmax_float16(const uint16_t* x, uint16_t* y, Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    return machine.call(of_log_softmax, FLOAT16, [x, y], 0, rows, n)


cdef bint softmax_backward_float32(const float* grad, const float* y, float* grad_x, Py_ssize_t rows,
                                   Py_ssize_t n) noexcept nogil:
    return machine.call(of_softmax_backward, FLOAT32, [grad, y, &plain_sign, grad_x], 1 << 2, rows, n)


cdef bint softmax_backward_float64(const double* grad, const double* y, double* grad_x, Py_ssize_t rows,
                                   Py_ssize_t n) noexcept nogil:
    return machine.call(of_softmax_backward, FLOAT64, [grad, y, &plain_sign, grad_x], 1 << 2, rows, n)


cdef bint softmax_backward_bfloat16(const uint16_t* grad, const uint16_t* y, uint16_t* grad_x, Py_ssize_t rows,
                                    Py_ssize_t n) noexcept nogil:
    return machine.call(of_softmax_backward, BFLOAT16, [grad, y, &plain_sign, grad_x], 1 << 2, rows, n)


cdef bint softmax_backward_float16(const uint16_t* grad, const uint16_t* y, uint16_t* grad_x, Py_ssize_t rows,
                                   Py_ssize_t n) noexcept nogil:
    return machine.call(of_softmax_backward, FLOAT16, [grad, y, &plain_sign, grad_x], 1 << 2, rows, n)


cdef bint log_softmax_backward_float32(const float* grad, const float* y, float* grad_x, Py_ssize_t rows,
                                       Py_ssize_t n) noexcept nogil:
    return machine.call(of_log_softmax_backward, FLOAT32, [grad, y, grad_x], 0, rows, n)


cdef bint log_softmax_backward_float64(const double* grad, const double* y, double* grad_x, Py_ssize_t rows,
                                       Py_ssize_t n) noexcept nogil:
    return machine.call(of_log_softmax_backward, FLOAT64, [grad, y, grad_x], 0, rows, n)


cdef bint log_softmax_backward_bfloat16(const uint16_t* grad, const uint16_t* y, uint16_t* grad_x, Py_ssize_t rows,
                                        Py_ssize_t n) noexcept nogil:
    return machine.call(of_log_softmax_backward, BFLOAT16, [grad, y, grad_x], 0, rows, n)


cdef bint log_softmax_backward_float16(const uint16_t* grad, const uint16_t* y, uint16_t* grad_x, Py_ssize_t rows,
                                       Py_ssize_t n) noexcept nogil:
    return machine.call(of_log_softmax_backward, FLOAT16, [grad, y, grad_x], 0, rows, n)


cdef bint logsumexp_float32(const float* x, double* y, Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    return machine.call(of_logsumexp, FLOAT32, [x, y], 0, rows, n)


cdef bint logsumexp_float64(const double* x, double* y, Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    return machine.call(of_logsumexp, FLOAT64, [x, y], 0, rows, n)
