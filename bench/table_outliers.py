"""The table of docs/evolution.md on what whole activations cost where one channel is 100 times the others.

`python bench/table_outliers.py` prints a row for each codebook and kind of activations: the largest error over the
largest result, and for how many of the 64 rows the largest output is another one than that of exact sums.
"""

import sys

import numpy as np
from lanewise import genome

ROWS, INPUTS, OUTPUTS, GROUP = 64, 1024, 512, 64


def error(codebook, activations, outlier, seed=0):
    """The error of `linear4` on normal numbers with one channel multiplied, and how many rows have another arg max."""
    rng = np.random.default_rng(seed)
    weights = rng.normal(size=(OUTPUTS, INPUTS)).astype(np.float32)
    x = rng.normal(size=(ROWS, INPUTS)).astype(np.float32)
    x[:, 17] *= outlier
    scale = genome.best_scale(weights, codebook, group=GROUP)
    codes = genome.encode(weights, codebook, scale, group=GROUP)
    exact = x.astype(np.float64) @ genome.decode(codes, codebook, scale, group=GROUP).astype(np.float64).T
    found = genome.linear4(x, codes, codebook, scale, group=GROUP, activations=activations)
    flipped = int((found.argmax(axis=1) != exact.argmax(axis=1)).sum())
    return np.abs(found - exact).max() / np.abs(exact).max(), flipped


def main():
    """Print the table."""
    print("| codebook | activations | normal | one channel of 100 times |")
    print("|---|---|---|---|")
    for codebook in (genome.INT4, genome.FLOAT4, genome.LOG4, genome.NF4):
        for activations in ("float32", "int16", "int8"):
            cells = ["{:.1e} ({})".format(*error(codebook, activations, outlier)) for outlier in (1, 100)]
            print(f"| `{codebook.name}` | {activations} | {cells[0]} | {cells[1]} |".replace("e-0", "e-"))


if __name__ == "__main__":
    sys.exit(main())
