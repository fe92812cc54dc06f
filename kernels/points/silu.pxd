# silu and swish, where s(t) = sigmoid(t):
#
#     silu(x) = x s(x), silu'(x) = s (1 + x (1 - s)); Elfwing, Uchibe and Doya, arXiv:1702.03118
#     swish(x, beta) = x s(beta x), swish' = silu'(beta x); Ramachandran, Zoph and Le, arXiv:1710.05941
from ..lanes cimport (
    LOOKUP_FLOATS, any_less, at_least, at_most, f32x, fma, ldexp, magnitude, pick, power2, real, scale2, scale_down,
    splat, two_sum, where_less, with_sign,
)
from ..math.exponential cimport exp_of_pair, largest, lowering, power2_of_sum, whole
from ..math.logistic cimport logistic_quotient, logistic_times, reduced, sigmoid
from ..math.piecewise cimport (
    LAST, ODD, ROOTED, first_steps_end, reflected_pair, segment, segment_parts, steps, steps_end, unless_beyond,
    where_beyond,
)
from ..math.pairs cimport fast_sum, pair_product, pair_quotient, scaled
from ..math.segments cimport SILU_SEGMENTS, SILU_SLOPE_SEGMENTS
from ..math.wide_segments cimport SILU_SLOPE_WIDE
from .parts cimport any_one, minus_tail, stretched, times_reflected_pair, where_one
from .sigmoid cimport logistic


cdef inline real minus_half(real x, real s) noexcept nogil:
    # max(x, 0) - s / 2
    return fma(s, splat(x, -0.5), at_least(x, splat(x, -0.0)))


cdef inline real silu_tail_parts(real a, real* rest) noexcept nogil:
    # a / (1 + e^a) = value + rest for a >= 0, times 2^32 (2^128)
    cdef real r_low, sum, inverse, tail, b = at_most(a, pick(a, 109.0, 752.0))
    cdef real r = reduced(b, &r_low, &sum), power = power2_of_sum(sum, 32 if real is f32x else 128)
    tail = logistic_quotient(b * power, splat(a, -0.0), r, r_low, power, lowering(a), rest, &inverse)
    rest[0] = rest[0] * inverse
    return tail


cdef inline real silu_tail(real x) noexcept nogil:
    # |x| / (1 + e^|x|), times 2^32 (2^128)
    cdef real r_low, sum
    cdef real a = at_most(magnitude(x), pick(x, 109.0, 752.0))
    cdef real r = reduced(a, &r_low, &sum)
    return logistic_times(a, r, r_low, sum)


cdef inline real silu_by_exp(real x) noexcept nogil:
    return minus_tail(x, silu_tail(x))


cdef inline f32x silu_segment(f32x x, f32x a, int which) noexcept nogil:
    cdef f32x low
    return minus_half(x, segment(&SILU_SEGMENTS[0][0], 6, ODD, which, steps(a), a, &low))


cdef inline real silu(real x) noexcept nogil:
    # x / (1 + e^-x) = max(x, 0) - |x| / (1 + e^|x|); Elfwing, Uchibe and Doya, arXiv:1702.03118
    cdef real y, a = magnitude(x), end = steps_end(x)
    if real is f32x:
        y = silu_segment(x, a, LOOKUP_FLOATS)
        if any_less(first_steps_end(a), a):
            y, a = where_beyond(a, 109.0, at_least(x, splat(x, -0.0)), y), unless_beyond(a, 109.0)
            if LOOKUP_FLOATS == 8 and any_less(first_steps_end(a), a):
                y = where_less(first_steps_end(a), a, silu_segment(x, a, LAST), y)
            if any_less(end, a):
                y = where_less(end, a, silu_by_exp(x), y)
        return y
    else:
        return silu_by_exp(x)


cdef inline real silu_slope_parts(real a, int which, real* rest) noexcept nogil:
    # silu'(-a) as far as its segments reach
    if real is f32x:
        return segment_parts(&SILU_SLOPE_SEGMENTS[0][0], 7, ROOTED, which, steps(a), a, rest)
    else:
        return segment(&SILU_SLOPE_WIDE[0][0], 16, ROOTED, which, steps(a), a, rest)


cdef inline real silu_slope_far(real x, real* low) noexcept nogil:
    # silu'(x) = e^x (1 + x) for x so far below 0 that 1 + e^x is 1
    cdef real rest, e_low, sum, a = at_least(x, pick(x, -109.0, -760.0))
    cdef real e = exp_of_pair(a, splat(x, -0.0), &e_low, &sum)
    cdef real h = two_sum(splat(x, 1.0), a, &rest)
    h = pair_product(h, rest, e, e_low, &rest)
    low[0] = scale2(rest, whole(sum))
    return scale2(h, whole(sum))


