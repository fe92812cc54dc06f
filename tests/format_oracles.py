"""What the tests of formats share: every code's value by NumPy and ml_dtypes, boundaries, and rounding by searching for
the neighbours, where the kernels compute with bits."""

import ml_dtypes
import numpy as np
import pytest
from lanewise.ieee754 import FORMATS

SMALL = [f for f in FORMATS if f.width <= 16]
each_small = pytest.mark.parametrize("format", SMALL, ids=lambda f: f.name)
each_signed = pytest.mark.parametrize("format", [f for f in SMALL if f.signed], ids=lambda f: f.name)
each_wide = pytest.mark.parametrize("dtype", [np.float32, np.float64])
# what gfloat calls them
GFLOAT = {"binary16": "binary16", "bfloat16": "bfloat16", "float8_e5m2": "ocp_e5m2", "float8_e4m3fn": "ocp_e4m3",
          "float8_e8m0fnu": "ocp_e8m0", "float6_e3m2fn": "ocp_e3m2", "float6_e2m3fn": "ocp_e2m3",
          "float4_e2m1fn": "ocp_e2m1"}


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
    elif rounding == "half_away":
        up = (rest >= missing) & (rest > 0)
    else:
        up = (rest > 0) & {"zero": False, "odd": below % 2 == 0, "up": x > 0, "down": x < 0}[rounding]
    code = below + (up & (below < values.size - 1))
    leads_away = {"nearest": True, "half_away": True, "zero": False, "odd": False, "up": x > 0,
                  "down": x < 0}[rounding] | np.isinf(x)
    limit = values.size - 1 if overflow == "ieee" and format.specials != "none" else values.size - 2
    code = np.minimum(code, np.where(leads_away, limit, values.size - 2))
    if format.signed:
        return code | np.where(np.signbit(x) & ((code > 0) | (format.specials != "fnuz")), format.sign_bit, 0)
    return np.where(x < 0, format.nan_code, np.where(x > 0, code, 0 if overflow == "saturate" else format.nan_code))


def same(a, b):
    # equal numbers with equal signs, or both NaN
    return (np.isnan(a) & np.isnan(b)) | ((a == b) & (np.signbit(a) == np.signbit(b)))


def wide_samples(format):
    # every exponent with mantissas at the ends and in the middle, of both signs
    fields = np.arange(1 << format.exponent_bits, dtype=np.uint64)
    top = (1 << format.mantissa_bits) - 1
    mantissas = np.array([0, 1, 2, top // 2, top // 2 + 1, top - 1, top, 0x5555555555555 & top], np.uint64)
    codes = (fields[:, None] << np.uint64(format.mantissa_bits) | mantissas).ravel()
    return np.concatenate([codes, codes | np.uint64(format.sign_bit)]).astype(format.code_dtype)
