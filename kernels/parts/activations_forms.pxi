# Other forms of the flat kernels of the activations, for callers from C; a part of activations.pyx, from which
# tools/forms.py writes it.

cdef void passed(void* kernel, Dtype dtype, int arrays, int numbers, int outputs, const operand* operands,
                 Py_ssize_t n) noexcept nogil:
    # called by each form, not copied to it
    pass_through(kernel, dtype, arrays, numbers, outputs, operands, n)


cdef double exp_point_float64(double x) noexcept nogil:
    cdef double y
    exp_float64(&x, &y, 1)
    return y

cdef double expm1_point_float64(double x) noexcept nogil:
    cdef double y
    expm1_float64(&x, &y, 1)
    return y

cdef double log_point_float64(double x) noexcept nogil:
    cdef double y
    log_float64(&x, &y, 1)
    return y

cdef double log1p_point_float64(double x) noexcept nogil:
    cdef double y
    log1p_float64(&x, &y, 1)
    return y

cdef double erf_point_float64(double x) noexcept nogil:
    cdef double y
    erf_float64(&x, &y, 1)
    return y

cdef double erfc_point_float64(double x) noexcept nogil:
    cdef double y
    erfc_float64(&x, &y, 1)
    return y

cdef double relu_point_float64(double x) noexcept nogil:
    cdef double y
    relu_float64(&x, &y, 1)
    return y

cdef double relu6_point_float64(double x) noexcept nogil:
    cdef double y
    relu6_float64(&x, &y, 1)
    return y

cdef double relu_squared_point_float64(double x) noexcept nogil:
    cdef double y
    relu_squared_float64(&x, &y, 1)
    return y

cdef double sigmoid_point_float64(double x) noexcept nogil:
    cdef double y
    sigmoid_float64(&x, &y, 1)
    return y

cdef double tanh_point_float64(double x) noexcept nogil:
    cdef double y
    tanh_float64(&x, &y, 1)
    return y

cdef double silu_point_float64(double x) noexcept nogil:
    cdef double y
    silu_float64(&x, &y, 1)
    return y

cdef double gelu_point_float64(double x) noexcept nogil:
    cdef double y
    gelu_float64(&x, &y, 1)
    return y

cdef double gelu_tanh_point_float64(double x) noexcept nogil:
    cdef double y
    gelu_tanh_float64(&x, &y, 1)
    return y

cdef double mish_point_float64(double x) noexcept nogil:
    cdef double y
    mish_float64(&x, &y, 1)
    return y

cdef double softsign_point_float64(double x) noexcept nogil:
    cdef double y
    softsign_float64(&x, &y, 1)
    return y

cdef double softplus_point_float64(double x) noexcept nogil:
    cdef double y
    softplus_float64(&x, &y, 1)
    return y

cdef double logsigmoid_point_float64(double x) noexcept nogil:
    cdef double y
    logsigmoid_float64(&x, &y, 1)
    return y

cdef double log1mexp_point_float64(double x) noexcept nogil:
    cdef double y
    log1mexp_float64(&x, &y, 1)
    return y

cdef double selu_point_float64(double x) noexcept nogil:
    cdef double y
    selu_float64(&x, &y, 1)
    return y

cdef double tanhshrink_point_float64(double x) noexcept nogil:
    cdef double y
    tanhshrink_float64(&x, &y, 1)
    return y

cdef double hardsigmoid_point_float64(double x) noexcept nogil:
    cdef double y
    hardsigmoid_float64(&x, &y, 1)
    return y

cdef double hardswish_point_float64(double x) noexcept nogil:
    cdef double y
    hardswish_float64(&x, &y, 1)
    return y

cdef void leaky_relu_scalar_float32(const float* x, float negative_slope, float* y, Py_ssize_t n) noexcept nogil:
    cdef operand[3] operands = [x, &negative_slope, y]
    passed(<void*>leaky_relu_float32, FLOAT32, 1, 1, 1, operands, n)

