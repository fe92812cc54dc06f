from typing import Final, Literal, TypeAlias, Unpack

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .._typing import Array, Into, Keywords, Numbers, Out
from ..formats import Format

__all__ = ["decode", "encode", "pack", "rounding_error", "unpack"]

ROUNDINGS: Final[tuple[str, ...]]
OVERFLOWS: Final[tuple[str, ...]]

_Directed: TypeAlias = Literal["nearest", "half_away", "zero", "odd", "up", "down"]
_Rounding: TypeAlias = Literal["nearest", "half_away", "zero", "odd", "up", "down", "stochastic"]
_Overflow: TypeAlias = Literal["ieee", "saturate"]

def encode(
    x: Numbers, format: Format | str,
    *, rounding: _Rounding = "nearest", overflow: _Overflow = "ieee", seed: int | np.random.Generator | None = None,
    packed: bool = False, **kwargs: Unpack[Into],
) -> Array: ...
def decode(
    codes: Numbers, format: Format | str,
    *, dtype: DTypeLike | None = None, packed: bool = False, n: int | None = None, out: Out = None,
    where: Numbers = ..., **kwargs: Unpack[Keywords],
) -> Array: ...
def rounding_error(
    x: Numbers, format: Format | str,
    *, rounding: _Directed = "nearest", overflow: _Overflow = "ieee", **kwargs: Unpack[Into],
) -> Array: ...
def pack(codes: Numbers) -> NDArray[np.uint8]: ...
def unpack(packed: Numbers, n: int | None = None) -> NDArray[np.uint8]: ...
def conversion(
    function: str, format: Format, rounding: _Rounding = "nearest", overflow: _Overflow = "ieee"
) -> np.ufunc: ...
