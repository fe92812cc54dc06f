from typing import Final, SupportsIndex

import numpy as np
from numpy.typing import NDArray

from .._typing import Bytes, Float32, Numbers

__all__ = ["FLOAT4", "INT4", "LOG4", "LOG4_ZERO", "NF4", "Codebook", "best_scale", "decode", "encode"]

class Codebook:
    name: str
    levels: Float32
    order: Float32
    middles: NDArray[np.float64]
    tables: Bytes
    steps: NDArray[np.int16]
    step: float
    def __init__(self, levels: Numbers, name: str = "custom") -> None: ...
    def __eq__(self, other: object) -> bool: ...
    def __hash__(self) -> int: ...

LOG4: Final[Codebook]
LOG4_ZERO: Final[Codebook]
NF4: Final[Codebook]
FLOAT4: Final[Codebook]
INT4: Final[Codebook]

def best_scale(weights: Numbers, codebook: Codebook = LOG4, *, group: SupportsIndex | None = None) -> Float32: ...
def decode(
    genomes: Numbers, codebook: Codebook = LOG4, scale: Numbers = 1.0,
    *, group: SupportsIndex | None = None, n_weights: SupportsIndex | None = None, offset: Numbers | None = None,
) -> Float32: ...
def encode(
    weights: Numbers, codebook: Codebook = LOG4, scale: Numbers = 1.0, *, group: SupportsIndex | None = None
) -> Bytes: ...
