# exponentials.pxd for SHORT_ROWS short rows side by side: the same exponentials and logarithms to the last bit, of rows
# whose exponents are x itself and finite. Where a row is of another kind, a function says False and writes nothing.
from libc.math cimport INFINITY
from libc.stdint cimport uintptr_t

from ..lanes cimport (
    F32_LANES, F64_LANES, all_less, any_less, at_least, called, f32x, f64x, fma, load_f32, load_f64, load_part_f32,
    magnitude, power2, real, splat, splat_f32, splat_f64, store_f32, store_f64, where_less,
)
from ..loops.columns cimport HALVES, MOST_HALVES, narrowed, wide_halves
from ..loops.operations cimport MOST_SHORT, SHORT, SHORT_ROWS
from ..loops.partial_sums cimport prefetch, prefetch_near
from ..loops.reductions cimport Pair, first_lanes, sum_row, take
from ..loops.registers cimport lanes, load, load_part, skip
from ..loops.short_rows cimport add_long_short, add_short, added_totals, fold_short, short_largest, short_totals
from ..math.exponential cimport nearest
from .exact_logarithms cimport exact_below
from .exponential_parts cimport FEW, power_of, start_of_powers
from .exponentials cimport (
    SUMS_BELOW, add_all, add_below, add_few_below, below_block_wide, below_of, exactly, find_inverses, is_few,
    load_halves, log_rests, rest_of, rest_of_sums, small, store_halves,
)
from .exponents cimport LARGEST_TOP, Exponents, exponents_of, least_of, least_of_zero, least_of_zeros
from .few_exponentials cimport find_few_logs
from .sums_below cimport PlainRows, sums_below


cdef enum:
    LONGER = 128  # elements from which on exponentials are added at once where nothing else asks for them


cdef inline Py_ssize_t tile_step(const real* like, Py_ssize_t n) noexcept nogil:
    # Elements from one row of a tile to the next: whole registers. Rows that stood SHORT elements apart would meet in
    # few sets of the first-level cache.
    return (n + lanes(like) - 1) & -lanes(like)


cdef inline real present_lanes(const real* like, Py_ssize_t n) noexcept nogil:
    # 1 where the last register of so many elements has one, else 0
    cdef Py_ssize_t part = n % lanes(like)
    cdef real one[1]
    one[0] = splat(one[0], 1.0)
    return first_lanes(one[0], part if part else lanes(like))


cdef inline void short_tops(const real* like, const char* x, Py_ssize_t step, Py_ssize_t n,
                            double* tops) noexcept nogil:
    # the largest of each row, as find_tops; a NaN may be passed over
    cdef real best[SHORT_ROWS]
    cdef real none = splat(best[0], -INFINITY), present = present_lanes(like, n), last
    cdef const real* row
    cdef Py_ssize_t r, i, width = lanes(like)
    for r in range(SHORT_ROWS):
        row = <const real*>(x + r * step)
        best[r] = none
        i = 0
        while i + width <= n:
            best[r] = at_least(load(skip(row, i)), best[r])
            i += width
        if i < n:
            last = where_less(present, splat(last, 0.5), none, load_part(skip(row, i), n - i))
            best[r] = at_least(last, best[r])
    short_largest(best, tops)


cdef inline bint short_exponents(const real* like, const char* x, Py_ssize_t step, Py_ssize_t n, double* tops,
                                 double* exponents) noexcept nogil:
    # find_tops of rows whose exponents are x itself: the largest of each, and n of e^top = 2^n (1 + p). False where
    # exponents of a row are others
    cdef f64x parts[MOST_HALVES]
    cdef Py_ssize_t r = 0
    short_tops(like, x, step, n, tops)
    while r < SHORT_ROWS:
        if not all_less(magnitude(load_f64(tops + r)), splat_f64(LARGEST_TOP)):
            return False
        r += F64_LANES
    r = 0
    while r < SHORT_ROWS:
        load_halves(like, tops + r, SHORT_ROWS - r, parts)
        wide_halves(nearest(narrowed(like, parts), 1.4426950408889634), parts)
        store_halves(like, parts, SHORT_ROWS - r, exponents + r)
        r += lanes(like)
    return True


