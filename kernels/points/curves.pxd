# Smooth activations on registers, each with its formula and source; elementary functions and their parts are
# math/elementary.pxd's, slopes slopes.pxd's, activations with kinks piecewise.pxd's.
#
# Most x lie within 5 or 10 of 0. Up to there float32 has polynomials by segments (math/segments.pxd), in half the time
# of the formula, ..._by_exp, which is for float64 and for registers that hold a number beyond. Segments end where the
# steps that name them come to 15.5.
from libc.math cimport INFINITY

from ..lanes cimport (
    LOOKUP_FLOATS, any_less, at_least, at_most, exponent, f32x, fma, ldexp, magnitude, pick, power2, real, root, scale2,
    splat, where_less, with_sign,
)
from ..math.elementary cimport (
    ALL, LAST, ODD, PLAIN, any_outside, any_past_first, bent_steps, exp_of_pair, exp_pair, expm1_half,
    first_steps_end, largest, log1p_f64, logistic_divisor, logistic_quotient, logistic_times, lowering, nearest,
    normal_tail_parts, power2_raised_by, quarters, raised_power2, reduced, scale2_of_sum, segment, segment_parts,
    step, steps, steps_end, tanh_pair, whole,
)
from ..math.pairs cimport fast_sum, finite, pair_product, pair_quotient, product, scaled, two_sum
from ..math.segments cimport GELU_SEGMENTS, GELU_TANH_SEGMENTS, SILU_SEGMENTS, SOFTPLUS_SEGMENTS, SOFTPLUS_TAIL_SEGMENTS


cdef inline real times_power2(real x, real n) noexcept nogil:
    # x 2^n by two factors, the same on every level whatever x is (scale2 is quicker, for x of usual size), for n from
    # twice the smallest normal exponent to twice the largest
    cdef real half = nearest(n, 0.5)
    return x * power2(half) * power2(n - half)


cdef inline real less_tail(real x, real tail) noexcept nogil:
    # max(x, 0) less a raised tail, lowered
    return fma(tail, -lowering(x), at_least(x, splat(x, -0.0)))


cdef inline real less_half(real x, real s) noexcept nogil:
    # max(x, 0) less half of s
    return fma(s, splat(x, -0.5), at_least(x, splat(x, -0.0)))


cdef inline real less_share(real x, real a, real s, real rest) noexcept nogil:
    # max(x, 0) less a (s + rest)
    return at_least(x, splat(x, -0.0)) - fma(a, s, a * rest)


cdef inline real silu_by_exp(real x) noexcept nogil:
    cdef real r_low, sum
    cdef real a = at_most(magnitude(x), pick(x, 109.0, 752.0))
    cdef real r = reduced(a, &r_low, &sum)
    return less_tail(x, logistic_times(a, r, r_low, sum))


cdef inline f32x silu_segment(f32x x, f32x a, int which) noexcept nogil:
    cdef f32x low
    return less_half(x, segment(&SILU_SEGMENTS[0][0], 6, ODD, which, steps(a), a, &low))


cdef inline real silu(real x) noexcept nogil:
    # x / (1 + e^-x) = max(x, 0) - |x| / (1 + e^|x|); Elfwing, Uchibe and Doya, arXiv:1702.03118
    cdef real y, a = magnitude(x), end = steps_end(x)
    if real is f32x:
        y = silu_segment(x, a, LOOKUP_FLOATS)
        if any_less(first_steps_end(a), a):
            if LOOKUP_FLOATS == 8:
                y = where_less(first_steps_end(a), a, silu_segment(x, a, LAST), y)
            if LOOKUP_FLOATS == 16 or any_less(end, a):
                y = where_less(end, a, silu_by_exp(x), y)
        return y
    else:
        return silu_by_exp(x)


cdef inline real gelu_end(real like) noexcept nogil:
    # how far its segments reach
    return splat(like, 5.46)


cdef inline f32x normal_tail_segment(f32x a, int which, f32x* rest) noexcept nogil:
    # Phi(-a) up to there
    return segment_parts(&GELU_SEGMENTS[0][0], 7, PLAIN, which, bent_steps(a, 0.65, 0.4), a, rest)


