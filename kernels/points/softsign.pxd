# softsign; Bergstra et al., 2009, "Quadratic polynomials learn better image features":
#
#     softsign(x) = x / (1 + |x|), softsign'(x) = 1 / (1 + |x|)^2
from ..lanes cimport any_less, at_most, fma, magnitude, pick, real, splat, two_sum, where_less, with_sign
from ..math.exponential cimport largest
from ..math.pairs cimport pair_quotient
from .parts cimport times_square


cdef inline real softsign(real x) noexcept nogil:
    # x / (1 + |x|); Bergstra et al., 2009, "Quadratic polynomials learn better image features"
    cdef real d_low, low
    cdef real a = at_most(magnitude(x), pick(x, 1e9, 1e18))
    cdef real d = two_sum(splat(x, 1.0), a, &d_low)
    cdef real y = pair_quotient(a, splat(x, 0.0), d, d_low, &low)
    return with_sign(y + low, x)


cdef inline real usual_end(real like) noexcept nogil:
    # up to where the square of a divisor is in range: 2^62 (2^510)
    return pick(like, 4.611686018427388e+18, 3.3519519824856493e+153)


cdef inline real softsign_backward_of_any(real grad, real x) noexcept nogil:
    # where 1 + |x| is above that it is multiplied by 2^-66 (2^-514) first
    cdef real d_low, low, one = splat(x, 1.0), far = usual_end(x)
    cdef real a = at_most(magnitude(x), largest(x))
    cdef real d = two_sum(one, a, &d_low)
    cdef real w = where_less(far, d, pick(x, 1.3552527156068805e-20, 1.8645851828000517e-155), one)
    cdef real s = pair_quotient(one, splat(x, 0.0), d * w, d_low * w, &low)
    return times_square(grad, s, low, w)


cdef inline real softsign_backward(real grad, real x) noexcept nogil:
    # grad / (1 + |x|)^2, of a square that is rounded first
    cdef real d_low, d = two_sum(splat(x, 1.0), magnitude(x), &d_low), far = usual_end(x)
    cdef real y = grad / fma(d, d, (d + d) * d_low)
    if any_less(far, d):
        y = where_less(far, d, softsign_backward_of_any(grad, x), y)
    return y
