# Sums and maps along a row, in one place: the order of every sum is fixed here. No mathematics, no Python.
#
# A row is cut into blocks of BLOCK elements, whose sums are added in order. In a block, a sum of float64 rows
# (sum_terms) takes STRIP terms at a time, and adds by halves those that stand 32, then 16, then 8 apart. The eight sums
# of each strip are added to those of the strips before. The rounding errors of these additions are kept, as are those
# of making the eight sums one, and of adding the blocks: additions of equal numbers all round the same way, and
# thousands of tiny terms are lost beside a large one. So a term meets three additions that round. Zeros behind a row
# change no bit of its sum. Of float32 rows, a sum in float64 throughout adds element i to partial sum i % 32, where
# nothing that is lost shows. A folded sum of float32 terms (fold_terms) takes 32 terms at a time:
# in float32 it adds the two that stand 16 apart, then the first eight of these 16 sums to the last eight, and then adds
# those eight to partial sums in float64. So a term meets two additions in float32, and the small terms beside a large
# one lose no more than its last place, whatever their number; where terms of four registers meet, it is four additions
# and twice its last place (add_long_folds), for half the work of folding, which is half of that of a sum. In the end
# the partial sums are added by halves, or, where rounding errors are kept, one after the other. The result depends
# neither on the number of lanes nor on the number of threads.
from libc.math cimport INFINITY, fabs
from libc.stdint cimport uint16_t, uintptr_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

from ..lanes cimport (
    F32_LANES, F64_LANES, add_product_f64, any_count, at_least, called, copy_part_u16, end_stream, f32x, f64x,
    first_lanes_f32, first_lanes_f64, fold_products_f32, load_bfloat16, load_f64, load_float16, load_part_f64,
    magnitude_f64, narrow_f64_f32, real, splat, splat_f32, splat_f64, store_bfloat16, store_bfloat16_pair, store_f32,
    store_f64, store_float16, sum_f64, two_sum, where_less, wide_f32, wide_part_f32, wide_sum_f32,
)
from .dtypes cimport BFLOAT16, FLOAT32, Dtype, is_short
from .registers cimport (
    LINE, ends_lines, head, itemsize, lanes, load, load_part, skip, store, store_part, stream, zip_high, zip_low,
)
from .threads cimport run_chunks

cdef extern from *:
    """
    enum { SUMS = 32 / F64_LANES, FOLDED_SUMS = 8 / F64_LANES, FOLDED_TERMS = 16 / F32_LANES };
    """
    const int SUMS  # registers that hold a block's partial sums
    const int FOLDED_SUMS  # and those of a folded sum
    const int FOLDED_TERMS

cdef enum:
    PARTS = 32
    STRIP = 64  # 2 PARTS: terms of float64 rows that are added by halves
    FOLDED_PARTS = 16
    FOLD = 2
    LONG_FOLD = 4
    MOST_SUMS = 4
    BLOCK = 4096

cdef struct Pair:
    double first
    double second

cdef extern from *:
    # What a term or a point has to know of its row: a struct of its family. A block that writes takes it by this type,
    # which says that nothing it writes is in there. Without that, constants would be read again after every store.
    # A block that adds, or that may write past the caches, copies its struct instead, since this type does not help
    # there: log_softmax_backward would take 1.14 times the instructions, normalize_backward of short rows 1.04 times.
    # One copy for all structs, by memcpy in map_block, would stay in memory, and cost 20 instructions for every row.
    ctypedef const void* row_context "const void* CYTHON_RESTRICT"

# A block of a row, summed or mapped: called once for thousands of elements.
ctypedef Pair (*sum_function)(const void* like, const void* context, Py_ssize_t start, Py_ssize_t n) noexcept nogil
ctypedef void (*map_function)(void* y, row_context context, Py_ssize_t start, Py_ssize_t n) noexcept nogil

# A term or a point is a function of a row's context and of the elements i to i + n of the row. `like` is a pointer
# whose type gives the precision; it points nowhere.


