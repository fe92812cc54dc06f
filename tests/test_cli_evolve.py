# The command `lanewise evolve` as a person meets it: its report, its files, its errors, and Ctrl-C.
import os
import pathlib
import re
import subprocess
import sys
import tomllib

import numpy as np
import pytest
from lanewise import cli
from lanewise.evolution import data
from lanewise.evolution.classifier import Classifier
from lanewise.measure.ablation import RECIPES

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
    assert lanewise(*options, "--output", blobs / "here.npz") == 0
    assert lanewise(*options, "--output", blobs / "there.npz", "--workers", 2, "--checkpoint", blobs / "run.ckpt") == 0
    assert lanewise(*options, "--output", blobs / "again.npz", "--resume", blobs / "run.ckpt") == 0
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
        lanewise(blobs / "blobs.npz", "--generations", 10, "--seed", 5, "--output", blobs / f"{run}.npz")
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
    ("a.npz", {"x": X}, "no array 'y'; it holds x"),
    ("a.npz", {"x": X, "y": Y[:7]}, r"one label for each of the 20 rows; got \[7\]"),
    ("a.npz", {"x": Y, "y": Y}, r"x is numbers, \[rows, features\]; got int64\[20\]"),
    ("a.npz", {"x": X.astype(str), "y": Y}, "x is numbers"),
    ("a.npz", {"x": X * np.nan, "y": Y}, "row 1 holds a NaN"),
    ("a.npz", {"x": X, "y": Y * 0}, "every row has the label '0'"),
    ("a.npz", {"x": X, "y": np.arange(20)}, "too few rows of class '0': .* Values, not classes, are learned by"),
    ("a.npz", {"x": X, "y": (np.arange(20) / 8).astype(str)}, "learned by lanewise evolve --objective mse"),
    ("a.npz", {"x": X, "y": np.ones((20, 2))}, "2 labels per row; a class is one"),
    ("a.npz", {"x": X[:9], "y": Y[:9]}, "9 rows; at least 10"),
    ("a.npz", b"PK\x03\x04 broken", r"not a readable \.npz"),
    ("a.npz", b"", r"not a readable \.npz"),
    ("a.csv", "", "no rows of numbers"),
    ("a.csv", "1,2,a\n3,4,5,b\n", "line 2 has 4 fields, the lines before it 3"),
    ("a.csv", "1,2,a\n3,four,b\n", "line 2 has 'four' where a number is wanted"),
    ("a.csv", "1\n2\n", "line 1 has one field; features and a label are wanted, separated by commas\n"),
    ("a.csv", "x;y;label\n1;2;a\n", "line 1 has one field; .* separated by commas, not by semicolons\n"),
    ("a.csv", "x\ty\tlabel\n1\t2\ta\n", "separated by commas, not by tabs\n"),
    ("a.csv", "1 2 a\n3 4 b\n", "separated by commas, not by spaces\n"),
    ("a.csv", "1,2,a\n", "1 row; at least 10"),
    ("a.csv", b"\xff\xfe\x00,1", "not a text file"),
    ("a.csv", "1,2,a\n" * 9 + "1,inf,b\n" * 3, "line 10 has 'inf': a NaN, an infinity or a number beyond"),
    ("a.csv", "\nx,y,label\n" + "1,2,a\n" * 9 + "-1e301,4,b\n" * 3, "line 12 has '-1e301': a NaN, an infinity or"),
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
    (["--seed=--"], "argument --seed: expected a value; got --"),
])
def test_a_bad_option(capsys, arguments, message):
    with pytest.raises(SystemExit) as stopped:
        lanewise(*arguments)
    assert stopped.value.code == 2
    assert re.search(message, capsys.readouterr().err)


def test_other_settings(blobs, capsys):
    options = ["--activation", "silu", "--batch-size", 64, "--mutation-rate", "adaptive", "--restart-after", 200,
               "--niche-radius", 0.5, "--output", blobs / "x.npz"]
    assert lanewise(blobs / "blobs.npz", *options, "--target-loss", 0.3) == 0
    assert re.search(r"generations \(target_loss\)", capsys.readouterr().out)
    assert Classifier.load(blobs / "x.npz").network.activation == "silu"
    assert lanewise(blobs / "blobs.npz", *options, "--batch-size", "all", "--patience", 20, "--force") == 0
    assert re.search(r"generations \(patience\)", capsys.readouterr().out)
    assert lanewise(blobs / "blobs.npz", "--activation", "silly") == 2
    assert "--activation silly: expected one of" in capsys.readouterr().err


