# Blocks of numbers that share a scale (OCP Microscaling Formats 1.0, and NVFP4): the largest of a block, its scale, and
# the elements of what the scale has divided. codes.pxd rounds one register; ieee754.pyx walks over the blocks.
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from ..lanes cimport at_least_i32, at_least_i64, bits_f32, bits_f64, from_bits_f32, from_bits_f64, u32x
from .codes cimport Conversion, directed_of, nearest_of, spread, wide_of, word
from .loops cimport lanes, load, store

ctypedef fused number:
    # a number's bits
    uint32_t
    uint64_t


cdef inline word product_of(word a, word b) noexcept nogil:
    # the bits of the product of two floating-point numbers given as bits
    if word is u32x:
        return bits_f32(from_bits_f32(a) * from_bits_f32(b))
    else:
        return bits_f64(from_bits_f64(a) * from_bits_f64(b))


cdef inline word larger_of(word a, word b) noexcept nogil:
    if word is u32x:
        return at_least_i32(a, b)
    else:
        return at_least_i64(a, b)


cdef inline word load_first(const number* x, word like, Py_ssize_t n) noexcept nogil:
    # the first n of a register, 0 in the other lanes
    cdef number part[16]
    if n >= lanes(like):
        return load(x, like)
    memset(part, 0, sizeof(part))
    memcpy(part, x, n * sizeof(number))
    return load(<const number*>part, like)


cdef inline void put_first(uint8_t* y, word x, Py_ssize_t n) noexcept nogil:
    cdef uint8_t part[16]
    if n >= lanes(x):
        store(y, x)
    else:
        store(<uint8_t*>part, x)
        memcpy(y, part, n)


cdef inline uint64_t largest_magnitude(const number* x, Py_ssize_t n, const Conversion* c, word like) noexcept nogil:
    # of the bits of n numbers: in the order of the magnitudes, NaN above infinity
    cdef word top = spread(like, 0)
    cdef number found[16]
    cdef uint64_t largest = 0
    cdef Py_ssize_t i = 0
    while i < n:
        top = larger_of(load_first(x + i, like, n - i) & spread(like, c.magnitude), top)
        i += lanes(like)
    store(<number*>found, top)
    for i in range(lanes(like)):
        largest = max(largest, <uint64_t>found[i])
    return largest


cdef inline void encode_times(const number* x, uint8_t* y, Py_ssize_t n, word factor,
                              const Conversion* c) noexcept nogil:
    # the codes of x times a number whose bits fill a register
    cdef word here, like = factor
    cdef Py_ssize_t i = 0
    while i < n:
        here = product_of(load_first(x + i, like, n - i), factor)
        put_first(y + i, directed_of(here, c) if c.directed else nearest_of(here, c), n - i)
        i += lanes(like)


cdef inline void decode_times(const uint8_t* x, number* y, Py_ssize_t n, word factor,
                              const Conversion* c) noexcept nogil:
    # the values of codes times a number whose bits fill a register
    cdef uint8_t codes[16]
    cdef number part[16]
    cdef Py_ssize_t i = 0, left
    while i < n:
        left = min(n - i, lanes(factor))
        if left < lanes(factor):
            memset(codes, 0, sizeof(codes))
            memcpy(codes, x + i, left)
            store(<number*>part, product_of(wide_of(load(<const uint8_t*>codes, factor), c), factor))
            memcpy(y + i, part, left * sizeof(number))
        else:
            store(y + i, product_of(wide_of(load(x + i, factor), c), factor))
        i += lanes(factor)
