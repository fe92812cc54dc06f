"""Errors name the function that was called, and the argument that is wrong by the name that its caller gave it."""

import inspect
import re

import lanewise as lw
import numpy as np
import pytest
from called import is_elementwise, operands, parameters

SHAPE = (4, 6, 8)
# of elementwise ones NumPy's errors name nothing, and optimisers' steps take lists
FUNCTIONS = [name for name in lw.__all__ if inspect.isroutine(getattr(lw, name)) and not is_elementwise(name)
             and name not in {"prelu_backward", "adamw_step", "sgd_step"}
             and {"x", "grad", "logits", "mu"} & parameters(name).keys()]
ROLES = {role for name in FUNCTIONS for role in parameters(name)} - {"axis"}


class Tensor:
    """What PyTorch says a tensor is known by."""

    @classmethod
    def __torch_function__(cls, *given, **more):
        raise AssertionError("nobody should call it")


def calls(name):
    """Ways to call a function: with what it must be given, and with arrays that it may be given, all and each alone."""
    least, most = operands(name, SHAPE, "f8"), operands(name, SHAPE, "f8", optional=True)
    for chosen in [most, *({**least, role: array} for role, array in most.items())]:
        for axis in ({}, {"axis": 0}, {"axis": (0, 1)}) if "axis" in parameters(name) else ({},):
            try:
                getattr(lw, name)(**chosen, **axis)
            except (TypeError, ValueError):  # some do not go with others, or do not fit that axis
                continue
            yield {**chosen, **axis}


def errors(name, wrong):
    """The errors of all calls in which an array is replaced, beside its name and what it was replaced with."""
    for given in calls(name):
        for role, array in given.items():
            if isinstance(array, np.ndarray):
                for other in wrong(array):
                    try:
                        getattr(lw, name)(**{**given, role: other})
                    except (TypeError, ValueError) as error:
                        yield role, other, str(error)
                    else:
                        yield role, other, None


def no_numbers(array):
    yield from (array.astype(kind) for kind in ("complex", "U9", "O", "longdouble"))
    yield from (np.zeros(array.shape, kind) for kind in ("M8[s]", "V3", "i4,f8"))
    yield from (np.ma.array(array), Tensor(), [[1.0], [1.0, 2.0]], "words", [None])


def of_other_shapes(array):
    shape = array.shape
    for other in ((*shape[:-1], shape[-1] + 1), (2, *shape), shape[1:], (*shape, 1), (0,)):
        yield np.ones(other, array.dtype)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_what_holds_no_numbers(name):
    found = list(errors(name, no_numbers))
    assert found
    for role, other, error in found:
        if not (name == "glu" and isinstance(other, np.ma.MaskedArray)):  # which keeps the mask
            assert error is not None, (role, other)
            assert re.match(rf"{name}: (axis -?\d is out of range for )?{role}\b", error), (role, error)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_shapes_that_do_not_fit(name):
    for role, _, error in errors(name, of_other_shapes):
        if error:
            assert error.startswith(f"{name}: "), (role, error)
            named = set(re.findall(r"(\w+)(?= of shape| must have| has no)", error)) & ROLES
            assert named <= parameters(name).keys(), (role, error)
            assert role in re.findall(r"\w+", error) or "channels" in error or "grad of shape" in error, (role, error)


def test_glu_of_a_masked_array_keeps_the_mask():
    x = np.ma.array(np.ones((1, 4)), mask=[[False, True, False, False]])
    assert lw.glu(x).mask.tolist() == [[False, True]]
