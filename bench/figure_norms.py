"""Draws docs/images/norm-passes.png: time, bytes and error of layer norm from a guess of the mean, in two passes, in
one, and of RMSNorm, against the length of a row, with the roofline; prints the table beside it. For an idle machine;
one thread.

python bench/figure_norms.py [FILE]
"""

import sys
import time
from functools import partial
from pathlib import Path

import lanewise as lw
import numpy as np
from bench_norms import ELEMENTS, LENGTHS, NORMS, largest_error, rows_of
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

FILE = Path(__file__).parent.parent / "docs" / "images" / "norm-passes.png"
TITLES = {"layer_norm_shifted": "layer_norm", "layer_norm_two_pass": "layer_norm, two passes",
          "layer_norm_one_pass": "layer_norm, one pass", "rms_norm": "rms_norm"}
COLORS = dict(zip(NORMS, ("#e09f3e", "#3b5b92", "#2a9d8f", "#d1495b"), strict=True))
PASSES = {"layer_norm_shifted": 1, "layer_norm_two_pass": 2, "layer_norm_one_pass": 1, "rms_norm": 1}
CACHE_FILE = Path("/sys/devices/system/cpu/cpu0/cache/index2/size")
L2_BYTES = int(CACHE_FILE.read_text().strip().rstrip("K")) << 10 if CACHE_FILE.exists() else 1 << 20


def seconds(calls, rounds=15, least=0.002):
    """The best time of each call over some rounds; each round times every call in turn."""
    times = {}
    for name, call in calls.items():
        call()
        start = time.perf_counter()
        call()
        times[name] = max(1, int(least / (time.perf_counter() - start)))
    best = dict.fromkeys(calls, float("inf"))
    for _ in range(rounds):
        for name, call in calls.items():
            start = time.perf_counter()
            for _ in range(times[name]):
                call()
            best[name] = min(best[name], (time.perf_counter() - start) / times[name])
    return best


def moved(name, length, place):
    """Bytes per element that come from, or go to, what lies beyond the L2: what is read again may still be there."""
    if place == "cache":
        return 0
    again = PASSES[name] if 2 * 4 * length > L2_BYTES else 0
    return 4 * (1 + again) + 4


def measured():
    """A row of the table for each place, length and norm."""
    for place, elements in ELEMENTS.items():
        for length in LENGTHS:
            if length > elements:
                continue
            x = rows_of(length, place)
            y = np.empty_like(x)
            calls = {name: partial(norm, x, out=y) for name, norm in NORMS.items()}
            best = seconds({"copy": partial(np.copyto, y, x), **calls})
            for name in NORMS:
                yield {"place": place, "length": length, "name": name, "copy": best["copy"] / x.size,
                       "time": best[name] / x.size, "bytes": moved(name, length, place),
                       "error": largest_error(name, x),
                       "error_2000": largest_error(name, rows_of(length, "cache", mean=2000))}


def draw(rows, path):
    """Time in cache; out of it, with the roofline as a least time; bytes; error."""
    figure = Figure(figsize=(11, 7.5), dpi=130, layout="constrained")
    FigureCanvasAgg(figure)
    (in_cache, in_memory), (bytes_, errors) = figure.subplots(2, 2)
    for axes, place in (in_cache, "cache"), (in_memory, "memory"):
        for name, color in COLORS.items():
            own = [row for row in rows if (row["place"], row["name"]) == (place, name)]
            lengths = [row["length"] for row in own]
            axes.plot(lengths, [row["time"] * 1e9 for row in own], color=color, marker="o", label=TITLES[name])
            if place == "memory":
                axes.plot(lengths, [row["copy"] * 1e9 * row["bytes"] / 8 for row in own], color=color, linestyle=":",
                          linewidth=1.2)
                bytes_.step(lengths, [row["bytes"] for row in own], color=color, where="mid", label=TITLES[name],
                            linewidth={"layer_norm_shifted": 8, "layer_norm_one_pass": 4}.get(name, 1.8))
                errors.plot(lengths, [row["error"] for row in own], color=color, marker="o", label=TITLES[name])
                errors.plot(lengths, [row["error_2000"] for row in own], color=color, linestyle="--")
        axes.plot(lengths, [row["copy"] * 1e9 for row in own], color="#6b7280", linewidth=1, label="a copy, 8 bytes")
        axes.set(title=f"time, {ELEMENTS[place]:,} elements: {'in cache' if place == 'cache' else 'from memory'}",
                 ylabel="ns per element", ylim=(0, None))
    in_memory.plot([], [], color="#6b7280", linestyle=":", label="the least that its bytes take at the copy's speed")
    bytes_.set(title="bytes between L2 and what lies beyond (counted)", ylabel="bytes per element", ylim=(0, 18))
    errors.plot([], [], color="#6b7280", linestyle="--", label="mean 2000, sigma 1")
    errors.set(title="largest error (mean 3, sigma 1)", ylabel="ULP of max(|y|, 1)", ylim=(0, None))
    for axes in (in_cache, in_memory, bytes_, errors):
        axes.set_xscale("log", base=2)
        axes.set_xlabel("length of a row")
        axes.grid(color="#e5e7eb", linewidth=0.8)
        axes.legend(frameon=False, fontsize=8)
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path)


def table(rows):
    """The times in Markdown, as multiples of a copy of the same place."""
    lines = ["| | rows of | " + " | ".join(TITLES.values()) + " | error, ULP |", "|---" * (len(TITLES) + 3) + "|"]
    for k in range(0, len(rows), len(NORMS)):
        own = rows[k : k + len(NORMS)]
        times = " | ".join(f"{row['time'] / row['copy']:.2f}" for row in own)
        lines.append(f"| {own[0]['place']} | {own[0]['length']:,} | {times} | "
                     + ", ".join(f"{row['error']:.2f}" for row in own) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    lw.set_num_threads(1)
    found = list(measured())
    draw(found, sys.argv[1] if len(sys.argv) > 1 else FILE)
    print(table(found))
