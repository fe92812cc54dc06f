# Losses of pairs of numbers for those who cimport them: contiguous arrays of n elements, on one thread. y may be x, and
# so may grad_x. grad has n elements, or is NULL: then it is 1 for all.

cdef void mse_float32(const float* x, const float* target, float* y, Py_ssize_t n) noexcept nogil
cdef void mse_backward_float32(const float* grad, const float* x, const float* target, float* grad_x,
                               Py_ssize_t n) noexcept nogil
cdef void mse_float64(const double* x, const double* target, double* y, Py_ssize_t n) noexcept nogil
cdef void mse_backward_float64(const double* grad, const double* x, const double* target, double* grad_x,
                               Py_ssize_t n) noexcept nogil

cdef void l1_float32(const float* x, const float* target, float* y, Py_ssize_t n) noexcept nogil
cdef void l1_backward_float32(const float* grad, const float* x, const float* target, float* grad_x,
                              Py_ssize_t n) noexcept nogil
cdef void l1_float64(const double* x, const double* target, double* y, Py_ssize_t n) noexcept nogil
cdef void l1_backward_float64(const double* grad, const double* x, const double* target, double* grad_x,
                              Py_ssize_t n) noexcept nogil

cdef void huber_float32(const float* x, const float* target, double delta, float* y, Py_ssize_t n) noexcept nogil
cdef void huber_backward_float32(const float* grad, const float* x, const float* target, double delta, float* grad_x,
                                 Py_ssize_t n) noexcept nogil
cdef void huber_float64(const double* x, const double* target, double delta, double* y, Py_ssize_t n) noexcept nogil
cdef void huber_backward_float64(const double* grad, const double* x, const double* target, double delta,
                                 double* grad_x, Py_ssize_t n) noexcept nogil

cdef void binary_cross_entropy_with_logits_float32(const float* x, const float* target, float* y,
                                                   Py_ssize_t n) noexcept nogil
cdef void binary_cross_entropy_with_logits_backward_float32(const float* grad, const float* x, const float* target,
                                                            float* grad_x, Py_ssize_t n) noexcept nogil
cdef void binary_cross_entropy_with_logits_float64(const double* x, const double* target, double* y,
                                                   Py_ssize_t n) noexcept nogil
cdef void binary_cross_entropy_with_logits_backward_float64(const double* grad, const double* x, const double* target,
                                                            double* grad_x, Py_ssize_t n) noexcept nogil
