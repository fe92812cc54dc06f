# Slopes of the activations, f'(x) as an unevaluated pair: what a backward multiplies grad by, to round once. A slope
# that crosses zero keeps its relative accuracy there, where the terms of the formula cancel: in float32 a segment has
# its centre on the root (math/segments.pxd), in float64 a polynomial takes over near it (tools/fit/roots.py).
# ..._by_exp is the formula, for float64 and for what lies beyond the segments.
from ..lanes cimport (
    LOOKUP_FLOATS, SCALE2_IS_CHEAP, any_less, at_least, at_most, f32x, f64x, fma, ldexp, magnitude, pick, power2, real,
    scale2, splat, where_less, with_sign,
)
from ..math.elementary cimport (
    ALL, LAST, ROOTED, any_outside, any_past_first, bent_steps, exp_of_pair, exp_pair, first_steps_end, largest,
    logistic_divisor, logistic_parts, logistic_times_power, normal_tail_parts, power2_of_sum, reduced,
    reflected_pair, scale2_of_sum, segment_parts, sigmoid, sigmoid_tail, step, steps, steps_end, tanh_pair, whole,
)
from ..math.pairs cimport fast_sum, finite, pair_product, pair_quotient, product, scaled, two_sum
from ..math.segments cimport GELU_SLOPE_SEGMENTS, GELU_TANH_SLOPE_SEGMENTS, SILU_SLOPE_SEGMENTS
from .curves cimport (
    any_unusual, cubic, gate_lowering, gate_power, gelu_tanh_exponent, hypotenuse, lifted, logistic, mish_divisor,
    quotient, where_usual,
)


cdef inline real near_root(real t, real t_low, double c0, real rest, real k, real k_low, real* low) noexcept nogil:
    # t (c0 + rest) where |t| < 1/4, k elsewhere
    cdef real c_low, near = magnitude(t), quarter = splat(t, 0.25)
    cdef real c = fast_sum(splat(t, c0), rest, &c_low)
    c = pair_product(t, t_low, c, c_low, &c_low)
    low[0] = where_less(near, quarter, c_low, k_low)
    return where_less(near, quarter, c, k)


cdef inline f32x silu_slope_parts(f32x a, int which, f32x* rest) noexcept nogil:
    # silu'(-a) as far as its segments reach
    return segment_parts(&SILU_SLOPE_SEGMENTS[0][0], 7, ROOTED, which, steps(a), a, rest)


cdef inline real silu_slope_by_exp(real x, real* low) noexcept nogil:
    # for x = -a < 0: q (1 - a + a q), q = 1 / (1 + e^a), which cancels near a = 1.278; float64: there a polynomial in
    # t, |t| <= 0.25, error 2^-62.1
    cdef real a = at_most(magnitude(x), pick(x, 109.0, 760.0))
    cdef real one = splat(x, 1.0), zero = splat(x, 0.0)
    cdef real q, q_low, n, r, az, az_low, h, rest, k, t, t_low, c, sum
    q = logistic_parts(a, splat(x, -0.0), &q_low, &sum)
    n = whole(sum)
    r = power2(n)
    az = pair_product(a, zero, q * r, q_low * r, &az_low)
    h = two_sum(one, -a, &rest)
    h = two_sum(h, az, &t)
    k = pair_product(h, t + (rest + az_low), q, q_low, &rest)
    k = scale2(k, n)
    rest = scale2(rest, n)
    if real is f64x:
        t = fast_sum(splat(x, 1.2784645427610737) - a, splat(x, 1.0946994183093437e-16), &t_low)
        c = splat(x, -3.4557842798071035e-08)
        c = step(c, t, 8.398336188897549e-07)
        c = step(c, t, 2.3463749857869384e-06)
        c = step(c, t, -2.940905252487355e-06)
        c = step(c, t, -2.9733556880109773e-05)
        c = step(c, t, -4.09054158750973e-05)
        c = step(c, t, 0.00018570724393212546)
        c = step(c, t, 0.0007985218834466932)
        c = step(c, t, 0.00012662741007778936)
        c = step(c, t, -0.006606589138373429)
        c = step(c, t, -0.015222655223188018)
        c = step(c, t, 0.018874814223782378)
        c = step(c, t, 0.1466487969969469)
        c = step(c, t, -4.0160100856717925e-18)
        k = near_root(t, t_low, 0.2178117057198001, c, k, rest, &rest)
    return reflected_pair(x, k, rest, low)


