# Group norm of tiny groups of float32, a group in each lane: their elements are turned, so that the sums of as many
# groups as there are lanes are added at once, for the same bits. A part of norms.pyx.

cdef enum:
    TINY = 16  # elements of a group up to which that pays

cdef struct TinyGroups:
    # a group in each lane, element after element
    const float* x
    f32x mean


cdef inline void fold_tiny(const f32x* like, const void* context, Py_ssize_t i, f32x* sums) noexcept nogil:
    sums[0] = sums[0] + load_f32((<const TinyGroups*>context).x + i * F32_LANES)


cdef inline void fold_centred_tiny(const f32x* like, const void* context, Py_ssize_t i, f32x* sums) noexcept nogil:
    cdef f32x x = load_f32((<const TinyGroups*>context).x + i * F32_LANES) - (<const TinyGroups*>context).mean
    sums[0] = sums[0] + x
    sums[1] = fma(x, x, sums[1])


cdef inline bint turned_vector(const GroupNorm* all, const char* values, Py_ssize_t number, float* tile) noexcept nogil:
    # the weights or biases of as many groups as there are lanes
    if values != NULL:
        turn(tile, values + number % all.groups * all.n * sizeof(float), all.n * sizeof(float), F32_LANES, all.n)
    return values != NULL


cdef inline bint can_be_tiny(const GroupNorm* all, Py_ssize_t number, Py_ssize_t count) noexcept nogil:
    # whether as many groups from this number on are tiny, and their weights follow one another
    return 0 < all.n <= TINY and all.repeated and count >= F32_LANES > 1 and (
        number % all.groups + F32_LANES <= all.groups)


cdef bint norm_tiny(const GroupNorm* all, Py_ssize_t number, const char* x, char* y) noexcept nogil:
    # as many tiny groups as there are lanes, if they are ordinary ones
    cdef float tile[TINY * MOST_LANES]
    cdef float weights[TINY * MOST_LANES]
    cdef float biases[TINY * MOST_LANES]
    cdef double means[MOST_LANES]
    cdef double rstds[MOST_LANES]
    cdef TinyGroups own
    cdef f64x mean[MOST_HALVES]
    cdef f64x rstd[MOST_HALVES]
    cdef f64x rest[MOST_HALVES]
    cdef f64x sums[2 * MOST_HALVES]
    cdef f64x n = splat_f64(all.n), square
    cdef f32x narrow_rstd, narrow_rest, rstd_rest, value
    cdef Py_ssize_t i, at, step = all.n * sizeof(float)
    cdef bint weighted, biased
    cdef int half
    turn(tile, x, step, F32_LANES, all.n)
    own.x = tile
    fold_columns(fold_tiny, 1, 0, &own, all.n, sums)
    for half in range(HALVES):
        mean[half] = sums[half] / n
    own.mean = narrow_halves(mean)
    fold_columns(fold_centred_tiny, 2, 0, &own, all.n, sums)
    wide_halves(own.mean, mean)
    for half in range(HALVES):
        rest[half] = sums[half] / n
        square = sums[HALVES + half] / n - rest[half] * rest[half]
        if not all_ordinary(<const f32x*>NULL, square):
            return False
        rstd[half] = splat_f64(1.0) / square_root_f64(square + splat_f64(all.eps))
        store_f64(means + half * F64_LANES, mean[half] + rest[half])
        store_f64(rstds + half * F64_LANES, rstd[half])
        rest[half] = -rest[half]
    narrow_rstd = narrowed_parts(<const f32x*>NULL, rstd, &rstd_rest)
    narrow_rest = narrow_halves(rest) * narrow_rstd
    weighted = turned_vector(all, all.weight, number, weights)
    biased = turned_vector(all, all.bias, number, biases)
    for i in range(all.n):
        at = i * F32_LANES
        value = layer_normed(load_f32(tile + at), own.mean, narrow_rest, narrow_rstd, rstd_rest)
        store_f32(tile + at, fma(value, load_f32(weights + at) if weighted else splat_f32(1.0),
                                 load_f32(biases + at) if biased else splat_f32(-0.0)))
    turn_back(y, step, tile, F32_LANES, F32_LANES, all.n)
    for i in range(F32_LANES):
        if all.mean != NULL:
            all.mean[number + i] = means[i]
        if all.rstd != NULL:
            all.rstd[number + i] = rstds[i]
    return True
