# log and log1p on registers. Coefficients are made by the scripts in tools/fit, named beside them with the error they
# reach.
from libc.math cimport INFINITY

from libc.stdint cimport uint64_t

from ..lanes cimport (
    at_most, bits_f32, bits_f64, f32x, f64x, fma, from_bits_f32, from_bits_f64, lookup16_f32, lookup8_f64, real,
    round_i32_f32, splat, splat_u32, splat_u64, two_sum, u32x, u64x, where_less, with_sign,
)
from .exponential cimport any_outside, step, two_steps
from .pairs cimport fast_sum, product
from .segments cimport LOG_TABLE
from .wide_segments cimport LOG_WIDE


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


cdef inline u64x log_place_f64(f64x u) noexcept nogil:
    # u = 2^n m, m within 1/16 of 1 + index / 8: n + 1023 from bit 52 on, and below them the index
    return bits_f64(u) + splat_u64(<uint64_t>1 << 48)


cdef inline f64x log_mantissa_f64(f64x u, u64x place) noexcept nogil:
    # m
    return from_bits_f64(bits_f64(u) - (place & splat_u64(0xFFF0000000000000)) + splat_u64(0x3FF0000000000000))


cdef inline f64x log_inverse_f64(u64x place) noexcept nogil:
    # nearly that of 1 + index / 8, with so few bits that m inverse - 1 does not round
    return lookup8_f64(&LOG_WIDE[0][0], place >> 49)


cdef inline f64x log_exponent_f64(u64x place) noexcept nogil:
    # n + 1023
    cdef f64x whole = from_bits_f64((place >> 52) + splat_u64(0x4330000000000000))
    return whole - splat(whole, 4503599627370496.0)


cdef inline f64x log_of_rest_f64(u64x place, f64x n, f64x r, f64x added, f64x* low) noexcept nogil:
    # (n - 1023) ln 2 - log(inverse) + log(1 + r) + added = value + low.
    # r^2 (-1/2 + ...): tools/fit/log.sollya, -0.0704 <= r <= 0.0664, error 2^-56.1
    cdef u64x index = place >> 49
    cdef f64x lost, square = r * r, q = splat(r, -0.08611889959758397)
    q = two_steps(q, r, square, 0.09188165282118724, -0.0999763161382545)
    q = two_steps(q, r, square, 0.11110666078908323, -0.12500007788077466)
    q = two_steps(q, r, square, 0.14285715172900765, -0.1666666665626964)
    q = two_steps(q, r, square, 0.19999999999286588, -0.25000000000004374)
    q = two_steps(q, r, square, 0.33333333333333487, -0.5)
    cdef f64x top = fast_sum(fma(n, splat(r, 0.6931471805598903), lookup8_f64(&LOG_WIDE[1][0], index)), r, &lost)
    cdef f64x rest = fma(n, splat(r, 5.49792301870721e-14), lookup8_f64(&LOG_WIDE[2][0], index))
    low[0] = lost + fma(square, q, rest + added)
    return top


cdef inline f64x log_terms_f64(f64x u, f64x u_low, f64x* low) noexcept nogil:
    # log(u + u_low) = value + low for normal u > 0 and u_low within u's last place; value may be 0
    cdef u64x place = log_place_f64(u), power = place & splat_u64(0xFFF0000000000000)
    cdef f64x inverse = log_inverse_f64(place), r = fma(log_mantissa_f64(u, place), inverse, splat(u, -1.0))
    # twice what u_low adds to r, by 2^(1 - n), which is 0 where that would underflow
    cdef f64x r_low = u_low * from_bits_f64(splat_u64(0x7FF0000000000000) ^ power) * inverse, half = splat(u, 0.5)
    return log_of_rest_f64(place, log_exponent_f64(place), r, r_low * fma(-half, r, half), low)


cdef inline f64x log_f64(f64x u, f64x u_low, f64x* low) noexcept nogil:
    # the same, where low is within the last place of the value
    cdef f64x top = log_terms_f64(u, u_low, low)
    return fast_sum(top, low[0], low)


cdef inline f64x log1p_below_f64(f64x e, f64x e_low, f64x* low) noexcept nogil:
    # log(1 + e + e_low) = value + low for 0 <= e <= 1, as log_terms_f64: n is 0, since the last inverse serves up to 2
    cdef f64x u_low, u = fast_sum(splat(e, 1.0), e, &u_low)
    cdef u64x place = log_place_f64(at_most(u, splat(u, 1.9374999999999998)))
    cdef f64x inverse = log_inverse_f64(place), r = fma(u, inverse, splat(u, -1.0))
    u_low = (u_low + e_low) * inverse
    return log_of_rest_f64(place, splat(u, 1023.0), r, fma(-u_low, r, u_low), low)


cdef inline f64x log1p_f64(f64x x, f64x x_low, f64x* low) noexcept nogil:
    # log(1 + x + x_low) for x > -1 and finite
    cdef f64x u_low
    cdef f64x u = two_sum(splat(x, 1.0), x, &u_low)
    return log_f64(u, u_low + x_low, low)


cdef inline f64x log_scaled_f64(f64x u, f64x more) noexcept nogil:
    # log(u) + more ln 2 for normal u > 0
    cdef u64x place = log_place_f64(u)
    cdef f64x low, r = fma(log_mantissa_f64(u, place), log_inverse_f64(place), splat(u, -1.0))
    cdef f64x y = log_of_rest_f64(place, log_exponent_f64(place) + more, r, splat(u, -0.0), &low)
    return y + low


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
        y = log_terms_f64(y, u_low, &low)
        y = y + low
        if any_outside(x, splat(x, -0.9999999999999999), splat(x, INFINITY)):
            y = log_edges(x, -1.0, y)
    return with_sign(y, x)


cdef inline real log(real x) noexcept nogil:
    cdef real y, least = splat(x, 1.1754943508222875e-38)
    if real is f32x:
        y = log_f32(x, splat(x, -0.0))
        if any_outside(x, least, splat(x, INFINITY)):
            y = log_f32(where_less(x, least, x * splat(x, 16777216.0), x),
                        where_less(x, least, splat(x, -24.0), splat(x, 0.0)))
            y = log_edges(x, 0.0, y)
        return y
    else:
        least = splat(x, 2.2250738585072014e-308)
        y = log_scaled_f64(x, splat(x, -0.0))
        if any_outside(x, least, splat(x, INFINITY)):
            y = log_scaled_f64(where_less(x, least, x * splat(x, 18014398509481984.0), x),
                               where_less(x, least, splat(x, -54.0), splat(x, 0.0)))
            y = log_edges(x, 0.0, y)
        return y
