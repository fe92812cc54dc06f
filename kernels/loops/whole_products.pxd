# linear4_int's inner loop: what a product of whole numbers is made of, codes turned into levels, and registers of them
# times registers of activations. Which rows and outputs meet, and where their memory is, is linear4_int.pyx's.
from libc.stdint cimport int32_t, uint8_t, uint32_t, uintptr_t
from libc.string cimport memcpy

from ..lanes cimport (
    F32_LANES, dot_i16, dot_u8, f32x, fma_f32, load_f32, load_u32, lookup16_u8, lookup8_f32, pair_products_u8,
    round_i32_f32, splat_f32, splat_u32, store_f32, u32x, u64x,
)
from .partial_sums cimport PARTS, prefetch

cdef enum:
    WORD = 8  # codes in a word
    BLOCK = 128  # inputs in a block, a word for each partial sum
    BLOCK_BYTES = 64
    PAIRS = 4  # one register of words becomes so many registers of pairs
    BYTES = 2  # or so many of bytes
    CHAIN = 4  # blocks whose whole numbers may be added up before they become float32
    PANEL = 8  # blocks decoded at a time: for a task's outputs they fit the first-level cache
    SUMS = 32  # a pass has so many sums at most
    WEIGHTS = PANEL * PAIRS * PARTS  # words of weights in the strip of an output
    STRIP = WEIGHTS + 2 * PANEL * PARTS  # with the scales and offsets behind them
    AHEAD = 32768  # bytes of codes prefetched ahead: rows are too short for the hardware to foresee the next ones


cdef struct Output:
    const uint8_t* codes
    const uint8_t* tail  # the last block, where it is no whole one
    const float* scales
    const float* offsets


cdef struct Product:
    const uint8_t* codes
    bint bytes  # the form in which integers meet
    bint narrow  # as pairs: all levels are signed bytes
    # of each code's level: as bytes, above the lowest; as pairs, itself if narrow, or its magnitude
    uint8_t sizes[PARTS]
    uint8_t signs[PARTS]  # 1, 0 and -1: as pairs that are not narrow
    int lowest
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
    Py_ssize_t panel  # blocks of x that lie together
    Py_ssize_t whole  # blocks that have all of their inputs
    int largest  # the largest magnitude of an activation as a whole number
    bint always  # every block ends a sum of whole numbers
    bint shared  # all partial sums of a register have the same group
    const uint8_t* ends  # whether whole sums become float32 behind this block
    const int32_t* bases  # of each block: from where in an output's scales its places count
    const uint32_t* places  # of each block and partial sum
    Py_ssize_t packed_rows
    uint32_t* packed  # one panel of all rows after the other, see `pack_row`
    double* row_scales  # what a whole sum of this row stands for, before the group's scale
    float* row_sums  # of each row, block and partial sum: its activations since the last end, over the step
    Py_ssize_t down  # tasks of the same outputs
    float* own  # strips, scales, offsets and sums of each thread
    Py_ssize_t own_size


cdef inline Py_ssize_t words_of(bint bytes) noexcept nogil:
    # of a row and block in `packed`: as bytes, also what each sum begins with
    return (BYTES + 1) * PARTS if bytes else PAIRS * PARTS


cdef inline u32x looked_up(const uint8_t* table, u32x index) noexcept nogil:
    return <u32x>lookup16_u8(table, <u64x>index)


cdef inline void decode(const uint8_t* sizes, const uint8_t* signs, const uint8_t* codes, u32x* weights,
                        bint bytes, bint narrow) noexcept nogil:
    # a register of words as bytes or as pairs, in the order of `packed`
    cdef u32x words = load_u32(<const uint32_t*>codes), nibbles = splat_u32(0x0F0F0F0F)
    cdef u32x even = splat_u32(0x00FF00FF), one = splat_u32(0x00010001)
    cdef u32x index, size, sign
    cdef int k
    for k in range(2):
        index = words >> 4 * k & nibbles
        size = looked_up(sizes, index)
        if bytes:
            weights[k] = size
        elif narrow:
            weights[2 * k] = pair_products_u8(one, size)
            weights[2 * k + 1] = pair_products_u8(one << 8, size)
        else:
            sign = looked_up(signs, index)
            weights[2 * k] = pair_products_u8(size, sign & even)
            weights[2 * k + 1] = pair_products_u8(size, sign & ~even)


cdef inline f32x of_groups(const float* numbers, int32_t base, const uint32_t* places, bint shared) noexcept nogil:
    # scales or offsets of an output, of a register of partial sums: a block has no more than eight groups
    if shared:
        return splat_f32(numbers[places[0]])
    return lookup8_f32(numbers + base, load_u32(places))


cdef inline const uint8_t* codes_of(const Output* output, Py_ssize_t block, Py_ssize_t whole) noexcept nogil:
    return output.codes + block * BLOCK_BYTES if block < whole else output.tail


cdef inline u32x whole_sum(const uint32_t* x, const u32x* weights, u32x total, bint bytes) noexcept nogil:
    # total + weights * x, of a register of partial sums
    cdef int k
    if bytes:
        return dot_u8(weights[0], load_u32(x), weights[1], load_u32(x + PARTS), total)
    for k in range(PAIRS):
        total = dot_i16(weights[k], load_u32(x + k * PARTS), total)
    return total


cdef inline f32x numbers_of(const float* of_strip, const Output* output, bint offsets, int32_t base,
                            const uint32_t* places, bint decoded, bint shared) noexcept nogil:
    # scales or offsets, of a strip or of an output
    if decoded:
        return load_f32(of_strip)
    return of_groups(output.offsets if offsets else output.scales, base, places, shared)


