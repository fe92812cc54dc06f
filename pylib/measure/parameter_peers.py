"""The contenders of a benchmark of elementwise functions with other parameters than the usual: beside PyTorch's
functions or what its users write, and ONNX Runtime's operators. The functions as they stand are peers.py's."""

import numpy as np

from .asked_peers import call_of, torch_call
from .axis_peers import normal
from .code_peers import Entry
from .onnx_peers import onnx_operator
from .peers import prepare_copy

__all__ = ["ENTRIES"]

_THRESHOLD = 20.0  # PyTorch's default
_ALPHA, _BETA = 0.2, 0.5  # ONNX's of hardsigmoid
_DEPTH, _FACTOR = 1.5, 1.25
_GATE, _LIMIT = 1.702, 7.0  # of gpt-oss


def _positive(shape, dtype, rng):
    return [np.exp(rng.normal(0, 2, shape)).astype(dtype)]


# What PyTorch's users write, of PyTorch and the inputs.

def _softplus(torch, x):
    return torch.nn.functional.softplus(x, 1.0, _THRESHOLD)


def _softplus_backward(torch, grad, x):
    return torch.ops.aten.softplus_backward(grad, x, 1.0, _THRESHOLD)


def _hardsigmoid(torch, x):
    return (x * _ALPHA + _BETA).clamp_(0, 1)


def _hardsigmoid_backward(torch, grad, x):
    y = x * _ALPHA + _BETA
    return grad * _ALPHA * ((y > 0) & (y < 1))


def _selu(torch, x):
    return torch.ops.aten.elu(x, _DEPTH, _FACTOR)


def _selu_backward(torch, grad, x):
    return torch.ops.aten.elu_backward(grad, _DEPTH, _FACTOR, 1.0, False, x)


def _threshold(torch, x):
    return torch.nn.functional.threshold(x, 1.0, 0.0)


def _threshold_backward(torch, grad, x):
    return torch.ops.aten.threshold_backward(grad, x, 1.0)


def _log1mexp(torch, x):
    return torch.log(-torch.expm1(-x))


def _swiglu(torch, gate, up):
    gate, up = gate.clamp(max=_LIMIT), up.clamp(-_LIMIT, _LIMIT)
    return gate * torch.sigmoid(gate * _GATE) * (up + 1)


def _swish_gate(torch, gate, up):
    return gate * torch.sigmoid(gate * _GATE) * up


def _entries():
    x, pair = normal("rows"), normal("rows", "rows")
    clamped = {"beta": _GATE, "limit": _LIMIT, "shift": 1.0}
    works = {
        "softplus_threshold": ("softplus", x, {"threshold": _THRESHOLD}, _softplus, None),
        "softplus_threshold_backward": ("softplus_backward", pair, {"threshold": _THRESHOLD}, _softplus_backward, None),
        "hardsigmoid_scaled": ("hardsigmoid", x, {"alpha": _ALPHA, "beta": _BETA}, _hardsigmoid,
                               onnx_operator("HardSigmoid", alpha=_ALPHA, beta=_BETA)),
        "hardsigmoid_scaled_backward": ("hardsigmoid_backward", pair, {"alpha": _ALPHA, "beta": _BETA},
                                        _hardsigmoid_backward, None),
        "selu_scaled": ("selu", x, {"alpha": _DEPTH, "gamma": _FACTOR}, _selu,
                        onnx_operator("Selu", alpha=_DEPTH, gamma=_FACTOR)),
        "selu_scaled_backward": ("selu_backward", pair, {"alpha": _DEPTH, "gamma": _FACTOR}, _selu_backward, None),
        "threshold_of_one": ("threshold", x, {"threshold": 1.0, "value": 0.0}, _threshold,
                             onnx_operator("ThresholdedRelu", alpha=1.0)),
        "threshold_of_one_backward": ("threshold_backward", pair, {"threshold": 1.0}, _threshold_backward, None),
        "log1mexp_of_tensors": ("log1mexp", _positive, {}, _log1mexp, None),
        "swiglu_beta": ("swiglu", pair, {"beta": _GATE}, _swish_gate, None),
        "swiglu_clamped": ("swiglu", pair, clamped, _swiglu, None),
    }
    for name, (function, draw, parameters, torch, onnx) in works.items():
        others = {"torch": torch_call(torch)} | ({} if onnx is None else {"onnxruntime": onnx})
        yield name, Entry("options", draw, {
            "copy": prepare_copy, "lanewise": call_of(function, into=True, **parameters), **others})


ENTRIES = dict(_entries())
