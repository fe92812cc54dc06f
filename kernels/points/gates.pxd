# Gated linear units, each of a gate and what it lets through:
#
#     glu(x, gate) = x sigmoid(gate); Dauphin et al., arXiv:1612.08083
#     swiglu, geglu, reglu(gate, up) = silu, gelu, relu(gate) times up; Shazeer, arXiv:2002.05202
#     swiglu_beta(gate, up, beta) = gate sigmoid(beta gate) up; Ramachandran, Zoph and Le, arXiv:1710.05941
#     swiglu_clamped(gate, up, beta, limit, shift) = g sigmoid(beta g) (u + shift), g = min(gate, limit) and
#         u = min(max(up, -limit), limit); gpt-oss, arXiv:2508.10925
#
# A backward returns the gradient of its first operand and stores that of the second.
from libc.math cimport INFINITY

from ..lanes cimport (
    LOOKUP_FLOATS, all_less, any_less, at_least, at_most, f32x, fma, ldexp, magnitude, pick, power2, real, scale_down,
    splat, where_less, with_sign,
)
from ..math.exponential cimport any_outside, largest, lowering, scale2_of_sum, whole
from ..math.logistic cimport far_sum, far_terms, logistic_divisor, logistic_quotient, reduced, times_logistic_f32
from ..math.normal cimport far_density, mills_segment, normal_tail_parts
from ..math.piecewise cimport (
    ALL, LAST, ODD, PLAIN, any_past_first, bent_steps, first_steps_end, segment_parts, steps, steps_end,
)
from ..math.pairs cimport fast_sum, finite, pair_product, pair_quotient, product, scaled
from ..math.segments cimport GEGLU_SEGMENTS, SILU_SEGMENTS
from .gelu cimport gelu_slope
from .parts cimport any_one, any_other, any_unusual, gate_lowering, gate_power, stretched, where_one, where_usual
from .relu cimport relu_backward
from .sigmoid cimport logistic, logistic_up_to, times_logistic
from .silu cimport silu_slope, silu_tail_parts, swish_slope


cdef inline real lifted(real x, real* n) noexcept nogil:
    # x, but a tiny one times 2^60 (2^400), and n less by as much: the rounding error of a product with x is then no
    # subnormal
    cdef real tiny = pick(x, 8.470329472543003e-22, 3.054936363499605e-151)
    n[0] = n[0] + where_less(magnitude(x), tiny, pick(x, -60.0, -400.0), splat(x, 0.0))
    return x * where_less(magnitude(x), tiny, pick(x, 1.152921504606847e+18, 2.5822498780869086e+120), splat(x, 1.0))


cdef inline real glu(real x, real gate) noexcept nogil:
    # x / (1 + e^-gate); Dauphin et al., arXiv:1612.08083
    cdef real low, n
    cdef real s = logistic(gate, splat(gate, -0.0), &low, &n)
    x = lifted(x, &n)
    return ldexp(scaled(x, s, low), n)


cdef inline real lowered(real x, real* n) noexcept nogil:
    # x, but a huge one times 2^-65 (2^-520), and n more by as much: a product with x then does not overflow before it
    # is multiplied by 2^n
    cdef real huge = pick(x, 1.152921504606847e+18, 3.273390607896142e+150)
    n[0] = n[0] + where_less(magnitude(x), huge, splat(x, 0.0), pick(x, 65.0, 520.0))
    return x * where_less(magnitude(x), huge, splat(x, 1.0), pick(x, 2.710505431213761e-20, 2.913414348125081e-157))


cdef inline real product_of_any_size(real grad, real x, real s, real s_low, real n) noexcept nogil:
    # grad x 2^n (s + s_low) for n <= 0, where a factor may be out of range although the product is not
    cdef real low, rest, zero = splat(x, 0.0)
    x, grad = lowered(lifted(x, &n), &n), lowered(lifted(grad, &n), &n)
    s = pair_product(s, s_low, x, zero, &low)
    rest = at_least(n - splat(x, 60.0), zero)  # of the exponent, beyond the 60 that ldexp takes
    return ldexp(scaled(grad, s, finite(low)), n - rest) * power2(rest)


