# What several families of activations share: pieces of formulas on one register, none of them an activation itself. A
# number in brackets beside another is float64's, where the two precisions differ.
#
# How a family's file is made. Most x lie within 5 or 10 of 0, and up to there float32 has polynomials by segments
# (math/segments.pxd), in half the time of the formula. The formula itself is ..._by_exp: float64 takes it everywhere
# but for silu's slope, which has segments too. Where a register holds a number beyond the segments, float32 takes
# ..._far, which is the formula without its division (far_terms of math/logistic.pxd). The gated units take ..._by_exp
# there if a product is very large or small. LOOKUP_FLOATS says how many segments a level looks up at once, 8 or 16
# (4 or 8).
#
# ..._slope is f'(x) as an unevaluated sum of two numbers, by which ..._backward multiplies grad, to round once. A slope
# that crosses zero keeps its relative accuracy there, where the terms of the formula cancel: in float32 a segment has
# its centre on the root, as has silu's in float64; for other slopes a polynomial takes over near it there
# (tools/fit/roots.py).
from ..lanes cimport (
    all_less, any_less, at_least, at_most, f32x, fma, magnitude, pick, real, scale_down, splat, where_less,
)
from ..math.exponential cimport any_outside, largest, lowering, power2_raised_by
from ..math.pairs cimport fast_sum, pair_product, product, scaled


cdef inline real minus_tail(real x, real tail) noexcept nogil:
    # max(x, 0) - tail, of a tail that raised_power2 has raised
    return fma(tail, -lowering(x), at_least(x, splat(x, -0.0)))


cdef inline real minus_product(real x, real a, real s, real rest) noexcept nogil:
    # max(x, 0) - a (s + rest)
    return at_least(x, splat(x, -0.0)) - fma(a, s, a * rest)


cdef inline real near_root(real t, real t_low, double reach, double c0, real rest, real k, real k_low,
                           real* low) noexcept nogil:
    # a slope near its root, t being the distance from it: t (c0 + rest) where |t| < reach, k + k_low elsewhere
    cdef real c_low, near = magnitude(t), end = splat(t, reach)
    cdef real c = fast_sum(splat(t, c0), rest, &c_low)
    c = pair_product(t, t_low, c, c_low, &c_low)
    low[0] = where_less(near, end, c_low, k_low)
    return where_less(near, end, c, k)


cdef inline real times_reflected(real grad, real x, real k) noexcept nogil:
    # grad f(x) of k = f(-|x|), for an f with f(x) + f(-x) = 1: grad k where x < 0, grad - grad k where not. There the
    # product takes an infinite grad as the largest number, since infinity minus infinity is NaN.
    cdef real top = largest(x)
    return where_less(x, splat(x, 0.0), grad * k, fma(at_most(at_least(grad, -top), top), -k, grad))


cdef inline real times_reflected_pair(real grad, real x, real k, real low) noexcept nogil:
    # times_reflected of k + low
    cdef real top = largest(x), number = at_most(at_least(grad, -top), top)
    if real is f32x:
        return where_less(x, splat(x, 0.0), fma(grad, k, number * low), fma(number, -k, grad))
    else:
        low = where_less(x, splat(x, 0.0), number * low, grad)
        return fma(where_less(x, splat(x, 0.0), grad, -number), k, low)


cdef inline real times_square(real grad, real s, real s_low, real w) noexcept nogil:
    # grad (w (s + s_low))^2, for a power of two w, which is kept apart so that the square of s is a normal number
    cdef real low
    cdef real square = pair_product(s, s_low, s, s_low, &low)
    return scaled(grad * w, square, low) * w


cdef inline real stretched(real x, real beta, real* low) noexcept nogil:
    # beta x = result + low. A large one has no low part: functions of it are at their limit, and its product may
    # overflow.
    cdef real lost
    cdef real t = product(beta, x, &lost)
    low[0] = where_less(magnitude(t), splat(x, 3000.0), lost, splat(x, 0.0))
    return t


# Where beta is 1, a function of beta x gives the bits of the function of x, which has fewer roundings.
cdef inline int any_one(real beta) noexcept nogil:
    return any_less(magnitude(beta - splat(beta, 1.0)), splat(beta, 1e-30))


cdef inline int any_other(real beta) noexcept nogil:
    # whether any is not 1, a NaN included
    return not all_less(magnitude(beta - splat(beta, 1.0)), splat(beta, 1e-30))


cdef inline real where_one(real beta, real yes, real no) noexcept nogil:
    return where_less(magnitude(beta - splat(beta, 1.0)), splat(beta, 1e-30), yes, no)


cdef inline real unless_nan(real x, real value) noexcept nogil:
    # value, but NaN where x is NaN
    return where_less(splat(x, -1.0), magnitude(x), value, x)


cdef inline real inside(real grad, real x, real low, real high) noexcept nogil:
    # grad where low < x < high, else 0
    cdef real zero = splat(x, 0.0)
    return where_less(low, x, where_less(x, high, grad, unless_nan(x, zero)), unless_nan(x, zero))


# A gated product act(gate) up is computed as p - p tail where gate >= 0, and as p tail where not, with p = gate up and
# the tail that act leaves at -|gate|: 1 / (1 + e^|gate|), say. The tail is raised by 2^90 (2^900), lest p tail
# underflow before it is rounded. That holds as long as p is of usual size: from 2^-90 to 2^30 (2^-900 to 2^100).
# Otherwise the activation is computed first, and then multiplied by up.
cdef inline real gate_power(real sum) noexcept nogil:
    return power2_raised_by(sum, 90 if real is f32x else 900)


cdef inline real gate_lowering(real like) noexcept nogil:
    return pick(like, 8.077935669463161e-28, 1.1830521861667747e-271)


cdef inline real too_large(real like) noexcept nogil:
    return pick(like, 1073741824.0, 1.2676506002282294e+30)


cdef inline int any_unusual(real p) noexcept nogil:
    return any_outside(magnitude(p), gate_lowering(p), too_large(p))


cdef inline real where_usual(real p, real yes, real no) noexcept nogil:
    return where_less(magnitude(p), gate_lowering(p), no, where_less(magnitude(p), too_large(p), yes, no))


# A slope far out may be no normal number, and operations on what came out subnormal are slow. So it is raised, too, and
# a gradient that is not too large multiplies it before it is lowered.
cdef inline real lowered_slope(real end, real a, real far, real near) noexcept nogil:
    # a slope's part: `near`, but `far`, which is raised, where a is beyond the end of the segments
    return where_less(end, a, scale_down(far, gate_lowering(a)), near)


cdef inline real times_raised(real grad, real x, real k, real low) noexcept nogil:
    # grad f(x) of k + low = f(-|x|) < 0, raised, for an f with f(x) + f(-x) = 1
    cdef real size = magnitude(grad), end = too_large(x), one = splat(x, 1.0), down = gate_lowering(x)
    cdef real y = scaled(grad * where_less(size, end, one, down), k, low)
    down = where_less(size, end, down, one)
    return where_less(x, splat(x, 0.0), scale_down(y, down), fma(y, -down, grad))
