"""The norms against oracles in 200 bits, central differences, PyTorch, and themselves: any axis, stride, dtype, level
and number of threads gives the same bits. Bounds are those of bounds.py; gradients are test_norms_backward.py's."""

from functools import partial

import lanewise as lw
import mpmath
import numpy as np
import oracles
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lanewise.bounds import bound
from lanewise.measure.row_formulas import normed, rms
from oracles import DTYPES, LENGTHS, dtype_named, error, exactly, rows


def check_rms(x, weight, eps, dtype):
    y = lw.rms_norm(x, weight, eps=eps)
    exact, _ = oracles.rms_norm(exactly(x), 1 if weight is None else exactly(weight), mpmath.mpf(eps))
    assert y.dtype == x.dtype
    assert error(y, exact, dtype) <= bound("rms_norm", dtype)


def check_layer(x, weight, bias, eps, dtype, **algorithm):
    y = lw.layer_norm(x, weight, bias, eps=eps, **algorithm)
    exact, _ = oracles.layer_norm(exactly(x), 1 if weight is None else exactly(weight),
                                  0 if bias is None else exactly(bias), mpmath.mpf(eps))
    # what cancels against the bias was as large as the product before it
    product = np.abs(exact if bias is None else exact - exactly(bias))
    assert y.dtype == x.dtype
    assert error(y, exact, dtype, scale=np.maximum(rms(exact), product)) <= bound("layer_norm", dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", LENGTHS)
def test_forward(dtype, n):
    x, weight, bias = (rows(dtype, n, seed=seed) for seed in range(3))
    check_rms(x, weight[0], 1e-6, dtype)
    check_rms(x, None, 1e-6, dtype)
    check_layer(x, weight[0], bias[0], 1e-5, dtype)
    check_layer(x, None, None, 1e-5, dtype)
    check_layer(x, weight[0], None, 1e-5, dtype)
    check_layer(x, None, bias[0], 1e-5, dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("mean", "sigma"), [
    (2000, 1), (40000, 1), (1e6, 1), (0, 1e30), (0, 1e-30), (0, 1e38 / 4), (0, 1e-40), (1e30, 1e27), (-1e-30, 1e-34)])
def test_hard_rows(dtype, mean, sigma):
    x = rows(dtype, 200, mean, sigma)
    for eps in (0.0, 1e-5):
        check_rms(x, None, eps, dtype)
        check_layer(x, None, None, eps, dtype)
        if dtype == "float32":
            check_layer(x, None, None, eps, dtype, algorithm="one_pass")
        check_layer(x, None, None, eps, dtype, algorithm="two_pass")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [128, 129, 200, 256, 700])
