# The flat kernels of the activations, to cimport: contiguous arrays of n elements, no Python, no GIL, no threads; y may
# be x. Parameters and gates are arrays of n elements too. Frozen: names and signatures are checked against
# tests/embedding/signatures.txt.
# Written by tools/forms.py from activations.pyx.
from libc.stdint cimport uint16_t

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
cdef void erfc_float32(const float* x, float* y, Py_ssize_t n) noexcept nogil
cdef void erfc_float64(const double* x, double* y, Py_ssize_t n) noexcept nogil
cdef void relu_float32(const float* x, float* y, Py_ssize_t n) noexcept nogil
cdef void relu_float64(const double* x, double* y, Py_ssize_t n) noexcept nogil
cdef void relu6_float32(const float* x, float* y, Py_ssize_t n) noexcept nogil
cdef void relu6_float64(const double* x, double* y, Py_ssize_t n) noexcept nogil
cdef void relu_squared_float32(const float* x, float* y, Py_ssize_t n) noexcept nogil
cdef void relu_squared_float64(const double* x, double* y, Py_ssize_t n) noexcept nogil
cdef void sigmoid_float32(const float* x, float* y, Py_ssize_t n) noexcept nogil
cdef void sigmoid_float64(const double* x, double* y, Py_ssize_t n) noexcept nogil
cdef void tanh_float32(const float* x, float* y, Py_ssize_t n) noexcept nogil
cdef void tanh_float64(const double* x, double* y, Py_ssize_t n) noexcept nogil
cdef void silu_float32(const float* x, float* y, Py_ssize_t n) noexcept nogil
cdef void silu_float64(const double* x, double* y, Py_ssize_t n) noexcept nogil
cdef void gelu_float32(const float* x, float* y, Py_ssize_t n) noexcept nogil
cdef void gelu_float64(const double* x, double* y, Py_ssize_t n) noexcept nogil
cdef void gelu_tanh_float32(const float* x, float* y, Py_ssize_t n) noexcept nogil
cdef void gelu_tanh_float64(const double* x, double* y, Py_ssize_t n) noexcept nogil
cdef void mish_float32(const float* x, float* y, Py_ssize_t n) noexcept nogil
cdef void mish_float64(const double* x, double* y, Py_ssize_t n) noexcept nogil
cdef void softsign_float32(const float* x, float* y, Py_ssize_t n) noexcept nogil
cdef void softsign_float64(const double* x, double* y, Py_ssize_t n) noexcept nogil
cdef void softplus_float32(const float* x, float* y, Py_ssize_t n) noexcept nogil
cdef void softplus_float64(const double* x, double* y, Py_ssize_t n) noexcept nogil
cdef void logsigmoid_float32(const float* x, float* y, Py_ssize_t n) noexcept nogil
cdef void logsigmoid_float64(const double* x, double* y, Py_ssize_t n) noexcept nogil
cdef void log1mexp_float32(const float* x, float* y, Py_ssize_t n) noexcept nogil
cdef void log1mexp_float64(const double* x, double* y, Py_ssize_t n) noexcept nogil
cdef void selu_float32(const float* x, float* y, Py_ssize_t n) noexcept nogil
cdef void selu_float64(const double* x, double* y, Py_ssize_t n) noexcept nogil
cdef void tanhshrink_float32(const float* x, float* y, Py_ssize_t n) noexcept nogil
cdef void tanhshrink_float64(const double* x, double* y, Py_ssize_t n) noexcept nogil
cdef void hardsigmoid_float32(const float* x, float* y, Py_ssize_t n) noexcept nogil
cdef void hardsigmoid_float64(const double* x, double* y, Py_ssize_t n) noexcept nogil
cdef void hardswish_float32(const float* x, float* y, Py_ssize_t n) noexcept nogil
cdef void hardswish_float64(const double* x, double* y, Py_ssize_t n) noexcept nogil
cdef void leaky_relu_float32(const float* x, const float* negative_slope, float* y, Py_ssize_t n) noexcept nogil
cdef void leaky_relu_float64(const double* x, const double* negative_slope, double* y, Py_ssize_t n) noexcept nogil
cdef void elu_float32(const float* x, const float* alpha, float* y, Py_ssize_t n) noexcept nogil
cdef void elu_float64(const double* x, const double* alpha, double* y, Py_ssize_t n) noexcept nogil
cdef void celu_float32(const float* x, const float* alpha, float* y, Py_ssize_t n) noexcept nogil
cdef void celu_float64(const double* x, const double* alpha, double* y, Py_ssize_t n) noexcept nogil
cdef void swish_float32(const float* x, const float* beta, float* y, Py_ssize_t n) noexcept nogil
cdef void swish_float64(const double* x, const double* beta, double* y, Py_ssize_t n) noexcept nogil
cdef void softplus_scaled_float32(const float* x, const float* beta, float* y, Py_ssize_t n) noexcept nogil
cdef void softplus_scaled_float64(const double* x, const double* beta, double* y, Py_ssize_t n) noexcept nogil
cdef void softshrink_float32(const float* x, const float* lambd, float* y, Py_ssize_t n) noexcept nogil
cdef void softshrink_float64(const double* x, const double* lambd, double* y, Py_ssize_t n) noexcept nogil
cdef void hardshrink_float32(const float* x, const float* lambd, float* y, Py_ssize_t n) noexcept nogil
cdef void hardshrink_float64(const double* x, const double* lambd, double* y, Py_ssize_t n) noexcept nogil
cdef void squareplus_float32(const float* x, const float* b, float* y, Py_ssize_t n) noexcept nogil
cdef void squareplus_float64(const double* x, const double* b, double* y, Py_ssize_t n) noexcept nogil
cdef void hardtanh_float32(const float* x, const float* min_val, const float* max_val, float* y,
                           Py_ssize_t n) noexcept nogil
