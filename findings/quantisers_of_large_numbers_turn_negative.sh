#!/usr/bin/env bash
# A quantiser gives the largest code for whatever is above its range. Two turn a number of very many steps, infinity too,
# into the smallest code, so that a positive overflow comes back as the most negative number there is: onnx's reference of
# QuantizeLinear, the oracle of other implementations, from 2^31 steps on, and PyTorch's fake_quantize_per_channel_affine,
# by which weights are quantised in training, from 2^63 on. ONNX Runtime and PyTorch's fake_quantize_per_tensor_affine
# are right.
#
# torch 2.13.0, onnx 1.23.2, onnxruntime 1.32.0, on x86-64: 1, 1e8, 1e9, 1e18 and inf in int8 with a step of 0.1
#   torch, per tensor: 1 12.7 12.7 12.7 12.7; per channel: 1 12.7 12.7 -12.8 -12.8
#   QuantizeLinear, onnxruntime: 10 127 127 127 127; onnx's reference: 10 127 -128 -128 -128
# Exits with another code than 0 where this has changed.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet torch==2.13.0 onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6
"$work/venv/bin/python" - <<'SCRIPT'
import numpy as np
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

x = np.array([1, 1e8, 1e9, 1e18, np.inf], np.float32)
rows, step, zero = torch.from_numpy(x)[None], torch.tensor([0.1]), torch.zeros(1, dtype=torch.int32)
by_tensor = torch.fake_quantize_per_tensor_affine(rows, 0.1, 0, -128, 127).numpy()[0]
by_channel = torch.fake_quantize_per_channel_affine(rows, step, zero, 0, -128, 127).numpy()[0]
print("torch, per tensor", by_tensor, "per channel", by_channel)

graph = helper.make_graph(
    [helper.make_node("QuantizeLinear", ["x", "step", "zero"], ["y"])], "quantiser",
    [helper.make_tensor_value_info("x", TensorProto.FLOAT, [5])],
    [helper.make_tensor_value_info("y", TensorProto.INT8, [5])],
    [numpy_helper.from_array(np.float32(0.1), "step"), numpy_helper.from_array(np.int8(0), "zero")])
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
with np.errstate(invalid="ignore"):
    (of_reference,) = ReferenceEvaluator(model).run(None, {"x": x})
(of_runtime,) = session.run(None, {"x": x})
print("onnxruntime", of_runtime, "onnx's reference", of_reference)

np.testing.assert_allclose(by_tensor, [1, 12.7, 12.7, 12.7, 12.7], rtol=1e-6)
np.testing.assert_allclose(by_channel, [1, 12.7, 12.7, -12.8, -12.8], rtol=1e-6)
assert of_runtime.tolist() == [10, 127, 127, 127, 127]
assert of_reference.tolist() == [10, 127, -128, -128, -128]
SCRIPT
