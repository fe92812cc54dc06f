"""Every public function gives the same bits where the caller's thread flushes subnormals, as the threads of a
framework's pool do: of data, parameters and gradients that are subnormal, or whose products are."""

import contextlib
import copy
import ctypes
import dataclasses
import functools
import platform
import re
import sys
import warnings

import lanewise as lw
import ml_dtypes
import numpy as np
import pytest
import random_arguments
import random_functions

CALLS = 30  # of each function
SLOW = {"evolution.evolve": 2, "evolution.evolve_islands": 2, "evolution.minimize": 2, "gradient_flow": 4}
FLUSH = 0x8040  # of MXCSR: results to zero, and operands
WHERE_MXCSR_IS = 28  # in the environment that the C library of Linux gives
IN_PLACE = ("sgd_step", "adamw_step", "clip_grad_norm")
NUMBERS = [5e-324, 1e-310, 3e-308, 1e-40, 1e-45, 2e-38, 1e-20, 0.0, 0.25]

pytestmark = pytest.mark.skipif(sys.platform != "linux" or platform.machine() != "x86_64",
                                reason="sets the x86 register by the C library of Linux")


@contextlib.contextmanager
def flushing():
    libm, callers = ctypes.CDLL("libm.so.6"), ctypes.create_string_buffer(32)
    libm.fegetenv(callers)
    changed = bytearray(callers.raw)
    word = int.from_bytes(changed[WHERE_MXCSR_IS:], "little") | FLUSH
    changed[WHERE_MXCSR_IS:] = word.to_bytes(4, "little")
    libm.fesetenv(bytes(changed))
    try:
        yield
        kept = ctypes.create_string_buffer(32)
        libm.fegetenv(kept)
        found = int.from_bytes(kept.raw[WHERE_MXCSR_IS:], "little")
        assert found & FLUSH == FLUSH, "the caller's environment was not given back"
    finally:
        libm.fesetenv(callers)


class Small(random_arguments.Case):
    """The choices of one call whose numbers are small, and whose arguments are mostly right."""

    def __init__(self, seed, number):
        super().__init__(seed, number)
        self.shape = self.one_of([(3, 5), (2, 16), (2, 3, 4), (33,), (2, 4, 9)])
        self.axis = len(self.shape) - 1

    def chance(self, p):
        return p >= 0.3 and super().chance(p)

    def layout(self, values):
        return values

    def numbers(self, shape, dtype):
        dtype = np.dtype(dtype)
        if dtype.kind != "f" and dtype != ml_dtypes.bfloat16:
            return super().numbers(shape, dtype)
        info = ml_dtypes.finfo(dtype)
        values = self.rng.standard_normal(shape)
        scale = self.one_of([1.0, float(info.tiny), float(info.tiny) / 8, float(info.tiny)**0.5])
        small = (values * scale).astype(dtype)
        if self.one_of([True, False]):  # some are usual
            small = np.where(self.rng.random(shape) < 0.3, values.astype(dtype), small)
        return small

    def anything(self):
        return self.one_of(NUMBERS)


def _options(table, names, make):
    return table | dict.fromkeys(names, make)


def _grad(case):
    # of a loss: one number, as many as rows, or as many as elements
    return case.array(case.one_of([(), (), case.shape[:-1], case.shape]))


def _table(name, table):
    # as random calls have it, and what suits a loss
    numbers = [role for role, make in table.items() if make is random_arguments._numbers_of]
    table = _options(table, numbers, Small.anything)
    loss = name.removesuffix("_backward").removesuffix("_with_grad")
    if loss in ("cross_entropy", "nll_loss", "ponder_loss", "mse", "l1", "huber", "binary_cross_entropy_with_logits"):
        table = _options(table, ["grad"], _grad)
    if loss in ("mse", "l1", "huber", "binary_cross_entropy_with_logits"):
        table = _options(table, ["target"], Small.row)
    if loss == "cross_entropy":
        table = _options(table, ["target"], lambda case: case.one_of([np.abs(case.row()), case.classes(
            case.shape[:-1])]))
    if loss.startswith("logsumexp"):
        table = _options(table, ["grad"], lambda case: case.array(case.shape[:-1]))
    return _options(table, ["out"], lambda case: case.array(case.shape) if case.chance(0.5) else None)


FUNCTIONS = random_functions.functions()
del FUNCTIONS["Format.value"]  # a float that Python itself computes, in the caller's environment


def outcome(name, number, flush):
    """The bits that a call gives or leaves behind, or its error."""
    case = Small(16, number)
    made, function, table = FUNCTIONS[name]
    if isinstance(function, np.ufunc):
        given, keywords = [case.row() for _ in range(function.nin)], {}
    else:
        given, keywords = random_arguments.arguments(case, function, _table(name, table))
    callee = made(case)
    before = copy.deepcopy((given, keywords)) if flush else None
    found = run(callee, given, keywords, flush)
    return found, (given, list(keywords.values())), before


