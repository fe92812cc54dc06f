"""Where other libraries give NaN, zero or a wrapped number: the table in docs/faq.md; findings/ has their side."""

import lanewise as lw
import mpmath
import numpy as np
import pytest


def row(*numbers, dtype=np.float32):
    return np.array([numbers], dtype)


def test_a_masked_class_does_not_spoil_a_one_hot_target():
    logits, target = row(-np.inf, 0, 0), row(0, 1, 0)
    loss, grad = lw.cross_entropy_with_grad(logits, target)
    assert loss == lw.cross_entropy(logits, target) == lw.cross_entropy(logits, np.array([1])) == np.float32(np.log(2))
    np.testing.assert_array_equal(grad, row(0, -0.5, 0.5))


@pytest.mark.parametrize("ignored", [np.nan, -np.inf])
def test_a_row_that_is_ignored_has_a_gradient_of_zeros(ignored):
    logits, target = np.array([[1, 2], [ignored, ignored]], np.float32), np.array([1, -100])
    loss, grad = lw.cross_entropy_with_grad(logits, target, ignore_index=-100)
    np.testing.assert_allclose(loss, np.log1p(np.exp(-1.0)), rtol=2**-22)
    assert (grad[1] == 0).all()
    assert (grad[0] != 0).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_logit_far_below_the_largest_is_not_cut_off(dtype):
    logits = row(1000, 0, dtype=dtype)
    np.testing.assert_array_equal(lw.log_softmax(logits), row(0, -1000))
    assert lw.cross_entropy(logits, np.array([1])) == 1000
    np.testing.assert_array_equal(lw.softmax(row(0, -np.inf, dtype=dtype)), row(1, 0))


@pytest.mark.parametrize(("numbers", "dtype"), [([100, -100, 0], "i1"), ([1, 2, 3], "u1"), ([30_000, -30_000], "i2")])
def test_integers_do_not_wrap_where_the_largest_is_taken_away(numbers, dtype):
    x = row(*numbers, dtype=dtype)
    for function in (lw.softmax, lw.log_softmax):
        np.testing.assert_array_equal(function(x), function(x.astype(np.float64)))


@pytest.mark.parametrize("classes", [3, 4, 16, 17])
def test_a_nan_spoils_all_of_its_row(classes):
    logits = np.zeros((1, classes), np.float32)
    logits[0, 1] = np.nan
    assert np.isnan(lw.softmax(logits)).all()
    assert np.isnan(lw.exp(logits)[0, 1])


def test_a_vocabulary_of_equal_logits_in_float16():
    logits = np.zeros((1, 70_000), np.float16)
    exact = np.float16(np.log(70_000))
    assert lw.logsumexp(logits) == lw.cross_entropy(logits, np.array([0])) == exact
    np.testing.assert_array_equal(lw.log_softmax(logits), -exact)
    np.testing.assert_array_equal(lw.softmax(logits), np.float16(1 / 70_000))


@pytest.mark.parametrize("dtype", [np.float16, "bfloat16"])
def test_a_mean_of_more_16_bit_numbers_than_the_dtype_counts(dtype):
    if dtype == "bfloat16":
        pytest.importorskip("ml_dtypes")
    rows = 100_000
    logits, target = np.zeros((rows, 3)).astype(dtype), np.zeros(rows, int)
    exact, third = np.log(3.0).astype(dtype), np.full((rows, 3), 1 / 3).astype(dtype)
    log_probabilities, weight = lw.log_softmax(logits), np.ones(3, dtype)
    for loss in (lw.cross_entropy(logits, target), lw.cross_entropy_with_grad(logits, target)[0],
                 lw.cross_entropy(logits, target, weight=weight), lw.cross_entropy(logits, third),
                 lw.nll_loss(log_probabilities, target), lw.nll_loss(log_probabilities, target, weight=weight)):
        assert loss == exact
    for loss in (lw.mse, lw.l1):
        assert loss(logits + logits.dtype.type(1), logits) == 1


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_largest_number_with_a_finite_exponential(dtype):
    """In a register beside numbers that have none."""
    last = dtype({np.float32: 88.72283172607422, np.float64: 709.782712893384}[dtype])
    x = np.full(64, 1000, dtype)
    x[::3], x[1::3] = last, np.nextafter(last, dtype(np.inf))
    exact = dtype(mpmath.exp(mpmath.mpf(float(last))))
    y = lw.exp(x)
    assert (np.abs(y[::3] - exact) <= np.spacing(exact)).all()
    assert (y[1::3] == np.inf).all()


def test_softplus_far_out_is_the_number_itself():
    x = row(-100, 100, 3e38)
    np.testing.assert_allclose(lw.softplus(x), row(3.720076e-44, 100, 3e38), rtol=1e-6, atol=2e-45)
    np.testing.assert_allclose(lw.softplus_backward(np.ones_like(x), x), row(0, 1, 1), atol=1e-43)


