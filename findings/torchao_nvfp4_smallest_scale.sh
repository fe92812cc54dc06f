#!/usr/bin/env bash
# NVFP4 has an E4M3 byte for the scale of each 16 weights, from 2^-9 to 448. torchao's encoder takes 2^-6, the smallest
# normal one, for all that is smaller: 2^-7, 2^-8 and 2^-9, which E4M3 has as subnormals and its own decoder reads, are never
# written. Blocks with such scales, 1/28672 of the largest and less where the tensor has a factor, lose up to three of
# their four bits though each of these weights is exact with the scale it should have. Lanewise writes torchao's bytes.
#
# torchao 0.18.0, torch 2.13.0, the numbers 6 4 3 2 1.5 1 0.5 0 times a power of two come back, over that power:
#   2^-6: 6 4 3 2 1.5 1 0.5 0; 2^-7: 6 4 3 2 2 1 0 0; 2^-8: 6 4 4 2 2 0 0 0; 2^-9: 8 4 4 0 0 0 0 0
# Exits with another code than 0 where this has changed.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet torch==2.13.0 torchao==0.18.0 numpy==2.4.6
"$work/venv/bin/python" 2> "$work/log" - <<'SCRIPT' || { cat "$work/log"; exit 1; }
import torch
from torchao.prototype.mx_formats.nvfp4_tensor import NVFP4Tensor

numbers = torch.tensor([6, 4, 3, 2, 1.5, 1, 0.5, 0])
for exponent, expected in ((-6, numbers.tolist()), (-7, [6, 4, 3, 2, 2, 1, 0, 0]), (-8, [6, 4, 4, 2, 2, 0, 0, 0]),
                           (-9, [8, 4, 4, 0, 0, 0, 0, 0])):
    power = 2.0**exponent
    assert torch.tensor(power).to(torch.float8_e4m3fn).float() == power
    back = NVFP4Tensor.to_nvfp4(numbers.repeat(1, 2) * power).dequantize(torch.float32)[0, :8] / power
    print(f"2^{exponent}:", *back.tolist())
    assert back.tolist() == expected
SCRIPT
