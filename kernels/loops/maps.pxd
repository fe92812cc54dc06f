# Arrays to registers, in one place: heads, bodies and tails, streaming stores. No mathematics, no Python.
#
# Head and tail are partial registers that go through the same arithmetic as the body: f(x) never depends on where x
# stands. A register's loads and stores are registers.pxd.
from libc.stdint cimport uintptr_t

from ..lanes cimport REGISTERS, any_count, called, end_stream, f32x, real
from .registers cimport STREAM_BYTES, itemsize, lanes, load, load_part, skip, store, store_part, stream

cdef enum:
    MANY = 8  # operands of a function, at most
    AT_ONCE = 1 + (REGISTERS >= 32)  # registers a turn: with more of them, the compiler has two results wait at a time

# Fewer elements than two registers, between memory and registers: what is not there is 0 in them.

cdef inline void take_part(real* copy, const real* x, Py_ssize_t n) noexcept nogil:
    copy[0] = load_part(x, min(n, lanes(x)))
    copy[1] = load_part(skip(x, lanes(x)), max(n - lanes(x), 0))


cdef inline void put_part(real* y, const real* copy, Py_ssize_t n) noexcept nogil:
    store_part(y, copy[0], min(n, lanes(y)))
    store_part(<real*>skip(y, lanes(y)), copy[1], max(n - lanes(y), 0))


# A function stands once in the code of each loop below, or twice where there are registers for two at once, since every
# copy of it costs compile time. A loop takes whole registers. A kernel gives other arrays to in_parts, which calls it
# again for what comes before the first register boundary, for whole registers, and for what is left at the end. The
# first and the last are put into registers on the stack: elements that are not there are 0 in them.

ctypedef void (*kernel2)(void*, void*, Py_ssize_t) noexcept nogil
ctypedef void (*kernel3)(void*, void*, void*, Py_ssize_t) noexcept nogil
ctypedef void (*kernel4)(void*, void*, void*, void*, Py_ssize_t) noexcept nogil
ctypedef void (*kernel5)(void*, void*, void*, void*, void*, Py_ssize_t) noexcept nogil
ctypedef void (*kernel6)(void*, void*, void*, void*, void*, void*, Py_ssize_t) noexcept nogil
ctypedef void (*kernel8)(void*, void*, void*, void*, void*, void*, void*, void*, Py_ssize_t) noexcept nogil


cdef struct Parted:
    # an array that is no whole registers, and the kernel that was called for it
    void* kernel
    int n_in
    int n_out
    int shift  # an element has 2^shift bytes
    char* operands[MANY]  # inputs and then outputs


cdef inline void call_kernel(void* kernel, int operands, char** p, Py_ssize_t n) noexcept nogil:
    # of inputs and then outputs
    if operands == 2:
        (<kernel2>kernel)(p[0], p[1], n)
    elif operands == 3:
        (<kernel3>kernel)(p[0], p[1], p[2], n)
    elif operands == 4:
        (<kernel4>kernel)(p[0], p[1], p[2], p[3], n)
    elif operands == 5:
        (<kernel5>kernel)(p[0], p[1], p[2], p[3], p[4], n)
    elif operands == 6:
        (<kernel6>kernel)(p[0], p[1], p[2], p[3], p[4], p[5], n)
    else:
        (<kernel8>kernel)(p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7], n)


# Functions of more than two inputs are mostly called for a block at a time, their parameters being broadcast into one:
# they have neither heads nor streaming stores, and take one register a turn.

cdef inline Py_ssize_t registers_a_turn(int n_in) noexcept nogil:
    return AT_ONCE if n_in <= 2 else 1


cdef inline Py_ssize_t bytes_before(const void* y, Py_ssize_t bytes) noexcept nogil:
    # before y's first register boundary, where it pays to start there: in long arrays alone
    return <Py_ssize_t>(-<uintptr_t>y % sizeof(f32x)) if bytes > 64 * <Py_ssize_t>sizeof(f32x) else 0


cdef inline void take_floats(f32x* copy, const f32x* x, Py_ssize_t n, Py_ssize_t registers) noexcept nogil:
    if registers > 1:
        take_part(copy, x, n)
    else:
        copy[0] = load_part(x, n)


cdef inline void put_floats(f32x* y, const f32x* copy, Py_ssize_t n, Py_ssize_t registers) noexcept nogil:
    if registers > 1:
        put_part(y, copy, n)
    else:
        store_part(y, copy[0], n)


