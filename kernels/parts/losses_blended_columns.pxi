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
                            double* blends) noexcept nogil:
    # the two sums of each row; those of the second kind stand MOST_ROWS further on
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
            add_columns(add_column_wanted, 2, 0, own, n, sums)
        else:
            add_columns(add_column_blend, 2, 0, own, n, sums)
        store_f64(blends + k * F64_LANES, sums[0])
        store_f64(blends + MOST_ROWS + k * F64_LANES, sums[1])
    own.wanted = wanted


cdef inline void put_blended_slopes(const BlendColumns* own, char* grad, Py_ssize_t stride, Py_ssize_t n, int registers,
                                    const f32x* tile, const double* factors, const double* scales) noexcept nogil:
    cdef f64x wide[MOST_LANES]
    cdef f32x factor, scale, wanted = splat_f32(0.0), share
    cdef bint plain = own.wanted == NULL and own.blend.spread == 0.0
    cdef Py_ssize_t i
    cdef int k
    for k in range(registers):
        take_column_numbers(<const char*>(factors + k * lanes(tile)), sizeof(double), HALVES, wide)
        factor = narrowed(tile, wide)
        take_column_numbers(<const char*>(scales + k * lanes(tile)), sizeof(double), HALVES, wide)
        scale = -narrowed(tile, wide)
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
    cdef double[2 * MOST_ROWS] blends
    cdef double[MOST_ROWS] factors
    cdef double[MOST_ROWS] scales
    cdef double[MOST_ROWS] at_targets
    cdef double smoothing = (<const double*>at[3])[0], z_loss = (<const double*>at[4])[0], unwanted
    cdef double scale = (<const double*>at[5])[0] if with_grad else 1.0
    cdef int result = 6 if with_grad else 5
    cdef char* losses = at[result] if at[result] != NULL else <char*>&unwanted
    cdef Py_ssize_t losses_step = steps[result] if at[result] != NULL else 0
    cdef Py_ssize_t i, r, target = -1, width = lanes(like), rows = registers * width
    cdef Exponents row = exponents_of(like, NULL, NULL, 1.0, scale)
    cdef Question asked
    cdef Columns columns = columns_of(like, at[0], strides[0], tile if with_grad else NULL, scale)
    cdef BlendColumns own
    cdef Blended answer
    if steps[2] != 0 if at[2] != NULL else not probable:
        return False
    for r in range(3, result):
        if not same_numbers(at[r], steps[r], rows):
            return False
    if not logs_for(logarithms, like).columns(like, &columns, registers, n, tops, inverses, rests, logs, 0.0, False):
        return False
    own.wanted, own.wanted_stride = at[1] if probable else NULL, strides[1]
    own.blend = Blend(NULL, own.wanted, at[2], 1.0 - smoothing if probable else 0.0, smoothing / n, 0.0)
    memset(blends, 0, sizeof(blends))
    if own.blend.kept != 0.0 or own.blend.spread != 0.0:
        sum_blends(&columns, &own, registers, n, tops, blends)
    for r in range(rows):
        asked = Question(target, own.wanted, at[2], 1.0, 0.0, smoothing, z_loss,
                         <double*>(losses + r * losses_step))
        factors[r], scales[r], at_targets[r] = 0.0, scale, 0.0
        if not probable:
            asked.target = (<const int64_t*>(at[1] + r * steps[1]))[0]
            if asked.target < 0:
                asked.loss[0] = scales[r] = 0.0
                continue
            asked.factor = weight_of(&own, asked.target)
            asked.logit = element(<const f32x*>(at[0] + asked.target * strides[0]), r)
        row.top, row.inverse = (<double*>tops)[r], (<double*>inverses)[r]
        row.rest, row.log_rest = (<double*>rests)[r], (<double*>logs)[r]
        answer = blended_loss(like, &row, &asked, Pair(blends[r], blends[MOST_ROWS + r]))
        if with_grad:
            factors[r] = blended_factor(&row, &answer)
            if not probable:
                at_targets[r] = blended_slope_at_target(&row, &asked, &answer, element(
                    <const f32x*>tile, (r // width * n + asked.target) * width + r % width), own.blend.spread)
    if not with_grad:
        return True
    put_blended_slopes(&own, at[7], strides[7], n, registers, <const f32x*>tile, factors, scales)
    for r in range(0 if probable else rows):
        target = (<const int64_t*>(at[1] + r * steps[1]))[0]
        if target >= 0:
            put_element(<f32x*>(at[7] + target * strides[7]), r, at_targets[r])
        else:  # its scale is 0, but a weight may be infinite
            for i in range(n):
                put_element(<f32x*>(at[7] + i * strides[7]), r, 0.0)
    return True


cdef bint probable_loss_columns(const f32x* like, char** at, const Py_ssize_t* steps, const Py_ssize_t* strides,
                                Py_ssize_t n, int registers, int manner) noexcept nogil:
    return blended_columns(like, at, steps, strides, n, registers, True, False)


cdef bint probable_gradient_columns(const f32x* like, char** at, const Py_ssize_t* steps, const Py_ssize_t* strides,
                                    Py_ssize_t n, int registers, int manner) noexcept nogil:
    return blended_columns(like, at, steps, strides, n, registers, True, True)
