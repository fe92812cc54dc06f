"""Lanewise's activations, gates, softmaxes and norms in JAX, on the CPU: with gradients, under jit and vmap.

Imported only when asked: ``from lanewise import jax as lj``. Each function takes float16, bfloat16, float32 or float64
and gives the bits of the function of `lanewise` with the same name. A call is one of XLA's foreign functions, whose
handler is compiled when it is first used, in a second, against the header that JAX installs; where there is no C
compiler, JAX calls back into Python, which is right and slow. `handler()` says which of the two it is.
"""

import ctypes as _ctypes
import functools as _functools
import operator as _operator
from pathlib import Path as _Path

import jax as _jax
import jax.numpy as _jnp
import numpy as _np

from . import embedding as _embedding
from . import functions as _functions
from .embedding import compiled as _compiled
from .embedding.table import table as _table
from .functions.table import FUNCTIONS as _TABLE
from .kernels import interface as _interface
from .kernels import norms as _norms
from .kernels import softmax as _softmax
from .kernels.row_loops import loops_of as _loops_of

_DTYPES = ("float16", "bfloat16", "float32", "float64")  # in the order of loops_of
_CODES = {"float16": "binary16", "bfloat16": "bfloat16"}
_GATES = ("geglu", "reglu", "swiglu")
_NO_NUMBERS = _np.empty(0, _np.float32)
_PARAMETRIC = ("celu", "elu", "leaky_relu", "squareplus", "swish")
_NORMS = {"rms_norm": (("weight",), 1e-6), "layer_norm": (("weight", "bias"), 1e-5)}
# what the handler of rows calls, by its place in this list and that of its dtype
_LOOPS = {"softmax": _softmax.softmax_gufunc, "softmax_backward": _softmax.softmax_backward_gufunc,
          "log_softmax": _softmax.log_softmax_gufunc, "log_softmax_backward": _softmax.log_softmax_backward_gufunc,
          "rms_norm": _norms.rms_norm_gufunc, "layer_norm": _norms.layer_norm_gufunc,
          "rms_norm_backward": _norms.rms_norm_backward_gufunc,
          "layer_norm_backward": _norms.layer_norm_backward_gufunc,
          "rms_stats": _norms.rms_stats_gufunc, "layer_stats": _norms.layer_stats_gufunc}
__all__ = ["handler"]


def _library():
    """The compiled handler; None where nothing compiles it."""
    headers = _Path(_jax.ffi.include_dir())
    return _compiled.library(("xla.c", "rows.h"), "CC", ["-std=c11", f"-I{headers}"], [],
                             (headers / "xla/ffi/api/c_api.h").read_bytes())


@_functools.cache
def handler():
    """Return how calls reach the kernels: ``"foreign function"``, or ``"callback"`` where no C compiler is found.

    Returns
    -------
    str
        The first call of any function decides it, for the life of the process.
    """
    library = _library()
    if library is None:
        return "callback"
    library.lanewise_set_table(_ctypes.c_void_p(_interface.address_in(_table())))
    for which, gufunc in enumerate(_LOOPS.values()):
        kinds, inputs, addresses = _loops_of(gufunc, False)
        for place, (function, operation) in enumerate(addresses, which * len(_DTYPES)):
            library.lanewise_set_loop(place, _ctypes.c_void_p(function), _ctypes.c_void_p(operation), inputs,
                                      kinds.encode())
    for name in ("lanewise_flat", "lanewise_rows"):
        _jax.ffi.register_ffi_target(name, _jax.ffi.pycapsule(getattr(library, name)), platform="cpu")
    return "foreign function"


def _place(name):
    return _np.int64(_embedding.functions().index(name))


