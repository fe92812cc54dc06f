"""The parameters that softplus, selu and hardsigmoid take by keyword, forward and backward: threshold, alpha, gamma and
beta. What they compute without them is test_activations.py's; the bits of their kernels are test_same_bits.py's."""

import lanewise as lw
import numpy as np
import pytest
from lanewise.bounds import bound
from lanewise.functions.table import FUNCTIONS
from lanewise.kernels import activations
from lanewise.measure import accuracy
from mpmath import mp, mpf


def exact_softplus(x, beta, threshold):
    t = beta * x
    if t > threshold:
        return x, mpf(1)
    return mp.log1p(mp.exp(t)) / beta, 1 / (1 + mp.exp(-t))


def exact_selu(x, alpha, gamma):
    return (gamma * x, gamma) if x > 0 else (gamma * alpha * mp.expm1(x), gamma * alpha * mp.exp(x))


def exact_hardsigmoid(x, alpha, beta):
    y = alpha * x + beta
    return min(max(y, mpf(0)), mpf(1)), alpha if 0 < y < 1 else mpf(0)


# the exact function and its slope, and what it is given; a name's numbers are those of its parameters, then options
EXACT = {"softplus": exact_softplus, "selu": exact_selu, "hardsigmoid": exact_hardsigmoid}
GIVEN = [
    ("softplus", {"threshold": 20.0}), ("softplus", {"threshold": 1.0}), ("softplus", {"beta": 1.7, "threshold": 0.3}),
    ("softplus", {"beta": 0.5, "threshold": -2.0}),
    ("selu", {"alpha": 2.0, "gamma": 3.0}), ("selu", {"alpha": 1.673263192176819, "gamma": 1.0507010221481323}),
    ("selu", {"gamma": 0.3}), ("selu", {"alpha": 1e-3, "gamma": -1.3}),
    ("hardsigmoid", {"alpha": 0.2}), ("hardsigmoid", {"alpha": 0.5, "beta": 0.6}),
    ("hardsigmoid", {"alpha": -0.21, "beta": 0.3}), ("hardsigmoid", {"alpha": 3.0, "beta": -7.0}),
]


def numbers_of(name, given, dtype):
    # all parameters, as the precision of the computation holds them
    entry = FUNCTIONS[name]
    held = np.float64 if dtype == "float64" else np.float32
    return [mpf(float(held(given.get(key, each.default))))
            for key, each in {**entry.parameters, **entry.options}.items()]


def samples(dtype):
    rng = np.random.default_rng(7)
    x = np.concatenate([rng.normal(0, size, 300) for size in (0.1, 2, 30)] + [
        np.linspace(-8, 8, 257), [0.0, 1e-20, -1e-20, 1e-30, -1e-30, 90, -80, 1e4]])
    return x.astype(accuracy.dtype_of(dtype))


@pytest.mark.parametrize(("name", "given"), GIVEN)
@pytest.mark.parametrize("dtype", accuracy.DTYPES)
def test_bound(name, given, dtype):
    x = samples(dtype)
    grad = np.where(np.arange(x.size) % 3, 1, 0.75).astype(x.dtype)
    with mp.workprec(300):
        numbers = numbers_of(name, given, dtype)
        values, slopes = zip(*(EXACT[name](mpf(float(each)), *numbers) for each in x), strict=True)
        slopes = [slope * float(each) for slope, each in zip(slopes, grad, strict=True)]
    with np.errstate(all="raise"):
        y, grad_x = getattr(lw, name)(x, **given), getattr(lw, f"{name}_backward")(grad, x, **given)
    assert y.dtype == grad_x.dtype == x.dtype
    assert accuracy.errors(y, values, dtype).max() <= bound(name, dtype)
    assert accuracy.errors(grad_x, slopes, dtype).max() <= bound(f"{name}_backward", dtype)


@pytest.mark.parametrize("name", EXACT)
@pytest.mark.parametrize("dtype", accuracy.DTYPES)
def test_defaults_are_the_kernel_without_options(name, dtype):
    x = samples(dtype)
    kernel, options = getattr(activations, f"{name}_ufunc"), FUNCTIONS[name].options
    defaults = {key: option.default for key, option in options.items()}
    for keywords in ({}, defaults):
        assert getattr(lw, name)(x, **keywords).tobytes() == kernel(x).tobytes()
        found = getattr(lw, f"{name}_backward")(x[::-1], x, **keywords)
        assert found.tobytes() == getattr(activations, f"{name}_backward_ufunc")(x[::-1], x).tobytes()


