# elu, celu and selu: x or a multiple of it above 0, an exponential that levels out below:
#
#     elu(x, alpha) = x where x > 0, else alpha (e^x - 1), elu' = 1, else alpha e^x;
#         Clevert, Unterthiner and Hochreiter, arXiv:1511.07289
#     celu(x, alpha) = x where x > 0, else alpha (e^(x / alpha) - 1), celu' = 1, else e^(x / alpha);
#         Barron, arXiv:1704.07483
#     selu(x) = lambda elu(x, alpha), lambda = 1.0507..., alpha = 1.6732...; Klambauer et al., arXiv:1706.02515
#     selu_scaled(x, alpha, gamma) = gamma elu(x, alpha), ONNX's Selu
from ..lanes cimport SCALE2_IS_CHEAP, any_less, at_least, at_most, fma, ldexp, magnitude, pick, real, splat, where_less
from ..math.exponential cimport any_outside, early_exp_of_pair, expm1_half, power2_of_sum, whole
from ..math.pairs cimport fast_sum, finite, pair_product, product, scaled


cdef inline real elu(real x, real alpha) noexcept nogil:
    # x where x > 0, else alpha (e^x - 1); Clevert, Unterthiner and Hochreiter, arXiv:1511.07289
    cdef real low
    cdef real h = expm1_half(x, &low)
    h = where_less(magnitude(x), pick(x, 1e-30, 1e-290), alpha * x, scaled(alpha, h + h, low + low))
    return where_less(splat(x, 0.0), x, x, h)


cdef inline real exp_times_any(real t, real t_low, real c, real c_low, real* low) noexcept nogil:
    # c e^(t + t_low), which is 0 from -200 (-1500) down for any c
    cdef real one = splat(t, 1.0), e, e_low, sum, n
    cdef real down = where_less(pick(t, 1e37, 1e307), magnitude(c), splat(t, 0.25), one)  # lest c e^r overflow
    e = early_exp_of_pair(at_least(t, pick(t, -200.0, -1500.0)), t_low, &e_low, &sum)
    e = pair_product(e, e_low, c * down, c_low, &e_low)  # before 2^n, which may leave the low part no digits
    n = whole(sum) + where_less(down, one, splat(t, 2.0), splat(t, 0.0))
    low[0] = finite(ldexp(e_low, n))
    return ldexp(e, n)


cdef inline real exp_slope(real x, real t, real t_low, real far, real c, real c_low, real top, real top_low,
                           real* low) noexcept nogil:
    # top where x > 0, else c e^t; `far` is t, or -|t| where t may be above 0
    cdef real e, e_low, sum, power, zero = splat(x, 0.0)
    if SCALE2_IS_CHEAP:
        e = exp_times_any(t, t_low, c, c_low, &e_low)
    else:
        e = early_exp_of_pair(t, t_low, &e_low, &sum)
        e = pair_product(e, e_low, c, c_low, &e_low)
        if any_less(far, splat(t, -50.0)) or any_outside(magnitude(e), splat(t, 1e-9), splat(t, 1e9)):
            e = exp_times_any(t, t_low, c, c_low, &e_low)
        else:
            power = power2_of_sum(sum, 0)
            e = e * power
            e_low = e_low * power
    low[0] = where_less(zero, x, top_low, e_low)
    return where_less(zero, x, top, e)


cdef inline real elu_slope(real x, real alpha, real* low) noexcept nogil:
    # 1 where x > 0, else alpha e^x; an infinite one has no low part
    cdef real zero = splat(x, 0.0)
    return exp_slope(x, at_most(x, zero), zero, x, alpha, zero, splat(x, 1.0), zero, low)


cdef inline real elu_backward(real grad, real x, real alpha) noexcept nogil:
    cdef real low
    cdef real slope = elu_slope(x, alpha, &low)
    return grad * (slope + low)


cdef inline real quotient(real x, real d, real* low) noexcept nogil:
    # x / d = result + low. A large one has no low part: functions of it are at their limit, and its product may
    # overflow.
    cdef real t = x / d, least = pick(x, 1e-30, 1e-290), up
    if any_less(magnitude(d), least):  # lest the remainder be subnormal
        up = where_less(magnitude(d), least, splat(x, 1.329227995784916e+36), splat(x, 1.0))
        x, d = x * up, d * up
    low[0] = where_less(magnitude(t), splat(x, 2000.0), finite(fma(-t, d, x) / d), splat(x, 0.0))
    return t


cdef inline real far_celu(real t, real t_low, real alpha) noexcept nogil:
    # alpha e^t, t > 0, where e^t alone may overflow: alpha is multiplied by 2^64 first, lest it be subnormal
    cdef real e, low, sum
    e = early_exp_of_pair(at_most(t, pick(t, 200.0, 1500.0)), t_low, &low, &sum)
    e = pair_product(e, low, alpha * splat(t, 1.8446744073709552e+19), splat(t, 0.0), &low)
    return ldexp(e + finite(low), whole(sum) - splat(t, 64.0))


