"""That errors are measured rightly, that `lanewise accuracy` reports them, and that those of the functions along an
axis are within their bounds; those of the activations are the business of test_activations.py and of whoever runs
`lanewise accuracy --exhaustive`."""

import math
import re
import sys
from fractions import Fraction
from pathlib import Path

import lanewise as lw
import numpy as np
import pytest
from lanewise import bounds
from lanewise.bounds import BOUNDS, GATE_BOUNDS, LEARNING_BOUNDS, ROW_BOUNDS
from lanewise.cli import accuracy as cli_accuracy
from lanewise.cli import main
from lanewise.measure import accuracy, oracles, row_accuracy

# The functions that compute nothing, or nothing that has a unit in the last place: a step, or how gradients fare.
SETTINGS = {"get_include", "get_num_threads", "set_num_threads", "show_config", "sample_halting", "gradient_flow",
            "GradientFlow"}
PAGE = Path(__file__).parents[1] / "docs/accuracy.md"
INFINITY = math.inf
LARGEST = float(np.finfo(np.float32).max)
ERRORS = [  # of a float32, against an exact result
    (1.0, 1.0, 0.0),
    (1.0 + 2.0**-23, 1.0, 1.0),
    (1.0 - 2.0**-24, 1.0, 0.5),
    (1.0, 1.0 + 2.0**-25, 0.25),
    (2.0**-149, 0.0, 1.0),
    (0.0, 2.0**-151, 0.25),
    (-0.0, 0.0, 0.0),
    (2.0**-126, 2.0**-126 + 2.0**-150, 0.5),
    (INFINITY, INFINITY, 0.0),
    (INFINITY, 2.0**200, 0.0),
    (INFINITY, LARGEST, 1.0),
    (LARGEST, INFINITY, 1.0),
    (INFINITY, LARGEST + 2.0**103, 0.5),
    (-INFINITY, INFINITY, 2.0**25),
    (math.nan, math.nan, 0.0),
    (math.nan, 1.0, INFINITY),
    (1.0, math.nan, INFINITY),
]


def test_every_public_function_has_a_bound():
    computing = {name for name in lw.__all__ if callable(getattr(lw, name))} - SETTINGS
    assert computing == {*bounds.functions(), *LEARNING_BOUNDS}
    assert len(bounds.functions()) == len(computing - set(LEARNING_BOUNDS))  # which test_learning.py measures
    for name in computing:
        assert set(bounds.of(name)) == {"float32", "float64"}
        assert all(bounds.bound(name, dtype) >= 0 for dtype in accuracy.DTYPES)


def test_a_bound_is_never_made_up():
    for look in (bounds.of, lambda name: bounds.bound(name, "float32")):
        with pytest.raises(KeyError, match="no bound of 'sine'"):
            look("sine")


def test_a_bound_is_found_by_the_function_itself():
    for function in (lw.silu, lw.elu_backward, lw.layer_norm, lw.linear):
        assert bounds.of(function) == bounds.of(function.__name__)
        assert bounds.bound(function, "float64") == bounds.of(function)["float64"]


@pytest.mark.parametrize("function", bounds.functions())
def test_docstring_quotes_the_bound(function):
    quoted = "Error bound in ULP of (.*?): " + re.escape(
        f"{bounds.bound(function, 'float32'):g} (float32), {bounds.bound(function, 'float64'):g} (float64), "
        f"{bounds.SIXTEEN:g} (float16, bfloat16).")
    found = re.search(quoted, getattr(lw, function).__doc__)
    assert found
    assert ("cancel" in found[1]) == (function in bounds.CANCELLING)


@pytest.mark.skipif(not PAGE.exists(), reason="needs the checkout")
def test_page_lists_every_bound():
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| (\S+) \| (\S+) \|", PAGE.read_text("utf-8"), re.MULTILINE)
    assert [row[:2] for row in rows] == [(name, dtype) for name in bounds.functions() for dtype in accuracy.DTYPES]
    assert [row for row in rows if float(row[2]) != bounds.bound(*row[:2]) or float(row[3]) > float(row[2])] == []


@pytest.mark.parametrize(("y", "exact", "expected"), ERRORS)
def test_errors(y, exact, expected):
    y = np.array([y], np.float32)
    assert accuracy.errors(y, np.array([exact]), "float32") == expected
    assert accuracy.errors(y, np.array([exact], np.longdouble), "float32") == expected
    assert accuracy.errors(y, [oracles.mpf(exact)], "float32") == expected


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_errors_by_fractions(dtype):
    y = accuracy.adversarial(dtype, 3, 3)
    y = y[np.abs(y.astype(np.float64)) < 1e4]
    exact = y.astype(np.float64) * (1 + np.random.default_rng(0).normal(0, 2e-3, y.size))
    digits, least = {"float16": (11, -14), "bfloat16": (8, -126), "float32": (24, -126)}[dtype]
    for ours, value, found in zip(y, exact, accuracy.errors(y, exact, dtype), strict=True):
        exponent = max(math.frexp(value)[1] - 1, least)
        expected = abs(Fraction(float(ours)) - Fraction(value)) / Fraction(2) ** (exponent + 1 - digits)
        assert found == pytest.approx(float(expected), rel=1e-12)


