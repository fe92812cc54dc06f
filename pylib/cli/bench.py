"""``lanewise bench``: this library beside its peers on the machine at hand, as a table, a file or a page; and two such
files compared. Measuring is measure/benchmark.py's."""

import contextlib
import dataclasses
import difflib
import itertools
import sys
import textwrap
import time
from functools import partial

from ..measure import benchmark, figures, learning, machine, report
from ..measure.ulps import DTYPES
from ..measure.works import of_family, parse_size
from ..terminal import is_terminal, say, show_table
from . import CommandError, add_force, check_outputs, in_words, keep, require

_USUAL = ("relu", "leaky_relu", "sigmoid", "tanh", "silu", "gelu", "mish", "softplus", "silu_backward", "gelu_backward")
_FAMILIES = tuple(dict.fromkeys(work.family for work in benchmark.WORKS.values()))
_LEGEND = ("Nanoseconds per element: the median of the rounds, ± half the distance between their quartiles. x: the"
           " peer's median divided by Lanewise's, so above 1 Lanewise is faster. ULP: this run's largest error.")
_DRIFT = 0.15  # of the copy from the first rounds to the last, beyond which a line says so


def add_bench_parser(subparsers):
    """Add the command and its options."""
    parser = subparsers.add_parser(
        "bench", help="time the functions against the peers that are installed",
        description="Time functions against NumPy, SciPy, PyTorch, ONNX Runtime, MKL, ml_dtypes, numba,"
                    " simd-ml-kernels, EvoTorch and PyGAD, where installed, and against a copy of the same memory,"
                    " interleaved in one run. Whoever does not compute the same values is not timed. Nothing else"
                    " should run meanwhile.")
    parser.add_argument("functions", nargs="*", default=_USUAL, metavar="FUNCTION",
                        help=f"those that --list names, or all of {', '.join(_FAMILIES)}"
                             f" (default: {', '.join(_USUAL)})")
    parser.add_argument("--list", action="store_true", help="measure nothing; name the functions of every family")
    parser.add_argument("--sizes", type=_listed, default=list(benchmark.SIZES), metavar="SIZE,...",
                        help="of L1, L2, memory, numbers of elements, or shapes such as 512x768"
                             " (default: L1,L2,memory)")
    parser.add_argument("--threads", type=_listed, default=["1"], metavar="N,...",
                        help="how many each function may take (default: 1)")
    parser.add_argument("--dtype", type=_listed, default=["float32"], metavar="DTYPE,...",
                        help=f"of {', '.join(DTYPES)} (default: float32)")
    parser.add_argument("--layout", type=_listed, default=["contiguous"], metavar="LAYOUT,...",
                        help=f"of {', '.join(benchmark.LAYOUTS)} (default: contiguous): strided inputs, results in the"
                             " place of the input, results that each call allocates")
    parser.add_argument("--peers", type=_listed, metavar="PEER,...",
                        default=list(benchmark.USUAL_PEERS),
                        help=f"of {', '.join(benchmark.PEERS)} (default: all that are installed, but for "
                             f"{', '.join(benchmark.ON_REQUEST)}, which takes seconds per case)")
    parser.add_argument("--json", metavar="FILE", help="write the figures there too, in pytest-benchmark's format")
    parser.add_argument("--report", metavar="FILE", help="draw the figures there, as one page that a browser opens")
    parser.add_argument("--compare", nargs=2, metavar=("BEFORE", "AFTER"),
                        help="measure nothing; compare two files of --json by ratios to the copy of the same run. The"
                             " exit status is 1 where something takes longer by more than the noise")
    parser.add_argument("--absolute", action="store_true",
                        help="with --compare: nanoseconds too, which two files of one machine have")
    add_force(parser)
    parser.set_defaults(run=run)


def _listed(value):
    return [part.strip() for part in value.split(",") if part.strip()]


def run(arguments):
    """Measure and print, or compare."""
    if arguments.list:
        return _list()
    if arguments.compare is not None:
        return _compare(arguments)
    works = _check(arguments)
    if arguments.json is not None:
        check_outputs("--json", [arguments.json], arguments.force)
    if arguments.report is not None:
        check_outputs("--report", [arguments.report], arguments.force)
    warning = machine.busy()
    if warning is not None:
        say((f"lanewise: {warning}", "yellow"))
    if not machine.can_hold_blas() and any(work.family == "learning" for work in works):
        say(("lanewise: threadpoolctl is missing, so NumPy's BLAS has as many threads as it likes, whatever --threads "
             "says: pip install threadpoolctl", "yellow"))
    described, found = machine.describe(), _measure(arguments, works)
    wanted = []
    if arguments.json is not None:
        wanted.append((arguments.json, figures.as_json(found, described)))
    if arguments.report is not None:
        wanted.append((arguments.report, report.page(found + _norms(arguments), described, _courses())))
    kept = [keep(path, partial(_write, text=text)) for path, text in wanted]
    failed = [f"{error}; it is in {path}" for path, error in kept if error is not None]
    if failed:
        raise CommandError(", and ".join(failed))
    return 0


