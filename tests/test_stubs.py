"""What a type checker sees: the stubs say what the modules have, and a user's snippet is checked as it should be."""

import runpy
import subprocess
import sys
from pathlib import Path

import lanewise
import pytest

# what is revealed of each, whole or its beginning
REVEALED = {
    "lw.mish": "lanewise._typing.Unary",
    "lw.silu(x)": "numpy.ndarray[tuple[Any, ...], numpy.dtype[numpy.floating[numpy._typing._nbit_base._32Bit]]]",
    "lw.silu(1.0)": "numpy.float64",
    "lw.silu([[1.0, 2.0], (3, 4)])": "Any",
    "lw.silu_backward(x, x)": "numpy.ndarray[",
    "lw.mish(x, out=np.empty_like(x))": "numpy.ndarray[",
    "lw.geglu_backward(x, x, x)": "tuple[numpy.ndarray[",
    "lw.elu(x, alpha=0.5, out=np.empty_like(x))": "Any",
    "lw.glu(x[:6])": "numpy.ndarray[",
    "lw.prelu_backward(x, x, 0.1)": "tuple[numpy.ndarray[",
    "lw.softmax(x)": "numpy.ndarray[",
    "lw.rms_norm(x)": "numpy.ndarray[",
    "lw.layer_norm(x, return_stats=True)": "tuple[numpy.ndarray[",
    "lw.rms_norm_backward(x, x)": "tuple[numpy.ndarray[tuple[Any, ...], numpy.dtype[Any]], None]",
    "lw.cross_entropy_with_grad([x], [3])": "tuple[numpy.ndarray[",
    "lw.ieee754.classify(x)": "numpy.ndarray[tuple[Any, ...], numpy.dtype[numpy.unsignedinteger[",
    "lw.ieee754.BINARY16.largest": "float",
    "lw.ieee754.describe('0.1').neighbours": "tuple[float | None, float | None]",
    "lw.show_config('dicts')": "dict[str, Any]",
}
WRONG = {
    "lw.elu(x, alpha=object())": "arg-type",
    "lw.glu(x, axis='last')": "arg-type",
    "lw.threshold(x, 0.5)": "call-arg",
    "lw.mishh(x)": "attr-defined",
    "lw.silu('a')": "call-overload",
    "lw.silu_backward(x)": "call-overload",
    "lw.softmax(x, dim=1)": "call-arg",
    "lw.softmax('abc')": "arg-type",
    "lw.layer_norm(x, algorithm='three')": "call-overload",
    "lw.cross_entropy([x], [1], reduction='average')": "arg-type",
    "lw.ieee754.encode(x, 'binary16', rounding='away')": "arg-type",
}
SNIPPET = "import lanewise as lw\nimport numpy as np\n\nx = np.linspace(-3, 3, 7, dtype=np.float32)\n" + "".join(
    f"reveal_type({code})\n" for code in REVEALED)
# modules whose stubs are held to what runs
STUBBED = ["lanewise._typing", "lanewise.bounds", "lanewise.config", "lanewise.formats", "lanewise.functions",
           "lanewise.ieee754"]


def test_stubs_are_as_the_table_says():
    """`python tools/stubs.py` writes them."""
    written = runpy.run_path(Path(__file__).parents[1] / "tools" / "stubs.py")["stubs"]()
    for name, text in written.items():
        assert (Path(lanewise.functions.__file__).parent / name).read_text("utf-8") == text, (
            f"{name}: run tools/stubs.py")


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
    for (code, kind), found in zip(REVEALED.items(), revealed, strict=True):
        assert found.startswith(kind), code
    errors = [line for line in lines if " error: " in line]
    for k, (code, kind) in enumerate(WRONG.items()):
        assert any(line.startswith(f"snippet.py:{first_wrong + k}:") and f"[{kind}]" in line for line in errors), code
    assert len(errors) == len(WRONG), checked


def test_stubs_say_what_runs(tmp_path):
    pytest.importorskip("mypy")
    (tmp_path / "mypy.ini").write_text("[mypy]\nignore_missing_imports = True\n")  # the kernels have none
    (tmp_path / "not_in_stubs").write_text(".*__all__\n.*__match_args__\n.*__post_init__\n")
    command = [sys.executable, "-m", "mypy.stubtest", *STUBBED, "--concise", "--allowlist", "not_in_stubs",
               "--ignore-unused-allowlist", "--mypy-config-file", "mypy.ini"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_package_says_that_it_is_typed():
    assert (Path(lanewise.__file__).parent / "py.typed").exists()
