# Short rows, eight at a time, for the same bits. A part of softmax.pyx, which has the kernels of one row at a time.
# Loops that write keep pointers and steps of their own: those that a kernel is given would be read again after stores.

cdef bint short_softmax_kernel(const real* like, char** at, const Py_ssize_t* steps, Py_ssize_t n,
                               int manner) noexcept nogil:
    cdef Gradient scaling = Gradient(NULL, NULL, 0.0, 0.0, 1.0, False, False)
    cdef double[SHORT_ROWS] scales
    cdef double[SHORT_TILE] tile
    cdef char* y = at[1]
    cdef Py_ssize_t y_step = steps[1], r
    if not short_softmax(like, at[0], steps[0], n, <real*>tile, scales):
        return False
    for r in range(SHORT_ROWS):
        scaling.x, scaling.value = skip(<const real*>tile, r * tile_step(like, n)), rounded(like, scales[r])
        scaling.rest = scales[r] - scaling.value
        map_short(times[real], y + r * y_step, &scaling, n)
    return True


cdef bint short_masked(const real* like, char** at, const Py_ssize_t* steps, Py_ssize_t n, bint added,
                       bint masked) noexcept nogil:
    # masked_group of short rows: scores go to a tile, with -inf behind the first `count`, whose exponential is 0, so
    # that nothing is written where a row has to be computed in the other way
    cdef Gradient scaling = Gradient(NULL, NULL, 0.0, 0.0, 1.0, False, False)
    cdef Scores row
    cdef double[SHORT_ROWS] scales
    cdef double[SHORT_TILE] scores
    cdef double[SHORT_TILE] tile
    cdef Py_ssize_t r, count
    cdef double scale, first
    cdef real* y
    for r in range(SHORT_ROWS):
        scale = (<const double*>(at[1 + masked] + r * steps[1 + masked]))[0]
        first = (<const double*>(at[2 + masked] + r * steps[2 + masked]))[0]
        count = <Py_ssize_t>min(first, <double>n) if first > 0.0 else 0
        y = <real*>skip(<const real*>scores, r * tile_step(like, n))
        row = Scores(at[0] + r * steps[0], at[1] + r * steps[1], y, rounded(like, scale), 0.0)
        row.rest = scale - row.scale if fabs(row.scale) < INFINITY else 0.0
        if added:
            map_short(scaled_plus[real], <char*>y, &row, n)
        elif masked:
            map_short(scaled_where[real], <char*>y, &row, n)
        else:
            map_short(scaled[real], <char*>y, &row, n)
        fill(y, -INFINITY, count, n)
    if not short_softmax(like, <const char*>scores, tile_step(like, n) * itemsize(like), n, <real*>tile, scales):
        return False
    for r in range(SHORT_ROWS):
        scaling.x, scaling.value = skip(<const real*>tile, r * tile_step(like, n)), rounded(like, scales[r])
        scaling.rest = scales[r] - scaling.value
        map_short(times[real], at[3 + masked] + r * steps[3 + masked], &scaling, n)
    return True


cdef bint short_masked_kernel(const real* like, char** at, const Py_ssize_t* steps, Py_ssize_t n,
                              int manner) noexcept nogil:
    return short_masked(like, at, steps, n, False, False)


cdef bint short_masked_where_kernel(const real* like, char** at, const Py_ssize_t* steps, Py_ssize_t n,
                                    int manner) noexcept nogil:
    return short_masked(like, at, steps, n, False, True)


cdef bint short_masked_plus_kernel(const real* like, char** at, const Py_ssize_t* steps, Py_ssize_t n,
                                   int manner) noexcept nogil:
    return short_masked(like, at, steps, n, True, True)


cdef inline void copy_turned(const char* x, Py_ssize_t step, Py_ssize_t stride, char* y, Py_ssize_t y_step,
                             Py_ssize_t y_stride, Py_ssize_t n) noexcept nogil:
    # SHORT_ROWS rows of fewer elements than a register has
    cdef Py_ssize_t r, i
    for r in range(SHORT_ROWS):
        for i in range(n):
            (<double*>(y + r * y_step + i * y_stride))[0] = (<const double*>(x + r * step + i * stride))[0]


