# Elementary functions on registers, written once for float32 and float64. Coefficients are made by the scripts in
# tools/fit, named beside them with the error they reach. Loops, dtypes and ufuncs live elsewhere.
#
# A function that others build on returns its result in parts: a value, its rounding error, and a power of two to
# multiply them by. A compound function can then round once. Where a comment gives two numbers, the one in brackets is
# float64's.
#
# A sum of x and 1.5 * 2^23 (2^52) has no room for a fraction: its last bits are x rounded to a whole number, n. Such a
# `sum` is passed on as it is, because both n and 2^n come from it by one operation each.
from libc.math cimport INFINITY
from libc.stdint cimport uint32_t, uint64_t

from ..lanes cimport (
    LOOKUP_FLOATS, SCALE2_IS_CHEAP, all_less, any_less, at_least, at_least_i32, at_least_i64, at_most, bits_f32,
    bits_f64, exponent, f32x, f64x, fma, from_bits_f32, from_bits_f64, lookup16_f32, lookup8_f32, magnitude, pick,
    power2, real, round_i32_f32, scale2, splat, splat_u32, splat_u64, u32x, where_less, with_sign,
)
from .pairs cimport fast_sum, pair_product, pair_quotient, product, two_sum
from .segments cimport ERF_SEGMENTS, LOG_TABLE, NORMAL_TAIL_SEGMENTS, SIGMOID_SEGMENTS, TANH_SEGMENTS


cdef inline real largest(real like) noexcept nogil:
    # the largest finite number
    return pick(like, 3.4028234663852886e+38, 1.7976931348623157e+308)


cdef inline real step(real p, real x, double c) noexcept nogil:
    # one step of Horner's scheme
    return fma(p, x, splat(x, c))


cdef inline real nearest_sum(real x, double scale) noexcept nogil:
    # a sum as above, whose n is x scale rounded to a whole number
    return fma(x, splat(x, scale), pick(x, 12582912.0, 6755399441055744.0))


cdef inline real whole(real sum) noexcept nogil:
    # the sum's n
    return sum - pick(sum, 12582912.0, 6755399441055744.0)


cdef inline real power2_of_sum(real sum, int more) noexcept nogil:
    # 2^(n + more), which must be a normal number, by integers
    if real is f32x:
        return from_bits_f32((bits_f32(sum) << 23) + splat_u32((127 + more) << 23))
    else:
        return from_bits_f64((bits_f64(sum) << 52) + splat_u64(<uint64_t>(1023 + more) << 52))


cdef inline real raised_by(real x, real sum) noexcept nogil:
    # x 2^n, which must both be normal numbers, by integers
    if real is f32x:
        return from_bits_f32(bits_f32(x) + (bits_f32(sum) << 23))
    else:
        return from_bits_f64(bits_f64(x) + (bits_f64(sum) << 52))


cdef inline real power2_raised_by(real sum, int more) noexcept nogil:
    # 2^(n + more), or the smallest normal number where that is larger
    cdef uint32_t least = <uint32_t>(0x4B400000 - 126 - more)
    cdef uint64_t least_wide = <uint64_t>0x4338000000000000 - <uint64_t>(1022 + more)
    if real is f32x:
        return power2_of_sum(from_bits_f32(at_least_i32(bits_f32(sum), splat_u32(least))), more)
    else:
        return power2_of_sum(from_bits_f64(at_least_i64(bits_f64(sum), splat_u64(least_wide))), more)


cdef inline real raised_power2(real sum) noexcept nogil:
    # 2^(n + 32) (2^(n + 128)). Times lowering() after it, a number is multiplied by 2^n and rounded once, also where
    # 2^n or the product is no normal number
    return power2_raised_by(sum, 32 if real is f32x else 128)


cdef inline real lowering(real like) noexcept nogil:
    # 2^-32 (2^-128)
    return pick(like, 2.3283064365386963e-10, 2.938735877055719e-39)


cdef inline real scale2_of_sum(real x, real sum) noexcept nogil:
    # x 2^n, rounded once
    return x * raised_power2(sum) * lowering(x)


cdef inline real nearest(real x, double scale) noexcept nogil:
    # x scale, rounded to a whole number
    return whole(nearest_sum(x, scale))


