"""A row is nobody's business but its own: neither what stands in another row nor the lanes past its end reach it."""

import along_axis
import lanewise as lw
import numpy as np
import oracles
import pytest
from lanewise.kernels import losses

FOREIGN = [np.inf, -np.inf, np.nan, 1e31, -1e31, 1e-42, 0.0]
TOGETHER = {"group_norm, one group"}  # whose channels are normed together


def per_row(name, found, rows):
    # what of the results belongs to one row each
    if name.startswith(("rms_norm_backward", "layer_norm_backward")):
        found = found[:1]
    return [np.asarray(part) for part in found if np.shape(part)[:1] == (rows,)]


@pytest.mark.parametrize("dtype", oracles.DTYPES)
@pytest.mark.parametrize("name", along_axis.ALONG)
def test_another_row_changes_no_bit(name, dtype):
    kinds = along_axis.EVERY[name][0]
    for n in (3, 24, 67):
        arrays = along_axis.operands(name, (6, n), dtype)
        expected = [part[2].tobytes() for part in per_row(name, along_axis.results(name, arrays), 6)]
        assert expected
        for value in FOREIGN:
            changed = [array.copy() for array in arrays]
            for kind, array in zip(kinds, changed, strict=True):
                if kind == "r":
                    with np.errstate(all="ignore"):
                        array[[0, 1, 3, 5]] = value * np.where(np.arange(n) % 3, 1, -1)
            with np.errstate(all="ignore"):  # a loss of 1e32 is infinite in float32
                found = per_row(name, along_axis.results(name, changed), 6)
            assert [part[2].tobytes() for part in found] == expected, (n, value)


def hostile(kinds, arrays, turn):
    """Put numbers beyond the ordinary into a few of the rows, so that these are not computed beside the others."""
    for kind, array in zip(kinds, arrays, strict=True):
        if kind == "r" and turn:
            rows = np.arange(turn, len(array), 7)
            with np.errstate(all="ignore"):
                array[rows] *= np.resize([1e30, 1e-30, np.inf, 1.0], len(rows))[:, None].astype(array.dtype)
                array[turn, -1] = [0.0, np.nan, -np.inf, 2e6, -0.0][turn]
            array[-1] = 0.0


@pytest.mark.parametrize("dtype", oracles.DTYPES)
@pytest.mark.parametrize("name", along_axis.ALONG)
def test_rows_side_by_side_have_the_bits_of_each_alone(name, dtype):
    # several short rows share registers; one alone does not
    kinds, rows = along_axis.EVERY[name][0], 21
    for n in (1, 2, 7, 8, 10, 16, 33, 64, 65, 127, 128, 129, 200, 256, 257):
        if "h" in kinds and n % 2:
            continue
        for turn in range(5):
            arrays = along_axis.operands(name, (rows, n), dtype, seed=turn)
            hostile(kinds, arrays, turn)
            with np.errstate(all="ignore"):
                found = per_row(name, along_axis.results(name, arrays), rows)
                alone = [per_row(name, along_axis.results(name, [
                    array if kind in "vh" else array[r:r + 1].copy() for kind, array in zip(kinds, arrays, strict=True)
                ]), 1) for r in range(rows)]
            assert found
            for k, part in enumerate(found):
                assert along_axis.bits(part) == along_axis.bits([one[k][0] for one in alone]), (n, turn)


@pytest.mark.parametrize("name", along_axis.ALONG)
def test_many_short_rows_have_the_bits_of_a_few(name):
    # short rows of float32 are turned to stand side by side, several registers of them at a time
    kinds, rows = along_axis.EVERY[name][0], 150
    for n in (2, 5, 10, 32, 64, 112):
        for turn in (0, 3):
            arrays = along_axis.operands(name, (rows, n), np.float32, seed=turn)
            hostile(kinds, arrays, turn)
            with np.errstate(all="ignore"):
                found = per_row(name, along_axis.results(name, arrays), rows)
                for r in range(0, rows, 3):
                    few = per_row(name, along_axis.results(name, [
                        array if kind in "vh" else array[r:r + 3].copy()
                        for kind, array in zip(kinds, arrays, strict=True)]), 3)
                    for part, expected in zip(found, few, strict=True):
                        assert along_axis.bits(part[r:r + 3]) == along_axis.bits(expected), (n, turn, r)


