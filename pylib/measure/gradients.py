"""Backwards beside differences of their forwards: the check that needs no formula of the derivative, and finds a wrong
one. How exact a backward is in ULP is accuracy.py's."""

from dataclasses import dataclass

import numpy as np

from ..functions.table import FUNCTIONS, usual

__all__ = ["GRID", "Difference", "compare", "differences", "names"]

STEP = 1e-3
# at no point is a kink within two steps: all of them stand on tenths
GRID = (np.arange(-1000, 1000) + 0.5) / 100


@dataclass(frozen=True)
class Difference:
    """How far a backward is from differences.

    Attributes
    ----------
    function : str
    largest : float
        The largest |backward - difference|, relative to 1 + |difference|.
    at : float
        The input where it occurs.
    """

    function: str
    largest: float
    at: float


def names():
    """Return the functions that have a backward of one result."""
    from ..bounds import BOUNDS

    return [name.removesuffix("_backward") for name in BOUNDS if name.endswith("_backward")]


def differences(function, x, step=STEP):
    """The derivative of a function of one number by differences of fourth order.

    Parameters
    ----------
    function : callable
        Of an array of float64, element by element.
    x : ndarray of float64
    step : float

    Returns
    -------
    ndarray of float64

    Notes
    -----
    ``(8 (f(x + h) - f(x - h)) - (f(x + 2 h) - f(x - 2 h))) / 12 h``; its error is of the order of h^4.
    """
    near = function(x + step) - function(x - step)
    far = function(x + 2 * step) - function(x - 2 * step)
    return (8 * near - far) / (12 * step)


def compare(name, x=GRID):
    """Compare a function's backward, for a gradient of 1, with differences of the function.

    Parameters
    ----------
    name : str
        One of `names`.
    x : array_like of float64

    Returns
    -------
    Difference
    """
    import lanewise

    x = np.asarray(x, np.float64)
    parameters, by_output = usual(name, required=True), FUNCTIONS[name].takes == "y"
    forward, backward = getattr(lanewise, name), getattr(lanewise, f"{name}_backward")
    expected = differences(lambda at: forward(at, *parameters), x)
    computed = backward(np.ones_like(x), forward(x) if by_output else x, *parameters)
    found = np.abs(computed - expected) / (1 + np.abs(expected))
    worst = int(np.argmax(np.where(np.isnan(found), np.inf, found)))
    return Difference(name, float(found[worst]), float(x[worst]))
