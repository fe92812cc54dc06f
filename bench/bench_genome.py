# Genome operators on 100 genomes of a million weights, beside the straightforward NumPy expression of the same work.
# pytest bench/bench_genome.py --benchmark-enable
import numpy as np
import pytest
from lanewise import genome

SIZE, N = 100, 1_000_000
RATE = 0.015


@pytest.fixture(scope="module")
def parents():
    return genome.random_population(SIZE, N, 1), genome.random_population(SIZE, N, 2)


def numpy_mutate(genomes, rate, rng):
    # row by row, since the random numbers of all rows at once would fill 3 GB
    return np.stack([row ^ np.packbits(rng.random(8 * len(row)) < rate) for row in genomes])


def numpy_crossover(a, b, rng):
    coins = rng.random((*a.shape, 2)) < 0.5
    mask = (coins * np.array([0x0F, 0xF0], np.uint8)).sum(axis=2, dtype=np.uint8)
    return (a & ~mask) | (b & mask)


def numpy_decode(genomes):
    return genome.LOG4.levels[np.stack([genomes & 15, genomes >> 4], axis=-1).reshape(len(genomes), -1)]


@pytest.mark.parametrize("rate", [RATE, 0.0005, 0.25])
@pytest.mark.parametrize("by", ["lanewise", "numpy"])
def test_mutate(by, rate, parents, beside_a_copy):
    population = parents[0]
    out = np.empty_like(population)
    if by == "lanewise":
        mutated = beside_a_copy(lambda: genome.mutate(population, rate, 1, out), population.nbytes)
    else:
        rng = np.random.default_rng(1)
        mutated = beside_a_copy(lambda: numpy_mutate(population, rate, rng), population.nbytes, rounds=2)
    assert np.unpackbits(mutated ^ population).mean() == pytest.approx(rate, rel=0.01)


@pytest.mark.parametrize("by", ["lanewise", "numpy"])
def test_crossover(by, parents, beside_a_copy):
    a, b = parents
    if by == "lanewise":
        child = beside_a_copy(lambda: genome.crossover(a, b, 1), a.nbytes)
    else:
        rng = np.random.default_rng(1)
        child = beside_a_copy(lambda: numpy_crossover(a, b, rng), a.nbytes, rounds=2)
    # half the codes, and of the other half the sixteenth that is equal, come from a
    assert (genome.hamming_distance(child, a, "weights") / N).mean() == pytest.approx(15 / 32, rel=0.01)


@pytest.mark.parametrize("by", ["lanewise", "numpy"])
def test_random_population(by, beside_a_copy):
    if by == "lanewise":
        population = beside_a_copy(lambda: genome.random_population(SIZE, N, 1), SIZE * N // 2)
    else:
        rng = np.random.default_rng(1)
        population = beside_a_copy(lambda: rng.integers(0, 256, (SIZE, N // 2), np.uint8), SIZE * N // 2, rounds=3)
    assert np.unpackbits(population).mean() == pytest.approx(0.5, rel=0.001)


@pytest.mark.parametrize("by", ["lanewise", "numpy"])
def test_hamming_distance(by, parents, beside_a_copy):
    a, b = parents
    if by == "lanewise":
        distances = beside_a_copy(lambda: genome.hamming_distance(a, b), a.nbytes)
    else:
        distances = beside_a_copy(lambda: np.bitwise_count(a ^ b).sum(axis=1, dtype=np.intp), a.nbytes, rounds=3)
    assert distances.tolist() == np.bitwise_count(a ^ b).sum(axis=1, dtype=np.intp).tolist()


@pytest.mark.parametrize("by", ["lanewise", "numpy"])
def test_decode(by, parents, beside_a_copy):
    population = parents[0][:20]
    decode = genome.decode if by == "lanewise" else numpy_decode
    weights = beside_a_copy(lambda: decode(population), 4 * 20 * N, rounds=3)
    assert (weights[0, :1000] == numpy_decode(population[:1, :500])[0]).all()


@pytest.mark.parametrize("by", ["lanewise", "numpy"])
def test_encode(by, beside_a_copy):
    weights = np.random.default_rng(1).normal(size=N).astype(np.float32)
    if by == "lanewise":
        packed = beside_a_copy(lambda: genome.encode(weights), weights.nbytes)
    else:
        levels = genome.LOG4.levels

        def nearest():
            codes = np.abs(weights[:, None] - levels).argmin(axis=1).astype(np.uint8)
            return codes[::2] | codes[1::2] << 4

        packed = beside_a_copy(nearest, weights.nbytes, rounds=2)
    off = np.abs(genome.decode(packed) - weights)
    assert (off == np.abs(weights[:, None] - genome.LOG4.levels).min(axis=1)).all()
