# Losses of numbers that have been picked by their class, and the weights of classes that means divide by. What a target
# may be is checked in pylib/functions/losses.py; cross-entropy is losses.pyx.
from libc.stdint cimport int64_t

cimport numpy as np

from .lanes cimport f32x, f64x, real
from .loops.operations cimport Operands, along_axis
from .loops.reductions cimport element

np.import_array()
np.import_ufunc()


cdef void picked_kernel(const real* like, Operands* p, Py_ssize_t rows, Py_ssize_t n, int threads,
                        int manner) noexcept nogil:
    # one number a row, which has been picked from it by its target, weight, scale -> -scale weight[target] picked
    cdef Py_ssize_t r, target
    for r in range(rows):
        target = (<int64_t*>p[r][1])[0]
        (<double*>p[r][4])[0] = 0.0
        if target >= 0:
            (<double*>p[r][4])[0] = -(<double*>p[r][3])[0] * element(<const real*>p[r][0], 0) * (
                element(<const real*>p[r][2], target) if p[r][2] != NULL else 1.0)


picked_loss_gufunc = along_axis(b"nll_loss", <void*>picked_kernel[f32x], <void*>picked_kernel[f64x], b"rivs", b"s",
                                b"picked, target, weight, scale -> -scale * weight[target] * picked")


def weights_of(np.ndarray target, np.ndarray weight):
    """The weight of every row, for a mean: that of its class, 1 where classes have none, 0 where the row is ignored.
    `target` is int64 and `weight` float64 or empty, both laid out by C."""
    cdef np.ndarray found = np.PyArray_EMPTY(1, [np.PyArray_SIZE(target)], np.NPY_DOUBLE, 0)
    cdef const int64_t* classes = <const int64_t*>np.PyArray_DATA(target)
    cdef const double* of_class = <const double*>np.PyArray_DATA(weight)
    cdef double* of_row = <double*>np.PyArray_DATA(found)
    cdef bint weighted = np.PyArray_SIZE(weight) > 0
    cdef Py_ssize_t i
    for i in range(np.PyArray_SIZE(target)):
        of_row[i] = 0.0 if classes[i] < 0 else of_class[classes[i]] if weighted else 1.0
    return found
