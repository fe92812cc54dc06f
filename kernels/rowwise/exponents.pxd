# What the exponentials of a row follow from: its exponents, sign * x - shift, the largest of them, and the powers of
# two by which exponentials are multiplied, so that none is subnormal before it meets its scale: it is rounded there,
# once. Their sums are exponentials.pxd.
from libc.math cimport INFINITY, NAN, fabs, frexp

from ..lanes cimport (
    at_least, at_most, exponent, f32x, f64x, fma, magnitude, pick, real, splat, splat_f32, splat_f64, where_less,
)
from ..loops.registers cimport lanes, load, load_part, skip, store, store_part
from ..loops.reductions cimport Pair, first_lanes, largest_lane, merge_row, take
from ..math.exponential cimport nearest

cdef enum:
    LARGEST_TOP = 1 << 20  # up to which the largest x of a row needs no shift

cdef struct Exponents:
    const void* x
    void* y  # where the exponentials go; NULL where only their sum is wanted
    double sign  # 1, or -1 for softmin
    double scale  # what the exponentials will be multiplied by, beside one over their sum
    double shift
    bint plain  # whether exponents are x itself: sign 1 and shift 0
    double top  # the largest sign * x; NaN where that is infinite and the row has a NaN
    double top_n  # n of e^(top - shift) = 2^n (1 + p)
    int raised  # exponentials are multiplied by 2^raised
    int more  # and divided by 2^top_n: both together are a factor of 2^more
    double least  # an exponent below this gives 0 after scaling
    double inverse  # 2^top_n / e^(top - shift)
    double rest  # sum(e^(x - top)) - 1
    double log_rest  # log(1 + rest)


cdef inline Exponents exponents_of(const real* like, const void* x, void* y, double sign, double scale) noexcept nogil:
    # The larger the scale, the more the exponentials are raised: scaled back, that of the least exponent is 0.
    cdef int size = 0
    if fabs(scale) < INFINITY:
        frexp(scale, &size)
    if real is f32x:
        size = min(max(size + 32, 0), 100)
    else:
        size = min(max(size + 128, 0), 900)
    return Exponents(x, y, sign, scale, 0.0, False, 0.0, 0.0, size, 0, 0.0, 1.0, 0.0, 0.0)


cdef inline f64x raised_by_scale(const real* like, f64x scale) noexcept nogil:
    # `raised` of rows of these scales, for which the size of 0 and of what is not finite is 0
    cdef f64x size = magnitude(scale), none = splat_f64(-1.0)
    size = where_less(splat_f64(0.0), size, where_less(
        size, splat_f64(INFINITY), exponent(at_least(size, splat_f64(2.2250738585072014e-308))), none), none)
    if real is f32x:
        return at_most(at_least(size + splat_f64(33.0), splat_f64(0.0)), splat_f64(100.0))
    else:
        return at_most(at_least(size + splat_f64(129.0), splat_f64(0.0)), splat_f64(900.0))


cdef inline real top_of(const real* x, real sign, Py_ssize_t i, Py_ssize_t n, real top) noexcept nogil:
    # lanes without an element repeat element i
    cdef real padded[1]
    if n == lanes(x):
        return at_least(load(skip(x, i)) * sign, top)
    if real is f32x:
        store(padded, splat_f32((<const float*>x)[i]))
    else:
        store(padded, splat_f64((<const double*>x)[i]))
    store_part(padded, load_part(skip(x, i), n), n)
    return at_least(load(<const real*>padded) * sign, top)


