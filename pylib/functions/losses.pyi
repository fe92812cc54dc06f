from typing import Literal, TypeAlias

from .._typing import Array, Numbers

_Reduction: TypeAlias = Literal["mean", "sum", "none"]

def cross_entropy(
    logits: Numbers, target: Numbers,
    *, label_smoothing: float = 0.0, z_loss: float = 0.0, reduction: _Reduction = "mean",
) -> Array: ...
def cross_entropy_with_grad(
    logits: Numbers, target: Numbers,
    *, label_smoothing: float = 0.0, z_loss: float = 0.0, reduction: _Reduction = "mean", out: Array | None = None,
) -> tuple[Array, Array]: ...
def cross_entropy_backward(
    grad: Numbers, logits: Numbers, target: Numbers,
    *, label_smoothing: float = 0.0, z_loss: float = 0.0, reduction: _Reduction = "mean", out: Array | None = None,
) -> Array: ...
