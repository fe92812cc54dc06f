from typing import Any, Final

import numpy as np

from .runs import EvolutionResult

HISTORY: Final[np.dtype[Any]]

class FitnessError(RuntimeError):
    result: EvolutionResult | None