cdef inline Pair top_block(const real* like, const void* context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    # the largest of a block; a NaN may be missed here, since the sum will be NaN
    cdef Exponents own = (<const Exponents*>context)[0]
    cdef const real* x = <const real*>own.x
    cdef Py_ssize_t i = start, stop = start + n, width = lanes(x)
    cdef real best[4]
    cdef real sign
    cdef int k
    for k in range(4):
        best[k] = splat(best[k], -INFINITY)
    sign = splat(best[0], own.sign)
    while i + 4 * width <= stop:
        for k in range(4):
            best[k] = top_of(x, sign, i + k * width, width, best[k])
        i += 4 * width
    while i < stop:
        best[0] = top_of(x, sign, i, min(stop - i, width), best[0])
        i += width
    return Pair(largest_lane(at_least(at_least(best[0], best[1]), at_least(best[2], best[3]))), 0.0)


cdef inline Pair larger(Pair a, Py_ssize_t a_size, Pair b, Py_ssize_t b_size) noexcept nogil:
    return a if a.first > b.first else b


cdef inline void put_exponential(const Exponents* row, real y, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    # where that is asked for
    if row.y != NULL:
        if n == lanes(&y):
            store(<real*>skip(<const real*>row.y, i), y)
        else:
            store_part(<real*>skip(<const real*>row.y, i), y, n)


cdef inline real exponent_at(const real* like, const Exponents* row, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    # sign * x - shift; 0 where there is no element, since a shift of 1e38 alone would overflow there
    cdef real x = take(<const real*>row.x, i, n)
    return x if row.plain else first_lanes(fma(x, splat(x, row.sign), splat(x, -row.shift)), n)


cdef inline double least_below(const real* like, int raised) noexcept nogil:
    # how far below the largest an exponent gives 0 after scaling
    cdef double below = (raised + (124 if real is f32x else 1020)) * 0.6931471805599453
    return <float>below if real is f32x else below


cdef inline double least_of(const real* like, const Exponents* row) noexcept nogil:
    return (row.top - row.shift) - least_below(like, row.raised)


cdef inline double least_of_zero(const real* like, int more) noexcept nogil:
    # An exponent below this gives 0 before scaling, in `add_all`: there the power of two is 0. A product that
    # underflows takes some processors longer than others do, and in masked rows there are many.
    if real is f32x:
        return <float>-(more + 127) * <float>0.6931471805599453
    else:
        return -(more + 1023) * 0.6931471805599453


cdef inline real least_of_zeros(real more) noexcept nogil:
    # the same of each lane
    return -(more + pick(more, 127.0, 1023.0)) * splat(more, 0.6931471805599453)


cdef inline double largest(const real* like, const Exponents* row, Py_ssize_t n, int threads) noexcept nogil:
    return merge_row(top_block[real], larger, like, row, n, threads).first


cdef inline void set_top(const real* like, Exponents* row) noexcept nogil:
    # finds e^shift and 2^top_n, by which all exponentials are divided
    cdef double n[16]
    row.shift = row.top if fabs(row.top) > LARGEST_TOP else 0.0
    if real is f32x:
        store(<real*>n, nearest(splat_f32(<float>(row.top - row.shift)), 1.4426950408889634))
        row.top_n = (<float*>n)[0]
    else:
        store(<real*>n, nearest(splat_f64(row.top - row.shift), 1.4426950408889634))
        row.top_n = n[0]
    row.least = least_of(like, row)
    if fabs(row.top) < INFINITY:
        row.more = row.raised - <int>row.top_n


cdef inline void find_tops(const real* like, Exponents* rows, Py_ssize_t count, Py_ssize_t n,
                           int threads) noexcept nogil:
    cdef Py_ssize_t r
    for r in range(count):
        rows[r].top = largest(like, &rows[r], n, threads)
    for r in range(count):
        set_top(like, &rows[r])


cdef inline double top_not_finite(const real* x, const Exponents* row, Py_ssize_t n) noexcept nogil:
    # the logarithm of the sum where the largest is infinite: NaN where the row has one
    cdef Py_ssize_t i
    for i in range(n):
        if real is f32x:
            if (<const float*>x)[i] != (<const float*>x)[i]:
                return NAN
        else:
            if (<const double*>x)[i] != (<const double*>x)[i]:
                return NAN
    return row.top


cdef inline void end_not_finite(const real* like, Exponents* row, Py_ssize_t n) noexcept nogil:
    # the same, and exponentials that are wanted: NaN, as what they are multiplied by, or else what stood there before
    # would show in the bits of the product
    cdef Py_ssize_t i
    row.top = top_not_finite(<const real*>row.x, row, n)
    for i in range(n if row.y != NULL else 0):
        if real is f32x:
            (<float*>row.y)[i] = NAN
        else:
            (<double*>row.y)[i] = NAN
