# Rows over their length, for those who cimport it: contiguous rows of n elements, one after the other; or over eps
# where that is more. The length is that of any p above 0, as the Python function has it. Whether there was memory.

cdef bint normalize_float32(const float* x, double p, double eps, float* y, Py_ssize_t rows,
                            Py_ssize_t n) noexcept nogil
cdef bint normalize_float64(const double* x, double p, double eps, double* y, Py_ssize_t rows,
                            Py_ssize_t n) noexcept nogil
cdef bint normalize_backward_float32(const float* grad, const float* x, double p, double eps, float* grad_x,
                                     Py_ssize_t rows, Py_ssize_t n) noexcept nogil
cdef bint normalize_backward_float64(const double* grad, const double* x, double p, double eps, double* grad_x,
                                     Py_ssize_t rows, Py_ssize_t n) noexcept nogil

# Rows whose pairs are turned by an angle each: neighbours if interleaved, elements i and i + pairs if not, and
# 2 pairs <= n. cosines and sines have rows of `pairs` numbers. y may be x, grad_x may be grad.
cdef void rotary_embedding_float32(const float* x, const float* cosines, const float* sines, bint interleaved, float* y,
                                   Py_ssize_t rows, Py_ssize_t n, Py_ssize_t pairs) noexcept nogil
cdef void rotary_embedding_float64(const double* x, const double* cosines, const double* sines, bint interleaved,
                                   double* y, Py_ssize_t rows, Py_ssize_t n, Py_ssize_t pairs) noexcept nogil
cdef void rotary_embedding_backward_float32(const float* grad, const float* cosines, const float* sines,
                                            bint interleaved, float* grad_x, Py_ssize_t rows, Py_ssize_t n,
                                            Py_ssize_t pairs) noexcept nogil
cdef void rotary_embedding_backward_float64(const double* grad, const double* cosines, const double* sines,
                                            bint interleaved, double* grad_x, Py_ssize_t rows, Py_ssize_t n,
                                            Py_ssize_t pairs) noexcept nogil
