"""Blocks that share a scale: what torchao and microxcaling make of the same numbers (tests/make_mx_values.py), every
code by ml_dtypes, and the corners that the OCP specification leaves open."""

import json
from fractions import Fraction
from pathlib import Path

import lanewise as lw
import ml_dtypes
import numpy as np
import pytest
from lanewise import ieee754
from lanewise.ieee754.blocks import BLOCKS
from make_mx_values import TINY, X

MADE = json.loads(Path(__file__).with_name("mx_values.json").read_text())
MX = [name for name in BLOCKS if name != "nvfp4"]
each_mx = pytest.mark.parametrize("name", MX)


def of_bytes(text, dtype, shape):
    return np.frombuffer(bytes.fromhex(text), dtype).reshape(shape)


@pytest.mark.parametrize("name", MADE["torchao"]["made"])
def test_torchao_has_the_same_codes(name):
    made = MADE["torchao"]["made"][name]
    if name == "nvfp4":
        x = X[made["rows"]]
        (tensor_scale,) = of_bytes(made["tensor_scale"], np.float32, 1)
        codes, scales, found = ieee754.mx_encode(x, name)
        assert found == tensor_scale
        again = ieee754.mx_encode(x, name, tensor_scale=tensor_scale)
        assert again[0].tobytes() == codes.tobytes()
        assert (scales == of_bytes(made["scales"], np.uint8, scales.shape)).all()
        assert (codes == of_bytes(made["codes"], np.uint8, codes.shape)).all()
        return
    codes, scales = ieee754.mx_encode(X, name)
    assert (scales == of_bytes(made["scales"], np.uint8, scales.shape)).all()
    known = np.repeat(scales != 255, 32, -1)  # all else is NaN, whatever the codes
    assert (codes == of_bytes(made["codes"], np.uint8, codes.shape))[known].all()
    values = of_bytes(made["values"], np.float32, X.shape)
    np.testing.assert_array_equal(ieee754.mx_decode(codes, scales, name), values)


@each_mx
@pytest.mark.parametrize("rounding", ["nearest", "half_away", "zero"])
def test_microxcaling_has_the_same_values(name, rounding):
    x = np.r_[X, TINY]
    expected = of_bytes(MADE["microxcaling"]["made"][f"{name} {rounding}"], np.float32, x.shape)
    codes, scales = ieee754.mx_encode(x, name, rounding=rounding)
    np.testing.assert_array_equal(ieee754.mx_decode(codes, scales, name), expected)


@each_mx
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_every_code_and_scale(name, dtype):
    element = BLOCKS[name].element
    codes = np.arange(1 << element.width, dtype=np.uint8)
    scales = np.arange(256, dtype=np.uint8)
    blocks = np.resize(codes, (256, 256))
    dtype_of_codes = np.int8 if name == "mxint8" else getattr(ml_dtypes, element.name)
    values = codes.view(dtype_of_codes).astype(float) / (64 if name == "mxint8" else 1)
    powers = scales.view(ml_dtypes.float8_e8m0fnu).astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        expected = (np.resize(values, (256, 256)) * powers[:, None]).astype(dtype)
    found = ieee754.mx_decode(blocks, np.repeat(scales[:, None], 8, 1), name, dtype=dtype)
    np.testing.assert_array_equal(found, expected)
    assert (np.signbit(found) == np.signbit(expected))[~np.isnan(expected)].all()


@each_mx
def test_encoding_is_the_specification_in_numpy(name):
    # OCP Microscaling 1.0, section 6.3
    element, rng = BLOCKS[name].element, np.random.default_rng(5)
    for dtype in np.float32, np.float64:
        x = (rng.standard_normal((50, 96)) * 2.0 ** rng.integers(-100, 100, (50, 1))).astype(dtype)
        codes, scales = ieee754.mx_encode(x, name)
        top = np.abs(x.reshape(50, 3, 32)).max(-1)
        power = np.clip(np.frexp(top)[1] - 1 - element.largest_exponent, -127, 127)
        assert (scales == power + 127).all()
        scaled = np.ldexp(x.astype(np.float64), -np.repeat(power, 32, 1))
        if name == "mxint8":
            expected = np.clip(np.rint(scaled * 64), -127, 127).astype(np.int8).view(np.uint8)
        else:
            expected = ieee754.encode(scaled, element, overflow="saturate")
        assert (codes == expected).all()


