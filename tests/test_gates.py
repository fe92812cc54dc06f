"""Gated units, prelu's weight, and what parameters are refused: what the tests of every activation do not reach."""

import math

import lanewise as lw
import numpy as np
import pytest
from lanewise.bounds import bound
from lanewise.measure import accuracy, oracles
from mpmath import mp, mpf

FLOATS = ("float32", "float64")


def normal(*shape, seed=0, dtype=np.float32, scale=3):
    return np.asarray(np.random.default_rng(seed).normal(0, scale, shape)).astype(dtype)


@pytest.mark.parametrize(("gate_size", "up_size"), [
    (1, 1e-37), (1e-37, 1), (1e-41, 1e30), (1e-44, 1e37), (1e-19, 1e-19), (1e-3, 1e37), (60, 1e37)])
def test_gates_of_tiny_and_huge_numbers(gate_size, up_size):
    """Beside the smallest normal number, what a product loses is no number any more unless it has been lifted."""
    gate, up = normal(10**6, scale=gate_size), normal(10**6, seed=1, scale=up_size)
    wide_gate, wide_up = gate.astype(np.float64), up.astype(np.float64)
    for name in ("swiglu", "geglu"):
        exact = oracles.of_function(name).forward[0](wide_gate, wide_up)
        assert accuracy.errors(getattr(lw, name)(gate, up), exact, "float32").max() <= bound(name, "float32")
    exact = wide_up * oracles.of_function("sigmoid").forward[0](wide_gate)
    y = lw.glu(np.concatenate([up, gate]))
    assert accuracy.errors(y, exact, "float32").max() <= bound("glu", "float32")


@pytest.mark.parametrize(("gate", "up"), [
    (-3.5732565, 1.5), (-4.5835886, 1.3333333), (-4.267897, 0.7), (-4.864226, 1e-9), (-1.8225365, -1.9999999),
    (-4.3794546, 1.1713806), (-4.6194377, 1.716907)])
def test_gates_of_products_below_a_power_of_two(gate, up):
    """Where an ULP is smallest, for each `up` elsewhere: errors are largest there, up to 1.07."""
    gate = np.nextafter(np.float32(gate), np.float32([-np.inf, gate, np.inf]))
    exact = oracles.of_function("geglu").forward[0](gate.astype(np.float64), np.float64(np.float32(up)))
    assert accuracy.errors(lw.geglu(gate, np.float32(up)), exact, "float32").max() <= bound("geglu", "float32")


@pytest.mark.parametrize(("grad_size", "up_size", "gate_size"), [
    (1, 1, 300), (1e37, 1e37, 300), (1e37, 1e-37, 60), (1e30, 1e-41, 20), (1e-20, 1e37, 1), (1e-37, 1e-3, 1e-30),
    (1e36, 1e36, 1), (1e-10, 1e38, 30)])
def test_backward_of_glu_of_tiny_and_huge_numbers(grad_size, up_size, gate_size):
    """What has no place among the exponents on the way to a result that has."""
    rng = np.random.default_rng(4)
    largest = np.finfo(np.float32).max
    grad, up, gate = (np.clip(rng.normal(0, size, 10**5), -largest, largest).astype(np.float32)
                      for size in (grad_size, up_size, gate_size))
    gate[0], grad[0], up[0] = largest, largest, largest
    wide = [x.astype(np.float64) for x in (grad, gate, up)]
    grad_up, grad_gate = np.split(lw.glu_backward(grad, np.concatenate([up, gate])), 2)
    for y, exact in zip((grad_gate, grad_up), oracles.wide("glu_backward")(*wide), strict=True):
        assert accuracy.errors(y, exact, "float32").max() <= bound("glu_backward", "float32")


