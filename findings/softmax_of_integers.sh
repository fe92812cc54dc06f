#!/usr/bin/env bash
# An int8 tensor of quantised logits is a valid argument of jax.nn.softmax and scipy.special.softmax: the result is float32
# or float64. Both take the largest away before they convert, and integers wrap: -100 less 100 is 56 in int8. So the class
# that was the least likely has all the probability in JAX, without a warning. Of uint8 every class but the largest wraps,
# whatever the numbers are. SciPy's result there is NaN, with a warning of an overflow in exp. logsumexp of the same numbers
# is right in both, and so is JAX's softmax with where=. JAX's standardize and squareplus of int8 and log_sigmoid of uint8
# are wrong likewise. PyTorch refuses integers.
#
# jax 0.10.2, scipy 1.17.1, numpy 2.4.6, softmax in JAX and in SciPy:
#   int8 100, -100, 0: 4.8e-25 1 0, and 0 NaN 0 (right: 1 1.4e-87 3.7e-44)
#   uint8 1, 2, 3: NaN NaN 0 in both (right: 0.090 0.245 0.665)
#   log_softmax of the int8: -56 0 -156, and -inf throughout (right: 0 -200 -100)
#   JAX: squareplus of int8 100, -100: 52.2, -47.8 (right: 100.04, 0.04); standardize of int8 100, -100: 30.6, -30.6
# Exits with another code than 0 where this has changed.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet jax==0.10.2 jaxlib==0.10.2 scipy==1.17.1 numpy==2.4.6 ml_dtypes==0.6.0
JAX_PLATFORMS=cpu "$work/venv/bin/python" - <<'SCRIPT'
import warnings

import jax
import numpy as np
from scipy import special

warnings.simplefilter("ignore")
signed, unsigned = np.array([100, -100, 0], np.int8), np.array([1, 2, 3], np.uint8)
for x in (signed, unsigned):
    print(x.dtype, x)
    for function in (jax.nn.softmax, jax.nn.log_softmax, jax.nn.squareplus, jax.nn.standardize, jax.nn.log_sigmoid,
                     special.softmax, special.log_softmax):
        print("  ", function.__module__, function.__name__, function(x))
least = jax.nn.softmax(signed)
assert least[0] < 1e-20 and least[1] == 1
assert abs(jax.nn.logsumexp(signed) - 100) < 1e-4 and jax.nn.softmax(signed, where=np.ones(3, bool))[0] == 1
assert np.isnan(jax.nn.softmax(unsigned)[0]) and jax.nn.softmax(unsigned)[2] == 0
assert abs(jax.nn.squareplus(signed)[0] - 52.2) < 0.1 and abs(jax.nn.standardize(signed[:2])[0]) > 10
assert np.isnan(special.softmax(signed)[1]) and abs(special.logsumexp(signed) - 100) < 1e-9
assert np.isnan(special.softmax(unsigned)[0]) and special.softmax(unsigned)[2] == 0
SCRIPT
