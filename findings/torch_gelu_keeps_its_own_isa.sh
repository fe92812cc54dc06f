#!/usr/bin/env bash
# PyTorch held to a lower instruction set by ATEN_CPU_CAPABILITY still computes gelu, its gradient too, in float32 with the
# widest registers of the processor: they are oneDNN's, which reads ONEDNN_MAX_CPU_ISA only. get_cpu_capability() says
# what was asked for. Of nine activations gelu alone is computed there, and not in float64; so a comparison "at AVX2" on a
# processor with AVX-512 sets one function beside the wrong peer.
#
# torch 2.13.0 with ATEN_CPU_CAPABILITY=default (SSE): gelu of float32 forward and backward by jit:avx512_core_bf16 on a
# processor that has it (jit:avx2 where it has no more), with ONEDNN_MAX_CPU_ISA=SSE41 by jit:sse41; gelu of float64, and
# elu, hardswish, mish, relu, sigmoid, silu, softplus, tanh by no primitive of oneDNN.
# Needs an x86-64 processor with AVX2. Exits with another code than 0 where this has changed.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet torch==2.13.0 numpy==2.4.6
cat > "$work/child.py" <<'SCRIPT'
import sys

import torch
from torch.nn import functional

name, dtype = sys.argv[1:]
print("capability", torch.backends.cpu.get_cpu_capability())
x = torch.linspace(-4, 4, 5000, dtype=getattr(torch, dtype), requires_grad=True)
getattr(functional, name)(x).sum().backward()
SCRIPT
cat > "$work/parent.py" <<'SCRIPT'
import os
import pathlib
import re
import subprocess
import sys

NAMES = "gelu elu hardswish mish relu sigmoid silu softplus tanh".split()


def implementations(name, dtype, **variables):
    known = os.environ | {"ONEDNN_VERBOSE": "1", "ATEN_CPU_CAPABILITY": "default"} | variables
    child = pathlib.Path(__file__).with_name("child.py")
    printed = subprocess.run([sys.executable, child, name, dtype], env=known, check=True, capture_output=True, text=True)
    assert "capability DEFAULT" in printed.stdout, printed.stdout
    return set(re.findall(r"exec,cpu,eltwise,(\S+?),(\w+?),", printed.stdout))


for name in NAMES:
    for dtype in "float32", "float64":
        found = implementations(name, dtype)
        print(name, dtype, sorted(found))
        if (name, dtype) == ("gelu", "float32"):
            assert {kind for _, kind in found} == {"forward_training", "backward_data"}
            assert all(re.match(r"jit:avx(2|512)", way) for way, _ in found)
            held = implementations(name, dtype, ONEDNN_MAX_CPU_ISA="SSE41")
            print(name, dtype, "ONEDNN_MAX_CPU_ISA=SSE41", sorted(held))
            assert {way for way, _ in held} == {"jit:sse41"}
        else:
            assert not found
SCRIPT
"$work/venv/bin/python" "$work/parent.py"
