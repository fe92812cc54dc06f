"""Activations and elementary functions without a parameter, and their backwards, as np.ufunc objects: names and
documentation. The numbers are made in lanewise.kernels.activations; the bounds stand in lanewise.bounds."""

from ..kernels import activations as _kernels
from . import _documentation

# formula, source
_FUNCTIONS = {
    "exp": ("e^x", "the exponential function"),
    "expm1": ("e^x - 1, without cancellation near 0", "the exponential function"),
    "log": ("ln x", "the natural logarithm"),
    "log1p": ("ln(1 + x), without cancellation near 0", "the natural logarithm"),
    "erf": ("2 / sqrt(pi) * integral of e^(-t^2) from 0 to x", "the error function"),
    "erfc": ("1 - erf(x), without cancellation where x > 0", "the complementary error function"),
    "relu": ("max(x, 0)", "Nair and Hinton, 2010, https://icml.cc/Conferences/2010/papers/432.pdf"),
    "relu6": ("min(max(x, 0), 6)", "Howard et al., 2017, https://arxiv.org/abs/1704.04861"),
    "relu_squared": ("max(x, 0)^2", "So et al., 2021, https://arxiv.org/abs/2109.08668"),
    "sigmoid": ("1 / (1 + e^-x)", "the logistic function"),
    "logsigmoid": ("ln(1 / (1 + e^-x)) = -ln(1 + e^-x)", "the logarithm of the logistic function"),
    "tanh": ("(e^2x - 1) / (e^2x + 1)", "the hyperbolic tangent"),
    "tanhshrink": ("x - tanh(x), without cancellation near 0", "torch.nn.functional.tanhshrink"),
    "silu": ("x / (1 + e^-x)", "Elfwing, Uchibe and Doya, 2017, https://arxiv.org/abs/1702.03118"),
    "gelu": ("x Phi(x), Phi the normal distribution function",
             "Hendrycks and Gimpel, 2016, https://arxiv.org/abs/1606.08415"),
    "gelu_tanh": ("x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2",
                  "the approximation of gelu in Hendrycks and Gimpel, 2016, https://arxiv.org/abs/1606.08415"),
    "mish": ("x tanh(ln(1 + e^x))", "Misra, 2019, https://arxiv.org/abs/1908.08681"),
    "softsign": ("x / (1 + |x|)", "Bergstra et al., 2009, Quadratic polynomials learn better image features"),
    "selu": ("s x where x > 0, else s a (e^x - 1); s = 1.0507009873554805, a = 1.6732632423543773",
             "Klambauer et al., 2017, https://arxiv.org/abs/1706.02515"),
    "hardsigmoid": ("min(max(x + 3, 0), 6) / 6", "Howard et al., 2019, https://arxiv.org/abs/1905.02244"),
    "hardswish": ("x min(max(x + 3, 0), 6) / 6", "Howard et al., 2019, https://arxiv.org/abs/1905.02244"),
}
# derivative, what the backward takes besides the gradient
_SLOPES = {
    "relu": ("1 where x > 0, else 0", "x"),
    "relu6": ("1 where 0 < x < 6, else 0", "x"),
    "relu_squared": ("2 max(x, 0)", "x"),
    "sigmoid": ("y (1 - y), of the forward's output y", "y"),
    "logsigmoid": ("sigmoid(-x)", "x"),
    "tanh": ("1 - y^2, of the forward's output y", "y"),
    "tanhshrink": ("tanh(x)^2", "x"),
    "silu": ("s (1 + x (1 - s)), s = sigmoid(x)", "x"),
    "gelu": ("Phi(x) + x phi(x)", "x"),
    "gelu_tanh": ("s (1 + (1 - s) x u'), s = sigmoid(u), u = sqrt(8 / pi) (x + 0.044715 x^3)", "x"),
    "mish": ("t + x (1 - t^2) sigmoid(x), t = tanh(ln(1 + e^x))", "x"),
    "softsign": ("1 / (1 + |x|)^2", "x"),
    "selu": ("s where x > 0, else s a e^x", "x"),
    "hardsigmoid": ("1/6 where |x| < 3, else 0", "x"),
    "hardswish": ("0 where x < -3, 1 where x > 3, else (2 x + 3) / 6", "x"),
}
_ROLES = {"x": "The forward's input", "y": "The forward's output"}


def _documented():
    """Every ufunc by name, with its docstring."""
    functions = {}
    for name, (formula, source) in _FUNCTIONS.items():
        functions[name] = _documentation.named(getattr(_kernels, f"{name}_ufunc"), name)
        functions[name].__doc__ = _documentation.forward(name, formula, source)
    for name, (slope, argument) in _SLOPES.items():
        backward = f"{name}_backward"
        functions[backward] = _documentation.named(getattr(_kernels, f"{backward}_ufunc"), backward)
        functions[backward].__doc__ = _documentation.backward(
            backward, f"grad * {name}'; {name}' = {slope}", {argument: _ROLES[argument]})
    return functions


globals().update(_documented())
__all__ = list(_documented())
