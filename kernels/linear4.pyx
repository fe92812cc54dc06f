# A linear layer on packed 4-bit weights: codes become weights in registers, and for many rows in a tile that stays in
# the first-level cache. Codes and codebooks are genome.pyx; many genomes over one batch are population.pyx.
#
# Every output is one sum in one order, whatever the level, the threads and the number of rows: input i belongs to
# partial sum i // 8 % 16, so that a lane owns the eight codes of one 32-bit word; a partial sum adds its products in
# the order of i, fused; the sixteen meet by halves.
from libc.math cimport fmaf
from libc.stdint cimport uint8_t, uint32_t, uintptr_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

from .lanes cimport (
    F32_LANES, f32x, fma_f32, load_f32, load_u32, lookup16_f32, splat_f32, store_f32, u32x,
)
from .loops.numbers cimport OF_FLOAT32, OF_UINT8, Numbers, join_numbers, numbers_in, numbers_out
from .loops.partial_sums cimport PARTS, aligned, meet, prefetch, put_biases
from .loops.threads cimport join_threads, run_chunks, threads_for

cdef extern from *:
    """
    enum { OUTPUTS = REGISTERS == 32 ? 6 : 3, WIDTH = 4 * OUTPUTS };
    """
    const int OUTPUTS  # that share a pass over their inputs: with four rows each, as many sums as registers allow
    const int WIDTH  # outputs in a task: their sums stay in the second-level cache

cdef enum:
    WORD = 8  # codes in a word
    BLOCK = 128  # inputs in a block, a word for each partial sum
    BLOCK_BYTES = 64
    PANEL = 4  # blocks decoded at a time: for a pass's outputs they fit the first-level cache
    STRIP = 512  # PANEL * BLOCK
    ROWS = 4  # rows that share a pass
    BATCH = 128  # rows in a task
    FEW = 5  # up to so many rows, weights are multiplied in the registers that they are decoded in
    SHARED = 4  # so many outputs then share each load of an input
    FEW_OUTPUTS = 64  # and outputs in a task: a thread prefetches codes that are mostly its own
    AHEAD = 32768  # bytes of codes prefetched ahead: rows are too short for the hardware to foresee the next ones

join_threads()
join_numbers()


# All outputs' weights, as they come.
cdef struct Weights:
    const uint8_t* codes
    const float* levels
    const float* scales
    const float* offsets  # what is added to each weight, or NULL
    const float* last_scales  # those of the last outputs, with room behind them
    const float* last_offsets
    Py_ssize_t last  # the first of these outputs
    const uint32_t* places  # for each block and partial sum its group, counted from the block's first
    Py_ssize_t group
    Py_ssize_t groups
    Py_ssize_t inputs
    Py_ssize_t blocks

# One output's weights.
cdef struct Output:
    const uint8_t* codes
    const float* scales
    const float* offsets
    float table[PARTS]  # what a code stands for, before the group's scale and offset
    uint8_t last[BLOCK_BYTES]  # the last block's codes, with room behind them


cdef inline Output output_of(const Weights* weights, Py_ssize_t o) noexcept nogil:
    cdef Output output
    cdef Py_ssize_t code, row_bytes = (weights.inputs + 1) // 2, start = (weights.blocks - 1) * BLOCK_BYTES
    output.codes = weights.codes + o * row_bytes
    output.scales = (weights.scales + o * weights.groups if o < weights.last
                     else weights.last_scales + (o - weights.last) * weights.groups)
    if weights.offsets == NULL:
        output.offsets = NULL
    else:
        output.offsets = (weights.offsets + o * weights.groups if o < weights.last
                          else weights.last_offsets + (o - weights.last) * weights.groups)
    for code in range(PARTS):
        if weights.groups > 1:
            output.table[code] = weights.levels[code]
        elif output.offsets == NULL:
            output.table[code] = weights.levels[code] * output.scales[0]
        else:
            output.table[code] = fmaf(weights.levels[code], output.scales[0], output.offsets[0])
    memset(output.last, 0, sizeof(output.last))
    memcpy(output.last, output.codes + start, row_bytes - start)
    return output


