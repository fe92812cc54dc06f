# exponentials.pxd for SHORT_ROWS short rows side by side: the same exponentials and logarithms to the last bit, of rows
# whose exponents are x itself and finite. Where a row is of another kind, a function says False and writes nothing.
from libc.math cimport INFINITY, ldexp

from ..lanes cimport (
    F64_LANES, all_less, at_least, f32x, f64x, load_f64, magnitude, real, splat, splat_f64, store_f64, where_less,
)
from ..loops.operations cimport SHORT, SHORT_ROWS
from ..loops.reductions cimport FOLDED_SUMS, Pair, element, first_lanes, halved, sum_row
from ..loops.registers cimport lanes, load, load_part, skip, store
from ..loops.short_rows cimport add_short, fold_short, short_largest, short_totals
from ..math.exponential cimport nearest
from .exponentials cimport (
    FEW, SUMS_BELOW, add_all, add_below, add_few_below, below_block_wide, below_of, exactly, find_inverses, log_rests,
    rest_of, rest_of_sums, small, sum_below,
)
from .exponents cimport LARGEST_TOP, Exponents, exponents_of, least_of, least_of_zero


cdef inline real present_lanes(const real* like, Py_ssize_t n) noexcept nogil:
    # 1 where the last register of so many elements has one, else 0
    cdef Py_ssize_t part = n % lanes(like)
    cdef real one[1]
    one[0] = splat(one[0], 1.0)
    return first_lanes(one[0], part if part else lanes(like))


cdef inline void short_tops(const real* like, const char* x, Py_ssize_t step, Py_ssize_t n, real* tops) noexcept nogil:
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


cdef inline bint short_exponents(const real* like, Exponents* own, const char* x, Py_ssize_t step, Py_ssize_t n,
                                 double* tops, int* more, double* least) noexcept nogil:
    # find_tops of rows whose exponents are x itself; False where those of a row are not
    cdef real largest[2 * SHORT_ROWS]
    cdef real whole_n[2 * SHORT_ROWS]
    cdef Py_ssize_t r = 0
    short_tops(like, x, step, n, largest)
    while r < SHORT_ROWS:
        if not all_less(magnitude(load(skip(<const real*>largest, r))), splat(largest[0], LARGEST_TOP)):
            return False
        store(<real*>skip(<const real*>whole_n, r), nearest(load(skip(<const real*>largest, r)), 1.4426950408889634))
        r += lanes(like)
    for r in range(SHORT_ROWS):
        own.top = tops[r] = element(<const real*>largest, r)
        more[r] = own.raised - <int>element(<const real*>whole_n, r)
        least[r] = least_of(like, own)
    return True


cdef inline bint short_softmax(const real* like, const char* x, Py_ssize_t step, Py_ssize_t n, real* tile,
                               double* scales) noexcept nogil:
    # every exponential, to rows of SHORT numbers, and 1 over the sum of each row
    cdef Exponents own = exponents_of(like, NULL, NULL, 1.0, 1.0)
    cdef f64x parts[SHORT_ROWS]
    cdef double tops[SHORT_ROWS]
    cdef double least[SHORT_ROWS]
    cdef int more[SHORT_ROWS]
    cdef Py_ssize_t r
    own.plain = True
    if not short_exponents(like, &own, x, step, n, tops, more, least):
        return False
    for r in range(SHORT_ROWS):
        own.x, own.y, own.more = x + r * step, <void*>skip(tile, r * SHORT), more[r]
        own.least = least_of_zero(like, more[r])
        if real is f32x:
            fold_short(add_all[f32x], 1, &own, n, parts + r)
        else:
            add_short(add_all[f64x], 1, like, &own, n, parts + r)
    short_totals(parts, scales)
    r = 0
    while r < SHORT_ROWS:
        if not all_less(load_f64(scales + r), splat_f64(INFINITY)):  # where a NaN was passed over
            return False
        store_f64(scales + r, splat_f64(1.0) / load_f64(scales + r))
        r += F64_LANES
    return True


