# Gradients of groups of channels that have several elements each: a segment is what an example has of a channel. Its
# two sums give the gradients of weight and bias and, times the channel's weight, the means of its group. Then each
# element is read once more. A part of norms.pyx.

cdef enum:
    SEGMENT = 32  # elements of a segment from which on this is faster than a weight and two sums for each element
    GROUPS_AT_ONCE = 16384  # elements of the groups of a chunk
    EXAMPLES_AT_ONCE = 32

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
    int threads  # that share a segment
    char* tiles  # two of each thread, for groups that kernels cannot take where they stand; or NULL
    Py_ssize_t tile  # elements


cdef inline real channel_gradient(const Group* group, bint scaled, const real* like, Py_ssize_t i,
                                  Py_ssize_t n) noexcept nogil:
    # (grad * weight - grad_mean - normed * grad_normed_mean) * rstd * scale
    cdef real grad = take(<const real*>group.grad[0], i, n), x = take(<const real*>group.x[0], i, n)
    cdef real rstd = known(like, group, RSTD, 0)
    if scaled:
        x = x * known(like, group, SCALE, 0)
    x = normed_of(x, True, known(like, group, MEAN, 0), known(like, group, MEAN_REST, 0), rstd)
    grad = fma(grad, known(like, group, WEIGHT, 0), -known(like, group, GRAD_MEAN, 0))
    grad = fma(x, known(like, group, GRAD_NORMED_MEAN, 0), grad) * rstd
    return grad * known(like, group, SCALE, 0) if scaled else grad


