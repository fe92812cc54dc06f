#!/usr/bin/env bash
# The largest of numbers one of which is NaN is NaN by one convention and the largest of the others by another. ONNX
# Runtime's ReduceMax on the CPU follows neither: by the place of the NaN it is NaN, or the largest of the others, or a
# smaller number. Of 38 ones, a NaN and a 1000 it can be 1, so that the NaN and the outlier both go unseen. ReduceMin is
# the same. onnx's reference gives NaN.
#
# onnxruntime 1.32.0, onnx 1.23.2, numpy 2.4.6, on x86-64: 40 numbers, all 1 but a last 1000, and a NaN at a place
#   ReduceMax, float32: NaN at 0: nan; at 1, 3 or 7: 1; at another: 1000
#   ReduceMax, float64: NaN at 0: nan; at 1 or 3: 1; at another: 1000
# Exits with another code than 0 where this has changed.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6
"$work/venv/bin/python" - <<'SCRIPT'
import numpy as np
import onnxruntime
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

LAST = 39


def model(operator, dtype):
    given = helper.make_tensor_value_info("x", dtype, [LAST + 1])
    found = helper.make_tensor_value_info("y", dtype, [])
    node = helper.make_node(operator, ["x"], ["y"], keepdims=0)
    graph = helper.make_graph([node], operator, [given], [found])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def by_place(operator, dtype, outlier):
    made = model(operator, getattr(TensorProto, {"float32": "FLOAT", "float64": "DOUBLE"}[dtype]))
    session = onnxruntime.InferenceSession(made.SerializeToString(), providers=["CPUExecutionProvider"])
    places = {}
    for place in range(LAST):
        x = np.ones(LAST + 1, dtype)
        x[LAST], x[place] = outlier, np.nan
        assert np.isnan(ReferenceEvaluator(made).run(None, {"x": x})[0])
        places.setdefault(str(float(session.run(None, {"x": x})[0])), []).append(place)
    return places


for operator, outlier in (("ReduceMax", 1000.0), ("ReduceMin", -1000.0)):
    for dtype, lost in (("float32", [1, 3, 7]), ("float64", [1, 3])):
        places = by_place(operator, dtype, outlier)
        print(f"{operator} of {dtype}: nan where NaN is at {places['nan']}, 1 at {places['1.0']}, else {outlier:g}")
        assert places["nan"] == [0]
        assert places["1.0"] == lost
        assert len(places[str(outlier)]) == LAST - 1 - len(lost)
SCRIPT
