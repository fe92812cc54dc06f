# Neighbouring rows, a row in each lane, for the same bits. A part of softmax.pyx, which has the kernels of one row at a
# time.

cdef enum:
    MEDIUM = 24  # elements of a row, up to which RUN bytes of each are found in the first-level cache again
    RUN = 1024


cdef inline bint past_caches(int manner, const void* x, const void* other, const void* y,
                             Py_ssize_t step) noexcept nogil:
    # whether results go to memory: whole lines of the cache, unless they stand in the place of inputs, as tiles do too
    return manner & FROM_MEMORY and y != x and y != other and (<Py_ssize_t>y | step) % LINE == 0


cdef inline void put_column(bint streamed, real* y, real value) noexcept nogil:
    if streamed:
        stream(y, value)
    else:
        store(y, value)


cdef bint softmax_of_columns(const real* like, const char* x, Py_ssize_t stride, char* y, Py_ssize_t step, Py_ssize_t n,
                             int registers, bint negative, const f64x* given) noexcept nogil:
    # softmax(x), or softmax(-x), times the scale of each row where scales are given. It is called, since no loop over
    # elements asks which of these it is.
    cdef double[SHORT_TILE] tile
    cdef Columns columns, own
    cdef f64x scales[MOST_LANES]
    cdef real value, rest, p
    cdef char* place
    cdef Py_ssize_t i
    cdef int k
    columns = columns_of(like, x, stride, tile, 1.0)
    if given != NULL and not set_scales(like, &columns, given, registers * halves(like)):
        return False
    if negative:  # exponentials take the place of their exponents
        for k in range(registers):
            for i in range(n):
                store(<real*>skip(<const real*>tile, (k * n + i) * lanes(like)),
                      -load(<const real*>(x + k * sizeof(real) + i * stride)))
        columns.x, columns.stride, columns.apart = <const char*>tile, sizeof(real), n * sizeof(real)
    if not column_softmax(like, &columns, registers, n, scales):
        return False
    for k in range(registers):
        value = narrowed_parts(like, scales + k * halves(like), &rest)
        set_register(like, &columns, k, n, &own)
        place = y + k * sizeof(real)
        for i in range(n):
            p = load(skip(<const real*>own.y, i * lanes(like)))
            store(<real*>place, fma(p, value, p * rest))
            place += step
    return True


cdef bint softmax_columns(const real* like, char** at, const Py_ssize_t* steps, const Py_ssize_t* strides, Py_ssize_t n,
                          int registers, int manner) noexcept nogil:
    return softmax_of_columns(like, at[0], strides[0], at[1], strides[1], n, registers, False, NULL)


cdef bint softmin_columns(const real* like, char** at, const Py_ssize_t* steps, const Py_ssize_t* strides, Py_ssize_t n,
                          int registers, int manner) noexcept nogil:
    return softmax_of_columns(like, at[0], strides[0], at[1], strides[1], n, registers, True, NULL)


cdef bint safe_softmax_columns(const real* like, char** at, const Py_ssize_t* steps, const Py_ssize_t* strides,
                               Py_ssize_t n, int registers, int manner) noexcept nogil:
    # rows with a finite number, to which nothing has to be done
    cdef f64x scales[MOST_LANES]
    take_column_numbers(at[2], steps[2], registers * halves(like), scales)
    return softmax_of_columns(like, at[0], strides[0], at[3], strides[3], n, registers,
                              (<const double*>at[1])[0] < 0.0, scales)


cdef bint scaled_softmax_columns(const real* like, char** at, const Py_ssize_t* steps, const Py_ssize_t* strides,
                                 Py_ssize_t n, int registers, int manner) noexcept nogil:
    cdef f64x scales[MOST_LANES]
    take_column_numbers(at[1], steps[1], registers * halves(like), scales)
    return softmax_of_columns(like, at[0], strides[0], at[2], strides[2], n, registers, False, scales)


