# The norms for those who cimport them: contiguous rows of n elements, one after the other.
#
# weight and bias have n elements, or are NULL. Statistics are float64 whatever the rows are, one a row, and may
# be NULL where they are not wanted. y may be x. One thread; the caller's floating-point flags may be raised.
from libc.stdint cimport uint16_t

cdef void rms_norm_float32(const float* x, const float* weight, double eps, float* y, double* rstd, Py_ssize_t rows,
                           Py_ssize_t n) noexcept nogil
cdef void rms_norm_float64(const double* x, const double* weight, double eps, double* y, double* rstd,
                           Py_ssize_t rows, Py_ssize_t n) noexcept nogil
cdef void layer_norm_float32(const float* x, const float* weight, const float* bias, double eps, float* y,
                             double* mean, double* rstd, Py_ssize_t rows, Py_ssize_t n) noexcept nogil
cdef void layer_norm_float64(const double* x, const double* weight, const double* bias, double eps, double* y,
                             double* mean, double* rstd, Py_ssize_t rows, Py_ssize_t n) noexcept nogil

# The same of the bits of 16-bit floats. These and all that follow: whether there was memory for what they have to keep
# (of few rows at a time, or of sums over the rows); where there was none, nothing has been written.
cdef bint rms_norm_bfloat16(const uint16_t* x, const uint16_t* weight, double eps, uint16_t* y, double* rstd,
                            Py_ssize_t rows, Py_ssize_t n) noexcept nogil
cdef bint rms_norm_float16(const uint16_t* x, const uint16_t* weight, double eps, uint16_t* y, double* rstd,
                           Py_ssize_t rows, Py_ssize_t n) noexcept nogil
cdef bint layer_norm_bfloat16(const uint16_t* x, const uint16_t* weight, const uint16_t* bias, double eps, uint16_t* y,
                              double* mean, double* rstd, Py_ssize_t rows, Py_ssize_t n) noexcept nogil
cdef bint layer_norm_float16(const uint16_t* x, const uint16_t* weight, const uint16_t* bias, double eps, uint16_t* y,
                             double* mean, double* rstd, Py_ssize_t rows, Py_ssize_t n) noexcept nogil

# new_residual = x + residual, and y is its rms_norm; new_residual may be residual
cdef bint add_rms_norm_float32(const float* x, const float* residual, const float* weight, double eps, float* y,
                               float* new_residual, double* rstd, Py_ssize_t rows, Py_ssize_t n) noexcept nogil
cdef bint add_rms_norm_float64(const double* x, const double* residual, const double* weight, double eps, double* y,
                               double* new_residual, double* rstd, Py_ssize_t rows, Py_ssize_t n) noexcept nogil
cdef bint add_rms_norm_bfloat16(const uint16_t* x, const uint16_t* residual, const uint16_t* weight, double eps,
                                uint16_t* y, uint16_t* new_residual, double* rstd, Py_ssize_t rows,
                                Py_ssize_t n) noexcept nogil
cdef bint add_rms_norm_float16(const uint16_t* x, const uint16_t* residual, const uint16_t* weight, double eps,
                               uint16_t* y, uint16_t* new_residual, double* rstd, Py_ssize_t rows,
                               Py_ssize_t n) noexcept nogil

# rstd, and mean, as the norm gave them. Sums over the rows may be NULL where they are not wanted, in float32 for 16-bit
# floats; grad_x may be grad or x
cdef bint rms_norm_backward_float32(const float* grad, const float* x, const float* weight, const double* rstd,
                                    float* grad_x, float* grad_weight, Py_ssize_t rows, Py_ssize_t n) noexcept nogil
cdef bint rms_norm_backward_float64(const double* grad, const double* x, const double* weight, const double* rstd,
                                    double* grad_x, double* grad_weight, Py_ssize_t rows, Py_ssize_t n) noexcept nogil
cdef bint rms_norm_backward_bfloat16(const uint16_t* grad, const uint16_t* x, const uint16_t* weight,
                                     const double* rstd, uint16_t* grad_x, float* grad_weight, Py_ssize_t rows,
                                     Py_ssize_t n) noexcept nogil
