# How far two packed 4-bit genomes are apart, for those who cimport.
from libc.stdint cimport uint8_t


# how many bits of n weights differ, or, by_weight, how many weights
cdef Py_ssize_t hamming_distance_uint8(const uint8_t* a, const uint8_t* b, Py_ssize_t n, bint by_weight) noexcept nogil
