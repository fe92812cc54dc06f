#!/usr/bin/env bash
# torchao 0.18.0 (with torch 2.13.0): a block of small numbers comes back from an MX format half as large.
#
# The scale of an MX block is a power of two in one byte, from 2^-127 (byte 0) on. Where numbers are so small that byte 0
# is chosen (float8_e4m3fn: below 2^-118), torchao divides them by 2^-126, the smallest normal float32, and not by
# 2^-127. Its own decoder reads byte 0 as 2^-127, as the OCP Microscaling Formats specification 1.0 (section 5.4.1) says,
# so each number is halved by the trip, though every one of them could have been kept exactly. The numbers are normal
# float32. Blocks with a larger scale come back as they were.
#
# Seen: 2^-117 -> 2^-117, 2^-120 -> 2^-121
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.13.0 torchao==0.18.0 numpy==2.4.6
"$folder/venv/bin/python" 2> "$folder/warnings" - <<'SCRIPT'
import math

import torch
from torchao.prototype.mx_formats.mx_tensor import MXTensor

found = {}
for exponent in (-117, -120):
    x = torch.zeros(1, 32)
    x[0, 0] = 2.0**exponent
    back = MXTensor.to_mx(x, torch.float8_e4m3fn, 32).dequantize(torch.float32)
    found[exponent] = math.log2(back[0, 0].item())
    print(f"2^{exponent} -> 2^{found[exponent]:g}")
assert found == {-117: -117, -120: -121}, "small blocks come back otherwise now"
SCRIPT