cdef inline void sum_small_again(Exponents* own, const char* x, Py_ssize_t step, Py_ssize_t n, const double* tops,
                                 const int* more, const double* least, const double* equal, const double* inverses,
                                 double* rests, double near) noexcept nogil:
    # the small sums of rows of float32, in float64; `equal` says how many elements are the largest
    cdef Pair sum
    cdef int k
    for k in range(SHORT_ROWS):
        if small(<const f32x*>NULL, rests[k], tops[k], near, n):
            own.x, own.top, own.more, own.inverse, own.least = x + k * step, tops[k], more[k], inverses[k], least[k]
            sum = sum_row(below_block_wide, <const f32x*>NULL, own, n, 1)
            rests[k] = rest_of(own, Pair(sum.first, equal[k]))


cdef inline bint short_logs(const real* like, Exponents* own, const char* x, Py_ssize_t step, Py_ssize_t n,
                            double* tops, double* inverses, double* rests, double* logs, double near) noexcept nogil:
    # find_tops and find_logs: the largest of each row, and the logarithm of the sum relative to it. Exponentials that
    # are wanted go to rows of SHORT numbers from own.y on. Small sums are exact as in find_logs.
    cdef const real* tile = <const real*>own.y
    cdef f64x parts[SUMS_BELOW * SHORT_ROWS]
    cdef double least[SHORT_ROWS]
    cdef double exponents[SHORT_ROWS]
    cdef double totals[SUMS_BELOW * SHORT_ROWS]
    cdef f64x sums[SUMS_BELOW]
    cdef f64x below[FOLDED_SUMS]
    cdef f64x others[FOLDED_SUMS]
    cdef int more[SHORT_ROWS]
    cdef f64x rest
    cdef f64x lowered = splat_f64(ldexp(1.0, -own.raised))
    cdef int count = 2 if real is f32x else SUMS_BELOW
    cdef Py_ssize_t k, j
    own.plain = True
    if not short_exponents(like, own, x, step, n, tops, more, least):
        return False
    for k in range(SHORT_ROWS):
        own.x, own.top, own.more, own.least = x + k * step, tops[k], more[k], least[k]
        if tile != NULL:
            own.y = <void*>skip(tile, k * SHORT)
        exponents[k] = own.raised - more[k]
        if real is f32x:
            if exactly(like, near) and n <= FEW:
                add_short(add_few_below, 2, <const f64x*>NULL, own, n, parts + k)
            else:
                sum_below(near == INFINITY, own, 0, n, below, others)
                parts[k], parts[SHORT_ROWS + k] = halved(below, FOLDED_SUMS, 1), halved(others, FOLDED_SUMS, 1)
        else:
            add_short(add_below, SUMS_BELOW, like, own, n, parts + k)
    for k in range(count):
        short_totals(parts + k * SHORT_ROWS, totals + k * SHORT_ROWS)
    for k in range(SHORT_ROWS if real is f32x and not (exactly(like, near) and n <= FEW) else 0):
        totals[SHORT_ROWS + k] = n - totals[SHORT_ROWS + k]
    k = 0
    while k < SHORT_ROWS:
        find_inverses(like, near, tops + k, exponents + k, inverses + k, SHORT_ROWS - k)
        k += lanes(like)
    k = 0
    while k < SHORT_ROWS:
        for j in range(count):
            sums[j] = load_f64(totals + j * SHORT_ROWS + k)
        rest = rest_of_sums(sums[0] if real is f32x else below_of(sums, 1), sums[count - 1], lowered,
                            load_f64(inverses + k))
        if not all_less(rest, splat_f64(INFINITY)):
            return False
        store_f64(rests + k, rest)
        k += F64_LANES
    if real is f32x:
        if exactly(like, near) and n > FEW:
            sum_small_again(own, x, step, n, tops, more, least, totals + SHORT_ROWS, inverses, rests, near)
    k = 0
    while k < SHORT_ROWS:
        log_rests(like, near == INFINITY, rests + k, logs + k, SHORT_ROWS - k)
        k += lanes(like)
    return True
