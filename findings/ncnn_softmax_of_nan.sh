#!/usr/bin/env bash
# ncnn's Softmax on x86-64 makes a certain class of a NaN: with four classes or more along the last axis, the class whose
# logit is NaN has probability 1 and all others next to 0, and nothing in the row is NaN. An infinite logit, which makes a
# row of NaN elsewhere, is certain too. With three classes both are NaN: the loop over four numbers at a time loses them.
# TanH of NaN is -1.
#
# ncnn 1.0.20261020, x86-64:
#   Softmax of 0 NaN 0: nan nan nan; of 0 NaN 0 0: 4.2e-39 1 4.2e-39 4.2e-39; of 0 inf 0 0: 0 1 0 0; TanH of NaN: -1
# Exits with another code than 0 where this has changed.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet ncnn==1.0.20261020 numpy==2.4.6
"$work/venv/bin/python" - "$work/param" <<'SCRIPT'
import sys

import ncnn
import numpy as np


def run(layer, *numbers):
    with open(sys.argv[1], "w") as file:
        file.write(f"7767517\n2 2\nInput in 0 1 x\n{layer} layer 1 1 x y\n")
    net = ncnn.Net()
    net.load_param(sys.argv[1])
    extractor = net.create_extractor()
    extractor.input("x", ncnn.Mat(np.array(numbers, np.float32)).clone())
    found = np.array(extractor.extract("y")[1])
    print(layer, "of", *numbers, "is", *found)
    return found


nan, inf = np.nan, np.inf
assert np.isnan(run("Softmax", 0, nan, 0)).all() and np.isnan(run("Softmax", 0, inf, 0)).all()
np.testing.assert_allclose(run("Softmax", 0, nan, 0, 0), [0, 1, 0, 0], atol=1e-6)
np.testing.assert_allclose(run("Softmax", 0, inf, 0, 0), [0, 1, 0, 0], atol=1e-6)
assert run("TanH", nan)[0] == -1
SCRIPT
