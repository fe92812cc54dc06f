"""Every function along an axis and over channels, as one table that the tests of aliases, neighbours, memory and guard
pages share. A call takes its operands and `out` (None, or an array for each output that may be given), and returns all
results as a tuple.

Kinds of operands: r has the shape of the first, which is (rows, length), or for channels (batch, channels, ...);
v a number for each element of a row, h one for each pair of them;
b a boolean for each number; c a number a channel; s one a row, and S one a batch and channel; t a class a row.
"""

import lanewise as lw
import numpy as np
import oracles


def in_page(array, byte):
    """A copy that begins `byte` bytes behind the start of a page."""
    memory = np.zeros(array.nbytes + 8192, np.uint8)
    start = -memory.ctypes.data % 4096 + byte
    place = memory[start:start + array.nbytes].view(array.dtype).reshape(array.shape)
    place[...] = array
    return place


def one(function, **keywords):
    return lambda *operands, out: (function(*operands, out=out and out[0], **keywords),)


def some(function, **keywords):
    return lambda *operands, out: function(*operands, out=out and out[0], **keywords)


def with_statistics(function, **keywords):
    # statistics go by name
    return lambda grad, x, weight, *statistics, out: function(
        grad, x, weight, **dict(zip(("mean", "rstd")[-len(statistics):], statistics, strict=True)),
        out=out and out[0], **keywords)


def losses(function, **keywords):
    return lambda *operands, out: (function(*operands, reduction="none", **keywords),)


