# Gradients of groups of channels in float32, of 16-bit elements too where they stand: a few ordinary groups at a time.
# First all their sums are found (norms_segments_sums.pxi) and then all gradients, so that none waits for what follows
# from its own sums. A part of norms.pyx.
#
# In a segment nothing but grad and x varies, so that its gradient takes three operations:
#
#     grad_x = grad * of_grad + (x - mean) * of_x + rest
#     of_grad = weight * rstd, of_x = -grad_normed_mean * rstd^2, rest = -mean_rest * of_x - grad_mean * rstd
#
# These three are found in float64 and rounded once. A group for which they, or the products with them, might leave the
# exponent range is none of these: norms_segments.pxi takes it.

cdef inline f32x gradient_of(Dtype dtype, const void* context, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    cdef const Segment* own = <const Segment*>context
    cdef f32x grad = taken(dtype, False, own, own.grad, i, n), x = taken(dtype, False, own, own.x, i, n)
    return fma(x - own.mean, own.of_x, fma(grad, own.of_grad, own.rest))


cdef inline f32x gradient_float32(const f32x* like, const void* own, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    return gradient_of(FLOAT32, own, i, n)


cdef inline f32x gradient_bfloat16(const f32x* like, const void* own, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    return gradient_of(BFLOAT16, own, i, n)


cdef inline f32x gradient_float16(const f32x* like, const void* own, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    return gradient_of(FLOAT16, own, i, n)


cdef void gradients_of_block(f32x* y, row_context segment, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    cdef Segment own = (<const Segment*>segment)[0]
    if own.dtype == BFLOAT16:
        map_shorts(BFLOAT16, gradient_bfloat16, <uint16_t*>y, &own, start, n)
    elif own.dtype == FLOAT16:
        map_shorts(FLOAT16, gradient_float16, <uint16_t*>y, &own, start, n)
    else:
        map_block(gradient_float32, y, &own, start, n, False)


cdef inline void know_gradients(const Few* few, Py_ssize_t k, Segment* segment) noexcept nogil:
    segment.mean, segment.rest = splat_f32(few.mean[k]), splat_f32(few.rest[k])
    segment.of_x = splat_f32(few.of_x[k])


cdef bint are_between(f64x x, double ends, const double* values, Py_ssize_t count) noexcept nogil:
    # whether the magnitudes of a register's numbers, of which these are the first, are between 1 / ends and ends, or 0
    cdef Py_ssize_t k
    if not all_less_f64(magnitude_f64(x), splat_f64(ends)):
        return False
    if all_less_f64(splat_f64(1.0 / ends), magnitude_f64(x)):
        return True
    for k in range(min(count, <Py_ssize_t>F64_LANES)):
        if values[k] != 0.0 and fabs(values[k]) <= 1.0 / ends:
            return False
    return True


cdef bint settle(const Groups* all, Few* few) noexcept nogil:
    # what gradients need to know of each group, and whether all of it is far from the ends of the exponent range
    cdef double weight, of_normed, of_grads, magnitude, least = 1.0, most = 1.0, ends = ldexp(1.0, 100)
    cdef f64x rstd, of_x, rest, elements = splat_f64(all.size * all.channels)
    cdef const char* weight_at
    cdef const char* normed_at
    cdef const char* grad_at
    cdef Py_ssize_t k, c, of_weight = all.within[4], to_normed = all.within[7], to_grad = all.within[8]
    for k in range(few.count):
        weight_at, normed_at = number_at(all, 2, few.number + k), number_at(all, 6, few.number + k)
        grad_at, of_normed, of_grads = number_at(all, 7, few.number + k), 0.0, 0.0
        for c in range(all.channels):
            weight = (<const double*>weight_at)[0]
            magnitude = fabs(weight)
            most = magnitude if magnitude > most else most
            magnitude = 1.0 if magnitude == 0.0 else magnitude
            least = magnitude if magnitude < least else least
            of_normed += weight * (<const double*>normed_at)[0]
            of_grads += weight * (<const double*>grad_at)[0]
            weight_at += of_weight
            normed_at += to_normed
            grad_at += to_grad
        few.of_normed[k], few.of_grads[k] = of_normed, of_grads
    if not (least > ldexp(1.0, -60) and most < ldexp(1.0, 60)):
        return False
    k = 0
    while k < few.count:
        rstd = load_f64(few.exact_rstd + k)
        of_x = -(load_f64(few.of_normed + k) / elements * rstd * rstd)
        rest = load_f64(few.exact_mean + k) - wide_f32(few.mean + k)
        rest = -(rest * of_x) - load_f64(few.of_grads + k) / elements * rstd
        store_f64(few.of_normed + k, of_x)
        narrow_f64_f32(few.of_x + k, of_x)
        narrow_f64_f32(few.rest + k, rest)
        if not (are_between(of_x, ends, few.of_normed + k, few.count - k)
                and all_less_f64(magnitude_f64(rest), splat_f64(ends))):
            return False
        k += F64_LANES
    return True


cdef inline void short_gradients(Dtype dtype, f32x (*point)(const f32x*, const void*, Py_ssize_t,
                                                            Py_ssize_t) noexcept nogil,
                                 const Groups* all, const Few* few) noexcept nogil:
    cdef Segment own = first_segment(all, few)
    cdef char* y = few.grad_x
    cdef const char* weight
    cdef Py_ssize_t n = all.size, step = n * size_of(dtype), of_weight = all.within[4], k, c
    for k in range(few.count):
        know_gradients(few, k, &own)
        weight = number_at(all, 2, few.number + k)
        for c in range(all.channels):
            own.of_grad = splat_f32(<float>((<const double*>weight)[0] * few.exact_rstd[k]))
            if is_short(dtype):
                map_shorts(dtype, point, <uint16_t*>y, &own, 0, n)
            else:
                map_short(point, y, &own, n)
            own.grad += step
            own.x += step
            y += step
            weight += of_weight


cdef void put_gradients(const Groups* all, const Few* few) noexcept nogil:
    cdef Segment own
    cdef char* y = few.grad_x
    cdef const char* weight
    cdef Py_ssize_t k, c
    if all.size <= SHORT:
        if few.dtype == BFLOAT16:
            short_gradients(BFLOAT16, gradient_bfloat16, all, few)
        elif few.dtype == FLOAT16:
            short_gradients(FLOAT16, gradient_float16, all, few)
        else:
            short_gradients(FLOAT32, gradient_float32, all, few)
        return
    own = first_segment(all, few)
    for k in range(few.count):
        know_gradients(few, k, &own)
        weight = number_at(all, 2, few.number + k)
        for c in range(all.channels):
            own.of_grad = splat_f32(<float>((<const double*>weight)[0] * few.exact_rstd[k]))
            map_row(gradients_of_block, <f32x*>y, &own, all.size, all.threads)
            own.grad += step_of(few, all.size)
            own.x += step_of(few, all.size)
            y += step_of(few, all.size)
            weight += all.within[4]


cdef bint know_few(const Groups* all, Few* few) noexcept nogil:
    # the statistics of groups, and whether all are ordinary
    cdef Py_ssize_t k, group
    for k in range(few.count + SHORT_ROWS - 1 - (few.count - 1) % SHORT_ROWS):
        group = few.number + (k if k < few.count else 0)
        few.exact_mean[k] = (<const double*>number_at(all, 3, group))[0]
        few.exact_rstd[k] = (<const double*>number_at(all, 4, group))[0]
        few.of_normed[k] = few.of_grads[k] = 0.0
    k = 0
    while k < few.count:
        if not narrow_statistics(few.exact_mean + k, few.exact_rstd + k, ldexp(1.0, 40), few.mean + k,
                                 few.mean_rest + k, few.rstd + k):
            return False
        k += SHORT_ROWS
    return True


cdef bint gradients_of_few(const Groups* all, Py_ssize_t number, Py_ssize_t count, float* tiles) noexcept nogil:
    # Whether these groups, from that number on, are ordinary; if not, no gradient of x has been written.
    cdef Few few
    cdef Py_ssize_t n = all.size * all.channels, k
    few.count, few.number, few.dtype = count, number, all.dtype
    few.grad, few.x, few.grad_x = number_at(all, 0, number), number_at(all, 1, number), number_at(all, 5, number)
    if not know_few(all, &few):
        return False
    if tiles != NULL:
        few.dtype, few.grad, few.x, few.grad_x = FLOAT32, <char*>tiles, <char*>(tiles + all.tile), <char*>tiles
        for k in range(count):
            take_channels(<const f32x*>NULL, all, 0, number_at(all, 0, number + k), <f32x*>(tiles + k * n))
            take_channels(<const f32x*>NULL, all, 1, number_at(all, 1, number + k), <f32x*>(tiles + all.tile + k * n))
    find_sums(all, &few)
    if not settle(all, &few):
        return False
    put_gradients(all, &few)
    if tiles != NULL:
        for k in range(count):
            put_channels(<const f32x*>NULL, all, number_at(all, 5, number + k), <const f32x*>(tiles + k * n))
    return True
