"""Every function along an axis, over channels and of elements, on operands that end, and operands that begin, at a page
that may not be touched: a process that reads or writes past one dies. Run by test_guard_pages.py, a dtype at a time.

    python guarded.py DTYPE
"""

import ctypes
import faulthandler
import mmap
import sys

import along_axis
import lanewise as lw
import numpy as np
import oracles
from lanewise import genome

SIZE = 1 << 18
PAGE = mmap.PAGESIZE
LENGTHS = range(1, 71)
protect = ctypes.CDLL(None, use_errno=True).mprotect
protect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]


class Guarded:
    """Memory between two pages that may not be touched."""

    def __init__(self):
        self.map = mmap.mmap(-1, SIZE + 2 * PAGE)
        self.bytes = np.frombuffer(self.map, np.uint8)[PAGE:-PAGE]
        start = self.bytes.ctypes.data
        for guard in (start - PAGE, start + SIZE):
            if protect(guard, PAGE, 0):
                raise OSError(ctypes.get_errno(), "mprotect")

    def place(self, array, at_end, layout):
        """A copy of an array in a layout, its last byte or its first beside a guard."""
        shape, strides, offset = array.shape, list(array.strides), 0
        if layout == "turned":  # the last axis comes first in memory
            strides = np.zeros((shape[-1], *shape[:-1]), array.dtype).strides
            strides = [*strides[1:], strides[0]]
        elif layout == "apart":
            strides = [3 * stride for stride in strides]
        size = sum((n - 1) * stride for n, stride in zip(shape, strides, strict=True)) + array.itemsize
        if layout == "backwards" and array.ndim:
            offset, strides[-1] = (shape[-1] - 1) * strides[-1], -strides[-1]
        start = SIZE - size if at_end else 0
        view = np.ndarray(shape, array.dtype, self.bytes.data, start + offset, strides)
        view[...] = array
        return view


POOL = [Guarded() for _ in range(10)]


def placed(arrays, at_end, layout, first=0):
    return [guard.place(array, at_end, layout) for guard, array in zip(POOL[first:], arrays, strict=False)]


def everywhere(call, arrays, result):
    """Calls with operands and outputs beside guards; the results of all layouts have the same bits."""
    expected = None
    for layout in ("plain", "backwards", "apart", "turned"):
        for at_end in (True, False):
            operands = placed(arrays, at_end, layout)
            outs = tuple(placed(result, at_end, layout, len(arrays)))
            found = along_axis.bits(call(operands, outs))
            expected = expected or found
            assert found == expected, (layout, at_end)


def rows(dtype):
    for name in along_axis.EVERY:
        count = 0 if name in along_axis.NO_OUT else 2 if name in along_axis.TWO_OUTPUTS else 1
        for n in LENGTHS:
            shape = (3, n) if name in along_axis.ALONG else (2, n) if n % 2 else (2, 3, n)
            arrays = along_axis.operands(name, shape, dtype)
            main = arrays[along_axis.EVERY[name][0].index("r")]
            print(name, shape, flush=True)
            everywhere(lambda operands, outs, name=name: along_axis.results(name, operands, outs or None), arrays,
                       [np.zeros_like(main)] * count)


def elements(dtype):
    # every ufunc that the package shows
    for name, function in sorted(vars(lw).items()):
        if not isinstance(function, np.ufunc):
            continue
        for n in LENGTHS:
            arrays = list(np.random.default_rng(n).uniform(0.1, 0.9, (function.nin, n)).astype(dtype))
            print(name, n, flush=True)
            everywhere(lambda operands, outs, function=function: np.broadcast_arrays(function(*operands, out=outs)),
                       arrays, [np.zeros(n, dtype)] * function.nout)


def layers():
    for n in LENGTHS:
        codes = genome.random_population(3, n, 1)
        x = np.random.default_rng(n).standard_normal((2, n)).astype(np.float32)
        print("linear4", n, flush=True)
        everywhere(lambda operands, outs: [genome.linear4(*operands)], [x, codes], [])


if __name__ == "__main__":
    faulthandler.enable()
    wanted = oracles.dtype_named(sys.argv[1])
    rows(sys.argv[1])
    elements(wanted)
    if wanted == np.float32:
        layers()
