"""batch_norm and its backward and group_norm of plain arrays, which are computed in one call, against those of others;
and gradients in inference, which are products."""

import lanewise as lw
import ml_dtypes
import numpy as np
import oracles
import pytest
from test_channel_norms import numbers, spread


@pytest.mark.parametrize("dtype", oracles.DTYPES)
@pytest.mark.parametrize("shape", [(9, 33), (9, 20, 4, 4), (8, 19, 2, 2), (9, 5, 65), (3, 17, 7), (2, 3, 300),
                                   (8, 40, 15, 17), (35, 16), (70, 1024)])
@pytest.mark.parametrize("size", [1.0, 1e-30])
def test_plain_arrays_have_the_bits_of_others(shape, dtype, size):
    # plain ones are computed in one call, short segments of theirs in rows of whole examples
    size = max(size, 1e-3) if dtype == "float16" else size
    x, grad = numbers(*shape, dtype=dtype, mean=3), numbers(*shape, dtype=dtype, seed=1)
    x *= x.dtype.type(size)
    vectors = [np.abs(vector) for vector in numbers(4, shape[1], dtype=dtype)]
    for training in (True, False):
        found = []
        for spaced in (1, 2):
            values, gradient = (np.repeat(array, spaced, -1)[..., ::spaced] for array in (x, grad))
            own = [np.repeat(vector, spaced)[::spaced] for vector in vectors]
            y, mean, rstd = lw.batch_norm(values, *own, training=training, return_stats=True)
            back = lw.batch_norm_backward(gradient, values, own[2], mean=mean, rstd=rstd, training=training)
            found.append([array.tobytes() for array in (y, mean, rstd, *own, *back)])
        assert found[0] == found[1]


@pytest.mark.parametrize("dtype", oracles.DTYPES)
@pytest.mark.parametrize("shape", [(9, 33), (9, 20, 4, 4), (3, 5, 300)])
def test_gradients_of_inference_are_products(shape, dtype):
    # grad * rstd * weight: zeros keep their signs, and what x holds is no business of theirs
    x, grad = numbers(2, *shape, dtype=dtype)
    grad[0], x[1] = -0.0, np.inf
    mean, rstd, weight = np.abs(numbers(3, shape[1]))
    double = np.zeros((*shape[:-1], 2 * shape[-1]), x.dtype)
    double[..., ::2] = grad
    for gradient in (grad, double[..., ::2]):
        grad_x = lw.batch_norm_backward(gradient, x, weight, mean=mean, rstd=rstd)[0]
        exact = grad.astype(float) * spread(rstd, x) * spread(weight, x)
        np.testing.assert_allclose(grad_x.astype(float), exact, rtol=8 * float(ml_dtypes.finfo(x.dtype).eps))
        assert (np.signbit(grad_x) == np.signbit(grad)).all()


@pytest.mark.parametrize("shape", [(2, 2, 5), (4, 2), (40, 2), (2, 2, 300)])
@pytest.mark.parametrize("spaced", [1, 2])
def test_gradients_of_inference_whose_factors_are_large(shape, spaced):
    # weight times rstd is beyond float32, and the gradient is not
    grad = np.zeros(shape, np.float32)
    grad[0, 0] = 1e-30
    grad = np.repeat(grad, spaced, -1)[..., ::spaced]
    found, *_ = lw.batch_norm_backward(grad, 0 * grad, np.full(2, 1e9, np.float32), mean=np.zeros(2, np.float32),
                                       rstd=np.full(2, 2.0**110, np.float32), training=False)
    np.testing.assert_allclose(found, grad * np.float64(1e9) * 2.0**110, rtol=1e-6)


GROUPED = [  # groups of few elements, some of which are computed at a time; and those of 16 bits that are not copied
    (5, 24), (3, 16, 2), (2, 40, 3), (3, 34, 5), (2, 24, 4, 4), (3, 16, 31), (2, 8, 7, 7), (3, 8, 130), (1, 4, 9001),
    (2, 6, 1100)]


def stretched(values):
    return None if values is None else np.repeat(values, 2, -1)[..., ::2]


