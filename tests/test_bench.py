"""The benchmarks compute what their names say: every contender's result against the formula in float64; and the
engine's figures against contenders whose duration is known."""

import json
import sys

import lanewise as lw
import numpy as np
import pytest
from lanewise import cli
from lanewise.functions.table import GATES
from lanewise.measure import benchmark, oracles, peers

N = 3001
TORCH_LACKS = {"relu_squared", "relu_squared_backward", "swish", "swish_backward", "squareplus", "squareplus_backward",
               # as one function, at least
               "celu_backward", "selu_backward", "softsign_backward", "tanhshrink_backward", "logsigmoid_backward"}


@pytest.fixture(autouse=True)
def keep_thread_count():
    before = lw.get_num_threads()
    yield
    lw.set_num_threads(before)


def check(name, contender_name, dtype, threads=1):
    work = benchmark.WORKS[name]
    inputs = work.inputs(N, dtype)
    contender = peers.PREPARE[contender_name](work, inputs, threads)
    if contender is None:
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
@pytest.mark.parametrize("name", benchmark.WORKS)
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
@pytest.mark.parametrize("name", benchmark.WORKS)
def test_torch_computes_the_formula(name, dtype, threads):
    pytest.importorskip("torch")
    assert check(name, "torch", dtype, threads) == (name not in TORCH_LACKS)


@pytest.mark.peers
@pytest.mark.parametrize("name", benchmark.WORKS)
def test_onnxruntime_computes_the_formula(name):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnx")
    assert check(name, "onnxruntime", "float32") == (name in peers._ONNX)


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
    for name, work in benchmark.WORKS.items():
        inputs = work.inputs(8)
        assert len(inputs) == work.arity
        assert getattr(lw, name)(*inputs, *work.parameters).shape == (8,)


class Clockwork:
    """A clock that only contenders move."""

    def __init__(self):
        self.now = 0

    def contender(self, name, nanoseconds):
        def run():
            self.now += nanoseconds

        return peers.Contender(name, run, lambda: None)


def test_figures_of_known_durations():
    clock = Clockwork()
    field = [clock.contender(*pair) for pair in (("copy", 500), ("lanewise", 2000), ("torch", 5000))]
    figures = benchmark.measure(
        benchmark.WORKS["silu_backward"], 1000, threads=2, rounds=3, clock=lambda: clock.now, field=field
    )
    assert figures.nanoseconds == {"copy": 0.5, "lanewise": 2.0, "torch": 5.0}
    assert figures.ratio == {"torch": 2.5}
    assert figures.of_copy == 0.25 * 3 / 2  # three arrays pass where the copy passes two
    assert (figures.work, figures.n, figures.threads, figures.dtype) == ("silu_backward", 1000, 2, "float32")


def test_best_block_and_median_ratio():
    clock = Clockwork()
    slow_rounds = iter([1, 1, 1, 1, 1, 1, 1, 9, 9, 1, 1, 1, 1])

    def run():
        clock.now += 3_000_000 * next(slow_rounds)

    field = [clock.contender(name, 3_000_000) for name in ("copy", "lanewise")]
    field.append(peers.Contender("torch", run, lambda: None))
    figures = benchmark.measure(benchmark.WORKS["silu"], 1, rounds=5, clock=lambda: clock.now, field=field)
    assert figures.nanoseconds["torch"] == 3_000_000
    assert figures.ratio == {"torch": 1.0}


def test_command(capsys, tmp_path):
    file = tmp_path / "figures.json"
    arguments = ["bench", "silu", "tanh_backward", "--sizes", "500", "--peers", "numpy", "--json", str(file)]
    assert cli.main(arguments) == 0
    shown = capsys.readouterr().out
    assert "silu" in shown
    assert "tanh_backward" in shown
    found = json.loads(file.read_text())
    assert [figures["work"] for figures in found] == ["silu", "tanh_backward"]
    assert all(set(figures["nanoseconds"]) == {"copy", "lanewise", "numpy"} for figures in found)
    assert all(figures["n"] == 500 for figures in found)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["sulu"], "no benchmark of 'sulu'; expected some of exp, "),
        (["--sizes", "L7"], "--sizes: expected L1, L2, memory or a number of elements; got 'L7'"),
        (["--peers", "jax"], "--peers: expected some of numpy, torch, onnxruntime, mkl; got 'jax'"),
        (["--threads", "0"], "--threads: expected integers from 1 to 1024; got '0'"),
    ],
)
def test_command_says_what_is_wrong(capsys, arguments, message):
    assert cli.main(["bench", *arguments]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("name", ["none/x.json", "", "."])
def test_figures_that_cannot_be_written_are_told_before_the_work(tmp_path, monkeypatch, capsys, name):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(benchmark, "measure", None)  # which would raise
    assert cli.main(["bench", "relu", "--sizes", "100", "--json", name]) == 2
    assert f"--json {name}: cannot write" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_without_rich_the_table_is_plain(monkeypatch, capsys):
    for module in ("rich", "rich.console"):
        monkeypatch.setitem(sys.modules, module, None)
    assert cli.main(["bench", "relu", "--sizes", "100", "--peers", "numpy"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "100 float32 elements, 1 thread"
    assert lines[1].split() == ["function", "lanewise", "of", "copy", "numpy"]
    assert lines[3].startswith("relu ")
