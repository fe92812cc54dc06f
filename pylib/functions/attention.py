"""What attention does to its rows beside its products: softmax of scaled and masked scores, and rotary embedding.
Checks and documentation; the arithmetic is in kernels/softmax.pyx and kernels/normalize.pyx."""

import functools
import math

import numpy as np

from ..environment import unflushed
from ..kernels import normalize as _normalize
from ..kernels import softmax as _softmax
from ..kernels.operands import along, as_array, number_given, precision_given, rounded_to, truth
from ._axis import checked, floating, floats_beside, like, on_axis, refuse_mask, whole
from ._documentation import with_bound

__all__ = ["masked_softmax", "masked_softmax_backward", "rotary_embedding", "rotary_embedding_backward",
           "rotary_tables"]

_FLOAT32, _FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)


def _number(name, role, value):
    """A finite number as a float."""
    if type(value) is not float:
        value = number_given(name, role, value)
    if not math.isfinite(value):
        raise ValueError(f"{name}: {role} must be finite, not {value}")
    return value


def _mask_beside(x, mask):
    """A mask as booleans whose rows lie in memory byte after byte, or as numbers of the dtype of `x`."""
    if type(mask) is np.ndarray and mask.shape == x.shape and (
            (mask.dtype.char == "?" and mask.strides[-1] == 1) or mask.dtype == x.dtype):
        return mask  # which is asked here first, since what follows takes longer than a small softmax
    refuse_mask("masked_softmax", "mask", mask)
    given = as_array("masked_softmax", "mask", mask)
    if given.dtype != bool:
        if given.dtype.kind in "iu":
            raise TypeError(f"masked_softmax: mask is of dtype {given.dtype}; expected bool (True where a key is seen) "
                            f"or floats to add")
        given = floats_beside("masked_softmax", "mask", given, x)
        given = rounded_to(x.dtype, given)  # a number that hides a key may be beyond the dtype, and becomes -inf
    try:
        np.broadcast_to(given, x.shape)
    except ValueError:
        raise ValueError(f"masked_softmax: mask of shape {given.shape} does not fit x of shape {x.shape}") from None
    rows = np.broadcast_to(given, (*given.shape[:-1], x.shape[-1]))
    return rows if given.dtype != bool or rows.strides[-1] == 1 else np.ascontiguousarray(rows)


@with_bound
@unflushed
def masked_softmax(x, mask=None, scale=1.0, *, causal=False, offset=0, out=None):
    """Softmax of scaled and masked scores along the last axis, the row of attention:
    ``softmax(x * scale + mask)``, 0 where a key is hidden.

    Parameters
    ----------
    x : array_like, shape (..., queries, keys)
        Scores; float32, float64, float16 or bfloat16. float16 and bfloat16 are computed in float32 and rounded once.
    mask : array_like, optional
        Of a shape that broadcasts to that of `x`. Of bool, True where the query sees the key, and what it does not see
        counts for nothing, be it NaN; of floats, what is added, -inf hiding a key. Floats are taken in the dtype of
        `x`. It is read once.
    scale : float
        What the scores are multiplied by, such as one over the root of the length of a key.
    causal : bool
        Whether query i sees the keys up to i + `offset` alone. No mask is read or made for that.
    offset : int
        0 aligns the first query with the first key, as PyTorch's ``is_causal`` does; keys - queries aligns the last
        with the last.
    out : ndarray, optional
        Where to put the result; may be `x`.

    Returns
    -------
    y : ndarray
        Of the shape of `x`. A row that sees no key, or nothing but -inf, is 0. One with NaN or +inf among what it sees
        is NaN.

    Raises
    ------
    TypeError
        If `mask` is of integers, or `scale`, `causal` or `offset` is of another type.
    ValueError
        If `mask` does not broadcast to `x`, `scale` is not finite, or `x` has no axis of queries where causal.

    Notes
    -----
    %(bound)s
    It is that of softmax of the scores as they are rounded: x * scale to the nearest number that the precision of the
    computation has, or one beside it, and the sum with a mask of floats once more.

    Source: Vaswani et al., 2017, https://arxiv.org/abs/1706.03762; for the rows that see nothing, PyTorch's
    ``_safe_softmax``.

    Examples
    --------
    >>> import lanewise as lw
    >>> lw.masked_softmax([[1.0, 1.0], [1.0, 1.0]], causal=True)
    array([[1. , 0. ],
           [0.5, 0.5]])
    """
    x, _ = checked("masked_softmax", x, -1)
    scale = _number("masked_softmax", "scale", scale)
    offset = whole("masked_softmax", "offset", offset)
    if x.ndim == 0:
        raise ValueError("masked_softmax: x has no axis of keys; expected shape (..., keys)")
    count = float(x.shape[-1])
    if truth("masked_softmax", "causal", causal):
        if x.ndim == 1:
            raise ValueError(f"masked_softmax: x of shape {x.shape} has no axis of queries; causal expects "
                             f"(..., queries, keys)")
        count = _softmax.causal_counts(x, min(max(offset, -x.shape[-2]), x.shape[-1]))
    elif offset:
        raise ValueError(f"masked_softmax: offset={offset} is of causal masks; expected causal=True with it")
    if mask is None:
        return on_axis("masked_softmax", _softmax.masked_softmax_gufunc, (x, scale, count), x.ndim - 1, x.ndim, out)
    mask = _mask_beside(x, mask)
    gufunc = _softmax.masked_softmax_where_gufunc if mask.dtype == bool else _softmax.masked_softmax_plus_gufunc
    return on_axis("masked_softmax", gufunc, (x, mask, scale, count), x.ndim - 1, x.ndim, out)


