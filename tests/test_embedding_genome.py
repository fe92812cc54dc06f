"""The C functions of one genome do to individual i what the functions of lanewise.genome do to row i."""

import numpy as np
import pytest
from lanewise import genome
from lanewise.embedding import ctypes_function

SEED, GENERATION, FIRST = 2**63 + 5, 7, 11
LENGTHS = [1, 2, 15, 1024, 1025, 140001]
SIZE = 3
KINDS = ("flip", "gray", "step", "redraw")
CROSSOVERS = {"uniform": (0, 0), "bitwise": (1, 0), "one_point": (2, 1), "two_point": (2, 2)}


def population(n, seed=1):
    return genome.random_population(SIZE, n, seed)


def each(call, like):
    """What a call makes of each individual, a row each."""
    y = np.full_like(like, 0xAA)
    for i in range(SIZE):
        call(i, y[i])
    return y


@pytest.mark.parametrize("n", LENGTHS)
def test_random_genome(n):
    function = ctypes_function("random_genome_uint8")
    expected = genome.random_population(SIZE, n, SEED, generation=GENERATION, first=FIRST)
    found = each(lambda i, y: function(y, n, SEED, GENERATION, FIRST + i), expected)
    assert np.array_equal(found, expected)


@pytest.mark.parametrize("rate", [0.0, 0.01, 0.3, 1.0])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n", LENGTHS)
def test_mutate(n, kind, rate):
    function, x, codebook = ctypes_function("mutate_uint8"), population(n), genome.NF4
    expected = genome.mutate(x, rate, SEED, kind=kind, codebook=codebook, n_weights=n, generation=GENERATION,
                             first=FIRST)

    def one(i, y):
        function(x[i], y, n, rate, KINDS.index(kind), codebook.tables.ctypes.data, SEED, GENERATION, FIRST + i)

    assert np.array_equal(each(one, x), expected)
    in_place = x.copy()
    for i in range(SIZE):
        function(in_place[i], in_place[i], n, rate, KINDS.index(kind), codebook.tables.ctypes.data, SEED, GENERATION,
                 FIRST + i)
    assert np.array_equal(in_place, expected)


@pytest.mark.parametrize("kind", CROSSOVERS)
@pytest.mark.parametrize("n", LENGTHS)
def test_crossover(n, kind):
    function, a, b = ctypes_function("crossover_uint8"), population(n), population(n, 2)
    expected, others = genome.crossover(a, b, SEED, children=2, kind=kind, n_weights=n, generation=GENERATION,
                                        first=FIRST)
    siblings = np.full_like(b, 0xAA)
    key = SEED, GENERATION
    found = each(lambda i, y: function(a[i], b[i], y, siblings[i], n, *CROSSOVERS[kind], *key, FIRST + i), a)
    assert np.array_equal(found, expected)
    assert np.array_equal(siblings, others)
    alone = each(lambda i, y: function(a[i], b[i], y, None, n, *CROSSOVERS[kind], *key, FIRST + i), a)
    assert np.array_equal(alone, expected)
    for i in range(SIZE):  # in place
        function(a[i], b[i], a[i], b[i], n, *CROSSOVERS[kind], *key, FIRST + i)
    assert np.array_equal(a, expected)
    assert np.array_equal(b, others)


@pytest.mark.parametrize("n", LENGTHS)
def test_hamming_distance(n):
    function, a, b = ctypes_function("hamming_distance_uint8"), population(n), population(n, 2)
    for by in range(2):
        unit = ("bits", "weights")[by]
        expected = genome.hamming_distance(a, b, unit=unit)
        assert [function(a[i], b[i], n, by) for i in range(SIZE)] == list(expected)


def test_what_encode_asks_for():
    codebook = genome.NF4
    weights = np.random.default_rng(3).normal(0, 1, 101).astype(np.float32)
    scales, codes = np.ones(1, np.float32), np.empty(51, np.uint8)
    assert not ctypes_function("encode_float32")(weights, codebook.order, codebook.middles, scales, weights.size, codes,
                                                 weights.size)
    assert np.array_equal(genome.decode(codes, codebook, n_weights=101),
                          codebook.levels[np.abs(weights[:, None] - codebook.levels).argmin(1)])
    for array in (codebook.order, codebook.middles, codebook.tables):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
