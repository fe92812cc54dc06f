# linear4 on whole numbers: the activations of a row, rounded to one scale, and levels in whole steps meet as integers,
# whose sums are exact; one multiply-add in float32 then gives them the group's scale.
#
# Every output is one sum in one order. A block of inputs gives each of sixteen partial sums, of which each is a lane's
# own, 8 inputs (a shallow block) or 32 (a deep one): these add up as whole numbers and then become float32, so a deep
# block rounds less often and spends less on it. In a shallow block of 128, input i belongs to partial sum i // 8. In a
# deep one of 512 it belongs to 4 * (i // 32 % 4) + i // 128, since a register of codes then becomes one of partial sums
# by exchanges within each four lanes. Which of the two, and so every rounding, is fixed by the inputs and the group.
#
# Integers meet in one of two forms, which give the same sums. As bytes, four products to a lane: levels counted from
# the lowest one, where no level is then more than the machine multiplies without overflow (UNSIGNED_MOST); what that
# adds to a sum is known beforehand. Activations of 16 bits then are two planes, 256 times a byte and a byte more, which
# meet the same weights. As pairs of 16 bits, two products to a lane: all other levels, and activations of 16 bits of
# many rows, whose weights are worth more time to decode, unless outputs that are abreast share what bytes load.
#
# Nothing overflows: a level is at most 255 steps above the lowest, an activation at most 32639 (as two bytes with signs
# hold: 127 * 256 + 127), and a lane adds 32 products: 255 * 32639 * 32 < 2^28.
from libc.math cimport NAN
from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t, uintptr_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

from .lanes cimport (
    ABREAST, F32_LANES, F64_LANES, UNSIGNED_MOST, bits_f64, load_f32, load_u64, narrow_f64_f32, narrow_u64_u16,
    narrow_u64_u32, narrow_u64_u8, splat_f32, splat_f64, splat_u32, splat_u64, store_f32, store_u32, u32x, u64x,
    wide_f32,
)
from .loops.largest cimport SIZES, largest_of, largest_size, raise_sizes
from .loops.numbers cimport OF_FLOAT32, OF_INT16, OF_UINT8, Numbers, join_numbers, numbers_in, numbers_out
from .loops.partial_sums cimport PARTS, aligned, meet, prefetch, put_biases
from .loops.threads cimport join_threads, run_chunks, threads_for
from .loops.whole_products cimport (
    BATCH, BYTES, DEEP, FEW, IN_TURN, PAIRS, SHALLOW, SLICES, WORD, WORDS, Output, Product, abreast_of, add_row,
    add_rows, sums_of_planes, words_at, words_of,
)

cdef enum:
    WIDTH = 16  # outputs in a task: any that are abreast fit
    NEAR = 4608  # words of activations that stay in the first-level cache beside sums and codes
    LINE = 16  # floats in a cache line

join_threads()
join_numbers()


include "parts/linear4_int_packing.pxi"


cdef const float* with_room(const float* numbers, Py_ssize_t groups, Py_ssize_t left, float* room) noexcept nogil:
    # a look-up reads PARTS numbers: where fewer are left, those of the last outputs, they stand in a room of their own
    if left >= PARTS:
        return numbers
    memset(room, 0, PARTS * sizeof(float))
    memcpy(room, numbers, groups * sizeof(float))
    return room


cdef inline void rows_in_form(const Product* of, const uint32_t* x, const float* row_sums, Py_ssize_t rows,
                              const Output* outputs, Py_ssize_t count, Py_ssize_t start, Py_ssize_t stop, int first,
                              float* sums, Py_ssize_t deep, int planes, int depth, int at_once) noexcept nogil:
    cdef int abreast = abreast_of(planes)
    cdef Py_ssize_t o = 0
    cdef const Output* after
    while o < count:
        after = outputs + o + (abreast if o + abreast < count else 0)
        if of.offsets == NULL:
            add_rows(of, x, row_sums, rows, outputs + o, after, start, stop, first, sums, deep, planes, depth, at_once,
                     False)
        else:
            add_rows(of, x, row_sums, rows, outputs + o, after, start, stop, first, sums, deep, planes, depth, at_once,
                     True)
        sums += abreast * SLICES * deep * F32_LANES
        o += abreast


