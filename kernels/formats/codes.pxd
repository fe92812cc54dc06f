# Floating-point formats on registers of codes: fields, classes, neighbours, and rounding from one format to another.
#
# One description, `Format`, drives everything: no format has code of its own. A code is the format's bits as an
# unsigned number; its magnitude is the code without the sign, and magnitudes count upwards with the values, so that
# most questions are comparisons of integers. No arrays here, no Python.
from libc.stdint cimport int64_t, uint64_t

from ..lanes cimport (
    at_most_i32, at_most_i64, bits_f32, bits_f64, from_bits_f32, from_bits_f64, splat_u32, splat_u64, u32x, u64x,
    where_less_i32, where_less_i64,
)

ctypedef fused word:
    u32x
    u64x

cdef enum FloatClass:
    # the ten of IEEE 754-2019, 5.7.2, in its order
    SIGNALING_NAN
    QUIET_NAN
    NEGATIVE_INFINITY
    NEGATIVE_NORMAL
    NEGATIVE_SUBNORMAL
    NEGATIVE_ZERO
    POSITIVE_ZERO
    POSITIVE_SUBNORMAL
    POSITIVE_NORMAL
    POSITIVE_INFINITY

cdef enum Loss:
    # what rounding to nearest into a format does to a number
    EXACT
    ROUNDED
    ROUNDED_SUBNORMAL
    ROUNDED_TO_ZERO
    OUT_OF_RANGE
    NOT_FINITE

cdef struct Format:
    uint64_t exponent_bits
    uint64_t mantissa_bits
    uint64_t sign_place  # how many bits stand below the sign
    uint64_t sign  # the sign bit; 0 in a format without one
    uint64_t magnitude  # all bits below the sign
    uint64_t exponent_field  # masks of the fields, moved down to bit 0
    uint64_t mantissa_field
    int64_t first_exponent  # the exponent field that subnormals share: 1; or 0 where there are none, nor a zero
    # magnitudes
    int64_t zero  # -1 where there is none
    int64_t last_subnormal  # -1 where there is none
    int64_t largest  # the largest finite
    int64_t infinity  # the largest finite where the format has none: above it are the NaNs
    int64_t nan  # the NaN that conversions return; 0 where there is none
    int64_t last_signaling  # the last signalling NaN: those above are quiet
    uint64_t payload  # mask of a NaN's payload
    uint64_t one  # 1.0
    # where the code with the sign alone is NaN and not -0 (fnuz): that code, else 0
    uint64_t sign_alone
    uint64_t modulus  # two to the width where codes are integers in two's complement, else 0
    int64_t exact_limit  # the largest whole number up to which none is missing

cdef struct Conversion:
    # between a format and a wide one, binary32 or binary64, which holds all its values
    Format f
    uint64_t shift  # how many more mantissa bits the wide format has
    uint64_t sign_shift  # how much higher its sign stands
    uint64_t rebias  # the difference of the biases, at the wide format's exponent
    uint64_t magnitude
    int64_t infinity
    uint64_t nan
    uint64_t mantissa_field
    uint64_t mantissa_bits
    uint64_t smallest_exponent  # its exponent field where the narrow format has its smallest normal number
    uint64_t smallest_normal  # that number
    uint64_t leading  # the leading 1 that a subnormal is read with, subtracted after; 0 without subnormals
    int64_t subnormals_below  # below it numbers round by `magic`: smallest_normal, or 0 where both have the same
    uint64_t magic  # the wide number whose last place weighs as much as the smallest subnormal
    int machine_format  # whether the processor does this conversion itself: 16 for binary16, 8 for bfloat16, or 0
    bint powers  # whether the format is of powers of two alone
    bint directed  # whether it rounds in another way than the two additions of nearest_magnitude
    # to nearest: just under half a last place, and one bit more where the last place is odd
    uint64_t half
    uint64_t odd
    # toward a side: all ones where a magnitude of this sign rounds up
    uint64_t positive_up
    uint64_t negative_up
    # all ones where it rounds in this way
    uint64_t half_away
    uint64_t half_even  # among integers, of which a last place always falls away
    uint64_t to_odd
    int64_t tie  # in a format of powers of two: below it numbers round to the smallest, from it on to the second
    # what is too large, of either sign, and what an infinity becomes
    int64_t positive_limit
    int64_t negative_limit
    int64_t infinite
    int64_t negative_infinite


cdef inline word spread(word like, uint64_t value) noexcept nogil:
    # value in every lane; -1 fills the lane whatever its width
    if word is u32x:
        return splat_u32(<unsigned int>value)
    else:
        return splat_u64(value)


