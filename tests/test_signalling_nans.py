"""NaNs that signal, which raise a flag of the processor where they are converted: they become NaN, with no warning. And
results that are NaN, which show nothing of what stood in their place."""

import itertools
import warnings

import lanewise as lw
import ml_dtypes
import numpy as np
import pytest

SIGNALLING = {
    "bfloat16": np.array([0x7F81], "u2").view(ml_dtypes.bfloat16), "float16": np.array([0x7C01], "u2").view("e"),
    "float32": np.array([0x7F800001], "u4").view("f"), "float64": np.array([0x7FF0000000000001], "u8").view("d"),
}
SHAPE = (3, 8)
TARGET, STEPS = np.arange(3), np.array([1, 8, 3])
# Functions of two arrays of three rows of eight, the second of which is NaN throughout.
CALLS = {
    "linear": lambda x, weight: lw.linear(x, weight),
    "linear_backward": lambda x, weight: lw.linear_backward(x[:, :3], x, weight),
    "kl_standard_normal": lambda mu, logvar: lw.kl_standard_normal(mu, logvar),
    "kl_standard_normal_backward": lambda mu, logvar: lw.kl_standard_normal_backward(mu[:, 0], mu, logvar),
    "kl_standard_normal_backward, grad": lambda mu, grad: lw.kl_standard_normal_backward(grad[:, 0], mu, mu),
    "reparameterize": lambda mu, logvar: lw.reparameterize(mu, logvar, 1),
    "reparameterize_backward": lambda grad, logvar: lw.reparameterize_backward(grad, logvar, 1),
    "ponder_loss": lambda logits, losses: lw.ponder_loss(logits, losses),
    "ponder_loss_with_grad": lambda logits, losses: lw.ponder_loss_with_grad(logits, losses),
    "ponder_loss_backward": lambda logits, grad: lw.ponder_loss_backward(
        grad[:, 0], logits, abs(logits), reduction="none"),
    "act_halting_backward": lambda cost, weights: lw.act_halting_backward(cost[:, 0], weights, STEPS),
    "cross_entropy_backward": lambda logits, grad: lw.cross_entropy_backward(
        grad[:, 0], logits, TARGET, reduction="none"),
    "nll_loss_backward": lambda x, grad: lw.nll_loss_backward(grad[:, 0], x, TARGET, reduction="none"),
    "cross_entropy": lambda logits, weight: lw.cross_entropy(logits, TARGET, weight=weight[0]),
    "mse": lambda x, target: lw.mse(x, target),
    "mse_backward": lambda x, grad: lw.mse_backward(grad, x, x, reduction="none"),
    "batch_norm": lambda x, mean: lw.batch_norm(x, mean[0], abs(mean[0])),
    "layer_norm": lambda x, weight: lw.layer_norm(x, weight[0], weight[1]),
    "layer_norm, apart": lambda x, weight: lw.layer_norm(x[::2], weight[0], weight[1]),
    "rms_norm, another axis": lambda x, weight: lw.rms_norm(x, weight[:, 0], axis=0),
    "layer_norm_backward": lambda x, grad: lw.layer_norm_backward(grad, x),
    "masked_softmax": lambda x, mask: lw.masked_softmax(x, mask),
    "rotary_embedding": lambda x, angles: lw.rotary_embedding(x, angles[:, :4], angles[:, 4:]),
    "softmax": lambda x, y: lw.softmax(y, dtype=np.float64),
}


@pytest.mark.parametrize("second", SIGNALLING)
@pytest.mark.parametrize("first", SIGNALLING)
@pytest.mark.parametrize("name", CALLS)
def test_no_warning(name, first, second):
    rng = np.random.default_rng(0)
    one = rng.standard_normal(SHAPE).astype(SIGNALLING[first].dtype)
    other = rng.standard_normal(SHAPE).astype(SIGNALLING[second].dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        other[:, :] = SIGNALLING[second]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            found = CALLS[name](one, other)
        except TypeError:  # of float16 beside bfloat16, where results would have no dtype
            assert {first, second} == {"float16", "bfloat16"}
            return
    parts = found if isinstance(found, tuple) else (found,)
    assert any(np.isnan(np.asarray(part, np.float64)).any() for part in parts if part is not None)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_statistics_may_signal(dtype):
    x = np.random.default_rng(0).standard_normal((5, 5, 40)).astype(dtype)
    signalling = np.full(5, 0x7F800001, np.uint32).view(np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for mean, rstd in ((signalling, np.ones(5)), (np.ones(5, np.float32), signalling)):
            for found in (lw.batch_norm_backward(x, x, mean=mean, rstd=rstd), lw.group_norm_backward(
                    x, x, 1, mean=mean[:, None], rstd=rstd[:, None])):
                assert np.isnan(found[0]).all()


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_stood_in_the_place_of_a_gradient_does_not_show(dtype, value):
    # not even in the bits of NaNs
    for n, count in itertools.product((1, 2, 3, 8, 12, 16, 40, 300), (1, 9)):
        rng = np.random.default_rng(n)
        logits, target = rng.standard_normal((count, n)).astype(dtype), rng.integers(0, n, count)
        logits[count // 2, n // 2] = value
        for options in ({}, {"label_smoothing": 0.2}, {"z_loss": 1e-3}, {"weight": np.ones(n, dtype)}):
            found = set()
            for before in (0, 0x7FC0, 0xFFD1):  # the last two are NaNs, of either sign
                place = np.full(logits.view(np.uint16).shape, before, np.uint16).view(dtype)
                loss, _ = lw.cross_entropy_with_grad(logits, target, reduction="none", out=place, **options)
                found.add(place.tobytes() + loss.tobytes())
            assert len(found) == 1
