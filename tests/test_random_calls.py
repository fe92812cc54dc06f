"""Some thousand of the calls that random_calls.py makes, and that it knows a fault."""

import inspect
import subprocess
import sys
import warnings
from pathlib import Path

import lanewise as lw
import numpy as np
import pytest

pytest.importorskip("ml_dtypes")
import random_arguments
import random_calls
import random_functions

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="limits and alarms are POSIX's")


def test_random_calls():
    program = Path(random_calls.__file__)
    done = subprocess.run([sys.executable, program, "--calls", "3000"], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr


def test_every_public_name_is_called():
    called = random_functions.functions()
    tried = {id(function) for _, function, _ in called.values()}
    assert {"", "embedding", "evolution", "genome", "genome.formats", "ieee754", "layers"} <= set(
        random_functions.modules())
    for path, module in random_functions.modules().items():
        public = [name for name in module.__all__ if callable(getattr(module, name))]
        assert [name for name in public if id(getattr(module, name)) not in tried and name not in
                random_functions.RESULTS] == [], path
    methods = {name.partition(".")[0] for name in called if name[0].isupper()}
    assert set(random_functions.classes()) - methods - random_functions.RESULTS == {"Codebook"}  # which has none
    assert {"Network.loss", "Network.quantize", "Classifier.load", "Sequential.backward", "Format.value"} <= set(called)


def test_every_parameter_has_something_to_be():
    for name, (_, function, table) in random_functions.functions().items():
        if not isinstance(function, np.ufunc):
            parameters = inspect.signature(function).parameters.values()
            assert [each.name for each in parameters if each.name not in table and each.name != "self"
                    and each.kind is not each.VAR_KEYWORD] == [], name


TAKING_OUT = [name for name, (_, function, _) in random_functions.functions().items() if "." not in name and (
    isinstance(function, np.ufunc) or "out" in inspect.signature(function).parameters)]


@pytest.mark.parametrize("name", TAKING_OUT)
def test_errors_of_out_name_the_function(name):
    _, function, table = random_functions.functions()[name]
    errors = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for number in range(400):
            if len(errors) > 60:
                break
            given, keywords = random_arguments.arguments(random_arguments.Case(3, number), function, table)
            keywords["out"] = None
            try:
                found = function(*given, **keywords)
            except Exception as error:
                errors.append(error)
                continue
            shape = np.shape(found[-1] if isinstance(found, tuple) else found)
            # NumPy takes some of these, if it may cast or broadcast
            fixed = np.empty(shape, np.float32)
            fixed.flags.writeable = False
            for out in ([1.0], np.empty(shape, int), np.empty((*shape, 3), np.float32), fixed):
                for place in (out, (out, None)):
                    try:
                        function(*given, **keywords | {"out": place})
                    except Exception as error:
                        errors.append(error)
    assert len(errors) > 20
    assert [str(error) for error in errors if random_calls.names_another(error, function)] == []


@pytest.mark.parametrize(("function", "fault"), [
    (lambda: lw.softmax("a"), "another function"),
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


@pytest.mark.parametrize(("function", "given", "keywords"), [
    (lw.softmax, (np.zeros(3), 5), {}), (lw.relu, (object(),), {}),
    (lw.layers.Linear, (2, 3, 1), {"init": np.float64})])
def test_errors_that_are_none_of_its_faults(function, given, keywords):
    _, found = random_calls.call(0, 0, {"function": (lambda case: function, function, {})}, (given, keywords))
    assert found is None


@pytest.mark.parametrize("name", ["batch_norm", "instance_norm"])
def test_out_may_be_written_over_statistics_that_are_read(name):
    memory = np.linspace(1, 2, 16, dtype=np.float32)
    function, x = getattr(lw, name), np.ones((1, 2, 8), np.float32)
    read = {"running_mean": memory[:2], "running_var": memory[2:4], "out": memory.reshape(1, 2, 8)}
    read |= {"use_input_stats": False} if name == "instance_norm" else {}
    _, found = random_calls.call(0, 0, {name: (lambda case: function, function, {})}, ([x], read))
    assert found is None
