# The losses of short rows, eight at a time, for the same bits. A part of losses.pyx, which has the kernels of one row
# at a time.

cdef inline void answer_short_blended(const real* like, char** at, const Py_ssize_t* steps, Py_ssize_t first,
                                      Py_ssize_t n, Asked asked, Answers* found, const real* tile, double smoothing,
                                      double z_loss, bint with_grad) noexcept nogil:
    # the losses and the gradients of SHORT_ROWS rows, from the first one on, whose classes have a blend
    cdef Question questions[SHORT_ROWS]
    cdef f64x parts[4 * SHORT_ROWS]
    cdef int result = 6 if with_grad else 5
    cdef Blend blend
    cdef BlendedSlope slope
    cdef real* grad
    cdef Py_ssize_t r, target = -1
    for r in range(SHORT_ROWS):
        found.distance[first + r] = 0.0
        if asked != PROBABILITIES:
            target = (<const int64_t*>(at[1] + r * steps[1]))[0]
        questions[r] = Question(target, NULL, NULL, 0.0, 0.0, smoothing, z_loss, NULL)
        if asked == PROBABILITIES:
            questions[r].wanted = at[1] + r * steps[1]
            found.exponential[first + r] = 0.0
        if at[2] != NULL:
            questions[r].weight = at[2] + r * steps[2]
        blend = blend_of(at[0] + r * steps[0] if at[result] != NULL else NULL, &questions[r], found.top[first + r], n)
        add_blends(like, &blend, 0, n, parts + r)
    if blend.kept != 0.0 or blend.spread != 0.0:
        added_totals(like, parts, 2, found.sum + first)
        added_totals(like, parts + SHORT_ROWS, 2, found.distance + first)
    answer_blends(found, first, kept_of(questions), blend.spread, z_loss, at[result] != NULL, with_grad)
    for r in range(SHORT_ROWS):
        target = questions[r].target
        if at[result] != NULL:
            (<double*>(at[result] + r * steps[result]))[0] = (
                found.loss[first + r] if target >= 0 or asked == PROBABILITIES else 0.0)
        if not with_grad or at[result + 1] == NULL:  # as C functions may say
            continue
        grad = <real*>(at[result + 1] + r * steps[result + 1])
        if asked != PROBABILITIES and target < 0:
            memset(grad, 0, n * itemsize(like))
            continue
        slope = BlendedSlope(blend_of(skip(tile, r * tile_step(like, n)), &questions[r], found.top[first + r], n),
                             found.factor[first + r], found.scale[first + r])
        put_blended(grad, &slope, n, 1)
        if asked != PROBABILITIES:
            put_element(grad, target, found.at_target[first + r])


cdef inline f64x part_of_whole(const f32x* x, Py_ssize_t n) noexcept nogil:
    # the last register of partial sums, if there are four, of a multiple of PARTS elements: without a rest they stay in
    # registers
    cdef f64x first = splat_f64(0.0), second = first, third = first, fourth = first
    cdef Py_ssize_t i = 0
    while i < n:
        first = first + wide(x, i, F64_LANES)
        second = second + wide(x, i + F64_LANES, F64_LANES)
        third = third + wide(x, i + 2 * F64_LANES, F64_LANES)
        fourth = fourth + wide(x, i + 3 * F64_LANES, F64_LANES)
        i += PARTS
    return (first + third) + (second + fourth)


cdef inline void sum_short_rows(const real* like, const char* x, Py_ssize_t step, Py_ssize_t rows, Py_ssize_t n,
                                double* totals) noexcept nogil:
    # sum_values of each
    cdef f64x parts[2 * SHORT_ROWS]
    cdef Py_ssize_t r = 0
    cdef int k
    while r < rows:
        for k in range(SHORT_ROWS):
            if real is f32x and SUMS == 4 and n % PARTS == 0:
                parts[k] = part_of_whole(<const f32x*>x, n)
            else:
                add_short(add_element[real], 1, like, x, n, parts + k)
            x += step
        added_totals(like, parts, 1, totals + r)
        r += SHORT_ROWS


cdef inline void put_wanted_slopes(char** at, const Py_ssize_t* steps, Py_ssize_t rows, Py_ssize_t n,
                                   const f32x* tile, Answers* found, double z_loss) noexcept nogil:
    # the gradients of probabilities of float32 without weights and smoothing, where no loss is asked for
    cdef BlendedSlope own
    cdef char* grad = at[7]
    cdef Py_ssize_t r = 0
    own.blend = Blend(tile, at[1], NULL, 1.0, 0.0, 0.0)
    sum_short_rows(tile, at[1], steps[1], rows, n, found.sum)
    while r < rows:
        answer_blends(found, r, 0.0, 0.0, z_loss, False, True)
        r += SHORT_ROWS
    for r in range(rows if grad != NULL else 0):  # as C functions may say
        own.factor, own.scale = found.factor[r], found.scale[r]
        map_short(wanted_slope, <f32x*>grad, &own, n)
        own.blend.x = <const void*>skip(<const f32x*>own.blend.x, tile_step(tile, n))
        own.blend.wanted = <const void*>(<const char*>own.blend.wanted + steps[1])
        grad += steps[7]


