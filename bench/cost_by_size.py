"""What an element costs as the work grows: nanoseconds per element, by number of elements, by length of a row, and of a
generation of evolve by population and width, on one thread and on two.

    python bench/cost_by_size.py [--quick] [--largest 67108864] [--tables elements,rows,evolve]

Every figure is the least over repeated calls. Beside the functions stands NumPy's negation, timed in the same turns,
which does hardly more than read and write as many bytes: a figure is marked with ! where it is more than 1.5 times the
one before it and negation did not become as much dearer, so that the ends of the caches do not explain the step.
"""

import argparse
import time

import lanewise as lw
import numpy as np
from lanewise.evolution import Network, evolve

STEP = 1.5
CACHED, FROM_MEMORY = 1 << 15, 1 << 24  # elements of one array
ROW_FUNCTIONS = ("rms_norm", "layer_norm", "softmax", "layer_norm_backward", "softmax_backward")


def least(calls, seconds):
    """Return the least nanoseconds of each call; the calls take turns for that many seconds."""
    best, repeats = [float("inf")] * len(calls), []
    for call in calls:
        call()
        start = time.perf_counter_ns()
        call()
        repeats.append(max(1, min(1000, 20_000 // max(1, time.perf_counter_ns() - start))))
    end, turns = time.perf_counter() + seconds, 0
    while turns < 3 or time.perf_counter() < end:
        for k, call in enumerate(calls):
            start = time.perf_counter_ns()
            for _ in range(repeats[k]):
                call()
            best[k] = min(best[k], (time.perf_counter_ns() - start) / repeats[k])
        turns += 1
    return best


def unexplained(costs, passes):
    """Return which of these costs are steps up that those of a pass over the same bytes do not explain."""
    return [k > 0 and costs[k] > STEP * costs[k - 1] * max(1.0, passes[k] / passes[k - 1]) for k in range(len(costs))]


def print_table(heading, names, columns):
    """Print one row for each name; columns maps a title to its costs and to those of a pass over the same bytes."""
    print(f"\n| {heading} | " + " | ".join(columns) + " |\n|--:|" + "--:|" * len(columns))
    cells = []
    for costs, passes in columns.values():
        marks = unexplained(costs, passes)
        cells.append([f"{cost:.3g}{' !' if mark else ''}" for cost, mark in zip(costs, marks, strict=True)])
    for k, name in enumerate(names):
        print(f"| {name} | " + " | ".join(column[k] for column in cells) + " |", flush=True)


def negated(x):
    """Return a call that reads an array and writes another."""
    target = np.empty_like(x)
    return lambda: np.negative(x, out=target)


def by_elements(largest, seconds):
    """Print the cost of a cheap and a dear function by the number of elements."""
    sizes = [1 << k for k in range(4, 27) if 1 << k <= largest]
    found = {}
    for size in sizes:
        x = np.random.default_rng(0).normal(0, 2, size).astype(np.float32)
        y = np.empty_like(x)
        calls = [negated(x), lambda x=x, y=y: lw.relu(x, out=y), lambda x=x, y=y: lw.mish(x, out=y)]
        for threads in (1, 2):
            with Threads(threads):
                for name, cost in zip(("negative", "relu", "mish"), least(calls, seconds), strict=True):
                    found.setdefault((name, threads), []).append(cost / size)
    print_table("elements", sizes, {f"`{name}`, {threads}": (costs, found["negative", 1])
                                    for (name, threads), costs in found.items() if (name, threads) != ("negative", 2)})


def row_call(name, x):
    """Return a call of a function along the last axis."""
    function, grad, weight = getattr(lw, name), np.ones_like(x), np.ones(x.shape[-1], np.float32)
    if name == "layer_norm_backward":
        return lambda: function(grad, x, weight)
    if name == "softmax_backward":
        return lambda: function(grad, x)
    y = np.empty_like(x)
    return lambda: function(x, out=y)


def by_rows(largest, seconds):
    """Print the cost of functions along an axis by the length of a row, from a cache and from memory."""
    for heading, total in (("row, in a cache", min(CACHED, largest)), ("row, from memory", min(FROM_MEMORY, largest))):
        lengths = [1 << k for k in range(3, 21) if 1 << k <= total]
        found = {}
        for n in lengths:
            x = np.random.default_rng(0).normal(0, 1, (total // n, n)).astype(np.float32)
            calls = [negated(x)] + [row_call(name, x) for name in ROW_FUNCTIONS]
            for threads in (1, 2):
                with Threads(threads):
                    for name, cost in zip(("negative", *ROW_FUNCTIONS), least(calls, seconds), strict=True):
                        found.setdefault((name, threads), []).append(cost / x.size)
        flat = [1.0] * len(lengths)  # the bytes are the same for every length, so nothing explains a step
        print_table(f"{heading} ({total} elements)", lengths, {
            f"`{name}`, {threads}": (costs, flat) for (name, threads), costs in found.items()
            if (name, threads) != ("negative", 2)})


def generation(population, width, seconds):
    """Return the least nanoseconds of a generation of networks of 64-width-10 on 256 rows."""
    rng, times = np.random.default_rng(1), []
    x, y = rng.normal(0, 1, (256, 64)).astype(np.float32), rng.integers(0, 10, 256)
    while len(times) < 2:  # a busy machine may come to one generation in so many seconds
        times.clear()
        evolve(Network((64, width, 10)), x, y, population=population, seconds=seconds, progress=False,
               callback=lambda state: times.append(time.perf_counter_ns()))
        seconds *= 2
    return min(np.diff(times))


def by_evolution(largest, seconds):
    """Print nanoseconds per weight and row of data of a generation, by population and by width."""
    most = 1024 if largest >= FROM_MEMORY else 64
    populations, widths = ([1 << k for k in range(start, 11) if 1 << k <= most] for start in (3, 3))
    for heading, names, shapes in (("population, width 32", populations, [(p, 32) for p in populations]),
                                   ("width, population 32", widths, [(32, w) for w in widths])):
        columns = {}
        for threads in (1, 2):
            with Threads(threads):
                costs = [generation(p, w, 4 * seconds) / (p * w * 74 * 256) for p, w in shapes]
            columns[f"generation, {threads}"] = costs, [1.0] * len(costs)
        print_table(heading, names, columns)


class Threads:
    """A number of threads for a while."""

    def __init__(self, threads):
        self.threads = threads

    def __enter__(self):
        self.before = lw.get_num_threads()
        lw.set_num_threads(self.threads)

    def __exit__(self, *error):
        lw.set_num_threads(self.before)


TABLES = {"elements": by_elements, "rows": by_rows, "evolve": by_evolution}


def main():
    """Print the tables that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a tenth of the time for each figure")
    parser.add_argument("--largest", type=int, default=1 << 26, metavar="ELEMENTS", help="(default: %(default)s)")
    parser.add_argument("--tables", default=",".join(TABLES), help="(default: %(default)s)")
    arguments = parser.parse_args()
    asked = arguments.tables.split(",")
    if unknown := [name for name in asked if name not in TABLES]:
        parser.error(f"--tables: {', '.join(unknown)} is none of {', '.join(TABLES)}")
    if arguments.largest < 16:
        parser.error(f"--largest must be at least 16, not {arguments.largest}")
    for name in asked:
        TABLES[name](arguments.largest, 0.02 if arguments.quick else 0.2)


if __name__ == "__main__":
    main()
