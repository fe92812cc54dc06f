# What functions ask of their arguments, and the errors where it is not so. A part of operands.pyx.

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


def any_less(a, b):
    """Whether a < b anywhere; an error where they are no numbers."""
    if type(a) is float and type(b) is float:
        return is_less(a, b)
    try:
        with default_environment(), np.errstate(all="ignore"):  # a Python number beyond the dtype of the other
            return bool(np.any(np.asarray(a) < np.asarray(b)))
    except (TypeError, ValueError):
        raise TypeError(f"expected numbers or arrays of numbers for parameters, not {a!r:.60} and {b!r:.60}") from None


def any_zero(a):
    """Whether there is a 0."""
    if type(a) is float:
        return not is_less(a, 0.0) and not is_less(0.0, a) and a == a
    with default_environment():
        return np.any(np.asarray(a) == 0.0)


def refuse_limit(name, limit):
    """An error where a limit of magnitudes is below 0 or no number."""
    if type(limit) is float and (is_less(0.0, limit) or limit == 0.0):
        return
    given = np.asarray(limit)
    if given.dtype.kind not in "biuf" and given.dtype.name != "bfloat16":
        raise TypeError(f"{name}: limit must be a number or an array of numbers, not {limit!r:.60}")
    with default_environment(), np.errstate(all="ignore"):
        if not np.all(given >= 0.0):
            raise ValueError(f"{name}: limit must be 0 or more; got {limit!r:.60}")


# What stands for a missing weight or bias in a call of a kernel.
cdef object ABSENT = np.empty(0, np.float32), ABSENT_FLOAT64 = np.empty(0, np.float64)


EXPECTED = "float16, bfloat16, float32, float64 or integers"
OF_ML_DTYPES = ("bfloat", "float8_", "float6_", "float4_")  # how the names of its floats begin


def refuse_mask(name, role, x):
    """An error where an array hides some of its numbers, which would be seen here."""
    if isinstance(x, np.ma.MaskedArray):
        raise TypeError(f"{name}: {role} is a masked array, whose mask would not be seen; fill it or drop what it "
                        f"hides")


cdef object way_in(object dtype):
    # the end of an error about a dtype that is not taken: what to do instead
    if dtype.kind == "V" and dtype.itemsize == 2 and dtype.names is None:
        return ". np.load gives this for bfloat16: use x.view(ml_dtypes.bfloat16)"
    if dtype.kind == "O":
        return ". NumPy makes this of a sparse array, for which use x.toarray()"
    return ""


cdef object converted(name, role, object x):
    # an array of a dtype that the loops do not take
    cdef int dtype = computed_in(x.dtype)
    if dtype == NPY_NOTYPE:
        raise TypeError(f"{name}: {role} is of dtype {x.dtype}; expected {EXPECTED}{way_in(x.dtype)}")
    if np.PyTypeNum_ISINTEGER(x.dtype.num) or np.PyTypeNum_ISBOOL(x.dtype.num):
        dtype = np.NPY_DOUBLE
    elif x.dtype.num >= NPY_USERDEF:  # below 16 bits
        dtype = np.NPY_FLOAT
    with default_environment():
        return x.astype(np.PyArray_DescrFromType(dtype))


cdef inline bint taken(np.ndarray x):
    # whether the loops take its numbers as they lie in memory
    return float_type(x) != NPY_NOTYPE and np.PyArray_ISNOTSWAPPED(x)


cpdef object as_array(name, role, x):
    """An ndarray or a subclass of it; an error where NumPy makes none, which begins with the role if there is no name.
    """
    try:
        return np.asanyarray(x)
    except (TypeError, ValueError) as error:  # rows of several lengths, more axes than NumPy has
        raise ValueError(f"{named(name, role)} must be an array of numbers; {error}") from None


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
        x = as_array(name, role, x)
    if not np.PyArray_CheckExact(x):
        refuse_mask(name, role, x)
    return x if taken(x) else converted(name, role, x)


cpdef object floats_beside(name, role, object values, np.ndarray x):
    """The same of weights and the like: integers become float32, or float64 where `x` is."""
    if not isinstance(values, np.ndarray):
        values = as_array(name, role, values)
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


def checked(name, x, axis, expected="an int, a tuple of ints or None"):
    """`x` as an array, and `axis` counted from the front; an error where `x` has no such axis, or of what a function
    takes as one. A number has one axis, of itself."""
    cdef np.ndarray array = floating(name, "x", x)
    cdef int axes = np.PyArray_NDIM(array)
    if type(axis) is not int:
        axis = whole(name, "axis", axis, expected)
    if not -max(axes, 1) <= axis < max(axes, 1):
        raise ValueError(f"{name}: axis {axis} is out of range for x of shape {(<object>array).shape}")
    return array, axis + axes if axis < 0 else axis


def last_axes(x, axis):
    """How many axes a tuple, or None for all, names; 0 where these are not the last ones of `x` in their order, or `x`
    is no array that rows can be taken from as it lies in memory."""
    cdef Py_ssize_t k, count, axes
    if not np.PyArray_CheckExact(x) or not taken(x) or not np.PyArray_ISCARRAY_RO(<np.ndarray>x):
        return 0
    axes = np.PyArray_NDIM(<np.ndarray>x)
    if axis is None:
        return axes
    count = len(<tuple?>axis)
    for k in range(count):
        one = (<tuple>axis)[k]
        if type(one) is not int or one != axes - count + k and one != k - count:
            return 0
    return count if count <= axes else 0