@pytest.mark.parametrize("dtype", oracles.DTYPES)
@pytest.mark.parametrize("shape", GROUPED)
@pytest.mark.parametrize("size", [1.0, 1e-30, 1e30])
def test_groups_of_plain_arrays_have_the_bits_of_others(shape, dtype, size):
    # every third example is of that size, whose squares leave the range of float32
    x = numbers(*shape, dtype=dtype, mean=3)
    if dtype != "float16":
        x[::3] *= x.dtype.type(size)
    of_float16 = numbers(2, shape[1], dtype="float16")
    vectors = {"own": numbers(2, shape[1], dtype=dtype), "float16": of_float16, "none": (None, None),
               "wider": numbers(2, shape[1]), "weight": (of_float16[0], None), "bias": (None, of_float16[1])}
    for groups in {1, 2, shape[1] // 2, shape[1]}:
        lw.set_num_threads(1)
        for name, (weight, bias) in vectors.items():
            expected = lw.group_norm(stretched(x), groups, stretched(weight), stretched(bias), return_stats=True)
            found = lw.group_norm(x, groups, weight, bias, return_stats=True)
            for part, other in zip(found, expected, strict=True):
                assert part.dtype == other.dtype
                assert part.tobytes() == other.tobytes(), (groups, name)
            if groups == shape[1] and x[0, 0].size > 1:
                assert lw.instance_norm(x, weight, bias).tobytes() == found[0].tobytes()
            placed = x.copy()
            assert lw.group_norm(placed, groups, weight, bias, out=placed) is placed
            assert placed.tobytes() == found[0].tobytes()
        lw.set_num_threads(3)
        assert lw.group_norm(x, groups, weight, bias).tobytes() == found[0].tobytes()


@pytest.mark.parametrize("groups", [1, 4])
@pytest.mark.parametrize("dtype", oracles.DTYPES)
def test_threads_share_groups_or_their_elements(dtype, groups):
    x = numbers(1, 4, 50_001, dtype=dtype)
    weight, bias = numbers(2, 4, dtype=dtype)
    found = []
    for threads in (1, 2, 3, 7):
        lw.set_num_threads(threads)
        found.append([part.tobytes() for part in lw.group_norm(x, groups, weight, bias, return_stats=True)])
    assert all(other == found[0] for other in found)


def test_places_of_group_norm():
    # the output overlaps with x, or with its weights
    x, weight = numbers(2, 6, 8, dtype="float32"), numbers(6, dtype="float32")
    expected, memory = lw.group_norm(x, 2, weight, weight), np.zeros(104, np.float32)
    own, behind, inside = memory[:96].reshape(x.shape), memory[8:].reshape(x.shape), memory[50:56]
    own[...] = x
    assert (lw.group_norm(own, 2, weight, weight, out=behind) == expected).all()
    inside[...] = weight
    assert (lw.group_norm(x, 2, inside, inside, out=own) == expected).all()
    with pytest.raises(TypeError, match="group_norm: num_groups must be an int, not None"):
        lw.group_norm(x, None)


GROUPS = """
    import hashlib
    import numpy as np
    import lanewise as lw

    found = hashlib.sha256()
    for dtype in (np.float16, np.float32, np.float64):
        for shape in ((5, 24), (3, 16, 2), (2, 24, 4, 4), (2, 8, 7, 7), (3, 40, 5), (1, 4, 9001)):
            x = np.random.default_rng(0).standard_normal(shape).astype(dtype)
            for groups in (1, 4, shape[1]):
                for part in lw.group_norm(x, groups, np.arange(shape[1], dtype=dtype), return_stats=True):
                    found.update(part.tobytes())
    print(found.hexdigest())
"""


def test_levels_agree_on_groups(levels_agree):
    levels_agree(GROUPS)


@pytest.mark.parametrize("dtype", oracles.DTYPES)
@pytest.mark.parametrize(("shape", "groups"), [
    ((3, 32), 4), ((1, 8), 8), ((5, 6, 2), 6), ((4, 12, 3), 2), ((2, 70, 3, 3), 70), ((9, 10, 4, 4), 5),
    ((2, 34, 7, 7), 17), ((3, 8, 65), 2), ((1, 3, 130), 3), ((2, 2, 5000), 1)])
def test_gradients_of_groups_of_plain_arrays_have_the_bits_of_others(shape, groups, dtype):
    x, grad = numbers(*shape, dtype=dtype, mean=3), numbers(*shape, dtype=dtype, seed=1)
    weight = numbers(shape[1], dtype=dtype, seed=2)
    weight[0] = 0
    _, mean, rstd = lw.group_norm(x, groups, return_stats=True)
    apart = np.zeros((*shape[:-1], 2 * shape[-1]), x.dtype)[..., ::2]
    apart[...] = x
    place = np.empty_like(x)

    def bits(found):
        return [array.tobytes() for array in found]

    for own in (weight, None) if dtype == "float64" else (weight, None, weight.astype(np.float32)):
        for statistics in ({"mean": mean, "rstd": rstd}, {}):
            expected = bits(lw.group_norm_backward(grad, apart, groups, own, **statistics))
            assert bits(lw.group_norm_backward(grad, x, groups, own, **statistics)) == expected
            found = lw.group_norm_backward(grad, x, groups, own, out=place, **statistics)
            assert found[0] is place
            assert bits(found) == expected
            for given in (grad.copy(), x.copy()):
                inputs = (given, x) if bits([given]) == bits([grad]) else (grad, given)
                assert bits(lw.group_norm_backward(*inputs, groups, own, out=given, **statistics)) == expected
            if groups == shape[1]:
                assert bits(lw.instance_norm_backward(grad, x, own, **statistics)) == expected


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("shape", [(3, 24, 2), (4, 6, 7, 7), (2, 3, 100)])
def test_a_group_far_from_ordinary_changes_no_bit_of_another(shape, dtype):
    x, grad = numbers(2, *shape, dtype=dtype)
    groups = shape[1] // 3
    _, mean, rstd = lw.group_norm(x, groups, return_stats=True)
    expected = lw.group_norm_backward(grad, x, groups, mean=mean, rstd=rstd)[0]
    for part, value in ((rstd, 1e30), (rstd, 1e-30), (rstd, np.inf), (mean, 1e35), (mean, np.nan)):
        kept, part[1, 0] = part[1, 0], value
        found = lw.group_norm_backward(grad, x, groups, mean=mean, rstd=rstd)[0]
        part[1, 0] = kept
        assert found[1, :3].tobytes() != expected[1, :3].tobytes()
        found[1, :3] = expected[1, :3]
        assert found.tobytes() == expected.tobytes()


@pytest.mark.parametrize("size", [3, 49, 70])
@pytest.mark.parametrize("scale", [1e-42, 1e-38, 1e-30, 1e30])
def test_gradients_of_groups_near_the_ends_of_the_range(size, scale):
    # what is left of a product with rstd, or with its square, may be none where the gradient is not
    x, grad = numbers(2, 2, 6, size)
    x *= np.float32(2.0**50)
    grad *= np.float32(scale)
    _, mean, rstd = lw.group_norm(x, 2, eps=0, return_stats=True)
    weight = np.float32([1e-6, 1, 1e3, 0, 1, 1e12])
    rstd, mean, x = rstd * 2.0**60, mean / 2.0**60, x / np.float32(2.0**60)
    found = lw.group_norm_backward(grad, x, 2, weight, mean=mean, rstd=rstd)
    exact = lw.group_norm_backward(grad.astype(float), x.astype(float), 2, weight, mean=mean, rstd=rstd)
    for part, wide in zip(found, exact, strict=True):
        np.testing.assert_allclose(part, wide, rtol=1e-4, atol=max(1e-6 * np.abs(wide).max(), 3e-45))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("scale", "eps"), [(1e-8, 1e-5), (1e-19, 1e-5), (1e-7, 1.0), (0.0, 1e-5), (1.0, 0.0)])
@pytest.mark.parametrize("in_place", [False, True])
def test_running_variances_that_are_small_beside_eps(dtype, scale, eps, in_place):
    x = numbers(2, 3, 50, dtype="float64").astype(dtype) * np.dtype(dtype).type(scale)
    expected = x.astype(float).var(-1, ddof=1).mean(0)
    means, variances = np.zeros(3), np.ones(3)
    lw.instance_norm(x, eps=eps, running_mean=means, running_var=variances, momentum=1.0, out=x if in_place else None)
    np.testing.assert_allclose(variances, expected, rtol=2e-12 if dtype == "float64" else 1e-6)


def test_a_place_that_is_no_array_is_named_beside_running_statistics():
    x, running = numbers(2, 3, 5), np.ones(3)
    with pytest.raises(TypeError, match=r"instance_norm: out must be an ndarray, not builtins\.tuple"):
        lw.instance_norm(x, running_mean=running, running_var=running.copy(), out=(x, None))
    assert (running == 1).all()
