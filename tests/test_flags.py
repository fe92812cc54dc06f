"""Arguments that are True or False: one rule for all, found by walking the signatures of everything public."""

import functools
import inspect

import lanewise as lw
import numpy as np
import pytest
import random_functions
from random_arguments import Case, arguments
from random_calls import arrays_in

CATALOGUE = random_functions.functions()
FLAGS = [(name, role) for name, (_, function, _) in CATALOGUE.items() if not isinstance(function, np.ufunc)
         for role, parameter in inspect.signature(function).parameters.items() if isinstance(parameter.default, bool)]
MOST_CASES = 1000  # of random arguments, until all are right


def right_call(name, role):
    """A function of the flag, a value of it for which all other arguments are right, and the arrays among those."""
    of_case, function, table = CATALOGUE[name]
    for number in range(MOST_CASES):
        case = Case(0, number)
        given, keywords = arguments(case, function, table)
        call = of_case(case)
        for flag in (True, False):
            try:
                call(*given, **keywords | {role: flag})
            except Exception:  # another argument is wrong
                continue
            keywords.pop(role, None)
            return functools.partial(call, *given, **keywords), flag, list(arrays_in([*given, *keywords.values()]))
    raise AssertionError(f"{name}: no right call among {MOST_CASES}")


def test_flags_are_found():
    assert {"causal", "keepdims", "nesterov", "packed", "return_stats", "training"} <= {role for _, role in FLAGS}
    assert len(FLAGS) > 40


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("name", "role"), FLAGS)
def test_a_flag_is_true_or_false_and_nothing_else(name, role, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    call, flag, arrays = right_call(name, role)
    call(**{role: np.bool_(flag)})
    before = [array.tobytes() for array in arrays]
    for wrong in (1, 0, None, "no", 0.5, [], np.array(True), np.array([True, False])):
        with pytest.raises(TypeError, match=rf"^\w+: {role} must be True or False, not "):
            call(**{role: wrong})
    assert [array.tobytes() for array in arrays] == before


@pytest.mark.parametrize("named", [
    lambda name: lw.ponder_loss([[0.0, 1.0]], [[1.0, 2.0]], reduction=name),
    lambda name: lw.cross_entropy([[0.0, 1.0]], [0], reduction=name),
    lambda name: lw.layer_norm([1.0, 2.0], algorithm=name),
    lambda name: lw.he_normal((3, 4), 1, mode=name),
    lambda name: lw.gradient_flow(2, 8, norm=name),
    lambda name: lw.gradient_flow(2, 8, init=name),
    lambda name: lw.layers.Activation(name),
    lambda name: lw.ieee754.mx_encode([1.0], "mxfp4", rounding=name),
    lambda name: lw.evolution.Network([2, 3], activation=name),
    lambda name: lw.evolution.Network.quantize([np.ones((3, 2))], per=name)])
@pytest.mark.parametrize("name", [np.array([1.0, 2.0]), [1, 2], 3, {}], ids=repr)
def test_what_is_no_name_is_refused_as_an_unknown_one(named, name):
    with pytest.raises(ValueError, match=r"unknown|must be '|is one of|is 'output' or"):
        named(name)
