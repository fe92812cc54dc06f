# The losses of neighbouring rows, a row in each lane, for the same bits. A part of losses.pyx, which has the kernels of
# one row at a time.

cdef bint column_losses(const real* like, char** at, const Py_ssize_t* steps, const Py_ssize_t* strides, Py_ssize_t n,
                        int registers, bint weighted, bint with_grad) noexcept nogil:
    # loss_group of classes, of rows that have one smoothing, z-loss and scale; with smoothing they have no weights.
    # Exponentials go to a tile, since the gradient may stand in the place of the logits, which another kernel reads
    # where this one says False.
    cdef double[SHORT_TILE] tile
    cdef double[MOST_ROWS] logits
    cdef f64x tops[MOST_LANES]
    cdef f64x mantissas[MOST_LANES]
    cdef f64x rests[MOST_LANES]
    cdef f64x logs[MOST_LANES]
    cdef f64x sums[MOST_LANES]
    cdef f64x losses[MOST_LANES]
    cdef f64x weights[MOST_LANES]
    cdef double[MOST_ROWS] factors
    cdef int options = 3 if weighted else 2, result = options + (3 if with_grad else 2)
    cdef double smoothing = (<const double*>at[options])[0], z_loss = (<const double*>at[options + 1])[0], scale = 1.0
    cdef int k, count = registers * halves(like)
    cdef bint ignored = False
    cdef Py_ssize_t r, target, rows = registers * lanes(like)
    cdef Columns columns, own
    for r in range(options, result):
        if not same_numbers(at[r], steps[r], rows):
            return False
    if with_grad:
        scale = (<const double*>at[options + 2])[0]
    columns = columns_of(like, at[0], strides[0], tile if with_grad else NULL, scale)
    if not column_logs(like, &columns, registers, n, tops, mantissas, rests, logs, 0.0):
        return False
    for r in range(rows):
        target = (<const int64_t*>(at[1] + r * steps[1]))[0]
        ignored |= target < 0
        logits[r] = element(<const real*>(at[0] + target * strides[0]), r) if target >= 0 else 0.0
        factors[r] = element(<const real*>at[2], target) if weighted and target >= 0 else 1.0
    take_column_numbers(<const char*>logits, sizeof(double), count, losses)
    take_column_numbers(<const char*>factors, sizeof(double), count, weights)
    for k in range(registers if smoothing != 0.0 else 0):
        own = register_of(like, &columns, k, n)
        sum_column_elements(like, own.x, own.stride, n, sums + k * halves(like))
    for k in range(count):
        losses[k] = loss_of(tops[k], logs[k], losses[k], sums[k] if smoothing != 0.0 else tops[k], weights[k],
                            smoothing, z_loss, n)
    put_column_numbers(losses, count, at[result], steps[result])
    for r in range(rows if ignored else 0):
        if (<const int64_t*>(at[1] + r * steps[1]))[0] < 0:
            (<double*>(at[result] + r * steps[result]))[0] = 0.0
    if with_grad:
        put_slopes(like, at, steps, strides, n, registers, options, <const real*>tile, logits, factors, tops, mantissas,
                   rests, logs)
    return True


