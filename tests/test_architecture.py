"""What docs/architecture.md says is so: its picture and its table are made from the import lines, every name in its
walks exists, its walks are in the order of the calls, and code files are short. Who may import whom is held by
test_rooms.py and test_kernel_rooms.py."""

import re
import runpy
import sys
from pathlib import Path
from xml.etree import ElementTree

import lanewise as lw
import numpy as np
import pytest
from lanewise.evolution import Network, evolve

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "architecture.md"
PLACES = re.findall(r"`([\w/.]+\.(?:pyx|pxd|pxi|py)):(\w+)`", PAGE.read_text("utf-8"))
LINES = 400
_LOOPS = "one machine, whose parts mean little apart"
LONG = {  # code files of more lines, and why they are not parted
    "kernels/activations.pyx": "a list to look things up in: two short functions and a registration for each",
    "kernels/operands.pyx": "its errors come from here, and of parts Cython's tracebacks name other functions",
    "kernels/parts/activations_forms.pxi": "made by tools/forms.py: a function for each kernel and form",
    "kernels/loops/columns.pxd": _LOOPS,
    "kernels/loops/reductions.pxd": _LOOPS,
    "kernels/loops/rows.pxd": _LOOPS,
    "kernels/loops/ufuncs.pxd": _LOOPS,
    "pylib/functions/parametric.pyi": "made by tools/stubs.py: four signatures for each function",
    "pylib/evolution/runs.py": "half of it documents the settings of two functions",
    "tests/lanes/registers.pyx": "a list too: a function for each primitive of kernels/lanes",
    "tests/test_lanes.py": "and a test for each",
    "pylib/include/lanewise.h": "made by tools/header.py: a declaration for each function",
}


@pytest.fixture(scope="module")
def tool():
    return runpy.run_path(str(ROOT / "tools" / "architecture.py"))


def test_picture_and_table_are_current(tool):
    assert tool["PICTURE"].read_text("utf-8") == tool["svg"](), "run tools/architecture.py"
    assert PAGE.read_text("utf-8") == tool["page"](), "run tools/architecture.py"


def test_picture_shows_every_arrow_or_a_chain_that_says_it(tool):
    found, shown = tool["arrows"](), set(tool["needed"](tool["arrows"]()))
    assert shown <= found
    for who, whom in found:
        assert whom in tool["reached"](who, shown), f"{who} imports {whom}, which the picture does not say"
    layer = tool["layers_of"](found)
    assert all(layer[who] < layer[whom] for who, whom in found), "an arrow leads up"
    texts = [text.text for text in ElementTree.fromstring(tool["svg"]()).iter("{http://www.w3.org/2000/svg}text")]
    assert {room for arrow in found for room in arrow} <= set(texts)


def test_a_chain_stands_for_the_arrows_that_it_says(tool):
    assert tool["needed"]({("a", "b"), ("b", "c"), ("a", "c"), ("a", "d")}) == [("a", "b"), ("a", "d"), ("b", "c")]


def test_boxes_do_not_overlap(tool):
    place, _, (width, _) = tool["placed"](tool["needed"](tool["arrows"]()))
    boxes = [spot for node, spot in place.items() if isinstance(node, str)]
    for k, (x, y) in enumerate(boxes):
        assert tool["WIDTH"] / 2 <= x <= width - tool["WIDTH"] / 2
        assert all(abs(x - a) >= tool["WIDTH"] or abs(y - b) >= tool["HEIGHT"] for a, b in boxes[:k])


def test_there_are_walks():
    walks = re.findall(r"^### (.*)", PAGE.read_text("utf-8"), re.M)
    assert len(walks) == 5
    assert len(PLACES) > 30


@pytest.mark.parametrize(("file", "name"), sorted(set(PLACES)))
def test_names_in_the_walks_exist(file, name):
    defined = rf'^\s*(def {name}\(|class {name}\b|(cdef|const) [^(]*\b{name}[\[(]|(\w+\.)?{name} = |"{name}": )'
    assert re.search(defined, (ROOT / file).read_text("utf-8"), re.M), f"{file} has no {name}"


