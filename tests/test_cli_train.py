"""The commands train and flow, and evolve --compare-sgd: what they print, write and refuse."""

import os
import re

import lanewise as lw
import numpy as np
import pytest
from lanewise.cli import main
from lanewise.files import read_arrays
from lanewise.learning import training


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(1)
    x = rng.normal(size=(300, 5))
    np.savez("data.npz", x=x, y=np.where(x[:, 0] + x[:, 1] > 0, "up", "down"))
    return tmp_path


def test_train_learns_and_writes_what_others_read(here, capsys):
    assert main(["train", "data.npz", "--epochs", "20", "--hidden", "8", "--activation", "tanh"]) == 0
    shown = capsys.readouterr().out
    assert float(re.search(r"held-out accuracy +(\d+\.\d+)%", shown)[1]) > 90
    assert "network            trained.npz" in shown
    arrays = read_arrays("trained.npz")
    assert {name: each.shape for name, each in arrays.items() if each.ndim} == {
        "weight0": (8, 5), "bias0": (8,), "weight1": (2, 8), "bias1": (2,), "offset": (5,), "scale": (5,),
        "classes": (2,)}
    assert str(arrays["activation"]) == "tanh"
    data = read_arrays("data.npz")
    hidden = lw.tanh(lw.linear((data["x"] - arrays["offset"]) * arrays["scale"], arrays["weight0"], arrays["bias0"]))
    logits = lw.linear(hidden, arrays["weight1"], arrays["bias1"])
    assert (arrays["classes"][logits.argmax(1)] == data["y"]).mean() > 0.9
    assert (here / "trained.png").stat().st_size > 1000


@pytest.mark.skipif(not os.path.exists("/dev/null"), reason="no device to write to")
@pytest.mark.parametrize("command", [["train", "--epochs", "1"], ["evolve", "--generations", "1"]])
def test_no_figure_is_drawn_beside_a_device(here, capsys, command):
    os.symlink("/dev/null", "nothing")
    assert main([*command, "data.npz", "--output", "nothing"]) == 0
    assert "learning curve" not in capsys.readouterr().out
    assert sorted(os.listdir()) == ["data.npz", "nothing"]


def test_predict_says_what_makes_a_classifier_of_floats(here, capsys):
    assert main(["train", "data.npz", "--epochs", "1"]) == 0
    capsys.readouterr()
    assert main(["predict", "trained.npz", "data.npz"]) == 2
    assert "trained.npz holds floats, as lanewise train writes them; lanewise evolve --start" in re.sub(
        r"\s+", " ", capsys.readouterr().err)


def test_the_same_seed_is_the_same_network(here, capsys):
    for name, seed in (("a.npz", "1"), ("b.npz", "1"), ("c.npz", "2")):
        assert main(["train", "data.npz", "--epochs", "2", "--seed", seed, "--dropout", "0.2", "--optimizer", "sgd",
                     "--max-norm", "1", "--output", name]) == 0
    first, again, other = (read_arrays(name)["weight0"] for name in ("a.npz", "b.npz", "c.npz"))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_run_that_diverges_says_so(here, capsys):
    assert main(["train", "data.npz", "--epochs", "30", "--optimizer", "sgd", "--lr", "1e30"]) == 2
    assert "the loss is no number any more after 1 epochs; nothing is written" in " ".join(
        capsys.readouterr().err.split())
    assert not (here / "trained.npz").exists()


@pytest.mark.parametrize(("arguments", "message"), [
    (["train", "none.npz"], "none.npz: no such file"),
    (["train", "--label", "y"], "--label is of data of your own"),
    (["train", "data.npz", "--activation", "sine"], "--activation: Activation: 'sine' is unknown"),
    (["train", "data.npz", "--output", "there.npz"], "--output: there.npz would be lost; --force replaces"),
    (["train", "data.npz", "--activation", "prelu"], "--activation: Activation: prelu needs weight"),
    (["flow", "--activation", "sine"], "'sine' is unknown; expected one of"),
    (["flow", "--activation", "threshold"], "threshold needs threshold, value"),
    (["flow", "--gain", "sine"], "gain 'sine' is unknown; expected a number or one of"),
    (["evolve", "data.npz", "--objective", "mse", "--compare-sgd"], "--compare-sgd trains a classifier"),
    (["evolve", "data.npz", "--activation", "exp", "--compare-sgd"], "needs an activation with a backward: Act"),
    (["evolve", "--ablation", "--compare-sgd"], "--ablation runs its own recipes: --compare-sgd would do nothing"),
])
def test_errors_say_what_was_given(arguments, message, here, capsys):
    (here / "there.npz").write_bytes(b"something")
    if "mse" in arguments:
        np.savez("data.npz", x=np.random.default_rng(1).normal(size=(50, 3)), y=np.arange(50.0))
    assert main(arguments) == 2
    assert message in " ".join(capsys.readouterr().err.split())