cdef inline word where_less(word a, word b, word yes, word no) noexcept nogil:
    if word is u32x:
        return where_less_i32(a, b, yes, no)
    else:
        return where_less_i64(a, b, yes, no)


cdef inline word at_most(word x, word high) noexcept nogil:
    if word is u32x:
        return at_most_i32(x, high)
    else:
        return at_most_i64(x, high)


cdef inline word sum_of(word a, word b) noexcept nogil:
    # the bits of the sum of two floating-point numbers given as bits
    if word is u32x:
        return bits_f32(from_bits_f32(a) + from_bits_f32(b))
    else:
        return bits_f64(from_bits_f64(a) + from_bits_f64(b))


cdef inline word difference_of(word a, word b) noexcept nogil:
    if word is u32x:
        return bits_f32(from_bits_f32(a) - from_bits_f32(b))
    else:
        return bits_f64(from_bits_f64(a) - from_bits_f64(b))


cdef inline word last_bit(word like) noexcept nogil:
    # the number of a lane's highest bit
    if word is u32x:
        return splat_u32(31)
    else:
        return splat_u64(63)


cdef inline word magnitude_of(word code, const Format* f) noexcept nogil:
    # in order, NaN above all numbers
    cdef word m = code & spread(code, f.magnitude), none = spread(code, 0)
    if f.sign_alone:
        m = m | where_less(none, m, none, code & spread(code, f.sign_alone))
    if f.modulus:
        m = where_less(none, code & spread(code, f.sign), (none - code) & spread(code, f.modulus - 1), m)
    return m


cdef inline word sign_of(word code, const Format* f) noexcept nogil:
    return (code & spread(code, f.sign)) >> spread(code, f.sign_place)


cdef inline word exponent_of(word code, const Format* f) noexcept nogil:
    return (code >> spread(code, f.mantissa_bits)) & spread(code, f.exponent_field)


cdef inline word mantissa_of(word code, const Format* f) noexcept nogil:
    return code & spread(code, f.mantissa_field)


cdef inline word code_of(word sign, word exponent, word mantissa, const Format* f) noexcept nogil:
    # the fields put together; bits that a field has no room for are dropped
    sign = (sign << spread(sign, f.sign_place)) & spread(sign, f.sign)
    exponent = (exponent & spread(sign, f.exponent_field)) << spread(sign, f.mantissa_bits)
    return sign | exponent | mantissa_of(mantissa, f)


cdef inline word class_of(word code, const Format* f) noexcept nogil:
    # Magnitudes are in order: zero, subnormal, normal, infinite, and the NaNs, signalling before quiet. Up to infinity
    # the classes count up from POSITIVE_ZERO; those of the negative side mirror them.
    cdef word m = magnitude_of(code, f), none = spread(code, 0), one = spread(code, 1), positive, nan
    positive = where_less(spread(m, f.zero), m, spread(m, POSITIVE_SUBNORMAL), spread(m, POSITIVE_ZERO))
    positive = where_less(spread(m, f.last_subnormal), m, positive + one, positive)
    positive = where_less(spread(m, f.largest), m, positive + one, positive)
    nan = where_less(spread(m, f.last_signaling), m, spread(m, QUIET_NAN), spread(m, SIGNALING_NAN))
    positive = where_less(none, sign_of(code, f), spread(m, NEGATIVE_ZERO + POSITIVE_ZERO) - positive, positive)
    return where_less(spread(m, f.infinity), m, nan, positive)


cdef inline word ulp_of(word code, const Format* f) noexcept nogil:
    # 2^(e - mantissa_bits), which is subnormal where its exponent field would drop below 1
    cdef word m = magnitude_of(code, f), first = spread(code, f.first_exponent)
    cdef word bits = spread(m, f.mantissa_bits), exponent, normal, subnormal, last = bits + first - spread(m, 1)
    exponent = exponent_of(m, f)
    exponent = where_less(exponent, first, first, exponent)
    normal = (exponent - bits) << bits
    subnormal = spread(m, 1) << at_most(exponent - first, bits)
    return where_less(spread(m, f.largest), m, m, where_less(last, exponent, normal, subnormal))


cdef inline word up_from(word code, word flip, const Format* f) noexcept nogil:
    # the next value above, or below where `flip` is the sign bit
    cdef word none = spread(code, 0), one = spread(code, 1), away, toward
    cdef word m = magnitude_of(code, f), top = spread(code, f.infinity)
    cdef word mirrored = (m | (code & spread(code, f.sign))) ^ flip
    away = mirrored + where_less(m, top, one, none)
    toward = where_less(none, m, mirrored - one, one)
    toward = where_less(top, m, mirrored, toward)
    away = flip ^ where_less(none, sign_of(mirrored, f), toward, away)
    if f.sign_alone:  # what comes before the smallest is 0, not the NaN that stands in the place of -0
        away = where_less(top, m, away, where_less(none, away & spread(m, f.magnitude), away, none))
    return away