cdef inline real minus_ln2(real x, real n, real* low) noexcept nogil:
    # x - n ln 2: its leading part exactly, since n ln 2 and x cancel
    low[0] = n * ln2_low(x)
    return fma(n, -ln2(x), x)


cdef inline real ln2(real like) noexcept nogil:
    # ln 2 to the precision of `like`
    return pick(like, 0.6931471824645996, 0.6931471805599453)


cdef inline real ln2_low(real like) noexcept nogil:
    # the rounding error of ln2
    return pick(like, 1.9046542121259336e-09, -2.3190468138462996e-17)


cdef inline real exp_rest(real r, real r_low) noexcept nogil:
    # e^(r + r_low) - 1 - r for |r| <= 0.347; at most 0.07.
    # tools/fit/exp.sollya: |r| <= ln(2)/2, error of the sum 2^-28.2 (float32), 2^-63.5 (float64)
    cdef real t = r + r_low
    cdef real q
    if real is f32x:
        q = splat(r, 0.0013782460009679198)
        q = step(q, t, 0.00836866907775402)
        q = step(q, t, 0.04166896268725395)
        q = step(q, t, 0.1666652113199234)
        q = step(q, t, 0.49999991059303284)
    else:
        q = splat(r, 2.0876599428087686e-09)
        q = step(q, t, 2.511258751007753e-08)
        q = step(q, t, 2.755739905184801e-07)
        q = step(q, t, 2.75572330560833e-06)
        q = step(q, t, 2.480158717787179e-05)
        q = step(q, t, 0.0001984126989850026)
        q = step(q, t, 0.001388888888895642)
        q = step(q, t, 0.008333333333315998)
        q = step(q, t, 0.041666666666666546)
        q = step(q, t, 0.16666666666666685)
        q = step(q, t, 0.5)
    return fma(t * t, q, r_low)


cdef inline real exp_parts_of_pair(real x, real x_low, real* rest, real* sum) noexcept nogil:
    # e^(x + x_low) = 2^n (1 + r + rest), n = whole(sum), returning r
    cdef real low
    sum[0] = nearest_sum(x, 1.4426950408889634)
    cdef real r = minus_ln2(x, whole(sum[0]), &low)
    rest[0] = exp_rest(r, low + x_low)
    return r


cdef inline real exp_parts(real x, real* rest, real* sum) noexcept nogil:
    return exp_parts_of_pair(x, splat(x, -0.0), rest, sum)  # the compiler leaves out a -0.0 in a sum


cdef inline real one_plus(real r, real rest, real* low) noexcept nogil:
    # 1 + r + rest = value + low
    cdef real p = fast_sum(r, rest, &rest)
    cdef real e = fast_sum(splat(r, 1.0), p, low)
    low[0] = low[0] + rest
    return e


cdef inline real exp_of_pair(real x, real x_low, real* low, real* sum) noexcept nogil:
    # e^(x + x_low) = 2^n (value + low), n = whole(sum)
    cdef real rest
    cdef real r = exp_parts_of_pair(x, x_low, &rest, sum)
    return one_plus(r, rest, low)


cdef inline real exp_pair(real x, real* low, real* sum) noexcept nogil:
    return exp_of_pair(x, splat(x, -0.0), low, sum)


cdef inline real exp_of_any(real x) noexcept nogil:
    cdef real rest, sum
    cdef real r = exp_parts(at_most(at_least(x, pick(x, -104.0, -746.0)), pick(x, 89.0, 710.0)), &rest, &sum)
    return scale2(splat(x, 1.0) + (r + rest), whole(sum))


cdef inline real exp(real x) noexcept nogil:
    # where all results are normal numbers, 2^n is added to the exponent
    cdef real rest, sum, r, y
    if SCALE2_IS_CHEAP:
        return exp_of_any(x)
    r = exp_parts(x, &rest, &sum)
    y = raised_by(splat(x, 1.0) + (r + rest), sum)
    if not all_less(magnitude(x), pick(x, 87.0, 708.0)):
        y = exp_of_any(x)
    return y


