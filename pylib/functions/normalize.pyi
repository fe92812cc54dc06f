from typing import TypeAlias

from .._typing import Array, Numbers

_Axis: TypeAlias = int | tuple[int, ...] | None

def normalize(
    x: Numbers, p: float = 2, axis: _Axis = -1, *, eps: float = 1e-12, out: Array | None = None
) -> Array: ...
def normalize_backward(
    grad: Numbers, x: Numbers, p: float = 2, axis: _Axis = -1, *, eps: float = 1e-12, out: Array | None = None
) -> Array: ...
