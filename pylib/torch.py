"""Lanewise's functions as PyTorch operators: on tensors, whose memory they share, with gradients, under torch.compile.

Imported only when asked: ``from lanewise import torch as lt``. Each function takes CPU tensors of float16, bfloat16,
float32 or float64 and gives the bits of the function of `lanewise` with the same name. The operators are also
``torch.ops.lanewise.silu`` and so on. What stands between PyTorch and the kernels is C++ that is compiled at the first
import, against the headers that PyTorch installs; where there is no compiler it is Python, with the same results and
slower. `operators()` says which of the two it is. No gradient of a gradient is published.
"""

import operator as _operator

import torch
from torch import Tensor

from . import embedding as _embedding
from . import functions as _functions
from .embedding.torch_operators import CPP as _CPP
from .embedding.torch_operators import along_rows as _along_rows
from .embedding.torch_operators import define as _define
from .embedding.torch_operators import elementwise as _elementwise
from .embedding.torch_operators import filled as _filled
from .embedding.torch_operators import in_float32_under_autocast as _in_float32_under_autocast
from .embedding.torch_operators import new as _new
from .embedding.torch_operators import over_a_batch as _over_a_batch
from .embedding.torch_operators import rows_over_a_batch as _rows_over_a_batch
from .embedding.torch_operators import same_shape as _same_shape
from .embedding.torch_operators import shared as _shared
from .functions.table import FUNCTIONS as _TABLE
from .kernels import interface as _interface
from .kernels import losses as _losses
from .kernels import norms as _norms
from .kernels import softmax as _softmax

__all__ = ["operators"]

_PLAIN = (Tensor, torch.nn.Parameter)
_ALONG_DIM = ("softmax", "log_softmax")
_GATES = ("geglu", "reglu", "swiglu")
_NORMS = {"rms_norm": (("weight",), 1e-6), "layer_norm": (("weight", "bias"), 1e-5)}


def operators():
    """Return what the operators are made of: ``"C++"``, or ``"Python"`` where nothing compiles it.

    Returns
    -------
    str
        It is decided at import, for the life of the process.
    """
    return "Python" if _CPP is None else "C++"


def _publish(name, function, text, parameters="", returns="Of its shape and dtype, laid out as it is."):
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
        {returns}

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


def _one_tensor(name, kinds, entry=None):
    """An operator on one tensor and numbers, and its backward."""
    forward, backward = getattr(_functions, name), getattr(_functions, f"{name}_backward")
    takes_output = name in _ALONG_DIM or entry.takes == "y"
    numbers_of = "".join(f", {kind} {key}" for key, kind in kinds.items())

    def run(x, *numbers):
        return _filled(name, lambda x, out: forward(x, *numbers, out=out), [x], x)

    def run_backward(grad, saved, *numbers):
        _same_shape(f"{name}_backward", saved, grad)
        return _filled(f"{name}_backward", lambda grad, saved, out: backward(grad, saved, *numbers, out=out), [saved],
                       grad, saved)

    if entry is not None:
        scalar, count = "_scalar" if kinds else "", len(kinds)
        of_slope = sum(parameter.in_slope for parameter in entry.parameters.values())
        compiled = _elementwise(name, f"{entry.ufunc or name}{scalar}", (1, count, 1, count, 0), entry)
        _elementwise(f"{name}_backward", f"{entry.backward_ufunc or f'{entry.ufunc or name}_backward'}{scalar}",
                     (2, of_slope, 1, count, 1), entry)
    else:
        compiled = _along_rows(name, "along dim", getattr(_softmax, f"{name}_gufunc"))
        _along_rows(f"{name}_backward", "along dim", getattr(_softmax, f"{name}_backward_gufunc"))
    saved = "y" if takes_output else "x"
    _define(f"{name}_backward", f"(Tensor grad, Tensor {saved}{numbers_of}) -> Tensor",
            None if compiled else run_backward, lambda grad, saved, *numbers: _new(saved))
    op = _define(name, f"(Tensor x{numbers_of}) -> Tensor", None if compiled else run, lambda x, *numbers: _new(x),
                 f"{name}_backward", takes_output)
    if entry is not None:
        _over_a_batch(name)
        _over_a_batch(f"{name}_backward")
    else:
        _rows_over_a_batch(name, 1)
        _rows_over_a_batch(f"{name}_backward", 2)
    return op


