# Rows side by side in float64, a row a lane: what goes along a row step by step does so for as many rows at once as a
# register has lanes, and each row has the bits that it has alone. No mathematics, no Python.
from ..lanes cimport F64_LANES, f64x, real, zip_high_f64, zip_low_f64
from .reductions cimport put_wide, wide
from .registers cimport skip


cdef inline void transpose(f64x* x) noexcept nogil:
    # of F64_LANES registers: lane i of register k becomes lane k of register i
    cdef f64x y[F64_LANES]
    cdef Py_ssize_t turn = F64_LANES, half = F64_LANES // 2, k
    while turn > 1:
        for k in range(half):
            y[2 * k], y[2 * k + 1] = zip_low_f64(x[k], x[k + half]), zip_high_f64(x[k], x[k + half])
        for k in range(F64_LANES):
            x[k] = y[k]
        turn = turn // 2


cdef inline void gather(const real* x, Py_ssize_t rows, Py_ssize_t n, Py_ssize_t row, Py_ssize_t first,
                        Py_ssize_t count, f64x* steps) noexcept nogil:
    # the elements first to first + count of the rows of x[rows, n] from `row` on: a register of each step, whole
    # registers' worth of them; the last row stands in for those after it
    cdef const real* starts[F64_LANES]
    cdef Py_ssize_t i = 0, k, part
    for k in range(F64_LANES):
        starts[k] = skip(x, min(row + k, rows - 1) * n + first)
    while i < count:
        part = min(<Py_ssize_t>F64_LANES, count - i)
        for k in range(F64_LANES):
            steps[i + k] = wide(starts[k], i, part)
        transpose(steps + i)
        i += F64_LANES


cdef inline void scatter(f64x* steps, Py_ssize_t rows, Py_ssize_t n, Py_ssize_t row, Py_ssize_t first,
                         Py_ssize_t count, real* y) noexcept nogil:
    # and back to y[rows, n]; what is in `steps` is changed
    cdef Py_ssize_t i = 0, k, part, some = min(rows - row, <Py_ssize_t>F64_LANES)
    while i < count:
        transpose(steps + i)
        part = min(<Py_ssize_t>F64_LANES, count - i)
        for k in range(some):
            put_wide(y, (row + k) * n + first + i, part, steps[i + k])
        i += F64_LANES
