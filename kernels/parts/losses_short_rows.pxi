# The losses of short rows, eight at a time, for the same bits. A part of losses.pyx, which has the kernels of one row
# at a time.

cdef bint short_losses(const real* like, char** at, const Py_ssize_t* steps, Py_ssize_t n, bint weighted,
                       bint with_grad) noexcept nogil:
    # loss_group of classes, of rows that have one scale; with smoothing they have no weights. Exponentials go to a
    # tile, since the gradient may stand in the place of the logits, which another kernel reads where this one says
    # False.
    cdef double[SHORT_TILE] tile
    cdef double[SHORT_ROWS] tops
    cdef double[SHORT_ROWS] inverses
    cdef double[SHORT_ROWS] rests
    cdef double[SHORT_ROWS] logs
    cdef double[SHORT_ROWS] sums
    cdef Question[SHORT_ROWS] questions
    cdef int options = 3 if weighted else 2, result = options + (3 if with_grad else 2)
    cdef double scale = (<const double*>at[options + 2])[0] if with_grad else 1.0, smoothing, factor = 1.0
    cdef Exponents own = exponents_of(like, NULL, tile if with_grad else NULL, 1.0, scale)
    cdef const real* x
    cdef real* grad
    cdef int64_t target
    cdef Py_ssize_t r
    if with_grad and not same_numbers(at[options + 2], steps[options + 2], SHORT_ROWS):
        return False
    for r in range(SHORT_ROWS):
        target, x = (<const int64_t*>(at[1] + r * steps[1]))[0], <const real*>(at[0] + r * steps[0])
        smoothing = (<const double*>(at[options] + r * steps[options]))[0]
        if weighted:
            if smoothing != 0.0 or at[2] == NULL:
                return False
            factor = element(<const real*>(at[2] + r * steps[2]), target) if target >= 0 else 0.0
        questions[r] = Question(target, NULL, NULL, factor, element(x, target) if target >= 0 else 0.0, smoothing,
                                (<const double*>(at[options + 1] + r * steps[options + 1]))[0],
                                <double*>(at[result] + r * steps[result]))
        sums[r] = element_block(like, x, 0, n).first if smoothing != 0.0 else 0.0
    if not short_logs(like, &own, at[0], steps[0], n, tops, inverses, rests, logs, 0.0):
        return False
    for r in range(SHORT_ROWS):
        own.y = <void*>skip(<const real*>tile, r * SHORT)
        own.top, own.inverse, own.rest, own.log_rest = tops[r], inverses[r], rests[r], logs[r]
        grad = <real*>(at[result + 1] + r * steps[result + 1]) if with_grad else NULL
        if questions[r].target >= 0:
            answer(like, &own, &questions[r], grad, sums[r], n, 1)
        else:
            questions[r].loss[0] = 0.0
            if grad != NULL:
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
