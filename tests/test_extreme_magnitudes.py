"""Norms of rows and channels times a power of two, from the smallest normal number to near the largest: with eps = 0
they are what they are without it, and their gradients are divided by it."""

import warnings

import lanewise as lw
import numpy as np
import oracles
import pytest
from lanewise.measure.ulps import errors


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


# of numbers that the other operands' dtype does not hold: calls for learning, which warn of nothing
F, H, E = np.full((2, 3), 0.5, np.float32), np.full((2, 3), 1e300), np.full((2, 3), 0.5, np.float16)
BEYOND = {
    "kl_standard_normal_backward": lambda: lw.kl_standard_normal_backward(1e300, F, F),
    "kl_standard_normal_backward, float16": lambda: lw.kl_standard_normal_backward(1e30, E, E),
    "reparameterize": lambda: lw.reparameterize(F, F, eps=H),
    "reparameterize_backward": lambda: lw.reparameterize_backward(H, E, 3),
    "ponder_loss": lambda: lw.ponder_loss(F, H),
    "ponder_loss_backward": lambda: lw.ponder_loss_backward(1e300, F, F),
    "ponder_loss_backward, rows": lambda: lw.ponder_loss_backward(H[:, 0], F, F, reduction="none"),
    "sgd_step": lambda: lw.sgd_step(F.copy(), H, lr=0.1),
    "sgd_step, velocity": lambda: lw.sgd_step(F.copy(), F, H.copy(), lr=0.1, momentum=0.9),
    "adamw_step": lambda: lw.adamw_step(F.copy(), H, F.copy(), F.copy(), 1),
    "clip_grad_norm": lambda: lw.clip_grad_norm([F.copy(), H.copy()], 1e-300),
    "linear, bias": lambda: lw.linear(E, E, [1e300, 1.0]),
    "linear_backward": lambda: lw.linear_backward(H[:, :2], F, F[:2]),
    "dropout_backward": lambda: lw.dropout_backward(H, 0.99, 3),
    "mse_backward": lambda: lw.mse_backward(1e300, E, H),
    "huber": lambda: lw.huber(E, H, delta=1e300),
    "cross_entropy": lambda: lw.cross_entropy(E, [0, 1], weight=[1e300, 1.0, 1.0]),
    "cross_entropy_with_grad": lambda: lw.cross_entropy_with_grad(F, H),
    "nll_loss_backward": lambda: lw.nll_loss_backward(1e300, E, [0, 1]),
}


@pytest.mark.parametrize("name", BEYOND)
def test_numbers_beyond_the_dtype_leak_no_warning(name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        BEYOND[name]()


def test_a_gradient_that_float16_does_not_hold_is_rounded_once():
    mu = np.float16([1, 2, 3, 1000])
    found, _ = lw.kl_standard_normal_backward(0.1, mu, mu)
    assert (found == (0.1 * mu.astype(np.float64)).astype(np.float16)).all()
    found, _ = lw.kl_standard_normal_backward(1e40, np.float32([1e-30]), np.float32([0]))
    assert found.dtype == np.float32
    assert found == np.float32(1e40 * np.float64(np.float32(1e-30)))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["rms_norm", "add_rms_norm", "layer_norm", "two_pass", "one_pass", "group_norm"])
def test_tiny_rows_beside_a_large_eps(name, dtype):
    """They are not made larger until one over the root of eps is subnormal: results had few digits, or were zeros."""
    rng = np.random.default_rng(3)
    call = {
        "rms_norm": lw.rms_norm, "layer_norm": lw.layer_norm,
        "add_rms_norm": lambda x, eps: lw.add_rms_norm(x, np.zeros_like(x), eps=eps)[0],
        "group_norm": lambda x, eps: lw.group_norm(x[:, None], 1, eps=eps)[:, 0],
    }.get(name, lambda x, eps: lw.layer_norm(x, eps=eps, algorithm=name))
    bound = lw.bounds.of("layer_norm" if name in ("two_pass", "one_pass") else name)[dtype]
    least, exponents = (-20, range(20, 126, 7)) if dtype == "float32" else (-100, range(100, 1020, 61))
    for length in (2, 7, 100, 1000):
        x = np.ldexp(rng.uniform(1, 2, (3, length)) * rng.choice([-1, 1], (3, length)), least * 2).astype(dtype)
        wide = x.astype(np.longdouble)
        centred = wide if "rms" in name else wide - wide.mean(-1, keepdims=True)
        for exponent in exponents:
            eps = 1.7 * 2.0**exponent
            exact = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + np.longdouble(eps))
            terms = np.abs(wide) / np.sqrt(np.longdouble(eps))
            found = errors(call(x, eps=eps), exact, dtype, terms)
            assert found.max() <= bound, (length, exponent)


@pytest.mark.parametrize("name", ["mse", "l1", "huber", "cross_entropy", "nll_loss"])
def test_a_gradient_is_an_int_of_any_size(name):
    x = np.float64([[1, 2], [3, 4]])
    target = [0, 1] if name in ("cross_entropy", "nll_loss") else x[::-1]
    backward = getattr(lw, f"{name}_backward")
    assert np.array_equal(backward(2**70, x, target), backward(2.0**70, x, target))
    with pytest.raises(ValueError, match=rf"{name}_backward: grad must be a number that a float holds, not an int of"):
        backward(10**400, x, target)
