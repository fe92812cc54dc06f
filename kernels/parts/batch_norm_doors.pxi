# The functions that C code calls. A part of batch_norm.pyx, which has the kernels.

cdef inline void settle_known(const real* like, Segment* segment, Py_ssize_t c, const real* mean, const real* variance,
                              const real* weight, const real* bias, double eps) noexcept nogil:
    # what the segments of channel c have in common
    cdef double m = element(mean, c)
    segment.rstd, segment.scale, segment.streamed = 1.0 / sqrt(element(variance, c) + eps), 1.0, False
    settle(like, &m, &segment.rstd, &segment.scale)
    set_mean(like, segment, m)
    segment.weight = element(weight, c) if weight != NULL else 1.0
    segment.bias = element(bias, c) if bias != NULL else 0.0


cdef inline void by_known_statistics(const real* x, const real* mean, const real* variance, const real* weight,
                                     const real* bias, double eps, real* y, Py_ssize_t batch, Py_ssize_t channels,
                                     Py_ssize_t size) noexcept nogil:
    cdef Segment segment
    cdef Py_ssize_t c, example, start
    for c in range(channels):
        settle_known(x, &segment, c, mean, variance, weight, bias, eps)
        for example in range(batch):
            start = (example * channels + c) * size
            segment.x = skip(x, start)
            put_affine(x, &segment, <void*>skip(y, start), size, 1)


cdef void short_by_known_statistics(Dtype dtype, const uint16_t* x, const float* mean, const float* variance,
                                    const float* weight, const float* bias, double eps, uint16_t* y, Py_ssize_t batch,
                                    Py_ssize_t channels, Py_ssize_t size) noexcept nogil:
    # the same of 16-bit elements, a block of a segment at a time
    cdef float block[WIDENED + PADDING]
    cdef f32x* widened = <f32x*>block
    cdef Segment segment
    cdef Py_ssize_t c, example, start, i, n
    for c in range(channels):
        settle_known(widened, &segment, c, <const f32x*>mean, <const f32x*>variance, <const f32x*>weight,
                     <const f32x*>bias, eps)
        segment.x = block
        for example in range(batch):
            start = (example * channels + c) * size
            i = 0
            while i < size:
                n = min(<Py_ssize_t>WIDENED, size - i)
                take_row(dtype, widened, <const char*>(x + start + i), sizeof(uint16_t), n)
                put_affine(widened, &segment, block, n, 1)
                put_row(dtype, <char*>(y + start + i), sizeof(uint16_t), widened, n)
                i += n


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


cdef void batch_norm_bfloat16(const uint16_t* x, const float* mean, const float* variance, const float* weight,
                              const float* bias, double eps, uint16_t* y, Py_ssize_t batch, Py_ssize_t channels,
                              Py_ssize_t size) noexcept nogil:
    short_by_known_statistics(BFLOAT16, x, mean, variance, weight, bias, eps, y, batch, channels, size)


cdef void batch_norm_float16(const uint16_t* x, const float* mean, const float* variance, const float* weight,
                             const float* bias, double eps, uint16_t* y, Py_ssize_t batch, Py_ssize_t channels,
                             Py_ssize_t size) noexcept nogil:
    short_by_known_statistics(FLOAT16, x, mean, variance, weight, bias, eps, y, batch, channels, size)


cdef inline const real* segment_of(Dtype dtype, const void* x, Py_ssize_t start, Py_ssize_t size,
                                   real* widened) noexcept nogil:
    # a segment where it stands, or 16-bit elements in float32
    cdef const char* at = <const char*>x + start * size_of(dtype)
    if real is f32x:
        if is_short(dtype):
            take_row(dtype, widened, at, sizeof(uint16_t), size)
            return widened
    return <const real*>at


cdef inline void* place_of(Dtype dtype, void* y, Py_ssize_t start, real* widened) noexcept nogil:
    # where the results of a segment go first
    return <void*>widened if is_short(dtype) else <void*>(<char*>y + start * size_of(dtype))


cdef inline void put_segment(Dtype dtype, void* y, Py_ssize_t start, Py_ssize_t size, real* widened) noexcept nogil:
    if real is f32x:
        if is_short(dtype):
            put_row(dtype, <char*>y + start * size_of(dtype), sizeof(uint16_t), widened, size)


cdef inline double* memory_for(Dtype dtype, Py_ssize_t batch, Py_ssize_t size) noexcept nogil:
    # two numbers of each example, and behind these two widened segments
    cdef Py_ssize_t widened = 2 * (size + PADDING) * sizeof(float) if is_short(dtype) else 1
    return <double*>malloc(2 * batch * sizeof(double) + widened)


