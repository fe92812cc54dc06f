"""What a run of benchmarks says of the machine: its name, versions, level, and whether others are using it; and how
many threads of it BLAS has meanwhile."""

import contextlib
import datetime
import importlib.metadata
import importlib.util
import os
import platform
from pathlib import Path

import lanewise
import numpy as np

from ..kernels import LEVEL
from ..processors import usable_cpus

__all__ = ["blas_held_to", "busy", "caches", "can_hold_blas", "describe", "versions"]

_PACKAGES = ("scipy", "torch", "onnxruntime", "mkl", "ml_dtypes", "numba", "simd-ml-kernels", "evotorch", "pygad")
_CACHES = Path("/sys/devices/system/cpu/cpu0/cache")
_MOST_LOAD = 0.3  # of each CPU, in the mean of the last minute


def busy():
    """What to say where other processes share the machine; None where it is idle, or does not tell."""
    try:
        load, cpus = os.getloadavg()[0], usable_cpus()
    except (AttributeError, OSError):
        return None
    if load <= _MOST_LOAD * cpus:
        return None
    return (f"this machine is busy: a load of {load:.1f} on {cpus} CPU{'s' * (cpus > 1)} before anything was timed; "
            "ratios say more than nanoseconds, and small differences say nothing")


def blas_held_to(threads):
    """A context in which the BLAS of NumPy and of others has so many threads; as it was where threadpoolctl is missing.

    It has as many as there are processors otherwise, whatever this library and PyTorch are told.
    """
    if not can_hold_blas():
        return contextlib.nullcontext()
    import threadpoolctl

    return threadpoolctl.threadpool_limits(threads, user_api="blas")


def can_hold_blas():
    """Whether threadpoolctl is installed."""
    return importlib.util.find_spec("threadpoolctl") is not None


def versions():
    """By package: the version that is installed."""
    found = {"lanewise": lanewise.__version__, "numpy": np.__version__}
    for name in _PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _cpu():
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8", "replace").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def caches():
    """By name, such as "L2": how many bytes each cache of the first CPU holds; empty where the system does not say."""
    found = {}
    for cache in sorted(_CACHES.glob("index*")):
        try:
            kind, level, size = ((cache / name).read_text("utf-8").strip() for name in ("type", "level", "size"))
        except OSError:
            continue
        if kind != "Instruction" and size.endswith("K") and size[:-1].isdecimal():
            found[f"L{level}"] = int(size[:-1]) << 10
    return found


def describe():
    """The machine in pytest-benchmark's words (its ``machine_info``), with the level and the versions."""
    return {
        "node": "", "processor": platform.processor(), "machine": platform.machine(),
        "python_compiler": platform.python_compiler(), "python_implementation": platform.python_implementation(),
        "python_implementation_version": platform.python_version(), "python_version": platform.python_version(),
        "python_build": list(platform.python_build()), "release": platform.release(), "system": platform.system(),
        "cpu": {"brand_raw": _cpu(), "count": usable_cpus()}, "level": LEVEL, "versions": versions(),
        "caches": caches(),
        "busy": busy(), "datetime": datetime.datetime.now(datetime.UTC).isoformat(),
    }
