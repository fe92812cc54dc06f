from typing import Literal, SupportsIndex, TypeAlias

import numpy as np
from numpy.typing import NDArray

from .._typing import Array, Numbers, Rng

__all__ = [
    "act_halting", "act_halting_backward", "halting_distribution", "ponder_loss", "ponder_loss_backward",
    "ponder_loss_with_grad", "sample_halting",
]

_Reduction: TypeAlias = Literal["mean", "sum", "none"]

def halting_distribution(logits: Numbers, *, log: bool = False) -> Array: ...
def ponder_loss(
    logits: Numbers, step_losses: Numbers, prior: float = 0.2, beta: float = 0.01, *, reduction: _Reduction = "mean"
) -> Array: ...
def ponder_loss_with_grad(
    logits: Numbers, step_losses: Numbers, prior: float = 0.2, beta: float = 0.01, *, reduction: _Reduction = "mean"
) -> tuple[Array, Array, Array]: ...
def ponder_loss_backward(
    grad: Numbers, logits: Numbers, step_losses: Numbers, prior: float = 0.2, beta: float = 0.01,
    *, reduction: _Reduction = "mean",
) -> tuple[Array, Array]: ...
def sample_halting(logits: Numbers, rng: Rng, *, generation: SupportsIndex = 0) -> NDArray[np.int64]: ...
def act_halting(h: Numbers, eps: float = 0.01) -> tuple[NDArray[np.int64], Array, Array, Array]: ...
def act_halting_backward(grad_cost: Numbers, grad_weights: Numbers, steps: Numbers) -> Array: ...
