# Blocks of losses and of slopes, and sums of losses. A part of point_losses.pyx.

cdef inline void map_short_pairs(Dtype dtype,
                                 f32x (*point)(const f32x*, const void*, Py_ssize_t, Py_ssize_t) noexcept nogil,
                                 uint16_t* y, Pairs* own, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    # map_shorts, whose point is copied to one place
    cdef Py_ssize_t i = start, stop = start + n, part
    own.dtype = dtype
    while i < stop:
        part = min(stop - i, <Py_ssize_t>F32_LANES)
        store_short_part(dtype, y + i, point(NULL, own, i, part), part)
        i += part


cdef inline void map_pairs(real (*point)(const real*, const void*, Py_ssize_t, Py_ssize_t) noexcept nogil, real* y,
                           const void* context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    # once for each dtype, so that the compiler knows which
    cdef Pairs own = (<const Pairs*>context)[0]
    if real is f32x:
        if own.dtype == FLOAT16:
            map_short_pairs(FLOAT16, point, <uint16_t*>y, &own, start, n)
            return
        if own.dtype == BFLOAT16:
            map_short_pairs(BFLOAT16, point, <uint16_t*>y, &own, start, n)
            return
        own.dtype = FLOAT32
    map_block(point, y, &own, start, n, False)


cdef inline void map_entropies(real (*point)(const real*, const void*, Py_ssize_t, Py_ssize_t) noexcept nogil, real* y,
                               const void* context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    # which are never of 16 bits
    cdef Pairs own = (<const Pairs*>context)[0]
    if real is f32x:
        own.dtype = FLOAT32
    map_in_pairs(point, y, &own, start, n)


cdef void value_block(real* y, row_context context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    cdef Kind kind = (<const Pairs*>context).kind
    if kind == MSE:
        map_pairs(square[real], y, context, start, n)
    elif kind == L1:
        map_pairs(distance[real], y, context, start, n)
    elif kind == HUBER:
        map_pairs(huber[real], y, context, start, n)
    else:
        map_entropies(entropy[real], y, context, start, n)


cdef void slope_block(real* y, row_context context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    cdef Kind kind = (<const Pairs*>context).kind
    if kind == MSE:
        map_pairs(square_slope[real], y, context, start, n)
    elif kind == L1:
        map_pairs(distance_slope[real], y, context, start, n)
    elif kind == HUBER:
        map_pairs(huber_slope[real], y, context, start, n)
    else:
        map_entropies(entropy_slope[real], y, context, start, n)


cdef Pair folded_entropy(const Pairs* pairs, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    # of float32; what is no whole fold is computed as losses are, and then added, since a loss is many instructions
    cdef Pairs own = pairs[0]
    cdef f32x losses[FOLD * FOLDED_TERMS]
    cdef f64x sums[FOLDED_SUMS]
    cdef Py_ssize_t i = start, stop = start + n
    own.dtype = FLOAT32
    fill(sums, FOLDED_SUMS, 0.0)
    while i + FOLD * FOLDED_PARTS <= stop:
        add_fold(fold_entropy, 1, &own, i, sums)
        i += FOLD * FOLDED_PARTS
    if i < stop:
        value_block(<f32x*>skip(losses, -i), &own, i, stop - i)
        add_folds(fold_element, 1, losses, 0, stop - i, sums)
    return Pair(tree(sums, FOLDED_SUMS, 1), 0.0)


cdef Pair sum_of_block(const real* like, const void* context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    # losses of logits are dear in float64, and without weights none of them is negative
    cdef Pairs own = (<const Pairs*>context)[0]
    cdef Pair found
    if own.kind == MSE:
        return sum_block(add_square[real], 1, like, &own, start, n)
    if own.kind == L1:
        return sum_block(add_distance[real], 1, like, &own, start, n)
    if own.kind == HUBER:
        return sum_block(add_huber[real], 1, like, &own, start, n)
    if real is f32x:
        found = folded_entropy(&own, start, n)
        if fabs(found.first) < INFINITY:
            return found
    return sum_block(add_entropy[real], 1, like, &own, start, n)