def test_backward_of_glu_of_a_far_gate():
    """A gate once was held at 110 (float64: 760), where the largest numbers still showed a slope."""
    for dtype in FLOATS:
        largest = np.finfo(dtype).max
        assert (lw.glu_backward(np.full(1, largest), np.array([largest, 1e9], dtype)) == [largest, 0]).all()
        assert (lw.glu_backward(np.full(1, largest), np.array([largest, -1e9], dtype)) == 0).all()


def test_backward_of_glu_into_memory():
    x, grad = normal(6, 8), normal(6, 4)
    expected = lw.glu_backward(grad, x)
    for out in (np.empty((6, 8), np.float32), np.empty((8, 6), np.float32).T):
        assert lw.glu_backward(grad, x, out=out) is out
        assert (out == expected).all()
    with pytest.raises(ValueError, match=r"glu_backward: out of shape \(6, 4\) does not fit; expected shape \(6, 8\)"):
        lw.glu_backward(grad, x, out=np.empty_like(grad))
    with pytest.raises(TypeError, match=r"glu_backward: out must be an ndarray, not builtins\.list"):
        lw.glu_backward(grad, x, out=[0])


@pytest.mark.parametrize("name", ["swiglu", "geglu", "reglu"])
@pytest.mark.parametrize("dtype", accuracy.DTYPES)
def test_gates_of_plain_arrays_pass_numpy_by(name, dtype):
    """With one output and two, of which some or all are given; `where` leads to NumPy."""
    grad, gate, up = (normal(3, 200, seed=seed, dtype=accuracy.dtype_of(dtype)) for seed in range(3))
    function, backward = getattr(lw, name), getattr(lw, f"{name}_backward")
    assert function(gate, up).tobytes() == function(gate, up, where=True).tobytes()
    expected = [each.tobytes() for each in backward(grad, gate, up, where=True)]
    assert [each.tobytes() for each in backward(grad, gate, up)] == expected
    for out in ((np.empty_like(gate), np.empty_like(gate)), (None, np.empty_like(gate)), (gate.copy(), None)):
        found = backward(grad, gate if out[1] is not None else out[0], up, out=out)
        assert [each.tobytes() for each in found] == expected
        assert all(given is None or given is each for given, each in zip(out, found, strict=True))


@pytest.mark.parametrize("axis", [0, 1, -1, -2])
def test_glu_along_an_axis(axis):
    x = normal(6, 4, 8)
    a, b = np.split(x, 2, axis)
    expected = a / (1 + np.exp(-b.astype(np.float64)))
    np.testing.assert_allclose(lw.glu(x, axis), expected, rtol=2e-7)
    out = np.empty_like(a)
    assert lw.glu(x, axis, out=out) is out
    np.testing.assert_allclose(out, expected, rtol=2e-7)


def test_glu_of_integers():
    assert lw.glu(np.array([2, 0])).dtype == np.float64
    assert lw.glu_backward(np.array([1]), np.array([2, 0])).dtype == np.float64