cdef inline real glu_backward(real grad, real x, real gate, real* grad_gate) noexcept nogil:
    # grad s, and grad x s (1 - s), s = sigmoid(gate). Beyond a gate of 300 (2200), of either sign, s (1 - s) is so
    # small that its product with the largest grad and x is 0.
    cdef real r_low, sum, d, d_low, e, e_low, q, q_low, s, s_low, y, low, zero = splat(x, 0.0), a = magnitude(gate)
    cdef real far = pick(x, 40.0, 300.0), power
    cdef real small = pick(x, 9.5367431640625e-07, 7.888609052210118e-31), large = splat(x, 1099511627776.0)
    cdef real r = reduced(at_most(a, pick(x, 300.0, 2200.0)), &r_low, &sum)
    d = logistic_divisor(r, r_low, sum, &d_low, &e, &e_low)
    q = pair_quotient(splat(x, 1.0), zero, d, d_low, &q_low)
    s = pair_product(e, e_low, q, q_low, &s_low)
    s = pair_product(s, s_low, q, q_low, &s_low)
    power = power2(whole(sum))
    y = pair_product(s * power, s_low * power, x, zero, &low)
    y = scaled(grad, y, low)
    if any_less(far, a) or any_outside(magnitude(x), small, large):
        q = product_of_any_size(grad, x, s, s_low, whole(sum))
        y = where_less(far, a, q, where_less(magnitude(x), small, q, where_less(magnitude(x), large, y, q)))
    grad_gate[0] = y
    return times_logistic(grad, gate, splat(x, -0.0))


cdef inline real gated_pair(real gate, real up, real s, real s_low, real n) noexcept nogil:
    # gate up 2^n (s + s_low); a large `up` is divided by 4096 first, lest the product overflow before 2^n comes in
    cdef real low, one = splat(gate, 1.0), large = where_less(one, magnitude(up), splat(gate, 0.000244140625), one)
    cdef real x = lifted(gate, &n), y = lifted(up * large, &n)
    cdef real p = pair_product(x, splat(gate, 0.0), s, s_low, &low)
    n = n + where_less(large, one, splat(gate, 12.0), splat(gate, 0.0))
    return with_sign(ldexp(scaled(y, p, finite(low)), n), gate * up)


cdef inline real gated(real gate, real p, real p_low, real tail, real tail_low) noexcept nogil:
    # p - tail where gate >= 0, the tail where not, of a tail that gate_power has raised (parts.pxd)
    cdef real down = gate_lowering(p)
    cdef real y = fma(tail, -down, p)
    y = y + (fma(tail, -down, p - y) + fma(tail_low, -down, p_low))
    return where_less(gate, splat(p, 0.0), with_sign(scale_down(tail + tail_low, down), p), y)  # also where it is 0


cdef inline real rise_minus_product(real gate, real m, real s, real s_rest, real* low) noexcept nogil:
    # max(gate, 0) - m (s + s_rest)
    cdef real rise = at_least(gate, splat(gate, -0.0)), y = fma(-m, s, rise)
    low[0] = fma(-m, s_rest, fma(-m, s, rise - y))
    return y


# Segments serve where neither operand nor the product is of an unusual size: there nothing on the way underflows,
# overflows or is NaN. `large` is the larger of the gate and a small share of `up`: below `end` the gate lies within the
# segments, and the product cannot overflow.
cdef inline real by_segments(real large, real end, real y) noexcept nogil:
    # |y|, but 0, which sends a lane to the formula, where an operand is too large
    return where_less(large, end, magnitude(y), splat(y, 0.0))


cdef inline int any_by_exp(real seen) noexcept nogil:
    return any_less(seen, gate_lowering(seen))


cdef inline real where_by_exp(real seen, real yes, real no) noexcept nogil:
    return where_less(seen, gate_lowering(seen), yes, no)


cdef inline real unless_zero(real gate, real up, real y, double far, real usual, real* seen) noexcept nogil:
    # y, but gate up where that is 0, as it is of padding, and 0 where the gate is so far below 0 that nothing comes
    # through: none of these lanes takes the formula
    cdef real p = gate * up, least = pick(p, 1.401298464324817e-45, 5e-324)
    cdef real shut = where_less(magnitude(up), splat(up, INFINITY), gate, splat(gate, 0.0))
    seen[0] = where_less(magnitude(p), least, usual, where_less(shut, splat(gate, -far), usual, seen[0]))
    y = where_less(shut, splat(gate, -far), with_sign(splat(up, 0.0), -up), y)
    return where_less(magnitude(p), least, p, y)


