"""What a type checker sees: the stubs say what the modules have, and a user's snippet is checked as it should be."""

import importlib.util
import json
import operator
import runpy
import shutil
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
    "lw.leaky_relu(x, 0.1)": "numpy.ndarray[tuple[Any, ...], numpy.dtype[numpy.floating[numpy._typing._nbit_base.",
    "lw.elu(1.0)": "numpy.float64",
    "lw.elu_backward(x, x, 0.5)": "numpy.ndarray[",
    "lw.softplus(np.float32(1), threshold=20)": "numpy.floating[numpy._typing._nbit_base._32Bit]",
    "lw.swiglu(x, x, beta=1.702)": "numpy.ndarray[",
    "lw.ieee754.ulp(0.1)": "numpy.float64",
    "lw.ieee754.next_up(x)": "numpy.ndarray[",
    "lw.ieee754.ulp(codes, format='float8_e4m3fn')": "Any",
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
    "lw.bounds.of('silu')": "dict[str, float]",
    "lw.bounds.bound(lw.silu, 'float32')": "float",
    "lw.show_config('dicts')": "dict[str, Any]",
    # learning
    "lw.linear(x, x)": "numpy.ndarray[",
    "lw.linear_backward(x, x, x)": "tuple[numpy.ndarray[tuple[Any, ...], numpy.dtype[Any]], numpy.ndarray[",
    "lw.linear_backward(x, x, x, grad_x=False)[0]": "numpy.ndarray[tuple[Any, ...], numpy.dtype[Any]] | None",
    "lw.dropout(x, 0.5, 1, return_key=True)": "tuple[numpy.ndarray[tuple[Any, ...], numpy.dtype[Any]], int]",
    "lw.sgd_step(x, x, lr=0.1)": "None",
    "lw.adamw_step([x], [x], [x], [x], 1)": "None",
    "lw.clip_grad_norm([x, x], 1.0)": "float",
    "lw.he_normal((10, 32), np.random.default_rng())": "numpy.ndarray[",
    "lw.gradient_flow(5).updated": "numpy.ndarray[tuple[Any, ...], numpy.dtype[numpy.float64]] | None",
    "lw.reparameterize(x, x, 1)": "numpy.ndarray[",
    "lw.ponder_loss_with_grad(x, x)": "tuple[numpy.ndarray[",
    "lw.act_halting(x)[0]": "numpy.ndarray[tuple[Any, ...], numpy.dtype[numpy.signedinteger[",
    "lw.layers.Linear(64, 10, 0)": "lanewise.learning.layers.Linear",
    "lw.layers.Sequential(lw.layers.Linear(64, 32, 0), lw.layers.Activation('gelu')).parameters()":
        "dict[str, numpy.ndarray[",
    # genomes
    "lw.genome.pack([1, 2, 3])": "numpy.ndarray[tuple[Any, ...], numpy.dtype[numpy.unsignedinteger[",
    "lw.genome.decode(codes, lw.genome.NF4, group=64)": "numpy.ndarray[tuple[Any, ...], numpy.dtype[numpy.floating[",
    "lw.genome.crossover(codes, codes, 1, 2)": "tuple[numpy.ndarray[",
    "lw.genome.mutate(codes, 0.01, 1, kind='gray')": "numpy.ndarray[",
    "lw.genome.linear4(x, codes, activations='int8')": "numpy.ndarray[",
    "lw.genome.LOG4.levels": "numpy.ndarray[",
    "lw.genome.formats.read_gguf('Q4_0', codes)": "tuple[numpy.ndarray[",
    "lw.genome.formats.write_matmulnbits(packed)[2]": "numpy.ndarray[tuple[Any, ...], numpy.dtype[numpy."
        "unsignedinteger[numpy._typing._nbit_base._8Bit]]] | None",
    # evolution
    "network.n_weights": "int",
    "network.loss(codes, network.batch(x, [1, 2]))": "Any",
    "lw.evolution.Network.quantize([x, x])": "tuple[lanewise.evolution.network.Network, numpy.ndarray[",
    "lw.evolution.evolve(network, x, [1, 2], generations=5, callback=lambda state: state.loss < 1).genome":
        "numpy.ndarray[",
    "lw.evolution.minimize(lambda weights: weights.sum(), 10, mutation_rate='adaptive')":
        "lanewise.evolution.results.EvolutionResult",
    "lw.evolution.Classifier.load('net.npz').predict(x)": "numpy.ndarray[",
    # embedding
    "lw.embedding.address('silu_float32')": "int",
    "lw.embedding.signature('silu_float32').pointer": "str",
    "lw.get_include()": "str",
}
WRONG = {
    "lw.elu(x, alpha=object())": "call-overload",
    "lw.glu(x, axis='last')": "arg-type",
    "lw.threshold(x, 0.5)": "call-overload",
    "lw.mishh(x)": "attr-defined",
    "lw.silu('a')": "call-overload",
    "lw.gelu(x, approximate='tanh')": "call-overload",
    "lw.leaky_relu('a')": "call-overload",
    "lw.leaky_relu(x, inplace=True)": "call-overload",
    "lw.ieee754.classify(x, form='binary16')": "call-arg",
    "lw.silu_backward(x)": "call-overload",
    "lw.softmax(x, dim=1)": "call-arg",
    "lw.softmax('abc')": "arg-type",
    "lw.layer_norm(x, algorithm='three')": "call-overload",
    "lw.cross_entropy([x], [1], reduction='average')": "arg-type",
    "lw.ieee754.encode(x, 'binary16', rounding='away')": "arg-type",
    "lw.linear(x)": "call-arg",
    "lw.linear(x, 'weight')": "arg-type",
    "lw.linear(x, x, activation='gelu')": "arg-type",
    "lw.dropout(x, 0.5)": "call-overload",
    "lw.sgd_step(x, x)": "call-overload",
    "lw.he_normal(10, 1)": "arg-type",
    "lw.gradient_flow(norm='batch')": "arg-type",
    "lw.layers.Sequential(lw.silu)": "arg-type",
    "lw.genome.mutate(codes, 0.5, 1, kind='swap')": "arg-type",
    "lw.genome.decode(codes, 'LOG4')": "arg-type",
    "lw.genome.linear4(x, codes, activations='int4')": "arg-type",
    "lw.genome.formats.read_gguf('Q5_0', codes)": "arg-type",
    "lw.evolution.Network((64, 10), objective='mae')": "arg-type",
    "lw.evolution.evolve(network, x)": "call-overload",
    "lw.evolution.minimize(3, 10)": "arg-type",
    "lw.embedding.address(silu)": "name-defined",
}
SNIPPET = """import lanewise as lw
import numpy as np

x = np.linspace(-3, 3, 7, dtype=np.float32)
codes = lw.genome.random_population(4, 20, 1)
network = lw.evolution.Network((64, 32, 10), objective="mse")
packed = lw.genome.formats.Packed(codes, lw.genome.formats.UINT4, x, None, 32)
""" + "".join(f"reveal_type({code})\n" for code in REVEALED)
WINGS = ("embedding", "evolution", "genome", "genome.formats", "ieee754", "layers", "learning")
NAMES = [f"lw.{name}" for name in lanewise.__all__] + [
    f"lw.{wing}.{name}" for wing in WINGS for name in operator.attrgetter(f"{wing}.__all__")(lanewise)]
