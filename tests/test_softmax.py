"""The softmax family against oracles in 200 bits, SciPy's limits, central differences, and itself: any axis, stride,
dtype, level and number of threads gives the same bits. Bounds are those of lanewise/bounds.py."""

import lanewise as lw
import numpy as np
import oracles
import pytest
import scipy.special
from along_axis import in_page
from hypothesis import given, settings
from hypothesis import strategies as st
from lanewise.bounds import bound
from lanewise.measure.row_formulas import log_sum
from lanewise.measure.ulps import errors
from oracles import DTYPES, dtype_named, error, exactly

LENGTHS = (1, 2, 7, 16, 33, 64, 65, 130)
ONE_ULP = {"float16": 2.0**-10, "bfloat16": 2.0**-7, "float32": 2.0**-22, "float64": 2.0**-50}
FORWARD = (lw.softmax, lw.softmin, lw.log_softmax, lw.logsumexp)


def rows(dtype, n, sigma=1.0, mean=0.0, seed=0, count=3):
    return (np.random.default_rng([seed, n]).standard_normal((count, n)) * sigma + mean).astype(dtype_named(dtype))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", LENGTHS)
@pytest.mark.parametrize(("sigma", "mean"), [(1, 0), (20, 0), (3, -300)])
def test_forward(dtype, n, sigma, mean):
    x = rows(dtype, n, sigma, mean)
    exact = exactly(x)
    assert error(lw.softmax(x), oracles.softmax(exact), dtype) <= bound("softmax", dtype)
    assert error(lw.softmin(x), oracles.softmax(-exact), dtype) <= bound("softmax", dtype)
    assert error(lw.log_softmax(x), oracles.log_softmax(exact), dtype) <= bound("log_softmax", dtype)
    top = np.abs(exact.max(-1))
    assert error(lw.logsumexp(x), oracles.logsumexp(exact), dtype, top) <= bound("logsumexp", dtype)
    assert {f(x).dtype for f in FORWARD} == {x.dtype}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("sigma", "mean"), [(3, 40000), (3, 1e6), (3, -3e6), (100, 1e7), (1e29, 0), (1e-30, 0)])
