# Group norm of arrays as C lays them out. A group is a row of layer_norm, in which each channel has one weight and one
# bias: those of long channels are constants of a loop, those of short ones are repeated for each element. Elements of
# 16 bits are copied to float32 first where a group, or some of them, are few; of longer groups they are read where they
# stand, once for the statistics and once for the results. The bits are those of layer_norm. A part of norms.pyx.

cdef enum:
    REPEATED = 32  # elements of a channel up to which its weight is repeated
    STAGED = 4096  # elements of 16 bits that are copied at a time
    GROUPED = 16384  # elements of the groups of a chunk

cdef struct GroupNorm:
    # x, weight, bias, eps -> y, mean, rstd
    Dtype dtype
    const char* x
    char* y
    const char* weight  # in the precision of the computation: of channels, or where they are short, of their elements
    const char* bias  # NULL where there is none, as weight is
    bint repeated
    double eps
    double* mean  # of each group, or NULL
    double* rstd
    Py_ssize_t groups  # of an example
    Py_ssize_t count  # of all examples
    Py_ssize_t size  # elements of a channel
    Py_ssize_t n  # elements of a group
    Py_ssize_t together  # groups of a chunk
    int threads  # that share a group
    bint streamed
    char* tiles  # of each thread, for 16-bit elements
    Py_ssize_t tile  # elements

cdef enum Constant:
    # what channels of a group share, and what each has
    OF_MEAN
    OF_REST  # -mean_rest * rstd
    OF_RSTD
    OF_RSTD_REST
    OF_SCALE
    OF_WEIGHT
    OF_BIAS
    CONSTANTS

cdef struct ChannelNorm:
    # A group whose channels have constant weights. Its constants are narrowed once: a compiler would narrow them again
    # for each channel, since that can set a floating-point flag.
    const void* x
    bint streamed
    double known[CONSTANTS]  # of groups of float64
    float known_f32[CONSTANTS]
    const void* weights
    const void* biases
    Py_ssize_t size


cdef inline void set_constant(const real* like, ChannelNorm* own, Constant what, double value) noexcept nogil:
    if real is f32x:
        own.known_f32[<int>what] = <float>value
    else:
        own.known[<int>what] = value


cdef inline real constant(const real* like, const ChannelNorm* own, Constant what) noexcept nogil:
    if real is f32x:
        return splat_f32(own.known_f32[<int>what])
    else:
        return splat_f64(own.known[<int>what])


cdef ChannelNorm channels_of(const real* like, const Norm* norm, Py_ssize_t size) noexcept nogil:
    cdef ChannelNorm found
    found.x, found.weights, found.biases, found.size, found.streamed = (
        norm.x, norm.weight, norm.bias, size, norm.streamed)
    set_constant(like, &found, OF_MEAN, norm.mean)
    set_constant(like, &found, OF_RSTD, norm.rstd)
    set_constant(like, &found, OF_RSTD_REST, lost(like, norm.rstd))
    set_constant(like, &found, OF_SCALE, norm.scale)
    if real is f32x:
        found.known_f32[<int>OF_REST] = <float>-norm.mean_rest * found.known_f32[<int>OF_RSTD]
    else:
        found.known[<int>OF_REST] = -norm.mean_rest * norm.rstd
    return found


cdef inline void take_channel(const real* like, ChannelNorm* own, Py_ssize_t c) noexcept nogil:
    # a weight of 1 and a bias of -0 change nothing, be it a zero
    set_constant(like, own, OF_WEIGHT, element(<const real*>own.weights, c) if own.weights != NULL else 1.0)
    set_constant(like, own, OF_BIAS, element(<const real*>own.biases, c) if own.biases != NULL else -0.0)


# One channel, and the part of a group from `start` on.

cdef inline real channel_norm_of(Dtype dtype, bint scaled, const real* like, const void* context, Py_ssize_t i,
                                 Py_ssize_t n) noexcept nogil:
    cdef const ChannelNorm* own = <const ChannelNorm*>context
    cdef real x = take_of(dtype, <const real*>own.x, i, n)
    if scaled:
        x = x * constant(like, own, OF_SCALE)
    x = layer_normed(x, constant(like, own, OF_MEAN), constant(like, own, OF_REST), constant(like, own, OF_RSTD),
                     constant(like, own, OF_RSTD_REST))
    return fma(x, constant(like, own, OF_WEIGHT), constant(like, own, OF_BIAS))


