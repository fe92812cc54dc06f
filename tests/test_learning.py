"""Functions for learning: a linear layer, dropout, initial weights. Beside formulas in float64 or with more digits,
beside PyTorch where that is installed, and by what must not matter: strides, threads."""

import math

import lanewise as lw
import numpy as np
import pytest
from lanewise import learning
from lanewise.bounds import LEARNING_BOUNDS, LEARNING_UNITS
from learning_bounds import FLOATS, WIDER, assert_within, normal, wide
from mpmath import mp, mpf


def test_names_are_the_packages():
    assert set(lw._LEARNING) == set(learning.__all__)
    assert len(lw._LEARNING) == len(learning.__all__)
    for name in learning.__all__:
        assert getattr(lw, name) is getattr(learning, name)


def test_docstrings_quote_the_bounds():
    assert set(LEARNING_UNITS) <= set(LEARNING_BOUNDS)
    for name, bounds in LEARNING_BOUNDS.items():
        unit = LEARNING_UNITS.get(name, "the exact result")
        assert (f"Error bound in ULP of {unit}: {bounds['float32']:g} (float32), {bounds['float64']:g} (float64)."
                in getattr(lw, name).__doc__)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("shape", [(7, 5), (5,), (2, 3, 5), (0, 5), (300, 5)])
def test_linear(dtype, shape):
    x, weight, bias = normal(*shape, dtype=dtype), normal(4, 5, dtype=dtype), normal(4, dtype=dtype)
    grad = normal(*shape[:-1], 4, dtype=dtype)
    wx, ww, wb, wg = map(wide, (x, weight, bias, grad))
    terms = np.abs(wx) @ np.abs(ww).T + np.abs(wb)
    assert_within("linear", lw.linear(x, weight, bias), wx @ ww.T + wb, terms)
    assert_within("linear", lw.linear(x, weight), wx @ ww.T, terms)
    found = lw.linear_backward(grad, x, weight, bias)
    rows, grads = wx.reshape(-1, 5), wg.reshape(-1, 4)
    assert_within("linear_backward", found[0], (grads @ ww).reshape(shape),
                  (np.abs(grads) @ np.abs(ww)).reshape(shape))
    assert_within("linear_backward", found[1], grads.T @ rows, np.abs(grads).T @ np.abs(rows))
    assert_within("linear_backward", found[2], grads.sum(0), np.abs(grads).sum(0))
    assert [y.shape for y in found] == [shape, (4, 5), (4,)]
    assert lw.linear_backward(grad, x, weight)[2] is None
    assert lw.linear_backward(grad, x, weight, bias, grad_x=False)[0] is None
    places = tuple(np.full_like(y, np.nan) for y in found)
    for y, place, again in zip(found, places, lw.linear_backward(grad, x, weight, bias, out=places), strict=True):
        assert again is place
        assert place.tobytes() == y.tobytes()


@pytest.mark.parametrize("columns", [1, 3, 63, 64, 65, 257])
@pytest.mark.parametrize("dtype", FLOATS)
def test_a_bias_gradient_is_summed_in_one_order(columns, dtype):
    grad = normal(391, columns, dtype=dtype)
    x, weight, bias = normal(391, 2, dtype=dtype), normal(columns, 2, dtype=dtype), np.zeros(columns, dtype)
    found = []
    for threads in (1, 2, 3):
        lw.set_num_threads(threads)
        found.append(lw.linear_backward(grad, x, weight, bias)[2])
    lw.set_num_threads(2)
    assert found[0].tobytes() == found[1].tobytes() == found[2].tobytes()
    alone = lw.linear_backward(grad[:, -1:].copy(), x, weight[-1:], bias[-1:])[2]
    assert alone[0] == found[0][-1]
    assert_within("linear_backward", found[0], wide(grad).sum(0), np.abs(wide(grad)).sum(0))


