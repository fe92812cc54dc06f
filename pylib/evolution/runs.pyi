from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any, Final, Literal, SupportsIndex, TypeAlias, overload

from .._typing import Numbers, Path, Rng
from ..genome.codes import LOG4, Codebook
from .network import Batch, Network
from .results import EvolutionResult, State

POPULATION: Final[int]
GENERATIONS: Final[int]
BATCH_SIZE: Final[int]
MUTATION_RATE: Final[tuple[float, float]]

_Mutation: TypeAlias = Literal["flip", "gray", "step", "redraw"]
_Crossover: TypeAlias = Literal["uniform", "bitwise", "one_point", "two_point"] | None
_Rate: TypeAlias = float | tuple[float, float] | Callable[[float], float] | Literal["adaptive"] | None
_Callback: TypeAlias = Callable[[State], object] | None

@overload
def evolve(
    network: Network, x: Batch, y: None = None,
    *, population: int = POPULATION, elite: int = 2, parents: int | None = None,
    tournament: int = 1, mutation: _Mutation = "flip", crossover: _Crossover = "uniform",
    mutation_rate: _Rate = None, niche_radius: float = 0.0, batch_size: int | None = BATCH_SIZE,
    generations: int | None = None, seconds: float | None = None,
    target_loss: float | None = None, patience: int | None = None, restart_after: int | None = None, seed: Rng = 0,
    islands: int = 1, migration: int = 25, executor: Executor | None = None, checkpoint: Path | None = None,
    resume: Path | None = None, held_out: tuple[Numbers, Numbers] | Batch | None = None,
    callback: _Callback = None, progress: bool = True, start: Numbers | None = None,
) -> EvolutionResult: ...
@overload
def evolve(
    network: Network, x: Numbers, y: Numbers,
    *, population: int = POPULATION, elite: int = 2, parents: int | None = None,
    tournament: int = 1, mutation: _Mutation = "flip", crossover: _Crossover = "uniform",
    mutation_rate: _Rate = None, niche_radius: float = 0.0, batch_size: int | None = BATCH_SIZE,
    generations: int | None = None, seconds: float | None = None,
    target_loss: float | None = None, patience: int | None = None, restart_after: int | None = None, seed: Rng = 0,
    islands: int = 1, migration: int = 25, executor: Executor | None = None, checkpoint: Path | None = None,
    resume: Path | None = None, held_out: tuple[Numbers, Numbers] | Batch | None = None,
    callback: _Callback = None, progress: bool = True, start: Numbers | None = None,
) -> EvolutionResult: ...
def minimize(
    fitness: Callable[[Any], Any], n_weights: SupportsIndex,
    *, codebook: Codebook | None = LOG4, scale: float = 1.0, vectorized: bool = False, population: int = 100,
    elite: int = 2, parents: int | None = None, tournament: int = 1, mutation: _Mutation = "flip",
    crossover: _Crossover = "uniform", mutation_rate: _Rate = None, niche_radius: float = 0.0,
    generations: int | None = None, seconds: float | None = None,
    target_loss: float | None = None, patience: int | None = None, restart_after: int | None = None, seed: Rng = 0,
    islands: int = 1, migration: int = 25, executor: Executor | None = None, checkpoint: Path | None = None,
    resume: Path | None = None, callback: _Callback = None, progress: bool = True, start: Numbers | None = None,
) -> EvolutionResult: ...
