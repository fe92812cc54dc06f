# What a command has worked for is kept: disks that are full in the end, and not when it began.
import os
import re
import subprocess
import sys

import lanewise as lw
import numpy as np
import pytest
from lanewise import cli, files
from lanewise.cli import figures
from lanewise.evolution.classifier import Classifier
from lanewise.learning.flow import GradientFlow

pytest.importorskip("matplotlib")


@pytest.fixture
def here(tmp_path, monkeypatch):
    for folder in ("out", "cwd", "tmp"):
        (tmp_path / folder).mkdir()
    rng = np.random.default_rng(1)
    x = rng.normal(size=(60, 3))
    np.savez(tmp_path / "data.npz", x=x, y=np.where(x[:, 0] > 0, "up", "down"))
    monkeypatch.chdir(tmp_path / "cwd")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    return tmp_path


def fill(monkeypatch, *full):
    # files open, and then there is no room for what is written
    def replacing(path, replacing=files.replacing):
        if any(str(path).startswith(str(folder)) for folder in full):
            raise OSError(28, "cannot write: No space left on device", str(path))
        return replacing(path)

    for module in ("lanewise.evolution.classifier", "lanewise.cli.figures", "lanewise.files"):
        monkeypatch.setattr(f"{module}.replacing", replacing)


def told(capsys):
    return " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(("full", "kept"), [(["out"], "cwd/x.npz"), (["out", "cwd"], "tmp/x.npz")])
@pytest.mark.parametrize("command", ["evolve", "train"])
def test_the_network_is_written_where_there_is_room(here, monkeypatch, capsys, command, full, kept):
    fill(monkeypatch, *(here / folder for folder in full))
    length = ["--generations", "5"] if command == "evolve" else ["--epochs", "1"]
    assert cli.main([command, "../data.npz", *length, "--output", str(here / "out/x.npz")]) == 2
    captured = capsys.readouterr()
    assert re.search(rf"network +\S*{kept}\s", captured.out)
    assert re.search(rf"No space left on device: '\S*out/x.npz'; the (best )?network is in \S*{kept}$",
                     " ".join(captured.err.split()))
    if command == "evolve":
        assert Classifier.load(here / kept).network.sizes == (3, 32, 2)
    assert files.read_arrays(here / kept)["classes"].tolist() == ["down", "up"]
    assert not list((here / "out").iterdir())


def test_a_file_that_lies_where_it_is_kept_stays(here, monkeypatch, capsys):
    (here / "cwd/x.npz").write_bytes(b"another")
    fill(monkeypatch, here / "out")
    assert cli.main(["evolve", "../data.npz", "--generations", "2", "--output", str(here / "out/x.npz")]) == 2
    assert told(capsys).endswith("the best network is in " + str(here / "cwd/x-1.npz"))
    assert (here / "cwd/x.npz").read_bytes() == b"another"


def test_a_person_may_make_room(here, monkeypatch, capsys):
    fill(monkeypatch, here / "out")
    asked = []

    def confirm(question):
        asked.append(question)
        monkeypatch.undo()  # there is room
        return True

    monkeypatch.setattr("lanewise.cli.confirm", confirm)
    written, error = cli.keep(here / "out/x", lambda path: figures.replacing(path).__enter__().close())
    assert (written, error) == (here / "out/x", None)
    assert re.search("No space left.*Try again", *asked)


def test_no_room_anywhere(here):
    def write(path):
        raise OSError(28, "No space left on device", str(path))

    with pytest.raises(cli.CommandError, match=r"No space left on device: 'x'; nor could it be written to any other"):
        cli.keep("x", write)


def test_a_figure_that_fails_does_not_lose_the_report(here, monkeypatch, capsys):
    fill(monkeypatch, here / "out/x.png")
    assert cli.main(["evolve", "../data.npz", "--generations", "2", "--output", str(here / "out/x.npz")]) == 2
    captured = capsys.readouterr()
    assert "held-out accuracy" in captured.out
    assert "learning curve" not in captured.out
    assert captured.err.rstrip().endswith(f"the best network is in {here / 'out/x.npz'}".replace("\n", ""))
    assert Classifier.load(here / "out/x.npz").network.sizes == (3, 32, 2)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device that is always full")
