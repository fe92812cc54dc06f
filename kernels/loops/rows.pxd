# From kernels on one contiguous row to gufuncs: every dtype, any stride and axis, threads. No mathematics.
#
# A kernel takes rows of float32 or float64. Rows that are strided or of 16 bits are brought into a tile of
# TILE rows first, by whole registers: where neighbouring rows are neighbours in memory (axis 0 of a C-ordered array)
# the tile is transposed in registers. A kernel therefore never knows the axis, and its bits do not depend on it.
from libc.stdint cimport uint16_t
from libc.stdlib cimport free, malloc
from libc.string cimport strcpy

cimport numpy as np

from ..lanes cimport (
    called, end_stream, enter_environment, environment, f32x, f64x, leave_environment, load_bfloat16, load_float16,
    real, store_bfloat16, store_float16, zip_high_f32, zip_high_f64, zip_low_f32, zip_low_f64,
)
from .maps cimport STREAM_BYTES, lanes, load, skip, store
from .threads cimport run_chunks, shared_thread_count
from .ufuncs cimport (
    BFLOAT16, FLOAT16, FLOAT32, FLOAT64, NPY_HALF, SHORT_BLOCK, THREAD_MIN, Dtype, PyUFunc_RegisterLoopForType, gather,
    is_short, scatter, size_of,
)

cdef extern from "Python.h":
    void* set_memory_error "PyErr_NoMemory"() noexcept

cdef enum:
    MAX_ROW_OPERANDS = 12
    TILE = 16  # rows: as many as the widest register has lanes
    CHUNKS = 8  # of rows, of each thread: each brings a vector of 16-bit floats into a tile of its own
    GROUP = 4  # rows a kernel may take at a time, as long as they are in the first-level cache together
    GROUP_BYTES = 32768
    PADDING = 16  # elements behind a tile, for 16-bit elements are widened by whole registers
    LINE = 64
    PAGE = 4096  # a load waits for a store not long before it whose address is the same but for whole pages

# A kernel on one row: NULL of the row's precision, pointers to the operands, the row's length, how many threads may
# share the row, and whether its output should pass the caches.
ctypedef void (*row_kernel)(const void* like, void** p, Py_ssize_t n, int threads, bint streamed) noexcept nogil

# And on up to GROUP rows: while the sum of one row comes to its end, that of the next is under way.
ctypedef void* Operands[MAX_ROW_OPERANDS]
ctypedef void (*group_kernel)(const void* like, Operands* p, Py_ssize_t rows, Py_ssize_t n, int threads,
                              bint streamed) noexcept nogil

cdef struct Operation:
    void* float32  # a row_kernel, or where it is grouped a group_kernel
    void* float64
    bint grouped
    int n_in
    int n_out
    # what each operand is to the kernel: r a row in the dtype of the loop; v a vector along the row, shared by rows, in
    # the precision of the computation or, where its elements are as far apart as such are long, in that dtype too, NULL
    # where its length is 0; s a float64; i an int64
    char kinds[MAX_ROW_OPERANDS]
    const int* threads


cdef inline bint beyond_memory(Py_ssize_t n) noexcept nogil:
    # whether the bytes of the tiles of so many elements (2^40) might not fit a Py_ssize_t: a row may be long without
    # memory where its stride is 0
    return n // (1 << 20) >= (1 << 20)


cdef inline void out_of_memory() noexcept nogil:
    # The error is left set in the caller's thread, for NumPy asks no loop whether it failed: who calls a gufunc looks
    # for it (lanewise.kernels.operands does).
    with gil:
        set_memory_error()


cdef struct Tiles:
    # where each operand of a kernel is found: where it stands, or in a tile
    bint tiled[MAX_ROW_OPERANDS]
    bint absent[MAX_ROW_OPERANDS]
    Py_ssize_t offset[MAX_ROW_OPERANDS]  # of a tile in the memory of its thread
    Py_ssize_t size  # of that memory; 0 where nothing is tiled, -1 where no memory could hold it
    Py_ssize_t stride[MAX_ROW_OPERANDS]
    Py_ssize_t step[MAX_ROW_OPERANDS]  # from one row to the next
    Py_ssize_t height
    Py_ssize_t group  # how many rows the kernel takes at a time
    bint streamed

