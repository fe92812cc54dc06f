"""What a type checker sees: the stubs name what the modules have, and a user's snippet is checked as it should be."""

import ast
import inspect
import runpy
import subprocess
import sys
from pathlib import Path

import lanewise
import numpy as np
import pytest
from lanewise.functions import activations, gates, parametric

SNIPPET = """
import lanewise as lw
import numpy as np

x = np.linspace(-3, 3, 7, dtype=np.float32)
reveal_type(lw.mish)
lw.mish(x, out=np.empty_like(x))
lw.elu(x, alpha=0.5, out=np.empty_like(x))
reveal_type(lw.glu(x[:6]))
reveal_type(lw.prelu_backward(x, x, 0.1))
"""
WRONG = {
    "lw.elu(x, alpha=object())": "arg-type",
    "lw.glu(x, axis='last')": "arg-type",
    "lw.threshold(x, 0.5)": "call-arg",
    "lw.mishh(x)": "attr-defined",
}


def stub_of(module):
    return ast.parse(Path(module.__file__).with_suffix(".pyi").read_text())


def test_stubs_are_as_the_table_says():
    """`python tools/stubs.py` writes them."""
    written = runpy.run_path(Path(__file__).parents[1] / "tools" / "stubs.py")["stubs"]()
    assert set(written) == {f"{module.__name__.rpartition('.')[2]}.pyi" for module in (activations, parametric, gates)}
    for name, text in written.items():
        assert (Path(activations.__file__).parent / name).read_text("utf-8") == text, f"{name}: run tools/stubs.py"


@pytest.mark.parametrize("module", [activations, parametric, gates])
def test_stubs_name_what_is_there(module):
    named = set()
    for node in stub_of(module).body:
        if isinstance(node, ast.AnnAssign):
            named.add(node.target.id)
            assert isinstance(getattr(module, node.target.id), np.ufunc)
        elif isinstance(node, ast.FunctionDef):
            named.add(node.name)
            actual = inspect.signature(getattr(module, node.name)).parameters.values()
            arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            assert [a.arg for a in arguments] == [a.name for a in actual if a.kind is not a.VAR_KEYWORD]
            defaults = [ast.literal_eval(d) for d in (*node.args.defaults, *node.args.kw_defaults) if d is not None]
            assert defaults == [a.default for a in actual if a.default is not a.empty]
    assert named == set(module.__all__)


@pytest.fixture(scope="module")
def checked(tmp_path_factory):
    pytest.importorskip("mypy")
    folder = tmp_path_factory.mktemp("snippet")
    snippet = SNIPPET + "\n".join(WRONG) + "\n"
    (folder / "snippet.py").write_text(snippet)
    command = [sys.executable, "-m", "mypy", "--strict", "--no-incremental", "--show-error-codes", "snippet.py"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True).stdout


def test_mypy_on_a_snippet(checked):
    first_wrong = len(SNIPPET.splitlines()) + 1
    lines = [line for line in checked.splitlines() if line.startswith("snippet.py")]
    revealed = [line.partition('"')[2] for line in lines if "note: Revealed type" in line]
    assert [text.partition(".ufunc")[0] for text in revealed[:1]] == ["numpy"]
    assert "ndarray" in revealed[1]
    assert revealed[2].startswith("tuple[")
    errors = [line for line in lines if " error: " in line]
    for k, (code, kind) in enumerate(WRONG.items()):
        assert any(line.startswith(f"snippet.py:{first_wrong + k}:") and f"[{kind}]" in line for line in errors), code
    assert len(errors) == len(WRONG), checked


def test_the_package_says_that_it_is_typed():
    assert (Path(lanewise.__file__).parent / "py.typed").exists()
