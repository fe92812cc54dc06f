# squareplus; Barron, arXiv:2112.11687:
#
#     squareplus(x, b) = (x + sqrt(x^2 + b)) / 2, squareplus' = squareplus(x, b) / sqrt(x^2 + b)
from libc.math cimport INFINITY

from ..lanes cimport (
    all_less, at_least, at_most, exponent, fma, magnitude, pick, power2, real, splat, square_root, two_sum, where_less,
    with_sign,
)
from ..math.exponential cimport largest, nearest
from ..math.pairs cimport fast_sum, pair_product, pair_quotient, product
from .parts cimport times_reflected


cdef inline real times_power2(real x, real n) noexcept nogil:
    # x 2^n by two factors, the same on every level whatever x is (scale2 is quicker, for x of usual size), for n from
    # twice the smallest normal exponent to twice the largest
    cdef real half = nearest(n, 0.5)
    return x * power2(half) * power2(n - half)


cdef inline real hypotenuse(real a, real b, real* low, real* u, real* b_scaled, real* k) noexcept nogil:
    # sqrt(a^2 + b) = 2^k (value + low), with a = 2^k u and b = 4^k b_scaled
    cdef real s, s_low, z_low, r, larger = at_least(a, square_root(b))
    cdef real least = pick(a, 1.1754943508222875e-38, 2.2250738585072014e-308)
    k[0] = exponent(at_most(at_least(larger, least), largest(a)))
    u[0] = times_power2(a, -k[0])
    b_scaled[0] = times_power2(times_power2(b, -k[0]), -k[0])
    s = two_sum(product(u[0], u[0], &z_low), b_scaled[0], &s_low)
    r = square_root(s)
    low[0] = (fma(-r, r, s) + (s_low + z_low)) / at_least(r + r, splat(a, 1e-30))
    return r


cdef inline real squareplus_of_any(real x, real b) noexcept nogil:
    # the same, scaled by powers of two
    cdef real r_low, u, b_scaled, k, t_low, low, zero = splat(x, 0.0), one = splat(x, 1.0)
    cdef real a = at_most(magnitude(x), largest(x)), small = pick(x, 1e-20, 1e-250)
    # a small b is multiplied by 2^80 (2^200) first, lest its quotient be subnormal
    cdef real lift = where_less(b, small, pick(x, 1.2089258196146292e+24, 1.6069380442589903e+60), one)
    cdef real down = where_less(b, small, pick(x, -81.0, -201.0), -one)
    cdef real r = hypotenuse(a, b, &r_low, &u, &b_scaled, &k)
    cdef real t = fast_sum(r, u, &t_low)
    t_low = t_low + r_low
    cdef real q = pair_quotient(b * lift, zero, t, t_low, &low)
    cdef real y = where_less(x, zero, q + low, t + t_low)
    y = times_power2(y, where_less(x, zero, down - k, k - one))
    return where_less(magnitude(x), splat(x, INFINITY), y, at_least(x, zero))


cdef inline real usual_size(real a, real b) noexcept nogil:
    # below usual_end where no square, product or divisor of a >= 0 and b is near the ends of the range
    return where_less(pick(a, 8.673617379884035e-19, 1e-100), b, at_least(a, b), splat(a, INFINITY))


cdef inline real usual_end(real like) noexcept nogil:
    return pick(like, 1.152921504606847e+18, 1e150)


cdef inline real hypotenuse_and_sum(real a, real b, real* r, real* missed, real* t_low) noexcept nogil:
    # r = sqrt(a^2 + b), which is too small by missed / r, and t + t_low = r + a
    cdef real s_low, z_low, s = two_sum(product(a, a, &z_low), b, &s_low)
    r[0] = square_root(s)
    missed[0] = (fma(-r[0], r[0], s) + (s_low + z_low)) * splat(a, 0.5)
    return fast_sum(r[0], a, t_low)


# One division serves both quotients: 1 / (r t) is what 1 / r and 1 / t are made of.
cdef inline real squareplus_usual(real x, real a, real b) noexcept nogil:
    # squareplus, a = |x|
    cdef real r, missed, t_low, q, half = splat(x, 0.5)
    cdef real t = hypotenuse_and_sum(a, b, &r, &missed, &t_low), inverse = splat(x, 1.0) / (r * t)
    t_low = fma(missed, inverse * t, t_low)
    inverse = inverse * r
    q = b * inverse
    q = fma(fma(-q, t_low, fma(-q, t, b)), inverse, q)
    return half * where_less(x, splat(x, 0.0), q, t + t_low)


cdef inline real slope_below_usual(real a, real b) noexcept nogil:
    # squareplus'(-a) = b / (2 r t)
    cdef real r, r_low, t_low, d_low, q, top = b * splat(a, 0.5)
    cdef real t = hypotenuse_and_sum(a, b, &r, &r_low, &t_low), d = product(r, t, &d_low), inverse = splat(a, 1.0) / d
    r_low = r_low * (inverse * t)
    d_low = fma(r, t_low + r_low, fma(r_low, t, d_low))
    q = top * inverse
    return fma(fma(-q, d_low, fma(-q, d, top)), inverse, q)


cdef inline real squareplus(real x, real b) noexcept nogil:
    # (x + sqrt(x^2 + b)) / 2, where x < 0 as b / (2 (|x| + sqrt)); Barron, arXiv:2112.11687
    cdef real a = magnitude(x), y = squareplus_usual(x, a, b), size = usual_size(a, b)
    if not all_less(size, usual_end(x)):
        y = where_less(size, usual_end(x), y, squareplus_of_any(x, b))
    return y


cdef inline real squareplus_slope(real x, real b, real* low) noexcept nogil:
    # squareplus(x, b) / sqrt(x^2 + b) = (r + u) / 2 r, where x < 0 as b / (2 r (r + u)), all scaled alike
    cdef real r_low, u, b_scaled, k, t_low, d, d_low, zero = splat(x, 0.0)
    cdef real a = at_most(magnitude(x), largest(x))
    cdef real r = hypotenuse(a, b, &r_low, &u, &b_scaled, &k)
    cdef real t = fast_sum(r, u, &t_low)
    t_low = t_low + r_low
    d = pair_product(r + r, r_low + r_low, t, t_low, &d_low)
    d = where_less(x, zero, d, r + r)
    d_low = where_less(x, zero, d_low, r_low + r_low)
    return pair_quotient(where_less(x, zero, b_scaled, t), where_less(x, zero, zero, t_low), d, d_low, low)


cdef inline real squareplus_backward(real grad, real x, real b) noexcept nogil:
    cdef real low, a = magnitude(x), size = usual_size(a, b)
    cdef real slope, y = with_sign(times_reflected(grad, x, slope_below_usual(a, b)), grad)
    if not all_less(size, usual_end(x)):
        slope = squareplus_slope(x, b, &low)
        y = where_less(size, usual_end(x), y, grad * (slope + low))
    return y
