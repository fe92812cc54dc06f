from typing import Any, Final, Literal

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .._typing import Array, Numbers

__all__ = ["mx_decode", "mx_encode"]

ROUNDINGS: Final[tuple[str, ...]]
BLOCKS: Final[dict[str, Any]]

_Name = Literal["mxfp8_e5m2", "mxfp8_e4m3", "mxfp6_e3m2", "mxfp6_e2m3", "mxfp4", "mxint8", "nvfp4"]

def mx_encode(
    x: Numbers, format: _Name, *, axis: int = -1, rounding: Literal["nearest", "half_away", "zero"] = "nearest",
    tensor_scale: float | None = None,
) -> tuple[NDArray[np.uint8], ...]: ...
def mx_decode(
    codes: Numbers, scales: Numbers, format: _Name, *, axis: int = -1, tensor_scale: float | None = None,
    dtype: DTypeLike = ...,
) -> Array: ...
