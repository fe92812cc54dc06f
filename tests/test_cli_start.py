# The command `lanewise evolve --start`: from floats in a plain .npz and from what evolve wrote.
import re

import numpy as np
import pytest
from lanewise import cli
from lanewise.evolution import Classifier, Network
from lanewise.evolution.trained import load_start
from lanewise.genome import INT4, LOG4, random_population

pytest.importorskip("rich")
pytest.importorskip("matplotlib")


def lanewise(*arguments):
    return cli.main(["evolve", *map(str, arguments), "--population", "20"])


@pytest.fixture
def trees(tmp_path):
    # three classes on a line through two features, and floats that tell them apart
    rng = np.random.default_rng(1)
    y = np.repeat(["ash", "elm", "oak"], 60)
    x = rng.normal(size=(180, 2)) + 4 * np.repeat([[-1, 0], [0, 0], [1, 0]], 60, axis=0)
    np.savez(tmp_path / "trees.npz", x=x, y=y)
    hidden = rng.normal(0, 0.1, (6, 2)) + np.array([[1, 0], [-1, 0]] * 3)
    np.savez(tmp_path / "floats.npz", weight0=hidden, bias0=-np.ones(6), bias1=np.array([0.3, 1.1, 0.2]),
             weight1=np.array([[-1, 1] * 3, [-1, -1] * 3, [1, -1] * 3]) + rng.normal(0, 0.1, (3, 6)),
             classes=np.array(["ash", "elm", "oak"]), offset=np.zeros(2), scale=np.array([0.5, 1.0]))
    return tmp_path


def test_from_floats(trees, capsys):
    assert lanewise(trees / "trees.npz", "--start", trees / "floats.npz", "--generations", 40, "--codebook", "INT4",
                    "--output", trees / "out.npz") == 0
    told = capsys.readouterr()
    assert re.search(r"Starting from \S*floats.npz, as codes of INT4: held-out loss 0.\d+, accuracy 9\d", told.err)
    assert "Evolving 2-6-3 in INT4 codes" in told.err
    kept = Classifier.load(trees / "out.npz")
    with np.load(trees / "floats.npz") as floats:
        assert (kept.network.biases[0] == floats["bias0"]).all()
        network, start = Network.quantize([floats["weight0"], floats["weight1"]], [floats["bias0"], floats["bias1"]],
                                          INT4)
        assert (kept.scale == floats["scale"]).all()  # not the data's own
    assert kept.network.scales[1].tobytes() == network.scales[1].tobytes()
    with np.load(trees / "trees.npz") as data:
        x, y = data["x"], np.searchsorted(["ash", "elm", "oak"], data["y"])
    x = (x * [0.5, 1]).astype(np.float32)
    assert network.loss(kept.genome, x, y) < network.loss(start, x, y)


def test_from_what_evolve_wrote_and_resumed(trees):
    assert lanewise(trees / "trees.npz", "--generations", 5, "--output", trees / "first.npz", "--hidden", "4") == 0
    options = ("--start", trees / "first.npz", "--generations", 12)
    assert lanewise(trees / "trees.npz", *options, "--output", trees / "whole.npz") == 0
    assert lanewise(trees / "trees.npz", *options, "--output", trees / "half.npz", "--checkpoint", trees / "run.npz",
                    "--target-loss", 100) == 0
    assert lanewise("--resume", trees / "run.npz", "--target-loss", -1, "--output", trees / "again.npz") == 0
    whole, again = (Classifier.load(trees / name) for name in ("whole.npz", "again.npz"))
    assert whole.network.sizes == (2, 4, 3)
    assert whole.genome.tobytes() == again.genome.tobytes()


