# A guess of a channel's mean, from a few elements all over it. A part of batch_norm.pyx.

cdef enum:
    SAMPLES = 8  # elements of a channel


cdef double guessed_mean(const Channel* channel) noexcept nogil:
    # By their deviations from the first. Of float64 it is the number that most of them are, if there is one: so many
    # equal deviations and squares would all be rounded the same way.
    cdef double values[SAMPLES]
    cdef uint16_t codes[F32_LANES + SAMPLES]
    cdef float widened[F32_LANES + SAMPLES]
    cdef double deviations = 0.0
    cdef const char* at
    cdef Py_ssize_t k, equal, j
    for k in range(SAMPLES):
        at = channel.x + k * channel.examples // SAMPLES * channel.x_step + (
            k * 5 % SAMPLES * channel.size // SAMPLES * channel.x_stride)
        if is_short(channel.dtype):
            codes[k] = (<const uint16_t*>at)[0]
        else:
            values[k] = (<const double*>at)[0] if channel.dtype == FLOAT64 else (<const float*>at)[0]
    k = 0
    while is_short(channel.dtype) and k < SAMPLES:
        store(<f32x*>(widened + k), load_short(channel.dtype, codes + k))
        k += F32_LANES
    for k in range(SAMPLES):
        if is_short(channel.dtype):
            values[k] = widened[k]
        values[k] *= channel.known.scale
        deviations += values[k] - values[0]
    for k in range(SAMPLES // 2 if channel.dtype == FLOAT64 else 0):
        equal = 0
        for j in range(SAMPLES):
            equal += values[j] == values[k]
        if equal > SAMPLES // 2:
            return values[k]
    return values[0] + deviations / SAMPLES