@pytest.mark.parametrize(("name", "given"), GIVEN)
def test_broadcast_out_and_in_place(name, given):
    x = np.random.default_rng(1).normal(0, 4, (3, 5, 7)).astype(np.float32)
    function, backward = getattr(lw, name), getattr(lw, f"{name}_backward")
    key = next(iter(given))
    each = np.float32([given[key], given[key] / 2, 0.25])
    together = function(x, **{**given, key: each[:, None, None]})
    for k, value in enumerate(each):
        assert together[k].tobytes() == function(x[k], **{**given, key: float(value)}).tobytes()
    expected, expected_grad = function(x, **given), backward(x, x, **given)
    out = np.empty_like(x)
    assert function(x, out=out, **given) is out
    assert out.tobytes() == expected.tobytes()
    in_place = x.copy()
    assert function(in_place, out=in_place, **given) is in_place
    assert in_place.tobytes() == expected.tobytes()
    grad = x.copy()
    assert backward(grad, x, out=grad, **given) is grad
    assert grad.tobytes() == expected_grad.tobytes()
    assert np.isnan(function(np.float32(np.nan), **given))
    assert np.isnan(backward(np.float32(1), np.float32(np.nan), **given))


@pytest.mark.parametrize("name", ["selu", "hardsigmoid"])
def test_out_stands_where_that_of_a_ufunc_does(name):
    x, out = np.float32([-1, 2]), np.empty(2, np.float32)
    assert getattr(lw, name)(x, out) is out
    assert out.tolist() == getattr(lw, name)(x).tolist()
    assert getattr(lw, f"{name}_backward")(x, x, out) is out
    with pytest.raises(TypeError, match="out must be an ndarray"):
        getattr(lw, name)(x, [0.0, 0.0])
    with pytest.raises(TypeError, match="positional argument"):
        getattr(lw, name)(x, out, 0.5)


def test_ends():
    inf = np.inf
    x = np.float32([-inf, inf])
    assert lw.softplus(x, threshold=20.0).tolist() == [0, inf]
    assert lw.softplus(x, threshold=-inf).tolist()[1] == inf
    assert lw.softplus_backward(np.ones_like(x), x, threshold=20.0).tolist() == [0, 1]
    assert lw.selu(x, alpha=2.0, gamma=3.0).tolist() == [-6, inf]
    assert lw.selu_backward(np.ones_like(x), x, alpha=2.0, gamma=3.0).tolist() == [0, 3]
    assert lw.selu(np.float32([-1, 1, 0]), alpha=0.0, gamma=2.0).tolist() == [0, 2, 0]
    assert lw.hardsigmoid(x, alpha=0.2).tolist() == [0, 1]
    assert lw.hardsigmoid_backward(np.ones_like(x), x, alpha=0.2).tolist() == [0, 0]