cdef inline real channel_point(const real* like, const void* group, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    return channel_gradient(<const Group*>group, False, like, i, n)


cdef inline real scaled_channel_point(const real* like, const void* group, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    return channel_gradient(<const Group*>group, True, like, i, n)


cdef void channel_block(real* y, row_context context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    if n <= SHORT and start == 0:
        map_short(channel_point[real], y, context, n)
    else:
        map_block(channel_point[real], y, context, start, n, False)


cdef void scaled_channel_block(real* y, row_context context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    map_block(scaled_channel_point[real], y, context, start, n, False)


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


cdef inline void* segment_of(const Groups* all, const real* tile, char* at, Py_ssize_t c,
                             Py_ssize_t step) noexcept nogil:
    return <void*>skip(tile, c * all.size) if tile != NULL else <void*>(at + c * step)


cdef inline void put_sums(const Groups* all, char** at, Py_ssize_t c, double of_normed, double of_grad) noexcept nogil:
    (<double*>(at[6] + c * all.within[7]))[0] = of_normed
    (<double*>(at[7] + c * all.within[8]))[0] = of_grad


cdef void fold_short_channels(const Groups* all, const Group* group, char** at, const f32x* grads,
                              const f32x* xs) noexcept nogil:
    # the sums of short segments of an ordinary group, SHORT_ROWS side by side
    cdef Terms own = terms_of(group, 0)
    cdef f64x[2 * SHORT_ROWS] parts
    cdef double[SHORT_ROWS] of_normed
    cdef double[SHORT_ROWS] of_grad
    cdef Py_ssize_t first = 0, count, r, c
    for r in range(2 * SHORT_ROWS):
        parts[r] = splat_f64(0.0)
    while first < all.channels:
        count = min(<Py_ssize_t>SHORT_ROWS, all.channels - first)
        for r in range(count):
            c = first + r
            own.grad = <const f32x*>segment_of(all, grads, at[0], c, all.within[1])
            own.x = <const f32x*>segment_of(all, xs, at[1], c, all.within[3])
            fold_short(fold_layer_terms, 2, &own, all.size, parts + r)
        short_totals(parts, of_normed)
        short_totals(parts + SHORT_ROWS, of_grad)
        for r in range(count):
            put_sums(all, at, first + r, of_normed[r], of_grad[r])
        first += count


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
    cdef bint side_by_side = False
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
    if real is f32x:
        side_by_side = n <= SHORT and group.ordinary
        if side_by_side:
            fold_short_channels(all, &group, at, grads, xs)
    for c in range(all.channels):
        group.grad[0] = segment_of(all, grads, at[0], c, within[1])
        group.x[0] = segment_of(all, xs, at[1], c, within[3])
        if not side_by_side:
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
    know(like, &group, GRAD_MEAN, 0, total.second / elements)
    for c in range(all.channels):
        group.grad[0] = segment_of(all, grads, at[0], c, within[1])
        group.x[0] = segment_of(all, xs, at[1], c, within[3])
        know(like, &group, WEIGHT, 0, (<const double*>(at[2] + c * within[4]))[0])
        y = <real*>segment_of(all, grads, at[5], c, within[6])
        if group.ordinary:
            map_row(channel_block[real], y, &group, n, all.threads)
        else:
            map_row(scaled_channel_block[real], y, &group, n, all.threads)
        if grads != NULL:
            put_row(FLOAT64 if real is f64x else all.dtype, at[5] + c * within[6], within[5], y, n)


cdef void gradients_of_chunk(void* context, Py_ssize_t chunk, int thread) noexcept nogil:
    cdef const Groups* all = <const Groups*>context
    cdef environment callers = enter_environment()
    cdef Py_ssize_t number
    for number in range(chunk * all.together, min((chunk + 1) * all.together, all.count)):
        if all.dtype == FLOAT64:
            gradients_of_group(<const f64x*>NULL, all, number, thread)
        else:
            gradients_of_group(<const f32x*>NULL, all, number, thread)
    leave_environment(callers)


cdef bint segments_loop(const Operation* operation, char** args, const np.npy_intp* dims,
                        const np.npy_intp* steps) noexcept nogil:
    # Threads share the groups, or the segments of fewer groups than there are threads.
    cdef Groups all
    cdef Dtype dtype = operation.dtype
    cdef const np.npy_intp* within = steps + 8
    cdef Py_ssize_t n = dims[1] * dims[2], chunks
    cdef int threads = operation.threads[0] if dims[0] * n >= THREAD_MIN else 1
    all.dtype, all.at, all.steps, all.within = dtype, args, steps, within
    all.count, all.size, all.channels = dims[0], dims[1], dims[2]
    all.together = max(1, GROUPS_AT_ONCE // max(n, 1))
    chunks = (all.count + all.together - 1) // all.together
    all.threads = threads if chunks < threads else 1
    threads = 1 if chunks < threads else threads
    all.tiles, all.tile = NULL, n + PADDING
    if not (direct(dtype, within[0], dims[1]) and direct(dtype, within[2], dims[1])
            and direct(dtype, within[5], dims[1])):
        all.tiles = <char*>malloc(2 * threads * all.tile * (sizeof(double) if dtype == FLOAT64 else sizeof(float)))
        if all.tiles == NULL:
            return False
    run_chunks(gradients_of_chunk, &all, chunks, threads)
    free(all.tiles)
    return True


group_norm_backward_gufunc = on_matrices(
    b"group_norm_backward", NULL, NULL, b"mmsdd", b"mss",
    b"grad, x, weight, mean, rstd -> grad_x, sum(grad * normed), sum(grad), of each channel of a group",
    <void*>segments_loop, <void*>segments_loop)
least_segment = SEGMENT


cdef void add_examples(const double* sums, Py_ssize_t examples, Py_ssize_t channels, double* some,
                       double* totals) noexcept nogil:
    # totals[channel] of sums[example, channel], by some examples at a time
    cdef Py_ssize_t first = 0, example, c
    memset(totals, 0, channels * sizeof(double))
    while first < examples:
        memset(some, 0, channels * sizeof(double))
        for example in range(first, min(first + EXAMPLES_AT_ONCE, examples)):
            for c in range(channels):
                some[c] += sums[example * channels + c]
        for c in range(channels):
            totals[c] += some[c]
        first += EXAMPLES_AT_ONCE


def totals_of_examples(np.ndarray sums):
    """Sums of float64 over the middle one of three axes, of an array as C lays it out."""
    cdef np.npy_intp* shape = np.PyArray_DIMS(sums)
    cdef Py_ssize_t examples = shape[1], channels = shape[2], k
    cdef np.npy_intp* kept = [shape[0] + 1, channels]  # a row more, for the sums of some examples
    cdef np.ndarray found = np.PyArray_EMPTY(2, kept, np.NPY_DOUBLE, 0)
    cdef double* totals = <double*>np.PyArray_DATA(found)
    cdef environment callers = enter_environment()
    for k in range(shape[0]):
        add_examples(<const double*>np.PyArray_DATA(sums) + k * examples * channels, examples, channels,
                     totals + shape[0] * channels, totals + k * channels)
    leave_environment(callers)
    return found[:-1]


cdef inline void put_sum(real* sums, Py_ssize_t c, double sum) noexcept nogil:
    if sums != NULL:
        put_element(sums, c, sum)


cdef bint segments_backward(Dtype dtype, const void* grad, const void* x, const real* weight, const double* mean,
                            const double* rstd, void* grad_x, real* grad_weight, real* grad_bias, Py_ssize_t batch,
                            Py_ssize_t channels, Py_ssize_t size, Py_ssize_t groups, const int* threads) noexcept nogil:
    # the same of arrays as C lays them out, and the sums over examples
    cdef Operation operation
    cdef Py_ssize_t all = batch * channels, own = channels // max(groups, 1), width = size_of(dtype), k, c
    cdef Py_ssize_t segment = size * width, wide = sizeof(double), numbers = own * wide, group = own * segment
    cdef double* weights = <double*>malloc((3 * all + channels) * wide)
    cdef double* sums = weights + all
    cdef double* totals = sums + 2 * all
    cdef char** at = [<char*>grad, <char*>x, <char*>weights, <char*>mean, <char*>rstd, <char*>grad_x, <char*>sums,
                      <char*>(sums + all)]
    cdef np.npy_intp* dims = [batch * groups, size, own]
    cdef np.npy_intp* steps = [group, group, numbers, wide, wide, group, numbers, numbers,  # from group to group
                               width, segment, width, segment, wide, width, segment, wide, wide]
    if weights == NULL:
        return False
    operation.dtype, operation.threads = dtype, threads
    for k in range(all):
        weights[k] = element(weight, k % channels) if weight != NULL else 1.0
    if not segments_loop(&operation, at, dims, steps):
        free(weights)
        return False
    for k in range(2):
        add_examples(sums + k * all, batch, channels, weights, totals)
        for c in range(channels):
            put_sum(grad_bias if k else grad_weight, c, totals[c])
    free(weights)
    return True


cdef bint is_plain(object array, int type):
    return np.PyArray_CheckExact(array) and np.PyArray_TYPE(<np.ndarray>array) == type and (
        np.PyArray_ISCARRAY_RO(<np.ndarray>array))


cdef inline void* data_of(object array):
    return np.PyArray_DATA(<np.ndarray>array) if array is not None else NULL


def backward_at_once(grad, x, num_groups, weight, mean, rstd):
    """group_norm_backward of plain arrays whose channels have several elements: gradients of x, weight and bias. None
    of anything else, or where there is no memory."""
    cdef int type = np.PyArray_TYPE(<np.ndarray>x) if np.PyArray_CheckExact(x) else -1, k
    cdef Py_ssize_t batch, channels, size = 1, groups
    cdef object grad_x, grad_weight, grad_bias
    cdef const void* operands[5]
    cdef void* results[3]
    cdef bint done
    if (type != np.NPY_FLOAT and type != np.NPY_DOUBLE) or not is_plain(x, type) or not is_plain(grad, type) or (
            np.PyArray_NDIM(<np.ndarray>x) < 3 or np.PyArray_SIZE(x) == 0 or num_groups.__class__ is not int) or (
            not np.PyArray_SAMESHAPE(<np.ndarray>grad, <np.ndarray>x)):
        return None
    batch, channels = np.PyArray_DIM(x, 0), np.PyArray_DIM(x, 1)
    for k in range(2, np.PyArray_NDIM(<np.ndarray>x)):
        size *= np.PyArray_DIM(x, k)
    if size < SEGMENT or not 1 <= num_groups <= channels or channels % num_groups or not (
            weight is None or (is_plain(weight, type) and np.PyArray_NDIM(<np.ndarray>weight) == 1
                               and np.PyArray_DIM(weight, 0) == channels)):
        return None
    groups = num_groups
    for statistic in (mean, rstd):
        if not is_plain(statistic, np.NPY_DOUBLE) or np.PyArray_NDIM(<np.ndarray>statistic) != 2 or (
                np.PyArray_DIM(statistic, 0) != batch or np.PyArray_DIM(statistic, 1) != groups):
            return None
    grad_x = np.PyArray_EMPTY(np.PyArray_NDIM(<np.ndarray>x), np.PyArray_DIMS(x), type, 0)
    grad_weight = np.PyArray_EMPTY(1, np.PyArray_DIMS(x) + 1, type, 0)
    grad_bias = np.PyArray_EMPTY(1, np.PyArray_DIMS(x) + 1, type, 0)
    operands[:] = [data_of(grad), data_of(x), data_of(weight), data_of(mean), data_of(rstd)]
    results[:] = [data_of(grad_x), data_of(grad_weight), data_of(grad_bias)]
    with nogil:
        if type == np.NPY_DOUBLE:
            done = segments_backward(
                FLOAT64, operands[0], operands[1], <const f64x*>operands[2], <const double*>operands[3],
                <const double*>operands[4], results[0], <f64x*>results[1], <f64x*>results[2], batch, channels, size,
                groups, thread_count)
        else:
            done = segments_backward(
                FLOAT32, operands[0], operands[1], <const f32x*>operands[2], <const double*>operands[3],
                <const double*>operands[4], results[0], <f32x*>results[1], <f32x*>results[2], batch, channels, size,
                groups, thread_count)
    return (grad_x, grad_weight, grad_bias) if done else None
