# Calls of a function along an axis that go straight to its loop: where all operands are plain contiguous arrays of the
# right dtype, NumPy would only find out that it has nothing to convert and nothing to copy. A part of operands.pyx.

cdef inline bint fits(object operand, int dtype, char kind, np.ndarray x):
    # whether it is an array that a loop can take as it stands: as x, as x without its last axis, or a vector along that
    cdef int axes = np.PyArray_NDIM(x) - (not whole_row(kind))
    cdef Py_ssize_t n = np.PyArray_DIM(x, np.PyArray_NDIM(x) - 1)
    if not np.PyArray_CheckExact(operand) or np.PyArray_TYPE(<np.ndarray>operand) != dtype or (
            not np.PyArray_ISCARRAY_RO(<np.ndarray>operand)):
        return False
    if along_row(kind):
        return np.PyArray_NDIM(<np.ndarray>operand) == 1 and (
            np.PyArray_DIM(<np.ndarray>operand, 0) == n
            or (kind == c"v" and np.PyArray_DIM(<np.ndarray>operand, 0) == 0))
    return np.PyArray_NDIM(<np.ndarray>operand) == axes and np.PyArray_CompareLists(
        np.PyArray_DIMS(<np.ndarray>operand), np.PyArray_DIMS(x), axes)


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
    cdef object capsule
    cdef PyUFunc_Loop1d* registered
    for registration in range(gufunc.ntypes):
        if gufunc.types[registration * gufunc.nargs] == dtype:
            loop.operation = gufunc.data[registration]
            for k in range(gufunc.nargs):
                loop.types[k] = gufunc.types[registration * gufunc.nargs + k]
            return True
    if dtype < NPY_USERDEF or gufunc.userloops == NULL:
        return False
    capsule = (<dict><object>gufunc.userloops).get(dtype)
    if capsule is None:
        return False
    registered = <PyUFunc_Loop1d*>PyCapsule_GetPointer(capsule, NULL)
    loop.operation = registered.data
    for k in range(gufunc.nargs):
        loop.types[k] = registered.arg_types[k]
    return True


cdef inline object new_output(np.ndarray x, char kind, int dtype):
    cdef int axes = np.PyArray_NDIM(x)
    if along_row(kind):
        return np.PyArray_EMPTY(1, np.PyArray_DIMS(x) + axes - 1, dtype, 0)
    return np.PyArray_EMPTY(axes - (kind != c"r"), np.PyArray_DIMS(x), dtype, 0)


cdef object at_once(np.ufunc gufunc, tuple operands, tuple out):
    # the loop on plain arrays and Python numbers, as NumPy calls it: dims are the rows, their length and those of
    # vectors; steps are those from row to row for every operand, then those within rows and vectors. A loop that adds
    # up over its rows has them all in (p, q, n), and runs once. None where there is something else
    cdef bytes kinds = kinds_of(gufunc)
    cdef const char* kinds_of_operands = kinds
    cdef bint summed = b"a" in kinds
    cdef char* args[MOST]
    cdef np.npy_intp dims[MOST]
    cdef np.npy_intp steps[4 * MOST]
    cdef double numbers[MOST]
    cdef np.npy_intp n, rows, step, own_rows, turn = 0, done = 0
    cdef Loop loop
    cdef int k, axes, dtype, core = gufunc.nargs, vectors = 4 if summed else 2
    cdef object operand
    cdef np.ndarray x, array
    cdef list made = [], cast = []
    check_count(gufunc, operands, out)
    if b"m" in kinds or not np.PyArray_CheckExact(operands[0]):
        return None
    x = operands[0]
    axes = np.PyArray_NDIM(x)
    if axes == 0 or np.PyArray_SIZE(x) == 0:
        return None
    if not find_loop(gufunc, np.PyArray_TYPE(x), &loop):
        return None
    n = np.PyArray_DIM(x, axes - 1)
    dims[0], dims[2] = 1, 1
    dims[3 if summed else 1], dims[1 if summed else 0] = n, np.PyArray_SIZE(x) // n
    for k in range(gufunc.nargs):
        operand = operands[k] if k < gufunc.nin else out[k - gufunc.nin] if k - gufunc.nin < len(out) else None
        if k < gufunc.nin and kinds[k] == c"s" and type(operand) in (float, int):
            numbers[k] = operand
            args[k] = <char*>&numbers[k]
            steps[k] = 0
            continue
        dtype = loop.types[k]
        if k < gufunc.nin and kinds[k] == c"v":
            # of the rows' own dtype, as its steps tell the loop, or of one that holds it
            if np.PyArray_CheckExact(operand) and np.PyArray_TYPE(<np.ndarray>operand) == np.PyArray_TYPE(x):
                dtype = np.PyArray_TYPE(x)
            elif wider(operand, dtype):
                with default_environment(), np.errstate(all="ignore"):  # of a NaN that signals
                    operand = np.PyArray_Cast(operand, dtype)
                cast.append(operand)
            own_rows = 0 if summed else rows_of_vectors(operand, dtype, x)
            if own_rows > 0 and turn in (0, own_rows):
                turn, array = own_rows, operand
                dims[vectors] = np.PyArray_DIM(array, np.PyArray_NDIM(array) - 1)
                vectors += 1
                args[k], steps[core] = np.PyArray_BYTES(array), np.PyArray_ITEMSIZE(array)
                steps[k] = dims[vectors - 1] * steps[core]
                core += 1
                continue
        if k >= gufunc.nin and operand is None:
            operand = new_output(x, kinds[k], dtype)
        elif not fits(operand, dtype, kinds[k], x):
            return None
        elif k >= gufunc.nin and not (np.PyArray_ISWRITEABLE(operand) and apart(operand, made) and (
                takes_its_place(operand, kinds, operands))):
            return None
        array = operand
        if k >= gufunc.nin:
            made.append(array)
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
            dims[vectors] = np.PyArray_DIM(array, 0)
            vectors += 1
    rows, dims[0] = dims[0], turn or dims[0]
    with nogil:
        while (<operation_loop*>loop.operation)[0](loop.operation, args, dims, steps):
            done += dims[0]
            if done >= rows or turn == 0:
                done = rows
                break
            for k in range(gufunc.nargs):
                if kinds_of_operands[k] != c"v":
                    args[k] += turn * steps[k]
    if done < rows:
        raise MemoryError(f"{(<object>gufunc).__name__}: no memory for rows that are copied")
    results = tuple([array if np.PyArray_NDIM(array) else array[()] for array in made])
    return results if gufunc.nout > 1 else results[0]
