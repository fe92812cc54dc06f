# Arrays to registers, in one place: heads, bodies and tails, streaming stores. No mathematics, no Python.
#
# Head and tail are partial registers that go through the same arithmetic as the body: f(x) never depends on where x
# stands. A register's loads and stores are registers.pxd.
from libc.stdint cimport uintptr_t

from ..lanes cimport any_count, end_stream, real
from .registers cimport (
    STREAM_BYTES, head, itemsize, lanes, load, load_part, skip, store, store_part, stream,
)


cdef enum:
    MANY = 8  # inputs of map_many


cdef inline Py_ssize_t long_head(const real* y, Py_ssize_t n) noexcept nogil:
    # head() for loops whose function costs more than a store across a boundary: it pays in long arrays alone
    return head(y, n) if n > 64 * lanes(y) else 0


cdef inline bint streams(const real* x, const real* y, Py_ssize_t n) noexcept nogil:
    # whether to write past the caches: a large output, apart from its input, on a boundary once the head is done
    return n * itemsize(y) >= STREAM_BYTES and x != y and <uintptr_t>y % itemsize(y) == 0


# A function stands once in the code of each loop below, since every copy of it costs compile time. What comes before
# the first register boundary and what is left at the end therefore goes through the same code as whole registers do, by
# way of registers on the stack: elements that are not there are 0 in them.

cdef inline void take_part(real* copy, const real* x, Py_ssize_t n) noexcept nogil:
    # n elements, fewer than two registers of them
    copy[0] = load_part(x, min(n, lanes(x)))
    copy[1] = load_part(skip(x, lanes(x)), max(n - lanes(x), 0))


cdef inline void put_part(real* y, const real* copy, Py_ssize_t n) noexcept nogil:
    store_part(y, copy[0], min(n, lanes(y)))
    store_part(<real*>skip(y, lanes(y)), copy[1], max(n - lanes(y), 0))


cdef inline void map1(real (*f)(real) noexcept nogil, const real* x, real* y, Py_ssize_t n) noexcept nogil:
    # y = f(x)
    cdef Py_ssize_t pair = 2 * lanes(y), part = long_head(y, n), left
    cdef bint streamed = streams(x, y, n), past_caches
    cdef real x_copy[2]
    cdef real y_copy[2]
    cdef const real* source
    cdef real* target
    cdef real first, second  # two registers at a time: a function is a chain of latencies, and two chains overlap
    while n > 0:
        source, target, past_caches = x, y, streamed
        if part == 0 and n < pair:
            part = n
        left = n
        if part:
            take_part(x_copy, x, part)
            source, target, past_caches, left = x_copy, y_copy, False, any_count(pair)
        while left >= pair:
            first = f(load(source))
            second = f(load(source + 1))
            if past_caches:
                stream(target, first)
                stream(target + 1, second)
            else:
                store(target, first)
                store(target + 1, second)
            source += 2
            target += 2
            left -= pair
        if part:
            put_part(y, y_copy, part)
        else:
            part = n - left
        x = skip(x, part)
        y = <real*>skip(y, part)
        n -= part
        part = 0
    if streamed:
        end_stream()


cdef inline void map2(real (*f)(real, real) noexcept nogil, const real* a, const real* b, real* y,
                      Py_ssize_t n) noexcept nogil:
    # y = f(a, b)
    cdef Py_ssize_t pair = 2 * lanes(y), part = long_head(y, n), left
    cdef bint streamed = streams(a, y, n) and streams(b, y, n), past_caches
    cdef real a_copy[2]
    cdef real b_copy[2]
    cdef real y_copy[2]
    cdef const real* from_a
    cdef const real* from_b
    cdef real* target
    cdef real first, second
    while n > 0:
        from_a, from_b, target, past_caches = a, b, y, streamed
        if part == 0 and n < pair:
            part = n
        left = n
        if part:
            take_part(a_copy, a, part)
            take_part(b_copy, b, part)
            from_a, from_b, target, past_caches, left = a_copy, b_copy, y_copy, False, any_count(pair)
        while left >= pair:
            first = f(load(from_a), load(from_b))
            second = f(load(from_a + 1), load(from_b + 1))
            if past_caches:
                stream(target, first)
                stream(target + 1, second)
            else:
                store(target, first)
                store(target + 1, second)
            from_a += 2
            from_b += 2
            target += 2
            left -= pair
        if part:
            put_part(y, y_copy, part)
        else:
            part = n - left
        a = skip(a, part)
        b = skip(b, part)
        y = <real*>skip(y, part)
        n -= part
        part = 0
    if streamed:
        end_stream()


