# Sums over a channel: of its gradients, grad and grad * normed, and of deviations from a guess of its mean, from which
# mean and variance follow. A part of batch_norm.pyx.
#
# A channel is a segment of each example. Gradients of float32 are added in float32 by twos, and the sums of those in
# float64, as folded sums of rows are; but where segments are short, the next ones go on with the twos of the first,
# so that none has ends of its own to add up. A channel whose float32 sums overflow is added in float64. Deviations are
# always, for means have more digits than float32. A channel is cut into pieces, set by the shape alone, whose sums are
# added in order, so that nobody sees the number of threads. Additions of equal numbers all round the same way, and most
# of a channel may be equal (0 behind a relu): of float64 only a few follow each other, and then their rounding errors
# are kept. Short segments of float64 stand side by side in a strip.

cdef enum:
    PIECE = 1 << 15  # elements of a channel that a thread adds up at a time
    CHANNELS_AT_ONCE = 1 << 14  # elements of as many channels as are one chunk of the work
    FOLDED = 128  # elements that are added up at a time: whole folds

cdef struct Channel:
    Dtype dtype
    const char* grad  # NULL where mean and variance are asked for
    const char* x
    const char* x_end  # behind all of x where that is one plain array, to which grad is alike; NULL of others
    Py_ssize_t grad_step  # from one example to the next
    Py_ssize_t x_step
    Py_ssize_t grad_stride  # from one element of a segment to the next
    Py_ssize_t x_stride
    Py_ssize_t examples
    Py_ssize_t size
    Py_ssize_t together  # examples of a piece
    Py_ssize_t folded  # short segments of a fold
    Segment known

cdef struct Channels:
    Channel first
    Py_ssize_t count
    Py_ssize_t grad_step  # from one channel to the next, as all that follow
    Py_ssize_t x_step
    const char* mean
    const char* rstd
    const char* scale
    char* of_grad  # or the means
    char* of_normed  # or the variances
    Py_ssize_t mean_step
    Py_ssize_t rstd_step
    Py_ssize_t scale_step
    Py_ssize_t of_grad_step
    Py_ssize_t of_normed_step
    Py_ssize_t together  # channels of a chunk
    Py_ssize_t pieces  # of a channel
    Pair* parts  # the sums of each piece of each channel


cdef struct Known:
    Segment segment
    f32x mean  # the numbers of the segment, as terms of float32 take them
    f32x mean_rest
    f32x rstd


