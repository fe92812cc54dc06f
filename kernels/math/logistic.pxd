# The logistic function and tanh on registers, and the parts of them that activations multiply by. Coefficients are
# those of the exponential and of the segments.
from ..lanes cimport (
    LOOKUP_FLOATS, any_less, at_least, at_most, f32x, f64x, fma, magnitude, pick, power2, real, scale_down, splat,
    where_less, with_sign,
)
from .exponential cimport (
    early_exp_of_pair, exp_parts, exp_rest, exp_series, ln2, ln2_low, lowering, minus_ln2, nearest_sum, one_plus,
    power2_of_sum, raised_by, raised_power2, step, whole,
)
from .pairs cimport fast_sum, pair_quotient
from .piecewise cimport (
    ALL, LAST, ODD, PLAIN, first_steps_end, quarters, reflected, segment, steps, steps_end, unless_beyond, where_beyond,
)
from .segments cimport SIGMOID_SEGMENTS, TANH_SEGMENTS


cdef inline real reduced(real a, real* r_low, real* sum) noexcept nogil:
    # a = r + r_low - n ln 2, n = whole(sum): e^a = 2^-n e^(r + r_low)
    sum[0] = nearest_sum(a, -1.4426950408889634)
    return minus_ln2(a, -whole(sum[0]), r_low)


cdef inline real logistic_divisor(real r, real r_low, real sum, real* low, real* e, real* e_low) noexcept nogil:
    # 2^n + e^(r + r_low) = value + low for n <= 0, of which e^(r + r_low) = e + e_low. With a reduced to r and n,
    # 1 / (1 + e^a) = 2^n / (value + low) and 1 / (1 + e^-a) = (e + e_low) / (value + low)
    cdef real d, power = raised_power2(sum), down = lowering(r)
    e[0] = one_plus(r, exp_rest(r, r_low), e_low)
    d = fma(power, down, e[0])
    low[0] = fma(power, down, e[0] - d) + e_low[0]
    return d


cdef inline real logistic_quotient(real top, real top_low, real r, real r_low, real power, real down, real* rest,
                                   real* inverse) noexcept nogil:
    # (top + top_low) / (2^n + e^(r + r_low)) for 2^n = power down, n <= 0: a first quotient, and
    # a remainder, whose product with `inverse` is the quotient's error. float64: e^r - 1 is rounded once, by 2^-55
    cdef real one = splat(r, 1.0)
    cdef real d, d_low, r_lost, rest_lost, q, square
    cdef real c = fma(power, down, one)
    d_low = fma(power, down, one - c)
    if real is f32x:
        d = fast_sum(fast_sum(c, r, &r_lost), exp_rest(r, r_low), &rest_lost)
        d_low = d_low + (r_lost + rest_lost)
    else:
        square = r * r
        q = fma(square, exp_series(r, square), r)
        d = c + q
        d_low = fma(r_low, q, d_low + r_low) + ((c - d) + q)
    inverse[0] = one / d
    q = top * inverse[0]
    rest[0] = fma(-q, d_low, fma(-q, d, top) + top_low)
    return q


cdef inline real logistic_times_power(real x, real r, real r_low, real power, real down) noexcept nogil:
    # power x / (2^n + e^(r + r_low)) for 2^n = power down, n <= 0
    cdef real rest, inverse
    cdef real q = logistic_quotient(x * power, splat(x, -0.0), r, r_low, power, down, &rest, &inverse)
    return fma(rest, inverse, q)


cdef inline real logistic_times(real x, real r, real r_low, real sum) noexcept nogil:
    # 2^n x / (2^n + e^(r + r_low)) for -158 (-1150) <= n <= 0, times 2^32 (2^128) as raised_power2 says
    return logistic_times_power(x, r, r_low, power2_of_sum(sum, 32 if real is f32x else 128), lowering(r))


cdef inline real logistic_parts(real a, real a_low, real* low, real* sum) noexcept nogil:
    # 1 / (1 + e^(a + a_low)) = 2^n (value + low) for a >= 0, n = whole(sum)
    cdef real r_low, d_low, e, e_low
    cdef real r = reduced(a, &r_low, sum)
    cdef real d = logistic_divisor(r, r_low + a_low, sum[0], &d_low, &e, &e_low)
    return pair_quotient(splat(a, 1.0), splat(a, 0.0), d, d_low, low)


cdef inline f32x times_logistic_f32(f32x p, f32x p_low, f32x t, f32x t_low) noexcept nogil:
    # (p + p_low) / (1 + e^-(t + t_low)) for |t| <= 60, where neither p nor the result is near the ends of the range
    cdef f32x sum, m_low, d_low, one = splat(t, 1.0), m = early_exp_of_pair(-t, -t_low, &m_low, &sum)
    cdef f32x e = raised_by(m, sum), d = e + one, inverse = one / d, y = p * inverse
    d_low = fma(m_low, raised_by(one, sum), (at_least(e, one) - d) + at_most(e, one))
    return fma(fma(-y, d, p) + fma(-y, d_low, p_low), inverse, y)


cdef inline real tanh_parts(real a, real* low) noexcept nogil:
    # (e^2a - 1) / (e^2a + 1) for a >= 0 as ((1 - u) + r + rest) / ((1 + u) + r + rest), u = 2^-n
    cdef real rest, sum, r, u, p, p_low, top, top_low, top_lost, d, d_low, lost
    cdef real one = splat(a, 1.0)
    r = exp_parts(at_most(a + a, pick(a, 20.0, 40.0)), &rest, &sum)
    u = power2(-whole(sum))
    p = fast_sum(r, rest, &p_low)
    top = fast_sum(one, -u, &top_lost)
    top = fast_sum(top, p, &top_low)
    d = fast_sum(one, u, &lost)
    d = fast_sum(d, p, &d_low)
    return pair_quotient(top, top_low + (top_lost + p_low), d, d_low + (lost + p_low), low)