cdef void leaky_relu_scalar_float64(const double* x, double negative_slope, double* y, Py_ssize_t n) noexcept nogil:
    cdef operand[3] operands = [x, &negative_slope, y]
    passed(<void*>leaky_relu_float64, FLOAT64, 1, 1, 1, operands, n)

cdef void elu_scalar_float32(const float* x, float alpha, float* y, Py_ssize_t n) noexcept nogil:
    cdef operand[3] operands = [x, &alpha, y]
    passed(<void*>elu_float32, FLOAT32, 1, 1, 1, operands, n)

cdef void elu_scalar_float64(const double* x, double alpha, double* y, Py_ssize_t n) noexcept nogil:
    cdef operand[3] operands = [x, &alpha, y]
    passed(<void*>elu_float64, FLOAT64, 1, 1, 1, operands, n)

cdef void celu_scalar_float32(const float* x, float alpha, float* y, Py_ssize_t n) noexcept nogil:
    cdef operand[3] operands = [x, &alpha, y]
    passed(<void*>celu_float32, FLOAT32, 1, 1, 1, operands, n)

cdef void celu_scalar_float64(const double* x, double alpha, double* y, Py_ssize_t n) noexcept nogil:
    cdef operand[3] operands = [x, &alpha, y]
    passed(<void*>celu_float64, FLOAT64, 1, 1, 1, operands, n)

cdef void swish_scalar_float32(const float* x, float beta, float* y, Py_ssize_t n) noexcept nogil:
    cdef operand[3] operands = [x, &beta, y]
    passed(<void*>swish_float32, FLOAT32, 1, 1, 1, operands, n)

cdef void swish_scalar_float64(const double* x, double beta, double* y, Py_ssize_t n) noexcept nogil:
    cdef operand[3] operands = [x, &beta, y]
    passed(<void*>swish_float64, FLOAT64, 1, 1, 1, operands, n)

cdef void softplus_scaled_scalar_float32(const float* x, float beta, float* y, Py_ssize_t n) noexcept nogil:
    cdef operand[3] operands = [x, &beta, y]
    passed(<void*>softplus_scaled_float32, FLOAT32, 1, 1, 1, operands, n)

cdef void softplus_scaled_scalar_float64(const double* x, double beta, double* y, Py_ssize_t n) noexcept nogil:
    cdef operand[3] operands = [x, &beta, y]
    passed(<void*>softplus_scaled_float64, FLOAT64, 1, 1, 1, operands, n)

cdef void softshrink_scalar_float32(const float* x, float lambd, float* y, Py_ssize_t n) noexcept nogil:
    cdef operand[3] operands = [x, &lambd, y]
    passed(<void*>softshrink_float32, FLOAT32, 1, 1, 1, operands, n)

cdef void softshrink_scalar_float64(const double* x, double lambd, double* y, Py_ssize_t n) noexcept nogil:
    cdef operand[3] operands = [x, &lambd, y]
    passed(<void*>softshrink_float64, FLOAT64, 1, 1, 1, operands, n)

cdef void hardshrink_scalar_float32(const float* x, float lambd, float* y, Py_ssize_t n) noexcept nogil:
    cdef operand[3] operands = [x, &lambd, y]
    passed(<void*>hardshrink_float32, FLOAT32, 1, 1, 1, operands, n)

cdef void hardshrink_scalar_float64(const double* x, double lambd, double* y, Py_ssize_t n) noexcept nogil:
    cdef operand[3] operands = [x, &lambd, y]
    passed(<void*>hardshrink_float64, FLOAT64, 1, 1, 1, operands, n)

cdef void squareplus_scalar_float32(const float* x, float b, float* y, Py_ssize_t n) noexcept nogil:
    cdef operand[3] operands = [x, &b, y]
    passed(<void*>squareplus_float32, FLOAT32, 1, 1, 1, operands, n)

