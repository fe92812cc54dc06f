"""``lanewise inspect``: a number taken apart, in one format or in all, or what a tensor in a file uses and would lose.

A few lines over lanewise.ieee754, which knows the answers; here they are laid out. The figure is figures.py's.
"""

import argparse
import math
import re
from fractions import Fraction

import numpy as np

from .. import ieee754
from ..ieee754 import FORMATS, FloatLoss
from ..terminal import say, show
from . import CommandError, add_force, check_figure, in_words

_SIGN, _EXPONENT, _MANTISSA, _LABEL, _BAD = "bold red", "green", "cyan", "dim", "yellow"
_MAX_ROWS = 48
_CODE = re.compile(r"0x[0-9a-f]+|0b[01]+|\d+", re.IGNORECASE)


def add_inspect_parser(subparsers):
    """Add ``inspect`` and its options."""
    parser = subparsers.add_parser(
        "inspect", help="take floating-point numbers, or a file of them, apart",
        description="Show a number's bits, fields, exact decimal expansion, neighbours and error; or, of the arrays in "
                    "a .npy or .npz file, which exponents they use and what each format would lose of them.")
    parser.add_argument("values", nargs="+", metavar="VALUE",
                        help="a number such as 0.1, -0, 0x1.8p3, 1/3, 2**-1074, inf or nan; or a .npy or .npz file")
    parser.add_argument("--format", type=_format, metavar="NAME", action="append",
                        help=f"the format, by default binary64, of a file its dtype; several times for several: "
                             f"{', '.join(f.name for f in FORMATS)}")
    parser.add_argument("--bits", action="store_true",
                        help="the values are codes, such as 0x3dcccccd; of binary64, binary32 or binary16 by their "
                             "digits, or of --format")
    parser.add_argument("--to", type=_format, metavar="NAME", action="append",
                        help="what the number becomes in this format, or what a file's numbers lose there; several "
                             "times for several")
    parser.add_argument("--all-formats", action="store_true", help="each value in every format, side by side")
    parser.add_argument("--plot", metavar="FILE", help="draw a file's exponents into this figure")
    add_force(parser)
    # argparse takes -1e-3, -inf and -0x1p3 for options unless it knows them as negative numbers
    parser._negative_number_matcher = re.compile(r"-(\d|\.\d|inf|s?nan)", re.IGNORECASE)
    parser.set_defaults(run=run)


def _format(name):
    try:
        return ieee754.format_named(name)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def run(arguments):
    """Print what was asked for."""
    files = [value.lower().endswith((".npy", ".npz")) for value in arguments.values]
    if arguments.all_formats and (arguments.format or all(files)):
        raise CommandError("--all-formats is of numbers, and excludes --format")
    if any(files) and len(arguments.format or ()) > 1:
        raise CommandError(f"a file is looked at in one --format; {len(arguments.format)} were given")
    if arguments.plot is not None:
        if sum(files) != 1:
            raise CommandError(f"--plot draws the figure of one file; {sum(files)} were given")
        check_figure("--plot", arguments.plot, arguments.force)
    for i, (value, is_file) in enumerate(zip(arguments.values, files, strict=True)):
        if i:
            show()
        if is_file:
            show_file(value, (arguments.format or [None])[0], arguments.plot, arguments.to)
            continue
        described = (_of_bits(value, arguments.format) if arguments.bits
                     else _described(value, arguments.format or [ieee754.BINARY64]))
        if arguments.all_formats:
            show_in_all(_described(_exact(described[0]) if arguments.bits else value, FORMATS))
            continue
        for j, description in enumerate(described):
            for k, shown in enumerate([description, *_described(_exact(description), arguments.to or [])]):
                if j or k:
                    show()
                show_one(value if not k else f"{value} in {description.format.name}", shown)


def _exact(description):
    # the number as describe takes it, with every digit
    return Fraction(description.value) if description.is_finite and description.value else description.value


