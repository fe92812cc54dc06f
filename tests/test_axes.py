"""Several axes at once, axis=None, keepdims, `where` and factors of the functions along an axis: as if the axes were
one, and as SciPy, NumPy and PyTorch have it."""

import warnings

import lanewise as lw
import numpy as np
import oracles
import pytest
import scipy.special
from lanewise.bounds import bound

SHAPE = (3, 4, 5)
AXES = [None, (), (1,), (0, 1), (1, 2), (-1, -2), (0, 2), (2, 0), (0, 1, 2)]
INF = np.inf


def numbers(seed=0, dtype="float64"):
    return (np.random.default_rng(seed).standard_normal(SHAPE) * 3).astype(oracles.dtype_named(dtype))


def axes_of(axis):
    return tuple(range(3)) if axis is None else tuple(sorted(k % 3 for k in axis))


def merged(x, axis):
    """The axes as one, the last."""
    axes = axes_of(axis)
    moved = np.moveaxis(x, axes, range(-len(axes), 0))
    return np.ascontiguousarray(moved.reshape(*moved.shape[:3 - len(axes)], -1))


def of_axes(axis):
    return tuple(SHAPE[k] for k in axes_of(axis))


def same(found, expected, axis):
    assert found.shape == SHAPE
    assert merged(found, axis).tobytes() == expected.tobytes()


def one_of_rows(function, inputs):
    return lambda arrays, axis, **keywords: function(*arrays[:inputs], axis=axis, **keywords)


ROWS = {
    "softmax": one_of_rows(lw.softmax, 1), "softmin": one_of_rows(lw.softmin, 1),
    "log_softmax": one_of_rows(lw.log_softmax, 1), "softmax_backward": one_of_rows(lw.softmax_backward, 2),
    "softmin_backward": one_of_rows(lw.softmin_backward, 2),
    "log_softmax_backward": one_of_rows(lw.log_softmax_backward, 2),
    "normalize": one_of_rows(lw.normalize, 1), "normalize_backward": one_of_rows(lw.normalize_backward, 2),
    "rms_norm": one_of_rows(lw.rms_norm, 1), "layer_norm": one_of_rows(lw.layer_norm, 1),
}


@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("name", ROWS)
def test_several_axes_are_as_one(name, axis):
    for dtype in oracles.DTYPES:
        arrays = numbers(0, dtype), numbers(1, dtype)
        expected = ROWS[name]([merged(array, axis) for array in arrays], -1)
        same(ROWS[name](arrays, axis), expected, axis)
        turned = [np.asfortranarray(array) for array in arrays]
        same(ROWS[name](turned, axis), expected, axis)
        for out in (np.empty_like(arrays[0]), np.empty_like(turned[0]), arrays[-1] if "back" in name else arrays[0]):
            assert ROWS[name](arrays, axis, out=out) is out
            same(out, expected, axis)


@pytest.mark.parametrize("axis", AXES)
def test_norms_with_weights_of_several_axes(axis):
    x, grad = numbers(), numbers(1)
    weight, bias = np.random.default_rng(2).standard_normal((2, *of_axes(axis)))
    rows, grads, flat = merged(x, axis), merged(grad, axis), (weight.ravel(), bias.ravel())
    found, expected = (lw.layer_norm(x, weight, bias, axis=axis, return_stats=True),
                       lw.layer_norm(rows, *flat, return_stats=True))
    same(found[0], expected[0], axis)
    for part, stats in zip(found[1:], expected[1:], strict=True):
        assert part.tobytes() == stats.tobytes()
        assert np.shape(part) == rows.shape[:-1]
    for given in ((weight, bias), (weight, None), (weight.astype(np.float32), bias)):  # with its statistics and without
        expected = lw.layer_norm(x, *given, axis=axis, return_stats=True)[0]
        assert lw.layer_norm(x, *given, axis=axis).tobytes() == expected.tobytes()
    expected = lw.layer_norm(rows, *flat, return_stats=True)
    for given in ({}, {"mean": found[1], "rstd": found[2]}):
        gradients = lw.layer_norm_backward(grad, x, weight, bias, axis=axis, **given)
        expected = lw.layer_norm_backward(grads, rows, *flat)
        same(gradients[0], expected[0], axis)
        for part, of_rows in zip(gradients[1:], expected[1:], strict=True):
            assert part.shape == weight.shape
            assert part.tobytes() == of_rows.tobytes()
    y, rstd = lw.rms_norm(x, weight, axis=axis, return_stats=True)
    same(y, lw.rms_norm(rows, flat[0]), axis)
    gradients, expected = lw.rms_norm_backward(grad, x, weight, rstd=rstd, axis=axis), lw.rms_norm_backward(
        grads, rows, flat[0])
    same(gradients[0], expected[0], axis)
    assert gradients[1].shape == weight.shape
    assert lw.rms_norm_backward(grad, x, axis=axis)[1] is None
    out = np.empty(SHAPE), np.empty(SHAPE)
    y, total = lw.add_rms_norm(x, grad, weight, axis=axis, out=out)
    assert y is out[0]
    assert total is out[1]
    assert (total == x + grad).all()
    same(y, lw.add_rms_norm(rows, grads, flat[0])[0], axis)


