"""Rounding into every format of up to 16 bits and back: at every boundary by searching for the neighbours, against
ml_dtypes and gfloat, stochastically, and packed. All 2**32 codes of binary32: tests/accuracy."""

import math
from decimal import Decimal
from fractions import Fraction

import gfloat
import gfloat.formats
import numpy as np
import pytest
from format_oracles import (
    GFLOAT,
    SMALL,
    boundaries,
    codes_of,
    dtype_of,
    each_signed,
    each_small,
    each_wide,
    magnitudes_of,
    same,
    searched,
    values_of,
    wide_samples,
)
from hypothesis import given
from hypothesis import strategies as st
from lanewise import ieee754
from lanewise.ieee754 import BFLOAT16, BINARY16, BINARY32, BINARY64, FLOAT4_E2M1FN, FORMATS, FloatClass, FloatLoss
from lanewise.kernels.operands import number_in, rounded_to


@each_small
def test_decode_gives_every_value(format):
    for dtype in np.float32, np.float64:
        assert same(ieee754.decode(codes_of(format), format, dtype=dtype).astype(np.float64), values_of(format)).all()


@each_small
@each_wide
@pytest.mark.parametrize("overflow", ["ieee", "saturate"])
@pytest.mark.parametrize("rounding", ["nearest", "half_away", "zero", "odd", "up", "down"])
def test_encode_at_every_boundary(format, dtype, rounding, overflow):
    x = boundaries(format, dtype)
    if rounding == "odd" and not format.has_subnormals:
        with pytest.raises(ValueError, match="rounding to odd into float8_e8m0fnu is not defined"):
            ieee754.encode(x, format, rounding=rounding)
        return
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
    modes = {"nearest": gfloat.RoundMode.TiesToEven, "half_away": gfloat.RoundMode.TiesToAway,
             "zero": gfloat.RoundMode.TowardZero, "up": gfloat.RoundMode.TowardPositive,
             "down": gfloat.RoundMode.TowardNegative}
    if not format.signed:
        pytest.skip("gfloat breaks ties of powers of two by the exponent, IEEE 754 and ml_dtypes by the significand")
    if format.name not in GFLOAT:
        pytest.skip("gfloat has no such format")
    info = getattr(gfloat.formats, f"format_info_{GFLOAT[format.name]}")
    x = np.random.default_rng(2).permutation(boundaries(format, np.float64))[:300]
    for rounding, mode in modes.items():
        for overflow in ("ieee", "saturate"):
            sat = overflow == "saturate" or format.specials == "none"
            expected = np.array([gfloat.round_float(info, float(v), mode, sat) for v in x])
            if rounding == "half_away":  # gfloat 0.5.2 takes the number before half the smallest for half of it
                before = np.abs(x) == np.nextafter(format.smallest_subnormal / 2, 0)
                expected[before] = np.copysign(0.0, x[before])
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
    for rounding in ("nearest", "half_away", "zero", "odd", "up", "down"):
        if rounding == "odd" and not format.has_subnormals:
            continue
        codes = ieee754.encode(x, format, rounding=rounding)
        if format.nan_code is None:
            assert (codes == format.sign_bit).all()
        else:
            assert (ieee754.classify(codes, format=format) == FloatClass.QUIET_NAN).all()
            assert (codes[1] & format.sign_bit) == format.sign_bit


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


