"""Fields, classes, ULPs and neighbours of every code of every format of up to 16 bits, against oracles that count and
search; boundaries of binary32 and binary64. All 2**32 codes of binary32: tests/accuracy."""

import math
import struct
from fractions import Fraction

import gfloat
import gfloat.formats
import lanewise as lw
import ml_dtypes
import numpy as np
import pytest
from format_oracles import GFLOAT, SMALL, codes_of, dtype_of, each_small, magnitudes_of, same, values_of, wide_samples
from lanewise import ieee754
from lanewise.ieee754 import BINARY16, BINARY32, BINARY64, FORMATS, FloatClass


@each_small
def test_values_agree_with_gfloat_and_format(format):
    info = getattr(gfloat.formats, f"format_info_{GFLOAT[format.name]}") if format.name in GFLOAT else None
    decoded = ieee754.decode(codes_of(format), format)
    step = 1 if format.width <= 8 else 37
    for code in range(0, 1 << format.width, step):
        # gfloat has no fnuz formats, nor e4m3 and e3m4 with infinities; ml_dtypes has
        expected = gfloat.decode_float(info, code).fval if info else float(values_of(format)[code])
        assert same(float(decoded[code]), expected)
        assert same(format.value(code), expected)


@pytest.mark.parametrize(("letter", "format"), [("e", BINARY16), ("f", BINARY32), ("d", BINARY64)])
def test_constants_agree_with_numpy_and_struct(letter, format):
    kind = np.finfo(format.native)
    assert (format.largest, format.smallest_normal, format.smallest_subnormal, format.epsilon) == tuple(
        float(v) for v in (kind.max, kind.tiny, kind.smallest_subnormal, kind.eps))
    for value in (format.largest, -1.5, format.smallest_subnormal, -math.inf):
        code = int.from_bytes(struct.pack(f">{letter}", value), "big")
        assert format.value(code) == value
        if math.isfinite(value):
            assert format.code_of(abs(Fraction(value)), value < 0) == code


def test_largest_exact_integers():
    assert [f.largest_exact_integer for f in FORMATS] == [
        2**53, 2**24, 2**11, 2**8, 8, 16, 8, 16, 16, 16, 15, 2, 8, 7, 4]
    for format in SMALL:
        whole = set(values_of(format).tolist())
        n = format.largest_exact_integer
        assert all(float(k) in whole for k in range(1, n + 1))
        assert float(n + 1) not in whole


@each_small
def test_fields_and_their_inverse(format):
    codes = codes_of(format)
    sign, exponent, mantissa = ieee754.decompose(codes, format=format)
    assert (sign.dtype, exponent.dtype, mantissa.dtype) == (np.uint8, format.exponent_dtype, format.code_dtype)
    for code in range(0, codes.size, 1 if format.width <= 8 else 11):
        bits = f"{code:0{format.width}b}"
        head = int(format.signed)
        fields = bits[:head] or "0", bits[head:head + format.exponent_bits], bits[head + format.exponent_bits:] or "0"
        assert [int(part, 2) for part in fields] == [int(sign[code]), int(exponent[code]), int(mantissa[code])]
    numbers = ieee754.compose(sign, exponent, mantissa, format)
    assert numbers.dtype == (format.native or format.code_dtype)
    assert np.array_equal(numbers.view(format.code_dtype), codes)


@each_small
def test_classes(format):
    codes, values = codes_of(format), values_of(format)
    tiny = (np.abs(values) < format.smallest_normal) & (values != 0)
    quiet = codes & (1 << max(format.mantissa_bits - 1, 0)) > 0
    expected = np.select(
        [np.isnan(values) & (quiet | (format.specials in ("nan", "fnuz"))), np.isnan(values), np.isinf(values),
         values == 0, tiny],
        [1, 0, np.where(values > 0, 9, 2), np.where(np.signbit(values), 5, 6), np.where(values > 0, 7, 4)],
        np.where(values > 0, 8, 3))
    assert np.array_equal(ieee754.classify(codes, format=format), expected)


@each_small
def test_ulps(format):
    codes, values = codes_of(format), values_of(format)
    units = ieee754.decode(ieee754.ulp(codes, format=format), format, dtype=np.float64)
    finite = np.isfinite(values)
    exponent = np.where(values[finite] == 0, format.smallest_exponent, np.frexp(values[finite])[1] - 1)
    exponent = np.maximum(exponent, format.smallest_exponent)
    assert np.array_equal(units[finite], np.ldexp(1.0, exponent - format.mantissa_bits))
    assert (units[np.isinf(values)] == np.inf).all()
    assert np.isnan(units[np.isnan(values)]).all()
    steps = np.diff(magnitudes_of(format))  # ... and it is the step to the next larger number
    assert np.array_equal(units[:steps.size], steps)