cdef inline void set_short_row(const real* like, Exponents* own, const char* x, double top, double raised,
                               double exponent, real* tile, Py_ssize_t place) noexcept nogil:
    own.x, own.y, own.sign, own.shift, own.plain = x, NULL, 1.0, 0.0, True
    if tile != NULL:
        own.y = <void*>skip(tile, place)
    own.top, own.raised = top, <int>raised
    own.more = <int>(raised - exponent)
    own.least = least_of(like, own)


cdef inline bint any_short_softmax(const real* like, const char* x, Py_ssize_t step, Py_ssize_t n, real* tile,
                                   double* scales) noexcept nogil:
    # every exponential, to the rows of a tile, and 1 over the sum of each row
    cdef Exponents own = exponents_of(like, NULL, NULL, 1.0, 1.0)
    cdef f64x parts[2 * SHORT_ROWS]
    cdef double tops[SHORT_ROWS]
    cdef double exponents[SHORT_ROWS]
    cdef Py_ssize_t r
    own.plain = True
    if not short_exponents(like, x, step, n, tops, exponents):
        return False
    for r in range(SHORT_ROWS):
        own.x, own.y = x + r * step, <void*>skip(tile, r * tile_step(like, n))
        own.more = own.raised - <int>exponents[r]
        own.least = least_of_zero(like, own.more)
        if real is f32x:
            fold_short(add_all[f32x], 1, &own, n, parts + r)
        else:
            add_short(add_all[f64x], 1, like, &own, n, parts + r)
    added_totals(like, parts, 1, scales)
    r = 0
    while r < SHORT_ROWS:
        if not all_less(load_f64(scales + r), splat_f64(INFINITY)):  # where a NaN was passed over
            return False
        store_f64(scales + r, splat_f64(1.0) / load_f64(scales + r))
        r += F64_LANES
    return True


ctypedef bint (*softmax_function)(const real* like, const char* x, Py_ssize_t step, Py_ssize_t n, real* tile,
                                  double* scales) noexcept nogil


cdef inline bint short_softmax(const real* like, const char* x, Py_ssize_t step, Py_ssize_t n, real* tile,
                               double* scales) noexcept nogil:
    # compiled once for all that call it
    return (<softmax_function>called(<void*>any_short_softmax[real]))(like, x, step, n, tile, scales)


cdef inline void sum_small_again(const char* x, Py_ssize_t step, Py_ssize_t rows, Py_ssize_t n, const double* tops,
                                 const double* raised, const double* exponents, const double* equal,
                                 const double* inverses, double* rests, double near) noexcept nogil:
    # the small sums of rows of float32, in float64; `equal` says how many elements are the largest
    cdef const f32x* like = NULL
    cdef Exponents own
    cdef Py_ssize_t k
    for k in range(rows):
        if small(like, rests[k], tops[k], near, n):
            set_short_row(like, &own, x + k * step, tops[k], raised[k], exponents[k], <f32x*>NULL, 0)
            own.inverse = inverses[k]
            rests[k] = rest_of(&own, Pair(sum_row(below_block_wide, like, &own, n, 1).first, equal[k]))


cdef inline void raise_short(const real* like, double scale, double* raised) noexcept nogil:
    # rows of one scale
    cdef int k
    for k in range(SHORT_ROWS):
        raised[k] = exponents_of(like, NULL, NULL, 1.0, scale).raised


cdef inline void set_plain_rows(const char* x, Py_ssize_t step, Py_ssize_t rows, Py_ssize_t n, void* tile,
                                const double* tops, const double* raised, const double* exponents,
                                PlainRows* own) noexcept nogil:
    # what each row's exponentials below its largest follow from
    cdef f64x parts[MOST_HALVES]
    cdef f32x top, more
    cdef Py_ssize_t r = 0
    cdef int half
    own.x, own.step, own.y, own.y_step = x, step, <char*>tile, tile_step(<const f32x*>NULL, n) * sizeof(float)
    while r < rows:
        load_halves(&top, tops + r, rows - r, parts)
        top = narrowed(&top, parts)
        for half in range(HALVES):
            if r + half * F64_LANES < rows:
                parts[half] = load_f64(raised + r + half * F64_LANES) - load_f64(exponents + r + half * F64_LANES)
        more = narrowed(&top, parts)
        store_f32(own.top + r, top)
        store_f32(own.least + r, least_of_zeros(more))
        store_f32(own.start + r, more + splat_f32(start_of_powers(0)))
        r += F32_LANES


cdef struct Below:
    # a row of float32, its exponentials, and its largest element
    const float* x
    const float* y
    f32x top


