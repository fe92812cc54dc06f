"""Cross-entropy against an oracle in 200 bits, central differences and PyTorch; what it refuses, and that neither the
number of threads nor the order of the work shows. Bounds are those of lanewise/bounds.py."""

import itertools
import warnings

import lanewise as lw
import mpmath
import numpy as np
import oracles
import pytest
from lanewise.bounds import bound
from lanewise.kernels import losses
from oracles import DTYPES, dtype_named, error, exactly

OPTIONS = [{}, {"label_smoothing": 0.1}, {"z_loss": 1e-4}, {"label_smoothing": 0.3, "z_loss": 0.01}]


def problem(dtype, n, sigma=2.0, count=6):
    rng = np.random.default_rng(n)
    return (rng.standard_normal((count, n)) * sigma).astype(dtype_named(dtype)), rng.integers(0, n, count)


def oracle(logits, target, label_smoothing=0.0, z_loss=0.0, weight=None):
    # losses and the gradient of their sum; targets are classes or probabilities
    x, smoothing, z = exactly(logits), mpmath.mpf(label_smoothing), mpmath.mpf(z_loss)
    total = oracles.logsumexp(x)
    wanted = exactly(target if np.ndim(target) == 2 else np.eye(x.shape[-1])[target])
    wanted = wanted * (1 - smoothing) + smoothing / x.shape[-1]
    if weight is not None:
        wanted = wanted * exactly(weight)
    whole = wanted.sum(-1)
    losses = (wanted * (total[:, None] - x)).sum(-1) + whole * z * total**2
    return losses, oracles.softmax(x) * (whole * (1 + 2 * z * total))[:, None] - wanted


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [1, 2, 10, 65, 130])
@pytest.mark.parametrize("options", OPTIONS)
def test_against_the_oracle(dtype, n, options):
    logits, target = problem(dtype, n)
    losses, slope = oracle(logits, target, **options)
    scale = np.maximum(np.abs(losses), np.abs(logits.astype(np.float64)).max() if options else 0)
    found = lw.cross_entropy(logits, target, reduction="none", **options)
    assert found.dtype == logits.dtype
    assert error(found, losses, dtype, scale) <= bound("cross_entropy", dtype)
    loss, grad = lw.cross_entropy_with_grad(logits, target, reduction="none", **options)
    assert (loss == found).all()
    assert error(grad, slope, dtype, np.abs(slope) + oracles.softmax(exactly(logits))
                 + (1 if options else 0)) <= bound("cross_entropy_with_grad", dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [1, 2, 10, 65, 130, 300])
@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("kind", ["classes", "probabilities", "probabilities alone"])
def test_weights_and_probabilities_against_the_oracle(dtype, n, options, kind):
    logits, target = problem(dtype, n)
    rng = np.random.default_rng(n)
    weight = rng.uniform(0.2, 2, n).astype(np.float64 if dtype == "float64" else np.float32)
    if kind != "classes":
        target = rng.dirichlet(np.ones(n), len(logits)).astype(logits.dtype)
        weight = None if kind == "probabilities alone" else weight
    losses, slope = oracle(logits, target, weight=weight, **options)
    found = lw.cross_entropy(logits, target, weight=weight, reduction="none", **options)
    assert error(found, losses, dtype, np.maximum(np.abs(losses), np.abs(logits.astype(np.float64)).max())) <= bound(
        "cross_entropy", dtype)
    loss, grad = lw.cross_entropy_with_grad(logits, target, weight=weight, reduction="none", **options)
    assert (loss == found).all()
    assert error(grad, slope, dtype, np.abs(slope) + 1 + oracles.softmax(exactly(logits))) <= bound(
        "cross_entropy_with_grad", dtype)
    assert lw.cross_entropy_backward(np.ones(len(logits)), logits, target, weight=weight, reduction="none",
                                     **options).tobytes() == grad.tobytes()


