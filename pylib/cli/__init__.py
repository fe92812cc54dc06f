"""The command line: ``lanewise <command>``. Each command lives in a module <command>.py of its own, with a function
add_<command>_parser(subparsers) that names its options and sets ``run``; what it does is the library's.
"""

import argparse
import contextlib
import importlib
import os
import sys
import tempfile
from pathlib import Path

import lanewise

from ..files import check_writable, free_name, is_special
from ..terminal import abandon, confirm, say, spell_out

#: The options that name a file to write.
_FILES = ("output", "checkpoint", "json", "report", "plot")
COMMANDS = ("evolve", "train", "flow", "predict", "bench", "accuracy", "gradients", "inspect")


class CommandError(Exception):
    """What went wrong, in a sentence for the person at the terminal."""


def in_words(error):
    """What an error says, without the number and the brackets that Python puts around a file's."""
    if isinstance(error, OSError) and error.filename and error.strerror:
        return f"{error.filename}: {error.strerror}"
    return str(error)


def require(module, extra=None):
    """Import a module, or say how to install it: with an extra of this package, or by its own name."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        name = module.partition(".")[0]
        if error.name is None or error.name.partition(".")[0] != name:
            raise
        wanted = f"'lanewise[{extra}]'" if extra else name
        raise CommandError(f"this needs {error.name}, which is not installed: pip install {wanted}") from None


def add_force(parser):
    """Add the option that `check_outputs` asks for."""
    parser.add_argument("--force", action="store_true", help="replace files that exist, without a question")


def check_outputs(option, paths, force):
    """Find out, before the work, whether files can be written, and whether those that exist may be replaced.

    Parameters
    ----------
    option : str
        That names the first of them.
    paths : sequence of path-like
    force : bool

    Raises
    ------
    CommandError
        If one cannot be written, or exists, is not empty and nobody says that it may go.
    """
    for path in paths:
        try:
            check_writable(path)
        except OSError as error:
            raise CommandError(f"{option} {path}: {error.strerror}") from None
    there = [path for path in paths if os.path.isfile(path) and os.path.getsize(path)]
    if there and not force:
        names = " and ".join(map(str, there))
        if not confirm(f"{names} {'exists' if len(there) == 1 else 'exist'}. Replace?"):
            raise CommandError(f"{option}: {names} would be lost; --force replaces, or choose another name")


def refuse_what_is_read(option, path, read):
    """An error where a result would take the place of a file that the command reads, with or without ``--force``.

    Parameters
    ----------
    option : str
        That names the result.
    path : path-like or None
        The result.
    read : sequence of path-like or None
    """
    for source in read:
        if path is not None and source is not None and os.path.exists(path) and os.path.exists(source) and (
                os.path.samefile(path, source)) and not is_special(path):
            raise CommandError(f"{option} {path}: {source} is read; choose another name for the result")


def check_figure(option, path, force):
    """Find out, before the work, whether a figure can be drawn there; as `check_outputs`."""
    require("matplotlib", "demo")
    from .figures import check_format

    try:
        check_format(path)
    except ValueError as error:
        raise CommandError(f"{option}: {error}") from None
    check_outputs(option, [path], force)


def figure_beside(output):
    """Return where the figure of a network that goes to `output` goes: None beside a device or a pipe."""
    if is_special(output):
        return None
    return output.with_suffix(".png") if output.suffix == ".npz" else Path(f"{output}.png")


def free_output(path):
    """Find a name for a network, as `free_name` does, where neither it nor its figure is yet."""
    return free_name(path, lambda path: os.path.lexists(path) or os.path.lexists(figure_beside(path)))


def keep(path, write):
    """Write the result of a run, and where that fails somewhere else: a disk that is full does not lose the work.

    Parameters
    ----------
    path : path-like
    write : callable
        Given a path, writes there or raises OSError.

    Returns
    -------
    path : path-like
        Where it was written.
    error : OSError or None
        Why it was not written where it was asked for.

    Raises
    ------
    CommandError
        If it cannot be written anywhere.
    """
    while True:
        try:
            write(path)
            return path, None
        except OSError as raised:
            error = raised
        if not confirm(f"{error}. Try again?"):
            break
    for folder in _other_folders(path):
        other = free_name(Path(folder) / Path(path).name)
        try:
            write(other)
        except OSError:
            continue
        return other, error
    raise CommandError(f"{error}; nor could it be written to any other folder") from None


def _other_folders(path):
    # beside it, here, where nobody keeps anything, at home, and in memory
    yield from [Path(path).absolute().parent] if not is_special(path) else []
    yield Path.cwd()
    with contextlib.suppress(FileNotFoundError):  # of a system where none can be written to
        yield tempfile.gettempdir()
    with contextlib.suppress(RuntimeError):  # of a user without a home
        yield Path.home()
    yield "/dev/shm"


def make_parser():
    """The parser of all commands."""
    parser = argparse.ArgumentParser(
        prog="lanewise", description="Neural-network kernels for the CPU, and what they are good for.")
    parser.add_argument("--version", action="version", version=f"lanewise {lanewise.__version__}",
                        help="say which version this is")
    subparsers = parser.add_subparsers(metavar="command", required=True)
    for command in COMMANDS:
        module = importlib.import_module(f".{command}", __package__)
        getattr(module, f"add_{command}_parser")(subparsers)
    return parser


def main(argv=None):
    """Run a command; return the exit status."""
    spell_out()
    parser = make_parser()
    for word in sys.argv[1:] if argv is None else argv:
        if word.startswith("--") and word.endswith("=--"):  # which Python 3.11 and 3.12 take for a list of no values
            parser.error(f"argument {word[:-3]}: expected a value; got --")
    arguments = parser.parse_args(argv)
    if getattr(arguments, "force", False) and all(getattr(arguments, name, None) is None for name in _FILES):
        say("--force does nothing: it replaces a file that is named, and none is")
    try:
        status = arguments.run(arguments) or 0
        if sys.stdout is not None:
            sys.stdout.flush()
    except CommandError as error:
        say(f"lanewise: {error}")
        return 2
    except MemoryError as error:
        say(f"lanewise: there is not enough memory{f': {error}' if str(error) else ''}")
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # whoever read has read enough, as head does
        abandon(sys.stdout)
        return 1
    except OSError as error:  # such as of a disk that is full, be it standard output's
        say(f"lanewise: {in_words(error)}")
        abandon(sys.stdout)
        return 2
    return status
