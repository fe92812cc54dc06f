"""The activations against their contract, over every function of the table of bounds: errors, exact values, shape of
the curve, and slopes. Being good ufuncs is test_activation_ufuncs.py's; the same bits everywhere, test_same_bits.py's.
"""

import lanewise as lw
import numpy as np
import pytest
from elementwise import (
    BACKWARD,
    FORMULAS,
    FORWARD,
    SIXTEEN_BITS,
    all_numbers,
    bits,
    compute,
    consecutive,
    domain_of,
    every,
    every_dtype,
    parameters_of,
)
from hashes_measured import STEP
from lanewise.bounds import BOUNDS, GATE_BOUNDS, bound
from lanewise.measure import accuracy, oracles
from lanewise.measure.oracles import ORACLES


def test_every_function_has_an_oracle():
    assert [name for name in BOUNDS if name.removesuffix("_backward") not in ORACLES] == []
    assert [name for name in BACKWARD if oracles.of_function(name).slope is None] == []
    assert [name for name in BOUNDS if not callable(getattr(lw, name, None))] == []


@pytest.mark.above_kernels  # formulas alone
@every(FORMULAS)
def test_oracles_agree(name):
    """The float64 formula carries the digits that judging float32 needs, by the exact one."""
    low, high = domain_of(name)
    critical = [np.linspace(at - 0.3, at + 0.3, 61) for at in (-1.2, -0.75, 0, 1)]
    x = np.concatenate([np.linspace(-20, 20, 201), *critical])
    x = x.astype(np.float32).astype(np.float64)
    x = x[(x > low) & (x < high)]
    x = np.concatenate([x, x[np.abs(x) < 1] * 2.0**-70])
    grad = [np.full(x.size, 0.7)] * name.endswith("_backward")
    for parameters in oracles.of_function(name).parameters:
        computed = np.atleast_2d(oracles.wide(name)(*grad, x, *parameters))  # one row per result
        for operands, results in zip(zip(*grad, x, strict=True), computed.T, strict=True):
            exact = oracles.exact(name)(*operands, *parameters)
            for y, expected in zip(results, exact if isinstance(exact, tuple) else [exact], strict=True):
                assert abs(oracles.mpf(float(y)) - expected) <= abs(expected) * 2.0**-40, operands


@pytest.mark.above_kernels  # test_same_bits.py compares the levels on the numbers that are measured here
@every([*BOUNDS, *GATE_BOUNDS])
@every_dtype()
def test_bound(name, dtype):
    found = accuracy.measure(name, dtype, step=STEP)
    assert found.inputs > (400 if dtype == "float64" else 30_000)
    largest = found.largest
    assert largest <= bound(name, dtype), f"at {found.at}"


# where float64's segments and look-ups end, and where earlier formulas had their largest errors
ENDS = {
    "erf": [0.44058825795, 0.9631724, 1.5231, 2.1401, 0.53],
    "silu_backward": [-0.8695652173913, -1.9565217391304, -3.0434782608695, -4.1304347826087, -8.47, -1.27846454276107],
    "log": [1.0625, 0.96875, 1.1875, 0.59375, 1e300],
    "log1p": [0.0625, -0.03125, 0.1875, -5.6e-17, 1.7e308],
    "log1mexp": [0.6931471805599, 2.77, 1e-3, 39.9],
    "swiglu": [0.26, 0.42, -1.0, -427.3],
    "softsign_backward": [1e-7, 1.0, 63.8, 1e30, 3.3e153],
    "squareplus": [-1.9e4, 3.0, -1e-3, 9.9e149],
}


@pytest.mark.above_kernels
@every(ENDS)
def test_bound_beside_ends_of_segments(name):
    """Between the numbers that are measured above."""
    rng = np.random.default_rng(1)
    x = np.concatenate([end * (1 + rng.normal(0, 1, 300) * 10.0 ** rng.uniform(-15, -2, 300)) for end in ENDS[name]])
    operands = {"silu_backward": (np.ones_like(x), x), "softsign_backward": (rng.uniform(0.5, 1, x.size), x),
                "swiglu": (x, rng.uniform(0.5, 1, x.size)), "squareplus": (x, np.full_like(x, 4.0))}.get(name, (x,))
    exact = np.array([oracles.exact(name)(*map(float, each)) for each in zip(*operands, strict=True)], object)
    assert accuracy.errors(getattr(lw, name)(*operands), exact, "float64").max() <= bound(name, "float64")


