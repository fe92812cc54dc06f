"""Every code of every format of up to 16 bits in every operation, against oracles that count and search where the
kernels compute with bits; boundaries of binary32 and binary64. All 2**32 codes of binary32: tests/accuracy."""

import math
import struct
from fractions import Fraction

import gfloat
import gfloat.formats
import lanewise as lw
import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lanewise import ieee754
from lanewise.ieee754 import BFLOAT16, BINARY16, BINARY32, BINARY64, FORMATS, FloatClass, FloatLoss

SMALL = [f for f in FORMATS if f.width <= 16]
TINY = [f for f in FORMATS if f.width <= 8]
SIGNED = [f for f in SMALL if f.signed]
GFLOAT = {"binary16": "binary16", "bfloat16": "bfloat16", "float8_e5m2": "ocp_e5m2", "float8_e4m3fn": "ocp_e4m3",
          "float8_e8m0fnu": "ocp_e8m0", "float6_e3m2fn": "ocp_e3m2", "float6_e2m3fn": "ocp_e2m3",
          "float4_e2m1fn": "ocp_e2m1"}
each_small = pytest.mark.parametrize("format", SMALL, ids=lambda f: f.name)
each_signed = pytest.mark.parametrize("format", SIGNED, ids=lambda f: f.name)
each_wide = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def codes_of(format):
    return np.arange(1 << format.width, dtype=format.code_dtype)


def dtype_of(format):
    return format.native or np.dtype(getattr(ml_dtypes, format.name))


def values_of(format):
    # by NumPy and ml_dtypes, which know nothing of this package
    with np.errstate(invalid="ignore"):  # their casts raise the flag for a signalling NaN
        return codes_of(format).view(dtype_of(format)).astype(np.float64)


def magnitudes_of(format):
    # the finite numbers in order, by code; and one more, as if the range went on
    values = values_of(format)
    values = np.unique(np.abs(values[np.isfinite(values)]))
    return np.append(values, 2 * values[-1] if format.mantissa_bits == 0 else 2 * values[-1] - values[-2])


def boundaries(format, dtype):
    # each number, the middle to its neighbour, and what lies beside both
    values = magnitudes_of(format)
    points = np.concatenate([values, (values[1:] + values[:-1]) / 2, values[:2] / 4, [0, values[-1] * 1.25]])
    with np.errstate(over="ignore"):
        points = points.astype(dtype)
    points = points[np.isfinite(points)]
    kind = np.finfo(dtype)
    points = np.concatenate([points, np.nextafter(points, dtype(0)), np.nextafter(points[points < kind.max], kind.max),
                             [np.inf, kind.max, kind.tiny, kind.smallest_subnormal]])
    points = np.unique(points.astype(dtype))
    return np.concatenate([points, -points])


def searched(x, format, rounding, overflow):
    # rounding by looking for the neighbours
    x = x.astype(np.float64)
    values, size = magnitudes_of(format), np.abs(x)
    below = np.clip(np.searchsorted(values, size, side="right") - 1, 0, values.size - 1)
    above = np.minimum(below + 1, values.size - 1)
    rest, missing = size - values[below], values[above] - size
    if rounding == "nearest":
        odd = below % 2 == 1 if format.signed else True
        up = (rest > missing) | ((rest == missing) & odd & (rest > 0))
    else:
        up = (rest > 0) & {"zero": False, "up": x > 0, "down": x < 0}[rounding]
    code = below + (up & (below < values.size - 1))
    leads_away = {"nearest": True, "zero": False, "up": x > 0, "down": x < 0}[rounding] | np.isinf(x)
    limit = values.size - 1 if overflow == "ieee" and format.specials != "none" else values.size - 2
    code = np.minimum(code, np.where(leads_away, limit, values.size - 2))
    if format.signed:
        return code | np.where(np.signbit(x), format.sign_bit, 0)
    return np.where(x < 0, format.nan_code, np.where(x > 0, code, 0 if overflow == "saturate" else format.nan_code))


def same(a, b):
    # equal numbers with equal signs, or both NaN
    return (np.isnan(a) & np.isnan(b)) | ((a == b) & (np.signbit(a) == np.signbit(b)))


