#!/usr/bin/env bash
# ONNX defines GroupNormalization as a function of other operators, which takes the variance as the mean of the squares
# less the square of the mean, in the type of the data. ONNX Runtime's CPU has no kernel of its own and computes just
# that. A float32 square of 10 000 is rounded to a multiple of 8, so channels around 10 000 whose deviation is 1 have a
# variance of 0 or 8 there, or a negative one, which is NaN. onnx's reference computes the same function with sums in
# another order. ONNX Runtime's LayerNormalization of the same numbers is right, and is the same for one group.
#
# onnxruntime 1.32.0, onnx 1.23.2, deviation of 256 results, which should be 1, around 0 and around 10 000:
#   GroupNormalization 1.00 316, onnx's reference 1.00 0.354, LayerNormalization 1.00 1.00
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


def model_of(operator, shapes, **attributes):
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()]
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, shapes["x"])
    node = helper.make_node(operator, list(shapes), ["y"], **attributes)
    return helper.make_model(helper.make_graph([node], "norm", inputs, [output]), ir_version=10,
                             opset_imports=[helper.make_opsetid("", 21)])


def deviation(model, *arrays):
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [each.name for each in model.graph.input]
    return session.run(None, dict(zip(names, arrays)))[0].std()


group = model_of("GroupNormalization", {"x": [1, 4, 8, 8], "scale": [4], "bias": [4]}, num_groups=1)
layer = model_of("LayerNormalization", {"x": [1, 256], "scale": [256], "bias": [256]}, axis=-1)
noise = np.random.default_rng(0).normal(size=(1, 4, 8, 8))
noise = (noise - noise.mean()) / noise.std()
found = {}
for mean in (0, 10000):
    x = (noise + mean).astype(np.float32)
    found[mean] = (deviation(group, x, np.ones(4, np.float32), np.zeros(4, np.float32)),
                   deviation(layer, x.reshape(1, -1), np.ones(256, np.float32), np.zeros(256, np.float32)))
    with np.errstate(invalid="ignore"):
        reference = ReferenceEvaluator(group).run(
            None, {"x": x, "scale": np.ones(4, np.float32), "bias": np.zeros(4, np.float32)})[0]
    print(f"around {mean}: deviation by GroupNormalization {found[mean][0]:.3g}, its reference {reference.std():.3g}, "
          f"LayerNormalization {found[mean][1]:.3g}, by float64 {x.astype(float).std():.3g}")
assert all(abs(by_layer - 1) < 1e-3 for _, by_layer in found.values())
assert abs(found[0][0] - 1) < 1e-4
assert not abs(found[10000][0] - 1) < 0.5
SCRIPT
