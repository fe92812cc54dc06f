# The call of an elementwise function whose parameters may be Python numbers, which become operands in the precision of
# the computation. A part of operands.pyx.

cdef inline bint plain_number(object value):
    return type(value) is float or type(value) is int


cdef object as_float(value):
    # an int as a float; an error where it is beyond the largest float
    try:
        return float(value)
    except OverflowError:
        raise ValueError(f"expected a number that a float holds, not an int of {value.bit_length()} bits") from None


cdef dict KNOWN_FLOATS = {}, KNOWN_DOUBLES = {}


cdef object number_of(object value, int precision):
    # A Python number as a float32 or float64 operand, kept for the next call
    cdef dict known = KNOWN_DOUBLES if precision == np.NPY_DOUBLE else KNOWN_FLOATS
    cdef np.ndarray operand = <np.ndarray>known.get(value)
    if operand is None and type(value) is int:
        value = as_float(value)
    if operand is None or <double>value == 0.0:  # 0.0 and -0.0 are one key
        operand = np.PyArray_EMPTY(0, NULL, precision, 0)
        if precision == np.NPY_DOUBLE:
            (<double*>np.PyArray_DATA(operand))[0] = value
        else:
            (<float*>np.PyArray_DATA(operand))[0] = <float><double>value
        if len(known) == 1000:
            known.clear()
        known[value] = operand
    return operand


cdef int type_of_call(name, tuple arrays, tuple numbers, dict keywords):
    # The type that a call is computed in, and its Python numbers with it; NPY_NOTYPE where NumPy shall
    # choose
    cdef int dtype = -1
    cdef object operand
    if "signature" in keywords or "sig" in keywords:
        return NPY_NOTYPE
    if keywords.get("dtype") is not None:
        return computed_in(dtype_given(name, keywords["dtype"]))
    for operand in arrays + numbers:
        if not plain_number(operand):
            dtype = common(dtype, computed_in(dtype_of(operand)))
    return np.NPY_DOUBLE if dtype < 0 else dtype


cdef inline void put(tuple operands, Py_ssize_t k, object operand):
    Py_INCREF(operand)
    PyTuple_SET_ITEM(operands, k, operand)


def apply(tuple ufuncs, dict keywords, out, tuple arrays, *numbers):
    """ufunc(*arrays, *numbers, out, **keywords). Python numbers become parameters in the precision of the computation,
    which for 16-bit arrays is float32: of two ufuncs the second takes those."""
    cdef environment callers = enter_environment()
    try:
        return applied(ufuncs, keywords, out, arrays, numbers)
    finally:
        leave_environment(callers)


cdef object applied(tuple ufuncs, dict keywords, out, tuple arrays, tuple numbers):
    cdef Py_ssize_t k, given = len(arrays), n = given + len(numbers)
    cdef object number, ufunc = ufuncs[0]
    cdef int dtype = float_type(arrays[given - 1])
    cdef bint known = not keywords and dtype != NPY_NOTYPE and float_type(arrays[0]) == dtype, some = False
    cdef bint together = isinstance(out, tuple)  # outputs in a tuple, which a ufunc takes by keyword alone
    cdef tuple operands = PyTuple_New(n + (not together))
    if out is not None and not isinstance(out, (np.ndarray, tuple)) and not hasattr(type(out), "__array_ufunc__"):
        check_out(ufunc.__name__, out)
    if isinstance(out, np.ndarray) and np.PyArray_TYPE(out) == np.NPY_VOID:  # NumPy's error names no operand
        check_out(ufunc.__name__, out)
    for k in range(1, given - 1):
        known = known and float_type(arrays[k]) == dtype
    for k in range(n - given):
        known = known and plain_number(numbers[k])
        some = some or plain_number(numbers[k])
    if not some:
        dtype = NPY_NOTYPE
    elif not known:
        dtype = type_of_call(ufunc.__name__, arrays, numbers, keywords)
    if is_short(dtype):
        ufunc = ufuncs[1]
        if keywords.pop("dtype", None) is not None:  # `dtype` is that of all operands but the parameters
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
