#!/usr/bin/env bash
# ONNX Runtime's Sigmoid of float32 is off by up to some 5e-8, however small the result: sigmoid(-17) is 8.9e-08
# (4.1e-08 is right) and from -18 on it is 0, so its logarithm is minus infinity; Swish, which multiplies by it, is -0
# there. In float64 it seems to take 1 - 1 / (1 + exp(x)) for negative x: from -37 on that is 0 too.
#
# onnxruntime 1.32.0, x86-64 with AVX2: Sigmoid of -10 -17 -20: 4.5389e-05 8.94e-08 0 (right: 4.5398e-05 4.14e-08 2.06e-09)
#   float64 of -20 -40: 2.06115369e-09 0 (right: 2.06115362e-09 4.25e-18)
# Exits with another code than 0 where this has changed.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6
"$work/venv/bin/python" - <<'SCRIPT'
import numpy as np
import onnxruntime
from onnx import helper


def run(op, x):
    kind = helper.np_dtype_to_tensor_dtype(x.dtype)
    inputs, outputs = ([helper.make_tensor_value_info(name, kind, [None])] for name in "xy")
    model = helper.make_model(helper.make_graph([helper.make_node(op, ["x"], ["y"])], "point", inputs, outputs),
                              opset_imports=[helper.make_opsetid("", 24)])
    model.ir_version = 11
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})[0]


for x in (np.array([-10, -17, -20], np.float32), np.array([-10, -20, -40], np.float64)):
    found, right = run("Sigmoid", x), 1 / (1 + np.exp(-x.astype(np.longdouble)))
    print("Sigmoid", x.dtype, x, found, "right:", right.astype(float))
    if x.dtype == np.float32:
        error = np.abs(found / right - 1)
        assert error[0] > 1e-4 and error[1] > 0.5 and found[2] == 0
    else:
        assert found[2] == 0 and 1e-8 < abs(found[1] / right[1] - 1) < 1e-7
swish = run("Swish", np.array([-20], np.float32))
print("Swish of -20:", swish, "right: -4.12e-08")
assert swish == 0
SCRIPT