cdef inline real expm1_rest(real r, real r_low) noexcept nogil:
    # exp_rest for e^r - 1, in which the 1 cancels: its error relative to that is 2^-30.4 in float32 too
    cdef real t, q
    if real is f32x:
        t = r + r_low
        q = splat(r, 0.00019972329027950764)
        q = step(q, t, 0.0013930501881986856)
        q = step(q, t, 0.00833317730575800)
        q = step(q, t, 0.041666511446237564)
        q = step(q, t, 0.1666666716337204)
        q = step(q, t, 0.5)
        return fma(t * t, q, r_low)
    else:
        return exp_rest(r, r_low)


cdef inline real expm1_half(real x, real* low) noexcept nogil:
    # (e^x - 1) / 2 = value + low, from 2^n (1 + r + rest) - 1; halved lest 2^n overflow, so not for subnormal x
    cdef real r_low, h
    cdef real b = at_most(at_least(x, pick(x, -20.0, -40.0)), pick(x, 89.0, 710.0))
    cdef real sum = nearest_sum(b, 1.4426950408889634)
    cdef real r = minus_ln2(b, whole(sum), &r_low)
    cdef real rest = expm1_rest(r, r_low)
    cdef real power = power2_of_sum(sum, -1)
    cdef real start = power - splat(x, 0.5)
    h = fma(power, r, start)
    low[0] = fma(power, rest, fma(power, r, start - h) + ((power - start) - splat(x, 0.5)))
    return h


cdef inline real expm1(real x) noexcept nogil:
    cdef real low
    cdef real h = expm1_half(x, &low)
    h = h + low
    return where_less(magnitude(x), pick(x, 1e-30, 1e-290), x, h + h)


cdef inline real reduced(real a, real* r_low, real* sum) noexcept nogil:
    # a = r + r_low - n ln 2, n = whole(sum): e^a = 2^-n e^(r + r_low)
    sum[0] = nearest_sum(a, -1.4426950408889634)
    return minus_ln2(a, -whole(sum[0]), r_low)


cdef inline real logistic_divisor(real r, real r_low, real sum, real* low, real* e, real* e_low) noexcept nogil:
    # 2^n + e^(r + r_low) = value + low for n <= 0, of which e^(r + r_low) = e + e_low. With a reduced to r and n,
    # 1 / (1 + e^a) = 2^n / (value + low) and 1 / (1 + e^-a) = (e + e_low) / (value + low)
    cdef real d, power = raised_power2(sum), down = lowering(r)
    e[0] = one_plus(r, exp_rest(r, r_low), e_low)
    d = fma(power, down, e[0])
    low[0] = fma(power, down, e[0] - d) + e_low[0]
    return d


cdef inline real logistic_quotient(real top, real top_low, real r, real r_low, real power, real down, real* rest,
                                   real* inverse) noexcept nogil:
    # (top + top_low) / (2^n + e^(r + r_low)) for 2^n = power down, n <= 0: a first quotient, and
    # a remainder, whose product with `inverse` is the quotient's error
    cdef real one = splat(r, 1.0)
    cdef real d, d_low, r_lost, rest_lost, q
    cdef real c = fma(power, down, one)
    d_low = fma(power, down, one - c)
    d = fast_sum(fast_sum(c, r, &r_lost), exp_rest(r, r_low), &rest_lost)
    d_low = d_low + (r_lost + rest_lost)
    inverse[0] = one / d
    q = top * inverse[0]
    rest[0] = fma(-q, d_low, fma(-q, d, top) + top_low)
    return q


cdef inline real logistic_times_power(real x, real r, real r_low, real power, real down) noexcept nogil:
    # power x / (2^n + e^(r + r_low)) for 2^n = power down, n <= 0
    cdef real rest, inverse
    cdef real q = logistic_quotient(x * power, splat(x, -0.0), r, r_low, power, down, &rest, &inverse)
    return fma(rest, inverse, q)


cdef inline real logistic_times(real x, real r, real r_low, real sum) noexcept nogil:
    # 2^n x / (2^n + e^(r + r_low)) for n <= 0, times 2^32 (2^128) as raised_power2 says
    return logistic_times_power(x, r, r_low, raised_power2(sum), lowering(r))


