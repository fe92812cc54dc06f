"""The C functions of optimisers, layers, random numbers, reparametrisation, halting and losses of pairs give the bits
of the Python functions, on one thread, for any length."""

import lanewise as lw
import numpy as np
import pytest
from lanewise.embedding import ctypes_function
from lanewise.kernels import optimise

DTYPES = [np.float32, np.float64]
LENGTHS = [0, 1, 7, 1000, 40009]  # less than a register, and more than a chunk with an odd end
KEY, GENERATION = 2**63 + 5, 7
PAIRS = {"mse": (), "l1": (), "huber": (0.7,), "binary_cross_entropy_with_logits": ()}


def numbers(seed, shape, dtype):
    return np.random.default_rng(seed).normal(0, 2, shape).astype(dtype)


def door(name, dtype):
    return ctypes_function(f"{name}_{np.dtype(dtype).name}")


def same(found, expected):
    assert found.dtype == expected.dtype
    assert found.tobytes() == expected.tobytes()


@pytest.mark.parametrize("n", LENGTHS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("momentum", "nesterov"), [(0.0, False), (0.9, False), (0.9, True)])
def test_sgd_step(momentum, nesterov, dtype, n):
    param, grad, velocity = (numbers(seed, n, dtype) for seed in range(3))
    expected = [param.copy(), velocity.copy() if momentum else None]
    dampening = 0.0 if nesterov else 0.1
    lw.sgd_step(expected[0], grad, expected[1], lr=0.05, momentum=momentum, dampening=dampening * bool(momentum),
                nesterov=nesterov, weight_decay=0.01)
    door("sgd_step", dtype)(param, grad, velocity if momentum else None, 0.05, momentum, dampening, nesterov, 0.01, n)
    same(param, expected[0])
    if momentum:
        same(velocity, expected[1])


