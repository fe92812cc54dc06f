"""A linear layer and its gradients. The products of matrices are NumPy's, of the BLAS that it comes with; the bias,
relu behind it and their gradients are kernels/layers.pyx."""

import math

import numpy as np

from .. import functions
from ..environment import unflushed
from ..kernels import layers as _kernels
from ._arrays import check_out, computed, floating, floats_beside, promoted, rounded_to, truth, with_bound

__all__ = ["linear", "linear_backward"]

_NARROW = np.dtype(np.float16).itemsize
_TAKEN = (np.dtype(np.float32).num, np.dtype(np.float64).num)


def _alike(x, weight):
    # whether both are what the products take: arrays of one dtype, float32 or float64
    return type(x) is type(weight) is np.ndarray and x.dtype is weight.dtype and x.dtype.num in _TAKEN


def _operands(name, x, weight, bias):
    if not _alike(x, weight):
        x = floating(name, "x", x)
        weight = floats_beside(name, "weight", weight, x)
    if weight.ndim != 2:
        raise ValueError(f"{name}: weight must have shape (out, in), not {weight.shape}")
    if x.ndim == 0 or x.shape[-1] != weight.shape[1]:
        raise ValueError(f"{name}: x of shape {x.shape} does not fit weight of shape {weight.shape}; its last axis "
                         f"must have {weight.shape[1]} elements")
    if bias is not None:
        if not _alike(bias, weight):
            bias = floats_beside(name, "bias", bias, x)
        if bias.shape != weight.shape[:1]:
            raise ValueError(f"{name}: bias of shape {bias.shape} does not fit weight of shape {weight.shape}; "
                             f"expected shape {weight.shape[:1]}")
    return x, weight, bias


def _wide(x):
    # 16-bit floats are computed in float32
    return x if x.dtype.itemsize > _NARROW else rounded_to(np.float32, x)


_quiet = np.errstate(all="ignore")  # as a decorator it costs half of what a with statement does


@_quiet
def _product(a, b):
    return np.matmul(a, b)


@_quiet
def _products_backward(grad, x, weight, out, passed_on):
    return np.matmul(grad, weight, out[0]) if passed_on else None, np.matmul(grad.T, x, out[1])


def rectified(name, activation):
    """Whether relu follows the layer; any other activation is refused."""
    if activation is None or (isinstance(activation, str) and activation == "relu"):
        return activation is not None
    raise ValueError(f"{name}: activation {activation!r:.60} is unknown; expected None or 'relu', the one that joins "
                     "the bias in a pass; others are functions of their own")