cdef inline void answer_all_blended(const real* like, char** at, const Py_ssize_t* steps, Py_ssize_t rows,
                                    Py_ssize_t n, Asked asked, Answers* found, const real* tile, double smoothing,
                                    double z_loss, bint with_grad) noexcept nogil:
    # SHORT_ROWS at a time
    cdef void* own[MAX_ROW_OPERANDS]
    cdef Py_ssize_t r = 0
    cdef int k
    while r < rows:
        for k in range(8 if with_grad else 6):
            own[k] = NULL
            if at[k] != NULL:
                own[k] = at[k] + r * steps[k]
        answer_short_blended(like, <char**>own, steps, r, n, asked, found, skip(tile, r * tile_step(like, n)),
                             smoothing, z_loss, with_grad)
        r += SHORT_ROWS


cdef inline void take_targets(const real* like, char** at, const Py_ssize_t* steps, Py_ssize_t rows, Py_ssize_t n,
                              bint weighted, const real* tile, Answers* found) noexcept nogil:
    # of rows whose targets are classes; with their exponentials, if there is a tile. What is found for rows that are
    # ignored is left out in the end
    cdef const char* x = at[0]
    cdef const char* targets = at[1]
    cdef Py_ssize_t r, target, x_step = steps[0], step = steps[1]
    for r in range(rows):
        target = max((<const int64_t*>targets)[0], <int64_t>0)
        found.logit[r] = element(<const real*>x, target)
        if weighted:
            found.weight[r] = element(<const real*>(at[2] + r * steps[2]), target)
        if tile != NULL:
            found.exponential[r] = element(tile, target)
            tile = skip(tile, tile_step(like, n))
        x += x_step
        targets += step


cdef inline void put_short_slopes(const real* like, char** at, const Py_ssize_t* steps, Py_ssize_t rows, Py_ssize_t n,
                                  int result, const real* tile, const Answers* found) noexcept nogil:
    cdef const char* targets = at[1]
    cdef char* grad = at[result]
    cdef Py_ssize_t r, target, step = steps[1], grad_step = steps[result]
    cdef Slope own
    for r in range(rows):
        target = (<const int64_t*>targets)[0]
        if target >= 0:
            own = Slope(tile, found.factor[r], found.offset[r])
            map_short(slope[real], <real*>grad, &own, n)
            put_element(<real*>grad, target, found.at_target[r])
        else:
            memset(grad, 0, n * itemsize(like))
        targets, grad, tile = targets + step, grad + grad_step, skip(tile, tile_step(like, n))


