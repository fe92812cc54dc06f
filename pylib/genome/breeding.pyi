from typing import Any, Literal, SupportsIndex, TypeAlias, overload

from .._typing import Bytes, Numbers, Rng
from .codes import LOG4, Codebook

__all__ = ["crossover", "diversity", "hamming_distance", "mutate", "random_population"]

_Mutation: TypeAlias = Literal["flip", "gray", "step", "redraw"]
_Crossover: TypeAlias = Literal["uniform", "bitwise", "one_point", "two_point"]

def random_population(
    size: SupportsIndex, n_weights: SupportsIndex, rng: Rng, *, generation: SupportsIndex = 0, first: SupportsIndex = 0
) -> Bytes: ...
def mutate(
    genomes: Numbers, rate: Numbers, rng: Rng, out: Bytes | None = None,
    *, kind: _Mutation = "flip", codebook: Codebook = LOG4, n_weights: SupportsIndex | None = None,
    generation: SupportsIndex = 0, first: SupportsIndex = 0,
) -> Bytes: ...
@overload
def crossover(
    a: Numbers, b: Numbers, rng: Rng, children: Literal[1] = 1,
    *, kind: _Crossover = "uniform", n_weights: SupportsIndex | None = None, generation: SupportsIndex = 0,
    first: SupportsIndex = 0,
) -> Bytes: ...
@overload
def crossover(
    a: Numbers, b: Numbers, rng: Rng, children: Literal[2],
    *, kind: _Crossover = "uniform", n_weights: SupportsIndex | None = None, generation: SupportsIndex = 0,
    first: SupportsIndex = 0,
) -> tuple[Bytes, Bytes]: ...
def hamming_distance(a: Numbers, b: Numbers, unit: Literal["bits", "weights"] = "bits") -> Any: ...
def diversity(population: Numbers) -> float: ...