cdef inline real logistic_parts(real a, real a_low, real* low, real* sum) noexcept nogil:
    # 1 / (1 + e^(a + a_low)) = 2^n (value + low) for a >= 0, n = whole(sum)
    cdef real r_low, d_low, e, e_low
    cdef real r = reduced(a, &r_low, sum)
    cdef real d = logistic_divisor(r, r_low + a_low, sum[0], &d_low, &e, &e_low)
    return pair_quotient(splat(a, 1.0), splat(a, 0.0), d, d_low, low)


cdef inline real tanh_parts(real a, real* low) noexcept nogil:
    # (e^2a - 1) / (e^2a + 1) for a >= 0 as ((1 - u) + r + rest) / ((1 + u) + r + rest), u = 2^-n
    cdef real rest, sum, r, u, p, p_low, top, top_low, top_lost, d, d_low, lost
    cdef real one = splat(a, 1.0)
    r = exp_parts(at_most(a + a, pick(a, 20.0, 40.0)), &rest, &sum)
    u = power2(-whole(sum))
    p = fast_sum(r, rest, &p_low)
    top = fast_sum(one, -u, &top_lost)
    top = fast_sum(top, p, &top_low)
    d = fast_sum(one, u, &lost)
    d = fast_sum(d, p, &d_low)
    return pair_quotient(top, top_low + (top_lost + p_low), d, d_low + (lost + p_low), low)


cdef enum Segments:
    PLAIN
    ODD  # c0 is a where the centre is 0
    ROOTED  # the last coefficients are the rounding errors of c0, which is 0 where the centre is a root of the function


# Where an instruction looks up among 8 floats (LOOKUP_FLOATS), 16 take two and a choice. There the polynomial is first
# taken from the first 8 segments, where most numbers lie, and from all 16 if a lane is past them: the same bits.
cdef inline real first_end(real like, double half, double end) noexcept nogil:
    # where the segments that are looked up first end: half of them, or all
    return splat(like, half if LOOKUP_FLOATS == 8 else end)


cdef inline int any_past_first(real a, double half) noexcept nogil:
    # whether a lane is past them; no lane is past the last segment
    return LOOKUP_FLOATS == 8 and any_less(splat(a, half), a)


cdef inline f32x entry(const float* table, u32x index, int count) noexcept nogil:
    # the entry that the low bits of index name, of the first 8 or of all 16
    return lookup8_f32(table, index) if count == 8 else lookup16_f32(table, index)


cdef inline f32x segment_terms(const float* table, int degree, Segments kind, int count, u32x index, f32x a, f32x* d,
                               f32x* c0, f32x* c1) noexcept nogil:
    # The polynomial c0 + d (c1 + d q), d = a - centre, of the segment that the low bits of `index` name among `count`;
    # returns q. segments.pxd has the tables: 16 centres, 16 times c0, 16 times c1 and so on.
    cdef f32x centre = entry(table, index, count), q = entry(table + (degree + 1) * 16, index, count)
    cdef int k
    d[0] = a - centre
    for k in range(degree, 2, -1):
        q = fma(q, d[0], entry(table + k * 16, index, count))
    c1[0] = entry(table + 2 * 16, index, count)
    c0[0] = entry(table + 16, index, count)
    if kind == ODD:
        c0[0] = where_less(splat(a, 0.0), centre, c0[0], a)
    return q


cdef inline f32x segment(const float* table, int degree, Segments kind, int count, u32x index, f32x a,
                         f32x* low) noexcept nogil:
    # the function's value, and the rounding error of its last addition
    cdef f32x d, c0, c1, q = segment_terms(table, degree, kind, count, index, a, &d, &c0, &c1)
    cdef f32x slope = fma(q, d, c1)
    cdef f32x value = fma(slope, d, c0)
    low[0] = fma(fma(q, d, c1 - slope), d, fma(slope, d, c0 - value))
    return value


cdef inline f32x segment_parts(const float* table, int degree, Segments kind, int count, u32x index, f32x a,
                               f32x* rest) noexcept nogil:
    # the tangent c0 + c1 d, and the remainder, with the tangent's rounding error added
    cdef f32x d, c0, c1, q = segment_terms(table, degree, kind, count, index, a, &d, &c0, &c1)
    cdef f32x tangent = fma(c1, d, c0)
    rest[0] = fma(q * d, d, fma(c1, d, c0 - tangent))
    if kind == ROOTED:
        tangent = fast_sum(tangent, rest[0] + entry(table + (degree + 2) * 16, index, count), rest)
    return tangent


