"""Builds registers.pyx against the installed lanewise for one level, LANES_LEVEL. No part of the package's build."""

import os
import sys
from pathlib import Path

import lanewise.kernels
from Cython.Build import cythonize
from setuptools import Extension, setup

LEVEL_FLAGS = {
    "baseline": [],
    "avx2": ["-march=x86-64-v3", "-DLANEWISE_AVX2"],
    "avx512": ["-march=x86-64-v4", "-mprefer-vector-width=512", "-DLANEWISE_AVX512"],
    "neon": ["-DLANEWISE_NEON"],
}
COMMON_FLAGS = ["/O2"] if sys.platform == "win32" else ["-O2", "-ffp-contract=off", "-fno-math-errno", "-Wno-psabi"]

registers = Extension(
    "registers",
    ["registers.pyx"],
    include_dirs=[str(Path(lanewise.kernels.machine.__file__).parent)],  # where lanes.h is installed
    extra_compile_args=COMMON_FLAGS + LEVEL_FLAGS[os.environ["LANES_LEVEL"]],
)
setup(name="registers", ext_modules=cythonize([registers], language_level=3))
