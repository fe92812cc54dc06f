"""A digest of every function along an axis, of genomes, networks and formats, as JSON: equal wherever the bits are.
hashes.py has the ufuncs; test_same_bits.py runs both for each level, aarch64/run on either architecture."""

import json

import lanewise as lw
import ml_dtypes
import numpy as np
from hashes import digest

SHAPES = [(5, 1), (9, 7), (4, 16), (7, 100), (6, 768), (2, 5000), (1, 40000), (21, 33)]
DTYPES = [np.float16, ml_dtypes.bfloat16, np.float32, np.float64]


def layouts(x):
    """The same numbers C-ordered, as columns, and two elements apart."""
    apart = np.empty((*x.shape[:-1], 2 * x.shape[-1]), x.dtype)
    apart[..., ::2] = x
    return {"rows": x, "columns": np.asfortranarray(x), "apart": apart[..., ::2]}


def row_functions(x, grad, weight, bias, target):
    """Every function along the last axis, with operands that fit one another."""
    positive = np.abs(weight) + weight.dtype.type(0.5)
    yield "rms_norm", lw.rms_norm(x, weight, return_stats=True)
    yield "rms_norm plain", lw.rms_norm(x)
    yield "layer_norm", lw.layer_norm(x, weight, bias, return_stats=True)
    yield "layer_norm plain", lw.layer_norm(x)
    yield "layer_norm two_pass", lw.layer_norm(x, weight, bias, algorithm="two_pass")
    yield "layer_norm one_pass", lw.layer_norm(x, weight, bias, algorithm="one_pass")
    yield "rms_norm_backward", lw.rms_norm_backward(grad, x, weight)
    yield "layer_norm_backward", lw.layer_norm_backward(grad, x, weight, bias)
    yield "layer_norm_backward plain", lw.layer_norm_backward(grad, x)[0]
    yield "add_rms_norm", lw.add_rms_norm(x, grad, weight)
    for p in (1, 2):
        yield f"normalize {p}", lw.normalize(x, p)
        yield f"normalize_backward {p}", lw.normalize_backward(grad, x, p)
    y = lw.softmax(x)
    yield "softmax", y
    yield "softmin", lw.softmin(x)
    yield "log_softmax", lw.log_softmax(x)
    yield "logsumexp", lw.logsumexp(x)
    yield "logsumexp factors", lw.logsumexp(x, b=np.abs(grad))
    yield "logsumexp factors of both signs", lw.logsumexp(x, b=grad, return_sign=True)
    yield "softmax_backward", lw.softmax_backward(grad, y)
    yield "softmin_backward", lw.softmin_backward(grad, y)
    yield "masked_softmax causal", lw.masked_softmax(x, scale=0.3, causal=True, offset=x.shape[-1] // 2)
    yield "masked_softmax where", lw.masked_softmax(x, grad > 0, 0.3)
    yield "masked_softmax plus", lw.masked_softmax(x, grad, 0.3)
    yield "masked_softmax_backward", lw.masked_softmax_backward(grad, y, 0.3)
    cos, sin = lw.rotary_tables(np.arange(len(x)), x.shape[-1] // 2 * 2)
    yield "rotary_tables", (cos, sin)
    for interleaved in False, True:
        yield f"rotary_embedding {interleaved}", lw.rotary_embedding(x, cos, sin, interleaved=interleaved)
        yield f"rotary_embedding_backward {interleaved}", lw.rotary_embedding_backward(
            grad, cos, sin, interleaved=interleaved)
    yield "log_softmax_backward", lw.log_softmax_backward(grad, lw.log_softmax(x))
    yield "logsumexp_backward", lw.logsumexp_backward(grad[..., 0].copy(), x)
    yield "cross_entropy", lw.cross_entropy(x, target, label_smoothing=0.1, z_loss=1e-3, reduction="none")
    yield "cross_entropy_with_grad", lw.cross_entropy_with_grad(x, target)
    yield "softmax first axis", lw.softmax(x, 0)
    yield "softmax_backward first axis", lw.softmax_backward(grad, y, 0)
    yield "log_softmax first axis", lw.log_softmax(x, 0)
    yield "log_softmax_backward first axis", lw.log_softmax_backward(grad, -np.abs(y), 0)
    yield "logsumexp first axis", lw.logsumexp(x, 0)
    yield "cross_entropy_with_grad first axis", lw.cross_entropy_with_grad(
        x, np.arange(x.shape[-1]) % len(x), axis=0, label_smoothing=0.1, z_loss=1e-3, reduction="none")
    if len(x) == 1:
        return  # nothing to take a variance of
    mean, rstd = x.mean(0, dtype=np.float64), 1 / np.sqrt(x.var(0, dtype=np.float64) + 1e-5)
    yield "batch_norm", lw.batch_norm(x, weight=weight, bias=bias, training=True)
    yield "batch_norm inference", lw.batch_norm(x, bias.astype(np.float64), positive.astype(np.float64), weight, bias)
    for training in (True, False):
        yield f"batch_norm_backward {training}", lw.batch_norm_backward(
            grad, x, weight, mean=mean, rstd=rstd, training=training)


def image_functions(x, grad, weight, bias):
    """Those of (examples, channels, ...)."""
    mean, rstd = x.mean((0, 2), dtype=np.float64), 1 / np.sqrt(x.var((0, 2), dtype=np.float64) + 1e-5)
    yield "batch_norm images", lw.batch_norm(x, weight=weight, bias=bias, training=True)
    yield "batch_norm_backward images", lw.batch_norm_backward(grad, x, weight, mean=mean, rstd=rstd, training=True)
    yield "group_norm", lw.group_norm(x, 3, weight, bias)
    yield "group_norm_backward", lw.group_norm_backward(grad, x, 3, weight)
    yield "instance_norm", lw.instance_norm(x, weight, bias)
    yield "instance_norm_backward", lw.instance_norm_backward(grad, x, weight)


def genome_functions(rng):
    x = rng.normal(0, 1, (150, 24)).astype(np.float32)
    pixels = rng.integers(0, 17, (150, 24)).astype(np.float32) / 16
    genomes = lw.genome.random_population(9, 1001, 7)
    yield "random_population", genomes
    yield "mutate flip", lw.genome.mutate(genomes, 0.05, 3)
    yield "mutate step", lw.genome.mutate(genomes, 0.05, 3, kind="step")
    yield "crossover", lw.genome.crossover(genomes[:4], genomes[4:8], 5)
    yield "hamming_distance", lw.genome.hamming_distance(genomes[:4], genomes[4:8])
    yield "diversity", np.float64(lw.genome.diversity(genomes))
    for name in ("LOG4", "INT4", "NF4", "FLOAT4"):
        codebook = getattr(lw.genome, name)
        yield f"decode {name}", lw.genome.decode(genomes, codebook, 0.37)
        yield f"best_scale {name}", np.asarray(lw.genome.best_scale(x, codebook))
        yield f"linear4 {name}", lw.genome.linear4(x, lw.genome.encode(x[:40], codebook), codebook, 0.3)
        for kind in ("int16", "int8"):
            yield f"linear4 {name} {kind}", lw.genome.linear4(x, lw.genome.encode(x[:40], codebook), codebook, 0.3,
                                                              activations=kind)
        network = lw.evolution.Network((24, 13, 5), "silu", codebook)
        population = lw.genome.random_population(6, network.n_weights, 1)
        for kind, inputs in (("floats", x), ("pixels", pixels)):
            yield f"loss {name} {kind}", network.loss(population, inputs, np.arange(150) % 5)
            yield f"forward {name} {kind}", network.forward(population, inputs)


def format_functions(rng):
    x = rng.normal(0, 1, 5000) * 2.0 ** rng.integers(-140, 130, 5000)
    for dtype in (np.float32, np.float64):
        for name in ("BFLOAT16", "FLOAT8_E4M3FN", "FLOAT8_E5M2", "FLOAT6_E2M3FN", "FLOAT4_E2M1FN"):
            if hasattr(lw.ieee754, name):
                codes = lw.ieee754.encode(x.astype(dtype), getattr(lw.ieee754, name))
                yield f"encode {name} {np.dtype(dtype)}", codes
                yield f"decode {name} {np.dtype(dtype)}", lw.ieee754.decode(
                    codes, getattr(lw.ieee754, name), dtype=dtype)


def main():
    found = {}
    np.seterr(all="ignore")
    for shape in SHAPES:
        for dtype in DTYPES:
            rng = np.random.default_rng(shape[1])
            spread = 10.0 ** rng.integers(-4, 5, (shape[0], 1))
            numbers = [rng.normal(0, spread if k < 1 else 1, shape).astype(dtype) for k in range(2)]
            weight, bias = (rng.normal(0, 1, shape[1]).astype(dtype) for _ in range(2))
            target = rng.integers(0, shape[1], shape[0])
            for layout, x in layouts(numbers[0]).items():
                grad = layouts(numbers[1])[layout]
                for name, result in row_functions(x, grad, weight, bias, target):
                    found[f"{name} {shape} {np.dtype(dtype)} {layout}"] = digest(result)
    for dtype in DTYPES:
        rng = np.random.default_rng(5)
        x, grad = (rng.normal(3, 2, (4, 6, 35)).astype(dtype) for _ in range(2))
        weight, bias = (rng.normal(0, 1, 6).astype(dtype) for _ in range(2))
        for name, result in image_functions(x, grad, weight, bias):
            found[f"{name} {np.dtype(dtype)}"] = digest(result)
    for name, result in [*genome_functions(rng), *format_functions(rng)]:
        found[name] = digest(result)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
