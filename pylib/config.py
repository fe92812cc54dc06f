"""What runs: versions, the level, threads. Choosing the level itself is in lanewise.kernels; kernels read the thread
count from lanewise.kernels.machine. Nothing here touches data."""

import operator
import os

from .kernels import BUILT_LEVELS, LEVEL, levels, machine

_MOST_THREADS = 1024  # OpenMP ends the process where the system refuses a thread


def set_num_threads(n):
    """Let every kernel use up to `n` threads.

    Results never depend on it. A child made by ``os.fork`` runs on one thread whatever is set, since its parent's
    threads do not exist there; so does a build without OpenMP.

    Parameters
    ----------
    n : int
        From 1 to 1024.

    Raises
    ------
    TypeError
        If `n` is not an integer.
    ValueError
        If `n` is out of range.

    See Also
    --------
    get_num_threads

    Examples
    --------
    >>> import lanewise as lw
    >>> lw.set_num_threads(1)
    >>> lw.get_num_threads()
    1
    """
    try:
        n = operator.index(None if isinstance(n, bool) else n)
    except TypeError:
        raise TypeError(f"set_num_threads expected an integer of at least 1; got {n!r:.60}") from None
    if not 1 <= n <= _MOST_THREADS:
        raise ValueError(f"set_num_threads expected an integer from 1 to {_MOST_THREADS}; got {n}")
    machine.set_num_threads(n)


def get_num_threads():
    """Return how many threads a kernel may use.

    At import it is the number of CPUs this process may run on, or what the environment variable
    ``LANEWISE_NUM_THREADS`` says.

    Returns
    -------
    int
        At least 1.
    """
    return machine.get_num_threads()


def show_config(mode="stdout"):
    """Print versions, the level that runs and those built, CPU features and threads.

    Parameters
    ----------
    mode : {"stdout", "dicts"}
        Whether to print, or to return the same as a dict.

    Returns
    -------
    dict or None
        With ``mode="dicts"``: `lanewise`, `numpy`, `python` (versions), `level`, `levels_built`, `levels_supported`,
        `cpu_features`, `threads` and `openmp`.

    Raises
    ------
    ValueError
        If `mode` is neither of the two.
    """
    if not isinstance(mode, str) or mode not in ("stdout", "dicts"):
        raise ValueError(f"show_config expected mode 'stdout' or 'dicts'; got {mode!r}")
    import platform

    import numpy

    from . import __version__

    found = {
        "lanewise": __version__,
        "numpy": numpy.__version__,
        "python": platform.python_version(),
        "level": LEVEL,
        "levels_built": list(BUILT_LEVELS),
        "levels_supported": list(levels.supported(machine.cpu_features())),
        "cpu_features": list(machine.cpu_features()),
        "threads": get_num_threads(),
        "openmp": machine.has_openmp(),
    }
    if mode == "dicts":
        return found
    found["level"] += "  (LANEWISE_LEVEL overrides)"
    found["threads"] = f"{found['threads']}  (LANEWISE_NUM_THREADS overrides)"
    found["openmp"] = "yes" if found["openmp"] else "no"
    for name, value in found.items():
        print(f"{name.replace('_', ' '):<17} {' '.join(value) if isinstance(value, list) else value}")
    return None


def _threads_at_import():
    asked = os.environ.get("LANEWISE_NUM_THREADS", "")
    if asked:
        if not (asked.isascii() and asked.isdecimal()) or not 1 <= int(asked) <= _MOST_THREADS:
            raise ImportError(f"LANEWISE_NUM_THREADS={asked!r}: expected an integer from 1 to {_MOST_THREADS}")
        return int(asked)
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(usable, _MOST_THREADS)


machine.set_num_threads(_threads_at_import())