@with_bound
@unflushed
def masked_softmax_backward(grad, y, scale=1.0, *, out=None):
    """Gradient of `masked_softmax` with respect to its scores, from its output: ``y * (grad - sum(grad * y)) * scale``.

    It needs no mask: `y` is 0 where a key is hidden, and so is the gradient. That of a mask of floats is what
    ``scale=1`` gives.

    Parameters
    ----------
    grad, y : array_like
        The gradient arriving, and what `masked_softmax` returned; of one shape.
    scale : float
        As given to `masked_softmax`.
    out : ndarray, optional
        Where to put the result; may be `grad` or `y`.

    Returns
    -------
    grad_x : ndarray
        Of the shape of `y`.

    Raises
    ------
    TypeError
        If `scale` is no number.
    ValueError
        If the shapes differ, `y` has no axis, or `scale` is not finite.

    Notes
    -----
    %(bound)s
    """
    y, _ = checked("masked_softmax_backward", y, -1, role="y")
    grad = like("masked_softmax_backward", "grad", grad, y, "y")
    scale = _number("masked_softmax_backward", "scale", scale)
    if y.ndim == 0:
        raise ValueError("masked_softmax_backward: y has no axis of keys; expected shape (..., keys)")
    return on_axis("masked_softmax_backward", _softmax.softmax_backward_gufunc, (grad, y, scale), y.ndim - 1, y.ndim,
                   out)


def _turned(name, role, x, cos, sin, sign, interleaved, out):
    x = floating(name, role, x)
    tables = []
    precision = _FLOAT64 if x.dtype == _FLOAT64 else _FLOAT32
    for table, given in ("cos", cos), ("sin", sin):
        found = given
        if type(given) is not np.ndarray or given.dtype is not precision or not given.flags.c_contiguous:
            found = np.asarray(rounded_to(precision, floats_beside(name, table, given, x)), order="C")
        if found.ndim == 0 or x.ndim == 0:
            raise ValueError(f"{name}: {role if x.ndim == 0 else table} has no axis of pairs")
        tables.append(found)
    pairs = tables[0].shape[-1]
    if tables[1].shape[-1] != pairs or 2 * pairs > x.shape[-1]:
        raise ValueError(f"{name}: cos and sin of shapes {tables[0].shape} and {tables[1].shape} do not fit {role} of "
                         f"shape {x.shape}; expected one length of at most {x.shape[-1] // 2}, a number for each pair")
    rows = x.shape[:-1]
    for table, found in zip(("cos", "sin"), tables, strict=True):
        own = found.shape[:-1]
        if len(own) > len(rows) or any(size not in (1, wanted) for size, wanted in zip(
                reversed(own), reversed(rows), strict=False)):
            raise ValueError(f"{name}: {table} of shape {found.shape} does not fit {role} of shape {x.shape}; but for "
                             f"the last axis it must broadcast to {rows}")
    interleaved = float(truth(name, "interleaved", interleaved))
    operands = (x, *tables, sign, float(pairs), interleaved)
    return along(name, _normalize.rotary_gufunc, operands, () if out is None else (out,))


