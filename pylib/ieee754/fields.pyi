from collections.abc import Callable
from enum import IntEnum
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from .._typing import Array, Numbers
from ..formats import Format

__all__ = [
    "FloatClass", "classify", "compose", "decompose", "format_of", "is_exact_integer", "next_down", "next_up",
    "ulp", "ulp_distance",
]

_F = TypeVar("_F", bound=Callable[..., Any])

def shared_sections(function: _F) -> _F: ...

class FloatClass(IntEnum):
    SIGNALING_NAN = 0
    QUIET_NAN = 1
    NEGATIVE_INFINITY = 2
    NEGATIVE_NORMAL = 3
    NEGATIVE_SUBNORMAL = 4
    NEGATIVE_ZERO = 5
    POSITIVE_ZERO = 6
    POSITIVE_SUBNORMAL = 7
    POSITIVE_NORMAL = 8
    POSITIVE_INFINITY = 9

def format_of(x: Numbers) -> Format: ...
def decompose(
    x: Numbers, *, format: Format | str | None = None, **kwargs: Any
) -> tuple[NDArray[np.uint8], Array, Array]: ...
def compose(
    sign: Numbers, exponent: Numbers, mantissa: Numbers, format: Format | str, **kwargs: Any
) -> Array: ...
def classify(x: Numbers, *, format: Format | str | None = None, **kwargs: Any) -> NDArray[np.uint8]: ...
def ulp(x: Numbers, *, format: Format | str | None = None, **kwargs: Any) -> Array: ...
def ulp_distance(
    a: Numbers, b: Numbers, *, format: Format | str | None = None, **kwargs: Any
) -> NDArray[np.int64]: ...
def next_up(x: Numbers, *, format: Format | str | None = None, **kwargs: Any) -> Array: ...
def next_down(x: Numbers, *, format: Format | str | None = None, **kwargs: Any) -> Array: ...
def is_exact_integer(x: Numbers, *, format: Format | str | None = None, **kwargs: Any) -> NDArray[np.bool]: ...
def raw_codes(x: Numbers, format: Format) -> Array: ...
def whole_numbers(x: Numbers, dtype: np.dtype[Any], what: str) -> Array: ...
