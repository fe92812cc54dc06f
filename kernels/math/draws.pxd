# Random bits to numbers: uniform and normal ones in float64, from whole registers of 64 random bits. No arrays.
from libc.stdint cimport uint64_t

from ..lanes cimport (
    bits_f64, f32x, f64x, fma, from_bits_f64, real, splat_f64, splat_u64, square_root, u64x, where_less,
)
from .exponential cimport nearest_sum, step, whole
from .logarithm cimport log


cdef inline f64x from_one(u64x bits) noexcept nogil:
    # evenly in [1, 2), by the upper 52 bits
    return from_bits_f64((bits >> 12) | splat_u64(<uint64_t>0x3FF << 52))


cdef inline f64x uniform(u64x bits) noexcept nogil:
    # evenly in [0, 1), a multiple of 2^-52
    return from_one(bits) - splat_f64(1.0)


cdef inline f64x cosine_series(const real* like, f64x t) noexcept nogil:
    # cos(x) of t = -x^2, |x| up to pi / 4, by Taylor's series: what is left out is below 2^-58, and 2^-41 for results
    # in float32
    cdef f64x total
    if real is f32x:
        total = splat_f64(1.0 / 479001600.0)
    else:
        total = splat_f64(1.0 / 6402373705728000.0)
        total = step(total, t, 1.0 / 20922789888000.0)
        total = step(total, t, 1.0 / 87178291200.0)
        total = step(total, t, 1.0 / 479001600.0)
    total = step(total, t, 1.0 / 3628800.0)
    total = step(total, t, 1.0 / 40320.0)
    total = step(total, t, 1.0 / 720.0)
    total = step(total, t, 1.0 / 24.0)
    total = step(total, t, 1.0 / 2.0)
    total = step(total, t, 1.0 / 1.0)
    return total


cdef inline f64x sine_series(const real* like, f64x t) noexcept nogil:
    # sin(x) / x of t = -x^2, |x| up to pi / 4, by Taylor's series: what is left out is below 2^-58, and 2^-43 for
    # results in float32
    cdef f64x total
    if real is f32x:
        total = splat_f64(1.0 / 6227020800.0)
    else:
        total = splat_f64(1.0 / 121645100408832000.0)
        total = step(total, t, 1.0 / 355687428096000.0)
        total = step(total, t, 1.0 / 1307674368000.0)
        total = step(total, t, 1.0 / 6227020800.0)
    total = step(total, t, 1.0 / 39916800.0)
    total = step(total, t, 1.0 / 362880.0)
    total = step(total, t, 1.0 / 5040.0)
    total = step(total, t, 1.0 / 120.0)
    total = step(total, t, 1.0 / 6.0)
    total = step(total, t, 1.0 / 1.0)
    return total


cdef inline f64x with_sign_of_bit(f64x x, u64x number) noexcept nogil:
    # -x where the second bit is set
    return from_bits_f64(bits_f64(x) ^ (number << 62 & splat_u64(<uint64_t>1 << 63)))


cdef inline void turn(const real* like, f64x t, f64x* cosine, f64x* sine) noexcept nogil:
    # cos(2 pi t) and sin(2 pi t) for t in [0, 1): of what is left to the nearest quarter turn, then turned back: an odd
    # number of quarters exchanges them, and two change the sign
    cdef f64x sum = nearest_sum(t, 4.0)
    cdef u64x number = bits_f64(sum)
    cdef f64x angle = fma(whole(sum), splat_f64(-0.25), t) * splat_f64(6.283185307179586)
    cdef f64x square = -(angle * angle)
    cdef f64x c = cosine_series(like, square), s = angle * sine_series(like, square)
    cdef f64x odd = from_bits_f64(number << 63 | splat_u64(<uint64_t>0x3FF << 52)), zero = splat_f64(0.0)
    cosine[0] = with_sign_of_bit(where_less(odd, zero, s, c), number + splat_u64(1))
    sine[0] = with_sign_of_bit(where_less(odd, zero, c, s), number)


cdef inline f64x log_up_to_one(const real* like, f64x u) noexcept nogil:
    # ln(u) of a normal number up to 1. For results in float32 with u = 2^n (1 + f), s = f / (2 + f): n ln 2 and twice
    # the area hyperbolic tangent of s by its Taylor series; what is left out is below 2^-44 of it.
    cdef u64x place, power
    cdef f64x n, f, s, square, total
    cdef int k
    if real is f32x:
        place = bits_f64(u) + splat_u64(<uint64_t>0x3FF0000000000000 - <uint64_t>0x3FE6A09E667F3BCD)  # of sqrt(1/2)
        power = place & splat_u64(<uint64_t>0x7FF << 52)
        n = from_bits_f64(place >> 52 | splat_u64(<uint64_t>0x433 << 52)) - splat_f64(4503599627370496.0 + 1023.0)
        f = from_bits_f64(bits_f64(u) - power + splat_u64(<uint64_t>0x3FF << 52)) - splat_f64(1.0)
        s = f / (f + splat_f64(2.0))
        square = s * s
        total = splat_f64(2.0 / 15)
        for k in range(13, 0, -2):
            total = fma(total, square, splat_f64(2.0 / k))
        return fma(n, splat_f64(0.6931471805599453), total * s)
    else:
        return log(u)


cdef inline void normals(const real* like, u64x first, u64x second, f64x* one, f64x* other) noexcept nogil:
    # Two independent normal numbers: sqrt(-2 ln u) cos(2 pi t) and sin, u in (0, 1], t in [0, 1).
    # (Box and Muller, "A note on the generation of random normal deviates", 1958.)
    cdef f64x radius = square_root(log_up_to_one(like, splat_f64(2.0) - from_one(first)) * splat_f64(-2.0))
    cdef f64x cosine, sine
    turn(like, uniform(second), &cosine, &sine)
    one[0] = radius * cosine
    other[0] = radius * sine
