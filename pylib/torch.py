"""Lanewise's functions as PyTorch operators: on tensors, whose memory they share, with gradients, under torch.compile.

Imported only when asked: ``from lanewise import torch as lt``. Each function takes CPU tensors of float16, bfloat16,
float32 or float64 and gives the bits of the function of `lanewise` with the same name. The operators are also
``torch.ops.lanewise.silu`` and so on. No gradient of a gradient is published.
"""

import operator

import torch
from torch import Tensor

from . import functions as _functions
from .functions.table import FUNCTIONS as _TABLE
from .kernels import activations as _kernels
from .kernels import interface as _interface

__all__ = []

_LIBRARY = torch.library.Library("lanewise", "DEF")
_DTYPES = {torch.float16, torch.bfloat16, torch.float32, torch.float64}
_PLAIN = (Tensor, torch.nn.Parameter)
# name: parameters with their defaults
_PARAMETRIC = {
    "celu": {"alpha": 1.0}, "elu": {"alpha": 1.0}, "hardshrink": {"lambd": 0.5},
    "hardtanh": {"min_val": -1.0, "max_val": 1.0}, "leaky_relu": {"negative_slope": 0.01}, "softplus": {"beta": 1.0},
    "softshrink": {"lambd": 0.5}, "squareplus": {"b": 4.0}, "swish": {"beta": 1.0},
}
_ALONG_DIM = ("softmax", "log_softmax")
_GATES = ("geglu", "reglu", "swiglu")
_NORMS = {"rms_norm": (("weight",), 1e-6), "layer_norm": (("weight", "bias"), 1e-5)}


def _bfloat16():
    try:
        from ml_dtypes import bfloat16
    except ImportError:
        raise TypeError("lanewise.torch needs ml_dtypes for tensors of bfloat16: pip install ml_dtypes") from None
    return bfloat16


def _shared(name, tensor):
    """A tensor as an array that shares its memory."""
    if tensor.device.type != "cpu" or tensor.dtype not in _DTYPES:
        raise TypeError(f"lanewise.torch.{name} expected a CPU tensor of float16, bfloat16, float32 or float64; got "
                        f"one of {str(tensor.dtype).removeprefix('torch.')} on {tensor.device}")
    if tensor.dtype == torch.bfloat16:
        return tensor.detach().view(torch.int16).numpy().view(_bfloat16())
    return tensor.detach().numpy()


def _new(like):
    return torch.empty_like(like)


def _same_shape(name, first, *others):
    for other in others:
        if other.shape != first.shape or other.dtype != first.dtype:
            raise ValueError(f"lanewise.torch.{name} expected tensors of one shape and dtype; got "
                             f"{tuple(first.shape)} {first.dtype} and {tuple(other.shape)} {other.dtype}")


def _filled(name, function, outputs, *operands):
    """Tensors that a function fills: each of the shape of an operand."""
    made = [_new(like) for like in outputs]
    arrays = tuple(_shared(name, y) for y in made)
    function(*(_shared(name, x) for x in operands), out=arrays if len(made) > 1 else arrays[0])
    return tuple(made) if len(made) > 1 else made[0]


def _no_second_derivative(name):
    def backward(ctx, *grads):
        raise NotImplementedError(f"lanewise.torch.{name} has no derivative: Lanewise has no second derivatives")

    return backward


def _operator(name, schema, run, like, backward, keep):
    """Define an operator and its gradient: `run` on the CPU, `like` for its fake tensors."""
    _LIBRARY.define(f"{name}{schema}")
    _LIBRARY.impl(name, run, "CPU")
    torch.library.register_fake(f"lanewise::{name}", like, lib=_LIBRARY)
    torch.library.register_autograd(f"lanewise::{name}", backward, setup_context=keep, lib=_LIBRARY)
    return getattr(torch.ops.lanewise, name).default


