"""What a run records of each generation, what it shows a callback, and what it ends with.

Names that all of the room share, so this imports none of it.
"""

from dataclasses import dataclass, field

import numpy as np

__all__ = ["HISTORY", "EvolutionResult", "FitnessError", "State", "table_of"]

#: What is kept of each generation. `loss` is the best so far, `mean_loss` that of the finite losses, `not_finite` how
#: many are NaN or infinite, `diversity` the share of bits in which two genomes differ. `accuracy` is the best genome's
#: on held-out rows with classes, and `held_out_loss` its loss where the objective is "mse"; NaN where there is none.
HISTORY = np.dtype([
    ("generation", np.int64), ("seconds", np.float64), ("loss", np.float32), ("mean_loss", np.float32),
    ("not_finite", np.int32), ("mutation_rate", np.float64), ("diversity", np.float32), ("accuracy", np.float32),
    ("held_out_loss", np.float32)])


def table_of(rows):
    """Rows of a history as it is handed out and saved: a loss beyond float32 becomes an infinity there."""
    with np.errstate(all="ignore"):
        return np.array(rows, HISTORY)


@dataclass(frozen=True, eq=False)
class State:
    """What a callback is shown after each generation, or each epoch of several islands.

    Attributes
    ----------
    generation : int
        How many generations are done.
    progress : float
        How far the run is, 0 to 1, by generations or by seconds, whichever is further.
    seconds, loss, mean_loss, mutation_rate, diversity, accuracy, held_out_loss : float
        As in the history.
    genome : ndarray of uint8
        A copy of the best so far.
    """

    generation: int
    progress: float
    seconds: float
    loss: float
    mean_loss: float
    mutation_rate: float
    diversity: float
    accuracy: float
    held_out_loss: float
    genome: np.ndarray = field(repr=False)


@dataclass(frozen=True, eq=False)
class EvolutionResult:
    """What a run ends with.

    Attributes
    ----------
    genome : ndarray of uint8
        The best genome found.
    loss : float
        Its loss.
    population : ndarray of uint8, shape (size, bytes)
        The generation that would be evaluated next, the elite first; of several islands, one after the other.
    history : structured ndarray
        A row for each generation: see `HISTORY`.
    seed : int
    stopped : {"generations", "seconds", "target_loss", "patience", "callback", "interrupted", "error"}
        Why it ended.
    resumed : int
        How many generations of the history were read from a checkpoint: all of them where the run was finished.
    """

    genome: np.ndarray = field(repr=False)
    loss: float
    population: np.ndarray = field(repr=False)
    history: np.ndarray = field(repr=False)
    seed: int
    stopped: str
    resumed: int = 0


class FitnessError(RuntimeError):
    """A fitness that raised, or gave no numbers. `result` holds the run up to then; the cause is what was raised."""

    result = None
