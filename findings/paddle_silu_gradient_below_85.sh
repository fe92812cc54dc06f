#!/usr/bin/env bash
# silu is x * sigmoid(x); far below zero it and its gradient are next to nothing. Paddle's gradient on the CPU multiplies x
# by exp(-x), which is beyond float32 from -85 down: minus infinity there, and NaN from -89 on, while the result is -0. swish
# is the same function there, with a gradient that is right. One such activation makes all weights NaN. It is known for
# float64, where it begins at -705 (PaddlePaddle/Paddle, issue 79630, open).
#
# paddlepaddle 3.3.1, CPU, float32, gradients at -84, -85, -88, -89, -100:
#   silu: -2.74e-35 -inf -inf nan nan; swish: -2.74e-35 -1.02e-35 -5.27e-37 0 0
# float64 at -700 -705 -710: -6.9e-302 -inf nan
# Exits with another code than 0 where this has changed.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet paddlepaddle==3.3.1 setuptools==84.2.1 numpy==2.4.6
"$work/venv/bin/python" - 2> "$work/log" <<'SCRIPT' || { cat "$work/log"; exit 1; }
import numpy as np
import paddle
from paddle.nn import functional as F

paddle.set_device("cpu")
points = np.array([-84, -85, -88, -89, -100])
right = np.exp(points.astype(float)) * (1.0 + points)


def gradients(function, dtype, points):
    x = paddle.to_tensor(points, dtype, stop_gradient=False)
    y = function(x)
    y.sum().backward()
    assert np.isfinite(y.numpy()).all()
    print(function.__name__, dtype, "at", points, x.grad.numpy())
    return x.grad.numpy()


print("right:", right)
silu, swish = (gradients(function, "float32", points) for function in (F.silu, F.swish))
np.testing.assert_allclose(swish, right, rtol=1e-5, atol=1e-36)
np.testing.assert_array_equal(silu[1:], [-np.inf, -np.inf, np.nan, np.nan])
np.testing.assert_allclose(silu[0], right[0], rtol=1e-5)
wide = gradients(F.silu, "float64", np.array([-700, -705, -710]))
np.testing.assert_array_equal(wide[1:], [-np.inf, np.nan])
SCRIPT
