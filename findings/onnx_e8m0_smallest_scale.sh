#!/usr/bin/env bash
# E8M0, the scale of an MX block, is a power of two from 2^-127 to 2^127. onnx's reference of Cast to FLOAT8E8M0 rounds
# upwards unless told otherwise, and takes 2^-127 for a number that must be rounded: a power of two that the format has
# becomes the next one, probably because 2^-127 is subnormal in float32. Only the reference is asked, since ONNX
# Runtime 1.32.0 does not know the type. ml_dtypes and PyTorch keep 2^-127.
#
# onnx 1.23.2, ml_dtypes 0.6.0: Cast of 2^-127 2^-126 2^-125: 2^-126 2^-126 2^-125
# Exits with another code than 0 where this has changed.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet onnx==1.23.2 ml_dtypes==0.6.0 numpy==2.4.6
"$work/venv/bin/python" - <<'SCRIPT'
import ml_dtypes
import numpy as np
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

x = np.ldexp(np.float32(1), [-127, -126, -125]).astype(np.float32)
nodes = [helper.make_node("Cast", ["x"], ["scale"], to=TensorProto.FLOAT8E8M0),
         helper.make_node("Cast", ["scale"], ["y"], to=TensorProto.FLOAT)]
inputs, outputs = ([helper.make_tensor_value_info(v, TensorProto.FLOAT, [None])] for v in "xy")
model = helper.make_model(helper.make_graph(nodes, "cast", inputs, outputs),
                          opset_imports=[helper.make_opsetid("", 24)])
found = ReferenceEvaluator(model).run(None, {"x": x})[0]
print("exponents given", np.log2(x), "found", np.log2(found))
np.testing.assert_array_equal(np.log2(found), [-126, -126, -125])
np.testing.assert_array_equal(x.astype(ml_dtypes.float8_e8m0fnu).astype(np.float32), x)
SCRIPT
