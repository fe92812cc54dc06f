from typing import SupportsIndex, TypeAlias, overload

from .._typing import Array, Numbers

__all__ = ["adamw_step", "clip_grad_norm", "sgd_step"]

_Arrays: TypeAlias = list[Array] | tuple[Array, ...]
_Gradients: TypeAlias = list[Array] | list[Numbers] | tuple[Numbers, ...]

@overload
def sgd_step(
    param: Array, grad: Numbers, velocity: Array | None = None,
    *, lr: float, momentum: float = 0.0, dampening: float = 0.0, nesterov: bool = False, weight_decay: float = 0.0,
) -> None: ...
@overload
def sgd_step(
    param: _Arrays, grad: _Gradients, velocity: _Arrays | None = None,
    *, lr: float, momentum: float = 0.0, dampening: float = 0.0, nesterov: bool = False, weight_decay: float = 0.0,
) -> None: ...
@overload
def adamw_step(
    param: Array, grad: Numbers, first: Array, second: Array, step: SupportsIndex,
    *, lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8, weight_decay: float = 0.01,
) -> None: ...
@overload
def adamw_step(
    param: _Arrays, grad: _Gradients, first: _Arrays, second: _Arrays, step: SupportsIndex,
    *, lr: float = 1e-3, betas: tuple[float, float] = (0.9, 0.999), eps: float = 1e-8, weight_decay: float = 0.01,
) -> None: ...
def clip_grad_norm(
    grads: Array | _Arrays, max_norm: float, norm_type: float = 2.0,
    *, error_if_nonfinite: bool = False,
) -> float: ...
