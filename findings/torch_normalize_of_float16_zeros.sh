#!/usr/bin/env bash
# torch.nn.functional.normalize divides by max(norm, eps) with eps=1e-12 "to avoid division by zero". In float16 that
# eps is itself 0, so the vector of zeros becomes NaN; the same vector is zeros in float32 and in bfloat16, which has
# 1e-12. cosine_similarity, whose eps is 1e-8, is NaN as well; layer_norm and rms_norm compute in float32 and are not
# concerned.
#
# torch 2.13.0, zeros of float16: normalize nan, cosine_similarity nan; of bfloat16 and float32: 0 and 0
# Exits with another code than 0 where this has changed.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6
"$work/venv/bin/python" - <<'SCRIPT'
import torch
from torch.nn import functional

for dtype in (torch.float16, torch.bfloat16, torch.float32):
    x = torch.zeros(1, 4, dtype=dtype)
    found = functional.normalize(x), functional.cosine_similarity(x, x), functional.rms_norm(x, (4,), eps=1e-12)
    print(dtype, *found)
    assert all(each.isnan().all() if dtype == torch.float16 else (each == 0).all() for each in found[:2])
    assert (found[2] == 0).all()
SCRIPT
