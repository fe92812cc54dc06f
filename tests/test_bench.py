"""The benchmarks compute what their names say: every contender's result against the formula in float64; and the
engine's figures against contenders whose duration is known. Files and their comparison are test_bench_files.py's."""

import dataclasses
import itertools

import lanewise as lw
import numpy as np
import pytest
from lanewise.functions.table import GATES
from lanewise.measure import axis_peers, benchmark, fresh_peers, onnx_peers, oracles, peers

N = 3001
ELEMENTWISE = [name for name, work in benchmark.WORKS.items() if work.family == "elementwise"]
OTHERS = [name for name in benchmark.WORKS if name not in ELEMENTWISE]


def check(name, contender_name, dtype, threads=1):
    work = benchmark.WORKS[name]
    inputs = work.inputs(N, dtype)
    try:
        contender = work.field[contender_name](work, inputs, threads)
    except peers.UnavailableError:
        return False
    assert contender.name == contender_name
    result = contender.result()
    result[...] = np.nan
    contender.run()
    parameters = () if name in GATES else oracles.of_function(name).parameters[0]
    expected = oracles.wide(name)(*(x.astype(np.float64) for x in inputs), *parameters)
    tolerance = {"float32": 2e-6, "float64": 2e-15}[dtype]
    if (contender_name, name) == ("torch", "hardsigmoid_backward"):
        tolerance = 2e-7  # it holds its 1/6 in float32
    assert result.dtype == dtype
    np.testing.assert_allclose(contender.result(), expected, rtol=tolerance, atol=tolerance)
    return True


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_lanewise_computes_the_formula(name, dtype):
    assert check(name, "lanewise", dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ["exp", "expm1", "log", "log1p", "relu", "relu_backward", "sigmoid",
                                  "sigmoid_backward", "tanh", "tanh_backward", "silu", "silu_backward"])
def test_numpy_computes_the_formula(name, dtype):
    assert check(name, "numpy", dtype)


@pytest.mark.peers
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_torch_computes_the_formula(name, dtype, threads):
    pytest.importorskip("torch")
    assert check(name, "torch", dtype, threads)


@pytest.mark.peers
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_onnxruntime_computes_the_formula(name):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    assert check(name, "onnxruntime", "float32") == (name in onnx_peers.OPERATORS)


@pytest.mark.peers
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", peers._MKL)
def test_mkl_computes_the_formula(name, dtype):
    if not check(name, "mkl", dtype):
        pytest.skip("mkl is not installed")


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_the_copy_copies(threads):
    work = benchmark.WORKS["silu"]
    x = work.inputs(N)
    copy = peers.PREPARE["copy"](work, x, threads)
    copy.run()
    assert np.array_equal(copy.result(), x[0])


def test_every_work_is_a_function_of_its_name():
    for name in ELEMENTWISE:
        work = benchmark.WORKS[name]
        inputs = work.inputs(8)
        assert getattr(lw, name)(*inputs, *work.parameters).shape == (8,)


class Clockwork:
    """A clock that only contenders move."""

    def __init__(self):
        self.now = 0

    def contender(self, name, *nanoseconds, moved=0):
        turns = itertools.cycle(nanoseconds)

        def run():
            self.now += next(turns)

        return peers.Contender(name, run, lambda: None, moved)


def test_figures_of_known_durations():
    clock = Clockwork()
    field = [clock.contender("copy", 500, moved=8000), clock.contender("lanewise", 2000, moved=12_000),
             clock.contender("torch", 5000)]
    figures = benchmark.measure(
        benchmark.WORKS["silu_backward"], 1000, threads=2, rounds=3, clock=lambda: clock.now, field=field
    )
    assert figures.nanoseconds == {"copy": 0.5, "lanewise": 2.0, "torch": 5.0}
    assert figures.ratio == {"torch": 2.5}
    assert figures.of_copy == 0.25 * 3 / 2  # three arrays pass where the copy passes two
    assert figures.spread("lanewise") == figures.drift == 0
    assert figures.label == "silu_backward float32 1000 2 threads"


def test_one_statistic_for_both_sides_of_a_ratio():
    times = {"copy": [1, 1, 2, 2, 2], "lanewise": [1, 1, 1, 90, 90], "torch": [2, 2, 2, 2, 500]}
    figures = benchmark.Figures("silu", (1,), 1, 1, "float32", times)
    assert figures.nanoseconds == {"copy": 2, "lanewise": 1, "torch": 2}
    assert figures.ratio == {"torch": 2}
    assert figures.spread("lanewise") == (90 - 1) / 2
    assert figures.drift == 1


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16"])
@pytest.mark.parametrize("name", benchmark.WORKS)
def test_whoever_is_timed_computes_the_same(name, dtype):
    work = benchmark.WORKS[name]
    if dtype not in work.dtypes:
        pytest.skip(f"{name} is timed in {', '.join(work.dtypes)}")
    if dtype == "bfloat16":
        pytest.importorskip("ml_dtypes")
    size = N if work.family == "elementwise" else (3, 64)
    here = [each for each in ("numpy", "scipy", "ml_dtypes") if each in work.field]
    figures = benchmark.measure(work, size, dtype=dtype, names=here, rounds=1, clock=itertools.count(0, 10**9).__next__)
    assert not [reason for reason in figures.skipped.values() if "other values" in reason or "shape" in reason]
    assert figures.moved["lanewise"] > 0
    assert ("lanewise" in figures.ulp) == (dtype != "float64" and not name.startswith(("encode", "decode", "mx_"))
                                           and (work.family != "genome" or name.startswith("linear4")))
    most = 16 if name.startswith("linear4") else 8  # NumPy's products of float32
    assert all(error < most for error in figures.ulp.values()) or name in ELEMENTWISE


