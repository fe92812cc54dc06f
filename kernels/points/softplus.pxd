# softplus, with a parameter and mirrored; Dugas et al., NIPS 2000:
#
#     softplus(x) = log(1 + e^x), softplus'(x) = sigmoid(x)
#     softplus_scaled(x, beta) = log(1 + e^(beta x)) / beta, its slope sigmoid(beta x)
#     softplus_threshold(x, beta, threshold): the same, but x where beta x > threshold; torch.nn.functional.softplus
#     logsigmoid(x) = -softplus(-x), logsigmoid'(x) = sigmoid(-x)
#     log1mexp(x) = log(1 - e^-x); Maechler, "Accurately computing log(1 - exp(-|a|))"
from libc.math cimport INFINITY

from ..lanes cimport (
    LOOKUP_FLOATS, any_less, at_least, at_most, f32x, f64x, fma, ldexp, magnitude, pick, real, scale2, scale_down,
    splat, two_sum, where_less, with_sign,
)
from ..math.exponential cimport (
    exp_of_pair, exp_parts, expm1_parts, far_out, lowering, power2_of_sum, scale2_of_sum, whole,
)
from ..math.logarithm cimport log, log1p_below_f64, log1p_f64, log_pair_f32, log_terms_f64
from ..math.logistic cimport far_part, sigmoid_tail
from ..math.piecewise cimport (
    ALL, LAST, PLAIN, first_steps_end, quarters, segment, segment_parts, steps, steps_end, unless_beyond, where_beyond,
)
from ..math.pairs cimport fast_sum, finite, pair_product
from ..math.segments cimport SOFTPLUS_SEGMENTS, SOFTPLUS_TAIL_SEGMENTS
from .parts cimport any_one, any_other, stretched, times_reflected, where_one
from .sigmoid cimport times_logistic, times_logistic_far


cdef inline f32x softplus_tail(f32x a, f32x a_low, f32x* low, f32x* sum) noexcept nogil:
    # log(1 + e^-(a + a_low)) = 2^n (value + low) for a >= 0, n = whole(sum): e^-a times a polynomial by segments
    cdef f32x q, q_low
    cdef f32x e = exp_of_pair(-a, -a_low, low, sum)
    a = at_most(a, splat(a, 22.0))
    q = segment(&SOFTPLUS_TAIL_SEGMENTS[0][0], 6, PLAIN, ALL, quarters(a, 0.84375, 1.25), a, &q_low)
    return pair_product(q, q_low, e, low[0], low)


cdef inline real softplus_of_pair(real t, real t_low, real* low, real* n) noexcept nogil:
    # log(1 + e^(t + t_low)) = max(t, 0) + log(1 + e^-a) = 2^n (value + low), a = |t|; float64: by log1p, and e^t itself
    # below -45
    cdef real e, e_low, tail, tail_low, sum, zero = splat(t, 0.0)
    cdef real a = at_most(magnitude(t), pick(t, 200.0, 1470.0)), a_low = where_less(t, zero, -t_low, t_low)
    if real is f32x:
        e = softplus_tail(a, a_low, &e_low, &sum)
        tail = scale2_of_sum(e, sum)
        tail_low = scale2_of_sum(e_low, sum)
        n[0] = where_less(t, zero, whole(sum), zero)
    else:
        e = exp_of_pair(-a, -a_low, &e_low, &sum)
        tail = log1p_f64(scale2_of_sum(e, sum), scale2_of_sum(e_low, sum), &tail_low)
        n[0] = where_less(t, splat(t, -45.0), whole(sum), zero)
        e = where_less(n[0], zero, e, tail)
        e_low = where_less(n[0], zero, e_low, tail_low)
    tail = two_sum(t, tail, low)
    low[0] = where_less(t, zero, e_low, low[0] + (tail_low + t_low))
    return where_less(t, zero, e, tail)


