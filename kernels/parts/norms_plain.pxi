# What is asked of plain arrays, C-contiguous ones, before a group norm or its backward is done in one call. A part of
# norms.pyx.

cdef int bfloat16 = bfloat16_number() or NPY_HALF  # NumPy's number of its type, where there is one


cdef bint is_plain(object array, int type):
    return np.PyArray_CheckExact(array) and np.PyArray_TYPE(<np.ndarray>array) == type and (
        np.PyArray_ISCARRAY_RO(<np.ndarray>array))


cdef bint has_shape(object array, int ndim, Py_ssize_t first, Py_ssize_t last):
    return np.PyArray_NDIM(<np.ndarray>array) == ndim and np.PyArray_DIM(array, 0) == first and (
        np.PyArray_DIM(array, ndim - 1) == last)


cdef inline void* data_of(object array):
    return np.PyArray_DATA(<np.ndarray>array) if array is not None else NULL


cdef bint is_float(object array, Dtype* dtype):
    # whether it is an array of floats as C lays them out, and of which
    cdef int type = np.PyArray_TYPE(<np.ndarray>array) if np.PyArray_CheckExact(array) else -1
    dtype[0] = FLOAT64 if type == np.NPY_DOUBLE else FLOAT32 if type == np.NPY_FLOAT else (
        FLOAT16 if type == NPY_HALF else BFLOAT16)
    return (dtype[0] != BFLOAT16 or type == bfloat16) and np.PyArray_ISCARRAY_RO(<np.ndarray>array)


cdef bint is_like(object array, object x):
    # whether it is an array of the shape and dtype of x, which is plain
    return is_plain(array, np.PyArray_TYPE(<np.ndarray>x)) and np.PyArray_SAMESHAPE(<np.ndarray>array, <np.ndarray>x)


cdef bint is_vector_of(object values, np.npy_intp channels, Dtype x, Dtype* dtype):
    # whether it has a number for each channel, which the precision of the computation holds; or is None
    if values is None:
        dtype[0] = x
        return True
    return is_float(values, dtype) and (dtype[0] == FLOAT64) == (x == FLOAT64) and (
        np.PyArray_NDIM(<np.ndarray>values) == 1 and np.PyArray_DIM(values, 0) == channels)


cdef bint meet(object a, object b):
    # whether the memory of two plain arrays, where there are two, overlaps
    cdef const char* first = <const char*>data_of(a)
    cdef const char* second = <const char*>data_of(b)
    return first != NULL and second != NULL and (
        first < second + np.PyArray_NBYTES(<np.ndarray>b) and second < first + np.PyArray_NBYTES(<np.ndarray>a))


cdef bint takes_place(object out, object operand):
    # whether it is apart from an operand, or takes its place element by element
    return not meet(out, operand) or data_of(out) == data_of(operand)
