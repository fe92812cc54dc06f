# Rows of any dtype and stride to tiles and back: rows of float32 or float64, one after the other, as kernels take them.
#
# Where neighbouring rows are neighbours in memory (axis 0 of a C-ordered array) a tile is transposed in registers. What
# is done with a tile is rows.pxd.
from libc.stdint cimport uint16_t

from ..lanes cimport (
    F32_LANES, f32x, f64x, load_bfloat16, load_f32, load_float16, load_turned_f32, real, store_bfloat16,
    store_bfloat16_pair, store_f32, store_float16, store_turned_eight_f32, store_turned_f32,
)
from .dtypes cimport BFLOAT16, FLOAT16, FLOAT32, FLOAT64, Dtype, is_short, size_of
from .registers cimport itemsize, lanes, load, skip, store, zip_high, zip_low
from .shared cimport copy_items, shared
from .ufuncs cimport SHORT_BLOCK, gather, put

cdef enum:
    TILE = 16  # rows: as many as the widest register has lanes
    PADDING = 16  # elements behind a tile, for 16-bit elements are widened by whole registers


cdef inline void transpose(real* tile) noexcept nogil:
    # as many registers as a register has lanes; each stage interleaves the first half with the second
    cdef real other[16]
    cdef int k, half = lanes(tile) // 2, stage = 1
    while stage < lanes(tile):
        for k in range(half):
            other[2 * k] = zip_low(tile[k], tile[k + half])
            other[2 * k + 1] = zip_high(tile[k], tile[k + half])
        for k in range(2 * half):
            tile[k] = other[k]
        stage *= 2


cdef inline real widen(Dtype dtype, const real* like, const char* x) noexcept nogil:
    if real is f32x:
        if dtype == FLOAT16:
            return load_float16(<const uint16_t*>x)
        if dtype == BFLOAT16:
            return load_bfloat16(<const uint16_t*>x)
    return load(<const real*>x)


cdef inline void narrow(Dtype dtype, char* y, real x) noexcept nogil:
    if real is f32x:
        if dtype == FLOAT16:
            store_float16(<uint16_t*>y, x)
            return
        if dtype == BFLOAT16:
            store_bfloat16(<uint16_t*>y, x)
            return
    store(<real*>y, x)


cdef inline void narrow_pair(Dtype dtype, char* y, real x, real next) noexcept nogil:
    if real is f32x:
        if dtype == BFLOAT16:
            store_bfloat16_pair(<uint16_t*>y, x, next)
            return
    narrow(dtype, y, x)
    narrow(dtype, y + lanes(&x) * size_of(dtype), next)


cdef inline bint direct(Dtype dtype, Py_ssize_t stride, Py_ssize_t n) noexcept nogil:
    # whether a kernel may take a row where it stands
    return not is_short(dtype) and (stride == size_of(dtype) or n <= 1)


cdef inline Dtype own_dtype(const real* like) noexcept nogil:
    return FLOAT32 if real is f32x else FLOAT64


# What goes row after row is made for each dtype, so that no register has to ask which it is of. A square that is
# transposed asks once, before and after.

cdef inline Py_ssize_t widen_registers(Dtype dtype, real* tile, const char* x, Py_ssize_t n) noexcept nogil:
    # whole registers of contiguous elements; how many elements that were
    cdef Py_ssize_t i = 0
    while i + lanes(tile) <= n:
        store(<real*>skip(tile, i), widen(dtype, tile, x + i * size_of(dtype)))
        i += lanes(tile)
    return i