# These are compiled once a precision, whatever the dtype.
ctypedef void (*run_function)(const void* like, Dtype dtype, void* kernel, const Operation* operation, char** args,
                              const np.npy_intp* dims, const np.npy_intp* steps, const Tiles* tiles, char* memory,
                              Py_ssize_t start, Py_ssize_t stop, int threads) noexcept nogil
ctypedef void (*share_function)(const void* like, Dtype dtype, void* kernel, const Operation* operation, char** args,
                                const np.npy_intp* dims, const np.npy_intp* steps) noexcept nogil


cdef inline real zip_low(real a, real b) noexcept nogil:
    if real is f32x:
        return zip_low_f32(a, b)
    else:
        return zip_low_f64(a, b)


cdef inline real zip_high(real a, real b) noexcept nogil:
    if real is f32x:
        return zip_high_f32(a, b)
    else:
        return zip_high_f64(a, b)


cdef inline void transpose(real* tile) noexcept nogil:
    # as many registers as a register has lanes; each stage interleaves the first half with the second
    cdef real other[16]
    cdef int k, half = lanes(tile) // 2, stage = 1
    while stage < lanes(tile):
        for k in range(half):
            other[2 * k] = zip_low(tile[k], tile[k + half])
            other[2 * k + 1] = zip_high(tile[k], tile[k + half])
        for k in range(2 * half):
            tile[k] = other[k]
        stage *= 2


cdef inline real widen(Dtype dtype, const real* like, const char* x) noexcept nogil:
    if real is f32x:
        if dtype == FLOAT16:
            return load_float16(<const uint16_t*>x)
        if dtype == BFLOAT16:
            return load_bfloat16(<const uint16_t*>x)
    return load(<const real*>x)


cdef inline void narrow(Dtype dtype, char* y, real x) noexcept nogil:
    if real is f32x:
        if dtype == FLOAT16:
            store_float16(<uint16_t*>y, x)
            return
        if dtype == BFLOAT16:
            store_bfloat16(<uint16_t*>y, x)
            return
    store(<real*>y, x)


cdef inline bint direct(Dtype dtype, Py_ssize_t stride, Py_ssize_t n) noexcept nogil:
    # whether a kernel may take a row where it stands
    return not is_short(dtype) and (stride == size_of(dtype) or n <= 1)


cdef inline Dtype own_dtype(const real* like) noexcept nogil:
    return FLOAT32 if real is f32x else FLOAT64


# What follows is made for each dtype, so that no register has to ask which it is of.

cdef inline Py_ssize_t widen_registers(Dtype dtype, real* tile, const char* x, Py_ssize_t n) noexcept nogil:
    # whole registers of contiguous elements; how many elements that were
    cdef Py_ssize_t i = 0
    while i + lanes(tile) <= n:
        store(<real*>skip(tile, i), widen(dtype, tile, x + i * size_of(dtype)))
        i += lanes(tile)
    return i