cdef void hardtanh_float64(const double* x, const double* min_val, const double* max_val, double* y,
                           Py_ssize_t n) noexcept nogil
cdef void threshold_float32(const float* x, const float* at, const float* value, float* y, Py_ssize_t n) noexcept nogil
cdef void threshold_float64(const double* x, const double* at, const double* value, double* y,
                            Py_ssize_t n) noexcept nogil
cdef void softplus_threshold_float32(const float* x, const float* beta, const float* at, float* y,
                                     Py_ssize_t n) noexcept nogil
cdef void softplus_threshold_float64(const double* x, const double* beta, const double* at, double* y,
                                     Py_ssize_t n) noexcept nogil
cdef void selu_scaled_float32(const float* x, const float* alpha, const float* gamma, float* y,
                              Py_ssize_t n) noexcept nogil
cdef void selu_scaled_float64(const double* x, const double* alpha, const double* gamma, double* y,
                              Py_ssize_t n) noexcept nogil
cdef void hardsigmoid_scaled_float32(const float* x, const float* alpha, const float* beta, float* y,
                                     Py_ssize_t n) noexcept nogil
cdef void hardsigmoid_scaled_float64(const double* x, const double* alpha, const double* beta, double* y,
                                     Py_ssize_t n) noexcept nogil
cdef void glu_float32(const float* x, const float* gate, float* y, Py_ssize_t n) noexcept nogil
cdef void glu_float64(const double* x, const double* gate, double* y, Py_ssize_t n) noexcept nogil
cdef void swiglu_float32(const float* gate, const float* up, float* y, Py_ssize_t n) noexcept nogil
cdef void swiglu_float64(const double* gate, const double* up, double* y, Py_ssize_t n) noexcept nogil
cdef void swiglu_beta_float32(const float* gate, const float* up, const float* beta, float* y,
                              Py_ssize_t n) noexcept nogil
cdef void swiglu_beta_float64(const double* gate, const double* up, const double* beta, double* y,
                              Py_ssize_t n) noexcept nogil
cdef void swiglu_clamped_float32(const float* gate, const float* up, const float* beta, const float* limit,
                                 const float* shift, float* y, Py_ssize_t n) noexcept nogil
cdef void swiglu_clamped_float64(const double* gate, const double* up, const double* beta, const double* limit,
                                 const double* shift, double* y, Py_ssize_t n) noexcept nogil
