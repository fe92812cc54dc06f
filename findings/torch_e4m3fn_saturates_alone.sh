#!/usr/bin/env bash
# PyTorch's conversion to float8_e4m3fn gives the largest number, 448, for whatever is too large, infinity too: an
# overflow that a loss scaler looks for is a finite number afterwards. Its other 8-bit floats do not: float8_e5m2 keeps
# infinity, float8_e4m3fnuz and float8_e5m2fnuz give NaN. ml_dtypes gives NaN in float8_e4m3fn.
#
# torch 2.13.0, ml_dtypes 0.6.0:
#   inf and 1e6 as float8_e4m3fn: 448 448 in torch, nan nan in ml_dtypes
#   inf and 1e6 as float8_e5m2: inf inf in both; as float8_e4m3fnuz and float8_e5m2fnuz: nan nan in both
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

given, nan, inf = [float("inf"), 1e6], float("nan"), float("inf")
for name, ours, theirs in (("float8_e4m3fn", [448.0, 448.0], [nan, nan]), ("float8_e5m2", [inf, inf], [inf, inf]),
                           ("float8_e4m3fnuz", [nan, nan], [nan, nan]), ("float8_e5m2fnuz", [nan, nan], [nan, nan])):
    of_torch = torch.tensor(given).to(getattr(torch, name)).float().numpy()
    with np.errstate(all="ignore"):
        of_ml_dtypes = np.array(given, np.float32).astype(getattr(ml_dtypes, name)).astype(np.float32)
    print(name, "torch", of_torch, "ml_dtypes", of_ml_dtypes)
    np.testing.assert_array_equal(of_torch, ours)
    np.testing.assert_array_equal(of_ml_dtypes, theirs)
SCRIPT
