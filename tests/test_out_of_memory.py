"""Rows that must be copied, and no memory for it: a MemoryError that says what was wanted and how many bytes, and
outputs as they were."""

import subprocess
import sys
from pathlib import Path

import pytest
from along_axis import ALONG, CHANNELS

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the limit is Linux's")

# A process that holds its operands may have so many bytes more, fewer than a tile of one of the long rows.
PROGRAM = """
import resource
import sys
sys.path.insert(0, sys.argv[1])
import along_axis
import long_calls
import lanewise as lw
import numpy as np
import oracles

threads, shape, names = int(sys.argv[2]), tuple(map(int, sys.argv[3].split(","))), sys.argv[4].split(";")
EXTRA = 1 << 20
lw.set_num_threads(threads)
lw.softmax(np.zeros((1024, 128), np.float32))  # starts the threads


def limit(more):
    used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + more if more else resource.RLIM_INFINITY, resource.RLIM_INFINITY))


strided = long_calls.apart_in_memory


def said(error):
    # what there was no memory for, and its size: as NumPy says it, in bytes or their multiples
    words = str(error)
    return "MemoryError" if " bytes" in words or "iB for an array" in words else repr(error)


for name in names if len(sys.argv) == 5 else ():
    for dtype in ("float16", "float64"):
        arrays = along_axis.operands(name, shape, dtype)
        arrays = [strided(array) if kind in "rv" else array
                  for kind, array in zip(along_axis.EVERY[name][0], arrays)]
        count = 0 if name in along_axis.NO_OUT else 2 if name in along_axis.TWO_OUTPUTS else 1
        outs = tuple(strided(np.full(shape, 7, dtype)) for _ in range(count)) or None
        limit(EXTRA)
        try:
            along_axis.results(name, arrays, outs)
            found = "no error"
        except MemoryError as error:
            found = said(error)
        except BaseException as error:
            found = repr(error)
        limit(0)
        untouched = all((out == 7).all() for out in outs or ())
        if found != "MemoryError" or not untouched:
            print(name, dtype, found, "untouched" if untouched else "written")
"""

# The rest of a program that tries functions on long rows which need room of their own, or results as long.
OTHERS = """
out = np.full((3, 400_000), 7.0)
many, calls = long_calls.calls(400_000, 60_000, out)
for name, call in calls.items():
    limit(1 << 18)
    try:
        call()
        found = "no error"
    except MemoryError as error:
        found = said(error)
    except BaseException as error:
        found = repr(error)
    limit(0)
    if found != "MemoryError" or not (out == 7).all():
        print(name, found)
if not all((array == 1).all() for array in many[0]):
    print("a step changed some of its arrays")
"""


def check(run_python, threads, shape, names, more=""):
    done = run_python(PROGRAM + more, Path(__file__).parent, threads, shape, ";".join(names), *["others"] * bool(more),
                      MALLOC_ARENA_MAX="1", MALLOC_MMAP_THRESHOLD_="65536",
                      OPENBLAS_NUM_THREADS="1")  # what is freed is no longer there
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert done.stderr == ""


# one number of a row is taken where it stands
IN_TILES = [name for name in ALONG if not name.startswith("nll_loss")]


def test_functions_along_an_axis(run_python):
    check(run_python, 1, "1,400000", IN_TILES)


def test_many_threads(run_python):
    # a tile for each of eight threads, where there is memory for some of them
    check(run_python, 8, "32,40000", IN_TILES)


def test_functions_over_channels(run_python):
    check(run_python, 1, "2,3,400000", CHANNELS)
    check(run_python, 1, "2,100000", [name for name in CHANNELS if name.startswith("batch_norm")])


@pytest.mark.parametrize("threads", [1, 4])
def test_functions_for_learning_and_of_genomes(run_python, threads):
    check(run_python, threads, "1", [], OTHERS)


# How far the memory of a process rises in a call: as docs/stable-training.md says, up to what else a call needs.
RISING = """
import sys
import lanewise as lw
import numpy as np


def memory(which):
    return next(int(line.split()[1]) << 10 for line in open("/proc/self/status") if line.startswith(which))


lw.set_num_threads(int(sys.argv[2]))
lw.softmax(np.ones((1024, 128), np.float32))  # starts the threads
if sys.argv[1] == "sums":
    rows, n = 256, 1 << 17
    x, ones = np.ones((rows, n)), np.ones(n)
    out = x.copy()
    lw.layer_norm_backward(x[:64, :2048], x[:64, :2048], ones[:2048], ones[:2048])

    def call():
        lw.layer_norm_backward(x, x, ones, ones, out=out)
else:
    x = np.ones((2, 1 << 23), np.float16)
    out = x.copy()
    function = getattr(lw, sys.argv[1])

    def call():
        function(*[x] * (1 + sys.argv[1].endswith("backward")), out=out)
open("/proc/self/clear_refs", "w").write("5")  # the highest so far is what there is now
before = memory("VmRSS")
call()
print(memory("VmHWM") - before)
"""


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(("what", "most"), [
    ("sums", (1 << 25) + 2 * (1 << 22) + (1 << 21)),  # and those of few rows of two threads, and two vectors
    ("softmax", 4 << 23), ("log_softmax", 4 << 23), ("softmax_backward", 8 << 23)])
def test_how_much_memory_a_call_takes(what, most, threads):
    command = [sys.executable, "-c", RISING, what, str(threads)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    rows = threads if what != "sums" else 1  # at a time
    assert int(done.stdout) <= rows * most + (4 << 20)
