"""``lanewise bench``: this library beside its peers on the machine at hand, as a table.

Measuring is measure/benchmark.py's.
"""

import contextlib
import dataclasses
import json
import sys

from ..measure import benchmark
from ..measure.peers import PREPARE
from ..terminal import is_terminal, show_table

_USUAL = ("relu", "leaky_relu", "sigmoid", "tanh", "silu", "gelu", "mish", "softplus", "silu_backward", "gelu_backward")


def add_bench_parser(subparsers):
    """Add the command and its options."""
    parser = subparsers.add_parser(
        "bench", help="time the functions against the peers that are installed",
        description="Time functions against NumPy, PyTorch, ONNX Runtime and MKL, where installed, and against a copy"
                    " of the same memory, interleaved in one run. Nothing else should run meanwhile.")
    parser.add_argument("functions", nargs="*", default=_USUAL, metavar="FUNCTION",
                        help=f"of {', '.join(benchmark.WORKS)} (default: {', '.join(_USUAL)})")
    parser.add_argument("--sizes", type=_listed, default=list(benchmark.SIZES), metavar="SIZE,...",
                        help="of L1, L2, memory, or numbers of elements (default: L1,L2,memory)")
    parser.add_argument("--threads", type=_listed, default=["1"], metavar="N,...", help="(default: 1)")
    parser.add_argument("--dtype", choices=["float32", "float64"], default="float32")
    parser.add_argument("--peers", type=_listed, default=list(PREPARE), metavar="PEER,...",
                        help="of numpy, torch, onnxruntime, mkl (default: all that are installed)")
    parser.add_argument("--json", metavar="FILE", help="write the figures there too")
    parser.add_argument("--force", action="store_true", help="replace files that exist, without a question")
    parser.set_defaults(run=run)


def _listed(value):
    return [part.strip() for part in value.split(",") if part.strip()]


def run(arguments):
    """Measure and print."""
    from ..files import replacing
    from . import CommandError, check_outputs

    _check(arguments, CommandError)
    if arguments.json is not None:
        check_outputs("--json", [arguments.json], arguments.force)
    found = []
    for threads in map(int, arguments.threads):
        for size in arguments.sizes:
            n = benchmark.SIZES.get(size) or int(size)
            rows = []
            with _status() as status:
                for name in arguments.functions:
                    status(f"{name}, {n} elements, {threads} threads")
                    work = benchmark.WORKS[name]
                    rows.append(benchmark.measure(work, n, threads, arguments.dtype, arguments.peers))
            _show(rows)
            found += rows
    if arguments.json is not None:
        with replacing(arguments.json) as file:
            file.write(json.dumps([dataclasses.asdict(figures) for figures in found], indent=1).encode())


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


def _check(arguments, error):
    for name in arguments.functions:
        if name not in benchmark.WORKS:
            raise error(f"no benchmark of {name!r}; expected some of {', '.join(benchmark.WORKS)}")
    for size in arguments.sizes:
        if size not in benchmark.SIZES and not (size.isdecimal() and int(size) > 0):
            raise error(f"--sizes: expected L1, L2, memory or a number of elements; got {size!r}")
    for name in arguments.peers:
        if name not in PREPARE:
            raise error(f"--peers: expected some of numpy, torch, onnxruntime, mkl; got {name!r}")
    for threads in arguments.threads:
        if not (threads.isdecimal() and 1 <= int(threads) <= 1024):
            raise error(f"--threads: expected integers from 1 to 1024; got {threads!r}")


def _show(rows):
    first, peers = rows[0], [name for name in PREPARE if any(name in row.ratio for row in rows)]
    copied = min(row.nanoseconds["copy"] for row in rows)
    lines = []
    for row in rows:
        cells = []
        for name in peers:
            ratio = row.ratio.get(name)
            cells.append("" if ratio is None else (f"{row.nanoseconds[name]:.3f} {ratio:5.2f}x",
                                                   "green" if ratio >= 1 else "red"))
        lines.append([row.work, (f"{row.nanoseconds['lanewise']:.3f}", "bold"), f"{row.of_copy:.0%}", *cells])
    show_table(f"{first.n:,} {first.dtype} elements, {first.threads} thread{'s' * (first.threads > 1)}",
               ["function", ">lanewise", ">of copy", *(f">{name}" for name in peers)], lines,
               f"nanoseconds per element, and the peer's time divided by Lanewise's; copying takes {copied:.3f}")
