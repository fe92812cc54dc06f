#!/usr/bin/env bash
# jax.random makes every distribution of a uniform number, and that has as many bits as the dtype's mantissa: 7 in bfloat16,
# 10 in float16. So normal, exponential and gumbel have 128 different values in bfloat16, no normal number is beyond 3
# deviations, and the logistic distribution has four times its deviation. categorical of bfloat16 logits adds such a gumbel
# to each and takes the first of the largest: of many equal classes the first are drawn, and the last hardly ever. Noise of
# an evolution strategy, and tokens that are sampled from a model's bfloat16 logits, are concerned. PyTorch's
# bfloat16 normal numbers have their tails. Drawn in float32 and converted, or with mode="high", both are right. That
# the uniform numbers are coarse is known (jax-ml/jax, pull request 26974, open; issue 30879 of categorical, closed).
#
# jax 0.10.2, numpy 2.4.6, key 0:
#   4 000 000 normal numbers of bfloat16: 128 values from -2.89 to 2.52, float16: 1024 from -3.49 to 3.18, float32: -4.8 to 5.2
#   deviation of the logistic distribution: 7.9, 1.82 and 1.81 (right: 1.814); bernoulli of 0.001: 0.0078, 0.0019, 0.0010
#   2000 draws of 1000 equal classes: the mean class is 132, 409 and 490 (right: 499.5), with mode="high" 496, 500 and 509
# Exits with another code than 0 where this has changed.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet jax==0.10.2 jaxlib==0.10.2 numpy==2.4.6 ml_dtypes==0.6.0
JAX_PLATFORMS=cpu "$work/venv/bin/python" - <<'SCRIPT'
import jax
import jax.numpy as jnp
import numpy as np

key = jax.random.key(0)
seen = {}
for name in ("bfloat16", "float16", "float32"):
    normal = np.asarray(jax.random.normal(key, 4_000_000, name)).astype(np.float64)
    logistic = np.asarray(jax.random.logistic(key, 4_000_000, name)).astype(np.float64)
    rare = np.asarray(jax.random.bernoulli(key, jnp.asarray(0.001, name), 4_000_000))
    equal = jnp.zeros((2000, 1000), name)
    drawn, drawn_high = (np.asarray(jax.random.categorical(key, equal, mode=mode)) for mode in ("low", "high"))
    seen[name] = (len(np.unique(normal)), normal.min(), normal.max(), logistic.std(), rare.mean(), drawn.mean(),
                  drawn_high.mean())
    print(name, *[f"{number:.4g}" for number in seen[name]])
assert seen["bfloat16"][0] == 128 and seen["float16"][0] == 1024 and seen["float32"][0] > 1_000_000
assert -3 < seen["bfloat16"][1] and seen["bfloat16"][2] < 3 and seen["float16"][2] < 4 < seen["float32"][2]
assert seen["bfloat16"][3] > 5 and abs(seen["float32"][3] - 1.814) < 0.01
assert abs(seen["bfloat16"][4] - 1 / 128) < 0.001 and abs(seen["float32"][4] - 0.001) < 0.0001
assert seen["bfloat16"][5] < 200 and seen["float16"][5] < 450
assert all(abs(seen[name][6] - 499.5) < 20 for name in seen) and abs(seen["float32"][5] - 499.5) < 20
SCRIPT
