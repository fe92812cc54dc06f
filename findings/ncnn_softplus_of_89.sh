#!/usr/bin/env bash
# softplus of a large number is that number. ncnn computes log(exp(x) + 1) as it stands: from 88.73 on exp is beyond
# float32 and the result is infinity, and from -17 down the 1 takes all of exp and the result is 0.
#
# ncnn 1.0.20261020, x86-64: Softplus of 88 89 100 -17: 88 inf inf 0 (right: 88 89 100 4.1e-08)
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


assert run("Softplus", 88, 89, 100, -17).tolist() == [88, np.inf, np.inf, 0]
SCRIPT
