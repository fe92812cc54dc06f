"""Losses of pairs of numbers against PyTorch in float64 and central differences; limits, and what they refuse."""

import lanewise as lw
import numpy as np
import oracles
import pytest

TORCH = {"mse": "mse_loss", "l1": "l1_loss", "huber": "huber_loss",
         "binary_cross_entropy_with_logits": "binary_cross_entropy_with_logits"}
OPTIONS = [(name, {}) for name in TORCH] + [("huber", {"delta": 0.3})]


def problem(shape=(7, 65)):
    rng = np.random.default_rng(0)
    return rng.standard_normal(shape) * 3, rng.uniform(size=shape)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize(("name", "options"), OPTIONS)
def test_pytorch_agrees(name, options, reduction):
    torch = pytest.importorskip("torch")
    x, target = problem()
    tensor = torch.tensor(x, requires_grad=True)
    expected = getattr(torch.nn.functional, TORCH[name])(tensor, torch.tensor(target), reduction=reduction, **options)
    grad = np.random.default_rng(1).standard_normal(expected.shape)
    expected.backward(torch.tensor(grad))
    found = getattr(lw, name)(x, target, reduction=reduction, **options)
    np.testing.assert_allclose(found, expected.detach().numpy(), rtol=1e-13)
    slope = getattr(lw, f"{name}_backward")(grad, x, target, reduction=reduction, **options)
    np.testing.assert_allclose(slope, tensor.grad.numpy(), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize(("name", "options"), OPTIONS)
def test_gradient_against_differences(name, options, reduction):
    x, target = problem((2, 5))
    grad = np.random.default_rng(1).standard_normal(x.shape) if reduction == "none" else np.float64(1.7)
    loss, backward = getattr(lw, name), getattr(lw, f"{name}_backward")
    slope = oracles.differences(lambda value: (loss(value, target, reduction=reduction, **options) * grad).sum(), x)
    found = backward(grad, x, target, reduction=reduction, **options)
    np.testing.assert_allclose(found, slope, rtol=1e-6, atol=1e-8)
    place = x.copy()
    assert backward(grad, place, target, reduction=reduction, out=place, **options) is place
    assert place.tobytes() == found.tobytes()
    turned = np.asfortranarray(x)
    assert (backward(grad, turned, target, reduction=reduction, **options) == found).all()


@pytest.mark.parametrize("dtype", oracles.DTYPES)
@pytest.mark.parametrize("name", TORCH)
def test_reductions_are_of_the_losses(name, dtype):
    x, target = (part.astype(oracles.dtype_named(dtype)) for part in problem())
    each = getattr(lw, name)(x, target, reduction="none")
    assert each.dtype == x.dtype
    assert each.shape == x.shape
    for reduction, expected in (("sum", each.astype(float).sum()), ("mean", each.astype(float).mean())):
        found = getattr(lw, name)(x, target, reduction=reduction)
        assert found.dtype == x.dtype
        np.testing.assert_allclose(float(found), expected, rtol=1e-2 if x.itemsize == 2 else 1e-6)


def test_limits():
    infinite = np.array([np.inf, -np.inf, 800.0])
    assert (lw.binary_cross_entropy_with_logits(infinite, [1.0, 0.0, 1.0], reduction="none") == 0).all()
    assert np.isinf(lw.binary_cross_entropy_with_logits(infinite[:2], [0.0, 1.0], reduction="none")).all()
    for name in TORCH:
        assert np.isnan(getattr(lw, name)([np.nan], [1.0], reduction="none")).all()
        assert np.isnan(getattr(lw, f"{name}_backward")(1.0, [np.nan], [1.0])).all()
        assert np.isnan(getattr(lw, name)([], []))
    assert (lw.l1_backward([1.0, 1.0], [2.0, 3.0], [2.0, 4.0], reduction="none") == [0, -1]).all()


def test_errors():
    with pytest.raises(ValueError, match=r"mse: target of shape \(2,\) does not fit x of shape \(3,\)"):
        lw.mse([1.0, 2.0, 3.0], [1.0, 2.0])
    with pytest.raises(ValueError, match="l1: reduction 'max' is unknown"):
        lw.l1([1.0], [1.0], reduction="max")
    with pytest.raises(ValueError, match="huber: delta must be a finite number above 0, not 0"):
        lw.huber([1.0], [1.0], delta=0)
    with pytest.raises(ValueError, match=r"grad of shape \(1,\) does not fit a loss of shape \(\)"):
        lw.mse_backward([1.0], [1.0], [1.0])
