# The row machine: kernels on rows of any dtype, stride and axis, in chunks that threads share. No mathematics.
#
# A kernel takes rows of float32 or float64. Rows that are strided or of 16 bits are brought into a tile first, by whole
# registers (tiles.pxd), so that a kernel never knows the axis, and its bits do not depend on it. A kernel that says so
# is given rows of 16 bits where they stand, if all are contiguous, and finds the same bits. All memory is asked
# for before the first row is read, so that running out of it leaves the outputs as they were.
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

cimport numpy as np

from ..lanes cimport (
    F32_LANES, F64_LANES, called, end_stream, enter_environment, environment, f32x, f64x, leave_environment, load_f32,
    load_f64, real, store_f32, store_f64, two_sum,
)
from .columns cimport HALVES, MOST_HALVES, collides, wide_halves
from .dtypes cimport BFLOAT16, FLOAT32, FLOAT64, Dtype, is_short, size_of
from .operations cimport (
    BEGINS, BFLOAT16_ROWS, FLOAT16_ROWS, FROM_MEMORY, GROUP, LONG_COLUMNS, MAX_ROW_OPERANDS, MOST_FILLED,
    MOST_REGISTERS, MOST_TURNED, NARROWED, ROW_BY_ROW, SHORT, SHORT_BYTES, SHORT_ROWS, SHORT_TILE, STREAMED,
    TURNED_TILE, WIDE, Operand, Operands, Operation, Pass, all_rows_kernel, column_kernel, group_kernel, group_of,
    run_groups, short_kernel,
)
from .reductions cimport Pair, add_compensated, put_wide, with_losses
from .registers cimport LINE, PAGE, STREAM_BYTES, ends_lines, head
from .threads cimport THREAD_MIN, chunk_function, run_chunks
from .tiles cimport (
    PADDING, TILE, direct, narrow_across, put_rows, take_row, take_rows, turn, turn_back, widen_across,
)

cdef enum:
    CHUNKS = 16  # at most, where each chunk has sums of its own, which are added in the end
    FEW_ROWS = 8  # of a chunk are added in float32, then twice as many, and only then in float64: such sums take twice
    # the room, so that to add to them after every group of rows would cost a sixth of layer_norm_backward. Those of
    # float64 keep their rounding errors as often
    SUMMED_ROWS = 64  # of such a chunk at least, unless they are long: its sums cost as much as a row or two
    MANY_CHUNKS = 64  # at most, where there are no such sums
    SUMS_BYTES = 1 << 25  # of the sums of all chunks at most, unless two chunks' have more; beside them each thread has
    # those of few rows
    ROOM = 16384  # bytes on the stack, for the tiles of small arrays
    UNWANTED = -1  # the offset of sums that nobody wants
    WIDE_BYTES = 1 << 17  # of each operand that a kernel of WIDE registers takes at a time at most
    PAYING = 32  # registers of neighbouring rows for which it pays that they begin at a register's boundary
    PAYING_LOADS = 480  # and registers of their elements, since the rows before the first boundary and behind the last
    # are two more registers of rows, each of which costs a call, as much as some four elements; twice as many where
    # columns drive each other from the first-level cache, and none where results may be written past the caches
    BRIEF = 8  # elements of a row, up to which twice as many registers of rows keep the processor busy
    COLUMN_TILE = 2048  # elements of neighbouring rows that are staged, or a cache line of rows, if that is more
    SHARED_ROW = 8192  # elements from which on it pays that threads share a row
    PADDED = 256  # elements of a row from which on each output's sums begin with a cache line, since it takes longer to
    # add to a register across two lines
    FEWEST = 5  # rows from which on it pays to fill a register of rows with copies
    MANY = 13  # and that are three calls of other kernels


cdef inline Py_ssize_t whole(Py_ssize_t size, Py_ssize_t unit) noexcept nogil:
    # rounded up to whole units
    return (size + unit - 1) // unit * unit


# Plans.

