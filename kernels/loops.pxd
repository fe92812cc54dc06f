# Arrays to registers, in one place: heads, bodies and tails, streaming stores. No mathematics, no Python.
#
# A pointer to elements is held as a pointer to registers, so that `x += 1` steps one register on. Only
# load, store and their like may follow it, since it need not stand on a register's boundary. Head and tail
# are partial registers that go through the same arithmetic as the body: f(x) never depends on where x stands.
from libc.stdint cimport uintptr_t

from .lanes cimport (
    F32_LANES, F64_LANES, end_stream, f32x, load_f32, load_f64, load_part_f32, load_part_f64, real, store_f32,
    store_f64, store_part_f32, store_part_f64, stream_f32, stream_f64,
)

cdef enum:
    # An output of this many bytes is larger than the L2 of today's cores: it will not be found there again.
    STREAM_BYTES = 1 << 23


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


cdef inline Py_ssize_t lanes(const real* p) noexcept nogil:
    if real is f32x:
        return F32_LANES
    else:
        return F64_LANES


cdef inline Py_ssize_t itemsize(const real* p) noexcept nogil:
    # bytes an element
    return <Py_ssize_t>sizeof(real) // lanes(p)


cdef inline const real* skip(const real* p, Py_ssize_t n) noexcept nogil:
    # n elements on
    if real is f32x:
        return <const real*>(<const float*>p + n)
    else:
        return <const real*>(<const double*>p + n)


cdef inline Py_ssize_t head(const real* y, Py_ssize_t n) noexcept nogil:
    # how many elements stand before y's first register boundary, where it pays to start there
    cdef Py_ssize_t width = lanes(y)
    cdef Py_ssize_t before = <Py_ssize_t>(-<uintptr_t>y % sizeof(real)) // itemsize(y)
    return before if n > 4 * width else 0


cdef inline bint streams(const real* x, const real* y, Py_ssize_t n) noexcept nogil:
    # whether to write past the caches: a large output, apart from its input, on a boundary once the head is done
    return n * itemsize(y) >= STREAM_BYTES and x != y and <uintptr_t>y % itemsize(y) == 0


cdef inline void map1(real (*f)(real) noexcept nogil, const real* x, real* y, Py_ssize_t n) noexcept nogil:
    # y = f(x)
    cdef Py_ssize_t part = head(y, n)
    cdef bint streamed = streams(x, y, n)
    cdef real first, second  # two registers at a time: a function is a chain of latencies, and two chains overlap
    while n > 0:
        if part:
            store_part(y, f(load_part(x, part)), part)
            x = skip(x, part)
            y = <real*>skip(y, part)
            n -= part
        while n >= 2 * lanes(y):
            first = f(load(x))
            second = f(load(x + 1))
            if streamed:
                stream(y, first)
                stream(y + 1, second)
            else:
                store(y, first)
                store(y + 1, second)
            x += 2
            y += 2
            n -= 2 * lanes(y)
        part = min(n, lanes(y))
    if streamed:
        end_stream()


cdef inline void map2(real (*f)(real, real) noexcept nogil, const real* a, const real* b, real* y,
                      Py_ssize_t n) noexcept nogil:
    # y = f(a, b)
    cdef Py_ssize_t part = head(y, n)
    cdef bint streamed = streams(a, y, n) and streams(b, y, n)
    cdef real first, second
    while n > 0:
        if part:
            store_part(y, f(load_part(a, part), load_part(b, part)), part)
            a = skip(a, part)
            b = skip(b, part)
            y = <real*>skip(y, part)
            n -= part
        while n >= 2 * lanes(y):
            first = f(load(a), load(b))
            second = f(load(a + 1), load(b + 1))
            if streamed:
                stream(y, first)
                stream(y + 1, second)
            else:
                store(y, first)
                store(y + 1, second)
            a += 2
            b += 2
            y += 2
            n -= 2 * lanes(y)
        part = min(n, lanes(y))
    if streamed:
        end_stream()


# Functions of more operands are mostly called for a block at a time, their parameters being broadcast into one: they
# have neither head nor streaming stores.
cdef inline void map3(real (*f)(real, real, real) noexcept nogil, const real* a, const real* b, const real* c, real* y,
                      Py_ssize_t n) noexcept nogil:
    # y = f(a, b, c)
    while n >= lanes(y):
        store(y, f(load(a), load(b), load(c)))
        a += 1
        b += 1
        c += 1
        y += 1
        n -= lanes(y)
    if n > 0:
        store_part(y, f(load_part(a, n), load_part(b, n), load_part(c, n)), n)


cdef inline void map4(real (*f)(real, real, real, real) noexcept nogil, const real* a, const real* b, const real* c,
                      const real* d, real* y, Py_ssize_t n) noexcept nogil:
    # y = f(a, b, c, d)
    while n >= lanes(y):
        store(y, f(load(a), load(b), load(c), load(d)))
        a += 1
        b += 1
        c += 1
        d += 1
        y += 1
        n -= lanes(y)
    if n > 0:
        store_part(y, f(load_part(a, n), load_part(b, n), load_part(c, n), load_part(d, n)), n)


cdef inline void map3_to_2(real (*f)(real, real, real, real*) noexcept nogil, const real* a, const real* b,
                           const real* c, real* y, real* z, Py_ssize_t n) noexcept nogil:
    # y, z = f(a, b, c)
    cdef real first, second
    while n >= lanes(y):
        first = f(load(a), load(b), load(c), &second)
        store(y, first)
        store(z, second)
        a += 1
        b += 1
        c += 1
        y += 1
        z += 1
        n -= lanes(y)
    if n > 0:
        first = f(load_part(a, n), load_part(b, n), load_part(c, n), &second)
        store_part(y, first, n)
        store_part(z, second, n)
