from collections.abc import Mapping
from os import PathLike
from typing import Any

from .._typing import Path

class CheckpointError(ValueError): ...

class Destination(PathLike[str]):
    path: Path
    notes: Mapping[str, Any]
    def __init__(self, path: Path, notes: Mapping[str, Any] = ...) -> None: ...
    def __fspath__(self) -> str: ...
