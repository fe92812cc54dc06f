from typing import Any

from .._typing import Array, Binary, Numbers, Out, TernaryPair

geglu: Binary
geglu_backward: TernaryPair
reglu: Binary
reglu_backward: TernaryPair

def swiglu(
    gate: Numbers, up: Numbers, out: Out = None, *, beta: Numbers = 1.0, limit: Numbers = ..., shift: Numbers = 0.0,
    **keywords: Any,
) -> Any: ...
def swiglu_backward(
    grad: Numbers, gate: Numbers, up: Numbers, out: tuple[Array | None, Array | None] | None = None, *,
    beta: Numbers = 1.0, limit: Numbers = ..., shift: Numbers = 0.0, **keywords: Any,
) -> tuple[Any, Any]: ...
def glu(x: Numbers, axis: int = -1, *, out: Array | None = None) -> Array: ...
def glu_backward(grad: Numbers, x: Numbers, axis: int = -1, *, out: Array | None = None) -> Array: ...
