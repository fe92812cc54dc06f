# Sums of neighbouring rows, a row in each lane: an element of all of them is one register. Their order is that of
# reductions.pxd to the last bit, of rows of up to LONG_COLUMNS elements. No mathematics, no Python.
from ..lanes cimport (
    F64_LANES, f32x, f64x, fma, load_f64, narrow_halves, real, splat_f32, splat_f64, store_f64,
    two_sum, wide_f32, wide_halves_f32,
)
from .dtypes cimport Dtype
from .operations cimport MOST_REGISTERS
from .reductions cimport (
    FOLD, FOLDED_PARTS, MOST_SUMS, PARTS, STRIP, add_exact_parts, add_strip, end_losses, halve_exactly,
)
from .registers cimport PAGE, load
from .tiles cimport own_dtype, widen

cdef extern from *:
    """
    enum { HALVES = F32_LANES / F64_LANES };
    """
    const int HALVES  # registers of float64 for the lanes of one of float32

cdef enum:
    MOST_LANES = 32  # registers of float64 for MOST_REGISTERS of float32
    MOST_HALVES = 2
    MOST_ROWS = 256  # lanes of MOST_REGISTERS of the widest register
    APART = 8  # FOLDED_PARTS / 2: so far apart stand the terms that meet in float32
    MEETING = 16  # PARTS / 2: and the partial sums in float64 that meet
    COLUMN_BYTES = 16384  # half of what the smallest of today's first-level caches holds

# A term is a function of a context and of which element it is of; it adds the term of each lane to a register for each
# sum. Totals are float64: a register for each half of the lanes, and then those of the next sum. Sums that are whole
# numbers, the last `whole` ones, are exact in any order.


cdef inline bint collides(Py_ssize_t stride, Py_ssize_t n) noexcept nogil:
    # whether so few sets of the first-level cache hold the lines of a column that it would not keep them
    return n * min(stride & -stride, <Py_ssize_t>PAGE) > COLUMN_BYTES


cdef inline int halves(const real* like) noexcept nogil:
    return HALVES if real is f32x else 1


cdef inline f64x widened(const float* x, int half) noexcept nogil:
    # half of the lanes of a register in memory, as float64
    return wide_f32(x + half * F64_LANES)


cdef inline void wide_halves(real x, f64x* wide) noexcept nogil:
    # all lanes as float64
    if real is f32x:
        wide_halves_f32(x, wide)
    else:
        wide[0] = x


cdef inline real narrowed(const real* like, const f64x* wide) noexcept nogil:
    # and back, each rounded once
    if real is f32x:
        return narrow_halves(wide)
    else:
        return wide[0]


cdef inline real narrowed_parts(const real* like, const f64x* wide, real* rest) noexcept nogil:
    # the same, and their rounding errors
    cdef f64x lost[MOST_HALVES]
    cdef real value = narrowed(like, wide)
    cdef int half
    wide_halves(value, lost)
    for half in range(halves(like)):
        lost[half] = wide[half] - lost[half]
    rest[0] = narrowed(like, lost)
    return value


cdef inline void halve(real* sums, Py_ssize_t parts, Py_ssize_t most, Py_ssize_t width) noexcept nogil:
    # `halved` of `most` partial sums of `width` registers each. Only the first `parts` of them have an element.
    cdef Py_ssize_t k
    cdef const real* second
    while most > 1:
        if parts == most == APART:  # in registers: what has just been written is read slowly
            for k in range(width):
                sums[k] = ((sums[k] + sums[k + 4 * width]) + (sums[k + 2 * width] + sums[k + 6 * width])) + (
                    (sums[k + width] + sums[k + 5 * width]) + (sums[k + 3 * width] + sums[k + 7 * width]))
            return
        most = most // 2
        second = sums + most * width
        for k in range((parts - most) * width):
            sums[k] = sums[k] + second[k]
        parts = min(parts, most)


cdef inline void end_exactly(f64x* sums, f64x* losses, Py_ssize_t width) noexcept nogil:
    # `halve` of APART partial sums, with the rounding errors
    cdef Py_ssize_t k
    halve_exactly(sums, losses, APART, width)
    for k in range(width):
        sums[k] = end_losses(sums[k], losses[k])


