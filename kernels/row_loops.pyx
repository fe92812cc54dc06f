# The row machine of loops/rows.pxd, compiled once a level for the modules whose kernels it runs, and how functions
# along an axis become gufuncs. Other modules find both by a capsule, through loops/operations.pxd.
from cpython.pycapsule cimport PyCapsule_Import, PyCapsule_New
from libc.string cimport memset, strcpy

cimport numpy as np

from .loops.operations cimport (
    DTYPES, MAX_ROW_OPERANDS, Operation, Pass, RowMachine, loop_function, operand, operations_of,
)
from .loops.rows cimport rows_loop, run_pass
from .loops.shared cimport join_shared
from .loops.threads cimport join_threads, thread_count
from .loops.dtypes cimport BFLOAT16, FLOAT16, FLOAT32, FLOAT64, Dtype, size_of
from .loops.ufuncs cimport NPY_HALF, PyUFunc_RegisterLoopForType, bfloat16_number, for_good

cdef extern from "Python.h":
    void* set_memory_error "PyErr_NoMemory"() noexcept

np.import_array()
np.import_ufunc()

# What there is of an operand within a row, in rows that are all within, and in a matrix.
ROWS = {"r": "(n)", "b": "(n)", "v": "({})", "s": "()", "i": "()"}
SUMMED = {"r": "(p,q,n)", "v": "({})", "s": "(p,q)", "a": "(n)"}
MATRICES = {"m": "(m,c)", "s": "(c)", "d": "()"}


cdef void own_pass(Pass* work) noexcept nogil:
    run_pass(work)


cdef bint batches(const Operation* operation, char** args, const np.npy_intp* dims, const np.npy_intp* steps,
                  np.npy_intp count, const np.npy_intp* apart) noexcept nogil:
    return rows_loop(operation, args, dims, steps, count, apart)


cdef bint rows(const Operation* operation, char** args, const np.npy_intp* dims,
               const np.npy_intp* steps) noexcept nogil:
    # an operation that adds up over its rows is called for several arrays of them
    return batches(operation, args, dims, steps, dims[0] if operation.summed else 1, steps)


cdef void loop(char** args, const np.npy_intp* dims, const np.npy_intp* steps, void* data) noexcept nogil:
    # Where memory runs out, the error is left set in the caller's thread, for NumPy asks no loop whether it failed: who
    # calls a gufunc looks for it, as lanewise.kernels.operands does.
    cdef const Operation* operation = <const Operation*>data
    if not (<loop_function>operation.loop)(operation, args, dims, steps):
        with gil:
            set_memory_error()


cdef inline const Operation* operation_of(const Operation* operations, Dtype dtype) noexcept nogil:
    # the one of a dtype
    while operations.dtype != dtype:
        operations += 1
    return operations


cdef bint call(const Operation* operations, Dtype dtype, const operand* operands, int shared, Py_ssize_t rows,
               Py_ssize_t n) noexcept nogil:
    # as NumPy would describe the rows to the loop
    cdef Operation operation
    cdef char* args[MAX_ROW_OPERANDS]
    cdef np.npy_intp dims[4 + MAX_ROW_OPERANDS]
    cdef np.npy_intp steps[4 * MAX_ROW_OPERANDS]
    cdef np.npy_intp* within
    cdef np.npy_intp* vector
    cdef Py_ssize_t size = size_of(dtype), step
    cdef double unused
    cdef int k
    operation, operation.threads = operation_of(operations, dtype)[0], &one_thread
    vector, within = dims, steps + operation.operands
    if operation.summed:
        dims[0] = dims[1] = 1
        vector += 2
    vector[0], vector[1] = rows, n
    vector += 2
    for k in range(operation.operands):
        args[k], steps[k] = <char*>operands[k], 0
        if operation.kinds[k] == c'v':
            vector[0] = 0 if operands[k] == NULL else n
            vector += 1
        elif operation.kinds[k] != c'a':
            step = 0 if shared >> k & 1 else <Py_ssize_t>sizeof(double)
            if operation.kinds[k] == c'r':
                step = n * size
            elif operation.kinds[k] == c'b':
                step = n
            if operands[k] == NULL:
                args[k], step = <char*>&unused, 0
            if operation.summed:
                within[0], within[1] = 0, step
                within += 2
            else:
                steps[k] = step
        if operation.kinds[k] == c'a':
            within[0] = 8 if dtype == FLOAT64 else 4
            within += 1
        elif operation.kinds[k] == c'r' or operation.kinds[k] == c'v':
            within[0] = size
            within += 1
        elif operation.kinds[k] == c'b':
            within[0] = 1
            within += 1
    return (<loop_function>operation.loop)(&operation, args, dims, steps)


cdef char* kept(bytes text) except NULL:
    cdef char* copy = <char*>for_good(len(text) + 1)
    strcpy(copy, text)
    return copy


