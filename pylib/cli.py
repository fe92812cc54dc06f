"""The command line: ``lanewise <command>``. Each command lives in a module cli_<command>.py of its own, with a
function add_<command>_parser(subparsers) that names its options and sets ``run``; what it does is the library's.
"""

import argparse
import importlib
import sys

COMMANDS = ("evolve", "bench", "accuracy", "gradients", "inspect")


class CommandError(Exception):
    """What went wrong, in a sentence for the person at the terminal."""


def require(module, extra="demo"):
    """Import a module that comes with an extra, or say how to install it."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != module.partition(".")[0]:
            raise
        raise CommandError(f"this needs {error.name}, which is not installed: "
                           f"pip install 'lanewise[{extra}]'") from None


def main(argv=None):
    """Run a command; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="lanewise", description="Neural-network kernels for the CPU, and what they are good for.")
    subparsers = parser.add_subparsers(metavar="command", required=True)
    for command in COMMANDS:
        module = importlib.import_module(f".cli_{command}", __package__)
        getattr(module, f"add_{command}_parser")(subparsers)
    arguments = parser.parse_args(argv)
    try:
        return arguments.run(arguments) or 0
    except CommandError as error:
        print(f"lanewise: {error}", file=sys.stderr)
        return 2
