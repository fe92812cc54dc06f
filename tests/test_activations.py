"""The activations against their contract, over every function of the table of bounds: errors, exact values, shape of
the curve, slopes, and being a good ufunc. That bits do not depend on the layout or the level is test_same_bits.py's."""

import ctypes
import platform
import sys
from functools import cache

import lanewise as lw
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lanewise.bounds import BOUNDS, GATE_BOUNDS, bound
from lanewise.functions.table import FUNCTIONS, GATES, usual
from lanewise.measure import accuracy, oracles
from lanewise.measure.oracles import ORACLES

FORWARD = [name for name in BOUNDS if not name.endswith("_backward")]
BACKWARD = [name for name in BOUNDS if name.endswith("_backward")]
FORMULAS = [*ORACLES, *(f"{name}_backward" for name, row in ORACLES.items() if row.slope or row.gated)]
WITHOUT_DEFAULTS = (*GATES, *(name for name in FUNCTIONS if usual(name, required=True)))
SIXTEEN_BITS = ("float16", "bfloat16")


def every(names):
    return pytest.mark.parametrize("name", list(names))


def every_dtype(*dtypes):
    return pytest.mark.parametrize("dtype", dtypes or accuracy.DTYPES)


@cache
def parameters_of(name, dtype=np.float64):
    # what is gated is of the dtype of the gate
    held = dtype if name in oracles.GATED else float
    return [held(parameter) for parameter in oracles.of_function(name).parameters[0]]


def required_of(name, dtype=np.float64):
    # what a call must give besides its operands
    return parameters_of(name, dtype) if name.removesuffix("_backward") in WITHOUT_DEFAULTS else []


def compute(name, *operands, **keywords):
    # no flag is raised, whatever is computed
    with np.errstate(all="raise"):
        return getattr(lw, name)(*operands, *parameters_of(name, operands[-1].dtype.type), **keywords)


def operands_of(name, x):
    # a gradient too, for a backward; x within the domain
    low, high = domain_of(name)
    x = np.clip(x, low, high).astype(x.dtype)
    return (np.roll(x, 1), x) if name.endswith("_backward") else (x,)


def domain_of(name):
    row = oracles.of_function(name)
    return row.slope_domain if name.endswith("_backward") else row.domain


def all_numbers(dtype):
    # of sixteen bits, in order and without NaN
    x = np.arange(1 << 16, dtype=np.uint16).view(accuracy.dtype_of(dtype))
    with np.errstate(invalid="ignore"):
        x = x[~np.isnan(x)]
    return x[np.argsort(x.astype(np.float64), kind="stable")]


def consecutive(dtype):
    # windows of consecutive numbers, in order
    x = np.unique(accuracy.neighbourhoods(dtype, 3000))
    return x[np.isfinite(x)]


def bits(y):
    return np.ascontiguousarray(y).tobytes()


def normal(n=301, dtype=np.float32, seed=5):
    return np.random.default_rng(seed).normal(0, 4, n).astype(dtype)


def test_every_function_has_an_oracle():
    assert [name for name in BOUNDS if name.removesuffix("_backward") not in ORACLES] == []
    assert [name for name in BACKWARD if oracles.of_function(name).slope is None] == []
    assert [name for name in BOUNDS if not callable(getattr(lw, name, None))] == []


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
        computed = np.atleast_2d(oracles.wide(name)(*grad, x, *parameters))  # a row a result
        for operands, results in zip(zip(*grad, x, strict=True), computed.T, strict=True):
            exact = oracles.exact(name)(*operands, *parameters)
            for y, expected in zip(results, exact if isinstance(exact, tuple) else [exact], strict=True):
                assert abs(oracles.mpf(float(y)) - expected) <= abs(expected) * 2.0**-40, operands


@every([*BOUNDS, *GATE_BOUNDS])
@every_dtype()
def test_bound(name, dtype):
    found = accuracy.measure(name, dtype)
    assert found.inputs > (400 if dtype == "float64" else 30_000)
    largest = found.largest
    assert largest <= bound(name, dtype), f"at {found.at}"


