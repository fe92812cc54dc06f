"""Measuring the accuracy contract: the error of every function in ULP of the exact result, over samples or over all
inputs of a dtype. What is exact is oracles.py's, what is allowed bounds.py's, what an error is ulps.py's; printing is
cli/accuracy.py's."""

import collections
import functools
import math
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from ..bounds import bound
from ..kernels import ulps as _kernels
from . import oracles
from .ulps import DIGITS, DTYPES, LEAST, MOST, dtype_of, errors

__all__ = ["DTYPES", "Accuracy", "chunks", "computed", "count_chunks", "dtype_of", "errors", "measure"]

_CHUNK = 1 << 14  # elements: a chunk's float64 arrays are small enough for malloc to keep, not to map anew
_STEP = 1009  # a sample of float32 takes every bit pattern of this many: a prime, so that all low bits occur
_TURNS = {"float16": 9, "bfloat16": 9}  # of a backward: so many gradients an input, the first of them 1; else two
_BINS = 32  # of the histogram, an eighth of an ULP each; the last holds what is beyond
_PER_ULP = 8

_POINTS = (0.0, 0.5, 1.0, 2.0, 3.0, 6.0, 0.25, math.pi, math.e, math.log(2), math.sqrt(0.5))
_ROOTS = (1.2784645427610738, 0.7517915246935645, 0.7524614220710162, 1.192431219, 1.5)  # of slopes
_WORST = (  # where runs over all of float32 found the largest errors
    5.938982963562012, 0.24972432851791382, 0.24922293424606323, 81.4618148803711, 5.890780448913574, 0.703119695186615)
_ENDS = (  # where a function reaches its limit in some dtype
    5.5, 8.3, 9.1, 14.6, 16.6, 17.3, 18.7, 20.0, 26.6, 37.0, 39.0, 40.0, 87.3, 88.7, 103.97, 110.0, 708.4, 709.8, 745.1)