cdef inline Pair of_channel(Dtype dtype, const real* like, const void* x, Py_ssize_t first, Py_ssize_t batch,
                            Py_ssize_t step, Py_ssize_t size, double scale, double* memory) noexcept nogil:
    # mean and variance of all segments of a channel, as merged_kernel merges them
    cdef double* means = memory
    cdef double* variances = memory + batch
    cdef real* widened = <real*>(memory + 2 * batch)
    cdef Pair found, of_means, of_variances
    cdef Py_ssize_t example
    for example in range(batch):
        found = moments(like, segment_of(dtype, x, first + example * step, size, widened), scale, size, 1)
        means[example], variances[example] = found.first, found.second
    of_means = moments(<const f64x*>NULL, means, 1.0, batch, 1)
    of_variances = moments(<const f64x*>NULL, variances, 1.0, batch, 1)
    return Pair(of_means.first, of_means.second + of_variances.first)


cdef bint by_statistics_of_the_batch(
        Dtype dtype, const void* x, const real* weight, const real* bias, double eps, void* y, double* mean,
        double* variance, double* rstd, Py_ssize_t batch, Py_ssize_t channels, Py_ssize_t size) noexcept nogil:
    cdef double* memory = memory_for(dtype, batch, size)
    cdef real* widened = <real*>(memory + 2 * batch)
    cdef Segment segment
    cdef Pair found
    cdef double m
    cdef Py_ssize_t c, example, start, step = channels * size
    if memory == NULL:
        return False
    segment.streamed = False
    for c in range(channels if batch * size > 0 else 0):
        segment.scale = 1.0
        found = of_channel(dtype, weight, x, c * size, batch, step, size, 1.0, memory)
        if real is f64x:
            segment.scale = scale_of(found.first, found.second, eps)
            if segment.scale != 1.0:
                found = of_channel(dtype, weight, x, c * size, batch, step, size, segment.scale, memory)
        m, segment.rstd = found.first, rstd_from(found.second, segment.scale, eps)
        if mean != NULL:
            mean[c] = m / segment.scale
        if variance != NULL:
            variance[c] = found.second / segment.scale / segment.scale
        if rstd != NULL:
            rstd[c] = segment.rstd * segment.scale
        settle(weight, &m, &segment.rstd, &segment.scale)
        set_mean(weight, &segment, m)
        segment.weight = element(weight, c) if weight != NULL else 1.0
        segment.bias = element(bias, c) if bias != NULL else 0.0
        for example in range(batch):
            start = example * step + c * size
            segment.x = segment_of(dtype, x, start, size, widened)
            put_affine(weight, &segment, place_of(dtype, y, start, widened), size, 1)
            put_segment(dtype, y, start, size, widened)
    free(memory)
    return True


cdef bint backward(Dtype dtype, const void* grad, const void* x, const real* weight, const double* mean,
                   const double* rstd, bint training, void* grad_x, real* grad_weight, real* grad_bias,
                   Py_ssize_t batch, Py_ssize_t channels, Py_ssize_t size) noexcept nogil:
    # a channel at a time: its sums, and then the gradients of its elements
    cdef double* of_grad = memory_for(dtype, batch, size)
    cdef double* of_normed = of_grad + batch
    cdef real* widened = <real*>(of_normed + batch)
    cdef real* second_widened = <real*>skip(<const real*>widened, size + PADDING)
    cdef double first, second, count = batch * size if training else INFINITY
    cdef Operands p
    cdef double number[8]
    cdef Py_ssize_t c, example, start
    cdef int k
    if of_grad == NULL:
        return False
    for c in range(channels):
        number[0], number[1], number[2] = mean[c], rstd[c], 1.0
        settle(weight, &number[0], &number[1], &number[2])
        for example in range(batch):
            start = (example * channels + c) * size
            p[0] = <void*>segment_of(dtype, grad, start, size, widened)
            p[1] = <void*>segment_of(dtype, x, start, size, second_widened)
            p[5], p[6] = of_grad + example, of_normed + example
            for k in range(3):
                p[2 + k] = &number[k]
            sums_kernel(weight, &p, 1, size, 1, 0)
        first = sum_values(<const f64x*>of_grad, batch, 1)
        second = sum_values(<const f64x*>of_normed, batch, 1)
        if grad_bias != NULL:
            put_element(grad_bias, c, first)
        if grad_weight != NULL:
            put_element(grad_weight, c, second)
        number[3], number[4], number[5], number[6] = element(weight, c) if weight != NULL else 1.0, first, second, count
        for example in range(batch):
            start = (example * channels + c) * size
            p[0] = <void*>segment_of(dtype, grad, start, size, widened)
            p[1] = <void*>segment_of(dtype, x, start, size, second_widened)
            p[9] = place_of(dtype, grad_x, start, widened)
            for k in range(7):
                p[2 + k] = &number[k]
            slope_kernel(weight, &p, 1, size, 1, 0)
            put_segment(dtype, grad_x, start, size, widened)
    free(of_grad)
    return True


