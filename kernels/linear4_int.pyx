# linear4 on whole numbers: the activations of a row, rounded to one scale, and levels in whole steps meet as integers,
# whose sums are exact; one multiply-add in float32 then gives them the group's scale.
#
# Every output is one sum in one order, as in linear4.pyx: input i belongs to partial sum i // 8 % 16, which is a lane's
# own. How far a lane adds up whole numbers before they become float32 is fixed by the inputs and the group alone, and
# so is every rounding.
#
# Nothing overflows: a level is at most 128 steps, an activation at most 32639 (as two bytes with signs hold:
# 127 * 256 + 127), and a lane adds 8 products a block over at most PANEL blocks: 128 * 32639 * 32 < 2^27.
from libc.math cimport NAN
from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uintptr_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

from .lanes cimport (
    F32_LANES, dot_i16, f32x, fma_f32, load_f32, load_u32, lookup16_f32, lookup16_u8, round_i32_f32, splat_f32,
    splat_u32, store_f32, store_u32, u32x, u64x,
)
from .loops.partial_sums cimport PARTS, aligned, meet, prefetch
from .loops.threads cimport run_chunks, shared_thread_count

cdef extern from *:
    """
    /* outputs that share a pass over their inputs: with four rows each, as many sums as registers allow */
    enum { PASS = REGISTERS == 32 ? 4 : 2 };
    """
    const int PASS

cdef enum:
    WORD = 8  # codes in a word
    PAIRS = 4  # pairs of them
    BLOCK = 128  # inputs in a block, a word for each partial sum
    BLOCK_BYTES = 64
    BLOCK_PAIRS = 64
    PANEL = 4  # blocks decoded at a time: for a task's outputs they fit the first-level cache
    ROWS = 4  # rows that share a pass
    BATCH = 128  # rows in a task
    WIDTH = 16  # outputs in a task: their sums stay in the second-level cache
    AHEAD = 32768  # bytes of codes that are sent for: rows are too short for the hardware to foresee the next ones
    # Fewer multiply-adds than this do not repay waking a second thread.
    THREAD_MIN = 1 << 16

cdef const int* thread_count = shared_thread_count()


cdef struct Product:
    const uint8_t* codes
    uint8_t low[PARTS]  # of each code's level in steps, as a signed number of 16 bits
    uint8_t high[PARTS]
    double step
    const float* scales
    const float* offsets  # what is added to each weight, or NULL
    const float* bias
    const float* x
    float* y
    Py_ssize_t rows
    Py_ssize_t inputs
    Py_ssize_t outputs
    Py_ssize_t groups
    Py_ssize_t blocks
    int largest  # activation
    const uint8_t* ends  # whether whole sums become float32 behind this block
    const int32_t* bases  # of each block: from where in an output's scales its places count
    const uint32_t* places  # of each block and partial sum
    Py_ssize_t packed_rows
    uint32_t* packed  # one panel of all rows after the other, activations in pairs
    double* row_scales  # what a whole sum of this row stands for, before the group's scale
    float* row_sums  # of each row, block and partial sum: its activations since the last end, over the step
    Py_ssize_t down  # tasks of the same outputs
    float* own  # strips, scales, offsets and sums of each thread
    Py_ssize_t own_size


