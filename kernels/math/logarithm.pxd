# log and log1p on registers. Coefficients are made by the scripts in tools/fit, named beside them with the error they
# reach.
from libc.math cimport INFINITY

from ..lanes cimport (
    bits_f32, exponent, f32x, f64x, fma, from_bits_f32, lookup16_f32, real, round_i32_f32, scale2,
    splat, splat_u32, u32x, where_less, with_sign,
)
from .exponential cimport any_outside, step, two_steps
from .pairs cimport fast_sum, product, two_sum
from .segments cimport LOG_TABLE


cdef inline u32x log_place(f32x u) noexcept nogil:
    # u = 2^n m, m within 1/32 of 1 + index / 16: n + 127 from bit 23 on, and below them the index
    return bits_f32(u) + splat_u32(1 << 18)


cdef inline f32x log_of_rest(u32x place, f32x r, f32x r_low, f32x more, f32x* low) noexcept nogil:
    # (n + more) ln 2 - log(inverse) + log(1 + r + r_low) = value + low, the inverse being near that of 1 + index / 16.
    # r^2 (-1/2 + ...): tools/fit/log.sollya, -0.029 <= r <= 0.0426, error 2^-24.5
    cdef u32x index = place >> 19
    cdef f32x n = round_i32_f32(place >> 23) + more
    cdef f32x q = splat(r, 0.1957820355892181396484375)
    q = step(q, r, -0.2501399219036102294921875)
    q = step(q, r, 0.33333551883697509765625)
    q = step(q, r, -0.5)
    cdef f32x lost
    cdef f32x top = fma(n, splat(r, 0.693145751953125), lookup16_f32(&LOG_TABLE[1][0], index))
    cdef f32x rest = fma(n, splat(r, 1.428605173714459e-06), lookup16_f32(&LOG_TABLE[2][0], index))
    top = fast_sum(top, r, &lost)
    low[0] = lost + fma(r * r, q, rest + r_low)
    return top


cdef inline f32x log_f32(f32x u, f32x more) noexcept nogil:
    # log(u) + more ln 2 for normal u > 0; r = m inverse - 1 does not round where the logarithm is small
    cdef u32x place = log_place(u), power = place & splat_u32(0xFF800000)
    cdef f32x m = from_bits_f32(bits_f32(u) - power + splat_u32(0x3F800000))
    cdef f32x r = fma(m, lookup16_f32(&LOG_TABLE[0][0], place >> 19), splat(u, -1.0)), low
    cdef f32x y = log_of_rest(place, r, splat(u, -0.0), more, &low)
    return y + low


cdef inline f32x log1p_rest(f32x x, u32x* place, f32x* scale, f32x* low) noexcept nogil:
    # r + low = (1 + x) scale - 1 for -1 < x <= 1e30, scale = inverse / 2^n; only the product is rounded where the
    # logarithm is small
    place[0] = log_place(splat(x, 1.0) + x)
    scale[0] = from_bits_f32(splat_u32(0x7F000000) - (place[0] & splat_u32(0xFF800000)))
    scale[0] = scale[0] * lookup16_f32(&LOG_TABLE[0][0], place[0] >> 19)
    cdef f32x lost, part = product(x, scale[0], &lost)
    return fast_sum(part + (scale[0] - splat(x, 1.0)), lost, low)


cdef inline f32x log1p_f32(f32x x) noexcept nogil:
    # log(1 + x) for -1 < x <= 1e30
    cdef u32x place
    cdef f32x scale, low, r = log1p_rest(x, &place, &scale, &low)
    cdef f32x y = log_of_rest(place, r, low, splat(x, -0.0), &low)
    return y + low


cdef inline f32x log_pair_f32(f32x u, f32x u_low) noexcept nogil:
    # log(u + u_low) for normal u > 0 and u_low within u's last place
    cdef f32x low, y, scale
    cdef u32x place = log_place(u)
    scale = from_bits_f32(splat_u32(0x7F000000) - (place & splat_u32(0xFF800000)))
    scale = scale * lookup16_f32(&LOG_TABLE[0][0], place >> 19)
    y = log_of_rest(place, fma(u, scale, splat(u, -1.0)), u_low * scale, splat(u, -0.0), &low)
    return y + low


cdef inline f32x log_sum_f32(f32x u, f32x u_low, f32x u_lowest, f32x* low) noexcept nogil:
    # log(u + u_low + u_lowest) = value + low for 1 <= u <= 1e30, each of the others within the last place of the one
    # before, error relative to it 2^-28, also where u is 1 and the others all that the logarithm has
    cdef u32x place = log_place(u)
    cdef f32x scale = from_bits_f32(splat_u32(0x7F000000) - (place & splat_u32(0xFF800000))), lost, part, r
    scale = scale * lookup16_f32(&LOG_TABLE[0][0], place >> 19)
    part = product(u, scale, &lost)
    r = fast_sum(part - splat(u, 1.0), fma(u_low, scale, lost), &lost)
    return log_of_rest(place, r, fma(u_lowest, scale, lost), splat(u, -0.0), low)


cdef inline f32x log1p_pair_f32(f32x x, f32x x_low, f32x* low) noexcept nogil:
    # log(1 + x + x_low) = value + low for -1 < x <= 1e30, error relative to it 2^-28
    cdef u32x place
    cdef f32x scale, r_low, r = log1p_rest(x, &place, &scale, &r_low)
    return log_of_rest(place, r, fma(x_low, scale, r_low), splat(x, -0.0), low)


