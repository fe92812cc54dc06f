"""Activations and their backwards, as np.ufunc objects: names and documentation. The numbers are made in
lanewise.kernels.activations; the bounds stand in lanewise.bounds."""

from .bounds import BOUNDS
from .kernels import activations as _kernels

_ELEMENTARY = {
    "exp": ("e^x", "the exponential function"),
    "expm1": ("e^x - 1", "without cancellation near 0"),
    "log": ("ln x", "the natural logarithm"),
    "log1p": ("ln(1 + x)", "without cancellation near 0"),
    "erf": ("2 / sqrt(pi) * integral of e^(-t^2) from 0 to x", "the error function"),
}
_ACTIVATIONS = {
    "relu": ("max(x, 0)", "Nair and Hinton, 2010, https://icml.cc/Conferences/2010/papers/432.pdf"),
    "sigmoid": ("1 / (1 + e^-x)", "the logistic function"),
    "tanh": ("(e^2x - 1) / (e^2x + 1)", "the hyperbolic tangent"),
    "silu": ("x / (1 + e^-x)", "Elfwing, Uchibe and Doya, 2017, https://arxiv.org/abs/1702.03118"),
    "gelu": ("x Phi(x), Phi the normal distribution function",
             "Hendrycks and Gimpel, 2016, https://arxiv.org/abs/1606.08415"),
}
_SLOPES = {
    "relu": ("1 where x > 0, else 0", "x"),
    "sigmoid": ("y (1 - y), of the forward's output y", "y"),
    "tanh": ("1 - y^2, of the forward's output y", "y"),
    "silu": ("s (1 + x (1 - s)), s = sigmoid(x)", "x"),
    "gelu": ("Phi(x) + x phi(x)", "x"),
}

_FORWARD_DOC = """{formula}, element by element.

Parameters
----------
x : array_like of float16, bfloat16, float32 or float64, any shape
    Integers are converted as np.exp converts them.
out, where, dtype, ...
    As for every np.ufunc.

Returns
-------
y : ndarray or scalar, of x's shape and dtype

Notes
-----
Error bound in ULP of the exact result: {bounds}.
{limits}Source: {source}.
"""
_BACKWARD_DOC = """grad * {name}'({input}), element by element; {name}' = {formula}.

Parameters
----------
grad : array_like of float16, bfloat16, float32 or float64, any shape
    The gradient arriving.
{input} : array_like
    The {role}; broadcasts with grad.
out, where, dtype, ...
    As for every np.ufunc.

Returns
-------
grad_x : ndarray or scalar
    The gradient with respect to x.

Notes
-----
Error bound in ULP of the exact result for the given inputs: {bounds}.
"""


def _quoted(name):
    bounds = BOUNDS[name]
    return f"{bounds['float32']:g} (float32), {bounds['float64']:g} (float64), 0.51 (float16, bfloat16)"


def _documented():
    """Every ufunc by name, with its docstring."""
    functions = {}
    for name, (formula, source) in {**_ELEMENTARY, **_ACTIVATIONS}.items():
        functions[name] = getattr(_kernels, f"{name}_ufunc")
        functions[name].__doc__ = _FORWARD_DOC.format(formula=formula, bounds=_quoted(name), source=source, limits="")
    for name, (formula, argument) in _SLOPES.items():
        backward = f"{name}_backward"
        role = "forward's input" if argument == "x" else "forward's output"
        functions[backward] = getattr(_kernels, f"{backward}_ufunc")
        functions[backward].__doc__ = _BACKWARD_DOC.format(
            name=name, formula=formula, input=argument, role=role, bounds=_quoted(backward))
    return functions


globals().update(_documented())
__all__ = list(_documented())