@with_bound
@unflushed
def linear(x, weight, bias=None, *, activation=None, out=None):
    """Apply a linear layer: ``x @ weight.T + bias``, and relu behind it where `activation` says so.

    Parameters
    ----------
    x : array_like of float16, bfloat16, float32 or float64, shape (..., in)
    weight : array_like, shape (out, in)
    bias : array_like, shape (out,), optional
    activation : {None, "relu"}
        What is done in the pass that adds the bias. Of all activations relu alone costs less than a pass over the
        product, so that it is worth joining.
    out : ndarray of the result's shape and dtype, optional
        Where to put the result; it may overlap an operand.

    Returns
    -------
    y : ndarray, shape (..., out)
        Of the dtype that `x` and `weight` promote to. 16-bit floats are computed in float32 and rounded once.

    Raises
    ------
    ValueError
        If the shapes do not fit, or `activation` is another.
    TypeError
        If an array holds no numbers, or is masked.

    Notes
    -----
    %(bound)s

    The sums are those of NumPy's BLAS, whose order depends on its build, its threads and the shapes: the last bits may
    differ from one machine to another, as of no other function here. `lanewise.genome.linear4` has sums in one order.

    Examples
    --------
    >>> import lanewise as lw
    >>> lw.linear([[1.0, 2.0]], [[3.0, 4.0]], [0.5])
    array([[11.5]])
    """
    is_rectified = rectified("linear", activation)
    if out is None and _kernels.plain(x, weight, bias):
        y = _product(x, weight.T)
        if bias is not None:
            _kernels.finish(y, bias, is_rectified)
            return y
        return functions.relu(y, out=y) if is_rectified else y
    x, weight, bias = _operands("linear", x, weight, bias)
    dtype = promoted("linear", x=x, weight=weight)
    wide, wide_weight = _wide(x), _wide(weight)
    check_out("linear", out)
    if out is not None and (out.shape != (*x.shape[:-1], weight.shape[0]) or out.dtype != dtype):
        raise ValueError(f"linear: out of shape {out.shape} and {out.dtype} does not fit; expected shape "
                         f"{(*x.shape[:-1], weight.shape[0])} and {dtype}")
    if 0 in (*x.shape[:-1], weight.shape[0]):  # NumPy would go through all matrices without elements
        return np.empty((*x.shape[:-1], weight.shape[0]), dtype) if out is None else out
    direct = out is not None and wide is x and wide_weight is weight
    if direct and _overlap(bias, out):
        bias = bias.copy()  # it is read after the product is written
    with np.errstate(all="ignore"):
        y = np.matmul(wide, wide_weight.T, out=out if direct else None)
        if bias is not None:
            y = np.add(y, _wide(bias), out=y if isinstance(y, np.ndarray) else None)
    if is_rectified:
        y = functions.relu(y, out=y if isinstance(y, np.ndarray) else None)
    if direct:
        return out
    y = rounded_to(dtype, y)
    if out is None:
        return y
    out[...] = y
    return out


