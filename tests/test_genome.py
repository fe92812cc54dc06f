# Packed genomes against plain NumPy: layout, nearest codes and scales, errors, and the same bits everywhere.
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from lanewise import genome, ieee754
from lanewise.genome import FLOAT4, INT4, LOG4, LOG4_ZERO, NF4

CODEBOOKS = [LOG4, LOG4_ZERO, NF4, FLOAT4, INT4]
LENGTHS = [1, 2, 3, 15, 16, 17, 31, 63, 64, 65, 1023, 1024, 1025, 2369, 70001]


def plain_pack(codes):
    even = np.append(codes, 0) if len(codes) % 2 else codes
    return (even[::2] | even[1::2] << 4).astype(np.uint8)


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


@pytest.mark.parametrize("n", [1, 30, 1000, 70001])
def test_codes_begin_on_a_cache_line(n):
    genomes = genome.random_population(3, n, 1)
    for made in (genomes, genome.mutate(genomes, 0.5, 2), genome.pack(genome.unpack(genomes)),
                 genome.encode(genome.decode(genomes, n_weights=n))):
        assert made.ctypes.data % 64 == 0
        assert made.flags.c_contiguous
        assert made.flags.writeable


def test_pack_refuses_a_code_above_15():
    with pytest.raises(ValueError, match="between 0 and 15; got 16"):
        genome.pack(np.array([3, 16, 2], np.uint8))
    with pytest.raises(TypeError, match="codes holds uint8; got float64"):
        genome.pack(np.array([3.0, 1.0]))


def test_log4_is_sign_and_exponent():
    weights = genome.decode(genome.pack(np.arange(16, dtype=np.uint8)))
    assert weights.tolist() == [2.0**-e for e in range(8)] + [-(2.0**-e) for e in range(8)]


def test_numbers_that_float32_and_bytes_that_uint8_hold():
    """Of another byte order, narrower, or in a list."""
    x = np.random.default_rng(4).integers(-8, 8, (3, 32)).astype(np.float32) / 8
    codes, bias = genome.encode(x), np.float32([1, 2, 3])
    scale, y = genome.best_scale(x), genome.linear4(x, codes, bias=bias)
    for other in (x.astype(">f4"), x.astype(np.float16), x.astype(ml_dtypes.bfloat16), x.tolist(), x[::-1][::-1]):
        assert (genome.encode(other) == codes).all()
        assert (genome.best_scale(other) == scale).all()
        assert (genome.linear4(other, codes.tolist(), bias=bias.astype(">f4")) == y).all()
    assert (genome.linear4(x, codes, bias=[1, 2, 3]) == y).all()
    assert (genome.decode(codes.tolist()) == genome.decode(codes)).all()
    assert (genome.unpack(codes.tolist()) == genome.unpack(codes)).all()
    assert genome.diversity(codes.tolist()) == genome.diversity(codes)
    for wrong in (300, -1, 2**40):
        with pytest.raises(ValueError, match=f"genomes holds numbers from 0 to 255; got {wrong}"):
            genome.decode([[1, wrong]])
    for wrong in ([[1.0]], np.array([[1]]), np.array([[300]]), np.array([[True]])):
        with pytest.raises(TypeError, match=r"genomes holds uint8; got (int64|float64|bool)"):
            genome.decode(wrong)
    for wrong in (x.astype(float), x.astype(int), [["a"]], x > 0):
        with pytest.raises(TypeError, match="weights holds float32; got "):
            genome.encode(wrong)


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
    used = {float(level): code for code, level in reversed(list(enumerate(codebook.levels)))}
    # in a tie the even code, and else the first of equals, which is the lower level
    assert decoded.tolist() == [
        float(min(levels, key=lambda level: (abs(Fraction(float(weight)) - level), used[float(level)] % 2)))
        for weight in weights]


@pytest.mark.parametrize("codebook", [FLOAT4, INT4, LOG4, LOG4_ZERO], ids=lambda codebook: codebook.name)
@pytest.mark.parametrize("scale", [1.0, 0.3, 2.0**-140])
def test_the_codes_of_negated_weights_are_negated(codebook, scale):
    levels = np.unique(codebook.levels).astype(np.float64)
    levels = levels[np.isin(-levels, levels)]
    weights = ((levels[1:] + levels[:-1]) / 2 * np.float32(scale)).astype(np.float32)
    weights = np.concatenate([weights[weights != 0], np.random.default_rng(0).normal(size=500).astype(np.float32)])
    weights = np.clip(weights, levels[0] * scale, levels[-1] * scale).astype(np.float32)
    plus, minus = (genome.decode(genome.encode(w, codebook, scale), codebook, scale, n_weights=weights.size)
                   for w in (weights, -weights))
    assert plus.tolist() == (-minus).tolist()


