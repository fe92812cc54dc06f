"""The C interface of lanewise.kernels.ieee754: each flat kernel, called through its capsule on arrays of any length,
gives the bits of the Python function and writes nothing beyond. That others can cimport it: test_embedding.py."""

import ctypes

import numpy as np
import pytest
from lanewise import ieee754
from lanewise.embedding import ctypes_function
from lanewise.ieee754 import BINARY32, BINARY64, FORMATS
from lanewise.kernels import ieee754 as kernels

LENGTHS = [0, 1, 2, 7, 15, 16, 17, 64, 70, 1000, 5003]
NARROW = [f for f in FORMATS if f.width <= 16]
BLOCKS = ["mxfp8_e5m2", "mxfp8_e4m3", "mxfp6_e3m2", "mxfp6_e2m3", "mxfp4", "mxint8", "nvfp4"]


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
    assert_gives(f"next_up_{number}", [x], [ieee754.next_up(x)])
    assert_gives(f"next_down_{number}", [x], [ieee754.next_down(x)])
    whole = np.where(np.arange(n) % 3 == 0, np.arange(n), x).astype(x.dtype)
    assert_gives(f"is_exact_integer_{number}", [whole], [ieee754.is_exact_integer(whole)])
    near = np.roll(x, 1)
    assert_gives(f"ulp_distance_{number}", [x, near], [ieee754.ulp_distance(x, near)])


@pytest.mark.parametrize("n", LENGTHS)
@pytest.mark.parametrize("format", NARROW, ids=lambda f: f.name)
def test_conversions(format, n):
    rng = np.random.default_rng(n)
    x = np.concatenate([rng.integers(0, 1 << 32, n // 2, np.uint32).view(np.float32),
                        rng.standard_normal(n - n // 2, np.float32)])
    assert_gives(f"encode_{format.name}_float32", [x], [ieee754.encode(x, format)])
    codes = rng.integers(0, 1 << format.width, n, format.code_dtype)
    assert_gives(f"decode_{format.name}_float32", [codes], [ieee754.decode(codes, format)])


@pytest.mark.parametrize(("rows", "n"), [(0, 5), (3, 0), (1, 1), (2, 16), (5, 33), (3, 100), (40, 700)])
@pytest.mark.parametrize("name", BLOCKS)
def test_blocks_that_share_a_scale(name, rows, n):
    rng = np.random.default_rng(rows + n)
    x = (rng.standard_normal((rows, n)) * np.exp2(rng.integers(-20, 20, (rows, 1)))).astype(np.float32)
    x[::3, ::50], x[1::3, :40] = np.inf, 0  # blocks without a finite number, and of zeros
    codes, scales, *tensor_scale = ieee754.mx_encode(x, name)
    encode, decode = (ctypes_function(f"{way}_{name}_float32") for way in ("encode", "decode"))
    found = np.full(codes.size + 80, 0xA5, np.uint8), np.full(scales.size + 80, 0xA5, np.uint8)
    encode(x, *tensor_scale, *found, rows, n)
    for out, expected in zip(found, (codes, scales), strict=True):
        assert out[:expected.size].tobytes() == expected.tobytes()
        assert (out[expected.size:] == 0xA5).all()
    y = np.full(x.size + 20, 7, np.float32)
    decode(codes, scales, *tensor_scale, y, rows, n)
    expected = ieee754.mx_decode(codes, scales, name, **dict(zip(["tensor_scale"], tensor_scale, strict=False)))
    assert y[:x.size].tobytes() == expected.tobytes()
    assert (y[x.size:] == 7).all()


@pytest.mark.parametrize("x", [[], [0.0, -0.0], [1.0, -3.0], [np.inf, np.nan, 2.0], [3e38, 1.0], [1e-45], [1e-36]])
def test_the_scale_of_an_array(x):
    x = np.array(x, np.float32)
    expected = ieee754.mx_encode(x, "nvfp4")[2]
    assert ctypes_function("nvfp4_scale_float32")(x, x.size) == expected
