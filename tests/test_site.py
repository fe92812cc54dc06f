"""The reference of the site lists every public function and class, and nothing that is not there."""

import importlib
import re
from operator import attrgetter
from pathlib import Path

import lanewise as lw
import pytest

PAGES = Path(__file__).parents[1] / "docs" / "api"
WINGS = {"embedding", "evolution", "genome", "ieee754"}
WITHIN = {"genome.formats", "learning.layers"}  # public modules of wings
ELSEWHERE = {"learning", "layers"}  # of which the names are the package's too


def listed():
    """What each module's reference names, by the pages' own directives."""
    found = {}
    for page in PAGES.glob("*.md"):
        for module, names in re.findall(r"currentmodule:: ([\w.]+)\n.*?:nosignatures:\n\n(.*?)```",
                                        page.read_text(encoding="utf-8"), re.S):
            found.setdefault(module, []).extend(names.split())
    return found


def test_the_reference_names_what_is_public():
    public = {name for name in lw.__all__ if not name.startswith("__")} - WINGS - ELSEWHERE
    assert set(listed()["lanewise"]) == public


@pytest.mark.parametrize("wing", sorted(WINGS | WITHIN))
def test_the_reference_names_what_a_wing_has(wing):
    module = attrgetter(wing)(lw)
    constants = {name for name in module.__all__ if wing == "evolution" and name.isupper()}
    constants |= {"FORMATS", "GGUF"} & set(module.__all__)
    constants |= {name.partition(".")[2] for name in WITHIN if name.startswith(f"{wing}.")}
    assert set(listed()[f"lanewise.{wing}"]) | constants == set(module.__all__)


def test_nothing_is_named_twice():
    for module, names in listed().items():
        assert len(names) == len(set(names)), module


def test_docstrings_are_what_the_site_can_read():
    for module, names in listed().items():
        for name in names:
            lines = (getattr(importlib.import_module(module), name).__doc__ or "").splitlines()
            assert not [line for line in lines[1:2] if line.strip()], f"{module}.{name}: no blank line after the first"
            bare = re.sub(r"``.*?``|`.*?`", "", "\n".join(lines), flags=re.S)
            assert not re.findall(r"[\w.]*\w_(?!\w)", bare), f"{module}.{name}: a name that ends in _ is a link there"