def _of_bits(text, formats):
    # a code in the formats asked for, or in the one that its digits fill
    if not _CODE.fullmatch(text):
        raise CommandError(f"{text!r} is not a code; expected something like 0x3dcccccd, 0b0011 or 1036831949")
    prefix = text[:2].lower()
    code = int(text, 0 if prefix in ("0x", "0b") else 10)
    if not formats:
        width = (len(text) - 2) * {"0x": 4, "0b": 1}.get(prefix, 0)
        formats = [f for f in (ieee754.BINARY64, ieee754.BINARY32, ieee754.BINARY16) if f.width == width]
        if not formats:
            raise CommandError(f"{text!r} does not say which format it is of; expected 0x and 16, 8 or 4 digits, or "
                               f"--format")
    described = []
    for f in formats:
        if code >> f.width:
            raise CommandError(f"{text!r} is not a code of {f.name}, which has {f.width} bits")
        value = f.value(code)
        described.append(ieee754.Description(f, code, Fraction(value) if math.isfinite(value) else None))
    return described


def _described(value, formats):
    try:
        return [ieee754.describe(value, format) for format in formats]
    except ValueError as error:
        raise CommandError(str(error)) from None


def colored_bits(description):
    """The bits of a number, sign, exponent and mantissa each in its colour."""
    sign, exponent, mantissa = description.bits
    fields = [(sign, _SIGN), (exponent, _EXPONENT), (mantissa, _MANTISSA)]
    parts = []
    for text, style in fields:
        if text:
            parts += [" ", (text, style)] if parts else [(text, style)]
    return parts


def show_one(text, d):
    """One number in one format, a line for each thing there is to know."""
    f = d.format
    show((text, "bold"), " in ", (f.name, "bold"))
    _line("bits", *colored_bits(d))
    _line("hexadecimal", f"0x{d.code:0{math.ceil(f.width / 4)}x}")
    power = max(d.exponent, 1 if f.has_subnormals else 0) - f.bias
    finite = f", 2^{power}" if d.is_finite else ""
    parts = [("sign ", _LABEL), (str(d.sign), _SIGN)] if f.signed else []
    parts += [("  exponent " if parts else "exponent ", _LABEL), (f"{d.exponent}{finite}", _EXPONENT)]
    if f.mantissa_bits:
        lead = 0 if d.kind in ("zero", "subnormal") else 1
        parts += [("  mantissa ", _LABEL), (f"{d.mantissa}" + (
            f", {ieee754.exact_decimal(lead + d.mantissa * f.epsilon)}" if d.is_finite else ""), _MANTISSA)]
    _line("fields", *parts)
    _line("class", d.kind)
    _line("value", (d.exact, "bold"))
    below, above = d.neighbours
    if below is not None:
        _line("below", ieee754.exact_decimal(below))
    if above is not None:
        _line("above", ieee754.exact_decimal(above))
    if d.ulp is not None:
        _line("step (ulp)", f"2^{math.frexp(d.ulp)[1] - 1} = {d.ulp:.6g}")
    if d.error is not None:
        _line("error", *_error(d))
    elif d.literal is not None:
        _line("error", (f"out of range: the largest {f.name} is {ieee754.exact_decimal(f.largest)}", _BAD))


def _line(label, *parts):
    show("  ", (f"{label:<12}", _LABEL), *parts)


def _error(d):
    if d.error == 0:
        return ["none: it is exact"]
    return [(f"{_scientific(d.error, 4)}, {_scientific(d.error_in_ulps, 3)} ulp", _BAD)]


def _scientific(fraction, digits):
    # a fraction may be too large or too small for a float
    if 1e-300 < abs(fraction) < 1e300:
        return f"{float(fraction):+.{digits}g}"
    exponent = 0
    while abs(fraction) >= 10:
        fraction, exponent = fraction / 10, exponent + 1
    while abs(fraction) < 1:
        fraction, exponent = fraction * 10, exponent - 1
    return f"{float(fraction):+.{digits}g}e{exponent:+}"


def show_in_all(descriptions):
    """One number in every format: bits where they are short, value and error."""
    budget = 34  # characters of a value
    show((f"{'format':<20}{'bits':<20}{'code':<20}{'value':<{budget + 2}}error", _LABEL))
    for d in descriptions:
        bits = colored_bits(d) if d.format.width <= 16 else [("-", _LABEL)]
        used = sum(len(part if isinstance(part, str) else part[0]) for part in bits)
        value = d.exact
        if len(value) > budget:
            value = f"{value[:budget - 3]}..." if "e" not in value else f"{d.value:.17g}"
        error = ["out of range" if d.literal is not None else ""] if d.error is None else _error(d)
        show(f"{d.format.name:<20}", *bits, " " * (20 - used), f"{f'0x{d.code:0{math.ceil(d.format.width / 4)}x}':<20}",
             (f"{value:<{budget + 2}}", "bold"), *error)