def test_no_traceback_of_a_full_disk(here, run_python):
    network = lw.evolution.Network((3, 2))
    Classifier(network, np.zeros(network.genome_bytes, np.uint8), ["down", "up"]).save(here / "model.npz")
    done = run_python("""
        import subprocess, sys

        lanewise = [sys.executable, "-m", "lanewise"]
        predict = ["predict", "model.npz", "data.npz"]
        for command in ([*predict, "--output", "/dev/full"], predict, ["inspect", "--bits", "0x3dcccccd"]):
            with open("/dev/full", "w") as full:
                done = subprocess.run(lanewise + command, stdout=full, stderr=subprocess.PIPE, text=True)
            print(done.returncode, done.stderr.strip())
    """)
    lines = done.stdout.splitlines()
    assert len(lines) == 3
    assert all(re.fullmatch("2 lanewise: .*No space left on device.*", line) for line in lines), lines


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device that is always full")
@pytest.mark.parametrize("kind", ["full", "broken"])
def test_messages_that_nobody_can_be_given_lose_no_result(here, kind):
    reading, stream = os.pipe() if kind == "broken" else (None, os.open("/dev/full", os.O_WRONLY))
    if reading is not None:
        os.close(reading)
    runs = []
    for command in (["train", "data.npz", "--epochs", "1", "--output", "model.npz"], ["inspect", "nothing"],
                    ["inspect", "0.1"], ["accuracy", "relu", "--dtypes", "float16"]):
        runs.append(subprocess.run([sys.executable, "-m", "lanewise", *command], stdout=subprocess.PIPE, stderr=stream,
                                   text=True, cwd=here))
    os.close(stream)
    assert [done.returncode for done in runs] == [0, 2, 0, 0]
    assert "relu" in runs[3].stdout
    assert "model.npz" in runs[0].stdout
    assert "weight0" in files.read_arrays(here / "model.npz")


@pytest.mark.parametrize("objective", ["mse", "cross_entropy"])
def test_what_is_held_out_is_drawn(here, objective):
    x, network = np.random.default_rng(0).normal(size=(100, 3)), lw.evolution.Network((3, 2), objective=objective)
    y = x[:, :2] if objective == "mse" else (x[:, 0] > 0).astype(int)
    result = lw.evolution.evolve(network, x, y, held_out=(x[:10], y[:10]), generations=3, progress=False)
    drawn = figures.learning_curve(result.history, network, "data", here / "curve.svg").read_text()
    assert ("held-out loss" in drawn) == (objective == "mse")
    assert ("held-out accuracy" in drawn) == (objective != "mse")


def test_what_is_no_figure_is_told_before_the_work(here, monkeypatch, capsys):
    monkeypatch.setattr("lanewise.learning.gradient_flow", None)  # which would raise
    assert cli.main(["flow", "--output", "x.xyz"]) == 2
    assert "--output: a figure is a file of" in told(capsys)
    assert cli.main(["flow", "--output", "none/x.png"]) == 2
    assert "--output none/x.png: cannot write" in told(capsys)


@pytest.mark.parametrize("command", [["flow", "--depth", "2", "--width", "3"], ["inspect", "0.1"]])
def test_a_force_that_does_nothing_says_so(here, capsys, command):
    assert cli.main([*command, "--force"]) == 0
    assert "--force does nothing" in told(capsys)
    assert cli.main(["flow", "--depth", "2", "--width", "3", "--force", "--output", "x.png"]) == 0
    assert "--force does nothing" not in told(capsys)


@pytest.mark.parametrize("value", [np.inf, np.nan, 0.0, -1.0])
def test_losses_without_a_logarithm_are_drawn(here, value):
    # a curve that cannot be drawn would end a run that is done with a traceback
    network = lw.evolution.Network((3, 2))
    history = np.zeros(3, lw.evolution.HISTORY)
    for name in ("loss", "mean_loss", "accuracy"):
        history[name] = value
    figures.learning_curve(history, network, "data", here / "curve.svg")
    figures.training_curve(history, (3, 2), "data", here / "curve.svg")
    flow = GradientFlow(*np.full((3, 3), value))
    figures.flows({"relu": flow}, "title", here / "curve.svg")


@pytest.mark.parametrize(("words", "message"), [
    (["train", ""], "expected the name of a file; got an empty one"),
    (["evolve", ""], "expected the name of a file; got an empty one"),
    (["evolve", "--start", ""], "No such file or directory: ''"),
    (["train", "../data.npz", "--label", ""], "no array ''; it holds x, y"),
    (["bench", "--compare", "", ""], "No such file or directory: ''"),
    (["bench", "--sizes", ""], "--sizes: expected at least one; got none"),
    (["bench", "--threads", " "], "--threads: expected at least one; got none"),
    (["bench", "--dtype", ","], "--dtype: expected at least one; got none"),
    (["bench", "--layout", ""], "--layout: expected at least one; got none"),
    (["flow", "--seed", ""], "argument --seed: '' is not a whole number"),
    (["evolve", "--mutation-rate", " "], "argument --mutation-rate: ' ' is not one rate"),
])
def test_an_empty_value_is_said_to_be_empty(here, capsys, words, message):
    try:
        status = cli.main(words)
    except SystemExit as ended:
        status = ended.code
    assert status == 2
    assert message in told(capsys)


