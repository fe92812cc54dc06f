"""The reparametrised normal and its divergence: beside mpmath, by central differences, beside PyTorch's composition."""

import lanewise as lw
import numpy as np
import pytest
from learning_bounds import assert_within
from mpmath import mp, mpf

RNG = np.random.default_rng(4)
DTYPES = [np.float32, np.float64]


def normal(*shape, dtype=np.float64, scale=1.0):
    return RNG.normal(0, scale, shape).astype(dtype)


def operands(dtype, n=400):
    scale = np.exp(RNG.uniform(-8, 2, n))
    return [(each * scale).astype(dtype) for each in RNG.normal(0, 1, (2, n))] + [normal(n, dtype=dtype)]


@pytest.mark.parametrize("dtype", DTYPES)
def test_sample_and_backward(dtype):
    mu, logvar, eps = operands(dtype)
    grad = normal(len(mu), dtype=dtype)
    z = lw.reparameterize(mu, logvar, eps=eps)
    grad_mu, grad_logvar = lw.reparameterize_backward(grad, logvar, eps=eps)
    with mp.workprec(200):
        added = [mp.exp(mpf(float(v)) / 2) * mpf(float(e)) for v, e in zip(logvar, eps, strict=True)]
        exact = [mpf(float(m)) + a for m, a in zip(mu, added, strict=True)]
        slopes = [mpf(float(g)) * a / 2 for g, a in zip(grad, added, strict=True)]
        terms = [max(abs(mpf(float(m))), abs(a)) for m, a in zip(mu, added, strict=True)]
    assert_within("reparameterize", z, exact, terms)
    assert_within("reparameterize_backward", grad_logvar, slopes)
    assert np.array_equal(grad_mu, grad)


@pytest.mark.parametrize("dtype", DTYPES)
def test_of_deviations_beyond_the_range(dtype):
    # what they are multiplied by may bring them back
    reach, n, rng = 200 if dtype == np.float32 else 1500, 2000, np.random.default_rng(7)
    logvar = rng.uniform(-2 * reach, 2 * reach, n).astype(dtype)
    eps, grad = (rng.normal(size=(2, n)) * np.exp(rng.uniform(-reach / 4, reach / 4, (2, n)))).astype(dtype)
    eps[:50] = grad[50:100] = 0
    z = lw.reparameterize(np.zeros(n, dtype), logvar, eps=eps)
    grad_logvar = lw.reparameterize_backward(grad, logvar, eps=eps)[1]
    with mp.workprec(200):
        added = [mp.exp(mpf(float(v)) / 2) * mpf(float(e)) for v, e in zip(logvar, eps, strict=True)]
        slopes = [mpf(float(g)) * a / 2 for g, a in zip(grad, added, strict=True)]
        for name, found, exact in (("reparameterize", z, added), ("reparameterize_backward", grad_logvar, slopes)):
            inside = np.array([abs(each) < float(np.finfo(dtype).max) for each in exact])
            assert_within(name, found[inside], np.array(exact)[inside])
            assert np.isinf(found[~inside]).all()
    # a variance that is a number, however large, has a deviation that is one, of which 0 times is 0
    large = np.full(4, np.finfo(dtype).max)
    assert lw.reparameterize(np.full(4, dtype(3)), large, eps=np.zeros(4, dtype)).tolist() == [3] * 4
    assert np.isnan(lw.reparameterize(large, np.full(4, dtype(np.inf)), eps=np.zeros(4, dtype))).all()
    assert lw.reparameterize(large, np.full(4, dtype(-np.inf)), eps=np.ones(4, dtype)).tolist() == large.tolist()
    assert np.isnan(lw.reparameterize(large, np.full(4, dtype(np.nan)), eps=np.zeros(4, dtype))).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_products_whose_parts_leave_the_range(dtype):
    # results in the last binade, and of a gradient and a number whose product is subnormal or beyond the range alone
    info, rng = np.finfo(dtype), np.random.default_rng(8)
    top, low = float(np.log(info.max)), float(np.log(info.smallest_normal))
    logs = rng.uniform(low, top, (2, 3000))  # of the gradient's and the number's magnitude
    total = np.r_[rng.uniform(top - 0.7, top, 1000), rng.uniform(low, low + 40, 1000), rng.uniform(low, top, 1000)]
    grad, eps = np.exp(logs).astype(dtype)
    grad[:500], eps[1000:1500] = 1, info.smallest_subnormal * rng.integers(1, 9, 500)
    half = total - np.log(grad.astype(np.float64)) - np.log(eps.astype(np.float64)) + np.log(2)
    logvar = (2 * half).astype(dtype)
    with mp.workprec(300):
        deviations = [mp.exp(mpf(float(v)) / 2) for v in logvar]
        slopes = [mpf(float(g)) * mpf(float(e)) * d / 2 for g, e, d in zip(grad, eps, deviations, strict=True)]
        samples = [mpf(float(e)) * d for e, d in zip(eps, deviations, strict=True)]
    for name, found, exact in (
            ("reparameterize_backward", lw.reparameterize_backward(grad, logvar, eps=eps)[1], slopes),
            ("reparameterize", lw.reparameterize(np.zeros_like(eps), logvar, eps=eps), samples)):
        inside = np.array([each < float(info.max) for each in exact])
        assert inside.sum() > 900
        assert_within(name, found[inside], np.array(exact)[inside])
        assert np.isinf(found[~inside]).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("dimensions", [1, 2, 17, 400])
