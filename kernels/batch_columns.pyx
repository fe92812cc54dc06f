# Batch norm where an example holds one number of each channel: x is (examples, channels), a channel a column. Registers
# hold neighbouring channels, and rows are read as they stand in memory: for the statistics once, or twice where the
# first examples were no guess of the means, and once for the map. The formulas are those of batch_norm.pyx.
#
# A few rows are added in the precision of the computation, and those sums in float64; a channel where float32
# overflows, or its squares vanish, is added in float64. A channel near the ends of the exponent range is multiplied by
# a power of two, its scale, and its mean and rstd are then those of x * scale. What is done for one channel changes no
# bit of another. A chunk adds its rows in order, and the chunks, set by the shape alone, are added in
# order, so that nobody sees the number of threads.
from cpython.pycapsule cimport PyCapsule_Import
from cython.parallel cimport prange, threadid
from libc.math cimport INFINITY, fabs, ldexp
from libc.stdint cimport uint16_t, uint32_t
from libc.stdlib cimport free, malloc
from libc.string cimport memset

cimport numpy as np

from .lanes cimport (
    F32_LANES, F64_LANES, end_stream, enter_environment, environment, f32x, f64x, fma, leave_environment, real,
    splat_f32, store_f64, store_part_f64,
)
from .loops.maps cimport STREAM_BYTES
from .loops.reductions cimport element, map_block, map_pair, rounded, take, wide
from .loops.rows cimport LINE, PADDING, beyond_memory, direct, out_of_memory, put_row, register, take_row
from .loops.ufuncs cimport BFLOAT16, FLOAT16, FLOAT32, FLOAT64, THREAD_MIN, Dtype, size_of
from .rowwise.norm_groups cimport add_wide

np.import_array()
np.import_ufunc()

cdef enum:
    TOGETHER = 4  # rows that share one addition in float64
    GUESSED = 32  # the first examples, from which a guess of the means is made
    CHUNKS = 16
    CHUNK_ROWS = 64  # at least
    MOST_VECTORS = 8
    MOST_TILES = 8  # rows of a thread that do not stand as a kernel takes them
    MOST_OPERANDS = 12

# How the variance of a channel is found again.
cdef enum:
    POOR = 1  # its deviations were not taken from near its mean
    LOST = 2  # its squares left float32

# What is known of each channel, as vectors in the precision of the computation.
cdef enum:
    MEAN
    MEAN_REST  # what rounding the mean lost
    RSTD
    SCALE
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
    char* again  # how a channel is summed again
    char* tiles  # MOST_TILES of each thread
    const void* scale  # NULL where every scale is 1
    bint folded  # whether few rows are added in float32
    bint streamed

# A chunk's sums and its maps are functions that are called, not copied to where they are wanted.
ctypedef void (*chunk_function)(const void* like, Dtype dtype, const Problem* problem, Py_ssize_t chunk,
                                Py_ssize_t start, Py_ssize_t stop, Py_ssize_t thread) noexcept nogil
ctypedef void (*map_function)(const void* like, Dtype dtype, const Problem* problem, Py_ssize_t start,
                              Py_ssize_t stop, Py_ssize_t thread) noexcept nogil
ctypedef void (*columns_kernel)(const void* like, Dtype dtype, char** args, Py_ssize_t examples, Py_ssize_t channels,
                                const np.npy_intp* steps, char* memory, int threads) noexcept nogil

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

cdef inline const void* row_of(Dtype dtype, const Matrix* matrix, const real* scale, Py_ssize_t r, real* tile,
                               Py_ssize_t n) noexcept nogil:
    # where a row stands, or its copy, multiplied by the scales where there are any
    cdef Py_ssize_t i
    if matrix.data == NULL or (scale == NULL and direct(dtype, matrix.stride, n)):
        return matrix.data + r * matrix.step
    take_row(dtype, tile, matrix.data + r * matrix.step, matrix.stride, n)
    if scale != NULL:
        for i in range(n):
            if real is f32x:
                (<float*>tile)[i] *= (<const float*>scale)[i]
            else:
                (<double*>tile)[i] *= (<const double*>scale)[i]
    return tile


cdef inline Py_ssize_t tile_size(const real* like, Py_ssize_t n) noexcept nogil:
    # bytes of a row, up to the end of a cache line
    return ((n + PADDING) * (4 if real is f32x else 8) + LINE - 1) // LINE * LINE


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


