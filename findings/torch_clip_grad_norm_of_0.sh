#!/usr/bin/env bash
# torch.nn.utils.clip_grad_norm_ takes the norm of the gradients' norms. That is the norm of all their elements for
# every norm_type but 0, where it counts the gradients that are not all zero, not the elements that are not zero: clipping
# to max_norm then divides by the number of tensors.
#
# torch 2.13.0, gradients (1, 2, 3, 0), (1, 1, 1, 1) and (0, 0, 0, 0):
#   norm_type=0 returns 2; torch.linalg.vector_norm of the same twelve numbers with ord=0 is 7
#   norm_type=2, 0.5 and inf return what vector_norm returns: 4.243, 66.36 and 3
# Exits with another code than 0 where this has changed.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6
"$work/venv/bin/python" - <<'SCRIPT'
import torch

gradients = torch.tensor([[1.0, 2, 3, 0], [1, 1, 1, 1], [0, 0, 0, 0]])
parameters = [torch.nn.Parameter(torch.zeros(4)) for _ in gradients]
for parameter, gradient in zip(parameters, gradients):
    parameter.grad = gradient.clone()
found, whole = {}, {}
for norm_type in (0.0, 2.0, 0.5, float("inf")):
    found[norm_type] = float(torch.nn.utils.clip_grad_norm_(parameters, 1e9, norm_type=norm_type))
    whole[norm_type] = float(torch.linalg.vector_norm(gradients, norm_type))
    print(f"norm_type={norm_type:g}: {found[norm_type]:g}, of all elements: {whole[norm_type]:g}")
assert found[0.0] == 2 and whole[0.0] == 7
assert all(abs(found[key] / whole[key] - 1) < 1e-6 for key in (2.0, 0.5, float("inf")))
SCRIPT
