#!/usr/bin/env bash
# Clipping the norm of float16 gradients: PyTorch and optax return the norm in float16, which ends at 65 504. The norm
# of 1000 gradients of 3000, each far from that end, is infinite, max_norm over infinity is 0, and all gradients are set
# to zero: the step is lost, without an error, just where gradients are large. optax's norm adds the squares in float16
# too, so that gradients of 256 are enough. In bfloat16 and float32 both keep the direction and a norm of 1.
#
# torch 2.13.0, optax 0.2.8, jax 0.10.2: 1000 gradients of 3000 clipped to a norm of 1, which should be 0.0316 each:
#   0 in float16, 0.0316 in bfloat16 and float32; optax also of 1000 gradients of 256
# Exits with another code than 0 where this has changed.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet torch==2.13.0 optax==0.2.8 jax==0.10.2 numpy==2.4.6
"$work/venv/bin/python" - <<'SCRIPT'
import jax.numpy as jnp
import optax
import torch

SIZE = 1000


def by_torch(value, dtype):
    parameter = torch.nn.Parameter(torch.zeros(SIZE, dtype=getattr(torch, dtype)))
    parameter.grad = torch.full_like(parameter, value)
    norm = torch.nn.utils.clip_grad_norm_([parameter], 1.0)
    return float(norm), float(parameter.grad[0])


def by_optax(value, dtype):
    gradients = jnp.full(SIZE, value, dtype)
    clipped, _ = optax.clip_by_global_norm(1.0).update(gradients, optax.EmptyState())
    return float(optax.global_norm(gradients)), float(clipped[0])


for name, clip, smallest_lost in (("torch", by_torch, 3000), ("optax", by_optax, 256)):
    for value in (8, 256, 3000):
        for dtype in ("float32", "bfloat16", "float16"):
            norm, gradient = clip(value, dtype)
            print(f"{name} {dtype}: gradients of {value}, norm {norm:.4g}, clipped {gradient:.4g}")
            if dtype == "float16" and value >= smallest_lost:
                assert norm == float("inf") and gradient == 0
            else:
                assert abs(norm / (value * SIZE**0.5) - 1) < 0.01 and abs(gradient * SIZE**0.5 - 1) < 0.01
SCRIPT
