#!/usr/bin/env bash
# A vector over its length has the length 1, whatever that length was. In float32 the squares of numbers above 1.8e19
# overflow: the length is infinite, and what is divided by it is 0. So it is in PyTorch, ONNX Runtime and scikit-learn,
# without an error or a warning; the cosine of a vector with itself is 0, rms_norm is zeros too, and layer_norm NaN.
# batch_norm, which computes in float64, is right.
#
# torch 2.13.0, ONNX Runtime 1.32.0, scikit-learn 1.9.1 of 3e19, 4e19 in float32: 0, 0; cosine_similarity 0;
# layer_norm of 3e19, 4e19 NaN in torch
# Exits with another code than 0 where this has changed.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet torch==2.13.0 onnxruntime==1.32.0 onnx==1.23.2 scikit-learn==1.9.1 numpy==2.4.6
"$work/venv/bin/python" - <<'SCRIPT'
import numpy as np
import onnxruntime
import torch
from onnx import TensorProto, helper
from sklearn import preprocessing
from torch.nn import functional

node = helper.make_node("LpNormalization", ["x"], ["y"], axis=1, p=2)
graph = helper.make_graph([node], "graph", *([helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 2])]
                                             for name in "xy"))
model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)], ir_version=10)
session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
for scale in (1e18, 1e19):
    x = np.array([[3, 4]], np.float32) * np.float32(scale)
    tensor = torch.from_numpy(x)
    lengths = {"torch": functional.normalize(tensor).numpy(), "ONNX Runtime": session.run(None, {"x": x})[0],
               "scikit-learn": preprocessing.normalize(x)}
    cosine = functional.cosine_similarity(tensor, tensor)
    rms, layer = functional.rms_norm(tensor, (2,)), functional.layer_norm(tensor, (2,))
    print(x, lengths, "cosine", cosine, "rms_norm", rms, "layer_norm", layer)
    for name, y in lengths.items():
        np.testing.assert_allclose(y, [[0.6, 0.8]] if scale == 1e18 else [[0, 0]], rtol=1e-6, err_msg=name)
    assert torch.allclose(cosine, torch.tensor(1.0 if scale == 1e18 else 0.0))
    assert torch.isfinite(rms).all() and (rms == 0).all() == (scale == 1e19)
    assert layer.isnan().any() == (scale == 1e19)
by_batch = functional.batch_norm(torch.tensor([[3e19], [4e19]]), None, None, training=True)
print("batch_norm", by_batch)
assert torch.allclose(by_batch, torch.tensor([[-1.0], [1.0]]))
SCRIPT