cdef inline f32x gelu_segment(f32x x, f32x a, int which) noexcept nogil:
    cdef f32x rest, y = normal_tail_segment(a, which, &rest)
    return less_share(x, a, y, rest)


cdef inline real gelu_by_exp(real x) noexcept nogil:
    cdef real low, sum, e, e_low
    cdef real a = at_most(magnitude(x), pick(x, 14.6, 39.0))
    cdef real q = normal_tail_parts(a, &low, &sum, &e, &e_low)
    return less_tail(x, fma(a, q, a * low) * raised_power2(sum))


cdef inline real gelu(real x) noexcept nogil:
    # x Phi(x) = max(x, 0) - |x| Phi(-|x|); Hendrycks and Gimpel, arXiv:1606.08415
    cdef real y, end = gelu_end(x), a = at_most(magnitude(x), end)
    if real is f32x:
        y = gelu_segment(x, a, LOOKUP_FLOATS)
        if any_past_first(a, 3.59):
            y = gelu_segment(x, a, ALL)
        if any_less(x, -end):
            y = where_less(x, -end, gelu_by_exp(x), y)
        return y
    else:
        return gelu_by_exp(x)


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


cdef inline real gelu_tanh_by_exp(real x) noexcept nogil:
    cdef real u_low, r_low, sum
    cdef real a = at_most(magnitude(x), pick(x, 11.0, 22.0))
    cdef real u = gelu_tanh_exponent(a, &u_low)
    cdef real r = reduced(u, &r_low, &sum)
    return less_tail(x, logistic_times(a, r, r_low + u_low, sum))


cdef inline f32x gelu_tanh_segment(f32x x, f32x a, int which) noexcept nogil:
    cdef f32x rest
    cdef f32x y = segment_parts(&GELU_TANH_SEGMENTS[0][0], 7, PLAIN, which, bent_steps(a, 1.4, 0.33), a, &rest)
    return less_share(x, a, y, rest)


cdef inline real gelu_tanh(real x) noexcept nogil:
    # x / (1 + e^-u), u = sqrt(8 / pi) (x + 0.044715 x^3); Hendrycks and Gimpel, arXiv:1606.08415
    cdef real y, end = gelu_tanh_end(x), a = at_most(magnitude(x), end)
    if real is f32x:
        y = gelu_tanh_segment(x, a, LOOKUP_FLOATS)
        if any_past_first(a, 3.08):
            y = gelu_tanh_segment(x, a, ALL)
        if any_less(x, -end):
            y = where_less(x, -end, gelu_tanh_by_exp(x), y)
        return y
    else:
        return gelu_tanh_by_exp(x)


cdef inline real stretched(real x, real beta, real* low) noexcept nogil:
    # beta x; where it is large, all that counts is that it is
    cdef real lost
    cdef real t = product(beta, x, &lost)
    low[0] = where_less(magnitude(t), splat(x, 3000.0), lost, splat(x, 0.0))
    return t


# The functions of beta x give the bits of those of x where beta is 1, which have fewer roundings.
cdef inline int any_one(real beta) noexcept nogil:
    return any_less(magnitude(beta - splat(beta, 1.0)), splat(beta, 1e-30))


cdef inline real where_one(real beta, real yes, real no) noexcept nogil:
    return where_less(magnitude(beta - splat(beta, 1.0)), splat(beta, 1e-30), yes, no)


cdef inline real swish(real x, real beta) noexcept nogil:
    # x / (1 + e^-t), t = beta x; Ramachandran, Zoph and Le, arXiv:1710.05941
    cdef real t_low, low, n, top = largest(x)
    cdef real t = stretched(x, beta, &t_low)
    cdef real s = logistic(t, where_less(t, splat(x, 0.0), -t_low, t_low), &low, &n)
    # an infinite x meets 0 as a number
    cdef real b = where_less(n, splat(x, -100.0), at_most(at_least(x, -top), top), x)
    b = with_sign(ldexp(scaled(b, s, low), n), x)
    if any_one(beta):
        b = where_one(beta, silu(x), b)
    return b


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


