"""``lanewise gradients``: every backward beside differences of its forward. Comparing is measure/gradients.py's."""

from ..terminal import show_table
from . import CommandError

_TOLERANCE = 1e-9  # the differences' own error is a tenth of it


def add_gradients_parser(subparsers):
    """Add the command and its options."""
    parser = subparsers.add_parser(
        "gradients", help="compare every backward with differences of its forward",
        description="Compare backwards, in float64 and for a gradient of 1, with differences of fourth order of their "
                    "forwards at 2000 points of [-10, 10]. The exit status is 1 where one is off by more than 1e-9.")
    parser.add_argument("functions", nargs="*", metavar="FUNCTION", help="such as gelu (default: all)")
    parser.set_defaults(run=run)


def run(arguments):
    """Compare and print."""
    from ..measure import gradients

    known = gradients.names()
    for name in arguments.functions:
        if name not in known:
            raise CommandError(f"no backward of {name!r} to compare; expected some of {', '.join(known)}")
    found = [gradients.compare(name) for name in arguments.functions or known]
    rows = []
    for each in found:
        style = "" if each.largest <= _TOLERANCE else "bold red"
        rows.append([(text, style) for text in (each.function, f"{each.largest:.1e}", f"{each.at:g}")])
    show_table("backward less difference, relative to 1 + |difference|", ["function", ">largest", ">at x ="], rows)
    return int(any(not each.largest <= _TOLERANCE for each in found))