NOT_SHORT = {  # parameters that no 16-bit format holds
    "leaky_relu": (0.013,), "prelu": (-0.37,), "elu": (0.3,), "celu": (0.3,), "swish": (0.3,), "softplus": (0.3,),
    "hardtanh": (-0.1, 0.3), "softshrink": (0.1,), "hardshrink": (0.1,), "threshold": (0.1, 0.7), "squareplus": (0.3,)}


def test_every_parametric_function_is_tried_with_a_number_of_more_than_16_bits():
    rows = {name for name, row in ORACLES.items() if row.parameters != ((),)}
    assert set(NOT_SHORT) == rows - set(oracles.GATED)
    for parameter in sum(NOT_SHORT.values(), ()):
        assert all(accuracy.dtype_of(dtype).type(parameter) != np.float32(parameter) for dtype in SIXTEEN_BITS)


@every([name for name in FORMULAS if name.removesuffix("_backward") in NOT_SHORT and name in (*BOUNDS, *NOT_SHORT)])
@every_dtype(*SIXTEEN_BITS)
def test_a_number_is_a_float32_beside_16_bits(name, dtype):
    """Over all inputs, with the bound; the same with keywords, of one number, and where a gradient is a number."""
    x, function = all_numbers(dtype), getattr(lw, name)
    x = x[np.isfinite(x)]
    parameters = NOT_SHORT[name.removesuffix("_backward")]
    grad = [np.ones_like(x)] * name.endswith("_backward")
    y = function(*grad, x, *parameters)
    assert y.dtype == x.dtype
    with np.errstate(all="ignore"):
        exact = oracles.wide(name)(*grad, x.astype(np.float64), *(float(np.float32(p)) for p in parameters))
    assert accuracy.errors(y, np.asarray(exact, np.float64), dtype).max() <= bound(name, dtype)
    for keywords in ({"where": True}, {"dtype": x.dtype}, {"out": np.empty_like(x)}, {"dtype": None}):
        assert bits(function(*grad, x, *parameters, **keywords)) == bits(y)
    assert bits(function(*(g[9000] for g in grad), x[9000], *parameters)) == bits(y[9000])
    if grad:
        assert bits(function(1.0, x, *parameters)) == bits(y)
    if dtype == "float16":  # into which a wider array goes, where `dtype` asks for it
        assert bits(function(*grad, x.astype(np.float32), *parameters, dtype=dtype)) == bits(y)


@every(NOT_SHORT)
def test_arrays_of_parameters_decide_the_dtype_as_numpy_says(name):
    for short in SIXTEEN_BITS:
        x = normal(dtype=accuracy.dtype_of(short))
        for wide in (np.float32, np.float64):
            for parameters in ([wide(p) for p in NOT_SHORT[name]], [np.array([p], wide) for p in NOT_SHORT[name]]):
                y = getattr(lw, name)(x, *parameters)
                assert y.dtype == wide
                assert bits(y) == bits(getattr(lw, name)(x.astype(wide), *NOT_SHORT[name]))


def test_a_threshold_between_two_numbers():
    import ml_dtypes
    assert lw.threshold(ml_dtypes.bfloat16(0.1), 0.1, 20) == ml_dtypes.bfloat16(0.1)
    assert lw.hardtanh(np.float16([1, 2]), -1e6, 1e6).tolist() == [1, 2]


@every(FORWARD)
@pytest.mark.parametrize("dtype", ["int4", "uint4", "int2", "float8_e4m3fn", "float8_e5m2", "float4_e2m1fn"])
def test_dtypes_below_16_bits(name, dtype):
    """Results and parameters are at least float16."""
    ml_dtypes = pytest.importorskip("ml_dtypes")
    x = np.array([0, 0.5, 1, -1] if dtype != "uint4" else [0, 1, 2, 15]).astype(getattr(ml_dtypes, dtype))
    parameters = list(NOT_SHORT.get(name, ())) or [x] * (name in oracles.GATED)
    y = getattr(lw, name)(x, *parameters)
    assert y.dtype in (np.float16, np.float32)
    wide = [x.astype(y.dtype) if p is x else p for p in parameters]
    assert bits(y) == bits(getattr(lw, name)(x.astype(y.dtype), *wide))


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


