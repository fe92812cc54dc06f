# The flat kernels of the activations, to cimport: contiguous arrays of n elements, no Python, no GIL, no threads; y may
# be x. Frozen: names and signatures are checked against tests/embedding/signatures.txt.
cdef void exp_float32(const float* x, float* y, Py_ssize_t n) noexcept nogil
cdef void exp_float64(const double* x, double* y, Py_ssize_t n) noexcept nogil
cdef void expm1_float32(const float* x, float* y, Py_ssize_t n) noexcept nogil
cdef void expm1_float64(const double* x, double* y, Py_ssize_t n) noexcept nogil
cdef void log_float32(const float* x, float* y, Py_ssize_t n) noexcept nogil
cdef void log_float64(const double* x, double* y, Py_ssize_t n) noexcept nogil
cdef void log1p_float32(const float* x, float* y, Py_ssize_t n) noexcept nogil
cdef void log1p_float64(const double* x, double* y, Py_ssize_t n) noexcept nogil
cdef void erf_float32(const float* x, float* y, Py_ssize_t n) noexcept nogil
cdef void erf_float64(const double* x, double* y, Py_ssize_t n) noexcept nogil
cdef void relu_float32(const float* x, float* y, Py_ssize_t n) noexcept nogil
cdef void relu_float64(const double* x, double* y, Py_ssize_t n) noexcept nogil
cdef void sigmoid_float32(const float* x, float* y, Py_ssize_t n) noexcept nogil
cdef void sigmoid_float64(const double* x, double* y, Py_ssize_t n) noexcept nogil
cdef void tanh_float32(const float* x, float* y, Py_ssize_t n) noexcept nogil
cdef void tanh_float64(const double* x, double* y, Py_ssize_t n) noexcept nogil
cdef void silu_float32(const float* x, float* y, Py_ssize_t n) noexcept nogil
cdef void silu_float64(const double* x, double* y, Py_ssize_t n) noexcept nogil
cdef void gelu_float32(const float* x, float* y, Py_ssize_t n) noexcept nogil
cdef void gelu_float64(const double* x, double* y, Py_ssize_t n) noexcept nogil
cdef void relu_backward_float32(const float* grad, const float* x, float* grad_x, Py_ssize_t n) noexcept nogil
cdef void relu_backward_float64(const double* grad, const double* x, double* grad_x, Py_ssize_t n) noexcept nogil
cdef void sigmoid_backward_float32(const float* grad, const float* y, float* grad_x, Py_ssize_t n) noexcept nogil
cdef void sigmoid_backward_float64(const double* grad, const double* y, double* grad_x, Py_ssize_t n) noexcept nogil
cdef void tanh_backward_float32(const float* grad, const float* y, float* grad_x, Py_ssize_t n) noexcept nogil
cdef void tanh_backward_float64(const double* grad, const double* y, double* grad_x, Py_ssize_t n) noexcept nogil
cdef void silu_backward_float32(const float* grad, const float* x, float* grad_x, Py_ssize_t n) noexcept nogil
cdef void silu_backward_float64(const double* grad, const double* x, double* grad_x, Py_ssize_t n) noexcept nogil
cdef void gelu_backward_float32(const float* grad, const float* x, float* grad_x, Py_ssize_t n) noexcept nogil
cdef void gelu_backward_float64(const double* grad, const double* x, double* grad_x, Py_ssize_t n) noexcept nogil
