# Breeding packed 4-bit genomes: random starts, mutation, crossover, choice of parents. Populations are worked on in
# blocks of 512 bytes, side by side on all threads; a block's random bits are those of its place. Codes and weights are
# genome.pyx, how far genomes are apart distances.pyx, the generator math/random.pxd; whom to breed is decided in
# Python.
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from .lanes cimport F64_LANES, load_u64, lookup16_u8, splat_u64, store_u64, u64x
from .loops.numbers cimport OF_FLOAT64, OF_INDEX, OF_UINT8, Numbers, join_numbers, numbers_in, numbers_out
from .loops.threads cimport join_threads, run_chunks, threads_for
from .math.random cimport CROSSOVER, DIRECTION, MUTATION, LINE, SELECTION, START, Stream, bernoulli, draw

cdef enum:
    BLOCK = 8 * LINE  # words in a block: one draw of 128 bits gives eight lines of coins, a coin per weight
    BLOCK_BYTES = 8 * BLOCK
    BLOCK_WEIGHTS = 2 * BLOCK_BYTES
    SPAN = 64  # blocks in a share
    MOST_FLIPS = 64  # in a line of 512 bits, at rates up to 1/32: more have a probability below 2^-53
    TURNS = 16  # draws that a line may take, of 14 places each

cdef enum Mutation:
    FLIP = 0  # each bit, with the rate
    GRAY = 1  # each bit of the level's rank in Gray code
    STEP = 2  # each weight, to a level next to its own
    REDRAW = 3  # each weight, to any of the 16 codes

cdef enum Exchange:
    UNIFORM = 0  # each weight by a fair coin
    BITWISE = 1  # each bit by a fair coin
    RANGE = 2  # all weights between two places

join_threads()
join_numbers()


cdef struct Share:
    # the blocks of one genome that are one chunk of the work
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


