# exponentials.pxd for SHORT_ROWS short rows side by side: the same exponentials and logarithms to the last bit, of rows
# whose exponents are x itself and finite. Where a row is of another kind, a function says False and writes nothing.
from libc.math cimport INFINITY

from ..lanes cimport (
    F64_LANES, all_less, any_less, at_least, called, f32x, f64x, load_f64, magnitude, power2, real, splat, splat_f64,
    store_f64, where_less,
)
from ..loops.columns cimport MOST_HALVES, narrowed, wide_halves
from ..loops.operations cimport SHORT_ROWS
from ..loops.reductions cimport Pair, first_lanes, sum_row
from ..loops.registers cimport lanes, load, load_part, skip
from ..loops.short_rows cimport add_long_short, add_short, added_totals, fold_short, short_largest
from ..math.exponential cimport nearest
from .exact_logarithms cimport exact_below
from .exponential_parts cimport FEW
from .exponentials cimport (
    SUMS_BELOW, add_all, add_below, add_few_below, below_block_wide, below_of, exactly, find_inverses, is_few,
    load_halves, log_rests, rest_of, rest_of_sums, small, store_halves,
)
from .exponents cimport LARGEST_TOP, Exponents, exponents_of, least_of, least_of_zero
from .few_exponentials cimport find_few_logs
from .sums_below cimport sums_below


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


cdef inline void sum_small_again(Exponents* rows, Py_ssize_t n, const double* equal, const double* inverses,
                                 double* rests, double near) noexcept nogil:
    # the small sums of rows of float32, in float64; `equal` says how many elements are the largest
    cdef Pair sum
    cdef int k
    for k in range(SHORT_ROWS):
        if small(<const f32x*>NULL, rests[k], rows[k].top, near, n):
            rows[k].inverse = inverses[k]
            sum = sum_row(below_block_wide, <const f32x*>NULL, &rows[k], n, 1)
            rests[k] = rest_of(&rows[k], Pair(sum.first, equal[k]))


cdef inline void raise_short(const real* like, double scale, double* raised) noexcept nogil:
    # rows of one scale
    cdef int k
    for k in range(SHORT_ROWS):
        raised[k] = exponents_of(like, NULL, NULL, 1.0, scale).raised


cdef inline bint short_logs(const real* like, const char* x, Py_ssize_t step, Py_ssize_t n, real* tile,
                            const double* raised, double* tops, double* inverses, double* rests, double* logs,
                            double near) noexcept nogil:
    # find_tops and find_logs: the largest of each row, and, where it is wanted, the logarithm of the sum relative to
    # it. Exponentials that are wanted go to the rows of a tile. Small sums are exact as in find_logs.
    cdef Exponents rows[SHORT_ROWS]
    cdef Exponents own
    cdef f64x parts[2 * SUMS_BELOW * SHORT_ROWS]
    cdef double exponents[SHORT_ROWS]
    cdef double totals[SUMS_BELOW * SHORT_ROWS]
    cdef f64x sums[SUMS_BELOW]
    cdef f64x rest
    cdef bint counted = real is f64x or (exactly(like, near) and n <= FEW)
    cdef int count = 2 if real is f32x else SUMS_BELOW
    cdef Py_ssize_t k, j
    if not short_exponents(like, x, step, n, tops, exponents):
        return False
    for k in range(SHORT_ROWS):
        if counted:  # one after the other, in one place, of which the compiler knows more
            set_short_row(like, &own, x + k * step, tops[k], raised[k], exponents[k], tile, k * tile_step(like, n))
            if real is f32x:
                add_long_short(add_few_below, 2, <const f64x*>NULL, &own, n, parts + k)
            else:
                add_long_short(add_below, SUMS_BELOW, like, &own, n, parts + k)
        else:
            set_short_row(like, &rows[k], x + k * step, tops[k], raised[k], exponents[k], tile, k * tile_step(like, n))
    if is_few(like, near, n):
        find_few_logs(rows, SHORT_ROWS, n, near == INFINITY)
        for k in range(SHORT_ROWS):
            inverses[k], rests[k] = rows[k].inverse, rows[k].rest
            if logs != NULL:
                logs[k] = rows[k].log_rest
            if not rests[k] < INFINITY:
                return False
        return True
    if not counted:
        sums_below(near == INFINITY, rows, SHORT_ROWS, 0, n, parts, parts + SHORT_ROWS)
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
        if not counted:  # the others were
            sums[count - 1] = splat_f64(n) - sums[count - 1]
            store_f64(totals + SHORT_ROWS + k, sums[count - 1])
        rest = rest_of_sums(sums[0] if real is f32x else below_of(sums, 1), sums[count - 1],
                            power2(-load_f64(raised + k)), load_f64(inverses + k))
        if not all_less(rest, splat_f64(INFINITY)):
            return False
        if real is f64x:
            if near > 0.0 and any_less(rest, exact_below(near, load_f64(tops + k))):
                return False
        store_f64(rests + k, rest)
        k += F64_LANES
    if real is f32x:
        if exactly(like, near) and n > FEW:
            sum_small_again(rows, n, totals + SHORT_ROWS, inverses, rests, near)
    k = 0
    while k < SHORT_ROWS and logs != NULL:
        log_rests(like, near == INFINITY, rests + k, logs + k, SHORT_ROWS - k)
        k += lanes(like)
    return True
