from .._typing import Array, Numbers
from .losses import _Reduction

def mse(
    x: Numbers, target: Numbers, *, reduction: _Reduction = "mean",
) -> Array: ...
def mse_backward(
    grad: Numbers, x: Numbers, target: Numbers,
    *, reduction: _Reduction = "mean", out: Array | None = None,
) -> Array: ...
def l1(
    x: Numbers, target: Numbers, *, reduction: _Reduction = "mean",
) -> Array: ...
def l1_backward(
    grad: Numbers, x: Numbers, target: Numbers,
    *, reduction: _Reduction = "mean", out: Array | None = None,
) -> Array: ...
def huber(
    x: Numbers, target: Numbers, *, reduction: _Reduction = "mean", delta: float = 1.0,
) -> Array: ...
def huber_backward(
    grad: Numbers, x: Numbers, target: Numbers,
    *, reduction: _Reduction = "mean", delta: float = 1.0, out: Array | None = None,
) -> Array: ...
def binary_cross_entropy_with_logits(
    x: Numbers, target: Numbers,
    *, reduction: _Reduction = "mean", weight: Numbers | None = None, pos_weight: Numbers | None = None,
) -> Array: ...
def binary_cross_entropy_with_logits_backward(
    grad: Numbers, x: Numbers, target: Numbers,
    *, reduction: _Reduction = "mean", out: Array | None = None, weight: Numbers | None = None,
    pos_weight: Numbers | None = None,
) -> Array: ...