@pytest.mark.parametrize("rows", [1, 32, 700])
@pytest.mark.parametrize("columns", [1, 10, 65, 257])
@pytest.mark.parametrize("dtype", FLOATS)
def test_relu_joins_the_bias_with_the_bits_of_relu(dtype, columns, rows):
    x, weight, bias = normal(rows, 6, dtype=dtype), normal(columns, 6, dtype=dtype), normal(columns, dtype=dtype)
    grad = normal(rows, columns, dtype=dtype)
    x[-1, 0], bias[-1] = np.nan, np.inf
    for shift in (bias, None):
        operands = [(x, weight, shift, grad)]
        operands.append([each if each is None else np.repeat(each, 2, 0)[::2] for each in operands[0]])  # no C order
        for x_, weight_, shift_, grad_ in operands:  # NumPy's products may have other last bits in another order
            y = lw.relu(lw.linear(x_, weight_, shift_))
            expected = lw.linear_backward(lw.relu_backward(grad_, y), x_, weight_, shift_)
            places = tuple(None if each is None else np.full_like(each, 7) for each in expected)
            assert lw.linear(x_, weight_, shift_, activation="relu").tobytes() == y.tobytes()
            assert lw.linear(x_, weight_, shift_, activation="relu", out=np.empty_like(y)).tobytes() == y.tobytes()
            for y_ in (y, np.repeat(y, 2, 0)[::2]):
                for out in ((None, None, None), places):
                    found = lw.linear_backward(grad_, x_, weight_, shift_, activation="relu", y=y_, out=out)
                    for array, of in zip(found, expected, strict=True):
                        assert (array is None and of is None) or array.tobytes() == of.tobytes()


def test_relu_behind_a_layer_of_16_bits():
    x, weight, bias, grad = (normal(*shape).astype(np.float16) for shape in ((9, 30), (5, 30), (5,), (9, 5)))
    y = lw.linear(x, weight, bias, activation="relu")
    assert y.tobytes() == lw.relu(lw.linear(x, weight, bias)).tobytes()
    found = lw.linear_backward(grad, x, weight, bias, activation="relu", y=y)
    expected = lw.linear_backward(lw.relu_backward(grad, y), x, weight, bias)
    for array, of in zip(found, expected, strict=True):
        assert array.tobytes() == of.tobytes()


def test_linear_of_16_bits_is_rounded_once():
    ml_dtypes = pytest.importorskip("ml_dtypes")
    for dtype in (np.float16, ml_dtypes.bfloat16):
        x, weight, bias = (normal(*shape).astype(dtype) for shape in ((9, 300), (5, 300), (5,)))
        grad = normal(9, 5).astype(dtype)
        single = [np.asarray(each, np.float32) for each in (grad, x, weight, bias)]
        y = lw.linear(x, weight, bias)
        assert y.dtype == dtype
        assert y.tobytes() == lw.linear(*single[1:]).astype(dtype).tobytes()
        for found, expected in zip(lw.linear_backward(grad, x, weight, bias), lw.linear_backward(*single), strict=True):
            assert found.dtype == dtype
            assert found.tobytes() == expected.astype(dtype).tobytes()


