"""Who may cimport whom in kernels/: headers stand in rooms that build on one another, modules above them. A header that
reaches up, or a module that reaches into another, is where a change in one place starts to break a second."""

import re
import runpy
from pathlib import Path

import pytest

KERNELS = Path(__file__).resolve().parent.parent / "kernels"
MODULE = "module"  # a .pyx and its .pxd, whose path is frozen: they stand in no room
PARTS = KERNELS / "parts"  # of modules that would be long without them, each included by its own
ROOMS = {  # what a room may build on beside itself
    "lanes": set(),
    "math": {"lanes"},
    "points": {"lanes", "math"},
    "loops": {"lanes"},
    "formats": {"lanes"},
    "rowwise": {"lanes", "math", "loops"},
}
# they register loops with NumPy, or are called by it, or call such a loop, so they hold its objects
WITH_ARRAY_OBJECTS = {"loops/doors.pxd", "loops/ufuncs.pxd", "loops/operations.pxd", "loops/plain_arrays.pxd",
                      "loops/rows.pxd"}
# the pool comes by one, a type's number, and the door to arrays
WITH_CAPSULES = {"loops/numbers.pxd", "loops/shared.pxd", "loops/threads.pxd", "loops/ufuncs.pxd"}
HANDED = {"describe_format"}  # what kernels/__init__.py holds for modules, put there by the layer above

STATEMENT = re.compile(r"^\s*from (?P<source>[.\w]+) c?import (?P<names>\([^)]*\)|.*)|^\s*c?import (?P<whole>.*)", re.M)


def sources():
    return sorted(path for path in KERNELS.rglob("*") if path.suffix in (".pyx", ".pxd", ".pxi"))


def name_of(path):
    return path.relative_to(KERNELS).as_posix()


def room_of(path):
    return path.parent.name if path.parent not in (KERNELS, PARTS) else MODULE


def imported(text, folder):
    """(top, dotted path) of each import and cimport: top is `kernels` for what is relative, else the package."""
    found = []
    for statement in STATEMENT.finditer(text):
        if whole := statement["whole"]:
            found += [(name.split()[0].split(".")[0], name.split()[0]) for name in whole.split(",")]
            continue
        source = statement["source"]
        if not source.startswith("."):
            found.append((source.split(".")[0], source))
            continue
        if target := absolute(source, folder):
            found.append(("kernels", target))
        else:  # from . cimport a, b
            found += [("kernels", name) for name in names_of(statement)]
    return found


def absolute(source, folder):
    """The dotted path below kernels/ of a relative one, as it stands in a file of this folder."""
    ups = len(source) - len(source.lstrip(".")) - 1
    return ".".join([*folder.parts[:len(folder.parts) - ups], *filter(None, source.lstrip(".").split("."))])


def names_of(statement):
    return re.findall(r"(\w+)(?: as \w+)?", re.sub("#.*", "", statement["names"]))


def headers_of(path, seen=()):
    """The headers that a source is made of, those of its headers too."""
    headers = set(seen)
    candidates = [path.with_suffix("")]
    for statement in STATEMENT.finditer(path.read_text()):
        if statement["source"] and statement["source"].startswith("."):
            folder = KERNELS.joinpath(*filter(None, absolute(
                statement["source"], path.parent.relative_to(KERNELS)).split(".")))
            candidates += [folder, folder / "__init__", *(folder / name for name in names_of(statement))]
    for candidate in candidates:
        header = candidate.with_suffix(".pxd")
        if header.exists() and header.stat().st_size and header not in headers:
            headers = headers_of(header, headers | {header})
    return headers


def faults_of(path):
    """What a source imports and may not."""
    name, room = name_of(path), room_of(path)
    faults = set()
    for top, target in imported(path.read_text(), path.parent.relative_to(KERNELS)):
        if top == "kernels":
            into = target.split(".")[0]
            allowed = into in {*ROOMS, *HANDED} if room == MODULE else into == room or into in ROOMS[room]
        elif top == "lanewise":
            allowed = False
        elif room == MODULE or top == "libc" or name in WITH_ARRAY_OBJECTS:
            allowed = True
        else:
            allowed = target == "cpython.pycapsule" and name in WITH_CAPSULES
        if not allowed:
            faults.add((name, target))
    return faults


def test_every_header_has_a_room():
    modules = {path.stem for path in KERNELS.glob("*.pyx")} | {"__init__"}
    assert {path.stem for path in KERNELS.glob("*.pxd")} <= modules
    assert {room_of(path) for path in sources()} == {*ROOMS, MODULE}
    assert not list(KERNELS.glob("*/*.pyx")), "a module in a folder would have another cimport path"
    for room in ROOMS:
        assert (KERNELS / room / "__init__.pxd").exists(), f"without it Cython takes {room}/ for no package"


def test_parts_belong_to_one_module_each():
    included = {}
    for path in KERNELS.rglob("*.p[xy][dxi]"):
        for part in re.findall(r'^\s*include "(.*)"', path.read_text(), re.M):
            included.setdefault(part, []).append(path.name)
    parts = sorted(PARTS.iterdir())
    assert set(included) == {name_of(path) for path in parts}
    for path in parts:
        (module,) = included[name_of(path)]
        assert path.suffix == ".pxi"
        assert path.name.startswith(f"{Path(module).stem}_")
        assert not STATEMENT.search(path.read_text()), "what a module imports stands at its head"


def test_rooms_are_a_stair():
    above = {room: ROOMS[room] for room in ROOMS}
    while above:
        ground = {room for room, below in above.items() if not below & above.keys()}
        assert ground, f"a circle: {above}"
        above = {room: below for room, below in above.items() if room not in ground}


def test_imports():
    faults = {fault for path in sources() for fault in faults_of(path)}
    assert not faults, f"(who, what it may not import): {sorted(faults)}"


def test_build_sees_every_source(monkeypatch):
    # what the build misses, it would not translate again after a change
    monkeypatch.chdir(KERNELS.parent)
    sources_of = runpy.run_path("cythonizing.py")["sources_of"]
    seen = {module: sources_of(module) for module in KERNELS.glob("*.pyx")}
    missed = {(module.name, name_of(header)) for module in seen for header in headers_of(module) - seen[module]}
    missed |= {("all", name_of(part)) for part in set(PARTS.glob("*.pxi")).difference(*seen.values())}
    assert not missed


@pytest.mark.parametrize(("folder", "line", "expected"), [
    ("", "from .lanes cimport f32x", [("kernels", "lanes")]),
    ("", "from . cimport norms, math", [("kernels", "norms"), ("kernels", "math")]),
    ("math", "from ..loops.maps cimport (\n    load,\n)", [("kernels", "loops.maps")]),
    ("math", "from .pairs cimport product", [("kernels", "math.pairs")]),
    ("math", "from .. cimport loops, norms as n", [("kernels", "loops"), ("kernels", "norms")]),
    ("math", "cimport numpy as np", [("numpy", "numpy")]),
    ("", "    from lanewise import formats", [("lanewise", "lanewise")]),
    ("", "import lanewise.bounds, math", [("lanewise", "lanewise.bounds"), ("math", "math")]),
    ("", "from libc.math cimport sqrt", [("libc", "libc.math")]),
])
def test_lines_are_read(folder, line, expected):
    assert imported(line + "\n", Path(folder)) == expected
