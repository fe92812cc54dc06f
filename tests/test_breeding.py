# What breeds packed genomes, against plain NumPy and by its statistics; and how far genomes are apart.

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lanewise import genome
from lanewise.genome import FLOAT4, INT4, LOG4, LOG4_ZERO, NF4

CODEBOOKS = [LOG4, LOG4_ZERO, NF4, FLOAT4, INT4]
LENGTHS = [1, 2, 3, 15, 16, 17, 31, 63, 64, 65, 1023, 1024, 1025, 2369, 70001]


def spare_nibbles(genomes, n):
    return genomes[..., -1] >> 4 if n % 2 else np.zeros(1, np.uint8)


@pytest.mark.parametrize("n", LENGTHS)
def test_random_population_from_its_key(n):
    population = genome.random_population(7, n, 3, generation=2)
    assert population.shape == (7, (n + 1) // 2)
    assert not spare_nibbles(population, n).any()
    for i in range(7):
        assert (genome.random_population(1, n, 3, generation=2, first=i)[0] == population[i]).all()
    longer = genome.random_population(7, n + 501, 3, generation=2)
    assert (longer[:, :n // 2] == population[:, :n // 2]).all()


@pytest.mark.parametrize("place", ["generation", "first"])
def test_places_have_32_bits(place):
    last, before = (genome.random_population(1, 64, 3, **{place: 2**32 - k}) for k in (1, 2))
    assert (last != before).any()
    for beyond in (-1, 2**32):
        with pytest.raises(ValueError, match=f"{place} is between 0 and 4294967295; got {beyond}"):
            genome.random_population(1, 64, 3, **{place: beyond})


def test_genomes_beyond_the_last_place_are_refused():
    pair = genome.random_population(2, 64, 3, first=2**32 - 2)
    for draw in (lambda first: genome.random_population(2, 64, 3, first=first),
                 lambda first: genome.mutate(pair, 0.1, 3, first=first),
                 lambda first: genome.crossover(pair, pair, 3, first=first)):
        draw(2**32 - 2)
        with pytest.raises(ValueError, match=r"first is at most 2\^32 less the 2 genomes; got 4294967295"):
            draw(2**32 - 1)


def test_codes_are_even():
    counts = np.bincount(genome.unpack(genome.random_population(20, 50001, 1), 50001).ravel(), minlength=16)
    expected = counts.sum() / 16
    assert ((counts - expected) ** 2 / expected).sum() < 37.7  # chi-square, 15 degrees, 0.1%


@pytest.mark.parametrize("n", LENGTHS)
def test_mutate_at_0_and_1(n):
    population = genome.random_population(3, n, 1)
    assert (genome.mutate(population, 0.0, 5, n_weights=n) == population).all()
    flipped = genome.unpack(genome.mutate(population, 1.0, 5, n_weights=n), n)
    assert (flipped == 15 - genome.unpack(population, n)).all()
    assert not spare_nibbles(genome.mutate(population, 1.0, 5, n_weights=n), n).any()


@pytest.mark.parametrize("rate", [2.0**-20, 0.0005, 0.015, 1 / 32, 0.0313, 0.3, 0.5, 0.75, 1 - 2.0**-16])
def test_flip_rate(rate):
    population = np.zeros((40, 25000), np.uint8)
    bits = np.unpackbits(genome.mutate(population, rate, 11))
    deviation = (rate * (1 - rate) / bits.size) ** 0.5
    assert abs(bits.mean() - rate) < 4 * deviation


@pytest.mark.parametrize("rate", [0.02, 0.25])  # two ways of drawing
def test_flips_are_independent(rate):
    # of each other within a byte, of the next byte, the next word, the next genome and the next generation
    population = np.zeros((64, 4096), np.uint8)
    flips = genome.mutate(population, rate, 11)
    bits = np.unpackbits(flips, axis=1, bitorder="little").astype(float) - rate
    bound = 4.5 * rate * (1 - rate) / bits.size**0.5
    for shift in [1, 2, 3, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096]:
        assert abs((bits[:, shift:] * bits[:, :-shift]).sum() / bits.size) < bound, shift
    for shift in [1, 2, 8, 16]:
        assert abs((bits[shift:] * bits[:-shift]).sum() / bits.size) < bound, shift
    later = np.unpackbits(genome.mutate(population, rate, 11, generation=1), axis=1, bitorder="little") - rate
    assert abs((bits * later).mean()) < bound
    # each bit's place is flipped as often as any other: chi-square over the 8 places of a byte
    counts = (bits + rate).reshape(-1, 8).sum(axis=0)
    expected = rate * bits.size / 8
    assert ((counts - expected) ** 2 / (expected * (1 - rate))).sum() < 26.1  # 8 degrees, 0.1%


def test_flips_in_a_row_are_binomial():
    rate, rows = 0.02, genome.mutate(np.zeros((500, 128), np.uint8), 0.02, 4)
    counts = np.unpackbits(rows, axis=1).sum(axis=1)
    mean, variance = 1024 * rate, 1024 * rate * (1 - rate)
    assert abs(counts.mean() - mean) < 4 * (variance / 500) ** 0.5
    assert abs(counts.var() / variance - 1) < 4 * (2 / 500) ** 0.5


def test_a_rate_for_each_genome():
    population = genome.random_population(4, 5000, 1)
    flips = genome.mutate(population, [0, 0.1, 0.5, 1], 2) ^ population
    shares = np.unpackbits(flips, axis=1).mean(axis=1)
    assert shares[0] == 0
    assert shares[3] == 1
    assert shares[1:3] == pytest.approx([0.1, 0.5], abs=0.02)


def test_mutate_into_out():
    population = genome.random_population(5, 999, 1)
    expected = genome.mutate(population, 0.1, 2, n_weights=999)
    out = np.empty_like(population)
    assert genome.mutate(population, 0.1, 2, out, n_weights=999) is out
    assert (out == expected).all()
    strided = np.empty((5, 2 * population.shape[1]), np.uint8)[:, ::2]
    assert genome.mutate(population, 0.1, 2, strided, n_weights=999) is strided
    assert (strided == expected).all()
    overlapping = np.concatenate([population, population[:1]])
    genome.mutate(overlapping[:5], 0.1, 2, overlapping[1:], n_weights=999)
    assert (overlapping[1:] == expected).all()
    assert genome.mutate(population, 0.1, 2, population, n_weights=999) is population
    assert (population == expected).all()
    with pytest.raises(ValueError, match=r"out is an array uint8\[5, 500\]; got uint8\[4, 500\]"):
        genome.mutate(population, 0.1, 2, out[:4], n_weights=999)
    with pytest.raises(TypeError, match=r"out is an array uint8\[5, 500\]; got MaskedArray"):
        genome.mutate(population, 0.1, 2, np.ma.array(out), n_weights=999)
    out.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        genome.mutate(population, 0.1, 2, out, n_weights=999)


@pytest.mark.parametrize("codebook", CODEBOOKS, ids=lambda codebook: codebook.name)
def test_a_step_goes_to_the_next_level(codebook):
    order = np.lexsort((-np.arange(16), codebook.levels))
    rank = np.argsort(order)
    population = genome.random_population(20, 9999, 1)
    moved = genome.mutate(population, 0.3, 2, kind="step", codebook=codebook, n_weights=9999)
    before, after = (rank[genome.unpack(x, 9999)] for x in (population, moved))
    steps = after.astype(int) - before
    assert set(np.unique(steps)) == {-1, 0, 1}
    inner = (before > 0) & (before < 15)
    assert (steps[inner] != 0).mean() == pytest.approx(0.3, abs=0.004)
    assert (steps[inner] == 1).mean() == pytest.approx(0.15, abs=0.003)
    assert (steps[before == 0] == 1).mean() == pytest.approx(0.15, abs=0.012)
    assert (steps[before == 0] == -1).sum() == 0
    assert not spare_nibbles(moved, 9999).any()
    always = genome.mutate(population, 1.0, 2, kind="step", codebook=codebook, n_weights=9999)
    assert (np.abs(rank[genome.unpack(always, 9999)].astype(int) - before)[inner] == 1).all()


@pytest.mark.parametrize("codebook", CODEBOOKS, ids=lambda codebook: codebook.name)
def test_gray_flips_bits_of_the_rank(codebook):
    order = np.lexsort((-np.arange(16), codebook.levels))
    ranks = np.arange(16)
    gray = np.empty(16, np.uint8)
    gray[order] = ranks ^ ranks >> 1
    population = genome.random_population(3, 2001, 1)
    flipped = genome.mutate(population, 0.02, 2, kind="gray", codebook=codebook, n_weights=2001)
    bits = genome.mutate(population, 0.02, 2, n_weights=2001) ^ population
    changed = gray[genome.unpack(flipped, 2001)] ^ gray[genome.unpack(population, 2001)]
    assert (changed == genome.unpack(bits, 2001)).all()


@pytest.mark.parametrize("n", [1, 2, 3, 17, 1024, 1025, 5001])
@pytest.mark.parametrize("kind", ["one_point", "two_point", "bitwise"])
def test_crossover_kinds(kind, n):
    a, b = np.zeros((200, (n + 1) // 2), np.uint8), np.full((200, (n + 1) // 2), 0xFF, np.uint8)
    if n % 2:
        b[:, -1] = 0x0F
    child, sibling = genome.crossover(a, b, 3, children=2, kind=kind, n_weights=n)
    assert (child ^ sibling == b).all()
    codes = genome.unpack(child, n)
    if kind == "bitwise":
        assert np.unpackbits(child).sum() / (200 * n * 4) == pytest.approx(0.5, abs=4 * 0.5 / (800 * n) ** 0.5)
        return
    assert np.isin(codes, [0, 15]).all()
    taken = codes == 15
    edges = np.abs(np.diff(np.pad(taken.astype(int), ((0, 0), (1, 1))), axis=1)).sum(axis=1)
    assert (edges == (2 if n > 1 else 0)).all()  # one run of weights from b
    if kind == "one_point" and n > 1:
        assert taken[:, -1].all()
        assert not taken[:, 0].any()
        cuts = taken.argmax(axis=1)
        assert cuts.mean() == pytest.approx(n / 2, abs=4 * n / (12 * 200) ** 0.5)
    if kind == "two_point" and n > 3:
        assert not taken[:, 0].any()
        assert (~taken[:, -1]).any()


@pytest.mark.parametrize(("size", "genome_bytes"), [(2, 1), (3, 7), (10, 64), (33, 129), (100, 1184)])
def test_diversity(size, genome_bytes):
    population = np.random.default_rng(size).integers(0, 256, (size, genome_bytes), dtype=np.uint8)
    apart = [genome.hamming_distance(population[i + 1:], population[i]).sum() for i in range(size - 1)]
    assert genome.diversity(population) == sum(apart) / (size * (size - 1) / 2)
    assert genome.diversity(population[[0] * size]) == 0


@pytest.mark.parametrize("n", LENGTHS)
def test_crossover_takes_whole_codes(n):
    a, b = genome.random_population(3, n, 1), genome.random_population(3, n, 2)
    child, sibling = genome.crossover(a, b, 3, children=2, n_weights=n)
    assert (genome.crossover(a, b, 3, n_weights=n) == child).all()
    codes = [genome.unpack(x, n) for x in (a, b, child, sibling)]
    from_a = codes[2] == codes[0]
    assert (from_a | (codes[2] == codes[1])).all()
    assert (np.where(from_a, codes[1], codes[0]) == codes[3]).all()
    assert not spare_nibbles(child, n).any()
    assert not spare_nibbles(sibling, n).any()


def test_the_coin_is_fair():
    a, b = np.zeros((50, 10000), np.uint8), np.full((50, 10000), 0xFF, np.uint8)
    coins = genome.unpack(genome.crossover(a, b, 3)) // 15
    assert abs(coins.mean() - 0.5) < 4 * 0.5 / coins.size**0.5
    signs = 2.0 * coins - 1
    for shift in [1, 2, 4, 8, 16, 64, 128, 256, 512, 1024]:
        assert abs((signs[:, shift:] * signs[:, :-shift]).mean()) < 4.5 / coins.size**0.5, shift
    assert abs((signs[1:] * signs[:-1]).mean()) < 4.5 / coins.size**0.5


@pytest.mark.parametrize("size", [0, 1, 7, 8, 9, 63, 64, 65, 1983, 1984, 1985, 5000])
def test_hamming_distance(size):
    rng = np.random.default_rng(size)
    a, b = rng.integers(0, 256, (2, 4, size), dtype=np.uint8)
    bits = np.unpackbits(a ^ b, axis=1).sum(axis=1)
    codes = (genome.unpack(a) != genome.unpack(b)).sum(axis=1)
    assert genome.hamming_distance(a, b).tolist() == bits.tolist()
    assert genome.hamming_distance(a, b, "weights").tolist() == codes.tolist()
    assert genome.hamming_distance(a, a[0])[0] == 0
    assert genome.hamming_distance(a[1], b[1]) == bits[1]
    assert genome.hamming_distance(a, ~a).tolist() == [8 * size] * 4


def test_a_generator_as_rng():
    rng, same = np.random.default_rng(1), np.random.default_rng(1)
    first, second = genome.random_population(2, 100, rng), genome.random_population(2, 100, rng)
    assert (first != second).any()
    assert (genome.random_population(2, 100, same) == first).all()


@settings(max_examples=20)
@given(st.integers(1, 5), st.integers(0, 2**64 - 1))
def test_same_bits_in_any_split(size, seed):
    # a share of the work is a share of the result
    n = 4999
    population = genome.random_population(size, n, seed)
    whole = genome.mutate(population, 0.01, seed, n_weights=n)
    one_by_one = [genome.mutate(row, 0.01, seed, n_weights=n, first=i) for i, row in enumerate(population)]
    assert (whole == one_by_one).all()


@pytest.mark.parametrize("rate", [0.01, 0.3, 1.0])
def test_a_redraw_gives_any_code(rate):
    n = 9999
    for code in (0, 7, 15):
        population = genome.pack(np.full((40, n), code, np.uint8))
        codes = genome.unpack(genome.mutate(population, rate, 2, kind="redraw", n_weights=n), n)
        counts = np.bincount(codes.ravel(), minlength=16)
        expected = np.full(16, rate * codes.size / 16)
        expected[code] += (1 - rate) * codes.size
        assert ((counts - expected) ** 2 / expected).sum() < 37.7  # chi-square, 15 degrees, 0.1%


@pytest.mark.parametrize("n", LENGTHS)
def test_a_redraw_of_any_length(n):
    population = genome.random_population(7, n, 3)
    drawn = genome.mutate(population, 1.0, 5, kind="redraw", n_weights=n, generation=2)
    assert not spare_nibbles(drawn, n).any()
    assert (genome.mutate(population, 0.0, 5, kind="redraw", n_weights=n) == population).all()
    # the new codes depend on the key alone, and each genome has its own
    others = genome.mutate(genome.random_population(7, n, 4), 1.0, 5, kind="redraw", n_weights=n, generation=2)
    assert (others == drawn).all()
    assert (genome.mutate(population[3:4], 1.0, 5, kind="redraw", n_weights=n, generation=2, first=3) == drawn[3]).all()
    if n > 60:
        assert len({row.tobytes() for row in drawn}) == 7
        rate = genome.mutate(population, 0.2, 5, kind="redraw", n_weights=n, generation=2)
        before, after, fresh = (genome.unpack(x, n) for x in (population, rate, drawn))
        assert ((after == before) | (after == fresh)).all()  # what is changed is the rate's, to what is the key's
