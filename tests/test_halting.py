"""PonderNet's halting distribution, loss and gradients beside mpmath and differences; ACT beside plain loops."""

import lanewise as lw
import numpy as np
import pytest
from lanewise.bounds import LEARNING_BOUNDS
from learning_bounds import assert_within
from mpmath import mp, mpf

RNG = np.random.default_rng(3)
DTYPES = [np.float32, np.float64]


def distribution(logits):
    """p of a row and its logarithms, with 400 bits."""
    with mp.workprec(400):
        stays, p = mpf(1), []
        for z in logits[:-1]:
            halt = 1 / (1 + mp.exp(-mpf(float(z))))
            p.append(stays * halt)
            stays *= 1 - halt
        return [*p, stays]


def loss_of(logits, losses, prior, beta):
    with mp.workprec(400):
        p = distribution(logits)
        q = [mpf(prior) * (1 - mpf(prior))**n for n in range(len(p))]
        total = mp.fsum(q)
        return mp.fsum(a * (mpf(float(cost)) + mpf(beta) * (mp.log(a) - mp.log(b / total)))
                       for a, cost, b in zip(p, losses, q, strict=True) if a > 0)


def gradient_of(logits, losses, prior, beta):
    """The closed form of the issue that asked for it, in mpmath."""
    with mp.workprec(400):
        p = distribution(logits)
        q = [mpf(prior) * (1 - mpf(prior))**n for n in range(len(p))]
        total = mp.fsum(q)
        g = [mpf(float(cost)) + mpf(beta) * (mp.log(a) - mp.log(b / total))
             for a, cost, b in zip(p, losses, q, strict=True)]
        found = []
        for k in range(len(p) - 1):
            halt = 1 / (1 + mp.exp(-mpf(float(logits[k]))))
            found.append(p[k] * g[k] - halt * mp.fsum(g[n] * p[n] for n in range(k, len(p))))
        return [*found, mpf(0)], p


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("steps", [1, 2, 5, 63, 64, 65, 100])
def test_distribution(dtype, steps):
    logits = RNG.normal(-1, 2, (3, steps)).astype(dtype)
    found, logs = lw.halting_distribution(logits), lw.halting_distribution(logits, log=True)
    assert found.dtype == logs.dtype == dtype
    np.testing.assert_allclose(found.sum(-1), 1, rtol=1e-6 if dtype == np.float32 else 1e-14)
    for row, p, log_p in zip(logits, found, logs, strict=True):
        exact_row = distribution(row)
        usual = [exact > 1e-30 for exact in exact_row]
        assert_within("halting_distribution", p[usual], np.array(exact_row, object)[usual])
        for exact, log_y in zip(exact_row, log_p, strict=True):
            assert float(log_y) == pytest.approx(float(mp.log(exact)), rel=1e-6 if dtype == np.float32 else 1e-13)


def test_a_probability_that_underflows_has_a_logarithm():
    logits = np.full((1, 50), 40.0)
    logs = lw.halting_distribution(logits, log=True)
    assert lw.halting_distribution(logits)[0, -1] == 0
    assert logs[0, -1] == pytest.approx(-49 * 40, rel=1e-12)
    loss, grad, _ = lw.ponder_loss_with_grad(logits, np.ones((1, 50)))
    assert np.isfinite(loss)
    assert np.isfinite(grad).all()
    for extreme in (np.inf, -np.inf):
        p = lw.halting_distribution([extreme, 0.0])
        assert p.tolist() == ([1, 0] if extreme > 0 else [0, 1])
        assert np.isfinite(lw.ponder_loss([[extreme, 0.0]], [[1.0, 1.0]]))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("steps", [1, 2, 7, 66])
