"""What every function should return: an oracle for each, in float64 for the narrower dtypes and in mpmath for float64.
For tests and ``lanewise accuracy``, which import it where SciPy and mpmath are installed; the library does not. What a
backward takes, and the usual parameters, stand in lanewise.functions.table."""

import math
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from typing import Any

import numpy as np
from mpmath import mp, mpf
from scipy import special

from ..functions.table import FUNCTIONS, GATES, usual
from .ulps import PRECISION

__all__ = ["GATED", "ORACLES", "PRECISION", "Oracle", "caller", "exact", "of_function", "wide"]

_INFINITY = math.inf
_MPMATH = threading.Lock()  # its precision is global


@dataclass(frozen=True)
class Oracle:
    """A function and its slope, each as a pair of formulas.

    Attributes
    ----------
    forward : (callable, callable)
        Of x and the parameters: on float64 arrays, without cancellation; and on mpmath's numbers, as it is defined.
    slope : (callable, callable), optional
        The same for the derivative, by what the backward takes: the forward's input, or its output where `of_output`.
    values : sequence of (float, float)
        Input and result where it is known exactly, down to the sign of a zero; infinities as limits.
    domain : (float, float)
        Where the function is a number.
    slope_domain : (float, float)
        What a backward may be given; the range of the forward, where `of_output`.
    normal_slope_from : (float, float)
        The least input whose slope is a normal number of float32, and of float64. Below it a backward's bound holds
        for a gradient of 1 alone: a large one shows that the slope has fewer digits there.
    also : sequence of tuple
        Values to try for the parameters besides the usual ones.
    odd, increasing : bool
        Whether f(-x) = -f(x), and whether f never decreases.
    gated : Oracle, optional
        Of ``activation(gate) * up``: the activation, of whose slope and value the two gradients are made.
    halves : bool
        Whether the function takes `up` and `gate` as the halves of one array.
    of_output : bool
        Whether the backward takes the forward's output; from the table of functions.
    parameters : sequence of tuple
        Values to try, the usual ones of that table first.
    """

    forward: tuple[Callable[..., Any], Callable[..., Any]]
    slope: tuple[Callable[..., Any], Callable[..., Any]] | None = None
    values: tuple[tuple[float, float], ...] = ()
    domain: tuple[float, float] = (-_INFINITY, _INFINITY)
    slope_domain: tuple[float, float] = (-_INFINITY, _INFINITY)
    normal_slope_from: tuple[float, float] = (-_INFINITY, -_INFINITY)
    also: tuple[tuple[float, ...], ...] = ()
    odd: bool = False
    increasing: bool = False
    gated: "Oracle | None" = None
    halves: bool = False
    of_output: bool = False
    parameters: tuple[tuple[float, ...], ...] = ((),)


def of_function(name):
    """The oracle of a function, which is also that of its backward."""
    return ORACLES[name.removesuffix("_backward")]


def wide(name):
    """The formula of a function, or of its backward with the gradient as first argument, on float64 arrays. That of a
    gated backward returns two results."""
    oracle = of_function(name)
    if not name.endswith("_backward"):
        return oracle.forward[0]
    if oracle.gated:
        return lambda grad, gate, up: (grad * up * oracle.gated.slope[0](gate), grad * oracle.gated.forward[0](gate))
    return lambda grad, *operands: grad * oracle.slope[0](*operands)


def exact(name):
    """As `wide`, on mpmath's numbers."""
    oracle = of_function(name)

    def formula(*operands):
        with mp.workprec(PRECISION):
            operands = [mpf(operand) for operand in operands]
            if not name.endswith("_backward"):
                return oracle.forward[1](*operands)
            grad, x, *others = operands
            if gated := oracle.gated:
                return grad * others[0] * _once(mp.prec, gated.slope[1], x), grad * _once(mp.prec, gated.forward[1], x)
            return grad * _once(mp.prec, oracle.slope[1], x, *others)

    return formula


@lru_cache(1 << 13)  # a few thousand numbers are tried with every gradient, and again with all that they gate
def _once(precision, formula, *operands):
    return formula(*operands)


def caller(name):
    """The function itself, taking the operands that its formula takes, and returning what the formula returns."""
    import lanewise

    function = getattr(lanewise, name)
    if not of_function(name).halves:
        return function

    def of_halves(*operands):
        *grad, gate, up = operands
        found = function(*grad, np.concatenate([np.full_like(gate, up), gate]))
        return tuple(np.split(found, 2)[::-1]) if grad else found

    return of_halves