def _publish(name, function, text, parameters=""):
    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"""{text}

    The bits are those of `lanewise.{name}`, which documents the formula and the error bound.

    Parameters
    ----------
    x : Tensor
        On the CPU, of float16, bfloat16, float32 or float64.{parameters}

    Returns
    -------
    Tensor
        Of its shape and dtype, laid out as it is.

    Raises
    ------
    TypeError
        If it is of another dtype or on another device.
    """
    globals()[name] = function
    __all__.append(name)


def _function(op, signature, operands):
    """A Python function whose arguments have names and defaults, which pass to an operator that has none: PyTorch
    leaves out what is at its default."""
    namespace = {"op": op}
    exec(f"def function({signature}):\n    return op({operands})", namespace)
    return namespace["function"]


def _one_tensor(name, parameters, kinds="float"):
    """An operator on one tensor and numbers, and its backward."""
    forward, backward = getattr(_functions, name), getattr(_functions, f"{name}_backward")
    takes_output = name in _ALONG_DIM or _TABLE[name].takes == "y"
    numbers_of = "".join(f", {kinds} {key}" for key in parameters)

    def run(x, *numbers):
        return _filled(name, lambda x, out: forward(x, *numbers, out=out), [x], x)

    def run_backward(grad, saved, *numbers):
        _same_shape(f"{name}_backward", saved, grad)
        return _filled(f"{name}_backward", lambda grad, saved, out: backward(grad, saved, *numbers, out=out), [saved],
                       grad, saved)

    def keep(ctx, inputs, output):
        ctx.save_for_backward(output if takes_output else inputs[0])
        ctx.numbers = inputs[1:]

    op_backward = _operator(
        f"{name}_backward", f"(Tensor grad, Tensor {'y' if takes_output else 'x'}{numbers_of}) -> Tensor",
        run_backward, lambda grad, saved, *numbers: _new(saved), _no_second_derivative(f"{name}_backward"),
        lambda ctx, inputs, output: None)

    def gradient(ctx, grad):
        return op_backward(grad, *ctx.saved_tensors, *ctx.numbers), *([None] * len(ctx.numbers))

    return _operator(name, f"(Tensor x{numbers_of}) -> Tensor", run, lambda x, *numbers: _new(x), gradient, keep)


def _needs_no_operator(x):
    """Whether a call may go to the kernel at once: a tensor of torch itself, no gradient, nothing that traces."""
    return (not torch.compiler.is_compiling() and type(x) in _PLAIN
            and not (x.requires_grad and torch.is_grad_enabled()) and not torch._C._len_torch_dispatch_stack()
            and not torch._C._are_functorch_transforms_active())


def _activation(name):
    op, ufunc = _one_tensor(name, {}), getattr(_functions, name)
    addresses = {torch.float32: _address(f"{name}_float32"), torch.float64: _address(f"{name}_float64")}
    call, small, empty = _interface.call_flat, _interface.SMALL, torch.empty_like

    def function(x):
        # an operator that is written in Python takes a small call ten times as long as its kernel
        if not _needs_no_operator(x):
            return op(x)
        n = x.numel()
        if n > small or x.dtype not in addresses or not x.is_contiguous() or x.device.type != "cpu":
            return _filled(name, ufunc, [x], x)
        y = empty(x)
        call(addresses[x.dtype], x.data_ptr(), y.data_ptr(), n)
        return y

    _publish(name, function, f"{name}, elementwise.")


def _address(name):
    return _interface.address_in(_kernels.__pyx_capi__[name])


def _parametric(name, parameters):
    op = _one_tensor(name, parameters)
    listed = ", ".join(f"{key}={value}" for key, value in parameters.items())
    text = "".join(f"\n    {key} : float\n        As of `lanewise.{name}`." for key in parameters)
    _publish(name, _function(op, f"x, {listed}", ", ".join(["x", *parameters])),
             f"{name}, elementwise, with its parameters.", text)


def _along_dim(name):
    op = _one_tensor(name, {"dim": -1}, "int")

    def function(x, dim=-1):
        return op(x, operator.index(dim))

    _publish(name, function, f"{name} along a dimension.", "\n    dim : int\n        Along which.")


