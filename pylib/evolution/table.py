"""A .csv file of the user's: which row holds names, which column labels, which counts the rows; errors name lines."""

import csv
import math

import numpy as np

__all__ = ["DataError", "is_missing", "read_csv"]

LARGEST = 1e300  # of inputs; beyond, differences and means would overflow

_MISSING = {"", "?", "NA", "N/A", "n/a", "nan", "NaN", "NAN", "-nan", "null", "NULL", "None", "<NA>", "#N/A"}


class DataError(ValueError):
    """What is wrong with a person's data, in a sentence for them."""


def is_missing(field):
    """Whether a field stands for nothing, as spreadsheets, pandas and R write it."""
    return field in _MISSING


def _is_number(field):
    try:
        return math.isfinite(float(field))
    except ValueError:
        return False


def read_csv(path, label=None, values=False, features=None, names=None):
    """Read rows of numbers and their labels.

    Parameters
    ----------
    path : path-like
    label : str, optional
        The name of the column with the labels; by default the last.
    values : bool
        Whether labels have to be numbers.
    features : int, optional
        How many features a row has: a table of just so many columns has no labels.
    names : sequence of str, optional
        Of the features, to be found by name where the table has names.

    Returns
    -------
    x : ndarray of float64, shape (rows, features)
    y : ndarray of str or float64, or None
    features : tuple of str or None
        Their names, if there are any.
    label : str or None
        The name of the labels, if there is one.
    notes : list of str
        What a person should know.
    """
    lines = _lines(path)
    header = _header(path, lines, label, names)
    rows = lines[1:] if header else lines
    if not rows:
        raise DataError(f"{path}: no rows of numbers")
    width, notes = len(lines[0][1]), []
    columns = list(range(width))
    if header and width > 2 and _is_index_name(header[0]) and header[0] != label:
        columns.pop(0)
        notes.append("the first column has no name, as the index that pandas writes, and is left out")
    if names is not None and label in names:
        label = None  # it names no column of its own
    labelled = _label_column(path, lines[0][0], header, columns, label, features, names)
    if labelled is not None:
        columns.remove(labelled)
    if header and names is not None:
        columns = _by_name(path, lines[0][0], header, columns, names)
    x = np.array([_numbers(path, number, [fields[k] for k in columns]) for number, fields in rows])
    for i, k in enumerate(columns):
        if len(columns) > 1 and len(x) > 2 and x[0, i] in (0, 1) and (x[:, i] == x[0, i] + np.arange(len(x))).all():
            name = f" ({header[k]})" if header else ""
            notes.append(f"column {k + 1}{name} counts the rows; if it is an index, leave it out")
    y = None if labelled is None else _labels(path, [(number, fields[labelled]) for number, fields in rows], values)
    found = tuple(header[k] for k in columns) if header else None
    return x, y, found, header[labelled] if header and labelled is not None else None, notes


def _lines(path):
    # (number of the line, its fields) of all lines that are not blank
    lines = []
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file)
            for fields in reader:
                fields = [field.strip() for field in fields]
                if not any(fields):
                    continue
                if len(fields) < 2:
                    raise DataError(f"{path}: line {reader.line_num} has one field; features and a label are wanted, "
                                    f"separated by commas{_other_separator(fields[0])}")
                if lines and len(fields) != len(lines[0][1]):
                    raise DataError(f"{path}: line {reader.line_num} has {len(fields)} fields, the lines before it "
                                    f"{len(lines[0][1])}")
                lines.append((reader.line_num, fields))
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise DataError(f"{path}: not a text file in UTF-8") from None
    except csv.Error as error:
        raise DataError(f"{path}: not a readable .csv ({error})") from None
    if not lines:
        raise DataError(f"{path}: no rows of numbers")
    return lines


def _other_separator(line):
    # What a line without commas seems to be separated by, for the error
    for character, name in ((";", "semicolons"), ("\t", "tabs"), (" ", "spaces")):
        if character in line:
            return f", not by {name}"
    return ""


