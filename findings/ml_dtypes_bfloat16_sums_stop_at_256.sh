#!/usr/bin/env bash
# NumPy adds the bfloat16 of ml_dtypes one by one and rounds each sum to bfloat16: from 256 on, adding 1 changes
# nothing. sum, mean and what is built on them are silently wrong for a few hundred elements: the mean of 3 000 ones is
# 0.085, and scipy.special.softmax of 3 000 equal numbers sums to nearly 12. float16 is NumPy's own, is added pairwise,
# and its mean is taken in float32: there all three are right. x.sum(dtype=np.float32) is right too.
#
# numpy 2.4.6, ml_dtypes 0.6.0, scipy 1.17.1, 3 000 ones of bfloat16:
#   sum 256, mean 0.0854, softmax 0.00391 each; float16: 3000, 1, 0.000333
# Exits with another code than 0 where this has changed.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet ml_dtypes==0.6.0 scipy==1.17.1 numpy==2.4.6
"$work/venv/bin/python" - <<'SCRIPT'
import ml_dtypes
import numpy as np
import scipy.special

for dtype, total, mean, share in ((ml_dtypes.bfloat16, 256, 0.0854, 1 / 256), (np.float16, 3000, 1, 1 / 3000)):
    x = np.ones(3000, dtype)
    found = [float(each) for each in (x.sum(), x.mean(), scipy.special.softmax(x)[0])]
    print(x.dtype, "sum, mean, softmax:", *found, "sum in float32:", x.sum(dtype=np.float32))
    np.testing.assert_allclose(found, [total, mean, share], rtol=1e-3)
    assert x.sum(dtype=np.float32) == 3000
SCRIPT
