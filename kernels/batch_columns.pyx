# Batch norm where an example holds one number of each channel: x is (examples, channels), a channel a column. Registers
# hold neighbouring channels, and rows are read as they stand in memory: for the statistics once, or twice where the
# first examples were no guess of the means, and once for the map. The formulas are those of batch_norm.pyx.
#
# A few rows are added in the precision of the computation, and those sums in float64; where float32 overflows, or its
# squares vanish, all is float64. A chunk adds its rows in order, and the chunks, set by the shape alone, are added in
# order, so that nobody sees the number of threads.
from cpython.exc cimport PyErr_NoMemory
from cpython.pycapsule cimport PyCapsule_Import
from cython.parallel cimport prange
from libc.math cimport INFINITY, fabs, ldexp
from libc.stdlib cimport free, malloc
from libc.string cimport memset

cimport numpy as np

from .lanes cimport (
    F32_LANES, F64_LANES, end_stream, enter_environment, environment, f32x, f64x, fma, leave_environment, real,
    splat_f32, store_f64, store_part_f64,
)
from .loops cimport STREAM_BYTES
from .norm_groups cimport add_wide
from .reductions cimport element, map_block, map_pair, rounded, take, wide
from .rows cimport PADDING, direct, put_row, register, take_row
from .ufuncs cimport BFLOAT16, FLOAT16, FLOAT32, FLOAT64, THREAD_MIN, Dtype, size_of

np.import_array()
np.import_ufunc()

cdef enum:
    TOGETHER = 4  # rows that share one addition in float64
    GUESSED = 32  # the first examples, from which a guess of the means is made
    CHUNKS = 16
    CHUNK_ROWS = 64  # at least
    MOST_VECTORS = 7
    MOST_OPERANDS = 12

# What is known of each channel, as vectors in the precision of the computation.
cdef enum:
    MEAN
    MEAN_REST  # what rounding the mean lost
    RSTD
    WEIGHT
    BIAS
    GRAD_MEAN
    GRAD_NORMED_MEAN

cdef struct Matrix:
    # of any dtype and stride
    char* data
    Py_ssize_t step
    Py_ssize_t stride

cdef struct Vectors:
    const void* of[MOST_VECTORS]

cdef struct Row:
    const void* grad
    const void* x
    Vectors known
    bint streamed

cdef struct Problem:
    Matrix grad
    Matrix x
    Matrix y
    Py_ssize_t examples
    Py_ssize_t channels
    Vectors known
    Py_ssize_t chunk  # of so many examples
    Py_ssize_t chunks
    double* sums  # two of each channel, for every chunk
    bint folded  # whether few rows are added in float32
    bint streamed

# A chunk's sums and its maps are functions that are called, not copied to where they are wanted.
ctypedef int (*add_function)(const void* like, Dtype dtype, const Problem* problem, Py_ssize_t chunk, Py_ssize_t start,
                             Py_ssize_t stop) noexcept nogil
ctypedef int (*map_function)(const void* like, Dtype dtype, const Problem* problem, Py_ssize_t start,
                             Py_ssize_t stop) noexcept nogil
ctypedef int (*columns_kernel)(const void* like, Dtype dtype, char** args, Py_ssize_t examples, Py_ssize_t channels,
                               const np.npy_intp* steps, int threads) noexcept nogil

cdef struct Operation:
    columns_kernel float32
    columns_kernel float64
    int operands
    const int* threads


# The terms of two sums, and the maps.

cdef inline void add_deviation(const real* like, const Row* row, Py_ssize_t i, Py_ssize_t n, f64x* sums) noexcept nogil:
    cdef f64x x = wide(<const real*>row.x, i, n) - wide(<const real*>row.known.of[MEAN], i, n)
    sums[0] = sums[0] + x
    sums[1] = sums[1] + x * x


cdef inline void add_gradient(const real* like, const Row* row, Py_ssize_t i, Py_ssize_t n, f64x* sums) noexcept nogil:
    # grad and grad * normed
    cdef f64x grad = wide(<const real*>row.grad, i, n)
    cdef f64x x = wide(<const real*>row.x, i, n) - wide(<const real*>row.known.of[MEAN], i, n)
    x = x - wide(<const real*>row.known.of[MEAN_REST], i, n)
    sums[0] = sums[0] + grad
    sums[1] = sums[1] + grad * (x * wide(<const real*>row.known.of[RSTD], i, n))


