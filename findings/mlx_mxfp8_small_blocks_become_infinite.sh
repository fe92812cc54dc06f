#!/usr/bin/env bash
# The scale of an MX block is a power of two in one byte, from 2^-127 (byte 0) on. MLX's mxfp8 wants the largest of the
# block over 448 as the scale. Where that is below 2^-127.5, it does not stop at byte 0 but keeps the low eight bits of the
# negative exponent: byte 255, which is NaN in the OCP Microscaling Formats specification 1.0, or 254, which is 2^127. A
# block of 2^-120, normal in float32 and bfloat16, comes back as infinity. The numbers would fit with byte 0. mxfp4, whose
# largest is 6, reaches its end six binades later.
#
# mlx 0.32.4 (CPU), 32 times 2^-119 and 2^-120 as mxfp8: byte 0 and 2^-119, byte 255 and inf; as mxfp4: 2^-119, 2^-120
# Exits with another code than 0 where this has changed.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet "mlx[cpu]==0.32.4" numpy==2.4.6
"$work/venv/bin/python" - <<'SCRIPT'
import math

import mlx.core as mx
import numpy as np

mx.set_default_device(mx.cpu)
for mode, exponent, expected in (("mxfp8", -119, 2.0**-119), ("mxfp8", -120, math.inf), ("mxfp8", -121, math.inf),
                                 ("mxfp4", -119, 2.0**-119), ("mxfp4", -120, 2.0**-120)):
    block = mx.array(np.full((1, 32), 2.0**exponent, np.float32))
    codes, scale = mx.quantize(block, group_size=32, mode=mode)
    back = np.array(mx.dequantize(codes, scale, group_size=32, mode=mode, dtype=mx.float32))
    print(f"{mode} 2^{exponent}: byte {scale.item()}, comes back as {back[0, 0]}")
    assert (back == expected).all()
SCRIPT