def test_erf_near_zero_has_all_its_digits_in_16_bits():
    ml_dtypes = pytest.importorskip("ml_dtypes")
    x = row(3e-7, 1e-7, 1e-30, dtype=ml_dtypes.bfloat16)
    exact = (2 / np.sqrt(np.pi) * x.astype(float)).astype(ml_dtypes.bfloat16)
    np.testing.assert_array_equal(lw.erf(x), exact)


def test_zeros_of_float16_have_a_direction_of_zeros():
    np.testing.assert_array_equal(lw.normalize(row(0, 0, 0, dtype=np.float16)), row(0, 0, 0))


@pytest.mark.parametrize("scale", [1e19, 1e37])
def test_where_squares_are_infinite_rows_have_a_length(scale):
    x = row(3, 4) * np.float32(scale)
    np.testing.assert_allclose(lw.normalize(x), row(0.6, 0.8), rtol=2**-22)
    np.testing.assert_allclose(lw.layer_norm(x), row(-1, 1), rtol=2**-22)
    np.testing.assert_allclose(lw.rms_norm(x), row(0.6, 0.8) * np.sqrt(2), rtol=2**-22)


def test_where_squares_are_infinite_activations_have_their_slope():
    x, one = np.array([2e38, 2e19, -2e19, np.inf] * 9, np.float32), np.ones(36, np.float32)
    for function, backward in ((lw.gelu, lw.gelu_backward), (lw.gelu_tanh, lw.gelu_tanh_backward),
                               (lw.squareplus, lw.squareplus_backward)):
        of_minus = 4 / 4 / 2e19 if function is lw.squareplus else 0  # b / (4 |x|)
        np.testing.assert_allclose(function(x), np.where(x > 0, x, of_minus), rtol=2**-23)
        np.testing.assert_allclose(backward(one, x), x > 0, atol=1e-35)
    np.testing.assert_allclose(lw.squareplus(row(-2000, -5000, -10_000)), row(5e-4, 2e-4, 1e-4), rtol=1e-6)


def test_the_slope_of_hardsigmoid_is_a_sixth_in_float64():
    assert lw.hardsigmoid_backward(1.0, 0.5) == 1 / 6


@pytest.mark.parametrize("x", [-10.0, -17.0, -20.0, -88.0])
def test_sigmoid_far_below_zero_has_all_its_digits(x):
    exact = np.exp(x) / (1 + np.exp(x))
    np.testing.assert_allclose(lw.sigmoid(np.float32(x)), exact, rtol=2**-23)
    np.testing.assert_allclose(lw.swish(np.float32(x), 1.0), x * exact, rtol=2**-22)


@pytest.mark.parametrize("x", [-83.0, -31.0, -20.0, -17.0, 89.0, 100.0])
def test_softplus_is_above_zero_and_ends_as_a_line(x):
    np.testing.assert_allclose(lw.softplus(np.float32(x)), np.logaddexp(x, 0), rtol=2**-22)


@pytest.mark.parametrize(("dtype", "x"), [(np.float16, 12.0), (np.float32, 89.0)])
def test_where_exp_is_infinite_elu_has_its_slope(dtype, x):
    one, x = np.ones(1, dtype), np.array([x], dtype)
    assert lw.elu_backward(one, x) == lw.celu_backward(one, x) == 1
    np.testing.assert_allclose(lw.selu_backward(one, x), 1.0507, rtol=1e-3)


@pytest.mark.parametrize(("dtype", "x"), [(np.float32, -85.0), (np.float32, -89.0), (np.float64, -705.0)])
def test_where_exp_of_minus_x_is_infinite_silu_has_a_gradient(dtype, x):
    exact = np.exp(x) * (1 + x)
    np.testing.assert_allclose(lw.silu_backward(np.ones(1, dtype), np.array([x], dtype)), exact, rtol=1e-4)


@pytest.mark.parametrize("size", [1, 3, 4, 17, 64])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_relu_of_infinities_and_nan(size, dtype):
    for x, expected in ((-np.inf, 0), (np.inf, np.inf), (np.nan, np.nan)):
        np.testing.assert_array_equal(lw.relu(np.full(size, x, dtype)), expected)


@pytest.mark.parametrize("x", [-1e-8, -3e-8, -1e-6])
def test_elu_and_its_like_are_lines_next_to_zero(x):
    slope = 1.0507009873554805 * 1.6732632423543772
    for found, exact in ((lw.elu(np.float32(x)), np.expm1(x)), (lw.celu(np.float32(x)), np.expm1(x)),
                         (lw.selu(np.float32(x)), slope * np.expm1(x))):
        np.testing.assert_allclose(found, exact, rtol=2**-22)


