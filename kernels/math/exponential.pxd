# exp and expm1 on registers, and the steps of an exponential that other functions take. Coefficients are made by the
# scripts in tools/fit, named beside them with the error they reach.
#
# A function that others build on returns its result in parts: a value, its rounding error, and a power of two to
# multiply them by. A compound function can then round once. Where a comment gives two numbers, the one in brackets is
# float64's.
#
# A sum of x and 1.5 * 2^23 (2^52) has no room for a fraction: its last bits are x rounded to a whole number, n. Such a
# `sum` is passed on as it is, because both n and 2^n come from it by one operation each.
from libc.math cimport INFINITY
from libc.stdint cimport uint64_t

from ..lanes cimport (
    SCALE2_IS_CHEAP, all_less, any_less, at_least, at_most, bits_f32, bits_f64, f32x, f64x, fma, from_bits_f32,
    from_bits_f64, magnitude, pick, real, scale2, scale_down, splat, splat_u32, splat_u64, where_less,
)
from .pairs cimport fast_sum


cdef inline real largest(real like) noexcept nogil:
    # the largest finite number
    return pick(like, 3.4028234663852886e+38, 1.7976931348623157e+308)


cdef inline real least_normal(real like) noexcept nogil:
    return pick(like, 1.1754943508222875e-38, 2.2250738585072014e-308)


cdef inline real far_out(real like) noexcept nogil:
    # from where on e^-x is no normal number
    return pick(like, 87.0, 708.0)


cdef inline real step(real p, real x, double c) noexcept nogil:
    # one step of Horner's scheme
    return fma(p, x, splat(x, c))


cdef inline real two_steps(real p, real x, real square, double c1, double c0) noexcept nogil:
    # two of them, of which the next one waits for one operation only: square is x^2
    return fma(p, square, step(splat(x, c1), x, c0))


cdef inline real nearest_sum(real x, double scale) noexcept nogil:
    # a sum as above, whose n is x scale rounded to a whole number
    return fma(x, splat(x, scale), pick(x, 12582912.0, 6755399441055744.0))


cdef inline real whole(real sum) noexcept nogil:
    # the sum's n
    return sum - pick(sum, 12582912.0, 6755399441055744.0)


cdef inline real power2_of_sum(real sum, int more) noexcept nogil:
    # 2^(n + more), which must be a normal number, by integers
    if real is f32x:
        return from_bits_f32((bits_f32(sum) << 23) + splat_u32((127 + more) << 23))
    else:
        return from_bits_f64((bits_f64(sum) << 52) + splat_u64(<uint64_t>(1023 + more) << 52))


cdef inline real raised_by(real x, real sum) noexcept nogil:
    # x 2^n, which must both be normal numbers, by integers
    if real is f32x:
        return from_bits_f32(bits_f32(x) + (bits_f32(sum) << 23))
    else:
        return from_bits_f64(bits_f64(x) + (bits_f64(sum) << 52))


cdef inline real power2_raised_by(real sum, int more) noexcept nogil:
    # 2^(n + more), or the smallest normal number where that is larger
    return power2_of_sum(at_least(sum, pick(sum, 12582912.0 - 126 - more, 6755399441055744.0 - 1022 - more)), more)


cdef inline real raised_power2(real sum) noexcept nogil:
    # 2^(n + 32) (2^(n + 128)). Times lowering() after it, a number is multiplied by 2^n and rounded once, also where
    # 2^n or the product is no normal number
    return power2_raised_by(sum, 32 if real is f32x else 128)


cdef inline real far_power(real sum) noexcept nogil:
    # 2^n, or 2^-60 (2^-120) where that is larger: for e^-a where it is added to numbers of usual size, for any a
    return power2_of_sum(at_least(sum, pick(sum, 12582912.0 - 60, 6755399441055744.0 - 120)), 0)


cdef inline real lowering(real like) noexcept nogil:
    # 2^-32 (2^-128)
    return pick(like, 2.3283064365386963e-10, 2.938735877055719e-39)


