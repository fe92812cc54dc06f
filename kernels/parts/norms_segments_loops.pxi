# Gradients of all groups of channels, in chunks that threads share, and their sums over examples. A part of norms.pyx.

cdef void gradients_of_chunk(void* context, Py_ssize_t chunk, int thread) noexcept nogil:
    cdef const Groups* all = <const Groups*>context
    cdef environment callers = enter_environment()
    cdef Py_ssize_t number = chunk * all.together, stop = min(number + all.together, all.count), count, k
    cdef float* tiles = NULL if all.stand else <float*>(all.tiles + 2 * thread * all.tile * sizeof(float))
    while number < stop:
        count = min(all.few, stop - number)
        if all.dtype == FLOAT64:
            gradients_of_group(<const f64x*>NULL, all, number, thread)
        elif not gradients_of_few(all, number, count, tiles):
            for k in range(number, number + count):
                if count == 1 or not gradients_of_few(all, k, 1, tiles):
                    gradients_of_group(<const f32x*>NULL, all, k, thread)
        number += count
    leave_environment(callers)


cdef bint stand_in(const Groups* all, int operand, const np.npy_intp* within) noexcept nogil:
    # whether all groups of an operand follow each other as C lays them out
    cdef Py_ssize_t width = size_of(all.dtype), segment = all.size * width
    return ((all.size == 1 or within[0] == width) and (all.channels == 1 or within[1] == segment)
            and (all.count == 1 or all.steps[operand] == all.channels * segment))


cdef bint adjoin(const Groups* all, int operand, Py_ssize_t step) noexcept nogil:
    cdef Py_ssize_t wide = sizeof(double)
    return step == wide and all.steps[operand] == all.channels * wide