cdef inline real silu_slope(real x, real* low) noexcept nogil:
    # s (1 + x (1 - s)), s = sigmoid(x)
    cdef real k, rest, slope, a = magnitude(x), end = steps_end(x)
    if real is f32x:
        k = silu_slope_parts(a, ALL, &rest)
        slope = reflected_pair(x, k, rest, low)
        if any_less(end, a):
            k = silu_slope_by_exp(x, &rest)
            slope = where_less(end, a, k, slope)
            low[0] = where_less(end, a, rest, low[0])
        return slope
    else:
        return silu_slope_by_exp(x, low)


cdef inline real gelu_slope_end(real like) noexcept nogil:
    # how far its segments reach
    return splat(like, 6.3)


cdef inline f32x gelu_slope_parts(f32x a, int which, f32x* rest) noexcept nogil:
    return segment_parts(&GELU_SLOPE_SEGMENTS[0][0], 8, ROOTED, which, bent_steps(a, 1.2, 0.2), a, rest)


cdef inline real gelu_slope_by_exp(real x, real* low) noexcept nogil:
    # for x = -a < 0: Phi(-a) - a phi(a), which cancels near a = 0.752; float64: there a polynomial in t, |t| <= 0.25,
    # error 2^-60.3
    cdef real a = at_most(magnitude(x), pick(x, 14.6, 39.0))
    cdef real q, q_low, n, e, e_low, d, d_low, k, t, t_low, c, sum
    q = normal_tail_parts(a, &q_low, &sum, &e, &e_low)
    n = whole(sum)
    d = pair_product(a, splat(x, 0.0), e, e_low, &d_low)
    d = pair_product(d, d_low, splat(x, 0.3989422804014327),
                     pick(x, -1.1335170135851058e-08, -2.49232720227773e-17), &d_low)
    k = two_sum(q, -d, &t)
    k = scale2(k, n)
    e_low = scale2(t + (q_low - d_low), n)
    if real is f64x:
        t = fast_sum(splat(x, 0.7517915246935645) - a, splat(x, -1.4956759177009883e-17), &t_low)
        c = splat(x, 4.3245394812467823e-07)
        c = step(c, t, -7.624737760330687e-06)
        c = step(c, t, -1.1214345457569661e-05)
        c = step(c, t, 8.614887475855903e-05)
        c = step(c, t, 0.00018633974472956073)
        c = step(c, t, -0.0007448263873892628)
        c = step(c, t, -0.0022395380680403495)
        c = step(c, t, 0.00453922836926059)
        c = step(c, t, 0.01942167983818872)
        c = step(c, t, -0.014771522148141621)
        c = step(c, t, -0.1140082332972217)
        c = step(c, t, -0.01819967639867149)
        c = step(c, t, 0.388284982990552)
        c = step(c, t, 2.756451748373117e-17)
        k = near_root(t, t_low, 0.4314939923140469, c, k, e_low, &e_low)
    return reflected_pair(x, k, e_low, low)


cdef inline real gelu_slope(real x, real* low) noexcept nogil:
    # Phi(x) + x phi(x)
    cdef real k, rest, slope, end = gelu_slope_end(x)
    if real is f32x:
        k = gelu_slope_parts(at_most(magnitude(x), end), ALL, &rest)
        slope = reflected_pair(x, k, rest, low)
        if any_less(x, -end):
            k = gelu_slope_by_exp(x, &rest)
            slope = where_less(x, -end, k, slope)
            low[0] = where_less(x, -end, rest, low[0])
        return slope
    else:
        return gelu_slope_by_exp(x, low)


