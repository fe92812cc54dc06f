# sigmoid(x) = 1 / (1 + e^-x), the logistic function, which math/logistic.pxd has: here are its backward, and the
# unevaluated form in which swish, softplus and the gates multiply by it.
#
#     sigmoid'(x) = y (1 - y), y = sigmoid(x)
from ..lanes cimport (
    all_less, at_most, f32x, fma, ldexp, magnitude, pick, real, scale_down, splat, where_less, with_sign,
)
from ..math.exponential cimport whole
from ..math.logistic cimport far_part, logistic_divisor, logistic_times_power, reduced
from ..math.pairs cimport pair_quotient
from .parts cimport gate_lowering, gate_power, too_large


cdef inline real sigmoid_backward(real grad, real y) noexcept nogil:
    # grad y (1 - y), of the output y
    return grad * fma(-y, y, y)


cdef inline real logistic(real x, real a_low, real* low, real* n) noexcept nogil:
    # 1 / (1 + e^-x) = 2^n (value + low), with a_low added to the magnitude of x. Beyond 200 (1470) the magnitude is cut
    # off: there the product of 2^n and the largest number is 0
    return logistic_up_to(pick(x, 200.0, 1470.0), x, a_low, low, n)


cdef inline real logistic_up_to(real end, real x, real a_low, real* low, real* n) noexcept nogil:
    # the same with the magnitude cut off at `end`, and value <= 1: e / d, or 2^n / d where x < 0. As 1 / d may exceed 1
    # there, the value is half of it, and n one larger
    cdef real r_low, sum, d_low, e, e_low, k, top, zero = splat(x, 0.0), one = splat(x, 1.0)
    cdef real r = reduced(at_most(magnitude(x), end), &r_low, &sum)
    cdef real d = logistic_divisor(r, r_low + a_low, sum, &d_low, &e, &e_low)
    k = where_less(x, zero, whole(sum), zero)
    n[0] = k + where_less(k, zero, one, zero)
    top = where_less(k, zero, splat(x, 0.5), where_less(x, zero, one, e))
    return pair_quotient(top, where_less(x, zero, zero, e_low), d, d_low, low)


cdef inline real times_logistic(real grad, real t, real a_low) noexcept nogil:
    # grad / (1 + e^-t), with a_low added to the magnitude of t. This is a gated product (parts.pxd) of one factor,
    # which has no rounding error: it may be as small as it likes.
    cdef real r_low, sum, y, s, low, n, zero = splat(t, 0.0), down = gate_lowering(t), size = magnitude(grad)
    cdef real r = reduced(at_most(magnitude(t), pick(t, 200.0, 1470.0)), &r_low, &sum)
    cdef real tail = logistic_times_power(grad, r, r_low + a_low, gate_power(sum), down)
    y = with_sign(where_less(t, zero, scale_down(tail, down), fma(tail, -down, grad)), grad)
    if not all_less(size, too_large(t)):
        s = logistic(t, a_low, &low, &n)
        y = where_less(size, too_large(t), y, ldexp(grad * (s + low), n))
    return y


cdef inline f32x times_logistic_far(f32x grad, f32x t, f32x a) noexcept nogil:
    # times_logistic where 9.68 < a = |t|. Beyond 125 its tail is 0 of every grad that is not too large
    cdef f32x power, tail, y, down = gate_lowering(t), size = magnitude(grad)
    tail = far_part(at_most(a, splat(a, 125.0)), 1.0, True, &power)
    tail = scale_down(fma(grad, tail, grad), power)
    y = with_sign(where_less(t, splat(t, 0.0), scale_down(tail, down), fma(tail, -down, grad)), grad)
    if not all_less(size, too_large(t)):
        y = where_less(size, too_large(t), y, times_logistic(grad, t, splat(t, -0.0)))
    return y
