"""Cross-entropy against an oracle in 200 bits, central differences and PyTorch; what it refuses, and that neither the
number of threads nor the order of the work shows. Bounds are those of lanewise/bounds.py."""

import lanewise as lw
import mpmath
import numpy as np
import oracles
import pytest
from lanewise.bounds import bound
from oracles import DTYPES, dtype_named, error, exactly

OPTIONS = [{}, {"label_smoothing": 0.1}, {"z_loss": 1e-4}, {"label_smoothing": 0.3, "z_loss": 0.01}]


def problem(dtype, n, sigma=2.0, count=6):
    rng = np.random.default_rng(n)
    return (rng.standard_normal((count, n)) * sigma).astype(dtype_named(dtype)), rng.integers(0, n, count)


def oracle(logits, target, label_smoothing=0.0, z_loss=0.0):
    # losses and the gradient of their sum
    x, smoothing, z = exactly(logits), mpmath.mpf(label_smoothing), mpmath.mpf(z_loss)
    rows, n = np.arange(len(x)), x.shape[-1]
    total = oracles.logsumexp(x)
    wanted = np.full(x.shape, smoothing / n, dtype=object)
    wanted[rows, target] += 1 - smoothing
    losses = (wanted * (total[:, None] - x)).sum(-1) + z * total**2
    return losses, oracles.softmax(x) * (1 + 2 * z * total[:, None]) - wanted


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [1, 2, 10, 65, 130])
@pytest.mark.parametrize("options", OPTIONS)
def test_against_the_oracle(dtype, n, options):
    logits, target = problem(dtype, n)
    losses, slope = oracle(logits, target, **options)
    scale = np.maximum(np.abs(losses), np.abs(logits.astype(np.float64)).max() if options else 0)
    found = lw.cross_entropy(logits, target, reduction="none", **options)
    assert found.dtype == logits.dtype
    assert error(found, losses, dtype, scale) <= bound("cross_entropy", dtype)
    loss, grad = lw.cross_entropy_with_grad(logits, target, reduction="none", **options)
    assert (loss == found).all()
    assert error(grad, slope, dtype, np.abs(slope) + oracles.softmax(exactly(logits))
                 + (1 if options else 0)) <= bound("cross_entropy_with_grad", dtype)


def test_a_sure_answer_keeps_its_digits():
    logits = np.array([[40.0, 0.0, -5.0]])
    losses, slope = oracle(logits, [0])
    loss, grad = lw.cross_entropy_with_grad(logits, [0], reduction="none")
    assert error(loss, losses, "float64") <= 2
    assert error(grad, slope, "float64") <= 4


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_gradient_against_differences(options, reduction):
    logits, target = problem("float64", 7)
    grad = np.random.default_rng(1).standard_normal(6) if reduction == "none" else np.float64(1.7)
    slope = oracles.differences(
        lambda value: (lw.cross_entropy(value, target, reduction=reduction, **options) * grad).sum(), logits)
    found = lw.cross_entropy_backward(grad, logits, target, reduction=reduction, **options)
    np.testing.assert_allclose(found, slope, rtol=1e-6, atol=1e-8)
    if reduction != "none":
        _, grad_one = lw.cross_entropy_with_grad(logits, target, reduction=reduction, **options)
        np.testing.assert_allclose(grad_one * 1.7, found, rtol=1e-12)


@pytest.mark.parametrize("options", [{}, {"label_smoothing": 0.1}])
def test_pytorch_agrees(options):
    torch = pytest.importorskip("torch")
    logits, target = problem("float32", 300, count=40)
    tensor = torch.tensor(logits, requires_grad=True)
    expected = torch.nn.functional.cross_entropy(tensor, torch.tensor(target), **options)
    expected.backward()
    loss, grad = lw.cross_entropy_with_grad(logits, target, **options)
    np.testing.assert_allclose(loss, expected.item(), rtol=1e-6)
    np.testing.assert_allclose(grad, tensor.grad.numpy(), rtol=1e-4, atol=1e-8)


