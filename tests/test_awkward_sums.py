"""Sums of awkward numbers: mostly equal ones, one that is huge beside thousands, the least of the dtype; sums over rows
and examples, which have as many terms as there are rows, and sums of weighted exponentials. Each keeps the published
bound, beside exact sums."""

import math

import lanewise as lw
import numpy as np
import pytest
from lanewise.bounds import BATCH_MEAN, LEARNING_BOUNDS, bound
from lanewise.measure.ulps import errors
from mpmath import mp, mpf

KINDS = ["equal", "mostly equal", "one huge", "one huge beside equal ones", "subnormal", "of both signs",
         "the first huge"]
LENGTHS = [1, 3, 16, 33, 64, 129, 1000, 4097]


def numbers(kind, n, dtype):
    rng = np.random.default_rng(n)
    least = 2.0 ** -(24 if dtype == "float32" else 53)
    x = np.full(n, rng.uniform(0.5, 4))
    if kind == "mostly equal":
        x = np.where(rng.random(n) < 0.1, rng.uniform(0.5, 4, n), x)
    elif kind.startswith("one huge"):
        x = x * least if kind.endswith("ones") else rng.uniform(0.5, 1.5, n) * least
        x[rng.integers(n)] = rng.uniform(1, 2)
    elif kind == "the first huge":  # each of the others is less than half of its last place
        x = np.full(n, 0.999 * least)
        x[0] = 1.5
    elif kind == "subnormal":
        x = rng.integers(1, 1000, n) * float(np.finfo(dtype).smallest_subnormal)
    elif kind == "of both signs":
        x[::2] *= -1
    return x.astype(dtype)


def of_rows(name, x):
    """The sum of x over the rows, as the gradient of a bias."""
    n = len(x)
    grad, ones = np.stack([x, -x, x], -1), np.ones(3, x.dtype)
    other = np.broadcast_to(np.arange(3, dtype=x.dtype), grad.shape).copy()
    if name == "linear_backward":
        return lw.linear_backward(grad, other, np.ones((3, 3), x.dtype), ones)[2]
    if name == "layer_norm_backward":
        return lw.layer_norm_backward(grad, other, ones, ones)[2]
    if name == "rms_norm_backward":  # the gradient of a weight, of rows that are their own norms
        return lw.rms_norm_backward(grad, np.ones((n, 3), x.dtype), ones, rstd=np.ones(n))[1]
    if name == "batch_norm_backward":
        return lw.batch_norm_backward(grad, other, mean=np.zeros(3), rstd=np.ones(3))[2]
    length = 200 if name.startswith("group") else 9
    wide = np.zeros((n, 3, length), x.dtype)
    wide[..., 5] = grad
    other = np.broadcast_to(np.arange(length) % 7, wide.shape).astype(x.dtype)
    if name.startswith("batch"):
        return lw.batch_norm_backward(wide, other, mean=np.zeros(3), rstd=np.ones(3))[2]
    groups = () if name.startswith("instance") else (3,)
    return getattr(lw, name)(wide, other, *groups, ones)[2]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["linear_backward", "layer_norm_backward", "rms_norm_backward", "batch_norm_backward",
                                  "batch_norm_backward, images", "group_norm_backward", "instance_norm_backward"])
def test_sums_over_rows(name, dtype):
    most = LEARNING_BOUNDS[name][dtype] if name in LEARNING_BOUNDS else bound(name.partition(",")[0], dtype)
    for kind in KINDS:
        for n in LENGTHS:
            x = numbers(kind, n, dtype)
            total, size = math.fsum(x.tolist()), math.fsum(np.abs(x).tolist())
            exact = np.array([total, -total, total], np.longdouble)
            found = errors(of_rows(name, x), exact, dtype, np.full(3, size, np.longdouble)).max()
            assert found <= most, (kind, n)


def channels_of(kind, examples, n, least, seed=0):
    """Up to 200 channels of segments of n numbers, in each of which another number is the huge one."""
    count, rng = min(16 * n, 200), np.random.default_rng(seed)
    x = np.full((count, examples * n), least)
    if kind == "random":
        x = rng.uniform(0, 2 * least, x.shape)
    own = np.arange(count)
    x[own, own] = 1.0 if kind == "equal" else rng.uniform(1, 1.9, count)
    if kind == "cancelling":
        x[own, (own * 7 + 3) % x.shape[1]] = -x[own, own]
    return x


