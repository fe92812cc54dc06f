"""The C interface: somebody else's project cimports the kernels of the installed package, is built, and gets the same
bits as from Python; every public signature is as frozen in embedding/signatures.txt, and lanewise.h says the same."""

import ctypes
import importlib
import importlib.util
import pkgutil
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import lanewise as lw
import lanewise.kernels
import numpy as np
import pytest
from lanewise.embedding import functions
from lanewise.embedding import signature as embedding_of
from lanewise.kernels import machine

ROOT = Path(__file__).parents[1]
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
        if not module.ispkg and module.name != "helpers":  # which holds what Cython shares between modules
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


def test_the_header_says_what_the_modules_export():
    def as_cython_writes(of):
        types = [re.sub(r"^const (\w+) \*$", r"\1 const *", ctype) for ctype, _ in of.arguments]
        return f"{of.module}.{of.name} {of.result} ({', '.join(types) or 'void'})"

    assert sorted(as_cython_writes(embedding_of(name)) for name in functions()) == signatures()


def test_header_and_page_are_current_and_frozen(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "tools")
    header = importlib.import_module("header")
    for file, text in header.made().items():
        assert file.read_text(encoding="utf-8") == text, "python tools/header.py"
    # a function keeps its place, its types and the names of its arguments
    frozen = header.HEADER.read_text(encoding="utf-8")
    found = header.everything()
    assert header.in_order(dict(reversed(found.items())), frozen) == list(functions())
    module, result, arguments, comment = found["silu_float32"]
    for changed in (arguments.replace("*x", "*z"), arguments.replace("float", "double")):
        with pytest.raises(SystemExit, match="silu_float32 is frozen"):
            header.in_order(found | {"silu_float32": (module, result, changed, comment)}, frozen)
    del found["silu_float32"]
    with pytest.raises(SystemExit, match="silu_float32 is frozen and is gone"):
        header.in_order(found, frozen)


def test_a_struct_may_not_be_exported(tmp_path, monkeypatch):
    # a capsule's signature would name it and not say what is in it
    monkeypatch.syspath_prepend(ROOT / "tools")
    header = importlib.import_module("header")
    (tmp_path / "of.pxd").write_text("cdef struct Pair:\n    float a\n    float b\n")
    with pytest.raises(SystemExit, match="cdef struct Pair"):
        header.declared(tmp_path / "of.pxd")


HEADERS = {"c11": "gcc -std=c11", "c17": "gcc -std=c17", "c++17": "g++ -std=c++17", "limited": "gcc -std=c11",
           "limited in c++": "g++ -std=c++17"}


@pytest.mark.compiler
@pytest.mark.skipif(sys.platform == "win32", reason="the options are GCC's")
@pytest.mark.parametrize("language", HEADERS)
def test_the_header_compiles_without_a_warning(language, tmp_path):
    command = HEADERS[language].split()
    if shutil.which(command[0]) is None:
        pytest.skip(f"no {command[0]}")
    limited = "#define Py_LIMITED_API 0x030B0000\n" if language.startswith("limited") else ""
    source = tmp_path / f"of.{'cpp' if command[0] == 'g++' else 'c'}"
    source.write_text(f"{limited}#include <lanewise.h>\nint of(void) {{ return lanewise_import(); }}\n")
    done = subprocess.run([*command, "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only",
                           f"-I{lw.get_include()}", "-isystem", sysconfig.get_path("include"), str(source)],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


CALLER = """
#include <lanewise.h>
static PyObject *silu(PyObject *module, PyObject *args) {
    float x, y;
    if (!PyArg_ParseTuple(args, "f", &x)) return NULL;
    lanewise->silu_float32(&x, &y, 1);
    return PyFloat_FromDouble(y);
}
static PyMethodDef methods[] = {{"silu", silu, METH_VARARGS, ""}, {0}};
static PyModuleDef caller = {PyModuleDef_HEAD_INIT, .m_name = "caller", .m_size = -1, .m_methods = methods};
PyMODINIT_FUNC PyInit_caller(void) { return lanewise_import() < 0 ? NULL : PyModule_Create(&caller); }
"""
# header of a lanewise that is none of today's: what is changed, what the import says
REFUSALS = {
    "function": ({"} lanewise_table;": "    void (*of_tomorrow)(void);\n} lanewise_table;",
                  f"LANEWISE_FUNCTIONS {len(functions())}": f"LANEWISE_FUNCTIONS {len(functions()) + 1}",
                  f'"{functions()[-1]}"': f'"{functions()[-1]}", "of_tomorrow"'},
                 "the installed lanewise has no of_tomorrow, which this extension was built to call: upgrade lanewise"),
    "later": ({"LANEWISE_ABI 1": "LANEWISE_ABI 2"},
              "this extension was built for LANEWISE_ABI 2 and the installed lanewise has 1: upgrade lanewise"),
    "older": ({"LANEWISE_ABI 1": "LANEWISE_ABI 0"}, "this extension was built for LANEWISE_ABI 0 and the installed "
              "lanewise has 1: build the extension again with the installed lanewise"),
}


def called(folder, header):
    """A module built with a header, or the error of its import."""
    (folder / "lanewise.h").write_text(header)
    (folder / "caller.c").write_text(CALLER)
    (folder / "setup.py").write_text(
        "from setuptools import Extension, setup\n"
        "setup(name='caller', ext_modules=[Extension('caller', ['caller.c'], include_dirs=['.'])])\n")
    done = subprocess.run([sys.executable, "setup.py", "build_ext", "--inplace"], cwd=folder, capture_output=True,
                          text=True)
    assert done.returncode == 0, done.stderr
    (file,) = [path for path in folder.glob("caller.*") if path.suffix in (".so", ".pyd")]
    spec = importlib.util.spec_from_file_location("caller", file)
    return importlib.util.module_from_spec(spec)


@pytest.mark.compiler
@pytest.mark.parametrize("what", REFUSALS)
def test_an_extension_that_the_installed_lanewise_cannot_serve_is_told_so(what, tmp_path):
    header = Path(lw.get_include(), "lanewise.h").read_text()
    changes, message = REFUSALS[what]
    for old, new in changes.items():
        assert old in header
        header = header.replace(old, new)
    with pytest.raises(ImportError, match=re.escape(message)):
        called(tmp_path, header)


def test_signatures_are_plain_c():
    plain = {"void", "int", "float", "double", "size_t", "Py_ssize_t", "const", "*", "(", ")", ","}
    integers = {f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)}
    plain |= {f"{name}_t" for name in integers}
    for line in FROZEN.read_text().splitlines():
        name, _, signature = line.partition(" ")
        for mark in "*(),":
            signature = signature.replace(mark, f" {mark} ")
        assert set(signature.split()) <= plain, line
        if name.startswith("interface."):  # about calls, not about numbers
            continue
        assert name.rpartition("_")[2] in {"float16", "bfloat16", "float32", "float64"} | integers, line


if __name__ == "__main__":
    FROZEN.write_text("\n".join(signatures()) + "\n")
    subprocess.run([sys.executable, str(ROOT / "tools" / "header.py")], check=True)