cdef inline void in_parts(Parted* own, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t most = registers_a_turn(own.n_in), width = most * <Py_ssize_t>sizeof(f32x), part
    cdef Py_ssize_t left = n << own.shift
    cdef f32x copies[MANY]
    cdef char* at[MANY]
    cdef char** operands = own.operands  # by pointers, since GCC takes apart what runs over arrays
    cdef char** p = at
    cdef f32x* copy = copies
    cdef int k, count = own.n_in + own.n_out
    part = bytes_before(operands[own.n_in], left) >> own.shift << own.shift if own.n_in <= 2 else 0
    while left > 0:
        if part == 0 and left >= width:
            part = left - left % width
            call_kernel(own.kernel, count, operands, part >> own.shift)
            for k in range(count):
                operands[k] += part
        else:
            part = part or left
            for k in range(count):
                p[k] = <char*>(copy + k * most)
                take_floats(<f32x*>p[k], <const f32x*>operands[k], part >> 2, most)
            call_kernel(own.kernel, count, p, width >> own.shift)
            for k in range(count):
                if k >= own.n_in:
                    put_floats(<f32x*>operands[k], <const f32x*>p[k], part >> 2, most)
                operands[k] += part
        left -= part
        part = 0


cdef inline void parts_of_2(const void* a, void* y, Py_ssize_t n, void* kernel, int shift) noexcept nogil:
    cdef Parted own
    own.kernel, own.n_in, own.n_out, own.shift = kernel, 1, 1, shift
    own.operands[0], own.operands[1] = <char*>a, <char*>y
    in_parts(&own, n)


cdef inline void parts_of_3(const void* a, const void* b, void* y, Py_ssize_t n, void* kernel,
                            int shift) noexcept nogil:
    cdef Parted own
    own.kernel, own.n_in, own.n_out, own.shift = kernel, 2, 1, shift
    own.operands[0], own.operands[1], own.operands[2] = <char*>a, <char*>b, <char*>y
    in_parts(&own, n)


cdef inline void parts_of_4(const void* a, const void* b, const void* c, void* y, Py_ssize_t n, void* kernel,
                            int shift) noexcept nogil:
    cdef Parted own
    own.kernel, own.n_in, own.n_out, own.shift = kernel, 3, 1, shift
    own.operands[0], own.operands[1], own.operands[2], own.operands[3] = <char*>a, <char*>b, <char*>c, <char*>y
    (<in_parts_function>called(<void*>in_parts))(&own, n)


cdef inline void parts_of_5(const void* a, const void* b, const void* c, void* d, void* y, Py_ssize_t n, void* kernel,
                            int shift, int n_in) noexcept nogil:
    cdef Parted own
    own.kernel, own.n_in, own.n_out, own.shift = kernel, n_in, 5 - n_in, shift
    own.operands[0], own.operands[1], own.operands[2], own.operands[3] = <char*>a, <char*>b, <char*>c, <char*>d
    own.operands[4] = <char*>y
    (<in_parts_function>called(<void*>in_parts))(&own, n)


ctypedef void (*in_parts_function)(Parted*, Py_ssize_t) noexcept nogil
ctypedef void (*parts_of_2_function)(const void*, void*, Py_ssize_t, void*, int) noexcept nogil
ctypedef void (*parts_of_3_function)(const void*, const void*, void*, Py_ssize_t, void*, int) noexcept nogil
ctypedef void (*parts_of_4_function)(const void*, const void*, const void*, void*, Py_ssize_t, void*,
                                     int) noexcept nogil
ctypedef void (*parts_of_5_function)(const void*, const void*, const void*, void*, void*, Py_ssize_t, void*, int,
                                     int) noexcept nogil


cdef inline int shift_of(const real* y) noexcept nogil:
    return 2 if itemsize(y) == 4 else 3


cdef inline bint is_whole(const real* y, Py_ssize_t n, int n_in) noexcept nogil:
    if n % (registers_a_turn(n_in) * lanes(y)) != 0:
        return False
    return n_in > 2 or bytes_before(y, n * itemsize(y)) < itemsize(y)


cdef inline bint streams(const real* a, const real* b, const real* y, Py_ssize_t n) noexcept nogil:
    # whether to write past the caches: a large output, apart from its inputs, on a boundary
    return n * itemsize(y) >= STREAM_BYTES and a != y and b != y and <uintptr_t>y % sizeof(real) == 0


cdef inline void put(real* y, real value, bint streamed) noexcept nogil:
    if streamed:
        stream(y, value)
    else:
        store(y, value)


cdef inline void map1(real (*f)(real) noexcept nogil, void* kernel, const real* x, real* y,
                      Py_ssize_t n) noexcept nogil:
    # y = f(x)
    cdef bint streamed
    cdef real first, second
    if not is_whole(y, n, 1):
        (<parts_of_2_function>called(<void*>parts_of_2))(x, y, n, kernel, shift_of(y))
        return
    streamed = streams(x, x, y, n)
    while n > 0:
        first, second = f(load(x)), f(load(x + AT_ONCE - 1))
        put(y, first, streamed)
        if AT_ONCE > 1:
            put(y + 1, second, streamed)
        x += AT_ONCE
        y += AT_ONCE
        n -= AT_ONCE * lanes(y)
    if streamed:
        end_stream()


cdef inline void map2(real (*f)(real, real) noexcept nogil, void* kernel, const real* a, const real* b, real* y,
                      Py_ssize_t n) noexcept nogil:
    # y = f(a, b)
    cdef bint streamed
    if not is_whole(y, n, 2):
        (<parts_of_3_function>called(<void*>parts_of_3))(a, b, y, n, kernel, shift_of(y))
        return
    streamed = streams(a, b, y, n)
    while n > 0:
        put(y, f(load(a), load(b)), streamed)
        a += 1
        b += 1
        y += 1
        n -= lanes(y)
    if streamed:
        end_stream()


cdef inline void map2_abreast(real (*f)(real, real) noexcept nogil, void* kernel, const real* a, const real* b, real* y,
                              Py_ssize_t n) noexcept nogil:
    # the same for an f of many steps that wait for each other: the other loop has one register a turn
    cdef bint streamed
    cdef real first, second
    if not is_whole(y, n, 2):
        (<parts_of_3_function>called(<void*>parts_of_3))(a, b, y, n, kernel, shift_of(y))
        return
    streamed = streams(a, b, y, n)
    while n > 0:
        first, second = f(load(a), load(b)), f(load(a + AT_ONCE - 1), load(b + AT_ONCE - 1))
        put(y, first, streamed)
        if AT_ONCE > 1:
            put(y + 1, second, streamed)
        a += AT_ONCE
        b += AT_ONCE
        y += AT_ONCE
        n -= AT_ONCE * lanes(y)
    if streamed:
        end_stream()


cdef inline void map3(real (*f)(real, real, real) noexcept nogil, void* kernel, const real* a, const real* b,
                      const real* c, real* y, Py_ssize_t n) noexcept nogil:
    # y = f(a, b, c)
    if not is_whole(y, n, 3):
        (<parts_of_4_function>called(<void*>parts_of_4))(a, b, c, y, n, kernel, shift_of(y))
        return
    while n > 0:
        store(y, f(load(a), load(b), load(c)))
        a += 1
        b += 1
        c += 1
        y += 1
        n -= lanes(y)


cdef inline void map4(real (*f)(real, real, real, real) noexcept nogil, void* kernel, const real* a, const real* b,
                      const real* c, const real* d, real* y, Py_ssize_t n) noexcept nogil:
    # y = f(a, b, c, d)
    if not is_whole(y, n, 4):
        (<parts_of_5_function>called(<void*>parts_of_5))(a, b, c, <void*>d, y, n, kernel, shift_of(y), 4)
        return
    while n > 0:
        store(y, f(load(a), load(b), load(c), load(d)))
        a += 1
        b += 1
        c += 1
        d += 1
        y += 1
        n -= lanes(y)


cdef inline void map3_to_2(real (*f)(real, real, real, real*) noexcept nogil, void* kernel, const real* a,
                           const real* b, const real* c, real* y, real* z, Py_ssize_t n) noexcept nogil:
    # y, z = f(a, b, c)
    cdef real first, second
    if not is_whole(y, n, 3):
        (<parts_of_5_function>called(<void*>parts_of_5))(a, b, c, y, z, n, kernel, shift_of(y), 3)
        return
    while n > 0:
        first = f(load(a), load(b), load(c), &second)
        store(y, first)
        store(z, second)
        a += 1
        b += 1
        c += 1
        y += 1
        z += 1
        n -= lanes(y)


cdef inline void map_many(void (*f)(const real*, real*) noexcept nogil, void* kernel, int n_in, int n_out,
                          real** operands, Py_ssize_t n) noexcept nogil:
    # the n_out operands behind the first n_in are f of those: a register of each, in one array. For functions of
    # more operands than those above take.
    cdef Parted own
    cdef real x[MANY]
    cdef real y[2]
    cdef Py_ssize_t i = 0
    cdef int k
    if not is_whole(operands[0], n, n_in):
        own.kernel, own.n_in, own.n_out, own.shift = kernel, n_in, n_out, shift_of(operands[0])
        for k in range(n_in + n_out):
            own.operands[k] = <char*>operands[k]
        (<in_parts_function>called(<void*>in_parts))(&own, n)
        return
    while i < n:
        for k in range(n_in):
            x[k] = load(skip(operands[k], i))
        f(x, y)
        for k in range(n_out):
            store(<real*>skip(operands[n_in + k], i), y[k])
        i += lanes(operands[0])


cdef inline void map2_of_any(real (*f)(real, real) noexcept nogil, const real* a, const real* b, real* y,
                             Py_ssize_t n) noexcept nogil:
    # y = f(a, b) within a function that is no kernel
    cdef Py_ssize_t left
    cdef real copies[3]
    cdef real* target = y
    while n > 0:
        left = n
        if n < lanes(y):
            copies[0] = load_part(a, n)
            copies[1] = load_part(b, n)
            a, b, target = copies, copies + 1, copies + 2
            left = any_count(lanes(y))
        while left >= lanes(y):
            store(target, f(load(a), load(b)))
            a += 1
            b += 1
            target += 1
            left -= lanes(y)
        if n < lanes(y):
            store_part(y, copies[2], n)
            return
        y, n = target, left