@each_small
def test_decode_gives_every_value(format):
    for dtype in np.float32, np.float64:
        assert same(ieee754.decode(codes_of(format), format, dtype=dtype).astype(np.float64), values_of(format)).all()


@each_small
def test_values_agree_with_gfloat_and_format(format):
    info = getattr(gfloat.formats, f"format_info_{GFLOAT[format.name]}")
    decoded = ieee754.decode(codes_of(format), format)
    step = 1 if format.width <= 8 else 37
    for code in range(0, 1 << format.width, step):
        expected = gfloat.decode_float(info, code).fval
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
    assert [f.largest_exact_integer for f in FORMATS] == [2**53, 2**24, 2**11, 2**8, 8, 16, 2, 8, 7, 4]
    for format in SMALL:
        whole = set(values_of(format).tolist())
        n = format.largest_exact_integer
        assert all(float(k) in whole for k in range(1, n + 1))
        assert float(n + 1) not in whole


@each_small
@each_wide
@pytest.mark.parametrize("overflow", ["ieee", "saturate"])
@pytest.mark.parametrize("rounding", ["nearest", "zero", "up", "down"])
def test_encode_at_every_boundary(format, dtype, rounding, overflow):
    x = boundaries(format, dtype)
    codes = ieee754.encode(x, format, rounding=rounding, overflow=overflow)
    expected = searched(x, format, rounding, overflow)
    wrong = np.flatnonzero(codes != expected)
    assert wrong.size == 0, [(float(x[i]).hex(), int(codes[i]), int(expected[i])) for i in wrong[:5]]
    error = ieee754.rounding_error(x, format, rounding=rounding, overflow=overflow)
    assert error.dtype == dtype
    with np.errstate(invalid="ignore", over="ignore"):
        expected = ieee754.decode(codes, format, dtype=dtype) - x
    assert np.array_equal(error, np.where(np.isinf(x) & np.isnan(expected) & np.isinf(ieee754.decode(codes, format)),
                                          0, expected), equal_nan=True)


@each_small
def test_encode_agrees_with_ml_dtypes(format):
    x = np.concatenate([boundaries(format, np.float32),
                        np.random.default_rng(1).integers(0, 1 << 32, 200_000, dtype=np.uint32).view(np.float32)])
    x = x[~np.isnan(x)]
    if format is ieee754.FLOAT8_E8M0FNU:  # ml_dtypes takes these to 2**-126, though 2**-127 is nearer
        x = x[(x <= 2.0**-127) | (x >= 1.5 * 2.0**-127)]
    with np.errstate(over="ignore", invalid="ignore"):
        expected = x.astype(dtype_of(format)).view(format.code_dtype)
    assert np.array_equal(ieee754.encode(x, format), expected)


@each_small
def test_encode_agrees_with_gfloat(format):
    modes = {"nearest": gfloat.RoundMode.TiesToEven, "zero": gfloat.RoundMode.TowardZero,
             "up": gfloat.RoundMode.TowardPositive, "down": gfloat.RoundMode.TowardNegative}
    if not format.signed:
        pytest.skip("gfloat breaks ties of powers of two by the exponent, IEEE 754 and ml_dtypes by the significand")
    info = getattr(gfloat.formats, f"format_info_{GFLOAT[format.name]}")
    x = np.random.default_rng(2).permutation(boundaries(format, np.float64))[:300]
    for rounding, mode in modes.items():
        for overflow in ("ieee", "saturate"):
            sat = overflow == "saturate" or format.specials == "none"
            expected = np.array([gfloat.round_float(info, float(v), mode, sat) for v in x])
            found = ieee754.encode(x, format, rounding=rounding, overflow=overflow)
            found = ieee754.decode(found, format, dtype=np.float64)
            assert same(found, expected).all(), (rounding, overflow, x[~same(found, expected)][:3])


@each_small
def test_codes_survive_a_trip_through_the_wide_formats(format):
    codes = codes_of(format)
    quiet = codes[ieee754.classify(codes, format=format) != FloatClass.SIGNALING_NAN]
    for dtype in np.float32, np.float64:
        wide = ieee754.decode(quiet, format, dtype=dtype)
        assert np.array_equal(ieee754.encode(wide, format), quiet)
        error = ieee754.rounding_error(wide, format)
        assert np.array_equal(error[~np.isnan(wide)], np.zeros((~np.isnan(wide)).sum()))


