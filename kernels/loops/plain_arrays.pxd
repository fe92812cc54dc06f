# What a function asks of plain arrays, C-contiguous ones that are no subclass, before it does all its work in one call.
# No kernels; errors are raised elsewhere.
cimport numpy as np


cdef inline void* data_of(object array):
    return np.PyArray_DATA(<np.ndarray>array) if array is not None else NULL


cdef inline bint is_like(object array, object x):
    # whether it is a plain array of the shape and dtype of x, which is one
    return np.PyArray_CheckExact(array) and np.PyArray_TYPE(<np.ndarray>array) == np.PyArray_TYPE(<np.ndarray>x) and (
        np.PyArray_ISCARRAY_RO(<np.ndarray>array) and np.PyArray_SAMESHAPE(<np.ndarray>array, <np.ndarray>x))


cdef inline bint meet(object a, object b):
    # whether the memory of two plain arrays, where there are two, overlaps
    cdef const char* first = <const char*>data_of(a)
    cdef const char* second = <const char*>data_of(b)
    return first != NULL and second != NULL and (
        first < second + np.PyArray_NBYTES(<np.ndarray>b) and second < first + np.PyArray_NBYTES(<np.ndarray>a))


cdef inline bint takes_place(object out, object operand):
    # whether it is apart from an operand, or takes its place element by element
    return not meet(out, operand) or data_of(out) == data_of(operand)