@each_mx
def test_corners(name):
    largest = BLOCKS[name].element.largest
    # zeros, of both signs
    codes, scales = ieee754.mx_encode(np.array([0.0, -0.0] * 16), name)
    assert scales == 0
    assert (ieee754.mx_decode(codes, scales, name) == 0).all()
    # a NaN or an infinity takes its block with it, and no other
    for poison in np.nan, np.inf, -np.inf:
        x = np.ones(80, np.float32)
        x[33] = poison
        codes, scales = ieee754.mx_encode(x, name)
        assert scales.tolist()[1] == 255
        y = ieee754.mx_decode(codes, scales, name)
        assert np.isnan(y[32:64]).all()
        assert (y[:32] == 1).all()
        assert (y[64:] == 1).all()
    # subnormals: below the smallest scale the elements have fewer bits, down to their own smallest
    x = np.array([1e-45, -3e-39, 2e-38], np.float32)
    y = ieee754.mx_decode(*ieee754.mx_encode(x, name), name)
    np.testing.assert_allclose(y, x, rtol=0, atol=2.0**-127 * max(2.0**-8, largest * 2.0**-3))
    # the largest float32, and float64 beyond all blocks
    x = np.array([np.finfo(np.float32).max, 1.0], np.float32)
    y = ieee754.mx_decode(*ieee754.mx_encode(x, name), name)
    assert x[0] / 2 < y[0] <= x[0]
    codes, scales = ieee754.mx_encode([1e300, -1e300], name)
    assert scales == 254
    assert ieee754.mx_decode(codes, scales, name, dtype="f8").tolist() == [largest * 2.0**127, -largest * 2.0**127]


