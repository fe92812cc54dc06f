"""Every activation is a good ufunc: dtypes, parameters, `where`, masks, subclasses, byte order, layouts, and whatever
floating-point environment the caller has. What it computes is test_activations.py's."""

import ctypes
import inspect
import platform
import sys

import lanewise as lw
import numpy as np
import pytest
from elementwise import (
    FORMULAS,
    FORWARD,
    SIXTEEN_BITS,
    UNUSUAL,
    WITHOUT_DEFAULTS,
    all_numbers,
    bits,
    compute,
    every,
    every_dtype,
    normal,
    operands_of,
    required_of,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from lanewise.bounds import BOUNDS, bound
from lanewise.functions import parametric
from lanewise.measure import accuracy, oracles
from lanewise.measure.oracles import ORACLES


def test_every_parametric_function_is_tried_with_a_number_of_more_than_16_bits():
    parametric = {name for name, oracle in ORACLES.items() if oracle.parameters != ((),)}
    assert set(UNUSUAL) == parametric - set(oracles.GATED)
    for parameter in sum(UNUSUAL.values(), ()):
        assert all(accuracy.dtype_of(dtype).type(parameter) != np.float32(parameter) for dtype in SIXTEEN_BITS)


@every([name for name in FORMULAS if name.removesuffix("_backward") in UNUSUAL and name in (*BOUNDS, *UNUSUAL)])
@every_dtype(*SIXTEEN_BITS)
def test_a_number_is_a_float32_beside_16_bits(name, dtype):
    """Over all inputs, with the bound; the same with keywords, of one number, and where a gradient is a number."""
    x, function = all_numbers(dtype), getattr(lw, name)
    x = x[np.isfinite(x)]
    parameters = UNUSUAL[name.removesuffix("_backward")]
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


@every(UNUSUAL)
def test_arrays_of_parameters_decide_the_dtype_as_numpy_says(name):
    for short in SIXTEEN_BITS:
        x = normal(dtype=accuracy.dtype_of(short))
        for wide in (np.float32, np.float64):
            for parameters in ([wide(p) for p in UNUSUAL[name]], [np.array([p], wide) for p in UNUSUAL[name]]):
                y = getattr(lw, name)(x, *parameters)
                assert y.dtype == wide
                assert bits(y) == bits(getattr(lw, name)(x.astype(wide), *UNUSUAL[name]))


@pytest.mark.parametrize("call", [
    lambda x, p: lw.selu(x, alpha=p), lambda x, p: lw.selu_backward(x, x, alpha=p), lambda x, p: lw.elu(x, p),
    lambda x, p: lw.hardsigmoid(x, alpha=p), lambda x, p: lw.swiglu(x, p, beta=2.0),
    lambda x, p: lw.hardtanh(x, -9.0, p)])
@pytest.mark.parametrize(("x", "parameter"), [
    (1e5, np.int8(2)), (1e5, np.True_), (1e5, np.ones(2, np.uint8)), (1e300, np.int16(2)), (70000, True),
    (3, np.int8(2))])
def test_a_number_beside_integers_is_of_the_dtype_that_numpy_says(call, x, parameter):
    """Also where another parameter is a Python number: 1e5 is not infinite, as it would be in float16."""
    y = call(x, parameter)
    assert y.dtype == np.hypot(x, parameter).dtype
    if y.dtype == np.float64:
        assert bits(y) == bits(call(np.float64(x), np.asarray(parameter, np.float64)))


def test_nobody_else_writes_to_a_parameter_that_is_kept():
    class Own(np.ndarray):
        def __array_ufunc__(self, ufunc, method, *inputs, **keywords):
            with pytest.raises(ValueError, match="read-only"):
                inputs[1][...] = 7
            return "called"

    x = -normal()**2
    expected = bits(lw.elu(x, 0.34375))
    assert lw.elu(x.view(Own), 0.34375) == "called"
    assert bits(lw.elu(x, 0.34375)) == bits(lw.elu(x.copy(), np.float32(0.34375))) == expected


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
    parameters = list(UNUSUAL.get(name, ())) or [x] * (name in oracles.GATED)
    y = getattr(lw, name)(x, *parameters)
    assert y.dtype in (np.float16, np.float32)
    wide = [x.astype(y.dtype) if p is x else p for p in parameters]
    assert bits(y) == bits(getattr(lw, name)(x.astype(y.dtype), *wide))


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


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_an_infinite_depth(dtype):
    x = np.array([-200, -2, -1e-30, 1, 3], dtype)
    assert lw.elu(x, np.inf).tolist() == [-np.inf] * 3 + [1, 3]
    assert lw.elu_backward(np.full(5, 0.5, dtype), x, np.inf).tolist() == [np.inf] * 3 + [0.5, 0.5]


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
@every_dtype()
@pytest.mark.parametrize("shape", [(301,), (3, 400)])
def test_plain_arrays_pass_numpy_by(name, dtype, shape):
    """They go straight to the loop: results are those that NumPy gives, to which `where` leads, and so are outputs."""
    operands = operands_of(name, normal(np.prod(shape), accuracy.dtype_of(dtype)).reshape(shape))
    expected, y = compute(name, *operands, where=True), compute(name, *operands)
    assert type(y) is np.ndarray
    assert (y.dtype, y.shape, y.flags.owndata, y.flags.c_contiguous) == (expected.dtype, shape, True, True)
    assert bits(y) == bits(expected)
    out = operands[-1].copy()
    assert compute(name, *operands[:-1], out, out=out) is out
    assert bits(out) == bits(expected)
    held = np.concatenate([operands[-1].ravel(), operands[-1].ravel()[:1]])  # an output one element further on
    ahead, behind = held[1:].reshape(shape), held[:-1].reshape(shape)
    compute(name, *operands[:-1], behind, out=ahead)
    assert bits(ahead) == bits(expected)
    wider = np.empty(shape, np.float64)
    assert compute(name, *operands, out=wider) is wider
    assert bits(wider) == bits(expected.astype(np.float64))
    out.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        compute(name, *operands, out=out)


@every(name for name in BOUNDS if isinstance(getattr(lw, name), np.ufunc))
def test_too_few_operands_are_refused(name):
    x, mask = normal(), normal()
    keywords = {"out": x.copy(), "where": mask.copy()}
    with pytest.raises(TypeError):
        getattr(lw, name)(*[x] * (getattr(lw, name).nin - 1), **keywords)
    assert bits(keywords["where"]) == bits(mask)


@every(name for name in BOUNDS if isinstance(getattr(lw, name), np.ufunc))
def test_a_tuple_of_outputs_is_a_keyword_alone(name):
    function, out = getattr(lw, name), normal()
    operands = [normal()] * function.nin
    assert function(*operands, out=(out,)) is out
    before = out.copy()
    for place in (out, None):
        with pytest.raises(TypeError, match="return arrays must be of ArrayType"):
            function(*operands, (place,))
    assert bits(out) == bits(before)


@every(BOUNDS)
@settings(max_examples=25)
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
    lw.set_num_threads(threads)
    y = compute(name, *layouts, **({"out": layouts[-1]} if in_place else {}))
    assert bits(y) == bits(expected)


@pytest.mark.parametrize("name", [*parametric.__all__, "swiglu", "swiglu_backward"])
def test_errors_name_the_public_function_and_its_operand(name):
    function = getattr(lw, name)
    roles = [role for role, given in inspect.signature(function).parameters.items()
             if role != "out" and given.kind is not given.VAR_KEYWORD]
    usual = {role: np.ones(3) if role in ("x", "grad", "gate", "up") else 2.0 if role == "max_val" else 1.5
             for role in roles}
    for role in roles:
        if (name, role) == ("threshold_backward", "value"):  # which the slope does not have
            continue
        for wrong, said in (("abc", "must be a number or an array of numbers, not 'abc'"),
                            (None, "must be a number or an array of numbers, not None"),
                            (np.ones(3, complex), "is of dtype complex128; expected float16, bfloat16, float32, ")):
            with pytest.raises(TypeError, match=f"^{name}: {role} {said}"):
                function(**usual | {role: wrong})


@pytest.mark.parametrize("given", [str, np.dtype, lambda name: np.dtype(name).type], ids=["name", "dtype", "type"])
def test_bfloat16_is_computed_in_where_it_is_asked_for(given):
    # NumPy finds a loop of a ufunc by `dtype` alone only for dtypes of its own
    ml_dtypes = pytest.importorskip("ml_dtypes")
    dtype = given("bfloat16")
    x = np.linspace(-3, 3, 40, dtype=np.float32)
    brain = x.astype(ml_dtypes.bfloat16)
    out = np.empty_like(brain)
    calls = [(lw.silu, (x,), (brain,)), (lw.softplus, (x,), (brain,)), (lw.elu, (x, 1.5), (brain, 1.5)),
             (lw.swiglu, (x, x), (brain, brain)), (lw.silu_backward, (x, brain), (brain, brain)),
             (lw.silu, ([1, 2],), (np.array([1, 2], dtype),)), (lw.silu, (x.astype(np.float64),), (brain,))]
    for function, given, narrow in calls:
        found = function(*given, dtype=dtype)
        assert found.dtype == dtype
        np.testing.assert_array_equal(found, function(*narrow))
    with pytest.raises(TypeError, match="both 'signature' and 'dtype'"):
        lw.silu(x, dtype=dtype, signature=(dtype, dtype))
    out = np.empty_like(brain)
    assert lw.silu(x, out=out, dtype=dtype) is out
    np.testing.assert_array_equal(out, lw.silu(brain))
    for wrong in (x * 1j, "abc", np.array([1.0, 2.0], object)):  # which NumPy would take, without the imaginary parts
        with pytest.raises(TypeError, match="No loop matching"):
            lw.silu(wrong, dtype=dtype)
        with pytest.raises(TypeError, match=r"elu: x (is of dtype|must be a number)"):
            lw.elu(wrong, 1.5, dtype=dtype)
    with pytest.raises(TypeError, match="No loop matching"):
        lw.silu(x, dtype=complex)
    with pytest.raises(ValueError, match="broadcast"):
        lw.swiglu(x, np.ones(5), dtype=dtype)
