"""The parameters that swiglu takes by keyword, forward and backward: beta, limit and shift. What it computes without
them is test_activations.py's, and tiny and huge numbers test_gates.py's."""

import lanewise as lw
import numpy as np
import pytest
from lanewise.bounds import bound
from lanewise.kernels import activations
from lanewise.measure import accuracy
from mpmath import mp, mpf

INF = float("inf")
GIVEN = [
    {"beta": 1.702, "limit": 7.0, "shift": 1.0},  # gpt-oss
    {"limit": 7.0}, {"limit": 0.5, "shift": 1.0}, {"beta": 1.5}, {"beta": -0.7, "shift": -0.25}, {"beta": 0.0},
    {"beta": 300.0}, {"beta": 1e-3, "limit": 0.0, "shift": 2.0}, {"shift": 1.0},
]


def pairs(dtype, n=100):
    rng = np.random.default_rng(3)
    gate, up = (np.concatenate([rng.normal(0, size, n) for size in sizes]) for sizes in ((0.1, 3, 40), (2, 5, 1)))
    gate[:6], up[:6] = (0.0, -0.0, 1e-20, 7.0, 3.0, -90.0), (1.0, 2.0, 1e-20, -7.0, 0.0, 6e4)
    return gate.astype(accuracy.dtype_of(dtype)), up.astype(accuracy.dtype_of(dtype))


def exact(gate, up, beta, limit, shift, held):
    # the result and the two slopes in mpmath, of a sum with shift that is rounded
    clamped, within = min(gate, limit), max(min(up, limit), -limit)
    gate_, up_ = mpf(float(clamped)), mpf(float(held(held(within) + held(shift))))
    t = mpf(float(held(beta))) * gate_
    s = 1 / (1 + mp.exp(-t))
    slope = s * (1 + t / (1 + mp.exp(t))) * up_
    return gate_ * s * up_, 0 if gate > limit else slope, 0 if abs(up) > limit else gate_ * s


@pytest.mark.parametrize("given", GIVEN)
@pytest.mark.parametrize("dtype", accuracy.DTYPES)
def test_bound(given, dtype):
    gate, up = pairs(dtype)
    held = np.float64 if dtype == "float64" else np.float32
    numbers = {"beta": 1.0, "limit": INF, "shift": 0.0, **given}
    grad = np.where(np.arange(gate.size) % 3, 1, -0.75).astype(gate.dtype)
    with mp.workprec(300), np.errstate(all="ignore"):
        values, gates, ups = zip(*(exact(float(g), float(u), **numbers, held=held)
                                   for g, u in zip(gate, up, strict=True)), strict=True)
        gates, ups = ([slope * float(each) for slope, each in zip(slopes, grad, strict=True)]
                      for slopes in (gates, ups))
    with np.errstate(all="raise"):
        y = lw.swiglu(gate, up, **given)
        grad_gate, grad_up = lw.swiglu_backward(grad, gate, up, **given)
    assert y.dtype == grad_gate.dtype == grad_up.dtype == gate.dtype
    assert accuracy.errors(y, values, dtype).max() <= bound("swiglu", dtype)
    normal = np.minimum(gate.astype(float), numbers["limit"]) * numbers["beta"] > (-700 if dtype == "float64" else -86)
    found = accuracy.errors(grad_gate, gates, dtype)[normal]  # a subnormal slope has fewer digits (measure/oracles.py)
    assert found.max() <= bound("swiglu_backward", dtype)
    assert accuracy.errors(grad_up, ups, dtype).max() <= bound("swiglu_backward", dtype)


@pytest.mark.parametrize("given", [{}, GIVEN[0]])
def test_operands_of_several_dtypes(given):
    rng = np.random.default_rng(2)
    halves = rng.normal(size=(3, 20)).astype(np.float16)
    for dtype in (np.float32, np.float64):
        wide = halves.astype(dtype)
        for k in range(3):
            operands = [wide[j] if j == k else halves[j] for j in range(3)]
            for found, expected in zip(lw.swiglu_backward(*operands, **given), lw.swiglu_backward(*wide, **given),
                                       strict=True):
                assert found.dtype == dtype
                assert (found == expected).all()


