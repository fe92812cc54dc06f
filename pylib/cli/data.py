"""The rows that ``lanewise evolve`` and ``lanewise train`` learn from: the digits, or a person's own. Reading and
splitting is lanewise.evolution's data.py."""

from ..terminal import say
from . import CommandError, require


def load_data(path, label, values=False):
    """Load the digits, where no path is given, or a person's own rows with their classes or values.

    Parameters
    ----------
    path : path-like or None
    label : str or None
        The column, or the array, with the labels.
    values : bool
        Whether they are values, and not classes.

    Returns
    -------
    DataSet

    Raises
    ------
    CommandError
        If the file cannot be read, or an option does not go with the digits.
    """
    from ..evolution import data

    if path is None:
        require("sklearn", "demo")
        if label is not None or values:
            raise CommandError(f"{'--objective mse' if values else '--label'} is of data of your own; the digits have "
                               "their classes")
        return data.load_digits()
    try:
        found = data.load(path, label, values)
    except data.DataError as error:
        raise CommandError(error) from None
    for note in found.notes:
        say(f"{found.name}: {note}")
    return found


def scaled(data):
    """Scale rows to learn from and rows held out as a network takes them."""
    return [((x - data.offset) * data.scale).astype("float32") for x in (data.x, data.x_held_out)]
