"""The gradient of group norm where channels have several elements, against its formula in longdouble."""

import lanewise as lw
import numpy as np
import oracles
import pytest
from lanewise.bounds import bound
from lanewise.measure.row_formulas import norm_gradients

EPS = 1e-5


def exact_gradients(grad, x, groups, weight):
    """The gradients of x, weight and bias, and of each the size of the terms that it is a sum of."""
    channels = x.shape[1]
    grads, xs = (array.reshape(len(x), groups, -1).astype(np.longdouble).swapaxes(0, 1) for array in (grad, x))
    each = np.repeat(weight.astype(np.longdouble), grads.shape[2] * groups // channels).reshape(groups, 1, -1)
    of_all = [norm_gradients(True, *group, np.longdouble(EPS)) for group in zip(grads, xs, each, strict=True)]
    for k in range(3):
        for_both = np.array([group[k] for group in of_all]).swapaxes(0, 1)
        yield (for_both.swapaxes(1, 2).reshape(2, *x.shape) if k == 0 else
               for_both.reshape(2, channels, -1).sum(-1))


def numbers(*shape, dtype="float32", seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(oracles.dtype_named(dtype))


@pytest.mark.parametrize("shape", [(3, 6, 16), (2, 4, 7, 7), (1, 4, 5000), (40, 2, 17), (5, 8, 3, 5), (2, 12, 33)])
@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16"])
@pytest.mark.parametrize("groups", [1, 2])
def test_within_bound(shape, dtype, groups):
    grad, x = numbers(2, *shape, dtype=dtype)
    weight = numbers(shape[1], dtype="float64" if dtype == "float64" else "float32")
    weight[0] = 0
    found = lw.group_norm_backward(grad, x, groups, weight, eps=EPS)
    for part, (exact, terms) in zip(found, exact_gradients(grad, x, groups, weight), strict=True):
        name = part.dtype.name
        assert oracles.error(part, exact, name, terms) <= bound("group_norm_backward", name)


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
def test_where_arrays_stand_is_nothing_to_it(dtype):
    grad, x = numbers(2, 3, 4, 5, 7, dtype=dtype)
    weight = numbers(4, dtype=dtype)
    expected = lw.group_norm_backward(grad, x, 2, weight)

    def same(found):
        return [part.tobytes() for part in found] == [part.tobytes() for part in expected]

    apart, turned = np.empty((3, 4, 5, 14), dtype)[..., ::2], np.empty((3, 7, 4, 5), dtype).transpose(0, 2, 3, 1)
    for place in (apart, turned):
        place[...] = x
        assert same(lw.group_norm_backward(grad, place, 2, weight))
        found = lw.group_norm_backward(grad, x, 2, weight, out=place)
        assert found[0] is place
        assert same((np.ascontiguousarray(place), *found[1:]))
    for given in (grad.copy(), x.copy()):
        inputs = (given, x) if given.tobytes() == grad.tobytes() else (grad, given)
        assert same(lw.group_norm_backward(*inputs, 2, weight, out=given))
    alone = lw.group_norm_backward(grad[1:2], x[1:2], 2, weight)
    assert alone[0].tobytes() == expected[0][1:2].tobytes()
    assert lw.group_norm_backward(grad, x, 2)[0].tobytes() == lw.group_norm_backward(
        grad, x, 2, np.ones(4, dtype))[0].tobytes()


def test_a_nan_stays_in_its_group():
    grad, x = numbers(2, 2, 4, 20)
    expected = lw.group_norm_backward(grad, x, 2)[0]
    grad[1, 3, 5] = np.nan
    of_x, of_weight, of_bias = lw.group_norm_backward(grad, x, 2)
    assert np.isnan(of_x[1, 2:]).all()
    assert of_x[0].tobytes() == expected[0].tobytes()
    assert of_x[1, :2].tobytes() == expected[1, :2].tobytes()
    for part in (of_weight, of_bias):
        assert np.isnan(part).tolist() == [False, False, False, True]


def test_sums_that_only_float32_cannot_hold():
    x = numbers(1, 2, 64)
    grad = np.tile(np.repeat(np.float32([3e38, -3e38]), 32), 2).reshape(1, 2, 64)
    found = lw.group_norm_backward(grad, x * 100, 1, np.full(2, 1e-3, np.float32))
    assert np.isfinite(found[0]).all()
    assert np.array_equal(found[2], [0, 0])


@pytest.mark.parametrize("power", [-110, -70, 60, 120])
def test_rows_near_the_ends_of_the_exponent_range(power):
    grad, x = numbers(2, 2, 4, 20)
    x, scale = np.ldexp(x, 2), 2.0**power
    _, mean, rstd = lw.group_norm(x * np.float32(scale), 2, eps=0, return_stats=True)
    found = lw.group_norm_backward(grad, x * np.float32(scale), 2, mean=mean, rstd=rstd)
    plain = lw.group_norm_backward(grad, x, 2, eps=0)
    np.testing.assert_allclose(found[0].astype(float) * scale, plain[0], rtol=1e-4, atol=1e-5)
    for part, expected in zip(found[1:], plain[1:], strict=True):
        np.testing.assert_allclose(part, expected, rtol=1e-5, atol=1e-5)


BITS = """
import hashlib, sys
import numpy as np, lanewise as lw
lw.set_num_threads(int(sys.argv[1]))
found = hashlib.sha256()
for dtype in (np.float16, np.float32, np.float64):
    for shape, groups in (((3, 6, 7, 7), 2), ((1, 2, 33000), 1), ((40, 8, 300), 4), ((2, 1, 16), 1)):
        x, grad = np.random.default_rng(0).standard_normal((2, *shape)).astype(dtype)
        for part in lw.group_norm_backward(grad, x, groups, np.linspace(-1, 2, shape[1])):
            found.update(part.tobytes())
print(found.hexdigest())
"""


def test_bits_are_those_of_every_level_and_number_of_threads(bits_agree):
    bits_agree(BITS)


@pytest.mark.parametrize("size", [31, 32, 129, 5000])
def test_a_channel_whose_sums_are_beyond_the_range_may_have_no_weight(size):
    grad, x = numbers(2, 4, size, dtype="float64"), numbers(2, 4, size, dtype="float64", seed=1)
    weight = np.array([1.0, 0.0, 1.0, 1.0])
    expected = lw.group_norm_backward(grad, x, 2, weight)[0]
    grad[:, 1] = 1e307
    found = lw.group_norm_backward(grad, x, 2, weight)[0]
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)
    small = lw.group_norm_backward(grad, x, 2, np.array([1.0, 1e-307, 1.0, 1.0]))[0]
    same = lw.group_norm_backward(grad * [[[1], [1e-307], [1], [1]]], x, 2)[0]
    np.testing.assert_allclose(small, same, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("size", [31, 32, 129])
@pytest.mark.parametrize("weight", [1e-50, 1e-44, 1e39])
def test_a_weight_in_float64_keeps_its_range(weight, size):
    grad, x = numbers(2, 4, size) * np.float32(1e30 if weight < 1 else 1e-30), numbers(2, 4, size, seed=1)
    weights = np.full(4, weight)
    found = lw.group_norm_backward(grad, x, 2, weights)
    for part, exact in zip(found, lw.group_norm_backward(grad.astype(float), x.astype(float), 2, weights), strict=True):
        np.testing.assert_allclose(part, exact, rtol=1e-4, atol=1e-5 * np.abs(exact).max())
