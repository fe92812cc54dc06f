"""One number under the microscope: its bits, fields, exact decimal expansion, neighbours, and the error of a literal.

All of it in exact fractions of Python, one number at a time; arrays are fields.py's, printing cli/inspect.py's."""

import math
import re
from dataclasses import dataclass
from decimal import Context, Decimal
from fractions import Fraction

import numpy as np

from ..environment import unflushed
from ..formats import BINARY64, Format, format_given
from . import fields

__all__ = ["Description", "describe", "exact_decimal", "parse_number"]

_MAX_EXPONENT = 20_000  # of ten or two, in a literal: what is beyond is beyond every format, and slow
_BEYOND = f"{{!r}} is beyond every format; expected an exponent of at most {_MAX_EXPONENT}"
_POWER = re.compile(r"(?P<sign>[+-]?)(?P<base>\d+)\s*(?:\*\*|\^)\s*(?P<exponent>[+-]?\d+)")
_HEX = re.compile(r"(?P<sign>[+-]?)0x(?P<whole>[0-9a-f]*)\.?(?P<part>[0-9a-f]*)(?:p(?P<exponent>[+-]?\d+))?", re.I)
_DECIMAL = re.compile(r"[+-]?(?:\d+(?:_\d+)*\.?\d*|\.\d+)(?:e(?P<exponent>[+-]?\d+))?", re.I)
_SPECIAL = re.compile(r"[+-]?(?P<kind>inf|s?nan)(?:(?<=inf)inity)?", re.I)
_RATIO = re.compile(r"[+-]?\d+\s*/\s*\d+")


@dataclass(frozen=True)
class Description:
    """What ``describe`` found out about a number in a format."""

    format: Format
    """The format."""
    code: int
    """The number's bits, as an unsigned int."""
    literal: Fraction | None
    """What was asked for, exactly; None for infinity and NaN."""

    def __repr__(self):
        try:
            literal = repr(self.literal)
        except ValueError:  # of more digits than Python writes
            literal = "Fraction(...)"
        return f"Description(format={self.format!r}, code={self.code}, literal={literal})"

    @property
    def value(self):
        """The number as a Python float, which holds it exactly."""
        return self.format.value(self.code)

    @property
    def sign(self):
        """The sign bit, or 0 in a format without one."""
        return int(self.code & self.format.sign_bit != 0)

    @property
    def exponent(self):
        """The raw exponent field."""
        return (self.code >> self.format.mantissa_bits) & ((1 << self.format.exponent_bits) - 1)

    @property
    def mantissa(self):
        """The raw mantissa field."""
        return self.code & ((1 << self.format.mantissa_bits) - 1)

    @property
    def bits(self):
        """The bits of sign, exponent and mantissa, as three strings."""
        f = self.format
        return (str(self.sign) if f.signed else "", f"{self.exponent:0{f.exponent_bits}b}",
                f"{self.mantissa:0{f.mantissa_bits}b}" if f.mantissa_bits else "")

    @property
    def kind(self):
        """Zero, subnormal, normal, infinity, quiet or signalling NaN."""
        f, magnitude = self.format, self.code & ~self.format.sign_bit
        if magnitude == f.infinity_code:
            return "infinity"
        if magnitude > f.largest_code:
            return "quiet NaN" if magnitude >= f.nan_code else "signalling NaN"
        if not f.has_subnormals or magnitude >> f.mantissa_bits:
            return "normal"
        return "subnormal" if magnitude else "zero"

    @property
    def is_finite(self):
        """Whether the number is neither infinite nor NaN."""
        return math.isfinite(self.value)

    @property
    def exact(self):
        """The exact decimal expansion: every digit of it."""
        return exact_decimal(self.value)

    @property
    def neighbours(self):
        """The next smaller and the next larger number as Python floats; None where there is none."""
        code = np.array(self.code, self.format.code_dtype)
        if math.isnan(self.value):
            return None, None
        both = (fields.next_down(code, format=self.format), fields.next_up(code, format=self.format))
        return tuple(None if int(c) == self.code else self.format.value(c) for c in both)

    @property
    def ulp(self):
        """The step to the next larger magnitude, as a Python float; None for infinity and NaN."""
        if not self.is_finite:
            return None
        return self.format.value(fields.ulp(np.array(self.code, self.format.code_dtype), format=self.format))

    @property
    def error(self):
        """The number minus what was asked for, as a fraction; None where one of them is not finite."""
        return Fraction(self.value) - self.literal if self.is_finite and self.literal is not None else None

    @property
    def error_in_ulps(self):
        """The error in units of the last place, as a fraction."""
        return None if self.error is None else self.error / Fraction(self.ulp)