cdef inline Py_ssize_t narrow_registers(Dtype dtype, char* y, const real* tile, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i = 0
    while i + lanes(tile) <= n:
        narrow(dtype, y + i * size_of(dtype), load(skip(tile, i)))
        i += lanes(tile)
    return i


cdef inline void widen_columns(Dtype dtype, real* tile, const char* x, Py_ssize_t stride, Py_ssize_t n) noexcept nogil:
    # as many rows as a register has lanes, neighbours in memory, whose elements are `stride` apart
    cdef real square[16]
    cdef Py_ssize_t width = lanes(tile), i = 0, k
    while i < n:
        i = min(i, n - width)
        for k in range(width):
            square[k] = widen(dtype, tile, x + (i + k) * stride)
        transpose(square)
        for k in range(width):
            store(<real*>skip(tile, k * n + i), square[k])
        i += width


cdef inline void narrow_columns(Dtype dtype, char* y, Py_ssize_t stride, const real* tile, Py_ssize_t n) noexcept nogil:
    cdef real square[16]
    cdef Py_ssize_t width = lanes(tile), i = 0, k
    while i < n:
        i = min(i, n - width)
        for k in range(width):
            square[k] = load(skip(tile, k * n + i))
        transpose(square)
        for k in range(width):
            narrow(dtype, y + (i + k) * stride, square[k])
        i += width


cdef inline void take_row(Dtype dtype, real* tile, const char* x, Py_ssize_t stride, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i = 0
    if stride == size_of(dtype):
        if dtype == FLOAT16:
            i = widen_registers(FLOAT16, tile, x, n)
        elif dtype == BFLOAT16:
            i = widen_registers(BFLOAT16, tile, x, n)
        else:
            i = widen_registers(own_dtype(tile), tile, x, n)
    while i < n:
        gather(dtype, <void*>skip(tile, i), x + i * stride, stride, min(<Py_ssize_t>SHORT_BLOCK, n - i))
        i += SHORT_BLOCK


cdef inline void put_row(Dtype dtype, char* y, Py_ssize_t stride, const real* tile, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i = 0
    if stride == size_of(dtype):
        if dtype == FLOAT16:
            i = narrow_registers(FLOAT16, y, tile, n)
        elif dtype == BFLOAT16:
            i = narrow_registers(BFLOAT16, y, tile, n)
        else:
            i = narrow_registers(own_dtype(tile), y, tile, n)
    while i < n:
        scatter(dtype, y + i * stride, stride, <const void*>skip(tile, i), min(<Py_ssize_t>SHORT_BLOCK, n - i))
        i += SHORT_BLOCK


cdef inline void take_rows(Dtype dtype, real* tile, const char* x, Py_ssize_t step, Py_ssize_t stride,
                           Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    # tile[r, i] = x[r, i], row after row
    cdef Py_ssize_t width = lanes(tile), r = 0
    while step == size_of(dtype) and stride != step and r + width <= rows and n >= width:
        if dtype == FLOAT16:
            widen_columns(FLOAT16, <real*>skip(tile, r * n), x + r * step, stride, n)
        elif dtype == BFLOAT16:
            widen_columns(BFLOAT16, <real*>skip(tile, r * n), x + r * step, stride, n)
        else:
            widen_columns(own_dtype(tile), <real*>skip(tile, r * n), x + r * step, stride, n)
        r += width
    while r < rows:
        take_row(dtype, <real*>skip(tile, r * n), x + r * step, stride, n)
        r += 1


cdef inline void put_rows(Dtype dtype, char* y, Py_ssize_t step, Py_ssize_t stride, const real* tile,
                          Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    # y[r, i] = tile[r, i]
    cdef Py_ssize_t width = lanes(tile), r = 0
    while step == size_of(dtype) and stride != step and r + width <= rows and n >= width:
        if dtype == FLOAT16:
            narrow_columns(FLOAT16, y + r * step, stride, skip(tile, r * n), n)
        elif dtype == BFLOAT16:
            narrow_columns(BFLOAT16, y + r * step, stride, skip(tile, r * n), n)
        else:
            narrow_columns(own_dtype(tile), y + r * step, stride, skip(tile, r * n), n)
        r += width
    while r < rows:
        put_row(dtype, y + r * step, stride, skip(tile, r * n), n)
        r += 1


cdef inline Py_ssize_t group_of(Py_ssize_t rows, Py_ssize_t n, Py_ssize_t width, int operands) noexcept nogil:
    # how many of so many rows of n numbers a kernel takes at a time, which has so many operands of rows of numbers of
    # so many bytes; rows that come from memory had better come one after the other
    cdef Py_ssize_t group = GROUP, most = GROUP_BYTES if rows * n * width < STREAM_BYTES else GROUP_BYTES // 4
    while group > 1 and group * n * width * operands > most:
        group //= 2
    return group


cdef inline Tiles make_tiles(const Operation* operation, Dtype dtype, char** args, const np.npy_intp* dims,
                             const np.npy_intp* steps) noexcept nogil:
    # how every thread lays out its tiles
    cdef Tiles tiles
    cdef Py_ssize_t n = dims[1], width = 8 if dtype == FLOAT64 else 4
    cdef int k, operands = operation.n_in + operation.n_out, core = operands, vector = 2, row_operands = 0
    cdef bint transposed = False, varying = False
    for k in range(operands):
        row_operands += operation.kinds[k] == c'r'
    tiles.group = group_of(dims[0], n, width, max(row_operands, 2)) if operation.grouped else 1
    tiles.streamed = dims[0] * n * width >= STREAM_BYTES
    for k in range(operands):
        tiles.tiled[k] = tiles.absent[k] = False
        tiles.step[k] = steps[k]
        if operation.kinds[k] == c'r':
            tiles.stride[k] = steps[core]
            tiles.tiled[k] = not direct(dtype, steps[core], n)
            if tiles.tiled[k]:
                tiles.step[k] = n * width
                transposed = transposed or (steps[k] == size_of(dtype) and n > 1)
            # a tile, and what is read and written in one place, stays in the caches
            tiles.streamed = tiles.streamed and not tiles.tiled[k] and (k < operation.n_in or args[k] != args[0])
            core += 1
        elif operation.kinds[k] == c'v':
            tiles.stride[k] = steps[core] if dims[vector] > 0 else 0
            tiles.absent[k] = dims[vector] == 0
            tiles.tiled[k] = steps[core] != width and (dims[vector] > 1 or steps[core] == size_of(dtype))
            if tiles.absent[k] or tiles.tiled[k]:
                tiles.step[k] = 0
                varying = varying or steps[k] != 0
            core += 1
            vector += 1
    # a tile holds one vector
    tiles.height = 1 if varying else TILE if transposed else tiles.group
    tiles.size = 0
    for k in range(operands):
        if tiles.tiled[k] and beyond_memory(n):
            tiles.size = -1
            return tiles
        if tiles.tiled[k]:
            tiles.offset[k] = tiles.size
            tiles.size += ((tiles.height * n + PADDING) * width + PAGE - 1) // PAGE * PAGE
    return tiles


cdef inline void run_groups(group_kernel kernel, char** at, const Py_ssize_t* steps, int operands, Py_ssize_t group,
                            Py_ssize_t rows, Py_ssize_t n, int threads, bint streamed) noexcept nogil:
    # rows whose operands are steps apart, `group` at a time
    cdef Operands p[GROUP]
    cdef Py_ssize_t first = 0, row, count
    cdef int k
    while first < rows:
        count = min(group, rows - first)
        for row in range(count):
            for k in range(operands):
                p[row][k] = at[k] + (first + row) * steps[k]
        kernel(NULL, p, count, n, threads, streamed)
        first += count


cdef inline void run_rows(const real* like, Dtype dtype, void* kernel, const Operation* operation, char** args,
                          const np.npy_intp* dims, const np.npy_intp* steps, const Tiles* tiles, char* memory,
                          Py_ssize_t start, Py_ssize_t stop, int threads) noexcept nogil:
    # rows start to stop, by way of tiles in that memory
    cdef environment callers = enter_environment()
    cdef Dtype precision = own_dtype(like)
    cdef Py_ssize_t n = dims[1], r = start, row, rows
    cdef char* at[MAX_ROW_OPERANDS]
    cdef char* tile[MAX_ROW_OPERANDS]
    cdef Operands p
    cdef int k, operands = operation.n_in + operation.n_out
    for k in range(operands):
        tile[k] = memory + tiles.offset[k] if tiles.tiled[k] else NULL
    while r < stop:
        rows = min(tiles.height, stop - r) if tiles.size > 0 else stop - r
        for k in range(operation.n_in):
            if tiles.tiled[k] and operation.kinds[k] == c'r':
                take_rows(dtype, <real*>tile[k], args[k] + r * steps[k], steps[k], tiles.stride[k], rows, n)
            elif tiles.tiled[k] and (r == start or steps[k] != 0):
                take_row(dtype if tiles.stride[k] == size_of(dtype) else precision, <real*>tile[k],
                         args[k] + r * steps[k], tiles.stride[k], n)
        for k in range(operands):
            at[k] = NULL if tiles.absent[k] else tile[k] if tiles.tiled[k] else args[k] + r * steps[k]
        if operation.grouped:
            run_groups(<group_kernel>kernel, at, tiles.step, operands, tiles.group, rows, n, threads, tiles.streamed)
        else:
            for row in range(rows):
                for k in range(operands):
                    p[k] = at[k] + row * tiles.step[k]
                (<row_kernel>kernel)(NULL, p, n, threads, tiles.streamed)
        for k in range(operation.n_in, operands):
            if tiles.tiled[k]:
                put_rows(dtype, args[k] + r * steps[k], steps[k], tiles.stride[k], <const real*>tile[k], rows, n)
        r += rows
    if tiles.streamed:
        end_stream()
    leave_environment(callers)


cdef struct Rows:
    # a call's rows, as chunks of so many
    run_function run
    Dtype dtype
    void* kernel
    const Operation* operation
    char** args
    const np.npy_intp* dims
    const np.npy_intp* steps
    const Tiles* tiles
    char* memory  # the tiles of every thread
    Py_ssize_t chunk


cdef inline void chunk_of_rows(void* context, Py_ssize_t k, int thread) noexcept nogil:
    cdef const Rows* all = <const Rows*>context
    all.run(NULL, all.dtype, all.kernel, all.operation, all.args, all.dims, all.steps, all.tiles,
            all.memory + thread * all.tiles.size, k * all.chunk, min(all.dims[0], (k + 1) * all.chunk), 1)


cdef inline void share_rows(const real* like, Dtype dtype, void* kernel, const Operation* operation, char** args,
                            const np.npy_intp* dims, const np.npy_intp* steps) noexcept nogil:
    # Many rows go to the threads in chunks; the threads share each of few long rows. The memory of all tiles is had
    # before the first row is read, so that running out of it leaves the outputs as they were.
    cdef run_function run = <run_function>called(<void*>run_rows[real])
    cdef Rows all
    cdef Py_ssize_t rows = dims[0]
    cdef int threads = operation.threads[0] if rows * dims[1] >= THREAD_MIN else 1
    cdef bint shared = rows < 2 * threads or threads == 1
    cdef Tiles tiles = make_tiles(operation, dtype, args, dims, steps)
    cdef char* memory = NULL
    cdef char* first = NULL  # tile, on a cache line
    if tiles.size != 0:
        memory = <char*>malloc(tiles.size * (1 if shared else threads) + LINE) if tiles.size > 0 else NULL
        if memory == NULL:
            out_of_memory()
            return
        first = memory + (-<Py_ssize_t>memory & (LINE - 1))
    if shared:
        run(NULL, dtype, kernel, operation, args, dims, steps, &tiles, first, 0, rows, threads)
    else:
        all = Rows(run, dtype, kernel, operation, args, dims, steps, &tiles, first,
                   (rows // (CHUNKS * threads) // TILE + 1) * TILE)
        run_chunks(chunk_of_rows, &all, (rows + all.chunk - 1) // all.chunk, threads)
    free(memory)


cdef inline void share(Dtype dtype, char** args, const np.npy_intp* dims, const np.npy_intp* steps,
                       void* data) noexcept nogil:
    cdef const Operation* operation = <const Operation*>data
    if dtype == FLOAT64:
        (<share_function>called(<void*>share_rows[f64x]))(NULL, dtype, operation.float64, operation, args, dims, steps)
    else:
        (<share_function>called(<void*>share_rows[f32x]))(NULL, dtype, operation.float32, operation, args, dims, steps)


cdef inline void rows_float16(char** args, const np.npy_intp* dims, const np.npy_intp* steps,
                              void* data) noexcept nogil:
    share(FLOAT16, args, dims, steps, data)


cdef inline void rows_bfloat16(char** args, const np.npy_intp* dims, const np.npy_intp* steps,
                               void* data) noexcept nogil:
    share(BFLOAT16, args, dims, steps, data)


cdef inline void rows_float32(char** args, const np.npy_intp* dims, const np.npy_intp* steps,
                              void* data) noexcept nogil:
    share(FLOAT32, args, dims, steps, data)


cdef inline void rows_float64(char** args, const np.npy_intp* dims, const np.npy_intp* steps,
                              void* data) noexcept nogil:
    share(FLOAT64, args, dims, steps, data)


cdef inline char* kept(bytes text):
    # NumPy keeps the pointers it is given, as long as the process lives
    cdef char* copy = <char*>malloc(len(text) + 1)
    strcpy(copy, text)
    return copy


# Registering a function is called, not copied to each of those that are registered.
ctypedef object (*axis_function)(bytes name, void* float32, void* float64, bytes kinds_in, bytes kinds_out, bytes doc,
                                 bint grouped)


cdef inline object along_axis(bytes name, void* float32, void* float64, bytes kinds_in, bytes kinds_out, bytes doc,
                              bint grouped=False):
    # One function on rows as a gufunc, from its two kernels, which take a row or, grouped, a few, and the kinds of its
    # operands
    return (<axis_function>called(<void*>gufunc_of_rows))(name, float32, float64, kinds_in, kinds_out, doc, grouped)


cdef inline object gufunc_of_rows(bytes name, void* float32, void* float64, bytes kinds_in, bytes kinds_out, bytes doc,
                                  bint grouped):
    cdef Operation* operation = <Operation*>malloc(sizeof(Operation))
    operation.float32 = float32
    operation.float64 = float64
    operation.n_in = <int>len(kinds_in)
    operation.n_out = <int>len(kinds_out)
    operation.grouped = grouped
    operation.threads = shared_thread_count()
    vectors = iter("abcde")
    cores = [{"r": "(n)", "v": f"({next(vectors)})" if kind == "v" else "", "s": "()", "i": "()"}[kind]
             for kind in (kinds_in + kinds_out).decode()]
    for k, kind in enumerate(kinds_in + kinds_out):
        operation.kinds[k] = kind
    signature = ",".join(cores[:len(kinds_in)]) + "->" + ",".join(cores[len(kinds_in):])
    return register(name, signature.encode(), kinds_in + kinds_out, len(kinds_in), doc, operation,
                    <void*>rows_float16, <void*>rows_bfloat16, <void*>rows_float32, <void*>rows_float64)


cdef inline object register(bytes name, bytes signature, bytes kinds, int n_in, bytes doc, void* operation,
                            void* float16, void* bfloat16, void* float32, void* float64):
    cdef int operands = <int>len(kinds), k, n
    cdef char precision
    cdef int own[MAX_ROW_OPERANDS]
    cdef void** data = <void**>malloc(3 * sizeof(void*))
    cdef np.PyUFuncGenericFunction* loops = <np.PyUFuncGenericFunction*>malloc(3 * sizeof(np.PyUFuncGenericFunction))
    cdef char* types = <char*>malloc(3 * operands)
    data[0] = data[1] = data[2] = operation
    loops[0] = <np.PyUFuncGenericFunction>float16
    loops[1] = <np.PyUFuncGenericFunction>float32
    loops[2] = <np.PyUFuncGenericFunction>float64
    for n in range(3):
        precision = np.NPY_DOUBLE if n == 2 else np.NPY_FLOAT
        for k in range(operands):
            types[n * operands + k] = (
                np.NPY_DOUBLE if kinds[k] == c's' else np.NPY_INT64 if kinds[k] == c'i'
                else precision if kinds[k] == c'v' else NPY_HALF if n == 0 else precision)
    ufunc = np.PyUFunc_FromFuncAndDataAndSignature(
        loops, data, types, 3, n_in, operands - n_in, np.PyUFunc_None, kept(name), kept(doc), 0, kept(signature))
    from numpy import dtype
    try:
        from ml_dtypes import bfloat16 as brain
    except ImportError:
        return ufunc
    for k in range(operands):
        own[k] = dtype(brain).num if kinds[k] == c'r' else types[operands + k]
    PyUFunc_RegisterLoopForType(ufunc, dtype(brain).num, <np.PyUFuncGenericFunction>bfloat16, own, operation)
    return ufunc
