"""Batch, group and instance norm and add_rms_norm, forward and backward, against NumPy in longdouble,
central differences and PyTorch."""

import lanewise as lw
import numpy as np
import oracles
import pytest
from lanewise.bounds import bound
from lanewise.measure.row_formulas import normed

SHAPES = [(6, 4), (40, 20), (3, 4, 5), (2, 6, 3, 7)]


def numbers(*shape, dtype="float64", mean=0.0, seed=0):
    return (np.random.default_rng(seed).standard_normal(shape) + mean).astype(oracles.dtype_named(dtype))


def over_channels(x):
    return tuple(k for k in range(x.ndim) if k != 1)


def spread(values, x):
    return np.asarray(values).reshape(1, -1, *[1] * (x.ndim - 2))


def normed_channels(x, eps=1e-5):
    """In longdouble, channels normed each by itself; and what each was multiplied by."""
    channels = np.moveaxis(x.astype(np.longdouble), 1, 0)
    y, rstd = normed(channels.reshape(x.shape[1], -1), True, np.longdouble(eps))
    return np.moveaxis(y.reshape(channels.shape), 0, 1), rstd[:, 0]


def lost_of_means(x, factor):
    """What a result of batch_norm cancels from besides: a mean of float64 is one number, as good as its last place."""
    mean = np.abs(x.astype(np.longdouble).mean(over_channels(x)))
    return spread(mean * np.abs(factor), x) if x.dtype == np.float64 else 0


def assert_within(name, y, exact, *sizes):
    terms = np.ones(exact.shape, exact.dtype)
    for size in sizes:
        terms = np.maximum(terms, np.abs(size))
    assert oracles.error(y, exact, y.dtype.name, terms) <= bound(name, y.dtype.name)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("mean", [0.0, 2000.0])