def _of_one_kind(name, operands):
    """Arrays of one shape and dtype, which is one of the four."""
    operands = [_jnp.asarray(operand) for operand in operands]
    x = operands[-1]
    if x.dtype.name not in _DTYPES:
        raise TypeError(f"lanewise.jax.{name} expected float16, bfloat16, float32 or float64; got {x.dtype.name}")
    if any(operand.shape != x.shape or operand.dtype != x.dtype for operand in operands):
        raise ValueError(f"lanewise.jax.{name} expected arrays of one shape and dtype; got "
                         f"{' and '.join(f'{operand.shape} {operand.dtype}' for operand in operands)}")
    return operands


def _axes(aval):
    """The axes of a mesh along which an array differs between the devices of jax.shard_map."""
    manual = getattr(aval, "manual_axis_type", None)  # JAX before 0.10 has none
    return frozenset() if manual is None else manual.varying


def _varying(x, axes):
    """An array that JAX takes for one that differs along these axes. What every device had alike before is copied to
    them, and so the gradient of it is a sum over them."""
    more = tuple(sorted(axes - _axes(_jax.typeof(x)), key=str))
    return _jax.lax.pcast(x, more, to="varying") if more else x


def _alike(*operands):
    """Arrays that differ along the same axes."""
    operands = [_jnp.asarray(operand) for operand in operands]
    axes = frozenset().union(*(_axes(_jax.typeof(operand)) for operand in operands))
    return [_varying(operand, axes) for operand in operands]


def _like(x):
    """A result of the shape and dtype of an array, which devices share as they share this."""
    return _jax.typeof(x).update(weak_type=False)


def _back(function, results, operands, vmap_method="sequential"):
    """Have JAX call back into Python, an element of a batch at a time or all at once."""
    def back(*arrays):
        return function(*map(_np.asarray, arrays))

    found = _jax.pure_callback(back, results, *operands, vmap_method=vmap_method)
    return _jax.tree.map(lambda of, like: _varying(of, _axes(like)), found, results)


def _called(name, python, operands, parameters=(), outputs=1):
    """Call a kernel on arrays of one shape and dtype, and on numbers."""
    operands = _of_one_kind(name, operands)
    x = operands[-1]
    dtype = x.dtype.name
    results = [_like(operand) for operand in operands[-outputs:]]
    if handler() == "callback":
        return _back(lambda *arrays: python(*arrays, *parameters), results if outputs > 1 else results[0], operands,
                     "broadcast_all")
    computed = "float64" if dtype == "float64" else "float32"
    codes = _CODES.get(dtype, "binary16")  # used by 16-bit dtypes alone
    # a parameter of 16-bit numbers is float32: it must not be rounded before anything is computed
    operands += [_jnp.full(x.shape, parameter, computed) for parameter in parameters]
    call = _jax.ffi.ffi_call("lanewise_flat", results if outputs > 1 else results[0], vmap_method="broadcast_all")
    return call(*operands, function=_place(f"{name}_{computed}"), widen=_place(f"decode_{codes}_float32"),
                narrow=_place(f"encode_{codes}_float32"))


def _rows(name, x, vectors, number, results=None, statistics=None):
    """Call a function along the last axis on rows, on vectors along them, and on one number, or on statistics that
    another function finds with it. Where rows share the results they are of one element of a batch."""
    dtype = x[0].dtype.name

    def place(name):
        return _np.int64(-1 if name is None else list(_LOOPS).index(name) * len(_DTYPES) + _DTYPES.index(dtype))

    call = _jax.ffi.ffi_call("lanewise_rows", results or _like(x[0]),
                             vmap_method="broadcast_all" if results is None else "sequential")
    return call(*x, *vectors, loop=place(name), number=_np.float64(number), statistics=place(statistics),
                narrow=_place(f"encode_{_CODES.get(dtype, 'binary16')}_float32"))


def _only_once(name, call, *operands):
    """A call within a gradient, which has no derivative of its own: JAX would say so of a foreign function."""
    last = _jax.custom_jvp(call)

    @last.defjvp
    def refuse(primals, tangents):
        raise NotImplementedError(f"lanewise.jax.{name} has a gradient, and the gradient has none: Lanewise has no "
                                  "second derivatives")

    return last(*operands)


