"""Every public function on operands that end, and operands that begin, at a page that may not be touched: a process
that reads or writes past one dies. Run by test_guard_pages.py, a dtype at a time.

    python guarded.py DTYPE
"""

import ctypes
import faulthandler
import inspect
import mmap
import sys

import along_axis
import lanewise as lw
import numpy as np
import oracles
from lanewise import evolution, genome, ieee754
from lanewise.functions import parametric
from lanewise.functions.table import FUNCTIONS

SIZE = 1 << 18
PAGE = mmap.PAGESIZE
LENGTHS = range(1, 71)
MANY = 17
PRODUCTS = ("linear", "linear_backward")  # of NumPy
protect = ctypes.CDLL(None, use_errno=True).mprotect
protect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]


class Guarded:
    """Memory between two pages that may not be touched."""

    def __init__(self):
        self.map = mmap.mmap(-1, SIZE + 2 * PAGE)
        self.bytes = np.frombuffer(self.map, np.uint8)[PAGE:-PAGE]
        start = self.bytes.ctypes.data
        for guard in (start - PAGE, start + SIZE):
            if protect(guard, PAGE, 0):
                raise OSError(ctypes.get_errno(), "mprotect")

    def place(self, array, at_end, layout):
        """A copy of an array in a layout, its last byte or its first beside a guard."""
        shape, strides, offset = array.shape, list(array.strides), 0
        if layout == "turned":  # the last axis comes first in memory
            strides = np.zeros((shape[-1], *shape[:-1]), array.dtype).strides
            strides = [*strides[1:], strides[0]]
        elif layout == "apart":
            strides = [3 * stride for stride in strides]
        size = sum((n - 1) * stride for n, stride in zip(shape, strides, strict=True)) + array.itemsize
        if layout == "backwards" and array.ndim:
            offset, strides[-1] = (shape[-1] - 1) * strides[-1], -strides[-1]
        start = SIZE - size if at_end else 0
        view = np.ndarray(shape, array.dtype, self.bytes.data, start + offset, strides)
        view[...] = array
        return view


POOL = [Guarded() for _ in range(10)]


def placed(arrays, at_end, layout, first=0):
    return [guard.place(array, at_end, layout) for guard, array in zip(POOL[first:], arrays, strict=False)]


def everywhere(call, arrays, result, bits=along_axis.bits):
    """Calls with operands and outputs beside guards; the results of all layouts have the same bits."""
    expected = None
    # an array of one axis lies in memory turned as it lies plain
    turned = ["turned"] if any(array.ndim > 1 for array in (*arrays, *result)) else []
    for layout in ("plain", "backwards", "apart", *turned):
        for at_end in (True, False):
            operands = placed(arrays, at_end, layout)
            outs = tuple(placed(result, at_end, layout, len(arrays)))
            found = bits(call(operands, outs))
            expected = expected or found
            assert found == expected, (layout, at_end)


def rows(dtype):
    for name in along_axis.EVERY:
        count = 0 if name in along_axis.NO_OUT else 2 if name in along_axis.TWO_OUTPUTS else 1
        for n in LENGTHS:
            # of some lengths as many rows as kernels take side by side, in every way, and one more
            several = MANY if n % 5 == 3 or n > 68 else 3
            shape = (several, n) if name in along_axis.ALONG else (several - 1, n) if n % 2 else (several - 1, 3, n)
            arrays = along_axis.operands(name, shape, dtype)
            main = arrays[along_axis.EVERY[name][0].index("r")]
            print(name, shape, flush=True)
            everywhere(lambda operands, outs, name=name: along_axis.results(name, operands, outs or None), arrays,
                       [np.zeros_like(main)] * count)


# Elementwise functions by name, and how many operands and outputs they have.
UFUNCS = {name: (function.nin, function.nout) for name, function in sorted(vars(lw).items())
          if isinstance(function, np.ufunc)}