cdef inline u32x words_of(const Output* output, Py_ssize_t block, Py_ssize_t blocks, int part) noexcept nogil:
    # the codes of a register of partial sums, eight in each lane
    cdef const uint8_t* codes = &output.last[0] if block + 1 == blocks else output.codes + block * BLOCK_BYTES
    return load_u32(<const uint32_t*>codes + part)


cdef inline u32x places_of(const Weights* weights, Py_ssize_t block, int part) noexcept nogil:
    # the groups of a register of partial sums, counted from the block's first
    return load_u32(weights.places + block * PARTS + part)


# What a register of weights is still to be multiplied by or added to: nothing, its groups' scales, or offsets too.
cdef enum Groups:
    ONE_GROUP = 0
    SCALED = 1
    SHIFTED = 2


cdef inline f32x weight_of(const float* table, u32x words, int k, Groups kind, f32x scale, f32x offset) noexcept nogil:
    # the k-th code of each lane as a weight
    cdef f32x weight = lookup16_f32(table, words >> 4 * k)
    if kind == SHIFTED:
        return fma_f32(weight, scale, offset)
    return weight * scale if kind == SCALED else weight


cdef inline Groups kind_of(const Weights* weights) noexcept nogil:
    if weights.groups == 1:
        return ONE_GROUP
    return SCALED if weights.offsets == NULL else SHIFTED


cdef inline void sums_of_a_row(const Weights* weights, const Output* output, const float* x, float* sums,
                               Groups kind) noexcept nogil:
    # sums[SHARED][PARTS] of one row
    cdef f32x total[SHARED]
    cdef f32x scale[SHARED]
    cdef f32x offset[SHARED]
    cdef u32x words[SHARED]
    cdef u32x places = places_of(weights, 0, 0)
    cdef f32x column
    cdef Py_ssize_t block, group = 0
    cdef int part = 0, k, o
    while part < PARTS:
        for o in range(SHARED):
            total[o] = splat_f32(0.0)
            scale[o] = splat_f32(1.0)
            offset[o] = splat_f32(0.0)
        for block in range(weights.blocks):
            if kind != ONE_GROUP:
                places = places_of(weights, block, part)
                group = block * BLOCK // weights.group
            for o in range(SHARED):
                words[o] = words_of(&output[o], block, weights.blocks, part)
                prefetch(<uintptr_t>output[o].codes + block * BLOCK_BYTES + AHEAD)
                if kind != ONE_GROUP:
                    scale[o] = lookup16_f32(output[o].scales + group, places)
                if kind == SHIFTED:
                    offset[o] = lookup16_f32(output[o].offsets + group, places)
            for k in range(WORD):
                column = load_f32(x + block * BLOCK + k * PARTS + part)
                for o in range(SHARED):
                    total[o] = fma_f32(weight_of(output[o].table, words[o], k, kind, scale[o], offset[o]), column,
                                       total[o])
        for o in range(SHARED):
            store_f32(sums + o * PARTS + part, total[o])
        part += F32_LANES