@every(BOUNDS)
@every_dtype()
def test_no_warning_from_any_input(name, dtype):
    dtype = accuracy.dtype_of(dtype)
    if dtype.itemsize == 2:
        x = np.arange(1 << 16, dtype=np.uint16).view(dtype)
    else:
        x = np.random.default_rng(2).integers(0, 256, 100_000 * dtype.itemsize, dtype=np.uint8).view(dtype)
        x = np.concatenate([x, np.array([0, -0.0, np.inf, -np.inf, np.nan], dtype)])
    compute(name, *([x[::-1]] * name.endswith("_backward")), x)


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64") or not sys.platform.startswith("linux"),
                    reason="knows how rounding is set on x86-64 Linux")
@every(BOUNDS)
def test_rounding_of_the_caller(name):
    """A caller that rounds upwards gets the same bits, and still rounds upwards after."""
    upward, libm = 0x800, ctypes.CDLL("libm.so.6")
    cases = [operands_of(name, normal(dtype=dtype)) for dtype in (np.float16, np.float32, np.float64)]
    expected = [compute(name, *operands) for operands in cases]
    before = libm.fegetround()
    try:
        assert libm.fesetround(upward) == 0
        computed = [compute(name, *operands) for operands in cases]
        after = libm.fegetround()
    finally:
        libm.fesetround(before)
    assert after == upward
    assert [bits(y) for y in computed] == [bits(y) for y in expected]


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64") or not sys.platform.startswith("linux"),
                    reason="knows how rounding is set on x86-64 Linux")
def test_a_number_is_rounded_to_nearest_whatever_the_caller_does():
    libm, x, number = ctypes.CDLL("libm.so.6"), np.float32([-1, -1e3]), 0.0123456789
    before = libm.fegetround()
    try:
        for rounding in (0x800, 0x400):
            assert libm.fesetround(rounding) == 0
            y = lw.leaky_relu(x, number + rounding)  # a number that no call was given before
            libm.fesetround(before)
            assert y.tolist() == (x * np.float32(number + rounding)).tolist()
    finally:
        libm.fesetround(before)


@every([name for name in BOUNDS if name.removesuffix("_backward") not in WITHOUT_DEFAULTS])
def test_default_parameters(name):
    operands = operands_of(name, normal())
    assert bits(getattr(lw, name)(*operands)) == bits(compute(name, *operands))


@every(BOUNDS)
@every_dtype()
def test_dtype_and_shape(name, dtype):
    x = np.linspace(0, 1, 24).astype(accuracy.dtype_of(dtype)).reshape(2, 3, 4)
    for view in (x, x.T, x[:, :0], x[0, 0, 1], np.asfortranarray(x)):
        y = compute(name, *[view] * (1 + name.endswith("_backward")))
        assert y.dtype == x.dtype
        assert y.shape == view.shape
    y = compute(name, *[x.T] * (1 + name.endswith("_backward")))
    assert y.strides == x.T.strides  # order kept


@every(BOUNDS)
def test_integers_as_exp_takes_them(name):
    for char in "?bhilBHIL":
        x = np.array([0, 1], char)
        y = getattr(lw, name)(*[x] * (1 + name.endswith("_backward")), *required_of(name, x.dtype.type))
        assert y.dtype == np.exp(x).dtype


@every(BOUNDS)
def test_wrong_types_are_refused(name):
    for x in (np.array([1j]), np.array(["1"]), np.array([None])):
        with pytest.raises(TypeError):
            getattr(lw, name)(*[x] * (1 + name.endswith("_backward")), *required_of(name))


