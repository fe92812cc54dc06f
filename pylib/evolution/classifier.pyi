from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .._typing import Array, Bytes, Float32, Numbers, Path
from .network import Network

@dataclass(frozen=True, eq=False)
class Classifier:
    network: Network
    genome: Bytes
    classes: Array | None
    offset: NDArray[np.float64]
    scale: NDArray[np.float64]
    target_offset: NDArray[np.float64]
    target_scale: NDArray[np.float64]
    features: tuple[str, ...] | None
    label: str | None
    def __init__(
        self, network: Network, genome: Numbers, classes: Array | Sequence[object] | None = None,
        offset: Numbers = 0.0, scale: Numbers = 1.0, target_offset: Numbers = 0.0, target_scale: Numbers = 1.0,
        features: Sequence[str] | None = None, label: str | None = None,
    ) -> None: ...
    def prepare(self, x: Numbers) -> Float32: ...
    def outputs(self, x: Numbers) -> Float32: ...
    def predict(self, x: Numbers) -> Array: ...
    def predict_proba(self, x: Numbers) -> Float32: ...
    def score(self, x: Numbers, y: Numbers | Array | Sequence[object]) -> float: ...
    def summary(self) -> str: ...
    def save(self, path: Path) -> None: ...
    @classmethod
    def load(cls, path: Path) -> Classifier: ...
