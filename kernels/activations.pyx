# The flat kernels of the activations and their ufuncs. The mathematics is in points/, a file for each family of
# activations, the elementary functions in math/; arrays, dtypes and threads are in loops/maps.pxd and loops/ufuncs.pxd.
from cpython.pycapsule cimport PyCapsule_New
from libc.stdint cimport uint16_t

cimport numpy as np

from .lanes cimport f32x, f64x
from .loops.doors cimport operand, pass_through
from .loops.maps cimport map1, map2, map2_abreast, map3, map3_to_2, map4, map_many
from .loops.dtypes cimport BFLOAT16, FLOAT16, FLOAT32, FLOAT64, Dtype
from .loops.shared cimport Shared, join_shared
from .loops.tiles cimport put_any_row, take_any_row
from .loops.ufuncs cimport Registration, by_blocks, copy_apart, elementwise, parametric
from .math cimport exponential, logarithm, logistic, normal
from .points.elu cimport (
    celu, celu_backward, elu, elu_backward, selu, selu_backward, selu_scaled, selu_scaled_backward,
)
from .points.gates cimport (
    geglu, geglu_backward, glu, glu_backward, reglu, reglu_backward, swiglu, swiglu_backward,
    swiglu_beta, swiglu_clamped_backward_of, swiglu_clamped_of,
)
from .points.gelu cimport gelu, gelu_backward, gelu_tanh, gelu_tanh_backward
from .points.hard cimport (
    hardsigmoid, hardsigmoid_backward, hardsigmoid_scaled, hardsigmoid_scaled_backward, hardswish, hardswish_backward,
    hardtanh, hardtanh_backward,
)
from .points.mish cimport mish, mish_backward
from .points.relu cimport (
    leaky_relu, leaky_relu_backward, prelu_weight_backward, relu, relu6, relu6_backward, relu_backward, relu_squared,
    relu_squared_backward, threshold, threshold_backward,
)
from .points.shrink cimport hardshrink, shrink_backward, softshrink
from .points.sigmoid cimport sigmoid_backward
from .points.silu cimport silu, silu_backward, swish, swish_backward
from .points.softplus cimport (
    log1mexp, logsigmoid, logsigmoid_backward, softplus, softplus_backward, softplus_scaled, softplus_scaled_backward,
    softplus_threshold, softplus_threshold_backward,
)
from .points.softsign cimport softsign, softsign_backward
from .points.squareplus cimport squareplus, squareplus_backward
from .points.tanh cimport tanh_backward, tanhshrink, tanhshrink_backward

np.import_array()
np.import_ufunc()


cdef void own_blocks(const void* registration, char** args, const Py_ssize_t* steps, Py_ssize_t start,
                     Py_ssize_t stop) noexcept nogil:
    by_blocks(<const Registration*>registration, args, <const np.npy_intp*>steps, start, stop)


cdef void own_copy(Py_ssize_t size, void* y, Py_ssize_t y_step, const void* x, Py_ssize_t x_step,
                   Py_ssize_t n) noexcept nogil:
    copy_apart(size, y, y_step, x, x_step, n)


cdef void own_take_row(Dtype dtype, void* tile, const char* x, Py_ssize_t stride, Py_ssize_t n) noexcept nogil:
    take_any_row(dtype, tile, x, stride, n)


cdef void own_put_row(Dtype dtype, char* y, Py_ssize_t stride, const void* tile, Py_ssize_t n) noexcept nogil:
    put_any_row(dtype, y, stride, tile, n)


cdef Shared own_shared = Shared(own_blocks, own_copy, own_take_row, own_put_row)
shared = PyCapsule_New(&own_shared, "lanewise.kernels.activations.shared", NULL)
join_shared(&own_shared)


cdef void exp_float32(const float* x, float* y, Py_ssize_t n) noexcept nogil:
    map1(exponential.exp[f32x], <void*>exp_float32, <const f32x*>x, <f32x*>y, n)

cdef void exp_float64(const double* x, double* y, Py_ssize_t n) noexcept nogil:
    map1(exponential.exp[f64x], <void*>exp_float64, <const f64x*>x, <f64x*>y, n)


cdef void expm1_float32(const float* x, float* y, Py_ssize_t n) noexcept nogil:
    map1(exponential.expm1[f32x], <void*>expm1_float32, <const f32x*>x, <f32x*>y, n)

cdef void expm1_float64(const double* x, double* y, Py_ssize_t n) noexcept nogil:
    map1(exponential.expm1[f64x], <void*>expm1_float64, <const f64x*>x, <f64x*>y, n)


cdef void log_float32(const float* x, float* y, Py_ssize_t n) noexcept nogil:
    map1(logarithm.log[f32x], <void*>log_float32, <const f32x*>x, <f32x*>y, n)

cdef void log_float64(const double* x, double* y, Py_ssize_t n) noexcept nogil:
    map1(logarithm.log[f64x], <void*>log_float64, <const f64x*>x, <f64x*>y, n)


cdef void log1p_float32(const float* x, float* y, Py_ssize_t n) noexcept nogil:
    map1(logarithm.log1p[f32x], <void*>log1p_float32, <const f32x*>x, <f32x*>y, n)

cdef void log1p_float64(const double* x, double* y, Py_ssize_t n) noexcept nogil:
    map1(logarithm.log1p[f64x], <void*>log1p_float64, <const f64x*>x, <f64x*>y, n)


cdef void erf_float32(const float* x, float* y, Py_ssize_t n) noexcept nogil:
    map1(normal.erf[f32x], <void*>erf_float32, <const f32x*>x, <f32x*>y, n)

cdef void erf_float64(const double* x, double* y, Py_ssize_t n) noexcept nogil:
    map1(normal.erf[f64x], <void*>erf_float64, <const f64x*>x, <f64x*>y, n)


cdef void erfc_float32(const float* x, float* y, Py_ssize_t n) noexcept nogil:
    map1(normal.erfc[f32x], <void*>erfc_float32, <const f32x*>x, <f32x*>y, n)

cdef void erfc_float64(const double* x, double* y, Py_ssize_t n) noexcept nogil:
    map1(normal.erfc[f64x], <void*>erfc_float64, <const f64x*>x, <f64x*>y, n)


cdef void relu_float32(const float* x, float* y, Py_ssize_t n) noexcept nogil:
    map1(relu[f32x], <void*>relu_float32, <const f32x*>x, <f32x*>y, n)

cdef void relu_float64(const double* x, double* y, Py_ssize_t n) noexcept nogil:
    map1(relu[f64x], <void*>relu_float64, <const f64x*>x, <f64x*>y, n)


cdef void relu6_float32(const float* x, float* y, Py_ssize_t n) noexcept nogil:
    map1(relu6[f32x], <void*>relu6_float32, <const f32x*>x, <f32x*>y, n)

cdef void relu6_float64(const double* x, double* y, Py_ssize_t n) noexcept nogil:
    map1(relu6[f64x], <void*>relu6_float64, <const f64x*>x, <f64x*>y, n)


cdef void relu_squared_float32(const float* x, float* y, Py_ssize_t n) noexcept nogil:
    map1(relu_squared[f32x], <void*>relu_squared_float32, <const f32x*>x, <f32x*>y, n)

cdef void relu_squared_float64(const double* x, double* y, Py_ssize_t n) noexcept nogil:
    map1(relu_squared[f64x], <void*>relu_squared_float64, <const f64x*>x, <f64x*>y, n)


