# exponentials.pxd for neighbouring rows, a row in each lane: the same exponentials to the last bit, of rows whose
# exponents are x itself and finite. Where a row is of another kind, a function says False and writes nothing.
# Logarithms of their sums are column_logs.pxd.
from libc.math cimport INFINITY

from ..lanes cimport (
    all_less, at_least, at_most, f32x, f64x, fma, magnitude, power2, real, splat, splat_f64,
)
from ..loops.columns cimport MOST_HALVES, halves, narrowed, sum_columns
from ..loops.operations cimport MOST_REGISTERS
from ..loops.registers cimport lanes, load, skip, store
from ..math.exponential cimport nearest, nearest_sum, power2_of_sum, raised_by
from .exponential_parts cimport exp_rest_of
from .exponents cimport LARGEST_TOP, exponents_of, least_below, least_of_zeros, raised_by_scale

cdef enum:
    REGISTER = 8  # float64 numbers that any register fits in
    SIDE_BY_SIDE = 8  # registers of rows whose largest are found at once

cdef struct Columns:
    const char* x
    Py_ssize_t stride  # from one element of a row to the next
    Py_ssize_t apart  # from one register of rows to the next
    Py_ssize_t ahead  # from these rows to those that are prefetched while their exponentials are added, or 0
    void* y  # where exponentials go, a register for each element and row; NULL where only their sum is wanted
    int raised  # exponentials are multiplied by 2^raised
    const f64x* scales  # or what follows from the scale of each row, which is finite, where this is not NULL
    int half  # which half of the lanes is taken as float64, of rows of float32
    # a register each:
    double[REGISTER] top
    double[REGISTER] power  # what e^x is multiplied by, beside 2^n of it
    double[REGISTER] least  # an exponent below this gives 0 after scaling


cdef inline Columns columns_of(const real* like, const char* x, Py_ssize_t stride, void* y,
                               double scale) noexcept nogil:
    cdef Columns own
    own.x, own.stride, own.apart, own.ahead = x, stride, sizeof(real), 0
    own.y, own.half, own.scales = y, 0, NULL
    own.raised = exponents_of(like, NULL, NULL, 1.0, scale).raised
    return own


cdef inline void set_register(const real* like, const Columns* columns, int k, Py_ssize_t n,
                              Columns* own) noexcept nogil:
    # the k-th register of them, but for what follows from its largest: to a place, since copies of all take long
    own.x, own.stride, own.apart = columns.x + k * columns.apart, columns.stride, columns.apart
    own.ahead = columns.ahead
    own.y, own.raised, own.half, own.scales = NULL, columns.raised, columns.half, NULL
    if columns.y != NULL:
        own.y = <void*>skip(<const real*>columns.y, k * n * lanes(like))
    if columns.scales != NULL:
        own.scales = columns.scales + k * halves(like)


cdef inline bint set_scales(const real* like, Columns* own, const f64x* scales, int count) noexcept nogil:
    # lets each row have a scale; False where one is so large that its factor may be infinite, or NaN
    cdef int k
    for k in range(count):
        if not all_less(magnitude(scales[k]), splat_f64(1e30 if real is f32x else 1e300)):
            return False
    own.scales = scales
    return True


cdef inline f64x raised_of(const real* like, const Columns* own, int half) noexcept nogil:
    # `raised` of half of the lanes
    return splat_f64(own.raised) if own.scales == NULL else raised_by_scale(like, own.scales[half])


cdef inline f64x least_below_of(const real* like, f64x raised) noexcept nogil:
    # least_below
    return (raised + splat_f64(124.0 if real is f32x else 1020.0)) * splat_f64(0.6931471805599453)


cdef inline void set_tops(real top, Columns* own) noexcept nogil:
    # what follows from the largest of each row
    cdef real sum = nearest_sum(-top, 1.4426950408889634)
    cdef f64x powers[MOST_HALVES]
    cdef f64x below[MOST_HALVES]
    cdef int half
    store(<real*>own.top, top)
    if own.scales == NULL:
        store(<real*>own.power, power2_of_sum(sum, own.raised))
        store(<real*>own.least, top - splat(top, least_below(&top, own.raised)))
        return
    for half in range(halves(&top)):
        below[half] = raised_of(&top, own, half)
        powers[half] = power2(below[half])
        below[half] = least_below_of(&top, below[half])
    store(<real*>own.power, raised_by(narrowed(&top, powers), sum))
    store(<real*>own.least, top - narrowed(&top, below))


