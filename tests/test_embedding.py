"""The C interface: somebody else's project cimports the kernels of the installed package, is built, and gets the same
bits as from Python; and every public signature is as frozen in embedding/signatures.txt."""

import ctypes
import importlib
import importlib.util
import pkgutil
import shutil
import subprocess
import sys
from pathlib import Path

import lanewise as lw
import lanewise.kernels
import numpy as np
import pytest
from lanewise.kernels import machine

FOLDER = Path(__file__).parent / "embedding"
FROZEN = FOLDER / "signatures.txt"


@pytest.fixture(scope="module")
def embedding(tmp_path_factory):
    folder = tmp_path_factory.mktemp("embedding")
    for name in ("setup.py", "embedding.pyx"):
        shutil.copy(FOLDER / name, folder)
    options = ["--without-openmp"] if sys.platform == "darwin" else []  # Apple's clang has none
    command = [sys.executable, "setup.py", *options, "build_ext", "--inplace"]
    built = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    (file,) = [path for path in folder.glob("embedding.*") if path.suffix in (".so", ".pyd")]
    spec = importlib.util.spec_from_file_location("embedding", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("num_threads", [1, 2, 5])
def test_same_bits_without_the_gil(embedding, num_threads):
    x = np.random.default_rng(1).normal(0, 8, (257, 101)).astype(np.float32)
    y = np.full_like(x, np.nan)
    embedding.silu_rows(x, y, num_threads)
    assert np.array_equal(y.view(np.uint32), lw.silu(x).view(np.uint32))


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_own_threads_in_a_forked_child(embedding, in_a_child):
    # whose parent has used OpenMP: its library hangs in a child that asks for two threads, so the count is 1 there
    count = ctypes.CDLL(machine.__file__).lanewise_num_threads
    x = np.random.default_rng(4).normal(0, 8, (64, 101)).astype(np.float32)
    y = np.full_like(x, np.nan)
    embedding.silu_rows(x, y, 2)

    def work():
        lw.set_num_threads(2)
        y[...] = np.nan
        embedding.silu_rows(x, y, count())
        return b"same" if np.array_equal(y, lw.silu(x)) else b"different"

    assert in_a_child(work) == b"same"


def test_same_bits_float64(embedding):
    x = np.random.default_rng(2).normal(0, 8, (33, 129))
    y = np.full_like(x, np.nan)
    embedding.gelu_rows(x, y)
    assert np.array_equal(y.view(np.uint64), lw.gelu(x).view(np.uint64))


def test_same_codes(embedding):
    x = np.random.default_rng(3).normal(0, 100, 1001).astype(np.float32)
    codes, y = np.empty(x.size, np.uint8), np.empty_like(x)
    embedding.through_float8(x, codes, y)
    assert np.array_equal(codes, lw.ieee754.encode(x, lw.ieee754.FLOAT8_E4M3FN))
    assert np.array_equal(y, lw.ieee754.decode(codes, lw.ieee754.FLOAT8_E4M3FN), equal_nan=True)


def signatures():
    """`module.function signature` for every C function that a module of lanewise.kernels exports."""
    name_of = ctypes.pythonapi.PyCapsule_GetName
    name_of.restype, name_of.argtypes = ctypes.c_char_p, [ctypes.py_object]
    lines = []
    for module in pkgutil.iter_modules(lanewise.kernels.__path__):
        if not module.ispkg and module.name != "memoryviews":  # which holds what Cython shares between modules
            exported = importlib.import_module(f"lanewise.kernels.{module.name}")
            for function, capsule in getattr(exported, "__pyx_capi__", {}).items():
                lines.append(f"{module.name}.{function} {name_of(capsule).decode()}")
    return sorted(lines)


def test_signatures_are_frozen():
    frozen, found = FROZEN.read_text().splitlines(), signatures()
    missing = sorted(set(frozen) - set(found))
    assert not missing, f"those who cimport these would break at import: {missing}"
    added = sorted(set(found) - set(frozen))
    assert not added, f"new in the C interface; if meant to stay, `python tests/test_embedding.py` freezes: {added}"


def test_signatures_are_plain_c():
    plain = {"void", "int", "float", "double", "size_t", "Py_ssize_t", "const", "*", "(", ")", ","}
    integers = {f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)}
    plain |= {f"{name}_t" for name in integers}
    for line in FROZEN.read_text().splitlines():
        name, _, signature = line.partition(" ")
        for mark in "*(),":
            signature = signature.replace(mark, f" {mark} ")
        assert set(signature.split()) <= plain, line
        assert name.rpartition("_")[2] in {"float16", "bfloat16", "float32", "float64"} | integers, line


if __name__ == "__main__":
    FROZEN.write_text("\n".join(signatures()) + "\n")
