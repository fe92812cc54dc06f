# The activations of a row as whole numbers, in the order in which words give their codes. A part of linear4_int.pyx.

cdef inline void pack_bytes(const uint8_t* bytes, uint32_t* packed, int step) noexcept nogil:
    # of every eight bytes the even ones, then, so many words on, the odd ones
    cdef u64x words
    cdef int part = 0, k
    while part < PARTS:
        for k in range(BYTES):
            words = load_u64(<const uint64_t*>bytes + part) >> 8 * k & splat_u64(0x00FF00FF00FF00FF)
            words = (words | words >> 8) & splat_u64(0x0000FFFF0000FFFF)
            narrow_u64_u32(packed + k * step + part, words | words >> 16)
        part += F64_LANES


cdef inline void pack_pairs(const int16_t* whole, uint32_t* packed, int step) noexcept nogil:
    # numbers i and i + 4 of eight: those of an even i first, as `decode_pairs` has their bytes
    cdef uint32_t two[PAIRS]
    cdef int part, k
    for part in range(PARTS):
        memcpy(two, whole + part * WORD, sizeof(two))
        for k in range(2):
            packed[k * step + part] = (two[k] & 0xFFFF) | two[k + 2] << 16
            packed[(k + 2) * step + part] = two[k] >> 16 | (two[k + 2] & <uint32_t>0xFFFF0000)


cdef void pack_row(void* context, Py_ssize_t row, int thread) noexcept nogil:
    # x[row] in whole numbers, in the order in which words give their codes, zeros behind the last input
    cdef const Product* of = <const Product*>context
    cdef const float* x = of.x + row * of.inputs
    cdef Py_ssize_t slice_words = words_of(of.planes, of.depth), start, slice
    cdef Py_ssize_t first = row // of.batch * of.batch, deep = min(of.batch, of.rows - first)
    cdef Py_ssize_t between = slice_words if of.rows == 1 else of.blocks * deep * slice_words
    cdef int count = BYTES if of.planes else PAIRS, turn, i, k, plane, part, word, of_four, step = of.depth * PARTS
    cdef const float* source
    cdef float padded[SHALLOW]
    cdef int16_t whole[SHALLOW]
    cdef uint8_t bytes[2][SHALLOW]  # those of the higher plane first, where there are two
    cdef int64_t sums[PARTS]
    cdef uint32_t words[PAIRS * WORDS * PARTS]  # of a block, one 128 inputs after the other
    cdef u32x placed[WORDS]
    cdef u32x ones[ABREAST * BYTES * WORDS]
    cdef u32x totals[ABREAST]
    cdef uint32_t* packed
    cdef uint32_t* at
    cdef uint32_t top
    cdef float largest
    cdef double factor = 0
    cdef u64x moved
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
    for k in range(ABREAST * BYTES * WORDS):
        ones[k] = splat_u32(0x01010101)
    for turn in range(of.blocks * of.depth):  # 128 inputs at a time
        packed = of.packed + (first * of.blocks * SLICES + turn // of.depth * (SLICES if of.rows == 1 else deep)
                              + row - first) * slice_words
        start = turn * SHALLOW
        if factor != 0:
            source = x + start
            if start + SHALLOW > of.inputs:
                memset(padded, 0, sizeof(padded))
                memcpy(padded, source, max(of.inputs - start, 0) * sizeof(float))
                source = padded
            i = 0
            while i < SHALLOW:  # to nearest, ties to even, by the addition of 1.5 * 2^52: the low bits are the number
                moved = bits_f64(wide_f32(source + i) * splat_f64(factor) + splat_f64(6755399441055744.0))
                if of.planes == 2:
                    narrow_u64_u8(bytes[0] + i, moved + splat_u64(128) >> 8)
                if of.planes:
                    narrow_u64_u8(bytes[of.planes - 1] + i, moved)
                if of.planes == 0 or of.offsets != NULL:
                    narrow_u64_u16(<uint16_t*>whole + i, moved)
                i += F64_LANES
        of_four = turn % of.depth
        if of.planes == 0:
            pack_pairs(whole, words + of_four * PARTS, step)
        for plane in range(of.planes):
            pack_bytes(bytes[plane], words + plane * BYTES * step + of_four * PARTS, step)
        i = 0
        while i < PARTS and of.offsets != NULL:
            part = i if of.depth == 1 else i + of_four  # which has one word of them or four in a row
            for k in range(WORD * of.depth):
                sums[part] += whole[i * WORD + k]
            i += of.depth
        if of_four + 1 < of.depth:
            continue
        for slice in range(SLICES):
            at = packed + slice * between
            for plane in range(max(of.planes, 1)):
                for k in range(count):
                    words_at(<const uint8_t*>(words + (plane * count + k) * step), slice * F32_LANES, placed, of.depth)
                    for word in range(of.depth):
                        store_u32(at + ((plane * of.depth + word) * count + k) * F32_LANES, placed[word])
            if of.planes:
                store_u32(at + slice_words - F32_LANES, splat_u32(0))
                sums_of_planes(ones, at, 0, 1, 0, totals, of.planes, of.depth, 4)
                store_u32(at + slice_words - F32_LANES, splat_u32(<uint32_t>of.lowest) * totals[0])
        if of.offsets != NULL:
            for part in range(PARTS):
                of.row_sums[(turn // of.depth * of.rows + row) * PARTS + part] = <float>(sums[part] / of.step)
                sums[part] = 0
