"""The contenders of a benchmark of functions that are asked with parameters of their own: losses with class weights,
ignored rows or probabilities, several axes, `where=`, masks of attention; beside what users of PyTorch and SciPy write.
The functions as they stand are axis_peers.py's."""

import math
from functools import partial

import numpy as np

from .axis_peers import normal
from .code_peers import Entry
from .onnx_peers import onnx_operator
from .peers import Contender, UnavailableError, prepare_copy, tensor_of, torch_here, torch_result

__all__ = ["ENTRIES", "call_of", "torch_call"]

_IGNORED = -100
_Z_LOSS = 1e-4
_SMOOTHING = 0.1
_CLASSES = 16  # of images, whose classes are at axis 1
_SCALE = 0.125
_CHANNELS = 8
_GROUPS = 2
_MANY_CHANNELS = 64  # of images, as they are group-normed
_MANY_GROUPS = 8


# How inputs are drawn, of a shape of rows.

def _logits(shape, dtype, rng, *, ignored=False):
    target = rng.integers(0, shape[-1], shape[0])
    if ignored:
        target[1::2] = _IGNORED
    return [rng.normal(0, 2, shape).astype(dtype), target]


def _weighted_logits(shape, dtype, rng):
    return [*_logits(shape, dtype, rng), rng.uniform(0.5, 2, shape[-1]).astype(dtype)]


def _probable(shape, dtype, rng):
    wanted = np.exp(rng.normal(0, 1, shape))
    return [rng.normal(0, 2, shape).astype(dtype), (wanted / wanted.sum(-1, keepdims=True)).astype(dtype)]


