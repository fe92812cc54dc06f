# What layers need beside the other kernels, for those who cimport it: on one thread.
from libc.stdint cimport uint32_t, uint64_t

# y = 0 with probability p, else x / (1 - p); which, is decided by key, generation and the place of an element: so the
# gradient's call with the same drops the same. y may be x.
cdef void dropout_float32(const float* x, double p, uint64_t key, uint32_t generation, float* y,
                          Py_ssize_t n) noexcept nogil
cdef void dropout_float64(const double* x, double p, uint64_t key, uint32_t generation, double* y,
                          Py_ssize_t n) noexcept nogil

# y[n] = the sum of the rows of x, each of n numbers: the gradient of a bias
cdef void sum_rows_float32(const float* x, float* y, Py_ssize_t rows, Py_ssize_t n) noexcept nogil
cdef void sum_rows_float64(const double* x, double* y, Py_ssize_t rows, Py_ssize_t n) noexcept nogil

# y[rows, n] = relu(y + bias[n]): what follows the product of a linear layer, in one pass
cdef void bias_relu_float32(const float* bias, float* y, Py_ssize_t rows, Py_ssize_t n) noexcept nogil
cdef void bias_relu_float64(const double* bias, double* y, Py_ssize_t rows, Py_ssize_t n) noexcept nogil

# the way back, of the gradient arriving and of y as bias_relu made it: grad_x[rows, n] = grad where y > 0, else 0, and
# grad_bias[n] = the sum of its rows. grad_x may be grad.
cdef void bias_relu_backward_float32(const float* grad, const float* y, float* grad_x, float* grad_bias,
                                     Py_ssize_t rows, Py_ssize_t n) noexcept nogil
cdef void bias_relu_backward_float64(const double* grad, const double* y, double* grad_x, double* grad_bias,
                                     Py_ssize_t rows, Py_ssize_t n) noexcept nogil
