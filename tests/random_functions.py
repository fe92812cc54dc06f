"""Every public function, class and method by name, found by walking the public names of all modules, so that a new one
cannot be forgotten; and the table of random_arguments.py that has its parameters. random_calls.py calls them.
"""

import inspect
import types

import lanewise as lw
import numpy as np
from lanewise import embedding, evolution, genome, ieee754
from lanewise.genome import formats
from lanewise.learning import layers
from random_arguments import ALONG, CHANNELS, FIELDS, GENOMES, LEARNING, RUNS, Case, _option

# what calls return or raise, and nobody makes
RESULTS = {"CheckpointError", "Description", "EvolutionResult", "FieldStatistics", "FitnessError", "FloatClass",
           "FloatLoss", "Format", "GradientFlow", "Signature", "State"}


def modules():
    """Every public module of functions that compute, by the path that leads to it from `lanewise`."""
    found, left = {}, {"": lw}
    while left:
        path, module = left.popitem()
        if module in found.values():
            continue
        found[path] = module
        for name in module.__all__:
            value = getattr(module, name)
            if isinstance(value, types.ModuleType) and value is not lw.bounds:
                left[f"{path}.{name}".removeprefix(".")] = value
    return found


# objects whose methods are called

def _classifier(case):
    numbers = case.rng.standard_normal((2, case.network.sizes[0]))
    classes = np.array(list("abcdefgh"))[:case.network.sizes[-1]] if case.chance(0.7) else None
    return evolution.Classifier(case.network, genome.random_population(1, case.network.n_weights, 1)[0], classes,
                                *numbers)


def _size(case):
    return case.shape[-1] if case.shape else 3


def _activation(case):
    return layers.Activation(case.one_of(["relu", "sigmoid", "gelu", "elu", "softplus", "tanh"]))


def _linear(case):
    return layers.Linear(_size(case), _size(case), 1, bias=case.chance(0.5), input_grad=case.chance(0.8),
                         dtype=case.one_of(["f", "d"]))


LAYERS_MADE = {
    layers.Activation: _activation, layers.Linear: _linear,
    layers.BatchNorm: lambda case: layers.BatchNorm(case.shape[1] if len(case.shape) > 1 else 3),
    layers.Dropout: lambda case: layers.Dropout(case.one_of([0.0, 0.5, 1]), 7),
    layers.Layer: lambda case: layers.Layer(),
    layers.LayerNorm: lambda case: layers.LayerNorm(_size(case), dtype=case.one_of(["f", "d"])),
    layers.RMSNorm: lambda case: layers.RMSNorm(_size(case), dtype=case.one_of(["f", "d"])),
    layers.Residual: lambda case: layers.Residual(_linear(case), _activation(case)),
    layers.Sequential: lambda case: layers.Sequential(_linear(case), _activation(case), _linear(case)),
    layers.SwiGLU: lambda case: layers.SwiGLU(_size(case), 5, np.random.default_rng(1), dtype=case.one_of(["f", "d"])),
}


def _layer(case):
    return case.one_of(list(LAYERS_MADE.values()))(case)


def _after_a_forward(make):
    # a layer whose backward has something to go back to, mostly
    def made(case):
        layer = make(case)
        if hasattr(layer, "forward") and case.chance(0.9):
            x = case.rng.standard_normal(case.shape if case.shape else (2, 3))
            if not (isinstance(layer, layers.BatchNorm) and x.ndim < 2):
                layer.forward(x.astype(case.one_of(["f", "d"])))
        return layer
    return made


