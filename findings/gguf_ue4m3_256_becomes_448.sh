#!/usr/bin/env bash
# gguf 0.19.0 (with numpy 2.4.6): an NVFP4 scale of 256 is encoded as 448, and so is all from 248 to 448.
#
# NVFP4 has an E4M3 byte for the scale of each 16 weights. E4M3 has seven numbers in its highest binade: 256, 288, 320,
# 352, 384, 416 and 448; only the eighth code is NaN (OCP 8-bit Floating Point Specification 1.0, table 1).
# gguf.quants.NVFP4.fp32_to_ue4m3 takes the whole binade for too large and gives the code of 448 for all of it, up to
# 1.81 times the number, though its own decoder reads the seven codes as they are meant. So what it decodes does not
# encode to the same code. Quantisers of NVFP4 choose the tensor's factor so that the largest scale is 448: every block
# whose largest weight is more than 0.55 of the tensor's has such a scale.
#
# Seen: 240.0 -> 240.0, 248.0 -> 448.0, 256.0 -> 448.0, 288.0 -> 448.0, 320.0 -> 448.0, 384.0 -> 448.0, 448.0 -> 448.0;
# codes that do not come back: 120 to 125.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet gguf==0.19.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'SCRIPT'
import gguf
import numpy as np

kind = gguf.quants.NVFP4
numbers = np.array([240, 248, 256, 288, 320, 384, 448], np.float32)
found = 2 * kind.ue4m3_to_fp32(kind.fp32_to_ue4m3(numbers))  # the decoder gives halves, since gguf's E2M1 is doubled
for number, after in zip(numbers, found):
    print(number, "->", after)
every = np.arange(127, dtype=np.uint8)  # 127 is NaN
again = kind.fp32_to_ue4m3((2 * kind.ue4m3_to_fp32(every)).astype(np.float32))
lost = every[again != every].tolist()
print("codes that do not come back:", lost)
assert found.tolist() == [240] + [448] * 6 and lost == [120, 121, 122, 123, 124, 125], "gguf encodes scales otherwise now"
SCRIPT
