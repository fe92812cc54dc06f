# relu and those that are straight lines on either side of one kink: they compare, and round once at most. A NaN stays
# one everywhere.
#
#     relu(x) = max(x, 0), relu' = 1 where x > 0, else 0
#     relu6(x) = min(max(x, 0), 6), relu6' = 1 where 0 < x < 6, else 0; Howard et al., arXiv:1704.04861
#     relu_squared(x) = max(x, 0)^2, relu_squared' = 2 max(x, 0); So et al., arXiv:2109.08668
#     leaky_relu(x, a) = x where x > 0, else a x, leaky_relu' = 1, else a; Maas, Hannun and Ng, 2013. With a slope for
#         each channel it is prelu; He et al., arXiv:1502.01852
#     threshold(x, at, value) = x where x > at, else value, threshold' = 1, else 0
from ..lanes cimport at_least, at_most, real, splat, where_less
from .parts cimport inside, unless_nan


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


cdef inline real threshold(real x, real at, real value) noexcept nogil:
    return where_less(at, x, x, unless_nan(x, value))


cdef inline real threshold_backward(real grad, real x, real at) noexcept nogil:
    return where_less(at, x, grad, unless_nan(x, splat(x, 0.0)))
