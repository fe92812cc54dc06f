"""What ONNX and PyTorch test these operators by, run by this library: ONNX's node cases of the installed onnx package,
and OpInfo's samples from torch. It says of each operator how many cases are right, wrong, or cannot be expressed.

    python tests/peer_cases.py onnx          python tests/peer_cases.py torch

Needs onnx, and torch with expecttest. tests/test_peer_cases.py holds the counts."""

import argparse
import contextlib
import sys
import warnings
from collections import Counter

import lanewise as lw
import numpy as np

__all__ = ["CannotSayError", "of_onnx", "of_torch"]


class CannotSayError(Exception):
    """A case that this library has no way to ask for."""


def _need(condition):
    if not condition:
        raise CannotSayError


# ONNX: of the attributes and the inputs, the outputs.

def _onnx_layer_norm(name, attributes, x, *vectors):
    axes = tuple(range(attributes.get("axis", -1) % x.ndim, x.ndim))
    vectors = [np.broadcast_to(vector, x.shape[axes[0]:]) for vector in vectors]
    if name == "RMSNormalization":
        return (lw.rms_norm(x, *vectors, eps=attributes.get("epsilon", 1e-5), axis=axes),)
    y, *stats = lw.layer_norm(x, *vectors, eps=attributes.get("epsilon", 1e-5), axis=axes, return_stats=True)
    return y, *(np.expand_dims(part, axes).astype(np.float32) for part in stats)


def _onnx_batch_norm(attributes, x, weight, bias, mean, variance):
    eps = attributes.get("epsilon", 1e-5)
    if not attributes.get("training_mode"):
        return (lw.batch_norm(x, mean, variance, weight, bias, eps=eps),)
    # the running variance takes in that of the batch as it is, which PyTorch's does not
    y, own_mean, rstd = lw.batch_norm(x, weight=weight, bias=bias, training=True, eps=eps, return_stats=True)
    kept = attributes.get("momentum", 0.9)
    return y, kept * mean + (1 - kept) * own_mean, kept * variance + (1 - kept) * (rstd**-2 - eps)


def _onnx_log_sum(attributes, x, axes=None):
    chosen = None if axes is None else tuple(map(int, axes))
    if not chosen:
        chosen = () if attributes.get("noop_with_empty_axes") else None
    return (lw.logsumexp(x, chosen, keepdims=bool(attributes.get("keepdims", 1))),)


def _onnx_loss(function, attributes, x, target, weight=None):
    reduction = attributes.get("reduction", b"mean").decode()
    loss = function(x, target, axis=1, weight=weight, reduction=reduction, ignore_index=attributes.get("ignore_index"))
    return (loss, lw.log_softmax(x, 1)) if function is lw.cross_entropy else (loss,)


def _onnx_shrink(attributes, x):
    lambd, bias = attributes.get("lambd", 0.5), attributes.get("bias", 0.0)
    _need(bias in (0, lambd))
    return (lw.softshrink(x, lambd) if bias else lw.hardshrink(x, lambd),)


def _onnx_hardsigmoid(attributes, x):
    return (lw.hardsigmoid(x, alpha=attributes.get("alpha", 0.2), beta=attributes.get("beta", 0.5)),)


def _onnx_swiglu(attributes, gate, up):
    return (lw.swiglu(gate, up, beta=attributes.get("alpha", 1.0)),)


def _onnx_rotary(attributes, x, cos, sin, position_ids=None):
    pairs = x
    if x.ndim == 3:  # (batch, positions, heads * n)
        pairs = x.reshape(*x.shape[:2], attributes["num_heads"], -1).swapaxes(1, 2)
    if position_ids is not None:
        cos, sin = cos[position_ids], sin[position_ids]
    y = lw.rotary_embedding(pairs, cos[:, None], sin[:, None], interleaved=bool(attributes.get("interleaved", 0)))
    return (y if x.ndim == 4 else y.swapaxes(1, 2).reshape(x.shape),)