@pytest.mark.parametrize("scale", [1.0, 0.25])
def test_float4_is_what_other_converters_make_of_it(scale):
    import ml_dtypes
    weights = np.concatenate([np.arange(-60, 61) / 8, np.random.default_rng(1).normal(0, 3, 2000)]).astype(np.float32)
    codes = genome.unpack(genome.encode(weights * np.float32(scale), FLOAT4, scale), weights.size)
    others = ieee754.encode(weights, "float4_e2m1fn", overflow="saturate")
    assert (others == weights.astype(ml_dtypes.float4_e2m1fn).view(np.uint8)).all()
    assert (codes == np.where(others == 8, 0, others)).all()  # zero has one code here


def test_pack_takes_integers_and_numbers_of_four_bits():
    import ml_dtypes
    expected = genome.pack(np.array([1, 2, 15], np.uint8)).tolist()
    for codes in ([1, 2, 15], np.array([1, 2, 15]), np.array([1, 2, 15], ">i2"), np.array([1, 2, -1]).astype(
            ml_dtypes.int4), np.array([1, 2, 15]).astype(ml_dtypes.uint4), np.float32([0.5, 1, -6]).astype(
                ml_dtypes.float4_e2m1fn)):
        assert genome.pack(codes).tolist() == ieee754.pack(codes).tolist() == expected
    assert genome.pack([]).tolist() == []
    for codes in ([1, 16], [-1, 3], [300, 1]):
        with pytest.raises(ValueError, match=r"a code is between 0 and 15; got (16|-1|300)"):
            genome.pack(codes)
    for codes in ([1.0, 2.0], [True], ["a"]):
        with pytest.raises(TypeError, match="codes holds uint8; got"):
            genome.pack(codes)


def test_masked_arrays_are_refused():
    def masked(values, dtype):
        return np.ma.array(values, dtype, mask=[0, 1])

    weights = np.ones(2, np.float32)
    for call in (lambda: genome.encode(masked([1, 2], "f4")), lambda: genome.best_scale(masked([1, 2], "f4")),
                 lambda: genome.pack(masked([1, 2], "u1")), lambda: genome.unpack(masked([1, 2], "u1")),
                 lambda: genome.decode(masked([1, 2], "u1")), lambda: ieee754.field_statistics(masked([1, 2], "f4")),
                 lambda: ieee754.exponent_histogram(masked([1, 2], "f4")),
                 lambda: genome.linear4(masked([1, 2], "f4"), np.zeros((3, 1), np.uint8)),
                 lambda: genome.linear4(weights, np.ma.array(np.zeros((3, 1), np.uint8))),
                 lambda: genome.linear4(weights, np.zeros((2, 1), np.uint8), bias=masked([1, 2], "f4")),
                 lambda: genome.encode(weights, scale=np.ma.array(1.0)),
                 lambda: genome.mutate(masked([1, 2], "u1"), 0.1, 3)):
        with pytest.raises(TypeError, match="masked array"):
            call()


@pytest.mark.parametrize("codebook", [LOG4, NF4, INT4], ids=lambda codebook: codebook.name)
def test_scales_of_any_sign(codebook):
    rng = np.random.default_rng(1)
    weights = rng.normal(size=(3, 80)).astype(np.float32)
    scales = rng.uniform(0.5, 2, (3, 5)).astype(np.float32) * np.array([1, -1, 1, -1, -1], np.float32)
    codes = genome.encode(weights, codebook, scales, group=16)
    kept = genome.decode(codes, codebook, scales, group=16)
    levels = codebook.levels * np.repeat(scales, 16, axis=1)[..., None]
    assert (np.abs(kept - weights) == np.abs(levels - weights[..., None]).min(axis=-1)).all()
    assert (kept == np.take_along_axis(levels, genome.unpack(codes)[..., None], axis=-1)[..., 0]).all()
    assert (genome.decode(codes, codebook, 0.0) == 0).all()
    with np.errstate(all="raise"):  # the middle below the lowest level is infinite, and times 0 no number
        assert (genome.decode(genome.encode(weights, codebook, 0.0), codebook, 0.0) == 0).all()


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


