"""What the tests of functions for learning share: arrays, and errors held to the table of bounds."""

import numpy as np
from lanewise.bounds import LEARNING_BOUNDS
from lanewise.measure.ulps import errors

RNG = np.random.default_rng(5)
FLOATS = [np.float32, np.float64]
WIDER = {np.dtype(np.float32): np.float64, np.dtype(np.float64): np.longdouble}


def normal(*shape, dtype=np.float32):
    return np.asarray(RNG.normal(size=shape)).astype(dtype)


def wide(x):
    return np.asarray(x).astype(WIDER[np.asarray(x).dtype])


def assert_within(name, found, exact, terms=None):
    """The bound that the table promises, in ULP of the exact result or of the largest term."""
    found, exact = np.asarray(found), np.asarray(exact)
    assert errors(found, exact, found.dtype.name, terms).max(initial=0) <= LEARNING_BOUNDS[name][found.dtype.name]
