"""The table of elementwise functions: one entry per function says all that is to be said of it, once. Functions,
docstrings and stubs are made from it, and whatever else must know a function, to measure or to time it, asks here.

What is promised of each stands in lanewise.bounds under the same name, and under `<name>_backward` for its gradient.
The formulas that compute are in kernels/points; nothing here computes."""

from collections.abc import Mapping
from math import inf
from types import MappingProxyType
from typing import NamedTuple

__all__ = ["FUNCTIONS", "GATES", "Function", "Parameter", "usual"]


class Parameter(NamedTuple):
    """What a function takes besides its input."""

    meaning: str
    default: float | None = None  # None: a call must give it
    example: float | None = None  # what tests and benchmarks give, where there is no default
    in_slope: bool = True  # a backward takes it all the same, and needs no value for it


class Function(NamedTuple):
    """An elementwise function and its backward."""

    formula: str
    source: str
    slope: str | None = None  # the derivative; None where there is no backward
    takes: str = "x"  # what the backward takes besides the gradient: the forward's input x, or its output y
    parameters: Mapping[str, Parameter] = MappingProxyType({})
    refused: tuple[str, ...] = ()  # ("negative", a), ("zero", a) or ("exceeding", a, b): where a exceeds b
    ufunc: str = ""  # in kernels.activations, where its name is another
    backward_ufunc: str = ""
    plain: str = ""  # the function that does the work where the parameter is 1
    options: Mapping[str, Parameter] = MappingProxyType({})  # further parameters, by keyword alone
    general: str = ""  # the ufunc that takes the options too, where one of them is not its default


_SLOPE = "The slope where x <= 0"
_ALPHA = {"alpha": Parameter("The depth for x towards -inf, as a positive number", 1.0)}
_BETA = {"beta": Parameter("The factor of x within", 1.0)}
_LAMBD = {"lambd": Parameter("The threshold of the magnitude; 0 or more", 0.5)}