cdef void sigmoid_float32(const float* x, float* y, Py_ssize_t n) noexcept nogil:
    map1(logistic.sigmoid[f32x], <void*>sigmoid_float32, <const f32x*>x, <f32x*>y, n)

cdef void sigmoid_float64(const double* x, double* y, Py_ssize_t n) noexcept nogil:
    map1(logistic.sigmoid[f64x], <void*>sigmoid_float64, <const f64x*>x, <f64x*>y, n)


cdef void tanh_float32(const float* x, float* y, Py_ssize_t n) noexcept nogil:
    map1(logistic.tanh[f32x], <void*>tanh_float32, <const f32x*>x, <f32x*>y, n)

cdef void tanh_float64(const double* x, double* y, Py_ssize_t n) noexcept nogil:
    map1(logistic.tanh[f64x], <void*>tanh_float64, <const f64x*>x, <f64x*>y, n)


cdef void silu_float32(const float* x, float* y, Py_ssize_t n) noexcept nogil:
    map1(silu[f32x], <void*>silu_float32, <const f32x*>x, <f32x*>y, n)

cdef void silu_float64(const double* x, double* y, Py_ssize_t n) noexcept nogil:
    map1(silu[f64x], <void*>silu_float64, <const f64x*>x, <f64x*>y, n)


cdef void gelu_float32(const float* x, float* y, Py_ssize_t n) noexcept nogil:
    map1(gelu[f32x], <void*>gelu_float32, <const f32x*>x, <f32x*>y, n)

cdef void gelu_float64(const double* x, double* y, Py_ssize_t n) noexcept nogil:
    map1(gelu[f64x], <void*>gelu_float64, <const f64x*>x, <f64x*>y, n)


cdef void gelu_tanh_float32(const float* x, float* y, Py_ssize_t n) noexcept nogil:
    map1(gelu_tanh[f32x], <void*>gelu_tanh_float32, <const f32x*>x, <f32x*>y, n)

cdef void gelu_tanh_float64(const double* x, double* y, Py_ssize_t n) noexcept nogil:
    map1(gelu_tanh[f64x], <void*>gelu_tanh_float64, <const f64x*>x, <f64x*>y, n)


cdef void mish_float32(const float* x, float* y, Py_ssize_t n) noexcept nogil:
    map1(mish[f32x], <void*>mish_float32, <const f32x*>x, <f32x*>y, n)

cdef void mish_float64(const double* x, double* y, Py_ssize_t n) noexcept nogil:
    map1(mish[f64x], <void*>mish_float64, <const f64x*>x, <f64x*>y, n)


cdef void softsign_float32(const float* x, float* y, Py_ssize_t n) noexcept nogil:
    map1(softsign[f32x], <void*>softsign_float32, <const f32x*>x, <f32x*>y, n)

cdef void softsign_float64(const double* x, double* y, Py_ssize_t n) noexcept nogil:
    map1(softsign[f64x], <void*>softsign_float64, <const f64x*>x, <f64x*>y, n)


cdef void softplus_float32(const float* x, float* y, Py_ssize_t n) noexcept nogil:
    map1(softplus[f32x], <void*>softplus_float32, <const f32x*>x, <f32x*>y, n)

cdef void softplus_float64(const double* x, double* y, Py_ssize_t n) noexcept nogil:
    map1(softplus[f64x], <void*>softplus_float64, <const f64x*>x, <f64x*>y, n)


cdef void logsigmoid_float32(const float* x, float* y, Py_ssize_t n) noexcept nogil:
    map1(logsigmoid[f32x], <void*>logsigmoid_float32, <const f32x*>x, <f32x*>y, n)

cdef void logsigmoid_float64(const double* x, double* y, Py_ssize_t n) noexcept nogil:
    map1(logsigmoid[f64x], <void*>logsigmoid_float64, <const f64x*>x, <f64x*>y, n)


cdef void log1mexp_float32(const float* x, float* y, Py_ssize_t n) noexcept nogil:
    map1(log1mexp[f32x], <void*>log1mexp_float32, <const f32x*>x, <f32x*>y, n)

cdef void log1mexp_float64(const double* x, double* y, Py_ssize_t n) noexcept nogil:
    map1(log1mexp[f64x], <void*>log1mexp_float64, <const f64x*>x, <f64x*>y, n)


cdef void selu_float32(const float* x, float* y, Py_ssize_t n) noexcept nogil:
    map1(selu[f32x], <void*>selu_float32, <const f32x*>x, <f32x*>y, n)

cdef void selu_float64(const double* x, double* y, Py_ssize_t n) noexcept nogil:
    map1(selu[f64x], <void*>selu_float64, <const f64x*>x, <f64x*>y, n)


cdef void tanhshrink_float32(const float* x, float* y, Py_ssize_t n) noexcept nogil:
    map1(tanhshrink[f32x], <void*>tanhshrink_float32, <const f32x*>x, <f32x*>y, n)

cdef void tanhshrink_float64(const double* x, double* y, Py_ssize_t n) noexcept nogil:
    map1(tanhshrink[f64x], <void*>tanhshrink_float64, <const f64x*>x, <f64x*>y, n)


cdef void hardsigmoid_float32(const float* x, float* y, Py_ssize_t n) noexcept nogil:
    map1(hardsigmoid[f32x], <void*>hardsigmoid_float32, <const f32x*>x, <f32x*>y, n)

cdef void hardsigmoid_float64(const double* x, double* y, Py_ssize_t n) noexcept nogil:
    map1(hardsigmoid[f64x], <void*>hardsigmoid_float64, <const f64x*>x, <f64x*>y, n)


cdef void hardswish_float32(const float* x, float* y, Py_ssize_t n) noexcept nogil:
    map1(hardswish[f32x], <void*>hardswish_float32, <const f32x*>x, <f32x*>y, n)

cdef void hardswish_float64(const double* x, double* y, Py_ssize_t n) noexcept nogil:
    map1(hardswish[f64x], <void*>hardswish_float64, <const f64x*>x, <f64x*>y, n)


cdef void leaky_relu_float32(const float* x, const float* negative_slope, float* y, Py_ssize_t n) noexcept nogil:
    map2(leaky_relu[f32x], <void*>leaky_relu_float32, <const f32x*>x, <const f32x*>negative_slope, <f32x*>y, n)

cdef void leaky_relu_float64(const double* x, const double* negative_slope, double* y, Py_ssize_t n) noexcept nogil:
    map2(leaky_relu[f64x], <void*>leaky_relu_float64, <const f64x*>x, <const f64x*>negative_slope, <f64x*>y, n)


cdef void elu_float32(const float* x, const float* alpha, float* y, Py_ssize_t n) noexcept nogil:
    map2_abreast(elu[f32x], <void*>elu_float32, <const f32x*>x, <const f32x*>alpha, <f32x*>y, n)

cdef void elu_float64(const double* x, const double* alpha, double* y, Py_ssize_t n) noexcept nogil:
    map2_abreast(elu[f64x], <void*>elu_float64, <const f64x*>x, <const f64x*>alpha, <f64x*>y, n)


cdef void celu_float32(const float* x, const float* alpha, float* y, Py_ssize_t n) noexcept nogil:
    map2_abreast(celu[f32x], <void*>celu_float32, <const f32x*>x, <const f32x*>alpha, <f32x*>y, n)

