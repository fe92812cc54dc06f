#!/usr/bin/env bash
# OpenVINO on the CPU computes many operations of integers in float32, where whole numbers above 2^24 have gaps, and turns
# the result back. The largest int32 becomes 2^31 on the way, which int32 does not have, and comes back as the smallest:
# the maximum of positive numbers, or a ReLU, is then -2147483648. Equal says that 2^24 and 2^24 + 1 are. int64 is cut to
# int32 first. Add, Multiply and Gather keep all digits. It is known of MatMul (openvinotoolkit/openvino, issue 37956, open).
#
# openvino 2026.4.1, x86-64, int32: ReduceMax of 7 and 2147483647: -2147483648; Relu of the same: 7 -2147483648
#   Divide of 16777217 by 1: 16777216; ReduceMax of 16777216 and 16777217: 16777216
#   Equal of 16777216 and 16777217: True, Less: False; ReduceSum of 16777216 1 1 1: 16777216
# Exits with another code than 0 where this has changed.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet openvino==2026.4.1 numpy==2.4.6
"$work/venv/bin/python" - <<'SCRIPT'
import numpy as np
import openvino
from openvino import opset15 as ops

core, first, last = openvino.Core(), 2**24, 2**31 - 1


def run(operation, *operands):
    operands = [np.array(each, np.int32) for each in operands]
    parameters = [ops.parameter(list(each.shape), openvino.Type.i32) for each in operands]
    model = openvino.Model([operation(*parameters)], parameters)
    found = core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})(operands)[0]
    print(operation.__name__, *[each.tolist() for each in operands], "is", found.tolist())
    return found.tolist()


def reduce_max(x):
    return ops.reduce_max(x, np.array([0]))


def reduce_sum(x):
    return ops.reduce_sum(x, np.array([0]))


assert run(reduce_max, [7, last]) == -last - 1
assert run(ops.relu, [7, last]) == [7, -last - 1]
assert run(reduce_max, [first, first + 1]) == first
assert run(ops.equal, [first], [first + 1]) == [True]
assert run(ops.less, [first], [first + 1]) == [False]
assert run(reduce_sum, [first, 1, 1, 1]) == first
assert run(ops.divide, [first + 1], [1]) == [first]
assert run(ops.add, [first + 1], [2]) == [first + 3]
assert run(ops.multiply, [first + 1], [3]) == [3 * first + 3]
SCRIPT