def test_outputs_over_one_another():
    rng = np.random.default_rng(2)
    operands, out = rng.normal(size=(3, 20)), np.full(30, 7.0)
    for places in ((out[:20], out[:20]), (out[:20], out[10:])):
        for given in ({}, GIVEN[0]):
            with pytest.raises(ValueError, match="swiglu_backward: outputs 0 and 1 share memory"):
                lw.swiglu_backward(*operands, out=places, **given)
    assert (out == 7).all()
    both = np.empty((20, 2))
    lw.swiglu_backward(*operands, out=(both[:, 0], both[:, 1]))
    assert (lw.swiglu_backward(*operands) == both.T).all()


@pytest.mark.parametrize(("dtype", "least", "most"), [("float32", -37, 37), ("float64", -300, 300)])
def test_numbers_of_any_size(dtype, least, most):
    """Neither a product on the way nor the sigmoid's exponent leaves its place, however small beta is."""
    rng = np.random.default_rng(5)
    gate, up, beta = (rng.choice([-1, 1], 1000) * 10 ** rng.uniform(least, most, 1000) for _ in range(3))
    beta[::2] = rng.uniform(-400 if dtype == "float32" else -3000, 0, 500) / gate[::2]
    with np.errstate(over="ignore"):
        gate, up, beta = (x.astype(dtype) for x in (gate, up, beta))
    with mp.workprec(300):
        values = [mpf(float(g)) * mpf(float(u)) / (1 + mp.exp(-mpf(float(g)) * mpf(float(b))))
                  for g, u, b in zip(gate, up, beta, strict=True)]
    with np.errstate(all="raise"):
        y = lw.swiglu(gate, up, beta=beta)
    assert accuracy.errors(y, values, dtype).max() <= bound("swiglu", dtype)


@pytest.mark.parametrize("dtype", accuracy.DTYPES)
def test_one_beta_and_no_limit_have_the_bits_of_the_plain_kernel(dtype):
    gate, up = pairs(dtype)
    one = np.ones((), np.float64 if dtype == "float64" else np.float32)
    assert lw.swiglu(gate, up).tobytes() == activations.swiglu_ufunc(gate, up).tobytes()
    for keywords in ({"beta": 1.0, "limit": INF, "shift": 0.0}, {"limit": 1e9}, {"beta": 1}):
        assert lw.swiglu(gate, up, **keywords).tobytes() == lw.swiglu(gate, up).tobytes()
    kernel = activations.swiglu_clamped_short_ufunc if gate.itemsize == 2 else activations.swiglu_clamped_ufunc
    assert kernel(gate, up, one, np.full_like(one, INF), np.zeros_like(one)).tobytes() == lw.swiglu(gate, up).tobytes()
    for found, plain in zip(lw.swiglu_backward(up, gate, up, limit=1e9), lw.swiglu_backward(up, gate, up), strict=True):
        assert found.tobytes() == plain.tobytes()


def test_parameters_broadcast():
    gate, up = (x[:42].reshape(2, 3, 7) for x in pairs("float32"))
    beta = np.float32([1.702, 1.0, 0.5])[:, None]
    together = lw.swiglu(gate, up, beta=beta, limit=7.0, shift=1.0)
    for k in range(3):
        alone = lw.swiglu(gate[:, k], up[:, k], beta=float(beta[k, 0]), limit=7.0, shift=1.0)
        assert np.ascontiguousarray(together[:, k]).tobytes() == alone.tobytes()


