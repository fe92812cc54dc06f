# linear4 on whole numbers: the activations of a row, rounded to one scale, and levels in whole steps meet as integers,
# whose sums are exact; one multiply-add in float32 then gives them the group's scale.
#
# Every output is one sum in one order, as in linear4.pyx: input i belongs to partial sum i // 8 % 16, which is a lane's
# own. How far a lane adds up whole numbers before they become float32 is fixed by the inputs and the group alone, and
# so is every rounding.
#
# Integers meet in one of two forms, which give the same sums. As bytes, four products to a lane: activations of 8 bits
# and levels counted from the lowest one, where no level is then more than the machine multiplies without overflow
# (UNSIGNED_MOST); what that adds to a sum is known beforehand. As pairs of 16 bits, two products to a lane: all others.
#
# Nothing overflows: a level is at most 128 steps, an activation at most 32639 (as two bytes with signs hold:
# 127 * 256 + 127), and a lane adds 8 products a block over at most CHAIN blocks: 128 * 32639 * 32 < 2^27.
from libc.math cimport NAN
from libc.stdint cimport int16_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t, uintptr_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

from .lanes cimport (
    F32_LANES, F64_LANES, UNSIGNED_MOST, bits_f64, dot_u8, load_u32, load_u64, narrow_u64_u16, narrow_u64_u32,
    narrow_u64_u8, splat_f64, splat_u32, splat_u64, store_f32, store_u32, u32x, u64x, wide_f32,
)
from .loops.largest cimport largest_size
from .loops.partial_sums cimport PARTS, aligned, meet, prefetch
from .loops.threads cimport join_threads, run_chunks, threads_for
from .loops.whole_products cimport (
    AHEAD, BLOCK, BLOCK_BYTES, BYTES, CHAIN, PAIRS, PANEL, STRIP, WEIGHTS, WORD, Output, Product, add_products,
    codes_of, decode, of_groups, words_of,
)

cdef extern from *:
    """
    /* outputs that share a pass over a few rows, and over one row: as many sums as registers allow */
    enum { FEW_PASS = REGISTERS == 32 ? 2 : 1, ONE_PASS = REGISTERS == 32 ? 4 : 1 };
    """
    const int FEW_PASS
    const int ONE_PASS

cdef enum:
    FEW = 4  # rows that share a pass in which weights are decoded
    FEW_PANEL = 16  # blocks of theirs that lie together: beside sums and codes they fit the first-level cache
    ROWS = 8  # rows that share a pass over decoded weights
    BATCH = 128  # rows in a task
    WIDTH = 16  # outputs in a task: their sums stay in the second-level cache

join_threads()


cdef inline void pack_bytes(const uint8_t* whole, uint32_t* packed) noexcept nogil:
    # every second byte of eight, the even ones first
    cdef u64x words
    cdef int part = 0, k
    while part < PARTS:
        for k in range(2):
            words = load_u64(<const uint64_t*>whole + part) >> 8 * k & splat_u64(0x00FF00FF00FF00FF)
            words = (words | words >> 8) & splat_u64(0x0000FFFF0000FFFF)
            narrow_u64_u32(packed + k * PARTS + part, words | words >> 16)
        part += F64_LANES


cdef inline void pack_pairs(const int16_t* whole, uint32_t* packed) noexcept nogil:
    # numbers i and i + 4 of eight: those of an even i first, as `decode` has their bytes
    cdef uint32_t two[PAIRS]
    cdef int part, k
    for part in range(PARTS):
        memcpy(two, whole + part * WORD, sizeof(two))
        for k in range(2):
            packed[k * PARTS + part] = (two[k] & 0xFFFF) | two[k + 2] << 16
            packed[(k + 2) * PARTS + part] = two[k] >> 16 | (two[k + 2] & <uint32_t>0xFFFF0000)


