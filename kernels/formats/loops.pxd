# Arrays of codes to registers: loads that widen, stores that narrow, and the loops between, by whole registers.
#
# In loops/maps.pxd numbers are as wide as their lanes; here they may be narrower. codes.pxd has the functions of one
# register and ieee754.pyx the kernels. Strided arrays, and what is left after the last whole register, arrive in blocks
# that loops/ufuncs.pxd fills.
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

from ..lanes cimport (
    F32_LANES, F64_LANES, bits_f32, load_bfloat16, load_f32, load_float16, load_u32, load_u64, narrow_u32_u8,
    narrow_u32_u16, narrow_u64_u8, narrow_u64_u16, narrow_u64_u32, splat_u32, splat_u64, store_bfloat16, store_f32,
    store_float16, store_u32, store_u64, u32x, u64x, where_less_i32, widen_u8_u32, widen_u8_u64, widen_u16_u32,
    widen_u16_u64, widen_u32_u64,
)
from .codes cimport Conversion, Format, code_of, exponent_of, mantissa_of, sign_of, word

ctypedef fused code:
    uint8_t
    uint16_t
    uint32_t
    uint64_t

ctypedef fused result:
    uint8_t
    uint16_t
    uint32_t
    uint64_t

ctypedef fused constants:
    Format
    Conversion


cdef inline Py_ssize_t lanes(word like) noexcept nogil:
    if word is u32x:
        return F32_LANES
    else:
        return F64_LANES


cdef inline word load(const code* p, word like) noexcept nogil:
    # a register of codes, each in a lane of `like`'s width, which holds it
    if word is u32x:
        if code is uint8_t:
            return widen_u8_u32(p)
        elif code is uint16_t:
            return widen_u16_u32(p)
        else:
            return load_u32(<const uint32_t*>p)
    else:
        if code is uint8_t:
            return widen_u8_u64(p)
        elif code is uint16_t:
            return widen_u16_u64(p)
        elif code is uint32_t:
            return widen_u32_u64(p)
        else:
            return load_u64(p)


cdef inline void store(result* p, word x) noexcept nogil:
    if word is u32x:
        if result is uint8_t:
            narrow_u32_u8(p, x)
        elif result is uint16_t:
            narrow_u32_u16(p, x)
        else:
            store_u32(<uint32_t*>p, x)
    else:
        if result is uint8_t:
            narrow_u64_u8(p, x)
        elif result is uint16_t:
            narrow_u64_u16(p, x)
        elif result is uint32_t:
            narrow_u64_u32(p, x)
        else:
            store_u64(p, x)


# A function's constants are copied before its loop: the compiler cannot know that the results do not overwrite them.
# `like` carries the register type to a function that has no register yet.

cdef inline void map_registers(word (*f)(word, const constants*) noexcept nogil, const code* x, result* y, Py_ssize_t n,
                               const constants* t, word like) noexcept nogil:
    cdef constants here = t[0]
    cdef Py_ssize_t i = 0
    while i < n:
        store(y + i, f(load(x + i, like), &here))
        i += lanes(like)


cdef inline void map_codes(u32x (*on_u32)(u32x, const constants*) noexcept nogil,
                           u64x (*on_u64)(u64x, const constants*) noexcept nogil, const code* x, result* y,
                           Py_ssize_t n, const constants* t) noexcept nogil:
    # y = f(x), for f on either register: in lanes of 64 bits where an operand has them
    if code is uint64_t or result is uint64_t:
        map_registers(on_u64, x, y, n, t, splat_u64(0))
    else:
        map_registers(on_u32, x, y, n, t, splat_u32(0))


cdef inline void take_apart(const code* x, uint8_t* sign, result* exponent, code* mantissa, Py_ssize_t n,
                            const Format* t, word like) noexcept nogil:
    cdef Format f = t[0]
    cdef Py_ssize_t i = 0
    cdef word here
    while i < n:
        here = load(x + i, like)
        store(sign + i, sign_of(here, &f))
        store(exponent + i, exponent_of(here, &f))
        store(mantissa + i, mantissa_of(here, &f))
        i += lanes(like)


cdef inline void put_together(const uint8_t* sign, const result* exponent, const code* mantissa, code* y,
                              Py_ssize_t n, const Format* t, word like) noexcept nogil:
    cdef Format f = t[0]
    cdef Py_ssize_t i = 0
    while i < n:
        store(y + i, code_of(load(sign + i, like), load(exponent + i, like), load(mantissa + i, like), &f))
        i += lanes(like)


cdef inline void to_machine_format(const float* x, uint16_t* y, Py_ssize_t n, bint bfloat) noexcept nogil:
    cdef Py_ssize_t i = 0
    while i < n:
        if bfloat:
            store_bfloat16(y + i, load_f32(x + i))
        else:
            store_float16(y + i, load_f32(x + i))
        i += F32_LANES


cdef inline void from_machine_format(const uint16_t* x, float* y, Py_ssize_t n, bint bfloat) noexcept nogil:
    # a load makes binary16's NaNs quiet, but not bfloat16's
    cdef u32x magnitude = splat_u32(0x7FFFFFFF), infinity = splat_u32(0x7F800000), quiet = splat_u32(0x00400000), bits
    cdef Py_ssize_t i = 0
    while i < n:
        if bfloat:
            bits = bits_f32(load_bfloat16(x + i))
            store_u32(<uint32_t*>y + i, where_less_i32(infinity, bits & magnitude, bits | quiet, bits))
        else:
            store_f32(y + i, load_float16(x + i))
        i += F32_LANES
