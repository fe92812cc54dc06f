# Sums and maps along a row, in one place: the order of every sum is fixed here. No mathematics, no Python.
#
# A row is cut into blocks of BLOCK elements, whose sums are added in order. In a block, a sum in float64 throughout
# (sum_block) adds element i to partial sum i % 32; a folded sum of float32 terms (fold_block) adds four, 16 apart, in
# float32, and their sum to one of 16 partial sums in float64. The partial sums meet in one tree. Neither
# the number of lanes nor the number of threads shows in the result.
from cython.parallel cimport prange
from libc.stdint cimport uintptr_t
from libc.stdlib cimport free, malloc

from .lanes cimport (
    F32_LANES, F64_LANES, end_stream, enter_environment, environment, f32x, f64x, leave_environment, load_f64,
    load_part_f64, real, splat_f32, splat_f64, store_f32, store_f64, wide_f32, wide_part_f32,
)
from .loops cimport head, lanes, load, load_part, skip, store, store_part, stream

cdef extern from *:
    """
    enum { SUMS = 32 / F64_LANES, FOLDED_SUMS = 16 / F64_LANES, FOLDED_TERMS = 16 / F32_LANES };
    """
    const int SUMS  # registers that hold a block's partial sums
    const int FOLDED_SUMS  # and those of a folded sum
    const int FOLDED_TERMS

cdef enum:
    PARTS = 32
    FOLDED_PARTS = 16
    FOLD = 4
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


cdef inline real first_lanes(real x, Py_ssize_t n) noexcept nogil:
    # x in the first n lanes, 0 in the others: what a term takes from an element must not enter where there is none
    cdef real whole[1]
    if n == lanes(<const real*>whole):
        return x
    store(whole, x)
    return load_part(<const real*>whole, n)


cdef inline double tree(f64x* sums, int count) noexcept nogil:
    # the first half of the partial sums plus the second, and so on: in registers as long as there are two
    cdef double last[PARTS]
    cdef int k
    count = count // 2
    while count > 0:
        for k in range(count):
            sums[k] = sums[k] + sums[k + count]
        count = count // 2
    store_f64(last, sums[0])
    count = F64_LANES // 2
    while count > 0:
        for k in range(count):
            last[k] += last[k + count]
        count = count // 2
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
    return Pair(tree(first, SUMS), tree(second, SUMS))


cdef inline void add_fold(
        void (*add)(const f32x*, const void*, Py_ssize_t, Py_ssize_t, f32x*, f32x*) noexcept nogil,
        const void* row, Py_ssize_t i, Py_ssize_t stop, f64x* first, f64x* second) noexcept nogil:
    # up to FOLD * FOLDED_PARTS terms
    cdef float folded[2 * FOLDED_PARTS]
    cdef f32x a, b
    cdef Py_ssize_t left
    cdef int j, k
    for k in range(FOLDED_TERMS):
        a = splat_f32(0.0)
        b = a
        for j in range(FOLD):
            left = stop - (i + j * FOLDED_PARTS + k * F32_LANES)
            if left >= F32_LANES:
                add(NULL, row, i + j * FOLDED_PARTS + k * F32_LANES, F32_LANES, &a, &b)
            elif left > 0:
                add(NULL, row, i + j * FOLDED_PARTS + k * F32_LANES, left, &a, &b)
        store_f32(folded + k * F32_LANES, a)
        if second != NULL:
            store_f32(folded + FOLDED_PARTS + k * F32_LANES, b)
    for k in range(FOLDED_SUMS):
        first[k] = first[k] + wide_f32(folded + k * F64_LANES)
        if second != NULL:
            second[k] = second[k] + wide_f32(folded + FOLDED_PARTS + k * F64_LANES)


cdef inline Pair fold_block(
        void (*add)(const f32x*, const void*, Py_ssize_t, Py_ssize_t, f32x*, f32x*) noexcept nogil, bint both,
        const void* row, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    # one or both sums of one block's terms of float32; `add` adds F32_LANES terms to a register of each
    cdef f64x first[FOLDED_SUMS]
    cdef f64x second[FOLDED_SUMS]
    cdef Py_ssize_t i = start, stop = start + n
    cdef int k
    for k in range(FOLDED_SUMS):
        first[k] = splat_f64(0.0)
        second[k] = splat_f64(0.0)
    while i + FOLD * FOLDED_PARTS <= stop:
        add_fold(add, row, i, i + FOLD * FOLDED_PARTS, first, second if both else NULL)
        i += FOLD * FOLDED_PARTS
    if i < stop:
        add_fold(add, row, i, stop, first, second if both else NULL)
    return Pair(tree(first, FOLDED_SUMS), tree(second, FOLDED_SUMS) if both else 0.0)


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
    cdef Py_ssize_t blocks = max(1, (n + BLOCK - 1) // BLOCK), b, size
    cdef Pair* parts = NULL
    cdef Pair part, total = Pair(0.0, 0.0)
    if threads > 1 and blocks > 1:
        parts = <Pair*>malloc(blocks * sizeof(Pair))
    if parts != NULL:
        for b in prange(blocks, num_threads=threads, schedule="static"):
            parts[b] = sum_alone(block, like, row, b * BLOCK, min(<Py_ssize_t>BLOCK, n - b * BLOCK))
    for b in range(blocks):
        size = min(<Py_ssize_t>BLOCK, n - b * BLOCK)
        part = parts[b] if parts != NULL else block(like, row, b * BLOCK, size)
        total = merge(total, b * BLOCK, part, size) if b > 0 else part
    free(parts)
    return total


cdef inline Pair add_pairs(Pair a, Py_ssize_t a_size, Pair b, Py_ssize_t b_size) noexcept nogil:
    return Pair(a.first + b.first, a.second + b.second)


cdef inline Pair sum_row(Pair (*block)(const real*, const void*, Py_ssize_t, Py_ssize_t) noexcept nogil,
                         const real* like, const void* row, Py_ssize_t n, int threads) noexcept nogil:
    return merge_row(block, add_pairs, like, row, n, threads)


cdef inline void add_element(const real* like, const void* x, Py_ssize_t i, Py_ssize_t n, f64x* sums,
                             f64x* unused) noexcept nogil:
    sums[0] = sums[0] + wide(<const real*>x, i, n)


cdef inline Pair element_block(const real* like, const void* x, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    return sum_block(add_element[real], like, x, start, n)


cdef inline double sum_values(const real* x, Py_ssize_t n, int threads) noexcept nogil:
    # the sum of the row itself
    return sum_row(element_block[real], x, x, n, threads).first


cdef inline void map_block(real (*point)(const real*, const void*, Py_ssize_t, Py_ssize_t) noexcept nogil,
                           real* y, const void* row, Py_ssize_t start, Py_ssize_t n, bint streamed) noexcept nogil:
    # y[i] = point(i) over one block, from y's first register boundary on and past the caches where that is asked for
    cdef Py_ssize_t i = start, stop = start + n, part = head(skip(y, start), n)
    if part:
        store_part(<real*>skip(y, i), point(y, row, i, part), part)
        i += part
    # a short row has no head, and may stand anywhere
    if streamed and <uintptr_t>skip(y, i) % sizeof(real) == 0:
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
