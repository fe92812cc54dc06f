#!/usr/bin/env bash
# A channel whose numbers are all the same has no deviation, and its batch norm is 0 (plus the bias). PyTorch multiplies
# the numbers by 1 / sqrt(eps) and takes mean / sqrt(eps) away, each rounded to float32: of a channel of 100 000 it makes
# 0.73, of a million 8.7, more than any standardised number is. So instance norm, which is computed by it, and channels
# with a small deviation around a large mean. Its layer norm and group norm of the same numbers are 0.
#
# torch 2.13.0, the largest result for a channel of 1 000, 100 000 and 1 000 000:
#   batch_norm and instance_norm 0.00269, 0.731, 8.69; group_norm and layer_norm 0, 0, 0
# Exits with another code than 0 where this has changed.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6
"$work/venv/bin/python" - <<'SCRIPT'
import torch
import torch.nn.functional as F

for value, expected in ((1e3, 0.00269), (1e5, 0.731), (1e6, 8.69)):
    channel = torch.full((1, 1, 64), value)
    batch, instance, group, layer = (each.abs().max().item() for each in (
        F.batch_norm(channel, None, None, training=True), F.instance_norm(channel),
        F.group_norm(channel, 1), F.layer_norm(channel, (64,))))
    print(f"of {value:g}: batch_norm {batch:.3g}, instance_norm {instance:.3g}, group_norm {group}, layer_norm {layer}")
    assert abs(batch / expected - 1) < 0.01 and instance == batch
    assert group == layer == 0
SCRIPT
