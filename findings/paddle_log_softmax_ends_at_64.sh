#!/usr/bin/env bash
# Paddle's softmax on the CPU takes no logit for smaller than the largest less 64. log_softmax is never below -64 then, and
# a class that is masked with minus infinity keeps a probability of 1.6e-28: what stands in its place, such as padding that
# was never set, comes through where it is large. The loss of an example that is wrong by more than 64 stays at 64. It is
# so in float64 too. Where the threshold comes from is not said (PaddlePaddle/Paddle, pull request 9686).
#
# paddlepaddle 3.3.1, CPU, float32 and float64:
#   log_softmax of 1000 and 0: 0 -64 (right: 0 -1000); softmax of 0 and -inf: 1 1.6e-28 (1 0); that times (1 1e30): 161.38
#   cross_entropy of (1000 0), class 1: 64 (1000), its gradient 1 -1
# Exits with another code than 0 where this has changed.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet paddlepaddle==3.3.1 setuptools==84.2.1 numpy==2.4.6
"$work/venv/bin/python" - 2> "$work/log" <<'SCRIPT' || { cat "$work/log"; exit 1; }
import math

import paddle
from paddle.nn import functional as F

paddle.set_device("cpu")
for dtype in ("float32", "float64"):
    wrong = paddle.to_tensor([[1000.0, 0.0]], dtype, stop_gradient=False)
    masked = F.softmax(paddle.to_tensor([[0.0, -math.inf]], dtype))
    through = (masked @ paddle.to_tensor([[1.0], [1e30]], dtype)).item()
    loss = F.cross_entropy(wrong, paddle.to_tensor([1]))
    loss.backward()
    logarithms = F.log_softmax(wrong).tolist()
    print(dtype, "log_softmax of 1000 0", logarithms, "softmax of 0 -inf", masked.tolist(), "times 1 1e30", through)
    print("cross_entropy of class 1", loss.item(), "gradient", wrong.grad.tolist())
    assert logarithms == [[0, -64]] and loss.item() == 64
    assert abs(masked[0, 1].item() / math.exp(-64) - 1) < 1e-5 and 161 < through < 162
SCRIPT
