# What a call does before any arithmetic: it makes operands of parameters, checks them, and calls a loop directly where
# NumPy would have nothing to convert. Compiled once, without a level.
from cpython.exc cimport PyErr_ExceptionMatches, PyErr_Fetch, PyErr_Occurred, PyErr_Restore
from cpython.object cimport PyObject_Call
from cpython.pycapsule cimport PyCapsule_GetPointer, PyCapsule_Import, PyCapsule_New
from cpython.ref cimport Py_DECREF, Py_INCREF, Py_XDECREF, PyObject
from cpython.tuple cimport PyTuple_New, PyTuple_SET_ITEM
from cython cimport critical_section
from libc.float cimport DBL_MAX
from libc.stdint cimport int64_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset, strchr

cimport numpy as np

from .loops.dtypes cimport (
    BFLOAT16 as BFLOAT16_OF_LOOPS, FLOAT16, FLOAT32, FLOAT64, Dtype, narrow_to_bfloat16, number_at, put_number,
)
from .loops.numbers cimport Numbers, Numeric

import re
from operator import index

import numpy as np

cdef extern from "Python.h":
    ctypedef PyObject* (*vectorcallfunc)(PyObject*, PyObject**, size_t, PyObject*)
    vectorcallfunc PyVectorcall_Function(PyObject* function)

    Py_ssize_t PyVectorcall_NARGS(size_t flags)

cdef extern from "numpy/ufuncobject.h":
    ctypedef struct PyUFuncObject:
        int nin
        const char* types  # np.ufunc has them as C does before NumPy 2.5 alone: since then they are Python's
        int core_enabled
        vectorcallfunc vectorcall

    ctypedef struct PyUFunc_Loop1d:
        np.PyUFuncGenericFunction func
        void* data
        int* arg_types

cdef extern from "numpy/arrayobject.h":
    const int NPY_HALF
    const int NPY_NOTYPE
    const int NPY_USERDEF
    object PyArray_Scalar(void* data, np.dtype dtype, object base)

cdef extern from *:
    "#define letter_of(array) PyArray_DESCR((PyArrayObject *)(array))->kind"
    char letter_of(object array)

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
    MOST_UNWANTED = 128  # numbers of rows that nobody wants, where these are put
    BRIEF = 500  # elements up to which NumPy too keeps other Python threads waiting


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


# What loops/operations.pxd calls a loop_function, which an Operation has first, and a batches_function, second.
ctypedef bint (*operation_loop)(const void* operation, char**, const np.npy_intp*, const np.npy_intp*) noexcept nogil
ctypedef bint (*operation_batches)(const void* operation, char**, const np.npy_intp*, const np.npy_intp*,
                                   np.npy_intp, const np.npy_intp*) noexcept nogil

# The whole loop, as NumPy calls it.
ctypedef void (*elementwise_loop)(char**, const np.npy_intp*, const np.npy_intp*, void*) noexcept nogil

cdef struct Loop:
    elementwise_loop function
    void* operation
    int types[MOST]


cdef int BFLOAT16 = (<int*>PyCapsule_Import("lanewise.kernels.machine.bfloat16_number", 0))[0] or NPY_NOTYPE


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


# What functions ask of their arguments, and the errors where it is not so.

def dtype_given(name, dtype):
    """A dtype that was given as such or by its name; an error where it is none, or one of ml_dtypes without that."""
    try:
        return np.dtype(dtype)
    except TypeError:
        if BFLOAT16 == NPY_NOTYPE and isinstance(dtype, str) and dtype.startswith(OF_ML_DTYPES):
            raise TypeError(f"{name}: {dtype} is a dtype of ml_dtypes, which is not installed: pip install "
                            f"ml_dtypes") from None
        raise TypeError(f"{name}: dtype must be a dtype or the name of one, not {dtype!r:.60}") from None


def precision_given(name, dtype):
    """float32 or float64, given as such or by its name; an error where it is another."""
    dtype = dtype_given(name, dtype)
    if dtype != np.float32 and dtype != np.float64:
        raise TypeError(f"{name}: dtype must be float32 or float64, not {dtype}")
    return dtype


def refuse_no_numbers(name, role, operand):
    """An error where something is neither a number that the loops take nor an array of such."""
    if plain_number(operand):
        return
    array = as_array(name, role, operand)
    if computed_in(array.dtype) == NPY_NOTYPE and not hasattr(operand, "dtype"):
        raise TypeError(f"{named(name, role)} must be a number or an array of numbers, not {operand!r:.60}")
    if computed_in(array.dtype) == NPY_NOTYPE:
        converted(name, role, array)  # has the words


cdef int refuse_no_parameter(name, role, given) except -1:
    # an error where something is no number that a float holds, nor an array of numbers
    refuse_tensor(name, role, given)
    refuse_no_numbers(name, role, given)
    refuse_beyond_floats((name, role), (given,))
    return 0


def any_less(name, role, a, other, b):
    """Whether a < b anywhere that no mask hides; an error where they are no numbers, which names function and roles."""
    if type(a) is float and type(b) is float:
        return is_less(a, b)
    refuse_no_parameter(name, role, a)
    refuse_no_parameter(name, other, b)
    try:
        with default_environment(), np.errstate(all="ignore"):  # a Python number beyond the dtype of the other
            return bool(np.any(np.asanyarray(a) < np.asanyarray(b)))
    except ValueError:
        raise ValueError(f"{name}: {role} and {other} must broadcast; their shapes are {np.shape(a)} and {np.shape(b)}"
                         ) from None


def any_zero(name, role, a):
    """Whether there is a 0 that no mask hides; an error where it is no number, which names function and role."""
    if type(a) is float:
        return not is_less(a, 0.0) and not is_less(0.0, a) and a == a
    refuse_no_parameter(name, role, a)
    with default_environment():
        return bool(np.any(np.asanyarray(a) == 0.0))


def refuse_limit(name, limit):
    """An error where a limit of magnitudes is below 0 or no number."""
    if type(limit) is float and (is_less(0.0, limit) or limit == 0.0):
        return
    refuse_no_parameter(name, "limit", limit)
    with default_environment(), np.errstate(all="ignore"):
        if np.any(np.logical_not(np.asanyarray(limit) >= 0.0)):
            raise ValueError(f"{name}: limit must be 0 or more; got {limit!r:.60}")


# What stands for a missing weight or bias in a call of a kernel.
cdef object ABSENT = np.empty(0, np.float32), ABSENT_FLOAT64 = np.empty(0, np.float64)
UNWANTED = ABSENT  # and what is given as an output of one number a row that nobody wants, and no loop computes
cdef object DISCARDED = object()  # the same of one that the loop does write


EXPECTED = "float16, bfloat16, float32, float64 or integers"
OF_ML_DTYPES = ("bfloat", "float8_", "float6_", "float4_")  # how the names of its floats begin


def refuse_mask(name, role, x):
    """An error where an array hides some of its numbers, which would be seen here."""
    if isinstance(x, np.ma.MaskedArray):
        raise TypeError(f"{name}: {role} is a masked array, whose mask would not be seen; fill it or drop what it "
                        f"hides")


cdef object way_in(object x):
    # the end of an error about an array whose dtype is not taken: what to do instead
    cdef object dtype = x.dtype
    if dtype.kind == "V" and dtype.itemsize == 2 and dtype.names is None:
        return ". np.load gives this for bfloat16: use x.view(ml_dtypes.bfloat16)"
    if dtype.kind == "O" and x.ndim == 0 and hasattr(x.item(), "toarray"):
        return ". NumPy makes this of a sparse array, for which use x.toarray()"
    if dtype.kind == "O" and x.ndim:
        return ". If these are numbers, use x.astype(float)"
    return ""


cdef object converted(name, role, object x):
    # an array of a dtype that the loops do not take
    cdef int dtype = computed_in(x.dtype)
    if dtype == NPY_NOTYPE:
        raise TypeError(f"{name}: {role} is of dtype {x.dtype}; expected {EXPECTED}{way_in(x)}")
    if np.PyTypeNum_ISINTEGER(x.dtype.num) or np.PyTypeNum_ISBOOL(x.dtype.num):
        dtype = np.NPY_DOUBLE
    elif x.dtype.num >= NPY_USERDEF:  # below 16 bits
        dtype = np.NPY_FLOAT
    with default_environment():
        return x.astype(np.PyArray_DescrFromType(dtype))


cdef inline bint taken(np.ndarray x):
    # whether the loops take its numbers as they lie in memory
    return float_type(x) != NPY_NOTYPE and np.PyArray_ISNOTSWAPPED(x)


