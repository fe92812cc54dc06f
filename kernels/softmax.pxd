# The softmax family for those who cimport it: contiguous rows of n elements, one after the other.
#
# y may be x. One thread; the caller's floating-point flags may be raised.
cdef void softmax_float32(const float* x, float* y, Py_ssize_t rows, Py_ssize_t n) noexcept nogil
cdef void softmax_float64(const double* x, double* y, Py_ssize_t rows, Py_ssize_t n) noexcept nogil
cdef void log_softmax_float32(const float* x, float* y, Py_ssize_t rows, Py_ssize_t n) noexcept nogil
cdef void log_softmax_float64(const double* x, double* y, Py_ssize_t rows, Py_ssize_t n) noexcept nogil
