"""Descriptions of floating-point formats: widths, bias, special codes, and exact values one code at a time.

A format is described once, here; the kernels take all their constants from this description. No arrays live here."""

import math
import operator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np

from .kernels.operands import truth

__all__ = ["BFLOAT16", "BINARY16", "BINARY32", "BINARY64", "FLOAT4_E2M1FN", "FLOAT6_E2M3FN", "FLOAT6_E3M2FN",
           "FLOAT8_E3M4", "FLOAT8_E4M3", "FLOAT8_E4M3B11FNUZ", "FLOAT8_E4M3FN", "FLOAT8_E4M3FNUZ", "FLOAT8_E5M2",
           "FLOAT8_E5M2FNUZ", "FLOAT8_E8M0FNU", "FORMATS", "INT2", "INT4", "INTEGER_FORMATS", "UINT2", "UINT4",
           "Format", "format_named"]

SPECIALS = ("ieee", "nan", "none", "fnuz", "integer")


@dataclass(frozen=True)
class Format:
    """A binary floating-point format of 1 to 64 bits.

    A code is the bits of a number, from the top: sign, exponent field, mantissa. With e the exponent field and m the
    mantissa, the value is ``(1 + m / 2**mantissa_bits) * 2**(e - bias)``, and for e = 0, where there are
    subnormals, ``m / 2**mantissa_bits * 2**(1 - bias)`` (IEEE 754-2019, section 3.4; OCP Microscaling Formats 1.0).

    Parameters
    ----------
    name : str
        As ml_dtypes and the standards call it.
    exponent_bits, mantissa_bits : int
        Widths of the fields; the leading 1 of a normal number is not stored. An exponent of more than eight bits
        needs a code of 64.
    bias : int
        What is subtracted from the exponent field.
    specials : {"ieee", "nan", "none", "fnuz", "integer"}
        ``"ieee"``: the highest exponent field holds infinity and the NaNs. ``"nan"``: only the code with all bits
        set is NaN, and there is no infinity. ``"none"``: every code is a finite number. ``"fnuz"``: the code of -0 is
        the only NaN, and there is no infinity. ``"integer"``: codes are whole numbers of one step, in two's complement
        where signed; of the fields, exponent and mantissa together count them.
    signed : bool
        Whether there is a sign bit. An unsigned format of floats has no mantissa here: it is one of powers of two.
    has_subnormals : bool
        Whether the exponent field 0 holds zero and the subnormals.
    """

    name: str
    exponent_bits: int
    mantissa_bits: int
    bias: int
    specials: str = "ieee"
    signed: bool = True
    has_subnormals: bool = True

    def __post_init__(self):
        for field in ("exponent_bits", "mantissa_bits", "bias"):
            if not isinstance(getattr(self, field), (int, np.integer)):
                raise TypeError(f"{field} is an int; got {getattr(self, field)!r:.60}")
        for field in ("signed", "has_subnormals"):
            truth("Format", field, getattr(self, field))
        if not isinstance(self.name, str):
            raise TypeError(f"the name of a format is a str; got {self.name!r:.60}")
        if self.specials not in SPECIALS:
            raise ValueError(f"specials={self.specials!r} is unknown; expected one of {', '.join(SPECIALS)}")
        if not 1 <= self.exponent_bits <= (8 if self.width <= 32 else 11) or not 0 <= self.mantissa_bits <= 52:
            raise ValueError(
                f"{self.name}: {self.exponent_bits} exponent bits and {self.mantissa_bits} mantissa bits; expected 1 "
                f"to 8 (in a code of 64 bits, to 11) and 0 to 52"
            )
        if self.width > 32 and (self.exponent_bits, self.mantissa_bits, self.bias) != (11, 52, 1023):
            raise ValueError(f"{self.name}: the only format of more than 32 bits is binary64")
        if self.specials == "integer":
            if self.exponent_bits != 1 or self.width > 8 or not self.has_subnormals or not -8 <= self.bias <= 8:
                raise ValueError(f"{self.name}: integers have one exponent bit, eight bits at most, zero, and steps of "
                                 f"2**-14 to 2**8")
            return
        if self.specials == "ieee" and self.mantissa_bits == 0:
            raise ValueError(f"{self.name}: infinity and NaN need at least one mantissa bit to tell them apart")
        if self.signed != self.has_subnormals or (not self.signed and (self.mantissa_bits or self.specials != "nan")):
            raise ValueError(f"{self.name}: a format without sign has no mantissa, no subnormals, and one NaN")
        reach = 127 if self.width <= 32 else 1023
        if not 1 <= self.bias <= reach or self.largest_code >> self.mantissa_bits > self.bias + reach:
            wide = "binary32" if reach == 127 else "binary64"
            raise ValueError(f"{self.name}: bias={self.bias} puts values beyond {wide}")

    def __hash__(self):
        return hash(self.name)  # a format is looked up in every call

    def __repr__(self):
        return f"<Format {self.name}>"

    @property
    def width(self):
        """Bits in a code."""
        return self.signed + self.exponent_bits + self.mantissa_bits

    @property
    def code_size(self):
        """Bytes of the smallest unsigned type that holds a code."""
        return 1 if self.width <= 8 else 2 if self.width <= 16 else 4 if self.width <= 32 else 8

    @cached_property
    def code_dtype(self):
        """The unsigned NumPy dtype of raw codes."""
        return np.dtype(f"u{self.code_size}")

    @cached_property
    def exponent_dtype(self):
        """The unsigned NumPy dtype of exponent fields."""
        return np.dtype("u1" if self.exponent_bits <= 8 else "u2")

    @property
    def native(self):
        """NumPy's own dtype of this format, or None."""
        name = {"binary16": "f2", "binary32": "f4", "binary64": "f8"}.get(self.name)
        return name and np.dtype(name)

    @property
    def dtype(self):
        """NumPy's dtype of this format, or ml_dtypes', or None where neither has one."""
        if self.native is not None:
            return self.native
        try:
            import ml_dtypes
        except ImportError:
            return None
        found = getattr(ml_dtypes, self.name, None)
        return found and np.dtype(found)

    @property
    def sign_bit(self):
        """The code's sign bit, 0 in a format without one."""
        return self.signed << (self.exponent_bits + self.mantissa_bits)

    @property
    def infinity_code(self):
        """The code of +infinity, or None."""
        return ((1 << self.exponent_bits) - 1) << self.mantissa_bits if self.specials == "ieee" else None

    @property
    def nan_code(self):
        """The code of the NaN that operations make, or None."""
        if self.specials == "ieee":
            return self.infinity_code | 1 << (self.mantissa_bits - 1)
        if self.specials == "fnuz":
            return self.sign_bit
        return (1 << (self.exponent_bits + self.mantissa_bits)) - 1 if self.specials == "nan" else None

    @property
    def largest_code(self):
        """The code of the largest finite number."""
        if self.specials == "ieee":
            return self.infinity_code - 1
        return (1 << (self.exponent_bits + self.mantissa_bits)) - (2 if self.specials == "nan" else 1)

    @property
    def smallest_magnitude(self):
        """The magnitude of the most negative number, as a code without a sign."""
        if self.specials == "integer":
            return self.sign_bit
        return self.largest_code if self.signed else 0

    @property
    def exact_limit_code(self):
        """The code of ``largest_exact_integer``."""
        return self.code_of(Fraction(self.largest_exact_integer))

    @property
    def smallest_exponent(self):
        """log2 of the smallest normal number."""
        return self.has_subnormals - self.bias

    @property
    def largest_exponent(self):
        """floor(log2) of the largest finite number."""
        return (self.largest_code >> self.mantissa_bits) - self.bias

    @property
    def largest(self):
        """The largest finite number."""
        return self.value(self.largest_code)

    @property
    def smallest_normal(self):
        """The smallest normal number above zero."""
        return 2.0**self.smallest_exponent

    @property
    def smallest_subnormal(self):
        """The smallest number above zero; the smallest normal where there are no subnormals."""
        return 2.0 ** (self.smallest_exponent - self.mantissa_bits)

    @property
    def epsilon(self):
        """The step from 1 to the next larger number."""
        return 2.0**-self.mantissa_bits

    @property
    def largest_exact_integer(self):
        """The largest n such that no whole number from 1 to n is missing: 2**24 for binary32."""
        return min(2 ** (self.mantissa_bits + 1), math.floor(Fraction(self.largest)))

    def value(self, code):
        """The value of one code as a Python float, which holds every format's values exactly."""
        try:
            code = operator.index(code)
        except TypeError:
            raise TypeError(f"a code is an int; got {code!r:.60}") from None
        if not 0 <= code < 1 << self.width:
            raise ValueError(f"code={code} is not a code of {self.name}; expected 0 to {(1 << self.width) - 1}")
        sign = -1.0 if code & self.sign_bit else 1.0
        if self.specials == "fnuz" and code == self.nan_code:
            return math.nan
        if self.specials == "integer":
            return math.ldexp(code - 2 * (code & self.sign_bit), 1 - self.bias - self.mantissa_bits)
        magnitude = code & ~self.sign_bit
        if magnitude == self.infinity_code:
            return sign * math.inf
        if magnitude > self.largest_code:
            return math.nan
        exponent, mantissa = magnitude >> self.mantissa_bits, magnitude & ((1 << self.mantissa_bits) - 1)
        if exponent or not self.has_subnormals:
            mantissa += 1 << self.mantissa_bits
        exponent = max(exponent - self.bias, self.smallest_exponent)
        return sign * math.ldexp(mantissa, exponent - self.mantissa_bits)

    def code_of(self, size, negative=False):
        """The code nearest to a fraction >= 0, ties to even; too large becomes infinity, NaN, or the largest.

        In a format of powers of two a tie goes up, since a significand that is always 1 is always odd, and what is
        smaller than all its values becomes the smallest.
        """
        negative = truth("code_of", "negative", negative)
        try:
            size = Fraction(operator.index(size) if hasattr(size, "__index__") else size)
        except (TypeError, ValueError, OverflowError):
            raise TypeError(f"size is a finite number; got {size!r:.60}") from None
        if size < 0:
            raise ValueError(f"size is 0 or more, the sign is told by negative; got {size}")
        sign = self.sign_bit if negative else 0
        if self.specials == "integer":
            steps = min(round(size * Fraction(2) ** (self.bias - 1 + self.mantissa_bits)),
                        self.smallest_magnitude if negative else self.largest_code)
            return -steps % (1 << self.width) if negative else steps
        if size == 0 and self.has_subnormals:
            return 0 if self.specials == "fnuz" else sign
        exponent = max(floor_log2(size), self.smallest_exponent) if size else self.smallest_exponent
        steps = size / Fraction(2) ** (exponent - self.mantissa_bits)
        if self.has_subnormals:
            code = ((exponent - self.smallest_exponent) << self.mantissa_bits) + round(steps)
        else:
            code = exponent - self.smallest_exponent + (steps >= Fraction(3, 2))
        if self.specials == "fnuz" and not 0 < code <= self.largest_code:
            return self.nan_code if code else 0
        return sign | min(code, self.largest_code + (self.specials != "none"))


