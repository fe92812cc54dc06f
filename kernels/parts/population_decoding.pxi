# The weights of a genome, as layers take them. A part of population.pyx.

cdef void decode(const uint8_t* genome, const float* levels, float* weights, Py_ssize_t n) noexcept nogil:
    # weights has room for whole registers, and the genome's last bytes are read from a copy
    cdef uint8_t last[16]
    cdef Py_ssize_t i = 0, whole = n // 16 * 16
    while i < whole:
        store_f32(weights + i, lookup16_f32(levels, codes_u32(genome, i)))
        i += F32_LANES
    memset(last, 0, sizeof(last))
    memcpy(last, genome + i // 2, (n + 1) // 2 - i // 2)
    while i < n:
        store_f32(weights + i, lookup16_f32(levels, codes_u32(last, i - whole)))
        i += F32_LANES


cdef void scale_groups(float* weights, const float* scales, const Py_ssize_t* groups, const Py_ssize_t* sizes,
                       Py_ssize_t layers) noexcept nogil:
    # Each weight times its group's scale, in the layers that have groups: scales[outputs][ceil(inputs / group)] of one
    # after the other. A group has whole registers, but for an output's last.
    cdef Py_ssize_t k, _output, i, stop
    cdef f32x scale
    for k in range(layers):
        if groups[k] == 0:
            weights += sizes[k] * sizes[k + 1]
            continue
        for _output in range(sizes[k + 1]):
            i = 0
            while i < sizes[k]:
                stop = min(i + groups[k], sizes[k])
                scale = splat_f32(scales[0])
                scales += 1
                while i < stop:
                    store_part_f32(weights + i, load_part_f32(weights + i, min(F32_LANES, stop - i)) * scale,
                                   min(F32_LANES, stop - i))
                    i += F32_LANES
                i = stop
            weights += sizes[k]


cdef inline int two_codes(const uint8_t* genome, Py_ssize_t i, Py_ssize_t last) noexcept nogil:
    # of weights i and i + 1, the first one low
    cdef Py_ssize_t byte = min(i // 2, last)
    if i % 2 == 0:
        return genome[byte]
    return genome[byte] >> 4 | (genome[min(byte + 1, last)] & 15) << 4


cdef void decode_pairs(const uint8_t* genome, Py_ssize_t last, const uint32_t* table, Py_ssize_t inputs,
                       Py_ssize_t outputs, uint32_t* pairs) noexcept nogil:
    # pairs[outputs][ceil(inputs / 2)]: the table has the two levels of each byte. Whatever follows an output's last
    # weight meets a zero.
    cdef Py_ssize_t output, k, n = (inputs + 1) // 2
    for output in range(outputs):
        for k in range(n):
            pairs[output * n + k] = table[two_codes(genome, output * inputs + 2 * k, last)]


cdef inline uint32_t two_bytes(int first, int second) noexcept nogil:
    # two levels from -256 to 254, low the bytes with signs that are nearest to them, and high what is left of each
    cdef int near = max(-128, min(first, 127)), next = max(-128, min(second, 127))
    return (<uint32_t><uint8_t>near | <uint32_t><uint8_t>next << 8 | <uint32_t><uint8_t>(first - near) << 16
            | <uint32_t><uint8_t>(second - next) << 24)


cdef void decode_quads(const uint8_t* genome, Py_ssize_t last, const uint32_t* table, Py_ssize_t inputs,
                       Py_ssize_t outputs, uint32_t* quads, const Rest** rests) noexcept nogil:
    # quads[outputs][ceil(inputs / 4)], and behind the pointers rests[outputs + 1] what is left of them
    cdef Py_ssize_t output, k, i, n = (inputs + 3) // 4
    cdef uint32_t first, second
    cdef Rest* rest = <Rest*>(rests + outputs + 1)
    for output in range(outputs):
        rests[output] = rest
        for k in range(n):
            i = output * inputs + 4 * k
            first = table[two_codes(genome, i, last)]
            second = table[two_codes(genome, i + 2, last)]
            quads[output * n + k] = (first & 0xFFFF) | second << 16
            rest.place = <uint32_t>k
            rest.weights = first >> 16 | second >> 16 << 16
            rest += rest.weights != 0
    rests[outputs] = rest