cdef void geglu_float32(const float* gate, const float* up, float* y, Py_ssize_t n) noexcept nogil
cdef void geglu_float64(const double* gate, const double* up, double* y, Py_ssize_t n) noexcept nogil
cdef void reglu_float32(const float* gate, const float* up, float* y, Py_ssize_t n) noexcept nogil
cdef void reglu_float64(const double* gate, const double* up, double* y, Py_ssize_t n) noexcept nogil
cdef void relu_backward_float32(const float* grad, const float* x, float* grad_x, Py_ssize_t n) noexcept nogil
cdef void relu_backward_float64(const double* grad, const double* x, double* grad_x, Py_ssize_t n) noexcept nogil
cdef void relu6_backward_float32(const float* grad, const float* x, float* grad_x, Py_ssize_t n) noexcept nogil
cdef void relu6_backward_float64(const double* grad, const double* x, double* grad_x, Py_ssize_t n) noexcept nogil
cdef void relu_squared_backward_float32(const float* grad, const float* x, float* grad_x, Py_ssize_t n) noexcept nogil
cdef void relu_squared_backward_float64(const double* grad, const double* x, double* grad_x,
                                        Py_ssize_t n) noexcept nogil
cdef void sigmoid_backward_float32(const float* grad, const float* y, float* grad_x, Py_ssize_t n) noexcept nogil
cdef void sigmoid_backward_float64(const double* grad, const double* y, double* grad_x, Py_ssize_t n) noexcept nogil
cdef void tanh_backward_float32(const float* grad, const float* y, float* grad_x, Py_ssize_t n) noexcept nogil
cdef void tanh_backward_float64(const double* grad, const double* y, double* grad_x, Py_ssize_t n) noexcept nogil
cdef void silu_backward_float32(const float* grad, const float* x, float* grad_x, Py_ssize_t n) noexcept nogil
cdef void silu_backward_float64(const double* grad, const double* x, double* grad_x, Py_ssize_t n) noexcept nogil
cdef void gelu_backward_float32(const float* grad, const float* x, float* grad_x, Py_ssize_t n) noexcept nogil
cdef void gelu_backward_float64(const double* grad, const double* x, double* grad_x, Py_ssize_t n) noexcept nogil
cdef void gelu_tanh_backward_float32(const float* grad, const float* x, float* grad_x, Py_ssize_t n) noexcept nogil
cdef void gelu_tanh_backward_float64(const double* grad, const double* x, double* grad_x, Py_ssize_t n) noexcept nogil
cdef void mish_backward_float32(const float* grad, const float* x, float* grad_x, Py_ssize_t n) noexcept nogil
cdef void mish_backward_float64(const double* grad, const double* x, double* grad_x, Py_ssize_t n) noexcept nogil
cdef void softsign_backward_float32(const float* grad, const float* x, float* grad_x, Py_ssize_t n) noexcept nogil
cdef void softsign_backward_float64(const double* grad, const double* x, double* grad_x, Py_ssize_t n) noexcept nogil
cdef void softplus_backward_float32(const float* grad, const float* x, float* grad_x, Py_ssize_t n) noexcept nogil
cdef void softplus_backward_float64(const double* grad, const double* x, double* grad_x, Py_ssize_t n) noexcept nogil
cdef void logsigmoid_backward_float32(const float* grad, const float* x, float* grad_x, Py_ssize_t n) noexcept nogil
cdef void logsigmoid_backward_float64(const double* grad, const double* x, double* grad_x, Py_ssize_t n) noexcept nogil
cdef void selu_backward_float32(const float* grad, const float* x, float* grad_x, Py_ssize_t n) noexcept nogil
cdef void selu_backward_float64(const double* grad, const double* x, double* grad_x, Py_ssize_t n) noexcept nogil
cdef void tanhshrink_backward_float32(const float* grad, const float* x, float* grad_x, Py_ssize_t n) noexcept nogil
cdef void tanhshrink_backward_float64(const double* grad, const double* x, double* grad_x, Py_ssize_t n) noexcept nogil
cdef void hardsigmoid_backward_float32(const float* grad, const float* x, float* grad_x, Py_ssize_t n) noexcept nogil
cdef void hardsigmoid_backward_float64(const double* grad, const double* x, double* grad_x, Py_ssize_t n) noexcept nogil
cdef void hardswish_backward_float32(const float* grad, const float* x, float* grad_x, Py_ssize_t n) noexcept nogil
cdef void hardswish_backward_float64(const double* grad, const double* x, double* grad_x, Py_ssize_t n) noexcept nogil
cdef void leaky_relu_backward_float32(const float* grad, const float* x, const float* negative_slope, float* grad_x,
                                      Py_ssize_t n) noexcept nogil
