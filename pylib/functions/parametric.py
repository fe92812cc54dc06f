"""Activations with parameters, and their backwards: thin functions over np.ufunc objects whose parameters broadcast,
with defaults, checks and documentation. The numbers are made in lanewise.kernels.activations."""

import numpy as np

from ..kernels import activations as _kernels
from ..kernels.operands import any_less, any_zero, apply
from . import _documentation
from ._axis import refuse_mask, rounded_to

__all__ = [
    "celu", "celu_backward", "elu", "elu_backward", "hardshrink", "hardshrink_backward", "hardtanh",
    "hardtanh_backward", "leaky_relu", "leaky_relu_backward", "prelu", "prelu_backward", "softplus",
    "softplus_backward", "softshrink", "softshrink_backward", "squareplus", "squareplus_backward", "swish",
    "swish_backward", "threshold", "threshold_backward",
]
# of each function the ufunc of one dtype, and that of 16-bit numbers and float32 parameters
_UFUNCS = {name.removesuffix("_short_ufunc"): (getattr(_kernels, name.replace("_short", "")), ufunc)
           for name, ufunc in vars(_kernels).items() if name.endswith("_short_ufunc")}
for _name, _pair in _UFUNCS.items():
    for _ufunc in _pair:
        _documentation.named(_ufunc, f"{_name}_ufunc", _kernels.__name__)
# of functions with a factor of 1 the ufunc without one, which is faster
_OF_ONE = {"swish": (_kernels.silu_ufunc,), "swish_backward": (_kernels.silu_backward_ufunc,),
           "softplus": (_kernels.softplus_ufunc,), "softplus_backward": (_kernels.softplus_backward_ufunc,)}
_SLOPE = {"negative_slope": "The slope where x <= 0"}
_ALPHA = {"alpha": "The depth for x towards -inf, as a positive number"}
_BETA = {"beta": "The factor of x within"}
_LAMBD = {"lambd": "The threshold of the magnitude; 0 or more"}
_INTERVAL = {"min_val": "The lower end", "max_val": "The upper end; no less than `min_val`"}
_THRESHOLD = {"threshold": "What x must exceed", "value": "What replaces x where it does not"}
_B = {"b": "How round the bend is; 0 or more"}


def _not_negative(function, name, value):
    if any_less(value, 0.0):
        raise ValueError(f"{function}: {name} must be 0 or more; got {value}")


def _not_zero(function, name, value):
    if any_zero(value):
        raise ValueError(f"{function}: {name} must not be 0; got {value}")


def _ordered(function, min_val, max_val):
    if any_less(max_val, min_val):
        raise ValueError(f"{function}: min_val must not exceed max_val; got {min_val} and {max_val}")


def _is_one(value):
    return type(value) in (int, float) and value == 1


def _raises(text):
    return f"\nRaises\n------\nValueError\n    {text}\n"


def leaky_relu(x, negative_slope=0.01, *, out=None, **keywords):
    return apply(_UFUNCS["leaky_relu"], keywords, out, (x,), negative_slope)


def leaky_relu_backward(grad, x, negative_slope=0.01, *, out=None, **keywords):
    return apply(_UFUNCS["leaky_relu_backward"], keywords, out, (grad, x), negative_slope)


def prelu(x, weight, *, out=None, **keywords):
    return apply(_UFUNCS["leaky_relu"], keywords, out, (x,), weight)


def prelu_backward(grad, x, weight):
    for role, operand in ("grad", grad), ("x", x), ("weight", weight):
        refuse_mask("prelu_backward", role, operand)
    grad_x = apply(_UFUNCS["leaky_relu_backward"], {}, None, (grad, x), weight)
    each = np.broadcast_to(_kernels.prelu_weight_backward_ufunc(grad, x, dtype=np.float64), np.shape(grad_x))
    lengths = (1,) * (each.ndim - np.ndim(weight)) + np.shape(weight)
    shared = tuple(k for k, length in enumerate(lengths) if length == 1)
    with np.errstate(all="ignore"):
        # of C-ordered numbers, so that the sum does not depend on how the array lies in memory
        grad_weight = np.ascontiguousarray(each).sum(shared).reshape(np.shape(weight))
    return grad_x, rounded_to(getattr(weight, "dtype", grad_x.dtype), grad_weight)


