"""The reference of the site lists every public function and class, and nothing that is not there."""

import re
from pathlib import Path

import lanewise as lw
import pytest

PAGES = Path(__file__).parents[1] / "docs" / "api"
WINGS = {"embedding", "evolution", "genome", "ieee754"}


def listed():
    """What each module's reference names, by the pages' own directives."""
    found = {}
    for page in PAGES.glob("*.md"):
        for module, names in re.findall(r"currentmodule:: ([\w.]+)\n.*?:nosignatures:\n\n(.*?)```",
                                        page.read_text(encoding="utf-8"), re.S):
            found.setdefault(module, []).extend(names.split())
    return found


def test_the_reference_names_what_is_public():
    public = {name for name in lw.__all__ if not name.startswith("__")} - WINGS - {"layers", "learning"}
    assert set(listed()["lanewise"]) == public


@pytest.mark.parametrize("wing", sorted(WINGS))
def test_the_reference_names_what_a_wing_has(wing):
    module = getattr(lw, wing)
    constants = {name for name in module.__all__ if wing == "evolution" and name.isupper()}
    constants |= {"FORMATS", "INTEGER_FORMATS", "formats"} & set(module.__all__)
    assert set(listed()[f"lanewise.{wing}"]) | constants == set(module.__all__)


@pytest.mark.parametrize("module", [lw.genome.formats, lw.layers])
def test_the_reference_names_what_a_module_has(module):
    assert set(listed()[module.__name__]) == set(module.__all__)


def test_nothing_is_named_twice():
    for module, names in listed().items():
        assert len(names) == len(set(names)), module
