"""The files of the emulated machine: collect.py FOLDER SCRIPT... copies into FOLDER this interpreter and its library,
NumPy, ml_dtypes and the installed lanewise, every shared library that they load, and the scripts beside each other."""

import compileall
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from py_compile import PycInvalidationMode

import lanewise.kernels
import ml_dtypes
import numpy
from numpy._core import _multiarray_umath

UNUSED = shutil.ignore_patterns(
    "__pycache__",
    "test",
    "tests",
    "site-packages",
    "config-*",
    "distutils",
    "ensurepip",
    "f2py",
    "idlelib",
    "lib2to3",
    "pydoc_data",
    "tkinter",
    "_tkinter*",
    "turtle*",
)
root = Path(sys.argv[1])
scripts = [Path(argument) for argument in sys.argv[2:]]


def copy_tree(folder, target):
    shutil.copytree(folder, root / target, ignore=UNUSED, dirs_exist_ok=True)


def copy_file(file, target):
    (root / target).parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(file, root / target)


def same_place(path):
    """Where a file of this machine stands in the emulated one: under the same name."""
    return str(path).lstrip("/")


shutil.rmtree(root, ignore_errors=True)
for name in ("proc", "dev", "tmp", "bin"):
    (root / name).mkdir(parents=True)

python = Path(sys.executable).resolve()
copy_file(python, same_place(python))
(root / "bin/python3").symlink_to(python)
library = sysconfig.get_path("stdlib")
copy_tree(library, same_place(library))
for package in (numpy, ml_dtypes, lanewise):
    copy_tree(Path(package.__file__).parent, f"packages/{package.__name__}")
copy_tree(Path(lanewise.kernels.__file__).parent, "packages/lanewise/kernels")  # an editable install has them elsewhere
wheel_libraries = Path(numpy.__file__).parent.with_name("numpy.libs")
if wheel_libraries.exists():
    copy_tree(wheel_libraries, "packages/numpy.libs")

for program in [root / same_place(python), *root.rglob("*.so*")]:
    needed = subprocess.run(["ldd", program], capture_output=True, text=True).stdout
    for file in re.findall(r"(/\S+) \(0x", needed):
        if not file.startswith(str(root)) and not (root / same_place(file)).exists():
            copy_file(file, same_place(file))

for folder in {script.resolve().parent for script in scripts}:  # a script may import its neighbours
    for neighbour in folder.glob("*.py"):
        copy_file(neighbour, f"scripts/{neighbour.name}")
compileall.compile_dir(root, quiet=1, stripdir=root, invalidation_mode=PycInvalidationMode.UNCHECKED_HASH)

# NumPy makes the scripts' samples, so there it may use no instruction that it does not use here
missing = [name for name in _multiarray_umath.__cpu_dispatch__ if not _multiarray_umath.__cpu_features__[name]]
(root / "environment").write_text(f'export NPY_DISABLE_CPU_FEATURES="{" ".join(missing)}"\n')
(root / "list").write_text("".join(f"{script.name}\n" for script in scripts))