cdef bint rms_norm_backward_float16(const uint16_t* grad, const uint16_t* x, const uint16_t* weight, const double* rstd,
                                    uint16_t* grad_x, float* grad_weight, Py_ssize_t rows, Py_ssize_t n) noexcept nogil
cdef bint layer_norm_backward_float32(const float* grad, const float* x, const float* weight, const double* mean,
                                      const double* rstd, float* grad_x, float* grad_weight, float* grad_bias,
                                      Py_ssize_t rows, Py_ssize_t n) noexcept nogil
cdef bint layer_norm_backward_float64(const double* grad, const double* x, const double* weight, const double* mean,
                                      const double* rstd, double* grad_x, double* grad_weight, double* grad_bias,
                                      Py_ssize_t rows, Py_ssize_t n) noexcept nogil
cdef bint layer_norm_backward_bfloat16(const uint16_t* grad, const uint16_t* x, const uint16_t* weight,
                                       const double* mean, const double* rstd, uint16_t* grad_x, float* grad_weight,
                                       float* grad_bias, Py_ssize_t rows, Py_ssize_t n) noexcept nogil
cdef bint layer_norm_backward_float16(const uint16_t* grad, const uint16_t* x, const uint16_t* weight,
                                      const double* mean, const double* rstd, uint16_t* grad_x, float* grad_weight,
                                      float* grad_bias, Py_ssize_t rows, Py_ssize_t n) noexcept nogil

# x is (batch, channels, size), where size is the product of the axes behind the channels; groups divides the channels.
# weight and bias have as many elements as there are channels, or are NULL; statistics are (batch, groups), or NULL
cdef bint group_norm_float32(const float* x, const float* weight, const float* bias, double eps, float* y, double* mean,
                             double* rstd, Py_ssize_t batch, Py_ssize_t channels, Py_ssize_t size,
                             Py_ssize_t groups) noexcept nogil
cdef bint group_norm_float64(const double* x, const double* weight, const double* bias, double eps, double* y,
                             double* mean, double* rstd, Py_ssize_t batch, Py_ssize_t channels, Py_ssize_t size,
                             Py_ssize_t groups) noexcept nogil

# the same of the bits of 16-bit floats, with float32 for each channel
cdef bint group_norm_bfloat16(const uint16_t* x, const float* weight, const float* bias, double eps, uint16_t* y,
                              double* mean, double* rstd, Py_ssize_t batch, Py_ssize_t channels, Py_ssize_t size,
                              Py_ssize_t groups) noexcept nogil
cdef bint group_norm_float16(const uint16_t* x, const float* weight, const float* bias, double eps, uint16_t* y,
                             double* mean, double* rstd, Py_ssize_t batch, Py_ssize_t channels, Py_ssize_t size,
                             Py_ssize_t groups) noexcept nogil

# statistics as the norm gave them, (batch, groups); grad_x may be grad or x, and grad_weight and grad_bias, of each
# channel, may be NULL
cdef bint group_norm_backward_float32(const float* grad, const float* x, const float* weight, const double* mean,
                                      const double* rstd, float* grad_x, float* grad_weight, float* grad_bias,
                                      Py_ssize_t batch, Py_ssize_t channels, Py_ssize_t size,
                                      Py_ssize_t groups) noexcept nogil
cdef bint group_norm_backward_float64(const double* grad, const double* x, const double* weight, const double* mean,
                                      const double* rstd, double* grad_x, double* grad_weight, double* grad_bias,
                                      Py_ssize_t batch, Py_ssize_t channels, Py_ssize_t size,
                                      Py_ssize_t groups) noexcept nogil

# of 16 bits as above
cdef bint group_norm_backward_bfloat16(const uint16_t* grad, const uint16_t* x, const float* weight, const double* mean,
                                       const double* rstd, uint16_t* grad_x, float* grad_weight, float* grad_bias,
                                       Py_ssize_t batch, Py_ssize_t channels, Py_ssize_t size,
                                       Py_ssize_t groups) noexcept nogil
cdef bint group_norm_backward_float16(const uint16_t* grad, const uint16_t* x, const float* weight, const double* mean,
                                      const double* rstd, uint16_t* grad_x, float* grad_weight, float* grad_bias,
                                      Py_ssize_t batch, Py_ssize_t channels, Py_ssize_t size,
                                      Py_ssize_t groups) noexcept nogil