cdef void squareplus_scalar_float64(const double* x, double b, double* y, Py_ssize_t n) noexcept nogil:
    cdef operand[3] operands = [x, &b, y]
    passed(<void*>squareplus_float64, FLOAT64, 1, 1, 1, operands, n)

cdef void hardtanh_scalar_float32(const float* x, float min_val, float max_val, float* y, Py_ssize_t n) noexcept nogil:
    cdef operand[4] operands = [x, &min_val, &max_val, y]
    passed(<void*>hardtanh_float32, FLOAT32, 1, 2, 1, operands, n)

cdef void hardtanh_scalar_float64(const double* x, double min_val, double max_val, double* y,
                                  Py_ssize_t n) noexcept nogil:
    cdef operand[4] operands = [x, &min_val, &max_val, y]
    passed(<void*>hardtanh_float64, FLOAT64, 1, 2, 1, operands, n)

cdef void threshold_scalar_float32(const float* x, float at, float value, float* y, Py_ssize_t n) noexcept nogil:
    cdef operand[4] operands = [x, &at, &value, y]
    passed(<void*>threshold_float32, FLOAT32, 1, 2, 1, operands, n)

cdef void threshold_scalar_float64(const double* x, double at, double value, double* y, Py_ssize_t n) noexcept nogil:
    cdef operand[4] operands = [x, &at, &value, y]
    passed(<void*>threshold_float64, FLOAT64, 1, 2, 1, operands, n)

cdef void softplus_threshold_scalar_float32(const float* x, float beta, float at, float* y,
                                            Py_ssize_t n) noexcept nogil:
    cdef operand[4] operands = [x, &beta, &at, y]
    passed(<void*>softplus_threshold_float32, FLOAT32, 1, 2, 1, operands, n)

cdef void softplus_threshold_scalar_float64(const double* x, double beta, double at, double* y,
                                            Py_ssize_t n) noexcept nogil:
    cdef operand[4] operands = [x, &beta, &at, y]
    passed(<void*>softplus_threshold_float64, FLOAT64, 1, 2, 1, operands, n)

cdef void selu_scaled_scalar_float32(const float* x, float alpha, float gamma, float* y, Py_ssize_t n) noexcept nogil:
    cdef operand[4] operands = [x, &alpha, &gamma, y]
    passed(<void*>selu_scaled_float32, FLOAT32, 1, 2, 1, operands, n)

cdef void selu_scaled_scalar_float64(const double* x, double alpha, double gamma, double* y,
                                     Py_ssize_t n) noexcept nogil:
    cdef operand[4] operands = [x, &alpha, &gamma, y]
    passed(<void*>selu_scaled_float64, FLOAT64, 1, 2, 1, operands, n)

cdef void hardsigmoid_scaled_scalar_float32(const float* x, float alpha, float beta, float* y,
                                            Py_ssize_t n) noexcept nogil:
    cdef operand[4] operands = [x, &alpha, &beta, y]
    passed(<void*>hardsigmoid_scaled_float32, FLOAT32, 1, 2, 1, operands, n)

cdef void hardsigmoid_scaled_scalar_float64(const double* x, double alpha, double beta, double* y,
                                            Py_ssize_t n) noexcept nogil:
    cdef operand[4] operands = [x, &alpha, &beta, y]
    passed(<void*>hardsigmoid_scaled_float64, FLOAT64, 1, 2, 1, operands, n)

cdef void swiglu_beta_scalar_float32(const float* gate, const float* up, float beta, float* y,
                                     Py_ssize_t n) noexcept nogil:
    cdef operand[4] operands = [gate, up, &beta, y]
    passed(<void*>swiglu_beta_float32, FLOAT32, 2, 1, 1, operands, n)

cdef void swiglu_beta_scalar_float64(const double* gate, const double* up, double beta, double* y,
                                     Py_ssize_t n) noexcept nogil:
    cdef operand[4] operands = [gate, up, &beta, y]
    passed(<void*>swiglu_beta_float64, FLOAT64, 2, 1, 1, operands, n)

