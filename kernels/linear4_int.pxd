# linear4 on whole numbers, for those who cimport.
from libc.stdint cimport int16_t, uint8_t


# As linear4_offset_float32, but x[row] is rounded to whole parts of its largest magnitude, 32639 of them if bits is 16
# and 127 if it is 8, and weights[o][i] = steps[code] * step * scales[o][i // group] + offsets[o][i // group], of
# steps from -128 to 128. Sums of whole numbers are exact; a row with a NaN or an infinity is NaN throughout. Returns
# whether it was done: not where bits is neither, or there was no memory.
cdef bint linear4_int_float32(const uint8_t* codes, const int16_t* steps, double step, const float* scales,
                              const float* offsets, Py_ssize_t group, const float* bias, const float* x, float* y,
                              Py_ssize_t rows, Py_ssize_t inputs, Py_ssize_t outputs, int bits,
                              int num_threads) noexcept nogil
