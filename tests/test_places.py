"""Where a function is written: CONTRIBUTING.md, "How to add a function", names every place, and what it says is written
by a program is what that program writes."""

import re
import runpy
from pathlib import Path

import pytest
from lanewise.functions.table import FUNCTIONS

ROOT = Path(__file__).parents[1]
SECTION = (ROOT / "CONTRIBUTING.md").read_text("utf-8").partition("## How to add a function\n")[2].partition("\n## ")[0]
BY_HAND = re.findall(r"^\d\. \*\*`([\w/.]+)`\*\*", SECTION, re.M)
ACTIVATIONS = [name for name, entry in FUNCTIONS.items() if entry.slope]
KINDS = {".py", ".pyi", ".pyx", ".pxd", ".h", ".md", ".txt", ".toml", ".json", ".sh"}
MADE = re.compile("pylib/kernels/|docs/(_build|api/generated)/")  # by the build, and by that of the site
NUMBERS = ("", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine")
generate = runpy.run_path(str(ROOT / "tools" / "generate.py"))


def texts():
    """(path, text) of every file of the project that a person might write a function's name in."""
    yield "CHANGELOG.md", (ROOT / "CHANGELOG.md").read_text("utf-8")
    for folder in ("kernels", "pylib", "tests", "tools", "bench", "docs", "examples", "findings"):
        for path in (ROOT / folder).rglob("*"):
            name = path.relative_to(ROOT).as_posix()
            if path.suffix in KINDS and path.is_file() and not MADE.match(name):
                yield name, path.read_text("utf-8")


def share(text):
    """The part of the activations that a text names, by themselves or within the name of a kernel."""
    words = set(re.findall(r"[A-Za-z]\w*", text))
    words |= {re.sub("(_scaled)?(_(float32|ufunc))$", "", word) for word in words}
    return sum(name in words for name in ACTIVATIONS) / len(ACTIVATIONS)


def test_every_place_of_an_activation_is_named():
    places = {name for name, text in texts() if share(text) > 0.75}
    assert set(BY_HAND) - {"kernels/points/mish.pxd"} <= places, "said to be a place, and is none"
    unnamed = sorted(name for name in places if f"`{name}`" not in SECTION)
    assert not unnamed, "nearly every activation is named in these: derive it from the table, or say so in CONTRIBUTING"


def test_points_are_a_family_a_file():
    points = [text for name, text in texts() if name.startswith("kernels/points/")]
    assert share("".join(points)) > 0.9
    assert max(map(share, points)) < 0.3


def test_files_are_counted():
    assert f"\n{NUMBERS[len(BY_HAND)]} files to write in" in SECTION


@pytest.mark.parametrize("tool", generate["TOOLS"])
def test_what_a_program_writes_is_current(tool):
    for path, text in generate["made"](tool).items():
        assert path.read_text("utf-8") == text, f"{path.name}: run tools/generate.py"
        name = path.relative_to(ROOT).as_posix()
        assert f"`{name}`" in SECTION or share(text) < 0.5, f"{name} is written by tools/{tool}.py: say so"


def test_forms_are_made_of_a_kernel_as_it_is_written():
    forms = runpy.run_path(str(ROOT / "tools" / "forms.py"))
    kernel = ("cdef void bump_float64(const double* x, const double* width, double* y, Py_ssize_t n) noexcept nogil:\n"
              "    map2(bump[f64x], <const f64x*>x, <const f64x*>width, <f64x*>y, n)\n")
    ((result, name, arguments, body),) = forms["forms"](kernel)["scalar"]
    assert forms["signature"](result, name, arguments, ":") + body == (
        "cdef void bump_scalar_float64(const double* x, double width, double* y, Py_ssize_t n) noexcept nogil:\n"
        "    cdef operand[3] operands = [x, &width, y]\n"
        "    passed(<void*>bump_float64, FLOAT64, 1, 1, operands, n)\n")
    assert not forms["forms"](kernel)["point"]
    ((_, name, arguments, _),) = forms["forms"](kernel.replace("const double* width, ", ""))["point"]
    assert (name, arguments) == ("bump_point_float64", ["double x"])
