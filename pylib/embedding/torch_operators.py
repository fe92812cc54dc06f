"""How lanewise.torch makes operators of PyTorch: in C++, which is compiled at its first import, or in Python where
nothing compiles it. Which operators there are, it says itself. Imports PyTorch, so nothing else imports this."""

import ctypes
import itertools
import sys
from pathlib import Path

import torch
from torch import Tensor

from ..kernels.row_loops import loops_of
from . import compiled
from .table import address, functions

_LIBRARY = torch.library.Library("lanewise", "DEF")
_DTYPES = {torch.float16, torch.bfloat16, torch.float32, torch.float64}
_ENVIRONMENT = ("enter", "leave", "decode_binary16_float32", "encode_binary16_float32", "decode_bfloat16_float32",
                "encode_bfloat16_float32", "mean_loss_float64")
_SOURCES = ("torch.cpp", "torch_operands.h", "torch_rows.h", "rows.h")


class _Loops(ctypes.Structure):
    _fields_ = [("kinds", ctypes.c_char_p), ("addresses", ctypes.c_void_p * 3 * 4)]  # three for each dtype


def _library_of_operators():
    """The C++ side; None where nothing compiles it, or what was compiled does not fit."""
    folder = Path(torch.__file__).parent
    headers = [folder / "include", folder / "include/torch/csrc/api/include"]
    options = ["-std=c++20", *(f"-I{of}" for of in headers), *(["-fopenmp"] if sys.platform == "linux" else []),
               f"-D_GLIBCXX_USE_CXX11_ABI={int(torch._C._GLIBCXX_USE_CXX11_ABI)}"]
    # not linked with OpenMP: PyTorch brings its own, and two in one process are one too many
    links = [f"-L{folder / 'lib'}", f"-Wl,-rpath,{folder / 'lib'}", "-ltorch_cpu", "-lc10"]
    library = compiled.library(_SOURCES, "CXX", options, links, f"{torch.__version__} {options}".encode(), ctypes.PyDLL)
    if library is not None:
        library.lanewise_set_functions(_pointers(map(address, _ENVIRONMENT)))
    return library


def _pointers(addresses):
    addresses = list(addresses)
    return (ctypes.c_void_p * len(addresses))(*addresses)


def _text(value):
    return None if value is None else value.encode()


CPP = _library_of_operators()


def _bfloat16_dtype():
    try:
        from ml_dtypes import bfloat16
    except ImportError:
        raise TypeError("lanewise.torch needs ml_dtypes for tensors of bfloat16: pip install ml_dtypes") from None
    return bfloat16


def shared(name, tensor):
    """A tensor as an array that shares its memory."""
    if tensor.device.type != "cpu" or tensor.dtype not in _DTYPES:
        raise TypeError(f"lanewise.torch.{name} expected a CPU tensor of float16, bfloat16, float32 or float64; got "
                        f"one of {str(tensor.dtype).removeprefix('torch.')} on {tensor.device}")
    if tensor.dtype == torch.bfloat16:
        return tensor.detach().view(torch.int16).numpy().view(_bfloat16_dtype())
    return tensor.detach().numpy()


def new(like):
    """A tensor of the shape, the dtype and the layout of another, not filled."""
    return torch.empty_like(like)


def same_shape(name, first, *others):
    """Refuse tensors of several shapes or dtypes."""
    for other in others:
        if other.shape != first.shape or other.dtype != first.dtype:
            raise ValueError(f"lanewise.torch.{name} expected tensors of one shape and dtype; got "
                             f"{tuple(first.shape)} {first.dtype} and {tuple(other.shape)} {other.dtype}")


def filled(name, function, outputs, *operands):
    """Tensors that a function fills: each of the shape of an operand."""
    made = [new(like) for like in outputs]
    arrays = tuple(shared(name, y) for y in made)
    function(*(shared(name, x) for x in operands), out=arrays if len(made) > 1 else arrays[0])
    return tuple(made) if len(made) > 1 else made[0]


def _differentiable(name, backward, takes_output, forward):
    """Register the gradient of an operator: another one, of the gradient and of what this one was given, in which its
    output may stand for its first tensor. Without one it is an error. In C++ `forward` may stand for the operator, and
    gives after the result what the backward takes last."""
    if CPP is not None:
        CPP.lanewise_differentiable(_text(name), _text(backward), _text(forward), takes_output)
        return
    op = None if backward is None else getattr(torch.ops.lanewise, backward).default

    def keep(ctx, inputs, output):
        arguments = (output, *inputs[1:]) if takes_output else inputs
        ctx.save_for_backward(*(of for of in arguments if isinstance(of, Tensor)))
        ctx.others = [(isinstance(of, Tensor), None if isinstance(of, Tensor) else of) for of in arguments]

    def gradient(ctx, *grads):
        if op is None:
            raise NotImplementedError(f"lanewise.torch.{name} has no derivative: Lanewise has no second derivatives")
        saved = iter(ctx.saved_tensors)
        found = op(*grads, *(next(saved) if is_tensor else other for is_tensor, other in ctx.others))
        found = found if isinstance(found, tuple) else (found,)
        return tuple(found[k] if is_tensor and k < len(found) else None
                     for k, (is_tensor, _) in enumerate(ctx.others))

    torch.library.register_autograd(f"lanewise::{name}", gradient, setup_context=keep, lib=_LIBRARY)


