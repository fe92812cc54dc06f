# Gradients of rms_norm and layer_norm: of x row by row, of weight and bias summed over the rows in one fixed order.
# Forward is norms.pyx; the order of sums along a row is reductions.pxd, of sums over rows `chunk_rows` below.
#
# Bytes: grad and x are read once for the two sums of the row and once, from the first-level cache, for the gradients.
from cpython.exc cimport PyErr_NoMemory
from cpython.pycapsule cimport PyCapsule_Import
from cython.parallel cimport prange
from libc.math cimport ldexp
from libc.stdlib cimport calloc, free, malloc

cimport numpy as np

from .lanes cimport (
    F64_LANES, enter_environment, environment, f32x, f64x, fma, leave_environment, real, splat, splat_f64, store_f64,
)
from .loops cimport lanes, skip, store, store_part
from .reductions cimport Pair, fold_block, map_row, sum_block, sum_row, take, wide
from .rows cimport TILE, put_rows, register, take_rows
from .ufuncs cimport BFLOAT16, FLOAT16, FLOAT32, FLOAT64, THREAD_MIN, Dtype, size_of

np.import_array()
np.import_ufunc()

cdef enum:
    GROUP = 4  # rows that share one addition to the gradient of weight
    CHUNKS = 16  # runs of rows that each add up a gradient of their own
    CHUNK_BYTES = 1 << 25

cdef struct Group:
    # up to GROUP rows: normed = (x * scale - mean - mean_rest) * rstd, and
    # grad_x = (grad * weight - grad_mean - normed * grad_normed_mean) * rstd * scale
    const void* weight
    double* grad_weight  # NULL where nobody wants it
    double* grad_bias
    Py_ssize_t rows
    Py_ssize_t n
    const void* grad[GROUP]
    const void* x[GROUP]
    void* grad_x[GROUP]
    double mean[GROUP]
    double mean_rest[GROUP]
    double rstd[GROUP]
    double scale[GROUP]
    double grad_mean[GROUP]
    double grad_normed_mean[GROUP]
    bint ordinary  # whether every scale is 1
    bint centred


cdef inline void add_terms(const real* like, const void* group_, Py_ssize_t i, Py_ssize_t n, f64x* grads,
                           f64x* grads_normed) noexcept nogil:
    # grad * weight, and that times normed, of the group's first row
    cdef const Group* group = <const Group*>group_
    cdef f64x grad = wide(<const real*>group.grad[0], i, n)
    cdef f64x x = wide(<const real*>group.x[0], i, n) * splat_f64(group.scale[0])
    if group.weight != NULL:
        grad = grad * wide(<const real*>group.weight, i, n)
    if group.centred:
        x = (x - splat_f64(group.mean[0])) - splat_f64(group.mean_rest[0])
        grads[0] = grads[0] + grad
    grads_normed[0] = grads_normed[0] + grad * (x * splat_f64(group.rstd[0]))


cdef inline real normed_of(const real* like, const Group* group, Py_ssize_t r, Py_ssize_t i,
                           Py_ssize_t n) noexcept nogil:
    # x - mean is exact where they are close, and mean_rest is half its last bit at most
    cdef real x = take(<const real*>group.x[r], i, n), rstd = splat(x, group.rstd[r])
    x = x * splat(x, group.scale[r])
    if group.centred:
        return fma(x - splat(x, group.mean[r]), rstd, splat(x, -group.mean_rest[r]) * rstd)
    return x * rstd


cdef inline void fold_terms(const f32x* like, const void* group_, Py_ssize_t i, Py_ssize_t n, f32x* grads,
                            f32x* grads_normed) noexcept nogil:
    # the same in float32
    cdef const Group* group = <const Group*>group_
    cdef f32x grad = take(<const f32x*>group.grad[0], i, n), x = normed_of(like, group, 0, i, n)
    if group.weight != NULL:
        grad = grad * take(<const f32x*>group.weight, i, n)
    if group.centred:
        grads[0] = grads[0] + grad
    grads_normed[0] = fma(grad, x, grads_normed[0])


