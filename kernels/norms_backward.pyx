# Gradients of rms_norm and layer_norm: of x row by row, of weight and bias summed over the rows. Forward is norms.pyx;
# what is done to a few rows is rowwise/norm_groups.pxd; which rows these are, and the order of sums over them, is
# loops/rows.pxd.
#
# Bytes: grad and x are read once for the two sums of the row and once, from the first-level cache, for the gradients.
cimport numpy as np

from .lanes cimport f32x, f64x, real
from .loops.operations cimport ALL, Operands, along_axis
from .rowwise.norm_groups cimport Group, group_backward, set_statistics

np.import_array()
np.import_ufunc()


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


cdef void rms_kernel(const real* like, Operands* p, Py_ssize_t rows, Py_ssize_t n, int threads,
                     int manner) noexcept nogil:
    backward_group(like, p, rows, n, threads, manner, False)


cdef void layer_kernel(const real* like, Operands* p, Py_ssize_t rows, Py_ssize_t n, int threads,
                       int manner) noexcept nogil:
    backward_group(like, p, rows, n, threads, manner, True)


rms_norm_backward_gufunc = along_axis(
    b"rms_norm_backward", <void*>rms_kernel[f32x], <void*>rms_kernel[f64x], b"rrvs", b"ra",
    b"grad, x, weight, rstd -> grad_x, grad_weight")
layer_norm_backward_gufunc = along_axis(
    b"layer_norm_backward", <void*>layer_kernel[f32x], <void*>layer_kernel[f64x], b"rrvss", b"raa",
    b"grad, x, weight, mean, rstd -> grad_x, grad_weight, grad_bias")