cdef void add_outputs(const Product* of, const uint32_t* x, const float* row_sums, Py_ssize_t rows,
                      const Output* outputs, Py_ssize_t count, Py_ssize_t start, Py_ssize_t stop, int first,
                      float* sums, Py_ssize_t deep) noexcept nogil:
    # sums[count][SLICES][deep][F32_LANES] += weights * x, of so many rows of them, of blocks start to stop and of the
    # register that begins with partial sum `first`
    cdef bint small = UNSIGNED_MOST < 255 and of.small  # otherwise any number of registers at once is the same
    if of.planes == 1 and of.depth == 1:
        rows_in_form(of, x, row_sums, rows, outputs, count, start, stop, first, sums, deep, 1, 1, 4)
    elif of.planes == 1 and small:
        rows_in_form(of, x, row_sums, rows, outputs, count, start, stop, first, sums, deep, 1, WORDS, 8)
    elif of.planes == 1:
        rows_in_form(of, x, row_sums, rows, outputs, count, start, stop, first, sums, deep, 1, WORDS, 4)
    elif of.planes == 2 and of.depth == 1:
        rows_in_form(of, x, row_sums, rows, outputs, count, start, stop, first, sums, deep, 2, 1, 4)
    elif of.planes == 2 and small:
        rows_in_form(of, x, row_sums, rows, outputs, count, start, stop, first, sums, deep, 2, WORDS, 8)
    elif of.planes == 2:
        rows_in_form(of, x, row_sums, rows, outputs, count, start, stop, first, sums, deep, 2, WORDS, 4)
    elif of.depth == 1:
        rows_in_form(of, x, row_sums, rows, outputs, count, start, stop, first, sums, deep, 0, 1, 4)
    else:
        rows_in_form(of, x, row_sums, rows, outputs, count, start, stop, first, sums, deep, 0, WORDS, 4)


cdef inline void row_in_form(const Product* of, const Output* outputs, Py_ssize_t count, float* sums, int planes,
                             int depth) noexcept nogil:
    cdef int abreast = abreast_of(planes)
    cdef bint straight = planes > 0 and of.straight
    cdef Py_ssize_t o = 0
    while o < count:
        if ABREAST > 1 and of.offsets == NULL and straight:  # asked here, where it takes time
            add_row(of, outputs + o, sums, planes, depth, False, True)
        elif of.offsets == NULL:
            add_row(of, outputs + o, sums, planes, depth, False, straight)
        else:
            add_row(of, outputs + o, sums, planes, depth, True, straight)
        sums += abreast * PARTS
        o += abreast


cdef void describe(const Product* of, Py_ssize_t start, Py_ssize_t count, uint8_t* tails,
                   Output* outputs) noexcept nogil:
    # outputs from the start-th one, whose last blocks, and short scales and offsets behind them, stand at `tails`
    cdef Py_ssize_t row_bytes = (of.inputs + 1) // 2, tail_size = SHALLOW // 2 * of.depth, o, row, left
    cdef Py_ssize_t whole_bytes = of.whole * tail_size
    cdef float* rooms = <float*>(tails + WIDTH * tail_size)
    if of.whole < of.blocks:
        memset(tails, 0, WIDTH * tail_size)
    for o in range(count):
        row = start + o
        left = (of.outputs - row) * of.groups
        outputs[o].codes = of.codes + row * row_bytes
        outputs[o].tail = tails + o * tail_size
        outputs[o].scales = with_room(of.scales + row * of.groups, of.groups, left, rooms + o * PARTS)
        outputs[o].offsets = outputs[o].scales if of.offsets == NULL else with_room(
            of.offsets + row * of.groups, of.groups, left, rooms + (WIDTH + o) * PARTS)
        if of.whole < of.blocks:
            memcpy(tails + o * tail_size, outputs[o].codes + whole_bytes, row_bytes - whole_bytes)
    for o in range(count, min(count + ABREAST - 1, WIDTH)):  # which an output without a neighbour has abreast
        outputs[o] = outputs[count - 1]


cdef void finish(const Product* of, Py_ssize_t start, Py_ssize_t count, Py_ssize_t row, const float* sums,
                 Py_ssize_t deep) noexcept nogil:
    # y[row] of outputs from the start-th one, of their sums[WIDTH][SLICES][deep][F32_LANES]
    cdef float totals[WIDTH]
    cdef float* y = of.y + row * of.outputs + start
    cdef Py_ssize_t o = 0
    while o < WIDTH:
        meet(sums + o * SLICES * deep * F32_LANES, deep * PARTS, deep * F32_LANES, totals + o)
        o += F32_LANES
    o = 0
    while o < WIDTH:
        narrow_f64_f32(totals + o, wide_f32(totals + o) * splat_f64(of.row_scales[row]))
        o += F64_LANES
    o = 0
    while o + F32_LANES <= count:
        store_f32(y + o, load_f32(totals + o) + (
            load_f32(of.bias + start + o) if of.bias != NULL else splat_f32(0.0)))
        o += F32_LANES
    while o < count:
        y[o] = totals[o] + (of.bias[start + o] if of.bias != NULL else <float>0.0)
        o += 1


