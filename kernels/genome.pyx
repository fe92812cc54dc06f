# Packed 4-bit genomes as codes and as weights: pack, unpack, decode, encode.
# What breeds genomes is breeding.pyx; evaluating a network is population.pyx.
from libc.math cimport INFINITY, fabsf, fmaf, nextafterf
from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memcpy

from .lanes cimport (
    F32_LANES, bits_f32, codes_u32, f32x, load_f32, load_part_f32, lookup16_f32, splat_f32, splat_u32, store_f32,
    store_part_f32, store_u32, u32x, where_less_f32,
)
from .loops.largest cimport largest_size
from .loops.numbers cimport OF_FLOAT32, OF_FLOAT64, OF_UINT8, Numbers, join_numbers, numbers_in, numbers_out
from .loops.threads cimport join_threads, run_chunks, threads_for

cdef enum:
    STARTS = 120  # scales tried, from the one that reaches the largest weight down to a thirtieth of it
    IMPROVEMENTS = 2

join_threads()
join_numbers()


cdef bint pack_uint8(const uint8_t* codes, uint8_t* genome, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    cdef uint8_t seen = 0
    for i in range(n // 2):
        genome[i] = codes[2 * i] | codes[2 * i + 1] << 4
        seen |= codes[2 * i] | codes[2 * i + 1]
    if n % 2:
        genome[n // 2] = codes[n - 1]
        seen |= codes[n - 1]
    return seen > 15


cdef void unpack_uint8(const uint8_t* genome, uint8_t* codes, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(n // 2):
        codes[2 * i] = genome[i] & 15
        codes[2 * i + 1] = genome[i] >> 4
    if n % 2:
        codes[n - 1] = genome[n // 2] & 15


cdef void decode_float32(const uint8_t* genome, const float* levels, const float* scales, Py_ssize_t group,
                         float* weights, Py_ssize_t n) noexcept nogil:
    decode_offset_float32(genome, levels, scales, NULL, group, weights, n)


cdef void decode_offset_float32(const uint8_t* genome, const float* levels, const float* scales, const float* offsets,
                                Py_ssize_t group, float* weights, Py_ssize_t n) noexcept nogil:
    cdef float table[16]
    cdef uint8_t last[16]
    cdef Py_ssize_t i = 0, stop, k
    while i < n:
        stop = min(n, i + group)
        for k in range(16):
            table[k] = levels[k] * scales[0] if offsets == NULL else fmaf(levels[k], scales[0], offsets[0])
        scales += 1
        if offsets != NULL:
            offsets += 1
        while i + F32_LANES <= stop and i + 16 <= n:
            store_f32(weights + i, lookup16_f32(table, codes_u32(genome, i)))
            i += F32_LANES
    # the last codes are read from a copy, since a load reads past them
        memcpy(last, genome + i // 2, min(8, (n + 1) // 2 - i // 2))
        k = i - i % 2
        while i < stop:
            store_part_f32(weights + i, lookup16_f32(table, codes_u32(last, i - k)), min(F32_LANES, stop - i))
            i = min(stop, i + F32_LANES)


cdef inline f32x nearest(f32x x, const float* thresholds) noexcept nogil:
    # How many thresholds lie below x, by bisection. The count is held as the float32 2^23 + count, whose low bits are
    # the count.
    cdef f32x found = splat_f32(8388608.0)
    cdef float step = 8.0
    cdef int _turn
    for _turn in range(4):
        found = where_less_f32(lookup16_f32(thresholds, bits_f32(found + splat_f32(step))), x,
                               found + splat_f32(step), found)
        step *= 0.5
    return found


cdef inline void find_ties(const float* order, const double* middles, bint* up) noexcept nogil:
    # up[k]: whether a weight midway between levels k - 1 and k takes level k. A tie goes to the even code, as rounding
    # to nearest does. Where levels are equal, the last of them is the one used.
    cdef int k, first = 1, last
    while first < 16:
        last = first
        while last < 15 and middles[last + 1] == middles[first]:
            last += 1
        for k in range(first, last + 1):
            up[k] = <int>order[first - 1] % 2 == 1 and <int>order[last] % 2 == 0
        first = last + 1


cdef bint encode_float32(const float* weights, const float* order, const double* middles, const float* scales,
                         Py_ssize_t group, uint8_t* genome, Py_ssize_t n) noexcept nogil:
    cdef float thresholds[16]
    cdef uint32_t codes[512]
    cdef Py_ssize_t i = 0, done, stop, k
    cdef double middle
    cdef float sign = 1.0  # of the scale: where it is negative, weights and scale are both negated
    cdef f32x x
    cdef u32x size, seen = splat_u32(0)
    cdef uint32_t over[16]
    cdef bint up[16]
    up[0] = False
    thresholds[0] = -INFINITY
    find_ties(order, middles, up)
    while i < n:
        if i % group == 0:
            sign = -1.0 if scales[i // group] < 0 else 1.0
            for k in range(1, 16):
                # The threshold is the largest float32 that still takes the level below: the middle itself or the last
                # number before it. It is surely before it where a weight right in the middle takes the level above.
                middle = middles[k] * fabsf(scales[i // group])
                thresholds[k] = <float>middle
                if thresholds[k] > middle or (up[k] and thresholds[k] == middle):
                    thresholds[k] = nextafterf(thresholds[k], -INFINITY)
        stop = min(min(n, i + 512), i - i % group + group)
        done = i
        while i < stop:
            if i + F32_LANES <= stop:
                x = load_f32(weights + i)
            else:
                x = load_part_f32(weights + i, stop - i)
            size = bits_f32(x) & splat_u32(0x7FFFFFFF)
            seen = seen | (splat_u32(0x7F800000) - size)
            x = lookup16_f32(order, bits_f32(nearest(x * splat_f32(sign), thresholds)))
            store_u32(codes + i - done, bits_f32(x + splat_f32(8388608.0)) & splat_u32(15))
            i += F32_LANES
        i = stop
        for k in range((stop - done) // 2):
            genome[done // 2 + k] = <uint8_t>(codes[2 * k] | codes[2 * k + 1] << 4)
        if stop % 2:
            genome[stop // 2] = <uint8_t>codes[stop - done - 1]
    store_u32(over, seen)
    for k in range(1, F32_LANES):
        over[0] |= over[k]
    return over[0] >> 31


cdef float best_scale_float32(const float* weights, const float* levels, const float* order, const double* middles,
                              uint8_t* scratch, Py_ssize_t n) noexcept nogil:
    # For given codes the best scale is sum(w * l) / sum(l * l), and for a given scale the best codes are the nearest
    # levels. Both steps take turns, from several starts, since each run ends at a local optimum.
    cdef double across, squares, error, least = INFINITY
    cdef float largest = 0.0, reach = 0.0, scale, best, start
    cdef Py_ssize_t i
    cdef int k, _start, _turn
    cdef uint8_t code
    for i in range(n):
        largest = max(largest, fabsf(weights[i]))
    for k in range(16):
        reach = max(reach, fabsf(levels[k]))
    start = largest / reach if largest < INFINITY else 1.0
    if not start > 0.0:
        return 1.0
    best = start
    for _start in range(STARTS):
        scale = start
        for _turn in range(IMPROVEMENTS):
            encode_float32(weights, order, middles, &scale, n, scratch, n)
            across, squares, error = 0.0, 0.0, 0.0
            for i in range(n):
                code = scratch[i // 2] >> 4 * (i % 2) & 15
                across += <double>weights[i] * levels[code]
                squares += <double>levels[code] * levels[code]
                error += (<double>weights[i] - <double>levels[code] * scale) ** 2
            if error < least:
                least = error
                best = scale
            if not (squares > 0.0 and across > 0.0 and <float>(across / squares) > 0.0):
                break
            scale = <float>(across / squares)
        start *= 0.97153
    return best


cdef struct Genomes:
    # packed genomes, and the codes or weights that they are made of or turned into
    const uint8_t* genomes
    Py_ssize_t genome_bytes
    Py_ssize_t n
    const uint8_t* codes
    const float* weights
    const float* levels
    const float* order
    const double* middles
    const float* scales
    Py_ssize_t scales_step
    const float* offsets  # NULL where there are none
    Py_ssize_t offsets_step
    Py_ssize_t group
    Py_ssize_t groups
    bint bad  # set where anything is


cdef void pack_genome(void* context, Py_ssize_t i, int thread) noexcept nogil:
    cdef Genomes* of = <Genomes*>context
    if pack_uint8(of.codes + i * of.n, <uint8_t*>of.genomes + i * of.genome_bytes, of.n):
        of.bad = True


cdef void unpack_genome(void* context, Py_ssize_t i, int thread) noexcept nogil:
    cdef const Genomes* of = <const Genomes*>context
    unpack_uint8(of.genomes + i * of.genome_bytes, <uint8_t*>of.codes + i * of.n, of.n)


cdef void decode_genome(void* context, Py_ssize_t i, int thread) noexcept nogil:
    cdef const Genomes* of = <const Genomes*>context
    decode_offset_float32(of.genomes + i * of.genome_bytes, of.levels, of.scales + i * of.scales_step,
                          NULL if of.offsets == NULL else of.offsets + i * of.offsets_step, of.group,
                          <float*>of.weights + i * of.n, of.n)


cdef void encode_genome(void* context, Py_ssize_t i, int thread) noexcept nogil:
    cdef Genomes* of = <Genomes*>context
    if encode_float32(of.weights + i * of.n, of.order, of.middles, of.scales + i * of.scales_step, of.group,
                      <uint8_t*>of.genomes + i * of.genome_bytes, of.n):
        of.bad = True


cdef void best_scale_of_group(void* context, Py_ssize_t turn, int thread) noexcept nogil:
    cdef const Genomes* of = <const Genomes*>context
    cdef Py_ssize_t i = turn // of.groups, k = turn % of.groups * of.group
    (<float*>of.scales)[turn] = best_scale_float32(
        of.weights + i * of.n + k, of.levels, of.order, of.middles,
        <uint8_t*>of.genomes + i * of.genome_bytes + k // 2, min(of.group, of.n - k))


cdef inline void place_genomes(Genomes* of, Numbers genomes) noexcept nogil:
    of.genomes, of.genome_bytes = <const uint8_t*>genomes.at, genomes.shape[1]


cdef inline void place_weights(Genomes* of, Numbers weights) noexcept nogil:
    of.weights, of.n = <float*>weights.at, weights.shape[1]


cdef inline void place_scales(Genomes* of, Numbers scales, Py_ssize_t group) noexcept nogil:
    # a row a genome, or one for all
    of.scales, of.group = <const float*>scales.at, group
    of.scales_step = scales.shape[1] if scales.shape[0] > 1 else 0


def pack(codes, genomes):
    """Pack one code a byte; whether all codes were below 16."""
    cdef Numbers given = numbers_in(codes, OF_UINT8, 2), made = numbers_out(genomes, OF_UINT8, 2)
    cdef Py_ssize_t size = given.shape[0], n = given.shape[1]
    cdef Genomes of
    if size == 0 or n == 0:
        return True
    place_genomes(&of, made)
    of.codes, of.n, of.bad = <uint8_t*>given.at, n, False
    with nogil:
        run_chunks(pack_genome, &of, size, threads_for(size * n))
    return not of.bad


def unpack(genomes, codes):
    """Unpack to one code a byte."""
    cdef Numbers given = numbers_in(genomes, OF_UINT8, 2), made = numbers_out(codes, OF_UINT8, 2)
    cdef Py_ssize_t size = made.shape[0], n = made.shape[1]
    cdef Genomes of
    if size == 0 or n == 0:
        return
    place_genomes(&of, given)
    of.codes, of.n = <uint8_t*>made.at, n
    with nogil:
        run_chunks(unpack_genome, &of, size, threads_for(size * n))


def decode(genomes, levels, scales, offsets, Py_ssize_t group, weights):
    """Turn codes into weights: a level times its group's scale, plus its offset if there are any. scales and offsets
    have a row a genome, or one for all."""
    cdef Numbers own = numbers_in(genomes, OF_UINT8, 2), made = numbers_out(weights, OF_FLOAT32, 2)
    cdef Numbers scale = numbers_in(scales, OF_FLOAT32, 2), offset = numbers_in(offsets, OF_FLOAT32, 2)
    cdef Numbers level = numbers_in(levels, OF_FLOAT32, 1)
    cdef Py_ssize_t size = made.shape[0], n = made.shape[1]
    cdef Genomes of
    if size == 0 or n == 0:
        return
    place_genomes(&of, own)
    place_weights(&of, made)
    place_scales(&of, scale, group)
    of.levels, of.offsets = <const float*>level.at, <const float*>offset.at
    of.offsets_step = offset.shape[1] if offset.shape[0] > 1 else 0
    with nogil:
        run_chunks(decode_genome, &of, size, threads_for(size * n))


def encode(weights, order, middles, scales, Py_ssize_t group, genomes):
    """Turn weights into the codes of the nearest levels; whether no weight was NaN."""
    cdef Numbers given = numbers_in(weights, OF_FLOAT32, 2), made = numbers_out(genomes, OF_UINT8, 2)
    cdef Numbers ordered = numbers_in(order, OF_FLOAT32, 1), middle = numbers_in(middles, OF_FLOAT64, 1)
    cdef Numbers scale = numbers_in(scales, OF_FLOAT32, 2)
    cdef Py_ssize_t size = given.shape[0], n = given.shape[1]
    cdef Genomes of
    if size == 0 or n == 0:
        return True
    place_genomes(&of, made)
    place_weights(&of, given)
    place_scales(&of, scale, group)
    of.order, of.middles, of.bad = <const float*>ordered.at, <const double*>middle.at, False
    with nogil:
        run_chunks(encode_genome, &of, size, threads_for(size * n))
    return not of.bad


def largest(values):
    """Return the largest magnitude, 0 of none; NaN or infinity where there is one."""
    cdef Numbers all = numbers_in(values, OF_FLOAT32, 2)
    cdef uint32_t bits = 0
    cdef float found
    if all.shape[0] * all.shape[1]:
        with nogil:
            bits = largest_size(<const float*>all.at, all.shape[0] * all.shape[1])
    memcpy(&found, &bits, sizeof(found))
    return found


def best_scales(weights, levels, order, middles, Py_ssize_t group, scratch, scales):
    """Fill scales[row, group] with the scale of least squares; scratch has a row of ceil(n / 2) bytes for each."""
    cdef Numbers given = numbers_in(weights, OF_FLOAT32, 2), level = numbers_in(levels, OF_FLOAT32, 1)
    cdef Numbers ordered = numbers_in(order, OF_FLOAT32, 1), middle = numbers_in(middles, OF_FLOAT64, 1)
    cdef Numbers tried = numbers_out(scratch, OF_UINT8, 2), found = numbers_out(scales, OF_FLOAT32, 2)
    cdef Py_ssize_t size = given.shape[0], n = given.shape[1], groups = found.shape[1]
    cdef Genomes of
    if size == 0 or groups == 0:
        return
    place_genomes(&of, tried)
    place_weights(&of, given)
    place_scales(&of, found, group)
    of.levels, of.order, of.middles = <const float*>level.at, <const float*>ordered.at, <const double*>middle.at
    of.groups = groups
    with nogil:
        run_chunks(best_scale_of_group, &of, size * groups, threads_for(size * n))