# modules whose stubs are held to what runs, and those of their folders
STUBBED = ["lanewise._typing", "lanewise.bounds", "lanewise.config", "lanewise.embedding", "lanewise.evolution",
           "lanewise.formats", "lanewise.functions", "lanewise.genome", "lanewise.ieee754", "lanewise.learning",
           "lanewise.packing"]
# what need not be in the stubs, and why
ALLOWED = {
    r".*__all__|.*__match_args__|.*__post_init__": "not called by anybody",
    r".*\.__replace__": "of every tuple with names from Python 3.13 on",
    r"lanewise\._typing\.(Array|Bytes|Float32)": "since NumPy 2.5 stubtest takes NDArray for no type",
    r"lanewise\.evolution\.batch\.(as_float32|in_words|numbers_of|tiled)": "shared within evolution",
    r"lanewise\.evolution\.checkpoint\.(load|notes|save)": "shared within evolution",
    r"lanewise\.evolution\.results\.table_of": "shared within evolution",
    r"lanewise\.evolution\.table\.(is_missing|read_csv)": "shared within evolution",
    r"lanewise\.evolution\.classifier\.Classifier\.(target_)?(offset|scale)": "arrays, whatever the default",
    r"lanewise\.embedding\.torch_operators(\..*)?": "needs torch, and nobody imports it but lanewise.torch",
}
# the kernels have no stubs; four modules without types take what stubs do not show
CONFIGURED = """[mypy]
ignore_missing_imports = True
[mypy-lanewise.learning._arrays,lanewise.evolution.affine,lanewise.evolution.islands,lanewise.evolution.workers]
ignore_errors = True
"""


def test_stubs_are_as_the_table_says():
    """`python tools/stubs.py` writes them."""
    for path, text in runpy.run_path(Path(__file__).parents[1] / "tools" / "stubs.py")["made"]().items():
        assert path.read_text("utf-8") == text, f"{path.name}: run tools/stubs.py"


