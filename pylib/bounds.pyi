from typing import Final

SIXTEEN: Final[float]
BATCH_MEAN: Final[float]
BOUNDS: Final[dict[str, dict[str, float] | str]]
GATE_BOUNDS: Final[dict[str, dict[str, float] | str]]
ROW_BOUNDS: Final[dict[str, dict[str, float] | str]]
CANCELLING: Final[set[str]]
LEARNING_BOUNDS: Final[dict[str, dict[str, float]]]
LEARNING_UNITS: Final[dict[str, str]]

def functions() -> list[str]: ...
def of(function: str) -> dict[str, float]: ...
def bound(function: str, dtype: str) -> float: ...
