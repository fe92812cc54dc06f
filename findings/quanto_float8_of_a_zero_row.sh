#!/usr/bin/env bash
# optimum-quanto divides each row of weights by its largest, over the largest number of the type. A row of zeros, as pruning
# leaves it or as a new output begins, is divided by 0: with 8-bit floats all of it is NaN, and so is the layer's result. With
# 8-bit integers the same row is zeros, since NaN becomes 0 on the way to an integer. It is known of torchao's float8
# (pytorch/ao, issue 4713, open).
#
# optimum-quanto 0.2.7, torch 2.13.0, CPU, a layer with rows (1 2 ... 128) and zeros, its second result for ones:
#   qfloat8, qfloat8_e5m2: nan; qint8: 0
# Exits with another code than 0 where this has changed.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet optimum-quanto==0.2.7 torch==2.13.0 numpy==2.4.6
cd "$work"
"$work/venv/bin/python" - 2> "$work/log" <<'SCRIPT' || { cat "$work/log"; exit 1; }
import math

import optimum.quanto as quanto
import torch

for name in ("qfloat8", "qfloat8_e5m2", "qint8"):
    layer = torch.nn.Sequential(torch.nn.Linear(128, 2, bias=False))
    layer[0].weight.data = torch.stack((torch.arange(1.0, 129.0), torch.zeros(128)))
    quanto.quantize(layer, weights=getattr(quanto, name))
    quanto.freeze(layer)
    weights = layer[0].weight.dequantize()
    assert weights[0].isfinite().all()
    with torch.no_grad():
        result = layer(torch.ones(1, 128))[0, 1].item()
    print(name, "weights", weights[1, :2].tolist(), "result", result)
    assert math.isnan(result) if name.startswith("qfloat") else result == 0
SCRIPT
