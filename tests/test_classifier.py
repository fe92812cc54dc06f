"""Classifier: a genome with all that it takes to judge rows of a table, in a file and out of it."""

import numpy as np
import pytest
from lanewise import genome
from lanewise.evolution import Classifier, Network
from small_runs import digits, small


def test_a_classifier_is_kept(tmp_path):
    x, y, x_held_out, _ = digits()
    network = Network((64, 8, 10))
    kept = Classifier(network, small().genome, np.array(list("abcdefghij")), np.full(64, 0.5, np.float32),
                      np.full(64, 2.0, np.float32))
    kept.save(tmp_path / "kept.npz")
    loaded = Classifier.load(tmp_path / "kept.npz")
    assert loaded.network.sizes == network.sizes
    assert loaded.network.codebook == network.codebook
    assert loaded.predict(x_held_out).tolist() == kept.predict(x_held_out).tolist()
    expected = network.forward(kept.genome, (x - np.float32(0.5)) * np.float32(2)).argmax(axis=1)
    assert loaded.predict(x).tolist() == kept.classes[expected].tolist()
    np.savez(tmp_path / "other.npz", x=x, y=y)
    with pytest.raises(ValueError, match="is not a lanewise classifier 1 or 2; it holds x, y"):
        Classifier.load(tmp_path / "other.npz")
    (tmp_path / "broken.npz").write_bytes((tmp_path / "kept.npz").read_bytes()[:500])
    with pytest.raises(ValueError, match=r"not a readable \.npz"):
        Classifier.load(tmp_path / "broken.npz")


def kept(**options):
    network = Network((64, 8, 10), objective="accuracy")
    return Classifier(network, genome.random_population(1, network.n_weights, 1)[0], np.arange(10), **options)


@pytest.mark.parametrize("classes", [
    np.arange(10), np.array(list("abcdefghij")), np.array(list("abcdefghij"), object), np.arange(10) / 3,
    np.array(["a", 1, 2.5, None, True, "f", "g", "h", "i", "j"], object),
    np.arange("2020-01-01", "2020-01-11", dtype="M8[D]"), None])
@pytest.mark.parametrize("name", ["kept", "kept.v1", "kept.npz"])
def test_what_is_saved_is_loaded(tmp_path, classes, name):
    x = digits()[2]
    names = [f"pixel {k}" for k in range(64)]
    saved = Classifier(kept().network, kept().genome, classes, 0.25, np.full(64, 3.0), features=names, label="digit",
                       target_offset=np.arange(10.0), target_scale=2.0)
    saved.save(tmp_path / name)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    loaded = Classifier.load(tmp_path / name)
    if classes is not None:
        assert loaded.classes.dtype == classes.dtype
        assert loaded.classes.tolist() == classes.tolist()
        assert [type(value) for value in loaded.classes.tolist()] == [type(value) for value in classes.tolist()]
    assert loaded.predict(x).tolist() == saved.predict(x).tolist()
    assert loaded.network.objective == "accuracy"
    assert (loaded.features, loaded.label) == (tuple(names), "digit")
    assert loaded.summary() == saved.summary()


def test_probabilities_scores_and_summary():
    x, y = digits()[2:]
    classifier = kept()
    shares = classifier.predict_proba(x)
    assert shares.shape == (360, 10)
    assert shares.sum(axis=1) == pytest.approx(np.ones(360), abs=1e-6)
    assert (shares.argmax(axis=1) == classifier.predict(x)).all()
    assert classifier.score(x, y) == classifier.network.accuracy(classifier.genome, x, y)
    assert classifier.predict(x[:0]).shape == (0,)
    assert classifier.summary().splitlines()[:2] == ["sizes       64-8-10", "activation  relu"]
    assert "weights     592 in 296 bytes" in classifier.summary()
    with pytest.raises(ValueError, match=r"y is \[360\], as the predictions; got \[7\]"):
        classifier.score(x, y[:7])
    with pytest.raises(ValueError, match="y holds none of the classes"):
        classifier.score(x, y.astype(str))
    values = Classifier(Network((1, 1)), np.zeros(1, np.uint8), target_offset=5.0, target_scale=0.5)  # 2 x + 5
    assert values.predict([[1.0], [2.0]]).tolist() == [7, 9]
    assert values.score([[1.0], [2.0]], [7, 9]) == 1
    assert values.score([[1.0], [2.0]], [9, 7]) == -3
    with pytest.raises(TypeError, match="has no probabilities"):
        values.predict_proba([[1.0]])


