"""Optimisers' steps and the norm of gradients: beside formulas in a wider dtype, beside PyTorch where it is installed,
and by what must not matter: threads, layouts, how many arrays."""

import lanewise as lw
import numpy as np
import pytest
from learning_bounds import FLOATS, WIDER, assert_within, normal, wide
from mpmath import mp, mpf


def sgd(p, g, v, lr, momentum, dampening, nesterov, decay):
    d = g + decay * p
    if v is not None:
        v = momentum * v + (1 - dampening) * d
        d = d + momentum * v if nesterov else v
    return p - lr * d, v


def adamw(p, g, m, v, step, lr, betas, eps, decay):
    m, v = betas[0] * m + (1 - betas[0]) * g, betas[1] * v + (1 - betas[1]) * g * g
    update = m / (1 - betas[0]**step) / (np.sqrt(v / (1 - betas[1]**step)) + eps)
    return p * (1 - lr * decay) - lr * update, m, v, lr * update


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("options", [
    (0.1, 0.0, 0.0, False, 0.0), (0.1, 0.0, 0.0, False, 0.02), (0.1, 0.9, 0.0, False, 0.0),
    (0.1, 0.9, 0.3, False, 0.01),
    (0.1, 0.9, 0.0, True, 0.01)])
@pytest.mark.parametrize("n", [1, 7, 100, 8193])
def test_sgd_step(dtype, options, n):
    p, g, v = normal(n, dtype=dtype), normal(n, dtype=dtype), normal(n, dtype=dtype)
    lr, momentum, dampening, nesterov, decay = options
    remembers = momentum > 0
    exact = [mpf(option) if isinstance(option, float) else option for option in options]
    exact = [WIDER[p.dtype](float(option)) if isinstance(option, mpf) else option for option in exact]
    expected, expected_v = sgd(wide(p), wide(g), wide(v) if remembers else None, *exact)
    # the largest of what p and v are added up of, a step being one term
    sizes = [np.abs(wide(each)) for each in (p, g, v)]
    terms_v = np.maximum.reduce([(1 - dampening) * sizes[1], (1 - dampening) * decay * sizes[0], momentum * sizes[2]])
    stepped, _ = sgd(*sizes[:2], sizes[2] if remembers else None, -lr, momentum, dampening, nesterov, decay)
    terms = np.maximum(sizes[0], stepped - sizes[0])
    grad = g.copy()
    lw.sgd_step(p, grad, v if remembers else None, lr=lr, momentum=momentum, dampening=dampening, nesterov=nesterov,
                weight_decay=decay)
    assert_within("sgd_step", p, expected, terms)
    assert np.array_equal(grad, g)
    if remembers:
        assert_within("sgd_step", v, expected_v, terms_v)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("step", [1, 2, 1000, 10**6])
@pytest.mark.parametrize("n", [1, 7, 100, 8193])
def test_adamw_step(dtype, step, n):
    p, g, m, v = (normal(n, dtype=dtype) for _ in range(4))
    v *= v
    before = [each.copy() for each in (p, g, m, v)]
    kind = WIDER[p.dtype]
    expected, expected_m, expected_v, update = adamw(*map(wide, (p, g, m, v)), kind(step), kind(0.01), (kind(0.9), kind(
        0.999)), kind(1e-8), kind(0.1))
    lw.adamw_step(p, g, m, v, step, lr=0.01, weight_decay=0.1)
    assert np.array_equal(g, before[1])
    assert_within("adamw_step", m, expected_m, np.abs(wide(before[2])) + np.abs(wide(g)))
    assert_within("adamw_step", v, expected_v)
    # the update is of m, whose error is in units of what it cancels from
    terms = np.abs(wide(before[2])) + np.abs(wide(g))
    assert_within("adamw_step", p, expected, np.maximum(np.abs(wide(before[0])), np.abs(update / expected_m) * terms))


def awkward(dtype, count):
    """All combinations of `count` numbers: zeros of both signs, subnormal, tiny, ordinary and huge ones."""
    info = np.finfo(dtype)
    one = [0.0, -0.0, 3 * float(info.smallest_subnormal), -1.7 * float(info.tiny), float(np.sqrt(info.tiny)), 1.0, -0.3,
           float(np.sqrt(info.max)) * 0.7, -float(info.max) * 0.4, float(info.max) * 0.97]
    return [np.ravel(each) for each in np.meshgrid(*[np.array(one, dtype)] * count)]