cdef inline u32x quarters(f32x a, double scale, double offset) noexcept nogil:
    # a segment's index: two bits of the exponent and two of the mantissa of scale a + offset
    return bits_f32(fma(a, splat(a, scale), splat(a, offset))) >> 21


cdef inline u32x steps(f32x a) noexcept nogil:
    # a segment's index: 1.6 a, rounded to a whole number
    return bits_f32(nearest_sum(a, 1.6))


cdef inline real steps_end(real like) noexcept nogil:
    # where the 16 segments of steps() end
    return splat(like, 9.68)


cdef inline real first_steps_end(real like) noexcept nogil:
    # where those of them that are looked up first end
    return first_end(like, 4.68, 9.68)


cdef inline u32x bent_steps(f32x a, double scale, double bend) noexcept nogil:
    # a segment's index: (scale + bend a) a, rounded to a whole number
    return bits_f32(fma(step(splat(a, bend), a, scale), a, splat(a, 12582912.0)))


cdef inline real reflected(real x, real k) noexcept nogil:
    # f(x) of k = f(-|x|), for an f with f(x) + f(-x) = 1: k where x < 0, and 1 - k where not
    return where_less(x, splat(x, 0.0), k, splat(x, 1.0) - k)


cdef inline real reflected_pair(real x, real k, real k_low, real* low) noexcept nogil:
    # reflected, of k + k_low
    cdef real lost, zero = splat(x, 0.0)
    cdef real s = fast_sum(splat(x, 1.0), -k, &lost)
    low[0] = where_less(x, zero, k_low, lost - k_low)
    return where_less(x, zero, k, s)


cdef inline real sigmoid_by_exp(real x) noexcept nogil:
    cdef real r_low, sum, zero = splat(x, 0.0), one = splat(x, 1.0), down = lowering(x)
    cdef real r = reduced(at_most(magnitude(x), pick(x, 105.0, 750.0)), &r_low, &sum)
    cdef real tail = logistic_times(one, r, r_low, sum)
    return fma(tail, where_less(x, zero, down, -down), where_less(x, zero, zero, one))


cdef inline f32x sigmoid_tail(f32x a, int count) noexcept nogil:
    # 1 / (1 + e^a) up to where its segments end
    cdef f32x low
    return segment(&SIGMOID_SEGMENTS[0][0], 6, PLAIN, count, steps(a), a, &low)


cdef inline real sigmoid(real x) noexcept nogil:
    # 1 / (1 + e^-x), from the tail that is not near 1
    cdef real y, a = magnitude(x), end = steps_end(x)
    if real is f32x:
        y = reflected(x, sigmoid_tail(a, LOOKUP_FLOATS))
        if any_less(first_steps_end(a), a):
            if LOOKUP_FLOATS == 8:
                y = reflected(x, sigmoid_tail(a, 16))
            if LOOKUP_FLOATS == 16 or any_less(end, a):
                y = where_less(end, a, sigmoid_by_exp(x), y)
        return y
    else:
        return sigmoid_by_exp(x)


cdef inline real tanh_pair(real a, real* low) noexcept nogil:
    # tanh(a) for a >= 0; in float32 the value alone is right to 0.7 ULP
    if real is f32x:
        a = at_most(a, splat(a, 10.4))
        return segment(&TANH_SEGMENTS[0][0], 6, ODD, 16, quarters(a, 2.5, 1.75), a, low)
    else:
        return tanh_parts(a, low)


cdef inline real tanh(real x) noexcept nogil:
    cdef real low
    cdef real t = tanh_pair(magnitude(x), &low)
    return with_sign(t if real is f32x else t + low, x)


cdef inline u32x log_place(f32x u) noexcept nogil:
    # u = 2^n m, m within 1/32 of 1 + index / 16: n + 127 from bit 23 on, and below them the index
    return bits_f32(u) + splat_u32(1 << 18)


