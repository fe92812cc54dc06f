# IEEE-754 for those who cimport: fields, classes, ULPs, and float32 rounded into every smaller format and back.
#
# All work on contiguous arrays of n elements that do not overlap, on one thread, and leave the floating-point flags
# and rounding of the caller as they were. A code is a number's bits, unsigned, 0 in what a byte has above them.
from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t


# sign (0 or 1), biased exponent and mantissa, as they stand in the number
cdef void decompose_float32(const float* x, uint8_t* sign, uint8_t* exponent, uint32_t* mantissa,
                            Py_ssize_t n) noexcept nogil
cdef void decompose_float64(const double* x, uint8_t* sign, uint16_t* exponent, uint64_t* mantissa,
                            Py_ssize_t n) noexcept nogil

# the inverse; bits that a field has no room for are dropped
cdef void compose_float32(const uint8_t* sign, const uint8_t* exponent, const uint32_t* mantissa, float* y,
                          Py_ssize_t n) noexcept nogil
cdef void compose_float64(const uint8_t* sign, const uint16_t* exponent, const uint64_t* mantissa, double* y,
                          Py_ssize_t n) noexcept nogil

# the ten classes of IEEE 754-2019, section 5.7.2, in its order, from 0 for a signalling NaN to 9 for +infinity
cdef void classify_float32(const float* x, uint8_t* classes, Py_ssize_t n) noexcept nogil
cdef void classify_float64(const double* x, uint8_t* classes, Py_ssize_t n) noexcept nogil

# the unit in the last place, positive; infinity of infinity, NaN of NaN
cdef void ulp_float32(const float* x, float* y, Py_ssize_t n) noexcept nogil
cdef void ulp_float64(const double* x, double* y, Py_ssize_t n) noexcept nogil

# to nearest, ties to even; what is too large becomes infinity, or NaN, or the largest number where there is neither
cdef void encode_binary16_float32(const float* x, uint16_t* codes, Py_ssize_t n) noexcept nogil
cdef void encode_bfloat16_float32(const float* x, uint16_t* codes, Py_ssize_t n) noexcept nogil
cdef void encode_float8_e5m2_float32(const float* x, uint8_t* codes, Py_ssize_t n) noexcept nogil
cdef void encode_float8_e4m3fn_float32(const float* x, uint8_t* codes, Py_ssize_t n) noexcept nogil
cdef void encode_float8_e5m2fnuz_float32(const float* x, uint8_t* codes, Py_ssize_t n) noexcept nogil
cdef void encode_float8_e4m3fnuz_float32(const float* x, uint8_t* codes, Py_ssize_t n) noexcept nogil
cdef void encode_float8_e4m3b11fnuz_float32(const float* x, uint8_t* codes, Py_ssize_t n) noexcept nogil
cdef void encode_float8_e4m3_float32(const float* x, uint8_t* codes, Py_ssize_t n) noexcept nogil
cdef void encode_float8_e3m4_float32(const float* x, uint8_t* codes, Py_ssize_t n) noexcept nogil
cdef void encode_float8_e8m0fnu_float32(const float* x, uint8_t* codes, Py_ssize_t n) noexcept nogil
cdef void encode_float6_e3m2fn_float32(const float* x, uint8_t* codes, Py_ssize_t n) noexcept nogil
cdef void encode_float6_e2m3fn_float32(const float* x, uint8_t* codes, Py_ssize_t n) noexcept nogil
cdef void encode_float4_e2m1fn_float32(const float* x, uint8_t* codes, Py_ssize_t n) noexcept nogil

# the value of each code, exactly; a NaN comes out quiet
cdef void decode_binary16_float32(const uint16_t* codes, float* y, Py_ssize_t n) noexcept nogil
cdef void decode_bfloat16_float32(const uint16_t* codes, float* y, Py_ssize_t n) noexcept nogil
cdef void decode_float8_e5m2_float32(const uint8_t* codes, float* y, Py_ssize_t n) noexcept nogil
cdef void decode_float8_e4m3fn_float32(const uint8_t* codes, float* y, Py_ssize_t n) noexcept nogil
cdef void decode_float8_e5m2fnuz_float32(const uint8_t* codes, float* y, Py_ssize_t n) noexcept nogil
cdef void decode_float8_e4m3fnuz_float32(const uint8_t* codes, float* y, Py_ssize_t n) noexcept nogil
cdef void decode_float8_e4m3b11fnuz_float32(const uint8_t* codes, float* y, Py_ssize_t n) noexcept nogil
cdef void decode_float8_e4m3_float32(const uint8_t* codes, float* y, Py_ssize_t n) noexcept nogil
cdef void decode_float8_e3m4_float32(const uint8_t* codes, float* y, Py_ssize_t n) noexcept nogil
cdef void decode_float8_e8m0fnu_float32(const uint8_t* codes, float* y, Py_ssize_t n) noexcept nogil
cdef void decode_float6_e3m2fn_float32(const uint8_t* codes, float* y, Py_ssize_t n) noexcept nogil
cdef void decode_float6_e2m3fn_float32(const uint8_t* codes, float* y, Py_ssize_t n) noexcept nogil
cdef void decode_float4_e2m1fn_float32(const uint8_t* codes, float* y, Py_ssize_t n) noexcept nogil