def _gate(name):
    forward, backward = getattr(_functions, name), getattr(_functions, f"{name}_backward")

    def run(gate, up):
        _same_shape(name, gate, up)
        return _filled(name, forward, [gate], gate, up)

    def run_backward(grad, gate, up):
        _same_shape(f"{name}_backward", gate, grad, up)
        return _filled(f"{name}_backward", backward, [gate, up], grad, gate, up)

    op_backward = _operator(
        f"{name}_backward", "(Tensor grad, Tensor gate, Tensor up) -> (Tensor, Tensor)", run_backward,
        lambda grad, gate, up: (_new(gate), _new(up)), _no_second_derivative(f"{name}_backward"),
        lambda ctx, inputs, output: None)
    op = _operator(name, "(Tensor gate, Tensor up) -> Tensor", run, lambda gate, up: _new(gate),
                   lambda ctx, grad: op_backward(grad, *ctx.saved_tensors),
                   lambda ctx, inputs, output: ctx.save_for_backward(*inputs))

    def function(x, up):
        return op(x, up)

    _publish(name, function, f"{name}: x is the gate.", "\n    up : Tensor\n        What it opens for; as x.")


def _norm(name, affine, eps):
    forward, backward = getattr(_functions, name), getattr(_functions, f"{name}_backward")
    optional = "".join(f", Tensor? {of}" for of in affine)

    def arrays(of, given):
        return [None if tensor is None else _shared(of, tensor) for tensor in given]

    def run(x, *arguments):
        return _filled(name, lambda x, out: forward(x, *arrays(name, arguments[:-1]), eps=arguments[-1], out=out), [x],
                       x)

    def run_backward(grad, x, *arguments):
        _same_shape(f"{name}_backward", x, grad)
        grad_x, given, filled = _new(x), arguments[:-1], []
        found = backward(*arrays(name, (grad, x, *given)), eps=arguments[-1], out=_shared(name, grad_x))[1:]
        for tensor, array in zip(given, found, strict=True):
            filled.append(_new(x[:0]) if tensor is None else _new(tensor))
            if tensor is not None:
                _shared(name, filled[-1])[...] = array
        return grad_x, *filled

    def like_backward(grad, x, *arguments):
        return _new(x), *(_new(x[:0]) if tensor is None else _new(tensor) for tensor in arguments[:-1])

    grads = ", ".join(["Tensor"] * (len(affine) + 1))
    op_backward = _operator(
        f"{name}_backward", f"(Tensor grad, Tensor x{optional}, float eps) -> ({grads})", run_backward,
        like_backward, _no_second_derivative(f"{name}_backward"), lambda ctx, inputs, output: None)

    def keep(ctx, inputs, output):
        ctx.save_for_backward(*inputs[:-1])
        ctx.eps = inputs[-1]

    def gradient(ctx, grad):
        grads = op_backward(grad, *ctx.saved_tensors, ctx.eps)
        return *(None if saved is None else of for of, saved in zip(grads, ctx.saved_tensors, strict=True)), None

    op = _operator(name, f"(Tensor x{optional}, float eps) -> Tensor", run, lambda x, *arguments: _new(x),
                   gradient, keep)
    text = "".join(f"\n    {of} : Tensor, optional\n        Of the length of a row." for of in affine)
    signature = ", ".join(["x", *(f"{of}=None" for of in affine), "*", f"eps={eps}"])
    _publish(name, _function(op, signature, ", ".join(["x", *affine, "eps"])), f"{name} over the last dimension.",
             f"{text}\n    eps : float\n        As of `lanewise.{name}`.")


for _name in [name for name, entry in _TABLE.items() if entry.slope and not entry.parameters]:
    _activation(_name)
for _name, _parameters in _PARAMETRIC.items():
    _parametric(_name, _parameters)
for _name in _ALONG_DIM:
    _along_dim(_name)
for _name in _GATES:
    _gate(_name)
for _name, (_affine, _eps) in _NORMS.items():
    _norm(_name, _affine, _eps)
