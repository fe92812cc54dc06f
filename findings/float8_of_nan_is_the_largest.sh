#!/usr/bin/env bash
# float8_e4m3fn has a NaN of its own. MLX's to_fp8 and NumKong's astype make the largest number, 448, of a NaN instead, so
# that it looks like a weight afterwards. In float8_e5m2 NumKong makes infinity of it. NumKong's type for one number keeps
# the NaN, and so does its astype where only its loops without SIMD run; its bfloat16 and float16 keep it too.
#
# mlx 0.32.4 (CPU), numkong 7.8.6 (x86-64 with AVX2 or more), NaN and -NaN:
#   mlx: 448 -448; numkong: float8_e4m3 448 -448, float8_e5m2 inf -inf, bfloat16 nan nan; float8_e4m3(nan): nan
# Exits with another code than 0 where this has changed.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet "mlx[cpu]==0.32.4" numkong==7.8.6 numpy==2.4.6
"$work/venv/bin/python" - <<'SCRIPT'
import math

import mlx.core as mx
import numkong
import numpy as np

x, inf = np.array([math.nan, -math.nan, 3], np.float32), math.inf
by_mlx = np.array(mx.from_fp8(mx.to_fp8(mx.array(x)), mx.float32))
print("mlx", by_mlx)
assert by_mlx.tolist() == [448, -448, 3]
for name, expected in (("float8_e4m3", [448, -448, 3]), ("float8_e5m2", [inf, -inf, 3]), ("bfloat16", [math.nan] * 2 + [3])):
    found = np.asarray(numkong.astype(numkong.astype(x, name), "float32"))
    print("numkong", name, found)
    np.testing.assert_array_equal(found, expected)
assert math.isnan(numkong.float8_e4m3(math.nan)) and math.isnan(numkong.float8_e5m2(math.nan))
for capability in ("genoa", "sapphire", "icelake", "skylake", "alder", "sierra", "haswell"):
    numkong.disable_capability(capability)
serial = np.asarray(numkong.astype(numkong.astype(x, "float8_e4m3"), "float32"))
print("numkong without SIMD", serial)
assert np.isnan(serial[:2]).all()
SCRIPT
