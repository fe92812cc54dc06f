# Mutation of a share: which bits to flip, and what becomes of the weights there. A part of breeding.pyx.

cdef inline int binomial_table(double rate, uint64_t* table) noexcept nogil:
    # table[k] = 2^64 P(at most k of 512 bits are flipped); how many entries there are. Products and quotients only,
    # which every machine rounds alike: right to 1e-13.
    cdef double chance = 1.0 - rate, total
    cdef int k, _turn
    for _turn in range(9):
        chance *= chance
    total = chance
    for k in range(MOST_FLIPS):
        if total >= 1.0:
            return k
        table[k] = <uint64_t>(total * 18446744073709551616.0)
        chance *= (512.0 - k) / (k + 1.0) * (rate / (1.0 - rate))
        total += chance
    return MOST_FLIPS


cdef void few_flips(uint64_t* flips, const Stream* stream, Py_ssize_t block, const uint64_t* table,
                    int entries) noexcept nogil:
    # For small rates: how many bits of each line are flipped is drawn from the binomial distribution, then so many
    # places, of 9 random bits each; a place drawn twice is drawn again. Half of a line's first draw decides the count.
    cdef uint64_t words[2 * TURNS][LINE]
    cdef u64x random[2]
    cdef uint64_t word, bit
    cdef int made = 0, line, part, turn, left, wanted, k
    cdef Py_ssize_t slot
    memset(flips, 0, BLOCK_BYTES)
    for line in range(LINE):
        wanted = 1
        turn = 0
        left = 0
        word = 0
        while wanted > 0:
            if left == 0:
                turn += 1
                if turn >= 2 * made:
                    if made == TURNS:
                        break
                    part = 0
                    while part < LINE:
                        draw(stream, block, part, made, random)
                        store_u64(words[2 * made] + part, random[0])
                        store_u64(words[2 * made + 1] + part, random[1])
                        part += F64_LANES
                    made += 1
                if turn == 1:
                    wanted = 0
                    for k in range(entries):
                        wanted += table[k] <= words[0][line]
                    if wanted == 0:
                        break
                word = words[turn][line]
                left = 7
            slot = line * LINE + (word >> 6 & 7)
            bit = <uint64_t>1 << (word & 63)
            wanted -= (flips[slot] & bit) == 0
            flips[slot] |= bit
            word >>= 9
            left -= 1


cdef void many_flips(uint64_t* flips, const Stream* stream, Py_ssize_t block, double rate) noexcept nogil:
    cdef int line, part
    if rate >= 1.0:
        memset(flips, 255, BLOCK_BYTES)
        return
    for line in range(8):
        part = 0
        while part < LINE:
            store_u64(flips + line * LINE + part,
                      bernoulli(stream, 8 * block + line, part, <uint64_t>(rate * 18446744073709551616.0)))
            part += F64_LANES


cdef inline void toss(uint64_t* coins, const Stream* stream, Py_ssize_t block) noexcept nogil:
    # a fair coin for each weight, as a nibble of ones or zeros
    cdef u64x random[2]
    cdef u64x coin
    cdef int half, shift, part = 0
    while part < LINE:
        draw(stream, block, part, 0, random)
        for half in range(2):
            for shift in range(4):
                coin = (random[half] >> shift) & splat_u64(0x1111111111111111U)
                store_u64(coins + (4 * half + shift) * LINE + part, (coin << 4) - coin)
        part += F64_LANES


cdef inline u64x mapped(const uint8_t* table, u64x codes) noexcept nogil:
    # table[code] for each nibble
    cdef u64x nibbles = splat_u64(0x0F0F0F0F0F0F0F0FU)
    return lookup16_u8(table, codes & nibbles) | lookup16_u8(table, (codes >> 4) & nibbles) << 4


cdef inline void mutate_block(const uint64_t* x, uint64_t* y, const uint64_t* flips, const uint64_t* coins,
                              Mutation kind, const uint8_t* tables) noexcept nogil:
    # tables: of a code, the Gray code of its level's rank; back; the code of the level above; of the level below
    # coins: a fair coin for each weight as a nibble of ones or zeros; for REDRAW the new codes
    cdef u64x codes, flip, coin, moved
    cdef int i = 0
    while i < BLOCK:
        codes = load_u64(x + i)
        flip = load_u64(flips + i)
        if kind == FLIP:
            codes = codes ^ flip
        elif kind == GRAY:
            codes = mapped(tables + 16, mapped(tables, codes) ^ flip)
        else:
            moved = coin = load_u64(coins + i)
            if kind == STEP:
                moved = (mapped(tables + 32, codes) & coin) | (mapped(tables + 48, codes) & ~coin)
            flip = flip & splat_u64(0x1111111111111111U)
            codes = codes ^ ((codes ^ moved) & ((flip << 4) - flip))
        store_u64(y + i, codes)
        i += F64_LANES


cdef void mutate_share(const uint8_t* x, uint8_t* y, Py_ssize_t genome_bytes, Share share, Stream stream,
                       double rate, Mutation kind, const uint8_t* tables) noexcept nogil:
    cdef uint64_t codes[BLOCK]
    cdef uint64_t flips[BLOCK]
    cdef uint64_t coins[BLOCK]
    cdef uint64_t table[MOST_FLIPS]
    cdef Py_ssize_t block, part, at
    cdef int entries = 0
    cdef bint few = rate <= 1.0 / 32.0
    cdef Stream directions = stream
    directions.purpose = DIRECTION
    if few:
        entries = binomial_table(rate, table)
    for block in range(share.block, share.stop):
        at = block * BLOCK_BYTES
        part = min(genome_bytes - at, BLOCK_BYTES)
        if few:
            few_flips(flips, &stream, block, table, entries)
        else:
            many_flips(flips, &stream, block, rate)
        if kind == STEP:
            toss(coins, &directions, block)
        elif kind == REDRAW:
            random_block(coins, &directions, block)
        if part == BLOCK_BYTES:
            mutate_block(<const uint64_t*>(x + at), <uint64_t*>(y + at), flips, coins, kind, tables)
        else:
            memset(codes, 0, BLOCK_BYTES)
            memcpy(codes, x + at, part)
            mutate_block(codes, codes, flips, coins, kind, tables)
            memcpy(y + at, codes, part)