def bits(found):
    if isinstance(found, (np.ndarray, np.generic)):
        return found.dtype, found.shape, found.tobytes() if not found.dtype.hasobject else repr(found)
    if isinstance(found, (list, tuple)):
        return [bits(part) for part in found]
    if isinstance(found, dict):
        return [(key, bits(part)) for key, part in found.items()]
    if dataclasses.is_dataclass(found) and type(found).__module__.startswith("lanewise.ieee754"):
        return bits(vars(found))
    return repr(found) if isinstance(found, (float, int, str, bytes, type(None))) else type(found)


def run(callee, given, keywords, flush):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with flushing() if flush else contextlib.nullcontext():
            try:
                return callee(*given, **keywords)
            except Exception as error:
                # but for numbers that it shows: Python writes them in the caller's environment
                return type(error).__name__ + re.sub(r"-?\d[-+.\de]*|\s", "", str(error))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_bits_where_the_thread_flushes(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where runs save
    for number in range(SLOW.get(name, CALLS)):
        expected, kept, _ = outcome(name, number, False)
        found, arguments, before = outcome(name, number, True)
        assert bits(found) == bits(expected), (number, before)
        assert bits(arguments) == bits(kept), (number, before)


@functools.cache  # the flushing call takes those that were made before it
def small(dtype, *shape):
    """Numbers some of which are subnormal, and whose products with usual ones are."""
    rng = np.random.default_rng(len(shape))
    return (rng.standard_normal(shape) * rng.choice([1.0, 1.0, 3.0, 1 / 8], shape)).astype(dtype) * np.finfo(dtype).tiny


def gated(dtype):
    return lw.glu_backward(small(dtype, 2, 4), small(dtype, 2, 8))


def linear(dtype):
    return lw.linear_backward(small(dtype, 5, 3), small(dtype, 5, 4), np.full((3, 4), dtype(0.3)), np.zeros(3, dtype))


def divergence(dtype):
    return lw.kl_standard_normal_backward(dtype(0.25), small(dtype, 4, 5), small(dtype, 4, 5))


def halting(dtype):
    return lw.act_halting_backward(small(dtype, 3), small(dtype, 3, 4), np.array([1, 2, 4]))


def blocks(dtype):
    x = small(dtype, 2, 64)
    found = {format: lw.ieee754.mx_encode(x, format) for format in ("mxfp8_e4m3", "mxfp4", "mxint8", "nvfp4")}
    return found, [lw.ieee754.mx_decode(*codes[:2], format, dtype=dtype) for format, codes in found.items()]


def network(dtype):
    rng = np.random.default_rng(3)
    net = lw.evolution.Network((4, 5, 3), "tanh", scales=[1e-38, 0.5], biases=[np.full(5, 1e-39), np.full(3, 1e-40)])
    population = lw.genome.random_population(6, net.n_weights, 1)
    x, y = rng.standard_normal((10, 4)).astype(dtype), rng.integers(0, 3, 10)
    result = lw.evolution.evolve(net, x, y, generations=3, population=8, progress=False)
    return (net.forward(population, x), net.loss(population, x, y), net.accuracy(population, x, y), result.genome,
            result.loss)


def classifier(dtype):
    net = lw.evolution.Network((4, 3), objective="mse")
    found = lw.evolution.Classifier(net, lw.genome.random_population(1, net.n_weights, 1)[0], None, 1e-310, 1.0, 1e-310)
    x = small(dtype, 6, 4)
    return found.prepare(x), found.outputs(x), found.predict(x), found.score(x, found.predict(x))


def trained_layers(dtype):
    layers = lw.layers.Sequential(
        lw.layers.Residual(lw.layers.LayerNorm(8, dtype=dtype), lw.layers.SwiGLU(8, 16, 1, dtype=dtype)),
        lw.layers.BatchNorm(8, dtype=dtype), lw.layers.Linear(8, 3, 2, dtype=dtype), lw.layers.Activation("gelu"))
    y = layers.forward(small(dtype, 6, 8))
    return y, layers.backward(small(dtype, *y.shape)), list(layers.gradients().values())


# whose arguments have to fit one another, as random ones seldom do
DIRECT = [gated, linear, divergence, halting, blocks, network, classifier, trained_layers]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("make", DIRECT)
def test_bits_of_arguments_that_fit(make, dtype):
    expected = make(dtype)
    assert bits(run(make, (dtype,), {}, True)) == bits(expected)


def test_the_environment_is_given_back_after_an_error():
    with flushing(), pytest.raises(ValueError, match="reduction"):
        lw.cross_entropy(np.zeros((2, 3)), [0, 1], reduction="no")
