"""python setup.py build_ext --inplace. Without -fopenmp, prange is a plain loop on one thread."""

from Cython.Build import cythonize
from setuptools import Extension, setup

rows = Extension("rows", ["rows.pyx"], extra_compile_args=["-fopenmp"], extra_link_args=["-fopenmp"])
setup(name="rows", ext_modules=cythonize([rows], language_level=3))
