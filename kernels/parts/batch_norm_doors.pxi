# The functions that C code calls. A part of batch_norm.pyx, which has the kernels.

cdef inline void by_known_statistics(const real* x, const real* mean, const real* variance, const real* weight,
                                     const real* bias, double eps, real* y, Py_ssize_t batch, Py_ssize_t channels,
                                     Py_ssize_t size) noexcept nogil:
    cdef Segment segment
    cdef double m
    cdef Py_ssize_t c, example, start
    segment.streamed = False
    for c in range(channels):
        m, segment.rstd, segment.scale = element(mean, c), 1.0 / sqrt(element(variance, c) + eps), 1.0
        settle(x, &m, &segment.rstd, &segment.scale)
        set_mean(x, &segment, m)
        segment.weight = element(weight, c) if weight != NULL else 1.0
        segment.bias = element(bias, c) if bias != NULL else 0.0
        for example in range(batch):
            start = (example * channels + c) * size
            segment.x = skip(x, start)
            put_affine(x, &segment, <void*>skip(y, start), size, 1)


cdef void batch_norm_float32(const float* x, const float* mean, const float* variance, const float* weight,
                             const float* bias, double eps, float* y, Py_ssize_t batch, Py_ssize_t channels,
                             Py_ssize_t size) noexcept nogil:
    by_known_statistics(<const f32x*>x, <const f32x*>mean, <const f32x*>variance, <const f32x*>weight,
                        <const f32x*>bias, eps, <f32x*>y, batch, channels, size)


cdef void batch_norm_float64(const double* x, const double* mean, const double* variance, const double* weight,
                             const double* bias, double eps, double* y, Py_ssize_t batch, Py_ssize_t channels,
                             Py_ssize_t size) noexcept nogil:
    by_known_statistics(<const f64x*>x, <const f64x*>mean, <const f64x*>variance, <const f64x*>weight,
                        <const f64x*>bias, eps, <f64x*>y, batch, channels, size)


cdef inline Pair of_channel(const real* x, Py_ssize_t batch, Py_ssize_t step, Py_ssize_t size, double scale,
                            double* means, double* variances) noexcept nogil:
    # mean and variance of all segments of a channel, as merged_kernel merges them
    cdef Pair found, of_means, of_variances
    cdef Py_ssize_t example
    for example in range(batch):
        found = moments(x, skip(x, example * step), scale, size, 1)
        means[example], variances[example] = found.first, found.second
    of_means = moments(<const f64x*>NULL, means, 1.0, batch, 1)
    of_variances = moments(<const f64x*>NULL, variances, 1.0, batch, 1)
    return Pair(of_means.first, of_means.second + of_variances.first)


cdef inline bint by_statistics_of_the_batch(
        const real* x, const real* weight, const real* bias, double eps, real* y, double* mean, double* variance,
        double* rstd, Py_ssize_t batch, Py_ssize_t channels, Py_ssize_t size) noexcept nogil:
    cdef double* memory = <double*>malloc(2 * batch * sizeof(double) + 1)
    cdef Segment segment
    cdef Pair found
    cdef double m
    cdef Py_ssize_t c, example, start, step = channels * size
    if memory == NULL:
        return False
    segment.streamed = False
    for c in range(channels if batch * size > 0 else 0):
        segment.scale = 1.0
        found = of_channel(skip(x, c * size), batch, step, size, 1.0, memory, memory + batch)
        if real is f64x:
            segment.scale = scale_of(found.first, found.second, eps)
            if segment.scale != 1.0:
                found = of_channel(skip(x, c * size), batch, step, size, segment.scale, memory, memory + batch)
        m, segment.rstd = found.first, rstd_from(found.second, segment.scale, eps)
        if mean != NULL:
            mean[c] = m / segment.scale
        if variance != NULL:
            variance[c] = found.second / segment.scale / segment.scale
        if rstd != NULL:
            rstd[c] = segment.rstd * segment.scale
        settle(x, &m, &segment.rstd, &segment.scale)
        set_mean(x, &segment, m)
        segment.weight = element(weight, c) if weight != NULL else 1.0
        segment.bias = element(bias, c) if bias != NULL else 0.0
        for example in range(batch):
            start = example * step + c * size
            segment.x = skip(x, start)
            put_affine(x, &segment, <void*>skip(y, start), size, 1)
    free(memory)
    return True


