"""The examples run, and reach what they are for. What they print begins with a number that is held to."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples" / "learning"
REACHED = {  # the number after these words is at least, or at most, this
    "mlp_digits": ("held-out accuracy", 97.0, None),
    "swiglu_block": ("held-out accuracy", 94.0, None),
    "vae_digits": ("a digit's error", None, 22.0),
    "parity": ("accuracy", 90.0, None),
}


@pytest.mark.skipif(not EXAMPLES.exists(), reason="needs the checkout")
def test_every_example_is_tried():
    assert {path.stem for path in EXAMPLES.glob("*.py")} == set(REACHED)


@pytest.mark.skipif(not EXAMPLES.exists(), reason="needs the checkout")
@pytest.mark.parametrize("name", list(REACHED))
def test_an_example_reaches_what_it_says(name):
    pytest.importorskip("sklearn")
    # two threads of BLAS for small products wait for one another on a busy machine
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"}
    ran = subprocess.run([sys.executable, EXAMPLES / f"{name}.py"], capture_output=True, text=True, env=environment)
    assert ran.returncode == 0, ran.stderr
    words, least, most = REACHED[name]
    (number,) = re.findall(rf"^{words} (\d+\.\d+)", ran.stdout)
    assert float(number) >= (least or 0)
    assert most is None or float(number) <= most
