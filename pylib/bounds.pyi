from collections.abc import Callable
from typing import Any, Final

SIXTEEN: Final[float]
BATCH_MEAN: Final[float]
BOUNDS: Final[dict[str, dict[str, float] | str]]
GATE_BOUNDS: Final[dict[str, dict[str, float] | str]]
ROW_BOUNDS: Final[dict[str, dict[str, float] | str]]
CANCELLING: Final[set[str]]
LEARNING_BOUNDS: Final[dict[str, dict[str, float]]]
LEARNING_UNITS: Final[dict[str, str]]

def functions() -> list[str]: ...
def of(function: str | Callable[..., Any]) -> dict[str, float]: ...
def bound(function: str | Callable[..., Any], dtype: str) -> float: ...
