# Four-bit weights as others write them, beside arrays that the real libraries have made (make_four_bit_arrays.py).
import copy
import inspect
import json
import pickle
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from lanewise import genome
from lanewise.genome import FLOAT4, INT4, NF4, formats
from lanewise.genome.formats import FP4, INT4_OFFSET, IQ4_NL, UINT4, Packed

MADE = json.loads((Path(__file__).parent / "four_bit_arrays.json").read_text())
SHAPE = (2, 64)


def made(library, name):
    arrays = {key: np.frombuffer(bytes.fromhex(array["hex"]), array["dtype"]).reshape(array["shape"])
              for key, array in MADE[library]["arrays"][name].items()}
    return arrays, arrays.pop("weights")


def in_words(arrays):
    # mlx has eight codes to a word, its other arrays as others have them
    return arrays[0].view(np.uint32), *arrays[1:]


# what the library has made, its reader on it, and what writes it again as a tuple
CASES = {
    **{f"gguf {kind}": ("gguf", kind, lambda blocks, kind=kind: formats.read_gguf(kind, blocks),
                        lambda packed, kind=kind: (formats.write_gguf(kind, packed),)) for kind in formats.GGUF},
    **{f"bitsandbytes {kind}": ("bitsandbytes", kind,
                                lambda kind=kind, **arrays: formats.read_bitsandbytes(kind, shape=SHAPE, **arrays),
                                lambda packed, kind=kind: formats.write_bitsandbytes(kind, packed))
       for kind in ("NF4", "FP4")},
    "mlx": ("mlx", "affine", formats.read_mlx, formats.write_mlx),
    "mlx mxfp4": ("mlx", "mxfp4", lambda codes, exponents: formats.read_mxfp4(codes.view(np.uint8), exponents),
                  lambda packed: in_words(formats.write_mxfp4(packed))),
    "mlx nvfp4": ("mlx", "nvfp4", lambda codes, scales: formats.read_nvfp4(codes.view(np.uint8), scales),
                  lambda packed: in_words(formats.write_nvfp4(packed))),
    "torchao": ("torchao", "MXFP4", formats.read_mxfp4, formats.write_mxfp4),
    "torchao, NVFP4": ("torchao", "NVFP4", formats.read_nvfp4, formats.write_nvfp4),
    "compressed_tensors, NVFP4": ("compressed_tensors", "NVFP4", formats.read_nvfp4, formats.write_nvfp4),
    "onnxruntime": ("onnxruntime", "MatMulNBits", formats.read_matmulnbits,
                    lambda packed: formats.write_matmulnbits(packed)[:2]),
    "auto_gptq": ("auto_gptq", "GPTQ", formats.read_gptq, formats.write_gptq),
    "autoawq": ("autoawq", "AWQ", formats.read_awq, formats.write_awq),
    "compressed_tensors": ("compressed_tensors", "int4", formats.read_compressed_tensors,
                           formats.write_compressed_tensors),
    "hqq": ("hqq", "axis 1", lambda **arrays: formats.read_hqq(shape=SHAPE, **arrays), formats.write_hqq),
    "onnxruntime, zero points": ("onnxruntime", "MatMulNBits with zero points", formats.read_matmulnbits,
                                 formats.write_matmulnbits),
}


@pytest.mark.parametrize("name", CASES)
def test_what_the_real_library_made(name):
    library, key, read, write = CASES[name]
    arrays, weights = made(library, key)
    packed = read(**arrays)
    common = {name: arrays.pop(name) for name in ("multiplier", "divisor") if name in arrays}
    found = packed.weights()
    if library in ("mlx", "onnxruntime", "hqq") and packed.offset is not None:
        # they round a scale times a code first, a scale times a zero point, or a code less a zero point that is no
        # whole number: an ULP of the larger
        assert (np.abs(found - weights) <= 2.0**-23 * 16 * np.abs(packed.scale).max()).all()
    else:
        assert found.tobytes() == (weights + np.float32(0)).tobytes() or (found == weights).all()
    for given, written in zip(arrays.values(), write(packed, **common), strict=True):
        assert written.dtype == (np.float32 if given.dtype == np.float16 else given.dtype)
        assert written.astype(given.dtype).tobytes() == given.tobytes()
    # what was read is what a layer takes
    x = np.eye(packed.codes.shape[1] * 2, dtype=np.float32)
    y = genome.linear4(x, packed.codes, packed.codebook, packed.scale, group=packed.group, offset=packed.offset)
    assert (y == found.T).all()


