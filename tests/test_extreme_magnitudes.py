"""Norms of rows and channels times a power of two, from the smallest normal number to near the largest: with eps = 0
they are what they are without it, and their gradients are divided by it."""

import lanewise as lw
import numpy as np
import oracles
import pytest


def of_batch(grad, x, which):
    _, mean, rstd = lw.batch_norm(x, training=True, eps=0, return_stats=True)
    return lw.batch_norm_backward(grad, x, mean=mean, rstd=rstd, training=True)[which]


# a function of the gradient and x, and the power of the factor that its result has
FUNCTIONS = {
    "rms_norm": (lambda grad, x: lw.rms_norm(x, eps=0), 0),
    "add_rms_norm": (lambda grad, x: lw.add_rms_norm(x, x, eps=0)[0], 0),
    **{f"layer_norm, {name}": (lambda grad, x, name=name: lw.layer_norm(x, eps=0, algorithm=name), 0)
       for name in ("shifted", "two_pass", "one_pass")},
    "normalize": (lambda grad, x: lw.normalize(x, eps=0), 0),
    "normalize, p = 1": (lambda grad, x: lw.normalize(x, 1, eps=0), 0),
    "batch_norm": (lambda grad, x: lw.batch_norm(x, training=True, eps=0), 0),
    "group_norm": (lambda grad, x: lw.group_norm(x, 1, eps=0), 0),
    "instance_norm": (lambda grad, x: lw.instance_norm(x.reshape(*x.shape[:2], -1), eps=0), 0),
    "rms_norm_backward": (lambda grad, x: lw.rms_norm_backward(grad, x, eps=0)[0], -1),
    "layer_norm_backward": (lambda grad, x: lw.layer_norm_backward(grad, x, eps=0)[0], -1),
    "normalize_backward": (lambda grad, x: lw.normalize_backward(grad, x, eps=0), -1),
    "normalize_backward, p = 1": (lambda grad, x: lw.normalize_backward(grad, x, 1, eps=0), -1),
    "batch_norm_backward": (lambda grad, x: of_batch(grad, x, 0), -1),
    "batch_norm_backward, weight": (lambda grad, x: of_batch(grad, x, 1), 0),
    "group_norm_backward": (lambda grad, x: lw.group_norm_backward(grad, x, 1, eps=0)[0], -1),
}


@pytest.mark.parametrize("dtype", oracles.DTYPES)
@pytest.mark.parametrize("name", list(FUNCTIONS))
def test_a_power_of_two_changes_nothing_else(name, dtype):
    dtype, (function, power) = oracles.dtype_named(dtype), FUNCTIONS[name]
    if dtype.itemsize == 2:
        ml_dtypes = pytest.importorskip("ml_dtypes")
        info = ml_dtypes.finfo(dtype)
    else:
        info = np.finfo(dtype)
    first, last = int(np.log2(float(info.tiny))) + 4, int(np.log2(float(info.max))) - 4
    rng = np.random.default_rng(0)
    for shape in ((3, 7), (4, 65), (5, 3, 4)):
        # eighths, so that sums of a few deviations are often just 0
        x, grad = (np.rint(8 * rng.standard_normal(shape)) / 8 for _ in range(2))
        if name.startswith("instance") and len(shape) == 2:
            x = np.stack([x, -x, x[::-1]], -1)
        expected = np.asarray(function(grad.astype(dtype), x.astype(dtype)), np.float64)
        for exponent in {*range(first, last, max(1, (last - first) // 24)), last}:
            found = np.asarray(function(grad.astype(dtype), np.ldexp(x, exponent).astype(dtype)), np.float64)
            wanted = np.ldexp(expected, power * exponent)
            kept = np.abs(wanted) < float(info.max)  # others overflow, as they should, or are of constants, and NaN
            error = 16 * float(info.eps) * np.abs(wanted[kept]).max() + 4 * float(info.smallest_subnormal)
            assert (np.abs(found - wanted)[kept] <= error).all(), (shape, exponent)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_channel_whose_deviations_cancel_is_not_constant(dtype):
    """Their squares leave float32, and their sum is 0; so are both of channels of zeros, and of one other number."""
    dtype = oracles.dtype_named(dtype)
    x = np.array([[1.0, 0.0, 3.0], [-1.0, 0.0, 3.0], [0.0, 0.0, 3.0]]) * 2.0**-100
    y = np.asarray(lw.batch_norm(x.astype(dtype), training=True, eps=1e-66), np.float64)
    np.testing.assert_allclose(y[:, 0], [1.5**0.5, -(1.5**0.5), 0], rtol=1e-2)
    assert (y[:, 1:] == 0).all()
