# Batch norm by statistics that are known, for those who cimport it: x is (batch, channels, size), contiguous, where
# size is the product of the axes behind the channels.
#
# Of each channel, mean and variance are known, and weight and bias, which may be NULL. y may be x. One thread; the
# caller's floating-point flags may be raised.
from libc.stdint cimport uint16_t

cdef void batch_norm_float32(const float* x, const float* mean, const float* variance, const float* weight,
                             const float* bias, double eps, float* y, Py_ssize_t batch, Py_ssize_t channels,
                             Py_ssize_t size) noexcept nogil
cdef void batch_norm_float64(const double* x, const double* mean, const double* variance, const double* weight,
                             const double* bias, double eps, double* y, Py_ssize_t batch, Py_ssize_t channels,
                             Py_ssize_t size) noexcept nogil

# the same of the bits of 16-bit floats, with float32 for each channel
cdef void batch_norm_bfloat16(const uint16_t* x, const float* mean, const float* variance, const float* weight,
                              const float* bias, double eps, uint16_t* y, Py_ssize_t batch, Py_ssize_t channels,
                              Py_ssize_t size) noexcept nogil
cdef void batch_norm_float16(const uint16_t* x, const float* mean, const float* variance, const float* weight,
                             const float* bias, double eps, uint16_t* y, Py_ssize_t batch, Py_ssize_t channels,
                             Py_ssize_t size) noexcept nogil

# By statistics of the batch, whose channels have two elements or more. Mean, variance (which divides by how many there
# are, and not by one less) and rstd of each channel are given back where they are not NULL. These and the gradients
# return whether there was memory for the sums; where there was none, nothing has been written. The bits are those of
# Python's functions.
cdef bint batch_norm_training_float32(const float* x, const float* weight, const float* bias, double eps, float* y,
                                      double* mean, double* variance, double* rstd, Py_ssize_t batch,
                                      Py_ssize_t channels, Py_ssize_t size) noexcept nogil
cdef bint batch_norm_training_float64(const double* x, const double* weight, const double* bias, double eps, double* y,
                                      double* mean, double* variance, double* rstd, Py_ssize_t batch,
                                      Py_ssize_t channels, Py_ssize_t size) noexcept nogil

# of 16 bits as above
cdef bint batch_norm_training_bfloat16(const uint16_t* x, const float* weight, const float* bias, double eps,
                                       uint16_t* y, double* mean, double* variance, double* rstd, Py_ssize_t batch,
                                       Py_ssize_t channels, Py_ssize_t size) noexcept nogil
cdef bint batch_norm_training_float16(const uint16_t* x, const float* weight, const float* bias, double eps,
                                      uint16_t* y, double* mean, double* variance, double* rstd, Py_ssize_t batch,
                                      Py_ssize_t channels, Py_ssize_t size) noexcept nogil

# training is 1 where the forward's statistics were those of the batch, 0 where they were known. grad_x may be grad or
# x; grad_weight and grad_bias, of each channel, may be NULL
cdef bint batch_norm_backward_float32(const float* grad, const float* x, const float* weight, const double* mean,
                                      const double* rstd, int training, float* grad_x, float* grad_weight,
                                      float* grad_bias, Py_ssize_t batch, Py_ssize_t channels,
                                      Py_ssize_t size) noexcept nogil
cdef bint batch_norm_backward_float64(const double* grad, const double* x, const double* weight, const double* mean,
                                      const double* rstd, int training, double* grad_x, double* grad_weight,
                                      double* grad_bias, Py_ssize_t batch, Py_ssize_t channels,
                                      Py_ssize_t size) noexcept nogil

# of 16 bits as above
cdef bint batch_norm_backward_bfloat16(const uint16_t* grad, const uint16_t* x, const float* weight, const double* mean,
                                       const double* rstd, int training, uint16_t* grad_x, float* grad_weight,
                                       float* grad_bias, Py_ssize_t batch, Py_ssize_t channels,
                                       Py_ssize_t size) noexcept nogil
cdef bint batch_norm_backward_float16(const uint16_t* grad, const uint16_t* x, const float* weight, const double* mean,
                                      const double* rstd, int training, uint16_t* grad_x, float* grad_weight,
                                      float* grad_bias, Py_ssize_t batch, Py_ssize_t channels,
                                      Py_ssize_t size) noexcept nogil
