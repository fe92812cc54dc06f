#!/usr/bin/env bash
# exp of NaN is NaN. In OpenVINO on the CPU it is infinity, so that the softmax of a row with one NaN is 0 for all other
# classes; HardSigmoid of NaN is 0 there, as of minus infinity. In LiteRT (once TensorFlow Lite) exp of NaN is 0 where
# XNNPACK computes it, which it does unless told otherwise, and NaN without XNNPACK. Who looks for a NaN in what comes out
# finds none.
#
# openvino 2026.4.1, ai-edge-litert 2.3.0, x86-64:
#   OpenVINO: exp inf, HardSigmoid 0, softmax of 0 0 0 NaN: 0 0 0 NaN; Tanh and Sigmoid NaN
#   LiteRT: exp of 1 and NaN: 2.718 0 with XNNPACK, 2.718 NaN without
# Exits with another code than 0 where this has changed.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet openvino==2026.4.1 ai-edge-litert==2.3.0 numpy==2.4.6
"$work/venv/bin/python" - 2> "$work/log" <<'SCRIPT' || { cat "$work/log"; exit 1; }
import math

import flatbuffers
import numpy as np
import openvino
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from openvino import opset15 as ops

row = np.array([[0, 0, 0, math.nan]], np.float32)
found = {}
for name in ("exp", "hsigmoid", "softmax", "tanh", "sigmoid"):
    parameter = ops.parameter([1, 4], openvino.Type.f32)
    node = ops.softmax(parameter, 1) if name == "softmax" else getattr(ops, name)(parameter)
    found[name] = openvino.Core().compile_model(openvino.Model([node], [parameter]), "CPU")(row)[0][0]
    print("OpenVINO", name, "of", row[0], found[name])
assert found["exp"][3] == math.inf and found["hsigmoid"][3] == 0
assert (found["softmax"][:3] == 0).all() and np.isnan([found[name][3] for name in ("softmax", "tanh", "sigmoid")]).all()

model, graph, operator, code = schema.ModelT(), schema.SubGraphT(), schema.OperatorT(), schema.OperatorCodeT()
graph.tensors = [schema.TensorT(), schema.TensorT()]
for tensor in graph.tensors:
    tensor.shape, tensor.type, tensor.buffer = [2], schema.TensorType.FLOAT32, 0
code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.EXP
graph.inputs = operator.inputs = [0]
graph.outputs = operator.outputs = [1]
graph.operators, model.subgraphs, model.operatorCodes = [operator], [graph], [code]
model.version, model.buffers, builder = 3, [schema.BufferT()], flatbuffers.Builder()
builder.Finish(model.Pack(builder), b"TFL3")
for resolver, nan in ((OpResolverType.AUTO, 0), (OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES, math.nan)):
    run = Interpreter(model_content=bytes(builder.Output()), experimental_op_resolver_type=resolver)
    run.allocate_tensors()
    run.set_tensor(0, np.array([1, math.nan], np.float32))
    run.invoke()
    print("LiteRT", resolver.name, "exp of 1 and NaN:", run.get_tensor(1))
    np.testing.assert_allclose(run.get_tensor(1), [math.e, nan], rtol=1e-6)
SCRIPT
