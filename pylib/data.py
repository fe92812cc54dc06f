"""Data for the command line: the bundled digits, or a person's own .npz or .csv, with errors that say what is wrong.

A classifier and its genome are kept by classifier.py.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

__all__ = ["DataError", "DataSet", "load", "load_digits"]

HELD_OUT = 5  # every fifth row is held out


class DataError(ValueError):
    """What is wrong with a person's data, in a sentence for them."""


@dataclass(frozen=True)
class DataSet:
    """Rows to learn from and rows held out, float32, with classes as indices into `classes`.

    Inputs enter a network as ``(x - offset) * scale``.
    """

    name: str
    x: np.ndarray
    y: np.ndarray
    x_held_out: np.ndarray
    y_held_out: np.ndarray
    classes: np.ndarray
    offset: np.ndarray
    scale: np.ndarray


def _split(source, x, labels, scaling):
    classes, y = np.unique(labels, return_inverse=True)
    if len(classes) < 2:
        raise DataError(f"{source}: every row has the label {str(classes[0])!r}; at least two classes are wanted")
    held_out = np.arange(len(x)) % HELD_OUT == 0
    if set(y[~held_out]) != set(range(len(classes))):
        missing = classes[sorted(set(range(len(classes))) - set(y[~held_out]))[0]]
        raise DataError(f"{source}: too few rows of class {str(missing)!r}: one row in {HELD_OUT} is held out, "
                        "and none is left to learn from")
    return DataSet(Path(source).name, x[~held_out], y[~held_out], x[held_out], y[held_out], classes,
                   *scaling(x[~held_out]))


def _to_unit_variance(x):
    # the offset and scale that give each input mean 0 and variance 1; a constant input becomes 0
    x = x.astype(np.float64)
    spread = x.std(axis=0)
    spread[spread <= 1e-7 * np.abs(x).max(axis=0)] = np.inf
    return x.mean(axis=0).astype(np.float32), (1 / spread).astype(np.float32)


def _to_sixteenths(x):
    # pixels share one unit: 0 to 16 becomes 0 to 1
    return np.zeros(x.shape[1], np.float32), np.full(x.shape[1], 1 / 16, np.float32)


def load_digits():
    """Load the 1797 handwritten digits of UCI, 8 x 8 pixels from 0 to 16, that scikit-learn ships.

    Raises
    ------
    ModuleNotFoundError
        If scikit-learn is not installed.

    """
    from sklearn.datasets import load_digits as bundled

    x, y = bundled(return_X_y=True)
    return _split("digits", x.astype(np.float32), y, _to_sixteenths)


def load(path):
    """Load a person's data: an ``.npz`` with ``x`` and ``y``, or a ``.csv`` with the label last.

    Every fifth row is held out.

    Raises
    ------
    DataError
        Naming the file, what it holds and what was expected.

    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path}: {'is a folder' if path.is_dir() else 'no such file'}")
    if path.suffix not in (".npz", ".csv"):
        raise DataError(f"{path}: expected a .npz with x and y, or a .csv with the label last; "
                        f"got {path.suffix or 'no suffix'}")
    x, labels = (_read_npz if path.suffix == ".npz" else _read_csv)(path)
    if len(x) < 2 * HELD_OUT:
        raise DataError(f"{path}: {len(x)} rows; at least {2 * HELD_OUT} are wanted")
    bad = np.flatnonzero(~np.isfinite(x).all(axis=1))
    if len(bad):
        raise DataError(f"{path}: row {bad[0] + 1} holds a NaN, an infinity or a number beyond float32")
    return _split(path, x, labels, _to_unit_variance)


def _read_npz(path):
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as arrays:
            missing = [name for name in ("x", "y") if name not in arrays.files]
            if missing:
                raise DataError(f"{path}: no array {' or '.join(missing)}; "
                                f"it holds {', '.join(arrays.files) or 'none'}")
            x, y = arrays["x"], arrays["y"]
    except DataError:
        raise
    except Exception as error:  # what zipfile, zlib and NumPy raise for a damaged file has no common base
        raise DataError(f"{path}: not a readable .npz ({error})") from None
    if x.ndim < 2 or x.shape[1:] == (0,) or x.dtype.kind not in "biuf":
        raise DataError(f"{path}: x is numbers, [rows, features]; got {x.dtype}{list(x.shape)}")
    if y.shape != x.shape[:1]:
        raise DataError(f"{path}: y has one label for each of the {len(x)} rows; got {list(y.shape)}")
    if y.dtype.kind == "f" and not np.isfinite(y).all():
        raise DataError(f"{path}: y holds a NaN or an infinity")
    with np.errstate(over="ignore"):
        return x.reshape(len(x), -1).astype(np.float32), y


def _read_csv(path):
    import csv

    rows, labels, width = [], [], None
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            for number, fields in enumerate(csv.reader(file), 1):
                if not any(field.strip() for field in fields):
                    continue
                if len(fields) < 2:
                    raise DataError(f"{path}: line {number} has one field; features and a label are wanted, "
                                    "separated by commas")
                if width is not None and len(fields) != width:
                    raise DataError(f"{path}: line {number} has {len(fields)} fields, the lines before it {width}")
                try:
                    numbers = [float(field) for field in fields[:-1]]
                except ValueError:
                    if width is None:  # names of columns
                        width = len(fields)
                        continue
                    bad = next(field for field in fields[:-1] if not _is_number(field))
                    raise DataError(f"{path}: line {number} has {bad!r} where a number is wanted") from None
                width = len(fields)
                rows.append(numbers)
                labels.append(fields[-1].strip())
    except UnicodeDecodeError:
        raise DataError(f"{path}: not a text file in UTF-8") from None
    except csv.Error as error:
        raise DataError(f"{path}: not a readable .csv ({error})") from None
    if not rows:
        raise DataError(f"{path}: no rows of numbers")
    with np.errstate(over="ignore"):
        return np.array(rows, np.float64).astype(np.float32), np.array(labels)


def _is_number(field):
    try:
        float(field)
    except ValueError:
        return False
    return True
