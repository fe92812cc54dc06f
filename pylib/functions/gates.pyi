from typing import Any, Unpack, overload

from numpy.typing import NDArray

from .._typing import Array, Binary, F, Keywords, Numbers, Out, TernaryPair, Where

geglu: Binary
geglu_backward: TernaryPair
reglu: Binary
reglu_backward: TernaryPair

@overload
def swiglu(
    gate: NDArray[F], up: NDArray[F], out: None = None, *, beta: float = 1.0, limit: float = ..., shift: float = 0.0,
    where: Numbers = ..., dtype: None = ..., **keywords: Unpack[Keywords],
) -> NDArray[F]: ...
@overload
def swiglu(
    gate: Numbers, up: Numbers, out: Out = None, *, beta: Numbers = 1.0, limit: Numbers = ..., shift: Numbers = 0.0,
    **keywords: Unpack[Where],
) -> Any: ...
def swiglu_backward(
    grad: Numbers, gate: Numbers, up: Numbers, out: tuple[Array | None, Array | None] | None = None, *,
    beta: Numbers = 1.0, limit: Numbers = ..., shift: Numbers = 0.0, **keywords: Unpack[Where],
) -> tuple[Any, Any]: ...
def glu(x: Numbers, axis: int = -1, *, out: Array | None = None) -> Array: ...
def glu_backward(grad: Numbers, x: Numbers, axis: int = -1, *, out: Array | None = None) -> Array: ...
