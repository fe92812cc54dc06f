from fractions import Fraction
from typing import Any, Final, Literal

import numpy as np

__all__ = [
    "BFLOAT16", "BINARY16", "BINARY32", "BINARY64", "FLOAT4_E2M1FN", "FLOAT6_E2M3FN", "FLOAT6_E3M2FN",
    "FLOAT8_E3M4", "FLOAT8_E4M3", "FLOAT8_E4M3B11FNUZ", "FLOAT8_E4M3FN", "FLOAT8_E4M3FNUZ", "FLOAT8_E5M2",
    "FLOAT8_E5M2FNUZ", "FLOAT8_E8M0FNU", "FORMATS", "INT2", "INT4", "INTEGER_FORMATS", "UINT2", "UINT4", "Format",
    "format_named",
]

SPECIALS: Final[tuple[str, ...]]

class Format:
    name: str
    exponent_bits: int
    mantissa_bits: int
    bias: int
    specials: Literal["ieee", "nan", "none", "fnuz", "integer"] = "ieee"
    signed: bool = True
    has_subnormals: bool = True
    def __init__(
        self, name: str, exponent_bits: int, mantissa_bits: int, bias: int,
        specials: Literal["ieee", "nan", "none", "fnuz", "integer"] = "ieee", signed: bool = True,
        has_subnormals: bool = True,
    ) -> None: ...
    def __hash__(self) -> int: ...
    @property
    def width(self) -> int: ...
    @property
    def code_size(self) -> int: ...
    @property
    def code_dtype(self) -> np.dtype[np.unsignedinteger[Any]]: ...
    @property
    def exponent_dtype(self) -> np.dtype[np.unsignedinteger[Any]]: ...
    @property
    def native(self) -> np.dtype[np.floating[Any]] | None: ...
    @property
    def dtype(self) -> np.dtype[Any] | None: ...
    @property
    def sign_bit(self) -> int: ...
    @property
    def infinity_code(self) -> int | None: ...
    @property
    def nan_code(self) -> int | None: ...
    @property
    def largest_code(self) -> int: ...
    @property
    def smallest_magnitude(self) -> int: ...
    @property
    def exact_limit_code(self) -> int: ...
    @property
    def smallest_exponent(self) -> int: ...
    @property
    def largest_exponent(self) -> int: ...
    @property
    def largest(self) -> float: ...
    @property
    def smallest_normal(self) -> float: ...
    @property
    def smallest_subnormal(self) -> float: ...
    @property
    def epsilon(self) -> float: ...
    @property
    def largest_exact_integer(self) -> int: ...
    def value(self, code: int) -> float: ...
    def code_of(self, size: Fraction, negative: bool = False) -> int: ...

def floor_log2(size: Fraction) -> int: ...

BINARY16: Final[Format]
BFLOAT16: Final[Format]
BINARY32: Final[Format]
BINARY64: Final[Format]
FLOAT8_E3M4: Final[Format]
FLOAT8_E4M3: Final[Format]
FLOAT8_E4M3B11FNUZ: Final[Format]
FLOAT8_E4M3FN: Final[Format]
FLOAT8_E4M3FNUZ: Final[Format]
FLOAT8_E5M2FNUZ: Final[Format]
FLOAT8_E5M2: Final[Format]
FLOAT8_E8M0FNU: Final[Format]
FLOAT6_E3M2FN: Final[Format]
FLOAT6_E2M3FN: Final[Format]
FLOAT4_E2M1FN: Final[Format]
INT4: Final[Format]
UINT4: Final[Format]
INT2: Final[Format]
UINT2: Final[Format]
FORMATS: Final[tuple[Format, ...]]
INTEGER_FORMATS: Final[tuple[Format, ...]]

MXINT8: Final[Format]

def described(name: str) -> Format: ...
def format_named(name: str) -> Format: ...
def format_given(format: Format | str | None, optional: bool = True, integers: bool = False) -> Format | None: ...
