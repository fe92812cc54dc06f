#!/usr/bin/env bash
# With compress_statistics=True, the double quantisation of QLoRA, bitsandbytes keeps the scales of its 4-bit blocks in 8
# bits: each less the mean of all, relative to the largest difference in 256 of them. A scale far below the others' is then
# nearly minus the mean, and what is left of it is an error of those 8 bits. Blocks whose weights are a thousandth of
# the others', as of rows that were never trained, come back 6 to 9 times too large: an error beyond their own size, where
# 10% is NF4's. torchao's NF4 quantises its scales too, and keeps them.
#
# bitsandbytes 0.50.2, torchao 0.18.0, torch 2.13.0, CPU, 256 blocks of 64 normal weights, one of them times a factor;
# that block's weights as they come back, over what they were (seeds 0 to 3):
#   factor 0.001: 6.4, 6.4, 7.5, 8.8; one scale for each block: 1.0 each; torchao: 1.0 each
# Exits with another code than 0 where this has changed.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet bitsandbytes==0.50.2 torchao==0.18.0 torch==2.13.0 numpy==2.4.6
"$work/venv/bin/python" - 2> "$work/log" <<'SCRIPT' || { cat "$work/log"; exit 1; }
import torch
from bitsandbytes.functional import dequantize_4bit, quantize_4bit
from torchao.quantization.quantize_.workflows.nf4.nf4_tensor import to_nf4

for seed in range(4):
    torch.manual_seed(seed)
    weights = torch.randn(256 * 64) * 0.02
    weights[:64] *= 0.001
    found = []
    for nested in (True, False):
        packed, state = quantize_4bit(weights, blocksize=64, quant_type="nf4", compress_statistics=nested)
        found.append(dequantize_4bit(packed, state).flatten())
    found.append(to_nf4(weights, 64, 256).get_original_weight().flatten())
    small = weights[:64].double()
    nested, plain, torchao = ((back[:64].double() @ small / (small @ small)).item() for back in found)
    print(f"seed {seed}: nested {nested:.2f}, one scale for each block {plain:.2f}, torchao {torchao:.2f}")
    assert 6 < nested < 10 and abs(plain - 1) < 0.05 and abs(torchao - 1) < 0.05
SCRIPT
