from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .._typing import Array, Path
from .table import DataError as DataError

@dataclass(frozen=True, eq=False)
class DataSet:
    name: str
    x: Array
    y: Array
    x_held_out: Array
    y_held_out: Array
    classes: Array | None
    offset: NDArray[np.float64]
    scale: NDArray[np.float64]
    target_offset: NDArray[np.float64] | float = 0.0
    target_scale: NDArray[np.float64] | float = 1.0
    features: tuple[str, ...] | None = None
    label: str | None = None
    notes: tuple[str, ...] = ()

def load_digits() -> DataSet: ...
def load(path: Path, label: str | None = None, values: bool = False) -> DataSet: ...
def load_inputs(
    path: Path, features: int, names: Sequence[str] | None = None, label: str | None = None
) -> tuple[NDArray[np.float64], Array | None]: ...
