"""Docstrings of the elementwise functions, from the entries of table.py: what they share is written once."""

from ..bounds import CANCELLING, SIXTEEN, of

_FORWARD = """{formula}, element by element.

Parameters
----------
{inputs}out, where, dtype, ...
    As for every np.ufunc{keywords}.

Returns
-------
y : ndarray or scalar
    Of the dtype of `{first}` and the shape that the operands broadcast to.{numbers}
{raises}
Notes
-----
Error bound in ULP of the exact result: {bounds}.
{figure}Source: {source}.
"""
_BACKWARD = """{formula}, element by element.

Parameters
----------
grad : array_like of float16, bfloat16, float32 or float64, any shape
    The gradient arriving.
{inputs}out, where, dtype, ...
    As for every np.ufunc{keywords}.

Returns
-------
{results}{raises}
Notes
-----
Error bound in ULP of {unit}, for the given inputs: {bounds}.
{figure}"""
_FIGURE = "Curve, derivative and error over x: docs/images/functions/{name}.png.\n"
_FLOATS = "{name} : array_like of float16, bfloat16, float32 or float64, any shape\n"
_NUMBERS = """ A Python number among the parameters is taken in
    the precision of the computation: float32, where `x` has 16 bits. Arrays and NumPy's scalars promote as usual."""
_INTEGERS = "    Integers are converted as np.exp converts them.\n"


def _bounds_of(name):
    bounds = of(name)
    return f"{bounds['float32']:g} (float32), {bounds['float64']:g} (float64), {SIXTEEN:g} (float16, bfloat16)"


def _unit_of(name):
    if name in CANCELLING:
        return "the exact result or, where results cancel, of what they cancel from"
    return "the exact result"


def _parameters(descriptions):
    return "".join(f"{name} : array_like\n    {text}; broadcasts.\n" for name, text in descriptions.items())


_REFUSED = {"negative": "`{}` is negative.", "zero": "`{}` is 0.", "exceeding": "`{}` exceeds `{}`."}


def refused(refusal):
    """Return the section on errors for what an entry of the table refuses."""
    if not refusal:
        return ""
    kind, *names = refusal
    return f"\nRaises\n------\nValueError\n    {_REFUSED[kind].format(*names)}\n"


def chain_rule(name, slope):
    """Return the formula of a backward from the derivative of its function."""
    return f"grad * {name}'; {name}' = {slope}"


def forward(name, formula, source, first="x", parameters=None, raises="", keywords=""):
    """Return the docstring of a function of `first` and of parameters, a description each."""
    inputs = _FLOATS.format(name=first) + _INTEGERS + _parameters(parameters or {})
    numbers = _NUMBERS if parameters and first == "x" else ""
    return _FORWARD.format(formula=formula, inputs=inputs, first=first, numbers=numbers, raises=raises,
                           bounds=_bounds_of(name), source=source, keywords=keywords, figure=_FIGURE.format(name=name))


def backward(name, formula, inputs, results=None, raises="", keywords=""):
    """Return the docstring of a backward: `inputs` describes each operand but the gradient."""
    results = results or {"grad_x": "The gradient with respect to x."}
    described = "".join(f"{result} : ndarray or scalar\n    {text}\n" for result, text in results.items())
    forward_name = name.removesuffix("_backward")
    return _BACKWARD.format(formula=formula, inputs=_parameters(inputs), results=described, raises=raises,
                            unit=_unit_of(name), bounds=_bounds_of(name), keywords=keywords,
                            figure=_FIGURE.format(name=forward_name))


def named(ufunc, name, module="lanewise"):
    """Give a ufunc the names that a function has, which others read; its ``__name__`` is its own."""
    ufunc.__qualname__, ufunc.__module__ = name, module
    return ufunc


def with_bound(function):
    """Put the error bound of a function along an axis where its docstring says ``%(bound)s``."""
    name = function.__name__
    note = f"Error bound in ULP of {_unit_of(name)}: {_bounds_of(name)}."
    if function.__doc__:  # which python -OO leaves out
        function.__doc__ = function.__doc__.replace("%(bound)s", note)
    return function