@pytest.mark.above_kernels
@every(["silu_backward", "swish_backward"])
def test_bound_of_slopes_below_their_segments(name):
    """Far below zero the slope of silu is a difference of 1 + e^x and x, of which no part may be lost."""
    rng = np.random.default_rng(2)
    x = rng.uniform(-32, -8, 2_000_000).astype(np.float32)
    grad = rng.uniform(0.25, 1, x.size).astype(np.float32)
    wide, e = x.astype(np.float64), np.exp(x.astype(np.float64))
    exact = grad * ((1 + e + wide) * e / (1 + e) ** 2)
    errors = np.abs(getattr(lw, name)(grad, x) - exact) / np.spacing(np.abs(exact).astype(np.float32))
    assert errors.max() <= bound(name, "float32")


@every(FORWARD)
@every_dtype()
def test_exact_values(name, dtype):
    values = ORACLES[name].values
    assert values
    x, expected = np.array(values).astype(accuracy.dtype_of(dtype)).T
    y = compute(name, x)
    wrong = [f"{name}({x[i]}) = {y[i]}, not {expected[i]}" for i in range(len(x)) if bits(y[i]) != bits(expected[i])]
    assert wrong == []


@every(BOUNDS)
@every_dtype()
def test_nan_and_outside_the_domain(name, dtype):
    low, _ = domain_of(name)
    x = np.array([np.nan, -np.nan], accuracy.dtype_of(dtype))
    sloping = [np.full(2, 0.75, x.dtype)] * name.endswith("_backward")
    assert np.isnan(compute(name, *sloping, x)).all()
    if sloping:
        assert np.isnan(compute(name, x, *sloping)).all()
    if name in FORWARD and np.isfinite(low):
        assert np.isnan(compute(name, np.array([low - 0.01, low - 50, -np.inf], x.dtype))).all()


@every([name for name in BACKWARD if not oracles.of_function(name).of_output])
@every_dtype()
def test_backward_at_infinity(name, dtype):
    for x in (-np.inf, np.inf):
        limit = float(oracles.exact(name)(1.0, np.copysign(2.0**1000, x), *parameters_of(name)))
        limit = np.copysign(np.inf, limit) if abs(limit) > 2.0**100 else limit
        one = np.ones(3, accuracy.dtype_of(dtype))
        y = compute(name, one, np.full_like(one, x))
        assert y.dtype == one.dtype
        assert (y == np.full_like(one, limit)).all()


@every([name for name in FORWARD if ORACLES[name].odd])
@every_dtype()
def test_odd(name, dtype):
    x = all_numbers(dtype) if dtype in SIXTEEN_BITS else consecutive(dtype)
    y, mirrored = compute(name, x), compute(name, -x)
    wrong = [f"{name}({x[i]!r}) = {y[i]!r}, {name}(-x) = {mirrored[i]!r}" for i in np.flatnonzero(y != -mirrored)]
    assert wrong == []
    assert bits(mirrored) == bits(-y)


@every([name for name in FORWARD if ORACLES[name].increasing])
@every_dtype()
def test_increasing(name, dtype):
    low, high = domain_of(name)
    x = all_numbers(dtype) if dtype in SIXTEEN_BITS else consecutive(dtype)
    x = x[(x >= low) & (x <= high)]
    y = compute(name, x)
    falls = np.flatnonzero(~(y[1:] >= y[:-1]))
    assert falls.size == 0, f"{falls.size} times; {name}({x[falls[0]]!r}) = {y[falls[0]]!r}, then {y[falls[0] + 1]!r}"


@every(BACKWARD)
def test_backward_is_the_slope(name):
    """By central differences, at points that no kink lies on."""
    forward, oracle = name.removesuffix("_backward"), oracles.of_function(name)
    x, h = np.linspace(-7.0123, 7.0321, 501), 1e-5
    difference = (compute(forward, x + h) - compute(forward, x - h)) / (2 * h)
    given_to_backward = compute(forward, x) if oracle.of_output else x
    slope = compute(name, np.ones_like(x), given_to_backward)
    np.testing.assert_allclose(slope, difference, rtol=2e-7, atol=1e-9)
    np.testing.assert_array_equal(compute(name, np.full_like(x, -2.0), given_to_backward), -2 * slope)


@pytest.mark.parametrize(("name", "grad", "x"), [
    ("selu_backward", -1.5014011, -86.95174), ("softsign_backward", -3.0796774e-38, 0.3001736),
    ("tanhshrink_backward", 3.338485e-38, -1.0395658), ("elu_backward", -0.8927554, -85.53105),
    ("gelu_backward", 1.396235e+37, -5.456298), ("silu_backward", 0.16877437, -0.937751)])
