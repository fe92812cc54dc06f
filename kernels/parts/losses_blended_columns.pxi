# Losses of neighbouring rows of float32 whose classes have weights, or whose targets are probabilities, a row in each
# lane, for the same bits. A part of losses.pyx.

cdef struct BlendColumns:
    Columns rows
    Blend blend
    const char* wanted  # probabilities, or NULL
    Py_ssize_t wanted_stride
    double[REGISTER] top  # of the half of the lanes that `rows` names


cdef inline double weight_of(const BlendColumns* own, Py_ssize_t i) noexcept nogil:
    return 1.0 if own.blend.weight == NULL else (<const float*>own.blend.weight)[i]


cdef inline f64x column_wanted(const BlendColumns* own, Py_ssize_t i) noexcept nogil:
    return widened(<const float*>(own.wanted + i * own.wanted_stride), own.rows.half)


cdef inline f64x column_distance(const BlendColumns* own, Py_ssize_t i) noexcept nogil:
    return load_f64(own.top) - widened(<const float*>(own.rows.x + i * own.rows.stride), own.rows.half)


cdef inline void add_column_blend(const f64x* like, const void* context, Py_ssize_t i, f64x* sums) noexcept nogil:
    # add_blend of half of the lanes
    cdef const BlendColumns* own = <const BlendColumns*>context
    cdef f64x wanted = splat_f64(0.0)
    if own.wanted != NULL:
        wanted = column_wanted(own, i)
    add_share(blended(wanted, splat_f64(weight_of(own, i)), &own.blend, F64_LANES), column_distance(own, i), sums)


cdef inline void add_column_wanted(const f64x* like, const void* context, Py_ssize_t i, f64x* sums) noexcept nogil:
    # add_wanted of half of the lanes
    cdef const BlendColumns* own = <const BlendColumns*>context
    add_share(column_wanted(own, i), column_distance(own, i), sums)


