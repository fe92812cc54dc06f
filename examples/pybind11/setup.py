"""python setup.py build_ext --inplace."""

import lanewise
from pybind11.setup_helpers import Pybind11Extension
from setuptools import setup

setup(name="rows", ext_modules=[
    Pybind11Extension("rows", ["rows.cpp"], include_dirs=[lanewise.get_include()], cxx_std=17)])
