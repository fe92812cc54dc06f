# Packed 4-bit genomes: codes and weights, random starts, mutation, crossover, distance. Populations are worked on
# in blocks of 512 bytes, side by side on all threads. Evaluating a network is population.pyx, the
# generator random.pxd.
from cpython.pycapsule cimport PyCapsule_Import
from cython.parallel cimport prange
from libc.math cimport INFINITY, nextafterf
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from .lanes cimport (
    F32_LANES, F64_LANES, bits_f32, codes_u32, f32x, load_f32, load_part_f32, load_u64, lookup16_f32,
    splat_f32, splat_u32, splat_u64, store_f32, store_part_f32, store_u32, store_u64, u32x, u64x, where_less_f32,
)
from .random cimport CROSSOVER, MUTATION, ROW, SELECTION, START, Stream, bernoulli, draw

cdef enum:
    BLOCK = 8 * ROW  # words in a block: one draw of 128 bits serves eight rows of coins, one a weight
    BLOCK_BYTES = 8 * BLOCK
    SPAN = 64  # blocks in a thread's share
    # Fewer bytes than this do not repay waking a second thread: measured in bench/bench_genome.py.
    THREAD_MIN = 1 << 15

cdef const int* thread_count = <const int*>PyCapsule_Import("lanewise.kernels.machine.thread_count", 0)


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
    cdef float table[16]
    cdef uint8_t last[16]
    cdef Py_ssize_t i = 0, stop, k
    while i < n:
        stop = min(n, i + group)
        for k in range(16):
            table[k] = levels[k] * scales[0]
        scales += 1
        while i + F32_LANES <= stop and i + 16 <= n:
            store_f32(weights + i, lookup16_f32(table, codes_u32(genome, i)))
            i += F32_LANES
        # the last codes are read from a copy, with room behind them
        memcpy(last, genome + i // 2, min(8, (n + 1) // 2 - i // 2))
        k = i - i % 2
        while i < stop:
            store_part_f32(weights + i, lookup16_f32(table, codes_u32(last, i - k)), min(F32_LANES, stop - i))
            i = min(stop, i + F32_LANES)


cdef inline f32x nearest(f32x x, const float* thresholds) noexcept nogil:
    # How many thresholds lie below x, by halving; held as 2^23 + the count, whose low bits are the count's.
    cdef f32x found = splat_f32(8388608.0)
    cdef float step = 8.0
    cdef int _turn
    for _turn in range(4):
        found = where_less_f32(lookup16_f32(thresholds, bits_f32(found + splat_f32(step))), x,
                               found + splat_f32(step), found)
        step *= 0.5
    return found


cdef bint encode_float32(const float* weights, const float* order, const double* middles, const float* scales,
                         Py_ssize_t group, uint8_t* genome, Py_ssize_t n) noexcept nogil:
    cdef float thresholds[16]
    cdef uint32_t codes[512]
    cdef Py_ssize_t i = 0, done, stop, k
    cdef double middle
    cdef f32x x
    cdef u32x size, seen = splat_u32(0)
    cdef uint32_t over[16]
    while i < n:
        if i % group == 0:
            for k in range(16):
                # rounded down, so that no float32 between the middle and its rounding is misjudged
                middle = middles[k] * scales[i // group]
                thresholds[k] = <float>middle
                if thresholds[k] > middle:
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
            x = lookup16_f32(order, bits_f32(nearest(x, thresholds)))
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


cdef inline void random_block(uint64_t* y, const Stream* stream, Py_ssize_t block) noexcept nogil:
    cdef u64x random[2]
    cdef int row, part
    for row in range(4):
        part = 0
        while part < ROW:
            draw(stream, 4 * block + row, part, 0, random)
            store_u64(y + 2 * row * ROW + part, random[0])
            store_u64(y + (2 * row + 1) * ROW + part, random[1])
            part += F64_LANES


cdef inline void mutate_block(const uint64_t* x, uint64_t* y, const Stream* stream, Py_ssize_t block,
                              uint64_t rate) noexcept nogil:
    cdef int row, part
    for row in range(8):
        part = 0
        while part < ROW:
            store_u64(y + row * ROW + part, load_u64(x + row * ROW + part)
                      ^ bernoulli(stream, 8 * block + row, part, rate))
            part += F64_LANES


cdef inline void crossover_block(const uint64_t* a, const uint64_t* b, uint64_t* y, uint64_t* sibling,
                                 const Stream* stream, Py_ssize_t block) noexcept nogil:
    cdef u64x random[2]
    cdef u64x coin, swap, mother, father
    cdef int half, shift, part = 0
    while part < ROW:
        draw(stream, block, part, 0, random)
        for half in range(2):
            for shift in range(4):
                coin = (random[half] >> shift) & splat_u64(0x1111111111111111U)
                mother = load_u64(a + (4 * half + shift) * ROW + part)
                father = load_u64(b + (4 * half + shift) * ROW + part)
                swap = (mother ^ father) & ((coin << 4) - coin)  # a nibble of ones for each coin
                store_u64(y + (4 * half + shift) * ROW + part, mother ^ swap)
                if sibling != NULL:
                    store_u64(sibling + (4 * half + shift) * ROW + part, father ^ swap)
        part += F64_LANES


cdef inline uint64_t fraction(double rate) noexcept nogil:
    # rate * 2^64, for a rate below 1
    return <uint64_t>(rate * 18446744073709551616.0)


cdef struct Share:
    # the bytes of one genome that one turn of a parallel loop works on
    Py_ssize_t individual
    Py_ssize_t block
    Py_ssize_t stop


cdef inline Py_ssize_t shares(Py_ssize_t genome_bytes) noexcept nogil:
    return (genome_bytes + SPAN * BLOCK_BYTES - 1) // (SPAN * BLOCK_BYTES)


cdef inline Share share_of(Py_ssize_t turn, Py_ssize_t genome_bytes) noexcept nogil:
    cdef Share share
    cdef Py_ssize_t of_genome = shares(genome_bytes)
    share.individual = turn // of_genome
    share.block = turn % of_genome * SPAN
    share.stop = min(share.block + SPAN, (genome_bytes + BLOCK_BYTES - 1) // BLOCK_BYTES)
    return share


cdef inline int threads_for(Py_ssize_t size, Py_ssize_t genome_bytes) noexcept nogil:
    return thread_count[0] if size * genome_bytes >= THREAD_MIN else 1


cdef inline void clear_spare(uint8_t* genome, Py_ssize_t n) noexcept nogil:
    if n % 2:
        genome[n // 2] &= 15


cdef void random_share(uint8_t* y, Py_ssize_t genome_bytes, Share share, const Stream* stream) noexcept nogil:
    cdef uint64_t whole[BLOCK]
    cdef Py_ssize_t block, part
    for block in range(share.block, share.stop):
        part = genome_bytes - block * BLOCK_BYTES
        if part >= BLOCK_BYTES:
            random_block(<uint64_t*>(y + block * BLOCK_BYTES), stream, block)
        else:
            random_block(whole, stream, block)
            memcpy(y + block * BLOCK_BYTES, whole, part)


cdef void mutate_share(const uint8_t* x, uint8_t* y, Py_ssize_t genome_bytes, Share share, const Stream* stream,
                       double rate) noexcept nogil:
    cdef uint64_t whole[BLOCK]
    cdef Py_ssize_t block, part, i
    for block in range(share.block, share.stop):
        part = min(genome_bytes - block * BLOCK_BYTES, BLOCK_BYTES)
        if rate >= 1.0:
            for i in range(block * BLOCK_BYTES, block * BLOCK_BYTES + part):
                y[i] = ~x[i]
        elif part == BLOCK_BYTES:
            mutate_block(<const uint64_t*>(x + block * BLOCK_BYTES), <uint64_t*>(y + block * BLOCK_BYTES), stream,
                         block, fraction(rate))
        else:
            memset(whole, 0, BLOCK_BYTES)
            memcpy(whole, x + block * BLOCK_BYTES, part)
            mutate_block(whole, whole, stream, block, fraction(rate))
            memcpy(y + block * BLOCK_BYTES, whole, part)


cdef void crossover_share(const uint8_t* a, const uint8_t* b, uint8_t* y, uint8_t* sibling, Py_ssize_t genome_bytes,
                          Share share, const Stream* stream) noexcept nogil:
    cdef uint64_t mother[BLOCK]
    cdef uint64_t father[BLOCK]
    cdef Py_ssize_t block, part, at
    for block in range(share.block, share.stop):
        at = block * BLOCK_BYTES
        part = genome_bytes - at
        if part >= BLOCK_BYTES:
            crossover_block(<const uint64_t*>(a + at), <const uint64_t*>(b + at), <uint64_t*>(y + at),
                            <uint64_t*>(sibling + at) if sibling != NULL else NULL, stream, block)
        else:
            memset(mother, 0, BLOCK_BYTES)
            memset(father, 0, BLOCK_BYTES)
            memcpy(mother, a + at, part)
            memcpy(father, b + at, part)
            crossover_block(mother, father, mother, father, stream, block)
            memcpy(y + at, mother, part)
            if sibling != NULL:
                memcpy(sibling + at, father, part)


def pack(const uint8_t[:, ::1] codes, uint8_t[:, ::1] genomes):
    """Pack one code a byte; whether all codes were below 16."""
    cdef Py_ssize_t i, bad = 0
    cdef Py_ssize_t size = codes.shape[0], n = codes.shape[1]
    if n == 0:
        return True
    for i in prange(size, nogil=True, num_threads=threads_for(size, n), schedule="static"):
        bad += pack_uint8(&codes[i, 0], &genomes[i, 0], n)
    return bad == 0


def unpack(const uint8_t[:, ::1] genomes, uint8_t[:, ::1] codes):
    """Unpack to one code a byte."""
    cdef Py_ssize_t i
    cdef Py_ssize_t size = codes.shape[0], n = codes.shape[1]
    if n == 0:
        return
    for i in prange(size, nogil=True, num_threads=threads_for(size, n), schedule="static"):
        unpack_uint8(&genomes[i, 0], &codes[i, 0], n)


def decode(const uint8_t[:, ::1] genomes, const float[::1] levels, const float[:, ::1] scales, Py_ssize_t group,
           float[:, ::1] weights):
    """Turn codes into weights: a level times the scale of its group. scales has a row a genome, or one for all."""
    cdef Py_ssize_t i
    cdef Py_ssize_t size = weights.shape[0], n = weights.shape[1], step = 1 if scales.shape[0] > 1 else 0
    if n == 0:
        return
    for i in prange(size, nogil=True, num_threads=threads_for(size, n), schedule="static"):
        decode_float32(&genomes[i, 0], &levels[0], &scales[i * step, 0], group, &weights[i, 0], n)


def encode(const float[:, ::1] weights, const float[::1] order, const double[::1] middles,
           const float[:, ::1] scales, Py_ssize_t group, uint8_t[:, ::1] genomes):
    """Turn weights into the codes of the nearest levels; whether no weight was NaN."""
    cdef Py_ssize_t i, bad = 0
    cdef Py_ssize_t size = weights.shape[0], n = weights.shape[1], step = 1 if scales.shape[0] > 1 else 0
    if n == 0:
        return True
    for i in prange(size, nogil=True, num_threads=threads_for(size, n), schedule="static"):
        bad += encode_float32(&weights[i, 0], &order[0], &middles[0], &scales[i * step, 0], group, &genomes[i, 0], n)
    return bad == 0


def random_population(uint8_t[:, ::1] genomes, Py_ssize_t n, uint64_t seed, uint32_t generation=0,
                      uint32_t first=0):
    """Fill with random codes. Genome i is drawn from (seed, generation, first + i)."""
    cdef Py_ssize_t turn, size = genomes.shape[0], genome_bytes = genomes.shape[1]
    cdef Stream stream
    cdef Share share
    for turn in prange(size * shares(genome_bytes), nogil=True, num_threads=threads_for(size, genome_bytes),
                       schedule="static"):
        share = share_of(turn, genome_bytes)
        stream = Stream(seed, generation, <uint32_t>(first + share.individual), START)
        random_share(&genomes[share.individual, 0], genome_bytes, share, &stream)
        clear_last(&genomes[share.individual, 0], n, share, genome_bytes)


def mutate(const uint8_t[:, ::1] genomes, uint8_t[:, ::1] y, Py_ssize_t n, const double[::1] rates, uint64_t seed,
           uint32_t generation=0, uint32_t first=0):
    """Flip each bit with its genome's rate. rates has one a genome, or one for all."""
    cdef Py_ssize_t turn, size = genomes.shape[0], genome_bytes = genomes.shape[1]
    cdef Py_ssize_t step = 1 if rates.shape[0] > 1 else 0
    cdef Stream stream
    cdef Share share
    for turn in prange(size * shares(genome_bytes), nogil=True, num_threads=threads_for(size, genome_bytes),
                       schedule="static"):
        share = share_of(turn, genome_bytes)
        stream = Stream(seed, generation, <uint32_t>(first + share.individual), MUTATION)
        mutate_share(&genomes[share.individual, 0], &y[share.individual, 0], genome_bytes, share, &stream,
                     rates[share.individual * step])
        clear_last(&y[share.individual, 0], n, share, genome_bytes)


def crossover(const uint8_t[:, ::1] a, const Py_ssize_t[::1] mothers, const uint8_t[:, ::1] b,
              const Py_ssize_t[::1] fathers, uint8_t[:, ::1] y, uint8_t[:, ::1] siblings, Py_ssize_t n, uint64_t seed,
              uint32_t generation=0, uint32_t first=0):
    """Child i takes each code from a[mothers[i]] or b[fathers[i]] by a fair coin; its sibling, if any, the other."""
    cdef Py_ssize_t turn, size = y.shape[0], genome_bytes = y.shape[1]
    cdef bint pairs = siblings is not None
    cdef Stream stream
    cdef Share share
    cdef uint8_t* sibling
    for turn in prange(size * shares(genome_bytes), nogil=True, num_threads=threads_for(size, genome_bytes),
                       schedule="static"):
        share = share_of(turn, genome_bytes)
        stream = Stream(seed, generation, <uint32_t>(first + share.individual), CROSSOVER)
        sibling = &siblings[share.individual, 0] if pairs else NULL
        crossover_share(&a[mothers[share.individual], 0], &b[fathers[share.individual], 0], &y[share.individual, 0],
                        sibling, genome_bytes, share, &stream)
        clear_last(&y[share.individual, 0], n, share, genome_bytes)
        if pairs:
            clear_last(sibling, n, share, genome_bytes)


def choose_parents(const Py_ssize_t[::1] ranked, Py_ssize_t parents, Py_ssize_t[::1] mothers,
                   Py_ssize_t[::1] fathers, uint64_t seed, uint32_t generation=0, uint32_t first=0):
    """Draw both parents of child i from the first of `ranked`, with (seed, generation, first + i)."""
    cdef Py_ssize_t i
    cdef Stream stream
    cdef u64x random[2]
    cdef uint64_t words[ROW]
    with nogil:
        for i in range(mothers.shape[0]):
            stream = Stream(seed, generation, <uint32_t>(first + i), SELECTION)
            draw(&stream, 0, 0, 0, random)
            store_u64(words, random[0])
            # the high half of a product with 32 random bits: even to within parents / 2^32
            mothers[i] = ranked[((words[0] & 0xFFFFFFFFU) * <uint64_t>parents) >> 32]
            fathers[i] = ranked[((words[0] >> 32) * <uint64_t>parents) >> 32]


cdef inline void clear_last(uint8_t* genome, Py_ssize_t n, Share share, Py_ssize_t genome_bytes) noexcept nogil:
    # the spare nibble is zero: it belongs to whoever has the last share
    if share.stop * BLOCK_BYTES >= genome_bytes:
        clear_spare(genome, n)


cdef inline u64x ones(u64x x, bint by_weight) noexcept nogil:
    # In each byte, how many of its bits are set; by_weight, how many of its two nibbles have a bit set.
    if by_weight:
        x = x | x >> 2
        x = (x | x >> 1) & splat_u64(0x1111111111111111U)
        return (x & splat_u64(0x0F0F0F0F0F0F0F0FU)) + (x >> 4 & splat_u64(0x0F0F0F0F0F0F0F0FU))
    x = x - (x >> 1 & splat_u64(0x5555555555555555U))
    x = (x & splat_u64(0x3333333333333333U)) + (x >> 2 & splat_u64(0x3333333333333333U))
    return (x + (x >> 4)) & splat_u64(0x0F0F0F0F0F0F0F0FU)


cdef Py_ssize_t distance(const uint8_t* a, const uint8_t* b, Py_ssize_t genome_bytes, bint by_weight) noexcept nogil:
    cdef uint64_t left[ROW]
    cdef uint64_t right[ROW]
    cdef uint64_t counts[ROW]
    cdef u64x total = splat_u64(0), bytes_ones
    cdef Py_ssize_t i = 0, n, k
    cdef int _turn
    while i < genome_bytes:
        bytes_ones = splat_u64(0)
        for _turn in range(31):  # a byte holds 31 counts of at most 8
            n = genome_bytes - i
            if n >= 8 * F64_LANES:
                bytes_ones = bytes_ones + ones(load_u64(<const uint64_t*>(a + i)) ^ load_u64(<const uint64_t*>(b + i)),
                                               by_weight)
                i += 8 * F64_LANES
            elif n > 0:
                memset(left, 0, sizeof(left))
                memset(right, 0, sizeof(right))
                memcpy(left, a + i, n)
                memcpy(right, b + i, n)
                bytes_ones = bytes_ones + ones(load_u64(left) ^ load_u64(right), by_weight)
                i = genome_bytes
        bytes_ones = (bytes_ones & splat_u64(0x00FF00FF00FF00FFU)) + (bytes_ones >> 8 & splat_u64(0x00FF00FF00FF00FFU))
        bytes_ones = bytes_ones + (bytes_ones >> 16)
        total = total + ((bytes_ones + (bytes_ones >> 32)) & splat_u64(0xFFFF))
    store_u64(counts, total)
    n = 0
    for k in range(F64_LANES):
        n += counts[k]
    return n


def hamming_distance(const uint8_t[:, ::1] a, const uint8_t[:, ::1] b, bint by_weight, Py_ssize_t[::1] distances):
    """How many bits, or weights, differ between a[i] and b[i]; b may have one row for all."""
    cdef Py_ssize_t i, size = a.shape[0], genome_bytes = a.shape[1], step = 1 if b.shape[0] > 1 else 0
    for i in prange(size, nogil=True, num_threads=threads_for(size, genome_bytes), schedule="static"):
        distances[i] = distance(&a[i, 0], &b[i * step, 0], genome_bytes, by_weight)