def test_flow_prints_a_line_for_each_layer_and_draws(here, capsys):
    assert main(["flow", "--depth", "5", "--width", "1", "--activation", "identity", "--init", "identity", "--gain",
                 "0.8", "--output", "flow.png"]) == 0
    shown = capsys.readouterr().out
    assert re.search(r"\b1 +\S+ +0\.328 +1\b", shown)
    assert (here / "flow.png").stat().st_size > 1000
    assert main(["flow", "--depth", "3", "--width", "8", "--lr", "0.1"]) == 0
    shown = capsys.readouterr().out
    assert "output after a step" in shown
    assert "relu" in shown
    assert "tanh" in shown


@pytest.mark.parametrize("count", [2, 3, 20])
def test_epochs_and_layers_of_figures_are_whole(count, monkeypatch):
    pytest.importorskip("matplotlib")
    from lanewise.cli import figures

    monkeypatch.setattr(figures, "_save", lambda figure, path: figure)
    history = np.ones(count, training.HISTORY)
    drawn = [figures.training_curve(history, (4, 2), "nothing", None),
             figures.flows({"a stack": lw.gradient_flow(count, 4, "tanh")}, "", None)]
    for figure in drawn:
        for axes in figure.axes:
            assert all(tick == round(tick) for tick in axes.get_xticks())


def test_the_figure_of_a_flow_shows_the_outputs_after_a_step(monkeypatch):
    pytest.importorskip("matplotlib")
    from lanewise.cli import figures

    monkeypatch.setattr(figures, "_save", lambda figure, path: figure)
    exploding = lw.gradient_flow(12, 16, "relu", None, "he_uniform", 2.0, lr=0.01)
    figure = figures.flows({"relu": exploding, "tanh": lw.gradient_flow(12, 16)}, "", None)
    before, after, other = figure.axes[0].lines
    np.testing.assert_array_equal(before.get_ydata(), exploding.activation)
    np.testing.assert_array_equal(after.get_ydata(), exploding.updated)
    assert before.get_color() == after.get_color() != other.get_color()
    assert [len(axes.lines) for axes in figure.axes] == [3, 2, 2]
    assert [text.get_text() for text in figure.legends[0].texts] == ["relu", "relu, after a step", "tanh"]


def test_compare_sgd_shows_both_in_one_table(here, capsys):
    assert main(["evolve", "data.npz", "--generations", "20", "--hidden", "4", "--population", "20", "--batch-size",
                 "64", "--compare-sgd"]) == 0
    shown = capsys.readouterr().out
    line = re.search(r"evolution, no gradient +(\S+)% +(\S+) +(\d+) +(\S+)", shown)
    assert int(line[3]) == 14  # of 28 weights
    assert float(line[4]) == pytest.approx(20 * 20 * 64 * 28, rel=0.01)
    line = re.search(r"AdamW, the chain rule +(\S+)% +(\S+) +(\d+) +(\S+)", shown)
    assert float(line[1]) > 90
    assert int(line[3]) == 4 * (28 + 6)
    # 240 rows, 40 epochs: forward and both products of the backward, of which the first layer needs one
    assert float(line[4]) == pytest.approx(240 * 40 * (2 * 20 + 3 * 8), rel=0.01)


@pytest.mark.parametrize("command", ["evolve", "train"])
def test_a_network_beyond_any_memory(tmp_path, capsys, command):
    np.savez(tmp_path / "data.npz", x=np.arange(40.0).reshape(20, 2), y=np.arange(20) % 2)
    assert main([command, str(tmp_path / "data.npz"), "--hidden", str(10**25)]) == 2
    assert "lanewise: --hidden: " in capsys.readouterr().err
