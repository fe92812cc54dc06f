#!/usr/bin/env bash
# Unless cdivision=True is set, Cython's % and // of C doubles follow Python's signs. They do not follow its numbers. The
# sign is put right by adding the divisor times 0 or 1, and 0 times infinity is NaN: 5.0 % inf is NaN, where Python and
# NumPy have 5.0. And // is the floor of the rounded quotient: 1.0 // 0.1 is 10, though 1.0 % 0.1 is just below 0.1, so
# that the two together make 1.1 of 1.0. divmod() of the same two C doubles is what Python makes of them.
#
# cython 3.3.1, CPython 3.11:
#   5.0 % inf nan (Python 5.0), 1.0 // 0.1 10.0 (9.0), -1.0 // inf -0.0 (-1.0), inf // 3.0 inf (nan)
#   divmod: as Python
# Exits with another code than 0 where this has changed.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check cython==3.3.1 setuptools==84.2.1
cd "$work"
cat > compiled.pyx <<'SOURCE'
def remainder(double x, double y):
    return x % y


def floored(double x, double y):
    return x // y


def both(double x, double y):
    return divmod(x, y)
SOURCE
"$work/venv/bin/cythonize" -3 --inplace --quiet compiled.pyx > cythonize.log 2>&1 || { cat cythonize.log; exit 1; }
"$work/venv/bin/python" - <<'SCRIPT'
import compiled

inf = float("inf")
for x, y, remainder, floored in ((5.0, inf, "nan", "0.0"), (1.0, 0.1, "0.09999999999999995", "10.0"),
                                 (-1.0, inf, "inf", "-0.0"), (inf, 3.0, "nan", "inf")):
    found = compiled.remainder(x, y), compiled.floored(x, y)
    print(f"{x} % {y} is {found[0]} (Python {x % y}), {x} // {y} is {found[1]} (Python {x // y})")
    assert tuple(map(repr, found)) == (remainder, floored)
    assert repr(compiled.both(x, y)) == repr(divmod(x, y))
assert 5.0 % inf == 5.0 and 1.0 // 0.1 == 9.0 and -1.0 // inf == -1.0
SCRIPT
