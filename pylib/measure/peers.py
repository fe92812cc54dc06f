"""The contenders of a benchmark of elementwise functions: this library and, where they are installed, NumPy, SciPy,
PyTorch and MKL, each doing the same named work into memory allocated beforehand. What the other works share with them
stands here too. ONNX Runtime is onnx_peers.py's, timing benchmark.py's."""

import ctypes
import importlib
import importlib.metadata
import importlib.util
import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

__all__ = ["PREPARE", "Contender", "UnavailableError", "contiguous_only", "into_layout", "moved_of",
           "not_in_place", "tensor_of", "torch_here", "torch_result"]


class UnavailableError(Exception):
    """A contender cannot do a piece of work; the text says why, after its name."""


@dataclass(frozen=True)
class Contender:
    """Something that can do a piece of work again and again: `run()` does it, `result()` is what it made, and `moved`
    the bytes that it must read and write."""

    name: str
    run: Callable[[], Any]
    result: Callable[[], np.ndarray]
    moved: int = 0

    @classmethod
    def keeping(cls, name, call, chosen, inputs):
        """A contender whose call returns what it made, of which `chosen` takes the array that is compared. It is called
        once, to see how much it makes."""
        kept = []

        def run():
            kept[:] = [call()]

        run()
        made = kept[0] if isinstance(kept[0], tuple) else (kept[0],)
        moved = sum(operand.nbytes for operand in inputs) + sum(getattr(array, "nbytes", 0) for array in made)
        return cls(name, run, lambda: chosen(kept[0]), moved)


def moved_of(inputs, y):
    """The bytes of what is read and of what is written."""
    return sum(operand.nbytes for operand in inputs) + y.nbytes


def into_layout(name, work, inputs, y, call):
    """A contender whose call takes the inputs and the place of the result, as the layout has them."""
    x, rest = inputs[0], inputs[1:]
    if work.layout == "fresh":
        return Contender.keeping(name, lambda: call(x, *rest, None), np.asarray, inputs)
    if work.layout == "in-place":
        def run():
            np.copyto(y, x)  # or each call would take the result of the one before
            call(y, *rest, y)

        return Contender(name, run, lambda: y, moved_of(inputs, y) + 2 * x.nbytes)
    return Contender(name, lambda: call(x, *rest, y), lambda: y, moved_of(inputs, y))


def torch_here(threads):
    """PyTorch, on so many threads."""
    if importlib.util.find_spec("torch") is None:
        raise UnavailableError("not installed")
    import torch

    torch.set_num_threads(threads)
    return torch


