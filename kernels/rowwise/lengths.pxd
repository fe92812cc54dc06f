# Rows over their length, the sum of magnitudes (p = 1) or the root of the sum of squares (p = 2), and the gradient.
# Which rows, dtypes and strides is loops/rows.pxd; the order of sums is loops/reductions.pxd.
from libc.math cimport ldexp, sqrt

from ..lanes cimport f32x, f64x, fma, magnitude, real, splat, splat_f64, where_less, with_sign
from ..loops.operations cimport Operands
from ..loops.reductions cimport Pair, first_lanes, map_block, map_row, sum_block, sum_row, take, wide

cdef struct Length:
    const void* grad
    const void* x
    double p
    double scale  # a power of two that the row is multiplied by: 1 but for rows near the ends of the exponent range
    double inverse  # of the length of the scaled row
    double pull  # backward: what is taken off along the row


cdef inline void add_power(const real* like, const void* row, Py_ssize_t i, Py_ssize_t n,
                           f64x* sums) noexcept nogil:
    cdef f64x x = magnitude(wide(<const real*>(<const Length*>row).x, i, n) * splat_f64((<const Length*>row).scale))
    if (<const Length*>row).p == 2.0:
        x = x * x
    sums[0] = sums[0] + x


cdef inline void add_grad(const real* like, const void* row, Py_ssize_t i, Py_ssize_t n,
                          f64x* sums) noexcept nogil:
    cdef f64x x = wide(<const real*>(<const Length*>row).x, i, n) * splat_f64((<const Length*>row).scale)
    cdef f64x grad = wide(<const real*>(<const Length*>row).grad, i, n)
    sums[0] = sums[0] + (x * first_lanes(splat_f64((<const Length*>row).inverse), n)) * grad


cdef inline Pair powers(const real* like, const void* row, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    cdef Length own = (<const Length*>row)[0]
    return sum_block(add_power[real], 1, like, &own, start, n)


cdef inline Pair grads(const real* like, const void* row, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    cdef Length own = (<const Length*>row)[0]
    return sum_block(add_grad[real], 1, like, &own, start, n)


cdef inline real over_length(const real* like, const void* row, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    cdef real x = take(<const real*>(<const Length*>row).x, i, n)
    return x * splat(x, (<const Length*>row).scale) * splat(x, (<const Length*>row).inverse)


cdef inline real slope(const real* like, const void* row, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    # (grad - along * pull) / length, along = x / length (p = 2) or the sign of x (p = 1)
    cdef const Length* length = <const Length*>row
    cdef real x = take(<const real*>length.x, i, n), grad = take(<const real*>length.grad, i, n)
    cdef real zero = splat(x, 0.0), along
    if length.p == 2.0:
        along = x * splat(x, length.scale) * splat(x, length.inverse)
    else:
        along = where_less(zero, magnitude(x), with_sign(splat(x, 1.0), x), x)
    return fma(-along, splat(x, length.pull), grad) * splat(x, length.inverse) * splat(x, length.scale)


cdef inline void over_length_block(real* y, const void* row, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    cdef Length own = (<const Length*>row)[0]
    map_block(over_length[real], y, &own, start, n, False)


cdef inline void slope_block(real* y, const void* row, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    cdef Length own = (<const Length*>row)[0]
    map_block(slope[real], y, &own, start, n, False)


cdef inline bint measure(const real* like, Length* length, double eps, Py_ssize_t n, int threads) noexcept nogil:
    # sets scale and inverse; whether the row is at least eps long
    cdef double total, least = -100 if real is f32x else -900, most = 100 if real is f32x else 900
    length.scale = 1.0
    total = sum_row(powers[real], like, length, n, threads).first
    if not (ldexp(1.0, <int>least) <= total and total <= ldexp(1.0, <int>most)):
        if real is f32x:
            length.scale = ldexp(1.0, 60) if total < 1.0 else ldexp(1.0, -60)
        else:
            length.scale = ldexp(1.0, 600) if total < 1.0 else ldexp(1.0, -600)
        total = sum_row(powers[real], like, length, n, threads).first
    if length.p == 2.0:
        total = sqrt(total)
    length.inverse = 1.0 / (eps * length.scale if total < eps * length.scale else total)
    return total >= eps * length.scale


cdef inline void normalize_rows(const real* like, Operands* p, Py_ssize_t rows, Py_ssize_t n,
                                int threads) noexcept nogil:
    # x, p, eps -> y
    cdef Length length
    cdef Py_ssize_t r
    for r in range(rows):
        length = Length(NULL, p[r][0], (<double*>p[r][1])[0], 1.0, 0.0, 0.0)
        measure(like, &length, (<double*>p[r][2])[0], n, threads)
        map_row(over_length_block[real], <real*>p[r][3], &length, n, threads)


cdef inline void normalize_backward_rows(const real* like, Operands* p, Py_ssize_t rows, Py_ssize_t n,
                                         int threads) noexcept nogil:
    # grad, x, p, eps -> grad_x
    cdef Length length
    cdef Py_ssize_t r
    for r in range(rows):
        length = Length(p[r][0], p[r][1], (<double*>p[r][2])[0], 1.0, 0.0, 0.0)
        if measure(like, &length, (<double*>p[r][3])[0], n, threads):
            length.pull = sum_row(grads[real], like, &length, n, threads).first
        map_row(slope_block[real], <real*>p[r][4], &length, n, threads)
