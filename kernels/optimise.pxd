# Steps of optimisers for those who cimport them: one array of n parameters, in place, on one thread. The arrays may not
# overlap. Nothing is checked.

# param -= lr * velocity, where velocity = momentum * velocity + (1 - dampening) * g, g = grad + weight_decay * param;
# with nesterov param -= lr * (g + momentum * velocity). velocity is NULL where there is no momentum. (torch.optim.SGD
# begins with a velocity that is the first gradient, undampened.)
cdef void sgd_step_float32(float* param, const float* grad, float* velocity, double lr, double momentum,
                           double dampening, bint nesterov, double weight_decay, Py_ssize_t n) noexcept nogil
cdef void sgd_step_float64(double* param, const double* grad, double* velocity, double lr, double momentum,
                           double dampening, bint nesterov, double weight_decay, Py_ssize_t n) noexcept nogil

# first and second are running means of the gradient and of its square, which begin as 0; step counts from 1
cdef void adamw_step_float32(float* param, const float* grad, float* first, float* second, double step, double lr,
                             double beta1, double beta2, double eps, double weight_decay, Py_ssize_t n) noexcept nogil
cdef void adamw_step_float64(double* param, const double* grad, double* first, double* second, double step, double lr,
                             double beta1, double beta2, double eps, double weight_decay, Py_ssize_t n) noexcept nogil

# the norm to clip by: the sum of |scale * x| (p = 1) or of its squares (p = 2)
cdef double sum_powers_float32(const float* x, double p, double scale, Py_ssize_t n) noexcept nogil
cdef double sum_powers_float64(const double* x, double p, double scale, Py_ssize_t n) noexcept nogil
