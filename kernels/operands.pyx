# What a call costs besides its numbers: parameters made operands, checks, and loops called at once, without a pass of
# NumPy's for each. Compiled once, without a level.
from cpython.exc cimport PyErr_Occurred
from cpython.object cimport PyObject_Call
from cpython.pycapsule cimport PyCapsule_GetPointer, PyCapsule_Import
from cpython.ref cimport Py_DECREF, Py_INCREF, Py_XDECREF, PyObject
from cpython.tuple cimport PyTuple_New, PyTuple_SET_ITEM
from libc.float cimport DBL_MAX
from libc.math cimport INFINITY
from libc.stdint cimport int64_t

cimport numpy as np

from operator import index

import numpy as np

cdef extern from "Python.h":
    ctypedef PyObject* (*vectorcallfunc)(PyObject*, PyObject**, size_t, PyObject*)
    vectorcallfunc PyVectorcall_Function(PyObject* function)

cdef extern from "numpy/ufuncobject.h":
    ctypedef struct PyUFunc_Loop1d:
        np.PyUFuncGenericFunction func
        void* data
        int* arg_types

cdef extern from "numpy/arrayobject.h":
    const int NPY_HALF
    const int NPY_NOTYPE
    const int NPY_USERDEF

cdef extern from "lanes/environment.h":
    ctypedef struct environment:
        pass
    environment enter_environment()
    void leave_environment(environment callers)

cdef extern from *:
    """
    /* a < b of all numbers, also where the caller's subnormals count as zero; volatile, so that it is not moved out */
    static int is_less(double a, double b) {
        volatile double held_a = a, held_b = b;
        environment callers = enter_environment();
        volatile int less = held_a < held_b;
        leave_environment(callers);
        return less;
    }
    """
    bint is_less(double a, double b)

np.import_array()
np.import_ufunc()

cdef enum:
    MOST = 12  # operands of a gufunc
    MOST_KEYWORDS = 4


cdef class default_environment:
    """The floating-point environment of kernels for the body of a `with`: what Python and NumPy compute there rounds to
    nearest and keeps subnormals, whatever the caller's thread does. The caller's is given back, after an error too."""
    cdef environment callers

    def __enter__(self):
        self.callers = enter_environment()

    def __exit__(self, *error):
        leave_environment(self.callers)


def in_default_environment(function, tuple operands, dict keywords):
    """function(*operands, **keywords) in that environment."""
    cdef environment callers = enter_environment()
    try:
        return PyObject_Call(function, operands, keywords)
    finally:
        leave_environment(callers)


# What loops/operations.pxd calls a loop_function, which an Operation has first.
ctypedef bint (*operation_loop)(const void* operation, char**, const np.npy_intp*, const np.npy_intp*) noexcept nogil

cdef struct Loop:
    void* operation
    int types[MOST]


cdef int bfloat16_number() except -1:
    try:
        from ml_dtypes import bfloat16
    except ImportError:
        return NPY_NOTYPE
    return np.dtype(bfloat16).num

cdef int BFLOAT16 = bfloat16_number()


cdef inline bint is_short(int dtype):
    return dtype == NPY_HALF or (dtype == BFLOAT16 and dtype != NPY_NOTYPE)


cdef inline int float_type(object x):
    # NumPy's number of the type of an array of floats, NPY_NOTYPE of all else
    cdef int dtype = np.PyArray_TYPE(x) if isinstance(x, np.ndarray) else NPY_NOTYPE
    return dtype if dtype == np.NPY_FLOAT or dtype == np.NPY_DOUBLE or is_short(dtype) else NPY_NOTYPE


cdef int computed_in(dtype):
    # The type that a ufunc of floats computes a dtype in, NPY_NOTYPE where it takes none
    cdef int own
    if not isinstance(dtype, np.dtype):
        return NPY_NOTYPE
    if dtype.num == BFLOAT16:
        return BFLOAT16
    for own in (NPY_HALF, np.NPY_FLOAT, np.NPY_DOUBLE):
        if np.can_cast(dtype, np.PyArray_DescrFromType(own)):
            return own
    return NPY_NOTYPE


cdef object dtype_of(object operand):
    # the dtype of anything that a ufunc takes; an object that makes arrays of itself says its own
    dtype = getattr(operand, "dtype", None)
    if dtype is None and hasattr(operand, "to_numpy"):  # a table of columns has a dtype for each
        return operand.to_numpy().dtype
    if isinstance(dtype, np.dtype) or hasattr(operand, "__array_ufunc__"):
        return dtype
    return np.asarray(operand).dtype


cdef int common(int a, int b):
    # the type in which operands of two types are computed; -1 stands for a Python number, which takes the other's type
    if a == b or b < 0:
        return a
    if a < 0:
        return b
    if a == NPY_NOTYPE or b == NPY_NOTYPE:
        return NPY_NOTYPE
    return np.NPY_DOUBLE if a == np.NPY_DOUBLE or b == np.NPY_DOUBLE else np.NPY_FLOAT


