#!/usr/bin/env bash
# A query whose keys are all masked, such as one in a row of padding, has nothing to attend to. jax.nn's attention adds
# the most negative number to what is masked, so all its keys weigh the same: the result is the mean of the values that
# the mask forbids, and they get gradients. It is so with key_value_seq_lengths of 0 too. PyTorch's
# scaled_dot_product_attention gives zeros, its MultiheadAttention NaN.
#
# jax 0.10.2, torch 2.13.0, values (1 2) and (3 4), both masked: JAX (2 3), scaled_dot_product_attention (0 0),
# MultiheadAttention (NaN NaN)
# Exits with another code than 0 where this has changed.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet jax==0.10.2 torch==2.13.0 numpy==2.4.6
"$work/venv/bin/python" - <<'SCRIPT'
import jax
import numpy as np
import torch

query, keys = np.ones((1, 1, 1, 2), np.float32), np.ones((1, 2, 1, 2), np.float32)
values = np.array([1, 2, 3, 4], np.float32).reshape(1, 2, 1, 2)
mask = np.zeros((1, 1, 1, 2), bool)


def by_jax(values):
    return jax.nn.dot_product_attention(query, keys, values, mask=mask)


by_length = jax.nn.dot_product_attention(query, keys, values, key_value_seq_lengths=np.zeros(1, np.int32))
gradients = jax.grad(lambda values: by_jax(values).sum())(values)
q, k, v = (torch.from_numpy(each).transpose(1, 2) for each in (query, keys, values))
by_torch = torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=torch.from_numpy(mask))
layer = torch.nn.MultiheadAttention(2, 1, batch_first=True).eval()
with torch.no_grad():
    by_layer = layer(q[0], k[0], v[0], key_padding_mask=torch.ones(1, 2, dtype=torch.bool))[0]
print("JAX", by_jax(values).ravel(), "by length", by_length.ravel(), "gradients of values", gradients.ravel())
print("PyTorch", by_torch.ravel(), "MultiheadAttention", by_layer.ravel())
np.testing.assert_allclose(by_jax(values).ravel(), [2, 3])
np.testing.assert_allclose(by_length.ravel(), [2, 3])
np.testing.assert_allclose(gradients.ravel(), [0.5] * 4)
assert (by_torch == 0).all() and by_layer.isnan().all()
SCRIPT
