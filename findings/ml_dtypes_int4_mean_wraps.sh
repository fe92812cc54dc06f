#!/usr/bin/env bash
# NumPy takes the mean of its own integers in float64. Of the int4 of ml_dtypes it takes it in int4: the sum keeps its
# low four bits, and what is divided is cut to a whole number. Statistics of weights as they are stored, which decide
# scales and what is clipped, are other numbers: of 7, 7, 7 and -7 the sum is -2, the mean 0 and the standard deviation
# 1. So in uint4, int2 and uint2. With dtype=np.float32, or of an int8 of the same numbers, all are right.
#
# numpy 2.4.6, ml_dtypes 0.6.0, 7 7 7 -7: int4 sum -2, mean 0, std 1; int8 14, 3.5, 6.06
# Exits with another code than 0 where this has changed.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet ml_dtypes==0.6.0 numpy==2.4.6
"$work/venv/bin/python" - <<'SCRIPT'
import ml_dtypes
import numpy as np

for dtype, expected in ((ml_dtypes.int4, (-2, 0, 1)), (np.int8, (14, 3.5, 6.06))):
    weights = np.array([7, 7, 7, -7]).astype(dtype)
    found = (int(weights.sum()), float(weights.mean()), float(weights.std()))
    print(weights.dtype, "sum, mean, std:", *found, "mean in float32:", weights.mean(dtype=np.float32))
    np.testing.assert_allclose(found, expected, rtol=1e-3)
    assert weights.mean(dtype=np.float32) == 3.5
SCRIPT