cdef void celu_float64(const double* x, const double* alpha, double* y, Py_ssize_t n) noexcept nogil:
    map2_abreast(celu[f64x], <void*>celu_float64, <const f64x*>x, <const f64x*>alpha, <f64x*>y, n)


cdef void swish_float32(const float* x, const float* beta, float* y, Py_ssize_t n) noexcept nogil:
    map2(swish[f32x], <void*>swish_float32, <const f32x*>x, <const f32x*>beta, <f32x*>y, n)

cdef void swish_float64(const double* x, const double* beta, double* y, Py_ssize_t n) noexcept nogil:
    map2(swish[f64x], <void*>swish_float64, <const f64x*>x, <const f64x*>beta, <f64x*>y, n)


cdef void softplus_scaled_float32(const float* x, const float* beta, float* y, Py_ssize_t n) noexcept nogil:
    map2(softplus_scaled[f32x], <void*>softplus_scaled_float32, <const f32x*>x, <const f32x*>beta, <f32x*>y, n)

cdef void softplus_scaled_float64(const double* x, const double* beta, double* y, Py_ssize_t n) noexcept nogil:
    map2(softplus_scaled[f64x], <void*>softplus_scaled_float64, <const f64x*>x, <const f64x*>beta, <f64x*>y, n)


cdef void softshrink_float32(const float* x, const float* lambd, float* y, Py_ssize_t n) noexcept nogil:
    map2(softshrink[f32x], <void*>softshrink_float32, <const f32x*>x, <const f32x*>lambd, <f32x*>y, n)

cdef void softshrink_float64(const double* x, const double* lambd, double* y, Py_ssize_t n) noexcept nogil:
    map2(softshrink[f64x], <void*>softshrink_float64, <const f64x*>x, <const f64x*>lambd, <f64x*>y, n)


cdef void hardshrink_float32(const float* x, const float* lambd, float* y, Py_ssize_t n) noexcept nogil:
    map2(hardshrink[f32x], <void*>hardshrink_float32, <const f32x*>x, <const f32x*>lambd, <f32x*>y, n)

cdef void hardshrink_float64(const double* x, const double* lambd, double* y, Py_ssize_t n) noexcept nogil:
    map2(hardshrink[f64x], <void*>hardshrink_float64, <const f64x*>x, <const f64x*>lambd, <f64x*>y, n)


cdef void squareplus_float32(const float* x, const float* b, float* y, Py_ssize_t n) noexcept nogil:
    map2(squareplus[f32x], <void*>squareplus_float32, <const f32x*>x, <const f32x*>b, <f32x*>y, n)

cdef void squareplus_float64(const double* x, const double* b, double* y, Py_ssize_t n) noexcept nogil:
    map2(squareplus[f64x], <void*>squareplus_float64, <const f64x*>x, <const f64x*>b, <f64x*>y, n)


cdef void hardtanh_float32(const float* x, const float* min_val, const float* max_val, float* y,
                           Py_ssize_t n) noexcept nogil:
    map3(hardtanh[f32x], <void*>hardtanh_float32, <const f32x*>x, <const f32x*>min_val, <const f32x*>max_val, <f32x*>y,
         n)

cdef void hardtanh_float64(const double* x, const double* min_val, const double* max_val, double* y,
                           Py_ssize_t n) noexcept nogil:
    map3(hardtanh[f64x], <void*>hardtanh_float64, <const f64x*>x, <const f64x*>min_val, <const f64x*>max_val, <f64x*>y,
         n)


cdef void threshold_float32(const float* x, const float* at, const float* value, float* y, Py_ssize_t n) noexcept nogil:
    map3(threshold[f32x], <void*>threshold_float32, <const f32x*>x, <const f32x*>at, <const f32x*>value, <f32x*>y, n)

cdef void threshold_float64(const double* x, const double* at, const double* value, double* y,
                            Py_ssize_t n) noexcept nogil:
    map3(threshold[f64x], <void*>threshold_float64, <const f64x*>x, <const f64x*>at, <const f64x*>value, <f64x*>y, n)


cdef void softplus_threshold_float32(const float* x, const float* beta, const float* at, float* y,
                                     Py_ssize_t n) noexcept nogil:
    map3(softplus_threshold[f32x], <void*>softplus_threshold_float32, <const f32x*>x, <const f32x*>beta,
         <const f32x*>at, <f32x*>y, n)

cdef void softplus_threshold_float64(const double* x, const double* beta, const double* at, double* y,
                                     Py_ssize_t n) noexcept nogil:
    map3(softplus_threshold[f64x], <void*>softplus_threshold_float64, <const f64x*>x, <const f64x*>beta,
         <const f64x*>at, <f64x*>y, n)


cdef void selu_scaled_float32(const float* x, const float* alpha, const float* gamma, float* y,
                              Py_ssize_t n) noexcept nogil:
    map3(selu_scaled[f32x], <void*>selu_scaled_float32, <const f32x*>x, <const f32x*>alpha, <const f32x*>gamma,
         <f32x*>y, n)

cdef void selu_scaled_float64(const double* x, const double* alpha, const double* gamma, double* y,
                              Py_ssize_t n) noexcept nogil:
    map3(selu_scaled[f64x], <void*>selu_scaled_float64, <const f64x*>x, <const f64x*>alpha, <const f64x*>gamma,
         <f64x*>y, n)


cdef void hardsigmoid_scaled_float32(const float* x, const float* alpha, const float* beta, float* y,
                                     Py_ssize_t n) noexcept nogil:
    map3(hardsigmoid_scaled[f32x], <void*>hardsigmoid_scaled_float32, <const f32x*>x, <const f32x*>alpha,
         <const f32x*>beta, <f32x*>y, n)

cdef void hardsigmoid_scaled_float64(const double* x, const double* alpha, const double* beta, double* y,
                                     Py_ssize_t n) noexcept nogil:
    map3(hardsigmoid_scaled[f64x], <void*>hardsigmoid_scaled_float64, <const f64x*>x, <const f64x*>alpha,
         <const f64x*>beta, <f64x*>y, n)


cdef void glu_float32(const float* x, const float* gate, float* y, Py_ssize_t n) noexcept nogil:
    map2(glu[f32x], <void*>glu_float32, <const f32x*>x, <const f32x*>gate, <f32x*>y, n)

cdef void glu_float64(const double* x, const double* gate, double* y, Py_ssize_t n) noexcept nogil:
    map2(glu[f64x], <void*>glu_float64, <const f64x*>x, <const f64x*>gate, <f64x*>y, n)


cdef void swiglu_float32(const float* gate, const float* up, float* y, Py_ssize_t n) noexcept nogil:
    map2(swiglu[f32x], <void*>swiglu_float32, <const f32x*>gate, <const f32x*>up, <f32x*>y, n)

cdef void swiglu_float64(const double* gate, const double* up, double* y, Py_ssize_t n) noexcept nogil:
    map2(swiglu[f64x], <void*>swiglu_float64, <const f64x*>gate, <const f64x*>up, <f64x*>y, n)


cdef void swiglu_beta_float32(const float* gate, const float* up, const float* beta, float* y,
                              Py_ssize_t n) noexcept nogil:
    map3(swiglu_beta[f32x], <void*>swiglu_beta_float32, <const f32x*>gate, <const f32x*>up, <const f32x*>beta, <f32x*>y,
         n)

cdef void swiglu_beta_float64(const double* gate, const double* up, const double* beta, double* y,
                              Py_ssize_t n) noexcept nogil:
    map3(swiglu_beta[f64x], <void*>swiglu_beta_float64, <const f64x*>gate, <const f64x*>up, <const f64x*>beta, <f64x*>y,
         n)


