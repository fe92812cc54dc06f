# The norms for those who cimport them: contiguous rows of n elements, one after the other.
#
# weight and bias have n elements, or are NULL. Statistics are float64 whatever the rows are, one a row, and may
# be NULL where they are not wanted. y may be x. One thread; the caller's floating-point flags may be raised.
cdef void rms_norm_float32(const float* x, const float* weight, double eps, float* y, double* rstd, Py_ssize_t rows,
                           Py_ssize_t n) noexcept nogil
cdef void rms_norm_float64(const double* x, const double* weight, double eps, double* y, double* rstd,
                           Py_ssize_t rows, Py_ssize_t n) noexcept nogil
cdef void layer_norm_float32(const float* x, const float* weight, const float* bias, double eps, float* y,
                             double* mean, double* rstd, Py_ssize_t rows, Py_ssize_t n) noexcept nogil
cdef void layer_norm_float64(const double* x, const double* weight, const double* bias, double eps, double* y,
                             double* mean, double* rstd, Py_ssize_t rows, Py_ssize_t n) noexcept nogil
