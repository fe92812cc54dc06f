"""python setup.py build_ext --inplace."""

import lanewise
from setuptools import Extension, setup

rows = Extension("rows", ["rows.c"], include_dirs=[lanewise.get_include()], py_limited_api=True)
setup(name="rows", ext_modules=[rows])