def tensor_of(torch, x):
    """The tensor of an array's memory; bfloat16 too, which PyTorch does not know by NumPy's name."""
    if x.dtype.name == "bfloat16":
        return torch.from_numpy(x.view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(x)


def torch_result(y):
    """The array of a tensor's memory."""
    y = y.detach()
    if str(y.dtype) == "torch.bfloat16":
        from ml_dtypes import bfloat16

        return y.contiguous().view(importlib.import_module("torch").int16).numpy().view(bfloat16)
    return y.numpy()


def prepare_copy(work, inputs, threads):
    """Copy the largest input: what memory allows. With several threads each copies its part."""
    x = max(inputs, key=lambda operand: operand.nbytes)
    if work.layout == "fresh":
        return Contender.keeping("copy", x.copy, np.asarray, [x])
    y = np.empty_like(x)
    if threads == 1:
        return Contender("copy", lambda: np.copyto(y, x), lambda: y, 2 * x.nbytes)
    pool = ThreadPoolExecutor(threads)
    bounds = [x.size * k // threads for k in range(threads + 1)]
    x_flat, y_flat = x.reshape(-1), y.reshape(-1)
    parts = [(y_flat[start:stop], x_flat[start:stop]) for start, stop in itertools.pairwise(bounds)]

    def run():
        for copied in [pool.submit(np.copyto, *part) for part in parts]:
            copied.result()

    return Contender("copy", run, lambda: y, 2 * x.nbytes)


def prepare_lanewise(work, inputs, threads):
    """Prepare this library's function of the same name."""
    import lanewise

    lanewise.set_num_threads(threads)
    function, y = getattr(lanewise, work.name), np.empty_like(inputs[0])
    if work.layout in ("fresh", "in-place"):
        return into_layout("lanewise", work, inputs, y, lambda *given: function(
            *given[:-1], *work.parameters, out=given[-1]))
    run = partial(function, *inputs, *work.parameters, out=y)
    return Contender("lanewise", run, lambda: y, moved_of(inputs, y))


def prepare_numpy(work, inputs, threads):
    """Prepare NumPy's function, or what its users write where it has none; on one thread always."""
    y, scratch = np.empty_like(inputs[0]), np.empty_like(inputs[0])

    def sigmoid(x):
        np.negative(x, out=y)
        np.exp(y, out=y)
        np.add(y, 1, out=y)
        np.reciprocal(y, out=y)

    def silu(x):
        np.negative(x, out=y)
        np.exp(y, out=y)
        np.add(y, 1, out=y)
        np.divide(x, y, out=y)

    def sigmoid_backward(grad, forward):
        np.subtract(1, forward, out=y)
        np.multiply(y, forward, out=y)
        np.multiply(y, grad, out=y)

    def tanh_backward(grad, forward):
        np.multiply(forward, forward, out=y)
        np.subtract(1, y, out=y)
        np.multiply(y, grad, out=y)

    def silu_backward(grad, x):
        sigmoid(x)
        np.subtract(1, y, out=scratch)
        np.multiply(scratch, x, out=scratch)
        np.add(scratch, 1, out=scratch)
        np.multiply(scratch, y, out=y)
        np.multiply(y, grad, out=y)

    def log1mexp(x):
        np.expm1(np.negative(x, out=y), out=y)
        np.log(np.negative(y, out=y), out=y)

    functions = {
        "log1mexp": log1mexp,
        "relu": lambda x: np.maximum(x, 0, out=y),
        "relu_backward": lambda grad, x: np.multiply(grad, x > 0, out=y),
        "sigmoid": sigmoid,
        "silu": silu,
        "sigmoid_backward": sigmoid_backward,
        "tanh_backward": tanh_backward,
        "silu_backward": silu_backward,
    }
    for name in ("exp", "expm1", "log", "log1p", "tanh"):
        functions[name] = partial(getattr(np, name), out=y)
    if work.name not in functions:
        raise UnavailableError("has no such function")
    if y.dtype.name == "bfloat16":
        raise UnavailableError("has no bfloat16")
    if work.layout in ("fresh", "in-place"):
        ufunc = np.maximum if work.name == "relu" else getattr(np, work.name, None)
        if ufunc is None:
            raise UnavailableError("has several calls for it, which write into memory allocated beforehand")
        more = (0,) if work.name == "relu" else ()
        return into_layout("numpy", work, inputs, y, lambda x, out: ufunc(x, *more, out=out))
    return Contender("numpy", lambda: functions[work.name](*inputs), lambda: y, moved_of(inputs, y))


_SCIPY = {"sigmoid": "expit", "logsigmoid": "log_expit", "erf": "erf", "erfc": "erfc", "expm1": "expm1",
          "log1p": "log1p"}


def prepare_scipy(work, inputs, threads):
    """Prepare SciPy's special function; on one thread always."""
    if work.name not in _SCIPY:
        raise UnavailableError("has no such function")
    if inputs[0].dtype.itemsize == 2:
        raise UnavailableError("has no 16-bit floats")
    try:
        from scipy import special
    except ImportError:
        raise UnavailableError("not installed") from None
    function = getattr(special, _SCIPY[work.name])
    return into_layout("scipy", work, inputs, np.empty_like(inputs[0]), lambda x, out: function(x, out=out))


_SELU = (1.6732632423543772, 1.0507009873554805)  # depth and scale


def prepare_torch(work, inputs, threads):
    """Prepare PyTorch, eager, by the variants that write into a given tensor."""
    torch = torch_here(threads)
    aten, y = torch.ops.aten, tensor_of(torch, np.empty_like(inputs[0]))
    weight, values = torch.tensor(work.values[:1], dtype=y.dtype), work.values

    def swish_backward(grad, x):
        share = torch.sigmoid(x * values[0])
        return torch.mul((1 - share).mul_(x).mul_(values[0]).add_(1).mul_(share), grad, out=y)

    calls = {
        "relu": lambda x: torch.clamp_min(x, 0, out=y),
        "relu6": lambda x: aten.hardtanh.out(x, 0.0, 6.0, out=y),
        "gelu_tanh": lambda x: aten.gelu.out(x, approximate="tanh", out=y),
        "leaky_relu": lambda x: aten.leaky_relu.out(x, *values, out=y),
        "prelu": lambda x: y.copy_(torch.prelu(x, weight)),
        "softplus": lambda x: aten.softplus.out(x, *values, 1e4, out=y),
        "logsigmoid": lambda x: aten.log_sigmoid.out(x, out=y),
        "elu": lambda x: aten.elu.out(x, *values, 1.0, 1.0, out=y),
        "celu": lambda x: y.copy_(torch.celu(x, *values)),
        "selu": lambda x: y.copy_(torch.selu(x)),
        "softsign": lambda x: y.copy_(torch.nn.functional.softsign(x)),
        "tanhshrink": lambda x: y.copy_(torch.nn.functional.tanhshrink(x)),
        "hardtanh": lambda x: aten.hardtanh.out(x, *values, out=y),
        "softshrink": lambda x: aten.softshrink.out(x, *values, out=y),
        "hardshrink": lambda x: aten.hardshrink.out(x, *values, out=y),
        "threshold": lambda x: aten.threshold.out(x, *values, out=y),
        "swiglu": lambda gate, up: torch.mul(aten.silu.out(gate, out=y), up, out=y),
        "geglu": lambda gate, up: torch.mul(aten.gelu.out(gate, out=y), up, out=y),
        "reglu": lambda gate, up: torch.mul(torch.clamp_min(gate, 0, out=y), up, out=y),
        "relu_backward": lambda grad, x: aten.threshold_backward.grad_input(grad, x, 0, grad_input=y),
        "relu6_backward": lambda grad, x: aten.hardtanh_backward.grad_input(grad, x, 0.0, 6.0, grad_input=y),
        "hardtanh_backward": lambda grad, x: aten.hardtanh_backward.grad_input(grad, x, *values, grad_input=y),
        "leaky_relu_backward": lambda grad, x: aten.leaky_relu_backward.grad_input(
            grad, x, *values, False, grad_input=y),
        "gelu_tanh_backward": lambda grad, x: aten.gelu_backward.grad_input(
            grad, x, approximate="tanh", grad_input=y),
        "mish_backward": lambda grad, x: y.copy_(aten.mish_backward(grad, x)),
        "softplus_backward": lambda grad, x: aten.softplus_backward.grad_input(grad, x, *values, 1e4, grad_input=y),
        "elu_backward": lambda grad, x: aten.elu_backward.grad_input(grad, *values, 1.0, 1.0, False, x, grad_input=y),
        "hardswish_backward": lambda grad, x: y.copy_(aten.hardswish_backward(grad, x)),
        "softshrink_backward": lambda grad, x: aten.softshrink_backward.grad_input(grad, x, *values, grad_input=y),
        "hardshrink_backward": lambda grad, x: aten.hardshrink_backward.grad_input(grad, x, *values, grad_input=y),
        "threshold_backward": lambda grad, x: aten.threshold_backward.grad_input(
            grad, x, *values, grad_input=y),
        # what its users write; x may lie where the result goes
        "log1mexp": lambda x: torch.log(torch.expm1(-x).neg_(), out=y),
        "relu_squared": lambda x: torch.square(torch.clamp_min(x, 0, out=y), out=y),
        "relu_squared_backward": lambda grad, x: torch.mul(torch.clamp_min(x, 0).mul_(2), grad, out=y),
        "swish": lambda x: torch.mul(torch.sigmoid(x * values[0]), x, out=y),
        "swish_backward": swish_backward,
        "logsigmoid_backward": lambda grad, x: torch.mul(torch.sigmoid(-x), grad, out=y),
        "celu_backward": lambda grad, x: aten.elu_backward.grad_input(
            grad, values[0], 1.0, 1 / values[0], False, x, grad_input=y),
        "selu_backward": lambda grad, x: aten.elu_backward.grad_input(
            grad, *_SELU, 1.0, False, x, grad_input=y),
        "softsign_backward": lambda grad, x: torch.div(grad, x.abs().add_(1).square_(), out=y),
        "tanhshrink_backward": lambda grad, x: torch.mul(torch.tanh(x).square_(), grad, out=y),
        "squareplus": lambda x: torch.mul(torch.sqrt(x * x + values[0]).add_(x), 0.5, out=y),
        "squareplus_backward": lambda grad, x: torch.mul(
            x.div(torch.sqrt(x * x + values[0])).add_(1).mul_(0.5), grad, out=y),
    }

    def into(function):
        return lambda x: function(x, out=y)

    def gradient_into(function):
        return lambda grad, x: function(grad, x, grad_input=y)

    for name in ("exp", "expm1", "log", "log1p", "erf", "erfc", "sigmoid", "tanh"):
        calls[name] = into(getattr(torch, name))
    for name in ("silu", "gelu", "mish", "hardsigmoid", "hardswish"):
        calls[name] = into(getattr(aten, name).out)
    for name in ("sigmoid", "tanh", "silu", "gelu", "hardsigmoid"):
        calls[f"{name}_backward"] = gradient_into(getattr(aten, f"{name}_backward").grad_input)
    if work.name not in calls:
        raise UnavailableError("has no such function")
    tensors, call = [tensor_of(torch, x) for x in inputs], calls[work.name]

    def run():
        nonlocal y
        with torch.inference_mode():
            if work.layout == "in-place":
                call(y.copy_(tensors[0]), *tensors[1:])  # or each call would take the result of the one before
                return
            if work.layout == "fresh":
                y = torch.empty_like(y)
            call(*tensors)

    copied = 2 * inputs[0].nbytes if work.layout == "in-place" else 0
    return Contender("torch", run, lambda: torch_result(y), moved_of(inputs, inputs[0]) + copied)


def not_in_place(work):
    """Refuse results in the place of the input."""
    if work.layout == "in-place":
        raise UnavailableError("returns an array of its own")


def contiguous_only(work):
    """Refuse other layouts."""
    if work.layout != "contiguous":
        raise UnavailableError("is timed on contiguous arrays, into memory that it is given")


_MKL = {"exp": "Exp", "expm1": "Expm1", "log": "Ln", "log1p": "Log1p", "erf": "Erf", "erfc": "Erfc", "tanh": "Tanh"}
_MKL_HIGH_ACCURACY = 2  # VML_HA of mkl_vml_defines.h, under 1 ULP: the mode whose promise is like ours


def prepare_mkl(work, inputs, threads):
    """Prepare MKL's vector mathematics from the `mkl` package, by its high-accuracy mode."""
    contiguous_only(work)
    if work.name not in _MKL:
        raise UnavailableError("has no such function")
    if inputs[0].dtype.itemsize == 2:
        raise UnavailableError("has no 16-bit floats")
    try:
        files = importlib.metadata.files("mkl") or []
    except importlib.metadata.PackageNotFoundError:
        raise UnavailableError("not installed") from None
    libraries = [file.locate() for file in files if file.name.startswith(("libmkl_rt", "mkl_rt"))]
    if not libraries:
        raise UnavailableError("its package holds no library")
    mkl = ctypes.CDLL(str(libraries[0]))
    mkl.MKL_Set_Num_Threads(threads)
    x, y = inputs[0], np.empty_like(inputs[0])
    function = getattr(mkl, f"vm{'s' if x.dtype == np.float32 else 'd'}{_MKL[work.name]}")
    function.restype = None
    arguments = (
        ctypes.c_int(x.size), ctypes.c_void_p(x.ctypes.data), ctypes.c_void_p(y.ctypes.data),
        ctypes.c_int64(_MKL_HIGH_ACCURACY),
    )
    return Contender("mkl", lambda: function(*arguments), lambda: y, moved_of(inputs, y))


PREPARE = {
    "copy": prepare_copy,
    "lanewise": prepare_lanewise,
    "numpy": prepare_numpy,
    "scipy": prepare_scipy,
    "torch": prepare_torch,
    "mkl": prepare_mkl,
}
