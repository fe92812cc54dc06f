# The dtypes of arrays, as loops know them.

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