cdef Pair terms(const real* like, const void* group, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    cdef Group own = (<const Group*>group)[0]
    if real is f32x:
        if own.ordinary:
            own.scale[0] = 1.0  # known to the compiler, which leaves the product out
            return fold_block(fold_terms, True, &own, start, n)
    return sum_block(add_terms[real], like, &own, start, n)


cdef inline void add_wide(double* sums, real x, Py_ssize_t n) noexcept nogil:
    # the first n lanes, as float64
    cdef double part[16]
    cdef Py_ssize_t i = 0
    store(<real*>part, x)
    while i < lanes(<const real*>part):
        if n == lanes(<const real*>part):
            store_f64(sums + i, wide(<const f64x*>(sums + i), 0, F64_LANES) + wide(<const real*>part, i, F64_LANES))
        i += F64_LANES
    if n < lanes(<const real*>part):
        for i in range(n):
            if real is f32x:
                sums[i] += (<float*>part)[i]
            else:
                sums[i] += part[i]


cdef inline void gradients(const real* like, const Group* group, Py_ssize_t rows, Py_ssize_t i,
                           Py_ssize_t n) noexcept nogil:
    # the elements i to i + n of every row's gradient, and what they add to the gradients of weight and bias
    cdef real weight, grad, normed, grad_weight, grad_bias
    cdef Py_ssize_t r
    weight = take(<const real*>(group.weight if group.weight != NULL else group.x[0]), i, n)
    grad_weight = splat(weight, 0.0)
    grad_bias = grad_weight
    for r in range(rows):
        grad = take(<const real*>group.grad[r], i, n)
        normed = normed_of(like, group, r, i, n)
        grad_weight = fma(grad, normed, grad_weight)
        grad_bias = grad_bias + grad
        if group.weight != NULL:
            grad = grad * weight
        if group.centred:
            grad = grad - splat(grad, group.grad_mean[r])
        grad = fma(-normed, splat(grad, group.grad_normed_mean[r]), grad)
        grad = grad * splat(grad, group.rstd[r] * group.scale[r]) if group.ordinary else (
            grad * splat(grad, group.rstd[r]) * splat(grad, group.scale[r]))
        if n == lanes(like):
            store(<real*>skip(<const real*>group.grad_x[r], i), grad)
        else:
            store_part(<real*>skip(<const real*>group.grad_x[r], i), grad, n)
    if group.grad_weight != NULL:
        add_wide(group.grad_weight + i, grad_weight, n)
    if group.grad_bias != NULL:
        add_wide(group.grad_bias + i, grad_bias, n)


cdef void gradients_block(real* like, const void* group, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    cdef Group own = (<const Group*>group)[0]
    cdef Py_ssize_t i = start, stop = start + n, r
    if own.ordinary and own.rows == GROUP:
        for r in range(GROUP):
            own.scale[r] = 1.0
        while i + lanes(like) <= stop:
            gradients(like, &own, GROUP, i, lanes(like))
            i += lanes(like)
    while i < stop:
        gradients(like, &own, own.rows, i, min(stop - i, lanes(like)))
        i += lanes(like)


cdef inline void group_backward(const real* like, Group* group, int threads) noexcept nogil:
    # the sums of each row, then the gradients of all
    cdef Group row
    cdef Pair sums
    cdef Py_ssize_t r
    for r in range(group.rows):
        row = group[0]
        row.grad[0], row.x[0] = group.grad[r], group.x[r]
        row.mean[0], row.mean_rest[0] = group.mean[r], group.mean_rest[r]
        row.rstd[0], row.scale[0] = group.rstd[r], group.scale[r]
        sums = sum_row(terms[real], like, &row, group.n, threads)
        group.grad_mean[r] = sums.first / group.n
        group.grad_normed_mean[r] = sums.second / group.n
    map_row(gradients_block[real], <real*>like, group, group.n, threads)


cdef inline void set_statistics(const real* like, Group* group, Py_ssize_t r, double mean,
                                double rstd) noexcept nogil:
    # near the ends of the exponent range the row is scaled, as it was forward
    cdef double scale = 1.0
    if real is f32x:
        if rstd < ldexp(1.0, -100):
            scale = ldexp(1.0, -60)
        elif rstd > ldexp(1.0, 100):
            scale = ldexp(1.0, 100)
    group.scale[r] = scale
    group.ordinary = scale == 1.0 and (r == 0 or group.ordinary)
    group.rstd[r] = rstd / scale
    if real is f32x:
        group.mean[r] = <float>(mean * scale)
    else:
        group.mean[r] = mean * scale
    group.mean_rest[r] = mean * scale - group.mean[r]


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


cdef inline bint direct(Dtype dtype, const Array* array, Py_ssize_t n) noexcept nogil:
    return (dtype == FLOAT32 or dtype == FLOAT64) and (array.step_n == size_of(dtype) or n <= 1)


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


cdef inline int chunk_rows(const real* like, Dtype dtype, const Problem* problem, const void* weight,
                           Py_ssize_t start, Py_ssize_t stop, double* grad_weight, double* grad_bias,
                           int threads) noexcept nogil:
    # One chunk: row after row, GROUP at a time from the chunk's start. -1 where memory ran out.
    cdef environment callers
    cdef Group group
    cdef Py_ssize_t n = problem.n, r = start, rows, first, k, width = 4 if real is f32x else 8
    cdef Py_ssize_t size = (TILE * n + TILE) * width
    cdef bint grad_direct = direct(dtype, &problem.grad, n), x_direct = direct(dtype, &problem.x, n)
    cdef bint grad_x_direct = direct(dtype, &problem.grad_x, n)
    cdef char* tiles = <char*>malloc((3 - grad_direct - x_direct - grad_x_direct) * size + 1)
    cdef char* grad_tile = tiles
    cdef char* x_tile = grad_tile + (0 if grad_direct else size)
    cdef char* grad_x_tile = x_tile + (0 if x_direct else size)
    if tiles == NULL:
        return -1
    callers = enter_environment()
    group.weight, group.grad_weight, group.grad_bias = weight, grad_weight, grad_bias
    group.n, group.centred = n, problem.centred
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


cdef inline void add_chunks(const real* like, char* y, Py_ssize_t step, const double* sums, Py_ssize_t chunks,
                            Py_ssize_t apart, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i, chunk
    cdef double total
    for i in range(n):
        total = 0.0
        for chunk in range(chunks):
            total += sums[chunk * apart + i]
        if real is f32x:
            (<float*>(y + i * step))[0] = <float>total
        else:
            (<double*>(y + i * step))[0] = total


cdef inline int backward(const real* like, Dtype dtype, const Problem* problem, char* grad_weight,
                         Py_ssize_t weight_step, char* grad_bias, Py_ssize_t bias_step, int most) noexcept nogil:
    # The chunks are set by the shape alone, so that the sums over rows know nothing of the threads.
    cdef Py_ssize_t n = problem.n, rows = problem.p * problem.q, chunk, chunks, size
    cdef Py_ssize_t arrays = 2 if problem.centred else 1, width = 4 if real is f32x else 8
    cdef double* sums
    cdef bint weight_direct = not problem.weighted or problem.weight.step_n == width
    cdef char* weight = NULL
    cdef char* copied = NULL
    cdef int failed = 0, threads = most if rows * n >= THREAD_MIN else 1
    chunks = max(1, min(<Py_ssize_t>CHUNKS, CHUNK_BYTES // (8 * arrays * max(n, 1))))
    size = ((rows + chunks - 1) // chunks + TILE - 1) // TILE * TILE
    chunks = (rows + size - 1) // size if rows > 0 else 0
    sums = <double*>calloc(max(chunks, 1) * arrays * max(n, 1), sizeof(double))
    copied = <char*>malloc(1 if weight_direct else (n + TILE) * width)
    if sums == NULL or copied == NULL:
        free(sums)
        free(copied)
        return -1
    if problem.weighted and weight_direct:
        weight = problem.weight.data
    elif problem.weighted:
        weight = copied
        take_rows(FLOAT32 if real is f32x else FLOAT64, <real*>weight, problem.weight.data, 0, problem.weight.step_n, 1,
                  n)
    if threads == 1 or chunks < threads:
        for chunk in range(chunks):
            failed += chunk_rows(like, dtype, problem, weight, chunk * size,
                                 min(rows, (chunk + 1) * size), sums + chunk * arrays * n,
                                 sums + (chunk * arrays + 1) * n if problem.centred else NULL, threads)
    else:
        for chunk in prange(chunks, num_threads=threads, schedule="dynamic"):
            failed += chunk_rows(like, dtype, problem, weight, chunk * size,
                                 min(rows, (chunk + 1) * size), sums + chunk * arrays * n,
                                 sums + (chunk * arrays + 1) * n if problem.centred else NULL, 1)
    add_chunks(like, grad_weight, weight_step, sums, chunks, arrays * n, n)
    if problem.centred:
        add_chunks(like, grad_bias, bias_step, sums + n, chunks, arrays * n, n)
    free(sums)
    free(copied)
    return failed


cdef inline Array array3(char* data, const np.npy_intp* steps) noexcept nogil:
    return Array(data, steps[0], steps[1], steps[2])


cdef inline Array array2(char* data, const np.npy_intp* steps) noexcept nogil:
    return Array(data, steps[0], steps[1], 0)


cdef inline void rms_loop(const real* like, Dtype dtype, char** args, const np.npy_intp* dims,
                          const np.npy_intp* steps, const int* threads) noexcept nogil:
    # grad (p,q,n), x (p,q,n), weight (w), rstd (p,q) -> grad_x (p,q,n), grad_weight (n)
    cdef const np.npy_intp* core = steps + 6
    cdef Problem problem
    cdef Py_ssize_t k
    cdef int failed = 0
    problem.p, problem.q, problem.n = dims[1], dims[2], dims[3]
    problem.centred, problem.weighted = False, dims[4] > 0
    for k in range(dims[0]):
        problem.grad = array3(args[0] + k * steps[0], core)
        problem.x = array3(args[1] + k * steps[1], core + 3)
        problem.weight = Array(args[2] + k * steps[2], 0, 0, core[6])
        problem.rstd = array2(args[3] + k * steps[3], core + 7)
        problem.grad_x = array3(args[4] + k * steps[4], core + 9)
        failed += backward(like, dtype, &problem, args[5] + k * steps[5], core[12], NULL, 0, threads[0])
    if failed:
        with gil:
            PyErr_NoMemory()


cdef inline void layer_loop(const real* like, Dtype dtype, char** args, const np.npy_intp* dims,
                            const np.npy_intp* steps, const int* threads) noexcept nogil:
    # grad (p,q,n), x (p,q,n), weight (w), mean (p,q), rstd (p,q) -> grad_x (p,q,n), grad_weight (n), grad_bias (n)
    cdef const np.npy_intp* core = steps + 8
    cdef Problem problem
    cdef Py_ssize_t k
    cdef int failed = 0
    problem.p, problem.q, problem.n = dims[1], dims[2], dims[3]
    problem.centred, problem.weighted = True, dims[4] > 0
    for k in range(dims[0]):
        problem.grad = array3(args[0] + k * steps[0], core)
        problem.x = array3(args[1] + k * steps[1], core + 3)
        problem.weight = Array(args[2] + k * steps[2], 0, 0, core[6])
        problem.mean = array2(args[3] + k * steps[3], core + 7)
        problem.rstd = array2(args[4] + k * steps[4], core + 9)
        problem.grad_x = array3(args[5] + k * steps[5], core + 11)
        failed += backward(like, dtype, &problem, args[6] + k * steps[6], core[14], args[7] + k * steps[7], core[15],
                           threads[0])
    if failed:
        with gil:
            PyErr_NoMemory()


cdef void rms_float16(char** args, const np.npy_intp* dims, const np.npy_intp* steps, void* data) noexcept nogil:
    rms_loop(<const f32x*>NULL, FLOAT16, args, dims, steps, <const int*>data)


cdef void rms_bfloat16(char** args, const np.npy_intp* dims, const np.npy_intp* steps, void* data) noexcept nogil:
    rms_loop(<const f32x*>NULL, BFLOAT16, args, dims, steps, <const int*>data)


cdef void rms_float32(char** args, const np.npy_intp* dims, const np.npy_intp* steps, void* data) noexcept nogil:
    rms_loop(<const f32x*>NULL, FLOAT32, args, dims, steps, <const int*>data)


cdef void rms_float64(char** args, const np.npy_intp* dims, const np.npy_intp* steps, void* data) noexcept nogil:
    rms_loop(<const f64x*>NULL, FLOAT64, args, dims, steps, <const int*>data)


cdef void layer_float16(char** args, const np.npy_intp* dims, const np.npy_intp* steps, void* data) noexcept nogil:
    layer_loop(<const f32x*>NULL, FLOAT16, args, dims, steps, <const int*>data)


cdef void layer_bfloat16(char** args, const np.npy_intp* dims, const np.npy_intp* steps, void* data) noexcept nogil:
    layer_loop(<const f32x*>NULL, BFLOAT16, args, dims, steps, <const int*>data)


cdef void layer_float32(char** args, const np.npy_intp* dims, const np.npy_intp* steps, void* data) noexcept nogil:
    layer_loop(<const f32x*>NULL, FLOAT32, args, dims, steps, <const int*>data)


cdef void layer_float64(char** args, const np.npy_intp* dims, const np.npy_intp* steps, void* data) noexcept nogil:
    layer_loop(<const f64x*>NULL, FLOAT64, args, dims, steps, <const int*>data)


cdef void* thread_count = PyCapsule_Import("lanewise.kernels.machine.thread_count", 0)
rms_norm_backward_gufunc = register(
    b"rms_norm_backward", b"(p,q,n),(p,q,n),(w),(p,q)->(p,q,n),(n)", b"rrvsrv", 4,
    b"grad, x, weight, rstd -> grad_x, grad_weight", thread_count, <void*>rms_float16, <void*>rms_bfloat16,
    <void*>rms_float32, <void*>rms_float64)
layer_norm_backward_gufunc = register(
    b"layer_norm_backward", b"(p,q,n),(p,q,n),(w),(p,q),(p,q)->(p,q,n),(n),(n)", b"rrvssrvv", 5,
    b"grad, x, weight, mean, rstd -> grad_x, grad_weight, grad_bias", thread_count, <void*>layer_float16,
    <void*>layer_bfloat16, <void*>layer_float32, <void*>layer_float64)
