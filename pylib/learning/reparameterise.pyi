from typing import Any, Literal, SupportsIndex, overload

from .._typing import Array, Numbers, Rng

__all__ = ["kl_standard_normal", "kl_standard_normal_backward", "reparameterize", "reparameterize_backward"]

@overload
def reparameterize(
    mu: Numbers, logvar: Numbers, rng: Rng | None = None, eps: Numbers | None = None,
    *, generation: SupportsIndex = 0, return_eps: Literal[False] = False, out: Array | None = None,
) -> Array: ...
@overload
def reparameterize(
    mu: Numbers, logvar: Numbers, rng: Rng | None = None, eps: Numbers | None = None,
    *, generation: SupportsIndex = 0, return_eps: Literal[True], out: Array | None = None,
) -> tuple[Array, Array]: ...
@overload
def reparameterize(
    mu: Numbers, logvar: Numbers, rng: Rng | None = None, eps: Numbers | None = None,
    *, generation: SupportsIndex = 0, return_eps: bool, out: Array | None = None,
) -> Any: ...
def reparameterize_backward(
    grad: Numbers, logvar: Numbers, rng: SupportsIndex | None = None, eps: Numbers | None = None,
    *, generation: SupportsIndex = 0,
) -> tuple[Array, Array]: ...
def kl_standard_normal(mu: Numbers, logvar: Numbers) -> Array: ...
def kl_standard_normal_backward(grad: Numbers, mu: Numbers, logvar: Numbers) -> tuple[Array, Array]: ...