@pytest.mark.parametrize("n", [0, 1, 2, 7, 8, 1001])
def test_packing(n):
    codes = np.random.default_rng(n).integers(0, 16, (3, n), dtype=np.uint8)
    packed = ieee754.pack(codes)
    assert packed.shape == (3, (n + 1) // 2)
    for row in range(3):
        for i in range(n):
            assert packed[row, i // 2] >> (4 * (i % 2)) & 15 == codes[row, i]
    assert np.array_equal(ieee754.unpack(packed, n), codes)
    with pytest.raises(ValueError, match=f"n={n + 2} codes take {(n + 3) // 2} bytes; packed has {(n + 1) // 2}"):
        ieee754.unpack(packed, n + 2)


@pytest.mark.parametrize("n", [0, 1, 2, 7, 8, 1001])
def test_packed_codes_round_as_single_ones(n):
    x = np.random.default_rng(n).normal(0, 3, (2, 3, n)).astype(np.float32)
    for options in ({}, {"rounding": "up"}, {"rounding": "stochastic", "seed": 3}):
        codes = ieee754.encode(x, FLOAT4_E2M1FN, **options)
        packed = ieee754.encode(x, FLOAT4_E2M1FN, packed=True, **options)
        assert np.array_equal(packed, ieee754.pack(codes))
        for dtype in (np.float32, np.float64):
            values = ieee754.decode(packed, FLOAT4_E2M1FN, packed=True, n=n, dtype=dtype)
            assert values.dtype == dtype
            assert np.array_equal(values, ieee754.decode(codes, FLOAT4_E2M1FN))
    out = np.empty((2, 3, n), np.float32)
    assert ieee754.decode(packed, FLOAT4_E2M1FN, packed=True, n=n, out=out) is out
    if n % 2:  # without n, the spare half of the last byte counts too
        assert ieee754.decode(packed, FLOAT4_E2M1FN, packed=True).shape == (2, 3, n + 1)


def test_packing_errors():
    with pytest.raises(ValueError, match="packed codes have four bits; those of float8_e5m2 have 8"):
        ieee754.encode(np.ones(4), ieee754.FLOAT8_E5M2, packed=True)
    with pytest.raises(ValueError, match="packed codes have four bits; those of binary16 have 16"):
        ieee754.decode(np.zeros(4, np.uint8), BINARY16, packed=True)
    with pytest.raises(ValueError, match="n=3 counts packed codes; expected packed=True with it"):
        ieee754.decode(np.zeros(3, np.uint8), FLOAT4_E2M1FN, n=3)
    with pytest.raises(TypeError, match="packed codes are of dtype float64; expected uint8"):
        ieee754.decode(np.zeros(3), FLOAT4_E2M1FN, packed=True)
    with pytest.raises(ValueError, match="between 0 and 15; got 16"):
        ieee754.pack([3, 16])


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


LARGE = [2**54 + 2**30 + 1, 2**53 + 1, 2**63 - 1, 2**62 + 2**38, 2**62 + 2**38 + 1, 2**54 + 3 * 2**30 - 1, 2**60 + 7]


@pytest.mark.parametrize("rounding", ["nearest", "zero", "up", "down"])
@pytest.mark.parametrize("format", [BINARY32, BFLOAT16, BINARY16])
def test_integers_are_rounded_once(format, rounding):
    """From the integer itself, where float64 does not hold it."""
    signed = np.array([*LARGE, *(-n for n in LARGE), -2**63, 3, 0, 2049])
    unsigned = np.array([*LARGE, 2**64 - 1, 2**63 + 1, 2**63 + 2**39, 2**63 + 2**39 + 1], np.uint64)
    steps = {"nearest": lambda q: round(q), "zero": lambda q: math.trunc(q), "up": math.ceil, "down": math.floor}
    for integers in (signed, unsigned, signed.astype(">i8"), signed.tolist()):
        codes = ieee754.encode(integers, format, rounding=rounding, overflow="saturate")
        errors = ieee754.rounding_error(integers, format, rounding=rounding, overflow="saturate")
        for n, code, error in zip(np.asarray(integers).tolist(), codes, errors, strict=True):
            step = Fraction(2) ** (max(abs(n).bit_length() - 1, format.smallest_exponent) - format.mantissa_bits)
            expected = steps[rounding](n / step) * step
            expected = max(min(expected, Fraction(format.largest)), -Fraction(format.largest))
            assert Fraction(format.value(code)) == expected, n
            assert error == float(expected - n), n
        out = np.zeros(len(codes))
        assert ieee754.rounding_error(integers, format, rounding=rounding, overflow="saturate", out=out) is out
        assert (out == errors).all()
        every_second = np.arange(len(codes)) % 2 == 0
        out = np.full(len(codes), 7.0)
        ieee754.rounding_error(integers, format, rounding=rounding, overflow="saturate", out=out, where=every_second)
        assert (out == np.where(every_second, errors, 7)).all()


def test_what_no_float64_holds_is_refused():
    with pytest.raises(TypeError, match=r"binary64 takes integers up to 2\*\*53; got 9007199254740993"):
        ieee754.encode(np.array([1, -2**53, 2**53 + 1]), BINARY64)
    assert ieee754.decode(ieee754.encode(2**53, BINARY64), BINARY64) == 2**53
    for x in (np.longdouble(1), np.array([Decimal("0.1")])):
        for f in (ieee754.encode, ieee754.rounding_error):
            with pytest.raises(TypeError, match="are more than float64 holds; expected float16"):
                f(x, BINARY32)
    integer = 2**63 + 2**39 + 1  # NumPy makes float64 of these, which loses the last bit
    for x in ([integer, 1], [[0.5], [2**60 + 1]], (np.int64(2**60 + 1), 0.5), [2**64 - 1, -1], [2**53 + 1, 0.5]):
        for f in (ieee754.encode, ieee754.rounding_error, lambda x, _: ieee754.mx_encode(x, "mxfp4")):
            with pytest.raises(TypeError, match=r"\d+ in a list is more than float64 holds"):
                f(x, BINARY32)
    assert ieee754.decode(ieee754.encode([integer, 2**63], BINARY32), BINARY32).tolist() == [2**63 + 2**40, 2**63]
    assert ieee754.encode([2**63, 0.5], BINARY32).tolist() == ieee754.encode([2.0**63, 0.5], BINARY32).tolist()


def test_formats_go_by_name():
    x, codes = np.float32([1, 0.1, -3]), np.array([1, 200], np.uint8)
    named = FORMATS[5]
    for name in ("float8_e4m3fn", "E4M3FN", named):
        for f in (lambda of: ieee754.encode(x, of), lambda of: ieee754.decode(codes, of),
                  lambda of: ieee754.rounding_error(x, of), lambda of: ieee754.encode(x, of, rounding="stochastic",
                                                                                      seed=1),
                  lambda of: ieee754.classify(codes, format=of), lambda of: ieee754.ulp(codes, format=of),
                  lambda of: ieee754.next_up(codes, format=of), lambda of: ieee754.next_down(codes, format=of),
                  lambda of: ieee754.is_exact_integer(codes, format=of),
                  lambda of: ieee754.ulp_distance(codes, codes[::-1], format=of),
                  lambda of: np.array(ieee754.decompose(codes, format=of)), lambda of: ieee754.compose(0, 3, 1, of),
                  lambda of: ieee754.exponent_histogram(codes, format=of)):
            assert (f(name) == f(named)).all()
        assert ieee754.field_statistics(x, formats=[name]) == ieee754.field_statistics(x, formats=[named])
        assert ieee754.describe("0.1", name) == ieee754.describe("0.1", named)
    for wrong, error in (("fp8", ValueError), (8, TypeError), (np.float32, TypeError)):
        with pytest.raises(error, match=r"is not a format; expected one of|is a Format or the name of one; got"):
            ieee754.encode(x, wrong)
        with pytest.raises(error, match=r"is not a format; expected one of|is a Format or the name of one; got"):
            ieee754.classify(codes, format=wrong)


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_any_byte_order(dtype):
    x = np.array([1.5, -2, 1e-4, np.inf], dtype)
    swapped = x.astype(x.dtype.newbyteorder())
    format = ieee754.format_of(x)
    assert ieee754.format_of(swapped) is ieee754.format_of(swapped.dtype) is format
    assert ieee754.field_statistics(swapped) == ieee754.field_statistics(x)
    assert (ieee754.exponent_histogram(swapped) == ieee754.exponent_histogram(x)).all()
    for f in (ieee754.classify, ieee754.ulp, ieee754.next_up, ieee754.is_exact_integer):
        assert (f(swapped) == f(x)).all()
        assert (f(swapped, format=format) == f(x, format=format)).all()
    assert (ieee754.decode(swapped, format) == x).all()
    assert (ieee754.encode(swapped, format) == ieee754.encode(x, format)).all()
    assert (ieee754.decompose(swapped)[2] == ieee754.decompose(x)[2]).all()


@pytest.mark.parametrize("x", [[1, 2], True, np.int8(5), np.array([2**53 + 1]), 3])
def test_integers_have_no_fields(x):
    for f in (ieee754.classify, ieee754.decompose, ieee754.ulp, ieee754.next_up, ieee754.next_down,
              ieee754.is_exact_integer, lambda x: ieee754.ulp_distance(x, x), lambda x: ieee754.ulp_distance(1.0, x)):
        with pytest.raises(TypeError, match="integers have no floating-point format"):
            f(x)


@pytest.mark.parametrize("format", [BINARY16, BFLOAT16], ids=str)
def test_results_are_rounded_as_numpy_and_ml_dtypes_do(format):
    dtype = dtype_of(format)
    x = np.concatenate([boundaries(format, np.float64), values_of(format)])
    with np.errstate(all="ignore"):
        expected = x.astype(dtype)
        singles = [(number_in(dtype, value), value.astype(dtype)) for value in x[:: len(x) // 1000]]
    assert same(rounded_to(dtype, x), expected).all()
    assert all(found.dtype == dtype and same(found, single) for found, single in singles)
    values = codes_of(format).view(dtype)
    for wider in np.float32, np.float64:
        with np.errstate(invalid="ignore"):
            assert same(rounded_to(np.dtype(wider), values), values.astype(wider)).all()