cdef inline void add_chunk(
        void (*fold)(const f32x*, const Row*, Py_ssize_t, Py_ssize_t, f32x*) noexcept nogil,
        void (*add)(const real*, const Row*, Py_ssize_t, Py_ssize_t, f64x*) noexcept nogil, const real* like,
        Dtype dtype, const Problem* problem, Py_ssize_t chunk, Py_ssize_t start, Py_ssize_t stop,
        Py_ssize_t thread) noexcept nogil:
    cdef environment callers = enter_environment()
    cdef Py_ssize_t n = problem.channels, r = start, count, k, size = tile_size(like, n)
    cdef double* first = problem.sums + 2 * chunk * n
    cdef char* tiles = problem.tiles + thread * MOST_TILES * size
    cdef Row rows[TOGETHER]
    for k in range(TOGETHER):
        rows[k].known = problem.known
    while r < stop:
        count = min(<Py_ssize_t>TOGETHER, stop - r)
        for k in range(count):
            rows[k].x = row_of(dtype, &problem.x, <const real*>problem.scale, r + k,
                               <real*>(tiles + 2 * k * size), n)
            rows[k].grad = row_of(dtype, &problem.grad, <const real*>NULL, r + k,
                                  <real*>(tiles + (2 * k + 1) * size), n)
        if count == TOGETHER:  # which the compiler then knows
            add_rows(fold, add, like, rows, TOGETHER, problem.folded, first, first + n, n)
        else:
            add_rows(fold, add, like, rows, count, problem.folded, first, first + n, n)
        r += count
    leave_environment(callers)


cdef void deviations_of_chunk(const real* like, Dtype dtype, const Problem* problem, Py_ssize_t chunk, Py_ssize_t start,
                              Py_ssize_t stop, Py_ssize_t thread) noexcept nogil:
    add_chunk(fold_deviation, add_deviation[real], like, dtype, problem, chunk, start, stop, thread)


cdef void gradients_of_chunk(const real* like, Dtype dtype, const Problem* problem, Py_ssize_t chunk, Py_ssize_t start,
                             Py_ssize_t stop, Py_ssize_t thread) noexcept nogil:
    add_chunk(fold_gradient, add_gradient[real], like, dtype, problem, chunk, start, stop, thread)


cdef inline void add_all(chunk_function add, Dtype dtype, Problem* problem, int threads) noexcept nogil:
    # the sums of every channel, in the place of the first chunk's
    cdef Py_ssize_t i, chunk, size = problem.chunk, n = 2 * problem.channels
    memset(problem.sums, 0, problem.chunks * n * sizeof(double))
    if threads == 1:
        for chunk in range(problem.chunks):
            add(NULL, dtype, problem, chunk, chunk * size, min(problem.examples, (chunk + 1) * size), 0)
    else:
        for chunk in prange(problem.chunks, num_threads=threads, schedule="dynamic"):
            add(NULL, dtype, problem, chunk, chunk * size, min(problem.examples, (chunk + 1) * size), threadid())
    for chunk in range(1, problem.chunks):
        for i in range(n):
            problem.sums[i] += problem.sums[chunk * n + i]


cdef inline void map_chunk(real (*point)(const real*, const void*, Py_ssize_t, Py_ssize_t) noexcept nogil,
                           const real* like, Dtype dtype, const Problem* problem, Py_ssize_t start,
                           Py_ssize_t stop, Py_ssize_t thread) noexcept nogil:
    cdef environment callers = enter_environment()
    cdef Py_ssize_t n = problem.channels, r = start, size = tile_size(like, n)
    cdef bint placed = direct(dtype, problem.y.stride, n)
    cdef char* tiles = problem.tiles + thread * MOST_TILES * size
    cdef Row row, other
    cdef char* y
    row.known, row.streamed = problem.known, problem.streamed and placed
    while r < stop:
        row.x = row_of(dtype, &problem.x, <const real*>problem.scale, r, <real*>tiles, n)
        row.grad = row_of(dtype, &problem.grad, <const real*>NULL, r, <real*>(tiles + size), n)
        y = problem.y.data + r * problem.y.step
        if placed and r + 1 < stop:
            other = row
            other.x = row_of(dtype, &problem.x, <const real*>problem.scale, r + 1, <real*>(tiles + 3 * size), n)
            other.grad = row_of(dtype, &problem.grad, <const real*>NULL, r + 1, <real*>(tiles + 4 * size), n)
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