cdef inline f32x taken(const Segment* segment, const void* x, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    # n elements. Of 16 bits a whole register is read where the array goes on behind them.
    if is_short(segment.dtype) and n < F32_LANES and segment.goes_on:
        return first_lanes(load_short(segment.dtype, <const uint16_t*>x + i), n)
    return take_of(segment.dtype, <const f32x*>x, i, n)


cdef inline void fold_grads(const f32x* like, const void* context, Py_ssize_t i, Py_ssize_t n,
                            f32x* sums) noexcept nogil:
    # Lanes without an element have a grad of 0. Where rstd is infinite, no sum is finite, and float64 is asked.
    cdef const Known* known = <const Known*>context
    cdef const Segment* segment = &known.segment
    cdef f32x grad = taken(segment, segment.grad, i, n), x = taken(segment, segment.x, i, n)
    x = (x - known.mean) - known.mean_rest
    sums[0] = sums[0] + grad
    sums[1] = fma(grad, x * known.rstd, sums[1])


cdef inline void copy_to(const real* like, const Channel* channel, real* tile, const char* x, Py_ssize_t stride,
                         bint goes_on, Py_ssize_t n) noexcept nogil:
    # n elements, and behind them what fills a register
    cdef Py_ssize_t i = 0
    if real is f32x and is_short(channel.dtype) and goes_on:
        while i < n:
            store(<f32x*>skip(tile, i), load_short(channel.dtype, <const uint16_t*>x + i))
            i += F32_LANES
        return
    take_row(channel.dtype, tile, x, stride, n)


cdef void copy_part(const real* like, const Channel* channel, Py_ssize_t example, Py_ssize_t start, Py_ssize_t n,
                    double* tiles) noexcept nogil:
    # in the precision of the computation, x multiplied by its scale
    cdef double* tile = tiles + FOLDED + PADDING
    cdef const char* x = channel.x + example * channel.x_step + start * channel.x_stride
    cdef bint goes_on = x + (n + F32_LANES) * size_of(channel.dtype) <= channel.x_end
    cdef Py_ssize_t i
    if channel.grad != NULL:
        copy_to(like, channel, <real*>tiles, channel.grad + example * channel.grad_step + start * channel.grad_stride,
                channel.grad_stride, goes_on, n)
    copy_to(like, channel, <real*>tile, x, channel.x_stride, goes_on, n)
    for i in range(n if channel.known.scale != 1.0 else 0):
        if real is f32x:
            (<float*>tile)[i] *= <float>channel.known.scale
        else:
            tile[i] *= channel.known.scale


cdef inline void point_at(const real* like, const Channel* channel, bint in_place, Py_ssize_t example, Py_ssize_t start,
                          Py_ssize_t n, Segment* segment, double* tiles) noexcept nogil:
    # to a part of a segment where it stands, or to a copy; asked anew for each part, or the sums would be there twice
    if any_count(in_place):
        segment.grad = channel.grad + example * channel.grad_step + start * channel.grad_stride
        segment.x = channel.x + example * channel.x_step + start * channel.x_stride
        segment.goes_on = <const char*>segment.x + (n + F32_LANES) * size_of(channel.dtype) <= channel.x_end
    else:
        copy_part(like, channel, example, start, n, tiles)
        segment.grad, segment.x = tiles, tiles + FOLDED + PADDING


cdef inline void add_exactly(f64x* sums, f64x* totals) noexcept nogil:
    # the partial sums of both, eight of each that are left by halves, to totals, behind which their rounding errors are
    halve_strip(sums, 2)
    add_strip(totals, totals + 2 * FOLDED_SUMS, sums, 2 * FOLDED_SUMS)


cdef inline Py_ssize_t room_in_strip(Py_ssize_t n) noexcept nogil:
    # what so few elements take up: a part of the partial sums that are added by halves
    cdef Py_ssize_t room = PARTS // 4
    while room < n:
        room *= 2
    return room


cdef inline Pair add_segments(
        void (*fold)(const f32x*, const void*, Py_ssize_t, Py_ssize_t, f32x*) noexcept nogil,
        void (*add)(const real*, const void*, Py_ssize_t, Py_ssize_t, f64x*) noexcept nogil, const real* like,
        const Channel* channel, Dtype dtype, bint in_place, bint folded, Py_ssize_t example, Py_ssize_t stop,
        Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    # of a few examples the elements start to start + n of their segments, which are taken as this dtype
    cdef Known known
    cdef Segment* segment = &known.segment
    cdef double tiles[2 * (FOLDED + PADDING)]
    cdef f64x sums[2 * SUMS]
    cdef f64x strip[2 * SUMS]
    cdef f64x totals[4 * FOLDED_SUMS]
    cdef f32x terms[2 * FOLDED_TERMS]
    cdef Py_ssize_t end = start + n, i, length, last, room = room_in_strip(n % STRIP), taken_up = 0
    cdef Py_ssize_t most = STRIP if channel.grad != NULL else 2 * STRIP  # of squares, whose root has half their errors
    cdef int k, registers = FOLDED_SUMS if folded else SUMS
    segment.mean, segment.mean_rest, segment.rstd = channel.known.mean, channel.known.mean_rest, channel.known.rstd
    segment.scale, segment.dtype = 1.0, dtype
    known.mean, known.mean_rest = splat_f32(segment.mean), splat_f32(segment.mean_rest)
    known.rstd = splat_f32(segment.rstd)
    for k in range(2 * registers):
        sums[k] = splat_f64(0.0)
    for k in range(4 * FOLDED_SUMS if real is f64x else 0):
        totals[k] = splat_f64(0.0)
    while example < stop:
        if real is f32x and folded and channel.folded > 1:
            for k in range(2 * FOLDED_TERMS):
                terms[k] = splat_f32(0.0)
            last = min(example + channel.folded, stop)
            while example < last:
                point_at(like, channel, in_place, example, start, n, segment, tiles)
                add_float_terms(fold, 2, &known, 0, n, terms)
                example += 1
            end_fold(2, terms, sums)
            continue
        i = start
        while i < end:
            length = end - i
            if not in_place:
                length = min(length, <Py_ssize_t>FOLDED)
            if real is f64x:
                length = min(length, <Py_ssize_t>STRIP)
            point_at(like, channel, in_place, example, i, length, segment, tiles)
            if real is f32x and folded:
                add_folds(fold, 2, &known, 0, length, sums)
            elif real is f64x and length == STRIP:  # known to the compiler: at avx2 nine tenths of the time
                add_plain_terms(add, 2, like, segment, 0, STRIP, strip)
                add_exactly(strip, totals)
            elif real is f64x and length > PARTS:
                add_plain_terms(add, 2, like, segment, 0, length, strip)
                add_exactly(strip, totals)
            else:
                add_more_terms(add, 2, like, segment, 0, length, sums + <size_t>taken_up % PARTS // F64_LANES * 2)
            i += length
            if real is f64x and length <= PARTS:
                taken_up += room
                if taken_up == most:
                    add_exactly(sums, totals)
                    taken_up = 0
                    for k in range(2 * registers):
                        sums[k] = splat_f64(0.0)
        example += 1
    if real is f64x:
        add_exactly(sums, totals)
        return Pair(
            with_losses(tree(totals, FOLDED_SUMS, 2), tree(totals + 2 * FOLDED_SUMS, FOLDED_SUMS, 2)),
            with_losses(tree(totals + 1, FOLDED_SUMS, 2), tree(totals + 2 * FOLDED_SUMS + 1, FOLDED_SUMS, 2)))
    return Pair(tree(sums, registers, 2), tree(sums + 1, registers, 2))


cdef Py_ssize_t cut(Channel* channel) noexcept nogil:
    # into pieces of whole folds; how many there are
    cdef Py_ssize_t count
    channel.together = channel.folded = 1
    if channel.size == 0:
        return 0
    if channel.size > PIECE:
        return channel.examples * ((channel.size + PIECE - 1) // PIECE)
    count = PIECE // channel.size
    channel.together = count if count < FOLD else count // FOLD * FOLD
    channel.folded = max(1, FOLD // ((channel.size + FOLDED_PARTS - 1) // FOLDED_PARTS))
    return (channel.examples + channel.together - 1) // channel.together


cdef inline Pair add_either(
        void (*fold)(const f32x*, const void*, Py_ssize_t, Py_ssize_t, f32x*) noexcept nogil,
        void (*add)(const real*, const void*, Py_ssize_t, Py_ssize_t, f64x*) noexcept nogil, const real* like,
        const Channel* channel, bint of_grads, bint folded, Py_ssize_t example, Py_ssize_t stop, Py_ssize_t start,
        Py_ssize_t n) noexcept nogil:
    # segments where they stand, or copies
    cdef Py_ssize_t width = size_of(channel.dtype)
    cdef bint in_place = channel.known.scale == 1.0 and (n == 1 or channel.x_stride == width) and (
        not of_grads or n == 1 or channel.grad_stride == width)
    if real is f32x:
        if of_grads and folded:
            if in_place and channel.dtype == BFLOAT16:
                return add_segments(fold, add, like, channel, BFLOAT16, True, True, example, stop, start, n)
            if in_place and channel.dtype == FLOAT16:
                return add_segments(fold, add, like, channel, FLOAT16, True, True, example, stop, start, n)
            return add_segments(fold, add, like, channel, FLOAT32, in_place, True, example, stop, start, n)
    in_place = in_place and not is_short(channel.dtype)
    return add_segments(fold, add, like, channel, own_dtype(like), in_place, False, example, stop, start, n)


cdef Pair sums_of_piece(const real* like, const Channel* channel, Py_ssize_t piece, bint folded) noexcept nogil:
    cdef Py_ssize_t example, stop, start = 0, n = channel.size, count
    if n > PIECE:
        count = (n + PIECE - 1) // PIECE
        example, start = piece // count, piece % count * PIECE
        stop, n = example + 1, min(n - start, <Py_ssize_t>PIECE)
    else:
        example = piece * channel.together
        stop = min(example + channel.together, channel.examples)
    if channel.grad != NULL:
        return add_either(fold_grads, add_grads[real], like, channel, True, folded, example, stop, start, n)
    if is_short(channel.dtype) and channel.x_stride == size_of(channel.dtype) and channel.size <= FOLDED:
        return add_padded(channel, example, stop, n)
    return add_either(fold_grads, add_centred[real], like, channel, False, False, example, stop, start, n)


cdef inline void set_channel(const real* like, const Channels* all, Py_ssize_t c, Channel* channel) noexcept nogil:
    # what tells a channel from the first one, in its place: to copy what has just been written waits for it
    channel.x = all.first.x + c * all.x_step
    channel.known.scale = (<const double*>(all.scale + c * all.scale_step))[0]
    if all.first.grad == NULL:
        set_mean(like, &channel.known, guessed_mean(channel))
        return
    channel.grad = all.first.grad + c * all.grad_step
    set_mean(like, &channel.known, (<const double*>(all.mean + c * all.mean_step))[0])
    channel.known.rstd = (<const double*>(all.rstd + c * all.rstd_step))[0]


cdef inline Pair sums_of_channel(const real* like, const Channel* channel, Py_ssize_t pieces, const Pair* parts,
                                 bint folded) noexcept nogil:
    # of its pieces, which may have been added already
    cdef Pair total = Pair(0.0, 0.0), first = Pair(0.0, 0.0), second = Pair(0.0, 0.0), part
    cdef Py_ssize_t piece
    for piece in range(pieces):
        part = parts[piece] if parts != NULL else sums_of_piece(like, channel, piece, folded)
        if real is f32x:
            total = add_pairs(total, 0, part, 0)
        else:
            add_both(part, &first, &second)
    if real is f32x:
        return total
    return both_with_losses(first, second)


cdef inline Pair averages_of(Pair sums, const Channel* channel) noexcept nogil:
    cdef double count = channel.examples * channel.size
    return Pair(sums.first / count, sums.second / count)


cdef Pair moments_of_channel(const real* like, Channel* channel, Py_ssize_t pieces, const Pair* parts) noexcept nogil:
    # Mean and variance. Deviations are taken from a guess of the mean, and where that costs a bit, from the mean.
    cdef Pair average = averages_of(sums_of_channel(like, channel, pieces, parts, False), channel)
    if average.first * average.first > 0.5 * average.second:
        set_mean(like, &channel.known, channel.known.mean + average.first)
        average = averages_of(sums_of_channel(like, channel, pieces, NULL, False), channel)
    return Pair(channel.known.mean + average.first, average.second - average.first * average.first)


cdef void sum_channel(const real* like, const Channels* all, Py_ssize_t c, Channel* channel) noexcept nogil:
    cdef const Pair* parts = all.parts + c * all.pieces if all.parts != NULL else NULL
    cdef Pair total
    set_channel(like, all, c, channel)
    if channel.grad == NULL:
        total = moments_of_channel(like, channel, all.pieces, parts)
    else:
        total = sums_of_channel(like, channel, all.pieces, parts, True)
        if real is f32x and not (fabs(total.first) < INFINITY and fabs(total.second) < INFINITY):
            total = sums_of_channel(like, channel, all.pieces, NULL, False)
    (<double*>(all.of_grad + c * all.of_grad_step))[0] = total.first
    (<double*>(all.of_normed + c * all.of_normed_step))[0] = total.second


cdef void sum_one_piece(void* context, Py_ssize_t number, int thread) noexcept nogil:
    cdef const Channels* all = <const Channels*>context
    cdef Py_ssize_t c = number // all.pieces, piece = number % all.pieces
    cdef environment callers = enter_environment()
    cdef Channel channel = all.first
    if all.first.dtype == FLOAT64:
        set_channel(<const f64x*>NULL, all, c, &channel)
        all.parts[number] = sums_of_piece(<const f64x*>NULL, &channel, piece, False)
    else:
        set_channel(<const f32x*>NULL, all, c, &channel)
        all.parts[number] = sums_of_piece(<const f32x*>NULL, &channel, piece, True)
    leave_environment(callers)


cdef void sum_a_few(void* context, Py_ssize_t number, int thread) noexcept nogil:
    # the channels of one chunk
    cdef const Channels* all = <const Channels*>context
    cdef Channel channel = all.first
    cdef Py_ssize_t c
    cdef environment callers = enter_environment()
    for c in range(number * all.together, min((number + 1) * all.together, all.count)):
        if all.first.dtype == FLOAT64:
            sum_channel(<const f64x*>NULL, all, c, &channel)
        else:
            sum_channel(<const f32x*>NULL, all, c, &channel)
    leave_environment(callers)


cdef void sum_channels(Channels* all, int threads) noexcept nogil:
    # Threads share the channels, or the pieces of a few channels; where there is no memory for what pieces give, one
    # thread does all.
    cdef Py_ssize_t elements_of_one = all.first.examples * all.first.size
    all.pieces, all.parts = cut(&all.first), NULL
    all.together = max(1, CHANNELS_AT_ONCE // max(elements_of_one, 1))
    if all.count * elements_of_one < THREAD_MIN:
        threads = 1
    if threads > 1 and all.count < 4 * threads and all.pieces > 1:
        all.parts = <Pair*>malloc(all.count * all.pieces * sizeof(Pair))
        if all.parts != NULL:
            run_chunks(sum_one_piece, all, all.count * all.pieces, threads)
        threads = 1
    run_chunks(sum_a_few, all, (all.count + all.together - 1) // all.together, threads)
    free(all.parts)


cdef bint sums_loop(const Operation* operation, char** args, const np.npy_intp* dims,
                    const np.npy_intp* steps) noexcept nogil:
    # grad, x (both channels, examples, elements), mean, rstd, scale -> sum(grad), sum(grad * normed)
    cdef Channels all
    cdef Channel* first = &all.first
    first.dtype, first.examples, first.size = operation.dtype, dims[1], dims[2]
    first.grad, first.grad_step, first.grad_stride = args[0], steps[7], steps[8]
    first.x, first.x_step, first.x_stride, first.x_end = args[1], steps[9], steps[10], NULL
    all.count, all.grad_step, all.x_step = dims[0], steps[0], steps[1]
    all.mean, all.mean_step, all.rstd, all.rstd_step = args[2], steps[2], args[3], steps[3]
    all.scale, all.scale_step = args[4], steps[4]
    all.of_grad, all.of_grad_step, all.of_normed, all.of_normed_step = args[5], steps[5], args[6], steps[6]
    sum_channels(&all, operation.threads[0])
    return True


cdef bint batch_moments_loop(const Operation* operation, char** args, const np.npy_intp* dims,
                             const np.npy_intp* steps) noexcept nogil:
    # x (channels, examples, elements), scale -> mean, variance
    cdef Channels all
    cdef Channel* first = &all.first
    first.dtype, first.examples, first.size, first.grad, first.x_end = operation.dtype, dims[1], dims[2], NULL, NULL
    first.x, first.x_step, first.x_stride = args[0], steps[4], steps[5]
    all.count, all.x_step, all.scale, all.scale_step = dims[0], steps[0], args[1], steps[1]
    all.of_grad, all.of_grad_step, all.of_normed, all.of_normed_step = args[2], steps[2], args[3], steps[3]
    sum_channels(&all, operation.threads[0])
    return True


cdef void sums_of_plain(Dtype dtype, const void* grad, const void* x, const double* mean, const double* rstd,
                        const double* scale, double* of_grad, double* of_normed, Py_ssize_t batch, Py_ssize_t channels,
                        Py_ssize_t size, int threads) noexcept nogil:
    # the same of arrays as C lays them out; without grad, which mean and rstd go with, their means and variances
    cdef Channels all
    cdef Channel* first = &all.first
    cdef Py_ssize_t width = size_of(dtype)
    first.dtype, first.examples, first.size = dtype, batch, size
    first.grad, first.x = <const char*>grad, <const char*>x
    first.x_end = first.x + batch * channels * size * width
    first.grad_step = first.x_step = channels * size * width
    first.grad_stride = first.x_stride = width
    all.count, all.grad_step, all.x_step = channels, size * width, size * width
    all.mean, all.rstd, all.scale = <const char*>mean, <const char*>rstd, <const char*>scale
    all.of_grad, all.of_normed = <char*>of_grad, <char*>of_normed
    all.mean_step = all.rstd_step = all.scale_step = all.of_grad_step = all.of_normed_step = sizeof(double)
    sum_channels(&all, threads)