def _list():
    for family in _FAMILIES:
        names = ", ".join(work.name for work in benchmark.WORKS.values() if work.family == family)
        print(textwrap.fill(f"{family}: {names}", 80, subsequent_indent="  "))
    return 0


def _write(path, text):
    from ..files import replacing

    with replacing(path) as file:
        file.write(text.encode())


def _measure(arguments, works):
    tables = list(itertools.product(map(int, arguments.threads), arguments.sizes, arguments.dtype, arguments.layout))
    total = sum(_is_timed(work, *table[1:]) for table in tables for work in works)
    for work, size in itertools.product(works, arguments.sizes):
        refusal = work.refusal(parse_size(size))
        if refusal is not None:
            say(f"{work.name} {refusal}: {size} is left out")
    found, started = [], time.monotonic()
    for threads, size, dtype, layout in tables:
        rows = []
        with _status() as status:
            for work in works:
                if not _is_timed(work, size, dtype, layout):
                    continue
                done = len(found) + len(rows)
                left = (time.monotonic() - started) / done * (total - done) if done else None
                status(f"{done + 1} of {total}: {work.name} {size} {dtype}, {threads} thread{'s' * (threads > 1)}"
                       + ("" if left is None else f"; about {left:.0f} s left"))
                rows.append(benchmark.measure(dataclasses.replace(work, layout=layout), parse_size(size), threads,
                                              dtype, arguments.peers))
        if rows:
            _show(rows, size, None if found else _LEGEND)
        found += rows
    return found


def _norms(arguments):
    # what the report's chart of norms is made of
    with _status() as status:
        status("norms in one pass and in two, for the report")
        return [benchmark.measure(benchmark.WORKS[name], shape, int(arguments.threads[0]), names=())
                for name, shape in itertools.product(report.NORMS, report.NORM_SHAPES)]


def _courses():
    # learning with a gradient and without, for the report
    with _status() as status:
        status("learning with a gradient and without, for the report")
        try:
            return learning.courses()
        except ModuleNotFoundError:
            say("the report has no chart of learning: its digits come with scikit-learn, which is not installed")
            return None


def _is_timed(work, size, dtype, layout):
    return dtype in work.dtypes and layout in work.layouts and work.refusal(parse_size(size)) is None


@contextlib.contextmanager
def _status():
    # what is measured now, where a person watches and rich can draw it
    try:
        from rich.console import Console
    except ImportError:
        Console = None
    if Console is None or not is_terminal(sys.stderr):
        yield lambda text: None
        return
    with Console(stderr=True).status("") as status:
        yield status.update


def _check(arguments):
    for option in ("sizes", "threads", "dtype", "layout"):
        if not getattr(arguments, option):
            raise CommandError(f"--{option}: expected at least one; got none")
    works = {}
    for name in arguments.functions:
        if name in _FAMILIES:
            works |= of_family(name)
        elif name in benchmark.WORKS:
            works[name] = benchmark.WORKS[name]
        else:
            near = difflib.get_close_matches(name, [*benchmark.WORKS, *_FAMILIES], 3)
            like = f"similar names are {', '.join(near)}; " if near else ""
            raise CommandError(f"no benchmark of {name!r:.60}; {like}lanewise bench --list names all")
    for size in arguments.sizes:
        try:
            parse_size(size)
        except ValueError as wrong:
            raise CommandError(f"--sizes: {wrong}") from None
    for name in arguments.peers:
        if name not in benchmark.PEERS:
            raise CommandError(f"--peers: expected some of {', '.join(benchmark.PEERS)}; got {name!r}")
    for threads in arguments.threads:
        if not (threads.isdecimal() and len(threads) <= 4 and 1 <= int(threads) <= 1024):
            raise CommandError(f"--threads: expected integers from 1 to 1024; got {threads!r:.60}")
    for dtype in arguments.dtype:
        if dtype not in DTYPES:
            raise CommandError(f"--dtype: expected some of {', '.join(DTYPES)}; got {dtype!r}")
        if dtype == "bfloat16":
            require("ml_dtypes", "bench")
    if works and all(work.refusal(parse_size(size)) for work in works.values() for size in arguments.sizes):
        work = next(iter(works.values()))
        raise CommandError(f"--sizes: {work.name} {work.refusal(parse_size(arguments.sizes[0]))}; "
                           f"got {arguments.sizes[0]}")
    for layout in arguments.layout:
        if layout not in benchmark.LAYOUTS:
            raise CommandError(f"--layout: expected some of {', '.join(benchmark.LAYOUTS)}; got {layout!r}")
    for work in works.values():
        if not set(work.layouts) & set(arguments.layout):
            raise CommandError(f"--layout: {work.name} is timed {', '.join(work.layouts)}; "
                               f"got {', '.join(arguments.layout)}")
        if not set(work.dtypes) & set(arguments.dtype):
            raise CommandError(f"--dtype: {work.name} is timed in {', '.join(work.dtypes)}; "
                               f"got {', '.join(arguments.dtype)}")
    if arguments.absolute:
        raise CommandError("--absolute is of --compare; nanoseconds are always shown where they are measured")
    return list(works.values())


