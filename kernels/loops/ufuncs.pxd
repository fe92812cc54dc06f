# From flat kernels to np.ufunc objects: every dtype, any stride, threads. A registration is one loop of a function.
#
# A kernel works on contiguous numbers. What is strided, broadcast or a 16-bit float passes through blocks on the
# stack: gathered (and widened to float32), computed, scattered (and rounded once). One loop is thus shared by all
# functions, and a function of floats costs one kernel per precision. A kernel of whole registers (lanes > 1) gets
# its tail in blocks too, whose padding it may read and write.
from cpython.pycapsule cimport PyCapsule_Import
from libc.stdint cimport uint8_t, uint16_t, uintptr_t
from libc.stdlib cimport malloc
from libc.string cimport memcpy, strcpy

cimport numpy as np

cdef extern from "numpy/ufuncobject.h":
    int PyUFunc_RegisterLoopForType(np.ufunc ufunc, int usertype, np.PyUFuncGenericFunction function,
                                    const int* arg_types, void* data) except -1

cdef extern from "numpy/arrayobject.h":
    const int NPY_HALF
    const int NPY_USERDEF

from ..lanes cimport (
    F32_LANES, called, copy_part_u16, end_stream, enter_environment, environment, f32x, f64x, leave_environment,
    load_bfloat16, load_f32, load_float16, splat_f64, store_bfloat16, store_bfloat16_pair, store_f32, store_f64,
    store_float16, stream_f32,
)
from .dtypes cimport BFLOAT16, FLOAT16, FLOAT32, FLOAT64, UINT8, UINT16, UINT32, UINT64, Dtype, is_short, size_of
from .maps cimport call_kernel
from .registers cimport STREAM_BYTES
from .shared cimport copy_items, shared
from .threads cimport join_threads, run_chunks, threads_for

cdef extern from *:
    """
    enum { BLOCK = 512, SHORT_BLOCK = 2 * BLOCK, BLOCK_REGISTERS = (BLOCK + 24) / F64_LANES };
    """
    const int BLOCK  # float64 elements in an operand's block: all blocks of up to seven operands stay in L1
    const int SHORT_BLOCK  # the same bytes hold this many float32 elements, and a 16-bit block widens to it
    const int BLOCK_REGISTERS  # with three cache lines more: no two blocks at the same place of their pages

cdef enum:
    MAX_OPERANDS = 8
    CHUNK_MIN = 1 << 13  # elements: beside their work, taking up a chunk costs nothing
    CHUNKS = 16  # of each thread, of a large array

ctypedef void (*kernel2_with_context)(const void*, void*, Py_ssize_t, const void*) noexcept nogil
ctypedef void (*kernel3_with_context)(const void*, const void*, void*, Py_ssize_t, const void*) noexcept nogil
ctypedef void (*kernel4_with_context)(const void*, const void*, const void*, void*, Py_ssize_t,
                                      const void*) noexcept nogil

ctypedef fused item:
    uint8_t
    uint16_t
    float
    double

cdef struct Registration:
    void* kernel
    const void* context  # a kernel's last argument, constants beside its operands; NULL where it takes none
    int lanes  # elements in a register, for a kernel of whole registers; 1 for one that takes any length
    int n_in
    int n_out
    Dtype dtypes[MAX_OPERANDS]


cdef inline void call(const Registration* own, char** p, Py_ssize_t n) noexcept nogil:
    cdef int operands = own.n_in + own.n_out
    if own.context != NULL:
        if operands == 2:
            (<kernel2_with_context>own.kernel)(p[0], p[1], n, own.context)
        elif operands == 3:
            (<kernel3_with_context>own.kernel)(p[0], p[1], p[2], n, own.context)
        else:
            (<kernel4_with_context>own.kernel)(p[0], p[1], p[2], p[3], n, own.context)
    else:
        call_kernel(own.kernel, operands, p, n)


cdef inline void fill_every(void* y, const void* x, Py_ssize_t size, Py_ssize_t n) noexcept nogil:
    # y[0] to y[n - 1] = x[0], of any size: eight bytes hold one element or more, and registers hold these
    cdef double pattern
    cdef char* to = <char*>y
    cdef Py_ssize_t left = n * size, width = <Py_ssize_t>sizeof(f64x), i = 0
    if n <= 0:  # x[0] may be nothing
        return
    while i < 8:
        memcpy(<char*>&pattern + i, x, size)
        i += size
    while left > 0:
        if left < width:
            width = 8
        if left < width:
            width = left
        if width == sizeof(f64x):
            store_f64(<double*>to, splat_f64(pattern))
        else:
            memcpy(to, &pattern, width)
        to += width
        left -= width


