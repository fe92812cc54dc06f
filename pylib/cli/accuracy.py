"""``lanewise accuracy``: the errors of the functions in ULP beside what the contract allows, as a table for a terminal
and for docs/accuracy.md. Measuring is measure/accuracy.py's."""

import contextlib
import math
import re
import sys
from functools import partial
from pathlib import Path

from ..bounds import LEARNING_BOUNDS, LEARNING_UNITS, ROW_BOUNDS, functions, of
from ..files import replacing
from ..terminal import is_terminal, show_table
from . import CommandError, check_outputs, keep, require

DTYPES = ("float32", "float64", "float16", "bfloat16")
_HEAD = "| function | dtype | bound | largest error | where | correctly rounded | inputs | errors |"
_PREFACE = """# Accuracy

The largest error of every function and of its derivative, in ULP (units in the last place) of the exact result. No
rounded result can be promised to be nearer than 0.5. The tests assert the bounds. This page is written by

    lanewise accuracy --exhaustive --output docs/accuracy.md

What is tried:

- float32: all 2^32 inputs if the column of inputs counts billions, against the same function in float64. Otherwise
  every 1009th input and critical neighbourhoods, against a formula in float64.
- float16 and bfloat16: all 65 536 inputs, against the same formulas in float64.
- float64: random numbers of every scale, and the neighbours of every place where a formula changes, cancels or
  saturates, against mpmath in 200 bits.
- A backward: a gradient of 1, then gradients drawn from all bit patterns. If it takes the forward's output, the exact
  result is computed from the output that it is given.
- A gated unit: the gate as the input of any other function, with a few values of what it gates. Where a product lies
  just below a power of two, `geglu` of float32 was seen to be 1.07 ULP off, which those few values do not show.
- A function along an axis: random rows of 1 to 10 000 elements, some far from 0 or nearly constant, against its formula
  in float64, or for float64 in the C compiler's long double. If results cancel, an error is counted in ULP of what they
  cancel from: the terms of a difference, or the root mean square of the row (of `layer_norm` the weight, if larger).
- And float32 and float64 rows in which one exponential or square is about 2^24 or 2^53 times each of the others, up to
  thousands; and such rows whose elements are one number but for a few, or equal but for the sign: so many additions of
  equal numbers all round the same way. Sums of float64 rows keep what their additions round off.
- And rows of nearly equal numbers, beside gradients of which one is 2^24 or 2^53 times the others. A longer search of
  such rows found more than those of the table show: in float32 `rms_norm_backward` 3.9, `softmax_backward` 4.9 and
  `masked_softmax_backward` 5.0, in float64 `normalize_backward` (p of 3) 12.7, `softmin_backward` 5.3 and
  `log_softmax_backward` 4.4. The bounds allow for that.
- Not tried: what lies below the smallest normal number has fewer digits, which a large factor shows. So it is with
  normed numbers and a large weight; with slopes and a large gradient, or a gate's slope and a large `up` (in `swiglu` a
  gate below -87 and an `up` of 1e6); with a target times a small `pos_weight`.

The last column is a histogram: a bar for each eighth of an ULP, as high as the logarithm of its count.

"""
_FUNCTIONS = functions()
_BARS = " ▁▂▃▄▅▆▇█"


def add_accuracy_parser(subparsers):
    """Add the command and its options."""
    parser = subparsers.add_parser(
        "accuracy", help="measure the errors of the functions in ULP",
        description="Measure the error of functions and of their derivatives in ULP of the exact result, and compare it"
                    " with the contract. The exit status is 1 where a bound is exceeded.")
    parser.add_argument("functions", nargs="*", metavar="FUNCTION", help="such as gelu or gelu_backward (default: all)")
    parser.add_argument("--exhaustive", action="store_true", help="try all 2^32 float32 inputs: a minute per function")
    parser.add_argument("--dtypes", nargs="+", choices=DTYPES, default=DTYPES, metavar="DTYPE",
                        help=f"of {', '.join(DTYPES)} (default: all)")
    parser.add_argument("--threads", type=int, metavar="N", help="(default: as many as there are CPUs)")
    parser.add_argument("--output", type=Path, metavar="FILE",
                        help="write the table there in Markdown; what it says of other functions stays")
    parser.add_argument("--force", action="store_true", help="replace a file that is no such table, without a question")
    parser.set_defaults(run=run)


