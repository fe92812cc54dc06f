# The exponentials of a row, which softmax and the losses share: their largest exponent, their sum, and the logarithm
# of their sum. Gufuncs are in softmax.pyx and losses.pyx, the order of sums in reductions.pxd.
#
# e^x is 2^n (1 + r), so e^(x - top) is had from e^x by subtracting whole numbers: x - top is never formed, and what its
# rounding would cost (the size of x - top, in ULP) is not paid. Only beyond |top| = 2^20, where n ln 2 is
# no longer exact, is the row shifted first.
from libc.math cimport INFINITY, NAN, fabs

from .elementary cimport exp_parts, exp_rest, less_ln2, log1p, nearest, whole
from .lanes cimport at_least, f32x, f64x, fma, real, scale2, splat, splat_f32, splat_f64, store_f64, where_less
from .loops cimport lanes, load, load_part, skip, store, store_part
from .reductions cimport Pair, first_lanes, fold_block, merge_row, sum_block, sum_row, take

cdef extern from "<math.h>" nogil:
    float nextafterf(float x, float y)
    double nextafter(double x, double y)

cdef struct Exponents:
    const void* x
    void* y  # where the exponentials go; NULL where only their sum is wanted
    double sign  # 1, or -1 for softmin
    double shift
    double top  # the largest sign * x
    double top_n  # of e^(top - shift) = 2^n (1 + r)
    double least  # below this, e^(x - top) is 0
    double below_top  # the next number below top - shift


cdef inline real top_of(const real* x, real sign, Py_ssize_t i, Py_ssize_t n, real top) noexcept nogil:
    # lanes without an element repeat the first
    cdef real padded[1]
    if n == lanes(x):
        return at_least(load(skip(x, i)) * sign, top)
    if real is f32x:
        store(padded, splat_f32((<const float*>x)[i]))
    else:
        store(padded, splat_f64((<const double*>x)[i]))
    store_part(padded, load_part(skip(x, i), n), n)
    return at_least(load(<const real*>padded) * sign, top)


