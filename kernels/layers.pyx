# What layers need beside the other kernels: dropout, whose mask is made of its key whenever it is wanted; what follows
# the product of a linear layer, a bias and relu in one pass; and the way back, the gradient of relu and its sum over
# the rows, which is a bias's, in one pass too. Products of matrices are NumPy's.
cimport numpy as np
from libc.stdint cimport uint32_t, uint64_t

from .lanes cimport (
    F64_LANES, bits_f32, bits_f64, f32x, f64x, from_bits_f32, from_bits_f64, load_u32, real, splat_f32,
    splat_f64, splat_u32, splat_u64, store_f64, store_u64, two_sum, u64x, where_less_i32, where_less_i64, widen_u32_u64,
)
from .loops.chunks cimport CHUNK, chunks_of, each_chunk
from .loops.maps cimport map2_of_any
from .loops.registers cimport lanes, skip, store, store_part
from .loops.reductions cimport take, wide, with_losses
from .loops.threads cimport join_threads, thread_count
from .math.random cimport DROPOUT, LINE, Stream, draw
from .points.relu cimport relu, relu_backward

np.import_array()

cdef enum:
    DRAWN = 4 * LINE  # elements that a line of counters decides on: one by each 32 bits
    COLUMNS = 64  # of a chunk of sums
    SUMMED = 128  # rows whose sum joins the others' at once, so that a long sum loses little
    SUMMED_F64 = 16  # and of float64, where it shows

cdef struct Dropping:
    const void* x
    void* y
    Py_ssize_t n
    bint narrow
    uint32_t dropped  # of 2^32 equally likely numbers, those below drop their element
    double scale
    Stream stream

cdef struct Finishing:
    void* y
    const void* bias
    Py_ssize_t rows
    Py_ssize_t n
    Py_ssize_t rows_of_chunk
    bint narrow
    bint rectified  # whether relu follows the bias

cdef struct Summing:
    const void* grad  # relu's, whose gradient is written to x before it is summed; NULL where x is as it is
    const void* forward  # relu's output
    void* x
    void* y
    Py_ssize_t rows
    Py_ssize_t columns
    bint narrow

join_threads()


cdef inline real factor(const real* like, const uint32_t* words, uint32_t dropped, double scale) noexcept nogil:
    # 0 where an element is dropped, `scale` where it stays
    if real is f32x:
        # compared as signed numbers: the upper bit turned over keeps the order of unsigned ones
        return from_bits_f32(where_less_i32(load_u32(words) ^ splat_u32(<uint32_t>1 << 31),
                                            splat_u32(dropped ^ <uint32_t>1 << 31), splat_u32(0),
                                            bits_f32(splat_f32(<float>scale))))
    else:
        return from_bits_f64(where_less_i64(widen_u32_u64(words), splat_u64(dropped), splat_u64(0),
                                            bits_f64(splat_f64(scale))))


