from dataclasses import dataclass
from typing import Literal, SupportsIndex

import numpy as np
from numpy.typing import NDArray

from .._typing import Numbers

__all__ = ["GradientFlow", "gradient_flow"]

@dataclass(frozen=True)
class GradientFlow:
    activation: NDArray[np.float64]
    gradient: NDArray[np.float64]
    slope: NDArray[np.float64]
    updated: NDArray[np.float64] | None = None

def gradient_flow(
    depth: SupportsIndex = 20, width: SupportsIndex = 128, activation: str = "tanh",
    norm: Literal["layer_norm", "rms_norm", "batch_norm"] | None = None,
    init: Literal["xavier_uniform", "xavier_normal", "he_uniform", "he_normal", "identity"] = "xavier_uniform",
    gain: float | str = 1.0,
    *, batch: SupportsIndex = 64, inputs: Numbers | None = None, rng: SupportsIndex = 0, lr: float | None = None,
) -> GradientFlow: ...
