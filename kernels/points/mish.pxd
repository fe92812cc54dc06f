# mish; Misra, arXiv:1908.08681:
#
#     mish(x) = x tanh(log(1 + e^x))
#     mish'(x) = t + x (1 - t^2) sigmoid(x), t = tanh(log(1 + e^x))
from ..lanes cimport (
    LOOKUP_FLOATS, any_less, at_least, at_most, f32x, f64x, fma, pick, real, scale_down, splat, two_sum, where_less,
    with_sign,
)
from ..math.exponential cimport exp_pair, lowering, power2_of_sum, raised_by, scale2_of_sum, step
from ..math.logistic cimport far_terms, far_times
from ..math.pairs cimport fast_sum, pair_product, product, scaled
from ..math.piecewise cimport LAST, segment_parts_abreast, signed_steps, unless_beyond, where_beyond
from ..math.segments cimport MISH_SEGMENTS
from .parts cimport near_root


cdef inline real exp_and_rest(real x, real* low) noexcept nogil:
    # e^x, which must be a normal number, in two parts
    cdef real sum
    cdef real m = exp_pair(x, low, &sum)
    low[0] = low[0] * power2_of_sum(sum, 0)
    return raised_by(m, sum)


cdef inline real mish_end(real like) noexcept nogil:
    # below which mish_far is right
    return pick(like, -6.7, -690.0)


cdef inline real mish_far(real x) noexcept nogil:
    # x e (1 - e / 2) with e = e^x: the next term is x e^4 / 4, of 2^-31 of that in float32
    cdef f32x rest, v, power
    cdef real m, m_low, sum, b = at_least(x, pick(x, -109.0, -752.0))
    if real is f32x:
        m = far_terms(-b, splat(x, 0.0), 0.5, False, &rest, &v, &power)
        return scale_down(far_times(b, m, rest) * power, lowering(x))
    m = exp_pair(b, &m_low, &sum)
    m_low = fma(m * splat(x, -0.5), scale2_of_sum(m, sum), m_low)
    return scale2_of_sum(scaled(b, m, m_low), sum)


cdef inline real mish_below(real x, real y) noexcept nogil:
    # y, but mish where x is below its end; -0 from -109 (-752) down
    cdef double far = 109.0 if real is f32x else 752.0
    cdef real near = -unless_beyond(-x, far)
    y = where_beyond(-x, far, splat(x, -0.0), y)
    if any_less(near, mish_end(x)):
        y = where_less(near, mish_end(x), mish_far(x), y)
    return y


cdef inline f32x mish_segment(f32x x, f32x b, f32x place, int which) noexcept nogil:
    # b, which is x limited, is multiplied by the small part, since an infinite x would give NaN
    cdef f32x rest
    cdef f32x y = segment_parts_abreast(&MISH_SEGMENTS[0][0], which, place, b, &rest)
    return with_sign(fma(x, y, b * rest), x)  # that of zero


cdef inline f64x mish_by_exp(f64x x) noexcept nogil:
    # x n / (n + 2) with e = e^x, n = e (e + 2). The quotient is 1 where x is limited. 1 / (n + 2) is taken a little too
    # small, so that the remainder is positive where x is 0 or infinite: its product has x's sign
    cdef f64x e_low, n, n_low, d, d_low, q, rest, inverse
    cdef f64x e = exp_and_rest(at_most(x, splat(x, 40.0)), &e_low)
    n = fma(e, e, e + e)
    n_low = fma(e_low, (e + e) + splat(x, 2.0), fma(e, e, (e + e) - n))
    d = fast_sum(splat(x, 2.0), n, &d_low)
    inverse = splat(x, 0.9999999999999999) / d
    q = n * inverse
    rest = fma(-q, d, n) + fma(-q, d_low + n_low, n_low)
    return fma(x, q, rest * (x * inverse))