cdef void swiglu_clamped_scalar_float32(const float* gate, const float* up, float beta, float limit, float shift,
                                        float* y, Py_ssize_t n) noexcept nogil:
    cdef operand[6] operands = [gate, up, &beta, &limit, &shift, y]
    passed(<void*>swiglu_clamped_float32, FLOAT32, 2, 3, 1, operands, n)

cdef void swiglu_clamped_scalar_float64(const double* gate, const double* up, double beta, double limit, double shift,
                                        double* y, Py_ssize_t n) noexcept nogil:
    cdef operand[6] operands = [gate, up, &beta, &limit, &shift, y]
    passed(<void*>swiglu_clamped_float64, FLOAT64, 2, 3, 1, operands, n)

cdef void leaky_relu_backward_scalar_float32(const float* grad, const float* x, float negative_slope, float* grad_x,
                                             Py_ssize_t n) noexcept nogil:
    cdef operand[4] operands = [grad, x, &negative_slope, grad_x]
    passed(<void*>leaky_relu_backward_float32, FLOAT32, 2, 1, 1, operands, n)

cdef void leaky_relu_backward_scalar_float64(const double* grad, const double* x, double negative_slope, double* grad_x,
                                             Py_ssize_t n) noexcept nogil:
    cdef operand[4] operands = [grad, x, &negative_slope, grad_x]
    passed(<void*>leaky_relu_backward_float64, FLOAT64, 2, 1, 1, operands, n)

cdef void elu_backward_scalar_float32(const float* grad, const float* x, float alpha, float* grad_x,
                                      Py_ssize_t n) noexcept nogil:
    cdef operand[4] operands = [grad, x, &alpha, grad_x]
    passed(<void*>elu_backward_float32, FLOAT32, 2, 1, 1, operands, n)

cdef void elu_backward_scalar_float64(const double* grad, const double* x, double alpha, double* grad_x,
                                      Py_ssize_t n) noexcept nogil:
    cdef operand[4] operands = [grad, x, &alpha, grad_x]
    passed(<void*>elu_backward_float64, FLOAT64, 2, 1, 1, operands, n)

cdef void celu_backward_scalar_float32(const float* grad, const float* x, float alpha, float* grad_x,
                                       Py_ssize_t n) noexcept nogil:
    cdef operand[4] operands = [grad, x, &alpha, grad_x]
    passed(<void*>celu_backward_float32, FLOAT32, 2, 1, 1, operands, n)

cdef void celu_backward_scalar_float64(const double* grad, const double* x, double alpha, double* grad_x,
                                       Py_ssize_t n) noexcept nogil:
    cdef operand[4] operands = [grad, x, &alpha, grad_x]
    passed(<void*>celu_backward_float64, FLOAT64, 2, 1, 1, operands, n)

cdef void swish_backward_scalar_float32(const float* grad, const float* x, float beta, float* grad_x,
                                        Py_ssize_t n) noexcept nogil:
    cdef operand[4] operands = [grad, x, &beta, grad_x]
    passed(<void*>swish_backward_float32, FLOAT32, 2, 1, 1, operands, n)

cdef void swish_backward_scalar_float64(const double* grad, const double* x, double beta, double* grad_x,
                                        Py_ssize_t n) noexcept nogil:
    cdef operand[4] operands = [grad, x, &beta, grad_x]
    passed(<void*>swish_backward_float64, FLOAT64, 2, 1, 1, operands, n)

cdef void softplus_scaled_backward_scalar_float32(const float* grad, const float* x, float beta, float* grad_x,
                                                  Py_ssize_t n) noexcept nogil:
    cdef operand[4] operands = [grad, x, &beta, grad_x]
    passed(<void*>softplus_scaled_backward_float32, FLOAT32, 2, 1, 1, operands, n)

