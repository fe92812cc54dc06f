#!/usr/bin/env bash
# Near 0 erf(x) is 1.128 x. PyTorch computes that of bfloat16 and float16 on the CPU, with AVX2 or AVX-512, by a formula
# whose error is 1e-7 of the largest result, 1, rather than of the result itself. So bfloat16, whose numbers go down to
# 1e-38, has no correct digit below 1e-7, where erf is 0; at 3e-7 it is 23% off, and float16 as well. float32, float64,
# and all dtypes at ATEN_CPU_CAPABILITY=default are right.
#
# torch 2.13.0, erf(x) / erf(x) of float64: at 1e-5 1.02, at 3e-7 1.23, at 1e-7 and below 0, of bfloat16 (float16
# likewise)
# Exits with another code than 0 where this has changed.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6
cat > "$work/ratios.py" <<'SCRIPT'
import torch

level = torch.backends.cpu.get_cpu_capability()
for dtype in (torch.float32, torch.bfloat16, torch.float16):
    x = torch.tensor([1e-3, 1e-5, 3e-7, 1e-7], dtype=dtype)
    ratios = (torch.erf(x).double() / torch.erf(x.double())).tolist()
    print(level, dtype, *[f"{ratio:.3f}" for ratio in ratios])
    if level == "DEFAULT" or dtype is torch.float32:
        # the last numbers of float16 are subnormal, with few bits
        assert all(abs(ratio - 1) < (0.005 if dtype is not torch.float16 else 0.3) for ratio in ratios)
    else:
        assert abs(ratios[0] - 1) < 0.005 < abs(ratios[1] - 1) < 0.05
        assert 1.2 < ratios[2] < 1.3 and ratios[3] == 0
SCRIPT
ATEN_CPU_CAPABILITY=default "$work/venv/bin/python" "$work/ratios.py"
"$work/venv/bin/python" "$work/ratios.py"
