#!/usr/bin/env bash
# gfloat 0.5.2 (with numpy 2.4.6): with RoundMode.TiesToAway a number below half a step is rounded up by a whole one.
#
# 0.49999999999999994 of the smallest float8_e5m2, 2^-16, is the float64 before half of it: the nearest value is 0, and
# there is no tie. gfloat returns 2^-16. Half a step seems to be added before what is behind the point is cut off, and
# that sum is rounded to 1. To even, the same number becomes 0, and half a step away from zero is right for all others:
# 1.1249999999999998 becomes 1.
#
# Seen: away 1.0 to even 0.0 half 1.0
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet gfloat==0.5.2 numpy==2.4.6
"$folder/venv/bin/python" - <<'SCRIPT'
import math

import gfloat
from gfloat.formats import format_info_ocp_e5m2

step = 2.0**-16
below = math.nextafter(step / 2, 0)
found = [gfloat.round_float(format_info_ocp_e5m2, x, mode) / step
         for x, mode in ((below, gfloat.RoundMode.TiesToAway), (below, gfloat.RoundMode.TiesToEven),
                         (step / 2, gfloat.RoundMode.TiesToAway))]
print("away {} to even {} half {}".format(*found))
assert found == [1.0, 0.0, 1.0], "gfloat rounds otherwise now"
SCRIPT
