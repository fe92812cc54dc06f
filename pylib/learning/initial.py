"""Random weights to begin with, whose scale keeps signals and gradients from growing or fading from layer to layer.

Which scale is decided here, the numbers are made in kernels/draws.pyx.
"""

import math
import operator

import numpy as np

from ..environment import unflushed
from ..kernels import draws as _kernels
from ..kernels.operands import precision_given
from ._arrays import MOST, floating, from_zero, generation_given, key_of, rounded_to, with_bound

__all__ = ["he_normal", "he_uniform", "xavier_normal", "xavier_uniform"]

# What a layer's outputs are multiplied by, so that the activation keeps their mean square. The first five are those of
# torch.nn.init; the others are 1 / sqrt(E f(z)^2) for a standard normal z, by quadrature, which the tests do again.
GAINS = {"linear": 1.0, "sigmoid": 1.0, "tanh": 5 / 3, "relu": math.sqrt(2.0), "selu": 0.75,
         "leaky_relu": math.sqrt(2.0 / (1.0 + 0.01**2)), "gelu": 1.5335304412, "silu": 1.6765324703,
         "mish": 1.4868475813}


def _gain(name, gain):
    if not isinstance(gain, str):
        return from_zero(name, "gain", gain)
    if gain not in GAINS:
        raise ValueError(f"{name}: gain {gain!r} is unknown; expected a number or one of {', '.join(GAINS)}")
    return GAINS[gain]


def _fans(name, shape):
    # how many inputs each output has, and how many outputs each input; axes behind the first two are a receptive field
    try:
        shape = tuple(operator.index(size) for size in shape)
    except TypeError:
        raise TypeError(f"{name}: shape must be a tuple of ints, (out, in) or longer, not {shape!r:.60}") from None
    if len(shape) < 2 or min(shape) < 0:
        raise ValueError(f"{name}: shape must be (out, in) or longer, none of them negative, not {shape}")
    if math.prod(max(size, 1) for size in shape) > MOST:  # NumPy's rule for arrays without elements, too
        raise ValueError(f"{name}: shape {shape} has more elements than an array can have, {MOST}")
    field = math.prod(shape[2:])
    return shape, shape[1] * field, shape[0] * field


def _drawn(name, shape, rng, std, normal, dtype, generation):
    dtype = precision_given(name, dtype)
    generation = generation_given(name, generation)
    y = np.empty(shape, dtype)
    reach = math.sqrt(3.0) * std
    start, scale = (0.0, std) if normal else (-reach, 2.0 * reach)
    _kernels.fill(y, normal, start, scale, key_of(name, rng), generation)
    return y


def drawn_by(name, init, shape, rng, gain, dtype):
    """What an initialisation of the caller's returns, as a new array; an error where it is not what was asked for."""
    if not callable(init):
        raise TypeError(f"{name}: init must be callable, such as lanewise.he_uniform, not {init!r:.60}")
    weight = floating(name, "what init returns", init(shape, rng, gain, dtype=dtype))
    if weight.shape != shape:
        raise ValueError(f"{name}: what init returns has shape {weight.shape}; expected {shape}")
    return np.array(rounded_to(dtype, weight))


def _xavier(name, shape, rng, gain, normal, dtype, generation):
    shape, fan_in, fan_out = _fans(name, shape)
    std = _gain(name, gain) * math.sqrt(2.0 / max(1, fan_in + fan_out))
    return _drawn(name, shape, rng, std, normal, dtype, generation)


def _he(name, shape, rng, gain, mode, normal, dtype, generation):
    shape, fan_in, fan_out = _fans(name, shape)
    if not isinstance(mode, str) or mode not in ("fan_in", "fan_out"):
        raise ValueError(f"{name}: mode must be 'fan_in' or 'fan_out', not {mode!r:.60}")
    std = _gain(name, gain) / math.sqrt(max(1, fan_in if mode == "fan_in" else fan_out))
    return _drawn(name, shape, rng, std, normal, dtype, generation)


_SHARED = """Parameters
----------
shape : tuple of int
    (out, in), or longer: the axes behind two are a receptive field.
rng : int or np.random.Generator
    The key, 64 bits, or where to draw one from.
gain : float or str
    What the standard deviation is multiplied by: a number, or the name of the activation that follows, one of
    {gains}.
{mode}dtype : {{float32, float64}}
generation : int
    A part of the key, from 0 to 2^32 - 1: layers of one seed count here.

Returns
-------
weight : ndarray
    An element is decided by the key and its place: the same on every level and any number of threads.

Raises
------
ValueError, TypeError
    If an argument is out of its range or of another kind.

Notes
-----
%(bound)s

As ``{torch}``; {source}. The generator is Philox4x32-10.
"""
_GLOROT = 'Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks", 2010'
_HE = 'He, Zhang, Ren and Sun, "Delving deep into rectifiers", 2015'
_MODE = """mode : {"fan_in", "fan_out"}
    Whether the forward's or the backward's signals keep their size.
"""


def _documented(function, torch, source, mode=""):
    if function.__doc__:  # which python -OO leaves out
        function.__doc__ += "\n\n" + _SHARED.format(gains=", ".join(GAINS), torch=torch, source=source, mode=mode)
    return with_bound(function)


@unflushed
def xavier_uniform(shape, rng, gain=1.0, *, dtype=np.float32, generation=0):
    """Uniform weights of variance ``gain^2 * 2 / (fan_in + fan_out)``."""
    return _xavier("xavier_uniform", shape, rng, gain, False, dtype, generation)


@unflushed
def xavier_normal(shape, rng, gain=1.0, *, dtype=np.float32, generation=0):
    """Normal weights of variance ``gain^2 * 2 / (fan_in + fan_out)``."""
    return _xavier("xavier_normal", shape, rng, gain, True, dtype, generation)


@unflushed
def he_uniform(shape, rng, gain="relu", *, mode="fan_in", dtype=np.float32, generation=0):
    """Uniform weights of variance ``gain^2 / fan_in``."""
    return _he("he_uniform", shape, rng, gain, mode, False, dtype, generation)


@unflushed
def he_normal(shape, rng, gain="relu", *, mode="fan_in", dtype=np.float32, generation=0):
    """Normal weights of variance ``gain^2 / fan_in``."""
    return _he("he_normal", shape, rng, gain, mode, True, dtype, generation)


for _function, _torch, _source, _more in (
        (xavier_uniform, "torch.nn.init.xavier_uniform_", _GLOROT, ""),
        (xavier_normal, "torch.nn.init.xavier_normal_", _GLOROT, ""),
        (he_uniform, "torch.nn.init.kaiming_uniform_", _HE, _MODE),
        (he_normal, "torch.nn.init.kaiming_normal_", _HE, _MODE)):
    _documented(_function, _torch, _source, _more)
