"""The kernels as C functions: their addresses and signatures, for compilers and foreign-function interfaces.

The installed ``lanewise.h`` is the list: it says which functions there are, in which order its table holds them, and
what they take. Here it is read, and the table is made. Cython cimports the kernels from ``lanewise.kernels`` instead.
"""

from .calls import ctypes_function
from .table import Signature, address, functions, get_include, signature

__all__ = ["Signature", "address", "ctypes_function", "functions", "get_include", "signature"]


def __getattr__(name):
    if name == "TABLE":  # the capsule that lanewise_import() in lanewise.h asks for
        from .table import table

        return table()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