cdef inline f64x end_first(const f64x* sums, Py_ssize_t width, Py_ssize_t parts) noexcept nogil:
    # The same of one strip, `width` registers from one partial sum to the next: none has a rounding error yet. Only the
    # first `parts` of them have an element, and to add 0 to the others changes nothing.
    cdef f64x own[4]
    cdef f64x losses[4]
    cdef int k
    for k in range(4):
        if k < parts:
            own[k], losses[k] = sums[k * width], splat_f64(0.0)
        if k + 4 < parts:
            own[k] = two_sum(own[k], sums[(k + 4) * width], &losses[k])
    for k in range(2):
        if k + 2 < parts:
            own[k] = add_exact_parts(own[k], losses[k], own[k + 2], losses[k + 2], &losses[k])
    if parts > 1:
        own[0] = add_exact_parts(own[0], losses[0], own[1], losses[1], &losses[0])
    return end_losses(own[0], losses[0])


cdef inline void add_widened(f32x x, f64x* sums, bint first) noexcept nogil:
    # each half of the lanes to its sum, or to 0, which makes a 0 of either sign 0
    cdef f64x wide[MOST_HALVES]
    cdef int half
    wide_halves(x, wide)
    for half in range(HALVES):
        sums[half] = (splat_f64(0.0) if first else sums[half]) + wide[half]


cdef inline void fold_columns(void (*add)(const f32x*, const void*, Py_ssize_t, f32x*) noexcept nogil, int count,
                              int whole, const void* context, Py_ssize_t n, f64x* totals) noexcept nogil:
    # fold_terms of each lane
    cdef f32x terms[2 * MOST_SUMS]
    cdef f64x sums[MOST_SUMS * APART * MOST_HALVES]
    cdef Py_ssize_t i, first, k, parts = min(n, <Py_ssize_t>APART)
    cdef int j, half, split = count - whole, width = split * HALVES
    for j in range(2 * count):
        terms[j] = splat_f32(0.0)
    first = 0
    while first < n:
        for k in range(min(parts, n - first)):
            for j in range(split):
                terms[j] = terms[count + j] = splat_f32(-0.0)
            for half in range(2):
                i = first + k + half * FOLDED_PARTS
                if i < n:
                    add(NULL, context, i, terms)
                if i + APART < n:
                    add(NULL, context, i + APART, terms + count)
            for j in range(split):
                add_widened(terms[j] + terms[count + j], sums + k * width + j * HALVES, first == 0)
        first += 2 * FOLDED_PARTS
    halve(sums, parts, APART, width)
    for k in range(width):
        totals[k] = sums[k]
    for j in range(split, count):
        wide_halves(terms[j] + terms[count + j], totals + j * HALVES)


cdef inline void fold_products(const char* x, Py_ssize_t x_apart, const char* y, Py_ssize_t y_apart, Py_ssize_t left,
                               f64x* wide) noexcept nogil:
    # one to four products of each lane that meet in float32, APART elements from one another, of `left` that there are
    cdef f32x product = load(<const f32x*>x) * load(<const f32x*>y), other
    if left > 2:
        product = fma(load(<const f32x*>(x + 2 * x_apart)), load(<const f32x*>(y + 2 * y_apart)), product)
    if left > 1:
        other = load(<const f32x*>(x + x_apart)) * load(<const f32x*>(y + y_apart))
        if left > 3:
            other = fma(load(<const f32x*>(x + 3 * x_apart)), load(<const f32x*>(y + 3 * y_apart)), other)
        product = product + other
    wide_halves(product, wide)


cdef inline void meeting_products(const char* x, Py_ssize_t x_stride, const char* y, Py_ssize_t y_stride,
                                  Py_ssize_t left, Py_ssize_t half_left, f64x* wide) noexcept nogil:
    # one partial sum of each lane, or where `half_left` is not 0 two that meet
    cdef f64x other[MOST_HALVES]
    cdef Py_ssize_t half_way = APART // 2
    cdef int half
    fold_products(x, APART * x_stride, y, APART * y_stride, left, wide)
    if half_left > 0:
        fold_products(x + half_way * x_stride, APART * x_stride, y + half_way * y_stride, APART * y_stride, half_left,
                      other)
        for half in range(HALVES):
            wide[half] = wide[half] + other[half]


