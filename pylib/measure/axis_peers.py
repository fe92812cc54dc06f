"""The contenders of a benchmark of the functions along an axis, the last one of rows: this library, what users of NumPy
write, SciPy, PyTorch and ONNX Runtime. How each work's inputs are drawn stands here too, since who computes a gradient
must know which input is which."""

from functools import partial

import numpy as np

from .onnx_peers import onnx_contender
from .peers import (
    Contender,
    UnavailableError,
    contiguous_only,
    into_layout,
    not_in_place,
    prepare_copy,
    tensor_of,
    torch_here,
    torch_result,
)

__all__ = ["DRAW", "PLACED", "PREPARE"]

_GROUPS = 32
_SCALE = 0.125  # of scores: keys of 64 numbers


def normal(*kinds):
    # arrays of the shape ("rows") or of a row's length ("row")
    def draw(shape, dtype, rng):
        return [rng.standard_normal(shape if kind == "rows" else shape[-1:]).astype(dtype) for kind in kinds]

    return draw


def _of_output(forward):
    # a gradient and the forward's output
    def draw(shape, dtype, rng):
        x = rng.normal(0, 2, shape)
        x -= x.max(-1, keepdims=True)
        log = x - np.log(np.exp(x).sum(-1, keepdims=True))
        return [rng.standard_normal(shape).astype(dtype), (np.exp(log) if forward == "softmax" else log).astype(dtype)]

    return draw


def _gradient_of_rows(shape, dtype, rng):
    return [rng.standard_normal(shape[:-1]).astype(dtype), rng.normal(0, 2, shape).astype(dtype)]


def _logits(shape, dtype, rng):
    return [rng.normal(0, 2, shape).astype(dtype), rng.integers(0, shape[-1], shape[:-1])]


def _scores(shape, dtype, rng):
    # and a mask, each of whose rows sees three keys in four
    return [rng.normal(0, 8, shape).astype(dtype), rng.random(shape) < 0.75]


