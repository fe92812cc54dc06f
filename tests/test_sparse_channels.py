"""Batch norm of float64 where most numbers of a channel are 0, as behind a relu: additions of equal numbers all round
the same way, of deviations, of their squares and of gradients."""

import lanewise as lw
import numpy as np
import oracles
import pytest

SHAPES = [(33, 60), (300, 60), (1000, 40), (10000, 8), (100000, 4), (1, 40, 300), (4, 40, 250), (16, 40, 7, 7),
          (1, 60, 1000), (1, 8, 10000), (3, 3, 40000)]


def sparse(shape, seed):
    """Numbers of which nine in ten are 0, though not all of a channel, in the order of (channels, others)."""
    generator = np.random.default_rng(seed)
    x = np.where(generator.random(shape) < 0.1, np.abs(generator.standard_normal(shape)), 0.0)
    x[0, :] += np.where(x.any(tuple(k for k in range(x.ndim) if k != 1), keepdims=True)[0], 0.0, 1.0)
    return x


def by_channel(x):
    return np.moveaxis(x, 1, 0).reshape(x.shape[1], -1).astype(np.longdouble)


def centred(x):
    for _ in range(2):  # the second takes what rounding the first mean has left
        x = x - x.mean(1, keepdims=True)
    return x


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("shape", SHAPES)
def test_batch_norm_of_sparse_channels(shape, seed):
    x = sparse(shape, seed)
    wide = centred(by_channel(x))
    rstd = 1 / np.sqrt((wide * wide).mean(1, keepdims=True) + np.longdouble(1e-5))
    exact = wide * rstd
    y = by_channel(lw.batch_norm(x, training=True)).astype(np.float64)
    assert oracles.error(y, exact, "float64", np.maximum(np.abs(exact), 1)) <= 6


@pytest.mark.parametrize("shape", SHAPES)
def test_sums_of_equal_gradients(shape):
    x, grad = sparse(shape, 0), np.full(shape, 0.1)
    _, mean, rstd = lw.batch_norm(x, training=True, return_stats=True)
    _, grad_weight, grad_bias = lw.batch_norm_backward(grad, x, mean=mean, rstd=rstd, training=True)
    exact = by_channel(grad).sum(1)
    assert oracles.error(grad_bias, exact, "float64", np.abs(exact)) <= 3
    normed = (by_channel(x) - mean[:, None]) * rstd[:, None].astype(np.longdouble)
    terms = by_channel(grad) * normed
    assert oracles.error(grad_weight, terms.sum(1), "float64", np.abs(terms).sum(1)) <= 3


@pytest.mark.parametrize("shape", [(50, 3), (2, 3, 700)])
def test_sums_beyond_the_range_are_infinite(shape):
    x, grad = sparse(shape, 0), np.full(shape, 1.0)
    _, mean, rstd = lw.batch_norm(x, training=True, return_stats=True)
    grad[0, 1] = np.inf
    grad[:, 2] = 1e308
    grad_bias = lw.batch_norm_backward(grad, x, mean=mean, rstd=rstd, training=True)[2]
    np.testing.assert_array_equal(grad_bias, [x.size // 3, np.inf, np.inf])


SPARSE = """
import lanewise as lw, numpy as np
generator = np.random.default_rng(0)
for shape in [(33, 5), (1000, 19), (4, 5, 250), (1, 3, 40000), (16, 5, 49)]:
    x = np.where(generator.random(shape) < 0.1, generator.standard_normal(shape), 0.0)
    y, mean, rstd = lw.batch_norm(x, training=True, return_stats=True)
    for part in (y, mean, rstd, *lw.batch_norm_backward(y + 0.1, x, mean=mean, rstd=rstd, training=True)):
        print(part.tobytes().hex()[:2000])
"""


def test_levels_agree_on_sparse_channels(levels_agree):
    levels_agree(SPARSE)
