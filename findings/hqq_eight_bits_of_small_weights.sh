#!/usr/bin/env bash
# HQQ keeps a group of weights as 0 to 2^bits - 1 times a step. The inverse of the step is not let above 20 000, so no step
# is smaller than 5e-05. Weights of a few thousandths have fewer than 256 levels then, whatever the bits: of a deviation of
# 1e-4, 8 bits are no better than 4, and of 1e-5 one level is left, with an error larger than the weights. The weights times
# 100 keep all their digits. optimize=True, which is for 4 bits, hardly changes it.
#
# hqq 0.2.8.post1, torch 2.13.0, groups of 64 normal weights, error relative to the weights in 4 and in 8 bits:
#   deviation 1: 0.099 0.0053; 1e-3: 0.099 0.014; 1e-4: 0.139 0.139; 1e-5: 2.53 2.53
# Exits with another code than 0 where this has changed.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet hqq==0.2.8.post1 torch==2.13.0 numpy==2.4.6
"$work/venv/bin/python" - 2> "$work/log" <<'SCRIPT' || { cat "$work/log"; exit 1; }
import torch
from hqq.core.quantize import Quantizer

torch.manual_seed(0)
normal = torch.randn(8, 64)
for deviation, expected in ((1, (0.099, 0.0053)), (1e-3, (0.099, 0.0141)), (1e-4, (0.139, 0.139)), (1e-5, (2.53, 2.53))):
    weights, found = normal * deviation, []
    for bits in (4, 8):
        codes, scales = Quantizer.quantize(
            weights, nbits=bits, group_size=64, axis=1, optimize=False, device="cpu", compute_dtype=torch.float32)
        back = Quantizer.dequantize(codes, scales)
        found.append(((back - weights).norm() / weights.norm()).item())
    print(f"deviation {deviation:g}: error {found[0]:.3g} in 4 bits, {found[1]:.3g} in 8 bits")
    assert all(abs(a / b - 1) < 0.03 for a, b in zip(found, expected))
SCRIPT
