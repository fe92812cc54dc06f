# The hard forms of tanh, sigmoid and swish, straight lines between two kinks. A NaN stays one everywhere.
#
#     hardtanh(x, low, high) = min(max(x, low), high), hardtanh' = 1 where low < x < high, else 0
#     hardsigmoid(x) = min(max(x + 3, 0), 6) / 6, hardsigmoid' = 1/6 where -3 < x < 3, else 0;
#         Courbariaux, Bengio and David, arXiv:1511.00363, as in Howard et al., arXiv:1905.02244
#     hardsigmoid_scaled(x, alpha, beta) = min(max(alpha x + beta, 0), 1), ONNX's HardSigmoid; its slope is alpha where
#         that is between 0 and 1, else 0
#     hardswish(x) = x hardsigmoid(x), hardswish' = 0 below -3, 1 above 3, (x + 3/2) / 3 between; Howard et al.
from ..lanes cimport at_least, at_most, f32x, fma, pick, real, splat, where_less
from ..math.pairs cimport fast_sum
from .parts cimport inside


cdef inline real hardtanh(real x, real min_val, real max_val) noexcept nogil:
    return at_most(at_least(x, min_val), max_val)


cdef inline real hardtanh_backward(real grad, real x, real min_val, real max_val) noexcept nogil:
    return inside(grad, x, min_val, max_val)


cdef inline real fraction(real t, real t_lost, real c, real c_low, real* low) noexcept nogil:
    # (t + t_lost) (c + c_low), for a fraction such as 1/6
    cdef real s = t * c
    low[0] = fma(t, c, -s) + fma(t, c_low, t_lost * c)
    return s


cdef inline real sixth(real like, real* low) noexcept nogil:
    # 1/6 = value + low; low is positive, so that an infinite factor meets nothing to cancel with
    low[0] = pick(like, 9.934107462565104e-09, 9.25185853854297e-18)
    return pick(like, 0.1666666567325592, 0.16666666666666666)


cdef inline real hardsigmoid_parts(real x, real* low) noexcept nogil:
    # min(max(x + 3, 0), 6) / 6; Courbariaux, Bengio and David, arXiv:1511.00363, as in Howard et al., arXiv:1905.02244
    cdef real lost, c_low, three = splat(x, 3.0)
    cdef real t = fast_sum(three, at_most(at_least(x, -three), three), &lost)
    cdef real c = sixth(x, &c_low)
    return fraction(t, lost, c, c_low, low)


cdef inline real hardsigmoid(real x) noexcept nogil:
    cdef real low
    cdef real s = hardsigmoid_parts(x, &low)
    return s + low


cdef inline real hardsigmoid_backward(real grad, real x) noexcept nogil:
    # grad / 6 between -3 and 3
    cdef real c_low, three = splat(x, 3.0)
    cdef real c = sixth(x, &c_low)
    return inside(fma(grad, c, grad * c_low), x, -three, three)


cdef inline real hardsigmoid_scaled(real x, real alpha, real beta) noexcept nogil:
    return at_most(at_least(fma(alpha, x, beta), splat(x, 0.0)), splat(x, 1.0))


cdef inline real hardsigmoid_scaled_backward(real grad, real x, real alpha, real beta) noexcept nogil:
    return inside(grad * alpha, fma(alpha, x, beta), splat(x, 0.0), splat(x, 1.0))


cdef inline real hardswish(real x) noexcept nogil:
    # x hardsigmoid(x); Howard et al., arXiv:1905.02244. From 3 on s + low is 1 to twice the digits of x, so x stays;
    # float32's low is positive there, float64's may be 0, which an infinite x must not meet
    cdef real low
    cdef real s = hardsigmoid_parts(x, &low)
    cdef real b = at_least(x, splat(x, -3.0))
    if real is f32x:
        return fma(b, s, b * low)
    else:
        return fma(b, s, at_most(b, splat(x, 4.0)) * low)


cdef inline real hardswish_backward(real grad, real x) noexcept nogil:
    # 0 below -3, 1 above 3, (x + 3/2) / 3 from one to the other
    cdef real low, three = splat(x, 3.0), half = splat(x, 1.5)
    cdef real a = at_most(at_least(x, -three), three)
    cdef real t = a + half
    cdef real s = fraction(t, a - (t - half), splat(x, 0.3333333333333333),
                           pick(x, -9.934107462565104e-09, 1.850371707708594e-17), &low)
    return where_less(x, -three, splat(x, 0.0), where_less(three, x, grad, grad * (s + low)))