@pytest.mark.parametrize("n", LENGTHS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_adamw_step(dtype, n):
    given = [*(numbers(seed, n, dtype) for seed in range(3)), np.square(numbers(3, n, dtype))]
    expected = [array.copy() for array in given]
    for step in (1, 2, 1000):
        lw.adamw_step(*expected, step, lr=0.01, betas=(0.9, 0.99), eps=1e-7, weight_decay=0.02)
        door("adamw_step", dtype)(*given, step, 0.01, 0.9, 0.99, 1e-7, 0.02, n)
        for found, of in zip(given, expected, strict=True):
            same(found, of)


@pytest.mark.parametrize("p", [1.0, 2.0])
@pytest.mark.parametrize("n", LENGTHS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_sum_powers(dtype, n, p):
    x = numbers(4, n, dtype)
    found = door("sum_powers", dtype)(x, p, 0.5, n)
    assert found == optimise.sum_powers(x, p, 0.5)
    assert found == pytest.approx(np.sum(np.abs(x.astype(np.float64) / 2) ** p), rel=1e-12)


@pytest.mark.parametrize("p", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("n", LENGTHS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_dropout(dtype, n, p):
    x = numbers(5, n, dtype)
    y = np.full_like(x, 7)
    door("dropout", dtype)(x, p, KEY, GENERATION, y, n)
    same(y, lw.dropout(x, p, KEY, generation=GENERATION))


@pytest.mark.parametrize("shape", [(1, 1), (3, 7), (300, 64), (129, 65), (5, 1000), (0, 3)])
@pytest.mark.parametrize("dtype", DTYPES)
def test_sum_rows(dtype, shape):
    grad, y = numbers(6, shape, dtype), np.full(shape[1], 7, dtype)
    door("sum_rows", dtype)(grad, y, *shape)
    _, _, expected = lw.linear_backward(grad, np.ones((shape[0], 1), dtype), np.ones((shape[1], 1), dtype),
                                        np.ones(shape[1], dtype))
    same(y, expected)


@pytest.mark.parametrize("shape", [(1, 1), (3, 7), (300, 64), (129, 65), (5, 1000), (0, 3)])
@pytest.mark.parametrize("dtype", DTYPES)
def test_bias_and_relu(dtype, shape):
    x, bias, grad = numbers(16, shape, dtype), numbers(17, shape[1], dtype), numbers(18, shape, dtype)
    y, grad_bias = x.copy(), np.full(shape[1], 7, dtype)
    door("bias_relu", dtype)(bias, y, *shape)
    same(y, lw.relu(x + bias))
    expected = lw.relu_backward(grad, y)
    door("bias_relu_backward", dtype)(grad, y, grad, grad_bias, *shape)
    same(grad, expected)
    found = np.full_like(grad_bias, 7)
    door("sum_rows", dtype)(expected, found, *shape)
    same(grad_bias, found)


@pytest.mark.parametrize("n", LENGTHS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_random_numbers(dtype, n):
    y = np.full(n, 7, dtype)
    door("normal", dtype)(KEY, GENERATION, 0.0, 1.0, y, n)
    same(y, lw.reparameterize(np.zeros(n, dtype), np.zeros(n, dtype), KEY, generation=GENERATION))
    door("uniform", dtype)(KEY, GENERATION, 0.0, 1.0, y, n)
    assert np.all((y >= 0) & (y <= 1))
    again = np.full(2 * n, 7, dtype)
    door("uniform", dtype)(KEY, GENERATION, -3.0, 6.0, again, 2 * n)
    assert np.allclose(again[:n], 6 * y - 3, rtol=1e-5, atol=1e-5)  # a number is its place's, however many there are
    if n:
        bound = lw.xavier_uniform((1, n), KEY, dtype=dtype)
        door("uniform", dtype)(KEY, 0, -np.sqrt(6 / (n + 1)), 2 * np.sqrt(6 / (n + 1)), y, n)
        assert np.allclose(y, bound[0], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("n", LENGTHS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_reparametrisation(dtype, n):
    mu, logvar, eps, grad = (numbers(seed, n, dtype) for seed in range(7, 11))
    z, grad_mu, grad_logvar = (np.full_like(mu, 7) for _ in range(3))
    door("reparameterize", dtype)(mu, logvar, eps, z, n)
    same(z, lw.reparameterize(mu, logvar, eps=eps))
    door("reparameterize_backward", dtype)(grad, logvar, eps, grad_logvar, n)
    same(grad_logvar, lw.reparameterize_backward(grad, logvar, eps=eps)[1])
    door("kl_standard_normal_backward", dtype)(grad, mu, logvar, grad_mu, grad_logvar, n)
    expected = lw.kl_standard_normal_backward(grad, mu[:, np.newaxis], logvar[:, np.newaxis])
    same(grad_mu, expected[0][:, 0])
    same(grad_logvar, expected[1][:, 0])


@pytest.mark.parametrize("shape", [(1, 1), (5, 7), (3, 10001), (0, 4)])
@pytest.mark.parametrize("dtype", DTYPES)
def test_divergence(dtype, shape):
    mu, logvar, y = numbers(11, shape, dtype), numbers(12, shape, dtype), np.full(shape[0], 7, dtype)
    door("kl_standard_normal", dtype)(mu, logvar, y, *shape)
    same(y, lw.kl_standard_normal(mu, logvar))


@pytest.mark.parametrize("shape", [(1, 1), (5, 7), (3, 200)])
@pytest.mark.parametrize("dtype", DTYPES)
def test_halting(dtype, shape):
    rows, n = shape
    logits, losses = numbers(13, shape, dtype), np.square(numbers(14, shape, dtype))
    log_p, p, grad_logits = (np.full_like(logits, 7) for _ in range(3))
    door("halting_distribution", dtype)(logits, log_p, p, rows, n)
    same(p, lw.halting_distribution(logits))
    same(log_p, lw.halting_distribution(logits, log=True))
    loss, prior = np.full(rows, 7.0), 0.2
    log_rest = np.log1p(-prior)
    door("ponder_loss", dtype)(logits, losses, np.log(prior) - np.log(-np.expm1(n * log_rest)), log_rest, 0.01, loss, p,
                               grad_logits, rows, n)
    of_rows, *grads = lw.ponder_loss_with_grad(logits, losses, prior, 0.01, reduction="none")
    same(loss.astype(dtype), of_rows)
    for found, expected in zip((grad_logits, p), grads, strict=True):
        assert np.allclose(found, expected, rtol=1e-5, atol=1e-7)  # the prior's logarithms are NumPy's here
    u, steps = np.full(rows, 7.0), np.full(rows, -1)
    door("uniform", np.float64)(KEY, GENERATION, 1.0, -1.0, u, rows)
    door("sample_halting", dtype)(logits, lw.log(u), steps, rows, n)
    same(steps, lw.sample_halting(logits, KEY, generation=GENERATION))


@pytest.mark.parametrize("shape", [(1, 1), (5, 7), (300, 40)])
@pytest.mark.parametrize("dtype", DTYPES)
def test_act_halting(dtype, shape):
    h = lw.sigmoid(numbers(15, shape, dtype))
    weights, remainder, cost, steps = np.full_like(h, 7), *np.full((2, shape[0]), 7, dtype), np.full(shape[0], -1)
    door("act_halting", dtype)(h, 0.01, weights, remainder, cost, steps, *shape)
    found = lw.act_halting(h, eps=0.01)
    for of, expected in zip((steps, remainder, cost, weights), found, strict=True):
        same(of, expected)


@pytest.mark.parametrize("n", LENGTHS)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", PAIRS)
def test_losses_of_pairs(name, dtype, n):
    x, grad = numbers(16, n, dtype), numbers(17, n, dtype)
    target = lw.sigmoid(numbers(18, n, dtype))
    y = np.full_like(x, 7)
    keywords = {"delta": 0.7} if name == "huber" else {}
    door(name, dtype)(x, target, *PAIRS[name], y, n)
    same(y, getattr(lw, name)(x, target, reduction="none", **keywords))
    door(f"{name}_backward", dtype)(grad, x, target, *PAIRS[name], y, n)
    same(y, getattr(lw, f"{name}_backward")(grad, x, target, reduction="none", **keywords))
    door(f"{name}_backward", dtype)(None, x, target, *PAIRS[name], y, n)
    same(y, getattr(lw, f"{name}_backward")(np.ones_like(x), x, target, reduction="none", **keywords))


def philox(key, counter):
    """Philox4x32-10 of one counter, in whole numbers of Python."""
    words, keys = [counter >> 32 * k & 0xFFFFFFFF for k in range(4)], [key & 0xFFFFFFFF, key >> 32]
    for _ in range(10):
        first, second = 0xD2511F53 * words[0], 0xCD9E8D57 * words[2]
        words = [second >> 32 ^ words[1] ^ keys[0], second & 0xFFFFFFFF, first >> 32 ^ words[3] ^ keys[1],
                 first & 0xFFFFFFFF]
        keys = [(keys[0] + 0x9E3779B9) & 0xFFFFFFFF, (keys[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return words


# of its authors: kat_vectors of Random123
@pytest.mark.parametrize(("key", "counter", "expected"), [
    (0, 0, [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
    (2**64 - 1, 2**128 - 1, [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]),
    (0x299F31D0A4093822, 0x0370734413198A2E85A308D3243F6A88, [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1]),
])
def test_philox_has_the_words_of_its_authors(key, counter, expected):
    assert philox(key, counter) == expected
    for n in (0, 1, 5, 16, 67):
        y = np.full(n + 1, 7, np.uint32)
        ctypes_function("philox_uint32")(key, counter & 2**64 - 1, counter >> 64, y, n)
        words = [word for k in range(n // 4 + 1) for word in philox(key, (counter + k) % 2**128)]
        assert y.tolist() == [*words[:n], 7]


def test_philox_carries():
    y = np.empty(40, np.uint32)
    ctypes_function("philox_uint32")(3, 2**64 - 4, 5, y, 40)
    assert y.tolist() == [word for k in range(10) for word in philox(3, (5 << 64) + 2**64 - 4 + k)]
