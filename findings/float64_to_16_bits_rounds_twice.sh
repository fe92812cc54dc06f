#!/usr/bin/env bash
# A float64 just above the middle of two float16 or bfloat16 numbers is to become the upper one. PyTorch, JAX, ONNX Runtime
# and ml_dtypes round it to float32 first, which is the middle itself, and that to even, here the lower one: not the nearest,
# and not what NumPy makes of it, whose float16 is rounded once. It is the same with whole numbers of int64, and
# with numpy-quaddtype's quadruple precision, which becomes float32 by way of float64. It is known of ml_dtypes
# (jax-ml/ml_dtypes, pull request 401, open). Lanewise rounds once.
#
# torch 2.13.0, jax 0.10.2, onnxruntime 1.32.0, onnx 1.23.2, ml_dtypes 0.6.0, numpy-quaddtype 1.0.0, numpy 2.4.6:
#   3 + 2^-10 + 2^-40 as float16, right 3.001953: 3.0 in torch, JAX, ONNX Runtime; 3.001953 in NumPy, onnx's reference
#   3 + 2^-7 + 2^-40 as bfloat16, right 3.015625: 3.0 in torch, JAX, ONNX Runtime, ml_dtypes
#   int64 385 * 2^30 + 1 as bfloat16, right 386 * 2^30: 384 * 2^30 in torch, JAX, ml_dtypes
#   1 + 2^-24 + 2^-70 of quadruple precision as float32, right 1 + 2^-23: 1
# Exits with another code than 0 where this has changed.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet torch==2.13.0 jax==0.10.2 onnxruntime==1.32.0 onnx==1.23.2 ml_dtypes==0.6.0 \
    numpy-quaddtype==1.0.0 numpy==2.4.6
"$work/venv/bin/python" - 2> "$work/log" <<'SCRIPT' || { cat "$work/log"; exit 1; }
import jax
import ml_dtypes
import numpy as np
import onnxruntime
import torch
from numpy_quaddtype import QuadPrecDType
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

jax.config.update("jax_enable_x64", True)


def cast(onnx_type):
    nodes = [helper.make_node("Cast", ["x"], ["small"], to=onnx_type),
             helper.make_node("Cast", ["small"], ["y"], to=TensorProto.DOUBLE)]
    inputs, outputs = ([helper.make_tensor_value_info(v, TensorProto.DOUBLE, [None])] for v in "xy")
    return helper.make_model(helper.make_graph(nodes, "cast", inputs, outputs),
                             opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


def report(what, x, expected, **found):
    found = {name: float(value) for name, value in found.items()}
    print(what, x, found)
    assert found == expected


for name, bits, onnx_type in (("float16", 10, TensorProto.FLOAT16), ("bfloat16", 7, TensorProto.BFLOAT16)):
    x = np.array([3 + 2.0**-bits + 2.0**-40])
    model = cast(onnx_type)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    once = 3 + 2.0 ** (1 - bits)
    others = {"numpy": once, "reference": once} if name == "float16" else {"ml_dtypes": 3, "reference": 3}
    report(name, x[0], {"torch": 3, "jax": 3, "onnxruntime": 3} | others,
           torch=torch.tensor(x).to(getattr(torch, name))[0], jax=jax.numpy.array(x).astype(name)[0],
           onnxruntime=session.run(None, {"x": x})[0][0], reference=ReferenceEvaluator(model).run(None, {"x": x})[0][0],
           **{"numpy" if name == "float16" else "ml_dtypes": x.astype(name)[0]})
whole = np.array([385 * 2**30 + 1])
lower = 384.0 * 2**30
report("bfloat16 of", whole[0], {"torch": lower, "jax": lower, "ml_dtypes": lower}, torch=torch.tensor(whole).bfloat16()[0],
       jax=jax.numpy.array(whole).astype("bfloat16")[0], ml_dtypes=whole.astype(ml_dtypes.bfloat16)[0])
quadruple = np.array([1.0]).astype(QuadPrecDType()) + sum(np.array([2.0**e]).astype(QuadPrecDType()) for e in (-24, -70))
assert (quadruple > 1 + 2.0**-24).all()
report("float32 of 1 + 2^-24 + 2^-70", "", {"quaddtype": 1}, quaddtype=quadruple.astype(np.float32)[0])
SCRIPT
