"""Layers of a network, each with a forward and a backward of its own: no tape, no graph, plain arrays.

A layer keeps what its last forward needs to go back, and nothing else: ``backward`` belongs to the forward before it.
Its parameters and their gradients are arrays that stay where they are, updated in place, so that lists of them can be
made once and handed to `lanewise.sgd_step` or `lanewise.adamw_step`. All arithmetic is the functions'.
"""

import numpy as np

from .. import functions
from ..environment import unflushed
from ..functions.table import FUNCTIONS
from ..kernels.operands import precision_given, truth
from ._arrays import add, fitting, floating, floats_given, from_zero, key_of, size_given
from .dropping import dropout, dropout_backward
from .initial import drawn_by, he_uniform
from .layer import Layer
from .linear import linear, linear_backward, rectified

__all__ = ["Activation", "BatchNorm", "Dropout", "Layer", "LayerNorm", "Linear", "RMSNorm", "Residual", "Sequential",
           "SwiGLU"]


class Linear(Layer):
    """``x @ weight.T + bias``.

    Parameters
    ----------
    inputs, outputs : int
    rng : int or np.random.Generator
        The key of the weights, or where to draw one from.
    init : callable
        ``init((outputs, inputs), rng, gain, dtype=dtype)``, such as `lanewise.he_uniform`, the default.
    gain : float or str
        As `init` takes it.
    bias : bool
        Whether there is one; it begins at 0.
    activation : {None, "relu"}
        Relu in the passes of the bias: a quicker ``Linear(...), Activation("relu")``.
    input_grad : bool
        Whether backward computes the gradient of `x`; a network's first layer can do without.
    dtype : {float32, float64}
    """

    def __init__(self, inputs, outputs, rng, *, init=he_uniform, gain="relu", bias=True, activation=None,
                 input_grad=True, dtype=np.float32):
        super().__init__()
        rectified("Linear", activation)
        bias, self.input_grad = truth("Linear", "bias", bias), truth("Linear", "input_grad", input_grad)
        self.activation, self.output = activation, None
        shape = size_given("Linear", "outputs", outputs), size_given("Linear", "inputs", inputs)
        dtype = precision_given("Linear", dtype)
        self._parameter("weight", drawn_by("Linear", init, shape, rng, gain, dtype))
        if bias:
            self._parameter("bias", np.zeros(shape[:1], dtype))

    def _arguments(self):
        outputs, inputs = self.own["weight"].shape
        told = f"{inputs}, {outputs}" + (", bias=False" if "bias" not in self.own else "")
        return told + (f", activation={self.activation!r}" if self.activation else "")

    def forward(self, x, training=True):
        """Apply the layer to x[..., inputs]."""
        training = truth("Linear", "training", training)
        y = linear(x, self.own["weight"], self.own.get("bias"), activation=self.activation)
        self.kept, self.output = x if training else None, y if training and self.activation else None
        return y

    def backward(self, grad):
        """Fill the gradients of weight and bias; return that of x, or None without `input_grad`."""
        x, own = self._forwarded(), self.own_gradients
        return linear_backward(grad, x, self.own["weight"], self.own.get("bias"), activation=self.activation,
                               y=self.output, grad_x=self.input_grad, out=(None, own["weight"], own.get("bias")))[0]


_OF_OUTPUT = ("sigmoid", "tanh")
ACTIVATIONS = [each.removesuffix("_backward") for each in functions.activations.__all__ + functions.parametric.__all__
               if each.endswith("_backward")]


def check_parameters(caller, name, given):
    """Raise an error where the function does not take one of the parameters, or lacks one."""
    taken = FUNCTIONS[name].parameters | FUNCTIONS[name].options
    if strange := [each for each in given if each not in taken]:
        raise TypeError(f"{caller}: {name} takes {', '.join(taken) or 'no parameters'}; got {strange[0]}")
    if missing := [each for each in taken if taken[each].default is None and each not in given]:
        raise TypeError(f"{caller}: {name} needs {', '.join(missing)}")


