"""Activations with parameters, and their backwards: thin functions over np.ufunc objects whose parameters broadcast.
They are made from the entries of table.py, with defaults, checks and documentation; the numbers in
lanewise.kernels.activations."""

import numpy as np

from ..environment import unflushed
from ..kernels import activations as _kernels
from ..kernels.batch_norm import total_gufunc
from ..kernels.operands import any_less, any_zero, apply  # noqa: F401  of the source below too
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


def _differ(given, defaults):
    # whether any number that a call has given is another than its default
    return any(type(one) is not float or one != usual for one, usual in zip(given, defaults, strict=True))


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
    grad_weight = call("prelu_backward", total_gufunc, (by_weight,)).reshape(np.shape(weight))
    return grad_x, rounded_to(getattr(weight, "dtype", grad_x.dtype), grad_weight)


_FUNCTION = """
def {function}({signature}, **keywords):
    {refusal}{general}{shortcut}return apply({roles}, {ufuncs}, keywords, out, ({operands},){given})
"""
_SHORTCUT = """if {parameter} is {default} or _is_one({parameter}):
        return apply({roles}, {ufuncs}, keywords, out, ({operands},){given})
    """
_GENERAL = """if ({changed}) and _differ(({options},), ({defaults},)):
        return apply({roles}, {ufuncs}, keywords, out, ({operands},), {given})
    """
_REFUSAL = """if ({changed}) and {found}:
        raise ValueError(f{words!r})
    """
# what is found out about parameters, and the words of the error where it is so
_REFUSALS = {
    "negative": ("any_less({function!r}, {0!r}, {0}, '0', 0.0)", "{0} must be 0 or more; got {{{0}}}"),
    "zero": ("any_zero({function!r}, {0!r}, {0})", "{0} must not be 0; got {{{0}}}"),
    "exceeding": ("any_less({function!r}, {1!r}, {1}, {0!r}, {0})", "{0} must not exceed {1}; got {{{0}}} and {{{1}}}"),
}


def _default(name, parameter):
    # the name that a default has in the source: what a call leaves out is known by it, which takes a fifth of the time
    # that its value takes
    return f"_usual_{name}_{parameter}"


def _changed(name, parameters):
    return " or ".join(f"{parameter} is not {_default(name, parameter)}" for parameter in parameters)


def _refusal(name, function, entry):
    # the lines that check what an entry says is refused, or nothing
    if not entry.refused:
        return ""
    kind, *names = entry.refused
    found, words = (text.format(*names, function=function) for text in _REFUSALS[kind])
    return _REFUSAL.format(changed=_changed(name, names), found=found, words=f"{function}: {words}")


def _general(name, entry, backward, operands, roles):
    # the call that takes the options too, where one is not its default, or nothing
    if not entry.options:
        return ""
    return _GENERAL.format(
        changed=_changed(name, entry.options), options=", ".join(entry.options), operands=operands, roles=roles,
        defaults=", ".join(_default(name, option) for option in entry.options),
        ufuncs=f"_{entry.general}{'_backward' * backward}", given=", ".join([*entry.parameters, *entry.options]))


def _shortcut(name, plain, parameters, operands, roles):
    # the call of another function where the only parameter is 1
    return _SHORTCUT.format(
        parameter=parameters[0], default=_default(name, parameters[0]), ufuncs=f"_{plain}", roles=roles,
        operands=operands, given=", 1.0" if plain in _UFUNCS else "")


def _source(name, entry, backward):
    """The source of a function, or of its backward, that an entry of the table describes."""
    function = f"{name}_backward" if backward else name
    ufunc = (entry.backward_ufunc or f"{entry.ufunc or name}_backward") if backward else entry.ufunc or name
    operands = "grad, x" if backward else "x"
    signature = [parameter if given.default is None and (given.in_slope or not backward)
                 else f"{parameter}={_default(name, parameter)}" for parameter, given in entry.parameters.items()]
    # without a parameter it takes `out` where every np.ufunc does
    signature += ["*", "out=None"] if signature else ["out=None", "*"]
    signature += [f"{option}={_default(name, option)}" for option in entry.options]
    names = [parameter for parameter, given in entry.parameters.items() if given.in_slope or not backward]
    roles = (function, *operands.split(", "), *names, *entry.options)
    return _FUNCTION.format(
        function=function, operands=operands, roles=roles, signature=", ".join([operands, *signature]),
        given="".join(f", {parameter}" for parameter in names), refusal=_refusal(name, function, entry),
        ufuncs=f"_{ufunc}", general=_general(name, entry, backward, operands, roles),
        shortcut=_shortcut(name, f"{entry.plain}{'_backward' * backward}", names, operands, roles)
        if entry.plain else "")


for _name, _entry in _ENTRIES.items():
    for _parameter, _given in {**_entry.parameters, **_entry.options}.items():
        globals()[_default(_name, _parameter)] = _given.default
for _name, _ufunc in vars(_kernels).items():
    if _name.endswith("_ufunc"):
        _name = _name.removesuffix("_ufunc")
        globals()[f"_{_name}"] = _UFUNCS.get(_name, (_ufunc,))
# Written out and compiled, as collections.namedtuple does: each has the names and defaults of its entry and costs no
# more than a function written by hand.
exec(compile("".join(_source(name, entry, backward)
                     for name, entry in _ENTRIES.items() for backward in (False, True)
                     if not (backward and f"{name}_backward" in globals())), f"<{__name__}>", "exec"))

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