cdef inline f64x wide(const real* x, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    # n <= F64_LANES elements from the i-th on, as float64, 0 in the other lanes
    if real is f32x:
        if n == F64_LANES:
            return wide_f32(<const float*>x + i)
        return wide_part_f32(<const float*>x + i, n)
    else:
        if n == F64_LANES:
            return load_f64(<const double*>x + i)
        return load_part_f64(<const double*>x + i, n)


cdef inline void put_wide(real* y, Py_ssize_t i, Py_ssize_t n, f64x x) noexcept nogil:
    # the first n <= F64_LANES lanes of float64 to the elements from the i-th on, each rounded once
    cdef double values[F64_LANES]
    cdef Py_ssize_t k
    if n < F64_LANES:
        store_f64(values, x)
        for k in range(n):
            put_element(y, i + k, values[k])
    elif real is f32x:
        narrow_f64_f32(<float*>y + i, x)
    else:
        store_f64(<double*>y + i, x)


cdef inline real take(const real* x, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    # n <= lanes elements from the i-th on, 0 in the other lanes
    if n == lanes(x):
        return load(skip(x, i))
    return load_part(skip(x, i), n)


cdef inline f32x load_short(Dtype dtype, const uint16_t* x) noexcept nogil:
    return load_bfloat16(x) if dtype == BFLOAT16 else load_float16(x)


cdef inline real take_of(Dtype dtype, const real* x, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    # the same, of a row that may be of 16-bit elements
    cdef uint16_t part[F32_LANES]
    cdef const uint16_t* source
    if real is f32x:
        if is_short(dtype):
            source = <const uint16_t*>x + i
            if n < F32_LANES:
                copy_part_u16(part, source, n)
                source = part
            return load_short(dtype, source)
    return take(x, i, n)


cdef inline real take_either(bint bfloat16, const real* x, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    # the same, of a row that may be of bfloat16
    return take_of(BFLOAT16 if bfloat16 else FLOAT32, x, i, n)


cdef inline double element(const real* x, Py_ssize_t i) noexcept nogil:
    if real is f32x:
        return (<const float*>x)[i]
    else:
        return (<const double*>x)[i]


cdef inline void put_element(real* y, Py_ssize_t i, double value) noexcept nogil:
    if real is f32x:
        (<float*>y)[i] = <float>value
    else:
        (<double*>y)[i] = value


cdef inline double rounded(const real* like, double value) noexcept nogil:
    # to the row's precision
    if real is f32x:
        return <float>value
    else:
        return value


cdef inline real first_lanes(real x, Py_ssize_t n) noexcept nogil:
    # x in the first n lanes, 0 in the others: a term must add nothing where there is no element
    if real is f32x:
        return x if n == F32_LANES else first_lanes_f32(x, n)
    else:
        return x if n == F64_LANES else first_lanes_f64(x, n)


cdef inline f64x halved(f64x* sums, int count, int apart) noexcept nogil:
    # the first half of the partial sums plus the second, and so on as long as there are two registers
    cdef int k
    if count == 2:
        return sums[0] + sums[apart]
    count = count // 2
    while count > 0:
        for k in range(count):
            sums[k * apart] = sums[k * apart] + sums[(k + count) * apart]
        count = count // 2
    return sums[0]


cdef inline double tree(f64x* sums, int count, int apart) noexcept nogil:
    # and the halves of the last one
    return sum_f64(halved(sums, count, apart))


cdef inline double largest_lane(real x) noexcept nogil:
    # by halves, interleaved with each other, where a NaN may be passed over
    cdef real values[1]
    cdef int count = <int>lanes(<const real*>values) // 2
    while count > 0:
        x = at_least(zip_low(x, x), zip_high(x, x))
        count = count // 2
    store(values, x)
    return element(<const real*>values, 0)


cdef inline Py_ssize_t rest_of_strips(Py_ssize_t n) noexcept nogil:
    # how many terms the last strip has
    return n if n <= STRIP else (n - 1) % STRIP + 1


cdef inline void halve_strip(f64x* sums, int count) noexcept nogil:
    # SUMS registers of each sum to FOLDED_SUMS: `halved` of both halves twice
    cdef int k, part = FOLDED_SUMS * count
    for k in range(part):
        sums[k] = plus(sums[k], sums[k + 2 * part]) + plus(sums[k + part], sums[k + 3 * part])


cdef inline f64x plus(f64x a, f64x b) noexcept nogil:
    # a + b, where the pipes that only add are busier than those that multiply
    return add_product_f64(a, splat_f64(1.0), b)


cdef inline void add_strip(f64x* sums, f64x* losses, const f64x* strip, int count) noexcept nogil:
    # so many registers of a strip's sums, and the rounding errors
    cdef f64x lost
    cdef int k
    for k in range(count):
        sums[k] = two_sum(sums[k], strip[k], &lost)
        losses[k] = plus(losses[k], lost)


ctypedef double (*total_function)(const f64x* part) noexcept nogil


cdef inline double exact_total(const f64x* part) noexcept nogil:
    # of a register of partial sums and one of their rounding errors, by halves, where errors are kept too
    cdef Pair parts[F64_LANES]
    cdef double values[2 * F64_LANES]
    cdef int k, half = F64_LANES
    store_f64(values, part[0])
    store_f64(values + F64_LANES, part[1])
    for k in range(F64_LANES):
        parts[k] = Pair(values[k], values[F64_LANES + k])
    while half > 1:
        half = half // 2
        for k in range(half):
            parts[k] = add_compensated(parts[k], 0, parts[k + half], 0)
    return with_losses(parts[0].first, parts[0].second)


cdef inline double last_total(const real* like, f64x part, f64x lost) noexcept nogil:
    # of what last_part gives
    cdef f64x both[2]
    if real is f32x:
        return sum_f64(part)
    else:
        both[0], both[1] = part, lost
        return (<total_function>called(<void*>exact_total))(both)


cdef inline double total_of(const real* like, f64x* sums, const f64x* losses, int apart) noexcept nogil:
    # of what add_terms gives for one of its sums
    cdef f64x lost, part = last_part(like, sums, losses, apart, &lost)
    return last_total(like, part, lost)


cdef inline f64x add_exact_parts(f64x a, f64x a_lost, f64x b, f64x b_lost, f64x* lost) noexcept nogil:
    # two partial sums, and the rounding errors of both and of this addition
    cdef f64x error, sum = two_sum(a, b, &error)
    lost[0] = (a_lost + b_lost) + error
    return sum


cdef inline void halve_exactly(f64x* sums, f64x* losses, Py_ssize_t parts, Py_ssize_t width) noexcept nogil:
    # so many partial sums, a power of two, to one by halves, with the rounding errors
    cdef Py_ssize_t k, half = parts // 2 * width
    while half >= width:
        for k in range(half):
            sums[k] = add_exact_parts(sums[k], losses[k], sums[k + half], losses[k + half], &losses[k])
        half = half // 2


cdef inline f64x last_part(const real* like, f64x* sums, const f64x* losses, int apart, f64x* lost) noexcept nogil:
    # the last register of those; and of its rounding errors
    cdef f64x own[FOLDED_SUMS]
    cdef f64x errors[FOLDED_SUMS]
    cdef int k
    lost[0] = splat_f64(0.0)
    if real is f32x:
        return halved(sums, SUMS, apart)
    else:
        for k in range(FOLDED_SUMS):
            own[k], errors[k] = sums[k * apart], losses[k * apart]
        halve_exactly(own, errors, FOLDED_SUMS, 1)
        lost[0] = errors[0]
        return own[0]


cdef inline f64x end_losses(f64x sum, f64x losses) noexcept nogil:
    # with_losses of each lane
    return where_less(magnitude_f64(losses), splat_f64(INFINITY), sum + losses, sum)


cdef inline void add_terms(
        void (*add)(const real*, const void*, Py_ssize_t, Py_ssize_t, f64x*) noexcept nogil, int count,
        const real* like, const void* context, Py_ssize_t start, Py_ssize_t n, f64x* sums,
        f64x* losses) noexcept nogil:
    # the partial sums of one block's terms: SUMS registers of each, or of float64 FOLDED_SUMS and their rounding errors
    cdef f64x totals[MOST_SUMS * FOLDED_SUMS]
    cdef Py_ssize_t rest = rest_of_strips(n)
    cdef int k
    if real is f32x:
        add_plain_terms(add, count, like, context, start, n, sums)
    else:
        fill(totals, count * FOLDED_SUMS, 0.0)
        fill(losses, count * FOLDED_SUMS, 0.0)
        if n > rest:
            add_strips(add, count, like, context, start, start + n - rest, totals, losses)
        add_plain_terms(add, count, like, context, start + n - rest, rest, sums)
        halve_strip(sums, count)
        if n > rest:
            add_strip(totals, losses, sums, count * FOLDED_SUMS)
            for k in range(count * FOLDED_SUMS):
                sums[k] = totals[k]


cdef inline void add_strips(
        void (*add)(const real*, const void*, Py_ssize_t, Py_ssize_t, f64x*) noexcept nogil, int count,
        const real* like, const void* context, Py_ssize_t i, Py_ssize_t stop, f64x* sums,
        f64x* losses) noexcept nogil:
    # whole strips
    cdef int k
    while i < stop:
        add_part_of_strip(add, count, like, context, i, sums, losses)
        if FOLDED_SUMS > 1:
            add_part_of_strip(add, count, like, context, i + F64_LANES, sums + count, losses + count)
        for k in range(2, FOLDED_SUMS):
            add_part_of_strip(add, count, like, context, i + k * F64_LANES, sums + k * count, losses + k * count)
        i += STRIP


cdef inline void add_part_of_strip(
        void (*add)(const real*, const void*, Py_ssize_t, Py_ssize_t, f64x*) noexcept nogil, int count,
        const real* like, const void* context, Py_ssize_t i, f64x* sums, f64x* losses) noexcept nogil:
    # one of FOLDED_SUMS registers, as halves are added: first the terms that stand PARTS apart
    cdef f64x terms[3 * MOST_SUMS]
    cdef f64x* second = terms + count
    cdef f64x* third = second + count
    add_two(add, count, like, context, i, terms)
    add_two(add, count, like, context, i + PARTS // 2, second)
    halve_part(terms, second, count)
    add_two(add, count, like, context, i + PARTS // 4, second)
    add_two(add, count, like, context, i + PARTS // 4 + PARTS // 2, third)
    halve_part(second, third, count)
    halve_part(terms, second, count)
    add_strip(sums, losses, terms, count)


cdef inline void halve_part(f64x* sums, const f64x* others, int count) noexcept nogil:
    cdef int k
    for k in range(count):
        sums[k] = plus(sums[k], others[k])


cdef inline void add_two(
        void (*add)(const real*, const void*, Py_ssize_t, Py_ssize_t, f64x*) noexcept nogil, int count,
        const real* like, const void* context, Py_ssize_t i, f64x* sums) noexcept nogil:
    # to add a number to -0 is nothing to do, which the compiler knows
    fill(sums, count, -0.0)
    add(like, context, i, F64_LANES, sums)
    add(like, context, i + PARTS, F64_LANES, sums)


cdef inline void add_plain_terms(
        void (*add)(const real*, const void*, Py_ssize_t, Py_ssize_t, f64x*) noexcept nogil, int count,
        const real* like, const void* context, Py_ssize_t start, Py_ssize_t n, f64x* sums) noexcept nogil:
    # PARTS partial sums, whose terms are added one after the other
    cdef int k
    for k in range(count * SUMS):
        sums[k] = splat_f64(0.0)
    add_more_terms(add, count, like, context, start, n, sums)


cdef inline void add_more_terms(
        void (*add)(const real*, const void*, Py_ssize_t, Py_ssize_t, f64x*) noexcept nogil, int count,
        const real* like, const void* context, Py_ssize_t start, Py_ssize_t n, f64x* sums) noexcept nogil:
    # to partial sums that there are; `add` adds F64_LANES terms to a register of each
    cdef Py_ssize_t i = start, left, stop = start + n
    cdef int k
    while i + PARTS <= stop:
        for k in range(SUMS):
            add(like, context, i + k * F64_LANES, F64_LANES, &sums[k * count])
        i += PARTS
    for k in range(SUMS):
        left = stop - i - k * F64_LANES
        if left > 0:
            add(like, context, i + k * F64_LANES, min(left, <Py_ssize_t>F64_LANES), &sums[k * count])


cdef inline void sum_long_terms(
        void (*add)(const real*, const void*, Py_ssize_t, Py_ssize_t, f64x*) noexcept nogil, int count,
        const real* like, const void* context, Py_ssize_t start, Py_ssize_t n, double* totals) noexcept nogil:
    # sum_terms where `add` is many instructions, or rare: they stand there twice, and the sums in memory
    cdef f64x sums[MOST_SUMS * SUMS]
    cdef f64x losses[MOST_SUMS * FOLDED_SUMS]
    cdef int k
    add_long_terms(add, count, like, context, start, n, sums, losses)
    for k in range(count):
        totals[k] = total_of(like, sums + k, losses + k, count)


cdef inline void add_long_terms(
        void (*add)(const real*, const void*, Py_ssize_t, Py_ssize_t, f64x*) noexcept nogil, int count,
        const real* like, const void* context, Py_ssize_t start, Py_ssize_t n, f64x* sums,
        f64x* losses) noexcept nogil:
    # add_terms
    cdef f64x strip[MOST_SUMS * SUMS]
    cdef Py_ssize_t rest = n % STRIP, i = start, stop = start + n - rest
    cdef int k
    if real is f32x:
        add_long_plain_terms(add, count, like, context, start, n, sums)
    else:
        fill(sums, count * FOLDED_SUMS, 0.0)
        fill(losses, count * FOLDED_SUMS, 0.0)
        while i < stop:
            for k in range(any_count(SUMS)):
                add_two(add, count, like, context, i + k * F64_LANES, strip + k * count)
            halve_strip(strip, count)
            add_strip(sums, losses, strip, count * FOLDED_SUMS)
            i += STRIP
        if rest > 0:
            add_long_plain_terms(add, count, like, context, stop, rest, strip)
            halve_strip(strip, count)
            add_strip(sums, losses, strip, count * FOLDED_SUMS)


cdef inline void add_long_plain_terms(
        void (*add)(const real*, const void*, Py_ssize_t, Py_ssize_t, f64x*) noexcept nogil, int count,
        const real* like, const void* context, Py_ssize_t start, Py_ssize_t n, f64x* sums) noexcept nogil:
    # add_plain_terms
    cdef Py_ssize_t i = start, stop = start + n
    cdef int k
    for k in range(any_count(count * SUMS)):
        sums[k] = splat_f64(0.0)
    while i + PARTS <= stop:
        for k in range(any_count(SUMS)):
            add(like, context, i + k * F64_LANES, F64_LANES, sums + k * count)
        i += PARTS
    k = 0
    while i < stop:
        add(like, context, i, min(stop - i, <Py_ssize_t>F64_LANES), sums + k * count)
        i += F64_LANES
        k += 1


cdef inline void sum_terms(
        void (*add)(const real*, const void*, Py_ssize_t, Py_ssize_t, f64x*) noexcept nogil, int count,
        const real* like, const void* context, Py_ssize_t start, Py_ssize_t n, double* totals) noexcept nogil:
    # up to MOST_SUMS sums of one block's terms
    cdef f64x sums[MOST_SUMS * SUMS]
    cdef f64x losses[MOST_SUMS * FOLDED_SUMS]
    cdef int k
    add_terms(add, count, like, context, start, n, sums, losses)
    for k in range(count):
        totals[k] = total_of(like, sums + k, losses + k, count)


cdef inline Pair sum_long_block(
        void (*add)(const real*, const void*, Py_ssize_t, Py_ssize_t, f64x*) noexcept nogil, int count,
        const real* like, const void* context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    # sum_block of those
    cdef double totals[MOST_SUMS]
    totals[1] = 0.0
    sum_long_terms(add, count, like, context, start, n, totals)
    return Pair(totals[0], totals[1])


cdef inline double with_losses(double sum, double losses) noexcept nogil:
    # a sum and the rounding errors of its additions, which are NaN where it is infinite
    return sum + losses if fabs(losses) < INFINITY else sum


cdef inline Pair add_compensated(Pair a, Py_ssize_t a_size, Pair b, Py_ssize_t b_size) noexcept nogil:
    # The sum of two pairs, each a sum and the rounding errors of its additions (Knuth's two_sum). Sizes are not needed.
    cdef double sum = a.first + b.first
    cdef double part = sum - a.first
    return Pair(sum, (a.second + b.second) + ((a.first - (sum - part)) + (b.first - part)))


cdef inline void add_both(Pair part, Pair* first, Pair* second) noexcept nogil:
    # each of two sums to its own, which has the rounding errors
    first[0] = add_compensated(first[0], 0, Pair(part.first, 0.0), 0)
    second[0] = add_compensated(second[0], 0, Pair(part.second, 0.0), 0)


cdef inline Pair both_with_losses(Pair first, Pair second) noexcept nogil:
    return Pair(with_losses(first.first, first.second), with_losses(second.first, second.second))


cdef inline Pair compensated_block(
        void (*add)(const f64x*, const void*, Py_ssize_t, Py_ssize_t, f64x*) noexcept nogil,
        const void* context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    # the sum of one block's terms and the rounding errors of its additions, which `add` keeps apart
    cdef f64x sums[2 * SUMS]
    cdef double values[PARTS]
    cdef double losses[PARTS]
    cdef Pair total
    cdef int k
    add_plain_terms(add, 2, <const f64x*>NULL, context, start, n, sums)
    for k in range(SUMS):
        store_f64(values + k * F64_LANES, sums[2 * k])
        store_f64(losses + k * F64_LANES, sums[2 * k + 1])
    total = Pair(values[0], losses[0])
    for k in range(1, PARTS):
        total = add_compensated(total, 0, Pair(values[k], losses[k]), 0)
    return total


cdef inline Pair sum_block(
        void (*add)(const real*, const void*, Py_ssize_t, Py_ssize_t, f64x*) noexcept nogil, int count,
        const real* like, const void* context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    # one sum or two
    cdef double totals[MOST_SUMS]
    totals[1] = 0.0
    sum_terms(add, count, like, context, start, n, totals)
    return Pair(totals[0], totals[1])


# A folded sum has few registers where these are wide. They are then named one by one, since the compiler keeps an array
# in registers only if no loop has an index into it.

cdef inline void fill(real* x, int count, double value) noexcept nogil:
    cdef int k
    if count > 6:
        for k in range(count):
            x[k] = splat(x[k], value)
        return
    if count == 0:
        return
    x[0] = splat(x[0], value)
    if count > 1:
        x[1] = x[0]
    if count > 2:
        x[2] = x[0]
    if count > 3:
        x[3] = x[0]
    if count > 4:
        x[4] = x[0]
    if count > 5:
        x[5] = x[0]


cdef inline void add_parts(
        void (*add)(const f32x*, const void*, Py_ssize_t, Py_ssize_t, f32x*) noexcept nogil, int count,
        const void* context, Py_ssize_t i, f32x* terms) noexcept nogil:
    # FOLDED_PARTS terms, one to each partial sum
    cdef int k
    if FOLDED_TERMS > 2:
        for k in range(FOLDED_TERMS):
            add(NULL, context, i + k * F32_LANES, F32_LANES, &terms[k * count])
        return
    add(NULL, context, i, F32_LANES, terms)
    if FOLDED_TERMS == 2:
        add(NULL, context, i + F32_LANES, F32_LANES, terms + count)


cdef inline void add_float_terms(
        void (*add)(const f32x*, const void*, Py_ssize_t, Py_ssize_t, f32x*) noexcept nogil, int count,
        const void* context, Py_ssize_t i, Py_ssize_t stop, f32x* terms) noexcept nogil:
    # each to its partial sum, one after the other
    cdef Py_ssize_t left
    cdef int k
    while i + FOLDED_PARTS <= stop:
        add_parts(add, count, context, i, terms)
        i += FOLDED_PARTS
    left = stop - i
    if FOLDED_TERMS > 2:
        for k in range(FOLDED_TERMS):
            left = stop - i - k * F32_LANES
            if left > 0:
                add(NULL, context, i + k * F32_LANES, min(left, <Py_ssize_t>F32_LANES), &terms[k * count])
    elif FOLDED_TERMS == 2 and left > F32_LANES:
        add(NULL, context, i, F32_LANES, terms)
        add(NULL, context, i + F32_LANES, left - F32_LANES, terms + count)
    elif left > 0:
        add(NULL, context, i, left, terms)


cdef inline void begin_fold(int count, f32x* terms) noexcept nogil:
    # to add a number to -0 is nothing to do, which the compiler knows
    fill(terms, count * FOLDED_TERMS // 2, -0.0)
    fill(terms + count * FOLDED_TERMS // 2, count * FOLDED_TERMS - count * FOLDED_TERMS // 2, -0.0)


cdef inline void add_fold(
        void (*add)(const f32x*, const void*, Py_ssize_t, Py_ssize_t, f32x*) noexcept nogil, int count,
        const void* context, Py_ssize_t i, f64x* sums) noexcept nogil:
    # FOLD * FOLDED_PARTS terms. To add a number to -0 is nothing to do, which the compiler knows.
    cdef f32x terms[MOST_SUMS * FOLDED_TERMS]
    fill(terms, count * FOLDED_TERMS, -0.0)
    add_parts(add, count, context, i, terms)
    add_parts(add, count, context, i + FOLDED_PARTS, terms)
    end_fold(count, terms, sums)


cdef inline void add_folds(
        void (*add)(const f32x*, const void*, Py_ssize_t, Py_ssize_t, f32x*) noexcept nogil, int count,
        const void* context, Py_ssize_t i, Py_ssize_t stop, f64x* sums) noexcept nogil:
    # the terms i to stop
    cdef f32x terms[MOST_SUMS * FOLDED_TERMS]
    while i + 2 * FOLD * FOLDED_PARTS <= stop:
        add_fold(add, count, context, i, sums)
        add_fold(add, count, context, i + FOLD * FOLDED_PARTS, sums)
        i += 2 * FOLD * FOLDED_PARTS
    if i + FOLD * FOLDED_PARTS <= stop:
        add_fold(add, count, context, i, sums)
        i += FOLD * FOLDED_PARTS
    if i < stop:
        fill(terms, count * FOLDED_TERMS, -0.0)
        add_float_terms(add, count, context, i, stop, terms)
        end_fold(count, terms, sums)


cdef inline void add_long_folds(
        void (*add)(const f32x*, const void*, Py_ssize_t, Py_ssize_t, f32x*) noexcept nogil, int count,
        const void* context, Py_ssize_t i, Py_ssize_t stop, f64x* sums) noexcept nogil:
    # the terms i to stop, LONG_FOLD * FOLDED_PARTS at a time
    cdef f32x terms[MOST_SUMS * FOLDED_TERMS]
    while i + LONG_FOLD * FOLDED_PARTS <= stop:
        begin_fold(count, terms)
        add_parts(add, count, context, i, terms)
        add_parts(add, count, context, i + FOLDED_PARTS, terms)
        add_parts(add, count, context, i + 2 * FOLDED_PARTS, terms)
        add_parts(add, count, context, i + 3 * FOLDED_PARTS, terms)
        end_fold(count, terms, sums)
        i += LONG_FOLD * FOLDED_PARTS
    if i < stop:
        begin_fold(count, terms)
        if i + FOLD * FOLDED_PARTS <= stop:
            add_parts(add, count, context, i, terms)
            add_parts(add, count, context, i + FOLDED_PARTS, terms)
            i += FOLD * FOLDED_PARTS
        add_float_terms(add, count, context, i, stop, terms)
        end_fold(count, terms, sums)


cdef inline void add_products(
        void (*add)(const f32x*, const void*, Py_ssize_t, Py_ssize_t, f32x*) noexcept nogil,
        const float* x, const float* y, const void* context, Py_ssize_t start, Py_ssize_t stop,
        f64x* sums) noexcept nogil:
    # add_folds where term i of `add` is x[i] y[i]
    cdef Py_ssize_t i = start
    while i + FOLD * FOLDED_PARTS <= stop:
        fold_products_f32(x + i, y + i, sums)
        i += FOLD * FOLDED_PARTS
    if i < stop:
        add_folds(add, 1, context, i, stop, sums)


cdef inline void end_one(int count, f32x* terms, f64x* sums) noexcept nogil:
    # the first of `count` sums
    cdef float folded[FOLDED_PARTS]
    cdef f64x both
    cdef int k
    if FOLDED_TERMS == 2:
        store_f32(folded, terms[0] + terms[count])
        sums[0] = sums[0] + wide_f32(folded)
        sums[count] = sums[count] + wide_f32(folded + F64_LANES)
        return
    for k in range(FOLDED_TERMS // 2):  # the halves are registers, but for the widest
        terms[k * count] = terms[k * count] + terms[(k + FOLDED_TERMS // 2) * count]
    for k in range(max(1, FOLDED_TERMS // 2)):
        store_f32(folded + k * F32_LANES, terms[k * count])
    for k in range(FOLDED_SUMS):
        if FOLDED_TERMS > 1:
            sums[k * count] = sums[k * count] + wide_f32(folded + k * F64_LANES)
            continue
        both = wide_sum_f32(folded + k * F64_LANES, folded + FOLDED_PARTS // 2 + k * F64_LANES)
        if count > 1:  # times 1, where the pipes that only add and convert are busier than those that multiply
            sums[k * count] = add_product_f64(both, splat_f64(1.0), sums[k * count])
        else:
            sums[k * count] = sums[k * count] + both


cdef inline void end_fold(int count, f32x* terms, f64x* sums) noexcept nogil:
    end_one(count, terms, sums)
    if count > 1:
        end_one(count, terms + 1, sums + 1)
    if count > 2:
        end_one(count, terms + 2, sums + 2)
    if count > 3:
        end_one(count, terms + 3, sums + 3)


cdef inline void fold_terms(
        void (*add)(const f32x*, const void*, Py_ssize_t, Py_ssize_t, f32x*) noexcept nogil, int count,
        const void* context, Py_ssize_t start, Py_ssize_t n, double* totals) noexcept nogil:
    # sum_terms of float32; `add` adds F32_LANES terms
    cdef f64x sums[MOST_SUMS * FOLDED_SUMS]
    fill(sums, count * FOLDED_SUMS, 0.0)
    add_folds(add, count, context, start, start + n, sums)
    totals[0] = tree(sums, FOLDED_SUMS, count)
    if count > 1:
        totals[1] = tree(sums + 1, FOLDED_SUMS, count)
    if count > 2:
        totals[2] = tree(sums + 2, FOLDED_SUMS, count)


cdef inline Pair fold_block(
        void (*add)(const f32x*, const void*, Py_ssize_t, Py_ssize_t, f32x*) noexcept nogil, int count,
        const void* context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    cdef double totals[MOST_SUMS]
    totals[1] = 0.0
    fold_terms(add, count, context, start, n, totals)
    return Pair(totals[0], totals[1])


cdef inline void long_fold_terms(
        void (*add)(const f32x*, const void*, Py_ssize_t, Py_ssize_t, f32x*) noexcept nogil, int count,
        const void* context, Py_ssize_t start, Py_ssize_t n, double* totals) noexcept nogil:
    # fold_terms by long folds, of up to four sums
    cdef f64x sums[MOST_SUMS * FOLDED_SUMS]
    cdef int k
    fill(sums, count * FOLDED_SUMS // 2, 0.0)
    fill(sums + count * FOLDED_SUMS // 2, count * FOLDED_SUMS - count * FOLDED_SUMS // 2, 0.0)
    add_long_folds(add, count, context, start, start + n, sums)
    for k in range(count):
        totals[k] = tree(sums + k, FOLDED_SUMS, count)


cdef inline Pair long_fold_block(
        void (*add)(const f32x*, const void*, Py_ssize_t, Py_ssize_t, f32x*) noexcept nogil, int count,
        const void* context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    cdef double totals[MOST_SUMS]
    totals[1] = 0.0
    long_fold_terms(add, count, context, start, n, totals)
    return Pair(totals[0], totals[1])


cdef inline Pair product_block(
        void (*add)(const f32x*, const void*, Py_ssize_t, Py_ssize_t, f32x*) noexcept nogil,
        const float* x, const float* y, const void* context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    # fold_block where term i of `add` is x[i] y[i]
    cdef f64x sums[FOLDED_SUMS]
    fill(sums, FOLDED_SUMS, 0.0)
    add_products(add, x, y, context, start, start + n, sums)
    return Pair(tree(sums, FOLDED_SUMS, 1), 0.0)


cdef inline Pair sum_either(
        void (*folded)(const f32x*, const void*, Py_ssize_t, Py_ssize_t, f32x*) noexcept nogil,
        void (*added)(const real*, const void*, Py_ssize_t, Py_ssize_t, f64x*) noexcept nogil, int count,
        const real* like, const void* context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    # a folded sum where the row is float32, else one in float64
    if real is f32x:
        return fold_block(folded, count, context, start, n)
    else:
        return sum_block(added, count, like, context, start, n)


cdef struct Blocks:
    # the blocks of a row, which threads share
    void* block  # a sum_function or a map_function
    void* y
    const void* context
    Py_ssize_t n
    Pair* parts  # the sums of each block


cdef inline Py_ssize_t size_of_block(Py_ssize_t n, Py_ssize_t b) noexcept nogil:
    return min(<Py_ssize_t>BLOCK, n - b * BLOCK)


cdef inline void sum_one(void* context, Py_ssize_t b, int thread) noexcept nogil:
    cdef const Blocks* blocks = <const Blocks*>context
    blocks.parts[b] = (<sum_function>blocks.block)(NULL, blocks.context, b * BLOCK, size_of_block(blocks.n, b))


ctypedef Pair (*merge_function)(Pair a, Py_ssize_t a_size, Pair b, Py_ssize_t b_size) noexcept nogil
ctypedef Pair (*merge_blocks_function)(sum_function block, merge_function merge, const void* context, Py_ssize_t n,
                                       int threads) noexcept nogil
ctypedef void (*map_blocks_function)(map_function block, void* y, const void* context, Py_ssize_t n,
                                     int threads) noexcept nogil


cdef inline Pair merge_blocks(sum_function block, merge_function merge, const void* context, Py_ssize_t n,
                              int threads) noexcept nogil:
    # Where there is no memory to keep what blocks give, one thread computes and merges block after block. Without a
    # `merge` both sums are added, and the rounding errors of that kept.
    cdef Py_ssize_t count = (n + BLOCK - 1) // BLOCK, b, size
    cdef Blocks blocks = Blocks(<void*>block, NULL, context, n, NULL)
    cdef Pair part, total = Pair(0.0, 0.0), first = total, second = total
    if threads > 1:
        blocks.parts = <Pair*>malloc(count * sizeof(Pair))
    if blocks.parts != NULL:
        run_chunks(sum_one, &blocks, count, threads)
    for b in range(count):
        size = size_of_block(n, b)
        part = blocks.parts[b] if blocks.parts != NULL else block(NULL, context, b * BLOCK, size)
        if merge == NULL:
            add_both(part, &first, &second)
        else:
            total = merge(total, b * BLOCK, part, size) if b > 0 else part
    free(blocks.parts)
    if merge == NULL:
        return both_with_losses(first, second)
    return total


cdef inline Pair of_block(Pair (*block)(const real*, const void*, Py_ssize_t, Py_ssize_t) noexcept nogil,
                          const void* context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    # what a block gives, called
    return (<sum_function>called(<void*>block))(NULL, context, start, n)


cdef inline Pair merge_row(Pair (*block)(const real*, const void*, Py_ssize_t, Py_ssize_t) noexcept nogil,
                           Pair (*merge)(Pair, Py_ssize_t, Pair, Py_ssize_t) noexcept nogil,
                           const real* like, const void* context, Py_ssize_t n, int threads) noexcept nogil:
    # the blocks' results, merged in order
    cdef sum_function one_block = <sum_function>called(<void*>block)
    if n <= BLOCK:
        return one_block(NULL, context, 0, n)
    return (<merge_blocks_function>called(<void*>merge_blocks))(one_block, merge, context, n, threads)


cdef inline Pair add_pairs(Pair a, Py_ssize_t a_size, Pair b, Py_ssize_t b_size) noexcept nogil:
    return Pair(a.first + b.first, a.second + b.second)


cdef inline Pair sum_row(Pair (*block)(const real*, const void*, Py_ssize_t, Py_ssize_t) noexcept nogil,
                         const real* like, const void* context, Py_ssize_t n, int threads) noexcept nogil:
    if real is f32x:
        return merge_row(block, add_pairs, like, context, n, threads)
    else:
        return merge_row(block, NULL, like, context, n, threads)


cdef inline void add_element(const real* like, const void* x, Py_ssize_t i, Py_ssize_t n,
                             f64x* sums) noexcept nogil:
    sums[0] = sums[0] + wide(<const real*>x, i, n)


cdef inline Pair element_block(const real* like, const void* x, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    return sum_block(add_element[real], 1, like, x, start, n)


cdef inline double sum_values(const real* x, Py_ssize_t n, int threads) noexcept nogil:
    # the sum of the row itself
    return sum_row(element_block[real], x, x, n, threads).first


cdef inline void fold_element(const f32x* like, const void* x, Py_ssize_t i, Py_ssize_t n,
                              f32x* sums) noexcept nogil:
    sums[0] = sums[0] + take(<const f32x*>x, i, n)


cdef inline Pair folded_element_block(const real* like, const void* x, Py_ssize_t start,
                                      Py_ssize_t n) noexcept nogil:
    return sum_either(fold_element, add_element[real], 1, like, x, start, n)


cdef inline double fold_values(const real* x, Py_ssize_t n, int threads) noexcept nogil:
    # the same, folded
    return sum_row(folded_element_block[real], x, x, n, threads).first


cdef inline void map_streamed(real (*point)(const real*, const void*, Py_ssize_t, Py_ssize_t) noexcept nogil,
                              real* y, const void* context, Py_ssize_t i, Py_ssize_t stop) noexcept nogil:
    # Whole registers past the caches, from a register's boundary on. A cache line that is not all of this block's is
    # written in the ordinary way: what is streamed into a part of one goes to memory by itself, at the cost of several
    # lines.
    cdef Py_ssize_t streamed_from = i + <Py_ssize_t>(-<uintptr_t>skip(y, i) % LINE) // itemsize(y)
    cdef Py_ssize_t streamed_to = stop - <Py_ssize_t>(<uintptr_t>skip(y, stop) % LINE) // itemsize(y)
    cdef Py_ssize_t end
    cdef real value
    cdef bint past_caches
    while i + lanes(y) <= stop:
        # from line to line one loop of one kind: a question asked of each register costs a quarter of a cheap point
        past_caches = streamed_from <= i < streamed_to
        end = min(stop - lanes(y) + 1, streamed_to if past_caches else streamed_from if i < streamed_from else stop)
        while i < end:
            value = point(y, context, i, lanes(y))
            if past_caches:
                stream(<real*>skip(y, i), value)
            else:
                store(<real*>skip(y, i), value)
            i += lanes(y)


cdef inline void map_from(real (*point)(const real*, const void*, Py_ssize_t, Py_ssize_t) noexcept nogil,
                          real* y, const void* bounded, bint backwards, const void* context, Py_ssize_t start,
                          Py_ssize_t n, bint streamed) noexcept nogil:
    # y[i] = point(i) over one block, by whole registers from the first register boundary of `bounded` on, which is y or
    # what a point reads, or backwards up to there. What stands before it, and behind the last of them, are whole
    # registers too, which overlap with others: both are computed before what they overlap with is written, since y may
    # be where x is. Where streaming stores are asked for, the caller has to end them.
    cdef Py_ssize_t width = lanes(y), stop = start + n, part = head(skip(<const real*>bounded, start), n)
    cdef Py_ssize_t i = start + part, count = (n - part) // width, step = 2 * width
    cdef bint ends = (n - part) % width == 0
    cdef real value, next_value, first = splat(first, 0.0), last = first
    if n < 2 * width:
        i = start
        while i < stop:
            part = min(stop - i, width)
            store_part(<real*>skip(y, i), point(y, context, i, part), part)
            i += part
        return
    if part > 0:
        first = point(y, context, start, width)
    if not ends:
        last = point(y, context, stop - width, width)
    if streamed and <uintptr_t>skip(y, i) % sizeof(real) == 0 and (
            ends_lines(<Py_ssize_t>skip(y, start) | n * itemsize(y), n * itemsize(y))):
        map_streamed(point, y, context, i, stop)
    else:
        if count % 2 > 0:
            store(<real*>skip(y, i), point(y, context, i, width))
            i += width
            count -= 1
        if backwards:
            i += (count - 2) * width
            step = -step
        while count > 0:
            value, next_value = point(y, context, i, width), point(y, context, i + width, width)
            store(<real*>skip(y, i), value)
            store(<real*>skip(y, i + width), next_value)
            i += step
            count -= 2
    if part > 0:
        store(<real*>skip(y, start), first)
    if not ends:
        store(<real*>skip(y, stop - width), last)


cdef inline void map_block(real (*point)(const real*, const void*, Py_ssize_t, Py_ssize_t) noexcept nogil,
                           real* y, const void* context, Py_ssize_t start, Py_ssize_t n, bint streamed) noexcept nogil:
    # the same, from y's first boundary on
    map_from(point, y, y, False, context, start, n, streamed)


cdef inline void map_in_pairs(real (*point)(const real*, const void*, Py_ssize_t, Py_ssize_t) noexcept nogil,
                              real* y, const void* context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    # map_block for a point of many instructions, which stand there three times: for two registers, since each waits for
    # its own steps, and for all that is not two of them. In float64, whose points are longer, once.
    cdef Py_ssize_t i = start, stop = start + n, part = head(skip(y, start), n) or min(n, lanes(y)), width = lanes(y)
    cdef real value, next_value
    while i < stop:
        if itemsize(y) == 4 and part == width and i + 2 * width <= stop:
            value, next_value = point(y, context, i, width), point(y, context, i + width, width)
            store(<real*>skip(y, i), value)
            store(<real*>skip(y, i + width), next_value)
            i += 2 * width
        else:
            value = point(y, context, i, part)
            if part == width:
                store(<real*>skip(y, i), value)
            else:
                store_part(<real*>skip(y, i), value, part)
            i += part
        part = min(stop - i, width)


cdef inline void map_rarely(real (*point)(const real*, const void*, Py_ssize_t, Py_ssize_t) noexcept nogil,
                            real* y, const void* context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    # map_block in the fewest instructions
    cdef Py_ssize_t i = start, stop = start + n, part
    cdef real value
    while i < stop:
        part = min(stop - i, lanes(y))
        value = point(y, context, i, part)
        if part == lanes(y):
            store(<real*>skip(y, i), value)
        else:
            store_part(<real*>skip(y, i), value, part)
        i += part


cdef inline void store_short(Dtype dtype, uint16_t* y, f32x x) noexcept nogil:
    if dtype == BFLOAT16:
        store_bfloat16(y, x)
    else:
        store_float16(y, x)


cdef inline void store_short_pair(Dtype dtype, uint16_t* y, f32x x, f32x next_x) noexcept nogil:
    if dtype == BFLOAT16:
        store_bfloat16_pair(y, x, next_x)
    else:
        store_float16(y, x)
        store_float16(y + F32_LANES, next_x)


cdef inline void copy_ends(char* y, const char* x, Py_ssize_t half, Py_ssize_t n) noexcept nogil:
    # n bytes, no fewer than `half` and no more than twice as many: so many from the start, and so many up to the end
    memcpy(y, x, half)
    memcpy(y + n - half, x + n - half, half)


cdef inline void store_short_part(Dtype dtype, uint16_t* y, f32x x, Py_ssize_t n) noexcept nogil:
    # the first n lanes
    cdef uint16_t part[F32_LANES + 8]  # narrow registers have no eight lanes to copy, but the code that would
    cdef char* to = <char*>y
    cdef const char* from_part = <const char*>part
    if n == F32_LANES:
        store_short(dtype, y, x)
        return
    store_short(dtype, part, x)
    if n >= 8:
        copy_ends(to, from_part, 16, 2 * n)
    elif n >= 4:
        copy_ends(to, from_part, 8, 2 * n)
    elif n >= 2:
        copy_ends(to, from_part, 4, 2 * n)
    elif n == 1:
        y[0] = part[0]


cdef inline void map_shorts(Dtype dtype,
                            f32x (*point)(const f32x*, const void*, Py_ssize_t, Py_ssize_t) noexcept nogil,
                            uint16_t* y, const void* context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    # map_block where results are rounded to 16 bits as they are written
    cdef Py_ssize_t width = F32_LANES, i = start, stop = start + n
    cdef f32x value, next_value, last = splat_f32(0.0), next_to_last = last
    if n < 2 * width:
        while i < stop:
            n = min(stop - i, width)
            store_short_part(dtype, y + i, point(NULL, context, i, n), n)
            i += n
        return
    if n % (2 * width) > 0:
        next_to_last, last = point(NULL, context, stop - 2 * width, width), point(NULL, context, stop - width, width)
    while i + 2 * width <= stop:
        value, next_value = point(NULL, context, i, width), point(NULL, context, i + width, width)
        store_short_pair(dtype, y + i, value, next_value)
        i += 2 * width
    if i < stop:
        store_short_pair(dtype, y + stop - 2 * width, next_to_last, last)


cdef inline void map_bfloat16(f32x (*point)(const f32x*, const void*, Py_ssize_t, Py_ssize_t) noexcept nogil,
                              uint16_t* y, const void* context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    map_shorts(BFLOAT16, point, y, context, start, n)


cdef inline void store_pair(real* y, real* other_y, real value, real other, Py_ssize_t i, bint streamed) noexcept nogil:
    if streamed:
        stream(<real*>skip(y, i), value)
        stream(<real*>skip(other_y, i), other)
    else:
        store(<real*>skip(y, i), value)
        store(<real*>skip(other_y, i), other)


cdef inline void map_pair(real (*point)(const real*, const void*, Py_ssize_t, Py_ssize_t) noexcept nogil,
                          real* y, const void* context, real* other_y, const void* other_context, Py_ssize_t n,
                          bint streamed) noexcept nogil:
    # map_block over two short rows at a time: what the points of both need is loaded once
    cdef bint alike = <uintptr_t>y % sizeof(real) == <uintptr_t>other_y % sizeof(real)
    cdef Py_ssize_t width = lanes(y), i = head(y, n) if alike else 0
    cdef bint ends = (n - i) % width == 0
    cdef real value, other, next_value, next_other, last = splat(last, 0.0), other_last = last
    if n < width:
        if n > 0:
            value, other = point(y, context, 0, n), point(y, other_context, 0, n)
            store_part(y, value, n)
            store_part(other_y, other, n)
        return
    if not ends:
        last, other_last = point(y, context, n - width, width), point(y, other_context, n - width, width)
    streamed = streamed and alike and <uintptr_t>skip(y, i) % sizeof(real) == 0
    if i > 0:
        value, other = point(y, context, 0, width), point(y, other_context, 0, width)
        next_value, next_other = point(y, context, i, width), point(y, other_context, i, width)
        store_pair(y, other_y, value, other, 0, False)
        store_pair(y, other_y, next_value, next_other, i, streamed)
        i += width
    while i + width <= n:
        value, other = point(y, context, i, width), point(y, other_context, i, width)
        store_pair(y, other_y, value, other, i, streamed)
        i += width
    if not ends:
        store_pair(y, other_y, last, other_last, n - width, False)


cdef inline void map_one(void* context, Py_ssize_t b, int thread) noexcept nogil:
    cdef const Blocks* blocks = <const Blocks*>context
    (<map_function>blocks.block)(blocks.y, blocks.context, b * BLOCK, size_of_block(blocks.n, b))
    end_stream()


cdef inline void map_blocks(map_function block, void* y, const void* context, Py_ssize_t n, int threads) noexcept nogil:
    cdef Blocks blocks = Blocks(<void*>block, y, context, n, NULL)
    run_chunks(map_one, &blocks, (n + BLOCK - 1) // BLOCK, threads)


cdef inline void map_row(void (*block)(real*, const void*, Py_ssize_t, Py_ssize_t) noexcept nogil,
                         real* y, const void* context, Py_ssize_t n, int threads) noexcept nogil:
    cdef map_function one_block = <map_function>called(<void*>block)
    if threads == 1 or n <= BLOCK:
        one_block(y, context, 0, n)
    else:
        (<map_blocks_function>called(<void*>map_blocks))(one_block, y, context, n, threads)