def _needs_no_operator(x):
    """Whether a call may go to the kernel at once: a tensor of torch itself, no gradient, nothing that traces."""
    return (not torch.compiler.is_compiling() and type(x) in _PLAIN
            and not (x.requires_grad and torch.is_grad_enabled()) and not torch._C._len_torch_dispatch_stack()
            and not torch._C._are_functorch_transforms_active())


def _activation(name, entry):
    op = _one_tensor(name, {}, entry)
    if _CPP is not None:
        _publish(name, _function(op, "x", "x"), f"{name}, elementwise.")
        return
    ufunc = getattr(_functions, name)
    addresses = {torch.float32: _embedding.address(f"{name}_float32"),
                 torch.float64: _embedding.address(f"{name}_float64")}
    call, small, empty = _interface.call_flat, _interface.SMALL, torch.empty_like

    def function(x):
        # for small arrays an operator written in Python takes ten times as long as its kernel
        if not _needs_no_operator(x):
            return op(x)
        n = x.numel()
        if n > small or x.dtype not in addresses or not x.is_contiguous() or x.device.type != "cpu":
            return _filled(name, ufunc, [x], x)
        y = empty(x)
        call(addresses[x.dtype], x.data_ptr(), y.data_ptr(), n)
        return y

    _publish(name, function, f"{name}, elementwise.")


def _parametric(name, entry):
    op = _one_tensor(name, dict.fromkeys(entry.parameters, "float"), entry)
    listed = ", ".join(key if parameter.default is None else f"{key}={parameter.default}"
                       for key, parameter in entry.parameters.items())
    text = "".join(f"\n    {key} : float\n        As of `lanewise.{name}`." for key in entry.parameters)
    _publish(name, _function(op, f"x, {listed}", ", ".join(["x", *entry.parameters])),
             f"{name}, elementwise, with its parameters.", text)


def _along_dim(name):
    op = _one_tensor(name, {"dim": "int"})

    def function(x, dim=-1):
        return op(x, _operator.index(dim))

    _publish(name, function, f"{name} along a dimension.", "\n    dim : int\n        Along which.")


def _gate(name):
    forward, backward = getattr(_functions, name), getattr(_functions, f"{name}_backward")

    def run(gate, up):
        _same_shape(name, gate, up)
        return _filled(name, forward, [gate], gate, up)

    def run_backward(grad, gate, up):
        _same_shape(f"{name}_backward", gate, grad, up)
        return _filled(f"{name}_backward", backward, [gate, gate], grad, gate, up)

    compiled = _elementwise(name, name, (2, 0, 1, 0, 0))
    _elementwise(f"{name}_backward", f"{name}_backward", (3, 0, 2, 0, 1))
    _define(f"{name}_backward", "(Tensor grad, Tensor gate, Tensor up) -> (Tensor, Tensor)",
            None if compiled else run_backward, lambda grad, gate, up: (_new(gate), _new(gate)))
    op = _define(name, "(Tensor gate, Tensor up) -> Tensor", None if compiled else run, lambda gate, up: _new(gate),
                 f"{name}_backward")
    _over_a_batch(name)
    _over_a_batch(f"{name}_backward")
    _publish(name, _function(op, "x, up", "x, up"), f"{name}: x is the gate.",
             "\n    up : Tensor\n        What it opens for; as x.")


def _arrays(name, given):
    return [None if tensor is None else _shared(name, tensor) for tensor in given]


def _row_like(x):
    """A tensor of the shape and dtype of another, laid out by C."""
    return torch.empty_like(x, memory_format=torch.contiguous_format)