def _publish(name, function, operands, parameters, kind="elementwise", shapes="Of one shape; ", jit=False):
    listed = "".join(f"\n    {key} : {type_of}\n        {meaning}" for key, (type_of, meaning) in parameters.items())
    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"""{name}, {kind}.

    The bits are those of `lanewise.{name}`, which documents the formula and the error bound.

    Parameters
    ----------
    {operands} : array_like
        {shapes}float16, bfloat16, float32 or float64.{listed}

    Returns
    -------
    jax.Array
        Of that shape and dtype.

    Raises
    ------
    TypeError
        If a dtype is another one.
    """
    globals()[name] = _jax.jit(function) if jit else function
    __all__.append(name)


def _elementwise(name, parameters):
    forward, backward = getattr(_functions, name), getattr(_functions, f"{name}_backward")
    takes_output = _TABLE[name].takes == "y"

    @_functools.partial(_jax.custom_vjp, nondiff_argnums=(1,))
    def differentiable(x, numbers):
        return _called(name, forward, [x], numbers)

    def run(x, numbers):
        y = differentiable(x, numbers)
        return y, y if takes_output else x

    def gradient(numbers, saved, grad):
        return (_only_once(name, lambda *operands: _called(f"{name}_backward", backward, operands, numbers), grad,
                           saved),)

    differentiable.defvjp(run, gradient)
    if not parameters:
        _publish(name, lambda x: differentiable(x, ()), "x", {}, jit=True)
        return
    compiled = _jax.jit(differentiable, static_argnums=1)
    ((key, default),) = parameters.items()

    def given(number):
        if _TABLE[name].refused:
            forward(_NO_NUMBERS, float(number))  # refuses what it always refuses
        return (float(number),)

    namespace = {"compiled": compiled, "given": given}
    exec(f"def function(x, {key}={default}):\n    return compiled(x, given({key}))", namespace)
    _publish(name, namespace["function"], "x",
             {key: ("float", f"As of `lanewise.{name}`; not differentiated, and static under jit.")})


def _gate(name):
    forward, backward = getattr(_functions, name), getattr(_functions, f"{name}_backward")

    @_jax.custom_vjp
    def differentiable(gate, up):
        return _called(name, forward, [gate, up])

    def gradient(saved, grad):
        return tuple(_only_once(name, lambda *operands: _called(f"{name}_backward", backward, operands, outputs=2),
                                grad, *saved))

    differentiable.defvjp(lambda gate, up: (differentiable(gate, up), (gate, up)), gradient)
    _publish(name, lambda gate, up: differentiable(*_alike(gate, up)), "gate, up", {}, jit=True)


def _along_axis(name):
    forward, backward = getattr(_functions, name), getattr(_functions, f"{name}_backward")

    def along(name, python, operands, axis):
        operands = [_jnp.moveaxis(operand, axis, -1) for operand in _of_one_kind(name, operands)]
        y = _back(python, _like(operands[0]), operands) if handler() == "callback" else _rows(name, operands, (), 1.0)
        return _jnp.moveaxis(y, -1, axis)

    @_functools.partial(_jax.custom_vjp, nondiff_argnums=(1,))
    def differentiable(x, axis):
        return along(name, forward, [x], axis)

    def run(x, axis):
        y = differentiable(x, axis)
        return y, y

    def gradient(axis, y, grad):
        return (_only_once(name, lambda *operands: along(f"{name}_backward", backward, operands, axis), grad, y),)

    differentiable.defvjp(run, gradient)
    compiled = _jax.jit(differentiable, static_argnums=1)

    def function(x, axis=-1):
        return compiled(x, _operator.index(axis))

    _publish(name, function, "x", {"axis": ("int", "Along which; static under jit.")}, "along an axis", "")


