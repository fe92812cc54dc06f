from typing import SupportsIndex

from numpy.typing import DTypeLike

from .._typing import Array, Numbers

def masked_softmax(
    x: Numbers, mask: Numbers | None = None, scale: float = 1.0, *, causal: bool = False, offset: SupportsIndex = 0,
    out: Array | None = None,
) -> Array: ...
def masked_softmax_backward(grad: Numbers, y: Numbers, scale: float = 1.0, *, out: Array | None = None) -> Array: ...
def rotary_embedding(
    x: Numbers, cos: Numbers, sin: Numbers, *, interleaved: bool = False, out: Array | None = None,
) -> Array: ...
def rotary_embedding_backward(
    grad: Numbers, cos: Numbers, sin: Numbers, *, interleaved: bool = False, out: Array | None = None,
) -> Array: ...
def rotary_tables(
    positions: Numbers, n: SupportsIndex, *, base: float = 10000.0, dtype: DTypeLike = ...,
) -> tuple[Array, Array]: ...