cdef void map_affine(const real* like, Dtype dtype, const Problem* problem, Py_ssize_t start, Py_ssize_t stop,
                     Py_ssize_t thread) noexcept nogil:
    map_chunk(affine[real], like, dtype, problem, start, stop, thread)


cdef void map_slope(const real* like, Dtype dtype, const Problem* problem, Py_ssize_t start, Py_ssize_t stop,
                    Py_ssize_t thread) noexcept nogil:
    map_chunk(slope[real], like, dtype, problem, start, stop, thread)


cdef inline void map_all(map_function map_rows, Dtype dtype, const Problem* problem, int threads) noexcept nogil:
    cdef Py_ssize_t chunk, size = problem.chunk
    if threads == 1:
        map_rows(NULL, dtype, problem, 0, problem.examples, 0)
        return
    for chunk in prange(problem.chunks, num_threads=threads, schedule="static"):
        map_rows(NULL, dtype, problem, chunk * size, min(problem.examples, (chunk + 1) * size), threadid())


# The kernels. Their memory, had before the first row is read: the vectors of a problem's channels, the sums of its
# chunks, how channels are summed again, and the tiles of every thread.

cdef inline Matrix matrix(char* data, const np.npy_intp* steps) noexcept nogil:
    return Matrix(data, steps[0], steps[1])


