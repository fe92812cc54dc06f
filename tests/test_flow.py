"""How gradients fare in deep stacks: chains whose numbers are known, and what the guide says of each stack."""

import os

import lanewise as lw
import numpy as np
import pytest


def test_a_chain_of_slopes():
    flow = lw.gradient_flow(5, 1, "identity", init="identity", gain=0.8, batch=1)
    np.testing.assert_allclose(flow.gradient, 0.8 ** np.arange(5, 0, -1), rtol=1e-14)
    assert flow.gradient[0] == pytest.approx(0.32768)
    assert flow.slope.tolist() == [1] * 5
    assert flow.updated is None
    doubled = lw.gradient_flow(4, 3, "identity", init="identity", gain=2.0, inputs=np.ones((2, 3)))
    assert doubled.activation.tolist() == [2, 4, 8, 16]
    assert doubled.gradient.tolist() == [16, 8, 4, 2]


def test_signals_that_vanish_are_zeros():
    flow = lw.gradient_flow(3, 8, gain=0.0, batch=4)  # weights of 0
    assert (flow.activation == 0).all()
    assert (flow.gradient == 0).all()
    assert (flow.slope == 1).all()


def test_slopes_are_the_means_of_derivatives():
    x = np.array([[0.3, -0.7], [1.2, 0.1]])
    flow = lw.gradient_flow(2, 2, "tanh", init="identity", inputs=x)
    first = np.tanh(x)
    second = np.tanh(first)
    assert flow.slope == pytest.approx([(1 - first**2).mean(), (1 - second**2).mean()])
    assert flow.activation == pytest.approx([np.sqrt((first**2).mean()), np.sqrt((second**2).mean())])
    relu = lw.gradient_flow(1, 2, "relu", init="identity", inputs=x)
    assert relu.slope[0] == 0.75


def test_what_vanishes_passes_and_explodes():
    def gradient(*settings):
        return lw.gradient_flow(30, 64, *settings).gradient[0]

    assert gradient("sigmoid") < 1e-15
    assert 1e-4 < gradient("tanh") < 0.5
    assert 0.05 < gradient("relu", None, "he_normal", "relu") < 20
    assert gradient("relu", None, "he_normal", 2.0) > 1e3
    # a gain is taken out by the norm after it
    for norm in ("layer_norm", "batch_norm"):
        small, large = (lw.gradient_flow(30, 64, "relu", norm, "he_normal", gain) for gain in (1.0, 8.0))
        np.testing.assert_allclose(large.gradient, small.gradient, rtol=0.02)  # eps counts for more beside a small gain
        np.testing.assert_allclose(large.activation, small.activation, rtol=0.02)


def test_a_forward_explosion_follows_a_backward_one():
    calm = lw.gradient_flow(30, 64, "relu", None, "he_normal", 2.0, lr=0.0)
    assert np.array_equal(calm.updated, calm.activation)
    wild = lw.gradient_flow(30, 64, "relu", None, "he_normal", 2.0, lr=1e-3)
    assert np.array_equal(wild.activation, calm.activation)
    assert not wild.updated[-1] < 1e6 * wild.activation[-1]


def test_the_same_seed_is_the_same_flow():
    found = [lw.gradient_flow(3, 8, rng=seed) for seed in (1, 1, 2)]
    assert np.array_equal(found[0].gradient, found[1].gradient)
    assert not np.array_equal(found[0].gradient, found[2].gradient)
    assert found[0] == found[1] != found[2]
    assert lw.gradient_flow(3, 8, rng=1, lr=0.1) == lw.gradient_flow(3, 8, rng=1, lr=0.1) != found[0] != "flow"


@pytest.mark.skipif(not hasattr(os, "sysconf"), reason="the system does not say how much memory there is")
@pytest.mark.parametrize("options", [{"depth": 10**9}, {"depth": 10**12, "width": 1}, {"width": 10**8}])
def test_more_than_the_memory(options):
    with pytest.raises(MemoryError, match=r"gradient_flow: .* layers of .* need at least .* GiB.*this machine has"):
        lw.gradient_flow(**options)


@pytest.mark.skipif(not hasattr(os, "sysconf"), reason="the system does not say how much memory there is")
def test_the_memory_is_that_of_the_rows_given(monkeypatch):
    monkeypatch.setattr(os, "sysconf", lambda _: 1000)  # pages of 1000 bytes
    assert len(lw.gradient_flow(10, 4, batch=10**9, inputs=np.ones((2, 4))).gradient) == 10
    with pytest.raises(MemoryError, match="for 2000 rows"):
        lw.gradient_flow(10, 4, inputs=np.ones((2000, 4)))


@pytest.mark.parametrize(("options", "error", "message"), [
    ({"depth": 0}, ValueError, "gradient_flow: depth must be 1 or more, not 0"),
    ({"width": 1.5}, TypeError, "gradient_flow: width must be an int"),
    ({"activation": "sine"}, ValueError, "'sine' is unknown; expected one of"),
    ({"norm": "group_norm"}, ValueError, "norm 'group_norm' is unknown; expected one of None, layer_norm"),
    ({"init": "zeros"}, ValueError, "init 'zeros' is unknown; expected one of"),
    ({"gain": "sine"}, ValueError, "gain 'sine' is unknown"),
    ({"gain": "relu", "init": "identity"}, TypeError, "gain must be a number"),
    ({"inputs": np.ones((2, 3))}, ValueError, r"inputs of shape \(2, 3\) do not fit; expected \(batch, 128\)"),
])
def test_errors_say_what_was_given(options, error, message):
    with pytest.raises(error, match=message):
        lw.gradient_flow(**options)
