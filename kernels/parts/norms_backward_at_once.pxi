# group_norm_backward of plain arrays: C-contiguous, of any dtype that it computes. All that is between the checks and
# the results is done in one call, because in small shapes it costs more than the sums. A part of norms.pyx. What is
# anything else, and what is in error, gives None, and channel_norms.py goes its longer way: the bits are the same.

cdef const Operation* of_layer_stats = operations_of(layer_stats_gufunc)


cdef bint find_statistics(Dtype dtype, const void* x, double eps, double* mean, double* rstd, Py_ssize_t rows,
                          Py_ssize_t n) noexcept nogil:
    cdef const Operation* operation = of_layer_stats
    cdef Py_ssize_t width = size_of(dtype)
    cdef char** at = [<char*>x, <char*>&eps, <char*>mean, <char*>rstd]
    cdef np.npy_intp* dims = [rows, n]
    cdef np.npy_intp* steps = [n * width, 0, sizeof(double), sizeof(double), width]
    while operation.dtype != dtype:
        operation += 1
    return (<loop_function>operation.loop)(operation, at, dims, steps)


def backward_at_once(grad, x, num_groups, weight, mean, rstd, eps, out):
    """group_norm_backward of plain arrays, in as many groups as channels where num_groups is None: gradients of x,
    weight and bias. None of anything else, or where there is no memory."""
    cdef int type, k, own, of_weight
    cdef Dtype dtype
    cdef Py_ssize_t batch, channels, size = 1, groups
    cdef np.npy_intp[2] of_statistics
    cdef object grad_x = out, grad_weight, grad_bias
    cdef double added
    cdef float* widened = NULL
    cdef void* operands[5]
    cdef void* results[3]
    cdef bint done = True, known = mean is not None and rstd is not None
    if not is_float(x, &dtype) or not is_like(grad, x) or np.PyArray_NDIM(<np.ndarray>x) < 2 or (
            np.PyArray_SIZE(x) == 0 or eps.__class__ is not float or (mean is None) != (rstd is None)):
        return None
    type = np.PyArray_TYPE(<np.ndarray>x)
    batch, channels, added = np.PyArray_DIM(x, 0), np.PyArray_DIM(x, 1), eps
    for k in range(2, np.PyArray_NDIM(<np.ndarray>x)):
        size *= np.PyArray_DIM(x, k)
    if num_groups is not None and (num_groups.__class__ is not int or not 1 <= num_groups <= channels):
        return None
    groups = channels if num_groups is None else num_groups
    if channels % groups or not 0.0 <= added < INFINITY:
        return None
    own = np.NPY_DOUBLE if type == np.NPY_DOUBLE else np.NPY_FLOAT  # of weight and its gradient
    of_weight = type if weight is not None and is_short(dtype) and is_plain(weight, type) else own
    if weight is not None and not (is_plain(weight, of_weight) and has_shape(weight, 1, channels, channels)):
        return None
    if known and not (is_plain(mean, np.NPY_DOUBLE) and has_shape(mean, 2, batch, groups)
                      and is_plain(rstd, np.NPY_DOUBLE) and has_shape(rstd, 2, batch, groups)):
        return None
    if out is not None and not (is_like(out, x) and np.PyArray_ISWRITEABLE(<np.ndarray>out) and takes_place(out, x)
                                and takes_place(out, grad)):
        return None
    if out is not None and (meet(out, weight) or (known and (meet(out, mean) or meet(out, rstd)))):
        return None
    if not known:
        of_statistics[0], of_statistics[1] = batch, groups
        mean = np.PyArray_EMPTY(2, of_statistics, np.NPY_DOUBLE, 0)
        rstd = np.PyArray_EMPTY(2, of_statistics, np.NPY_DOUBLE, 0)
    if out is None:
        grad_x = np.PyArray_EMPTY(np.PyArray_NDIM(<np.ndarray>x), np.PyArray_DIMS(x), type, 0)
    grad_weight = np.PyArray_EMPTY(1, np.PyArray_DIMS(x) + 1, own, 0)
    grad_bias = np.PyArray_EMPTY(1, np.PyArray_DIMS(x) + 1, own, 0)
    operands[:] = [data_of(grad), data_of(x), data_of(weight), data_of(mean), data_of(rstd)]
    results[:] = [data_of(grad_x), data_of(grad_weight), data_of(grad_bias)]
    if of_weight != own:
        widened = <float*>malloc((channels + PADDING) * sizeof(float))
        if widened == NULL:
            return None
    with nogil:
        if widened != NULL:
            take_row(dtype, <f32x*>widened, <const char*>operands[2], sizeof(uint16_t), channels)
            operands[2] = widened
        if not known:
            done = find_statistics(dtype, operands[1], added, <double*>operands[3], <double*>operands[4],
                                   batch * groups, channels // groups * size)
        if done and dtype == FLOAT64:
            done = group_norm_backward(
                dtype, operands[0], operands[1], <const f64x*>operands[2], <const double*>operands[3],
                <const double*>operands[4], results[0], <f64x*>results[1], <f64x*>results[2], batch, channels, size,
                groups, thread_count)
        elif done:
            done = group_norm_backward(
                dtype, operands[0], operands[1], <const f32x*>operands[2], <const double*>operands[3],
                <const double*>operands[4], results[0], <f32x*>results[1], <f32x*>results[2], batch, channels, size,
                groups, thread_count)
    free(widened)
    return (grad_x, grad_weight, grad_bias) if done else None