cdef inline real softplus_by_exp(real x) noexcept nogil:
    cdef real low, n, q, y, sum, rise, lost
    if real is f32x:
        q = softplus_tail(at_most(magnitude(x), splat(x, 109.0)), splat(x, 0.0), &low, &sum)
        q = scale2_of_sum(q, sum)
        rise = at_least(x, splat(x, 0.0))
        y = fast_sum(at_least(rise, q), at_most(rise, q), &lost)
        return where_less(rise, splat(x, INFINITY), y + fma(low * raised_power2(sum), lowering(x), lost), x)
    else:
        q = softplus_of_pair(x, splat(x, 0.0), &low, &n)
        return where_less(x, splat(x, 100.0), scale2(q + low, n), x)


cdef inline f32x softplus_segment(f32x rise, f32x a, int which) noexcept nogil:
    cdef f32x rest, lost, tail = segment_parts(&SOFTPLUS_SEGMENTS[0][0], 6, PLAIN, which, steps(a), a, &rest)
    cdef f32x y = fast_sum(at_least(rise, tail), at_most(rise, tail), &lost)
    return y + (lost + rest)


cdef inline real softplus(real x) noexcept nogil:
    # log(1 + e^x) = max(x, 0) + log(1 + e^-|x|); Dugas et al., NIPS 2000
    cdef real y, a = magnitude(x), end = steps_end(x), rise = at_least(x, splat(x, 0.0))
    if real is f32x:
        y = softplus_segment(rise, a, LOOKUP_FLOATS)
        if any_less(first_steps_end(a), a):
            if LOOKUP_FLOATS == 8:
                y = where_less(first_steps_end(a), a, softplus_segment(rise, a, LAST), y)
            if LOOKUP_FLOATS == 16 or any_less(end, a):
                y = where_less(end, a, softplus_by_exp(x), y)
        return y
    else:
        return softplus_by_exp(x)


cdef inline real softplus_scaled(real x, real beta) noexcept nogil:
    # log(1 + e^t) / beta, t = beta x; where the quotient is infinite its remainder is no number
    cdef real t_low, low, n
    cdef real t = stretched(x, beta, &t_low)
    cdef real y = softplus_of_pair(t, t_low, &low, &n)
    cdef real q = y / beta
    q = q + finite((fma(-q, beta, y) + low) / beta)
    q = where_less(t, splat(x, 100.0), ldexp(q, n), x)
    if any_one(beta):
        q = where_one(beta, softplus(x), q)
    return q


cdef inline real logsigmoid(real x) noexcept nogil:
    # -log(1 + e^-x)
    return -softplus(-x)


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


cdef inline real mish(real x) noexcept nogil:
    # x tanh(log(1 + e^x)) with e = e^-|x|: x e (e + 2) / (2 + 2 e + e^2) where x < 0, and
    # x (1 + 2 e) / (1 + 2 e + 2 e^2) where not; Misra, arXiv:1908.08681
    cdef real m, m_low, sum, p, e, e_low, d, d_low, s, s_low, t, t_low, power
    cdef real zero = splat(x, 0.0), one = splat(x, 1.0), limit = pick(x, 109.0, 752.0), down = lowering(x)
    m = exp_pair(-at_most(magnitude(x), limit), &m_low, &sum)
    power = raised_power2(sum)
    p = power * down
    e = m * p
    e_low = m_low * p
    d = mish_divisor(x, e, e_low, &d_low)
    s = fast_sum(splat(x, 2.0), e, &s_low)
    s = pair_product(m, m_low, s, s_low + e_low, &s_low)
    t = two_sum(splat(x, 1.0), e + e, &t_low)
    s = where_less(x, zero, s, t)
    s_low = where_less(x, zero, s_low, t_low + (e_low + e_low))
    s = pair_quotient(s, s_low, d, d_low, &s_low)
    # an infinite x meets e^x = 0 as a number
    t = scaled(at_least(x, -limit), s, s_low)
    return with_sign(t * where_less(x, zero, power, one) * where_less(x, zero, down, one), x)


cdef inline real softsign(real x) noexcept nogil:
    # x / (1 + |x|); Bergstra et al., 2009, "Quadratic polynomials learn better image features"
    cdef real d_low, low
    cdef real a = at_most(magnitude(x), pick(x, 1e9, 1e18))
    cdef real d = two_sum(splat(x, 1.0), a, &d_low)
    cdef real y = pair_quotient(a, splat(x, 0.0), d, d_low, &low)
    return with_sign(y + low, x)