def test_large_and_small_rows(dtype, sigma, mean):
    x = rows(dtype, 50, sigma, mean)
    assert error(lw.softmax(x), oracles.softmax(exactly(x)), dtype) <= bound("softmax", dtype)
    assert error(lw.log_softmax(x), oracles.log_softmax(exactly(x)), dtype) <= bound("log_softmax", dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("gap", [0.5, 3, 10, 17, 40, 80, 87])
def test_log_softmax_at_its_maximum(dtype, gap):
    # SciPy issue 19521: the result at the maximum is a small negative number, and not -0
    x = np.array([[5 - gap, 5, 5 - 2 * gap]]).astype(dtype)
    y = lw.log_softmax(x)
    assert y[0, 1] < 0
    assert error(y, oracles.log_softmax(exactly(x)), dtype) <= bound("log_softmax", dtype)


@pytest.mark.parametrize("n", [33, 129, 257])
def test_logsumexp_whose_roundings_agree(n):
    # of four numbers in every row, eight at a time, so that all exponentials that are added in float32 lose the same
    rng = np.random.default_rng(n)
    rest = np.exp(rng.uniform(0, 3, 10_000))
    top = (rng.uniform(-2.5, 2.5, len(rest)) * (rng.random(len(rest)) < 0.8)).astype(np.float32)
    four = top[:, None] + np.minimum(np.log(rest / n)[:, None] + rng.uniform(0, 1e-3, (len(rest), 4)), 0)
    x = four.astype(np.float32)[:, np.arange(n) // 8 % 4]
    x[:, 0] = top
    wide = x.astype(np.float64)
    exact = top + np.log1p(np.exp(wide[:, 1:] - wide[:, :1]).sum(-1))
    scale = np.maximum(abs(top), exact - top)
    for found in lw.logsumexp(x), lw.logsumexp(np.ascontiguousarray(x.T), 0), lw.logsumexp(x[:1]):
        assert error(found, exact[:len(found)], "float32", scale[:len(found)]) <= bound("logsumexp", "float32")


def test_equal_largest():
    for n in (2, 3, 100):
        x = np.full((1, n), 7.0, np.float32)
        np.testing.assert_allclose(lw.log_softmax(x), -np.log(np.float64(n)), rtol=1e-7)


@pytest.mark.parametrize("row", [
    [np.inf, 1], [-np.inf, -np.inf], [np.nan, 1], [np.inf, np.nan], [-np.inf, 1], [np.inf, -np.inf], [np.inf, np.inf],
    [1, 2, -np.inf, -1000], [-np.inf, np.nan]])
@pytest.mark.parametrize("dtype", DTYPES)
def test_limits_are_those_of_scipy(row, dtype):
    x = np.array([row, [1.0] * len(row)]).astype(dtype_named(dtype))
    wide = x.astype(np.float64)
    with np.errstate(all="ignore"):
        expected = (scipy.special.softmax(wide, -1), scipy.special.softmax(-wide, -1),
                    scipy.special.log_softmax(wide, -1), scipy.special.logsumexp(wide, -1))
    for f, y in zip(FORWARD, expected, strict=True):
        np.testing.assert_allclose(f(x).astype(np.float64), y, rtol=ONE_ULP[dtype], atol=1e-12)


def test_empty_and_single():
    for f in FORWARD[:3]:
        assert f(np.empty((0, 5), np.float32)).shape == (0, 5)
        assert f(np.empty((5, 0), np.float32)).shape == (5, 0)
    assert (lw.logsumexp(np.empty((5, 0))) == -np.inf).all()
    assert (lw.softmax(np.array([[3.0], [-1e30]])) == 1).all()
    assert (lw.log_softmax(np.array([[3.0], [-1e30]])) == 0).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n", [1, 9, 70])
def test_backward_against_the_oracle(dtype, n):
    y, grad = lw.softmax(rows(dtype, n)), rows(dtype, n, seed=1)
    total = (exactly(grad) * exactly(y)).sum(-1)[:, None]
    terms = exactly(y) * (np.abs(exactly(grad)) + (np.abs(exactly(grad)) * exactly(y)).sum(-1)[:, None])
    exact = exactly(y) * (exactly(grad) - total)
    assert error(lw.softmax_backward(grad, y), exact, dtype, terms) <= bound("softmax_backward", dtype)
    assert (lw.softmin_backward(grad, y) == -lw.softmax_backward(grad, y)).all()
    y = lw.log_softmax(rows(dtype, n))
    shares = np.vectorize(oracles.mpmath.exp, otypes=[object])(exactly(y)) * exactly(grad).sum(-1)[:, None]
    terms = np.abs(exactly(grad)) + np.abs(shares)
    found = lw.log_softmax_backward(grad, y)
    assert error(found, exactly(grad) - shares, dtype, terms) <= bound("log_softmax_backward", dtype)


@pytest.mark.parametrize(("shape", "axis"), [((3, 5), -1), ((4, 7), 0), ((2, 6, 3), 1)])
def test_backward_against_differences(shape, axis):
    x, grad = np.random.default_rng(0).standard_normal((2, *shape))
    for forward, backward in ((lw.softmax, lw.softmax_backward), (lw.softmin, lw.softmin_backward),
                              (lw.log_softmax, lw.log_softmax_backward)):
        slope = oracles.differences(lambda value, f=forward: (f(value, axis) * grad).sum(), x)
        np.testing.assert_allclose(backward(grad, forward(x, axis), axis), slope, rtol=1e-6, atol=1e-8)
    grad = grad.sum(axis)
    slope = oracles.differences(lambda value: (lw.logsumexp(value, axis) * grad).sum(), x)
    np.testing.assert_allclose(lw.logsumexp_backward(grad, x, axis), slope, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("scale", [1e-44, 1e-37, 2.0**-33, 2.0**-29, 1.0, 1e20])
def test_what_is_no_normal_number_is_rounded_once(scale):
    """Exponentials are raised by a power of two that suits the scale."""
    x = np.concatenate([np.linspace(-110, 0, 5000), np.linspace(-3, 0, 50)]).astype(np.float32)[None]
    p = np.exp(x.astype(np.float64))
    exact = p / p.sum() * float(np.float32(scale))
    found = lw.logsumexp_backward(np.array([scale], np.float32), x)
    assert errors(found[0], exact[0], "float32").max() <= bound("softmax", "float32")
    assert errors(lw.softmax(x)[0], (p / p.sum())[0], "float32").max() <= bound("softmax", "float32")
    assert (lw.logsumexp_backward(np.array([np.inf], np.float32), x[:, -9:]) == np.inf).all()


@settings(max_examples=40)
@given(st.sampled_from(DTYPES), st.lists(st.integers(1, 40), min_size=1, max_size=3), st.data())
def test_any_axis_and_stride(dtype, shape, data):
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    base = np.random.default_rng(0).standard_normal([2 * size for size in shape]).astype(dtype_named(dtype))
    x = base[tuple(slice(data.draw(st.sampled_from([0, 1])), None, 2) for _ in shape)]
    x = x.transpose(data.draw(st.permutations(range(len(shape)))))
    plain = np.ascontiguousarray(np.moveaxis(x, axis, -1))
    for f in FORWARD[:3]:
        assert np.moveaxis(f(x, axis), axis, -1).tobytes() == f(plain).tobytes()
    assert lw.logsumexp(x, axis).tobytes() == lw.logsumexp(plain).tobytes()
    found = lw.softmax_backward(x, x, axis)
    assert np.moveaxis(found, axis, -1).tobytes() == lw.softmax_backward(plain, plain).tobytes()


def test_threads_do_not_show():
    results = []
    for threads in (1, 2, 3):
        lw.set_num_threads(threads)
        results.append([])
        for shape in ((300, 500), (1, 300_000)):
            x = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
            for f in FORWARD:
                results[-1].append(f(x).tobytes())
            results[-1] += [lw.softmax_backward(x, x).tobytes(), lw.log_softmax_backward(x, x).tobytes()]
    assert results[0] == results[1] == results[2]


HASHES = """
    import hashlib, json
    import numpy as np
    import lanewise as lw

    found = {}
    for dtype in (np.float16, np.float32, np.float64):
        for n in (1, 5, 63, 200, 5000):
            x = np.random.default_rng(n).standard_normal((20, n)).astype(dtype) * dtype(10)
            target = np.arange(20) % n
            results = [lw.softmax(x), lw.softmin(x), lw.log_softmax(x), lw.logsumexp(x), lw.softmax(x.T, 0),
                       lw.softmax_backward(x, x), lw.log_softmax_backward(x, x),
                       *lw.cross_entropy_with_grad(x, target, label_smoothing=0.1, z_loss=1e-4)]
            bits = b"".join(np.ascontiguousarray(y).tobytes() for y in results)
            found[f"{dtype.__name__} {n}"] = hashlib.sha256(bits).hexdigest()
    print(json.dumps(found))
"""


def test_levels_agree(levels_agree):
    levels_agree(HASHES)


@pytest.mark.parametrize("n", [2, 4, 10, 32, 100, 1000])
@pytest.mark.parametrize("spread", [0.3, 1, 3, 10])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_log_softmax_of_the_largest(n, spread, dtype):
    """To one ULP, however peaked the row: https://github.com/scipy/scipy/issues/19521."""
    x = np.random.default_rng(n).normal(0, spread, (20_000 // n, n)).astype(dtype)
    row, largest = np.arange(len(x)), x.argmax(-1)
    _, log_rest = log_sum(x.astype(np.longdouble))
    assert errors(lw.log_softmax(x)[row, largest], -log_rest[:, 0], dtype).max() <= 1


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("spread", [0.0, 0.01, 3, 300])
def test_log_softmax_of_rows_together(spread, dtype):
    # the sums of float64 are exact below 64 times their largest term, of one row, of short ones and of neighbours alike
    for n in (*range(1, 20), 31, 32, 33, 63, 64, 65, 66, 100, 127, 128, 129, 200, 256, 257, 400):
        x = np.random.default_rng(n).normal(0, spread, (19, n)).astype(dtype)
        x[3, n // 2], x[12, 0] = 30, -1e9
        x[18, -1] = np.nan
        alone = np.concatenate([lw.log_softmax(row) for row in x]).reshape(x.shape)
        np.testing.assert_array_equal(lw.log_softmax(x), alone)
        np.testing.assert_array_equal(lw.log_softmax(np.ascontiguousarray(x.T), axis=0).T, alone)
        found = x.copy()
        assert lw.log_softmax(found, out=found) is found
        np.testing.assert_array_equal(found, alone)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("backward", [lw.softmax_backward, lw.log_softmax_backward])
def test_gradients_of_rows_together(backward, dtype):
    # 51 rows are three registers of the widest ones, and some rows more
    for n in (1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 31, 32, 33, 48, 64, 100, 129):
        grad, y = np.random.default_rng(n).normal(0, 3, (2, 51, n)).astype(dtype_named(dtype))
        y = -np.abs(y)
        grad[2], y[4, n // 2], y[11, 0] = 0, -np.inf, -100
        alone = np.stack([backward(*rows) for rows in zip(grad, y, strict=True)])
        assert backward(grad, y).tobytes() == alone.tobytes(), n
        turned = [np.ascontiguousarray(array.T) for array in (grad, y)]
        assert np.ascontiguousarray(backward(*turned, axis=0).T).tobytes() == alone.tobytes(), n
        for place in range(2):
            operands = [grad.copy(), y.copy()]
            assert backward(*operands, out=operands[place]).tobytes() == alone.tobytes(), n


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
@pytest.mark.parametrize("classes", [3, 40])
@pytest.mark.parametrize("function", [lw.softmax, lw.log_softmax, lw.softmax_backward, lw.log_softmax_backward])
def test_neighbouring_rows_past_the_caches(function, classes, dtype):
    # from 8 MiB on whole lines of the cache are streamed, of some rows, but neither tiles nor a result in place
    pixels = (9 << 20) // (2 * classes * dtype_named(dtype).itemsize) // 16 * 16
    count = 2 if function in (lw.softmax_backward, lw.log_softmax_backward) else 1
    rng = np.random.default_rng(classes)
    arrays = [rng.normal(0, 3, (2, classes, pixels)).astype(dtype_named(dtype)) for _ in range(count)]
    expected = np.moveaxis(function(*(np.ascontiguousarray(np.moveaxis(x, 1, 2)) for x in arrays)), 2, 1)
    room = np.empty(expected.nbytes + 128, np.uint8)
    for offset in (0, 16):
        start = -room.ctypes.data % 64 + offset
        room[:] = 7
        y = room[start : start + expected.nbytes].view(expected.dtype).reshape(expected.shape)
        function(*arrays, axis=1, out=y)
        np.testing.assert_array_equal(y, expected)
        assert (room[:start] == 7).all()
        assert (room[start + y.nbytes :] == 7).all()
    for x in arrays:
        y = x.copy()
        function(*(y if other is x else other for other in arrays), axis=1, out=y)
        np.testing.assert_array_equal(y, expected)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n", [17, 65, 100, 300, 767, 768, 1000, 5000])
@pytest.mark.parametrize("function", [lw.softmax_backward, lw.softmin_backward, lw.log_softmax_backward])
def test_no_bit_of_a_gradient_depends_on_places_in_a_page(function, dtype, n):
    # Long rows that stand just behind grad or y, but for whole pages, are written from their end on, and registers
    # begin where grad and y have a boundary, if they stand alike. Of many short ones each is written in the place of
    # grad or y while the next is summed.
    count = max(5, 3000 // n)
    grad, y = rows(dtype, n, count=count), lw.softmax(rows(dtype, n, seed=1, count=count))
    expected = b"".join(function(grad[r], y[r]).tobytes() for r in range(count))
    for of_grad, of_y, of_result in (
            (0, 0, 0), (16, 16, 32), (16, 16, 80), (16, 32, 48), (16, 80, 144), (48, 16, 64), (64, 64, 24),
            (16, 80, 48), (8, 72, 3000), (72, 8, 4088), (0, 32, 16)):
        given = in_page(grad, of_grad), in_page(y, of_y)
        assert function(*given, out=in_page(y, of_result)).tobytes() == expected, (of_grad, of_y, of_result)
        for k in (0, 1):  # in the place of grad, then of y
            given = in_page(grad, of_grad), in_page(y, of_y)
            assert function(*given, out=given[k]).tobytes() == expected


@pytest.mark.parametrize("far", [-200, -np.inf])
def test_log_softmax_of_masked_rows(far):
    x = np.full((2, 5000), far, np.float32)
    x[:, 7] = 2
    np.testing.assert_array_equal(lw.log_softmax(x)[:, 7], 0)


def test_out_and_errors():
    x = rows("float32", 100)
    expected = lw.softmax(x)
    assert (lw.softmax(x, out=x) == expected).all()
    assert (x == expected).all()
    with pytest.raises(ValueError, match=r"softmax: axis 2 is out of range for x of shape \(3, 100\)"):
        lw.softmax(x, 2)
    with pytest.raises(ValueError, match=r"grad of shape \(2,\) does not fit y of shape \(3, 100\)"):
        lw.softmax_backward(np.zeros(2), x)


@pytest.mark.parametrize("name", ["softmax", "log_softmax", "softmin"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("axis", [-1, 0, (0, 1), None])
def test_dtype_is_that_of_the_computation(name, dtype, axis):
    """As PyTorch's: x is converted first, which of integers and of narrower floats is exact."""
    function, wanted = getattr(lw, name), dtype_named(dtype)
    for x in (np.arange(6).reshape(2, 3), rows("float16", 5), rows("float64", 5), [[0.0, 1e39]]):
        with np.errstate(all="ignore"):
            converted = np.asarray(x).astype(wanted)
        found = function(x, axis, dtype=dtype)
        assert found.dtype == wanted
        assert found.tobytes() == function(converted, axis).tobytes()
    assert function(1, dtype=wanted).dtype == wanted
    out = np.empty((2, 3), wanted)
    assert function(np.ones((2, 3)), dtype=dtype, out=out) is out


@pytest.mark.parametrize(("dtype", "message"), [
    (int, "softmax: dtype must be float16, bfloat16, float32 or float64, not int64"),
    ("float8_e5m2", "softmax: dtype must be float16, bfloat16, float32 or float64, not float8_e5m2"),
    ("float33", "softmax: dtype must be a dtype or the name of one")])
def test_dtype_is_one_of_floats(dtype, message):
    with pytest.raises(TypeError, match=message):
        lw.softmax([1.0], dtype=dtype)


@pytest.mark.parametrize(("dtype", "grad"), [(np.float32, 1e30), (np.float64, 1e300)])
@pytest.mark.parametrize("n", [3, 40, 200])
def test_a_score_of_minus_infinity_has_no_gradient_however_large_the_one_arriving(dtype, grad, n):
    x = np.full((9, n), -np.inf, dtype)
    x[:, 0], x[:, 1] = 0, -2000
    expected = np.zeros_like(x)
    expected[:, 0] = grad
    np.testing.assert_array_equal(lw.logsumexp_backward(np.full(9, grad, dtype), x), expected)


@pytest.mark.parametrize("function", [lw.softmax, lw.softmin, lw.log_softmax])
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_where_may_lie_in_any_way(function, axis):
    rng = np.random.default_rng(0)
    x, where = rng.standard_normal((4, 5, 6)).astype(np.float32), rng.random((4, 5, 6)) < 0.5
    expected = function(x, axis, where=where)
    for other in np.asfortranarray(where), np.repeat(where, 2, -1)[..., ::2], where[..., ::-1].copy()[..., ::-1]:
        np.testing.assert_array_equal(function(x, axis, where=other), expected)
        np.testing.assert_array_equal(function(np.asfortranarray(x), axis, where=other), expected)
    for some in where[:1], where[:, :1], where[..., :1]:
        np.testing.assert_array_equal(function(x, axis, where=some),
                                      function(x, axis, where=np.broadcast_to(some, x.shape).copy()))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("classes", "pixels"), [(2, 40), (10, 64), (21, 1024)])
@pytest.mark.parametrize("byte", [0, 16, 40])
def test_many_images_are_each_of_them(dtype, classes, pixels, byte):
    # more bytes of images than caches hold are written past them, and an image by itself is not
    count = (9 << 20) // (classes * pixels * 4)
    x = np.resize(rows(dtype, classes * pixels, count=7), (count, classes, pixels))
    grad = x[::-1]
    for function, arrays in ((lw.softmax, [x]), (lw.log_softmax, [x]), (lw.logsumexp, [x]),
                             (lw.softmax_backward, [grad, x]), (lw.log_softmax_backward, [grad, x])):
        arrays = [in_page(each, byte) for each in arrays]
        out = {} if function is lw.logsumexp else {"out": in_page(x, byte)}
        found = function(*arrays, axis=1, **out)
        for k in (*range(7), count - 1, count // 2):
            np.testing.assert_array_equal(found[k], function(*(each[k] for each in arrays), axis=0))