def _header(path, lines, label, names):
    # The names of the columns, if the first row holds names. Later rows tell: a row of data has numbers where they
    # have numbers, and a label like theirs.
    first, rest = lines[0][1], [fields for _, fields in lines[1:]]
    if label is not None:
        if label in first and (names is None or not all(map(_is_number, first))):  # a row of data may hold the label 2
            return first
        if names is None:
            raise DataError(f"{path}: no column {label!r}; line {lines[0][0]} holds {', '.join(first)}")
    if names is not None and set(names) <= set(first):
        return first
    *features, last = first
    counted = [str(k) for k in range(len(first))]
    if first == counted or first == ["", *counted[:-1]]:  # pandas names columns so that have no names
        # two columns that begin with 0, 1 could be a row of whole numbers
        return first if len(first) > 2 or any(not fields[0].isdecimal() for fields in rest) else None
    if not any(not _is_number(field) and not is_missing(field) for field in features):
        return None
    for number, fields in lines[1:]:
        if fields == first and not any(map(_is_number, features)) and any(
                any(map(_is_number, others[:-1])) for others in rest):  # as they do not where all columns are words
            raise DataError(f"{path}: line {number} repeats the names of line {lines[0][0]}")
    labels = [fields[-1] for fields in rest]
    like_the_others = last in labels or (_is_number(last) and all(map(_is_number, labels)))
    named = last not in labels and not any(map(_is_number, features))
    return None if like_the_others and not named else first


def _is_index_name(name):
    return name == "" or name.startswith("Unnamed: ")


def _column(path, line, header, name, why=""):
    if header.count(name) > 1:
        raise DataError(f"{path}: line {line} names {header.count(name)} columns {name!r}{why}")
    return header.index(name)


def _label_column(path, line, header, columns, label, features, names):
    if header and label is not None and label in header:
        return _column(path, line, header, label)
    if features is not None and len(columns) == features:
        return None
    if header and names is not None and set(names) <= set(header):
        others = [k for k in columns if header[k] not in names]
        return others[-1] if len(others) == 1 and label is None else None
    if header and features is None:
        return _column(path, line, header, header[columns[-1]], " and the last is taken for the labels")
    return columns[-1]


def _by_name(path, line, header, columns, names):
    # The columns in the order of `names`; as they lie, if the file has none of these. Names that do not tell columns
    # apart have to lie as they were learned.
    found = [name for name in names if name in header]
    if not found:
        return columns
    if len(set(names)) < len(names):
        if [header[k] for k in columns] != list(names):
            raise DataError(f"{path}: line {line} holds {', '.join(header)}; expected the features "
                            f"{', '.join(names)} in this order, since some have one name")
        return columns
    if len(found) < len(names):
        missing = next(name for name in names if name not in header)
        raise DataError(f"{path}: no column {missing!r}; line {line} holds {', '.join(header)}")
    return [_column(path, line, header, name) for name in names]


def _numbers(path, number, fields):
    for field in fields:
        if is_missing(field):
            raise DataError(f"{path}: line {number} has {field!r} where a number is wanted: a missing value")
        try:
            value = float(field)
        except ValueError:
            raise DataError(f"{path}: line {number} has {field!r} where a number is wanted") from None
        if not abs(value) <= LARGEST:
            raise DataError(f"{path}: line {number} has {field!r}: a NaN, an infinity or a number beyond {LARGEST:g}")
    return [float(field) for field in fields]


def _labels(path, fields, values):
    for number, field in fields:
        if is_missing(field):
            raise DataError(f"{path}: line {number} has {field!r} for a label: a missing label")
        if values and not _is_number(field):
            raise DataError(f"{path}: line {number} has {field!r} where a value to learn, a number, is wanted")
    return np.array([float(field) if values else field for _, field in fields])
