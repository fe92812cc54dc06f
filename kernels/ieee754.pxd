# IEEE-754 for those who cimport: fields, classes, ULPs, and float32 rounded into every smaller format and back.
#
# All work on contiguous arrays of n elements that do not overlap, on one thread, and leave the floating-point flags
# and rounding of the caller as they were. A code is a number's bits, unsigned, 0 in what a byte has above them.
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t


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

# the neighbours above and below, as IEEE 754's nextUp and nextDown; how many numbers a and b are apart (two NaNs 0, a
# NaN and a number 2^63 - 1); 1 where x is whole and counts exactly (up to 2^24, of float64 to 2^53), else 0
cdef void next_up_float32(const float* x, float* y, Py_ssize_t n) noexcept nogil
cdef void next_down_float32(const float* x, float* y, Py_ssize_t n) noexcept nogil
cdef void ulp_distance_float32(const float* a, const float* b, int64_t* distance, Py_ssize_t n) noexcept nogil
cdef void is_exact_integer_float32(const float* x, uint8_t* exact, Py_ssize_t n) noexcept nogil
cdef void next_up_float64(const double* x, double* y, Py_ssize_t n) noexcept nogil
cdef void next_down_float64(const double* x, double* y, Py_ssize_t n) noexcept nogil
cdef void ulp_distance_float64(const double* a, const double* b, int64_t* distance, Py_ssize_t n) noexcept nogil
cdef void is_exact_integer_float64(const double* x, uint8_t* exact, Py_ssize_t n) noexcept nogil

# Rows of n numbers in blocks that share a scale, 32 each (of nvfp4 16), of which the last of a row may have fewer:
# codes[rows, n], one a byte, and scales[rows, ceil(n / block)], as lanewise.ieee754.mx_encode describes them; numbers
# go to the nearest, ties to even
cdef void encode_mxfp8_e5m2_float32(const float* x, uint8_t* codes, uint8_t* scales, Py_ssize_t rows,
                                    Py_ssize_t n) noexcept nogil
cdef void encode_mxfp8_e4m3_float32(const float* x, uint8_t* codes, uint8_t* scales, Py_ssize_t rows,
                                    Py_ssize_t n) noexcept nogil
cdef void encode_mxfp6_e3m2_float32(const float* x, uint8_t* codes, uint8_t* scales, Py_ssize_t rows,
                                    Py_ssize_t n) noexcept nogil
cdef void encode_mxfp6_e2m3_float32(const float* x, uint8_t* codes, uint8_t* scales, Py_ssize_t rows,
                                    Py_ssize_t n) noexcept nogil
cdef void encode_mxfp4_float32(const float* x, uint8_t* codes, uint8_t* scales, Py_ssize_t rows,
                               Py_ssize_t n) noexcept nogil
cdef void encode_mxint8_float32(const float* x, uint8_t* codes, uint8_t* scales, Py_ssize_t rows,
                                Py_ssize_t n) noexcept nogil
cdef void encode_nvfp4_float32(const float* x, float tensor_scale, uint8_t* codes, uint8_t* scales, Py_ssize_t rows,
                               Py_ssize_t n) noexcept nogil

# the scale of the array that lanewise.ieee754.mx_encode chooses for n numbers: the largest finite magnitude over 2688
cdef float nvfp4_scale_float32(const float* x, Py_ssize_t n) noexcept nogil

# each element times the scale of its block; NaN where that is NaN
cdef void decode_mxfp8_e5m2_float32(const uint8_t* codes, const uint8_t* scales, float* y, Py_ssize_t rows,
                                    Py_ssize_t n) noexcept nogil
cdef void decode_mxfp8_e4m3_float32(const uint8_t* codes, const uint8_t* scales, float* y, Py_ssize_t rows,
                                    Py_ssize_t n) noexcept nogil
cdef void decode_mxfp6_e3m2_float32(const uint8_t* codes, const uint8_t* scales, float* y, Py_ssize_t rows,
                                    Py_ssize_t n) noexcept nogil
cdef void decode_mxfp6_e2m3_float32(const uint8_t* codes, const uint8_t* scales, float* y, Py_ssize_t rows,
                                    Py_ssize_t n) noexcept nogil
cdef void decode_mxfp4_float32(const uint8_t* codes, const uint8_t* scales, float* y, Py_ssize_t rows,
                               Py_ssize_t n) noexcept nogil
cdef void decode_mxint8_float32(const uint8_t* codes, const uint8_t* scales, float* y, Py_ssize_t rows,
                                Py_ssize_t n) noexcept nogil
cdef void decode_nvfp4_float32(const uint8_t* codes, const uint8_t* scales, float tensor_scale, float* y,
                               Py_ssize_t rows, Py_ssize_t n) noexcept nogil