# Functions of more operands are mostly called for a block at a time, their parameters being broadcast into one: they
# have neither head nor streaming stores.
cdef inline void map3(real (*f)(real, real, real) noexcept nogil, const real* a, const real* b, const real* c,
                      real* y, Py_ssize_t n) noexcept nogil:
    # y = f(a, b, c)
    cdef Py_ssize_t left
    cdef real copies[4]
    cdef real* target = y
    while n > 0:
        left = n
        if n < lanes(y):
            copies[0] = load_part(a, n)
            copies[1] = load_part(b, n)
            copies[2] = load_part(c, n)
            a, b, c, target = copies, copies + 1, copies + 2, copies + 3
            left = any_count(lanes(y))
        while left >= lanes(y):
            store(target, f(load(a), load(b), load(c)))
            a += 1
            b += 1
            c += 1
            target += 1
            left -= lanes(y)
        if n < lanes(y):
            store_part(y, copies[3], n)
            return
        y, n = target, left


cdef inline void map4(real (*f)(real, real, real, real) noexcept nogil, const real* a, const real* b, const real* c,
                      const real* d, real* y, Py_ssize_t n) noexcept nogil:
    # y = f(a, b, c, d)
    cdef Py_ssize_t left
    cdef real copies[5]
    cdef real* target = y
    while n > 0:
        left = n
        if n < lanes(y):
            copies[0] = load_part(a, n)
            copies[1] = load_part(b, n)
            copies[2] = load_part(c, n)
            copies[3] = load_part(d, n)
            a, b, c, d, target = copies, copies + 1, copies + 2, copies + 3, copies + 4
            left = any_count(lanes(y))
        while left >= lanes(y):
            store(target, f(load(a), load(b), load(c), load(d)))
            a += 1
            b += 1
            c += 1
            d += 1
            target += 1
            left -= lanes(y)
        if n < lanes(y):
            store_part(y, copies[4], n)
            return
        y, n = target, left


cdef inline void map3_to_2(real (*f)(real, real, real, real*) noexcept nogil, const real* a, const real* b,
                           const real* c, real* y, real* z, Py_ssize_t n) noexcept nogil:
    # y, z = f(a, b, c)
    cdef Py_ssize_t left
    cdef real copies[5]
    cdef real first, second
    cdef real* target = y
    cdef real* other = z
    while n > 0:
        left = n
        if n < lanes(y):
            copies[0] = load_part(a, n)
            copies[1] = load_part(b, n)
            copies[2] = load_part(c, n)
            a, b, c, target = copies, copies + 1, copies + 2, copies + 3
            other = copies + 4
            left = any_count(lanes(y))
        while left >= lanes(y):
            first = f(load(a), load(b), load(c), &second)
            store(target, first)
            store(other, second)
            a += 1
            b += 1
            c += 1
            target += 1
            other += 1
            left -= lanes(y)
        if n < lanes(y):
            store_part(y, copies[3], n)
            store_part(z, copies[4], n)
            return
        y, z, n = target, other, left


cdef inline void map_many(void (*f)(const real*, real*) noexcept nogil, int n_in, int n_out, real** operands,
                          Py_ssize_t n) noexcept nogil:
    # the n_out operands behind the first n_in are f of those: a register of each, in one array. For functions of
    # more operands than those above take.
    cdef real x[MANY]
    cdef real y[2]
    cdef Py_ssize_t i = 0, width = lanes(&x[0]), part
    cdef int k
    while i < n:
        part = min(width, n - i)
        for k in range(n_in):
            x[k] = load(skip(operands[k], i)) if part == width else load_part(skip(operands[k], i), part)
        f(x, y)
        for k in range(n_out):
            if part == width:
                store(<real*>skip(operands[n_in + k], i), y[k])
            else:
                store_part(<real*>skip(operands[n_in + k], i), y[k], part)
        i += width