@pytest.mark.parametrize(("call", "error", "message"), [
    (lambda: lw.linear([1.0, 2.0], [[1.0, 2.0, 3.0]]), ValueError, r"linear: x of shape \(2,\) does not fit weight"),
    (lambda: lw.linear([1.0], [1.0]), ValueError, r"linear: weight must have shape \(out, in\), not \(1,\)"),
    (lambda: lw.linear(3.0, [[1.0]]), ValueError, r"linear: x of shape \(\) does not fit"),
    (lambda: lw.linear([1.0], [[1.0]], [1.0, 2.0]), ValueError, r"linear: bias of shape \(2,\) does not fit"),
    (lambda: lw.linear(np.ma.array([1.0]), [[1.0]]), TypeError, "linear: x is a masked array"),
    (lambda: lw.linear([1.0], [[1.0]], out=np.zeros(2)), ValueError, r"linear: out of shape \(2,\)"),
    (lambda: lw.linear([1.0], [[1.0]], activation="tanh"), ValueError, "linear: activation 'tanh' is unknown"),
    (lambda: lw.linear_backward([1.0, 2.0], [1.0], [[1.0]]), ValueError, r"linear_backward: grad of shape \(2,\)"),
    (lambda: lw.linear_backward(None, np.ones((1, 1)), np.ones((1, 1))), TypeError, "linear_backward: grad"),
    (lambda: lw.linear_backward([1.0], [1.0], [[1.0]], y=[1.0]), ValueError,
     "y belongs to activation='relu'; got y and"),
    (lambda: lw.linear_backward([1.0], [1.0], [[1.0]], activation="relu"), ValueError,
     "activation='relu' needs y, what linear returned; got None"),
    (lambda: lw.linear_backward([1.0], [1.0], [[1.0]], activation="relu", y=[1.0, 2.0]), ValueError, "y of shape"),
    (lambda: lw.linear_backward([1.0], [1.0], [[1.0]], out=np.zeros(1)), TypeError, "out must be a tuple of three"),
    (lambda: lw.linear_backward([1.0], [1.0], [[1.0]], out=(None, np.zeros((2, 1)), None)), ValueError, "out of shape"),
    (lambda: lw.dropout([1.0], 1.5, 1), ValueError, "dropout: p must be from 0 to 1, not 1.5"),
    (lambda: lw.dropout([1.0], 0.5, "a"), TypeError, "dropout: rng is an int or a np.random.Generator; got str"),
    (lambda: lw.dropout([1.0], 0.5, -1), ValueError, "dropout: rng is between 0 and"),
    (lambda: lw.dropout([1.0], 0.5, 1, generation=2**32), ValueError, "dropout: generation must be from 0"),
    (lambda: lw.he_normal((2, 2), 1, generation=2**32), ValueError, "he_normal: generation must be from 0 to"),
    (lambda: lw.xavier_uniform((2, 2), 1, generation=-1), ValueError, "xavier_uniform: generation .* not -1"),
    (lambda: lw.dropout([1.0], 0.5, 1, out=np.zeros(2)), ValueError, "dropout: out of shape"),
    (lambda: lw.dropout_backward([1.0], 0.5, np.random.default_rng(1)), TypeError, "rng must be the key of the"),
    (lambda: lw.sgd_step([1.0], [1.0], lr=1), TypeError, "sgd_step: param is updated in place and must be an ndarray"),
    (lambda: lw.sgd_step([np.zeros(1)], 1.0, lr=1), TypeError, "sgd_step: grad must be an array as param is, or"),
    (lambda: lw.sgd_step(1.0, 1.0, lr=1), TypeError, "sgd_step: param must be an array, or a list of arrays, not"),
    (lambda: lw.clip_grad_norm(3, 1.0), TypeError, "clip_grad_norm: grads must be an array, or a list of arrays, not"),
    (lambda: lw.sgd_step(np.zeros(1, int), [1.0], lr=1), TypeError, "sgd_step: param .* must hold float32"),
    (lambda: lw.sgd_step(np.zeros(2), np.zeros(3), lr=1), ValueError, r"sgd_step: grad of shape \(3,\) does not fit"),
    (lambda: lw.sgd_step(np.zeros(2), np.zeros(2), lr=-1), ValueError, "sgd_step: lr must be a finite number"),
    (lambda: lw.sgd_step(np.zeros(2), np.zeros(2), lr=1, momentum=0.9), ValueError, "momentum 0.9 needs velocity"),
    (lambda: lw.sgd_step(np.zeros(2), np.zeros(2), np.zeros(2), lr=1, nesterov=True), ValueError, "nesterov needs"),
    (lambda: lw.sgd_step([np.zeros(2)], [], lr=1), ValueError, "sgd_step: 0 arrays of grad do not fit 1 of param"),
    (lambda: lw.sgd_step(np.zeros(2, np.float16), np.zeros(2, np.float16), lr=1), TypeError, "not float16: in 16 bits"),
    (lambda: lw.adamw_step(np.zeros(1), np.zeros(1), np.zeros(1), np.zeros(1), 0), ValueError, "step counts from 1"),
    (lambda: lw.adamw_step(np.zeros(1), np.zeros(1), np.zeros(1), np.zeros(1), 10**400), ValueError, "a larger one"),
    (lambda: lw.adamw_step(np.zeros(1), np.zeros(1), np.zeros(1), np.zeros(1), 1, betas=(0.9, 1.0)), ValueError,
     "betas must be below 1"),
    (lambda: lw.adamw_step(np.zeros(1), np.zeros(1), np.zeros(1), np.zeros(1), 1, betas=0.9), TypeError,
     "betas must be two numbers"),
    (lambda: lw.clip_grad_norm([np.zeros(1)], 1.0, np.nan), ValueError, "norm_type must be a number or an infinity"),
    (lambda: lw.clip_grad_norm([np.zeros(1)], 1.0, "2"), TypeError, "clip_grad_norm: norm_type must be"),
    (lambda: lw.clip_grad_norm([np.array([np.inf])], 1.0, error_if_nonfinite=True), ValueError, "the norm is inf"),
    (lambda: lw.he_normal((3,), 1), ValueError, r"he_normal: shape must be \(out, in\) or longer"),
    (lambda: lw.he_normal((3, 4), 1, "sine"), ValueError, "he_normal: gain 'sine' is unknown; expected"),
    (lambda: lw.he_normal((3, 4), 1, mode="fan"), ValueError, "he_normal: mode must be"),
    (lambda: lw.xavier_normal((3, 4), 1, dtype=np.float16), TypeError, "dtype must be float32 or float64, not float16"),
])
def test_errors_say_what_was_given(call, error, message):
    with pytest.raises(error, match=message):
        call()