@pytest.mark.parametrize(("call", "message"), [
    (lambda: lw.glu(np.ones((2, 3))), r"glu: x must have an even length along axis 1; got shape \(2, 3\)"),
    (lambda: lw.glu(np.ones((2, 4)), 2), r"glu: axis 2 is out of range for x of shape \(2, 4\)"),
    (lambda: lw.glu_backward(np.ones((2, 3)), np.ones((2, 4))),
     r"grad of shape \(2, 3\) does not fit x of shape \(2, 4\)"),
    (lambda: lw.celu(1.0, 0), "celu: alpha must not be 0; got 0"),
    (lambda: lw.celu_backward(1.0, 1.0, np.array([1.0, 0.0])), "celu_backward: alpha must not be 0; got"),
    (lambda: lw.celu(1.0, [1.0, 0.0]), "celu: alpha must not be 0; got"),
    (lambda: lw.softshrink(1.0, -0.5), "softshrink: lambd must be 0 or more; got -0.5"),
    (lambda: lw.softshrink_backward(1.0, 1.0, -0.5), "softshrink_backward: lambd must be 0 or more; got -0.5"),
    (lambda: lw.squareplus(1.0, b=np.array([1.0, -1.0])), "squareplus: b must be 0 or more; got"),
    (lambda: lw.hardtanh(1.0, 2.0, 1.0), "hardtanh: min_val must not exceed max_val; got 2.0 and 1.0"),
    (lambda: lw.hardtanh_backward(1.0, 1.0, 2.0, 1.0), "hardtanh_backward: min_val must not exceed max_val"),
    (lambda: lw.elu([[1.0], [2.0, 3.0]]), "elu: x must be an array of numbers; setting an array element"),
    (lambda: lw.swiglu(1.0, [[1.0], [2.0, 3.0]], limit=2.0), "swiglu: up must be an array of numbers; setting"),
    (lambda: lw.elu(1.0, [[1.0], [2.0, 3.0]]), "elu: alpha must be an array of numbers; setting an array element"),
    *[(call, f"{name} must be a number that a float holds, not an int of 16610 bits") for name, call in {
        "hardtanh: min_val": lambda: lw.hardtanh(1.0, 10**5000, 1.0), "celu: alpha": lambda: lw.celu(1.0, 10**5000),
        "softshrink: lambd": lambda: lw.softshrink(1.0, -10**5000),
        "swiglu: limit": lambda: lw.swiglu(1.0, 1.0, limit=-10**5000)}.items()],
])
def test_what_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize("name", ["leaky_relu", "elu", "celu", "swish", "softplus", "softshrink", "squareplus"])
@pytest.mark.parametrize("dtype", accuracy.DTYPES)
def test_parameters_broadcast_and_keep_the_dtype(name, dtype):
    """One for each channel gives what one after the other gives; a number keeps the dtype of x."""
    x = normal(2, 5, 3, 4).astype(accuracy.dtype_of(dtype))
    each = np.array([0.25, 0.5, 1, 1.5, 2]).astype(x.dtype)
    together = getattr(lw, name)(x, each[:, np.newaxis, np.newaxis])
    assert together.dtype == x.dtype
    for channel, parameter in enumerate(each):
        alone = getattr(lw, name)(x[:, channel], float(parameter))
        assert alone.dtype == x.dtype
        assert np.ascontiguousarray(together[:, channel]).tobytes() == np.ascontiguousarray(alone).tobytes()


def test_one_as_a_parameter_takes_the_same_values():
    """The kernels without a parameter are other kernels: they may not be another function."""
    x = np.concatenate([normal(3000), normal(3000, scale=40)])
    ones = np.ones((), np.float32)
    grad = normal(6000, seed=4)
    assert lw.swish(x, ones).tobytes() == lw.silu(x).tobytes()
    assert lw.softplus(x, ones).tobytes() == lw.softplus(x).tobytes()
    np.testing.assert_allclose(lw.swish_backward(grad, x, ones), lw.silu_backward(grad, x), rtol=3e-7, atol=1e-37)
    np.testing.assert_allclose(lw.softplus_backward(grad, x, ones), lw.softplus_backward(grad, x), rtol=3e-7)
    assert lw.celu(x, ones).tobytes() == lw.celu(x).tobytes() == lw.elu(x).tobytes()
    assert lw.celu_backward(grad, x, ones).tobytes() == lw.celu_backward(grad, x).tobytes()


@pytest.mark.parametrize(("dtype", "scale", "t"), [
    ("float32", 100, -150.0), ("float32", 100, -87.0), ("float64", 900, -1200.0), ("float64", 900, -740.0)])
@pytest.mark.parametrize("factor", [1.0, 1.1])  # with which beta x is exact, and not
def test_softplus_where_a_tiny_beta_makes_much_of_little(dtype, scale, t, factor):
    """ln(1 + e^t) underflows, divided by beta it does not."""
    beta, x = np.ldexp(np.array([factor, t / factor], dtype), [-scale, scale])
    with mp.workprec(200):
        exact = mp.log1p(mp.exp(mpf(float(beta)) * mpf(float(x)))) / mpf(float(beta))
        assert abs(mpf(float(lw.softplus(x, beta))) / exact - 1) < 2 * np.finfo(dtype).eps
    assert lw.softplus(10 * x, beta) == 0