cdef void pack_row(void* context, Py_ssize_t row, int thread) noexcept nogil:
    # x[row] in whole numbers, in the order in which words give their codes, zeros behind the last input
    cdef const Product* of = <const Product*>context
    cdef const float* x = of.x + row * of.inputs
    cdef uint32_t bits, top = 0
    cdef int32_t whole[BLOCK]
    cdef int64_t sums[PARTS]
    cdef Py_ssize_t i, block, panel, count
    cdef int part, k, first
    cdef uint32_t* packed
    cdef float largest
    cdef double factor = 0, moved
    if row < of.rows:
        for i in range(of.inputs):  # of sizes as integers, among which a NaN is the largest
            memcpy(&bits, x + i, sizeof(bits))
            top = max(top, bits & 0x7FFFFFFF)
        memcpy(&largest, &top, sizeof(largest))
        if top >= 0x7F800000:
            of.row_scales[row] = NAN
        else:
            of.row_scales[row] = largest / <double>of.largest * of.step
            if top != 0:
                factor = of.largest / <double>largest
    memset(sums, 0, sizeof(sums))
    for block in range(of.blocks):
        panel = block // PANEL * PANEL
        packed = of.packed + panel * BLOCK_PAIRS * of.packed_rows + (
            row * min(PANEL, of.blocks - panel) + block - panel) * BLOCK_PAIRS
        count = min(BLOCK, of.inputs - block * BLOCK) if factor != 0 else 0
        for i in range(count):  # to nearest, ties to even, by the addition of 1.5 * 2^52
            moved = x[block * BLOCK + i] * factor + 6755399441055744.0
            whole[i] = <int32_t>(moved - 6755399441055744.0)
        for i in range(count, BLOCK):
            whole[i] = 0
        for k in range(PAIRS):
            first = k % 2 * 2 + k // 2
            for part in range(PARTS):
                packed[k * PARTS + part] = (<uint32_t><uint16_t>whole[part * WORD + first]
                                            | <uint32_t><uint16_t>whole[part * WORD + first + 4] << 16)
        if of.offsets != NULL:
            for part in range(PARTS):
                for k in range(WORD):
                    sums[part] += whole[part * WORD + k]
                if of.ends[block]:
                    of.row_sums[(row * of.blocks + block) * PARTS + part] = <float>(sums[part] / of.step)
                    sums[part] = 0


cdef inline u32x looked_up(const uint8_t* table, u32x index) noexcept nogil:
    return <u32x>lookup16_u8(table, <u64x>index)


cdef void decode_strip(const Product* of, Py_ssize_t o, Py_ssize_t start, Py_ssize_t stop,
                       uint32_t* strip) noexcept nogil:
    # blocks start to stop of one output: levels in pairs, as x has them
    cdef Py_ssize_t block, row_bytes = (of.inputs + 1) // 2
    cdef const uint8_t* codes
    cdef uint8_t last[BLOCK_BYTES]
    cdef u32x words, index, low, high, nibbles = splat_u32(0x0F0F0F0F), even = splat_u32(0x00FF00FF)
    cdef int part, k
    for block in range(start, stop):
        codes = of.codes + o * row_bytes + block * BLOCK_BYTES
        prefetch(<uintptr_t>codes + AHEAD)
        if block + 1 == of.blocks:
            memset(last, 0, sizeof(last))
            memcpy(last, codes, row_bytes - block * BLOCK_BYTES)
            codes = last
        part = 0
        while part < PARTS:
            words = load_u32(<const uint32_t*>codes + part)
            for k in range(2):
                index = words >> 4 * k & nibbles
                low = looked_up(of.low, index)
                high = looked_up(of.high, index)
                store_u32(strip + 2 * k * PARTS + part, low & even | (high & even) << 8)
                store_u32(strip + (2 * k + 1) * PARTS + part, low >> 8 & even | high & ~even)
            part += F32_LANES
        strip += BLOCK_PAIRS


cdef inline void add_products(const Product* of, const uint32_t* x, Py_ssize_t length, const float* row_sums,
                              const uint32_t* strips, Py_ssize_t start, Py_ssize_t stop, const float** scales,
                              const float** offsets, float* sums, Py_ssize_t deep, int rows) noexcept nogil:
    # sums[PASS][deep][PARTS] += strips[PASS][length] * x[rows][length], of blocks start to stop
    cdef u32x total[PASS][ROWS]
    cdef u32x column[ROWS]
    cdef u32x weight, places
    cdef f32x scale, offset = splat_f32(0.0), sum
    cdef float* at
    # read once: a store to sums might change what `of` points to, for all that the compiler knows
    cdef const uint8_t* ends = of.ends
    cdef const uint32_t* all_places = of.places
    cdef const int32_t* bases = of.bases
    cdef Py_ssize_t blocks = of.blocks
    cdef bint shifted = of.offsets != NULL
    cdef Py_ssize_t block, i
    cdef int part = 0, k, o, row
    while part < PARTS:
        for o in range(PASS):
            for row in range(rows):
                total[o][row] = splat_u32(0)
        for block in range(start, stop):
            for k in range(PAIRS):
                i = (block - start) * BLOCK_PAIRS + k * PARTS + part
                for row in range(rows):
                    column[row] = load_u32(x + row * length + i)
                for o in range(PASS):
                    weight = load_u32(strips + o * PANEL * BLOCK_PAIRS + i)
                    for row in range(rows):
                        total[o][row] = dot_i16(weight, column[row], total[o][row])
            if ends[block]:
                places = load_u32(all_places + block * PARTS + part)
                for o in range(PASS):
                    scale = lookup16_f32(scales[o] + bases[block], places)
                    if shifted:
                        offset = lookup16_f32(offsets[o] + bases[block], places)
                    for row in range(rows):
                        at = sums + (o * deep + row) * PARTS + part
                        sum = fma_f32(round_i32_f32(total[o][row]), scale, load_f32(at))
                        if shifted:
                            sum = fma_f32(load_f32(row_sums + (row * blocks + block) * PARTS + part), offset, sum)
                        store_f32(at, sum)
                        total[o][row] = splat_u32(0)
        part += F32_LANES