cdef inline real tanhshrink(real x) noexcept nogil:
    # x - tanh(x); near 0 x^3 (1/3 + z P(z)), z = x^2. tools/fit/tanhshrink.sollya: error 2^-28.9 (float32), |x| <= 3/4,
    # and 2^-67.2 (float64), |x| <= 1/2
    cdef real z_low, v_low, low, lost, q
    cdef real a = magnitude(x)
    cdef real z = product(a, a, &z_low)
    if real is f32x:
        q = splat(x, 0.000695172348059713840484619140625)
        q = step(q, z, -0.00308747892268002033233642578125)
        q = step(q, z, 0.0086830370128154754638671875)
        q = step(q, z, -0.02183523587882518768310546875)
        q = step(q, z, 0.053965084254741668701171875)
        q = step(q, z, -0.13333322107791900634765625)
        q = step(q, z, -1.060639e-08)
    else:
        q = splat(x, 3.3762506704785217e-06)
        q = step(q, z, -1.3926442222428727e-05)
        q = step(q, z, 3.847539144804744e-05)
        q = step(q, z, -9.670033054965409e-05)
        q = step(q, z, 0.00023908952828969088)
        q = step(q, z, -0.0005900223693017508)
        q = step(q, z, 0.001455833936518338)
        q = step(q, z, -0.0035921280093627883)
        q = step(q, z, 0.008863235528827867)
        q = step(q, z, -0.021869488536129304)
        q = step(q, z, 0.05396825396825363)
        q = step(q, z, -0.13333333333333333)
        q = step(q, z, 1.6504268480461576e-17)
    cdef real v = fast_sum(splat(x, 0.3333333333333333), q, &v_low)
    v = pair_product(z, z_low, v, v_low, &v_low)
    cdef real d = fast_sum(a, -tanh_pair(a, &low), &lost)
    d = where_less(a, splat(x, 40.0), d + (lost - low), d)
    # what v's rounding lost underflows where x^3 is hardly a normal number: 2^60 times as much does not
    cdef real up = splat(x, 1.152921504606847e+18), down = splat(x, 8.673617379884035e-19)
    return with_sign(where_less(a, pick(x, 0.75, 0.5), scaled(a * up, v, v_low) * down, d), x)


cdef inline real elu(real x, real alpha) noexcept nogil:
    # x where x > 0, else alpha (e^x - 1); Clevert, Unterthiner and Hochreiter, arXiv:1511.07289
    cdef real low
    cdef real h = expm1_half(x, &low)
    h = where_less(magnitude(x), pick(x, 1e-30, 1e-290), alpha * x, scaled(alpha, h + h, low + low))
    return where_less(splat(x, 0.0), x, x, h)


cdef inline real quotient(real x, real d, real* low) noexcept nogil:
    # x / d; where it is large, all that counts is that it is
    cdef real t = x / d
    low[0] = where_less(magnitude(t), splat(x, 1000.0), finite(fma(-t, d, x) / d), splat(x, 0.0))
    return t


cdef inline real celu(real x, real alpha) noexcept nogil:
    # x where x > 0, else alpha (e^t - 1), t = x / alpha; Barron, arXiv:1704.07483
    cdef real low, t_low
    cdef real t = quotient(x, alpha, &t_low)
    cdef real h = expm1_half(t, &low)
    low = fma(t_low, h + splat(x, 0.5), low)
    h = where_less(magnitude(t), pick(x, 1e-30, 1e-290), x, scaled(alpha, h + h, low + low))
    return where_less(splat(x, 0.0), x, x, h)


cdef inline real selu(real x) noexcept nogil:
    # lambda x where x > 0, else lambda alpha (e^x - 1); Klambauer et al., arXiv:1706.02515
    cdef real low, h_low, tiny, zero = splat(x, 0.0)
    cdef real rising = splat(x, 1.0507009873554805)
    cdef real rising_low = pick(x, -3.479265183079941e-08, 3.9874847667154144e-17)
    cdef real c = splat(x, 1.7580993408473768), c_low = pick(x, 2.3296717680252718e-08, 1.41535193800845e-17)
    cdef real h = expm1_half(x, &h_low)
    h = fast_sum(h, h_low, &h_low)
    h = pair_product(h, h_low, c, c_low, &low)
    h = h + low
    h = where_less(zero, x, scaled(x, rising, rising_low), h + h)
    # near the smallest normal number what the product loses would underflow: not 2^60 times as much
    c = where_less(zero, x, rising, c)
    c_low = where_less(zero, x, rising_low, c_low)
    tiny = scaled(x * splat(x, 1.152921504606847e+18), c, c_low) * splat(x, 8.673617379884035e-19)
    return where_less(magnitude(x), pick(x, 1e-30, 1e-290), tiny, h)


