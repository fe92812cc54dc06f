from typing import Literal, overload

from .._typing import Array, Numbers

__all__ = ["linear", "linear_backward"]

def linear(
    x: Numbers, weight: Numbers, bias: Numbers | None = None,
    *, activation: Literal["relu"] | None = None, out: Array | None = None,
) -> Array: ...
@overload
def linear_backward(
    grad: Numbers, x: Numbers, weight: Numbers, bias: Numbers | None = None,
    *, activation: Literal["relu"] | None = None, y: Numbers | None = None, grad_x: Literal[True] = True,
    out: tuple[Array | None, Array | None, Array | None] = (None, None, None),
) -> tuple[Array, Array, Array | None]: ...
@overload
def linear_backward(
    grad: Numbers, x: Numbers, weight: Numbers, bias: Numbers | None = None,
    *, activation: Literal["relu"] | None = None, y: Numbers | None = None, grad_x: bool,
    out: tuple[Array | None, Array | None, Array | None] = (None, None, None),
) -> tuple[Array | None, Array, Array | None]: ...