@each_small
def test_nan_becomes_nan_or_negative_zero(format):
    x = np.array([np.nan, -np.nan, 0], np.float32)
    x[2:] = np.array([0x7F800001], np.uint32).view(np.float32)
    for rounding in ("nearest", "zero", "up", "down"):
        codes = ieee754.encode(x, format, rounding=rounding)
        if format.nan_code is None:
            assert (codes == format.sign_bit).all()
        else:
            assert (ieee754.classify(codes, format=format) == FloatClass.QUIET_NAN).all()
            assert (codes[1] & format.sign_bit) == format.sign_bit


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
        [np.isnan(values) & (quiet | (format.specials == "nan")), np.isnan(values), np.isinf(values), values == 0,
         tiny],
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
    if format.signed:  # a step to zero keeps its sign
        smallest = np.array([1, 1 | format.sign_bit], format.code_dtype)
        assert ieee754.next_down(smallest[:1], format=format) == 0
        assert ieee754.next_up(smallest[1:], format=format) == format.sign_bit


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


def wide_samples(format):
    # every exponent with mantissas at the ends and in the middle, of both signs
    fields = np.arange(1 << format.exponent_bits, dtype=np.uint64)
    top = (1 << format.mantissa_bits) - 1
    mantissas = np.array([0, 1, 2, top // 2, top // 2 + 1, top - 1, top, 0x5555555555555 & top], np.uint64)
    codes = (fields[:, None] << np.uint64(format.mantissa_bits) | mantissas).ravel()
    return np.concatenate([codes, codes | np.uint64(format.sign_bit)]).astype(format.code_dtype)


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


def test_binary64_into_binary32():
    narrow = wide_samples(BINARY32).view(np.float32)
    x = np.concatenate([wide_samples(BINARY64).view(np.float64), boundaries(BINARY16, np.float64)])
    x = np.concatenate([x[~np.isnan(x)], narrow[~np.isnan(narrow)].astype(np.float64)])
    with np.errstate(over="ignore"):
        x = np.concatenate([x, np.nextafter(x, 0), x * (1 + 2.0**-24), x * (1 + 2.0**-24 + 2.0**-52)])
    with np.errstate(over="ignore"):
        expected = x.astype(np.float32)
    assert np.array_equal(ieee754.encode(x, BINARY32), expected.view(np.uint32))
    wide = ieee754.decode(expected.view(np.uint32), BINARY32, dtype=np.float64)
    assert np.array_equal(wide, expected.astype(np.float64))
    toward_zero = ieee754.encode(x, BINARY32, rounding="zero").view(np.float32).astype(np.float64)
    assert (np.abs(toward_zero[np.isfinite(x)]) <= np.abs(x[np.isfinite(x)])).all()
    assert (ieee754.encode(x, BINARY64).view(np.float64) == x).all()


@each_signed
@each_wide
def test_stochastic_rounding_goes_up_as_often_as_it_should(format, dtype):
    values = magnitudes_of(format)[:-1]
    n = 1 << 14
    for low in (0, 1, values.size // 2, values.size - 2):
        for share in (0.0, 0.125, 0.75):
            x = np.full(n, values[low] + share * (values[low + 1] - values[low]), dtype)
            for sign in (1, -1):
                codes = ieee754.encode(sign * x, format, rounding="stochastic", seed=7) & ~np.uint64(format.sign_bit)
                up = (codes == low + 1).mean()
                assert set(np.unique(codes).tolist()) <= {low, low + 1}
                assert abs(up - share) < 5 * math.sqrt(share * (1 - share) / n) + 1e-9
    far_below = np.full(1 << 22, values[1] * 2.0**-18).astype(dtype)
    if far_below[0]:
        assert 2 <= np.count_nonzero(ieee754.encode(far_below, format, rounding="stochastic", seed=1)) <= 40


def test_stochastic_rounding_repeats_and_needs_a_seed():
    x = np.random.default_rng(0).standard_normal((40, 500), np.float32)
    first = ieee754.encode(x, BFLOAT16, rounding="stochastic", seed=5)
    assert np.array_equal(first, ieee754.encode(x, BFLOAT16, rounding="stochastic", seed=5))
    assert not np.array_equal(first, ieee754.encode(x, BFLOAT16, rounding="stochastic", seed=6))
    with pytest.raises(ValueError, match="needs a seed"):
        ieee754.encode(x, BFLOAT16, rounding="stochastic")
    with pytest.raises(ValueError, match="not evenly spaced"):
        ieee754.encode(x, ieee754.FLOAT8_E8M0FNU, rounding="stochastic", seed=1)


def test_losses():
    for format in SMALL:
        x = np.concatenate([boundaries(format, np.float32), np.float32([np.nan])])
        rounded = ieee754.decode(ieee754.encode(x, format), format).astype(np.float64)
        saturates = format.specials == "none"
        out = np.abs(x) >= magnitudes_of(format)[-2:].mean() if saturates else ~np.isfinite(rounded)
        subnormal = np.abs(rounded) < format.smallest_normal
        expected = np.select([~np.isfinite(x), out, rounded == x, rounded == 0, subnormal],
                             [FloatLoss.NOT_FINITE, FloatLoss.OUT_OF_RANGE, FloatLoss.EXACT, FloatLoss.ROUNDED_TO_ZERO,
                              FloatLoss.ROUNDED_SUBNORMAL], FloatLoss.ROUNDED)
        statistics = ieee754.field_statistics(x, formats=[format])
        for loss in FloatLoss:
            assert statistics.losses[format][loss] == np.count_nonzero(expected == loss), (format, loss)


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


@pytest.mark.parametrize("n", [0, 1, 2, 7, 8])
def test_packing(n):
    codes = np.random.default_rng(n).integers(0, 16, (3, n), dtype=np.uint8)
    packed = ieee754.pack(codes)
    assert packed.shape == (3, (n + 1) // 2)
    for row in range(3):
        for i in range(n):
            assert packed[row, i // 2] >> (4 * (i % 2)) & 15 == codes[row, i]
    assert np.array_equal(ieee754.unpack(packed, n), codes)
    with pytest.raises(ValueError, match="bytes"):
        ieee754.unpack(packed, n + 2)


@settings(deadline=None)  # one by one takes as long as the machine is busy
@given(st.integers(0, 700), st.integers(1, 3), st.sampled_from(FORMATS), st.integers(0, 2**32 - 1))
def test_results_depend_on_nothing_but_the_number(n, step, format, seed):
    x = np.random.default_rng(seed).integers(0, 1 << 32, (n + 3) * step, dtype=np.uint32).view(np.float32)
    x = ieee754.decode(x.view(np.uint32), BINARY32, dtype=np.float64 if format is BINARY64 else np.float32)
    part = x[step::step][:n]
    codes = ieee754.encode(part, format)
    one_by_one = np.array([ieee754.encode(v, format) for v in part], format.code_dtype)
    assert np.array_equal(codes, one_by_one)
    strided = codes[::-1]
    assert np.array_equal(ieee754.decode(strided, format), ieee754.decode(codes, format)[::-1], equal_nan=True)
    for function in (ieee754.ulp, ieee754.next_up, ieee754.classify):
        assert np.array_equal(function(strided, format=format)[::-1], function(codes, format=format))


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
    assert isinstance(ieee754._on_numbers("classify"), np.ufunc)


def test_threads_do_not_change_the_results():
    from lanewise.kernels import machine

    x = np.random.default_rng(0).integers(0, 1 << 32, 300_001, dtype=np.uint32).view(np.float32)
    before = machine.get_num_threads()
    found = []
    try:
        for threads in (1, 2, 3):
            machine.set_num_threads(threads)
            found.append((ieee754.encode(x, ieee754.FLOAT8_E4M3FN), ieee754.classify(x),
                          ieee754.ulp_distance(x, x[::-1])))
    finally:
        machine.set_num_threads(before)
    for other in found[1:]:
        assert all(np.array_equal(a, b) for a, b in zip(found[0], other, strict=True))


def test_errors_say_what_was_given_and_expected():
    codes = np.zeros(3, np.uint8)
    with pytest.raises(ValueError, match=r"rounding='odd' is unknown; expected one of nearest"):
        ieee754.encode(1.0, BINARY16, rounding="odd")
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
        assert getattr(ieee754, name).__doc__ or isinstance(getattr(ieee754, name), tuple)
    assert lw.ieee754 is ieee754
