# A person's data: which row holds names, what is missing, what is held out, and numbers that float32 would not hold.
import numpy as np
import pytest
from lanewise.evolution import Network, data
from lanewise.evolution.classifier import Classifier

ROWS = [f"{a:.3f},{b:.3f},{'pos' if a > 0 else 'neg'}" for a, b in np.random.default_rng(0).normal(size=(40, 2))]


def load(tmp_path, *lines, **options):
    (tmp_path / "t.csv").write_text("\n".join(lines) + "\n")
    return data.load(tmp_path / "t.csv", **options)


@pytest.mark.parametrize("values", [
    np.random.default_rng(1).normal(size=200),
    1_700_000_000_000 + np.random.default_rng(1).integers(0, 60_000, 200),
    np.random.default_rng(1).lognormal(size=200) * 1e-46,
    np.random.default_rng(1).lognormal(size=200) * 1e-290,
    np.random.default_rng(1).normal(size=200) * 1e290,
    1e15 + np.arange(200) % 2,
], ids=["ordinary", "milliseconds", "tiny", "tinier", "huge", "one in 1e15"])
@pytest.mark.parametrize("suffix", ["csv", "npz"])
def test_numbers_are_centred_before_they_are_float32(tmp_path, values, suffix):
    labels = np.where(values < np.median(values), "a", "b") if len(set(values)) > 2 else np.array(["a", "b"] * 100)
    if suffix == "csv":
        d = load(tmp_path, *(f"{v!r},{label}" for v, label in zip(values.tolist(), labels, strict=True)))
    else:
        np.savez(tmp_path / "t.npz", x=values[:, None], y=labels)
        d = data.load(tmp_path / "t.npz")
    kept = Classifier(Network((1, 2)), np.zeros(1, np.uint8), d.classes, d.offset, d.scale)
    x = kept.prepare(d.x)
    assert x.dtype == np.float32
    assert len(np.unique(x)) == len(np.unique(d.x))
    assert x.std() == pytest.approx(1, rel=1e-5)
    assert abs(x.mean()) < 1e-5


def test_a_constant_column_is_nothing(tmp_path):
    d = load(tmp_path, *(f"0.1,{row}" for row in ROWS))
    assert d.scale[0] == 0
    assert ((d.x - d.offset) * d.scale)[:, 0].tolist() == [0] * len(d.x)


@pytest.mark.parametrize(("first", "rows"), [
    ("a,b,c", 40), ("age,2019,label", 40), ("0,1,2", 40), ("height,weight,pos?", 40), ("1.5,2.5,pos", 41)])
def test_a_first_row_is_judged_by_those_after_it(tmp_path, first, rows):
    d = load(tmp_path, first, *ROWS)
    assert len(d.x) + len(d.x_held_out) == rows
    assert d.classes.tolist() == ["neg", "pos"]
    assert d.features == (tuple(first.split(",")[:2]) if rows == 40 else None)


@pytest.mark.parametrize(("line", "number"), [
    ("?,0.5,pos", 1), (",0.5,pos", 1), ("NA,NA,pos", 1), ("abc,0.5,pos", 1), ("?,0.5,pos", 41), ("0.5,,pos", 41)])
def test_a_missing_value_is_an_error_in_any_line(tmp_path, line, number):
    lines = [line, *ROWS] if number == 1 else [*ROWS, line]
    with pytest.raises(data.DataError, match=rf"line {number} has '(\?|NA|abc|)' where a number is wanted"):
        load(tmp_path, *lines)


@pytest.mark.parametrize("label", ["", "?", "NA", "nan", "None"])
def test_a_missing_label_is_an_error(tmp_path, label):
    with pytest.raises(data.DataError, match=r"line 41 has '.*' for a label: a missing label"):
        load(tmp_path, *ROWS, f"1,2,{label}")
    np.savez(tmp_path / "t.npz", x=np.ones((20, 2)), y=["a", "b"] * 9 + ["a", label])
    with pytest.raises(data.DataError, match=r"y of row 20 is '.*': a missing label"):
        data.load(tmp_path / "t.npz")


def test_two_columns_that_begin_with_0_and_1(tmp_path):
    assert len(load(tmp_path, "0,1", *["1,0", "2,1", "3,1"] * 10).x) == 24  # whole numbers: 31 rows
    d = load(tmp_path, "0,1", *["1.5,0", "2.5,1"] * 10)
    assert d.features == ("0",)