def all_ways():
    found = []
    for shape, axis in (((6, 7), -1), ((5, 4, 3), 1), ((3, 65, 2, 2), 1)):
        for weighted, ignoring, smoothing, reduction, probable in itertools.product(
                (0, 1), (0, 1), (0.0, 0.2), ("mean", "sum", "none"), (0, 1)):
            if not (ignoring and probable):
                found.append((shape, axis, weighted, ignoring, smoothing, reduction, probable))
    return found


@pytest.mark.parametrize(("shape", "axis", "weighted", "ignoring", "smoothing", "reduction", "probable"), all_ways())
def test_pytorch_agrees_in_all_ways(shape, axis, weighted, ignoring, smoothing, reduction, probable):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    classes, rows = shape[axis], shape[:axis % len(shape)] + shape[axis % len(shape) + 1:]
    logits = rng.standard_normal(shape)
    options = {"label_smoothing": smoothing, "reduction": reduction}
    target = rng.uniform(size=shape) if probable else rng.integers(0, classes, rows)
    if ignoring:
        target[rng.random(rows) < 0.4] = options["ignore_index"] = -100
    weight = rng.uniform(0.2, 2, classes) if weighted else None
    tensor = torch.tensor(logits, requires_grad=True)
    expected = torch.nn.functional.cross_entropy(
        tensor, torch.tensor(target), weight=None if weight is None else torch.tensor(weight), **options)
    grad = rng.standard_normal(expected.shape)
    expected.backward(torch.tensor(grad))
    found = lw.cross_entropy(logits, target, weight=weight, axis=axis, **options)
    np.testing.assert_allclose(found, expected.detach().numpy(), rtol=1e-12)
    slope = lw.cross_entropy_backward(grad, logits, target, weight=weight, axis=axis, **options)
    np.testing.assert_allclose(slope, tensor.grad.numpy(), rtol=1e-11, atol=1e-14)
    loss, slope = lw.cross_entropy_with_grad(logits, target, weight=weight, axis=axis, **options)
    place = logits.copy()
    assert lw.cross_entropy_with_grad(place, target, weight=weight, axis=axis, out=place, **options)[1] is place
    assert place.tobytes() == slope.tobytes()
    assert loss.tobytes() == found.tobytes()
    if not probable and not smoothing:
        del options["label_smoothing"]
        tensor = torch.tensor(logits, requires_grad=True)
        expected = torch.nn.functional.nll_loss(
            tensor, torch.tensor(target), weight=None if weight is None else torch.tensor(weight), **options)
        expected.backward(torch.tensor(grad))
        found = lw.nll_loss(logits, target, weight=weight, axis=axis, **options)
        np.testing.assert_allclose(found, expected.detach().numpy(), rtol=1e-12)
        slope = lw.nll_loss_backward(grad, logits, target, weight=weight, axis=axis, **options)
        np.testing.assert_allclose(slope, tensor.grad.numpy(), rtol=1e-12)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_ignored_rows_have_no_gradient(dtype):
    # whatever the weights are: shares of smoothing are weights times 0 there
    for classes, axis in ((5, -1), (40, -1), (40, 1), (5, 1), (300, 1)):
        shape = (64, classes) if axis == -1 else (2, classes, 32)
        x = np.random.default_rng(classes).standard_normal(shape).astype(dtype)
        target = np.arange(64).reshape((64,) if axis == -1 else (2, 32)) % classes
        target[..., ::2] = -100
        for odd in (np.inf, np.nan):
            weight = np.ones(classes, np.float64 if dtype == "float64" else np.float32)
            weight[2] = odd
            for reduction in ("sum", "none"):
                grad = np.ones(target.shape if reduction == "none" else ())
                with np.errstate(all="ignore"):
                    found = lw.cross_entropy_backward(grad, x, target, reduction=reduction, weight=weight, axis=axis,
                                                      label_smoothing=0.1, ignore_index=-100)
                assert (np.moveaxis(found, axis, -1)[target == -100] == 0).all()


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_ignored_rows_have_no_part(dtype):
    logits, _ = problem(dtype, 9)
    target = np.array([0, -100, 3, -100, -100, 8])
    kept = target >= 0
    logits[1], logits[3] = np.nan, np.inf
    for options in ({}, {"weight": np.linspace(0.5, 2, 9)}, {"label_smoothing": 0.1, "z_loss": 1e-3}):
        loss, grad = lw.cross_entropy_with_grad(logits, target, ignore_index=-100, **options)
        rows = lw.cross_entropy(logits, target, ignore_index=-100, reduction="none", **options)[kept]
        assert (rows == lw.cross_entropy(logits[kept], target[kept], reduction="none", **options)).all()
        # what is added in which order depends on where a row stands
        np.testing.assert_allclose(loss, lw.cross_entropy(logits[kept], target[kept], **options), rtol=4e-16)
        assert not grad[~kept].view(f"u{logits.itemsize}").any()
        assert (grad[kept] == lw.cross_entropy_with_grad(logits[kept], target[kept], **options)[1]).all()
        none = np.full(6, -100)
        loss, grad = lw.cross_entropy_with_grad(logits, none, ignore_index=-100, **options)
        assert np.isnan(loss)
        assert not grad.any()
        assert lw.cross_entropy(logits, none, ignore_index=-100, reduction="sum", **options) == 0
    assert np.isnan(lw.nll_loss(logits, none, ignore_index=-100))
    assert not lw.nll_loss_backward(1.0, logits, none, ignore_index=-100).any()
    assert (target == [0, -100, 3, -100, -100, 8]).all()
    assert lw.cross_entropy(logits[kept], [0, 3, 8], ignore_index=2**70) == lw.cross_entropy(logits[kept], [0, 3, 8])


