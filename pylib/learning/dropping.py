"""Dropout and its gradient, whose mask is made of its key both times; the arithmetic is kernels/layers.pyx."""

import numpy as np

from ..environment import unflushed
from ..kernels import layers as _kernels
from ._arrays import check_out, computed, finish, floating, from_zero, generation_given, key_of, truth, with_bound

__all__ = ["dropout", "dropout_backward"]


def _drop(name, x, p, rng, generation, out):
    p = from_zero(name, "p", p, 1)
    key, generation = key_of(name, rng), generation_given(name, generation)
    check_out(name, out)
    source = computed(x)
    taken = out is not None and out.dtype == source.dtype and out.shape == x.shape and (
        out.flags.c_contiguous and out.flags.aligned) and (out is x or not np.may_share_memory(out, source))
    y = out if taken else np.empty_like(source)
    _kernels.dropout(source, y, p, key, generation)
    return (y if y is out else finish(name, y, x, out)), key


@with_bound
@unflushed
def dropout(x, p, rng, *, generation=0, return_key=False, out=None):
    """Set each element to 0 with probability `p` and divide the others by ``1 - p``.

    Which elements stay is decided by the key and by an element's place in C order, and nothing else: the mask is not
    stored, and `dropout_backward` makes it again. It is the same for every dtype, level and number of threads.

    Parameters
    ----------
    x : array_like of float16, bfloat16, float32 or float64, any shape
    p : float
        From 0 to 1; in steps of 2^-32.
    rng : int or np.random.Generator
        The key, 64 bits, or where to draw one from.
    generation : int
        A part of the key, to count a run's steps with: from 0 to 2^32 - 1.
    return_key : bool
        Whether to return the key, which the backward takes where `rng` is a Generator.
    out : ndarray of the shape of `x`, optional
        Where to put the result; may be `x`.

    Returns
    -------
    y : ndarray
        Of the shape and dtype of `x`, or `out`.
    key : int
        With ``return_key=True``.

    Raises
    ------
    ValueError
        If `p` is not from 0 to 1, or a key or an output does not fit.
    TypeError
        If `x` holds no numbers or is masked, or `rng` is neither an int nor a Generator.

    Notes
    -----
    %(bound)s

    As PyTorch's: a NaN or an infinity that is dropped becomes NaN, and zeros keep their sign. Srivastava et al.,
    "Dropout: a simple way to prevent neural networks from overfitting", 2014; the generator is Philox4x32-10.

    Examples
    --------
    >>> import lanewise as lw
    >>> lw.dropout([1.0, 1.0, 1.0, 1.0, 1.0, 1.0], 0.5, 3)
    array([2., 2., 2., 0., 2., 0.])
    """
    return_key = truth("dropout", "return_key", return_key)
    x = floating("dropout", "x", x)
    y, key = _drop("dropout", x, p, rng, generation, out)
    return (y, key) if return_key else y


@with_bound
@unflushed
def dropout_backward(grad, p, rng, *, generation=0, out=None):
    """Gradient of `dropout`: of the elements that stayed, over ``1 - p``.

    Parameters
    ----------
    grad : array_like, of the shape that `dropout` was given
        The gradient arriving.
    p, generation
        As given to `dropout`.
    rng : int
        The key that `dropout` was given, or returned.
    out : ndarray, optional
        Where to put the result; may be `grad`.

    Returns
    -------
    grad_x : ndarray of the shape and dtype of `grad`

    Raises
    ------
    ValueError, TypeError
        As `dropout`; and a TypeError if `rng` is a Generator, which would make another mask.

    Notes
    -----
    %(bound)s
    """
    if isinstance(rng, np.random.Generator):
        raise TypeError("dropout_backward: rng must be the key of the forward, an int, not a Generator, which would "
                        "make another mask; dropout(..., return_key=True) returns the key")
    return _drop("dropout_backward", floating("dropout_backward", "grad", grad), p, rng, generation, out)[0]
