# What lanewise accuracy does to each of 2^32 numbers: the error of a result in ULP of the exact one, counted into a
# histogram. In C, since every function and every gradient takes a pass.
from libc.math cimport INFINITY, fabs, isfinite, isnan
from libc.stdint cimport int64_t
from libc.string cimport memcpy

from .loops.numbers cimport OF_FLOAT64, OF_INT64, Numbers, join_numbers, numbers_in, numbers_out

join_numbers()


cdef inline double spacing(double exact, double least, double most, double unit) noexcept nogil:
    # an ULP of the exact result: the power of two at or below it, within the format's exponents, times 2^(1 - digits)
    cdef int64_t bits
    cdef double power
    memcpy(&bits, &exact, 8)
    bits = (bits >> 52 & 0x7FF) << 52
    memcpy(&power, &bits, 8)
    return min(max(power, least), most) * unit


cdef inline double error(double y, double exact, double least, double most, double unit) noexcept nogil:
    # beyond the largest number an infinity counts as the power of two that rounding would reach; a NaN is right where
    # the exact result is one
    if not (isfinite(y) and isfinite(exact)):
        if isnan(y) or isnan(exact):
            return 0.0 if isnan(y) and isnan(exact) else INFINITY
        y = min(max(y, -2 * most), 2 * most)
        exact = min(max(exact, -2 * most), 2 * most)
    return fabs(y - exact) / spacing(exact, least, most, unit)


def measure(y, exact, int digits, int least, int most, found):
    """The errors of `y`, numbers of a format of so many digits and of exponents from `least` to `most`, in ULP."""
    cdef Numbers results = numbers_in(y, OF_FLOAT64, 1), meant = numbers_in(exact, OF_FLOAT64, 1)
    cdef Numbers errors = numbers_out(found, OF_FLOAT64, 1)
    cdef Py_ssize_t i
    cdef double smallest = 2.0 ** least, largest = 2.0 ** most, unit = 2.0 ** (1 - digits)
    with nogil:
        for i in range(results.shape[0]):
            (<double*>errors.at)[i] = error((<double*>results.at)[i], (<double*>meant.at)[i], smallest, largest, unit)


def count(found, int per_ulp, counts):
    """Add errors to a histogram of so many bins an ULP, the last for all beyond; return the index of the largest."""
    cdef Numbers all = numbers_in(found, OF_FLOAT64, 1), bins = numbers_out(counts, OF_INT64, 1)
    cdef const double* errors = <const double*>all.at
    cdef int64_t* counted = <int64_t*>bins.at
    cdef Py_ssize_t i, at = 0, last = bins.shape[0] - 1
    with nogil:
        for i in range(all.shape[0]):
            if errors[i] > errors[at]:
                at = i
            counted[<Py_ssize_t>(per_ulp * errors[i]) if per_ulp * errors[i] < last else last] += 1
    return at
