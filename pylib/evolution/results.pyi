from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from .._typing import Array, Bytes

HISTORY: Final[np.dtype[Any]]

@dataclass(frozen=True, eq=False)
class State:
    generation: int
    progress: float
    seconds: float
    loss: float
    mean_loss: float
    mutation_rate: float
    diversity: float
    accuracy: float
    held_out_loss: float
    genome: Bytes

@dataclass(frozen=True, eq=False)
class EvolutionResult:
    genome: Bytes
    loss: float
    population: Bytes
    history: Array
    seed: int
    stopped: str
    resumed: int = 0

class FitnessError(RuntimeError):
    result: EvolutionResult | None
