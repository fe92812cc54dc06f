#!/usr/bin/env bash
# LayerNormalization and RMSNormalization have an attribute stash_type, the type in which the mean and the variance are
# computed: 1 says float32. onnx's reference squares in float16 all the same, where 256 squared is beyond the largest
# number: a row whose deviation reaches that comes out as zeros. Whoever tests an implementation against the reference
# meets it with activations of a few hundreds.
#
# onnx 1.23.2, onnxruntime 1.32.0, float16 row (300, -300, 300, 1), stash_type=1:
#   LayerNormalization: reference 0 0 0 0, onnxruntime 0.904 -1.509 0.904 -0.299
#   RMSNormalization: reference 0 0 0 0, onnxruntime 1.154 -1.154 1.154 0.004
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

x = np.array([[300, -300, 300, 1]], np.float16)
weight = np.ones(4, np.float16)
for op in ("LayerNormalization", "RMSNormalization"):
    node = helper.make_node(op, ["x", "weight"], ["y"], stash_type=1)
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT16, list(array.shape))
              for name, array in (("x", x), ("weight", weight))]
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT16, [1, 4])
    model = helper.make_model(helper.make_graph([node], "norm", inputs, [output]),
                              opset_imports=[helper.make_opsetid("", 23)])
    model.ir_version = 11
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    runtime = session.run(None, {"x": x, "weight": weight})[0]
    with np.errstate(all="ignore"):
        reference = ReferenceEvaluator(model).run(None, {"x": x, "weight": weight})[0]
    print(op, "onnxruntime", runtime, "onnx's reference", reference)
    centred = x.astype(np.float64) - (x.mean(dtype=np.float64) if op == "LayerNormalization" else 0)
    np.testing.assert_allclose(runtime, centred / np.sqrt((centred**2).mean()), rtol=2e-3)
    assert not reference.any()
SCRIPT
