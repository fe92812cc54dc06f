# What is asked of plain arrays, C-contiguous ones, before a group norm or its backward is done in one call. A part of
# norms.pyx.

cdef int bfloat16 = bfloat16_number() or NPY_HALF  # NumPy's number of its type, where there is one


cdef bint is_plain(object array, int type):
    return np.PyArray_CheckExact(array) and np.PyArray_TYPE(<np.ndarray>array) == type and (
        np.PyArray_ISCARRAY_RO(<np.ndarray>array))


cdef bint has_shape(object array, int ndim, Py_ssize_t first, Py_ssize_t last):
    return np.PyArray_NDIM(<np.ndarray>array) == ndim and np.PyArray_DIM(array, 0) == first and (
        np.PyArray_DIM(array, ndim - 1) == last)


cdef bint is_float(object array, Dtype* dtype):
    # whether it is an array of floats as C lays them out, and of which
    cdef int type = np.PyArray_TYPE(<np.ndarray>array) if np.PyArray_CheckExact(array) else -1
    dtype[0] = FLOAT64 if type == np.NPY_DOUBLE else FLOAT32 if type == np.NPY_FLOAT else (
        FLOAT16 if type == NPY_HALF else BFLOAT16)
    return (dtype[0] != BFLOAT16 or type == bfloat16) and np.PyArray_ISCARRAY_RO(<np.ndarray>array)


cdef bint is_vector_of(object values, np.npy_intp channels, Dtype x, Dtype* dtype):
    # whether it has a number for each channel, which the precision of the computation holds; or is None
    if values is None:
        dtype[0] = x
        return True
    return is_float(values, dtype) and (dtype[0] == FLOAT64) == (x == FLOAT64) and (
        np.PyArray_NDIM(<np.ndarray>values) == 1 and np.PyArray_DIM(values, 0) == channels)
