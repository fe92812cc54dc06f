# Packed 4-bit codes, for those who cimport: weight 2i in the low nibble of byte i, weight 2i + 1 in the high one.
# Every function works on one genome, holds no state and takes n as the number of weights, odd or even.
from libc.stdint cimport uint8_t


# genome[ceil(n / 2)] from one code a byte, 0 to 15 each; whether a code was above 15
cdef bint pack_uint8(const uint8_t* codes, uint8_t* genome, Py_ssize_t n) noexcept nogil

# codes[n], one a byte
cdef void unpack_uint8(const uint8_t* genome, uint8_t* codes, Py_ssize_t n) noexcept nogil

# weights[i] = levels[code i] * scales[i // group], rounded once; group is a multiple of 16, or at least n
cdef void decode_float32(const uint8_t* genome, const float* levels, const float* scales, Py_ssize_t group,
                         float* weights, Py_ssize_t n) noexcept nogil

# weights[i] = levels[code i] * scales[i // group] + offsets[i // group], rounded once; offsets may be NULL
cdef void decode_offset_float32(const uint8_t* genome, const float* levels, const float* scales, const float* offsets,
                                Py_ssize_t group, float* weights, Py_ssize_t n) noexcept nogil

# genome[ceil(n / 2)] of the nearest levels, in a tie that of an even code. `order` holds the codes by rising level,
# and middles[i] the middle between the levels of order[i - 1] and order[i]; whether a weight was NaN
cdef bint encode_float32(const float* weights, const float* order, const double* middles, const float* scales,
                         Py_ssize_t group, uint8_t* genome, Py_ssize_t n) noexcept nogil

# the scale, of those tried, with the least sum of (weight - level * scale)^2; scratch has ceil(n / 2) bytes
cdef float best_scale_float32(const float* weights, const float* levels, const float* order, const double* middles,
                              uint8_t* scratch, Py_ssize_t n) noexcept nogil