def _onnx_cast(attributes, x, like=None):
    # into a format and, to be compared, back
    from onnx import helper

    known = {"float16": "binary16", "float32": "binary32", "float64": "binary64"}
    dtype = helper.tensor_dtype_to_np_dtype(attributes["to"]) if like is None else like.dtype
    if x.dtype.itemsize == 1 and x.dtype.name not in ("int8", "uint8"):
        x = lw.ieee754.decode(x, x.dtype.name)
    if dtype.name in ("int8", "uint8"):
        return (x,)
    name = known.get(dtype.name, dtype.name)
    _need("int" not in name or (lw.ieee754.decode(lw.ieee754.encode(x, name), name) == x).all())  # ONNX's wrap around
    saturates = "float8" in name and attributes.get("saturate", 1)
    rounding = attributes.get("round_mode", b"up").decode() if name == "float8_e8m0fnu" else "nearest"
    codes = lw.ieee754.encode(x, name, rounding=rounding, overflow="saturate" if saturates else "ieee")
    return (lw.ieee754.decode(codes, name, dtype=np.float64),)


def _onnx_plain(function, *parameters):
    # parameters are names of attributes and their defaults
    return lambda attributes, *inputs: (
        function(*inputs, *(attributes.get(name, default) for name, default in parameters)),)


_ONNX = {
    "Exp": _onnx_plain(lw.exp), "Log": _onnx_plain(lw.log), "Erf": _onnx_plain(lw.erf), "Relu": _onnx_plain(lw.relu),
    "Sigmoid": _onnx_plain(lw.sigmoid), "Tanh": _onnx_plain(lw.tanh), "Softsign": _onnx_plain(lw.softsign),
    "Softplus": _onnx_plain(lw.softplus), "Mish": _onnx_plain(lw.mish), "HardSwish": _onnx_plain(lw.hardswish),
    "PRelu": _onnx_plain(lw.prelu), "LeakyRelu": _onnx_plain(lw.leaky_relu, ("alpha", 0.01)),
    "Elu": _onnx_plain(lw.elu, ("alpha", 1.0)), "Celu": _onnx_plain(lw.celu, ("alpha", 1.0)),
    "Swish": _onnx_plain(lw.swish, ("alpha", 1.0)),
    "Gelu": lambda attributes, x: ((lw.gelu_tanh if attributes.get("approximate") == b"tanh" else lw.gelu)(x),),
    "ThresholdedRelu": lambda attributes, x: (lw.threshold(x, attributes.get("alpha", 1.0), 0.0),),
    "Selu": lambda attributes, x: (lw.selu(x, **attributes),), "HardSigmoid": _onnx_hardsigmoid,
    "Shrink": _onnx_shrink, "SwiGLU": _onnx_swiglu, "RotaryEmbedding": _onnx_rotary,
    "Cast": _onnx_cast, "CastLike": _onnx_cast,
    "Softmax": _onnx_plain(lw.softmax, ("axis", -1)), "LogSoftmax": _onnx_plain(lw.log_softmax, ("axis", -1)),
    "ReduceLogSumExp": _onnx_log_sum,
    "LpNormalization": lambda attributes, x: (lw.normalize(x, attributes.get("p", 2), attributes.get("axis", -1)),),
    "LayerNormalization": lambda *case: _onnx_layer_norm("LayerNormalization", *case),
    "RMSNormalization": lambda *case: _onnx_layer_norm("RMSNormalization", *case),
    "MeanVarianceNormalization": lambda attributes, x: (
        lw.layer_norm(x, eps=0.0, axis=tuple(attributes.get("axes", (0, 2, 3)))),),
    "BatchNormalization": _onnx_batch_norm,
    "InstanceNormalization": lambda attributes, x, *vectors: (
        lw.instance_norm(x, *vectors, eps=attributes.get("epsilon", 1e-5)),),
    "GroupNormalization": lambda attributes, x, *vectors: (
        lw.group_norm(x, attributes["num_groups"], *vectors, eps=attributes.get("epsilon", 1e-5)),),
    "SoftmaxCrossEntropyLoss": lambda *case: _onnx_loss(lw.cross_entropy, *case),
    "NegativeLogLikelihoodLoss": lambda *case: _onnx_loss(lw.nll_loss, *case),
}


def _judged(counts, name, run, right):
    try:
        found = run()
    except CannotSayError:
        counts[name, "cannot be expressed"] += 1
        return
    except (TypeError, ValueError) as error:
        counts[name, "wrong"] += 1
        print(f"{name}: {type(error).__name__}: {error}", file=sys.stderr)
        return
    counts[name, "right" if right(found) else "wrong"] += 1