def _pairs(shape, dtype, rng):
    # and a row's cosines and sines
    angles = rng.uniform(0, 2 * np.pi, shape[-1] // 2)
    return [rng.standard_normal(shape).astype(dtype), np.cos(angles).astype(dtype), np.sin(angles).astype(dtype)]


def _factors(shape, dtype, rng):
    return [rng.normal(0, 2, shape).astype(dtype), rng.uniform(0.5, 2, shape).astype(dtype)]


def _weighted_pairs(shape, dtype, rng):
    return [rng.normal(0, 2, shape).astype(dtype), rng.uniform(0, 1, shape).astype(dtype),
            *(rng.uniform(0.5, 2, shape[-1:]).astype(dtype) for _ in range(2))]


DRAW = {
    "rms_norm": normal("rows", "row"),
    "add_rms_norm": normal("rows", "rows", "row"),
    "layer_norm": normal("rows", "row", "row"),
    "batch_norm": normal("rows", "row", "row"),
    "group_norm": normal("rows", "row", "row"),
    "normalize": normal("rows"),
    "softmax": normal("rows"),
    "softmin": normal("rows"),
    "masked_softmax": _scores,
    "masked_softmax_backward": _of_output("softmax"),
    "rotary_embedding": _pairs,
    "rotary_embedding_backward": _pairs,
    "log_softmax": normal("rows"),
    "logsumexp": normal("rows"),
    "cross_entropy": _logits,
    "cross_entropy_with_grad": _logits,
    "rms_norm_backward": normal("rows", "rows", "row"),
    "layer_norm_backward": normal("rows", "rows", "row"),
    "normalize_backward": normal("rows", "rows"),
    "softmax_backward": _of_output("softmax"),
    "log_softmax_backward": _of_output("log_softmax"),
    "logsumexp_backward": _gradient_of_rows,
    "softmax_where": _scores,
    "logsumexp_factors": _factors,
    "normalize_cubes": normal("rows"),
    "layer_norm_two_pass": normal("rows", "row", "row"),
    "binary_cross_entropy_weighted": _weighted_pairs,
}
#: Those whose result has the shape of the first input and can be given a place, so that it may be the input's.
PLACED = ("rms_norm", "layer_norm", "group_norm", "normalize", "softmax", "softmax_backward", "softmin", "log_softmax",
          "log_softmax_backward", "masked_softmax", "masked_softmax_backward", "rotary_embedding",
          "rotary_embedding_backward")
# works that are a function with parameters of its own
_ASKED = {
    "softmax_where": lambda lw, x, where: lw.softmax(x, where=where),
    "logsumexp_factors": lambda lw, x, b: lw.logsumexp(x, b=b),
    "normalize_cubes": lambda lw, x: lw.normalize(x, 3),
    "layer_norm_two_pass": lambda lw, x, weight, bias: lw.layer_norm(x, weight, bias, algorithm="two_pass"),
    "binary_cross_entropy_weighted": lambda lw, x, target, weight, pos_weight: lw.binary_cross_entropy_with_logits(
        x, target, weight=weight, pos_weight=pos_weight),
}


def _groups(x):
    return _GROUPS if x.shape[-1] % _GROUPS == 0 else 1


def _first(found):
    return found[0] if isinstance(found, tuple) else found


def _second(found):
    return found[1]


def prepare_lanewise(work, inputs, threads):
    """Prepare this library's function of the same name; forwards write into memory allocated beforehand."""
    import lanewise as lw

    lw.set_num_threads(threads)
    x, rest, function, chosen = inputs[0], inputs[1:], getattr(lw, work.name, None), _first
    if work.name in PLACED:
        before = (_groups(x),) if work.name == "group_norm" else ()
        after = (_SCALE,) if work.name.startswith("masked_softmax") else ()
        if work.layout in ("fresh", "in-place"):
            return into_layout("lanewise", work, inputs, np.empty_like(x), lambda x, *given: function(
                x, *before, *given[:-1], *after, out=given[-1]))
        call = partial(function, x, *before, *rest, *after, out=np.empty_like(x))
    elif work.name in _ASKED:
        call = partial(_ASKED[work.name], lw, *inputs)
    elif work.name == "batch_norm":
        call = partial(function, x, weight=rest[0], bias=rest[1], training=True)
    elif work.name == "layer_norm_backward":
        _, mean, rstd = lw.layer_norm(rest[0], rest[1], return_stats=True)
        call = partial(function, *inputs, np.zeros_like(rest[1]), mean=mean, rstd=rstd)
    elif work.name == "rms_norm_backward":
        _, rstd = lw.rms_norm(rest[0], rest[1], return_stats=True)
        call = partial(function, *inputs, rstd=rstd)
    else:
        call = partial(function, *inputs)
        chosen = _second if work.name == "cross_entropy_with_grad" else _first
    return Contender.keeping("lanewise", call, chosen, inputs)


def prepare_numpy(work, inputs, threads):
    """Prepare what users of NumPy write; on one thread always."""
    not_in_place(work)

    def softmax(x):
        e = np.exp(x - x.max(-1, keepdims=True))
        return e / e.sum(-1, keepdims=True)

    def log_softmax(x):
        z = x - x.max(-1, keepdims=True)
        return z - np.log(np.exp(z).sum(-1, keepdims=True))

    def logsumexp(x):
        top = x.max(-1, keepdims=True)
        return (top + np.log(np.exp(x - top).sum(-1, keepdims=True)))[..., 0]

    def rms_norm(x, weight):
        return x / np.sqrt((x * x).mean(-1, keepdims=True) + x.dtype.type(1e-6)) * weight

    def layer_norm(x, weight, bias):
        z = x - x.mean(-1, keepdims=True)
        return z / np.sqrt((z * z).mean(-1, keepdims=True) + x.dtype.type(1e-5)) * weight + bias

    def rotary_embedding(x, cos, sin):
        a, b, rest = x[..., :len(cos)], x[..., len(cos):2 * len(cos)], x[..., 2 * len(cos):]
        return np.concatenate([a * cos - b * sin, a * sin + b * cos, rest], -1)

    functions = {
        "masked_softmax": lambda x, mask: softmax(np.where(mask, x * x.dtype.type(_SCALE), x.dtype.type(-np.inf))),
        "masked_softmax_backward": lambda grad, y: (
            y * (grad - (grad * y).sum(-1, keepdims=True)) * y.dtype.type(_SCALE)),
        "rotary_embedding": rotary_embedding,
        "rotary_embedding_backward": lambda grad, cos, sin: rotary_embedding(grad, cos, -sin),
        "softmax": softmax, "log_softmax": log_softmax, "logsumexp": logsumexp, "rms_norm": rms_norm,
        "layer_norm": layer_norm, "layer_norm_two_pass": layer_norm,
        "add_rms_norm": lambda x, residual, weight: rms_norm(x + residual, weight),
        "softmax_backward": lambda grad, y: y * (grad - (grad * y).sum(-1, keepdims=True)),
        "log_softmax_backward": lambda grad, y: grad - np.exp(y) * grad.sum(-1, keepdims=True),
        "cross_entropy": lambda x, target: -log_softmax(x)[np.arange(len(x)), target].mean(),
    }
    if work.name not in functions:
        raise UnavailableError("has no such function")
    if inputs[0].dtype.itemsize == 2:
        raise UnavailableError("would sum in 16 bits")
    return Contender.keeping("numpy", partial(functions[work.name], *inputs), np.asarray, inputs)


def prepare_scipy(work, inputs, threads):
    """Prepare SciPy's function, where it has one; on one thread always."""
    try:
        from scipy import special
    except ImportError:
        raise UnavailableError("not installed") from None
    if work.name not in ("softmax", "log_softmax", "logsumexp", "logsumexp_factors"):
        raise UnavailableError("has no such function")
    not_in_place(work)
    if inputs[0].dtype.itemsize == 2:
        raise UnavailableError("would sum in 16 bits")
    if work.name == "logsumexp_factors":
        x, b = inputs
        return Contender.keeping("scipy", partial(special.logsumexp, x, axis=-1, b=b), np.asarray, inputs)
    return Contender.keeping("scipy", partial(getattr(special, work.name), *inputs, axis=-1), np.asarray, inputs)


def prepare_torch(work, inputs, threads):
    """Prepare PyTorch, eager: forwards, and the gradients it has a function of, directly; the others by autograd, of
    which only the backward is timed."""
    torch = torch_here(threads)
    not_in_place(work)
    functional, aten = torch.nn.functional, torch.ops.aten
    tensors = [tensor_of(torch, operand) for operand in inputs]
    shape, groups = tensors[0].shape[-1:], _groups(inputs[0])
    out = torch.empty_like(tensors[0])
    total = torch.empty_like(out)
    def log_of_factors(x, b):
        top = x.amax(-1, keepdim=True)
        return torch.log((b * torch.exp(x - top)).sum(-1)) + top[..., 0]

    def rotary_embedding(x, cos, sin):
        a, b, rest = x.tensor_split((len(cos), 2 * len(cos)), -1)
        return torch.cat((a * cos - b * sin, a * sin + b * cos, rest), -1)

    hidden = ~tensors[1] if work.name in ("masked_softmax", "softmax_where") else None
    forwards = {
        "softmax_where": lambda x, where: x.masked_fill(hidden, -torch.inf).softmax(-1),
        "logsumexp_factors": log_of_factors,
        "normalize_cubes": lambda x: functional.normalize(x, 3.0, -1),
        "binary_cross_entropy_weighted": lambda x, target, weight, pos_weight: (
            functional.binary_cross_entropy_with_logits(x, target, weight, pos_weight=pos_weight)),
        "masked_softmax": lambda x, mask: aten._softmax.out(
            torch.mul(x, _SCALE, out=total).masked_fill_(hidden, -torch.inf), -1, False, out=out),
        "masked_softmax_backward": lambda grad, y: aten._softmax_backward_data.out(
            grad, y, -1, y.dtype, grad_input=out).mul_(_SCALE),
        "rotary_embedding": rotary_embedding,
        "rotary_embedding_backward": lambda grad, cos, sin: rotary_embedding(grad, cos, -sin),
        "rms_norm": lambda x, weight: functional.rms_norm(x, shape, weight, 1e-6),
        "layer_norm": lambda x, weight, bias: functional.layer_norm(x, shape, weight, bias),
        "layer_norm_two_pass": lambda x, weight, bias: functional.layer_norm(x, shape, weight, bias),
        "add_rms_norm": lambda x, residual, weight: functional.rms_norm(
            torch.add(x, residual, out=total), shape, weight, 1e-6),
        "batch_norm": lambda x, weight, bias: functional.batch_norm(x, None, None, weight, bias, training=True),
        "group_norm": lambda x, weight, bias: functional.group_norm(x, groups, weight, bias),
        "normalize": lambda x: functional.normalize(x, dim=-1),
        "softmax": lambda x: aten._softmax.out(x, -1, False, out=out),
        "log_softmax": lambda x: aten._log_softmax.out(x, -1, False, out=out),
        "softmin": lambda x: functional.softmin(x, -1),
        "logsumexp": lambda x: torch.logsumexp(x, -1),
        "cross_entropy": functional.cross_entropy,
        "softmax_backward": lambda grad, y: aten._softmax_backward_data.out(grad, y, -1, y.dtype, grad_input=out),
        "log_softmax_backward": lambda grad, y: aten._log_softmax_backward_data.out(grad, y, -1, y.dtype, out=out),
    }
    if work.layout == "fresh":
        forwards |= {
            "softmax": lambda x: torch.softmax(x, -1),
            "log_softmax": lambda x: torch.log_softmax(x, -1),
            "softmax_backward": lambda grad, y: aten._softmax_backward_data(grad, y, -1, y.dtype),
            "log_softmax_backward": lambda grad, y: aten._log_softmax_backward_data(grad, y, -1, y.dtype),
            "masked_softmax": lambda x, mask: (x * _SCALE).masked_fill_(hidden, -torch.inf).softmax(-1),
            "masked_softmax_backward": lambda grad, y: aten._softmax_backward_data(grad, y, -1, y.dtype).mul_(_SCALE),
        }
    if work.name == "layer_norm_backward":
        grad, x, weight = tensors
        with torch.inference_mode():
            _, mean, rstd = aten.native_layer_norm(x, shape, weight, torch.zeros_like(weight), 1e-5)
        call = partial(aten.native_layer_norm_backward, grad, x, shape, mean, rstd, weight, torch.zeros_like(weight),
                       [True, True, True])
    elif work.name == "cross_entropy_with_grad":
        x = tensors[0].requires_grad_()

        def call():
            return torch.autograd.grad(functional.cross_entropy(x, tensors[1]), x)

        return Contender.keeping("torch", call, lambda found: torch_result(found[0]), inputs)
    elif work.name in forwards:
        call = partial(forwards[work.name], *tensors)
    else:
        grad, *leaves = tensors
        leaves = [leaf.requires_grad_() for leaf in leaves]
        y = forwards[work.name.removesuffix("_backward")](*leaves)
        return Contender.keeping("torch", partial(torch.autograd.grad, y, leaves, grad, retain_graph=True),
                                 lambda found: torch_result(found[0]), inputs)

    def run():
        with torch.inference_mode():
            return call()

    return Contender.keeping("torch", run, lambda found: torch_result(_first(found)), inputs)


_ONNX = {
    "softmax": ("Softmax", {"axis": -1}),
    "log_softmax": ("LogSoftmax", {"axis": -1}),
    "layer_norm": ("LayerNormalization", {"axis": -1, "epsilon": 1e-5}),
    "rms_norm": ("SimplifiedLayerNormalization", {"axis": -1, "epsilon": 1e-6}),
    "normalize": ("LpNormalization", {"axis": -1, "p": 2}),
}


def prepare_onnxruntime(work, inputs, threads):
    """Prepare ONNX Runtime, a graph of the one operator; float32 only."""
    if work.name not in _ONNX:
        raise UnavailableError("has no such operator")
    contiguous_only(work)
    operator, attributes = _ONNX[work.name]
    return onnx_contender(operator, "", attributes, inputs, threads)


PREPARE = {
    "copy": prepare_copy,
    "lanewise": prepare_lanewise,
    "numpy": prepare_numpy,
    "scipy": prepare_scipy,
    "torch": prepare_torch,
    "onnxruntime": prepare_onnxruntime,
}
