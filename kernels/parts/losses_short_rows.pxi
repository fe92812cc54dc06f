# The losses of short rows, eight at a time, for the same bits. A part of losses.pyx, which has the kernels of one row
# at a time.

cdef inline void answer_short_blended(const real* like, char** at, const Py_ssize_t* steps, Py_ssize_t n, Asked asked,
                                      Answers* found, const real* tile, double smoothing, double z_loss,
                                      bint with_grad) noexcept nogil:
    # the losses and the gradients of rows whose classes have a blend
    cdef Question questions[SHORT_ROWS]
    cdef f64x parts[4 * SHORT_ROWS]
    cdef int result = 6 if with_grad else 5
    cdef Blend blend
    cdef BlendedSlope slope
    cdef real* grad
    cdef Py_ssize_t r, target = -1
    memset(found.distance, 0, sizeof(found.distance))
    for r in range(SHORT_ROWS):
        if asked != PROBABILITIES:
            target = (<const int64_t*>(at[1] + r * steps[1]))[0]
            found.exponential[r] = element(skip(tile, r * tile_step(like, n)), max(target, 0)) if with_grad else 0.0
        questions[r] = Question(target, NULL, NULL, 0.0, 0.0, smoothing, z_loss, NULL)
        if asked == PROBABILITIES:
            questions[r].wanted = at[1] + r * steps[1]
            found.exponential[r] = 0.0
        if at[2] != NULL:
            questions[r].weight = at[2] + r * steps[2]
        blend = blend_of(at[0] + r * steps[0] if at[result] != NULL else NULL, &questions[r], found.top[r], n)
        add_blends(like, &blend, 0, n, parts + r)
    if blend.kept != 0.0 or blend.spread != 0.0:
        added_totals(like, parts, 2, found.sum)
        added_totals(like, parts + SHORT_ROWS, 2, found.distance)
    answer_blends(found, SHORT_ROWS, kept_of(questions), blend.spread, z_loss, at[result] != NULL, with_grad)
    for r in range(SHORT_ROWS):
        target = questions[r].target
        if at[result] != NULL:
            (<double*>(at[result] + r * steps[result]))[0] = (
                found.loss[r] if target >= 0 or asked == PROBABILITIES else 0.0)
        if not with_grad or at[result + 1] == NULL:  # as C functions may say
            continue
        grad = <real*>(at[result + 1] + r * steps[result + 1])
        if asked != PROBABILITIES and target < 0:
            memset(grad, 0, n * itemsize(like))
            continue
        slope = BlendedSlope(blend_of(skip(tile, r * tile_step(like, n)), &questions[r], found.top[r], n),
                             found.factor[r], found.scale[r])
        put_blended(grad, &slope, n, 1)
        if asked != PROBABILITIES:
            put_element(grad, target, found.at_target[r])


