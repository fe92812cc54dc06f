"""Arguments for random_calls.py: by the name of a parameter something that may be right, and now and then anything."""

import decimal
import fractions
import inspect

import lanewise as lw
import ml_dtypes
import numpy as np

FLOATS = ["e", "f", "d", ml_dtypes.bfloat16]
DTYPES = [*FLOATS, "g", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?", "F", "D", "O", "U3", "S2", "M8[s]",
          "m8[s]", "V5", "i4,f8", ml_dtypes.float8_e4m3fn, ml_dtypes.float8_e5m2, ml_dtypes.float8_e8m0fnu,
          ml_dtypes.int4, ml_dtypes.uint4, ml_dtypes.float4_e2m1fn]
LENGTHS = [0, 1, 2, 3, 4, 5, 7, 8, 9, 16, 17, 33, 70]
LARGEST = 100_000  # elements, which a list of them makes slow
CODEBOOKS = [lw.genome.LOG4, lw.genome.NF4, lw.genome.INT4, lw.genome.FLOAT4, lw.genome.Codebook(range(16))]


class Subclass(np.ndarray):
    """An array that is not exactly an ndarray."""


class Foreign:
    """An array of another library."""

    shape, ndim = (2, 3), 2
    dtype = np.dtype("f")

    def __array__(self, dtype=None, copy=None):
        return np.ones((2, 3), np.float32)