def define(name, schema, run, like, backward=None, takes_output=False, forward=None):
    """Define an operator: `run` is its kernel on the CPU, None where it has one in C++; `like` that on fake tensors."""
    def fake(*arguments):  # PyTorch calls it for a tensor on the CPU beside one on "meta", too
        devices = {str(of.device) for of in arguments if isinstance(of, Tensor)}
        if len(devices) > 1:
            called = name.removesuffix("_with_statistics")
            raise TypeError(f"lanewise.torch.{called} expected tensors on one device; got some on "
                            f"{' and '.join(sorted(devices))}")
        return like(*arguments)

    _LIBRARY.define(f"{name}{schema}")
    if run is not None:
        _LIBRARY.impl(name, run, "CPU")
    torch.library.register_fake(f"lanewise::{name}", fake, lib=_LIBRARY)
    _differentiable(name, backward, takes_output, forward)
    return getattr(torch.ops.lanewise, name).default


def over_a_batch(name):
    """Have torch.func.vmap call an elementwise operator once, on the whole batch."""
    op = getattr(torch.ops.lanewise, name).default

    def batched(info, in_dims, *arguments):
        tensors = [argument for argument in arguments if isinstance(argument, Tensor)]
        places = in_dims[:len(tensors)]
        shape = next(of.movedim(at, 0).shape for of, at in zip(tensors, places, strict=True) if at is not None)
        tensors = [of.expand(shape) if at is None else of.movedim(at, 0)
                   for of, at in zip(tensors, places, strict=True)]
        found = op(*tensors, *arguments[len(tensors):])
        return found, (0,) * len(found) if isinstance(found, tuple) else 0

    torch.library.register_vmap(f"lanewise::{name}", batched, lib=_LIBRARY)


def rows_over_a_batch(name, rows, vectors=0, sums=False):
    """Have torch.func.vmap call an operator along rows once, on the rows of the whole batch.

    The first arguments are `rows` tensors of rows, and then so many `vectors` along them, which may be None; tensors
    behind these are of the rows again. Where each element of the batch has vectors of its own, or `sums` over its own
    rows, the operator is called for one element after the other.
    """
    op = getattr(torch.ops.lanewise, name).default
    own = slice(rows, rows + vectors)

    def batched(info, in_dims, *arguments):
        size, given = info.batch_size, list(zip(arguments, in_dims, strict=True))
        if size == 0:  # shapes are those of a batch of one
            one = [of if at is None else of.new_zeros((*of.shape[:at], 1, *of.shape[at + 1:])) for of, at in given]
            found, places = batched(info._replace(batch_size=1), in_dims, *one)
            if not isinstance(found, tuple):
                return found[:0], places
            return tuple(of if at is None else of[:0] for of, at in zip(found, places, strict=True)), places
        apart = any(at is not None or (sums and of is not None) for of, at in given[own])
        if apart or any(of.dim() == (at is not None) for of, at in given[:rows]):  # or an element is one number
            columns = (itertools.repeat(of, size) if at is None else of.unbind(at) for of, at in given)
            found = [op(*element) for element in zip(*columns, strict=True)]
            several = isinstance(found[0], tuple)
            found = tuple(map(torch.stack, zip(*found, strict=True))) if several else torch.stack(found)
            return found, (0,) * len(found) if several else 0
        joined = [of.movedim(at, 0) if at is not None else of.expand(size, *of.shape) if isinstance(of, Tensor) else of
                  for of, at in given]
        joined[own] = arguments[own]
        if isinstance(joined[-1], int):  # the dimension
            axes, dim = joined[0].dim() - 1, joined[-1]
            if not -axes <= dim < axes:
                raise IndexError(f"{name}: dim must be from {-axes} to {axes - 1}, not {dim}")
            joined[-1] = dim % axes + 1
        found = op(*joined)
        if not isinstance(found, tuple):
            return found, 0
        return found, (0, *[None if sums else 0] * vectors)

    torch.library.register_vmap(f"lanewise::{name}", batched, lib=_LIBRARY)


def in_float32_under_autocast(name):
    """Have torch.autocast widen the operands of an operator, as it does those of PyTorch's losses."""
    torch.library.register_autocast(f"lanewise::{name}", "cpu", torch.float32, lib=_LIBRARY)


def elementwise(name, door, counts, entry=None):
    """Have C++ call the C functions of an operator; False where there is no C++.

    `counts` are the inputs, the numbers that the functions take, the outputs, the numbers that the operator takes, and
    the input that the outputs are like.
    """
    if CPP is None:
        return False
    doors = [f"{door}_{dtype}" for dtype in ("float16", "bfloat16", "float32", "float64")]
    addresses = [address(of) if of in functions() else None for of in doors]
    refused = ("", "", "")
    if entry is not None:
        refused = (*entry.refused[:1], *list(entry.refused[1:]), "", "", "")[:3]
    CPP.lanewise_elementwise(_text(name), (ctypes.c_int * 5)(*counts), _pointers(addresses),
                              (ctypes.c_char_p * 3)(*map(_text, refused)))
    return True


def along_rows(name, what, *gufuncs):
    """Have C++ call the loops of functions along rows; False where there is no C++. `what` is the name by which
    torch.cpp knows the kind of operator, such as "norm", and which of the functions it calls when."""
    if CPP is None:
        return False
    given = (_Loops * len(gufuncs))()
    for loops, gufunc in zip(given, gufuncs, strict=True):
        kinds, _, alone = loops_of(gufunc, True)
        loops.kinds = kinds.encode()
        for addresses, (loop, of_one), (_, of_several) in zip(loops.addresses, alone, loops_of(gufunc, False)[2],
                                                              strict=True):
            addresses[:] = loop, of_one, of_several
    CPP.lanewise_along_rows(_text(name), _text(what), given)
    return True