cdef inline void put_columns_minus_log(bint streamed, const char* x, Py_ssize_t stride, char* y, Py_ssize_t step,
                                       const real* top, const real* log, int registers, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t _i
    cdef int k
    for _i in range(n):
        for k in range(registers):
            put_column(streamed, <real*>(y + k * sizeof(real)),
                       (load(<const real*>(x + k * sizeof(real))) - top[k]) - log[k])
        x, y = x + stride, y + step
    if streamed:
        end_stream()


cdef bint log_softmax_columns(const real* like, char** at, const Py_ssize_t* steps, const Py_ssize_t* strides,
                              Py_ssize_t n, int registers, int manner) noexcept nogil:
    cdef Columns own = columns_of(like, at[0], strides[0], NULL, 1.0)
    cdef f64x tops[MOST_LANES]
    cdef f64x inverses[MOST_LANES]
    cdef f64x rests[MOST_LANES]
    cdef f64x logs[MOST_LANES]
    cdef f32x equal[MOST_REGISTERS]
    cdef f32x found[MOST_REGISTERS * FOUND]
    cdef real top[MOST_REGISTERS]
    cdef real log[MOST_REGISTERS]
    cdef Gradient row = Gradient(NULL, NULL, 0.0, 0.0, 1.0, False, False)
    cdef Py_ssize_t i
    cdef int k
    own.ahead = registers * sizeof(real)
    if real is f32x and n <= FEW:
        if real is f32x:
            if not few_columns(&own, registers, n, True, top, equal, found):
                return False
            for k in range(registers):
                log[k] = found[k * FOUND + LOG] + found[k * FOUND + LOG_LOW]
    else:
        if not logs_for(&logarithms, like).columns(like, &own, registers, n, tops, inverses, rests, logs, INFINITY,
                                                   True):
            return False
        for k in range(registers):
            top[k], log[k] = narrowed(like, tops + k * halves(like)), narrowed(like, logs + k * halves(like))
    if manner & ROW_BY_ROW:
        for i in range(registers * lanes(like)):
            row.x, row.value, row.rest = at[2] + i * steps[2], element(top, i), element(log, i)
            map_short(minus_log[real], <real*>(at[1] + i * steps[1]), &row, n)
        return True
    if past_caches(manner, at[0], at[0], at[1], strides[1]):
        put_columns_minus_log(True, at[0], strides[0], at[1], strides[1], top, log, registers, n)
    else:
        put_columns_minus_log(False, at[0], strides[0], at[1], strides[1], top, log, registers, n)
    return True


cdef bint logsumexp_columns(const real* like, char** at, const Py_ssize_t* steps, const Py_ssize_t* strides,
                            Py_ssize_t n, int registers, int manner) noexcept nogil:
    cdef Columns own = columns_of(like, at[0], strides[0], NULL, 1.0)
    cdef f64x tops[MOST_LANES]
    cdef f64x inverses[MOST_LANES]
    cdef f64x rests[MOST_LANES]
    cdef f64x logs[MOST_LANES]
    cdef int k
    if not logs_for(&logarithms, like).columns(like, &own, registers, n, tops, inverses, rests, logs, NEAR, True):
        return False
    for k in range(registers * halves(like)):
        logs[k] = tops[k] + logs[k]
    put_column_numbers(logs, registers * halves(like), at[1], steps[1])
    return True


cdef inline real slope_of(bint logged, real grad, real y, real sum, real sign) noexcept nogil:
    # of softmax, or if `logged` of log_softmax, whose sums are negative
    return fma(exp(y), sum, grad) if logged else y * ((grad - sum) * sign)


cdef inline void put_slopes(bint logged, bint streamed, const char* grad, Py_ssize_t grad_stride, const char* y,
                            Py_ssize_t y_stride, char* found, Py_ssize_t stride, const real* sum, real sign,
                            int registers, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t _i, place, ahead = registers * sizeof(real)
    cdef int k
    for _i in range(n):
        for k in range(registers):
            place = k * sizeof(real)
            if streamed:  # the next rows are read meanwhile
                prefetch(<uintptr_t>grad + ahead + place)
                prefetch(<uintptr_t>y + ahead + place)
            put_column(streamed, <real*>(found + place), slope_of(
                logged, load(<const real*>(grad + place)), load(<const real*>(y + place)), sum[k], sign))
        grad, y, found = grad + grad_stride, y + y_stride, found + stride
    if streamed:
        end_stream()


cdef inline f32x narrow_slope(Dtype dtype, bint logged, const char* grad, const char* y, f32x sum,
                              f32x sign) noexcept nogil:
    return slope_of(logged, widen(dtype, &sum, grad), widen(dtype, &sum, y), sum, sign)


cdef inline void put_narrow_slopes(Dtype dtype, bint logged, char** at, const Py_ssize_t* strides, int result,
                                   f32x sign, int registers, Py_ssize_t n) noexcept nogil:
    # sums and results of rows of up to APART elements of 16 bits, where they stand
    cdef f32x sum[MOST_REGISTERS]
    cdef Py_ssize_t _i, place, width = F32_LANES * size_of(dtype)
    cdef Py_ssize_t grad_stride = strides[0], y_stride = strides[1], stride = strides[result]
    cdef const char* grad
    cdef const char* y
    cdef char* found
    cdef int k, some, first = 0
    while first < registers:
        some = min(registers - first, <int>MOST_REGISTERS)
        grad, y, found = at[0] + first * width, at[1] + first * width, at[result] + first * width
        for k in range(some):
            place = k * width
            sum[k] = few_sum(dtype, grad + place, grad_stride, NULL if logged else y + place, y_stride, n)
            if logged:
                sum[k] = -sum[k]
        for _i in range(n):
            k = 0
            while k + 2 <= some:
                place = k * width
                narrow_pair(dtype, found + place,
                            narrow_slope(dtype, logged, grad + place, y + place, sum[k], sign),
                            narrow_slope(dtype, logged, grad + place + width, y + place + width, sum[k + 1], sign))
                k += 2
            if k < some:
                place = k * width
                narrow(dtype, found + place, narrow_slope(dtype, logged, grad + place, y + place, sum[k], sign))
            grad, y, found = grad + grad_stride, y + y_stride, found + stride
        first += some


cdef inline bint has_put_narrow(bint logged, char** at, const Py_ssize_t* strides, int result, f32x sign,
                                int registers, Py_ssize_t n, int manner) noexcept nogil:
    # put_narrow_slopes of the dtype that stands there, if one does
    if manner & BFLOAT16_ROWS:
        put_narrow_slopes(BFLOAT16, logged, at, strides, result, sign, registers, n)
    elif manner & FLOAT16_ROWS:
        put_narrow_slopes(FLOAT16, logged, at, strides, result, sign, registers, n)
    return manner & (BFLOAT16_ROWS | FLOAT16_ROWS) != 0


cdef bint softmax_backward_columns(const real* like, char** at, const Py_ssize_t* steps, const Py_ssize_t* strides,
                                   Py_ssize_t n, int registers, int manner) noexcept nogil:
    cdef f64x sums[MOST_LANES]
    cdef real sum[WIDE]
    cdef real sign
    cdef Py_ssize_t place, grad_stride = strides[0], y_stride = strides[1], stride = strides[3]
    cdef const char* grad = at[0]
    cdef const char* y = at[1]
    cdef char* found = at[3]
    cdef int k, count, first = 0, done = 0, most = registers
    cdef bint apart, kept
    if steps[2] != 0:
        return False
    sign = splat(sign, (<const double*>at[2])[0])
    if real is f32x:
        if has_put_narrow(False, at, strides, 3, sign, registers, n, manner):
            return True
    # columns at distances of pages meet in the first-level cache, and those of y meet them too unless it stands apart
    apart = RUN <= (<uintptr_t>grad - <uintptr_t>y) % PAGE <= PAGE - RUN
    kept = n <= MEDIUM and not collides(grad_stride, n // 3 if apart else n)
    if kept and not manner & FROM_MEMORY:
        most = RUN // sizeof(real)
    while first < registers:
        count, place = min(registers - first, <int>MOST_REGISTERS), first * sizeof(real)
        if real is f32x:
            if n <= APART:
                for k in range(count):
                    sum[first + k] = few_sum(FLOAT32, grad + place + k * sizeof(real), grad_stride,
                                             y + place + k * sizeof(real), y_stride, n)
            else:
                fold_column_products(grad + place, grad_stride, y + place, y_stride, count, n, kept, sums)
        else:
            add_column_products(grad + place, grad_stride, y + place, y_stride, count, n, sums)
        for k in range(0 if real is f32x and n <= APART else count):
            sum[first + k] = narrowed(like, sums + k * halves(like))
        first += count
        if first < registers and first - done < most:
            continue
        place = done * sizeof(real)
        if past_caches(manner, grad, y, found, stride):
            put_slopes(False, True, grad + place, grad_stride, y + place, y_stride, found + place, stride, sum + done,
                       sign, first - done, n)
        else:
            put_slopes(False, False, grad + place, grad_stride, y + place, y_stride, found + place, stride,
                       sum + done, sign, first - done, n)
        done = first
    return True


cdef bint log_softmax_backward_columns(const real* like, char** at, const Py_ssize_t* steps, const Py_ssize_t* strides,
                                       Py_ssize_t n, int registers, int manner) noexcept nogil:
    cdef f64x total[MOST_HALVES]
    cdef real sum[WIDE]
    cdef Py_ssize_t grad_stride = strides[0], y_stride = strides[1], stride = strides[2]
    cdef const char* grad = at[0]
    cdef const char* y = at[1]
    cdef char* found = at[2]
    cdef int k
    if real is f32x:
        if has_put_narrow(True, at, strides, 2, sum[0], registers, n, manner):
            return True
    for k in range(registers):
        sum_column_terms(like, grad + k * sizeof(real), grad_stride, NULL, 0, n, total)
        sum[k] = -narrowed(like, total)
    if past_caches(manner, grad, y, found, stride):
        put_slopes(True, True, grad, grad_stride, y, y_stride, found, stride, sum, sum[0], registers, n)
    else:
        put_slopes(True, False, grad, grad_stride, y, y_stride, found, stride, sum, sum[0], registers, n)
    return True