cdef void leaky_relu_backward_float64(const double* grad, const double* x, const double* negative_slope, double* grad_x,
                                      Py_ssize_t n) noexcept nogil
cdef void prelu_weight_backward_float32(const float* grad, const float* x, float* grad_weight,
                                        Py_ssize_t n) noexcept nogil
cdef void prelu_weight_backward_float64(const double* grad, const double* x, double* grad_weight,
                                        Py_ssize_t n) noexcept nogil
cdef void elu_backward_float32(const float* grad, const float* x, const float* alpha, float* grad_x,
                               Py_ssize_t n) noexcept nogil
cdef void elu_backward_float64(const double* grad, const double* x, const double* alpha, double* grad_x,
                               Py_ssize_t n) noexcept nogil
cdef void celu_backward_float32(const float* grad, const float* x, const float* alpha, float* grad_x,
                                Py_ssize_t n) noexcept nogil
cdef void celu_backward_float64(const double* grad, const double* x, const double* alpha, double* grad_x,
                                Py_ssize_t n) noexcept nogil
cdef void swish_backward_float32(const float* grad, const float* x, const float* beta, float* grad_x,
                                 Py_ssize_t n) noexcept nogil
cdef void swish_backward_float64(const double* grad, const double* x, const double* beta, double* grad_x,
                                 Py_ssize_t n) noexcept nogil
cdef void softplus_scaled_backward_float32(const float* grad, const float* x, const float* beta, float* grad_x,
                                           Py_ssize_t n) noexcept nogil
cdef void softplus_scaled_backward_float64(const double* grad, const double* x, const double* beta, double* grad_x,
                                           Py_ssize_t n) noexcept nogil
cdef void shrink_backward_float32(const float* grad, const float* x, const float* lambd, float* grad_x,
                                  Py_ssize_t n) noexcept nogil
cdef void shrink_backward_float64(const double* grad, const double* x, const double* lambd, double* grad_x,
                                  Py_ssize_t n) noexcept nogil
cdef void squareplus_backward_float32(const float* grad, const float* x, const float* b, float* grad_x,
                                      Py_ssize_t n) noexcept nogil
cdef void squareplus_backward_float64(const double* grad, const double* x, const double* b, double* grad_x,
                                      Py_ssize_t n) noexcept nogil
cdef void hardtanh_backward_float32(const float* grad, const float* x, const float* min_val, const float* max_val,
                                    float* grad_x, Py_ssize_t n) noexcept nogil
cdef void hardtanh_backward_float64(const double* grad, const double* x, const double* min_val, const double* max_val,
                                    double* grad_x, Py_ssize_t n) noexcept nogil
cdef void threshold_backward_float32(const float* grad, const float* x, const float* at, float* grad_x,
                                     Py_ssize_t n) noexcept nogil
cdef void threshold_backward_float64(const double* grad, const double* x, const double* at, double* grad_x,
                                     Py_ssize_t n) noexcept nogil
cdef void softplus_threshold_backward_float32(const float* grad, const float* x, const float* beta, const float* at,
                                              float* grad_x, Py_ssize_t n) noexcept nogil
cdef void softplus_threshold_backward_float64(const double* grad, const double* x, const double* beta, const double* at,
                                              double* grad_x, Py_ssize_t n) noexcept nogil
cdef void selu_scaled_backward_float32(const float* grad, const float* x, const float* alpha, const float* gamma,
                                       float* grad_x, Py_ssize_t n) noexcept nogil
cdef void selu_scaled_backward_float64(const double* grad, const double* x, const double* alpha, const double* gamma,
                                       double* grad_x, Py_ssize_t n) noexcept nogil
cdef void hardsigmoid_scaled_backward_float32(const float* grad, const float* x, const float* alpha, const float* beta,
                                              float* grad_x, Py_ssize_t n) noexcept nogil
