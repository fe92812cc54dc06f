"""What options of the commands may be: functions from text to values, with errors that say what is expected."""

import argparse

__all__ = ["layers", "number", "positive", "radius", "rate", "rows", "seed", "share"]


def _refuse(text, expected):
    return argparse.ArgumentTypeError(f"{text if text.strip() else repr(text)} is not {expected}")


def positive(kind):
    """Make a type of positive numbers, int or float."""
    def parse(text):
        try:
            value = kind(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"invalid {kind.__name__} value: {text!r}") from None
        if not 0 < value < float("inf"):
            raise _refuse(text, "positive and finite")
        return value

    return parse


def number(text):
    """Take a number."""
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if value != value:
        raise _refuse(text, "a number")
    return value


def seed(text):
    """Take a seed, 64 bits."""
    try:
        value = int(text)
    except ValueError:
        raise _refuse(text, "a whole number") from None
    if not 0 <= value < 2**64:
        raise _refuse(text, "between 0 and 2^64 - 1")
    return value


def layers(text):
    """Take sizes of layers, separated by commas; none if empty."""
    try:
        return tuple(positive(int)(part) for part in text.split(",")) if text.strip() else ()
    except argparse.ArgumentTypeError as error:
        if "invalid" not in str(error):
            raise
        raise _refuse(text, "sizes of layers, such as 32 or 64,32") from None


def rows(text):
    """Take a multiple of 64, or all, which is 0."""
    count = 0 if text == "all" else int(text) if text.isdecimal() and len(text) < 20 else -1
    if count < 0 or count % 64 or (count == 0 and text != "all"):
        raise _refuse(text, "a multiple of 64, nor all")
    return count


def radius(text):
    """Take a number that is not negative."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise _refuse(text, "a number from 0")
    return value


def rate(text):
    """Take one rate, two, or the word adaptive."""
    if text == "adaptive":
        return text
    try:
        rates = [float(part) for part in text.split(",")]
    except ValueError:
        rates = [-1.0]
    if len(rates) > 2 or not all(0 <= each <= 1 for each in rates):
        raise _refuse(text, "one rate from 0 to 1, nor two, nor adaptive")
    return rates[0] if len(rates) == 1 else tuple(rates)


def share(text):
    """Take a number from 0 to below 1."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1:
        raise _refuse(text, "a number from 0 to below 1")
    return value
