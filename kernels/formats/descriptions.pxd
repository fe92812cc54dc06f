# The constants that the functions of codes.pxd work with, made from the description of a format: an object with the
# attributes of pylib/formats.py's. Each is computed in Python's exact integers. No arrays here, no registers.
from libc.stdint cimport int64_t, uint64_t

from .codes cimport Conversion, Format


cdef inline Format format_of(description) except *:
    cdef Format f
    cdef bint none_above = description.infinity_code is None
    f.exponent_bits = description.exponent_bits
    f.mantissa_bits = description.mantissa_bits
    f.sign_place = f.exponent_bits + f.mantissa_bits
    f.sign = <uint64_t>description.signed << f.sign_place
    f.magnitude = (<uint64_t>1 << f.sign_place) - 1
    f.exponent_field = (<uint64_t>1 << f.exponent_bits) - 1
    f.mantissa_field = (<uint64_t>1 << f.mantissa_bits) - 1
    f.first_exponent = description.has_subnormals
    f.zero = 0 if description.has_subnormals else -1
    f.last_subnormal = f.mantissa_field if description.has_subnormals else -1
    f.largest = description.largest_code
    f.infinity = f.largest if none_above else description.infinity_code
    f.sign_alone = f.sign if description.specials == "fnuz" else 0
    f.modulus = 0
    f.nan = f.sign if description.nan_code is None else description.nan_code
    if description.specials == "integer":
        # the largest is the magnitude of the smallest negative number; a NaN becomes 0
        f.modulus = <uint64_t>1 << description.width if description.signed else 0
        f.largest = f.infinity = f.sign if description.signed else f.largest
        f.nan = 0
    f.last_signaling = f.infinity if none_above else f.nan - 1
    f.payload = 0 if none_above else f.mantissa_field
    f.one = <uint64_t>max(description.bias, 0) << f.mantissa_bits  # no function of fields is asked of integers
    f.exact_limit = description.exact_limit_code
    return f


cdef inline Conversion conversion_of(description, wide_format, str rounding, bint saturate) except *:
    # the constants of a conversion, under the names of Conversion's fields
    cdef Conversion c
    cdef int64_t finite, infinite, beyond
    bits, wide_bits = description.mantissa_bits, wide_format.mantissa_bits
    shift = wide_bits - bits
    first = description.has_subnormals - description.bias + wide_format.bias
    c.f = format_of(description)
    c.shift = shift
    c.sign_shift = wide_format.width - 1 - c.f.sign_place
    c.rebias = (wide_format.bias - description.bias) << wide_bits
    c.magnitude = (1 << (wide_format.width - 1)) - 1
    c.infinity = wide_format.infinity_code
    c.nan = wide_format.nan_code
    c.mantissa_field = (1 << wide_bits) - 1
    c.mantissa_bits = wide_bits
    c.smallest_exponent = first
    # binary32 has 2^-127, e8m0's smallest, as a subnormal
    c.smallest_normal = first << wide_bits if first > 0 else 1 << (wide_bits - 1)
    c.leading = c.smallest_normal if description.has_subnormals else 0
    c.subnormals_below = 0 if c.rebias == 0 else c.smallest_normal
    c.magic = (first + shift) << wide_bits
    c.powers = not description.signed and not description.has_subnormals
    c.directed = rounding != "nearest" or description.specials == "integer"
    c.half = (1 << (shift - 1)) - 1 if shift else 0
    c.odd = shift > 0
    c.positive_up = -1 if rounding == "up" else 0
    c.negative_up = -1 if rounding == "down" else 0
    c.half_away = -1 if rounding == "half_away" else 0
    c.half_even = -1 if rounding == "nearest" and description.specials == "integer" else 0
    c.to_odd = -1 if rounding == "odd" else 0
    c.tie = 0
    if c.powers:
        # a format of powers of two: a tie goes up, since a significand that is always 1 is always odd
        c.subnormals_below = (first + 1) << wide_bits
        c.half = c.half + 1 if rounding in ("nearest", "half_away") else c.mantissa_field if rounding == "up" else 0
        c.tie = c.subnormals_below
        if rounding in ("nearest", "half_away"):
            c.tie = c.smallest_normal + (c.subnormals_below - c.smallest_normal) // 2
        elif rounding == "up":
            c.tie = c.smallest_normal + 1
    finite = description.largest_code
    infinite = beyond = finite
    if not saturate and description.nan_code is not None:
        infinite = beyond = finite + 1
    c.positive_limit = finite if rounding in ("zero", "odd", "down") else beyond
    c.negative_limit = finite if rounding in ("zero", "odd", "up") else beyond
    c.infinite = c.negative_infinite = infinite
    if description.specials == "integer":
        c.negative_limit = c.negative_infinite = description.smallest_magnitude
    # the processor has instructions that round binary32 into these two formats in this way
    c.machine_format = 0
    if rounding == "nearest" and not saturate and wide_format.width == 32 and description.specials == "ieee":
        if (description.exponent_bits, bits, description.bias) == (5, 10, 15):
            c.machine_format = 16
        elif (description.exponent_bits, bits, description.bias) == (8, 7, 127):
            c.machine_format = 8
    return c