def of_examples(x, n):
    """The examples of channels, as batch norm takes them."""
    return np.ascontiguousarray(x.reshape(len(x), -1, n).swapaxes(0, 1))


@pytest.mark.parametrize("kind", ["equal", "random", "cancelling"])
@pytest.mark.parametrize("n", [2, 3, 7, 8, 16, 31, 33, 49, 63, 68])
def test_sums_over_short_segments(n, kind):
    most = bound("batch_norm_backward", "float64")
    for part in (0.26, 0.499, 0.51, 0.99, 1.49, 2.49):
        x = channels_of(kind, 256 // n + 8, n, part * 2.0**-52)
        ones = np.ones(len(x))
        totals = np.array([math.fsum(one) for one in x.tolist()])
        exact = [math.fsum(one) for one in np.column_stack([x, -totals]).tolist()] + totals.astype(np.longdouble)
        size = np.array([math.fsum(one) for one in np.abs(x).tolist()], np.longdouble)
        grad = of_examples(x, n)
        for found in lw.batch_norm_backward(grad, np.ones_like(grad), mean=0 * ones, rstd=ones)[1:]:
            assert errors(found, exact, "float64", size).max() <= most, part


@pytest.mark.parametrize(("examples", "n"), [(64, 2), (64, 3), (16, 4), (32, 7), (32, 8), (64, 16), (93, 33), (16, 63)])
def test_statistics_of_short_segments(examples, n):
    for kind, least in [("equal", 0.499 * 2.0**-52), ("equal", 0.7071 * 2.0**-26), ("random", 0.499 * 2.0**-52),
                        ("random", 1.49 * 2.0**-52)]:
        for seed in (0, 192):
            x = channels_of(kind, examples, n, least, seed)
            y = lw.batch_norm(of_examples(x, n), np.zeros(len(x)), np.ones(len(x)), training=True)
            apart = x.astype(np.longdouble) - x.astype(np.longdouble).mean(1, keepdims=True)
            exact = apart / np.sqrt((apart * apart).mean(1, keepdims=True) + np.longdouble(1e-5))
            size = np.sqrt((exact * exact).mean(1, keepdims=True))
            found = errors(y.swapaxes(0, 1).reshape(x.shape), exact, "float64", size).max()
            assert found <= bound("batch_norm", "float64"), (kind, least, seed)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("examples", "n"), [(77, 1), (777, 1), (1000, 1), (4096, 1), (69, 3), (16, 49), (20, 200)])
def test_means_that_batch_norm_returns(examples, n, dtype):
    assert f"{BATCH_MEAN:g} ULP" in lw.batch_norm.__doc__
    least = 2.0 ** -(52 if dtype == "float64" else 23)
    for part in (0.26, 0.499, 0.51, 1.49, 0.7071 / math.sqrt(least), 1 / least):
        for kind in ("equal", "random"):
            x = channels_of(kind, examples, n, part * least).astype(dtype)
            _, mean, _ = lw.batch_norm(of_examples(x, n), np.zeros(len(x)), np.ones(len(x)), training=True,
                                       return_stats=True)
            assert mean.dtype == np.float64
            totals = np.array([math.fsum(one) for one in x.tolist()])
            rest = np.array([math.fsum([*one, -total]) for one, total in zip(x.tolist(), totals, strict=True)])
            exact = (totals.astype(np.longdouble) + rest) / (examples * n)
            size = np.maximum(np.abs(exact), x.astype(np.longdouble).std(1)).astype(dtype)
            assert (np.abs(mean - exact) / np.spacing(size)).max() <= BATCH_MEAN, (part, kind)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("p", [1, 2])
def test_norms_of_gradients(p, dtype):
    for kind in KINDS:
        for n in LENGTHS:
            x = numbers(kind, n, dtype)
            with mp.workprec(2400):
                exact = mp.fsum(abs(mpf(float(one))) ** p for one in x) ** (1 / mpf(p))
            found = np.asarray(lw.clip_grad_norm(x.copy(), 1e300, p))
            # a norm is float64, and right to the last places of the dtype of the gradients
            found = found.astype(dtype) if dtype == "float32" else found
            assert errors(found, np.asarray(exact, object), dtype).max() <= LEARNING_BOUNDS["clip_grad_norm"][dtype]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("factor", ["equal", "one huge", "of both signs"])