@unflushed
def parse_number(text):
    """Read a number as people write them, exactly.

    Parameters
    ----------
    text : str
        ``0.1``, ``-1e-3``, ``0x1.8p3``, ``1/3``, ``2**-1074``, ``inf``, ``nan``, ``snan`` and their negatives.

    Returns
    -------
    negative : bool
    size : Fraction or {"inf", "nan", "snan"}

    Raises
    ------
    ValueError
        If it is none of these, or so long or large that no format comes near it.
    """
    if not isinstance(text, str):
        raise TypeError(f"text is a str such as '0.1' or '2**-3'; got {text!r:.60}")
    stripped = text.strip()
    negative = stripped.startswith("-")
    if match := _SPECIAL.fullmatch(stripped):
        return negative, match["kind"].lower()
    exponent = next((m["exponent"] for m in (_POWER.fullmatch(stripped), _HEX.fullmatch(stripped),
                                             _DECIMAL.fullmatch(stripped)) if m and m["exponent"]), "0")
    if len(stripped) > 5000 or abs(int(exponent)) > _MAX_EXPONENT:
        raise ValueError(_BEYOND.format(text[:40]))
    if (match := _POWER.fullmatch(stripped)) and int(match["base"]) <= 10**6:
        if int(match["base"]) == 0 and int(exponent) < 0:
            raise ValueError(f"{text!r} divides by zero")
        return negative, Fraction(int(match["base"])) ** int(exponent)
    if (match := _HEX.fullmatch(stripped)) and match["whole"] + match["part"]:
        digits = int(match["whole"] + match["part"], 16)
        return negative, digits * Fraction(2) ** (int(exponent) - 4 * len(match["part"]))
    if _DECIMAL.fullmatch(stripped) or (_RATIO.fullmatch(stripped) and int(stripped.partition("/")[2])):
        return negative, abs(Fraction(stripped.replace(" ", "")))
    raise ValueError(
        f"{text!r} is not a number; expected something like 0.1, -2.5e-3, 0x1.8p3, 1/3, 2**-1074, inf or nan"
    )


@unflushed
def describe(value, format=None):
    """Look at one number in a format.

    Parameters
    ----------
    value : str or number
        A literal as ``parse_number`` reads it, rounded once from its exact value; or a Python or NumPy number.
    format : Format or str, optional
        A format or its name. By default the number's own, which for a literal and a Python number is binary64.

    Returns
    -------
    Description

    Raises
    ------
    ValueError
        If the literal is not a number.

    Examples
    --------
    >>> import lanewise as lw
    >>> tenth = lw.ieee754.describe("0.1", lw.ieee754.BINARY32)
    >>> tenth.exact
    '0.100000001490116119384765625'
    >>> tenth.error_in_ulps
    Fraction(1, 5)
    """
    value = int(value) if isinstance(value, (np.integer, np.bool_)) else value
    format = format_given(format)
    if format is None and isinstance(value, np.longdouble):
        format = BINARY64
    if format is None:
        format = fields.format_of(value) if isinstance(value, np.generic) else BINARY64
    if isinstance(value, str):
        negative, size = parse_number(value)
    elif isinstance(value, (int, Fraction)):
        negative, size = value < 0, abs(Fraction(value))
    elif isinstance(value, (Decimal, np.longdouble)):
        negative = value.is_signed() if isinstance(value, Decimal) else bool(np.signbit(value))
        size = _size_of(value)
    else:
        value = _float_of(value)
        negative = math.copysign(1, value) < 0
        size = _size_of(value)
    if isinstance(size, Fraction):
        unsigned = not format.signed and (negative or size == 0)
        code = format.nan_code if unsigned else format.code_of(size, negative)
        return Description(format, code, -size if negative else size)
    return Description(format, _special_code(format, size, negative), None)


def _size_of(value):
    # the magnitude of a float, or of a number that has more digits than one, as parse_number gives it
    if isinstance(value, Decimal):
        if value.is_snan():
            return "snan"
        if value.is_finite() and value and abs(value.adjusted()) > _MAX_EXPONENT:
            raise ValueError(_BEYOND.format(str(value)[:40]))
    if value != value:
        return "nan"
    return "inf" if value in (math.inf, -math.inf) else abs(Fraction(*value.as_integer_ratio()))


def _float_of(value):
    # of a number that a float holds, or an array of just one
    try:
        number = None if value is np.ma.masked else float(value)
    except (TypeError, ValueError, OverflowError):
        number = None
    if number is None or isinstance(value, str | bytes | memoryview | np.ma.MaskedArray):
        raise TypeError(f"value is a number that a float holds; got {value!r:.60}")
    return number


@unflushed
def exact_decimal(value):
    """Every digit of a finite Python float; with an exponent only where ten zeros would follow the point.

    Parameters
    ----------
    value : float

    Returns
    -------
    str

    Raises
    ------
    TypeError, ValueError
        If `value` is no number, or one that a float does not hold.
    """
    given, value = value, _float_of(value)
    if value != given and value == value:
        raise ValueError(f"value is a number that a float holds; got {given!r:.60}, which is not {value!r}")
    if not math.isfinite(value):
        return str(value)
    digits = Decimal(value)
    scale = digits.adjusted()
    if scale >= -10:
        return f"{digits:f}"
    # the context is wide enough for the 767 digits of binary64's longest number
    return f"{digits.normalize(Context(prec=800)):e}"


def _special_code(format, kind, negative):
    sign = format.sign_bit if negative else 0
    if kind == "inf" and format.infinity_code is not None:
        return sign | format.infinity_code
    if kind == "snan" and format.specials == "ieee" and format.mantissa_bits > 1:
        return sign | format.infinity_code | 1
    if format.nan_code is not None:
        return sign | format.nan_code
    return sign | format.largest_code if kind == "inf" else format.sign_bit