cdef bint gradients_of_all(Dtype dtype, char** args, const np.npy_intp* dims, const np.npy_intp* steps,
                           int threads) noexcept nogil:
    # Threads share the groups, or the segments of fewer groups than there are threads.
    cdef Groups all
    cdef const np.npy_intp* within = steps + 8
    cdef Py_ssize_t n = dims[1] * dims[2], chunks
    all.dtype, all.at, all.steps, all.within = dtype, args, steps, within
    all.count, all.size, all.channels = dims[0], dims[1], dims[2]
    all.few = 1 if dtype == FLOAT64 else max(1, min(<Py_ssize_t>MOST_GROUPS, FEW_ELEMENTS // max(n, 1)))
    all.together = max(all.few, GROUPS_AT_ONCE // max(n, 1))
    chunks = (all.count + all.together - 1) // all.together
    threads = threads if dims[0] * n >= THREAD_MIN else 1
    all.threads = threads if chunks < threads else 1
    threads = 1 if chunks < threads else threads
    all.stand = stand_in(&all, 0, within) and stand_in(&all, 1, within + 2) and stand_in(&all, 5, within + 5)
    all.x_end = args[1] + all.count * n * size_of(dtype)
    all.adjacent = adjoin(&all, 6, within[7]) and adjoin(&all, 7, within[8])
    all.tiles, all.tile = NULL, all.few * n + PADDING
    if is_short(dtype) or not all.stand:
        all.tiles = <char*>malloc(2 * threads * all.tile * (sizeof(double) if dtype == FLOAT64 else sizeof(float)))
        if all.tiles == NULL:
            return False
    run_chunks(gradients_of_chunk, &all, chunks, threads)
    free(all.tiles)
    return True


cdef bint segments_loop(const Operation* operation, char** args, const np.npy_intp* dims,
                        const np.npy_intp* steps) noexcept nogil:
    return gradients_of_all(operation.dtype, args, dims, steps, operation.threads[0])


group_norm_backward_gufunc = on_matrices(
    b"group_norm_backward", NULL, NULL, b"mmsdd", b"mss",
    b"grad, x, weight, mean, rstd -> grad_x, sum(grad * normed), sum(grad), of each channel of a group",
    <void*>segments_loop, <void*>segments_loop)
least_segment = SEGMENT


cdef inline void add_row(double* totals, const double* row, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i = 0
    while i + F64_LANES <= n:
        store_f64(totals + i, load_f64(totals + i) + load_f64(row + i))
        i += F64_LANES
    while i < n:
        totals[i] += row[i]
        i += 1


cdef void add_examples(const double* sums, Py_ssize_t examples, Py_ssize_t channels, double* some,
                       double* totals) noexcept nogil:
    # totals[channel] of sums[example, channel], by some examples at a time, for whose sums and for the rounding errors
    # of their additions to the totals there is room in `some`
    cdef double* losses = some + channels
    cdef Py_ssize_t first = 0, example, c
    cdef Pair both
    memset(totals, 0, channels * sizeof(double))
    memset(losses, 0, channels * sizeof(double))
    while first < examples:
        memset(some, 0, channels * sizeof(double))
        for example in range(first, min(first + EXAMPLES_AT_ONCE, examples)):
            add_row(some, sums + example * channels, channels)
        for c in range(channels):
            both = add_compensated(Pair(totals[c], losses[c]), 0, Pair(some[c], 0.0), 0)
            totals[c], losses[c] = both.first, both.second
        first += EXAMPLES_AT_ONCE
    for c in range(channels):
        totals[c] = with_losses(totals[c], losses[c])


def totals_of_examples(np.ndarray sums):
    """Sums of float64 over the middle one of three axes, of an array as C lays it out."""
    cdef np.npy_intp* shape = np.PyArray_DIMS(sums)
    cdef Py_ssize_t examples = shape[1], channels = shape[2], k
    cdef np.npy_intp* kept = [shape[0] + 2, channels]  # two rows more, for the sums of some examples
    cdef np.ndarray found = np.PyArray_EMPTY(2, kept, np.NPY_DOUBLE, 0)
    cdef double* totals = <double*>np.PyArray_DATA(found)
    cdef environment callers = enter_environment()
    for k in range(shape[0]):
        add_examples(<const double*>np.PyArray_DATA(sums) + k * examples * channels, examples, channels,
                     totals + shape[0] * channels, totals + k * channels)
    leave_environment(callers)
    return found[:shape[0]]


cdef inline void put_sum(real* sums, Py_ssize_t c, double sum) noexcept nogil:
    if sums != NULL:
        put_element(sums, c, sum)


cdef bint segments_backward(Dtype dtype, const void* grad, const void* x, const real* weight, const double* mean,
                            const double* rstd, void* grad_x, real* grad_weight, real* grad_bias, Py_ssize_t batch,
                            Py_ssize_t channels, Py_ssize_t size, Py_ssize_t groups, int threads) noexcept nogil:
    # the same of arrays as C lays them out, and the sums over examples
    cdef Py_ssize_t all = batch * channels, own = channels // max(groups, 1), width = size_of(dtype), k, c
    cdef Py_ssize_t segment = size * width, wide = sizeof(double), numbers = own * wide, group = own * segment
    cdef double* weights = <double*>malloc(3 * (all + channels) * wide)
    cdef double* sums = weights + all
    cdef double* totals = sums + 2 * all
    cdef char** at = [<char*>grad, <char*>x, <char*>weights, <char*>mean, <char*>rstd, <char*>grad_x, <char*>sums,
                      <char*>(sums + all)]
    cdef np.npy_intp* dims = [batch * groups, size, own]
    cdef np.npy_intp* steps = [group, group, numbers, wide, wide, group, numbers, numbers,  # from group to group
                               width, segment, width, segment, wide, width, segment, wide, wide]
    if weights == NULL:
        return False
    for c in range(channels):
        weights[c] = element(weight, c) if weight != NULL else 1.0
    for k in range(1, batch):
        memcpy(weights + k * channels, weights, channels * wide)
    if not gradients_of_all(dtype, at, dims, steps, threads):
        free(weights)
        return False
    for k in range(2):
        add_examples(sums + k * all, batch, channels, totals + channels, totals)
        for c in range(channels):
            put_sum(grad_bias if k else grad_weight, c, totals[c])
    free(weights)
    return True