@pytest.mark.peers
@pytest.mark.parametrize("name", OTHERS)
def test_torch_and_onnxruntime_compute_the_same(name):
    pytest.importorskip("torch")
    pytest.importorskip("onnxruntime")
    work = benchmark.WORKS[name]
    for dtype in work.dtypes:
        field, skipped = benchmark.contenders(work, (3, 64), 1, dtype, ("torch", "onnxruntime"))
        _, ours, *others = field
        ours.run()
        for contender in others:  # each runs as often: an optimiser's step goes on from the one before
            contender.run()
            assert benchmark.agreement(ours.result(), contender.result()) is None
        here = ("axis", "options", "learning", "population")
        assert ("torch" in skipped) == (work.family not in here and not name.startswith(("linear4", "mx_encode_mxfp8")))


@pytest.mark.parametrize("name", [name for name, work in benchmark.WORKS.items() if work.family == "learning"])
def test_learning_is_timed_at_any_size(name):
    figures = benchmark.measure(benchmark.WORKS[name], (7, 24), names=(), rounds=1,
                                clock=itertools.count(0, 10**9).__next__)
    assert set(figures.times) == {"copy", "lanewise"}


@pytest.mark.parametrize("layout", benchmark.LAYOUTS[1:])
@pytest.mark.parametrize("name", ["relu", "exp", "sigmoid", "silu_backward", "swiglu", "cross_entropy",
                                  *axis_peers.PLACED])
def test_whoever_is_timed_computes_the_same_in_every_layout(name, layout):
    work = benchmark.WORKS[name]
    if layout not in work.layouts:
        pytest.skip(f"{name} is timed {', '.join(work.layouts)}")
    work = dataclasses.replace(work, layout=layout)
    assert all(x.flags.c_contiguous == (layout != "strided") for x in work.inputs((3, 64)))
    figures = benchmark.measure(work, (3, 64), names=("numpy", "scipy", "torch", "onnxruntime"), rounds=1,
                                clock=itertools.count(0, 10**9).__next__)
    assert not [reason for reason in figures.skipped.values() if "other values" in reason or "shape" in reason]
    assert figures.ulp["lanewise"] < 8
    assert figures.label.endswith(f" 1 thread {layout}")
    if layout == "in-place" and work.family == "axis":
        assert figures.skipped["numpy"] in ("returns an array of its own", "has no such function")
    copied = 2 * 4 * 3 * 64 * (layout == "in-place")
    plain = benchmark.measure(benchmark.WORKS[name], (3, 64), names=(), rounds=1,
                              clock=itertools.count(0, 10**9).__next__)
    assert figures.moved["lanewise"] == plain.moved["lanewise"] + copied


@pytest.mark.peers
@pytest.mark.parametrize("name", [name for name, work in benchmark.WORKS.items()
                                  if work.family in ("axis", "elementwise")])
def test_where_a_peer_has_a_place_for_its_result_lanewise_has_one_too(name):
    # an array of its own for each call costs page faults, which are half of the time where arrays are large
    pytest.importorskip("torch")
    field, _ = benchmark.contenders(benchmark.WORKS[name], (8, 64), names=("numpy", "torch"))
    placed = {}
    for contender in field:
        contender.run()
        first = np.asarray(contender.result())
        contender.run()
        placed[contender.name] = np.shares_memory(first, contender.result())
    assert placed["lanewise"] or not (placed.get("numpy") or placed.get("torch"))


def test_who_takes_seconds_to_compile_is_timed_only_where_asked_for():
    figures = benchmark.measure(benchmark.WORKS["relu"], 60, rounds=1)
    assert "torch_compile" not in {*figures.times, *figures.skipped}
    assert set(figures.times) | set(figures.skipped) == {"copy", "lanewise", *benchmark.USUAL_PEERS}


def test_in_place_is_in_place_and_fresh_is_fresh():
    work = dataclasses.replace(benchmark.WORKS["tanh"], layout="in-place")
    x = work.inputs(N)
    for name in ("lanewise", "numpy"):
        contender = peers.PREPARE[name](work, x, 1)
        contender.run()
        first = contender.result()
        contender.run()
        assert contender.result() is first
        np.testing.assert_allclose(first, np.tanh(x[0]), rtol=1e-6)  # of the input, not of the call before
    work = dataclasses.replace(work, layout="fresh")
    for name in ("copy", "lanewise", "numpy"):
        contender = peers.PREPARE[name](work, x, 1)
        first = contender.result()
        contender.run()
        assert not np.shares_memory(contender.result(), first)


