"""The gradients of the norms against oracles in 200 bits and central differences; where they are put; no bit differs
for the number of rows or of threads."""

import lanewise as lw
import mpmath
import numpy as np
import oracles
import pytest
from along_axis import in_page
from lanewise.bounds import bound
from oracles import error, exactly, rows


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n", [1, 7, 33, 128])
def test_backward_against_the_oracle(dtype, n):
    x, grad, weight = rows(dtype, n, 3, 2, 9), rows(dtype, n, 0, 1, 9, 1), rows(dtype, n, 1, 1, 1, 2)[0]
    vectors = exactly(grad), exactly(x), exactly(weight)
    found = lw.rms_norm_backward(grad, x, weight)
    expected = oracles.rms_norm_backward(*vectors, mpmath.mpf(1e-6))
    for y, (exact, terms) in zip(found, expected, strict=True):
        assert error(y, exact, dtype, terms) <= bound("rms_norm_backward", dtype)
    found = lw.layer_norm_backward(grad, x, weight, weight)
    expected = oracles.layer_norm_backward(*vectors, mpmath.mpf(1e-5))
    for y, (exact, terms) in zip(found, expected, strict=True):
        assert error(y, exact, dtype, terms) <= bound("layer_norm_backward", dtype)


@pytest.mark.parametrize(("shape", "axis"), [((3, 5), -1), ((4, 7), 0), ((2, 6, 3), 1), ((20, 18), 0)])
def test_backward_against_differences(shape, axis):
    rng = np.random.default_rng(0)
    x, grad = rng.standard_normal((2, *shape))
    weight, bias = rng.standard_normal((2, shape[axis]))
    found = lw.rms_norm_backward(grad, x, weight, axis=axis)
    for k, argument in enumerate((x, weight)):
        def loss(value, k=k):
            return (lw.rms_norm(*[value if j == k else other for j, other in enumerate((x, weight))], axis=axis)
                    * grad).sum()
        np.testing.assert_allclose(found[k], oracles.differences(loss, argument), rtol=1e-5, atol=1e-7)
    found = lw.layer_norm_backward(grad, x, weight, bias, axis=axis)
    for k, argument in enumerate((x, weight, bias)):
        def loss(value, k=k):
            values = [value if j == k else other for j, other in enumerate((x, weight, bias))]
            return (lw.layer_norm(*values, axis=axis) * grad).sum()
        np.testing.assert_allclose(found[k], oracles.differences(loss, argument), rtol=1e-5, atol=1e-7)


def test_backward_takes_the_statistics_of_forward():
    x, grad, weight = rows("float32", 100, 2000), rows("float32", 100, seed=1), rows("float32", 100, seed=2)[0]
    _, rstd = lw.rms_norm(x, weight, return_stats=True)
    _, mean, rstd_layer = lw.layer_norm(x, weight, return_stats=True)
    assert rstd.dtype == mean.dtype == np.float64
    pairs = [
        (lw.rms_norm_backward(grad, x, weight), lw.rms_norm_backward(grad, x, weight, rstd=rstd)),
        (lw.layer_norm_backward(grad, x, weight), lw.layer_norm_backward(grad, x, weight, mean=mean, rstd=rstd_layer)),
    ]
    for computed, given_stats in pairs:
        for a, b in zip(computed, given_stats, strict=True):
            assert (a is None) == (b is None)
            assert a is None or a.tobytes() == b.tobytes()


@pytest.mark.parametrize("dtype", oracles.DTYPES)
@pytest.mark.parametrize("shape", [(3, 1), (11, 7), (9, 128), (6, 129), (2, 5000)])
@pytest.mark.parametrize("axis", [0, 1])
def test_without_weights_as_with_ones(dtype, shape, axis):
    dtype = oracles.dtype_named(dtype)
    grad, x = np.random.default_rng(0).standard_normal((2, *shape)).astype(dtype)
    x[0] *= dtype.type(1e30) if dtype.itemsize > 2 else 3  # a row that is scaled
    x[-1, -1] = np.nan
    ones = np.ones(shape[axis], dtype)
    for function, vectors in ((lw.rms_norm_backward, [ones]), (lw.layer_norm_backward, [ones, ones])):
        expected = function(grad, x, *vectors, axis=axis)[0]
        found, *others = function(grad, x, axis=axis)
        assert others == [None] * len(vectors)
        place = grad.copy()
        assert function(place, x, axis=axis, out=place)[0] is place
        for array in (expected, found, place):
            array[np.isnan(array)] = np.nan  # whose signs are nobody's
        assert found.tobytes() == place.tobytes() == expected.tobytes()
        with pytest.raises(ValueError, match=r"out of shape .* does not fit"):
            function(grad, x, axis=axis, out=np.empty(3, dtype))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n", [17, 33, 300, 767, 768, 1000, 4100])
