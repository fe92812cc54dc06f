"""The levels: the instruction sets that kernels are compiled for. This one table is read by setup.py, by the import and
by the tests; it imports nothing of the package, so that the build can read it before anything is compiled.

A level knows its parent. It may hold a few modules only: for all others the import goes on to its parent.
"""

from typing import NamedTuple


class Level(NamedTuple):
    """An instruction set: what compiles for it, and what a CPU needs to run it."""

    name: str
    parent: str | None
    machines: tuple[str, ...]  # what platform.machine() says where it can be built; none: anywhere
    flags: tuple[str, ...]  # the compiler's
    features: tuple[str, ...]  # of the CPU, by their names in lanes/machine.h, those of the parent not included
    modules: tuple[str, ...] = ()  # those that the level holds; none: all


_X86 = ("x86_64", "AMD64")
# GCC stops at 256 bits unless it is told that 512 are wanted, and leaves two chains of latencies one after the
# other unless it schedules for a machine it knows: 5 to 18% on the compound functions
_AVX512 = ("-march=x86-64-v4", "-mprefer-vector-width=512", "-fschedule-insns", "-mtune=icelake-server",
           "-DLANEWISE_AVX512")
LEVELS = {level.name: level for level in (  # parents first, the best last
    Level("baseline", None, (), (), ()),
    Level("neon", "baseline", ("aarch64", "arm64"), ("-DLANEWISE_NEON",), ("neon",)),
    Level("avx2", "baseline", _X86, ("-march=x86-64-v3", "-DLANEWISE_AVX2"),
          ("avx2", "fma", "f16c", "bmi1", "bmi2", "lzcnt", "movbe")),
    Level("avx512", "avx2", _X86, _AVX512, ("avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl")),
    # sums of integer products in one instruction instead of two or three: what has none gains nothing
    Level("avx512vnni", "avx512", _X86, (*_AVX512, "-mavx512vnni", "-DLANEWISE_AVX512VNNI"), ("avx512_vnni",),
          ("linear4_int", "population")),
)}


def lineage(name):
    """Return the names of a level, of its parent, and so on."""
    names = []
    while name is not None:
        names.append(name)
        name = LEVELS[name].parent
    return names


def features_of(name):
    """Return the CPU features that a level and its parents ask for, the parents' first."""
    return tuple(feature for level in reversed(lineage(name)) for feature in LEVELS[level].features)


def supported(features):
    """Return the names of the levels that a CPU with these features can run, the best last."""
    return tuple(name for name in LEVELS if set(features).issuperset(features_of(name)))


def built_for(machine):
    """Return the names of the levels that can be built for what platform.machine() calls a machine."""
    return tuple(name for name, level in LEVELS.items() if not level.machines or machine in level.machines)
