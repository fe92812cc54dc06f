from typing import Any, Literal, TypeAlias, overload

from .._typing import Array, Numbers

_Axis: TypeAlias = int | tuple[int, ...] | None
_Algorithm: TypeAlias = Literal["shifted", "two_pass", "one_pass"]

@overload
def rms_norm(
    x: Numbers, weight: Numbers | None = None,
    *, eps: float = 1e-6, axis: _Axis = -1, out: Array | None = None, return_stats: Literal[False] = False,
) -> Array: ...
@overload
def rms_norm(
    x: Numbers, weight: Numbers | None = None,
    *, eps: float = 1e-6, axis: _Axis = -1, out: Array | None = None, return_stats: Literal[True],
) -> tuple[Array, Array]: ...
@overload
def rms_norm(
    x: Numbers, weight: Numbers | None = None,
    *, eps: float = 1e-6, axis: _Axis = -1, out: Array | None = None, return_stats: bool,
) -> Any: ...
@overload
def layer_norm(
    x: Numbers, weight: Numbers | None = None, bias: Numbers | None = None,
    *, eps: float = 1e-5, axis: _Axis = -1, out: Array | None = None, return_stats: Literal[False] = False,
    algorithm: _Algorithm = "shifted",
) -> Array: ...
@overload
def layer_norm(
    x: Numbers, weight: Numbers | None = None, bias: Numbers | None = None,
    *, eps: float = 1e-5, axis: _Axis = -1, out: Array | None = None, return_stats: Literal[True],
    algorithm: _Algorithm = "shifted",
) -> tuple[Array, Array, Array]: ...
@overload
def layer_norm(
    x: Numbers, weight: Numbers | None = None, bias: Numbers | None = None,
    *, eps: float = 1e-5, axis: _Axis = -1, out: Array | None = None, return_stats: bool,
    algorithm: _Algorithm = "shifted",
) -> Any: ...
@overload
def rms_norm_backward(
    grad: Numbers, x: Numbers, weight: None = None,
    *, rstd: Numbers | None = None, eps: float = 1e-6, axis: _Axis = -1, out: Array | None = None,
) -> tuple[Array, None]: ...
@overload
def rms_norm_backward(
    grad: Numbers, x: Numbers, weight: Numbers,
    *, rstd: Numbers | None = None, eps: float = 1e-6, axis: _Axis = -1, out: Array | None = None,
) -> tuple[Array, Array]: ...
def layer_norm_backward(
    grad: Numbers, x: Numbers, weight: Numbers | None = None, bias: Numbers | None = None,
    *, mean: Numbers | None = None, rstd: Numbers | None = None, eps: float = 1e-5, axis: _Axis = -1,
    out: Array | None = None,
) -> tuple[Array, Array | None, Array | None]: ...
@overload
def add_rms_norm(
    x: Numbers, residual: Numbers, weight: Numbers | None = None,
    *, eps: float = 1e-6, axis: _Axis = -1, out: tuple[Array | None, Array | None] | None = None,
    return_stats: Literal[False] = False,
) -> tuple[Array, Array]: ...
@overload
def add_rms_norm(
    x: Numbers, residual: Numbers, weight: Numbers | None = None,
    *, eps: float = 1e-6, axis: _Axis = -1, out: tuple[Array | None, Array | None] | None = None,
    return_stats: Literal[True],
) -> tuple[Array, Array, Array]: ...
@overload
def add_rms_norm(
    x: Numbers, residual: Numbers, weight: Numbers | None = None,
    *, eps: float = 1e-6, axis: _Axis = -1, out: tuple[Array | None, Array | None] | None = None,
    return_stats: bool,
) -> Any: ...