class Activation(Layer):
    """An activation of the library, by its name.

    Parameters
    ----------
    name : str
        Such as "gelu": a function of `lanewise` that has a backward.
    **parameters
        As the function takes them, such as ``alpha`` of elu.
    """

    def __init__(self, name, **parameters):
        super().__init__()
        if not isinstance(name, str) or name not in ACTIVATIONS:
            raise ValueError(f"Activation: {name!r:.60} is unknown; expected one of {', '.join(ACTIVATIONS)}")
        check_parameters("Activation", name, parameters)
        self.name, self.given = name, parameters
        self._function, self._backward = getattr(functions, name), getattr(functions, f"{name}_backward")

    def _arguments(self):
        return ", ".join([repr(self.name), *(f"{role}={value!r}" for role, value in self.given.items())])

    @unflushed
    def forward(self, x, training=True):
        """Apply the activation."""
        training = truth("Activation", "training", training)
        x = floating("Activation", "x", x)
        y = self._function(x, **self.given)
        self.kept = (y if self.name in _OF_OUTPUT else x) if training else None
        return y

    @unflushed
    def backward(self, grad):
        """The gradient of x."""
        kept = self._forwarded()
        found = self._backward(fitting("Activation", grad, np.shape(kept)), kept, **self.given)
        return found[0] if isinstance(found, tuple) else found  # prelu's weight is given, not learnt


class _Norm(Layer):
    def _arguments(self):
        return str(self.own["weight"].size)


class LayerNorm(_Norm):
    """`lanewise.layer_norm` over the last axis, of `size` elements, with a weight and a bias."""

    def __init__(self, size, *, eps=1e-5, dtype=np.float32):
        super().__init__()
        size, dtype = size_given("LayerNorm", "size", size), floats_given("LayerNorm", dtype)
        self.eps = from_zero("LayerNorm", "eps", eps)
        self._parameter("weight", np.ones(size, dtype))
        self._parameter("bias", np.zeros(size, dtype))

    def forward(self, x, training=True):
        """Normalise every row."""
        training = truth("LayerNorm", "training", training)
        y, mean, rstd = functions.layer_norm(x, self.own["weight"], self.own["bias"], eps=self.eps, return_stats=True)
        self.kept = (x, mean, rstd) if training else None
        return y

    def backward(self, grad):
        """Fill the gradients of weight and bias; return that of x."""
        x, mean, rstd = self._forwarded()
        grad_x, weight, bias = functions.layer_norm_backward(
            grad, x, self.own["weight"], self.own["bias"], eps=self.eps, mean=mean, rstd=rstd)
        self._filled(weight=weight, bias=bias)
        return grad_x


class RMSNorm(_Norm):
    """`lanewise.rms_norm` over the last axis, of `size` elements, with a weight."""

    def __init__(self, size, *, eps=1e-6, dtype=np.float32):
        super().__init__()
        size, dtype = size_given("RMSNorm", "size", size), floats_given("RMSNorm", dtype)
        self.eps = from_zero("RMSNorm", "eps", eps)
        self._parameter("weight", np.ones(size, dtype))

    def forward(self, x, training=True):
        """Normalise every row."""
        training = truth("RMSNorm", "training", training)
        y, rstd = functions.rms_norm(x, self.own["weight"], eps=self.eps, return_stats=True)
        self.kept = (x, rstd) if training else None
        return y

    def backward(self, grad):
        """Fill the gradient of weight; return that of x."""
        x, rstd = self._forwarded()
        grad_x, weight = functions.rms_norm_backward(grad, x, self.own["weight"], eps=self.eps, rstd=rstd)[:2]
        self._filled(weight=weight)
        return grad_x


class BatchNorm(_Norm):
    """`lanewise.batch_norm` of x[batch, size] or x[batch, size, ...], with running statistics."""

    def __init__(self, size, *, eps=1e-5, momentum=0.1, dtype=np.float32):
        super().__init__()
        size, dtype = size_given("BatchNorm", "size", size), floats_given("BatchNorm", dtype)
        self.eps, self.momentum = from_zero("BatchNorm", "eps", eps), from_zero("BatchNorm", "momentum", momentum, 1)
        self._parameter("weight", np.ones(size, dtype))
        self._parameter("bias", np.zeros(size, dtype))
        self.state = {"running_mean": np.zeros(size, dtype), "running_var": np.ones(size, dtype)}

    def forward(self, x, training=True):
        """Normalise every channel by the batch's statistics, or by the running ones where it is not training."""
        mean, variance = self.state["running_mean"], self.state["running_var"]
        weight, bias = self.own["weight"], self.own["bias"]
        if not truth("BatchNorm", "training", training):
            self.kept = None
            return functions.batch_norm(x, mean, variance, weight, bias, eps=self.eps)
        y, batch_mean, rstd = functions.batch_norm(x, mean, variance, weight, bias, training=True, eps=self.eps,
                                                   momentum=self.momentum, return_stats=True)
        self.kept = x, batch_mean, rstd
        return y

    def backward(self, grad):
        """Fill the gradients of weight and bias; return that of x."""
        x, mean, rstd = self._forwarded()
        grad_x, weight, bias = functions.batch_norm_backward(grad, x, self.own["weight"], mean=mean, rstd=rstd,
                                                             training=True)
        self._filled(weight=weight, bias=bias)
        return grad_x