def test_batch_norm(shape, dtype, mean):
    x, weight, bias = numbers(*shape, dtype=dtype, mean=mean), *numbers(2, shape[1], dtype=dtype)
    running_mean, running_var = numbers(shape[1], dtype=dtype), np.ones(shape[1], dtype)
    wide = x.astype(np.longdouble)
    axes, count = over_channels(x), x.size // shape[1]
    batch_mean, batch_var = wide.mean(axes), wide.var(axes)
    expected_mean = 0.9 * running_mean + 0.1 * batch_mean
    expected_var = 0.9 + 0.1 * batch_var * count / (count - 1)
    product = normed_channels(x)[0] * spread(weight, x)
    y, found_mean, rstd = lw.batch_norm(x, running_mean, running_var, weight, bias, training=True, return_stats=True)
    assert_within("batch_norm", y, product + spread(bias, x), product, lost_of_means(x, rstd * weight))
    np.testing.assert_allclose(running_mean, expected_mean.astype(float), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(running_var, expected_var.astype(float), rtol=1e-6)
    few = 1e-12 if dtype == "float64" or x.ndim > 2 else 1e-7  # of columns, few rows are added in float32
    np.testing.assert_allclose(found_mean, batch_mean.astype(float), rtol=1e-12, atol=few)
    np.testing.assert_allclose(rstd, (1 / np.sqrt(batch_var + 1e-5)).astype(float), rtol=max(few, 1e-9))
    before = running_mean.copy(), running_var.copy()
    y = lw.batch_norm(x, running_mean, running_var, weight, bias)
    factor = weight / np.sqrt(before[1].astype(np.longdouble) + np.longdouble(1e-5))
    product = (wide - spread(before[0], x)) * spread(factor, x)
    assert_within("batch_norm", y, product + spread(bias, x), product)
    assert (running_mean == before[0]).all()
    assert (running_var == before[1]).all()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("training", [True, False])
def test_batch_norm_backward(shape, training):
    if np.prod(shape) > 200:
        shape = (5, *shape[1:]) if len(shape) > 2 else (20, 5)
    x, grad = numbers(2, *shape)
    weight, bias, running_mean, running_var = numbers(4, shape[1])
    running_var **= 2

    def forward(x, weight, bias, **keywords):
        return lw.batch_norm(x, running_mean.copy(), running_var.copy(), weight, bias, training=training, **keywords)

    _, mean, rstd = forward(x, weight, bias, return_stats=True)
    found = lw.batch_norm_backward(grad, x, weight, mean=mean, rstd=rstd, training=training)
    for k, argument in enumerate((x, weight, bias)):
        def loss(value, k=k):
            return (forward(*[value if j == k else other for j, other in enumerate((x, weight, bias))]) * grad).sum()
        np.testing.assert_allclose(found[k], oracles.differences(loss, argument), rtol=1e-5, atol=1e-6)


def columns_of(x, grad, weight, bias):
    """All that batch_norm and its backward say of (examples, channels), as bytes."""
    running = np.zeros(x.shape[1]), np.ones(x.shape[1])
    y, mean, rstd = lw.batch_norm(x, *running, weight, bias, training=True, return_stats=True)
    inferred = lw.batch_norm(x, *running, weight, bias)
    backward = lw.batch_norm_backward(grad, x, weight, mean=mean, rstd=rstd, training=True)
    return [np.ascontiguousarray(part).tobytes() for part in (y, mean, rstd, *running, inferred, *backward)]


@pytest.mark.parametrize("dtype", oracles.DTYPES)
@pytest.mark.parametrize("shape", [(2, 1), (7, 3), (130, 37), (1100, 64), (70, 3, 1, 1), (20, 3, 3, 3), (64, 70, 4, 4),
                                   (1001, 2, 7, 7), (7, 3, 65), (3, 2, 40000)])
def test_channels_of_any_stride_and_number_of_threads(dtype, shape):
    x, grad = numbers(2, *shape, dtype=dtype)
    weight, bias = numbers(2, shape[1])
    expected = columns_of(x, grad, weight, bias)
    if x[0, 0].size == 1:  # as many axes as one likes behind the channels
        assert columns_of(x.reshape(*shape[:2], 1), grad.reshape(*shape[:2], 1), weight, bias) == expected
        assert columns_of(x.reshape(shape[:2]), grad.reshape(shape[:2]), weight, bias) == expected
    double = np.zeros((2 * shape[0], 3 * shape[1], *shape[2:]), x.dtype)
    double[::2, ::3] = x
    for other in (np.asfortranarray(x), double[::2, ::3], x[::-1].copy()[::-1]):
        assert columns_of(other, grad, weight, bias) == expected
    for threads in (2, 3):
        lw.set_num_threads(threads)
        assert columns_of(x, grad, weight, bias) == expected
    if x.itemsize == 2:  # computed in float32, and rounded once
        y = lw.batch_norm(x.astype(np.float32), weight=weight, bias=bias, training=True)
        assert lw.batch_norm(x, weight=weight, bias=bias, training=True).tobytes() == y.astype(x.dtype).tobytes()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_hard_columns(dtype):
    x = np.random.default_rng(0).standard_normal((500, 9))
    x[:, 0] = x[:, 0] + 2000
    x[:, 1] *= 1e30
    x[:, 2] = 0.1
    x[:40, 3] += 1000  # the guess of a mean is made from these
    x[0, 4] = 1e6
    x[:, 5] += np.linspace(0, 1000, 500)
    x[:, 6] *= 1e-30
    x[7, 8] = np.nan
    x = x.astype(dtype)
    for eps in (1e-5, 1e-66):
        y, mean, rstd = lw.batch_norm(x, training=True, eps=eps, return_stats=True)
        assert np.isnan(y[:, 8]).all()
        exact, exact_rstd = normed_channels(x, eps)
        lost = np.broadcast_to(lost_of_means(x, exact_rstd), x.shape)
        kept = [0, 1, 3, 4, 5, 6, 7] if eps < 1e-5 else range(8)  # a constant is rounded before it is divided by 0
        for k in kept:
            assert_within("batch_norm", y[:, k], exact[:, k], lost[:, k])
            np.testing.assert_allclose(rstd[k], float(exact_rstd[k]), rtol=3e-7)
    # four of these leave float32
    grad = np.full_like(x, np.finfo(np.float32).max / 2)
    grad[250:] *= -1
    for shape in ((500, 1), (50, 1, 10), (2, 1, 250)):
        with np.errstate(over="ignore"):  # the gradient of weight leaves it for good
            of_first = lw.batch_norm_backward(grad[:, :1].reshape(shape), x[:, :1].reshape(shape), mean=mean[:1],
                                              rstd=rstd[:1])
        assert (of_first[2] == 0).all()


COLUMNS = """
    import hashlib
    import numpy as np
    import lanewise as lw

    found = hashlib.sha256()
    for dtype in (np.float16, np.float32, np.float64):
        for shape in ((2, 1), (33, 7), (500, 100), (19, 5, 3, 3), (6, 4, 70), (2, 1, 33000)):
            x, grad = np.random.default_rng(0).standard_normal((2, *shape)).astype(dtype)
            x[:, 0] = 3
            y, mean, rstd = lw.batch_norm(x, training=True, return_stats=True)
            for part in (y, mean, rstd, *lw.batch_norm_backward(grad, x, mean=mean, rstd=rstd, training=True)):
                found.update(np.ascontiguousarray(part).tobytes())
    print(found.hexdigest())
"""


def test_levels_agree_on_columns(levels_agree):
    levels_agree(COLUMNS)


@pytest.mark.parametrize("shape", [(3, 4), (2, 6, 5), (2, 6, 3, 4)])
@pytest.mark.parametrize("groups", [1, 2, None])
def test_group_and_instance_norm(shape, groups):
    x, grad = numbers(2, *shape)
    weight, bias = numbers(2, shape[1])
    if groups is None:
        def forward(x, weight, bias):
            return lw.instance_norm(x, weight, bias)
        found = lw.instance_norm_backward(grad, x, weight)
    else:
        def forward(x, weight, bias):
            return lw.group_norm(x, groups, weight, bias)
        found = lw.group_norm_backward(grad, x, groups, weight)
    rows = x.reshape(shape[0], groups or shape[1], -1).astype(np.longdouble)
    product = normed(rows, True, np.longdouble(1e-5))[0].reshape(shape) * spread(weight, x)
    assert_within("group_norm", forward(x, weight, bias), product + spread(bias, x), product)
    for k, argument in enumerate((x, weight, bias)):
        def loss(value, k=k):
            return (forward(*[value if j == k else other for j, other in enumerate((x, weight, bias))]) * grad).sum()
        np.testing.assert_allclose(found[k], oracles.differences(loss, argument), rtol=1e-4, atol=1e-6)


def test_pytorch_agrees():
    torch = pytest.importorskip("torch")
    x, grad = numbers(2, 4, 6, 5, 3, dtype="float32")
    weight, bias = numbers(2, 6, dtype="float32")
    running = [np.zeros(6, np.float32), np.ones(6, np.float32)]
    theirs = [torch.tensor(value) for value in running]
    tensors = [torch.tensor(value, requires_grad=True) for value in (x, weight, bias)]
    expected = torch.nn.functional.batch_norm(tensors[0], *theirs, *tensors[1:], training=True)
    expected.backward(torch.tensor(grad))
    y, mean, rstd = lw.batch_norm(x, *running, weight, bias, training=True, return_stats=True)
    np.testing.assert_allclose(y, expected.detach().numpy(), rtol=1e-4, atol=1e-5)
    for ours, other in zip(running, theirs, strict=True):
        np.testing.assert_allclose(ours, other.numpy(), rtol=1e-5, atol=1e-7)
    found = lw.batch_norm_backward(grad, x, weight, mean=mean, rstd=rstd, training=True)
    for ours, tensor in zip(found, tensors, strict=True):
        np.testing.assert_allclose(ours, tensor.grad.numpy(), rtol=1e-4, atol=1e-5)
    expected = torch.nn.functional.group_norm(torch.tensor(x), 3, torch.tensor(weight), torch.tensor(bias))
    np.testing.assert_allclose(lw.group_norm(x, 3, weight, bias), expected.numpy(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dtype", oracles.DTYPES)
def test_add_rms_norm(dtype):
    x, residual = numbers(2, 5, 100, dtype=dtype)
    weight = numbers(100, dtype=dtype)
    y, total = lw.add_rms_norm(x, residual, weight)
    assert total.tobytes() == (x + residual).tobytes()
    if dtype in ("float32", "float64"):
        assert y.tobytes() == lw.rms_norm(x + residual, weight).tobytes()
        turned = lw.add_rms_norm(np.ascontiguousarray(x.T), np.ascontiguousarray(residual.T), weight, axis=0)
        assert np.ascontiguousarray(turned[0].T).tobytes() == y.tobytes()
    else:
        wide = x.astype(np.float32) + residual.astype(np.float32)
        assert (y == lw.rms_norm(wide, weight.astype(np.float32)).astype(y.dtype)).all()


def test_errors():
    x = np.zeros((2, 6, 3))
    with pytest.raises(ValueError, match="6 channels cannot be split into 4 groups"):
        lw.group_norm(x, 4)
    with pytest.raises(ValueError, match=r"weight of shape \(3,\) does not fit x of shape \(2, 6, 3\); .* \(6,\)"):
        lw.batch_norm(x, weight=np.ones(3), training=True)
    with pytest.raises(ValueError, match="inference needs running_mean and running_var"):
        lw.batch_norm(x)
    with pytest.raises(ValueError, match=r"more than one element per channel; x of shape \(1, 6\) has 1"):
        lw.batch_norm(np.zeros((1, 6)), training=True)
    with pytest.raises(ValueError, match=r"residual of shape \(2,\) does not fit x of shape \(2, 6, 3\)"):
        lw.add_rms_norm(x, np.zeros(2))


def test_out_of_any_strides():
    rng = np.random.default_rng(9)
    x, grad = rng.normal(0, 1, (2, 3, 6, 4, 5)).astype(np.float32)
    mean, rstd = lw.batch_norm(x, training=True, return_stats=True)[1:]
    for call in (lambda **keywords: lw.batch_norm(x, training=True, **keywords),
                 lambda **keywords: lw.group_norm(x, 2, **keywords),
                 lambda **keywords: lw.instance_norm(x, **keywords),
                 lambda **keywords: lw.batch_norm_backward(grad, x, mean=mean, rstd=rstd, **keywords)[0],
                 lambda **keywords: lw.group_norm_backward(grad, x, 3, **keywords)[0],
                 lambda **keywords: lw.instance_norm_backward(grad, x, **keywords)[0]):
        expected = call()
        for out in (np.empty((3, 6, 4, 5), np.float32), np.empty((3, 6, 4, 10), np.float32)[..., ::2],
                    np.empty((5, 4, 6, 3), np.float32).T, np.empty((3, 6, 4, 5))):
            assert call(out=out) is out
            assert (out == expected).all()
        with pytest.raises(ValueError, match=r"out of shape \(6, 3, 4, 5\) does not fit; expected shape \(3, 6"):
            call(out=np.empty((6, 3, 4, 5), np.float32))


RANGE = [("float64", 1e154), ("float64", 1e200), ("float64", 4e307), ("float64", 1e-170), ("float64", 1e-200),
         ("float64", 1e-307), ("float32", 1e38), ("float32", 1e31), ("float32", 1e-30), ("float32", 1e-38),
         ("bfloat16", 1e38), ("bfloat16", 1e-37), ("float16", 2e4), ("float16", 1e-4)]


@pytest.mark.parametrize(("dtype", "size"), RANGE)
@pytest.mark.parametrize("shape", [(40, 7), (5, 7, 9), (2, 3, 2)])
def test_batch_norm_near_the_ends_of_the_range(shape, dtype, size):
    # every second channel is an ordinary one, and has the bits that it has among such
    dtype = oracles.dtype_named(dtype)
    rng = np.random.default_rng(0)
    x, grad = rng.uniform(-1, 1, (2, *shape))
    x[0] = np.sign(x[0])  # -3.2 and 3.2 times 1e38 are further apart than any number of float32
    ordinary = x.astype(dtype)
    x[:, ::2] *= 3.2 * size
    x, grad = x.astype(dtype), grad.astype(dtype)
    wide, axes = x.astype(np.longdouble), over_channels(x)
    variance = wide.var(axes)
    small = dtype.itemsize == 2
    limits = np.finfo(np.float32 if dtype.kind == "V" else dtype)  # bfloat16 has float32's
    for eps in (0.0, 1e-5):
        y, mean, rstd = lw.batch_norm(x, training=True, eps=eps, return_stats=True)
        exact_rstd = 1 / np.sqrt(spread(variance, x) + np.longdouble(eps))
        normed = (wide - spread(wide.mean(axes), x)) * exact_rstd
        np.testing.assert_allclose(y.astype(np.longdouble), normed, rtol=1e-2 if small else 2e-6, atol=1e-6)
        np.testing.assert_allclose(rstd, exact_rstd.ravel().astype(float), rtol=1e-6)
        other = lw.batch_norm(ordinary, training=True, eps=eps)
        assert y[:, 1::2].tobytes() == other[:, 1::2].tobytes()
        found = lw.batch_norm_backward(grad, x, mean=mean, rstd=rstd, training=True)
        wide_grad = grad.astype(np.longdouble)
        along = (wide_grad * normed).mean(axes)
        slope = (wide_grad - spread(wide_grad.mean(axes), x) - normed * spread(along, x)) * exact_rstd
        # where the slope is a normal number
        kept = (exact_rstd < limits.max / 64) & (exact_rstd > limits.smallest_normal * 64)
        kept = kept & np.ones(shape, bool)
        assert kept[:, 1::2].all()
        error = np.abs(found[0].astype(np.longdouble) - slope) / exact_rstd
        assert error[kept].max() <= (1e-2 if small else 1e-5)
        np.testing.assert_allclose(found[1], (along * wide_grad.size / shape[1]).astype(float), rtol=1e-4, atol=1e-4)
        # and where the statistics are given
        inferred = lw.batch_norm(x, mean, np.asarray(variance, float), eps=eps) if size < 1e150 and size > 1e-150 else y
        np.testing.assert_allclose(inferred.astype(np.longdouble), normed, rtol=1e-2 if small else 4e-6, atol=1e-5)


@pytest.mark.parametrize("shape", [(1, 1), (1, 1, 1), (3, 1, 37)])
def test_inference_where_a_difference_leaves_the_range(shape):
    for dtype, mean, variance, x, expected in (
            (np.float32, 3e38, 9e76, -3e38, -2), (np.float32, -3e38, 9e76, 3e38, 2),
            (np.float32, 3e38, 1e60, -3e38, -6e8), (np.float32, 3e38, 9e76, 3e38, 0),
            (np.float64, 1.5e308, 2.25e300, -1.5e308, -2e158),
            (np.float64, 1e308, 1e-10, 1e308, 0), (np.float32, 1e38, 1e-10, np.float32(1e38), 0)):
        y = lw.batch_norm(np.full(shape, x, dtype), [float(dtype(mean))], [variance])
        np.testing.assert_allclose(y.astype(float), expected, rtol=1e-6)


def test_running_variance_beyond_its_array():
    x = np.float64([[1e200], [-1e200], [3e200]])
    mean, var = np.zeros(1), np.ones(1)
    y = lw.batch_norm(x, mean, var, training=True)
    np.testing.assert_allclose(y, [[0], [-1.5 ** 0.5], [1.5 ** 0.5]], atol=1e-15)
    np.testing.assert_allclose(mean, 1e199)
    assert var[0] == np.inf


def test_running_statistics_of_instances():
    rng = np.random.default_rng(0)
    x, grad = rng.normal(1, 2, (2, 3, 4, 5, 6))
    mean, variance, weight, bias = rng.uniform(0.5, 1, (4, 4))
    running = mean.copy(), variance.copy()
    y = lw.instance_norm(x, weight, bias, running_mean=running[0], running_var=running[1], momentum=0.3)
    assert (y == lw.instance_norm(x, weight, bias)).all()
    np.testing.assert_allclose(running[0], 0.7 * mean + 0.3 * x.mean((2, 3)).mean(0), rtol=1e-13)
    np.testing.assert_allclose(running[1], 0.7 * variance + 0.3 * x.var((2, 3), ddof=1).mean(0), rtol=1e-13)
    options = {"running_mean": mean, "running_var": variance, "use_input_stats": False}
    y, *stats = lw.instance_norm(x, weight, bias, return_stats=True, **options)
    assert (y == lw.batch_norm(x, mean, variance, weight, bias)).all()
    found = lw.instance_norm_backward(grad, x, weight, mean=stats[0], rstd=stats[1], use_input_stats=False)
    expected = lw.batch_norm_backward(grad, x, weight, mean=stats[0], rstd=stats[1])
    assert all((a == b).all() for a, b in zip(found, expected, strict=True))


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_running_statistics_of_instances_that_are_written_over(dtype):
    x = numbers(6, 5, 21, 12, dtype=dtype)
    found = []
    for out in (None, np.empty_like(x), x):
        running = np.zeros(5), np.ones(5)
        y = lw.instance_norm(x, running_mean=running[0], running_var=running[1], out=out)
        found.append([part.tobytes() for part in (y, *running)])
    assert found[0] == found[1] == found[2]


def test_running_statistics_of_instances_are_those_of_pytorch():
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(0).normal(1, 2, (3, 4, 5)).astype(np.float32)
    own, theirs = (np.zeros(4, np.float32), np.ones(4, np.float32)), (torch.zeros(4), torch.ones(4))
    for use_input_stats in (True, False):
        expected = torch.nn.functional.instance_norm(torch.tensor(x), *theirs, use_input_stats=use_input_stats,
                                                     momentum=0.2)
        found = lw.instance_norm(x, running_mean=own[0], running_var=own[1], use_input_stats=use_input_stats,
                                 momentum=0.2)
        np.testing.assert_allclose(found, expected.numpy(), rtol=1e-4, atol=1e-5)
        for ours, other in zip(own, theirs, strict=True):
            np.testing.assert_allclose(ours, other.numpy(), rtol=1e-5)


def test_errors_of_running_statistics_of_instances():
    x, running = np.zeros((2, 3, 1)), {"running_mean": np.zeros(3), "running_var": np.ones(3)}
    with pytest.raises(ValueError, match="instance_norm: running_var is missing"):
        lw.instance_norm(x, running_mean=np.zeros(3))
    with pytest.raises(ValueError, match="instance_norm: running_mean is missing"):
        lw.instance_norm(x, use_input_stats=False)
    with pytest.raises(ValueError, match=r"more than one element per channel; x of shape \(2, 3, 1\) has 1"):
        lw.instance_norm(x, **running)
    with pytest.raises(ValueError, match="instance_norm_backward: mean and rstd must be given"):
        lw.instance_norm_backward(x, x, use_input_stats=False)
    assert lw.instance_norm(np.zeros((0, 3, 5)), **running).shape == (0, 3, 5)
    assert (running["running_var"] == 1).all()
