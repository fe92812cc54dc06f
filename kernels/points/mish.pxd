# mish; Misra, arXiv:1908.08681:
#
#     mish(x) = x tanh(log(1 + e^x))
#     mish'(x) = t + x (1 - t^2) sigmoid(x), t = tanh(log(1 + e^x))
from ..lanes cimport (
    LOOKUP_FLOATS, any_less, at_least, at_most, f32x, f64x, fma, magnitude, pick, real, scale2, splat, two_sum, where_less,
    with_sign,
)
from ..math.exponential cimport exp_pair, power2_of_sum, raised_by, scale2_of_sum, step, whole
from ..math.pairs cimport fast_sum, pair_product, pair_quotient, scaled
from ..math.piecewise cimport LAST, segment_parts_abreast, signed_steps
from ..math.segments cimport MISH_SEGMENTS
from .parts cimport near_root


cdef inline real mish_divisor(real x, real e, real e_low, real* low) noexcept nogil:
    # 2 + 2 e + e^2 where x < 0, and 1 + 2 e + 2 e^2 where not
    cdef real square_low, t_low, zero = splat(x, 0.0)
    cdef real square = pair_product(e, e_low, e, e_low, &square_low)
    square = where_less(x, zero, square, square + square)
    square_low = where_less(x, zero, square_low, square_low + square_low)
    cdef real t = fast_sum(e + e, square, &t_low)
    cdef real d = two_sum(where_less(x, zero, splat(x, 2.0), splat(x, 1.0)), t, low)
    low[0] = low[0] + (t_low + (square_low + (e_low + e_low)))
    return d


cdef inline real mish_end(real like) noexcept nogil:
    # below which mish_far is right
    return pick(like, -6.7, -690.0)


cdef inline real mish_far(real x) noexcept nogil:
    # x e (1 - e / 2) with e = e^x: the next term is x e^4 / 4, of 2^-31 of that in float32
    cdef real m_low, sum, b = at_least(x, pick(x, -109.0, -752.0))
    cdef real m = exp_pair(b, &m_low, &sum)
    m_low = fma(m * splat(x, -0.5), scale2_of_sum(m, sum), m_low)
    return scale2_of_sum(scaled(b, m, m_low), sum)


cdef inline f32x mish_segment(f32x x, f32x b, f32x place, int which) noexcept nogil:
    # b, which is x limited, is multiplied by the small part, since an infinite x would give NaN
    cdef f32x rest
    cdef f32x y = segment_parts_abreast(&MISH_SEGMENTS[0][0], which, place, b, &rest)
    return with_sign(fma(x, y, b * rest), x)  # that of zero


cdef inline f64x mish_by_exp(f64x x) noexcept nogil:
    # x n / (n + 2) with e = e^x, n = e (e + 2). The quotient is 1 where x is limited. 1 / (n + 2) is taken a little too
    # small, so that the remainder is positive where x is 0 or infinite: its product has x's sign
    cdef f64x e, e_low, n, n_low, d, d_low, q, rest, inverse, sum
    e = exp_pair(at_most(x, splat(x, 40.0)), &e_low, &sum)
    e = raised_by(e, sum)
    e_low = e_low * power2_of_sum(sum, 0)
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
                y = where_less(x, end, mish_far(x), y)
        return y
    else:
        y = mish_by_exp(x)
        if any_less(x, end):
            y = where_less(x, end, mish_far(x), y)
        return y


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
    return near_root(t, t_low, 0.25, 0.2669479140495345, c, scale2(v, n), scale2(v_low, n), low)


cdef inline real mish_backward(real grad, real x) noexcept nogil:
    cdef real low
    cdef real slope = mish_slope(x, &low)
    return grad * (slope + low)