def _time(row, name):
    return f"{row.nanoseconds[name]:.3f} ±{row.spread(name):.0%}"


def _error(row, name):
    return f"\n{row.ulp[name]:.3g} ULP" if name in row.ulp else ""


def _show(rows, size, legend):
    first, peers = rows[0], [name for name in benchmark.PEERS if any(name in row.ratio for row in rows)]
    lines = []
    for row in rows:
        cells = []
        for name in peers:
            ratio = row.ratio.get(name)
            cells.append("" if ratio is None else (f"{_time(row, name)}\n{ratio:.2f}x{_error(row, name)}",
                                                   "green" if ratio >= 1 else "red"))
        lines.append([row.work, "x".join(map(str, row.shape)),
                      (_time(row, "lanewise") + _error(row, "lanewise"), "bold"), f"{row.of_copy:.0%}", *cells])
    show_table(f"{size}: {first.dtype}, {first.threads} thread{'s' * (first.threads > 1)}"
               f"{'' if first.layout == 'contiguous' else f', {first.layout}'}",
               ["function", ">shape", ">lanewise", ">of copy", *(f">{name}" for name in peers)], lines, legend, keep=4)
    everywhere = {}
    for name in benchmark.PEERS:
        reasons = {}
        for row in rows:
            if name in row.skipped:
                reasons.setdefault(row.skipped[name], []).append(row.work)
        for reason, works in reasons.items():
            if len(works) == len(rows):
                everywhere.setdefault(reason, []).append(name)
            else:
                say(f"{name} {reason}: {', '.join(works)}")
    for reason, names in everywhere.items():
        say(f"not timed ({reason}): {', '.join(names)}")
        if reason == "not installed" and {"torch", "onnxruntime"} & set(names):
            say("pip install 'lanewise[bench]' installs the usual peers")
    drifting = [row.work for row in rows if abs(row.drift) > _DRIFT]
    if drifting:
        say(("lanewise: the machine's speed changed while these were timed; measure them again: "
             + ", ".join(drifting), "yellow"))


def _compare(arguments):
    try:
        before, after = map(figures.read, arguments.compare)
    except (OSError, ValueError) as wrong:
        raise CommandError(f"--compare: {in_words(wrong)}") from None
    same = figures.same_machine(before, after)
    if arguments.absolute and not same:
        raise CommandError("--absolute: the files are of different machines, whose nanoseconds cannot be compared: "
                           f"{before.machine['cpu']['brand_raw']!r} and {after.machine['cpu']['brand_raw']!r}")
    changes = figures.compare(before, after)
    if not changes:
        raise CommandError("--compare: the files have no case in common")
    times = [{each.label: each.nanoseconds["lanewise"] for each in run.figures} for run in (before, after)]
    lines, slower = [], [change for change in changes if change.beyond_noise and change.change > 0]
    for change in changes:
        verdict = ("unclear", "") if not change.beyond_noise else (
            ("slower", "red") if change.change > 0 else ("faster", "green"))
        absolute = [f"{of[change.label]:.3f}" for of in times] if arguments.absolute else []
        lines.append([change.label, f"{change.before:.2f}", f"{change.after:.2f}", f"{change.change:+.1%}",
                      f"{change.noise:.1%}", verdict, *absolute])
    show_table("Lanewise's time divided by the copy's", [
        "case", ">before", ">after", ">change", ">noise", "verdict",
        *([">ns before", ">ns after"] if arguments.absolute else [])], lines)
    only = [len(run.figures) - len(changes) for run in (before, after)]
    if any(only):
        say(f"in one file only: {only[0]} cases of {arguments.compare[0]}, {only[1]} of {arguments.compare[1]}")
    if not same:
        say(("lanewise: the files are of different machines; a ratio to the copy says how each uses its own", "yellow"))
    return int(bool(slower))