cdef inline real channel_norm_point(const real* like, const void* context, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    return channel_norm_of(own_dtype(like), False, like, context, i, n)


cdef inline real scaled_channel_norm_point(const real* like, const void* context, Py_ssize_t i,
                                           Py_ssize_t n) noexcept nogil:
    return channel_norm_of(own_dtype(like), True, like, context, i, n)


cdef inline f32x bfloat16_channel_point(const f32x* like, const void* context, Py_ssize_t i,
                                        Py_ssize_t n) noexcept nogil:
    return channel_norm_of(BFLOAT16, False, like, context, i, n)


cdef inline f32x float16_channel_point(const f32x* like, const void* context, Py_ssize_t i,
                                       Py_ssize_t n) noexcept nogil:
    return channel_norm_of(FLOAT16, False, like, context, i, n)


cdef inline void put_normed(real (*point)(const real*, const void*, Py_ssize_t, Py_ssize_t) noexcept nogil,
                            real* y, const ChannelNorm* all, Py_ssize_t start, Py_ssize_t n,
                            bint rarely) noexcept nogil:
    cdef ChannelNorm own = all[0]
    cdef Py_ssize_t i = start, stop = start + n, c = start // own.size, end
    while i < stop:
        end = min((c + 1) * own.size, stop)
        take_channel(<const real*>y, &own, c)
        own.x = skip(<const real*>all.x, i)
        if rarely:
            map_rarely(point, <real*>skip(y, i), &own, 0, end - i)
        elif end - i <= (SHORT // 2 if own.streamed else SHORT):
            map_short(point, <void*>skip(y, i), &own, end - i)
        else:
            map_block(point, <real*>skip(y, i), &own, 0, end - i, own.streamed)
        i = end
        c += 1


cdef void channels_block(real* y, row_context context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    put_normed(channel_norm_point[real], y, <const ChannelNorm*>context, start, n, False)


cdef void scaled_channels_block(real* y, row_context context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    put_normed(scaled_channel_norm_point[real], y, <const ChannelNorm*>context, start, n, True)


cdef inline void put_short_channels(
        Dtype dtype, f32x (*point)(const f32x*, const void*, Py_ssize_t, Py_ssize_t) noexcept nogil, uint16_t* y,
        const ChannelNorm* all, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    cdef ChannelNorm own = all[0]
    cdef Py_ssize_t i = start, stop = start + n, c = start // own.size, end
    while i < stop:
        end = min((c + 1) * own.size, stop)
        take_channel(<const f32x*>NULL, &own, c)
        map_shorts(dtype, point, y, &own, i, end - i)
        i = end
        c += 1


cdef void bfloat16_channels_block(f32x* y, row_context context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    put_short_channels(BFLOAT16, bfloat16_channel_point, <uint16_t*>y, <const ChannelNorm*>context, start, n)


cdef void float16_channels_block(f32x* y, row_context context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    put_short_channels(FLOAT16, float16_channel_point, <uint16_t*>y, <const ChannelNorm*>context, start, n)


# Groups.

cdef inline const char* numbers_of_group(const char* values, Py_ssize_t step) noexcept nogil:
    return values + step if values != NULL else NULL


cdef inline void take_vectors(const real* like, const GroupNorm* all, Py_ssize_t number, Norm* norm) noexcept nogil:
    # the weights and biases of a group
    cdef Py_ssize_t step = number % all.groups * (all.n if all.repeated else all.n // all.size) * itemsize(like)
    norm.weight, norm.bias = numbers_of_group(all.weight, step), numbers_of_group(all.bias, step)


cdef inline void put_statistics(const GroupNorm* all, const Norm* norm, Py_ssize_t number) noexcept nogil:
    if all.mean != NULL:
        all.mean[number] = mean_of(norm)
    if all.rstd != NULL:
        all.rstd[number] = rstd_of(norm)


cdef inline void put_group(const real* like, const GroupNorm* all, Norm* norm, Py_ssize_t number) noexcept nogil:
    cdef ChannelNorm channels
    take_vectors(like, all, number, norm)
    if not all.repeated:
        channels = channels_of(like, norm, all.size)
        if norm.scale == 1.0:
            map_row(channels_block[real], <real*>norm.y, &channels, all.n, all.threads)
        else:
            map_row(scaled_channels_block[real], <real*>norm.y, &channels, all.n, all.threads)
    elif norm.scale == 1.0:
        map_row(layer_block[real], <real*>norm.y, norm, all.n, all.threads)
    else:
        map_row(scaled_layer_block[real], <real*>norm.y, norm, all.n, all.threads)
    put_statistics(all, norm, number)


cdef bint norm_eight(const real* like, const GroupNorm* all, Py_ssize_t number, const char* x, char* y) noexcept nogil:
    # SHORT_ROWS short groups, if they are ordinary ones
    cdef Norm norm = Norm(NULL, NULL, NULL, NULL, 0.0, 0.0, 0.0, 0.0, 1.0, False)
    cdef ChannelNorm channels
    cdef double means[SHORT_ROWS]
    cdef double rests[SHORT_ROWS]
    cdef double rstds[SHORT_ROWS]
    cdef Py_ssize_t n = all.n, step = n * itemsize(like), r
    if not short_layer(like, x, step, <const char*>&all.eps, 0, n, means, rests, rstds):
        return False
    for r in range(SHORT_ROWS):
        norm.x, norm.mean, norm.mean_rest, norm.rstd = x + r * step, means[r], rests[r], rstds[r]
        take_vectors(like, all, number + r, &norm)
        if all.repeated:
            map_short(layer_point[real], y + r * step, &norm, n)
        else:
            channels = channels_of(like, &norm, all.size)
            put_normed(channel_norm_point[real], <real*>(y + r * step), &channels, 0, n, False)
    put_means(means, rests, <char*>(all.mean + number if all.mean != NULL else means), sizeof(double))
    put_numbers(rstds, <char*>(all.rstd + number if all.rstd != NULL else rstds), sizeof(double))
    return True


cdef void norm_groups(const real* like, const GroupNorm* all, Py_ssize_t number, Py_ssize_t count, const char* x,
                      char* y) noexcept nogil:
    # some groups from this number on, that stand here
    cdef Norm norms[GROUP]
    cdef Py_ssize_t n = all.n, step = n * itemsize(like), first = 0, refused = 0, not_tiny = 0, rows, r
    cdef Py_ssize_t group = group_of(count, n, itemsize(like), 2)
    while first < count:
        if real is f32x:
            if first >= not_tiny and can_be_tiny(all, number + first, count - first):
                if norm_tiny(all, number + first, x + first * step, y + first * step):
                    first += F32_LANES
                    continue
                not_tiny = first + F32_LANES
        if n <= SHORT and first >= refused and first + SHORT_ROWS <= count:
            refused = first + SHORT_ROWS
            if norm_eight(like, all, number + first, x + first * step, y + first * step):
                first = refused
                continue
        rows = min(group, count - first)
        for r in range(rows):
            norms[r] = Norm(x + (first + r) * step, y + (first + r) * step, NULL, NULL, 0.0, 0.0, all.eps, 0.0, 1.0,
                            all.streamed)
        layer_statistics(like, norms, rows, n, all.threads, GUESS)
        for r in range(rows):
            put_group(like, all, &norms[r], number + first + r)
        first += rows


cdef Pair centred_bfloat16(const f32x* like, const void* context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    cdef Norm norm = (<const Norm*>context)[0]
    return fold_block(fold_centred_bfloat16, 2, &norm, start, n)


cdef Pair centred_float16(const f32x* like, const void* context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    cdef Norm norm = (<const Norm*>context)[0]
    return fold_block(fold_centred_float16, 2, &norm, start, n)


cdef bint norm_where_it_stands(const GroupNorm* all, Py_ssize_t number, const char* x, char* y) noexcept nogil:
    # a group of 16-bit elements, if it is an ordinary one
    cdef float first[GUESSED + PADDING]
    cdef const f32x* like = NULL
    cdef Norm norm = Norm(&first[0], y, NULL, NULL, 0.0, 0.0, all.eps, 0.0, 1.0, False)
    cdef ChannelNorm channels
    cdef double square
    take_row(all.dtype, <f32x*>first, x, sizeof(uint16_t), GUESSED)
    guess_mean(like, &norm)
    norm.x = x
    if all.dtype == BFLOAT16:
        square = centred_square(like, &norm, all.n, all.threads, True, centred_bfloat16)
    else:
        square = centred_square(like, &norm, all.n, all.threads, True, centred_float16)
    if not ordinary(like, square):
        return False
    find_layer_rstd(like, &norm, square, all.n, all.threads)
    take_vectors(like, all, number, &norm)
    channels = channels_of(like, &norm, all.size)
    if all.dtype == BFLOAT16:
        map_row(bfloat16_channels_block, <f32x*>y, &channels, all.n, all.threads)
    else:
        map_row(float16_channels_block, <f32x*>y, &channels, all.n, all.threads)
    put_statistics(all, &norm, number)
    return True


cdef void norm_short_groups(const GroupNorm* all, Py_ssize_t number, Py_ssize_t count, float* tile) noexcept nogil:
    # norm_groups of 16-bit elements
    cdef Py_ssize_t n = all.n, at_once = max(1, STAGED // max(n, 1)), first = 0, rows
    cdef const char* x
    cdef char* y
    while first < count:
        x, y = all.x + (number + first) * n * sizeof(uint16_t), all.y + (number + first) * n * sizeof(uint16_t)
        if n > STAGED and not all.repeated and norm_where_it_stands(all, number + first, x, y):
            first += 1
            continue
        rows = min(at_once, count - first)
        take_row(all.dtype, <f32x*>tile, x, sizeof(uint16_t), rows * n)
        norm_groups(<const f32x*>NULL, all, number + first, rows, <const char*>tile, <char*>tile)
        put_row(all.dtype, y, sizeof(uint16_t), <const f32x*>tile, rows * n)
        first += rows


cdef void norm_chunk(void* context, Py_ssize_t chunk, int thread) noexcept nogil:
    cdef const GroupNorm* all = <const GroupNorm*>context
    cdef Py_ssize_t number = chunk * all.together, count = min(all.together, all.count - number)
    cdef environment callers = enter_environment()
    if all.dtype == FLOAT64:
        norm_groups(<const f64x*>NULL, all, number, count, all.x + number * all.n * <Py_ssize_t>sizeof(double),
                    all.y + number * all.n * <Py_ssize_t>sizeof(double))
    elif all.dtype == FLOAT32:
        norm_groups(<const f32x*>NULL, all, number, count, all.x + number * all.n * <Py_ssize_t>sizeof(float),
                    all.y + number * all.n * <Py_ssize_t>sizeof(float))
    else:
        norm_short_groups(all, number, count, <float*>all.tiles + thread * all.tile)
    if all.streamed:
        end_stream()
    leave_environment(callers)


# Weights.

cdef inline void repeat_registers(const real* values, Py_ssize_t times, Py_ssize_t n, real* row) noexcept nogil:
    # row[n * times], in which each value stands `times` times. A register goes beyond them, up to PADDING elements.
    cdef Py_ssize_t i, c
    cdef real value
    for c in range(n):
        value, i = splat(value, element(values, c)), 0
        while i < times:
            store(<real*>skip(row, c * times + i), value)
            i += lanes(values)


cdef inline char* numbers_for(const GroupNorm* all, const void* values, Dtype dtype, Py_ssize_t channels,
                              char* memory, char* widened) noexcept nogil:
    # weights or biases as groups take them, in that memory if they are not so already
    cdef char* numbers = <char*>values
    if values != NULL and is_short(dtype):
        numbers = widened if all.repeated and all.size > 1 else memory
        take_row(dtype, <f32x*>numbers, <const char*>values, sizeof(uint16_t), channels)
    if values == NULL or not all.repeated or all.size == 1:
        return numbers
    if all.dtype == FLOAT64:
        repeat_registers(<const f64x*>numbers, all.size, channels, <f64x*>memory)
    else:
        repeat_registers(<const f32x*>numbers, all.size, channels, <f32x*>memory)
    return memory


cdef bint group_norm_of(GroupNorm* all, const void* weight, Dtype of_weight, const void* bias, Dtype of_bias,
                        Py_ssize_t batch, Py_ssize_t channels, int threads) noexcept nogil:
    # Whether there was memory; where there was none, nothing has been written. Threads share the groups, or each of
    # fewer groups than there are threads.
    cdef Py_ssize_t width = size_of(all.dtype), computed = max(width, <Py_ssize_t>sizeof(float)), numbers, chunks
    cdef Py_ssize_t vector = 0, widened = 0
    cdef char* memory
    all.count, all.n = batch * all.groups, channels // max(all.groups, 1) * all.size
    all.repeated, all.streamed = all.size < REPEATED, False
    if all.count * all.n * width >= STREAM_BYTES and not is_short(all.dtype):
        all.streamed = all.x != all.y
    numbers = channels * all.size if all.repeated else channels
    if weight != NULL or bias != NULL:
        vector, widened = (numbers + PADDING) * computed, (channels + PADDING) * sizeof(float)
    threads = threads if all.count * all.n >= THREAD_MIN else 1
    all.together = max(1, GROUPED // max(all.n, 1))
    chunks = (all.count + all.together - 1) // all.together
    all.threads = threads if chunks < threads else 1
    threads = 1 if chunks < threads else threads
    all.tile = max(all.n, <Py_ssize_t>STAGED) + PADDING if is_short(all.dtype) else 0
    memory = <char*>malloc(2 * vector + widened + threads * all.tile * <Py_ssize_t>sizeof(float) + 1)
    if memory == NULL:
        return False
    all.tiles = memory + 2 * vector + widened
    all.weight = numbers_for(all, weight, of_weight, channels, memory, memory + 2 * vector)
    all.bias = numbers_for(all, bias, of_bias, channels, memory + vector, memory + 2 * vector)
    run_chunks(norm_chunk, all, chunks, threads)
    free(memory)
    return True
