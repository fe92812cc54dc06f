# elu, celu and selu: x or a multiple of it above 0, an exponential that levels out below:
#
#     elu(x, alpha) = x where x > 0, else alpha (e^x - 1), elu' = 1, else alpha e^x;
#         Clevert, Unterthiner and Hochreiter, arXiv:1511.07289
#     celu(x, alpha) = x where x > 0, else alpha (e^(x / alpha) - 1), celu' = 1, else e^(x / alpha);
#         Barron, arXiv:1704.07483
#     selu(x) = lambda elu(x, alpha), lambda = 1.0507..., alpha = 1.6732...; Klambauer et al., arXiv:1706.02515
#     selu_scaled(x, alpha, gamma) = gamma elu(x, alpha), ONNX's Selu
from ..lanes cimport (
    SCALE2_IS_CHEAP, any_less, at_least, at_most, fma, ldexp, magnitude, pick, real, scale_down, splat, where_less,
    with_sign,
)
from ..math.exponential cimport any_outside, early_exp_of_pair, expm1_half, largest, power2_of_sum, whole
from ..math.pairs cimport fast_sum, finite, pair_product, product, scaled
from .parts cimport gate_lowering, gate_power


cdef inline real elu(real x, real alpha) noexcept nogil:
    # x where x > 0, else alpha (e^x - 1); Clevert, Unterthiner and Hochreiter, arXiv:1511.07289
    cdef real low
    cdef real h = expm1_half(x, &low)
    h = where_less(magnitude(x), pick(x, 1e-30, 1e-290), alpha * x, scaled(alpha, h + h, low + low))
    return where_less(splat(x, 0.0), x, x, h)


cdef inline real exp_end(real like) noexcept nogil:
    # from where down c e^t is 0 for any c
    return pick(like, -200.0, -1500.0)


cdef inline real exp_times_any(real t, real t_low, real c, real c_low, bint huge, real* low) noexcept nogil:
    # c e^(t + t_low), from a quarter of c if it is `huge`, lest c e^r overflow
    cdef real e, e_low, sum, n, quarter = splat(t, 0.25)
    if huge:
        c, c_low = c * quarter, c_low * quarter
    e = early_exp_of_pair(at_least(t, exp_end(t)), t_low, &e_low, &sum)
    e = pair_product(e, e_low, c, c_low, &e_low)  # before 2^n, which may leave the low part no digits
    n = whole(sum)
    if huge:
        n = n + splat(t, 2.0)
    low[0] = finite(ldexp(e_low, n))
    return ldexp(e, n)


cdef inline real huge_factor(real like) noexcept nogil:
    return pick(like, 1e37, 1e307)


cdef inline real exp_times(real t, real t_low, real far, real c, real c_low, real* low, int* huge) noexcept nogil:
    # c e^t; `far` is t, or -|t| where t may be above 0. `huge` says whether any c may be, which is left to the caller
    cdef real e, e_low, sum, power
    cdef int below
    if SCALE2_IS_CHEAP:
        huge[0] = any_less(huge_factor(c), magnitude(c))
        return exp_times_any(t, t_low, c, c_low, False, low)
    huge[0] = 0
    e = early_exp_of_pair(at_least(t, exp_end(t)), t_low, &e_low, &sum)
    e = pair_product(e, e_low, c, c_low, &e_low)
    below = any_less(far, splat(t, -50.0))
    if below and any_less(splat(t, 25.0), t) or any_outside(magnitude(e), splat(t, 1e-9), splat(t, 1e9)):
        huge[0] = 1
        e = exp_times_any(t, t_low, c, c_low, False, &e_low)
    elif below:  # 2^n may be no normal number
        power = gate_power(sum)
        e = scale_down(scale_down(e, power), gate_lowering(t))
        e_low = scale_down(scale_down(e_low, power), gate_lowering(t))
    else:
        power = power2_of_sum(sum, 0)
        e = e * power
        e_low = e_low * power
    low[0] = e_low
    return e