@with_bound
@unflushed
def rotary_embedding(x, cos, sin, *, interleaved=False, out=None):
    """Rotary position embedding: each pair (a, b) of a row is turned to ``(a cos - b sin, a sin + b cos)``.

    Parameters
    ----------
    x : array_like, shape (..., n)
        Queries or keys; float32, float64, float16 or bfloat16. float16 and bfloat16 are computed in float32 and
        rounded once.
    cos, sin : array_like, shape (..., pairs)
        The cosine and sine for each pair, as `rotary_tables` makes them, taken in the precision of the computation.
        But for the last axis they broadcast to the shape of `x`: (positions, pairs) for x of shape (batch, heads,
        positions, n), (positions, 1, pairs) for (batch, positions, heads, n). Given tables of all positions,
        ``cos[positions]`` are those of some.
    interleaved : bool
        Whether pair i is elements 2i and 2i + 1, as in the paper and in torchtune; if not, elements i and i + pairs,
        as in transformers (whose tables hold every number twice: ``cos[..., :pairs]``). ONNX's RotaryEmbedding has
        this option under this name.
    out : ndarray, optional
        Where to put the result; may be `x`.

    Returns
    -------
    y : ndarray
        Of the shape of `x`. Elements from 2 * pairs on are those of `x`.

    Raises
    ------
    TypeError
        If `interleaved` is not a bool.
    ValueError
        If `cos` and `sin` do not fit `x`.

    Notes
    -----
    %(bound)s

    Source: Su et al., 2021, https://arxiv.org/abs/2104.09864.

    Examples
    --------
    >>> import lanewise as lw
    >>> cos, sin = lw.rotary_tables([0, 1], 2)
    >>> lw.rotary_embedding([[1.0, 0.0], [1.0, 0.0]], cos, sin).round(4)
    array([[1.    , 0.    ],
           [0.5403, 0.8415]])
    """
    return _turned("rotary_embedding", "x", x, cos, sin, 1.0, interleaved, out)


@with_bound
@unflushed
def rotary_embedding_backward(grad, cos, sin, *, interleaved=False, out=None):
    """Gradient of `rotary_embedding` with respect to its input: the pairs of `grad` are turned back.

    Parameters and errors are those of `rotary_embedding`, `grad` in the place of `x`.

    Returns
    -------
    grad_x : ndarray
        Of the shape of `grad`.

    Notes
    -----
    %(bound)s
    """
    return _turned("rotary_embedding_backward", "grad", grad, cos, sin, -1.0, interleaved, out)


_MOST_TURNED = 1 << 16  # elements: the exact angle of each pair takes some 20 microseconds, once


@functools.lru_cache(maxsize=64)
def _turns(pairs, base):
    """How many turns a step of one position is, for each pair: base^(-i / pairs) / (2 pi), as high + low."""
    from decimal import Context

    exact = Context(prec=40)
    two_pi = exact.create_decimal("6.283185307179586476925286766559005768394339")
    base, high, low = exact.create_decimal(base), [], []
    for i in range(pairs):
        turns = exact.divide(exact.power(base, exact.divide(-i, pairs)), two_pi)
        high.append(float(turns))
        low.append(float(exact.subtract(turns, exact.create_decimal(high[-1]))))
    return np.array(high), np.array(low)


@with_bound
@unflushed
def rotary_tables(positions, n, *, base=10000.0, dtype=np.float32):
    """Cosines and sines for `rotary_embedding`: of ``position * base**(-2 i / n)`` for pair i.

    Parameters
    ----------
    positions : array_like of int or float
        Where the tokens stand, ``np.arange(length)`` for a whole text; up to 2**50.
    n : int
        How many elements of a row are turned, an even number up to 65536; n // 2 are the pairs.
    base : float
        Above 0; the paper's is 10000.
    dtype : {float32, float64}

    Returns
    -------
    cos, sin : ndarray, the shape of `positions` and ``n // 2`` behind it

    Raises
    ------
    TypeError
        If `positions` are no numbers, or `dtype` is another.
    ValueError
        If `n` is odd, negative or above 65536, `base` is not above 0, or a position is larger or not finite.

    Notes
    -----
    %(bound)s
    Whole turns are taken off before anything is rounded, so that a position of a million is as accurate as one of 1,
    where float32 angles would be off by a tenth.

    Source: Su et al., 2021, https://arxiv.org/abs/2104.09864.

    Examples
    --------
    >>> import lanewise as lw
    >>> cos, sin = lw.rotary_tables([0, 1, 2], 64)
    >>> cos.shape
    (3, 32)
    """
    n, base = whole("rotary_tables", "n", n), _number("rotary_tables", "base", base)
    if not 0 <= n <= _MOST_TURNED or n % 2:
        raise ValueError(f"rotary_tables: n must be an even number of elements up to {_MOST_TURNED}, not {n!r:.60}")
    if base <= 0:
        raise ValueError(f"rotary_tables: base must be above 0, not {base}")
    narrow = precision_given("rotary_tables", dtype) == np.float32
    positions = rounded_to(np.float64, floating("rotary_tables", "positions", positions))
    if not (np.abs(positions) <= 2.0**50).all():
        raise ValueError("rotary_tables: positions must be numbers up to 2**50")
    return _normalize.rotary_tables(positions, *_turns(n // 2, base), narrow)
