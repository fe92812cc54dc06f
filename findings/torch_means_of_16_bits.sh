#!/usr/bin/env bash
# A mean of 16-bit numbers is their sum over their number, and neither need fit 16 bits: float16 ends at 65 504, and in
# bfloat16 256 + 1 is 256. PyTorch's mean, mse_loss and binary_cross_entropy on the CPU compute both in float32. Its
# cross_entropy and nll_loss do not: the mean of more than 65 504 losses in float16 is NaN, infinity over infinity, and
# of bfloat16 it is 1.7% off, since the sum is rounded to eight bits over and over. With reduction="none" and .mean()
# they are right. nanmean, kl_div with "batchmean", embedding_bag, scatter_reduce and segment_reduce have means of that
# kind, too.
#
# torch 2.13.0, 100 000 equal numbers:
#   cross_entropy of three equal logits, log 3 = 1.0986: NaN in float16, 1.117 in bfloat16; of probabilities: infinity
#   in float16; means of ones: nanmean and kl_div infinity, embedding_bag and scatter_reduce NaN in float16;
#   segment_reduce 0 in float16, 0.0026 in bfloat16
# Exits with another code than 0 where this has changed.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6
"$work/venv/bin/python" 2> "$work/log" - <<'SCRIPT' || { cat "$work/log"; exit 1; }
import math

import torch
from torch.nn import functional

ROWS = 100_000
zeros = torch.zeros(ROWS, dtype=torch.long)


def losses(dtype):
    logits = torch.zeros(ROWS, 3, dtype=dtype)
    separately = functional.cross_entropy(logits, zeros, reduction="none")
    return {
        "cross_entropy": functional.cross_entropy(logits, zeros),
        "nll_loss": functional.nll_loss(logits.log_softmax(1), zeros),
        "cross_entropy of probabilities": functional.cross_entropy(logits, logits.softmax(1)),
        "cross_entropy, none, and mean()": separately.mean(),
    }


def means(dtype):
    ones = torch.ones(ROWS, dtype=dtype)
    return {
        "mean": ones.mean(),
        "mse_loss": functional.mse_loss(ones, 0 * ones),
        "nanmean": ones.nanmean(),
        "kl_div": functional.kl_div(-ones[:, None], ones[:, None], reduction="batchmean"),
        "embedding_bag": functional.embedding_bag(zeros, ones[:1, None], zeros[:1], mode="mean").squeeze(),
        "scatter_reduce": ones[:1].scatter_reduce(0, zeros, ones, "mean", include_self=False)[0],
        "segment_reduce": torch.segment_reduce(ones, "mean", lengths=torch.tensor([ROWS]))[0],
    }


found = {}
for dtype in (torch.float32, torch.float16, torch.bfloat16):
    for name, value in (losses(dtype) | means(dtype)).items():
        found[dtype, name] = value.item()
        print(dtype, name, f"{value.item():.4g}")
log3 = math.log(3)
for name in losses(torch.float32):
    assert abs(found[torch.float32, name] - log3) < 1e-4
for name in means(torch.float32):
    assert abs(found[torch.float32, name] - 1) < 1e-4
for dtype in (torch.float16, torch.bfloat16):
    assert abs(found[dtype, "cross_entropy, none, and mean()"] - log3) < 0.004
    assert found[dtype, "mean"] == found[dtype, "mse_loss"] == 1
for name in ("cross_entropy", "nll_loss"):
    assert math.isnan(found[torch.float16, name])
    assert found[torch.bfloat16, name] > log3 + 0.015
for name in ("cross_entropy of probabilities", "nanmean", "kl_div"):
    assert found[torch.float16, name] == math.inf
for name in ("embedding_bag", "scatter_reduce"):
    assert math.isnan(found[torch.float16, name])
assert found[torch.float16, "segment_reduce"] == 0
assert found[torch.bfloat16, "segment_reduce"] < 0.01
SCRIPT
