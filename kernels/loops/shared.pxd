# What is large and the same for all modules: blocks of operands, copies of what is strided, rows of any dtype. It is
# compiled once a level, in activations.pyx, and other modules find it here. What each does is in ufuncs.pxd and
# tiles.pxd.
from cpython.pycapsule cimport PyCapsule_Import
from libc.string cimport memcpy

from .dtypes cimport Dtype, size_of

cdef struct Shared:
    void (*blocks)(const void* registration, char** args, const Py_ssize_t* steps, Py_ssize_t start,
                   Py_ssize_t stop) noexcept nogil  # ufuncs.pxd's by_blocks
    void (*copy)(Py_ssize_t size, void* y, Py_ssize_t y_step, const void* x, Py_ssize_t x_step,
                 Py_ssize_t n) noexcept nogil  # its copy_apart
    void (*take_row)(Dtype dtype, void* tile, const char* x, Py_ssize_t stride, Py_ssize_t n) noexcept nogil
    void (*put_row)(Dtype dtype, char* y, Py_ssize_t stride, const void* tile, Py_ssize_t n) noexcept nogil

cdef extern from *:
    """
    static const void *lanewise_shared;
    """
    const void* lanewise_shared


cdef inline int join_shared(const Shared* own) except -1:
    # Each module whose kernels use it calls this while it is imported; activations.pyx with its own.
    global lanewise_shared
    lanewise_shared = own if own != NULL else PyCapsule_Import("lanewise.kernels.activations.shared", 0)
    return 0


cdef inline const Shared* shared() noexcept nogil:
    return <const Shared*>lanewise_shared


cdef inline void copy_items(Dtype dtype, void* y, Py_ssize_t y_step, const void* x, Py_ssize_t x_step,
                            Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t size = size_of(dtype)
    if x_step == size and y_step == size:
        memcpy(y, x, n * size)
    else:
        shared().copy(size, y, y_step, x, x_step, n)
