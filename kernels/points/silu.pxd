# silu and swish, where s(t) = sigmoid(t):
#
#     silu(x) = x s(x), silu'(x) = s (1 + x (1 - s)); Elfwing, Uchibe and Doya, arXiv:1702.03118
#     swish(x, beta) = x s(beta x), swish' = silu'(beta x); Ramachandran, Zoph and Le, arXiv:1710.05941
from ..lanes cimport (
    LOOKUP_FLOATS, any_less, at_least, at_most, f32x, f64x, fma, ldexp, magnitude, pick, real, splat, where_less,
    with_sign,
)
from ..math.exponential cimport exp_parts, far_power, largest, lowering, power2_of_sum
from ..math.logistic cimport far_terms, far_times, logistic_quotient, logistic_times, reduced, sigmoid
from ..math.piecewise cimport (
    LAST, ODD, ROOTED, first_steps_end, reflected_pair, segment, segment_parts, steps, steps_end, unless_beyond,
    where_beyond,
)
from ..math.pairs cimport fast_sum, scaled
from ..math.segments cimport SILU_SEGMENTS, SILU_SLOPE_SEGMENTS
from ..math.wide_segments cimport SILU_SLOPE_WIDE
from .parts cimport (
    any_one, gate_lowering, lowered_slope, minus_tail, stretched, times_raised, times_reflected_pair, where_one,
)
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


cdef inline f64x silu_by_exp(f64x x) noexcept nogil:
    cdef f64x r_low, sum, a = at_most(magnitude(x), splat(x, 752.0))
    cdef f64x r = reduced(a, &r_low, &sum)
    return minus_tail(x, logistic_times(a, r, r_low, sum))


cdef inline f32x silu_far(f32x x, f32x a) noexcept nogil:
    # where 9.68 < a = |x| <= 109
    cdef f32x rest, v, power, r = far_terms(a, splat(a, 0.0), 1.0, False, &rest, &v, &power)
    return minus_tail(x, far_times(a, r, rest) * power)


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
                y = where_less(end, a, silu_far(x, a), y)
        return y
    else:
        return silu_by_exp(x)


cdef inline real silu_slope_parts(real a, int which, real* rest) noexcept nogil:
    # silu'(-a) as far as its segments reach
    if real is f32x:
        return segment_parts(&SILU_SLOPE_SEGMENTS[0][0], 7, ROOTED, which, steps(a), a, rest)
    else:
        return segment(&SILU_SLOPE_WIDE[0][0], 16, ROOTED, which, steps(a), a, rest)


cdef inline real silu_slope_far(real a, real* low) noexcept nogil:
    # silu'(-a), raised as parts.pxd says, for an a beyond the segments, up to 109 (760). With e = e^-a it is
    # e (1 - a + e) / (1 + e)^2, as a series e ((1 - a) + (2 a - 1) e + (1 - 3 a) e^2 + (4 a - 1) e^3 ...), of which two
    # terms suffice in float32, to 2^-26.2
    cdef real rest, sum, r, w, v, e, k, power, one = splat(a, 1.0), h = one - a  # exact
    cdef real c = fma(a, splat(a, 2.0), -one)
    if real is f32x:
        r = far_terms(a, splat(a, 0.0), 0.0, True, &rest, &v, &power)
        w = fast_sum(r, rest, &rest)
        k = fma(h, w, h)
        low[0] = fma(power, v * v * (c * gate_lowering(a)), fma(h, rest, fma(h, w, h - k)))
    else:
        r = exp_parts(-a, &rest, &sum)
        w = r + rest
        v = one + w
        e = v * far_power(sum)
        k = fma(fma(a, splat(a, -5.0), one), e, fma(a, splat(a, 4.0), -one))
        c = fma(fma(k, e, fma(a, splat(a, -3.0), one)), e, c)
        k = fast_sum(h, fma(h, w, v * e * c), low)
        power = power2_of_sum(sum, 900)
    low[0] = low[0] * power
    return k * power


cdef inline real silu_slope(real x, real* low) noexcept nogil:
    # s (1 + x (1 - s)), s = sigmoid(x)
    cdef real k, rest, last, last_rest, a = magnitude(x), end = steps_end(x)
    k = silu_slope_parts(a, LOOKUP_FLOATS, &rest)
    if LOOKUP_FLOATS == 8 and any_less(first_steps_end(a), a):
        last = silu_slope_parts(a, LAST, &last_rest)
        k, rest = where_less(first_steps_end(a), a, last, k), where_less(first_steps_end(a), a, last_rest, rest)
    if any_less(end, a):
        last = silu_slope_far(at_most(a, pick(a, 109.0, 760.0)), &last_rest)
        k, rest = lowered_slope(end, a, last, k), lowered_slope(end, a, last_rest, rest)
    return reflected_pair(x, k, rest, low)


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
            k = silu_slope_far(a, &low)
            y = where_less(end, a, times_raised(grad, x, k, low), y)
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