def _norm(name, affine, eps):
    forward, backward = getattr(_functions, name), getattr(_functions, f"{name}_backward")
    optional = "".join(f", Tensor? {of}" for of in affine)
    statistics = ("mean", "rstd")[-len(affine):]
    with_statistics = f"{name}_with_statistics"

    def run(x, *arguments):
        y = _row_like(x)
        forward(_shared(name, x), *_arrays(name, arguments[:-1]), eps=arguments[-1], out=_shared(name, y))
        return y

    def run_backward(grad, x, *arguments):
        _same_shape(f"{name}_backward", x, grad)
        given, at_eps, found = arguments[:len(affine)], arguments[len(affine)], arguments[len(affine) + 1:]
        grad_x, filled = _row_like(x), []
        rest = {role: of.numpy() for role, of in zip(statistics, found, strict=False) if of is not None}
        grads = backward(*_arrays(name, (grad, x, *given)), eps=at_eps, out=_shared(name, grad_x), **rest)[1:]
        for tensor, array in zip(given, grads, strict=True):
            filled.append(x.new_empty(0) if tensor is None else _row_like(tensor))
            if tensor is not None:
                _shared(name, filled[-1])[...] = array
        return grad_x, *filled

    def like_backward(grad, x, *arguments):
        return _row_like(x), *(x.new_empty(0) if tensor is None else _row_like(tensor)
                               for tensor in arguments[:len(affine)])

    def like_with_statistics(x, *arguments):
        return _row_like(x), *(x.new_empty(x.shape[:-1], dtype=torch.float64) for _ in statistics)

    gufunc = getattr(_norms, f"{name}_gufunc")
    compiled = _along_rows(name, "norm", gufunc)
    if compiled:
        _along_rows(with_statistics, "norm with statistics", gufunc)
        _along_rows(f"{name}_backward", "norm backward", getattr(_norms, f"{name}_backward_gufunc"),
                    getattr(_norms, f"{name.replace('_norm', '_stats')}_gufunc"))
        _define(with_statistics, f"(Tensor x{optional}, float eps) -> ({', '.join(['Tensor'] * (len(affine) + 1))})",
                None, like_with_statistics)
    grads = ", ".join(["Tensor"] * (len(affine) + 1))
    found = "".join(f", Tensor? {of}=None" for of in statistics)
    _define(f"{name}_backward", f"(Tensor grad, Tensor x{optional}, float eps{found}) -> ({grads})",
            None if compiled else run_backward, like_backward)
    op = _define(name, f"(Tensor x{optional}, float eps) -> Tensor", None if compiled else run,
                 lambda x, *arguments: _row_like(x), f"{name}_backward", forward=with_statistics if compiled else None)
    for of in (name, with_statistics) if compiled else (name,):
        _rows_over_a_batch(of, 1, len(affine))
    _rows_over_a_batch(f"{name}_backward", 2, len(affine), sums=True)
    text = "".join(f"\n    {of} : Tensor, optional\n        Of the length of a row, and of its dtype; of float32 beside"
                   " 16-bit floats\n        too." for of in affine)
    signature = ", ".join(["x", *(f"{of}=None" for of in affine), "*", f"eps={eps}"])
    _publish(name, _function(op, signature, ", ".join(["x", *affine, "eps"])), f"{name} over the last dimension.",
             f"{text}\n    eps : float\n        As of `lanewise.{name}`.", "Of its shape and dtype, laid out by C.")


def _prelu():
    def run(x, weight):
        return _filled("prelu", lambda x, weight, out: _functions.prelu(x, weight, out=out), [x], x, weight)

    def run_backward(grad, x, weight):
        _same_shape("prelu_backward", x, grad)
        grads = (_new(x), _new(weight))
        for tensor, array in zip(grads, _functions.prelu_backward(*_arrays("prelu_backward", (grad, x, weight))),
                                 strict=True):
            _shared("prelu_backward", tensor)[...] = array
        return grads

    _define("prelu_backward", "(Tensor grad, Tensor x, Tensor weight) -> (Tensor, Tensor)", run_backward,
            lambda grad, x, weight: (_new(x), _new(weight)))
    op = _define("prelu", "(Tensor x, Tensor weight) -> Tensor", run, lambda x, weight: _new(x), "prelu_backward")

    def function(x, weight):
        if weight.dim() > 1 or (weight.numel() != 1 and weight.numel() != (x.shape[1] if x.dim() > 1 else 1)):
            raise ValueError("lanewise.torch.prelu expected a weight of one number, or of one for each channel at "
                             f"dimension 1 of x; got {tuple(weight.shape)} for x of {tuple(x.shape)}")
        return op(x, weight.reshape(-1, *[1] * (x.dim() - 2)) if x.dim() > 1 else weight.reshape(()))

    _publish("prelu", function, "prelu, elementwise, with one slope, or one for each channel at dimension 1.",
             "\n    weight : Tensor\n        The slope where x <= 0: of shape (1,) or (channels,).")


