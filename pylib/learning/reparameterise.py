"""The reparametrised normal, through which a gradient passes, and its divergence from the standard normal: what a
variational autoencoder is made of. The arithmetic is kernels/reparameterise.pyx."""

import numpy as np

from ..environment import unflushed
from ..kernels import draws as _draws
from ..kernels import reparameterise as _kernels
from ._arrays import computed, finish, floating, key_of, plain, promoted, rounded_to, truth, whole, with_bound

__all__ = ["kl_standard_normal", "kl_standard_normal_backward", "reparameterize", "reparameterize_backward"]


def _pair(name, mu, logvar):
    if plain(mu, logvar):
        return mu, logvar
    mu, logvar = floating(name, "mu", mu), floating(name, "logvar", logvar)
    if mu.shape != logvar.shape:
        raise ValueError(f"{name}: logvar of shape {logvar.shape} does not fit mu of shape {mu.shape}")
    return mu, logvar


def _noise(name, eps, rng, like, generation):
    if (eps is None) == (rng is None):
        raise ValueError(f"{name}: expected one of rng and eps, not {'both' if rng is not None else 'neither'}")
    if eps is not None:
        eps = floating(name, "eps", eps)
        if eps.shape != like.shape:
            raise ValueError(f"{name}: eps of shape {eps.shape} does not fit {like.shape}")
        return eps
    generation = whole(name, "generation", generation)
    if not 0 <= generation < 2**32:
        raise ValueError(f"{name}: generation must be from 0 to {2**32 - 1}, not {generation}")
    eps = np.empty(like.shape, np.float64 if like.dtype == np.float64 else np.float32)
    _draws.fill(eps, True, 0.0, 1.0, key_of(name, rng), generation)
    return eps


def _at_hand(dtype, mu, logvar):
    """As the kernels take rows."""
    if plain(mu, logvar):
        return mu, logvar
    return computed(rounded_to(dtype, mu)), computed(rounded_to(dtype, logvar))


def _mapped(ufunc, *operands):
    if plain(*operands):
        return np.asarray(ufunc(*operands))
    with np.errstate(all="ignore"):  # NumPy converts operands of several dtypes
        return np.asarray(ufunc(*operands))


@with_bound
@unflushed
def reparameterize(mu, logvar, rng=None, eps=None, *, generation=0, return_eps=False, out=None):
    """A sample of a normal distribution as a function of its mean and variance: ``mu + exp(logvar / 2) * eps``.

    The chance is in `eps`, so that a gradient passes through to `mu` and `logvar`.

    Parameters
    ----------
    mu, logvar : array_like of float16, bfloat16, float32 or float64, of one shape
        The mean, and the logarithm of the variance.
    rng : int or np.random.Generator, optional
        The key that standard normal numbers are drawn from: each is its key's and its place's.
    eps : array_like of the same shape, optional
        The numbers themselves, in place of `rng`.
    generation : int
        A part of the key, to count a run's steps with: from 0 to 2^32 - 1.
    return_eps : bool
        Whether to return `eps`, which the backward takes where `rng` is a Generator.
    out : ndarray, optional
        Where to put the result.

    Returns
    -------
    z : ndarray
        Of the shape of `mu`.
    eps : ndarray
        With ``return_eps=True``.

    Raises
    ------
    ValueError
        If the shapes do not fit, or both of `rng` and `eps` are given, or neither.
    TypeError
        If an array holds no numbers, or is masked.

    Notes
    -----
    %(bound)s

    Kingma and Welling, "Auto-encoding variational Bayes", 2014, section 2.4.

    Examples
    --------
    >>> import lanewise as lw
    >>> lw.reparameterize([1.0, 2.0], [0.0, 0.0], eps=[0.5, -1.0])
    array([1.5, 1. ])
    """
    name = "reparameterize"
    return_eps = truth(name, "return_eps", return_eps)
    mu, logvar = _pair(name, mu, logvar)
    eps = _noise(name, eps, rng, mu, generation)
    z = finish(name, _mapped(_kernels.reparameterize_ufunc, mu, logvar, eps), mu, out)
    return (z, eps) if return_eps else z


