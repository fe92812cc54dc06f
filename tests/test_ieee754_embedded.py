"""The C interface of lanewise.kernels.ieee754: each flat kernel, called through its capsule on arrays of any length,
gives the bits of the Python function and writes nothing beyond. That others can cimport it: test_embedding.py."""

import ctypes

import numpy as np
import pytest
from lanewise import ieee754
from lanewise.ieee754 import BINARY32, BINARY64, FORMATS
from lanewise.kernels import ieee754 as kernels

LENGTHS = [0, 1, 2, 7, 15, 16, 17, 64, 70, 1000, 5003]
NARROW = [f for f in FORMATS if f.width <= 16]


def flat(name):
    """A flat kernel as a Python function of arrays of one length."""
    capsule = kernels.__pyx_capi__[name]
    name_of, pointer_of = ctypes.pythonapi.PyCapsule_GetName, ctypes.pythonapi.PyCapsule_GetPointer
    name_of.restype, name_of.argtypes = ctypes.c_char_p, [ctypes.py_object]
    pointer_of.restype, pointer_of.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    signature = name_of(capsule)
    pointers = [ctypes.c_void_p] * signature.count(b"*")
    kernel = ctypes.CFUNCTYPE(None, *pointers, ctypes.c_ssize_t)(pointer_of(capsule, signature))
    return lambda *arrays: kernel(*(array.ctypes.data for array in arrays), len(arrays[0]))


def assert_gives(name, inputs, expected):
    outputs = [np.full(y.size + 80, 0xA5, np.uint8).repeat(y.itemsize).view(y.dtype) for y in expected]
    flat(name)(*inputs, *(out[:y.size] for out, y in zip(outputs, expected, strict=True)))
    for out, y in zip(outputs, expected, strict=True):
        assert out[:y.size].tobytes() == y.tobytes()
        assert (out[y.size:].view(np.uint8) == 0xA5).all()


@pytest.mark.parametrize("n", LENGTHS)
@pytest.mark.parametrize("format", [BINARY32, BINARY64], ids=lambda f: f.name)
def test_fields(format, n):
    dtype, number = format.code_dtype, f"float{format.width}"
    x = np.random.default_rng(n).integers(0, np.iinfo(dtype).max, n, dtype, endpoint=True).view(format.native)
    parts = ieee754.decompose(x)
    assert_gives(f"decompose_{number}", [x], parts)
    assert_gives(f"compose_{number}", parts, [x])
    assert_gives(f"classify_{number}", [x], [ieee754.classify(x)])
    assert_gives(f"ulp_{number}", [x], [ieee754.ulp(x)])


@pytest.mark.parametrize("n", LENGTHS)
@pytest.mark.parametrize("format", NARROW, ids=lambda f: f.name)
def test_conversions(format, n):
    rng = np.random.default_rng(n)
    x = np.concatenate([rng.integers(0, 1 << 32, n // 2, np.uint32).view(np.float32),
                        rng.standard_normal(n - n // 2, np.float32)])
    assert_gives(f"encode_{format.name}_float32", [x], [ieee754.encode(x, format)])
    codes = rng.integers(0, 1 << format.width, n, format.code_dtype)
    assert_gives(f"decode_{format.name}_float32", [codes], [ieee754.decode(codes, format)])
