"""Which part of the package may import which: the table of rooms, held over the import lines of pylib; what the build
packs of them; and the names that the documentation gives."""

import ast
import importlib
import pkgutil
import re
import tomllib
from pathlib import Path

import lanewise
import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = Path(lanewise.__file__).parent
# A room is a folder of the package, or a module beside the folders; "lanewise" is the package itself. Each may import
# what stands here, its own modules, and what is not of this package.
MAY_IMPORT = {
    "_typing": set(),  # for stubs alone
    "functions": {"kernels", "bounds", "environment"},
    "ieee754": {"kernels", "bounds", "environment", "formats", "packing"},
    "genome": {"kernels", "bounds", "environment", "packing"},
    "embedding": {"kernels"},
    "evolution": {"kernels", "environment", "functions", "genome", "packing", "files", "terminal"},
    "learning": {"kernels", "bounds", "environment", "functions", "genome", "files"},
    "measure": {"lanewise", "kernels", "bounds", "processors", "functions", "ieee754", "genome", "evolution",
                "learning"},
    "cli": {"lanewise", "kernels", "bounds", "functions", "ieee754", "genome", "evolution", "learning", "measure",
            "files", "terminal"},
    # torch and jax by name only
    "lanewise": {"bounds", "config", "embedding", "evolution", "formats", "functions", "genome", "ieee754", "kernels",
                 "learning"},
    "jax": {"embedding", "functions", "kernels"},
    "torch": {"embedding", "functions", "kernels"},
    "__main__": {"cli"},
    "checkpoint": {"evolution"},  # this and the next two: names that scripts import
    "data": {"evolution"},
    "network": {"evolution"},
    "config": {"lanewise", "kernels", "limits", "processors"},  # the version
    "limits": {"lanewise", "kernels", "processors"},  # the version
    "processors": set(),
    "environment": {"kernels"},
    "packing": {"kernels"},
    "bounds": set(),
    "files": set(),
    "formats": {"kernels"},
    "terminal": set(),
}


def room_of(file):
    first = file.relative_to(PACKAGE).parts[0].removesuffix(".py")
    return "lanewise" if first == "__init__" else first


def imported(file):
    """The rooms that the import lines of a file name, those within functions too."""
    folder = file.relative_to(PACKAGE).parts[:-1]
    targets = []
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            targets += [alias.name.split(".")[1:] for alias in node.names if alias.name.split(".")[0] == "lanewise"]
        elif isinstance(node, ast.ImportFrom):
            module = node.module.split(".") if node.module else []
            if node.level:
                module = [*folder[:len(folder) - node.level + 1], *module]
            elif module.pop(0) != "lanewise":
                continue
            targets += [module or [alias.name] for alias in node.names]
    return {target[0] if target and target[0] in {*MAY_IMPORT, "kernels"} else "lanewise" for target in targets}


def files():
    return [file for file in sorted(PACKAGE.rglob("*.py")) if room_of(file) != "kernels"]


def borrowed(text):
    """The private names that a file imports from another, but for modules of its own folder."""
    return [alias.name for node in ast.walk(ast.parse(text)) if isinstance(node, ast.ImportFrom) and node.module
            for alias in node.names if alias.name.startswith("_") and not alias.name.startswith("__")]


def test_a_private_name_stays_in_its_file():
    assert borrowed("from . import _axis\nfrom .a import __version__\nfrom .a import b, _c as d") == ["_c"]
    found = {file.relative_to(PACKAGE).as_posix(): borrowed(file.read_text(encoding="utf-8")) for file in files()}
    assert not {file: names for file, names in found.items() if names}


def test_every_room_is_in_the_table():
    assert {room_of(file) for file in files()} == set(MAY_IMPORT)


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_a_room_imports_what_the_table_allows(room):
    wrong = {str(file.relative_to(PACKAGE)): sorted(imported(file) - MAY_IMPORT[room] - {room})
             for file in files() if room_of(file) == room}
    assert not {file: rooms for file, rooms in wrong.items() if rooms}


def test_nothing_else_imports_cli_or_measure():
    users = {wing: {room_of(file) for file in files() if wing in imported(file)} - {wing}
             for wing in ("cli", "measure")}
    assert users == {"cli": {"__main__"}, "measure": {"cli"}}


def test_the_build_packs_every_folder_and_stub():
    setup = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    folders = {f"lanewise.{file.parent.name}" for file in (ROOT / "pylib").glob("*/__init__.py")} | {"lanewise"}
    assert set(setup["packages"]) == folders | {"lanewise.kernels"}
    for stub in (ROOT / "pylib").glob("*/*.pyi"):
        assert "*.pyi" in setup["package-data"][f"lanewise.{stub.parent.name}"]


@pytest.mark.parametrize("name", lanewise._MOVED)
def test_a_module_that_has_moved_is_the_same_by_its_old_name(name):
    moved = pkgutil.resolve_name(f"lanewise.evolution.{name}")
    assert importlib.import_module(f"lanewise.{name}") is moved
    assert getattr(lanewise, name) is moved


def test_names_that_the_documentation_gives_are_there():
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    text = "\n".join(page.read_text(encoding="utf-8") for page in pages)
    names = set(re.findall(r"\b(?:lanewise|lw)((?:\.\w+)+)", text))
    names = {name for name in names if not name.startswith((".kernels", ".h", ".torch", ".jax"))}
    # what C code takes, and what imports a framework
    assert ".evolution.network.ACTIVATIONS" in names
    for name in sorted(names):
        pkgutil.resolve_name("lanewise" + name)
