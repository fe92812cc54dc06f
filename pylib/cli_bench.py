"""``lanewise bench``: this library beside its peers on the machine at hand, as a table. Measuring is benchmark.py's."""

import dataclasses
import json

from . import benchmark
from .peers import PREPARE


def add_bench_parser(subparsers):
    """Add the command and its options."""
    parser = subparsers.add_parser(
        "bench", help="time the functions against the peers that are installed",
        description="Time functions against NumPy, PyTorch, ONNX Runtime and MKL, where installed, and against a copy"
                    " of the same memory, interleaved in one run. Nothing else should run meanwhile.")
    parser.add_argument("functions", nargs="*", default=list(benchmark.WORKS)[:10], metavar="FUNCTION",
                        help=f"of {', '.join(benchmark.WORKS)} (default: the activations)")
    parser.add_argument("--sizes", nargs="+", default=list(benchmark.SIZES), metavar="SIZE",
                        help="L1, L2, memory or a number of elements (default: all three)")
    parser.add_argument("--threads", type=int, nargs="+", default=[1], metavar="N", help="(default: 1)")
    parser.add_argument("--dtype", choices=["float32", "float64"], default="float32")
    parser.add_argument("--peers", nargs="*", default=list(PREPARE), metavar="PEER",
                        help="of numpy, torch, onnxruntime, mkl (default: all that are installed)")
    parser.add_argument("--json", metavar="FILE", help="write the figures there too")
    parser.set_defaults(run=run)


def run(arguments):
    """Measure and print."""
    from .cli import CommandError, require

    console = require("rich.console", "bench").Console()
    _check(arguments, CommandError)
    found = []
    for threads in arguments.threads:
        for size in arguments.sizes:
            n = benchmark.SIZES.get(size) or int(size)
            rows = []
            with console.status(f"{size}, {threads} threads") as status:
                for name in arguments.functions:
                    status.update(f"{name}, {n} elements, {threads} threads")
                    work = benchmark.WORKS[name]
                    rows.append(benchmark.measure(work, n, threads, arguments.dtype, arguments.peers))
            console.print(_table(rows, size, n, threads, arguments.dtype))
            found += rows
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump([dataclasses.asdict(figures) for figures in found], file, indent=1)


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
        if not 1 <= threads <= 1024:
            raise error(f"--threads: expected an integer from 1 to 1024; got {threads}")


def _table(rows, size, n, threads, dtype):
    from rich.table import Table

    peers = [name for name in PREPARE if any(name in row.ratio for row in rows)]
    label = f"{size}: {n:,}" if size in benchmark.SIZES else f"{n:,}"
    table = Table(title=f"{label} {dtype} elements, {threads} thread{'s' * (threads > 1)}; nanoseconds an element")
    table.add_column("function")
    table.add_column("lanewise", justify="right", style="bold")
    table.add_column("copy", justify="right")
    table.add_column("of the copy's speed", justify="right")
    for name in peers:
        table.add_column(name, justify="right")
    for row in rows:
        cells = []
        for name in peers:
            ratio = row.ratio.get(name)
            colour = "green" if ratio is not None and ratio >= 1 else "red"
            cells.append("" if ratio is None else f"{row.nanoseconds[name]:.3f} [{colour}]{ratio:5.2f}x[/]")
        table.add_row(row.work, f"{row.nanoseconds['lanewise']:.3f}", f"{row.nanoseconds['copy']:.3f}",
                      f"{row.of_copy:.0%}", *cells)
    return table
