from typing import Any, Literal, SupportsIndex, overload

from .._typing import Array, Numbers, Rng

__all__ = ["dropout", "dropout_backward"]

@overload
def dropout(
    x: Numbers, p: float, rng: Rng, *, generation: SupportsIndex = 0, return_key: Literal[False] = False,
    out: Array | None = None,
) -> Array: ...
@overload
def dropout(
    x: Numbers, p: float, rng: Rng, *, generation: SupportsIndex = 0, return_key: Literal[True],
    out: Array | None = None,
) -> tuple[Array, int]: ...
@overload
def dropout(
    x: Numbers, p: float, rng: Rng, *, generation: SupportsIndex = 0, return_key: bool, out: Array | None = None
) -> Any: ...
def dropout_backward(
    grad: Numbers, p: float, rng: SupportsIndex, *, generation: SupportsIndex = 0, out: Array | None = None
) -> Array: ...