def test_squares_beyond_float16_do_not_make_zeros_of_a_norm():
    x = row(300, -300, 300, 1, dtype=np.float16)
    exact = x.astype(np.float64)
    np.testing.assert_allclose(lw.rms_norm(x), exact / np.sqrt((exact**2).mean()), rtol=2**-11)
    centred = exact - exact.mean()
    np.testing.assert_allclose(lw.layer_norm(x), centred / centred.std(), rtol=2**-10)


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_a_sum_over_rows_of_16_bits_goes_on_growing(dtype):
    if dtype == "bfloat16":
        dtype = pytest.importorskip("ml_dtypes").bfloat16
    x = np.arange(64 * 32768).reshape(32768, 64) % 7
    weight = np.ones(64, dtype)
    _, _, of_bias = lw.layer_norm_backward(np.ones(x.shape, dtype), x.astype(dtype), weight, weight)
    np.testing.assert_array_equal(of_bias, 32768)


@pytest.mark.parametrize(("name", "given", "expected"), [
    ("float8_e4m3fn", [448, 464, 465, 480, 1e6, np.inf], [448, 448, np.nan, np.nan, np.nan, np.nan]),
    ("float8_e4m3fn", [np.nan, 3], [np.nan, 3]),
    ("float8_e5m2", [57344, 61439, 61441, 65000, np.inf], [57344, 57344, np.inf, np.inf, np.inf]),
    ("float8_e8m0fnu", [-3, 0, 3, 2.0**-127], [np.nan, np.nan, 4, 2.0**-127]),
    ("int4", [7.5, 8, -9], [7, 7, -8]),
])
def test_numbers_beyond_a_format(name, given, expected):
    codes = lw.ieee754.encode(np.array(given, np.float32), name)
    np.testing.assert_array_equal(lw.ieee754.decode(codes, name), expected)
    if name == "float8_e4m3fn" and not np.isnan(given).any():
        codes = lw.ieee754.encode(np.array(given, np.float32), name, overflow="saturate")
        np.testing.assert_array_equal(lw.ieee754.decode(codes, name), 448)


@pytest.mark.parametrize(("name", "given", "expected"), [
    ("binary16", 3 + 2.0**-10 + 2.0**-40, 3 + 2.0**-9),
    ("binary16", 3 + 2.0**-10, 3.0),
    ("bfloat16", 3 + 2.0**-7 + 2.0**-40, 3 + 2.0**-6),
    ("bfloat16", 385 * 2**30 + 1, 386.0 * 2**30),
    ("binary16", 65520.0, np.inf),
    ("binary16", 65520 - 2.0**-30, 65504.0),
])
def test_float64_and_whole_numbers_are_rounded_once(name, given, expected):
    assert lw.ieee754.decode(lw.ieee754.encode(np.array([given]), name), name) == expected


def test_a_block_of_small_numbers_comes_back():
    block = np.full(32, 2.0**-120, np.float32)
    np.testing.assert_array_equal(lw.ieee754.mx_decode(*lw.ieee754.mx_encode(block, "mxfp8_e4m3"), "mxfp8_e4m3"), block)


MASKED = ("exp", "expm1", "sigmoid", "silu", "gelu", "gelu_tanh", "softplus", "logsigmoid", "mish", "erfc", "tanh")
FAR = (87.0, 88.73, 95.0, 100.0, 104.5, 106.0, 110.0, 150.0, 201.0, 708.5, 720.0, 746.5, 751.0, 753.0, 761.0, np.inf)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", [*MASKED, *(f"{name}_backward" for name in MASKED if hasattr(lw, f"{name}_backward")),
                                  "swiglu", "geglu"])
def test_a_masked_number_and_its_neighbours_do_not_touch_each_other(name, dtype):
    """A register that holds numbers far out beside plain ones gives the bits that each has among its like."""
    f, rng = getattr(lw, name), np.random.default_rng(0)
    plain, grad = rng.normal(0, 4, 96).astype(dtype), rng.normal(size=96).astype(dtype)
    grad[::7] = [0.0, -0.0, np.inf, -1e30, 1e-30, -np.inf, 3, *[1.0] * 7]
    swapped = name in ("swiglu", "geglu")

    def of(x):
        inputs = (x, grad) if swapped else (grad, x)
        return f(*inputs) if swapped or name.endswith("_backward") else f(x)

    with np.errstate(all="ignore"):
        alone = of(plain)
        for far in (*FAR, 0.0, np.nan):
            for value in (far, -far):
                masked = np.arange(96) % 5 < 2
                mixed = of(np.where(masked, dtype(value), plain))
                np.testing.assert_array_equal(mixed, np.where(masked, of(np.full_like(plain, value)), alone))
                signs = np.where(masked, np.signbit(of(np.full_like(plain, value))), np.signbit(alone))
                assert ((np.signbit(mixed) == signs) | np.isnan(mixed)).all()
