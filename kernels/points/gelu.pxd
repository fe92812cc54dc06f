# gelu and its approximation by tanh; Hendrycks and Gimpel, arXiv:1606.08415. Phi is the distribution function of the
# normal distribution, phi its density:
#
#     gelu(x) = x Phi(x), gelu'(x) = Phi(x) + x phi(x)
#     gelu_tanh(x) = x s(u), u = sqrt(8 / pi) (x + 0.044715 x^3), s = sigmoid; gelu_tanh'(x) = s (1 + (1 - s) x u'(x))
from ..lanes cimport (
    LOOKUP_FLOATS, any_less, at_most, f32x, f64x, fma, magnitude, pick, power2, real, scale2, splat, two_sum,
    where_less,
)
from ..math.exponential cimport raised_power2, step, whole
from ..math.logistic cimport far_product, far_sum, far_terms, far_times, logistic_parts, logistic_times, reduced
from ..math.normal cimport far_density, far_tail, normal_tail_parts
from ..math.piecewise cimport (
    ALL, LAST, PLAIN, ROOTED, any_past_first, bent_steps, reflected_pair, segment_parts, segment_parts_abreast,
    unless_beyond, where_beyond,
)
from ..math.pairs cimport fast_sum, pair_product, product, scaled
from ..math.segments cimport GELU_SEGMENTS, GELU_SLOPE_SEGMENTS, GELU_TANH_SEGMENTS, GELU_TANH_SLOPE_SEGMENTS
from .parts cimport lowered_slope, minus_product, minus_tail, near_root, times_raised, times_reflected_pair


cdef inline real gelu_end(real like) noexcept nogil:
    # how far its segments reach
    return splat(like, 6.343626976013184)


cdef inline real first_gelu_end(real like) noexcept nogil:
    # how far the first 8 of them do
    return splat(like, 4.266413688659668)


cdef inline f32x gelu_segment(f32x x, f32x a, int which) noexcept nogil:
    cdef f32x rest
    cdef f32x y = segment_parts_abreast(&GELU_SEGMENTS[0][0], which, bent_steps(a, 0.35, 0.33, 0.0), a, &rest)
    return minus_product(x, a, y, rest)


cdef inline f64x gelu_by_exp(f64x x) noexcept nogil:
    cdef f64x low, sum, e, e_low, a = at_most(magnitude(x), splat(x, 39.0))
    cdef f64x q = normal_tail_parts(a, &low, &sum, &e, &e_low)
    return minus_tail(x, fma(a, q, a * low) * raised_power2(sum))


cdef inline f32x gelu_far(f32x x, f32x a) noexcept nogil:
    # where 6.3 < a = -x <= 14.6: -a Phi(-a)
    cdef f32x low, p_low, rest, v, power, h = far_tail(a, &low), p = product(a, h, &p_low)
    cdef f32x r = far_density(a, False, &rest, &v, &power)
    return minus_tail(x, far_sum(p, fma(a, low, p_low), r, rest, v) * power)


cdef inline real gelu(real x) noexcept nogil:
    # x Phi(x) = max(x, 0) - |x| Phi(-|x|); Hendrycks and Gimpel, arXiv:1606.08415
    cdef real y, end = gelu_end(x), a = at_most(magnitude(x), end)
    if real is f32x:
        y = gelu_segment(x, a, LOOKUP_FLOATS)
        if LOOKUP_FLOATS == 8 and any_less(first_gelu_end(a), a):
            y = where_less(first_gelu_end(a), a, gelu_segment(x, a, LAST), y)
        if any_less(x, -end):
            y = where_beyond(-x, 14.6, splat(x, -0.0), y)
            a = unless_beyond(-x, 14.6)
            if any_less(end, a):
                y = where_less(end, a, gelu_far(x, a), y)
        return y
    else:
        return gelu_by_exp(x)


cdef inline real gelu_slope_end(real like) noexcept nogil:
    # how far its segments reach
    return splat(like, 6.3)


cdef inline f32x gelu_slope_parts(f32x a, int which, f32x* rest) noexcept nogil:
    return segment_parts(&GELU_SLOPE_SEGMENTS[0][0], 8, ROOTED, which, bent_steps(a, 1.2, 0.2, 0.0), a, rest)