cdef bint short_losses(const real* like, char** at, const Py_ssize_t* steps, Py_ssize_t rows, Py_ssize_t n, Asked asked,
                       bint with_grad) noexcept nogil:
    # loss_group of rows that have one smoothing and z-loss: SHORT_ROWS, or up to MOST_SHORT, whose exponentials fit in
    # a tile. There they go, since the gradient may stand in the place of the logits, which another kernel reads where
    # this one says False.
    cdef double[TILE] tile
    cdef Answers found
    cdef f64x[SHORT_ROWS] scales
    cdef int options = 2 if asked == CLASS else 3, result = options + (3 if with_grad else 2)
    cdef double smoothing = (<const double*>at[options])[0], z_loss = (<const double*>at[options + 1])[0]
    cdef bint wanted = at[result] != NULL, weighted = asked == WEIGHTED_CLASS and at[2] != NULL
    cdef bint blended = asked == PROBABILITIES or (weighted and smoothing != 0.0)
    cdef f64x one = splat_f64(1.0), zero = splat_f64(0.0)
    cdef Py_ssize_t r, k, target
    cdef int written = result + 1 if with_grad and at[result + 1] != NULL else 0
    for r in range(options, options + 2):
        if not same_numbers(at[r], steps[r], rows):
            return False
    r = 0
    while r < rows:
        store_f64(found.weight + r, zero if asked == PROBABILITIES else one)
        store_f64(found.logit + r, zero)
        store_f64(found.sum + r, zero)
        store_f64(found.exponential + r, zero)
        r += F64_LANES
    k = 0
    while k < rows:
        if with_grad:
            take_column_numbers(at[options + 2] + k * steps[options + 2], steps[options + 2], SHORT_ROWS // F64_LANES,
                                scales)
        for r in range(SHORT_ROWS // F64_LANES):
            if not with_grad:
                scales[r] = one
            store_f64(found.scale + k + r * F64_LANES, scales[r])
            store_f64(found.raised + k + r * F64_LANES, raised_by_scale(like, scales[r]))
        k += SHORT_ROWS
    if not logs_for(logarithms, like).shorts(
            like, at[0], steps[0], rows, n, <void*>tile if with_grad else NULL, found.raised, found.top, found.inverse,
            found.rest, found.log if wanted or z_loss != 0.0 else NULL, 0.0, at[written], steps[written]):
        return False
    if smoothing != 0.0 and not blended:
        sum_short_rows(like, at[0], steps[0], rows, n, found.sum)
    if asked != PROBABILITIES:
        take_targets(like, at, steps, rows, n, weighted, <const real*>tile if with_grad else NULL, &found)
    if real is f32x:
        if asked == PROBABILITIES and with_grad and not wanted and at[2] == NULL and smoothing == 0.0:
            put_wanted_slopes(at, steps, rows, n, <const f32x*>tile, &found, z_loss)
            return True
    if blended:
        answer_all_blended(like, at, steps, rows, n, asked, &found, <const real*>tile, smoothing, z_loss, with_grad)
        return True
    answer(&found, rows, smoothing, z_loss, n, wanted, with_grad)
    for r in range(rows if wanted else 0):
        target = (<const int64_t*>(at[1] + r * steps[1]))[0]
        (<double*>(at[result] + r * steps[result]))[0] = found.loss[r] if target >= 0 else 0.0
    if with_grad and at[result + 1] != NULL:  # as C functions may say
        put_short_slopes(like, at, steps, rows, n, result + 1, <const real*>tile, &found)
    return True


cdef Py_ssize_t all_rows(const f32x* like, char** at, const Py_ssize_t* steps, int operands, Py_ssize_t rows,
                         Py_ssize_t n, Asked asked) noexcept nogil:
    # an all_rows_kernel of gradients: many rows at a time
    cdef void* own[MAX_ROW_OPERANDS]
    cdef Py_ssize_t done = 0, count
    cdef int k
    if n > LONGEST or not is_plain(like, 0.0, n):
        return -1
    count = min(<Py_ssize_t>MOST_SHORT, max(<Py_ssize_t>SHORT_ROWS, SHORT_TILE // tile_step(like, n))) & -SHORT_ROWS
    while done + SHORT_ROWS <= rows:
        count = min(count, (rows - done) & -SHORT_ROWS)
        for k in range(operands):
            own[k] = NULL
            if at[k] != NULL:
                own[k] = at[k] + done * steps[k]
        if short_losses(like, <char**>own, steps, count, n, asked, True):
            done += count
        elif count > SHORT_ROWS:
            count = SHORT_ROWS  # only some of these rows may be of another kind
        else:
            break
    return done if rows >= SHORT_ROWS else -1


cdef Py_ssize_t all_gradients(const f32x* like, char** at, const Py_ssize_t* steps, Py_ssize_t rows, Py_ssize_t n,
                              int manner) noexcept nogil:
    return all_rows(like, at, steps, 7, rows, n, CLASS)


cdef Py_ssize_t all_weighted_gradients(const f32x* like, char** at, const Py_ssize_t* steps, Py_ssize_t rows,
                                       Py_ssize_t n, int manner) noexcept nogil:
    return all_rows(like, at, steps, 8, rows, n, WEIGHTED_CLASS)


cdef Py_ssize_t all_probable_gradients(const f32x* like, char** at, const Py_ssize_t* steps, Py_ssize_t rows,
                                       Py_ssize_t n, int manner) noexcept nogil:
    return all_rows(like, at, steps, 8, rows, n, PROBABILITIES)


cdef bint short_loss_kernel(const real* like, char** at, const Py_ssize_t* steps, Py_ssize_t n,
                            int manner) noexcept nogil:
    return short_losses(like, at, steps, SHORT_ROWS, n, CLASS, False)


cdef bint short_gradient_kernel(const real* like, char** at, const Py_ssize_t* steps, Py_ssize_t n,
                                int manner) noexcept nogil:
    return short_losses(like, at, steps, SHORT_ROWS, n, CLASS, True)


cdef bint short_weighted_loss_kernel(const real* like, char** at, const Py_ssize_t* steps, Py_ssize_t n,
                                     int manner) noexcept nogil:
    return short_losses(like, at, steps, SHORT_ROWS, n, WEIGHTED_CLASS, False)


cdef bint short_weighted_gradient_kernel(const real* like, char** at, const Py_ssize_t* steps, Py_ssize_t n,
                                         int manner) noexcept nogil:
    return short_losses(like, at, steps, SHORT_ROWS, n, WEIGHTED_CLASS, True)


cdef bint short_probable_loss_kernel(const real* like, char** at, const Py_ssize_t* steps, Py_ssize_t n,
                                     int manner) noexcept nogil:
    return short_losses(like, at, steps, SHORT_ROWS, n, PROBABILITIES, False)


cdef bint short_probable_gradient_kernel(const real* like, char** at, const Py_ssize_t* steps, Py_ssize_t n,
                                         int manner) noexcept nogil:
    return short_losses(like, at, steps, SHORT_ROWS, n, PROBABILITIES, True)