def test_divergence_and_backward(dtype, dimensions):
    mu, logvar, _ = operands(dtype, 400)
    logvar[:9] = [0.0, 1e-6, -1e-6, 1.0, -1.0, 0.999, -0.999, 1e-30, 20.0]
    # the exponential itself is beyond the range, its half is not; and once both are within
    logvar[9:12] = [89.1, 89.4, 81.0] if dtype == np.float32 else [710.2, 710.4, 701.0]
    mu[:9] *= 1e-7
    grad = normal(400 // dimensions if dimensions != 17 else 23, dtype=dtype)
    mu, logvar = (each[:len(grad) * dimensions].reshape(-1, dimensions) for each in (mu, logvar))
    found = lw.kl_standard_normal(mu, logvar)
    grad[:12 // dimensions + 1] *= 0.01
    grad_mu, grad_logvar = lw.kl_standard_normal_backward(grad, mu, logvar)
    with mp.workprec(300):
        exact = [mp.fsum((mpf(float(m))**2 + mp.expm1(mpf(float(v))) - mpf(float(v))) / 2
                         for m, v in zip(ms, vs, strict=True)) for ms, vs in zip(mu, logvar, strict=True)]
        of_mu = [mpf(float(g)) * mpf(float(m)) for g, ms in zip(grad, mu, strict=True) for m in ms]
        of_logvar = [mpf(float(g)) * mp.expm1(mpf(float(v))) / 2
                     for g, vs in zip(grad, logvar, strict=True) for v in vs]
    assert found.dtype == grad_mu.dtype == grad_logvar.dtype == dtype
    assert_within("kl_standard_normal", found, exact)
    assert_within("kl_standard_normal_backward", grad_mu.ravel(), of_mu)
    assert_within("kl_standard_normal_backward", grad_logvar.ravel(), of_logvar)


@pytest.mark.parametrize("dtype", DTYPES)
def test_divergence_of_logvar_alone(dtype):
    # about 0, where e^x - 1 - x cancels; about the first powers of two; and where another way of the exponential begins
    near = 20.0 if dtype == np.float32 else 40.0
    logvar = np.concatenate([
        RNG.uniform(-0.6, 0.6, 900), RNG.uniform(-3, 3, 600), RNG.uniform(-1.5 * near, 1.5 * near, 400),
        RNG.uniform(-2, 2, 99) * 10.0**RNG.uniform(-30, -1, 99), np.log(2) * np.arange(-60, 60) / 2,
        [near, -near, np.nextafter(near, 0), -np.nextafter(near, 0)]]).astype(dtype)
    mu, grad = np.zeros((len(logvar), 1), dtype), RNG.uniform(0.5, 2, len(logvar)).astype(dtype)
    with mp.workprec(300):
        exact = [mp.expm1(mpf(float(v))) for v in logvar]
        of_logvar = [mpf(float(g)) * e / 2 for g, e in zip(grad, exact, strict=True)]
        exact = [(e - mpf(float(v))) / 2 for e, v in zip(exact, logvar, strict=True)]
    assert_within("kl_standard_normal", lw.kl_standard_normal(mu, logvar[:, None]), exact)
    found = lw.kl_standard_normal_backward(grad, mu, logvar[:, None])[1]
    assert_within("kl_standard_normal_backward", found.ravel(), of_logvar)


@pytest.mark.parametrize("dtype", DTYPES)
def test_divergence_of_what_is_no_usual_number(dtype):
    logvar = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, -1e30, 1e30, 0.5], dtype)[:, None]
    mu = np.zeros_like(logvar)
    usual = lw.kl_standard_normal(mu[7:], logvar[7:])[0]
    np.testing.assert_array_equal(lw.kl_standard_normal(mu, logvar),
                                  np.array([0, 0, np.inf, np.inf, np.nan, 5e29, np.inf, usual], dtype))
    slope = lw.kl_standard_normal_backward(dtype(1), mu, logvar)[1].ravel()
    at_half = lw.kl_standard_normal_backward(dtype(1), mu[7:], logvar[7:])[1].item()
    np.testing.assert_array_equal(slope, np.array([0, -0.0, np.inf, -0.5, np.nan, -0.5, np.inf, at_half], dtype))
    assert np.signbit(slope[:2]).tolist() == [False, True]
    # a register of eight has the bits of rows of one
    assert lw.kl_standard_normal_backward(dtype(1), mu.T, logvar.T)[1].tobytes() == slope.tobytes()
    assert lw.kl_standard_normal(np.zeros((1, 9), dtype), np.repeat(logvar[7:], 9, 1))[0] == pytest.approx(
        9 * float(usual), rel=1e-6)


