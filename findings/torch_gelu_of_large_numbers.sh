#!/usr/bin/env bash
# gelu of a large number is that number. PyTorch's float32 gelu doubles it on the way: of 2e38 it is infinite, and of
# infinity NaN, in tensors of several elements; of one alone both are right, and so they are in float64. With
# approximate="tanh" the value is right, but the gradient is NaN from 1.9e19 on, where the square of x overflows, in JAX
# from 1.1e19 on, where three times the square does; and as far below zero too, where it is 0.
#
# torch 2.13.0 and jax 0.10.2 on x86-64: gelu of 2e38 inf (in a tensor of one element 2e38), of inf NaN (inf);
# gradient of gelu by tanh at 2e19 and -2e19 NaN and NaN, in both
# Exits with another code than 0 where this has changed.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet torch==2.13.0 jax==0.10.2 numpy==2.4.6
"$work/venv/bin/python" - <<'SCRIPT'
import math

import jax
import torch
from torch.nn import functional

large, infinite = (functional.gelu(torch.tensor([value])) for value in (2e38, math.inf))
several, wide = (functional.gelu(torch.tensor([2e38, math.inf] * 20, dtype=dtype))
                 for dtype in (torch.float32, torch.float64))
print("gelu of 2e38 alone", large, "of infinity", infinite, "of both, twenty times", several[:2], "in float64", wide[:2])
assert large.item() == torch.tensor(2e38).item() and infinite.item() == math.inf
assert several[0::2].isinf().all() and several[1::2].isnan().all()
assert (wide == torch.tensor([2e38, math.inf] * 20, dtype=torch.float64)).all()

x = torch.tensor([1.8e19, 2e19, -2e19], requires_grad=True)
y = functional.gelu(x, approximate="tanh")
(by_torch,) = torch.autograd.grad(y.sum(), x)
by_jax = [jax.grad(jax.nn.gelu)(each).item() for each in (1e19, 2e19, -2e19, 1.1e19)]  # whose gelu is by tanh
print("gelu by tanh", y.tolist(), "gradients", by_torch.tolist(), "of JAX", by_jax)
assert y.tolist() == [x[0].item(), x[1].item(), 0]
for found in (by_torch.tolist(), by_jax):
    assert found[0] == 1 and all(map(math.isnan, found[1:]))
SCRIPT
