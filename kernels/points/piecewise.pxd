# Activations with kinks, on registers: what they do is compare and at most round once. A NaN stays one everywhere.
from ..lanes cimport at_least, at_most, f32x, fma, magnitude, pick, real, splat, where_less, with_sign
from ..math.pairs cimport fast_sum, scaled


cdef inline real unless_nan(real x, real value) noexcept nogil:
    # value, but x where it is NaN
    return where_less(splat(x, -1.0), magnitude(x), value, x)


cdef inline real inside(real grad, real x, real low, real high) noexcept nogil:
    # grad where low < x < high, else 0
    cdef real zero = splat(x, 0.0)
    return where_less(low, x, where_less(x, high, grad, unless_nan(x, zero)), unless_nan(x, zero))


cdef inline real relu(real x) noexcept nogil:
    return at_least(x, splat(x, 0.0))


cdef inline real relu_backward(real grad, real x) noexcept nogil:
    cdef real zero = splat(x, 0.0)
    return where_less(zero, x, grad, unless_nan(x, zero))


cdef inline real relu6(real x) noexcept nogil:
    # min(max(x, 0), 6); Howard et al., arXiv:1704.04861
    return at_most(at_least(x, splat(x, 0.0)), splat(x, 6.0))


cdef inline real relu6_backward(real grad, real x) noexcept nogil:
    return inside(grad, x, splat(x, 0.0), splat(x, 6.0))


cdef inline real relu_squared(real x) noexcept nogil:
    # max(x, 0)^2; So et al., arXiv:2109.08668
    cdef real m = at_least(x, splat(x, 0.0))
    return m * m


cdef inline real relu_squared_backward(real grad, real x) noexcept nogil:
    # 2 grad max(x, 0), doubled last, when nothing overflows that should not
    cdef real half = grad * at_least(x, splat(x, 0.0))
    return half + half


cdef inline real leaky_relu(real x, real negative_slope) noexcept nogil:
    # x where x > 0, else negative_slope x; Maas, Hannun and Ng, 2013. With a slope for each channel, He et al.'s prelu
    return where_less(splat(x, 0.0), x, x, x * negative_slope)


cdef inline real leaky_relu_backward(real grad, real x, real negative_slope) noexcept nogil:
    return where_less(splat(x, 0.0), x, grad, unless_nan(x, grad * negative_slope))


cdef inline real prelu_weight_backward(real grad, real x) noexcept nogil:
    # grad x where x <= 0, else 0
    return where_less(splat(x, 0.0), x, splat(x, 0.0), grad * x)


cdef inline real hardtanh(real x, real min_val, real max_val) noexcept nogil:
    return at_most(at_least(x, min_val), max_val)


cdef inline real hardtanh_backward(real grad, real x, real min_val, real max_val) noexcept nogil:
    return inside(grad, x, min_val, max_val)


cdef inline real share(real t, real t_lost, real c, real c_low, real* low) noexcept nogil:
    # (t + t_lost) (c + c_low), for a share such as 1/6
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
    return share(t, lost, c, c_low, low)


cdef inline real hardsigmoid(real x) noexcept nogil:
    cdef real low
    cdef real s = hardsigmoid_parts(x, &low)
    return s + low


cdef inline real hardsigmoid_backward(real grad, real x) noexcept nogil:
    # grad / 6 between -3 and 3
    cdef real c_low, three = splat(x, 3.0)
    cdef real c = sixth(x, &c_low)
    return inside(fma(grad, c, grad * c_low), x, -three, three)


cdef inline real hardswish(real x) noexcept nogil:
    # x hardsigmoid(x); Howard et al., arXiv:1905.02244. From 3 on s + low is 1 to twice the digits of x, so x stays;
    # float32's low is positive there, float64's may be 0, which an infinite x must not meet
    cdef real low
    cdef real s = hardsigmoid_parts(x, &low)
    cdef real b = at_least(x, splat(x, -3.0))
    if real is f32x:
        return fma(b, s, b * low)
    else:
        return scaled(b, s, low)


cdef inline real hardswish_backward(real grad, real x) noexcept nogil:
    # 0 below -3, 1 above 3, (x + 3/2) / 3 from one to the other
    cdef real low, three = splat(x, 3.0), half = splat(x, 1.5)
    cdef real a = at_most(at_least(x, -three), three)
    cdef real t = a + half
    cdef real s = share(t, a - (t - half), splat(x, 0.3333333333333333),
                        pick(x, -9.934107462565104e-09, 1.850371707708594e-17), &low)
    return where_less(x, -three, splat(x, 0.0), where_less(three, x, grad, grad * (s + low)))


cdef inline real softshrink(real x, real lambd) noexcept nogil:
    # x less lambd of its magnitude, or 0
    return with_sign(at_least(magnitude(x) - lambd, splat(x, 0.0)), x)


cdef inline real hardshrink(real x, real lambd) noexcept nogil:
    return where_less(lambd, magnitude(x), x, unless_nan(x, splat(x, 0.0)))


cdef inline real shrink_backward(real grad, real x, real lambd) noexcept nogil:
    # grad where |x| > lambd, else 0
    return where_less(lambd, magnitude(x), grad, unless_nan(x, splat(x, 0.0)))


cdef inline real threshold(real x, real at, real value) noexcept nogil:
    return where_less(at, x, x, unless_nan(x, value))


cdef inline real threshold_backward(real grad, real x, real at) noexcept nogil:
    return where_less(at, x, grad, unless_nan(x, splat(x, 0.0)))


cdef inline real reglu(real gate, real up) noexcept nogil:
    # max(gate, 0) up; Shazeer, arXiv:2002.05202
    return at_least(gate, splat(gate, 0.0)) * up


cdef inline real reglu_backward(real grad, real gate, real up, real* grad_up) noexcept nogil:
    grad_up[0] = reglu(gate, grad)
    return relu_backward(grad * up, gate)