cdef inline real scale2_of_sum(real x, real sum) noexcept nogil:
    # x 2^n, rounded once
    return scale_down(scale_down(x, raised_power2(sum)), lowering(x))


cdef inline real nearest(real x, double scale) noexcept nogil:
    # x scale, rounded to a whole number
    return whole(nearest_sum(x, scale))


cdef inline real minus_ln2(real x, real n, real* low) noexcept nogil:
    # x - n ln 2: its leading part exactly, since n ln 2 and x cancel
    low[0] = n * ln2_low(x)
    return fma(n, -ln2(x), x)


cdef inline real ln2(real like) noexcept nogil:
    # ln 2 to the precision of `like`
    return pick(like, 0.6931471824645996, 0.6931471805599453)


cdef inline real ln2_low(real like) noexcept nogil:
    # the rounding error of ln2
    return pick(like, 1.9046542121259336e-09, -2.3190468138462996e-17)


cdef inline f64x exp_series(f64x t, f64x square) noexcept nogil:
    # (e^t - 1 - t) / t^2; see exp_rest
    cdef f64x q = splat(t, 2.0876599428087686e-09)
    q = two_steps(q, t, square, 2.511258751007753e-08, 2.755739905184801e-07)
    q = two_steps(q, t, square, 2.75572330560833e-06, 2.480158717787179e-05)
    q = two_steps(q, t, square, 0.0001984126989850026, 0.001388888888895642)
    q = two_steps(q, t, square, 0.008333333333315998, 0.041666666666666546)
    return two_steps(q, t, square, 0.16666666666666685, 0.5)


cdef inline real exp_rest(real r, real r_low) noexcept nogil:
    # e^(r + r_low) - 1 - r for |r| <= 0.347; at most 0.07.
    # tools/fit/exp.sollya: |r| <= ln(2)/2, error of the sum 2^-28.2 (float32), 2^-63.5 (float64)
    cdef real t = r + r_low
    cdef real q
    if real is f32x:
        q = splat(r, 0.0013782460009679198)
        q = step(q, t, 0.00836866907775402)
        q = step(q, t, 0.04166896268725395)
        q = step(q, t, 0.1666652113199234)
        q = step(q, t, 0.49999991059303284)
    else:
        q = exp_series(t, t * t)
    return fma(t * t, q, r_low)


cdef inline real exp_parts_of_pair(real x, real x_low, real* rest, real* sum) noexcept nogil:
    # e^(x + x_low) = 2^n (1 + r + rest), n = whole(sum), returning r
    cdef real low
    sum[0] = nearest_sum(x, 1.4426950408889634)
    cdef real r = minus_ln2(x, whole(sum[0]), &low)
    rest[0] = exp_rest(r, low + x_low)
    return r


cdef inline real exp_parts(real x, real* rest, real* sum) noexcept nogil:
    return exp_parts_of_pair(x, splat(x, -0.0), rest, sum)  # the compiler leaves out a -0.0 in a sum


cdef inline real one_plus(real r, real rest, real* low) noexcept nogil:
    # 1 + r + rest = value + low
    cdef real p = fast_sum(r, rest, &rest)
    cdef real e = fast_sum(splat(r, 1.0), p, low)
    low[0] = low[0] + rest
    return e


cdef inline real exp_of_pair(real x, real x_low, real* low, real* sum) noexcept nogil:
    # e^(x + x_low) = 2^n (value + low), n = whole(sum)
    cdef real rest
    cdef real r = exp_parts_of_pair(x, x_low, &rest, sum)
    return one_plus(r, rest, low)


