# Slopes of the activations, f'(x) as an unevaluated pair: what a backward multiplies grad by, to round once. A slope
# that crosses zero keeps its relative accuracy there, where the terms of the formula cancel: in float32 a segment has
# its centre on the root (segments.pxd), in float64 a polynomial takes over near it (tools/fit/roots.py).
from .elementary cimport exp_parts, exp_square_parts, logistic_parts, normal_tail_parts, segment, step
from .lanes cimport at_most, f32x, fma, magnitude, pick, power2, real, scale2, splat, where_less
from .pairs cimport fast_sum, pair_product, two_sum
from .segments cimport GELU_SLOPE_SEGMENTS, SILU_SLOPE_SEGMENTS


cdef inline real reflected(real x, real k, real k_low, real* low) noexcept nogil:
    # f'(x) = k(|x|) where x < 0, and 1 - k where not, as f(x) - f(-x) = x has it
    cdef real lost, zero = splat(x, 0.0)
    cdef real s = fast_sum(splat(x, 1.0), -k, &lost)
    low[0] = where_less(x, zero, k_low, lost - k_low)
    return where_less(x, zero, k, s)


cdef inline real silu_slope(real x, real* low) noexcept nogil:
    # s (1 + x (1 - s)), s = sigmoid(x); for x = -a < 0: k = q (1 - a + a q), q = 1 / (1 + e^a), and the sum cancels
    # near a = 1.278. float32: e^-a times a polynomial by segments, and times 1 - a from 29.9 on; float64: near the root
    # a polynomial in t, |t| <= 0.25, error 2^-62.1
    cdef real a = at_most(magnitude(x), pick(x, 110.0, 760.0))
    cdef real one = splat(x, 1.0)
    cdef real q, q_low, n, az, az_low, h, h_low, r, rest, k, t, t_low, c, c_low, near
    if real is f32x:
        c = splat(x, 29.9)
        q = segment(&SILU_SLOPE_SEGMENTS[0][0], 2.0, at_most(a, c), &q_low)
        q = where_less(a, c, q, one - a)
        q_low = where_less(a, c, q_low, splat(x, 0.0))
        r = exp_parts(-a, &rest, &n)
        r = fast_sum(one, r + rest, &rest)
        k = pair_product(q, q_low, r, rest, &rest)
    else:
        q = logistic_parts(a, &q_low, &n)
        r = power2(n)
        az = pair_product(a, splat(x, 0.0), q * r, q_low * r, &az_low)
        h = two_sum(one, -a, &rest)
        h = two_sum(h, az, &h_low)
        k = pair_product(h, h_low + (rest + az_low), q, q_low, &rest)
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
        c = fast_sum(splat(x, 0.2178117057198001), step(c, t, -4.0160100856717925e-18), &c_low)
        c = pair_product(t, t_low, c, c_low, &c_low)
        near = magnitude(t)
        k = where_less(near, splat(x, 0.25), c, scale2(k, n))
        rest = where_less(near, splat(x, 0.25), c_low, scale2(rest, n))
    if real is f32x:
        k = scale2(k, n)
        rest = scale2(rest, n)
    return reflected(x, k, rest, low)


cdef inline real gelu_slope(real x, real* low) noexcept nogil:
    # Phi(x) + x phi(x); for x = -a < 0: k = Phi(-a) - a phi(a), which cancels near a = 0.752. float32: e^(-a^2/2) times
    # a polynomial by segments; float64: near the root a polynomial in t, |t| <= 0.25, error 2^-60.3
    cdef real a = at_most(magnitude(x), pick(x, 14.6, 39.0))
    cdef real q, q_low, n, e, e_low, d, d_low, k, t, t_low, c, c_low, near
    if real is f32x:
        q = segment(&GELU_SLOPE_SEGMENTS[0][0], 2.0, a, &q_low)
        e = exp_square_parts(a, -0.5, &e_low, &n)
        k = pair_product(q, q_low, e, e_low, &e_low)
    else:
        q = normal_tail_parts(a, &q_low, &n, &e, &e_low)
        d = pair_product(a, splat(x, 0.0), e, e_low, &d_low)
        d = pair_product(d, d_low, splat(x, 0.3989422804014327), splat(x, -2.49232720227773e-17), &d_low)
        k = two_sum(q, -d, &t)
        e_low = t + (q_low - d_low)
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
        c = fast_sum(splat(x, 0.4314939923140469), step(c, t, 2.756451748373117e-17), &c_low)
        c = pair_product(t, t_low, c, c_low, &c_low)
        near = magnitude(t)
        k = where_less(near, splat(x, 0.25), c, scale2(k, n))
        e_low = where_less(near, splat(x, 0.25), c_low, scale2(e_low, n))
    if real is f32x:
        k = scale2(k, n)
        e_low = scale2(e_low, n)
    return reflected(x, k, e_low, low)