cdef inline real more_of(const real* like, const Columns* own) noexcept nogil:
    # `more` of exponents.pxd, for each row
    cdef f64x raised[MOST_HALVES]
    cdef real top_n = nearest(load(<const real*>own.top), 1.4426950408889634), more = splat(top_n, own.raised)
    cdef int half
    if own.scales != NULL:
        for half in range(halves(like)):
            raised[half] = raised_of(like, own, half)
        more = narrowed(like, raised)
    return more - top_n


cdef inline bint largest_of_some(const real* like, const char* x, const Columns* columns, int registers, Py_ssize_t n,
                                 real* tops, real* seconds) noexcept nogil:
    # largest_columns of up to SIDE_BY_SIDE registers, a number that the compiler knows
    cdef real[SIDE_BY_SIDE] best, second
    cdef real value
    cdef Py_ssize_t _i
    cdef int r
    cdef bint finite = True
    for r in range(SIDE_BY_SIDE):
        best[r] = second[r] = splat(best[r], -INFINITY)
    for _i in range(n):
        for r in range(SIDE_BY_SIDE):
            if r < registers:
                value = load(<const real*>(x + r * columns.apart))
                second[r] = at_least(at_most(value, best[r]), second[r])
                best[r] = at_least(value, best[r])
        x += columns.stride
    for r in range(SIDE_BY_SIDE):
        if r < registers:
            tops[r] = best[r]
            if seconds != NULL:
                seconds[r] = second[r]
            finite &= all_less(magnitude(best[r]), splat(best[r], LARGEST_TOP))
    return finite


cdef inline bint largest_columns(const real* like, const Columns* columns, int registers, Py_ssize_t n, real* tops,
                                 real* seconds) noexcept nogil:
    # The largest of each row and, where that is wanted, the largest of the others. False where it is beyond what is
    # computed without a shift; a NaN may be passed over. An element of some registers is read before the next, since
    # they are neighbours in memory.
    cdef const char* x = columns.x
    cdef int first = 0
    while first + SIDE_BY_SIDE <= registers:
        if not largest_of_some(like, x, columns, SIDE_BY_SIDE, n, tops + first,
                               NULL if seconds == NULL else seconds + first):
            return False
        first += SIDE_BY_SIDE
        x += SIDE_BY_SIDE * columns.apart
    while first < registers:
        if not largest_of_some(like, x, columns, 1, n, tops + first, NULL if seconds == NULL else seconds + first):
            return False
        first += 1
        x += columns.apart
    return True


cdef inline bint find_column_tops(const real* like, const Columns* columns, Columns* own, int registers,
                                  Py_ssize_t n) noexcept nogil:
    # sets out each register of them
    cdef real tops[MOST_REGISTERS]
    cdef int r
    if not largest_columns(like, columns, registers, n, tops, NULL):
        return False
    for r in range(registers):
        set_register(like, columns, r, n, &own[r])
        set_tops(tops[r], &own[r])
    return True


cdef inline void add_column(const real* like, const void* context, Py_ssize_t i, real* sums) noexcept nogil:
    cdef const Columns* own = <const Columns*>context
    cdef real x = load(<const real*>(own.x + i * own.stride)), sum
    cdef real p = exp_rest_of(x, load(<const real*>own.least), &sum), power = raised_by(
        load(<const real*>own.power), sum)
    p = fma(p, power, power)
    store(<real*>skip(<const real*>own.y, i * lanes(like)), p)
    sums[0] = sums[0] + p


cdef inline bint column_softmax(const real* like, const Columns* columns, int registers, Py_ssize_t n,
                                f64x* scales) noexcept nogil:
    # every exponential, and the scale of each row, or 1, over its sum
    cdef Columns own[MOST_REGISTERS]
    cdef int k
    if not find_column_tops(like, columns, own, registers, n):
        return False
    for k in range(registers if columns.scales != NULL else 0):
        store(<real*>own[k].least, least_of_zeros(more_of(like, &own[k])))  # zeros as in rows, if a scale is negative
    for k in range(registers):
        sum_columns(add_column[f32x], add_column[f64x], 1, 0, like, &own[k], n, scales + k * halves(like))
    for k in range(registers * halves(like)):
        if not all_less(scales[k], splat_f64(INFINITY)):  # where a NaN was passed over
            return False
        scales[k] = (splat_f64(1.0) if columns.scales == NULL else columns.scales[k]) / scales[k]
    return True
