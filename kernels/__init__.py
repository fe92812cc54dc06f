"""The compiled kernels. Importing this package chooses the level, the best this machine can run or the one
LANEWISE_LEVEL names, before any module is imported that has kernels. No Python-level convenience lives here."""

import os
import warnings

from . import levels, machine


def _choose_level(asked):
    known, features = ", ".join(levels.LEVELS), machine.cpu_features()
    supported = levels.supported(features)
    if not asked:
        usable = [name for name in supported if name in BUILT_LEVELS]
        if not usable:
            raise ImportError(f"this installation of lanewise has the levels {', '.join(BUILT_LEVELS) or 'none'}, and "
                              f"this machine runs {', '.join(supported)}: install it again on this machine")
        if usable[-1] == "baseline" != supported[-1]:
            warnings.warn(
                f"lanewise runs on its portable level, baseline, many times slower than {supported[-1]}, which this "
                "machine has and this installation was built without (docs/building.md says what it needs). "
                "LANEWISE_LEVEL=baseline chooses baseline without this warning", RuntimeWarning, stacklevel=2)
        return usable[-1]
    if asked not in levels.LEVELS:
        raise ImportError(f"LANEWISE_LEVEL={asked!r} is not a level; expected one of {known}")
    if asked not in BUILT_LEVELS:
        raise ImportError(f"LANEWISE_LEVEL={asked!r} was not built; this installation has {', '.join(BUILT_LEVELS)}")
    if asked not in supported:
        missing = sorted(set(levels.features_of(asked)) - set(features))
        raise ImportError(f"LANEWISE_LEVEL={asked!r} needs {', '.join(missing)}, which this machine lacks")
    return asked


def describe_format(name):
    """Return the description of a floating-point format by its name. lanewise puts its own function here, before any
    module of this package is imported: what is described in Python, the kernels are handed and do not import."""
    raise NotImplementedError(f"who describes {name}? lanewise/__init__.py says so")


BUILT_LEVELS = machine.BUILT_LEVELS
LEVEL = _choose_level(os.environ.get("LANEWISE_LEVEL"))
machine.choose_level(levels.lineage(LEVEL))

from . import row_loops  # noqa: E402, F401 - modules with functions along an axis find it here, by its capsule