cdef void swiglu_clamped_float32(const float* gate, const float* up, const float* beta, const float* limit,
                                 const float* shift, float* y, Py_ssize_t n) noexcept nogil:
    cdef operand[6] operands = [gate, up, beta, limit, shift, y]
    map_many(swiglu_clamped_of[f32x], <void*>swiglu_clamped_float32, 5, 1, <f32x**>operands, n)

cdef void swiglu_clamped_float64(const double* gate, const double* up, const double* beta, const double* limit,
                                 const double* shift, double* y, Py_ssize_t n) noexcept nogil:
    cdef operand[6] operands = [gate, up, beta, limit, shift, y]
    map_many(swiglu_clamped_of[f64x], <void*>swiglu_clamped_float64, 5, 1, <f64x**>operands, n)


cdef void geglu_float32(const float* gate, const float* up, float* y, Py_ssize_t n) noexcept nogil:
    map2(geglu[f32x], <void*>geglu_float32, <const f32x*>gate, <const f32x*>up, <f32x*>y, n)

cdef void geglu_float64(const double* gate, const double* up, double* y, Py_ssize_t n) noexcept nogil:
    map2(geglu[f64x], <void*>geglu_float64, <const f64x*>gate, <const f64x*>up, <f64x*>y, n)


cdef void reglu_float32(const float* gate, const float* up, float* y, Py_ssize_t n) noexcept nogil:
    map2(reglu[f32x], <void*>reglu_float32, <const f32x*>gate, <const f32x*>up, <f32x*>y, n)

cdef void reglu_float64(const double* gate, const double* up, double* y, Py_ssize_t n) noexcept nogil:
    map2(reglu[f64x], <void*>reglu_float64, <const f64x*>gate, <const f64x*>up, <f64x*>y, n)


cdef void relu_backward_float32(const float* grad, const float* x, float* grad_x, Py_ssize_t n) noexcept nogil:
    map2(relu_backward[f32x], <void*>relu_backward_float32, <const f32x*>grad, <const f32x*>x, <f32x*>grad_x, n)

cdef void relu_backward_float64(const double* grad, const double* x, double* grad_x, Py_ssize_t n) noexcept nogil:
    map2(relu_backward[f64x], <void*>relu_backward_float64, <const f64x*>grad, <const f64x*>x, <f64x*>grad_x, n)


cdef void relu6_backward_float32(const float* grad, const float* x, float* grad_x, Py_ssize_t n) noexcept nogil:
    map2(relu6_backward[f32x], <void*>relu6_backward_float32, <const f32x*>grad, <const f32x*>x, <f32x*>grad_x, n)

cdef void relu6_backward_float64(const double* grad, const double* x, double* grad_x, Py_ssize_t n) noexcept nogil:
    map2(relu6_backward[f64x], <void*>relu6_backward_float64, <const f64x*>grad, <const f64x*>x, <f64x*>grad_x, n)


cdef void relu_squared_backward_float32(const float* grad, const float* x, float* grad_x, Py_ssize_t n) noexcept nogil:
    map2(relu_squared_backward[f32x], <void*>relu_squared_backward_float32, <const f32x*>grad, <const f32x*>x,
         <f32x*>grad_x, n)

cdef void relu_squared_backward_float64(const double* grad, const double* x, double* grad_x,
                                        Py_ssize_t n) noexcept nogil:
    map2(relu_squared_backward[f64x], <void*>relu_squared_backward_float64, <const f64x*>grad, <const f64x*>x,
         <f64x*>grad_x, n)


cdef void sigmoid_backward_float32(const float* grad, const float* y, float* grad_x, Py_ssize_t n) noexcept nogil:
    map2(sigmoid_backward[f32x], <void*>sigmoid_backward_float32, <const f32x*>grad, <const f32x*>y, <f32x*>grad_x, n)

cdef void sigmoid_backward_float64(const double* grad, const double* y, double* grad_x, Py_ssize_t n) noexcept nogil:
    map2(sigmoid_backward[f64x], <void*>sigmoid_backward_float64, <const f64x*>grad, <const f64x*>y, <f64x*>grad_x, n)


cdef void tanh_backward_float32(const float* grad, const float* y, float* grad_x, Py_ssize_t n) noexcept nogil:
    map2(tanh_backward[f32x], <void*>tanh_backward_float32, <const f32x*>grad, <const f32x*>y, <f32x*>grad_x, n)

cdef void tanh_backward_float64(const double* grad, const double* y, double* grad_x, Py_ssize_t n) noexcept nogil:
    map2(tanh_backward[f64x], <void*>tanh_backward_float64, <const f64x*>grad, <const f64x*>y, <f64x*>grad_x, n)


cdef void silu_backward_float32(const float* grad, const float* x, float* grad_x, Py_ssize_t n) noexcept nogil:
    map2_abreast(silu_backward[f32x], <void*>silu_backward_float32, <const f32x*>grad, <const f32x*>x, <f32x*>grad_x, n)

cdef void silu_backward_float64(const double* grad, const double* x, double* grad_x, Py_ssize_t n) noexcept nogil:
    map2_abreast(silu_backward[f64x], <void*>silu_backward_float64, <const f64x*>grad, <const f64x*>x, <f64x*>grad_x, n)


cdef void gelu_backward_float32(const float* grad, const float* x, float* grad_x, Py_ssize_t n) noexcept nogil:
    map2_abreast(gelu_backward[f32x], <void*>gelu_backward_float32, <const f32x*>grad, <const f32x*>x, <f32x*>grad_x, n)

cdef void gelu_backward_float64(const double* grad, const double* x, double* grad_x, Py_ssize_t n) noexcept nogil:
    map2_abreast(gelu_backward[f64x], <void*>gelu_backward_float64, <const f64x*>grad, <const f64x*>x, <f64x*>grad_x, n)


cdef void gelu_tanh_backward_float32(const float* grad, const float* x, float* grad_x, Py_ssize_t n) noexcept nogil:
    map2_abreast(gelu_tanh_backward[f32x], <void*>gelu_tanh_backward_float32, <const f32x*>grad, <const f32x*>x,
                 <f32x*>grad_x, n)

cdef void gelu_tanh_backward_float64(const double* grad, const double* x, double* grad_x, Py_ssize_t n) noexcept nogil:
    map2_abreast(gelu_tanh_backward[f64x], <void*>gelu_tanh_backward_float64, <const f64x*>grad, <const f64x*>x,
                 <f64x*>grad_x, n)


cdef void mish_backward_float32(const float* grad, const float* x, float* grad_x, Py_ssize_t n) noexcept nogil:
    map2_abreast(mish_backward[f32x], <void*>mish_backward_float32, <const f32x*>grad, <const f32x*>x, <f32x*>grad_x, n)

cdef void mish_backward_float64(const double* grad, const double* x, double* grad_x, Py_ssize_t n) noexcept nogil:
    map2_abreast(mish_backward[f64x], <void*>mish_backward_float64, <const f64x*>grad, <const f64x*>x, <f64x*>grad_x, n)


cdef void softsign_backward_float32(const float* grad, const float* x, float* grad_x, Py_ssize_t n) noexcept nogil:
    map2_abreast(softsign_backward[f32x], <void*>softsign_backward_float32, <const f32x*>grad, <const f32x*>x,
                 <f32x*>grad_x, n)