cdef inline f32x times_reflected(f32x grad, f32x x, f32x k) noexcept nogil:
    # grad k where x < 0, and grad - grad k where not, in which an infinite grad meets k as a number
    cdef f32x top = largest(x)
    return where_less(x, splat(x, 0.0), grad * k, fma(at_most(at_least(grad, -top), top), -k, grad))


cdef inline f32x times_reflected_pair(f32x grad, f32x x, f32x k, f32x low) noexcept nogil:
    # the same of k and what its rounding lost
    cdef f32x top = largest(x), number = at_most(at_least(grad, -top), top)
    return where_less(x, splat(x, 0.0), fma(grad, k, number * low), fma(number, -k, grad))


cdef inline f32x silu_backward_segment(f32x grad, f32x x, f32x a, int which) noexcept nogil:
    cdef f32x low, k = silu_slope_parts(a, which, &low)
    return times_reflected_pair(grad, x, k, low)


cdef inline real silu_backward(real grad, real x) noexcept nogil:
    cdef real y, k, low, a = magnitude(x), end = steps_end(x)
    if real is f32x:
        y = silu_backward_segment(grad, x, a, LOOKUP_FLOATS)
        if any_less(first_steps_end(a), a):
            if LOOKUP_FLOATS == 8:
                y = where_less(first_steps_end(a), a, silu_backward_segment(grad, x, a, LAST), y)
            if LOOKUP_FLOATS == 16 or any_less(end, a):
                k = silu_slope_by_exp(x, &low)
                y = where_less(end, a, grad * (k + low), y)
        return y
    else:
        k = silu_slope_by_exp(x, &low)
        return scaled(grad, k, low)


cdef inline f32x gelu_backward_segment(f32x grad, f32x x, f32x a, int which) noexcept nogil:
    cdef f32x low, k = gelu_slope_parts(a, which, &low)
    return times_reflected_pair(grad, x, k, low)


cdef inline real gelu_backward(real grad, real x) noexcept nogil:
    cdef real y, k, low, end = gelu_slope_end(x), a = at_most(magnitude(x), end)
    if real is f32x:
        y = gelu_backward_segment(grad, x, a, LOOKUP_FLOATS)
        if any_past_first(a, 3.81):
            y = gelu_backward_segment(grad, x, a, ALL)
        if any_less(x, -end):
            k = gelu_slope_by_exp(x, &low)
            y = where_less(x, -end, grad * (k + low), y)
        return y
    else:
        k = gelu_slope_by_exp(x, &low)
        return scaled(grad, k, low)


cdef inline real swish_slope(real t, real t_low, real* low) noexcept nogil:
    # silu'(t + t_low) = silu'(t) + t_low silu''(t), silu'' = s (1 - s) (2 + t (1 - 2 s)), s = sigmoid(t)
    cdef real one = splat(t, 1.0), limit = pick(t, 110.0, 760.0)
    cdef real slope = silu_slope(t, low)
    cdef real u = at_most(at_least(t, -limit), limit)
    cdef real s = sigmoid(u)
    low[0] = fma(t_low * fma(u, fma(splat(t, -2.0), s, one), one + one), s * (one - s), low[0])
    return slope


