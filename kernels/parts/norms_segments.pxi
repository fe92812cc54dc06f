# Gradients of groups of channels that have several elements each: a segment is what an example has of a channel. Its
# two sums give the gradients of weight and bias and, times the channel's weight, the means of its group. Then each
# element is read once more. Here are groups of float64, and those that norms_segments_floats.pxi refuses. A part of
# norms.pyx.

cdef enum:
    SEGMENT = 2  # elements of a segment from which on this is faster than a weight and two sums for each element
    GROUPS_AT_ONCE = 16384  # elements of the groups of a chunk
    FEW_ELEMENTS = 2048  # elements of the groups that are computed together
    MOST_GROUPS = 64  # of these
    EXAMPLES_AT_ONCE = 8

cdef struct Groups:
    # grad, x (both elements, channels), weight, mean, rstd -> grad_x, sum(grad * normed), sum(grad)
    Dtype dtype
    char** at
    const np.npy_intp* steps  # from group to group
    const np.npy_intp* within  # from element to element and from channel to channel of a matrix, or of a row of numbers
    Py_ssize_t count
    Py_ssize_t size
    Py_ssize_t channels  # of a group
    Py_ssize_t together  # groups of a chunk
    Py_ssize_t few  # groups that are computed together
    int threads  # that share a segment
    char* tiles  # two of each thread, for groups that kernels cannot take where they stand; or NULL
    Py_ssize_t tile  # elements
    bint stand  # whether grad, x and grad_x are as C lays them out
    const char* x_end  # behind all of x, then
    bint adjacent  # whether the sums of all channels follow each other


cdef inline real channel_gradient(const Group* group, bint scaled, const real* like, Py_ssize_t i,
                                  Py_ssize_t n) noexcept nogil:
    # (grad * weight - grad_mean - normed * grad_normed_mean) * rstd * scale
    cdef real grad = take(<const real*>group.grad[0], i, n), x = take(<const real*>group.x[0], i, n)
    cdef real rstd = known(like, group, RSTD, 0)
    if scaled:
        x = x * known(like, group, SCALE, 0)
    x = normed_of(x, True, known(like, group, MEAN, 0), known(like, group, MEAN_REST, 0), rstd)
    grad = fma(grad, known(like, group, WEIGHT, 0), known(like, group, GRAD_MEAN, 0))
    grad = fma(x, known(like, group, GRAD_NORMED_MEAN, 0), grad) * rstd
    return grad * known(like, group, SCALE, 0) if scaled else grad


