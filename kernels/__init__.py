"""The compiled kernels. Importing this package chooses the level, the best this machine can run or the one
LANEWISE_LEVEL names, by putting its folder on the package's path. No Python-level convenience lives here."""

import os

from . import machine


def _choose_level(asked):
    usable = [name for name in machine.supported_levels() if name in BUILT_LEVELS]
    if not asked:
        return usable[-1]
    if asked not in machine.LEVELS:
        raise ImportError(f"LANEWISE_LEVEL={asked!r} is not a level; expected one of {', '.join(machine.LEVELS)}")
    if asked not in BUILT_LEVELS:
        raise ImportError(f"LANEWISE_LEVEL={asked!r} was not built; this installation has {', '.join(BUILT_LEVELS)}")
    if asked not in usable:
        missing = sorted(set(machine.LEVELS[asked]) - set(machine.cpu_features()))
        raise ImportError(f"LANEWISE_LEVEL={asked!r} needs {', '.join(missing)}, which this machine lacks")
    return asked


BUILT_LEVELS = tuple(name for name in machine.LEVELS if os.path.isdir(os.path.join(__path__[0], name)))
LEVEL = _choose_level(os.environ.get("LANEWISE_LEVEL"))
__path__.insert(0, os.path.join(__path__[0], LEVEL))
