# What layers need beside the other kernels: dropout, whose mask is made of its key whenever it is wanted, and the sum
# of a gradient over its rows, which is a bias's. Products of matrices are NumPy's.
cimport numpy as np
from libc.stdint cimport uint32_t, uint64_t

from .lanes cimport (
    F64_LANES, bits_f32, bits_f64, f32x, f64x, from_bits_f32, from_bits_f64, load_u32, real, splat_f32,
    splat_f64, splat_u32, splat_u64, store_f64, store_u64, u64x, where_less_i32, where_less_i64, widen_u32_u64,
)
from .loops.chunks cimport CHUNK, chunks_of, each_chunk
from .loops.registers cimport lanes, skip, store, store_part
from .loops.reductions cimport take, wide
from .loops.threads cimport join_threads, thread_count
from .math.random cimport DROPOUT, LINE, Stream, draw

np.import_array()

cdef enum:
    DRAWN = 4 * LINE  # elements that a line of counters decides on: one by each 32 bits
    COLUMNS = 64  # of a chunk of sums
    SUMMED = 128  # rows whose sum joins the others' at once, so that a long sum loses little

cdef struct Dropping:
    const void* x
    void* y
    Py_ssize_t n
    bint narrow
    uint32_t dropped  # of 2^32 equally likely numbers, those below drop their element
    double scale
    Stream stream

cdef struct Summing:
    const void* x
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


cdef inline void sum_columns(const real* x, real* y, Py_ssize_t rows, Py_ssize_t columns, Py_ssize_t start,
                             Py_ssize_t stop) noexcept nogil:
    # row after row in float64: the order does not depend on how many columns there are or who adds them
    cdef f64x total[COLUMNS]
    cdef f64x part[COLUMNS]
    cdef double sums[COLUMNS]
    cdef Py_ssize_t row = 0, last, i, registers = (stop - start + F64_LANES - 1) // F64_LANES
    for i in range(registers):
        total[i] = splat_f64(0.0)
    while row < rows:
        for i in range(registers):
            part[i] = splat_f64(0.0)
        last = min(rows, row + SUMMED)
        while row < last:
            for i in range(registers):
                part[i] = part[i] + wide(x, row * columns + start + i * F64_LANES,
                                         min(<Py_ssize_t>F64_LANES, stop - start - i * F64_LANES))
            row += 1
        for i in range(registers):
            total[i] = total[i] + part[i]
    for i in range(registers):
        store_f64(sums + i * F64_LANES, total[i])
    for i in range(start, stop):
        if real is f32x:
            (<float*>y)[i] = <float>sums[i - start]
        else:
            (<double*>y)[i] = sums[i - start]


cdef void sum_chunk(void* context, Py_ssize_t k, int thread) noexcept nogil:
    cdef const Summing* own = <const Summing*>context
    cdef Py_ssize_t start = k * COLUMNS, stop = min(own.columns, (k + 1) * <Py_ssize_t>COLUMNS)
    if own.narrow:
        sum_columns(<const f32x*>own.x, <f32x*>own.y, own.rows, own.columns, start, stop)
    else:
        sum_columns(<const f64x*>own.x, <f64x*>own.y, own.rows, own.columns, start, stop)


cdef void sum_all(const void* x, void* y, Py_ssize_t rows, Py_ssize_t n, bint narrow) noexcept nogil:
    cdef Summing summing = Summing(x, y, rows, n, narrow)
    cdef Py_ssize_t k
    for k in range((n + COLUMNS - 1) // COLUMNS):
        sum_chunk(&summing, k, 0)


cdef void sum_rows_float32(const float* x, float* y, Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    sum_all(x, y, rows, n, True)


cdef void sum_rows_float64(const double* x, double* y, Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    sum_all(x, y, rows, n, False)


def sum_rows(np.ndarray x, np.ndarray y):
    """y[columns] = the sum of the rows of x[rows, columns], both C-contiguous and of one dtype, float32 or float64."""
    cdef Summing summing
    summing.columns = np.PyArray_SIZE(y)
    summing.rows = np.PyArray_SIZE(x) // summing.columns if summing.columns else 0
    summing.x, summing.y = np.PyArray_DATA(x), np.PyArray_DATA(y)
    summing.narrow = np.PyArray_TYPE(x) == np.NPY_FLOAT
    with nogil:
        each_chunk(sum_chunk, &summing, (summing.columns + COLUMNS - 1) // COLUMNS,
                   thread_count[0] if summing.rows * summing.columns >= CHUNK * CHUNK // 64 else 1)