def walked(title):
    """The Python functions and classes that a walk names, in its order, as (file, name)."""
    text = PAGE.read_text("utf-8").partition(f"\n### {title}\n")[2].partition("\n## ")[0].partition("\n### ")[0]
    return [place for place in re.findall(r"`(pylib/[\w/]+\.py):(\w+)`", text)
            if re.search(rf"^\s*(def|class) {place[1]}\b", (ROOT / place[0]).read_text("utf-8"), re.M)]


def called(act):
    """The functions of the package that a call runs, in the order in which they are first called; a class for its
    instances."""
    package, found = Path(lw.__file__).parent.resolve(), {}

    def note(frame, event, _argument):
        path, name = Path(frame.f_code.co_filename).resolve(), frame.f_code.co_name
        if event == "call" and package in path.parents:
            name = type(frame.f_locals["self"]).__name__ if name == "__post_init__" else name
            found.setdefault((f"pylib/{path.relative_to(package).as_posix()}", name))
    before = sys.getprofile()
    sys.setprofile(note)
    try:
        act()
    finally:
        sys.setprofile(before)
    return list(found)


def normalised(_folder):
    lw.layer_norm(np.ones((3, 5), np.float32).tolist())


def evolved(folder):
    x, network = np.eye(8, 3), Network((3, 4, 2))
    evolve(network, x, np.arange(8) % 2, generations=2, population=8, progress=False, checkpoint=folder / "run.npz")


@pytest.mark.parametrize(("title", "act", "count"), [
    ("layer_norm along an axis", normalised, 2), ("A generation of evolve", evolved, 8)])
def test_a_walk_is_in_the_order_of_the_calls(title, act, count, tmp_path):
    told = walked(title)
    assert len(told) == count
    assert [place for place in called(lambda: act(tmp_path)) if place in told] == told


def test_files_in_the_page_exist():
    for file in re.findall(r"`((?:kernels|pylib|tests|tools|bench|findings|docs)/[\w/.]*)`", PAGE.read_text("utf-8")):
        assert (ROOT / file).exists(), file


WORDS = {  # in the kernels: a word that has been found to have two meanings, and what is written in its place
    r"\btold\d?\b": "context, or constants",
    r"(?<!square)(?<!near)_roots?\b|\broots?_|\broots\b(?!\.py)|\brooted\b":
        "square_root, or rstd: a root is a zero of a function",
    r"\bless_\w+|\bless[\[(]": "minus_...: less is smaller than",
    r"\bRow\b": "Registration, or Example: a row is a slice of an array",
    r"const void\* row\b": "context: a row is a slice of an array",
    r"\bshifted[\[(]": "has_offsets, or block_moments: it named three things",
    r"\bsent for\b": "prefetched",
    r"\bthe compiler shall\b|\bhad better\b": "why",
}


@pytest.mark.parametrize("word", WORDS)
def test_a_word_has_one_meaning(word):
    sources = [path for room in (".", "parts", "math", "points", "loops", "formats", "rowwise")
               for path in (ROOT / "kernels" / room).glob("*.p[xy][dxi]")]
    found = [path.name for path in sources if re.search(word, path.read_text("utf-8"))]
    assert not found, f"write {WORDS[word]}"


def code_files():
    for folder in ("kernels", "pylib", "tests", "tools", "bench"):
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in (".py", ".pyx", ".pxd", ".pxi", ".pyi", ".h") and "pylib/kernels" not in path.as_posix():
                yield path.relative_to(ROOT).as_posix(), len(path.read_text("utf-8").splitlines())


def test_parts_of_modules_raise_nothing():
    # a traceback would name another function: findings/cython_include_traceback.sh
    parts = sorted((ROOT / "kernels" / "parts").glob("*.pxi"))
    assert parts
    assert not [path.name for path in parts if re.search(r"^\s*raise\b", path.read_text("utf-8"), re.MULTILINE)]


def test_code_files_are_short():
    long = {name: lines for name, lines in code_files() if lines > LINES and name not in LONG}
    assert not long, f"more than {LINES} lines: part them, or say in LONG why not"


def test_files_said_to_be_long_are():
    short = set(LONG) - {name for name, lines in code_files() if lines > LINES}
    assert not short, "no longer long, so no longer in LONG"