cdef inline void add_folded_products(const char* x, Py_ssize_t x_stride, const char* y, Py_ssize_t y_stride,
                                     int registers, Py_ssize_t left, Py_ssize_t half_left, f64x* sums,
                                     bint first) noexcept nogil:
    # meeting_products of all registers
    cdef f64x wide[MOST_HALVES]
    cdef int r, half
    for r in range(registers):
        meeting_products(x, x_stride, y, y_stride, left, half_left, wide)
        for half in range(HALVES):
            sums[r * HALVES + half] = wide[half] if first else sums[r * HALVES + half] + wide[half]
        x += sizeof(f32x)
        y += sizeof(f32x)


cdef inline void add_half_of_products(const char* x, Py_ssize_t x_stride, const char* y, Py_ssize_t y_stride,
                                      int registers, Py_ssize_t n, f64x* totals, bint first) noexcept nogil:
    # every second of the partial sums of n terms, more than APART and at most three times as many
    cdef f64x wide[MOST_HALVES]
    cdef f64x other[MOST_HALVES]
    cdef Py_ssize_t k = 2, half_way = APART // 2
    cdef int r, half
    for r in range(registers):
        meeting_products(x, x_stride, y, y_stride, (n + APART - 1) // APART, (n - half_way + APART - 1) // APART, wide)
        meeting_products(x + k * x_stride, x_stride, y + k * y_stride, y_stride, (n - k + APART - 1) // APART,
                         (n - k - half_way + APART - 1) // APART, other)
        for half in range(HALVES):
            wide[half] = wide[half] + other[half]
            if not first:  # a sum of -0 alone is 0
                wide[half] = splat_f64(0.0) + (totals[r * HALVES + half] + wide[half])
            totals[r * HALVES + half] = wide[half]
        x += sizeof(f32x)
        y += sizeof(f32x)


cdef inline real term_at(Dtype dtype, const real* like, const char* x, Py_ssize_t x_stride, const char* y,
                         Py_ssize_t y_stride, Py_ssize_t i) noexcept nogil:
    # element i of x, or its product with that of y, where there is one
    cdef real term = widen(dtype, like, x + i * x_stride)
    return term if y == NULL else term * widen(dtype, like, y + i * y_stride)


cdef inline void wide_term(Dtype dtype, const real* like, const char* x, Py_ssize_t x_stride, const char* y,
                           Py_ssize_t y_stride, Py_ssize_t i, f64x* wide) noexcept nogil:
    wide_halves(term_at(dtype, like, x, x_stride, y, y_stride, i), wide)


cdef inline void partial_sum(const real* like, const char* x, Py_ssize_t x_stride, const char* y, Py_ssize_t y_stride,
                             Py_ssize_t i, Py_ssize_t n, f64x* sum) noexcept nogil:
    # terms i, i + PARTS, ...
    cdef f64x wide[MOST_HALVES]
    cdef int half
    wide_term(own_dtype(like), like, x, x_stride, y, y_stride, i, sum)
    i += PARTS
    while i < n:
        wide_term(own_dtype(like), like, x, x_stride, y, y_stride, i, wide)
        for half in range(halves(like)):
            sum[half] = sum[half] + wide[half]
        i += PARTS


cdef inline void two_of_sum(const real* like, const char* x, Py_ssize_t x_stride, const char* y, Py_ssize_t y_stride,
                            Py_ssize_t i, Py_ssize_t n, f64x* sum) noexcept nogil:
    # partial sum i, and that which meets it first where there are so many
    cdef f64x other[MOST_HALVES]
    cdef int half
    partial_sum(like, x, x_stride, y, y_stride, i, n, sum)
    if i + PARTS // 2 < n:
        partial_sum(like, x, x_stride, y, y_stride, i + PARTS // 2, n, other)
        for half in range(halves(like)):
            sum[half] = sum[half] + other[half]


cdef inline void four_of_sum(const real* like, const char* x, Py_ssize_t x_stride, const char* y, Py_ssize_t y_stride,
                             Py_ssize_t i, Py_ssize_t n, f64x* sum) noexcept nogil:
    cdef f64x other[MOST_HALVES]
    cdef int half
    two_of_sum(like, x, x_stride, y, y_stride, i, n, sum)
    if i + PARTS // 4 < n:
        two_of_sum(like, x, x_stride, y, y_stride, i + PARTS // 4, n, other)
        for half in range(halves(like)):
            sum[half] = sum[half] + other[half]


cdef inline void quarter_of_sum(const real* like, const char* x, Py_ssize_t x_stride, const char* y,
                                Py_ssize_t y_stride, Py_ssize_t i, Py_ssize_t n, f64x* sum) noexcept nogil:
    cdef f64x other[MOST_HALVES]
    cdef int half
    four_of_sum(like, x, x_stride, y, y_stride, i, n, sum)
    if i + PARTS // 8 < n:
        four_of_sum(like, x, x_stride, y, y_stride, i + PARTS // 8, n, other)
        for half in range(halves(like)):
            sum[half] = sum[half] + other[half]


cdef inline void meeting_terms(Dtype dtype, const char* x, Py_ssize_t x_stride, const char* y, Py_ssize_t y_stride,
                               Py_ssize_t i, Py_ssize_t n, f64x* sum) noexcept nogil:
    # of up to APART terms, i and that which it meets first
    cdef f64x other[MOST_HALVES]
    cdef int half
    wide_term(dtype, <const f32x*>NULL, x, x_stride, y, y_stride, i, sum)
    if i + 4 < n:
        wide_term(dtype, <const f32x*>NULL, x, x_stride, y, y_stride, i + 4, other)
        for half in range(HALVES):
            sum[half] = sum[half] + other[half]


cdef inline void add_few_terms(Dtype dtype, const char* x, Py_ssize_t x_stride, const char* y, Py_ssize_t y_stride,
                               Py_ssize_t n, f64x* totals) noexcept nogil:
    # sum_column_terms of up to APART elements of a dtype that is computed in float32, in registers; a sum of -0 is -0
    cdef f64x second[MOST_HALVES]
    cdef f64x other[MOST_HALVES]
    cdef int half
    meeting_terms(dtype, x, x_stride, y, y_stride, 0, n, totals)
    if n > 2:
        meeting_terms(dtype, x, x_stride, y, y_stride, 2, n, other)
        for half in range(HALVES):
            totals[half] = totals[half] + other[half]
    if n > 1:
        meeting_terms(dtype, x, x_stride, y, y_stride, 1, n, second)
        if n > 3:
            meeting_terms(dtype, x, x_stride, y, y_stride, 3, n, other)
            for half in range(HALVES):
                second[half] = second[half] + other[half]
        for half in range(HALVES):
            totals[half] = totals[half] + second[half]


cdef inline f32x few_sum(Dtype dtype, const char* x, Py_ssize_t x_stride, const char* y, Py_ssize_t y_stride,
                         Py_ssize_t n) noexcept nogil:
    # the same, rounded to float32. A sum of two float32 is rounded the same whether or not it is float64 first.
    cdef f64x totals[MOST_HALVES]
    cdef f32x sum
    if n > 2:
        add_few_terms(dtype, x, x_stride, y, y_stride, n, totals)
        sum = narrowed(&sum, totals)
    else:
        sum = term_at(dtype, &sum, x, x_stride, y, y_stride, 0)
        if n > 1:
            sum = sum + term_at(dtype, &sum, x, x_stride, y, y_stride, 1)
    return splat_f32(0.0) + sum  # a sum of -0 alone is 0


cdef inline void sum_column_terms(const real* like, const char* x, Py_ssize_t x_stride, const char* y,
                                  Py_ssize_t y_stride, Py_ssize_t n, f64x* totals) noexcept nogil:
    # sums of x, or of x y, of a register of rows, in float64 and in the order of sum_terms
    cdef f64x sums[APART]
    cdef ColumnTerms terms
    cdef Py_ssize_t i
    cdef int half, count = halves(like)
    if real is f64x:
        if n > STRIP:
            terms = ColumnTerms(x, y, x_stride, y_stride)
            add_columns(add_column_term, 1, 0, True, &terms, n, totals)
            return
        if n <= APART:  # in registers
            for i in range(APART):
                if i < n:
                    wide_term(own_dtype(like), like, x, x_stride, y, y_stride, i, sums + i)
        else:
            for i in range(APART):
                four_of_sum(like, x, x_stride, y, y_stride, i, n, sums + i)
        totals[0] = end_first(sums, 1, min(n, <Py_ssize_t>APART))
        return
    if n <= APART:  # in registers
        for i in range(4):
            if i < n:
                quarter_of_sum(like, x, x_stride, y, y_stride, i, n, sums + i * MOST_HALVES)
    else:
        for i in range(min(n, <Py_ssize_t>4)):
            quarter_of_sum(like, x, x_stride, y, y_stride, i, n, sums + i * MOST_HALVES)
    for half in range(count):
        if n > 2:
            sums[half] = sums[half] + sums[2 * MOST_HALVES + half]
        if n > 3:
            sums[MOST_HALVES + half] = sums[MOST_HALVES + half] + sums[3 * MOST_HALVES + half]
        if n > 1:
            sums[half] = sums[half] + sums[MOST_HALVES + half]
        totals[half] = splat_f64(0.0) + sums[half]  # a sum of -0 alone is 0


cdef inline void add_column_products(const char* x, Py_ssize_t x_stride, const char* y, Py_ssize_t y_stride,
                                     int registers, Py_ssize_t n, f64x* totals) noexcept nogil:
    # sum_column_terms of x y of some registers of float64, where an element of all is read before the next, for they
    # are neighbours in memory
    cdef f64x sums[APART * MOST_REGISTERS]
    cdef Py_ssize_t i
    cdef int r
    if n <= APART or n > STRIP:
        for r in range(registers):
            sum_column_terms(<const f64x*>NULL, x + r * sizeof(f64x), x_stride, y + r * sizeof(f64x), y_stride, n,
                             totals + r)
        return
    for i in range(APART):
        for r in range(registers):
            four_of_sum(<const f64x*>NULL, x + r * sizeof(f64x), x_stride, y + r * sizeof(f64x), y_stride, i, n,
                        sums + i * registers + r)
    for r in range(registers):
        totals[r] = end_first(sums + r, registers, APART)


cdef inline void fold_column_products(const char* x, Py_ssize_t x_stride, const char* y, Py_ssize_t y_stride,
                                      int registers, Py_ssize_t n, bint kept, f64x* totals) noexcept nogil:
    # fold_columns of x y, where an element of all registers is read before the next, for they are neighbours in memory.
    # Of up to 3 APART elements, partial sums meet as soon as there are two that do, or four if the first-level cache
    # keeps so many columns: of more, so many would be read at once that they drove each other from the caches. few_sum
    # has those of up to APART elements, of which no products meet in float32.
    cdef f64x sums[APART * MOST_HALVES * MOST_REGISTERS]
    cdef Py_ssize_t i, k, left, first = 0, half_way = APART // 2
    cdef int width = registers * HALVES
    if n <= 3 * APART and kept:
        add_half_of_products(x, x_stride, y, y_stride, registers, n, totals, True)
        add_half_of_products(x + x_stride, x_stride, y + y_stride, y_stride, registers, n - 1, totals, False)
        return
    if n <= 3 * APART:
        for i in range(half_way):
            k = i // 2 + i % 2 * 2  # 0, 2, 1, 3, as they meet
            add_folded_products(x + k * x_stride, x_stride, y + k * y_stride, y_stride, registers,
                                (n - k + APART - 1) // APART, (n - k - half_way + APART - 1) // APART,
                                sums + i // 2 * width, i % 2 == 0)
        for k in range(width):
            totals[k] = splat_f64(0.0) + (sums[k] + sums[width + k])  # a sum of -0 alone is 0
        return
    while first < n:
        for k in range(min(<Py_ssize_t>APART, n - first)):
            left = (n - first - k + APART - 1) // APART
            if left >= 4:
                add_folded_products(x, x_stride, y, y_stride, registers, 4, 0, sums + k * width, first == 0)
            elif left == 1:
                add_folded_products(x, x_stride, y, y_stride, registers, 1, 0, sums + k * width, first == 0)
            else:
                add_folded_products(x, x_stride, y, y_stride, registers, left, 0, sums + k * width, first == 0)
            x += x_stride
            y += y_stride
        x += (FOLD * FOLDED_PARTS - APART) * x_stride
        y += (FOLD * FOLDED_PARTS - APART) * y_stride
        first += FOLD * FOLDED_PARTS
    halve(sums, APART, APART, width)
    for k in range(width):
        totals[k] = splat_f64(0.0) + sums[k]


cdef inline void add_columns(void (*add)(const f64x*, const void*, Py_ssize_t, f64x*) noexcept nogil, int count,
                             int whole, bint strips, const void* context, Py_ssize_t n, f64x* totals) noexcept nogil:
    # sum_terms of each lane, by strips as of float64 rows; of the partial sums the two that meet are added at once
    cdef f64x sums[MOST_SUMS * MEETING]
    cdef f64x all[MOST_SUMS * APART]
    cdef f64x losses[MOST_SUMS * APART]
    cdef f64x own[MOST_SUMS]
    cdef f64x first[MOST_SUMS]
    cdef Py_ssize_t i, k, start = 0, size, parts
    cdef int j, split = count - whole
    for j in range(count):
        own[j] = splat_f64(0.0)
    for k in range(split * APART if strips and n > STRIP else 0):
        all[k] = losses[k] = splat_f64(0.0)
    while True:
        size = min(n - start, <Py_ssize_t>STRIP) if strips else n
        parts = min(size, <Py_ssize_t>MEETING)
        for k in range(parts):
            for j in range(split):
                own[j] = first[j] = splat_f64(0.0)
            i = k
            while i < size:
                add(NULL, context, start + i, own)
                i += PARTS
                if i >= size and i % PARTS == k:  # the other one is next
                    i = k + MEETING
                    for j in range(split):
                        first[j], own[j] = own[j], splat_f64(0.0)
            for j in range(split):
                sums[k * split + j] = first[j] + own[j]
        if not strips:
            halve(sums, parts, MEETING, split)
            break
        for k in range((parts - APART) * split):
            sums[k] = sums[k] + sums[APART * split + k]
        if size == n:
            for j in range(split):
                all[j] = end_first(sums + j, split, min(parts, <Py_ssize_t>APART))
            break
        add_strip(all, losses, sums, <int>min(parts, <Py_ssize_t>APART) * split)
        start += size
        if start >= n:
            end_exactly(all, losses, split)
            break
    for j in range(split):
        totals[j] = all[j] if strips else sums[j]
    for j in range(split, count):
        totals[j] = own[j]


cdef struct ColumnTerms:
    # of sum_column_terms
    const char* x
    const char* y
    Py_ssize_t x_stride
    Py_ssize_t y_stride


cdef inline void add_column_term(const f64x* like, const void* context, Py_ssize_t i, f64x* sums) noexcept nogil:
    cdef const ColumnTerms* own = <const ColumnTerms*>context
    cdef f64x term[1]
    wide_term(own_dtype(like), like, own.x, own.x_stride, own.y, own.y_stride, i, term)
    sums[0] = sums[0] + term[0]


cdef inline f64x wide_at(const real* like, const char* x, int half) noexcept nogil:
    # a register of rows, or half of its lanes, in float64
    if real is f32x:
        return widened(<const float*>x, half)
    else:
        return load_f64(<const double*>x)


cdef inline void sum_column_elements(const real* like, const char* x, Py_ssize_t stride, int registers, Py_ssize_t n,
                                     f64x* totals) noexcept nogil:
    # the sums of rows themselves, of all registers
    cdef int r
    for r in range(registers):
        sum_column_terms(like, x + r * sizeof(real), stride, NULL, 0, n, totals + r * halves(like))


cdef inline void sum_columns(void (*folded)(const f32x*, const void*, Py_ssize_t, f32x*) noexcept nogil,
                             void (*added)(const f64x*, const void*, Py_ssize_t, f64x*) noexcept nogil, int count,
                             int whole, const real* like, const void* context, Py_ssize_t n,
                             f64x* totals) noexcept nogil:
    # folded sums where rows are float32, else in float64: `count` of them
    if real is f32x:
        fold_columns(folded, count, whole, context, n, totals)
    else:
        add_columns(added, count, whole, True, context, n, totals)


cdef inline void take_column_numbers(const char* at, Py_ssize_t step, int count, f64x* values) noexcept nogil:
    # one float64 of each row
    cdef double numbers[MOST_ROWS]
    cdef int k
    cdef const double* own = <const double*>at
    if step == 0:
        for k in range(count):
            values[k] = splat_f64(own[0])
        return
    if step != sizeof(double):
        own = numbers
        for k in range(count * F64_LANES):
            numbers[k] = (<const double*>(at + k * step))[0]
    for k in range(count):
        values[k] = load_f64(own + k * F64_LANES)


cdef inline void put_column_numbers(const f64x* values, int count, char* at, Py_ssize_t step) noexcept nogil:
    cdef double numbers[MOST_ROWS]
    cdef int k
    cdef double* own = <double*>at if step == sizeof(double) else numbers
    for k in range(count):
        store_f64(own + k * F64_LANES, values[k])
    for k in range(0 if step == sizeof(double) else count * F64_LANES):
        (<double*>(at + k * step))[0] = numbers[k]
