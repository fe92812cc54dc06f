"""All 2**32 codes of binary32: fields and their inverse, classes, and encode to every format of at most 16 bits,
against NumPy's integers and the casts of NumPy and ml_dtypes; with --directed also the other roundings, against their
definition. A command of some ten minutes on one core, longer with --directed: prints a table, fails on a difference."""

import argparse
import sys
import time

import ml_dtypes
import numpy as np
from lanewise import ieee754
from lanewise.ieee754 import BINARY16, BINARY32, FORMATS, FloatClass

try:
    import torch
except ImportError:
    torch = None

CHUNK = 1 << 22
DTYPES = {f: np.dtype(f.native or getattr(ml_dtypes, f.name)) for f in FORMATS if f.width <= 16}


def check_fields(codes, x):
    """Decompose and compose, against shifts and masks."""
    sign, exponent, mantissa = ieee754.decompose(x)
    right = (sign == codes >> np.uint32(31)) & (exponent == (codes >> np.uint32(23) & np.uint32(255)))
    right &= mantissa == (codes & np.uint32(0x7FFFFF))
    return right & (ieee754.compose(sign, exponent, mantissa, BINARY32).view(np.uint32) == codes)


def check_classes(codes, x):
    """Classify, against np.isnan, np.isinf and comparisons."""
    size, found = np.abs(x), ieee754.classify(x)
    above = 6 + (size > 0).view(np.uint8) + (size >= np.finfo(np.float32).tiny) + np.isinf(x)
    right = found == np.where(np.signbit(x), 11 - above, above)
    nan = np.isnan(x)
    if nan.any():
        quiet = codes[nan] & np.uint32(0x400000) != 0
        right[nan] = found[nan] == np.where(quiet, FloatClass.QUIET_NAN, FloatClass.SIGNALING_NAN)
    return right


def cast(x, format):
    """x in the format's dtype, by somebody else: PyTorch into binary16, where NumPy takes ten times as long."""
    if format is BINARY16 and torch is not None:
        return torch.from_numpy(x).half().numpy()
    return x.astype(DTYPES[format])


def check_encode(format, codes, x):
    """Encode to nearest, against the cast of NumPy or ml_dtypes; NaN to NaN."""
    found = ieee754.encode(x, format)
    expected = cast(x, format).view(format.code_dtype)
    right = found == expected
    nan = np.isnan(x)
    if format.nan_code is None:
        right[nan] = found[nan] == format.sign_bit
    else:
        right[nan] = ieee754.classify(found[nan], format=format) == FloatClass.QUIET_NAN
    if not format.signed:
        # ml_dtypes takes these to 2**-126, though 2**-127 is nearer
        between = (x > 2.0**-127) & (x < 1.5 * 2.0**-127)
        right[between] = found[between] == 0
    return right


def check_directed(format, codes, x):
    """Toward zero, up and down: a neighbour on the right side of x, and x itself where the format has it."""
    low, high = (ieee754.encode(x, format, rounding=side, overflow="saturate") for side in ("down", "up"))
    below, above = (ieee754.decode(c, format) for c in (low, high))
    largest = np.float32(format.largest)
    inside = np.abs(x) <= largest
    if not format.signed:
        inside &= x >= np.float32(format.smallest_normal)
    right = (below <= x) & (x <= above)
    right &= (low == high) | (ieee754.next_up(low, format=format) == high) | (below == above)
    zero = ieee754.encode(x, format, rounding="zero", overflow="saturate")
    right &= zero == np.where(np.signbit(x), high, low)
    nearest = ieee754.encode(x, format, overflow="saturate")
    right &= (nearest == low) | (nearest == high)
    return right | ~inside


def main():
    """Run all checks; return how many of them failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--directed", action="store_true", help="also round toward zero, up and down")
    parser.add_argument("--part", default="0/1", help="only this part of the codes, such as 3/32 (from 0/32 to 31/32)")
    arguments = parser.parse_args()
    part, parts = map(int, arguments.part.split("/"))
    checks = {"decompose, compose": check_fields, "classify": check_classes}
    for format in DTYPES:
        checks[f"encode {format.name}"] = lambda codes, x, f=format: check_encode(f, codes, x)
        if arguments.directed:
            checks[f"toward a side, {format.name}"] = lambda codes, x, f=format: check_directed(f, codes, x)
    wrong = dict.fromkeys(checks, 0)
    seconds = dict.fromkeys(checks, 0.0)
    starts = range((1 << 32) // parts * part, (1 << 32) // parts * (part + 1), CHUNK)
    for start in starts:
        codes = np.arange(start, start + CHUNK, dtype=np.uint64).astype(np.uint32)
        x = codes.view(np.float32)
        for name, check in checks.items():
            begin = time.perf_counter()
            with np.errstate(all="ignore"):
                wrong[name] += CHUNK - int(np.count_nonzero(check(codes, x)))
            seconds[name] += time.perf_counter() - begin
    print(f"{len(starts) * CHUNK:,} codes of binary32 each")
    for name in checks:
        print(f"{name:<34}{wrong[name]:>14,} wrong{seconds[name]:>10.1f} s")
    return sum(count > 0 for count in wrong.values())


if __name__ == "__main__":
    sys.exit(main())