def signature_of(kinds_in, kinds_out):
    """The signature of a gufunc whose operands are of these kinds."""
    kinds, letters = (kinds_in + kinds_out).decode(), iter("abcde")
    cores = MATRICES if "m" in kinds else SUMMED if "a" in kinds else ROWS
    found = [cores[kind].format(next(letters) if kind == "v" else "") for kind in kinds]
    return ",".join(found[:len(kinds_in)]) + "->" + ",".join(found[len(kinds_in):])


cdef int type_number(char kind, Dtype dtype):
    # NumPy's number of the type of an operand
    if kind == c's' or kind == c'd':
        return np.NPY_DOUBLE
    if kind == c'i':
        return np.NPY_INT64
    if kind == c'b':
        return np.NPY_BOOL
    if dtype == FLOAT64:
        return np.NPY_DOUBLE
    if kind == c'v' or kind == c'a' or dtype == FLOAT32:
        return np.NPY_FLOAT
    return NPY_HALF if dtype == FLOAT16 else bfloat16_number()


cdef object gufunc(bytes name, bytes kinds_in, bytes kinds_out, bytes doc, void* float32, void* float64,
                   void* loop_float32, void* loop_float64):
    cdef bytes kinds = kinds_in + kinds_out
    cdef int operands = <int>len(kinds), k, n
    cdef int[MAX_ROW_OPERANDS] own
    cdef Dtype* dtypes = [FLOAT16, FLOAT32, FLOAT64, BFLOAT16]  # the last is registered at run time
    cdef Operation* operation = <Operation*>for_good(DTYPES * sizeof(Operation))
    cdef void** data = <void**>for_good(3 * sizeof(void*))
    cdef np.PyUFuncGenericFunction* loops = <np.PyUFuncGenericFunction*>for_good(
        3 * sizeof(np.PyUFuncGenericFunction))
    cdef char* types = <char*>for_good(3 * operands)
    join_threads()  # here, since this module is imported while the package is
    join_shared(NULL)
    memset(operation, 0, DTYPES * sizeof(Operation))  # what only some functions have is set where they say so
    for n in range(DTYPES):
        operation[n].loop = loop_float64 if dtypes[n] == FLOAT64 else loop_float32
        operation[n].batches = <void*>batches if operation[n].loop == <void*>rows and b"a" not in kinds else NULL
        operation[n].kernel = float64 if dtypes[n] == FLOAT64 else float32
        operation[n].dtype, operation[n].summed = dtypes[n], b"a" in kinds
        operation[n].n_in, operation[n].operands = <int>len(kinds_in), operands
        operation[n].threads = thread_count
        for k in range(operands):
            operation[n].kinds[k] = kinds[k]
    for n in range(3):
        data[n], loops[n] = &operation[n], <np.PyUFuncGenericFunction>loop
        for k in range(operands):
            types[n * operands + k] = <char>type_number(kinds[k], dtypes[n])
    ufunc = np.PyUFunc_FromFuncAndDataAndSignature(
        loops, data, types, 3, <int>len(kinds_in), <int>len(kinds_out), np.PyUFunc_None, kept(name), kept(doc), 0,
        kept(signature_of(kinds_in, kinds_out).encode()))
    if bfloat16_number():
        for k in range(operands):
            own[k] = type_number(kinds[k], BFLOAT16)
        PyUFunc_RegisterLoopForType(ufunc, bfloat16_number(), <np.PyUFuncGenericFunction>loop, own, &operation[3])
    (<dict><object>PyCapsule_Import("lanewise.kernels.machine.kinds_of_operands", 0))[ufunc] = kinds
    return ufunc


cdef int one_thread = 1


def loops_of(np.ufunc gufunc, bint alone):
    """What calls a function along rows from C, without the GIL: its letters of operands, how many of them are inputs,
    and, for float16, bfloat16, float32 and float64, the addresses of a loop and of its operation. `alone` is whether
    it keeps to the thread that calls it, or shares rows among the threads of Lanewise. The loop gives 0 where there was
    no memory; no error of Python is set."""
    cdef const Operation* operations = operations_of(gufunc)
    cdef const Operation* found
    cdef Operation* copy
    addresses = []
    for dtype in (FLOAT16, BFLOAT16, FLOAT32, FLOAT64):
        found = operation_of(operations, dtype)
        if alone:
            copy = <Operation*>for_good(sizeof(Operation))
            copy[0] = found[0]
            copy.threads, found = &one_thread, copy
        addresses.append((<size_t>found.loop, <size_t>found))
    return (<bytes>operations.kinds[:operations.operands]).decode(), operations.n_in, addresses


cdef RowMachine own_machine = RowMachine(<void*>gufunc, call, rows, own_pass)
machine = PyCapsule_New(&own_machine, "lanewise.kernels.row_loops.machine", NULL)
