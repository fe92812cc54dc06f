"""Integrals of activations by SciPy, which calls the kernel of one number without going through Python.

quad takes a `double (double)`, and so do SciPy's other callers of LowLevelCallable that list this signature;
generic_filter lists another, of a buffer.
"""

from lanewise.kernels import activations
from scipy import LowLevelCallable
from scipy.integrate import quad


def integral(name, low, high):
    """Return the integral of an activation, such as gelu."""
    return quad(LowLevelCallable.from_cython(activations, f"{name}_point_float64"), low, high)[0]