@pytest.mark.peers
@pytest.mark.parametrize(("peer", "name"), [
    *(("torch_compile", name) for name in ("silu", "leaky_relu", "swiglu", "layer_norm", "softmax_backward")),
    *(("numba", name) for name in fresh_peers._NUMBA),
    *(("simd_ml_kernels", name) for name in ("relu", "silu", "gelu", "gelu_tanh", "softmax", "layer_norm")),
    ("evotorch", "population_loss"), ("pygad", "population_loss")])
def test_who_returns_an_array_of_its_own_computes_the_same(peer, name):
    work = benchmark.WORKS[name]
    field, skipped = benchmark.contenders(work, (3, 640), names=(peer,))
    if peer in skipped:
        pytest.skip(f"{peer} {skipped[peer]}")
    _, ours, theirs = field
    ours.run()
    theirs.run()
    assert benchmark.agreement(ours.result(), theirs.result()) is None
    if work.family == "elementwise":
        with pytest.raises(peers.UnavailableError, match="array of its own"):
            work.field[peer](dataclasses.replace(work, layout="in-place"), work.inputs(60), 1)


def test_whoever_computes_something_else_is_not_timed(monkeypatch):
    def prepare(work, inputs, threads):
        return peers.Contender("numpy", lambda: None, lambda: np.maximum(inputs[0], np.float32(0.1)))

    monkeypatch.setitem(benchmark.WORKS["relu"].field, "numpy", prepare)
    figures = benchmark.measure(benchmark.WORKS["relu"], 500, names=("numpy",), rounds=1)
    assert set(figures.times) == {"copy", "lanewise"}
    assert figures.skipped["numpy"].startswith("computes other values, by up to 0.1")


@pytest.mark.parametrize("when", ["prepared", "called"])
def test_a_peer_that_fails_costs_its_own_figures_alone(monkeypatch, when):
    def prepare(work, inputs, threads):
        def run():
            raise RuntimeError("no kernel\nfor it")

        if when == "prepared":
            run()
        return peers.Contender("numpy", run, lambda: None)

    monkeypatch.setitem(benchmark.WORKS["relu"].field, "numpy", prepare)
    figures = benchmark.measure(benchmark.WORKS["relu"], 500, names=("numpy",), rounds=1)
    assert set(figures.times) == {"copy", "lanewise"}
    assert figures.skipped == {"numpy": "failed with RuntimeError: no kernel"}


@pytest.mark.peers
def test_a_step_that_is_compared_has_run_as_often_as_the_others():
    pytest.importorskip("torch")
    figures = benchmark.measure(benchmark.WORKS["sgd_step"], (3, 64), names=("torch",), rounds=1)
    assert all(error < 1 for error in figures.ulp.values())


@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (2, 64)])
def test_every_work_takes_every_shape_or_says_why_not(shape):
    for work in benchmark.WORKS.values():
        if work.refusal(shape) is None:
            benchmark.measure(work, shape, names=(), rounds=1, clock=itertools.count(0, 10**9).__next__)
        else:
            assert work.name in ("batch_norm", "linear4", "linear4_int16", "linear4_int8")


@pytest.mark.parametrize(("theirs", "message"), [
    ([1.0, 2.0, np.nan], None), ([1.0, 2.0 + 1e-14, np.nan], None), ([1.0, 2.0 + 1e-12, np.nan], "other values"),
    ([1.0, np.nan, np.nan], "other values"), ([1.0, np.inf, np.nan], "other values"),
    ([1.0, 2.0], "the shape (2,), not (3,)")])
def test_agreement(theirs, message):
    found = benchmark.agreement(np.array([1.0, 2.0, np.nan]), np.array(theirs))
    assert found is None if message is None else message in found


@pytest.mark.parametrize(("size", "name", "shape"), [
    (5000, "silu", (5000,)), ((512, 768), "silu", (512, 768)), ((512, 768), "softmax", (512, 768)),
    (1 << 16, "softmax", (64, 1024)), (100, "softmax", (1, 100)), (1 << 16, "linear4", (1, 256))])
def test_shapes_of_sizes(size, name, shape):
    work = benchmark.WORKS[name]
    assert work.shape(size) == shape
    assert work.count(shape) == (256 * 256 if name == "linear4" else int(np.prod(shape)))


@pytest.mark.parametrize(("name", "arrays"), [("sgd_step", 5), ("adamw_step", 7)])
def test_a_step_moves_what_it_remembers_too(name, arrays):
    # parameters and what is remembered are read and written, the gradient is read
    work = benchmark.WORKS[name]
    inputs = work.inputs((8, 64))
    assert work.field["lanewise"](work, inputs, 1).moved == arrays * inputs[0].nbytes
