# Gradients of rms_norm and layer_norm: of x row by row, of weight and bias summed over the rows in one fixed order.
# Forward is norms.pyx; what is done to a few rows is norm_groups.pxd, the order of sums over rows `chunk_rows` below.
#
# Bytes: grad and x are read once for the two sums of the row and once, from the first-level cache, for the gradients.
from cpython.exc cimport PyErr_NoMemory
from cpython.pycapsule cimport PyCapsule_Import
from cython.parallel cimport prange
from libc.stdlib cimport calloc, free, malloc

cimport numpy as np

from .lanes cimport enter_environment, environment, f32x, f64x, leave_environment, real
from .loops cimport skip
from .norm_groups cimport GROUP, Group, group_backward, set_statistics
from .rows cimport TILE, direct, put_rows, register, take_rows
from .ufuncs cimport BFLOAT16, FLOAT16, FLOAT32, FLOAT64, THREAD_MIN, Dtype, size_of

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


cdef int chunk_rows(const real* like, Dtype dtype, const Problem* problem, const void* weight,
                    Py_ssize_t start, Py_ssize_t stop, void* grad_weight, void* grad_bias, bint alone,
                    int threads) noexcept nogil:
    # One chunk: row after row, GROUP at a time from the chunk's start. -1 where memory ran out.
    cdef environment callers
    cdef Group group
    cdef Py_ssize_t n = problem.n, r = start, rows, first, k, width = 4 if real is f32x else 8
    cdef Py_ssize_t size = (TILE * n + TILE) * width
    cdef bint grad_direct = direct(dtype, problem.grad.step_n, n), x_direct = direct(dtype, problem.x.step_n, n)
    cdef bint grad_x_direct = direct(dtype, problem.grad_x.step_n, n)
    cdef char* tiles = <char*>malloc((3 - grad_direct - x_direct - grad_x_direct) * size + 1)
    cdef char* grad_tile = tiles
    cdef char* x_tile = grad_tile + (0 if grad_direct else size)
    cdef char* grad_x_tile = x_tile + (0 if x_direct else size)
    if tiles == NULL:
        return -1
    callers = enter_environment()
    group.weight, group.grad_weight, group.grad_bias = weight, grad_weight, grad_bias
    group.alone, group.n, group.centred = alone, n, problem.centred
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
    free(tiles)
    return 0


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


cdef inline int chunk(const real* like, Dtype dtype, const Problem* problem, const void* weight, Py_ssize_t k,
                      Py_ssize_t size, double* sums, int threads) noexcept nogil:
    # the k-th chunk of `size` rows, whose sums for weight and, where there is one, bias stand side by side
    cdef double* own = sums + k * problem.n * (2 if problem.centred else 1)
    return chunk_rows(like, dtype, problem, weight, k * size, min(problem.p * problem.q, (k + 1) * size), own,
                      own + problem.n if problem.centred else NULL, False, threads)


