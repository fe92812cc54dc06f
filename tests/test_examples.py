"""Every example of examples/ is built as it says, in a folder of its own, and gives the bits of lw.silu: a door at a
time, skipped where what it needs is not installed."""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import lanewise as lw
import numpy as np
import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
SETUPTOOLS = [[sys.executable, "setup.py", "build_ext", "--inplace"]]
MESON = [["meson", "setup", "build"], ["meson", "compile", "-C", "build"]]
CMAKE = [["cmake", "-S", ".", "-B", "build", f"-DPython_EXECUTABLE={sys.executable}"], ["cmake", "--build", "build"]]
COMPILED = {  # folder and builder: what has to be installed, the commands
    ("cython", "setuptools"): ((), SETUPTOOLS),
    ("cython", "meson"): (("mesonbuild", "ninja"), MESON),
    ("c", "setuptools"): ((), SETUPTOOLS),
    ("pybind11", "setuptools"): (("pybind11",), SETUPTOOLS),
    ("nanobind", "cmake"): (("nanobind", "cmake"), CMAKE),
}
PLAIN = {"cffi": (), "numba": (), "torch": ("ml_dtypes",), "jax": ()}  # with_<door>.py: what else it needs
NO_DOORS = {"__pycache__", "evolution", "learning"}  # test_evolution_examples.py and test_learning_examples.py
SHAPE = 57, 101


def rows():
    x = np.random.default_rng(1).normal(0, 8, SHAPE).astype(np.float32)
    x[0, :3] = 0.0, 1e-40, np.inf
    return x


def check(silu_rows):
    x = rows()
    y = np.full_like(x, np.nan)
    silu_rows(x, y)
    assert np.array_equal(y.view(np.uint32), lw.silu(x).view(np.uint32))


def loaded(file):
    spec = importlib.util.spec_from_file_location(file.name.split(".")[0], file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_example_is_tested():
    folders = {path.name for path in EXAMPLES.iterdir() if path.is_dir() and path.name not in NO_DOORS}
    assert folders == {folder for folder, _ in COMPILED}
    assert {path.stem for path in EXAMPLES.glob("*.py")} == {f"with_{door}" for door in (*PLAIN, "scipy")}


def test_every_example_is_short():
    files = [path for path in EXAMPLES.rglob("*") if path.is_file() and not NO_DOORS & set(path.parts)]
    assert all(len(path.read_text().splitlines()) < 40 for path in files)


@pytest.mark.compiler
@pytest.mark.parametrize(("folder", "builder"), COMPILED)
def test_compiled(folder, builder, tmp_path):
    needed, commands = COMPILED[folder, builder]
    for package in needed:
        pytest.importorskip(package)
    shutil.copytree(EXAMPLES / folder, tmp_path, dirs_exist_ok=True)
    # the commands that a package installs stand beside its Python
    beside = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    for command in commands:
        done = subprocess.run(command, cwd=tmp_path, env=beside, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr
    (built,) = [path for path in [*tmp_path.glob("rows.*"), *tmp_path.glob("build/rows.*")]
                if path.suffix in (".so", ".pyd")]
    silu_rows = loaded(built).silu_rows
    check(silu_rows)
    with pytest.raises((ValueError, TypeError)):
        silu_rows(rows(), np.empty(3, np.float64))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the packages' own
@pytest.mark.parametrize("door", PLAIN)
def test_plain(door, tmp_path):
    for package in (door, *PLAIN[door]):
        pytest.importorskip(package)
    file = shutil.copy(EXAMPLES / f"with_{door}.py", tmp_path)
    check(loaded(Path(file)).silu_rows)


@pytest.mark.parametrize("name", ["gelu", "tanh", "softplus"])
def test_scipy_integrates(name):
    integrate = pytest.importorskip("scipy.integrate")
    integral = loaded(EXAMPLES / "with_scipy.py").integral
    assert integral(name, -3, 5) == integrate.quad(lambda x: float(getattr(lw, name)(x)), -3, 5)[0]


def test_scipy_filters():
    ndimage = pytest.importorskip("scipy.ndimage")
    smooth_maximum_filter = loaded(EXAMPLES / "with_scipy.py").smooth_maximum_filter
    image = np.random.default_rng(7).normal(0, 3, (9, 13))
    expected = ndimage.generic_filter(image, lw.logsumexp, 3)
    assert smooth_maximum_filter(image, 3).tobytes() == expected.tobytes()
    assert (expected >= ndimage.maximum_filter(image, 3)).all()


def test_the_block_of_a_transformer_trains():
    torch = pytest.importorskip("torch")
    torch.manual_seed(1)
    block = loaded(EXAMPLES / "with_torch.py").FeedForward(16, 32)
    x = torch.randn(4, 16)
    block(x).square().mean().backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in block.parameters())
    gate, up = block.gate_and_up(torch.nn.functional.rms_norm(x, (16,), block.norm, 1e-6)).chunk(2, dim=-1)
    assert torch.allclose(block(x), x + block.down(torch.nn.functional.silu(gate) * up), atol=1e-5)


def test_the_gated_layer_has_its_gradient():
    jax = pytest.importorskip("jax")
    layer = loaded(EXAMPLES / "with_jax.py")
    random = np.random.default_rng(4)
    weights, x = random.normal(0, 1, (2, 5, 7)).astype(np.float32), random.normal(0, 1, (3, 7)).astype(np.float32)

    def expected(weights, x):
        return jax.numpy.square(jax.nn.silu(weights[0] @ x) * (weights[1] @ x)).mean()

    found = layer.gradients(weights, x)
    assert np.allclose(found, jax.vmap(jax.grad(expected), in_axes=(None, 0))(weights, x), rtol=1e-4, atol=1e-5)


def test_numba_caches(tmp_path, run_python):
    pytest.importorskip("numba")
    shutil.copy(EXAMPLES / "with_numba.py", tmp_path)
    script = """
        import sys
        sys.path.insert(0, "")
        import with_numba
        import numpy as np, lanewise as lw
        x = np.linspace(-9, 9, 707, dtype=np.float32).reshape(7, 101)
        y = np.empty_like(x)
        with_numba.silu_rows(x, y)
        print((y == lw.silu(x)).all(), sum(with_numba.silu_rows.stats.cache_hits.values()))
    """
    # the second process has another address and takes the first one's code
    found = [run_python(script) for _ in range(2)]
    assert [done.stdout.split() for done in found] == [["True", "0"], ["True", "1"]], found