include "parts/operands_checks.pxi"


include "parts/operands_parameters.pxi"


cdef inline bint may_share(np.ndarray a, np.ndarray b):
    # whether memory from the first byte to the last has a part in common
    if np.PyArray_IS_C_CONTIGUOUS(a) and np.PyArray_IS_C_CONTIGUOUS(b):
        return np.PyArray_BYTES(a) < np.PyArray_BYTES(b) + np.PyArray_NBYTES(b) and (
            np.PyArray_BYTES(b) < np.PyArray_BYTES(a) + np.PyArray_NBYTES(a))
    return np.may_share_memory(a, b)


def share_memory(a, b):
    """Whether two arrays have a byte in common, rather than parts of one buffer that lie between each other; True where
    that would take long to find out."""
    try:
        return np.shares_memory(a, b, max_work=1 << 20)
    except np.exceptions.TooHardError:
        return True


cdef bint apart(np.ndarray array, others):
    # whether it shares no memory with any array among others
    for operand in others:
        if isinstance(operand, np.ndarray) and may_share(array, operand):
            return False
    return True


# Of every gufunc along an axis, registered beside its kernels: a letter for each operand, which
# kernels/loops/operations.pxd explains.
cdef dict KINDS = <dict><object>PyCapsule_Import("lanewise.kernels.machine.kinds_of_operands", 0)


cdef bytes kinds_of(object gufunc):
    kinds = KINDS.get(gufunc)
    if kinds is None:
        raise TypeError(f"{gufunc!r} is not registered as a function along an axis")
    return kinds


def axes_of(gufunc, axis):
    """What NumPy takes for `axes` where rows are along `axis`, and vectors have one."""
    return [axis if whole_row(kind) else -1 if kind == c"v" else () for kind in kinds_of(gufunc)]


cdef inline bint whole_row(char kind):
    # whether a row of numbers or of booleans
    return kind == c"r" or kind == c"b"


cdef inline bint along_row(char kind):
    # whether a vector along the row, shared by all rows
    return kind == c"v" or kind == c"a"


cdef int raise_it() except -1:
    # the error that is set
    return -1


cdef object unchecked(object gufunc, tuple operands, tuple out, dict keywords):
    # gufunc(*operands, *out, **keywords), where a loop may have left an error behind beside a result
    cdef PyObject* arguments[2 * MOST + MOST_KEYWORDS]
    cdef PyObject* found
    cdef Py_ssize_t given = 0
    cdef tuple names = tuple(keywords)
    for part in (operands, out, tuple(keywords.values())):
        for argument in <tuple>part:
            arguments[given] = <PyObject*>argument
            given += 1
    found = PyVectorcall_Function(<PyObject*>gufunc)(
        <PyObject*>gufunc, arguments, given - len(names), <PyObject*>names if names else NULL)
    if PyErr_Occurred():
        Py_XDECREF(found)
        raise_it()
    result = <object>found
    Py_DECREF(result)
    return result


cdef bint in_place(np.ndarray operand, np.ndarray out):
    # whether an output is an operand, element for element
    return (np.PyArray_BYTES(operand) == np.PyArray_BYTES(out) and (<object>operand).dtype == (<object>out).dtype
            and (<object>operand).shape == (<object>out).shape and (<object>operand).strides == (<object>out).strides)


cdef bint takes_its_place(np.ndarray out, bytes kinds, tuple operands):
    # whether each operand is apart from an output, or the rows that it takes the place of
    cdef Py_ssize_t k
    for k in range(len(operands)):
        if isinstance(operands[k], np.ndarray) and may_share(operands[k], out) and not (
                kinds[k] in (c"r", c"m") and in_place(operands[k], out)):
            return False
    return True


cdef tuple kept_apart(object gufunc, bytes kinds, tuple operands, tuple out):
    # The operands, copied where an output would be written over what is still to be read: a row may be an output, and
    # all else may not share its memory.
    cdef Py_ssize_t k, j
    cdef list found = list(operands)
    for j in range(len(out)):
        if not isinstance(out[j], np.ndarray):
            continue
        for k in range(j):
            if isinstance(out[k], np.ndarray) and may_share(out[k], out[j]) and share_memory(out[k], out[j]):
                raise ValueError(f"{gufunc.__name__}: outputs {k} and {j} share memory; each must have its own")
        for k in range(len(found)):
            if isinstance(found[k], np.ndarray) and may_share(found[k], out[j]) and not (
                    kinds[k] in (c"r", c"m") and in_place(found[k], out[j])):
                found[k] = found[k].copy()
    return tuple(found)


