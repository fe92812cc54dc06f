#!/usr/bin/env bash
# PyTorch's layer_norm on the CPU adds the gradients of weight and bias in the dtype of the input, a row at a time: those
# of bfloat16 stop growing at 256 rows, since 256 + 1 is 256 in eight bits, and those of float16 at 2048. Each thread has
# such a sum, so that two threads reach twice as much, and float32 parameters (as under autocast) change nothing.
# group_norm, batch_norm, rms_norm, and linear's bias add in float32.
#
# torch 2.13.0, 32768 rows whose gradient is 1, bfloat16: the gradient of the bias is 256 on one thread and 512 on two;
# that of the weight, for the output itself as gradient, is 3968 where float32 gives 32790 (random numbers).
# Exits with another code than 0 where this has changed.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6
"$work/venv/bin/python" - <<'SCRIPT'
import torch
from torch.nn import functional

ROWS = 32768


def gradients(dtype, of_parameters, norm):
    x = torch.randn(ROWS, 64, generator=torch.Generator().manual_seed(0)).to(dtype)
    weight, bias = (torch.full((64,), value, dtype=of_parameters, requires_grad=True) for value in (1.0, 0.0))
    y = norm(x, weight, bias)
    (of_weight,) = torch.autograd.grad(y, weight, y.detach(), retain_graph=True)
    (of_bias,) = torch.autograd.grad(y, bias, torch.ones_like(y))
    return of_weight[0].item(), of_bias[0].item()


def layer_norm(x, weight, bias):
    return functional.layer_norm(x, (64,), weight, bias)


def group_norm(x, weight, bias):
    return functional.group_norm(x, 1, weight, bias)


for threads in 1, 2:
    torch.set_num_threads(threads)
    for dtype, least_lost in (torch.bfloat16, 256 * threads), (torch.float16, 2048 * threads), (torch.float32, ROWS):
        for of_parameters in {dtype, torch.float32}:
            of_weight, of_bias = gradients(dtype, of_parameters, layer_norm)
            print(threads, "threads", dtype, "parameters of", of_parameters, "weight", of_weight, "bias", of_bias)
            assert of_bias == least_lost
            assert (of_weight > 0.97 * ROWS) == (dtype is torch.float32)
    assert gradients(torch.bfloat16, torch.bfloat16, group_norm)[1] == ROWS
SCRIPT
