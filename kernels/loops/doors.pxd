# Flat kernels made of flat kernels, for those who call from C: operands of 16 bits, and parameters that are one number
# for all elements. No mathematics, no Python.
cimport numpy as np

from .dtypes cimport Dtype, size_of
from .ufuncs cimport MAX_OPERANDS, Registration, span

ctypedef const void* operand


cdef inline void pass_through(void* kernel, Dtype dtype, int arrays, int numbers, int outputs,
                              const operand* operands, Py_ssize_t n) noexcept nogil:
    # a kernel of `arrays` inputs of n elements, then of `numbers` that stand for n elements each, then of outputs
    cdef Registration registration
    cdef char* args[MAX_OPERANDS]
    cdef np.npy_intp steps[MAX_OPERANDS]
    cdef int k, n_in = arrays + numbers
    registration.kernel, registration.context = kernel, NULL
    registration.lanes, registration.n_in, registration.n_out = 1, n_in, outputs
    for k in range(n_in + outputs):
        registration.dtypes[k] = dtype
        args[k] = <char*>operands[k]
        steps[k] = 0 if arrays <= k < n_in else size_of(dtype)
    span(&registration, args, steps, 0, n)