cdef void softsign_backward_float64(const double* grad, const double* x, double* grad_x, Py_ssize_t n) noexcept nogil:
    map2_abreast(softsign_backward[f64x], <void*>softsign_backward_float64, <const f64x*>grad, <const f64x*>x,
                 <f64x*>grad_x, n)


cdef void softplus_backward_float32(const float* grad, const float* x, float* grad_x, Py_ssize_t n) noexcept nogil:
    map2(softplus_backward[f32x], <void*>softplus_backward_float32, <const f32x*>grad, <const f32x*>x, <f32x*>grad_x, n)

cdef void softplus_backward_float64(const double* grad, const double* x, double* grad_x, Py_ssize_t n) noexcept nogil:
    map2(softplus_backward[f64x], <void*>softplus_backward_float64, <const f64x*>grad, <const f64x*>x, <f64x*>grad_x, n)


cdef void logsigmoid_backward_float32(const float* grad, const float* x, float* grad_x, Py_ssize_t n) noexcept nogil:
    map2(logsigmoid_backward[f32x], <void*>logsigmoid_backward_float32, <const f32x*>grad, <const f32x*>x,
         <f32x*>grad_x, n)

cdef void logsigmoid_backward_float64(const double* grad, const double* x, double* grad_x, Py_ssize_t n) noexcept nogil:
    map2(logsigmoid_backward[f64x], <void*>logsigmoid_backward_float64, <const f64x*>grad, <const f64x*>x,
         <f64x*>grad_x, n)


cdef void selu_backward_float32(const float* grad, const float* x, float* grad_x, Py_ssize_t n) noexcept nogil:
    map2_abreast(selu_backward[f32x], <void*>selu_backward_float32, <const f32x*>grad, <const f32x*>x, <f32x*>grad_x, n)

cdef void selu_backward_float64(const double* grad, const double* x, double* grad_x, Py_ssize_t n) noexcept nogil:
    map2_abreast(selu_backward[f64x], <void*>selu_backward_float64, <const f64x*>grad, <const f64x*>x, <f64x*>grad_x, n)


cdef void tanhshrink_backward_float32(const float* grad, const float* x, float* grad_x, Py_ssize_t n) noexcept nogil:
    map2_abreast(tanhshrink_backward[f32x], <void*>tanhshrink_backward_float32, <const f32x*>grad, <const f32x*>x,
                 <f32x*>grad_x, n)

cdef void tanhshrink_backward_float64(const double* grad, const double* x, double* grad_x, Py_ssize_t n) noexcept nogil:
    map2_abreast(tanhshrink_backward[f64x], <void*>tanhshrink_backward_float64, <const f64x*>grad, <const f64x*>x,
                 <f64x*>grad_x, n)


cdef void hardsigmoid_backward_float32(const float* grad, const float* x, float* grad_x, Py_ssize_t n) noexcept nogil:
    map2(hardsigmoid_backward[f32x], <void*>hardsigmoid_backward_float32, <const f32x*>grad, <const f32x*>x,
         <f32x*>grad_x, n)

cdef void hardsigmoid_backward_float64(const double* grad, const double* x, double* grad_x,
                                       Py_ssize_t n) noexcept nogil:
    map2(hardsigmoid_backward[f64x], <void*>hardsigmoid_backward_float64, <const f64x*>grad, <const f64x*>x,
         <f64x*>grad_x, n)


cdef void hardswish_backward_float32(const float* grad, const float* x, float* grad_x, Py_ssize_t n) noexcept nogil:
    map2(hardswish_backward[f32x], <void*>hardswish_backward_float32, <const f32x*>grad, <const f32x*>x, <f32x*>grad_x,
         n)

cdef void hardswish_backward_float64(const double* grad, const double* x, double* grad_x, Py_ssize_t n) noexcept nogil:
    map2(hardswish_backward[f64x], <void*>hardswish_backward_float64, <const f64x*>grad, <const f64x*>x, <f64x*>grad_x,
         n)


cdef void leaky_relu_backward_float32(const float* grad, const float* x, const float* negative_slope, float* grad_x,
                                      Py_ssize_t n) noexcept nogil:
    map3(leaky_relu_backward[f32x], <void*>leaky_relu_backward_float32, <const f32x*>grad, <const f32x*>x,
         <const f32x*>negative_slope, <f32x*>grad_x, n)

cdef void leaky_relu_backward_float64(const double* grad, const double* x, const double* negative_slope,
                                      double* grad_x, Py_ssize_t n) noexcept nogil:
    map3(leaky_relu_backward[f64x], <void*>leaky_relu_backward_float64, <const f64x*>grad, <const f64x*>x,
         <const f64x*>negative_slope, <f64x*>grad_x, n)


cdef void prelu_weight_backward_float32(const float* grad, const float* x, float* grad_weight,
                                        Py_ssize_t n) noexcept nogil:
    map2(prelu_weight_backward[f32x], <void*>prelu_weight_backward_float32, <const f32x*>grad, <const f32x*>x,
         <f32x*>grad_weight, n)

cdef void prelu_weight_backward_float64(const double* grad, const double* x, double* grad_weight,
                                        Py_ssize_t n) noexcept nogil:
    map2(prelu_weight_backward[f64x], <void*>prelu_weight_backward_float64, <const f64x*>grad, <const f64x*>x,
         <f64x*>grad_weight, n)


cdef void elu_backward_float32(const float* grad, const float* x, const float* alpha, float* grad_x,
                               Py_ssize_t n) noexcept nogil:
    map3(elu_backward[f32x], <void*>elu_backward_float32, <const f32x*>grad, <const f32x*>x, <const f32x*>alpha,
         <f32x*>grad_x, n)

cdef void elu_backward_float64(const double* grad, const double* x, const double* alpha, double* grad_x,
                               Py_ssize_t n) noexcept nogil:
    map3(elu_backward[f64x], <void*>elu_backward_float64, <const f64x*>grad, <const f64x*>x, <const f64x*>alpha,
         <f64x*>grad_x, n)


cdef void celu_backward_float32(const float* grad, const float* x, const float* alpha, float* grad_x,
                                Py_ssize_t n) noexcept nogil:
    map3(celu_backward[f32x], <void*>celu_backward_float32, <const f32x*>grad, <const f32x*>x, <const f32x*>alpha,
         <f32x*>grad_x, n)

cdef void celu_backward_float64(const double* grad, const double* x, const double* alpha, double* grad_x,
                                Py_ssize_t n) noexcept nogil:
    map3(celu_backward[f64x], <void*>celu_backward_float64, <const f64x*>grad, <const f64x*>x, <const f64x*>alpha,
         <f64x*>grad_x, n)


cdef void swish_backward_float32(const float* grad, const float* x, const float* beta, float* grad_x,
                                 Py_ssize_t n) noexcept nogil:
    map3(swish_backward[f32x], <void*>swish_backward_float32, <const f32x*>grad, <const f32x*>x, <const f32x*>beta,
         <f32x*>grad_x, n)

cdef void swish_backward_float64(const double* grad, const double* x, const double* beta, double* grad_x,
                                 Py_ssize_t n) noexcept nogil:
    map3(swish_backward[f64x], <void*>swish_backward_float64, <const f64x*>grad, <const f64x*>x, <const f64x*>beta,
         <f64x*>grad_x, n)