cdef bint batch_norm_training_float32(const float* x, const float* weight, const float* bias, double eps, float* y,
                                      double* mean, double* variance, double* rstd, Py_ssize_t batch,
                                      Py_ssize_t channels, Py_ssize_t size) noexcept nogil:
    return by_statistics_of_the_batch(FLOAT32, x, <const f32x*>weight, <const f32x*>bias, eps, y, mean, variance, rstd,
                                      batch, channels, size)


cdef bint batch_norm_training_float64(const double* x, const double* weight, const double* bias, double eps, double* y,
                                      double* mean, double* variance, double* rstd, Py_ssize_t batch,
                                      Py_ssize_t channels, Py_ssize_t size) noexcept nogil:
    return by_statistics_of_the_batch(FLOAT64, x, <const f64x*>weight, <const f64x*>bias, eps, y, mean, variance, rstd,
                                      batch, channels, size)


cdef bint batch_norm_training_bfloat16(const uint16_t* x, const float* weight, const float* bias, double eps,
                                       uint16_t* y, double* mean, double* variance, double* rstd, Py_ssize_t batch,
                                       Py_ssize_t channels, Py_ssize_t size) noexcept nogil:
    return by_statistics_of_the_batch(BFLOAT16, x, <const f32x*>weight, <const f32x*>bias, eps, y, mean, variance, rstd,
                                      batch, channels, size)


cdef bint batch_norm_training_float16(const uint16_t* x, const float* weight, const float* bias, double eps,
                                      uint16_t* y, double* mean, double* variance, double* rstd, Py_ssize_t batch,
                                      Py_ssize_t channels, Py_ssize_t size) noexcept nogil:
    return by_statistics_of_the_batch(FLOAT16, x, <const f32x*>weight, <const f32x*>bias, eps, y, mean, variance, rstd,
                                      batch, channels, size)


cdef bint batch_norm_backward_float32(const float* grad, const float* x, const float* weight, const double* mean,
                                      const double* rstd, int training, float* grad_x, float* grad_weight,
                                      float* grad_bias, Py_ssize_t batch, Py_ssize_t channels,
                                      Py_ssize_t size) noexcept nogil:
    return backward(FLOAT32, grad, x, <const f32x*>weight, mean, rstd, training, grad_x, <f32x*>grad_weight,
                    <f32x*>grad_bias, batch, channels, size)


cdef bint batch_norm_backward_float64(const double* grad, const double* x, const double* weight, const double* mean,
                                      const double* rstd, int training, double* grad_x, double* grad_weight,
                                      double* grad_bias, Py_ssize_t batch, Py_ssize_t channels,
                                      Py_ssize_t size) noexcept nogil:
    return backward(FLOAT64, grad, x, <const f64x*>weight, mean, rstd, training, grad_x, <f64x*>grad_weight,
                    <f64x*>grad_bias, batch, channels, size)


cdef bint batch_norm_backward_bfloat16(const uint16_t* grad, const uint16_t* x, const float* weight, const double* mean,
                                       const double* rstd, int training, uint16_t* grad_x, float* grad_weight,
                                       float* grad_bias, Py_ssize_t batch, Py_ssize_t channels,
                                       Py_ssize_t size) noexcept nogil:
    return backward(BFLOAT16, grad, x, <const f32x*>weight, mean, rstd, training, grad_x, <f32x*>grad_weight,
                    <f32x*>grad_bias, batch, channels, size)


cdef bint batch_norm_backward_float16(const uint16_t* grad, const uint16_t* x, const float* weight, const double* mean,
                                      const double* rstd, int training, uint16_t* grad_x, float* grad_weight,
                                      float* grad_bias, Py_ssize_t batch, Py_ssize_t channels,
                                      Py_ssize_t size) noexcept nogil:
    return backward(FLOAT16, grad, x, <const f32x*>weight, mean, rstd, training, grad_x, <f32x*>grad_weight,
                    <f32x*>grad_bias, batch, channels, size)