cdef inline real gelu_tanh_slope_by_exp(real x, real* low) noexcept nogil:
    # s (1 + (1 - s) p), s = sigmoid(u), p = x u'; for x = -a < 0: k = q (1 - p + p q), q = 1 / (1 + e^u), which cancels
    # near a = 0.752; float64: there a polynomial in t, |t| <= 0.25, error 2^-62.6
    cdef real one = splat(x, 1.0)
    cdef real a = at_most(magnitude(x), pick(x, 11.0, 22.0))
    cdef real u, u_low, q, q_low, n, z, z_low, p, p_low, h, rest, c, t, t_low, r, sum
    u = gelu_tanh_exponent(a, &u_low)
    q = logistic_parts(u, u_low, &q_low, &sum)
    n = whole(sum)
    p = cubic(a, splat(x, 0.21406444881780073), pick(x, -2.5408340894442123e-10, 1.2025242832367862e-17), &p_low)
    r = power2(n)
    z = pair_product(p, p_low, q * r, q_low * r, &z_low)
    h = two_sum(one, -p, &rest)
    h = two_sum(h, z, &t)
    h = pair_product(h, t + (rest + (z_low - p_low)), q, q_low, &rest)
    h = scale2(h, n)
    rest = scale2(rest, n)
    if real is f64x:
        t = fast_sum(splat(x, 0.7524614220710163) - a, splat(x, -3.635560509207687e-17), &t_low)
        c = splat(x, 2.3349661941121482595e-6)
        c = step(c, t, 5.6912174149769394936e-6)
        c = step(c, t, -0.000015941728567106544881)
        c = step(c, t, -0.000034934993821661952343)
        c = step(c, t, 0.00012425184199988722326)
        c = step(c, t, 0.00026392663264801953499)
        c = step(c, t, -0.00092744201189640423227)
        c = step(c, t, -0.0024227318201515268539)
        c = step(c, t, 0.005261059254776094987)
        c = step(c, t, 0.019682309459495851607)
        c = step(c, t, -0.016619328343051719452)
        c = step(c, t, -0.11394448308095703649)
        c = step(c, t, -0.015782853521848029753)
        c = step(c, t, 0.38751844613578892316)
        c = step(c, t, 2.028254970529195e-17)
        h = near_root(t, t_low, 0.4304000910248585, c, h, rest, &rest)
    return reflected_pair(x, h, rest, low)


cdef inline real gelu_tanh_slope_end(real like) noexcept nogil:
    return splat(like, 5.83)


cdef inline f32x gelu_tanh_backward_segment(f32x grad, f32x x, f32x a, int which) noexcept nogil:
    cdef f32x low
    cdef f32x k = segment_parts(&GELU_TANH_SLOPE_SEGMENTS[0][0], 8, ROOTED, which, bent_steps(a, 1.2, 0.25), a, &low)
    return times_reflected_pair(grad, x, k, low)


cdef inline real gelu_tanh_backward(real grad, real x) noexcept nogil:
    cdef real y, k, low, end = gelu_tanh_slope_end(x), a = at_most(magnitude(x), end)
    if real is f32x:
        y = gelu_tanh_backward_segment(grad, x, a, LOOKUP_FLOATS)
        if any_past_first(a, 3.56):
            y = gelu_tanh_backward_segment(grad, x, a, ALL)
        if any_less(x, -end):
            k = gelu_tanh_slope_by_exp(x, &low)
            y = where_less(x, -end, grad * (k + low), y)
        return y
    else:
        k = gelu_tanh_slope_by_exp(x, &low)
        return grad * (k + low)


cdef inline real pair_step(real v, real v_low, real e, real e_low, real c, real c_low, real* low) noexcept nogil:
    # a step of Horner's scheme on pairs
    cdef real p_low
    cdef real p = pair_product(v, v_low, e, e_low, &p_low)
    cdef real s = two_sum(c, p, low)
    low[0] = low[0] + (p_low + c_low)
    return s