def test_where_every_float32_was_tried(name, grad, x):
    """Gradients that runs over all inputs found beyond the bound, or farthest off."""
    operands = np.float32([grad]), np.nextafter(np.float32(x), np.float32([-np.inf, x, np.inf]))
    exact = oracles.wide(name)(*(operand.astype(np.float64) for operand in operands), *parameters_of(name))
    assert accuracy.errors(getattr(lw, name)(*operands), exact, "float32").max() <= bound(name, "float32")


@every(["sigmoid", "silu", "gelu", "gelu_tanh", "softplus", "silu_backward", "gelu_backward", "gelu_tanh_backward",
        "softplus_backward"])
def test_where_segments_end(name):
    """Beside the ends of the polynomials by segments, on either side, and of the segments before them."""
    ends = np.float32([4.2664137, 4.9, 5.05, 5.46, 5.6, 5.83, 6.1, 6.3, 6.343627, 9.05, 9.0625, 9.68, 9.6875])
    x = (ends.view(np.int32)[:, None] + np.arange(-40, 41, dtype=np.int32)).view(np.float32).ravel()
    x = np.concatenate([x, -x])
    grad = [np.random.default_rng(2).normal(0, 1, x.size).astype(np.float32)] * name.endswith("_backward")
    exact = oracles.wide(name)(*(operand.astype(np.float64) for operand in (*grad, x)), *parameters_of(name))
    assert accuracy.errors(getattr(lw, name)(*grad, x), exact, "float32").max() <= bound(name, "float32")


@every(["silu_backward", "gelu_backward", "gelu_tanh_backward", "softplus_backward", "logsigmoid_backward"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_infinite_and_zero_gradients(name, dtype):
    roots = np.array([-1.2784645, -0.7517915, -0.7524614, 1.2784645, 0.5, -7, 20], dtype)
    x = np.concatenate([np.nextafter(roots, np.array(end, dtype)) for end in (-np.inf, np.inf)] + [roots])
    slope = getattr(lw, name)(np.ones_like(x), x)
    for grad in (np.inf, -np.inf):
        np.testing.assert_array_equal(getattr(lw, name)(np.full_like(x, grad), x), np.sign(slope) * grad)
    if name in ("softplus_backward", "logsigmoid_backward"):
        assert np.signbit(getattr(lw, name)(np.full_like(x, -0.0), x)).all()


TORCH = {"gelu_tanh": lambda torch, x: torch.nn.functional.gelu(x, approximate="tanh"),
         "relu_squared": lambda torch, x: torch.relu(x)**2}


@pytest.mark.peers
@every(FORWARD)
def test_agrees_with_torch(name):
    """Up to torch's own error, by its autograd where there is a backward."""
    torch = pytest.importorskip("torch")
    found = [getattr(place, name) for place in (torch.nn.functional, torch) if hasattr(place, name)]
    if name not in TORCH and not found:
        pytest.skip(f"torch has no {name}")
    function = (lambda x: TORCH[name](torch, x)) if name in TORCH else found[0]
    low, _ = domain_of(name)
    values = np.linspace(max(low, -9.0001) + 1e-3, 9.0003, 999)
    x = torch.tensor(values, requires_grad=True)
    parameters = [torch.tensor([p], dtype=x.dtype) if name == "prelu" else p for p in parameters_of(name, float)]
    y = function(x, *parameters)
    np.testing.assert_allclose(compute(name, values), y.detach().numpy(), rtol=1e-12, atol=1e-15)
    if f"{name}_backward" in BOUNDS:
        y.sum().backward()
        given_to_backward = compute(name, values) if ORACLES[name].of_output else values
        slope = compute(f"{name}_backward", np.ones_like(values), given_to_backward)
        tolerance = 1e-7 if name == "hardsigmoid" else 1e-9  # torch holds its 1/6 in float32
        np.testing.assert_allclose(slope, x.grad.numpy(), rtol=tolerance, atol=1e-13)


@pytest.mark.parametrize(("name", "x"), [("silu", -91.5), ("silu", -100.0), ("gelu", -13.6), ("gelu_tanh", -10.4)])
def test_a_gradient_multiplies_a_subnormal_slope_before_that_loses_digits(name, x):
    backward = getattr(lw, f"{name}_backward")
    for grad in (1.0, -3.7, 1e7):
        found = backward(np.float32([grad] * 33), np.full(33, x, np.float32))
        exact = backward(np.float64(np.float32(grad)), np.float64(np.float32(x)))
        assert abs(found / exact - 1).max() <= max(2.0**-22, 2.0**-149 / abs(exact)), grad
