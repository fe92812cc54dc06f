#!/usr/bin/env bash
# The largest of numbers that are all minus infinity, such as the logits of a row that is masked whole, is minus infinity.
# NumKong's max of float32 says -3.4e38 on processors with AVX-512 and None with AVX2: the search begins at the lowest
# finite number, and nothing is larger. The other end is the same, min of infinities. min of minus infinities, max of
# infinities, and float16 are right. A softmax that subtracts -3.4e38 gives zeros for the row instead of NaN.
#
# numkong 7.8.6, x86-64, four times -inf:
#   max of float32 -3.4028235e+38 (AVX-512) or None (AVX2 only), of float16 -inf
# Exits with another code than 0 where this has changed.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet numkong==7.8.6 numpy==2.4.6
"$work/venv/bin/python" - <<'SCRIPT'
import numkong
import numpy as np

for beyond in ((), ("genoa", "icelake", "skylake")):
    for capability in beyond:
        numkong.disable_capability(capability)
    for dtype in (np.float32, np.float16):
        low = np.full(4, -np.inf, dtype)
        ends = numkong.max(low), numkong.min(-low)
        print("without" if beyond else "with", "AVX-512", dtype.__name__, "max of -inf, min of inf:", *ends)
        lost = None if beyond else np.finfo(np.float32).min.item()
        assert ends == (-np.inf, np.inf) if dtype == np.float16 else ends[0] in (lost, None) and ends[1] != np.inf
        assert numkong.min(low) == -np.inf and numkong.max(-low) == np.inf
SCRIPT