cdef inline real celu(real x, real alpha) noexcept nogil:
    # x where x > 0, else alpha (e^t - 1), t = x / alpha; Barron, arXiv:1704.07483
    cdef real low, t_low, end = splat(x, 60.0), zero = splat(x, 0.0)
    cdef real t = quotient(x, alpha, &t_low)
    cdef real h = expm1_half(t, &low)
    cdef real far = where_less(zero, x, zero, t)  # above 0 where alpha is below
    # plus t_low times the slope, h + low + 1/2
    low = fma(low, splat(x, 1.0) + t_low, t_low * (h + splat(x, 0.5)))
    h = where_less(magnitude(t), pick(x, 1e-30, 1e-290), x, scaled(alpha, h + h, low + low))
    if any_less(end, far):
        h = where_less(end, far, far_celu(far, t_low, alpha), h)
    return where_less(zero, x, x, h)


cdef inline real celu_slope(real x, real alpha, real* low) noexcept nogil:
    # 1 where x > 0, else e^(x / alpha), which an alpha below 0 makes large
    cdef real t_low, zero = splat(x, 0.0), one = splat(x, 1.0)
    cdef real t = quotient(x, alpha, &t_low)
    t = where_less(zero, x, zero, at_most(t, pick(t, 100.0, 720.0)))
    return exp_slope(x, t, t_low, -magnitude(t), one, zero, one, zero, low)


cdef inline real celu_backward(real grad, real x, real alpha) noexcept nogil:
    cdef real low
    cdef real slope = celu_slope(x, alpha, &low)
    return grad * (slope + low)


cdef inline real steeper_elu(real x, real rising, real rising_low, real c, real c_low) noexcept nogil:
    # rising x where x > 0, else c (e^x - 1), each factor a pair
    cdef real low, h_low, tiny, zero = splat(x, 0.0)
    cdef real h = expm1_half(x, &h_low)
    h = fast_sum(h, h_low, &h_low)
    h = pair_product(h, h_low, c, c_low, &low)
    h = h + low
    h = where_less(zero, x, scaled(x, rising, rising_low), h + h)
    # near the smallest normal number the product's rounding error would underflow, so x is multiplied by 2^60 first
    c = where_less(zero, x, rising, c)
    c_low = where_less(zero, x, rising_low, c_low)
    tiny = scaled(x * splat(x, 1.152921504606847e+18), c, c_low) * splat(x, 8.673617379884035e-19)
    return where_less(magnitude(x), pick(x, 1e-30, 1e-290), tiny, h)


cdef inline real selu(real x) noexcept nogil:
    # lambda x where x > 0, else lambda alpha (e^x - 1); Klambauer et al., arXiv:1706.02515
    cdef real rising_low = pick(x, -3.479265183079941e-08, 3.9874847667154144e-17)
    cdef real c_low = pick(x, 2.3296717680252718e-08, 1.41535193800845e-17)
    return steeper_elu(x, splat(x, 1.0507009873554805), rising_low, splat(x, 1.7580993408473768), c_low)


cdef inline real selu_slope(real x, real* low) noexcept nogil:
    # lambda where x > 0, else lambda alpha e^x
    cdef real zero = splat(x, 0.0), c_low = pick(x, 2.3296717680252718e-08, 1.41535193800845e-17)
    cdef real top_low = pick(x, -3.479265183079941e-08, 3.9874847667154144e-17)
    return exp_slope(x, at_most(x, zero), zero, x, splat(x, 1.7580993408473768), c_low, splat(x, 1.0507009873554805),
                     top_low, low)


cdef inline real selu_backward(real grad, real x) noexcept nogil:
    cdef real low
    cdef real slope = selu_slope(x, &low)
    return grad * (slope + low)


cdef inline real selu_scaled(real x, real alpha, real gamma) noexcept nogil:
    # gamma x where x > 0, else gamma alpha (e^x - 1)
    cdef real c_low
    cdef real c = product(alpha, gamma, &c_low)
    return steeper_elu(x, gamma, splat(x, 0.0), c, finite(c_low))


cdef inline real selu_scaled_backward(real grad, real x, real alpha, real gamma) noexcept nogil:
    # grad gamma where x > 0, else grad gamma alpha e^x
    cdef real c_low, low, zero = splat(x, 0.0)
    cdef real c = product(alpha, gamma, &c_low)
    cdef real slope = exp_slope(x, at_most(x, zero), zero, x, c, finite(c_low), gamma, zero, &low)
    return grad * (slope + low)
