# Activations: point functions on registers, their flat kernels and their ufuncs. What they build on is in
# elementary.pxd; their slopes are in slopes.pxd; arrays, dtypes and threads in loops.pxd and ufuncs.pxd.
cimport numpy as np

from . cimport elementary
from .elementary cimport logistic_parts, normal_tail_parts
from .lanes cimport at_least, at_most, f32x, f64x, fma, magnitude, pick, real, scale2, splat, where_less
from .loops cimport map1, map2
from .pairs cimport scaled
from .slopes cimport gelu_slope, silu_slope
from .ufuncs cimport elementwise

np.import_array()
np.import_ufunc()


cdef inline real relu(real x) noexcept nogil:
    return at_least(x, splat(x, 0.0))


cdef inline real relu_backward(real grad, real x) noexcept nogil:
    # grad where x > 0; a NaN stays
    cdef real zero = splat(x, 0.0)
    return where_less(zero, x, grad, magnitude(at_least(x, zero)))


cdef inline real sigmoid_backward(real grad, real y) noexcept nogil:
    # grad y (1 - y), of the output y
    return grad * fma(-y, y, y)


cdef inline real tanh_backward(real grad, real y) noexcept nogil:
    # grad (1 - y^2), of the output y
    return grad * fma(-y, y, splat(y, 1.0))


cdef inline real silu(real x) noexcept nogil:
    # x / (1 + e^-x) = max(x, 0) - |x| / (1 + e^|x|); Elfwing, Uchibe and Doya, arXiv:1702.03118
    cdef real low, n
    cdef real a = at_most(magnitude(x), pick(x, 110.0, 760.0))
    cdef real q = logistic_parts(a, &low, &n)
    return at_least(x, splat(x, -0.0)) - scale2(fma(a, q, a * low), n)


cdef inline real silu_backward(real grad, real x) noexcept nogil:
    cdef real low
    cdef real slope = silu_slope(x, &low)
    return scaled(grad, slope, low)


cdef inline real gelu(real x) noexcept nogil:
    # x Phi(x) = max(x, 0) - |x| Phi(-|x|); Hendrycks and Gimpel, arXiv:1606.08415
    cdef real low, n, e, e_low
    cdef real a = at_most(magnitude(x), pick(x, 14.6, 39.0))
    cdef real q = normal_tail_parts(a, &low, &n, &e, &e_low)
    return at_least(x, splat(x, -0.0)) - scale2(fma(a, q, a * low), n)


cdef inline real gelu_backward(real grad, real x) noexcept nogil:
    cdef real low
    cdef real slope = gelu_slope(x, &low)
    return scaled(grad, slope, low)


cdef void exp_float32(const float* x, float* y, Py_ssize_t n) noexcept nogil:
    map1(elementary.exp[f32x], <const f32x*>x, <f32x*>y, n)

cdef void exp_float64(const double* x, double* y, Py_ssize_t n) noexcept nogil:
    map1(elementary.exp[f64x], <const f64x*>x, <f64x*>y, n)


cdef void expm1_float32(const float* x, float* y, Py_ssize_t n) noexcept nogil:
    map1(elementary.expm1[f32x], <const f32x*>x, <f32x*>y, n)

cdef void expm1_float64(const double* x, double* y, Py_ssize_t n) noexcept nogil:
    map1(elementary.expm1[f64x], <const f64x*>x, <f64x*>y, n)


cdef void log_float32(const float* x, float* y, Py_ssize_t n) noexcept nogil:
    map1(elementary.log[f32x], <const f32x*>x, <f32x*>y, n)

cdef void log_float64(const double* x, double* y, Py_ssize_t n) noexcept nogil:
    map1(elementary.log[f64x], <const f64x*>x, <f64x*>y, n)


cdef void log1p_float32(const float* x, float* y, Py_ssize_t n) noexcept nogil:
    map1(elementary.log1p[f32x], <const f32x*>x, <f32x*>y, n)

cdef void log1p_float64(const double* x, double* y, Py_ssize_t n) noexcept nogil:
    map1(elementary.log1p[f64x], <const f64x*>x, <f64x*>y, n)


cdef void erf_float32(const float* x, float* y, Py_ssize_t n) noexcept nogil:
    map1(elementary.erf[f32x], <const f32x*>x, <f32x*>y, n)

cdef void erf_float64(const double* x, double* y, Py_ssize_t n) noexcept nogil:
    map1(elementary.erf[f64x], <const f64x*>x, <f64x*>y, n)


cdef void relu_float32(const float* x, float* y, Py_ssize_t n) noexcept nogil:
    map1(relu[f32x], <const f32x*>x, <f32x*>y, n)

cdef void relu_float64(const double* x, double* y, Py_ssize_t n) noexcept nogil:
    map1(relu[f64x], <const f64x*>x, <f64x*>y, n)


cdef void sigmoid_float32(const float* x, float* y, Py_ssize_t n) noexcept nogil:
    map1(elementary.sigmoid[f32x], <const f32x*>x, <f32x*>y, n)

cdef void sigmoid_float64(const double* x, double* y, Py_ssize_t n) noexcept nogil:
    map1(elementary.sigmoid[f64x], <const f64x*>x, <f64x*>y, n)


cdef void tanh_float32(const float* x, float* y, Py_ssize_t n) noexcept nogil:
    map1(elementary.tanh[f32x], <const f32x*>x, <f32x*>y, n)

