# Sums and maps of SHORT_ROWS short rows side by side. Their sums have the order of reductions.pxd to the last bit, but
# the last halves of the rows' partial sums, and what follows from the sums, share registers. No mathematics, no Python.
from ..lanes cimport F64_LANES, at_least, called, f32x, f64x, load_f64, real, splat_f64, store_f64
from .columns cimport MOST_HALVES, halves, wide_halves
from .operations cimport SHORT_ROWS
from .reductions cimport (
    FOLDED_SUMS, MOST_SUMS, SUMS, add_exact_parts, add_folds, add_long_folds, add_long_terms, add_products, add_terms,
    end_losses, fill, halved, last_part,
)
from .registers cimport lanes, skip, store, store_part, zip_high, zip_low


cdef inline void sum_short(
        void (*folded)(const f32x*, const void*, Py_ssize_t, Py_ssize_t, f32x*) noexcept nogil,
        void (*added)(const real*, const void*, Py_ssize_t, Py_ssize_t, f64x*) noexcept nogil, int count,
        const real* like, const void* context, Py_ssize_t n, f64x* parts) noexcept nogil:
    # the last register of partial sums of one row's terms, as sum_either has them; those of the next sum stand
    # SHORT_ROWS further on, and behind the last sum, of float64, the rounding errors of each
    if real is f32x:
        fold_short(folded, count, context, n, parts)
    else:
        add_short(added, count, like, context, n, parts)


cdef inline void fold_short(
        void (*add)(const f32x*, const void*, Py_ssize_t, Py_ssize_t, f32x*) noexcept nogil, int count,
        const void* context, Py_ssize_t n, f64x* parts) noexcept nogil:
    cdef f64x sums[MOST_SUMS * FOLDED_SUMS]
    cdef int k
    fill(sums, count * FOLDED_SUMS, 0.0)
    add_folds(add, count, context, 0, n, sums)
    for k in range(count):
        parts[k * SHORT_ROWS] = halved(sums + k, FOLDED_SUMS, count)


cdef inline void long_fold_short(
        void (*add)(const f32x*, const void*, Py_ssize_t, Py_ssize_t, f32x*) noexcept nogil, int count,
        const void* context, Py_ssize_t n, f64x* parts) noexcept nogil:
    # fold_short by long folds
    cdef f64x sums[MOST_SUMS * FOLDED_SUMS]
    cdef int k
    fill(sums, count * FOLDED_SUMS, 0.0)
    add_long_folds(add, count, context, 0, n, sums)
    for k in range(count):
        parts[k * SHORT_ROWS] = halved(sums + k, FOLDED_SUMS, count)


cdef inline void multiply_short(
        void (*add)(const f32x*, const void*, Py_ssize_t, Py_ssize_t, f32x*) noexcept nogil,
        const float* x, const float* y, const void* context, Py_ssize_t n, f64x* parts) noexcept nogil:
    # fold_short where term i of `add` is x[i] y[i]
    cdef f64x sums[FOLDED_SUMS]
    fill(sums, FOLDED_SUMS, 0.0)
    add_products(add, x, y, context, 0, n, sums)
    parts[0] = halved(sums, FOLDED_SUMS, 1)


cdef inline void add_short(
        void (*add)(const real*, const void*, Py_ssize_t, Py_ssize_t, f64x*) noexcept nogil, int count,
        const real* like, const void* context, Py_ssize_t n, f64x* parts) noexcept nogil:
    cdef f64x sums[MOST_SUMS * SUMS]
    cdef f64x losses[MOST_SUMS * FOLDED_SUMS]
    add_terms(add, count, like, context, 0, n, sums, losses)
    put_parts(like, sums, losses, count, parts)


cdef inline void put_parts(const real* like, f64x* sums, const f64x* losses, int count, f64x* parts) noexcept nogil:
    cdef f64x lost
    cdef int k
    for k in range(count):
        if real is f32x:
            if SUMS == 4:  # last_part, but of registers named one by one, or the compiler would keep them in memory
                parts[k * SHORT_ROWS] = (sums[k] + sums[2 * count + k]) + (sums[count + k] + sums[3 * count + k])
                continue
        parts[k * SHORT_ROWS] = last_part(like, sums + k, losses + k, count, &lost)
        if real is f64x:
            parts[(count + k) * SHORT_ROWS] = lost


cdef inline void add_long_short(
        void (*add)(const real*, const void*, Py_ssize_t, Py_ssize_t, f64x*) noexcept nogil, int count,
        const real* like, const void* context, Py_ssize_t n, f64x* parts) noexcept nogil:
    # add_short where `add` is many instructions
    cdef f64x sums[MOST_SUMS * SUMS]
    cdef f64x losses[MOST_SUMS * FOLDED_SUMS]
    add_long_terms(add, count, like, context, 0, n, sums, losses)
    put_parts(like, sums, losses, count, parts)