@pytest.mark.parametrize(("options", "error", "message"), [
    ({"genome": np.zeros(7, np.uint8)}, ValueError, r"genome is uint8\[296\]; got uint8\[7\]"),
    ({"classes": np.arange(9)}, ValueError, "classes has one for each of the 10 outputs"),
    ({"classes": [*range(9), 3]}, ValueError, "classes has each once; got 3 at 3 and 9"),
    ({"offset": np.zeros(3)}, ValueError, "offset is a number, or one for each of the 64"),
    ({"scale": [np.nan] * 64}, ValueError, "scale holds a NaN"),
    ({"target_scale": 0}, ValueError, "target_scale holds a NaN, an infinity, or 0"),
    ({"features": ["a"]}, ValueError, "features has a name for each of the 64 inputs; got 1"),
    ({"network": 3}, TypeError, "network is a Network; got int"),
])
def test_a_classifier_that_does_not_fit_together(options, error, message):
    usual = {"network": kept().network, "genome": kept().genome, "classes": np.arange(10)}
    with pytest.raises(error, match=message):
        Classifier(**usual | options)


@pytest.mark.parametrize(("x", "message"), [
    (np.ones(64), r"x is \[rows, 64\]; got \[64\]"), (np.ones((2, 65)), r"got \[2, 65\]"),
    ([[np.nan] * 64], "x holds a NaN or an infinity, first in row 0, column 0"),
    (np.ma.masked_equal(np.eye(64), 1), "masked array"), ([[1e300] * 64], "beyond float32 once it is scaled"),
])
def test_what_cannot_be_classified(x, message):
    for call in (kept().predict, kept().predict_proba, kept().prepare, lambda x: kept().score(x, [0])):
        with pytest.raises(ValueError, match=message):
            call(x)


def test_a_damaged_classifier(tmp_path):
    kept().save(tmp_path / "kept")
    with np.load(tmp_path / "kept") as saved:
        arrays = dict(saved)
    for name, value, message in (("sizes", [64, 9, 10], "genome is uint8"), ("levels", np.ones(3), "16 finite levels"),
                                 ("offset", np.array(["a"] * 64), "array of numbers"), ("activation", "x", "one of"),
                                 ("genome", None, "there is no genome"), ("sizes", 5, "sizes")):
        changed = {key: array for key, array in (arrays | {name: value}).items() if array is not None}
        np.savez(tmp_path / "damaged.npz", **changed)
        with pytest.raises(ValueError, match=f"is damaged: .*{message}"):
            Classifier.load(tmp_path / "damaged.npz")
    for last in (object(), float("nan")):  # which JSON has no word for
        with pytest.raises(TypeError, match="are saved if they are text or numbers"):
            Classifier(kept().network, kept().genome, np.array([*"012345678", last], object)).save(tmp_path / "x")
        assert not (tmp_path / "x").exists()


def outcome(path):
    try:
        found = Classifier.load(path)
    except ValueError as error:
        return str(error)
    return found.summary(), found.genome.tobytes(), found.offset.tobytes(), found.target_scale.tobytes()


def test_no_byte_of_a_file_is_damaged_in_silence(tmp_path):
    # lengths in a zip's directory too: where one leads past the entries behind it, those seemed never written
    path = tmp_path / "model.npz"
    network = Network((3, 2))
    Classifier(network, np.zeros(network.genome_bytes, np.uint8), ["low", "high"], label="price").save(path)
    whole, right = path.read_bytes(), outcome(path)
    directory = range(whole.index(b"PK\x01\x02"), len(whole))
    lost = 0
    for place in (*range(0, directory.start, 41), *directory):
        damaged = bytearray(whole)
        damaged[place] ^= 255
        path.write_bytes(damaged)
        found = outcome(path)
        assert found == right or str(path) in found, place
        lost += "arrays were written" in found
    assert lost > 20
    for length in range(0, len(whole), 23):
        path.write_bytes(whole[:length])
        assert str(path) in outcome(path)


@pytest.mark.skipif(np.finfo(np.longdouble).max == np.finfo(np.float64).max, reason="long double is float64 here")
def test_numbers_beyond_float64_are_said_without_a_warning():
    rows = np.zeros((2, 64), np.longdouble)
    rows[1, 3] = np.longdouble(10) ** 4000
    with pytest.raises(ValueError, match="infinity, first in row 1, column 3"):
        kept().prepare(rows)