cdef inline void set_chunks(Pass* work, Py_ssize_t most, Py_ssize_t least, Py_ssize_t unit) noexcept nogil:
    # at most `most` chunks, each of at least `least` rows and of whole units of rows
    work.chunk = whole(max(least, (work.rows + most - 1) // most), unit)
    work.chunks = max(1, (work.rows + work.chunk - 1) // work.chunk)


cdef inline void set_sums(Pass* work, bint adjacent, int outputs) noexcept nogil:
    # Where one group has all rows, its sums are the gradients, since a sum of so few rows needs no float64. They are
    # then written straight to the outputs, which can be done where those are contiguous: `adjacent`. The chunks are
    # those of all `outputs`, wanted or not, so that the order of a sum does not depend on what else is wanted.
    cdef Py_ssize_t most, width = 16 if work.dtype == FLOAT64 else 8  # of a sum, with its rounding errors
    if adjacent and 0 < work.rows <= GROUP:
        work.manner |= BEGINS
        work.chunk, work.chunks, work.n_sums = work.rows, 1, 0
        return
    most = max(1, min(<Py_ssize_t>CHUNKS, SUMS_BYTES // (width * max(outputs * work.n, 1))))
    set_chunks(work, most, max(1, min(<Py_ssize_t>SUMMED_ROWS, THREAD_MIN // max(work.n, 1))), TILE)


cdef inline bint is_tiled_row(const Operand* one) noexcept nogil:
    return one.kind == c'r' and one.tiled


cdef inline int rows_of_shorts(const Pass* work) noexcept nogil:
    # what tells a kernel that rows of 16 bits stand where it takes them
    return BFLOAT16_ROWS if work.dtype == BFLOAT16 else FLOAT16_ROWS


cdef inline void lay_out(Pass* work) noexcept nogil:
    # which operands pass through tiles, and where those are in the memory of a worker. A tile holds one vector.
    cdef Py_ssize_t n = work.n, longest = work.n, width = 8 if work.dtype == FLOAT64 else 4
    cdef Operand* one
    cdef bint transposed = False, varying = False, large = work.batches * work.rows * n * width >= STREAM_BYTES
    cdef bint tiled = False, streamed = large, is_result
    cdef bint stand = 0 < work.standing <= n, rows_tiled = False, narrowed = work.narrows and n > SHORT
    cdef Py_ssize_t column_tile
    cdef int k, j
    # neighbouring rows of 16 bits, or of columns that a kernel reads one after the other and the cache would not keep
    work.staged = work.columns != NULL and is_short(work.dtype)
    for k in range(work.operands if work.columns != NULL and n <= SHORT and work.registers == 0 else 0):
        work.staged = work.staged or (work.of[k].kind == c'r' and collides(work.of[k].stride, n))
    column_tile = max(<Py_ssize_t>COLUMN_TILE, LINE // width * n) if work.staged and n <= SHORT else 0
    for k in range(work.operands):
        stand = stand and (work.of[k].kind != c'r' or work.of[k].stride == size_of(work.dtype))
        narrowed = narrowed and (k < work.n_in or work.of[k].kind != c'r' or work.of[k].stride == size_of(work.dtype))
    for k in range(work.operands):
        one = &work.of[k]
        if one.kind == c'r':
            one.tiled = one.tiled or not (stand or (narrowed and k >= work.n_in) or direct(work.dtype, one.stride, n))
            rows_tiled = rows_tiled or one.tiled
            transposed = transposed or (one.tiled and one.step_q == size_of(work.dtype) and n > 1)
            streamed = streamed and not one.tiled and (
                k < work.n_in or ends_lines(<Py_ssize_t>one.data | one.step_p | one.step_q, n * width))
            for j in range(work.n_in):
                # an output in the place of an input stays in the caches, where its input was read
                streamed = streamed and (k < work.n_in or work.of[j].kind != c'r' or one.data != work.of[j].data)
        elif one.kind == c'v' and one.length > 0:
            one.tiled = one.stride != width and (one.length > 1 or one.stride == size_of(work.dtype))
            varying = varying or (one.tiled and one.step_q != 0)
            longest = max(longest, one.length)
        tiled = tiled or one.tiled
    work.manner = (STREAMED if streamed and not stand else 0) | (FROM_MEMORY if large else 0) | (
        NARROWED if narrowed else 0)
    if stand:
        work.manner |= rows_of_shorts(work)
    work.height = 1 if varying else work.rows if not rows_tiled else TILE if transposed or n <= SHORT else work.group
    if rows_tiled and not varying and (0 < n <= work.turned or work.whole):  # several registers of rows
        work.height = max(<Py_ssize_t>TILE, COLUMN_TILE // n // TILE * TILE)
    work.tiles_size = 0
    if not tiled and work.n_sums == 0:
        return
    if longest // (1 << 20) >= (1 << 20):  # a row of stride 0 may be longer than any memory
        work.tiles_size = -1
        return
    j = 0
    for k in range(work.operands):
        one = &work.of[k]
        is_result = one.kind == c'r' and work.n_in <= k
        if is_result and one.tiled and j < work.n_in and is_tiled_row(&work.of[j]):
            # In the place of an input, as it may be where neither has a tile: one takes less of the first-level cache.
            # That is the input of its own number, since some kernels read other rows again when results are written.
            one.offset = work.of[j].offset
        elif one.tiled:
            one.offset = work.tiles_size
            longest = max(work.height * n, column_tile) if one.kind == c'r' else one.length
            work.tiles_size += whole((longest + PADDING) * width, PAGE)
        j += is_result
    if work.tiles_size > 0:
        work.tiles_size += LINE  # for a note: whether vectors are in their tiles yet


cdef inline void set_workers(Pass* work, int most, bint rows_can_be_shared) noexcept nogil:
    # Threads take chunks, or share each of few long rows.
    work.threads = most if work.rows * work.n >= THREAD_MIN else 1
    work.workers = <int>min(<Py_ssize_t>work.threads, work.chunks)
    if rows_can_be_shared and work.workers < work.threads and work.n >= SHARED_ROW:
        work.workers = 1
    if work.workers == 1 and work.n_sums == 0:
        work.chunk, work.chunks = work.rows, 1


cdef inline Py_ssize_t size_of_few(const Pass* work) noexcept nogil:
    # bytes of a worker's sums of a few rows, in their precision
    return 2 * whole(work.n_few * width_of(work), LINE)


cdef inline bint has_memory(Pass* work, Py_ssize_t more, char* room, Py_ssize_t bytes_of_room) noexcept nogil:
    # Whether there is memory for sums, tiles and `more` bytes, each from the start of a cache line: in a room or apart
    cdef Py_ssize_t kept = work.chunks if work.workers > 1 else min(work.chunks, <Py_ssize_t>2)  # as sums_of says
    cdef Py_ssize_t sums = whole(kept * work.n_sums * sizeof(double), LINE)
    cdef Py_ssize_t few = work.workers * size_of_few(work)
    cdef Py_ssize_t size = whole(more, LINE) + sums + few + work.workers * work.tiles_size
    work.memory, work.tiles, work.sums, work.few = NULL, NULL, NULL, NULL
    if work.tiles_size >= 0 and size == 0:
        return True
    if work.tiles_size >= 0 and LINE + size > bytes_of_room:
        room = work.memory = <char*>malloc(LINE + size)
    if work.tiles_size < 0 or room == NULL:
        return False
    work.more = room + (-<Py_ssize_t>room & (LINE - 1))
    work.sums = <double*>(work.more + whole(more, LINE))
    work.few = <char*>work.sums + sums
    work.tiles = work.few + few
    return True


# Chunks.

cdef inline char* place(const Pass* work, const Operand* one, Py_ssize_t row) noexcept nogil:
    if work.flat:
        return one.data + row * one.step_q
    return one.data + row // work.q * one.step_p + row % work.q * one.step_q


cdef inline Py_ssize_t lanes_of(const Pass* work) noexcept nogil:
    return F64_LANES if work.dtype == FLOAT64 else F32_LANES


cdef inline Py_ssize_t width_of(const Pass* work) noexcept nogil:
    # bytes of a number as kernels take it
    return 8 if work.dtype == FLOAT64 else 4


cdef inline void move_tile(const real* like, bint taking, const Pass* work, const Operand* one, char* tile,
                           Py_ssize_t row, Py_ssize_t rows) noexcept nogil:
    # rows that share p are moved together
    cdef Py_ssize_t done = 0, run, n = work.n, width = 4 if real is f32x else 8
    cdef Dtype dtype = work.dtype if real is f32x else FLOAT64
    while done < rows:
        run = rows - done if work.flat else min(rows - done, work.q - (row + done) % work.q)
        if taking:
            take_rows(dtype, <real*>(tile + done * n * width), place(work, one, row + done), one.step_q,
                      one.stride, run, n)
        else:
            put_rows(dtype, place(work, one, row + done), one.step_q, one.stride,
                     <const real*>(tile + done * n * width), run, n)
        done += run


# Compiled once a precision, whatever the dtype; all that follows once for both.
ctypedef void (*move_function)(const void* like, bint taking, const Pass* work, const Operand* one, char* tile,
                               Py_ssize_t row, Py_ssize_t rows) noexcept nogil


cdef inline move_function mover_of(const Pass* work) noexcept nogil:
    if work.dtype == FLOAT64:
        return <move_function>called(<void*>move_tile[f64x])
    return <move_function>called(<void*>move_tile[f32x])


cdef inline void take_vector(const Pass* work, const Operand* one, char* tile, const char* values) noexcept nogil:
    # which may be of 16 bits, or have the precision of the computation
    cdef Dtype dtype = work.dtype if one.stride == size_of(work.dtype) or work.dtype == FLOAT64 else FLOAT32
    if work.dtype == FLOAT64:
        take_row(FLOAT64, <f64x*>tile, values, one.stride, one.length)
    else:
        take_row(dtype, <f32x*>tile, values, one.stride, one.length)


cdef inline void take_across(const Pass* work, char* tile, const char* x, Py_ssize_t stride,
                             Py_ssize_t rows) noexcept nogil:
    if work.dtype == FLOAT64:
        widen_across(FLOAT64, <f64x*>tile, x, stride, rows, work.n)
    else:
        widen_across(work.dtype, <f32x*>tile, x, stride, rows, work.n)


cdef inline void put_across(const Pass* work, char* y, Py_ssize_t stride, const char* tile, Py_ssize_t rows,
                            Py_ssize_t done) noexcept nogil:
    if work.dtype == FLOAT64:
        narrow_across(FLOAT64, y, stride, <const f64x*>tile, rows, done, work.n)
    else:
        narrow_across(work.dtype, y, stride, <const f32x*>tile, rows, done, work.n)


cdef inline Py_ssize_t by_registers(const Pass* work, char** at, const Py_ssize_t* steps, const Py_ssize_t* strides,
                                    Py_ssize_t rows, int registers, Py_ssize_t width, int manner) noexcept nogil:
    # how many of these rows, from the first on, a kernel of neighbouring rows takes; `at` goes on by as many
    cdef Py_ssize_t done = 0
    cdef int k
    while done < rows:
        while registers * width > rows - done:
            registers -= 1
        if work.columns(NULL, at, steps, strides, work.n, registers, manner):
            done += registers * width
            for k in range(work.operands + (manner & ROW_BY_ROW != 0)):
                at[k] += registers * width * steps[k]
        elif registers > 1:
            registers = 1  # only some of these rows may be of another kind
        else:
            break
    return done


cdef inline Py_ssize_t rows_before(const Pass* work, Py_ssize_t row, Py_ssize_t stop) noexcept nogil:
    # how many rows from here on stand before a register's boundary, where it pays that others begin there: of the first
    # input, or of an output that is written past the caches
    cdef int k = work.n_in if work.manner & FROM_MEMORY and work.of[work.n_in].kind == c'r' else 0
    cdef char* first = place(work, &work.of[k], row)
    cdef Py_ssize_t loads = PAYING_LOADS
    if work.manner & FROM_MEMORY:  # only whole lines of the cache are written past the caches
        loads = 0
    elif collides(work.of[0].stride, work.n):
        loads = 2 * PAYING_LOADS
    if is_short(work.dtype) or stop - row < max(<Py_ssize_t>PAYING, loads // (work.n + 4)) * lanes_of(work):
        return 0
    return head(<const f64x*>first, stop - row) if work.dtype == FLOAT64 else head(<const f32x*>first, stop - row)


cdef inline Py_ssize_t run_columns(const Pass* work, Py_ssize_t row, Py_ssize_t stop, char* tiles) noexcept nogil:
    # how many rows from here on a kernel of neighbouring rows took. Where they are staged, and it does not take them
    # where they stand, operands that have tiles pass through them, where rows are neighbours too
    cdef char* at[MAX_ROW_OPERANDS]
    cdef Py_ssize_t steps[MAX_ROW_OPERANDS]
    cdef Py_ssize_t strides[MAX_ROW_OPERANDS]
    cdef Py_ssize_t width = width_of(work), lanes = lanes_of(work), rows, done, size = width * lanes, bytes_of_tile
    cdef int registers = MOST_REGISTERS // 2, manner = work.manner
    cdef bint staged = work.staged
    cdef const Operand* one
    cdef int k
    if work.n <= work.standing_columns:
        staged = False
        manner |= rows_of_shorts(work)
    if staged or work.registers == 0:
        bytes_of_tile = COLUMN_TILE * 4 if staged else SHORT_TILE * <Py_ssize_t>sizeof(double)
        registers = <int>min(<Py_ssize_t>MOST_REGISTERS, max(LINE // size, bytes_of_tile // (work.n * size)))
    elif work.registers == WIDE:
        registers = max(registers, <int>min(<Py_ssize_t>WIDE, WIDE_BYTES // (work.n * size)))
    elif work.n <= BRIEF or collides(work.of[0].stride, work.n):  # which are not found in the first-level cache again
        registers = MOST_REGISTERS
    rows = min(registers * lanes, (stop - row) & -lanes)
    for k in range(work.operands):
        one = &work.of[k]
        at[k], steps[k], strides[k] = place(work, one, row), one.step_q, one.stride
        if one.kind == c'v' and one.length == 0:
            at[k] = NULL
        if staged and one.kind == c'r' and one.tiled:
            at[k], steps[k], strides[k] = tiles + one.offset, width, rows * width
            if k < work.n_in:
                take_across(work, at[k], place(work, one, row), one.stride, rows)
    done = by_registers(work, at, steps, strides, rows, registers, lanes, manner)
    for k in range(work.n_in, work.operands):
        one = &work.of[k]
        if staged and one.kind == c'r' and one.tiled:
            put_across(work, place(work, one, row), one.stride, tiles + one.offset, rows, done)
    return done


cdef inline Py_ssize_t run_turned(const Pass* work, char** at, const Py_ssize_t* step,
                                  Py_ssize_t rows) noexcept nogil:
    # How many of these short rows of float32, from the first on, a kernel of neighbouring rows took: of their copies
    # that stand side by side. It is given several registers of them, as operations.pxd has it, since what follows from
    # the sums of one takes as long as those of thirty elements.
    cdef float[MOST_TURNED * TURNED_TILE] tiles
    cdef char* here[MAX_ROW_OPERANDS + 1]
    cdef Py_ssize_t steps[MAX_ROW_OPERANDS + 1]
    cdef Py_ssize_t strides[MAX_ROW_OPERANDS]
    cdef Py_ssize_t width = 4, done
    cdef float* tile = tiles
    cdef int registers = <int>min(<Py_ssize_t>MOST_REGISTERS, min(TURNED_TILE // work.n, rows) // F32_LANES), k
    # rows of fewer elements than a register has: parts of one are written slowly, and read again more so
    cdef bint row_by_row = work.row_by_row and work.n >= F32_LANES
    rows = registers * F32_LANES
    for k in range(work.operands):
        here[k], steps[k], strides[k] = at[k], step[k], 0
        if work.of[k].kind == c'r' and (k < work.n_in or not row_by_row):
            here[k], steps[k], strides[k] = <char*>tile, width, rows * width
            if k < work.n_in:
                turn(tile, at[k], step[k], rows, work.n)
            tile += rows * work.n
    here[work.operands], steps[work.operands] = at[0], step[0]
    done = by_registers(work, here, steps, strides, rows, registers, F32_LANES,
                        work.manner | ROW_BY_ROW if row_by_row else work.manner)
    for k in range(work.n_in, work.operands):
        if work.of[k].kind == c'r' and not row_by_row:
            turn_back(at[k], step[k], <const float*>here[k] - done, rows, done, work.n)
    return done


cdef inline Py_ssize_t copied(const Pass* work, int k) noexcept nogil:
    # bytes of an operand that each row has its own of, where these rows are copied; 0 of one that rows share
    return work.n * 4 if work.of[k].kind == c'r' else 8 if work.of[k].kind in (c's', c'i') else 0


cdef inline bint run_filled(const Pass* work, char** at, const Py_ssize_t* step, Py_ssize_t rows) noexcept nogil:
    # run_turned of fewer rows than a register has lanes, which copies of the last one fill; whether it took them
    cdef char[(4 * MOST_FILLED * MOST_TURNED + 8 * MAX_ROW_OPERANDS) * TILE] room
    cdef char* own[MAX_ROW_OPERANDS]
    cdef Py_ssize_t steps[MAX_ROW_OPERANDS]
    cdef char* place = room
    cdef Py_ssize_t r
    cdef int k
    for k in range(work.operands):
        own[k], steps[k] = at[k], step[k]
        if step[k] != 0:
            steps[k] = copied(work, k)
            if steps[k] == 0:
                return False
            own[k] = place
            for r in range(F32_LANES):
                memcpy(place, at[k] + min(r, rows - 1) * step[k], steps[k])
                place += steps[k]
    if run_turned(work, own, steps, F32_LANES) == 0:
        return False
    for k in range(work.n_in, work.operands):
        for r in range(rows if step[k] != 0 else 0):
            memcpy(at[k] + r * step[k], own[k] + r * steps[k], steps[k])
    return True


cdef inline Py_ssize_t move_on(const Pass* work, char** at, const Py_ssize_t* step, Py_ssize_t rows) noexcept nogil:
    cdef int k
    for k in range(work.operands):
        at[k] += rows * step[k]
    return rows


cdef inline void run_rows(const Pass* work, char** at, const Py_ssize_t* step, Py_ssize_t rows, int threads,
                          int manner) noexcept nogil:
    # rows at equal distances, where a kernel can take them
    cdef Py_ssize_t taken, n = work.n
    while 0 < n <= work.turned and rows >= F32_LANES > 1:  # a register of one lane is a row already
        taken = run_turned(work, at, step, rows)
        if taken == 0:
            taken = F32_LANES
            run_groups(work.kernel, work.shorts, at, step, work.operands, work.group, taken, n, 4, threads, manner)
        rows -= move_on(work, at, step, taken)
    if FEWEST <= rows < F32_LANES and rows != SHORT_ROWS and 0 < n <= (
            min(work.turned, MOST_FILLED) if rows >= MANY else work.filled) and run_filled(work, at, step, rows):
        return
    if work.all_rows != NULL:
        taken = work.all_rows(NULL, at, step, rows, n, manner)
        while 0 <= taken < rows:
            rows -= move_on(work, at, step, taken)
            taken = min(rows, SHORT_ROWS)  # the first of these is for the other kernels
            run_groups(work.kernel, work.shorts, at, step, work.operands, work.group, taken, n, width_of(work), threads,
                       manner)
            rows -= move_on(work, at, step, taken)
            taken = work.all_rows(NULL, at, step, rows, n, manner)
        if taken >= 0:
            return
    run_groups(work.kernel, work.shorts, at, step, work.operands, work.group, rows, n, width_of(work), threads,
               manner)


cdef inline void add_wide(double* sums, f32x x, bint first) noexcept nogil:
    # all lanes, as float64, to sums that begin with the first
    cdef f64x wide[MOST_HALVES]
    cdef int half
    wide_halves(x, wide)
    for half in range(HALVES):
        if not first:
            wide[half] = load_f64(sums + half * F64_LANES) + wide[half]
        store_f64(sums + half * F64_LANES, wide[half])


cdef inline Py_ssize_t few_rows(const Pass* work) noexcept nogil:
    # A power of two. To add to sums in float64 takes as long as to compute a short row, so it is done half as often.
    return FEW_ROWS if work.n * 4 > SHORT_BYTES and work.dtype != FLOAT64 else 2 * FEW_ROWS


cdef inline void add_few(Py_ssize_t n, double* sums, float* few, float* other, bint first) noexcept nogil:
    # both to those of their chunk, which begin with the first
    cdef Py_ssize_t i = 0
    while i + F32_LANES <= n:
        add_wide(sums + i, load_f32(few + i) + load_f32(other + i), first)
        i += F32_LANES
    while i < n:
        sums[i] = (0.0 if first else sums[i]) + (few[i] + other[i])
        i += 1


cdef inline void add_few_exactly(Py_ssize_t n, double* sums, double* few, double* other, bint first) noexcept nogil:
    # the same in float64, where the rounding errors are behind the sums of the chunk
    cdef f64x sum, lost, error
    cdef Pair both
    cdef Py_ssize_t i = 0
    while i + F64_LANES <= n:
        sum = two_sum(load_f64(few + i), load_f64(other + i), &lost)
        if not first:
            sum = two_sum(load_f64(sums + i), sum, &error)
            lost = (load_f64(sums + n + i) + lost) + error
        store_f64(sums + i, sum)
        store_f64(sums + n + i, lost)
        i += F64_LANES
    while i < n:
        both = add_compensated(Pair(few[i], 0.0), 0, Pair(other[i], 0.0), 0)
        if not first:
            both = add_compensated(Pair(sums[i], sums[n + i]), 0, both, 0)
        sums[i], sums[n + i] = both.first, both.second
        i += 1


cdef inline void run_groups_of(const Pass* work, Py_ssize_t r, char** at, const Py_ssize_t* step, Py_ssize_t rows,
                               int threads, int manner) noexcept nogil:
    # `rows` rows from the r-th on, `group` at a time, which need not be equally far apart
    cdef Operands p[GROUP]
    cdef Py_ssize_t first = 0, row, count
    cdef const Operand* one
    cdef int k
    while first < rows:
        count = min(work.group, rows - first)
        for row in range(count):
            for k in range(work.operands):
                one = &work.of[k]
                p[row][k] = (at[k] + (first + row) * step[k] if one.tiled or one.step_q == one.step_p == 0
                             else place(work, one, r + first + row))
        work.kernel(NULL, p, count, work.n, threads, manner)
        manner &= ~BEGINS
        first += count


cdef inline void run_chunk(const Pass* work, Py_ssize_t start, Py_ssize_t stop, double* sums, char* few, char* tiles,
                           bint first_chunk, int threads) noexcept nogil:
    # row after row, `group` at a time from the chunk's start
    cdef Py_ssize_t n = work.n, r = start, rows, first, count, width = width_of(work), lanes = lanes_of(work)
    cdef Py_ssize_t together = few_rows(work), done
    cdef char* other = few + size_of_few(work) // 2
    cdef char* own_few
    cdef char* at[MAX_ROW_OPERANDS]
    cdef Py_ssize_t step[MAX_ROW_OPERANDS]
    cdef const Operand* one
    cdef move_function move = mover_of(work)
    cdef int k, manner
    if work.across and work.apart:  # a register of rows, of which some are computed again
        count = rows_before(work, start, stop)
        if count > 0 and run_columns(work, start, start + lanes, tiles) > 0:
            r += count
    while r < stop:
        if work.across and r + lanes <= stop:
            rows = run_columns(work, r, stop, tiles)
            r += rows
            if rows > 0:
                continue
        elif work.across and work.apart and start + lanes <= stop and (
                run_columns(work, stop - lanes, stop, tiles) > 0):
            break  # the last register of rows, of which some have been computed before
        rows = min(work.height, stop - r)
        for k in range(work.operands):
            one = &work.of[k]
            step[k] = n * width if one.tiled and one.kind == c'r' else 0 if one.tiled else one.step_q
            if one.kind == c'a':
                at[k] = (NULL if one.offset == UNWANTED else one.data if work.manner & BEGINS
                         else <char*>(sums + one.offset))
            elif one.kind == c'v' and one.length == 0:
                at[k] = NULL
                step[k] = 0
            elif one.tiled:
                at[k] = tiles + one.offset
                if one.kind == c'v' and (one.step_q != 0 or (first_chunk and r == start)):
                    take_vector(work, one, at[k], place(work, one, r))
                elif one.kind == c'r' and k < work.n_in:
                    move(NULL, True, work, one, at[k], r, rows)
            else:
                at[k] = place(work, one, r)
        first = 0
        while first < rows:
            done = r + first - start
            own_few = few if done & together == 0 else other
            count = rows if work.n_few == 0 else min(rows - first, together - (done & together - 1))
            manner = work.manner | BEGINS if work.n_few > 0 and done & together - 1 == 0 else work.manner
            for k in range(work.n_in, work.operands if work.n_few > 0 else 0):
                one = &work.of[k]
                if one.kind == c'a' and one.offset != UNWANTED:
                    at[k] = own_few + one.offset * width
            if work.flat:
                run_rows(work, at, step, count, threads, manner)
            else:
                run_groups_of(work, r + first, at, step, count, threads, manner)
            first += count
            if work.n_few > 0:  # which no kernel has that moves on in run_rows
                move_on(work, at, step, count)
                if r + first - start & 2 * together - 1 == 0 or r + first == stop:
                    if done & together == 0:  # no rows were left for the other sums
                        memset(other, 0, work.n_few * width)
                    if work.dtype == FLOAT64:
                        add_few_exactly(work.n_few, sums, <double*>few, <double*>other,
                                        r + first - start <= 2 * together)
                    else:
                        add_few(work.n_few, sums, <float*>few, <float*>other, r + first - start <= 2 * together)
        for k in range(work.n_in, work.operands):
            if work.of[k].tiled:
                move(NULL, False, work, &work.of[k], tiles + work.of[k].offset, r, rows)
        r += rows


cdef inline double* sums_of(const Pass* work, Py_ssize_t k) noexcept nogil:
    # those of a chunk. Where one worker takes all chunks in order, each after the first is added to the first as soon
    # as it is done: two places, which stay in the caches, are enough.
    return work.sums + (k if work.workers > 1 else min(k, <Py_ssize_t>1)) * work.n_sums


cdef inline void add_sums(const Pass* work, Py_ssize_t k) noexcept nogil:
    # those of a chunk, to those of the first
    cdef double* total = work.sums
    cdef const double* own = sums_of(work, k)
    cdef f64x lost
    cdef Pair both
    cdef Py_ssize_t i = 0
    while i + F64_LANES <= work.n_exact:
        store_f64(total + i, two_sum(load_f64(total + i), load_f64(own + i), &lost))
        store_f64(total + work.n_exact + i, load_f64(total + work.n_exact + i) + lost)
        i += F64_LANES
    while i < work.n_exact:
        both = add_compensated(Pair(total[i], total[work.n_exact + i]), 0, Pair(own[i], 0.0), 0)
        total[i], total[work.n_exact + i] = both.first, both.second
        i += 1
    while i + F64_LANES <= work.n_sums:
        store_f64(total + i, load_f64(total + i) + load_f64(own + i))
        i += F64_LANES
    while i < work.n_sums:
        total[i] += own[i]
        i += 1


cdef inline void take_chunk(void* context, Py_ssize_t k, int thread) noexcept nogil:
    cdef const Pass* work = <const Pass*>context
    cdef char* tiles = work.tiles + thread * work.tiles_size
    cdef double* sums = sums_of(work, k)
    cdef char* few = work.few + thread * size_of_few(work)
    cdef bint first_chunk = True
    if work.n_sums > 0 and (work.n_few == 0 or work.rows == 0):
        memset(sums, 0, work.n_sums * sizeof(double))
    if work.tiles_size > 0:
        first_chunk = not tiles[work.tiles_size - LINE]
        tiles[work.tiles_size - LINE] = True
    run_chunk(work, k * work.chunk, min(work.rows, (k + 1) * work.chunk), sums, few, tiles, first_chunk,
              work.threads if work.workers == 1 else 1)
    if work.workers == 1 and k > 0 and work.n_sums > 0:
        add_sums(work, k)
    if work.manner & STREAMED:
        end_stream()


cdef inline void run_pass(Pass* work) noexcept nogil:
    # all chunks, whose sums are added in order, in the place of the first chunk's
    cdef environment callers
    cdef Py_ssize_t chunk
    cdef int worker
    if work.tiles_size > 0:
        for worker in range(work.workers):  # the note: not yet
            work.tiles[(worker + 1) * work.tiles_size - LINE] = False
    run_chunks(<chunk_function>called(<void*>take_chunk), work, work.chunks, work.workers)
    if work.workers > 1 and work.n_sums > 0:
        callers = enter_environment()
        for chunk in range(1, work.chunks):
            add_sums(work, chunk)
        leave_environment(callers)


# Gufuncs.

cdef inline void take_operands(Pass* work, const Operation* operation, char** args, const np.npy_intp* dims,
                               const np.npy_intp* steps) noexcept nogil:
    # dims and steps are as NumPy passes them to a loop. dims: how many rows there are, their length, and the lengths of
    # vectors. steps: for every operand the distance from one row to the next, and then, operand after operand, the
    # strides within a row. An operation that adds up over its rows has all rows in one call, as an array (p, q, n).
    cdef const np.npy_intp* within = steps + operation.operands
    cdef const np.npy_intp* vector = dims + (4 if operation.summed else 2)
    cdef Py_ssize_t p = dims[1] if operation.summed else 1
    cdef Operand* one
    cdef int k
    work.kernel, work.dtype = <group_kernel>operation.kernel, operation.dtype
    work.standing, work.narrows = operation.standing, operation.narrows
    work.standing_columns = operation.standing_columns
    work.all_rows = <all_rows_kernel>operation.all_rows
    work.shorts, work.columns = <short_kernel>operation.short_kernel, <column_kernel>operation.column_kernel
    work.turned, work.filled, work.registers = operation.turned, operation.filled, operation.registers
    work.row_by_row = operation.row_by_row
    work.n_in, work.operands, work.n_sums, work.n_exact = operation.n_in, operation.operands, 0, 0
    work.q, work.n = dims[2] if operation.summed else dims[0], dims[3] if operation.summed else dims[1]
    work.whole = 0 < operation.whole <= work.n <= SHORT and work.n % F32_LANES == 0
    if work.whole:
        work.turned = work.filled = 0
    work.rows, work.flat = p * work.q, True
    for k in range(work.operands):
        one = &work.of[k]
        one.kind, one.data, one.tiled = operation.kinds[k], args[k], False
        one.step_p, one.step_q, one.stride = 0, 0 if operation.summed else steps[k], 0
        if operation.summed and (one.kind == c'r' or one.kind == c's'):
            one.step_p, one.step_q = within[0], within[1]
            within += 2
            if p == 1 or work.q == 1:
                one.step_q = one.step_q if p == 1 else one.step_p
            else:
                work.flat = work.flat and one.step_p == work.q * one.step_q
        if one.kind == c'r' or one.kind == c'b' or one.kind == c'v' or one.kind == c'a':
            one.stride = within[0]
            within += 1
        if one.kind == c'v':
            one.length = vector[0]
            vector += 1
        elif one.kind == c'a' and one.data == NULL:
            one.offset = UNWANTED
        elif one.kind == c'a':
            one.offset = work.n_sums
            work.n_sums += whole(work.n, LINE // 4) if work.n >= PADDED else work.n


cdef inline bint is_across(const Pass* work, const Operand* one) noexcept nogil:
    # whether a kernel of neighbouring rows can take an operand
    return one.step_q == size_of(work.dtype) if one.kind == c'r' else not one.tiled and one.kind != c'b'


cdef inline bint outputs_apart(const Pass* work) noexcept nogil:
    # an output that shares memory with an input is that input, as callers take care of
    cdef int k, j
    for k in range(work.n_in, work.operands):
        for j in range(work.n_in):
            if work.of[k].data == work.of[j].data:
                return False
    return True


cdef inline void plan(Pass* work, int threads) noexcept nogil:
    cdef Py_ssize_t width = 8 if work.dtype == FLOAT64 else 4
    cdef int k, row_operands = 0, sums = 0
    cdef bint adjacent = True
    for k in range(work.operands):
        row_operands += work.of[k].kind == c'r'
        if work.of[k].kind == c'a':
            sums += 1
            adjacent = adjacent and (work.of[k].stride == width or work.of[k].offset == UNWANTED)
    # where rows are summed, groups have one size, so that the order of the sum does not depend on the rows' length
    work.group = GROUP if sums else group_of(work.rows, work.n, width, max(row_operands, 2))
    lay_out(work)
    # kernels of neighbouring rows take numbers of the rows' precision
    work.across = work.columns != NULL and not work.manner & (BFLOAT16_ROWS | FLOAT16_ROWS) and 0 < work.n <= (
        SHORT if work.registers == 0 or is_short(work.dtype) else LONG_COLUMNS)
    if not work.across:
        work.turned = work.filled = 0
    for k in range(work.operands):
        work.across = work.across and is_across(work, &work.of[k])
    work.apart = outputs_apart(work)
    if sums:
        set_sums(work, adjacent, sums)
    else:
        set_chunks(work, MANY_CHUNKS, 1, TILE if work.tiles_size > 0 and work.height % TILE == 0 else GROUP)
    work.n_few = work.n_sums
    if work.dtype == FLOAT64:
        work.n_exact, work.n_sums = work.n_sums, 2 * work.n_sums
    set_workers(work, threads, True)


cdef inline void put_sums(const Pass* work) noexcept nogil:
    cdef environment callers = enter_environment()
    cdef const Operand* one
    cdef Py_ssize_t i
    cdef int k
    for k in range(work.n_in, work.operands):
        one = &work.of[k]
        if one.kind == c'a' and one.data != NULL:
            i = 0
            while one.stride == sizeof(float) and work.dtype != FLOAT64 and i + F64_LANES <= work.n:
                put_wide(<f32x*>one.data, i, F64_LANES, load_f64(work.sums + one.offset + i))
                i += F64_LANES
            for i in range(i, work.n):
                if work.dtype == FLOAT64:
                    (<double*>(one.data + i * one.stride))[0] = with_losses(
                        work.sums[one.offset + i], work.sums[work.n_exact + one.offset + i])
                else:
                    (<float*>(one.data + i * one.stride))[0] = <float>work.sums[one.offset + i]
    leave_environment(callers)


cdef inline bint writes_elements(const Pass* work) noexcept nogil:
    # whether all outputs are rows or sums element by element
    cdef int k
    for k in range(work.n_in, work.operands):
        if work.of[k].kind != c'r' and work.of[k].kind != c'a':
            return False
    return True


cdef inline bint rows_loop(const Operation* operation, char** args, const np.npy_intp* dims,
                           const np.npy_intp* steps, np.npy_intp batches, const np.npy_intp* apart) noexcept nogil:
    # rows so many times, from one to the next as far `apart`
    cdef Pass work
    cdef char room[ROOM]
    cdef Py_ssize_t _batch
    cdef int k
    if batches == 0:
        return True
    take_operands(&work, operation, args, dims, steps)
    work.batches = batches
    if work.n == 0 and writes_elements(&work):  # however many rows there are: no element is in memory
        return True
    plan(&work, operation.threads[0])
    if not has_memory(&work, 0, room, ROOM):
        return False
    for _batch in range(batches):
        run_pass(&work)
        if not work.manner & BEGINS:
            put_sums(&work)
        for k in range(work.operands):
            work.of[k].data += apart[k]
    free(work.memory)
    return True