cdef inline real mish_slope(real x, real* low) noexcept nogil:
    # with e = e^-|x|: e (c0 + e (c1 + e (4 + e))) / d^2 where x < 0, and (1 + e (4 + e (c1 + e c0))) / d^2 where not,
    # c0 = 4 (1 + x), c1 = 6 + 4 x, d mish's divisor; near the root at -1.192 a polynomial in t, |t| <= 0.25, error
    # 2^-27.9 (float32), 2^-66.3 (float64)
    cdef real one = splat(x, 1.0), four = splat(x, 4.0), zero = splat(x, 0.0), limit = pick(x, 109.0, 752.0)
    cdef real m, m_low, n, p, e, e_low, b, c0, c0_low, c1, c1_low, v, v_low, d, d_low, t, t_low, c, sum
    b = at_most(at_least(x, -limit), limit)
    m = exp_pair(-magnitude(b), &m_low, &sum)
    p = scale2_of_sum(one, sum)
    e = m * p
    e_low = m_low * p
    c0 = two_sum(one, b, &c0_low)
    c0 = four * c0
    c0_low = four * c0_low
    c1 = two_sum(splat(x, 6.0), four * b, &c1_low)
    v = pair_step(where_less(x, zero, one, c0), where_less(x, zero, zero, c0_low), e, e_low,
                  where_less(x, zero, four, c1), where_less(x, zero, zero, c1_low), &v_low)
    v = pair_step(v, v_low, e, e_low, where_less(x, zero, c1, four), where_less(x, zero, c1_low, zero), &v_low)
    v = pair_step(v, v_low, e, e_low, where_less(x, zero, c0, one), where_less(x, zero, c0_low, zero), &v_low)
    v = pair_product(v, v_low, where_less(x, zero, m, one), where_less(x, zero, m_low, zero), &v_low)
    d = mish_divisor(x, e, e_low, &d_low)
    d = pair_product(d, d_low, d, d_low, &d_low)
    v = pair_quotient(v, v_low, d, d_low, &v_low)
    n = where_less(x, zero, whole(sum), zero)
    t = fast_sum(b + splat(x, 1.1924312145154952), pick(x, 3.043937594950088e-09, 4.8484829848031044e-17), &t_low)
    if real is f32x:
        c = splat(x, 0.0011197244805709614918)
        c = step(c, t, -0.0032527921819989525297)
        c = step(c, t, -0.015821975814321641544)
        c = step(c, t, -0.020275190868075803222)
        c = step(c, t, 0.041907827666772303291)
        c = step(c, t, 0.20473129038464522632)
        c = step(c, t, -1.1041255283605252e-08)
    else:
        c = splat(x, 1.0384215068474151012e-6)
        c = step(c, t, 2.9131080888214388327e-6)
        c = step(c, t, 9.4585877626882336808e-7)
        c = step(c, t, -0.000017299611473217464264)
        c = step(c, t, -0.000055829064870118986163)
        c = step(c, t, -0.000041961481174559435393)
        c = step(c, t, 0.00025412936767817972067)
        c = step(c, t, 0.00098981810176919728762)
        c = step(c, t, 0.0010924055408944847921)
        c = step(c, t, -0.0033606849270187030568)
        c = step(c, t, -0.015821126561733091008)
        c = step(c, t, -0.020271822716684272045)
        c = step(c, t, 0.041907821043609872595)
        c = step(c, t, 0.20473126408010586639)
        c = step(c, t, 1.5332816617135587e-17)
    return near_root(t, t_low, 0.2669479140495345, c, scale2(v, n), scale2(v_low, n), low)


cdef inline real exp_times_any(real t, real t_low, real c, real c_low, real* low) noexcept nogil:
    # c e^(t + t_low), which is 0 from -200 (-1500) down for any c
    cdef real one = splat(t, 1.0), e, e_low, sum, n
    cdef real down = where_less(pick(t, 1e37, 1e307), magnitude(c), splat(t, 0.25), one)  # lest c e^r overflow
    e = exp_of_pair(at_least(t, pick(t, -200.0, -1500.0)), t_low, &e_low, &sum)
    e = pair_product(e, e_low, c * down, c_low, &e_low)  # before 2^n, which may leave the low part no digits
    n = whole(sum) + where_less(down, one, splat(t, 2.0), splat(t, 0.0))
    low[0] = finite(ldexp(e_low, n))
    return ldexp(e, n)