cdef void softplus_scaled_backward_scalar_float64(const double* grad, const double* x, double beta, double* grad_x,
                                                  Py_ssize_t n) noexcept nogil:
    cdef operand[4] operands = [grad, x, &beta, grad_x]
    passed(<void*>softplus_scaled_backward_float64, FLOAT64, 2, 1, 1, operands, n)

cdef void shrink_backward_scalar_float32(const float* grad, const float* x, float lambd, float* grad_x,
                                         Py_ssize_t n) noexcept nogil:
    cdef operand[4] operands = [grad, x, &lambd, grad_x]
    passed(<void*>shrink_backward_float32, FLOAT32, 2, 1, 1, operands, n)

cdef void shrink_backward_scalar_float64(const double* grad, const double* x, double lambd, double* grad_x,
                                         Py_ssize_t n) noexcept nogil:
    cdef operand[4] operands = [grad, x, &lambd, grad_x]
    passed(<void*>shrink_backward_float64, FLOAT64, 2, 1, 1, operands, n)

cdef void squareplus_backward_scalar_float32(const float* grad, const float* x, float b, float* grad_x,
                                             Py_ssize_t n) noexcept nogil:
    cdef operand[4] operands = [grad, x, &b, grad_x]
    passed(<void*>squareplus_backward_float32, FLOAT32, 2, 1, 1, operands, n)

cdef void squareplus_backward_scalar_float64(const double* grad, const double* x, double b, double* grad_x,
                                             Py_ssize_t n) noexcept nogil:
    cdef operand[4] operands = [grad, x, &b, grad_x]
    passed(<void*>squareplus_backward_float64, FLOAT64, 2, 1, 1, operands, n)

cdef void hardtanh_backward_scalar_float32(const float* grad, const float* x, float min_val, float max_val,
                                           float* grad_x, Py_ssize_t n) noexcept nogil:
    cdef operand[5] operands = [grad, x, &min_val, &max_val, grad_x]
    passed(<void*>hardtanh_backward_float32, FLOAT32, 2, 2, 1, operands, n)

cdef void hardtanh_backward_scalar_float64(const double* grad, const double* x, double min_val, double max_val,
                                           double* grad_x, Py_ssize_t n) noexcept nogil:
    cdef operand[5] operands = [grad, x, &min_val, &max_val, grad_x]
    passed(<void*>hardtanh_backward_float64, FLOAT64, 2, 2, 1, operands, n)

cdef void threshold_backward_scalar_float32(const float* grad, const float* x, float at, float* grad_x,
                                            Py_ssize_t n) noexcept nogil:
    cdef operand[4] operands = [grad, x, &at, grad_x]
    passed(<void*>threshold_backward_float32, FLOAT32, 2, 1, 1, operands, n)

cdef void threshold_backward_scalar_float64(const double* grad, const double* x, double at, double* grad_x,
                                            Py_ssize_t n) noexcept nogil:
    cdef operand[4] operands = [grad, x, &at, grad_x]
    passed(<void*>threshold_backward_float64, FLOAT64, 2, 1, 1, operands, n)

cdef void softplus_threshold_backward_scalar_float32(const float* grad, const float* x, float beta, float at,
                                                     float* grad_x, Py_ssize_t n) noexcept nogil:
    cdef operand[5] operands = [grad, x, &beta, &at, grad_x]
    passed(<void*>softplus_threshold_backward_float32, FLOAT32, 2, 2, 1, operands, n)

cdef void softplus_threshold_backward_scalar_float64(const double* grad, const double* x, double beta, double at,
                                                     double* grad_x, Py_ssize_t n) noexcept nogil:
    cdef operand[5] operands = [grad, x, &beta, &at, grad_x]
    passed(<void*>softplus_threshold_backward_float64, FLOAT64, 2, 2, 1, operands, n)

cdef void selu_scaled_backward_scalar_float32(const float* grad, const float* x, float alpha, float gamma,
                                              float* grad_x, Py_ssize_t n) noexcept nogil:
    cdef operand[5] operands = [grad, x, &alpha, &gamma, grad_x]
    passed(<void*>selu_scaled_backward_float32, FLOAT32, 2, 2, 1, operands, n)