cdef void hardsigmoid_scaled_backward_float64(const double* grad, const double* x, const double* alpha,
                                              const double* beta, double* grad_x, Py_ssize_t n) noexcept nogil
cdef void glu_backward_float32(const float* grad, const float* x, const float* gate, float* grad_x, float* grad_gate,
                               Py_ssize_t n) noexcept nogil
cdef void glu_backward_float64(const double* grad, const double* x, const double* gate, double* grad_x,
                               double* grad_gate, Py_ssize_t n) noexcept nogil
cdef void swiglu_backward_float32(const float* grad, const float* gate, const float* up, float* grad_gate,
                                  float* grad_up, Py_ssize_t n) noexcept nogil
cdef void swiglu_backward_float64(const double* grad, const double* gate, const double* up, double* grad_gate,
                                  double* grad_up, Py_ssize_t n) noexcept nogil
cdef void swiglu_clamped_backward_float32(const float* grad, const float* gate, const float* up, const float* beta,
                                          const float* limit, const float* shift, float* grad_gate, float* grad_up,
                                          Py_ssize_t n) noexcept nogil
cdef void swiglu_clamped_backward_float64(const double* grad, const double* gate, const double* up, const double* beta,
                                          const double* limit, const double* shift, double* grad_gate, double* grad_up,
                                          Py_ssize_t n) noexcept nogil
cdef void geglu_backward_float32(const float* grad, const float* gate, const float* up, float* grad_gate,
                                 float* grad_up, Py_ssize_t n) noexcept nogil
cdef void geglu_backward_float64(const double* grad, const double* gate, const double* up, double* grad_gate,
                                 double* grad_up, Py_ssize_t n) noexcept nogil
cdef void reglu_backward_float32(const float* grad, const float* gate, const float* up, float* grad_gate,
                                 float* grad_up, Py_ssize_t n) noexcept nogil
cdef void reglu_backward_float64(const double* grad, const double* gate, const double* up, double* grad_gate,
                                 double* grad_up, Py_ssize_t n) noexcept nogil

# f of one number, for callers that take a `double (double)`: SciPy's LowLevelCallable
cdef double exp_point_float64(double x) noexcept nogil
cdef double expm1_point_float64(double x) noexcept nogil
cdef double log_point_float64(double x) noexcept nogil
cdef double log1p_point_float64(double x) noexcept nogil
cdef double erf_point_float64(double x) noexcept nogil
cdef double erfc_point_float64(double x) noexcept nogil
cdef double relu_point_float64(double x) noexcept nogil
cdef double relu6_point_float64(double x) noexcept nogil
cdef double relu_squared_point_float64(double x) noexcept nogil
cdef double sigmoid_point_float64(double x) noexcept nogil
cdef double tanh_point_float64(double x) noexcept nogil
cdef double silu_point_float64(double x) noexcept nogil
cdef double gelu_point_float64(double x) noexcept nogil
cdef double gelu_tanh_point_float64(double x) noexcept nogil
cdef double mish_point_float64(double x) noexcept nogil
cdef double softsign_point_float64(double x) noexcept nogil
cdef double softplus_point_float64(double x) noexcept nogil
cdef double logsigmoid_point_float64(double x) noexcept nogil
cdef double log1mexp_point_float64(double x) noexcept nogil
cdef double selu_point_float64(double x) noexcept nogil
cdef double tanhshrink_point_float64(double x) noexcept nogil
cdef double hardsigmoid_point_float64(double x) noexcept nogil
cdef double hardswish_point_float64(double x) noexcept nogil

