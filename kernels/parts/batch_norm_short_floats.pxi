# Deviations of short segments of 16-bit elements; and the map of segments of arrays as C lays them out, of channels
# without a scale: of 16-bit elements, and short ones of others. A part of batch_norm.pyx.

cdef struct Maps:
    Dtype dtype
    bint slopes  # whether the operands are those of batch_slope; else those of affine
    char** args
    Py_ssize_t channels
    Py_ssize_t size
    Py_ssize_t count  # of segments
    Py_ssize_t together  # segments of a chunk


# Deviations.

cdef inline void take_padded(const Channel* channel, float* tile, const char* x, Py_ssize_t n,
                             f32x mean) noexcept nogil:
    # a short segment of 16-bit elements, and behind it the mean, which deviates by 0, up to whole PARTS
    cdef Py_ssize_t i = 0, k
    if x + (n + F32_LANES) * sizeof(uint16_t) > channel.x_end:
        take_row(channel.dtype, <f32x*>tile, x, sizeof(uint16_t), n)
        for k in range(n, whole(n, PARTS)):
            tile[k] = <float>channel.known.mean
        return
    while i + F32_LANES <= n:
        store(<f32x*>(tile + i), load_short(channel.dtype, <const uint16_t*>x + i))
        i += F32_LANES
    k = i
    while k < whole(n, PARTS):
        store(<f32x*>(tile + k), mean)
        k += F32_LANES
    if i < n:
        store_part(<f32x*>(tile + i), load_short(channel.dtype, <const uint16_t*>x + i), n - i)


cdef Pair add_padded(const Channel* channel, Py_ssize_t example, Py_ssize_t stop, Py_ssize_t n) noexcept nogil:
    # deviations of short segments of 16-bit elements: as add_segments adds them to the last bit, some at a time
    cdef Segment segment = channel.known
    cdef float tile[FOLDED + PADDING]
    cdef f64x sums[2 * SUMS]
    cdef f32x mean = splat_f32(<float>channel.known.mean)
    cdef Py_ssize_t filled = 0
    cdef int k
    segment.scale, segment.x = 1.0, tile
    for k in range(2 * SUMS):
        sums[k] = splat_f64(0.0)
    while example < stop:
        take_padded(channel, tile + filled, channel.x + example * channel.x_step, n, mean)
        filled += whole(n, PARTS)
        example += 1
        if example == stop or filled + whole(n, PARTS) > FOLDED:
            add_more_terms(add_centred[f32x], 2, <const f32x*>NULL, &segment, 0, filled, sums)
            filled = 0
    return Pair(tree(sums, SUMS, 2), tree(sums + 1, SUMS, 2))


# Maps.

cdef inline f32x affine_bfloat16(const f32x* like, const void* segment, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    return affine_of(BFLOAT16, like, <const Segment*>segment, i, n)


cdef inline f32x affine_float16(const f32x* like, const void* segment, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    return affine_of(FLOAT16, like, <const Segment*>segment, i, n)


cdef inline f32x slope_bfloat16(const f32x* like, const void* segment, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    return slope_of(BFLOAT16, like, <const Segment*>segment, i, n)


cdef inline f32x slope_float16(const f32x* like, const void* segment, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    return slope_of(FLOAT16, like, <const Segment*>segment, i, n)


cdef inline double number_of(const Maps* maps, int k, Py_ssize_t c) noexcept nogil:
    return (<const double*>maps.args[k])[c]


cdef inline void map_one_segment(const real* like, const Maps* maps, Py_ssize_t number) noexcept nogil:
    cdef Segment segment
    cdef Py_ssize_t c = number % maps.channels, start = number * maps.size * size_of(maps.dtype)
    cdef int first = 2 if maps.slopes else 1  # of the operands that are numbers of channels
    cdef char* y = maps.args[8 if maps.slopes else 6] + start
    segment.grad = segment.x = maps.args[0] + start
    set_mean(like, &segment, number_of(maps, first, c))
    segment.rstd, segment.scale, segment.weight = number_of(maps, first + 1, c), 1.0, number_of(maps, first + 3, c)
    if maps.slopes:
        segment.x = maps.args[1] + start
        segment.grad_mean, segment.grad_normed_mean = number_of(maps, 6, c), number_of(maps, 7, c)
        if maps.dtype == BFLOAT16:
            map_shorts(BFLOAT16, slope_bfloat16, <uint16_t*>y, &segment, 0, maps.size)
        elif maps.dtype == FLOAT16:
            map_shorts(FLOAT16, slope_float16, <uint16_t*>y, &segment, 0, maps.size)
        else:
            map_short(slope[real], y, &segment, maps.size)
    else:
        segment.bias = number_of(maps, 5, c)
        if maps.dtype == BFLOAT16:
            map_shorts(BFLOAT16, affine_bfloat16, <uint16_t*>y, &segment, 0, maps.size)
        elif maps.dtype == FLOAT16:
            map_shorts(FLOAT16, affine_float16, <uint16_t*>y, &segment, 0, maps.size)
        else:
            map_short(affine[real], y, &segment, maps.size)


cdef void map_a_few(void* context, Py_ssize_t number, int thread) noexcept nogil:
    # the segments of one chunk
    cdef const Maps* maps = <const Maps*>context
    cdef environment callers = enter_environment()
    cdef Py_ssize_t k
    for k in range(number * maps.together, min((number + 1) * maps.together, maps.count)):
        if maps.dtype == FLOAT64:
            map_one_segment(<const f64x*>NULL, maps, k)
        else:
            map_one_segment(<const f32x*>NULL, maps, k)
    leave_environment(callers)


cdef void map_segments(Dtype dtype, bint slopes, char** args, Py_ssize_t batch, Py_ssize_t channels, Py_ssize_t size,
                       int threads) noexcept nogil:
    cdef Maps maps = Maps(dtype, slopes, args, channels, size, batch * channels, max(1, CHANNELS_AT_ONCE // size))
    if maps.count * size < THREAD_MIN:
        threads = 1
    run_chunks(map_a_few, &maps, (maps.count + maps.together - 1) // maps.together, threads)