def show_file(path, format, plot, formats=None):
    """What the arrays of a file use, and what each format would lose of them."""
    arrays = _arrays(path)
    shown = 0
    for name, array in arrays:
        if format is not None and array.dtype.kind == "V" and array.dtype.itemsize == format.code_size:
            array = array.view(format.code_dtype)  # NumPy writes the dtypes of ml_dtypes without their names
        try:
            statistics = ieee754.field_statistics(array, format=format, formats=formats)
        except (TypeError, ValueError) as error:
            if len(arrays) == 1:
                raise CommandError(f"{name}: {error}") from None
            say(f"lanewise: {name} is left out: {error}")
            continue
        if plot and shown:
            raise CommandError(f"--plot draws the figure of one array; {path} holds several")
        shown += 1
        show_statistics(name, array.shape, statistics)
        if plot:
            from .figures import exponent_histogram

            show()
            try:
                show(f"drawn: {exponent_histogram(statistics, name, plot)}")
            except OSError as error:
                raise CommandError(in_words(error)) from None
    if not shown:
        raise CommandError(f"{path}: there is no array of numbers to inspect")


def _arrays(path):
    # (name, array) of each array of a file that can be read, all of them before any is shown
    try:
        if not path.lower().endswith(".npz"):
            return [(path, np.load(path, mmap_mode="r", allow_pickle=False))]
        arrays = []
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as loaded:
            for name in loaded.files:
                try:
                    arrays.append((f"{path}:{name}", loaded[name]))
                except ValueError as error:
                    if "Object arrays" not in str(error):
                        raise
                    # which NumPy reads only as a pickle, that could run any code
                    say(f"lanewise: {path}:{name} is left out: it holds Python objects")
        return arrays
    except OSError as error:
        raise CommandError(f"cannot read {in_words(error)}") from None
    except Exception as error:  # of an empty, damaged or foreign file, of many kinds
        raise CommandError(f"cannot read {path}: {error or type(error).__name__}") from None


def show_statistics(name, shape, s):
    """The classes, the exponent histogram, and the losses by format."""
    show((str(name), "bold"), f"  {'x'.join(map(str, shape))} numbers of {s.format.name}")
    shown = [f"{count:,} {c.name.lower().replace('_', ' ')}" for c, count in s.classes.items() if count]
    show("  ", ", ".join(shown) or "empty")
    show()
    if s.exponent_range is not None:
        for first, last, count in _grouped(s):
            bar = "█" * round(48 * count / max(c for _, _, c in _grouped(s)))
            label = f"2^{first}" if first == last else f"2^{first} .. 2^{last}"
            show("  ", (f"{label:>16} ", _LABEL), (f"{bar:<48}", _MANTISSA), f" {_share(count, s.size):>8}")
        show()
    show((f"  {'rounded into':<20}" + "".join(f"{title:>14}" for title in (
        "exact", "rounded", "subnormal", "to zero", "out of range", "not finite")), _LABEL))
    for asked, losses in s.losses.items():
        cells = []
        for loss, count in losses.items():
            bad = loss in (FloatLoss.ROUNDED_TO_ZERO, FloatLoss.OUT_OF_RANGE, FloatLoss.ROUNDED_SUBNORMAL) and count
            cells.append((f"{_share(count, s.size):>14}", _BAD if bad else "" if count else _LABEL))
        show("  ", f"{asked.name:<20}", *cells)


def _share(count, size):
    # a share that rounds to nothing, or to everything, is not to look like it
    if count == 0:
        return "-"
    share = f"{count / size:.2%}"
    return "< 0.01%" if share == "0.00%" else "> 99.99%" if share == "100.00%" and count < size else share


def _grouped(s):
    # (first exponent, last, count), by ones or by as many as keep the picture on a screen
    low, high = s.exponent_range
    step = 1
    while (high - low) // step >= _MAX_ROWS:
        step *= 2
    rows = []
    for first in range(low, high + 1, step):
        last = min(first + step - 1, high)
        rows.append((first, last, int(s.exponents[first + s.format.bias : last + s.format.bias + 1].sum())))
    return rows
