"""Activations with parameters, and their backwards: thin functions over np.ufunc objects whose parameters broadcast.
They are made from the entries of table.py, with defaults, checks and documentation; the numbers in
lanewise.kernels.activations."""

from math import inf  # noqa: F401  a default in the source below

import numpy as np

from ..environment import unflushed
from ..kernels import activations as _kernels
from ..kernels.batch_norm import total_gufunc
from ..kernels.operands import any_less, any_zero, apply
from . import _documentation
from ._axis import call, refuse_mask, rounded_to
from .table import FUNCTIONS

_ENTRIES = {name: entry for name, entry in FUNCTIONS.items() if entry.parameters or entry.options}
__all__ = sorted([*_ENTRIES, *(f"{name}_backward" for name in _ENTRIES)])
# for each function two ufuncs: one whose operands share a dtype, and one of 16-bit numbers with float32 parameters
_UFUNCS = {name.removesuffix("_short_ufunc"): (getattr(_kernels, name.replace("_short", "")), ufunc)
           for name, ufunc in vars(_kernels).items() if name.endswith("_short_ufunc")}
for _name, _pair in _UFUNCS.items():
    for _ufunc in _pair:
        _documentation.named(_ufunc, f"{_name}_ufunc", _kernels.__name__)


def _refuse_negative(function, name, value):
    if any_less(function, name, value, "0", 0.0):
        raise ValueError(f"{function}: {name} must be 0 or more; got {value}")


def _refuse_zero(function, name, value):
    if any_zero(function, name, value):
        raise ValueError(f"{function}: {name} must not be 0; got {value}")


def _refuse_exceeding(function, low_name, low, high_name, high):
    if any_less(function, high_name, high, low_name, low):
        raise ValueError(f"{function}: {low_name} must not exceed {high_name}; got {low} and {high}")


def _is_one(value):
    return type(value) in (int, float) and value == 1


@unflushed
def prelu_backward(grad, x, weight):
    roles = ("prelu_backward", "grad", "x", "weight")
    for role, operand in zip(roles[1:], (grad, x, weight), strict=True):
        refuse_mask("prelu_backward", role, operand)
    grad_x = apply(roles, _UFUNCS["leaky_relu_backward"], {}, None, (grad, x), weight)
    each = np.broadcast_to(_kernels.prelu_weight_backward_ufunc(grad, x, dtype=np.float64), np.shape(grad_x))
    lengths = (1,) * (each.ndim - np.ndim(weight)) + np.shape(weight)
    # the axes along which one weight serves all come last, and are summed as one row, whose order is fixed
    by_weight = each.transpose(np.argsort([length == 1 for length in lengths], kind="stable"))
    by_weight = by_weight.reshape(np.size(weight), each.size // max(np.size(weight), 1))
    grad_weight = call(total_gufunc, (by_weight,)).reshape(np.shape(weight))
    return grad_x, rounded_to(getattr(weight, "dtype", grad_x.dtype), grad_weight)


_FUNCTION = """
def {function}({signature}, **keywords):
    {refusal}{general}{shortcut}return apply({roles}, {ufuncs}, keywords, out, ({operands},){given})
"""
_SHORTCUT = """if _is_one({parameter}):
        return apply({roles}, {ufuncs}, keywords, out, ({operands},){given})
    """
_GENERAL = """if {options}:
        return apply({roles}, _UFUNCS[{ufunc!r}], keywords, out, ({operands},), {given})
    """
_REFUSALS = {"negative": "_refuse_negative", "zero": "_refuse_zero", "exceeding": "_refuse_exceeding"}


def _refusal(function, entry):
    # the call that checks what an entry says is refused, or nothing
    if not entry.refused:
        return ""
    kind, *names = entry.refused
    given = ", ".join(f"{name!r}, {name}" for name in names)
    return f"{_REFUSALS[kind]}({function!r}, {given})\n    "


def _general(entry, backward, operands, roles):
    # the call that takes the options too, where one is not its default, or nothing
    if not entry.options:
        return ""
    return _GENERAL.format(
        options=" or ".join(f"type({name}) is not float or {name} != {option.default}"
                            for name, option in entry.options.items()),
        ufunc=f"{entry.general}{'_backward' * backward}", operands=operands, roles=roles,
        given=", ".join([*entry.parameters, *entry.options]))


def _shortcut(plain, parameters, operands, roles):
    # the call of another function where the only parameter is 1
    ufuncs, given = (f"_UFUNCS[{plain!r}]", ", 1.0") if plain in _UFUNCS else (f"(_kernels.{plain}_ufunc,)", "")
    return _SHORTCUT.format(parameter=parameters[0], ufuncs=ufuncs, roles=roles, operands=operands, given=given)


def _source(name, entry, backward):
    """The source of a function, or of its backward, that an entry of the table describes."""
    function = f"{name}_backward" if backward else name
    ufunc = (entry.backward_ufunc or f"{entry.ufunc or name}_backward") if backward else entry.ufunc or name
    operands = "grad, x" if backward else "x"
    signature = [parameter if given.default is None and (given.in_slope or not backward)
                 else f"{parameter}={given.default}" for parameter, given in entry.parameters.items()]
    # without a parameter it takes `out` where every np.ufunc does
    signature += ["*", "out=None"] if signature else ["out=None", "*"]
    signature += [f"{option}={given.default}" for option, given in entry.options.items()]
    names = [parameter for parameter, given in entry.parameters.items() if given.in_slope or not backward]
    roles = (function, *operands.split(", "), *names, *entry.options)
    given = "".join(f", {parameter}" for parameter in names)
    return _FUNCTION.format(
        function=function, operands=operands, roles=roles, signature=", ".join([operands, *signature]),
        given=given, refusal=_refusal(function, entry),
        ufuncs=f"_UFUNCS[{ufunc!r}]" if given else f"(_kernels.{ufunc}_ufunc,)",
        general=_general(entry, backward, operands, roles),
        shortcut=_shortcut(f"{entry.plain}{'_backward' * backward}", names, operands, roles) if entry.plain else "")


# Written out and compiled, as collections.namedtuple does: each has the names and defaults of its entry and costs no
# more than a function written by hand.
exec("".join(_source(name, entry, backward)
             for name, entry in _ENTRIES.items() for backward in (False, True)
             if not (backward and f"{name}_backward" in globals())))

_WEIGHTED = {"grad_x": "The gradient with respect to x.",
             "grad_weight": "That with respect to the weight, of its shape: summed where it broadcasts, in float64."}
for _name, _entry in _ENTRIES.items():
    _given = {parameter: given.meaning for parameter, given in {**_entry.parameters, **_entry.options}.items()}
    _raises, _keywords = _documentation.refused(_entry.refused), "; `out` as a keyword"
    globals()[_name].__doc__ = _documentation.forward(
        _name, _entry.formula, _entry.source, "x", _given, _raises, _keywords)
    globals()[f"{_name}_backward"].__doc__ = _documentation.backward(
        f"{_name}_backward", _documentation.chain_rule(_name, _entry.slope), {"x": "The forward's input", **_given},
        _WEIGHTED if _name == "prelu" else None, _raises, _keywords)