cdef inline real mish(real x) noexcept nogil:
    # x tanh(log(1 + e^x)); Misra, arXiv:1908.08681
    cdef real y, b, place, tail, first, last, end = mish_end(x)
    if real is f32x:
        b = at_most(x, splat(x, 9.1))
        place, first, last = signed_steps(b, 0.82), splat(x, 12582912.0), splat(x, 12582919.0)
        y = mish_segment(x, b, place, LOOKUP_FLOATS)
        if LOOKUP_FLOATS == 16 or any_less(place, first) or any_less(last, place):
            if LOOKUP_FLOATS == 8:
                tail = mish_segment(x, b, place, LAST)
                y = where_less(place, first, tail, where_less(last, place, tail, y))
            if any_less(x, end):
                y = mish_below(x, y)
        return y
    else:
        y = mish_by_exp(x)
        if any_less(x, end):
            y = mish_below(x, y)
        return y


cdef inline real mish_slope_far(real x, real* low) noexcept nogil:
    # e (1 + x - e (x + 1 / 2)) with e = e^x
    cdef real m, m_low, sum, h, h_low, b = at_least(x, pick(x, -109.0, -752.0))
    m = exp_pair(b, &m_low, &sum)
    h = two_sum(splat(x, 1.0), b, &h_low)
    h_low = fma(b + splat(x, 0.5), -scale2_of_sum(m, sum), h_low)
    h = pair_product(h, h_low, m, m_low, &h_low)
    low[0] = scale2_of_sum(h_low, sum)
    return scale2_of_sum(h, sum)


cdef inline real mish_slope(real x, real* low) noexcept nogil:
    # e / d (e + 2 + 4 x (e + 1) / d) with e = e^x, d = e^2 + 2 e + 2; near the root at -1.192 a polynomial in t,
    # |t| <= 0.25, error 2^-27.9 (float32), 2^-66.3 (float64)
    cdef real b, e, e_low, a, a_low, s, s_low, n, n_low, d, d_low, inverse, k, k_low, v, v_low, z, z_low, m, m_low
    cdef real one = splat(x, 1.0), two = splat(x, 2.0), t, t_low, c, near, far = pick(x, -8.0, -690.0)
    cdef double end = 109.0 if real is f32x else 752.0
    b = at_most(x, pick(x, 12.0, 24.0))
    e = exp_and_rest(b, &e_low)
    s = fast_sum(two, e, &s_low)  # exact, since 2 is a multiple of the last bit of s where e is larger
    a = fast_sum(one, e, &a_low)
    s_low = s_low + e_low
    a_low = a_low + e_low
    n = product(e, e, &n_low)
    d = two_sum(n, a + a, &d_low)
    d_low = d_low + (fma(e + e, e_low, n_low) + (a_low + a_low))
    inverse = one / d
    k = a * inverse
    k_low = (fma(-k, d, a) + fma(-k, d_low, a_low)) * inverse
    v = e * inverse
    v_low = (fma(-v, d, e) + fma(-v, d_low, e_low)) * inverse
    b = splat(x, 4.0) * b
    z = product(b, k, &z_low)
    m = two_sum(s, z, &m_low)
    m_low = m_low + (s_low + fma(b, k_low, z_low))
    v = pair_product(v, v_low, m, m_low, &v_low)
    if any_less(x, far):
        inverse = pick(x, 0.0, -0.0)
        v, v_low = where_beyond(-x, end, inverse, v), where_beyond(-x, end, inverse, v_low)
        near = -unless_beyond(-x, end)
        if any_less(near, far):
            m = mish_slope_far(x, &m_low)
            v, v_low = where_less(near, far, m, v), where_less(near, far, m_low, v_low)
    t = at_least(x, splat(x, -1000.0)) + splat(x, 1.1924312145154952)
    t = fast_sum(t, pick(x, 3.043937594950088e-09, 4.8484829848031044e-17), &t_low)
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
    return near_root(t, t_low, 0.25, 0.2669479140495345, c, v, v_low, low)


cdef inline real mish_backward(real grad, real x) noexcept nogil:
    cdef real low
    cdef real slope = mish_slope(x, &low)
    return grad * (slope + low)
