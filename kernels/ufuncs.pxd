# From flat kernels to np.ufunc objects: every dtype, any stride, threads. A row registers one function.
#
# A kernel works on contiguous float32 or float64. What is strided, broadcast or of 16 bits passes through
# blocks on the stack: gathered (and widened), computed, scattered (and rounded once). A loop is thus shared by all
# functions, and a function costs one kernel a precision.
from cpython.pycapsule cimport PyCapsule_Import
from cython.parallel cimport prange
from libc.stdint cimport uint16_t
from libc.stdlib cimport malloc
from libc.string cimport memcpy, strcpy

cimport numpy as np

cdef extern from "numpy/ufuncobject.h":
    int PyUFunc_RegisterLoopForType(np.ufunc ufunc, int usertype, np.PyUFuncGenericFunction function,
                                    const int* arg_types, void* data) except -1

cdef extern from "numpy/arrayobject.h":
    const char NPY_HALF

from .lanes cimport (
    F32_LANES, enter_environment, environment, leave_environment, load_bfloat16, load_float16, load_f32,
    store_bfloat16, store_float16, store_f32,
)

cdef enum Dtype:
    FLOAT16
    BFLOAT16
    FLOAT32
    FLOAT64

cdef enum:
    MAX_OPERANDS = 5
    BLOCK = 512  # float64 elements in an operand's block: all blocks of a function stay in L1
    SHORT_BLOCK = 1024  # the same bytes hold this many float32 elements, and a 16-bit block widens to it
    # Fewer elements than this do not repay waking a second thread: measured in bench/bench_threads.py.
    THREAD_MIN = 1 << 16

ctypedef void (*kernel2)(const void*, void*, Py_ssize_t) noexcept nogil
ctypedef void (*kernel3)(const void*, const void*, void*, Py_ssize_t) noexcept nogil
ctypedef void (*kernel4)(const void*, const void*, const void*, void*, Py_ssize_t) noexcept nogil
ctypedef void (*kernel5)(const void*, const void*, const void*, const void*, void*, Py_ssize_t) noexcept nogil

ctypedef fused item:
    uint16_t
    float
    double

cdef struct Row:
    void* kernel
    int n_in
    int n_out
    const int* threads


cdef inline void call(const Row* row, char** p, Py_ssize_t n) noexcept nogil:
    cdef int operands = row.n_in + row.n_out
    if operands == 2:
        (<kernel2>row.kernel)(p[0], p[1], n)
    elif operands == 3:
        (<kernel3>row.kernel)(p[0], p[1], p[2], n)
    elif operands == 4:
        (<kernel4>row.kernel)(p[0], p[1], p[2], p[3], n)
    else:
        (<kernel5>row.kernel)(p[0], p[1], p[2], p[3], p[4], n)


cdef inline Py_ssize_t size_of(Dtype dtype) noexcept nogil:
    return 8 if dtype == FLOAT64 else 4 if dtype == FLOAT32 else 2