def exactly(arrays):
    return [np.array([mpf(float(one)) for one in array], object) for array in arrays]


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("options", [
    (0.1, 0.0, 0.0, False, 0.0), (1e-3, 0.0, 0.0, False, 0.02), (0.1, 0.9, 0.3, False, 0.01),
    (0.1, 0.9, 0.0, True, 0.01)])
def test_sgd_step_of_awkward_numbers(dtype, options):
    arrays = awkward(dtype, 3)
    lr, momentum, dampening, nesterov, decay = options
    with mp.workprec(300):
        p, g, v = exactly(arrays)
        lr, momentum, dampening, decay = (mpf(each) for each in (lr, momentum, dampening, decay))
        expected, expected_v = sgd(p, g, v if momentum else None, lr, momentum, dampening, nesterov, decay)
        terms_v = np.maximum(np.maximum(abs(g), abs(decay * p)), abs(momentum * v))
        terms = np.maximum(abs(p), lr * terms_v)
        most = float(np.finfo(dtype).max)  # beyond which the gradient with its decay may be, or what is made of it
        kept = abs(decay * p + g) < most
        if momentum:
            kept &= (abs(expected_v) < most) & (abs(decay * p + g + momentum * expected_v) < most)
    p, g, v = (each.copy() for each in arrays)
    lw.sgd_step(p, g, v if momentum else None, lr=options[0], momentum=options[1], dampening=options[2],
                nesterov=nesterov, weight_decay=options[4])
    with mp.workprec(300):
        assert_within("sgd_step", p[kept], expected[kept], terms[kept])
        if momentum:
            assert_within("sgd_step", v[kept], expected_v[kept], terms_v[kept])


@pytest.mark.parametrize("dtype", FLOATS)
def test_adamw_step_of_awkward_numbers(dtype):
    arrays = awkward(dtype, 3)
    second = abs(arrays[0])[::-1].copy()
    p, g, m = (each.copy() for each in arrays)
    v = second.copy()
    lw.adamw_step(p, g, m, v, 3, lr=0.01, weight_decay=0.1)
    with mp.workprec(300):
        exact_p, exact_g, exact_m = exactly(arrays)
        beta1, beta2 = mpf(0.9), mpf(0.999)
        first = beta1 * exact_m + (1 - beta1) * exact_g
        squares = beta2 * exactly([second])[0] + (1 - beta2) * exact_g * exact_g
        # the update is of what has been kept
        root = np.array([mp.sqrt(mpf(float(one)) / (1 - beta2**3)) if np.isfinite(one) else mpf("inf") for one in v])
        update = mpf(0.01) * np.array([mpf(float(one)) for one in m], object) / (1 - beta1**3) / (root + mpf(1e-8))
        expected = exact_p * (1 - mpf(0.01) * mpf(0.1)) - update
        assert_within("adamw_step", m, first, np.maximum(abs(exact_m), abs(exact_g)))
        assert_within("adamw_step", v, squares)
        kept = abs(update) < float(np.finfo(dtype).max) / 100
        assert kept.sum() > 900
        assert_within("adamw_step", p[kept], expected[kept], np.maximum(abs(exact_p), abs(update))[kept])


@pytest.mark.parametrize("dtype", FLOATS)
def test_clip_grad_norm_of_gradients_whose_factor_has_no_digits(dtype):
    most = float(np.finfo(dtype).max)
    for size, n, max_norm in ((0.9, 1 if dtype == np.float64 else 1000, 1.0), (0.1, 10, 1e-8), (0.3, 5, 1e-30),
                              (0.9, 1, most * 1e-40)):
        grad = np.full(n, size * most, dtype)
        grad[-1] *= -0.5
        with mp.workprec(300):
            exact = np.array([mpf(float(one)) for one in grad], object)
            norm = mp.sqrt(sum(exact * exact))
            exact = exact * (mpf(max_norm) / (norm + mpf(1e-6)))
            found = lw.clip_grad_norm(grad, max_norm)
            assert found == pytest.approx(float(norm), rel=1e-14)
            assert_within("clip_grad_norm", grad, exact)


def steps_of(optimiser):
    if optimiser == "sgd":
        return 3, lambda p, g, v: lw.sgd_step(p, g, v, lr=0.1, momentum=0.9)
    return 4, lambda p, g, m, v: lw.adamw_step(p, g, m, v, 3)


