# tanh(x), which math/logistic.pxd has: here are its backward, and tanhshrink.
#
#     tanh'(x) = 1 - y^2, y = tanh(x)
#     tanhshrink(x) = x - tanh(x), tanhshrink'(x) = tanh(x)^2
from ..lanes cimport f32x, fma, magnitude, pick, real, splat, where_less, with_sign
from ..math.exponential cimport step
from ..math.logistic cimport tanh_pair
from ..math.pairs cimport fast_sum, pair_product, product, scaled
from .parts cimport times_square


cdef inline real tanh_backward(real grad, real y) noexcept nogil:
    # grad (1 - y^2), of the output y
    return grad * fma(-y, y, splat(y, 1.0))


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
    # where x^3 is hardly a normal number v's low part would underflow, so x is multiplied by 2^60 first
    cdef real up = splat(x, 1.152921504606847e+18), down = splat(x, 8.673617379884035e-19)
    return with_sign(where_less(a, pick(x, 0.75, 0.5), scaled(a * up, v, v_low) * down, d), x)


cdef inline real tanhshrink_backward(real grad, real x) noexcept nogil:
    # grad tanh(x)^2; where tanh(x) is below 2^-60 (2^-500) it is multiplied by 2^80 (2^640) first
    cdef real low, one = splat(x, 1.0), tiny = pick(x, 8.673617379884035e-19, 3.054936363499605e-151)
    cdef real t = tanh_pair(magnitude(x), &low)
    cdef real raised = where_less(t, tiny, pick(x, 1.2089258196146292e+24, 4.562440617622195e+192), one)
    cdef real w = where_less(t, tiny, pick(x, 8.271806125530277e-25, 2.191809349008403e-193), one)
    return times_square(grad, t * raised, low * raised, w)
