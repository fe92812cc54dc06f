"""What a second thread costs or gains beside busy processes: mean and 99th percentile of a call with the default number
of threads, divided by those of one thread. The last columns are one thread again, divided by one thread: how far off
1 a figure of this run may be by chance.

    python bench/beside_busy.py [--busy 0,1,2,4] [--seconds 2] [--rounds 4]

Each figure is of processes of its own, which take turns, so that both kinds meet the same machine and the workers begin
asleep. Bounds: both ratios at most 1.15 with any number of busy processes, beside what one thread again shows.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np


def silu(n):
    """Return a call of silu on n elements."""
    import lanewise as lw

    x = np.linspace(-8, 8, n, dtype=np.float32)
    y = np.empty_like(x)
    return lambda: lw.silu(x, out=y)


def layer_norm():
    """Return a call of layer_norm on 512 rows of 768."""
    import lanewise as lw

    x = np.random.default_rng(0).normal(0, 1, (512, 768)).astype(np.float32)
    y = np.empty_like(x)
    return lambda: lw.layer_norm(x, out=y)


WORKS = {"silu, 131 072": lambda: silu(131_072), "silu, 1 000 000": lambda: silu(1_000_000),
         "layer_norm, 512 x 768": layer_norm, "a generation of evolve": None}


def times_of_calls(call, seconds):
    """Return the seconds of each call, after some that are not counted."""
    for _ in range(20):
        call()
    times, end = [], time.perf_counter() + seconds
    while not times or time.perf_counter() < end:
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return times


def times_of_generations(seconds):
    """Return the seconds of each generation of 100 networks of 64-32-10 on 1 437 rows."""
    from lanewise.evolution import Network, evolve

    rng, times = np.random.default_rng(1), []
    x, y = rng.integers(0, 17, (1437, 64)).astype(np.float32) / 16, rng.integers(0, 10, 1437)
    evolve(Network((64, 32, 10)), x, y, population=100, seconds=seconds, progress=False,
           callback=lambda state: times.append(time.perf_counter()))
    return np.diff(times)[5:].tolist()


def measure(name, threads, seconds):
    """Time one work in this process; threads is 0 for the default."""
    import lanewise as lw

    if threads:
        lw.set_num_threads(threads)
    return times_of_generations(seconds) if WORKS[name] is None else times_of_calls(WORKS[name](), seconds)


def compare(name, seconds, rounds):
    """Return mean and 99th percentile, in us, of one thread, of the default, and of one thread again, from processes
    that take turns."""
    times = {"one": [], "default": [], "again": []}
    for _ in range(rounds):
        for kind, found in times.items():
            with tempfile.TemporaryDirectory() as folder:
                file = Path(folder, "times.json")
                subprocess.run([sys.executable, __file__, "--measure", name, "--into", str(file), "--seconds",
                                str(seconds), "--threads", "0" if kind == "default" else "1"], check=True)
                found += json.loads(file.read_text())
    return ((np.mean(found) * 1e6, np.percentile(found, 99) * 1e6) for found in times.values())


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--busy", default="0,1,2,4", help="numbers of busy processes (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=2.0, help="of each process (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=4, help="processes of each kind (default: %(default)s)")
    parser.add_argument("--measure", choices=WORKS, help=argparse.SUPPRESS)
    parser.add_argument("--threads", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--into", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        arguments.into.write_text(json.dumps(measure(arguments.measure, arguments.threads, arguments.seconds)))
        return
    print("| busy processes | work | one thread: mean, p99 (us) | default: mean, p99 (us) | mean | p99 "
          "| one again: mean | p99 |")
    print("|---|---|---|---|---|---|---|---|")
    for busy in map(int, arguments.busy.split(",")):
        others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(busy)]
        try:
            for name in WORKS:
                one, default, again = compare(name, arguments.seconds, arguments.rounds)
                print(f"| {busy} | {name} | {one[0]:.1f}, {one[1]:.1f} | {default[0]:.1f}, {default[1]:.1f} | "
                      f"{default[0] / one[0]:.2f} | {default[1] / one[1]:.2f} | {again[0] / one[0]:.2f} | "
                      f"{again[1] / one[1]:.2f} |", flush=True)
        finally:
            for other in others:
                other.kill()
                other.wait()


if __name__ == "__main__":
    main()