def as_one_row(x, other):
    """Two arrays that are `plain`, or so of 16 bits, each as one row of all its numbers; None of others."""
    cdef np.npy_intp all_of_them = -1
    cdef np.PyArray_Dims dims
    if not are_plain((x, other), True):
        return None
    dims.ptr, dims.len = &all_of_them, 1
    row = np.PyArray_Newshape(x, &dims, np.NPY_CORDER)
    all_of_them = -1
    return row, np.PyArray_Newshape(other, &dims, np.NPY_CORDER)


def row_beside(x, values):
    """An array as one row that has a number for each of x, which it broadcasts to: of its own dtype, which is one of
    floats. None of what is not `plain` otherwise, or broadcasts along the last axes too."""
    cdef np.npy_intp all_of_them, size, k
    cdef np.PyArray_Dims dims
    cdef np.ndarray beside, found
    cdef int axes, more
    if not np.PyArray_CheckExact(x) or not np.PyArray_CheckExact(values) or float_type(values) == NPY_NOTYPE or not (
            np.PyArray_ISCARRAY_RO(<np.ndarray>values)):
        return None
    beside, all_of_them = values, np.PyArray_SIZE(<np.ndarray>x)
    axes, size = np.PyArray_NDIM(beside), np.PyArray_NBYTES(beside)
    more = np.PyArray_NDIM(<np.ndarray>x) - axes
    if more < 0 or size == 0 or not np.PyArray_CompareLists(
            np.PyArray_DIMS(beside), np.PyArray_DIMS(<np.ndarray>x) + more, axes):
        return None
    if np.PyArray_SIZE(beside) == all_of_them:
        dims.ptr, dims.len = &all_of_them, 1
        return np.PyArray_Newshape(beside, &dims, np.NPY_CORDER)
    found = np.PyArray_EMPTY(1, &all_of_them, np.PyArray_TYPE(beside), 0)
    for k in range(np.PyArray_NBYTES(found) // size):
        memcpy(np.PyArray_BYTES(found) + k * size, np.PyArray_BYTES(beside), size)
    return found


def plain(*arrays):
    """Whether these are NumPy's own arrays, of one shape and all float32 or all float64, as a kernel takes them where
    they lie: there is nothing to convert, and nothing about dtypes and shapes to refuse."""
    return are_plain(arrays, False)


cdef bint are_plain(tuple arrays, bint shorts):
    cdef np.ndarray first, array
    cdef object given
    for given in arrays:
        if not np.PyArray_CheckExact(given) or not np.PyArray_ISCARRAY_RO(<np.ndarray>given):
            return False
    first = arrays[0]
    for given in arrays:
        array = given
        if np.PyArray_TYPE(array) != np.PyArray_TYPE(first) or not np.PyArray_SAMESHAPE(array, first):
            return False
    if shorts and is_short(np.PyArray_TYPE(first)):
        return True
    return np.PyArray_TYPE(first) == np.NPY_FLOAT or np.PyArray_TYPE(first) == np.NPY_DOUBLE


cpdef object as_array(name, role, x):
    """An ndarray or a subclass of it; an error where NumPy makes none, which begins with the role if there is no name.
    """
    try:
        return np.asanyarray(x)
    except (TypeError, ValueError) as error:  # rows of several lengths, more axes than NumPy has
        raise ValueError(f"{named(name, role)} must be an array of numbers; {error}") from None


cpdef int refuse_tensor(name, role, x) except -1:
    """An error where a tensor of PyTorch is given, whose gradient the result would not have."""
    if hasattr(type(x), "__torch_function__"):  # what PyTorch says a tensor is known by
        raise TypeError(f"{named(name, role)} is a {type(x).__module__}.{type(x).__name__}, whose gradient would be "
                        f"lost; use lanewise.torch for tensors, or tensor.detach().numpy()")
    return 0


cpdef object array_given(name, role, x):
    """`as_array` of what may have a gradient."""
    refuse_tensor(name, role, x)
    return as_array(name, role, x)


cdef vectorcallfunc call_of_ufuncs = NULL  # NumPy's own, the same of all


cdef PyObject* call_without_tensors(PyObject* ufunc, PyObject** operands, size_t flags,
                                    PyObject* names) except? NULL:
    cdef Py_ssize_t k, given = PyVectorcall_NARGS(flags), inputs = (<PyUFuncObject*>ufunc).nin
    cdef PyObject* found
    cdef object result = None
    if names == NULL and given == inputs:
        result = elements_at_once(<np.ufunc>ufunc, operands, 0, None)
    elif names == NULL and given == inputs + 1 and not isinstance(<object>operands[inputs], tuple) or (
            names != NULL and given == inputs and len(<tuple>names) == 1 and (<tuple>names)[0] == "out"):
        result = elements_at_once(<np.ufunc>ufunc, operands, 0, <object>operands[inputs])
    if result is not None:
        Py_INCREF(result)
        return <PyObject*>result
    for k in range(min(given, inputs)):
        if not np.PyArray_CheckExact(<object>operands[k]) and not plain_number(<object>operands[k]):
            refuse_tensor((<object>ufunc).__name__, "an operand", <object>operands[k])
    found = call_of_ufuncs(ufunc, operands, flags, names)
    if found == NULL and names != NULL and BFLOAT16 != NPY_NOTYPE and PyErr_ExceptionMatches(TypeError):
        return in_bfloat16(<object>ufunc, operands, given, <tuple>names)
    return found


cdef PyObject* in_bfloat16(object ufunc, PyObject** operands, Py_ssize_t given, tuple names) except? NULL:
    # After an error of NumPy: where dtype=bfloat16 was asked for, NumPy finds no loop if it has to convert operands,
    # and it finds the same loop by its signature.
    cdef PyObject* kind
    cdef PyObject* error
    cdef PyObject* trace
    cdef Py_ssize_t k
    PyErr_Fetch(&kind, &error, &trace)
    cdef dict keywords = {names[k]: <object>operands[given + k] for k in range(len(names))}
    cdef object dtype = np.PyArray_DescrFromType(BFLOAT16)
    cdef bint asked = "signature" not in keywords and "sig" not in keywords and dtype == keywords.pop("dtype", None)
    for k in range(min(given, <Py_ssize_t>ufunc.nin) if asked else 0):
        asked = asked and computed_in(dtype_of(<object>operands[k])) != NPY_NOTYPE  # NumPy would drop imaginary parts
    if not asked:
        PyErr_Restore(kind, error, trace)
        return NULL
    Py_XDECREF(kind)
    Py_XDECREF(error)
    Py_XDECREF(trace)
    result = ufunc(*[<object>operands[k] for k in range(given)], **keywords, signature=(dtype,) * ufunc.nargs)
    Py_INCREF(result)
    return <PyObject*>result


def refuse_tensors(np.ufunc ufunc):
    """Have a ufunc refuse PyTorch's tensors, which NumPy would make arrays of, and tensors of the results."""
    global call_of_ufuncs
    cdef PyUFuncObject* of = <PyUFuncObject*>ufunc
    if call_of_ufuncs == NULL:
        call_of_ufuncs = of.vectorcall
    of.vectorcall = <vectorcallfunc>call_without_tensors


cdef str named(name, role):
    return role if name is None else f"{name}: {role}"


cpdef bint truth(name, role, value) except -1:
    """What is True or False, of Python or of NumPy; an error where it is neither, such as 1 or an array of one."""
    if value is not True and value is not False and not isinstance(value, np.bool_):
        raise TypeError(f"{name}: {role} must be True or False, not {value!r:.60}")
    return value


cpdef object floating(name, role, object x):
    """`x` as an array of the machine's floats; integers become float64, and dtypes below 16 bits float32."""
    if not isinstance(x, np.ndarray):
        x = array_given(name, role, x)
    if not np.PyArray_CheckExact(x):
        refuse_mask(name, role, x)
        if isinstance(x, np.matrix):  # whose parts and reshaped forms have two axes, whatever was asked for
            x = np.asarray(x)
    return x if taken(x) else converted(name, role, x)


cpdef object floats_beside(name, role, object values, np.ndarray x):
    """The same of weights and the like: integers become float32, or float64 where `x` is."""
    if not isinstance(values, np.ndarray):
        values = array_given(name, role, values)
    if values.dtype.kind in "biu":
        values = values.astype(np.float64 if np.PyArray_TYPE(x) == np.NPY_DOUBLE else np.float32)
    return floating(name, role, values)


def whole(name, role, value, expected="an int"):
    """An int; an error where it is none."""
    try:
        return index(value)
    except TypeError:
        raise TypeError(f"{name}: {role} must be {expected}, not {value!r:.60}") from None


cpdef double number_given(name, role, object value, expected="a number") except? -1:
    """One number as a float; an error where it is none."""
    try:
        if type(value) is not float and (
                isinstance(value, (str, bytes)) or np.ndim(value) != 0 or value is np.ma.masked):
            raise TypeError
        return float(value)
    except (TypeError, ValueError, OverflowError):
        raise TypeError(f"{name}: {role} must be {expected}, not {value!r:.60}") from None


def from_zero(name, role, value, most=None):
    """A number of 0 or more, up to `most`, as a float; an error where it is another."""
    if type(value) is not float:
        value = number_given(name, role, value)
    if is_less(value, 0.0) or not <double>value <= (DBL_MAX if most is None else <double>most):
        with default_environment():  # which what is printed depends on
            if most is None:
                raise ValueError(f"{name}: {role} must be a finite number of 0 or more, not {value}")
            raise ValueError(f"{name}: {role} must be from 0 to {most}, not {value}")
    return value


def checked(name, x, axis, expected="an int, a tuple of ints or None", role="x"):
    """`x` as an array, and `axis` counted from the front; an error where `x`, which has that role, has no such axis, or
    of what a function takes as one. A number has one axis, of itself."""
    cdef np.ndarray array = floating(name, role, x)
    cdef int axes = np.PyArray_NDIM(array)
    if type(axis) is not int:
        axis = whole(name, "axis", axis, expected)
    if not -max(axes, 1) <= axis < max(axes, 1):
        raise ValueError(f"{name}: axis {axis} is out of range for {role} of shape {(<object>array).shape}")
    return array, axis + axes if axis < 0 else axis


cpdef int last_axes(x, axis) except -1:
    """How many axes of an array one that is the last, a tuple, or None for all names; 0 where these are not the last
    ones in their order."""
    cdef int k, count, axes
    if not np.PyArray_CheckExact(x):
        return 0
    axes = np.PyArray_NDIM(<np.ndarray>x)
    if type(axis) is int:
        return axes > 0 and (axis == -1 or axis == axes - 1)
    if axis is None:
        return axes
    if type(axis) is not tuple:
        return 0
    count = len(<tuple>axis)
    for k in range(count):
        one = (<tuple>axis)[k]
        if type(one) is not int or one != axes - count + k and one != k - count:
            return 0
    return count if count <= axes else 0


cdef inline bint along_axes(object vector, np.ndarray x, int count):
    # whether it is a weight as the loops take it, of the shape of the last `count` axes of x
    return np.PyArray_CheckExact(vector) and float_type(vector) != NPY_NOTYPE and (
        np.PyArray_NDIM(<np.ndarray>vector) == count) and np.PyArray_CompareLists(
        np.PyArray_DIMS(<np.ndarray>vector), np.PyArray_DIMS(x) + np.PyArray_NDIM(x) - count, count)


def rows_at_once(name, np.ufunc gufunc, tuple operands, axis, out=None, bint alone=False):
    """`on_axis` before anything is checked: of rows as the loop takes them where they lie, along an axis, or several,
    the last ones in their order. Weights have the shape of these axes; None is no weight. Numbers of rows are not made
    where the outputs given are wanted `alone` and rows lie along memory. None of all else, and of what does not fit,
    whose error is raised elsewhere."""
    cdef bytes kinds = kinds_of(gufunc)
    cdef int k, axes, count, several = kinds.count(b"r", gufunc.nin)
    cdef tuple outs = <tuple>out if several > 1 and type(out) is tuple else (out,)
    if several > 1 and len(outs) != several and out is not None:
        return None
    check_count(gufunc, operands, outs)
    count = last_axes(operands[0], axis)
    if count == 0 and type(axis) is int and np.PyArray_CheckExact(operands[0]) and b"v" not in kinds:
        axes = np.PyArray_NDIM(<np.ndarray>operands[0])
        if -axes <= axis < axes:
            return across_at_once(name, gufunc, operands, outs, axis + axes if axis < 0 else axis)
    if count == 0:
        return None
    for k in range(1, len(operands)):
        if kinds[k] == c"v" and operands[k] is not None and not along_axes(operands[k], operands[0], count):
            return None
    if alone:
        outs += (DISCARDED,) * (gufunc.nout - len(outs))
    return at_once(name, gufunc, operands, outs, count)


def gradients_at_once(name, np.ufunc gufunc, np.ufunc forward, tuple rows, tuple vectors, tuple statistics, eps, axis,
                      out):
    """The same of the gradient of `rows` and those of `vectors`, the weight and perhaps a bias, which are summed over
    the rows. Where there are no statistics, `forward` finds them. None where something does not fit, or lacks."""
    cdef int k, count = last_axes(rows[0], axis)
    cdef object found, each
    cdef list given = [*rows, vectors[0]], outs = [out], results
    if count == 0:
        return None
    for each in vectors:
        if each is not None and not along_axes(each, rows[0], count):
            return None
        outs.append(ABSENT if each is None else None)
    if statistics[0] is None and statistics[len(statistics) - 1] is None:
        found = at_once(name, forward, (rows[len(rows) - 1], eps), (), count)
        if found is None:
            return None
        statistics = found if type(found) is tuple else (found,)
    for each in statistics:
        if not np.PyArray_CheckExact(each) and type(each) is not np.float64:  # of all numbers as one row
            return None
        given.append(np.PyArray_FROM_O(each))
    found = at_once(name, gufunc, tuple(given), tuple(outs), count)
    if found is None:
        return None
    results = [found[0]]
    for k in range(len(vectors)):
        results.append(None if vectors[k] is None else rounded_to(vectors[k].dtype, found[k + 1]))
    return tuple(results)


cdef bint without_axis(np.ndarray one, np.ndarray x, int axis):
    # whether an array has the shape of `x` without this axis
    cdef int k, ndim = np.PyArray_NDIM(one)
    if ndim != np.PyArray_NDIM(x) - 1:
        return False
    for k in range(ndim):
        if np.PyArray_DIM(one, k) != np.PyArray_DIM(x, k + (k >= axis)):
            return False
    return True


cdef bint all_below(const int64_t* numbers, Py_ssize_t count, int64_t end) noexcept nogil:
    # whether all are from 0 to end - 1: neither they nor their differences from the last have a sign
    cdef uint64_t signs = 0, others = 0, last = <uint64_t>(end - 1)
    cdef Py_ssize_t i
    for i in range(0, count - 3, 4):  # this is compiled without what would take the loop apart
        signs |= <uint64_t>numbers[i] | (last - <uint64_t>numbers[i])
        others |= <uint64_t>numbers[i + 1] | (last - <uint64_t>numbers[i + 1])
        signs |= <uint64_t>numbers[i + 2] | (last - <uint64_t>numbers[i + 2])
        others |= <uint64_t>numbers[i + 3] | (last - <uint64_t>numbers[i + 3])
    for i in range(count - count % 4, count):
        signs |= <uint64_t>numbers[i] | (last - <uint64_t>numbers[i])
    return not (signs | others) >> 63


def classified(name, role, np.ndarray x, target, ignore_index=None, int axis=-1):
    """The class asked for in each row of `x`, which has that role, along `axis`: C-contiguous int64, -1 where it is the
    one to ignore; an error where the target does not fit."""
    cdef np.ndarray asked, indices
    cdef Py_ssize_t i, classes
    cdef int64_t* classes_asked
    cdef int64_t ignored = 0
    cdef int layout = np.NPY_ARRAY_CARRAY_RO | np.NPY_ARRAY_FORCECAST
    cdef bint ignoring
    refuse_mask(name, "target", target)
    asked = np.asarray(target if isinstance(target, np.ndarray) else array_given(name, "target", target))
    # uint64 numbers from 2^63 on are negative below, as no class is; beyond its dtype a number is the class of no row
    least = 0 if letter_of(asked) == c"u" and np.PyArray_ITEMSIZE(asked) == 8 else -2**63
    ignoring = ignore_index is not None and least <= ignore_index < least + 2**64
    if ignoring:
        ignored = <int64_t>(<uint64_t>(ignore_index & (2**64 - 1)))
        layout |= np.NPY_ARRAY_ENSURECOPY
    if not np.PyTypeNum_ISINTEGER(np.PyArray_TYPE(asked)) and np.PyArray_SIZE(asked) > 0:
        raise TypeError(f"{name}: target must hold integers, not {(<object>asked).dtype}")
    if axis < 0:
        axis += np.PyArray_NDIM(x)
    if not without_axis(asked, x, axis):
        raise ValueError(f"{name}: target of shape {(<object>asked).shape} does not fit {role} of shape "
                         f"{(<object>x).shape}; expected {(<object>x).shape[:axis] + (<object>x).shape[axis + 1:]}")
    classes = np.PyArray_DIM(x, axis)
    indices = np.PyArray_FROMANY(asked, np.NPY_INT64, 0, 0, layout)
    classes_asked = <int64_t*>np.PyArray_DATA(indices)
    if not ignoring and all_below(classes_asked, np.PyArray_SIZE(indices), classes):
        return indices
    for i in range(np.PyArray_SIZE(indices)):
        if ignoring and classes_asked[i] == ignored:
            classes_asked[i] = -1
        elif not 0 <= classes_asked[i] < classes:
            position = [int(k) for k in np.unravel_index(i, (<object>asked).shape)]
            expected = f"expected 0 to {classes - 1}"
            if classes == 0:
                expected = f"there is no class in {role} of shape {(<object>x).shape}"
            raise ValueError(f"{name}: target{position} is {asked[tuple(position)]}; {expected}")
    return indices


def plain_classes(x, target, weight, ignore_index, axis):
    """Of a loss of rows of classes whose arrays are as its kernels take them, so that there is nothing to convert and
    nothing to refuse: x, its axis counted from the front, the class asked for in each row, -1 where it is the one to
    ignore, the weight or what stands for none, and how many rows are not ignored. Weights are in the precision of the
    computation, or of 16 bits beside rows of 16 bits, fewer than classes. None where something is another."""
    cdef np.ndarray logits, asked, indices
    cdef int axes, chosen, precision, own_type
    cdef Py_ssize_t i, size, classes, count
    cdef int64_t ignored, own, last
    cdef uint64_t signs = 0
    cdef const int64_t* given
    cdef int64_t* found
    if not np.PyArray_CheckExact(x) or not np.PyArray_CheckExact(target) or type(axis) is not int or not (
            ignore_index is None or type(ignore_index) is int):
        return None
    logits, asked = x, target
    axes = np.PyArray_NDIM(logits)
    if not taken(logits) or np.PyArray_TYPE(asked) != np.NPY_INT64 or not np.PyArray_ISCARRAY_RO(asked) or not (
            -axes <= axis < axes):
        return None
    chosen = axis
    if chosen < 0:
        chosen += axes
    if not without_axis(asked, logits, chosen):
        return None
    classes, size = np.PyArray_DIM(logits, chosen), np.PyArray_SIZE(asked)
    if classes == 0:
        return None
    if weight is None:
        weight = ABSENT_FLOAT64 if np.PyArray_TYPE(logits) == np.NPY_DOUBLE else ABSENT
    elif not np.PyArray_CheckExact(weight) or not np.PyArray_ISCARRAY_RO(<np.ndarray>weight) or (
            np.PyArray_NDIM(<np.ndarray>weight) != 1 or np.PyArray_DIM(<np.ndarray>weight, 0) != classes) or (
            float_type(weight) == NPY_NOTYPE):
        return None
    else:
        precision = np.NPY_DOUBLE if np.PyArray_TYPE(logits) == np.NPY_DOUBLE else np.NPY_FLOAT
        own_type = float_type(weight)
        if own_type != precision and (size >= classes or own_type == np.NPY_DOUBLE or not is_short(float_type(x))):
            weight = rounded(np.PyArray_DescrFromType(precision), weight)
    given, count = <const int64_t*>np.PyArray_DATA(asked), size
    if ignore_index is None:
        return (logits, chosen, asked, weight, <double>count) if all_below(given, size, classes) else None
    if not -2**63 <= ignore_index < 2**63:
        return None
    ignored, last, count = ignore_index, classes - 1, 0
    indices = np.PyArray_EMPTY(np.PyArray_NDIM(asked), np.PyArray_DIMS(asked), np.NPY_INT64, 0)
    found = <int64_t*>np.PyArray_DATA(indices)
    for i in range(size):
        own = given[i]
        count += own != ignored
        signs |= <uint64_t>own | (<uint64_t>last - <uint64_t>own) if own != ignored else 0
        found[i] = own if own != ignored else -1
    return None if signs >> 63 else (logits, chosen, indices, weight, <double>count)


cdef object no_normalized_shape(name, role, given, tuple shape):
    # the end of an error about a weight that is the shape which PyTorch's function takes in its place
    sizes = (given,) if type(given) is int else tuple(given) if type(given) in (tuple, list) else ()
    if name not in ("layer_norm", "rms_norm") or role != "weight" or not sizes or sizes != shape[-len(sizes):]:
        return ""
    return ". PyTorch's normalized_shape is not given here: a row lies along `axis`, the last by default"


def vector(name, role, values, np.ndarray x, Py_ssize_t axis, beside="x"):
    """A weight or a bias as an array of the length along `axis` of `x`, whose role is `beside`, or what stands for
    none."""
    if values is None:
        return ABSENT_FLOAT64 if np.PyArray_TYPE(x) == np.NPY_DOUBLE else ABSENT
    given = values
    if not np.PyArray_CheckExact(values) or not taken(values):
        values = floats_beside(name, role, values, x)
    if np.PyArray_NDIM(values) != 1 or np.PyArray_DIM(values, 0) != np.PyArray_DIM(x, <int>axis):
        raise ValueError(f"{name}: {role} of shape {values.shape} does not fit {beside} of shape {(<object>x).shape}; "
                         f"along axis {axis} it must have shape {(<object>x).shape[axis:axis + 1]}"
                         f"{no_normalized_shape(name, role, given, (<object>x).shape)}")
    return values


def check_out(name, out):
    """An error where a result is to go into something else than a writeable ndarray of floats, or into what has a
    mask."""
    if out is None:
        return
    if not isinstance(out, np.ndarray) or isinstance(out, np.ma.MaskedArray):
        raise TypeError(f"{name}: out must be an ndarray, not {type(out).__module__}.{type(out).__name__}")
    if out.dtype.kind not in "fc" and out.dtype.num != BFLOAT16:
        raise TypeError(f"{name}: out must hold floats of 16 bits or more, not {out.dtype}")
    if not out.flags.writeable:
        raise ValueError(f"{name}: out is read-only")


def refuse_narrow(name, dtype, held):
    """An error where an `out` that holds one dtype is given for results of another that NumPy does not cast to it."""
    if not np.can_cast(dtype, held, "same_kind"):
        raise TypeError(f"{name}: out of dtype {held} does not take results of dtype {dtype}") from None


def fitting(name, out, tuple shape):
    """An `out` that has this shape, as NumPy's own array over its memory: parts and reshaped forms of a matrix have two
    axes, whatever was asked for."""
    check_out(name, out)
    if out.shape != shape:
        raise ValueError(f"{name}: out of shape {out.shape} does not fit; expected shape {shape}")
    return np.asarray(out)


def stored(name, out, values):
    """`out`, which may hold fewer bits than these values, with them in it; an error where it has another shape."""
    place = fitting(name, out, values.shape)
    refuse_narrow(name, values.dtype, out.dtype)
    with np.errstate(all="ignore"):  # some may be beyond what it holds
        np.copyto(place, values, "same_kind")
    return out


# The call of an elementwise function whose parameters may be Python numbers, which become operands in the precision of
# the computation.

cdef inline bint plain_number(object value):
    return type(value) is float or type(value) is int


cdef dict KNOWN_FLOATS = {}, KNOWN_DOUBLES = {}


cdef object number_of(object value, int precision):
    # A Python number as a float32 or float64 operand, kept for the next call. Without a GIL another thread may empty
    # the dict between finding an operand and holding it, so nobody else has the dict meanwhile.
    cdef dict known = KNOWN_DOUBLES if precision == np.NPY_DOUBLE else KNOWN_FLOATS
    cdef np.ndarray operand
    with critical_section(known):
        operand = <np.ndarray>known.get(value)
    if operand is None and type(value) is int:
        value = float(value)
    if operand is None or <double>value == 0.0:  # 0.0 and -0.0 are one key
        operand = np.PyArray_EMPTY(0, NULL, precision, 0)
        if precision == np.NPY_DOUBLE:
            (<double*>np.PyArray_DATA(operand))[0] = value
        else:
            (<float*>np.PyArray_DATA(operand))[0] = <float><double>value
        np.PyArray_CLEARFLAGS(operand, np.NPY_ARRAY_WRITEABLE)  # __array_ufunc__ of anybody's array is given it
        if len(known) >= 1000:
            known.clear()
        known[value] = operand
    return operand


cdef int type_of_call(tuple roles, tuple operands, Py_ssize_t given, dict keywords):
    # The type that a call is computed in, and its Python numbers with it; NPY_NOTYPE where NumPy has
    # to choose. The operands from `given` on are parameters.
    cdef int dtype = -1
    cdef object of
    cdef bint whole = True, truths = True  # no operand but integers and booleans, or but booleans
    cdef Py_ssize_t k
    if "signature" in keywords or "sig" in keywords:
        return NPY_NOTYPE
    if keywords.get("dtype") is not None:
        return computed_in(dtype_given(roles[0], keywords["dtype"]))
    for k in range(len(operands)):
        if not plain_number(operands[k]):
            refuse_tensor(roles[0], roles[k + 1], operands[k])
            of = dtype_of(operands[k])
            dtype = common(dtype, computed_in(of))
            whole = whole and isinstance(of, np.dtype) and of.kind in "biu"
            truths = truths and whole and of.kind == "b"
    for k in range(given):  # to NumPy a float beside integers is a float64, and so is an int beside booleans
        if whole and plain_number(operands[k]) and (truths or type(operands[k]) is float):
            return np.NPY_DOUBLE
    return np.NPY_DOUBLE if dtype < 0 else dtype


cdef inline void put(tuple operands, Py_ssize_t k, object operand):
    Py_INCREF(operand)
    PyTuple_SET_ITEM(operands, k, operand)


def apply(tuple roles, tuple ufuncs, dict keywords, out, tuple arrays, *numbers):
    """ufunc(*arrays, *numbers, out, **keywords). Python numbers become parameters in the precision of the computation,
    which for 16-bit arrays is float32: of two ufuncs the second takes those. The roles are what errors name: the public
    function, and its operands in this order."""
    cdef environment callers = enter_environment()
    cdef object found
    try:
        found = None if keywords else applied_at_once(ufuncs, out, arrays, numbers)
        return applied(roles, ufuncs, keywords, out, arrays, numbers) if found is None else found
    except TypeError as error:
        refuse_operands(str(error), roles, ufuncs[0].__name__, arrays + numbers)
        raise
    except OverflowError:
        refuse_beyond_floats(roles, arrays + numbers)
        raise
    except ValueError:
        for role, operand in zip(roles[1:], arrays + numbers):  # NumPy's error names none of them
            as_array(roles[0], role, operand)
        raise
    finally:
        leave_environment(callers)


cdef int refuse_operands(str said, tuple roles, str kernel, tuple operands) except -1:
    # errors of the call of a ufunc name that, which is not public, and not the operand that is no number
    cdef Py_ssize_t k
    for k in range(len(operands)):
        refuse_tensor(roles[0], roles[k + 1], operands[k])
    if not re.search(rf"(^|ufunc '?){kernel}\b(?!:)", said):
        return 0
    for k in range(len(operands)):
        refuse_no_numbers(roles[0], roles[k + 1], operands[k])
    raise TypeError(re.sub(rf"\b{kernel}\b", roles[0], said)) from None


cdef int refuse_beyond_floats(tuple roles, tuple operands) except -1:
    # Python's error for an int beyond the largest float names nobody
    cdef Py_ssize_t k
    for k in range(len(operands)):
        try:
            if type(operands[k]) is int:
                float(operands[k])
        except OverflowError:
            raise ValueError(f"{roles[0]}: {roles[k + 1]} must be a number that a float holds, not an int of "
                             f"{operands[k].bit_length()} bits") from None
    return 0


cdef object applied_at_once(tuple ufuncs, out, tuple arrays, tuple numbers):
    cdef PyObject* operands[MOST]
    cdef int given = 0
    cdef object operand
    for operand in arrays:
        operands[given] = <PyObject*>operand
        given += 1
    for operand in numbers:
        if not plain_number(operand):
            return None
        operands[given] = <PyObject*>operand
        given += 1
    return elements_at_once(ufuncs[1 if numbers and is_short(float_type(arrays[0])) else 0], operands, len(numbers),
                            out)


cdef object applied(tuple roles, tuple ufuncs, dict keywords, out, tuple arrays, tuple numbers):
    cdef Py_ssize_t k, given = len(arrays), n = given + len(numbers)
    cdef object number, ufunc = ufuncs[0]
    cdef int dtype = float_type(arrays[given - 1])
    cdef bint known = not keywords and dtype != NPY_NOTYPE and float_type(arrays[0]) == dtype, some = False
    cdef bint together = isinstance(out, tuple)  # outputs in a tuple, which a ufunc takes by keyword alone
    cdef tuple operands = PyTuple_New(n + (not together))
    if out is not None and not isinstance(out, (np.ndarray, tuple)) and not hasattr(type(out), "__array_ufunc__"):
        check_out(roles[0], out)
    if isinstance(out, np.ndarray) and np.PyArray_TYPE(out) == np.NPY_VOID:  # NumPy's error names no operand
        check_out(roles[0], out)
    if isinstance(keywords.get("dtype"), str):  # of which NumPy would not say that ml_dtypes is missing
        keywords["dtype"] = dtype_given(roles[0], keywords["dtype"])
    for k in range(1, given - 1):
        known = known and float_type(arrays[k]) == dtype
    for k in range(n - given):
        known = known and plain_number(numbers[k])
        some = some or plain_number(numbers[k])
    if not some:
        dtype = NPY_NOTYPE
    elif not known:
        dtype = type_of_call(roles, arrays + numbers, given, keywords)
    if is_short(dtype):
        ufunc = ufuncs[1]
        if keywords.pop("dtype", None) is not None:  # `dtype` is that of all operands but the parameters
            for k in range(given):  # of complex numbers NumPy would drop the imaginary parts for bfloat16
                if computed_in(dtype_of(arrays[k])) == NPY_NOTYPE:
                    refuse_no_numbers(roles[0], roles[k + 1], arrays[k])
            own = np.PyArray_DescrFromType(dtype)
            keywords["signature"] = (own,) * given + (np.dtype(np.float32),) * (n - given) + (own,)
    for k in range(given):
        number = arrays[k]
        if dtype == BFLOAT16 and plain_number(number):  # which NumPy would take for a float32 here
            number = np.array(number, np.PyArray_DescrFromType(BFLOAT16))
        put(operands, k, number)
    for k in range(given, n):
        number = numbers[k - given]
        if dtype != NPY_NOTYPE and plain_number(number):
            number = number_of(number, np.NPY_DOUBLE if dtype == np.NPY_DOUBLE else np.NPY_FLOAT)
        put(operands, k, number)
    if together:
        keywords["out"] = out
    else:
        put(operands, n, out)
    return ufunc(*operands, **keywords) if keywords else ufunc(*operands)


cdef inline bint fits_beside(object operand, int dtype, np.ndarray x):
    # whether it is a plain array of a dtype, of the shape of x
    return np.PyArray_CheckExact(operand) and np.PyArray_TYPE(<np.ndarray>operand) == dtype and (
        np.PyArray_ISCARRAY_RO(<np.ndarray>operand)) and np.PyArray_SAMESHAPE(<np.ndarray>operand, x)


cdef object elements_at_once(np.ufunc ufunc, PyObject** operands, int parameters, out):
    # The loop of an elementwise ufunc on plain arrays of one shape, as NumPy calls it once it knows that there is
    # nothing to convert, to broadcast or to copy, which takes NumPy longer than the loop takes for a thousand numbers.
    # The last inputs are parameters, which may be Python numbers. None where there is something else.
    cdef char* args[MOST]
    cdef np.npy_intp steps[MOST]
    cdef double doubles[MOST]
    cdef float floats[MOST]
    cdef np.npy_intp n
    cdef Loop loop
    cdef int k, j
    cdef object operand
    cdef tuple made
    cdef np.ndarray x, array
    if (<PyUFuncObject*>ufunc).core_enabled or not np.PyArray_CheckExact(<object>operands[0]):
        return None
    x = <np.ndarray>operands[0]
    n = np.PyArray_SIZE(x)
    if n == 0 or np.PyArray_NDIM(x) == 0 or not find_loop(ufunc, np.PyArray_TYPE(x), &loop):
        return None
    if isinstance(out, tuple) and len(<tuple>out) != ufunc.nout or out is not None and not isinstance(out, tuple) and (
            ufunc.nout != 1):
        return None
    for k in range(ufunc.nin):
        operand = <object>operands[k]
        if k >= ufunc.nin - parameters and plain_number(operand):
            doubles[k] = operand
            floats[k] = <float>doubles[k]
            args[k] = <char*>&doubles[k] if loop.types[k] == np.NPY_DOUBLE else <char*>&floats[k]
            steps[k] = 0
        elif fits_beside(operand, loop.types[k], x):
            args[k], steps[k] = np.PyArray_BYTES(<np.ndarray>operand), np.PyArray_ITEMSIZE(<np.ndarray>operand)
        else:
            return None
    made = PyTuple_New(ufunc.nout)
    for k in range(ufunc.nin, ufunc.nargs):
        operand = (<tuple>out)[k - ufunc.nin] if isinstance(out, tuple) else out
        if operand is None:
            operand = np.PyArray_EMPTY(np.PyArray_NDIM(x), np.PyArray_DIMS(x), loop.types[k], 0)
        elif not fits_beside(operand, loop.types[k], x) or not np.PyArray_ISWRITEABLE(<np.ndarray>operand):
            return None
        array = operand
        put(made, k - ufunc.nin, array)
        args[k], steps[k] = np.PyArray_BYTES(array), np.PyArray_ITEMSIZE(array)
        for j in range(k):  # an output may be an input, element for element, and nothing else
            if args[j] < args[k] + n * steps[k] and args[k] < args[j] + n * steps[j] and not (
                    j < ufunc.nin and args[j] == args[k] and steps[j] == steps[k]):
                return None
    if n <= BRIEF:
        loop.function(args, &n, steps, loop.operation)
    else:
        with nogil:
            loop.function(args, &n, steps, loop.operation)
    return made[0] if ufunc.nout == 1 else made


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


cdef bint apart(np.ndarray array, others, Py_ssize_t count):
    # whether it shares no memory with any array among the first of others
    cdef Py_ssize_t k
    for k in range(count):
        if isinstance(others[k], np.ndarray) and may_share(array, others[k]):
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
    # raises the error that a loop has set
    return -1


cdef int no_memory_for_rows(name, x, Py_ssize_t n) except -1:
    # raises the error of a loop that wanted copies of the rows of its first operand, of n elements
    raise MemoryError(f"{name}: no memory to copy rows of {n} elements, which as numbers that are computed "
                      f"with take {n * (8 if x.dtype == np.float64 else 4)} bytes each")


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


cdef bint takes_its_place(np.ndarray out, const char* kinds, tuple operands):
    # whether each operand is apart from an output, or the rows that it takes the place of
    cdef Py_ssize_t k
    for k in range(len(operands)):
        if isinstance(operands[k], np.ndarray) and may_share(operands[k], out) and not (
                kinds[k] in (c"r", c"m") and in_place(operands[k], out)):
            return False
    return True


cdef tuple kept_apart(name, bytes kinds, tuple operands, tuple out):
    # The operands, copied where an output would be written over what is still to be read: a row may be an output, and
    # all else may not share its memory.
    cdef Py_ssize_t k, j
    cdef list found = list(operands)
    for j in range(len(out)):
        if not isinstance(out[j], np.ndarray):
            continue
        for k in range(j):
            if isinstance(out[k], np.ndarray) and may_share(out[k], out[j]) and share_memory(out[k], out[j]):
                raise ValueError(f"{name}: outputs {k} and {j} share memory; each must have its own")
        for k in range(len(found)):
            if isinstance(found[k], np.ndarray) and may_share(found[k], out[j]) and not (
                    kinds[k] in (c"r", c"m") and in_place(found[k], out[j])):
                found[k] = found[k].copy()
    return tuple(found)


cdef int refuse_shapes(name, bytes kinds, tuple operands, tuple out) except -1:
    # NumPy's error names the gufunc, which is not public, and it fills what has more axes in front
    cdef Py_ssize_t k
    for k in range(len(out)):
        if isinstance(out[k], np.ndarray) and kinds[len(operands) + k] == c"r" and out[k].shape != operands[0].shape:
            raise ValueError(f"{name}: out of shape {out[k].shape} does not fit; expected shape {operands[0].shape}")
    return 0


def call(name, gufunc, tuple operands, tuple out=(), **keywords):
    """gufunc(*operands, *out, **keywords), whatever memory the outputs share with operands; a MemoryError where a loop
    had none, which NumPy does not ask it. Errors name the public function, `name`."""
    cdef bytes kinds = kinds_of(gufunc)
    cdef environment callers
    check_count(gufunc, operands, out)
    if out:
        check_outputs(name, out)
        refuse_shapes(name, kinds, operands, out)
        operands = kept_apart(name, kinds, operands, out)
    callers = enter_environment()  # for what NumPy converts
    try:
        if converts(kinds, operands, out):
            with np.errstate(all="ignore"):  # a result may be beyond what `out` holds, and a NaN may signal
                return unchecked(gufunc, operands, out, keywords)
        return unchecked(gufunc, operands, out, keywords)
    except (MemoryError, SystemError) as error:
        # a SystemError is what Python makes of it where a subclass of ndarray has a say in the result
        found = error.__cause__ if isinstance(error, SystemError) else error
        if isinstance(found, MemoryError) and not found.args:  # NumPy's own has words
            first = np.asarray(operands[0])
            no_memory_for_rows(name, first, first.shape[keywords["axes"][0] if "axes" in keywords else -1]
                               if first.ndim else 1)
        if isinstance(found, MemoryError):
            raise found from None
        raise
    except TypeError as error:
        if hasattr(error, "out_i"):  # NumPy's error for an output names the gufunc, which is not public
            refuse_narrow(name, error.from_, error.to)
        raise
    finally:
        leave_environment(callers)


# Calls of a function along an axis that go straight to its loop: where all operands are plain contiguous arrays of the
# right dtype, NumPy would only find out that it has nothing to convert and nothing to copy.

cdef inline bint fits(object operand, int dtype, char kind, np.ndarray x, int count):
    # whether it is an array that a loop can take as it stands: as x, as x without its last `count` axes, or a vector
    # along those
    cdef int axes = np.PyArray_NDIM(x), first = 0
    if not np.PyArray_CheckExact(operand) or np.PyArray_TYPE(<np.ndarray>operand) != dtype or (
            not np.PyArray_ISCARRAY_RO(<np.ndarray>operand)):
        return False
    if along_row(kind):
        if kind == c"v" and np.PyArray_SIZE(<np.ndarray>operand) == 0:
            return True
        first, axes = axes - count, count
    elif not whole_row(kind):
        axes -= count
    return np.PyArray_NDIM(<np.ndarray>operand) == axes and np.PyArray_CompareLists(
        np.PyArray_DIMS(<np.ndarray>operand), np.PyArray_DIMS(x) + first, axes)


cdef Py_ssize_t rows_of_vectors(object operand, int dtype, np.ndarray x):
    # how many rows of x a plain array of vectors is for, one for each, so that others take them in turn; 0 where it is
    # something else
    cdef int axes, k
    cdef Py_ssize_t rows = 1
    if not np.PyArray_CheckExact(operand) or np.PyArray_TYPE(<np.ndarray>operand) != dtype or (
            not np.PyArray_ISCARRAY_RO(<np.ndarray>operand)):
        return 0
    axes = np.PyArray_NDIM(<np.ndarray>operand)
    if not 1 < axes <= np.PyArray_NDIM(x) or not np.PyArray_CompareLists(
            np.PyArray_DIMS(<np.ndarray>operand), np.PyArray_DIMS(x) + np.PyArray_NDIM(x) - axes, axes - 1):
        return 0
    for k in range(axes - 1):
        rows *= np.PyArray_DIM(<np.ndarray>operand, k)
    return rows


cdef inline bint wider(object operand, int dtype):
    # whether it is a plain array of another dtype that a dtype holds
    return np.PyArray_CheckExact(operand) and np.PyArray_TYPE(<np.ndarray>operand) != dtype and (
        np.PyArray_CanCastSafely(np.PyArray_TYPE(<np.ndarray>operand), dtype))


cdef bint find_loop(np.ufunc gufunc, int dtype, Loop* loop):
    # the loop whose first operand is of a dtype: of NumPy's own, or registered
    cdef int registration, k
    cdef const char* types = (<PyUFuncObject*>gufunc).types
    cdef object capsule
    cdef PyUFunc_Loop1d* registered
    for registration in range(gufunc.ntypes):
        if types[registration * gufunc.nargs] == dtype:
            loop.function = <elementwise_loop>gufunc.functions[registration]
            loop.operation = gufunc.data[registration]
            for k in range(gufunc.nargs):
                loop.types[k] = types[registration * gufunc.nargs + k]
            return True
    if dtype < NPY_USERDEF or gufunc.userloops == NULL:
        return False
    capsule = (<dict><object>gufunc.userloops).get(dtype)
    if capsule is None:
        return False
    registered = <PyUFunc_Loop1d*>PyCapsule_GetPointer(capsule, NULL)
    loop.function, loop.operation = <elementwise_loop>registered.func, registered.data
    for k in range(gufunc.nargs):
        loop.types[k] = registered.arg_types[k]
    return True


cdef inline object new_output(np.ndarray x, char kind, int dtype, int count):
    cdef int axes = np.PyArray_NDIM(x)
    if along_row(kind):
        return np.PyArray_EMPTY(count, np.PyArray_DIMS(x) + axes - count, dtype, 0)
    return np.PyArray_EMPTY(axes if kind == c"r" else axes - count, np.PyArray_DIMS(x), dtype, 0)


cdef np.npy_intp run_turns(const Loop* loop, int operands, const char* kinds, char** args, np.npy_intp* dims,
                           np.npy_intp* steps, np.npy_intp rows, bint turns) noexcept nogil:
    # the loop on all rows, or on dims[0] of them again and again, which take the same vectors; how many were computed
    cdef np.npy_intp done = 0
    cdef int k
    while done < rows and (<operation_loop*>loop.operation)[0](loop.operation, args, dims, steps):
        done += dims[0] if turns else rows
        for k in range(operands):
            if kinds[k] != c"v":
                args[k] += dims[0] * steps[k]
    return done


cdef object at_once(name, np.ufunc gufunc, tuple operands, tuple out, int count=1):
    # the loop on plain arrays and Python numbers, as NumPy calls it: dims are the rows, their length and those of
    # vectors; steps are those from row to row for every operand, then those within rows and vectors. A loop that adds
    # up over its rows has them all in (p, q, n), and runs once. A row is as many of the last axes as `count` says. None
    # where there is something else
    cdef bytes registered = kinds_of(gufunc)
    cdef const char* kinds = registered
    cdef bint summed
    cdef char* args[MOST]
    cdef np.npy_intp dims[MOST]
    cdef np.npy_intp steps[4 * MOST]
    cdef double numbers[MOST]
    cdef double unwanted[MOST_UNWANTED]
    cdef np.npy_intp n = 1, rows, step, own_rows, turn = 0
    cdef Loop loop
    cdef int k, axes, dtype, core = gufunc.nargs, vectors = 2
    cdef object operand
    cdef np.ndarray x, array
    cdef tuple made = PyTuple_New(gufunc.nout)
    cdef object cast = None  # what must live until the loop has run
    check_count(gufunc, operands, out)
    if not np.PyArray_CheckExact(operands[0]) or strchr(kinds, c"m") != NULL:
        return None
    x = operands[0]
    axes = np.PyArray_NDIM(x)
    if axes == 0 or np.PyArray_SIZE(x) == 0 or not find_loop(gufunc, np.PyArray_TYPE(x), &loop):
        return None
    summed = strchr(kinds, c"a") != NULL
    if summed:
        vectors = 4
    for k in range(axes - count, axes):
        n *= np.PyArray_DIM(x, k)
    rows = np.PyArray_SIZE(x) // n
    dims[0], dims[2] = 1, 1
    dims[3 if summed else 1], dims[1 if summed else 0] = n, rows
    for k in range(gufunc.nargs):
        operand = operands[k] if k < gufunc.nin else out[k - gufunc.nin] if k - gufunc.nin < len(out) else None
        if k < gufunc.nin and kinds[k] == c"s" and plain_number(operand):
            numbers[k] = operand
            args[k] = <char*>&numbers[k]
            steps[k] = 0
            continue
        dtype = loop.types[k]
        if k < gufunc.nin and kinds[k] == c"v":
            if operand is None:
                operand = ABSENT_FLOAT64 if dtype == np.NPY_DOUBLE else ABSENT
            # of the rows' own dtype, as its steps tell the loop, or of one that holds it
            if np.PyArray_CheckExact(operand) and np.PyArray_TYPE(<np.ndarray>operand) == np.PyArray_TYPE(x):
                dtype = np.PyArray_TYPE(x)
            elif wider(operand, dtype):
                with default_environment(), np.errstate(all="ignore"):  # of a NaN that signals
                    operand = np.PyArray_Cast(operand, dtype)
                cast = (cast, operand)
            own_rows = 0 if summed or count > 1 else rows_of_vectors(operand, dtype, x)
            if own_rows > 0 and turn in (0, own_rows):
                turn, array = own_rows, operand
                dims[vectors] = np.PyArray_DIM(array, np.PyArray_NDIM(array) - 1)
                vectors += 1
                args[k], steps[core] = np.PyArray_BYTES(array), np.PyArray_ITEMSIZE(array)
                steps[k] = dims[vectors - 1] * steps[core]
                core += 1
                continue
        if operand is ABSENT and k >= gufunc.nin and kinds[k] in b"as":
            args[k], steps[k], steps[core] = NULL, 0, 0
            core += kinds[k] == c"a"
            put(made, k - gufunc.nin, ABSENT)
            continue
        if operand is DISCARDED:
            if rows <= MOST_UNWANTED:
                args[k], steps[k] = <char*>unwanted, sizeof(double)
                put(made, k - gufunc.nin, ABSENT)
                continue
            operand = None
        if k >= gufunc.nin and operand is None:
            operand = new_output(x, kinds[k], dtype, count)
        elif not fits(operand, dtype, kinds[k], x, count):
            return None
        elif k >= gufunc.nin and not (np.PyArray_ISWRITEABLE(operand) and apart(operand, out, k - gufunc.nin) and (
                takes_its_place(operand, kinds, operands))):
            return None
        array = operand
        if k >= gufunc.nin:
            put(made, k - gufunc.nin, array)
        args[k] = np.PyArray_BYTES(array)
        step = np.PyArray_ITEMSIZE(array) * (n if whole_row(kinds[k]) else 1)  # from row to row
        steps[k] = 0 if summed or along_row(kinds[k]) else step
        if summed and not along_row(kinds[k]):
            steps[core] = steps[core + 1] = step
            core += 2
        if whole_row(kinds[k]) or along_row(kinds[k]):
            steps[core] = np.PyArray_ITEMSIZE(array)
            core += 1
        if k < gufunc.nin and kinds[k] == c"v":
            dims[vectors] = n if np.PyArray_SIZE(array) else 0
            vectors += 1
    dims[0] = turn or dims[0]
    if rows * n <= BRIEF:
        step = run_turns(&loop, gufunc.nargs, kinds, args, dims, steps, rows, turn > 0)
    else:
        with nogil:
            step = run_turns(&loop, gufunc.nargs, kinds, args, dims, steps, rows, turn > 0)
    if step < rows:
        no_memory_for_rows(name, x, n)
    if axes == count:
        made = tuple([array if np.PyArray_NDIM(array) else array[()] for array in made])
    return made if gufunc.nout > 1 else made[0]


cdef object across_at_once(name, np.ufunc gufunc, tuple operands, tuple out, int axis):
    # at_once along another axis than the last: the rows of each index before it are neighbours in memory, and a batch.
    # None where there is something else
    cdef bytes kinds = kinds_of(gufunc)
    cdef char* args[MOST]
    cdef np.npy_intp dims[MOST]
    cdef np.npy_intp steps[2 * MOST]
    cdef np.npy_intp turns[MOST]  # from the rows of one index to those of the next
    cdef np.npy_intp without[64]
    cdef double numbers[MOST]
    cdef np.npy_intp n, outer = 1, rows = 1, size, done = 0
    cdef Loop loop
    cdef operation_batches batches
    cdef int k, axes, core = gufunc.nargs, vectors = 2
    cdef object operand
    cdef np.ndarray x, array
    cdef list made = []
    check_count(gufunc, operands, out)
    if not np.PyArray_CheckExact(operands[0]):
        return None
    x = operands[0]
    axes = np.PyArray_NDIM(x)
    if np.PyArray_SIZE(x) == 0 or not find_loop(gufunc, np.PyArray_TYPE(x), &loop):
        return None
    n = np.PyArray_DIM(x, axis)
    for k in range(axes):
        if k < axis:
            outer *= np.PyArray_DIM(x, k)
        elif k > axis:
            rows *= np.PyArray_DIM(x, k)
        if k != axis:
            without[k - (k > axis)] = np.PyArray_DIM(x, k)
    dims[0], dims[1] = rows, n
    for k in range(gufunc.nargs):
        operand = operands[k] if k < gufunc.nin else out[k - gufunc.nin] if k - gufunc.nin < len(out) else None
        steps[k] = turns[k] = 0
        if k < gufunc.nin and kinds[k] == c"s" and type(operand) in (float, int):
            numbers[k] = operand
            args[k] = <char*>&numbers[k]
            continue
        if operand is ABSENT and kinds[k] == c"s":
            args[k] = NULL
            made.append(ABSENT)
            continue
        if k >= gufunc.nin and operand is None and kinds[k] == c"r":
            operand = np.PyArray_EMPTY(axes, np.PyArray_DIMS(x), loop.types[k], 0)
        elif k >= gufunc.nin and operand is None:
            operand = np.PyArray_EMPTY(axes - 1, without, loop.types[k], 0)
        elif not np.PyArray_CheckExact(operand) or np.PyArray_TYPE(<np.ndarray>operand) != loop.types[k] or (
                not np.PyArray_ISCARRAY_RO(<np.ndarray>operand)) or (k >= gufunc.nin and not (
                np.PyArray_ISWRITEABLE(operand) and apart(operand, made, len(made)) and (
                    takes_its_place(operand, kinds, operands)))):
            return None
        array = operand
        if k >= gufunc.nin:
            made.append(array)
        args[k], size = np.PyArray_BYTES(array), np.PyArray_ITEMSIZE(array)
        if kinds[k] == c"r" and np.PyArray_SAMESHAPE(array, x):
            steps[k], steps[core], turns[k] = size, rows * size, n * rows * size
            core += 1
        elif kinds[k] == c"v" and np.PyArray_NDIM(array) == 1 and np.PyArray_DIM(array, 0) in (0, n):
            steps[core], dims[vectors] = size, np.PyArray_DIM(array, 0)
            core += 1
            vectors += 1
        elif kinds[k] in b"si" and np.PyArray_NDIM(array) == axes - 1 and (
                np.PyArray_CompareLists(np.PyArray_DIMS(array), without, axes - 1)):
            steps[k], turns[k] = size, rows * size
        else:
            return None
    batches = (<operation_batches*>loop.operation)[1]
    with nogil:
        if batches != NULL:
            done = outer * batches(loop.operation, args, dims, steps, outer, turns)
        while done < outer and batches == NULL and (
                (<operation_loop*>loop.operation)[0](loop.operation, args, dims, steps)):
            done += 1
            for k in range(gufunc.nargs):
                args[k] += turns[k]
    if done < outer:
        no_memory_for_rows(name, x, n)
    results = tuple([array if np.PyArray_NDIM(array) else array[()] for array in made])
    return results if gufunc.nout > 1 else results[0]


def rounded_to(dtype, values):
    """Results, usually float64, in the dtype they are returned in; integers and narrower dtypes than 16 bits are none.
    What is beyond it becomes an infinity without a warning."""
    cdef environment callers
    if not isinstance(dtype, np.dtype):
        dtype = np.dtype(dtype)
    if np.PyArray_CheckExact(values) and (<np.dtype>dtype).num == np.PyArray_TYPE(<np.ndarray>values) and (
            taken(values) and dtype.isnative):
        return values
    if values.dtype == dtype:
        return values
    callers = enter_environment()
    try:
        return rounded(dtype, values)
    finally:
        leave_environment(callers)


cdef int dtype_in_loops(int dtype):
    # what loops call NumPy's number of a native float; -1 of all else
    if dtype == NPY_HALF:
        return FLOAT16
    if dtype == np.NPY_FLOAT:
        return FLOAT32
    if dtype == np.NPY_DOUBLE:
        return FLOAT64
    return BFLOAT16_OF_LOOPS if is_short(dtype) else -1


def number_in(np.dtype dtype, double value):
    """One number in the dtype that it is returned in, as `rounded_to`."""
    cdef double place = value
    cdef int to = dtype_in_loops(dtype.num)
    if to < 0:
        return rounded_to(dtype, PyArray_Scalar(&value, np.PyArray_DescrFromType(np.NPY_DOUBLE), None))
    put_number(<Dtype>to, &place, 0, value)
    return PyArray_Scalar(&place, np.PyArray_DescrFromType(dtype.num), None)


cdef object rounded(np.dtype dtype, values):
    # in the environment of kernels, whose flags are not the caller's
    cdef np.ndarray given, found
    cdef const void* numbers
    cdef void* results
    cdef Py_ssize_t i, count
    cdef int to = dtype_in_loops(dtype.num), of
    if to >= 0 and np.PyArray_CheckExact(values) and np.PyArray_ISCARRAY_RO(<np.ndarray>values):
        given = values
        of = dtype_in_loops(np.PyArray_TYPE(given))
        if of >= 0:
            found = np.PyArray_EMPTY(np.PyArray_NDIM(given), np.PyArray_DIMS(given), dtype.num, 0)
            numbers, results, count = np.PyArray_DATA(given), np.PyArray_DATA(found), np.PyArray_SIZE(given)
            if of == FLOAT32 and to == BFLOAT16_OF_LOOPS:
                narrow_to_bfloat16(<const uint32_t*>numbers, <uint16_t*>results, count)
            elif of == FLOAT32 and to == FLOAT64:  # the usual ones, without questions about every number
                for i in range(count):
                    (<double*>results)[i] = (<const float*>numbers)[i]
            elif of == FLOAT16 and to == FLOAT32:
                for i in range(count):
                    (<float*>results)[i] = <float>number_at(FLOAT16, numbers, i)
            elif of == BFLOAT16_OF_LOOPS and to == FLOAT32:
                for i in range(count):
                    (<float*>results)[i] = <float>number_at(BFLOAT16_OF_LOOPS, numbers, i)
            elif of == FLOAT64 and to == FLOAT32:
                for i in range(count):
                    put_number(FLOAT32, results, i, number_at(FLOAT64, numbers, i))
            else:
                for i in range(count):
                    put_number(<Dtype>to, results, i, number_at(<Dtype>of, numbers, i))
            return found
    if dtype.itemsize < 2 or dtype.kind not in "fV":
        dtype = values.dtype if values.dtype.kind == "f" else np.dtype(np.float64)
    if to >= 0 and type(values) is np.float64:
        return number_in(dtype, values)
    with np.errstate(all="ignore"):
        return values.astype(dtype.newbyteorder("="))


cdef inline check_count(np.ufunc gufunc, tuple operands, tuple out):
    if len(operands) != gufunc.nin or len(out) > gufunc.nout:
        raise TypeError(f"{(<object>gufunc).__name__} takes {gufunc.nin} operands and up to {gufunc.nout} outputs, not "
                        f"{len(operands)} and {len(out)}")


cdef inline check_outputs(name, tuple out):
    for place in out:
        if place is not None and not (np.PyArray_CheckExact(place) and float_type(place) != NPY_NOTYPE
                                      and np.PyArray_ISWRITEABLE(<np.ndarray>place)):
            check_out(name, place)


cdef bint converts(bytes kinds, tuple operands, tuple out):
    # whether NumPy may convert operands to the dtype of another, or results to what an output holds
    cdef Py_ssize_t k
    for k in range(1, len(operands)):
        if isinstance(operands[0], np.ndarray) and isinstance(operands[k], np.ndarray) and kinds[k] in b"rvm" and (
                np.PyArray_TYPE(<np.ndarray>operands[0]) != np.PyArray_TYPE(<np.ndarray>operands[k])):
            return True
    for place in out:
        for k in range(len(operands)):
            if isinstance(place, np.ndarray) and kinds[k] in b"rvm" and (
                    np.PyArray_TYPE(<np.ndarray>place) != np.PyArray_TYPE(<np.ndarray>operands[k])):
                return True
    return False


cdef tuple all_wanted(tuple out):
    # the outputs as NumPy takes them, which makes all of them
    return tuple([None if place is ABSENT else place for place in out])


cpdef object along(name, np.ufunc gufunc, tuple operands, tuple out):
    """gufunc(*operands, *out) along the last axis. Of arrays that are C-contiguous and of one dtype the loop is called
    at once, without what NumPy does before it. Errors name the public function, `name`."""
    check_outputs(name, out)
    found = at_once(name, gufunc, operands, out)
    return call(name, gufunc, operands, all_wanted(out)) if found is None else found


def on_axis(name, np.ufunc gufunc, tuple operands, int axis, int ndim, *out):
    """The same along any axis of the first operand, which has `ndim`. The first outputs may be given."""
    if axis == -1 or axis == ndim - 1:
        return along(name, gufunc, operands, out)
    check_outputs(name, out)
    axis %= ndim
    found = across_at_once(name, gufunc, operands, out, axis)
    return call(name, gufunc, operands, all_wanted(out), axes=axes_of(gufunc, axis)) if found is None else found


cdef Numbers numbers_of_array(object array, Numeric type, int dimensions, bint written) except *:
    # loops/numbers.pxd says what this is
    cdef Numbers found
    cdef int k
    memset(&found, 0, sizeof(found))
    if array is None:
        return found
    if not np.PyArray_Check(array) or np.PyArray_NDIM(array) != dimensions or (
            letter_of(array) != type >> 4 or np.PyArray_ITEMSIZE(array) != type & 15) or (
            not np.PyArray_ISCARRAY_RO(array)):
        given = f"an array of {array.dtype} and shape {array.shape}" if np.PyArray_Check(array) else f"{array!r:.100}"
        raise TypeError(f"a kernel was given {given}; expected C-contiguous numbers of type "
                        f"{chr(type >> 4)}{type & 15} with {dimensions} dimensions")
    if written and not np.PyArray_ISWRITEABLE(array):
        raise ValueError("a kernel was given an array to fill that is read-only")
    found.at = np.PyArray_DATA(array)
    for k in range(dimensions):
        found.shape[k] = np.PyArray_DIM(array, k)
    return found


numbers_of = PyCapsule_New(<void*>numbers_of_array, "lanewise.kernels.operands.numbers_of", NULL)
