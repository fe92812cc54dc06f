# Arrays of random numbers, uniform or normal, from a key: a number is its key's and its position's, on any level and
# any number of threads. The numbers of one register are math/draws.pxd; what they are for is decided in Python.
cimport numpy as np
from libc.stdint cimport uint32_t, uint64_t

from .lanes cimport F64_LANES, f32x, f64x, fma, load_u64, real, splat_f64, store_u64, u64x
from .loops.chunks cimport CHUNK, chunks_of, each_chunk
from .loops.dtypes cimport NARROW, WIDE
from .loops.reductions cimport put_wide
from .loops.threads cimport join_threads, thread_count
from .math.draws cimport normals, uniform
from .math.random cimport NORMAL, LINE, UNIFORM, Stream, draw, philox

np.import_array()

cdef enum:
    DRAWN = 2 * LINE  # numbers that a line of counters makes: one from each 64 bits
    LINES = 8  # that are made together

cdef struct Filling:
    void* y
    Py_ssize_t n
    bint narrow  # whether y is float32
    double start
    double scale  # y = start + scale * draw
    Stream stream

join_threads()


cdef inline void fill_lines(real* y, const Filling* filling, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    # The numbers from `start` on, LINES lines at most: their random bits first, then what is made of them. Between the
    # steps of one number nothing can be done at once, but between lines everything.
    cdef uint64_t random[2][LINES * LINE]
    cdef Stream stream = filling.stream
    cdef uint64_t line = <uint64_t>(start // DRAWN)
    cdef Py_ssize_t count = min(<Py_ssize_t>LINES, (stop - start + DRAWN - 1) // DRAWN) * LINE, i = 0, at
    cdef u64x bits[2]
    cdef f64x one, other, scale = splat_f64(filling.scale), offset = splat_f64(filling.start)
    while i < count:
        # a counter has 32 bits, of which three are the place in its line
        stream.individual = <uint32_t>(line + i // LINE >> 29)
        draw(&stream, line + i // LINE, <int>(i % LINE), 0, bits)
        store_u64(random[0] + i, bits[0])
        store_u64(random[1] + i, bits[1])
        i += F64_LANES
    i = 0
    while i < count:
        bits[0], bits[1] = load_u64(random[0] + i), load_u64(random[1] + i)
        if stream.purpose == NORMAL:
            normals(<const real*>y, bits[0], bits[1], &one, &other)
        else:
            one, other = uniform(bits[0]), uniform(bits[1])
        at = start + i // LINE * DRAWN + i % LINE
        put_wide(y, at, min(<Py_ssize_t>F64_LANES, stop - at), fma(one, scale, offset))
        put_wide(y, at + LINE, min(<Py_ssize_t>F64_LANES, stop - at - LINE), fma(other, scale, offset))
        i += F64_LANES


cdef void fill_chunk(void* context, Py_ssize_t k, int thread) noexcept nogil:
    cdef const Filling* filling = <const Filling*>context
    cdef Py_ssize_t i = k * CHUNK, stop = min(filling.n, (k + 1) * <Py_ssize_t>CHUNK)
    while i < stop:
        if filling.narrow:
            fill_lines(<f32x*>filling.y, filling, i, stop)
        else:
            fill_lines(<f64x*>filling.y, filling, i, stop)
        i += LINES * DRAWN


cdef void fill_all(void* y, Py_ssize_t n, bint narrow, double start, double scale, Stream stream) noexcept nogil:
    cdef Filling filling = Filling(y, n, narrow, start, scale, stream)
    cdef Py_ssize_t k
    for k in range(chunks_of(n)):
        fill_chunk(&filling, k, 0)


cdef void uniform_float32(uint64_t key, uint32_t generation, double start, double scale, float* y,
                          Py_ssize_t n) noexcept nogil:
    fill_all(y, n, NARROW, start, scale, Stream(key, generation, 0, UNIFORM))


cdef void normal_float32(uint64_t key, uint32_t generation, double mean, double deviation, float* y,
                         Py_ssize_t n) noexcept nogil:
    fill_all(y, n, NARROW, mean, deviation, Stream(key, generation, 0, NORMAL))


cdef void philox_uint32(uint64_t key, uint64_t counter_low, uint64_t counter_high, uint32_t* y,
                        Py_ssize_t n) noexcept nogil:
    # as many counters at a time as a register has lanes
    cdef uint64_t[4][F64_LANES] lanes
    cdef u64x[4] words
    cdef uint64_t low, high
    cdef Py_ssize_t i = 0, k
    cdef int lane, word
    while i < n:
        for lane in range(F64_LANES):
            low = counter_low + <uint64_t>(i // 4 + lane)
            high = counter_high + (low < counter_low)
            lanes[0][lane], lanes[1][lane] = low & 0xFFFFFFFFU, low >> 32
            lanes[2][lane], lanes[3][lane] = high & 0xFFFFFFFFU, high >> 32
        for word in range(4):
            words[word] = load_u64(lanes[word])
        philox(words, key)
        for word in range(4):
            store_u64(lanes[word], words[word])
        for k in range(min(n - i, <Py_ssize_t>(4 * F64_LANES))):
            y[i + k] = <uint32_t>lanes[k & 3][k >> 2]
        i += 4 * F64_LANES


def fill(np.ndarray y, bint normal, double start, double scale, uint64_t key, uint32_t generation):
    """y = start + scale * draw, of a C-contiguous array of float32 or float64: draws uniform in [0, 1), or normal."""
    cdef Filling filling
    filling.y, filling.n = np.PyArray_DATA(y), np.PyArray_SIZE(y)
    filling.narrow = np.PyArray_TYPE(y) == np.NPY_FLOAT
    filling.start, filling.scale = start, scale
    filling.stream = Stream(key, generation, 0, NORMAL if normal else UNIFORM)
    with nogil:
        each_chunk(fill_chunk, &filling, chunks_of(filling.n), thread_count[0])


# From here on written by tools/twins.py: the functions above whose names end in _float32, in float64.

cdef void uniform_float64(uint64_t key, uint32_t generation, double start, double scale, double* y,
                          Py_ssize_t n) noexcept nogil:
    fill_all(y, n, WIDE, start, scale, Stream(key, generation, 0, UNIFORM))


cdef void normal_float64(uint64_t key, uint32_t generation, double mean, double deviation, double* y,
                         Py_ssize_t n) noexcept nogil:
    fill_all(y, n, WIDE, mean, deviation, Stream(key, generation, 0, NORMAL))