cdef bint turned_log_softmax_kernel(const f64x* like, char** at, const Py_ssize_t* steps, Py_ssize_t n,
                                    int manner) noexcept nogil:
    # as neighbouring rows, which share the logarithms of their sums: element i of each, side by side
    cdef double[SHORT_TILE] tile
    cdef Py_ssize_t size = sizeof(double), side = SHORT_ROWS * sizeof(double), width = lanes(like), i = 0
    cdef char* turned = <char*>tile
    cdef char** both = [turned, turned]
    cdef Py_ssize_t* both_steps = [size, size]
    cdef Py_ssize_t* both_strides = [side, side]
    if n < width:
        copy_turned(at[0], steps[0], size, turned, size, side, n)
    while i < n and n >= width:
        i = min(i, n - width)
        widen_columns(FLOAT64, <f64x*>(turned + i * side), at[0] + i * size, steps[0], SHORT_ROWS)
        i += width
    if not log_softmax_columns[f64x](like, both, both_steps, both_strides, n, SHORT_ROWS // width, 0):
        return False
    if n < width:
        copy_turned(turned, size, side, at[1], steps[1], size, n)
    i = 0
    while i < n and n >= width:
        i = min(i, n - width)
        narrow_columns(FLOAT64, at[1] + i * size, steps[1], <const f64x*>(turned + i * side), SHORT_ROWS)
        i += width
    return True


cdef bint short_log_softmax_kernel(const f32x* like, char** at, const Py_ssize_t* steps, Py_ssize_t n,
                                   int manner) noexcept nogil:
    cdef Gradient own = Gradient(NULL, NULL, 0.0, 0.0, 1.0, False, False)
    cdef double[SHORT_ROWS] raised
    cdef double[SHORT_ROWS] tops
    cdef double[SHORT_ROWS] inverses
    cdef double[SHORT_ROWS] rests
    cdef double[SHORT_ROWS] logs
    cdef const char* x = at[0]
    cdef char* y = at[1]
    cdef Py_ssize_t x_step = steps[0], y_step = steps[1], r
    raise_short(like, 1.0, raised)
    if not logs_for(&logarithms, like).shorts(like, x, x_step, SHORT_ROWS, n, NULL, raised, tops, inverses,
                                              rests, logs, INFINITY, x, x_step):
        return False
    for r in range(SHORT_ROWS):
        own.x, own.value, own.rest = x + r * x_step, tops[r], logs[r]
        map_short(minus_log[f32x], y + r * y_step, &own, n)
    return True


cdef bint short_logsumexp_kernel(const real* like, char** at, const Py_ssize_t* steps, Py_ssize_t n,
                                 int manner) noexcept nogil:
    cdef double[SHORT_ROWS] raised
    cdef double[SHORT_ROWS] tops
    cdef double[SHORT_ROWS] inverses
    cdef double[SHORT_ROWS] rests
    cdef double[SHORT_ROWS] logs
    cdef Py_ssize_t r
    raise_short(like, 1.0, raised)
    if not logs_for(&logarithms, like).shorts(like, at[0], steps[0], SHORT_ROWS, n, NULL, raised, tops, inverses,
                                              rests, logs, NEAR, at[0], steps[0]):
        return False
    for r in range(SHORT_ROWS):
        tops[r] += logs[r]
    put_numbers(tops, at[1], steps[1])
    return True


cdef inline void short_softmax_slopes(const real* like, char** at, const Py_ssize_t* steps, Py_ssize_t n,
                                      bint bfloat16) noexcept nogil:
    cdef Gradient own = Gradient(NULL, NULL, 0.0, 0.0, 1.0, False, bfloat16)
    cdef f64x[2 * SHORT_ROWS] parts
    cdef double[SHORT_ROWS] sums
    cdef const char* grad = at[0]
    cdef const char* y = at[1]
    cdef const char* sign = at[2]
    cdef char* grad_x = at[3]
    cdef Py_ssize_t grad_step = steps[0], y_step = steps[1], sign_step = steps[2], out_step = steps[3], r
    if real is f32x:
        # One by one, where that is more work than the totals: a row is read from memory while another is written.
        for r in range(SHORT_ROWS if n >= 32 and not bfloat16 else 0):
            own.grad, own.x = grad + r * grad_step, y + r * y_step
            own.sign = (<const double*>(sign + r * sign_step))[0]
            multiply_short(fold_grad_y, <const float*>own.grad, <const float*>own.x, &own, n, parts)
            own.value = tree(parts, 1, 1)
            map_short(softmax_slope[real], grad_x + r * out_step, &own, n)
        if n >= 32 and not bfloat16:
            return
    for r in range(SHORT_ROWS):
        own.grad, own.x = grad + r * grad_step, y + r * y_step
        if real is f64x:
            add_short(add_grad_y, 1, like, &own, n, parts + r)
        elif bfloat16:
            fold_short(fold_grad_y, 1, &own, n, parts + r)
        else:
            multiply_short(fold_grad_y, <const float*>own.grad, <const float*>own.x, &own, n, parts + r)
    added_totals(like, parts, 1, sums)
    for r in range(SHORT_ROWS):
        own.grad, own.x, own.value = grad + r * grad_step, y + r * y_step, sums[r]
        own.sign = (<const double*>(sign + r * sign_step))[0]
        if real is f32x:
            if bfloat16:
                map_bfloat16(softmax_slope[f32x], <uint16_t*>(grad_x + r * out_step), &own, 0, n)
                continue
        map_short(softmax_slope[real], grad_x + r * out_step, &own, n)


cdef bint short_softmax_backward_kernel(const real* like, char** at, const Py_ssize_t* steps, Py_ssize_t n,
                                        int manner) noexcept nogil:
    if real is f32x:
        if manner & BFLOAT16_ROWS:
            short_softmax_slopes(like, at, steps, any_count(n), True)
            return True
    if n == 8:  # and 16, 32 and 64: lengths whose loops the compiler then lays out
        short_softmax_slopes(like, at, steps, 8, False)
    elif n == 16:
        short_softmax_slopes(like, at, steps, 16, False)
    elif n == 32:
        short_softmax_slopes(like, at, steps, 32, False)
    elif n == 64:
        short_softmax_slopes(like, at, steps, 64, False)
    else:
        short_softmax_slopes(like, at, steps, any_count(n), False)
    return True


cdef inline void put_log_softmax_slopes(const real* like, char** at, const Py_ssize_t* steps, const double* sums,
                                        Py_ssize_t n) noexcept nogil:
    cdef Gradient own = Gradient(NULL, NULL, 0.0, 0.0, 1.0, False, False)
    cdef const char* grad = at[0]
    cdef const char* y = at[1]
    cdef char* grad_x = at[2]
    cdef Py_ssize_t grad_step = steps[0], y_step = steps[1], out_step = steps[2], r
    for r in range(SHORT_ROWS):
        own.grad, own.x, own.value = grad + r * grad_step, y + r * y_step, sums[r]
        map_short(log_softmax_slope[real], grad_x + r * out_step, &own, n)


cdef inline void short_log_softmax_slopes(const real* like, char** at, const Py_ssize_t* steps,
                                          Py_ssize_t n) noexcept nogil:
    cdef f64x[2 * SHORT_ROWS] parts
    cdef double[SHORT_ROWS] sums
    cdef const char* grad = at[0]
    cdef Py_ssize_t grad_step = steps[0], r
    for r in range(SHORT_ROWS):
        add_short(add_element[real], 1, like, grad + r * grad_step, n, parts + r)
    added_totals(like, parts, 1, sums)
    if real is f32x:
        if n < lanes(like):  # asked here, or all constants of an exponential would be read again for each row
            put_log_softmax_slopes(like, at, steps, sums, n)
            return
    put_log_softmax_slopes(like, at, steps, sums, n)


cdef bint short_log_softmax_backward_kernel(const real* like, char** at, const Py_ssize_t* steps, Py_ssize_t n,
                                            int manner) noexcept nogil:
    if real is f32x:
        if n == 16:  # and 32: lengths whose loops the compiler then lays out
            short_log_softmax_slopes(like, at, steps, 16)
            return True
        elif n == 32:
            short_log_softmax_slopes(like, at, steps, 32)
            return True
    short_log_softmax_slopes(like, at, steps, n)
    return True