cdef void tanh_float64(const double* x, double* y, Py_ssize_t n) noexcept nogil:
    map1(elementary.tanh[f64x], <const f64x*>x, <f64x*>y, n)


cdef void silu_float32(const float* x, float* y, Py_ssize_t n) noexcept nogil:
    map1(silu[f32x], <const f32x*>x, <f32x*>y, n)

cdef void silu_float64(const double* x, double* y, Py_ssize_t n) noexcept nogil:
    map1(silu[f64x], <const f64x*>x, <f64x*>y, n)


cdef void gelu_float32(const float* x, float* y, Py_ssize_t n) noexcept nogil:
    map1(gelu[f32x], <const f32x*>x, <f32x*>y, n)

cdef void gelu_float64(const double* x, double* y, Py_ssize_t n) noexcept nogil:
    map1(gelu[f64x], <const f64x*>x, <f64x*>y, n)


cdef void relu_backward_float32(const float* grad, const float* x, float* grad_x, Py_ssize_t n) noexcept nogil:
    map2(relu_backward[f32x], <const f32x*>grad, <const f32x*>x, <f32x*>grad_x, n)

cdef void relu_backward_float64(const double* grad, const double* x, double* grad_x, Py_ssize_t n) noexcept nogil:
    map2(relu_backward[f64x], <const f64x*>grad, <const f64x*>x, <f64x*>grad_x, n)


cdef void sigmoid_backward_float32(const float* grad, const float* y, float* grad_x, Py_ssize_t n) noexcept nogil:
    map2(sigmoid_backward[f32x], <const f32x*>grad, <const f32x*>y, <f32x*>grad_x, n)

cdef void sigmoid_backward_float64(const double* grad, const double* y, double* grad_x, Py_ssize_t n) noexcept nogil:
    map2(sigmoid_backward[f64x], <const f64x*>grad, <const f64x*>y, <f64x*>grad_x, n)


cdef void tanh_backward_float32(const float* grad, const float* y, float* grad_x, Py_ssize_t n) noexcept nogil:
    map2(tanh_backward[f32x], <const f32x*>grad, <const f32x*>y, <f32x*>grad_x, n)

cdef void tanh_backward_float64(const double* grad, const double* y, double* grad_x, Py_ssize_t n) noexcept nogil:
    map2(tanh_backward[f64x], <const f64x*>grad, <const f64x*>y, <f64x*>grad_x, n)


cdef void silu_backward_float32(const float* grad, const float* x, float* grad_x, Py_ssize_t n) noexcept nogil:
    map2(silu_backward[f32x], <const f32x*>grad, <const f32x*>x, <f32x*>grad_x, n)

cdef void silu_backward_float64(const double* grad, const double* x, double* grad_x, Py_ssize_t n) noexcept nogil:
    map2(silu_backward[f64x], <const f64x*>grad, <const f64x*>x, <f64x*>grad_x, n)


cdef void gelu_backward_float32(const float* grad, const float* x, float* grad_x, Py_ssize_t n) noexcept nogil:
    map2(gelu_backward[f32x], <const f32x*>grad, <const f32x*>x, <f32x*>grad_x, n)

cdef void gelu_backward_float64(const double* grad, const double* x, double* grad_x, Py_ssize_t n) noexcept nogil:
    map2(gelu_backward[f64x], <const f64x*>grad, <const f64x*>x, <f64x*>grad_x, n)


exp_ufunc = elementwise(b"exp", <void*>exp_float32, <void*>exp_float64, 1)
expm1_ufunc = elementwise(b"expm1", <void*>expm1_float32, <void*>expm1_float64, 1)
log_ufunc = elementwise(b"log", <void*>log_float32, <void*>log_float64, 1)
log1p_ufunc = elementwise(b"log1p", <void*>log1p_float32, <void*>log1p_float64, 1)
erf_ufunc = elementwise(b"erf", <void*>erf_float32, <void*>erf_float64, 1)
relu_ufunc = elementwise(b"relu", <void*>relu_float32, <void*>relu_float64, 1)
sigmoid_ufunc = elementwise(b"sigmoid", <void*>sigmoid_float32, <void*>sigmoid_float64, 1)
tanh_ufunc = elementwise(b"tanh", <void*>tanh_float32, <void*>tanh_float64, 1)
silu_ufunc = elementwise(b"silu", <void*>silu_float32, <void*>silu_float64, 1)
gelu_ufunc = elementwise(b"gelu", <void*>gelu_float32, <void*>gelu_float64, 1)
relu_backward_ufunc = elementwise(b"relu_backward", <void*>relu_backward_float32, <void*>relu_backward_float64, 2)
sigmoid_backward_ufunc = elementwise(b"sigmoid_backward", <void*>sigmoid_backward_float32,
                                     <void*>sigmoid_backward_float64, 2)
tanh_backward_ufunc = elementwise(b"tanh_backward", <void*>tanh_backward_float32, <void*>tanh_backward_float64, 2)
silu_backward_ufunc = elementwise(b"silu_backward", <void*>silu_backward_float32, <void*>silu_backward_float64, 2)
gelu_backward_ufunc = elementwise(b"gelu_backward", <void*>gelu_backward_float32, <void*>gelu_backward_float64, 2)