cdef inline real exp_slope(real x, real t, real t_low, real far, real c, real c_low, real top, real top_low,
                           real* low) noexcept nogil:
    # top where x > 0, else c e^t, for a c that is not huge
    cdef int huge
    cdef real zero = splat(x, 0.0), e = exp_times(t, t_low, far, c, c_low, low, &huge)
    low[0] = where_less(zero, x, top_low, low[0])
    return where_less(zero, x, top, e)


cdef inline real elu_slope(real x, real alpha, real* low) noexcept nogil:
    # 1 where x > 0, else alpha e^x; an infinite one has no low part
    cdef int huge
    cdef real y, y_low, zero = splat(x, 0.0), t = at_most(x, zero)
    cdef real e = exp_times(t, zero, x, alpha, zero, &y_low, &huge)
    low[0] = y_low
    if huge:
        y = exp_times_any(t, zero, alpha, zero, True, &y_low)
        low[0] = where_less(huge_factor(alpha), magnitude(alpha), y_low, low[0])
        e = where_less(huge_factor(alpha), magnitude(alpha), y, e)
    low[0] = where_less(zero, x, zero, low[0])
    return where_less(zero, x, splat(x, 1.0), e)


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


cdef inline real steep_expm1(real x, real c, real c_low) noexcept nogil:
    # (c + c_low) (e^x - 1)
    cdef real low, h_low, h = expm1_half(x, &h_low)
    h = fast_sum(h, h_low, &h_low)
    h = pair_product(h, h_low, c, c_low, &low)
    h = h + low
    return h + h


cdef inline real tiny_scaled(real x, real c, real c_low) noexcept nogil:
    # (c + c_low) x of a tiny x: near the smallest normal number the product's rounding error would underflow, so x is
    # multiplied by 2^60 first
    return scaled(x * splat(x, 1.152921504606847e+18), c, c_low) * splat(x, 8.673617379884035e-19)


cdef inline real selu(real x) noexcept nogil:
    # lambda x where x > 0, else lambda alpha (e^x - 1); Klambauer et al., arXiv:1706.02515
    cdef real rising_low = pick(x, -3.479265183079941e-08, 3.9874847667154144e-17)
    cdef real c_low = pick(x, 2.3296717680252718e-08, 1.41535193800845e-17), zero = splat(x, 0.0)
    cdef real rising = splat(x, 1.0507009873554805), c = splat(x, 1.7580993408473768)
    cdef real y = where_less(zero, x, scaled(x, rising, rising_low), steep_expm1(x, c, c_low))
    c, c_low = where_less(zero, x, rising, c), where_less(zero, x, rising_low, c_low)
    return where_less(magnitude(x), pick(x, 1e-30, 1e-290), tiny_scaled(x, c, c_low), y)


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


# Where alpha gamma is beyond the range, a multiple of it need not be: each of both, which are no small numbers there,
# is first multiplied by 2^-64 (2^-512).

cdef inline real far_factor(real alpha, real gamma, real* low) noexcept nogil:
    # alpha gamma 2^-128 (2^-1024)
    cdef real down = pick(alpha, 5.421010862427522e-20, 7.458340731200207e-155)
    return product(alpha * down, gamma * down, low)


cdef inline real far_selu(real x, real alpha, real gamma) noexcept nogil:
    # gamma alpha (e^x - 1)
    cdef real low, c_low, up = pick(x, 1.8446744073709552e+19, 1.3407807929942597e+154), least = pick(x, 1e-30, 1e-290)
    cdef real c = far_factor(alpha, gamma, &c_low), h = expm1_half(x, &low)
    h = fast_sum(h, low, &low)
    h = where_less(magnitude(x), least, x, h + h) * up
    low = where_less(magnitude(x), least, splat(x, 0.0), low + low) * up
    h = pair_product(h, low, c, c_low, &low)
    return with_sign((h + finite(low)) * up, h)  # also where it is 0


