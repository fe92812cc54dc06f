"""Losses of pairs of numbers against PyTorch in float64 and central differences; limits, and what they refuse."""

import lanewise as lw
import numpy as np
import oracles
import pytest
from lanewise.bounds import bound
from lanewise.measure.ulps import errors
from mpmath import mp, mpf

TORCH = {"mse": "mse_loss", "l1": "l1_loss", "huber": "huber_loss",
         "binary_cross_entropy_with_logits": "binary_cross_entropy_with_logits"}
OPTIONS = [(name, {}) for name in TORCH] + [("huber", {"delta": 0.3})]


def problem(shape=(7, 65)):
    rng = np.random.default_rng(0)
    return rng.standard_normal(shape) * 3, rng.uniform(size=shape)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize(("name", "options"), OPTIONS)
def test_pytorch_agrees(name, options, reduction):
    torch = pytest.importorskip("torch")
    x, target = problem()
    tensor = torch.tensor(x, requires_grad=True)
    expected = getattr(torch.nn.functional, TORCH[name])(tensor, torch.tensor(target), reduction=reduction, **options)
    grad = np.random.default_rng(1).standard_normal(expected.shape)
    expected.backward(torch.tensor(grad))
    found = getattr(lw, name)(x, target, reduction=reduction, **options)
    np.testing.assert_allclose(found, expected.detach().numpy(), rtol=1e-13)
    slope = getattr(lw, f"{name}_backward")(grad, x, target, reduction=reduction, **options)
    np.testing.assert_allclose(slope, tensor.grad.numpy(), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize(("name", "options"), OPTIONS)
def test_gradient_against_differences(name, options, reduction):
    x, target = problem((2, 5))
    grad = np.random.default_rng(1).standard_normal(x.shape) if reduction == "none" else np.float64(1.7)
    loss, backward = getattr(lw, name), getattr(lw, f"{name}_backward")
    slope = oracles.differences(lambda value: (loss(value, target, reduction=reduction, **options) * grad).sum(), x)
    found = backward(grad, x, target, reduction=reduction, **options)
    np.testing.assert_allclose(found, slope, rtol=1e-6, atol=1e-8)
    place = x.copy()
    assert backward(grad, place, target, reduction=reduction, out=place, **options) is place
    assert place.tobytes() == found.tobytes()
    turned = np.asfortranarray(x)
    assert (backward(grad, turned, target, reduction=reduction, **options) == found).all()


@pytest.mark.parametrize("dtype", oracles.DTYPES)
@pytest.mark.parametrize("name", TORCH)
def test_reductions_are_of_the_losses(name, dtype):
    x, target = (part.astype(oracles.dtype_named(dtype)) for part in problem())
    each = getattr(lw, name)(x, target, reduction="none")
    assert each.dtype == x.dtype
    assert each.shape == x.shape
    for reduction, expected in (("sum", each.astype(float).sum()), ("mean", each.astype(float).mean())):
        found = getattr(lw, name)(x, target, reduction=reduction)
        assert found.dtype == x.dtype
        np.testing.assert_allclose(float(found), expected, rtol=1e-2 if x.itemsize == 2 else 1e-6)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("name", TORCH)
def test_rows_of_16_bits_are_as_their_parts(name, dtype):
    x, target = (part.astype(oracles.dtype_named(dtype)) for part in problem((3, 2048)))
    grad = np.random.default_rng(2).standard_normal(x.shape).astype(x.dtype)
    given = {"weight": grad, "pos_weight": np.abs(grad[0])} if name not in ("mse", "l1", "huber") else {}
    parts = [{role: value[k] if value.ndim > 1 else value for role, value in given.items()} for k in range(len(x))]
    loss, backward = getattr(lw, name), getattr(lw, f"{name}_backward")
    expected = np.stack([loss(x[k], target[k], reduction="none", **parts[k]) for k in range(len(x))])
    assert loss(x, target, reduction="none", **given).tobytes() == expected.tobytes()
    expected = np.stack([backward(grad[k], x[k], target[k], reduction="none", **parts[k]) for k in range(len(x))])
    assert backward(grad, x, target, reduction="none", **given).tobytes() == expected.tobytes()
    total = loss(x, target, reduction="sum", **given)
    wide = loss(*(each.astype(np.float32) for each in (x, target)), reduction="sum",
                **{role: value.astype(np.float32) for role, value in given.items()})
    np.testing.assert_allclose(float(total), float(wide), rtol=1e-2)


def test_limits():
    infinite = np.array([np.inf, -np.inf, 800.0])
    assert (lw.binary_cross_entropy_with_logits(infinite, [1.0, 0.0, 1.0], reduction="none") == 0).all()
    assert np.isinf(lw.binary_cross_entropy_with_logits(infinite[:2], [0.0, 1.0], reduction="none")).all()
    for name in TORCH:
        assert np.isnan(getattr(lw, name)([np.nan], [1.0], reduction="none")).all()
        assert np.isnan(getattr(lw, f"{name}_backward")(1.0, [np.nan], [1.0])).all()
        assert np.isnan(getattr(lw, name)([], []))
    assert (lw.l1_backward([1.0, 1.0], [2.0, 3.0], [2.0, 4.0], reduction="none") == [0, -1]).all()


def test_errors():
    with pytest.raises(ValueError, match=r"mse: target of shape \(2,\) does not fit x of shape \(3,\)"):
        lw.mse([1.0, 2.0, 3.0], [1.0, 2.0])
    with pytest.raises(ValueError, match="l1: reduction 'max' is unknown"):
        lw.l1([1.0], [1.0], reduction="max")
    with pytest.raises(ValueError, match="huber: delta must be a finite number above 0, not 0"):
        lw.huber([1.0], [1.0], delta=0)
    with pytest.raises(ValueError, match=r"grad of shape \(1,\) does not fit a loss of shape \(\)"):
        lw.mse_backward([1.0], [1.0], [1.0])


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("shapes", [((7, 65), (65,)), ((7, 1), None), (None, (7, 65)), ((), (1, 65))])
def test_weights_of_logits(shapes, reduction):
    torch = pytest.importorskip("torch")
    x, target = problem()
    rng = np.random.default_rng(2)
    options = {role: rng.uniform(0.5, 3, shape) for role, shape in zip(("weight", "pos_weight"), shapes, strict=True)
               if shape is not None}
    tensor = torch.tensor(x, requires_grad=True)
    theirs = {role: torch.tensor(part) for role, part in options.items()}
    expected = torch.nn.functional.binary_cross_entropy_with_logits(tensor, torch.tensor(target), reduction=reduction,
                                                                    **theirs)
    grad = rng.standard_normal(expected.shape)
    expected.backward(torch.tensor(grad))
    found = lw.binary_cross_entropy_with_logits(x, target, reduction=reduction, **options)
    np.testing.assert_allclose(found, expected.detach().numpy(), rtol=1e-13)
    slope = lw.binary_cross_entropy_with_logits_backward(grad, x, target, reduction=reduction, **options)
    np.testing.assert_allclose(slope, tensor.grad.numpy(), rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("dtype", oracles.DTYPES)
def test_weights_of_logits_are_within_the_bounds(dtype):
    own = oracles.dtype_named(dtype)
    x, target = (part.astype(own) for part in problem((50, 65)))
    weight, yes = (part.astype(np.float64 if dtype == "float64" else np.float32)
                   for part in np.random.default_rng(3).uniform(0.1, 5, (2, 65)))
    wide, share, a, b = (part.astype(np.longdouble) for part in (x, target, weight, yes))
    for_yes, for_no = np.log1p(np.exp(-np.abs(wide))), np.maximum(wide, 0)
    exact = a * (b * share * (for_yes + np.maximum(-wide, 0)) + (1 - share) * (for_yes + for_no))
    name = "binary_cross_entropy_with_logits"
    found = lw.binary_cross_entropy_with_logits(x, target, weight=weight, pos_weight=yes, reduction="none")
    assert found.dtype == x.dtype
    assert errors(found.ravel(), exact.ravel(), dtype).max() <= bound(name, dtype)
    chance = 1 / (1 + np.exp(-wide))
    terms = a * (1 - share) * chance, a * b * share / (1 + np.exp(wide))
    found = lw.binary_cross_entropy_with_logits_backward(np.ones(x.shape, own), x, target, weight=weight,
                                                         pos_weight=yes, reduction="none")
    sizes = terms[0] + terms[1]
    assert errors(found.ravel(), (terms[0] - terms[1]).ravel(), dtype, sizes.ravel()).max() <= bound(
        f"{name}_backward", dtype)


def test_a_weight_of_0_leaves_out_what_is_infinite():
    loss, backward = lw.binary_cross_entropy_with_logits, lw.binary_cross_entropy_with_logits_backward
    x, target = [np.inf, np.nan, 1.0], [0.0, 0.0, 0.0]
    assert loss(x, target, weight=[0, 0, 1], reduction="sum") == loss([1.0], [0.0], reduction="sum")
    assert (backward(1.0, x, target, weight=[0, 0, 1], reduction="sum")[:2] == 0).all()
    assert loss([-np.inf], [1.0], pos_weight=0.0) == 0
    with pytest.raises(ValueError, match=r"pos_weight of shape \(2,\) does not broadcast to x of shape \(3,\)"):
        loss([1.0, 2.0, 3.0], target, pos_weight=[1.0, 2.0])
    with pytest.raises(TypeError, match="weight is a masked array"):
        loss([1.0], [1.0], weight=np.ma.masked_less([1.0], 2))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_nothing_overflows_on_the_way(dtype):
    """A gradient or a mean within the dtype is found, whatever twice a difference or a sum of losses would be."""
    largest = np.finfo(dtype).max
    x, zeros = np.array([largest, -0.75 * largest, 1.0], dtype), np.zeros(3, dtype)
    expected = np.array([2 / 3, -0.5, 0]) * largest
    assert lw.mse_backward(1.0, x, zeros)[:2] == pytest.approx(expected[:2], rel=1e-6)
    grad = np.array([0.25, -0.5, largest], dtype)
    found = lw.mse_backward(grad, np.array([largest, largest, 0.25], dtype), zeros, reduction="none")
    assert found == pytest.approx(np.array([0.5, -1.0, 0.5]) * largest, rel=1e-6)
    many = np.full(100, largest)
    for name in ("l1", "huber", "binary_cross_entropy_with_logits"):
        assert getattr(lw, name)(many, np.zeros(100, dtype)) == pytest.approx(largest, rel=1e-6), name
        assert getattr(lw, name)(np.full(100, np.inf, dtype), np.zeros(100, dtype)) == np.inf


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_difference_beyond_the_range_has_a_loss_and_a_gradient(dtype):
    largest = np.finfo(dtype).max
    x, target = np.array([largest, -largest, largest / 2, 3.0], dtype), np.array([-largest, largest, -1, 1], dtype)
    halves = np.array([1, -1, 0.25, 2 / largest / 2], dtype) * largest  # of x - target
    assert lw.mse_backward(0.001, x, target) == pytest.approx(halves * dtype(0.001), rel=1e-6)
    grad = np.array([0.125, -0.25, 0, 1], dtype)
    assert lw.mse_backward(grad, x, target, reduction="none") == pytest.approx(4 * grad * halves, rel=1e-6)
    found = lw.huber(x, target, delta=0.25, reduction="none")
    assert found == pytest.approx([largest / 2, largest / 2, largest / 8, 0.46875], rel=1e-6)
    assert lw.huber(x, target, delta=largest, reduction="none")[0] == np.inf


@pytest.mark.parametrize(("dtype", "grad", "distance", "n"), [
    ("f", 3e38, 1e-3, 1), ("f", 2e38, 0.0, 3), ("f", -3e38, 0.25, 1), ("f", 1e-37, 1e30, 1000),
    ("f", 1e-44, 1e38, 1000), ("f", 1e-3, 1e-37, 7), ("d", 1.7e308, 1e-3, 1), ("d", 2e307, 0.0, 3),
    ("d", 1e-303, 1e30, 1000), ("d", 1e-307, 1e30, 1000), ("d", 5e-324, 1e300, 7)])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_no_step_of_a_slope_leaves_the_range_or_loses_digits(dtype, grad, distance, n, reduction):
    x, target = np.full(n, distance, dtype), np.zeros(n, dtype)
    grad = np.dtype(dtype).type(grad)
    share = np.longdouble(grad) / (n if reduction == "mean" else 1)
    for found, exact in ((lw.mse_backward(grad, x, target, reduction=reduction), 2 * np.longdouble(x[0]) * share),
                         (lw.huber_backward(grad, x, target, reduction=reduction, delta=float(x[0]) + 1.0),
                          np.longdouble(x[0]) * share)):
        if abs(exact) <= np.finfo(dtype).max:
            ulp = np.longdouble(max(np.spacing(abs(x.dtype.type(exact))), np.finfo(dtype).smallest_subnormal))
            assert (np.abs(found - exact) <= 1.5 * ulp).all(), (found[0], exact)


def test_a_mean_within_float64_of_terms_that_are_not():
    largest, none = np.finfo(float).max, np.zeros(3)
    far, other = np.r_[largest, none], np.r_[-largest, none]
    assert lw.l1(far, other) == largest / 2
    for delta in (1.0, 1e-5, 0.5):
        assert lw.huber(far, other, delta=delta) == pytest.approx(largest / 2 * delta, rel=1e-15)
    assert lw.mse(np.r_[2e154, np.zeros(9)], np.zeros(10)) == pytest.approx(4e307, rel=1e-15)
    assert lw.huber(np.r_[2e154, np.zeros(9)], np.zeros(10), delta=3e154) == pytest.approx(2e307, rel=1e-15)
    logits, loss = np.r_[-1e200, np.zeros(99)], lw.binary_cross_entropy_with_logits
    yes = np.r_[1.0, np.zeros(99)]
    assert loss(logits, yes, pos_weight=1e109) == pytest.approx(1e307, rel=1e-14)
    assert loss(logits, yes, weight=1e109) == pytest.approx(1e307, rel=1e-14)
    found = loss([-1e300, -1e300, 1.0], [1.0, 1.0, 1.0], weight=[1e9, -1e9, 1.0], reduction="sum")
    assert found == pytest.approx(np.log1p(np.exp(-1.0)), rel=1e-14)  # beside two terms that cancel
    for name in ("mse", "l1", "huber"):  # beyond the range honestly, or of what is no number
        assert getattr(lw, name)(far, other, reduction="sum") == np.inf
        assert getattr(lw, name)(np.r_[np.inf, none], other) == np.inf
        assert np.isnan(getattr(lw, name)(np.r_[np.nan, none], other))
    with np.errstate(all="raise"):
        assert lw.l1(np.r_[largest, 1e-300, none], np.r_[-largest, none, 1e-310]) == pytest.approx(largest / 2.5)


@pytest.mark.parametrize(("dtype", "ends", "grads"), [(np.float32, (80, 170), (1e20, 3e38)),
                                                      (np.float64, (700, 1400), (1e200, 1e308))])
def test_the_slope_of_far_logits_loses_no_bits(dtype, ends, grads):
    x, name = np.linspace(*ends, 400, dtype=dtype), "binary_cross_entropy_with_logits_backward"
    for grad in grads:
        with mp.workprec(300):
            exact = np.array([mpf(float(dtype(grad))) / (1 + mp.exp(mpf(float(each)))) for each in x])
        for options in ({}, {"weight": np.ones_like(x)}, {"pos_weight": np.ones_like(x)}):
            found = getattr(lw, name)(dtype(grad), -x, np.zeros_like(x), reduction="sum", **options)
            assert errors(found, exact, np.dtype(dtype).name).max() <= bound(name, np.dtype(dtype).name)
            found = getattr(lw, name)(np.full_like(x, grad), x, np.ones_like(x), reduction="none", **options)
            assert errors(-found, exact, np.dtype(dtype).name).max() <= bound(name, np.dtype(dtype).name)


@pytest.mark.parametrize(("dtype", "x", "tiny"), [(np.float32, 88, 1e-38), (np.float64, 710, 1e-308)])
def test_a_gradient_that_is_subnormal_beside_a_large_weight_keeps_its_bits(dtype, x, tiny):
    # of logits that are far out, and of a mean, which divides the gradient
    logits, grads = np.full(1000, x, dtype), dtype(tiny) * np.array([3, 0.37, 1e-3], dtype)
    for grad in grads:
        for sign, target, options in ((1, 0.25, {"weight": np.full_like(logits, 1e6)}),
                                      (-1, 1.0, {"pos_weight": np.full_like(logits, 1e7)})):
            found = lw.binary_cross_entropy_with_logits_backward(grad, sign * logits, np.full_like(logits, target),
                                                                 **options)
            with mp.workprec(300):
                near = 1 / (1 + mp.exp(-mpf(x)))
                slope = (near - mpf(target)) * mpf(10) ** 6 if sign > 0 else -near * mpf(10) ** 7
                exact = np.array([mpf(float(grad)) * slope / 1000])
            name, precision = "binary_cross_entropy_with_logits_backward", np.dtype(dtype).name
            assert errors(np.abs(found[:1]), abs(exact), precision).max() <= bound(name, precision)


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_a_slope_of_nll_loss_that_all_rows_have_is_that_of_weights_of_one(dtype, axis):
    x = np.zeros((7, 7), oracles.dtype_named(dtype))
    target = np.array([0, 6, -1, 3, 3, -1, 1])
    for grad in (0.7, -3e-5, 1e5, np.inf, np.nan):
        options = {"ignore_index": -1, "axis": axis}
        found = lw.nll_loss_backward(grad, x, target, **options)
        expected = lw.nll_loss_backward(grad, x, target, weight=np.ones(7), **options)
        assert found.tobytes() == expected.tobytes()
        assert np.count_nonzero(found) == 5


@pytest.mark.parametrize("shape", [(3, 0), (2, 0, 4)])
def test_nll_loss_backward_of_no_classes(shape):
    # every row is ignored, and there is nothing to write
    target = np.full((*shape[:1], *shape[2:]), -100)
    found = lw.nll_loss_backward(np.ones(target.shape), np.zeros(shape), target, ignore_index=-100, reduction="none",
                                 axis=1)
    assert found.shape == shape


def test_no_classes_and_every_row_ignored():
    x, target, weight = np.zeros((3, 0), np.float32), np.full(3, -100), np.zeros(0, np.float32)
    assert np.isnan(lw.cross_entropy(x, target, weight=weight, ignore_index=-100))
    assert lw.cross_entropy_backward(1.0, x, target, weight=weight, ignore_index=-100).shape == (3, 0)
    with pytest.raises(ValueError, match=r"nll_loss: x of shape \(3, 0\) has no class"):
        lw.nll_loss(x, target, weight=weight, ignore_index=-100)


@pytest.mark.parametrize("dtype", ["<u8", ">u8"])
@pytest.mark.parametrize("name", ["cross_entropy", "cross_entropy_backward", "nll_loss", "nll_loss_backward"])
def test_classes_of_uint64_are_none_below_0(name, dtype):
    given = (1.0,) if name.endswith("backward") else ()
    x = np.random.default_rng(0).standard_normal((4, 5))

    def call(classes, ignored):
        return getattr(lw, name)(*given, x, classes, ignore_index=ignored)

    for largest in (2**63, 2**64 - 100, 2**64 - 1):
        classes = np.array([1, largest, 3, 4], dtype)
        assert call(classes, largest).tobytes() == call(np.array([1, -1, 3, 4]), -1).tobytes()
        with pytest.raises(ValueError, match=rf"{name}: target\[1\] is {largest}; expected 0 to 4"):
            call(classes, largest - 2**64)


@pytest.mark.parametrize("n", [0, 1, 7, 16, 31, 33, 63, 100, 300])
@pytest.mark.parametrize("name", TORCH)
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_losses_of_16_bits_are_those_of_float32_rounded_once(dtype, name, n):
    # where numbers stand, whatever lies around them, and in place
    rng = np.random.default_rng(n)
    store = oracles.dtype_named(dtype)
    ends = [0.0, -0.0, np.inf, -np.inf, np.nan, 1e-7, 6e4, -6e4] if n > 8 else []
    x, target, grad = (np.concatenate([ends, rng.standard_normal(n - len(ends)) * 3]).astype(store) for _ in range(3))
    rng.shuffle(target)
    function, backward = getattr(lw, name), getattr(lw, f"{name}_backward")
    wide = [each.astype(np.float32) for each in (x, target, grad)]
    with np.errstate(over="ignore", invalid="ignore"):
        expected = function(*wide[:2], reduction="none").astype(store)
        slope = backward(wide[2], *wide[:2], reduction="none").astype(store)
    for step, place in ((1, 0), (1, 1), (2, 0)):
        cells = [np.full(place + step * n + 20, np.nan, store) for _ in range(3)]
        own = [each[place:place + step * n:step] for each in cells]
        for cell, each in zip(own, (x, target, grad), strict=True):
            cell[:] = each
        assert same_numbers(function(*own[:2], reduction="none"), expected)
        assert same_numbers(backward(own[2], *own[:2], reduction="none"), slope)
        assert backward(own[2], *own[:2], reduction="none", out=own[0]) is own[0]
        assert same_numbers(own[0], slope)
        own[0][:] = np.nan
        assert np.isnan(cells[0].astype(np.float32)).all()  # nothing beside it was written


def same_numbers(found, expected):
    # NaNs of any sign are one number
    found, expected = found.astype(np.float32), expected.astype(np.float32)
    return np.array_equal(np.isnan(found), np.isnan(expected)) and (
        np.where(np.isnan(found), 0, found).tobytes() == np.where(np.isnan(expected), 0, expected).tobytes())


@pytest.mark.parametrize("n", [16400, 20480, 70001])  # one row of 16 bits, several, and several and what is left
@pytest.mark.parametrize("name", TORCH)
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_rows_of_16_bits_are_those_of_their_parts(dtype, name, n):
    if dtype == "bfloat16":
        pytest.importorskip("ml_dtypes")
    rng = np.random.default_rng(n)
    grad, x, target, more = rng.uniform(size=(4, n + 1)).astype(dtype)
    options = {"weight": more[:n]} if name.startswith("binary") else {}
    parts = [slice(start, start + 5000) for start in range(0, n, 5000)]
    own = [(target[part][:n - part.start], {role: each[part] for role, each in options.items()}) for part in parts]

    def joined(function, *operands, **kept):
        return np.concatenate([function(*(each[:n][part] for each in operands), other, **each, **kept)
                               for part, (other, each) in zip(parts, own, strict=True)], axis=None)

    loss, backward, target = getattr(lw, name), getattr(lw, name + "_backward"), target[:n]
    each = joined(loss, x, reduction="none")
    assert loss(x[:n], target, reduction="none", **options).tobytes() == each.tobytes()
    total = joined(loss, x, reduction="sum").astype(float).sum()
    assert float(loss(x[:n], target, reduction="mean", **options)) == pytest.approx(total / n, rel=0.01)
    for here, there in ((slice(0, n), slice(0, n)), (slice(1, n + 1), slice(0, n)), (slice(0, n), slice(1, n + 1))):
        place = x.copy()
        expected = joined(backward, grad, x[here], reduction="none")
        found = backward(grad[:n], place[here], target, reduction="none", out=place[there], **options)
        assert found.tobytes() == expected.tobytes()


@pytest.mark.parametrize("rows", [3, 40])  # fewer than classes, and more
@pytest.mark.parametrize("size", [1e-40, 2**-20, 1.0, 1e37])
@pytest.mark.parametrize("of_weight", ["float16", "bfloat16", "float32"])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_class_weights_count_the_same_in_every_dtype_that_holds_them(dtype, of_weight, size, rows):
    if "bfloat16" in (dtype, of_weight):
        pytest.importorskip("ml_dtypes")
    rng = np.random.default_rng(rows)
    x, target = rng.normal(size=(rows, 23)).astype(dtype), rng.integers(0, 23, rows)
    with np.errstate(all="ignore"):
        weight = (rng.uniform(0.5, 2, 23) * size).astype(of_weight)
    weight[target[0]] *= -1
    target[1] = -100
    wide = weight.astype(np.float64 if dtype == "float64" else np.float32)
    for reduction in ("mean", "sum", "none"):
        options = {"ignore_index": -100, "reduction": reduction}
        grad = rng.normal(size=rows if reduction == "none" else ())
        found, expected = ([
            lw.nll_loss(x, target, weight=each, **options),
            lw.nll_loss_backward(grad, x, target, weight=each, **options),
            lw.cross_entropy(x, target, weight=each, **options),
            lw.cross_entropy_backward(grad, x, target, weight=each, **options),
            *lw.cross_entropy_with_grad(x, target, weight=each, **options)] for each in (weight, wide))
        assert [part.dtype for part in found] == [part.dtype for part in expected]
        assert [part.tobytes() for part in found] == [part.tobytes() for part in expected]