cdef void decode_strip(const Weights* weights, const Output* output, Py_ssize_t start, Py_ssize_t stop,
                       float* strip) noexcept nogil:
    # blocks start to stop of one output, in the order of x's
    cdef Py_ssize_t block
    cdef f32x scale = splat_f32(1.0), offset = splat_f32(0.0)
    cdef u32x words
    cdef int part, k
    cdef Groups kind = kind_of(weights)
    for block in range(start, stop):
        part = 0
        while part < PARTS:
            words = words_of(output, block, weights.blocks, part)
            if kind != ONE_GROUP:
                scale = lookup16_f32(output.scales + block * BLOCK // weights.group, places_of(weights, block, part))
            if kind == SHIFTED:
                offset = lookup16_f32(output.offsets + block * BLOCK // weights.group, places_of(weights, block, part))
            for k in range(WORD):
                store_f32(strip + k * PARTS + part, weight_of(output.table, words, k, kind, scale, offset))
            part += F32_LANES
        strip += BLOCK


cdef void add_products(const float* x, const float* strips, Py_ssize_t length, float* sums) noexcept nogil:
    # sums[ROWS][WIDTH][PARTS] += strips[OUTPUTS][length] * x[ROWS][length], for the first OUTPUTS of a row's sums
    cdef f32x total[OUTPUTS][ROWS]
    cdef f32x column[ROWS]
    cdef f32x weight
    cdef Py_ssize_t at
    cdef int part = 0, o, row
    while part < PARTS:
        for o in range(OUTPUTS):
            for row in range(ROWS):
                total[o][row] = load_f32(sums + (row * WIDTH + o) * PARTS + part)
        at = part
        while at < length:
            for row in range(ROWS):
                column[row] = load_f32(x + row * length + at)
            for o in range(OUTPUTS):
                weight = load_f32(strips + o * length + at)
                for row in range(ROWS):
                    total[o][row] = fma_f32(weight, column[row], total[o][row])
            at += PARTS
        for o in range(OUTPUTS):
            for row in range(ROWS):
                store_f32(sums + (row * WIDTH + o) * PARTS + part, total[o][row])
        part += F32_LANES


cdef void pack_row(const float* x, Py_ssize_t inputs, float* packed, Py_ssize_t start, Py_ssize_t stop) noexcept nogil:
    # blocks start to stop in the order in which words give their codes, zeros behind the last input
    cdef Py_ssize_t block, left
    cdef float whole[BLOCK]
    cdef const float* source
    cdef int lane, k
    for block in range(start, stop):
        source = x + block * BLOCK
        left = inputs - block * BLOCK
        if left < BLOCK:
            memset(whole, 0, sizeof(whole))
            memcpy(whole, source, left * sizeof(float))
            source = whole
        for k in range(WORD):
            for lane in range(PARTS):
                packed[k * PARTS + lane] = source[lane * WORD + k]
        packed += BLOCK


cdef void few_rows(const Weights* weights, Py_ssize_t start, Py_ssize_t stop, const float* bias, const float* packed,
                   float* y, Py_ssize_t rows, Py_ssize_t outputs) noexcept nogil:
    # outputs start to stop, PARTS at a time, of packed[rows][blocks * BLOCK]
    cdef Output output[PARTS]
    cdef float sums[PARTS * PARTS]
    cdef float totals[PARTS]
    cdef const float* x
    cdef Py_ssize_t row, k, count
    while start < stop:
        count = min(PARTS, stop - start)
        for k in range(PARTS):
            output[k] = output_of(weights, start + min(k, count - 1))
        for row in range(rows):
            x = packed + row * weights.blocks * BLOCK
            for k in range((count + SHARED - 1) // SHARED):
                if kind_of(weights) == SHIFTED:
                    sums_of_a_row(weights, output + k * SHARED, x, sums + k * SHARED * PARTS, SHIFTED)
                elif kind_of(weights) == SCALED:
                    sums_of_a_row(weights, output + k * SHARED, x, sums + k * SHARED * PARTS, SCALED)
                else:
                    sums_of_a_row(weights, output + k * SHARED, x, sums + k * SHARED * PARTS, ONE_GROUP)
            for k in range((count + F32_LANES - 1) // F32_LANES):
                meet(sums + k * F32_LANES * PARTS, PARTS, F32_LANES, totals + k * F32_LANES)
            for k in range(count):
                y[row * outputs + start + k] = totals[k] + (bias[start + k] if bias != NULL else <float>0.0)
        start += PARTS


cdef void many_rows(const Weights* weights, Py_ssize_t start, Py_ssize_t stop, const float* bias, const float* packed,
                    Py_ssize_t packed_rows, Py_ssize_t first, Py_ssize_t last, float* y, Py_ssize_t outputs,
                    float* strips, float* sums) noexcept nogil:
    # outputs start to stop, WIDTH at most, of rows first to last, BATCH at most. packed holds one panel of
    # all rows after the other, with whole ROWS; strips[WIDTH][STRIP], sums[BATCH][WIDTH][PARTS]
    cdef Py_ssize_t panel, block, length, o, row, k, passes = (stop - start + OUTPUTS - 1) // OUTPUTS
    cdef Py_ssize_t whole = (last - first + ROWS - 1) // ROWS * ROWS
    cdef Output output[WIDTH]
    for o in range(stop - start):
        output[o] = output_of(weights, start + o)
    memset(sums, 0, whole * WIDTH * PARTS * sizeof(float))
    memset(strips, 0, passes * OUTPUTS * STRIP * sizeof(float))
    for panel in range((weights.blocks + PANEL - 1) // PANEL):
        block = panel * PANEL
        length = min(PANEL, weights.blocks - block) * BLOCK
        for o in range(stop - start):
            decode_strip(weights, &output[o], block, block + length // BLOCK, strips + o * length)
        for o in range(passes):
            row = 0
            while row < last - first:
                add_products(packed + block * BLOCK * packed_rows + (first + row) * length,
                             strips + o * OUTPUTS * length, length, sums + (row * WIDTH + o * OUTPUTS) * PARTS)
                row += ROWS
    # totals stand where sums were that have been read
    for k in range(whole * WIDTH // F32_LANES):
        meet(sums + k * F32_LANES * PARTS, PARTS, F32_LANES, sums + k * F32_LANES)
    for row in range(last - first):
        for o in range(stop - start):
            y[(first + row) * outputs + start + o] = (
                sums[row * WIDTH + o] + (bias[start + o] if bias != NULL else <float>0.0))


cdef struct Product:
    # all of it: its rows are packed first, as chunks of one panel of one row each, and then its tasks are done
    Weights weights
    const float* bias
    const float* x
    float* y
    Py_ssize_t rows
    Py_ssize_t outputs
    bint few
    float* packed
    Py_ssize_t packed_rows
    Py_ssize_t panel_blocks
    Py_ssize_t panels
    Py_ssize_t width  # outputs in a task
    Py_ssize_t down  # tasks of the same outputs
    float* own  # strips and sums of each thread
    Py_ssize_t own_size


cdef void pack_panel(void* context, Py_ssize_t i, int thread) noexcept nogil:
    cdef const Product* of = <const Product*>context
    cdef Py_ssize_t row = i // of.panels, panel = i % of.panels * of.panel_blocks
    cdef Py_ssize_t stop = min(panel + of.panel_blocks, of.weights.blocks)
    cdef float* target = of.packed + panel * BLOCK * of.packed_rows + row * (stop - panel) * BLOCK
    if row < of.rows:
        pack_row(of.x + row * of.weights.inputs, of.weights.inputs, target, panel, stop)
    else:
        memset(target, 0, (stop - panel) * BLOCK * sizeof(float))


cdef void do_task(void* context, Py_ssize_t i, int thread) noexcept nogil:
    cdef const Product* of = <const Product*>context
    cdef Py_ssize_t start = i // of.down * of.width, first = i % of.down * BATCH
    cdef Py_ssize_t stop = min(start + of.width, of.outputs)
    cdef float* own = of.own + thread * of.own_size
    if of.few:
        few_rows(&of.weights, start, stop, of.bias, of.packed, of.y, of.rows, of.outputs)
    else:
        many_rows(&of.weights, start, stop, of.bias, of.packed, of.packed_rows, first, min(first + BATCH, of.rows),
                  of.y, of.outputs, own, own + of.width * STRIP)


cdef bint linear4_float32(const uint8_t* codes, const float* levels, const float* scales, Py_ssize_t group,
                          const float* bias, const float* x, float* y, Py_ssize_t rows, Py_ssize_t inputs,
                          Py_ssize_t outputs, int num_threads) noexcept nogil:
    return linear4_offset_float32(codes, levels, scales, NULL, group, bias, x, y, rows, inputs, outputs, num_threads)


cdef bint linear4_offset_float32(const uint8_t* codes, const float* levels, const float* scales, const float* offsets,
                                 Py_ssize_t group, const float* bias, const float* x, float* y, Py_ssize_t rows,
                                 Py_ssize_t inputs, Py_ssize_t outputs, int num_threads) noexcept nogil:
    group = max(group, 1)  # as it is where there are inputs
    cdef int threads = max(num_threads, 1)
    cdef Py_ssize_t blocks = max((inputs + BLOCK - 1) // BLOCK, 1), groups = max((inputs + group - 1) // group, 1)
    cdef bint few = rows <= FEW
    cdef Py_ssize_t packed_rows = rows if few else (rows + ROWS - 1) // ROWS * ROWS
    cdef Py_ssize_t panel_blocks = blocks if few else PANEL
    cdef Py_ssize_t panels = (blocks + panel_blocks - 1) // panel_blocks
    cdef Py_ssize_t width = FEW_OUTPUTS if few else WIDTH
    cdef Py_ssize_t across = (outputs + width - 1) // width, down = 1 if few else (rows + BATCH - 1) // BATCH
    cdef Py_ssize_t packed_size = packed_rows * blocks * BLOCK, i
    cdef Py_ssize_t own_size = 0 if few else width * (STRIP + BATCH * PARTS)
    cdef int busy = <int>min(<Py_ssize_t>threads, max(across * down, 1))  # more would have tiles for nothing
    cdef Weights weights
    cdef Product of
    # a look-up reads PARTS scales at once, so those of the last outputs are read from a copy with room behind it
    cdef Py_ssize_t last = max(outputs - (PARTS + groups - 1) // groups, 0), last_size = (outputs - last) * groups
    cdef float* memory
    cdef float* packed
    cdef float* last_scales
    cdef float* last_offsets
    cdef uint32_t* places
    if inputs < 1:  # nor are there scales
        put_biases(bias, y, rows, outputs)
        return True
    # packed inputs and each thread's tiles on cache lines; the last scales with room behind them, and their places
    memory = <float*>malloc((packed_size + busy * own_size + 2 * (last_size + PARTS) + blocks * PARTS + 16)
                            * sizeof(float))
    if memory == NULL:
        return False
    packed = aligned(memory)
    last_scales = packed + packed_size + busy * own_size
    last_offsets = last_scales + last_size + PARTS
    places = <uint32_t*>(last_offsets + last_size + PARTS)
    memcpy(last_scales, scales + last * groups, last_size * sizeof(float))
    memset(last_scales + last_size, 0, PARTS * sizeof(float))
    memset(last_offsets, 0, (last_size + PARTS) * sizeof(float))
    if offsets != NULL:
        memcpy(last_offsets, offsets + last * groups, last_size * sizeof(float))
    for i in range(blocks * PARTS):
        places[i] = <uint32_t>(i * WORD // group - i // PARTS * BLOCK // group)
    weights = Weights(codes, levels, scales, offsets, last_scales, last_offsets, last, places, group, groups, inputs,
                      blocks)
    of = Product(weights, bias, x, y, rows, outputs, few, packed, packed_rows, panel_blocks, panels, width, down,
                 packed + packed_size, own_size)
    run_chunks(pack_panel, &of, packed_rows * panels, threads)
    run_chunks(do_task, &of, across * down, busy)
    free(memory)
    return True


def linear4(codes, levels, scales, offsets, Py_ssize_t group, bias, x, y):
    """y[rows, outputs] = x[rows, inputs] @ weights.T + bias; bias and offsets, of the scales' shape, may be None."""
    cdef Numbers own = numbers_in(codes, OF_UINT8, 2), level = numbers_in(levels, OF_FLOAT32, 1)
    cdef Numbers scale = numbers_in(scales, OF_FLOAT32, 2), offset = numbers_in(offsets, OF_FLOAT32, 2)
    cdef Numbers added = numbers_in(bias, OF_FLOAT32, 1)
    cdef Numbers given = numbers_in(x, OF_FLOAT32, 2), made = numbers_out(y, OF_FLOAT32, 2)
    cdef Py_ssize_t size = given.shape[0] * given.shape[1]
    cdef int done, threads = threads_for(size * own.shape[0])
    with nogil:
        done = linear4_offset_float32(<const uint8_t*>own.at, <const float*>level.at, <const float*>scale.at,
                                      <const float*>offset.at, group, <const float*>added.at, <const float*>given.at,
                                      <float*>made.at, given.shape[0], given.shape[1], own.shape[0], threads)
    if not done:
        raise MemoryError(f"linear4: no memory for copies of inputs, at least {4 * size} bytes")
