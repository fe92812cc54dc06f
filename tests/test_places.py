"""Where a function is written: CONTRIBUTING.md, "How to add a function", names every place, and what it says is written
by a program is what that program writes."""

import re
import runpy
from pathlib import Path

import lanewise as lw
import pytest
from lanewise.bounds import ROW_BOUNDS
from lanewise.functions.table import FUNCTIONS

ROOT = Path(__file__).parents[1]
ACTIVATIONS = [name for name, entry in FUNCTIONS.items() if entry.slope]
ALONG_AN_AXIS = sorted(ROW_BOUNDS.keys() & set(lw.__all__))
KINDS = {".py", ".pyi", ".pyx", ".pxd", ".pxi", ".h", ".md", ".txt", ".toml", ".json", ".sh"}
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


def share(text, functions=ACTIVATIONS):
    """The part of the functions that a text names, by themselves or within the name of a kernel."""
    words = set(re.findall(r"[A-Za-z]\w*", text))
    words |= {re.sub("(_scaled)?(_(float32|ufunc))$", "", word) for word in words}
    return sum(name in words for name in functions) / len(functions)


def section(title):
    """A section of CONTRIBUTING.md, and the files that it numbers, to write in by hand."""
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8").partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    return text, re.findall(r"^\d\. \*\*`([\w/.]+)`\*\*", text, re.M)


SECTIONS = {  # of a kind of function: which, how many of them a place names, and what stands for one file of many
    "How to add a function": (ACTIVATIONS, 0.75, {"kernels/points/mish.pxd"}),
    "How to add a function along an axis": (ALONG_AN_AXIS, 0.6, {
        "kernels/norms.pyx", "pylib/functions/norms.py", "pylib/functions/norms.pyi"}),
}


@pytest.mark.parametrize("title", SECTIONS)
def test_every_place_is_named(title):
    functions, least, of_a_family = SECTIONS[title]
    text, by_hand = section(title)
    places = {name for name, found in texts() if share(found, functions) > least}
    assert set(by_hand) - of_a_family <= places, "said to be a place, and is none"
    unnamed = sorted(name for name in places if f"`{name}`" not in text)
    assert not unnamed, "nearly every function is named in these: derive it, or name it in CONTRIBUTING"
    assert f"{NUMBERS[len(by_hand)]} files to write in" in text


def test_points_are_a_family_a_file():
    points = [text for name, text in texts() if name.startswith("kernels/points/")]
    assert share("".join(points)) > 0.9
    assert max(map(share, points)) < 0.3


@pytest.mark.parametrize("tool", generate["TOOLS"])
def test_what_a_program_writes_is_current(tool):
    for path, text in generate["made"](tool).items():
        assert path.read_text("utf-8") == text, f"{path.name}: run tools/generate.py"
        name, sections = path.relative_to(ROOT).as_posix(), "".join(section(title)[0] for title in SECTIONS)
        assert f"`{name}`" in sections or share(text) < 0.5, f"{name} is written by tools/{tool}.py: say so"


def test_a_list_follows_what_a_module_exports(tmp_path):
    reference = runpy.run_path(str(ROOT / "tools" / "reference.py"))
    page = tmp_path / "page.md"
    text = "# Page\n\n## Norms\n:nosignatures:\n\n{}```\n\n## By hand\n:nosignatures:\n\n   kept\n```\n"
    page.write_text(text.format("   old\n"))
    assert reference["page"](page, {"Norms": ["b", "a"]}) == text.format("   a\n   b\n")
    with pytest.raises(SystemExit, match=r"page\.md has no heading Losses"):
        reference["page"](page, {"Losses": []})
    assert {"softmax", "softmin_backward"} < set(reference["exported"]("softmax")) < set(lw.__all__)


def test_a_twin_is_the_float32_function_in_float64():
    twins = runpy.run_path(str(ROOT / "tools" / "twins.py"))
    written = ("cdef void bump_float32(const float* x, double eps, int64_t* at, Py_ssize_t n) noexcept nogil:\n"
               "    bumped(<const f32x*>x, <void*>bump_float32, at, n, NARROW, eps)  # floats\n")
    assert twins["twins"](f"{written}\n\ncdef int other\n") == [
        "cdef void bump_float64(const double* x, double eps, int64_t* at, Py_ssize_t n) noexcept nogil:\n"
        "    bumped(<const f64x*>x, <void*>bump_float64, at, n, WIDE, eps)  # floats\n"]


def test_a_kernel_goes_on_with_itself():
    for module in ("activations", "reparameterise"):
        text = (ROOT / "kernels" / f"{module}.pyx").read_text("utf-8")
        named = re.findall(r"^cdef void (\w+)\([^)]*\) noexcept nogil:\n(?:    cdef .*\n)?"
                           r"    map\w+\([^,]*, <void\*>(\w+),", text, re.M)
        assert len(named) == len(re.findall(r"^    map\w+\(", text, re.M)) > 0
        assert all(kernel == name for name, kernel in named)


def test_forms_are_made_of_a_kernel_as_it_is_written():
    forms = runpy.run_path(str(ROOT / "tools" / "forms.py"))
    kernel = ("cdef void bump_float64(const double* x, const double* width, double* y, Py_ssize_t n) noexcept nogil:\n"
              "    map2(bump[f64x], <void*>bump_float64, <const f64x*>x, <const f64x*>width, <f64x*>y, n)\n")
    ((result, name, arguments, body),) = forms["forms"](kernel)["scalar"]
    assert forms["signature"](result, name, arguments, ":") + body == (
        "cdef void bump_scalar_float64(const double* x, double width, double* y, Py_ssize_t n) noexcept nogil:\n"
        "    cdef operand[3] operands = [x, &width, y]\n"
        "    passed(<void*>bump_float64, FLOAT64, 1, 1, 1, operands, n)\n")
    assert not forms["forms"](kernel)["point"]
    ((_, name, arguments, _),) = forms["forms"](kernel.replace("const double* width, ", ""))["point"]
    assert (name, arguments) == ("bump_point_float64", ["double x"])
