#!/usr/bin/env bash
# Adam divides by the root of a mean of squared gradients, which forgets: each step takes a thousandth of it away
# (beta2=0.999). In bfloat16 a number less a thousandth of it is the same number again; in optax beta2 itself becomes
# bfloat16, which has no 0.999 but 1. So the mean only ever rises. Where gradients fall, as they do after the first steps,
# the steps stay as small as the largest gradients made them, for good. optax has mu_dtype for the first moment, and
# nothing for this one.
#
# torch 2.13.0, optax 0.2.8 with jax 0.10.2: 100 gradients of 1, then 20 000 of 0.001, learning rate 0.001
#   the mean of squares: 1e-06 in float32, and in bfloat16 0.098, as it was after the first 100
#   the next step: 0.001 in float32, and 3.3e-06 in bfloat16
# Exits with another code than 0 where this has changed.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 optax==0.2.8 jax==0.10.2 numpy==2.4.6
"$work/venv/bin/python" - <<'SCRIPT'
import jax
import jax.numpy as jnp
import optax
import torch

jax.config.update("jax_platforms", "cpu")
FIRST, LATER = 100, 20_000


def of_torch(dtype):
    weight = torch.zeros(1, dtype=getattr(torch, dtype))
    optimizer = torch.optim.Adam([weight], lr=1e-3)
    means = []
    for gradient, steps in ((1.0, FIRST), (1e-3, LATER)):
        for _ in range(steps):
            weight.zero_()  # so that it is the last step alone
            weight.grad = torch.full_like(weight, gradient)
            optimizer.step()
        means.append(optimizer.state[weight]["exp_avg_sq"].item())
    return *means, -weight.item()


def of_optax(dtype):
    weight = jnp.zeros(1, dtype)
    adam = optax.adam(1e-3)

    def steps(state, gradient, count):
        def one(_, carried):
            return adam.update(jnp.full_like(weight, gradient), carried[1])

        return jax.lax.fori_loop(0, count, one, (weight, state))

    _, state = steps(adam.init(weight), 1.0, FIRST)
    first = state[0].nu.item()
    last, state = steps(state, 1e-3, LATER)
    return first, state[0].nu.item(), -last.item()


for library, run in (("torch", of_torch), ("optax", of_optax)):
    for dtype in ("float32", "bfloat16"):
        first, mean, step = run(dtype)
        print(f"{library}, {dtype}: mean of squares {first:.3g}, then {mean:.3g}; next step {step:.3g}")
        if dtype == "float32":
            assert 0.9e-6 < mean < 1.1e-6 and 0.99e-3 < step < 1.01e-3
        else:
            assert mean == first > 0.09 and 3e-6 < step < 3.4e-6
SCRIPT