cdef inline real gate_backward(real grad, real up, real slope, real low) noexcept nogil:
    # grad up (slope + low)
    cdef real s = pair_product(slope, low, up, splat(up, 0.0), &low)
    return scaled(grad, s, low)


cdef inline real swiglu_by_exp(real gate, real up) noexcept nogil:
    cdef real p_low, r_low, sum, y, s, s_low, n, rest, inverse, least = pick(gate, -200.0, -1470.0)
    cdef real x = at_least(gate, least)
    cdef real p = product(x, up, &p_low)
    cdef real r = reduced(at_most(magnitude(gate), -least), &r_low, &sum)
    cdef real power = gate_power(sum)
    s = logistic_quotient(p * power, p_low * power, r, r_low, power, gate_lowering(p), &rest, &inverse)
    y = gated(gate, p, p_low, s, rest * inverse)
    if any_unusual(p):
        s = logistic(gate, splat(gate, -0.0), &s_low, &n)
        y = where_usual(p, y, gated_pair(x, up, s, s_low, n))
    return y


cdef inline f32x swiglu_far(f32x gate, f32x a, f32x p, f32x p_low) noexcept nogil:
    # swiglu of p = gate up of usual size, where 9.68 < a = |gate|: nothing comes through below -125
    cdef f32x rest, v, power, y, down = gate_lowering(p)
    cdef f32x r = far_terms(at_most(a, splat(a, 125.0)), splat(a, 0.0), 1.0, True, &rest, &v, &power)
    cdef f32x tail = scale_down(far_sum(p, p_low, r, rest, v), power)
    y = fma(tail, -down, p)
    y = y + (fma(tail, -down, p - y) + p_low)
    return where_less(gate, splat(p, 0.0), scale_down(tail, down), y)


cdef inline f32x swiglu_segment(f32x gate, f32x up, f32x a, int which) noexcept nogil:
    cdef f32x rest, s = segment_parts(&SILU_SEGMENTS[0][0], 6, ODD, which, steps(a), a, &rest)
    cdef f32x y = rise_minus_product(gate, splat(a, 0.5), s, rest, &rest)
    return fma(y, up, rest * up)


cdef inline real swiglu(real gate, real up) noexcept nogil:
    # silu(gate) up; Shazeer, arXiv:2002.05202
    cdef real y, a = magnitude(gate), seen, tail, rest, rise, low
    if real is f32x:
        y = swiglu_segment(gate, up, a, LOOKUP_FLOATS)
        if LOOKUP_FLOATS == 8 and any_less(first_steps_end(a), a):
            y = where_less(first_steps_end(a), a, swiglu_segment(gate, up, a, LAST), y)
        seen = by_segments(at_least(a, magnitude(up) * splat(up, 7.450580596923828e-09)), steps_end(a), y)
        if any_by_exp(seen):
            y = unless_zero(gate, up, y, 200.0, steps_end(a), &seen)
            if any_by_exp(seen):
                tail = product(gate, up, &low)
                rise = where_less(steps_end(a), a, tail, splat(a, 0.0))
                y, seen = where_usual(rise, swiglu_far(gate, a, tail, low), y), where_usual(rise, steps_end(a), seen)
                if any_by_exp(seen):
                    y = where_by_exp(seen, swiglu_by_exp(gate, up), y)
        return y
    else:
        # silu(gate) as a pair, where its tail, raised by 2^128, and y are normal numbers by far, and y no NaN
        rise, low = at_least(gate, splat(gate, -0.0)), -lowering(gate)
        tail = silu_tail_parts(a, &rest)
        y = fma(tail, low, rise)
        low = fma(rest, low, fma(tail, low, rise - y))
        y = fma(y, up, low * up)
        seen = at_most(magnitude(y), tail)
        if not all_less(splat(gate, 1.3639663065038175e-253), seen):
            y = where_less(splat(gate, 1.3639663065038175e-253), seen, y, swiglu_by_exp(gate, up))
        return y


