"""The registry of works that can be timed: of each, what it is called, the shapes and dtypes it takes, how its inputs
are drawn, and who can do it. `lanewise bench`, `pytest bench` and the report all read it. Timing is benchmark.py's."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from ..bounds import BOUNDS
from ..functions.table import FUNCTIONS, GATES, usual
from . import asked_peers, axis_peers, code_peers, fresh_peers, learning_peers, onnx_peers, parameter_peers, peers
from .ulps import DTYPES, dtype_of

__all__ = ["LAYOUTS", "MOST_ELEMENTS", "ON_REQUEST", "PEERS", "SIZES", "USUAL_PEERS", "WORKS", "Work", "of_family",
           "parse_size"]

MOST_ELEMENTS = 1 << 40  # more than a machine has memory for: refused, and no reason to wait for the system to do it
_DIGITS = 20  # Python reads no number of some thousands
SIZES = {"L1": 1 << 12, "L2": 1 << 16, "memory": 1 << 24}  # where input and output of that many float32 stay
#: Everybody there can be beside a copy and this library.
PEERS = ("numpy", "scipy", "torch", "torch_compile", "onnxruntime", "mkl", "ml_dtypes", "numba", "simd_ml_kernels",
         "evotorch", "pygad")
#: Who is timed only where asked for by name, since compiling takes some seconds for each case; and all the others.
ON_REQUEST = ("torch_compile",)
USUAL_PEERS = tuple(name for name in PEERS if name not in ON_REQUEST)
#: How arrays lie and where results go. Strided inputs are every second element of an array twice as long; in place, the
#: input is copied to the place first, and that is timed too; "fresh" is a result that each call allocates.
LAYOUTS = ("contiguous", "strided", "in-place", "fresh")
_ROW = 1024  # elements of a row, where only their number is given
_LAYER = 256  # of what a linear layer takes and gives
_NETWORKS = 10
_MOST_EXAMPLES = 1 << 14


@dataclass(frozen=True)
class Work:
    """A named piece of work.

    Attributes
    ----------
    name, family : str
    draw : callable
        Of a shape, a dtype and a generator: the inputs, a list of arrays.
    field : mapping of str to callable
        Whoever can do it, by name: of the work, its inputs and a number of threads, a Contender.
    dtypes : tuple of str
    parameters : tuple
        What a call must give besides the inputs.
    values : tuple
        All parameters, those with defaults too, for whoever has other defaults.
    shaped : callable
        The shape that a mere number of elements becomes.
    count : callable
        How many elements a call of a shape has, which its time is divided by.
    least_rows : int
        Fewer are refused by the function itself.
    multiple : int
        What the length of a row must be a multiple of.
    exact : str or None
        Who computes, of the inputs in float64, what errors are counted from; None where results are codes.
    layouts : tuple of str
        Those of `LAYOUTS` that it is timed in.
    layout : str
        The one that inputs are drawn and contenders prepared for.
    """

    name: str
    family: str
    draw: Callable
    field: Mapping
    dtypes: tuple = DTYPES
    parameters: tuple = ()
    values: tuple = ()
    shaped: Callable = lambda n: (n,)
    count: Callable = math.prod
    least_rows: int = 1
    multiple: int = 1
    exact: str | None = "lanewise"
    layouts: tuple = LAYOUTS[:2]
    layout: str = LAYOUTS[0]

    def shape(self, size):
        """The shape that a size stands for: a number of elements, or a shape that the work takes."""
        shape = (size,) if np.isscalar(size) else tuple(size)
        wanted = self.shaped(math.prod(shape))
        return shape if len(shape) == len(wanted) or self.family == "elementwise" else wanted

    def refusal(self, size):
        """Why a size cannot be timed, in words that follow the work's name; None where it can."""
        shape = self.shape(size)
        if shape[0] < self.least_rows:
            return f"takes {self.least_rows} rows or more"
        return f"takes rows of a multiple of {self.multiple}" if shape[-1] % self.multiple else None

    def inputs(self, size, dtype="float32"):
        """Draw the inputs, the same numbers each time."""
        name = dtype if isinstance(dtype, str) else np.dtype(dtype).name
        drawn = self.draw(self.shape(size), dtype_of(name), np.random.default_rng(0))
        return list(map(_every_second, drawn)) if self.layout == "strided" else drawn


def _every_second(x):
    # the same numbers as a view of an array that is twice as long
    wide = np.zeros((*x.shape[:-1], 2 * x.shape[-1]), x.dtype)
    wide[..., ::2] = x
    return wide[..., ::2]