cdef inline f64x gelu_slope_by_exp(f64x x, f64x* low) noexcept nogil:
    # for x = -a < 0: Phi(-a) - a phi(a), which cancels near a = 0.752: there a polynomial in t, |t| <= 0.25, error
    # 2^-60.3
    cdef f64x a = at_most(magnitude(x), splat(x, 39.0))
    cdef f64x q, q_low, n, e, e_low, d, d_low, k, t, t_low, c, sum
    q = normal_tail_parts(a, &q_low, &sum, &e, &e_low)
    n = whole(sum)
    d = pair_product(a, splat(x, 0.0), e, e_low, &d_low)
    d = pair_product(d, d_low, splat(x, 0.3989422804014327),
                     splat(x, -2.49232720227773e-17), &d_low)
    k = two_sum(q, -d, &t)
    k = scale2(k, n)
    e_low = scale2(t + (q_low - d_low), n)
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
    k = near_root(t, t_low, 0.25, 0.4314939923140469, c, k, e_low, &e_low)
    return reflected_pair(x, k, e_low, low)


cdef inline f32x gelu_slope_far(f32x a, f32x* low) noexcept nogil:
    # Phi(-a) - a phi(a), raised as parts.pxd says, where 6.3 < a <= 14.6
    cdef f32x rest, v, power, lost, d_low, d = product(a, splat(a, 0.3989422804014327), &d_low)
    cdef f32x r = far_density(a, True, &rest, &v, &power), h = fast_sum(-d, far_tail(a, low), &lost)
    return far_product(h, lost - fma(a, splat(a, -1.1335170135851058e-08), d_low), r, rest, v, power, low)


cdef inline real gelu_slope(real x, real* low) noexcept nogil:
    # Phi(x) + x phi(x)
    cdef real k, rest, last, last_rest, end = gelu_slope_end(x), a = at_most(magnitude(x), end)
    if real is f32x:
        k = gelu_slope_parts(a, LOOKUP_FLOATS, &rest)
        if any_past_first(a, 3.81):
            k = gelu_slope_parts(a, ALL, &rest)
        if any_less(x, -end):
            last = gelu_slope_far(at_most(magnitude(x), splat(x, 14.6)), &last_rest)
            k, rest = lowered_slope(end, -x, last, k), lowered_slope(end, -x, last_rest, rest)
        return reflected_pair(x, k, rest, low)
    else:
        return gelu_slope_by_exp(x, low)


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
            y = where_beyond(-x, 14.6, grad * splat(x, 0.0), y)
            a = unless_beyond(-x, 14.6)
            if any_less(end, a):
                k = gelu_slope_far(a, &low)
                y = where_less(end, a, times_raised(grad, x, k, low), y)
        return y
    else:
        k = gelu_slope_by_exp(x, &low)
        return scaled(grad, k, low)


cdef inline real cubic(real a, real c, real c_low, real* low) noexcept nogil:
    # sqrt(8 / pi) a + (c + c_low) a^3 for 0 <= a
    cdef real z_low, s_low, zero = splat(a, 0.0)
    cdef real z = product(a, a, &z_low)
    z = pair_product(z, z_low, c, c_low, &z_low)
    cdef real s = two_sum(splat(a, 1.5957691216057308), z, &s_low)
    s_low = s_low + (z_low + pick(a, -4.534068042105272e-08, -9.96930880911092e-17))
    return pair_product(s, s_low, a, zero, low)


cdef inline real gelu_tanh_exponent(real a, real* low) noexcept nogil:
    # sqrt(8 / pi) (a + 0.044715 a^3)
    cdef real c_low = pick(a, 2.3988323959931355e-09, -6.175149918155315e-19)
    return cubic(a, splat(a, 0.07135481627260025), c_low, low)


cdef inline real gelu_tanh_end(real like) noexcept nogil:
    return splat(like, 5.05)


cdef inline f64x gelu_tanh_by_exp(f64x x) noexcept nogil:
    cdef f64x u_low, r_low, sum, a = at_most(magnitude(x), splat(x, 22.0))
    cdef f64x u = gelu_tanh_exponent(a, &u_low), r = reduced(u, &r_low, &sum)
    return minus_tail(x, logistic_times(a, r, r_low + u_low, sum))


cdef inline f32x gelu_tanh_far(f32x x, f32x a) noexcept nogil:
    # where 5.05 < a = -x <= 10.8
    cdef f32x u_low, rest, v, power, u = gelu_tanh_exponent(a, &u_low)
    cdef f32x r = far_terms(u, u_low, 1.0, False, &rest, &v, &power)
    return minus_tail(x, far_times(a, r, rest) * power)