@dataclass
class Accuracy:
    """What was measured of one function in one dtype.

    Attributes
    ----------
    function, dtype : str
    largest : float
        The largest error, in ULP of the exact result.
    at : tuple of float
        The operands where it occurs.
    inputs : int
        How many were tried.
    counts : ndarray of int64
        A histogram of the errors, eight bins an ULP; the last holds all beyond.
    """

    function: str
    dtype: str
    largest: float = 0.0
    at: tuple = ()
    inputs: int = 0
    counts: np.ndarray = field(default_factory=lambda: np.zeros(_BINS, np.int64))

    @property
    def bound(self):
        """What the contract allows."""
        return bound(self.function, self.dtype)

    @property
    def correctly_rounded(self):
        """The share of inputs whose error is below half an ULP."""
        return self.counts[:_PER_ULP // 2].sum() / max(1, self.inputs)

    @classmethod
    def of(cls, function, dtype, found, operands):
        """Count the errors found for some operands."""
        counts = np.zeros(_BINS, np.int64)
        worst = _kernels.count(found, _PER_ULP, counts)
        return cls(function, dtype, float(found[worst]), tuple(float(operand[worst]) for operand in operands),
                   found.size, counts)

    def add(self, other):
        """Take in what was found for other operands."""
        if other.inputs and (other.largest > self.largest or not self.inputs):
            self.largest, self.at = other.largest, other.at
        self.counts += other.counts
        self.inputs += other.inputs


def neighbourhoods(dtype, reach):
    """Numbers of a dtype, `reach` to each side of every place where formulas change or cancel; and the subnormals'."""
    dtype = dtype_of(dtype)
    points = np.array([*_POINTS, *_ROOTS, *_WORST, *_ENDS])
    codes = np.concatenate([points, -points]).astype(dtype).view(f"i{dtype.itemsize}").astype(np.int64)
    steps = np.arange(-reach, reach + 1)
    codes = np.concatenate([(codes[:, None] + steps).ravel(), *_extremes(dtype, reach)])
    x = codes.astype(f"i{dtype.itemsize}").view(dtype)
    with np.errstate(invalid="ignore"):
        return x[np.isfinite(x)]


def _extremes(dtype, reach):
    # codes about the smallest normal number and the largest, of both signs; zero's own are among the points
    name = dtype.name
    sign = -(1 << (8 * dtype.itemsize - 1))
    normal = 1 << (DIGITS[name] - 1)
    largest = (2 * MOST[name] + 1) * normal - 1
    positive = np.concatenate([np.arange(reach), np.arange(-reach, reach) + normal, largest - np.arange(reach)])
    return positive, positive + sign


def adversarial(dtype, reach, per_scale):
    """Neighbourhoods, and random numbers of every scale."""
    rng = np.random.default_rng(0)
    least, most = LEAST[dtype] - DIGITS[dtype], min(MOST[dtype], 1000)
    scales = np.repeat(np.arange(least, most, 16 if dtype == "float64" else 4), per_scale)
    x = np.ldexp(rng.uniform(1, 2, scales.size), scales) * rng.choice([-1, 1], scales.size)
    usual = [rng.normal(0, scale, 40 * per_scale) for scale in (0.1, 1, 5, 20)]
    return np.concatenate([neighbourhoods(dtype, reach), np.concatenate([x, *usual]).astype(dtype_of(dtype))])


def chunks(function, dtype, exhaustive=False, step=_STEP):
    """The operands to try, chunk by chunk, with what they are to be computed with: (operands, parameters).

    Sixteen bits are always tried whole; float32 whole where `exhaustive`, else one of `step` bit patterns. A backward
    is given a gradient of 1, then gradients of every scale.
    """
    oracle, backward = oracles.of_function(function), function.endswith("_backward")
    low, high = oracle.slope_domain if backward else oracle.domain
    for parameters in oracle.parameters:
        for turn in range(_TURNS.get(dtype, 2) if backward else 1):
            for k, x in enumerate(_numbers(dtype, exhaustive, step)):
                # a gradient of 1 that is multiplied by `up` is as any other
                one = turn == 0 and (oracle.gated is None or parameters == (1.0,))
                least = low if one else max(low, oracle.normal_slope_from[dtype == "float64"])
                x = _within(x, least if backward else low, high)
                yield ((_grads(dtype, x.size, turn, k), x) if backward else (x,)), parameters


def _within(x, low, high):
    with np.errstate(invalid="ignore", over="ignore"):  # of a signalling NaN, and of an end beyond the dtype
        keep = np.isfinite(x) & (x >= low) & (x <= high)
    return x if keep.all() else x[keep]


def count_chunks(function, dtype, exhaustive=False):
    """How many chunks there are."""
    turns = _TURNS.get(dtype, 2) if function.endswith("_backward") else 1
    codes = 1 << 8 * dtype_of(dtype).itemsize
    sampled = {"float64": 1, "float32": 2 + codes // _STEP // _CHUNK}
    arrays = codes // _CHUNK if exhaustive and dtype == "float32" else sampled.get(dtype, codes // _CHUNK)
    return turns * len(oracles.of_function(function).parameters) * arrays


def _numbers(dtype, exhaustive, step):
    size = dtype_of(dtype).itemsize
    if dtype == "float64":
        yield adversarial(dtype, 12, 4)
    elif size == 2 or exhaustive:
        for start in range(0, 1 << 8 * size, _CHUNK):
            yield np.arange(start, start + _CHUNK, dtype=np.uint64).astype(f"u{size}").view(dtype_of(dtype))
    else:
        yield from _sample_of_float32(step)


@functools.lru_cache(1)  # 17 MB, asked for by each function
def _sample_of_float32(step):
    near, everywhere = neighbourhoods("float32", 500), np.arange(0, 1 << 32, step, dtype=np.uint64).astype(np.uint32)
    near.flags.writeable = everywhere.flags.writeable = False
    return *np.array_split(near, 2), *np.array_split(everywhere.view(np.float32), everywhere.size // _CHUNK)


def _grads(dtype, n, turn, chunk):
    dtype = dtype_of(dtype)
    if turn == 0:
        return np.ones(n, dtype)
    rng = np.random.default_rng((turn, chunk))
    usual = rng.normal(0, 1, _CHUNK // 8).astype(dtype)
    any_bits = rng.integers(0, 256, _CHUNK // 8 * dtype.itemsize, dtype=np.uint8).view(dtype)
    with np.errstate(invalid="ignore"):  # of a signalling NaN
        grads = np.concatenate([usual, any_bits[np.isfinite(any_bits)]])
    return np.resize(rng.permutation(grads), n)


def measure(function, dtype, exhaustive=False, threads=None, progress=None, step=_STEP):
    """Measure one function in one dtype.

    Parameters
    ----------
    function : str
        A name in BOUNDS or in GATE_BOUNDS.
    dtype : str
        One of DTYPES.
    exhaustive : bool
        Whether to try every float32; float64 is then trusted to say what is exact, as it is itself checked in mpmath.
    threads : int, optional
        How many chunks to work on at a time; as many as there are CPUs, if not given.
    progress : callable, optional
        Called after every chunk, of which there are `count_chunks`.
    step : int, optional
        Of how many bit patterns of float32 one is tried where not all are: a prime, so that all low bits occur.

    Returns
    -------
    Accuracy
    """
    import lanewise

    exact = oracles.exact(function)
    wide = oracles.caller(function) if exhaustive and dtype == "float32" else oracles.wide(function)
    found = Accuracy(function, dtype)

    def try_chunk(chunk):
        operands, parameters = chunk
        here = Accuracy(function, dtype)
        if not operands[0].size:
            return here
        narrow = _held(function, dtype, parameters)
        results = computed(function, dtype, operands, parameters)
        if dtype == "float64":
            by_element = (_several(exact(*each, *map(float, narrow))) for each in zip(*operands, strict=True))
            errors_of = [errors(y, expected, dtype)
                         for y, expected in zip(results, zip(*by_element, strict=True), strict=True)]
        else:
            with np.errstate(all="ignore"):
                widened = [operand.astype(np.float64) for operand in operands]
                errors_of = [errors(y, np.asarray(expected, np.float64), dtype) for y, expected in zip(
                    results, _several(wide(*widened, *map(float, narrow))), strict=True)]
        for each in errors_of:
            here.add(Accuracy.of(function, dtype, each, operands))
        return here

    workers = 1 if dtype == "float64" else threads or os.cpu_count() or 1  # mpmath's precision is global
    before = lanewise.get_num_threads()
    lanewise.set_num_threads(1)  # a chunk is below what repays a second thread anyway
    try:
        with ThreadPoolExecutor(workers) as pool:
            for part in _in_order(pool, try_chunk, chunks(function, dtype, exhaustive, step), 4 * workers):
                found.add(part)
                if progress:
                    progress()
    finally:
        lanewise.set_num_threads(before)
    return found


def computed(function, dtype, operands, parameters):
    """The results of a function on one of its `chunks`, as a tuple."""
    narrow = _held(function, dtype, parameters)
    gated = oracles.of_function(function).gated
    return _several(oracles.caller(function)(*operands, *(narrow if gated else map(float, narrow))))


def _held(function, dtype, parameters):
    # what is gated is of the dtype of the gate; a parameter beside 16-bit numbers is a float32
    gated = oracles.of_function(function).gated
    held = np.float32 if dtype in ("float16", "bfloat16") and not gated else dtype_of(dtype).type
    return [held(parameter) for parameter in parameters]


def _several(found):
    return found if isinstance(found, tuple) else (found,)


def _in_order(pool, work, items, ahead):
    # like pool.map, which would draw all items at once
    pending = collections.deque()
    for item in items:
        pending.append(pool.submit(work, item))
        if len(pending) >= ahead:
            yield pending.popleft().result()
    while pending:
        yield pending.popleft().result()
