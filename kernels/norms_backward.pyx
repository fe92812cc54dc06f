# Gradients of rms_norm and layer_norm: of x row by row, of weight and bias summed over the rows in one fixed order.
# Forward is norms.pyx; what is done to a few rows is rowwise/norm_groups.pxd, the order of sums over rows `chunk_rows`
# below.
#
# Bytes: grad and x are read once for the two sums of the row and once, from the first-level cache, for the gradients.
from libc.stdlib cimport free, malloc
from libc.string cimport memset

cimport numpy as np

from .lanes cimport enter_environment, environment, f32x, f64x, leave_environment, real
from .loops.maps cimport skip
from .loops.rows cimport LINE, TILE, beyond_memory, direct, out_of_memory, put_rows, register, take_rows
from .loops.threads cimport run_chunks, shared_thread_count
from .loops.ufuncs cimport BFLOAT16, FLOAT16, FLOAT32, FLOAT64, THREAD_MIN, Dtype, size_of
from .rowwise.norm_groups cimport GROUP, Group, group_backward, set_statistics

np.import_array()
np.import_ufunc()

cdef enum:
    CHUNKS = 16  # runs of rows that each add up a gradient of their own
    CHUNK_BYTES = 1 << 25

# Rows of any dtype and stride. An array of rows is (p, q, n): any axis of a contiguous array is the n of one.

cdef struct Array:
    char* data
    Py_ssize_t step_p
    Py_ssize_t step_q
    Py_ssize_t step_n

cdef struct Problem:
    Array grad
    Array x
    Array mean
    Array rstd
    Array grad_x
    Array weight
    Py_ssize_t p
    Py_ssize_t q
    Py_ssize_t n
    bint centred
    bint weighted

cdef struct Plan:
    # how the work is shared, and the memory for it: had before the first row is read, so that running out of it leaves
    # the outputs as they were
    int threads
    bint alone  # whether one group has all rows, whose sums are the gradients: sums over rows are exact in float64
    Py_ssize_t chunks  # of so many rows
    Py_ssize_t rows
    Py_ssize_t apart  # how many sums a chunk has: for weight and, where there is one, bias side by side
    char* memory
    char* weight  # a copy of it, where it does not stand as a kernel takes it; NULL where it does
    double* sums
    char* tiles
    Py_ssize_t tile  # bytes of one operand's tile
    Py_ssize_t tiles_size  # bytes of a thread's tiles


cdef inline char* at(const Array* array, Py_ssize_t row, Py_ssize_t q) noexcept nogil:
    return array.data + row // q * array.step_p + row % q * array.step_q


cdef inline void move_tile(bint taking, Dtype dtype, real* tile, const Array* array, Py_ssize_t row, Py_ssize_t rows,
                           Py_ssize_t q, Py_ssize_t n) noexcept nogil:
    # rows that share p are moved together
    cdef Py_ssize_t done = 0, run
    while done < rows:
        run = min(rows - done, q - (row + done) % q)
        if taking:
            take_rows(dtype, <real*>skip(tile, done * n), at(array, row + done, q), array.step_q, array.step_n, run, n)
        else:
            put_rows(dtype, at(array, row + done, q), array.step_q, array.step_n, skip(tile, done * n), run, n)
        done += run


cdef void chunk_rows(const real* like, Dtype dtype, const Problem* problem, const Plan* plan,
                     const void* weight, Py_ssize_t start, Py_ssize_t stop, void* grad_weight, void* grad_bias,
                     char* tiles, int threads) noexcept nogil:
    # One chunk: row after row, GROUP at a time from the chunk's start.
    cdef environment callers = enter_environment()
    cdef Group group
    cdef Py_ssize_t n = problem.n, r = start, rows, first, k, width = 4 if real is f32x else 8
    cdef bint grad_direct = direct(dtype, problem.grad.step_n, n), x_direct = direct(dtype, problem.x.step_n, n)
    cdef bint grad_x_direct = direct(dtype, problem.grad_x.step_n, n)
    cdef char* grad_tile = tiles
    cdef char* x_tile = grad_tile + (0 if grad_direct else plan.tile)
    cdef char* grad_x_tile = x_tile + (0 if x_direct else plan.tile)
    group.weight, group.grad_weight, group.grad_bias = weight, grad_weight, grad_bias
    group.alone, group.n, group.centred = plan.alone, n, problem.centred
    while r < stop:
        rows = min(<Py_ssize_t>TILE, stop - r)
        if not grad_direct:
            move_tile(True, dtype, <real*>grad_tile, &problem.grad, r, rows, problem.q, n)
        if not x_direct:
            move_tile(True, dtype, <real*>x_tile, &problem.x, r, rows, problem.q, n)
        first = 0
        while first < rows:
            group.rows = min(<Py_ssize_t>GROUP, rows - first)
            for k in range(group.rows):
                group.grad[k] = (at(&problem.grad, r + first + k, problem.q) if grad_direct
                                 else grad_tile + (first + k) * n * width)
                group.x[k] = (at(&problem.x, r + first + k, problem.q) if x_direct
                              else x_tile + (first + k) * n * width)
                group.grad_x[k] = (at(&problem.grad_x, r + first + k, problem.q) if grad_x_direct
                                   else grad_x_tile + (first + k) * n * width)
                set_statistics(
                    like, &group, k,
                    (<double*>at(&problem.mean, r + first + k, problem.q))[0] if problem.centred else 0.0,
                    (<double*>at(&problem.rstd, r + first + k, problem.q))[0])
            group_backward(like, &group, threads)
            first += GROUP
        if not grad_x_direct:
            move_tile(False, dtype, <real*>grad_x_tile, &problem.grad_x, r, rows, problem.q, n)
        r += rows
    leave_environment(callers)