@pytest.mark.parametrize("words", [
    ["predict", "none.npz", "../data.npz"],
    ["evolve", "--start", "none.npz"],
    ["evolve", "--resume", "none.npz"],
    ["inspect", "none.npz"],
    ["bench", "--compare", "none.npz", "none.npz"],
])
def test_a_file_that_is_not_there_is_named_in_words(here, capsys, words):
    assert cli.main(words) == 2
    assert told(capsys).endswith("none.npz: No such file or directory")


@pytest.mark.parametrize("shape", [(0, 3), (0, 3, 1)])
def test_a_file_of_no_rows(here, capsys, shape):
    x = np.zeros(shape)
    np.savez("x.npz", x=x, y=np.zeros(0, int))
    np.save("x.npy", x)
    for command in ("evolve", "train"):
        assert cli.main([command, "x.npz"]) == 2
        assert told(capsys) == "lanewise: x.npz: 0 rows; at least 10 are wanted"
    for objective, classes in (("cross_entropy", ["down", "up"]), ("mse", None)):
        network = lw.evolution.Network((3, 2), objective=objective)
        Classifier(network, np.zeros(network.genome_bytes, np.uint8), classes).save("model.npz")
        for data in ("x.npz", "x.npy"):
            assert cli.main(["predict", "model.npz", data]) == 0
            assert capsys.readouterr() == ("", "")


def test_a_stream_that_lacks_a_sign_has_it_spelt_out(here, run_python):
    # as a pipe on Windows: an error would come after the work, in the midst of a table
    np.save(here / "x.npy", np.ones((3, 2)))
    done = run_python("""
        import subprocess, sys

        import lanewise as lw
        import numpy as np

        network = lw.evolution.Network((2, 2))
        kept = lw.evolution.Classifier(network, np.zeros(network.genome_bytes, np.uint8), ["\\u00e4\\u4e00", "b"])
        kept.save("model.npz")
        for command in (["inspect", "x.npy"], ["predict", "model.npz", "x.npy"], ["inspect", "no\\u00e4.npy"]):
            done = subprocess.run([sys.executable, "-X", "utf8=0", "-m", "lanewise", *command], capture_output=True,
                                  env=__import__("os").environ | {"PYTHONIOENCODING": "ascii", "LC_ALL": "C.UTF-8"})
            assert b"Traceback" not in done.stderr, done.stderr
            print(ascii((done.stdout + done.stderr).decode("ascii")))
    """)
    inspected, predicted, missing = done.stdout.splitlines()
    assert "2^0 ########" in inspected
    assert set(predicted.strip("'").split("\\n")) <= {r"\\xe4\\u4e00", "b", ""}
    assert r"cannot read no\\xe4.npy" in missing


def test_labels_that_are_none_of_the_classes(here, capsys):
    network = lw.evolution.Network((3, 2))
    Classifier(network, np.zeros(network.genome_bytes, np.uint8), [0, 1]).save("model.npz")
    (here / "cwd/x.csv").write_text("1,2,3,up\n4,5,6,down\n")
    assert cli.main(["predict", "model.npz", "x.csv"]) == 2
    assert "x.csv: y holds none of the classes [0, 1]; got <U4, such as 'up'" in told(capsys)
    network = lw.evolution.Network((3, 1), objective="mse")
    Classifier(network, np.zeros(network.genome_bytes, np.uint8)).save("model.npz")
    assert cli.main(["predict", "model.npz", "x.csv"]) == 2
    assert "x.csv: the network predicts values, so labels must be numbers; got <U4, such as 'up'" in told(capsys)


@pytest.mark.parametrize("command", [
    "evolve data.npz --output data.npz", "evolve data.npz --start other.npz --output other.npz",
    "evolve data.npz --checkpoint ./data.npz", "train data.npz --output ../cwd/data.npz",
    "predict other.npz data.npz --output data.npz",
    "predict other.npz data.npz --output other.npz"])
def test_what_is_read_is_never_replaced(here, capsys, command):
    content = (here / "data.npz").read_bytes()
    for name in ("data.npz", "other.npz", "run.npz"):
        (here / "cwd" / name).write_bytes(content)
    assert cli.main([*command.split(), "--force"]) == 2
    assert "is read; choose another name for the result" in told(capsys)
    for name in ("data.npz", "other.npz", "run.npz"):
        assert (here / "cwd" / name).read_bytes() == content


@pytest.mark.parametrize("exists", [True, False])
def test_a_result_and_a_checkpoint_are_two_files(here, capsys, exists):
    content = (here / "data.npz").read_bytes()
    (here / "cwd/data.npz").write_bytes(content)
    if exists:
        (here / "cwd/run.npz").write_bytes(content)
    command = ["evolve", "data.npz", "--output", "run.npz", "--checkpoint", "../cwd/run.npz", "--force"]
    assert cli.main(command) == 2
    assert "the checkpoint is kept there; choose another name for the result" in told(capsys)
    assert (here / "cwd/run.npz").exists() == exists
