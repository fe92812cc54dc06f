# The reparametrised normal and its divergence from the standard one, for those who cimport them: contiguous arrays of n
# elements, on one thread. An output may be the input at the same place.

# z = mu + exp(logvar / 2) eps
cdef void reparameterize_float32(const float* mu, const float* logvar, const float* eps, float* z,
                                 Py_ssize_t n) noexcept nogil
cdef void reparameterize_float64(const double* mu, const double* logvar, const double* eps, double* z,
                                 Py_ssize_t n) noexcept nogil

# with respect to logvar; with respect to mu it is grad
cdef void reparameterize_backward_float32(const float* grad, const float* logvar, const float* eps, float* grad_logvar,
                                          Py_ssize_t n) noexcept nogil
cdef void reparameterize_backward_float64(const double* grad, const double* logvar, const double* eps,
                                          double* grad_logvar, Py_ssize_t n) noexcept nogil

# y[rows] = the sum over a row of n dimensions of (mu^2 + exp(logvar) - 1 - logvar) / 2
cdef void kl_standard_normal_float32(const float* mu, const float* logvar, float* y, Py_ssize_t rows,
                                     Py_ssize_t n) noexcept nogil
cdef void kl_standard_normal_float64(const double* mu, const double* logvar, double* y, Py_ssize_t rows,
                                     Py_ssize_t n) noexcept nogil

# grad has n elements here: that of its row, for each dimension
cdef void kl_standard_normal_backward_float32(const float* grad, const float* mu, const float* logvar, float* grad_mu,
                                              float* grad_logvar, Py_ssize_t n) noexcept nogil
cdef void kl_standard_normal_backward_float64(const double* grad, const double* mu, const double* logvar,
                                              double* grad_mu, double* grad_logvar, Py_ssize_t n) noexcept nogil