def words(key, generation, purpose, counters):
    """Philox4x32-10 in Python's integers: four words of each counter."""
    found = []
    for counter in counters:
        c, left, right = [counter, 0, generation, purpose << 24], key & 0xFFFFFFFF, key >> 32
        for _ in range(10):
            p, q = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
            c = [(q >> 32) ^ c[1] ^ left, q & 0xFFFFFFFF, (p >> 32) ^ c[3] ^ right, p & 0xFFFFFFFF]
            left, right = (left + 0x9E3779B9) & 0xFFFFFFFF, (right + 0xBB67AE85) & 0xFFFFFFFF
        found.append(c)
    return found


def draws(key, generation, purpose, rows):
    """Numbers of 64 bits in the order that arrays are filled with: of eight counters the first, then the second."""
    found = []
    for row in range(rows):
        of_row = words(key, generation, purpose, range(8 * row, 8 * row + 8))
        found += [c[0] | c[1] << 32 for c in of_row] + [c[2] | c[3] << 32 for c in of_row]
    return found


@pytest.mark.parametrize("dtype", FLOATS)
def test_dropout_is_what_its_key_says(dtype):
    key, p, n = 0x123456789ABCDEF0, 0.3, 77
    of_32_bits = [part for word in draws(key, 9, 5, 3) for part in (word & 0xFFFFFFFF, word >> 32)][:n]
    x = normal(n, dtype=dtype)
    found = lw.dropout(x, p, key, generation=9)
    stays = np.array(of_32_bits) >= round(p * 2**32)
    assert 40 < stays.sum() < n
    assert np.array_equal(found != 0, stays)
    assert_within("dropout", found, np.where(stays, wide(x) / WIDER[x.dtype](1 - mpf(p)), 0))
    assert np.array_equal(lw.dropout_backward(np.ones(n, dtype), p, key, generation=9) != 0, stays)
    assert lw.dropout_backward(x, p, key, generation=9).tobytes() == found.tobytes()


@pytest.mark.parametrize("dtype", FLOATS)
def test_dropout_does_not_depend_on_the_place_in_memory(dtype):
    x = normal(300_007, dtype=dtype)
    expected = lw.dropout(x, 0.5, 3)
    for threads in (1, 2, 3):
        lw.set_num_threads(threads)
        assert lw.dropout(x, 0.5, 3).tobytes() == expected.tobytes()
    lw.set_num_threads(2)
    for n in (0, 1, 31, 33, 8191, 8193):
        assert lw.dropout(x[:n], 0.5, 3).tobytes() == expected[:n].tobytes()
    apart = np.repeat(x, 2)[::2]
    assert lw.dropout(apart, 0.5, 3).tobytes() == expected.tobytes()
    out = x.copy()
    assert lw.dropout(out, 0.5, 3, out=out) is out
    assert out.tobytes() == expected.tobytes()
    overlapping = np.concatenate([x, x[:8]])
    lw.dropout(overlapping[:-8], 0.5, 3, out=overlapping[8:])
    assert overlapping[8:].tobytes() == expected.tobytes()
    assert (lw.dropout(x, 0.5, 4) != expected).any()
    assert (lw.dropout(x, 0.5, 3, generation=1) != expected).any()
    assert np.array_equal(lw.dropout(np.ones((2, 3), np.float16), 0.5, 3) != 0, (expected != 0)[:6].reshape(2, 3))


