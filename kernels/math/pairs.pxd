# Unevaluated sums: a result and its rounding error, so that a compound function rounds once where it counts.
# Knuth's and Dekker's error-free transformations with fused multiply-add; see Muller et al., "Handbook of
# Floating-Point Arithmetic", 2nd ed., chapter 4. No function of a special kind lives here.
from libc.math cimport INFINITY

from ..lanes cimport fma, magnitude, real, splat, where_less


cdef inline real fast_sum(real a, real b, real* lost) noexcept nogil:
    # a + b = result + lost, where |a| >= |b| or a = 0
    cdef real s = a + b
    lost[0] = (a - s) + b
    return s


cdef inline real product(real a, real b, real* lost) noexcept nogil:
    # a b = result + lost
    cdef real p = a * b
    lost[0] = fma(a, b, -p)
    return p


cdef inline real pair_product(real a, real a_low, real b, real b_low, real* lost) noexcept nogil:
    # (a + a_low) (b + b_low)
    cdef real p = a * b
    lost[0] = fma(a, b, -p) + fma(a, b_low, a_low * b)
    return p


cdef inline real pair_quotient(real a, real a_low, real b, real b_low, real* lost) noexcept nogil:
    # (a + a_low) / (b + b_low): a first quotient, and its remainder divided by b
    cdef real inverse = splat(a, 1.0) / b
    cdef real q = a * inverse
    cdef real rest = fma(-q, b_low, fma(-q, b, a) + a_low)
    lost[0] = rest * inverse
    return q


cdef inline real finite(real x) noexcept nogil:
    # x, but 0 where it is infinite or NaN
    return where_less(magnitude(x), splat(x, INFINITY), x, splat(x, 0.0))


cdef inline real scaled(real grad, real slope, real low) noexcept nogil:
    # grad (slope + low), rounded once; an infinite grad takes the slope's sign, whatever the sign of low
    return fma(grad, slope, finite(grad * low))
