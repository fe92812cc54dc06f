"""How many processors this process was given: the variables that say so, the CPUs it may run on, and the quota of its
control group. How many threads kernels use is in config.py."""

import math
import os

__all__ = ["MOST_THREADS", "default_thread_count", "quota", "usable_cpus"]

MOST_THREADS = 1024


def default_thread_count(environment=os.environ):
    """Return how many threads kernels use unless somebody says otherwise.

    Parameters
    ----------
    environment : mapping of str to str

    Returns
    -------
    int
        ``LANEWISE_NUM_THREADS``; or else ``OMP_NUM_THREADS``, by which those who start workers (joblib, dask, batch
        systems) tell each how many threads are its own; or else the CPUs the process may run on, and no more than its
        quota of CPU time is worth.

    Raises
    ------
    ImportError
        If ``LANEWISE_NUM_THREADS`` is no integer from 1 to 1024. A bad ``OMP_NUM_THREADS`` is another library's, and
        is passed over.
    """
    asked = environment.get("LANEWISE_NUM_THREADS", "")
    if asked:
        if (count := _count(asked)) is None or count > MOST_THREADS:
            raise ImportError(f"LANEWISE_NUM_THREADS={asked!r}: expected an integer from 1 to {MOST_THREADS}")
        return count
    # a list is of nested levels, of which the first is the outermost
    count = _count(environment.get("OMP_NUM_THREADS", "").split(",")[0].strip())
    if count is None:
        count = min(usable_cpus(), quota() or MOST_THREADS)
    return min(count, MOST_THREADS)


def usable_cpus():
    """Return how many CPUs this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _count(text):
    return int(text) if text.isascii() and text.isdecimal() and int(text) > 0 else None


def quota(root="/"):
    """Return how many CPUs' time the control group of this process may use, rounded up.

    A group's limit holds for the groups in it, so the least counts, from the process's own group up to the top. Inside
    a container the top is the container's, and paths that are the host's are not found there.

    Parameters
    ----------
    root : path
        Where ``proc`` and ``sys`` are.

    Returns
    -------
    int or None
        None where there is no limit, or no control group.
    """
    found = []
    for line in _read(os.path.join(root, "proc/self/cgroup")).splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers:  # version 2
            mounts, limit_of = ("", "unified"), _limit_of_version_2
        elif "cpu" in controllers.split(","):
            mounts, limit_of = ("cpu", controllers), _limit_of_version_1
        else:
            continue
        names = [name for name in path.split("/") if name]
        for mount in mounts:
            found += [limit_of(os.path.join(root, "sys/fs/cgroup", mount, *names[:depth]))
                      for depth in range(len(names) + 1)]
    limits = [limit for limit in found if limit is not None]
    return max(1, math.ceil(min(limits))) if limits else None


def _limit_of_version_2(folder):
    # "max 100000", or microseconds of CPU time and of the period in which they may be used
    return _ratio(_read(os.path.join(folder, "cpu.max")).split())


def _limit_of_version_1(folder):
    # -1 is no limit
    return _ratio([_read(os.path.join(folder, f"cpu.cfs_{name}_us")).strip() for name in ("quota", "period")])


def _ratio(numbers):
    if len(numbers) == 2 and all(number.isdecimal() and int(number) > 0 for number in numbers):
        return int(numbers[0]) / int(numbers[1])
    return None


def _read(path):
    # "" where it cannot be read: another system, an older kernel, a sandbox
    try:
        with open(path, encoding="utf-8") as file:
            return file.read()
    except (OSError, UnicodeDecodeError):
        return ""