cdef inline f32x ended(u32x total, f32x scale, const float* row_sum, f32x offset, f32x sum,
                       bint has_offsets) noexcept nogil:
    # a sum of whole numbers, and of the activations that an offset belongs to, becomes float32
    sum = fma_f32(round_i32_f32(total), scale, sum)
    return fma_f32(load_f32(row_sum), offset, sum) if has_offsets else sum


cdef inline void add_products(const Product* of, const uint32_t* x, Py_ssize_t row_words, const float* row_sums,
                              const uint32_t* strips, const Output* outputs, Py_ssize_t start, Py_ssize_t stop,
                              float* sums, int width, int rows, int span, bint bytes, bint decoded, bint always,
                              bint has_offsets, bint shared, bint narrow) noexcept nogil:
    # sums[width][rows][PARTS] += weights * x[rows][row_words], of blocks start to stop, a span of partial sums at a
    # time. Weights are strips, of which each has STRIP words, or decoded here from codes. The last four flags are the
    # product's: where a caller knows one when this is compiled, no register and no branch is spent on it.
    cdef u32x total[SUMS]
    cdef f32x sum[SUMS]
    cdef u32x weights[PAIRS]
    cdef f32x scale, offset = splat_f32(0.0)
    cdef const uint8_t* codes[SUMS]
    cdef uint8_t sizes[PARTS]
    cdef uint8_t signs[PARTS]
    # read once: a store to sums might change what `of` points to, for all that the compiler knows
    cdef const uint8_t* ends = of.ends
    cdef const uint32_t* places = of.places
    cdef const int32_t* bases = of.bases
    cdef Py_ssize_t blocks = of.blocks, whole = of.whole
    cdef const float* of_strip
    cdef const uint32_t* at_places
    cdef const uint32_t* at
    cdef Py_ssize_t block, from_block, to_block
    cdef int first = 0, part, i, j, k, o, row
    memcpy(sizes, of.sizes, sizeof(sizes))
    memcpy(signs, of.signs, sizeof(signs))
    while first < PARTS:
        for i in range(width * rows):
            for k in range(span // F32_LANES):
                total[i * (span // F32_LANES) + k] = splat_u32(0)
                sum[i * (span // F32_LANES) + k] = load_f32(sums + i * PARTS + first + k * F32_LANES)
        from_block = start
        while from_block < stop:  # whole blocks, then the last one where it is none
            to_block = stop if decoded or from_block >= whole else min(stop, whole)
            if not decoded:
                for o in range(width):
                    codes[o] = codes_of(outputs + o, from_block, whole) - from_block * BLOCK_BYTES
            for block in range(from_block, to_block):
                for o in range(width):
                    if not decoded and first == 0:
                        prefetch(<uintptr_t>(codes[o] + block * BLOCK_BYTES) + AHEAD)
                    for j in range(span // F32_LANES):
                        part = first + j * F32_LANES
                        if decoded:
                            for k in range(BYTES if bytes else PAIRS):
                                weights[k] = load_u32(strips + o * STRIP + (
                                    (block - start) * (BYTES if bytes else PAIRS) + k) * PARTS + part)
                        else:
                            decode(sizes, signs, codes[o] + block * BLOCK_BYTES + 4 * part, weights, bytes, narrow)
                        if always:
                            of_strip = <const float*>(strips + o * STRIP + WEIGHTS) + (block - start) * PARTS + part
                            at_places = places + block * PARTS + part
                            scale = numbers_of(of_strip, outputs + o, False, bases[block], at_places, decoded, shared)
                            if has_offsets:
                                offset = numbers_of(of_strip + PANEL * PARTS, outputs + o, True, bases[block],
                                                    at_places, decoded, shared)
                        for row in range(rows):
                            i = (o * rows + row) * (span // F32_LANES) + j
                            at = x + row * row_words + (block - start) * words_of(bytes) + part
                            if always:
                                sum[i] = ended(
                                    whole_sum(at, weights, load_u32(at + BYTES * PARTS) if bytes else splat_u32(0),
                                              bytes),
                                    scale, row_sums + (row * blocks + block) * PARTS + part, offset, sum[i],
                                    has_offsets)
                            else:
                                total[i] = whole_sum(at, weights, total[i], bytes)
                if not always and ends[block]:
                    for o in range(width):
                        for j in range(span // F32_LANES):
                            part = first + j * F32_LANES
                            of_strip = <const float*>(strips + o * STRIP + WEIGHTS) + (block - start) * PARTS + part
                            at_places = places + block * PARTS + part
                            scale = numbers_of(of_strip, outputs + o, False, bases[block], at_places, decoded, shared)
                            if has_offsets:
                                offset = numbers_of(of_strip + PANEL * PARTS, outputs + o, True, bases[block],
                                                    at_places, decoded, shared)
                            for row in range(rows):
                                i = (o * rows + row) * (span // F32_LANES) + j
                                at = x + row * row_words + (block - start) * words_of(bytes) + part
                                if bytes:
                                    total[i] += load_u32(at + BYTES * PARTS)
                                sum[i] = ended(total[i], scale, row_sums + (row * blocks + block) * PARTS + part,
                                               offset, sum[i], has_offsets)
                                total[i] = splat_u32(0)
            from_block = to_block
        for i in range(width * rows):
            for k in range(span // F32_LANES):
                store_f32(sums + i * PARTS + first + k * F32_LANES, sum[i * (span // F32_LANES) + k])
        first += span
