# exponentials.pxd for neighbouring rows, a row in each lane: the same exponentials and logarithms to the last bit, of
# rows whose exponents are x itself and finite. Where a row is of another kind, a function says False and writes
# nothing.
from libc.math cimport INFINITY, ldexp

from ..lanes cimport all_less, any_less, at_least, f32x, f64x, fma, magnitude, real, splat, splat_f64, where_less
from ..loops.columns cimport HALVES, MOST_LANES, add_columns, halves, narrowed, sum_columns, wide_halves, widened
from ..loops.registers cimport lanes, load, skip, store
from ..math.exponential cimport nearest, nearest_sum, power2_of_sum, raised_by
from ..math.logarithm cimport log1p
from .exponentials cimport (
    LARGEST_TOP, add_to_three, exp_rest_of, exponents_of, least_below, mantissa_of, rest_of_sums,
)

cdef enum:
    REGISTER = 8  # float64 numbers that any register fits in

cdef struct Columns:
    const char* x
    Py_ssize_t stride  # from one element of a row to the next
    void* y  # where the exponentials go, a register for each element; NULL where only their sum is wanted
    int raised  # exponentials are multiplied by 2^raised
    int half  # which half of the lanes is taken as float64, of rows of float32
    # a register each:
    double[REGISTER] top
    double[REGISTER] power  # what e^x is multiplied by, beside 2^n of it
    double[REGISTER] least  # an exponent below this gives 0 after scaling


cdef inline Columns columns_of(const real* like, const char* x, Py_ssize_t stride, void* y,
                               double scale) noexcept nogil:
    cdef Columns own
    own.x, own.stride, own.y, own.half = x, stride, y, 0
    own.raised = exponents_of(like, NULL, NULL, 1.0, scale).raised
    return own


cdef inline void set_tops(real top, Columns* own) noexcept nogil:
    # what follows from the largest of each row
    cdef f64x wide[MOST_LANES]
    cdef int half
    wide_halves(top, wide)
    for half in range(halves(&top)):
        wide[half] = wide[half] - splat_f64(least_below(&top, own.raised))
    store(<real*>own.top, top)
    store(<real*>own.power, power2_of_sum(nearest_sum(-top, 1.4426950408889634), own.raised))
    store(<real*>own.least, narrowed(&top, wide))


cdef inline bint find_column_tops(const real* like, Columns* own, Py_ssize_t n) noexcept nogil:
    # False where the largest of a row is beyond what is computed without a shift; a NaN may be passed over
    cdef real best[4]
    cdef real top
    cdef Py_ssize_t i = 0
    cdef int k
    for k in range(4):
        best[k] = splat(top, -INFINITY)
    while i + 4 <= n:
        for k in range(4):
            best[k] = at_least(load(<const real*>(own.x + (i + k) * own.stride)), best[k])
        i += 4
    while i < n:
        best[0] = at_least(load(<const real*>(own.x + i * own.stride)), best[0])
        i += 1
    top = at_least(at_least(best[0], best[1]), at_least(best[2], best[3]))
    if not all_less(magnitude(top), splat(top, LARGEST_TOP)):
        return False
    set_tops(top, own)
    return True


cdef inline real exponential_of(real x, const Columns* own, real* power) noexcept nogil:
    # p, with e^x 2^more = power (1 + p)
    cdef real sum
    cdef real p = exp_rest_of(x, load(<const real*>own.least), &sum)
    power[0] = raised_by(load(<const real*>own.power), sum)
    return p


cdef inline void put_exponential(real p, real power, const Columns* own, Py_ssize_t i) noexcept nogil:
    if own.y != NULL:
        store(<real*>skip(<const real*>own.y, i * lanes(&p)), fma(p, power, power))


cdef inline void add_column(const real* like, const void* context, Py_ssize_t i, real* sums) noexcept nogil:
    cdef const Columns* own = <const Columns*>context
    cdef real power
    cdef real p = exponential_of(load(<const real*>(own.x + i * own.stride)), own, &power)
    put_exponential(p, power, own, i)
    sums[0] = sums[0] + fma(p, power, power)


cdef inline void add_column_below(const real* like, const void* context, Py_ssize_t i, real* sums) noexcept nogil:
    cdef const Columns* own = <const Columns*>context
    cdef real x = load(<const real*>(own.x + i * own.stride)), power
    cdef real p = exponential_of(x, own, &power)
    put_exponential(p, power, own, i)
    add_to_three(p, power, x, load(<const real*>own.top), lanes(like), sums)


cdef inline void add_column_below_wide(const f64x* like, const void* context, Py_ssize_t i, f64x* sums) noexcept nogil:
    # the same in float64, of half of the lanes of rows of float32
    cdef const Columns* own = <const Columns*>context
    cdef f64x x = widened(<const float*>(own.x + i * own.stride), own.half), power
    cdef f64x p = exponential_of(x, own, &power)
    add_to_three(p, power, x, load(<const f64x*>own.top), lanes(like), sums)


cdef inline bint column_softmax(const real* like, const Columns* columns, Py_ssize_t n, f64x* scales) noexcept nogil:
    # every exponential, and 1 over the sum of each row
    cdef Columns own = columns[0]
    cdef int half
    if not find_column_tops(like, &own, n):
        return False
    sum_columns(add_column[f32x], add_column[f64x], 1, 0, like, &own, n, scales)
    for half in range(halves(like)):
        if not all_less(scales[half], splat_f64(INFINITY)):  # where a NaN was passed over
            return False
        scales[half] = splat_f64(1.0) / scales[half]
    return True


cdef inline f64x small_rest(const Columns* columns, f64x top, f64x mantissa, double lowered, f64x rest, int half,
                            Py_ssize_t n) noexcept nogil:
    # the small sums of half of the rows of float32, in float64
    cdef Columns own = columns[0]
    cdef f64x totals[3]
    own.half = half
    set_tops(top, &own)
    add_columns(add_column_below_wide, 3, 1, &own, n, totals)
    return where_less(rest, splat_f64(2.0), rest_of_sums(totals[0], totals[1], totals[2], lowered, mantissa), rest)


cdef inline bint column_logs(const real* like, const Columns* columns, Py_ssize_t n, f64x* tops, f64x* mantissas,
                             f64x* rests, f64x* logs, bint careful) noexcept nogil:
    # find_tops and find_logs: the largest of each row, and the logarithm of the sum relative to it. Small sums of
    # float32 are taken again where it is to be careful.
    cdef Columns own = columns[0]
    cdef f64x totals[3 * MOST_LANES]
    cdef f64x exponents[MOST_LANES]
    cdef double lowered = ldexp(1.0, -own.raised)
    cdef int half, count = halves(like)
    if not find_column_tops(like, &own, n):
        return False
    wide_halves(load(<const real*>own.top), tops)
    wide_halves(nearest(load(<const real*>own.top), 1.4426950408889634), exponents)
    sum_columns(add_column_below[f32x], add_column_below[f64x], 3, 1, like, &own, n, totals)
    for half in range(count):
        mantissas[half] = mantissa_of(tops[half], exponents[half])
        rests[half] = rest_of_sums(totals[half], totals[count + half], totals[2 * count + half], lowered,
                                   mantissas[half])
        if not all_less(rests[half], splat_f64(INFINITY)):
            return False
    for half in range(count):
        if real is f32x:
            if careful and any_less(rests[half], splat_f64(2.0)):
                rests[half] = small_rest(&own, tops[half], mantissas[half], lowered, rests[half], half, n)
        logs[half] = log1p(rests[half])
    return True