cdef void pack_row(void* context, Py_ssize_t row, int thread) noexcept nogil:
    # x[row] in whole numbers, in the order in which words give their codes, zeros behind the last input
    cdef const Product* of = <const Product*>context
    cdef const float* x = of.x + row * of.inputs
    cdef const float* source
    cdef float padded[BLOCK]
    cdef int16_t whole[BLOCK]
    cdef uint8_t bytes[BLOCK]
    cdef int64_t sums[PARTS]
    cdef uint32_t bases[PARTS]
    cdef uint32_t top
    cdef Py_ssize_t i, block, panel
    cdef int part, k
    cdef uint32_t* packed
    cdef float largest
    cdef double factor = 0
    cdef u64x moved
    cdef u32x one = splat_u32(0x01010101), base
    if row < of.rows:
        top = largest_size(x, of.inputs)
        memcpy(&largest, &top, sizeof(largest))
        if top >= 0x7F800000:
            of.row_scales[row] = NAN
        else:
            of.row_scales[row] = largest / <double>of.largest * of.step
            if top != 0:
                factor = of.largest / <double>largest
    memset(whole, 0, sizeof(whole))
    memset(bytes, 0, sizeof(bytes))
    memset(sums, 0, sizeof(sums))
    memset(bases, 0, sizeof(bases))
    for block in range(of.blocks):
        panel = block // of.panel * of.panel
        packed = of.packed + (panel * of.packed_rows + row * of.panel + block - panel) * words_of(of.bytes)
        if factor != 0:
            source = x + block * BLOCK
            if block >= of.whole:
                memset(padded, 0, sizeof(padded))
                memcpy(padded, source, (of.inputs - block * BLOCK) * sizeof(float))
                source = padded
            i = 0
            while i < BLOCK:  # to nearest, ties to even, by the addition of 1.5 * 2^52: the low bits are the number
                moved = bits_f64(wide_f32(source + i) * splat_f64(factor) + splat_f64(6755399441055744.0))
                narrow_u64_u16(<uint16_t*>whole + i, moved)
                narrow_u64_u8(bytes + i, moved)
                i += F64_LANES
        if of.bytes:
            pack_bytes(bytes, packed)
            part = 0
            while part < PARTS:
                base = load_u32(bases + part) + splat_u32(<uint32_t>of.lowest) * dot_u8(
                    one, load_u32(packed + part), one, load_u32(packed + PARTS + part), splat_u32(0))
                store_u32(packed + BYTES * PARTS + part, base)
                store_u32(bases + part, splat_u32(0) if of.ends[block] else base)
                part += F32_LANES
        else:
            pack_pairs(whole, packed)
        if of.offsets != NULL:
            for part in range(PARTS):
                for k in range(WORD):
                    sums[part] += whole[part * WORD + k]
                if of.ends[block]:
                    of.row_sums[(row * of.blocks + block) * PARTS + part] = <float>(sums[part] / of.step)
                    sums[part] = 0


cdef void decode_strip(const Product* of, const Output* output, Py_ssize_t start, Py_ssize_t stop,
                       uint32_t* strip) noexcept nogil:
    # blocks start to stop of one output
    cdef Py_ssize_t block, count = BYTES if of.bytes else PAIRS
    cdef const uint8_t* codes
    cdef float* scales = <float*>(strip + WEIGHTS)
    cdef u32x weights[PAIRS]
    cdef int part, k
    for block in range(start, stop):
        codes = codes_of(output, block, of.whole)
        prefetch(<uintptr_t>codes + AHEAD)
        part = 0
        while part < PARTS:
            if of.bytes:
                decode(of.sizes, of.signs, codes + 4 * part, weights, True, False)
            else:
                decode(of.sizes, of.signs, codes + 4 * part, weights, False, of.narrow)
            for k in range(count):
                store_u32(strip + k * PARTS + part, weights[k])
            store_f32(scales + part, of_groups(output.scales, of.bases[block], of.places + block * PARTS + part,
                                               of.shared))
            if of.offsets != NULL:
                store_f32(scales + PANEL * PARTS + part, of_groups(
                    output.offsets, of.bases[block], of.places + block * PARTS + part, of.shared))
            part += F32_LANES
        strip += count * PARTS
        scales += PARTS


cdef inline void rows_of_codes(const Product* of, const uint32_t* x, Py_ssize_t row_words, const float* row_sums,
                               const Output* outputs, Py_ssize_t start, Py_ssize_t stop, float* sums, int width,
                               int rows, int span) noexcept nogil:
    # of a few rows, which meet weights where these are decoded
    cdef bint shifted = of.offsets != NULL, usual = of.always and not shifted
    if of.bytes and usual and of.shared:
        add_products(of, x, row_words, row_sums, NULL, outputs, start, stop, sums, width, rows, span, True, False, True,
                     False, True, True)
    elif of.bytes and usual:
        add_products(of, x, row_words, row_sums, NULL, outputs, start, stop, sums, width, rows, span, True, False, True,
                     False, False, True)
    elif of.bytes and of.always:
        add_products(of, x, row_words, row_sums, NULL, outputs, start, stop, sums, width, rows, span, True, False, True,
                     True, of.shared, True)
    elif of.bytes:
        add_products(of, x, row_words, row_sums, NULL, outputs, start, stop, sums, width, rows, span, True, False,
                     False, shifted, of.shared, True)
    elif usual and of.narrow:
        add_products(of, x, row_words, row_sums, NULL, outputs, start, stop, sums, width, rows, span, False, False,
                     True, False, of.shared, True)
    elif of.always:
        add_products(of, x, row_words, row_sums, NULL, outputs, start, stop, sums, width, rows, span, False, False,
                     True, shifted, of.shared, of.narrow)
    else:
        add_products(of, x, row_words, row_sums, NULL, outputs, start, stop, sums, width, rows, span, False, False,
                     False, shifted, of.shared, of.narrow)


