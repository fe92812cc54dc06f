#!/usr/bin/env bash
# What gradient PyTorch gives where the input is NaN depends on the element's place: the loop over whole registers and the
# one over what is left ask different questions, and a NaN answers no to both. Of 33 NaNs in one tensor, the first 32
# have another gradient than the last. Elements whose gradient is a number hide the NaN from whatever looks for it.
# The forwards give NaN everywhere.
#
# torch 2.13.0 on x86-64, gradient of the first and of the last of 33 NaNs:
#   relu6, hardtanh, softshrink, hardshrink 0 and 1; hardswish, elu, celu NaN and 1; selu NaN and 1.05
# Exits with another code than 0 where this has changed.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6
"$work/venv/bin/python" - <<'SCRIPT'
import math

import torch

numbers = ("relu6", "hardtanh", "softshrink", "hardshrink")
for name in (*numbers, "hardswish", "elu", "celu", "selu"):
    function = getattr(torch.nn.functional, name)
    x = torch.full((33,), math.nan, requires_grad=True)
    y = function(x)
    y.sum().backward()
    first, last = x.grad[0].item(), x.grad[-1].item()
    print(name, "of NaN: gradients", first, "and", last)
    assert y.isnan().all()
    assert first == 0 if name in numbers else math.isnan(first)
    assert abs(last - (1.0507 if name == "selu" else 1)) < 1e-4
SCRIPT