cdef inline bint backward(const real* grad, const real* x, const real* weight, const double* mean, const double* rstd,
                          bint training, real* grad_x, real* grad_weight, real* grad_bias, Py_ssize_t batch,
                          Py_ssize_t channels, Py_ssize_t size) noexcept nogil:
    # a channel at a time: its sums, and then the gradients of its elements
    cdef double* of_grad = <double*>malloc(2 * batch * sizeof(double) + 1)
    cdef double* of_normed = of_grad + batch
    cdef double first, second, count = batch * size if training else INFINITY
    cdef Operands p
    cdef double number[8]
    cdef Py_ssize_t c, example, start
    cdef int k
    if of_grad == NULL:
        return False
    for c in range(channels):
        number[0], number[1], number[2] = mean[c], rstd[c], 1.0
        settle(x, &number[0], &number[1], &number[2])
        for example in range(batch):
            start = (example * channels + c) * size
            p[0], p[1], p[5], p[6] = <void*>skip(grad, start), <void*>skip(x, start), of_grad + example, (
                of_normed + example)
            for k in range(3):
                p[2 + k] = &number[k]
            sums_kernel(x, &p, 1, size, 1, 0)
        first = sum_values(<const f64x*>of_grad, batch, 1)
        second = sum_values(<const f64x*>of_normed, batch, 1)
        if grad_bias != NULL:
            put_element(grad_bias, c, first)
        if grad_weight != NULL:
            put_element(grad_weight, c, second)
        number[3], number[4], number[5], number[6] = element(weight, c) if weight != NULL else 1.0, first, second, count
        for example in range(batch):
            start = (example * channels + c) * size
            p[0], p[1], p[9] = <void*>skip(grad, start), <void*>skip(x, start), <void*>skip(grad_x, start)
            for k in range(7):
                p[2 + k] = &number[k]
            slope_kernel(x, &p, 1, size, 1, 0)
    free(of_grad)
    return True


cdef bint batch_norm_training_float32(const float* x, const float* weight, const float* bias, double eps, float* y,
                                      double* mean, double* variance, double* rstd, Py_ssize_t batch,
                                      Py_ssize_t channels, Py_ssize_t size) noexcept nogil:
    return by_statistics_of_the_batch(<const f32x*>x, <const f32x*>weight, <const f32x*>bias, eps, <f32x*>y, mean,
                                      variance, rstd, batch, channels, size)


cdef bint batch_norm_training_float64(const double* x, const double* weight, const double* bias, double eps, double* y,
                                      double* mean, double* variance, double* rstd, Py_ssize_t batch,
                                      Py_ssize_t channels, Py_ssize_t size) noexcept nogil:
    return by_statistics_of_the_batch(<const f64x*>x, <const f64x*>weight, <const f64x*>bias, eps, <f64x*>y, mean,
                                      variance, rstd, batch, channels, size)


cdef bint batch_norm_backward_float32(const float* grad, const float* x, const float* weight, const double* mean,
                                      const double* rstd, int training, float* grad_x, float* grad_weight,
                                      float* grad_bias, Py_ssize_t batch, Py_ssize_t channels,
                                      Py_ssize_t size) noexcept nogil:
    return backward(<const f32x*>grad, <const f32x*>x, <const f32x*>weight, mean, rstd, training, <f32x*>grad_x,
                    <f32x*>grad_weight, <f32x*>grad_bias, batch, channels, size)


cdef bint batch_norm_backward_float64(const double* grad, const double* x, const double* weight, const double* mean,
                                      const double* rstd, int training, double* grad_x, double* grad_weight,
                                      double* grad_bias, Py_ssize_t batch, Py_ssize_t channels,
                                      Py_ssize_t size) noexcept nogil:
    return backward(<const f64x*>grad, <const f64x*>x, <const f64x*>weight, mean, rstd, training, <f64x*>grad_x,
                    <f64x*>grad_weight, <f64x*>grad_bias, batch, channels, size)