cdef inline void copy_strided(item* y, Py_ssize_t y_step, const item* x, Py_ssize_t x_step,
                              Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        (<item*>(<char*>y + i * y_step))[0] = (<const item*>(<const char*>x + i * x_step))[0]


cdef inline void copy_items(Dtype dtype, void* y, Py_ssize_t y_step, const void* x, Py_ssize_t x_step,
                            Py_ssize_t n) noexcept nogil:
    if x_step == size_of(dtype) and y_step == x_step:
        memcpy(y, x, n * x_step)
    elif dtype == FLOAT64:
        copy_strided(<double*>y, y_step, <const double*>x, x_step, n)
    elif dtype == FLOAT32:
        copy_strided(<float*>y, y_step, <const float*>x, x_step, n)
    else:
        copy_strided(<uint16_t*>y, y_step, <const uint16_t*>x, x_step, n)


cdef inline void gather(Dtype dtype, void* block, const char* x, Py_ssize_t step, Py_ssize_t n) noexcept nogil:
    # n elements into a block, widened to float32 where they are of 16 bits: by whole registers, since what
    # stands behind them in a block is padding
    cdef uint16_t short_block[SHORT_BLOCK]
    cdef float* y = <float*>block
    cdef Py_ssize_t i = 0
    if dtype == FLOAT32 or dtype == FLOAT64:
        copy_items(dtype, block, size_of(dtype), x, step, n)
        return
    copy_items(dtype, short_block, 2, x, step, n)
    while i < n:
        store_f32(y + i, load_float16(short_block + i) if dtype == FLOAT16 else load_bfloat16(short_block + i))
        i += F32_LANES


cdef inline void scatter(Dtype dtype, char* y, Py_ssize_t step, const void* block, Py_ssize_t n) noexcept nogil:
    cdef uint16_t short_block[SHORT_BLOCK]
    cdef const float* x = <const float*>block
    cdef Py_ssize_t i = 0
    if dtype == FLOAT32 or dtype == FLOAT64:
        copy_items(dtype, y, step, block, size_of(dtype), n)
        return
    while i < n:
        if dtype == FLOAT16:
            store_float16(short_block + i, load_f32(x + i))
        else:
            store_bfloat16(short_block + i, load_f32(x + i))
        i += F32_LANES
    copy_items(dtype, y, step, short_block, 2, n)


cdef inline void by_blocks(const Row* row, Dtype dtype, char** args, const np.npy_intp* steps, Py_ssize_t start,
                           Py_ssize_t stop) noexcept nogil:
    # operands that a kernel can take where they are stay there; the others pass through blocks
    cdef double blocks[MAX_OPERANDS][BLOCK]
    cdef char* p[MAX_OPERANDS]
    cdef Py_ssize_t whole = BLOCK if dtype == FLOAT64 else SHORT_BLOCK, i = start, n
    cdef bint native = dtype == FLOAT32 or dtype == FLOAT64
    cdef int k, operands = row.n_in + row.n_out
    while i < stop:
        n = min(whole, stop - i)
        for k in range(operands):
            p[k] = args[k] + i * steps[k]
            if not native or steps[k] != size_of(dtype):
                p[k] = <char*>blocks[k]
            if k < row.n_in and p[k] == <char*>blocks[k] and (steps[k] != 0 or i == start):
                # a broadcast operand fills its block once, for the longest n to come
                gather(dtype, blocks[k], args[k] + i * steps[k], steps[k], n)
        call(row, p, n)
        for k in range(row.n_in, operands):
            if p[k] == <char*>blocks[k]:
                scatter(dtype, args[k] + i * steps[k], steps[k], blocks[k], n)
        i += n


cdef inline void span(const Row* row, Dtype dtype, char** args, const np.npy_intp* steps, Py_ssize_t start,
                      Py_ssize_t stop) noexcept nogil:
    cdef environment callers = enter_environment()
    cdef char* p[MAX_OPERANDS]
    cdef bint contiguous = dtype == FLOAT32 or dtype == FLOAT64
    cdef int k
    for k in range(row.n_in + row.n_out):
        contiguous = contiguous and steps[k] == size_of(dtype)
        p[k] = args[k] + start * steps[k]
    if contiguous:
        call(row, p, stop - start)
    else:
        by_blocks(row, dtype, args, steps, start, stop)
    leave_environment(callers)


cdef inline void run(Dtype dtype, char** args, const np.npy_intp* dims, const np.npy_intp* steps,
                     const Row* row) noexcept nogil:
    cdef Py_ssize_t n = dims[0], threads = row.threads[0], part, t
    if n < THREAD_MIN or threads == 1:
        span(row, dtype, args, steps, 0, n)
        return
    part = (n // threads // 1024 + 1) * 1024
    for t in prange(threads, num_threads=threads, schedule="static"):
        span(row, dtype, args, steps, min(n, t * part), min(n, (t + 1) * part))


cdef inline void loop_float16(char** args, const np.npy_intp* dims, const np.npy_intp* steps,
                              void* data) noexcept nogil:
    run(FLOAT16, args, dims, steps, <const Row*>data)


cdef inline void loop_bfloat16(char** args, const np.npy_intp* dims, const np.npy_intp* steps,
                               void* data) noexcept nogil:
    run(BFLOAT16, args, dims, steps, <const Row*>data)


cdef inline void loop_float32(char** args, const np.npy_intp* dims, const np.npy_intp* steps,
                              void* data) noexcept nogil:
    run(FLOAT32, args, dims, steps, <const Row*>data)


cdef inline void loop_float64(char** args, const np.npy_intp* dims, const np.npy_intp* steps,
                              void* data) noexcept nogil:
    run(FLOAT64, args, dims, steps, <const Row*>data)


cdef inline object elementwise(bytes name, void* float32, void* float64, int n_in, int n_out=1):
    # One function as an np.ufunc, from its two kernels. NumPy keeps the pointers: what they point to, and the
    # name, live as long as the process.
    cdef int operands = n_in + n_out, k, code
    cdef const int* threads = <const int*>PyCapsule_Import("lanewise.kernels.machine.thread_count", 0)
    cdef Row* rows = <Row*>malloc(2 * sizeof(Row))
    cdef void** data = <void**>malloc(3 * sizeof(void*))
    cdef np.PyUFuncGenericFunction* loops = <np.PyUFuncGenericFunction*>malloc(3 * sizeof(np.PyUFuncGenericFunction))
    cdef char* types = <char*>malloc(3 * operands)
    cdef char* kept_name = <char*>malloc(len(name) + 1)
    strcpy(kept_name, name)
    rows[0] = Row(float32, n_in, n_out, threads)
    rows[1] = Row(float64, n_in, n_out, threads)
    data[0], data[1], data[2] = &rows[0], &rows[0], &rows[1]
    loops[0] = <np.PyUFuncGenericFunction>loop_float16
    loops[1] = <np.PyUFuncGenericFunction>loop_float32
    loops[2] = <np.PyUFuncGenericFunction>loop_float64
    for k in range(operands):
        types[k] = NPY_HALF
        types[operands + k] = np.NPY_FLOAT
        types[2 * operands + k] = np.NPY_DOUBLE
    ufunc = np.PyUFunc_FromFuncAndData(loops, data, types, 3, n_in, n_out, np.PyUFunc_None, kept_name, NULL, 0)
    add_bfloat16(ufunc, &rows[0], operands)
    return ufunc


cdef inline int add_bfloat16(object ufunc, Row* row, int operands) except -1:
    # ml_dtypes' bfloat16 is a type registered at run time, where ml_dtypes is installed
    cdef int types[MAX_OPERANDS]
    cdef int k
    from numpy import dtype
    try:
        from ml_dtypes import bfloat16
    except ImportError:
        return 0
    for k in range(operands):
        types[k] = dtype(bfloat16).num
    PyUFunc_RegisterLoopForType(
        ufunc, types[0], <np.PyUFuncGenericFunction>loop_bfloat16, types, row)
    return 0
