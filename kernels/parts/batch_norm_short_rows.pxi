# Short segments, eight at a time, for the same bits. A part of batch_norm.pyx, which has the kernels of one at a time.

cdef inline bint all_unscaled(const char* scale, Py_ssize_t step) noexcept nogil:
    cdef int r
    for r in range(SHORT_ROWS):
        if (<const double*>(scale + r * step))[0] != 1.0:
            return False
    return True


cdef inline void short_moments(const real* like, const char* x, Py_ssize_t step, Py_ssize_t n, double* means,
                               double* variances) noexcept nogil:
    # as `moments` with a scale of 1
    cdef Segment segment
    cdef f64x[4 * SHORT_ROWS] parts
    cdef double[SHORT_ROWS] rests
    cdef Py_ssize_t r
    segment.scale = 1.0
    for r in range(SHORT_ROWS):
        add_short(add_element[real], 1, like, x + r * step, n, parts + r)
    short_means(like, parts, 1, n, means)
    for r in range(SHORT_ROWS):
        segment.x, segment.mean = x + r * step, means[r]
        add_short(add_centred[real], 2, like, &segment, n, parts + r)
    short_means(like, parts, 2, n, rests)
    short_means(like, parts + SHORT_ROWS, 2, n, variances)
    for r in range(SHORT_ROWS):
        means[r] += rests[r]
        variances[r] -= rests[r] * rests[r]


cdef bint short_moments_kernel(const real* like, char** at, const Py_ssize_t* steps, Py_ssize_t n,
                               int manner) noexcept nogil:
    cdef double[SHORT_ROWS] means
    cdef double[SHORT_ROWS] variances
    if not all_unscaled(at[1], steps[1]):
        return False
    short_moments(like, at[0], steps[0], n, means, variances)
    put_numbers(means, at[2], steps[2])
    put_numbers(variances, at[3], steps[3])
    return True


cdef bint short_affine_kernel(const real* like, char** at, const Py_ssize_t* steps, Py_ssize_t n,
                              int manner) noexcept nogil:
    cdef Segment segment
    cdef Py_ssize_t r
    if not all_unscaled(at[3], steps[3]):
        return False
    segment.scale = 1.0
    for r in range(SHORT_ROWS):
        segment.x = at[0] + r * steps[0]
        set_mean(like, &segment, (<double*>(at[1] + r * steps[1]))[0])
        segment.rstd = (<double*>(at[2] + r * steps[2]))[0]
        segment.weight, segment.bias = (<double*>(at[4] + r * steps[4]))[0], (<double*>(at[5] + r * steps[5]))[0]
        map_short(affine[real], at[6] + r * steps[6], &segment, n)
    return True


cdef bint short_slope_kernel(const real* like, char** at, const Py_ssize_t* steps, Py_ssize_t n,
                             int manner) noexcept nogil:
    cdef Segment segment
    cdef Py_ssize_t r
    if not all_unscaled(at[4], steps[4]):
        return False
    segment.scale = 1.0
    for r in range(SHORT_ROWS):
        segment.grad, segment.x = at[0] + r * steps[0], at[1] + r * steps[1]
        set_mean(like, &segment, (<double*>(at[2] + r * steps[2]))[0])
        segment.rstd = (<double*>(at[3] + r * steps[3]))[0]
        segment.weight = (<double*>(at[5] + r * steps[5]))[0]
        segment.grad_mean = (<double*>(at[6] + r * steps[6]))[0]
        segment.grad_normed_mean = (<double*>(at[7] + r * steps[7]))[0]
        map_short(slope[real], at[8] + r * steps[8], &segment, n)
    return True


cdef bint short_total_kernel(const real* like, char** at, const Py_ssize_t* steps, Py_ssize_t n,
                             int manner) noexcept nogil:
    cdef f64x[2 * SHORT_ROWS] parts
    cdef double[SHORT_ROWS] totals
    cdef Py_ssize_t r
    for r in range(SHORT_ROWS):
        add_short(add_element[real], 1, like, at[0] + r * steps[0], n, parts + r)
    added_totals(like, parts, 1, totals)
    put_numbers(totals, at[1], steps[1])
    return True