cdef const float* with_room(const float* numbers, Py_ssize_t groups, float* room) noexcept nogil:
    # a look-up reads PARTS numbers: fewer than that stand in a room of their own
    if groups >= PARTS:
        return numbers
    memset(room, 0, PARTS * sizeof(float))
    memcpy(room, numbers, groups * sizeof(float))
    return room


cdef void do_task(void* context, Py_ssize_t i, int thread) noexcept nogil:
    cdef const Product* of = <const Product*>context
    cdef Py_ssize_t start = i // of.down * WIDTH, first = i % of.down * BATCH
    cdef Py_ssize_t count = min(WIDTH, of.outputs - start), deep = min(BATCH, of.packed_rows - first)
    cdef Py_ssize_t block, stop, length, o, row, k
    cdef const uint32_t* x
    cdef uint32_t* strips = <uint32_t*>(of.own + thread * of.own_size)
    cdef float* rooms = <float*>strips + WIDTH * PANEL * BLOCK_PAIRS
    cdef float* sums = rooms + 2 * WIDTH * PARTS
    cdef const float* scales[WIDTH]
    cdef const float* offsets[WIDTH]
    cdef float totals[PARTS]
    cdef float y
    for o in range(WIDTH):  # what stands behind the last output is computed and not kept
        row = start + min(o, count - 1)
        scales[o] = with_room(of.scales + row * of.groups, of.groups, rooms + o * PARTS)
        offsets[o] = scales[o] if of.offsets == NULL else with_room(
            of.offsets + row * of.groups, of.groups, rooms + (WIDTH + o) * PARTS)
    memset(strips, 0, WIDTH * PANEL * BLOCK_PAIRS * sizeof(uint32_t))
    memset(sums, 0, WIDTH * deep * PARTS * sizeof(float))
    block = 0
    while block < of.blocks:
        stop = min(block + PANEL, of.blocks)
        length = (stop - block) * BLOCK_PAIRS
        for o in range(count):
            decode_strip(of, start + o, block, stop, strips + o * PANEL * BLOCK_PAIRS)
        row = 0
        while row < deep:  # four rows meet all strips while these and they are in the first-level cache
            x = of.packed + block * BLOCK_PAIRS * of.packed_rows + (first + row) * length
            o = 0
            while o < count:
                if deep == 1:
                    add_products(of, x, length, of.row_sums, strips + o * PANEL * BLOCK_PAIRS, block, stop,
                                 scales + o, offsets + o, sums + o * PARTS, 1, 1)
                else:
                    add_products(of, x, length, of.row_sums + (first + row) * of.blocks * PARTS,
                                 strips + o * PANEL * BLOCK_PAIRS, block, stop, scales + o, offsets + o,
                                 sums + (o * deep + row) * PARTS, deep, ROWS)
                o += PASS
            row += ROWS
        block = stop
    i = 0
    while i < count * deep:
        meet(sums + i * PARTS, totals)
        for k in range(F32_LANES):
            o = start + (i + k) // deep
            row = first + (i + k) % deep
            if row < of.rows and o < of.outputs:
                y = <float>(totals[k] * of.row_scales[row])
                of.y[row * of.outputs + o] = y + (of.bias[o] if of.bias != NULL else <float>0.0)
        i += F32_LANES