@with_bound
@unflushed
def reparameterize_backward(grad, logvar, rng=None, eps=None, *, generation=0):
    """Gradients of `reparameterize`: ``grad`` to `mu`, and ``grad * eps * exp(logvar / 2) / 2`` to `logvar`.

    Parameters
    ----------
    grad : array_like, of the shape of `logvar`
        The gradient arriving.
    logvar, eps, generation
        As given to `reparameterize`.
    rng : int, optional
        The key, from which the same numbers are drawn again.

    Returns
    -------
    grad_mu, grad_logvar : ndarray
        `grad_mu` is `grad` itself.

    Raises
    ------
    ValueError, TypeError
        As `reparameterize`; and a TypeError if `rng` is a Generator, which would draw other numbers.

    Notes
    -----
    %(bound)s
    """
    name = "reparameterize_backward"
    if isinstance(rng, np.random.Generator):
        raise TypeError(f"{name}: rng must be the key of the forward, an int, not a Generator, which would draw other "
                        "numbers; reparameterize(..., return_eps=True) returns eps")
    grad, logvar = floating(name, "grad", grad), floating(name, "logvar", logvar)
    if grad.shape != logvar.shape:
        raise ValueError(f"{name}: grad of shape {grad.shape} does not fit logvar of shape {logvar.shape}")
    eps = _noise(name, eps, rng, logvar, generation)
    return grad, finish(name, _mapped(_kernels.reparameterize_backward_ufunc, grad, logvar, eps), logvar, None)


@with_bound
@unflushed
def kl_standard_normal(mu, logvar):
    """Kullback-Leibler divergence of normal distributions from the standard normal, summed over the last axis.

    ``sum((mu^2 + exp(logvar) - 1 - logvar) / 2)``, where ``exp(logvar) - 1 - logvar`` is computed without cancellation
    near 0.

    Parameters
    ----------
    mu, logvar : array_like of float16, bfloat16, float32 or float64, of one shape (..., dimensions)

    Returns
    -------
    divergence : ndarray, shape (...)
        Of the dtype that `mu` and `logvar` promote to; summed in float64 and in one order.

    Raises
    ------
    ValueError
        If the shapes do not fit, or there is no axis.
    TypeError
        If an array holds no numbers, or is masked.

    Notes
    -----
    %(bound)s

    Kingma and Welling, "Auto-encoding variational Bayes", 2014, appendix B.

    Examples
    --------
    >>> import lanewise as lw
    >>> lw.kl_standard_normal([[1.0, 2.0]], [[0.0, 0.0]])
    array([2.5])
    """
    name = "kl_standard_normal"
    mu, logvar = _pair(name, mu, logvar)
    if mu.ndim == 0:
        raise ValueError(f"{name}: mu must have an axis to be summed over, not shape ()")
    dtype = mu.dtype if plain(mu, logvar) else promoted(name, mu=mu, logvar=logvar)
    wide = dtype if dtype.itemsize > 2 else np.dtype(np.float32)
    y = np.zeros(mu.shape[:-1], wide)
    if mu.size:
        _kernels.kl_standard_normal(*_at_hand(wide, mu, logvar), y)
    return rounded_to(dtype, y)


@with_bound
@unflushed
def kl_standard_normal_backward(grad, mu, logvar):
    """Gradients of `kl_standard_normal`: ``grad * mu`` and ``grad * (exp(logvar) - 1) / 2``.

    Parameters
    ----------
    grad : array_like, of the shape of the divergence, or a number
        The gradient arriving.
    mu, logvar
        As given to `kl_standard_normal`.

    Returns
    -------
    grad_mu, grad_logvar : ndarray

    Raises
    ------
    ValueError
        If the shapes do not fit.
    TypeError
        If an array holds no numbers, or is masked.

    Notes
    -----
    %(bound)s
    """
    name = "kl_standard_normal_backward"
    mu, logvar = _pair(name, mu, logvar)
    grad = floating(name, "grad", grad)
    if grad.shape not in ((), mu.shape[:-1]):
        raise ValueError(f"{name}: grad of shape {grad.shape} does not fit; expected shape {mu.shape[:-1]}")
    dtype = mu.dtype if plain(mu, logvar) else promoted(name, mu=mu, logvar=logvar)
    narrow, fits = grad, grad.dtype is dtype
    if not fits:
        with np.errstate(all="ignore"):
            narrow = grad.astype(dtype, copy=False)
            fits = narrow is grad or np.array_equal(narrow, grad, equal_nan=True)
    if fits and dtype.itemsize > 2 and mu.ndim:
        mu, logvar = _at_hand(dtype, mu, logvar)
        found = np.empty_like(mu), np.empty_like(mu)
        _kernels.kl_standard_normal_backward(computed(narrow), mu, logvar, *found)
        return found
    grad, narrow = (each[..., None] if each.ndim else each for each in (grad, narrow))
    if fits:
        return _kernels.kl_standard_normal_backward_ufunc(narrow, mu, logvar)
    # a gradient that the dtype does not hold is rounded once, with the result
    return tuple(rounded_to(dtype, y) for y in _kernels.kl_standard_normal_backward_ufunc(
        grad, rounded_to(grad.dtype, mu), rounded_to(grad.dtype, logvar)))