cdef inline void add_stored(const f32x* like, const void* context, Py_ssize_t i, Py_ssize_t n,
                            f32x* sums) noexcept nogil:
    # the exponentials below the largest, and how many these are
    cdef const Below* own = <const Below*>context
    cdef f32x x = take(<const f32x*>own.x, i, n), y = load_f32(own.y + i), zero = splat_f32(0.0)
    sums[0] = sums[0] + first_lanes(where_less(x, own.top, y, zero), n)
    sums[1] = sums[1] + first_lanes(where_less(x, own.top, splat_f32(1.0), zero), n)


cdef inline f32x put_plain(const PlainRows* rows, Py_ssize_t first, char* y, Py_ssize_t n, Py_ssize_t ahead,
                           const char* out, Py_ssize_t out_step) noexcept nogil:
    # The exponentials of SHORT_ROWS rows, to whole registers; and a number that is NaN where one of them is. Rows so
    # far ahead are prefetched, and those that results are written to later: memory has little else to do meanwhile.
    cdef f32x x, p, power, least, start, all = splat_f32(0.0)
    cdef const float* row
    cdef Py_ssize_t r, i
    for r in range(SHORT_ROWS):
        row = <const float*>(rows.x + (first + r) * rows.step)
        least, start = splat_f32(rows.least[first + r]), splat_f32(rows.start[first + r])
        i = 0
        while i < n:
            if n > SHORT:  # which the first-level cache would not keep until then
                prefetch(<uintptr_t>(row + i) + ahead)
            else:
                prefetch_near(<uintptr_t>(row + i) + ahead)
            prefetch(<uintptr_t>(out + i * sizeof(float)))
            x = load_f32(row + i) if i + F32_LANES <= n else load_part_f32(row + i, n - i)
            power = power_of(x, least, start, &p)
            p = fma(p, power, power)
            store_f32(<float*>y + i, p)
            all = all + p
            i += F32_LANES
        y += rows.y_step
        out += out_step
    return all


cdef inline void sum_plain(const PlainRows* rows, Py_ssize_t first, const char* y, Py_ssize_t n,
                           f64x* parts) noexcept nogil:
    # the last registers of both sums of add_stored: the order is that of sums_below.pxd
    cdef Below own
    cdef Py_ssize_t r
    for r in range(SHORT_ROWS):
        own.x, own.y = <const float*>(rows.x + (first + r) * rows.step), <const float*>y
        own.top = splat_f32(rows.top[first + r])
        fold_short(add_stored, 2, &own, n, parts + r)
        y += rows.y_step


cdef inline bint is_plain(const real* like, double near, Py_ssize_t n) noexcept nogil:
    # whether rows have the sums of sums_below.pxd
    return real is f32x and (n > FEW or not (exactly(like, near) or is_few(like, near, n)))


cdef inline bint plain_logs(const char* x, Py_ssize_t step, Py_ssize_t rows, Py_ssize_t n, f32x* tile,
                            const double* raised, double* tops, double* inverses, double* rests, double* logs,
                            double near, const char* out, Py_ssize_t out_step) noexcept nogil:
    # short_logs of them, up to MOST_SHORT rows, since what follows from the sums waits for the last of them
    cdef const f32x* like = NULL
    cdef PlainRows own
    cdef f64x parts[2 * SHORT_ROWS]
    cdef double exponents[MOST_SHORT]
    cdef double ones[MOST_SHORT]
    cdef float[SHORT_ROWS * SHORT] few
    cdef f64x equal, rest
    cdef f32x all = splat_f32(0.0)
    cdef char* y
    cdef Py_ssize_t k
    k = 0
    while k < rows:
        if not short_exponents(like, x + k * step, step, n, tops + k, exponents + k):
            return False
        k += SHORT_ROWS
    set_plain_rows(x, step, rows, n, <void*>tile, tops, raised, exponents, &own)
    k = 0
    while k < rows:
        if near == INFINITY or (tile == NULL and n >= LONGER and F32_LANES > 8):
            sums_below(near == INFINITY, &own, k, SHORT_ROWS, n, parts, parts + SHORT_ROWS)
        else:
            y = <char*>tile + k * own.y_step if tile != NULL else <char*>few
            all = all + put_plain(&own, k, y, n, rows * step, out + k * out_step, out_step)
            sum_plain(&own, k, y, n, parts)
        short_totals(parts, rests + k)
        short_totals(parts + SHORT_ROWS, ones + k)
        k += SHORT_ROWS
    if not all_less(all, splat_f32(INFINITY)):
        return False
    k = 0
    while k < rows:
        find_inverses(like, near, tops + k, exponents + k, inverses + k, rows - k)
        k += F32_LANES
    k = 0
    while k < rows:
        equal = splat_f64(n) - load_f64(ones + k)
        rest = rest_of_sums(load_f64(rests + k), equal, power2(-load_f64(raised + k)), load_f64(inverses + k))
        if not all_less(rest, splat_f64(INFINITY)):
            return False
        store_f64(ones + k, equal)
        store_f64(rests + k, rest)
        k += F64_LANES
    if exactly(like, near):
        sum_small_again(x, step, rows, n, tops, raised, exponents, ones, inverses, rests, near)
    k = 0
    while k < rows and logs != NULL:
        log_rests(like, near == INFINITY, rests + k, logs + k, rows - k)
        k += F32_LANES
    return True


