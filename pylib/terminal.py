"""What the commands say: results on standard output, messages on standard error, in colour where rich is installed.

Without rich everything is said as plain text. A process may have no standard streams at all, or closed ones.
"""

import codecs
import contextlib
import os
import re
import sys

__all__ = ["abandon", "confirm", "is_terminal", "say", "show", "show_table", "spell_out"]

# what stands for signs of the commands' own where a stream's encoding has no such sign
_PLAIN = {"█": "#", "±": "+-"}

_LONGEST_WORD = 24  # characters of a cell that are kept on one line: any number, but not any path


def _plain(error):
    text = error.object[error.start:error.end]
    return "".join(_PLAIN.get(sign) or sign.encode("ascii", "backslashreplace").decode() for sign in text), error.end


def spell_out():
    """Let the standard streams spell out what their encoding has no sign for, as a pipe's on Windows has not."""
    codecs.register_error("lanewise", _plain)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, OSError, ValueError):  # there is none, it is another kind, or closed
            stream.reconfigure(errors="lanewise")


def is_terminal(stream):
    """Whether a person sees what is written to a stream."""
    try:
        return stream is not None and stream.isatty()
    except ValueError:  # closed
        return False


def abandon(stream):
    """Drop what a standard stream cannot take, so that it is not tried again at exit."""
    with contextlib.suppress(AttributeError, OSError, ValueError):  # there is none, it is no file, or it is closed
        stream.flush()
        return
    with contextlib.suppress(AttributeError, OSError, ValueError), open(os.devnull, "wb") as nothing:
        os.dup2(nothing.fileno(), stream.fileno())


def _broken():
    raise BrokenPipeError  # and not what rich does: it abandons standard output, whichever stream it was


def _console(error=False):
    try:
        from rich.console import Console
    except ImportError:
        return None
    found = Console(highlight=False, stderr=error)
    found.on_broken_pipe = _broken
    if found.width < 1:  # COLUMNS=0, as where no terminal is; rich would print nothing in it
        found.width = 80
    return found


def _write(parts, stream, error):
    if stream is None or getattr(stream, "closed", False):
        return
    parts = [(part, "") if isinstance(part, str) else part for part in parts]
    console = _console(error)
    if console is None:
        print("".join(text for text, _ in parts), file=stream)
        return
    from rich.text import Text

    console.print(Text.assemble(*parts), soft_wrap=True)


def show(*parts):
    """Print one line of a result: pieces of text, each plain or a pair with its style."""
    _write(parts, sys.stdout, False)


def say(*parts):
    """Print one line that is no result to standard error; nothing where that is full, or nobody reads it."""
    try:
        _write(parts, sys.stderr, True)
    except OSError:
        abandon(sys.stderr)


def confirm(question):
    """Ask a person; where none is there, the answer is no, at once."""
    if not (is_terminal(sys.stdin) and is_terminal(sys.stderr)):
        return False
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def show_table(title, columns, rows, caption=None, keep=None):
    """Print a table.

    Parameters
    ----------
    title : str
    columns : sequence of str
        Their names. A name that begins with ``>`` is of a column of numbers, set to the right.
    rows : sequence of sequences
        Of str, or pairs of a str and its style. Where the table is wider than the terminal, the lines of a cell
        stand below one another; elsewhere they are one line.
    caption : str, optional
    keep : int, optional
        A table that is still too wide is shown in parts, each with this many of its first columns. If a part is too
        wide by itself, the first column goes on in the next line after an underscore or a space.
    """
    if sys.stdout is None or getattr(sys.stdout, "closed", False):
        return
    names = [name.removeprefix(">") for name in columns]
    right = [name.startswith(">") for name in columns]
    rows = [[(cell, "") if isinstance(cell, str) else cell for cell in row] for row in rows]
    one_line = [[(text.replace("\n", " "), style) for text, style in row] for row in rows]
    console = _console()
    if console is None:
        rows = one_line
        widths = [max(map(len, column)) for column in zip(names, *([text for text, _ in row] for row in rows),
                                                          strict=True)]
        print(title)
        for cells in (names, ["-" * width for width in widths], *([text for text, _ in row] for row in rows)):
            print("  ".join(cell.rjust(width) if numbers else cell.ljust(width)
                            for cell, width, numbers in zip(cells, widths, right, strict=True)).rstrip())
        if caption:
            print(caption)
        return
    from rich.measure import Measurement

    def table(rows, chosen, caption):
        return _table(title, [names[i] for i in chosen], [right[i] for i in chosen],
                      [[row[i] for i in chosen] for row in rows], caption)

    def width(of, which):
        return getattr(Measurement.get(console, console.options.update(max_width=1 << 20), of), which)

    chosen, limit = list(range(len(names))), console.width
    if width(table(one_line, chosen, caption), "maximum") <= limit:
        console.print(table(one_line, chosen, caption))
        return
    first, others = chosen[:keep], chosen[keep:] if keep else []
    while True:
        taken = len(others)
        while taken > 1 and width(table(rows, first + others[:taken], None), "minimum") > limit:
            taken -= 1
        part, others = first + others[:taken], others[taken:]
        below = None if others else caption
        drawn = table(rows, part, below)
        if width(drawn, "minimum") > limit:
            drawn = table([[(_folded(row[0][0]), row[0][1]), *row[1:]] for row in rows], part, below)
        # a table that cannot fold into a narrow terminal is as wide as it must be: no column is left out
        console.width = max(limit, width(drawn, "minimum"))
        console.print(drawn, crop=False)
        if not others:
            return


def _folded(name):
    # lines of few characters, broken where a reader joins them again at a glance
    lines = [""]
    for piece in re.findall(r"[^_ ]*[_ ]?", name):
        if len(lines[-1] + piece) > _LONGEST_WORD:
            lines.append("")
        lines[-1] += piece
    return "\n".join(line.rstrip(" ") for line in lines)


def _table(title, names, right, rows, caption):
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, caption=caption, caption_justify="left", box=SIMPLE_HEAD, collapse_padding=True,
                  pad_edge=False)
    for i, (name, numbers) in enumerate(zip(names, right, strict=True)):
        # What does not fit goes on in the next line, between words: a name or a number that is cut says nothing.
        texts = [name, *(row[i][0] for row in rows)]
        whole = [part for text in texts for part in (text.split("\n") if "\n" in text else text.split())]
        width = max((min(len(part), _LONGEST_WORD) for part in whole), default=0)
        if i == 0:
            width = max(len(line) for text in texts for line in text.split("\n"))
        table.add_column(name, justify="right" if numbers else "left", overflow="fold", no_wrap=i == 0, min_width=width)
    for row in rows:
        table.add_row(*(Text(*cell) for cell in row))
    return table
