# A sum as sixteen partial sums in one fixed order, which lanes of any number bring together in the same way.
from libc.stdint cimport uintptr_t

from ..lanes cimport F32_LANES, f32x, load_f32, store_f32, zip_high_f32, zip_low_f32

cdef extern from *:
    """
    #ifdef __GNUC__
    #define prefetch(address) __builtin_prefetch((const void *)(address), 0, 2)
    #else
    #define prefetch(address) ((void)0)
    #endif
    """
    void prefetch(uintptr_t address) noexcept nogil

cdef enum:
    PARTS = 16  # partial sums of an output


cdef inline float* aligned(void* memory) noexcept nogil:
    # the first cache line that begins in it
    return <float*>((<uintptr_t>memory + 63) // 64 * 64)


cdef inline void meet(const float* sums, Py_ssize_t step, float* totals) noexcept nogil:
    # totals[F32_LANES] of as many sums[PARTS], each `step` floats after the one before, by halves. Once the halves of a
    # sum share a register, two registers become one: zipped, the first halves of both stand beside the second halves of
    # both.
    cdef f32x parts[PARTS]
    cdef f32x all_of[PARTS]
    cdef Py_ssize_t i, k, half
    for i in range(F32_LANES):
        for k in range(PARTS // F32_LANES):
            parts[k] = load_f32(sums + i * step + k * F32_LANES)
        half = PARTS // F32_LANES // 2
        while half > 0:
            for k in range(half):
                parts[k] = parts[k] + parts[k + half]
            half //= 2
        all_of[i] = parts[0]
    half = F32_LANES // 2
    while half > 0:
        for i in range(half):
            all_of[i] = zip_low_f32(all_of[i], all_of[i + half]) + zip_high_f32(all_of[i], all_of[i + half])
        half //= 2
    store_f32(totals, all_of[0])


cdef inline void put_biases(const float* bias, float* y, Py_ssize_t rows, Py_ssize_t outputs) noexcept nogil:
    # y[rows][outputs] of sums that have no terms
    cdef Py_ssize_t row, o
    for row in range(rows):
        for o in range(outputs):
            y[row * outputs + o] = bias[o] if bias != NULL else <float>0.0