@pytest.mark.parametrize("shape", [SHAPE, SHAPE[2:], (SHAPE[1] * SHAPE[2],), SHAPE[1:][::-1]])
@pytest.mark.parametrize("axis", [(-2, -1), (1, 2)])
def test_weights_of_other_axes_are_refused(axis, shape):
    weight = np.ones(shape)
    for call in (lambda: lw.layer_norm(numbers(), weight, axis=axis), lambda: lw.rms_norm(numbers(), weight, axis=axis),
                 lambda: lw.layer_norm(numbers(), None, weight, axis=axis, return_stats=True)):
        with pytest.raises(ValueError, match=r"(weight|bias) of shape .* does not fit x of shape .* axes \(1, 2\)"):
            call()


@pytest.mark.parametrize("function", [lw.softmax_backward, lw.log_softmax_backward, lw.softmin_backward,
                                      lw.normalize_backward])
@pytest.mark.parametrize("axis", [(1, 2), None])
def test_rows_beside_an_array_that_are_none(function, axis):
    x = np.arange(1.0, 21.0).reshape(5, 2, 2)
    assert np.array_equal(function(x, x.tolist(), axis=axis), function(x, x, axis=axis))
    for other in ([1.0, 2.0, 3.0, 4.0], 1.0, None, "abc"):
        with pytest.raises((TypeError, ValueError), match=rf"^{function.__name__}\b|^grad|^x |^y "):
            function(x, other, axis=axis)


