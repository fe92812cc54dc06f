"""Packed 4-bit genomes: codebooks, packing, random starts, mutation, crossover, distance, a linear layer on codes, and
the formats of other libraries.

A genome of n weights is ``uint8[ceil(n / 2)]``: weight 2i in the low nibble of byte i, weight 2i + 1 in the high
one, the spare nibble of an odd n zero. A population is ``uint8[size, ceil(n / 2)]``. Random operators draw from a
counter-based generator, keyed by (seed, generation, individual, position): the same seed gives the same bits on any
machine and any number of threads, and each genome can be remade on its own.
"""

from ..packing import pack, unpack
from . import formats
from .breeding import crossover, diversity, hamming_distance, mutate, random_population
from .codes import FLOAT4, INT4, LOG4, LOG4_ZERO, NF4, Codebook, best_scale, decode, encode
from .linear4 import linear4

__all__ = [
    "FLOAT4", "INT4", "LOG4", "LOG4_ZERO", "NF4", "Codebook", "best_scale", "crossover", "decode", "diversity",
    "encode", "formats", "hamming_distance", "linear4", "mutate", "pack", "random_population", "unpack",
]