def test_backwards_are_derivatives():
    mu, logvar, eps, grad = (normal(3, 4) for _ in range(4))
    step = 1e-6

    def slope(function, array):
        found = np.empty_like(array)
        for place in np.ndindex(array.shape):
            kept, difference = array[place], 0.0
            for sign in (1, -1):
                array[place] = kept + sign * step
                difference += sign * function()
            array[place] = kept
            found[place] = difference / (2 * step)
        return found

    for found, array in zip(lw.reparameterize_backward(grad, logvar, eps=eps), (mu, logvar), strict=True):
        np.testing.assert_allclose(found, slope(lambda: (lw.reparameterize(mu, logvar, eps=eps) * grad).sum(), array),
                                   atol=1e-8)
    for found, array in zip(lw.kl_standard_normal_backward(grad[:, 0], mu, logvar), (mu, logvar), strict=True):
        np.testing.assert_allclose(found, slope(lambda: (lw.kl_standard_normal(mu, logvar) * grad[:, 0]).sum(), array),
                                   atol=1e-8)


def test_samples_are_of_the_distribution_and_of_the_key():
    mu, logvar = np.full(200_000, 3.0, np.float32), np.full(200_000, np.log(4.0), np.float32)
    z = lw.reparameterize(mu, logvar, 5)
    assert z.dtype == np.float32
    assert z.mean() == pytest.approx(3, abs=0.03)
    assert z.std() == pytest.approx(2, rel=0.02)
    again, eps = lw.reparameterize(mu, logvar, 5, return_eps=True)
    assert np.array_equal(z, again)
    by_key, by_eps = lw.reparameterize_backward(z, logvar, 5), lw.reparameterize_backward(z, logvar, eps=eps)
    assert all(np.array_equal(a, b) for a, b in zip(by_key, by_eps, strict=True))
    assert not np.array_equal(z, lw.reparameterize(mu, logvar, 5, generation=1))
    assert not np.array_equal(z, lw.reparameterize(mu, logvar, np.random.default_rng(1)))