def test_what_a_start_brings(trees):
    start = load_start(trees / "floats.npz")
    assert start.network.codebook == LOG4
    assert start.scaling["scale"].tolist() == [0.5, 1.0]
    assert set(start.scaling) == {"offset", "scale"}
    one = random_population(1, 24, 1)[0]
    Classifier(Network((4, 4, 2), "tanh", objective="mse"), one, None, 1.0, 2.0, [3.0, 4.0], 5.0).save(trees / "c.npz")
    start = load_start(trees / "c.npz")
    assert (start.network.activation, start.network.objective) == ("tanh", "mse")
    assert start.scaling["target_offset"].tolist() == [3.0, 4.0]
    assert start.classes is None


@pytest.mark.parametrize(("arrays", "message"), [
    ({"weight1": np.ones((3, 2))}, "has no weight0, weight1 ... of layers; it holds weight1"),
    ({"weight0": np.ones((3, 2)), "bias1": np.ones(3)}, "has bias1 and no weights of that layer"),
    ({"weight0": np.ones((3, 2)), "bias0": np.ones(2)}, r"biases\[0\] is \[3\]"),
    ({"weight0": np.ones((3, 2)), "activation": "step"}, "activation is one of"),
    ({"weight0": np.ones((3, 2)), "scale": np.ones(3)}, "scale is a number, or one for each of the 2"),
    ({"weight0": np.ones((3, 2)), "weight1": np.ones((3, 2))}, r"weights\[1\] is \[outputs, 3\]"),
    ({"x": np.ones(3)}, "it holds x"),
    ({"format": "lanewise checkpoint 5"}, "is not a lanewise classifier 1 or 2"),
])
def test_files_that_are_no_start(tmp_path, arrays, message):
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(ValueError, match=message):
        load_start(tmp_path / "a.npz")


def test_classes_in_another_order_or_as_a_csv_has_them(trees, capsys):
    with np.load(trees / "trees.npz") as arrays:
        x, y = arrays["x"], np.array([11, 2, 7])[np.searchsorted(["ash", "elm", "oak"], arrays["y"])]
    with np.load(trees / "floats.npz") as arrays:
        floats = dict(arrays, classes=np.array([11, 2, 7]))
    np.savez(trees / "numbers.npz", **floats)
    np.savez(trees / "rows.npz", x=x, y=y)
    np.savetxt(trees / "rows.csv", np.column_stack([x, y]), delimiter=",")
    for data in ("rows.npz", "rows.csv"):  # of which the latter's are text, sorted otherwise
        assert lanewise(trees / data, "--start", trees / "numbers.npz", "--generations", 1, "--output",
                        trees / "e.npz", "--force") == 0
        said = re.search(r"held-out loss \S+ accuracy ([\d.]+)%", re.sub(r"\s+", " ", capsys.readouterr().err))
        assert float(said[1]) > 85
        kept = Classifier.load(trees / "e.npz")
        assert kept.classes.tolist() == [11, 2, 7]
        assert kept.score(x, y) > 0.85


def test_errors(trees, capsys):
    def fails(*arguments):
        assert lanewise(trees / "trees.npz", *arguments, "--output", trees / "e.npz") == 2
        assert not (trees / "e.npz").exists()
        return re.sub(r"\s+", " ", capsys.readouterr().err)

    assert "no such file" in fails("--start", trees / "none.npz").lower()
    assert "says itself what --hidden and --activation would" in fails(
        "--start", trees / "floats.npz", "--hidden", 3, "--activation", "tanh")
    assert "--codebook is of the weights of --start" in fails("--codebook", "NF4")
    np.savez(trees / "wide.npz", weight0=np.ones((3, 5)))
    assert "has 5 inputs and 3 outputs" in fails("--start", trees / "wide.npz")
    np.savez(trees / "other.npz", weight0=np.ones((3, 2)), classes=np.array(["a", "b", "c"]))
    assert "has the classes a, b, c; trees.npz has ash, elm, oak" in fails("--start", trees / "other.npz")
    Classifier(Network((2, 3)), random_population(1, 6, 1)[0], ["ash", "elm", "oak"]).save(trees / "codes.npz")
    assert "holds codes of LOG4 already" in fails("--start", trees / "codes.npz", "--codebook", "INT4")