@each_small
def test_neighbours(format):
    codes, values = codes_of(format), values_of(format)
    up = ieee754.decode(ieee754.next_up(codes, format=format), format, dtype=np.float64)
    down = ieee754.decode(ieee754.next_down(codes, format=format), format, dtype=np.float64)
    ordered = np.unique(values[~np.isnan(values)])
    ordered = ordered if format.specials == "ieee" else ordered[np.isfinite(ordered)]
    known = ~np.isnan(values)
    place = np.searchsorted(ordered, values[known])
    assert np.array_equal(up[known], ordered[np.minimum(place + 1, ordered.size - 1)])
    assert np.array_equal(down[known], ordered[np.maximum(place - 1, 0)])
    assert np.isnan(up[~known]).all()
    assert np.isnan(down[~known]).all()
    if format.signed:  # a step to zero keeps its sign, where there is a -0
        smallest = np.array([1, 1 | format.sign_bit], format.code_dtype)
        assert ieee754.next_down(smallest[:1], format=format) == 0
        assert ieee754.next_up(smallest[1:], format=format) == (0 if format.specials == "fnuz" else format.sign_bit)


@each_small
def test_distances(format):
    codes, values = codes_of(format), values_of(format)
    ordered = np.unique(values[~np.isnan(values)])
    place = np.where(np.isnan(values), 0, np.searchsorted(ordered, values))
    if format.width <= 8:
        a, b = np.repeat(codes, codes.size), np.tile(codes, codes.size)
    else:
        a, b = np.random.default_rng(3).choice(codes, (2, 300_000))
    expected = np.abs(place[a] - place[b])
    nans = np.isnan(values[a]).astype(int) + np.isnan(values[b])
    expected = np.where(nans == 2, 0, np.where(nans == 1, 2**63 - 1, expected))
    distance = ieee754.ulp_distance(a, b, format=format)
    assert distance.dtype == np.int64
    assert np.array_equal(distance, expected)


@each_small
def test_exact_integers(format):
    values = values_of(format)
    with np.errstate(invalid="ignore"):
        expected = (values == np.floor(values)) & (np.abs(values) <= format.largest_exact_integer)
    found = ieee754.is_exact_integer(codes_of(format), format=format)
    assert found.dtype == np.bool_
    assert np.array_equal(found, expected)


@each_small
def test_numbers_of_the_dtype_work_as_their_codes(format):
    numbers = codes_of(format).view(dtype_of(format))
    for function in (ieee754.decompose, ieee754.classify, ieee754.is_exact_integer):
        assert np.array_equal(function(numbers), function(codes_of(format), format=format))
        assert np.array_equal(function(numbers, format=format), function(numbers))
    for function in (ieee754.ulp, ieee754.next_up, ieee754.next_down):
        found = function(numbers)
        assert found.dtype == numbers.dtype
        assert np.array_equal(found.view(format.code_dtype), function(codes_of(format), format=format))
    assert np.array_equal(ieee754.ulp_distance(numbers, numbers[::-1]),
                          ieee754.ulp_distance(codes_of(format), codes_of(format)[::-1], format=format))
    assert ieee754.format_of(numbers) is format