@pytest.mark.parametrize("optimiser", ["sgd", "adamw"])
@pytest.mark.parametrize("dtype", FLOATS)
def test_many_arrays_in_one_call_are_many_calls(optimiser, dtype):
    count, step = steps_of(optimiser)
    shapes = [(3, 5), (0, 4), (), (20_000,), (7, 11, 13), (1,)]
    arrays = [[np.array(np.abs(normal(*shape, dtype=dtype))) for shape in shapes] for _ in range(count)]
    alone = [[each.copy() for each in role] for role in arrays]
    found = []
    for threads in (1, 2, 3):
        lw.set_num_threads(threads)
        together = [[each.copy() for each in role] for role in arrays]
        step(*together)
        found.append([each.tobytes() for role in together for each in role])
    lw.set_num_threads(2)
    for each in zip(*alone, strict=True):
        step(*each)
    assert found[0] == found[1] == found[2] == [each.tobytes() for role in alone for each in role]


@pytest.mark.parametrize("optimiser", ["sgd", "adamw"])
def test_arrays_of_any_layout_are_updated(optimiser):
    count, step = steps_of(optimiser)
    arrays = [np.abs(normal(6, 8, dtype=np.float64)) for _ in range(count)]
    expected = [each.copy() for each in arrays]
    step(*expected)
    for form in (np.asfortranarray, lambda x: np.repeat(x, 2, axis=1)[:, ::2],
                 lambda x: x[::-1, ::-1].copy()[::-1, ::-1], lambda x: x.astype(">f8")):
        found = [form(each.copy()) for each in arrays]
        step(*found)
        for y, e in zip(found, expected, strict=True):
            assert np.array_equal(y, e)
    mixed = [arrays[0].astype(np.float32), arrays[1], *(each.astype(np.float32) for each in arrays[2:])]
    step(*mixed)
    single = [each.astype(np.float32) for each in arrays]
    step(*single)
    assert np.array_equal(mixed[0], single[0])


@pytest.mark.parametrize("optimiser", ["sgd", "adamw"])
def test_a_refused_step_changes_nothing(optimiser):
    count, step = steps_of(optimiser)
    for spoil in (lambda each: each[2].flags.__setattr__("writeable", False), lambda each: each.__setitem__(2, each[0]),
                  lambda each: each.__setitem__(2, np.zeros(4)), lambda each: each.__setitem__(1, np.ones(3))):
        good = [np.ones(5) for _ in range(count)]
        bad = [np.ones(5) for _ in range(count)]
        spoil(bad)
        with pytest.raises(ValueError, match=r"read-only|shares memory|does not fit"):
            step(*([a, b] for a, b in zip(good, bad, strict=True)))
        assert all((each == 1).all() for each in good)
    tied = np.ones(5)
    with pytest.raises(ValueError, match="param shares memory with param"):
        step(*([each, each] if k == 0 else [np.ones(5), np.ones(5)] for k, each in enumerate([tied] * count)))
    assert (tied == 1).all()


@pytest.mark.parametrize("p", [1, 2, 3, 0.5, -2, np.inf, -np.inf, 0])
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("size", [1.0, 1e-30, 1e30])
def test_clip_grad_norm(p, dtype, size):
    grads = [normal(*shape, dtype=dtype) * dtype(size) for shape in ((300,), (7, 9), (0,), ())]
    grads[-1] = np.array(grads[-1], dtype)
    before = [each.copy() for each in grads]
    with mp.workprec(200):
        sizes = [abs(mpf(float(x))) for each in before for x in each.ravel()]
        if np.isinf(p):
            exact = max(sizes) if p > 0 else min(sizes)
        else:
            exact = mp.fsum(x**p for x in sizes) ** (mpf(1) / p if p else 1)
    norm = lw.clip_grad_norm(grads, float(exact) / 3, p)
    assert norm == pytest.approx(float(exact), rel=1e-15)
    factor = (float(exact) / 3) / (norm + 1e-6)
    for found, former in zip(grads, before, strict=True):
        assert_within("clip_grad_norm", np.atleast_1d(found), np.atleast_1d(wide(former) * factor))
    untouched = [each.copy() for each in before]
    assert lw.clip_grad_norm(untouched, 2 * float(exact) + 1e-5, p) == norm
    assert all(np.array_equal(a, b) for a, b in zip(untouched, before, strict=True))


