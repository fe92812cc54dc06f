#!/usr/bin/env bash
# The gradient of ELU above zero is 1. MLX writes elu as where(x > 0, x, alpha * (exp(x) - 1)), and the gradient of the
# branch that is not taken is 0 times exp(x): NaN where exp is infinite, from 88.73 on in float32 and from 11.1 on in
# float16, which activations reach. selu is elu times a number. celu clips what it gives to exp, and is right. The results
# themselves are right, so the loss is a number while the weights become NaN.
#
# mlx 0.32.4 (CPU), gradients of 11 and 12 in float16, 88 and 89 in float32:
#   elu: 1 nan, 1 nan; selu: 1.05 nan, 1.05 nan; celu: 1 1, 1 1
# Exits with another code than 0 where this has changed.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet "mlx[cpu]==0.32.4" numpy==2.4.6
"$work/venv/bin/python" - <<'SCRIPT'
import mlx.core as mx
import numpy as np
from mlx import nn

for name, slope in (("elu", 1), ("selu", 1.0507), ("celu", 1)):
    function = getattr(nn, name)
    for dtype, x in ((mx.float16, [11, 12]), (mx.float32, [88, 89])):
        given = mx.array(x).astype(dtype)
        gradient = np.array(mx.grad(lambda x: function(x).sum())(given)).astype(float)
        print(name, dtype, x, "result", np.array(function(given)), "gradient", gradient)
        np.testing.assert_allclose(np.array(function(given)), np.array(x) * slope, rtol=1e-3)
        np.testing.assert_allclose(gradient, [slope, slope if name == "celu" else np.nan], rtol=1e-3)
SCRIPT
