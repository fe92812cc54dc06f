#!/usr/bin/env bash
# torch's soft_margin_loss is log(1 + e^(-x y)), which for a score of -100 of the class 1 is 100. It computes the
# exponential first: below -88.7 in float32 (-11.1 in float16) the loss is infinite and its gradient NaN, so that one
# row that is far on the wrong side makes every parameter NaN. softplus(-x * y), binary_cross_entropy_with_logits and
# multilabel_soft_margin_loss are the same function of such rows and right.
#
# torch 2.13.0: scores of -80, -100 and the class 1: 80, inf, with gradients -1, NaN; in float16 -12: inf, NaN
# Exits with another code than 0 where this has changed.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6
"$work/venv/bin/python" - <<'SCRIPT'
import torch
from torch.nn import functional


def of(loss, score, dtype):
    x = torch.tensor([[score]], dtype=dtype, requires_grad=True)
    y = loss(x, torch.ones_like(x))
    (grad,) = torch.autograd.grad(y, x)
    return y.item(), grad.item()


same = {
    "softplus(-x y)": lambda x, y: functional.softplus(-x * y).mean(),
    "binary_cross_entropy_with_logits": functional.binary_cross_entropy_with_logits,
    "multilabel_soft_margin_loss": functional.multilabel_soft_margin_loss,
}
for dtype, near, far in ((torch.float32, -80.0, -100.0), (torch.float64, -700.0, -800.0),
                         (torch.float16, -10.0, -12.0)):
    for name, loss in same.items():
        loss_near, loss_far = of(loss, near, dtype), of(loss, far, dtype)
        print(dtype, name, loss_near, loss_far)
        assert abs(loss_near[0] + near) < 0.01 and abs(loss_far[0] + far) < 0.01 and abs(loss_far[1] + 1) < 0.01
    (loss, grad), (loss_far, grad_far) = (of(functional.soft_margin_loss, score, dtype) for score in (near, far))
    print(dtype, "soft_margin_loss", (loss, grad), (loss_far, grad_far))
    assert abs(loss + near) < 0.01 and abs(grad + 1) < 0.01
    assert loss_far == float("inf") and grad_far != grad_far
SCRIPT