cdef inline int chunks_backward(const real* like, Dtype dtype, const Problem* problem, const void* weight,
                                char* grad_weight, Py_ssize_t weight_step, char* grad_bias, Py_ssize_t bias_step,
                                int threads) noexcept nogil:
    # The chunks are set by the shape alone, so that the sums over rows know nothing of the threads.
    cdef Py_ssize_t n = problem.n, rows = problem.p * problem.q, k, chunks, size
    cdef Py_ssize_t apart = n * (2 if problem.centred else 1)
    cdef double* sums
    cdef int failed = 0
    chunks = max(1, min(<Py_ssize_t>CHUNKS, CHUNK_BYTES // (8 * max(apart, 1))))
    size = ((rows + chunks - 1) // chunks + TILE - 1) // TILE * TILE
    chunks = (rows + size - 1) // size if rows > 0 else 0
    sums = <double*>calloc(max(chunks, 1) * max(apart, 1), sizeof(double))
    if sums == NULL:
        return -1
    if threads == 1 or chunks < threads:
        for k in range(chunks):
            failed += chunk(like, dtype, problem, weight, k, size, sums, threads)
    else:
        for k in prange(chunks, num_threads=threads, schedule="dynamic"):
            failed += chunk(like, dtype, problem, weight, k, size, sums, 1)
    add_chunks(like, grad_weight, weight_step, sums, chunks, apart, n)
    if problem.centred:
        add_chunks(like, grad_bias, bias_step, sums + n, chunks, apart, n)
    free(sums)
    return failed


cdef int backward(const real* like, Dtype dtype, const Problem* problem, char* grad_weight, Py_ssize_t weight_step,
                  char* grad_bias, Py_ssize_t bias_step, int most) noexcept nogil:
    # A group's sums over rows are exact in float64, so where one group has all rows they are the gradients.
    cdef Py_ssize_t n = problem.n, rows = problem.p * problem.q, width = 4 if real is f32x else 8
    cdef char* weight = NULL
    cdef char* copied = NULL
    cdef int failed, threads = most if rows * n >= THREAD_MIN else 1
    cdef bint adjacent = weight_step == width and (bias_step == width or not problem.centred)
    if problem.weighted:
        weight = problem.weight.data
    if problem.weighted and problem.weight.step_n != width:
        copied = <char*>malloc((n + TILE) * width)
        if copied == NULL:
            return -1
        take_rows(dtype if problem.weight.step_n == size_of(dtype) else FLOAT32 if real is f32x else FLOAT64,
                  <real*>copied, weight, 0, problem.weight.step_n, 1, n)
        weight = copied
    if 0 < rows <= GROUP and adjacent:
        failed = chunk_rows(like, dtype, problem, weight, 0, rows, grad_weight, grad_bias, True, threads)
    else:
        failed = chunks_backward(like, dtype, problem, weight, grad_weight, weight_step, grad_bias, bias_step,
                                 threads)
    free(copied)
    return failed


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
    cdef Py_ssize_t k
    cdef int failed = 0
    problem.p, problem.q, problem.n = dims[1], dims[2], dims[3]
    problem.centred, problem.weighted = kind.centred, dims[4] > 0
    for k in range(dims[0]):
        problem.grad = array3(args[0] + k * steps[0], core)
        problem.x = array3(args[1] + k * steps[1], core + 3)
        problem.weight = Array(args[2] + k * steps[2], 0, 0, core[6])
        problem.mean = array2(args[3] + k * steps[3], core + 7)
        problem.rstd = array2(args[3 + c] + k * steps[3 + c], core + 7 + 2 * c)
        problem.grad_x = array3(args[4 + c] + k * steps[4 + c], core + 9 + 2 * c)
        failed += backward(like, dtype, &problem, args[5 + c] + k * steps[5 + c], core[12 + 2 * c],
                           args[7] + k * steps[7] if kind.centred else NULL, core[15] if kind.centred else 0,
                           kind.threads[0])
    if failed:
        with gil:
            PyErr_NoMemory()


cdef void float16_loop(char** args, const np.npy_intp* dims, const np.npy_intp* steps, void* data) noexcept nogil:
    backward_loop(<const f32x*>NULL, FLOAT16, args, dims, steps, <const Kind*>data)


cdef void bfloat16_loop(char** args, const np.npy_intp* dims, const np.npy_intp* steps, void* data) noexcept nogil:
    backward_loop(<const f32x*>NULL, BFLOAT16, args, dims, steps, <const Kind*>data)


cdef void float32_loop(char** args, const np.npy_intp* dims, const np.npy_intp* steps, void* data) noexcept nogil:
    backward_loop(<const f32x*>NULL, FLOAT32, args, dims, steps, <const Kind*>data)


cdef void float64_loop(char** args, const np.npy_intp* dims, const np.npy_intp* steps, void* data) noexcept nogil:
    backward_loop(<const f64x*>NULL, FLOAT64, args, dims, steps, <const Kind*>data)


cdef const int* thread_count = <const int*>PyCapsule_Import("lanewise.kernels.machine.thread_count", 0)
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
