"""Data for the commands: the bundled digits, or a person's own .npz or .csv, with errors that say what is wrong.

Numbers stay float64 until they are scaled, since a column may be large and vary little. How a .csv is read is table.py;
a classifier and its genome are kept by classifier.py.
"""

import gzip
import math
import os
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from .table import LARGEST, DataError, is_missing, read_csv

__all__ = ["DataError", "DataSet", "load", "load_digits", "load_inputs"]

HELD_OUT = 5  # every fifth row is held out, of each class
_OF_VALUES = "Values, not classes, are learned by lanewise evolve --objective mse"


@dataclass(frozen=True, eq=False)
class DataSet:
    """Rows to learn from and rows held out, float64, with classes as indices into `classes`.

    The digits' are float32, which holds them. Inputs enter a network as ``(x - offset) * scale``. Of values, `classes`
    is None and y is float64[rows, outputs], learned as ``(y - target_offset) * target_scale``.
    """

    name: str
    x: np.ndarray
    y: np.ndarray
    x_held_out: np.ndarray
    y_held_out: np.ndarray
    classes: np.ndarray | None
    offset: np.ndarray
    scale: np.ndarray
    target_offset: np.ndarray | float = 0.0
    target_scale: np.ndarray | float = 1.0
    features: tuple | None = None
    label: str | None = None
    notes: tuple = ()


def _every_fifth(rows):
    return np.arange(rows) % HELD_OUT == 0


def _of_each_class(y):
    # every fifth row of each class, so that each is held out in proportion, in whatever order the rows come
    held_out = np.zeros(len(y), bool)
    for index in range(y.max() + 1):
        held_out[np.flatnonzero(y == index)[::HELD_OUT]] = True
    return held_out


def _are_values(classes, rows):
    # whether classes, of which one has too few rows, look like measurements
    try:
        numbers = classes.astype(np.float64)
    except (TypeError, ValueError):
        return False
    return classes.dtype.kind in "iufSU" and bool(2 * len(numbers) > rows or (numbers != np.floor(numbers)).any())


def _split(source, x, labels, scaling, held_out_of, **more):
    if labels.ndim == 2 and labels.shape[1] > 1:
        raise DataError(f"{source}: {labels.shape[1]} labels per row; a class is one. {_OF_VALUES}")
    labels = labels.reshape(len(labels))
    classes, y = np.unique(labels, return_inverse=True)
    if len(classes) < 2:
        raise DataError(f"{source}: every row has the label {str(classes[0])!r}; at least two classes are wanted")
    held_out = held_out_of(y)
    if set(y[~held_out]) != set(range(len(classes))):
        missing = classes[min(set(range(len(classes))) - set(y[~held_out]))]
        raise DataError(f"{source}: too few rows of class {str(missing)!r}: one row in {HELD_OUT} is held out, "
                        f"and none is left to learn from{f'. {_OF_VALUES}' if _are_values(classes, len(y)) else ''}")
    return DataSet(Path(source).name, x[~held_out], y[~held_out], x[held_out], y[held_out], classes,
                   *scaling(x[~held_out]), **more)


def _split_values(source, x, values, **more):
    held_out = _every_fifth(len(x))
    target_offset, target_scale = _to_unit_variance(values[~held_out])
    if not target_scale.all():
        raise DataError(f"{source}: every row has the value {values[0, np.flatnonzero(target_scale == 0)[0]]:g}; "
                        "there is nothing to learn")
    return DataSet(Path(source).name, x[~held_out], values[~held_out], x[held_out], values[held_out], None,
                   *_to_unit_variance(x[~held_out]), target_offset, target_scale, **more)


def _to_unit_variance(x):
    # The offset and scale that give each column mean 0 and variance 1; a constant one becomes 0. Powers of two keep
    # squares of very large and very small numbers in range, and round nothing.
    low, high = x.min(axis=0), x.max(axis=0)
    unit = 2.0 ** np.frexp(np.maximum(np.abs(low), np.abs(high)))[1]
    mean = np.clip((x / unit).mean(axis=0) * unit, low, high)
    mean = np.clip(mean + ((x - mean) / unit).mean(axis=0) * unit, low, high)  # corrects its rounding error
    apart = x - mean
    unit = 2.0 ** np.frexp(np.abs(apart).max(axis=0))[1]
    spread = np.where(high > low, (apart / unit).std(axis=0) * unit, np.inf)
    with np.errstate(divide="ignore"):
        scale = 1 / spread
    return mean, np.where(np.isfinite(scale), scale, 0.0)


def _to_sixteenths(x):
    # pixels share one unit: 0 to 16 becomes 0 to 1
    return np.zeros(x.shape[1], np.float32), np.full(x.shape[1], 1 / 16, np.float32)


def _bundled_digits():
    # the file as it lies there, since scikit-learn takes longer to import than a network to train
    spec = find_spec("sklearn")
    if spec is None:
        raise ModuleNotFoundError("No module named 'sklearn'", name="sklearn")
    path = Path(spec.origin or "").parent / "datasets" / "data" / "digits.csv.gz"
    if not path.is_file():
        from sklearn.datasets import load_digits as bundled

        return bundled(return_X_y=True)
    with gzip.open(path, "rt", encoding="ascii") as file:
        rows = np.loadtxt(file, delimiter=",")
    return rows[:, :-1], rows[:, -1].astype(np.int64)


def load_digits():
    """Load the 1797 handwritten digits of UCI, 8 x 8 pixels from 0 to 16, that scikit-learn ships.

    Every fifth row is held out: the split that the documentation's figures are of.

    Raises
    ------
    ModuleNotFoundError
        If scikit-learn is not installed.
    """
    x, y = _bundled_digits()
    return _split("digits", x.astype(np.float32), y, _to_sixteenths, lambda y: _every_fifth(len(y)))