def test_logarithms_of_weighted_sums(factor, dtype):
    for kind in KINDS[:4]:
        for n in LENGTHS[:-2]:
            x, b = numbers(kind, n, dtype), numbers(factor, n, dtype)
            if factor == "of both signs" and n > 1:
                b[0] *= 3  # which no other takes away
            found, sign = lw.logsumexp(x, b=b, return_sign=True)
            slopes = lw.logsumexp_backward(x.dtype.type(1), x, b=b)
            with mp.workprec(200):
                terms = [mpf(float(one)) * mp.exp(mpf(float(other))) for one, other in zip(b, x, strict=True)]
                total = mp.fsum(terms)
                exact, shares = mp.log(abs(total)), np.array([term / total for term in terms], object)
                size = max(mp.log(abs(term)) for term in terms)
            assert sign == mp.sign(total)
            assert errors(found, np.asarray(exact, object), dtype, np.asarray(abs(size), object)).max() <= bound(
                "logsumexp", dtype), (kind, n)
            assert errors(slopes, shares, dtype).max() <= bound("logsumexp_backward", dtype), (kind, n)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["l1", "nll_loss"])
def test_means_and_sums_of_losses(name, dtype, reduction):
    for kind in KINDS:
        for n in LENGTHS:
            x = numbers(kind, n, dtype)
            if name == "l1":
                x = abs(x)
                found = lw.l1(x, np.zeros_like(x), reduction=reduction)
            else:
                found = lw.nll_loss(-x[:, None], np.zeros(n, int), reduction=reduction)
            divisor = n if reduction == "mean" else 1
            with mp.workprec(2400):
                exact = np.asarray(mp.fsum(mpf(float(one)) for one in x) / divisor, object)
                size = np.asarray(mp.fsum(mpf(float(one)) for one in abs(x)) / divisor, object)
            most = 3 if dtype == "float64" else bound(name, dtype)
            assert errors(np.asarray(found), exact, dtype, size).max() <= most, (kind, n)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("z_loss", [0.01, 2.0, 1e4])
@pytest.mark.parametrize("smoothing", [0.0, 1.0])
@mp.workprec(200)
def test_large_z_losses_keep_what_their_notes_promise(dtype, z_loss, smoothing):
    rng = np.random.default_rng(3)
    x, target = np.abs(rng.standard_normal((40, 10)) / 10).astype(dtype), rng.integers(0, 10, 40)
    options = {"z_loss": z_loss, "label_smoothing": smoothing, "reduction": "none"}
    losses, slopes, sizes = [], [], []
    for row, chosen in zip(x, target, strict=True):
        terms = [mp.exp(mpf(float(each))) for each in row]
        total = mp.log(mp.fsum(terms))
        wanted = [mpf(smoothing) / 10 + (1 - mpf(smoothing)) * int(k == chosen) for k in range(10)]
        losses.append(mp.fsum(share * (total - mpf(float(each))) for share, each in zip(wanted, row, strict=True))
                      + mpf(z_loss) * total**2)
        shares = [term / mp.fsum(terms) for term in terms]
        slopes.append([p * (1 + 2 * mpf(z_loss) * total) - q for p, q in zip(shares, wanted, strict=True)])
        sizes.append([abs(slope) + 1 for slope in slopes[-1]])
    loss, grad = lw.cross_entropy_with_grad(x, target, **options)
    backward = lw.cross_entropy_backward(np.ones(40, dtype), x, target, **options)
    most = 10 if dtype == "float64" else bound("cross_entropy_backward", dtype)
    assert errors(loss, np.array(losses), dtype, np.abs(losses)).max() <= most
    assert errors(grad, np.array(slopes), dtype, np.array(sizes)).max() <= most
    assert errors(backward, np.array(slopes), dtype, np.array(sizes)).max() <= most
    for function in (lw.cross_entropy, lw.cross_entropy_with_grad, lw.cross_entropy_backward):
        assert "In float64 it is 10 with a `z_loss` above 0.001" in function.__doc__