class Case:
    """The random choices of one call: one shape, one dtype and one axis that most of its arguments share."""

    def __init__(self, seed, number):
        self.rng = np.random.default_rng([seed, number])
        self.shape = tuple(self.one_of(LENGTHS) for _ in range(self.one_of([0, 1, 1, 2, 2, 2, 3, 3, 4])))
        while np.prod(self.shape, dtype=int) > LARGEST:
            self.shape = self.shape[1:]
        self.dtype = self.one_of(FLOATS)
        self.axis = int(self.rng.integers(len(self.shape))) if self.shape else 0
        self.arrays = []
        sizes = tuple(int(n) for n in self.rng.integers(1, 9, self.one_of([2, 2, 3])))
        self.network = lw.evolution.Network(sizes, self.one_of(list(lw.evolution.network.ACTIVATIONS)),
                                            self.one_of(CODEBOOKS), self.one_of(["cross_entropy", "mse", "accuracy"]))
        self.n_weights = self.network.n_weights if self.chance(0.5) else self.one_of(LENGTHS)

    def chance(self, p):
        return self.rng.random() < p

    def one_of(self, choices):
        return choices[self.rng.integers(len(choices))]

    def numbers(self, shape, dtype):
        """An array of a dtype: usual numbers, whole ones, extreme ones or anything."""
        dtype = np.dtype(dtype)
        size = int(np.prod(shape, dtype=int))
        if dtype.kind == "f" or dtype in (ml_dtypes.bfloat16,):
            info = ml_dtypes.finfo(dtype)
            fill = self.one_of(["usual"] * 5 + ["whole", "largest", "tiny", "special"])
            values = self.rng.standard_normal(size).astype(dtype)
            if fill == "whole":
                values = self.rng.integers(-5, 6, size).astype(dtype)
            elif fill != "usual":
                of = {"largest": [info.max, -info.max], "tiny": [info.smallest_subnormal, -info.tiny, info.tiny],
                      "special": [np.nan, np.inf, -np.inf, -0.0, 0.0, 1.0]}[fill]
                values = np.array(of, dtype)[self.rng.integers(len(of), size=size)]
        elif dtype.kind in "OUSMm":
            values = self.rng.integers(0, 99, size).astype(dtype if dtype.kind != "M" else "i8").astype(dtype)
        else:
            data = self.rng.bytes(size * dtype.itemsize)
            if dtype.kind == "b":
                data = bytes(byte & 1 for byte in data)
            values = np.frombuffer(data, dtype).copy()
            if dtype.kind in "iu" and self.chance(0.7):
                values = (values % 7).astype(dtype)
        return values.reshape(shape)

    def layout(self, values):
        """The same numbers in other memory, of another class or as something else than an array."""
        how = self.one_of(["plain"] * 8 + ["apart", "backwards", "turned", "unaligned", "read-only", "swapped",
                                           "subclass", "masked", "list", "view"])
        if how == "apart":
            wide = np.zeros((*values.shape, 3), values.dtype)
            wide[..., 1] = values
            values = wide[..., 1]
        elif how == "backwards" and values.ndim:
            values = values[..., ::-1].copy()[..., ::-1]
        elif how == "turned":
            values = values.T.copy().T
        elif how == "unaligned" and values.dtype.kind != "O":
            room = np.zeros(values.nbytes + 1, np.uint8)
            moved = room[1:].view(values.dtype).reshape(values.shape)
            moved[...] = values
            values = moved
        elif how == "read-only":
            values.flags.writeable = False
        elif how == "swapped" and values.dtype.kind in "iufc":
            values = values.astype(values.dtype.newbyteorder())
        elif how == "subclass":
            values = values.view(Subclass)
        elif how == "masked":
            values = np.ma.array(values, mask=self.rng.random(values.shape) < 0.3)
        elif how == "list":
            return values.tolist() if values.dtype.kind != "V" else values
        elif how == "view" and self.arrays:  # over the memory of another argument
            other = self.one_of(self.arrays).view(np.ndarray)
            if other.nbytes >= values.nbytes > 0 and other.flags.c_contiguous and not values.dtype.hasobject and (
                    not other.dtype.hasobject):
                return other.reshape(-1).view(np.uint8)[:values.nbytes].view(values.dtype).reshape(values.shape)
        return values

    def array(self, shape, dtype=None):
        dtype = self.dtype if dtype is None else dtype
        if self.chance(0.08):
            dtype = self.one_of(DTYPES)
        if self.chance(0.04):
            shape = tuple(self.one_of(LENGTHS) for _ in range(self.rng.integers(4)))
        values = self.layout(self.numbers(shape, dtype))
        if isinstance(values, np.ndarray):
            self.arrays.append(values)
            if values.ndim == 0 and self.chance(0.5):
                return values[()]
        return values

    def anything(self):
        return self.one_of([
            None, True, "a", "", b"x", object(), 1j, np.nan, np.inf, -1, 0, 1, 2, 0.5, -0.0, 2**31, 2**63, 2**64,
            2**200, 10**400, -2**70, 1e300, decimal.Decimal("1.5"), fractions.Fraction(1, 3), [], (),
            [[1.0], [1.0, 2.0]], [None], {}, {1: 2}, {3}, lambda *given, **named: None, np.float64,
            np.float64(2), np.int8(3), np.str_("b"), Ellipsis, slice(3),
            np.array(["a"]), np.array(None), np.ma.masked, Foreign(), range(3), "mean", [1, 2, 3], np.array([1.0, 2.0]),
            np.zeros((0, 3)), np.array(2.5), np.array(2), memoryview(b"abc"), np.bool_(True), np.datetime64(1, "s"),
            [1, "a"], [[]], [object()], np.zeros((1,) * 40),
        ])

    # what stands for a parameter

    def row(self):
        return self.array(self.shape)

    def vector(self):
        # a number for each element of a row, or for each channel
        return None if self.chance(0.3) else self.array(self.shape[self.axis:self.axis + 1])

    def channel(self):
        return None if self.chance(0.3) else self.array(self.shape[1:2], self.one_of([self.dtype, "d", "f"]))

    def statistic(self):
        return None if self.chance(0.3) else self.array(self.shape[:self.axis] + self.shape[self.axis + 1:], "d")

    def out(self):
        if self.chance(0.5):
            return None
        found = self.one_of(self.arrays) if self.arrays and self.chance(0.4) else self.array(self.shape)
        return (found, None) if self.chance(0.1) else found

    def classes(self, shape):
        return self.layout(self.rng.integers(0, max((*self.shape[-1:], 1)), shape).astype(self.one_of("ilhBIL")))

    def genomes(self, rows=None):
        rows = self.one_of([1, 2, 5, 0]) if rows is None else rows
        return self.array((rows, (self.n_weights + 1) // 2), "u1")

    def path(self):
        return self.one_of([None, "run.npz", "no/such/folder.npz", ".", "", b"run.npz", "other.npz"])

    def rate(self):
        return self.one_of([0, 1, 0.1, 0.5, (0.3, 0.1), "adaptive", lambda progress: 0.2, lambda progress: None,
                            self.array((self.one_of([1, 2, 5]),), "d")])

    def format(self):
        return self.one_of([None, *lw.ieee754.FORMATS, "binary16", "e4m3", "int4", "uint2", "mxfp4", "mxint8", "nvfp4"])


def _numbers_of(case):
    return case.one_of([0.0, 0.1, 1.0, 1e-5, 0.5, 1, 2, 1e300, 5e-324, 1e-300, np.float32(0.25)])


def _count(*some):
    return lambda case: case.one_of([*some, *range(4)])


def _option(*names):
    return lambda case: case.one_of(names)


def _batch(case):
    rows = case.one_of([0, 1, 3, 64, 70])
    if case.chance(0.3):
        return case.network.batch(np.ones((rows, case.network.sizes[0])), np.zeros(rows, int))
    return case.array((rows, case.network.sizes[0]), case.one_of(["f", "d", "u1"]))


def _targets(case):
    rows = case.one_of([0, 1, 3, 64, 70])
    if case.chance(0.3):
        return case.array((rows, case.network.sizes[-1]), "f")
    return case.one_of([None, case.layout(case.rng.integers(0, case.network.sizes[-1], rows))])


def _offsets(case):
    return case.one_of([None, 0.25, case.array((1,), "f"), case.array((3, 1), "f")])


ALONG = {
    **dict.fromkeys(("x", "y", "grad", "residual", "logits", "gate", "up", "a"), Case.row),
    **dict.fromkeys(("mean", "rstd"), Case.statistic), "weight": Case.vector, "bias": Case.vector, "out": Case.out,
    **dict.fromkeys(("eps", "momentum", "label_smoothing", "z_loss", "alpha", "lambd", "min_val", "max_val", "beta",
                     "negative_slope", "threshold", "value", "gamma", "limit", "shift"), _numbers_of),
    "axis": lambda case: case.one_of([case.axis, -1, 0, case.axis - len(case.shape), 1, np.int8(0), None, (0, -1), ()]),
    "where": lambda case: case.one_of([None, True, case.rng.random(case.shape) < 0.5, case.rng.random() < 0.5]),
    **dict.fromkeys(("keepdims", "safe", "return_sign", "use_input_stats"), _option(True, False)),
    **dict.fromkeys(("b", "pos_weight"), lambda case: case.one_of([None, case.row(), case.vector(), 0.5])),
    "target": lambda case: case.classes(case.shape[:-1]), "reduction": _option("mean", "sum", "none"),
    "ignore_index": _option(None, None, 0, -100, 2**70),
    "p": _option(1, 2, 1.0, 2.0, 3, 0, np.inf, -np.inf, -1.5), "algorithm": _option("shifted", "two_pass", "one_pass"),
    "training": _option(True, False), "return_stats": _option(True, False), "num_groups": _count(8, 16, 33),
    "n": _count(1, 2), "mode": _option("stdout", "dicts"), "delta": _numbers_of, "scale": _numbers_of,
    "mask": lambda case: case.one_of([None, case.rng.random(case.shape) < 0.5, case.row(), case.vector()]),
    "causal": _option(True, False), "offset": _count(1, 5), "interleaved": _option(True, False), "base": _numbers_of,
    "positions": lambda case: case.array(case.shape[:-1], "i8"), "dtype": _option("f", "d", "e"),
    **dict.fromkeys(("cos", "sin"), lambda case: case.array((case.shape[-1] // 2 if case.shape else 1,), "f")),
}
CHANNELS = {**ALONG, **dict.fromkeys(("weight", "bias", "mean", "rstd", "running_mean", "running_var"), Case.channel)}
KEYWORDS = {"where": lambda case: case.one_of([True, case.rng.random(case.shape) < 0.5, 1]), "out": Case.out,
            "dtype": lambda case: case.one_of([*FLOATS, None]),
            "casting": _option("same_kind", "unsafe", "no"), "order": _option("C", "F", "K"),
            "subok": _option(True, False)}
FIELDS = {
    "axis": ALONG["axis"],
    **dict.fromkeys(("x", "codes", "a", "b", "packed_codes", "sign", "exponent", "mantissa"), lambda case: case.array(
        case.shape, case.one_of([case.dtype, "u1", "u2", "u4", "u8", "i8", "e"]))),
    "format": Case.format, "formats": lambda case: case.one_of([None, [Case.format(case)], ["binary16"], []]),
    "dtype": _option(None, "f", "d", "e"),
    "rounding": _option("nearest", "half_away", "zero", "odd", "up", "down", "stochastic"),
    "overflow": _option("ieee", "saturate"), "seed": lambda case: case.one_of([None, 0, 7, np.random.default_rng(1)]),
    "packed": lambda case: case.one_of([True, False, False]), "n": lambda case: case.one_of([None, None, 1, 2, 7]),
    "value": _option(0.1, 1, "0.1", "2**-3", "nan", "1/3", np.float16(3), np.inf, decimal.Decimal("0.1"),
                     np.longdouble(2)),
    "text": _option("0.1", "-1e-3", "1/0", "0x1p3", "2**9", "inf", "1e999999", ""),
    "name": _option("binary16", "float32", "e4m3", "no"), "tensor_scale": _option(None, None, 1.0, 0.0),
    "scales": lambda case: case.array((*case.shape[:-1], 1), "u1"),
}
GENOMES = {
    **dict.fromkeys(("genomes", "a", "b", "population"), Case.genomes), "rate": Case.rate,
    "rng": lambda case: case.one_of([0, 1, 2**64 - 1, np.random.default_rng(3), np.int64(4)]),
    "out": lambda case: case.one_of([None, *case.arrays, case.genomes()]),
    "kind": _option("flip", "gray", "step", "redraw", "uniform", "bitwise", "one_point", "two_point"),
    "codebook": lambda case: case.one_of(CODEBOOKS), "n_weights": lambda case: case.one_of([None, case.n_weights]),
    "generation": _count(2**32 - 1), "first": _count(2**32 - 1), "children": _count(), "size": _count(5, 70),
    "scale": lambda case: case.one_of([1.0, 0.5, case.array((1,), "f"), case.array((3, 1), "f"), 1e-40]),
    "group": lambda case: case.one_of([None, 16, 32, 3, 2**40]), "offset": _offsets, "unit": _option("bits", "weights"),
    "weights": lambda case: case.array(case.one_of([(case.n_weights,), (3, case.n_weights)]), "f"),
    "codes": lambda case: case.array((3, (case.n_weights + 1) // 2), "u1"), "packed": Case.genomes,
    "x": lambda case: case.array((2, case.n_weights), "f"),
    "bias": lambda case: case.one_of([None, case.array((3,), "f")]),
    "activations": _option("float32", "int16", "int8", "no"),
}
RUNS = {
    **GENOMES, "network": lambda case: case.network, "x": _batch, "y": _targets,
    "sizes": lambda case: case.one_of([(3, 2), [4, 5, 6], case.network.sizes]), "levels": lambda case: range(16),
    "activation": _option("relu", "tanh", "silu", "gelu", "elu", "no"), "name": _option("custom", "a"),
    "objective": _option("cross_entropy", "mse", "accuracy"), "goal": _option(None, "mse", "accuracy", "cross_entropy"),
    "population": _count(5, 9, 20), "elite": _count(), "parents": lambda case: case.one_of([None, 1, 2, 5]),
    "tournament": _count(), "mutation": _option("flip", "gray", "step", "redraw"), "mutation_rate": Case.rate,
    "crossover": _option("uniform", "bitwise", "one_point", "two_point", None),
    "niche_radius": _option(0.0, 0.5, 1, 2.0),
    "batch_size": _option(None, 64, 128), "generations": _count(1, 2), "seconds": _option(None, 0.01, 0, 1e-9),
    "target_loss": _option(None, 0.0, 1.0, -np.inf), "patience": _option(None, 1, 2), "restart_after": _option(None, 1),
    "seed": lambda case: case.one_of([0, 5, np.random.default_rng(2)]), "islands": _count(1), "migration": _count(1, 2),
    "executor": lambda case: None, "checkpoint": Case.path,
    "resume": lambda case: case.path() if case.chance(0.3) else None,
    "held_out": lambda case: case.one_of([None, (_batch(case), _targets(case)), _batch(case)]),
    "callback": lambda case: case.one_of([None, lambda state: False, lambda state: True]), "progress": _option(False),
    "fitness": lambda case: case.one_of([
        lambda w: float(w.sum()), lambda w: None, lambda w: w.sum(-1), lambda w: np.nan, lambda w: "a", lambda w: w,
        lambda w: [1.0] * len(w), lambda w: 1j]),
    "n_weights": _count(5, 16, 33), "vectorized": _option(True, False), "scale": _numbers_of, "path": Case.path,
    "genome": lambda case: case.array((case.network.genome_bytes,), "u1"),
    "classes": lambda case: case.one_of([None, np.arange(case.network.sizes[-1]), list("abcdefgh")]),
    **dict.fromkeys(("offset", "target_offset", "target_scale"), _numbers_of), "per": _option("output", "layer", "no"),
    "features": _option(None, ["a", "b", "c"]), "label": _option(None, "price"),
    "start": lambda case: case.one_of([None, case.array((2, case.network.genome_bytes), "u1")]),
    "scales": lambda case: None, "biases": lambda case: None,
}
LEARNING = {
    **ALONG, **dict.fromkeys(("param", "first", "second", "h", "grad_cost", "grad_weights", "step_losses", "mu",
                              "logvar"), Case.row),
    **dict.fromkeys(("prior", "gain", "lr", "dampening", "weight_decay", "max_norm", "momentum", "eps"), _numbers_of),
    **dict.fromkeys(("return_key", "log", "grad_x", "nesterov", "error_if_nonfinite", "return_eps"),
                    _option(True, False)),
    "p": _option(0.0, 0.5, 0.9, 1), "rng": GENOMES["rng"], "generation": _count(5, 2**32 - 1),
    "velocity": lambda case: case.one_of([None, case.row()]), "grads": lambda case: [case.row(), case.row()],
    "norm_type": _option(2.0, 1, 2, np.inf), "betas": _option((0.9, 0.999), (0, 0)), "step": _count(1, 2, 100),
    "steps": lambda case: case.array(case.shape[:-1], "i8"), "weight": lambda case: case.array((3, *case.shape[-1:])),
    "shape": _option((3, 4), (2, 3, 4), (5,)), "mode": _option("fan_in", "fan_out"), "dtype": _option("f", "d"),
    "depth": _count(3), "width": _count(5, 8), "batch": _count(4), "activation": _option("tanh", "relu", "no"),
    "norm": _option(None, "layer_norm", "no"), "init": _option("xavier_uniform", "he_normal", "no"),
    "inputs": lambda case: case.one_of([None, case.array((4, 8), "f")]),
}


def _of_a_ufunc(case, p):
    keywords = {name: make(case) for name, make in KEYWORDS.items() if case.chance(p)}
    if keywords.get("out") is None:  # NumPy warns of numbers that nobody has written
        keywords.pop("where", None)
    return keywords


def arguments(case, signature_of, table):
    """Positional and keyword arguments of a call."""
    if isinstance(signature_of, np.ufunc):
        given = [case.anything() if case.chance(0.05) else case.row() for _ in range(signature_of.nin)]
        keywords = _of_a_ufunc(case, 0.1)
        if "out" in keywords and signature_of.nout > 1 and isinstance(keywords["out"], np.ndarray):
            keywords["out"] = keywords["out"], case.row()
        return given, keywords
    given, keywords = [], {}
    parameters = [p for name, p in inspect.signature(signature_of).parameters.items() if name != "self"]
    junk = case.rng.integers(len(parameters) * 4 or 1)  # one in four calls has one argument that is anything
    for k, parameter in enumerate(parameters):
        if parameter.kind is parameter.VAR_KEYWORD:
            keywords = (table[parameter.name](case) if parameter.name in table else _of_a_ufunc(case, 0.05)) | keywords
            continue
        if parameter.kind is parameter.VAR_POSITIONAL:
            given += [table[parameter.name](case) for _ in range(case.one_of([0, 1, 2, 2, 3]))]
            continue
        optional = parameter.default is not parameter.empty
        if optional and junk != k and case.chance(0.5) and parameter.name not in ("generations", "population"):
            continue
        value = case.anything() if junk == k else table[parameter.name](case)
        if junk == k and parameter.name in ("seconds", "generations", "islands", "migration", "progress", "executor"):
            value = case.one_of([None, "a", -1, 0.5, [], True, 1, 1j, object()])  # a run has to end
        if parameter.kind is parameter.POSITIONAL_OR_KEYWORD and not optional:
            given.append(value)
        else:
            keywords[parameter.name] = value
    return given, keywords
