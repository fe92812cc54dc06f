# linear4_int's inner loop: what a product of whole numbers is made of. Codes are turned into levels, which stay in
# registers while the rows of activations pass by. Which rows and outputs meet, and where their memory is, is
# linear4_int.pyx's.
from libc.stdint cimport int32_t, uint8_t, uint32_t, uintptr_t

from ..lanes cimport (
    ABREAST, F32_LANES, dot_i16, dots_i16, dots_of_row_u8, dots_u8, f32x, fma_f32, load_f32, load_u32,
    lookup16_f32, lookup16_u8, lookup8_f32, pair_products_u8, round_i32_f32, splat_f32, splat_u32, store_f32,
    store_u32, transposed_u32, u32x, u64x, where_other_u32,
)
from .partial_sums cimport PARTS, prefetch, prefetch_near

cdef extern from *:
    """
    enum { SLICES = 16 / F32_LANES, HELD = REGISTERS / 2 };
    """
    const int SLICES  # of a block: registers of partial sums
    const int HELD  # registers of weights that wait for the rows to pass by

cdef enum:
    WORD = 8  # codes in a word
    SHALLOW = PARTS * WORD  # inputs in a block that has one word for each partial sum
    WORDS = 4  # of each partial sum in a deep block
    DEEP = SHALLOW * WORDS
    PAIRS = 4  # one register of words becomes so many registers of pairs
    BYTES = 2  # or so many of bytes
    BATCH = 40  # rows in a task: half of the sums stay in the first-level cache, activations in the second-level one
    FEW = 4  # rows for which decoding takes longer than a second plane does
    IN_TURN = 4  # sums that are added to in turn
    MOST_ABREAST = 2  # outputs that are taken together, where they are
    AHEAD = 32768  # bytes of codes prefetched ahead: rows are too short for the hardware to foresee the next ones


cdef struct Output:
    const uint8_t* codes
    const uint8_t* tail  # the last block, where it is no whole one
    const float* scales
    const float* offsets


cdef struct Product:
    const uint8_t* codes
    int planes  # of bytes, in which integers meet: one, two, or none where they meet as pairs
    bint narrow  # as pairs: all levels are signed bytes
    # of each code's level: as bytes, above the lowest; as pairs, itself if narrow, or its magnitude
    uint8_t sizes[PARTS]
    uint8_t signs[PARTS]  # 1, 0 and -1: as pairs that are not narrow
    int lowest
    bint small  # as bytes: eight registers of products add up to 16 bits, not only four
    bint straight  # as bytes: sizes are the codes, but for these bits of theirs
    uint32_t flips
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
    int depth  # words of a partial sum in a block
    Py_ssize_t blocks
    Py_ssize_t whole  # blocks that have all of their inputs
    int largest  # the largest magnitude of an activation as a whole number
    bint shared  # all partial sums of a register have the same group
    bint wide  # a block may have more than eight groups
    const int32_t* bases  # of each block: from where in an output's scales its places count
    const uint32_t* places  # of each block and partial sum
    # of each batch all rows of one slice after the other, see `pack_row`: the first slices of all blocks, then the
    # second ones, so that half of the sums are in use at a time; of a single row, all slices of one block in a row
    uint32_t* packed
    double* row_scales  # what a whole sum of this row stands for, before the group's scale
    float* row_sums  # of each block, row and partial sum: its activations, over the step
    Py_ssize_t batch  # rows in a task: as equal as whole IN_TURN allow
    Py_ssize_t across  # tasks of the same rows, which are done one after the other
    bint looks  # whether the largest scale is looked for, on the way: its bits stand first in each thread's own
    float* own  # that and last blocks, scales, offsets and sums of each thread
    Py_ssize_t own_size


cdef inline Py_ssize_t words_of(int planes, int depth) noexcept nogil:
    # of a row and slice in `packed`: as bytes, also what each sum begins with
    return (BYTES * planes * depth + 1 if planes else PAIRS * depth) * F32_LANES


cdef inline u32x looked_up(const uint8_t* table, u32x index) noexcept nogil:
    return <u32x>lookup16_u8(table, <u64x>index)