# one parameter for all elements; y may be x. In the environment that is described in interface.pxd, whatever the
# caller's
cdef void leaky_relu_scalar_float32(const float* x, float negative_slope, float* y, Py_ssize_t n) noexcept nogil
cdef void leaky_relu_scalar_float64(const double* x, double negative_slope, double* y, Py_ssize_t n) noexcept nogil
cdef void elu_scalar_float32(const float* x, float alpha, float* y, Py_ssize_t n) noexcept nogil
cdef void elu_scalar_float64(const double* x, double alpha, double* y, Py_ssize_t n) noexcept nogil
cdef void celu_scalar_float32(const float* x, float alpha, float* y, Py_ssize_t n) noexcept nogil
cdef void celu_scalar_float64(const double* x, double alpha, double* y, Py_ssize_t n) noexcept nogil
cdef void swish_scalar_float32(const float* x, float beta, float* y, Py_ssize_t n) noexcept nogil
cdef void swish_scalar_float64(const double* x, double beta, double* y, Py_ssize_t n) noexcept nogil
cdef void softplus_scaled_scalar_float32(const float* x, float beta, float* y, Py_ssize_t n) noexcept nogil
cdef void softplus_scaled_scalar_float64(const double* x, double beta, double* y, Py_ssize_t n) noexcept nogil
cdef void softshrink_scalar_float32(const float* x, float lambd, float* y, Py_ssize_t n) noexcept nogil
cdef void softshrink_scalar_float64(const double* x, double lambd, double* y, Py_ssize_t n) noexcept nogil
cdef void hardshrink_scalar_float32(const float* x, float lambd, float* y, Py_ssize_t n) noexcept nogil
cdef void hardshrink_scalar_float64(const double* x, double lambd, double* y, Py_ssize_t n) noexcept nogil
cdef void squareplus_scalar_float32(const float* x, float b, float* y, Py_ssize_t n) noexcept nogil
cdef void squareplus_scalar_float64(const double* x, double b, double* y, Py_ssize_t n) noexcept nogil
cdef void hardtanh_scalar_float32(const float* x, float min_val, float max_val, float* y, Py_ssize_t n) noexcept nogil
cdef void hardtanh_scalar_float64(const double* x, double min_val, double max_val, double* y,
                                  Py_ssize_t n) noexcept nogil
cdef void threshold_scalar_float32(const float* x, float at, float value, float* y, Py_ssize_t n) noexcept nogil
cdef void threshold_scalar_float64(const double* x, double at, double value, double* y, Py_ssize_t n) noexcept nogil
cdef void softplus_threshold_scalar_float32(const float* x, float beta, float at, float* y, Py_ssize_t n) noexcept nogil
cdef void softplus_threshold_scalar_float64(const double* x, double beta, double at, double* y,
                                            Py_ssize_t n) noexcept nogil
cdef void selu_scaled_scalar_float32(const float* x, float alpha, float gamma, float* y, Py_ssize_t n) noexcept nogil
cdef void selu_scaled_scalar_float64(const double* x, double alpha, double gamma, double* y,
                                     Py_ssize_t n) noexcept nogil
cdef void hardsigmoid_scaled_scalar_float32(const float* x, float alpha, float beta, float* y,
                                            Py_ssize_t n) noexcept nogil
cdef void hardsigmoid_scaled_scalar_float64(const double* x, double alpha, double beta, double* y,
                                            Py_ssize_t n) noexcept nogil
cdef void swiglu_beta_scalar_float32(const float* gate, const float* up, float beta, float* y,
                                     Py_ssize_t n) noexcept nogil
cdef void swiglu_beta_scalar_float64(const double* gate, const double* up, double beta, double* y,
                                     Py_ssize_t n) noexcept nogil
cdef void swiglu_clamped_scalar_float32(const float* gate, const float* up, float beta, float limit, float shift,
                                        float* y, Py_ssize_t n) noexcept nogil
cdef void swiglu_clamped_scalar_float64(const double* gate, const double* up, double beta, double limit, double shift,
                                        double* y, Py_ssize_t n) noexcept nogil
cdef void leaky_relu_backward_scalar_float32(const float* grad, const float* x, float negative_slope, float* grad_x,
                                             Py_ssize_t n) noexcept nogil
cdef void leaky_relu_backward_scalar_float64(const double* grad, const double* x, double negative_slope, double* grad_x,
                                             Py_ssize_t n) noexcept nogil
cdef void elu_backward_scalar_float32(const float* grad, const float* x, float alpha, float* grad_x,
                                      Py_ssize_t n) noexcept nogil
cdef void elu_backward_scalar_float64(const double* grad, const double* x, double alpha, double* grad_x,
                                      Py_ssize_t n) noexcept nogil
cdef void celu_backward_scalar_float32(const float* grad, const float* x, float alpha, float* grad_x,
                                       Py_ssize_t n) noexcept nogil
