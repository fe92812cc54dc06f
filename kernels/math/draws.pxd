# Random bits to numbers: uniform and normal ones in float64, from whole registers of 64 random bits. No arrays.
from libc.stdint cimport uint64_t

from ..lanes cimport f64x, fma, from_bits_f64, splat_f64, splat_u64, square_root, u64x, where_less
from .exponential cimport step
from .logarithm cimport log


cdef inline f64x from_one(u64x bits) noexcept nogil:
    # evenly in [1, 2), by the upper 52 bits
    return from_bits_f64((bits >> 12) | splat_u64(<uint64_t>0x3FF << 52))


cdef inline f64x uniform(u64x bits) noexcept nogil:
    # evenly in [0, 1), a multiple of 2^-52
    return from_one(bits) - splat_f64(1.0)


cdef inline f64x cosine_series(f64x t) noexcept nogil:
    # cos(x) of t = -x^2, |x| up to pi / 4, by Taylor's series: what is left out is below 2^-58
    cdef f64x total = splat_f64(1.0 / 6402373705728000.0)
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


cdef inline f64x sine_series(f64x t) noexcept nogil:
    # sin(x) / x of t = -x^2, |x| up to pi / 4, by Taylor's series: what is left out is below 2^-58
    cdef f64x total = splat_f64(1.0 / 121645100408832000.0)
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


cdef inline void turn(f64x t, f64x* cosine, f64x* sine) noexcept nogil:
    # cos(2 pi t) and sin(2 pi t) for t in [0, 1): of what is left to the nearest quarter turn, then turned back
    cdef f64x whole = splat_f64(6755399441055744.0)  # 1.5 * 2^52, whose sums are rounded to whole numbers
    cdef f64x quarter = fma(t, splat_f64(4.0), whole) - whole
    cdef f64x angle = fma(quarter, splat_f64(-0.25), t) * splat_f64(6.283185307179586)
    cdef f64x square = -(angle * angle)
    cdef f64x c = cosine_series(square), s = angle * sine_series(square)
    cdef f64x past[4]
    cdef int k
    for k in range(4):
        past[k] = splat_f64(k + 0.5)
    cosine[0] = where_less(quarter, past[0], c, where_less(quarter, past[1], -s, where_less(
        quarter, past[2], -c, where_less(quarter, past[3], s, c))))
    sine[0] = where_less(quarter, past[0], s, where_less(quarter, past[1], c, where_less(
        quarter, past[2], -s, where_less(quarter, past[3], -c, s))))


cdef inline void normals(u64x first, u64x second, f64x* one, f64x* other) noexcept nogil:
    # Two independent normal numbers: sqrt(-2 ln u) cos(2 pi t) and sin, u in (0, 1], t in [0, 1).
    # (Box and Muller, "A note on the generation of random normal deviates", 1958.)
    cdef f64x radius = square_root(log(splat_f64(2.0) - from_one(first)) * splat_f64(-2.0))
    cdef f64x cosine, sine
    turn(uniform(second), &cosine, &sine)
    one[0] = radius * cosine
    other[0] = radius * sine