cdef inline f32x gelu_tanh_segment(f32x x, f32x a, int which) noexcept nogil:
    cdef f32x rest
    cdef f32x y = segment_parts(&GELU_TANH_SEGMENTS[0][0], 7, PLAIN, which, bent_steps(a, 1.4, 0.33, 0.0), a, &rest)
    return minus_product(x, a, y, rest)


cdef inline real gelu_tanh(real x) noexcept nogil:
    # x / (1 + e^-u), u = sqrt(8 / pi) (x + 0.044715 x^3); Hendrycks and Gimpel, arXiv:1606.08415
    cdef real y, end = gelu_tanh_end(x), a = at_most(magnitude(x), end)
    if real is f32x:
        y = gelu_tanh_segment(x, a, LOOKUP_FLOATS)
        if any_past_first(a, 3.08):
            y = gelu_tanh_segment(x, a, ALL)
        if any_less(x, -end):
            y = where_beyond(-x, 10.8, splat(x, -0.0), y)
            a = unless_beyond(-x, 10.8)
            if any_less(end, a):
                y = where_less(end, a, gelu_tanh_far(x, a), y)
        return y
    else:
        return gelu_tanh_by_exp(x)


cdef inline f64x gelu_tanh_slope_by_exp(f64x x, f64x* low) noexcept nogil:
    # s (1 + (1 - s) p), s = sigmoid(u), p = x u'; for x = -a < 0: k = q (1 - p + p q), q = 1 / (1 + e^u), which cancels
    # near a = 0.752: there a polynomial in t, |t| <= 0.25, error 2^-62.6
    cdef f64x one = splat(x, 1.0), a = at_most(magnitude(x), splat(x, 22.0))
    cdef f64x u, u_low, q, q_low, n, z, z_low, p, p_low, h, rest, c, t, t_low, r, sum
    u = gelu_tanh_exponent(a, &u_low)
    q = logistic_parts(u, u_low, &q_low, &sum)
    n = whole(sum)
    p = cubic(a, splat(x, 0.21406444881780073), splat(x, 1.2025242832367862e-17), &p_low)
    r = power2(n)
    z = pair_product(p, p_low, q * r, q_low * r, &z_low)
    h = two_sum(one, -p, &rest)
    h = two_sum(h, z, &t)
    h = pair_product(h, t + (rest + (z_low - p_low)), q, q_low, &rest)
    h = scale2(h, n)
    rest = scale2(rest, n)
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
    h = near_root(t, t_low, 0.25, 0.4304000910248585, c, h, rest, &rest)
    return reflected_pair(x, h, rest, low)


cdef inline f32x gelu_tanh_slope_far(f32x a, f32x* low) noexcept nogil:
    # (1 - p) / (1 + e^u), raised as parts.pxd says, where 5.83 < a <= 11; 1 + e^u is e^u there, to 2^-33
    cdef f32x u_low, p_low, v, power, lost, rest, u = gelu_tanh_exponent(a, &u_low)
    cdef f32x p = cubic(a, splat(a, 0.21406444881780073), splat(a, -2.5408340894442123e-10), &p_low)
    cdef f32x r = far_terms(u, u_low, 0.0, True, &rest, &v, &power), h = fast_sum(-p, splat(a, 1.0), &lost)
    return far_product(h, lost - p_low, r, rest, v, power, low)


cdef inline real gelu_tanh_slope_end(real like) noexcept nogil:
    return splat(like, 5.83)


cdef inline f32x gelu_tanh_backward_segment(f32x grad, f32x x, f32x a, int which) noexcept nogil:
    cdef f32x low, place = bent_steps(a, 1.2, 0.25, 0.0)
    cdef f32x k = segment_parts(&GELU_TANH_SLOPE_SEGMENTS[0][0], 8, ROOTED, which, place, a, &low)
    return times_reflected_pair(grad, x, k, low)


cdef inline real gelu_tanh_backward(real grad, real x) noexcept nogil:
    cdef real y, k, low, end = gelu_tanh_slope_end(x), a = at_most(magnitude(x), end)
    if real is f32x:
        y = gelu_tanh_backward_segment(grad, x, a, LOOKUP_FLOATS)
        if any_past_first(a, 3.56):
            y = gelu_tanh_backward_segment(grad, x, a, ALL)
        if any_less(x, -end):
            y = where_beyond(-x, 11.0, grad * splat(x, -0.0), y)
            a = unless_beyond(-x, 11.0)
            if any_less(end, a):
                k = gelu_tanh_slope_far(a, &low)
                y = where_less(end, a, times_raised(grad, x, k, low), y)
        return y
    else:
        k = gelu_tanh_slope_by_exp(x, &low)
        return grad * (k + low)
