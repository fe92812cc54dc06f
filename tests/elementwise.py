"""What the tests of elementwise functions share: which functions there are, how each is called, and numbers to try."""

from functools import cache

import lanewise as lw
import numpy as np
import pytest
from lanewise.bounds import BOUNDS
from lanewise.functions.table import FUNCTIONS, GATES, usual
from lanewise.measure import accuracy, oracles
from lanewise.measure.oracles import ORACLES

FORWARD = [name for name in BOUNDS if not name.endswith("_backward")]
BACKWARD = [name for name in BOUNDS if name.endswith("_backward")]
FORMULAS = [*ORACLES, *(f"{name}_backward" for name, oracle in ORACLES.items() if oracle.slope or oracle.gated)]
WITHOUT_DEFAULTS = (*GATES, *(name for name in FUNCTIONS if usual(name, required=True)))
SIXTEEN_BITS = ("float16", "bfloat16")
# of every function with parameters: numbers that are not their defaults, and that no 16-bit format holds
UNUSUAL = {name: tuple(0.91 * value + 0.013 for value in usual(name))
           for name, entry in FUNCTIONS.items() if entry.parameters}


def every(names):
    return pytest.mark.parametrize("name", list(names))


def every_dtype(*dtypes):
    return pytest.mark.parametrize("dtype", dtypes or accuracy.DTYPES)


@cache
def parameters_of(name, dtype=np.float64):
    # what is gated is of the dtype of the gate
    held = dtype if name in oracles.GATED else float
    return [held(parameter) for parameter in oracles.of_function(name).parameters[0]]


def required_of(name, dtype=np.float64):
    # what a call must give besides its operands
    return parameters_of(name, dtype) if name.removesuffix("_backward") in WITHOUT_DEFAULTS else []


def compute(name, *operands, **keywords):
    # no flag is raised, whatever is computed
    with np.errstate(all="raise"):
        return getattr(lw, name)(*operands, *parameters_of(name, operands[-1].dtype.type), **keywords)


def operands_of(name, x):
    # a gradient too, for a backward; x within the domain
    low, high = domain_of(name)
    x = np.clip(x, low, high).astype(x.dtype)
    return (np.roll(x, 1), x) if name.endswith("_backward") else (x,)


def domain_of(name):
    oracle = oracles.of_function(name)
    return oracle.slope_domain if name.endswith("_backward") else oracle.domain


def all_numbers(dtype):
    # of sixteen bits, in order and without NaN
    x = np.arange(1 << 16, dtype=np.uint16).view(accuracy.dtype_of(dtype))
    with np.errstate(invalid="ignore"):
        x = x[~np.isnan(x)]
    return x[np.argsort(x.astype(np.float64), kind="stable")]


def consecutive(dtype):
    # windows of consecutive numbers, in order
    x = np.unique(accuracy.neighbourhoods(dtype, 3000))
    return x[np.isfinite(x)]


def bits(y):
    return np.ascontiguousarray(y).tobytes()


def normal(n=301, dtype=np.float32, seed=5):
    return np.random.default_rng(seed).normal(0, 4, n).astype(dtype)