cdef void selu_scaled_backward_scalar_float64(const double* grad, const double* x, double alpha, double gamma,
                                              double* grad_x, Py_ssize_t n) noexcept nogil:
    cdef operand[5] operands = [grad, x, &alpha, &gamma, grad_x]
    passed(<void*>selu_scaled_backward_float64, FLOAT64, 2, 2, 1, operands, n)

cdef void hardsigmoid_scaled_backward_scalar_float32(const float* grad, const float* x, float alpha, float beta,
                                                     float* grad_x, Py_ssize_t n) noexcept nogil:
    cdef operand[5] operands = [grad, x, &alpha, &beta, grad_x]
    passed(<void*>hardsigmoid_scaled_backward_float32, FLOAT32, 2, 2, 1, operands, n)

cdef void hardsigmoid_scaled_backward_scalar_float64(const double* grad, const double* x, double alpha, double beta,
                                                     double* grad_x, Py_ssize_t n) noexcept nogil:
    cdef operand[5] operands = [grad, x, &alpha, &beta, grad_x]
    passed(<void*>hardsigmoid_scaled_backward_float64, FLOAT64, 2, 2, 1, operands, n)

cdef void swiglu_clamped_backward_scalar_float32(const float* grad, const float* gate, const float* up, float beta,
                                                 float limit, float shift, float* grad_gate, float* grad_up,
                                                 Py_ssize_t n) noexcept nogil:
    cdef operand[8] operands = [grad, gate, up, &beta, &limit, &shift, grad_gate, grad_up]
    passed(<void*>swiglu_clamped_backward_float32, FLOAT32, 3, 3, 2, operands, n)

cdef void swiglu_clamped_backward_scalar_float64(const double* grad, const double* gate, const double* up, double beta,
                                                 double limit, double shift, double* grad_gate, double* grad_up,
                                                 Py_ssize_t n) noexcept nogil:
    cdef operand[8] operands = [grad, gate, up, &beta, &limit, &shift, grad_gate, grad_up]
    passed(<void*>swiglu_clamped_backward_float64, FLOAT64, 3, 3, 2, operands, n)

cdef void relu_float16(const uint16_t* x, uint16_t* y, Py_ssize_t n) noexcept nogil:
    cdef operand[2] operands = [x, y]
    passed(<void*>relu_float32, FLOAT16, 1, 0, 1, operands, n)

cdef void relu_bfloat16(const uint16_t* x, uint16_t* y, Py_ssize_t n) noexcept nogil:
    cdef operand[2] operands = [x, y]
    passed(<void*>relu_float32, BFLOAT16, 1, 0, 1, operands, n)

cdef void sigmoid_float16(const uint16_t* x, uint16_t* y, Py_ssize_t n) noexcept nogil:
    cdef operand[2] operands = [x, y]
    passed(<void*>sigmoid_float32, FLOAT16, 1, 0, 1, operands, n)

cdef void sigmoid_bfloat16(const uint16_t* x, uint16_t* y, Py_ssize_t n) noexcept nogil:
    cdef operand[2] operands = [x, y]
    passed(<void*>sigmoid_float32, BFLOAT16, 1, 0, 1, operands, n)

cdef void tanh_float16(const uint16_t* x, uint16_t* y, Py_ssize_t n) noexcept nogil:
    cdef operand[2] operands = [x, y]
    passed(<void*>tanh_float32, FLOAT16, 1, 0, 1, operands, n)

cdef void tanh_bfloat16(const uint16_t* x, uint16_t* y, Py_ssize_t n) noexcept nogil:
    cdef operand[2] operands = [x, y]
    passed(<void*>tanh_float32, BFLOAT16, 1, 0, 1, operands, n)