def of_onnx():
    """Count ONNX's cases of one node: by operator and "right", "wrong" or "cannot be expressed"."""
    from onnx import helper, numpy_helper
    from onnx.backend.test.case.node import collect_testcases

    def plain(value):
        return np.asarray(value) if isinstance(value, np.ndarray | np.generic) else numpy_helper.to_array(value)

    counts = Counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cases = collect_testcases(None)
    for case in cases:
        nodes = case.model.graph.node
        if len(nodes) != 1 or nodes[0].op_type not in _ONNX or not case.data_sets:
            continue
        node = nodes[0]
        attributes = {each.name: helper.get_attribute_value(each) for each in node.attribute}
        inputs, outputs = ([plain(value) for value in part] for part in case.data_sets[0])

        def right(found, outputs=outputs, case=case):
            return all(np.shape(one) == other.shape and np.allclose(
                np.asarray(one, np.float64), other.astype(np.float64), case.rtol, case.atol, equal_nan=True)
                for one, other in zip(found, outputs, strict=False))

        _judged(counts, node.op_type,
                lambda node=node, attributes=attributes, inputs=inputs: _ONNX[node.op_type](attributes, *inputs), right)
    return counts


# PyTorch: of arrays and what else a call is given, the result.

def _of_dim(function):
    def call(x, dim=None, *, dtype=None):
        return function(x, dim, dtype=dtype and str(dtype).removeprefix("torch."))

    return call


def _torch_log_sum(x, dim, keepdim=False):
    return lw.logsumexp(x, tuple(dim) or None if isinstance(dim, tuple | list) else dim, keepdims=keepdim)


def _torch_masked(function):
    def call(x, dim=None, *, mask=None, dtype=None):
        _need(dtype is None)
        return function(x, dim, where=mask)

    return call


def _torch_layer_norm(x, normalized_shape, weight=None, bias=None, eps=1e-5):
    _need(eps >= 0)
    return lw.layer_norm(x, weight, bias, eps=eps, axis=tuple(range(-len(normalized_shape), 0)))


def _torch_rms_norm(x, normalized_shape, weight=None, eps=None):
    eps = float(np.finfo(x.dtype).eps) if eps is None else eps
    _need(eps >= 0)
    return lw.rms_norm(x, weight, eps=eps, axis=tuple(range(-len(normalized_shape), 0)))


def _torch_group_norm(x, groups, weight=None, bias=None, eps=1e-5):
    _need(eps >= 0)
    return lw.group_norm(x, groups, weight, bias, eps=eps)


def _torch_batch_norm(x, mean, variance, weight=None, bias=None, training=False, momentum=0.1, eps=1e-5):
    _need(x.size and eps >= 0 and 0 <= momentum <= 1)
    return lw.batch_norm(x, mean, variance, weight, bias, training=training, momentum=momentum, eps=eps)


def _torch_instance_norm(x, running_mean=None, running_var=None, weight=None, bias=None, use_input_stats=True,
                         momentum=0.1, eps=1e-5):
    _need(eps >= 0 and 0 <= momentum <= 1)
    return lw.instance_norm(x, weight, bias, running_mean=running_mean, running_var=running_var, momentum=momentum,
                            use_input_stats=use_input_stats, eps=eps)


def _torch_entropy(function):
    def call(x, target, weight=None, *, ignore_index=-100, **keywords):
        if function is lw.cross_entropy and target.dtype.kind == "f":
            ignore_index = None
        return function(x, target, weight=weight, ignore_index=ignore_index, axis=min(1, x.ndim - 1), **keywords)

    return call


def _torch_pairs(function, given=()):
    def call(x, target, **keywords):
        _need(x.shape == target.shape and not set(keywords) - {"reduction", *given})
        return function(x, target, **keywords)

    return call


def _torch_softplus(x, beta=1, threshold=20):
    return lw.softplus(x, beta, threshold=threshold)


def _torch_celu(x, alpha=1.0, inplace=False):
    return lw.celu(x, alpha)


def _torch_prelu(x, weight):
    return lw.prelu(x, weight.reshape(-1, *(1,) * (x.ndim - 2)) if weight.size > 1 else weight.ravel()[0])


def _plain(function):
    return lambda x, *parameters, inplace=False, **keywords: function(x, *parameters, **keywords)