cdef inline int abreast_of(int planes) noexcept nogil:
    # outputs that are taken together
    return ABREAST if planes else 1


cdef inline void decode_bytes(const Product* of, u32x words, u32x* weights, bint straight,
                              bint in_place) noexcept nogil:
    # a register of words, in the order of `packed`; straight and in place, the second is 16 times its levels
    cdef u32x nibbles = splat_u32(0x0F0F0F0F)
    cdef int k
    if straight and not in_place:
        words = words ^ splat_u32(of.flips)
    for k in range(BYTES):
        if straight and in_place:
            weights[k] = where_other_u32(words, splat_u32(of.flips), nibbles << 4 * k)
        else:
            weights[k] = words >> 4 * k & nibbles
            if not straight:
                weights[k] = looked_up(of.sizes, weights[k])


cdef inline void decode_pairs(const Product* of, u32x words, u32x* weights, bint narrow) noexcept nogil:
    cdef u32x nibbles = splat_u32(0x0F0F0F0F), even = splat_u32(0x00FF00FF), one = splat_u32(0x00010001)
    cdef u32x index, size, sign
    cdef int k
    for k in range(2):
        index = words >> 4 * k & nibbles
        size = looked_up(of.sizes, index)
        if narrow:
            weights[2 * k] = pair_products_u8(one, size)
            weights[2 * k + 1] = pair_products_u8(one << 8, size)
        else:
            sign = looked_up(of.signs, index)
            weights[2 * k] = pair_products_u8(size, sign & even)
            weights[2 * k + 1] = pair_products_u8(size, sign & ~even)


cdef inline f32x of_groups(const Product* of, const float* numbers, Py_ssize_t block, int first) noexcept nogil:
    # scales or offsets of an output, of a register of partial sums
    cdef const uint32_t* places = of.places + block * PARTS + first
    numbers += of.bases[block]
    if F32_LANES == PARTS:  # where a look-up among sixteen is one instruction, there are no questions
        return lookup16_f32(numbers, load_u32(places))
    if of.shared:
        return splat_f32(numbers[places[0]])
    return lookup16_f32(numbers, load_u32(places)) if of.wide else lookup8_f32(numbers, load_u32(places))


cdef inline void words_at(const uint8_t* codes, int first, u32x* words, int depth) noexcept nogil:
    # the codes of a block, those of a register of partial sums
    if depth == 1:
        words[0] = load_u32(<const uint32_t*>codes + first)
    else:
        transposed_u32(<const uint32_t*>codes + first + first % 4 * (PARTS - 1), words)


cdef inline void prefetch_ahead(const uint8_t* codes, int first, int depth) noexcept nogil:
    # once for each block
    cdef int k
    for k in range(depth if first == 0 else 0):
        prefetch(<uintptr_t>codes + 64 * k + AHEAD)