def exact_with_parameter(name, x, p):
    # value and slope in mpmath, of any x and p, which is above 0 for squareplus
    x, p = mpf(float(x)), mpf(float(p))
    t = max(min({"celu": x / p, "elu": x}.get(name, x * p), mpf(10)**5), mpf(-10)**5)
    s, root = 1 / (1 + mp.exp(-t)), mp.sqrt(x * x + p)
    if name == "softplus":
        return (x + mp.log1p(mp.exp(-t)) / p if t > 0 else mp.log1p(mp.exp(t)) / p), s
    if name == "swish":
        return x * s, s * (1 + t / (1 + mp.exp(t)))
    if name == "squareplus":
        return (x + root if x > 0 else p / (root - x)) / 2, (1 + x / root if x > 0 else p / (root * (root - x))) / 2
    depth = p if name == "elu" else 1
    return (x, mpf(1)) if x > 0 else (p * mp.expm1(t), depth * mp.exp(t))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", [3.0, 0.2438875, 1e-3, 1e-20, 1e-36, 1e-44])
def test_celu_of_an_alpha_below_0_where_only_the_exponential_overflows(dtype, size):
    alpha = -np.array(size if dtype == "float32" else size**7.2, dtype)
    assert alpha
    with mp.workprec(300), np.errstate(all="raise"):
        end = mp.log(mpf(float(np.finfo(dtype).max)) / -mpf(float(alpha)))
        x = np.array([float(mpf(float(alpha)) * (end - t)) for t in (0.1, 0.7, 1, 3, 20, 30)], dtype)
        values = [exact_with_parameter("celu", each, alpha)[0] for each in x]
        y = lw.celu(x, float(alpha))
        assert accuracy.errors(y, values, dtype).max() <= bound("celu", dtype)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_celu_of_subnormal_numbers_and_parameters(dtype, sign):
    least = float(np.finfo(dtype).smallest_subnormal)
    for many in 7, 1001, 100003:
        alpha = sign * many * least
        x = np.array([-int(many * t) * least for t in (0.3, 1.7, 20.1, 47.3, 59.2)], dtype)
        with mp.workprec(300), np.errstate(all="ignore"):
            values, slopes = zip(*(exact_with_parameter("celu", each, alpha) for each in x), strict=True)
            y, slope = lw.celu(x, alpha), lw.celu_backward(np.ones_like(x), x, alpha)
            assert accuracy.errors(y, values, dtype).max() <= bound("celu", dtype), many
            assert accuracy.errors(slope, slopes, dtype).max() <= bound("celu_backward", dtype), many


@pytest.mark.parametrize("name", ["softplus", "swish", "squareplus", "elu", "celu"])
@pytest.mark.parametrize("dtype", FLOATS)
def test_parameters_of_any_size(name, dtype):
    """From the smallest number to the largest the bounds hold: no product on the way overflows or vanishes."""
    info = np.finfo(dtype)
    least, normal_least, most = (float(v) for v in (info.smallest_subnormal, info.smallest_normal, info.max))
    sizes = [least, 3 * least, normal_least / 4, normal_least, normal_least**0.5, 1e-10, 1e-3, 0.7, 3, 1e5, most**0.5,
             most / 8, most / 3, most]
    x = np.array([*sizes, 10, 40, 100, 700], dtype)
    x = np.concatenate([x, -x])
    parameters = np.array([*sizes, *([] if name == "squareplus" else [-size for size in sizes])], dtype)
    with mp.workprec(300), np.errstate(all="raise"):
        for p in parameters.tolist():
            values, slopes = zip(*(exact_with_parameter(name, each, p) for each in x), strict=True)
            y, slope = getattr(lw, name)(x, p), getattr(lw, f"{name}_backward")(np.ones_like(x), x, p)
            assert accuracy.errors(y, values, dtype).max() <= bound(name, dtype), p
            assert accuracy.errors(slope, slopes, dtype).max() <= bound(f"{name}_backward", dtype), p


