# The dtypes of arrays, as loops know them, and single numbers of them.
from libc.math cimport INFINITY
from libc.stdint cimport uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy

cdef enum Dtype:
    # the 16-bit floats, which a kernel sees as float32
    FLOAT16
    BFLOAT16
    # what a kernel sees as it is; signed integers and raw codes go by their unsigned width
    FLOAT32
    FLOAT64
    UINT8
    UINT16
    UINT32
    UINT64

cdef enum:
    # which of two precisions a loop over both has: float64 or float32
    WIDE = 0
    NARROW = 1


cdef inline Py_ssize_t size_of(Dtype dtype) noexcept nogil:
    if dtype == FLOAT64 or dtype == UINT64:
        return 8
    if dtype == FLOAT32 or dtype == UINT32:
        return 4
    return 1 if dtype == UINT8 else 2


cdef inline bint is_short(Dtype dtype) noexcept nogil:
    # whether a kernel sees it widened to float32
    return dtype == FLOAT16 or dtype == BFLOAT16


cdef inline double number_at(Dtype dtype, const void* x, Py_ssize_t i) noexcept nogil:
    # one number of an array of floats
    cdef uint64_t code
    cdef uint32_t bits
    cdef float narrow
    cdef double value
    cdef bint of_no_number
    if dtype == FLOAT64:
        return (<const double*>x)[i]
    if dtype == FLOAT32:
        return (<const float*>x)[i]
    code = (<const uint16_t*>x)[i]
    if dtype == BFLOAT16:
        bits = <uint32_t>code << 16
        memcpy(&narrow, &bits, sizeof(narrow))
        return narrow
    # its exponent and mantissa in the places of float64's, times 2^(1023 - 15); of infinities and NaNs all ones
    of_no_number = code & 0x7C00 == 0x7C00
    code = (code & 0x8000) << 48 | (code & 0x7FFF) << 42
    if of_no_number:
        code |= <uint64_t>0x7FF0000000000000
    memcpy(&value, &code, sizeof(value))
    return value * 2.7430620343968443e+303


cdef inline float narrowed(double value) noexcept nogil:
    # rounded, and an infinity from where rounding makes one, without the flag that NumPy would warn of
    if value >= 3.4028235677973366e38:
        return <float>INFINITY
    if value <= -3.4028235677973366e38:
        return <float>-INFINITY
    return <float>value


cdef inline void put_number(Dtype dtype, void* y, Py_ssize_t i, double value) noexcept nogil:
    # rounds it to one number of an array of floats; to bfloat16 as ml_dtypes does, by way of float32
    cdef uint64_t code, sign
    cdef uint32_t bits
    cdef float narrow
    if dtype == FLOAT64:
        (<double*>y)[i] = value
    elif dtype == FLOAT32:
        (<float*>y)[i] = narrowed(value)
    elif dtype == BFLOAT16:
        narrow = narrowed(value)
        memcpy(&bits, &narrow, sizeof(bits))
        bits = bits + 0x7FFF + (bits >> 16 & 1) if value == value else bits >> 31 << 31 | 0x7FC00000
        (<uint16_t*>y)[i] = <uint16_t>(bits >> 16)
    else:
        memcpy(&code, &value, sizeof(code))
        sign = code >> 48 & 0x8000
        code &= <uint64_t>0x7FFFFFFFFFFFFFFF
        if code > <uint64_t>0x7FF0000000000000:  # a NaN, which is quiet
            code = 0x7E00 | (code >> 42 & 0x1FF)
        elif code >= <uint64_t>0x40EFFE0000000000:  # from 65520 on
            code = 0x7C00
        elif code >= <uint64_t>0x3F10000000000000:  # from 2^-14 on: to the nearest of ten bits, the even one of two
            code = ((code + <uint64_t>0x1FFFFFFFFFF + (code >> 42 & 1)) >> 42) - (1008 << 10)
        else:  # the last place is 2^-24
            memcpy(&value, &code, sizeof(value))
            value = value * 16777216.0 + 4503599627370496.0
            memcpy(&code, &value, sizeof(code))
            code &= 0x7FF
        (<uint16_t*>y)[i] = <uint16_t>(code | sign)


cdef inline void narrow_to_bfloat16(const uint32_t* x, uint16_t* y, Py_ssize_t n) noexcept nogil:
    # put_number of the bits of n float32: a third of the time where there are many
    cdef uint32_t bits
    cdef Py_ssize_t i
    for i in range(n):
        bits = x[i]
        if bits & 0x7FFFFFFF > 0x7F800000:
            bits = bits >> 31 << 31 | 0x7FC00000
        else:
            bits = bits + 0x7FFF + (bits >> 16 & 1)
        y[i] = <uint16_t>(bits >> 16)
