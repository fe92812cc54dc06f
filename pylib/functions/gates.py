"""Gated linear units and their backwards. The numbers are made in lanewise.kernels.activations."""

from math import inf

import numpy as np

from ..kernels import activations as _kernels
from ..kernels.operands import apply, array_given, refuse_limit, refuse_no_numbers, share_memory
from . import _documentation
from ._axis import fitting, refuse_mask, whole
from .table import GATES

__all__ = sorted(name for forward in ("glu", *GATES) for name in (forward, f"{forward}_backward"))

_SHAZEER = "Shazeer, 2020, https://arxiv.org/abs/2002.05202"
_RESULTS = {"grad_gate": "The gradient with respect to gate.", "grad_up": "The gradient with respect to up."}

_OPTIONS = {
    "beta": "The factor of the gate within the sigmoid, as of `swish`. ONNX's SwiGLU calls it alpha",
    "limit": "0 or more. The gate is held below it, and `up` within it of 0, before anything else; from what is held "
             "nothing comes back in the backward",
    "shift": "What is added to `up`; the sum is rounded. gpt-oss (https://arxiv.org/abs/2508.10925) has 1, beside "
             "beta=1.702 and limit=7.0",
}
_RAISES = "\nRaises\n------\nValueError\n    `limit` is negative or NaN{}.\n"

for _name, _activation in GATES.items():
    for _ufunc in (_name, f"{_name}_backward"):
        _kernel = getattr(_kernels, f"{_ufunc}_ufunc")
        if _name == "swiglu":
            _documentation.named(_kernel, f"{_ufunc}_ufunc", _kernels.__name__)
        else:
            globals()[_ufunc] = _documentation.named(_kernel, _ufunc)
_PARTS = ("beta", "clamped", "clamped_backward")
for _part in _PARTS:
    for _short in ("", "_short"):
        _kernel = f"swiglu_{_part}{_short}_ufunc"
        _documentation.named(getattr(_kernels, _kernel), _kernel, _kernels.__name__)


_ONE, _ZERO = 1.0, 0.0  # swiglu knows its defaults by these objects: asking for their values would take 0.3 us
_swiglu = _kernels.swiglu_ufunc
_ROLES = ("swiglu", "gate", "up", *_OPTIONS)  # for errors
_BACKWARD_ROLES = ("swiglu_backward", "grad", *_ROLES[1:])
_BETA, _CLAMPED, _CLAMPED_BACKWARD = (
    (getattr(_kernels, f"swiglu_{_part}_ufunc"), getattr(_kernels, f"swiglu_{_part}_short_ufunc")) for _part in _PARTS)


def _plain(beta, limit, shift):
    # whether these numbers change nothing
    return type(beta) is type(limit) is type(shift) is float and beta == 1.0 and limit == inf and shift == 0.0


def swiglu(gate, up, out=None, *, beta=_ONE, limit=inf, shift=_ZERO, **keywords):
    if beta is _ONE and limit is inf and shift is _ZERO and not keywords:
        return _swiglu(gate, up, out=out)
    if _plain(beta, limit, shift):
        return _swiglu(gate, up, out=out, **keywords)
    if type(limit) is type(shift) is float and limit == inf and shift == 0.0:
        return apply(_ROLES, _BETA, keywords, out, (gate, up), beta)
    refuse_limit("swiglu", limit)
    return apply(_ROLES, _CLAMPED, keywords, out, (gate, up), beta, limit, shift)


def swiglu_backward(grad, gate, up, out=None, *, beta=_ONE, limit=inf, shift=_ZERO, **keywords):
    if out is not None and not (isinstance(out, tuple) and len(out) == 2):
        raise TypeError("swiglu_backward: out must be a tuple of two arrays, (grad_gate, grad_up), either of them None "
                        f"or an array; got {type(out).__name__}")
    if out is not None and isinstance(out[0], np.ndarray) and isinstance(out[1], np.ndarray) and share_memory(*out):
        raise ValueError("swiglu_backward: outputs 0 and 1 share memory; each must have its own")
    if _plain(beta, limit, shift):
        return _kernels.swiglu_backward_ufunc(grad, gate, up, out=out or (None, None), **keywords)
    refuse_limit("swiglu_backward", limit)
    return apply(_BACKWARD_ROLES, _CLAMPED_BACKWARD, keywords, out, (grad, gate, up), beta, limit, shift)


