# Slopes of the activations: f'(x) as an unevaluated pair, so that a backward, grad f'(x), rounds once. A slope that
# crosses zero is a polynomial near its root (tools/fit/roots.py), since there the terms of the formula cancel.
from .elementary cimport logistic_parts, normal_tail_parts, step
from .lanes cimport at_most, f32x, fma, magnitude, pick, power2, real, scale2, splat, where_less
from .pairs cimport complement, fast_sum, pair_product, product, two_sum


cdef inline real near_root(real a, real root, real root_low, real* low) noexcept nogil:
    # t = root - a, with what rounding lost
    cdef real t = root - a
    return fast_sum(t, root_low, low)


cdef inline real reflected(real x, real k, real k_low, real* low) noexcept nogil:
    # f'(x) = k(|x|) where x < 0, and 1 - k where not, as f(x) - f(-x) = x has it
    cdef real s_low, zero = splat(x, 0.0)
    cdef real s = complement(k, k_low, &s_low)
    low[0] = where_less(x, zero, k_low, s_low)
    return where_less(x, zero, k, s)


cdef inline real silu_slope(real x, real* low) noexcept nogil:
    # s (1 + x (1 - s)), s = sigmoid(x); for x = -a < 0: k = q (1 - a + a q), q = 1 / (1 + e^a), and the sum cancels near
    # a = 1.278. |t| <= 0.25: error 2^-30.0 (float32), 2^-62.1 (float64)
    cdef real q_low, n, az_low, l_low, h_low, k_low, t_low, c, c_low
    cdef real a = at_most(magnitude(x), pick(x, 110.0, 760.0))
    cdef real q = logistic_parts(a, &q_low, &n)
    cdef real power = power2(n)
    cdef real az = pair_product(a, splat(x, 0.0), q * power, q_low * power, &az_low)
    cdef real l = two_sum(splat(x, 1.0), -a, &l_low)
    cdef real h = two_sum(l, az, &h_low)
    cdef real k = pair_product(h, h_low + (l_low + az_low), q, q_low, &k_low)
    k = scale2(k, n)
    k_low = scale2(k_low, n)
    cdef real t = near_root(a, pick(a, 1.2784645557403564, 1.2784645427610737), pick(a, -1.2979282537628478e-08, 1.0946994183093437e-16), &t_low)
    if real is f32x:
        c = splat(a, 0.0007940232171512256)
        c = step(c, t, 0.00014668644605953885)
        c = step(c, t, -0.00660644832611748)
        c = step(c, t, -0.015223279704727762)
        c = step(c, t, 0.01887481312309227)
        c = step(c, t, 0.1466488018695595)
        c = fast_sum(splat(a, 0.2178117036819458), step(c, t, 2.0378543297283613e-09), &c_low)
    else:
        c = splat(a, -3.4557842798071035e-08)
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
        c = fast_sum(splat(a, 0.2178117057198001), step(c, t, -4.0160100856717925e-18), &c_low)
    c = pair_product(t, t_low, c, c_low, &c_low)
    k_low = where_less(magnitude(t), splat(x, 0.25), c_low, k_low)
    k = where_less(magnitude(t), splat(x, 0.25), c, k)
    return reflected(x, k, k_low, low)


cdef inline real gelu_slope(real x, real* low) noexcept nogil:
    # Phi(x) + x phi(x); for x = -a < 0: k = Phi(-a) - a phi(a), which cancels near a = 0.752.
    # |t| <= 0.125: error 2^-34.5 (float32), 2^-74.4 (float64)
    cdef real q_low, n, e, e_low, d_low, k_low, t_low, c, c_low
    cdef real a = at_most(magnitude(x), pick(x, 14.6, 39.0))
    cdef real q = normal_tail_parts(a, &q_low, &n, &e, &e_low)
    cdef real d = pair_product(a, splat(x, 0.0), e, e_low, &d_low)
    d = pair_product(d, d_low, pick(x, 0.3989422917366028, 0.3989422804014327),
                     pick(x, -1.1335170135851058e-08, -2.49232720227773e-17), &d_low)
    cdef real k = two_sum(q, -d, &k_low)
    k_low = scale2(k_low + (q_low - d_low), n)
    k = scale2(k, n)
    cdef real t = near_root(a, pick(a, 0.7517915368080139, 0.7517915246935645), pick(a, -1.211444988769017e-08, -1.4956759177009883e-17), &t_low)
    if real is f32x:
        c = splat(a, 0.0045189079633417275)
        c = step(c, t, 0.019360541882427147)
        c = step(c, t, -0.014771363502602023)
        c = step(c, t, -0.1140077558898363)
        c = step(c, t, -0.018199676708455816)
        c = step(c, t, 0.3882849820582673)
        c = fast_sum(splat(a, 0.43149399757385254), step(c, t, -5.259805480051227e-09), &c_low)
    else:
        c = splat(a, 4.327547908244247e-07)
        c = step(c, t, -7.717338608475795e-06)
        c = step(c, t, -1.121437823128935e-05)
        c = step(c, t, 8.615881040974555e-05)
        c = step(c, t, 0.00018633974621139472)
        c = step(c, t, -0.000744826831558354)
        c = step(c, t, -0.0022395380680733826)
        c = step(c, t, 0.004539228379086505)
        c = step(c, t, 0.019421679838189064)
        c = step(c, t, -0.014771522148244237)
        c = step(c, t, -0.1140082332972217)
        c = step(c, t, -0.018199676398671087)
        c = step(c, t, 0.388284982990552)
        c = fast_sum(splat(a, 0.4314939923140469), step(c, t, 2.7308703915753943e-17), &c_low)
    c = pair_product(t, t_low, c, c_low, &c_low)
    k_low = where_less(magnitude(t), splat(x, 0.125), c_low, k_low)
    k = where_less(magnitude(t), splat(x, 0.125), c, k)
    return reflected(x, k, k_low, low)


cdef inline real sigmoid_slope(real y, real* low) noexcept nogil:
    # y (1 - y), of the output y
    cdef real rest_low
    cdef real rest = complement(y, splat(y, 0.0), &rest_low)
    return pair_product(y, splat(y, 0.0), rest, rest_low, low)


cdef inline real tanh_slope(real y, real* low) noexcept nogil:
    # 1 - y^2, of the output y
    cdef real square_low
    cdef real square = product(y, y, &square_low)
    return complement(square, square_low, low)
