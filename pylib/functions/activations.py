"""Activations and elementary functions without a parameter, and their backwards, as np.ufunc objects. What is said of
each stands in table.py; the numbers are made in lanewise.kernels.activations; the bounds stand in lanewise.bounds."""

from ..kernels import activations as _kernels
from ..kernels.operands import refuse_tensors as _refuse_tensors
from . import _documentation
from .table import FUNCTIONS

_ROLES = {"x": "The forward's input", "y": "The forward's output"}


def _documented():
    """Every ufunc by name, with its docstring."""
    plain = {name: entry for name, entry in FUNCTIONS.items() if not (entry.parameters or entry.options)}
    found = {}
    for name, entry in plain.items():
        found[name] = _documentation.named(getattr(_kernels, f"{name}_ufunc"), name)
        found[name].__doc__ = _documentation.forward(name, entry.formula, entry.source)
    for name, entry in plain.items():
        if entry.slope:
            backward = f"{name}_backward"
            found[backward] = _documentation.named(getattr(_kernels, f"{backward}_ufunc"), backward)
            found[backward].__doc__ = _documentation.backward(
                backward, _documentation.chain_rule(name, entry.slope), {entry.takes: _ROLES[entry.takes]})
    return found


for _name, _ufunc in vars(_kernels).items():  # those of the gates and of functions with parameters too
    if _name.endswith("_ufunc"):
        _refuse_tensors(_ufunc)
_FOUND = _documented()
globals().update(_FOUND)
__all__ = list(_FOUND)
