from typing import Final, NamedTuple

from .._typing import Bytes, Float32, Numbers
from .codes import Codebook

UINT4: Final[Codebook]
INT4_OFFSET: Final[Codebook]
IQ4_NL: Final[Codebook]
FP4: Final[Codebook]

class Packed(NamedTuple):
    codes: Bytes
    codebook: Codebook
    scale: Float32
    offset: Float32 | None
    group: int
    def weights(self) -> Float32: ...

def e8m0_scales(exponents: Numbers) -> Float32: ...
def e8m0_bytes(scale: Numbers) -> Bytes: ...
