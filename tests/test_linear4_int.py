# linear4 on whole numbers: against integers of 64 bits, one sum whatever the rows, threads and level, and its errors.
import lanewise as lw
import numpy as np
import pytest
from lanewise import genome
from lanewise.embedding import ctypes_function
from lanewise.genome import FLOAT4, INT4, LOG4, LOG4_ZERO, NF4, Codebook

LARGEST = {"int16": 32639, "int8": 127}
# outputs, inputs, rows, group: within a block and across panels of them, odd, few rows and many, groups that straddle
# blocks, fill some, and are more than a look-up's sixteen
SHAPES = [(1, 1, 1, None), (3, 7, 1, None), (10, 64, 5, 16), (17, 129, 4, 48), (50, 300, 33, None), (24, 128, 1, 32),
          (31, 1000, 2, 16), (16, 1100, 3, 144), (40, 1025, 130, 80), (6, 1536, 4, 256), (2, 40, 300, None),
          (5, 2000, 1, 384), (9, 800, 6, 1 << 62),
          # deep blocks: one row, few and many, with groups of 32 to a whole block and more, and a last block in part
          (18, 1024, 3, 32), (5, 1500, 1, 32), (33, 2048, 40, 64), (4, 1536, 150, 96), (3, 4000, 4, 512),
          (2, 450, 9, None)]
CODEBOOKS = [LOG4, NF4, FLOAT4, INT4, Codebook(np.linspace(-0.3, 0.011, 16))]
kinds = pytest.mark.parametrize("kind", ["int16", "int8"])


