from typing import Final, Literal, SupportsIndex, TypeAlias

from .._typing import Bytes, Float32, Numbers
from .codes import Codebook
from .packed import Packed

__all__ = [
    "GGUF", "read_bitsandbytes", "read_gguf", "read_mxfp4", "read_nvfp4", "write_bitsandbytes", "write_gguf",
    "write_mxfp4", "write_nvfp4",
]

_Kind: TypeAlias = Literal["Q4_0", "Q4_1", "IQ4_NL", "MXFP4", "Q4_K", "IQ4_XS", "NVFP4"]
GGUF: Final[dict[str, tuple[int, int, Codebook]]]

def read_mxfp4(codes: Numbers, exponents: Numbers) -> Packed: ...
def write_mxfp4(packed: Packed) -> tuple[Bytes, Bytes]: ...
def read_nvfp4(
    codes: Numbers, scales: Numbers, *, multiplier: Numbers | None = None, divisor: Numbers | None = None,
) -> Packed: ...
def write_nvfp4(
    packed: Packed, *, multiplier: Numbers | None = None, divisor: Numbers | None = None,
) -> tuple[Bytes, Bytes]: ...
def read_gguf(kind: _Kind, blocks: Numbers) -> Packed: ...
def write_gguf(kind: _Kind, packed: Packed) -> Bytes: ...
def read_bitsandbytes(
    kind: Literal["NF4", "FP4"], codes: Numbers, absmax: Numbers, shape: tuple[int, int],
    blocksize: SupportsIndex = 64,
) -> Packed: ...
def write_bitsandbytes(kind: Literal["NF4", "FP4"], packed: Packed) -> tuple[Bytes, Float32]: ...