cdef inline void copy_every(item* y, const item* x, Py_ssize_t step, Py_ssize_t n) noexcept nogil:
    # for a step that the compiler knows, by whole registers
    cdef Py_ssize_t i
    for i in range(n):
        y[i] = x[i * step]


cdef inline item item_at(const item* x, Py_ssize_t offset) noexcept nogil:
    return (<const item*>(<const char*>x + offset))[0]


cdef inline void put_items(item* y, Py_ssize_t i, Py_ssize_t y_step, const item* values) noexcept nogil:
    cdef int k
    for k in range(8):
        (<item*>(<char*>y + (i + k) * y_step))[0] = values[k]


cdef inline void copy_strided(item* y, Py_ssize_t y_step, const item* x, Py_ssize_t x_step,
                              Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i = 0, rest, size = <Py_ssize_t>sizeof(item)
    cdef item values[8]
    if y_step == size and n >= 16:  # into a block
        if x_step == 2 * size:
            copy_every(y, x, 2, n)
            return
        if x_step == -size:
            copy_every(y, x, -1, n)
            return
    while i + 8 <= n:
        # one by one, since the compiler makes no registers of an array that a loop fills
        values[0] = item_at(x, i * x_step)
        values[1] = item_at(x, (i + 1) * x_step)
        values[2] = item_at(x, (i + 2) * x_step)
        values[3] = item_at(x, (i + 3) * x_step)
        values[4] = item_at(x, (i + 4) * x_step)
        values[5] = item_at(x, (i + 5) * x_step)
        values[6] = item_at(x, (i + 6) * x_step)
        values[7] = item_at(x, (i + 7) * x_step)
        if y_step == size:  # by wide stores, which take as long as narrow ones
            memcpy(y + i, values, sizeof(values))
        else:
            put_items(y, i, y_step, values)
        i += 8
    for rest in range(i, n):
        (<item*>(<char*>y + rest * y_step))[0] = (<const item*>(<const char*>x + rest * x_step))[0]


cdef inline void copy_apart(Py_ssize_t size, void* y, Py_ssize_t y_step, const void* x, Py_ssize_t x_step,
                            Py_ssize_t n) noexcept nogil:
    if x_step == 0 and y_step == size:
        fill_every(y, x, size, n)
    elif size == 8:
        copy_strided(<double*>y, y_step, <const double*>x, x_step, n)
    elif size == 4:
        copy_strided(<float*>y, y_step, <const float*>x, x_step, n)
    elif size == 1:
        copy_strided(<uint8_t*>y, y_step, <const uint8_t*>x, x_step, n)
    else:
        copy_strided(<uint16_t*>y, y_step, <const uint16_t*>x, x_step, n)


cdef inline void gather(Dtype dtype, void* block, const char* x, Py_ssize_t step, Py_ssize_t n) noexcept nogil:
    # n elements into a block, widened to float32 where they are of 16 bits: by whole registers, since what
    # stands behind them in a block is padding
    cdef uint16_t short_block[SHORT_BLOCK]
    cdef const uint16_t* source = <const uint16_t*>x
    cdef float* y = <float*>block
    cdef Py_ssize_t i = 0
    if not is_short(dtype):
        copy_items(dtype, block, size_of(dtype), x, step, n)
        return
    if step != 2:
        copy_items(dtype, short_block, 2, x, step, n)
        source = short_block
    elif n % F32_LANES > 0:  # the last ones, which no whole register holds
        i = n - n % F32_LANES
        copy_part_u16(short_block, source + i, n - i)
        store_f32(y + i, load_float16(short_block) if dtype == FLOAT16 else load_bfloat16(short_block))
        n, i = i, 0
    while i < n:
        store_f32(y + i, load_float16(source + i) if dtype == FLOAT16 else load_bfloat16(source + i))
        i += F32_LANES


cdef inline void stream_bytes(char* y, const char* x, Py_ssize_t n) noexcept nogil:
    # copy past the caches, where y stands on a register's boundary
    cdef Py_ssize_t width = <Py_ssize_t>sizeof(f32x)
    if <uintptr_t>y % sizeof(f32x) == 0:
        while n >= width:
            stream_f32(<float*>y, load_f32(<const float*>x))
            x += width
            y += width
            n -= width
    memcpy(y, x, n)


cdef inline void move(Dtype dtype, char* y, Py_ssize_t step, const void* x, Py_ssize_t n, bint streamed) noexcept nogil:
    if streamed:
        stream_bytes(y, <const char*>x, n * size_of(dtype))
    else:
        copy_items(dtype, y, step, x, size_of(dtype), n)


cdef inline void put(Dtype dtype, char* y, Py_ssize_t step, const void* block, Py_ssize_t n,
                     bint streamed) noexcept nogil:
    cdef uint16_t short_block[SHORT_BLOCK]
    cdef bint direct = step == 2 and n % F32_LANES == 0 and not streamed
    cdef uint16_t* target = <uint16_t*>y if direct else short_block
    cdef const float* x = <const float*>block
    cdef Py_ssize_t i = 0
    if not is_short(dtype):
        move(dtype, y, step, block, n, streamed)
        return
    while dtype == BFLOAT16 and i + 2 * F32_LANES <= n:
        store_bfloat16_pair(target + i, load_f32(x + i), load_f32(x + i + F32_LANES))
        i += 2 * F32_LANES
    while i < n:
        if dtype == FLOAT16:
            store_float16(target + i, load_f32(x + i))
        else:
            store_bfloat16(target + i, load_f32(x + i))
        i += F32_LANES
    if not direct:
        move(dtype, y, step, short_block, n, streamed)


cdef inline bint streams(const Registration* own, char** args, const np.npy_intp* steps, Py_ssize_t n) noexcept nogil:
    # whether to write past the caches: outputs that are large, contiguous, and none of the inputs
    cdef int k, j
    for k in range(own.n_in, own.n_in + own.n_out):
        if steps[k] != size_of(own.dtypes[k]) or n * steps[k] < STREAM_BYTES:
            return False
        for j in range(own.n_in):
            if args[j] == args[k]:
                return False
    return True


cdef inline void by_blocks(const Registration* own, char** args, const np.npy_intp* steps, Py_ssize_t start,
                           Py_ssize_t stop) noexcept nogil:
    # Operands that a kernel can take where they are stay there; the others pass through blocks, the first operand's
    # last in memory. A load waits for a store shortly before it if the low 12 bits of their addresses are equal and, on
    # Zen 4, some higher ones by chance: were the first block first, inputs would be loaded 3 cache lines behind such.
    cdef f64x memory[MAX_OPERANDS * BLOCK_REGISTERS]  # as registers, so that each stands on a register's boundary
    cdef f64x* blocks = memory + (MAX_OPERANDS - 1) * BLOCK_REGISTERS
    cdef char* p[MAX_OPERANDS]
    cdef char* block
    cdef Py_ssize_t whole = SHORT_BLOCK, i = start, n
    cdef int k, operands = own.n_in + own.n_out
    cdef bint padded, streamed = streams(own, args, steps, stop - start)
    for k in range(operands):
        if size_of(own.dtypes[k]) == 8:
            whole = BLOCK
    while i < stop:
        n = min(whole, stop - i)
        if streamed and i == start:
            # so that the first output's next block, and all after it, start on a register's boundary
            n -= (<uintptr_t>(args[own.n_in] + (i + n) * steps[own.n_in]) % sizeof(f32x)) // steps[own.n_in]
        if n > own.lanes:
            n -= n % own.lanes
        padded = n % own.lanes != 0
        for k in range(operands):
            p[k] = args[k] + i * steps[k]
            block = <char*>(blocks - k * BLOCK_REGISTERS)
            if padded or is_short(own.dtypes[k]) or steps[k] != size_of(own.dtypes[k]) or (streamed and k >= own.n_in):
                p[k] = block
            if k < own.n_in and p[k] == block and (steps[k] != 0 or i == start):
                # a broadcast operand fills its block once, for the longest n to come
                gather(own.dtypes[k], block, args[k] + i * steps[k], steps[k],
                       min(whole, stop - i) if steps[k] == 0 else n)
        call(own, p, n)
        for k in range(own.n_in, operands):
            block = <char*>(blocks - k * BLOCK_REGISTERS)
            if p[k] == block:
                put(own.dtypes[k], args[k] + i * steps[k], steps[k], block, n, streamed)
        i += n
    if streamed:
        end_stream()


cdef inline void span(const Registration* own, char** args, const np.npy_intp* steps, Py_ssize_t start,
                      Py_ssize_t stop) noexcept nogil:
    cdef environment callers = enter_environment()
    cdef char* p[MAX_OPERANDS]
    cdef bint contiguous = True
    cdef Py_ssize_t whole, register_bytes, head
    cdef int k, widest = 0
    for k in range(own.n_in + own.n_out):
        contiguous = contiguous and not is_short(own.dtypes[k]) and steps[k] == size_of(own.dtypes[k])
        if steps[k] >= steps[widest]:
            widest = k
    if contiguous and stop - start > 16 * own.lanes > 16:
        # whole registers go faster where the widest operand's stand on their boundaries
        register_bytes = own.lanes * steps[widest]
        head = (-<uintptr_t>(args[widest] + start * steps[widest]) % register_bytes) // steps[widest]
        if head > 0:
            shared().blocks(own, args, <const Py_ssize_t*>steps, start, start + head)
            start += head
    whole = stop - start
    if contiguous:
        for k in range(own.n_in + own.n_out):
            p[k] = args[k] + start * steps[k]
        whole -= whole % own.lanes
        call(own, p, whole)
        start += whole
    if start < stop:
        shared().blocks(own, args, <const Py_ssize_t*>steps, start, stop)
    leave_environment(callers)


cdef struct Elements:
    # the elements of all operands, as chunks
    const Registration* registration
    char** args
    const np.npy_intp* steps
    Py_ssize_t n
    Py_ssize_t chunk


cdef inline void chunk_of_elements(void* context, Py_ssize_t k, int thread) noexcept nogil:
    cdef const Elements* whole = <const Elements*>context
    span(whole.registration, whole.args, whole.steps, k * whole.chunk, min(whole.n, (k + 1) * whole.chunk))


cdef inline Py_ssize_t chunk_size(const Registration* own, Py_ssize_t n, Py_ssize_t threads) noexcept nogil:
    # where each thread's part is written past the caches, its chunks are so large that each of them is too
    cdef Py_ssize_t part = (n + threads - 1) // threads, streamed = part * size_of(own.dtypes[own.n_in]) // STREAM_BYTES
    cdef Py_ssize_t chunks = CHUNKS
    if streamed > 0:
        chunks = min(chunks, streamed)
    return (max((part + chunks - 1) // chunks, <Py_ssize_t>CHUNK_MIN) + 1023) // 1024 * 1024


cdef inline bint meet(const Registration* own, char** args, const np.npy_intp* steps, Py_ssize_t n, int j,
                      int k) noexcept nogil:
    # whether the memory of two operands, from the first byte to the last, has a part in common
    cdef Py_ssize_t last_j = (n - 1) * steps[j], last_k = (n - 1) * steps[k]
    return (args[j] + min(<Py_ssize_t>0, last_j) < args[k] + max(<Py_ssize_t>0, last_k) + size_of(own.dtypes[k]) and
            args[k] + min(<Py_ssize_t>0, last_k) < args[j] + max(<Py_ssize_t>0, last_j) + size_of(own.dtypes[j]))


cdef inline bint in_order(const Registration* own, char** args, const np.npy_intp* steps, Py_ssize_t n) noexcept nogil:
    # Whether an output stands partly over an input. NumPy gives these to a loop where each element is read before
    # another is written there, which is so from the first to the last, and not of chunks at once.
    cdef int k, j
    for k in range(own.n_in, own.n_in + own.n_out):
        for j in range(own.n_in):
            if (args[j] != args[k] or steps[j] != steps[k]) and meet(own, args, steps, n, j, k):
                return True
    return False


cdef inline void loop(char** args, const np.npy_intp* dims, const np.npy_intp* steps, void* data) noexcept nogil:
    cdef const Registration* own = <const Registration*>data
    cdef Elements whole
    cdef Py_ssize_t n = dims[0]
    cdef int threads = threads_for(n)
    if threads == 1 or in_order(own, args, steps, n):
        span(own, args, steps, 0, n)
        return
    whole = Elements(own, args, steps, n, chunk_size(own, n, threads))
    run_chunks(chunk_of_elements, &whole, (n + whole.chunk - 1) // whole.chunk, threads)


cdef inline void* for_good(Py_ssize_t size) except NULL:
    # memory for what NumPy keeps a pointer to: it is never freed
    cdef void* memory = malloc(size)
    if memory == NULL:
        raise MemoryError(f"no memory for {size} bytes of a ufunc's loops")
    return memory


cdef inline object ufunc_of(bytes name, bytes doc, const Registration* registrations, const int* types, int count):
    # An np.ufunc of these loops; types holds NumPy's type number of each operand, one registration after another. Loops
    # of types that are registered at run time are added last.
    cdef int n_in = registrations[0].n_in, n_out = registrations[0].n_out, operands = n_in + n_out, k, r, own = 0
    cdef Registration* kept = <Registration*>for_good(count * sizeof(Registration))
    cdef void** data = <void**>for_good(count * sizeof(void*))
    cdef np.PyUFuncGenericFunction* loops = <np.PyUFuncGenericFunction*>for_good(
        count * sizeof(np.PyUFuncGenericFunction))
    cdef char* own_types = <char*>for_good(count * operands)
    cdef char* kept_name = <char*>for_good(len(name) + 1)
    cdef char* kept_doc = <char*>for_good(len(doc) + 1)
    cdef bint[32] registered
    strcpy(kept_name, name)
    strcpy(kept_doc, doc)
    memcpy(kept, registrations, count * sizeof(Registration))
    for r in range(count):
        registered[r] = False
        for k in range(operands):
            registered[r] = registered[r] or types[r * operands + k] >= NPY_USERDEF
        if not registered[r]:
            data[own] = &kept[r]
            loops[own] = <np.PyUFuncGenericFunction>loop
            for k in range(operands):
                own_types[own * operands + k] = <char>types[r * operands + k]
            own += 1
    ufunc = np.PyUFunc_FromFuncAndData(
        loops, data, own_types, own, n_in, n_out, np.PyUFunc_None, kept_name, kept_doc, 0)
    for r in range(count):
        if registered[r]:
            k = 0
            while types[r * operands + k] < NPY_USERDEF:
                k += 1
            PyUFunc_RegisterLoopForType(ufunc, types[r * operands + k], <np.PyUFuncGenericFunction>loop,
                                        types + r * operands, &kept[r])
    return ufunc


cdef inline int bfloat16_number() except -1:
    # NumPy's number of ml_dtypes' type, 0 where that is not installed
    return (<int*>PyCapsule_Import("lanewise.kernels.machine.bfloat16_number", 0))[0]


cdef inline object of_floats(bytes name, void* float32, void* float64, int n_in, int n_out, int parameters):
    # One function of floats as an np.ufunc, from its two kernels. Of 16-bit floats the last inputs may be parameters,
    # which are then float32: such a ufunc has these registrations alone.
    cdef int operands = n_in + n_out, k, r, count = 0
    cdef Registration[4] registrations
    cdef int[4 * MAX_OPERANDS] types
    cdef int[4] numbers = [NPY_HALF, np.NPY_FLOAT, np.NPY_DOUBLE, bfloat16_number()]
    cdef Dtype[4] dtypes = [FLOAT16, FLOAT32, FLOAT64, BFLOAT16]
    join_threads()
    for r in range(4):
        if numbers[r] == 0 or (parameters > 0 and not is_short(dtypes[r])):
            continue
        registrations[count].kernel = float64 if dtypes[r] == FLOAT64 else float32
        registrations[count].context = NULL
        registrations[count].lanes = 1
        registrations[count].n_in, registrations[count].n_out = n_in, n_out
        for k in range(operands):
            registrations[count].dtypes[k] = dtypes[r]
            types[count * operands + k] = numbers[r]
        for k in range(n_in - parameters, n_in):
            registrations[count].dtypes[k] = FLOAT32
            types[count * operands + k] = np.NPY_FLOAT
        count += 1
    return ufunc_of(name, b"", registrations, types, count)


# Registering a function is called, not copied to each of the many that are registered.
ctypedef object (*floats_function)(bytes name, void* float32, void* float64, int n_in, int n_out, int parameters)


cdef inline object elementwise(bytes name, void* float32, void* float64, int n_in, int n_out=1):
    # all operands are of one dtype
    return (<floats_function>called(<void*>of_floats))(name, float32, float64, n_in, n_out, 0)


cdef inline object parametric(bytes name, void* float32, void* float64, int n_in, int parameters, int n_out=1):
    # the same, and beside it the ufunc of 16-bit floats whose parameters, the last inputs, are float32: a number such
    # as 0.01 must not be rounded to 16 bits before anything is computed
    cdef floats_function registered = <floats_function>called(<void*>of_floats)
    return (registered(name, float32, float64, n_in, n_out, 0),
            registered(name, float32, float64, n_in, n_out, parameters))
