#!/usr/bin/env bash
# NumPy sorts NaN behind all numbers. Of the bfloat16 of ml_dtypes it only asks whether one number is less than the
# next, and a NaN is never less: one NaN keeps the numbers before it from those behind it, and the array comes back
# unsorted, without a warning. argsort, partition and unique do the same, and so do the 8-bit floats: whoever takes the
# largest few of an array so, to prune or to clip, takes others. float16 is NumPy's own and is right.
#
# numpy 2.4.6, ml_dtypes 0.6.0, -2 5 -1 NaN 2 1 3:
#   sort of bfloat16: -2 -1 5 nan 1 2 3; of float16: -2 -1 1 2 3 5 nan
# Exits with another code than 0 where this has changed.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet ml_dtypes==0.6.0 numpy==2.4.6
"$work/venv/bin/python" - <<'SCRIPT'
import ml_dtypes
import numpy as np

x = [-2, 5, -1, np.nan, 2, 1, 3]
for dtype, expected in ((ml_dtypes.bfloat16, [-2, -1, 5, np.nan, 1, 2, 3]),
                        (ml_dtypes.float8_e4m3fn, [-2, -1, 5, np.nan, 1, 2, 3]),
                        (np.float16, [-2, -1, 1, 2, 3, 5, np.nan])):
    given = np.array(x, dtype)
    print(given.dtype, "sort", np.sort(given), "argsort", np.argsort(given), "unique", np.unique(given))
    for found in (np.sort(given), given[np.argsort(given)], np.unique(given)):
        np.testing.assert_array_equal(found.astype(np.float32), expected)
SCRIPT
