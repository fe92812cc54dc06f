from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from .._typing import Numbers
from ..formats import Format
from .fields import FloatClass

__all__ = ["FieldStatistics", "FloatLoss", "exponent_histogram", "field_statistics"]

class FloatLoss(IntEnum):
    EXACT = 0
    ROUNDED = 1
    ROUNDED_SUBNORMAL = 2
    ROUNDED_TO_ZERO = 3
    OUT_OF_RANGE = 4
    NOT_FINITE = 5

def exponent_histogram(x: Numbers, *, format: Format | str | None = None) -> NDArray[np.int64]: ...
@dataclass(frozen=True, eq=False)
class FieldStatistics:
    format: Format
    size: int
    classes: dict[FloatClass, int]
    exponents: NDArray[np.int64]
    losses: dict[Format, dict[FloatLoss, int]]
    def __eq__(self, other: object) -> bool: ...
    @property
    def exponent_range(self) -> tuple[int, int] | None: ...

def field_statistics(
    x: Numbers, *, format: Format | str | None = None, formats: Sequence[Format | str] | None = None
) -> FieldStatistics: ...