@pytest.mark.parametrize("format", [BINARY32, BINARY64], ids=lambda f: f.name)
def test_wide_formats_at_their_boundaries(format):
    codes = wide_samples(format)
    x = codes.view(format.native)
    finite = np.isfinite(x)
    sign, exponent, mantissa = ieee754.decompose(x)
    top = format.exponent_bits + format.mantissa_bits
    assert np.array_equal(sign, codes >> codes.dtype.type(top))
    assert np.array_equal(ieee754.compose(sign, exponent, mantissa, format).view(format.code_dtype), codes)
    assert np.array_equal(mantissa, codes & codes.dtype.type((1 << format.mantissa_bits) - 1))
    expected = np.array([math.ulp(v) for v in x[finite].tolist()])
    if format is BINARY32:
        expected = np.abs(np.nextafter(np.abs(x[finite]), np.float32(0)) - np.abs(x[finite])).astype(np.float64)
        power = (mantissa[finite] == 0) & (exponent[finite] > 1)
        expected = np.where(power, 2 * expected, np.where(x[finite] == 0, format.smallest_subnormal, expected))
    assert np.array_equal(ieee754.ulp(x)[finite].astype(np.float64), expected)
    assert (ieee754.ulp(x)[~np.isnan(x)] > 0).all()
    with np.errstate(over="ignore", invalid="ignore"):
        assert same(ieee754.next_up(x), np.nextafter(x, format.native.type(np.inf))).all()
        assert same(ieee754.next_down(x), np.nextafter(x, format.native.type(-np.inf))).all()
    ordered = [int(c) if not c & format.sign_bit else format.sign_bit - int(c) for c in codes.tolist()]
    a, b = np.random.default_rng(4).integers(0, codes.size, (2, 20_000))
    expected = [0 if np.isnan(x[i]) and np.isnan(x[j]) else 2**63 - 1 if np.isnan(x[i]) or np.isnan(x[j])
                else min(abs(ordered[i] - ordered[j]), 2**63 - 1) for i, j in zip(a, b, strict=True)]
    assert ieee754.ulp_distance(x[a], x[b]).tolist() == expected
    whole = [bool(np.isfinite(v)) and v == int(v) and abs(v) <= format.largest_exact_integer for v in x.tolist()]
    assert ieee754.is_exact_integer(x).tolist() == whole


def test_statistics_count_everything():
    rng = np.random.default_rng(8)
    for dtype in (np.float16, np.float32, np.float64, ml_dtypes.bfloat16):
        x = (rng.standard_normal((3, 50_001)) * 10.0 ** rng.integers(-8, 4, (3, 50_001))).astype(dtype)
        x[0, :5] = [0, -0.0, np.inf, -np.inf, np.nan]
        statistics = ieee754.field_statistics(x[:, ::-1])
        fields = ieee754.decompose(x)[1]
        assert np.array_equal(statistics.exponents, np.bincount(fields.ravel(), minlength=statistics.exponents.size))
        assert statistics.classes == {c: np.count_nonzero(ieee754.classify(x) == c) for c in FloatClass}
        assert all(sum(losses.values()) == x.size for losses in statistics.losses.values())
        sizes = np.abs(x[np.isfinite(x) & (np.abs(x) >= statistics.format.smallest_normal)].astype(np.float64))
        assert statistics.exponent_range == (math.frexp(sizes.min())[1] - 1, math.frexp(sizes.max())[1] - 1)
    assert ieee754.field_statistics(np.zeros(0, np.float32)).exponent_range is None
    assert ieee754.field_statistics(np.float16([65504, 2**-14])).exponent_range == (-14, 15)  # from end to end


def test_statistics_are_compared_whole():
    statistics = ieee754.field_statistics(np.float32([1, 2]))
    assert statistics == ieee754.field_statistics(np.float32([2, 1]))
    other_exponents = ieee754.field_statistics(np.float32([1, 4]))
    assert (statistics.classes, statistics.losses) == (other_exponents.classes, other_exponents.losses)
    assert statistics != other_exponents
    other_losses = ieee754.field_statistics(np.float32([1, 2.0000002]))
    assert statistics.classes == other_losses.classes
    assert np.array_equal(statistics.exponents, other_losses.exponents)
    assert statistics != other_losses
    assert statistics != ieee754.field_statistics(np.float32([1, -2]))
    assert statistics != ieee754.field_statistics(np.float16([1, 2]))
    assert statistics != 2


def test_ufunc_keywords():
    x = np.arange(12, dtype=np.float32).reshape(3, 4)
    x.flags.writeable = False
    out = np.zeros((3, 4), np.uint8)
    assert ieee754.classify(x, out=out) is out
    assert ieee754.classify(x, where=x > 5, out=np.zeros((3, 4), np.uint8))[0, 0] == 0
    assert ieee754.ulp_distance(x, x[:1]).shape == (3, 4)
    assert ieee754.ulp(np.float32(1)) == np.float32(2.0**-23)
    overlapping = np.arange(100, dtype=np.float32)
    expected = ieee754.next_up(overlapping[:-1].copy())
    assert np.array_equal(ieee754.next_up(overlapping[:-1], out=overlapping[1:]), expected)


