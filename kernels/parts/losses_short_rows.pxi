# The losses of short rows, eight at a time, for the same bits. A part of losses.pyx, which has the kernels of one row
# at a time.

cdef bint short_losses(const real* like, char** at, const Py_ssize_t* steps, Py_ssize_t n,
                       bint with_grad) noexcept nogil:
    # loss_group of classes, of rows that are not ignored and have one scale. Exponentials go to a tile, since the
    # gradient may stand in the place of the logits, which another kernel reads where this one says False.
    cdef double[SHORT_TILE] tile
    cdef double[SHORT_ROWS] tops
    cdef double[SHORT_ROWS] mantissas
    cdef double[SHORT_ROWS] rests
    cdef double[SHORT_ROWS] logs
    cdef double[SHORT_ROWS] sums
    cdef Question[SHORT_ROWS] questions
    cdef int result = 5 if with_grad else 4
    cdef double scale = (<const double*>at[4])[0] if with_grad else 1.0
    cdef Exponents own = exponents_of(like, NULL, tile if with_grad else NULL, 1.0, scale)
    cdef const real* x
    cdef int64_t target
    cdef Py_ssize_t r
    for r in range(SHORT_ROWS):
        target, x = (<const int64_t*>(at[1] + r * steps[1]))[0], <const real*>(at[0] + r * steps[0])
        if target < 0 or (with_grad and (<const double*>(at[4] + r * steps[4]))[0] != scale):
            return False
        questions[r] = Question(target, NULL, NULL, element(x, target), (<const double*>(at[2] + r * steps[2]))[0],
                                (<const double*>(at[3] + r * steps[3]))[0],
                                <double*>(at[result] + r * steps[result]))
        sums[r] = element_block(like, x, 0, n).first if questions[r].label_smoothing != 0.0 else 0.0
    if not short_logs(like, &own, at[0], steps[0], n, tops, mantissas, rests, logs, 0.0):
        return False
    for r in range(SHORT_ROWS):
        own.y = <void*>skip(<const real*>tile, r * SHORT)
        own.top, own.mantissa, own.rest, own.log_rest = tops[r], mantissas[r], rests[r], logs[r]
        answer(like, &own, &questions[r], <real*>(at[6] + r * steps[6]) if with_grad else NULL, sums[r], n, 1)
    return True


cdef bint short_loss_kernel(const real* like, char** at, const Py_ssize_t* steps, Py_ssize_t n,
                            int manner) noexcept nogil:
    return short_losses(like, at, steps, n, False)


cdef bint short_gradient_kernel(const real* like, char** at, const Py_ssize_t* steps, Py_ssize_t n,
                                int manner) noexcept nogil:
    return short_losses(like, at, steps, n, True)
