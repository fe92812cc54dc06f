from typing import Any, Literal, TypeAlias, overload

from .._typing import Array, Numbers

_Axis: TypeAlias = int | tuple[int, ...] | None

@overload
def logsumexp(
    x: Numbers, axis: _Axis = -1, *, out: Array | None = None, keepdims: bool = False, where: Numbers | None = None,
    b: Numbers | None = None, return_sign: Literal[False] = False,
) -> Array: ...
@overload
def logsumexp(
    x: Numbers, axis: _Axis = -1, *, out: Array | None = None, keepdims: bool = False, where: Numbers | None = None,
    b: Numbers | None = None, return_sign: Literal[True],
) -> tuple[Array, Array]: ...
@overload
def logsumexp(
    x: Numbers, axis: _Axis = -1, *, out: Array | None = None, keepdims: bool = False, where: Numbers | None = None,
    b: Numbers | None = None, return_sign: bool,
) -> Any: ...
def logsumexp_backward(
    grad: Numbers, x: Numbers, axis: _Axis = -1, *, out: Array | None = None, keepdims: bool = False,
    where: Numbers | None = None, b: Numbers | None = None,
) -> Array: ...