cdef inline word next_up_of(word code, const Format* f) noexcept nogil:
    return up_from(code, spread(code, 0), f)


cdef inline word next_down_of(word code, const Format* f) noexcept nogil:
    cdef word none = spread(code, 0)
    if f.sign == 0:
        return code - where_less(spread(code, f.infinity), code, none, where_less(none, code, spread(code, 1), none))
    return up_from(code, spread(code, f.sign), f)


cdef inline word distance_of(word a, word b, const Format* f) noexcept nogil:
    # how many steps lie between: 0 between zeros and between NaNs; the largest signed number between a NaN and a
    # number, and where there are more steps than it
    cdef word none = spread(a, 0), ones = ~none, top = spread(a, f.infinity), m_a, m_b, nan_a, nan_b, distance
    m_a = magnitude_of(a, f)
    m_b = magnitude_of(b, f)
    nan_a = where_less(top, m_a, ones, none)
    nan_b = where_less(top, m_b, ones, none)
    m_a = where_less(none, sign_of(a, f), none - m_a, m_a)
    m_b = where_less(none, sign_of(b, f), none - m_b, m_b)
    distance = where_less(m_a, m_b, m_b - m_a, m_a - m_b)
    distance = (distance & ~(nan_a | nan_b)) | (nan_a ^ nan_b)
    return where_less(distance, none, ones >> spread(a, 1), distance)


cdef inline word exact_integer_of(word code, const Format* f) noexcept nogil:
    # 1 where the value is a whole number and every whole number up to it has a code too
    cdef word m = magnitude_of(code, f), none = spread(code, 0), one = spread(code, 1)
    cdef word bits = spread(code, f.mantissa_bits), whole = bits + spread(code, f.one >> f.mantissa_bits), fraction
    # from the exponent field `whole` on, no bit weighs less than 1
    fraction = (one << at_most(whole - at_most(exponent_of(m, f), whole), bits)) - one
    fraction = where_less(none, m & fraction, none, one)
    fraction = where_less(m, spread(m, f.one), where_less(spread(m, f.zero), m, none, one), fraction)
    return where_less(spread(m, f.exact_limit), m, none, fraction)


cdef inline word finish(word x, word m, word code, const Conversion* c) noexcept nogil:
    # the rounded magnitude `code` with NaNs put in and the sign of x
    cdef word nan = spread(x, c.f.nan) | ((m >> spread(x, c.shift)) & spread(x, c.f.payload))
    cdef word sign = (x >> spread(x, c.sign_shift)) & spread(x, c.f.sign), none = spread(x, 0)
    code = where_less(spread(x, c.infinity), m, nan, code)
    if c.f.modulus:
        return where_less(none, sign, (none - code) & spread(x, c.f.modulus - 1), code)
    if c.f.sign_alone:  # no zero has a sign
        sign = where_less(none, code, sign, none)
    return code | sign


cdef inline word nearest_magnitude(word m, const Conversion* c) noexcept nogil:
    # Normal numbers are rounded by an integer addition that carries into the exponent. Subnormals are rounded by the
    # processor, in a sum with `magic`, whose last place is that of the result.
    cdef word shift = spread(m, c.shift), magic = spread(m, c.magic), code
    code = (m + spread(m, c.half - c.rebias) + ((m >> shift) & spread(m, c.odd))) >> shift
    return where_less(m, spread(m, c.subnormals_below), sum_of(m, magic) - magic, code)


cdef inline word nearest_of(word x, const Conversion* c) noexcept nogil:
    cdef word m = x & spread(x, c.magnitude)
    return finish(x, m, at_most(nearest_magnitude(m, c), spread(x, c.positive_limit)), c)


