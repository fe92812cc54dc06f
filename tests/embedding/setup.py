"""A project of somebody else's, built against an installed lanewise: nothing of its source tree is needed."""

import sys

from Cython.Build import cythonize
from setuptools import Extension, setup

OPENMP = [] if sys.platform == "win32" or "--without-openmp" in sys.argv else ["-fopenmp"]
if "--without-openmp" in sys.argv:
    sys.argv.remove("--without-openmp")

embedding = Extension("embedding", ["embedding.pyx"], extra_compile_args=OPENMP, extra_link_args=OPENMP)
setup(name="embedding", ext_modules=cythonize([embedding], language_level=3))