def test_dropout_at_the_ends():
    x = np.array([1.0, -2.0, np.nan, np.inf], np.float32)
    assert np.array_equal(lw.dropout(x, 0.0, 1), x, equal_nan=True)
    assert np.array_equal(lw.dropout(x, 1.0, 1), [0, 0, np.nan, np.nan], equal_nan=True)
    assert np.signbit(lw.dropout(x, 1.0, 1))[1]
    share = (lw.dropout(np.ones(1 << 20, np.float32), 0.25, 8) == 0).mean()
    assert abs(share - 0.25) < 4 * math.sqrt(0.25 * 0.75 / 2**20)


def test_dropout_returns_the_key_that_its_backward_takes():
    x = np.ones(100)
    y, key = lw.dropout(x, 0.5, np.random.default_rng(1), return_key=True)
    assert np.array_equal(lw.dropout_backward(x, 0.5, key), y)
    assert not np.array_equal(lw.dropout(x, 0.5, np.random.default_rng(2)), y)


def test_initial_numbers_are_what_their_key_says():
    key, shape = 987654321, (5, 7)
    bits = draws(key, 2, 6, 3)[:35]
    end = math.sqrt(6 / 12)
    exact = np.array([-mpf(end) + 2 * mpf(end) * (mpf(word >> 12) / 2**52) for word in bits]).reshape(shape)
    found = lw.xavier_uniform(shape, key, generation=2, dtype=np.float64)
    assert max(abs(a - b) for a, b in zip(found.ravel(), exact.ravel(), strict=True)) <= 2 * math.ulp(end)
    of_rows = draws(key, 2, 7, 3)
    exact = []
    with mp.workprec(200):
        for row in range(3):
            pairs = list(zip(of_rows[16 * row:16 * row + 8], of_rows[16 * row + 8:16 * row + 16], strict=True))
            for part in (mp.cospi, mp.sinpi):
                exact += [mp.sqrt(-2 * mp.log(1 - mpf(u >> 12) / 2**52)) * part(2 * mpf(t >> 12) / 2**52)
                          for u, t in pairs]
        std = mp.sqrt(2) / mp.sqrt(7)
        found = lw.he_normal(shape, key, generation=2, dtype=np.float64).ravel()
        worst = max(abs(mpf(y) - std * e) / math.ulp(float(std * e)) for y, e in zip(found, exact[:35], strict=True))
        assert worst <= LEARNING_BOUNDS["he_normal"]["float64"]
    single = lw.he_normal(shape, key, generation=2).ravel()
    assert np.array_equal(single, found.astype(np.float32))


@pytest.mark.parametrize("function", ["xavier_uniform", "xavier_normal", "he_uniform", "he_normal"])
def test_initial_weights(function):
    draw = getattr(lw, function)
    shape = (300, 500)
    std = math.sqrt(2 / 800) if function.startswith("xavier") else math.sqrt(2 / 500)
    weight = draw(shape, 3)
    assert weight.dtype == np.float32
    assert weight.std() == pytest.approx(std, rel=0.01)
    assert abs(weight.mean()) < 4 * std / math.sqrt(weight.size)
    fourth = (weight.astype(float)**4).mean() / std**4  # 3 of a normal distribution, 1.8 of a uniform one
    assert fourth == pytest.approx(1.8 if function.endswith("uniform") else 3.0, rel=0.03)
    if function.endswith("uniform"):
        assert np.abs(weight).max() <= np.float32(math.sqrt(3) * std)
    neighbours = np.corrcoef(weight.ravel()[:-1], weight.ravel()[1:])[0, 1]
    assert abs(neighbours) < 4 / math.sqrt(weight.size)
    lw.set_num_threads(3)
    assert draw(shape, 3).tobytes() == weight.tobytes()
    lw.set_num_threads(2)
    assert draw((30, 500), 3).std() != weight.std()
    same_place = draw((300, 500, 1, 1), 3)
    assert same_place.ravel().tobytes() == weight.tobytes()
    usual = 1.0 if function.startswith("x") else math.sqrt(2)
    assert draw(shape, 3, 2.0).std() == pytest.approx(2 * std / usual, rel=0.01)
    assert draw((4, 3, 5, 5), np.random.default_rng(2)).shape == (4, 3, 5, 5)


