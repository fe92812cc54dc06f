# How far packed genomes are apart: distances of pairs, and the mean over all pairs of a population. Breeding is
# breeding.pyx.
from libc.stdint cimport uint8_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

from .lanes cimport F64_LANES, any_u64, load_u64, splat_u64, store_u64, u64x
from .loops.numbers cimport OF_INDEX, OF_UINT8, Numbers, join_numbers, numbers_in, numbers_out
from .loops.threads cimport join_threads, run_chunks, threads_for

cdef enum:
    WORDS = 8  # of 64 bits, in the widest register
    PLANES = 33  # binary digits of a count of genomes

join_threads()
join_numbers()


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
    cdef uint64_t left[WORDS]
    cdef uint64_t right[WORDS]
    cdef uint64_t counts[WORDS]
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


cdef Py_ssize_t hamming_distance_uint8(const uint8_t* a, const uint8_t* b, Py_ssize_t n,
                                       bint by_weight) noexcept nogil:
    return distance(a, b, (n + 1) // 2, by_weight)


cdef struct Pairs:
    # the genomes a[i] and b[i]; or all pairs of a
    const uint8_t* a
    const uint8_t* b
    Py_ssize_t genome_bytes
    Py_ssize_t b_step
    Py_ssize_t size
    bint by_weight
    Py_ssize_t* distances
    double* apart


cdef void distance_of_pair(void* context, Py_ssize_t i, int thread) noexcept nogil:
    cdef const Pairs* of = <const Pairs*>context
    of.distances[i] = distance(of.a + i * of.genome_bytes, of.b + i * of.b_step, of.genome_bytes, of.by_weight)


def hamming_distance(a, b, bint by_weight, distances):
    """How many bits, or weights, differ between a[i] and b[i]; b may have one row for all."""
    cdef Numbers one = numbers_in(a, OF_UINT8, 2), other = numbers_in(b, OF_UINT8, 2)
    cdef Numbers found = numbers_out(distances, OF_INDEX, 1)
    cdef Py_ssize_t size = one.shape[0], genome_bytes = one.shape[1]
    cdef Pairs of
    if size == 0:
        return
    of = Pairs(<const uint8_t*>one.at, <const uint8_t*>other.at, genome_bytes,
               genome_bytes if other.shape[0] > 1 else 0, size, by_weight, <Py_ssize_t*>found.at, NULL)
    with nogil:
        run_chunks(distance_of_pair, &of, size, threads_for(size * genome_bytes // 4))


cdef Py_ssize_t count_ones(u64x x) noexcept nogil:
    cdef uint64_t counts[WORDS]
    cdef Py_ssize_t n = 0, k
    store_u64(counts, ones(x, False))
    for k in range(F64_LANES):
        n += (counts[k] * 0x0101010101010101U) >> 56
    return n


cdef double pairs_apart(const uint8_t* genomes, Py_ssize_t size, Py_ssize_t genome_bytes, Py_ssize_t at) noexcept nogil:
    # In how many pairs of genomes the bits of one register, at byte `at`, differ: c * (size - c) pairs for a bit that c
    # genomes have set. The counts c are kept as binary digits, a register for each digit, and adding a genome carries
    # from digit to digit.
    cdef u64x planes[PLANES]
    cdef u64x carry, kept
    cdef uint64_t last[WORDS]
    cdef Py_ssize_t i, n = min(genome_bytes - at, 8 * F64_LANES)
    cdef int used = 0, j, k
    cdef double apart = 0.0
    for i in range(size):
        if n == 8 * F64_LANES:
            carry = load_u64(<const uint64_t*>(genomes + i * genome_bytes + at))
        else:
            memset(last, 0, sizeof(last))
            memcpy(last, genomes + i * genome_bytes + at, n)
            carry = load_u64(last)
        j = 0
        while any_u64(carry):
            if j == used:
                planes[used] = splat_u64(0)
                used += 1
            kept = planes[j]
            planes[j] = kept ^ carry
            carry = kept & carry
            j += 1
    for j in range(used):
        apart += <double>size * <double>(<uint64_t>1 << j) * count_ones(planes[j])
        for k in range(used):
            apart -= <double>(<uint64_t>1 << (j + k)) * count_ones(planes[j] & planes[k])
    return apart


cdef void pairs_apart_at_place(void* context, Py_ssize_t place, int thread) noexcept nogil:
    cdef const Pairs* of = <const Pairs*>context
    of.apart[place] = pairs_apart(of.a, of.size, of.genome_bytes, place * bytes_of_place())


cdef Py_ssize_t bytes_of_place() noexcept nogil:
    return 8 * F64_LANES


def diversity(genomes):
    """The mean number of bits in which two genomes differ."""
    cdef Numbers own = numbers_in(genomes, OF_UINT8, 2)
    cdef Py_ssize_t i, size = own.shape[0], genome_bytes = own.shape[1], step = bytes_of_place()
    cdef Py_ssize_t places = (genome_bytes + step - 1) // step
    cdef double apart = 0.0  # whole numbers: exact in any order up to 2^53
    cdef double* of_places = <double*>malloc(places * sizeof(double))
    cdef Pairs of
    if of_places == NULL:
        raise MemoryError(f"diversity: no memory for the sums of places, {places * sizeof(double)} bytes")
    of = Pairs(<const uint8_t*>own.at, NULL, genome_bytes, 0, size, False, NULL, of_places)
    with nogil:
        run_chunks(pairs_apart_at_place, &of, places, threads_for(size * genome_bytes // 4))
        for i in range(places):
            apart += of_places[i]
        free(of_places)
    return apart / (0.5 * size * (size - 1))