@pytest.mark.parametrize(("prior", "beta"), [(0.2, 0.01), (0.5, 1.0), (0.9, 0.0)])
def test_loss_and_gradient(dtype, steps, prior, beta):
    logits, losses = RNG.normal(-1, 2, (2, steps)).astype(dtype), RNG.exponential(1, (2, steps)).astype(dtype)
    loss, grad, grad_losses = lw.ponder_loss_with_grad(logits, losses, prior, beta, reduction="none")
    assert np.array_equal(loss, lw.ponder_loss(logits, losses, prior, beta, reduction="none"))
    assert np.array_equal(grad_losses, lw.halting_distribution(logits))
    eps = np.finfo(dtype).eps
    for row, costs, value, slopes in zip(logits, losses, loss, grad, strict=True):
        exact = loss_of(row, costs, prior, beta)
        largest = max(1.0, float(np.abs(costs).max()))
        assert abs(float(value) - float(exact)) <= LEARNING_BOUNDS["ponder_loss"][np.dtype(dtype).name] * eps * largest
        for found, expected in zip(slopes, gradient_of(row, costs, prior, beta)[0], strict=True):
            assert abs(float(found) - float(expected)) <= 100 * np.finfo(float).eps * largest + 0.51 * eps * abs(found)
    for reduction, scale in (("mean", 0.5), ("sum", 1.0)):
        value, slopes, of_losses = lw.ponder_loss_with_grad(logits, losses, prior, beta, reduction=reduction)
        assert float(value) == pytest.approx(float(loss.sum()) * scale, rel=1e-6)
        np.testing.assert_allclose(slopes, grad * dtype(scale), rtol=1e-6)
        np.testing.assert_allclose(of_losses, grad_losses * dtype(scale), rtol=1e-6)
        backward = lw.ponder_loss_backward(dtype(2), logits, losses, prior, beta, reduction=reduction)
        np.testing.assert_allclose(backward[0], slopes * 2, rtol=1e-6)
        np.testing.assert_allclose(backward[1], of_losses * 2, rtol=1e-6)
    each = lw.ponder_loss_backward(dtype([1, -3]), logits, losses, prior, beta, reduction="none")
    np.testing.assert_allclose(each[0], grad * dtype([[1], [-3]]), rtol=1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_mean_of_losses_whose_sum_is_beyond_the_range(dtype):
    most = np.finfo(dtype).max
    losses, logits = np.full((4, 3), most * dtype(0.75)), np.zeros((4, 3), dtype)
    found = lw.ponder_loss(logits, losses)
    assert float(found) == pytest.approx(float(most) * 0.75, rel=1e-6)
    assert lw.ponder_loss(logits, losses, reduction="sum") == np.inf
    assert lw.ponder_loss_with_grad(logits, losses)[0] == found
    losses[1, 1] = np.inf
    assert lw.ponder_loss(logits, losses) == np.inf


@pytest.mark.parametrize("dtype", DTYPES)
def test_rows_of_awkward_losses(dtype):
    """Huge beside tiny, subnormal, of both signs, and steps that are never reached."""
    info = np.finfo(dtype)
    most, least = float(info.max), float(info.smallest_subnormal)
    rows = [[most, -most, most * 1e-3, 1.0], [most, least, -3 * least, 0.0], [-most, most, least, -1.0],
            [least, 2 * least, 5 * least, least], [1.0, -0.0, 0.0, -1e-30]]
    logits = [[0.3, -0.7, 1.0, 0.0], [-600.0, -700.0, 1.0, 0.0], [40.0, 50.0, -60.0, 0.0], [-1e30, 200.0, 0.0, 0.0],
              [-0.0, least, -least, 0.0]]
    for costs in rows:
        for row in logits:
            costs_of, row_of = np.array([costs], dtype), np.array([row], dtype)
            for beta in (0.0, 0.01):
                loss, grad, of_losses = lw.ponder_loss_with_grad(row_of, costs_of, 0.2, beta)
                terms = costs_of[0] * lw.halting_distribution(row_of).astype(np.float64)[0]
                size = max(np.abs(terms).max(), beta * 1000)
                allowed = 100 * np.finfo(float).eps * size + 0.51 * float(info.eps) * size + least
                exact = loss_of(row_of[0], costs_of[0], 0.2, beta)
                assert abs(float(loss) - float(exact)) <= allowed
                for found, expected in zip(grad[0], gradient_of(row_of[0], costs_of[0], 0.2, beta)[0], strict=True):
                    assert abs(float(found) - float(expected)) <= allowed
                assert of_losses.sum() == pytest.approx(1, rel=1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
def test_gradients_of_act_whose_differences_are_beyond_the_range(dtype):
    most, least = float(np.finfo(dtype).max), float(np.finfo(dtype).smallest_subnormal)
    grad = np.array([[most, most / 4, -most, 0, 7], [least, -most, most, 0, 7], [np.inf, 1, 1, 0, 0],
                     [np.nan, 1, 2, 0, 0]], dtype)
    cost = np.array([most, -most, 0, 0], dtype)
    found = lw.act_halting_backward(cost, grad, np.array([3, 3, 3, 3]))
    with mp.workprec(2400):
        exact = [[mpf(float(one)) - mpf(float(row[2])) - mpf(float(c)) for one in row[:2]]
                 for row, c in zip(grad[:2], cost, strict=False)]
        terms = np.full((2, 2), mpf(most), object)
        assert_within("act_halting_backward", found[:2, :2], np.array(exact, object), terms)
    assert np.isfinite(found[:2]).all()
    assert found[2].tolist() == [np.inf, 0, 0, 0, 0]
    assert np.isnan(found[3]).tolist() == [True, False, False, False, False]


def test_the_gradient_is_the_derivative():
    logits, losses = RNG.normal(-1, 1, (2, 9)), RNG.exponential(1, (2, 9))
    _, grad, grad_losses = lw.ponder_loss_with_grad(logits, losses, 0.3, 0.5)
    step = 1e-6
    for array, slope in ((logits, grad), (losses, grad_losses)):
        for place in np.ndindex(array.shape):
            kept, difference = array[place], 0.0
            for sign in (1, -1):
                array[place] = kept + sign * step
                difference += sign * float(lw.ponder_loss(logits, losses, 0.3, 0.5))
            array[place] = kept
            assert slope[place] == pytest.approx(difference / (2 * step), abs=1e-8)


@pytest.mark.parametrize("dtype", DTYPES)
def test_neither_threads_nor_neighbours_nor_layout_matter(dtype):
    logits, losses = RNG.normal(-1, 1, (5000, 7)).astype(dtype), RNG.exponential(1, (5000, 7)).astype(dtype)
    expected = lw.ponder_loss_with_grad(logits, losses, reduction="none")
    for threads in (1, 2, 3):
        lw.set_num_threads(threads)
        found = lw.ponder_loss_with_grad(logits, losses, reduction="none")
        assert all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))
    lw.set_num_threads(2)
    found = lw.ponder_loss_with_grad(np.asfortranarray(logits)[77:78], losses[77:78], reduction="none")
    assert all(np.array_equal(a, b[77:78]) for a, b in zip(found, expected, strict=True))
    halves = lw.halting_distribution(logits[:9].astype(np.float16))
    single = lw.halting_distribution(logits[:9].astype(np.float16).astype(np.float32))
    assert np.array_equal(halves, single.astype(np.float16))