def test_weights_of_several_axes_are_those_of_pytorch():
    torch = pytest.importorskip("torch")
    x, (weight, bias) = numbers(), np.random.default_rng(1).standard_normal((2, *SHAPE[1:]))
    expected = torch.nn.functional.layer_norm(*map(torch.tensor, (x,)), SHAPE[1:], torch.tensor(weight),
                                              torch.tensor(bias))
    np.testing.assert_allclose(lw.layer_norm(x, weight, bias, axis=(-2, -1)), expected.numpy(), rtol=1e-12)


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", [*AXES, *range(-3, 3)])
def test_logsumexp_is_that_of_scipy(axis, keepdims):
    x, b = numbers(), np.random.default_rng(1).standard_normal((4, 1))
    grad = np.random.default_rng(2).standard_normal(np.shape(lw.logsumexp(x, axis, keepdims=keepdims)))
    for options in ({}, {"b": b}, {"b": np.abs(b)}):
        expected = scipy.special.logsumexp(x, axis, keepdims=keepdims, return_sign=True, **options)
        found = lw.logsumexp(x, axis, keepdims=keepdims, return_sign=True, **options)
        for part, other in zip(found, expected, strict=True):
            assert np.shape(part) == np.shape(other)
            np.testing.assert_allclose(part, other, rtol=1e-12)
        logs = lw.logsumexp(x, axis, keepdims=keepdims, **options)
        np.testing.assert_array_equal(logs, np.where(expected[1] < 0, np.nan, found[0]))
        out = np.empty(np.shape(logs))
        assert lw.logsumexp(x, axis, keepdims=keepdims, out=out, **options) is out
        np.testing.assert_array_equal(out, logs)
        slope = oracles.differences(lambda value, options=options: (lw.logsumexp(
            value, axis, keepdims=keepdims, return_sign=True, **options)[0] * grad).sum(), x)
        found = lw.logsumexp_backward(grad, x, axis, keepdims=keepdims, **options)
        np.testing.assert_allclose(found, slope, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("dtype", oracles.DTYPES)
@pytest.mark.parametrize("far", [1.0, 30.0, 1e6])
def test_sums_that_cancel_keep_their_digits(dtype, far):
    rng = np.random.default_rng(0)
    own = oracles.dtype_named(dtype)
    x = (rng.standard_normal((40, 33)) * (min(far, 1e4) if dtype == "float16" else far)).astype(own)
    b = rng.standard_normal((40, 33)).astype(own)
    b[:20, 0], x[:20, 1:] = 1, np.minimum(x[:20, 1:], 0)
    x[:10, 0] = 0  # the logarithm of what is close to 1
    exact = [sum(oracles.mpmath.exp(u) * v for u, v in zip(*rows, strict=True))
             for rows in zip(oracles.exactly(x), oracles.exactly(b), strict=True)]
    logs, signs = lw.logsumexp(x, b=b, return_sign=True)
    expected = np.array([oracles.mpmath.log(abs(value)) for value in exact], dtype=object)
    assert oracles.error(logs, expected, dtype) <= bound("logsumexp", dtype)
    assert (signs == [1 if value > 0 else -1 for value in exact]).all()
    slope = np.array([[oracles.mpmath.exp(u) * v / value for u, v in zip(*rows, strict=True)]
                      for *rows, value in zip(oracles.exactly(x), oracles.exactly(b), exact, strict=True)], object)
    assert oracles.error(lw.logsumexp_backward(np.ones(40), x, b=b), slope, dtype) <= bound("logsumexp_backward", dtype)


@pytest.mark.parametrize("dtype", oracles.DTYPES)
@pytest.mark.parametrize("n", [5, 300])
def test_sums_that_do_not_cancel_are_as_right(dtype, n):
    # they are taken in the row's own precision, and of other factors, or where the logarithm is small, in twice that
    rng = np.random.default_rng(n)
    own = oracles.dtype_named(dtype)
    x, b = rng.normal(0, 2, (12, n)).astype(own), rng.uniform(0.5, 2, (12, n)).astype(own)
    b[::2] *= -1
    b[1::4, ::3] = 0
    x[1::4, ::3] = np.nan
    b[2] *= 2.0**21 if dtype in ("float32", "float64") else 1
    x[3] -= lw.logsumexp(x[3], b=np.abs(b[3])) - own.type(0.25)  # a small logarithm
    b[4] *= 2.0**-12
    exact = [sum(oracles.mpmath.exp(u) * v for u, v in zip(*rows, strict=True) if v)
             for rows in zip(oracles.exactly(np.where(b == 0, own.type(0), x)), oracles.exactly(b), strict=True)]
    logs, signs = lw.logsumexp(x, b=b, return_sign=True)
    expected = np.array([oracles.mpmath.log(abs(value)) for value in exact], dtype=object)
    assert oracles.error(logs, expected, dtype) <= bound("logsumexp", dtype)
    assert (signs == [1 if value > 0 else -1 for value in exact]).all()


@pytest.mark.parametrize(("x", "b", "log", "sign"), [
    ([1, 1], [1, -1], -INF, 0), ([INF, 1], [0, 1], 1, 1), ([np.nan, 1], [0, 1], 1, 1), ([INF, 1], [1, -1], INF, 1),
    ([INF, 1], [-1, 1], INF, -1), ([INF, INF], [1, -1], np.nan, np.nan), ([-INF, -INF], [1, -1], -INF, 0),
    ([0, -40], [1, 1], 4.248354255291589e-18, 1), ([0, -40], [1, -1], -4.248354255291589e-18, 1),
    ([1, 2], [INF, 1], INF, 1), ([1, 2], [np.nan, 1], np.nan, np.nan), ([1, 2], [0, -0.0], -INF, 0),
    ([-INF, 1], [INF, 1], np.nan, np.nan), ([0, 1], [5e-324, 0], -744.4400719213812, 1), ([1e300], [1], 1e300, 1),
    ([np.nan, 1], [1, 1], np.nan, np.nan), ([-INF, 1], [1e300, 0], -INF, 0), ([-1400, 0], [1, 0], -1400, 1),
    # SciPy: 309.2, as the second exponential underflows beside the first, and a sign of -1 for nothing
    ([1000, 0], [1e-300, 1e300], 690.7755278982137, 1), ([], [], -INF, 0)])
def test_limits_of_factors(x, b, log, sign):
    found = lw.logsumexp(np.array(x, float), b=np.array(b, float), return_sign=True)
    np.testing.assert_allclose(found, (log, sign), rtol=1e-15)


def test_a_result_beyond_its_place_warns_of_nothing():
    x, place = np.arange(1.0, 25).reshape(3, 2, 4), np.empty((3, 2, 4), np.float16)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = lw.normalize_backward(1e9 * np.cos(x), x, axis=(0, 2), out=place)
    assert found is place
    assert np.isinf(found).any()


def test_signs_without_factors():
    x = np.array([[-INF, -INF], [1, 2], [np.nan, 1], [INF, 1]])
    np.testing.assert_array_equal(lw.logsumexp(x, return_sign=True)[1], [0, 1, np.nan, 1])
    assert lw.logsumexp(np.zeros((2, 0)), return_sign=True)[1].tolist() == [0, 0]


def masks():
    where = np.random.default_rng(0).random(SHAPE) < 0.5
    where[0, 0] = False
    return [where, where[:, :1], where[0, 0], np.True_]


@pytest.mark.parametrize("axis", [-1, 1, (0, 2), None])
@pytest.mark.parametrize("case", range(4))
def test_where_leaves_out(case, axis):
    """Whatever stands there; sums over nothing are 0, as np.sum's."""
    x, where = numbers(), masks()[case]
    left_out = ~np.broadcast_to(where, SHAPE)
    powers = np.exp(x)
    sums = np.sum(powers, axis, where=where, keepdims=True)
    expected = np.where(left_out, 0, powers / np.where(sums == 0, 1, sums))
    x[left_out] = np.nan
    np.testing.assert_allclose(lw.softmax(x, axis, where=where), expected, rtol=1e-13)
    np.testing.assert_allclose(lw.softmin(-x, axis, where=where), expected, rtol=1e-13)
    with np.errstate(divide="ignore"):
        np.testing.assert_allclose(lw.log_softmax(x, axis, where=where), np.log(expected), rtol=1e-12, atol=1e-13)
        logs = np.log(sums)
    np.testing.assert_allclose(lw.logsumexp(x, axis, where=where, keepdims=True), logs, rtol=1e-12)
    b = np.random.default_rng(3).standard_normal(SHAPE)
    with np.errstate(divide="ignore"):
        logs = np.log(np.abs(np.sum(powers * b, axis, where=where, keepdims=True)))
    found = lw.logsumexp(x, axis, where=where, b=b, keepdims=True, return_sign=True)[0]
    np.testing.assert_allclose(found, logs, rtol=1e-12)
    out = np.empty(SHAPE)
    assert lw.softmax(x, axis, where=where, out=out) is out
    np.testing.assert_array_equal(out, lw.softmax(x, axis, where=where))


@pytest.mark.parametrize("axis", [-1, (0, 2)])
@pytest.mark.parametrize("case", range(4))
def test_gradients_where_something_is_left_out(case, axis):
    x, grad, where = numbers(), numbers(1), masks()[case]
    left_out = ~np.broadcast_to(where, SHAPE)
    for forward, backward, of_log in ((lw.softmax, lw.softmax_backward, False),
                                      (lw.softmin, lw.softmin_backward, False),
                                      (lw.log_softmax, lw.log_softmax_backward, True)):
        slope = oracles.differences(lambda value, f=forward: np.sum(
            f(value, axis, where=where) * grad, where=~left_out), x)
        arriving = np.where(left_out, np.nan, grad)
        found = backward(arriving, forward(x, axis, where=where), axis, where=where)
        np.testing.assert_allclose(found, slope, rtol=1e-6, atol=1e-8)
        assert (found[left_out] == 0).all(), of_log
    for options in ({}, {"b": np.random.default_rng(3).standard_normal(SHAPE)}):
        arriving = np.ones(np.shape(lw.logsumexp(x, axis)))
        slope = oracles.differences(lambda value, options=options: np.sum(
            np.nan_to_num(lw.logsumexp(value, axis, where=where, return_sign=True, **options)[0], neginf=0)), x)
        found = lw.logsumexp_backward(arriving, np.where(left_out, INF, x), axis, where=where, **options)
        np.testing.assert_allclose(found, slope, rtol=1e-6, atol=1e-8)
        assert (found[left_out] == 0).all()


@pytest.mark.parametrize("dtype", oracles.DTYPES)
def test_safe_rows(dtype):
    x = np.array([[-INF, -INF], [0, 0], [np.nan, -INF], [INF, 0]]).astype(oracles.dtype_named(dtype))
    for axis, own in ((-1, x), (0, np.ascontiguousarray(x.T))):
        expected = np.array([[0, 0], [0.5, 0.5], [np.nan] * 2, [np.nan] * 2])
        for found in (lw.softmax(own, axis, safe=True), lw.softmin(-own, axis, safe=True)):
            np.testing.assert_array_equal((found if axis else found.T).astype(float), expected)
        found = lw.log_softmax(own, axis, safe=True)
        np.testing.assert_array_equal((found if axis else found.T)[:2].astype(float), np.log(
            np.maximum(expected[:2], 5e-324)).astype(x.dtype).astype(float) - [[INF], [0]])
        assert np.isnan(found if axis else found.T)[[2, 2, 3], [0, 1, 0]].all()
        assert np.isnan((lw.softmax(own, axis) if axis else lw.softmax(own, axis).T)[0]).all()
    y = lw.softmax(x, where=[True, False])
    np.testing.assert_array_equal(y.astype(float), [[0, 0], [1, 0], [np.nan, np.nan], [np.nan, np.nan]])


def test_numbers_have_all_axes_and_none():
    for axis in (None, (), 0, -1, (0,), (-1,)):
        assert lw.softmax(3.0, axis) == 1
        assert lw.logsumexp(3.0, axis) == 3
        assert lw.logsumexp(3.0, axis, keepdims=True).shape == ()
        assert lw.logsumexp(3.0, axis, b=-1.0, return_sign=True) == (3, -1)
        assert lw.logsumexp_backward(2.0, 3.0, axis) == 2
        assert lw.softmax(3.0, axis, where=False) == 0


def test_errors():
    x = np.zeros(SHAPE)
    for call, error, message in (
            (lambda: lw.softmax(x, (0, 3)), ValueError, r"softmax: axis 3 is out of range for x of shape \(3, 4, 5\)"),
            (lambda: lw.softmax(x, (0, -3)), ValueError, r"softmax: axis \(0, -3\) names an axis twice"),
            (lambda: lw.softmax(x, ("a",)), TypeError, "softmax: axis must be an int, not 'a'"),
            (lambda: lw.softmax(x, (0, 1), out=np.zeros(3)), ValueError, r"softmax: out of shape \(3,\) does not fit"),
            (lambda: lw.softmax(x, where=np.ones(7, bool)), ValueError, r"where of shape \(7,\) does not broadcast"),
            (lambda: lw.softmax(x, where=1), TypeError, "softmax: where must hold booleans, not int64"),
            (lambda: lw.softmax(x, where=np.ma.masked_equal([True] * 5, False)), TypeError, "where is a masked array"),
            (lambda: lw.logsumexp(x, b=np.ma.masked_equal([1.0] * 5, 2)), TypeError, "b is a masked array"),
            (lambda: lw.logsumexp(x, b=np.ones(9)), ValueError, r"logsumexp: b of shape \(9,\) does not broadcast"),
            (lambda: lw.logsumexp_backward(np.ones((3, 4)), x, keepdims=True), ValueError,
             r"with keepdims it must have shape \(3, 4, 1\)"),
            (lambda: lw.layer_norm(x, np.ones(5), axis=(1, 2)), ValueError,
             r"layer_norm: weight of shape \(5,\) does not fit .* axes \(1, 2\) it must have shape \(4, 5\)"),
            (lambda: lw.rms_norm_backward(x, x, axis=(0, 1), rstd=np.ones(3)), ValueError,
             r"rstd of shape \(3,\) does not fit .* without axes \(0, 1\) it must have shape \(5,\)"),
            (lambda: lw.softmax_backward(np.ones(3), x, None), ValueError,
             r"softmax_backward: grad of shape \(3,\) does not fit y")):
        with pytest.raises(error, match=message):
            call()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_sliding_windows_beside_columns_that_collide(dtype):
    """Neighbouring rows that overlap need no tile, and one that shares cache lines with its neighbours has one."""
    x = np.lib.stride_tricks.as_strided(np.random.default_rng(0).random(5000).astype(dtype), (40, 2048),
                                        2 * (np.dtype(dtype).itemsize,))
    other, target = np.full(x.shape, 0.025, dtype), np.arange(x.shape[1]) % 40
    for function, operands in ((lw.softmax, (x,)), (lw.log_softmax, (x,)), (lw.softmax_backward, (x, other)),
                               (lw.softmax_backward, (other, x)), (lw.log_softmax_backward, (x, other)),
                               (lambda x, **kwargs: lw.cross_entropy_with_grad(x, target, **kwargs)[1], (x,))):
        expected = function(*map(np.copy, operands), axis=0)
        found = function(*operands, axis=0, out=np.empty(x.shape, dtype))
        assert found.tobytes() == expected.tobytes()


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("function", [lw.softmax_backward, lw.log_softmax_backward, lw.masked_softmax_backward])
def test_neighbouring_rows_of_no_elements(function, dtype):
    x = np.lib.stride_tricks.as_strided(np.zeros(40, dtype), (33, 0), 2 * (np.dtype(dtype).itemsize,))
    assert function(x, x).shape == function(x, x, out=x.copy()).shape == (33, 0)
    if function is not lw.masked_softmax_backward:
        assert function(x.T, x.T, axis=0).shape == (0, 33)


@pytest.mark.parametrize("dtype", oracles.DTYPES)
@pytest.mark.parametrize("shape", [(2**50, 256, 0), (0, 256, 2**50), (2**50, 0), (2**40, 0, 2**10), (2**50, 3, 0, 2)])
def test_a_batch_of_no_elements_is_done_at_once_whatever_its_shape(dtype, shape):
    x = np.empty(shape, dtype)
    zero, one = np.zeros(shape[1]), np.ones(shape[1])
    assert lw.batch_norm(x, zero, one).shape == shape
    assert lw.batch_norm(x, zero, one, training=True, out=x) is x
    assert not zero.any()
    assert one.all()
    for training in (True, False):
        grad_x, *sums = lw.batch_norm_backward(x, x, mean=zero, rstd=one, training=training)
        assert grad_x.shape == shape
        assert all(part.shape == zero.shape and not part.any() for part in sums)


@pytest.mark.parametrize("dtype", oracles.DTYPES)
@pytest.mark.parametrize(("shape", "axis"), [((2**29, 2**30, 0), -1), ((0, 2**40), 0), ((2**20, 0, 2**30), 1)])
def test_norms_of_rows_of_no_elements_are_done_at_once(dtype, shape, axis):
    x, none = np.empty(shape, dtype), np.empty(0, dtype)
    for found in (lw.rms_norm(x, none, axis=axis), lw.layer_norm(x, none, none, axis=axis),
                  *lw.add_rms_norm(x, x, axis=axis)):
        assert (found.shape, found.dtype) == (shape, dtype)
    assert lw.layer_norm(x, axis=axis, out=x) is x
    with pytest.raises(ValueError, match="layer_norm: weight"):
        lw.layer_norm(x, np.ones(1), axis=axis)
    with pytest.raises(ValueError, match="layer_norm: out of shape"):
        lw.layer_norm(x, axis=axis, out=none.reshape(0, 1, 1, 1))
    y, mean, rstd = lw.layer_norm(np.empty((3, 0), dtype), return_stats=True)
    assert y.shape == (3, 0)
    assert np.isnan(mean).all()
    assert np.isnan(rstd).all()
