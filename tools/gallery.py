"""The page of the activations, docs/activations.md, with a figure a function: its curve, its derivative, and the error
of float32 in ULP over x. Run, with matplotlib, SciPy and mpmath installed: python tools/gallery.py [FUNCTION ...]"""

import sys
from pathlib import Path

import lanewise
import numpy as np
from lanewise.bounds import BOUNDS, bound
from lanewise.functions import activations, gates, parametric
from lanewise.measure import accuracy, oracles
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

DOCS = Path(__file__).parents[1] / "docs"
CURVE, SLOPE, ERROR, QUIET = "#3b5b92", "#d1495b", "#2a9d8f", "#6b7280"
POINTS = 6000
PREFACE = """# Activations

Every function below takes arrays of float16, bfloat16, float32 and float64, broadcasts, and has `out=`, `where=` and
whatever else a NumPy ufunc has; its backward, `<name>_backward(grad, x, ...)`, too. The figures show the curve, the
derivative as the backward computes it, and the errors of float32 in ULP of the exact result (the function's in blue
upwards, the backward's in red downwards) within the bounds that are promised. [accuracy.md](accuracy.md) has the
largest errors over all inputs. Written by `python tools/gallery.py`.

A number given as a parameter, such as 0.01, is taken in the precision of the computation: as a float32 beside arrays of
float16 and bfloat16, whose results are rounded once. Arrays of parameters promote as NumPy's operands do.
"""


def errors(name, x, parameters):
    """Of float32, in ULP."""
    grad = [np.ones_like(x)] * name.endswith("_backward")
    y = getattr(lanewise, name)(*grad, x, *map(np.float32, parameters))
    with np.errstate(all="ignore"):
        wide = [operand.astype(np.float64) for operand in (*grad, x)]
        exact = np.asarray(oracles.wide(name)(*wide, *(float(np.float32(p)) for p in parameters)), np.float64)
    return accuracy.errors(y, exact, "float32")


def draw(name, path):
    """Draw the figure of a function."""
    oracle, backward = oracles.of_function(name), f"{name}_backward"
    low, high = max(oracle.domain[0], -8.0), min(oracle.domain[1], 8.0)
    x = np.linspace(low, high, POINTS).astype(np.float32)
    parameters = oracle.parameters[0]
    figure = Figure(figsize=(6.4, 4.2), dpi=90, layout="constrained")
    FigureCanvasAgg(figure)
    curves, below = figure.subplots(2, height_ratios=(3, 1.4), sharex=True)
    with np.errstate(all="ignore"):
        y = getattr(lanewise, name)(x, *parameters)
    shown = np.abs(y) < 20
    curves.plot(x[shown], y[shown], color=CURVE, linewidth=2, label=name)
    below.plot(x, errors(name, x, parameters), ".", markersize=1.5, color=CURVE)
    below.axhline(bound(name, "float32"), color=CURVE, linewidth=1, linestyle=(0, (4, 2)))
    if backward in BOUNDS:
        at = getattr(lanewise, name)(x) if oracle.of_output else x
        slope = getattr(lanewise, backward)(np.ones_like(x), at, *parameters)
        curves.plot(x, slope, color=SLOPE, linewidth=1.5, label=f"{name}'")
        below.plot(x, -errors(backward, at, parameters), ".", markersize=1.5, color=SLOPE)
        below.axhline(-bound(backward, "float32"), color=SLOPE, linewidth=1, linestyle=(0, (4, 2)))
    curves.legend(frameon=False, loc="upper left")
    below.set(xlabel="x", ylabel="error, ULP")
    below.yaxis.set_major_formatter(lambda value, _: f"{abs(value):g}")
    for axes in (curves, below):
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(color="#e5e7eb", linewidth=0.6)
        axes.tick_params(colors=QUIET)
    figure.savefig(path)


def main(chosen):
    """Draw the chosen functions, or all, and write the page of all."""
    folder = DOCS / "images" / "functions"
    folder.mkdir(parents=True, exist_ok=True)
    names = [name for name in BOUNDS if not name.endswith("_backward")]
    for name in chosen or names:
        draw(name, folder / f"{name}.png")
    lines = [PREFACE]
    for title, module in (("Without parameters", activations), ("With parameters", parametric), ("Gated", gates)):
        lines += [f"## {title}", ""]
        for name in (name for name in module.__all__ if name in names):
            formula = getattr(lanewise, name).__doc__.split("element by element.")[0].splitlines()[-1].rstrip(", ")
            formula = formula.rpartition("\n")[2]
            lines += [f"### {name}", "", f"`{formula}`", "", f"![{name}](images/functions/{name}.png)", ""]
    (DOCS / "activations.md").write_text("\n".join(lines).rstrip() + "\n", "utf-8")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
