# The two sums of each segment of a few groups, in float32 and float64: of grad * normed, and of grad. A segment of up
# to LONGER times FOLDED_PARTS terms is added in float32 throughout, BESIDE segments side by side, and is widened then.
# A longer one is folded as reductions.pxd has it, but with so many terms to a fold. Here is too what both sums and
# gradients know of a segment. A part of norms.pyx.

cdef enum:
    LONGER = 4
    BESIDE = 16  # short segments whose sums are found together: a multiple of every register's numbers

cdef struct Segment:
    Dtype dtype
    const char* grad
    const char* x
    const char* last  # up to where a register of 16-bit elements behind those of x is in the array too
    f32x mean
    f32x mean_rest  # times -rstd
    f32x rstd
    f32x of_grad
    f32x of_x
    f32x rest

cdef struct Few:
    # What is known of a few groups, whose grad, x and grad_x follow each other where they stand or in tiles. Behind
    # them numbers are those of the first, up to whole registers.
    Py_ssize_t count
    Py_ssize_t number  # of the first
    Dtype dtype
    char* grad
    char* x
    char* grad_x
    double exact_mean[MOST_GROUPS]
    double exact_rstd[MOST_GROUPS]
    double of_normed[MOST_GROUPS]  # the sums, each times the weight of its channel; then what makes of_x and rest
    double of_grads[MOST_GROUPS]
    float mean[MOST_GROUPS]
    float mean_rest[MOST_GROUPS]
    float rstd[MOST_GROUPS]
    float of_x[MOST_GROUPS]
    float rest[MOST_GROUPS]


cdef inline f32x taken(Dtype dtype, bint alone, const Segment* segment, const void* x, Py_ssize_t i,
                       Py_ssize_t n) noexcept nogil:
    # n elements; `alone` if 0 is to be in the other lanes. Of 16 bits a whole register is read where the arrays go on.
    cdef f32x found
    if is_short(dtype) and n < F32_LANES and segment.x <= segment.last:
        found = load_short(dtype, <const uint16_t*>x + i)
        return first_lanes(found, n) if alone else found
    return take_of(dtype, <const f32x*>x, i, n)


cdef inline void fold_terms_of(Dtype dtype, const void* context, Py_ssize_t i, Py_ssize_t n,
                               f32x* sums) noexcept nogil:
    # Lanes without an element have a grad of 0 and an x of 0, whose normed is finite.
    cdef const Segment* own = <const Segment*>context
    cdef f32x grad = taken(dtype, True, own, own.grad, i, n), x = taken(dtype, True, own, own.x, i, n)
    sums[1] = sums[1] + grad
    sums[0] = fma(grad, normed_of(x, True, own.mean, own.mean_rest, own.rstd), sums[0])


cdef inline void fold_float32(const f32x* like, const void* own, Py_ssize_t i, Py_ssize_t n,
                              f32x* sums) noexcept nogil:
    fold_terms_of(FLOAT32, own, i, n, sums)


cdef inline void fold_bfloat16(const f32x* like, const void* own, Py_ssize_t i, Py_ssize_t n,
                               f32x* sums) noexcept nogil:
    fold_terms_of(BFLOAT16, own, i, n, sums)


cdef inline void fold_float16(const f32x* like, const void* own, Py_ssize_t i, Py_ssize_t n,
                              f32x* sums) noexcept nogil:
    fold_terms_of(FLOAT16, own, i, n, sums)


cdef inline void fold_longer(void (*fold)(const f32x*, const void*, Py_ssize_t, Py_ssize_t, f32x*) noexcept nogil,
                             const void* segment, Py_ssize_t start, Py_ssize_t n, f64x* sums) noexcept nogil:
    # both sums of a block's terms, folded as in reductions.pxd, but with LONGER times FOLDED_PARTS terms to a fold
    cdef f32x terms[2 * FOLDED_TERMS]
    cdef Py_ssize_t i = start, stop = start + n, end
    cdef int k
    fill(sums, 2 * FOLDED_SUMS, 0.0)
    while i < stop:
        fill(terms, 2 * FOLDED_TERMS, -0.0)
        end = i + LONGER * FOLDED_PARTS
        if end <= stop:
            for k in range(LONGER):
                add_parts(fold, 2, segment, i + k * FOLDED_PARTS, terms)
        else:
            add_float_terms(fold, 2, segment, i, stop, terms)
        end_fold(2, terms, sums)
        i = end