# Functions with parameters: an operand each, here with a number for each element. Options are operands too, by keyword.
PARAMETRIC = {name: sum(parameter.kind is parameter.POSITIONAL_OR_KEYWORD and parameter.name != "out"
                        for parameter in inspect.signature(getattr(lw, name)).parameters.values())
              for name in parametric.__all__}
OPTIONS = {name: [*FUNCTIONS[name.removesuffix("_backward")].options] for name in parametric.__all__}


def as_tuple(found):
    return found if isinstance(found, tuple) else (found,)


def elements(dtype):
    for n in LENGTHS:
        for name, (operands, outputs) in UFUNCS.items():
            arrays = list(np.random.default_rng(n).uniform(0.1, 0.9, (operands, n)).astype(dtype))
            print(name, n, flush=True)
            everywhere(lambda given, outs, name=name: as_tuple(getattr(lw, name)(*given, out=outs)), arrays,
                       [np.zeros(n, dtype)] * outputs)
        for name, operands in PARAMETRIC.items():
            # in rising order, since one function has a lower end and an upper one
            arrays = list(np.sort(np.random.default_rng(n).uniform(0.1, 0.9, (operands, n)), axis=0).astype(dtype))
            print(name, n, flush=True)
            if name == "prelu_backward":
                everywhere(lambda given, outs: lw.prelu_backward(*given), arrays, [])
                continue
            everywhere(lambda given, outs, name=name: as_tuple(getattr(lw, name)(*given, out=outs[0])), arrays,
                       [np.zeros(n, dtype)])
            if OPTIONS[name]:
                arrays += [np.full(n, 0.5, dtype) for _ in OPTIONS[name]]
                everywhere(lambda given, outs, name=name, operands=operands: as_tuple(getattr(lw, name)(
                    *given[:operands], out=outs[0], **dict(zip(OPTIONS[name], given[operands:], strict=True)))),
                    arrays, [np.zeros(n, dtype)])
        gated = list(np.random.default_rng(n).uniform(0.1, 0.9, (6, n)).astype(dtype))
        for name, operands in (("swiglu", 2), ("swiglu_backward", 3)):
            print(name, n, flush=True)
            outputs = operands - 1
            everywhere(lambda given, outs, name=name: as_tuple(getattr(lw, name)(
                *given, out=tuple(outs) if len(outs) > 1 else outs[0])), gated[:operands],
                [np.zeros(n, dtype)] * outputs)
            everywhere(lambda given, outs, name=name, operands=operands: as_tuple(getattr(lw, name)(
                *given[:operands], out=tuple(outs) if len(outs) > 1 else outs[0],
                **dict(zip(("beta", "limit", "shift"), given[operands:], strict=True)))), gated[:operands + 3],
                [np.zeros(n, dtype)] * outputs)
        x, grad = np.random.default_rng(n).standard_normal((2, 3, 2 * n)).astype(dtype)
        print("glu", n, flush=True)
        everywhere(lambda given, outs: (lw.glu(*given, out=outs[0]),), [x], [np.zeros((3, n), dtype)])
        everywhere(lambda given, outs: (lw.glu_backward(*given, out=outs[0]),), [grad[:, :n].copy(), x],
                   [np.zeros_like(x)])


