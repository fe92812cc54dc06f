#!/usr/bin/env bash
# A module that Cython compiles keeps what a traceback shows of a function by the line of its source alone. Where a line
# of an included file has raised an error, and a line of the module with the same number has raised one before, the
# traceback names the module's file and the module's function for both.
#
# cython 3.3.1, CPython 3.11:
#   the error of included() in part.pxi, line 2, is said to come from module.pyx, line 2, in module.own
#   where included() is the first to raise, it is own() that is said to be included() in part.pxi
# Exits with another code than 0 where this has changed.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check cython==3.3.1 setuptools==84.2.1
cd "$work"
printf 'def own():\n    raise ValueError("own")\n\ninclude "part.pxi"\n' > module.pyx
printf 'def included():\n    raise ValueError("included")\n' > part.pxi
"$work/venv/bin/cythonize" -3 --inplace --quiet module.pyx > cythonize.log 2>&1 || { cat cythonize.log; exit 1; }
for order in "own included" "included own"; do
    "$work/venv/bin/python" - $order <<'SCRIPT'
import sys
import traceback

import module

places = []
for name in sys.argv[1:]:
    try:
        getattr(module, name)()
    except ValueError as error:
        assert str(error) == name
        frame = traceback.extract_tb(error.__traceback__)[-1]
        places.append((frame.filename, frame.lineno, frame.name))
        print(f"{name}() raised; the traceback says {frame.filename}, line {frame.lineno}, in {frame.name}")
first = ("module.pyx", 2, "module.own") if sys.argv[1] == "own" else ("part.pxi", 2, "module.included")
assert places == [first, first], places
SCRIPT
done
