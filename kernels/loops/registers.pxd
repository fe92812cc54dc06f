# One register at a time between memory and arithmetic: loads, stores, and how elements make up registers.
#
# A pointer to elements is held as a pointer to registers, so that `x += 1` steps one register on. Only
# load, store and their like may follow it, since it need not stand on a register's boundary.
from libc.stdint cimport uintptr_t

from ..lanes cimport (
    F32_LANES, F64_LANES, f32x, load_f32, load_f64, load_part_f32, load_part_f64, real, store_f32, store_f64,
    store_part_f32, store_part_f64, stream_f32, stream_f64, zip_high_f32, zip_high_f64, zip_low_f32, zip_low_f64,
)

cdef enum:
    # An output of this many bytes is larger than the L2 of today's cores: it will not be found there again.
    STREAM_BYTES = 1 << 23
    STREAMED_ROW = 16384  # bytes of a row from which on it is streamed wherever it begins
    LINE = 64  # bytes of a line of a cache
    PAGE = 4096  # a load waits for a recent store whose address differs from its own by whole pages
    NEAR = 512  # bytes that are written while a load waits


cdef inline bint ends_lines(Py_ssize_t places, Py_ssize_t size) noexcept nogil:
    # Whether rows of so many bytes that are streamed, whose addresses or steps together have the bits of `places`,
    # share no line of the cache, or are so long that it does not matter. A shared line is written in the ordinary way,
    # and the processor then fetches the lines beside it, which are being streamed: rows of 256 float32 would take ten
    # times as long.
    return size >= STREAMED_ROW or places % LINE == 0


cdef inline real load(const real* p) noexcept nogil:
    if real is f32x:
        return load_f32(<const float*>p)
    else:
        return load_f64(<const double*>p)


cdef inline real load_part(const real* p, Py_ssize_t n) noexcept nogil:
    if real is f32x:
        return load_part_f32(<const float*>p, n)
    else:
        return load_part_f64(<const double*>p, n)


cdef inline void store(real* p, real x) noexcept nogil:
    if real is f32x:
        store_f32(<float*>p, x)
    else:
        store_f64(<double*>p, x)


cdef inline void store_part(real* p, real x, Py_ssize_t n) noexcept nogil:
    if real is f32x:
        store_part_f32(<float*>p, x, n)
    else:
        store_part_f64(<double*>p, x, n)


cdef inline void stream(real* p, real x) noexcept nogil:
    if real is f32x:
        stream_f32(<float*>p, x)
    else:
        stream_f64(<double*>p, x)


# Two registers to two, whose elements alternate: of a and b, from the first of both on, or from the middle of both on.

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


cdef inline Py_ssize_t lanes(const real* p) noexcept nogil:
    if real is f32x:
        return F32_LANES
    else:
        return F64_LANES


cdef inline Py_ssize_t itemsize(const real* p) noexcept nogil:
    # bytes per element
    return <Py_ssize_t>sizeof(real) // lanes(p)


cdef inline const real* skip(const real* p, Py_ssize_t n) noexcept nogil:
    # n elements on
    if real is f32x:
        return <const real*>(<const float*>p + n)
    else:
        return <const real*>(<const double*>p + n)


cdef inline bint just_behind(const void* y, const void* x) noexcept nogil:
    # Whether y stands a little behind x, but for whole pages, as arrays of whole pages do that were allocated in turn.
    # Where x is read and y written from their ends on, no load meets a recent store: what is read next stands before
    # all that was written.
    return 0 < (<uintptr_t>y - <uintptr_t>x) % PAGE < NEAR


cdef inline Py_ssize_t head(const real* y, Py_ssize_t n) noexcept nogil:
    # how many elements stand before y's first register boundary, where it pays to start there
    cdef Py_ssize_t width = lanes(y)
    cdef Py_ssize_t before = <Py_ssize_t>(-<uintptr_t>y % sizeof(real)) // itemsize(y)
    return before if n > 4 * width else 0
