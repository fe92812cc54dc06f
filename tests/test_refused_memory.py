"""Every allocation of a kernel that is refused, one after the other: a MemoryError and outputs as they were, or the
same result without that memory. refusing_malloc.c refuses."""

import shlex
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

HERE = Path(__file__).parent
pytestmark = [
    pytest.mark.compiler, pytest.mark.skipif(sys.platform != "linux", reason="preloading malloc is Linux's")]

# What it is given, printed where it is another outcome; and at the end how many calls asked for memory.
PROGRAM = """
import ctypes
import sys
sys.path.insert(0, sys.argv[1])
import along_axis
import long_calls
import lanewise as lw
import numpy as np

shim = ctypes.CDLL(sys.argv[2])
lw.set_num_threads(int(sys.argv[3]))
asking = 0


def bits(found):
    # of what is an array or a number
    parts = found if isinstance(found, tuple) else (found,)
    return along_axis.bits([part for part in parts if isinstance(part, (np.ndarray, np.generic, float))])


def refused(what, call, outs):
    global asking
    for out in outs:
        out[...] = 7
    expected = bits(call())
    for first in range(1, 100):
        for out in outs:
            out[...] = 7
        shim.refuse_from(first)
        try:
            found = bits(call())
        except MemoryError:
            found = "MemoryError"
        except BaseException as error:
            found = repr(error)
        asked = shim.times_asked()
        shim.refuse_from(0)
        if asked < first:
            break
        if first == 99:
            print(what, "asks for memory more often than is tried")
        asking += first == 1
        if found != "MemoryError" and found != expected:
            print(what, "refused the", first, "th time:", found if isinstance(found, str) else "another result")
        # of channels NumPy calls a loop for each example, and each of them asks
        once = first == 1 or sys.argv[4] != "CHANNELS"
        if found == "MemoryError" and once and not all((out == 7).all() for out in outs):
            print(what, "has written before the", first, "th time")


def turned(array):
    # rows that are neighbours in memory
    return np.asfortranarray(array) if array.ndim == 2 else array


"""
ALONG = """
for shape in ((2, 3, 40), (3, 2, 40_000)) if sys.argv[4] == "CHANNELS" else ((40, 33), (3, 30_000)):
    for name in getattr(along_axis, sys.argv[4]):
        for dtype in ("float16", "bfloat16", "float32", "float64"):
            arrays = along_axis.operands(name, shape, dtype)
            kinds = along_axis.EVERY[name][0]
            count = 0 if name in along_axis.NO_OUT else 2 if name in along_axis.TWO_OUTPUTS else 1
            for layout in (np.ascontiguousarray, long_calls.apart_in_memory, turned):
                given = [layout(array) if kind in "rv" else array for kind, array in zip(kinds, arrays)]
                outs = tuple(layout(np.zeros_like(arrays[kinds.index("r")])) for _ in range(count))
                refused((name, shape, dtype, layout.__name__),
                        lambda: along_axis.results(name, given, outs or None), outs)
print(asking)
"""
OTHERS = """
from lanewise.kernels import row_loops, softmax

out = np.zeros((3, 3200))
many, calls = long_calls.calls(3200, 50, out)
calls["diversity"] = lambda: lw.genome.diversity(np.zeros((64, 100), np.uint8))
# what is registered when it is first asked for
new = (lw.ieee754.Format(f"format {k}", 4, 3, 7) for k in range(1000))
calls["a new format"] = lambda: lw.ieee754.encode(np.ones(3, "f"), next(new))
calls["fields of a new format"] = lambda: lw.ieee754.decompose(np.ones(3, np.uint8), format=next(new))
calls["loops_of"] = lambda: len(row_loops.loops_of(softmax.softmax_gufunc, True))
for name, call in calls.items():
    refused(name, call, many[0] if name.endswith("_step") else (out,))
print(asking)
"""
DOORS = """
from lanewise import embedding

types = {"float": "f", "double": "d", "uint8_t": "u1", "uint16_t": "u2", "int16_t": "i2", "int64_t": "i8"}
for name in embedding.functions():
    of = embedding.signature(name)
    if of.result != "int" or not of.arguments or of.module == "genome":  # whose answer is another
        continue
    # of zeros, and of numbers near the end of the range, for which channels are scaled; of segments of one and more
    for value in (0, {"f": 3e38, "d": 1e300}):
        for size in (1, 16):
            given, held, outs = [], [], []
            for kind, role in of.arguments:
                if kind == "Py_ssize_t":
                    given.append(size if role == "size" else 16)
                elif kind.endswith("*"):
                    dtype = types.get(kind.removeprefix("const ").rstrip("* "), "f")
                    held.append(np.full(1 << 16, value and value.get(dtype, 0), dtype))
                    given.append(held[-1].ctypes.data)
                    outs += [held[-1]] * (not kind.startswith("const "))
                else:
                    given.append(1 if kind == "double" else 16)
            door = embedding.ctypes_function(name)

            def call():
                if not door(*given):
                    raise MemoryError
                return tuple(outs)

            refused((name, value, size), call, outs)
print(asking)
"""


@pytest.fixture(scope="session")
def shim(tmp_path_factory):
    """malloc that refuses, as a library to preload."""
    library = tmp_path_factory.mktemp("malloc") / "refusing_malloc.so"
    compiler = shlex.split(sysconfig.get_config_var("CC") or "cc")
    command = [*compiler, "-shared", "-fPIC", "-O2", HERE / "refusing_malloc.c", "-o", library, "-ldl"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return library


def check(run_python, shim, program, threads, which, asking):
    done = run_python(PROGRAM + program, HERE, shim, threads, which, LD_PRELOAD=str(shim), OPENBLAS_NUM_THREADS="1")
    assert done.returncode == 0, done.stderr
    *unlike, count = done.stdout.splitlines()
    assert unlike == []
    assert int(count) >= asking, "calls that asked for memory"


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("which", ["ALONG", "CHANNELS"])
def test_functions_along_an_axis(run_python, shim, which, threads):
    check(run_python, shim, ALONG, threads, which, 100)


def test_other_functions(run_python, shim):
    check(run_python, shim, OTHERS, 2, "OTHERS", 20)


def test_the_c_interface(run_python, shim):
    check(run_python, shim, DOORS, 2, "DOORS", 100)
