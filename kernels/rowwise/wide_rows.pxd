# What functions share that compute in float64 whatever the precision of their rows.
from ..lanes cimport f32x, f64x, real, store_f64


cdef inline void store_wide(real* y, Py_ssize_t i, Py_ssize_t n, f64x values) noexcept nogil:
    # n <= F64_LANES results, rounded to the row's precision
    cdef double lanes_of[8]
    cdef Py_ssize_t k
    store_f64(lanes_of, values)
    for k in range(n):
        if real is f32x:
            (<float*>y)[i + k] = <float>lanes_of[k]
        else:
            (<double*>y)[i + k] = lanes_of[k]