cdef object merged(array, np.ndarray x, int first, int count):
    # a view of an array of the shape of x from its axis `first` on, with its last `count` axes as one; None of anything
    # else
    cdef np.npy_intp sizes[64]
    cdef np.PyArray_Dims dims
    cdef int k, axes = np.PyArray_NDIM(x) - first
    if not np.PyArray_CheckExact(array) or not np.PyArray_IS_C_CONTIGUOUS(<np.ndarray>array) or (
            np.PyArray_NDIM(<np.ndarray>array) != axes) or not np.PyArray_CompareLists(
            np.PyArray_DIMS(<np.ndarray>array), np.PyArray_DIMS(x) + first, axes):
        return None
    dims.ptr, dims.len = sizes, axes - count + 1
    sizes[axes - count] = 1
    for k in range(axes):
        if k < axes - count:
            sizes[k] = np.PyArray_DIM(x, first + k)
        else:
            sizes[axes - count] *= np.PyArray_DIM(x, first + k)
    return np.PyArray_Newshape(array, &dims, np.NPY_CORDER)


def over_last_axes(function, np.ndarray x, int count, dict rows, out, dict beside, dict vectors, dict statistics,
                   str gives, dict keywords):
    """`over_axes` of plain arrays along the last `count` axes of x, which are merged as they lie in memory; None of
    others. What does not fit is none of these, so that its error is raised there."""
    cdef int axes = np.PyArray_NDIM(x), k
    cdef object role, array, place = None, found
    cdef np.PyArray_Dims shape
    cdef list operands = [], results
    cdef dict given = dict(keywords)
    for array in rows.values():
        place = merged(array, x, 0, count)
        if place is None:
            return None
        operands.append(place)
    place = None
    if out is not None:
        place = merged(out, x, 0, count)
        if place is None:
            return None
    given["axis"], given["out"] = -1, place
    for k, wanted in enumerate((beside, vectors)):
        for role, array in wanted.items():
            given[role] = array if array is None else merged(array, x, (axes - count) * k, count)
            if array is not None and given[role] is None:
                return None
    for role, array in statistics.items():
        if array is not None and (not np.PyArray_CheckExact(array) or (
                np.PyArray_NDIM(<np.ndarray>array) != axes - count) or not np.PyArray_CompareLists(
                np.PyArray_DIMS(<np.ndarray>array), np.PyArray_DIMS(x), axes - count)):
            return None
        given[role] = array
    found = function(*operands, **given)
    shape.ptr, shape.len = np.PyArray_DIMS(x), axes
    results = list(found) if isinstance(found, tuple) else [found]
    for k in range(len(results)):
        if gives[k] == "r":
            results[k] = np.PyArray_Newshape(results[k], &shape, np.NPY_CORDER) if out is None else out
        elif gives[k] == "v" and results[k] is not None:
            results[k] = results[k].reshape((<object>x).shape[axes - count:])
    return tuple(results) if isinstance(found, tuple) else results[0]


def classified(name, logits, target, ignore_index=None):
    """Logits as an array, and the class asked for in each row as C-contiguous int64, -1 where it is the one to ignore;
    an error where they do not fit."""
    cdef np.ndarray x = floating(name, "logits", logits), asked, indices
    cdef Py_ssize_t i, classes
    cdef int64_t* classes_asked
    cdef int64_t ignored = 0
    cdef int layout = np.NPY_ARRAY_CARRAY_RO | np.NPY_ARRAY_FORCECAST
    # beyond int64 it is the class of no row
    cdef bint ignoring = ignore_index is not None and -2**63 <= ignore_index < 2**63
    if ignoring:
        ignored = ignore_index
        layout |= np.NPY_ARRAY_ENSURECOPY
    refuse_mask(name, "target", target)
    asked = np.asarray(as_array(name, "target", target))
    if not np.PyTypeNum_ISINTEGER(np.PyArray_TYPE(asked)) and np.PyArray_SIZE(asked) > 0:
        raise TypeError(f"{name}: target must hold integers, not {(<object>asked).dtype}")
    if np.PyArray_NDIM(x) == 0 or np.PyArray_NDIM(asked) != np.PyArray_NDIM(x) - 1 or not np.PyArray_CompareLists(
            np.PyArray_DIMS(asked), np.PyArray_DIMS(x), np.PyArray_NDIM(asked)):
        raise ValueError(f"{name}: target of shape {(<object>asked).shape} does not fit logits of shape "
                         f"{(<object>x).shape}; expected {(<object>x).shape[:max(np.PyArray_NDIM(x) - 1, 0)]}")
    classes = np.PyArray_DIM(x, np.PyArray_NDIM(x) - 1)
    indices = np.PyArray_FROMANY(asked, np.NPY_INT64, 0, 0, layout)
    classes_asked = <int64_t*>np.PyArray_DATA(indices)
    for i in range(np.PyArray_SIZE(indices)):
        if ignoring and classes_asked[i] == ignored:
            classes_asked[i] = -1
        elif not 0 <= classes_asked[i] < classes:
            position = [int(k) for k in np.unravel_index(i, (<object>asked).shape)]
            raise ValueError(f"{name}: target{position} is {asked[tuple(position)]}; expected 0 to {classes - 1}")
    return x, indices


def vector(name, role, values, np.ndarray x, Py_ssize_t axis):
    """A weight or a bias as an array of the length of `x` along `axis`, or what stands for none."""
    if values is None:
        return ABSENT_FLOAT64 if np.PyArray_TYPE(x) == np.NPY_DOUBLE else ABSENT
    if not np.PyArray_CheckExact(values) or not taken(values):
        values = floats_beside(name, role, values, x)
    if np.PyArray_NDIM(values) != 1 or np.PyArray_DIM(values, 0) != np.PyArray_DIM(x, <int>axis):
        raise ValueError(f"{name}: {role} of shape {values.shape} does not fit x of shape {(<object>x).shape}; along "
                         f"axis {axis} it must have shape {(<object>x).shape[axis:axis + 1]}")
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