cdef inline f64x softplus_tail_f64(f64x a, f64x* low) noexcept nogil:
    # log(1 + e^-a) = value + low for a >= 0
    cdef f64x rest, sum, e, e_low
    cdef f64x r = exp_parts(-at_most(a, splat(a, 1470.0)), &rest, &sum)
    e = fast_sum(splat(a, 1.0), r + rest, &e_low)
    return log1p_below_f64(scale2(e, whole(sum)), scale2(e_low, whole(sum)), low)


cdef inline f32x softplus_far(f32x a) noexcept nogil:
    # log(1 + e^-a), times 2^32, for 9.68 < a <= 109
    cdef f32x power, w = far_part(a, 0.5, False, &power)
    return fma(w, power, power)


cdef inline f32x softplus_segment(f32x rise, f32x a, int which) noexcept nogil:
    cdef f32x rest, lost, tail = segment_parts(&SOFTPLUS_SEGMENTS[0][0], 6, PLAIN, which, steps(a), a, &rest)
    cdef f32x y = fast_sum(at_least(rise, tail), at_most(rise, tail), &lost)
    return y + (lost + rest)


cdef inline real softplus(real x) noexcept nogil:
    # log(1 + e^x) = max(x, 0) + log(1 + e^-|x|); Dugas et al., NIPS 2000
    cdef real y, tail, low, lost, a = magnitude(x), end = steps_end(x), rise = at_least(x, splat(x, 0.0))
    if real is f32x:
        y = softplus_segment(rise, a, LOOKUP_FLOATS)
        if any_less(first_steps_end(a), a):
            y, a = where_beyond(a, 109.0, rise, y), unless_beyond(a, 109.0)
            if LOOKUP_FLOATS == 8 and any_less(first_steps_end(a), a):
                y = where_less(first_steps_end(a), a, softplus_segment(rise, a, LAST), y)
            if any_less(end, a):
                y = where_less(end, a, fma(softplus_far(a), lowering(a), rise), y)
        return y
    else:
        tail = softplus_tail_f64(a, &low)
        y = fast_sum(at_least(rise, tail), at_most(rise, tail), &lost)
        return where_less(x, splat(x, 100.0), y + (lost + low), x)


cdef inline f32x softpluses_segment(f32x a, int which, f32x* rise) noexcept nogil:
    cdef f32x rest, lost, tail = segment_parts(&SOFTPLUS_SEGMENTS[0][0], 6, PLAIN, which, steps(a), a, &rest)
    cdef f32x y = fast_sum(at_least(a, tail), at_most(a, tail), &lost)
    rise[0] = y + (lost + rest)
    return tail + rest


cdef inline real softpluses(real x, real* other) noexcept nogil:
    # softplus(x), and softplus(-x) by the same logarithm
    cdef real y, rise, last, last_rise, a = magnitude(x), end = steps_end(x), zero = splat(x, 0.0)
    if real is f32x:
        y = softpluses_segment(a, LOOKUP_FLOATS, &rise)
        if any_less(first_steps_end(a), a):
            if LOOKUP_FLOATS == 8:
                last = softpluses_segment(a, LAST, &last_rise)
                y, rise = where_less(first_steps_end(a), a, last, y), where_less(first_steps_end(a), a, last_rise, rise)
            if LOOKUP_FLOATS == 16 or any_less(end, a):
                last = softplus_far(at_most(a, splat(a, 109.0)))
                last, last_rise = scale_down(last, lowering(a)), fma(last, lowering(a), a)
                y, rise = where_less(end, a, last, y), where_less(end, a, last_rise, rise)
    else:
        y = softplus_tail_f64(a, &last)
        y = y + last
        rise = a + y
    other[0] = where_less(x, zero, rise, y)
    return where_less(x, zero, y, rise)