class Dropout(Layer):
    """`lanewise.dropout`, while training: each forward has a mask of its own, which is remade and not kept.

    Parameters
    ----------
    p : float
        From 0 to 1: how many elements become 0.
    rng : int or np.random.Generator
        The key, or where to draw one from.
    """

    def __init__(self, p, rng):
        super().__init__()
        self.p, self.key, self.forwards = from_zero("Dropout", "p", p, 1), key_of("Dropout", rng), 0

    def _arguments(self):
        return f"{self.p:g}"

    def forward(self, x, training=True):
        """Drop elements of x; without training x passes as it is."""
        if not truth("Dropout", "training", training):
            self.kept = None
            return x
        y = dropout(x, self.p, self.key, generation=self.forwards)
        self.kept, self.forwards = (y.shape, self.forwards), (self.forwards + 1) % 2**32
        return y

    def backward(self, grad):
        """The gradient of x."""
        shape, generation = self._forwarded()
        return dropout_backward(fitting("Dropout", grad, shape), self.p, self.key, generation=generation)


class SwiGLU(Layer):
    """The feed-forward layer of today's language models: ``down(silu(gate(x)) * up(x))``, without biases.

    Parameters
    ----------
    size, hidden : int
    rng : np.random.Generator
        Where to draw the keys of the three weights from.
    dtype : {float32, float64}
    """

    def __init__(self, size, hidden, rng, *, dtype=np.float32):
        super().__init__()
        size, hidden = size_given("SwiGLU", "size", size), size_given("SwiGLU", "hidden", hidden)
        more = {"gain": 1.0, "bias": False, "dtype": precision_given("SwiGLU", dtype)}
        self.gate, self.up = Linear(size, hidden, rng, **more), Linear(size, hidden, rng, **more)
        self.down = Linear(hidden, size, rng, **more)

    def children(self):
        """Gate, up and down."""
        return {"gate": self.gate, "up": self.up, "down": self.down}

    def forward(self, x, training=True):
        """Apply the layer to x[..., size]."""
        gate, up = self.gate.forward(x, training), self.up.forward(x, training)
        self.kept = (gate, up) if training else None
        return self.down.forward(functions.swiglu(gate, up), training)

    def backward(self, grad):
        """Fill the gradients of the weights; return that of x."""
        grad_gate, grad_up = functions.swiglu_backward(self.down.backward(grad), *self._forwarded())
        return add(self.gate.backward(grad_gate), self.up.backward(grad_up))


def _with_children(layers):
    for layer in layers:
        yield layer
        if isinstance(layer, Layer):
            yield from _with_children(layer.children().values())


class Sequential(Layer):
    """Layers one after the other.

    Parameters
    ----------
    *layers : Layer
        None of them twice: a layer keeps what its own backward needs of its last forward.
    """

    def __init__(self, *layers):
        super().__init__()
        name = type(self).__name__
        for layer in layers:
            if not (hasattr(layer, "forward") and hasattr(layer, "backward")):
                raise TypeError(f"{name}: expected layers, with forward and backward; got {type(layer).__name__}")
        seen = set()
        for layer in _with_children(layers):
            if id(layer) in seen:
                raise ValueError(f"{name}: the same {type(layer).__name__} is in it twice; each place needs one")
            seen.add(id(layer))
        self.layers = layers

    def children(self):
        """The layers, by their numbers."""
        return {str(k): layer for k, layer in enumerate(self.layers)}

    def forward(self, x, training=True):
        """Apply all layers in order."""
        for layer in self.layers:
            x = layer.forward(x, training)
        return x

    def backward(self, grad):
        """Go back through all layers; return the gradient of x, None where the first layer does not compute it."""
        for k, layer in reversed(list(enumerate(self.layers))):
            grad = layer.backward(grad)
            if grad is None and k > 0:
                raise ValueError(f"{type(self).__name__}: layer {k} computes no gradient of x, which layer {k - 1} "
                                 "needs; expected input_grad=True")
        return grad


class Residual(Sequential):
    """``x + f(x)`` of layers one after the other."""

    @unflushed
    def forward(self, x, training=True):
        """Apply the layers, and add what came in."""
        x = floating("Residual", "x", x)
        y = super().forward(x, training)
        if y.shape != x.shape:
            raise ValueError(f"Residual: the layers make {y.shape} of x of shape {x.shape}; expected that shape")
        return add(x, y)

    @unflushed
    def backward(self, grad):
        """Go back through the layers, and beside them."""
        passed = super().backward(grad)
        if passed is None:
            raise ValueError("Residual: its first layer computes no gradient of x; expected input_grad=True")
        return add(grad, passed)