cdef inline bint short_logs(const real* like, const char* x, Py_ssize_t step, Py_ssize_t many, Py_ssize_t n,
                            real* tile, const double* raised, double* tops, double* inverses, double* rests,
                            double* logs, double near, const char* out, Py_ssize_t out_step) noexcept nogil:
    # find_tops and find_logs: the largest of each row, and, where it is wanted, the logarithm of the sum relative to
    # it. Exponentials that are wanted go to the rows of a tile. Small sums are exact as in find_logs. Of `many` rows,
    # which are SHORT_ROWS where they are not plain. Results will be written to `out`, which may be x.
    cdef Exponents rows[SHORT_ROWS]
    cdef Exponents own
    cdef f64x parts[2 * SUMS_BELOW * SHORT_ROWS]
    cdef double exponents[SHORT_ROWS]
    cdef double totals[SUMS_BELOW * SHORT_ROWS]
    cdef f64x sums[SUMS_BELOW]
    cdef f64x rest
    cdef int count = 2 if real is f32x else SUMS_BELOW
    cdef Py_ssize_t k, j
    if real is f32x:
        if is_plain(like, near, n):
            return plain_logs(x, step, many, n, tile, raised, tops, inverses, rests, logs, near, out, out_step)
    if not short_exponents(like, x, step, n, tops, exponents):
        return False
    if is_few(like, near, n):
        for k in range(SHORT_ROWS):
            set_short_row(like, &rows[k], x + k * step, tops[k], raised[k], exponents[k], tile, k * tile_step(like, n))
        find_few_logs(rows, SHORT_ROWS, n, near == INFINITY)
        for k in range(SHORT_ROWS):
            inverses[k], rests[k] = rows[k].inverse, rows[k].rest
            if logs != NULL:
                logs[k] = rows[k].log_rest
            if not rests[k] < INFINITY:
                return False
        return True
    for k in range(SHORT_ROWS):  # one after the other, in one place, of which the compiler knows more
        set_short_row(like, &own, x + k * step, tops[k], raised[k], exponents[k], tile, k * tile_step(like, n))
        if real is f32x:
            add_long_short(add_few_below, 2, <const f64x*>NULL, &own, n, parts + k)
        else:
            add_long_short(add_below, SUMS_BELOW, like, &own, n, parts + k)
    for k in range(count):
        added_totals(like, parts + k * SHORT_ROWS, count, totals + k * SHORT_ROWS)
    k = 0
    while k < SHORT_ROWS:
        find_inverses(like, near, tops + k, exponents + k, inverses + k, SHORT_ROWS - k)
        k += lanes(like)
    k = 0
    while k < SHORT_ROWS:
        for j in range(count):
            sums[j] = load_f64(totals + j * SHORT_ROWS + k)
        rest = rest_of_sums(sums[0] if real is f32x else below_of(sums, 1), sums[count - 1],
                            power2(-load_f64(raised + k)), load_f64(inverses + k))
        if not all_less(rest, splat_f64(INFINITY)):
            return False
        if real is f64x:
            if near > 0.0 and any_less(rest, exact_below(near, load_f64(tops + k))):
                return False
        store_f64(rests + k, rest)
        k += F64_LANES
    k = 0
    while k < SHORT_ROWS and logs != NULL:
        log_rests(like, near == INFINITY, rests + k, logs + k, SHORT_ROWS - k)
        k += lanes(like)
    return True