def _by_series(formula, exact_formula, start):
    """The float64 formula, but the Taylor series around a root where its terms cancel."""

    @cache
    def series():
        with mp.workprec(2 * PRECISION):
            root = mp.findroot(exact_formula, start) if start else mpf(0)
            terms = [mp.chop(c, tol=mpf(2) ** -PRECISION) for c in mp.taylor(exact_formula, root, 28)]
            high = float(root)
            return high, float(root - high), [float(c) for c in [0, *terms[1:]]][::-1]

    def evaluate(x):
        with _MPMATH:
            high, low, terms = series()
        t = (x - high) - low
        near = np.abs(t) < 0.25
        return np.where(near, np.polyval(terms, np.where(near, t, 0.0)), formula(x))

    return evaluate


def _logistic(x):
    return 1 / (1 + mp.exp(-x))


def _normal(x):
    return special.erfc(-x / math.sqrt(2)) / 2


def _exact_normal(x):
    return mp.erfc(min(-x / mp.sqrt(2), 1000)) / 2  # beyond 1000 it is below 2^-1000000, and takes mpmath a long time


def _cubic(x):  # gelu_tanh(x) = x sigmoid(cubic(x))
    return math.sqrt(8 / math.pi) * (x + 0.044715 * x**3)


def _exact_cubic(x):
    return mp.sqrt(8 / mp.pi) * (x + mpf("0.044715") * x**3)


def _silu_slope(x):
    s = special.expit(x)
    return s * (1 + x * special.expit(-x))


def _exact_silu_slope(x):
    return _logistic(x) * (1 + x * _logistic(-x))


def _gelu_slope(x):
    return _normal(x) + x * np.exp(-x * x / 2) / math.sqrt(2 * math.pi)


def _exact_gelu_slope(x):
    return _exact_normal(x) + x * mp.exp(-x * x / 2) / mp.sqrt(2 * mp.pi)


def _gelu_tanh_slope(x):
    u = _cubic(x)
    return special.expit(u) * (1 + special.expit(-u) * math.sqrt(8 / math.pi) * (x + 3 * 0.044715 * x**3))


def _exact_gelu_tanh_slope(x):
    u = _exact_cubic(x)
    return _logistic(u) * (1 + _logistic(-u) * mp.sqrt(8 / mp.pi) * (x + 3 * mpf("0.044715") * x**3))


def _mish_share(x):  # tanh(softplus(x)) and 1 less it, from e^-|x|
    e = np.exp(-np.abs(x))
    rest = np.where(x > 0, 2 * e * e, 2.0)
    share = np.where(x > 0, 1 + 2 * e, e * (e + 2))
    return share / (share + rest), rest / (share + rest)


def _mish_slope(x):
    share, rest = _mish_share(x)
    return share + x * (rest * (1 + share) * special.expit(x))


def _exact_mish_slope(x):
    share = mp.tanh(mp.log1p(mp.exp(x)))
    return share + x * (1 - share**2) * _logistic(x)


def _squareplus(x, b):
    root = np.hypot(x, np.sqrt(b))
    return np.where(x > 0, x + root, b / (root + np.abs(x))) / 2


def _squareplus_slope(x, b):
    return _squareplus(x, b) / np.hypot(x, np.sqrt(b))


def _exact_squareplus(x, b):
    root = mp.sqrt(x * x + b)
    return (x + root if x > 0 else b / (root - x)) / 2


def _exact_tanhshrink(x):
    return x - mp.tanh(x) if abs(x) > 2.0**-60 else x**3 / 3 - 2 * x**5 / 15


_SELU_SCALE, _SELU_ALPHA = "1.0507009873554804934193349852946", "1.6732632423543772848170429916717"
_silu_slope_everywhere = _by_series(_silu_slope, _exact_silu_slope, -1.28)
_UP_AND_DOWN = ((_INFINITY, _INFINITY), (-_INFINITY, -0.0), (0.0, 0.0), (-0.0, -0.0))
_UPS = ((1.0,), (-0.3,), (1e4,))
_SHRINK = ((_INFINITY, _INFINITY), (-_INFINITY, -_INFINITY), (0.0, 0.0))

