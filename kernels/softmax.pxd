# The softmax family for those who cimport it: contiguous rows of n elements, one after the other.
#
# y may be x. One thread; the caller's floating-point flags may be raised.
from libc.stdint cimport uint8_t, uint16_t

cdef void softmax_float32(const float* x, float* y, Py_ssize_t rows, Py_ssize_t n) noexcept nogil
cdef void softmax_float64(const double* x, double* y, Py_ssize_t rows, Py_ssize_t n) noexcept nogil
cdef void log_softmax_float32(const float* x, float* y, Py_ssize_t rows, Py_ssize_t n) noexcept nogil
cdef void log_softmax_float64(const double* x, double* y, Py_ssize_t rows, Py_ssize_t n) noexcept nogil

# The same of the bits of 16-bit floats. These and all that follow: whether there was memory for what they have to keep
# of few rows at a time; where there was none, nothing has been written.
cdef bint softmax_bfloat16(const uint16_t* x, uint16_t* y, Py_ssize_t rows, Py_ssize_t n) noexcept nogil
cdef bint softmax_float16(const uint16_t* x, uint16_t* y, Py_ssize_t rows, Py_ssize_t n) noexcept nogil
cdef bint log_softmax_bfloat16(const uint16_t* x, uint16_t* y, Py_ssize_t rows, Py_ssize_t n) noexcept nogil
cdef bint log_softmax_float16(const uint16_t* x, uint16_t* y, Py_ssize_t rows, Py_ssize_t n) noexcept nogil

# y as the softmax gave it; grad_x may be grad or y
cdef bint softmax_backward_float32(const float* grad, const float* y, float* grad_x, Py_ssize_t rows,
                                   Py_ssize_t n) noexcept nogil
cdef bint softmax_backward_float64(const double* grad, const double* y, double* grad_x, Py_ssize_t rows,
                                   Py_ssize_t n) noexcept nogil
cdef bint softmax_backward_bfloat16(const uint16_t* grad, const uint16_t* y, uint16_t* grad_x, Py_ssize_t rows,
                                    Py_ssize_t n) noexcept nogil
cdef bint softmax_backward_float16(const uint16_t* grad, const uint16_t* y, uint16_t* grad_x, Py_ssize_t rows,
                                   Py_ssize_t n) noexcept nogil
cdef bint log_softmax_backward_float32(const float* grad, const float* y, float* grad_x, Py_ssize_t rows,
                                       Py_ssize_t n) noexcept nogil
cdef bint log_softmax_backward_float64(const double* grad, const double* y, double* grad_x, Py_ssize_t rows,
                                       Py_ssize_t n) noexcept nogil
cdef bint log_softmax_backward_bfloat16(const uint16_t* grad, const uint16_t* y, uint16_t* grad_x, Py_ssize_t rows,
                                        Py_ssize_t n) noexcept nogil
cdef bint log_softmax_backward_float16(const uint16_t* grad, const uint16_t* y, uint16_t* grad_x, Py_ssize_t rows,
                                       Py_ssize_t n) noexcept nogil

# one logarithm a row, in float64; the Python function rounds it to the dtype of x
cdef bint logsumexp_float32(const float* x, double* y, Py_ssize_t rows, Py_ssize_t n) noexcept nogil
cdef bint logsumexp_float64(const double* x, double* y, Py_ssize_t rows, Py_ssize_t n) noexcept nogil

# the same of one window of n numbers, for SciPy's generic_filter by its LowLevelCallable; data is not looked at
cdef bint logsumexp_window_float64(double* x, Py_ssize_t n, double* y, void* data) noexcept nogil

# its gradient, of one number arriving at each row
cdef bint logsumexp_backward_float32(const double* grad, const float* x, float* grad_x, Py_ssize_t rows,
                                     Py_ssize_t n) noexcept nogil
cdef bint logsumexp_backward_float64(const double* grad, const double* x, double* grad_x, Py_ssize_t rows,
                                     Py_ssize_t n) noexcept nogil

# Attention's own row: softmax of scale x, 0 where a key is hidden. mask has a byte for each element, not 0 where a key
# is seen; of row i the first counts[i] keys are seen, which makes a row causal. Both may be NULL.
cdef bint masked_softmax_float32(const float* x, const uint8_t* mask, const double* counts, double scale, float* y,
                                 Py_ssize_t rows, Py_ssize_t n) noexcept nogil
cdef bint masked_softmax_float64(const double* x, const uint8_t* mask, const double* counts, double scale, double* y,
                                 Py_ssize_t rows, Py_ssize_t n) noexcept nogil
cdef bint masked_softmax_bfloat16(const uint16_t* x, const uint8_t* mask, const double* counts, double scale,
                                  uint16_t* y, Py_ssize_t rows, Py_ssize_t n) noexcept nogil
cdef bint masked_softmax_float16(const uint16_t* x, const uint8_t* mask, const double* counts, double scale,
                                 uint16_t* y, Py_ssize_t rows, Py_ssize_t n) noexcept nogil

# the gradient of its scores, y as it gave it; grad_x may be grad or y
cdef bint masked_softmax_backward_float32(const float* grad, const float* y, double scale, float* grad_x,
                                          Py_ssize_t rows, Py_ssize_t n) noexcept nogil
cdef bint masked_softmax_backward_float64(const double* grad, const double* y, double scale, double* grad_x,
                                          Py_ssize_t rows, Py_ssize_t n) noexcept nogil
cdef bint masked_softmax_backward_bfloat16(const uint16_t* grad, const uint16_t* y, double scale, uint16_t* grad_x,
                                           Py_ssize_t rows, Py_ssize_t n) noexcept nogil
cdef bint masked_softmax_backward_float16(const uint16_t* grad, const uint16_t* y, double scale, uint16_t* grad_x,
                                          Py_ssize_t rows, Py_ssize_t n) noexcept nogil
