"""Draws docs/images/speed-and-accuracy.png, the chart of the first page and of the README, from the tables of
docs/benchmarks.md: who measures again and fills these runs it after. python tools/first_chart.py"""

from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"
FILE = DOCS / "images" / "speed-and-accuracy.png"
COLOURS = {"Lanewise": "#d9480f", "PyTorch": "#8e44ad"}
ERRORS = "| function | lanewise | NumPy | PyTorch |"
TIMES = "| function | 4,096: ns | PyTorch | fastest peer | 65,536: ns | PyTorch |"


def table(page, head):
    """The rows of the table whose first line begins so, as lists of cells."""
    rows = page[page.index(head):].split("\n\n")[0].splitlines()[2:]
    return [[cell.strip(" `") for cell in row.strip("|").split("|")] for row in rows]


def points():
    """By function: (ns per element, largest error in ULP) of Lanewise and of PyTorch, at 65 536 elements."""
    page = (DOCS / "benchmarks.md").read_text(encoding="utf-8")
    errors = {row[0]: (float(row[1]), float(row[3])) for row in table(page, ERRORS) if row[3]}
    times = {row[0]: (float(row[4]), float(row[4]) * float(row[5])) for row in table(page, TIMES) if row[5]}
    return {name: tuple(zip(times[name], errors[name], strict=True)) for name in errors if name in times}


def draw(path=FILE):
    """A row for each function: its time on the left, its largest error on the right."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    found = points()
    figure = Figure(figsize=(9, 4.2), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(1, 2, sharey=True)
    for which, axes in enumerate(panels):
        for k, (library, colour) in enumerate(COLOURS.items()):
            values = [pair[k][which] for pair in found.values()]
            places = [row + 0.2 - 0.4 * (k == 0) for row in range(len(found))]
            bars = axes.barh(places, values, 0.38, color=colour, label=library)
            axes.bar_label(bars, [f"{value:.2g}" for value in values], padding=3, fontsize=8, color="#495057")
        axes.spines[["top", "right"]].set_visible(False)
        axes.margins(x=0.14)
    panels[0].set(title="nanoseconds per element", yticks=range(len(found)))
    panels[0].set_yticklabels(found)
    panels[0].invert_yaxis()
    panels[0].legend(frameon=False, loc="lower right")
    panels[1].set(title="largest error in ULP (0.5 is the least)", xscale="log", xlim=(0.3, 1e9))
    figure.suptitle("Shorter is better: Lanewise and PyTorch 2.13, float32, one thread, AVX-512", fontsize=11)
    figure.savefig(path)


if __name__ == "__main__":
    draw()