def test_sampled_steps_are_of_the_distribution():
    logits = np.array([-1.0, 0.5, -2.0, 1.0, 0.0])
    many = np.broadcast_to(logits, (200_000, 5))
    steps = lw.sample_halting(many, 17)
    assert steps.dtype == np.int64
    counts = np.bincount(steps, minlength=5) / len(steps)
    p = lw.halting_distribution(logits)
    assert np.abs(counts - p).max() < 4.5 * np.sqrt(0.25 / len(steps))
    lw.set_num_threads(3)
    assert np.array_equal(lw.sample_halting(many, 17), steps)
    lw.set_num_threads(2)
    assert np.array_equal(lw.sample_halting(many[:10], 17), steps[:10])
    assert not np.array_equal(lw.sample_halting(many, 17, generation=1), steps)
    assert lw.sample_halting(np.full((50, 3), -1000.0), 1).tolist() == [2] * 50
    assert lw.sample_halting(np.full((50, 3), 1000.0), 1).tolist() == [0] * 50


def act(row, eps):
    total, n = 0.0, 0
    while total + row[n] < 1 - eps and n < len(row) - 1:
        total += row[n]
        n += 1
    return n + 1, 1 - total, [*row[:n], 1 - total, *[0.0] * (len(row) - n - 1)]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("steps", [1, 3, 10])