def run(arguments):
    """Measure and print."""
    for name in arguments.functions:
        if name in LEARNING_BOUNDS:
            bounds = ", ".join(f"{bound:g} ({dtype})" for dtype, bound in of(name).items())
            raise CommandError(f"{name} is not among the functions measured here; its bound in ULP of "
                               f"{LEARNING_UNITS.get(name, 'the exact result')} is {bounds}, which the tests assert")
        if name not in _FUNCTIONS:
            raise CommandError(f"no bound is promised for {name!r}; expected some of {', '.join(_FUNCTIONS)}")
    if arguments.threads is not None and not 1 <= arguments.threads <= 1024:
        raise CommandError(f"--threads: expected an integer from 1 to 1024; got {arguments.threads}")
    for module in ("mpmath", "scipy", "ml_dtypes"):
        require(module, "test")
    from ..measure import accuracy, row_accuracy

    if arguments.output is not None:
        check_outputs("--output", [arguments.output], arguments.force or _is_page(arguments.output))
    found = []
    with _bar() as task_of:
        for name in arguments.functions or _FUNCTIONS:
            for dtype in arguments.dtypes:
                if name in ROW_BOUNDS:
                    with task_of(f"{name}, {dtype}", len(row_accuracy.CASES)) as advance:
                        found.append(row_accuracy.measure_rows(name, dtype, advance))
                else:
                    chunks = accuracy.count_chunks(name, dtype, arguments.exhaustive)
                    with task_of(f"{name}, {dtype}", chunks) as advance:
                        found.append(accuracy.measure(name, dtype, arguments.exhaustive, arguments.threads, advance))
                if arguments.output is not None:  # after each, since all of them take an hour
                    with contextlib.suppress(OSError):  # what is wrong is said in the end
                        write(arguments.output, found)
    _show(found)
    if arguments.output is not None:
        path, error = keep(arguments.output, partial(write, found=found))
        if error is not None:
            raise CommandError(f"{error}; the page is in {path}")
    return int(any(each.largest > each.bound for each in found))


def _is_page(path):
    # whether a file is a page that this command has written, of which it keeps what it does not measure
    if not path.is_file():
        return True
    try:
        return "| function | dtype | bound |" in path.read_text("utf-8")
    except UnicodeDecodeError:
        return False


@contextlib.contextmanager
def _bar():
    # a bar on standard error for each piece of work, where rich is
    try:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
    except ImportError:
        Progress = None
    if Progress is None or not is_terminal(sys.stderr):
        yield lambda _name, _total: contextlib.nullcontext(lambda: None)
        return
    columns = (TextColumn("{task.description}"), BarColumn(None), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, redirect_stdout=False) as bar:
        @contextlib.contextmanager
        def task_of(name, total):
            task = bar.add_task(name, total=total)
            yield partial(bar.advance, task)
            bar.remove_task(task)

        yield task_of


def cells(found):
    """What the table says of one function in one dtype."""
    from ..measure.accuracy import dtype_of

    scalar = dtype_of(found.dtype).type
    at = ", ".join(str(scalar(operand)) for operand in found.at)
    return (found.function, found.dtype, f"{found.bound:g}", f"{found.largest:.4f}", at,
            _percentage(found.correctly_rounded), f"{found.inputs:,}", bars(found.counts))


def _percentage(share):
    return f"{math.floor(share * 1e4) / 100:.2f}%"  # only all is 100


def bars(counts):
    """A histogram as a line of text: the logarithm of each count, down to the last that is not zero."""
    used = max((i for i, count in enumerate(counts) if count), default=-1) + 1
    most = math.log2(1 + max(counts))
    return "".join(_BARS[math.ceil(8 * math.log2(1 + count) / most)] for count in counts[:used])


def _show(found):
    titles = [f">{title}" if title in ("bound", "largest error", "inputs") else title
              for title in _HEAD.strip("| ").split(" | ")]
    rows = []
    for each in found:
        style = "" if each.largest <= each.bound else "bold red"
        rows.append([(cell, style) for cell in cells(each)])
    show_table("errors in ULP of the exact result", titles, rows)


def write(path, found):
    """Write the page; rows of functions that were not measured stay as they are."""
    rows = {}
    if path.exists() and _is_page(path):
        rows = {match.groups(): match[0]
                for match in re.finditer(r"^\| `(\w+)` \| (\w+) \|.*$", path.read_text("utf-8"), re.MULTILINE)}
    for each in found:
        name, *others = cells(each)
        rows[each.function, each.dtype] = f"| `{name}` | {' | '.join(others[:-1])} | `{others[-1]}` |"
    order = [(name, dtype) for name in _FUNCTIONS for dtype in DTYPES if (name, dtype) in rows]
    lines = [_HEAD, "|---|---|--:|--:|---|--:|--:|---|", *(rows[row] for row in order)]
    with replacing(path) as file:
        file.write((_PREFACE + "\n".join(lines) + "\n").encode())