cdef inline void clear_spare(uint8_t* genome, Py_ssize_t n, Share share, Py_ssize_t genome_bytes) noexcept nogil:
    # the nibble behind an odd number of weights is zero; who has the last share writes it
    if n % 2 and share.stop * BLOCK_BYTES >= genome_bytes:
        genome[n // 2] &= 15


cdef inline void random_block(uint64_t* bits, const Stream* stream, Py_ssize_t block) noexcept nogil:
    cdef u64x random[2]
    cdef int line, part
    for line in range(4):
        part = 0
        while part < LINE:
            draw(stream, 4 * block + line, part, 0, random)
            store_u64(bits + 2 * line * LINE + part, random[0])
            store_u64(bits + (2 * line + 1) * LINE + part, random[1])
            part += F64_LANES


cdef void random_share(uint8_t* y, Py_ssize_t genome_bytes, Share share, const Stream* stream) noexcept nogil:
    cdef uint64_t bits[BLOCK]
    cdef Py_ssize_t block
    for block in range(share.block, share.stop):
        random_block(bits, stream, block)
        memcpy(y + block * BLOCK_BYTES, bits, min(BLOCK_BYTES, genome_bytes - block * BLOCK_BYTES))


include "parts/breeding_mutation.pxi"


cdef inline void within(uint64_t* mask, Py_ssize_t block, uint64_t start, uint64_t stop) noexcept nogil:
    # a nibble of ones for each weight from start to stop
    cdef uint64_t first
    cdef int i, k
    for i in range(BLOCK):
        first = block * BLOCK_WEIGHTS + 16 * i
        mask[i] = 0
        if start < first + 16 and first < stop:
            for k in range(16):
                if start <= first + k < stop:
                    mask[i] |= <uint64_t>15 << 4 * k


cdef inline void two_places(const Stream* stream, uint64_t n, int points, uint64_t* places) noexcept nogil:
    # Where a range begins and ends. One point: one of the n - 1 places between weights, and the end. Two points: two
    # different places of these and the end.
    cdef uint64_t words[LINE]
    cdef u64x random[2]
    cdef uint64_t places_left = n - 1 if points == 1 else n
    places[0], places[1] = 0, 0
    if n < 2:
        return
    draw(stream, 0, 0, 1, random)
    store_u64(words, random[0])
    places[0] = 1 + words[0] % places_left
    places[1] = n
    if points == 2:
        # the second place is drawn among those that are not the first
        store_u64(words, random[1])
        places[1] = 1 + (places[0] + words[0] % (n - 1)) % n
        if places[1] < places[0]:
            places[0], places[1] = places[1], places[0]


cdef inline void exchange_block(const uint64_t* a, const uint64_t* b, uint64_t* y, uint64_t* sibling,
                                const uint64_t* mask) noexcept nogil:
    cdef u64x mother, father, swap
    cdef int i = 0
    while i < BLOCK:
        mother = load_u64(a + i)
        father = load_u64(b + i)
        swap = (mother ^ father) & load_u64(mask + i)
        store_u64(y + i, mother ^ swap)
        if sibling != NULL:
            store_u64(sibling + i, father ^ swap)
        i += F64_LANES


cdef void crossover_share(const uint8_t* a, const uint8_t* b, uint8_t* y, uint8_t* sibling, Py_ssize_t genome_bytes,
                          Share share, const Stream* stream, Exchange kind, Py_ssize_t n, int points) noexcept nogil:
    cdef uint64_t mother[BLOCK]
    cdef uint64_t father[BLOCK]
    cdef uint64_t mask[BLOCK]
    cdef uint64_t places[2]
    cdef Share own
    cdef Py_ssize_t block, part, at
    two_places(stream, n, points, places)
    for block in range(share.block, share.stop):
        at = block * BLOCK_BYTES
        part = genome_bytes - at
        if kind == UNIFORM:
            toss(mask, stream, block)
        elif kind == BITWISE:
            own = Share(0, block, block + 1)
            random_share(<uint8_t*>mask - at, at + BLOCK_BYTES, own, stream)
        else:
            within(mask, block, places[0], places[1])
        if part >= BLOCK_BYTES:
            exchange_block(<const uint64_t*>(a + at), <const uint64_t*>(b + at), <uint64_t*>(y + at),
                           <uint64_t*>(sibling + at) if sibling != NULL else NULL, mask)
        else:
            memset(mother, 0, BLOCK_BYTES)
            memset(father, 0, BLOCK_BYTES)
            memcpy(mother, a + at, part)
            memcpy(father, b + at, part)
            exchange_block(mother, father, mother, father, mask)
            memcpy(y + at, mother, part)
            if sibling != NULL:
                memcpy(sibling + at, father, part)


cdef struct Breeding:
    # of y[individual], and of its sibling, from x, or from a mother among x and a father among others
    const uint8_t* x
    const Py_ssize_t* mothers
    const uint8_t* others
    const Py_ssize_t* fathers
    uint8_t* y
    uint8_t* siblings
    Py_ssize_t genome_bytes
    Py_ssize_t n
    const double* rates
    Py_ssize_t rates_step
    int kind
    int points
    const uint8_t* tables
    uint64_t seed
    uint32_t generation
    uint32_t first


cdef inline Stream stream_of(const Breeding* of, Share share, uint32_t purpose) noexcept nogil:
    return Stream(of.seed, of.generation, <uint32_t>(of.first + share.individual), purpose)


cdef inline void breed(void (*chunk)(void*, Py_ssize_t, int) noexcept nogil, Breeding* of,
                       Py_ssize_t size) noexcept nogil:
    run_chunks(chunk, of, size * shares(of.genome_bytes), threads_for(size * of.genome_bytes // 4))


cdef void random_chunk(void* context, Py_ssize_t k, int thread) noexcept nogil:
    cdef const Breeding* of = <const Breeding*>context
    cdef Share share = share_of(k, of.genome_bytes)
    cdef Stream stream = stream_of(of, share, START)
    cdef uint8_t* y = of.y + share.individual * of.genome_bytes
    random_share(y, of.genome_bytes, share, &stream)
    clear_spare(y, of.n, share, of.genome_bytes)


cdef void mutate_chunk(void* context, Py_ssize_t k, int thread) noexcept nogil:
    cdef const Breeding* of = <const Breeding*>context
    cdef Share share = share_of(k, of.genome_bytes)
    cdef Py_ssize_t at = share.individual * of.genome_bytes
    mutate_share(of.x + at, of.y + at, of.genome_bytes, share, stream_of(of, share, MUTATION),
                 of.rates[share.individual * of.rates_step], <Mutation>of.kind, of.tables)
    clear_spare(of.y + at, of.n, share, of.genome_bytes)


cdef void crossover_chunk(void* context, Py_ssize_t k, int thread) noexcept nogil:
    cdef const Breeding* of = <const Breeding*>context
    cdef Share share = share_of(k, of.genome_bytes)
    cdef Py_ssize_t i = share.individual
    cdef Stream stream = stream_of(of, share, CROSSOVER)
    cdef uint8_t* y = of.y + i * of.genome_bytes
    cdef uint8_t* sibling = of.siblings + i * of.genome_bytes if of.siblings != NULL else NULL
    crossover_share(of.x + of.mothers[i] * of.genome_bytes, of.others + of.fathers[i] * of.genome_bytes, y, sibling,
                    of.genome_bytes, share, &stream, <Exchange>of.kind, of.n, of.points)
    clear_spare(y, of.n, share, of.genome_bytes)
    if sibling != NULL:
        clear_spare(sibling, of.n, share, of.genome_bytes)


def random_population(genomes, Py_ssize_t n, uint64_t seed, uint32_t generation=0, uint32_t first=0):
    """Fill with random codes. Genome i is drawn from (seed, generation, first + i)."""
    cdef Numbers own = numbers_out(genomes, OF_UINT8, 2)
    cdef Py_ssize_t size = own.shape[0], genome_bytes = own.shape[1]
    cdef Breeding of
    if size == 0 or genome_bytes == 0:
        return
    of.y, of.genome_bytes, of.n = <uint8_t*>own.at, genome_bytes, n
    of.seed, of.generation, of.first = seed, generation, first
    with nogil:
        breed(random_chunk, &of, size)


def mutate(genomes, y, Py_ssize_t n, rates, int kind, tables, uint64_t seed, uint32_t generation=0, uint32_t first=0):
    """Mutate each genome with its rate. rates has one a genome, or one for all."""
    cdef Numbers own = numbers_in(genomes, OF_UINT8, 2), changed = numbers_out(y, OF_UINT8, 2)
    cdef Numbers rate = numbers_in(rates, OF_FLOAT64, 1), table = numbers_in(tables, OF_UINT8, 2)
    cdef Py_ssize_t size = own.shape[0], genome_bytes = own.shape[1]
    cdef Breeding of
    if size == 0 or genome_bytes == 0:
        return
    of.x, of.y, of.genome_bytes, of.n = <const uint8_t*>own.at, <uint8_t*>changed.at, genome_bytes, n
    of.rates, of.rates_step, of.kind = <const double*>rate.at, 1 if rate.shape[0] > 1 else 0, kind
    of.tables = <const uint8_t*>table.at
    of.seed, of.generation, of.first = seed, generation, first
    with nogil:
        breed(mutate_chunk, &of, size)


def crossover(a, mothers, b, fathers, y, siblings, Py_ssize_t n, int kind, int points, uint64_t seed,
              uint32_t generation=0, uint32_t first=0):
    """Child i takes from a[mothers[i]] and b[fathers[i]] as the kind says; its sibling, if any, what is left."""
    cdef Numbers one = numbers_in(a, OF_UINT8, 2), other = numbers_in(b, OF_UINT8, 2)
    cdef Numbers children = numbers_out(y, OF_UINT8, 2), rest = numbers_out(siblings, OF_UINT8, 2)
    cdef Numbers ones = numbers_in(mothers, OF_INDEX, 1), others = numbers_in(fathers, OF_INDEX, 1)
    cdef Py_ssize_t size = children.shape[0], genome_bytes = children.shape[1]
    cdef Breeding of
    if size == 0 or genome_bytes == 0:
        return
    of.x, of.mothers = <const uint8_t*>one.at, <const Py_ssize_t*>ones.at
    of.others, of.fathers = <const uint8_t*>other.at, <const Py_ssize_t*>others.at
    of.y, of.siblings, of.genome_bytes = <uint8_t*>children.at, <uint8_t*>rest.at, genome_bytes
    of.n, of.kind, of.points = n, kind, points
    of.seed, of.generation, of.first = seed, generation, first
    with nogil:
        breed(crossover_chunk, &of, size)


cdef void choose_pairs(const Py_ssize_t* ranked, Py_ssize_t parents, int tournament, Py_ssize_t* mothers,
                       Py_ssize_t* fathers, Py_ssize_t n, uint64_t seed, uint32_t generation,
                       uint32_t first) noexcept nogil:
    cdef Py_ssize_t i
    cdef uint64_t mother, father
    cdef int turn
    cdef Stream stream
    cdef u64x random[2]
    cdef uint64_t words[LINE]
    for i in range(n):
        stream = Stream(seed, generation, <uint32_t>(first + i), SELECTION)
        mother, father = parents, parents
        for turn in range(tournament):
            draw(&stream, 0, 0, turn, random)
            store_u64(words, random[0])
            # the high half of a product with 32 random bits: even to within parents / 2^32
            mother = min(mother, ((words[0] & 0xFFFFFFFFU) * <uint64_t>parents) >> 32)
            father = min(father, ((words[0] >> 32) * <uint64_t>parents) >> 32)
        mothers[i] = ranked[mother]
        fathers[i] = ranked[father]


def choose_parents(ranked, Py_ssize_t parents, int tournament, mothers, fathers, uint64_t seed, uint32_t generation=0,
                   uint32_t first=0):
    """Draw both parents of child i, each the best of a tournament among the first of `ranked`."""
    cdef Numbers best = numbers_in(ranked, OF_INDEX, 1)
    cdef Numbers ones = numbers_out(mothers, OF_INDEX, 1), others = numbers_out(fathers, OF_INDEX, 1)
    with nogil:
        choose_pairs(<const Py_ssize_t*>best.at, parents, tournament, <Py_ssize_t*>ones.at, <Py_ssize_t*>others.at,
                     ones.shape[0], seed, generation, first)


cdef inline Share whole(Py_ssize_t genome_bytes) noexcept nogil:
    # a genome on its own
    return Share(0, 0, (genome_bytes + BLOCK_BYTES - 1) // BLOCK_BYTES)


cdef void random_genome_uint8(uint8_t* y, Py_ssize_t n, uint64_t seed, uint32_t generation,
                              uint32_t individual) noexcept nogil:
    cdef Py_ssize_t genome_bytes = (n + 1) // 2
    cdef Share share = whole(genome_bytes)
    cdef Stream stream = Stream(seed, generation, individual, START)
    random_share(y, genome_bytes, share, &stream)
    clear_spare(y, n, share, genome_bytes)


cdef void mutate_uint8(const uint8_t* genome, uint8_t* y, Py_ssize_t n, double rate, int kind, const uint8_t* tables,
                       uint64_t seed, uint32_t generation, uint32_t individual) noexcept nogil:
    cdef Py_ssize_t genome_bytes = (n + 1) // 2
    cdef Share share = whole(genome_bytes)
    mutate_share(genome, y, genome_bytes, share, Stream(seed, generation, individual, MUTATION), rate, <Mutation>kind,
                 tables)
    clear_spare(y, n, share, genome_bytes)


cdef void crossover_uint8(const uint8_t* a, const uint8_t* b, uint8_t* y, uint8_t* sibling, Py_ssize_t n, int kind,
                          int points, uint64_t seed, uint32_t generation, uint32_t individual) noexcept nogil:
    cdef Py_ssize_t genome_bytes = (n + 1) // 2
    cdef Share share = whole(genome_bytes)
    cdef Stream stream = Stream(seed, generation, individual, CROSSOVER)
    crossover_share(a, b, y, sibling, genome_bytes, share, &stream, <Exchange>kind, n, points)
    clear_spare(y, n, share, genome_bytes)
    if sibling != NULL:
        clear_spare(sibling, n, share, genome_bytes)
