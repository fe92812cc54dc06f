#!/usr/bin/env bash
# torch.bernoulli of a tensor of probabilities compares each with a uniform float32 of 24 bits, of any dtype but
# float64. One in 2^24 of those is 0, which is below every probability: whatever is above 0, if only 1e-30, happens with
# a probability of 6e-8 at least. Rare mutations or flips of bits, of 1e-9 say, are 60 times as frequent as was asked. A
# probability that is a number (x.bernoulli_(1e-9), dropout) is drawn otherwise, and right; so are float64 tensors.
#
# torch 2.13.0, 3e8 draws each, seed 0: torch.bernoulli of float32 1e-9 some 18 times, where 0.3 are expected, and of
# 1e-30 too; bernoulli_(1e-9) and float64: 0 or 1
# Exits with another code than 0 where this has changed.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6
"$work/venv/bin/python" - <<'SCRIPT'
import torch

SIZE, TIMES = 10**7, 30


def count(draw):
    torch.manual_seed(0)
    return sum(int(draw().sum()) for _ in range(TIMES))


found = {}
for p in (1e-9, 1e-30):
    for dtype in (torch.float32, torch.bfloat16, torch.float64):
        probabilities = torch.full((SIZE,), p, dtype=dtype)
        found[p, dtype] = count(lambda: torch.bernoulli(probabilities))
    numbers = torch.empty(SIZE)
    found[p, "number"] = count(lambda: numbers.bernoulli_(p))
    print(p, "of", SIZE * TIMES, {str(kind): n for (of, kind), n in found.items() if of == p})
    assert found[p, torch.float32] > 7 and found[p, torch.bfloat16] > 7  # 18 on average
    assert found[p, torch.float64] < 4 and found[p, "number"] < 4  # 0.3 on average, or none
SCRIPT