cdef inline real known(const real* like, const Row* row, int what, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    return take(<const real*>row.known.of[what], i, n)


cdef inline void fold_deviation(const f32x* like, const Row* row, Py_ssize_t i, Py_ssize_t n,
                                f32x* sums) noexcept nogil:
    cdef f32x x = take(<const f32x*>row.x, i, n) - known(like, row, MEAN, i, n)
    sums[0] = sums[0] + x
    sums[1] = fma(x, x, sums[1])


cdef inline void fold_gradient(const f32x* like, const Row* row, Py_ssize_t i, Py_ssize_t n,
                               f32x* sums) noexcept nogil:
    cdef f32x grad = take(<const f32x*>row.grad, i, n)
    cdef f32x x = (take(<const f32x*>row.x, i, n) - known(like, row, MEAN, i, n)) - known(like, row, MEAN_REST, i, n)
    sums[0] = sums[0] + grad
    sums[1] = fma(grad, x * known(like, row, RSTD, i, n), sums[1])


cdef inline real affine(const real* like, const void* row_, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    # (x - mean) * rstd * weight + bias
    cdef const Row* row = <const Row*>row_
    cdef real x = (take(<const real*>row.x, i, n) - known(like, row, MEAN, i, n)) - known(like, row, MEAN_REST, i, n)
    return fma(x * known(like, row, RSTD, i, n), known(like, row, WEIGHT, i, n), known(like, row, BIAS, i, n))


cdef inline real slope(const real* like, const void* row_, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    # (grad - grad_mean - normed * grad_normed_mean) * rstd * weight
    cdef const Row* row = <const Row*>row_
    cdef real x = (take(<const real*>row.x, i, n) - known(like, row, MEAN, i, n)) - known(like, row, MEAN_REST, i, n)
    cdef real grad = take(<const real*>row.grad, i, n) - known(like, row, GRAD_MEAN, i, n)
    cdef real rstd = known(like, row, RSTD, i, n)
    grad = fma(-(x * rstd), known(like, row, GRAD_NORMED_MEAN, i, n), grad)
    return grad * rstd * known(like, row, WEIGHT, i, n)


# Rows of any dtype and stride.

cdef inline const void* row_of(Dtype dtype, const Matrix* matrix, Py_ssize_t r, real* tile,
                               Py_ssize_t n) noexcept nogil:
    # where a row stands, or its copy
    if matrix.data == NULL or direct(dtype, matrix.stride, n):
        return matrix.data + r * matrix.step
    take_row(dtype, tile, matrix.data + r * matrix.step, matrix.stride, n)
    return tile


cdef inline Py_ssize_t tile_size(const real* like, Py_ssize_t n) noexcept nogil:
    return (n + PADDING) * (4 if real is f32x else 8)


# Sums of a chunk of rows, and of all.

cdef inline void add_part(
        void (*add)(const real*, const Row*, Py_ssize_t, Py_ssize_t, f64x*) noexcept nogil, const real* like,
        const Row* rows, Py_ssize_t count, double* first, double* second, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    # of the channels i to i + n
    cdef f64x sums[2]
    cdef Py_ssize_t r
    sums[0], sums[1] = wide(<const f64x*>first, i, n), wide(<const f64x*>second, i, n)
    for r in range(count):
        add(like, &rows[r], i, n, sums)
    if n == F64_LANES:
        store_f64(first + i, sums[0])
        store_f64(second + i, sums[1])
    else:
        store_part_f64(first + i, sums[0], n)
        store_part_f64(second + i, sums[1], n)


cdef inline void fold_part(
        void (*fold)(const f32x*, const Row*, Py_ssize_t, Py_ssize_t, f32x*) noexcept nogil, const Row* rows,
        Py_ssize_t count, double* first, double* second, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    cdef f32x sums[2]
    cdef Py_ssize_t r
    sums[0] = sums[1] = splat_f32(0.0)
    for r in range(count):
        fold(NULL, &rows[r], i, n, sums)
    add_wide(first + i, sums[0], n)
    add_wide(second + i, sums[1], n)


cdef inline void add_rows(
        void (*fold)(const f32x*, const Row*, Py_ssize_t, Py_ssize_t, f32x*) noexcept nogil,
        void (*add)(const real*, const Row*, Py_ssize_t, Py_ssize_t, f64x*) noexcept nogil, const real* like,
        const Row* rows, Py_ssize_t count, bint folded, double* first, double* second,
        Py_ssize_t channels) noexcept nogil:
    cdef Py_ssize_t i = 0
    if real is f32x and folded:
        while i + F32_LANES <= channels:
            fold_part(fold, rows, count, first, second, i, F32_LANES)
            i += F32_LANES
        if i < channels:
            fold_part(fold, rows, count, first, second, i, channels - i)
        return
    while i + F64_LANES <= channels:
        add_part(add, like, rows, count, first, second, i, F64_LANES)
        i += F64_LANES
    if i < channels:
        add_part(add, like, rows, count, first, second, i, channels - i)


cdef inline int add_chunk(
        void (*fold)(const f32x*, const Row*, Py_ssize_t, Py_ssize_t, f32x*) noexcept nogil,
        void (*add)(const real*, const Row*, Py_ssize_t, Py_ssize_t, f64x*) noexcept nogil, const real* like,
        Dtype dtype, const Problem* problem, Py_ssize_t chunk, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    # -1 where memory ran out
    cdef environment callers
    cdef Py_ssize_t n = problem.channels, r = start, count, k, size = tile_size(like, n)
    cdef double* first = problem.sums + 2 * chunk * n
    cdef char* tiles = <char*>malloc(2 * TOGETHER * size)
    cdef Row rows[TOGETHER]
    if tiles == NULL:
        return -1
    callers = enter_environment()
    for k in range(TOGETHER):
        rows[k].known = problem.known
    while r < stop:
        count = min(<Py_ssize_t>TOGETHER, stop - r)
        for k in range(count):
            rows[k].x = row_of(dtype, &problem.x, r + k, <real*>(tiles + 2 * k * size), n)
            rows[k].grad = row_of(dtype, &problem.grad, r + k, <real*>(tiles + (2 * k + 1) * size), n)
        if count == TOGETHER:  # which the compiler then knows
            add_rows(fold, add, like, rows, TOGETHER, problem.folded, first, first + n, n)
        else:
            add_rows(fold, add, like, rows, count, problem.folded, first, first + n, n)
        r += count
    leave_environment(callers)
    free(tiles)
    return 0


cdef int add_deviations(const real* like, Dtype dtype, const Problem* problem, Py_ssize_t chunk, Py_ssize_t start,
                        Py_ssize_t stop) noexcept nogil:
    return add_chunk(fold_deviation, add_deviation[real], like, dtype, problem, chunk, start, stop)


cdef int add_gradients(const real* like, Dtype dtype, const Problem* problem, Py_ssize_t chunk, Py_ssize_t start,
                       Py_ssize_t stop) noexcept nogil:
    return add_chunk(fold_gradient, add_gradient[real], like, dtype, problem, chunk, start, stop)


cdef inline int add_all(add_function add, Dtype dtype, Problem* problem, int threads) noexcept nogil:
    # the sums of every channel, in the place of the first chunk's
    cdef Py_ssize_t i, chunk, size = problem.chunk, n = 2 * problem.channels
    cdef int failed = 0
    memset(problem.sums, 0, problem.chunks * n * sizeof(double))
    if threads == 1:
        for chunk in range(problem.chunks):
            failed += add(NULL, dtype, problem, chunk, chunk * size, min(problem.examples, (chunk + 1) * size))
    else:
        for chunk in prange(problem.chunks, num_threads=threads, schedule="dynamic"):
            failed += add(NULL, dtype, problem, chunk, chunk * size, min(problem.examples, (chunk + 1) * size))
    for chunk in range(1, problem.chunks):
        for i in range(n):
            problem.sums[i] += problem.sums[chunk * n + i]
    return failed


cdef inline int map_chunk(real (*point)(const real*, const void*, Py_ssize_t, Py_ssize_t) noexcept nogil,
                          const real* like, Dtype dtype, const Problem* problem, Py_ssize_t start,
                          Py_ssize_t stop) noexcept nogil:
    cdef environment callers
    cdef Py_ssize_t n = problem.channels, r = start, size = tile_size(like, n)
    cdef bint placed = direct(dtype, problem.y.stride, n)
    cdef char* tiles = <char*>malloc(5 * size)
    cdef Row row, other
    cdef char* y
    if tiles == NULL:
        return -1
    callers = enter_environment()
    row.known, row.streamed = problem.known, problem.streamed and placed
    while r < stop:
        row.x = row_of(dtype, &problem.x, r, <real*>tiles, n)
        row.grad = row_of(dtype, &problem.grad, r, <real*>(tiles + size), n)
        y = problem.y.data + r * problem.y.step
        if placed and r + 1 < stop:
            other = row
            other.x = row_of(dtype, &problem.x, r + 1, <real*>(tiles + 3 * size), n)
            other.grad = row_of(dtype, &problem.grad, r + 1, <real*>(tiles + 4 * size), n)
            map_pair(point, <real*>y, &row, <real*>(y + problem.y.step), &other, n, row.streamed)
            r += 1
        else:
            map_block(point, <real*>(y if placed else tiles + 2 * size), &row, 0, n, row.streamed)
        if not placed:
            put_row(dtype, y, problem.y.stride, <const real*>(tiles + 2 * size), n)
        r += 1
    if row.streamed:
        end_stream()
    leave_environment(callers)
    free(tiles)
    return 0


cdef int map_affine(const real* like, Dtype dtype, const Problem* problem, Py_ssize_t start,
                    Py_ssize_t stop) noexcept nogil:
    return map_chunk(affine[real], like, dtype, problem, start, stop)


cdef int map_slope(const real* like, Dtype dtype, const Problem* problem, Py_ssize_t start,
                   Py_ssize_t stop) noexcept nogil:
    return map_chunk(slope[real], like, dtype, problem, start, stop)


cdef inline int map_all(map_function map_rows, Dtype dtype, const Problem* problem, int threads) noexcept nogil:
    cdef Py_ssize_t chunk, size = problem.chunk
    cdef int failed = 0
    if threads == 1:
        return map_rows(NULL, dtype, problem, 0, problem.examples)
    for chunk in prange(problem.chunks, num_threads=threads, schedule="static"):
        failed += map_rows(NULL, dtype, problem, chunk * size, min(problem.examples, (chunk + 1) * size))
    return failed


# The kernels. A problem's memory: the vectors of its channels, and the sums of its chunks.

cdef inline Matrix matrix(char* data, const np.npy_intp* steps) noexcept nogil:
    return Matrix(data, steps[0], steps[1])


cdef inline real* begin(const real* like, Dtype dtype, Problem* problem, Matrix grad, Matrix x, Matrix y,
                        Py_ssize_t examples, Py_ssize_t channels) noexcept nogil:
    # the vectors' memory, or NULL where it ran out
    cdef Py_ssize_t size = tile_size(like, channels), k
    cdef char* vectors = <char*>malloc(MOST_VECTORS * size)
    problem.grad, problem.x, problem.y, problem.examples, problem.channels = grad, x, y, examples, channels
    problem.chunk = max(<Py_ssize_t>CHUNK_ROWS, (examples + CHUNKS - 1) // CHUNKS)
    problem.chunks = max(1, (examples + problem.chunk - 1) // problem.chunk)
    problem.sums = <double*>malloc(2 * problem.chunks * (channels + 1) * sizeof(double))
    problem.folded = False
    problem.streamed = examples * channels * size_of(dtype) >= STREAM_BYTES and y.data != x.data and y.data != grad.data
    if problem.sums == NULL or vectors == NULL:
        finish(problem, vectors)
        return NULL
    for k in range(MOST_VECTORS):
        problem.known.of[k] = vectors + k * size
    return <real*>vectors


cdef inline void finish(Problem* problem, void* vectors) noexcept nogil:
    free(vectors)
    free(problem.sums)


cdef inline void set_known(const real* like, const Problem* problem, int what, Py_ssize_t i,
                           double value) noexcept nogil:
    if real is f32x:
        (<float*>problem.known.of[what])[i] = <float>value
    else:
        (<double*>problem.known.of[what])[i] = value


cdef inline void know(const real* like, const Problem* problem, int what, const char* values, Py_ssize_t step,
                      double divisor) noexcept nogil:
    # a vector of float64
    cdef Py_ssize_t i
    for i in range(problem.channels):
        set_known(like, problem, what, i, (<const double*>(values + i * step))[0] / divisor)


cdef inline void know_mean(const real* like, const Problem* problem, const char* values,
                           Py_ssize_t step) noexcept nogil:
    cdef Py_ssize_t i
    cdef double mean
    for i in range(problem.channels):
        mean = (<const double*>(values + i * step))[0]
        set_known(like, problem, MEAN, i, mean)
        set_known(like, problem, MEAN_REST, i, mean - rounded(like, mean))


cdef inline int recentre(const real* like, Dtype dtype, Problem* problem, Py_ssize_t examples,
                         int threads) noexcept nogil:
    # the mean of so many examples found from their deviations becomes what deviations are taken from, and they are
    # summed
    cdef const real* mean = <const real*>problem.known.of[MEAN]
    cdef Py_ssize_t i
    for i in range(problem.channels):
        set_known(like, problem, MEAN, i, element(mean, i) + problem.sums[i] / examples)
    return add_all(<add_function>add_deviations[real], dtype, problem, threads)


cdef int moments_kernel(const real* like, Dtype dtype, char** args, Py_ssize_t examples, Py_ssize_t channels,
                        const np.npy_intp* steps, int threads) noexcept nogil:
    # x -> mean, variance. Deviations are taken from a guess of the mean, and where that costs a bit, from the mean.
    cdef Problem problem
    cdef Matrix x = matrix(args[0], steps), none = Matrix(NULL, 0, 0)
    cdef real* vectors = begin(like, dtype, &problem, none, x, none, examples, channels)
    cdef Py_ssize_t i, few = min(examples, <Py_ssize_t>GUESSED)
    cdef double apart, square
    cdef bint poor = False, vanished = False
    cdef int failed
    if vectors == NULL:
        return -1
    take_row(dtype, vectors, x.data, x.stride, channels)
    memset(problem.sums, 0, 2 * channels * sizeof(double))
    failed = add_deviations(like, dtype, &problem, 0, 0, few)
    problem.folded = True
    failed += recentre(like, dtype, &problem, few, threads)
    for i in range(channels):
        apart = problem.sums[i] / examples
        square = problem.sums[channels + i] / examples
        poor = poor or apart * apart > 0.5 * square
        vanished = vanished or not (ldexp(1.0, -60) < square < ldexp(1.0, 100) or apart == square == 0.0)
    if poor or vanished:
        problem.folded = not vanished
        failed += recentre(like, dtype, &problem, examples, threads)
    for i in range(channels):
        apart = problem.sums[i] / examples
        square = problem.sums[channels + i] / examples - apart * apart
        (<double*>(args[1] + i * steps[2]))[0] = element(<const real*>problem.known.of[MEAN], i) + apart
        (<double*>(args[2] + i * steps[3]))[0] = square
    finish(&problem, vectors)
    return failed


cdef int affine_kernel(const real* like, Dtype dtype, char** args, Py_ssize_t examples, Py_ssize_t channels,
                       const np.npy_intp* steps, int threads) noexcept nogil:
    # x, mean, rstd, weight, bias -> y
    cdef Problem problem
    cdef real* vectors = begin(like, dtype, &problem, Matrix(NULL, 0, 0), matrix(args[0], steps),
                               matrix(args[5], steps + 6), examples, channels)
    cdef int failed
    if vectors == NULL:
        return -1
    know_mean(like, &problem, args[1], steps[2])
    know(like, &problem, RSTD, args[2], steps[3], 1.0)
    know(like, &problem, WEIGHT, args[3], steps[4], 1.0)
    know(like, &problem, BIAS, args[4], steps[5], 1.0)
    failed = map_all(<map_function>map_affine[real], dtype, &problem, threads)
    finish(&problem, vectors)
    return failed


cdef int sums_kernel(const real* like, Dtype dtype, char** args, Py_ssize_t examples, Py_ssize_t channels,
                     const np.npy_intp* steps, int threads) noexcept nogil:
    # grad, x, mean, rstd -> sum(grad), sum(grad * normed)
    cdef Problem problem
    cdef real* vectors = begin(like, dtype, &problem, matrix(args[0], steps), matrix(args[1], steps + 2),
                               Matrix(NULL, 0, 0), examples, channels)
    cdef Py_ssize_t i
    cdef int failed
    if vectors == NULL:
        return -1
    know_mean(like, &problem, args[2], steps[4])
    know(like, &problem, RSTD, args[3], steps[5], 1.0)
    problem.folded = True
    failed = add_all(<add_function>add_gradients[real], dtype, &problem, threads)
    for i in range(2 * channels):
        problem.folded = problem.folded and fabs(problem.sums[i]) < INFINITY
    if not problem.folded:
        failed += add_all(<add_function>add_gradients[real], dtype, &problem, threads)
    for i in range(channels):
        (<double*>(args[4] + i * steps[6]))[0] = problem.sums[i]
        (<double*>(args[5] + i * steps[7]))[0] = problem.sums[channels + i]
    finish(&problem, vectors)
    return failed


cdef int slope_kernel(const real* like, Dtype dtype, char** args, Py_ssize_t examples, Py_ssize_t channels,
                      const np.npy_intp* steps, int threads) noexcept nogil:
    # grad, x, mean, rstd, weight, sum(grad), sum(grad * normed), count -> grad_x; an infinite count leaves the sums out
    cdef Problem problem
    cdef real* vectors = begin(like, dtype, &problem, matrix(args[0], steps), matrix(args[1], steps + 2),
                               matrix(args[8], steps + 9), examples, channels)
    cdef double count = (<double*>args[7])[0]
    cdef int failed
    if vectors == NULL:
        return -1
    know_mean(like, &problem, args[2], steps[4])
    know(like, &problem, RSTD, args[3], steps[5], 1.0)
    know(like, &problem, WEIGHT, args[4], steps[6], 1.0)
    know(like, &problem, GRAD_MEAN, args[5], steps[7], count)
    know(like, &problem, GRAD_NORMED_MEAN, args[6], steps[8], count)
    failed = map_all(<map_function>map_slope[real], dtype, &problem, threads)
    finish(&problem, vectors)
    return failed


# The gufuncs.

cdef inline void columns(Dtype dtype, columns_kernel kernel, const Operation* operation, char** args,
                         const np.npy_intp* dims, const np.npy_intp* steps) noexcept nogil:
    cdef environment callers = enter_environment()
    cdef char* at[MOST_OPERANDS]
    cdef Py_ssize_t outer
    cdef int k, failed = 0
    for outer in range(dims[0]):
        for k in range(operation.operands):
            at[k] = args[k] + outer * steps[k]
        failed += kernel(NULL, dtype, at, dims[1], dims[2], steps + operation.operands,
                         operation.threads[0] if dims[1] * dims[2] >= THREAD_MIN else 1)
    leave_environment(callers)
    if failed:
        with gil:
            PyErr_NoMemory()


cdef void columns_float16(char** args, const np.npy_intp* dims, const np.npy_intp* steps, void* data) noexcept nogil:
    columns(FLOAT16, (<Operation*>data).float32, <Operation*>data, args, dims, steps)


cdef void columns_bfloat16(char** args, const np.npy_intp* dims, const np.npy_intp* steps, void* data) noexcept nogil:
    columns(BFLOAT16, (<Operation*>data).float32, <Operation*>data, args, dims, steps)


cdef void columns_float32(char** args, const np.npy_intp* dims, const np.npy_intp* steps, void* data) noexcept nogil:
    columns(FLOAT32, (<Operation*>data).float32, <Operation*>data, args, dims, steps)


cdef void columns_float64(char** args, const np.npy_intp* dims, const np.npy_intp* steps, void* data) noexcept nogil:
    columns(FLOAT64, (<Operation*>data).float64, <Operation*>data, args, dims, steps)


cdef object of_columns(bytes name, bytes signature, bytes kinds, int n_in, void* float32, void* float64, bytes doc):
    # as along_axis, of whole matrices (m, c)
    cdef Operation* operation = <Operation*>malloc(sizeof(Operation))
    operation.float32, operation.float64 = <columns_kernel>float32, <columns_kernel>float64
    operation.operands = <int>len(kinds)
    operation.threads = <const int*>PyCapsule_Import("lanewise.kernels.machine.thread_count", 0)
    return register(name, signature, kinds, n_in, doc, operation, <void*>columns_float16, <void*>columns_bfloat16,
                    <void*>columns_float32, <void*>columns_float64)


moments_gufunc = of_columns(
    b"column_moments", b"(m,c)->(c),(c)", b"rss", 1, <void*>moments_kernel[f32x], <void*>moments_kernel[f64x],
    b"x -> mean, variance")
affine_gufunc = of_columns(
    b"column_affine", b"(m,c),(c),(c),(c),(c)->(m,c)", b"rssssr", 5, <void*>affine_kernel[f32x],
    <void*>affine_kernel[f64x], b"x, mean, rstd, weight, bias -> y")
sums_gufunc = of_columns(
    b"column_sums", b"(m,c),(m,c),(c),(c)->(c),(c)", b"rrssss", 4, <void*>sums_kernel[f32x], <void*>sums_kernel[f64x],
    b"grad, x, mean, rstd -> sum(grad), sum(grad * normed)")
slope_gufunc = of_columns(
    b"column_slope", b"(m,c),(m,c),(c),(c),(c),(c),(c),()->(m,c)", b"rrssssssr", 8, <void*>slope_kernel[f32x],
    <void*>slope_kernel[f64x], b"grad, x, mean, rstd, weight, sum(grad), sum(grad * normed), count -> grad_x")