ALONG = {
    "softmax": ("r", one(lw.softmax)),
    "softmax, safe": ("r", one(lw.softmax, safe=True)),
    "softmax, where": ("r", lambda x, out: (lw.softmax(x, where=np.arange(x.shape[-1]) % 3 != 1, out=out and out[0]),)),
    "softmin": ("r", one(lw.softmin)),
    "log_softmax": ("r", one(lw.log_softmax)),
    "log_softmax, safe": ("r", one(lw.log_softmax, safe=True)),
    "masked_softmax": ("r", one(lw.masked_softmax, scale=0.3)),
    "masked_softmax, where": ("rb", one(lw.masked_softmax, scale=0.3)),
    "masked_softmax, plus": ("rr", one(lw.masked_softmax, scale=0.3)),
    "masked_softmax_backward": ("rr", one(lw.masked_softmax_backward, scale=0.3)),
    "rotary_embedding": ("rhh", one(lw.rotary_embedding)),
    "rotary_embedding, interleaved": ("rhh", one(lw.rotary_embedding, interleaved=True)),
    "rotary_embedding_backward": ("rhh", one(lw.rotary_embedding_backward)),
    "logsumexp": ("r", lambda x, out: (lw.logsumexp(x),)),
    "logsumexp, b": ("rr", lambda x, b, out: lw.logsumexp(x, b=b, return_sign=True)),
    "softmax_backward": ("rr", one(lw.softmax_backward)),
    "softmin_backward": ("rr", one(lw.softmin_backward)),
    "log_softmax_backward": ("rr", one(lw.log_softmax_backward)),
    "logsumexp_backward": ("sr", one(lw.logsumexp_backward)),
    "logsumexp_backward, b": ("srr", lambda grad, x, b, out: (
        lw.logsumexp_backward(grad, x, b=b, out=out and out[0]),)),
    "rms_norm": ("rv", some(lw.rms_norm, return_stats=True)),
    "rms_norm_backward": ("rrv", some(lw.rms_norm_backward)),
    "rms_norm_backward, rstd": ("rrvs", with_statistics(lw.rms_norm_backward)),
    "layer_norm": ("rvv", some(lw.layer_norm, return_stats=True)),
    "layer_norm, two_pass": ("rvv", some(lw.layer_norm, return_stats=True, algorithm="two_pass")),
    "layer_norm, one_pass": ("rvv", some(lw.layer_norm, return_stats=True, algorithm="one_pass")),
    "layer_norm_backward": ("rrvv", some(lw.layer_norm_backward)),
    "layer_norm_backward, statistics": ("rrvss", with_statistics(lw.layer_norm_backward)),
    "add_rms_norm": ("rrv", lambda *operands, out: lw.add_rms_norm(*operands, out=out, return_stats=True)),
    "normalize": ("r", one(lw.normalize)),
    "normalize, p = 1": ("r", one(lw.normalize, p=1)),
    "normalize, p = 3": ("r", one(lw.normalize, p=3)),
    "normalize, p = -inf": ("r", one(lw.normalize, p=-np.inf)),
    "normalize_backward": ("rr", one(lw.normalize_backward)),
    "normalize_backward, p = 1": ("rr", one(lw.normalize_backward, p=1)),
    "normalize_backward, p = 3": ("rr", one(lw.normalize_backward, p=3)),
    "cross_entropy": ("rt", losses(lw.cross_entropy, label_smoothing=0.1, z_loss=1e-4)),
    "cross_entropy_with_grad": ("rt", some(lw.cross_entropy_with_grad, z_loss=1e-4, reduction="none")),
    "cross_entropy_with_grad, smoothed": ("rt", some(lw.cross_entropy_with_grad, label_smoothing=0.1,
                                                     reduction="none")),
    "cross_entropy, weighted": ("rtv", lambda x, target, weight, out: (
        lw.cross_entropy(x, target, weight=weight, label_smoothing=0.1, reduction="none"),)),
    "cross_entropy_with_grad, weighted": ("rtv", lambda x, target, weight, out: lw.cross_entropy_with_grad(
        x, target, weight=weight, label_smoothing=0.1, ignore_index=0, reduction="none", out=out and out[0])),
    "cross_entropy_with_grad, probabilities": ("rrv", lambda x, target, weight, out: lw.cross_entropy_with_grad(
        x, target, weight=weight, z_loss=1e-4, reduction="none", out=out and out[0])),
    "nll_loss": ("rt", losses(lw.nll_loss)),
    "nll_loss, weighted": ("rtv", lambda x, target, weight, out: (
        lw.nll_loss(x, target, weight=weight, reduction="none"),)),
    "nll_loss_backward": ("srt", one(lw.nll_loss_backward, reduction="none")),
    "nll_loss_backward, weighted": ("srtv", lambda grad, x, target, weight, out: (lw.nll_loss_backward(
        grad, x, target, weight=weight, reduction="none", out=out and out[0]),)),
    "cross_entropy_backward": ("srt", one(lw.cross_entropy_backward, reduction="none")),
}
CHANNELS = {
    "batch_norm, training": ("rcc", lambda x, weight, bias, out: lw.batch_norm(
        x, None, None, weight, bias, training=True, return_stats=True, out=out and out[0])),
    "batch_norm": ("rcccc", one(lw.batch_norm)),
    "batch_norm_backward": ("rrccc", with_statistics(lw.batch_norm_backward)),
    "batch_norm_backward, training": ("rrccc", with_statistics(lw.batch_norm_backward, training=True)),
    "group_norm": ("rcc", lambda x, weight, bias, out: lw.group_norm(
        x, x.shape[1], weight, bias, return_stats=True, out=out and out[0])),
    "group_norm, one group": ("rcc", lambda x, weight, bias, out: lw.group_norm(
        x, 1, weight, bias, return_stats=True, out=out and out[0])),
    "group_norm_backward": ("rrc", lambda grad, x, weight, out: lw.group_norm_backward(
        grad, x, x.shape[1], weight, out=out and out[0])),
    "instance_norm_backward, statistics": ("rrcSS", with_statistics(lw.instance_norm_backward)),
}
EVERY = {**ALONG, **CHANNELS}
TWO_OUTPUTS = {"add_rms_norm"}
NO_OUT = {"logsumexp", "logsumexp, b", "cross_entropy", "cross_entropy, weighted", "nll_loss", "nll_loss, weighted"}


def operands(name, shape, dtype, seed=0):
    """Operands of a function as arrays, C-contiguous; those of 16 bits beside vectors of float32."""
    rng = np.random.default_rng(seed)
    dtype = oracles.dtype_named(dtype)
    vectors = np.float64 if dtype == np.float64 else np.float32
    made = {
        "r": lambda: rng.standard_normal(shape).astype(dtype),
        "v": lambda: rng.standard_normal(shape[-1]).astype(vectors),
        "h": lambda: rng.standard_normal(shape[-1] // 2).astype(vectors),
        "b": lambda: rng.random(shape) < 0.7,
        "c": lambda: rng.uniform(0.5, 2, shape[1]),
        "s": lambda: rng.uniform(0.5, 2, shape[0]),
        "S": lambda: rng.uniform(0.5, 2, shape[:2]),
        "t": lambda: rng.integers(0, shape[-1], shape[0]),
    }
    return [made[kind]() for kind in EVERY[name][0]]


def results(name, arrays, out=None):
    return EVERY[name][1](*arrays, out=out)


def bits(found):
    """What a function returned, in comparable form; a NaN is a NaN."""
    parts = [np.asarray(part) for part in found if part is not None]
    return [(part if part.dtype.kind in "biu" else np.where(part != part, part.dtype.type(np.nan), part)).tobytes()
            for part in parts]
