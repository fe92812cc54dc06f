"""The table of docs/benchmarks.md of functions with options, beside PyTorch and SciPy: from what `lanewise bench` kept.

    lanewise bench options cross_entropy cross_entropy_with_grad softmax_where logsumexp_factors normalize_cubes \\
        binary_cross_entropy_weighted masked_softmax masked_softmax_backward rotary_embedding \\
        rotary_embedding_backward --sizes L1,L2 --dtype float32 --threads 1 --peers torch,scipy --json FILE
    python bench/table_options.py FILE

Needs torch and scipy for the first; the second reads the file alone."""

import argparse
import json
from pathlib import Path

import numpy as np

SIZES = ("L1", "L2")


def medians(benchmarks):
    """By work, size (in the order of the file) and contender: nanoseconds per element, the median of the rounds."""
    found = {}
    for entry in benchmarks:
        told = entry["extra_info"]
        of_sizes = found.setdefault(told["work"], {})
        of_sizes.setdefault(told["n"], {})[entry["param"]] = float(np.median(entry["stats"]["data"])) * 1e9 / told["n"]
    return found


def rows(found):
    """Each work as a row of Markdown, at each size: Lanewise's nanoseconds, and by peer its time divided by that."""
    yield f"| work | {' | '.join(f'{size}: ns per element | PyTorch | SciPy' for size in SIZES)} |"
    yield f"|---|{'---:|' * 3 * len(SIZES)}"
    for work, sizes in found.items():
        cells = []
        for _, times in sorted(sizes.items()):
            ratios = [f"{times[peer] / times['lanewise']:.2f}" if peer in times else "" for peer in ("torch", "scipy")]
            cells += [f"{times['lanewise']:.3g}", *ratios]
        yield f"| `{work}` | {' | '.join(cells)} |"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="The table of functions with options, in Markdown.")
    parser.add_argument("file", type=Path)
    kept = json.loads(parser.parse_args().file.read_text("utf-8"))
    print("\n".join(rows(medians(kept["benchmarks"]))))