cdef bint product(Product* of, const int16_t* levels, Py_ssize_t group, int threads) noexcept nogil:
    # all of it, of a Product whose operands and sizes are set; whether there was memory for it
    cdef Py_ssize_t sums_size, packed_size, i
    cdef uint8_t* ends
    cdef int32_t* bases
    cdef uint32_t* places
    cdef float* memory
    group = min(group, of.inputs)
    of.packed_rows = 1 if of.rows == 1 else (of.rows + ROWS - 1) // ROWS * ROWS
    of.blocks = (of.inputs + BLOCK - 1) // BLOCK
    of.groups = (of.inputs + group - 1) // group
    of.down = (of.packed_rows + BATCH - 1) // BATCH
    of.own_size = WIDTH * (PANEL * BLOCK_PAIRS + 2 * PARTS + min(BATCH, of.packed_rows) * PARTS)
    packed_size = of.packed_rows * of.blocks * BLOCK_PAIRS
    sums_size = 0 if of.offsets == NULL else of.packed_rows * of.blocks * PARTS
    # all of them begin on cache lines, except the last three
    memory = <float*>malloc((packed_size + threads * of.own_size + sums_size + 2 * (of.packed_rows + 8) + 16
                             + of.blocks * (PARTS + 2)) * sizeof(float))
    if memory == NULL:
        return False
    of.packed = <uint32_t*>aligned(memory)
    of.own = <float*>of.packed + packed_size
    of.row_sums = of.own + threads * of.own_size
    of.row_scales = <double*>(of.row_sums + sums_size)
    places = <uint32_t*>(of.row_scales + of.packed_rows)
    bases = <int32_t*>(places + of.blocks * PARTS)
    ends = <uint8_t*>(bases + of.blocks)
    for i in range(of.blocks):
        # no look-up reads past the scales of its output
        bases[i] = <int32_t>min(i * BLOCK // group, max(of.groups - PARTS, 0))
        ends[i] = (group % BLOCK != 0 and of.groups > 1) or (i + 1) * BLOCK % group == 0 or (
            (i + 1) % PANEL == 0 or i + 1 == of.blocks)
    for i in range(of.blocks * PARTS):
        places[i] = <uint32_t>(min(i * WORD // group, of.groups - 1) - bases[i // PARTS])
    for i in range(PARTS):
        of.low[i] = <uint8_t>levels[i]
        of.high[i] = <uint8_t>(levels[i] >> 8)
    of.ends = ends
    of.bases = bases
    of.places = places
    run_chunks(pack_row, of, of.packed_rows, threads)
    run_chunks(do_task, of, (of.outputs + WIDTH - 1) // WIDTH * of.down, threads)
    free(memory)
    return True


def linear4_int(const uint8_t[:, ::1] codes, const int16_t[::1] levels, double step, const float[:, ::1] scales,
                const float[:, ::1] offsets, Py_ssize_t group, const float[::1] bias, const float[:, ::1] x,
                float[:, ::1] y, int largest):
    """y[rows, outputs] = x[rows, inputs] @ weights.T + bias of weights levels[code] * step * scale + offset, x rounded
    to whole parts of its row's largest, up to `largest` of them; bias and offsets may be None."""
    cdef Product of
    cdef int threads = thread_count[0] if x.shape[0] * x.shape[1] * codes.shape[0] >= THREAD_MIN else 1
    cdef bint done
    of.codes, of.scales, of.x, of.y = &codes[0, 0], &scales[0, 0], &x[0, 0], &y[0, 0]
    of.offsets = of.bias = NULL
    if offsets is not None:
        of.offsets = &offsets[0, 0]
    if bias is not None:
        of.bias = &bias[0]
    of.rows, of.inputs, of.outputs, of.step, of.largest = x.shape[0], x.shape[1], codes.shape[0], step, largest
    with nogil:
        done = product(&of, &levels[0], group, threads)
    if not done:
        raise MemoryError
