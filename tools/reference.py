"""The lists of docs/api/elementwise.md and docs/api/along-an-axis.md, from the table of functions and from what modules
export. Run after a function has been added: python tools/reference.py. tests/test_places.py holds both current."""

import ast
import re
import runpy
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGES, FUNCTIONS = ROOT / "docs" / "api", ROOT / "pylib" / "functions"
AXIS = {  # the modules of each heading
    "Norms": ("norms", "normalize", "channel_norms", "instance_norms"),
    "Softmaxes": ("softmax", "logarithms_of_sums"),
    "Attention": ("attention",),
    "Losses": ("losses", "point_losses"),
}
LIST = re.compile(r"(?<=:nosignatures:\n\n).*?(?=```)", re.S)


def exported(module):
    """The names of a module's __all__, read and not imported, since lanewise may not be built yet."""
    for statement in ast.parse((FUNCTIONS / f"{module}.py").read_text("utf-8")).body:
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == "__all__":
            return ast.literal_eval(statement.value)
    raise SystemExit(f"{module}.py has no __all__")


def elementwise():
    """The names under each heading of the page of elementwise functions."""
    table = runpy.run_path(str(FUNCTIONS / "table.py"))
    gated = ["glu", *table["GATES"]]
    return {"Forward": list(table["FUNCTIONS"]),
            "Backward": [f"{name}_backward" for name, entry in table["FUNCTIONS"].items() if entry.slope],
            "Gated units": [*gated, *(f"{name}_backward" for name in gated)]}


def along_an_axis():
    """The names under each heading of the page of functions along an axis."""
    return {title: [name for module in modules for name in exported(module)] for title, modules in AXIS.items()}


def page(path, lists):
    """A page as it should be. A heading that is not among the lists is written by hand."""
    head, *sections = path.read_text("utf-8").split("\n## ")
    titles = [section.partition("\n")[0] for section in sections]
    if missing := lists.keys() - titles:
        raise SystemExit(f"{path.name} has no heading {', '.join(sorted(missing))}")
    for title, section in zip(titles, sections, strict=True):
        names = "".join(f"   {name}\n" for name in sorted(lists.get(title, ())))
        head += "\n## " + (LIST.sub(names, section) if title in lists else section)
    return head


def made():
    """The text of each file, as it should be."""
    lists = {"elementwise.md": elementwise(), "along-an-axis.md": along_an_axis()}
    return {PAGES / name: page(PAGES / name, of_page) for name, of_page in lists.items()}


if __name__ == "__main__":
    for path, text in made().items():
        path.write_text(text, "utf-8")
