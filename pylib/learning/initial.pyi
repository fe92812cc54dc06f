from collections.abc import Iterable
from typing import Final, Literal, SupportsIndex

import numpy as np
from numpy.typing import DTypeLike

from .._typing import Array, Rng

__all__ = ["he_normal", "he_uniform", "xavier_normal", "xavier_uniform"]

GAINS: Final[dict[str, float]]

def xavier_uniform(
    shape: Iterable[SupportsIndex], rng: Rng, gain: float | str = 1.0,
    *, dtype: DTypeLike = np.float32, generation: SupportsIndex = 0,
) -> Array: ...
def xavier_normal(
    shape: Iterable[SupportsIndex], rng: Rng, gain: float | str = 1.0,
    *, dtype: DTypeLike = np.float32, generation: SupportsIndex = 0,
) -> Array: ...
def he_uniform(
    shape: Iterable[SupportsIndex], rng: Rng, gain: float | str = "relu",
    *, mode: Literal["fan_in", "fan_out"] = "fan_in", dtype: DTypeLike = np.float32, generation: SupportsIndex = 0,
) -> Array: ...
def he_normal(
    shape: Iterable[SupportsIndex], rng: Rng, gain: float | str = "relu",
    *, mode: Literal["fan_in", "fan_out"] = "fan_in", dtype: DTypeLike = np.float32, generation: SupportsIndex = 0,
) -> Array: ...
