# The losses of short rows, eight at a time, for the same bits. A part of losses.pyx, which has the kernels of one row
# at a time.

cdef bint short_losses(const real* like, char** at, const Py_ssize_t* steps, Py_ssize_t n, bint weighted,
                       bint with_grad) noexcept nogil:
    # loss_group of classes, of rows that have one smoothing, z-loss and scale; with smoothing they have no weights.
    # Exponentials go to a tile, since the gradient may stand in the place of the logits, which another kernel reads
    # where this one says False.
    cdef double[SHORT_TILE] tile
    cdef Answers found
    cdef Slope own_slope
    cdef int options = 3 if weighted else 2, result = options + (3 if with_grad else 2)
    cdef double smoothing = (<const double*>at[options])[0], z_loss = (<const double*>at[options + 1])[0]
    cdef double scale = (<const double*>at[options + 2])[0] if with_grad else 1.0
    cdef Exponents own = exponents_of(like, NULL, tile if with_grad else NULL, 1.0, scale)
    cdef const real* x
    cdef real* grad
    cdef int64_t target
    cdef Py_ssize_t r
    if weighted and (smoothing != 0.0 or at[2] == NULL):
        return False
    for r in range(options, result):
        if not same_numbers(at[r], steps[r], SHORT_ROWS):
            return False
    if not short_logs(like, &own, at[0], steps[0], n, found.top, found.inverse, found.rest, found.log, 0.0):
        return False
    for r in range(SHORT_ROWS):
        target, x = (<const int64_t*>(at[1] + r * steps[1]))[0], <const real*>(at[0] + r * steps[0])
        found.sum[r] = element_block(like, x, 0, n).first if smoothing != 0.0 else 0.0
        found.scale[r], found.raised[r] = scale, own.raised
        found.logit[r] = found.exponential[r] = found.weight[r] = 0.0
        if target >= 0:
            found.logit[r] = element(x, target)
            found.weight[r] = element(<const real*>(at[2] + r * steps[2]), target) if weighted else 1.0
            if with_grad:
                found.exponential[r] = element(skip(<const real*>tile, r * SHORT), target)
    answer(&found, SHORT_ROWS, smoothing, z_loss, n, with_grad)
    for r in range(SHORT_ROWS):
        target = (<const int64_t*>(at[1] + r * steps[1]))[0]
        (<double*>(at[result] + r * steps[result]))[0] = found.loss[r] if target >= 0 else 0.0
        if with_grad and at[result + 1] != NULL:  # as C functions may say
            grad = <real*>(at[result + 1] + r * steps[result + 1])
            if target >= 0:
                own_slope = Slope(skip(<const real*>tile, r * SHORT), found.factor[r], found.offset[r])
                map_short(slope[real], grad, &own_slope, n)
                put_element(grad, target, found.at_target[r])
            else:
                memset(grad, 0, n * itemsize(like))
    return True


cdef bint short_loss_kernel(const real* like, char** at, const Py_ssize_t* steps, Py_ssize_t n,
                            int manner) noexcept nogil:
    return short_losses(like, at, steps, n, False, False)


cdef bint short_gradient_kernel(const real* like, char** at, const Py_ssize_t* steps, Py_ssize_t n,
                                int manner) noexcept nogil:
    return short_losses(like, at, steps, n, False, True)


cdef bint short_weighted_loss_kernel(const real* like, char** at, const Py_ssize_t* steps, Py_ssize_t n,
                                     int manner) noexcept nogil:
    return short_losses(like, at, steps, n, True, False)


cdef bint short_weighted_gradient_kernel(const real* like, char** at, const Py_ssize_t* steps, Py_ssize_t n,
                                         int manner) noexcept nogil:
    return short_losses(like, at, steps, n, True, True)