cdef inline real swiglu_backward(real grad, real gate, real up, real* grad_up) noexcept nogil:
    cdef real low
    cdef real slope = silu_slope(gate, &low)
    grad_up[0] = swiglu(gate, grad)
    return gate_backward(grad, up, slope, low)


cdef inline real swish_times_by_exp(real gate, real up, real beta) noexcept nogil:
    cdef real p_low, t_low, r_low, sum, x, y, s, s_low, n, rest, inverse, top = largest(gate), zero = splat(gate, 0.0)
    cdef real t = stretched(gate, beta, &t_low)
    cdef real a_low = where_less(t, zero, -t_low, t_low)
    cdef real p = product(gate, up, &p_low)
    cdef real r = reduced(at_most(magnitude(t), pick(gate, 200.0, 1470.0)), &r_low, &sum)
    cdef real power = gate_power(sum)
    s = logistic_quotient(p * power, p_low * power, r, r_low + a_low, power, gate_lowering(p), &rest, &inverse)
    y = gated(t, p, p_low, s, rest * inverse)
    if any_unusual(p):
        # cut off where 2^n times the largest product is 0; the gate is limited there, since infinity times 0 is NaN
        s = logistic_up_to(pick(gate, 300.0, 2200.0), t, a_low, &s_low, &n)
        x = where_less(n, splat(gate, -100.0), at_most(at_least(gate, -top), top), gate)
        y = where_usual(p, y, with_sign(product_of_any_size(up, x, s, s_low, n), x * up))
    return y


cdef inline real swish_times(real gate, real up, real beta) noexcept nogil:
    # gate sigmoid(beta gate) up
    cdef real t_low, p_low, t, p, y, large, end
    if real is f32x:
        t, p, end = product(gate, beta, &t_low), product(gate, up, &p_low), splat(gate, 60.0)
        y = times_logistic_f32(p, p_low, t, t_low)
        large = at_least(magnitude(p) * splat(p, 5.587935447692871e-08), magnitude(t))
        if not (all_less(large, end) and all_less(gate_lowering(p), magnitude(y))):
            y = where_by_exp(by_segments(large, end, y), swish_times_by_exp(gate, up, beta), y)
        return y
    else:
        return swish_times_by_exp(gate, up, beta)


cdef inline real swiglu_beta(real gate, real up, real beta) noexcept nogil:
    # the same, with swiglu's own bits where beta is 1
    cdef real y = up
    if any_other(beta):
        y = swish_times(gate, up, beta)
    if any_one(beta):
        y = where_one(beta, swiglu(gate, up), y)
    return y


cdef inline real clamped(real x, real limit) noexcept nogil:
    # x, but at most `limit` from 0; a NaN stays one
    return at_most(at_least(x, -limit), limit)


cdef inline real swiglu_clamped(real gate, real up, real beta, real limit, real shift) noexcept nogil:
    return swiglu_beta(at_most(gate, limit), clamped(up, limit) + shift, beta)


cdef inline real swiglu_clamped_backward(real grad, real gate, real up, real beta, real limit, real shift,
                                         real* grad_up) noexcept nogil:
    # the gradient of an operand is 0 where its clamp holds it back
    cdef real t_low, low, slope, y, other, zero = splat(gate, 0.0), g = at_most(gate, limit)
    cdef real u = clamped(up, limit) + shift
    y = other = zero
    if any_other(beta):
        slope = stretched(g, beta, &t_low)
        slope = swish_slope(slope, t_low, &low)
        y, other = gate_backward(grad, u, slope, low), swish_times(g, grad, beta)
    if any_one(beta):
        slope = swiglu_backward(grad, g, u, &low)
        y, other = where_one(beta, slope, y), where_one(beta, low, other)
    grad_up[0] = where_less(limit, magnitude(up), zero, other)
    return where_less(limit, gate, zero, y)


cdef inline void swiglu_clamped_of(const real* x, real* y) noexcept nogil:
    y[0] = swiglu_clamped(x[0], x[1], x[2], x[3], x[4])