cdef inline word rounded_of(word x, word noise, bint stochastic, const Conversion* c) noexcept nogil:
    # The significand, shifted right by the bits that the result has no place for, after adding to these bits what may
    # carry: all ones or zero to round to a side, half a last place to round half away, random bits to round
    # stochastically. To odd it is cut off, and its last bit set where a bit fell away.
    cdef word m = x & spread(x, c.magnitude), none = spread(x, 0), one = spread(x, 1), last = last_bit(x)
    cdef word exponent = m >> spread(x, c.mantissa_bits), significand = m & spread(x, c.mantissa_field)
    cdef word first = spread(x, c.smallest_exponent), away, dropped, added, code, odd = none
    significand = significand | where_less(none, exponent, spread(x, c.mantissa_field + 1), none)
    exponent = where_less(none, exponent, exponent, one)
    away = spread(x, c.shift) + where_less(exponent, first, first - exponent, none)
    dropped = at_most(away, last)
    if stochastic:
        significand = significand >> at_most(away - dropped, last)
        added = (noise >> one) >> (last - dropped)
    else:
        away = (one << dropped) - one
        added = where_less(x, none, spread(x, c.negative_up), spread(x, c.positive_up)) & away
        added = added | (((one << dropped) >> one) & spread(x, c.half_away))
        added = added | (((away >> one) + ((significand >> dropped) & one)) & spread(x, c.half_even))
        odd = where_less(none, significand & away, one, none) & spread(x, c.to_odd)
    code = ((significand + added) >> dropped) | odd
    code = code + (where_less(exponent, first, none, exponent - first) << spread(x, c.f.mantissa_bits))
    code = at_most(code, where_less(x, none, spread(x, c.negative_limit), spread(x, c.positive_limit)))
    code = where_less(spread(x, c.infinity - 1), m, where_less(
        x, none, spread(x, c.negative_infinite), spread(x, c.infinite)), code)
    return finish(x, m, code, c)


cdef inline word directed_of(word x, const Conversion* c) noexcept nogil:
    # toward zero, up or down, half away from zero or to odd; and among integers to nearest
    return rounded_of(x, x, False, c)


cdef inline word stochastic_of(word x, word noise, const Conversion* c) noexcept nogil:
    # Up with a probability equal to the dropped fraction of a last place; noise is uniform on all bits of a lane.
    return rounded_of(x, noise, True, c)


cdef inline word power_of(word x, const Conversion* c) noexcept nogil:
    # Into a format of powers of two alone: no sign, no zero, no subnormals. A negative number or zero becomes
    # NaN, except that a zero becomes the smallest power where numbers saturate; so does a number below it.
    cdef word none = spread(x, 0), shift = spread(x, c.shift), top = spread(x, c.positive_limit), code, small
    cdef word nan = spread(x, c.f.nan)
    code = at_most((x + spread(x, c.half - c.rebias)) >> shift, top)
    small = where_less(x, spread(x, c.tie), none, spread(x, 1))
    code = where_less(x, spread(x, c.subnormals_below), small, code)
    code = where_less(spread(x, c.infinity - 1), x, spread(x, c.infinite), code)
    code = where_less(spread(x, c.infinity), x, nan, code)
    code = where_less(none, x, code, nan)
    if c.infinite != c.f.nan:
        code = where_less(none, x & spread(x, c.magnitude), code, none)
    return code


cdef inline word wide_of(word code, const Conversion* c) noexcept nogil:
    # The value in the wide format, always exact. A subnormal is read as the fraction of a normal number, whose
    # leading 1 is then taken away.
    cdef word m = magnitude_of(code, &c.f), raised, special, value
    raised = m << spread(m, c.shift)
    value = difference_of(raised | spread(m, c.smallest_normal), spread(m, c.leading))
    value = where_less(spread(m, c.f.mantissa_field), m, raised + spread(m, c.rebias), value)
    special = spread(m, c.nan) | ((m & spread(m, c.f.payload)) << spread(m, c.shift))
    special = where_less(spread(m, c.f.infinity), m, special, spread(m, c.infinity))
    value = where_less(spread(m, c.f.largest), m, special, value)
    return value | ((code & spread(m, c.f.sign)) << spread(m, c.sign_shift))


cdef inline word error_of(word x, word code, const Conversion* c) noexcept nogil:
    # the value of `code` minus x, its rounding error; 0 where both are the same, as infinities may be
    cdef word y = wide_of(code, c), none = spread(x, 0)
    return where_less(none, (x ^ y) & spread(x, c.magnitude), difference_of(y, x), none)


cdef inline word loss_of(word x, const Conversion* c) noexcept nogil:
    cdef word m = x & spread(x, c.magnitude), none = spread(x, 0), code, loss
    code = power_of(x, c) if c.powers else nearest_magnitude(m, c)
    loss = where_less(spread(x, c.f.last_subnormal), code, spread(x, ROUNDED), spread(x, ROUNDED_SUBNORMAL))
    loss = where_less(spread(x, c.f.zero), code, loss, spread(x, ROUNDED_TO_ZERO))
    loss = where_less(none, m ^ wide_of(code, c), loss, none)
    loss = where_less(spread(x, c.f.largest), code, spread(x, OUT_OF_RANGE), loss)
    return where_less(m, spread(x, c.infinity), loss, spread(x, NOT_FINITE))
