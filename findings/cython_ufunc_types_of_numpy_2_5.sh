#!/usr/bin/env bash
# A Cython loop that looks up which C types a ufunc's loops have reads `types` of a typed np.ufunc: since the beginning
# that was C's array of NumPy's type numbers. NumPy 2.5 declares functions of its own in place of a ufunc's fields, for
# all of them but types, identity and check_return. What Cython does not find it asks Python for: the same line compiles
# without a warning, and `types` is now Python's list of strings. A comparison with a type number, which found the loop
# of np.add for booleans, is false for ever, and code that counts places in C's array counts on past the list's end.
#
# cython 3.3.1, numpy 2.4.6 and 2.5.5 (which needs Python 3.12), CPython 3.13:
#   numpy 2.4.6: np.add.types[0] is 0, equal to NPY_BOOL: True
#   numpy 2.5.5: np.add.types[0] is '??->?', equal to NPY_BOOL: False
# Exits with another code than 0 where this has changed.
set -euo pipefail

python=${PYTHON:-python3}
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 12))' || { echo "PYTHON: 3.12 or later is needed"; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
cat > source.pyx <<'SOURCE'
cimport numpy as np

np.import_array()
np.import_ufunc()


def first_type(np.ufunc function):
    return function.types[0], function.types[0] == np.NPY_BOOL
SOURCE
for numpy in 2.4.6 2.5.5; do
    "$python" -m venv "$work/$numpy"
    "$work/$numpy/bin/pip" install --quiet --disable-pip-version-check cython==3.3.1 setuptools==84.2.1 "numpy==$numpy"
    mkdir "for-$numpy"
    cp source.pyx "for-$numpy/compiled.pyx"
    cat > "for-$numpy/setup.py" <<'SOURCE'
import numpy
from Cython.Build import cythonize
from setuptools import Extension, setup

setup(ext_modules=cythonize([Extension("compiled", ["compiled.pyx"], include_dirs=[numpy.get_include()])],
                            language_level=3))
SOURCE
    (cd "for-$numpy" && "$work/$numpy/bin/python" setup.py --quiet build_ext --inplace > build.log 2>&1) \
        || { cat "for-$numpy/build.log"; exit 1; }
    if grep "types" "for-$numpy/build.log"; then echo "Cython warns now"; exit 1; fi
    (cd "for-$numpy" && "$work/$numpy/bin/python" - <<'SCRIPT'
import compiled
import numpy as np

first, is_bool = compiled.first_type(np.add)
print(f"numpy {np.__version__}: np.add.types[0] is {first!r}, equal to NPY_BOOL: {is_bool}")
assert (first, is_bool) == ((0, True) if np.__version__ == "2.4.6" else ("??->?", False))
SCRIPT
    )
done
