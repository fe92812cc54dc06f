"""The contenders of a benchmark of codes: formats rounded into and read, packed 4-bit weights, genomes and populations;
beside NumPy's and ml_dtypes' casts, what users of NumPy write and PyTorch."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise

import numpy as np

from .fresh_peers import prepare_evotorch, prepare_pygad
from .onnx_peers import onnx_matmul4
from .peers import Contender, UnavailableError, prepare_copy, tensor_of, torch_here, torch_result

__all__ = ["ENTRIES", "Entry", "entry_of", "ours"]

_LAYERS = (64, 32, 10)
_RATE = 0.015


@dataclass(frozen=True)
class Entry:
    """How a work of this file is drawn, and who can do it."""

    family: str
    draw: Callable
    field: Mapping


def entry_of(family, draw, lanewise, *, more=0, **others):
    """An entry: whoever is given takes the inputs and a number of threads, and returns what is to be called. `more` is
    how many arrays like the first input are read or written besides what is given and returned."""
    def prepare(name, calls, work, inputs, threads):
        call = calls(inputs, threads)
        contender = Contender.keeping(name, call, np.asarray, inputs)
        return replace(contender, moved=contender.moved + more * inputs[0].nbytes)

    calls = {"lanewise": lanewise, **others}
    field = {"copy": prepare_copy, **{name: partial(prepare, name, each) for name, each in calls.items()}}
    return Entry(family, draw, field)


def _numbers(shape, dtype, rng):
    return [rng.standard_normal(shape).astype(dtype)]


def ours(function):
    """The call of a function of this library, which `function` takes and returns what the inputs are given to."""
    def calls(inputs, threads):
        import lanewise as lw

        lw.set_num_threads(threads)
        return partial(function(lw), *inputs)

    return calls


def _ml_dtype(name):
    if name == "binary16":
        return np.dtype(np.float16)
    try:
        import ml_dtypes
    except ImportError:
        raise UnavailableError("not installed") from None
    return np.dtype(getattr(ml_dtypes, name))


def _format_entries(name):
    from ..ieee754 import format_named

    format, peer = format_named(name), "numpy" if name == "binary16" else "ml_dtypes"

    def codes(shape, dtype, rng):
        from .. import ieee754

        return [ieee754.encode(*_numbers(shape, dtype, rng), format)]

    def encode(lw):
        return lambda x: lw.ieee754.encode(x, format)

    def decode(lw):
        return lambda found: lw.ieee754.decode(found, format)

    def cast(inputs, threads):
        dtype = _ml_dtype(name)
        return lambda: inputs[0].astype(dtype).view(format.code_dtype)

    def cast_back(inputs, threads):
        numbers = inputs[0].view(_ml_dtype(name))
        return lambda: numbers.astype(np.float32)

    yield f"encode_{name}", entry_of("ieee754", _numbers, ours(encode), **{peer: cast})
    yield f"decode_{name}", entry_of("ieee754", codes, ours(decode), **{peer: cast_back})


def _block_entries(name, element):
    # blocks of 32 with a power of two each, beside NumPy's scaling and ml_dtypes' cast, and PyTorch's of both
    from ..ieee754 import format_named

    format = format_named(element)

    def blocks(shape, dtype, rng):
        return [rng.standard_normal((shape[0], -(-shape[1] // 32) * 32)).astype(dtype)]

    def coded(shape, dtype, rng):
        from .. import ieee754

        return list(ieee754.mx_encode(*blocks(shape, dtype, rng), name))

    def composed(inputs, threads):
        x, dtype = inputs[0].reshape(-1, 32), _ml_dtype(element)

        def call():
            power = np.frexp(np.abs(x).max(-1, keepdims=True))[1] - 1 - format.largest_exponent
            scaled = np.clip(np.ldexp(x, -power), -format.largest, format.largest)
            return scaled.astype(dtype).view(np.uint8).reshape(inputs[0].shape)

        return call

    def torch(inputs, threads):
        library = torch_here(threads)
        x, largest = tensor_of(library, inputs[0]).reshape(-1, 32), format.largest

        def call():
            power = library.frexp(x.abs().amax(-1, keepdim=True)).exponent - 1 - format.largest_exponent
            scaled = library.ldexp(x, -power).clamp_(-largest, largest).to(getattr(library, element))
            return scaled.view(library.uint8).numpy().reshape(inputs[0].shape)

        return call

    def read(inputs, threads):
        codes, scales = inputs[0].reshape(-1, 32).view(_ml_dtype(element)), inputs[1].reshape(-1, 1)

        def call():
            numbers = np.ldexp(codes.astype(np.float32), scales.astype(np.int32) - 127)
            return numbers.reshape(inputs[0].shape)

        return call

    others = {"ml_dtypes": composed} | ({"torch": torch} if element.startswith("float8") else {})
    yield f"mx_encode_{name}", entry_of("ieee754", blocks, ours(
        lambda lw: lambda x: lw.ieee754.mx_encode(x, name)[0]), **others)
    yield f"mx_decode_{name}", entry_of("ieee754", coded, ours(
        lambda lw: lambda codes, scales: lw.ieee754.mx_decode(codes, scales, name)), ml_dtypes=read)


def _nvfp4_entry():
    # blocks of 16, whose scales in E4M3 are of the array's own; with those of the array and of its blocks given back
    def blocks(shape, dtype, rng):
        return [rng.standard_normal((shape[0], -(-shape[1] // 16) * 16)).astype(dtype)]

    def composed(inputs, threads):
        x, small, narrow = inputs[0].reshape(-1, 16), _ml_dtype("float4_e2m1fn"), _ml_dtype("float8_e4m3fn")

        def call():
            largest = np.abs(x).max(-1, keepdims=True)
            scale = largest.max() / np.float32(2688)
            scales = np.clip(largest / np.float32(6) / scale, 0.015625, 448).astype(narrow).astype(np.float32)
            return np.clip(x / (scales * scale), -6, 6).astype(small).view(np.uint8).reshape(inputs[0].shape)

        return call

    return entry_of("ieee754", blocks, ours(lambda lw: lambda x: lw.ieee754.mx_encode(x, "nvfp4")[0]),
                    ml_dtypes=composed)


def _genomes(count):
    def draw(shape, dtype, rng):
        return [rng.integers(0, 256, (shape[0], max(1, shape[1] // 2)), np.uint8) for _ in range(count)]

    return draw


def _numpy_decode(inputs, threads):
    from ..genome import LOG4

    genomes = inputs[0]
    return lambda: LOG4.levels[np.stack([genomes & 15, genomes >> 4], axis=-1).reshape(len(genomes), -1)]


def _numpy_encode(inputs, threads):
    from ..genome import LOG4

    order = np.argsort(LOG4.levels)
    middles = (LOG4.levels[order][1:] + LOG4.levels[order][:-1]) / 2

    def encode():
        codes = order.astype(np.uint8)[np.searchsorted(middles, inputs[0])]
        return codes[..., ::2] | codes[..., 1::2] << 4

    return encode


def _numpy_distance(inputs, threads):
    return lambda: np.bitwise_count(inputs[0] ^ inputs[1]).sum(axis=1, dtype=np.intp)


def _other_numbers(inputs, threads):
    raise UnavailableError("draws other random numbers")


def _weights4(shape, dtype, rng):
    rows, size = shape
    return [rng.standard_normal((rows, size)).astype(dtype), rng.integers(0, 256, (size, size // 2), np.uint8)]


def _whole_weights4(shape, dtype, rng):
    # activations that int8 holds exactly, in blocks and in rows: each sixteenth is the largest
    rows, size = shape
    x = rng.integers(-127, 128, (rows, size)).astype(dtype)
    x[:, ::16] = 127
    scales = rng.uniform(0.5, 2, (size, size // _block(size))).astype(np.float32)
    return [x, rng.integers(0, 256, (size, size // 2), np.uint8), scales]


def _block(size):
    return 64 if size % 64 == 0 else 16


def _our_whole_products(kind):
    def function(lw):
        linear4, codebook = lw.genome.linear4, lw.genome.INT4

        def product(x, codes, scales):
            return linear4(x, codes, codebook, scales, group=_block(x.shape[1]), activations=kind)

        return product

    return ours(function)


def _prepare_matmul4(work, inputs, threads):
    x, codes, scales = inputs
    return onnx_matmul4(x, codes, scales, _block(x.shape[1]), threads)


def _dense(inputs):
    from .. import genome

    if len(inputs) == 2:
        return inputs[0], genome.decode(inputs[1])
    x, codes, scales = inputs
    return x, genome.decode(codes, genome.INT4, scales.astype(np.float32), group=_block(x.shape[1]))


def _numpy_linear(inputs, threads):
    x, weights = _dense(inputs)
    return partial(np.matmul, x, weights.T)


def _torch_linear(inputs, threads):
    torch = torch_here(threads)
    x, weights = (tensor_of(torch, operand) for operand in _dense(inputs))

    def run():
        with torch.inference_mode():
            return torch_result(torch.nn.functional.linear(x, weights))

    return run


def _network(inputs):
    from ..evolution.network import Network

    network = Network(_LAYERS)
    return network, inputs[1], inputs[0], inputs[2]


def _population(shape, dtype, rng):
    count, examples = shape
    weights = sum(a * b for a, b in pairwise(_LAYERS))
    return [rng.standard_normal((examples, _LAYERS[0])).astype(dtype),
            rng.integers(0, 256, (count, weights // 2), np.uint8), rng.integers(0, _LAYERS[-1], examples)]


def _our_population(inputs, threads):
    import lanewise as lw

    lw.set_num_threads(threads)
    network, population, x, y = _network(inputs)
    return partial(network.loss, population, network.batch(x, y))


def _layers(inputs):
    # each layer's weights of all networks, in float32
    from .. import genome

    weights, used = genome.decode(inputs[1]), 0
    for width, outputs in pairwise(_LAYERS):
        yield weights[:, used:used + width * outputs].reshape(-1, outputs, width)
        used += width * outputs


def _numpy_population(inputs, threads):
    x, _, y = inputs
    first, second = (layer.transpose(0, 2, 1) for layer in _layers(inputs))

    def losses():
        z = np.matmul(np.maximum(np.matmul(x, first), 0), second)
        z = z - z.max(axis=2, keepdims=True)
        return (np.log(np.exp(z).sum(axis=2)) - z[:, np.arange(len(y)), y]).mean(axis=1)

    return losses


def _torch_losses(torch, inputs):
    # of the weights of all networks, a row each
    def losses(weights):
        first, second = (part.reshape(len(weights), outputs, width).transpose(1, 2) for part, (width, outputs) in zip(
            weights.split([a * b for a, b in pairwise(_LAYERS)], dim=1), pairwise(_LAYERS), strict=True))
        x, y = (torch.from_numpy(each).expand(len(weights), *each.shape) for each in (inputs[0], inputs[2]))
        z = torch.bmm(torch.relu(torch.bmm(x, first)), second)
        return torch.nn.functional.cross_entropy(z.transpose(1, 2), y, reduction="none").mean(1)

    return losses


def _torch_population(inputs, threads):
    from .. import genome

    torch = torch_here(threads)
    losses, weights = _torch_losses(torch, inputs), torch.from_numpy(genome.decode(inputs[1]))

    def run():
        with torch.inference_mode():
            return torch_result(losses(weights))

    return run


def _evotorch_population(work, inputs, threads):
    from .. import genome

    return prepare_evotorch(_torch_losses(torch_here(threads), inputs), genome.decode(inputs[1]), inputs, threads)


def _pygad_population(work, inputs, threads):
    from .. import genome

    x, _, y = inputs
    places = np.arange(len(y))

    def loss(weights):
        (width, hidden, outputs), used = _LAYERS, _LAYERS[0] * _LAYERS[1]
        first, second = weights[:used].reshape(hidden, width), weights[used:].reshape(outputs, hidden)
        z = np.maximum(x @ first.T, 0) @ second.T
        z = z - z.max(axis=1, keepdims=True)
        return (np.log(np.exp(z).sum(axis=1)) - z[places, y]).mean()

    return prepare_pygad(loss, genome.decode(inputs[1]), inputs, threads)


def _entries():
    for name in ("bfloat16", "binary16", "float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz",
                 "float8_e4m3", "float8_e3m4", "float6_e2m3fn", "float4_e2m1fn"):
        yield from _format_entries(name)
    for name, element in (("mxfp8_e4m3", "float8_e4m3fn"), ("mxfp8_e5m2", "float8_e5m2"), ("mxfp4", "float4_e2m1fn")):
        yield from _block_entries(name, element)
    yield "mx_encode_nvfp4", _nvfp4_entry()
    others_draw = dict.fromkeys(("numpy", "torch", "evotorch", "pygad"), _other_numbers)
    genome = {
        "genome_decode": (_genomes(1), lambda lw: lw.genome.decode, {"numpy": _numpy_decode}),
        "genome_encode": (_even, lambda lw: lw.genome.encode, {"numpy": _numpy_encode}),
        "hamming_distance": (_genomes(2), lambda lw: lw.genome.hamming_distance, {"numpy": _numpy_distance}),
        "mutate": (_genomes(1), lambda lw: lambda genomes: lw.genome.mutate(genomes, _RATE, 1), others_draw),
        "crossover": (_genomes(2), lambda lw: lambda a, b: lw.genome.crossover(a, b, 1), others_draw),
    }
    for name, (draw, function, others) in genome.items():
        yield name, entry_of("genome", draw, ours(function), **others)
    yield "linear4", entry_of("genome", _weights4, ours(lambda lw: lw.genome.linear4), torch=_torch_linear,
                            numpy=_numpy_linear)
    for kind in ("int16", "int8"):
        entry = entry_of("genome", _whole_weights4, _our_whole_products(kind), torch=_torch_linear, numpy=_numpy_linear)
        entry.field["onnxruntime"] = _prepare_matmul4
        yield f"linear4_{kind}", entry
    entry = entry_of("population", _population, _our_population, numpy=_numpy_population, torch=_torch_population)
    yield "population_loss", Entry(entry.family, entry.draw, entry.field | {
        "evotorch": _evotorch_population, "pygad": _pygad_population})


def _even(shape, dtype, rng):
    # two codes a byte: an even number to a row
    return _numbers((shape[0], max(2, shape[1] // 2 * 2)), dtype, rng)


ENTRIES = dict(_entries())
