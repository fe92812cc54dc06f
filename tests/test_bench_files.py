"""Figures as files: what pytest-benchmark reads of them, and what a comparison of two says."""

import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pytest
from lanewise import cli
from lanewise.measure import figures, machine
from lanewise.measure.benchmark import Figures


def run_of(name="silu", copy=1.0, lanewise=2.0, noise=0.01, shape=(4096,)):
    rounds = 1 + noise * np.linspace(-1, 1, 15)
    times = {"copy": [copy] * 15, "lanewise": list(lanewise * rounds), "torch": list(2 * lanewise * rounds)}
    return Figures(name, shape, 4096, 1, "float32", times, {"copy": 32768, "lanewise": 32768, "torch": 32768},
                   {"lanewise": 0.9}, {"mkl": "not installed"})


@pytest.fixture
def written(tmp_path):
    def write(name, *found, **changed):
        path = tmp_path / name
        path.write_text(figures.as_json(found, machine.describe() | changed))
        return str(path)

    return write


def test_what_is_written_is_read(written):
    run = figures.read(written("a.json", run_of(), run_of("softmax", shape=(4, 1024))))
    assert [each.label for each in run.figures] == ["silu float32 4096 1 thread", "softmax float32 4x1024 1 thread"]
    for found, given in zip(run.figures, (run_of(), run_of("softmax", shape=(4, 1024))), strict=True):
        for name, taken in given.times.items():
            assert found.times[name] == pytest.approx(taken)
        assert dataclasses.replace(found, times={}) == dataclasses.replace(given, times={})
    assert run.machine["versions"]["numpy"] == np.__version__
    assert run.machine["level"]


def test_pytest_benchmark_compares_it(written, run_python):
    pytest.importorskip("pytest_benchmark")
    done = run_python("""
        import sys
        from pytest_benchmark.cli import main
        sys.argv[1:1] = ["compare", "--group-by=group"]
        main()
    """, written("a.json", run_of()), written("b.json", run_of(lanewise=3.0)))
    assert done.returncode == 0, done.stderr
    assert "silu float32 4096 1 thread" in done.stdout
    assert "lanewise silu" in done.stdout


def test_a_statistic_is_what_pytest_benchmark_makes_of_the_rounds(written):
    stats = pytest.importorskip("pytest_benchmark.stats").Stats()
    with open(written("a.json", run_of())) as file:
        (entry,) = (each for each in json.load(file)["benchmarks"] if each["param"] == "lanewise")
    for value in entry["stats"]["data"]:
        stats.update(value)
    for name in ("min", "max", "mean", "median", "stddev", "rounds", "total", "ops"):
        assert entry["stats"][name] == pytest.approx(getattr(stats, name))


@pytest.mark.parametrize(("after", "status", "verdict"), [
    ({"lanewise": 3.0}, 1, "slower"), ({"lanewise": 1.0}, 0, "faster"), ({"lanewise": 2.02}, 0, "unclear"),
    # a machine at half its speed: the copy takes as much longer
    ({"lanewise": 4.0, "copy": 2.0}, 0, "unclear"), ({"lanewise": 2.4, "noise": 0.5}, 0, "unclear")])
def test_compare(written, capsys, after, status, verdict):
    files = written("a.json", run_of()), written("b.json", run_of(**after))
    assert cli.main(["bench", "--compare", *files]) == status
    shown = capsys.readouterr().out
    assert verdict in " ".join(shown.split())
    assert "silu float32 4096 1 thread" in shown


def test_other_machines_have_no_absolute_times(written, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    files = written("a.json", run_of()), written("b.json", run_of(), cpu={"brand_raw": "Another", "count": 64})
    assert cli.main(["bench", "--compare", *files]) == 0
    assert "of different machines" in capsys.readouterr().err
    assert cli.main(["bench", "--compare", *files, "--absolute"]) == 2
    assert "whose nanoseconds cannot be compared" in capsys.readouterr().err
    assert cli.main(["bench", "--compare", files[0], files[0], "--absolute"]) == 0
    assert "ns before" in " ".join(capsys.readouterr().out.split())


def test_cases_of_one_file_are_counted(written, capsys):
    files = written("a.json", run_of(), run_of("gelu")), written("b.json", run_of())
    assert cli.main(["bench", "--compare", *files]) == 0
    assert "in one file only: 1 cases" in capsys.readouterr().err
    assert cli.main(["bench", "--compare", files[1], written("c.json", run_of("gelu"))]) == 2
    assert "no case in common" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"benchmarks": [{"extra_info": {}}]}', '{"benchmarks": [1]}'])
def test_other_files_are_refused(written, tmp_path, capsys, text):
    other = tmp_path / "other.json"
    other.write_text(text)
    assert cli.main(["bench", "--compare", written("a.json", run_of()), str(other)]) == 2
    assert "expected a file that `lanewise bench --json` wrote" in capsys.readouterr().err
    assert cli.main(["bench", "--compare", str(tmp_path / "none.json"), str(other)]) == 2
    assert "none.json" in capsys.readouterr().err


def places_in(content, way=()):
    yield way
    if isinstance(content, (dict, list)):
        for key, value in content.items() if isinstance(content, dict) else enumerate(content[:1]):
            yield from places_in(value, (*way, key))


def test_files_that_are_wrong_in_one_place(written, tmp_path):
    right, other = written("a.json", run_of()), tmp_path / "other.json"
    content, before = json.loads(Path(right).read_text("utf-8")), figures.read(right)
    refused = 0
    for way in places_in(content):
        for wrong in (None, "x", -1, [], {}, math.nan):
            changed = json.loads(json.dumps({"": content}))
            place = changed
            for key in ("", *way)[:-1]:
                place = place[key]
            place[("", *way)[-1]] = wrong
            other.write_text(json.dumps(changed[""]))
            try:
                after = figures.read(other)
            except ValueError:
                refused += 1
            else:
                assert figures.same_machine(before, after) in (True, False)
                assert len(figures.compare(before, after)) == len(figures.compare(after, before))
    assert refused > 100
    other.write_text("[" * 100_000)
    assert cli.main(["bench", "--compare", right, str(other)]) == 2
