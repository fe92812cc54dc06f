#!/usr/bin/env bash
# A target of ignore_index takes a row out of cross_entropy, and the loss is right whatever its logits are. Its gradient is
# not taken out where the logits are NaN or all minus infinity, as in a row of padding whose classes are masked: log_softmax
# multiplies a gradient of 0 by NaN. The loss is a number, and every weight that the logits came from becomes NaN. It is
# known for minus infinities (pytorch/pytorch, issue 11551, open).
#
# torch 2.13.0, rows (1 2), (NaN 0), (-inf -inf), targets 1, -100, -100:
#   loss 0.3133; gradients 0.269 -0.269, NaN NaN, NaN NaN
# Exits with another code than 0 where this has changed.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6
"$work/venv/bin/python" - <<'SCRIPT'
import math

import torch

inf = math.inf
logits = torch.tensor([[1, 2], [math.nan, 0], [-inf, -inf]], requires_grad=True)
loss = torch.nn.functional.cross_entropy(logits, torch.tensor([1, -100, -100]))
loss.backward()
print("loss", loss.item(), "gradients", logits.grad.tolist())
assert abs(loss.item() - math.log1p(math.exp(-1))) < 1e-6
assert abs(logits.grad[0, 0].item() - 1 / (1 + math.e)) < 1e-6 and logits.grad[1:].isnan().all()
SCRIPT