cdef inline Pair fold_block_of(void (*fold)(const f32x*, const void*, Py_ssize_t, Py_ssize_t, f32x*) noexcept nogil,
                               const void* segment, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    cdef f64x sums[2 * FOLDED_SUMS]
    fold_longer(fold, segment, start, n, sums)
    return Pair(tree(sums, FOLDED_SUMS, 2), tree(sums + 1, FOLDED_SUMS, 2))


cdef Pair sums_of_block(const f32x* like, const void* segment, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    cdef Segment own = (<const Segment*>segment)[0]
    if own.dtype == BFLOAT16:
        return fold_block_of(fold_bfloat16, &own, start, n)
    if own.dtype == FLOAT16:
        return fold_block_of(fold_float16, &own, start, n)
    return fold_block_of(fold_float32, &own, start, n)


cdef inline Segment first_segment(const Groups* all, const Few* few) noexcept nogil:
    cdef Segment segment
    segment.dtype, segment.grad, segment.x = few.dtype, few.grad, few.x
    segment.last = all.x_end - (all.size + F32_LANES) * sizeof(uint16_t)
    return segment


cdef inline void know_sums(const Few* few, Py_ssize_t k, Segment* segment) noexcept nogil:
    segment.mean, segment.rstd = splat_f32(few.mean[k]), splat_f32(few.rstd[k])
    segment.mean_rest = splat_f32(few.mean_rest[k])


cdef inline char* number_at(const Groups* all, int operand, Py_ssize_t group) noexcept nogil:
    # where the numbers of a group's channels are
    return all.at[operand] + group * all.steps[operand]


cdef inline Py_ssize_t step_of(const Few* few, Py_ssize_t size) noexcept nogil:
    return size * size_of(few.dtype)


cdef void put_totals(const Groups* all, const Few* few, Py_ssize_t first, Py_ssize_t count, const double* of_normed,
                     const double* of_grad) noexcept nogil:
    # those of so many segments, from one on
    cdef Py_ssize_t group = few.number + first // all.channels, c = first % all.channels, r
    cdef char* normed_at = number_at(all, 6, group) + c * all.within[7]
    cdef char* grad_at = number_at(all, 7, group) + c * all.within[8]
    if all.adjacent:
        memcpy(normed_at, of_normed, count * sizeof(double))
        memcpy(grad_at, of_grad, count * sizeof(double))
        return
    for r in range(count):
        (<double*>normed_at)[0], (<double*>grad_at)[0] = of_normed[r], of_grad[r]
        c += 1
        normed_at += all.within[7]
        grad_at += all.within[8]
        if c == all.channels:
            c, group = 0, group + 1
            normed_at, grad_at = number_at(all, 6, group), number_at(all, 7, group)


cdef inline void totals_of(f32x* parts, double* totals) noexcept nogil:
    # the sums of the lanes of BESIDE registers, by halves
    cdef float found[BESIDE]
    cdef Py_ssize_t first = 0
    while first < BESIDE:
        if F32_LANES >= 16:
            add_halves(parts, 8)
        if F32_LANES >= 8:
            add_halves(parts, 4)
        if F32_LANES >= 4:
            add_halves(parts, 2)
        if F32_LANES >= 2:
            add_halves(parts, 1)
        store_f32(found + first, parts[0])
        parts += F32_LANES
        first += F32_LANES
    first = 0
    while first < BESIDE:
        store_f64(totals + first, wide_f32(found + first))
        first += F64_LANES


# What ends the sums of segments side by side is called, not copied to the loops of each dtype.
ctypedef void (*end_function)(const Groups* all, const Few* few, Py_ssize_t done, Py_ssize_t count,
                              void* parts) noexcept nogil


cdef void end_folded(const Groups* all, const Few* few, Py_ssize_t done, Py_ssize_t count, void* parts) noexcept nogil:
    cdef double[BESIDE] of_normed
    cdef double[BESIDE] of_grad
    totals_of(<f32x*>parts, of_normed)
    totals_of(<f32x*>parts + BESIDE, of_grad)
    put_totals(all, few, done, count, of_normed, of_grad)


cdef void end_short(const Groups* all, const Few* few, Py_ssize_t done, Py_ssize_t count, void* parts) noexcept nogil:
    cdef double[SHORT_ROWS] of_normed
    cdef double[SHORT_ROWS] of_grad
    short_totals(<f64x*>parts, of_normed)
    short_totals(<f64x*>parts + SHORT_ROWS, of_grad)
    put_totals(all, few, done, count, of_normed, of_grad)


cdef inline void folded_sums(Dtype dtype,
                             void (*fold)(const f32x*, const void*, Py_ssize_t, Py_ssize_t, f32x*) noexcept nogil,
                             const Groups* all, const Few* few) noexcept nogil:
    # of segments of one fold: float32 throughout, BESIDE of them side by side
    cdef Segment own = first_segment(all, few)
    cdef f32x[2 * BESIDE] parts
    cdef f32x terms[2 * FOLDED_TERMS]
    cdef Py_ssize_t n = all.size, step = n * size_of(dtype), k, c, filled = 0, done = 0
    cdef int half, j
    for k in range(2 * BESIDE):
        parts[k] = splat_f32(0.0)
    for k in range(few.count):
        know_sums(few, k, &own)
        for c in range(all.channels):
            fill(terms, 2 * FOLDED_TERMS, -0.0)
            add_float_terms(fold, 2, &own, 0, n, terms)
            half = FOLDED_TERMS
            while half > 1:
                for j in range(half):
                    terms[j] = terms[j] + terms[j + half]
                half //= 2
            parts[filled], parts[BESIDE + filled] = terms[0], terms[1]
            own.grad += step
            own.x += step
            filled += 1
            if filled == BESIDE or (k == few.count - 1 and c == all.channels - 1):
                (<end_function>called(<void*>end_folded))(all, few, done, filled, parts)
                done += filled
                filled = 0


cdef inline void short_sums(Dtype dtype,
                            void (*fold)(const f32x*, const void*, Py_ssize_t, Py_ssize_t, f32x*) noexcept nogil,
                            const Groups* all, const Few* few) noexcept nogil:
    # of segments of one block
    cdef Segment own = first_segment(all, few)
    cdef f64x[2 * SHORT_ROWS] parts
    cdef f64x sums[2 * FOLDED_SUMS]
    cdef Py_ssize_t n = all.size, step = n * size_of(dtype), k, c, filled = 0, done = 0
    for k in range(2 * SHORT_ROWS):
        parts[k] = splat_f64(0.0)
    for k in range(few.count):
        know_sums(few, k, &own)
        for c in range(all.channels):
            fold_longer(fold, &own, 0, n, sums)
            parts[filled] = halved(sums, FOLDED_SUMS, 2)
            parts[SHORT_ROWS + filled] = halved(sums + 1, FOLDED_SUMS, 2)
            own.grad += step
            own.x += step
            filled += 1
            if filled == SHORT_ROWS or (k == few.count - 1 and c == all.channels - 1):
                (<end_function>called(<void*>end_short))(all, few, done, filled, parts)
                done += filled
                filled = 0


cdef void find_sums(const Groups* all, const Few* few) noexcept nogil:
    # of each channel of these groups
    cdef Segment own
    cdef Pair sums
    cdef Py_ssize_t k, c
    if all.size <= LONGER * FOLDED_PARTS:
        if few.dtype == BFLOAT16:
            folded_sums(BFLOAT16, fold_bfloat16, all, few)
        elif few.dtype == FLOAT16:
            folded_sums(FLOAT16, fold_float16, all, few)
        else:
            folded_sums(FLOAT32, fold_float32, all, few)
        return
    if all.size <= BLOCK:
        if few.dtype == BFLOAT16:
            short_sums(BFLOAT16, fold_bfloat16, all, few)
        elif few.dtype == FLOAT16:
            short_sums(FLOAT16, fold_float16, all, few)
        else:
            short_sums(FLOAT32, fold_float32, all, few)
        return
    own = first_segment(all, few)
    for k in range(few.count):
        know_sums(few, k, &own)
        for c in range(all.channels):
            sums = sum_row(sums_of_block, <const f32x*>NULL, &own, all.size, all.threads)
            (<double*>(number_at(all, 6, few.number + k) + c * all.within[7]))[0] = sums.first
            (<double*>(number_at(all, 7, few.number + k) + c * all.within[8]))[0] = sums.second
            own.grad += step_of(few, all.size)
            own.x += step_of(few, all.size)