cdef inline Py_ssize_t narrow_registers(Dtype dtype, char* y, const real* tile, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i = 0
    if real is f32x:
        while dtype == BFLOAT16 and i + 2 * lanes(tile) <= n:
            narrow_pair(BFLOAT16, y + i * size_of(BFLOAT16), load(skip(tile, i)), load(skip(tile, i + lanes(tile))))
            i += 2 * lanes(tile)
    while i + lanes(tile) <= n:
        narrow(dtype, y + i * size_of(dtype), load(skip(tile, i)))
        i += lanes(tile)
    return i


cdef inline void widen_columns(Dtype dtype, real* tile, const char* x, Py_ssize_t stride, Py_ssize_t n) noexcept nogil:
    # as many rows as a register has lanes, neighbours in memory, whose elements are `stride` apart
    cdef real square[16]
    cdef Py_ssize_t width = lanes(tile), i = 0, k
    while i < n:
        i = min(i, n - width)
        if dtype == FLOAT16:
            for k in range(width):
                square[k] = widen(FLOAT16, tile, x + (i + k) * stride)
        elif dtype == BFLOAT16:
            for k in range(width):
                square[k] = widen(BFLOAT16, tile, x + (i + k) * stride)
        else:
            for k in range(width):
                square[k] = load(<const real*>(x + (i + k) * stride))
        transpose(square)
        for k in range(width):
            store(<real*>skip(tile, k * n + i), square[k])
        i += width


cdef inline void narrow_columns(Dtype dtype, char* y, Py_ssize_t stride, const real* tile, Py_ssize_t n) noexcept nogil:
    cdef real square[16]
    cdef Py_ssize_t width = lanes(tile), i = 0, k
    while i < n:
        i = min(i, n - width)
        for k in range(width):
            square[k] = load(skip(tile, k * n + i))
        transpose(square)
        if dtype == FLOAT16:
            for k in range(width):
                narrow(FLOAT16, y + (i + k) * stride, square[k])
        elif dtype == BFLOAT16:
            for k in range(width):
                narrow(BFLOAT16, y + (i + k) * stride, square[k])
        else:
            for k in range(width):
                store(<real*>(y + (i + k) * stride), square[k])
        i += width


# Neighbouring rows as they stand, some whole registers of them: element i of each, side by side, to a tile and back.

cdef inline void widen_across_of(Dtype dtype, real* tile, const char* x, Py_ssize_t stride, Py_ssize_t rows,
                                 Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i, k, width = lanes(tile)
    for i in range(n):
        for k in range(rows // width):
            store(<real*>skip(tile, i * rows + k * width), widen(
                dtype, tile, x + i * stride + k * width * size_of(dtype)))


cdef inline void widen_across(Dtype dtype, real* tile, const char* x, Py_ssize_t stride, Py_ssize_t rows,
                              Py_ssize_t n) noexcept nogil:
    if dtype == FLOAT16:
        widen_across_of(FLOAT16, tile, x, stride, rows, n)
    elif dtype == BFLOAT16:
        widen_across_of(BFLOAT16, tile, x, stride, rows, n)
    else:
        widen_across_of(own_dtype(tile), tile, x, stride, rows, n)


cdef inline void narrow_across_of(Dtype dtype, char* y, Py_ssize_t stride, const real* tile, Py_ssize_t rows,
                                  Py_ssize_t done, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n):
        narrow_registers(dtype, y + i * stride, skip(tile, i * rows), done)


cdef inline void narrow_across(Dtype dtype, char* y, Py_ssize_t stride, const real* tile, Py_ssize_t rows,
                               Py_ssize_t done, Py_ssize_t n) noexcept nogil:
    # the first `done` of these rows
    if dtype == FLOAT16:
        narrow_across_of(FLOAT16, y, stride, tile, rows, done, n)
    elif dtype == BFLOAT16:
        narrow_across_of(BFLOAT16, y, stride, tile, rows, done, n)
    else:
        narrow_across_of(own_dtype(tile), y, stride, tile, rows, done, n)


# Rows of float32 turned: element i of each, side by side, to a tile of some whole registers of rows, and back.

cdef inline void turn(float* tile, const char* x, Py_ssize_t step, Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    cdef f32x four[4]
    cdef float* own
    cdef Py_ssize_t i, r = 0
    while r < rows and n >= 4:
        i = 0
        while i < n:
            i = min(i, n - 4)
            load_turned_f32(x + i * 4, step, four)
            own = tile + i * rows
            store_f32(own, four[0])
            store_f32(own + rows, four[1])
            store_f32(own + 2 * rows, four[2])
            store_f32(own + 3 * rows, four[3])
            i += 4
        x += F32_LANES * step
        tile += F32_LANES
        r += F32_LANES
    for r in range(rows if n < 4 else 0):
        for i in range(n):
            tile[i * rows + r] = (<const float*>(x + r * step))[i]


cdef inline void turn_back(char* y, Py_ssize_t step, const float* tile, Py_ssize_t rows, Py_ssize_t done,
                           Py_ssize_t n) noexcept nogil:
    # the first `done` of these rows
    cdef f32x four[4]
    cdef f32x eight[8]
    cdef const float* own
    cdef Py_ssize_t i, r = 0
    cdef int k
    while r < done and n >= 4:
        i = 0
        while i + 8 <= n:
            for k in range(8):
                eight[k] = load_f32(tile + (i + k) * rows)
            store_turned_eight_f32(y + i * 4, step, eight)
            i += 8
        while i < n:
            i = min(i, n - 4)
            own = tile + i * rows
            four[0] = load_f32(own)
            four[1] = load_f32(own + rows)
            four[2] = load_f32(own + 2 * rows)
            four[3] = load_f32(own + 3 * rows)
            store_turned_f32(y + i * 4, step, four)
            i += 4
        y += F32_LANES * step
        tile += F32_LANES
        r += F32_LANES
    for r in range(done if n < 4 else 0):
        for i in range(n):
            (<float*>(y + r * step))[i] = tile[i * rows + r]


cdef inline void take_elements(Dtype dtype, real* tile, const char* x, Py_ssize_t stride, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i = 0
    if stride == size_of(dtype):
        if dtype == FLOAT16:
            i = widen_registers(FLOAT16, tile, x, n)
        elif dtype == BFLOAT16:
            i = widen_registers(BFLOAT16, tile, x, n)
        else:
            i = widen_registers(own_dtype(tile), tile, x, n)
    while i < n:
        gather(dtype, <void*>skip(tile, i), x + i * stride, stride, min(<Py_ssize_t>SHORT_BLOCK, n - i))
        i += SHORT_BLOCK


cdef inline void put_elements(Dtype dtype, char* y, Py_ssize_t stride, const real* tile, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i = 0
    if stride == size_of(dtype):
        if dtype == FLOAT16:
            i = narrow_registers(FLOAT16, y, tile, n)
        elif dtype == BFLOAT16:
            i = narrow_registers(BFLOAT16, y, tile, n)
        else:
            i = narrow_registers(own_dtype(tile), y, tile, n)
    while i < n:
        put(dtype, y + i * stride, stride, <const void*>skip(tile, i), min(<Py_ssize_t>SHORT_BLOCK, n - i), False)
        i += SHORT_BLOCK


# A row of any dtype is taken to one of that dtype's precision, and put back. Called, not copied to each place that has
# rows; by these, which activations.pyx has for all modules.

cdef inline void take_any_row(Dtype dtype, void* tile, const char* x, Py_ssize_t stride, Py_ssize_t n) noexcept nogil:
    if dtype == FLOAT64:
        take_elements(FLOAT64, <f64x*>tile, x, stride, n)
    else:
        take_elements(dtype, <f32x*>tile, x, stride, n)


cdef inline void put_any_row(Dtype dtype, char* y, Py_ssize_t stride, const void* tile, Py_ssize_t n) noexcept nogil:
    if dtype == FLOAT64:
        put_elements(FLOAT64, y, stride, <const f64x*>tile, n)
    else:
        put_elements(dtype, y, stride, <const f32x*>tile, n)


cdef inline void take_row(Dtype dtype, real* tile, const char* x, Py_ssize_t stride, Py_ssize_t n) noexcept nogil:
    shared().take_row(dtype, <void*>tile, x, stride, n)


cdef inline void put_row(Dtype dtype, char* y, Py_ssize_t stride, const real* tile, Py_ssize_t n) noexcept nogil:
    shared().put_row(dtype, y, stride, <const void*>tile, n)


cdef inline void take_rows(Dtype dtype, real* tile, const char* x, Py_ssize_t step, Py_ssize_t stride,
                           Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    # tile[r, i] = x[r, i], row after row; rows that follow one another are one row to what moves them, and of more rows
    # than elements these are moved one after the other
    cdef Py_ssize_t width = lanes(tile), size = itemsize(tile), r = 0, i
    if stride == size_of(dtype) and step == n * stride:
        rows, n = 1, rows * n
    if n < min(rows, width) and not is_short(dtype):
        for i in range(n):
            copy_items(dtype, <char*>tile + i * size, n * size, x + i * stride, step, rows)
        return
    while step == size_of(dtype) and stride != step and r + width <= rows and n >= width:
        widen_columns(dtype, <real*>skip(tile, r * n), x + r * step, stride, n)
        r += width
    while r < rows:
        take_row(dtype, <real*>skip(tile, r * n), x + r * step, stride, n)
        r += 1


cdef inline void put_rows(Dtype dtype, char* y, Py_ssize_t step, Py_ssize_t stride, const real* tile,
                          Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    # y[r, i] = tile[r, i]
    cdef Py_ssize_t width = lanes(tile), size = itemsize(tile), r = 0, i
    if stride == size_of(dtype) and step == n * stride:
        rows, n = 1, rows * n
    if n < min(rows, width) and not is_short(dtype):
        for i in range(n):
            copy_items(dtype, y + i * stride, step, <const char*>tile + i * size, n * size, rows)
        return
    while step == size_of(dtype) and stride != step and r + width <= rows and n >= width:
        narrow_columns(dtype, y + r * step, stride, skip(tile, r * n), n)
        r += width
    while r < rows:
        put_row(dtype, y + r * step, stride, skip(tile, r * n), n)
        r += 1