def test_every_class_is_held_out_in_proportion(tmp_path):
    x = np.random.default_rng(0).normal(size=(1000, 3))
    for y in (np.arange(1000) % 10, np.arange(1000) % 5, np.sort(np.arange(1000) % 10), np.arange(1000) // 998):
        np.savez(tmp_path / "t.npz", x=x, y=y)
        d = data.load(tmp_path / "t.npz")
        counts = np.bincount(y)
        assert np.bincount(d.y_held_out).tolist() == (-(-counts // 5)).tolist()
        assert np.bincount(d.y).tolist() == (counts - -(-counts // 5)).tolist()


def test_the_label_s_column_by_its_name(tmp_path):
    rows = [f"{row.rsplit(',', 1)[1]},{row.rsplit(',', 1)[0]}" for row in ROWS]
    d = load(tmp_path, "sign,a,b", *rows, label="sign")
    assert d.features == ("a", "b")
    assert d.label == "sign"
    assert d.classes.tolist() == ["neg", "pos"]
    assert (np.sign(d.x[:, 0]) == np.where(d.classes[d.y] == "pos", 1, -1)).all()
    with pytest.raises(data.DataError, match="no column 'size'; line 1 holds sign, a, b"):
        load(tmp_path, "sign,a,b", *rows, label="size")
    with pytest.raises(data.DataError, match="line 1 names 2 columns 'sign'"):
        load(tmp_path, "sign,a,sign", *rows, label="sign")
    np.savez(tmp_path / "t.npz", x=np.ones((20, 2)), sign=np.arange(20) % 2)
    assert data.load(tmp_path / "t.npz", "sign").classes.tolist() == [0, 1]


def test_names_that_stand_there_twice_are_named(tmp_path):
    with pytest.raises(data.DataError, match="line 4 repeats the names of line 1"):
        load(tmp_path, "a,b,sign", *ROWS[:2], "a,b,sign", *ROWS[2:])
    with pytest.raises(data.DataError, match="line 1 has 'red' where a number is wanted"):
        load(tmp_path, "red,blue,yes", "green,blue,no", "red,blue,yes")


@pytest.mark.parametrize("header", [",a,b,sign", "Unnamed: 0,a,b,sign", ",0,1,2"])
def test_the_index_that_pandas_writes_is_noticed(tmp_path, header):
    d = load(tmp_path, header, *(f"{i},{row}" for i, row in enumerate(ROWS)))
    assert d.x.shape[1] == 2
    assert len(d.x) + len(d.x_held_out) == 40
    assert d.notes == ("the first column has no name, as the index that pandas writes, and is left out",)


def test_a_column_that_counts_is_noticed_and_stays(tmp_path):
    d = load(tmp_path, *(f"{i},{row}" for i, row in enumerate(ROWS)))
    assert d.x.shape[1] == 3
    assert d.notes == ("column 1 counts the rows; if it is an index, leave it out",)
    assert load(tmp_path, *(f"{i},{i % 2}" for i in range(20))).notes == ()  # the only feature there is


def test_values(tmp_path):
    d = load(tmp_path, "x,y", *(f"{k},{1e6 + 3 * k}" for k in range(50)), values=True)
    assert d.classes is None
    assert d.y.shape == (40, 1)
    learned = (d.y - d.target_offset) * d.target_scale
    assert learned.std() == pytest.approx(1)
    assert learned.mean() == pytest.approx(0, abs=1e-9)
    with pytest.raises(data.DataError, match="line 3 has 'b' where a value to learn"):
        load(tmp_path, "1,2", "2,3", "3,b", values=True)
    with pytest.raises(data.DataError, match="every row has the value 4"):
        load(tmp_path, *(f"{k},4" for k in range(20)), values=True)


def test_rows_to_predict(tmp_path):
    (tmp_path / "t.csv").write_text("b,sign,a\n1,pos,2\n3,neg,4\n")
    x, y = data.load_inputs(tmp_path / "t.csv", 2, ("a", "b"), "sign")
    assert x.tolist() == [[2, 1], [4, 3]]
    assert y.tolist() == ["pos", "neg"]
    (tmp_path / "t.csv").write_text("1,2\n3,4\n")
    x, y = data.load_inputs(tmp_path / "t.csv", 2, ("a", "b"), "sign")
    assert x.tolist() == [[1, 2], [3, 4]]
    assert y is None
    with pytest.raises(data.DataError, match="1 features a row; the network has 3 inputs"):
        data.load_inputs(tmp_path / "t.csv", 3)


def test_rows_to_predict_with_names_that_do_not_tell(tmp_path):
    (tmp_path / "t.csv").write_text("a,a,sign\n1,2,pos\n3,4,neg\n")
    x, y = data.load_inputs(tmp_path / "t.csv", 2, ("a", "a"), "sign")  # learned from such a table
    assert x.tolist() == [[1, 2], [3, 4]]
    assert y.tolist() == ["pos", "neg"]
    with pytest.raises(data.DataError, match="line 1 names 2 columns 'a'"):
        data.load_inputs(tmp_path / "t.csv", 1, ("a",), "sign")
    with pytest.raises(data.DataError, match="no column 'b'; line 1 holds a, a, sign"):
        data.load_inputs(tmp_path / "t.csv", 2, ("b", "a"), "sign")
    (tmp_path / "t.csv").write_text("b,a,a,sign\n1,2,3,pos\n4,5,6,neg\n")  # b would be taken for a
    with pytest.raises(data.DataError, match="holds b, a, a, sign; expected the features a, a, b in this order"):
        data.load_inputs(tmp_path / "t.csv", 3, ("a", "a", "b"), "sign")
    (tmp_path / "t.csv").write_text("first,second\n1,2\n3,4\n")
    x, y = data.load_inputs(tmp_path / "t.csv", 2, ("a", "b"), "sign")
    assert x.tolist() == [[1, 2], [3, 4]]  # other names throughout: as they lie
    assert y is None


@pytest.mark.parametrize("values", [False, True])
def test_labels_of_a_feature_s_name_are_an_error(tmp_path, values):
    rows = [f"{k},{k % 3 + 0.5},{k % 2}" for k in range(20)]
    with pytest.raises(data.DataError, match="line 1 names 2 columns 'a' and the last is taken for the labels"):
        load(tmp_path, "a,b,a", *rows, values=values)
    assert load(tmp_path, "a,a,b", *rows, values=values).features == ("a", "a")
    x = np.arange(40.0).reshape(40, 1)
    np.savez(tmp_path / "t.npz", x=x, y=np.arange(40) % 2)
    with pytest.raises(data.DataError, match="x holds the features; the labels are another array"):
        data.load(tmp_path / "t.npz", "x", values)
    found, y = data.load_inputs(tmp_path / "t.npz", 1, ("a",), "x")  # the label of a .csv
    assert np.array_equal(found, x)
    assert y.tolist() == [0, 1] * 20


def test_rows_to_predict_where_the_label_has_a_feature_s_name(tmp_path):
    # as files say that an earlier version kept
    (tmp_path / "t.csv").write_text("a,b\n1,2\n3,4\n")
    x, y = data.load_inputs(tmp_path / "t.csv", 2, ("a", "b"), "a")
    assert x.tolist() == [[1, 2], [3, 4]]
    assert y is None
    (tmp_path / "t.csv").write_text("b,a,sign\n1,2,pos\n3,4,neg\n")
    x, y = data.load_inputs(tmp_path / "t.csv", 2, ("a", "b"), "a")
    assert x.tolist() == [[2, 1], [4, 3]]
    assert y.tolist() == ["pos", "neg"]


def test_rows_to_predict_of_numbers_that_are_the_label_s_name(tmp_path):
    (tmp_path / "t.csv").write_text("2,7,9\n3,4,0\n")  # pandas names columns 0, 1, 2
    x, y = data.load_inputs(tmp_path / "t.csv", 2, ("0", "1"), "2")
    assert x.tolist() == [[2, 7], [3, 4]]
    assert y.tolist() == ["9", "0"]
    (tmp_path / "t.csv").write_text("2,0,1\n3,4,5\n")
    x, y = data.load_inputs(tmp_path / "t.csv", 2, ("0", "1"), "2")
    assert x.tolist() == [[4, 5]]
    assert y.tolist() == ["3"]


def test_the_digits_are_scikit_learns(monkeypatch):
    pytest.importorskip("sklearn")
    from sklearn.datasets import load_digits as bundled

    x, y = bundled(return_X_y=True)
    found = [data._bundled_digits()]
    monkeypatch.setattr(data.Path, "is_file", lambda path: False)  # of another version, which has it elsewhere
    found.append(data._bundled_digits())
    for rows, labels in found:
        assert np.array_equal(rows, x)
        assert np.array_equal(labels, y)
        assert labels.dtype.kind == "i"