cdef inline void sum_blends(const Columns* columns, BlendColumns* own, int registers, Py_ssize_t n, const f64x* tops,
                            f64x* blends, f64x* distances) noexcept nogil:
    # the two sums of each row
    cdef const char* wanted = own.wanted
    cdef f64x sums[2]
    cdef int k
    for k in range(registers * HALVES):
        set_register(<const f32x*>NULL, columns, k // HALVES, n, &own.rows)
        own.rows.half = k % HALVES
        if wanted != NULL:
            own.wanted = wanted + k // HALVES * sizeof(f32x)
        store_f64(own.top, tops[k])
        if is_wanted_alone(&own.blend):
            add_columns(add_column_wanted, 2, 0, False, own, n, sums)
        else:
            add_columns(add_column_blend, 2, 0, False, own, n, sums)
        blends[k], distances[k] = sums[0], sums[1]
    own.wanted = wanted


cdef inline void put_blended_slopes(const BlendColumns* own, char* grad, Py_ssize_t stride, Py_ssize_t n, int registers,
                                    const f32x* tile, f64x* factors, double minus_scale) noexcept nogil:
    cdef f32x factor, scale = splat_f32(<float>minus_scale), wanted = splat_f32(0.0), share
    cdef bint plain = own.wanted == NULL and own.blend.spread == 0.0
    cdef Py_ssize_t i
    cdef int k
    for k in range(registers):
        factor = narrowed(tile, factors + k * HALVES)
        for i in range(n):
            share = splat_f32(0.0)
            if not plain:
                if own.wanted != NULL:
                    wanted = load(<const f32x*>(own.wanted + k * sizeof(f32x) + i * own.wanted_stride))
                share = blended(wanted, splat_f32(<float>weight_of(own, i)), &own.blend, lanes(tile)) * scale
            store(<f32x*>(grad + k * sizeof(f32x) + i * stride), fma(
                load(skip(tile, (k * n + i) * lanes(tile))), factor, share))


cdef bint blended_columns(const f32x* like, char** at, const Py_ssize_t* steps, const Py_ssize_t* strides,
                          Py_ssize_t n, int registers, bint probable, bint with_grad) noexcept nogil:
    # loss_group of such rows, that have the same weights, smoothing, z-loss and scale
    cdef double[SHORT_TILE] tile
    cdef f64x tops[MOST_LANES]
    cdef f64x inverses[MOST_LANES]
    cdef f64x rests[MOST_LANES]
    cdef f64x logs[MOST_LANES]
    cdef f64x blends[MOST_LANES]
    cdef f64x distances[MOST_LANES]
    cdef f64x losses[MOST_LANES]
    cdef f64x factors[MOST_LANES]
    cdef double[MOST_ROWS] logits
    cdef double[MOST_ROWS] weights
    cdef double[MOST_ROWS] exponentials
    cdef double[MOST_ROWS] at_targets
    cdef double smoothing = (<const double*>at[3])[0], z_loss = (<const double*>at[4])[0]
    cdef double scale = (<const double*>at[5])[0] if with_grad else 1.0, kept = 0.0 if probable else 1.0 - smoothing
    cdef int k, result = 6 if with_grad else 5
    cdef bint wanted = at[result] != NULL, logged = wanted or z_loss != 0.0
    cdef Py_ssize_t i, r, target, width = lanes(like), rows = registers * width
    cdef Columns columns = columns_of(like, at[0], strides[0], tile if with_grad else NULL, scale)
    cdef f64x lowered = power2(splat_f64(-columns.raised)), zero = splat_f64(0.0), logit = zero, weight = zero
    cdef f64x stored = zero, slope
    cdef BlendColumns own
    if steps[2] != 0 if at[2] != NULL else not probable:
        return False
    for r in range(3, result):
        if not same_numbers(at[r], steps[r], rows):
            return False
    if not logs_for(logarithms, like).columns(like, &columns, registers, n, tops, inverses, rests,
                                              logs if logged else NULL, 0.0, False):
        return False
    own.wanted, own.wanted_stride = at[1] if probable else NULL, strides[1]
    own.blend = Blend(NULL, own.wanted, at[2], 1.0 - smoothing if probable else 0.0, smoothing / n, 0.0)
    if not wanted and is_wanted_alone(&own.blend):
        sum_column_elements(like, own.wanted, own.wanted_stride, registers, n, blends)
    elif own.blend.kept != 0.0 or own.blend.spread != 0.0:
        sum_blends(&columns, &own, registers, n, tops, blends, distances)
    else:
        for k in range(registers * HALVES):
            blends[k] = distances[k] = zero
    for r in range(0 if probable else rows):  # what is found for rows that are ignored is left out in the end
        target = max((<const int64_t*>(at[1] + r * steps[1]))[0], <int64_t>0)
        weights[r], logits[r] = weight_of(&own, target), element(<const f32x*>(at[0] + target * strides[0]), r)
        if with_grad:
            exponentials[r] = element(<const f32x*>tile, (r // width * n + target) * width + r % width)
    for k in range(registers * HALVES):
        if not probable:
            logit, weight = load_f64(logits + k * F64_LANES), load_f64(weights + k * F64_LANES)
        if wanted:
            losses[k] = blended_loss(tops[k], logs[k], logit, weight, blends[k], distances[k], kept, z_loss)
        if with_grad:
            if not probable:
                stored = load_f64(exponentials + k * F64_LANES)
            slope = blended_slopes(
                stored, tops[k], rests[k], tops[k] + logs[k] if logged else tops[k], logit, weight, blends[k],
                lowered * inverses[k], splat_f64(scale), kept, own.blend.spread, z_loss, &factors[k])
            store_f64(at_targets + k * F64_LANES, slope)
    if wanted:
        put_column_numbers(losses, registers * HALVES, at[result], steps[result])
    if with_grad:
        put_blended_slopes(&own, at[7], strides[7], n, registers, <const f32x*>tile, factors, -scale)
    for r in range(0 if probable else rows):
        target = (<const int64_t*>(at[1] + r * steps[1]))[0]
        if target < 0 and wanted:
            (<double*>(at[result] + r * steps[result]))[0] = 0.0
        for i in range(n if target < 0 and with_grad else 0):
            put_element(<f32x*>(at[7] + i * strides[7]), r, 0.0)
        if target >= 0 and with_grad:
            put_element(<f32x*>(at[7] + target * strides[7]), r, at_targets[r])
    return True


cdef bint probable_loss_columns(const f32x* like, char** at, const Py_ssize_t* steps, const Py_ssize_t* strides,
                                Py_ssize_t n, int registers, int manner) noexcept nogil:
    return blended_columns(like, at, steps, strides, n, registers, True, False)


cdef bint probable_gradient_columns(const f32x* like, char** at, const Py_ssize_t* steps, const Py_ssize_t* strides,
                                    Py_ssize_t n, int registers, int manner) noexcept nogil:
    return blended_columns(like, at, steps, strides, n, registers, True, True)
