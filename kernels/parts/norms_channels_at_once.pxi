# Group norm of plain arrays: C-contiguous, of any dtype that it computes. Everything between the checks and the results
# is done in one call, because in small shapes it costs more than the sums. A part of norms.pyx. What is anything else,
# and what is in error, gives None, and channel_norms.py goes its longer way: the bits are the same.

def group_norm_at_once(x, num_groups, weight, bias, eps, out):
    """group_norm of plain arrays, or instance_norm where there is no number of groups: the result, mean and rstd. None
    of anything else, and where there is no memory."""
    cdef GroupNorm all
    cdef Dtype of_weight, of_bias
    cdef object y = out, mean, rstd
    cdef const void* vectors[2]
    cdef np.npy_intp shape[2]
    cdef np.npy_intp channels
    cdef bint done
    cdef int k
    if not is_float(x, &all.dtype) or np.PyArray_NDIM(<np.ndarray>x) < 2 or np.PyArray_SIZE(x) == 0 or (
            type(eps) is not float):
        return None
    shape[0], channels, all.size, all.eps = np.PyArray_DIM(x, 0), np.PyArray_DIM(x, 1), 1, eps
    for k in range(2, np.PyArray_NDIM(<np.ndarray>x)):
        all.size *= np.PyArray_DIM(x, k)
    if num_groups is None:
        shape[1] = channels
    elif type(num_groups) is int and 1 <= num_groups <= channels and channels % num_groups == 0:
        shape[1] = num_groups
    else:
        return None
    if not 0.0 <= all.eps < INFINITY or not is_vector_of(weight, channels, all.dtype, &of_weight) or (
            not is_vector_of(bias, channels, all.dtype, &of_bias)):
        return None
    if out is None:
        y = np.PyArray_EMPTY(np.PyArray_NDIM(<np.ndarray>x), np.PyArray_DIMS(<np.ndarray>x),
                             np.PyArray_TYPE(<np.ndarray>x), 0)
    elif not is_like(out, x) or not np.PyArray_ISWRITEABLE(<np.ndarray>out) or not takes_place(out, x) or (
            meet(out, weight) or meet(out, bias)):
        return None
    mean, rstd = np.PyArray_EMPTY(2, shape, np.NPY_DOUBLE, 0), np.PyArray_EMPTY(2, shape, np.NPY_DOUBLE, 0)
    vectors[0], vectors[1] = data_of(weight), data_of(bias)
    all.x, all.y, all.groups = np.PyArray_BYTES(<np.ndarray>x), np.PyArray_BYTES(<np.ndarray>y), shape[1]
    all.mean, all.rstd = <double*>data_of(mean), <double*>data_of(rstd)
    with nogil:
        done = group_norm_of(&all, vectors[0], of_weight, vectors[1], of_bias, shape[0], channels, thread_count[0])
    return (y, mean, rstd) if done else None


def totals_of_instances(np.ndarray mean, np.ndarray rstd, double eps):
    """Sums over the examples, of means and of variances, of what a norm has found of each instance. None if a variance
    is so much smaller than eps that rstd says little of it."""
    cdef Py_ssize_t examples = np.PyArray_DIM(mean, 0), channels = np.PyArray_DIM(mean, 1), k
    cdef np.npy_intp* shape = [2, examples, channels]
    cdef np.ndarray found = np.PyArray_EMPTY(3, shape, np.NPY_DOUBLE, 0)
    cdef double* means = <double*>np.PyArray_DATA(found)
    cdef double* variances = means + examples * channels
    cdef double sigma
    memcpy(means, np.PyArray_DATA(mean), examples * channels * sizeof(double))
    for k in range(examples * channels):
        sigma = 1.0 / (<const double*>np.PyArray_DATA(rstd))[k]
        variances[k] = sigma * sigma - eps
        if variances[k] < eps / 1024:
            return None
    return totals_of_examples(found)