cdef inline Py_ssize_t chunk_of(Py_ssize_t examples) noexcept nogil:
    return max(<Py_ssize_t>CHUNK_ROWS, (examples + CHUNKS - 1) // CHUNKS)


cdef inline Py_ssize_t chunks_of(Py_ssize_t examples) noexcept nogil:
    return max(1, (examples + chunk_of(examples) - 1) // chunk_of(examples))


cdef inline Py_ssize_t sums_size(Py_ssize_t examples, Py_ssize_t channels) noexcept nogil:
    return (2 * chunks_of(examples) * channels * sizeof(double) + LINE - 1) // LINE * LINE


cdef inline char* memory_of(const real* like, Py_ssize_t examples, Py_ssize_t channels, int threads) noexcept nogil:
    # NULL where it ran out
    if beyond_memory(channels):
        return NULL
    return <char*>malloc(LINE + (MOST_VECTORS + threads * MOST_TILES) * tile_size(like, channels)
                         + sums_size(examples, channels) + channels)


cdef inline void begin(const real* like, Dtype dtype, Problem* problem, Matrix grad, Matrix x, Matrix y,
                       Py_ssize_t examples, Py_ssize_t channels, char* memory, int threads) noexcept nogil:
    cdef Py_ssize_t size = tile_size(like, channels), k
    problem.grad, problem.x, problem.y, problem.examples, problem.channels = grad, x, y, examples, channels
    problem.chunk, problem.chunks = chunk_of(examples), chunks_of(examples)
    problem.folded, problem.scale = False, NULL
    problem.streamed = examples * channels * size_of(dtype) >= STREAM_BYTES and y.data != x.data and y.data != grad.data
    memory += -<Py_ssize_t>memory & (LINE - 1)
    for k in range(MOST_VECTORS):
        problem.known.of[k] = memory + k * size
    problem.sums = <double*>(memory + MOST_VECTORS * size)
    problem.tiles = <char*>problem.sums + sums_size(examples, channels)
    problem.again = problem.tiles + threads * MOST_TILES * size


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


cdef inline void know_scale(const real* like, Problem* problem, const char* values, Py_ssize_t step) noexcept nogil:
    cdef Py_ssize_t i
    know(like, problem, SCALE, values, step, 1.0)
    for i in range(problem.channels):
        if (<const double*>(values + i * step))[0] != 1.0:
            problem.scale = problem.known.of[SCALE]


cdef inline void add_deviations(const real* like, Dtype dtype, Problem* problem, bint folded,
                                int threads) noexcept nogil:
    problem.folded = folded
    add_all(<chunk_function>deviations_of_chunk[real], dtype, problem, threads)


cdef inline double found_mean(const real* like, const Problem* problem, Py_ssize_t i,
                              Py_ssize_t examples) noexcept nogil:
    # of so many examples, from their deviations
    return element(<const real*>problem.known.of[MEAN], i) + problem.sums[i] / examples


cdef inline bint has_vanished(Dtype dtype, const Problem* problem, Py_ssize_t i) noexcept nogil:
    # Whether a channel that neither deviates nor has squares in float32 is not constant: what differs from a mean of
    # 2^-50 or more differs by 2^-74, whose square float32 holds, and a mean of 0 may be that of numbers or of zeros.
    cdef float mean = (<const float*>problem.known.of[MEAN])[i]
    cdef const char* x
    cdef Py_ssize_t example
    if mean != 0.0:
        return fabs(mean) < ldexp(1.0, -50)
    for example in range(problem.examples):
        x = problem.x.data + example * problem.x.step + i * problem.x.stride
        if ((<const uint32_t*>x)[0] << 1 if dtype == FLOAT32 else <uint32_t>(<const uint16_t*>x)[0] << 17) != 0:
            return True
    return False


cdef inline bint judge(const real* like, Dtype dtype, const Problem* problem, Py_ssize_t examples,
                       bint final) noexcept nogil:
    # Whether a channel's sums have lost digits. Deviations from afar are taken again once, from what is then the mean.
    cdef Py_ssize_t i
    cdef double apart, square
    cdef bint any_poor = False
    for i in range(problem.channels):
        if final and problem.again[i] != POOR:
            continue
        apart = problem.sums[i] / examples
        square = problem.sums[problem.channels + i] / examples
        problem.again[i] = POOR if apart * apart > 0.5 * square and not final else 0
        if real is f32x:
            if not ldexp(1.0, -60) < square < ldexp(1.0, 100) and (
                    not apart == square == 0.0 or has_vanished(dtype, problem, i)):
                problem.again[i] = LOST
        any_poor = any_poor or problem.again[i] == POOR
    return any_poor


cdef inline void tell(const real* like, const Problem* problem, int which, Py_ssize_t examples, char* mean,
                      Py_ssize_t mean_step, char* variance, Py_ssize_t variance_step) noexcept nogil:
    # mean and variance of the channels that are summed this way
    cdef Py_ssize_t i
    cdef double apart
    for i in range(problem.channels):
        if problem.again[i] == which:
            apart = problem.sums[i] / examples
            (<double*>(mean + i * mean_step))[0] = found_mean(like, problem, i, examples)
            (<double*>(variance + i * variance_step))[0] = (
                problem.sums[problem.channels + i] / examples - apart * apart)


cdef void moments_kernel(const real* like, Dtype dtype, char** args, Py_ssize_t examples, Py_ssize_t channels,
                         const np.npy_intp* steps, char* memory, int threads) noexcept nogil:
    # x, scale -> mean, variance of x * scale. Deviations are taken from a guess of the mean, and where that costs a
    # bit, from the mean; where squares leave float32, all is float64.
    cdef Problem problem
    cdef Matrix none = Matrix(NULL, 0, 0)
    cdef const real* first = NULL
    cdef Py_ssize_t i, few = min(examples, <Py_ssize_t>GUESSED)
    cdef bint any_lost = False
    begin(like, dtype, &problem, none, matrix(args[0], steps), none, examples, channels, memory, threads)
    know_scale(like, &problem, args[1], steps[2])
    if examples > 0:
        first = <const real*>row_of(dtype, &problem.x, <const real*>problem.scale, 0, <real*>problem.tiles, channels)
    for i in range(channels):
        set_known(like, &problem, MEAN, i, element(first, i) if examples > 0 else 0.0)
    memset(problem.sums, 0, 2 * channels * sizeof(double))
    deviations_of_chunk(like, dtype, &problem, 0, 0, few, 0)
    for i in range(channels):
        set_known(like, &problem, MEAN, i, found_mean(like, &problem, i, few))
    add_deviations(like, dtype, &problem, True, threads)
    if judge(like, dtype, &problem, examples, False):
        tell(like, &problem, 0, examples, args[2], steps[3], args[3], steps[4])
        for i in range(channels):
            set_known(like, &problem, MEAN, i, found_mean(like, &problem, i, examples))
        add_deviations(like, dtype, &problem, True, threads)
        tell(like, &problem, POOR, examples, args[2], steps[3], args[3], steps[4])
        judge(like, dtype, &problem, examples, True)
    else:
        tell(like, &problem, 0, examples, args[2], steps[3], args[3], steps[4])
    for i in range(channels):
        any_lost = any_lost or problem.again[i] == LOST
        set_known(like, &problem, MEAN, i, 0.0)
    if any_lost:
        add_deviations(like, dtype, &problem, False, threads)
        for i in range(channels):
            set_known(like, &problem, MEAN, i, found_mean(like, &problem, i, examples))
        add_deviations(like, dtype, &problem, False, threads)
        tell(like, &problem, LOST, examples, args[2], steps[3], args[3], steps[4])


cdef void affine_kernel(const real* like, Dtype dtype, char** args, Py_ssize_t examples, Py_ssize_t channels,
                        const np.npy_intp* steps, char* memory, int threads) noexcept nogil:
    # x, mean, rstd, scale, weight, bias -> y
    cdef Problem problem
    begin(like, dtype, &problem, Matrix(NULL, 0, 0), matrix(args[0], steps), matrix(args[6], steps + 7), examples,
          channels, memory, threads)
    know_mean(like, &problem, args[1], steps[2])
    know(like, &problem, RSTD, args[2], steps[3], 1.0)
    know_scale(like, &problem, args[3], steps[4])
    know(like, &problem, WEIGHT, args[4], steps[5], 1.0)
    know(like, &problem, BIAS, args[5], steps[6], 1.0)
    map_all(<map_function>map_affine[real], dtype, &problem, threads)


cdef inline void add_gradients(const real* like, Dtype dtype, Problem* problem, bint folded,
                               int threads) noexcept nogil:
    problem.folded = folded
    add_all(<chunk_function>gradients_of_chunk[real], dtype, problem, threads)


cdef void sums_kernel(const real* like, Dtype dtype, char** args, Py_ssize_t examples, Py_ssize_t channels,
                      const np.npy_intp* steps, char* memory, int threads) noexcept nogil:
    # grad, x, mean, rstd, scale -> sum(grad), sum(grad * normed)
    cdef Problem problem
    cdef Py_ssize_t i
    cdef bint any_lost = False
    begin(like, dtype, &problem, matrix(args[0], steps), matrix(args[1], steps + 2), Matrix(NULL, 0, 0), examples,
          channels, memory, threads)
    know_mean(like, &problem, args[2], steps[4])
    know(like, &problem, RSTD, args[3], steps[5], 1.0)
    know_scale(like, &problem, args[4], steps[6])
    add_gradients(like, dtype, &problem, True, threads)
    for i in range(channels):
        (<double*>(args[5] + i * steps[7]))[0] = problem.sums[i]
        (<double*>(args[6] + i * steps[8]))[0] = problem.sums[channels + i]
        problem.again[i] = 0
        if real is f32x:
            problem.again[i] = not (fabs(problem.sums[i]) < INFINITY and fabs(problem.sums[channels + i]) < INFINITY)
            any_lost = any_lost or problem.again[i] != 0
    if any_lost:
        add_gradients(like, dtype, &problem, False, threads)
        for i in range(channels):
            if problem.again[i]:
                (<double*>(args[5] + i * steps[7]))[0] = problem.sums[i]
                (<double*>(args[6] + i * steps[8]))[0] = problem.sums[channels + i]


cdef void slope_kernel(const real* like, Dtype dtype, char** args, Py_ssize_t examples, Py_ssize_t channels,
                       const np.npy_intp* steps, char* memory, int threads) noexcept nogil:
    # grad, x, mean, rstd, scale, weight, sum(grad), sum(grad * normed), count -> grad_x; an infinite count leaves the
    # sums out
    cdef Problem problem
    cdef Py_ssize_t i
    cdef double count = (<double*>args[8])[0]
    begin(like, dtype, &problem, matrix(args[0], steps), matrix(args[1], steps + 2), matrix(args[9], steps + 10),
          examples, channels, memory, threads)
    know_mean(like, &problem, args[2], steps[4])
    know(like, &problem, RSTD, args[3], steps[5], 1.0)
    know_scale(like, &problem, args[4], steps[6])
    know(like, &problem, WEIGHT, args[5], steps[7], 1.0)
    know(like, &problem, GRAD_MEAN, args[6], steps[8], count)
    know(like, &problem, GRAD_NORMED_MEAN, args[7], steps[9], count)
    for i in range(channels):  # what a scaled row is divided by comes back with the weight
        set_known(like, &problem, WEIGHT, i, element(<const real*>problem.known.of[WEIGHT], i)
                  * element(<const real*>problem.known.of[SCALE], i))
    map_all(<map_function>map_slope[real], dtype, &problem, threads)


# The gufuncs.

cdef inline void columns(const real* like, Dtype dtype, columns_kernel kernel, const Operation* operation, char** args,
                         const np.npy_intp* dims, const np.npy_intp* steps) noexcept nogil:
    cdef environment callers
    cdef char* at[MOST_OPERANDS]
    cdef Py_ssize_t outer
    cdef int k, threads = operation.threads[0] if dims[1] * dims[2] >= THREAD_MIN else 1
    cdef char* memory = memory_of(like, dims[1], dims[2], threads)
    if memory == NULL:
        out_of_memory()
        return
    callers = enter_environment()
    for outer in range(dims[0]):
        for k in range(operation.operands):
            at[k] = args[k] + outer * steps[k]
        kernel(NULL, dtype, at, dims[1], dims[2], steps + operation.operands, memory, threads)
    leave_environment(callers)
    free(memory)


cdef void columns_float16(char** args, const np.npy_intp* dims, const np.npy_intp* steps, void* data) noexcept nogil:
    columns(<const f32x*>NULL, FLOAT16, (<Operation*>data).float32, <Operation*>data, args, dims, steps)


cdef void columns_bfloat16(char** args, const np.npy_intp* dims, const np.npy_intp* steps, void* data) noexcept nogil:
    columns(<const f32x*>NULL, BFLOAT16, (<Operation*>data).float32, <Operation*>data, args, dims, steps)


cdef void columns_float32(char** args, const np.npy_intp* dims, const np.npy_intp* steps, void* data) noexcept nogil:
    columns(<const f32x*>NULL, FLOAT32, (<Operation*>data).float32, <Operation*>data, args, dims, steps)


cdef void columns_float64(char** args, const np.npy_intp* dims, const np.npy_intp* steps, void* data) noexcept nogil:
    columns(<const f64x*>NULL, FLOAT64, (<Operation*>data).float64, <Operation*>data, args, dims, steps)


cdef object of_columns(bytes name, bytes signature, bytes kinds, int n_in, void* float32, void* float64, bytes doc):
    # as along_axis, of whole matrices (m, c)
    cdef Operation* operation = <Operation*>malloc(sizeof(Operation))
    operation.float32, operation.float64 = <columns_kernel>float32, <columns_kernel>float64
    operation.operands = <int>len(kinds)
    operation.threads = <const int*>PyCapsule_Import("lanewise.kernels.machine.thread_count", 0)
    return register(name, signature, kinds, n_in, doc, operation, <void*>columns_float16, <void*>columns_bfloat16,
                    <void*>columns_float32, <void*>columns_float64)


moments_gufunc = of_columns(
    b"column_moments", b"(m,c),(c)->(c),(c)", b"rsss", 2, <void*>moments_kernel[f32x], <void*>moments_kernel[f64x],
    b"x, scale -> mean, variance")
affine_gufunc = of_columns(
    b"column_affine", b"(m,c),(c),(c),(c),(c),(c)->(m,c)", b"rsssssr", 6, <void*>affine_kernel[f32x],
    <void*>affine_kernel[f64x], b"x, mean, rstd, scale, weight, bias -> y")
sums_gufunc = of_columns(
    b"column_sums", b"(m,c),(m,c),(c),(c),(c)->(c),(c)", b"rrsssss", 5, <void*>sums_kernel[f32x],
    <void*>sums_kernel[f64x], b"grad, x, mean, rstd, scale -> sum(grad), sum(grad * normed)")
slope_gufunc = of_columns(
    b"column_slope", b"(m,c),(m,c),(c),(c),(c),(c),(c),(c),()->(m,c)", b"rrsssssssr", 9, <void*>slope_kernel[f32x],
    <void*>slope_kernel[f64x],
    b"grad, x, mean, rstd, scale, weight, sum(grad), sum(grad * normed), count -> grad_x")
