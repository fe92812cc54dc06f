"""Integrals of activations and filters of images by SciPy, which calls the kernels without going through Python.

quad takes a `double (double)`, and so do SciPy's other callers of LowLevelCallable that list this signature.
generic_filter wants a function of a window, which has a signature of its own.
"""

from lanewise.kernels import activations, softmax
from scipy import LowLevelCallable
from scipy.integrate import quad
from scipy.ndimage import generic_filter

soft_maximum = LowLevelCallable.from_cython(softmax, "logsumexp_window_float64",
                                            signature="int (double *, intptr_t, double *, void *)")


def integral(name, low, high):
    """Return the integral of an activation, such as gelu."""
    return quad(LowLevelCallable.from_cython(activations, f"{name}_point_float64"), low, high)[0]


def smooth_maximum_filter(image, size):
    """Return of each pixel the logarithm of the sum of the exponentials around it: a maximum that has gradients."""
    return generic_filter(image, soft_maximum, size)