def _images(shape, dtype, rng):
    # an image a row, each of whose places has a class
    places = max(1, shape[-1] // _CLASSES)
    return [rng.normal(0, 2, (shape[0], _CLASSES, places)).astype(dtype),
            rng.integers(0, _CLASSES, (shape[0], places))]


def _log_probabilities(shape, dtype, rng):
    x, target = _logits(shape, np.float64, rng)
    x -= x.max(-1, keepdims=True)
    return [(x - np.log(np.exp(x).sum(-1, keepdims=True))).astype(dtype), target]


def _weighted_log_probabilities(shape, dtype, rng):
    return [*_log_probabilities(shape, dtype, rng), rng.uniform(0.5, 2, shape[-1]).astype(dtype)]


def _halves(shape, dtype, rng):
    # logits and probabilities of yes
    return [rng.normal(0, 2, shape).astype(dtype), rng.uniform(0, 1, shape).astype(dtype)]


def _weighted_halves(shape, dtype, rng):
    return [*_halves(shape, dtype, rng), *(rng.uniform(0.5, 2, shape[-1]).astype(dtype) for _ in range(2))]


def _blocks(*kinds):
    # rows as blocks, whose last two axes count as one
    def draw(shape, dtype, rng):
        inner = math.gcd(shape[-1], 32)
        drawn = normal(*kinds)(shape, dtype, rng)
        return [x.reshape(*x.shape[:-1], shape[-1] // inner, inner) for x in drawn]

    return draw


def _channels(shape, dtype, rng):
    # x, weight, bias, running mean and variance
    places = max(2, shape[-1] // _CHANNELS)
    vectors = [rng.standard_normal(_CHANNELS), rng.standard_normal(_CHANNELS), np.zeros(_CHANNELS), np.ones(_CHANNELS)]
    return [rng.standard_normal((shape[0], _CHANNELS, places)).astype(dtype), *(each.astype(dtype) for each in vectors)]


def _images_of_groups(shape, dtype, rng):
    # x, weight, bias
    places = max(1, shape[-1] // _MANY_CHANNELS)
    return [rng.standard_normal(each).astype(dtype)
            for each in ((shape[0], _MANY_CHANNELS, places), (_MANY_CHANNELS,), (_MANY_CHANNELS,))]


def _group_gradients(shape, dtype, rng):
    # grad, x, weight, and the statistics of the forward
    x, weight, *_ = _channels(shape, dtype, rng)
    groups = x.reshape(len(x), _GROUPS, -1).astype(np.float64)
    return [rng.standard_normal(x.shape).astype(dtype), x, weight, groups.mean(-1),
            1 / np.sqrt(groups.var(-1) + 1e-5)]


def _seen(shape, dtype, rng):
    # three in four
    return [rng.normal(0, 2, shape).astype(dtype), rng.random(shape) < 0.75]


def _squares(shape, dtype, rng):
    # of heads, as many queries as keys
    side = max(2, math.isqrt(shape[-1]))
    return rng.normal(0, 8, (shape[0], side, side)).astype(dtype)


def _causal(shape, dtype, rng):
    return [_squares(shape, dtype, rng)]


def _added(shape, dtype, rng):
    x = _squares(shape, dtype, rng)
    return [x, np.where(rng.random(x.shape) < 0.75, 0, -np.inf).astype(dtype)]


def _pairs(shape, dtype, rng):
    # and the cosines and sines of each position
    pairs = max(1, shape[-1] // 2)
    angles = rng.uniform(0, 2 * np.pi, (shape[0], pairs))
    return [rng.standard_normal((shape[0], 2 * pairs)).astype(dtype), np.cos(angles).astype(dtype),
            np.sin(angles).astype(dtype)]


# What PyTorch's users write, of PyTorch and the inputs.

def _functional(name, **parameters):
    return lambda torch, *inputs: getattr(torch.nn.functional, name)(*inputs, **parameters)


def _z_loss(torch, x, target):
    return torch.nn.functional.cross_entropy(x, target) + _Z_LOSS * (torch.logsumexp(x, -1) ** 2).mean()


def _weighted_entropy(torch, x, target, weight, yes_weight):
    return torch.nn.functional.binary_cross_entropy_with_logits(x, target, weight, pos_weight=yes_weight)


def _normalized(torch, x):
    return x / torch.linalg.vector_norm(x, dim=(-2, -1), keepdim=True).clamp_min(1e-12)


def _instance_norm(torch, x, weight, bias, mean=None, variance=None):
    return torch.nn.functional.instance_norm(x, mean, variance, weight, bias)


def _group_norm(torch, x, weight, bias):
    return torch.nn.functional.group_norm(x, _MANY_GROUPS, weight, bias)


def _masked(torch, x, mask):
    return (x * _SCALE + mask).softmax(-1)


def _causal_softmax(torch, x):
    hidden = torch.ones(x.shape[-2:], dtype=torch.bool).triu_(1)
    return (x * _SCALE).masked_fill(hidden, -torch.inf).softmax(-1)


def _interleaved(torch, x, cos, sin):
    a, b = x[..., ::2], x[..., 1::2]
    return torch.stack((a * cos - b * sin, a * sin + b * cos), -1).flatten(-2)


def call_of(function, *names, chosen=None, first=(), into=False, **parameters):
    """Lanewise's function of the inputs, the last of which are given by these names; `chosen` is which of its results
    is compared. Where it is `into`, that goes to memory allocated beforehand."""
    def prepare(work, inputs, threads):
        import lanewise as lw

        lw.set_num_threads(threads)
        count = len(inputs) - len(names)
        given = dict(zip(names, inputs[count:], strict=True)) | parameters
        if into:
            given["out"] = np.empty_like(inputs[0])
        call = partial(getattr(lw, function), *first, *inputs[:count], **given)
        return Contender.keeping("lanewise", call, lambda found: np.asarray(
            found if chosen is None else found[chosen]), inputs)

    return prepare


def torch_call(function):
    """What PyTorch's users write, a function of PyTorch and the inputs."""
    def prepare(work, inputs, threads):
        torch = torch_here(threads)
        tensors = [tensor_of(torch, each) for each in inputs]

        def call():
            with torch.inference_mode():
                return function(torch, *tensors)

        return Contender.keeping("torch", call, torch_result, inputs)

    return prepare


def _gradient(loss, *, alone):
    """PyTorch's gradient of a loss with respect to the first input by autograd: `alone`, or the loss with it."""
    def prepare(work, inputs, threads):
        torch = torch_here(threads)
        x, *rest = (tensor_of(torch, each) for each in inputs)
        x.requires_grad_()
        kept = loss(torch, x, *rest) if alone else None

        def call():
            value = loss(torch, x, *rest) if kept is None else kept
            return torch.autograd.grad(value, x, retain_graph=alone)[0]

        return Contender.keeping("torch", call, torch_result, inputs)

    return prepare


def _scipy(function, **parameters):
    def prepare(work, inputs, threads):
        try:
            from scipy import special
        except ImportError:
            raise UnavailableError("not installed") from None
        if inputs[0].dtype.itemsize == 2:
            raise UnavailableError("would sum in 16 bits")
        call = partial(getattr(special, function), *inputs, **parameters)
        return Contender.keeping("scipy", call, np.asarray, inputs)

    return prepare


def _loss(operator, **attributes):
    return {"onnxruntime": onnx_operator(operator, shaped=lambda x: (), reduction="mean", **attributes)}


def _losses():
    # name, inputs, function, names of the last inputs, parameters, what PyTorch's users write, ONNX Runtime's operator
    operators = {
        **dict.fromkeys(("cross_entropy_weighted", "cross_entropy_images"), _loss("SoftmaxCrossEntropyLoss")),
        "cross_entropy_ignored": _loss("SoftmaxCrossEntropyLoss", ignore_index=_IGNORED),
        **dict.fromkeys(("nll_loss", "nll_loss_weighted"), _loss("NegativeLogLikelihoodLoss")),
    }
    entropy = {
        "ignored": (partial(_logits, ignored=True), (), {"ignore_index": _IGNORED},
                    _functional("cross_entropy", ignore_index=_IGNORED)),
        "weighted": (_weighted_logits, ("weight",), {}, _functional("cross_entropy")),
        "probabilities": (_probable, (), {}, _functional("cross_entropy")),
        "smoothed": (_logits, (), {"label_smoothing": _SMOOTHING},
                     _functional("cross_entropy", label_smoothing=_SMOOTHING)),
        "z_loss": (_logits, (), {"z_loss": _Z_LOSS}, _z_loss),
        "images": (_images, (), {"axis": 1}, _functional("cross_entropy")),
    }
    for name, (draw, names, parameters, theirs) in entropy.items():
        yield f"cross_entropy_{name}", draw, call_of("cross_entropy", *names, **parameters), {
            "torch": torch_call(theirs)} | operators.get(f"cross_entropy_{name}", {})
        yield f"cross_entropy_{name}_with_grad", draw, call_of(
            "cross_entropy_with_grad", *names, chosen=1, into=True, **parameters), {
                "torch": _gradient(theirs, alone=False)}
    pairs = {name: (normal("rows", "rows"), (), _functional(f"{name}_loss")) for name in ("mse", "l1", "huber")}
    entropy = "binary_cross_entropy_with_logits"
    losses = {
        "cross_entropy": ("cross_entropy", _logits, (), _functional("cross_entropy")),
        "nll_loss": ("nll_loss", _log_probabilities, (), _functional("nll_loss")),
        "nll_loss_weighted": ("nll_loss", _weighted_log_probabilities, ("weight",), _functional("nll_loss")),
        **{name: (name, *entry) for name, entry in pairs.items()},
        entropy: (entropy, _halves, (), _functional(entropy)),
        "binary_cross_entropy_weighted": (entropy, _weighted_halves, ("weight", "pos_weight"), _weighted_entropy),
    }
    for name, (function, draw, names, theirs) in losses.items():
        if name not in ("cross_entropy", "binary_cross_entropy_weighted"):  # which axis_peers has
            yield name, draw, call_of(function, *names), {"torch": torch_call(theirs)} | operators.get(name, {})
        yield (f"{name}_backward", draw, call_of(f"{function}_backward", *names, first=(1.0,), into=True),
               {"torch": _gradient(theirs, alone=True)})


def _along_axes():
    rows = normal("rows")
    for name in ("softmax", "log_softmax"):
        def flat(torch, x, name=name):
            return getattr(x.flatten(-2), name)(-1).view(x.shape)

        def where(torch, x, seen, name=name):
            return getattr(x.masked_fill(~seen, -torch.inf), name)(-1)

        def first(torch, x, name=name):
            return getattr(x, name)(0)

        yield (f"{name}_axes", _blocks("rows"), call_of(name, axis=(-2, -1), into=True),
               {"torch": torch_call(flat), "scipy": _scipy(name, axis=(-2, -1))})
        yield (f"{name}_first_axis", rows, call_of(name, axis=0, into=True),
               {"torch": torch_call(first), "scipy": _scipy(name, axis=0), "onnxruntime": onnx_operator(
                   "Softmax" if name == "softmax" else "LogSoftmax", axis=0)})
        if name == "log_softmax":  # axis_peers has the other
            yield f"{name}_where", _seen, call_of(name, "where"), {"torch": torch_call(where)}
    yield "softmax_safe", rows, call_of("softmax", safe=True, into=True), {"torch": torch_call(
        lambda torch, x: torch.ops.aten._safe_softmax(x, -1))}
    sums = {"logsumexp_axes": (_blocks("rows"), {"axis": (-2, -1)}, {"dim": (-2, -1)}),
            "logsumexp_of_all": (rows, {"axis": None}, {"dim": (0, 1)}),
            "logsumexp_keepdims": (rows, {"axis": -1, "keepdims": True}, {"dim": -1, "keepdim": True}),
            "logsumexp_first_axis": (rows, {"axis": 0}, {"dim": 0})}
    for name, (draw, ours, theirs) in sums.items():
        def total(torch, x, theirs=theirs):
            return torch.logsumexp(x, **theirs)

        yield name, draw, call_of("logsumexp", **ours), {
            "torch": torch_call(total), "scipy": _scipy("logsumexp", **ours), "onnxruntime": onnx_operator(
                "ReduceLogSumExp", axes=np.atleast_1d(theirs["dim"]), keepdims=int("keepdims" in ours),
                shaped=lambda x, ours=ours: x.sum(**ours).shape)}
    yield "logsumexp_where", _seen, call_of("logsumexp", "where"), {"torch": torch_call(
        lambda torch, x, seen: x.masked_fill(~seen, -torch.inf).logsumexp(-1))}


def _torch_group_backward(work, inputs, threads):
    # statistics in the dtype that PyTorch's forward gives them
    torch = torch_here(threads)
    grad, x, weight, *statistics = (tensor_of(torch, each) for each in inputs)
    call = partial(torch.ops.aten.native_group_norm_backward, grad, x, *(each.to(x.dtype) for each in statistics),
                   weight, *x.shape, _GROUPS, [True, True, True])
    return Contender.keeping("torch", call, lambda found: torch_result(found[0]), inputs)


def _norms():
    rows, blocks = normal("rows"), _blocks("rows", "row", "row")
    yield "layer_norm_axes", blocks, call_of("layer_norm", "weight", "bias", axis=(-2, -1), into=True), {
        "torch": torch_call(lambda torch, x, *vectors: torch.nn.functional.layer_norm(x, x.shape[-2:], *vectors)),
        "onnxruntime": onnx_operator("LayerNormalization", axis=-2, epsilon=1e-5)}
    yield "rms_norm_axes", _blocks("rows", "row"), call_of("rms_norm", "weight", axis=(-2, -1), into=True), {
        "torch": torch_call(lambda torch, x, weight: torch.nn.functional.rms_norm(x, x.shape[-2:], weight, 1e-6)),
        "onnxruntime": onnx_operator("SimplifiedLayerNormalization", axis=-2, epsilon=1e-6)}
    yield "normalize_axes", _blocks("rows"), call_of("normalize", axis=(-2, -1), into=True), {
        "torch": torch_call(_normalized)}
    for name, p, others in (("sums", 1, {"onnxruntime": onnx_operator("LpNormalization", axis=-1, p=1)}),
                            ("largest", math.inf, {})):
        yield f"normalize_{name}", rows, call_of("normalize", p=p, into=True), {
            "torch": torch_call(_functional("normalize", p=float(p), dim=-1)), **others}
    yield "instance_norm", lambda *drawn: _channels(*drawn)[:3], call_of("instance_norm", "weight", "bias"), {
        "torch": torch_call(_instance_norm), "onnxruntime": onnx_operator("InstanceNormalization")}
    yield "instance_norm_running", _channels, call_of(
        "instance_norm", "weight", "bias", "running_mean", "running_var"), {"torch": torch_call(_instance_norm)}
    yield "group_norm_images", _images_of_groups, call_of(
        "group_norm", "weight", "bias", num_groups=_MANY_GROUPS), {
            "torch": torch_call(_group_norm), "onnxruntime": onnx_operator(
                "GroupNormalization", num_groups=_MANY_GROUPS, epsilon=1e-5)}
    yield "group_norm_backward", _group_gradients, call_of(
        "group_norm_backward", "weight", "mean", "rstd", num_groups=_GROUPS, chosen=0), {"torch": _torch_group_backward}


def _attention():
    yield "masked_softmax_added", _added, call_of("masked_softmax", "mask", scale=_SCALE, into=True), {
        "torch": torch_call(_masked)}
    yield "masked_softmax_causal", _causal, call_of("masked_softmax", scale=_SCALE, causal=True, into=True), {
        "torch": torch_call(_causal_softmax)}
    yield "rotary_embedding_interleaved", _pairs, call_of("rotary_embedding", interleaved=True, into=True), {
        "torch": torch_call(_interleaved)}


ENTRIES = {name: Entry("options", draw, {"copy": prepare_copy, "lanewise": ours, **others})
           for part in (_losses, _along_axes, _norms, _attention) for name, draw, ours, others in part()}