cdef inline void add_chunks(const real* like, char* y, Py_ssize_t step, double* sums, Py_ssize_t chunks,
                            Py_ssize_t apart, Py_ssize_t n) noexcept nogil:
    # the sums of all chunks, in the place of the first's and then where they are wanted
    cdef Py_ssize_t i, chunk
    for chunk in range(1, chunks):
        for i in range(n):
            sums[i] += sums[chunk * apart + i]
    for i in range(n):
        if real is f32x:
            (<float*>(y + i * step))[0] = <float>sums[i]
        else:
            (<double*>(y + i * step))[0] = sums[i]


cdef inline void chunk(const real* like, Dtype dtype, const Problem* problem, const Plan* plan, const void* weight,
                       Py_ssize_t k, Py_ssize_t thread, int threads) noexcept nogil:
    cdef double* own = plan.sums + k * plan.apart
    chunk_rows(like, dtype, problem, plan, weight, k * plan.rows, min(problem.p * problem.q, (k + 1) * plan.rows), own,
               own + problem.n if problem.centred else NULL, plan.tiles + thread * plan.tiles_size, threads)


cdef struct Chunks:
    Dtype dtype
    const Problem* problem
    const Plan* plan
    const void* weight


cdef void one_chunk(void* context, Py_ssize_t k, int thread) noexcept nogil:
    cdef const Chunks* all = <const Chunks*>context
    if all.dtype == FLOAT64:
        chunk(<const f64x*>NULL, all.dtype, all.problem, all.plan, all.weight, k, thread, 1)
    else:
        chunk(<const f32x*>NULL, all.dtype, all.problem, all.plan, all.weight, k, thread, 1)


cdef void backward(const real* like, Dtype dtype, const Problem* problem, const Plan* plan, char* grad_weight,
                   Py_ssize_t weight_step, char* grad_bias, Py_ssize_t bias_step) noexcept nogil:
    cdef Py_ssize_t n = problem.n, k
    cdef Chunks all
    cdef const char* weight = problem.weight.data if problem.weighted else NULL
    if plan.weight != NULL:
        take_rows(dtype if problem.weight.step_n == size_of(dtype) else FLOAT32 if real is f32x else FLOAT64,
                  <real*>plan.weight, weight, 0, problem.weight.step_n, 1, n)
        weight = plan.weight
    if plan.alone:
        chunk_rows(like, dtype, problem, plan, weight, 0, problem.p * problem.q, grad_weight, grad_bias, plan.tiles,
                   plan.threads)
        return
    memset(plan.sums, 0, max(plan.chunks, 1) * plan.apart * sizeof(double))
    if plan.threads == 1 or plan.chunks < plan.threads:
        for k in range(plan.chunks):
            chunk(like, dtype, problem, plan, weight, k, 0, plan.threads)
    else:
        all = Chunks(dtype, problem, plan, weight)
        run_chunks(one_chunk, &all, plan.chunks, plan.threads)
    add_chunks(like, grad_weight, weight_step, plan.sums, plan.chunks, plan.apart, n)
    if problem.centred:
        add_chunks(like, grad_bias, bias_step, plan.sums + n, plan.chunks, plan.apart, n)


cdef inline Py_ssize_t lines(Py_ssize_t size) noexcept nogil:
    # bytes, up to the end of a cache line
    return (size + LINE - 1) // LINE * LINE