def test_parameters_at_their_limits():
    one = np.float32([1, -1])
    assert lw.softplus(one, 0.0).tolist() == [np.inf, np.inf]
    assert lw.softplus(one, np.inf).tolist() == [1, 0]
    assert lw.swish(one, np.inf).tolist() == [1, 0]
    assert lw.celu(one, np.inf).tolist() == [1, -1]
    assert lw.celu_backward(one, one, np.inf).tolist() == [1, -1]
    assert lw.squareplus(np.float32([-2, 0, 2]), 0.0).tolist() == [0, 0, 2]


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("shape", [(), (1,), (5, 1, 1), (1, 5, 1, 1)])
def test_prelu_backward(shape, dtype):
    x, grad = normal(3, 5, 4, 2, dtype=dtype), normal(3, 5, 4, 2, seed=1, dtype=dtype)
    weight = normal(*shape, seed=2, dtype=dtype)
    grad_x, grad_weight = lw.prelu_backward(grad, x, weight)
    assert np.array_equal(grad_x, np.where(x > 0, grad, grad * weight))
    each = np.where(x > 0, 0, grad.astype(np.float64) * x)
    axes = (0, 2, 3) if 5 in shape else (0, 1, 2, 3)
    assert grad_weight.shape == shape
    assert grad_weight.dtype == dtype
    np.testing.assert_allclose(grad_weight, each.sum(axes).reshape(shape), rtol=1e-6 if dtype == "float32" else 1e-13)
    reordered = lw.prelu_backward(np.asfortranarray(grad), np.asfortranarray(x), weight)[1]
    assert np.array_equal(reordered, grad_weight)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_prelu_backward_rounds_its_sum_once(dtype):
    """Products of 16-bit numbers would round, overflow and vanish; the weight's own dtype is that of its gradient."""
    x = -np.abs(normal(4096)).astype(accuracy.dtype_of(dtype))
    grad = normal(4096, seed=1, scale=300).astype(x.dtype)
    terms = grad.astype(np.float64) * x.astype(np.float64)
    exact = np.float64(math.fsum(terms))
    for weight, held in ((0.25, x.dtype), (x.dtype.type(0.25), x.dtype), (np.float32([0.25]), np.dtype(np.float32)),
                         (np.array([[0.25]]), np.dtype(np.float64))):
        found = lw.prelu_backward(grad, x, weight)[1]
        assert found.dtype == held
        assert found.shape == np.shape(weight)
        if held == np.float64:
            assert abs(found - exact) <= 2.0**-53 * math.fsum(abs(terms))
        else:
            assert found == exact.astype(held)
    large = np.full(2, -300, np.float16)
    with np.errstate(all="raise"):
        assert lw.prelu_backward(np.float16([300, -300]), large, 0.5)[1] == 0
        assert lw.prelu_backward(-large, large, 0.5)[1] == -np.inf


def test_prelu_backward_of_nothing():
    x, weight = np.ones((0, 5, 2), np.float32), np.ones((5, 1), np.float32)
    assert np.array_equal(lw.prelu_backward(x, x, weight)[1], np.zeros((5, 1)))
    assert lw.prelu_backward(x.T, x.T, weight[0, :0])[1].shape == (0,)


@pytest.mark.parametrize("weight_shape", [(), (33, 1), (129,), (7, 1, 1), (7, 33, 129)])
def test_prelu_backward_sums_in_one_order(weight_shape):
    """On one thread or two, from any memory: the order is that of the kernels' sums, not of the NumPy at hand."""
    x, grad, weight = normal(7, 33, 129), normal(7, 33, 129, seed=1), normal(*weight_shape, seed=2)
    expected = lw.prelu_backward(grad, x, weight)[1]
    lw.set_num_threads(1)
    assert np.array_equal(lw.prelu_backward(np.asfortranarray(grad), x[::-1][::-1], weight)[1], expected)


