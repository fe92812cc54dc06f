"""Lanewise's elementwise functions in JAX, on the CPU: with gradients, under jit and vmap.

Imported only when asked: ``from lanewise import jax as lj``. Each function takes float16, bfloat16, float32 or float64
and gives the bits of the function of `lanewise` with the same name. A call is one of XLA's foreign functions, whose
handler is compiled when it is first used, in a second, against the header that JAX installs; where there is no C
compiler, JAX calls back into Python, which is right and slow. `handler()` says which of the two it is.
"""

import ctypes as _ctypes
import functools as _functools
import hashlib as _hashlib
import os as _os
import shlex as _shlex
import shutil as _shutil
import subprocess as _subprocess
import sysconfig as _sysconfig
import tempfile as _tempfile
from pathlib import Path as _Path

import jax as _jax
import jax.numpy as _jnp
import numpy as _np

from . import embedding as _embedding
from . import functions as _functions
from .embedding.table import table as _table
from .functions.table import FUNCTIONS as _TABLE
from .kernels import interface as _interface

_SOURCE = _Path(_embedding.__file__).with_name("xla.c")
_DTYPES = ("float16", "bfloat16", "float32", "float64")
_CODES = {"float16": "binary16", "bfloat16": "bfloat16"}
_GATES = ("geglu", "reglu", "swiglu")
_PARAMETRIC = {
    "celu": {"alpha": 1.0}, "elu": {"alpha": 1.0}, "leaky_relu": {"negative_slope": 0.01}, "squareplus": {"b": 4.0},
    "swish": {"beta": 1.0},
}
__all__ = ["handler"]


def _library():
    """The compiled handler, kept in the user's cache for the next process; None where nothing compiles it."""
    command = _shlex.split(_os.environ.get("CC") or _sysconfig.get_config_var("CC") or "cc")
    compiler = _shutil.which(command[0])
    if compiler is None:
        return None
    headers = _Path(_jax.ffi.include_dir())
    digest = _hashlib.sha256(_SOURCE.read_bytes() + (headers / "xla/ffi/api/c_api.h").read_bytes())
    cache = _Path(_os.environ.get("XDG_CACHE_HOME") or _Path.home() / ".cache", "lanewise")
    kept = cache / f"xla-{digest.hexdigest()[:16]}-{_sysconfig.get_platform()}.so"
    if not kept.exists():
        try:
            cache.mkdir(parents=True, exist_ok=True)
            with _tempfile.TemporaryDirectory(dir=cache) as folder:
                made = _Path(folder, "xla.so")
                _subprocess.run([compiler, *command[1:], "-O2", "-std=c11", "-shared", "-fPIC", f"-I{headers}",
                                 str(_SOURCE), "-o", str(made)], check=True, capture_output=True)
                made.replace(kept)  # whole, if another process does the same
        except (OSError, _subprocess.CalledProcessError):
            return None
    return _ctypes.CDLL(str(kept))


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
    _jax.ffi.register_ffi_target("lanewise_flat", _jax.ffi.pycapsule(library.lanewise_flat), platform="cpu")
    return "foreign function"


def _place(name):
    return _np.int64(_embedding.functions().index(name))


def _called(name, python, operands, parameters=(), outputs=1):
    """Call a kernel on arrays of one shape and dtype, and on numbers."""
    operands = [_jnp.asarray(operand) for operand in operands]
    x = operands[-1]
    dtype = x.dtype.name
    if dtype not in _DTYPES:
        raise TypeError(f"lanewise.jax.{name} expected float16, bfloat16, float32 or float64; got {dtype}")
    if any(operand.shape != x.shape or operand.dtype != x.dtype for operand in operands):
        raise ValueError(f"lanewise.jax.{name} expected arrays of one shape and dtype; got "
                         f"{' and '.join(f'{operand.shape} {operand.dtype}' for operand in operands)}")
    results = [_jax.ShapeDtypeStruct(x.shape, x.dtype)] * outputs
    if handler() == "callback":
        def back(*arrays):
            return python(*map(_np.asarray, arrays), *parameters)

        return _jax.pure_callback(back, results if outputs > 1 else results[0], *operands, vmap_method="broadcast_all")
    computed = "float64" if dtype == "float64" else "float32"
    codes = _CODES.get(dtype, "binary16")  # used by 16-bit dtypes alone
    # a parameter of 16-bit numbers is float32: it must not be rounded before anything is computed
    operands += [_jnp.full(x.shape, parameter, computed) for parameter in parameters]
    call = _jax.ffi.ffi_call("lanewise_flat", results if outputs > 1 else results[0], vmap_method="broadcast_all")
    return call(*operands, function=_place(f"{name}_{computed}"), widen=_place(f"decode_{codes}_float32"),
                narrow=_place(f"encode_{codes}_float32"))


def _publish(name, function, operands, parameters):
    listed = "".join(f"\n    {key} : float\n        As of `lanewise.{name}`; not differentiated, and static under jit."
                     for key in parameters)
    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"""{name}, elementwise.

    The bits are those of `lanewise.{name}`, which documents the formula and the error bound.

    Parameters
    ----------
    {operands} : array_like
        Of one shape; float16, bfloat16, float32 or float64.{listed}

    Returns
    -------
    jax.Array
        Of that shape and dtype.

    Raises
    ------
    TypeError
        If a dtype is another one.
    """
    globals()[name] = function
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
        return (_called(f"{name}_backward", backward, [grad, saved], numbers),)

    differentiable.defvjp(run, gradient)
    compiled = _jax.jit(differentiable, static_argnums=1)
    if not parameters:
        _publish(name, lambda x: compiled(x, ()), "x", parameters)
        return
    ((key, default),) = parameters.items()
    namespace = {"compiled": compiled}
    exec(f"def function(x, {key}={default}):\n    return compiled(x, (float({key}),))", namespace)
    _publish(name, namespace["function"], "x", parameters)


def _gate(name):
    forward, backward = getattr(_functions, name), getattr(_functions, f"{name}_backward")

    @_jax.custom_vjp
    def differentiable(gate, up):
        return _called(name, forward, [gate, up])

    differentiable.defvjp(lambda gate, up: (differentiable(gate, up), (gate, up)), lambda saved, grad: tuple(
        _called(f"{name}_backward", backward, [grad, *saved], outputs=2)))
    compiled = _jax.jit(differentiable)
    _publish(name, lambda gate, up: compiled(gate, up), "gate, up", {})


for _name in [name for name, entry in _TABLE.items() if entry.slope and not entry.parameters]:
    _elementwise(_name, {})
for _name, _parameters in _PARAMETRIC.items():
    _elementwise(_name, _parameters)
for _name in _GATES:
    _gate(_name)