cdef inline real early_exp_of_pair(real x, real x_low, real* low, real* sum) noexcept nogil:
    # exp_of_pair; in float32 the sum of both is right to 2^-25.4 only, and the value is there in fewer steps that wait
    # for each other, since r_low comes in last. The coefficients are exp_rest's.
    cdef real n, r, square, q, p, one = splat(x, 1.0)
    if real is f32x:
        sum[0] = nearest_sum(x, 1.4426950408889634)
        n = whole(sum[0])
        r = fma(n, -ln2(x), x)
        square = r * r
        q = fma(splat(r, 0.0013782460009679198), square, step(splat(r, 0.00836866907775402), r, 0.04166896268725395))
        q = fma(q, square, step(splat(r, 0.1666652113199234), r, 0.49999991059303284))
        p = fast_sum(one, fma(square, q, r), low)
        low[0] = fma(fma(n, ln2_low(x), x_low), p, low[0])
        return p
    else:
        return exp_of_pair(x, x_low, low, sum)


cdef inline real exp_pair(real x, real* low, real* sum) noexcept nogil:
    return exp_of_pair(x, splat(x, -0.0), low, sum)


cdef inline real exp_of_any(real x) noexcept nogil:
    cdef real rest, sum
    cdef real r = exp_parts(at_most(at_least(x, pick(x, -104.0, -746.0)), pick(x, 89.0, 710.0)), &rest, &sum)
    return scale2(splat(x, 1.0) + (r + rest), whole(sum))


cdef inline real exp(real x) noexcept nogil:
    # Where the result is a normal number, 2^n is added to the exponent. Beyond, it is subnormal, and 0 from -104 (-746)
    # down; or infinite.
    cdef real rest, sum, r, e, y, small
    if SCALE2_IS_CHEAP:
        return exp_of_any(x)
    r = exp_parts(x, &rest, &sum)
    e = splat(x, 1.0) + (r + rest)
    y = raised_by(e, sum)
    if not all_less(magnitude(x), far_out(x)):
        small = scale2_of_sum(where_less(x, pick(x, -104.0, -746.0), splat(x, 0.0), e), sum)
        y = where_less(x, pick(x, 88.72284, 709.7827128933841), y, x + splat(x, INFINITY))
        y = where_less(x, -far_out(x), small, y)
    return y


cdef inline real expm1_rest(real r, real r_low) noexcept nogil:
    # exp_rest for e^r - 1, in which the 1 cancels: its error relative to that is 2^-30.4 in float32 too
    cdef real t, q
    if real is f32x:
        t = r + r_low
        q = splat(r, 0.00019972329027950764)
        q = step(q, t, 0.0013930501881986856)
        q = step(q, t, 0.00833317730575800)
        q = step(q, t, 0.041666511446237564)
        q = step(q, t, 0.1666666716337204)
        q = step(q, t, 0.5)
        return fma(t * t, q, r_low)
    else:
        return exp_rest(r, r_low)


cdef inline real expm1_parts(real x, real* rest, real* sum) noexcept nogil:
    # as exp_parts, of a `rest` that is right where the 1 cancels
    cdef real r_low
    sum[0] = nearest_sum(x, 1.4426950408889634)
    cdef real r = minus_ln2(x, whole(sum[0]), &r_low)
    rest[0] = expm1_rest(r, r_low)
    return r


cdef inline real expm1_half(real x, real* low) noexcept nogil:
    # (e^x - 1) / 2 = value + low, from 2^n (1 + r + rest) - 1, halved lest 2^n overflow; so not for subnormal x
    cdef real rest, sum
    cdef real r = expm1_parts(at_most(at_least(x, pick(x, -20.0, -40.0)), pick(x, 89.0, 710.0)), &rest, &sum)
    cdef real power = power2_of_sum(sum, -1), start = power - splat(x, 0.5), h = fma(power, r, start)
    cdef real missed = fma(power, r, start - h)
    low[0] = fma(power, rest, missed + ((power - start) - splat(x, 0.5)))
    return h


cdef inline real expm1(real x) noexcept nogil:
    cdef real low
    cdef real h = expm1_half(x, &low)
    h = h + low
    return where_less(magnitude(x), pick(x, 1e-30, 1e-290), x, h + h)


cdef inline int any_outside(real x, real low, real high) noexcept nogil:
    # whether a lane is below `low`, from `high` on or NaN
    return any_less(where_less(x, high, x, splat(x, -INFINITY)), low)