def _cross_entropy():
    takes = ("(Tensor {}logits, Tensor target, Tensor? weight, int ignore_index, str reduction, float label_smoothing, "
             "float z_loss) -> Tensor")

    def keywords(name, logits, target, weight, ignore_index, reduction, label_smoothing, z_loss):
        probabilities = target.dtype.is_floating_point
        return {"target": _shared(name, target) if probabilities else target.numpy(),
                "weight": None if weight is None else _shared(name, weight), "reduction": reduction,
                "label_smoothing": label_smoothing, "z_loss": z_loss, "axis": min(1, logits.dim() - 1),
                "ignore_index": None if probabilities else ignore_index}

    def run(logits, *arguments):
        array = _shared("cross_entropy", logits)
        y = like(logits, *arguments)
        _shared("cross_entropy", y)[...] = _functions.cross_entropy(array, **keywords("cross_entropy", logits,
                                                                                      *arguments))
        return y

    def like(logits, target, weight, ignore_index, reduction, *numbers):
        dim = min(1, logits.dim() - 1)
        return logits.new_empty(logits.shape[:dim] + logits.shape[dim + 1:] if reduction == "none" else ())

    def run_backward(grad, logits, *arguments):
        grad_logits = _row_like(logits)
        given = keywords("cross_entropy_backward", logits, *arguments)
        _functions.cross_entropy_backward(*_arrays("cross_entropy_backward", (grad, logits)), **given,
                                          out=_shared("cross_entropy_backward", grad_logits))
        return grad_logits

    kinds = ("", "weighted_", "probable_")
    compiled = _along_rows("cross_entropy", "cross_entropy",
                           *(getattr(_losses, f"{kind}cross_entropy_gufunc") for kind in kinds))
    _along_rows("cross_entropy_backward", "cross_entropy backward",
                *(getattr(_losses, f"{kind}cross_entropy_with_grad_gufunc") for kind in kinds))
    _define("cross_entropy_backward", takes.replace("{}", "grad, Tensor "), None if compiled else run_backward,
            lambda grad, logits, *arguments: _row_like(logits))
    op = _define("cross_entropy", takes.replace("{}", ""), None if compiled else run, like, "cross_entropy_backward")
    _in_float32_under_autocast("cross_entropy")

    def function(x, target, weight=None, *, ignore_index=-100, reduction="mean", label_smoothing=0.0, z_loss=0.0):
        if (target.requires_grad or (weight is not None and weight.requires_grad)) and torch.is_grad_enabled():
            raise NotImplementedError("lanewise.torch.cross_entropy has a gradient for its logits alone: detach() the "
                                      "target and the weight")
        return op(x, target, weight, ignore_index, reduction, label_smoothing, z_loss)

    _publish("cross_entropy", function, "cross_entropy of logits, whose classes are at dimension 1 (of one row at 0).",
             "\n    target : Tensor\n        Integers of the shape of x without its classes, or probabilities of the "
             "shape of x.\n    weight : Tensor, optional\n        Of shape (classes,).\n"
             "    ignore_index, reduction, label_smoothing, z_loss\n        As of `lanewise.cross_entropy`.",
             "Of the dtype of x: one number, or with reduction=\"none\" one for each target.")


for _name, _entry in _TABLE.items():
    if _entry.slope and not _entry.parameters:
        _activation(_name, _entry)
    elif _entry.slope and _name != "prelu":
        _parametric(_name, _entry)
for _name in _ALONG_DIM:
    _along_dim(_name)
for _name in _GATES:
    _gate(_name)
for _name, (_affine, _eps) in _NORMS.items():
    _norm(_name, _affine, _eps)
_prelu()
_cross_entropy()