cdef inline real exp_slope(real t, real t_low, real c, real c_low, real top, real top_low, real* low) noexcept nogil:
    # top where t > 0, else c e^t
    cdef real zero = splat(t, 0.0), down = at_most(t, zero), e, e_low, sum, power
    if SCALE2_IS_CHEAP:
        e = exp_times_any(down, t_low, c, c_low, &e_low)
    else:
        e = exp_of_pair(down, t_low, &e_low, &sum)
        e = pair_product(e, e_low, c, c_low, &e_low)
        if any_less(t, splat(t, -50.0)) or any_outside(magnitude(e), splat(t, 1e-9), splat(t, 1e9)):
            e = exp_times_any(down, t_low, c, c_low, &e_low)
        else:
            power = power2_of_sum(sum, 0)
            e = e * power
            e_low = e_low * power
    low[0] = where_less(zero, t, top_low, e_low)
    return where_less(zero, t, top, e)


cdef inline real elu_slope(real x, real alpha, real* low) noexcept nogil:
    # 1 where x > 0, else alpha e^x; where alpha is infinite a rounding of that loses nothing
    cdef real zero = splat(x, 0.0)
    return exp_slope(x, zero, alpha, zero, splat(x, 1.0), zero, low)


cdef inline real celu_slope(real x, real alpha, real* low) noexcept nogil:
    # 1 where x > 0, else e^(x / alpha)
    cdef real t_low, zero = splat(x, 0.0), one = splat(x, 1.0)
    cdef real t = quotient(x, alpha, &t_low)
    cdef real slope = exp_slope(t, t_low, one, zero, one, zero, low)
    low[0] = where_less(zero, x, zero, low[0])
    return where_less(zero, x, one, slope)


cdef inline real selu_slope(real x, real* low) noexcept nogil:
    # lambda where x > 0, else lambda alpha e^x
    cdef real c_low = pick(x, 2.3296717680252718e-08, 1.41535193800845e-17)
    cdef real top_low = pick(x, -3.479265183079941e-08, 3.9874847667154144e-17)
    return exp_slope(x, splat(x, 0.0), splat(x, 1.7580993408473768), c_low, splat(x, 1.0507009873554805), top_low, low)


cdef inline real times_logistic(real grad, real t, real a_low) noexcept nogil:
    # grad / (1 + e^-t), t's magnitude with a_low added to it: a gate without `up`, where 0 is usual too
    cdef real r_low, sum, y, s, low, n, zero = splat(t, 0.0), down = gate_lowering(t)
    cdef real r = reduced(at_most(magnitude(t), pick(t, 200.0, 1470.0)), &r_low, &sum)
    cdef real tail = logistic_times_power(grad, r, r_low + a_low, gate_power(sum), down)
    y = with_sign(where_less(t, zero, tail * down, fma(tail, -down, grad)), grad)
    if any_unusual(where_less(zero, magnitude(grad), grad, splat(t, 1.0))):
        s = logistic(t, a_low, &low, &n)
        y = where_usual(grad, y, ldexp(grad * (s + low), n))
    return y


cdef inline real softplus_backward(real grad, real x) noexcept nogil:
    cdef real y, last, a = magnitude(x), end = steps_end(x)
    if real is f32x:
        y = with_sign(times_reflected(grad, x, sigmoid_tail(a, LOOKUP_FLOATS)), grad)
        if any_less(first_steps_end(a), a):
            if LOOKUP_FLOATS == 8:
                last = with_sign(times_reflected(grad, x, sigmoid_tail(a, LAST)), grad)
                y = where_less(first_steps_end(a), a, last, y)
            if LOOKUP_FLOATS == 16 or any_less(end, a):
                y = where_less(end, a, times_logistic(grad, x, splat(x, -0.0)), y)
        return y
    else:
        return times_logistic(grad, x, splat(x, -0.0))


cdef inline real times_square(real grad, real s, real s_low, real w) noexcept nogil:
    # grad (w (s + s_low))^2, for a power of two w without which the square of s is a normal number
    cdef real low
    cdef real square = pair_product(s, s_low, s, s_low, &low)
    return scaled(grad * w, square, low) * w