def test_a_class_of_no_probability_leaves_out_its_logit():
    logits = np.array([[-np.inf, 0.0, 0.0]])
    np.testing.assert_allclose(lw.cross_entropy(logits, [[0.0, 0.5, 0.5]]), np.log(2))
    np.testing.assert_allclose(lw.cross_entropy(logits, [1], weight=[0.0, 1.0, 1.0], label_smoothing=0.1),
                               np.log(2) * (0.9 + 0.2 / 3))
    assert lw.cross_entropy(logits, [[0.1, 0.4, 0.5]]) == np.inf
    assert np.isnan(lw.cross_entropy(np.array([[np.nan, np.inf, 0.0]]), [[0.0, 0.0, 1.0]]))


def test_a_sure_answer_keeps_its_digits():
    logits = np.array([[40.0, 0.0, -5.0]])
    losses, slope = oracle(logits, [0])
    loss, grad = lw.cross_entropy_with_grad(logits, [0], reduction="none")
    assert error(loss, losses, "float64") <= 2
    assert error(grad, slope, "float64") <= 4


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_gradient_against_differences(options, reduction):
    logits, target = problem("float64", 7)
    grad = np.random.default_rng(1).standard_normal(6) if reduction == "none" else np.float64(1.7)
    slope = oracles.differences(
        lambda value: (lw.cross_entropy(value, target, reduction=reduction, **options) * grad).sum(), logits)
    found = lw.cross_entropy_backward(grad, logits, target, reduction=reduction, **options)
    np.testing.assert_allclose(found, slope, rtol=1e-6, atol=1e-8)
    if reduction != "none":
        _, grad_one = lw.cross_entropy_with_grad(logits, target, reduction=reduction, **options)
        np.testing.assert_allclose(grad_one * 1.7, found, rtol=1e-12)


@pytest.mark.parametrize("options", [{}, {"label_smoothing": 0.1}])
def test_pytorch_agrees(options):
    torch = pytest.importorskip("torch")
    logits, target = problem("float32", 300, count=40)
    tensor = torch.tensor(logits, requires_grad=True)
    expected = torch.nn.functional.cross_entropy(tensor, torch.tensor(target), **options)
    expected.backward()
    loss, grad = lw.cross_entropy_with_grad(logits, target, **options)
    np.testing.assert_allclose(loss, expected.item(), rtol=1e-6)
    np.testing.assert_allclose(grad, tensor.grad.numpy(), rtol=1e-4, atol=1e-8)