cdef inline f64x sigmoid_tail_by_exp(f64x a) noexcept nogil:
    # 1 / (1 + e^a) for a >= 0
    cdef f64x r_low, sum
    cdef f64x r = reduced(at_most(a, splat(a, 750.0)), &r_low, &sum)
    return scale_down(logistic_times(splat(a, 1.0), r, r_low, sum), lowering(a))


# Beyond its segments a float32 function is made of e = e^-a <= 6.3e-5 and takes no division: 1 / (1 + e) is 1 - e to
# 2^-27.9, and log(1 + e) / e is 1 - e / 2 to 2^-29.4.
cdef inline f32x far_terms(f32x a, f32x a_low, double c, bint gated, f32x* rest, f32x* v, f32x* power) noexcept nogil:
    # e^-b (1 - c e^-b) = 2^n (1 + r + rest), b = a + a_low, returning r; e^-b = 2^n v but for its last bits. The power
    # is 2^n times 2^32, for an a up to 109, or times 2^90 (parts.pxd), up to 125. In few steps that wait for each
    # other; the coefficients are exp_rest's
    cdef double down = 8.077935669463161e-28 if gated else 2.3283064365386963e-10
    cdef f32x sum = nearest_sum(a, -1.4426950408889634), n = whole(sum), r = fma(n, -ln2(a), -a), square = r * r, q, z
    q = fma(splat(a, 0.0013782460009679198), square, step(splat(a, 0.00836866907775402), r, 0.04166896268725395))
    q = square * fma(q, square, step(splat(a, 0.1666652113199234), r, 0.49999991059303284))
    v[0] = splat(a, 1.0) + (r + q)
    power[0] = power2_of_sum(sum, 90 if gated else 32)
    z = n * ln2_low(a) - a_low
    if c != 0.0:
        z = fma(power[0], v[0] * splat(a, -c * down), z)
    rest[0] = fma(z, v[0], q)
    return r


cdef inline f32x far_part(f32x a, double c, bint gated, f32x* power) noexcept nogil:
    # r + rest. The compiler leaves out an a_low of 0.0, which is subtracted
    cdef f32x rest, v, r = far_terms(a, splat(a, 0.0), c, gated, &rest, &v, power)
    return r + rest


cdef inline f32x far_times(f32x p, f32x r, f32x rest) noexcept nogil:
    # p (1 + r + rest), of far_terms
    cdef f32x y = fma(p, r, p)
    return y + fma(p, rest, fma(p, r, p - y))


cdef inline f32x far_sum(f32x p, f32x p_low, f32x r, f32x rest, f32x v) noexcept nogil:
    # (p + p_low) (1 + r + rest)
    cdef f32x y = fma(p, r, p)
    return y + fma(p_low, v, fma(p, rest, fma(p, r, p - y)))


cdef inline f32x far_product(f32x p, f32x p_low, f32x r, f32x rest, f32x v, f32x power, f32x* low) noexcept nogil:
    # (p + p_low) (1 + r + rest), of far_terms, times the power, as a pair
    cdef f32x w_low, w = fast_sum(r, rest, &w_low), y = fma(p, w, p)
    low[0] = fma(p_low, v, fma(p, w_low, fma(p, w, p - y))) * power
    return y * power


cdef inline f32x sigmoid_tail_far(f32x a) noexcept nogil:
    # 1 / (1 + e^a) for 9.68 < a <= 105
    cdef f32x power, w = far_part(a, 1.0, False, &power)
    return scale_down(fma(w, power, power), lowering(a))


cdef inline f32x sigmoid_tail(f32x a, int which) noexcept nogil:
    # 1 / (1 + e^a) up to where its segments end
    cdef f32x low
    return segment(&SIGMOID_SEGMENTS[0][0], 6, PLAIN, which, steps(a), a, &low)


cdef inline real sigmoids(real x, real* other) noexcept nogil:
    # 1 / (1 + e^-x) and 1 / (1 + e^x), from the tail that is not near 1 and is 0 beyond 105
    cdef real tail, a = magnitude(x), end = steps_end(x)
    if real is f32x:
        tail = sigmoid_tail(a, LOOKUP_FLOATS)
        if any_less(first_steps_end(a), a):
            tail, a = where_beyond(a, 105.0, splat(a, 0.0), tail), unless_beyond(a, 105.0)
            if LOOKUP_FLOATS == 8 and any_less(first_steps_end(a), a):
                tail = where_less(first_steps_end(a), a, sigmoid_tail(a, LAST), tail)
            if any_less(end, a):
                tail = where_less(end, a, sigmoid_tail_far(a), tail)
    else:
        tail = sigmoid_tail_by_exp(a)
    other[0] = reflected(-x, tail)
    return reflected(x, tail)


cdef inline real sigmoid(real x) noexcept nogil:
    cdef real other
    return sigmoids(x, &other)


cdef inline real tanh_pair(real a, real* low) noexcept nogil:
    # tanh(a) for a >= 0; in float32 the value alone is right to 0.7 ULP
    if real is f32x:
        a = at_most(a, splat(a, 10.4))
        return segment(&TANH_SEGMENTS[0][0], 6, ODD, ALL, quarters(a, 2.5, 1.75), a, low)
    else:
        return tanh_parts(a, low)


cdef inline real tanh(real x) noexcept nogil:
    cdef real low
    cdef real t = tanh_pair(magnitude(x), &low)
    return with_sign(t if real is f32x else t + low, x)
