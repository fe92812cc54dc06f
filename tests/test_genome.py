# Packed genomes against plain NumPy: layout, nearest codes, and the statistics of mutation and crossover.
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from lanewise import genome
from lanewise.genome import FLOAT4, INT4, LOG4, LOG4_ZERO, NF4

CODEBOOKS = [LOG4, LOG4_ZERO, NF4, FLOAT4, INT4]
LENGTHS = [1, 2, 3, 15, 16, 17, 31, 63, 64, 65, 1023, 1024, 1025, 2369, 70001]


def plain_pack(codes):
    even = np.append(codes, 0) if len(codes) % 2 else codes
    return (even[::2] | even[1::2] << 4).astype(np.uint8)


def spare_nibbles(genomes, n):
    return genomes[..., -1] >> 4 if n % 2 else np.zeros(1, np.uint8)


@given(arrays(np.uint8, st.integers(0, 200), elements=st.integers(0, 15)))
def test_pack_and_unpack(codes):
    packed = genome.pack(codes)
    assert packed.tolist() == plain_pack(codes).tolist()
    assert genome.unpack(packed, len(codes)).tolist() == codes.tolist()


@pytest.mark.parametrize("shape", [(0,), (0, 5), (3, 0), (2, 3, 7)])
def test_shapes(shape):
    codes = np.full(shape, 9, np.uint8)
    packed = genome.pack(codes)
    assert packed.shape == (*shape[:-1], (shape[-1] + 1) // 2)
    assert genome.unpack(packed, shape[-1]).tolist() == codes.tolist()
    assert genome.decode(packed, n_weights=shape[-1]).shape == shape


def test_pack_refuses_a_code_above_15():
    with pytest.raises(ValueError, match="between 0 and 15; got 16"):
        genome.pack(np.array([3, 16, 2], np.uint8))
    with pytest.raises(TypeError, match="codes holds uint8; got int64"):
        genome.pack(np.array([3, 1]))


def test_log4_is_sign_and_exponent():
    weights = genome.decode(genome.pack(np.arange(16, dtype=np.uint8)))
    assert weights.tolist() == [2.0**-e for e in range(8)] + [-(2.0**-e) for e in range(8)]


@pytest.mark.parametrize("n", LENGTHS)
@pytest.mark.parametrize("codebook", CODEBOOKS, ids=lambda codebook: codebook.name)
def test_decode(codebook, n):
    codes = np.random.default_rng(n).integers(0, 16, (3, n), dtype=np.uint8)
    scale = np.float32(0.37)
    weights = genome.decode(genome.pack(codes), codebook, scale, n_weights=n)
    assert weights.dtype == np.float32
    assert weights.tolist() == (codebook.levels * scale)[codes].tolist()


def test_decode_with_a_scale_a_group():
    n, group = 100, 32
    codes = np.random.default_rng(5).integers(0, 16, (2, n), dtype=np.uint8)
    scales = np.array([[1, 2, 3, 4], [5, 6, 7, 8]], np.float32)
    weights = genome.decode(genome.pack(codes), NF4, scales, group=group)
    assert weights.tolist() == (NF4.levels[codes] * np.repeat(scales, group, axis=1)[:, :n]).tolist()
    assert genome.encode(weights, NF4, scales, group=group).tolist() == genome.pack(codes).tolist()


@pytest.mark.parametrize("n", LENGTHS)
@pytest.mark.parametrize("codebook", CODEBOOKS, ids=lambda codebook: codebook.name)
def test_encode_takes_the_nearest(codebook, n):
    scale = np.float32(0.3)
    reach = 1.2 * np.abs(codebook.levels).max() * scale
    weights = np.random.default_rng(n).uniform(-reach, reach, n).astype(np.float32)
    codes = genome.unpack(genome.encode(weights, codebook, scale), n)
    exact = codebook.levels.astype(np.float64) * np.float64(scale)
    distances = np.abs(weights.astype(np.float64)[:, None] - exact)
    assert (distances[np.arange(n), codes] == distances.min(axis=1)).all()


@pytest.mark.parametrize("codebook", CODEBOOKS, ids=lambda codebook: codebook.name)
def test_encode_next_to_every_tie(codebook):
    # exact middles, and the float32 numbers on either side of each
    levels = [Fraction(float(level)) for level in np.unique(codebook.levels)]
    middles = np.array([float(a + b) / 2 for a, b in pairwise(levels)], np.float32)
    weights = np.concatenate([np.nextafter(middles, -np.inf), middles, np.nextafter(middles, np.inf)])
    decoded = genome.decode(genome.encode(weights, codebook), codebook, n_weights=len(weights))
    # min takes the first of equals, which is the lower level
    assert decoded.tolist() == [float(min(levels, key=lambda level: abs(Fraction(float(weight)) - level)))
                                for weight in weights]


def test_encode_at_the_ends():
    weights = np.array([np.inf, -np.inf, 3e38, -3e38, 0.0, -0.0, 1e-45], np.float32)
    assert genome.decode(genome.encode(weights), n_weights=7).tolist() == [1, -1, 1, -1, -1 / 128, -1 / 128, 1 / 128]
    assert genome.unpack(genome.encode(weights[4:6], FLOAT4), 2).tolist() == [0, 0]
    for place in range(40):
        weights = np.zeros(40, np.float32)
        weights[place] = np.nan
        with pytest.raises(ValueError, match="NaN"):
            genome.encode(weights)


@pytest.mark.parametrize("codebook", CODEBOOKS, ids=lambda codebook: codebook.name)
def test_every_code_survives_decoding(codebook):
    codes = np.arange(16, dtype=np.uint8)
    back = genome.unpack(genome.encode(genome.decode(genome.pack(codes), codebook), codebook))
    assert (codebook.levels[back] == codebook.levels[codes]).all()


@pytest.mark.parametrize("codebook", CODEBOOKS, ids=lambda codebook: codebook.name)
@pytest.mark.parametrize("sample", ["normal", "laplace"])
def test_best_scale_beats_a_search(codebook, sample):
    weights = getattr(np.random.default_rng(1), sample)(size=4000).astype(np.float32)

    def error(scale):
        return ((genome.decode(genome.encode(weights, codebook, scale), codebook, scale) - weights) ** 2).mean()

    (scale,) = genome.best_scale(weights, codebook)
    assert error(scale) <= 1.005 * min(error(other) for other in np.geomspace(0.01, 10, 400))


def test_best_scale_by_group():
    weights = np.random.default_rng(1).normal(size=(2, 100)).astype(np.float32) * np.float32(3e-5)
    scales = genome.best_scale(weights, NF4, group=32)
    assert scales.shape == (2, 4)
    for i in range(2):
        for k in range(4):
            assert scales[i, k] == genome.best_scale(weights[i, 32 * k:32 * (k + 1)], NF4)[0]
    levels = INT4.levels * np.float32(0.25)
    assert genome.best_scale(levels, INT4) == [0.25]
    assert genome.best_scale(np.zeros(5, np.float32)) == [1]
    with pytest.raises(ValueError, match="NaN"):
        genome.best_scale(np.array([np.nan], np.float32))


@pytest.mark.parametrize("n", LENGTHS)
def test_random_population_from_its_key(n):
    population = genome.random_population(7, n, 3, generation=2)
    assert population.shape == (7, (n + 1) // 2)
    assert not spare_nibbles(population, n).any()
    for i in range(7):
        assert (genome.random_population(1, n, 3, generation=2, first=i)[0] == population[i]).all()
    longer = genome.random_population(7, n + 501, 3, generation=2)
    assert (longer[:, :n // 2] == population[:, :n // 2]).all()


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


@pytest.mark.parametrize(("call", "error", "message"), [
    (lambda: genome.random_population(2, 4, 1.5), TypeError, "rng is an int or a np.random.Generator; got float"),
    (lambda: genome.random_population(2, 4, -1), ValueError, "rng is between 0 and 18446744073709551615; got -1"),
    (lambda: genome.random_population(-1, 4, 1), ValueError, "size is between 0 and 4294967295; got -1"),
    (lambda: genome.mutate(np.zeros(4, np.uint8), 1.5, 1), ValueError, "rate is between 0 and 1; got 1.5"),
    (lambda: genome.mutate(np.zeros(4, np.uint8), np.nan, 1), ValueError, "rate is between 0 and 1; got nan"),
    (lambda: genome.mutate(np.zeros((3, 4), np.uint8), [0.1, 0.2], 1), ValueError, "each of the 3 genomes; got 2"),
    (lambda: genome.mutate(np.zeros(4, np.uint8), 0.1, 1, n_weights=9), ValueError, "9 weights have 5 bytes; got 4"),
    (lambda: genome.mutate(np.zeros(4), 0.1, 1), TypeError, "genomes holds uint8; got float64"),
    (lambda: genome.crossover(np.zeros(4, np.uint8), np.zeros(5, np.uint8), 1), ValueError, r"got \[4\] and \[5\]"),
    (lambda: genome.crossover(np.zeros(4, np.uint8), np.zeros(4, np.uint8), 1, 3), ValueError, "1 or 2; got 3"),
    (lambda: genome.crossover(np.zeros(4, np.uint8), np.zeros(4, np.uint8), 1, kind="x"), ValueError, "kind is one of"),
    (lambda: genome.mutate(np.zeros(4, np.uint8), 0.1, 1, kind="x"), ValueError, "flip, gray, step; got 'x'"),
    (lambda: genome.diversity(np.zeros(4, np.uint8)), ValueError, r"at least 2; got \[4\]"),
    (lambda: genome.decode(np.zeros(40, np.uint8), scale=-1), ValueError, "scale is positive"),
    (lambda: genome.decode(np.zeros(40, np.uint8), group=20), ValueError, "multiple of 16.*got 20"),
    (lambda: genome.Codebook(range(15)), ValueError, "16 finite levels"),
    (lambda: genome.hamming_distance(np.zeros(4, np.uint8), np.zeros(4, np.uint8), "nibbles"), ValueError, "'nibbles'"),
])
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()


PROGRAM = """
import hashlib
import sys
import numpy as np
from lanewise import genome
from lanewise.kernels import machine
machine.set_num_threads(int(sys.argv[1]))
digest = hashlib.sha256()
for n in (1, 2369, 200001):
    a, b = genome.random_population(5, n, 1), genome.random_population(5, n, 2)
    weights = genome.decode(a, n_weights=n, scale=0.3)
    for array in (a, genome.mutate(a, 0.015, 3, n_weights=n), genome.mutate(a, 0.1, 3, kind="gray", n_weights=n),
                  genome.mutate(a, 0.015, 3, kind="step", n_weights=n), genome.crossover(a, b, 4, kind="two_point"),
                  genome.crossover(a, b, 4, kind="bitwise"), np.array(genome.diversity(a)),
                   *genome.crossover(a, b, 4, 2, n_weights=n), weights,
                  genome.encode(weights * 1.1), genome.hamming_distance(a, b)):
        digest.update(array.tobytes())
print(digest.hexdigest())
"""


def test_same_bits_on_every_level_and_thread_count(run_python, level):
    expected = run_python(PROGRAM, 1, LANEWISE_LEVEL="baseline")
    assert expected.returncode == 0, expected.stderr
    for threads in (1, 2, 3):
        assert run_python(PROGRAM, threads, LANEWISE_LEVEL=level).stdout == expected.stdout


@settings(max_examples=20)
@given(st.integers(1, 5), st.integers(0, 2**64 - 1))
def test_same_bits_in_any_split(size, seed):
    # a share of the work is a share of the result
    n = 4999
    population = genome.random_population(size, n, seed)
    whole = genome.mutate(population, 0.01, seed, n_weights=n)
    one_by_one = [genome.mutate(row, 0.01, seed, n_weights=n, first=i) for i, row in enumerate(population)]
    assert (whole == one_by_one).all()