cdef inline real silu_slope_by_exp(real x, real* low) noexcept nogil:
    # With e = e^-|x| and s = 1 + e: (s + x e) / s^2 where x >= 0, and (s + x) e / s^2 where x < 0, which cancels near
    # x = -1.278: for x beyond the segments
    cdef real far = pick(x, 80.0, 690.0), a = at_most(magnitude(x), far), zero = splat(x, 0.0)
    cdef real e, e_low, s, s_low, square, top, top_low, h, rest, k, t, c, sum
    e = exp_of_pair(-a, splat(x, -0.0), &e_low, &sum)
    t = power2(whole(sum))
    e, e_low = e * t, scale_down(e_low, t)
    s = fast_sum(splat(x, 1.0), e, &s_low)
    s_low = s_low + e_low
    square = s * s
    h = two_sum(s, -a, &rest)
    rest = rest + s_low
    k = h * e
    rest = fma(rest, e, fma(h, e_low, fma(h, e, -k)))
    top = fast_sum(s, a * e, &top_low)
    top_low = top_low + s_low
    top, top_low = where_less(x, zero, k, top), where_less(x, zero, rest, top_low)
    k = pair_quotient(top, top_low, square, fma(s + s, s_low, fma(s, s, -square)), low)
    if any_less(x, -far):
        c = silu_slope_far(x, &rest)
        k, low[0] = where_less(x, -far, c, k), where_less(x, -far, rest, low[0])
    return k


cdef inline real silu_slope(real x, real* low) noexcept nogil:
    # s (1 + x (1 - s)), s = sigmoid(x)
    cdef real k, rest, far, slope, a = magnitude(x), end = steps_end(x)
    k = silu_slope_parts(a, LOOKUP_FLOATS, &rest)
    if LOOKUP_FLOATS == 8 and any_less(first_steps_end(a), a):
        k = where_less(first_steps_end(a), a, silu_slope_parts(a, LAST, &far), k)
        rest = where_less(first_steps_end(a), a, far, rest)
    slope = reflected_pair(x, k, rest, low)
    if any_less(end, a):
        k = silu_slope_by_exp(x, &rest)
        slope = where_less(end, a, k, slope)
        low[0] = where_less(end, a, rest, low[0])
    return slope


cdef inline real silu_backward_segment(real grad, real x, real a, int which) noexcept nogil:
    cdef real low, k = silu_slope_parts(a, which, &low)
    return times_reflected_pair(grad, x, k, low)


cdef inline real silu_backward(real grad, real x) noexcept nogil:
    cdef real y, k, low, a = magnitude(x), end = steps_end(x), zero = splat(x, 0.0)
    cdef double far = 109.0 if real is f32x else 760.0
    y = silu_backward_segment(grad, x, a, LOOKUP_FLOATS)
    if any_less(first_steps_end(a), a):
        y, a = where_beyond(a, far, where_less(x, zero, grad * zero, grad), y), unless_beyond(a, far)
        if LOOKUP_FLOATS == 8 and any_less(first_steps_end(a), a):
            y = where_less(first_steps_end(a), a, silu_backward_segment(grad, x, a, LAST), y)
        if any_less(end, a):
            k = silu_slope_by_exp(x, &low)
            y = where_less(end, a, grad * (k + low), y)
    return y


cdef inline real swish(real x, real beta) noexcept nogil:
    # x / (1 + e^-t), t = beta x; Ramachandran, Zoph and Le, arXiv:1710.05941
    cdef real t_low, low, n, top = largest(x)
    cdef real t = stretched(x, beta, &t_low)
    cdef real s = logistic(t, where_less(t, splat(x, 0.0), -t_low, t_low), &low, &n)
    # where the factor is 0, x is limited, since an infinite one would give NaN
    cdef real b = where_less(n, splat(x, -100.0), at_most(at_least(x, -top), top), x)
    b = with_sign(ldexp(scaled(b, s, low), n), x)
    if any_one(beta):
        b = where_one(beta, silu(x), b)
    return b


cdef inline real swish_slope(real t, real t_low, real* low) noexcept nogil:
    # silu'(t + t_low) = silu'(t) + t_low silu''(t), silu'' = s (1 - s) (2 + t (1 - 2 s)), s = sigmoid(t)
    cdef real one = splat(t, 1.0), limit = pick(t, 110.0, 760.0)
    cdef real slope = silu_slope(t, low)
    cdef real u = at_most(at_least(t, -limit), limit)
    cdef real s = sigmoid(u)
    low[0] = fma(t_low * fma(u, fma(splat(t, -2.0), s, one), one + one), s * (one - s), low[0])
    return slope


cdef inline real swish_backward(real grad, real x, real beta) noexcept nogil:
    cdef real t_low, low
    cdef real t = stretched(x, beta, &t_low)
    cdef real slope = swish_slope(t, t_low, &low)
    cdef real y = scaled(grad, slope, low)
    if any_one(beta):
        y = where_one(beta, silu_backward(grad, x), y)
    return y