def test_a_threshold_is_of_the_exact_product():
    """float32 rounds 1.1 * 0.9090909 to 1, which does not exceed the threshold; the product itself lies beside it."""
    beta = np.float32(1.1)
    x = np.nextafter(np.float32(1) / beta, np.float32([0, 1, 2]), dtype=np.float32)
    beyond = beta.astype(np.float64) * x.astype(np.float64) > 1
    assert len(set(beyond.tolist())) == 2
    assert (lw.softplus(x, beta, threshold=1.0) == x).tolist() == beyond.tolist()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_selu_where_alpha_times_gamma_is_beyond_the_range(dtype):
    info, rng = np.finfo(dtype), np.random.default_rng(3)
    most, normal = float(info.max), float(info.tiny)
    root = float(np.sqrt(info.max))
    x = -np.exp(rng.uniform(np.log(normal), np.log(5 * np.log(most)), 3000)).astype(dtype)
    x = np.concatenate([x, -np.exp(rng.uniform(-3, np.log(5 * np.log(most)), 1000)).astype(dtype)])
    grad = np.where(np.arange(x.size) % 3, 1, np.exp(rng.uniform(-20, 20, x.size))).astype(dtype)
    for alpha, gamma in ((most, 2.0), (3.0, -most), (most / 3, 5.0), (2 * root, 3 * root), (most, most)):
        alpha, gamma = (float(np.dtype(dtype).type(each)) for each in (alpha, gamma))
        with mp.workprec(300):
            values, slopes = zip(*(exact_selu(mpf(float(each)), mpf(alpha), mpf(gamma)) for each in x), strict=True)
            kept = np.array([normal <= abs(slope) <= most for slope in slopes])
            exact = [slope * float(each) for slope, each in zip(slopes, grad, strict=True)]
        with np.errstate(all="raise"):
            y, grad_x = lw.selu(x, alpha=alpha, gamma=gamma), lw.selu_backward(grad, x, alpha=alpha, gamma=gamma)
            above = lw.selu(-x, alpha=alpha, gamma=gamma)
        assert accuracy.errors(y, values, dtype).max() <= bound("selu", dtype)
        assert np.isfinite(y).any() == (gamma < most)
        found = accuracy.errors(grad_x[kept], np.array(exact, object)[kept], dtype)
        assert found.size > 100
        assert found.max() <= bound("selu_backward", dtype)
        assert above.tobytes() == lw.selu(-x, alpha=1.0, gamma=gamma).tobytes()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_selu_where_alpha_times_gamma_is_near_the_smallest_normal_number(dtype):
    normal, rng = float(np.finfo(dtype).tiny), np.random.default_rng(7)
    x = -np.exp(rng.uniform(-8, 2, 60)).astype(dtype)
    grad = np.exp(rng.uniform(-20, 20, x.size)).astype(dtype)
    for size, part in zip(rng.uniform(-1, 1, 80), rng.uniform(0, 8, 80), strict=True):
        alpha = np.dtype(dtype).type(normal ** (0.9 * size))
        gamma = float(np.dtype(dtype).type(normal / float(alpha) * 2.0**part))
        alpha = float(alpha)
        with mp.workprec(300):
            values, slopes = zip(*(exact_selu(mpf(float(each)), mpf(alpha), mpf(gamma)) for each in x), strict=True)
            kept = np.array([slope >= normal for slope in slopes])
            exact = [slope * float(each) for slope, each in zip(slopes, grad, strict=True)]
        y, grad_x = lw.selu(x, alpha=alpha, gamma=gamma), lw.selu_backward(grad, x, alpha=alpha, gamma=gamma)
        assert accuracy.errors(y, values, dtype).max() <= 1.0
        assert accuracy.errors(grad_x[kept], np.array(exact, object)[kept], dtype).max(initial=0) <= 1.5


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_selu_keeps_the_sign_of_zero(dtype):
    # also where the rounding error of alpha gamma has the other sign than the product
    zeros, most = np.array([0.0, -0.0], dtype), float(np.finfo(dtype).max)
    for alpha, gamma in [*np.random.default_rng(0).uniform(-3, 3, (50, 2)).tolist(), (most, 2.0), (most, -2.0)]:
        y = lw.selu(zeros, alpha=alpha, gamma=gamma)
        assert np.signbit(y).tolist() == [alpha * gamma < 0, alpha * gamma > 0]
        assert not y.any()


@pytest.mark.peers
@pytest.mark.parametrize("beta", [1.0, 0.5, 2.0])
@pytest.mark.parametrize("threshold", [20.0, 1.0, -0.5])
def test_softplus_agrees_with_torch(beta, threshold):
    torch = pytest.importorskip("torch")
    values = np.linspace(-30, 30, 2001)
    x = torch.tensor(values, requires_grad=True)
    y = torch.nn.functional.softplus(x, beta, threshold)
    y.sum().backward()
    np.testing.assert_allclose(lw.softplus(values, beta, threshold=threshold), y.detach().numpy(), rtol=1e-14)
    slope = lw.softplus_backward(np.ones_like(values), values, beta, threshold=threshold)
    np.testing.assert_allclose(slope, x.grad.numpy(), rtol=1e-13)



def test_a_class_where_there_is_none():
    with pytest.raises(ValueError, match=r"target\[0\] is 2; there is no class in logits of shape \(3, 0\)"):
        lw.cross_entropy(np.zeros((3, 0)), np.array([2, 0, 1]))