def test_no_bit_depends_on_places_in_a_page(dtype, n):
    # a result that stands just behind x or grad, but for whole pages, is written from its end on, and registers begin
    # where x and grad have a boundary, if they stand alike
    x, grad, weight = rows(dtype, n, 3, 2, 9), rows(dtype, n, count=9, seed=1), rows(dtype, n, count=1, seed=2)[0]
    for vectors in ([weight, weight], [None, None]):
        layer, rms = lw.layer_norm_backward(grad, x, *vectors), lw.rms_norm_backward(grad, x, vectors[0])
        for of_x, of_grad, of_y in (
                (0, 0, 0), (16, 16, 32), (16, 16, 80), (16, 32, 48), (16, 80, 144), (48, 16, 64), (64, 64, 24),
                (8, 72, 3000), (72, 8, 4088)):
            given, place = (in_page(grad, of_grad), in_page(x, of_x)), in_page(x, of_y)
            for function, expected in (lw.layer_norm_backward, layer), (lw.rms_norm_backward, rms):
                found = function(*given, *vectors[:len(expected) - 1], out=place)
                for a, b in zip(found, expected, strict=True):
                    assert (a is None and b is None) or a.tobytes() == b.tobytes(), (of_x, of_grad, of_y)
        for k, (function, expected) in enumerate([(lw.layer_norm_backward, layer), (lw.rms_norm_backward, rms)] * 2):
            given = [in_page(grad, 16), in_page(x, 16)]
            place = given[k // 2]  # in the place of grad, then of x
            assert function(*given, *vectors[:len(expected) - 1], out=place)[0].tobytes() == expected[0].tobytes()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("count", [1, 2, 4])
def test_few_rows_add_up_as_many_do(dtype, count):
    # rows whose gradient is 0 add nothing, not even the sign of a zero
    x, grad = rows(dtype, 70, count=9), rows(dtype, 70, count=9, seed=1)
    grad[count:] = 0
    grad[:, ::5] = -np.finfo(dtype).smallest_subnormal
    grad[count:, ::5] = 0
    weight = np.ones(70, dtype)
    strided = np.empty((2, 9, 140), dtype)[..., ::2]
    strided[0], strided[1] = x, grad
    for backward, arguments in (lw.rms_norm_backward, (weight,)), (lw.layer_norm_backward, (weight, weight)):
        many = backward(grad, x, *arguments)
        for values in (x, grad), strided:
            few = backward(values[1][:count], values[0][:count], *arguments)
            assert few[0].tobytes() == many[0][:count].tobytes()
            assert [y.tobytes() for y in few[1:]] == [y.tobytes() for y in many[1:]]


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("shape", [(1, 3), (3, 70), (4, 768), (9, 5), (13, 1100), (2, 3, 40)])
def test_without_a_weight_the_bits_are_those_of_ones(dtype, shape):
    # no sum over rows is then made, and that of a missing bias is not either
    x, grad = (rows(dtype, shape[-1], 2, count=int(np.prod(shape[:-1])), seed=seed).reshape(shape) for seed in (0, 1))
    x[0] *= 1.0 if dtype == "float16" else 2.0 ** (80 if dtype == "float32" else 600)  # scaled, and so not usual
    ones = np.ones(shape[-1], dtype)
    for some in (x, x[1:]):
        of = grad[len(grad) - len(some):]
        alone, *nothing = lw.layer_norm_backward(of, some)
        assert nothing == [None, None]
        expected = lw.layer_norm_backward(of, some, ones, ones)
        assert alone.tobytes() == expected[0].tobytes()
        for y, wanted in zip(lw.layer_norm_backward(of, some, ones)[:2], expected, strict=False):
            assert y.tobytes() == wanted.tobytes()
        for y, wanted in zip(lw.layer_norm_backward(of, some, None, ones)[::2], expected[::2], strict=True):
            assert y.tobytes() == wanted.tobytes()
        assert lw.rms_norm_backward(of, some)[0].tobytes() == lw.rms_norm_backward(of, some, ones)[0].tobytes()


def test_layer_norm_gradient_knows_no_shift():
    # adding a constant to a row changes nothing, so the gradient of a row sums to 0
    x, grad = rows("float64", 300), rows("float64", 300, seed=1)
    grad_x, _, _ = lw.layer_norm_backward(grad, x)
    assert np.abs(grad_x.sum(-1)).max() < 1e-12


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_backward_out(axis):
    rng = np.random.default_rng(axis)
    grad, x, weight = rng.standard_normal((7, 8, 9)), rng.standard_normal((7, 8, 9)), rng.standard_normal(7 + axis)
    for call in (lambda grad, **keywords: lw.rms_norm_backward(grad, x, weight, axis=axis, **keywords)[0],
                 lambda grad, **keywords: lw.layer_norm_backward(grad, x, weight, axis=axis, **keywords)[0],
                 lambda grad, **keywords: lw.normalize_backward(grad, x, axis=axis, **keywords),
                 lambda grad, **keywords: lw.softmax_backward(grad, x, axis, **keywords),
                 lambda grad, **keywords: lw.log_softmax_backward(grad, x, axis, **keywords),
                 lambda grad, **keywords: lw.logsumexp_backward(grad.take(0, axis), x, axis, **keywords)):
        expected = call(grad)
        for out in (np.empty((7, 8, 9)), np.empty((7, 8, 18))[..., ::2], np.empty((9, 8, 7)).T, grad.copy()):
            assert call(out if (out == grad).all() else grad, out=out) is out
            assert (out == expected).all()
        with pytest.raises(ValueError, match=r"out of shape|mismatch in its core dimension|could not be broadcast"):
            call(grad, out=np.empty((8, 7, 9)))


def test_out_of_sums():
    x, residual = rows("float32", 30), rows("float32", 30, seed=1)
    y, total = np.empty_like(x), residual.copy()
    expected = lw.add_rms_norm(x, residual)
    found = lw.add_rms_norm(x, total, out=(y, total))
    assert found[0] is y
    assert found[1] is total
    assert (y == expected[0]).all()
    assert (total == expected[1]).all()
    for wrong in (y, (y, total, y)):
        with pytest.raises(ValueError, match="add_rms_norm: out must be a tuple of two"):
            lw.add_rms_norm(x, residual, out=wrong)
    logs = np.empty(len(x))
    with pytest.raises(ValueError, match=r"logsumexp: out of shape \(2, 3\) does not fit; expected shape \(3,\)"):
        lw.logsumexp(x, out=np.empty((2, 3)))
    assert lw.logsumexp(x, out=logs) is logs
    assert (logs.astype(np.float32) == lw.logsumexp(x)).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_backward_where_a_difference_leaves_the_range(dtype):
    dtype = np.dtype(dtype)
    x = np.array([[1, -1, 1, 1, 0.5], [0.25, -1, -1, 1, 1]]) * float(np.finfo(dtype).max)
    grad = np.random.default_rng(0).uniform(-1, 1, x.shape).astype(dtype)
    x, wide, wide_grad = x.astype(dtype), x.astype(dtype).astype(np.longdouble), grad.astype(np.longdouble)
    _, mean, rstd = lw.layer_norm(x, return_stats=True)
    grad_x, grad_weight, grad_bias = lw.layer_norm_backward(
        grad, x, np.ones(5, dtype), np.ones(5, dtype), mean=mean, rstd=rstd)
    normed = (wide - wide.mean(-1, keepdims=True)) / wide.std(-1, keepdims=True)
    np.testing.assert_allclose(grad_weight, (wide_grad * normed).sum(0).astype(float), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(grad_bias, wide_grad.sum(0).astype(float), rtol=1e-6)
    assert (np.abs(grad_x) <= 8 / wide.std(-1, keepdims=True)).all()


def test_the_sum_for_a_weight_does_not_depend_on_the_bias_or_the_layout():
    base = np.random.default_rng(0).standard_normal((17, 1_100_001))  # sums for two such vectors leave one chunk
    spread = base[:, :-1]
    x, weight = spread.copy(), np.ones(spread.shape[1])
    expected = lw.layer_norm_backward(x, x, weight, weight)[1].tobytes()
    assert lw.layer_norm_backward(x, x, weight)[1].tobytes() == expected
    assert lw.layer_norm_backward(spread, spread, weight)[1].tobytes() == expected


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("count", "n"), [(1, 5003), (4, 263), (4, 1024), (9, 300), (9, 1100)])
def test_gradients_may_stand_anywhere(dtype, count, n):
    # whole registers begin at a boundary of grad_x, wherever that is in its row; what stands around it is left alone
    x, grad, weight = rows(dtype, n, 3, 1, count), rows(dtype, n, 0, 1, count, 1), rows(dtype, n, seed=2)[0]
    for vectors in ((weight, weight), (weight, None), (None, None)):
        expected = [None if y is None else y.tobytes() for y in lw.layer_norm_backward(grad, x, *vectors)]
        for offset in range(1, 17):
            memory = np.full(x.size + 32, 7, dtype)
            first = -memory.ctypes.data % 64 // memory.itemsize + offset
            out = memory[first : first + x.size].reshape(x.shape)
            for source in (None, x, grad):
                if source is not None:
                    out[...] = source
                operands = [out if operand is source else operand for operand in (grad, x)]
                found = lw.layer_norm_backward(*operands, *vectors, out=out)
                assert [None if y is None else y.tobytes() for y in found] == expected
            assert np.all(memory[:first] == 7)
            assert np.all(memory[first + x.size :] == 7)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n", [1, 16, 32, 33, 100, 128])
def test_short_rows_side_by_side_have_the_bits_of_each_alone(dtype, n):
    # their statistics too are taken eight at a time: where they are neighbours or not, and unless one is at the ends of
    # the exponent range
    x, grad, weight = rows(dtype, n, 3, 2, 16), rows(dtype, n, 0, 1, 16, 1), rows(dtype, n, 1, 1, 1, 2)[0]
    _, mean, rstd = lw.layer_norm(x, weight, return_stats=True)
    for large in (1.0, 2.0 ** (105 if dtype == "float32" else 905)):
        x[5], mean[5], rstd[5] = x[5] / large, mean[5] / large, rstd[5] * large
        found = lw.layer_norm_backward(grad, x, weight, mean=mean, rstd=rstd)[0]
        spaced = lw.layer_norm_backward(grad, x, weight, mean=np.repeat(mean, 3)[::3], rstd=np.repeat(rstd, 2)[::2])[0]
        assert spaced.tobytes() == found.tobytes()
        found_rms = lw.rms_norm_backward(grad, x, weight, rstd=rstd)[0]
        for r in range(len(x)):
            one = slice(r, r + 1)
            alone = lw.layer_norm_backward(grad[one], x[one], weight, mean=mean[one], rstd=rstd[one])[0]
            assert alone.tobytes() == found[one].tobytes()
            alone = lw.rms_norm_backward(grad[one], x[one], weight, rstd=rstd[one])[0]
            assert alone.tobytes() == found_rms[one].tobytes()


@pytest.mark.parametrize("count", [2, 4, 8, 15, 16, 17, 40])
@pytest.mark.parametrize("n", [40, 300, 1100])
def test_small_rows_are_not_lost_beside_a_large_one(count, n):
    # in float32 each would be lost that is added to the first one alone
    least = np.float32(0.49 * 2.0**-24)
    for share in (1, 2, 3):
        grad = np.full((count, n), least / share, np.float32)
        grad[0] = 1
        x = np.where(np.arange(n) % 2, 1, -1) * np.ones((count, 1), np.float32)
        weight = np.ones(n, np.float32)
        _, of_weight, of_bias = lw.layer_norm_backward(grad, x, weight, weight, eps=0.0)
        exact = grad.sum(0, dtype=np.float64)
        assert error(of_bias, exact, "float32") <= bound("layer_norm_backward", "float32")
        assert error(of_weight, exact * x[0], "float32") <= bound("layer_norm_backward", "float32")
        _, of_weight = lw.rms_norm_backward(grad, x, weight, eps=0.0)
        assert error(of_weight, exact * x[0], "float32") <= bound("rms_norm_backward", "float32")


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("count", [5, 8, 20, 65, 69, 77, 130, 150])
@pytest.mark.parametrize("n", [40, 300, 1000, 1100])
def test_each_row_is_added_once_however_few_are_left_for_the_last_sums(dtype, count, n):
    # nor does anything of the sums before meet theirs
    x, grad = rows(dtype, n, count=count), np.abs(rows(dtype, n, count=count, seed=1))
    weight = np.ones(n, dtype)
    exact = grad.sum(0, dtype=np.float64)
    for given in (x, grad), (np.asfortranarray(x), np.asfortranarray(grad)):
        _, of_weight, of_bias = lw.layer_norm_backward(given[1], given[0], weight, weight)
        np.testing.assert_allclose(of_bias, exact, rtol=8 * np.finfo(of_bias.dtype).eps)
        assert lw.layer_norm_backward(given[1], given[0], weight)[1].tobytes() == of_weight.tobytes()
        normed = lw.layer_norm(x.astype(np.float64))
        scale = np.abs(grad * normed).sum(0)
        assert np.all(np.abs(of_weight - (grad * normed).sum(0)) <= 16 * np.finfo(of_weight.dtype).eps * scale)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("count", "n"), [(4, 40), (6, 300), (21, 40), (21, 300), (35, 1000), (70, 1100)])