FUNCTIONS = {
    "exp": Function("e^x", "the exponential function"),
    "expm1": Function("e^x - 1, without cancellation near 0", "the exponential function"),
    "log": Function("ln x", "the natural logarithm"),
    "log1p": Function("ln(1 + x), without cancellation near 0", "the natural logarithm"),
    "log1mexp": Function(
        "ln(1 - e^-x) of x above 0, without cancellation",
        "Maechler, 2012, Accurately computing log(1 - exp(-|a|)); jax.nn.log1mexp"),
    "erf": Function("2 / sqrt(pi) * integral of e^(-t^2) from 0 to x", "the error function"),
    "erfc": Function("1 - erf(x), without cancellation where x > 0", "the complementary error function"),
    "relu": Function(
        "max(x, 0)", "Nair and Hinton, 2010, https://icml.cc/Conferences/2010/papers/432.pdf",
        "1 where x > 0, else 0"),
    "relu6": Function(
        "min(max(x, 0), 6)", "Howard et al., 2017, https://arxiv.org/abs/1704.04861", "1 where 0 < x < 6, else 0"),
    "relu_squared": Function(
        "max(x, 0)^2", "So et al., 2021, https://arxiv.org/abs/2109.08668", "2 max(x, 0)"),
    "leaky_relu": Function(
        "x where x > 0, else negative_slope x",
        "Maas, Hannun and Ng, 2013, Rectifier nonlinearities improve neural network acoustic models",
        "1 where x > 0, else negative_slope", parameters={"negative_slope": Parameter(_SLOPE, 0.01)}),
    "prelu": Function(
        "x where x > 0, else weight x", "He et al., 2015, https://arxiv.org/abs/1502.01852",
        "1 where x > 0, else weight", ufunc="leaky_relu", parameters={"weight": Parameter(
            f"{_SLOPE}; one for each channel at axis 1 has shape (channels, 1, 1)", example=0.25)}),
    "sigmoid": Function(
        "1 / (1 + e^-x)", "the logistic function", "y (1 - y), of the forward's output y", "y"),
    "logsigmoid": Function(
        "ln(1 / (1 + e^-x)) = -ln(1 + e^-x)", "the logarithm of the logistic function", "sigmoid(-x)"),
    "tanh": Function(
        "(e^2x - 1) / (e^2x + 1)", "the hyperbolic tangent", "1 - y^2, of the forward's output y", "y"),
    "tanhshrink": Function(
        "x - tanh(x), without cancellation near 0", "torch.nn.functional.tanhshrink", "tanh(x)^2"),
    "silu": Function(
        "x / (1 + e^-x)", "Elfwing, Uchibe and Doya, 2017, https://arxiv.org/abs/1702.03118",
        "s (1 + x (1 - s)), s = sigmoid(x)"),
    "swish": Function(
        "x / (1 + e^-t), t = beta x", "Ramachandran, Zoph and Le, 2017, https://arxiv.org/abs/1710.05941",
        "s (1 + t (1 - s)), s = sigmoid(t), t = beta x", parameters=_BETA, plain="silu"),
    "gelu": Function(
        "x Phi(x), Phi the normal distribution function",
        "Hendrycks and Gimpel, 2016, https://arxiv.org/abs/1606.08415", "Phi(x) + x phi(x)"),
    "gelu_tanh": Function(
        "x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2",
        "the approximation of gelu in Hendrycks and Gimpel, 2016, https://arxiv.org/abs/1606.08415",
        "s (1 + (1 - s) x u'), s = sigmoid(u), u = sqrt(8 / pi) (x + 0.044715 x^3)"),
    "mish": Function(
        "x tanh(ln(1 + e^x))", "Misra, 2019, https://arxiv.org/abs/1908.08681",
        "t + x (1 - t^2) sigmoid(x), t = tanh(ln(1 + e^x))"),
    "softplus": Function(
        "ln(1 + e^(beta x)) / beta, but x where beta x > threshold",
        "Dugas et al., 2000, Incorporating second-order functional knowledge for better option pricing",
        "sigmoid(beta x), but 1 where beta x > threshold", parameters=_BETA, ufunc="softplus_scaled", plain="softplus",
        general="softplus_threshold", options={
            "threshold": Parameter("What beta x must exceed for y to be x; PyTorch's default is 20", inf)}),
    "elu": Function(
        "x where x > 0, else alpha (e^x - 1)",
        "Clevert, Unterthiner and Hochreiter, 2015, https://arxiv.org/abs/1511.07289",
        "1 where x > 0, else alpha e^x", parameters=_ALPHA),
    "celu": Function(
        "x where x > 0, else alpha (e^(x / alpha) - 1)", "Barron, 2017, https://arxiv.org/abs/1704.07483",
        "1 where x > 0, else e^(x / alpha)", parameters=_ALPHA, refused=("zero", "alpha"), plain="elu"),
    "softsign": Function(
        "x / (1 + |x|)", "Bergstra et al., 2009, Quadratic polynomials learn better image features",
        "1 / (1 + |x|)^2"),
    "selu": Function(
        "gamma x where x > 0, else gamma alpha (e^x - 1)", "Klambauer et al., 2017, https://arxiv.org/abs/1706.02515",
        "gamma where x > 0, else gamma alpha e^x", general="selu_scaled", options={
            "alpha": Parameter("The depth for x towards -inf, before gamma. The default stands for the paper's number, "
                               "of which float64 holds 16 digits", 1.6732632423543772),
            "gamma": Parameter("The slope where x > 0; the default likewise", 1.0507009873554805)}),
    "squareplus": Function(
        "(x + sqrt(x^2 + b)) / 2", "Barron, 2021, https://arxiv.org/abs/2112.11687",
        "(1 + x / sqrt(x^2 + b)) / 2", parameters={"b": Parameter("How round the bend is; 0 or more", 4.0)},
        refused=("negative", "b")),
    "hardsigmoid": Function(
        "min(max(alpha x + beta, 0), 1)", "Howard et al., 2019, https://arxiv.org/abs/1905.02244",
        "alpha where 0 < alpha x + beta < 1, else 0", general="hardsigmoid_scaled", options={
            "alpha": Parameter("The slope; the default stands for 1/6, PyTorch's. ONNX's default is 0.2", 1 / 6),
            "beta": Parameter("y where x is 0. With an alpha or beta of your own, the slope is 0 where alpha x + beta, "
                              "rounded, is 0 or 1", 0.5)}),
    "hardswish": Function(
        "x min(max(x + 3, 0), 6) / 6", "Howard et al., 2019, https://arxiv.org/abs/1905.02244",
        "0 where x < -3, 1 where x > 3, else (2 x + 3) / 6"),
    "hardtanh": Function(
        "min(max(x, min_val), max_val)", "Collobert, 2004, Large scale machine learning",
        "1 where min_val < x < max_val, else 0", refused=("exceeding", "min_val", "max_val"), parameters={
            "min_val": Parameter("The lower end", -1.0),
            "max_val": Parameter("The upper end; no less than `min_val`", 1.0)}),
    "softshrink": Function(
        "x - lambd where x > lambd, x + lambd where x < -lambd, else 0",
        "Donoho, 1995, De-noising by soft-thresholding", "1 where |x| > lambd, else 0", parameters=_LAMBD,
        refused=("negative", "lambd"), backward_ufunc="shrink_backward"),
    "hardshrink": Function(
        "x where |x| > lambd, else 0",
        "Donoho and Johnstone, 1994, Ideal spatial adaptation by wavelet shrinkage", "1 where |x| > lambd, else 0",
        parameters=_LAMBD, backward_ufunc="shrink_backward"),
    "threshold": Function(
        "x where x > threshold, else value; threshold(x, alpha, 0) is ONNX's ThresholdedRelu",
        "torch.nn.functional.threshold", "1 where x > threshold, else 0",
        parameters={"threshold": Parameter("What x must exceed", example=0.1),
                    "value": Parameter("What replaces x where it does not", example=20.0, in_slope=False)}),
}
# the activation of each gated unit activation(gate) * up, whose backward returns two gradients
GATES = {"swiglu": "silu", "geglu": "gelu", "reglu": "relu"}


def usual(name, *, required=False):
    """The values that tests and benchmarks give the parameters of a function or of its backward: the defaults, or
    examples where there are none. With `required` only those that a call must give."""
    entry, backward = FUNCTIONS.get(name.removesuffix("_backward")), name.endswith("_backward")
    return tuple(given.example if given.default is None else given.default
                 for given in (entry.parameters if entry else {}).values()
                 if (given.in_slope or not backward) and (given.default is None or not required))