def _norm(name, affine, default):
    forward, backward = getattr(_functions, name), getattr(_functions, f"{name}_backward")

    def given(vectors):
        return [vector if vector.size else None for vector in vectors]

    def one(eps, x, *vectors):
        if handler() == "callback":
            return _back(lambda x, *vectors: forward(x, *given(vectors), eps=eps), _like(x), [x, *vectors])
        return _rows(name, [x], vectors, eps)

    def called(eps, x, *vectors):
        @_jax.custom_batching.custom_vmap
        def batched(x, *vectors):
            return one(eps, x, *vectors)

        @batched.def_vmap
        def over_a_batch(size, in_batched, x, *vectors):
            if not any(in_batched[1:]):  # more rows of the same weights
                return batched(x, *vectors), True
            operands = [operand if is_batched else _jnp.broadcast_to(operand, (size, *operand.shape))
                        for operand, is_batched in zip((x, *vectors), in_batched, strict=True)]
            return _jax.lax.map(lambda operands: batched(*operands), tuple(operands)), True

        return batched(x, *vectors)

    @_functools.partial(_jax.custom_vjp, nondiff_argnums=(0,))
    def differentiable(eps, x, *vectors):
        return called(eps, x, *vectors)

    def gradient(eps, saved, grad):
        x, *vectors = saved
        like = [_like(operand) for operand in saved]

        def python(grad, x, *vectors):
            grad_x, *grads = backward(grad, x, *given(vectors), eps=eps)
            return grad_x, *(vector if of is None else of for of, vector in zip(grads, vectors, strict=True))

        def call(grad, x, *vectors):
            if handler() == "callback":
                return _back(python, like, [grad, x, *vectors])
            return _rows(f"{name}_backward", [grad, x], vectors[:1], eps, like, name.replace("norm", "stats"))

        return tuple(_only_once(name, call, grad, x, *vectors))

    differentiable.defvjp(lambda eps, *operands: (differentiable(eps, *operands), operands), gradient)

    def checked(eps, x, *vectors):
        (x,) = _of_one_kind(name, [x])
        if x.ndim == 0:
            raise ValueError(f"lanewise.jax.{name} expected x of one dimension or more; got one number")
        if not 0 <= eps < _np.inf:
            raise ValueError(f"lanewise.jax.{name} expected an eps of 0 or more, and finite; got {eps}")
        of = [_jnp.zeros(0, x.dtype) if vector is None else _jnp.asarray(vector) for vector in vectors]
        for role, vector, was in zip(affine, of, vectors, strict=True):
            fits = vector.dtype == x.dtype or (vector.dtype == _np.float32 and x.dtype.name in _CODES)
            if was is not None and (vector.shape != x.shape[-1:] or not fits):
                raise ValueError(f"lanewise.jax.{name} expected a {role} of the length and dtype of a row, or of "
                                 f"float32 beside 16-bit floats; got {vector.shape} {vector.dtype} for x of {x.shape} "
                                 f"{x.dtype}")
        return differentiable(eps, *_alike(x, *of))

    compiled = _jax.jit(checked, static_argnums=0)
    namespace = {"compiled": compiled}
    listed = ", ".join(f"{of}=None" for of in affine)
    exec(f"def function(x, {listed}, *, eps={default}):\n    return compiled(float(eps), x, {', '.join(affine)})",
         namespace)
    parameters = dict.fromkeys(affine, ("array_like, optional", "Of the length and dtype of a row, or of float32 "
                               "beside\n        16-bit floats."))
    parameters["eps"] = ("float", f"As of `lanewise.{name}`; not differentiated, and static under jit.")
    _publish(name, namespace["function"], "x", parameters, "along the last axis", "")


for _name in [name for name, entry in _TABLE.items() if entry.slope and not entry.parameters]:
    _elementwise(_name, {})
for _name in _PARAMETRIC:
    _elementwise(_name, {role: given.default for role, given in _TABLE[_name].parameters.items()})
for _name in _GATES:
    _gate(_name)
for _name in ("softmax", "log_softmax"):
    _along_axis(_name)
for _name, (_affine, _eps) in _NORMS.items():
    _norm(_name, _affine, _eps)
