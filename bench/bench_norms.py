"""Layer norm from a guess of the mean, in two passes, in one, and RMSNorm, from rows of 64 to rows of 1 048 576
elements: time beside a copy of the same bytes, and the largest error in ULP of 1. Is RMSNorm cheaper because one pass
is enough?

In cache and out of it. figure_norms.py draws the same as docs/images/norm-passes.png."""

from functools import partial

import lanewise as lw
import numpy as np
import pytest
from lanewise.measure.row_formulas import normed
from lanewise.measure.ulps import errors

LENGTHS = [64, 256, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576]
NORMS = {
    "layer_norm_shifted": lw.layer_norm,
    "layer_norm_two_pass": partial(lw.layer_norm, algorithm="two_pass"),
    "layer_norm_one_pass": partial(lw.layer_norm, algorithm="one_pass"),
    "rms_norm": lw.rms_norm,
}
ELEMENTS = {"cache": 1 << 16, "memory": 1 << 24}


def rows_of(length, place, mean=3):
    """Normal numbers of sigma 1 that fill a place with rows of one length."""
    rows = max(1, ELEMENTS[place] // length)
    return np.random.default_rng(length).standard_normal((rows, length), np.float32) + np.float32(mean)


def largest_error(name, x):
    """Of a norm of some rows, in ULP of the exact result, or of 1 where that is smaller."""
    few = x[: max(1, 65_536 // x.shape[1])]
    centred = name != "rms_norm"
    exact, _ = normed(few.astype(np.longdouble), centred, np.longdouble(1e-5 if centred else 1e-6))
    return float(errors(NORMS[name](few), exact, "float32", 1).max())


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("place", ELEMENTS)
@pytest.mark.parametrize("name", NORMS)
def test_passes(beside_a_copy, benchmark, name, place, length):
    x = rows_of(length, place)
    y = np.empty_like(x)
    benchmark.group = f"norm of rows of {length}, {place}"
    error = largest_error(name, x)
    benchmark.extra_info.update(rows=len(x), length=length, algorithm=name, error_ulp=error)
    assert error < 4
    beside_a_copy(partial(NORMS[name], x, out=y), x.nbytes)
    assert np.array_equal(y[:1], NORMS[name](x[:1]))