cdef inline real hypotenuse(real a, real b, real* low, real* u, real* b_scaled, real* k) noexcept nogil:
    # sqrt(a^2 + b) = 2^k (value + low), with a = 2^k u and b = 4^k b_scaled
    cdef real s, s_low, z_low, r, larger = at_least(a, root(b))
    cdef real least = pick(a, 1.1754943508222875e-38, 2.2250738585072014e-308)
    k[0] = exponent(at_most(at_least(larger, least), largest(a)))
    u[0] = times_power2(a, -k[0])
    b_scaled[0] = times_power2(times_power2(b, -k[0]), -k[0])
    s = two_sum(product(u[0], u[0], &z_low), b_scaled[0], &s_low)
    r = root(s)
    low[0] = (fma(-r, r, s) + (s_low + z_low)) / at_least(r + r, splat(a, 1e-30))
    return r


cdef inline real squareplus(real x, real b) noexcept nogil:
    # (x + sqrt(x^2 + b)) / 2, where x < 0 as b / (2 (|x| + sqrt)); Barron, arXiv:2112.11687
    cdef real r_low, u, b_scaled, k, t_low, low, zero = splat(x, 0.0), one = splat(x, 1.0)
    cdef real a = at_most(magnitude(x), largest(x)), small = pick(x, 1e-20, 1e-250)
    # a small b is lifted by 2^80 (2^200), lest its quotient be subnormal
    cdef real lift = where_less(b, small, pick(x, 1.2089258196146292e+24, 1.6069380442589903e+60), one)
    cdef real down = where_less(b, small, pick(x, -81.0, -201.0), -one)
    cdef real r = hypotenuse(a, b, &r_low, &u, &b_scaled, &k)
    cdef real t = fast_sum(r, u, &t_low)
    t_low = t_low + r_low
    cdef real q = pair_quotient(b * lift, zero, t, t_low, &low)
    cdef real y = where_less(x, zero, q + low, t + t_low)
    y = times_power2(y, where_less(x, zero, down - k, k - one))
    return where_less(magnitude(x), splat(x, INFINITY), y, at_least(x, zero))


cdef inline real logistic(real x, real a_low, real* low, real* n) noexcept nogil:
    # 1 / (1 + e^-x) = 2^n (value + low), value <= 1, x's magnitude with a_low added to it: e / d, and where x < 0
    # 2^n / d, which is 2^(n + 1) / 2 d where 1 / d may exceed 1
    cdef real r_low, sum, d_low, e, e_low, k, top, zero = splat(x, 0.0), one = splat(x, 1.0)
    cdef real r = reduced(at_most(magnitude(x), pick(x, 200.0, 1470.0)), &r_low, &sum)
    cdef real d = logistic_divisor(r, r_low + a_low, sum, &d_low, &e, &e_low)
    k = where_less(x, zero, whole(sum), zero)
    n[0] = k + where_less(k, zero, one, zero)
    top = where_less(k, zero, splat(x, 0.5), where_less(x, zero, one, e))
    return pair_quotient(top, where_less(x, zero, zero, e_low), d, d_low, low)


cdef inline real lifted(real x, real* n) noexcept nogil:
    # a tiny x times 2^60 (2^400), and n as much less, lest what a product with x loses be subnormal
    cdef real tiny = pick(x, 8.470329472543003e-22, 3.054936363499605e-151)
    n[0] = n[0] + where_less(magnitude(x), tiny, pick(x, -60.0, -400.0), splat(x, 0.0))
    return x * where_less(magnitude(x), tiny, pick(x, 1.152921504606847e+18, 2.5822498780869086e+120), splat(x, 1.0))