cdef inline void rows_of_strips(const Product* of, const uint32_t* x, const float* row_sums, const uint32_t* strip,
                                Py_ssize_t start, Py_ssize_t stop, float* sums, bint bytes) noexcept nogil:
    # of one output
    cdef Py_ssize_t row_words = PANEL * words_of(bytes)
    if of.always and of.offsets == NULL:
        add_products(of, x, row_words, row_sums, strip, NULL, start, stop, sums, 1, ROWS, F32_LANES, bytes, True, True,
                     False, True, True)
    elif of.always:
        add_products(of, x, row_words, row_sums, strip, NULL, start, stop, sums, 1, ROWS, F32_LANES, bytes, True, True,
                     True, True, True)
    else:
        add_products(of, x, row_words, row_sums, strip, NULL, start, stop, sums, 1, ROWS, F32_LANES, bytes, True, False,
                     of.offsets != NULL, True, True)


cdef void many_rows(const Product* of, const uint32_t* x, const float* row_sums, const uint32_t* strip,
                    Py_ssize_t start, Py_ssize_t stop, float* sums) noexcept nogil:
    if of.bytes:
        rows_of_strips(of, x, row_sums, strip, start, stop, sums, True)
    else:
        rows_of_strips(of, x, row_sums, strip, start, stop, sums, False)


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
    cdef Py_ssize_t row_bytes = (of.inputs + 1) // 2, block, stop, length, group, o, row, k
    cdef const uint32_t* x
    cdef const float* row_sums
    cdef uint32_t* strips = <uint32_t*>(of.own + thread * of.own_size)
    cdef uint8_t* tails = <uint8_t*>(strips + WIDTH * STRIP)
    cdef float* rooms = <float*>(tails + WIDTH * BLOCK_BYTES)
    cdef float* sums = rooms + 2 * WIDTH * PARTS
    cdef Output outputs[WIDTH]
    cdef float totals[PARTS]
    cdef float y
    memset(tails, 0, WIDTH * BLOCK_BYTES)
    for o in range(WIDTH):  # results behind the last output are computed, but not kept
        row = start + min(o, count - 1)
        outputs[o].codes = of.codes + row * row_bytes
        outputs[o].tail = tails + o * BLOCK_BYTES
        outputs[o].scales = with_room(of.scales + row * of.groups, of.groups, rooms + o * PARTS)
        outputs[o].offsets = outputs[o].scales if of.offsets == NULL else with_room(
            of.offsets + row * of.groups, of.groups, rooms + (WIDTH + o) * PARTS)
        memcpy(tails + o * BLOCK_BYTES, outputs[o].codes + of.whole * BLOCK_BYTES,
               row_bytes - of.whole * BLOCK_BYTES)
    memset(sums, 0, WIDTH * deep * PARTS * sizeof(float))
    row_sums = of.row_sums + first * of.blocks * PARTS
    block = 0
    while block < of.blocks:
        stop = min(block + of.panel, of.blocks)
        length = of.panel * words_of(of.bytes)
        x = of.packed + block * words_of(of.bytes) * of.packed_rows + first * length
        if of.packed_rows <= FEW:  # weights meet their rows where they are decoded
            o = 0
            while o < count:
                if deep == 1:
                    rows_of_codes(of, x, 0, row_sums, outputs + o, block, stop, sums + o * PARTS, ONE_PASS, 1, PARTS)
                    o += ONE_PASS
                else:
                    rows_of_codes(of, x, length, row_sums, outputs + o, block, stop, sums + o * FEW * PARTS, FEW_PASS,
                                  FEW, F32_LANES)
                    o += FEW_PASS
        else:
            for o in range(count):
                decode_strip(of, outputs + o, block, stop, strips + o * STRIP)
            row = 0
            while row < deep:  # few enough rows that they and all strips stay in the first-level cache
                for o in range(count):
                    many_rows(of, x + row * length, row_sums + row * of.blocks * PARTS, strips + o * STRIP, block, stop,
                              sums + (row * WIDTH + o * ROWS) * PARTS)
                row += ROWS
        block = stop
    group = min(deep, FEW if of.packed_rows <= FEW else ROWS)
    i = 0
    while i < WIDTH * deep:
        meet(sums + i * PARTS, totals)
        for k in range(F32_LANES):
            o = start + (i + k) // group % WIDTH
            row = first + (i + k) // (WIDTH * group) * group + (i + k) % group
            if row < of.rows and o < of.outputs:
                y = <float>(totals[k] * of.row_scales[row])
                of.y[row * of.outputs + o] = y + (of.bias[o] if of.bias != NULL else <float>0.0)
        i += F32_LANES