@pytest.fixture(scope="module")
def snippet(tmp_path_factory):
    file = tmp_path_factory.mktemp("snippet") / "snippet.py"
    file.write_text(SNIPPET + "\n".join(WRONG) + "\n")
    named = "".join(f"reveal_type({name})\n" for name in NAMES)
    (file.parent / "names.py").write_text(f"import lanewise as lw\n\n{named}")
    return file


FIRST_WRONG = len(SNIPPET.splitlines()) + 1


def test_mypy_on_a_snippet(snippet):
    pytest.importorskip("mypy")
    command = [sys.executable, "-m", "mypy", "--strict", "--no-incremental", "--show-error-codes", "snippet.py",
               "names.py"]
    checked = subprocess.run(command, cwd=snippet.parent, capture_output=True, text=True).stdout
    named = [line for line in checked.splitlines() if line.startswith("names.py")]
    assert not [line for line in named if " error: " in line]
    types = [line.partition('"')[2].removesuffix('"') for line in named if "note: Revealed type" in line]
    assert [name for name, kind in zip(NAMES, types, strict=True) if kind == "Any"] == []
    lines = [line for line in checked.splitlines() if line.startswith("snippet.py")]
    revealed = [line.partition('"')[2] for line in lines if "note: Revealed type" in line]
    for (code, kind), found in zip(REVEALED.items(), revealed, strict=True):
        assert found.startswith(kind), (code, found)
    errors = [line for line in lines if " error: " in line]
    for k, (code, kind) in enumerate(WRONG.items()):
        assert any(line.startswith(f"snippet.py:{FIRST_WRONG + k}:") and f"[{kind}]" in line for line in errors), code
    assert len({line.split(":")[1] for line in errors}) == len(WRONG), checked


def test_pyright_on_a_snippet(snippet):
    pyright = shutil.which("pyright") or shutil.which("basedpyright")
    if pyright is None:
        pytest.skip("pyright is not installed")
    (snippet.parent / "pyrightconfig.json").write_text(json.dumps({"typeCheckingMode": "standard"}))
    done = subprocess.run([pyright, "--outputjson", "--pythonpath", sys.executable, "snippet.py", "names.py"],
                          cwd=snippet.parent, capture_output=True, text=True)
    everything = json.loads(done.stdout)["generalDiagnostics"]
    named = [each for each in everything if each["file"].endswith("names.py")]
    assert [each["message"] for each in named if each["severity"] == "error" or "Unknown" in each["message"]] == []
    assert len(named) == len(NAMES)
    found = [each for each in everything if each["file"].endswith("snippet.py")]
    assert sum(each["severity"] == "information" for each in found) == len(REVEALED)
    assert not [each["message"] for each in found if "partially unknown" in each["message"]]
    wrong = {each["range"]["start"]["line"] + 1 for each in found if each["severity"] == "error"}
    assert wrong == set(range(FIRST_WRONG, FIRST_WRONG + len(WRONG))), done.stdout


def stubtest(folder, modules):
    (folder / "mypy.ini").write_text(CONFIGURED)
    (folder / "allowed").write_text("".join(f"{names}  # {why}\n" for names, why in ALLOWED.items()))
    command = [sys.executable, "-m", "mypy.stubtest", *modules, "--concise", "--allowlist", "allowed",
               "--ignore-unused-allowlist", "--mypy-config-file", "mypy.ini"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_stubs_say_what_runs(tmp_path):
    pytest.importorskip("mypy")
    stubtest(tmp_path, STUBBED)


def test_stubs_of_frameworks_say_what_runs(tmp_path):
    pytest.importorskip("mypy")
    here = [framework for framework in ("torch", "jax") if importlib.util.find_spec(framework)]
    if not here:
        pytest.skip("neither torch nor jax is installed")
    stubtest(tmp_path, [f"lanewise.{framework}" for framework in here])  # what both import mypy reads once


def test_every_public_module_has_a_stub_or_none_to_have():
    """A module that a person imports from is typed; what only the package itself imports need not be."""
    package = Path(lanewise.__file__).parent
    inner = {"_arrays", "_axis", "_documentation", "affine", "compiled", "islands", "progress", "table",
             "torch_operators", "trained", "training", "workers"}
    for folder in ("embedding", "evolution", "functions", "genome", "ieee754", "learning"):
        for module in (package / folder).glob("*.py"):
            assert module.with_suffix(".pyi").exists() or module.stem in inner, module


def test_the_package_says_that_it_is_typed():
    assert (Path(lanewise.__file__).parent / "py.typed").exists()
