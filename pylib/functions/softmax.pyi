from typing import Any, Literal, TypeAlias, overload

from numpy.typing import DTypeLike

from .._typing import Array, Numbers

_Axis: TypeAlias = int | tuple[int, ...] | None

def softmax(
    x: Numbers, axis: _Axis = -1, *, out: Array | None = None, where: Numbers | None = None, safe: bool = False,
    dtype: DTypeLike | None = None,
) -> Array: ...
def softmin(
    x: Numbers, axis: _Axis = -1, *, out: Array | None = None, where: Numbers | None = None, safe: bool = False,
    dtype: DTypeLike | None = None,
) -> Array: ...
def log_softmax(
    x: Numbers, axis: _Axis = -1, *, out: Array | None = None, where: Numbers | None = None, safe: bool = False,
    dtype: DTypeLike | None = None,
) -> Array: ...
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
def softmax_backward(
    grad: Numbers, y: Numbers, axis: _Axis = -1, *, out: Array | None = None, where: Numbers | None = None
) -> Array: ...
def softmin_backward(
    grad: Numbers, y: Numbers, axis: _Axis = -1, *, out: Array | None = None, where: Numbers | None = None
) -> Array: ...
def log_softmax_backward(
    grad: Numbers, y: Numbers, axis: _Axis = -1, *, out: Array | None = None, where: Numbers | None = None
) -> Array: ...
def logsumexp_backward(
    grad: Numbers, x: Numbers, axis: _Axis = -1, *, out: Array | None = None, keepdims: bool = False,
    where: Numbers | None = None, b: Numbers | None = None,
) -> Array: ...