cdef inline void put_slopes(const real* like, char** at, const Py_ssize_t* steps, const Py_ssize_t* strides,
                            Py_ssize_t n, int registers, int options, const real* tile, const double* logits,
                            const double* weights, const f64x* tops, const f64x* mantissas, const f64x* rests,
                            const f64x* logs) noexcept nogil:
    # the gradient, of exponentials in a tile; zeros where a row is ignored
    cdef double[4 * MOST_ROWS] found
    cdef double[MOST_ROWS] factors
    cdef double[MOST_ROWS] offsets
    cdef double[MOST_ROWS] at_targets
    cdef f64x wide_factors[MOST_LANES]
    cdef f64x wide_offsets[MOST_LANES]
    cdef Exponents row = exponents_of(like, NULL, NULL, 1.0, (<const double*>at[options + 2])[0])
    cdef Question asked
    cdef Slope slope
    cdef real factor, offset
    cdef int k, count = registers * halves(like)
    cdef Py_ssize_t r, i, target, rows = registers * lanes(like), width = lanes(like)
    put_column_numbers(tops, count, <char*>found, sizeof(double))
    put_column_numbers(mantissas, count, <char*>(found + MOST_ROWS), sizeof(double))
    put_column_numbers(rests, count, <char*>(found + 2 * MOST_ROWS), sizeof(double))
    put_column_numbers(logs, count, <char*>(found + 3 * MOST_ROWS), sizeof(double))
    for r in range(rows):
        target, factors[r], offsets[r] = (<const int64_t*>(at[1] + r * steps[1]))[0], 0.0, 0.0
        if target >= 0:
            row.top, row.mantissa = found[r], found[MOST_ROWS + r]
            row.rest, row.log_rest = found[2 * MOST_ROWS + r], found[3 * MOST_ROWS + r]
            asked = Question(target, NULL, NULL, weights[r], logits[r], (<const double*>at[options])[0],
                             (<const double*>at[options + 1])[0], NULL)
            at_targets[r] = slope_at_target(&row, &asked, element(
                tile, (r // width * n + target) * width + r % width), n, &slope)
            factors[r], offsets[r] = slope.factor, slope.offset
    take_column_numbers(<const char*>factors, sizeof(double), count, wide_factors)
    take_column_numbers(<const char*>offsets, sizeof(double), count, wide_offsets)
    for k in range(registers):
        factor = narrowed(like, wide_factors + k * halves(like))
        offset = narrowed(like, wide_offsets + k * halves(like))
        for i in range(n):
            store(<real*>(at[options + 4] + k * sizeof(real) + i * strides[options + 4]), fma(
                load(skip(tile, (k * n + i) * width)), factor, offset))
    for r in range(rows):
        target = (<const int64_t*>(at[1] + r * steps[1]))[0]
        if target >= 0:
            put_element(<real*>(at[options + 4] + target * strides[options + 4]), r, at_targets[r])


cdef bint loss_columns(const real* like, char** at, const Py_ssize_t* steps, const Py_ssize_t* strides, Py_ssize_t n,
                       int registers, int manner) noexcept nogil:
    return column_losses(like, at, steps, strides, n, registers, False, False)


cdef bint gradient_columns(const real* like, char** at, const Py_ssize_t* steps, const Py_ssize_t* strides,
                           Py_ssize_t n, int registers, int manner) noexcept nogil:
    return column_losses(like, at, steps, strides, n, registers, False, True)


cdef bint weighted_columns(const real* like, char** at, const Py_ssize_t* steps, const Py_ssize_t* strides,
                           Py_ssize_t n, int registers, bint with_grad) noexcept nogil:
    cdef bint smoothed = False
    cdef Py_ssize_t r
    for r in range(registers * lanes(like)):
        smoothed |= (<const double*>(at[3] + r * steps[3]))[0] != 0.0
    if at[2] == NULL or steps[2] != 0:
        return False
    if not smoothed:
        return column_losses(like, at, steps, strides, n, registers, True, with_grad)
    if real is f32x:
        return blended_columns(like, at, steps, strides, n, registers, False, with_grad)
    else:
        return False


cdef bint weighted_loss_columns(const real* like, char** at, const Py_ssize_t* steps, const Py_ssize_t* strides,
                                Py_ssize_t n, int registers, int manner) noexcept nogil:
    return weighted_columns(like, at, steps, strides, n, registers, False)


cdef bint weighted_gradient_columns(const real* like, char** at, const Py_ssize_t* steps, const Py_ssize_t* strides,
                                    Py_ssize_t n, int registers, int manner) noexcept nogil:
    return weighted_columns(like, at, steps, strides, n, registers, True)