cdef void softplus_scaled_backward_float32(const float* grad, const float* x, const float* beta, float* grad_x,
                                           Py_ssize_t n) noexcept nogil:
    map3(softplus_scaled_backward[f32x], <void*>softplus_scaled_backward_float32, <const f32x*>grad, <const f32x*>x,
         <const f32x*>beta, <f32x*>grad_x, n)

cdef void softplus_scaled_backward_float64(const double* grad, const double* x, const double* beta, double* grad_x,
                                           Py_ssize_t n) noexcept nogil:
    map3(softplus_scaled_backward[f64x], <void*>softplus_scaled_backward_float64, <const f64x*>grad, <const f64x*>x,
         <const f64x*>beta, <f64x*>grad_x, n)


cdef void shrink_backward_float32(const float* grad, const float* x, const float* lambd, float* grad_x,
                                  Py_ssize_t n) noexcept nogil:
    map3(shrink_backward[f32x], <void*>shrink_backward_float32, <const f32x*>grad, <const f32x*>x, <const f32x*>lambd,
         <f32x*>grad_x, n)

cdef void shrink_backward_float64(const double* grad, const double* x, const double* lambd, double* grad_x,
                                  Py_ssize_t n) noexcept nogil:
    map3(shrink_backward[f64x], <void*>shrink_backward_float64, <const f64x*>grad, <const f64x*>x, <const f64x*>lambd,
         <f64x*>grad_x, n)


cdef void squareplus_backward_float32(const float* grad, const float* x, const float* b, float* grad_x,
                                      Py_ssize_t n) noexcept nogil:
    map3(squareplus_backward[f32x], <void*>squareplus_backward_float32, <const f32x*>grad, <const f32x*>x,
         <const f32x*>b, <f32x*>grad_x, n)

cdef void squareplus_backward_float64(const double* grad, const double* x, const double* b, double* grad_x,
                                      Py_ssize_t n) noexcept nogil:
    map3(squareplus_backward[f64x], <void*>squareplus_backward_float64, <const f64x*>grad, <const f64x*>x,
         <const f64x*>b, <f64x*>grad_x, n)


cdef void hardtanh_backward_float32(const float* grad, const float* x, const float* min_val, const float* max_val,
                                    float* grad_x, Py_ssize_t n) noexcept nogil:
    map4(hardtanh_backward[f32x], <void*>hardtanh_backward_float32, <const f32x*>grad, <const f32x*>x,
         <const f32x*>min_val, <const f32x*>max_val, <f32x*>grad_x, n)

cdef void hardtanh_backward_float64(const double* grad, const double* x, const double* min_val, const double* max_val,
                                    double* grad_x, Py_ssize_t n) noexcept nogil:
    map4(hardtanh_backward[f64x], <void*>hardtanh_backward_float64, <const f64x*>grad, <const f64x*>x,
         <const f64x*>min_val, <const f64x*>max_val, <f64x*>grad_x, n)


cdef void threshold_backward_float32(const float* grad, const float* x, const float* at, float* grad_x,
                                     Py_ssize_t n) noexcept nogil:
    map3(threshold_backward[f32x], <void*>threshold_backward_float32, <const f32x*>grad, <const f32x*>x,
         <const f32x*>at, <f32x*>grad_x, n)

cdef void threshold_backward_float64(const double* grad, const double* x, const double* at, double* grad_x,
                                     Py_ssize_t n) noexcept nogil:
    map3(threshold_backward[f64x], <void*>threshold_backward_float64, <const f64x*>grad, <const f64x*>x,
         <const f64x*>at, <f64x*>grad_x, n)


cdef void softplus_threshold_backward_float32(const float* grad, const float* x, const float* beta,
                                              const float* at, float* grad_x, Py_ssize_t n) noexcept nogil:
    map4(softplus_threshold_backward[f32x], <void*>softplus_threshold_backward_float32, <const f32x*>grad,
         <const f32x*>x, <const f32x*>beta, <const f32x*>at, <f32x*>grad_x, n)

cdef void softplus_threshold_backward_float64(const double* grad, const double* x, const double* beta,
                                              const double* at, double* grad_x, Py_ssize_t n) noexcept nogil:
    map4(softplus_threshold_backward[f64x], <void*>softplus_threshold_backward_float64, <const f64x*>grad,
         <const f64x*>x, <const f64x*>beta, <const f64x*>at, <f64x*>grad_x, n)


cdef void selu_scaled_backward_float32(const float* grad, const float* x, const float* alpha, const float* gamma,
                                       float* grad_x, Py_ssize_t n) noexcept nogil:
    map4(selu_scaled_backward[f32x], <void*>selu_scaled_backward_float32, <const f32x*>grad, <const f32x*>x,
         <const f32x*>alpha, <const f32x*>gamma, <f32x*>grad_x, n)

cdef void selu_scaled_backward_float64(const double* grad, const double* x, const double* alpha, const double* gamma,
                                       double* grad_x, Py_ssize_t n) noexcept nogil:
    map4(selu_scaled_backward[f64x], <void*>selu_scaled_backward_float64, <const f64x*>grad, <const f64x*>x,
         <const f64x*>alpha, <const f64x*>gamma, <f64x*>grad_x, n)


cdef void hardsigmoid_scaled_backward_float32(const float* grad, const float* x, const float* alpha, const float* beta,
                                              float* grad_x, Py_ssize_t n) noexcept nogil:
    map4(hardsigmoid_scaled_backward[f32x], <void*>hardsigmoid_scaled_backward_float32, <const f32x*>grad,
         <const f32x*>x, <const f32x*>alpha, <const f32x*>beta, <f32x*>grad_x, n)

cdef void hardsigmoid_scaled_backward_float64(const double* grad, const double* x, const double* alpha,
                                              const double* beta, double* grad_x, Py_ssize_t n) noexcept nogil:
    map4(hardsigmoid_scaled_backward[f64x], <void*>hardsigmoid_scaled_backward_float64, <const f64x*>grad,
         <const f64x*>x, <const f64x*>alpha, <const f64x*>beta, <f64x*>grad_x, n)


cdef void glu_backward_float32(const float* grad, const float* x, const float* gate, float* grad_x, float* grad_gate,
                               Py_ssize_t n) noexcept nogil:
    map3_to_2(glu_backward[f32x], <void*>glu_backward_float32, <const f32x*>grad, <const f32x*>x, <const f32x*>gate,
              <f32x*>grad_x, <f32x*>grad_gate, n)

cdef void glu_backward_float64(const double* grad, const double* x, const double* gate, double* grad_x,
                               double* grad_gate, Py_ssize_t n) noexcept nogil:
    map3_to_2(glu_backward[f64x], <void*>glu_backward_float64, <const f64x*>grad, <const f64x*>x, <const f64x*>gate,
              <f64x*>grad_x, <f64x*>grad_gate, n)


cdef void swiglu_backward_float32(const float* grad, const float* gate, const float* up, float* grad_gate,
                                  float* grad_up, Py_ssize_t n) noexcept nogil:
    map3_to_2(swiglu_backward[f32x], <void*>swiglu_backward_float32, <const f32x*>grad, <const f32x*>gate,
              <const f32x*>up, <f32x*>grad_gate, <f32x*>grad_up, n)

cdef void swiglu_backward_float64(const double* grad, const double* gate, const double* up, double* grad_gate,
                                  double* grad_up, Py_ssize_t n) noexcept nogil:
    map3_to_2(swiglu_backward[f64x], <void*>swiglu_backward_float64, <const f64x*>grad, <const f64x*>gate,
              <const f64x*>up, <f64x*>grad_gate, <f64x*>grad_up, n)


