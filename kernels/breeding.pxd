# Breeding packed 4-bit genomes, for those who cimport: one genome of n weights, ceil(n / 2) bytes, on one thread.
# What is drawn depends on (seed, generation, individual) alone: individual i of a population is drawn as row i of the
# functions of lanewise.genome. A last half byte that no weight has is written as 0.
from libc.stdint cimport uint8_t, uint32_t, uint64_t


# a genome of random codes
cdef void random_genome_uint8(uint8_t* y, Py_ssize_t n, uint64_t seed, uint32_t generation,
                              uint32_t individual) noexcept nogil

# kind: 0 flips each bit with the rate, 1 flips each bit of the Gray code of a level's rank, 2 moves each weight to a
# level next to its own, 3 draws its code anew. tables has 64 bytes: those of a lanewise.genome.Codebook. y may be
# genome
cdef void mutate_uint8(const uint8_t* genome, uint8_t* y, Py_ssize_t n, double rate, int kind, const uint8_t* tables,
                       uint64_t seed, uint32_t generation, uint32_t individual) noexcept nogil

# y takes from a and b, and sibling, which may be NULL, what is left: kind 0 by a fair coin for each weight, 1 for each
# bit, 2 what lies between two places, of which `points` (1 or 2) are drawn. y may be a, and sibling b
cdef void crossover_uint8(const uint8_t* a, const uint8_t* b, uint8_t* y, uint8_t* sibling, Py_ssize_t n, int kind,
                          int points, uint64_t seed, uint32_t generation, uint32_t individual) noexcept nogil
