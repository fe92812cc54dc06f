"""Every block of code of README and guide runs, in the order of its page and in a folder of its own, as a reader would
run it; what a page shows is what comes out. Commands of a page are parsed."""

import doctest
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import lanewise
import numpy as np
import pytest
from lanewise import cli
from lanewise.kernels import LEVEL

ROOT = Path(__file__).parents[1]
FENCE = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.M | re.S)
EXAMPLES = [file.read_text(encoding="utf-8") for file in (ROOT / "examples").rglob("*.py")]  # tested elsewhere
TEXTS = {page.relative_to(ROOT).as_posix(): page.read_text(encoding="utf-8")
         for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
         if "generated" not in page.parts}
ELSEWHERE = {"docs/embedding/frameworks.md": "tests/test_torch.py and tests/test_jax.py, where these are installed"}
MADE = {"docs/embedding/signatures.md": "tools/header.py writes it, and the header that test_embedding.py compiles"}
#: Languages of blocks, and what is done with them below; MyST's directives are Sphinx's.
RUN = {"python", "sh", "", "cython", "c", "{toctree}", "{eval-rst}", "{include} ../CHANGELOG.md",
       "{literalinclude} ../CITATION.cff"}


def blocks(page, language):
    return [code for name, code in FENCE.findall(TEXTS[page]) if name == language]


def is_interactive(snippet):
    return snippet.startswith(">>> ")


PAGES = {page: [code for code in blocks(page, "python") if not any(code in example for example in EXAMPLES)]
         for page in TEXTS if page not in ELSEWHERE}


@pytest.mark.parametrize("page", TEXTS)
def test_every_block_is_of_a_kind_that_is_tested(page):
    assert page in MADE or {name for name, _ in FENCE.findall(TEXTS[page])} <= RUN


@pytest.mark.skipif(LEVEL == "baseline", reason="a page says the same on every level, and here runs take minutes")
@pytest.mark.parametrize("page", [page for page, snippets in PAGES.items() if any(
    not is_interactive(snippet) for snippet in snippets)])
def test_the_snippets_of_a_page_run(page, tmp_path):
    code = "\n".join(snippet for snippet in PAGES[page] if not is_interactive(snippet))
    (tmp_path / "page.py").write_text(code, encoding="utf-8")
    commands = [["-m", "lanewise", "evolve", "--generations", "20"]] if '"evolved.npz"' in code else []
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


@pytest.mark.parametrize("page", [page for page in TEXTS if blocks(page, "")])
def test_what_a_command_shows_is_what_comes_out(page, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    np.save("weights.npy", np.random.default_rng(0).normal(0, 0.02, (768, 3072)).astype(np.float32))  # as the page says
    for session in blocks(page, ""):
        command, _, shown = session.partition("\n")
        prompt, name, *arguments = shlex.split(command)
        assert (prompt, name) == ("$", "lanewise")
        assert cli.main(arguments) == 0
        found = [line.rstrip() for line in capsys.readouterr().out.splitlines()]
        for part in re.split(r"^ *\.\.\.\n", shown, flags=re.M):  # what stands between is left out on the page
            wanted = [line.rstrip() for line in part.splitlines()]
            starts = [k for k in range(len(found)) if found[k:k + len(wanted)] == wanted]
            assert starts, (command, part)
            found = found[starts[0] + len(wanted):]


def commands(page):
    """What a page says of the command line: blocks that are indented or of a shell, and code within a sentence."""
    text = TEXTS[page]
    lines = [line for code in blocks(page, "sh") for line in code.splitlines()]
    prose = FENCE.sub("", text)
    lines += re.findall(r"^    (.*)$", prose, re.M)
    lines += re.findall(r"`([^`\n]+)`", prose)
    for line in lines:
        for command in re.split(r" && |;", line.partition(" #")[0]):
            words = command.split("=", 1)[-1].partition(" ")[2] if re.match(r"[A-Z_]+=", command) else command
            if re.match(r"\s*lanewise [a-z]+( |$)", words):
                yield words


@pytest.mark.parametrize("page", [page for page in TEXTS if list(commands(page))])
def test_commands_have_the_options_that_a_page_gives_them(page, capsys):
    parser = cli.make_parser()
    for command in commands(page):
        arguments = shlex.split(command)[1:]
        if not arguments[1:]:
            assert arguments[0] in cli.COMMANDS
        elif arguments[-1].startswith("--") and "=" not in arguments[-1]:
            # an option that a sentence names, whose value may follow elsewhere
            with pytest.raises(SystemExit) as ended:
                parser.parse_args([arguments[0], "--help"])
            assert ended.value.code == 0
            assert re.search(rf"{arguments[-1]}\b", capsys.readouterr().out), command
        else:
            parser.parse_args(arguments)


@pytest.mark.compiler
@pytest.mark.parametrize("page", [page for page in TEXTS if blocks(page, "cython")])
def test_cython_is_translated(page, tmp_path):
    pytest.importorskip("Cython")
    for k, code in enumerate(blocks(page, "cython")):
        (tmp_path / f"block_{k}.pyx").write_text(code, encoding="utf-8")
        subprocess.run([sys.executable, "-m", "cython", "-3", "-I", str(Path(lanewise.__file__).parents[1]),
                        f"block_{k}.pyx"], cwd=tmp_path, check=True, timeout=300)


@pytest.mark.compiler
@pytest.mark.parametrize("page", [page for page in TEXTS if blocks(page, "c") and page not in MADE])
def test_c_is_compiled(page, tmp_path):
    import sysconfig

    code = "".join(blocks(page, "c"))
    includes = "".join(re.findall(r"^#include.*\n", code, re.M))
    body = re.sub(r"^#include.*\n", "", code, flags=re.M)
    (tmp_path / "page.c").write_text(
        f"{includes}void *of_the_page(const float *x, float *y, Py_ssize_t n);\n"
        f"void *of_the_page(const float *x, float *y, Py_ssize_t n) {{\n{body}\nreturn y;\n}}\n")
    compiler = sysconfig.get_config_var("CC").split()
    subprocess.run([*compiler, "-std=c11", "-fsyntax-only", "-Wall", f"-I{sysconfig.get_path('include')}",
                    f"-I{lanewise.get_include()}", "page.c"], cwd=tmp_path, check=True, timeout=300)