cdef void swiglu_clamped_backward_float32(const float* grad, const float* gate, const float* up, const float* beta,
                                          const float* limit, const float* shift, float* grad_gate, float* grad_up,
                                          Py_ssize_t n) noexcept nogil:
    cdef operand[8] operands = [grad, gate, up, beta, limit, shift, grad_gate, grad_up]
    map_many(swiglu_clamped_backward_of[f32x], <void*>swiglu_clamped_backward_float32, 6, 2, <f32x**>operands, n)

cdef void swiglu_clamped_backward_float64(const double* grad, const double* gate, const double* up, const double* beta,
                                          const double* limit, const double* shift, double* grad_gate, double* grad_up,
                                          Py_ssize_t n) noexcept nogil:
    cdef operand[8] operands = [grad, gate, up, beta, limit, shift, grad_gate, grad_up]
    map_many(swiglu_clamped_backward_of[f64x], <void*>swiglu_clamped_backward_float64, 6, 2, <f64x**>operands, n)


cdef void geglu_backward_float32(const float* grad, const float* gate, const float* up, float* grad_gate,
                                 float* grad_up, Py_ssize_t n) noexcept nogil:
    map3_to_2(geglu_backward[f32x], <void*>geglu_backward_float32, <const f32x*>grad, <const f32x*>gate,
              <const f32x*>up, <f32x*>grad_gate, <f32x*>grad_up, n)

cdef void geglu_backward_float64(const double* grad, const double* gate, const double* up, double* grad_gate,
                                 double* grad_up, Py_ssize_t n) noexcept nogil:
    map3_to_2(geglu_backward[f64x], <void*>geglu_backward_float64, <const f64x*>grad, <const f64x*>gate,
              <const f64x*>up, <f64x*>grad_gate, <f64x*>grad_up, n)


cdef void reglu_backward_float32(const float* grad, const float* gate, const float* up, float* grad_gate,
                                 float* grad_up, Py_ssize_t n) noexcept nogil:
    map3_to_2(reglu_backward[f32x], <void*>reglu_backward_float32, <const f32x*>grad, <const f32x*>gate,
              <const f32x*>up, <f32x*>grad_gate, <f32x*>grad_up, n)

cdef void reglu_backward_float64(const double* grad, const double* gate, const double* up, double* grad_gate,
                                 double* grad_up, Py_ssize_t n) noexcept nogil:
    map3_to_2(reglu_backward[f64x], <void*>reglu_backward_float64, <const f64x*>grad, <const f64x*>gate,
              <const f64x*>up, <f64x*>grad_gate, <f64x*>grad_up, n)


exp_ufunc = elementwise(b"exp", <void*>exp_float32, <void*>exp_float64, 1)
expm1_ufunc = elementwise(b"expm1", <void*>expm1_float32, <void*>expm1_float64, 1)
log_ufunc = elementwise(b"log", <void*>log_float32, <void*>log_float64, 1)
log1p_ufunc = elementwise(b"log1p", <void*>log1p_float32, <void*>log1p_float64, 1)
erf_ufunc = elementwise(b"erf", <void*>erf_float32, <void*>erf_float64, 1)
erfc_ufunc = elementwise(b"erfc", <void*>erfc_float32, <void*>erfc_float64, 1)
relu_ufunc = elementwise(b"relu", <void*>relu_float32, <void*>relu_float64, 1)
relu6_ufunc = elementwise(b"relu6", <void*>relu6_float32, <void*>relu6_float64, 1)
relu_squared_ufunc = elementwise(b"relu_squared", <void*>relu_squared_float32, <void*>relu_squared_float64, 1)
sigmoid_ufunc = elementwise(b"sigmoid", <void*>sigmoid_float32, <void*>sigmoid_float64, 1)
tanh_ufunc = elementwise(b"tanh", <void*>tanh_float32, <void*>tanh_float64, 1)
silu_ufunc = elementwise(b"silu", <void*>silu_float32, <void*>silu_float64, 1)
gelu_ufunc = elementwise(b"gelu", <void*>gelu_float32, <void*>gelu_float64, 1)
gelu_tanh_ufunc = elementwise(b"gelu_tanh", <void*>gelu_tanh_float32, <void*>gelu_tanh_float64, 1)
mish_ufunc = elementwise(b"mish", <void*>mish_float32, <void*>mish_float64, 1)
softsign_ufunc = elementwise(b"softsign", <void*>softsign_float32, <void*>softsign_float64, 1)
softplus_ufunc = elementwise(b"softplus", <void*>softplus_float32, <void*>softplus_float64, 1)
logsigmoid_ufunc = elementwise(b"logsigmoid", <void*>logsigmoid_float32, <void*>logsigmoid_float64, 1)
log1mexp_ufunc = elementwise(b"log1mexp", <void*>log1mexp_float32, <void*>log1mexp_float64, 1)
selu_ufunc = elementwise(b"selu", <void*>selu_float32, <void*>selu_float64, 1)
tanhshrink_ufunc = elementwise(b"tanhshrink", <void*>tanhshrink_float32, <void*>tanhshrink_float64, 1)
hardsigmoid_ufunc = elementwise(b"hardsigmoid", <void*>hardsigmoid_float32, <void*>hardsigmoid_float64, 1)
hardswish_ufunc = elementwise(b"hardswish", <void*>hardswish_float32, <void*>hardswish_float64, 1)
leaky_relu_ufunc, leaky_relu_short_ufunc = parametric(
    b"leaky_relu", <void*>leaky_relu_float32, <void*>leaky_relu_float64, 2, 1)
elu_ufunc, elu_short_ufunc = parametric(
    b"elu", <void*>elu_float32, <void*>elu_float64, 2, 1)
celu_ufunc, celu_short_ufunc = parametric(
    b"celu", <void*>celu_float32, <void*>celu_float64, 2, 1)
swish_ufunc, swish_short_ufunc = parametric(
    b"swish", <void*>swish_float32, <void*>swish_float64, 2, 1)
softplus_scaled_ufunc, softplus_scaled_short_ufunc = parametric(
    b"softplus_scaled", <void*>softplus_scaled_float32, <void*>softplus_scaled_float64, 2, 1)
softshrink_ufunc, softshrink_short_ufunc = parametric(
    b"softshrink", <void*>softshrink_float32, <void*>softshrink_float64, 2, 1)
hardshrink_ufunc, hardshrink_short_ufunc = parametric(
    b"hardshrink", <void*>hardshrink_float32, <void*>hardshrink_float64, 2, 1)
squareplus_ufunc, squareplus_short_ufunc = parametric(
    b"squareplus", <void*>squareplus_float32, <void*>squareplus_float64, 2, 1)
hardtanh_ufunc, hardtanh_short_ufunc = parametric(
    b"hardtanh", <void*>hardtanh_float32, <void*>hardtanh_float64, 3, 2)
threshold_ufunc, threshold_short_ufunc = parametric(
    b"threshold", <void*>threshold_float32, <void*>threshold_float64, 3, 2)
softplus_threshold_ufunc, softplus_threshold_short_ufunc = parametric(
    b"softplus_threshold", <void*>softplus_threshold_float32, <void*>softplus_threshold_float64, 3, 2)
selu_scaled_ufunc, selu_scaled_short_ufunc = parametric(
    b"selu_scaled", <void*>selu_scaled_float32, <void*>selu_scaled_float64, 3, 2)
