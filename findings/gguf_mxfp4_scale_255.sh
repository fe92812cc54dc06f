#!/usr/bin/env bash
# gguf 0.19.0 (with numpy 2.4.6): the MXFP4 block scale 255 is read as 2^128, not as NaN.
#
# A block of MXFP4 has one E8M0 byte for its scale. The OCP Microscaling Formats specification 1.0 (section 5.4.1) gives
# the byte 255 to NaN, so that a block whose scale was lost is NaN throughout. gguf's decoder has no special case: it
# treats 255 as the power of two after 2^127. The element 0.5 then comes out as a finite number, 1.7014118e+38, and 1.0
# as infinity. Every other byte means the same in both. lanewise.genome.formats refuses the byte by name.
#
# Seen: 254 -> [8.507059173023462e+37, 1.7014118346046923e+38], 255 -> [1.7014118346046923e+38, inf]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet gguf==0.19.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'SCRIPT'
import gguf
import numpy as np

found = {}
for scale in (254, 255):
    block = np.array([scale] + [0x21] * 16, np.uint8)  # the elements are 0.5 and 1.0, sixteen of each
    with np.errstate(over="ignore"):
        values = gguf.quants.dequantize(block[None, :], gguf.GGMLQuantizationType.MXFP4).ravel()
    found[scale] = [float(values[0]), float(values[16])]
    print(scale, "->", found[scale])
assert found == {254: [2.0**126, 2.0**127], 255: [2.0**127, float("inf")]}, "gguf reads the scale otherwise now"
SCRIPT
