#!/usr/bin/env bash
# Adam's step is about the learning rate for every parameter, however small its gradient. Optimisers that keep their
# moments in few bits have one scale for a block of 128 or 256 parameters, and one parameter with a large gradient sets it. A
# gradient of a thousandth has a square of a millionth, which is less than the smallest number of the block. What is then
# kept in its place decides: with torchao's AdamWFp8 the steps grow, to nine learning rates after 100 of them; with its
# AdamW4bit and with bitsandbytes' AdamW8bit the parameters nearly stand still. torchao's AdamW8bit is right, but is like
# AdamWFp8 for a ten-thousandth. Other blocks and the large gradient itself have right steps, so nothing looks wrong.
#
# torchao 0.18.0, bitsandbytes 0.50.2, torch 2.13.0, CPU, 4096 parameters, one gradient 1 and all others 1e-3 (1e-4), the
# 100th step of the others in the block over the learning rate:
#   AdamW 1 (1); torchao's AdamW8bit 1.08 (8.8), AdamWFp8 9.5 (9.4), AdamW4bit 4e-4 (4e-5); bitsandbytes' 0.24 (0.018)
#   of parameters in other blocks: 1.0 in all
# Exits with another code than 0 where this has changed.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet torch==2.13.0 torchao==0.18.0 bitsandbytes==0.50.2 numpy==2.4.6
TORCHDYNAMO_DISABLE=1 "$work/venv/bin/python" - <<'SCRIPT'
import logging
import warnings

logging.disable()
warnings.simplefilter("ignore")
import bitsandbytes
import torch
import torchao.optim

rate = 0.001
seen = {}
for optimiser in (torch.optim.AdamW, torchao.optim.AdamW8bit, torchao.optim.AdamWFp8, torchao.optim.AdamW4bit,
                  bitsandbytes.optim.AdamW8bit):
    name = f"{optimiser.__module__.split('.')[0]} {optimiser.__name__}"
    for small in (1e-3, 1e-4):
        weight = torch.nn.Parameter(torch.zeros(64, 64))
        steps = optimiser([weight], lr=rate, weight_decay=0.0)
        for _ in range(100):
            weight.grad = torch.full((64, 64), small)
            weight.grad[0, 0] = 1
            before = weight.detach().clone()
            steps.step()
        step = (before - weight.detach()) / rate
        seen[name, small] = step[0, 1].item()
        print(name, small, *[f"{step[place].item():.3g}" for place in ((0, 0), (0, 1), (32, 0))])
        assert abs(step[0, 0] - 1) < 0.01 and abs(step[32, 0] - 1) < 0.01
assert all(abs(seen["torch AdamW", small] - 1) < 0.01 for small in (1e-3, 1e-4))
assert abs(seen["torchao AdamW8bit", 1e-3] - 1) < 0.2 and seen["torchao AdamW8bit", 1e-4] > 5
assert all(seen["torchao AdamWFp8", small] > 5 for small in (1e-3, 1e-4))
assert all(0 < seen["torchao AdamW4bit", small] < 0.01 for small in (1e-3, 1e-4))
assert seen["bitsandbytes AdamW8bit", 1e-3] < 0.5 and seen["bitsandbytes AdamW8bit", 1e-4] < 0.1
SCRIPT
