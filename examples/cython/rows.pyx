# cython: boundscheck=False, wraparound=False
"""silu of each row, on Lanewise's number of threads: the kernels cimported, as any Cython code is."""
from cython.parallel cimport prange
from lanewise.kernels.activations cimport silu_float32
from lanewise.kernels.interface cimport num_threads


def silu_rows(const float[:, ::1] x, float[:, ::1] y):
    cdef Py_ssize_t row
    for row in prange(x.shape[0], nogil=True, num_threads=num_threads()):
        silu_float32(&x[row, 0], &y[row, 0], x.shape[1])