def of_genomes(n):
    """Functions of packed codes by name: their call, and its operands for n weights."""
    codes = np.random.default_rng(n).integers(0, 16, (3, n)).astype(np.uint8)
    weights = np.random.default_rng(n).standard_normal((3, n)).astype(np.float32)
    genomes = genome.pack(codes)
    scales = np.full((3, -(-n // 16)), 0.5, np.float32)
    yield from {
        "pack": (genome.pack, [codes]), "unpack": (lambda g: genome.unpack(g, n), [genomes]),
        "decode": (lambda g, s: genome.decode(g, genome.NF4, s, group=16, n_weights=n), [genomes, scales]),
        "encode": (lambda w, s: genome.encode(w, genome.NF4, s, group=16), [weights, scales]),
        "best_scale": (lambda w: genome.best_scale(w, group=16), [weights]),
        "mutate": (lambda g, rates: np.concatenate([genome.mutate(g, rates, 7, kind=kind, n_weights=n)
                                                    for kind in ("flip", "gray", "step", "redraw")]),
                   [genomes, np.array([0.1, 0.5, 0.9])]),
        "crossover": (lambda a, b: np.concatenate([child for kind in ("uniform", "bitwise", "one_point", "two_point")
                                                   for child in genome.crossover(a, b, 7, 2, kind=kind, n_weights=n)]),
                      [genomes, genomes[::-1].copy()]),
        "hamming_distance": (lambda a, b: genome.hamming_distance(a, b, "weights"), [genomes, genomes[::-1].copy()]),
        "diversity": (genome.diversity, [genomes]),
        "linear4": (lambda x, c, s, b: genome.linear4(x, c, scale=s, bias=b, group=16),
                    [weights[:2], genomes, scales, np.ones(3, np.float32)]),
        "linear4 int16": (lambda x, c, s, b: np.concatenate([genome.linear4(
            x, c, genome.NF4, s, b, group=16, offset=s, activations="int16") for x in (x, x[:1])]),
            [weights[:2], genomes, scales, np.ones(3, np.float32)]),
        **{f"linear4 of many {kind}": (lambda x, c, s, b, kind=kind: genome.linear4(
            x, c, genome.NF4, s, b, group=16, offset=s, activations=kind),
            [np.resize(weights, (7, n)), np.resize(genomes, (MANY, genomes.shape[1])),
             np.resize(scales, (MANY, scales.shape[1])), np.ones(MANY, np.float32)])
           for kind in ("float32", "int16", "int8") if n % 5 == 3},
    }.items()


def of_numbers(n):
    """Functions of lanewise.ieee754 by name: their call, and its operands for n numbers, of each format and dtype."""
    for format in ieee754.FORMATS:
        codes = np.random.default_rng(n).integers(0, 1 << min(format.width, 63), n).astype(format.code_dtype)
        numbers = np.random.default_rng(n).standard_normal(n).astype(np.float64 if format.width == 64 else np.float32)
        for name in ("decompose", "classify", "ulp", "next_up", "next_down", "is_exact_integer", "exponent_histogram"):
            yield name, (lambda c, name=name, format=format: getattr(ieee754, name)(c, format=format), [codes])
        yield "ulp_distance", (lambda a, b, format=format: ieee754.ulp_distance(a, b, format=format),
                               [codes, codes[::-1].copy()])
        yield "compose", (lambda *fields, format=format: ieee754.compose(*fields, format),
                          list(ieee754.decompose(codes, format=format)))
        yield "decode", (lambda c, format=format: ieee754.decode(c, format), [codes])
        yield "encode", (lambda x, format=format: ieee754.encode(x, format), [numbers])
        yield "rounding_error", (lambda x, format=format: ieee754.rounding_error(x, format), [numbers])
    yield "encode", (lambda x: ieee754.encode(x, "e5m2", rounding="stochastic", seed=1), [numbers.astype(np.float32)])
    for name in ("mxfp8_e4m3", "mxint8", "nvfp4"):
        for x in numbers.astype(np.float32), numbers.astype(np.float64):
            codes, scales, *_ = ieee754.mx_encode(x, name)
            yield "mx_encode", (lambda x, name=name: ieee754.mx_encode(x, name), [x])
            yield "mx_decode", (lambda codes, scales, name=name, dtype=x.dtype: ieee754.mx_decode(
                codes, scales, name, dtype=dtype), [codes, scales])
    yield "field_statistics", (lambda x: list(ieee754.field_statistics(x).classes.values()), [numbers])
    for dtype in oracles.DTYPES:
        x = np.random.default_rng(n).standard_normal(n).astype(oracles.dtype_named(dtype))
        yield "ulp", (ieee754.ulp, [x])
        yield "encode", (lambda x: ieee754.encode(x, "binary64" if x.dtype == np.float64 else "e4m3"), [x])


def of_networks(n):
    """Methods of a network by name: their call, and its operands for n inputs and n rows."""
    for objective in ("cross_entropy", "mse", "accuracy"):
        network = evolution.Network((n, 5, 3), "silu", objective=objective)
        x = np.random.default_rng(n).standard_normal((n, n)).astype(np.float32)
        population, y = genome.random_population(2, network.n_weights, 1), np.arange(n) % 3
        yield "Network.loss", (network.loss, [population, x, y])
        yield "Network.loss", (network.loss, [population, np.rint(4 * x), y])
    yield "Network.forward", (network.forward, [population, x])
    yield "Network.accuracy", (network.accuracy, [population, x, y])


def stepped(step):
    """A call of a function that updates its first arrays in place; they are its results."""
    def call(*arrays):
        step(*arrays)
        return arrays[0], *arrays[2:]
    return call


def of_learning(n):
    """Functions of learning by name: their call, and its operands for rows of n."""
    for dtype in (np.float32, np.float64):
        x, grad, weight, half = np.random.default_rng(n).uniform(0.1, 0.9, (4, 5, n)).astype(dtype)
        bias = np.ones(5, dtype)
        square = np.ascontiguousarray(grad[:, :1].repeat(5, axis=1))
        yield from {
            "linear": (lw.linear, [x, weight, bias]),
            "linear relu": (lambda x, weight, bias: lw.linear(x, weight, bias, activation="relu"), [x, weight, bias]),
            "linear_backward relu": (lambda grad, y, x, weight, bias: lw.linear_backward(
                grad, x, weight, bias, activation="relu", y=y), [square, square, x, weight, bias]),
            "linear_backward": (lw.linear_backward, [square, x, weight, bias]),
            "dropout": (lambda x: lw.dropout(x, 0.5, 5), [x]),
            "dropout_backward": (lambda grad: lw.dropout_backward(grad, 0.5, 5), [grad]),
            "sgd_step": (stepped(lambda x, grad, velocity: lw.sgd_step(x, grad, velocity, lr=0.1, momentum=0.9)),
                         [x, grad, half]),
            "adamw_step": (stepped(lambda *arrays: lw.adamw_step(*arrays, 1)), [x, grad, half, weight]),
            "clip_grad_norm": (lambda x: (lw.clip_grad_norm(x, 0.1), x), [x]),
            "reparameterize": (lambda mu, logvar: lw.reparameterize(mu, logvar, 5), [x, grad]),
            "reparameterize_backward": (lambda grad, logvar: lw.reparameterize_backward(grad, logvar, 5), [x, grad]),
            "kl_standard_normal": (lw.kl_standard_normal, [x, grad]),
            "kl_standard_normal_backward": (lw.kl_standard_normal_backward, [np.ones(5, dtype), x, grad]),
            "halting_distribution": (lw.halting_distribution, [x]),
            "ponder_loss": (lw.ponder_loss, [x, grad]),
            "ponder_loss_with_grad": (lw.ponder_loss_with_grad, [x, grad]),
            "ponder_loss_backward": (lambda x, losses: lw.ponder_loss_backward(1.0, x, losses), [x, grad]),
            "sample_halting": (lambda x: lw.sample_halting(x, 5), [x]),
            "act_halting": (lw.act_halting, [x]),
        }.items()


def of_pairs(n):
    """Losses of pairs of numbers by name, and tables for pairs: their call, and its operands for n pairs."""
    yield "rotary_tables", (lambda at: np.stack(lw.rotary_tables(at, 2 * n)), [np.arange(3.0)])
    for dtype in (np.float32, np.float64):
        x, target, grad = np.random.default_rng(n).uniform(0.1, 0.9, (3, 2, n)).astype(dtype)
        for name in ("mse", "l1", "huber", "binary_cross_entropy_with_logits"):
            yield name, (getattr(lw, name), [x, target])
            yield f"{name}_backward", (lambda grad, x, target, name=name: getattr(lw, f"{name}_backward")(
                grad, x, target, reduction="none"), [grad, x, target])


def of_formats(n):
    """Readers and writers of other libraries' four-bit weights by name: their call, and its operands."""
    formats, inputs = genome.formats, 256 * (1 + n % 3)
    codes = np.random.default_rng(n).integers(0, 256, (8, inputs // 2)).astype(np.uint8)
    for kind, book, leading in (
            ("mxfp4", genome.FLOAT4, ()), ("nvfp4", genome.FLOAT4, ()),
            *(("gguf", book, (kind,)) for kind, (_, _, book) in formats.GGUF.items()),
            ("bitsandbytes", genome.NF4, ("NF4",)), ("hqq", formats.UINT4, ()), ("mlx", formats.UINT4, ()),
            ("matmulnbits", formats.UINT4, ()), ("compressed_tensors", formats.INT4_OFFSET, ()),
            ("gptq", formats.UINT4, ()), ("awq", formats.UINT4, ())):
        write, read = getattr(formats, f"write_{kind}"), getattr(formats, f"read_{kind}")
        group = 16 if "nvfp4" in (kind, *map(str.lower, leading)) else 32
        scale = np.full((8, inputs // group), 0.5, np.float32)
        arrays = [codes, scale, -8 * scale] if book == formats.UINT4 else [codes, scale]
        packed = formats.Packed(codes, book, scale, *(arrays[2:] or [None]), group)
        last = {"hqq": [(8, inputs)], "bitsandbytes": [(8, inputs), 32]}.get(kind, [])

        def writing(codes, scale, offset=None, write=write, leading=leading, book=book, group=group):
            return write(*leading, formats.Packed(codes, book, scale, offset, group))

        def reading(*given, read=read, leading=leading, last=last):
            codes, _, scale, *rest = read(*leading, *given, *last)
            return codes, scale, *(array for array in rest if isinstance(array, np.ndarray))

        yield f"formats.write_{kind}", (writing, arrays)
        yield f"formats.read_{kind}", (reading, list(as_tuple(write(*leading, packed))))
    yield "formats.e8m0_scales", (formats.e8m0_scales, [codes & np.uint8(127)])
    yield "formats.e8m0_bytes", (formats.e8m0_bytes, [scale])


def shapes(arrays):
    """What is the same in all layouts of products of matrices: their sums are NumPy's, in an order of its own."""
    return [array.shape for array in arrays]


def codes_and_networks():
    for n in LENGTHS:
        for of in (of_genomes, of_numbers, of_networks, of_learning, of_pairs, *([of_formats] if n < 4 else [])):
            for name, (function, arrays) in of(n):
                print(name, n, flush=True)
                everywhere(lambda given, outs, function=function: as_tuple(function(*given)), arrays, [],
                           shapes if name.split()[0] in PRODUCTS else along_axis.bits)


def names():
    """The public functions that are tried here."""
    tried = {name.partition(",")[0] for name in along_axis.EVERY} | set(UFUNCS) | set(PARAMETRIC) | {
        "glu", "glu_backward", "swiglu", "swiglu_backward"}
    tried |= {f"genome.{name}" for of in (of_genomes, of_formats) for name, _ in of(3)}
    tried |= {f"ieee754.{name}" for name, _ in of_numbers(3)}
    return tried | {name for of in (of_networks, of_learning, of_pairs) for name, _ in of(3)}


if __name__ == "__main__":
    faulthandler.enable()
    wanted = oracles.dtype_named(sys.argv[1])
    rows(sys.argv[1])
    elements(wanted)
    if wanted == np.float32:
        codes_and_networks()
