"""The lists of docs/api/elementwise.md, from the table of functions. Run after a function has been added to it:
python tools/reference.py. tests/test_places.py holds that they are current."""

import re
import runpy
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "api" / "elementwise.md"
TABLE = runpy.run_path(str(ROOT / "pylib" / "functions" / "table.py"))  # lanewise cannot be imported before it is built
FUNCTIONS, GATES = TABLE["FUNCTIONS"], TABLE["GATES"]
LIST = re.compile(r"(?<=:nosignatures:\n\n).*?(?=```)", re.S)


def lists():
    """The names under each heading of the page."""
    gated = ["glu", *GATES]
    return {"Forward": list(FUNCTIONS),
            "Backward": [f"{name}_backward" for name, entry in FUNCTIONS.items() if entry.slope],
            "Gated units": [*gated, *(f"{name}_backward" for name in gated)]}


def page():
    """The page as it should be."""
    head, *sections = PAGE.read_text("utf-8").split("\n## ")
    wanted = lists()
    titles = [section.partition("\n")[0] for section in sections]
    if titles != list(wanted):
        raise SystemExit(f"{PAGE.name} has the headings {titles}; expected {list(wanted)}")
    for title, section in zip(titles, sections, strict=True):
        names = "".join(f"   {name}\n" for name in sorted(wanted[title]))
        head += "\n## " + LIST.sub(lambda _, names=names: names, section)
    return head


def made():
    """The text of each file, as it should be."""
    return {PAGE: page()}


if __name__ == "__main__":
    for path, text in made().items():
        path.write_text(text, "utf-8")