def _packed_for(case, kind):
    # a matrix that the format of this name can hold
    books = {"mxfp4": genome.FLOAT4, "nvfp4": genome.FLOAT4,
             "bitsandbytes": case.one_of([genome.NF4, formats.FP4]), "hqq": formats.UINT4,
             "compressed_tensors": formats.INT4_OFFSET,
             "matmulnbits": case.one_of([formats.INT4_OFFSET, formats.UINT4])}
    book = books.get(kind, formats.UINT4)
    if kind == "gguf":
        case.kind = case.one_of(list(formats.GGUF))
        book = formats.GGUF[case.kind][2]
    elif kind == "bitsandbytes":
        case.kind = book.name
    outputs, inputs = case.one_of([8, 16]), case.one_of([256, 512])
    group = 16 if "nvfp4" in (kind, kind == "gguf" and case.kind.lower()) else 32
    codes = case.rng.integers(0, 16, (outputs, inputs)).astype(np.uint8)
    scale = np.exp2(case.rng.integers(-3, 4, (outputs, 1))).astype(np.float32).repeat(inputs // group, axis=1)
    offset = -case.rng.integers(1, 15, scale.shape).astype(np.float32) * scale if book == formats.UINT4 else None
    return formats.Packed(genome.pack(codes), book, scale, offset, group)


def _packed(case):
    # what some format can hold, or what a caller may have put together
    made = _packed_for(case, case.one_of(["mxfp4", "nvfp4", "gguf", "bitsandbytes", "hqq", "matmulnbits", "mlx"]))
    if case.chance(0.7):
        return made
    role = case.one_of(list(formats.Packed._fields))
    value = getattr(made, role)
    other = case.layout(value) if isinstance(value, np.ndarray) and case.chance(0.5) else case.anything()
    return made._replace(**{role: other})


def _read(kind):
    # parameters of a reader: what its writer made, in some layout, and now and then something else
    write, read = getattr(formats, f"write_{kind}"), getattr(formats, f"read_{kind}")
    own = [name for name in inspect.signature(read).parameters
           if name not in ("kind", "shape", "blocksize", "zeros_less_one", "multiplier", "divisor")]

    def made(case, place):
        if not hasattr(case, "written"):
            case.packed = _packed_for(case, kind)
            given = (case.kind, case.packed) if "kind" in inspect.signature(write).parameters else (case.packed,)
            found = write(*given)
            case.written = found if isinstance(found, tuple) else (found,)
        array = case.written[place]
        if array is None:
            return None
        if case.chance(0.2):  # any bits of the same dtype
            array = np.frombuffer(case.rng.bytes(array.nbytes), array.dtype).reshape(array.shape).copy()
        return case.layout(array) if case.chance(0.8) else case.array(array.shape, array.dtype)

    def matrix(case):
        codes = case.packed.codes
        return case.one_of([(len(codes), 2 * codes.shape[1]), (2, 3), (0, 0), (-1, -1)])

    return {name: lambda case, place=place: made(case, place) for place, name in enumerate(own)} | {
        "kind": lambda case: getattr(case, "kind", case.one_of(["NF4", "Q4_K", "no"])), "shape": matrix,
        "blocksize": _option(32, 32, 32, 64, 0, -16), "zeros_less_one": _option(True, False),
        "multiplier": _option(None, None, 1.0, 0.3, 0), "divisor": _option(None, None, 1.0, 3.0, -1)}


WRITERS = {"packed": _packed, "kind": _option(*formats.GGUF, "NF4", "FP4", "no"),
           "zeros_less_one": _option(True, False), "multiplier": _option(None, None, 1.0, 0.5),
           "divisor": _option(None, None, 1.0, 2.0),
           "scale": lambda case: case.array(case.shape, "f"), "exponents": lambda case: case.array(case.shape, "u1")}
LAYERS = LEARNING | {
    "inputs": _size, "outputs": _size, "size": _size, "hidden": _option(1, 5, 0), "bias": _option(True, False),
    "input_grad": _option(True, False), "layers": _layer, "path": Case.path, "p": _option(0.0, 0.5, 1, 2),
    "init": _option(lw.he_normal, lw.xavier_uniform, lambda shape, rng, gain, dtype: np.zeros(shape, dtype),
                    lambda *given, **more: None),
    "name": _option("relu", "elu", "hardtanh", "swiglu", "no"), "gain": _option("relu", 1.0, 0.5, 2, "no"),
    "parameters": lambda case: case.one_of([{}, {}, {"alpha": case.one_of([0.5, 1, 2.0])}, {"beta": 1.0},
                                            {"no": case.anything()}, {"out": case.row()}]),
}
NAMES = {"name": _option("silu_float32", "layer_norm_float64", "silu", "no")}
FORMAT = FIELDS | {"size": _option(0, 1, 0.5, 2**70, np.inf), "negative": _option(True, False),
                   "code": _option(0, 1, 7, 255, 2**16), "value": _option(0, 1, 7, 255, 2**16)}
OBJECTS = {
    evolution.Network: (lambda case: case.network, RUNS), evolution.Classifier: (_classifier, RUNS),
    formats.Packed: (_packed, GENOMES), ieee754.Format: (lambda case: case.one_of(list(ieee754.FORMATS)), FORMAT),
    **{kind: (_after_a_forward(make), LAYERS) for kind, make in LAYERS_MADE.items()},
}


def _table(path, name):
    if path == "genome.formats":
        return _read(name.removeprefix("read_")) if name.startswith("read_") else WRITERS | GENOMES | {
            role: WRITERS[role] for role in ("packed", "scale")}
    if path in ("layers", "embedding"):
        return LAYERS if path == "layers" else NAMES
    if name.startswith(("batch_norm", "group_norm", "instance_norm")):
        return CHANNELS
    if name in embedding.__all__:
        return NAMES
    if name in lw.learning.__all__:
        return LEARNING
    return {"ieee754": FIELDS, "genome": RUNS if name == "Codebook" else GENOMES, "evolution": RUNS}.get(path, ALONG)


def classes():
    """Every public class by name."""
    return {name: value for module in modules().values() for name in module.__all__
            if isinstance(value := getattr(module, name), type)}


def functions():
    """Every public function by name: how a case gets it, whose signature tells its parameters, and their table."""
    found, seen = {}, set()
    for path, module in sorted(modules().items()):
        for name in module.__all__:
            value = getattr(module, name)
            if not callable(value) or name in RESULTS or id(value) in seen:
                continue
            seen.add(id(value))
            found[f"{path}.{name}".removeprefix(".")] = (lambda case, value=value: value, value, _table(path, name))
    for kind, (make, table) in OBJECTS.items():
        for name, method in inspect.getmembers(kind, inspect.isroutine):
            if not name.startswith("_") and hasattr(method, "__code__"):
                found[f"{kind.__name__}.{name}"] = (
                    lambda case, name=name, make=make: getattr(make(case), name), method, table)
    return found
