# The counter-based generator Philox4x32-10 on registers: 128 random bits from a counter and a key, with no state.
# (Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.)
# A stream is indexed by position, never by lane: its bits are the same on every level and in any order of work.
from libc.stdint cimport uint32_t, uint64_t

from ..lanes cimport any_u64, load_u64, multiply_low_u64, splat_u64, u64x

cdef enum:
    LINE = 8  # 64-bit words that are drawn together, the width of the widest register

# What a draw is for, so that no two operations of one generation share random bits.
cdef enum Purpose:
    START = 0
    MUTATION = 1
    CROSSOVER = 2
    SELECTION = 3
    DIRECTION = 4
    DROPOUT = 5
    UNIFORM = 6
    NORMAL = 7

cdef struct Stream:
    uint64_t seed
    uint32_t generation
    uint32_t individual
    uint32_t purpose


cdef inline void philox(u64x* words, uint64_t key) noexcept nogil:
    # The counter's four words, each in the low half of a lane, become four random words. The high halves are never
    # read, so they may hold anything.
    cdef u64x first = splat_u64(0xD2511F53U), second = splat_u64(0xCD9E8D57U), p, q
    cdef uint32_t left = <uint32_t>key, right = <uint32_t>(key >> 32)
    cdef int _turn
    for _turn in range(10):
        p = multiply_low_u64(first, words[0])
        q = multiply_low_u64(second, words[2])
        words[0] = (q >> 32) ^ words[1] ^ splat_u64(left)
        words[1] = q
        words[2] = (p >> 32) ^ words[3] ^ splat_u64(right)
        words[3] = p
        left += 0x9E3779B9U  # Weyl sequences of the golden ratio and of sqrt(3) - 1
        right += 0xBB67AE85U


cdef inline void draw(const Stream* stream, uint64_t line, int part, uint32_t turn, u64x* random) noexcept nogil:
    # Two times 64 bits for the words of a line from `part` on: lane i draws from counter line * 8 + part + i.
    cdef uint64_t lane[LINE]
    cdef u64x words[4]
    cdef int i
    for i in range(LINE):
        lane[i] = i
    words[0] = splat_u64(line * LINE + part) + load_u64(lane)
    words[1] = splat_u64(stream.individual)
    words[2] = splat_u64(stream.generation)
    words[3] = splat_u64(<uint32_t>(stream.purpose << 24 | turn))
    philox(words, stream.seed)
    random[0] = (words[0] & splat_u64(0xFFFFFFFFU)) | words[1] << 32
    random[1] = (words[2] & splat_u64(0xFFFFFFFFU)) | words[3] << 32


cdef inline u64x bernoulli(const Stream* stream, uint64_t line, int part, uint64_t rate) noexcept nogil:
    # Bits that are set with probability rate / 2^64, independently. Each bit compares a random binary fraction
    # with the rate, digit by digit from the top, until no bit of the register is undecided: after some twelve digits.
    cdef u64x undecided = splat_u64(~(<uint64_t>0)), chosen = splat_u64(0)
    cdef u64x random[2]
    cdef uint32_t turn = 0
    cdef int i
    while rate != 0 and any_u64(undecided):
        draw(stream, line, part, turn, random)
        for i in range(2):
            if rate >> 63:
                chosen = chosen | (undecided & ~random[i])
                undecided = undecided & random[i]
            else:
                undecided = undecided & ~random[i]
            rate <<= 1
        turn += 1
    return chosen
