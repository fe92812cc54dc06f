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


cdef inline double* memory_for(Dtype dtype, Py_ssize_t numbers, Py_ssize_t size) noexcept nogil:
    # so many numbers, and behind these two widened segments
    cdef Py_ssize_t widened = 2 * (size + PADDING) * sizeof(float) if is_short(dtype) else 1
    return <double*>malloc(numbers * sizeof(double) + widened)


cdef bint by_columns(const Operation* operations, Dtype dtype, char** args, Py_ssize_t batch,
                     Py_ssize_t channels) noexcept nogil:
    # whether there was memory for an operation on segments of one element, on one thread
    cdef Operation own = of_dtype(operations, dtype)[0]
    cdef Layout layout
    cdef int threads = 1
    own.threads = &threads
    layout.batch, layout.channels, layout.size, layout.width = batch, channels, 1, size_of(dtype)
    return over_examples(&layout, &own, args)


cdef bint moments_of_plain(Dtype dtype, const void* x, const double* scale, double* mean, double* variance,
                           Py_ssize_t batch, Py_ssize_t channels, Py_ssize_t size) noexcept nogil:
    # whether there was memory, on one thread
    cdef char* args[4]
    args[0], args[1], args[2], args[3] = <char*>x, <char*>scale, <char*>mean, <char*>variance
    if size == 1:
        return by_columns(column_moments, dtype, args, batch, channels)
    sums_of_plain(dtype, NULL, x, NULL, NULL, scale, mean, variance, batch, channels, size, 1)
    return True


cdef double* moments_of_batch(const real* like, Dtype dtype, const void* x, double eps, Py_ssize_t batch,
                              Py_ssize_t channels, Py_ssize_t size) noexcept nogil:
    # means, variances and scales, as batch_norm of Python has them; NULL where there was no memory
    cdef double* found = <double*>malloc(3 * channels * sizeof(double))
    cdef double* scale
    cdef Py_ssize_t c
    cdef bint done, rescued = False
    if found == NULL:
        return NULL
    scale = found + 2 * channels
    for c in range(channels):
        scale[c] = 1.0
    done = moments_of_plain(dtype, x, scale, found, found + channels, batch, channels, size)
    if real is f64x and done:
        for c in range(channels):
            scale[c] = scale_of(found[c], found[channels + c], eps)
            rescued = rescued or scale[c] != 1.0
        done = not rescued or moments_of_plain(dtype, x, scale, found, found + channels, batch, channels, size)
    if done:
        return found
    free(found)
    return NULL


cdef bint by_statistics_of_the_batch(
        Dtype dtype, const void* x, const real* weight, const real* bias, double eps, void* y, double* mean,
        double* variance, double* rstd, Py_ssize_t batch, Py_ssize_t channels, Py_ssize_t size) noexcept nogil:
    cdef double* memory
    cdef double* moments
    cdef real* widened
    cdef Segment segment
    cdef double m, v
    cdef Py_ssize_t c, example, start, step = channels * size
    if batch * step == 0:
        return True
    memory = memory_for(dtype, 0, size)
    moments = moments_of_batch(weight, dtype, x, eps, batch, channels, size) if memory != NULL else NULL
    if moments == NULL:
        free(memory)
        return False
    widened = <real*>memory
    segment.streamed = False
    for c in range(channels):
        m, v, segment.scale = moments[c], moments[channels + c], moments[2 * channels + c]
        segment.rstd = rstd_from(v, segment.scale, eps)
        if mean != NULL:
            mean[c] = m / segment.scale
        if variance != NULL:
            variance[c] = v / segment.scale / segment.scale
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
    free(moments)
    return True


cdef bint backward(Dtype dtype, const void* grad, const void* x, const real* weight, const double* mean,
                   const double* rstd, bint training, void* grad_x, real* grad_weight, real* grad_bias,
                   Py_ssize_t batch, Py_ssize_t channels, Py_ssize_t size) noexcept nogil:
    cdef double* memory = memory_for(dtype, NUMBERS * channels, size)
    cdef real* widened
    cdef real* second_widened
    cdef double count = batch * size if training else INFINITY
    cdef double* n[NUMBERS]  # as backward_at_once has them
    cdef char* args[9]
    cdef Operands p
    cdef Py_ssize_t c, example, start
    cdef int k, last, first = 2 if training else 1  # of the operands: of the results, and of the numbers of channels
    cdef bint done = memory != NULL
    if not done:
        return False
    if batch * size == 0:  # no number has a gradient, and nothing is added up
        for c in range(channels):
            if grad_bias != NULL:
                put_element(grad_bias, c, 0.0)
            if grad_weight != NULL:
                put_element(grad_weight, c, 0.0)
        free(memory)
        return True
    widened = <real*>(memory + NUMBERS * channels)
    second_widened = <real*>skip(<const real*>widened, size + PADDING)
    for k in range(NUMBERS):
        n[k] = memory + k * channels
    for c in range(channels):
        n[0][c], n[1][c], n[2][c] = mean[c], rstd[c], 1.0
        settle(weight, n[0] + c, n[1] + c, n[2] + c)
        n[3][c] = element(weight, c) if weight != NULL else 1.0
    args[0], args[1] = <char*>grad, <char*>x
    args[2], args[3], args[4], args[5], args[6] = <char*>n[0], <char*>n[1], <char*>n[2], <char*>n[4], <char*>n[5]
    if size == 1:
        done = by_columns(column_sums, dtype, args, batch, channels)
    else:
        sums_of_plain(dtype, grad, x, n[0], n[1], n[2], n[4], n[5], batch, channels, size, 1)
    for c in range(channels if done else 0):
        n[6][c], n[7][c] = average(n[4][c], count), average(n[5][c], count)
    last = set_slopes(training, args, n, channels, grad_x)
    if size == 1:
        done = done and by_columns(column_slopes if training else column_affines, dtype, args, batch, channels)
    for c in range(channels if done else 0):
        for k in range(first, last):
            p[k] = <double*>args[k] + c
        for example in range(batch if size > 1 else 0):
            start = (example * channels + c) * size
            p[0] = <void*>segment_of(dtype, grad, start, size, widened)
            p[last] = place_of(dtype, grad_x, start, widened)
            if training:
                p[1] = <void*>segment_of(dtype, x, start, size, second_widened)
                slope_kernel(weight, &p, 1, size, 1, 0)
            else:
                affine_kernel(weight, &p, 1, size, 1, 0)
            put_segment(dtype, grad_x, start, size, widened)
        if grad_bias != NULL:
            put_element(grad_bias, c, n[4][c])
        if grad_weight != NULL:
            put_element(grad_weight, c, n[5][c])
    free(memory)
    return done


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
