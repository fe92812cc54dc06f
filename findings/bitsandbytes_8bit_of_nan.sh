#!/usr/bin/env bash
# bitsandbytes keeps optimizer states in 8 bits with a scale for each block. On the CPU, a NaN among the numbers becomes
# -0.993 of the block's largest number, and the scale is that of the others: the NaN is gone, and a large negative number is
# in its place. A block of NaN alone becomes zeros. Its 4-bit formats lose nothing: there the scale is NaN, and so is the
# whole block.
#
# bitsandbytes 0.50.2, torch 2.13.0, CPU, 0.25 NaN -1 100: 0.241 -99.3 -0.972 100, scale 100; nf4: NaN throughout
# Exits with another code than 0 where this has changed.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet bitsandbytes==0.50.2 torch==2.13.0 numpy==2.4.6
"$work/venv/bin/python" - 2> "$work/log" <<'SCRIPT' || { cat "$work/log"; exit 1; }
import math

import torch
from bitsandbytes.functional import dequantize_4bit, dequantize_blockwise, quantize_4bit, quantize_blockwise

for x in (torch.tensor([0.25, math.nan, -1.0, 100.0]), torch.full((4,), math.nan)):
    codes, state = quantize_blockwise(x)
    back = dequantize_blockwise(codes, state)
    print("8 bits", x.tolist(), "scale", state.absmax.item(), "back", back.tolist())
    assert back.isfinite().all()
    assert (back == 0).all() if x.isnan().all() else abs(back[1] + 99.3) < 0.1 and state.absmax == 100
block = torch.cat((torch.tensor([math.nan]), torch.ones(63)))
codes, state = quantize_4bit(block, blocksize=64, quant_type="nf4")
assert dequantize_4bit(codes, state).isnan().all()
SCRIPT