cdef inline f32x log_of_rest(u32x place, f32x r, f32x r_low, f32x more) noexcept nogil:
    # (n + more) ln 2 - log(inverse) + log(1 + r + r_low), the inverse being near that of 1 + index / 16.
    # r^2 (-1/2 + ...): tools/fit/log.sollya, -0.029 <= r <= 0.0426, error 2^-24.5
    cdef u32x index = place >> 19
    cdef f32x n = round_i32_f32(place >> 23) + more
    cdef f32x q = splat(r, 0.1957820355892181396484375)
    q = step(q, r, -0.2501399219036102294921875)
    q = step(q, r, 0.33333551883697509765625)
    q = step(q, r, -0.5)
    cdef f32x lost
    cdef f32x top = fma(n, splat(r, 0.693145751953125), lookup16_f32(&LOG_TABLE[1][0], index))
    cdef f32x rest = fma(n, splat(r, 1.428605173714459e-06), lookup16_f32(&LOG_TABLE[2][0], index))
    top = fast_sum(top, r, &lost)
    return top + (lost + fma(r * r, q, rest + r_low))


cdef inline f32x log_f32(f32x u, f32x more) noexcept nogil:
    # log(u) + more ln 2 for normal u > 0; r = m inverse - 1 does not round where the logarithm is small
    cdef u32x place = log_place(u), power = place & splat_u32(0xFF800000)
    cdef f32x m = from_bits_f32(bits_f32(u) - power + splat_u32(0x3F800000))
    cdef f32x r = fma(m, lookup16_f32(&LOG_TABLE[0][0], place >> 19), splat(u, -1.0))
    return log_of_rest(place, r, splat(u, -0.0), more)


cdef inline f32x log1p_f32(f32x x) noexcept nogil:
    # log(1 + x) for -1 < x <= 1e30: r = (1 + x) scale - 1, scale = inverse / 2^n; only the product is
    # rounded where the logarithm is small
    cdef u32x place = log_place(splat(x, 1.0) + x)
    cdef f32x scale = from_bits_f32(splat_u32(0x7F000000) - (place & splat_u32(0xFF800000)))
    scale = scale * lookup16_f32(&LOG_TABLE[0][0], place >> 19)
    cdef f32x low, part = product(x, scale, &low)
    cdef f32x r = fast_sum(part + (scale - splat(x, 1.0)), low, &low)
    return log_of_rest(place, r, low, splat(x, -0.0))


cdef inline f64x log_f64(f64x u, f64x u_low, f64x* low) noexcept nogil:
    # log(u + u_low) for normal u > 0 and u_low within u's last place: n ln 2 + log(1 + f), u = 2^n (1 + f).
    # tools/fit/log.sollya: sqrt(1/2) <= 1 + f <= sqrt(2), error 2^-59.5
    cdef f64x whole = exponent(u)
    cdef f64x m = scale2(u, -whole)
    cdef f64x sqrt2 = splat(u, 1.4142135623730951), half = splat(u, 0.5)
    cdef f64x n = where_less(m, sqrt2, whole, whole + splat(u, 1.0))
    cdef f64x f = where_less(m, sqrt2, m, half * m) - splat(u, 1.0)
    cdef f64x s = f / (splat(u, 2.0) + f)
    cdef f64x z = s * s
    cdef f64x h = half * f * f
    cdef f64x q = splat(u, 0.14798544835230695)
    q = step(q, z, 0.15313808209660257)
    q = step(q, z, 0.1818357310435841)
    q = step(q, z, 0.2222219841824988)
    q = step(q, z, 0.2857142874375453)
    q = step(q, z, 0.3999999999940921)
    q = step(q, z, 0.6666666666666735)
    cdef f64x rest = s * fma(z, q, h) - h
    rest = rest + scale2(u_low, -n) * fma(f, f - splat(u, 1.0), splat(u, 1.0))
    rest = rest + n * splat(u, 5.497923018708371e-14)
    cdef f64x top = fast_sum(n * splat(u, 0.6931471805598903), f, &h)
    return fast_sum(top, rest + h, low)


cdef inline f64x log1p_f64(f64x x, f64x x_low, f64x* low) noexcept nogil:
    # log(1 + x + x_low) for x > -1 and finite
    cdef f64x u_low
    cdef f64x u = two_sum(splat(x, 1.0), x, &u_low)
    return log_f64(u, u_low + x_low, low)


