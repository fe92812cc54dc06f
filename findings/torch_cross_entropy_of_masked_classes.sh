#!/usr/bin/env bash
# A class that is ruled out has the logit minus infinity. Given the class as a number, PyTorch's cross_entropy is
# right. Given the same class as its one-hot probabilities, as mixup and distillation give it, the loss is NaN: the
# zero of the class that is ruled out is multiplied by the logarithm of its probability, 0 times minus infinity, which
# torch.xlogy and scipy.special.rel_entr take for 0. The gradient is right in both, so training goes on while its log
# says NaN.
#
# torch 2.13.0, logits (-inf, 0, 0), class 1: loss 0.693, gradient 0 -0.5 0.5
#   as probabilities (0, 1, 0): loss nan, gradient 0 -0.5 0.5
# Exits with another code than 0 where this has changed.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6
"$work/venv/bin/python" - <<'SCRIPT'
import torch

for target in (torch.tensor([1]), torch.tensor([[0.0, 1.0, 0.0]])):
    logits = torch.tensor([[-float("inf"), 0.0, 0.0]], requires_grad=True)
    loss = torch.nn.functional.cross_entropy(logits, target)
    loss.backward()
    print("target", target.tolist(), "loss", loss.item(), "gradient", logits.grad.tolist())
    assert loss.isnan() if target.ndim == 2 else abs(loss.item() - 0.6931472) < 1e-6
    assert logits.grad.tolist() == [[0, -0.5, 0.5]]
SCRIPT