for _name, _activation in GATES.items():
    _options, _refused = (_OPTIONS, _RAISES) if _name == "swiglu" else ({}, "")
    globals()[_name].__doc__ = _documentation.forward(
        _name, f"{_activation}(gate) * up", _SHAZEER, "gate", {"up": "What is gated", **_options}, _refused.format(""))
    globals()[f"{_name}_backward"].__doc__ = _documentation.backward(
        f"{_name}_backward", f"grad * up * {_activation}'(gate), and grad * {_activation}(gate)",
        {"gate": "The forward's gate", "up": "What was gated", **_options}, _RESULTS,
        _refused.format(", or two outputs share memory"),
        "; `out` as a tuple, (grad_gate, grad_up)" if _name == "swiglu" else "")


def _halves(name, x, axis):
    """The two halves of an array along an axis, as views."""
    axis = whole(name, "axis", axis)
    if not -x.ndim <= axis < x.ndim:
        raise ValueError(f"{name}: axis {axis} is out of range for x of shape {x.shape}")
    axis %= x.ndim
    if x.shape[axis] % 2:
        raise ValueError(f"{name}: x must have an even length along axis {axis}; got shape {x.shape}")
    half = x.shape[axis] // 2
    if axis == x.ndim - 1:
        return x[..., :half], x[..., half:]
    before = (slice(None),) * axis
    return x[*before, :half], x[*before, half:]


def _called(roles, function, operands, out=None):
    # of operands alone, or filling `out`, which may be of fewer bits than what is computed; NumPy's errors name no role
    try:
        if out is None:
            return function(*operands)
        if all(operand.dtype == out[0].dtype for operand in operands):
            return function(*operands, out=out)
        with np.errstate(all="ignore"):
            return function(*operands, out=out)
    except TypeError:
        for role, operand in zip(roles[1:], operands, strict=True):
            refuse_no_numbers(roles[0], role, operand)
        raise


def _dtype_of_slopes(x):
    return _kernels.glu_backward_ufunc.resolve_dtypes((x.dtype,) * 3 + (None,) * 2)[-1]


@_documentation.with_bound
def glu(x, axis=-1, *, out=None):
    """Gated linear unit: a / (1 + e^-b), a and b the halves of x along an axis.

    Parameters
    ----------
    x : array_like of float16, bfloat16, float32 or float64
        Integers are converted as np.exp converts them. A masked array keeps its mask.
    axis : int
        Of an even length.
    out : ndarray, optional
        Of half the length along `axis`.

    Returns
    -------
    y : ndarray
        Of the dtype of `x`, half as long along `axis`.

    Raises
    ------
    TypeError
        If `x` holds no numbers or is a tensor of PyTorch, or `out` is masked.
    ValueError
        The length along `axis` is odd, or `x` has no such axis.

    Notes
    -----
    %(bound)s

    Source: Dauphin et al., 2016, https://arxiv.org/abs/1612.08083.
    """
    halves = _halves("glu", array_given("glu", "x", x), axis)
    if out is None:
        return _called(("glu", "x", "x"), _kernels.glu_ufunc, halves)
    _called(("glu", "x", "x"), _kernels.glu_ufunc, halves, (fitting("glu", out, halves[0].shape),))
    return out


@_documentation.with_bound
def glu_backward(grad, x, axis=-1, *, out=None):
    """Backward of glu: grad * s and grad * a s (1 - s), s = sigmoid(b), joined; a and b the halves of x along an axis.

    Parameters
    ----------
    grad : array_like
        The gradient arriving, half as long as `x` along `axis`.
    x : array_like
        The forward's input.
    axis : int
        Of an even length.
    out : ndarray, optional
        Where to put the result.

    Returns
    -------
    grad_x : ndarray
        The gradient with respect to `x`, of its shape.

    Raises
    ------
    TypeError
        If an array holds no numbers, is masked, or is a tensor of PyTorch.
    ValueError
        The length along `axis` is odd, `x` has no such axis, or `grad` does not fit.

    Notes
    -----
    %(bound)s
    """
    refuse_mask("glu_backward", "x", x)
    refuse_mask("glu_backward", "grad", grad)
    x, grad = array_given("glu_backward", "x", x), array_given("glu_backward", "grad", grad)
    halves = _halves("glu_backward", x, axis)
    if grad.shape != halves[0].shape:
        raise ValueError(f"glu_backward: grad of shape {grad.shape} does not fit x of shape {x.shape}; expected "
                         f"{halves[0].shape}")
    if out is None:
        out = np.empty(x.shape, _called(("glu_backward", "x"), _dtype_of_slopes, (x,)))
    places = _halves("glu_backward", fitting("glu_backward", out, x.shape), axis)
    _called(("glu_backward", "grad", "x", "x"), _kernels.glu_backward_ufunc, (grad, *halves), places)
    return out
