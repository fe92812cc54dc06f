"""silu of each row in a numba function that caches: the kernel is a symbol, which each process binds to its address.

Python's own ctypes functions work in numba too, but their addresses would stand in the compiled code: it says so and
caches nothing.
"""

import lanewise
import llvmlite.binding
import numba
from numba import types

llvmlite.binding.add_symbol("lanewise_silu_float32", lanewise.embedding.address("silu_float32"))
silu = types.ExternalFunction("lanewise_silu_float32", types.void(types.uintp, types.uintp, types.intp))


@numba.njit("(float32[:, ::1], float32[:, ::1])", parallel=True, cache=True)
def silu_rows(x, y):
    """Fill y with silu(x), a row at a time on numba's threads."""
    for row in numba.prange(len(x)):
        silu(x[row].ctypes.data, y[row].ctypes.data, x.shape[1])
