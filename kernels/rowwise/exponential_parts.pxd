# One exponential of a row as parts, e^x = 2^n (1 + r + rest), and sums of such parts. Rows are exponentials.pxd.
from ..lanes cimport (
    at_least, bits_f32, f32x, f64x, fma, from_bits_f32, real, splat, store_f32, where_less, wide_f32,
)
from ..loops.reductions cimport first_lanes
from ..math.exponential cimport exp_rest, ln2, ln2_low, minus_ln2, nearest_sum, whole

cdef enum:
    FEW = 32  # elements of a row of float32 that has sums of its own: no more than PARTS of reductions.pxd
    MANY = 16  # rows whose scalars share registers: no fewer than the lanes of any register, or the rows of a kernel


cdef inline real exp_rest_of(real x, real least, real* sum) noexcept nogil:
    # p, with e^x = 2^n (1 + p) of an exponent of `least` or more; n is the sum's
    cdef real clamped = at_least(x, least), whole_n, r
    sum[0] = nearest_sum(clamped, 1.4426950408889634)
    whole_n = whole(sum[0])
    r = fma(whole_n, ln2_low(x), fma(whole_n, -ln2(x), clamped))
    return exp_rest(splat(x, -0.0), r)


cdef inline real exp_parts_of(real x, real least, real* rest, real* sum) noexcept nogil:
    # r, with e^x = 2^n (1 + r + rest) of an exponent of `least` or more; r is not rounded
    cdef real clamped = at_least(x, least), low
    sum[0] = nearest_sum(clamped, 1.4426950408889634)
    cdef real r = minus_ln2(clamped, whole(sum[0]), &low)
    rest[0] = exp_rest(r, low)
    return r


cdef inline f32x power_of(f32x x, f32x least, f32x start, f32x* p) noexcept nogil:
    # 2^(n + more) and p, with e^x = 2^n (1 + p) of an exponent of `least` or more. The sum whose last bits are n starts
    # from start_of_powers, so that they are the bits of the power at once. (No x up to 2^22 is halfway between two n,
    # where it would matter whether the start is even.)
    cdef f32x clamped = at_least(x, least), low, sum = fma(clamped, splat(x, 1.4426950408889634), start)
    cdef f32x r = minus_ln2(clamped, sum - start, &low)
    p[0] = exp_rest(r, low) + r
    return from_bits_f32(bits_f32(sum) << 23)


cdef inline double start_of_powers(int more) noexcept nogil:
    return 12582912 + 127 + more


cdef inline void add_to_three(real r, real rest, real power, real x, real top, Py_ssize_t n,
                              real* sums) noexcept nogil:
    # Sums of power (1 + r + rest) below the largest: of the powers and of the smaller parts apart, so that little of
    # either is rounded. And how many elements are the largest.
    cdef real zero = splat(x, 0.0)
    power = first_lanes(where_less(x, top, power, zero), n)
    sums[0] = sums[0] + power
    sums[1] = fma(rest, power, fma(r, power, sums[1]))
    sums[2] = sums[2] + where_less(x, top, zero, first_lanes(splat(x, 1.0), n))


cdef inline f32x term_below(f32x x, f32x top, f32x p, f32x power, f32x* error) noexcept nogil:
    # power (1 + p), rounded, and its rounding error; 0 where an exponential is one of the largest, but NaN where p is
    cdef f32x term
    power = where_less(x, top, power, splat(x, 0.0))
    term = fma(p, power, power)
    error[0] = fma(p, power, power - term)
    return term


cdef inline void put_parts_below(f32x x, f32x least, f32x top, f32x r, f32x rest, f32x power,
                                 float* parts) noexcept nogil:
    # for wide_exponential: no power where an exponential is one of the largest, or nothing beside them
    cdef f32x zero = splat(x, 0.0)
    store_f32(parts, r)
    store_f32(parts + MANY, rest)
    store_f32(parts + 2 * MANY, where_less(x, top, where_less(x, least, zero, power), zero))


cdef inline f64x wide_exponential(const float* parts) noexcept nogil:
    # power (1 + r + rest) as float64
    cdef f64x power = wide_f32(parts + 2 * MANY)
    return fma(wide_f32(parts) + wide_f32(parts + MANY), power, power)