def _weights(x, axis):
    return np.linspace(-0.5, 2, x.shape[axis]).astype(x.dtype)


def _of_every_size(grad):
    # exponentials are raised by what follows from the scale of their row, and zeros keep its sign
    return grad * np.resize([1.0, -1e-30, 1e20, 0.0, -1e35, 1e-44, -np.inf], grad.shape)


# of an axis, numbers a row, and a class a row
ACROSS = {
    "softmax": ("r", lambda axis, x: [lw.softmax(x, axis)]),
    "log_softmax": ("r", lambda axis, x: [lw.log_softmax(x, axis)]),
    "softmin": ("r", lambda axis, x: [lw.softmin(x, axis)]),
    "softmax, safe": ("r", lambda axis, x: [lw.softmax(x, axis, safe=True), lw.softmin(x, axis, safe=True),
                                            lw.log_softmax(x, axis, safe=True)]),
    "softmax, where": ("rr", lambda axis, x, other: [function(x, axis, where=other > -1) for function in (
        lw.softmax, lw.softmin, lw.log_softmax)]),
    "logsumexp": ("r", lambda axis, x: [lw.logsumexp(x, axis)]),
    "softmax_backward": ("rr", lambda axis, grad, y: [lw.softmax_backward(grad, y, axis)]),
    "log_softmax_backward": ("rr", lambda axis, grad, y: [lw.log_softmax_backward(grad, y, axis)]),
    "cross_entropy": ("rt", lambda axis, x, target: [lw.cross_entropy(
        x, target, axis=axis, ignore_index=0, reduction="none")]),
    "cross_entropy_with_grad": ("rt", lambda axis, x, target: lw.cross_entropy_with_grad(
        x, target, axis=axis, ignore_index=0, reduction="none")),
    "cross_entropy_with_grad, smoothed": ("rt", lambda axis, x, target: lw.cross_entropy_with_grad(
        x, target, axis=axis, label_smoothing=0.1, z_loss=1e-3)[::-1]),
    "cross_entropy, weighted": ("rt", lambda axis, x, target: [lw.cross_entropy(
        x, target, axis=axis, ignore_index=0, reduction="none", weight=_weights(x, axis))]),
    "cross_entropy_with_grad, weighted": ("rt", lambda axis, x, target: lw.cross_entropy_with_grad(
        x, target, axis=axis, ignore_index=0, reduction="none", weight=_weights(x, axis), z_loss=1e-3)),
    "cross_entropy_with_grad, weighted and smoothed": ("rt", lambda axis, x, target: lw.cross_entropy_with_grad(
        x, target, axis=axis, ignore_index=0, weight=_weights(x, axis), label_smoothing=0.1)[1:]),
    "cross_entropy_with_grad, probabilities": ("rr", lambda axis, x, wanted: lw.cross_entropy_with_grad(
        x, np.maximum(wanted, 0), axis=axis, reduction="none", z_loss=1e-3)),
    "cross_entropy_with_grad, probabilities and weights": ("rr", lambda axis, x, wanted: lw.cross_entropy_with_grad(
        x, np.maximum(wanted, 0), axis=axis, weight=_weights(x, axis), label_smoothing=0.1)[1:]),
    "logsumexp_backward": ("rs", lambda axis, x, grad: [lw.logsumexp_backward(
        _of_every_size(grad), x, axis), lw.logsumexp_backward(_of_every_size(grad), x, axis, where=x < 3)]),
    "cross_entropy_backward, gradients of every size": ("rts", lambda axis, x, target, grad: [
        lw.cross_entropy_backward(_of_every_size(grad), x, target, axis=axis, reduction="none", z_loss=1e-3)]),
    "cross_entropy_backward": ("rts", lambda axis, x, target, grad: [lw.cross_entropy_backward(
        grad, x, target, axis=axis, reduction="none")]),
    # each zero gives zeros of its own sign
    "cross_entropy_backward, gradients of 0": ("rts", lambda axis, x, target, grad: [lw.cross_entropy_backward(
        np.copysign(0.0, grad), x, target, axis=axis, reduction="none", weight=weight, label_smoothing=smoothing)
        for weight in (None, _weights(x, axis)) for smoothing in (0.0, 0.1)]),
}