cdef void celu_backward_scalar_float64(const double* grad, const double* x, double alpha, double* grad_x,
                                       Py_ssize_t n) noexcept nogil
cdef void swish_backward_scalar_float32(const float* grad, const float* x, float beta, float* grad_x,
                                        Py_ssize_t n) noexcept nogil
cdef void swish_backward_scalar_float64(const double* grad, const double* x, double beta, double* grad_x,
                                        Py_ssize_t n) noexcept nogil
cdef void softplus_scaled_backward_scalar_float32(const float* grad, const float* x, float beta, float* grad_x,
                                                  Py_ssize_t n) noexcept nogil
cdef void softplus_scaled_backward_scalar_float64(const double* grad, const double* x, double beta, double* grad_x,
                                                  Py_ssize_t n) noexcept nogil
cdef void shrink_backward_scalar_float32(const float* grad, const float* x, float lambd, float* grad_x,
                                         Py_ssize_t n) noexcept nogil
cdef void shrink_backward_scalar_float64(const double* grad, const double* x, double lambd, double* grad_x,
                                         Py_ssize_t n) noexcept nogil
cdef void squareplus_backward_scalar_float32(const float* grad, const float* x, float b, float* grad_x,
                                             Py_ssize_t n) noexcept nogil
cdef void squareplus_backward_scalar_float64(const double* grad, const double* x, double b, double* grad_x,
                                             Py_ssize_t n) noexcept nogil
cdef void hardtanh_backward_scalar_float32(const float* grad, const float* x, float min_val, float max_val,
                                           float* grad_x, Py_ssize_t n) noexcept nogil
cdef void hardtanh_backward_scalar_float64(const double* grad, const double* x, double min_val, double max_val,
                                           double* grad_x, Py_ssize_t n) noexcept nogil
cdef void threshold_backward_scalar_float32(const float* grad, const float* x, float at, float* grad_x,
                                            Py_ssize_t n) noexcept nogil
cdef void threshold_backward_scalar_float64(const double* grad, const double* x, double at, double* grad_x,
                                            Py_ssize_t n) noexcept nogil
cdef void softplus_threshold_backward_scalar_float32(const float* grad, const float* x, float beta, float at,
                                                     float* grad_x, Py_ssize_t n) noexcept nogil
cdef void softplus_threshold_backward_scalar_float64(const double* grad, const double* x, double beta, double at,
                                                     double* grad_x, Py_ssize_t n) noexcept nogil
cdef void selu_scaled_backward_scalar_float32(const float* grad, const float* x, float alpha, float gamma,
                                              float* grad_x, Py_ssize_t n) noexcept nogil
cdef void selu_scaled_backward_scalar_float64(const double* grad, const double* x, double alpha, double gamma,
                                              double* grad_x, Py_ssize_t n) noexcept nogil
cdef void hardsigmoid_scaled_backward_scalar_float32(const float* grad, const float* x, float alpha, float beta,
                                                     float* grad_x, Py_ssize_t n) noexcept nogil
cdef void hardsigmoid_scaled_backward_scalar_float64(const double* grad, const double* x, double alpha, double beta,
                                                     double* grad_x, Py_ssize_t n) noexcept nogil
cdef void swiglu_clamped_backward_scalar_float32(const float* grad, const float* gate, const float* up, float beta,
                                                 float limit, float shift, float* grad_gate, float* grad_up,
                                                 Py_ssize_t n) noexcept nogil
cdef void swiglu_clamped_backward_scalar_float64(const double* grad, const double* gate, const double* up, double beta,
                                                 double limit, double shift, double* grad_gate, double* grad_up,
                                                 Py_ssize_t n) noexcept nogil