cdef inline int any_outside(real x, real low, real high) noexcept nogil:
    # whether a lane is below `low`, from `high` on or NaN
    return any_less(where_less(x, high, x, splat(x, -INFINITY)), low)


cdef inline real log_edges(real x, double pole, real y) noexcept nogil:
    # y, the logarithm of x - pole, where x is above the pole and finite; -infinity at the pole, infinity at infinity,
    # NaN below the pole and of a NaN
    cdef real infinity = splat(x, INFINITY)
    y = where_less(splat(x, pole), x, y, -infinity)
    y = where_less(x, splat(x, pole), infinity - infinity, y)
    return where_less(x, infinity, y, x)


cdef inline real log1p(real x) noexcept nogil:
    cdef real u_low, y, low, huge = splat(x, 1e30)
    if real is f32x:
        y = log1p_f32(x)
        if any_outside(x, splat(x, -0.99999994), huge):
            y = log_edges(x, -1.0, where_less(x, huge, y, log_f32(x, splat(x, -0.0))))
    else:
        y = two_sum(splat(x, 1.0), at_most(x, largest(x)), &u_low)
        y = log_f64(y, u_low, &low)
        y = log_edges(x, -1.0, y + low)
    return with_sign(y, x)


cdef inline real log(real x) noexcept nogil:
    cdef real low, y, least = splat(x, 1.1754943508222875e-38)
    if real is f32x:
        y = log_f32(x, splat(x, -0.0))
        if any_outside(x, least, splat(x, INFINITY)):
            y = log_f32(where_less(x, least, x * splat(x, 16777216.0), x),
                        where_less(x, least, splat(x, -24.0), splat(x, 0.0)))
            y = log_edges(x, 0.0, y)
        return y
    else:
        y = log_f64(magnitude(at_most(x, largest(x))), splat(x, 0.0), &low)
        return log_edges(x, 0.0, y + low)


cdef inline f32x mills_segment(f32x a, int count, f32x* low) noexcept nogil:
    return segment(&NORMAL_TAIL_SEGMENTS[0][0], 7, PLAIN, count, quarters(a, 1.0, 2.0), a, low)


cdef inline real mills(real a, real* low) noexcept nogil:
    # erfc(a / sqrt 2) / 2 e^(a^2/2) for a >= 0. float64: rho H(rho), rho = 1 / (a + 3), tools/fit/normal_tail.sollya:
    # a <= 39, error 2^-56.0. float32: by segments, a <= 20, error 2^-27.9
    cdef real one, d, d_low, rho, rho_low, t, h, h_low
    if real is f32x:
        h = mills_segment(a, LOOKUP_FLOATS, low)
        if any_past_first(a, 5.99):
            h = mills_segment(a, 16, low)
        return h
    else:
        one = splat(a, 1.0)
        d = a + splat(a, 3.0)
        d_low = a - (d - splat(a, 3.0))
        rho = one / d
        rho_low = fma(-rho, d_low, fma(-rho, d, one)) * rho
        t = (rho - splat(a, 0.1875)) + rho_low
        h = splat(a, -2315664989.0370836)
        h = step(h, t, 3229796672.297123)
        h = step(h, t, 360136133.151421)
        h = step(h, t, -670991803.4550079)
        h = step(h, t, 60626626.004337825)
        h = step(h, t, 55125533.026681095)
        h = step(h, t, -18693033.77988871)
        h = step(h, t, 444006.1862275633)
        h = step(h, t, 1789732.5402794376)
        h = step(h, t, -663902.6231429119)
        h = step(h, t, 290.9231076333635)
        h = step(h, t, 84428.62186100466)
        h = step(h, t, -25482.830315029718)
        h = step(h, t, -4222.71134416437)
        h = step(h, t, 4737.10833255909)
        h = step(h, t, -529.9967935296861)
        h = step(h, t, -626.3497342705158)
        h = step(h, t, 201.96637047702853)
        h = step(h, t, 84.41321791527878)
        h = step(h, t, -45.80806564978135)
        h = step(h, t, -18.809282228528893)
        h = step(h, t, 8.853994020862997)
        h = step(h, t, 8.87863248596667)
        h = step(h, t, 3.413770971566147)
        h = step(h, t, -3.520208008352281e-17)
        h = fast_sum(splat(a, 0.7964337625475115), h, &h_low)
        return pair_product(rho, rho_low, h, h_low, low)