@pytest.mark.parametrize("function", ["tanh", "log", "silu_backward"])
@pytest.mark.parametrize("dtype", accuracy.DTYPES)
def test_chunks(function, dtype):
    tried = list(accuracy.chunks(function, dtype))
    assert len(tried) == accuracy.count_chunks(function, dtype)
    x = np.concatenate([operands[-1] for operands, _ in tried])
    assert np.isfinite(x).all()
    assert np.isin([0.0, 1.0], x.astype(np.float64)).all()
    if function == "tanh" and dtype in ("float16", "bfloat16"):
        assert np.unique(x.view(np.uint16)).size == x.size == {"float16": 63488, "bfloat16": 65280}[dtype]
    if function == "silu_backward":
        assert (tried[0][0][0] == 1).all()
        assert np.unique(np.concatenate([operands[0] for operands, _ in tried])).size > 500


def test_a_wrong_function_is_noticed(monkeypatch):
    def wrong(x):
        y = np.array(lw_silu(x))
        y[x == 1.5] *= 1 + 4 * np.finfo(y.dtype).eps
        return y

    lw_silu = lw.silu
    monkeypatch.setattr(lw, "silu", wrong)
    for dtype in ("float32", "float16"):
        found = accuracy.measure("silu", dtype)
        assert found.largest > 2
        assert found.at == (1.5,)
        assert found.counts.sum() == found.inputs
        assert found.counts[16:].sum() == 1


def test_float64_formulas_stand_in_for_the_exact(monkeypatch):
    """An exhaustive run takes float64 as exact: the same errors, as against the independent formulas."""
    monkeypatch.setattr(accuracy, "_numbers", lambda dtype, *_: [np.linspace(-20, 20, 40_001).astype(dtype)])
    for name in (*BOUNDS, *GATE_BOUNDS):
        sampled, exhaustive = (accuracy.measure(name, "float32", whole) for whole in (False, True))
        assert exhaustive.largest == pytest.approx(sampled.largest, abs=1e-6)
        assert exhaustive.inputs == sampled.inputs


def test_all_of_float32():
    numbers = accuracy._numbers("float32", True, 1)
    first, second = next(numbers), next(numbers)
    assert first.view(np.uint32)[0] == 0
    assert second.view(np.uint32)[0] == first.view(np.uint32)[-1] + 1
    assert accuracy.count_chunks("silu", "float32", True) * first.size == 1 << 32


def test_errors_in_ulp_of_terms():
    """In ULP of the larger of the exact result and the terms."""
    y = np.array([1.0, 1.0, 2.0**-149, np.nan, 0.0, np.inf, -np.inf], np.float32)
    exact = np.array([1.0 + 2.0**-23, 1.0 + 2.0**-23, 0.0, 1.0, 0.0, 2.0**128 - 2.0**102, -1e300])
    terms = np.array([0.0, 4.0, 0.0, 0.0, 2.0, 0.0, 0.0])
    expected = [1.0, 0.25, 1.0, math.inf, 0.0, 0.25, 0.0]
    assert accuracy.errors(y, exact, "float32", terms).tolist() == expected
    assert accuracy.errors(y, exact.astype(np.longdouble), "float32", terms).tolist() == expected
    by_mpmath = accuracy.errors(y[:, None], [[oracles.mpf(value)] for value in exact], "float32", terms[:, None])
    assert by_mpmath.tolist() == [[value] for value in expected]


@pytest.mark.parametrize("dtype", accuracy.DTYPES)
@pytest.mark.parametrize("function", ROW_BOUNDS)
def test_rows_are_within_their_bounds(function, dtype):
    # for the page, up to eight times as many
    found = row_accuracy.measure_rows(function, dtype, elements=1 << (15 if dtype == "float64" else 14))
    assert found.largest <= found.bound
    assert found.inputs > (10**4 if function == "rotary_tables" else 10**5)  # whose exact values are mpmath's


@pytest.mark.parametrize("n", [33, 100, 1000, 4097, 12_345, 100_000])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_rows_of_one_number_are_within_the_bounds(dtype, n):
    # whose additions all round the same way
    numbers = np.random.default_rng(n).uniform(0.5, 4, 8).astype(dtype)[:, None]
    x = np.repeat(numbers, n, -1)
    exact = np.full(x.shape, 1 / np.longdouble(n))
    for name, y, expected in (
            ("softmax", lw.softmax(x), exact), ("softmin", lw.softmin(x), exact),
            ("logsumexp_backward", lw.logsumexp_backward(np.ones(8, dtype), x), exact),
            ("normalize", lw.normalize(x, 1), exact), ("normalize", lw.normalize(x, 2), np.sqrt(exact)),
            ("rms_norm", lw.rms_norm(x, eps=0.0), np.ones_like(exact)),
            ("layer_norm", 1 + lw.layer_norm(x), np.ones_like(exact)),
            ("log_softmax", lw.log_softmax(x), np.log(exact))):
        assert accuracy.errors(y, expected, dtype, 0).max() <= bounds.bound(name, dtype), name