def test_arrays_of_others_get_the_ufunc():
    class Array:
        def __array_ufunc__(self, ufunc, method, *inputs, **keywords):
            return ufunc, method

    ufunc, method = ieee754.classify(Array())
    assert isinstance(ufunc, np.ufunc)
    assert (ufunc.__name__, method) == ("classify", "__call__")


def test_threads_do_not_change_the_results():
    from lanewise.kernels import machine

    x = np.random.default_rng(0).integers(0, 1 << 32, 300_001, dtype=np.uint32).view(np.float32)
    found = []
    for threads in (1, 2, 3):
        machine.set_num_threads(threads)
        found.append((ieee754.encode(x, ieee754.FLOAT8_E4M3FN), ieee754.classify(x),
                      ieee754.ulp_distance(x, x[::-1])))
    for other in found[1:]:
        assert all(np.array_equal(a, b) for a, b in zip(found[0], other, strict=True))


def test_errors_say_what_was_given_and_expected():
    codes = np.zeros(3, np.uint8)
    with pytest.raises(ValueError, match=r"rounding='even' is unknown; expected one of nearest"):
        ieee754.encode(1.0, BINARY16, rounding="even")
    with pytest.raises(ValueError, match=r"overflow='wrap' is unknown; expected one of ieee, saturate"):
        ieee754.encode(1.0, BINARY16, overflow="wrap")
    with pytest.raises(TypeError, match="dtype float32 does not hold all of binary64"):
        ieee754.decode(codes, BINARY64, dtype=np.float32)
    with pytest.raises(TypeError, match="codes of binary16 are of dtype float32; expected uint16"):
        ieee754.ulp(np.float32([1]), format=BINARY16)
    with pytest.raises(ValueError, match="codes of float4_e2m1fn reach from -1 to 300; expected 0 to 255"):
        ieee754.decode([-1, 300], ieee754.FLOAT4_E2M1FN)
    with pytest.raises(TypeError, match="dtype int64 has no format here"):
        ieee754.format_of(np.arange(3))
    with pytest.raises(ValueError, match="'float7' is not a format"):
        ieee754.format_named("float7")
    with pytest.raises(ValueError, match="specials='some' is unknown"):
        ieee754.Format("mine", 4, 3, 7, "some")
    with pytest.raises(ValueError, match="mantissa bit"):
        ieee754.Format("mine", 4, 0, 7)
    for given, message in {("mine", "4", 3, 7): "exponent_bits is an int; got '4'",
                           ("mine", 4, 3.0, 7): r"mantissa_bits is an int; got 3\.0",
                           ("mine", 4, 3, None): "bias is an int; got None",
                           (8, 4, 3, 7): "the name of a format is a str; got 8"}.items():
        with pytest.raises(TypeError, match=message):
            ieee754.Format(*given)


def test_a_format_of_ones_own():
    e3m4 = ieee754.Format("float8_e3m4", 3, 4, 3)
    values = np.arange(256, dtype=np.uint8).view(ml_dtypes.float8_e3m4).astype(np.float32)
    assert same(ieee754.decode(np.arange(256, dtype=np.uint8), e3m4), values).all()
    x = np.random.default_rng(0).standard_normal(10_000, np.float32) * 9
    assert np.array_equal(ieee754.encode(x, e3m4), x.astype(ml_dtypes.float8_e3m4).view(np.uint8))


def test_the_folklore_issues_stay_solved():
    # ml_dtypes 56: distances in ULP for bfloat16; numpy 15331: a spacing that is never negative
    a, b = np.array([1.0, -1.0], ml_dtypes.bfloat16), np.array([1.0078125, 1.0], ml_dtypes.bfloat16)
    assert ieee754.ulp_distance(a, b).tolist() == [1, 2 * 0x3F80]
    for dtype in (np.float16, np.float32, np.float64, ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn):
        assert (ieee754.ulp(np.array([-1, -0.0, 1], dtype)) > 0).all()


def test_public_names_are_documented():
    for name in ieee754.__all__:
        thing = getattr(ieee754, name)
        assert thing.__doc__ or isinstance(thing, tuple)
    for function in (ieee754.ulp, ieee754.ulp_distance, ieee754.exponent_histogram):  # what docstrings share is there
        assert "\nformat : Format, optional\n    What the codes mean.\n" in function.__doc__
        assert "\nRaises\n------\nTypeError\n" in function.__doc__
        assert "{" not in function.__doc__
    assert lw.ieee754 is ieee754
