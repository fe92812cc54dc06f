"""``lanewise predict``: what a network that ``lanewise evolve`` has kept says of other rows.

A few lines over classifier.py and data.py of lanewise.evolution.
"""

import contextlib
import csv
import io
import sys

from ..terminal import say
from . import CommandError, add_force, check_outputs, in_words, refuse_what_is_read


def add_predict_parser(subparsers):
    """Add ``predict`` and its options."""
    parser = subparsers.add_parser(
        "predict", help="classify rows with a network that evolve has kept",
        description="Write what MODEL says of each row of DATA, a line each. Where DATA has labels too, how many are "
                    "right goes to standard error.")
    parser.add_argument("model", metavar="MODEL", help="a file that lanewise evolve or Classifier.save has written")
    parser.add_argument("data", metavar="DATA",
                        help="a .csv or .npz as evolve takes, with or without labels, or a .npy of features")
    parser.add_argument("--probabilities", action="store_true", help="also a probability for each class, with a header")
    parser.add_argument("--output", metavar="FILE", help="write there, not to standard output")
    add_force(parser)
    parser.set_defaults(run=run)


def run(arguments):
    """Predict, and write."""
    from ..evolution import data
    from ..evolution.classifier import Classifier
    from ..files import replacing

    if arguments.output is not None:
        refuse_what_is_read("--output", arguments.output, (arguments.model, arguments.data))
        check_outputs("--output", [arguments.output], arguments.force)
    try:
        model = Classifier.load(arguments.model)
        x, y = data.load_inputs(arguments.data, model.network.sizes[0], model.features, model.label)
    except (OSError, ValueError, TypeError) as error:
        raise CommandError(in_words(error)) from None
    header = []
    try:
        predicted = model.predict(x)
        rows = (predicted if predicted.ndim == 2 else predicted[:, None]).tolist()
        right = None if y is None or not len(y) else _score(model, x, y)
    except (ValueError, TypeError) as error:
        raise CommandError(f"{arguments.data}: {error}") from None
    try:
        if arguments.probabilities:
            rows = [row + shares for row, shares in zip(rows, model.predict_proba(x).tolist(), strict=True)]
            header = [["predicted", *map(str, model.classes.tolist())]]
    except (ValueError, TypeError) as error:  # of a network that predicts values
        raise CommandError(f"{arguments.model}: {error}") from None
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(header + rows)
    if arguments.output is None:
        if sys.stdout is not None:
            sys.stdout.write(text.getvalue())
    else:
        with replacing(arguments.output) as file:
            file.write(text.getvalue().encode())
    if right is not None:
        say(right)


def _score(model, x, y):
    if model.classes is None:
        try:
            y = y.astype(float)
        except ValueError:
            raise ValueError(f"the network predicts values, so labels must be numbers; got {y.dtype}, such as "
                             f"{y.tolist()[0]!r}") from None
        return f"coefficient of determination {model.score(x, y.reshape(model.predict(x).shape)):.4f}"
    # labels of a .csv are text, whatever those were that the network has learned
    labels = y if model.classes.dtype.kind != "U" else y.astype(str)
    if y.dtype.kind == "U" and model.classes.dtype.kind in "iuf":
        with contextlib.suppress(ValueError):  # that are no numbers are none of its classes
            labels = y.astype(float)
    return f"{model.score(x, labels):.2%} of {len(x)} rows are right"