def load(path, label=None, values=False):
    """Load a person's data: an ``.npz`` with ``x`` and ``y``, or a ``.csv`` with the label last.

    Every fifth row is held out, of each class every fifth.

    Parameters
    ----------
    path : path-like
    label : str, optional
        The column, or in an ``.npz`` the array, with the labels.
    values : bool
        Whether labels are values, to be predicted as numbers, and not classes.

    Raises
    ------
    DataError
        Naming the file, what it holds and what was expected.
    """
    path = _checked(path)
    notes, features = [], None
    if path.suffix.lower() == ".npz":
        x, y = _read_npz(path, "y" if label is None else label)
    else:
        x, y, features, label, notes = read_csv(path, label, values)
    if len(x) < 2 * HELD_OUT:
        raise DataError(f"{path}: {len(x)} {'row' if len(x) == 1 else 'rows'}; at least {2 * HELD_OUT} are wanted")
    _check_finite(path, x)
    more = {"features": features, "label": label, "notes": tuple(notes)}
    if values:
        if y.dtype.kind not in "biuf":
            raise DataError(f"{path}: y is numbers, for values to be learned; got {y.dtype}")
        return _split_values(path, x, y.astype(np.float64).reshape(len(y), -1), **more)
    return _split(path, x, y, _to_unit_variance, _of_each_class, **more)


def load_inputs(path, features, names=None, label=None):
    """Load rows to predict: features alone, or with labels, as `load` takes them.

    Parameters
    ----------
    path : path-like
    features : int
        How many a row has.
    names : sequence of str, optional
        What they are called: a ``.csv`` with names is taken by these, in whatever order its columns come.
    label : str, optional
        What the labels are called.

    Returns
    -------
    x : ndarray of float64, shape (rows, features)
    y : ndarray or None
        The labels, where there are any.
    """
    path = _checked(path, (".npz", ".npy", ".csv"))
    suffix = path.suffix.lower()
    if suffix == ".csv":
        x, y, found, _, _ = read_csv(path, label, features=features, names=names)
    elif suffix == ".npy":
        x, y, found = _read_npy(path), None, None
    else:
        (x, y), found = _read_npz(path, "y" if label is None else label, labelled=False), None
    if x.shape[1] != features:
        which = f" ({', '.join(found)})" if found else ""
        raise DataError(f"{path}: {x.shape[1]} features a row{which}; the network has {features} inputs")
    _check_finite(path, x)
    return x, y


def _checked(path, suffixes=(".npz", ".csv")):
    if not os.fsdecode(path):
        raise DataError("expected the name of a file; got an empty one")
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path}: {'is a folder' if path.is_dir() else 'no such file'}")
    if path.suffix.lower() not in suffixes:
        raise DataError(f"{path}: expected a .npz with x and y, or a .csv with the label last; "
                        f"got {path.suffix or 'no suffix'}")
    return path


def _check_finite(path, x):
    bad = np.flatnonzero(~(np.abs(x) <= LARGEST).all(axis=1))
    if len(bad):
        raise DataError(f"{path}: row {bad[0] + 1} holds a NaN, an infinity or a number beyond {LARGEST:g}")


def _inputs(path, x):
    if x.ndim < 2 or x.shape[1:] == (0,) or x.dtype.kind not in "biuf":
        raise DataError(f"{path}: x is numbers, [rows, features]; got {x.dtype}{list(x.shape)}")
    return x.reshape(len(x), math.prod(x.shape[1:])).astype(np.float64)


def _read_npy(path):
    try:
        with open(path, "rb") as file:
            x = np.load(file, allow_pickle=False)
    except Exception as error:  # of an empty, damaged or foreign file, of many kinds
        raise DataError(f"{path}: not a readable .npy ({error})") from None
    if not isinstance(x, np.ndarray):
        raise DataError(f"{path}: not a readable .npy (it is a .npz)")
    return _inputs(path, x)


def _read_npz(path, label, labelled=True):
    if labelled and label == "x":
        raise DataError(f"{path}: x holds the features; the labels are another array")
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as arrays:
            if not labelled and (label == "x" or label not in arrays.files):
                label = "y"  # a name may be of the .csv that the network has learned from
            missing = [name for name in ("x", label) if name not in arrays.files and (labelled or name == "x")]
            if missing:
                raise DataError(f"{path}: no array {' or '.join(map(repr, missing))}; "
                                f"it holds {', '.join(arrays.files) or 'none'}")
            x, y = arrays["x"], arrays[label] if label in arrays.files else None
    except DataError:
        raise
    except Exception as error:  # what zipfile, zlib and NumPy raise for a damaged file has no common base
        raise DataError(f"{path}: not a readable .npz ({error or type(error).__name__})") from None
    x = _inputs(path, x)
    if y is None:
        return x, None
    if y.shape[:1] != x.shape[:1] or (y.ndim != 1 and not (y.ndim == 2 and y.shape[1] > 0 and y.dtype.kind == "f")):
        raise DataError(f"{path}: {label} has one label for each of the {len(x)} rows; got {list(y.shape)}")
    if y.dtype.kind == "f" and not np.isfinite(y).all():
        raise DataError(f"{path}: {label} holds a NaN or an infinity")
    if y.dtype.kind in "cV":
        raise DataError(f"{path}: {label} is labels, text or numbers; got {y.dtype}")
    missing = np.isnat(y) if y.dtype.kind in "mM" else np.array([is_missing(str(each)) for each in y.tolist()]
                                                               if y.dtype.kind == "U" else [], bool)
    if missing.any():
        row = np.flatnonzero(missing)[0]
        raise DataError(f"{path}: {label} of row {row + 1} is {str(y[row])!r}: a missing label")
    return x, y