cdef inline real far_selu_backward(real grad, real x, real alpha, real gamma) noexcept nogil:
    # grad gamma alpha e^x, of a gradient below 1 that is raised before the slope multiplies it, and of others after it
    cdef real low, c_low, e_low, sum, n, end = pick(x, -70.0, -966.0), one = splat(x, 1.0), quarter = splat(x, 0.25)
    cdef real up = pick(x, 1.1805916207174113e+21, 6.237000967296e+290)  # 2^70 (2^966)
    cdef real c = far_factor(alpha, gamma, &c_low)
    cdef real e = early_exp_of_pair(at_least(x, pick(x, -300.0, -2200.0)), splat(x, 0.0), &e_low, &sum)
    e = pair_product(e, e_low, c * quarter, c_low * quarter, &low)  # lest the largest overflow
    n = whole(sum)
    up = where_less(n, end, one, up)
    e = ldexp(e + finite(low), n + where_less(n, end, pick(x, 130.0, 1026.0), splat(x, 60.0)))
    return grad * where_less(magnitude(grad), one, up, one) * e * where_less(magnitude(grad), one, one, up)


# Where alpha gamma is so small that rounding errors underflow, the smaller of both is first multiplied by 2^64.

cdef inline real near_factor(real alpha, real gamma, real* low) noexcept nogil:
    # alpha gamma 2^64
    cdef real one = splat(alpha, 1.0), up = splat(alpha, 1.8446744073709552e+19)
    alpha, gamma = (alpha * where_less(magnitude(alpha), magnitude(gamma), up, one),
                    gamma * where_less(magnitude(alpha), magnitude(gamma), one, up))
    return product(alpha, gamma, low)


cdef inline real near_selu(real x, real alpha, real gamma) noexcept nogil:
    # gamma alpha (e^x - 1)
    cdef real c_low, c = near_factor(alpha, gamma, &c_low)
    return steep_expm1(x, c, c_low) * splat(x, 5.421010862427522e-20)


cdef inline real near_selu_backward(real grad, real x, real alpha, real gamma) noexcept nogil:
    # grad gamma alpha e^x
    cdef real low, c_low, c = near_factor(alpha, gamma, &c_low)
    cdef real slope = exp_times_any(x, splat(x, 0.0), c, c_low, False, &low)
    return grad * (slope + low) * splat(x, 5.421010862427522e-20)


cdef inline real selu_scaled(real x, real alpha, real gamma) noexcept nogil:
    # gamma x where x > 0, else gamma alpha (e^x - 1)
    cdef real c_low, y, zero = splat(x, 0.0), least = pick(x, -1e-30, -1e-290), small = pick(x, 1e-6, 1e-15)
    cdef real c = product(alpha, gamma, &c_low)
    c_low = finite(c_low)
    y = steep_expm1(x, c, c_low)
    # of an x of 0 both parts of the product have the sign of c, lest their sum lose it
    c_low = where_less(x, zero, c_low, with_sign(zero, c))
    y = where_less(least, x, tiny_scaled(x, c, c_low), y)
    if any_less(magnitude(c), small):
        y = where_less(magnitude(c), small, where_less(least, x, y, near_selu(x, alpha, gamma)), y)
    if any_less(largest(x), magnitude(c)):
        y = where_less(largest(x), magnitude(c), far_selu(x, alpha, gamma), y)
    return where_less(zero, x, gamma * x, y)


cdef inline real selu_scaled_backward(real grad, real x, real alpha, real gamma) noexcept nogil:
    # grad gamma where x > 0, else grad gamma alpha e^x
    cdef real c_low, low, y, zero = splat(x, 0.0), small = pick(x, 1e-34, 1e-303)
    cdef real c = product(alpha, gamma, &c_low)
    cdef int huge
    y = exp_times(at_most(x, zero), zero, x, c, finite(c_low), &low, &huge)
    y = grad * where_less(zero, x, gamma, y + low)
    if any_less(magnitude(c), small) if SCALE2_IS_CHEAP else huge:  # which says there whether any c may be small, too
        low = near_selu_backward(grad, at_most(x, zero), alpha, gamma)
        y = where_less(zero, x, y, where_less(magnitude(c), small, low, y))
    if huge:
        c = where_less(zero, x, zero, magnitude(c))
        y = where_less(huge_factor(x), c, far_selu_backward(grad, x, alpha, gamma), y)
    return y