@pytest.mark.parametrize("name", BLOCKS)
@pytest.mark.parametrize("n", [1, 5, 16, 31, 33, 64, 100])
def test_partial_blocks_strides_and_dtypes(name, n):
    x = np.random.default_rng(n).standard_normal((3, 2, n)).astype(np.float32)
    made = ieee754.mx_encode(x, name)
    size = BLOCKS[name].size
    padded = np.zeros((3, 2, -(-n // size) * size), np.float32)
    padded[..., :n] = x
    whole = ieee754.mx_encode(padded, name)
    assert (made[0] == whole[0][..., :n]).all()
    assert (made[1] == whole[1]).all()
    assert made[1].shape == (3, 2, -(-n // size))
    apart = np.zeros((3, 2, 2 * n), np.float32)[..., ::2]
    apart[...] = x
    for given in (apart, x.astype(">f4"), np.asfortranarray(x)):
        assert ieee754.mx_encode(given, name)[0].tobytes() == made[0].tobytes()
    halves = x.astype(np.float16)
    assert ieee754.mx_encode(halves, name)[0].tobytes() == ieee754.mx_encode(
        halves.astype(np.float32), name)[0].tobytes()
    options = {"tensor_scale": made[2]} if name == "nvfp4" else {}
    y = ieee754.mx_decode(made[0], made[1], name, **options)
    assert np.abs(y - x).max() <= np.abs(x).max() / 4
    element, scale = BLOCKS[name].element.dtype, BLOCKS[name].scale.dtype
    if name != "mxint8":
        assert ieee754.mx_decode(made[0].view(element), made[1].view(scale), name, **options).tobytes() == y.tobytes()


@pytest.mark.parametrize("name", BLOCKS)
def test_blocks_along_another_axis(name):
    x = np.random.default_rng(2).standard_normal((40, 3, 35)).astype(np.float32)
    for axis in 0, 1, -3, 2:
        codes, scales, *rest = ieee754.mx_encode(x, name, axis=axis)
        last_codes, last_scales, *last_rest = ieee754.mx_encode(np.moveaxis(x, axis, -1), name)
        np.testing.assert_array_equal(codes, np.moveaxis(last_codes, -1, axis))
        np.testing.assert_array_equal(scales, np.moveaxis(last_scales, -1, axis))
        assert rest == last_rest
        assert codes.flags.c_contiguous
        assert scales.flags.c_contiguous
        options = {"tensor_scale": rest[0]} if rest else {}
        y = ieee754.mx_decode(codes, scales, name, axis=axis, **options)
        last = ieee754.mx_decode(last_codes, last_scales, name, **options)
        np.testing.assert_array_equal(y, np.moveaxis(last, -1, axis))
        assert y.flags.c_contiguous


def test_threads_change_no_bit():
    x = np.random.default_rng(0).standard_normal((500, 1000)).astype(np.float32)
    found = []
    for threads in 1, 2:
        lw.set_num_threads(threads)
        for name in BLOCKS:
            codes, scales, *rest = ieee754.mx_encode(x, name)
            found.append((threads, codes.tobytes(), scales.tobytes(),
                          ieee754.mx_decode(codes, scales, name, tensor_scale=rest[0] if rest else None).tobytes()))
    assert [each[1:] for each in found[:7]] == [each[1:] for each in found[7:]]


def test_two_scales():
    x = np.random.default_rng(1).standard_normal((4, 64)).astype(np.float32)
    x[0, :16] = 0
    x[1, 3] = np.nan
    x[2, 20] = np.inf
    codes, scales, tensor_scale = ieee754.mx_encode(x, "nvfp4")
    assert tensor_scale == np.float32(np.abs(x[np.isfinite(x)]).max()) / np.float32(2688)
    assert scales[0, 0] == ieee754.FLOAT8_E4M3FN.code_of(Fraction(1, 64))
    y = ieee754.mx_decode(codes, scales, "nvfp4", tensor_scale=tensor_scale)
    assert (y[0, :16] == 0).all()
    assert np.isnan(y[1, :16]).all()
    assert np.isnan(y[2, 16:32]).all()
    rest = ~np.isnan(y)
    assert rest.sum() == 4 * 64 - 32
    assert np.abs(y - x)[rest].max() <= np.abs(x[rest]).max() / 6
    wide = ieee754.mx_encode(x.astype(np.float64), "nvfp4")
    assert (wide[1] == scales).all()
    assert ieee754.mx_encode(np.zeros(16), "nvfp4")[2] == 1


@pytest.mark.parametrize(("call", "error", "message"), [
    (lambda: ieee754.mx_encode([1.0], "mxfp5"), ValueError, "'mxfp5' is no format of blocks; expected one of"),
    (lambda: ieee754.mx_encode([1.0], ieee754.FLOAT8_E5M2), TypeError, "mx_encode: format is a name"),
    (lambda: ieee754.mx_encode(1.0, "mxfp4"), ValueError, "x has no axis of blocks"),
    (lambda: ieee754.mx_encode(["a"], "mxfp4"), TypeError, "numbers of dtype <U1"),
    (lambda: ieee754.mx_encode([1.0], "mxfp4", rounding="up"), ValueError, "rounding='up' is unknown; expected"),
    (lambda: ieee754.mx_encode([1.0], "mxfp4", tensor_scale=2.0), ValueError, "tensor_scale is of nvfp4; mxfp4"),
    (lambda: ieee754.mx_encode([1.0], "nvfp4", tensor_scale=0.0), ValueError, "must be a finite float32 above 0"),
    (lambda: ieee754.mx_encode([1.0], "nvfp4", tensor_scale=1e39), ValueError, "finite float32 above 0, not inf"),
    (lambda: ieee754.mx_encode([1.0], "nvfp4", tensor_scale="1"), TypeError, "tensor_scale must be a number, not '1'"),
    (lambda: ieee754.mx_encode(np.ma.masked_array([1.0], [True]), "mxfp4"), TypeError, "x is a masked array"),
    (lambda: ieee754.mx_decode([1.5], [1], "mxfp4"), TypeError, "codes are of dtype float64; expected uint8"),
    (lambda: ieee754.mx_decode([300], [1], "mxfp4"), ValueError, "codes reach from 0 to 300; expected 0 to 255"),
    (lambda: ieee754.mx_decode([1], [1, 2], "mxfp4"), ValueError, r"scales of shape \(2,\) do not fit codes"),
    (lambda: ieee754.mx_decode([1], [1], "mxfp4", dtype="f2"), TypeError, "dtype must be float32 or float64, not"),
    (lambda: ieee754.mx_decode([1], [1], "mxfp4", tensor_scale=1.0), ValueError, "tensor_scale is of nvfp4"),
    (lambda: ieee754.mx_decode(1, 1, "mxfp4"), ValueError, "codes have no axis of blocks"),
    (lambda: ieee754.mx_encode([1.0], "mxfp4", axis=1), ValueError, "mx_encode: axis 1 is out of range for x of shape"),
    (lambda: ieee754.mx_encode([1.0], "mxfp4", axis=None), TypeError, "mx_encode: axis must be an int, not None"),
    (lambda: ieee754.mx_decode([[1], [2]], [[1], [1]], "mxfp4", axis=0), ValueError, r"expected \(1, 1\)"),
])
def test_what_is_refused(call, error, message):
    with pytest.raises(error, match=message):
        call()


INTEGERS = {"int4": (-8, 7), "uint4": (0, 15), "int2": (-2, 1), "uint2": (0, 3)}


@pytest.mark.parametrize("name", INTEGERS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_integers_of_few_bits(name, dtype):
    least, most = INTEGERS[name]
    whole = np.arange(least, most + 1)
    codes = (whole & ((1 << ieee754.format_named(name).width) - 1)).astype(np.uint8)
    assert (ieee754.decode(codes, name, dtype=dtype) == whole).all()
    assert (ieee754.decode(whole.astype(getattr(ml_dtypes, name)), name, dtype=dtype) == whole).all()
    assert [ieee754.format_named(name).value(code) for code in codes] == whole.tolist()
    x = np.r_[np.arange(-80, 80) / 4, 1e-30, -1e-30, 1e30, -1e30, np.inf, -np.inf, 8.4999, 1e9].astype(dtype)
    x = np.concatenate([x, np.nextafter(x, dtype(0)), np.nextafter(x, dtype(9))])
    ways = {"nearest": np.rint, "half_away": lambda v: np.copysign(np.floor(np.abs(v) + 0.5), v), "zero": np.trunc,
            "up": np.ceil, "down": np.floor,
            "odd": lambda v: np.where(v == np.trunc(v), v, np.trunc(v) + np.where(np.trunc(v) % 2 == 0, np.sign(v), 0))}
    for rounding, rounded in ways.items():
        expected = np.clip(rounded(np.clip(x.astype(np.longdouble), -1000, 1000)), least, most).astype(np.float64)
        found = ieee754.encode(x, name, rounding=rounding)
        assert found.dtype == np.uint8
        np.testing.assert_array_equal(ieee754.decode(found, name, dtype=np.float64), expected, err_msg=rounding)
        error = ieee754.rounding_error(x, name, rounding=rounding)
        known = np.isfinite(x)
        np.testing.assert_array_equal(error[known], (expected - x)[known].astype(dtype))
    assert (ieee754.encode(np.array([np.nan, -np.nan]), name) == 0).all()
    halves = ieee754.decode(ieee754.encode(np.full(10_000, 0.25), name, rounding="stochastic", seed=1), name)
    assert abs(halves.mean() - 0.25) < 0.02
    if name.endswith("4"):
        assert ieee754.encode(whole, name, packed=True).shape == (8,)
        assert (ieee754.decode(ieee754.encode(whole, name, packed=True), name, packed=True) == whole).all()


def test_integers_have_no_fields():
    for call in (ieee754.decompose, ieee754.classify, ieee754.ulp, ieee754.next_up, ieee754.is_exact_integer):
        with pytest.raises(ValueError, match="int4 is a format of integers; expected one of floating-point numbers"):
            call(np.array([1], np.uint8), format="int4")
    with pytest.raises(ValueError, match="int2 is a format of integers"):
        ieee754.describe(1.0, "int2")
    with pytest.raises(ValueError, match="integers have one exponent bit"):
        ieee754.Format("int9", 2, 6, 1, "integer")


def test_the_formats_without_negative_zero():
    for name in "float8_e4m3fnuz", "float8_e5m2fnuz", "float8_e4m3b11fnuz":
        format = ieee754.format_named(name)
        assert ieee754.encode(np.array([0.0, -0.0, -1e-30, np.nan, -np.nan]), format).tolist() == [0, 0, 0, 128, 128]
        smallest = np.array([1, 0x81], np.uint8)
        assert ieee754.next_down(smallest, format=format).tolist() == [0, 0x82]
        assert ieee754.next_up(smallest, format=format).tolist() == [2, 0]
        assert ieee754.next_down(np.uint8(0), format=format) == 0x81
        assert ieee754.next_up(np.array([0x80, 0x7F], np.uint8), format=format).tolist() == [0x80, 0x7F]
        assert ieee754.ulp_distance(np.uint8(0x81), np.uint8(1), format=format) == 2
        assert ieee754.ulp_distance(np.uint8(0x80), np.uint8(0x80), format=format) == 0
        assert format.nan_code == 0x80
        assert np.isnan(format.value(0x80))
        assert format.infinity_code is None


def test_integers_are_rounded_once():
    unit = 2**59  # the scale of a block whose largest is 6 of these
    x = np.array([6 * unit, 5 * unit // 2 + 1, 5 * unit // 2, 5 * unit // 2 - 1, -5 * unit // 2 - 1])
    expected = np.array([6, 3, 2, 2, -3]) * float(unit)
    for given in (x, x.astype(x.dtype.newbyteorder()), x.tolist()):
        assert (ieee754.mx_decode(*ieee754.mx_encode(given, "mxfp4"), "mxfp4") == expected).all()