def test_a_poor_guess_of_the_mean_is_made_good(dtype, n):
    # which is the mean of the first 128
    x = np.concatenate([rows("float64", n, seed=seed, count=1) for seed in range(8)])
    x[0][:128] += 100
    x[1][:128] = 0
    x[2] += np.linspace(0, 1000, n)
    x[3] += np.repeat([0, 500], [n // 2, n - n // 2])
    x[4][0] = 60000
    x[5] = 3
    x[6] = 40003
    x[6][:128] = 40000
    x[7] += 2000
    for algorithm in ("shifted", "two_pass"):
        check_layer(x.astype(dtype_named(dtype)), None, None, 1e-5, dtype, algorithm=algorithm)


@pytest.mark.parametrize("n", [4096, 20000, 100_000])
def test_a_poor_guess_of_a_long_row(n):
    # taken from the guess, all squares are rounded alike
    for value in (0.1, 0.3, 1 / 3):
        for guess in (10, 1000, 33333):
            x = np.full(n, value, np.float32)
            x[:128] = guess
            exact, _ = normed(x.astype(np.longdouble), True, np.longdouble(1e-5))
            assert error(lw.layer_norm(x), exact, "float32", 1) <= bound("layer_norm", "float32")


@pytest.mark.parametrize("sigma", [1e200, 1e-200, 1e306, 1e-306, 1e-320])
def test_float64_ends_of_the_range(sigma):
    x = rows("float64", 100, 0, sigma)
    for eps in (0.0, 1e-5):
        check_rms(x, None, eps, "float64")
        check_layer(x, None, None, eps, "float64")


def test_largest_numbers():
    for dtype in ("float32", "float64"):
        largest = np.finfo(dtype).max
        x = np.array([[largest, -largest, largest / 3, 0]])
        x = x.astype(dtype)
        check_rms(x, None, 0.0, dtype)
        check_layer(x, None, None, 0.0, dtype)


def test_close_to_forty_thousand():
    x = np.array([[40000, 40001, 40002, 40003]], np.float32)
    check_layer(x, None, None, 1e-5, "float32")


@pytest.mark.parametrize("dtype", DTYPES)
def test_constant_and_single(dtype):
    dtype = dtype_named(dtype)
    bias = np.arange(7).astype(dtype)
    for value in (0.0, 3.0, -1e4):
        assert (lw.layer_norm(np.full((2, 7), value, dtype), None, bias) == bias).all()
    assert (lw.layer_norm(np.full((2, 1), 3.0, dtype)) == 0).all()
    assert np.isnan(lw.layer_norm(np.zeros((2, 3), dtype), eps=0.0)).all()
    assert (lw.rms_norm(np.zeros((2, 3), dtype)) == 0).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_nan_and_infinity_stay_in_their_rows(dtype):
    x = rows(dtype, 5, count=4)
    x[1, 2], x[2, 3] = np.nan, np.inf
    for norm in (lw.rms_norm, lw.layer_norm):
        y = norm(x)
        assert np.isnan(y[1]).all()
        assert np.isnan(y[2, 3])
        assert np.isfinite(y[[0, 3]]).all()


def test_empty():
    for shape in ((0, 5), (5, 0), (0, 0)):
        x = np.empty(shape, np.float32)
        assert lw.rms_norm(x).shape == shape
        assert lw.layer_norm(x, axis=0).shape == shape
        gradients = lw.layer_norm_backward(x, x, np.ones(shape[1], np.float32))
        assert gradients[0].shape == shape
        assert (gradients[1] == 0).all()


@pytest.mark.parametrize("n", [1000, 4096, 10000, 70001])
def test_long_rows(n):
    x = rows("float32", n, 2000, 1, count=2)
    weight = rows("float32", n)[0]
    wide = x.astype(np.longdouble)
    exact, _ = normed(wide, False, np.longdouble(1e-6))
    assert error(lw.rms_norm(x, weight), exact * weight, "float32") <= bound("rms_norm", "float32")
    exact, _ = normed(wide, True, np.longdouble(1e-5))
    for algorithm in ("shifted", "two_pass", "one_pass"):
        y = lw.layer_norm(x, algorithm=algorithm)
        assert error(y, exact, "float32", 1) <= bound("layer_norm", "float32")


@settings(max_examples=40)
@given(st.sampled_from(DTYPES), st.lists(st.integers(1, 40), min_size=1, max_size=3), st.data())
def test_any_axis_and_stride(dtype, shape, data):
    axis = data.draw(st.integers(-len(shape), len(shape) - 1))
    rng = np.random.default_rng(0)
    base = rng.standard_normal([2 * size for size in shape]).astype(dtype_named(dtype))
    x = base[tuple(slice(data.draw(st.sampled_from([0, 1])), None, 2) for _ in shape)]
    x = x.transpose(data.draw(st.permutations(range(len(shape)))))
    if data.draw(st.booleans()):
        x = np.flip(x, axis)
    weight = rng.standard_normal(x.shape[axis]).astype(x.dtype)
    plain = np.ascontiguousarray(np.moveaxis(x, axis, -1))
    grad = rng.standard_normal(x.shape).astype(x.dtype)
    plain_grad = np.ascontiguousarray(np.moveaxis(grad, axis, -1))
    for found, expected in [
            (lw.rms_norm(x, weight, axis=axis), lw.rms_norm(plain, weight)),
            (lw.layer_norm(x, weight, weight, axis=axis), lw.layer_norm(plain, weight, weight))]:
        assert np.moveaxis(found, axis, -1).tobytes() == expected.tobytes()
    for backward in (lw.rms_norm_backward, lw.layer_norm_backward):
        found, expected = backward(grad, x, weight, axis=axis), backward(plain_grad, plain, weight)
        assert np.moveaxis(found[0], axis, -1).tobytes() == expected[0].tobytes()
        assert found[1].tobytes() == expected[1].tobytes()


def test_threads_do_not_show():
    results = []
    for threads in (1, 2, 3):
        lw.set_num_threads(threads)
        found = []
        for shape in ((300, 500), (1, 300_000), (5, 40_000)):
            x, grad = np.random.default_rng(0).standard_normal((2, *shape)).astype(np.float32)
            weight = np.linspace(-1, 1, shape[1], dtype=np.float32)
            found += [lw.rms_norm(x, weight), lw.layer_norm(x, weight, weight),
                      lw.layer_norm(x, algorithm="one_pass"), lw.layer_norm(x, algorithm="two_pass"),
                      *lw.rms_norm_backward(grad, x, weight),
                      *lw.layer_norm_backward(grad, x, weight, weight)]
        results.append([y.tobytes() for y in found])
    assert results[0] == results[1] == results[2]


HASHES = """
    import hashlib, json
    import numpy as np
    import lanewise as lw

    found = {}
    for dtype in (np.float16, np.float32, np.float64):
        for n in (1, 5, 31, 64, 200, 5000):
            x, grad = np.random.default_rng(n).standard_normal((2, 40, n)).astype(dtype)
            x[3] *= 1000
            weight = grad[0]
            results = [lw.rms_norm(x, weight), lw.layer_norm(x, weight, weight), lw.layer_norm(x, algorithm="one_pass"),
                       lw.layer_norm(x, algorithm="two_pass"), lw.layer_norm(x.cumsum(-1)),
                       lw.layer_norm(x.T, axis=0), *lw.rms_norm_backward(grad, x, weight),
                       *lw.layer_norm_backward(grad, x, weight, weight)]
            bits = b"".join(np.ascontiguousarray(y).tobytes() for y in results)
            found[f"{dtype.__name__} {n}"] = hashlib.sha256(bits).hexdigest()
    print(json.dumps(found))
"""


def test_levels_agree(levels_agree):
    levels_agree(HASHES)


def test_out_and_in_place():
    x, weight = rows("float32", 300, count=40), rows("float32", 300)[0]
    expected = lw.rms_norm(x, weight)
    out = np.empty_like(x)
    assert lw.rms_norm(x, weight, out=out) is out
    assert (out == expected).all()
    expected = lw.layer_norm(x, weight)
    assert (lw.layer_norm(x, weight, out=x) == expected).all()
    assert (x == expected).all()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_plain_arrays_and_others_agree(dtype):
    """Plain arrays go to a loop at once, all others by NumPy's gufunc: the same bits, and errors."""
    x, weight = rows(dtype, 40, count=6), rows("float64" if dtype == "float64" else "float32", 40)[0]
    double = np.empty((6, 80), x.dtype)
    double[:, ::2] = x
    memory = np.zeros(x.nbytes + 1, np.uint8)
    unaligned = memory[1:].view(x.dtype).reshape(x.shape)
    unaligned[...] = x
    for norm in (lambda x, **keywords: lw.layer_norm(x, weight, weight, **keywords),
                 lambda x, **keywords: lw.rms_norm(x, weight, **keywords), lw.softmax, lw.log_softmax, lw.normalize,
                 lambda x, **keywords: lw.rms_norm_backward(x, x, weight, **keywords)[0],
                 lambda x, **keywords: lw.layer_norm_backward(x, x, weight, weight, **keywords)[0]):
        expected = norm(x)
        for other in (double[:, ::2], unaligned, np.asfortranarray(x)):
            assert np.asarray(norm(other)).tobytes() == expected.tobytes()
        inside = np.concatenate([x.ravel(), x.ravel()])
        norm(inside[:240].reshape(6, 40), out=inside[20:260].reshape(6, 40))
        assert inside[20:260].tobytes() == expected.tobytes()
        frozen = np.empty_like(x)
        frozen.flags.writeable = False
        with pytest.raises(ValueError, match="read-only"):
            norm(x, out=frozen)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("n", [1, 5, 64, 200])
def test_weights_of_any_dtype_and_stride(dtype, n):
    x, grad, (weight, bias, _) = rows(dtype, n), rows(dtype, n, seed=1), rows(dtype, n, seed=2)
    forward, backward = lw.layer_norm(x, weight, bias), lw.layer_norm_backward(grad, x, weight, bias)
    assert [part.dtype for part in backward] == [x.dtype] * 3
    for wide in (weight.astype(np.float32), np.repeat(weight, 2)[::2], np.repeat(weight.astype(np.float32), 3)[::3]):
        assert lw.layer_norm(x, wide, bias).tobytes() == forward.tobytes()
        assert lw.rms_norm(x, wide).tobytes() == lw.rms_norm(x, weight).tobytes()
        found = lw.layer_norm_backward(grad, x, wide, bias)
        assert [part.astype(x.dtype).tobytes() for part in found] == [part.tobytes() for part in backward]
        assert lw.layer_norm(x.T, wide, bias, axis=0).T.tobytes() == forward.tobytes()


@pytest.mark.parametrize("n", [3, 8, 16, 32, 64, 100])
def test_large_outputs_may_stand_anywhere(n):
    # they are written past the caches, by instructions that take whole registers on their boundaries alone
    x = np.random.default_rng(n).standard_normal((9 * (1 << 20) // (4 * n), n), np.float32)
    some = slice(-1000, None)
    for norm in (lw.rms_norm, lw.layer_norm, partial(lw.layer_norm, algorithm="one_pass"), lw.normalize, lw.softmax):
        memory = np.empty(x.size + 16, np.float32)
        for offset in (0, 1, 4, 8):
            y = norm(x, out=memory[offset : offset + x.size].reshape(x.shape))
            assert y[some].tobytes() == norm(x[some]).tobytes()


def test_errors_name_both_shapes():
    x = np.zeros((3, 4), np.float32)
    with pytest.raises(ValueError, match=r"weight of shape \(5,\) does not fit x of shape \(3, 4\)"):
        lw.rms_norm(x, np.ones(5))
    for shape in (4, (4,), [4], (3, 4)):
        for function in (lw.layer_norm, lw.rms_norm):
            with pytest.raises(ValueError, match=r"must have shape \(4,\)\. PyTorch's normalized_shape is not"):
                function(np.ones((3, 4)), shape)
    with pytest.raises(ValueError, match=r"must have shape \(4,\)$"):
        lw.layer_norm(np.ones((3, 4)), (1.0, 2.0))
    with pytest.raises(ValueError, match=r"bias of shape \(4,\) does not fit x of shape \(3, 4\).*\(3,\)"):
        lw.layer_norm(x, None, np.ones(4), axis=0)
    with pytest.raises(ValueError, match=r"axis 2 is out of range for x of shape \(3, 4\)"):
        lw.rms_norm(x, axis=2)
    with pytest.raises(ValueError, match=r"'three_pass'.*shifted, two_pass, one_pass"):
        lw.layer_norm(x, algorithm="three_pass")
    with pytest.raises(ValueError, match=r"grad of shape \(4,\)"):
        lw.rms_norm_backward(np.zeros(4), x)
    with pytest.raises(ValueError, match=r"rstd of shape \(4,\) does not fit"):
        lw.rms_norm_backward(x, x, rstd=np.ones(4))
    with pytest.raises(ValueError, match="mean was given alone"):
        lw.layer_norm_backward(x, x, mean=np.ones(3))


def test_integers_become_float64():
    assert lw.rms_norm(np.array([3, 4]), eps=0.0).dtype == np.float64


def test_pytorch_agrees():
    torch = pytest.importorskip("torch")
    x, grad, weight, bias = (rows("float32", 257, count=30, seed=seed) for seed in range(4))
    tensors = [torch.tensor(value, requires_grad=True) for value in (x, weight[0], bias[0])]
    torch.nn.functional.layer_norm(tensors[0], (257,), *tensors[1:]).backward(torch.tensor(grad))
    for found, tensor in zip(lw.layer_norm_backward(grad, x, weight[0], bias[0]), tensors, strict=True):
        np.testing.assert_allclose(found, tensor.grad.numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("n", [4, 100, 4097, 9000])
@pytest.mark.parametrize("size", [1e153, 1e154, 1e160, 1e300, 4e304])
def test_one_pass_where_sums_leave_the_range_before_squares_do(n, size):
    # the sum of deviations, squared, overflows where the sum of squares does not
    for x in (np.linspace(1, 2, n) * size, np.random.default_rng(n).uniform(-3, 3, n) * size):
        y = lw.layer_norm(x, algorithm="one_pass")
        np.testing.assert_allclose(y, lw.layer_norm(x, algorithm="two_pass"), rtol=1e-11, atol=1e-11)
        wide = x.astype(np.longdouble)
        np.testing.assert_allclose(y, ((wide - wide.mean()) / wide.std()).astype(float), rtol=1e-11, atol=1e-11)
