"""Every Python snippet of README and guide runs, in the order of its page and in a folder of its own, as a reader would
run it; what an interactive one shows is what comes out."""

import doctest
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from lanewise.kernels import LEVEL

ROOT = Path(__file__).parents[1]
SNIPPET = re.compile(r"^```python\n(.*?)^```$", re.M | re.S)
EXAMPLES = [file.read_text(encoding="utf-8") for file in (ROOT / "examples").rglob("*.py")]  # tested elsewhere
PAGES = {page.name: [snippet for snippet in SNIPPET.findall(page.read_text(encoding="utf-8"))
                     if not any(snippet in example for example in EXAMPLES)]
         for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]}
ELSEWHERE = {"addresses.md", "cython.md", "frameworks.md"}  # of embedding/: tests/test_examples.py runs their like


def is_interactive(snippet):
    return snippet.startswith(">>> ")


@pytest.mark.skipif(LEVEL == "baseline", reason="a page says the same on every level, and here runs take minutes")
@pytest.mark.parametrize("page", [page for page, snippets in PAGES.items() if page not in ELSEWHERE and any(
    not is_interactive(snippet) for snippet in snippets)])
def test_the_snippets_of_a_page_run(page, tmp_path):
    code = "\n".join(snippet for snippet in PAGES[page] if not is_interactive(snippet))
    (tmp_path / "page.py").write_text(code, encoding="utf-8")
    commands = [["-m", "lanewise", "evolve", "--generations", "20"]] if "evolved.npz" in code else []
    for command in [*commands, ["page.py"]]:
        done = subprocess.run([sys.executable, "-W", "error", *command], cwd=tmp_path, capture_output=True, text=True,
                              timeout=600, env=os.environ | {"COLUMNS": "120"})
        assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.parametrize("page", [page for page, snippets in PAGES.items() if any(map(is_interactive, snippets))])
def test_what_a_page_shows_is_what_comes_out(page):
    session = "\n".join(snippet for snippet in PAGES[page] if is_interactive(snippet))
    test = doctest.DocTestParser().get_doctest(session, {}, page, page, 0)
    shown = []
    doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(test, out=shown.append)
    assert test.examples
    assert not shown, "".join(shown)
