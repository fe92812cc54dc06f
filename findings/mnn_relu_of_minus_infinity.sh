#!/usr/bin/env bash
# ReLU of minus infinity, as of a score that is masked, is 0. MNN on x86-64 makes NaN of it, probably since it multiplies by
# 0 or 1. A NaN becomes 0 there, and so it does in abs, which has no reason to, and in sign. relu6 and maximum with 0 give
# 0 for minus infinity.
#
# mnn 3.6.1, x86-64, float32, any number of elements: relu of -inf and NaN: nan 0; abs of NaN: 0; relu6 of -inf: 0
# Exits with another code than 0 where this has changed.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet mnn==3.6.1 numpy==2.4.6
"$work/venv/bin/python" - <<'SCRIPT'
import math

import MNN.expr as mnn
import numpy as np


def run(function, *operands):
    return np.array(function(*(mnn.const(each, [len(each)]) for each in operands)).read())


for times in (1, 3, 4, 17, 64):
    low, lost = [-math.inf] * times, [math.nan] * times
    assert np.isnan(run(mnn.relu, low)).all() and (run(mnn.relu, lost) == 0).all()
    assert (run(mnn.abs, lost) == 0).all() and (run(mnn.relu6, low) == 0).all()
    assert (run(mnn.maximum, low, [0.0] * times) == 0).all() and (run(mnn.abs, low) == math.inf).all()
print("relu of -inf, -1, 2, NaN:", run(mnn.relu, [-math.inf, -1.0, 2.0, math.nan]))
print("abs of -inf, -1, 2, NaN:", run(mnn.abs, [-math.inf, -1.0, 2.0, math.nan]))
print("relu6 of -inf:", run(mnn.relu6, [-math.inf]), "maximum with 0:", run(mnn.maximum, [-math.inf], [0.0]))
SCRIPT