cdef inline Pair top_block(const real* like, const void* row, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    # the largest of a block; a NaN may be passed over, since the sum will find it
    cdef Exponents own = (<const Exponents*>row)[0]
    cdef const real* x = <const real*>own.x
    cdef double largest[16]
    cdef double top = -INFINITY, value
    cdef Py_ssize_t i = start, stop = start + n, width = lanes(x), k
    cdef real none = splat(first_lanes(take(x, start, 1), 0), -INFINITY)
    cdef real sign = splat(none, own.sign), a = none, b = none, c = none, d = none
    while i + 4 * width <= stop:
        a = top_of(x, sign, i, width, a)
        b = top_of(x, sign, i + width, width, b)
        c = top_of(x, sign, i + 2 * width, width, c)
        d = top_of(x, sign, i + 3 * width, width, d)
        i += 4 * width
    while i < stop:
        a = top_of(x, sign, i, min(stop - i, width), a)
        i += width
    store(<real*>largest, at_least(at_least(a, b), at_least(c, d)))
    for k in range(width):
        if real is f32x:
            value = (<float*>largest)[k]
        else:
            value = largest[k]
        if value > top:
            top = value
    return Pair(top, 0.0)


cdef inline Pair larger(Pair a, Py_ssize_t a_size, Pair b, Py_ssize_t b_size) noexcept nogil:
    return a if a.first > b.first else b


cdef inline real exponential(const real* like, const Exponents* row, real x, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    # e^x / 2^top_n of a shifted x, stored where that is asked for
    cdef real rest, sum
    cdef real r = exp_parts(at_least(x, splat(x, row.least)), &rest, &sum)
    cdef real y = scale2(splat(x, 1.0) + (r + rest), whole(sum) - splat(x, row.top_n))
    if row.y != NULL and n == lanes(like):
        store(<real*>skip(<const real*>row.y, i), y)
    elif row.y != NULL:
        store_part(<real*>skip(<const real*>row.y, i), y, n)
    return y


cdef inline real shifted(const real* like, const Exponents* row, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    cdef real x = take(<const real*>row.x, i, n)
    return fma(x, splat(x, row.sign), splat(x, -row.shift))


cdef inline void add_all(const real* like, const void* row, Py_ssize_t i, Py_ssize_t n, real* sums,
                         real* unused) noexcept nogil:
    cdef const Exponents* own = <const Exponents*>row
    sums[0] = sums[0] + first_lanes(exponential(like, own, shifted(like, own, i, n), i, n), n)


cdef inline void add_below(const real* like, const void* row, Py_ssize_t i, Py_ssize_t n, real* sums,
                           real* counts) noexcept nogil:
    cdef const Exponents* own = <const Exponents*>row
    cdef real x = shifted(like, own, i, n), zero = splat(x, 0.0), below_top = splat(x, own.below_top)
    cdef real y = exponential(like, own, x, i, n)
    sums[0] = sums[0] + first_lanes(where_less(below_top, x, zero, y), n)
    counts[0] = counts[0] + where_less(below_top, x, first_lanes(splat(x, 1.0), n), zero)


cdef inline Pair sum_terms(
        void (*folded)(const f32x*, const void*, Py_ssize_t, Py_ssize_t, f32x*, f32x*) noexcept nogil,
        void (*added)(const f64x*, const void*, Py_ssize_t, Py_ssize_t, f64x*, f64x*) noexcept nogil, bint both,
        const real* like, const void* row, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    # one or both sums of a block, for terms of either precision
    cdef Exponents own = (<const Exponents*>row)[0]
    if real is f32x:
        return fold_block(folded, both, &own, start, n)
    else:
        return sum_block(added, like, &own, start, n)


cdef inline Pair all_block(const real* like, const void* row, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    # every exponential, stored; their sum
    return sum_terms(add_all[f32x], add_all[f64x], False, like, row, start, n)


cdef inline Pair below_block(const real* like, const void* row, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    # the sum without the largest, and how many are the largest
    return sum_terms(add_below[f32x], add_below[f64x], True, like, row, start, n)


cdef inline bint find_top(const real* like, Exponents* row, Py_ssize_t n, int threads) noexcept nogil:
    # sets what the exponentials are taken relative to; False where the largest is infinite, or nothing but NaN is there
    cdef double last[16]
    cdef real top
    row.top = merge_row(top_block[real], larger, like, row, n, threads).first
    row.shift = row.top if fabs(row.top) > 1048576.0 else 0.0
    if real is f32x:
        top = splat_f32(<float>(row.top - row.shift))
        row.below_top = nextafterf(<float>(row.top - row.shift), -INFINITY)
        store(<real*>last, nearest(top, 1.4426950408889634))
        row.top_n = (<float*>last)[0]
        row.least = (row.top - row.shift) - 200.0
    else:
        top = splat_f64(row.top - row.shift)
        row.below_top = nextafter(row.top - row.shift, -INFINITY)
        store(<real*>last, nearest(top, 1.4426950408889634))
        row.top_n = last[0]
        row.least = (row.top - row.shift) - 1500.0
    return fabs(row.top) < INFINITY


cdef inline double top_mantissa(const Exponents* row) noexcept nogil:
    # e^(top - shift) / 2^top_n
    cdef double value[16]
    cdef f64x low, r = less_ln2(splat_f64(row.top - row.shift), splat_f64(row.top_n), &low)
    store_f64(value, splat_f64(1.0) + (r + exp_rest(r, low)))
    return value[0]


cdef inline double log1p_of(double x) noexcept nogil:
    # by the project's own, so that every machine has the same bits
    cdef double value[16]
    store_f64(value, log1p(splat_f64(x)))
    return value[0]


cdef inline double others(const real* like, Exponents* row, Py_ssize_t n, int threads) noexcept nogil:
    # the sum of e^(x - top) without one of the largest, so that log1p of it is right where the largest is nearly all
    cdef Pair sums = sum_row(below_block[real], like, row, n, threads)
    return sums.first / top_mantissa(row) + (sums.second - 1.0)


cdef inline double top_not_finite(const real* x, const Exponents* row, Py_ssize_t n) noexcept nogil:
    # the logarithm of the sum where the largest is infinite: NaN where there is one
    cdef Py_ssize_t i
    for i in range(n):
        if real is f32x:
            if (<const float*>x)[i] != (<const float*>x)[i]:
                return NAN
        else:
            if (<const double*>x)[i] != (<const double*>x)[i]:
                return NAN
    return row.top
