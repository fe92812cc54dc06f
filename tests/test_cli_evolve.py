# The command `lanewise evolve` as a person meets it: its report, its files, its errors, and Ctrl-C.
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from lanewise import cli, data
from lanewise.ablation import RECIPES
from lanewise.classifier import Classifier

pytest.importorskip("rich")
pytest.importorskip("matplotlib")


def lanewise(*arguments):
    return cli.main(["evolve", *map(str, arguments)])


@pytest.fixture
def blobs(tmp_path):
    # three classes anyone can tell apart, with a constant column and one of a large unit
    rng = np.random.default_rng(1)
    y = np.repeat(["ash", "elm", "oak"], 40)
    x = np.column_stack([rng.normal(size=(120, 2)) + 5 * (y[:, None] == ["ash", "elm"]), np.full(120, 7.0),
                         1e6 * rng.normal(size=120)])
    order = rng.permutation(120)
    np.savez(tmp_path / "blobs.npz", x=x[order], y=y[order])
    lines = [",".join([*map(repr, row.tolist()), label]) for row, label in zip(x[order], y[order], strict=True)]
    (tmp_path / "blobs.csv").write_text("a,b,c,d,tree\n" + "\n".join(lines) + "\n")
    return tmp_path


@pytest.mark.parametrize("name", ["blobs.npz", "blobs.csv"])
def test_a_person_s_own_data(blobs, name, capsys):
    output = blobs / "trees.npz"
    assert lanewise(blobs / name, "--generations", 600, "--hidden", "6,5", "--population", 40, "--output", output) == 0
    report = capsys.readouterr().out
    assert float(re.search(r"held-out accuracy\s+([\d.]+)%", report)[1]) > 90
    assert re.search(r"genome\s+35 bytes; in float32 276", report)  # 4 * 6 + 6 * 5 + 5 * 3 = 69 weights
    assert output.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
    classifier = Classifier.load(output)
    assert classifier.network.sizes == (4, 6, 5, 3)
    d = data.load(blobs / name)
    assert d.classes.tolist() == ["ash", "elm", "oak"]
    assert (classifier.predict(d.x_held_out) == d.classes[d.y_held_out]).mean() > 0.9


def test_islands_of_workers_checkpoint_and_resume(blobs):
    options = [blobs / "blobs.npz", "--islands", 2, "--generations", 60, "--population", 20]
    assert lanewise(*options, "--output", blobs / "here") == 0
    assert lanewise(*options, "--output", blobs / "there", "--workers", 2, "--checkpoint", blobs / "run.ckpt") == 0
    assert lanewise(*options, "--output", blobs / "again", "--resume", blobs / "run.ckpt") == 0
    genomes = {Classifier.load(blobs / f"{run}.npz").genome.tobytes() for run in ("here", "there", "again")}
    assert len(genomes) == 1


def test_a_bad_checkpoint(blobs, capsys):
    assert lanewise(blobs / "blobs.npz", "--resume", blobs / "blobs.csv", "--output", blobs / "x") == 2
    assert "is not a readable checkpoint" in capsys.readouterr().err
    assert lanewise(blobs / "blobs.npz", "--resume", blobs / "none", "--output", blobs / "x") == 2
    assert "No such file" in capsys.readouterr().err


def test_ablation(blobs, capsys):
    assert lanewise(blobs / "blobs.npz", "--ablation", "--generations", 10, "--output", blobs / "parts.npz") == 0
    report = capsys.readouterr().out
    for recipe in ("mutation only", "crossover only", "1.5%", "all but two fresh"):
        assert recipe in report
    assert (blobs / "parts.png").read_bytes().startswith(b"\x89PNG")
    table = (blobs / "parts.md").read_text().splitlines()
    assert len(table) == 2 + len(RECIPES)
    assert {line.count("|") for line in table} == {5}


def test_the_same_seed_gives_the_same_network(blobs):
    for run in ("first", "again"):
        lanewise(blobs / "blobs.npz", "--generations", 10, "--seed", 5, "--output", blobs / run)
    first, again = (Classifier.load(blobs / f"{run}.npz") for run in ("first", "again"))
    assert first.genome.tobytes() == again.genome.tobytes()


def write(folder, name, content):
    path = folder / name
    if isinstance(content, dict):
        np.savez(path, **content)
    elif isinstance(content, bytes):
        path.write_bytes(content)
    else:
        path.write_text(content)
    return path


X, Y = np.eye(20), np.arange(20) % 2