def test_act(dtype, steps):
    h = RNG.uniform(0, 0.5, (300, steps)).astype(dtype)
    count, remainder, cost, weights = lw.act_halting(h, 0.01)
    for row, n, r, c, w in zip(h.astype(float), count, remainder, cost, weights, strict=True):
        expected = act(row, 0.01)
        assert n == expected[0]
        assert r == dtype(expected[1])
        assert c == dtype(n + expected[1])
        assert np.array_equal(w, np.array(expected[2], dtype))
    np.testing.assert_allclose(weights.sum(-1), 1, rtol=1e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_act_halts_where_the_sum_is_just_enough(dtype):
    count, remainder, cost, weights = lw.act_halting(np.array([[0.5, 0.25, 0.25], [0.5, 0.125, 0.25]], dtype), 0.25)
    assert (count == [2, 3]).all()
    assert (remainder == [0.5, 0.375]).all()
    assert (cost == [2.5, 3.375]).all()
    assert (weights == [[0.5, 0.5, 0], [0.5, 0.125, 0.375]]).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_of_a_nan_that_act_halting_meets_nothing_is_known(dtype):
    h = np.array([[0.25, np.nan, 0.5], [0.25, 0.75, np.nan]], dtype)
    count, remainder, cost, weights = lw.act_halting(h, 0.01)
    np.testing.assert_array_equal(count, [2, 2])
    np.testing.assert_array_equal(remainder, [np.nan, 0.75])
    np.testing.assert_array_equal(cost, [np.nan, 2.75])
    np.testing.assert_array_equal(weights, [[0.25, np.nan, 0], [0.25, 0.75, 0]])


def test_act_backward_is_the_derivative():
    h, grad_cost, grad_weights = RNG.uniform(0, 0.4, (20, 6)), RNG.normal(size=20), RNG.normal(size=(20, 6))
    steps = lw.act_halting(h)[0]
    found = lw.act_halting_backward(grad_cost, grad_weights, steps)
    step = 1e-7
    for place in np.ndindex(h.shape):
        kept, difference, same = h[place], 0.0, True
        for sign in (1, -1):
            h[place] = kept + sign * step
            count, _, cost, weights = lw.act_halting(h)
            same = same and np.array_equal(count, steps)
            difference += sign * ((cost * grad_cost).sum() + (weights * grad_weights).sum())
        h[place] = kept
        if same:
            assert found[place] == pytest.approx(difference / (2 * step), abs=1e-6)


@pytest.mark.parametrize(("call", "error", "message"), [
    (lambda: lw.halting_distribution(3.0), ValueError, r"halting_distribution: logits must have at least one step"),
    (lambda: lw.halting_distribution(np.zeros((3, 0))), ValueError, r"at least one step .* not shape \(3, 0\)"),
    (lambda: lw.ponder_loss([[1.0, 2.0]], [[1.0]]), ValueError, r"step_losses of shape \(1, 1\) does not fit logits"),
    (lambda: lw.ponder_loss([[1.0]], [[1.0]], 0), ValueError, "ponder_loss: prior must be between 0 and 1, not 0"),
    (lambda: lw.ponder_loss([[1.0]], [[1.0]], beta=-1), ValueError, "beta must be a finite number of 0 or more"),
    (lambda: lw.ponder_loss([[1.0]], [[1.0]], reduction="max"), ValueError, "reduction 'max' is unknown"),
    (lambda: lw.ponder_loss_backward([1.0], [[1.0]], [[1.0]]), ValueError, r"grad of shape \(1,\) does not fit a loss"),
    (lambda: lw.sample_halting([[1.0]], None), TypeError, "sample_halting: rng is an int"),
    (lambda: lw.act_halting([[1.0]], 2), ValueError, "act_halting: eps must be from 0 to 1, not 2"),
    (lambda: lw.act_halting_backward(1.0, [[1.0]], [3]), ValueError, "steps must be ints from 1 to 1"),
    (lambda: lw.act_halting_backward([1.0, 2.0], [[1.0]], [1]), ValueError, "do not fit"),
])
def test_errors_say_what_was_given(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize("rows", [0, 1])
def test_no_rows(rows):
    logits = np.zeros((rows, 3))
    assert lw.halting_distribution(logits).shape == (rows, 3)
    assert lw.sample_halting(logits, 1).shape == (rows,)
    assert lw.ponder_loss(logits, logits, reduction="none").shape == (rows,)
    assert [each.shape for each in lw.act_halting(logits)] == [(rows,), (rows,), (rows,), (rows, 3)]
    assert lw.ponder_loss_with_grad(logits, logits)[1].shape == (rows, 3)


def test_the_mean_of_an_empty_batch_is_nan():
    empty = np.zeros((0, 3), np.float32)
    assert np.isnan(lw.ponder_loss(empty, empty))
    loss, *grads = lw.ponder_loss_with_grad(empty, empty)
    assert np.isnan(loss)
    assert loss.dtype == np.float32
    assert [grad.shape for grad in (*grads, *lw.ponder_loss_backward(1.0, empty, empty))] == [(0, 3)] * 4
    assert lw.ponder_loss(empty, empty, reduction="sum") == 0
    assert lw.ponder_loss(empty, empty, reduction="none").shape == (0,)


@pytest.mark.parametrize("size", [88.0, 100.0, 103.9, 699.0, 701.0, 1e30, np.inf])
def test_extreme_logits_are_those_of_float64(size):
    # float32 has series of its own, whose exponential ends at 700
    logits = np.array([[size, 0.5, -1.0], [-size, 0.5, -1.0], [0.5, size, size], [0.5, -size, size], [-size] * 3,
                       [size] * 3, [0.5, size, np.nan]])
    losses = np.arange(1.0, 22.0).reshape(7, 3)
    wide = [lw.halting_distribution(logits), lw.halting_distribution(logits, log=True),
            *lw.ponder_loss_with_grad(logits, losses, reduction="none")]
    logits, losses = logits.astype(np.float32), losses.astype(np.float32)
    single = [lw.halting_distribution(logits), lw.halting_distribution(logits, log=True),
              *lw.ponder_loss_with_grad(logits, losses, reduction="none")]
    for found, expected in zip(single, wide, strict=True):
        np.testing.assert_allclose(found[:6], expected[:6], rtol=2e-7, atol=1e-37)
    assert np.isfinite(single[2][:4]).all()
    nothing = np.full((1, 3), np.nan, np.float32)
    assert np.isnan(lw.halting_distribution(nothing)).all()
    assert np.isnan(lw.halting_distribution(nothing, log=True)).all()
    loss, grad, _ = lw.ponder_loss_with_grad(nothing, nothing)
    assert np.isnan(loss)
    assert np.isnan(grad[0, :2]).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_row_is_its_own(dtype):
    # rows are taken some at a time: neither how many there are nor where a row stands changes a bit of it
    logits, losses = RNG.normal(-1, 2, (19, 70)).astype(dtype), RNG.exponential(1, (19, 70)).astype(dtype)
    together = [*lw.ponder_loss_with_grad(logits, losses, reduction="none"), lw.halting_distribution(logits, log=True)]
    for row in range(19):
        here = slice(row, row + 1)
        alone = [*lw.ponder_loss_with_grad(logits[here], losses[here], reduction="none"),
                 lw.halting_distribution(logits[here], log=True)]
        assert all(a.tobytes() == b[here].tobytes() for a, b in zip(alone, together, strict=True))
    poisoned = logits.copy()
    poisoned[7] = np.nan
    found = lw.ponder_loss_with_grad(poisoned, losses, reduction="none")
    assert all(np.array_equal(np.delete(a, 7, 0), np.delete(b, 7, 0))
               for a, b in zip(found, together[:3], strict=True))