def test_gains_keep_the_mean_square():
    integrate = pytest.importorskip("scipy.integrate")
    from lanewise.learning.initial import GAINS
    for name in ("gelu", "silu", "mish", "relu"):
        activation = getattr(lw, name)
        square = integrate.quad(lambda z, f=activation: float(f(z))**2 * math.exp(-z * z / 2) / math.sqrt(2 * math.pi),
                                -12, 12, points=[0], epsabs=1e-13, epsrel=1e-13)[0]
        assert GAINS[name] == pytest.approx(1 / math.sqrt(square), rel=1e-9)


def test_pytorch_has_the_same_numbers():
    torch = pytest.importorskip("torch")
    x, weight, bias, grad = normal(9, 5), normal(4, 5), normal(4), normal(9, 4)
    tensors = [torch.tensor(each, requires_grad=True) for each in (x, weight, bias)]
    y = torch.nn.functional.linear(*tensors)
    y.backward(torch.tensor(grad))
    np.testing.assert_allclose(lw.linear(x, weight, bias), y.detach(), rtol=1e-5, atol=1e-6)
    for found, tensor in zip(lw.linear_backward(grad, x, weight, bias), tensors, strict=True):
        np.testing.assert_allclose(found, tensor.grad, rtol=1e-5, atol=1e-6)
    for name, gain in (("tanh", 5 / 3), ("relu", math.sqrt(2)), ("selu", 0.75), ("sigmoid", 1), ("linear", 1)):
        assert torch.nn.init.calculate_gain(name) == pytest.approx(gain)
        assert lw.learning.initial.GAINS[name] == pytest.approx(gain)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_numbers_without_an_axis(dtype):
    x = np.array(3, dtype)
    for call in (lambda: lw.dropout(x, 0.5, 1), lambda: lw.dropout_backward(x, 0.5, 1),
                 lambda: lw.dropout(x, 0.5, 1, out=np.empty((), dtype)), lambda: lw.reparameterize(x, x, 1),
                 lambda: lw.reparameterize_backward(x, x, 1)[1], lambda: lw.kl_standard_normal_backward(x, x, x)[0],
                 lambda: lw.mse_backward(x, x, x)):
        assert (call().shape, call().dtype) == ((), dtype)


def test_flags_that_are_arrays_are_refused_before_anything_is_written():
    x, out = np.ones((2, 3)), np.full((2, 3), 7.0)
    generator = np.random.default_rng(1)
    for call in (lambda flag: lw.dropout(x, 0.5, generator, return_key=flag, out=out),
                 lambda flag: lw.reparameterize(x, x, generator, return_eps=flag, out=out)):
        with pytest.raises(TypeError, match=r"return_\w+ must be True or False, not array"):
            call(np.ones(2))
    assert (out == 7).all()
    assert generator.random() == np.random.default_rng(1).random()


@pytest.mark.parametrize("dtype", ["float16", *FLOATS])
def test_a_product_of_no_elements_is_done_at_once(dtype):
    x, weight, bias = np.empty((2**40, 0, 1024), dtype), np.ones((5, 1024), dtype), np.ones(5, dtype)
    assert lw.linear(x, weight, bias).shape == (2**40, 0, 5)
    assert lw.linear(x[:3], weight, bias, activation="relu").dtype == dtype
    out = np.empty((2**40, 0, 5), dtype)
    assert lw.linear(x, weight, out=out) is out
    assert (lw.linear(np.empty((3, 0), dtype), np.empty((5, 0), dtype), bias) == 1).all()