hardsigmoid_scaled_ufunc, hardsigmoid_scaled_short_ufunc = parametric(
    b"hardsigmoid_scaled", <void*>hardsigmoid_scaled_float32, <void*>hardsigmoid_scaled_float64, 3, 2)
glu_ufunc = elementwise(b"glu", <void*>glu_float32, <void*>glu_float64, 2)
swiglu_ufunc = elementwise(b"swiglu", <void*>swiglu_float32, <void*>swiglu_float64, 2)
swiglu_beta_ufunc, swiglu_beta_short_ufunc = parametric(
    b"swiglu_beta", <void*>swiglu_beta_float32, <void*>swiglu_beta_float64, 3, 1)
swiglu_clamped_ufunc, swiglu_clamped_short_ufunc = parametric(
    b"swiglu_clamped", <void*>swiglu_clamped_float32, <void*>swiglu_clamped_float64, 5, 3)
geglu_ufunc = elementwise(b"geglu", <void*>geglu_float32, <void*>geglu_float64, 2)
reglu_ufunc = elementwise(b"reglu", <void*>reglu_float32, <void*>reglu_float64, 2)
relu_backward_ufunc = elementwise(b"relu_backward", <void*>relu_backward_float32, <void*>relu_backward_float64, 2)
relu6_backward_ufunc = elementwise(b"relu6_backward", <void*>relu6_backward_float32, <void*>relu6_backward_float64, 2)
relu_squared_backward_ufunc = elementwise(b"relu_squared_backward", <void*>relu_squared_backward_float32,
                                          <void*>relu_squared_backward_float64, 2)
sigmoid_backward_ufunc = elementwise(b"sigmoid_backward", <void*>sigmoid_backward_float32,
                                     <void*>sigmoid_backward_float64, 2)
tanh_backward_ufunc = elementwise(b"tanh_backward", <void*>tanh_backward_float32, <void*>tanh_backward_float64, 2)
silu_backward_ufunc = elementwise(b"silu_backward", <void*>silu_backward_float32, <void*>silu_backward_float64, 2)
gelu_backward_ufunc = elementwise(b"gelu_backward", <void*>gelu_backward_float32, <void*>gelu_backward_float64, 2)
gelu_tanh_backward_ufunc = elementwise(b"gelu_tanh_backward", <void*>gelu_tanh_backward_float32,
                                       <void*>gelu_tanh_backward_float64, 2)
mish_backward_ufunc = elementwise(b"mish_backward", <void*>mish_backward_float32, <void*>mish_backward_float64, 2)
softsign_backward_ufunc = elementwise(b"softsign_backward", <void*>softsign_backward_float32,
                                      <void*>softsign_backward_float64, 2)
softplus_backward_ufunc = elementwise(b"softplus_backward", <void*>softplus_backward_float32,
                                      <void*>softplus_backward_float64, 2)
logsigmoid_backward_ufunc = elementwise(b"logsigmoid_backward", <void*>logsigmoid_backward_float32,
                                        <void*>logsigmoid_backward_float64, 2)
selu_backward_ufunc = elementwise(b"selu_backward", <void*>selu_backward_float32, <void*>selu_backward_float64, 2)
tanhshrink_backward_ufunc = elementwise(b"tanhshrink_backward", <void*>tanhshrink_backward_float32,
                                        <void*>tanhshrink_backward_float64, 2)
hardsigmoid_backward_ufunc = elementwise(b"hardsigmoid_backward", <void*>hardsigmoid_backward_float32,
                                         <void*>hardsigmoid_backward_float64, 2)
hardswish_backward_ufunc = elementwise(b"hardswish_backward", <void*>hardswish_backward_float32,
                                       <void*>hardswish_backward_float64, 2)
leaky_relu_backward_ufunc, leaky_relu_backward_short_ufunc = parametric(
    b"leaky_relu_backward", <void*>leaky_relu_backward_float32, <void*>leaky_relu_backward_float64, 3, 1)
prelu_weight_backward_ufunc = elementwise(b"prelu_weight_backward", <void*>prelu_weight_backward_float32,
                                          <void*>prelu_weight_backward_float64, 2)
elu_backward_ufunc, elu_backward_short_ufunc = parametric(
    b"elu_backward", <void*>elu_backward_float32, <void*>elu_backward_float64, 3, 1)
celu_backward_ufunc, celu_backward_short_ufunc = parametric(
    b"celu_backward", <void*>celu_backward_float32, <void*>celu_backward_float64, 3, 1)
swish_backward_ufunc, swish_backward_short_ufunc = parametric(
    b"swish_backward", <void*>swish_backward_float32, <void*>swish_backward_float64, 3, 1)
softplus_scaled_backward_ufunc, softplus_scaled_backward_short_ufunc = parametric(
    b"softplus_scaled_backward", <void*>softplus_scaled_backward_float32, <void*>softplus_scaled_backward_float64, 3, 1)
shrink_backward_ufunc, shrink_backward_short_ufunc = parametric(
    b"shrink_backward", <void*>shrink_backward_float32, <void*>shrink_backward_float64, 3, 1)
squareplus_backward_ufunc, squareplus_backward_short_ufunc = parametric(
    b"squareplus_backward", <void*>squareplus_backward_float32, <void*>squareplus_backward_float64, 3, 1)
hardtanh_backward_ufunc, hardtanh_backward_short_ufunc = parametric(
    b"hardtanh_backward", <void*>hardtanh_backward_float32, <void*>hardtanh_backward_float64, 4, 2)
threshold_backward_ufunc, threshold_backward_short_ufunc = parametric(
    b"threshold_backward", <void*>threshold_backward_float32, <void*>threshold_backward_float64, 3, 1)
softplus_threshold_backward_ufunc, softplus_threshold_backward_short_ufunc = parametric(
    b"softplus_threshold_backward", <void*>softplus_threshold_backward_float32,
    <void*>softplus_threshold_backward_float64, 4, 2)
selu_scaled_backward_ufunc, selu_scaled_backward_short_ufunc = parametric(
    b"selu_scaled_backward", <void*>selu_scaled_backward_float32, <void*>selu_scaled_backward_float64, 4, 2)
hardsigmoid_scaled_backward_ufunc, hardsigmoid_scaled_backward_short_ufunc = parametric(
    b"hardsigmoid_scaled_backward", <void*>hardsigmoid_scaled_backward_float32,
    <void*>hardsigmoid_scaled_backward_float64, 4, 2)
glu_backward_ufunc = elementwise(b"glu_backward", <void*>glu_backward_float32, <void*>glu_backward_float64, 3, 2)
swiglu_backward_ufunc = elementwise(b"swiglu_backward", <void*>swiglu_backward_float32,
                                    <void*>swiglu_backward_float64, 3, 2)
swiglu_clamped_backward_ufunc, swiglu_clamped_backward_short_ufunc = parametric(
    b"swiglu_clamped_backward", <void*>swiglu_clamped_backward_float32, <void*>swiglu_clamped_backward_float64, 6, 3, 2)
geglu_backward_ufunc = elementwise(b"geglu_backward", <void*>geglu_backward_float32,
                                   <void*>geglu_backward_float64, 3, 2)
reglu_backward_ufunc = elementwise(b"reglu_backward", <void*>reglu_backward_float32,
                                   <void*>reglu_backward_float64, 3, 2)


include "parts/activations_forms.pxi"
