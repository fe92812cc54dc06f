"""What runs: versions, the level, threads. Choosing the level itself is in lanewise.kernels; kernels read the thread
count from lanewise.kernels.machine. Nothing here touches data."""

import operator

from .kernels import BUILT_LEVELS, LEVEL, levels, machine
from .limits import tell_threadpoolctl
from .processors import MOST_THREADS, default_thread_count


def set_num_threads(n):
    """Let every kernel use up to `n` threads, the caller's own among them.

    Results never depend on it. No thread is started before the first call that has work for two. A child made by
    ``os.fork`` begins with one thread, and may be given more here. Where the system refuses a thread, there are fewer.

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
    if not 1 <= n <= MOST_THREADS:
        raise ValueError(f"set_num_threads expected an integer from 1 to {MOST_THREADS}; got {n}")
    machine.set_num_threads(n, afresh=True)


def get_num_threads():
    """Return how many threads a kernel may use.

    At import it is what the environment variable ``LANEWISE_NUM_THREADS`` says; or else ``OMP_NUM_THREADS``, by which
    joblib, dask and batch systems tell a worker how many are its own; or else the number of CPUs this process may run
    on, and no more than its control group's quota of CPU time is worth, rounded up.

    Returns
    -------
    int
        At least 1. It is 1 in a child made by ``os.fork`` until `set_num_threads` is called there.

    See Also
    --------
    set_num_threads

    Examples
    --------
    >>> import lanewise as lw
    >>> lw.set_num_threads(3)
    >>> lw.get_num_threads()
    3
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
        `cpu_features` and `threads`.

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
    }
    if mode == "dicts":
        return found
    found["level"] += "  (LANEWISE_LEVEL overrides)"
    found["threads"] = f"{found['threads']}  (LANEWISE_NUM_THREADS overrides)"
    for name, value in found.items():
        print(f"{name.replace('_', ' '):<17} {' '.join(value) if isinstance(value, list) else value}")
    return None


machine.set_num_threads(default_thread_count())
tell_threadpoolctl()