cdef inline void add_halves(real* parts, int half) noexcept nogil:
    # of twice as many registers. Adding the halves of two registers, interleaved, is adding the halves of each.
    cdef int k
    for k in range(half):
        parts[k] = zip_low(parts[k], parts[k + half]) + zip_high(parts[k], parts[k + half])


cdef inline void short_totals(f64x* parts, double* totals) noexcept nogil:
    # the totals of one sum, one for each row
    cdef int first = 0
    while first < SHORT_ROWS:
        # one after the other, with numbers that the compiler knows, or it would keep the registers in memory
        if F64_LANES >= 8:
            add_halves(parts, 4)
        if F64_LANES >= 4:
            add_halves(parts, 2)
        if F64_LANES >= 2:
            add_halves(parts, 1)
        store_f64(totals + first, parts[0])
        parts += F64_LANES
        first += F64_LANES


cdef inline void add_halves_exactly(f64x* parts, f64x* losses, int half) noexcept nogil:
    # add_halves, with the rounding errors
    cdef int k
    for k in range(half):
        parts[k] = add_exact_parts(
            zip_low(parts[k], parts[k + half]), zip_low(losses[k], losses[k + half]),
            zip_high(parts[k], parts[k + half]), zip_high(losses[k], losses[k + half]), &losses[k])


ctypedef void (*exact_function)(f64x* parts, f64x* losses, double* totals) noexcept nogil


cdef inline void exact_short_totals(f64x* parts, f64x* losses, double* totals) noexcept nogil:
    cdef int first = 0
    while first < SHORT_ROWS:
        if F64_LANES >= 8:
            add_halves_exactly(parts, losses, 4)
        if F64_LANES >= 4:
            add_halves_exactly(parts, losses, 2)
        if F64_LANES >= 2:
            add_halves_exactly(parts, losses, 1)
        store_f64(totals + first, end_losses(parts[0], losses[0]))
        parts += F64_LANES
        losses += F64_LANES
        first += F64_LANES


cdef inline void added_totals(const real* like, f64x* parts, int count, double* totals) noexcept nogil:
    # short_totals of one of `count` sums that add_short or add_long_short has found
    if real is f64x:
        (<exact_function>called(<void*>exact_short_totals))(parts, parts + count * SHORT_ROWS, totals)
    else:
        short_totals(parts, totals)


cdef inline void short_means(const real* like, f64x* parts, int count, Py_ssize_t n, double* means) noexcept nogil:
    # those totals over n
    cdef int k = 0
    added_totals(like, parts, count, means)
    while k < SHORT_ROWS:
        store_f64(means + k, load_f64(means + k) / splat_f64(n))
        k += F64_LANES


cdef inline void short_largest(real* best, double* largest) noexcept nogil:
    # the largest lane of each of SHORT_ROWS registers, as float64; a NaN may be passed over
    cdef real other
    cdef f64x wide[MOST_HALVES]
    cdef int width = <int>lanes(best), rows = min(<int>SHORT_ROWS, width), first = 0, half, k
    while first < SHORT_ROWS:
        half = rows // 2
        while half > 0:
            for k in range(half):
                other = zip_low(best[k], best[k + half])
                best[k] = at_least(other, zip_high(best[k], best[k + half]))
            half = half // 2
        wide_halves(best[0], wide)
        if rows < width:  # the second half is of the same rows
            wide[0] = at_least(wide[halves(best) // 2], wide[0])
        for k in range(halves(best)):
            if k * F64_LANES < rows:
                store_f64(largest + first + k * F64_LANES, wide[k])
        best += rows
        first += rows


cdef inline void map_short(real (*point)(const real*, const void*, Py_ssize_t, Py_ssize_t) noexcept nogil,
                           void* y, const void* context, Py_ssize_t n) noexcept nogil:
    # map_block of one short row
    cdef Py_ssize_t i = 0, width = lanes(<const real*>y)
    cdef real last
    if n < width:
        if n > 0:
            store_part(<real*>y, point(NULL, context, 0, n), n)
        return
    last = point(NULL, context, n - width, width)
    while i + width < n:
        store(<real*>skip(<const real*>y, i), point(NULL, context, i, width))
        i += width
    store(<real*>skip(<const real*>y, n - width), last)


cdef inline void take_numbers(const char* at, Py_ssize_t step, double* values) noexcept nogil:
    # one float64 of each row
    cdef int r
    for r in range(SHORT_ROWS):
        values[r] = (<const double*>(at + r * step))[0]


cdef inline void put_numbers(const double* values, char* at, Py_ssize_t step) noexcept nogil:
    cdef int r
    for r in range(SHORT_ROWS):
        (<double*>(at + r * step))[0] = values[r]
