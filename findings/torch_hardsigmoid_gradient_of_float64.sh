#!/usr/bin/env bash
# The slope of hardsigmoid is a sixth. PyTorch's gradient of float64 is a sixth rounded to float32: of 53 bits the first
# 25 are right. gradcheck at tolerances that suit float64 fails, though the forward has all digits, and so has the
# gradient of hardswish, which is made of the same sixth.
#
# torch 2.13.0, at 0.5, float64: hardsigmoid 0.1666666716337204, hardswish 0.6666666666666666
# Exits with another code than 0 where this has changed.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6
"$work/venv/bin/python" - <<'SCRIPT'
import numpy as np
import torch
from torch.nn import functional

x = torch.full((9,), 0.5, dtype=torch.float64, requires_grad=True)
(of_hardsigmoid,) = torch.autograd.grad(functional.hardsigmoid(x).sum(), x)
(of_hardswish,) = torch.autograd.grad(functional.hardswish(x).sum(), x)
checked = torch.autograd.gradcheck(functional.hardsigmoid, x, eps=1e-4, atol=1e-10, rtol=0, raise_exception=False)
print("hardsigmoid", of_hardsigmoid[0].item(), "gradcheck", checked, "hardswish", of_hardswish[0].item())
assert (of_hardsigmoid == float(np.float32(1 / 6))).all() and not checked
assert (functional.hardsigmoid(x) == 0.5 / 6 + 0.5).all()
assert torch.allclose(of_hardswish, torch.full_like(x, 2 / 3), rtol=1e-15, atol=0)
SCRIPT
