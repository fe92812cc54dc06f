"""The reference of the site lists every public function and class, and nothing that is not there."""

import enum
import inspect
import re
import runpy
from pathlib import Path
from urllib.parse import urlsplit

import lanewise as lw
import pytest

ROOT = Path(__file__).parents[1]
PAGES = ROOT / "docs" / "api"
TEXTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")]
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
    public = {name for name in lw.__all__ if not name.startswith("__")} - WINGS - {"bounds", "layers", "learning"}
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


def test_every_function_says_what_it_refuses():
    without = {"lanewise.get_include", "lanewise.get_num_threads",  # take nothing, or anything
               "lanewise.embedding.get_include", "lanewise.embedding.functions"}
    silent = {f"{module.__name__}.{name}"
              for module in (lw, lw.ieee754, lw.genome, lw.genome.formats, lw.evolution, lw.embedding)
              for name in module.__all__ if inspect.isroutine(function := getattr(module, name))
              if not re.search(r"Raises\n *---|[Ee]rrors are those of|As for every np\.ufunc", function.__doc__)}
    assert silent == without


def test_nothing_is_named_twice():
    for module, names in listed().items():
        assert len(names) == len(set(names)), module


@pytest.mark.parametrize("cls", [
    each for each in (getattr(lw.ieee754, name) for name in lw.ieee754.__all__)
    if isinstance(each, type) and issubclass(each, enum.Enum)])
def test_members_of_an_enumeration_say_what_they_mean(cls):
    # Sphinx shows a member that has such a comment, and no other
    said = re.findall(r"^ +#: (\d+): \S.*\n +(\w+) = (\d+)$", inspect.getsource(cls), re.M)
    assert [(name, int(number)) for told, name, number in said if told == number] == [
        (member.name, member.value) for member in cls]


def anchors(page):
    """What a link may name of a page: its headings, as GitHub and MyST write them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", TEXTS, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        parts = urlsplit(target)
        if parts.scheme:
            assert parts.scheme == "https", target
            assert parts.netloc, target
            continue
        file = (page.parent / parts.path).resolve() if parts.path else page
        assert file.exists(), target
        assert not parts.fragment or parts.fragment in anchors(file), target


def test_sources_are_addresses_of_papers():
    texts = [getattr(lw, name).__doc__ or "" for name in lw.__all__]
    found = {url.rstrip(".;,)") for text in texts for url in re.findall(r"https?://[^\s>]+", text)}
    assert len(found) > 10
    assert {url for url in found if not re.fullmatch(
        r"https://(arxiv\.org/abs/\d{4}\.\d{5}|icml\.cc/Conferences/\d{4}/papers/\d+\.pdf)", url)} == set()


def test_the_first_chart_has_what_the_benchmarks_page_says():
    found = runpy.run_path(str(ROOT / "tools" / "first_chart.py"))["points"]()
    assert {"exp", "tanh", "silu", "gelu"} <= set(found)
    (ours, our_error), (theirs, their_error) = found["gelu"]
    page = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    assert re.search(rf"\| `gelu` \| [^\n]*\| {ours} \| {theirs / ours:.2f} \|", page)
    assert f"| `gelu` | {our_error} |" in page
    assert their_error > 1e7
    for text in (ROOT / "README.md", ROOT / "docs" / "index.md"):
        assert "speed-and-accuracy.png" in text.read_text(encoding="utf-8")