cdef void set_levels(Product* of, const int16_t* levels) noexcept nogil:
    cdef int i, lowest = levels[0], most = levels[0]
    for i in range(PARTS):
        lowest = min(lowest, levels[i])
        most = max(most, levels[i])
    of.bytes = of.largest <= 127 and most - lowest <= UNSIGNED_MOST
    of.narrow = most < 128
    of.lowest = lowest
    for i in range(PARTS):
        of.sizes[i] = <uint8_t>(levels[i] - lowest if of.bytes else levels[i] if of.narrow else abs(<int>levels[i]))
        of.signs[i] = <uint8_t>((levels[i] > 0) - (levels[i] < 0))


cdef bint product(Product* of, const int16_t* levels, Py_ssize_t group, int threads) noexcept nogil:
    # all of it, of a Product whose operands and sizes are set; whether there was memory for it
    cdef Py_ssize_t sums_size, packed_size, i
    cdef uint8_t* ends
    cdef int32_t* bases
    cdef uint32_t* places
    cdef float* memory
    group = min(group, of.inputs)
    set_levels(of, levels)
    of.packed_rows = 1 if of.rows == 1 else FEW if of.rows <= FEW else (of.rows + ROWS - 1) // ROWS * ROWS
    of.blocks = (of.inputs + BLOCK - 1) // BLOCK
    of.panel = PANEL if of.packed_rows > FEW else FEW_PANEL * FEW // of.packed_rows
    of.whole = of.inputs // BLOCK
    of.groups = (of.inputs + group - 1) // group
    of.down = (of.packed_rows + BATCH - 1) // BATCH
    of.own_size = WIDTH * (STRIP + BLOCK_BYTES // 4 + 2 * PARTS + min(BATCH, of.packed_rows) * PARTS)
    packed_size = of.packed_rows * ((of.blocks + of.panel - 1) // of.panel * of.panel) * words_of(of.bytes)
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
    of.shared = of.groups == 1 or group % (WORD * F32_LANES) == 0
    of.always = True
    for i in range(of.blocks):
        # no look-up reads past the scales of its output
        bases[i] = 0 if of.shared else <int32_t>min(i * BLOCK // group, max(of.groups - 8, 0))
        ends[i] = (group % BLOCK != 0 and of.groups > 1) or (i + 1) * BLOCK % group == 0 or (
            (i + 1) % CHAIN == 0 or i + 1 == of.blocks)
        of.always = of.always and ends[i]
    for i in range(of.blocks * PARTS):
        places[i] = <uint32_t>(min(i * WORD // group, of.groups - 1) - bases[i // PARTS])
    of.ends = ends
    of.bases = bases
    of.places = places
    run_chunks(pack_row, of, of.packed_rows, threads)
    run_chunks(do_task, of, (of.outputs + WIDTH - 1) // WIDTH * of.down, threads)
    free(memory)
    return True


cdef bint linear4_int_float32(const uint8_t* codes, const int16_t* steps, double step, const float* scales,
                              const float* offsets, Py_ssize_t group, const float* bias, const float* x, float* y,
                              Py_ssize_t rows, Py_ssize_t inputs, Py_ssize_t outputs, int bits,
                              int num_threads) noexcept nogil:
    cdef Product of
    cdef Py_ssize_t row, o
    if bits != 8 and bits != 16:
        return False
    if inputs < 1:
        for row in range(rows):
            for o in range(outputs):
                y[row * outputs + o] = bias[o] if bias != NULL else <float>0.0
        return True
    if rows < 1 or outputs < 1:
        return True
    of.codes, of.scales, of.offsets, of.bias, of.x, of.y = codes, scales, offsets, bias, x, y
    of.rows, of.inputs, of.outputs, of.step, of.largest = rows, inputs, outputs, step, 127 if bits == 8 else 32639
    return product(&of, steps, group, max(num_threads, 1))


def linear4_int(const uint8_t[:, ::1] codes, const int16_t[::1] steps, double step, const float[:, ::1] scales,
                const float[:, ::1] offsets, Py_ssize_t group, const float[::1] bias, const float[:, ::1] x,
                float[:, ::1] y, int bits):
    """y[rows, outputs] = x[rows, inputs] @ weights.T + bias of weights steps[code] * step * scale + offset, x rounded
    to whole numbers of so many bits; bias and offsets may be None."""
    cdef const float* added = NULL
    cdef const float* offsets_at = NULL
    cdef int threads = threads_for(x.shape[0] * x.shape[1] * codes.shape[0])
    cdef bint done
    if bias is not None:
        added = &bias[0]
    if offsets is not None:
        offsets_at = &offsets[0, 0]
    with nogil:
        done = linear4_int_float32(&codes[0, 0], &steps[0], step, &scales[0, 0], offsets_at, group, added, &x[0, 0],
                                   &y[0, 0], x.shape[0], x.shape[1], codes.shape[0], bits, threads)
    if not done:
        raise MemoryError
