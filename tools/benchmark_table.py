"""Print the tables of docs/benchmarks.md from what `lanewise bench ... --json FILE` wrote:

    lanewise bench $(python -c "from lanewise.bounds import BOUNDS; print(*BOUNDS)") --sizes L1,L2 --json cache.json
    lanewise bench relu silu tanh mish --sizes memory --threads 1,2 --peers torch --json memory.json
    python tools/benchmark_table.py cache.json memory.json

and that of functions with options:

    lanewise bench options --sizes L1,L2 --peers torch,scipy,onnxruntime --json options.json
    python tools/benchmark_table.py options.json
"""

import sys

import numpy as np
from lanewise.measure.figures import read

NAMES = {"numpy": "NumPy", "scipy": "SciPy", "torch": "PyTorch", "onnxruntime": "ONNX Runtime", "mkl": "MKL"}


def table(header, rows):
    print(f"| {' | '.join(header)} |", "|---|" + "--:|" * (len(header) - 1), sep="\n")
    for row in rows:
        print(f"| {' | '.join(row)} |")


def of_size(figures):
    """Nanoseconds, times of PyTorch, and those of the fastest peer."""
    peers = figures.ratio
    torch = f"{peers['torch']:.2f}" if "torch" in peers else ""
    fastest = min(peers, key=peers.get, default=None)
    return [f"{figures.nanoseconds['lanewise']:.3f}", torch,
            f"{peers[fastest]:.2f} {NAMES[fastest]}" if fastest else ""]


def in_cache(figures):
    sizes = sorted({f.n for f in figures})
    header = ["function", *(title for n in sizes for title in (f"{n:,}: ns", "PyTorch", "fastest peer"))]
    works = dict.fromkeys(f.work for f in figures)
    table(header, [[f"`{work}`", *(cell for n in sizes for f in figures if (f.work, f.n) == (work, n)
                                   for cell in of_size(f))] for work in works])
    for n in sizes:
        ratios = [f.ratio["torch"] for f in figures if f.n == n and "torch" in f.ratio]
        print(f"\n{n:,}: geometric mean over {len(ratios)} functions {np.exp(np.mean(np.log(ratios))):.2f}")


def in_memory(figures):
    of = {(f.work, f.threads): f.nanoseconds for f in figures}
    table(["function", "one thread", "two threads", "times as fast", "PyTorch, two threads", "copy, two threads"],
          [[f"`{work}`", f"{one['lanewise']:.3f}", f"{two['lanewise']:.3f}", f"{one['lanewise'] / two['lanewise']:.2f}",
            f"{two['torch']:.3f}", f"{two['copy']:.3f}"]
           for work, one, two in ((work, of[work, 1], of[work, 2]) for work in dict.fromkeys(w for w, _ in of))])


def main():
    cache, *memory = sys.argv[1:]
    in_cache(read(cache).figures)
    for file in memory:
        print()
        in_memory(read(file).figures)


if __name__ == "__main__":
    main()