@pytest.mark.parametrize("dtype", oracles.DTYPES)
@pytest.mark.parametrize("name", ACROSS)
def test_rows_that_are_neighbours_in_memory_have_the_bits_of_others(name, dtype):
    # along the first axis or a middle one, a row is a lane of registers
    kinds, call = ACROSS[name]
    own, rows = oracles.dtype_named(dtype), 38
    for n in (1, 2, 3, 7, 8, 9, 16, 17, 31, 33, 64, 127, 128, 129, 256, 257):
        for turn in range(5):
            rng = np.random.default_rng(turn)
            made = {"r": lambda rng=rng, n=n: rng.normal(0, 2, (rows, n)).astype(own),
                    "t": lambda rng=rng, n=n: rng.integers(0, n, rows), "s": lambda rng=rng: rng.normal(0, 1, rows)}
            arrays = [made[kind]() for kind in kinds]
            hostile(kinds, arrays, turn)
            with np.errstate(all="ignore"):
                expected = call(-1, *arrays)
                first = call(0, *(array.T.copy() for array in arrays))
                middle = call(1, *(np.ascontiguousarray(np.moveaxis(array.reshape(2, 19, -1), 1, -1)).reshape(
                    (2, n, 19) if kind == "r" else (2, 19)) for kind, array in zip(kinds, arrays, strict=True)))
            for k, part in enumerate(expected):
                back = [np.asarray(first[k]).T, np.asarray(middle[k])]
                if np.ndim(part) == 2:
                    back[1] = np.moveaxis(back[1], 1, -1)
                for found in back:
                    assert along_axis.bits([found.reshape(np.shape(part))]) == along_axis.bits([part]), (n, turn)


@pytest.mark.parametrize("dtype", oracles.DTYPES)
@pytest.mark.parametrize("name", ACROSS)
def test_many_rows_of_a_wider_array_have_the_bits_of_others(name, dtype):
    # as many registers of rows at once as a kernel takes; and elements whole pages apart, which pass through tiles
    kinds, call = ACROSS[name]
    own, rows, rng = oracles.dtype_named(dtype), 201, np.random.default_rng(3)
    for n in (3, 9, 16, 17, 128, 256, 300, 4096, 4097):
        arrays = [rng.normal(0, 2, (rows, n)).astype(own) if kind == "r" else
                  rng.integers(0, n, rows) if kind == "t" else rng.normal(0, 1, rows) for kind in kinds]
        hostile(kinds, arrays, 3)
        wider = [np.zeros((n, 4096 if n < 4096 else 256), own) if kind == "r" else array
                 for kind, array in zip(kinds, arrays, strict=True)]
        for kind, room, array in zip(kinds, wider, arrays, strict=True):
            if kind == "r":
                room[:, :rows] = array.T
        with np.errstate(all="ignore"):
            expected = call(-1, *arrays)
            found = call(0, *(room[..., :rows] for room in wider))
        for part, own_part in zip(expected, found, strict=True):
            assert along_axis.bits([np.asarray(own_part).T]) == along_axis.bits([part]), n