def test_threads_do_not_show():
    logits, target = problem("float32", 700, count=300)
    before = lw.get_num_threads()
    try:
        found = []
        for threads in (1, 2, 3):
            lw.set_num_threads(threads)
            loss, grad = lw.cross_entropy_with_grad(logits, target, z_loss=1e-4)
            found.append((loss.tobytes(), grad.tobytes()))
    finally:
        lw.set_num_threads(before)
    assert found[0] == found[1] == found[2]


def test_shapes_and_strides():
    logits = np.random.default_rng(0).standard_normal((4, 3, 10)).astype(np.float32)
    target = np.arange(12).reshape(4, 3) % 10
    assert lw.cross_entropy(logits, target, reduction="none").shape == (4, 3)
    turned = np.ascontiguousarray(logits.transpose(2, 0, 1)).transpose(1, 2, 0)
    assert lw.cross_entropy(turned, target).tobytes() == lw.cross_entropy(logits, target).tobytes()
    assert lw.cross_entropy(logits[0, 0], 3).shape == ()


def test_limits():
    rows = np.array([[np.nan, 0.0], [-np.inf, 0.0], [0.0, -np.inf]])
    loss = lw.cross_entropy(rows, [0, 0, 0], reduction="none")
    assert np.isnan(loss[0])
    assert loss[1] == np.inf
    assert loss[2] == 0


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_an_infinite_logit_meets_no_factor_of_0(dtype):
    # the loss is log_softmax's, whose largest is infinite; and of label_smoothing 1, nothing is the target's
    x = np.array([[np.inf, 0.0], [-np.inf, 0.0]], dtype)
    assert lw.cross_entropy(x[:1], [1]) == np.inf
    assert np.isnan(lw.cross_entropy(x[:1], [0]))
    assert lw.cross_entropy(x[1:], [0]) == np.inf
    assert lw.cross_entropy(x[1:], [1]) == 0
    assert lw.cross_entropy(np.array([[0.0, -np.inf, 0.0]], dtype), [1], label_smoothing=1.0) == np.inf
    low = np.array([[0.0, -1e30]], dtype)
    np.testing.assert_allclose(lw.cross_entropy(low, [1], label_smoothing=1.0), 5e29, rtol=1e-6)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_the_gradient_in_the_place_of_the_logits(dtype):
    for n in (1, 2, 3, 8, 40, 5000):
        logits, target = problem(dtype, n, count=9)
        for options in ({}, {"label_smoothing": 0.2}, {"z_loss": 1e-3}):
            loss, grad = lw.cross_entropy_with_grad(logits, target, reduction="none", **options)
            place = logits.copy()
            found, same = lw.cross_entropy_with_grad(place, target, reduction="none", out=place, **options)
            assert same is place
            assert place.tobytes() == grad.tobytes()
            assert found.tobytes() == loss.tobytes()


def test_errors_name_the_position():
    logits = np.zeros((2, 3, 4))
    target = np.zeros((2, 3), np.int64)
    target[1, 2] = 4
    with pytest.raises(ValueError, match=r"target\[1, 2\] is 4; expected 0 to 3"):
        lw.cross_entropy(logits, target)
    target[1, 2] = -1
    with pytest.raises(ValueError, match=r"target\[1, 2\] is -1"):
        lw.cross_entropy_with_grad(logits, target)
    with pytest.raises(ValueError, match=r"target of shape \(2,\) does not fit logits of shape \(2, 3, 4\)"):
        lw.cross_entropy(logits, np.zeros(2, int))
    with pytest.raises(TypeError, match="target must hold integers, not float64"):
        lw.cross_entropy(logits, np.zeros((2, 3)))
    with pytest.raises(ValueError, match=r"'max' is unknown; expected one of mean, sum, none"):
        lw.cross_entropy(logits, np.zeros((2, 3), int), reduction="max")
    with pytest.raises(ValueError, match="label_smoothing must be from 0 to 1, not 2"):
        lw.cross_entropy(logits, np.zeros((2, 3), int), label_smoothing=2)
    with pytest.raises(ValueError, match=r"grad of shape \(2,\) does not fit a loss of shape \(\)"):
        lw.cross_entropy_backward(np.zeros(2), logits, np.zeros((2, 3), int))