cdef inline Plan plan_of(const real* like, Dtype dtype, const Problem* problem, Py_ssize_t weight_step,
                         Py_ssize_t bias_step, int most) noexcept nogil:
    # The chunks are set by the shape alone, so that the sums over rows know nothing of the threads. memory is NULL
    # where it ran out.
    cdef Plan plan
    cdef Py_ssize_t n = problem.n, rows = problem.p * problem.q, width = 4 if real is f32x else 8
    cdef Py_ssize_t weight_size, sums_size
    cdef int tiled = 3 - direct(dtype, problem.grad.step_n, n) - direct(dtype, problem.x.step_n, n) - direct(
        dtype, problem.grad_x.step_n, n)
    cdef bint adjacent = weight_step == width and (bias_step == width or not problem.centred)
    plan.threads = most if rows * n >= THREAD_MIN else 1
    plan.alone = 0 < rows <= GROUP and adjacent
    plan.apart = n * (2 if problem.centred else 1)
    plan.chunks = max(1, min(<Py_ssize_t>CHUNKS, CHUNK_BYTES // (8 * max(plan.apart, 1))))
    plan.rows = ((rows + plan.chunks - 1) // plan.chunks + TILE - 1) // TILE * TILE
    plan.chunks = (rows + plan.rows - 1) // plan.rows if rows > 0 else 0
    plan.tile = lines((TILE * n + TILE) * width)
    plan.tiles_size = tiled * plan.tile
    plan.memory = NULL
    if beyond_memory(n):
        return plan
    weight_size = lines((n + TILE) * width) if problem.weighted and problem.weight.step_n != width else 0
    sums_size = 0 if plan.alone else lines(max(plan.chunks, 1) * plan.apart * sizeof(double))
    plan.memory = <char*>malloc(LINE + weight_size + sums_size + plan.threads * plan.tiles_size)
    plan.weight = plan.memory + (-<Py_ssize_t>plan.memory & (LINE - 1))
    plan.sums = <double*>(plan.weight + weight_size)
    plan.tiles = <char*>plan.sums + sums_size
    if weight_size == 0:
        plan.weight = NULL
    return plan


cdef inline Array array3(char* data, const np.npy_intp* steps) noexcept nogil:
    return Array(data, steps[0], steps[1], steps[2])


cdef inline Array array2(char* data, const np.npy_intp* steps) noexcept nogil:
    return Array(data, steps[0], steps[1], 0)


cdef struct Kind:
    # which of the two gufuncs a loop is of
    bint centred
    const int* threads


cdef inline void backward_loop(const real* like, Dtype dtype, char** args, const np.npy_intp* dims,
                               const np.npy_intp* steps, const Kind* kind) noexcept nogil:
    # grad (p,q,n), x (p,q,n), weight (w), [mean (p,q),] rstd (p,q) -> grad_x (p,q,n), grad_weight (n)[, grad_bias (n)]
    cdef int c = kind.centred  # operands more before rstd, and in all twice as many
    cdef const np.npy_intp* core = steps + 6 + 2 * c
    cdef Problem problem
    cdef Plan plan
    cdef Py_ssize_t k
    problem.p, problem.q, problem.n = dims[1], dims[2], dims[3]
    problem.centred, problem.weighted = kind.centred, dims[4] > 0
    for k in range(dims[0]):
        problem.grad = array3(args[0] + k * steps[0], core)
        problem.x = array3(args[1] + k * steps[1], core + 3)
        problem.weight = Array(args[2] + k * steps[2], 0, 0, core[6])
        problem.mean = array2(args[3] + k * steps[3], core + 7)
        problem.rstd = array2(args[3 + c] + k * steps[3 + c], core + 7 + 2 * c)
        problem.grad_x = array3(args[4 + c] + k * steps[4 + c], core + 9 + 2 * c)
        if k == 0:
            plan = plan_of(like, dtype, &problem, core[12 + 2 * c], core[15] if kind.centred else 0, kind.threads[0])
            if plan.memory == NULL:
                out_of_memory()
                return
        backward(like, dtype, &problem, &plan, args[5 + c] + k * steps[5 + c], core[12 + 2 * c],
                 args[7] + k * steps[7] if kind.centred else NULL, core[15] if kind.centred else 0)
    if dims[0] > 0:
        free(plan.memory)


cdef void float16_loop(char** args, const np.npy_intp* dims, const np.npy_intp* steps, void* data) noexcept nogil:
    backward_loop(<const f32x*>NULL, FLOAT16, args, dims, steps, <const Kind*>data)


cdef void bfloat16_loop(char** args, const np.npy_intp* dims, const np.npy_intp* steps, void* data) noexcept nogil:
    backward_loop(<const f32x*>NULL, BFLOAT16, args, dims, steps, <const Kind*>data)


cdef void float32_loop(char** args, const np.npy_intp* dims, const np.npy_intp* steps, void* data) noexcept nogil:
    backward_loop(<const f32x*>NULL, FLOAT32, args, dims, steps, <const Kind*>data)


cdef void float64_loop(char** args, const np.npy_intp* dims, const np.npy_intp* steps, void* data) noexcept nogil:
    backward_loop(<const f64x*>NULL, FLOAT64, args, dims, steps, <const Kind*>data)


cdef const int* thread_count = shared_thread_count()
cdef Kind rms = Kind(False, thread_count)
cdef Kind layer = Kind(True, thread_count)
rms_norm_backward_gufunc = register(
    b"rms_norm_backward", b"(p,q,n),(p,q,n),(w),(p,q)->(p,q,n),(n)", b"rrvsrv", 4,
    b"grad, x, weight, rstd -> grad_x, grad_weight", &rms, <void*>float16_loop, <void*>bfloat16_loop,
    <void*>float32_loop, <void*>float64_loop)
layer_norm_backward_gufunc = register(
    b"layer_norm_backward", b"(p,q,n),(p,q,n),(w),(p,q),(p,q)->(p,q,n),(n),(n)", b"rrvssrvv", 5,
    b"grad, x, weight, mean, rstd -> grad_x, grad_weight, grad_bias", &layer, <void*>float16_loop,
    <void*>bfloat16_loop, <void*>float32_loop, <void*>float64_loop)