@pytest.mark.parametrize("dtype", oracles.DTYPES)
@pytest.mark.parametrize("name", ACROSS)
def test_very_many_rows_have_the_bits_of_others_wherever_they_begin(name, dtype):
    # those before a register's boundary are computed first, and then long runs of the others
    kinds, call = ACROSS[name]
    own, rows, rng = oracles.dtype_named(dtype), 1201, np.random.default_rng(4)
    for n in (2, 5, 9, 33, 150):
        arrays = [rng.normal(0, 2, (rows, n)).astype(own) if kind == "r" else
                  rng.integers(0, n, rows) if kind == "t" else rng.normal(0, 1, rows) for kind in kinds]
        for turn in range(2):
            with np.errstate(all="ignore"):
                expected = call(-1, *arrays)
            for start in (0, 4, 7):
                room = [np.zeros((n, 1216), own)[:, start:start + rows] if kind == "r" else array
                        for kind, array in zip(kinds, arrays, strict=True)]
                for kind, place, array in zip(kinds, room, arrays, strict=True):
                    if kind == "r":
                        place[...] = array.T
                with np.errstate(all="ignore"):
                    found = call(0, *room)
                for part, own_part in zip(expected, found, strict=True):
                    assert along_axis.bits([np.asarray(own_part).T]) == along_axis.bits([part]), (n, start)
            hostile(kinds, arrays, turn)


@pytest.mark.parametrize("dtype", oracles.DTYPES)
@pytest.mark.parametrize("options", [
    {}, {"z_loss": 1e-3}, {"label_smoothing": 0.1}, {"weight": np.linspace(0.5, 2, 40)},
    {"weight": np.linspace(0.5, 2, 40), "label_smoothing": 0.1}])
@pytest.mark.parametrize("probable", [False, True])
def test_the_backward_makes_no_losses_and_has_the_same_bits(dtype, options, probable):
    rng = np.random.default_rng(8)
    for classes in (3, 20, 40):  # neighbours, rows that are copied to be so, rows eight at a time
        shape = (19, classes)
        x, target = rng.normal(0, 2, shape).astype(oracles.dtype_named(dtype)), rng.integers(0, classes, 19)
        if probable:
            target = rng.random(shape).astype(x.dtype)
        else:
            target[3] = target[12] = -100
        own = {**options, **({} if probable else {"ignore_index": -100})}
        if "weight" in own:
            own["weight"] = own["weight"][:classes]
        expected = lw.cross_entropy_with_grad(x, target, **own)[1]
        assert lw.cross_entropy_backward(1.0, x, target, **own).tobytes() == expected.tobytes()
        for each in (x[:5], np.asfortranarray(x), x[::-1].copy()[::-1], x.T.copy().T):  # one after the other; by NumPy
            found = lw.cross_entropy_backward(1.0, each, target[:len(each)], reduction="sum", **own)
            both = lw.cross_entropy_with_grad(each, target[:len(each)], reduction="sum", **own)[1]
            assert found.tobytes() == both.tobytes()
        across = np.ascontiguousarray(x.T), target.T if probable else target
        assert lw.cross_entropy_backward(1.0, *across, axis=0, **own).T.tobytes() == expected.tobytes()
        out = np.empty_like(x)
        assert lw.cross_entropy_backward(1.0, x, target, out=out, **own) is out
        assert out.tobytes() == expected.tobytes()


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 8, 9, 21, 32, 33])
def test_few_classes_along_the_first_axis_have_the_bits_of_each_row_alone(n):
    # their sums begin with what follows from the second largest, which may be the largest again or minus infinity
    x = np.round(np.random.default_rng(n).standard_normal((n, 83)) * 4).astype(np.float32) / 4
    x[1:, 16:32] -= np.float32([0.0, 20.0, 90.0, 1e9])[:, None, None].repeat(4, 1).reshape(1, 16)
    x[1:, 32:48] = -np.inf
    x[:, 48:60] *= np.float32(3e4)
    x[-1, 70] = np.nan
    target = np.arange(83) % n
    with np.errstate(all="ignore"):
        columns = lw.log_softmax(x, axis=0)
        losses = lw.cross_entropy(x, target, reduction="none", axis=0)
        loss, grad = lw.cross_entropy_with_grad(x, target, reduction="none", axis=0)
        for k in range(83):
            row = x[:, k].copy()
            assert along_axis.bits(columns[:, k]) == along_axis.bits(lw.log_softmax(row))
            alone = lw.cross_entropy_with_grad(row[None], target[k:k + 1], reduction="none")
            assert along_axis.bits(losses[k:k + 1]) == along_axis.bits(loss[k:k + 1]) == along_axis.bits(alone[0])
            assert along_axis.bits(grad[:, k]) == along_axis.bits(alone[1][0])