cdef inline real softplus_backward(real grad, real x) noexcept nogil:
    cdef real y, last, a = magnitude(x), end = steps_end(x), zero = splat(x, 0.0)
    if real is f32x:
        y = with_sign(times_reflected(grad, x, sigmoid_tail(a, LOOKUP_FLOATS)), grad)
        if any_less(first_steps_end(a), a):
            last = where_less(magnitude(grad), splat(grad, INFINITY), with_sign(zero, grad), grad)
            y, a = where_beyond(a, 200.0, where_less(x, zero, last, grad), y), unless_beyond(a, 200.0)
            if LOOKUP_FLOATS == 8 and any_less(first_steps_end(a), a):
                last = with_sign(times_reflected(grad, x, sigmoid_tail(a, LAST)), grad)
                y = where_less(first_steps_end(a), a, last, y)
            if any_less(end, a):
                y = where_less(end, a, times_logistic_far(grad, x, a), y)
        return y
    else:
        return times_logistic(grad, x, splat(x, -0.0))


cdef inline real softplus_stretched(real x, real beta) noexcept nogil:
    # log(1 + e^t) / beta, t = beta x; where the quotient is infinite its remainder would be NaN
    cdef real t_low, low, n
    cdef real t = stretched(x, beta, &t_low)
    cdef real y = softplus_of_pair(t, t_low, &low, &n)
    cdef real q = y / beta
    q = q + finite((fma(-q, beta, y) + low) / beta)
    return where_less(t, splat(x, 100.0), ldexp(q, n), x)


cdef inline real softplus_scaled(real x, real beta) noexcept nogil:
    cdef real y = x
    if any_one(beta):
        y = softplus(x)
    if any_other(beta):
        y = where_one(beta, y, softplus_stretched(x, beta))
    return y


cdef inline real softplus_scaled_backward(real grad, real x, real beta) noexcept nogil:
    cdef real y = x, t, t_low
    if any_one(beta):
        y = softplus_backward(grad, x)
    if any_other(beta):
        t = stretched(x, beta, &t_low)
        y = where_one(beta, y, times_logistic(grad, t, where_less(t, splat(t, 0.0), -t_low, t_low)))
    return y


cdef inline real beyond(real x, real beta, real threshold, real yes, real no) noexcept nogil:
    # yes where beta x > threshold, no elsewhere; of the product before it is rounded
    cdef real t = x, t_low = splat(x, 0.0)
    if any_other(beta):
        t = stretched(x, beta, &t_low)
    return where_less(threshold - t, t_low, yes, no)


cdef inline real softplus_threshold(real x, real beta, real threshold) noexcept nogil:
    return beyond(x, beta, threshold, x, softplus_scaled(x, beta))


cdef inline real softplus_threshold_backward(real grad, real x, real beta, real threshold) noexcept nogil:
    return beyond(x, beta, threshold, grad, softplus_scaled_backward(grad, x, beta))


cdef inline real logsigmoid(real x) noexcept nogil:
    # -log(1 + e^-x)
    return -softplus(-x)


cdef inline real logsigmoid_backward(real grad, real x) noexcept nogil:
    return softplus_backward(grad, -x)


cdef inline real log1mexp(real x) noexcept nogil:
    # 1 - e^-x as a pair, and its logarithm; -e^-x where that may be no normal number, which keeps the sign of a zero
    cdef real rest, sum, y, low, one = splat(x, 1.0), far = far_out(x), least = splat(x, 1.2e-38)
    cdef real r = expm1_parts(-at_most(x, pick(x, 104.0, 746.0)), &rest, &sum)
    cdef real power = power2_of_sum(sum, 0), start = one - power, u = fma(-power, r, start)
    low = fma(-power, r, start - u) + ((one - start) - power)
    u = fast_sum(u, fma(-power, rest, low), &low)
    if real is f32x:
        y = log_pair_f32(u, low)
    else:
        y = log_terms_f64(u, low, &low)
        y = y + low
    if any_less(far, x):
        y = where_less(far, x, -scale2(one + (r + rest), whole(sum)), y)
    return where_less(x, least, log(x), y) if any_less(x, least) else y
