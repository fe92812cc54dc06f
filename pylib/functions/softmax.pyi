from typing import TypeAlias

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
def softmax_backward(
    grad: Numbers, y: Numbers, axis: _Axis = -1, *, out: Array | None = None, where: Numbers | None = None
) -> Array: ...
def softmin_backward(
    grad: Numbers, y: Numbers, axis: _Axis = -1, *, out: Array | None = None, where: Numbers | None = None
) -> Array: ...
def log_softmax_backward(
    grad: Numbers, y: Numbers, axis: _Axis = -1, *, out: Array | None = None, where: Numbers | None = None
) -> Array: ...