cdef inline f64x channel_point(const f64x* like, const void* group, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    return channel_gradient(<const Group*>group, False, like, i, n)


cdef inline real scaled_channel_point(const real* like, const void* group, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    return channel_gradient(<const Group*>group, True, like, i, n)


cdef void channel_block(f64x* y, row_context context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    if n <= SHORT and start == 0:
        map_short(channel_point, y, context, n)
    else:
        map_block(channel_point, y, context, start, n, False)


cdef void scaled_channel_block(real* y, row_context context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    map_rarely(scaled_channel_point[real], y, context, start, n)


cdef Pair wide_terms(const real* like, const void* context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    return sum_block(wide_term[real], 2, like, context, start, n)


cdef inline void weighted_channel_term(const f64x* like, const void* context, Py_ssize_t i, Py_ssize_t n,
                                       f64x* sums) noexcept nogil:
    # as wide_term, times the channel's weight
    cdef const Group* group = <const Group*>context
    add_terms_of(like, group, take(<const f64x*>group.grad[0], i, n) * known(like, group, WEIGHT, 0), i, n, sums)


cdef Pair weighted_terms(const f64x* like, const void* context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    return sum_block(weighted_channel_term, 2, like, context, start, n)


cdef void take_channels(const real* like, const Groups* all, int operand, const char* at, real* tile) noexcept nogil:
    cdef const np.npy_intp* within = all.within + 2 * operand
    cdef Py_ssize_t c
    for c in range(all.channels):
        take_row(FLOAT64 if real is f64x else all.dtype, <real*>skip(tile, c * all.size), at + c * within[1], within[0],
                 all.size)


cdef void put_channels(const real* like, const Groups* all, char* at, const real* tile) noexcept nogil:
    cdef Py_ssize_t c
    for c in range(all.channels):
        put_row(FLOAT64 if real is f64x else all.dtype, at + c * all.within[6], all.within[5], skip(tile, c * all.size),
                all.size)


cdef inline void* segment_of(const Groups* all, const real* tile, char* at, Py_ssize_t c,
                             Py_ssize_t step) noexcept nogil:
    return <void*>skip(tile, c * all.size) if tile != NULL else <void*>(at + c * step)


cdef inline void put_sums(const Groups* all, char** at, Py_ssize_t c, double of_normed, double of_grad) noexcept nogil:
    (<double*>(at[6] + c * all.within[7]))[0] = of_normed
    (<double*>(at[7] + c * all.within[8]))[0] = of_grad


cdef void gradients_of_group(const real* like, const Groups* all, Py_ssize_t number, int thread) noexcept nogil:
    cdef Group group
    cdef char* at[8]
    cdef Py_ssize_t n = all.size, elements = n * all.channels, c
    cdef const np.npy_intp* within = all.within
    cdef real* grads = NULL
    cdef real* xs = NULL
    cdef Pair sums, total = Pair(0.0, 0.0)
    cdef double weight, rest = 0.0
    cdef const double* of_normed
    cdef const double* of_grad
    cdef real* y
    cdef int k
    for k in range(8):
        at[k] = all.at[k] + number * all.steps[k]
    if all.tiles != NULL:
        grads = <real*>(all.tiles + 2 * thread * all.tile * itemsize(like))
        xs = <real*>skip(grads, all.tile)
        take_channels(like, all, 0, at[0], grads)
        take_channels(like, all, 1, at[1], xs)
    group.weight, group.centred, group.at, group.rows, group.n = NULL, True, 0, 1, n
    set_statistics(like, &group, 0, (<const double*>at[3])[0], (<const double*>at[4])[0])
    if real is f64x:
        for c in range(all.channels):
            group.x[0] = segment_of(all, xs, at[1], c, within[3])
            rest += sum_row(deviations[real], like, &group, n, all.threads).first
        group.mean_rest[0] = rest / elements
        know_rest(like, &group, 0)
    for c in range(all.channels):
        group.grad[0] = segment_of(all, grads, at[0], c, within[1])
        group.x[0] = segment_of(all, xs, at[1], c, within[3])
        sums = sum_row(terms[real], like, &group, n, all.threads)
        put_sums(all, at, c, sums.first, sums.second)
        of_normed, of_grad = <double*>(at[6] + c * within[7]), <double*>(at[7] + c * within[8])
        if real is f32x and group.ordinary and not (fabs(of_normed[0]) < INFINITY and fabs(of_grad[0]) < INFINITY):
            # in float64 where float32 has overflowed
            sums = sum_row(wide_terms[real], like, &group, n, all.threads)
            put_sums(all, at, c, sums.first, sums.second)
        weight = (<const double*>(at[2] + c * within[4]))[0]
        sums = Pair(weight * of_normed[0], weight * of_grad[0])
        if real is f64x:
            if not (fabs(of_normed[0]) < INFINITY and fabs(of_grad[0]) < INFINITY):
                # a channel's sums may be beyond the range, and those of a group that gives it no weight are not
                know(like, &group, WEIGHT, 0, weight)
                sums = sum_row(weighted_terms, like, &group, n, all.threads)
        total = Pair(total.first + sums.first, total.second + sums.second)
    know(like, &group, GRAD_NORMED_MEAN, 0, -total.first / elements)
    know(like, &group, GRAD_MEAN, 0, -total.second / elements)
    for c in range(all.channels):
        group.grad[0] = segment_of(all, grads, at[0], c, within[1])
        group.x[0] = segment_of(all, xs, at[1], c, within[3])
        know(like, &group, WEIGHT, 0, (<const double*>(at[2] + c * within[4]))[0])
        y = <real*>segment_of(all, grads, at[5], c, within[6])
        if real is f64x and group.ordinary:
            map_row(channel_block, y, &group, n, all.threads)
        else:
            map_row(scaled_channel_block[real], y, &group, n, all.threads)
    if grads != NULL:
        put_channels(like, all, at[5], grads)
