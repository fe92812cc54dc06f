#!/usr/bin/env bash
# squareplus is (x + sqrt(x^2 + b)) / 2. JAX computes just that: from 1.9e19 on the square overflows and the result is
# infinite, with a gradient of a half instead of 1; and below zero the root and x cancel, so that what
# is left of -2000 is 2% too small, of -5000 22% too large, and of -10000 nothing, though a layer of such inputs still
# has gradients.
#
# jax 0.10.2, float32: squareplus of 2e19 inf with a gradient of 0.5; of -2000, -5000, -10000 4.88e-4, 2.44e-4, 0
# instead of 5e-4, 2e-4, 1e-4
# Exits with another code than 0 where this has changed.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet jax==0.10.2 numpy==2.4.6
"$work/venv/bin/python" - <<'SCRIPT'
import jax
import numpy as np

x = np.array([1.8e19, 2e19, -2000, -5000, -10000], np.float32)
y, slope = jax.vmap(jax.value_and_grad(jax.nn.squareplus))(x)
print("squareplus", y, "gradients", slope)
assert y[0] == x[0] and slope[0] == 1
assert np.isinf(y[1]) and slope[1] == 0.5
np.testing.assert_allclose(y[2:], [4.8828e-4, 2.4414e-4, 0], rtol=1e-4)
assert slope[4] > 0
SCRIPT
