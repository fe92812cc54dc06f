from typing import Literal, SupportsIndex, TypeAlias

from .._typing import Array, Numbers

_Reduction: TypeAlias = Literal["mean", "sum", "none"]

def check_reduction(name: str, reduction: object) -> None: ...
def cross_entropy(
    logits: Numbers, target: Numbers,
    *, label_smoothing: float = 0.0, z_loss: float = 0.0, reduction: _Reduction = "mean",
    weight: Numbers | None = None, ignore_index: SupportsIndex | None = None, axis: SupportsIndex = -1,
) -> Array: ...
def cross_entropy_with_grad(
    logits: Numbers, target: Numbers,
    *, label_smoothing: float = 0.0, z_loss: float = 0.0, reduction: _Reduction = "mean",
    weight: Numbers | None = None, ignore_index: SupportsIndex | None = None, axis: SupportsIndex = -1,
    out: Array | None = None,
) -> tuple[Array, Array]: ...
def cross_entropy_backward(
    grad: Numbers, logits: Numbers, target: Numbers,
    *, label_smoothing: float = 0.0, z_loss: float = 0.0, reduction: _Reduction = "mean",
    weight: Numbers | None = None, ignore_index: SupportsIndex | None = None, axis: SupportsIndex = -1,
    out: Array | None = None,
) -> Array: ...
def nll_loss(
    x: Numbers, target: Numbers,
    *, reduction: _Reduction = "mean", weight: Numbers | None = None, ignore_index: SupportsIndex | None = None,
    axis: SupportsIndex = -1,
) -> Array: ...
def nll_loss_backward(
    grad: Numbers, x: Numbers, target: Numbers,
    *, reduction: _Reduction = "mean", weight: Numbers | None = None, ignore_index: SupportsIndex | None = None,
    axis: SupportsIndex = -1, out: Array | None = None,
) -> Array: ...
