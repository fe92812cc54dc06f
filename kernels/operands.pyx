# What a call costs besides its numbers: parameters made operands, and checks, without a pass of NumPy's for each.
# Compiled once, without a level.
from cpython.ref cimport Py_INCREF
from cpython.tuple cimport PyTuple_New, PyTuple_SET_ITEM
from libc.stdint cimport int64_t

cimport numpy as np

import numpy as np

cdef extern from "numpy/arrayobject.h":
    const int NPY_HALF
    const int NPY_USERDEF

np.import_array()


cdef dict KNOWN = {}


cdef object number_of(object value, int dtype):
    # A Python number as NumPy takes it beside an array of this type, kept for the next call
    cdef dict known = <dict>KNOWN.setdefault(dtype, {})
    cdef np.ndarray operand = <np.ndarray>known.get(value)
    if operand is None or <double>value == 0.0:  # 0.0 and -0.0 are one key
        operand = np.PyArray_EMPTY(0, NULL, dtype, 0)
        np.PyArray_SETITEM(operand, np.PyArray_BYTES(operand), value)
        if len(known) == 1000:
            known.clear()
        known[value] = operand
    return operand


cdef object any_number(object value, object x, object grad, bint chosen):
    # The same beside anything. Where `dtype=` or another dtype may have a say, NumPy shall choose; of bfloat16 and
    # integers it knows less
    cdef object dtype = getattr(x, "dtype", None)
    if type(value) not in (int, float) or not isinstance(dtype, np.dtype) or dtype.kind not in "fbiuV":
        return value
    if dtype.kind == "f" and (chosen or getattr(grad, "dtype", None) is not dtype):
        return value
    if dtype.kind in "biu":
        dtype = np.exp(np.empty(0, dtype)).dtype
    return np.array(value, dtype)


cdef inline int float_type(object x):
    # NumPy's number of the type of an array of floats, -1 of all else
    cdef int dtype = np.PyArray_TYPE(x) if isinstance(x, np.ndarray) else -1
    return dtype if dtype in (np.NPY_FLOAT, np.NPY_DOUBLE, NPY_HALF) or dtype >= NPY_USERDEF else -1


cdef inline void put(tuple operands, Py_ssize_t k, object operand):
    Py_INCREF(operand)
    PyTuple_SET_ITEM(operands, k, operand)


def apply(ufunc, dict keywords, out, tuple arrays, *numbers):
    """ufunc(*arrays, *numbers, out, **keywords), where a Python number takes the dtype of the last array."""
    cdef Py_ssize_t k, given = len(arrays), n = given + len(numbers)
    cdef object grad = arrays[0], x = arrays[given - 1], number
    cdef int dtype = float_type(x)
    cdef bint alike = not keywords and dtype >= 0 and float_type(grad) == dtype
    cdef tuple operands = PyTuple_New(n + 1)
    for k in range(given):
        put(operands, k, arrays[k])
    for k in range(given, n):
        number = numbers[k - given]
        put(operands, k, number_of(number, dtype) if alike and type(number) is float else any_number(
            number, x, grad, bool(keywords)))
    put(operands, n, out)
    return ufunc(*operands, **keywords) if keywords else ufunc(*operands)


def any_less(a, b):
    """Whether a < b anywhere."""
    if type(a) is float and type(b) is float:
        return <double>a < <double>b
    return np.any(np.asarray(a) < b)


def any_zero(a):
    """Whether there is a 0."""
    return <double>a == 0.0 if type(a) is float else np.any(np.asarray(a) == 0.0)


def first_outside(np.ndarray indices, Py_ssize_t length):
    """Where the first of some C-contiguous int64 indices is negative or not below a length; -1 where none is."""
    cdef const int64_t* index = <const int64_t*>np.PyArray_DATA(indices)
    cdef Py_ssize_t i, n = np.PyArray_SIZE(indices)
    for i in range(n):
        if not 0 <= index[i] < length:
            return i
    return -1
