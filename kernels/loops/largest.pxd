# The largest magnitude of an array of float32, in one pass that also finds NaN and infinity.
from libc.stdint cimport uint32_t
from libc.string cimport memcpy

from ..lanes cimport F32_LANES, at_least_i32, load_u32, splat_u32, store_u32, u32x


cdef inline uint32_t largest_size(const float* x, Py_ssize_t n) noexcept nogil:
    # its bits without a sign: sizes are compared as integers, among which a NaN is the largest
    cdef u32x top = splat_u32(0), size = splat_u32(0x7FFFFFFF)
    cdef uint32_t tops[16]
    cdef uint32_t found = 0, bits
    cdef int k
    cdef Py_ssize_t i = 0
    while i + F32_LANES <= n:
        top = at_least_i32(top, load_u32(<const uint32_t*>x + i) & size)
        i += F32_LANES
    store_u32(tops, top)
    for k in range(F32_LANES):
        found = max(found, tops[k])
    while i < n:
        memcpy(&bits, x + i, sizeof(bits))
        found = max(found, bits & 0x7FFFFFFF)
        i += 1
    return found
