#!/usr/bin/env bash
# scipy.special.logsumexp(x, b=b) takes exponentials relative to the largest x, not to the largest b * exp(x): where a
# small factor belongs to the largest x, the term that is nearly all of the sum can underflow, and is lost.
#
# scipy 1.17.1, numpy 2.4.6:
#   logsumexp([1000, 0], b=[1e-300, 1e300]) is 309.22, and log(1e-300 * exp(1000) + 1e300) is 690.78
#   the sign of a sum of nothing is -1, that of a sum that cancels to 0 is 0
# Exits with another code than 0 where this has changed.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet --disable-pip-version-check scipy==1.17.1 numpy==2.4.6
"$work/venv/bin/python" - <<'SCRIPT'
import math

import numpy as np
from scipy.special import logsumexp

found = float(logsumexp([1000.0, 0.0], b=[1e-300, 1e300]))
exact = math.log(1e300) + math.log1p(math.exp(1000 - 600 * math.log(10)))
print(f"found {found:.2f}, exact {exact:.2f}")
nothing = logsumexp(np.array([]), return_sign=True)
cancelled = logsumexp([1.0, 1.0], b=[1.0, -1.0], return_sign=True)
print("of nothing:", *map(float, nothing), "of what cancels:", *map(float, cancelled))
assert abs(found - 309.22) < 0.01 and abs(exact - 690.78) < 0.01
assert nothing[1] == -1 and cancelled[1] == 0
SCRIPT