cdef inline void swiglu_clamped_backward_of(const real* x, real* y) noexcept nogil:
    y[0] = swiglu_clamped_backward(x[0], x[1], x[2], x[3], x[4], x[5], &y[1])


cdef inline real geglu_by_exp(real gate, real up) noexcept nogil:
    cdef real p_low, low, sum, e, e_low, y, s, lost, n, power, zero = splat(gate, 0.0), least = pick(gate, -20.0, -39.0)
    cdef real x = at_least(gate, least)
    cdef real p = product(x, up, &p_low)
    cdef real q = normal_tail_parts(at_most(magnitude(gate), -least), &low, &sum, &e, &e_low)
    power = gate_power(sum)
    s = pair_product(p, p_low, q, low, &lost)
    y = gated(gate, p, p_low, s * power, lost * power)
    if any_unusual(p):
        s = fast_sum(splat(gate, 1.0), -scale2_of_sum(q, sum), &lost)
        lost = lost - scale2_of_sum(low, sum)
        n = where_less(gate, zero, whole(sum), zero)
        s = where_less(gate, zero, q, s)
        lost = where_less(gate, zero, low, lost)
        y = where_usual(p, y, gated_pair(x, up, s, lost, n))
    return y


cdef inline f32x geglu_far(f32x a, f32x up) noexcept nogil:
    # geglu where 5.46 < a = -gate and the product is of usual size: nothing comes through beyond 15.8
    cdef f32x low, p_low, rest, v, power, b = at_most(a, splat(a, 15.8)), r = far_density(b, True, &rest, &v, &power)
    cdef f32x h = mills_segment(b, ALL, &low), p = product(a, -up, &p_low)
    p = pair_product(p, p_low, h, low, &low)
    return scale_down(scale_down(far_sum(p, low, r, rest, v), power), gate_lowering(p))


cdef inline f32x geglu_segment(f32x gate, f32x up, f32x a, int which) noexcept nogil:
    # Segments narrower than gelu's, whose errors would be too large here: of each x gelu has one result, which may
    # be far above a power of two, but there is an `up` by which the product is just below one
    cdef f32x rest
    cdef f32x s = segment_parts(&GEGLU_SEGMENTS[0][0], 7, PLAIN, which, bent_steps(a, 0.65, 0.4, 0.0), a, &rest)
    cdef f32x y = rise_minus_product(gate, a, s, rest, &rest)
    return fma(y, up, rest * up)


cdef inline real geglu(real gate, real up) noexcept nogil:
    # gelu(gate) up; Shazeer, arXiv:2002.05202
    cdef real y, seen, far, end = splat(gate, 5.46), a = at_most(magnitude(gate), end)
    if real is f32x:
        y = geglu_segment(gate, up, a, LOOKUP_FLOATS)
        if any_past_first(a, 3.59):
            y = geglu_segment(gate, up, a, ALL)
        seen = at_least(magnitude(gate), magnitude(up)) * splat(up, 3.725290298461914e-09)
        seen = by_segments(at_least(-gate, seen), end, y)
        if any_by_exp(seen):
            y = unless_zero(gate, up, y, 20.0, end, &seen)
            if any_by_exp(seen):
                far = where_less(gate, -end, gate, splat(gate, 0.0)) * up
                y, seen = where_usual(far, geglu_far(-gate, up), y), where_usual(far, end, seen)
                if any_by_exp(seen):
                    y = where_by_exp(seen, geglu_by_exp(gate, up), y)
        return y
    else:
        return geglu_by_exp(gate, up)


cdef inline real geglu_backward(real grad, real gate, real up, real* grad_up) noexcept nogil:
    cdef real low
    cdef real slope = gelu_slope(gate, &low)
    grad_up[0] = geglu(gate, grad)
    return gate_backward(grad, up, slope, low)


cdef inline real reglu(real gate, real up) noexcept nogil:
    # max(gate, 0) up; Shazeer, arXiv:2002.05202
    return at_least(gate, splat(gate, 0.0)) * up


cdef inline real reglu_backward(real grad, real gate, real up, real* grad_up) noexcept nogil:
    grad_up[0] = reglu(gate, grad)
    return relu_backward(grad * up, gate)
