# Numeric code of somebody else's that calls Lanewise's kernels row by row, without the GIL, on its own threads.
# cython: boundscheck=False, wraparound=False
from cython.parallel cimport prange

from libc.stdint cimport uint8_t

from lanewise.kernels.activations cimport gelu_float64, silu_float32
from lanewise.kernels.ieee754 cimport decode_float8_e4m3fn_float32, encode_float8_e4m3fn_float32


def silu_rows(const float[:, ::1] x, float[:, ::1] y, int num_threads):
    """y = silu(x), a row at a time."""
    cdef Py_ssize_t row
    for row in prange(x.shape[0], nogil=True, num_threads=num_threads):
        silu_float32(&x[row, 0], &y[row, 0], x.shape[1])


def gelu_rows(const double[:, ::1] x, double[:, ::1] y):
    """y = gelu(x), a row at a time."""
    cdef Py_ssize_t row
    with nogil:
        for row in range(x.shape[0]):
            gelu_float64(&x[row, 0], &y[row, 0], x.shape[1])


def through_float8(const float[::1] x, uint8_t[::1] codes, float[::1] y):
    """y = x rounded to float8_e4m3fn, by way of its codes."""
    with nogil:
        encode_float8_e4m3fn_float32(&x[0], &codes[0], x.shape[0])
        decode_float8_e4m3fn_float32(&codes[0], &y[0], x.shape[0])
