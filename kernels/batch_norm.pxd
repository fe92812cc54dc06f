# Batch norm by statistics that are known, for those who cimport it: x is (batch, channels, size), contiguous, where
# size is the product of the axes behind the channels.
#
# Of each channel, mean and variance are known, and weight and bias, which may be NULL. y may be x. One thread; the
# caller's floating-point flags may be raised.

cdef void batch_norm_float32(const float* x, const float* mean, const float* variance, const float* weight,
                             const float* bias, double eps, float* y, Py_ssize_t batch, Py_ssize_t channels,
                             Py_ssize_t size) noexcept nogil
cdef void batch_norm_float64(const double* x, const double* mean, const double* variance, const double* weight,
                             const double* bias, double eps, double* y, Py_ssize_t batch, Py_ssize_t channels,
                             Py_ssize_t size) noexcept nogil