def test_clip_grad_norm_of_the_largest_and_smallest():
    for size in (1e300, 1e-300, 2e-310):
        assert lw.clip_grad_norm(np.full(4, size), np.finfo(float).max) == pytest.approx(2 * size, rel=1e-15)
    assert lw.clip_grad_norm(np.zeros(4), 1.0) == 0
    grad = np.array([np.inf, 1.0])
    assert lw.clip_grad_norm(grad, 1.0) == np.inf
    assert np.isnan(grad[0])
    assert grad[1] == 0
    for norm_type in (2, 1, 3, -1, 0, np.inf, -np.inf):
        assert np.isnan(lw.clip_grad_norm([np.ones(3), np.array([np.nan, 1.0])], 1.0, norm_type))
        assert lw.clip_grad_norm([np.zeros(0)], 1.0, norm_type) == lw.clip_grad_norm([], 1.0, norm_type) == 0
    assert lw.clip_grad_norm(np.full(4, 1e300), 1.0, 3) == pytest.approx(4 ** (1 / 3) * 1e300, rel=1e-14)


SGD = [{}, {"weight_decay": 0.1}, {"momentum": 0.9}, {"momentum": 0.9, "nesterov": True, "weight_decay": 0.1},
       {"momentum": 0.9, "dampening": 0.3, "weight_decay": 0.01}]
ADAMW = [{}, {"weight_decay": 0.0}, {"lr": 0.1, "betas": (0.5, 0.9), "eps": 1e-3, "weight_decay": 0.3}]


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("options", SGD)
def test_pytorch_has_the_same_steps_of_sgd(options, dtype):
    torch = pytest.importorskip("torch")
    param, velocity = normal(50, dtype=dtype), np.zeros(50, dtype)
    tensor = torch.tensor(param.copy(), requires_grad=True)
    optimiser = torch.optim.SGD([tensor], lr=0.1, **options)
    for step in range(100):
        tensor.grad = torch.tensor(normal(50, dtype=dtype))
        optimiser.step()
        now = {**options, "dampening": 0.0} if step == 0 else options  # PyTorch's first step is not damped
        lw.sgd_step(param, tensor.grad.numpy(), velocity if "momentum" in options else None, lr=0.1, **now)
    theirs = tensor.detach().numpy()
    np.testing.assert_allclose(param, theirs, rtol=0, atol=100 * np.finfo(dtype).eps * np.abs(theirs).max())


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("options", ADAMW)
def test_pytorch_has_the_same_steps_of_adamw(options, dtype):
    torch = pytest.importorskip("torch")
    param, first, second = normal(50, dtype=dtype), np.zeros(50, dtype), np.zeros(50, dtype)
    tensor = torch.tensor(param.copy(), requires_grad=True)
    optimiser = torch.optim.AdamW([tensor], **options)
    for step in range(1, 101):
        tensor.grad = torch.tensor(normal(50, dtype=dtype))
        optimiser.step()
        lw.adamw_step(param, tensor.grad.numpy(), first, second, step, **options)
    theirs = tensor.detach().numpy()
    np.testing.assert_allclose(param, theirs, rtol=0, atol=100 * np.finfo(dtype).eps * np.abs(theirs).max())


def test_pytorch_clips_to_the_same_norm():
    torch = pytest.importorskip("torch")
    for norm_type in (1, 2, 3, 0.5, -1, np.inf, -np.inf):
        grads = [normal(3, 4), normal(5)]
        tensors = [torch.nn.Parameter(torch.tensor(each)) for each in grads]
        for tensor in tensors:
            tensor.grad = tensor.detach().clone()
        expected = torch.nn.utils.clip_grad_norm_(tensors, 0.5, norm_type)
        assert lw.clip_grad_norm(grads, 0.5, norm_type) == pytest.approx(float(expected), rel=1e-6)
        for found, tensor in zip(grads, tensors, strict=True):
            np.testing.assert_allclose(found, tensor.grad, rtol=1e-5)


def test_arrays_whose_elements_share_memory_are_refused():
    memory = np.arange(12.0)
    strided = np.lib.stride_tricks.as_strided
    steps = {"sgd_step": lambda param: lw.sgd_step(param, np.ones(param.shape), lr=0.1),
             "adamw_step": lambda param: lw.adamw_step(param, np.ones(param.shape), *np.zeros((2, *param.shape)), 1),
             "clip_grad_norm": lambda param: lw.clip_grad_norm(param, 0.1)}
    for name, step in steps.items():
        for param in (strided(memory, (4,), (0,)), strided(memory, (4, 3), (8, 8)), strided(memory, (4,), (4,)),
                      strided(memory, (3, 3), (16, 16))):
            with pytest.raises(ValueError, match=f"{name}: (param|grads) of shape .* share memory"):
                step(param)
            assert np.array_equal(memory, np.arange(12.0))
        # no two of these do, though rows interlock
        for param in (np.ones((3, 4)).T, np.ones(9)[::-2], strided(np.ones(12), (3, 2), (16, 24))):
            step(param)
            assert (param < 1).all()