cdef void silu_float16(const uint16_t* x, uint16_t* y, Py_ssize_t n) noexcept nogil:
    cdef operand[2] operands = [x, y]
    passed(<void*>silu_float32, FLOAT16, 1, 0, 1, operands, n)

cdef void silu_bfloat16(const uint16_t* x, uint16_t* y, Py_ssize_t n) noexcept nogil:
    cdef operand[2] operands = [x, y]
    passed(<void*>silu_float32, BFLOAT16, 1, 0, 1, operands, n)

cdef void gelu_float16(const uint16_t* x, uint16_t* y, Py_ssize_t n) noexcept nogil:
    cdef operand[2] operands = [x, y]
    passed(<void*>gelu_float32, FLOAT16, 1, 0, 1, operands, n)

cdef void gelu_bfloat16(const uint16_t* x, uint16_t* y, Py_ssize_t n) noexcept nogil:
    cdef operand[2] operands = [x, y]
    passed(<void*>gelu_float32, BFLOAT16, 1, 0, 1, operands, n)

cdef void gelu_tanh_float16(const uint16_t* x, uint16_t* y, Py_ssize_t n) noexcept nogil:
    cdef operand[2] operands = [x, y]
    passed(<void*>gelu_tanh_float32, FLOAT16, 1, 0, 1, operands, n)

cdef void gelu_tanh_bfloat16(const uint16_t* x, uint16_t* y, Py_ssize_t n) noexcept nogil:
    cdef operand[2] operands = [x, y]
    passed(<void*>gelu_tanh_float32, BFLOAT16, 1, 0, 1, operands, n)

cdef void mish_float16(const uint16_t* x, uint16_t* y, Py_ssize_t n) noexcept nogil:
    cdef operand[2] operands = [x, y]
    passed(<void*>mish_float32, FLOAT16, 1, 0, 1, operands, n)

cdef void mish_bfloat16(const uint16_t* x, uint16_t* y, Py_ssize_t n) noexcept nogil:
    cdef operand[2] operands = [x, y]
    passed(<void*>mish_float32, BFLOAT16, 1, 0, 1, operands, n)

cdef void softplus_float16(const uint16_t* x, uint16_t* y, Py_ssize_t n) noexcept nogil:
    cdef operand[2] operands = [x, y]
    passed(<void*>softplus_float32, FLOAT16, 1, 0, 1, operands, n)

cdef void softplus_bfloat16(const uint16_t* x, uint16_t* y, Py_ssize_t n) noexcept nogil:
    cdef operand[2] operands = [x, y]
    passed(<void*>softplus_float32, BFLOAT16, 1, 0, 1, operands, n)

cdef void relu_backward_float16(const uint16_t* grad, const uint16_t* x, uint16_t* grad_x, Py_ssize_t n) noexcept nogil:
    cdef operand[3] operands = [grad, x, grad_x]
    passed(<void*>relu_backward_float32, FLOAT16, 2, 0, 1, operands, n)

cdef void relu_backward_bfloat16(const uint16_t* grad, const uint16_t* x, uint16_t* grad_x,
                                 Py_ssize_t n) noexcept nogil:
    cdef operand[3] operands = [grad, x, grad_x]
    passed(<void*>relu_backward_float32, BFLOAT16, 2, 0, 1, operands, n)

cdef void sigmoid_backward_float16(const uint16_t* grad, const uint16_t* y, uint16_t* grad_x,
                                   Py_ssize_t n) noexcept nogil:
    cdef operand[3] operands = [grad, y, grad_x]
    passed(<void*>sigmoid_backward_float32, FLOAT16, 2, 0, 1, operands, n)

cdef void sigmoid_backward_bfloat16(const uint16_t* grad, const uint16_t* y, uint16_t* grad_x,
                                    Py_ssize_t n) noexcept nogil:
    cdef operand[3] operands = [grad, y, grad_x]
    passed(<void*>sigmoid_backward_float32, BFLOAT16, 2, 0, 1, operands, n)

