"""How signals and gradients fare in a deep stack of layers: what `lanewise flow` shows. Arithmetic is the layers'."""

import os
from dataclasses import dataclass

import numpy as np

from ..environment import unflushed
from . import initial, layers, optimise
from ._arrays import MOST, floating, from_zero, key_of, whole

__all__ = ["GradientFlow", "gradient_flow"]

NORMS = {"layer_norm": layers.LayerNorm, "rms_norm": layers.RMSNorm, "batch_norm": layers.BatchNorm}
INITS = (*initial.__all__, "identity")


@dataclass(frozen=True, eq=False)
class GradientFlow:
    """What `gradient_flow` found, a float64 array with one number for each layer, the first layer first.

    Attributes
    ----------
    activation : ndarray
        Root mean square of a layer's output.
    gradient : ndarray
        Root mean square of the gradient that a layer passes on to the one before it, in units of what arrives at the
        last layer's output.
    slope : ndarray
        Mean of the activation's derivative.
    updated : ndarray or None
        `activation` again, after a step of gradient descent.
    """

    activation: np.ndarray
    gradient: np.ndarray
    slope: np.ndarray
    updated: np.ndarray | None = None

    def __eq__(self, other):
        if not isinstance(other, GradientFlow) or (self.updated is None) != (other.updated is None):
            return False
        of = ("activation", "gradient", "slope", *(("updated",) if self.updated is not None else ()))
        return all(np.array_equal(getattr(self, name), getattr(other, name), equal_nan=True) for name in of)

    __hash__ = None


def _root_mean_square(x):
    # for numbers of any size: NumPy's own squares may leave the exponent range
    largest = np.abs(x).max(initial=0.0)
    if largest == 0 or not np.isfinite(largest):
        return float(largest)
    return float(largest * np.sqrt(np.mean((x / largest)**2)))


def _identity(shape, rng, gain, dtype):
    return np.eye(*shape, dtype=dtype) * gain


def _stack(depth, width, activation, norm, init, gain, rng):
    draw = _identity if init == "identity" else getattr(initial, init)
    found = []
    for _ in range(depth):
        block = [layers.Linear(width, width, rng, init=draw, gain=gain, bias=False, dtype=np.float64)]
        if norm is not None:
            block.append(NORMS[norm](width, dtype=np.float64))
        if activation != "identity":
            block.append(layers.Activation(activation))
        found.append(layers.Sequential(*block))
    return found


def _refuse_beyond_memory(name, depth, width, batch):
    # Layer after layer would fill the memory until the system ends the process. What they need at least: weights, the
    # weights' gradients, and of each row what goes into a layer and comes out of it, in float64.
    try:
        there = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):  # a system that does not say
        return
    needed = 16 * depth * width * (width + batch)
    if needed > there:
        raise MemoryError(f"{name}: {depth} layers of {width} need at least {needed / 2**30:,.1f} GiB for {batch} "
                          f"rows; this machine has {there / 2**30:,.1f}")


@unflushed
def gradient_flow(depth=20, width=128, activation="tanh", norm=None, init="xavier_uniform", gain=1.0, *, batch=64,
                  inputs=None, rng=0, lr=None):
    """Send a batch forward through a deep stack of equal layers, and a gradient backward.

    Each layer is linear without a bias, then a norm if there is one, then the activation. All is float64.

    Parameters
    ----------
    depth, width : int
        Layers, and what each takes and gives.
    activation : str
        Such as "relu": a function of `lanewise` that has a backward; "identity" for none.
    norm : {None, "layer_norm", "rms_norm", "batch_norm"}
    init : {"xavier_uniform", "xavier_normal", "he_uniform", "he_normal", "identity"}
        How the weights are drawn; "identity" is ``gain`` times the unit matrix.
    gain : float or str
        As `xavier_uniform` takes it.
    batch : int
        Rows, drawn from the standard normal, unless `inputs` are given.
    inputs : array_like, shape (batch, width), optional
    rng : int
        The seed of weights, inputs and the gradient that arrives.
    lr : float, optional
        If given, the weights take a step of gradient descent, and the batch goes forward once more.

    Returns
    -------
    GradientFlow

    Raises
    ------
    ValueError
        If an argument is unknown, out of range, or does not fit.
    TypeError
        If a number is of another kind.
    MemoryError
        If the layers need more memory than the machine has.

    Notes
    -----
    Glorot and Bengio, "Understanding the difficulty of training deep feedforward neural networks", 2010.

    Examples
    --------
    Five layers of slope 0.8, one after the other, let a third of a gradient through:

    >>> import lanewise as lw
    >>> flow = lw.gradient_flow(5, 1, "identity", init="identity", gain=0.8, batch=1)
    >>> float(flow.gradient[0].round(5))
    0.32768
    """
    name = "gradient_flow"
    sizes = {role: whole(name, role, value) for role, value in (("depth", depth), ("width", width), ("batch", batch))}
    for role, value in sizes.items():
        if value < 1 or value > MOST:
            raise ValueError(f"{name}: {role} must be {'1 or more' if value < 1 else f'at most {MOST}'}, not {value}")
    depth, width, batch = sizes.values()
    for role, value, known in (("activation", activation, ("identity", *layers.ACTIVATIONS)),
                               ("norm", norm, (None, *NORMS)), ("init", init, INITS)):
        if not isinstance(value, str | None) or value not in known:
            raise ValueError(f"{name}: {role} {value!r:.60} is unknown; expected one of {', '.join(map(str, known))}")
    if activation != "identity":
        layers.check_parameters(name, activation, {})
    if init == "identity":
        gain = from_zero(name, "gain", gain)
    lr = None if lr is None else from_zero(name, "lr", lr)
    key = key_of(name, rng)
    if inputs is not None:
        inputs = np.array(floating(name, "inputs", inputs), np.float64)
        if inputs.ndim != 2 or inputs.shape[1] != width:
            raise ValueError(f"{name}: inputs of shape {inputs.shape} do not fit; expected (batch, {width})")
        batch = len(inputs)
    _refuse_beyond_memory(name, depth, width, batch)
    random = np.random.default_rng(key)
    x = random.normal(size=(batch, width)) if inputs is None else inputs
    stack = _stack(depth, width, activation, norm, init, gain, random)
    outputs = _forward(stack, x)
    slope = np.ones(depth)
    grad = random.normal(size=x.shape)
    gradient, unit = np.empty(depth), _root_mean_square(grad)
    with np.errstate(all="ignore"):
        for k in range(depth - 1, -1, -1):
            last = stack[k].layers[-1]
            if isinstance(last, layers.Activation):
                slope[k] = last.backward(np.ones_like(grad)).mean()
            grad = stack[k].backward(grad)
            gradient[k] = _root_mean_square(grad) / unit
        updated = None
        if lr is not None:
            optimise.sgd_step([each for block in stack for each in block.parameters().values()],
                              [each for block in stack for each in block.gradients().values()], lr=lr)
            updated = _forward(stack, x)
    return GradientFlow(outputs, gradient, slope, updated)


def _forward(stack, x):
    found = []
    with np.errstate(all="ignore"):
        for block in stack:
            x = block.forward(x)
            found.append(_root_mean_square(x))
    return np.array(found)
