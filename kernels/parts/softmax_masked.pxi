# Rows of which a mask, or the place of a query, hides a part: masked_softmax, and what `where` leaves out. A part
# of softmax.pyx.

cdef struct Scores:
    const void* x
    const void* mask  # booleans or numbers, or NULL
    void* y
    double scale
    double rest  # and its rounding error, as it has the row's precision


# The scores that a mask leaves: x scale, plus the mask where it is of numbers, or -inf where it is False.

cdef inline real seen(real x, const uint8_t* mask, Py_ssize_t n) noexcept nogil:
    # x where the mask is not 0, else -inf
    cdef uint8_t part[16]
    cdef real hidden = splat(x, -INFINITY)
    if n < lanes(&x):
        memcpy(part, mask, n)
        mask = part
    if real is f32x:
        return from_bits_f32(where_less_i32(splat_u32(0), widen_u8_u32(mask), bits_f32(x), bits_f32(hidden)))
    else:
        return from_bits_f64(where_less_i64(splat_u64(0), widen_u8_u64(mask), bits_f64(x), bits_f64(hidden)))


cdef inline real scaled(const real* like, const void* context, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    # an infinite x is left out of the second product, which may be infinite with the other sign, or NaN
    cdef real x = take(<const real*>(<const Scores*>context).x, i, n), scale = splat(x, (<const Scores*>context).scale)
    cdef real y = x * scale
    if (<const Scores*>context).rest == 0.0:
        return y
    return where_less(magnitude(y), splat(x, INFINITY), fma(x, scale, x * splat(x, (<const Scores*>context).rest)), y)


cdef inline real scaled_where(const real* like, const void* context, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    return seen(scaled(like, context, i, n), <const uint8_t*>(<const Scores*>context).mask + i, n)


cdef inline real scaled_plus(const real* like, const void* context, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    return scaled(like, context, i, n) + take(<const real*>(<const Scores*>context).mask, i, n)


cdef inline Pair scores_block(real (*point)(const real*, const void*, Py_ssize_t, Py_ssize_t) noexcept nogil,
                              const real* like, row_context context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    # writes the scores of a block and returns the largest, which takes no pass of its own; a NaN may be missed, since
    # the sum will be NaN
    cdef Scores own = (<const Scores*>context)[0]
    cdef real* y = <real*>own.y
    cdef Py_ssize_t i = start, stop = start + n, width = lanes(like)
    cdef real best = splat(best, -INFINITY), other = best, score, next_score
    cdef real padded[1]
    while i + 2 * width <= stop:
        score, next_score = point(like, &own, i, width), point(like, &own, i + width, width)
        store(<real*>skip(y, i), score)
        store(<real*>skip(y, i + width), next_score)
        best, other = at_least(score, best), at_least(next_score, other)
        i += 2 * width
    while i < stop:
        n = min(stop - i, width)
        score = point(like, &own, i, n)
        padded[0] = splat(best, -INFINITY)
        store_part(padded, score, n)
        store_part(<real*>skip(y, i), score, n)
        best = at_least(padded[0], best)
        i += width
    return Pair(largest_lane(at_least(best, other)), 0.0)


cdef Pair scaled_block(const real* like, row_context context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    return scores_block(scaled[real], like, context, start, n)


cdef Pair scaled_where_block(const real* like, row_context context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    return scores_block(scaled_where[real], like, context, start, n)


cdef Pair scaled_plus_block(const real* like, row_context context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    return scores_block(scaled_plus[real], like, context, start, n)


cdef inline void fill(real* y, double value, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(start, n):
        if real is f32x:
            (<float*>y)[i] = <float>value
        else:
            (<double*>y)[i] = value


cdef inline void masked_row(const real* like, Exponents* row, Py_ssize_t count, Py_ssize_t n,
                            int threads) noexcept nogil:
    # softmax of the first `count` scores, in place, and 0 behind them. Where all of these scores are -inf, or there is
    # none, it is 0 everywhere; with a NaN or +inf among them it is NaN everywhere.
    cdef double behind = 0.0
    if count > 0:
        over_sums(like, row, 1, count, threads, True)
        if element(<const real*>row.y, 0) != element(<const real*>row.y, 0):
            behind = NAN
    fill(<real*>row.y, behind, count, n)


cdef void masked_group(const real* like, Operands* p, Py_ssize_t rows, Py_ssize_t n, int threads,
                       Pair (*scores)(const real*, const void*, Py_ssize_t, Py_ssize_t) noexcept nogil,
                       bint masked) noexcept nogil:
    # x, [mask], scale, count -> softmax(x scale + mask) of the first `count`, and 0 behind them
    cdef Exponents own[GROUP]
    cdef Py_ssize_t counts[GROUP]
    cdef Py_ssize_t r
    cdef Scores row
    cdef bint alike = True
    cdef double first
    for r in range(rows):
        first = (<double*>p[r][2 + masked])[0]
        counts[r] = <Py_ssize_t>min(first, <double>n) if first > 0.0 else 0  # a NaN as the count hides all
        own[r] = exponents_of(like, p[r][3 + masked], p[r][3 + masked], 1.0, 1.0)
        row = Scores(p[r][0], p[r][1], p[r][3 + masked], rounded(like, (<double*>p[r][1 + masked])[0]), 0.0)
        row.rest = (<double*>p[r][1 + masked])[0] - row.scale if fabs(row.scale) < INFINITY else 0.0
        own[r].top = merge_row(scores, larger, like, &row, counts[r], threads).first
        set_top(like, &own[r])
        alike = alike and counts[r] == n
    if alike:
        over_sums(like, own, rows, n, threads, True)
        return
    for r in range(rows):
        masked_row(like, &own[r], counts[r], n, threads)


cdef void masked_softmax_kernel(const real* like, Operands* p, Py_ssize_t rows, Py_ssize_t n, int threads,
                                int manner) noexcept nogil:
    masked_group(like, p, rows, n, threads, scaled_block[real], False)


cdef void masked_softmax_where_kernel(const real* like, Operands* p, Py_ssize_t rows, Py_ssize_t n, int threads,
                                      int manner) noexcept nogil:
    masked_group(like, p, rows, n, threads, scaled_where_block[real], True)


cdef void masked_softmax_plus_kernel(const real* like, Operands* p, Py_ssize_t rows, Py_ssize_t n, int threads,
                                     int manner) noexcept nogil:
    masked_group(like, p, rows, n, threads, scaled_plus_block[real], True)


# What `where` leaves out.

ctypedef fused bits:
    uint16_t
    uint32_t
    uint64_t


cdef void keep(bits like, const void* x, const uint8_t* where, const void* otherwise, void* y,
               Py_ssize_t n) noexcept nogil:
    # without a branch, which the processor would often guess wrong
    cdef bits other = (<const bits*>otherwise)[0], mask
    cdef Py_ssize_t i
    for i in range(n):
        mask = <bits>0 - <bits>(where[i] != 0)
        (<bits*>y)[i] = ((<const bits*>x)[i] & mask) | (other & ~mask)


def causal_counts(np.ndarray x, double offset):
    """How many keys each query sees, of scores (..., queries, keys): query i those up to i + offset, so that many and
    one; float64, of shape (..., queries)."""
    cdef Py_ssize_t queries = np.PyArray_DIM(x, np.PyArray_NDIM(x) - 2), i
    cdef np.ndarray counts = np.PyArray_EMPTY(np.PyArray_NDIM(x) - 1, np.PyArray_DIMS(x), np.NPY_DOUBLE, 0)
    for i in range(np.PyArray_SIZE(counts)):
        (<double*>np.PyArray_DATA(counts))[i] = <double>(i % queries) + offset + 1.0
    return counts


def kept(np.ndarray x, np.ndarray where, np.ndarray otherwise):
    """A new array of x, and of the one number `otherwise` where `where` is False. All three are laid out by C, in the
    byte order of the machine; the latter has the dtype of x, whose elements have 2, 4 or 8 bytes."""
    cdef np.ndarray y = np.PyArray_EMPTY(np.PyArray_NDIM(x), np.PyArray_DIMS(x), np.PyArray_TYPE(x), 0)
    cdef const void* x_bytes = np.PyArray_DATA(x)
    cdef const uint8_t* mask = <const uint8_t*>np.PyArray_DATA(where)
    cdef const void* other = np.PyArray_DATA(otherwise)
    cdef void* y_bytes = np.PyArray_DATA(y)
    cdef Py_ssize_t n = np.PyArray_SIZE(x), size = np.PyArray_ITEMSIZE(x)
    with nogil:
        if size == 2:
            keep(<uint16_t>0, x_bytes, mask, other, y_bytes, n)
        elif size == 4:
            keep(<uint32_t>0, x_bytes, mask, other, y_bytes, n)
        else:
            keep(<uint64_t>0, x_bytes, mask, other, y_bytes, n)
    return y
