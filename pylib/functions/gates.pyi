from .._typing import Array, Binary, Numbers, TernaryPair

swiglu: Binary
swiglu_backward: TernaryPair
geglu: Binary
geglu_backward: TernaryPair
reglu: Binary
reglu_backward: TernaryPair

def glu(x: Numbers, axis: int = -1, *, out: Array | None = None) -> Array: ...
def glu_backward(grad: Numbers, x: Numbers, axis: int = -1, *, out: Array | None = None) -> Array: ...
