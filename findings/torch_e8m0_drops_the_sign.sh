#!/usr/bin/env bash
# float8_e8m0fnu, the scale of an MX block, has neither a sign nor a zero. PyTorch's conversion takes the sign away and
# makes zero the smallest power of two; ml_dtypes gives NaN for both, and so does jax.numpy, which uses it.
#
# torch 2.13.0, ml_dtypes 0.6.0: -3 -1 0 1 3 as float8_e8m0fnu
#   torch: 4 1 5.877e-39 1 4
#   ml_dtypes: nan nan nan 1 4
# Exits with another code than 0 where this has changed.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6 ml_dtypes==0.6.0
"$work/venv/bin/python" - <<'SCRIPT'
import ml_dtypes
import numpy as np
import torch

x = np.array([-3, -1, 0, 1, 3], np.float32)
of_torch = torch.from_numpy(x).to(torch.float8_e8m0fnu).float().numpy()
with np.errstate(all="ignore"):
    of_ml_dtypes = x.astype(ml_dtypes.float8_e8m0fnu).astype(np.float32)
print("torch", of_torch, "ml_dtypes", of_ml_dtypes)
np.testing.assert_array_equal(of_torch, [4, 1, 2.0**-127, 1, 4])
np.testing.assert_array_equal(of_ml_dtypes, [np.nan, np.nan, np.nan, 1, 4])
SCRIPT