def elu(x, alpha=1.0, *, out=None, **keywords):
    return apply(_UFUNCS["elu"], keywords, out, (x,), alpha)


def elu_backward(grad, x, alpha=1.0, *, out=None, **keywords):
    return apply(_UFUNCS["elu_backward"], keywords, out, (grad, x), alpha)


def celu(x, alpha=1.0, *, out=None, **keywords):
    _not_zero("celu", "alpha", alpha)
    return apply(_UFUNCS["celu"], keywords, out, (x,), alpha)


def celu_backward(grad, x, alpha=1.0, *, out=None, **keywords):
    _not_zero("celu_backward", "alpha", alpha)
    return apply(_UFUNCS["celu_backward"], keywords, out, (grad, x), alpha)


def swish(x, beta=1.0, *, out=None, **keywords):
    if _is_one(beta):
        return apply(_OF_ONE["swish"], keywords, out, (x,))
    return apply(_UFUNCS["swish"], keywords, out, (x,), beta)


def swish_backward(grad, x, beta=1.0, *, out=None, **keywords):
    if _is_one(beta):
        return apply(_OF_ONE["swish_backward"], keywords, out, (grad, x))
    return apply(_UFUNCS["swish_backward"], keywords, out, (grad, x), beta)


def softplus(x, beta=1.0, *, out=None, **keywords):
    if _is_one(beta):
        return apply(_OF_ONE["softplus"], keywords, out, (x,))
    return apply(_UFUNCS["softplus_scaled"], keywords, out, (x,), beta)


def softplus_backward(grad, x, beta=1.0, *, out=None, **keywords):
    if _is_one(beta):
        return apply(_OF_ONE["softplus_backward"], keywords, out, (grad, x))
    return apply(_UFUNCS["softplus_scaled_backward"], keywords, out, (grad, x), beta)


def hardtanh(x, min_val=-1.0, max_val=1.0, *, out=None, **keywords):
    _ordered("hardtanh", min_val, max_val)
    return apply(_UFUNCS["hardtanh"], keywords, out, (x,), min_val, max_val)


def hardtanh_backward(grad, x, min_val=-1.0, max_val=1.0, *, out=None, **keywords):
    _ordered("hardtanh_backward", min_val, max_val)
    return apply(_UFUNCS["hardtanh_backward"], keywords, out, (grad, x), min_val, max_val)


def softshrink(x, lambd=0.5, *, out=None, **keywords):
    _not_negative("softshrink", "lambd", lambd)
    return apply(_UFUNCS["softshrink"], keywords, out, (x,), lambd)


def softshrink_backward(grad, x, lambd=0.5, *, out=None, **keywords):
    _not_negative("softshrink_backward", "lambd", lambd)
    return apply(_UFUNCS["shrink_backward"], keywords, out, (grad, x), lambd)


def hardshrink(x, lambd=0.5, *, out=None, **keywords):
    return apply(_UFUNCS["hardshrink"], keywords, out, (x,), lambd)


def hardshrink_backward(grad, x, lambd=0.5, *, out=None, **keywords):
    return apply(_UFUNCS["shrink_backward"], keywords, out, (grad, x), lambd)


def threshold(x, threshold, value, *, out=None, **keywords):
    return apply(_UFUNCS["threshold"], keywords, out, (x,), threshold, value)


def threshold_backward(grad, x, threshold, value=None, *, out=None, **keywords):
    return apply(_UFUNCS["threshold_backward"], keywords, out, (grad, x), threshold)