cdef void tanh_backward_float16(const uint16_t* grad, const uint16_t* y, uint16_t* grad_x, Py_ssize_t n) noexcept nogil:
    cdef operand[3] operands = [grad, y, grad_x]
    passed(<void*>tanh_backward_float32, FLOAT16, 2, 0, 1, operands, n)

cdef void tanh_backward_bfloat16(const uint16_t* grad, const uint16_t* y, uint16_t* grad_x,
                                 Py_ssize_t n) noexcept nogil:
    cdef operand[3] operands = [grad, y, grad_x]
    passed(<void*>tanh_backward_float32, BFLOAT16, 2, 0, 1, operands, n)

cdef void silu_backward_float16(const uint16_t* grad, const uint16_t* x, uint16_t* grad_x, Py_ssize_t n) noexcept nogil:
    cdef operand[3] operands = [grad, x, grad_x]
    passed(<void*>silu_backward_float32, FLOAT16, 2, 0, 1, operands, n)

cdef void silu_backward_bfloat16(const uint16_t* grad, const uint16_t* x, uint16_t* grad_x,
                                 Py_ssize_t n) noexcept nogil:
    cdef operand[3] operands = [grad, x, grad_x]
    passed(<void*>silu_backward_float32, BFLOAT16, 2, 0, 1, operands, n)

cdef void gelu_backward_float16(const uint16_t* grad, const uint16_t* x, uint16_t* grad_x, Py_ssize_t n) noexcept nogil:
    cdef operand[3] operands = [grad, x, grad_x]
    passed(<void*>gelu_backward_float32, FLOAT16, 2, 0, 1, operands, n)

cdef void gelu_backward_bfloat16(const uint16_t* grad, const uint16_t* x, uint16_t* grad_x,
                                 Py_ssize_t n) noexcept nogil:
    cdef operand[3] operands = [grad, x, grad_x]
    passed(<void*>gelu_backward_float32, BFLOAT16, 2, 0, 1, operands, n)

cdef void gelu_tanh_backward_float16(const uint16_t* grad, const uint16_t* x, uint16_t* grad_x,
                                     Py_ssize_t n) noexcept nogil:
    cdef operand[3] operands = [grad, x, grad_x]
    passed(<void*>gelu_tanh_backward_float32, FLOAT16, 2, 0, 1, operands, n)

cdef void gelu_tanh_backward_bfloat16(const uint16_t* grad, const uint16_t* x, uint16_t* grad_x,
                                      Py_ssize_t n) noexcept nogil:
    cdef operand[3] operands = [grad, x, grad_x]
    passed(<void*>gelu_tanh_backward_float32, BFLOAT16, 2, 0, 1, operands, n)

cdef void mish_backward_float16(const uint16_t* grad, const uint16_t* x, uint16_t* grad_x, Py_ssize_t n) noexcept nogil:
    cdef operand[3] operands = [grad, x, grad_x]
    passed(<void*>mish_backward_float32, FLOAT16, 2, 0, 1, operands, n)

cdef void mish_backward_bfloat16(const uint16_t* grad, const uint16_t* x, uint16_t* grad_x,
                                 Py_ssize_t n) noexcept nogil:
    cdef operand[3] operands = [grad, x, grad_x]
    passed(<void*>mish_backward_float32, BFLOAT16, 2, 0, 1, operands, n)

cdef void softplus_backward_float16(const uint16_t* grad, const uint16_t* x, uint16_t* grad_x,
                                    Py_ssize_t n) noexcept nogil:
    cdef operand[3] operands = [grad, x, grad_x]
    passed(<void*>softplus_backward_float32, FLOAT16, 2, 0, 1, operands, n)

cdef void softplus_backward_bfloat16(const uint16_t* grad, const uint16_t* x, uint16_t* grad_x,
                                     Py_ssize_t n) noexcept nogil:
    cdef operand[3] operands = [grad, x, grad_x]
    passed(<void*>softplus_backward_float32, BFLOAT16, 2, 0, 1, operands, n)
