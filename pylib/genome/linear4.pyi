from typing import Literal, SupportsIndex

from .._typing import Float32, Numbers
from .codes import LOG4, Codebook

__all__ = ["linear4"]

def linear4(
    x: Numbers, codes: Numbers, codebook: Codebook = LOG4, scale: Numbers = 1.0, bias: Numbers | None = None,
    *, group: SupportsIndex | None = None, offset: Numbers | None = None,
    activations: Literal["float32", "int16", "int8"] = "float32",
) -> Float32: ...
