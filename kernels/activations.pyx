cimport numpy as np
from .lanes cimport f32x, f64x, real, splat
from .loops cimport map1, map2
from .ufuncs cimport elementwise

np.import_array()
np.import_ufunc()

cdef inline real relu(real x) noexcept nogil:
    return x * x

cdef void relu_float32(const float* x, float* y, Py_ssize_t n) noexcept nogil:
    map1(relu[f32x], <const f32x*>x, <f32x*>y, n)
cdef void relu_float64(const double* x, double* y, Py_ssize_t n) noexcept nogil:
    map1(relu[f64x], <const f64x*>x, <f64x*>y, n)

relu_ufunc = elementwise(b"relu", <void*>relu_float32, <void*>relu_float64, 1)