cdef inline real glu(real x, real gate) noexcept nogil:
    # x / (1 + e^-gate); Dauphin et al., arXiv:1612.08083
    cdef real low, n
    cdef real s = logistic(gate, splat(gate, -0.0), &low, &n)
    x = lifted(x, &n)
    return ldexp(scaled(x, s, low), n)


cdef inline real gated_pair(real gate, real up, real s, real s_low, real n) noexcept nogil:
    # gate up 2^n (s + s_low); a large `up` is lowered, lest the product overflow before 2^n comes in
    cdef real low, one = splat(gate, 1.0), large = where_less(one, magnitude(up), splat(gate, 0.00390625), one)
    cdef real x = lifted(gate, &n), y = lifted(up * large, &n)
    cdef real p = pair_product(x, splat(gate, 0.0), s, s_low, &low)
    n = n + where_less(large, one, splat(gate, 8.0), splat(gate, 0.0))
    return with_sign(ldexp(scaled(y, p, finite(low)), n), gate * up)


# A gate is p + p_low = gate up less its tail, or the tail where gate < 0: a pair raised by 2^90 (2^900). That holds as
# long as p is of usual size; what is not takes the activation first.
cdef inline real gate_power(real sum) noexcept nogil:
    return power2_raised_by(sum, 90 if real is f32x else 900)


cdef inline real gate_lowering(real like) noexcept nogil:
    return pick(like, 8.077935669463161e-28, 1.1830521861667747e-271)


cdef inline real gated(real gate, real p, real p_low, real tail, real tail_low) noexcept nogil:
    cdef real down = gate_lowering(p)
    cdef real y = fma(tail, -down, p)
    y = y + (fma(tail, -down, p - y) + fma(tail_low, -down, p_low))
    return where_less(gate, splat(p, 0.0), (tail + tail_low) * down, y)


# Usual is from 2^-90 to 2^30 (2^-900 to 2^100).
cdef inline real too_large(real like) noexcept nogil:
    return pick(like, 1073741824.0, 1.2676506002282294e+30)


cdef inline int any_unusual(real p) noexcept nogil:
    return any_outside(magnitude(p), gate_lowering(p), too_large(p))


cdef inline real where_usual(real p, real yes, real no) noexcept nogil:
    return where_less(magnitude(p), gate_lowering(p), no, where_less(magnitude(p), too_large(p), yes, no))


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


cdef inline real rise_less(real gate, real m, real s, real s_rest, real* low) noexcept nogil:
    # max(gate, 0) - m (s + s_rest)
    cdef real rise = at_least(gate, splat(gate, -0.0))
    cdef real y = fma(-m, s, rise)
    low[0] = fma(-m, s_rest, fma(-m, s, rise - y))
    return y


cdef inline real where_normal(real a, real y) noexcept nogil:
    # y, but 0 where the gate's magnitude a is so tiny that its activation has few digits
    return where_less(a, gate_lowering(a), splat(a, 0.0), y)


cdef inline real swiglu(real gate, real up) noexcept nogil:
    # silu(gate) up; Shazeer, arXiv:2002.05202
    cdef real y, s, rest, a = magnitude(gate), seen
    if real is f32x:
        s = segment_parts(&SILU_SEGMENTS[0][0], 6, ODD, ALL, steps(a), a, &rest)
        y = rise_less(gate, splat(a, 0.5), s, rest, &rest)
        y = fma(y, up, rest * up)
        seen = where_less(a, steps_end(a), where_normal(a, y), splat(y, 0.0))
        if any_unusual(seen):
            y = where_usual(seen, y, swiglu_by_exp(gate, up))
        return y
    else:
        return swiglu_by_exp(gate, up)


cdef inline real geglu(real gate, real up) noexcept nogil:
    # gelu(gate) up; Shazeer, arXiv:2002.05202
    cdef real y, s, rest, seen, end = gelu_end(gate), a = at_most(magnitude(gate), end)
    if real is f32x:
        s = normal_tail_segment(a, ALL, &rest)
        y = rise_less(gate, a, s, rest, &rest)
        y = fma(y, up, rest * up)
        seen = where_less(-end, gate, where_normal(a, y), splat(y, 0.0))
        if any_unusual(seen):
            y = where_usual(seen, y, geglu_by_exp(gate, up))
        return y
    else:
        return geglu_by_exp(gate, up)