def call(gufunc, tuple operands, tuple out=(), **keywords):
    """gufunc(*operands, *out, **keywords), whatever memory the outputs share with operands; a MemoryError where a loop
    had none, which NumPy does not ask it."""
    cdef bytes kinds = kinds_of(gufunc)
    cdef environment callers
    check_count(gufunc, operands, out)
    if out:
        check_outputs(gufunc, out)
        operands = kept_apart(gufunc, kinds, operands, out)
    callers = enter_environment()  # for what NumPy converts
    try:
        if converts(kinds, operands, out):
            with np.errstate(all="ignore"):  # a result may be beyond what `out` holds, and a NaN may signal
                return unchecked(gufunc, operands, out, keywords)
        return unchecked(gufunc, operands, out, keywords)
    except SystemError as error:  # what Python makes of it where a subclass of ndarray has a say in the result
        if isinstance(error.__cause__, MemoryError):
            raise error.__cause__ from None
        raise
    finally:
        leave_environment(callers)


include "parts/operands_at_once.pxi"


cdef inline float narrowed(double value) noexcept nogil:
    # rounded, and an infinity from where rounding makes one, without the flag that NumPy would warn of
    if value >= 3.4028235677973366e38:
        return <float>INFINITY
    if value <= -3.4028235677973366e38:
        return <float>-INFINITY
    return <float>value


def rounded_to(dtype, values):
    """Results, usually float64, in the dtype they are returned in; integers and narrower dtypes than 16 bits are none.
    What is beyond it becomes an infinity without a warning."""
    cdef environment callers
    dtype = np.dtype(dtype)
    if values.dtype == dtype:
        return values
    callers = enter_environment()
    try:
        return rounded(dtype, values)
    finally:
        leave_environment(callers)


cdef object FLOAT32 = np.float32, FLOAT64 = np.float64  # looked up once


def number_in(np.dtype dtype, double value):
    """One number in the dtype that it is returned in, as `rounded_to`."""
    if dtype.num == np.NPY_DOUBLE:
        return FLOAT64(value)
    if dtype.num == np.NPY_FLOAT:
        return FLOAT32(narrowed(value))
    return rounded_to(dtype, FLOAT64(value))


cdef object rounded(dtype, values):
    cdef np.ndarray given, found
    cdef Py_ssize_t i
    if dtype.itemsize < 2 or dtype.kind not in "fV":
        dtype = values.dtype if values.dtype.kind == "f" else np.dtype(np.float64)
    if dtype.num == np.NPY_FLOAT and type(values) is np.float64:
        return np.float32(narrowed(values))
    if dtype.num == np.NPY_FLOAT and np.PyArray_CheckExact(values):
        given = values
        if np.PyArray_TYPE(given) == np.NPY_DOUBLE and np.PyArray_ISCARRAY_RO(given):
            found = np.PyArray_EMPTY(np.PyArray_NDIM(given), np.PyArray_DIMS(given), np.NPY_FLOAT, 0)
            for i in range(np.PyArray_SIZE(given)):
                (<float*>np.PyArray_BYTES(found))[i] = narrowed((<const double*>np.PyArray_BYTES(given))[i])
            return found
    with np.errstate(all="ignore"):
        return values.astype(dtype.newbyteorder("="))


cdef inline check_count(np.ufunc gufunc, tuple operands, tuple out):
    if len(operands) != gufunc.nin or len(out) > gufunc.nout:
        raise TypeError(f"{(<object>gufunc).__name__} takes {gufunc.nin} operands and up to {gufunc.nout} outputs, not "
                        f"{len(operands)} and {len(out)}")


cdef inline check_outputs(np.ufunc gufunc, tuple out):
    for place in out:
        if place is not None and not (np.PyArray_CheckExact(place) and float_type(place) != NPY_NOTYPE
                                      and np.PyArray_ISWRITEABLE(<np.ndarray>place)):
            check_out((<object>gufunc).__name__, place)


cdef bint converts(bytes kinds, tuple operands, tuple out):
    # whether NumPy may convert operands to the dtype of another, or results to what an output holds
    cdef Py_ssize_t k
    for k in range(1, len(operands)):
        if isinstance(operands[0], np.ndarray) and isinstance(operands[k], np.ndarray) and kinds[k] in b"rv" and (
                np.PyArray_TYPE(<np.ndarray>operands[0]) != np.PyArray_TYPE(<np.ndarray>operands[k])):
            return True
    for place in out:
        for k in range(len(operands)):
            if isinstance(place, np.ndarray) and kinds[k] in b"rv" and (
                    np.PyArray_TYPE(<np.ndarray>place) != np.PyArray_TYPE(<np.ndarray>operands[k])):
                return True
    return False


def along(np.ufunc gufunc, tuple operands, tuple out):
    """gufunc(*operands, *out) along the last axis. Of arrays that are C-contiguous and of one dtype the loop is called
    at once, without what NumPy does before it."""
    check_outputs(gufunc, out)
    found = at_once(gufunc, operands, out)
    return call(gufunc, operands, out) if found is None else found


def summed(np.ufunc gufunc, tuple operands, tuple out):
    """The same of a gufunc that also adds up over the rows, of (p, q, n); None where an array is another."""
    return at_once(gufunc, operands, out)