def test_dtypes_threads_and_layouts():
    mu, logvar, eps = (normal(300, 500, dtype=np.float32) for _ in range(3))
    expected = lw.kl_standard_normal(mu, logvar)
    for threads in (1, 2, 3):
        lw.set_num_threads(threads)
        assert lw.kl_standard_normal(mu, logvar).tobytes() == expected.tobytes()
    lw.set_num_threads(2)
    assert lw.kl_standard_normal(np.asfortranarray(mu), logvar[:, ::-1].copy()[:, ::-1]).tobytes() == expected.tobytes()
    assert lw.kl_standard_normal(mu[7], logvar[7]) == expected[7]
    half = [each.astype(np.float16) for each in (mu, logvar)]
    assert lw.kl_standard_normal(*half).dtype == np.float16
    assert np.array_equal(lw.kl_standard_normal(*half), lw.kl_standard_normal(
        *(each.astype(np.float32) for each in half)).astype(np.float16))
    assert lw.kl_standard_normal(np.zeros((3, 0)), np.zeros((3, 0))).tolist() == [0, 0, 0]
    assert lw.kl_standard_normal(np.zeros((0, 3)), np.zeros((0, 3))).shape == (0,)
    out = np.empty_like(mu)
    assert lw.reparameterize(mu, logvar, eps=eps, out=out) is out
    assert np.array_equal(out, lw.reparameterize(mu, logvar, eps=eps))


@pytest.mark.parametrize(("call", "error", "message"), [
    (lambda: lw.reparameterize([1.0], [1.0]), ValueError, "reparameterize: expected one of rng and eps, not neither"),
    (lambda: lw.reparameterize([1.0], [1.0], 1, [1.0]), ValueError, "expected one of rng and eps, not both"),
    (lambda: lw.reparameterize([1.0], [1.0, 2.0], 1), ValueError, r"logvar of shape \(2,\) does not fit mu of shape"),
    (lambda: lw.reparameterize([1.0], [1.0], eps=[1.0, 2.0]), ValueError, r"eps of shape \(2,\) does not fit"),
    (lambda: lw.reparameterize_backward([1.0], [1.0], np.random.default_rng(1)), TypeError, "rng must be the key"),
    (lambda: lw.kl_standard_normal(1.0, 1.0), ValueError, "mu must have an axis to be summed over"),
    (lambda: lw.kl_standard_normal_backward([1.0, 2.0], [[1.0]], [[1.0]]), ValueError, r"grad of shape \(2,\)"),
])
def test_errors_say_what_was_given(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_pytorch_has_the_same_numbers():
    torch = pytest.importorskip("torch")
    mu, logvar, eps = (normal(5, 7) for _ in range(3))
    tensors = [torch.tensor(each, requires_grad=True) for each in (mu, logvar)]
    z = tensors[0] + torch.exp(tensors[1] / 2) * torch.tensor(eps)
    divergence = -0.5 * (1 + tensors[1] - tensors[0]**2 - tensors[1].exp()).sum(-1)
    (z.sum() + divergence.sum()).backward()
    np.testing.assert_allclose(lw.reparameterize(mu, logvar, eps=eps), z.detach(), rtol=1e-13)
    np.testing.assert_allclose(lw.kl_standard_normal(mu, logvar), divergence.detach(), rtol=1e-12)
    ones = np.ones((5, 7))
    of_z, of_kl = lw.reparameterize_backward(ones, logvar, eps=eps), lw.kl_standard_normal_backward(1.0, mu, logvar)
    for tensor, a, b in zip(tensors, of_z, of_kl, strict=True):
        np.testing.assert_allclose(a + b, tensor.grad, rtol=1e-12)
