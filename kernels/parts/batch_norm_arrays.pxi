# The statistics of each channel, and what follows from them, as arrays of float64. A part of batch_norm.pyx.

cdef np.ndarray plain(object values):
    # as C lays them out
    return np.PyArray_FROMANY(values, np.NPY_DOUBLE, 1, 1, np.NPY_ARRAY_CARRAY_RO)


cdef inline double scale_of(double mean, double variance, double eps) noexcept nogil:
    # an eps that is not tiny hides squares that underflowed
    if ordinary(<const f64x*>NULL, variance + (eps if eps > ldexp(1.0, -800) else 0.0)):
        return 1.0
    return rescue_scale(<const f64x*>NULL, variance, mean, eps)


cdef inline double rstd_from(double variance, double scale, double eps) noexcept nogil:
    # of a variance times the square of its scale
    return 1.0 / sqrt(variance + eps) if scale == 1.0 else reciprocal_square_root(eps, scale, variance)


cdef inline double average(double sum, double count) noexcept nogil:
    return 0.0 if count == INFINITY else sum / count


# Numbers of many channels, by whole registers.

cdef void fill_numbers(double* numbers, double value, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        numbers[i] = value


cdef void widen_numbers(Dtype dtype, double* numbers, const char* x, Py_ssize_t n) noexcept nogil:
    # to float64
    cdef float widened[WIDENED + PADDING]
    cdef const float* own
    cdef Py_ssize_t start = 0, count, i
    if dtype == FLOAT64:
        memcpy(numbers, x, n * sizeof(double))
        return
    while start < n:
        own, count = <const float*>x + start, n - start
        if is_short(dtype):
            own, count = widened, min(<Py_ssize_t>WIDENED, count)
            take_row(dtype, <f32x*>widened, x + start * sizeof(uint16_t), sizeof(uint16_t), count)
        i = 0
        while i + F64_LANES <= count:
            store_f64(numbers + start + i, wide_f32(own + i))
            i += F64_LANES
        while i < count:
            numbers[start + i] = own[i]
            i += 1
        start += count


cdef void narrow_numbers(bint doubles, void* y, const double* numbers, Py_ssize_t n) noexcept nogil:
    # to float64 or float32
    cdef Py_ssize_t i = 0
    if doubles:
        memcpy(y, numbers, n * sizeof(double))
        return
    while i + F64_LANES <= n:
        narrow_f64_f32(<float*>y + i, load_f64(numbers + i))
        i += F64_LANES
    while i < n:
        (<float*>y)[i] = <float>numbers[i]
        i += 1


cdef void average_numbers(double* averages, const double* sums, double count, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i = 0
    while i + F64_LANES <= n and count != INFINITY:
        store_f64(averages + i, load_f64(sums + i) / splat_f64(count))
        i += F64_LANES
    while i < n:
        averages[i] = average(sums[i], count)
        i += 1


def scales(mean, variance, double eps):
    """The powers of two by which channels of float64 are multiplied for their variances, or None where all are 1."""
    cdef np.ndarray means = plain(mean), variances = plain(variance)
    cdef Py_ssize_t i, channels = np.PyArray_SIZE(means)
    cdef const double* m = <const double*>np.PyArray_DATA(means)
    cdef const double* v = <const double*>np.PyArray_DATA(variances)
    cdef np.ndarray found = np.PyArray_EMPTY(1, np.PyArray_DIMS(means), np.NPY_DOUBLE, 0)
    cdef double* s = <double*>np.PyArray_DATA(found)
    cdef bint rescued = False
    for i in range(channels):
        s[i] = scale_of(m[i], v[i], eps)
        rescued = rescued or s[i] != 1.0
    return found if rescued else None


cdef inline void settle(const real* like, double* mean, double* rstd, double* scale) noexcept nogil:
    # mean and rstd as those of a row times the scale that its precision asks for; a scale that is set already stays
    cdef double wanted
    if scale[0] == 1.0:
        wanted = statistics_scale(like, mean[0], rstd[0])
        if wanted != 1.0:
            mean[0], rstd[0], scale[0] = mean[0] * wanted, rstd[0] / wanted, wanted


cdef inline void settle_in(bint double_precision, double* mean, double* rstd, double* scale) noexcept nogil:
    if double_precision:
        settle(<const f64x*>NULL, mean, rstd, scale)
    else:
        settle(<const f32x*>NULL, mean, rstd, scale)


def settled(bint double_precision, mean, rstd):
    """Mean and rstd of each channel times its scale, and the scales, for arrays of float64 or shorter ones."""
    cdef np.ndarray means = plain(mean).copy(), rstds = plain(rstd).copy()
    cdef Py_ssize_t i
    cdef np.ndarray found = np.PyArray_EMPTY(1, np.PyArray_DIMS(means), np.NPY_DOUBLE, 0)
    cdef double* m = <double*>np.PyArray_DATA(means)
    cdef double* r = <double*>np.PyArray_DATA(rstds)
    cdef double* s = <double*>np.PyArray_DATA(found)
    cdef environment callers = enter_environment()
    for i in range(np.PyArray_SIZE(means)):
        s[i] = 1.0
        settle_in(double_precision, m + i, r + i, s + i)
    leave_environment(callers)
    return means, rstds, found


def with_rstd(bint double_precision, mean, variance, scale, double eps):
    """The same of mean and variance times a scale, or None where all are 1; and what mean, variance and rstd are
    without one."""
    cdef np.ndarray means = plain(mean).copy(), variances = plain(variance).copy(), rstds, plain_means, plain_rstds
    cdef np.ndarray found = (np.PyArray_EMPTY(1, np.PyArray_DIMS(means), np.NPY_DOUBLE, 0) if scale is None
                             else plain(scale).copy())
    cdef Py_ssize_t i, channels = np.PyArray_SIZE(means)
    rstds = np.PyArray_EMPTY(1, np.PyArray_DIMS(means), np.NPY_DOUBLE, 0)
    plain_means = np.PyArray_EMPTY(1, np.PyArray_DIMS(means), np.NPY_DOUBLE, 0)
    plain_rstds = np.PyArray_EMPTY(1, np.PyArray_DIMS(means), np.NPY_DOUBLE, 0)
    cdef double* m = <double*>np.PyArray_DATA(means)
    cdef double* v = <double*>np.PyArray_DATA(variances)
    cdef double* s = <double*>np.PyArray_DATA(found)
    cdef double* r = <double*>np.PyArray_DATA(rstds)
    cdef double* without_m = <double*>np.PyArray_DATA(plain_means)
    cdef double* without_r = <double*>np.PyArray_DATA(plain_rstds)
    cdef environment callers = enter_environment()
    for i in range(channels):
        if scale is None:
            s[i] = 1.0
        r[i] = rstd_from(v[i], s[i], eps)
        without_m[i], without_r[i], v[i] = m[i] / s[i], r[i] * s[i], v[i] / s[i] / s[i]
        settle_in(double_precision, m + i, r + i, s + i)
    leave_environment(callers)
    return means, rstds, found, plain_means, plain_rstds, variances


def of_inference(mean, rstd, scale, weight):
    """The operands of affine that make gradients of x of those arriving, by the statistics that `settled` returned."""
    cdef np.ndarray means = plain(mean).copy(), weights = plain(weight).copy(), scales = plain(scale).copy()
    cdef np.ndarray biases = plain(mean).copy()
    cdef double* n[NUMBERS]
    cdef environment callers = enter_environment()
    n[0], n[2] = <double*>np.PyArray_DATA(means), <double*>np.PyArray_DATA(scales)
    n[3], n[6] = <double*>np.PyArray_DATA(weights), <double*>np.PyArray_DATA(biases)
    set_inference(n, np.PyArray_SIZE(means))
    leave_environment(callers)
    return means, rstd, scales, weights, biases


def blended(kept, batch, double momentum, double factor):
    """Running statistics after a batch: (1 - momentum) * kept + momentum * (batch * factor)."""
    cdef np.ndarray olds = plain(kept), news = plain(batch)
    cdef np.ndarray found = np.PyArray_EMPTY(1, np.PyArray_DIMS(olds), np.NPY_DOUBLE, 0)
    cdef const double* old = <const double*>np.PyArray_DATA(olds)
    cdef const double* new = <const double*>np.PyArray_DATA(news)
    cdef double* y = <double*>np.PyArray_DATA(found)
    cdef Py_ssize_t i
    cdef environment callers = enter_environment()
    for i in range(np.PyArray_SIZE(olds)):
        y[i] = blend(old[i], new[i], momentum, factor)
    leave_environment(callers)
    return found


def averages(sums, double count):
    """Sums of float64 divided by how many there are of each; 0 for an infinite count, which leaves the sums out."""
    cdef np.ndarray totals = plain(sums)
    cdef np.ndarray found = np.PyArray_EMPTY(1, np.PyArray_DIMS(totals), np.NPY_DOUBLE, 0)
    cdef const double* total = <const double*>np.PyArray_DATA(totals)
    cdef Py_ssize_t i
    for i in range(np.PyArray_SIZE(totals)):
        (<double*>np.PyArray_DATA(found))[i] = average(total[i], count)
    return found
