"""Builds registers.pyx against the installed lanewise for one level, LANES_LEVEL. No part of the package's build."""

import os
import sys

import lanewise
from Cython.Build import cythonize
from lanewise.kernels.levels import LEVELS
from setuptools import Extension, setup

# -O1 takes 10 s, -O2 16, most of them for what Cython writes around the registers
COMMON_FLAGS = ["/O2"] if sys.platform == "win32" else ["-O1", "-ffp-contract=off", "-fno-math-errno", "-Wno-psabi"]

registers = Extension(
    "registers",
    ["registers.pyx"],
    include_dirs=[lanewise.get_include()],  # which leads to lanes/lanes.h
    extra_compile_args=COMMON_FLAGS + list(LEVELS[os.environ["LANES_LEVEL"]].flags),
)
setup(name="registers", ext_modules=cythonize([registers], language_level=3))
