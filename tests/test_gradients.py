"""``lanewise gradients`` and the differences behind it: right backwards pass, and a wrong one is found."""

import lanewise as lw
import numpy as np
import pytest
from lanewise import cli
from lanewise.measure import gradients


def test_differences_of_known_functions():
    x = np.linspace(-2, 2, 41)
    np.testing.assert_allclose(gradients.differences(np.sin, x), np.cos(x), atol=1e-12)
    np.testing.assert_allclose(gradients.differences(np.exp, x), np.exp(x), rtol=1e-12)


def test_no_kink_near_the_grid():
    for kink in (0, 0.1, 0.5, 1, 3, 6):
        assert np.abs(np.abs(gradients.GRID) - kink).min() > 2 * gradients.STEP


def test_command_of_all_functions(capsys):
    assert cli.main(["gradients"]) == 0
    assert set(gradients.names()) <= set(capsys.readouterr().out.split())  # relu stands in relu6, too


def test_a_wrong_backward_is_found(capsys, monkeypatch):
    for wrong in (lambda grad, x: lw.gelu_tanh_backward(grad, x), lambda grad, x: np.full_like(x, np.nan)):
        monkeypatch.setattr(lw, "gelu_backward", wrong)
        assert gradients.compare("gelu").largest > 1e-4 or np.isnan(gradients.compare("gelu").largest)
        assert cli.main(["gradients", "silu", "gelu"]) == 1
    assert "gelu" in capsys.readouterr().out


def test_unknown_function(capsys):
    assert cli.main(["gradients", "exp"]) == 2
    assert "no backward of 'exp' to compare; expected some of relu, " in capsys.readouterr().err


@pytest.mark.parametrize("name", gradients.names())
def test_every_backward(name):
    assert gradients.compare(name).largest < 1e-9
