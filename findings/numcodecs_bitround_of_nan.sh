#!/usr/bin/env bash
# numcodecs' BitRound keeps the first bits of a float's mantissa, so that what is left compresses: it adds half of the last
# bit that is kept to the number's bits, and cuts. A NaN whose mantissa is all ones carries beyond its exponent into the
# sign: 0x7fffffff, the NaN that NVIDIA's processors make, becomes -0, and its negative becomes 0. A gap in the data is a
# plain zero afterwards. NumPy's own NaN, 0x7fc00000, is kept. The largest number becomes infinity, as rounding has it.
#
# numcodecs 0.16.6, numpy 2.4.6, float32 0x7fffffff, 0xffffffff, 0x7fc00000, 0x7f7fffff with 7 bits: -0 0 nan inf
#   float64 0x7fffffffffffffff: -0
# Exits with another code than 0 where this has changed.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet numcodecs==0.16.6 numpy==2.4.6
"$work/venv/bin/python" - <<'SCRIPT'
import numpy as np
from numcodecs import BitRound

for codes, dtype in (([0x7FFFFFFF, 0xFFFFFFFF, 0x7FC00000, 0x7F7FFFFF], np.float32),
                     ([0x7FFFFFFFFFFFFFFF, 0xFFFFFFFFFFFFFFFF, 0x7FF8000000000000, 0x7FEFFFFFFFFFFFFF], np.float64)):
    x = np.array(codes, f"u{dtype().itemsize}").view(dtype)
    assert np.isnan(x).tolist() == [True, True, True, False]
    for bits in (1, 7, 10):
        codec = BitRound(keepbits=bits)
        back = codec.decode(codec.encode(x.copy())).view(dtype)
        print(dtype.__name__, "with", bits, "bits:", x, "becomes", back)
        np.testing.assert_array_equal(back, [-0.0, 0.0, np.nan, np.inf])
        assert np.signbit(back[:2]).tolist() == [True, False]
SCRIPT
