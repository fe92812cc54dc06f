#!/usr/bin/env bash
# A row of float16 logits with more classes than 65 504, the largest number of float16, such as the vocabulary of a
# language model, which at first are about equally likely: PyTorch's softmax on the CPU is right, but its log_softmax,
# logsumexp and cross_entropy hold the sum of exponentials in float16 and give infinities. jax.nn and scipy.special
# lose softmax as well, which is all zeros. In bfloat16 PyTorch and JAX are right; for SciPy see
# ml_dtypes_bfloat16_sums_stop_at_256.
#
# torch 2.13.0, jax 0.10.2, scipy 1.17.1, 70 000 zeros of float16 (right: 1.43e-05, -11.16, 11.16):
#   torch: softmax 1.43e-05, log_softmax -inf, logsumexp inf, cross_entropy inf
#   jax.nn and scipy.special: softmax 0, log_softmax -inf, logsumexp inf
# Exits with another code than 0 where this has changed.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet torch==2.13.0 jax==0.10.2 scipy==1.17.1 numpy==2.4.6
"$work/venv/bin/python" - <<'SCRIPT'
import jax
import jax.numpy as jnp
import numpy as np
import scipy.special
import torch

size, inf = 70_000, float("inf")
x = torch.zeros(size, dtype=torch.float16)
found = {"torch": [torch.softmax(x, 0)[0], torch.log_softmax(x, 0)[0], torch.logsumexp(x, 0)]}
x = jnp.zeros(size, jnp.float16)
found["jax"] = [jax.nn.softmax(x)[0], jax.nn.log_softmax(x)[0], jax.nn.logsumexp(x)]
x = np.zeros(size, np.float16)
with np.errstate(all="ignore"):
    found["scipy"] = [scipy.special.softmax(x)[0], scipy.special.log_softmax(x)[0], scipy.special.logsumexp(x)]
for name, values in found.items():
    values = [float(each) for each in values]
    print(name, "softmax, log_softmax, logsumexp:", *values)
    assert values[1:] == [-inf, inf]
    assert abs(values[0] * size - 1) < 0.01 if name == "torch" else values[0] == 0
logits = torch.zeros(1, size)
losses = [torch.nn.functional.cross_entropy(logits.to(dtype), torch.tensor([0])).item()
          for dtype in (torch.float16, torch.bfloat16, torch.float32)]
print("torch's cross_entropy in float16, bfloat16, float32:", losses)
assert losses[0] == inf and abs(losses[1] - 11.16) < 0.1 and abs(losses[2] - 11.156) < 1e-3
SCRIPT
