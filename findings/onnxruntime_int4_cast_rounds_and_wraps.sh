#!/usr/bin/env bash
# ONNX Runtime's Cast of float32 to INT8 takes the fraction away, as C does. Its Cast to INT4 rounds to nearest, halves
# away from zero, and then keeps the low four bits: 7.5 becomes -8. onnx's reference takes the fraction away in both.
#
# onnxruntime 1.32.0, onnx 1.23.2:
#   1.75 2.5 -0.5 7.5 -8.5 as INT8: 1 2 0 7 -8; as INT4: 2 3 -1 -8 7 (onnx's reference: 1 2 0 7 -8)
#   1.75 2.5 7.5 as UINT4: 2 3 8 (1 2 7)
# Exits with another code than 0 where this has changed.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6
"$work/venv/bin/python" - <<'SCRIPT'
import numpy as np
import onnxruntime
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator


def cast(x, name, **attributes):
    nodes = [helper.make_node("Cast", ["x"], ["narrow"], to=getattr(TensorProto, name), **attributes),
             helper.make_node("Cast", ["narrow"], ["y"], to=TensorProto.FLOAT)]
    inputs, outputs = ([helper.make_tensor_value_info(v, TensorProto.FLOAT, [None])] for v in "xy")
    model = helper.make_model(helper.make_graph(nodes, "cast", inputs, outputs),
                              opset_imports=[helper.make_opsetid("", 23)])
    model.ir_version = 11
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    found = session.run(None, {"x": x})[0], ReferenceEvaluator(model).run(None, {"x": x})[0]
    print(name, attributes, "of", x, "\n  onnxruntime", found[0], "\n  onnx's reference", found[1])
    return found


x = np.array([1.75, 2.5, -0.5, 7.5, -8.5], np.float32)
for name, x, runtime, reference in (("INT8", x, [1, 2, 0, 7, -8], [1, 2, 0, 7, -8]),
                                    ("INT4", x, [2, 3, -1, -8, 7], [1, 2, 0, 7, -8]),
                                    ("UINT4", x[[0, 1, 3]], [2, 3, 8], [1, 2, 7])):
    found = cast(x, name)
    np.testing.assert_array_equal(found[0], runtime)
    np.testing.assert_array_equal(found[1], reference)
SCRIPT