# on the bits of 16-bit floats: computed in float32 and rounded once; y may be x. In that environment too
cdef void relu_float16(const uint16_t* x, uint16_t* y, Py_ssize_t n) noexcept nogil
cdef void relu_bfloat16(const uint16_t* x, uint16_t* y, Py_ssize_t n) noexcept nogil
cdef void sigmoid_float16(const uint16_t* x, uint16_t* y, Py_ssize_t n) noexcept nogil
cdef void sigmoid_bfloat16(const uint16_t* x, uint16_t* y, Py_ssize_t n) noexcept nogil
cdef void tanh_float16(const uint16_t* x, uint16_t* y, Py_ssize_t n) noexcept nogil
cdef void tanh_bfloat16(const uint16_t* x, uint16_t* y, Py_ssize_t n) noexcept nogil
cdef void silu_float16(const uint16_t* x, uint16_t* y, Py_ssize_t n) noexcept nogil
cdef void silu_bfloat16(const uint16_t* x, uint16_t* y, Py_ssize_t n) noexcept nogil
cdef void gelu_float16(const uint16_t* x, uint16_t* y, Py_ssize_t n) noexcept nogil
cdef void gelu_bfloat16(const uint16_t* x, uint16_t* y, Py_ssize_t n) noexcept nogil
cdef void gelu_tanh_float16(const uint16_t* x, uint16_t* y, Py_ssize_t n) noexcept nogil
cdef void gelu_tanh_bfloat16(const uint16_t* x, uint16_t* y, Py_ssize_t n) noexcept nogil
cdef void mish_float16(const uint16_t* x, uint16_t* y, Py_ssize_t n) noexcept nogil
cdef void mish_bfloat16(const uint16_t* x, uint16_t* y, Py_ssize_t n) noexcept nogil
cdef void softplus_float16(const uint16_t* x, uint16_t* y, Py_ssize_t n) noexcept nogil
cdef void softplus_bfloat16(const uint16_t* x, uint16_t* y, Py_ssize_t n) noexcept nogil
cdef void relu_backward_float16(const uint16_t* grad, const uint16_t* x, uint16_t* grad_x, Py_ssize_t n) noexcept nogil
cdef void relu_backward_bfloat16(const uint16_t* grad, const uint16_t* x, uint16_t* grad_x, Py_ssize_t n) noexcept nogil
cdef void sigmoid_backward_float16(const uint16_t* grad, const uint16_t* y, uint16_t* grad_x,
                                   Py_ssize_t n) noexcept nogil
cdef void sigmoid_backward_bfloat16(const uint16_t* grad, const uint16_t* y, uint16_t* grad_x,
                                    Py_ssize_t n) noexcept nogil
cdef void tanh_backward_float16(const uint16_t* grad, const uint16_t* y, uint16_t* grad_x, Py_ssize_t n) noexcept nogil
cdef void tanh_backward_bfloat16(const uint16_t* grad, const uint16_t* y, uint16_t* grad_x, Py_ssize_t n) noexcept nogil
cdef void silu_backward_float16(const uint16_t* grad, const uint16_t* x, uint16_t* grad_x, Py_ssize_t n) noexcept nogil
cdef void silu_backward_bfloat16(const uint16_t* grad, const uint16_t* x, uint16_t* grad_x, Py_ssize_t n) noexcept nogil
cdef void gelu_backward_float16(const uint16_t* grad, const uint16_t* x, uint16_t* grad_x, Py_ssize_t n) noexcept nogil
cdef void gelu_backward_bfloat16(const uint16_t* grad, const uint16_t* x, uint16_t* grad_x, Py_ssize_t n) noexcept nogil
cdef void gelu_tanh_backward_float16(const uint16_t* grad, const uint16_t* x, uint16_t* grad_x,
                                     Py_ssize_t n) noexcept nogil
cdef void gelu_tanh_backward_bfloat16(const uint16_t* grad, const uint16_t* x, uint16_t* grad_x,
                                      Py_ssize_t n) noexcept nogil
cdef void mish_backward_float16(const uint16_t* grad, const uint16_t* x, uint16_t* grad_x, Py_ssize_t n) noexcept nogil
cdef void mish_backward_bfloat16(const uint16_t* grad, const uint16_t* x, uint16_t* grad_x, Py_ssize_t n) noexcept nogil
cdef void softplus_backward_float16(const uint16_t* grad, const uint16_t* x, uint16_t* grad_x,
                                    Py_ssize_t n) noexcept nogil
cdef void softplus_backward_bfloat16(const uint16_t* grad, const uint16_t* x, uint16_t* grad_x,
                                     Py_ssize_t n) noexcept nogil