def case(outputs, inputs, rows, group):
    rng = np.random.default_rng(outputs + inputs)
    codes = genome.random_population(outputs, inputs, inputs)
    scales = rng.uniform(-2, 2, (outputs, -(-inputs // min(group or inputs, inputs)))).astype(np.float32)
    x, bias = (rng.normal(size=shape).astype(np.float32) for shape in ((rows, inputs), outputs))
    return x, codes, scales, bias, scales[:, ::-1] / 3


def rounded(x, kind):
    """x in whole numbers, and how large one of them is in each row, in float64."""
    size = np.abs(x).max(axis=1, keepdims=True).astype(np.float64)
    return np.rint(x * (LARGEST[kind] / size)).astype(np.int64), size / LARGEST[kind]


@kinds
@pytest.mark.parametrize("codebook", CODEBOOKS, ids=lambda codebook: codebook.name)
@pytest.mark.parametrize(("outputs", "inputs", "rows", "group"), SHAPES)
def test_against_whole_numbers_of_64_bits(outputs, inputs, rows, group, codebook, kind):
    x, codes, scales, bias, offsets = case(outputs, inputs, rows, group)
    whole, unit = rounded(x, kind)
    levels = codebook.steps[genome.unpack(codes, inputs)].astype(np.float64) * codebook.step
    at = np.arange(inputs) // min(group or inputs, inputs)
    for offset in (None, offsets):
        weights = levels * scales[:, at]
        sizes = np.abs(weights)
        if offset is not None:
            weights, sizes = weights + offset[:, at], sizes + np.abs(offset[:, at])
        exact = whole @ weights.T * unit + bias
        size = np.abs(whole) @ sizes.T * unit + np.abs(bias)
        y = genome.linear4(x, codes, codebook, scales, bias, group=group, offset=offset, activations=kind)
        assert y.dtype == np.float32
        assert (np.abs(y - exact) <= (inputs / 64 + 16) * 2.0**-24 * size).all()
        # and the rounding of x
        true = x.astype(np.float64) @ weights.T + bias
        half = np.abs(x).max(axis=1, keepdims=True) / (2.0 * LARGEST[kind]) * np.abs(weights).sum(axis=1)
        assert (np.abs(y - true) <= half * (1 + 2.0**-20) + (inputs / 64 + 16) * 2.0**-24 * size).all()


@kinds
@pytest.mark.parametrize("inputs", [1, 77, 128, 500, 512])
def test_sums_are_exact(inputs, kind):
    # scales are powers of two and sums below 2^24, so float32 has no rounding to do
    rng = np.random.default_rng(inputs)
    top = LARGEST[kind]
    for rows in (1, 3, 6):
        x = rng.integers(-30, 30, (rows, inputs)).astype(np.float32)
        x[:, inputs // 2] = [top if row % 2 else -top for row in range(rows)]
        codes = genome.random_population(11, inputs, 3)
        scales = 2.0 ** rng.integers(-1, 2, (11, -(-inputs // 48)))
        weights = INT4.levels[genome.unpack(codes, inputs)].astype(np.int64)
        twice = weights * (2 * scales).astype(np.int64)[:, np.arange(inputs) // 48]
        y = genome.linear4(x, codes, INT4, scales, group=48, activations=kind)
        assert (2 * y.astype(np.float64) == x.astype(np.int64) @ twice.T).all()


@pytest.mark.parametrize("sign", [1, -1])
def test_the_largest_sums(sign):
    # every product is the largest there is: an addition more than a lane of 32 bits holds would show
    x = np.full((5, 5000), sign, np.float32)
    codes = np.full((3, 2500), 0x88, np.uint8)  # -1 of LOG4, 128 steps
    assert (LOG4.steps[8], LOG4.step) == (-128, 2.0**-7)
    y = genome.linear4(x, codes, LOG4, activations="int16")
    np.testing.assert_allclose(y, -5000 * sign, rtol=1e-6)


@kinds
@pytest.mark.parametrize("top", [15, 16, 17, 32, 33])
def test_the_largest_sums_of_bytes(top, kind):
    # sums of 16 bits hold eight registers of products of levels up to 16, and four of those up to 32
    codebook = Codebook([*range(15), top])
    assert codebook.steps.tolist() == [*range(15), top]
    size = LARGEST[kind]
    for number in (size, -size, -32384 if kind == "int16" else -128):  # the last has a lower byte of -128
        x = np.full((7, 2048), max(number, -size), np.float32)
        x[:, 512] = size
        exact = (np.rint(x[0]).astype(np.int64) * top).sum()
        for rows in (1, 2, 4, 7):
            y = genome.linear4(x[:rows], np.full((3, 1024), 0xFF, np.uint8), codebook, group=64, activations=kind,
                               scale=np.ones((3, 32), np.float32))
            np.testing.assert_allclose(y, exact, rtol=1e-6)


@kinds
@pytest.mark.parametrize(("outputs", "inputs", "rows", "group"), SHAPES)
def test_a_row_is_the_same_alone_or_among_others(outputs, inputs, rows, group, kind):
    x, codes, scales, bias, offsets = case(outputs, inputs, rows, group)
    for offset in (None, offsets):
        y = genome.linear4(x, codes, NF4, scales, bias, group=group, offset=offset, activations=kind)
        for row in {0, rows // 2, rows - 1}:
            alone = genome.linear4(x[row], codes, NF4, scales, bias, group=group, offset=offset, activations=kind)
            assert (alone == y[row]).all()
        some = genome.linear4(x, codes[::3], NF4, scales[::3], bias[::3], group=group,
                              offset=None if offset is None else offset[::3], activations=kind)
        assert (some == y[:, ::3]).all()


@kinds
def test_codes_may_begin_anywhere(kind):
    x, codes, scales, bias, _ = case(18, 1024, 1, 64)
    expected = genome.linear4(x, codes, INT4, scales, bias, group=64, activations=kind)
    memory = np.empty(codes.size + 64, np.uint8)
    for first in (1, 16, 32, 63):
        moved = memory[first:first + codes.size].reshape(codes.shape)
        moved[...] = codes
        assert (genome.linear4(x, moved, INT4, scales, bias, group=64, activations=kind) == expected).all()


def test_steps_of_codebooks():
    for codebook, step in ((LOG4, 1 / 128), (LOG4_ZERO, 1 / 64), (FLOAT4, 0.5), (INT4, 1.0)):
        assert codebook.step == step
        assert (codebook.steps * step == codebook.levels).all()
    for codebook in (NF4, *CODEBOOKS):
        assert np.abs(codebook.steps).max() <= 128
        assert np.abs(codebook.steps * codebook.step - codebook.levels).max() <= np.abs(codebook.levels).max() / 256
    zero = Codebook(np.zeros(16))
    assert (zero.step, zero.steps.tolist()) == (1.0, [0] * 16)


@kinds
def test_nan_and_infinity_stay_in_their_row(kind):
    x, codes, *_ = case(5, 20, 9, None)
    x[4, 19], x[6, 0] = np.nan, -np.inf
    y = genome.linear4(x, codes, activations=kind)
    assert np.isnan(y[[4, 6]]).all()
    without = genome.linear4(np.delete(x, [4, 6], axis=0), codes, activations=kind)
    assert (np.delete(y, [4, 6], axis=0) == without).all()


@kinds
def test_small_large_and_no_activations(kind):
    x, codes, scales, bias, _ = case(5, 300, 9, 32)
    x[3] = 0
    y = genome.linear4(x, codes, NF4, scales, bias, group=32, activations=kind)
    assert (y[3] == bias).all()
    plain = genome.linear4(x, codes, NF4, scales, group=32, activations=kind)
    for power in (-100, 100):  # a power of two changes no rounding
        moved = genome.linear4(np.ldexp(x, power), codes, NF4, scales, group=32, activations=kind)
        assert (moved == np.ldexp(plain, power)).all()
    tiny = np.array([[1, -3, 0, 2]], np.float32) * np.float32(2.0**-149)
    assert genome.linear4(tiny, np.full((1, 2), 0x11, np.uint8), INT4, 2.0**20, activations="int16") == 0
    assert genome.linear4(tiny, np.full((1, 2), 0x21, np.uint8), INT4, 2.0, activations="int16") == 2.0**-149 * -2
    assert genome.linear4(x[:0], codes, activations=kind).shape == (0, 5)
    assert genome.linear4(x, codes[:0], activations=kind).shape == (9, 0)
    assert (genome.linear4(x[:, :0], codes[:, :0], bias=bias, activations=kind) == bias).all()


def test_an_outlier_channel():
    # the numbers of docs/evolution.md: one channel is 100 times the others
    rng = np.random.default_rng(0)
    x = rng.normal(size=(64, 1024)).astype(np.float32)
    x[:, 300] *= 100
    weights = rng.normal(size=(512, 1024)).astype(np.float32)
    scale = genome.best_scale(weights, FLOAT4, group=64)
    codes = genome.encode(weights, FLOAT4, scale, group=64)
    exact = x @ genome.decode(codes, FLOAT4, scale, group=64).T.astype(np.float64)
    errors = {kind: np.abs(genome.linear4(x, codes, FLOAT4, scale, group=64, activations=kind) - exact).max()
              / np.abs(exact).max() for kind in ("float32", "int16", "int8")}
    assert errors["float32"] < 1e-6
    assert errors["int16"] < 5e-4
    assert 100 * errors["int16"] < errors["int8"] < 0.1


X, CODES = np.ones((2, 5), np.float32), np.zeros((4, 3), np.uint8)


@pytest.mark.parametrize("kind", ["int4", "INT8", None, 8, np.int8])
def test_no_such_activations(kind):
    with pytest.raises(ValueError, match="activations is one of float32, int16, int8; got"):
        genome.linear4(X, CODES, activations=kind)


@kinds
def test_what_needs_no_conversion_gives_the_bits_and_errors_of_what_does(kind):
    x, codes, scales, bias, _ = case(5, 96, 3, 32)

    def both(**changed):
        given = {"x": x, "codes": codes, "scale": scales, "bias": bias, "group": 32, **changed}
        found = []
        for change in (lambda array: array, lambda array: array.astype(array.dtype.newbyteorder(">"))):
            try:
                found.append(genome.linear4(**{**given, "scale": change(given["scale"])}, codebook=NF4,
                                            activations=kind).tobytes())
            except (TypeError, ValueError) as error:
                found.append(str(error))
        assert found[0] == found[1]
        return found[0]

    assert len(both()) == len(both(bias=None)) == 3 * 5 * 4
    assert len(both(group=None, scale=scales[:, :1].copy())) == 3 * 5 * 4
    for wrong in ({"group": 0}, {"group": -16}, {"group": 24}, {"group": 2**70}, {"group": 48}, {"bias": bias[:4]},
                  {"codes": codes[:, :40].copy()}, {"codes": codes.astype(np.int8)}, {"scale": scales[:4].copy()},
                  {"scale": scales.astype(np.float64) * np.nan}, {"scale": np.full_like(scales, 3e38)},
                  {"bias": np.ma.masked_array(bias, bias > 0)}):
        assert isinstance(both(**wrong), str), wrong


@kinds
def test_sums_beyond_float32(kind):
    with pytest.raises(ValueError, match=r"5 whole numbers may be beyond .* largest scale is 1e\+32"):
        genome.linear4(X, CODES, scale=1e32, activations=kind)
    with pytest.raises(ValueError, match=r"over the codebook's step 1e\+34"):
        genome.linear4(X, CODES, Codebook(np.full(16, 1e-20)), offset=1e14, activations=kind)
    np.testing.assert_allclose(genome.linear4(X, CODES, scale=1e31, activations=kind), 5e31, rtol=1e-6)


@kinds
@pytest.mark.parametrize(("outputs", "rows", "place"), [
    (1, 1, (0, 0)), (17, 1, (16, 2)), (33, 1, (5, 1)), (40, 90, (39, 0))])
def test_scales_are_judged_wherever_they_are(kind, outputs, rows, place):
    x, codes = np.ones((rows, 40), np.float32), np.zeros((outputs, 20), np.uint8)
    scale = np.ones((outputs, 3), np.float32)
    expected = genome.linear4(x, codes, scale=scale, group=16, activations=kind)
    for bad, match in ((np.nan, "scale is finite"), (-np.inf, "scale is finite"), (np.float32(3e38), "a level times"),
                       (np.float32(-1e35), r"largest scale is 1e\+35")):
        scale[place] = bad
        for threads in (1, 2):
            lw.set_num_threads(threads)
            with pytest.raises(ValueError, match=match):
                genome.linear4(x, codes, FLOAT4, scale=scale, group=16, activations=kind)
        scale[place] = 1
    assert np.array_equal(genome.linear4(x, codes, scale=scale, group=16, activations=kind), expected)


PROGRAM = """
import hashlib
import sys
import numpy as np
from lanewise import genome
from lanewise.embedding import ctypes_function
from lanewise.kernels import machine
machine.set_num_threads(int(sys.argv[1]))
digest = hashlib.sha256()
rng = np.random.default_rng(1)
for outputs, inputs, rows, group in ((40, 1000, 1, None), (37, 1100, 3, 48), (70, 700, 150, 16), (20, 2048, 5, 256),
                                     (17, 1000, 1, 32), (19, 1500, 4, 64), (18, 1024, 70, 32)):
    codes = genome.random_population(outputs, inputs, 1)
    x = rng.normal(size=(rows, inputs)).astype(np.float32)
    scales = rng.uniform(0.5, 2, (outputs, -(-inputs // (group or inputs)))).astype(np.float32)
    for offset in (None, scales / 3):
        for codebook in (genome.NF4, genome.LOG4, genome.INT4, genome.FLOAT4):
            for kind in ("int16", "int8"):
                digest.update(genome.linear4(x, codes, codebook, scales, group=group, offset=offset,
                                             activations=kind).tobytes())
print(digest.hexdigest())
"""


def test_same_bits_on_every_level_and_thread_count(bits_agree):
    bits_agree(PROGRAM)


@kinds
@pytest.mark.parametrize(("outputs", "inputs", "rows", "group"), [(10, 64, 5, 16), (17, 129, 1, 48), (9, 800, 11, 800)])
def test_c_interface(outputs, inputs, rows, group, kind):
    function = ctypes_function("linear4_int_float32")
    x, codes, scales, bias, offsets = case(outputs, inputs, rows, group)
    offsets = np.ascontiguousarray(offsets)
    for codebook, offset, added in ((NF4, offsets, bias), (INT4, None, None)):
        y = np.full((rows, outputs), np.nan, np.float32)
        arguments = (codes, codebook.steps, codebook.step, scales, offset, group, added, x, y, rows, inputs, outputs)
        for threads in (-1, 2, 2**31 - 1):
            y[...] = np.nan
            assert function(*arguments, int(kind[3:]), threads)
            expected = genome.linear4(x, codes, codebook, scales, added, group=group, offset=offset, activations=kind)
            assert y.tobytes() == expected.tobytes()
        y[...] = 7
        assert not function(*arguments, 32, 1)
        assert (y == 7).all()


def test_c_interface_of_no_inputs():
    function, y = ctypes_function("linear4_int_float32"), np.full((2, 3), np.nan, np.float32)
    bias, none = np.arange(3, dtype=np.float32), np.zeros(1, np.float32)
    for added, expected in ((bias, [[0, 1, 2], [0, 1, 2]]), (None, 0)):
        assert function(np.zeros(1, np.uint8), INT4.steps, 1.0, none, None, 16, added, none, y, 2, 0, 3, 8, 1)
        assert (y == expected).all()