@every(BOUNDS)
@every_dtype("float16", "float32", "float64")
def test_foreign_byte_order_and_read_only(name, dtype):
    operands = operands_of(name, normal(dtype=dtype))
    expected = compute(name, *operands)
    for operand in operands:
        operand.setflags(write=False)
    swapped = [operand.astype(operand.dtype.newbyteorder()) for operand in operands]
    with np.errstate(all="raise"):
        assert bits(getattr(lw, name)(*swapped, *required_of(name, np.dtype(dtype).type))) == bits(expected)
    out = np.empty(expected.shape, expected.dtype.newbyteorder())
    compute(name, *operands, out=out)
    assert bits(out.astype(dtype)) == bits(expected)
    with pytest.raises(ValueError, match="read-only"):
        compute(name, *operands, out=operands[-1])


@every(BOUNDS)
def test_where(name):
    operands = operands_of(name, normal())
    chosen = normal(seed=6) > 0
    out = np.full(chosen.shape, 7, np.float32)
    assert compute(name, *operands, out=out, where=chosen) is out
    assert bits(out) == bits(np.where(chosen, compute(name, *operands), np.float32(7)))


@every(BOUNDS)
def test_masked_arrays_and_subclasses(name):
    operands = operands_of(name, normal())
    mask = normal(seed=6) > 0
    y = compute(name, *(np.ma.array(operand, mask=mask) for operand in operands))
    assert isinstance(y, np.ma.MaskedArray)
    assert np.array_equal(y.mask, mask)
    assert bits(y.data[~mask]) == bits(compute(name, *operands)[~mask])

    class Own(np.ndarray):
        pass

    assert type(compute(name, *(operand.view(Own) for operand in operands))) is Own


@every(BOUNDS)
def test_dtype_keyword(name):
    operands = operands_of(name, normal())
    wide = [operand.astype(np.float64) for operand in operands]
    y = getattr(lw, name)(*operands, *required_of(name), dtype=np.float64)
    assert y.dtype == np.float64
    assert bits(y) == bits(getattr(lw, name)(*wide, *required_of(name)))


@every(BOUNDS)
def test_zero_stride(name):
    one = operands_of(name, normal(2))
    y = compute(name, *(np.broadcast_to(operand[1], (5000,)) for operand in one))
    assert bits(y) == bits(np.full(5000, compute(name, *one)[1]))


@every(BOUNDS)
@settings(deadline=None, max_examples=25)
@given(st.data())
def test_value_depends_on_the_number_alone(name, data):
    """However an array lies in memory, every element is what it would be alone."""
    dtype = accuracy.dtype_of(data.draw(st.sampled_from(accuracy.DTYPES)))
    n = data.draw(st.one_of(st.integers(0, 300), st.just(70_001)))
    step = data.draw(st.sampled_from([1, 2, 3, -1, -5]))
    offset = data.draw(st.integers(0, 9))
    threads = data.draw(st.sampled_from([1, 2]))
    in_place = data.draw(st.booleans())
    some = normal(17, dtype, data.draw(st.integers(0, 1000)))
    alone = operands_of(name, some)
    expected = np.resize(np.array([compute(name, *(operand[i] for operand in alone)) for i in range(17)]), n)
    layouts = []
    for operand in alone:
        held = np.zeros(offset + n * abs(step) * dtype.itemsize, np.uint8)[offset:].view(dtype)[::step][:n]
        held[...] = np.resize(operand, n)
        layouts.append(held)
    before = lw.get_num_threads()
    lw.set_num_threads(threads)
    try:
        y = compute(name, *layouts, **({"out": layouts[-1]} if in_place else {}))
    finally:
        lw.set_num_threads(before)
    assert bits(y) == bits(expected)


@every(BACKWARD)
def test_backward_is_the_slope(name):
    """By central differences, at points that no kink lies on."""
    forward, row = name.removesuffix("_backward"), oracles.of_function(name)
    x, h = np.linspace(-7.0123, 7.0321, 501), 1e-5
    difference = (compute(forward, x + h) - compute(forward, x - h)) / (2 * h)
    given_to_backward = compute(forward, x) if row.of_output else x
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
    ends = np.float32([4.9, 5.05, 5.46, 5.6, 5.83, 6.1, 6.3, 9.05, 9.0625, 9.68, 9.6875])
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
