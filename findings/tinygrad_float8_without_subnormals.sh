#!/usr/bin/env bash
# The smallest seven numbers of float8_e4m3fn, and the smallest three of float8_e5m2, are subnormal. tinygrad's compiled
# conversion on the CPU makes zeros of them, and reads their codes as zeros, as in weights that another library has
# stored. Scales and weights below 0.0156 in E4M3 are concerned. tinygrad's interpreter in Python
# (DEV=PYTHON) keeps and reads them, and so do PyTorch and ml_dtypes.
#
# tinygrad 0.14.0, DEV=CPU with clang, on x86-64: of the 126 positive numbers of E4M3 the first 7 become 0, and of the 123 of
#   E5M2 the first 3; their codes are read as 0 too; DEV=PYTHON: all are kept
# Needs clang. Exits with another code than 0 where this has changed.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet tinygrad==0.14.0 numpy==2.4.6 ml_dtypes==0.6.0
cat > "$work/subnormals.py" <<'SCRIPT'
import os

import ml_dtypes
import numpy as np
from tinygrad import Tensor, dtypes

lost_here = {"CPU": {"fp8e4m3": 7, "fp8e5m2": 3}, "PYTHON": {"fp8e4m3": 0, "fp8e5m2": 0}}[os.environ["DEV"]]
for format, dtype, count in (("fp8e4m3", ml_dtypes.float8_e4m3fn, 126), ("fp8e5m2", ml_dtypes.float8_e5m2, 123)):
    codes = np.arange(1, count + 1, dtype=np.uint8)
    numbers = codes.view(dtype).astype(np.float32)
    written = Tensor(numbers).realize().cast(getattr(dtypes, format)).realize().bitcast(dtypes.uint8).numpy()
    read = Tensor(codes).realize().bitcast(getattr(dtypes, format)).cast(dtypes.float).numpy()
    first = slice(lost_here[format])
    print(os.environ["DEV"], format, "written:", numbers[:8], "->", written[:8], "read:", codes[:8], "->", read[:8])
    assert (written[first] == 0).all() and (read[first] == 0).all()
    assert (written == codes).sum() == count - lost_here[format] == (read == numbers).sum()
SCRIPT
DEV=CPU "$work/venv/bin/python" "$work/subnormals.py"
DEV=PYTHON "$work/venv/bin/python" "$work/subnormals.py"