def test_a_wrong_row_is_noticed(monkeypatch):
    right = lw.softmax
    monkeypatch.setattr(lw, "softmax", lambda x: right(x) * np.float32(1 + 2.0**-20))
    assert row_accuracy.measure_rows("softmax", "float32").largest > 8


def test_bars():
    assert cli_accuracy.bars([255, 15, 0, 1, 0, 0]) == "█▄ ▁"


def test_the_page_begins_as_the_command_writes_it():
    assert PAGE.read_text("utf-8").startswith(cli_accuracy._PREFACE)


def test_command(tmp_path, capsys):
    page = tmp_path / "accuracy.md"
    assert main(["accuracy", "silu", "relu", "--dtypes", "float16", "bfloat16", "--output", str(page)]) == 0
    assert "errors in ULP" in capsys.readouterr().out
    rows = [line for line in page.read_text().splitlines() if line.startswith("| `")]
    assert [row.split(" | ")[:3] for row in rows] == [
        ["| `relu`", "float16", "0.51"], ["| `relu`", "bfloat16", "0.51"],
        ["| `silu`", "float16", "0.51"], ["| `silu`", "bfloat16", "0.51"],
    ]
    page.write_text(page.read_text().replace("| `relu` | float16 | 0.51", "| `relu` | float16 | 0.99"))
    assert main(["accuracy", "silu", "--dtypes", "float32", "--output", str(page)]) == 0
    kept = [line for line in page.read_text().splitlines() if line.startswith("| `")]
    assert [row.split(" | ")[:3] for row in kept[:3]] == [
        ["| `relu`", "float16", "0.99"], ["| `relu`", "bfloat16", "0.51"], ["| `silu`", "float32", "1"]]


def test_command_of_rows(tmp_path, capsys):
    page = tmp_path / "accuracy.md"
    assert main(["accuracy", "rms_norm", "--dtypes", "float16", "--output", str(page)]) == 0
    assert "| `rms_norm` | float16 | 0.51 |" in page.read_text()


def test_command_fails_where_a_bound_is_exceeded(monkeypatch, capsys):
    monkeypatch.setitem(BOUNDS, "exp", {"float32": 0.5, "float64": 0.5})
    assert main(["accuracy", "exp", "--dtypes", "float32"]) == 1


@pytest.mark.parametrize(("arguments", "message"), [
    (["sine"], "no bound is promised for 'sine'"),
    (["exp", "--threads", "0"], "--threads: expected an integer from 1 to 1024; got 0"),
])
@pytest.mark.parametrize("installed", [True, False])
def test_command_refuses(arguments, message, installed, capsys, monkeypatch):
    if not installed:
        monkeypatch.setitem(sys.modules, "mpmath", None)
    assert main(["accuracy", *arguments]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("name", LEARNING_BOUNDS)
def test_command_knows_the_bounds_that_it_does_not_measure(name, capsys):
    assert main(["accuracy", name]) == 2
    told = capsys.readouterr().err
    assert f"{name} is not among the functions measured here" in told
    for dtype, most in bounds.of(name).items():
        assert f"{most:g} ({dtype})" in told


@pytest.mark.parametrize("name", bounds.functions())
def test_command_measures_every_other_function(name, monkeypatch):
    found = accuracy.Accuracy(name, "float16")
    monkeypatch.setattr(accuracy, "measure", lambda *_: found)
    monkeypatch.setattr(row_accuracy, "measure_rows", lambda *_: found)
    monkeypatch.setattr(cli_accuracy, "_show", list)
    assert main(["accuracy", name, "--dtypes", "float16"]) == 0
    if name in ROW_BOUNDS:
        assert name in row_accuracy._TRIALS
    else:
        assert oracles.of_function(name).parameters


def test_a_page_that_cannot_be_written_is_told_before_the_work(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(accuracy, "measure", None)  # which would raise
    for name in ("none/x.md", "", "."):
        assert main(["accuracy", "relu", "--dtypes", "float16", "--output", name]) == 2
        assert ": cannot write" in capsys.readouterr().err
    page = tmp_path / "mine.md"
    page.write_bytes(b"# My own notes \xff")
    assert main(["accuracy", "relu", "--dtypes", "float16", "--output", str(page)]) == 2
    assert "mine.md would be lost; --force replaces" in capsys.readouterr().err
    assert page.read_bytes() == b"# My own notes \xff"