def floor_log2(size):
    """floor(log2) of a fraction above zero."""
    exponent = size.numerator.bit_length() - size.denominator.bit_length()
    return exponent if Fraction(2) ** exponent <= size else exponent - 1


BINARY16 = Format("binary16", 5, 10, 15)
BFLOAT16 = Format("bfloat16", 8, 7, 127)
BINARY32 = Format("binary32", 8, 23, 127)
BINARY64 = Format("binary64", 11, 52, 1023)
FLOAT8_E4M3FN = Format("float8_e4m3fn", 4, 3, 7, "nan")
FLOAT8_E4M3 = Format("float8_e4m3", 4, 3, 7)
FLOAT8_E3M4 = Format("float8_e3m4", 3, 4, 3)
FLOAT8_E4M3FNUZ = Format("float8_e4m3fnuz", 4, 3, 8, "fnuz")
FLOAT8_E5M2FNUZ = Format("float8_e5m2fnuz", 5, 2, 16, "fnuz")
FLOAT8_E4M3B11FNUZ = Format("float8_e4m3b11fnuz", 4, 3, 11, "fnuz")
FLOAT8_E5M2 = Format("float8_e5m2", 5, 2, 15)
FLOAT8_E8M0FNU = Format("float8_e8m0fnu", 8, 0, 127, "nan", signed=False, has_subnormals=False)
FLOAT6_E3M2FN = Format("float6_e3m2fn", 3, 2, 3, "none")
FLOAT6_E2M3FN = Format("float6_e2m3fn", 2, 3, 1, "none")
FLOAT4_E2M1FN = Format("float4_e2m1fn", 2, 1, 1, "none")

