from collections.abc import Iterable, Sequence
from typing import Any, Final, Literal, SupportsIndex, TypeAlias, overload

from .._typing import Array, Bytes, Float32, Numbers
from ..genome.codes import LOG4, Codebook
from .batch import Batch as Batch

__all__ = ["ACTIVATIONS", "Batch", "Network"]

ACTIVATIONS: Final[dict[str, Any]]
_Objective: TypeAlias = Literal["cross_entropy", "accuracy", "mse"]

class Network:
    sizes: tuple[int, ...]
    activation: str
    codebook: Codebook
    objective: str
    def __init__(
        self, sizes: Iterable[SupportsIndex], activation: str = "relu", codebook: Codebook = LOG4,
        objective: _Objective = "cross_entropy", scales: Sequence[Numbers | None] | None = None,
        biases: Sequence[Numbers | None] | None = None, *, group: SupportsIndex | None = None,
    ) -> None: ...
    @classmethod
    def quantize(
        cls, weights: Sequence[Numbers] | Array, biases: Sequence[Numbers | None] | None = None,
        codebook: Codebook = LOG4, activation: str = "relu", objective: _Objective = "cross_entropy",
        *, per: Literal["output", "layer"] = "output", group: SupportsIndex | None = None,
    ) -> tuple[Network, Bytes]: ...
    @property
    def scales(self) -> tuple[Float32 | None, ...] | None: ...
    @property
    def biases(self) -> tuple[Float32 | None, ...] | None: ...
    @property
    def group(self) -> int | None: ...
    @property
    def n_weights(self) -> int: ...
    @property
    def genome_bytes(self) -> int: ...
    def weights(self, genome: Numbers) -> list[Float32]: ...
    def batch(self, x: Numbers, y: Numbers | None = None) -> Batch: ...
    def batch_of(
        self, x: Numbers | Batch, y: Numbers | None = None, goal: _Objective | None = None, name: str = "the batch"
    ) -> Batch: ...
    def forward(self, population: Numbers, x: Numbers | Batch) -> Float32: ...
    @overload
    def loss(self, population: Numbers, x: Batch, y: None = None) -> Any: ...
    @overload
    def loss(self, population: Numbers, x: Numbers, y: Numbers) -> Any: ...
    @overload
    def accuracy(self, population: Numbers, x: Batch, y: None = None) -> Any: ...
    @overload
    def accuracy(self, population: Numbers, x: Numbers, y: Numbers) -> Any: ...
