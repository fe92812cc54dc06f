#!/usr/bin/env bash
# ELU is the identity next to zero: exp(x) - 1 is x for small x. ONNX Runtime takes 1 from the rounded exponential, so
# Elu, Selu and Celu of negative numbers nearer to zero than 3e-8 are 0, and at -3e-8 twice what they should be. Above
# zero they are exact. onnx's reference has the same formula in NumPy but with expm1, and is right.
#
# onnxruntime 1.32.0, onnx 1.23.2: Elu of -1e-8 -3e-8 -1e-6: 0 -5.96e-08 -1.013e-06
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

x = np.array([-1e-8, -3e-8, -1e-6], np.float32)
for op, slope in (("Elu", 1), ("Celu", 1), ("Selu", 1.0507009873554805 * 1.6732632423543772)):
    inputs, outputs = ([helper.make_tensor_value_info(name, TensorProto.FLOAT, [3])] for name in "xy")
    model = helper.make_model(helper.make_graph([helper.make_node(op, ["x"], ["y"])], "point", inputs, outputs),
                              opset_imports=[helper.make_opsetid("", 22)])
    model.ir_version = 10
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    found, reference = session.run(None, {"x": x})[0], ReferenceEvaluator(model).run(None, {"x": x})[0]
    print(op, "of", x, "is", found, "reference", reference)
    assert found[0] == 0 and abs(found[1] / (x[1] * slope) - 2) < 0.1 and abs(found[2] / (x[2] * slope) - 1) > 0.01
    np.testing.assert_allclose(reference, x * slope, rtol=1e-5)
SCRIPT
