"""C functions as ctypes objects that check what they are given. ctypes is imported when one is made."""

import functools as _functools

import numpy as np

from .table import address, signature

_DTYPES = {"float": np.float32, "double": np.float64, "uint8_t": np.uint8, "uint16_t": np.uint16,
           "uint32_t": np.uint32, "uint64_t": np.uint64, "int16_t": np.int16, "int64_t": np.int64}


@_functools.cache
def _pointer_type(ctype):
    """A ctypes argument type that takes an array of the dtype that a C pointer means, None, or an address."""
    import ctypes

    base = ctype.removeprefix("const ").rstrip("* ")
    dtype, written = np.dtype(_DTYPES[base]), not ctype.startswith("const ")
    wanted = f"expected a C-contiguous {'writeable ' if written else ''}array of {dtype}, an address, or None"

    def from_param(cls, value):
        if value is None or isinstance(value, int):
            return ctypes.c_void_p(value)
        if not isinstance(value, np.ndarray):
            raise TypeError(f"{wanted}; got {type(value).__name__}")
        flags = value.flags
        # a 16-bit code is what the bits of a float16 or a bfloat16 are, and a byte of a mask what a bool is
        same = value.dtype == dtype or (base == "uint16_t" and value.dtype.itemsize == 2 and value.dtype.kind in "fV")
        same = same or (base == "uint8_t" and value.dtype.kind == "b")
        if not (same and value.dtype.isnative and flags.c_contiguous and flags.aligned):
            raise TypeError(f"{wanted}; got {value.dtype} of shape {value.shape} and strides {value.strides}")
        if written and not flags.writeable:
            raise TypeError(f"{wanted}; got a read-only one")
        return ctypes.c_void_p(value.ctypes.data)

    return type(f"pointer_to_{base}", (ctypes.c_void_p,), {"from_param": classmethod(from_param)})


def ctypes_function(name):
    """Return a C function as a ctypes object that takes arrays.

    A call lets go of the GIL. Each pointer is a C-contiguous array of the dtype its C type means (of ``uint16_t`` also
    the float16 or bfloat16 whose codes they are, of ``uint8_t`` also bool), an address as an int, or None where NULL is
    allowed. How many elements there are is not checked: ``n`` is the caller's word.

    Parameters
    ----------
    name : str
        Such as ``"silu_float32"``; `lanewise.embedding.functions` has them all.

    Returns
    -------
    ctypes function
        The same object for the same name.

    Raises
    ------
    ValueError
        If there is no such function.
    ctypes.ArgumentError
        From a call: where an argument is no such array.

    Examples
    --------
    >>> import numpy as np
    >>> from lanewise import embedding
    >>> silu = embedding.ctypes_function("silu_float32")
    >>> x = np.zeros(5, np.float32)
    >>> silu(x, x, x.size)
    """
    return _function_of(signature(name))


@_functools.cache
def _function_of(of):
    import ctypes

    plain = {"void": None, "void *": ctypes.c_void_p, "int": ctypes.c_int, "Py_ssize_t": ctypes.c_ssize_t,
             "float": ctypes.c_float, "double": ctypes.c_double}

    def type_of(ctype):
        if ctype in plain:
            return plain[ctype]
        return _pointer_type(ctype) if ctype.endswith("*") else getattr(ctypes, f"c_{ctype.removesuffix('_t')}")

    prototype = ctypes.CFUNCTYPE(type_of(of.result), *(type_of(ctype) for ctype, _ in of.arguments))
    function = prototype(address(of.name))
    function.__name__, function.__doc__ = of.name, str(of)
    return function