INT4 = Format("int4", 1, 2, -1, "integer")
UINT4 = Format("uint4", 1, 3, -2, "integer", signed=False)
INT2 = Format("int2", 1, 0, 1, "integer")
UINT2 = Format("uint2", 1, 1, 0, "integer", signed=False)

FORMATS = (BINARY64, BINARY32, BINARY16, BFLOAT16, FLOAT8_E5M2, FLOAT8_E4M3FN, FLOAT8_E5M2FNUZ, FLOAT8_E4M3FNUZ,
           FLOAT8_E4M3B11FNUZ, FLOAT8_E4M3, FLOAT8_E3M4, FLOAT8_E8M0FNU, FLOAT6_E3M2FN, FLOAT6_E2M3FN, FLOAT4_E2M1FN)
INTEGER_FORMATS = (INT4, UINT4, INT2, UINT2)

_ALIASES = {"float64": BINARY64, "double": BINARY64, "float32": BINARY32, "single": BINARY32, "float16": BINARY16,
            "half": BINARY16, "e5m2": FLOAT8_E5M2, "e4m3fn": FLOAT8_E4M3FN, "e4m3": FLOAT8_E4M3FN,
            "e8m0fnu": FLOAT8_E8M0FNU, "e8m0": FLOAT8_E8M0FNU, "e3m2fn": FLOAT6_E3M2FN, "e3m2": FLOAT6_E3M2FN,
            "e5m2fnuz": FLOAT8_E5M2FNUZ, "e4m3fnuz": FLOAT8_E4M3FNUZ, "e4m3b11fnuz": FLOAT8_E4M3B11FNUZ,
            "e3m4": FLOAT8_E3M4,
            "e2m3fn": FLOAT6_E2M3FN, "e2m3": FLOAT6_E2M3FN, "e2m1fn": FLOAT4_E2M1FN, "e2m1": FLOAT4_E2M1FN}


