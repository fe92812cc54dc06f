# softshrink and hardshrink, 0 between -lambd and lambd. A NaN stays one everywhere.
#
#     softshrink(x, lambd) = x - lambd sign(x) where |x| > lambd, else 0
#     hardshrink(x, lambd) = x where |x| > lambd, else 0
#     the slope of both is 1 where |x| > lambd, else 0
from ..lanes cimport at_least, magnitude, real, splat, where_less, with_sign
from .parts cimport unless_nan


cdef inline real softshrink(real x, real lambd) noexcept nogil:
    # the magnitude minus lambd, or 0, with x's sign
    return with_sign(at_least(magnitude(x) - lambd, splat(x, 0.0)), x)


cdef inline real hardshrink(real x, real lambd) noexcept nogil:
    return where_less(lambd, magnitude(x), x, unless_nan(x, splat(x, 0.0)))


cdef inline real shrink_backward(real grad, real x, real lambd) noexcept nogil:
    # grad where |x| > lambd, else 0
    return where_less(lambd, magnitude(x), grad, unless_nan(x, splat(x, 0.0)))
