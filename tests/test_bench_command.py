"""`lanewise bench` as a person meets it: what it prints, refuses and warns of. Who is timed is test_bench.py's."""

import json
import re
import sys
from pathlib import Path

import pytest
from lanewise import cli
from lanewise.cli import bench
from lanewise.measure import benchmark, machine
from lanewise.measure.works import of_family


def test_command(capsys, tmp_path):
    file = tmp_path / "figures.json"
    arguments = ["bench", "silu", "tanh_backward", "--sizes", "500", "--peers", "numpy", "--json", str(file)]
    assert cli.main(arguments) == 0
    shown = capsys.readouterr().out
    assert "silu" in shown
    assert "tanh_backward" in shown
    found = json.loads(file.read_text())["benchmarks"]
    assert [entry["extra_info"]["work"] for entry in found] == ["silu"] * 3 + ["tanh_backward"] * 3
    assert [entry["param"] for entry in found] == ["copy", "lanewise", "numpy"] * 2
    assert all(entry["extra_info"]["n"] == 500 for entry in found)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["sulu"], "no benchmark of 'sulu'; similar names are silu"),
        (["quuux"], "no benchmark of 'quuux'; lanewise bench --list names all"),
        (["--sizes", "L7"],
         "--sizes: expected L1, L2, memory, a number of elements or a shape such as 512x768; got 'L7'"),
        (["--sizes", "512x0"], "got '512x0'"),
        (["--sizes", "2x3x4"], "got '2x3x4'"),
        (["--sizes", ","], "--sizes: expected at least one; got none"),
        (["--peers", "jax"],
         "--peers: expected some of numpy, scipy, torch, torch_compile, onnxruntime, mkl, ml_dtypes, numba, "
         "simd_ml_kernels, evotorch, pygad; got 'jax'"),
        (["--threads", "0"], "--threads: expected integers from 1 to 1024; got '0'"),
        (["--threads", "9" * 5000], "--threads: expected integers from 1 to 1024; got '999"),
        (["--sizes", f"512x{'9' * 30}"], f"--sizes: expected at most {1 << 40} elements; got 512x999"),
        (["--sizes", f"1x{1 << 41}"], f"--sizes: expected at most {1 << 40} elements; got 1x2199023255552"),
        (["--dtype", "int8"], "--dtype: expected some of float32, float64, float16, bfloat16; got 'int8'"),
        (["linear4_int8", "--dtype", "float64"], "--dtype: linear4_int8 is timed in float32; got float64"),
        (["--layout", "padded"], "--layout: expected some of contiguous, strided, in-place, fresh; got 'padded'"),
        (["linear4", "--layout", "strided"], "--layout: linear4 is timed contiguous; got strided"),
        (["--absolute"], "--absolute is of --compare"),
        (["linear4", "--sizes", "3x5"], "--sizes: linear4 takes rows of a multiple of 16; got 3x5"),
        (["batch_norm", "--sizes", "1x64"], "--sizes: batch_norm takes 2 rows or more; got 1x64"),
    ],
)
def test_command_says_what_is_wrong(capsys, arguments, message):
    assert cli.main(["bench", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_the_list_names_every_work_once(capsys):
    assert cli.main(["bench", "--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    families = " ".join(lines).replace(",", " ").split()
    names = [name for name in families if not name.endswith(":")]
    assert sorted(names) == sorted(benchmark.WORKS)
    assert {name[:-1] for name in families if name.endswith(":")} == {work.family for work in benchmark.WORKS.values()}
    assert max(map(len, lines)) <= 80


def test_options_are_all_rows_of_their_table():
    docs = Path(__file__).parents[1] / "docs" / "benchmarks.md"
    table = docs.read_text().split("## With options")[1].split("## ")[0]
    assert {line.split("`")[1] for line in table.splitlines() if line.startswith("| `")} == set(of_family("options"))


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
    assert lines[0] == "100: float32, 1 thread"
    assert lines[1].split() == ["function", "shape", "lanewise", "of", "copy", "numpy"]
    assert lines[3].startswith("relu ")


def test_reasons_and_a_busy_machine_are_said(monkeypatch, capsys):
    monkeypatch.setattr(machine.os, "getloadavg", lambda: (9.5, 0, 0))
    assert cli.main(["bench", "relu", "mish", "softmax", "--sizes", "2x60", "--peers", "numpy,mkl"]) == 0
    said = capsys.readouterr().err
    assert "this machine is busy: a load of 9.5 on " in said
    assert "numpy has no such function: mish\n" in said
    assert "not timed (has no such function): mkl\n" in said


@pytest.mark.parametrize(("missing", "told"), [("torch", True), ("pygad", False)])
def test_how_to_install_peers_is_said(capsys, missing, told):
    row = benchmark.Figures("relu", (60,), 60, 1, "float32", {"copy": [1.0], "lanewise": [1.0]},
                            {"copy": 8, "lanewise": 8}, skipped={missing: "not installed"})
    bench._show([row], "60", None)
    said = capsys.readouterr().err
    assert f"not timed (not installed): {missing}\n" in said
    assert ("pip install 'lanewise[bench]'" in said) == told


def test_a_size_that_a_work_refuses_is_left_out(capsys):
    assert cli.main(["bench", "batch_norm", "softmax", "--sizes", "1x64", "--peers", "numpy"]) == 0
    shown = capsys.readouterr()
    assert "batch_norm takes 2 rows or more: 1x64 is left out" in shown.err
    assert "softmax" in shown.out


def test_an_idle_machine_is_not_called_busy(monkeypatch):
    monkeypatch.setattr(machine.os, "getloadavg", lambda: (0.1, 9, 9))
    assert machine.busy() is None


def test_names_are_never_cut(monkeypatch, capsys):
    pytest.importorskip("rich")
    monkeypatch.setenv("COLUMNS", "30")
    assert cli.main(["bench", "log_softmax_backward", "gelu_tanh_backward", "--sizes", "60", "--peers", "numpy"]) == 0
    shown = capsys.readouterr().out
    assert "log_softmax_backward" in shown
    assert "…" not in shown


def test_the_longest_names_fit_a_terminal_and_are_whole(monkeypatch, capsys):
    pytest.importorskip("rich")
    monkeypatch.setenv("COLUMNS", "80")
    rows = [benchmark.Figures(name, (16384, 1024), 1 << 24, 1, "float32", {
        peer: [12345.678, 1.0, 99999.0] for peer in ("copy", "lanewise", "torch")}, dict.fromkeys(
            ("copy", "lanewise"), 1), {"lanewise": 5e7}) for name in benchmark.WORKS]
    bench._show(rows, "memory", "A caption.")
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= 80
    assert re.search(r"binary_cross_entropy_ .*\n +with_logits_backward ", shown)
    assert " layer_norm_backward " in shown