def test_out_and_in_place():
    gate, up = pairs("float32")
    expected = lw.swiglu(gate, up, **GIVEN[0])
    expected_gate, expected_up = lw.swiglu_backward(up, gate, up, **GIVEN[0])
    for place in (np.empty_like(gate), gate.copy(), np.empty(2 * gate.size, np.float32)[::2]):
        own = place if np.array_equal(place, gate) else gate
        assert lw.swiglu(own, up, out=place, **GIVEN[0]) is place
        assert np.array_equal(place, expected)
        assert lw.swiglu(gate, up, place) is place
    outs = np.empty_like(gate), up.copy()
    found = lw.swiglu_backward(up, gate, outs[1], out=outs, **GIVEN[0])
    assert found[0] is outs[0]
    assert found[1] is outs[1]
    assert np.array_equal(outs[0], expected_gate)
    assert np.array_equal(outs[1], expected_up)
    y = np.empty_like(gate)
    assert lw.swiglu(gate, up, out=(y,), **GIVEN[0]) is y  # a tuple, as every ufunc takes it


def test_ends_and_nan():
    nan = np.nan
    x = np.float32([nan, 1, INF, -INF, 9])
    y = lw.swiglu(x, np.float32([1, nan, 1, 1, -INF]), **GIVEN[0])
    assert np.isnan(y[:2]).all()
    assert y[2] == lw.swiglu(np.float32(7), np.float32(1), **GIVEN[0])
    assert y[3] == 0
    assert y[4] == lw.swiglu(np.float32(7), np.float32(-7), **GIVEN[0])
    assert np.isnan(lw.swiglu(np.float32(1), np.float32(1), beta=nan))
    grad_gate, grad_up = lw.swiglu_backward(*np.float32([[1, 1, 1, 1], [nan, 8, 7, 1], [1, 1, 1, nan]]), **GIVEN[0])
    assert np.isnan(grad_gate[[0, 3]]).all()
    assert grad_gate[1] == 0
    assert grad_gate[2] > 0
    assert np.isnan(grad_up[0])


@pytest.mark.parametrize("limit", [-1.0, np.nan, np.array([1.0, -1.0]), -2])
def test_a_limit_is_a_size(limit):
    with pytest.raises(ValueError, match="swiglu: limit must be 0 or more; got"):
        lw.swiglu(np.ones(2), np.ones(2), limit=limit)
    with pytest.raises(ValueError, match="swiglu_backward: limit must be 0 or more; got"):
        lw.swiglu_backward(np.ones(2), np.ones(2), np.ones(2), limit=limit)
    with pytest.raises(TypeError, match="swiglu: limit must be a number or an array of numbers, not"):
        lw.swiglu(np.ones(2), np.ones(2), limit="7")
    with pytest.raises(TypeError, match=r"swiglu_backward: out must be a tuple of two arrays, .*; got ndarray"):
        lw.swiglu_backward(np.ones(2), np.ones(2), np.ones(2), np.empty(2))


@pytest.mark.peers
def test_agrees_with_torch():
    """By the lines of gpt-oss, whose gradients PyTorch makes."""
    torch = pytest.importorskip("torch")
    gate, up = pairs("float64")
    leaves = [torch.tensor(x, requires_grad=True) for x in (gate, up)]
    held = leaves[0].clamp(max=7.0), leaves[1].clamp(-7.0, 7.0)
    expected = held[0] * torch.sigmoid(1.702 * held[0]) * (held[1] + 1)
    expected.sum().backward()
    # PyTorch's exponential is of 1.702 gate rounded: off by up to |gate| rounding errors
    np.testing.assert_allclose(lw.swiglu(gate, up, **GIVEN[0]), expected.detach().numpy(), rtol=1e-12)
    found = lw.swiglu_backward(np.ones_like(gate), gate, up, **GIVEN[0])
    for slope, leaf in zip(found, leaves, strict=True):
        np.testing.assert_allclose(slope, leaf.grad.numpy(), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("defaults", [{}, {"limit": float("inf")}, {"shift": 0.0}])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_beta_alone_keeps_the_sign_of_a_zero(dtype, defaults):
    found = lw.swiglu(np.array([2, -2, 0, -0.0], dtype), np.array([-0.0, -0.0, 3, 3], dtype), beta=1.7, **defaults)
    assert not found.any()
    assert np.array_equal(np.signbit(found), [True, False, False, True])
