# A linear layer whose weights stay packed 4-bit codes, for those who cimport.
from libc.stdint cimport uint8_t


# y[rows][outputs] = x[rows][inputs] @ weights.T + bias, weights[o][i] = levels[code] * scales[o][i // group], rounded.
# codes[outputs][ceil(inputs / 2)] holds weight 2i in the low nibble of byte i; each output has a scale for each of its
# ceil(inputs / group) groups, where group is a multiple of 16 or at least `inputs`; bias may be NULL.
# Runs on up to num_threads threads, one where that is less than 1; whether there was memory for the tiles that it
# works in.
cdef bint linear4_float32(const uint8_t* codes, const float* levels, const float* scales, Py_ssize_t group,
                          const float* bias, const float* x, float* y, Py_ssize_t rows, Py_ssize_t inputs,
                          Py_ssize_t outputs, int num_threads) noexcept nogil

# the same of weights[o][i] = levels[code] * scales[o][i // group] + offsets[o][i // group], rounded once; offsets may
# be NULL
cdef bint linear4_offset_float32(const uint8_t* codes, const float* levels, const float* scales, const float* offsets,
                                 Py_ssize_t group, const float* bias, const float* x, float* y, Py_ssize_t rows,
                                 Py_ssize_t inputs, Py_ssize_t outputs, int num_threads) noexcept nogil
