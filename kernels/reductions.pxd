# Sums and maps along a row, in one place: the order of every sum is fixed here. No mathematics, no Python.
#
# A row is cut into blocks of BLOCK elements. In a block, element i goes to partial sum i % 32, in float64 for
# both precisions; the 32 meet in one tree, and the blocks' sums are added in order. Neither the number of lanes
# nor the number of threads shows in the result. A float32 squared is exact in float64 and cannot overflow there.
from cython.parallel cimport prange
from libc.stdlib cimport free, malloc

from .lanes cimport (
    F64_LANES, end_stream, enter_environment, environment, f32x, f64x, leave_environment, load_f64, load_part_f64,
    real, splat_f64, store_f64, wide_f32, wide_part_f32,
)
from .loops cimport head, lanes, load, load_part, skip, store, store_part, stream

cdef extern from *:
    """
    enum { SUMS = 32 / F64_LANES };
    """
    const int SUMS  # registers that hold a block's partial sums

cdef enum:
    PARTS = 32
    BLOCK = 4096

cdef struct Pair:
    double first
    double second

# What a term or a point is given: the row (a struct of its own family), and the elements i to i + n of it.
# `like` is of the row's precision and points nowhere.


cdef inline f64x wide(const real* x, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    # n <= F64_LANES elements from the i-th on, as float64, 0 in the other lanes
    if real is f32x:
        if n == F64_LANES:
            return wide_f32(<const float*>x + i)
        return wide_part_f32(<const float*>x + i, n)
    else:
        if n == F64_LANES:
            return load_f64(<const double*>x + i)
        return load_part_f64(<const double*>x + i, n)


cdef inline real take(const real* x, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    # n <= lanes elements from the i-th on, 0 in the other lanes
    if n == lanes(x):
        return load(skip(x, i))
    return load_part(skip(x, i), n)


cdef inline f64x first_lanes(f64x x, Py_ssize_t n) noexcept nogil:
    # x in the first n lanes, 0 in the others: what a term takes from an element must not enter where there is none
    cdef double whole[16]
    if n == F64_LANES:
        return x
    store_f64(whole, x)
    return load_part_f64(whole, n)


cdef inline double tree(f64x* sums) noexcept nogil:
    # partial sums k and k + 16 first, then k and k + 8, ...: in registers as long as there are two
    cdef double last[PARTS]
    cdef int k, half
    half = SUMS // 2
    while half > 0:
        for k in range(half):
            sums[k] = sums[k] + sums[k + half]
        half = half // 2
    store_f64(last, sums[0])
    half = F64_LANES // 2
    while half > 0:
        for k in range(half):
            last[k] += last[k + half]
        half = half // 2
    return last[0]


cdef inline Pair sum_block(
        void (*add)(const real*, const void*, Py_ssize_t, Py_ssize_t, f64x*, f64x*) noexcept nogil,
        const real* like, const void* row, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    # two sums of one block's terms; `add` adds F64_LANES terms to a register of each
    cdef f64x first[SUMS]
    cdef f64x second[SUMS]
    cdef Py_ssize_t i = start, left, stop = start + n
    cdef int k
    for k in range(SUMS):
        first[k] = splat_f64(0.0)
        second[k] = splat_f64(0.0)
    while i + PARTS <= stop:
        for k in range(SUMS):
            add(like, row, i + k * F64_LANES, F64_LANES, &first[k], &second[k])
        i += PARTS
    for k in range(SUMS):
        left = stop - i - k * F64_LANES
        if left > 0:
            add(like, row, i + k * F64_LANES, min(left, <Py_ssize_t>F64_LANES), &first[k], &second[k])
    return Pair(tree(first), tree(second))


cdef inline Pair sum_alone(Pair (*block)(const real*, const void*, Py_ssize_t, Py_ssize_t) noexcept nogil,
                           const real* like, const void* row, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    # on a thread of its own, whose environment is its own too
    cdef environment callers = enter_environment()
    cdef Pair sums = block(like, row, start, n)
    leave_environment(callers)
    return sums


cdef inline Pair merge_row(Pair (*block)(const real*, const void*, Py_ssize_t, Py_ssize_t) noexcept nogil,
                           Pair (*merge)(Pair, Py_ssize_t, Pair, Py_ssize_t) noexcept nogil,
                           const real* like, const void* row, Py_ssize_t n, int threads) noexcept nogil:
    # the blocks' results, merged in order; where memory for them runs out, one thread merges as it goes
    cdef Py_ssize_t blocks = (n + BLOCK - 1) // BLOCK, b, size
    cdef Pair* parts = NULL
    cdef Pair part, total
    if n <= BLOCK:
        return block(like, row, 0, n)
    if threads > 1:
        parts = <Pair*>malloc(blocks * sizeof(Pair))
    if parts != NULL:
        for b in prange(blocks, num_threads=threads, schedule="static"):
            parts[b] = sum_alone(block, like, row, b * BLOCK, min(<Py_ssize_t>BLOCK, n - b * BLOCK))
    total = parts[0] if parts != NULL else block(like, row, 0, BLOCK)
    for b in range(1, blocks):
        size = min(<Py_ssize_t>BLOCK, n - b * BLOCK)
        part = parts[b] if parts != NULL else block(like, row, b * BLOCK, size)
        total = merge(total, b * BLOCK, part, size)
    free(parts)
    return total


cdef inline Pair add_pairs(Pair a, Py_ssize_t a_size, Pair b, Py_ssize_t b_size) noexcept nogil:
    return Pair(a.first + b.first, a.second + b.second)


cdef inline Pair sum_row(Pair (*block)(const real*, const void*, Py_ssize_t, Py_ssize_t) noexcept nogil,
                         const real* like, const void* row, Py_ssize_t n, int threads) noexcept nogil:
    return merge_row(block, add_pairs, like, row, n, threads)


cdef inline void map_block(real (*point)(const real*, const void*, Py_ssize_t, Py_ssize_t) noexcept nogil,
                           real* y, const void* row, Py_ssize_t start, Py_ssize_t n, bint streamed) noexcept nogil:
    # y[i] = point(i) over one block, past the caches where that is asked for
    cdef Py_ssize_t i = start, stop = start + n, part = head(skip(y, start), n) if streamed else 0
    if part:
        store_part(<real*>skip(y, i), point(y, row, i, part), part)
        i += part
    if streamed:
        while i + lanes(y) <= stop:
            stream(<real*>skip(y, i), point(y, row, i, lanes(y)))
            i += lanes(y)
        end_stream()
    while i + lanes(y) <= stop:
        store(<real*>skip(y, i), point(y, row, i, lanes(y)))
        i += lanes(y)
    if i < stop:
        store_part(<real*>skip(y, i), point(y, row, i, stop - i), stop - i)


cdef inline void map_alone(void (*block)(real*, const void*, Py_ssize_t, Py_ssize_t) noexcept nogil,
                           real* y, const void* row, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    cdef environment callers = enter_environment()
    block(y, row, start, n)
    leave_environment(callers)


cdef inline void map_row(void (*block)(real*, const void*, Py_ssize_t, Py_ssize_t) noexcept nogil,
                         real* y, const void* row, Py_ssize_t n, int threads) noexcept nogil:
    cdef Py_ssize_t blocks = (n + BLOCK - 1) // BLOCK, b
    if threads == 1 or blocks <= 1:
        block(y, row, 0, n)
        return
    for b in prange(blocks, num_threads=threads, schedule="static"):
        map_alone(block, y, row, b * BLOCK, min(<Py_ssize_t>BLOCK, n - b * BLOCK))
