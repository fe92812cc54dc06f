# The normal distribution on registers: erf, erfc, and the tail that gelu is made of. Coefficients are made by the
# scripts in tools/fit, named beside them with the error they reach.
from ..lanes cimport LOOKUP_FLOATS, at_most, f32x, fma, magnitude, pick, real, scale2, splat, where_less, with_sign
from .exponential cimport exp_of_pair, step, two_steps, whole
from .logistic cimport far_terms
from .pairs cimport fast_sum, pair_product, product
from .piecewise cimport ALL, FIRST, LAST, ODD, PLAIN, any_past_first, bent_steps, quarters, segment, segment_parts
from .segments cimport ERF_SEGMENTS, NORMAL_TAIL_SEGMENTS
from .wide_segments cimport ERF_WIDE


cdef inline f32x mills_segment(f32x a, int which, f32x* low) noexcept nogil:
    return segment(&NORMAL_TAIL_SEGMENTS[0][0], 7, PLAIN, which, quarters(a, 1.0, 2.0), a, low)


cdef inline real mills(real a, real* low) noexcept nogil:
    # erfc(a / sqrt 2) / 2 e^(a^2/2) for a >= 0. float64: rho H(rho), rho = 1 / (a + 3), tools/fit/normal_tail.sollya:
    # a <= 39, error 2^-56.0. float32: by segments, a <= 20, error 2^-27.9
    cdef real one, d, d_low, rho, rho_low, t, h, h_low, square
    if real is f32x:
        h = mills_segment(a, LOOKUP_FLOATS, low)
        if any_past_first(a, 5.99):
            h = mills_segment(a, ALL, low)
        return h
    else:
        one = splat(a, 1.0)
        d = a + splat(a, 3.0)
        d_low = a - (d - splat(a, 3.0))
        rho = one / d
        rho_low = fma(-rho, d_low, fma(-rho, d, one)) * rho
        t = (rho - splat(a, 0.1875)) + rho_low
        square = t * t
        h = splat(a, -2315664989.0370836)
        h = two_steps(h, t, square, 3229796672.297123, 360136133.151421)
        h = two_steps(h, t, square, -670991803.4550079, 60626626.004337825)
        h = two_steps(h, t, square, 55125533.026681095, -18693033.77988871)
        h = two_steps(h, t, square, 444006.1862275633, 1789732.5402794376)
        h = two_steps(h, t, square, -663902.6231429119, 290.9231076333635)
        h = two_steps(h, t, square, 84428.62186100466, -25482.830315029718)
        h = two_steps(h, t, square, -4222.71134416437, 4737.10833255909)
        h = two_steps(h, t, square, -529.9967935296861, -626.3497342705158)
        h = two_steps(h, t, square, 201.96637047702853, 84.41321791527878)
        h = step(h, t, -45.80806564978135)  # one by one, whose rounding errors are smaller
        h = step(h, t, -18.809282228528893)
        h = step(h, t, 8.853994020862997)
        h = step(h, t, 8.87863248596667)
        h = step(h, t, 3.413770971566147)
        h = step(h, t, -3.520208008352281e-17)
        h = fast_sum(splat(a, 0.7964337625475115), h, &h_low)
        return pair_product(rho, rho_low, h, h_low, low)


cdef inline real exp_square_parts(real x, double factor, real* low, real* sum) noexcept nogil:
    # e^(factor x^2) = 2^n (value + low), n = whole(sum), factor a power of two
    cdef real square_low
    cdef real square = product(x, x, &square_low)
    return exp_of_pair(splat(x, factor) * square, splat(x, factor) * square_low, low, sum)


cdef inline real erfc(real x) noexcept nogil:
    # 2 Q(a sqrt 2), and 2 minus that where x < 0, Q the normal tail; a sqrt 2 is a pair b, and
    # mills'(b) = b mills(b) - phi(0)
    cdef real a = at_most(magnitude(x), pick(x, 10.2, 27.5))
    cdef real b_low, low, e, e_low, sum
    cdef real b = pair_product(a, splat(x, 0.0), splat(x, 1.4142135623730951),
                               pick(x, 2.420323497800382e-08, -9.667293313452913e-17), &b_low)
    cdef real h = mills(b, &low)
    low = fma(b_low, fma(b, h, splat(x, -0.3989422804014327)), low)
    e = exp_square_parts(a, -1.0, &e_low, &sum)
    cdef real tail = pair_product(h, low, e, e_low, &low)
    cdef real n = whole(sum) + splat(x, 1.0)
    e = fast_sum(splat(x, 2.0), -scale2(tail, n), &e_low)
    return where_less(x, splat(x, 0.0), e + (e_low - scale2(low, n)), scale2(tail + low, n))


cdef inline f32x far_tail(f32x a, f32x* low) noexcept nogil:
    # mills where a is beyond 5.99, in the last half of its segments
    return mills_segment(a, LAST if LOOKUP_FLOATS == 8 else ALL, low)


cdef inline f32x far_density(f32x a, bint gated, f32x* rest, f32x* v, f32x* power) noexcept nogil:
    # e^(-a^2/2) as far_terms gives it
    cdef f32x low, square = product(a, a, &low), half = splat(a, 0.5)
    return far_terms(square * half, low * half, 0.0, gated, rest, v, power)


cdef inline real normal_tail_parts(real a, real* low, real* sum, real* e, real* e_low) noexcept nogil:
    # erfc(a / sqrt 2) / 2 = 2^n (value + low), n = whole(sum), for 0 <= a up to where it underflows; e^(-a^2/2) is
    # 2^n (e + e_low)
    cdef real h_low
    cdef real h = mills(a, &h_low)
    e[0] = exp_square_parts(a, -0.5, e_low, sum)
    return pair_product(h, h_low, e[0], e_low[0], low)


cdef inline real erf(real x) noexcept nogil:
    cdef real a, low, y
    if real is f32x:
        a = at_most(magnitude(x), splat(x, 3.95))
        y = segment(&ERF_SEGMENTS[0][0], 6, ODD, FIRST, bent_steps(a, 2.88, -0.25, 0.0), a, &low)
    else:
        a = at_most(magnitude(x), splat(x, 5.95))
        y = segment_parts(&ERF_WIDE[0][0], 14, ODD, ALL, bent_steps(a, 2.1, -0.13, 0.4), a, &low)
        y = y + low
    return with_sign(y, x)