@pytest.mark.parametrize(("name", "content", "message"), [
    ("a.txt", "1,2", r"expected a \.npz with x and y, or a \.csv with the label last; got \.txt"),
    ("a.npz", {"x": X}, "no array y; it holds x"),
    ("a.npz", {"x": X, "y": Y[:7]}, r"one label for each of the 20 rows; got \[7\]"),
    ("a.npz", {"x": Y, "y": Y}, r"x is numbers, \[rows, features\]; got int64\[20\]"),
    ("a.npz", {"x": X.astype(str), "y": Y}, "x is numbers"),
    ("a.npz", {"x": X * np.nan, "y": Y}, "row 1 holds a NaN"),
    ("a.npz", {"x": X, "y": Y * 0}, "every row has the label '0'"),
    ("a.npz", {"x": X, "y": np.arange(20)}, "too few rows of class '0'"),
    ("a.npz", {"x": X[:9], "y": Y[:9]}, "9 rows; at least 10"),
    ("a.npz", b"PK\x03\x04 broken", r"not a readable \.npz"),
    ("a.npz", b"", r"not a readable \.npz"),
    ("a.csv", "", "no rows of numbers"),
    ("a.csv", "1,2,a\n3,4,5,b\n", "line 2 has 4 fields, the lines before it 3"),
    ("a.csv", "1,2,a\n3,four,b\n", "line 2 has 'four' where a number is wanted"),
    ("a.csv", "1\n2\n", "line 1 has one field"),
    ("a.csv", b"\xff\xfe\x00,1", "not a text file"),
    ("a.csv", "1,2,a\n" * 9 + "1,inf,b\n" * 3, "row 10 holds a NaN, an infinity"),
])
def test_a_bad_file_is_named_with_what_is_wrong(tmp_path, capsys, name, content, message):
    path = write(tmp_path, name, content)
    assert lanewise(path, "--output", tmp_path / "out.npz") == 2
    error = capsys.readouterr().err
    assert error.startswith(f"lanewise: {path}: ")
    assert re.search(message, error)
    assert not (tmp_path / "out.npz").exists()


def test_a_missing_file(tmp_path, capsys):
    assert lanewise(tmp_path / "none.csv") == 2
    assert "no such file" in capsys.readouterr().err
    assert lanewise(tmp_path) == 2
    assert "is a folder" in capsys.readouterr().err


def test_an_output_that_cannot_be_written(blobs, capsys):
    assert lanewise(blobs / "blobs.npz", "--output", blobs / "none" / "x.npz") == 2
    assert "cannot write" in capsys.readouterr().err


@pytest.mark.parametrize(("arguments", "message"), [
    (["--generations", "0"], "0 is not positive"),
    (["--population", "x"], "invalid int value: 'x'"),
    (["--mutation-rate", "2"], "2 is not one rate from 0 to 1"),
    (["--mutation-rate", "0.1,0.2,0.3"], "nor two"),
    (["--niche-radius", "-1"], "-1 is not a number from 0"),
    (["--batch-size", "100"], "100 is not a multiple of 64, nor all"),
    (["--seed", "-1"], "is not between 0 and 2\\^64 - 1"),
    (["--hidden", "0"], "0 is not positive"),
])
def test_a_bad_option(capsys, arguments, message):
    with pytest.raises(SystemExit) as stopped:
        lanewise(*arguments)
    assert stopped.value.code == 2
    assert re.search(message, capsys.readouterr().err)


def test_other_settings(blobs, capsys):
    options = ["--activation", "silu", "--batch-size", 64, "--mutation-rate", "adaptive", "--restart-after", 200,
               "--niche-radius", 0.5, "--output", blobs / "x"]
    assert lanewise(blobs / "blobs.npz", *options, "--target-loss", 0.3) == 0
    assert re.search(r"generations \(target_loss\)", capsys.readouterr().out)
    assert Classifier.load(blobs / "x.npz").network.activation == "silu"
    assert lanewise(blobs / "blobs.npz", *options, "--batch-size", "all", "--patience", 20) == 0
    assert re.search(r"generations \(patience\)", capsys.readouterr().out)
    assert lanewise(blobs / "blobs.npz", "--activation", "silly") == 2
    assert "--activation silly: expected one of" in capsys.readouterr().err


def test_more_elite_than_population(blobs, capsys):
    assert lanewise(blobs / "blobs.npz", "--elite", 9, "--population", 5) == 2
    assert "--elite 9 is more than --population 5" in capsys.readouterr().err


@pytest.mark.parametrize("module", ["rich", "matplotlib", "sklearn"])
def test_a_missing_extra_says_what_to_install(monkeypatch, capsys, tmp_path, module):
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.chdir(tmp_path)
    assert lanewise("--generations", 1) == 2
    assert capsys.readouterr().err == (f"lanewise: this needs {module}, which is not installed: "
                                       "pip install 'lanewise[demo]'\n")


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_ctrl_c_keeps_the_best_so_far(blobs):
    output = blobs / "kept.npz"
    process = subprocess.Popen(
        [sys.executable, "-m", "lanewise", "evolve", blobs / "blobs.npz", "--generations", "100000000",
         "--output", output],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler))  # a background job ignores it
    try:
        assert "Evolving" in process.stdout.readline()
        time.sleep(1.5)
        process.send_signal(signal.SIGINT)
        out, error = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130, error
    assert "(interrupted)" in out
    assert error == ""
    assert Classifier.load(output).network.sizes == (4, 32, 3)
    assert output.with_suffix(".png").exists()
