# The worked examples that the guide shows: they run, and do what they say.
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "examples" / "evolution"))
import cart_pole  # noqa: E402
import convolution  # noqa: E402
import recurrent  # noqa: E402


@pytest.mark.parametrize("name", ["cart_pole", "convolution", "recurrent"])
def test_the_guide_shows_what_is_there(name):
    assert (ROOT / "examples" / "evolution" / f"{name}.py").read_text() in (ROOT / "docs" / "evolution.md").read_text()


def test_cart_pole():
    # who always pushes one way falls soon; and a run finds a policy that does not
    always = np.zeros((2, 48), np.float32)
    always[1, 33::2] = 1
    lasted = cart_pole.steps_balanced(always)
    assert lasted.shape == (2, 20)
    assert ((lasted > 5) & (lasted < 15)).all()
    found = subprocess.run([sys.executable, ROOT / "examples/evolution/cart_pole.py"], capture_output=True, text=True)
    assert found.stdout.startswith("500 of 500 steps after "), found.stderr


def test_the_convolution_is_one():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(3, 64)).astype(np.float32)
    weights = rng.normal(size=(2, convolution.N_WEIGHTS)).astype(np.float32)
    found = convolution.logits(weights, convolution.windows_of(x))
    for one, genome_s in zip(weights, found, strict=True):
        filters, layer = one[:72].reshape(3, 3, 8), one[72:].reshape(72, 10)
        for picture, row in zip(x.reshape(-1, 8, 8), genome_s, strict=True):
            seen = np.array([[np.einsum("ab,abf->f", picture[i:i + 3, j:j + 3], filters) for j in range(6)]
                             for i in range(6)])
            pooled = seen.reshape(3, 2, 3, 2, 8).max(axis=(1, 3))
            np.testing.assert_allclose(row, np.maximum(pooled, 0).reshape(-1) @ layer, rtol=1e-4, atol=1e-4)


def test_the_recurrent_network_remembers():
    weights = np.zeros((1, recurrent.N_WEIGHTS), np.float32)
    weights[0, 0] = 1.0  # the first unit keeps its value,
    weights[0, 36] = 0.1  # adds a tenth of the input
    weights[0, 48] = 1.0  # and is the output
    sequences = np.array([[1, 1, -1], [1, -1, -1]], np.float32)
    state = np.zeros(2)
    for column in sequences.T:
        state = np.tanh(state + 0.1 * column)
    np.testing.assert_allclose(recurrent.answers(weights, sequences)[0], state, rtol=1e-5)
    drawn, wanted = recurrent.drawn(50, 7, 3)
    assert ((drawn > 0).sum(axis=1) > 3).tolist() == wanted.tolist()
