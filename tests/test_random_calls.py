"""Some thousand of the calls that random_calls.py makes, and that it knows a fault."""

import subprocess
import sys
from pathlib import Path

import lanewise as lw
import numpy as np
import pytest

pytest.importorskip("ml_dtypes")
import random_calls

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="limits and alarms are POSIX's")


def test_random_calls():
    program = Path(random_calls.__file__)
    done = subprocess.run([sys.executable, program, "--calls", "3000"], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr


def test_every_public_function_is_called():
    called = set(random_calls.random_arguments.functions())
    for module, prefix in (lw, ""), (lw.ieee754, "ieee754."), (lw.genome, "genome."), (lw.evolution, "evolution."):
        public = {prefix + name for name in module.__all__ if callable(getattr(module, name))}
        types = {prefix + name for name in module.__all__ if isinstance(getattr(module, name), type)}
        assert public - types <= called
    assert {"Network.loss", "Network.forward", "Classifier.predict", "Classifier.load", "genome.Codebook"} <= called


@pytest.mark.parametrize(("function", "fault"), [
    (lambda: np.zeros(3).reshape(2), "let another's error through"), (lambda: 1 / 0, "another type"),
    (lambda: {}["a"], "another type"), (lambda: np.exp(np.float64(1e4)), "leaked a warning"),
    (lambda: print("!"), "printed")])
def test_a_fault_is_known(function, fault):
    _, found = random_calls.call(0, 0, {"function": (lambda case: function, function, {})}, ([], {}))
    assert fault in found


def test_what_a_call_changes_is_known():
    x = np.ones(3)
    _, found = random_calls.call(0, 0, {"fill": (lambda case: np.ndarray.fill, np.ndarray.fill, {})}, ([x, 2], {}))
    assert "none of its outputs" in found


@pytest.mark.parametrize(("function", "given"), [(lw.softmax, (np.zeros(3), 5)), (lw.relu, (object(),))])
def test_errors_that_are_none_of_its_faults(function, given):
    _, found = random_calls.call(0, 0, {"function": (lambda case: function, function, {})}, (given, {}))
    assert found is None