cdef inline real exp_square_parts(real x, double factor, real* low, real* sum) noexcept nogil:
    # e^(factor x^2) = 2^n (value + low), n = whole(sum), factor a power of two
    cdef real square_low
    cdef real square = product(x, x, &square_low)
    return exp_of_pair(splat(x, factor) * square, splat(x, factor) * square_low, low, sum)


cdef inline real erfc(real x) noexcept nogil:
    # 2 Q(a sqrt 2), and 2 minus that where x < 0, Q the normal tail; a sqrt 2 is a pair b, and
    # mills'(b) = b mills(b) - phi(0)
    cdef real a = at_most(magnitude(x), pick(x, 10.2, 27.5))
    cdef real b_low, low, e, e_low, sum
    cdef real b = pair_product(a, splat(x, 0.0), splat(x, 1.4142135623730951),
                               pick(x, 2.420323497800382e-08, -9.667293313452913e-17), &b_low)
    cdef real h = mills(b, &low)
    low = fma(b_low, fma(b, h, splat(x, -0.3989422804014327)), low)
    e = exp_square_parts(a, -1.0, &e_low, &sum)
    cdef real tail = pair_product(h, low, e, e_low, &low)
    cdef real n = whole(sum) + splat(x, 1.0)
    e = fast_sum(splat(x, 2.0), -scale2(tail, n), &e_low)
    return where_less(x, splat(x, 0.0), e + (e_low - scale2(low, n)), scale2(tail + low, n))


cdef inline real normal_tail_parts(real a, real* low, real* sum, real* e, real* e_low) noexcept nogil:
    # erfc(a / sqrt 2) / 2 = 2^n (value + low), n = whole(sum), for 0 <= a up to where it underflows; e^(-a^2/2) is
    # 2^n (e + e_low)
    cdef real h_low
    cdef real h = mills(a, &h_low)
    e[0] = exp_square_parts(a, -0.5, e_low, sum)
    return pair_product(h, h_low, e[0], e_low[0], low)


cdef inline real erf(real x) noexcept nogil:
    # float32: by segments. float64: x (c0 + z P(z)), z = x^2, up to 1/2, tools/fit/erf.sollya: error 2^-65.3, and
    # 1 - erfc beyond
    cdef real a, z, low, sum, tail, p, e, e_low, h, h_low
    if real is f32x:
        a = at_most(magnitude(x), splat(x, 3.95))
        return with_sign(segment(&ERF_SEGMENTS[0][0], 6, ODD, 16, quarters(a, 6.625, 1.75), a, &low), x)
    else:
        a = at_most(magnitude(x), splat(x, 6.0))
        z = x * x
        p = splat(x, 1.678899790486417e-08)
        p = step(p, z, -1.6738890694461397e-07)
        p = step(p, z, 1.6484994223625589e-06)
        p = step(p, z, -1.4926394287603263e-05)
        p = step(p, z, 0.00012055347482123082)
        p = step(p, z, -0.0008548327199325623)
        p = step(p, z, 0.005223977626760337)
        p = step(p, z, -0.026866170645189483)
        p = step(p, z, 0.11283791670955262)
        p = step(p, z, -0.37612638903183754)
        p = step(p, z, 1.53611204275307e-17)
        # near the smallest normal number the product's rounding error would underflow, so x is multiplied by 2^60 first
        h = x * splat(x, 1.152921504606847e+18)
        tail = product(h, splat(x, 1.1283791670955126), &low)
        p = (tail + fma(h, p, low)) * splat(x, 8.673617379884035e-19)
        h = mills(a * splat(x, 1.4142135623730951), &h_low)
        e = exp_square_parts(a, -1.0, &e_low, &sum)
        tail = pair_product(h, h_low, e, e_low, &low)
        tail = (tail + low) * power2_of_sum(sum, 1)
        return with_sign(where_less(magnitude(x), splat(x, 0.5), p, splat(x, 1.0) - tail), x)
