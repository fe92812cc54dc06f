# The losses of neighbouring rows, a row in each lane, for the same bits. A part of losses.pyx, which has the kernels of
# one row at a time.

cdef bint column_losses(const real* like, char** at, const Py_ssize_t* steps, const Py_ssize_t* strides, Py_ssize_t n,
                        int registers, bint weighted, bint with_grad, int manner) noexcept nogil:
    # loss_group of classes, of rows that have one smoothing and z-loss; with smoothing they have no weights.
    # Exponentials go to a tile, since the gradient may stand in the place of the logits, which another kernel reads
    # where this one says False.
    cdef double[SHORT_TILE] tile
    # of each row: of the class that is its target
    cdef double[MOST_ROWS] logit
    cdef double[MOST_ROWS] weight
    cdef double[MOST_ROWS] exponential
    cdef double[MOST_ROWS] slope
    cdef f64x tops[MOST_LANES]
    cdef f64x inverses[MOST_LANES]
    cdef f64x rests[MOST_LANES]
    cdef f64x logs[MOST_LANES]
    cdef f64x sums[MOST_LANES]
    cdef f64x losses[MOST_LANES]
    cdef f64x logits[MOST_LANES]
    cdef f64x weights[MOST_LANES]
    cdef f64x scales[MOST_LANES]
    cdef f64x slopes[MOST_LANES]
    cdef f64x factors[MOST_LANES]
    cdef f64x offsets[MOST_LANES]
    cdef f64x inverse_sum, p
    cdef int options = 3 if weighted else 2, result = options + (3 if with_grad else 2)
    cdef double smoothing = (<const double*>at[options])[0], z_loss = (<const double*>at[options + 1])[0]
    cdef int k, count = registers * halves(like)
    cdef int64_t signs = 0
    cdef bint ignored, wanted = at[result] != NULL
    cdef bint logged = wanted or z_loss != 0.0
    cdef Py_ssize_t r, target, stride, step, rows = registers * lanes(like)
    cdef const char* x
    cdef const char* own
    cdef const char* targets
    cdef Columns columns
    for r in range(options, options + 2):
        if not same_numbers(at[r], steps[r], rows):
            return False
    columns = columns_of(like, at[0], strides[0], tile if with_grad else NULL, 1.0)
    if with_grad:
        take_column_numbers(at[options + 2], steps[options + 2], count, scales)
        if not set_scales(like, &columns, scales, count):
            return False
    if not logs_for(logarithms, like).columns(like, &columns, registers, n, tops, inverses, rests,
                                              logs if logged else NULL, 0.0, not with_grad):
        return False
    x, targets, stride, step = at[0], at[1], strides[0], steps[1]  # in registers, though this loop writes
    for k in range(registers):
        own = <const char*>tile + k * n * sizeof(real)
        for r in range(k * lanes(like), (k + 1) * lanes(like)):
            target = (<const int64_t*>targets)[0]
            signs |= target
            target = max(target, 0)  # what is found for rows that are ignored is left out in the end
            if real is f32x:
                (<float*>logit)[r] = (<const float*>(x + target * stride))[0]
                (<float*>exponential)[r] = (<const float*>(own + target * sizeof(real)))[0] if with_grad else 0.0
            else:
                logit[r] = (<const double*>(x + target * stride))[0]
                exponential[r] = (<const double*>(own + target * sizeof(real)))[0] if with_grad else 0.0
            if weighted:
                weight[r] = element(<const real*>at[2], target)
            targets, x, own = targets + step, x + itemsize(like), own + itemsize(like)
    ignored = signs < 0
    for k in range(count):
        logits[k] = wide_at(like, <const char*>logit + k // halves(like) * sizeof(real), k % halves(like))
        weights[k] = load_f64(weight + k * F64_LANES) if weighted else splat_f64(1.0)
    if smoothing != 0.0:
        sum_column_elements(like, at[0], strides[0], registers, n, sums)
    for k in range(count if wanted else 0):
        losses[k] = loss_of(tops[k], logs[k], logits[k], sums[k] if smoothing != 0.0 else tops[k], weights[k],
                            smoothing, z_loss, n)
    if wanted:
        put_column_numbers(losses, count, at[result], steps[result])
    for r in range(rows if ignored and wanted else 0):
        if (<const int64_t*>(at[1] + r * steps[1]))[0] < 0:
            (<double*>(at[result] + r * steps[result]))[0] = 0.0
    if not with_grad:
        return True
    for k in range(count):
        offsets[k] = splat_f64(-(smoothing / n)) * scales[k]
        inverse_sum = splat_f64(1.0) / (splat_f64(1.0) + rests[k])
        inverses[k] = power2(-raised_of(like, &columns, k)) * (inverses[k] * inverse_sum)
        p = wide_at(like, <const char*>exponential + k // halves(like) * sizeof(real), k % halves(like)) * inverses[k]
        slopes[k] = slopes_at_target(
            p, where_less(logits[k], tops[k], splat_f64(1.0) - p, rests[k] * inverse_sum),
            tops[k] + logs[k] if logged else tops[k], inverses[k], weights[k], scales[k], smoothing, z_loss, n,
            &factors[k])
    put_column_numbers(slopes, count, <char*>slope, sizeof(double))
    put_slopes(like, at, steps, strides[result + 1], n, registers, result + 1, <const real*>tile, slope, factors,
               offsets, ignored, manner & ROW_BY_ROW != 0)
    return True


cdef inline void put_slopes(const real* like, char** at, const Py_ssize_t* steps, Py_ssize_t stride, Py_ssize_t n,
                            int registers, int grad, const real* tile, const double* at_targets, f64x* factors,
                            f64x* offsets, bint ignored, bint row_by_row) noexcept nogil:
    # the gradient, of exponentials in a tile, to neighbouring rows or to rows where they stand; zeros where a row is
    # ignored
    cdef real factor, offset
    cdef const real* own
    cdef Py_ssize_t r, i, target, width = lanes(like)
    cdef int k
    for r in range(registers * width if ignored else 0):
        if (<const int64_t*>(at[1] + r * steps[1]))[0] < 0:
            (<double*>factors)[r] = (<double*>offsets)[r] = 0.0
    for k in range(registers):
        factor = narrowed(like, factors + k * halves(like))
        offset = narrowed(like, offsets + k * halves(like))
        own = skip(tile, k * n * width)
        if row_by_row:
            put_slopes_turned(at[grad] + k * width * steps[grad], steps[grad], own, factor, offset, n)
        for i in range(0 if row_by_row else n):
            store(<real*>(at[grad] + k * sizeof(real) + i * stride), fma(load(skip(own, i * width)), factor, offset))
    put_at_targets(like, at[1], steps[1], at[grad], steps[grad] if row_by_row else <Py_ssize_t>itemsize(like),
                   <Py_ssize_t>itemsize(like) if row_by_row else stride, registers * width, at_targets)


cdef inline void put_at_targets(const real* like, const char* targets, Py_ssize_t step, char* grad,
                                Py_ssize_t grad_step, Py_ssize_t stride, Py_ssize_t rows,
                                const double* values) noexcept nogil:
    # where rows are `grad_step` bytes apart, and classes `stride`
    cdef Py_ssize_t r, target
    for r in range(rows):
        target = (<const int64_t*>targets)[0]
        if target >= 0:
            put_element(<real*>(grad + target * stride), 0, values[r])
        targets, grad = targets + step, grad + grad_step


cdef inline void put_slopes_turned(char* grad, Py_ssize_t step, const real* tile, real factor, real offset,
                                   Py_ssize_t n) noexcept nogil:
    # of a register of rows, which are of float32
    cdef f32x four[4]
    cdef f32x eight[8]
    cdef Py_ssize_t i = 0, r
    cdef int k
    if real is f32x:
        while i + 8 <= n:
            for k in range(8):
                eight[k] = fma(load(skip(tile, (i + k) * F32_LANES)), factor, offset)
            store_turned_eight_f32(grad + i * 4, step, eight)
            i += 8
        while i < n and n >= 4:
            i = min(i, n - 4)
            for k in range(4):
                four[k] = fma(load(skip(tile, (i + k) * F32_LANES)), factor, offset)
            store_turned_f32(grad + i * 4, step, four)
            i += 4
        while i < n:
            four[0] = fma(load(skip(tile, i * F32_LANES)), factor, offset)
            for r in range(F32_LANES):
                put_element(<f32x*>(grad + r * step), i, (<float*>four)[r])
            i += 1


cdef bint loss_columns(const real* like, char** at, const Py_ssize_t* steps, const Py_ssize_t* strides, Py_ssize_t n,
                       int registers, int manner) noexcept nogil:
    return column_losses(like, at, steps, strides, n, registers, False, False, manner)


cdef bint gradient_columns(const real* like, char** at, const Py_ssize_t* steps, const Py_ssize_t* strides,
                           Py_ssize_t n, int registers, int manner) noexcept nogil:
    return column_losses(like, at, steps, strides, n, registers, False, True, manner)


cdef bint weighted_columns(const real* like, char** at, const Py_ssize_t* steps, const Py_ssize_t* strides,
                           Py_ssize_t n, int registers, bint with_grad) noexcept nogil:
    cdef bint smoothed = False
    cdef Py_ssize_t r
    for r in range(registers * lanes(like)):
        smoothed |= (<const double*>(at[3] + r * steps[3]))[0] != 0.0
    if at[2] == NULL or steps[2] != 0:
        return False
    if not smoothed:
        return column_losses(like, at, steps, strides, n, registers, True, with_grad, 0)
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