cdef bint short_losses(const real* like, char** at, const Py_ssize_t* steps, Py_ssize_t n, Asked asked,
                       bint with_grad) noexcept nogil:
    # loss_group of rows that have one smoothing and z-loss. Exponentials go to a tile, since the gradient may stand in
    # the place of the logits, which another kernel reads where this one says False.
    cdef double[SHORT_TILE] tile
    cdef Answers found
    cdef f64x scales[SHORT_ROWS]
    cdef Slope own_slope
    cdef int options = 2 if asked == CLASS else 3, result = options + (3 if with_grad else 2)
    cdef double smoothing = (<const double*>at[options])[0], z_loss = (<const double*>at[options + 1])[0]
    cdef bint wanted = at[result] != NULL, weighted = asked == WEIGHTED_CLASS and at[2] != NULL
    cdef bint blended = asked == PROBABILITIES or (weighted and smoothing != 0.0)
    cdef const real* x
    cdef real* grad
    cdef int64_t target
    cdef Py_ssize_t r
    if asked == PROBABILITIES and with_grad and n * itemsize(like) > SHORT_BYTES // 2:  # tile and three arrays of rows
        return False
    for r in range(options, options + 2):
        if not same_numbers(at[r], steps[r], SHORT_ROWS):
            return False
    for r in range(SHORT_ROWS):  # ahead, since registers are not loaded from fresh numbers
        found.logit[r] = found.weight[r] = found.sum[r] = 0.0
        if asked != PROBABILITIES:
            target, x = (<const int64_t*>(at[1] + r * steps[1]))[0], <const real*>(at[0] + r * steps[0])
            if smoothing != 0.0 and not blended:
                found.sum[r] = sum_values(x, n, 1)
            if target >= 0:
                found.logit[r] = element(x, target)
                found.weight[r] = element(<const real*>(at[2] + r * steps[2]), target) if weighted else 1.0
    if with_grad:
        take_column_numbers(at[options + 2], steps[options + 2], SHORT_ROWS // F64_LANES, scales)
    for r in range(SHORT_ROWS // F64_LANES):
        if not with_grad:
            scales[r] = splat_f64(1.0)
        store_f64(found.scale + r * F64_LANES, scales[r])
        store_f64(found.raised + r * F64_LANES, raised_by_scale(like, scales[r]))
    if not logs_for(logarithms, like).shorts(
            like, at[0], steps[0], n, <void*>tile if with_grad else NULL, found.raised, found.top, found.inverse,
            found.rest, found.log if wanted or z_loss != 0.0 else NULL, 0.0):
        return False
    if blended:
        answer_short_blended(like, at, steps, n, asked, &found, <const real*>tile, smoothing, z_loss, with_grad)
        return True
    for r in range(SHORT_ROWS if with_grad else 0):
        target = max((<const int64_t*>(at[1] + r * steps[1]))[0], <int64_t>0)
        found.exponential[r] = element(skip(<const real*>tile, r * tile_step(like, n)), target)
    answer(&found, SHORT_ROWS, smoothing, z_loss, n, wanted, with_grad)
    for r in range(SHORT_ROWS):
        target = (<const int64_t*>(at[1] + r * steps[1]))[0]
        if wanted:
            (<double*>(at[result] + r * steps[result]))[0] = found.loss[r] if target >= 0 else 0.0
        if with_grad and at[result + 1] != NULL:  # as C functions may say
            grad = <real*>(at[result + 1] + r * steps[result + 1])
            if target >= 0:
                own_slope = Slope(skip(<const real*>tile, r * tile_step(like, n)), found.factor[r], found.offset[r])
                map_short(slope[real], grad, &own_slope, n)
                put_element(grad, target, found.at_target[r])
            else:
                memset(grad, 0, n * itemsize(like))
    return True


cdef bint short_loss_kernel(const real* like, char** at, const Py_ssize_t* steps, Py_ssize_t n,
                            int manner) noexcept nogil:
    return short_losses(like, at, steps, n, CLASS, False)


cdef bint short_gradient_kernel(const real* like, char** at, const Py_ssize_t* steps, Py_ssize_t n,
                                int manner) noexcept nogil:
    return short_losses(like, at, steps, n, CLASS, True)


cdef bint short_weighted_loss_kernel(const real* like, char** at, const Py_ssize_t* steps, Py_ssize_t n,
                                     int manner) noexcept nogil:
    return short_losses(like, at, steps, n, WEIGHTED_CLASS, False)


cdef bint short_weighted_gradient_kernel(const real* like, char** at, const Py_ssize_t* steps, Py_ssize_t n,
                                         int manner) noexcept nogil:
    return short_losses(like, at, steps, n, WEIGHTED_CLASS, True)


cdef bint short_probable_loss_kernel(const real* like, char** at, const Py_ssize_t* steps, Py_ssize_t n,
                                     int manner) noexcept nogil:
    return short_losses(like, at, steps, n, PROBABILITIES, False)


cdef bint short_probable_gradient_kernel(const real* like, char** at, const Py_ssize_t* steps, Py_ssize_t n,
                                         int manner) noexcept nogil:
    return short_losses(like, at, steps, n, PROBABILITIES, True)