cdef inline f64x log_rest_f64(f64x f) noexcept nogil:
    # log(1 + f) - f. tools/fit/log.sollya: sqrt(1/2) <= 1 + f <= sqrt(2), error 2^-59.5
    cdef f64x s = f / (splat(f, 2.0) + f)
    cdef f64x z = s * s
    cdef f64x h = splat(f, 0.5) * f * f
    cdef f64x q = splat(f, 0.14798544835230695), square = z * z
    q = two_steps(q, z, square, 0.15313808209660257, 0.1818357310435841)
    q = two_steps(q, z, square, 0.2222219841824988, 0.2857142874375453)
    q = two_steps(q, z, square, 0.3999999999940921, 0.6666666666666735)
    return s * fma(z, q, h) - h


cdef inline f64x added_by_low_f64(f64x f, f64x f_low) noexcept nogil:
    # log(1 + f + f_low) - log(1 + f) = f_low / (1 + f), of an f_low within the last place of 1 + f
    return f_low * fma(f, f - splat(f, 1.0), splat(f, 1.0))


cdef inline f64x log_sum_f64(f64x n, f64x f, f64x rest, f64x* low) noexcept nogil:
    # n ln 2 + f + rest = value + low
    cdef f64x lost, top = fast_sum(n * splat(n, 0.6931471805598903), f, &lost)
    return fast_sum(top, fma(n, splat(n, 5.497923018708371e-14), rest) + lost, low)


cdef inline f64x log_parts_f64(f64x u, f64x* n, f64x* f) noexcept nogil:
    # of normal u > 0: n, and log(1 + f) - f where u = 2^n (1 + f)
    cdef f64x whole = exponent(u)
    cdef f64x m = scale2(u, -whole)
    cdef f64x sqrt2 = splat(u, 1.4142135623730951), one = splat(u, 1.0)
    n[0] = where_less(m, sqrt2, whole, whole + one)
    f[0] = where_less(m, sqrt2, m, splat(u, 0.5) * m) - one
    return log_rest_f64(f[0])


cdef inline f64x log_f64(f64x u, f64x u_low, f64x* low) noexcept nogil:
    # log(u + u_low) for normal u > 0 and u_low within u's last place
    cdef f64x n, f, rest = log_parts_f64(u, &n, &f)
    rest = rest + added_by_low_f64(f, scale2(u_low, -n))
    return log_sum_f64(n, f, rest, low)


cdef inline f64x log1p_below_f64(f64x e, f64x e_low, f64x* low) noexcept nogil:
    # log(1 + e + e_low) = value + low for 0 <= e <= 1, where 1 + e need not be rounded
    cdef f64x lost, bend = splat(e, 0.41421356237309503), half = splat(e, 0.5)
    cdef f64x m = fast_sum(splat(e, -1.0), e, &lost)
    cdef f64x f = where_less(bend, e, half * m, e)
    cdef f64x rest = log_rest_f64(f) + added_by_low_f64(f, where_less(bend, e, half * (lost + e_low), e_low))
    return log_sum_f64(where_less(bend, e, splat(e, 1.0), splat(e, 0.0)), f, rest, low)


cdef inline f64x log1p_f64(f64x x, f64x x_low, f64x* low) noexcept nogil:
    # log(1 + x + x_low) for x > -1 and finite
    cdef f64x u_low
    cdef f64x u = two_sum(splat(x, 1.0), x, &u_low)
    return log_f64(u, u_low + x_low, low)


cdef inline real log_edges(real x, double pole, real y) noexcept nogil:
    # y, the logarithm of x - pole, where x is above the pole and finite; -infinity at the pole, infinity at infinity,
    # NaN below the pole and of a NaN
    cdef real infinity = splat(x, INFINITY)
    y = where_less(splat(x, pole), x, y, -infinity)
    y = where_less(x, splat(x, pole), infinity - infinity, y)
    return where_less(x, infinity, y, x)


cdef inline real log1p(real x) noexcept nogil:
    cdef real u_low, y, low, huge = splat(x, 1e30)
    if real is f32x:
        y = log1p_f32(x)
        if any_outside(x, splat(x, -0.99999994), huge):
            y = log_edges(x, -1.0, where_less(x, huge, y, log_f32(x, splat(x, -0.0))))
    else:
        y = two_sum(splat(x, 1.0), x, &u_low)
        y = log_f64(y, u_low, &low)
        y = log_edges(x, -1.0, y + low)
    return with_sign(y, x)


cdef inline real log(real x) noexcept nogil:
    cdef real low, y, n, f, least = splat(x, 1.1754943508222875e-38)
    if real is f32x:
        y = log_f32(x, splat(x, -0.0))
        if any_outside(x, least, splat(x, INFINITY)):
            y = log_f32(where_less(x, least, x * splat(x, 16777216.0), x),
                        where_less(x, least, splat(x, -24.0), splat(x, 0.0)))
            y = log_edges(x, 0.0, y)
        return y
    else:
        y = log_parts_f64(x, &n, &f)
        y = log_sum_f64(n, f, y, &low)
        y = y + low
        if any_outside(x, splat(x, 5e-324), splat(x, INFINITY)):
            y = log_edges(x, 0.0, y)
        return y