cdef inline void numbers_of(const Product* of, const Output* outputs, Py_ssize_t block, Py_ssize_t whole, int first,
                            u32x* words, f32x* scales, f32x* offsets, int planes, int depth,
                            bint has_offsets) noexcept nogil:
    # codes, scales and offsets of outputs that are abreast, of a register of partial sums
    cdef const uint8_t* codes
    cdef int o
    for o in range(abreast_of(planes)):
        codes = outputs[o].tail if block >= whole else outputs[o].codes + block * (SHALLOW // 2 * depth)
        prefetch_ahead(codes, first, depth)
        words_at(codes, first, words + o * depth, depth)
        scales[o] = of_groups(of, outputs[o].scales, block, first)
        offsets[o] = of_groups(of, outputs[o].offsets, block, first) if has_offsets else splat_f32(0.0)


cdef inline void decode_words(const Product* of, const u32x* words, u32x* weights, int planes, int count,
                              bint straight, bint in_place) noexcept nogil:
    cdef int k
    if planes and straight:
        for k in range(count):
            decode_bytes(of, words[k], weights + BYTES * k, True, in_place)
    elif planes:
        for k in range(count):
            decode_bytes(of, words[k], weights + BYTES * k, False, in_place)
    elif of.narrow:
        for k in range(count):
            decode_pairs(of, words[k], weights + PAIRS * k, True)
    else:
        for k in range(count):
            decode_pairs(of, words[k], weights + PAIRS * k, False)


cdef inline void sums_of_planes(const u32x* weights, const uint32_t* x, Py_ssize_t step, int rows, int lift,
                                u32x* totals, int planes, int depth, int at_once) noexcept nogil:
    # of all outputs that are abreast, of one row or of those in turn, `step` words apart; lift is as decoded in place
    cdef int registers = BYTES * depth, o, row
    for row in range(rows):
        for o in range(ABREAST):
            totals[o * rows + row] = load_u32(x + row * step + planes * registers * F32_LANES)
    if rows > 1:
        dots_u8(weights, x, step, rows, registers, at_once, planes, totals)
    else:
        dots_of_row_u8(weights, x, registers, at_once, planes, lift, totals)


cdef inline void add_pairs(const u32x* weights, const uint32_t* x, Py_ssize_t step, int rows, u32x* totals,
                           int count) noexcept nogil:
    cdef int k
    if rows > 1:
        dots_i16(weights, x, step, PAIRS * count, totals)
        return
    for k in range(PAIRS * count):
        totals[0] = dot_i16(weights[k], load_u32(x + k * F32_LANES), totals[0])


cdef inline f32x with_whole(f32x sum, u32x total, f32x scale, const float* row_sums, f32x offset,
                            bint has_offsets) noexcept nogil:
    # a sum of whole numbers, and of the activations that an offset belongs to, becomes float32
    sum = fma_f32(round_i32_f32(total), scale, sum)
    return fma_f32(load_f32(row_sums), offset, sum) if has_offsets else sum


cdef inline void add_row(const Product* of, const Output* outputs, float* sums, int planes, int depth,
                         bint has_offsets, bint straight) noexcept nogil:
    # sums[abreast][PARTS] = weights * x, of the only row, the sums in registers. What follows them is the product's:
    # where a caller knows it when this is compiled, weights stay in registers, and nothing is asked block by block.
    cdef u32x words[MOST_ABREAST * WORDS]
    cdef u32x weights[PAIRS * WORDS]
    cdef u32x totals[MOST_ABREAST]
    cdef f32x sum[MOST_ABREAST * SLICES]
    cdef f32x scales[MOST_ABREAST]
    cdef f32x offsets[MOST_ABREAST]
    cdef const uint8_t* codes[MOST_ABREAST]
    cdef const uint32_t* x = of.packed
    cdef const float* row_sums = of.row_sums
    cdef Py_ssize_t block, blocks = of.blocks, whole = of.whole, size = SHALLOW // 2 * depth
    cdef int abreast = abreast_of(planes), slice, word, o, first
    for o in range(abreast):
        codes[o] = outputs[o].codes
    for slice in range(abreast * SLICES):
        sum[slice] = splat_f32(0.0)
    for block in range(blocks):
        if block == whole:
            for o in range(abreast):
                codes[o] = outputs[o].tail
        for slice in range(SLICES):
            first = slice * F32_LANES
            for o in range(abreast):
                prefetch_ahead(codes[o], first, depth)
                words_at(codes[o], first, words + o * depth, depth)
                scales[o] = of_groups(of, outputs[o].scales, block, first)
                offsets[o] = of_groups(of, outputs[o].offsets, block, first) if has_offsets else splat_f32(0.0)
            if planes:
                decode_words(of, words, weights, planes, abreast * depth, straight, ABREAST > 1)
                sums_of_planes(weights, x, 0, 1, 4 if ABREAST > 1 and straight else 0, totals, planes, depth, 4)
            else:
                totals[0] = splat_u32(0)
                for word in range(depth):
                    decode_words(of, words + word, weights, planes, 1, False, False)
                    add_pairs(weights, x + word * PAIRS * F32_LANES, 0, 1, totals, 1)
            for o in range(abreast):
                sum[o * SLICES + slice] = with_whole(sum[o * SLICES + slice], totals[o], scales[o], row_sums,
                                                     offsets[o], has_offsets)
            x += words_of(planes, depth)
            row_sums += F32_LANES
        for o in range(abreast):
            codes[o] += size
    for slice in range(abreast * SLICES):
        store_f32(sums + slice * F32_LANES, sum[slice])


cdef inline void meet_rows(const u32x* weights, const uint32_t* x, Py_ssize_t step, int rows, uint32_t* kept,
                           bint begun, bint ends, float* sums, Py_ssize_t apart, const f32x* scales,
                           const float* row_sums, const f32x* offsets, int planes, int depth, int at_once, int count,
                           bint has_offsets) noexcept nogil:
    # sums += weights * x, of one row or of those in turn, those of outputs so many floats apart; as pairs, what has
    # `begun` with other weights stands in `kept`, and what does not end with these goes there
    cdef u32x totals[IN_TURN]
    cdef float* at
    cdef int row, o
    if planes:
        sums_of_planes(weights, x, step, rows, 0, totals, planes, depth, at_once)
    else:
        for row in range(rows):
            totals[row] = load_u32(kept + row * F32_LANES) if begun else splat_u32(0)
        add_pairs(weights, x, step, rows, totals, count)
    for o in range(abreast_of(planes)):
        for row in range(rows):
            at = sums + o * apart + row * F32_LANES
            if ends:
                store_f32(at, with_whole(load_f32(at), totals[o * rows + row], scales[o], row_sums + row * PARTS,
                                         offsets[o], has_offsets))
            else:
                store_u32(kept + row * F32_LANES, totals[row])


cdef inline void add_rows(const Product* of, const uint32_t* x, const float* row_sums, Py_ssize_t rows,
                          const Output* outputs, const Output* after, Py_ssize_t start, Py_ssize_t stop, int first,
                          float* sums, Py_ssize_t deep, int planes, int depth, int at_once,
                          bint has_offsets) noexcept nogil:
    # sums[abreast][rows][F32_LANES] += weights * x of blocks start to stop, of the register that begins with partial
    # sum `first`
    cdef u32x words[MOST_ABREAST * WORDS]
    cdef u32x weights[PAIRS * WORDS]
    cdef uint32_t carried[BATCH * F32_LANES]
    cdef f32x scales[MOST_ABREAST]
    cdef f32x offsets[MOST_ABREAST]
    cdef const float* at_sums = row_sums
    cdef const uint32_t* at
    cdef Py_ssize_t row_words = words_of(planes, depth), between = deep * row_words, apart = SLICES * deep * F32_LANES
    cdef Py_ssize_t block, row
    cdef int abreast = abreast_of(planes), together = IN_TURN // max(planes, abreast)
    # not all weights have a register: as pairs, the sums of some of them are carried over to the others
    cdef int count = depth if planes else min(depth, HELD // PAIRS), word, k, o
    for block in range(start, stop):
        numbers_of(of, outputs, block, of.whole, first, words, scales, offsets, planes, depth, has_offsets)
        if has_offsets:
            at_sums = row_sums + block * of.rows * PARTS + first
        for o in range(abreast if rows > FEW else 0):  # otherwise there is no time in which they could arrive
            for k in range(depth):
                prefetch_near(<uintptr_t>after[o].codes + block * (SHALLOW // 2 * depth) + 64 * k)
            prefetch_near(<uintptr_t>(after[o].scales + of.bases[block]))
        word = 0
        while word < depth:
            decode_words(of, words + word, weights, planes, abreast * count, of.straight, False)
            at = x + (block - start) * between + word * PAIRS * F32_LANES  # of planes, word is 0
            row = 0
            while row + together <= rows:
                meet_rows(weights, at + row * row_words, row_words, together, carried + row * F32_LANES, word > 0,
                          word + count >= depth, sums + row * F32_LANES, apart, scales, at_sums + row * PARTS, offsets,
                          planes, depth, at_once, count, has_offsets)
                row += together
            while row < rows:
                meet_rows(weights, at + row * row_words, row_words, 1, carried + row * F32_LANES, word > 0,
                          word + count >= depth, sums + row * F32_LANES, apart, scales, at_sums + row * PARTS, offsets,
                          planes, depth, at_once, count, has_offsets)
                row += 1
            word += count
