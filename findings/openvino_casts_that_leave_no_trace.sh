#!/usr/bin/env bash
# A Convert to float16 and back rounds a number to what float16 has; models do it to see what a format loses, and the Cast
# of ONNX becomes such a Convert. OpenVINO on the CPU computes float16 as float32, and the pair then does nothing: 0.1 and
# 65520, which float16 makes infinity, come back whole. To 4 bits it is 8 bits that are kept: 300 becomes 44, and -1 is 255
# in uint4. bfloat16 and the 8-bit floats are rounded, and so is float16 where it is the model's result.
#
# openvino 2026.4.1, x86-64, with INFERENCE_PRECISION_HINT f32:
#   0.1 65520 3e9 to float16 and back: 0.1 65520 3e9 (right: 0.09998 inf inf); to float16 as the result: 0.09998 inf inf
#   300 -1 17 to uint4 and back: 44 255 17; 300 -9 17 to int4 and back: 44 -9 17
# Exits with another code than 0 where this has changed.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet openvino==2026.4.1 numpy==2.4.6
"$work/venv/bin/python" -W ignore - <<'SCRIPT'
import numpy as np
import openvino
from openvino import opset15 as ops

core = openvino.Core()


def run(small, numbers, back=True):
    parameter = ops.parameter([len(numbers)], openvino.Type.f32)
    result = ops.convert(parameter, getattr(openvino.Type, small))
    if back:
        result = ops.convert(result, openvino.Type.f32)
    model = core.compile_model(openvino.Model([result], [parameter]), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    found = model([np.array(numbers, np.float32)])[0]
    print(numbers, "to", small, "and back" if back else "as the result", found)
    return found


wide = np.array([0.1, 65520, 3e9], np.float32)
assert (run("f16", wide) == wide).all()
assert (run("f16", wide, back=False) == wide.astype(np.float16)).all()
assert (run("bf16", wide) != wide).all()
assert run("f8e4m3", wide)[0] == np.float32(0.1015625)
assert run("u4", [300, -1, 17]).tolist() == [44, 255, 17]
assert run("i4", [300, -9, 17]).tolist() == [44, -9, 17]
SCRIPT
