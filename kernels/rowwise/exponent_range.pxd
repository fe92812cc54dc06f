# The rows and channels near the ends of the exponent range, where a square, a difference or a reciprocal would leave
# it: which they are, and the power of two that they are multiplied by first. A scale of 1 is an ordinary row's.
from libc.math cimport fabs, ldexp, sqrt

from ..lanes cimport all_less_f64, f32x, f64x, real, splat_f64


cdef inline bint ordinary(const real* like, double square) noexcept nogil:
    # whether a row of this mean square can be computed as it stands: the mean square is neither infinite nor NaN, nor
    # so small that squares may have underflowed
    if real is f32x:
        return ldexp(1.0, -60) <= square and square <= ldexp(1.0, 100)
    else:
        return ldexp(1.0, -900) <= square and square <= ldexp(1.0, 900)


cdef inline bint all_ordinary(const real* like, f64x squares) noexcept nogil:
    # whether rows are ordinary, and not at the ends of what is
    if real is f32x:
        return (all_less_f64(splat_f64(ldexp(1.0, -60)), squares)
                and all_less_f64(squares, splat_f64(ldexp(1.0, 100))))
    else:
        return (all_less_f64(splat_f64(ldexp(1.0, -900)), squares)
                and all_less_f64(squares, splat_f64(ldexp(1.0, 900))))


cdef inline double rescue_scale(const real* like, double square, double mean, double eps) noexcept nogil:
    # What a row that is not ordinary is multiplied by. A small square beside a mean that is not small says that the row
    # is constant: it stays as it is. So does one beside such an eps that rstd of a row made larger would be no normal
    # number: it is that of eps alone. Where squares overflowed, `square` may be any infinity or NaN.
    cdef bint small = fabs(square) < 1.0
    if real is f32x:
        if small:
            return ldexp(1.0, 100) if fabs(mean) < ldexp(1.0, 20) and eps < ldexp(1.0, 40) else 1.0
        return ldexp(1.0, -60)
    else:
        if small:
            return ldexp(1.0, 700) if fabs(mean) < ldexp(1.0, 200) and eps < ldexp(1.0, 640) else 1.0
        return ldexp(1.0, -600)


cdef inline double reciprocal_square_root(double eps, double scale, double square) noexcept nogil:
    # 1 / sqrt(square + eps) of a row that has been multiplied by scale, and so eps by its square. Where that is too
    # large for float64, square is nothing beside it.
    cdef double least = sqrt(eps) * scale
    return 1.0 / sqrt(square + least * least) if least < ldexp(1.0, 500) else 1.0 / least


cdef inline double statistics_scale(const real* like, double mean, double rstd) noexcept nogil:
    # The scale of a row of which the statistics are known, and nothing else. Where the mean is so large that x - mean
    # may overflow, or rstd is no normal number, the row is made smaller; where rstd is too large, it is made larger,
    # unless its mean would then leave the range.
    if real is f32x:
        if rstd < ldexp(1.0, -100) or (fabs(mean) >= ldexp(1.0, 100) and rstd < ldexp(1.0, 60)):
            return ldexp(1.0, -60)
        return ldexp(1.0, 100) if rstd > ldexp(1.0, 100) and fabs(mean) < ldexp(1.0, 20) else 1.0
    else:
        if rstd < ldexp(1.0, -900) or (fabs(mean) >= ldexp(1.0, 960) and rstd < ldexp(1.0, 300)):
            return ldexp(1.0, -600)
        return ldexp(1.0, 700) if rstd > ldexp(1.0, 900) and fabs(mean) < ldexp(1.0, 200) else 1.0