_TORCH = {
    "exp": _plain(lw.exp), "expm1": _plain(lw.expm1), "log": _plain(lw.log), "log1p": _plain(lw.log1p),
    "erf": _plain(lw.erf), "erfc": _plain(lw.erfc), "sigmoid": _plain(lw.sigmoid), "tanh": _plain(lw.tanh),
    "softmax": _of_dim(lw.softmax), "log_softmax": _of_dim(lw.log_softmax),
    "nn.functional.softmin": _of_dim(lw.softmin), "logsumexp": _torch_log_sum,
    "masked.softmax": _torch_masked(lw.softmax), "masked.log_softmax": _torch_masked(lw.log_softmax),
    "masked.softmin": _torch_masked(lw.softmin),
    "nn.functional.normalize": lambda x, p=2.0, dim=1, eps=1e-12: lw.normalize(x, p, dim, eps=eps),
    "nn.functional.layer_norm": _torch_layer_norm, "nn.functional.rms_norm": _torch_rms_norm,
    "nn.functional.batch_norm": _torch_batch_norm, "nn.functional.instance_norm": _torch_instance_norm,
    "nn.functional.group_norm": _torch_group_norm,
    "nn.functional.cross_entropy": _torch_entropy(lw.cross_entropy),
    "nn.functional.nll_loss": _torch_entropy(lw.nll_loss),
    "nn.functional.mse_loss": _torch_pairs(lw.mse), "nn.functional.l1_loss": _torch_pairs(lw.l1),
    "nn.functional.huber_loss": _torch_pairs(lw.huber, ("delta",)),
    "nn.functional.binary_cross_entropy_with_logits": _torch_pairs(
        lw.binary_cross_entropy_with_logits, ("weight", "pos_weight")),
    "nn.functional.prelu": _torch_prelu, "nn.functional.softplus": _torch_softplus, "nn.functional.celu": _torch_celu,
    "nn.functional.gelu": lambda x, approximate="none": (lw.gelu if approximate == "none" else lw.gelu_tanh)(x),
    **{f"nn.functional.{name}": _plain(getattr(lw, name)) for name in (
        "relu", "relu6", "leaky_relu", "elu", "selu", "logsigmoid", "tanhshrink", "silu", "mish", "softsign",
        "hardsigmoid", "hardswish", "hardtanh", "softshrink", "hardshrink", "threshold", "glu")},
}


def of_torch():
    """Count the samples of OpInfo in float32: by operator and "right", "wrong" or "cannot be expressed"."""
    import torch
    from torch.testing._internal.common_methods_invocations import op_db

    def plain(value):
        return value.detach().numpy().copy() if isinstance(value, torch.Tensor) else value

    counts = Counter()
    for op in op_db:
        if op.name not in _TORCH or (op.variant_test_name and op.variant_test_name != "with_dtype"):
            continue
        for sample in op.sample_inputs("cpu", torch.float32):
            given = [plain(value) for value in (sample.input, *sample.args)]
            keywords = {name: plain(value) for name, value in sample.kwargs.items()}
            expected = op(sample.input, *sample.args, **sample.kwargs).detach().numpy()
            if keywords.get("mask") is not None:  # what is masked is of no account to PyTorch, and NaN in whole rows
                expected = np.where(keywords["mask"], expected,
                                    -np.inf if op.name == "masked.log_softmax" else 0)

            def right(found, expected=expected):
                return np.shape(found) == expected.shape and np.allclose(found, expected, 1e-4, 1e-5, equal_nan=True)

            with np.errstate(all="ignore"):
                _judged(counts, op.name, lambda name=op.name, given=given, keywords=keywords: _TORCH[name](
                    *given, **keywords), right)
    return counts


def report(counts):
    """Write the counts as a table."""
    verdicts = ("right", "cannot be expressed", "wrong")
    for name in sorted({name for name, _ in counts}):
        print(f"{name:50}", *(f"{counts[name, verdict]:5} {verdict}" for verdict in verdicts))
    total = Counter()
    for (_, verdict), count in counts.items():
        total[verdict] += count
    print(f"{'all':50}", *(f"{total[verdict]:5} {verdict}" for verdict in verdicts))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="ONNX's cases or PyTorch's samples, run by this library.")
    parser.add_argument("whose", choices=["onnx", "torch"])
    with contextlib.suppress(BrokenPipeError):
        report(of_onnx() if parser.parse_args().whose == "onnx" else of_torch())
