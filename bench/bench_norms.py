"""Layer norm in two passes, in one, and RMSNorm, from rows of 64 to rows of 1 048 576 elements: time beside a copy of
the same bytes, and the largest error in ULP of 1. Is RMSNorm cheaper because one pass is enough?

In cache and out of it."""

from functools import partial

import lanewise as lw
import numpy as np
import pytest

LENGTHS = [64, 256, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576]
NORMS = {
    "layer_norm_two_pass": partial(lw.layer_norm, algorithm="two_pass"),
    "layer_norm_one_pass": partial(lw.layer_norm, algorithm="one_pass"),
    "rms_norm": lw.rms_norm,
}
ELEMENTS = {"cache": 1 << 16, "memory": 1 << 24}


def exact(name, x):
    """What a norm should be, in longdouble."""
    x = x.astype(np.longdouble)
    if name == "rms_norm":
        return x / np.sqrt((x**2).mean(-1, keepdims=True) + np.longdouble(1e-6))
    x = x - x.mean(-1, keepdims=True)
    return x / np.sqrt((x**2).mean(-1, keepdims=True) + np.longdouble(1e-5))


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("place", ELEMENTS)
@pytest.mark.parametrize("name", NORMS)
def test_passes(beside_a_copy, benchmark, name, place, length):
    rows = max(1, ELEMENTS[place] // length)
    x = np.random.default_rng(length).standard_normal((rows, length)).astype(np.float32) + np.float32(3)
    y = np.empty_like(x)
    benchmark.group = f"norm of rows of {length}, {place}"
    few = x[: max(1, 65_536 // length)]
    scale = np.maximum(np.abs(exact(name, few)), 1).astype(np.float32)
    error = np.max(np.abs(NORMS[name](few) - exact(name, few)) / np.spacing(scale))
    benchmark.extra_info.update(rows=rows, length=length, algorithm=name, error_ulp=float(error))
    assert error < 4
    beside_a_copy(partial(NORMS[name], x, out=y), x.nbytes)
    assert np.array_equal(y[:1], NORMS[name](x[:1]))