cdef inline void drop(const real* x, real* y, const Dropping* dropping, Py_ssize_t k) noexcept nogil:
    cdef Stream stream = dropping.stream
    cdef Py_ssize_t i = k * CHUNK, j, last, left, stop = min(dropping.n, (k + 1) * <Py_ssize_t>CHUNK)
    cdef uint32_t dropped = dropping.dropped
    cdef double scale = dropping.scale
    cdef uint64_t line
    cdef uint64_t words[2 * LINE]
    cdef u64x bits[2]
    cdef real kept
    while i < stop:
        line = <uint64_t>(i // DRAWN)
        stream.individual = <uint32_t>(line >> 29)  # a counter has 32 bits, of which three are the place in its line
        j = 0
        while j < LINE:
            draw(&stream, line, <int>j, 0, bits)
            store_u64(words + j, bits[0])
            store_u64(words + LINE + j, bits[1])
            j += F64_LANES
        j, last = 0, min(<Py_ssize_t>DRAWN, stop - i)
        while j < last:
            kept = factor(x, <const uint32_t*>words + j, dropped, scale)
            left = stop - i - j
            if left >= lanes(x):
                store(<real*>skip(y, i + j), take(x, i + j, lanes(x)) * kept)
            else:
                store_part(<real*>skip(y, i + j), take(x, i + j, left) * kept, left)
            j += lanes(x)
        i += DRAWN


cdef void drop_chunk(void* context, Py_ssize_t k, int thread) noexcept nogil:
    cdef const Dropping* dropping = <const Dropping*>context
    if dropping.narrow:
        drop(<const f32x*>dropping.x, <f32x*>dropping.y, dropping, k)
    else:
        drop(<const f64x*>dropping.x, <f64x*>dropping.y, dropping, k)


cdef Dropping dropping_of(const void* x, void* y, Py_ssize_t n, bint narrow, double p, uint64_t key,
                          uint32_t generation) noexcept nogil:
    cdef Dropping dropping
    cdef double dropped = p * 4294967296.0
    dropping.x, dropping.y, dropping.n, dropping.narrow = x, y, n, narrow
    dropping.dropped = <uint32_t>4294967295U if dropped >= 4294967295.0 else <uint32_t>(dropped + 0.5)
    dropping.scale = 1.0 / (1.0 - p) if p < 1.0 else 0.0
    dropping.stream = Stream(key, generation, 0, DROPOUT)
    return dropping


cdef void drop_all(const Dropping* dropping) noexcept nogil:
    cdef Py_ssize_t k
    for k in range(chunks_of(dropping.n)):
        drop_chunk(<void*>dropping, k, 0)


cdef void dropout_float32(const float* x, double p, uint64_t key, uint32_t generation, float* y,
                          Py_ssize_t n) noexcept nogil:
    cdef Dropping dropping = dropping_of(x, y, n, True, p, key, generation)
    drop_all(&dropping)


cdef void dropout_float64(const double* x, double p, uint64_t key, uint32_t generation, double* y,
                          Py_ssize_t n) noexcept nogil:
    cdef Dropping dropping = dropping_of(x, y, n, False, p, key, generation)
    drop_all(&dropping)


def dropout(np.ndarray x, np.ndarray y, double p, uint64_t key, uint32_t generation):
    """y = 0 with probability p, else x / (1 - p), of C-contiguous arrays of one dtype, float32 or float64."""
    cdef Dropping dropping = dropping_of(np.PyArray_DATA(x), np.PyArray_DATA(y), np.PyArray_SIZE(x),
                                         np.PyArray_TYPE(x) == np.NPY_FLOAT, p, key, generation)
    with nogil:
        each_chunk(drop_chunk, &dropping, chunks_of(dropping.n), thread_count[0])


cdef inline real plus_bias(real x, real bias) noexcept nogil:
    return x + bias


cdef inline real rectified_plus_bias(real x, real bias) noexcept nogil:
    return relu(x + bias)


cdef inline void finish_some(real* y, const real* bias, const Finishing* own, Py_ssize_t k) noexcept nogil:
    cdef Py_ssize_t row
    cdef real* place
    for row in range(k * own.rows_of_chunk, min(own.rows, (k + 1) * own.rows_of_chunk)):
        place = <real*>skip(y, row * own.n)
        if own.rectified:
            map2_of_any(rectified_plus_bias[real], place, bias, place, own.n)
        else:
            map2_of_any(plus_bias[real], place, bias, place, own.n)


cdef void finish_chunk(void* context, Py_ssize_t k, int thread) noexcept nogil:
    cdef const Finishing* own = <const Finishing*>context
    if own.narrow:
        finish_some(<f32x*>own.y, <const f32x*>own.bias, own, k)
    else:
        finish_some(<f64x*>own.y, <const f64x*>own.bias, own, k)


cdef void bias_relu_float32(const float* bias, float* y, Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    cdef Finishing own = Finishing(y, bias, rows, n, rows, True, True)
    finish_chunk(&own, 0, 0)


cdef void bias_relu_float64(const double* bias, double* y, Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    cdef Finishing own = Finishing(y, bias, rows, n, rows, False, True)
    finish_chunk(&own, 0, 0)


def finish(np.ndarray y, np.ndarray bias, bint rectified):
    """y[rows, columns] += bias[columns], then relu where it is asked for; C-contiguous and of one dtype, float32 or
    float64."""
    cdef Finishing own
    own.y, own.bias, own.n = np.PyArray_DATA(y), np.PyArray_DATA(bias), np.PyArray_SIZE(bias)
    own.rows = np.PyArray_SIZE(y) // own.n if own.n else 0
    own.rows_of_chunk = max(1, CHUNK // max(1, own.n))
    own.narrow, own.rectified = np.PyArray_TYPE(y) == np.NPY_FLOAT, rectified
    with nogil:
        each_chunk(finish_chunk, &own, (own.rows + own.rows_of_chunk - 1) // own.rows_of_chunk, thread_count[0])


cdef inline void sum_columns(real* x, real* y, const Summing* own, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    # One row after the other in float64: the order does not depend on how many columns there are or who adds them. Sums
    # of float64 keep the rounding errors of what joins the others' sum.
    cdef f64x total[COLUMNS]
    cdef f64x part[COLUMNS]
    cdef f64x lost[COLUMNS]
    cdef f64x error
    cdef double sums[COLUMNS]
    cdef double losses[COLUMNS]
    cdef Py_ssize_t row = 0, last, i, place, registers = (stop - start + F64_LANES - 1) // F64_LANES
    for i in range(registers):
        total[i] = lost[i] = splat_f64(0.0)
    while row < own.rows:
        for i in range(registers):
            part[i] = splat_f64(0.0)
        last = min(own.rows, row + <Py_ssize_t>(SUMMED if real is f32x else SUMMED_F64))
        while row < last:
            place = row * own.columns + start
            if own.grad != NULL:
                map2_of_any(relu_backward[real], skip(<const real*>own.grad, place),
                            skip(<const real*>own.forward, place), <real*>skip(x, place), stop - start)
            for i in range(registers):
                part[i] = part[i] + wide(<const real*>x, place + i * F64_LANES,
                                         min(<Py_ssize_t>F64_LANES, stop - start - i * F64_LANES))
            row += 1
        for i in range(registers):
            total[i] = two_sum(total[i], part[i], &error)
            lost[i] = lost[i] + error
    if y == NULL:
        return
    for i in range(registers):
        store_f64(sums + i * F64_LANES, total[i])
        store_f64(losses + i * F64_LANES, lost[i])
    for i in range(start, stop):
        if real is f32x:
            (<float*>y)[i] = <float>sums[i - start]
        else:
            (<double*>y)[i] = with_losses(sums[i - start], losses[i - start])


cdef void sum_chunk(void* context, Py_ssize_t k, int thread) noexcept nogil:
    cdef const Summing* own = <const Summing*>context
    cdef Py_ssize_t start = k * COLUMNS, stop = min(own.columns, (k + 1) * <Py_ssize_t>COLUMNS)
    if own.narrow:
        sum_columns(<f32x*>own.x, <f32x*>own.y, own, start, stop)
    else:
        sum_columns(<f64x*>own.x, <f64x*>own.y, own, start, stop)


cdef void sum_all(const Summing* own) noexcept nogil:
    cdef Py_ssize_t k
    for k in range((own.columns + COLUMNS - 1) // COLUMNS):
        sum_chunk(<void*>own, k, 0)


cdef void sum_rows_float32(const float* x, float* y, Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    cdef Summing own = Summing(NULL, NULL, <void*>x, y, rows, n, True)
    sum_all(&own)


cdef void sum_rows_float64(const double* x, double* y, Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    cdef Summing own = Summing(NULL, NULL, <void*>x, y, rows, n, False)
    sum_all(&own)


cdef void bias_relu_backward_float32(const float* grad, const float* y, float* grad_x, float* grad_bias,
                                     Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    cdef Summing own = Summing(grad, y, grad_x, grad_bias, rows, n, True)
    sum_all(&own)


cdef void bias_relu_backward_float64(const double* grad, const double* y, double* grad_x, double* grad_bias,
                                     Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    cdef Summing own = Summing(grad, y, grad_x, grad_bias, rows, n, False)
    sum_all(&own)


def sum_rows(np.ndarray x, np.ndarray y, grad=None, forward=None):
    """y[columns] = the sum of the rows of x[rows, columns], which is first made relu's gradient where `grad` and
    relu's output are given; all C-contiguous and of one dtype, float32 or float64."""
    cdef Summing own
    own.columns = np.PyArray_SIZE(y)
    own.rows = np.PyArray_SIZE(x) // own.columns if own.columns else 0
    own.x, own.y = np.PyArray_DATA(x), np.PyArray_DATA(y)
    own.grad = own.forward = NULL
    if grad is not None:
        own.grad, own.forward = np.PyArray_DATA(<np.ndarray?>grad), np.PyArray_DATA(<np.ndarray?>forward)
    own.narrow = np.PyArray_TYPE(x) == np.NPY_FLOAT
    with nogil:
        each_chunk(sum_chunk, &own, (own.columns + COLUMNS - 1) // COLUMNS,
                   thread_count[0] if own.rows * own.columns >= CHUNK * CHUNK // 64 else 1)


cdef bint matrix(object x, np.ndarray like, Py_ssize_t rows, Py_ssize_t columns, bint written) except -1:
    # whether x is an array[rows, columns], or a vector where there are no rows, of the dtype of `like`, as it lies in
    # memory; any number of rows where that is -1
    cdef np.ndarray array
    if not np.PyArray_CheckExact(x):
        return False
    array = x
    if np.PyArray_TYPE(array) != np.PyArray_TYPE(like) or np.PyArray_NDIM(array) != (1 if rows == 0 else 2):
        return False
    if not (np.PyArray_ISCARRAY(array) if written else np.PyArray_ISCARRAY_RO(array)):
        return False
    if rows == 0:
        return np.PyArray_DIM(array, 0) == columns
    return np.PyArray_DIM(array, 1) == columns and (rows == -1 or np.PyArray_DIM(array, 0) == rows)


cdef inline bint apart(np.ndarray array, other) except -1:
    # whether two contiguous arrays share no memory
    cdef const char* start = <const char*>np.PyArray_DATA(array)
    cdef const char* start_of_other
    if other is None:
        return True
    start_of_other = <const char*>np.PyArray_DATA(<np.ndarray>other)
    return (start + np.PyArray_NBYTES(array) <= start_of_other
            or start_of_other + np.PyArray_NBYTES(<np.ndarray>other) <= start)


def plain(x, weight, bias, grad=None, forward=None, tuple out=()):
    """Whether the operands of a linear layer, or of its way back, are what is most usual: matrices of one dtype,
    float32 or float64, that fit and lie in C order, and outputs apart from all else. All other operands, wrong ones
    among them, are looked at in Python."""
    cdef np.ndarray like
    cdef Py_ssize_t rows, inputs, outputs, k, j
    if not np.PyArray_CheckExact(weight):
        return False
    like = weight
    if (np.PyArray_TYPE(like) not in (np.NPY_FLOAT, np.NPY_DOUBLE) or np.PyArray_NDIM(like) != 2
            or not np.PyArray_ISCARRAY_RO(like) or np.PyArray_SIZE(like) == 0):
        return False
    outputs, inputs = np.PyArray_DIM(like, 0), np.PyArray_DIM(like, 1)
    if not matrix(x, like, -1, inputs, False):
        return False
    rows = np.PyArray_DIM(<np.ndarray>x, 0)
    if rows == 0 or not (bias is None or matrix(bias, like, 0, outputs, False)):
        return False
    for operand in grad, forward:
        if not (operand is None or matrix(operand, like, rows, outputs, False)):
            return False
    for k in range(len(out)):
        if out[k] is None:
            continue
        if not matrix(out[k], like, (rows, outputs, 0)[k], outputs if k == 2 else inputs, True):
            return False
        for operand in x, weight, bias, grad, forward:
            if not apart(out[k], operand):
                return False
        for j in range(k):
            if not apart(out[k], out[j]):
                return False
    return True