cdef inline real tanhshrink_backward(real grad, real x) noexcept nogil:
    # grad tanh(x)^2; from tanh(x) = 2^-60 (2^-500) down with 2^80 (2^640) times it
    cdef real low, one = splat(x, 1.0), tiny = pick(x, 8.673617379884035e-19, 3.054936363499605e-151)
    cdef real t = tanh_pair(magnitude(x), &low)
    cdef real raised = where_less(t, tiny, pick(x, 1.2089258196146292e+24, 4.562440617622195e+192), one)
    cdef real w = where_less(t, tiny, pick(x, 8.271806125530277e-25, 2.191809349008403e-193), one)
    return times_square(grad, t * raised, low * raised, w)


cdef inline real softsign_backward(real grad, real x) noexcept nogil:
    # grad / (1 + |x|)^2; from 2^62 (2^510) on with 1 + |x| times 2^-66 (2^-514)
    cdef real d_low, low, one = splat(x, 1.0), far = pick(x, 4.611686018427388e+18, 3.3519519824856493e+153)
    cdef real a = at_most(magnitude(x), largest(x))
    cdef real d = two_sum(one, a, &d_low)
    cdef real w = where_less(far, d, pick(x, 1.3552527156068805e-20, 1.8645851828000517e-155), one)
    cdef real s = pair_quotient(one, splat(x, 0.0), d * w, d_low * w, &low)
    return times_square(grad, s, low, w)


cdef inline real squareplus_slope(real x, real b, real* low) noexcept nogil:
    # squareplus(x, b) / sqrt(x^2 + b) = (r + u) / 2 r, where x < 0 as b / (2 r (r + u)), all scaled alike
    cdef real r_low, u, b_scaled, k, t_low, d, d_low, zero = splat(x, 0.0)
    cdef real a = at_most(magnitude(x), largest(x))
    cdef real r = hypotenuse(a, b, &r_low, &u, &b_scaled, &k)
    cdef real t = fast_sum(r, u, &t_low)
    t_low = t_low + r_low
    d = pair_product(r + r, r_low + r_low, t, t_low, &d_low)
    d = where_less(x, zero, d, r + r)
    d_low = where_less(x, zero, d_low, r_low + r_low)
    return pair_quotient(where_less(x, zero, b_scaled, t), where_less(x, zero, zero, t_low), d, d_low, low)


cdef inline real lowered(real x, real* n) noexcept nogil:
    # a huge x times 2^-65 (2^-520), and n as much more, lest a product with x overflow before a power of two comes in
    cdef real huge = pick(x, 1.152921504606847e+18, 3.273390607896142e+150)
    n[0] = n[0] + where_less(magnitude(x), huge, splat(x, 0.0), pick(x, 65.0, 520.0))
    return x * where_less(magnitude(x), huge, splat(x, 1.0), pick(x, 2.710505431213761e-20, 2.913414348125081e-157))


cdef inline real product_of_any_size(real grad, real x, real s, real s_low, real n) noexcept nogil:
    # grad x 2^n (s + s_low) for n <= 0, where a part of it may leave the range of exponents although the whole does not
    cdef real low, rest, zero = splat(x, 0.0)
    x, grad = lowered(lifted(x, &n), &n), lowered(lifted(grad, &n), &n)
    s = pair_product(s, s_low, x, zero, &low)
    rest = at_least(n - splat(x, 60.0), zero)  # as much as ldexp does not raise
    return ldexp(scaled(grad, s, finite(low)), n - rest) * power2(rest)


cdef inline real glu_backward(real grad, real x, real gate, real* grad_gate) noexcept nogil:
    # grad s, and grad x s (1 - s), s = sigmoid(gate). What is left of s beyond a gate of 300 (2200), not even the
    # largest grad and x show.
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


cdef inline real gate_backward(real grad, real up, real slope, real low) noexcept nogil:
    # grad up (slope + low)
    cdef real s = pair_product(slope, low, up, splat(up, 0.0), &low)
    return scaled(grad, s, low)