cdef void do_row_task(void* context, Py_ssize_t i, int thread) noexcept nogil:
    # of the only row; a function of its own, whose loops have all registers
    cdef const Product* of = <const Product*>context
    cdef Py_ssize_t start = i * WIDTH, count = min(WIDTH, of.outputs - start)
    cdef uint32_t* largest = <uint32_t*>(of.own + thread * of.own_size)
    cdef float* sums = <float*>(largest + SIZES)
    cdef uint8_t* tails = <uint8_t*>(sums + WIDTH * PARTS)
    cdef Output outputs[WIDTH]
    describe(of, start, count, tails, outputs)
    if of.planes == 1 and of.depth == 1:
        row_in_form(of, outputs, count, sums, 1, 1)
    elif of.planes == 1:
        row_in_form(of, outputs, count, sums, 1, WORDS)
    elif of.planes == 2 and of.depth == 1:
        row_in_form(of, outputs, count, sums, 2, 1)
    elif of.planes == 2:
        row_in_form(of, outputs, count, sums, 2, WORDS)
    elif of.depth == 1:
        row_in_form(of, outputs, count, sums, 0, 1)
    else:
        row_in_form(of, outputs, count, sums, 0, WORDS)
    if of.looks:  # now that they are near
        raise_sizes(largest, of.scales + start * of.groups, count * of.groups)
    finish(of, start, count, 0, sums, 1)