@with_bound
@unflushed
def linear_backward(grad, x, weight, bias=None, *, activation=None, y=None, grad_x=True, out=(None, None, None)):
    """Gradients of `linear`.

    Parameters
    ----------
    grad : array_like, shape (..., out)
        The gradient arriving.
    x, weight, bias, activation
        As given to `linear`.
    y : array_like, shape (..., out), optional
        What `linear` returned, of which relu's gradient is made. Needed where there is an activation.
    grad_x : bool
        Whether the gradient of `x` is wanted, which a network's first layer passes on to nobody.
    out : tuple of three, each an ndarray or None
        Where to put the results: C-contiguous, of their shapes and dtypes. They may overlap operands, but not one
        another.

    Returns
    -------
    grad_x : ndarray of the shape of `x`, or None
        ``grad @ weight``; None where it is not wanted.
    grad_weight : ndarray, shape (out, in)
        ``grad.T @ x``, over all rows.
    grad_bias : ndarray, shape (out,), or None
        The sum of `grad` over all rows, in float64 and in one order; None without a bias.

    Raises
    ------
    ValueError
        If the shapes do not fit, an output has another shape or dtype than its result, two share memory, or there is
        one of `activation` and `y` without the other.
    TypeError
        If an array holds no numbers, or is masked.

    Notes
    -----
    %(bound)s

    Rumelhart, Hinton and Williams, "Learning representations by back-propagating errors", 1986.

    Examples
    --------
    >>> import lanewise as lw
    >>> grad_x, grad_weight, grad_bias = lw.linear_backward([[1.0]], [[1.0, 2.0]], [[3.0, 4.0]], [0.5])
    >>> grad_x, grad_weight, grad_bias
    (array([[3., 4.]]), array([[1., 2.]]), array([1.]))
    """
    name = "linear_backward"
    grad_x = truth(name, "grad_x", grad_x)
    is_rectified = rectified(name, activation)
    if is_rectified and y is None:
        raise ValueError(f"{name}: activation='relu' needs y, what linear returned; got None")
    if y is not None and not is_rectified:
        raise ValueError(f"{name}: y belongs to activation='relu'; got y and activation=None")
    if grad is not None and isinstance(out, tuple) and len(out) == 3 and _kernels.plain(x, weight, bias, grad, y, out):
        found_bias = None
        if bias is not None:
            found_bias = np.empty(bias.shape, bias.dtype) if out[2] is None else out[2]
            arriving, grad = (grad, np.empty_like(grad)) if is_rectified else (None, grad)
            _kernels.sum_rows(grad, found_bias, arriving, y)
        elif is_rectified:
            grad = functions.relu_backward(grad, y)
        return *_products_backward(grad, x, weight, out, grad_x), found_bias
    x, weight, bias = _operands(name, x, weight, bias)
    if not _alike(grad, weight):
        grad = floating(name, "grad", grad)
    if grad.shape != (*x.shape[:-1], weight.shape[0]):
        raise ValueError(f"{name}: grad of shape {grad.shape} does not fit; expected shape "
                         f"{(*x.shape[:-1], weight.shape[0])}")
    if is_rectified:
        y = floats_beside(name, "y", y, grad)
        if y.shape != grad.shape:
            raise ValueError(f"{name}: y of shape {y.shape} does not fit; expected shape {grad.shape}")
        grad = functions.relu_backward(grad, y)
    results = (x.shape, x.dtype), (weight.shape, weight.dtype), (weight.shape[:1], weight.dtype)
    if not isinstance(out, tuple) or len(out) != 3:
        raise TypeError(f"{name}: out must be a tuple of three, each an array or None, not {out!r:.60}")
    for place, (shape, wanted) in zip(out, results, strict=True):
        if place is not None:
            _check_place(name, place, shape, wanted)
    for k, other in (0, 1), (0, 2), (1, 2):
        if _overlap(out[k], out[other]):
            raise ValueError(f"{name}: outputs {k} and {other} share memory; each must have its own")
    # what is read again after an output has been written
    if _overlap(x, out[0]):
        x = x.copy()
    if _overlap(grad, out[0]) or _overlap(grad, out[1]) or _overlap(grad, out[2]):
        grad = grad.copy()
    if not (_alike(grad, weight) and x.dtype is weight.dtype):
        dtype = promoted(name, x=x, weight=weight)
        with np.errstate(all="ignore"):  # grad may be beyond it
            grad = computed(grad if grad.dtype == dtype else grad.astype(dtype))
        x, weight = _wide(x), _wide(weight)
    count = math.prod(x.shape[:-1])
    grad = computed(grad).reshape(count, weight.shape[0])
    rows = x.reshape(count, x.shape[-1])
    with np.errstate(all="ignore"):
        found_x = _placed(grad, weight, out[0], *results[0]) if grad_x else None
        found_weight = _placed(grad.T, rows, out[1], *results[1])
    if bias is None:
        return found_x, found_weight, None
    place = out[2] if _taken(out[2], grad.dtype) else np.empty(weight.shape[0], grad.dtype)
    _kernels.sum_rows(grad, place)
    return found_x, found_weight, _rounded(place, out[2], *results[2])


def _taken(place, dtype):
    # whether a kernel can write there, and not only NumPy
    return place is not None and place.dtype == dtype and place.flags.aligned


def _overlap(array, place):
    return array is not None and place is not None and np.may_share_memory(array, place)


def _check_place(name, place, shape, dtype):
    check_out(name, place)
    if place.shape != shape or place.dtype != dtype or not place.flags.c_contiguous:
        raise ValueError(f"{name}: out of shape {place.shape} and {place.dtype} does not fit; expected a C-contiguous "
                         f"array of shape {shape} and {dtype}")


def _placed(a, b, out, shape, dtype):
    # a @ b where it belongs, or rounded there
    if out is not None and out.dtype is a.dtype:
        np.matmul(a, b, out.reshape(a.shape[0], b.shape[1]))
        return out
    return _rounded(np.matmul(a, b), out, shape, dtype)


def _rounded(y, out, shape, dtype):
    if y is out:
        return out
    y = rounded_to(dtype, y).reshape(shape)
    if out is None:
        return y
    out[...] = y
    return out
