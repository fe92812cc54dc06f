"""normalize of every p against mpmath, PyTorch, central differences and limits. Bounds are those of
lanewise/bounds.py."""

import lanewise as lw
import numpy as np
import oracles
import pytest
from lanewise.bounds import bound
from lanewise.measure.ulps import errors

INF = np.inf
POWERS = [0, 0.5, 1, 1.5, 2, 3, 10, 200.5, INF, -INF, -1, -2.5]


def numbers(*shape, dtype="float64", seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(oracles.dtype_named(dtype))


def length(row, p):
    """Of a row of mpmath's numbers that are not 0."""
    sizes = [abs(value) for value in row]
    if p in (INF, -INF):
        return max(sizes) if p > 0 else min(sizes)
    if p == 0:
        return oracles.mpmath.mpf(sum(value > 0 for value in sizes))
    return sum(value ** oracles.mpmath.mpf(p) for value in sizes) ** (1 / oracles.mpmath.mpf(p))


@pytest.mark.parametrize("p", POWERS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("sigma", [1, 1e-30, 1e30, 1e-40])
def test_normalize(p, dtype, sigma):
    x = (numbers(4, 90) * sigma).astype(dtype)
    x[x == 0] = 1e-40
    exact = oracles.exactly(x)
    lengths = np.array([length(row, p) for row in exact], dtype=object)
    eps = 1e-12 if sigma == 1 else 0.0
    y = lw.normalize(x, p, eps=eps)
    assert oracles.error(y, exact / lengths[:, None], dtype) <= bound("normalize", dtype)
    turned = lw.normalize(np.ascontiguousarray(x.T), p, 0, eps=eps)
    assert np.ascontiguousarray(turned.T).tobytes() == y.tobytes()


@pytest.mark.parametrize("p", POWERS)
@pytest.mark.parametrize("dtype", oracles.DTYPES)
def test_backward_is_within_the_bound(p, dtype):
    x, grad = numbers(5, 70, dtype=dtype), numbers(5, 70, dtype=dtype, seed=1)
    exact, arriving = oracles.exactly(x), oracles.exactly(grad)
    expected, sizes = [], []
    for row, by in zip(exact, arriving, strict=True):
        own = length(row, p)
        if p in (INF, -INF):
            slopes = [oracles.mpmath.sign(v) * (abs(v) == own) for v in row]
            slopes = [slope / sum(map(abs, slopes)) for slope in slopes]
        else:
            slopes = [oracles.mpmath.sign(v) * (abs(v) / own) ** (oracles.mpmath.mpf(p) - 1) * (p != 0) for v in row]
        terms = [v * g / own for v, g in zip(row, by, strict=True)]
        pull, pulls = sum(terms), sum(map(abs, terms))
        expected.append([(g - s * pull) / own for g, s in zip(by, slopes, strict=True)])
        sizes.append([(abs(g) + abs(s) * pulls) / own for g, s in zip(by, slopes, strict=True)])
    found = lw.normalize_backward(grad, x, p)
    assert oracles.error(found, np.array(expected, object), dtype, np.array(sizes, object)) <= bound(
        "normalize_backward", dtype)


@pytest.mark.parametrize("p", POWERS)
def test_backward_against_differences(p):
    x, grad = numbers(2, 3, 20)
    x[2] *= 1e-14 if p > 0 else 1e-30
    slope = oracles.differences(lambda value: (lw.normalize(value, p) * grad)[:2].sum(), x, 1e-8 if p < 0 else 1e-6)
    found = lw.normalize_backward(grad, x, p)
    size = np.abs(slope[:2]).max()
    np.testing.assert_allclose(found[:2] / size, slope[:2] / size, rtol=1e-5, atol=1e-6)
    if p >= 1 or p < 0:  # a row shorter than eps
        np.testing.assert_allclose(found[2], grad[2] / 1e-12, rtol=1e-12)


@pytest.mark.parametrize("p", POWERS)
def test_pytorch_agrees(p):
    torch = pytest.importorskip("torch")
    x, grad = numbers(2, 6, 11)
    x[1, 3] = x[2] = 0
    x[3, :4] = [5, -5, 5, 1]  # several largest
    x[4, :2] = x[5, :2] = np.nan, INF
    tensor = torch.tensor(x, requires_grad=True)
    expected = torch.nn.functional.normalize(tensor, p, -1)
    expected.backward(torch.tensor(grad))
    rows = 5 if p else 4  # to PyTorch a NaN is one that is not 0
    np.testing.assert_allclose(lw.normalize(x, p)[:rows], expected.detach().numpy()[:rows], rtol=1e-12)
    slope = tensor.grad.numpy()
    np.testing.assert_allclose(lw.normalize_backward(grad, x, p)[[0, 2, 3]], slope[[0, 2, 3]], rtol=1e-10, atol=1e-13)


def test_limits():
    x = np.array([[3.0, -4.0, INF, 0.0], [np.nan, 1, 2, 3]])
    np.testing.assert_array_equal(lw.normalize(x, INF), [[0, -0.0, np.nan, 0], [np.nan] * 4])
    np.testing.assert_array_equal(lw.normalize(x, 3), [[0, -0.0, np.nan, 0], [np.nan] * 4])
    np.testing.assert_array_equal(lw.normalize(x[:, :3], -INF), [[1, -4 / 3, INF], [np.nan] * 3])
    np.testing.assert_array_equal(lw.normalize(np.zeros((2, 3)), 0.5), 0)
    assert lw.normalize(np.zeros((0, 3)), 3).shape == (0, 3)
    assert lw.normalize(np.zeros((3, 0)), INF).shape == (3, 0)
    assert lw.normalize(-3.0, 7) == -1


def test_errors():
    x = np.ones((2, 3))
    for p in ("2", None, [2], 10**400):
        with pytest.raises(TypeError, match="normalize: p must be a number that a float holds"):
            lw.normalize(x, p)
    with pytest.raises(ValueError, match="normalize_backward: p must be a number or an infinity, not nan"):
        lw.normalize_backward(x, x, np.nan)


@pytest.mark.parametrize(("p", "x", "eps", "expected"), [
    (0, [1.0, 5e-324, -1e308, 0.0], 1e-12, [1 / 3, 0, -1e308 / 3, 0]),  # every number but 0 counts
    (-1.5, [2e-308, -1e154], 1e-30, [2e-278, -1e184]),
    (-np.inf, [1e-300, 1e200], 1e-12, [1e-288, 1e212]),
    (-2, [2e-308, 1.0, 1e308], 1e300, [0, 1e-300, 1e8]),
])
def test_a_row_of_any_size_beside_eps(p, x, eps, expected):
    assert lw.normalize(x, p, eps=eps) == pytest.approx(np.array(expected), rel=1e-14, abs=0)


def test_a_row_of_any_size_beside_eps_in_float32():
    x = np.float32([1e-45, 3e38, -1.0])
    assert lw.normalize(x, -1, eps=1e-3) == pytest.approx(np.float32([1e-42, np.inf, -1e3]), rel=1e-6)
    assert lw.normalize(x, -1, eps=1e300).tolist() == [0, 0, 0]
    # the largest over the smallest is within the dtype
    assert lw.normalize(np.float32([0.99e-18, 2.97e20]), -np.inf)[1] == pytest.approx(2.97e20 / 1e-12, rel=1e-6)
    assert lw.normalize(np.float32([0.99e-18, 2.97e20]), -np.inf, eps=0)[1] == pytest.approx(3e38, rel=1e-6)


@pytest.mark.parametrize(("dtype", "grad"), [(np.float32, 1e-35), (np.float64, 1e-200)])
@pytest.mark.parametrize("p", [1, 2, 3, -1])
def test_a_small_gradient_of_a_row_shorter_than_eps_keeps_its_digits(p, dtype, grad):
    x, grad = np.zeros(3, dtype), np.array([grad, -grad, 0], dtype)
    assert lw.normalize_backward(grad, x, p) == pytest.approx(grad / dtype(1e-12), rel=1e-6, abs=0)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("p", [0, 0.5, 1, 2, 3, -1, np.inf, -np.inf])
@pytest.mark.parametrize("eps", [1e-45, 1e-320])
def test_zeros_over_an_eps_that_has_no_inverse(dtype, p, eps):
    assert not lw.normalize(np.zeros((2, 3), dtype), p, eps=eps).any()
    x = np.array([1e-30, 2e-30, 0])  # whose length is 0 where p is below 0
    if p < 0 and dtype == "float64":
        np.testing.assert_allclose(lw.normalize(x, p, eps=eps), [1e-30 / eps, 2e-30 / eps, 0], rtol=1e-15)


@pytest.mark.parametrize("p", [0.05, 0.3, 0.75, -0.3])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_powers_below_one_keep_the_bound_that_is_said_of_them(p, dtype):
    x, exact = numbers(6, 17, dtype=dtype, seed=5), np.empty((6, 17), object)
    with oracles.mpmath.workprec(200):
        for i, row in enumerate(x):
            wide = [oracles.mpmath.mpf(float(number)) for number in row]
            exact[i] = [number / length(wide, p) for number in wide]
    allowed = bound("normalize", dtype) / (abs(p) if dtype == "float64" else 1)
    assert errors(lw.normalize(x, p=p, eps=0.0), exact, dtype).max() <= allowed