def test_more_elite_than_population(blobs, capsys):
    assert lanewise(blobs / "blobs.npz", "--elite", 9, "--population", 5) == 2
    assert "--elite 9 is more than --population 5" in capsys.readouterr().err


@pytest.mark.parametrize("module", ["matplotlib", "sklearn"])
def test_a_missing_extra_says_what_to_install(monkeypatch, capsys, tmp_path, module):
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.chdir(tmp_path)
    assert lanewise("--generations", 1) == 2
    assert capsys.readouterr().err == (f"lanewise: this needs {module}, which is not installed: "
                                       "pip install 'lanewise[demo]'\n")


def test_without_rich_it_runs_plainly(monkeypatch, capsys, blobs):
    for module in ("rich", "rich.console", "rich.text", "rich.progress"):
        monkeypatch.setitem(sys.modules, module, None)
    assert lanewise(blobs / "blobs.npz", "--generations", 5, "--output", blobs / "x.npz") == 0
    captured = capsys.readouterr()
    assert captured.err.startswith("Evolving 4-32-3 in LOG4 codes on blobs.npz: 96 rows, 24 held out")
    assert re.search(r"^  network +\S*x\.npz$", captured.out, re.MULTILINE)


def test_hints_name_extras_that_exist():
    source = pathlib.Path(cli.__file__).parent
    hints = {extra for file in source.glob("*.py")
             for extra in re.findall(r"""require\([^()]*, "(\w+)"\)""", file.read_text())}
    assert hints >= {"demo", "test"}
    project = tomllib.loads((pathlib.Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    assert hints <= set(project["optional-dependencies"])


def test_a_resumed_run_has_the_data_and_settings_it_was_started_with(blobs, monkeypatch, capsys):
    monkeypatch.chdir(blobs)
    options = ["--hidden", "5", "--activation", "tanh", "--population", 20, "--mutation", "redraw", "--mutation-rate",
               "0.02,0.01", "--seed", 3, "--label", "tree"]
    assert lanewise("blobs.csv", *options, "--generations", 30, "--checkpoint", "run.ckpt", "--output", "a.npz") == 0
    assert lanewise("--resume", "run.ckpt", "--generations", 60) == 0
    captured = capsys.readouterr()
    assert "Evolving 4-5-3 in LOG4 codes on blobs.csv" in captured.err
    assert "finished" not in captured.err
    assert lanewise("blobs.csv", *options, "--generations", 60, "--output", "b.npz") == 0
    resumed, whole = Classifier.load("a-1.npz"), Classifier.load("b.npz")
    assert resumed.network.activation == "tanh"
    assert resumed.network.sizes == whole.network.sizes
    assert not os.path.exists("evolved.npz")
    assert Classifier.load("a.npz").genome.tobytes() != resumed.genome.tobytes()


def test_a_finished_run_says_so(blobs, monkeypatch, capsys):
    monkeypatch.chdir(blobs)
    assert lanewise("blobs.npz", "--generations", 5, "--checkpoint", "run.ckpt", "--output", "a.npz") == 0
    before = (blobs / "run.ckpt").stat().st_size
    capsys.readouterr()
    assert lanewise("--resume", "run.ckpt") == 0
    assert "run.ckpt is of a finished run (generations): nothing was left to do" in capsys.readouterr().err
    assert Classifier.load("a.npz").genome.tobytes() == Classifier.load("a-1.npz").genome.tobytes()
    assert (blobs / "run.ckpt").stat().st_size == before


@pytest.mark.parametrize(("options", "message"), [
    (["--activation", "silu"], "is of a run with activation = relu; this one has silu"),
    (["--hidden", "7"], "is of a run with n_weights = 224; this one has 49"),
    (["--seed", "4"], "is of a run with seed = 0; this one has 4"),
    (["--objective", "accuracy"], "is of a run with objective = cross_entropy; this one has accuracy"),
    (["--mutation-rate", "0.1"], "with mutation_rate = 0.004, 0.000[0-9]*; this one has 0.1"),
    (["other.npz"], "is of a run with other data: 96 rows of 4 features too, but other values"),
])
def test_another_run_is_not_resumed(blobs, monkeypatch, capsys, options, message):
    monkeypatch.chdir(blobs)
    with np.load("blobs.npz") as arrays:
        np.savez("other.npz", x=arrays["x"][::-1], y=arrays["y"][::-1])
    assert lanewise("blobs.npz", "--generations", 5, "--checkpoint", "run.ckpt", "--output", "a.npz") == 0
    kept = (blobs / "run.ckpt").read_bytes()
    assert lanewise("--resume", "run.ckpt", *options, "--generations", 6) == 2
    assert re.search(message, capsys.readouterr().err)
    assert (blobs / "run.ckpt").read_bytes() == kept
    assert not (blobs / "a-1.npz").exists()


def test_an_output_that_exists_is_not_lost(blobs, monkeypatch, capsys):
    monkeypatch.chdir(blobs)
    run = "blobs.npz", "--generations", 2
    assert lanewise(*run) == lanewise(*run) == 0
    assert {path.name for path in blobs.glob("evolved*")} == {"evolved.npz", "evolved.png", "evolved-1.npz",
                                                              "evolved-1.png"}
    first = (blobs / "evolved.npz").read_bytes()
    assert lanewise(*run, "--output", "evolved.npz") == 2  # nobody is there to be asked
    assert "evolved.npz and evolved.png would be lost; --force replaces" in capsys.readouterr().err
    assert lanewise(*run, "--checkpoint", "evolved.npz") == 2
    assert (blobs / "evolved.npz").read_bytes() == first
    monkeypatch.setattr("lanewise.cli.confirm", lambda question: "evolved.npz and evolved.png exist" in question)
    assert lanewise(*run, "--seed", 1, "--output", "evolved.npz") == 0
    assert (blobs / "evolved.npz").read_bytes() != first
    monkeypatch.undo()
    monkeypatch.chdir(blobs)
    assert lanewise(*run, "--output", "evolved.npz", "--force") == 0
    assert (blobs / "evolved.npz").read_bytes() == first


@pytest.mark.parametrize("name", ["run.v1.2", "plain", "x.png", "a b.npz"])
def test_the_name_that_is_given_is_written(blobs, monkeypatch, name):
    monkeypatch.chdir(blobs)
    before = {path.name for path in blobs.iterdir()}
    assert lanewise("blobs.npz", "--generations", 2, "--output", name) == 0
    assert Classifier.load(name).network.sizes == (4, 32, 3)
    figure = "a b.png" if name == "a b.npz" else f"{name}.png"
    assert {path.name for path in blobs.iterdir()} - before == {name, figure}


@pytest.mark.parametrize("option", ["--output", "--checkpoint"])
@pytest.mark.parametrize("name", ["", ".", "none/x", "folder/"])
def test_places_that_cannot_be_written_are_told_before_the_work(blobs, monkeypatch, capsys, option, name):
    monkeypatch.chdir(blobs)
    before = sorted(blobs.iterdir())
    monkeypatch.setattr("lanewise.evolution.evolve", None)  # which would raise
    assert lanewise("blobs.npz", option, name) == 2
    assert f"{option} {name}: cannot write" in capsys.readouterr().err
    assert sorted(blobs.iterdir()) == before


def test_a_checkpoint_that_fails_in_the_end_does_not_lose_the_network(blobs, monkeypatch, capsys):
    monkeypatch.chdir(blobs)

    def full(*arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("lanewise.evolution.checkpoint.save", full)
    assert lanewise("blobs.npz", "--generations", 3, "--checkpoint", "run.ckpt", "--output", "x.npz") == 2
    assert "No space left on device; the best network is in x.npz" in capsys.readouterr().err
    assert Classifier.load("x.npz").network.sizes == (4, 32, 3)


def test_values_are_learned(blobs, monkeypatch, capsys):
    monkeypatch.chdir(blobs)
    x = np.random.default_rng(1).uniform(-1, 1, (200, 2))
    lines = [f"{a!r},{1000 + 50 * a - 20 * b!r},{b!r}" for a, b in x.tolist()]
    write(blobs, "v.csv", "a,price,b\n" + "\n".join(lines))
    assert lanewise("v.csv", "--objective", "mse", "--label", "price", "--generations", 500, "--population", 60,
                    "--hidden", "8", "--output", "v.npz") == 0
    report = capsys.readouterr().out
    assert float(re.search(r"held-out loss +([\d.]+) of the variance", report)[1]) < 0.1
    assert float(re.search(r"held-out error +([\d.]+), root mean square", report)[1]) < 10
    model = Classifier.load("v.npz")
    assert (model.label, model.features, model.network.objective) == ("price", ("a", "b"), "mse")
    assert model.score(x, 1000 + 50 * x[:, 0] - 20 * x[:, 1]) > 0.9
    write(blobs, "new.csv", "b,a\n-1,1\n1,-1\n")
    assert cli.main(["predict", "v.npz", "new.csv"]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    assert [float(line) for line in captured.out.split()] == pytest.approx([1070, 930], abs=30)


def test_predict(blobs, monkeypatch, capsys):
    monkeypatch.chdir(blobs)
    assert lanewise("blobs.csv", "--generations", 300, "--output", "model") == 0
    capsys.readouterr()
    assert cli.main(["predict", "model", "blobs.npz", "--output", "out.csv"]) == 0
    right = float(re.search(r"([\d.]+)% of 120 rows are right", capsys.readouterr().err)[1])
    assert right > 90
    predicted = (blobs / "out.csv").read_text().split()
    with np.load("blobs.npz") as arrays:
        assert 100 * np.mean(predicted == arrays["y"]) == pytest.approx(right, abs=0.01)
        np.save("rows.npy", arrays["x"][:3])
    assert cli.main(["predict", "model", "rows.npy", "--probabilities"]) == 0
    lines = [line.split(",") for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == ["predicted", "ash", "elm", "oak"]
    for line, label in zip(lines[1:], predicted, strict=False):
        assert line[0] == label == lines[0][1 + np.argmax([float(p) for p in line[1:]])]
    assert cli.main(["predict", "model", "blobs.csv", "--output", "out.csv"]) == 2
    assert "out.csv would be lost" in capsys.readouterr().err
    assert cli.main(["predict", "blobs.csv", "blobs.csv"]) == 2
    assert "blobs.csv is not a readable .npz" in capsys.readouterr().err
    write(blobs, "narrow.csv", "1,2\n3,4\n")
    assert cli.main(["predict", "model", "narrow.csv"]) == 2
    assert "the network has 4 inputs" in capsys.readouterr().err


@pytest.mark.parametrize(("options", "message"), [
    (["--ablation", "--population", "20", "--checkpoint", "x"], "--population, --checkpoint would do nothing"),
    (["--data", "other.npz"], "two data files were given"),
    (["--executor", "process", "--generations", "1"], "--executor does nothing without --workers"),
])
def test_options_that_do_nothing_say_so(blobs, monkeypatch, capsys, options, message):
    monkeypatch.chdir(blobs)
    lanewise("blobs.npz", *options)
    assert message in capsys.readouterr().err


def test_notes_on_the_data_and_messages_go_to_standard_error(blobs, monkeypatch, capsys):
    monkeypatch.chdir(blobs)
    rows = (blobs / "blobs.csv").read_text().splitlines()
    write(blobs, "index.csv", "\n".join([f",{rows[0]}", *(f"{i},{row}" for i, row in enumerate(rows[1:]))]))
    assert lanewise("index.csv", "--generations", 2) == 0
    captured = capsys.readouterr()
    assert "index.csv: the first column has no name" in captured.err
    assert "Evolving 4-32-3" in captured.err
    assert captured.out.strip().startswith("held-out accuracy")


def test_a_reader_that_has_read_enough(blobs):
    done = subprocess.run(f"{sys.executable} -m lanewise inspect 0.1 --all-formats | head -c 1", shell=True,
                          capture_output=True, text=True)
    assert done.stderr == ""