_FORMULAS = {
    "exp": Oracle(
        (np.exp, mp.exp), increasing=True,
        values=((0.0, 1.0), (-0.0, 1.0), (-_INFINITY, 0.0), (_INFINITY, _INFINITY))),
    "expm1": Oracle(
        (np.expm1, mp.expm1), increasing=True,
        values=((0.0, 0.0), (-0.0, -0.0), (-_INFINITY, -1.0), (_INFINITY, _INFINITY))),
    "log": Oracle(
        (np.log, mp.log), increasing=True, domain=(0.0, _INFINITY),
        values=((1.0, 0.0), (0.0, -_INFINITY), (-0.0, -_INFINITY), (_INFINITY, _INFINITY))),
    "log1p": Oracle(
        (np.log1p, mp.log1p), increasing=True, domain=(-1.0, _INFINITY),
        values=((0.0, 0.0), (-0.0, -0.0), (-1.0, -_INFINITY), (_INFINITY, _INFINITY))),
    "log1mexp": Oracle(
        (lambda x: np.where(x < 0.7, np.log(-np.expm1(-x)), np.log1p(-np.exp(-np.maximum(x, 0.7)))),
         lambda x: mp.log(-mp.expm1(-x)) if x < 1 else mp.log1p(-mp.exp(-x))),
        increasing=True, domain=(0.0, _INFINITY),
        values=((0.0, -_INFINITY), (-0.0, -_INFINITY), (_INFINITY, -0.0))),
    "erf": Oracle(
        (special.erf, mp.erf), increasing=True, odd=True,
        values=((0.0, 0.0), (-0.0, -0.0), (-_INFINITY, -1.0), (_INFINITY, 1.0))),
    "erfc": Oracle(
        (special.erfc, lambda x: mp.erfc(min(x, 1000))),
        values=((0.0, 1.0), (-0.0, 1.0), (-_INFINITY, 2.0), (_INFINITY, 0.0))),
    "relu": Oracle(
        (lambda x: np.maximum(x, 0), lambda x: max(x, 0)),
        (lambda x: np.where(x > 0, 1.0, 0.0), lambda x: mpf(x > 0)), increasing=True,
        values=((0.0, 0.0), (-_INFINITY, 0.0), (_INFINITY, _INFINITY))),
    "relu6": Oracle(
        (lambda x: np.clip(x, 0, 6), lambda x: min(max(x, 0), 6)),
        (lambda x: np.where((x > 0) & (x < 6), 1.0, 0.0), lambda x: mpf(0 < x < 6)), increasing=True,
        values=((0.0, 0.0), (6.0, 6.0), (-_INFINITY, 0.0), (_INFINITY, 6.0))),
    "relu_squared": Oracle(
        (lambda x: np.maximum(x, 0)**2, lambda x: max(x, 0)**2),
        (lambda x: 2 * np.maximum(x, 0), lambda x: 2 * max(x, 0)), increasing=True,
        values=((0.0, 0.0), (-_INFINITY, 0.0), (_INFINITY, _INFINITY))),
    "leaky_relu": Oracle(
        (lambda x, slope: np.where(x > 0, x, x * slope), lambda x, slope: x if x > 0 else x * slope),
        (lambda x, slope: np.where(x > 0, 1.0, slope), lambda x, slope: mpf(1) if x > 0 else slope),
        also=((0.25,),), values=_SHRINK),
    "prelu": Oracle(
        (lambda x, weight: np.where(x > 0, x, x * weight), lambda x, weight: x if x > 0 else x * weight),
        also=((-0.3,),), values=((0.0, 0.0), (_INFINITY, _INFINITY))),
    "sigmoid": Oracle(
        (special.expit, _logistic),
        (lambda y: y * (1 - y), lambda y: y * (1 - y)), increasing=True, slope_domain=(0.0, 1.0),
        values=((0.0, 0.5), (-0.0, 0.5), (-_INFINITY, 0.0), (_INFINITY, 1.0))),
    "tanh": Oracle(
        (np.tanh, mp.tanh),
        (lambda y: (1 - y) * (1 + y), lambda y: 1 - y * y), increasing=True, odd=True, slope_domain=(-1.0, 1.0),
        values=((0.0, 0.0), (-0.0, -0.0), (-_INFINITY, -1.0), (_INFINITY, 1.0))),
    "silu": Oracle(
        (lambda x: x * special.expit(x), lambda x: x * _logistic(x)),
        (_silu_slope_everywhere, _exact_silu_slope), values=_UP_AND_DOWN, normal_slope_from=(-91.0, -714.0)),
    "swish": Oracle(
        (lambda x, beta: x * special.expit(beta * x), lambda x, beta: x * _logistic(beta * x)),
        (lambda x, beta: _silu_slope_everywhere(beta * x), lambda x, beta: _exact_silu_slope(beta * x)),
        also=((1.5,),), values=_UP_AND_DOWN,
        normal_slope_from=(-60.0, -476.0)),
    "gelu": Oracle(
        (lambda x: x * _normal(x), lambda x: x * _exact_normal(x)),
        (_by_series(_gelu_slope, _exact_gelu_slope, -0.75), _exact_gelu_slope), values=_UP_AND_DOWN,
        normal_slope_from=(-13.2, -37.6)),
    "gelu_tanh": Oracle(
        (lambda x: x * special.expit(_cubic(x)), lambda x: x * _logistic(_exact_cubic(x))),
        (_by_series(_gelu_tanh_slope, _exact_gelu_tanh_slope, -0.75), _exact_gelu_tanh_slope), values=_UP_AND_DOWN,
        normal_slope_from=(-9.5, -19.6)),
    "mish": Oracle(
        (lambda x: x * _mish_share(x)[0], lambda x: x * mp.tanh(mp.log1p(mp.exp(x)))),
        (_by_series(_mish_slope, _exact_mish_slope, -1.19), _exact_mish_slope), values=_UP_AND_DOWN,
        normal_slope_from=(-91.0, -714.0)),
    "softplus": Oracle(
        (lambda x, beta: np.logaddexp(0, beta * x) / beta, lambda x, beta: mp.log1p(mp.exp(beta * x)) / beta),
        (lambda x, beta: special.expit(beta * x), lambda x, beta: _logistic(beta * x)),
        also=((1.5,),), increasing=True, values=((-_INFINITY, 0.0), (_INFINITY, _INFINITY))),
    "logsigmoid": Oracle(
        (lambda x: -np.logaddexp(0, -x), lambda x: -mp.log1p(mp.exp(-x))),
        (lambda x: special.expit(-x), lambda x: _logistic(-x)), increasing=True,
        values=((-_INFINITY, -_INFINITY), (_INFINITY, -0.0))),
    "elu": Oracle(
        (lambda x, alpha: np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0))),
         lambda x, alpha: x if x > 0 else alpha * mp.expm1(x)),
        (lambda x, alpha: np.where(x > 0, 1.0, alpha * np.exp(np.minimum(x, 0))),
         lambda x, alpha: mpf(1) if x > 0 else alpha * mp.exp(x)),
        also=((0.7,),), increasing=True,
        values=((0.0, 0.0), (-0.0, -0.0), (-_INFINITY, -1.0), (_INFINITY, _INFINITY)),
        normal_slope_from=(-86.0, -707.0)),
    "celu": Oracle(
        (lambda x, alpha: np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0) / alpha)),
         lambda x, alpha: x if x > 0 else alpha * mp.expm1(x / alpha)),
        (lambda x, alpha: np.where(x > 0, 1.0, np.exp(np.minimum(x, 0) / alpha)),
         lambda x, alpha: mpf(1) if x > 0 else mp.exp(x / alpha)),
        also=((0.7,),), increasing=True,
        values=((0.0, 0.0), (-0.0, -0.0), (-_INFINITY, -1.0), (_INFINITY, _INFINITY)),
        normal_slope_from=(-60.0, -494.0)),
    "selu": Oracle(
        (lambda x: float(_SELU_SCALE) * np.where(x > 0, x, float(_SELU_ALPHA) * np.expm1(np.minimum(x, 0))),
         lambda x: mpf(_SELU_SCALE) * (x if x > 0 else mpf(_SELU_ALPHA) * mp.expm1(x))),
        (lambda x: float(_SELU_SCALE) * np.where(x > 0, 1.0, float(_SELU_ALPHA) * np.exp(np.minimum(x, 0))),
         lambda x: mpf(_SELU_SCALE) * (1 if x > 0 else mpf(_SELU_ALPHA) * mp.exp(x))),
        increasing=True, values=((0.0, 0.0), (-0.0, -0.0), (_INFINITY, _INFINITY)),
        normal_slope_from=(-87.0, -708.0)),
    "softsign": Oracle(
        (lambda x: x / (1 + np.abs(x)), lambda x: x / (1 + abs(x))),
        (lambda x: 1 / (1 + np.abs(x))**2, lambda x: 1 / (1 + abs(x))**2), increasing=True, odd=True,
        values=((0.0, 0.0), (-0.0, -0.0), (-_INFINITY, -1.0), (_INFINITY, 1.0))),
    "tanhshrink": Oracle(
        (_by_series(lambda x: x - np.tanh(x), lambda x: x - mp.tanh(x), 0), _exact_tanhshrink),
        (lambda x: np.tanh(x)**2, lambda x: mp.tanh(x)**2), increasing=True, odd=True, values=_SHRINK),
    "hardsigmoid": Oracle(
        (lambda x: np.clip(x + 3, 0, 6) / 6, lambda x: min(max(x + 3, 0), 6) / 6),
        (lambda x: np.where(np.abs(x) < 3, 1 / 6, 0.0), lambda x: mpf(abs(x) < 3) / 6), increasing=True,
        values=((0.0, 0.5), (-3.0, 0.0), (3.0, 1.0), (-_INFINITY, 0.0), (_INFINITY, 1.0))),
    "hardswish": Oracle(
        (lambda x: x * (np.clip(x + 3, 0, 6) / 6), lambda x: x * min(max(x + 3, 0), 6) / 6),
        (lambda x: np.where(x < -3, 0.0, np.where(x > 3, 1.0, (2 * x + 3) / 6)),
         lambda x: mpf(0) if x < -3 else mpf(1) if x > 3 else (2 * x + 3) / 6),
        values=((0.0, 0.0), (-0.0, -0.0), (_INFINITY, _INFINITY))),
    "hardtanh": Oracle(
        (np.clip, lambda x, low, high: min(max(x, low), high)),
        (lambda x, low, high: np.where((low < x) & (x < high), 1.0, 0.0), lambda x, low, high: mpf(low < x < high)),
        also=((-0.5, 2.0),), increasing=True,
        values=((0.0, 0.0), (-0.0, -0.0), (-_INFINITY, -1.0), (_INFINITY, 1.0))),
    "softshrink": Oracle(
        (lambda x, lambd: np.sign(x) * np.maximum(np.abs(x) - lambd, 0),
         lambda x, lambd: mp.sign(x) * max(abs(x) - lambd, 0)),
        (lambda x, lambd: np.where(np.abs(x) > lambd, 1.0, 0.0), lambda x, lambd: mpf(abs(x) > lambd)),
        also=((0.3,),), increasing=True, values=_SHRINK),
    "hardshrink": Oracle(
        (lambda x, lambd: np.where(np.abs(x) > lambd, x, 0.0), lambda x, lambd: x if abs(x) > lambd else mpf(0)),
        (lambda x, lambd: np.where(np.abs(x) > lambd, 1.0, 0.0), lambda x, lambd: mpf(abs(x) > lambd)),
        also=((0.3,),), increasing=True, values=_SHRINK),
    "threshold": Oracle(
        (lambda x, at, value: np.where(x > at, x, value), lambda x, at, value: x if x > at else value),
        (lambda x, at, value: np.where(x > at, 1.0, 0.0), lambda x, at, value: mpf(x > at)),
        also=((-1.0, 0.5),), values=((-_INFINITY, 20.0), (_INFINITY, _INFINITY))),
    "squareplus": Oracle(
        (_squareplus, _exact_squareplus),
        (_squareplus_slope, lambda x, b: _exact_squareplus(x, b) / mp.sqrt(x * x + b)),
        also=((0.5,),), increasing=True, values=((0.0, 1.0), (-_INFINITY, 0.0), (_INFINITY, _INFINITY)),
        normal_slope_from=(-3e18, -7e152)),
}
ORACLES = {name: replace(oracle, of_output=FUNCTIONS[name].takes == "y", parameters=(usual(name), *oracle.also))
           for name, oracle in _FORMULAS.items()}


def _gated(activation, values, *, halves=False):
    """The oracle of ``activation(gate) * up``: of a gate, with a few values of what it gates."""
    return Oracle(
        (lambda gate, up: activation.forward[0](gate) * up,
         lambda gate, up: _once(mp.prec, activation.forward[1], gate) * up),
        parameters=_UPS, values=values, gated=activation, halves=halves,
        # so much nearer that the slope times the least of the values is normal too
        normal_slope_from=tuple(gate + 0.6 for gate in activation.normal_slope_from))


_LOGISTIC_BY_INPUT = Oracle(
    (special.expit, _logistic),
    (lambda x: special.expit(x) * special.expit(-x), lambda x: _logistic(x) * _logistic(-x)))
ORACLES |= {
    "glu": _gated(_LOGISTIC_BY_INPUT, ORACLES["sigmoid"].values, halves=True),
    **{name: _gated(ORACLES[activation], ORACLES[activation].values) for name, activation in GATES.items()},
}
GATED = tuple(name for name, oracle in ORACLES.items() if oracle.gated)  # whose parameter is an operand like x