def squareplus(x, b=4.0, *, out=None, **keywords):
    _not_negative("squareplus", "b", b)
    return apply(_UFUNCS["squareplus"], keywords, out, (x,), b)


def squareplus_backward(grad, x, b=4.0, *, out=None, **keywords):
    _not_negative("squareplus_backward", "b", b)
    return apply(_UFUNCS["squareplus_backward"], keywords, out, (grad, x), b)


# formula; derivative; source; parameters; what is refused
_ROWS = {
    "leaky_relu": ("x where x > 0, else negative_slope x", "1 where x > 0, else negative_slope",
                   "Maas, Hannun and Ng, 2013, Rectifier nonlinearities improve neural network acoustic models", _SLOPE,
                   ""),
    "prelu": ("x where x > 0, else weight x", "1 where x > 0, else weight",
              "He et al., 2015, https://arxiv.org/abs/1502.01852",
              {"weight": "The slope where x <= 0; one for each channel at axis 1 has shape (channels, 1, 1)"}, ""),
    "elu": ("x where x > 0, else alpha (e^x - 1)", "1 where x > 0, else alpha e^x",
            "Clevert, Unterthiner and Hochreiter, 2015, https://arxiv.org/abs/1511.07289", _ALPHA, ""),
    "celu": ("x where x > 0, else alpha (e^(x / alpha) - 1)", "1 where x > 0, else e^(x / alpha)",
             "Barron, 2017, https://arxiv.org/abs/1704.07483", _ALPHA, "`alpha` is 0."),
    "swish": ("x / (1 + e^-t), t = beta x", "s (1 + t (1 - s)), s = sigmoid(t), t = beta x",
              "Ramachandran, Zoph and Le, 2017, https://arxiv.org/abs/1710.05941", _BETA, ""),
    "softplus": ("ln(1 + e^(beta x)) / beta", "sigmoid(beta x)",
                 "Dugas et al., 2000, Incorporating second-order functional knowledge for better option pricing", _BETA,
                 ""),
    "hardtanh": ("min(max(x, min_val), max_val)", "1 where min_val < x < max_val, else 0",
                 "Collobert, 2004, Large scale machine learning", _INTERVAL, "`min_val` exceeds `max_val`."),
    "softshrink": ("x - lambd where x > lambd, x + lambd where x < -lambd, else 0", "1 where |x| > lambd, else 0",
                   "Donoho, 1995, De-noising by soft-thresholding", _LAMBD, "`lambd` is negative."),
    "hardshrink": ("x where |x| > lambd, else 0", "1 where |x| > lambd, else 0",
                   "Donoho and Johnstone, 1994, Ideal spatial adaptation by wavelet shrinkage", _LAMBD, ""),
    "threshold": ("x where x > threshold, else value", "1 where x > threshold, else 0", "torch.nn.functional.threshold",
                  _THRESHOLD, ""),
    "squareplus": ("(x + sqrt(x^2 + b)) / 2", "(1 + x / sqrt(x^2 + b)) / 2",
                   "Barron, 2021, https://arxiv.org/abs/2112.11687", _B, "`b` is negative."),
}
_WEIGHTED = {"grad_x": "The gradient with respect to x.",
             "grad_weight": "That with respect to the weight, of its shape: summed where it broadcasts, in float64."}
for _name, (_formula, _slope, _source, _given, _refused) in _ROWS.items():
    _forward, _backward = globals()[_name], globals()[f"{_name}_backward"]
    _raised = _raises(_refused) if _refused else ""
    _keywords = "; `out` as a keyword"
    _forward.__doc__ = _documentation.forward(_name, _formula, _source, "x", _given, _raised, _keywords)
    _backward.__doc__ = _documentation.backward(
        f"{_name}_backward", f"grad * {_name}'; {_name}' = {_slope}", {"x": "The forward's input", **_given},
        _WEIGHTED if _name == "prelu" else None, "", _keywords)