def test_neighbouring_rows_may_have_weights_of_their_own():
    x = np.random.default_rng(0).normal(size=(10, 40)).astype(np.float32)
    weights, target = np.abs(x.T[::-1]).copy(), np.arange(40) % 10
    for across in (weights, weights[0]):
        side_by_side, alone = (losses.weighted_cross_entropy_gufunc(rows, target, across, 0.1, 0.0)
                               for rows in (x.T, x.T.copy()))
        assert along_axis.bits(side_by_side) == along_axis.bits(alone)


@pytest.mark.parametrize("dtype", oracles.DTYPES)
@pytest.mark.parametrize("name", [name for name in along_axis.CHANNELS if name not in TOGETHER])
@pytest.mark.parametrize("shape", [(40, 6), (3, 6, 5)])
def test_another_channel_changes_no_bit(name, shape, dtype):
    def of_channel(found):
        return [(part[2] if part.shape == (6,) else part[:, 2]).tobytes() for part in map(np.asarray, found)]
    kinds = along_axis.EVERY[name][0]
    arrays = along_axis.operands(name, shape, dtype)
    for kind, array in zip(kinds, arrays, strict=True):
        if kind == "r":
            array[:, 2] += 3  # not where its first examples are
    expected = of_channel(along_axis.results(name, arrays))
    for value in FOREIGN:
        changed = [array.copy() for array in arrays]
        for kind, array in zip(kinds, changed, strict=True):
            if kind == "r":
                with np.errstate(all="ignore"):
                    array[:, [0, 1]] = value
                    array[: len(array) // 2, [3, 5]] = value
        with np.errstate(all="ignore"):
            found = of_channel(along_axis.results(name, changed))
        assert found == expected, value


@pytest.mark.parametrize("dtype", ["bfloat16", "float32", "float64"])
def test_masked_rows(dtype):
    # the lanes past the end hold 0, which is far above the least number
    dtype = oracles.dtype_named(dtype)
    low = -1e300 if dtype == np.float64 else -3e38
    for n in range(1, 70):
        x = np.full((3, n), low).astype(dtype)
        few = float(np.spacing(np.float32(1))) * 4 if dtype.itemsize > 2 else 0.01
        target = np.arange(3) % n
        np.testing.assert_allclose(lw.softmax(x).astype(float), 1 / n, rtol=few)
        np.testing.assert_allclose(lw.log_softmax(x).astype(float), -np.log(n), rtol=few)
        assert (lw.logsumexp(x) == x[:, 0]).all()
        loss, grad = lw.cross_entropy_with_grad(x, target, reduction="none")
        np.testing.assert_allclose(loss.astype(float), np.log(n), rtol=few)
        np.testing.assert_allclose(grad.astype(float), 1 / n - np.eye(n)[target], rtol=few, atol=few)
        x[:, -1] = 0.0 if n > 1 else low
        assert (lw.log_softmax(x)[:, -1] == 0).all()
        assert (lw.logsumexp(x) == x[:, -1]).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_mean_and_an_rstd_do_not_meet_past_the_end(dtype):
    # (0 - mean) * rstd is infinite there, and 0 * infinity is NaN
    mean, rstd = (2.0 ** 100, 2.0 ** 60) if dtype == "float32" else (2.0 ** 1000, 2.0 ** 400)
    for n in range(1, 70):
        x, grad = np.full((2, n), mean, dtype), np.ones((2, n), dtype)
        statistics = np.full(2, mean), np.full(2, rstd)
        for part in lw.layer_norm_backward(grad, x, np.ones(n, dtype), np.ones(n, dtype), mean=statistics[0],
                                           rstd=statistics[1]):
            assert np.isfinite(part).all(), n
        for part in (*lw.group_norm_backward(grad, x, 1, mean=statistics[0][:, None], rstd=statistics[1][:, None]),
                     *lw.batch_norm_backward(grad[:, None], x[:, None], mean=[mean], rstd=[rstd], training=True),
                     *lw.batch_norm_backward(grad.T, x.T, mean=statistics[0], rstd=statistics[1], training=True)):
            assert np.isfinite(part).all(), n


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
@pytest.mark.parametrize("grad", [0.0, -0.0, 5e-324, np.inf])
def test_gradients_of_zero_keep_the_sign_of_each_row_alone(dtype, grad):
    # exponentials far below the largest, times such a gradient, are zeros of a sign, beside others and along any axis
    x = (along_axis.operands("softmax", (40, 5), "float64")[0] * 80).astype(dtype)
    target, grads = np.arange(40) % 5, np.full(40, grad)

    def along(axis, rows):
        with np.errstate(all="ignore"):
            found = lw.cross_entropy_backward(grads[rows], x[rows] if axis else x[rows].T.copy(), target[rows],
                                              axis=axis, reduction="none")
        found = found if axis else found.T
        return np.where(np.isnan(found), 0, found).astype(dtype).tobytes() + np.isnan(found).tobytes()

    every = [along(1, slice(k, k + 1)) for k in range(40)]
    bits = [along(axis, slice(None)) for axis in (1, 0)]
    size = 5 * x.itemsize
    for together in bits:
        assert [together[k * size:(k + 1) * size] for k in range(40)] == [alone[:size] for alone in every]


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("n", [1, 3, 8, 12, 13, 32, 33])
def test_a_few_rows_left_over_have_the_bits_of_each_alone(n, dtype):
    # copies fill a register of rows; in the place of the input, and of kinds that only other kernels take
    x = along_axis.operands("softmax", (31, n), "float64")[0].astype(dtype)
    x[3], x[9, 0], x[12, -1] = -np.inf, np.nan, np.inf
    target, grads = np.arange(31) % n, np.linspace(-2, 2, 31)
    weight = np.linspace(0.5, 2, n).astype(np.float32)

    def found(rows):
        entropy = {"target": target[rows], "reduction": "none"}
        place = x[rows].copy()
        with np.errstate(all="ignore"):
            return [lw.softmax(x[rows]), lw.log_softmax(place, out=place), lw.logsumexp(x[rows]),
                    lw.cross_entropy(x[rows], **entropy), lw.cross_entropy(x[rows], weight=weight, **entropy),
                    lw.cross_entropy(x[rows], np.abs(x[rows]), reduction="none"),
                    lw.cross_entropy_backward(grads[rows], x[rows], **entropy),
                    lw.cross_entropy_backward(grads[rows], x[rows], weight=weight, **entropy),
                    *lw.cross_entropy_with_grad(x[rows], weight=weight, label_smoothing=0.1, **entropy)]

    alone = [np.concatenate(parts) for parts in zip(*(found(slice(r, r + 1)) for r in range(31)), strict=True)]
    for first, count in ((0, 5), (2, 7), (7, 9), (4, 12), (3, 15), (0, 31)):
        rows = slice(first, first + count)
        for some, each in zip(found(rows), alone, strict=True):
            np.testing.assert_array_equal(some.view(f"u{x.itemsize}")[some == some],
                                          each[rows].view(f"u{x.itemsize}")[some == some])
            assert (np.isnan(some) == np.isnan(each[rows])).all()


@pytest.mark.parametrize("n", [257, 1000, 1025])
@pytest.mark.parametrize("probable", [False, True])
def test_long_rows_of_a_loss_side_by_side_are_those_of_one_row(n, probable):
    rng = np.random.default_rng(n)
    x, target = rng.normal(size=(20, n)).astype(np.float32) * 5, rng.integers(0, n, 20)
    x[3], x[9, 5], x[14, n // 2:] = -np.inf, np.nan, -1e9
    if probable:
        target = rng.dirichlet(np.ones(n), 20).astype(np.float32)
    options = {"reduction": "none", "label_smoothing": 0.1, "weight": rng.uniform(0.5, 1.5, n).astype(np.float32)}
    alone = [lw.cross_entropy_with_grad(x[k:k + 1], target[k:k + 1], **options) for k in range(20)]
    found = lw.cross_entropy_with_grad(x, target, out=x, **options)
    for which in range(2):
        np.testing.assert_array_equal(found[which], np.concatenate([one[which] for one in alone]))