def parse_size(text):
    """A size as a person writes it: L1, L2, memory, a number of elements, or a shape such as 512x768."""
    if text in SIZES:
        return SIZES[text]
    parts = text.split("x")
    if len(parts) > 2 or not all(part.isascii() and part.isdecimal() and part.strip("0") for part in parts):
        raise ValueError(f"expected L1, L2, memory, a number of elements or a shape such as 512x768; got {text!r:.60}")
    if max(map(len, parts)) > _DIGITS or math.prod(map(int, parts)) > MOST_ELEMENTS:
        raise ValueError(f"expected at most {MOST_ELEMENTS} elements; got {text:.60}")
    return int(text) if len(parts) == 1 else tuple(map(int, parts))


_ELEMENTWISE = peers.PREPARE | fresh_peers.ELEMENTWISE | {"onnxruntime": onnx_peers.prepare_onnxruntime}
_DOMAINS = {"log": "positive", "log1p": "positive", "log1mexp": "positive"}


def _elementwise(name):
    forward, backward = name.removesuffix("_backward"), name.endswith("_backward")
    arity = 2 if backward or name in GATES else 1
    domain = forward if backward and FUNCTIONS[forward].takes == "y" else _DOMAINS.get(name, "real")

    def draw(shape, dtype, rng):
        x = rng.normal(0, 2, shape)
        x = {"real": x, "positive": np.exp(x), "sigmoid": 1 / (1 + np.exp(-x)), "tanh": np.tanh(x)}[domain]
        grad = [rng.normal(0, 1, shape)] if arity == 2 else []
        return [np.ascontiguousarray(operand.astype(dtype)) for operand in (*grad, x)]

    return Work(name, "elementwise", draw, _ELEMENTWISE, parameters=usual(name, required=True), values=usual(name),
                layouts=LAYOUTS)


def _rows(n):
    return max(1, n // _ROW), min(n, _ROW)


def _squares(n):
    return 1, 16 * max(1, math.isqrt(n) // 16)


def _halting(n):
    return max(1, n // learning_peers.STEPS), learning_peers.STEPS


def _features(n):
    return max(1, n // learning_peers.NETWORK[0]), learning_peers.NETWORK[0]


def _layer(n):
    return max(1, n // _LAYER), _LAYER


def _examples(n):
    return _NETWORKS, min(max(64, n // 64), _MOST_EXAMPLES)


def _dtypes(name, family):
    # steps would be rounded away in 16 bits
    if name in ("sgd_step", "adamw_step"):
        return "float32", "float64"
    if name.startswith("encode_") or (family == "learning" and name != "training_step"):
        return DTYPES
    return ("float32",)


def _registry():
    works = [_elementwise(name) for name in BOUNDS]
    along_axis = axis_peers.PREPARE | fresh_peers.AXIS
    works += [Work(name, "axis", draw, along_axis, shaped=_rows, least_rows=1 + (name == "batch_norm"),
                   layouts=LAYOUTS if name in axis_peers.PLACED else LAYOUTS[:2])
              for name, draw in axis_peers.DRAW.items()]
    works += [Work(name, entry.family, entry.draw, entry.field, shaped=_rows)
              for name, entry in {**asked_peers.ENTRIES, **parameter_peers.ENTRIES}.items()]
    products = ("linear4", "linear4_int16", "linear4_int8")
    shapes = {**dict.fromkeys(products, _squares), "population_loss": _examples, "training_step": _features,
              **dict.fromkeys(("linear", "linear_relu", "linear_relu_backward"), _layer),
              **dict.fromkeys(("halting_distribution", "ponder_loss", "ponder_loss_with_grad", "act_halting"),
                              _halting)}
    counts = dict.fromkeys(products, lambda shape: shape[0] * shape[1] ** 2)  # multiply-adds
    dense = dict.fromkeys((*products, "population_loss"), "numpy")  # this library's own take no float64
    works += [Work(name, entry.family, entry.draw, entry.field, _dtypes(name, entry.family),
                   shaped=shapes.get(name, _rows), count=counts.get(name, math.prod),
                   multiple=16 if name in products else 1, layouts=LAYOUTS[:1],
                   exact="lanewise" if entry.family == "learning" else dense.get(name))
              for name, entry in {**code_peers.ENTRIES, **learning_peers.ENTRIES}.items()]
    return {work.name: work for work in works}


WORKS = _registry()
# Works of other families that are timed with one: losses as they stand beside those with options.
_BESIDE = {"options": ("cross_entropy", "cross_entropy_with_grad", "softmax_where", "logsumexp_factors",
                       "normalize_cubes", "binary_cross_entropy_weighted", "masked_softmax", "masked_softmax_backward",
                       "rotary_embedding", "rotary_embedding_backward")}


def of_family(family):
    """The works that are timed where a family is asked for, by their names."""
    return {name: work for name, work in WORKS.items() if work.family == family} | {
        name: WORKS[name] for name in _BESIDE.get(family, ())}