@pytest.mark.peers
def test_prelu_backward_agrees_with_torch():
    torch = pytest.importorskip("torch")
    x, grad, weight = normal(3, 5, 4, dtype="float64"), normal(3, 5, 4, seed=1, dtype="float64"), normal(5, seed=2)
    inputs = [torch.tensor(v, requires_grad=True, dtype=torch.float64) for v in (x, weight)]
    torch.nn.functional.prelu(*inputs).backward(torch.tensor(grad))
    grad_x, grad_weight = lw.prelu_backward(grad, x, weight[:, np.newaxis].astype(np.float64))
    np.testing.assert_allclose(grad_x, inputs[0].grad.numpy(), rtol=1e-13)
    np.testing.assert_allclose(grad_weight[:, 0], inputs[1].grad.numpy(), rtol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["swiglu", "geglu"])
def test_a_product_too_small_keeps_its_sign(name, dtype):
    gate = np.array([-253.5, -2000.0, -np.inf, -1e-45, -0.0, 0.0, 3.0], dtype)
    for up in (5.7e-24, -5.7e-24, 1e-30, -1e-30, 0.0, -0.0):
        found = getattr(lw, name)(gate, np.asarray(up, dtype))
        known = ~np.isnan(found)
        assert known[[0, 1, 3, 4, 5, 6]].all()
        assert (np.signbit(found) == (np.signbit(gate) != np.signbit(up)))[known].all()


@pytest.mark.parametrize(("name", "call"), [
    ("celu: alpha", lambda value: lw.celu(1.0, value)),
    ("hardtanh: max_val", lambda value: lw.hardtanh(1.0, -1.0, value)),
    ("softshrink: lambd", lambda value: lw.softshrink(1.0, value)),
    ("swiglu: limit", lambda value: lw.swiglu(1.0, 1.0, limit=value))])
def test_parameters_that_are_no_numbers(name, call):
    for wrong in (np.zeros(2, "i4,f4"), "a", None, 1j, np.ones(2, np.longdouble)):
        with pytest.raises(TypeError, match=f"^{name} "):
            call(wrong)
    torch = pytest.importorskip("torch")
    with pytest.raises(TypeError, match=f"^{name} is a torch.Tensor, whose gradient would be lost"):
        call(torch.ones(1, requires_grad=True))


def test_parameters_that_a_mask_hides_are_not_refused():
    hidden = np.ma.array([-1.0, 2.0], mask=[True, False])
    zero = np.ma.array([0.0, 2.0], mask=[True, False])
    for found in (lw.celu([-1.0, 1.0], zero), lw.softshrink([-1.0, 4.0], hidden), lw.hardtanh([-1.0, 1.0], 0.5, hidden),
                  lw.swiglu([1.0, 1.0], [1.0, 1.0], limit=hidden)):
        assert found.mask.tolist() == [True, False]


@pytest.mark.parametrize("gate", [-677.6, -700.0, -705.0, -710.0, -714.0, -720.0, -760.0])
@pytest.mark.parametrize("up", [1e308, -1.7976931348623157e308])
def test_swiglu_of_far_gates_and_the_largest_numbers(gate, up):
    with mp.workdps(60):
        silu = mpf(gate) / (1 + mp.exp(-mpf(gate)))
        expected = float(silu * mpf(up)), float(silu * mpf(abs(up)))
    x = np.full(5, gate)
    assert lw.swiglu(x, np.full(5, up)) == pytest.approx(expected[0], rel=1e-15)
    assert lw.swiglu_backward(np.full(5, abs(up)), x, np.ones(5))[1] == pytest.approx(expected[1], rel=1e-15)