@pytest.mark.parametrize("codebook", CODEBOOKS, ids=lambda codebook: codebook.name)
def test_the_guide_s_table_of_errors(codebook):
    rng = np.random.default_rng(1)
    cells = []
    for draw in (rng.normal, rng.laplace):
        weights = draw(size=65_536).astype(np.float32)
        for group in (None, 64):
            scale = genome.best_scale(weights, codebook, group=group)
            codes = genome.encode(weights, codebook, scale, group=group)
            apart = genome.decode(codes, codebook, scale, group=group) - weights.astype(np.float64)
            cells.append(f"{100 * np.sqrt((apart**2).mean() / (weights.astype(np.float64)**2).mean()):.1f}%")
    guide = Path(__file__).parent.parent / "docs" / "evolution.md"
    assert f"| `{codebook.name}` | {' | '.join(cells)} |" in guide.read_text(encoding="utf-8")


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
    (lambda: genome.mutate(np.zeros(4, np.uint8), 0.1, 1, kind="x"), ValueError, "flip, gray, step, redraw; got 'x'"),
    (lambda: genome.diversity(np.zeros(4, np.uint8)), ValueError, r"at least 2; got \[4\]"),
    (lambda: genome.decode(np.zeros(40, np.uint8), scale=np.nan), ValueError, "scale is finite"),
    (lambda: genome.decode(np.zeros(40, np.uint8), scale=1e39), ValueError, "scale is finite, also in float32"),
    (lambda: genome.decode(np.zeros(40, np.uint8), group=20), ValueError, "multiple of 16.*got 20"),
    (lambda: genome.decode(np.zeros(40, np.uint8), group=0), ValueError, "multiple of 16.*got 0"),
    (lambda: genome.Codebook(range(15)), ValueError, "16 finite levels"),
    (lambda: genome.hamming_distance(np.zeros(4, np.uint8), np.zeros(4, np.uint8), "nibbles"), ValueError, "'nibbles'"),
])
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()


PROGRAM = """
import hashlib
import sys
import ml_dtypes
import numpy as np
from lanewise import genome, ieee754
from lanewise.kernels import machine
machine.set_num_threads(int(sys.argv[1]))
digest = hashlib.sha256()
for n in (1, 2369, 200001):
    a, b = genome.random_population(5, n, 1), genome.random_population(5, n, 2)
    weights = genome.decode(a, n_weights=n, scale=0.3)
    for array in (a, genome.mutate(a, 0.015, 3, n_weights=n), genome.mutate(a, 0.1, 3, kind="gray", n_weights=n),
                  genome.mutate(a, 0.015, 3, kind="step", n_weights=n), genome.crossover(a, b, 4, kind="two_point"),
                  genome.mutate(a, 0.015, 3, kind="redraw", n_weights=n),
                  genome.crossover(a, b, 4, kind="bitwise"), np.array(genome.diversity(a)),
                  *genome.crossover(a, b, 4, 2, n_weights=n), weights, genome.encode(weights * 1.1),
                  genome.hamming_distance(a, b)):
        digest.update(array.tobytes())
print(digest.hexdigest())
"""


def test_same_bits_on_every_level_and_thread_count(bits_agree):
    bits_agree(PROGRAM)


def test_python_ints_beyond_64_bits_are_numbers():
    large = 2**64 + 2**63
    assert genome.encode([large, -large]).tolist() == genome.encode([1e19, -1e19]).tolist()
    assert genome.encode([10**400, -10**400, 1, 0.5]).tolist() == genome.encode([np.inf, -np.inf, 1, 0.5]).tolist()
    codes = np.arange(4, dtype=np.uint8).reshape(1, 4)
    assert np.array_equal(genome.decode(codes, scale=2**70), genome.decode(codes, scale=2.0**70))
    assert np.array_equal(genome.linear4(np.eye(8, dtype=np.float32), codes, scale=2**70),
                          genome.linear4(np.eye(8, dtype=np.float32), codes, scale=2.0**70))
    with pytest.raises(ValueError, match="scale is finite, also in float32"):
        genome.decode(codes, scale=10**400)
    with pytest.raises(ValueError, match=f"genomes holds numbers from 0 to 255; got {2**64}"):
        genome.decode([1, 2**64])
    with pytest.raises(TypeError, match="weights holds float32; got object"):
        genome.encode([1, None])