def test_threads_do_not_show():
    logits, target = problem("float32", 700, count=300)
    found = []
    for threads in (1, 2, 3):
        lw.set_num_threads(threads)
        loss, grad = lw.cross_entropy_with_grad(logits, target, z_loss=1e-4)
        found.append((loss.tobytes(), grad.tobytes()))
    assert found[0] == found[1] == found[2]


def test_shapes_and_strides():
    logits = np.random.default_rng(0).standard_normal((4, 3, 10)).astype(np.float32)
    target = np.arange(12).reshape(4, 3) % 10
    assert lw.cross_entropy(logits, target, reduction="none").shape == (4, 3)
    turned = np.ascontiguousarray(logits.transpose(2, 0, 1)).transpose(1, 2, 0)
    assert lw.cross_entropy(turned, target).tobytes() == lw.cross_entropy(logits, target).tobytes()
    assert lw.cross_entropy(logits[0, 0], 3).shape == ()


def test_limits():
    rows = np.array([[np.nan, 0.0], [-np.inf, 0.0], [0.0, -np.inf]])
    loss = lw.cross_entropy(rows, [0, 0, 0], reduction="none")
    assert np.isnan(loss[0])
    assert loss[1] == np.inf
    assert loss[2] == 0


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_an_infinite_logit_meets_no_factor_of_0(dtype):
    # the loss is log_softmax's, whose largest is infinite; and of label_smoothing 1, nothing is the target's
    x = np.array([[np.inf, 0.0], [-np.inf, 0.0]], dtype)
    assert lw.cross_entropy(x[:1], [1]) == np.inf
    assert np.isnan(lw.cross_entropy(x[:1], [0]))
    assert lw.cross_entropy(x[1:], [0]) == np.inf
    assert lw.cross_entropy(x[1:], [1]) == 0
    assert lw.cross_entropy(np.array([[0.0, -np.inf, 0.0]], dtype), [1], label_smoothing=1.0) == np.inf
    low = np.array([[0.0, -1e30]], dtype)
    np.testing.assert_allclose(lw.cross_entropy(low, [1], label_smoothing=1.0), 5e29, rtol=1e-6)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_the_gradient_in_the_place_of_the_logits(dtype):
    for n, broken in itertools.product((1, 2, 3, 8, 40, 5000), (False, True)):
        logits, target = problem(dtype, n, count=9)
        if broken:
            logits[3, n // 2] = np.nan  # found after the exponentials of the rows beside it
        for options in ({}, {"label_smoothing": 0.2}, {"z_loss": 1e-3}):
            loss, grad = lw.cross_entropy_with_grad(logits, target, reduction="none", **options)
            place = logits.copy()
            found, same = lw.cross_entropy_with_grad(place, target, reduction="none", out=place, **options)
            assert same is place
            assert place.tobytes() == grad.tobytes()
            assert found.tobytes() == loss.tobytes()


def test_errors_name_the_position():
    logits = np.zeros((2, 3, 4))
    target = np.zeros((2, 3), np.int64)
    target[1, 2] = 4
    with pytest.raises(ValueError, match=r"target\[1, 2\] is 4; expected 0 to 3"):
        lw.cross_entropy(logits, target)
    target[1, 2] = -1
    with pytest.raises(ValueError, match=r"target\[1, 2\] is -1"):
        lw.cross_entropy_with_grad(logits, target)
    with pytest.raises(ValueError, match=r"target of shape \(2,\) does not fit logits of shape \(2, 3, 4\)"):
        lw.cross_entropy(logits, np.zeros(2, int))
    with pytest.raises(ValueError, match=r"target of shape \(2, 3, 4\), that of the logits, holds int64"):
        lw.cross_entropy(logits, np.zeros((2, 3, 4), np.int64))
    with pytest.raises(TypeError, match="target must hold integers, not float64"):
        lw.cross_entropy(logits, np.zeros((2, 3)))
    with pytest.raises(ValueError, match=r"'max' is unknown; expected one of mean, sum, none"):
        lw.cross_entropy(logits, np.zeros((2, 3), int), reduction="max")
    with pytest.raises(ValueError, match="label_smoothing must be from 0 to 1, not 2"):
        lw.cross_entropy(logits, np.zeros((2, 3), int), label_smoothing=2)
    with pytest.raises(ValueError, match=r"grad of shape \(2,\) does not fit a loss of shape \(\)"):
        lw.cross_entropy_backward(np.zeros(2), logits, np.zeros((2, 3), int))
    with pytest.raises(ValueError, match=r"^cross_entropy_backward: out of shape \(2, 3, 5\) does not fit; expected"):
        lw.cross_entropy_backward(1.0, logits, np.zeros((2, 3), int), out=np.zeros((2, 3, 5)))
    with pytest.raises(ValueError, match="ignore_index is of class indices; target holds probabilities"):
        lw.cross_entropy(logits, np.zeros((2, 3, 4)), ignore_index=0)
    with pytest.raises(TypeError, match=r"ignore_index must be an int, not 0\.5"):
        lw.nll_loss(logits, np.zeros((2, 3), int), ignore_index=0.5)
    with pytest.raises(ValueError, match=r"weight of shape \(3,\) does not fit"):
        lw.cross_entropy(logits, np.zeros((2, 3), int), weight=np.ones(3))
    with pytest.raises(ValueError, match=r"target\[1, 2\] is 5; expected 0 to 2"):
        lw.cross_entropy(logits, np.array([[0] * 4, [0, 0, 5, 0]]), axis=1)


def test_negative_weights():
    # as torch.nn.functional has them: what PyTorch 2.13 gives for these
    x, target = np.float32([[1.0, 2.0, 3.0], [0.5, 0.1, 0.2]]), [0, 2]
    for weight, each, mean in (([-1, 2, 3], [1.0, -0.6], 0.2), ([1, 1, -1], [-1.0, 0.2], -np.inf)):
        assert lw.nll_loss(x, target, weight=weight, reduction="none") == pytest.approx(each)
        assert lw.nll_loss(x, target, weight=weight) == pytest.approx(mean)
    entropy = lw.cross_entropy(x, target, weight=[-1, 2, 3], reduction="none")
    assert entropy == pytest.approx([-2.4076058864593506, 3.540297031402588])
    assert lw.cross_entropy(x, target, weight=[-1, 2, 3]) == pytest.approx(0.5663455724716187)
    assert lw.cross_entropy(x, target, weight=[1, 1, -1]) == np.inf


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_nll_loss_picks_the_same_from_every_layout(dtype, reduction):
    rng = np.random.default_rng(5)
    x, target = rng.normal(size=(3, 5, 4, 2)).astype(dtype), rng.integers(0, 5, (3, 4, 2))
    target[0, 0] = -100
    options = {"weight": rng.uniform(0.5, 2, 5), "ignore_index": -100, "reduction": reduction}
    last = np.ascontiguousarray(np.moveaxis(x, 1, -1))
    expected = lw.nll_loss(last, target, **options)
    grad = rng.normal(size=expected.shape)
    slope = np.moveaxis(lw.nll_loss_backward(grad, last, target, **options), -1, 1)
    assert not slope[0, :, 0].any()
    for each in (x, np.asfortranarray(x), x[::-1].copy()[::-1]):
        assert lw.nll_loss(each, target, axis=1, **options).tobytes() == expected.tobytes()
        out = np.full_like(each, np.nan)
        assert lw.nll_loss_backward(grad, each, target, axis=1, out=out, **options) is out
        assert (out == slope).all()


def test_no_gradient_of_rows_without_weight_leaks_no_warning():
    logits, target = np.zeros((3, 4), np.float32), [0, 1, 2]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for function in (lw.cross_entropy_backward, lw.nll_loss_backward):
            assert np.isnan(function(0.0, logits, target, weight=np.zeros(4))).any()
            assert not function(0.0, logits, target, ignore_index=1).any()


def test_a_mean_within_float64_is_found_whatever_the_sum():
    logits, target = np.array([[1e308, 0.0]] * 8), np.ones(8, int)
    assert lw.cross_entropy(logits, target) == pytest.approx(1e308, rel=1e-15)
    assert lw.nll_loss(logits, 1 - target) == pytest.approx(-1e308, rel=1e-15)
    assert lw.cross_entropy(np.array([[np.inf, 0.0]] * 8), target) == np.inf


@pytest.mark.parametrize("label_smoothing", [0.0, 0.2, 1.0])
def test_a_mean_over_classes_without_weight_is_nan(label_smoothing):
    # as PyTorch's, whose two parts are 0 / 0 and infinite where labels are smoothed
    x, target = np.arange(6.0).reshape(2, 3), [0, -100]
    given = {"weight": [0.0, 1.0, 2.0], "ignore_index": -100, "label_smoothing": label_smoothing}
    loss, grad = lw.cross_entropy_with_grad(x, target, **given)
    assert np.isnan([lw.cross_entropy(x, target, **given), loss]).all()
    for found in grad, lw.cross_entropy_backward(1.0, x, target, **given):
        assert np.isnan(found[0]).all()
        assert (found[1] == 0).all()
    assert np.isfinite(lw.cross_entropy(x, target, reduction="sum", **given))


def test_a_mean_whose_partial_sums_are_infinite_of_both_signs():
    largest = np.finfo(float).max
    signs = np.where(np.arange(160) % 16 < 8, largest, -largest)
    assert abs(lw.nll_loss(np.column_stack([signs, signs]), np.zeros(160, int))) < largest / 1e15
    zeros = np.zeros(160)
    assert abs(lw.binary_cross_entropy_with_logits(zeros, zeros, weight=signs)) < largest / 1e15


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("size", [5e-324, 1e-310, 1e-40, 1.5e-45, 1e37, 1e307, 6e307])
def test_a_mean_is_that_of_weights_of_any_size(dtype, size):
    # their sum may be beyond the range, and the inverse of it; of the smallest numbers only whole multiples are left
    if not float(np.finfo(dtype).smallest_subnormal) <= size <= float(np.finfo(dtype).max) / 3:
        pytest.skip("no number of the dtype")
    rng = np.random.default_rng(0)
    x, target = rng.normal(size=(12, 4)).astype(dtype), rng.integers(0, 4, 12)
    target[3] = -100
    for small in ([1.0, 2.0, 3.0, 2.0], [1.0, -2.0, 3.0, 2.0]):
        weight, options = np.array(small, dtype) * dtype(size), {"ignore_index": -100}
        for function in (lw.nll_loss, lw.cross_entropy):
            expected = function(x, target, weight=small, **options)
            np.testing.assert_allclose(function(x, target, weight=weight, **options), expected, rtol=1e-6)
        for function in (lw.nll_loss_backward, lw.cross_entropy_backward):
            expected = function(dtype(1.5), x, target, weight=small, **options)
            found = function(dtype(1.5), x, target, weight=weight, **options)
            np.testing.assert_allclose(found, expected, rtol=1e-6)
    weight[0] = np.nan
    assert np.isnan(lw.nll_loss(x[:1], [0], weight=weight))
    assert lw.nll_loss(x[:1], [0], weight=[np.inf, 1, 1, 1], reduction="sum") == -np.inf * np.sign(x[0, 0])


@pytest.mark.parametrize("axis", [np.array([1.0, 2.0]), [-1], "row"])
def test_an_axis_of_a_number_is_an_int_too(axis):
    for function in (lw.cross_entropy, lw.nll_loss):
        with pytest.raises(TypeError, match="axis must be an int, not"):
            function(np.float32(-0.7), 0, axis=axis)


def test_no_weights_are_none_whatever_the_layout():
    x, target = np.random.default_rng(0).normal(size=(40, 10)).astype(np.float32), np.arange(40) % 10
    weighted = losses.weighted_cross_entropy_gufunc
    given = target, np.zeros(0, np.float32), 0.1, 0.0
    np.testing.assert_array_equal(weighted(np.asfortranarray(x), *given), weighted(x, *given))