def test_the_order_of_sums_over_rows_follows_from_the_shape(dtype, count, n):
    x, grad, weight = rows(dtype, n, 3, 1, count), rows(dtype, n, 0, 1, count, 1), rows(dtype, n, seed=2)[0]
    expected = [y.tobytes() for y in lw.layer_norm_backward(grad, x, weight, weight)]
    assert lw.layer_norm_backward(grad, x, weight)[1].tobytes() == expected[1]
    assert lw.layer_norm_backward(grad, x, None, weight)[2].tobytes() == expected[2]
    spread = np.zeros((count, 3, n), dtype)
    spread[:, 0], spread[:, 1] = x, grad
    for values in (spread[:, 0], spread[:, 1]), (np.asfortranarray(x), np.asfortranarray(grad)):
        found = lw.layer_norm_backward(values[1], values[0], weight, weight)
        assert [y.tobytes() for y in found] == expected
    if count % 7 == 0:
        apart = np.zeros((2, count // 7, 9, n), dtype)  # rows that are not all equally far apart
        apart[0, :, :7], apart[1, :, :7] = x.reshape(-1, 7, n), grad.reshape(-1, 7, n)
        found = lw.layer_norm_backward(apart[1, :, :7], apart[0, :, :7], weight, weight)
        assert [y.tobytes() for y in found] == expected
    x[count // 2] *= np.finfo(dtype).tiny  # such a row is scaled, and its group computed row by row
    assert lw.layer_norm_backward(grad, x, weight, weight)[2].tobytes() == expected[2]


@pytest.mark.parametrize(("dtype", "shape"), [
    *(("float32", shape) for shape in [(3, 1), (8, 1), (3, 16), (8, 64), (4, 300), (2, 2000)]),
    *(("float64", shape) for shape in [(3, 1), (8, 1), (3, 16), (8, 64)])])
def test_gradients_of_constant_rows_are_exactly_zero(shape, dtype):
    # what is subtracted from each product is the mean of products that were rounded
    x, grad, weight = np.full(shape, 0.3, dtype), np.full(shape, 0.7, dtype), np.full(shape[1], 1.7, dtype)
    assert not lw.layer_norm_backward(grad, x, weight)[0].any()


@pytest.mark.parametrize("axis", [-1, (-2, -1)])
def test_what_almost_fits_is_refused_as_elsewhere(axis):
    x = np.random.default_rng(0).standard_normal((3, 4, 5)).astype(np.float32)
    row = x.shape[-1:] if axis == -1 else x.shape[-2:]
    _, mean, rstd = lw.layer_norm(x, axis=axis, return_stats=True)
    for weight in (np.empty(0, np.float32), np.ones((1, *row), np.float32), np.ones((4, *row), np.float32)):
        for function in (lw.layer_norm, lw.rms_norm):
            with pytest.raises(ValueError, match="weight of shape"):
                function(x, weight, axis=axis)
        with pytest.raises(ValueError, match="weight of shape"):
            lw.layer_norm_backward(x, x, weight, axis=axis)
    with pytest.raises(ValueError, match="bias of shape"):
        lw.layer_norm_backward(x, x, None, np.ones(7, np.float32), axis=axis)
    with pytest.raises(ValueError, match="mean of shape"):
        lw.layer_norm_backward(x, x, mean=0.5, rstd=rstd, axis=axis)
    with pytest.raises(ValueError, match="grad of shape"):
        lw.logsumexp_backward(1.0, x, axis=axis)
    for eps in (-1.0, np.nan):
        with pytest.raises(ValueError, match="eps must be"):
            lw.layer_norm_backward(x, x, mean=mean, rstd=rstd, eps=eps, axis=axis)
    whole = lw.layer_norm_backward(x, x, np.ones(row, np.int8), np.ones(row, np.int8), axis=axis)
    assert [each.dtype for each in whole] == [np.float32] * 3


def test_statistics_of_all_numbers_are_taken_as_they_are_returned():
    x, grad = np.random.default_rng(0).standard_normal((2, 60)).astype(np.float32)
    _, mean, rstd = lw.layer_norm(x, return_stats=True)
    for given in ((mean, rstd), (np.array(mean), np.array(rstd)), (np.float32(mean), np.float32(rstd))):
        for axis in (-1, None):
            found = lw.layer_norm_backward(grad, x, mean=given[0], rstd=given[1], axis=axis)
            expected = lw.layer_norm_backward(grad, x, mean=np.float64(given[0]), rstd=np.float64(given[1]))
            assert found[0].tobytes() == expected[0].tobytes()