@pytest.mark.parametrize(("kind", "codebook"), [("INT4", INT4), ("UINT4", UINT4), ("FLOAT4E2M1", FLOAT4)])
def test_onnx_s_four_bit_tensors_are_genomes_as_they_lie(kind, codebook):
    arrays, weights = made("onnx", kind)
    assert (genome.decode(arrays["codes"], codebook) == weights).all()
    codes = genome.unpack(arrays["codes"])
    codes[weights == 0] = 0  # -0 of FLOAT4 is the code of 0 again
    assert (genome.encode(weights, codebook) == genome.pack(codes)).all()


def test_half_of_q4_0_s_scales_are_negative_and_some_are_zero():
    arrays, _ = made("gguf", "Q4_0")
    scale = formats.read_gguf("Q4_0", **arrays).scale
    assert (scale < 0).any()
    assert (scale == 0).any()


def case(group=32, groups=2, rows=16, zeros=(0, 16), seed=1):
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 16, (rows, group * groups), np.uint8)
    scale = rng.uniform(-1, 1, (rows, groups)).astype(np.float16)
    return codes, scale, rng.integers(*zeros, (rows, groups)).astype(np.uint8)


@pytest.mark.parametrize("less_one", [True, False])
def test_gptq_as_its_packer_packs(less_one):
    codes, scale, zeros = case(zeros=(1, 16))
    qweight, qzeros = np.zeros((8, 16), np.uint32), np.zeros((2, 2), np.uint32)
    for i in range(64):  # inputs run down, eight to a word
        qweight[i // 8] |= codes[:, i].astype(np.uint32) << np.uint32(4 * (i % 8))
    for o in range(16):
        qzeros[:, o // 8] |= (zeros[o].astype(np.uint32) - less_one) << np.uint32(4 * (o % 8))
    arrays = qweight.view(np.int32), qzeros.view(np.int32), np.ascontiguousarray(scale.T)
    packed = formats.read_gptq(*arrays, zeros_less_one=less_one)
    exact = (codes - zeros.repeat(32, axis=1).astype(np.float64)) * scale.repeat(32, axis=1)
    assert (packed.weights() == exact).all()
    written = formats.write_gptq(packed, zeros_less_one=less_one)
    assert all((a == b).all() and a.shape == b.shape for a, b in zip(written, arrays, strict=True))


def test_awq_as_its_packer_packs():
    codes, scale, zeros = case()
    qweight, qzeros = np.zeros((64, 2), np.uint32), np.zeros((2, 2), np.uint32)
    order = [0, 2, 4, 6, 1, 3, 5, 7]
    for word in range(2):
        for i in range(8):
            qweight[:, word] |= codes[8 * word + order[i]].astype(np.uint32) << np.uint32(4 * i)
            qzeros[:, word] |= zeros[8 * word + order[i]].astype(np.uint32) << np.uint32(4 * i)
    arrays = qweight.view(np.int32), qzeros.view(np.int32), np.ascontiguousarray(scale.T)
    packed = formats.read_awq(*arrays)
    exact = (codes - zeros.repeat(32, axis=1).astype(np.float64)) * scale.repeat(32, axis=1)
    assert (packed.weights() == exact).all()
    written = formats.write_awq(packed)
    assert all((a == b).all() and a.shape == b.shape for a, b in zip(written, arrays, strict=True))


def test_hqq_as_its_packer_packs():
    codes, scale, zeros = case(group=64)
    groups = codes.reshape(-1, 64)
    half = len(groups) // 2
    arrays = groups[:half] << 4 | groups[half:], scale.reshape(-1, 1), zeros.astype(np.float16).reshape(-1, 1)
    packed = formats.read_hqq(*arrays, (16, 128))
    exact = (codes - zeros.repeat(64, axis=1).astype(np.float64)) * scale.repeat(64, axis=1)
    assert (packed.weights() == exact).all()
    written = formats.write_hqq(packed)
    assert all((a == b).all() and a.shape == b.shape for a, b in zip(written, arrays, strict=True))


def test_compressed_tensors_as_its_packer_packs():
    codes, scale, _ = case()
    words = np.zeros((16, 8), np.uint32)
    for i in range(64):
        words[:, i // 8] |= codes[:, i].astype(np.uint32) << np.uint32(4 * (i % 8))
    packed = formats.read_compressed_tensors(words.view(np.int32), scale)
    assert (packed.weights() == (codes - 8.0) * scale.repeat(32, axis=1)).all()
    again, scales = formats.write_compressed_tensors(packed)
    assert again.view(np.uint32).tolist() == words.tolist()
    assert (scales == scale).all()


@pytest.mark.parametrize("library", ["gptq", "awq", "matmulnbits"])
def test_a_group_whose_scale_is_0_has_some_zero_point(library):
    scale = np.ones((8, 2), np.float32)
    scale[3, 1] = 0
    packed = Packed(genome.random_population(8, 32, 1), UINT4, scale, -5 * scale, 16)
    again = getattr(formats, f"read_{library}")(*getattr(formats, f"write_{library}")(packed))
    assert (again.weights() == packed.weights()).all()
    assert (again.weights()[3, 16:] == 0).all()


def test_matrices_are_equal_by_what_they_hold():
    codes, scale = genome.random_population(8, 32, 1), np.ones((8, 2), np.float32)
    packed = Packed(codes, UINT4, scale, -5 * scale, 16)
    assert packed == pickle.loads(pickle.dumps(packed))
    assert (packed != copy.deepcopy(packed)) is False
    others = [{"codes": codes[::-1]}, {"codebook": FLOAT4}, {"scale": 2 * scale}, {"offset": None}, {"offset": scale},
              {"group": 32}]
    for other in (*(packed._replace(**changed) for changed in others), tuple(packed)):
        assert packed != other
        assert (packed == other) is False


def test_readers_and_writers_say_what_they_refuse():
    for name in formats.__all__:
        if name.startswith(("read_", "write_")):
            assert "\nRaises\n------\n" in inspect.getdoc(getattr(formats, name)), name


def test_e8m0_is_told_from_numbers():
    every = np.arange(255, dtype=np.uint8)
    numbers = formats.e8m0_scales(every)
    assert (numbers == every.view(ml_dtypes.float8_e8m0fnu).astype(np.float64)).all()
    assert (numbers == formats.e8m0_scales(every.view(ml_dtypes.float8_e8m0fnu))).all()
    assert (formats.e8m0_bytes(numbers) == every).all()
    codes = np.zeros((1, 16), np.uint8)
    for exponents in (np.uint8([[127]]), np.uint8([[127]]).view(ml_dtypes.float8_e8m0fnu)):
        with pytest.raises(TypeError, match="which are exponents"):
            genome.decode(codes, FLOAT4, exponents)
        with pytest.raises(TypeError, match="which are exponents"):
            genome.linear4(np.ones((1, 32), np.float32), codes, FLOAT4, exponents)


def test_every_e4m3_scale_of_nvfp4():
    codes = np.full((254, 8), 0x22, np.uint8)
    scales = np.uint8([code for code in range(256) if code & 127 != 127]).reshape(-1, 1)
    for given in (scales, scales.view(ml_dtypes.float8_e4m3fn)):
        packed = formats.read_nvfp4(codes, given)
        numbers = scales.view(ml_dtypes.float8_e4m3fn).astype(np.float32)
        assert packed.scale.tobytes() == numbers.tobytes()
        assert (packed.weights() == numbers).all()
        assert (formats.write_nvfp4(packed)[1] == scales).all()
    for name, scaled in (("multiplier", numbers * np.float32(0.3)), ("divisor", numbers / np.float32(0.3))):
        packed = formats.read_nvfp4(codes, scales, **{name: 0.3})
        assert packed.scale.tobytes() == scaled.tobytes()
        assert (formats.write_nvfp4(packed, **{name: 0.3})[1] == scales).all()


def test_every_scale_of_iq4_xs():
    # the largest magnitude is 32 below zero and 31 above it
    rng = np.random.default_rng(3)
    six = np.concatenate([np.arange(-32, 32).reshape(8, 8), rng.integers(-31, 32, (50, 8)), np.zeros((1, 8), int)])
    scale = (np.float16(rng.normal(size=(59, 1))).astype(np.float32) * six).astype(np.float32)
    packed = Packed(rng.integers(0, 256, (59, 128)).astype(np.uint8), IQ4_NL, scale, None, 32)
    again = formats.read_gguf("IQ4_XS", formats.write_gguf("IQ4_XS", packed))
    assert (again.scale == scale).all()
    assert (again.codes == packed.codes).all()


def test_the_largest_scale_of_iq4_xs_is_an_end_of_the_range():
    # as quantisers have it, although half as many steps of 1/4 would do
    scale = np.float32([[-32, -16, 0, 8, 16, 24, 30, 2]]) / 8
    blocks = formats.write_gguf("IQ4_XS", Packed(np.zeros((1, 128), np.uint8), IQ4_NL, scale, None, 32))
    assert blocks[0, :2].view("<f2") == 1 / 8


def test_tables_are_not_mistaken_for_others():
    assert FP4 != FLOAT4
    assert INT4_OFFSET != INT4
    assert formats.GGUF["IQ4_NL"][2] is IQ4_NL


ARRAYS = {name: made(library, key)[0] for name, (library, key, *_) in CASES.items()}
BLOCKS = ARRAYS["gguf Q4_0"]["blocks"]
INTS = np.zeros((8, 16), np.int32), np.zeros((2, 2), np.int32), np.ones((2, 16), np.float32)
CODES = np.zeros((1, 16), np.uint8)
TWO = Packed(CODES, FLOAT4, np.float32([[1, 0.3]]), None, 16)
ONE = Packed(np.zeros((1, 16), np.uint8), UINT4, np.ones((1, 1), np.float32), None, 32)


@pytest.mark.parametrize(("call", "error", "message"), [
    (lambda: formats.read_gguf("Q4_0", BLOCKS[:, :-1]), ValueError, "block of Q4_0 has 18 bytes; got rows of 35"),
    (lambda: formats.read_gguf("Q4_1", BLOCKS), ValueError, "block of Q4_1 has 20 bytes; got rows of 36"),
    (lambda: formats.read_gguf("Q5_0", BLOCKS), ValueError, "kind is one of Q4_0, Q4_1, IQ4_NL, MXFP4, Q4_K, IQ4_X"),
    (lambda: formats.read_gguf("Q4_0", BLOCKS.view(np.int8)), TypeError, "blocks holds uint8; got int8"),
    (lambda: formats.read_gguf("Q4_0", BLOCKS[0]), ValueError, "blocks has 2 axes"),
    (lambda: formats.read_gguf("Q4_0", np.full((1, 18), 255, np.uint8)), ValueError, "scales hold a NaN"),
    (lambda: formats.read_gguf("MXFP4", np.full((1, 17), 255, np.uint8)), ValueError, "255 of E8M0 is NaN"),
    (lambda: formats.read_mxfp4(np.zeros((1, 17), np.uint8), np.zeros((1, 1), np.uint8)), ValueError, "16 bytes of"),
    (lambda: formats.read_mxfp4(np.zeros((1, 16), np.uint8), np.zeros((1, 2), np.uint8)), ValueError, r"is \[1, 1\]"),
    (lambda: formats.read_mxfp4(np.zeros((1, 16), np.uint8), np.ones((1, 1), np.float32)), TypeError, "got float32"),
    (lambda: formats.read_gguf("NVFP4", np.full((1, 36), 127, np.uint8)), ValueError, "127 or 255 of E4M3 is NaN"),
    (lambda: formats.read_gguf("NVFP4", np.full((1, 36), 129, np.uint8)), ValueError, "has no sign"),
    (lambda: formats.read_gguf("NVFP4", np.full((1, 34), 1, np.uint8)), ValueError, "NVFP4 has 36 bytes; got rows of"),
    (lambda: formats.read_gguf("IQ4_XS", np.full((1, 137), 1, np.uint8)), ValueError, "IQ4_XS has 136 bytes"),
    (lambda: formats.read_nvfp4(CODES, np.ones((1, 1), np.uint8)), ValueError, r"scales is \[1, 2\]; got \[1, 1\]"),
    (lambda: formats.read_nvfp4(CODES[:, :9], np.ones((1, 2), np.uint8)), ValueError, "8 bytes of codes; got rows of"),
    (lambda: formats.read_nvfp4(CODES, np.ones((1, 2), np.float32)), TypeError, "uint8 or float8_e4m3fn; got float32"),
    (lambda: formats.read_nvfp4(CODES, np.uint8([[1, 255]])), ValueError, "127 or 255 of E4M3 is NaN"),
    (lambda: formats.read_nvfp4(CODES, np.uint8([[1, 2]]), multiplier=2.0, divisor=0.5), ValueError, "one of them"),
    (lambda: formats.read_nvfp4(CODES, np.uint8([[1, 2]]), multiplier=np.ones(2)), ValueError, "multiplier is one fin"),
    (lambda: formats.read_nvfp4(CODES, np.uint8([[1, 2]]), divisor=0), ValueError, "divisor is one finite number"),
    (lambda: formats.read_nvfp4(CODES, np.uint8([[1, 126]]), multiplier=3e38), ValueError, "scales hold a NaN or an"),
    (lambda: formats.write_nvfp4(TWO, multiplier=0.5), ValueError, "a number of E4M3, times what .* such as 0.3"),
    (lambda: formats.write_nvfp4(TWO._replace(group=32, scale=np.ones((1, 1)))), ValueError, "groups of 16; got 32"),
    (lambda: formats.write_gguf("NVFP4", Packed(np.zeros((1, 32), np.uint8), FLOAT4, np.float32([[1, -1, 1, 1]]), None,
                                                16)), ValueError, "no sign; got a negative one"),
    (lambda: formats.write_gguf("IQ4_XS", Packed(np.zeros((1, 128), np.uint8), IQ4_NL, np.float32([[1] * 7 + [2**-9]]),
                                                 None, 32)), ValueError, "IQ4_XS keeps .* one float16 times -32 to 31"),
    (lambda: formats.e8m0_bytes(np.float32([3])), ValueError, "powers of two"),
    (lambda: formats.e8m0_bytes(np.float32([0])), ValueError, "powers of two"),
    (lambda: formats.e8m0_bytes(np.float32([-1])), ValueError, "powers of two"),
    (lambda: formats.read_bitsandbytes("NF4", **ARRAYS["bitsandbytes NF4"], shape=(2, 32)), ValueError,
     "whole blocks of 64.* got 32 inputs"),
    (lambda: formats.read_bitsandbytes("NF4", **ARRAYS["bitsandbytes NF4"], shape=(4, 64)), ValueError,
     "have 128 and 4 elements; got 64 and 2"),
    (lambda: formats.read_bitsandbytes("INT4", **ARRAYS["bitsandbytes NF4"], shape=SHAPE), ValueError,
     "kind is one of NF4, FP4"),
    (lambda: formats.read_mlx(**ARRAYS["mlx"] | {"biases": np.ones((2, 3), np.float32)}), ValueError,
     r"biases is \[2, 2\]; got \[2, 3\]"),
    (lambda: formats.read_mlx(**ARRAYS["mlx"] | {"words": np.ones((3, 8), np.uint32)}), ValueError, r"scales is \[3,"),
    (lambda: formats.read_gptq(INTS[0], INTS[1], np.ones((2, 24), np.float32)), ValueError, r"\[groups, 16\]"),
    (lambda: formats.read_gptq(INTS[0], INTS[1][:1], INTS[2]), ValueError, r"qzeros are \[2, 2\]"),
    (lambda: formats.read_gptq(INTS[0].astype(int), INTS[1], INTS[2]), TypeError, "int32 or uint32; got int64"),
    (lambda: formats.read_awq(INTS[0], INTS[1], INTS[2]), ValueError, r"\[groups, 128\]"),
    (lambda: formats.read_hqq(np.zeros((3, 16), np.uint8), np.ones(6), np.ones(6), (5, 16)), ValueError, "whole group"),
    (lambda: formats.read_hqq(np.zeros((3, 16), np.uint8), np.ones(5), np.ones(6), (6, 16)), ValueError, r"got \[5\]"),
    # as many elements, but in another order, or bits of 16-bit floats
    (lambda: formats.read_hqq(np.zeros((3, 16), np.uint8), np.ones((1, 6)), np.ones(6), (6, 16)), ValueError,
     r"scale is \[6, 1\], or the same along one axis; got \[1, 6\]"),
    (lambda: formats.read_hqq(np.zeros((3, 16), np.uint8), np.ones(6), np.ones(6, np.uint16), (6, 16)), TypeError,
     "zero holds float16 or .*; got uint16"),
    (lambda: formats.read_matmulnbits(np.zeros((3, 2, 16), np.uint8), np.ones((2, 3), np.float32)), ValueError,
     r"scales is \[3, 2\], or the same along one axis; got \[2, 3\]"),
    (lambda: formats.read_matmulnbits(np.zeros((3, 2, 16), np.uint8), np.ones(6, np.uint16)), TypeError,
     "scales holds float16 or .*; got uint16"),
    (lambda: formats.read_matmulnbits(np.zeros((3, 2, 16), np.uint8), np.ones(6), np.ones((1, 3), np.uint8)),
     ValueError, r"zero_points is \[3, 1\], or"),
    (lambda: formats.read_compressed_tensors(INTS[0], np.ones((8, 3), np.float32)), ValueError, r"scale is \[8,"),
    (lambda: formats.read_matmulnbits(np.zeros((3, 2, 16), np.uint8), np.ones(5, np.float32)), ValueError, r"\[3, 2\]"),
    (lambda: formats.read_matmulnbits(np.zeros((3, 2, 16), np.uint8), np.ones(6, np.float32), np.ones(4, np.uint8)),
     ValueError, r"\[3, 1\], or the same along one axis; got \[4\]"),
    (lambda: formats.write_gguf("Q4_0", ONE), ValueError, "codebook INT4_OFFSET; got UINT4"),
    (lambda: formats.write_gguf("Q4_1", ONE._replace(scale=np.float32([[0.1]]))), ValueError, "float16.* such as 0.1"),
    (lambda: formats.write_gguf("Q4_1", ONE._replace(group=16, scale=np.ones((1, 2)))), ValueError, "groups of 32"),
    (lambda: formats.write_gguf("Q4_K", ONE), ValueError, "block of Q4_K has 256 weights; got rows of 32"),
    (lambda: formats.write_gguf("Q4_K", Packed(np.zeros((1, 128), np.uint8), UINT4, np.float32([[1] * 7 + [2**-9]]),
                                               None, 32)), ValueError, "one float16 times 0 to 63"),
    (lambda: formats.write_gguf("IQ4_NL", ONE._replace(codebook=IQ4_NL, offset=ONE.scale)), ValueError, "no offsets"),
    (lambda: formats.write_gguf("Q4_1", ONE.codes), TypeError, "packed is a Packed; got ndarray"),
    (lambda: formats.write_bitsandbytes("NF4", ONE), ValueError, "codebook NF4"),
    (lambda: formats.write_awq(ONE._replace(offset=np.float32([[0.5]]))), ValueError, "zero point from 0 to 15"),
    (lambda: formats.write_gptq(ONE), ValueError, "zero point from 1 to 16"),
    (lambda: formats.write_mlx(ONE._replace(scale=np.ones((2, 2), np.float32))), ValueError, r"scale is \[1, 1\]"),
    (lambda: formats.write_bitsandbytes("NF4", Packed(ONE.codes, NF4, np.float32([[1]]), np.float32([[1]]), 32)),
     ValueError, "no offsets; got some"),
])
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()
