# Random numbers for those who cimport them: y[i] is decided by key, generation and i, and by nothing else. One thread.
from libc.stdint cimport uint32_t, uint64_t

# start + scale * u, u uniform in [0, 1)
cdef void uniform_float32(uint64_t key, uint32_t generation, double start, double scale, float* y,
                          Py_ssize_t n) noexcept nogil
cdef void uniform_float64(uint64_t key, uint32_t generation, double start, double scale, double* y,
                          Py_ssize_t n) noexcept nogil

# mean + deviation * a standard normal number
cdef void normal_float32(uint64_t key, uint32_t generation, double mean, double deviation, float* y,
                         Py_ssize_t n) noexcept nogil
cdef void normal_float64(uint64_t key, uint32_t generation, double mean, double deviation, double* y,
                         Py_ssize_t n) noexcept nogil

# The generator itself, Philox4x32-10 of Salmon et al.: four words of each counter from a first one, of 128 bits, on
cdef void philox_uint32(uint64_t key, uint64_t counter_low, uint64_t counter_high, uint32_t* y,
                        Py_ssize_t n) noexcept nogil