class _Symmetric(Format):
    """Integers that leave their most negative code unused, as OCP's specification of blocks advises."""

    @property
    def smallest_magnitude(self):
        return self.largest_code


MXINT8 = _Symmetric("mxint8", 1, 6, 1, "integer")  # six bits of fraction; of blocks alone, so none of FORMATS


def described(name):
    """The format of a name, for the kernels: also of the elements that only blocks have."""
    return MXINT8 if name == MXINT8.name else format_named(name)


def format_named(name):
    """The format of a name: its own, NumPy's (``float32``) or the short one (``e4m3fn``). ``e4m3`` alone is OCP's,
    which is float8_e4m3fn; the one of that kind with infinities is ``float8_e4m3``.

    Raises
    ------
    ValueError
        If no format has that name.
    """
    known = {format.name: format for format in (*FORMATS, *INTEGER_FORMATS)} | _ALIASES
    if not isinstance(name, str) or name.lower() not in known:
        raise ValueError(f"{name!r} is not a format; expected one of "
                         f"{', '.join(f.name for f in (*FORMATS, *INTEGER_FORMATS))}")
    return known[name.lower()]


def format_given(format, optional=True, integers=False):
    """A format that was given as such or by its name, None as None; an error where it is something else, or one of
    integers where these are not taken."""
    if isinstance(format, str):
        format = format_named(format)
    if format is None and optional:
        return None
    if not isinstance(format, Format):
        raise TypeError(f"format is a Format or the name of one; got {format!r:.60}")
    if format.specials == "integer" and not integers:
        raise ValueError(f"{format.name} is a format of integers; expected one of floating-point numbers")
    return format
