# The largest magnitude of an array of float32, in one pass that also finds NaN and infinity.
from libc.stdint cimport uint32_t, uintptr_t
from libc.string cimport memcpy

from ..lanes cimport F32_LANES, at_least_i32, load_u32, splat_u32, store_u32, u32x


cdef enum:
    SIZES = 16  # that are kept side by side, lanes of a register or more


cdef inline void raise_sizes(uint32_t* sizes, const float* x, Py_ssize_t n) noexcept nogil:
    # the largest of all `sizes` becomes that of x, where it is larger: bits without a sign, which are compared as
    # integers, among which a NaN is the largest
    cdef u32x top = load_u32(sizes), size = splat_u32(0x7FFFFFFF)
    cdef uint32_t bits
    cdef Py_ssize_t i = 0
    if n >= F32_LANES:  # one register, and then from where they are aligned, since one of two cache lines takes longer
        top = at_least_i32(top, load_u32(<const uint32_t*>x) & size)
        i = F32_LANES - <Py_ssize_t>(<uintptr_t>x // sizeof(float) % F32_LANES)
    while i + F32_LANES <= n:
        top = at_least_i32(top, load_u32(<const uint32_t*>x + i) & size)
        i += F32_LANES
    store_u32(sizes, top)
    while i < n:
        memcpy(&bits, x + i, sizeof(bits))
        sizes[0] = max(sizes[0], bits & 0x7FFFFFFF)
        i += 1


cdef inline uint32_t largest_of(const uint32_t* sizes) noexcept nogil:
    cdef uint32_t found = 0
    cdef int k
    for k in range(F32_LANES):
        found = max(found, sizes[k])
    return found


cdef inline uint32_t largest_size(const float* x, Py_ssize_t n) noexcept nogil:
    cdef uint32_t sizes[SIZES]
    store_u32(sizes, splat_u32(0))
    raise_sizes(sizes, x, n)
    return largest_of(sizes)