cdef void do_task(void* context, Py_ssize_t i, int thread) noexcept nogil:
    cdef const Product* of = <const Product*>context
    cdef Py_ssize_t start = i % of.across * WIDTH, first = i // of.across * of.batch
    cdef Py_ssize_t count = min(WIDTH, of.outputs - start), deep = min(of.batch, of.rows - first)
    cdef Py_ssize_t slice_words = words_of(of.planes, of.depth)
    # so many rows at a time and so many slices of them stay in the first-level cache
    cdef Py_ssize_t parts = (deep * slice_words + NEAR - 1) // NEAR, some = (deep + parts - 1) // parts
    cdef Py_ssize_t panel = max(NEAR // (some * slice_words), 1), block, o, row
    cdef const uint32_t* x = of.packed + first * of.blocks * SLICES * slice_words
    cdef uint32_t* largest = <uint32_t*>(of.own + thread * of.own_size)
    cdef uint8_t* tails = <uint8_t*>(largest + SIZES)
    cdef float* sums = <float*>(tails + WIDTH * SHALLOW // 2 * of.depth) + 2 * WIDTH * PARTS
    cdef Output outputs[WIDTH]
    cdef int slice
    describe(of, start, count, tails, outputs)
    memset(sums, 0, WIDTH * deep * PARTS * sizeof(float))
    o = 0
    while o < count * of.groups:  # those of the next task
        prefetch(<uintptr_t>of.scales + ((start + WIDTH) * of.groups + o) * sizeof(float))
        o += LINE
    for slice in range(SLICES):
        block = 0
        while block < of.blocks:
            row = 0
            while row < deep:
                add_outputs(of, x + row * slice_words, of.row_sums + (first + row) * PARTS, min(some, deep - row),
                            outputs, count, block, min(block + panel, of.blocks), slice * F32_LANES,
                            sums + (slice * deep + row) * F32_LANES, deep)
                row += some
            x += min(panel, of.blocks - block) * deep * slice_words
            block += panel
    if of.looks and first == 0:  # now that they are near
        raise_sizes(largest, of.scales + start * of.groups, count * of.groups)
    for row in range(deep):
        finish(of, start, count, first + row, sums + row * F32_LANES, deep)


cdef void set_levels(Product* of, const int16_t* levels) noexcept nogil:
    cdef int i, lowest = levels[0], most = levels[0]
    for i in range(PARTS):
        lowest = min(lowest, levels[i])
        most = max(most, levels[i])
    of.small = most - lowest <= UNSIGNED_MOST // 2
    if most - lowest > UNSIGNED_MOST:
        of.planes = 0
    elif of.largest <= 127:
        of.planes = 1
    else:
        of.planes = 2 if of.rows <= FEW or ABREAST > 1 else 0
    of.narrow = most < 128
    of.lowest = lowest
    for i in range(PARTS):
        of.sizes[i] = <uint8_t>(levels[i] - lowest if of.planes else levels[i] if of.narrow or levels[i] > 0
                                else -levels[i])
        of.signs[i] = <uint8_t>((levels[i] > 0) - (levels[i] < 0))
    of.straight = True
    of.flips = <uint32_t>of.sizes[0] * 0x11111111  # of all codes, as far as it is straight
    for i in range(PARTS):
        of.straight = of.straight and of.sizes[i] == (i ^ of.sizes[0])


cdef void set_blocks(Product* of, Py_ssize_t group) noexcept nogil:
    # deep ones where each partial sum's inputs have one scale, and where zeros behind the last input cost no more than
    # a quarter of the work
    cdef Py_ssize_t deep = (of.inputs + DEEP - 1) // DEEP, shallow = (of.inputs + SHALLOW - 1) // SHALLOW, size
    of.groups = (of.inputs + group - 1) // group
    of.depth = 1
    if (of.groups == 1 or group % (WORD * WORDS) == 0) and 4 * DEEP * deep <= 5 * SHALLOW * shallow:
        of.depth = WORDS
    size = SHALLOW * of.depth
    of.blocks = deep if of.depth == WORDS else shallow
    of.whole = of.inputs // size
    of.shared = of.groups == 1 or group % (WORD * F32_LANES if of.depth == 1 else DEEP) == 0
    of.wide = F32_LANES == PARTS or (of.depth == WORDS and group < DEEP // 8)


cdef void set_places(const Product* of, Py_ssize_t group, int32_t* bases, uint32_t* places) noexcept nogil:
    cdef Py_ssize_t size = SHALLOW * of.depth, block, first
    cdef int part
    for block in range(of.blocks):
        # no look-up reads past the scales of its output
        bases[block] = <int32_t>min(block * size // group, max(of.groups - (16 if of.wide else 8), 0))
        for part in range(PARTS):
            first = part * WORD if of.depth == 1 else (part % WORDS * WORDS + part // WORDS) * WORD * WORDS
            places[block * PARTS + part] = <uint32_t>(
                min((block * size + first) // group, of.groups - 1) - bases[block])


cdef bint product(Product* of, const int16_t* levels, Py_ssize_t group, int threads, uint32_t* largest) noexcept nogil:
    # all of it, of a Product whose operands and sizes are set, and the bits of the largest scale, if it is asked for;
    # whether there was memory for it
    cdef Py_ssize_t sums_size, packed_size, tasks, parts = (of.rows + BATCH - 1) // BATCH
    cdef int busy, thread
    cdef int32_t* bases
    cdef uint32_t* places
    cdef float* memory
    group = min(group, of.inputs)
    set_levels(of, levels)
    set_blocks(of, group)
    of.batch = (of.rows + parts * IN_TURN - 1) // (parts * IN_TURN) * IN_TURN
    of.across = (of.outputs + WIDTH - 1) // WIDTH
    of.own_size = SIZES + WIDTH * (SHALLOW // 8 * of.depth + 2 * PARTS + min(of.batch, of.rows) * PARTS)
    tasks = of.across * ((of.rows + of.batch - 1) // of.batch)
    busy = <int>min(<Py_ssize_t>threads, max(tasks, 1))  # more would have tiles for nothing
    packed_size = of.rows * of.blocks * SLICES * words_of(of.planes, of.depth)
    sums_size = 0 if of.offsets == NULL else of.rows * of.blocks * PARTS
    # all of them begin on cache lines, except the last two
    memory = <float*>malloc((packed_size + busy * of.own_size + sums_size + 2 * of.rows + 16
                             + of.blocks * (PARTS + 1)) * sizeof(float))
    if memory == NULL:
        return False
    of.own = aligned(memory)
    of.looks = largest != NULL
    for thread in range(busy):
        memset(of.own + thread * of.own_size, 0, SIZES * sizeof(uint32_t))
    of.row_sums = of.own + busy * of.own_size
    of.packed = <uint32_t*>(of.row_sums + sums_size)
    places = of.packed + packed_size
    of.row_scales = <double*>(places + of.blocks * PARTS)
    bases = <int32_t*>(of.row_scales + of.rows)
    set_places(of, group, bases, places)
    of.bases = bases
    of.places = places
    run_chunks(pack_row, of, of.rows, threads)
    run_chunks(do_row_task if of.rows == 1 else do_task, of, tasks, busy)
    for thread in range(busy if of.looks else 0):
        largest[0] = max(largest[0], largest_of(<uint32_t*>(of.own + thread * of.own_size)))
    free(memory)
    return True


cdef bint multiplied(const uint8_t* codes, const int16_t* steps, double step, const float* scales,
                     const float* offsets, Py_ssize_t group, const float* bias, const float* x, float* y,
                     Py_ssize_t rows, Py_ssize_t inputs, Py_ssize_t outputs, int bits, int num_threads,
                     uint32_t* largest) noexcept nogil:
    cdef Product of
    if bits != 8 and bits != 16:
        return False
    if inputs < 1:
        put_biases(bias, y, rows, outputs)
        return True
    if rows < 1 or outputs < 1:
        return True
    of.codes, of.scales, of.offsets, of.bias, of.x, of.y = codes, scales, offsets, bias, x, y
    of.rows, of.inputs, of.outputs, of.step, of.largest = rows, inputs, outputs, step, 127 if bits == 8 else 32639
    return product(&of, steps, group, max(num_threads, 1), largest)


cdef bint linear4_int_float32(const uint8_t* codes, const int16_t* steps, double step, const float* scales,
                              const float* offsets, Py_ssize_t group, const float* bias, const float* x, float* y,
                              Py_ssize_t rows, Py_ssize_t inputs, Py_ssize_t outputs, int bits,
                              int num_threads) noexcept nogil:
    return multiplied(codes, steps, step, scales, offsets, group, bias, x, y, rows, inputs, outputs, bits, num_threads,
                      NULL)


def linear4_int(codes, steps, double step, scales, offsets, Py_ssize_t group, bias, x, y, int bits):
    """y[rows, outputs] = x[rows, inputs] @ weights.T + bias of weights steps[code] * step * scale + offset, x rounded
    to whole numbers of so many bits; bias and offsets may be None. Return the largest magnitude of a scale, NaN or
    infinity where there is one: they need no pass of their own."""
    cdef Numbers own = numbers_in(codes, OF_UINT8, 2), stepped = numbers_in(steps, OF_INT16, 1)
    cdef Numbers scale = numbers_in(scales, OF_FLOAT32, 2), offset = numbers_in(offsets, OF_FLOAT32, 2)
    cdef Numbers added = numbers_in(bias, OF_FLOAT32, 1)
    cdef Numbers given = numbers_in(x, OF_FLOAT32, 2), made = numbers_out(y, OF_FLOAT32, 2)
    cdef Py_ssize_t rows = given.shape[0], inputs = given.shape[1], outputs = own.shape[0]
    cdef int threads = threads_for(rows * inputs * outputs)
    cdef uint32_t bits_of_largest = 0
    cdef float largest
    cdef bint done
    with nogil:
        done = multiplied(<const uint8_t*>own.at, <const int16_t*>stepped.at, step, <const float*>scale.at,
                          <const float*>offset.at, group, <const float*>added.at, <const float*>given.at,
                          <float*>made.at, rows, inputs, outputs, bits, threads, &bits_of_largest)
    if not done:
        raise MemoryError(f"linear4: no memory for copies of inputs in {bits} bits, at least "
                          f"{rows * inputs * bits // 8} bytes")
    memcpy(&largest, &bits_of_largest, sizeof(largest))
    return largest


def linear4_at_once(codes, steps, double step, scales, group, bias, x, empty, int bits):
    """The same without offsets, of arrays that need no conversion, and the result, an `empty` array before; None where
    one does, or they do not fit."""
    cdef Numbers own, scale, given, added
    cdef Py_ssize_t size, inputs, outputs
    try:
        own, scale = numbers_in(codes, OF_UINT8, 2), numbers_in(scales, OF_FLOAT32, 2)
        given, added = numbers_in(x, OF_FLOAT32, 2), numbers_in(bias, OF_FLOAT32, 1)
        inputs, outputs = given.shape[1], own.shape[0]
        size = inputs if group is None else group
    except (OverflowError, TypeError):
        return None
    if min(given.shape[0], inputs, outputs, size) < 1 or (size < inputs and size % 16) or own.shape[1] != (
            (inputs + 1) // 2) or scale.shape[0] != outputs or scale.shape[1] != (inputs - 1) // size + 1 or not (
            bias is None or added.shape[0] == outputs):
        return None
    y = empty((given.shape[0], outputs), x.dtype)
    return linear4_int(codes, steps, step, scales, None, size, bias, x, y, bits), y
