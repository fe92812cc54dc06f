# The generator as a function of arrays, for those who want to remake a stream or check it.
# The generator itself is random.pxd; what genomes do with it is genome.pyx.
from libc.stdint cimport uint32_t, uint64_t

from .lanes cimport splat_u64, store_u64, u64x


def philox4x32(const uint32_t[:, ::1] counters, uint64_t key, uint32_t[:, ::1] words):
    """Ten rounds of Philox4x32: words[i] = the four random words of counters[i] under the key."""
    cdef u64x lanes[4]
    cdef uint64_t stored[ROW]
    cdef Py_ssize_t i
    cdef int k
    with nogil:
        for i in range(counters.shape[0]):
            for k in range(4):
                lanes[k] = splat_u64(counters[i, k])
            philox(lanes, key)
            for k in range(4):
                store_u64(stored, lanes[k])
                words[i, k] = <uint32_t>stored[0]
