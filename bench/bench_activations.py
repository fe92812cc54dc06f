"""The activations, forward and backward, and the elementary functions, by size and threads, against every peer."""

import pytest
from lanewise.measure.benchmark import WORKS


@pytest.mark.parametrize("name", [name for name in WORKS if not name.endswith("_backward")])
def test_forward(against_peers, name, n, threads):
    against_peers(WORKS[name], n, threads)


@pytest.mark.parametrize("name", [name for name in WORKS if name.endswith("_backward")])
def test_backward(against_peers, name, n, threads):
    against_peers(WORKS[name], n, threads)


@pytest.mark.parametrize("name", WORKS)
def test_float64(against_peers, name, n):
    against_peers(WORKS[name], n, dtype="float64")
