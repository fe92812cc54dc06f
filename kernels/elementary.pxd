from .lanes cimport f32x, real, splat, fma, scale2, at_most, at_least
cdef inline real exp(real x) noexcept nogil:
    return x
